"""GET requests to a running Marquez: addresses, and lists page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from meshline.errors import InvalidInput
from meshline.ingest.sources.http_reader import HttpReader, LargeAnswer, Program
from meshline.ingest.sources.secrets import Redaction

T = TypeVar("T")

PREFIX = "/api/v1"
PROGRAM = Program("Marquez", "http://marquez:5000", "set the key token (--token '${MARQUEZ_API_KEY}')")
PAGE = 100  # entries of a list
TRIES = 3  # for a list that changes while it is read


class ListPage(NamedTuple, Generic[T]):
    """A page of a list. `total_count`: the entries of the whole list; 0 if Marquez does not count them."""

    entries: list[T]
    total_count: int


class MarquezClient:
    """A client of one Marquez. It raises only MeshlineError."""

    def __init__(self, reader: HttpReader) -> None:
        self._reader = reader
        self.url = reader.url  # the beginning of all addresses, without the prefix

    @classmethod
    @contextmanager
    def connect(cls, url: str, token: str | None, redact: Redaction) -> Iterator[MarquezClient]:
        """A client for the Marquez at an address. Nothing is sent yet. Raises InvalidInput."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        with HttpReader.connect(PROGRAM, url, redact, suffix=PREFIX, headers=headers) as reader:
            yield cls(reader)

    def read(self, shape: type[T], segments: Sequence[str], **parameters: object) -> T:
        """An answer. `segments`: the decoded parts of the address after the prefix.

        Raises RefusedAnswer, LargeAnswer, InvalidInput if it is not what Marquez answers, StoreUnavailable.
        """
        path = "/".join(quote(segment, safe="") for segment in segments)
        query = f"?{httpx.QueryParams(_encode_parameters(parameters))}" if parameters else ""
        return self._reader.read(shape, f"{PREFIX}/{path}{query}")

    def read_list(self, shape: type[T], key: str, segments: Sequence[str], most: int | None = None) -> Iterator[ListPage[T]]:
        """The pages of a list, or of its first `most` entries; a page that is too large is read in smaller ones."""
        offset, limit = 0, PAGE
        while most is None or offset < most:
            size = limit if most is None else min(limit, most - offset)
            try:
                answer = self.read(dict[str, msgspec.Raw], segments, limit=size, offset=offset)
            except LargeAnswer:
                if limit == 1:
                    raise
                limit = max(1, limit // 4)
                continue
            page = _decode_page(answer, key, shape, "/".join(segments))
            yield page
            if len(page.entries) < size:
                return
            offset += len(page.entries)

    def list_all(self, shape: type[T], key: str, segments: Sequence[str], most: int | None = None) -> Iterator[T]:
        """All entries of a list, or the first `most`."""
        return (one for page in self.read_list(shape, key, segments, most) for one in page.entries)


def _encode_parameters(parameters: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in parameters.items()}


def _decode_page(answer: Mapping[str, msgspec.Raw], key: str, shape: type[T], where: str) -> ListPage[T]:
    if key not in answer:
        raise InvalidInput(f"the answer has no {key}: it is not of Marquez", where)
    try:
        entries = msgspec.json.decode(answer[key], type=list[shape])  # type: ignore[valid-type]
        return ListPage(entries, msgspec.json.decode(answer.get("totalCount", b"0"), type=int))
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"the answer is not of Marquez: {error}", where) from error
