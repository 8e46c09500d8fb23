"""A running meshline as the target of syncs: sources are read here, and their readings are sent to the server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from meshline.cli.client import read_query
from meshline.cli.http_client import HttpClient, send_events
from meshline.errors import InvalidInput, RefusedRequest
from meshline.graph.model import AssetKey, AssetKind, Scope, from_micros
from meshline.graph.naming import Naming
from meshline.ingest.openlineage.event_files import Found as FoundEvent
from meshline.ingest.sources.base import Context, Entry, KnownColumn, Reading, Refusal
from meshline.ingest.sources.reading_loader import Loading
from meshline.ingest.sources.sync_status import Status
from meshline.ingest.sources.target import EventOutcome
from meshline.ingest.sources.transfer import EncodedEntry, LoadingCounts, SentReading, SourceContext, encode_entry

T = TypeVar("T")

PART_BYTES = 8 * 2**20  # approximate size of the contents in one request


class HttpTarget:
    """See `meshline.ingest.sources.target.Target`."""

    def __init__(self, remote: HttpClient) -> None:
        self._remote = remote

    def build_context(self, source: str, folder: Path, aliases: Mapping[str, str]) -> Context:
        known = self._read_known(source)
        return Context(
            Naming(known.trimmers),
            folder,
            aliases,
            known.memory,
            _ColumnReader(self._remote),
            known.people,
            datasets_ending_with=cache(lambda text: self._list_datasets(source, ending=text)),
            datasets_in=cache(lambda namespace: self._list_datasets(source, namespace=namespace)),
            datasets_governed_by=cache(lambda contract: self._list_datasets(source, contract=contract)),
        )

    def load(self, reading: Reading) -> Loading:
        sending = _ReadingSender(self._remote, reading)
        loading = sending.send_all()
        if reading.remember is not None:
            self.save_memory(reading.source, reading.remember())
        return loading

    def ingest_events(self, source: str, events: Iterable[FoundEvent]) -> Iterator[EventOutcome]:
        return send_events(self._remote, events, source.partition("/")[2])

    def read_events(self, source: str, since: int, until: int) -> Iterator[bytes]:
        after: str | None = None
        while True:
            asked = {"from": from_micros(since).isoformat(), "to": from_micros(until).isoformat(), "after": after}
            page = msgspec.convert(self._remote.ask(read_query("events"), asked)["events"], _EventPage)
            yield from (msgspec.json.encode(event.body) for event in page.nodes if event.source == source)
            if not page.page_info.has_next_page:
                return
            after = page.page_info.end_cursor

    def save_memory(self, source: str, memory: Mapping[str, str]) -> None:
        self._put_reading(source, SentReading(memory=dict(memory)))

    def read_status(self, source: str) -> Status | None:
        return self._read_known(source).status

    def save_status(self, source: str, status: Status) -> None:
        self._put_reading(source, SentReading(status=status))

    def _put_reading(self, source: str, sent: SentReading) -> None:
        self._remote.put_source(source, msgspec.json.encode(sent))

    def _list_datasets(self, source: str, **asked: str) -> list[AssetKey]:
        found = decode_answer(self._remote.get_source(source, **asked), SourceContext).datasets
        return [AssetKey(AssetKind.DATASET, parts) for parts in found]

    def _read_known(self, source: str) -> SourceContext:
        return decode_answer(self._remote.get_source(source), SourceContext)


class _ReadingSender:
    """Sends a reading in parts; the last part marks the end."""

    def __init__(self, remote: HttpClient, reading: Reading) -> None:
        self._remote = remote
        self._reading = reading
        self._scopes: dict[Scope, bool] = {}  # found scopes -> whether an earlier part had them as an entry
        self._entries: list[EncodedEntry] = []
        self._bytes = 0
        self._refused: list[Refusal] = []
        self._answers: list[LoadingCounts] = []

    def send_all(self) -> Loading:
        """Send the whole reading. Returns the sum of the counts of its parts."""
        for one in self._reading.items:
            if isinstance(one, Refusal):
                self._refused.append(one)
            elif one.scope in self._scopes:
                self._refused.append(
                    Refusal(
                        InvalidInput(f"the source has {' '.join(one.scope)} twice; only the first is ingested", self._reading.source),
                        one.scope,
                    )
                )
            else:
                self._scopes[one.scope] = False
                if isinstance(one, Entry):
                    self._add_entry(one)
        sent_before = sum(self._scopes.values())
        here = {one.scope for one in self._entries}
        others = tuple(scope for scope in self._scopes if scope not in here)
        self._send_part(SentReading(tuple(self._entries), others, tuple(one.about for one in self._refused), self._reading.complete))
        return self._sum_counts(sent_before)

    def _add_entry(self, entry: Entry) -> None:
        self._entries.append(encode_entry(entry))
        self._bytes += len(entry.content.blob) + sum(len(content.blob) for _, content in entry.past)
        if self._bytes > PART_BYTES:
            self._send_part(SentReading(tuple(self._entries)))
            self._scopes.update((one.scope, True) for one in self._entries)
            self._entries, self._bytes = [], 0

    def _send_part(self, sent: SentReading) -> None:
        self._answers.append(decode_answer(self._remote.put_source(self._reading.source, msgspec.json.encode(sent)), LoadingCounts))

    def _sum_counts(self, sent_before: int) -> Loading:
        answers = self._answers
        return Loading(
            source=self._reading.source,
            revision=answers[-1].revision,
            read=sum(one.read for one in answers),
            unchanged=sum(one.unchanged for one in answers) - sent_before,
            new=sum(one.new for one in answers),
            changed=sum(one.changed for one in answers),
            retracted=answers[-1].retracted,
            kept=answers[-1].kept,
            refused=tuple(one.error for one in self._refused),
            warnings=tuple(self._reading.warnings),
            has_rights=self._reading.confirm_rights(self._refused),
        )


class _ColumnReader:
    """Reads the columns of datasets from the server, those of each dataset once."""

    def __init__(self, remote: HttpClient) -> None:
        self._remote = remote
        self._known: dict[AssetKey, list[KnownColumn]] = {}

    def __call__(self, dataset: AssetKey) -> list[KnownColumn]:
        if dataset not in self._known:
            self._known[dataset] = list(self._read_columns(*dataset.parts))
        return self._known[dataset]

    def _read_columns(self, namespace: str, name: str) -> Iterator[KnownColumn]:
        after: str | None = None
        while True:
            data = self._remote.ask(read_query("columns"), {"namespace": namespace, "name": name, "after": after})
            found = msgspec.convert(data["dataset"], _Dataset | None)
            if found is None or not found.described:
                return
            yield from (KnownColumn(column.name, column.data_type or "") for column in found.columns.nodes if not column.inferred)
            if not found.columns.page_info.has_next_page:
                return
            after = found.columns.page_info.end_cursor


class _Column(msgspec.Struct, rename="camel", frozen=True):
    name: str
    data_type: str | None
    inferred: bool


class _PageInfo(msgspec.Struct, rename="camel", frozen=True):
    has_next_page: bool
    end_cursor: str | None


class _Page(msgspec.Struct, rename="camel", frozen=True):
    nodes: list[_Column]
    page_info: _PageInfo


class _Event(msgspec.Struct, frozen=True):
    source: str
    body: Any


class _EventPage(msgspec.Struct, rename="camel", frozen=True):
    nodes: list[_Event]
    page_info: _PageInfo


class _Dataset(msgspec.Struct, rename="camel", frozen=True):
    described: bool
    columns: _Page


def decode_answer(answer: bytes, shape: type[T]) -> T:
    """Decode a server's answer. Raises RefusedRequest if it is not one of meshline."""
    try:
        return msgspec.json.decode(answer, type=shape)
    except msgspec.MsgspecError as error:
        raise RefusedRequest(f"the server does not answer like meshline: {error}", "NOT_MESHLINE") from error
