"""GET requests to a running Marquez: time limits, retries, sizes, pages, and errors that state what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.ingest.sources.secrets import Redaction

T = TypeVar("T")

PREFIX = "/api/v1"
CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0  # between two parts of an answer: Marquez computes for minutes on a large database
ANSWER_SECONDS = 600.0  # for a whole answer
WAITS = (0.5, 2.0, 8.0)  # seconds before each further try
BUSY = frozenset({408, 429, 502, 503, 504})
MAX_BYTES = 64 * 2**20  # of an answer
PAGE = 100  # entries of a list
TRIES = 3  # for a list that changes while it is read


class RefusedAnswer(InvalidInput):
    """An answer with an error status."""

    def __init__(self, message: str, where: str, status: int) -> None:
        super().__init__(message, where)
        self.status = status


class LargeAnswer(InvalidInput):
    """An answer of more than MAX_BYTES."""


class _Error(msgspec.Struct):
    message: str = ""


class ListPage(NamedTuple, Generic[T]):
    """A page of a list. `total_count`: the entries of the whole list; 0 if Marquez does not count them."""

    entries: list[T]
    total_count: int


class MarquezClient:
    """A client of one Marquez. It raises only MeshlineError."""

    def __init__(self, client: httpx.Client, url: str, redact: Redaction) -> None:
        self._client = client
        self._redact = redact
        self.url = url  # the beginning of all addresses, without the prefix

    @classmethod
    @contextmanager
    def connect(cls, url: str, token: str | None, redact: Redaction) -> Iterator[MarquezClient]:
        """A client for the Marquez at an address. Nothing is sent yet. Raises InvalidInput."""
        base = url.strip().rstrip("/").removesuffix(PREFIX)
        try:
            usable = urlsplit(base).scheme in ("http", "https") and bool(urlsplit(base).hostname)
        except ValueError:
            usable = False
        if not usable or "?" in base or "#" in base:
            raise InvalidInput(f"found {redact(url)!r}; accepted is the address of Marquez's API, e.g. http://marquez:5000", "url")
        headers = {"Accept": "application/json", **({} if token is None else {"Authorization": f"Bearer {token}"})}
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        try:
            client = httpx.Client(headers=headers, timeout=timeout, follow_redirects=False)
        except (ValueError, UnicodeError) as error:
            raise InvalidInput("the token has characters that no header may have", "token") from error
        with client:
            yield cls(client, base, redact)

    def read(self, shape: type[T], segments: Sequence[str], **parameters: object) -> T:
        """An answer. `segments`: the decoded parts of the address after the prefix.

        Raises RefusedAnswer, LargeAnswer, InvalidInput if it is not what Marquez answers, StoreUnavailable.
        """
        path = "/".join(quote(segment, safe="") for segment in segments)
        address = f"{PREFIX}/{path}" + (f"?{httpx.QueryParams(_encode_parameters(parameters))}" if parameters else "")
        data = self._get(address)
        try:
            return msgspec.json.decode(data, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidInput(
                f"{self._redact(self.url)} does not answer like Marquez: {error}; is another program there?", address
            ) from error

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

    def _get(self, address: str) -> bytes:
        waits = iter(WAITS)
        while True:
            try:
                status, data = self._request(address)
            except httpx.HTTPError as error:
                problem = str(error) or type(error).__name__
            except (httpx.InvalidURL, ValueError, UnicodeError) as error:
                raise InvalidInput(f"that is no address: {self._redact(str(error))}", "url") from error
            else:
                if status == 200:
                    return data
                if status not in BUSY:
                    raise self._build_error(status, data, address)
                problem = f"HTTP status {status}"
            wait = next(waits, None)
            if wait is None:
                raise StoreUnavailable(f"Marquez does not answer at {self._redact(self.url)}: {self._redact(problem)}")
            time.sleep(wait)

    def _request(self, address: str) -> tuple[int, bytes]:
        end = time.monotonic() + ANSWER_SECONDS
        with self._client.stream("GET", self.url + address) as response:
            data = bytearray()
            for part in response.iter_bytes():
                data += part
                if len(data) > MAX_BYTES:
                    raise LargeAnswer(f"the answer has more than {MAX_BYTES} bytes", address)
                if time.monotonic() > end:
                    raise httpx.ReadTimeout(f"the answer took more than {ANSWER_SECONDS:g} seconds")
            return response.status_code, bytes(data)

    def _build_error(self, status: int, data: bytes, address: str) -> RefusedAnswer | StoreUnavailable:
        try:
            message = self._redact(msgspec.json.decode(data, type=_Error).message)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            message = ""
        text = f"HTTP status {status}" + (f": {message}" if message else "")
        if status in (401, 403):
            return StoreUnavailable(f"{self._redact(self.url)} refuses access ({text}); set the key token (--token '${{MARQUEZ_API_KEY}}')")
        return RefusedAnswer(f"{self._redact(self.url)} answers {text}", address, status)


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
