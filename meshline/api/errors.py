"""Errors as HTTP answers: one table from an error's class to a status, one shape of body."""

from __future__ import annotations

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from meshline.errors import (
    Ambiguous,
    InvalidInput,
    LimitExceeded,
    MeshlineError,
    NotFound,
    QueueFull,
    StoreUnavailable,
)

JSON = "application/json"


class BodyTooLarge(MeshlineError):
    """A request body over the configured size, before or after decompression."""

    code = "BODY_TOO_LARGE"


class UnsupportedMedia(MeshlineError):
    """A content type or content encoding that this address does not take."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class NotReady(MeshlineError):
    """The graph is still being loaded."""

    code = "NOT_READY"


class Forbidden(MeshlineError):
    """Something that nobody may do from here."""

    code = "FORBIDDEN"


STATUS: dict[type[MeshlineError], int] = {
    InvalidInput: 400,
    Forbidden: 403,
    NotFound: 404,
    Ambiguous: 409,
    BodyTooLarge: 413,
    UnsupportedMedia: 415,
    LimitExceeded: 422,
    NotReady: 503,
    StoreUnavailable: 503,
    QueueFull: 503,
}
RETRY_AFTER = 2  # seconds, where the error does not say
INTERNAL = "INTERNAL"
INTERNAL_MESSAGE = "something went wrong here; the log has the details under this request id"


def status_of(error: MeshlineError) -> int:
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def error_body(code: str, message: str, path: str = "", **more: object) -> bytes:
    """`{"error": {"code", "message", "path"}}`; `path` is the JSON path of what is wrong, or empty."""
    return msgspec.json.encode({"error": {"code": code, "message": message, "path": path, **more}})


def response_of(error: MeshlineError) -> Response:
    """The answer that a known error makes."""
    status = status_of(error)
    headers = {"Retry-After": str(error.retry_after if isinstance(error, QueueFull) else RETRY_AFTER)} if status == 503 else None
    path = error.where if isinstance(error, InvalidInput) else ""
    more = {"candidates": list(error.candidates)} if isinstance(error, Ambiguous) else {}
    return Response(error_body(error.code, str(error), path, **more), status, headers, media_type=JSON)


async def known_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, MeshlineError)
    return response_of(error)


async def http_error(_request: Request, error: Exception) -> Response:
    """Starlette's own 404 and 405, in our shape."""
    assert isinstance(error, HTTPException)
    return Response(error_body(f"HTTP_{error.status_code}", error.detail), error.status_code, error.headers, media_type=JSON)
