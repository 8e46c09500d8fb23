"""Request bodies of limited size, whatever length is announced and however well they are compressed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from meshline.api.errors import BodyTooLarge, UnsupportedMedia
from meshline.app.threads import run_in_thread
from meshline.errors import InvalidInput, QueueFull

GZIP = 31  # zlib's window bits for a gzip header and trailer
WITHOUT_MEDIA_TYPE = frozenset({"", "application/x-www-form-urlencoded"})  # the second is what `curl -d` sends for any data
IDENTITY = frozenset({"", "identity"})
COMPRESSED = frozenset({"gzip", "x-gzip"})

AT_ONCE = 4096  # bytes of gzip that are unpacked in the event loop: to 4 MiB at most
STEP = 2**20  # bytes that are unpacked between two checks of the limits
MOST_MEMBERS = 1_000  # members of a gzip body

T = TypeVar("T")
_RESERVED = "body_bytes"  # key in a request's state: its budget, and the bytes that it has reserved there


class BodyBudget:
    """Limit, in bytes, of the memory that the bodies of all requests under way use together. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._turn = Lock()
        self._used = 0

    @property
    def used(self) -> int:
        """Bytes that requests have reserved."""
        return self._used

    def reserve_bytes(self, size: int, reserved: int) -> None:
        """Reserve `size` more bytes for a request that has reserved `reserved` already.

        A request that is alone may exceed the limit, up to the largest allowed body. Raises QueueFull.
        """
        with self._turn:
            if self._used + size > self._limit and self._used > reserved:
                raise QueueFull("the bodies of other requests use all the memory for bodies: send the request again", retry_after=2)
            self._used += size

    def release_bytes(self, size: int) -> None:
        """Release reserved bytes."""
        with self._turn:
            self._used -= size


def _reserve_bytes(request: Request, size: int) -> None:
    """Reserve memory for bytes of a request's body until it is answered (`release_body`)."""
    budget: BodyBudget | None = getattr(request.app.state, "body_budget", None)
    if budget is not None:
        reserved = request.scope["state"].get(_RESERVED, (budget, 0))[1]
        budget.reserve_bytes(size, reserved)
        request.scope["state"][_RESERVED] = (budget, reserved + size)


def release_body(scope: Scope) -> None:
    """Release the memory that a request has reserved, after its response."""
    found: tuple[BodyBudget, int] | None = scope["state"].pop(_RESERVED, None)
    if found is not None:
        budget, reserved = found
        budget.release_bytes(reserved)


def check_media(request: Request, allowed: frozenset[str], *, optional: bool = False) -> None:
    """Raise UnsupportedMedia for a content type that is not allowed, so that forms and scripts of foreign web pages are refused.

    `optional`: a program may leave it out, as `curl -d` does. A browser, which sends an Origin header, may not.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media in allowed or (media in WITHOUT_MEDIA_TYPE and optional and "origin" not in request.headers):
        return
    raise UnsupportedMedia(f"content type {media or '(none)'!r}: send {' or '.join(sorted(allowed))}")


def decode_json(decoder: msgspec.json.Decoder[T], body: bytes | str, expected: str, where: str = "") -> T:
    """The value of a JSON body. Raises InvalidInput; its message begins with "no " and `expected`."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"no {expected}: {error}", where) from error


async def read_body(request: Request, limit: int) -> bytes:
    """The body, decompressed, of at most `limit` bytes. Raises BodyTooLarge, UnsupportedMedia, InvalidInput."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in IDENTITY | COMPRESSED:
        raise UnsupportedMedia(f"content encoding {encoding!r}: send gzip or none")
    try:
        return await (_read_plain if encoding in IDENTITY else _read_gzip)(request, limit)
    except ClientDisconnect as error:  # not an internal error, although no client will read the response
        raise InvalidInput("the connection ended before the body did") from error


def _build_too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {limit} bytes: send less at once, or raise MESHLINE_MAX_BODY_BYTES")


async def _read_plain(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _build_too_large(limit)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _build_too_large(limit)
        _reserve_bytes(request, len(part))
        parts.append(part)
    return b"".join(parts)


async def _read_gzip(request: Request, limit: int) -> bytes:
    packed = await _read_plain(request, limit)
    unpack = partial(_unpack_gzip, packed, limit, partial(_reserve_bytes, request))
    return unpack() if len(packed) <= AT_ONCE else await run_in_thread(unpack)


def _unpack_gzip(packed: bytes, limit: int, reserve: Callable[[int], None]) -> bytes:
    """Decompress one or more gzip members; at most `limit` + 1 bytes are ever produced. `reserve` is called with each number of bytes."""
    decoder = zlib.decompressobj(GZIP)
    parts: list[bytes] = []
    size = members = 0
    while packed:
        try:
            plain = decoder.decompress(packed, min(STEP, limit - size + 1))
        except zlib.error as error:
            raise InvalidInput(f"the body is not gzip ({error})") from error
        size += len(plain)
        if size > limit:
            raise _build_too_large(limit)
        reserve(len(plain))
        parts.append(plain)
        if decoder.eof:
            packed = decoder.unused_data
            members += 1
            if members > MOST_MEMBERS:
                raise InvalidInput(f"the gzip body has more than {MOST_MEMBERS} members: compress it as one")
            if packed:
                decoder = zlib.decompressobj(GZIP)
        else:
            packed = decoder.unconsumed_tail
            if not packed and not plain:
                break
    if not decoder.eof:
        raise InvalidInput("the gzip body is truncated")
    return b"".join(parts)
