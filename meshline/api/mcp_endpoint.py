"""`POST /mcp`: the MCP server for agents over Streamable HTTP. Stateless: each request is answered by itself, for its caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from meshline.api.errors import JSON, WrongOrigin
from meshline.api.graphql.http import PURPOSE, GraphQLEndpoint
from meshline.api.rest.request_body import check_media, read_body
from meshline.app.service import Service
from meshline.app.tokens import AccessScope, Actor
from meshline.errors import require_extra

if TYPE_CHECKING:
    from mcp.server.lowlevel.server import Server

    from meshline.app.agents.tool_assets import Ask

MEDIA = frozenset({JSON})
MAX_BODY = 1_000_000  # bytes of a request: the text of a change is the most that it has
_REPLACED = (b"content-length", b"content-encoding")  # of the body as it was sent


class McpEndpoint:
    """The address /mcp. Its libraries are imported with the first request: most servers have no agents."""

    def __init__(self, graphql: GraphQLEndpoint) -> None:
        self._graphql = graphql
        self._server: Server[Any] | None = None

    async def answer_request(self, request: Request) -> Response:
        """The response to a request. The graph must be open. Raises MissingExtra."""
        check_media(request, MEDIA)
        body = await read_body(request, min(self._graphql.max_body, MAX_BODY))
        if self._server is None:
            self._server = await run_in_threadpool(self._build_server)
        return await _pass_request(self._server, request, body)

    def _build_server(self) -> Server[Any]:
        with require_extra("mcp", "the MCP server"):
            from meshline.app.agents.mcp_server import AgentServer  # noqa: PLC0415
        return AgentServer(self._open_ask, self._graphql.lane.run, _may_request).build()

    def _open_ask(self, request: Request) -> Ask:
        """What answers the queries of a request, with the rights of its caller."""

        def ask(query: str, variables: Mapping[str, object]) -> dict[str, Any]:
            return self._graphql.ask(query, variables, request.state.actor, request.state.request_id, request.headers.get(PURPOSE, ""))

        return ask


def _may_request(request: Request) -> bool:
    """Whether the caller may ask for access: it has a name, and the scope."""
    actor: Actor = request.state.actor
    return bool(actor.name) and actor.may(AccessScope.REQUEST)


async def _pass_request(server: Server[Any], request: Request, body: bytes) -> Response:
    """What the SDK answers to a request. Its manager keeps the sessions of other servers; one of its own for each request keeps nothing."""
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager  # noqa: PLC0415

    status, headers, parts, unread = 500, [], [], [body]

    async def receive() -> Message:
        return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await request.receive()

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], message.get("headers", [])
        else:
            parts.append(message.get("body", b""))

    plain = [(name, value) for name, value in request.scope["headers"] if name not in _REPLACED]
    scope = {**request.scope, "headers": [*plain, (b"content-length", str(len(body)).encode())]}
    manager = StreamableHTTPSessionManager(app=server, json_response=True, stateless=True, max_request_body_size=MAX_BODY)
    async with manager.run():
        await manager.handle_request(scope, receive, send)
    response = Response(b"".join(parts), status)
    response.raw_headers = [*(one for one in headers if one[0].lower() != b"content-length"), *response.raw_headers]
    return response


def check_origin(request: Request) -> None:
    """Raises WrongOrigin for a request that a page of another site makes: its user's agent did not ask."""
    origin = request.headers.get("origin")
    if origin is None:
        return
    service: Service = request.app.state.service
    found = urlsplit(origin)
    if found.netloc.lower() != request.headers.get("host", "").lower() and found.hostname not in service.settings.allowed_hosts:
        raise WrongOrigin("pages of other sites may not ask here: the setting `allowed_hosts` lists the accepted names")


async def answer_mcp(request: Request) -> Response:
    """`/mcp`."""
    check_origin(request)
    service: Service = request.app.state.service
    endpoint: McpEndpoint = request.app.state.mcp
    service.check_open()
    return await endpoint.answer_request(request)
