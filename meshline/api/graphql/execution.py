"""Executes GraphQL requests: in process for the command line, in a worker thread for HTTP."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from meshline.api.errors import INTERNAL, INTERNAL_MESSAGE, Forbidden
from meshline.api.graphql.asset_types import TYPES
from meshline.api.graphql.context import Bounds, Observer, RequestContext, RequestRecord
from meshline.api.graphql.revision_fields import is_lasting
from meshline.api.graphql.schema import build_schema
from meshline.app.access import Access
from meshline.app.access_decisions import AccessDesk
from meshline.app.access_journal import AccessJournal
from meshline.app.access_requests import RequestRegister
from meshline.app.policy_service import PolicyService
from meshline.app.read_counter import ReadCounter
from meshline.app.tokens import NO_AUTHENTICATION, Actor
from meshline.errors import Ambiguous, InvalidInput, LimitExceeded, MeshlineError, NotPermitted, StoreUnavailable
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming

log = logging.getLogger("meshline.api")

QUERIES = frozenset({OperationType.QUERY})
ALL = frozenset({OperationType.QUERY, OperationType.MUTATION})
_TOO_LONG = "tokens. Parsing aborted"  # part of graphql-core's message
INVALID_REQUEST = "GRAPHQL_INVALID"  # the request cannot be parsed, or does not fit the schema


class Answer(NamedTuple):
    """`body`: `data` and `errors` in GraphQL's format. `executed`: false if the request was refused before it ran.

    `lasting`: whether the answer is the same as long as the revision is. `refused`: whether it is that to a mutation which the caller may
    not make.
    """

    body: dict[str, Any]
    executed: bool
    lasting: bool = False
    refused: bool = False


class Executor:
    """Executes requests on one graph. Thread-safe."""

    def __init__(
        self,
        live: LiveGraph,
        naming: Naming,
        bounds: Bounds | None = None,
        observer: Observer | None = None,
        governing: PolicyService | None = None,
        *,
        apart: bool = False,
        access: Access | None = None,
        desk: AccessDesk | None = None,
        reads: ReadCounter | None = None,
        journal: AccessJournal | None = None,
    ) -> None:
        """`access`: what each caller may see; if not given, everything. `desk`: receives requests for access; if not given, one of its own.
        `reads`: counts what is read, for the audit log; None: it is not counted. `journal`: of denials; None: nothing can be denied.
        `governing`: the policies of the installation; if not given, only those of the product. `apart`: texts of changes are parsed
        in separate processes, as in a server, whose clients are not trusted.
        """
        self.apart = apart
        self.live = live
        self.access = access or Access(live, lambda: None)
        self.reads = reads
        self.journal = journal
        self.desk = desk or AccessDesk(RequestRegister(live.store), self.access)
        self.naming = naming
        self.bounds = bounds or Bounds()
        self.observer = observer
        self.governing = governing or PolicyService(live)
        self.schema = build_schema(self.bounds.depth, self.bounds.aliases, self.bounds.tokens)

    def execute(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation: str | None = None,
        *,
        allowed: Iterable[OperationType] = ALL,
        request_id: str = "",
        actor: Actor = NO_AUTHENTICATION,
        purpose: str = "",
    ) -> Answer:
        """Parse, validate and run a request of `actor` in this thread, under the graph's lock. `purpose`: as the actor states it.

        Raises `strawberry.schema.exceptions.InvalidOperationTypeError` for a mutation that is not allowed, Forbidden for one that the actor
        may not send.
        """
        begun = time.perf_counter()
        graph = self.access.find_graph(actor)
        request = RequestContext(
            graph,
            self.naming,
            self.bounds,
            TYPES,
            self.governing,
            actor,
            apart=self.apart,
            access=self.access,
            desk=self.desk,
            journal=self.journal,
        )
        with self.live.lock.set_deadline(request.deadline):
            result, request = self._execute_prepared(request, query, variables, operation, allowed)
        if self.reads is not None:
            self.reads.add(actor, purpose, request.read_assets)
        request_id = request_id or secrets.token_hex(8)
        body: dict[str, Any] = {}
        if result.errors:
            body["errors"] = [_format_error(error, request_id) for error in result.errors]
        executed = result.data is not None or any(error.path for error in result.errors or ())
        if executed:
            body["data"] = result.data
        if self.observer is not None:
            outcome = body["errors"][0]["extensions"]["code"] if result.errors else "ok"
            self.observer(RequestRecord(request.operation, time.perf_counter() - begun, outcome, request.truncated))
        lasting = not result.errors and not request.truncated and request.document is not None and is_lasting(request.document)
        refused = request.is_mutation and any(error["extensions"]["code"] == NotPermitted.code for error in body.get("errors", ()))
        return Answer(body, executed, lasting, refused)

    def _execute_prepared(self, request: RequestContext, *asked: Any) -> tuple[ExecutionResult, RequestContext]:
        """The result, and the context that it was computed in: the request runs again if it needed indexes that had to be built first."""
        answered: list[ExecutionResult] = []
        asyncio.run(self._append_result(answered, request, *asked))
        times: set[int] = set()
        while not request.committed and not request.missing <= times:
            times |= request.missing
            request = request.copy_unread()
            with suppress(StoreUnavailable):  # then the fields that need them have this error
                request.prepare_indexes(*sorted(times))
            asyncio.run(self._append_result(answered, request, *asked))
        return answered[-1], request

    async def _append_result(self, answered: list[ExecutionResult], *asked: Any) -> None:
        """Not as the result of the task: asyncio formats that as text when it restores SIGINT's handler, however large it is."""
        answered.append(await self._run(*asked))

    async def _run(
        self,
        request: RequestContext,
        query: str,
        variables: Mapping[str, Any] | None,
        operation: str | None,
        allowed: Iterable[OperationType],
    ) -> ExecutionResult:
        try:
            result = await self.schema.execute(
                query,
                variable_values=dict(variables) if variables else None,
                context_value=request,
                operation_name=operation,
                allowed_operation_types=allowed,
            )
        except (MissingQueryError, CannotGetOperationTypeError) as error:
            refused = InvalidInput(_describe_refusal(error), "query")
            return ExecutionResult(data=None, errors=[GraphQLError(str(refused), original_error=refused)])
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.MUTATION:
                raise
            refused = InvalidInput("subscriptions are not supported: send queries", "query")
            return ExecutionResult(data=None, errors=[GraphQLError(str(refused), original_error=refused)])
        finally:
            await _wait_for_tasks()
            request.finish(record=self.reads is not None and self.reads.is_needed(request.caller))
        forbidden = None if not result.errors or result.errors[0].path else _find_cause(result.errors[0])
        if isinstance(forbidden, Forbidden):
            raise forbidden
        return result


async def _wait_for_tasks() -> None:
    """Wait for fields that are still being computed after an error in another field has decided the answer."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


def _describe_refusal(error: Exception) -> str:
    return error.as_http_error_reason() if isinstance(error, CannotGetOperationTypeError) else "there is no query"


def _format_error(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """An error in GraphQL's format: a stable code, a sentence, and no internal details."""
    cause = _find_cause(error)
    formatted: dict[str, Any] = dict(error.formatted)
    if isinstance(cause, MeshlineError):
        formatted["message"] = str(cause)
        formatted["extensions"] = {"code": cause.code, **_collect_details(cause)}
    elif isinstance(cause, RecursionError) or (isinstance(error, GraphQLSyntaxError) and _TOO_LONG in error.message):
        formatted["message"] = "the request is too long, or nested too deeply"
        formatted["extensions"] = {"code": LimitExceeded.code}
    elif error.path is None and (cause is None or error.nodes):
        formatted["extensions"] = {"code": INVALID_REQUEST}
    else:
        log.error("request %s failed", request_id, exc_info=cause)
        formatted["message"] = INTERNAL_MESSAGE
        formatted["extensions"] = {"code": INTERNAL, "requestId": request_id}
    return formatted


def _find_cause(error: GraphQLError) -> BaseException | None:
    """The original error: GraphQL wraps errors in errors."""
    cause: BaseException | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _collect_details(error: MeshlineError) -> dict[str, Any]:
    if isinstance(error, Ambiguous):
        return {"candidates": list(error.candidates)}
    if isinstance(error, InvalidInput) and error.where:
        return {"path": error.where}
    return {}
