"""The addresses of the server: what finds the one of a request, for authentication, metrics, the log and the call of its endpoint alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple, Protocol
from urllib.parse import quote, unquote_to_bytes

from starlette.datastructures import Headers, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from meshline.app.tokens import USUAL_SCOPE, AccessScope, Role

REST = ":path"  # of a last parameter `{name:path}`: it takes the rest of the path, slashes included
SAFE = "/!$&'()*+,;=:@-._~"  # characters of a path that need no escape (RFC 3986, 3.3), and the slash


class Address(NamedTuple):
    """One route. `role`: the minimum role; None = no authentication. Mutations need a higher role: see `graphql.context`.

    `path` may have parameters, `/a/{name}/b`: each is one segment that is not empty, percent-decoded once (`request.path_params`). A
    path may have several addresses, for different methods. Where two paths fit, the one whose first differing segment is fixed counts.

    `restricted`: whether callers who may see only some assets are answered, too: what they are answered with is restricted then, or
    has no data of the graph. Others are refused where access rules are in effect.

    `question`: whether it only reads, so that a reader process may answer it in place of the server (`meshline.api.reader_forwarder`);
    of what may also write, that is decided for each request.

    `visit` answers a browser that opens the address, which can send no token: so it needs no role. It must have no data of the graph.
    """

    path: str
    methods: tuple[str, ...]
    role: Role | None
    endpoint: Callable[[Request], Awaitable[Response]]
    visit: Callable[[Request], Awaitable[Response]] | None = None
    scopes: tuple[AccessScope, ...] = ()
    restricted: bool = False
    question: bool = False

    @property
    def accepted_scopes(self) -> frozenset[AccessScope]:
        """The scopes of which a token with scopes needs one: `scopes`, else the usual one of the role."""
        return frozenset(self.scopes or (() if self.role is None else (USUAL_SCOPE[self.role],)))


class Offer(NamedTuple):
    """What a path has for one method."""

    role: Role | None
    app: ASGIApp
    visit: Offer | None = None
    scopes: frozenset[AccessScope] = frozenset()
    restricted: bool = False
    question: bool = False


class MatchedPath(NamedTuple):
    """A path of ours, as a request has it. `template`: as in `Address.path`. `offers`: by method. `role`: for other methods."""

    template: str
    offers: Mapping[str, Offer]
    role: Role | None
    parameters: Mapping[str, str]

    def find_offer(self, scope: Scope) -> Offer | None:
        """What answers a request; None if the path has nothing for its method."""
        offer = self.offers.get(scope["method"])
        return offer.visit if offer is not None and offer.visit is not None and _is_visit(scope) else offer

    def find_role(self, scope: Scope) -> Role | None:
        """The minimum role for a request; None = no authentication."""
        offer = self.find_offer(scope)
        return self.role if offer is None else offer.role

    def find_scopes(self, scope: Scope) -> frozenset[AccessScope]:
        """The scopes of which a token with scopes needs one for a request."""
        offer = self.find_offer(scope)
        return frozenset() if offer is None else offer.scopes


def _build_app(endpoint: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    """The endpoint as an application. Unlike Starlette's `request_response`, errors are left to the one layer that handles them."""

    async def answer_request(scope: Scope, receive: Receive, send: Send) -> None:
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    return answer_request


class Forwarder(Protocol):
    """Has questions answered elsewhere (`meshline.api.reader_forwarder`)."""

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> Receive | None:
        """None: the request is answered. Else what to receive it from, to answer it here."""
        ...


class _Node:
    """The part of a path up to one segment: what follows it, and the path that ends here."""

    def __init__(self) -> None:
        self.fixed: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.end: _End | None = None
        self.rest: _End | None = None


class _End(NamedTuple):
    path: MatchedPath  # without values of its parameters
    names: tuple[str, ...]


class AddressTable:
    """All addresses of an application, compiled."""

    def __init__(self, addresses: Iterable[Address]) -> None:
        """Raises ValueError for two addresses that answer the same requests."""
        offers: dict[str, dict[str, Offer]] = {}
        for address in addresses:
            known = offers.setdefault(address.path, {})
            visit = None if address.visit is None else Offer(None, _build_app(address.visit))
            app = _build_app(address.endpoint)
            offer = Offer(address.role, app, visit, address.accepted_scopes, address.restricted, address.question)
            for method in address.methods:
                if method in known:
                    raise ValueError(f"two addresses for {method} {address.path}")
                known[method] = offer
        self._root = _Node()
        self._plain: dict[bytes, MatchedPath] = {}
        for path, methods in offers.items():
            self._add_path(path, methods)

    def _add_path(self, path: str, offers: dict[str, Offer]) -> None:
        role = _find_least_role([offer.role for offer in offers.values()])
        if "GET" in offers:
            offers.setdefault("HEAD", offers["GET"])
        found = MatchedPath(path, offers, role, {})
        node, names = self._root, []
        for segment in path.split("/")[1:]:
            if not segment.startswith("{"):
                node = node.fixed.setdefault(segment, _Node())
                continue
            name = segment[1:-1]
            names.append(name.removesuffix(REST))
            if name.endswith(REST):
                _refuse_second(node.rest, path)
                node.rest = _End(found, tuple(names))
                return
            node.parameter = node.parameter or _Node()
            node = node.parameter
        _refuse_second(node.end, path)
        node.end = _End(found, tuple(names))
        if not names:
            self._plain[path.encode()] = found

    def find_path(self, raw_path: bytes) -> MatchedPath | None:
        """The path of ours that fits the path of a request, which is percent-encoded; None if none does."""
        found = self._plain.get(raw_path)
        if found is not None:
            return found
        try:
            segments = [_decode_segment(segment) for segment in raw_path.split(b"/")[1:]]
        except UnicodeDecodeError:  # no path of ours, and no name, has bytes that are no text
            return None
        values: list[str] = []
        end = _find_end(self._root, segments, 0, values)
        return None if end is None else end.path._replace(parameters=dict(zip(end.names, values, strict=True)))


def _is_visit(scope: Scope) -> bool:
    """Whether a person opens an address in a browser, rather than a program that sends a query."""
    if scope["method"] not in ("GET", "HEAD"):
        return False
    headers = Headers(scope=scope)
    return "text/html" in headers.get("accept", "") and "query" not in QueryParams(scope["query_string"])


def _refuse_second(end: _End | None, path: str) -> None:
    if end is not None:
        raise ValueError(f"{end.path.template} and {path} fit the same requests")


def _find_least_role(roles: list[Role | None]) -> Role | None:
    return None if None in roles else min((role for role in roles if role is not None), key=list(Role).index)


def _decode_segment(segment: bytes) -> str:
    return (unquote_to_bytes(segment) if b"%" in segment else segment).decode()


def _find_end(node: _Node, segments: list[str], at: int, values: list[str]) -> _End | None:
    """The path that fits the segments from `at` on; `values` has those of its parameters."""
    if at == len(segments):
        return node.end
    segment = segments[at]
    following = node.fixed.get(segment)
    if following is not None and (end := _find_end(following, segments, at + 1, values)) is not None:
        return end
    if node.parameter is not None and segment:
        values.append(segment)
        if (end := _find_end(node.parameter, segments, at + 1, values)) is not None:
            return end
        values.pop()
    if node.rest is not None:
        values.append("/".join(segments[at:]))
    return node.rest


def get_raw_path(scope: Scope) -> bytes:
    """The path of a request as it was sent, without its query."""
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"], SAFE).encode() if raw is None else raw


def get_matched_path(scope: Scope) -> MatchedPath | None:
    """The path of ours that a request asks for, as RequestContextMiddleware has found it; None if there is none."""
    found: MatchedPath | None = scope["state"]["matched"]
    return found


class AddressRoute(BaseRoute):
    """Calls the endpoint of each request: the only route of the application."""

    def __init__(self, table: AddressTable) -> None:
        self._table = table

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.FULL if scope["type"] == "http" else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises HTTPException 404 and 405."""
        matched = get_matched_path(scope)
        if matched is None:
            await self._find_without_slash(scope)(scope, receive, send)
            return
        offer = matched.find_offer(scope)
        if offer is None:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(matched.offers))})
        scope["path_params"] = matched.parameters
        forwarder: Forwarder | None = scope["app"].state.forwarder
        if forwarder is not None and offer.question:
            unanswered = await forwarder.answer(scope, receive, send)
            if unanswered is None:
                return
            receive = unanswered
        await offer.app(scope, receive, send)

    def _find_without_slash(self, scope: Scope) -> Response:
        """Where a path that ends with a slash leads to one of ours. Raises HTTPException."""
        path = get_raw_path(scope).rstrip(b"/")
        if not path or self._table.find_path(path) is None:
            raise HTTPException(404)
        query = scope["query_string"]
        return RedirectResponse((path + (b"?" + query if query else b"")).decode("latin-1"), 307)
