"""Request bodies, bounded: whatever the length that is announced and however well it is compressed."""

from __future__ import annotations

import zlib

from starlette.requests import ClientDisconnect, Request

from meshline.api.errors import BodyTooLarge, UnsupportedMedia
from meshline.errors import InvalidInput

GZIP = 31  # zlib's window bits for a gzip header and trailer
UNSAID = frozenset({"", "application/x-www-form-urlencoded"})  # the second is what `curl -d` sends whatever the data is
IDENTITY = frozenset({"", "identity"})
COMPRESSED = frozenset({"gzip", "x-gzip"})


def check_media(request: Request, allowed: frozenset[str], *, optional: bool = False) -> None:
    """Refuse a content type that is not one of these, so that no form or script of a foreign web page gets through unasked.

    `optional`: a program need not say, as with `curl -d`. A browser must: it names the page's origin.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media in allowed or (media in UNSAID and optional and "origin" not in request.headers):
        return
    raise UnsupportedMedia(f"content type {media or '(none)'!r}: send {' or '.join(sorted(allowed))}")


async def read_body(request: Request, limit: int) -> bytes:
    """The body, decompressed, of at most `limit` bytes. Raises BodyTooLarge, UnsupportedMedia, InvalidInput."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in IDENTITY | COMPRESSED:
        raise UnsupportedMedia(f"content encoding {encoding!r}: send gzip or none")
    try:
        return await (_plain if encoding in IDENTITY else _gzip)(request, limit)
    except ClientDisconnect as error:  # nobody is there to be answered; and it is no failure of ours
        raise InvalidInput("the connection ended before the body did") from error


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {limit} bytes: send less at once, or raise MESHLINE_MAX_BODY_BYTES")


async def _plain(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


async def _gzip(request: Request, limit: int) -> bytes:
    """One or more gzip members. Never makes more than `limit` + 1 bytes, whatever a part expands to."""
    decoder = zlib.decompressobj(GZIP)
    parts: list[bytes] = []
    size = read = 0
    async for part in request.stream():
        read += len(part)
        if read > limit:
            raise _too_large(limit)
        while part:
            try:
                plain = decoder.decompress(part, limit - size + 1)
            except zlib.error as error:
                raise InvalidInput(f"the body is not gzip ({error})") from error
            size += len(plain)
            if size > limit:
                raise _too_large(limit)
            parts.append(plain)
            part = decoder.unused_data
            if part:
                decoder = zlib.decompressobj(GZIP)
    if not decoder.eof:
        raise InvalidInput("the gzip body ends too early")
    return b"".join(parts)
