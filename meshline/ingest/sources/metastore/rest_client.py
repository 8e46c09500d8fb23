"""GET requests to a catalog's REST interface: time limits, retries, sizes, pages, and errors that state what to do."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.ingest.sources.secrets import Redaction

T = TypeVar("T")

TIMEOUT = httpx.Timeout(60.0, connect=10.0)  # seconds; the first is between two parts of an answer
ANSWER_SECONDS = 300.0  # for a whole answer
WAITS = (0.5, 2.0)  # seconds before each further try
BUSY = frozenset({408, 429, 502, 503, 504})
MAX_BYTES = 64 * 2**20  # of an answer


class RefusedRead(InvalidInput):
    """An answer with an error status."""

    def __init__(self, message: str, where: str, status: int) -> None:
        super().__init__(message, where)
        self.status = status


class _Error(msgspec.Struct):
    message: str = ""


class RestClient:
    """A client of one catalog. It raises only MeshlineError. `title`: of the catalog's kind, in messages."""

    def __init__(self, client: httpx.Client, url: str, title: str, redact: Redaction) -> None:
        self._client = client
        self._url = url
        self._title = title
        self._redact = redact

    @classmethod
    def open(cls, url: str, headers: Mapping[str, str], title: str, redact: Redaction) -> RestClient:
        """A client for the catalog at an address. Nothing is sent yet. Raises InvalidInput."""
        base = check_url(url, title)
        try:
            client = httpx.Client(headers={"Accept": "application/json", **headers}, timeout=TIMEOUT, follow_redirects=False)
        except (ValueError, UnicodeError) as error:
            raise InvalidInput("the credentials have characters that no header may have", "token") from error
        return cls(client, base, title, redact)

    def close(self) -> None:
        self._client.close()

    def read(self, shape: type[T], segments: Sequence[str], parameters: Mapping[str, str] | None = None) -> T:
        """An answer. `segments`: the decoded parts of the address after the catalog's own.

        Raises RefusedRead, InvalidInput if it is not what such a catalog answers, StoreUnavailable.
        """
        address = "/" + "/".join(quote(segment, safe="") for segment in segments)
        if parameters:
            address += f"?{httpx.QueryParams(parameters)}"
        data = self._get(address)
        try:
            return msgspec.json.decode(data, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidInput(f"{self._redact(self._url)} does not answer like {self._title}: {error}", address) from error

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
                raise StoreUnavailable(f"{self._title} does not answer at {self._redact(self._url)}: {self._redact(problem)}")
            time.sleep(wait)

    def _request(self, address: str) -> tuple[int, bytes]:
        end = time.monotonic() + ANSWER_SECONDS
        with self._client.stream("GET", self._url + address) as response:
            data = bytearray()
            for part in response.iter_bytes():
                data += part
                if len(data) > MAX_BYTES:
                    raise InvalidInput(f"the answer has more than {MAX_BYTES} bytes", address)
                if time.monotonic() > end:
                    raise httpx.ReadTimeout(f"the answer took more than {ANSWER_SECONDS:g} seconds")
            return response.status_code, bytes(data)

    def _build_error(self, status: int, data: bytes, address: str) -> RefusedRead | StoreUnavailable:
        try:
            message = self._redact(msgspec.json.decode(data, type=_Error).message)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            message = ""
        text = f"HTTP status {status}" + (f": {message}" if message else "")
        if status == 401:
            return StoreUnavailable(f"{self._redact(self._url)} refuses access ({text}); set the key token")
        return RefusedRead(f"{self._title} answers {text}", address, status)


def check_url(url: str, title: str) -> str:
    """An address without a slash at its end. Raises InvalidInput unless it is an address of HTTP without credentials."""
    base = url.strip().rstrip("/")
    try:
        parts = urlsplit(base)
        usable = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username and not parts.query and not parts.fragment
        )
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput(f"accepted is the address of {title}, such as https://catalog.internal:8080, without credentials", "url")
    return base
