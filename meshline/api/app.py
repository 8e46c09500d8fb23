"""The HTTP application: its routes with their minimum roles, its middleware and its queues."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from meshline.api import explorer
from meshline.api.addresses import Address, AddressRoute, AddressTable
from meshline.api.auth import AuthMiddleware
from meshline.api.errors import handle_http_error, handle_known_error
from meshline.api.etags import ETags
from meshline.api.explorer import ROUTES, answer_http_error, get_asset, get_home, get_shell, load_page, visit_graphql
from meshline.api.front_page import build_front_page
from meshline.api.graphql import Bounds
from meshline.api.graphql.context import Observer, RequestRecord
from meshline.api.graphql.http import GraphQLEndpoint, answer_graphql
from meshline.api.gzip_middleware import GzipMiddleware
from meshline.api.handover_middleware import HandoverMiddleware
from meshline.api.health import get_healthz, get_readyz
from meshline.api.marquez.routes import ADDRESSES as MARQUEZ
from meshline.api.mcp_endpoint import McpEndpoint, answer_mcp
from meshline.api.metrics import Metrics, get_metrics
from meshline.api.middleware import RequestContextMiddleware
from meshline.api.openapi import build_document, get_openapi
from meshline.api.reader_forwarder import ReaderForwarder
from meshline.api.resource_metadata import PATH as RESOURCE_METADATA
from meshline.api.resource_metadata import get_resource_metadata
from meshline.api.rest.check import post_check
from meshline.api.rest.exported_lines import get_events, get_export
from meshline.api.rest.mesh import put_mesh
from meshline.api.rest.openlineage import post_batch, post_event
from meshline.api.rest.request_body import BodyBudget
from meshline.api.rest.sources import handle_source
from meshline.api.session_cookie import SessionCookie
from meshline.api.sign_in_pages import (
    REPORT,
    SESSION,
    SIGN_IN,
    SIGN_OUT,
    SignInParts,
    begin_sign_in,
    end_session,
    finish_sign_in,
    get_session,
    receive_sign_out,
)
from meshline.api.trusted_proxy import build_trusted_proxy
from meshline.app.access_decisions import DeskSettings
from meshline.app.access_file import AccessFile
from meshline.app.access_journal import AccessJournal
from meshline.app.introspection import build_introspector
from meshline.app.oidc import build_issuer
from meshline.app.reader_link import QueryCounted, ReaderLink, ReaderSetup
from meshline.app.reader_pool import ReaderPool
from meshline.app.reader_service import ReaderService
from meshline.app.service import NullObserver, Service
from meshline.app.settings import Settings, find_token_file
from meshline.app.sign_in import CALLBACK, build_sign_in
from meshline.app.threads import Lane
from meshline.app.tokens import AccessScope, Role, TokenRegister
from meshline.errors import MeshlineError

ADDRESSES = (
    Address("/", ("GET",), None, get_home),
    *(Address(path, ("GET",), None, get_shell) for path in ROUTES),
    Address("/explorer/{file:path}", ("GET",), None, get_asset),
    Address("/healthz", ("GET",), None, get_healthz),
    Address("/readyz", ("GET",), None, get_readyz),
    Address(RESOURCE_METADATA, ("GET",), None, get_resource_metadata),
    Address(SIGN_IN, ("GET",), None, begin_sign_in),
    Address(CALLBACK, ("GET",), None, finish_sign_in),
    Address(SIGN_OUT, ("POST",), None, end_session),
    Address(REPORT, ("POST",), None, receive_sign_out),
    Address(SESSION, ("GET",), None, get_session),
    Address("/metrics", ("GET",), Role.READER, get_metrics, scopes=(AccessScope.METRICS,)),
    Address("/openapi.json", ("GET",), Role.READER, get_openapi, restricted=True),
    Address("/graphql", ("GET", "POST"), Role.READER, answer_graphql, visit_graphql, restricted=True, question=True),
    Address("/mcp", ("POST",), Role.READER, answer_mcp, restricted=True, question=True),
    Address("/api/v1/check", ("POST",), Role.READER, post_check, scopes=(AccessScope.CHECK,), restricted=True, question=True),
    Address("/api/v1/export", ("GET",), Role.READER, get_export, restricted=True, question=True),
    Address("/api/v1/export/events", ("GET",), Role.READER, get_events, question=True),
    Address("/api/v1/lineage", ("POST",), Role.WRITER, post_event, restricted=True),
    Address("/api/v1/lineage/batch", ("POST",), Role.WRITER, post_batch, restricted=True),
    Address("/api/v1/mesh", ("PUT",), Role.WRITER, put_mesh),
    Address("/api/v1/sources", ("PUT",), Role.WRITER, handle_source),
    *MARQUEZ,
)
QUIET = ("/healthz", "/readyz", "/metrics")  # paths that monitoring requests all the time


HttpErrorHandler: TypeAlias = Callable[[Request, HTTPException], Awaitable[Response]]


class _Application(Starlette):
    """Calls the addresses from within the middleware at once: Starlette's own layers around it would find the one route again, and answer
    errors that the outermost middleware answers. `answer_http_error`: for HTTPException.
    """

    def __init__(
        self,
        table: AddressTable,
        middleware: Sequence[Middleware],
        answer_http_error: HttpErrorHandler,
        lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
    ) -> None:
        self._route = AddressRoute(table)
        self._answer_http_error = answer_http_error
        super().__init__(routes=[self._route], middleware=middleware, lifespan=lifespan)

    def build_middleware_stack(self) -> ASGIApp:
        app: ASGIApp = self._answer_request
        for layer, arguments, options in reversed(self.user_middleware):
            app = layer(app, *arguments, **options)
        return app

    async def _answer_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.router(scope, receive, send)
            return
        try:
            await self._route.handle(scope, receive, send)
        except MeshlineError as error:
            await (await handle_known_error(Request(scope, receive), error))(scope, receive, send)
        except HTTPException as error:
            await (await self._answer_http_error(Request(scope, receive), error))(scope, receive, send)


BODIES = 4
BODY_SECONDS = 60.0  # that a large body may wait in the queue
QUESTIONS, CHECKS, EXPORTS = 4, 2, 1  # at the same time: the locks of graph and interpreter allow one anyway, the others wait for the store


def create_app(
    settings: Settings, on_failure: Callable[[MeshlineError], None] | None = None, on_ready: Callable[[], None] | None = None
) -> Starlette:
    """Build the application. It answers /healthz at once, and everything else when the graph is loaded.

    `on_ready` is called when the graph is loaded; `on_failure` with an error that prevents this and that does not go away by waiting.
    """
    table = AddressTable(ADDRESSES)
    metrics = Metrics()
    waiting = settings.request_queue
    rules = None if settings.access is None else AccessFile(settings.access)
    tokens = TokenRegister(settings.tokens, find_token_file(settings))
    journal = None if settings.oidc_issuer is None else AccessJournal()
    endpoint = _build_endpoint(settings, metrics.count_query, rules, journal)
    issuer = build_issuer(settings, None if journal is None else journal.denials)
    sign_in = build_sign_in(settings, issuer)
    etags = ETags()
    pool = ReaderPool(settings, etags.key, metrics)
    parts = None
    if sign_in is not None and journal is not None:
        parts = SignInParts(sign_in, SessionCookie(sign_in.web_address, journal), journal)
    service = Service(
        settings,
        metrics,
        endpoint.open_graph,
        on_failure,
        on_ready,
        tokens=tokens,
        access=journal,
        read_rules_digest=lambda: "" if rules is None else rules.rules.digest,
        readers=pool,
    )

    app = _Application(
        table,
        [
            Middleware(RequestContextMiddleware, metrics=metrics, table=table, quiet=QUIET),
            Middleware(GzipMiddleware),
            Middleware(
                AuthMiddleware,
                settings=settings,
                tokens=tokens,
                rules=rules,
                refused=metrics.count_refused_request,
                issuer=issuer,
                proxy=build_trusted_proxy(settings),
                cookie=None if parts is None else parts.cookie,
                journal=journal,
                introspector=build_introspector(settings, issuer),
            ),
        ],
        answer_http_error,
        _build_lifespan(service),
    )
    _set_question_state(app, settings, service, endpoint, etags, rules)
    app.state.readers = pool
    app.state.forwarder = ReaderForwarder(pool, service, rules, settings.max_body_bytes, metrics.count_reader_question)
    app.state.metrics = metrics
    app.state.find_ingest = endpoint.find_ingest
    app.state.sign_in = parts
    app.state.bodies = Lane("large events and batches", BODIES, waiting, BODY_SECONDS)
    app.state.openapi = build_document(ADDRESSES)
    app.state.page = load_page(explorer.FOLDER)
    app.state.front_page = build_front_page(ADDRESSES)
    return app


def create_reader_app(setup: ReaderSetup, link: ReaderLink, end: Callable[[], None]) -> Starlette:
    """Build the application of a reader process, which answers the questions that the server hands over. `end`: as of ReaderService."""
    settings = setup.settings
    table = AddressTable([address for address in ADDRESSES if address.question])
    rules = None if settings.access is None else AccessFile(settings.access)
    endpoint = _build_endpoint(settings, lambda query: _report_query(link, query), rules, None)
    service = ReaderService(setup, link, NullObserver(), endpoint.open_graph, end)

    app = _Application(
        table,
        [Middleware(HandoverMiddleware, table=table, service=service, rules=rules), Middleware(GzipMiddleware)],
        handle_http_error,
        _build_lifespan(service),
    )
    _set_question_state(app, settings, service, endpoint, ETags(setup.etag_key), rules)
    app.state.forwarder = None
    return app


def _build_lifespan(service: Service) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def run_service(_app: Starlette) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.close()

    return run_service


def _build_endpoint(settings: Settings, observer: Observer, rules: AccessFile | None, journal: AccessJournal | None) -> GraphQLEndpoint:
    questions = Lane("questions", QUESTIONS, settings.request_queue, settings.query_seconds)
    return GraphQLEndpoint(
        settings.max_body_bytes, questions, _build_bounds(settings), observer, rules, _build_desk_settings(settings), journal
    )


def _set_question_state(
    app: Starlette, settings: Settings, service: Service, endpoint: GraphQLEndpoint, etags: ETags, rules: AccessFile | None
) -> None:
    """What the addresses need that a reader answers, too."""
    app.state.service = service
    app.state.endpoint = endpoint
    app.state.find_graph = endpoint.find_graph
    app.state.mcp = McpEndpoint(endpoint)
    app.state.etags = etags
    app.state.access = rules
    app.state.exports = Lane("exports", EXPORTS, settings.request_queue, settings.check_seconds)
    app.state.checks = Lane("checks", CHECKS, settings.request_queue, settings.check_seconds)
    app.state.body_budget = BodyBudget(settings.bodies_bytes)


def _report_query(link: ReaderLink, query: RequestRecord) -> None:
    with suppress(OSError):  # the server has ended
        link.send(QueryCounted(query.operation, query.seconds, query.outcome, list(query.truncated)))


def _build_desk_settings(settings: Settings) -> DeskSettings:
    return DeskSettings(
        days=settings.access_days,
        lapse_days=settings.access_lapse_days,
        remind_days=settings.access_remind_days,
        has_executor=settings.access_executor is not None,
        takes_data=settings.access_data,
        executor=settings.access_executor_caller,
        notify=settings.notify,
        webhook=settings.notify_webhook is not None,
    )


def _build_bounds(settings: Settings) -> Bounds:
    return Bounds(
        seconds=settings.query_seconds,
        nodes=settings.query_nodes,
        objects=settings.query_objects,
        page=settings.page_size,
        depth=settings.query_depth,
        aliases=settings.query_aliases,
        tokens=settings.query_tokens,
    )
