"""Requests to the API of a program, which change nothing: time limits, retries, sizes, no redirects, and errors that state what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.ingest.sources.secrets import Redaction

T = TypeVar("T")

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 600.0  # for a whole answer
WAITS = (0.5, 2.0, 8.0)  # seconds before each further try
BUSY = frozenset({408, 429, 502, 503, 504})
MAX_BYTES = 64 * 2**20  # of an answer


class Program(NamedTuple):
    """A program, in messages. `example`: an address of it. `access`: what to set when it refuses access. `seconds`: how long it may
    take between two parts of an answer.
    """

    name: str
    example: str
    access: str
    seconds: float = 120.0  # Marquez computes for minutes on a large database


class RefusedAnswer(InvalidInput):
    """An answer with an error status."""

    def __init__(self, message: str, where: str, status: int) -> None:
        super().__init__(message, where)
        self.status = status


class AccessRefused(StoreUnavailable):
    """The program asks for another account, or this one may not read that."""


class LargeAnswer(InvalidInput):
    """An answer of more than MAX_BYTES."""


class _Error(msgspec.Struct):
    message: str = ""


def read_if_allowed(read: Callable[[], T]) -> T | None:
    """What a call reads that only some accounts may read, or only some versions have; None if this one may not."""
    try:
        return read()
    except AccessRefused:
        return None
    except RefusedAnswer as error:
        if error.status == 404:
            return None
        raise


class HttpReader:
    """A client of one program, for several threads. It raises only MeshlineError."""

    def __init__(self, client: httpx.Client, program: Program, url: str, redact: Redaction) -> None:
        self._client = client
        self._program = program
        self.redact = redact
        self.url = url  # the beginning of all addresses

    @classmethod
    @contextmanager
    def connect(
        cls,
        program: Program,
        url: str,
        redact: Redaction,
        *,
        suffix: str = "",
        headers: Mapping[str, str],
        sign_in: Callable[[HttpReader], Mapping[str, str]] | None = None,
        connections: int = 1,
    ) -> Iterator[HttpReader]:
        """A client for the program at an address, of which a suffix is dropped. Nothing is sent yet, unless `sign_in` asks the program for
        further headers. Raises InvalidInput, and what `sign_in` raises.
        """
        if sign_in is not None:
            with cls.connect(program, url, redact, suffix=suffix, headers=headers) as reader:
                headers = {**headers, **sign_in(reader)}
        base = url.strip().rstrip("/")
        base = base.removesuffix(suffix) if suffix else base
        try:
            parts = urlsplit(base)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or "?" in base or "#" in base:
            raise InvalidInput(f"found {redact(url)!r}; accepted is the address of {program.name}'s API, e.g. {program.example}", "url")
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            raise InvalidInput("it has characters that no header may have", "token")
        client = httpx.Client(
            headers={"Accept": "application/json", **headers},
            timeout=httpx.Timeout(program.seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=connections),
            follow_redirects=False,
        )
        with client:
            yield cls(client, program, base, redact)

    def read(self, shape: type[T], address: str) -> T:
        """An answer. `address`: encoded, after the beginning of all addresses.

        Raises RefusedAnswer, LargeAnswer, InvalidInput if it is not what the program answers, StoreUnavailable.
        """
        return self._decode(shape, address, self._request_again("GET", address, None))

    def read_text(self, address: str) -> str:
        """An answer that is plain text. Raises as `read`."""
        return self._request_again("GET", address, None).decode(errors="replace")

    def send(self, shape: type[T], address: str, body: object) -> T:
        """The answer to a POST request that changes nothing, such as a sign-in or a query. `body`: as JSON. Raises as `read`."""
        return self._decode(shape, address, self._request_again("POST", address, body))

    def send_form(self, shape: type[T], address: str, form: Mapping[str, str]) -> T:
        """As `send`, with the fields of a form."""
        return self._decode(shape, address, self._request_again("POST", address, urlencode(form).encode()))

    def _decode(self, shape: type[T], address: str, data: bytes) -> T:
        try:
            return msgspec.json.decode(data, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidInput(
                f"{self.redact(self.url)} does not answer like {self._program.name}: {error}; is another program there?", address
            ) from error

    def _request_again(self, method: str, address: str, body: object) -> bytes:
        """The answer, after some tries if the program is busy or away."""
        waits = iter(WAITS)
        while True:
            try:
                status, data = self._request(method, address, body)
            except httpx.HTTPError as error:
                problem = str(error) or type(error).__name__
            except (httpx.InvalidURL, ValueError, UnicodeError) as error:
                raise InvalidInput(f"that is no address: {self.redact(str(error))}", "url") from error
            else:
                if status == 200:
                    return data
                if status not in BUSY:
                    raise self._build_error(status, data, address)
                problem = f"HTTP status {status}"
            wait = next(waits, None)
            if wait is None:
                raise StoreUnavailable(f"{self._program.name} does not answer at {self.redact(self.url)}: {self.redact(problem)}")
            time.sleep(wait)

    def _request(self, method: str, address: str, body: object) -> tuple[int, bytes]:
        end = time.monotonic() + ANSWER_SECONDS
        form = {"content": body, "headers": {"Content-Type": "application/x-www-form-urlencoded"}} if isinstance(body, bytes) else None
        sent: Any = form or {"json": body}
        with self._client.stream(method, self.url + address, **sent) as response:
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
            message = self.redact(msgspec.json.decode(data, type=_Error).message)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            message = ""
        text = f"HTTP status {status}" + (f": {message}" if message else "")
        if status in (401, 403):
            return AccessRefused(f"{self.redact(self.url)} refuses access ({text}); {self._program.access}")
        return RefusedAnswer(f"{self.redact(self.url)} answers {text}", address, status)
