"""ETags: a client that sends the one of an answer that it has is answered 304, without a body, while that is the answer (RFC 9110, 13.1.2).

Those of answers about the graph are made from what an answer depends on, and not from its bytes: so it is not made again to compare them.
"""

from __future__ import annotations

import hashlib
import secrets

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from meshline.api.addresses import get_raw_path
from meshline.app.tokens import Actor


class ETags:
    """Makes the ETags of one server and its readers: another one may have other settings, which change answers, too."""

    def __init__(self, key: bytes | None = None) -> None:
        """`key`: that of the server, for its readers."""
        self.key = key or secrets.token_bytes(32)

    def build(self, request: Request, media: str, *state: int) -> str:
        """The ETag of the answer to a request of a caller with a role. `state`: numbers of which one changes whenever the answer may.

        No caller can make one: who sends it has been sent the answer, to the same request with the same role.
        """
        actor: Actor = request.state.actor
        path, query = get_raw_path(request.scope), request.scope["query_string"]
        given = msgspec.json.encode([state, actor.name, actor.role, sorted(actor.scopes or ()), sorted(actor.groups), media, path, query])
        return f'W/"{hashlib.blake2b(given, key=self.key, digest_size=16).hexdigest()}"'


def matches_etag(given: str, etag: str) -> bool:
    """Whether an If-None-Match header has this ETag, compared weakly."""
    bare = etag.removeprefix("W/")
    return given.strip() == "*" or any(one.strip().removeprefix("W/") == bare for one in given.split(",") if one.strip())


def has_answer(request: Request, etag: str) -> bool:
    """Whether the caller has the answer with this ETag. `*`, which means any, does not prove that it has one."""
    given = request.headers.get("if-none-match", "")
    return given.strip() != "*" and matches_etag(given, etag)


def build_unchanged(etag: str) -> Response:
    """The response to a caller that has the answer."""
    return Response(status_code=304, headers=build_headers(etag))


def build_headers(etag: str) -> dict[str, str]:
    """The caller alone may keep the answer, which depends on its token, and asks each time whether it is still right."""
    return {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Accept, Accept-Encoding"}
