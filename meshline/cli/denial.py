"""`meshline denial add|list|remove`: the deny list of a store, or of a running server."""

from __future__ import annotations

import enum
import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Protocol, TypeAlias

import msgspec
import typer

from meshline.cli.options import ListFormat, Server, Store, TextFormat

if TYPE_CHECKING:
    from meshline.app.access_journal import AccessJournal
    from meshline.cli.client import Client
    from meshline.graph.model import Json


class KindName(enum.StrEnum):
    """The claim that an entry compares."""

    SUB = "sub"
    SID = "sid"
    JTI = "jti"


Kind: TypeAlias = Annotated[
    KindName, typer.Argument(help="sub: a person or service; sid: a session at the identity provider; jti: a token.", show_default=False)
]
Value: TypeAlias = Annotated[str, typer.Argument(help="The value of that claim.", metavar="VALUE", show_default=False)]


def add(
    kind: Kind,
    value: Value,
    *,
    hours: Annotated[int, typer.Option(help="Until the entry ends.", min=1, max=87_600)] = 24,
    reason: Annotated[str, typer.Option(help="Why; it is in the audit log.", metavar="TEXT", show_default=False)] = "",
    store: Store = None,
    server: Server = None,
) -> None:
    """Refuse the tokens and sessions of a person, service, session or token of the identity provider.

    A server that --server names follows at once, others of the store after `refresh_seconds`. An entry for the same value is replaced.
    """
    from meshline.cli.terminal import write_message

    until = datetime.now(UTC) + timedelta(hours=hours)
    with _open_list(store, server) as entries:
        entries.add(kind, value, until, reason)
    write_message(f"{kind} {value} is denied until {until.isoformat(timespec='seconds')}")


def remove(kind: Kind, value: Value, *, store: Store = None, server: Server = None) -> None:
    """Remove an entry before it ends. Sessions that it has ended do not come back."""
    from meshline.cli.terminal import write_message

    with _open_list(store, server) as entries:
        entries.remove(kind, value)
    write_message(f"{kind} {value} is not denied any more")


def list_denials(*, format: ListFormat = TextFormat.TEXT, store: Store = None, server: Server = None) -> None:  # noqa: A002 - the option's name
    """List what is denied now, the oldest first: entries that were added, and those that the provider's sign-outs have made."""
    from meshline.cli.answer_types import format_table
    from meshline.cli.terminal import Line, write_json, write_lines

    with _open_list(store, server) as entries:
        found = list(entries.iterate())
    if format is TextFormat.JSON:
        shown: list[Json] = [
            {
                "kind": one.kind,
                "value": one.value,
                "until": one.until.isoformat(),
                "issuedUntil": None if one.issued_until is None else one.issued_until.isoformat(),
                "by": one.by,
                "reason": one.reason or "",
            }
            for one in found
        ]
        write_json({"denials": shown})
        return
    rows = [(one.kind, one.value, one.until.isoformat(timespec="seconds"), one.by, one.reason or "") for one in found]
    write_lines(format_table([("kind", "value", "until", "by", "reason"), *rows]) if rows else [Line("nothing is denied")])


class _Entry(msgspec.Struct, rename="camel", frozen=True):
    """An entry, as in the schema."""

    kind: str
    value: str
    until: datetime
    issued_until: datetime | None
    by: str
    reason: str | None


class _Page(msgspec.Struct, rename="camel", frozen=True):
    nodes: list[_Entry]
    page_info: _PageInfo


class _PageInfo(msgspec.Struct, rename="camel", frozen=True):
    has_next_page: bool
    end_cursor: str | None


class _DenyList(Protocol):
    """The entries, and how they are changed. Each raises MeshlineError."""

    def add(self, kind: KindName, value: str, until: datetime, reason: str) -> None: ...

    def remove(self, kind: KindName, value: str) -> None: ...

    def iterate(self) -> Iterator[_Entry]: ...


class _ServerList:
    """Of a running server, by GraphQL."""

    def __init__(self, source: Client) -> None:
        self._source = source

    def add(self, kind: KindName, value: str, until: datetime, reason: str) -> None:
        self._mutate("add-denial", {"kind": kind.name, "value": value, "until": until.isoformat(), "reason": reason})

    def remove(self, kind: KindName, value: str) -> None:
        self._mutate("remove-denial", {"kind": kind.name, "value": value})

    def iterate(self) -> Iterator[_Entry]:
        from meshline.cli.client import convert_answer, read_query

        after: str | None = None
        while True:
            page = convert_answer(self._source.ask(read_query("denials"), {"after": after})["denials"], _Page)
            yield from (msgspec.structs.replace(one, kind=one.kind.lower()) for one in page.nodes)
            if not page.page_info.has_next_page:
                return
            after = page.page_info.end_cursor

    def _mutate(self, name: str, variables: dict[str, object]) -> None:
        from meshline.cli.client import read_query

        self._source.mutate(read_query(name), variables)


class _StoreList:
    """Of a store, by its journal: without a graph."""

    def __init__(self, journal: AccessJournal) -> None:
        self._journal = journal

    def add(self, kind: KindName, value: str, until: datetime, reason: str) -> None:
        from meshline.app.denials import DenialKind, build_denial
        from meshline.graph.model import to_micros

        self._journal.deny(build_denial(DenialKind(kind), value, to_micros(until), getpass.getuser(), reason))

    def remove(self, kind: KindName, value: str) -> None:
        from meshline.app.denials import DenialKind

        self._journal.allow(DenialKind(kind), value, getpass.getuser())

    def iterate(self) -> Iterator[_Entry]:
        from meshline.graph.model import from_micros

        for one in self._journal.denials.list_entries():
            issued = None if one.issued is None else datetime.fromtimestamp(one.issued, UTC)
            yield _Entry(str(one.kind), one.value, from_micros(one.until), issued, one.by, one.reason)


@contextmanager
def _open_list(store: str | None, server: str | None) -> Iterator[_DenyList]:
    if server is not None:
        from meshline.cli.client import open_client

        with open_client(None, server) as source:
            yield _ServerList(source)
        return
    from meshline.app.access_journal import AccessJournal
    from meshline.cli.store import open_store_at

    with open_store_at(store, must_exist=True) as opened:
        journal = AccessJournal()
        journal.open(opened)
        yield _StoreList(journal)
