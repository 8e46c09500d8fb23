"""GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/): POST with JSON, GET for queries. No batches, no subscriptions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from strawberry.schema.exceptions import InvalidOperationTypeError

from meshline.api.errors import JSON, encode_error
from meshline.api.etags import ETags, build_headers, build_unchanged, has_answer
from meshline.api.graphql.context import Bounds, Observer
from meshline.api.graphql.execution import ALL, QUERIES, Answer, Executor
from meshline.api.permissions import check_access, check_role
from meshline.api.rest.request_body import check_media, decode_json, read_body
from meshline.app.access import Access
from meshline.app.access_decisions import AccessDesk, DeskSettings, add_grants
from meshline.app.access_file import AccessFile
from meshline.app.access_journal import AccessJournal
from meshline.app.access_log import AccessLog
from meshline.app.access_requests import RequestRegister
from meshline.app.access_rules import may_state
from meshline.app.ingest_rights import IngestRights
from meshline.app.policy_service import PolicyService
from meshline.app.read_counter import ReadCounter
from meshline.app.service import Service, Upkeep
from meshline.app.threads import Lane
from meshline.app.tokens import AccessScope, Actor, Role
from meshline.errors import InvalidInput, NotPermitted, RefusedRequest
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming

GRAPHQL_JSON = "application/graphql-response+json"
BODIES = frozenset({JSON})
PURPOSE = "Meshline-Purpose"  # the header in which a caller states what it reads for


class GraphQLRequest(msgspec.Struct, frozen=True):
    """The parameters of a request; others (`extensions`) are ignored, as the specification requires."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = msgspec.field(default=None, name="operationName")


_decoder = msgspec.json.Decoder(GraphQLRequest)
_variables = msgspec.json.Decoder(dict[str, Any] | None)


class GraphQLEndpoint:
    """The address /graphql. `max_body`: bytes."""

    def __init__(
        self,
        max_body: int,
        lane: Lane,
        bounds: Bounds,
        observer: Observer,
        access: AccessFile | None = None,
        desk_settings: DeskSettings | None = None,
        journal: AccessJournal | None = None,
    ) -> None:
        """`journal`: of denials; None: there is no identity provider whose tokens could be denied."""
        self.max_body = max_body
        self.lane = lane
        self.access = access
        self._desk_settings = desk_settings
        self._journal = journal
        self._register: RequestRegister | None = None
        self.bounds = bounds
        self.observer = observer
        self._executor: Executor | None = None

    def open_graph(
        self, live: LiveGraph, naming: Naming, governing: PolicyService, register: RequestRegister, entries: AccessLog
    ) -> Upkeep:
        """Answer requests from this graph from now on. `register`: of requests for access, which grant what rules do not. `entries`: counts
        what is read.
        """
        access = Access(live, lambda: add_grants(None if self.access is None else self.access.rules, register.list_grants()))
        desk = AccessDesk(register, access, self._desk_settings)
        reads = ReadCounter(access, entries)
        self._executor = Executor(
            live,
            naming,
            self.bounds,
            self.observer,
            governing,
            apart=True,
            access=access,
            desk=desk,
            reads=reads,
            journal=self._journal,
        )
        self._register = register
        access.warn_of_idle_selectors()
        if self.access is not None:
            self.access.follow(lambda _rules: access.warn_of_idle_selectors())
        return Upkeep(reads.classify, desk.write_due)

    async def answer_request(self, request: Request) -> Response:
        """The response to a request. The graph must be open (`open_graph`)."""
        assert self._executor is not None
        media = _choose_media_type(request)
        if media is None:
            return Response(encode_error("NOT_ACCEPTABLE", f"answers are {JSON} or {GRAPHQL_JSON}"), 406, media_type=JSON)
        actor: Actor = request.state.actor
        conditional = request.method in ("GET", "HEAD")
        etag = ""
        if conditional:
            etags: ETags = request.app.state.etags
            etag = etags.build(request, media, *self.list_revisions())  # of now: the answer may be that of newer ones
            if has_answer(request, etag):
                return build_unchanged(etag)
        asked = _parse_url(request) if conditional else await self._read_request(request)
        run = partial(
            self._executor.execute,
            asked.query,
            asked.variables,
            asked.operation_name,
            allowed=ALL if request.method == "POST" else QUERIES,
            request_id=request.state.request_id,
            actor=actor,
            purpose=request.headers.get(PURPOSE, ""),
        )
        try:
            answer = await self.lane.run(run)
        except InvalidOperationTypeError:
            if not may_state(self._executor.access.rules, actor):
                check_role(actor, Role.ADMIN)
                check_access(actor, (AccessScope.STATE,))
            return Response(encode_error("METHOD_NOT_ALLOWED", "only queries can be sent with GET: use POST"), 405, {"Allow": "POST"}, JSON)
        if answer.refused:
            request.state.code = NotPermitted.code  # for the log, and the audit log
        headers = build_headers(etag) if etag and answer.lasting else None
        return Response(msgspec.json.encode(answer.body), _decide_status(answer, media), headers, media)

    def ask(self, query: str, variables: Mapping[str, object], actor: Actor, request_id: str, purpose: str = "") -> dict[str, Any]:
        """The `data` of the answer to a query or mutation of ours, in this thread. The graph must be open. Raises MeshlineError."""
        assert self._executor is not None
        body = self._executor.execute(query, variables, allowed=ALL, request_id=request_id, actor=actor, purpose=purpose).body
        if errors := body.get("errors"):
            raise RefusedRequest(str(errors[0]["message"]), str(errors[0]["extensions"]["code"]))
        data: dict[str, Any] = body["data"]
        return data

    def list_revisions(self) -> tuple[int, ...]:
        """Of the graph, of the access rules, and of what is granted besides, which ends by time."""
        assert self._executor is not None
        assert self._register is not None
        rules = 0 if self.access is None else int(self.access.rules.digest[:15], 16)  # the same in all processes
        return self._executor.live.index.revision, rules, self._register.position, len(self._register.list_grants())

    def find_graph(self, actor: Actor) -> LiveGraph:
        """The graph that a caller may see. The graph must be open."""
        assert self._executor is not None
        return self._executor.access.find_graph(actor)

    def find_ingest(self, actor: Actor) -> IngestRights | None:
        """What a caller may send events about; None: everything. The graph must be open."""
        assert self._executor is not None
        return self._executor.access.find_ingest(actor)

    def is_counted(self, actor: Actor) -> bool:
        """Whether what a caller reads is counted for the audit log."""
        assert self._executor is not None
        return self._executor.reads is not None and self._executor.reads.is_needed(actor)

    def count_reads(self, actor: Actor, purpose: str, assets: Collection[str]) -> None:
        """Count an answer with these assets, by their ids, which another address has given."""
        assert self._executor is not None
        if self._executor.reads is not None:
            self._executor.reads.add(actor, purpose, assets)

    async def _read_request(self, request: Request) -> GraphQLRequest:
        check_media(request, BODIES)
        body = await read_body(request, self.max_body)
        if body.lstrip()[:1] == b"[":
            raise InvalidInput("batches are not supported: send one request at a time")
        return decode_json(_decoder, body, "GraphQL request")


async def answer_graphql(request: Request) -> Response:
    """`/graphql`. Mutations need the role admin, but for those about access requests: see `context`."""
    service: Service = request.app.state.service
    endpoint: GraphQLEndpoint = request.app.state.endpoint
    service.check_open()
    return await endpoint.answer_request(request)


def _parse_url(request: Request) -> GraphQLRequest:
    given = request.query_params
    if "query" not in given:
        raise InvalidInput("the parameter `query` is missing")
    variables = decode_json(_variables, given.get("variables") or "null", "JSON object", "variables")
    return GraphQLRequest(given["query"], variables, given.get("operationName") or None)


def _choose_media_type(request: Request) -> str | None:
    """The media type of the response: the newer one only for clients that accept it; None if no type fits."""
    accept = request.headers.get("accept", "*/*")
    offered = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if GRAPHQL_JSON in offered:
        return GRAPHQL_JSON
    return JSON if offered & {JSON, "application/*", "*/*", ""} else None


def _decide_status(answer: Answer, media: str) -> int:
    """With the newer media type, 400 for a request that was refused; with plain JSON, always 200."""
    return 400 if media == GRAPHQL_JSON and not answer.executed else 200
