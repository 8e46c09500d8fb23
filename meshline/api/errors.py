"""Errors as HTTP responses: one table from the class of an error to a status, and the format of the body, which depends on the address."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from meshline.app.access_requests import Superseded
from meshline.errors import (
    Ambiguous,
    InvalidInput,
    LimitExceeded,
    MeshlineError,
    NotFound,
    NotPermitted,
    NotReady,
    ProviderUnavailable,
    QueueFull,
    StoreUnavailable,
)

JSON = "application/json"


class BodyTooLarge(MeshlineError):
    """A request body over the configured size, before or after decompression."""

    code = "BODY_TOO_LARGE"


class UnsupportedMedia(MeshlineError):
    """A content type or content encoding that this address does not accept."""

    code = "UNSUPPORTED_MEDIA_TYPE"


NO_TOKEN = "no_token"  # noqa: S105 - a word for metrics


class Unauthenticated(MeshlineError):
    """Authentication required, or token refused. `reason`: one word for metrics. `challenge`: the WWW-Authenticate header (RFC 6750, 3)."""

    code = "UNAUTHENTICATED"
    challenge = 'Bearer realm="meshline"'

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
        if reason != NO_TOKEN:
            self.challenge += ', error="invalid_token"'


class Forbidden(MeshlineError):
    """The role of the caller is too low, or its token has not the scope. `needed`: the role or scope that is required."""

    code = "FORBIDDEN"

    def __init__(self, message: str, needed: str) -> None:
        super().__init__(message)
        self.challenge = f'Bearer realm="meshline", error="insufficient_scope", scope="{needed}"'


class CrossSite(MeshlineError):
    """A request that a page of another site has sent, in the name of its visitor."""

    code = "CROSS_SITE"


class WrongHost(MeshlineError):
    """The Host header does not name this server."""

    code = "WRONG_HOST"


class WrongOrigin(MeshlineError):
    """The Origin header names another site."""

    code = "WRONG_ORIGIN"


STATUS: dict[type[MeshlineError], int] = {
    InvalidInput: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotPermitted: 403,
    WrongOrigin: 403,
    NotFound: 404,
    Ambiguous: 409,
    Superseded: 409,
    BodyTooLarge: 413,
    UnsupportedMedia: 415,
    CrossSite: 403,
    WrongHost: 421,
    LimitExceeded: 422,
    NotReady: 503,
    StoreUnavailable: 503,
    ProviderUnavailable: 503,
    QueueFull: 503,
}
RETRY_AFTER = 2  # seconds, for errors that give no time of their own
INTERNAL = "INTERNAL"
INTERNAL_MESSAGE = "internal error; the log has the details under this request id"


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """`code` is stable. `path`: the JSON path (or line) of the invalid input, or empty."""

    code: str
    message: str
    path: str
    candidates: list[str] | None = None
    request_id: str | None = msgspec.field(default=None, name="requestId")


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every error response of meshline's own addresses."""

    error: ErrorBody


class ErrorMessage(msgspec.Struct, frozen=True):
    """The body of every error response of Marquez's addresses. `code`: the status."""

    code: int
    message: str


class OwnRequests(NamedTuple):
    """Requests of meshline's own API under Marquez's prefix. `methods`: none = all. `parameter`: only those whose query has it."""

    path: str
    methods: tuple[str, ...] = ()
    parameter: str = ""


MARQUEZ = ("/api/v1/", "/api/v2beta/")  # what begins with these is Marquez's, whether or not it is known here, but for:
OWN = (
    OwnRequests("/api/v1/check"),
    OwnRequests("/api/v1/export"),
    OwnRequests("/api/v1/export/events"),
    OwnRequests("/api/v1/mesh"),
    OwnRequests("/api/v1/lineage", ("POST",)),
    OwnRequests("/api/v1/lineage/batch"),
    OwnRequests("/api/v1/sources", ("PUT",)),
    OwnRequests("/api/v1/sources", ("GET", "HEAD"), "source"),
)


def find_own_requests(path: str, method: str) -> OwnRequests | None:
    """Those of meshline's own requests that have this path, decoded, and this method."""
    return next((own for own in OWN if own.path == path and (not own.methods or method in own.methods)), None)


def is_marquez(scope: Scope) -> bool:
    """Whether a request is for Marquez's API, so that a client of Marquez reads the error."""
    if not scope["path"].startswith(MARQUEZ):
        return False
    own = find_own_requests(scope["path"], scope["method"])
    return own is None or (own.parameter != "" and own.parameter not in QueryParams(scope["query_string"]))


def get_status(error: MeshlineError) -> int:
    """The HTTP status of an error; 500 for a class without one."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def encode_error(code: str, message: str, path: str = "", *, candidates: list[str] | None = None, request_id: str | None = None) -> bytes:
    """An ErrorAnswer, encoded."""
    return msgspec.json.encode(ErrorAnswer(ErrorBody(code, message, path, candidates, request_id)))


def encode_message(status: int, message: str) -> bytes:
    """An ErrorMessage, encoded."""
    return msgspec.json.encode(ErrorMessage(status, message))


def build_error_response(error: MeshlineError, scope: Scope) -> Response:
    """The response to a request: status, body, and the headers Retry-After and WWW-Authenticate where they apply."""
    status = get_status(error)
    headers: dict[str, str] = {}
    if status == 503:
        headers["Retry-After"] = str(error.retry_after if isinstance(error, QueueFull) else RETRY_AFTER)
    if isinstance(error, Unauthenticated | Forbidden):
        headers["WWW-Authenticate"] = error.challenge
    if is_marquez(scope):
        body = encode_message(status, str(error) if status != 500 else INTERNAL_MESSAGE)
    else:
        path = error.where if isinstance(error, InvalidInput) else ""
        candidates = list(error.candidates) if isinstance(error, Ambiguous) else None
        body = encode_error(error.code, str(error), path, candidates=candidates)
    return Response(body, status, headers, media_type=JSON)


def build_internal_error(scope: Scope) -> Response:
    """The response to a request that failed for a reason that is no affair of the caller."""
    if is_marquez(scope):
        body = encode_message(500, INTERNAL_MESSAGE)
    else:
        body = encode_error(INTERNAL, INTERNAL_MESSAGE, request_id=scope["state"]["request_id"])
    return Response(body, 500, media_type=JSON)


async def handle_known_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for MeshlineError."""
    assert isinstance(error, MeshlineError)
    request.state.code = error.code  # for the log
    return build_error_response(error, request.scope)


async def handle_http_error(request: Request, error: HTTPException) -> Response:
    """The response to a request for an address that is none (404), or that has nothing for its method (405)."""
    if is_marquez(request.scope):
        body = encode_message(error.status_code, error.detail)
    else:
        body = encode_error(f"HTTP_{error.status_code}", error.detail)
    return Response(body, error.status_code, error.headers, media_type=JSON)
