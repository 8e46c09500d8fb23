"""A client of a running meshline over HTTP: queries, checks, mesh files, sources, and events in batches."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import msgspec

from meshline.cli.token import read_token
from meshline.errors import InvalidInput, RefusedRequest, StoreUnavailable
from meshline.governance.report import Report
from meshline.graph.model import Json
from meshline.ingest.openlineage.event_files import Found
from meshline.ingest.openlineage.repair import decode_json
from meshline.ingest.sources.target import EventOutcome

T = TypeVar("T")

ANSWER_SECONDS = 60.0
STREAM_SECONDS = 600.0  # between two parts of a long answer
LINES = "application/x-ndjson"
WAIT_SECONDS = 120.0  # in total, for a server that is busy
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class GraphQLError(msgspec.Struct, frozen=True):
    message: str
    extensions: dict[str, Any] = {}


class GraphQLAnswer(msgspec.Struct, frozen=True):
    data: dict[str, Any] | None = None
    errors: list[GraphQLError] | None = None


class FailedEvent(msgspec.Struct, frozen=True):
    """One refused event of a batch, by its position in it."""

    index: int
    reason: str
    retriable: bool = False


class EventWarning(msgspec.Struct, frozen=True):
    """A part of an event of a batch that was ignored or changed; `path` is a JSON path."""

    index: int
    path: str
    message: str


class BatchAnswer(msgspec.Struct, frozen=True):
    """OpenLineage's answer to a batch. `more_warnings`: how many are not listed."""

    status: str
    summary: dict[str, int] = {}
    failed_events: list[FailedEvent] = []
    warnings: list[EventWarning] = []
    more_warnings: int = 0


class MeshAnswer(msgspec.Struct, frozen=True):
    """The result of loading a mesh file, in entries. `new`: those of the changed ones that did not exist before."""

    source: str
    revision: int
    changed: int
    new: int
    unchanged: int
    retracted: int
    warnings: list[str]


class HttpClient:
    """A client of one server. It raises only MeshlineError."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client = client
        self._url = url

    @classmethod
    @contextmanager
    def connect(cls, url: str) -> Iterator[HttpClient]:
        """A client for the server at an address. Nothing is sent yet. Raises InvalidInput."""
        if not url.startswith(("http://", "https://")):
            raise InvalidInput(f"found {url!r}; accepted is an address like http://127.0.0.1:8080", "--server")
        token = read_token(url)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url.rstrip("/"), timeout=ANSWER_SECONDS, headers=headers) as client:
            yield cls(client, url)

    def ask(self, query: str, variables: Mapping[str, object]) -> dict[str, Json]:
        response = self._send_request("POST", "/graphql", msgspec.json.encode({"query": query, "variables": variables}), JSON)
        answer = self._decode_answer(response, GraphQLAnswer)
        if answer.errors:
            first = answer.errors[0]
            raise RefusedRequest(first.message, str(first.extensions.get("code", "INTERNAL")))
        if answer.data is None:
            raise self._build_not_meshline(response)
        return answer.data

    def mutate(self, mutation: str, variables: Mapping[str, object]) -> dict[str, Json]:
        return self.ask(mutation, variables)

    def post_events(self, events: Sequence[bytes], source: str | None = None) -> BatchAnswer:
        """Send a batch; if the server is busy, wait and retry. `source`: openlineage/<source>; else the server's own."""
        body = gzip.compress(b"[" + b",".join(events) + b"]", compresslevel=1)
        path = "/api/v1/lineage/batch" + (f"?{httpx.QueryParams({'source': source})}" if source is not None else "")
        response = self._send_request("POST", path, body, {**JSON, "Content-Encoding": "gzip"})
        return self._decode_answer(response, BatchAnswer)

    def put_mesh(self, data: bytes, *, name: str) -> MeshAnswer:
        """Send a mesh file. Returns the result of loading it."""
        path = f"/api/v1/mesh?{httpx.QueryParams({'name': name})}"
        return self._decode_answer(self._send_request("PUT", path, data, {"Content-Type": "application/yaml"}), MeshAnswer)

    def get_source(self, source: str, **asked: str) -> bytes:
        """What a reader of a source needs to know about the graph, as JSON (`meshline.ingest.sources.transfer.SourceContext`)."""
        return self._send_request("GET", f"/api/v1/sources?{httpx.QueryParams({'source': source, **asked})}", b"", JSON).content

    def put_source(self, source: str, sent: bytes) -> bytes:
        """Send a reading as JSON. Returns the counts of loading it, as JSON (both are in `meshline.ingest.sources.transfer`)."""
        headers = {**JSON, "Content-Encoding": "gzip"}
        path = f"/api/v1/sources?{httpx.QueryParams({'source': source})}"
        return self._send_request("PUT", path, gzip.compress(sent, compresslevel=1), headers).content

    def post_check(self, request: bytes) -> Report:
        """Send what is to be checked as JSON (`meshline.app.check_texts.CheckRequest`); the report."""
        headers = {**JSON, "Content-Encoding": "gzip"}
        return self._decode_answer(self._send_request("POST", "/api/v1/check", gzip.compress(request, compresslevel=1), headers), Report)

    def read_lines(self, path: str, parameters: Sequence[tuple[str, str]]) -> Iterator[bytes]:
        """The lines of an answer, each with its end, as they come. Raises RefusedRequest, StoreUnavailable, also within the answer."""
        try:
            with self._client.stream("GET", path, params=list(parameters), timeout=STREAM_SECONDS) as response:
                if not response.is_success or not response.headers.get("content-type", "").startswith(LINES):
                    response.read()
                    if response.status_code == 503:
                        raise StoreUnavailable(f"{self._url} is busy: {self._describe_refusal(response)}")
                    self._check_response(response)
                    raise self._build_not_meshline(response)
                rest = b""
                for part in response.iter_bytes():  # not `iter_lines`, which also ends lines at characters of Unicode
                    *lines, rest = (rest + part).split(b"\n")
                    yield from (line + b"\n" for line in lines)
        except httpx.HTTPError as error:
            raise StoreUnavailable(f"no answer from {self._url}: {error or type(error).__name__}") from error

    def _send_request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        patience = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                response = self._client.request(method, path, content=body, headers=dict(headers))
            except httpx.ConnectError as error:
                raise StoreUnavailable(
                    f"no answer from {self._url}: {error}; is the address right, and does `meshline serve` run there?"
                ) from error
            except httpx.HTTPError as error:
                raise StoreUnavailable(f"no answer from {self._url}: {error or type(error).__name__}") from error
            if response.status_code != 503:
                return self._check_response(response)
            wait = _get_retry_after(response)
            if time.monotonic() + wait > patience:
                raise StoreUnavailable(f"{self._url} is busy: {self._describe_refusal(response)}")
            time.sleep(wait)

    def _check_response(self, response: httpx.Response) -> httpx.Response:
        """Raises RefusedRequest for an error response, except those of batches and of GraphQL, whose bodies list the errors."""
        if response.is_success or (response.status_code == 400 and b'"failed_events"' in response.content):
            return response
        if b'"errors"' in response.content and response.headers.get("content-type", "").startswith("application/"):
            return response
        reason = self._find_message(response)
        if reason is None:
            raise self._build_not_meshline(response)
        raise RefusedRequest(f"{self._url} refused: {reason}", f"HTTP_{response.status_code}")

    def _describe_refusal(self, response: httpx.Response) -> str:
        return self._find_message(response) or f"HTTP status {response.status_code}"

    def _find_message(self, response: httpx.Response) -> str | None:
        """The message of an error of meshline; None if the body is not one."""
        try:
            body = msgspec.json.decode(response.content, type=dict[str, dict[str, Any]])
            return str(body["error"]["message"])
        except (msgspec.MsgspecError, KeyError):
            return None

    def _decode_answer(self, response: httpx.Response, shape: type[T]) -> T:
        try:
            return msgspec.json.decode(response.content, type=shape)
        except msgspec.MsgspecError as error:
            raise self._build_not_meshline(response) from error

    def _build_not_meshline(self, response: httpx.Response) -> RefusedRequest:
        return RefusedRequest(
            f"{self._url} does not answer like meshline (HTTP status {response.status_code}): is another program there?", "NOT_MESHLINE"
        )


def _get_retry_after(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "1")
    return min(float(text), 30.0) if text.isdigit() else 1.0


TOGETHER = 500  # events in one request
MAX_BYTES = 8 * 2**20  # of one request, before compression
TRIES = 5  # for events that the server marks as retriable


def send_events(remote: HttpClient, events: Iterable[Found], source: str | None = None) -> Iterator[EventOutcome]:
    """Send events in batches. Yields the outcome of each, in their order. `source`: openlineage/<source>; else the server's own.

    Raises StoreUnavailable if the server stays busy.
    """
    batch: list[Found] = []
    size = 0
    for event in events:
        one = event if isinstance(event, InvalidInput) else _find_json_error(*event) or event
        length = 0 if isinstance(one, InvalidInput) else len(one[1])
        if batch and (len(batch) == TOGETHER or size + length > MAX_BYTES):
            yield from _send_batch(remote, batch, source)
            batch, size = [], 0
        batch.append(one)
        size += length
    yield from _send_batch(remote, batch, source)


def _find_json_error(place: str, body: bytes) -> InvalidInput | None:
    """The error of an event that is not JSON, which would make the whole batch invalid; else None."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        try:
            decode_json(body, [])  # NaN, which Python's producers write, is read as null there
        except InvalidInput as error:
            return InvalidInput(str(error), place)
    return None


def _send_batch(remote: HttpClient, batch: Sequence[Found], source: str | None) -> Iterator[EventOutcome]:
    """Send a batch, and again the events that may be retried. Events that cannot be sent are refused, in order."""
    for attempt in range(TRIES):
        time.sleep(attempt)
        sent = [one for one in batch if not isinstance(one, InvalidInput)]
        outcomes = iter(_list_outcomes(sent, remote.post_events([body for _, body in sent], source))) if sent else iter(())
        again: list[tuple[str, bytes]] = []
        for one in batch:
            outcome = EventOutcome(one) if isinstance(one, InvalidInput) else next(outcomes)
            if outcome is not None:
                yield outcome
            elif not isinstance(one, InvalidInput):
                again.append(one)
        batch = again
        if not batch:
            return
    raise StoreUnavailable(f"the server did not accept {len(batch)} events, from {again[0][0]} on: try again later")


def _list_outcomes(sent: Sequence[tuple[str, bytes]], answer: BatchAnswer) -> list[EventOutcome | None]:
    """The outcome of each event; None for one that must be sent again."""
    failed = {one.index: one for one in answer.failed_events}
    warnings: dict[int, list[str]] = {}
    for one in answer.warnings:
        warnings.setdefault(one.index, []).append(f"{sent[one.index][0]}: {one.path}: {one.message}")
    found: list[EventOutcome | None] = []
    for index, (place, _) in enumerate(sent):
        failure = failed.get(index)
        if failure is None:
            found.append(EventOutcome(None, warnings.get(index, ())))
        else:
            found.append(None if failure.retriable else EventOutcome(InvalidInput(failure.reason, place)))
    if answer.more_warnings:  # they come after those that are listed
        last = max(warnings)
        found[last] = EventOutcome(None, warnings[last], answer.more_warnings)
    return found
