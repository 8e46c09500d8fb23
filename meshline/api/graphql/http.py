"""GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/): POST with JSON, GET for queries. No batches, no subscriptions."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from strawberry.schema.exceptions import InvalidOperationTypeError

from meshline.api.auth import check_role
from meshline.api.errors import JSON, error_body
from meshline.api.graphql.context import Bounds, Observer
from meshline.api.graphql.execution import ALL, QUERIES, Answer, GraphQL
from meshline.api.rest.request_body import check_media, decode, read_body
from meshline.app.policy_service import Governing
from meshline.app.service import Service
from meshline.app.threads import Lane
from meshline.app.tokens import Actor, Role
from meshline.errors import InvalidInput
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming

GRAPHQL_JSON = "application/graphql-response+json"
BODIES = frozenset({JSON})


class Asked(msgspec.Struct, frozen=True):
    """A request's parameters; others (`extensions`) are ignored, as the specification asks."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = msgspec.field(default=None, name="operationName")


_decoder = msgspec.json.Decoder(Asked)
_variables = msgspec.json.Decoder(dict[str, Any] | None)


class Endpoint:
    """`/graphql`."""

    def __init__(self, max_body: int, lane: Lane, bounds: Bounds, observer: Observer) -> None:
        self.max_body = max_body
        self.lane = lane
        self.bounds = bounds
        self.observer = observer
        self._graphql: GraphQL | None = None

    def open(self, live: LiveGraph, naming: Naming, governing: Governing) -> None:
        """From now on the answers are those of this graph."""
        self._graphql = GraphQL(live, naming, self.bounds, self.observer, governing, apart=True)

    async def answer(self, request: Request) -> Response:
        """The graph must be open."""
        assert self._graphql is not None
        if _is_visit(request):
            return RedirectResponse("/", 303)
        media = _accepted(request)
        if media is None:
            return Response(error_body("NOT_ACCEPTABLE", f"answers are {JSON} or {GRAPHQL_JSON}"), 406, media_type=JSON)
        actor: Actor = request.state.actor
        asked = _from_url(request) if request.method == "GET" else await self._from_body(request)
        run = partial(
            self._graphql.execute,
            asked.query,
            asked.variables,
            asked.operation_name,
            allowed=ALL if request.method == "POST" and actor.role.includes(Role.ADMIN) else QUERIES,
            request_id=request.state.request_id,
            actor=actor,
        )
        try:
            answer = await self.lane.run(run)
        except InvalidOperationTypeError:
            check_role(actor, Role.ADMIN)
            return Response(error_body("METHOD_NOT_ALLOWED", "only queries can be asked with GET: use POST"), 405, {"Allow": "POST"}, JSON)
        return Response(msgspec.json.encode(answer.body), _status(answer, media), media_type=media)

    async def _from_body(self, request: Request) -> Asked:
        check_media(request, BODIES)
        body = await read_body(request, self.max_body)
        if body.lstrip()[:1] == b"[":
            raise InvalidInput("batches are not supported: send one request at a time")
        return decode(_decoder, body, "GraphQL request")


async def graphql(request: Request) -> Response:
    """GraphQL over HTTP. What changes the graph needs the role admin."""
    service: Service = request.app.state.service
    endpoint: Endpoint = request.app.state.endpoint
    service.check_open()
    return await endpoint.answer(request)


def _from_url(request: Request) -> Asked:
    given = request.query_params
    if "query" not in given:
        raise InvalidInput("the parameter `query` is missing")
    variables = decode(_variables, given.get("variables") or "null", "JSON object", "variables")
    return Asked(given["query"], variables, given.get("operationName") or None)


def _is_visit(request: Request) -> bool:
    """Whether a person opens the address in a browser, instead of a program that asks."""
    return request.method == "GET" and "query" not in request.query_params and "text/html" in request.headers.get("accept", "")


def _accepted(request: Request) -> str | None:
    """The media type to answer in: the newer one only for who asks for it."""
    accept = request.headers.get("accept", "*/*")
    offered = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if GRAPHQL_JSON in offered:
        return GRAPHQL_JSON
    return JSON if offered & {JSON, "application/*", "*/*", ""} else None


def _status(answer: Answer, media: str) -> int:
    """With the newer media type a request that was refused is a 400; with plain JSON every GraphQL answer is a 200."""
    return 400 if media == GRAPHQL_JSON and not answer.executed else 200
