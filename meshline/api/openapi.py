"""`GET /openapi.json`: the REST addresses as OpenAPI 3.1, from the types of their answers. /graphql has a schema of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from meshline import __version__
from meshline.api.addresses import REST, Address
from meshline.api.errors import JSON, ErrorAnswer, ErrorMessage, find_own_requests
from meshline.api.errors import MARQUEZ as MARQUEZ_PREFIX
from meshline.api.etags import ETags, build_headers, build_unchanged, has_answer
from meshline.api.graphql.http import GRAPHQL_JSON, GraphQLRequest
from meshline.api.health import Alive, NotReadyYet, Ready
from meshline.api.marquez.routes import OPERATIONS as MARQUEZ
from meshline.api.metrics import CONTENT_TYPE
from meshline.api.operations import (
    ALWAYS,
    BUSY,
    ENCODING,
    HTML,
    INVALID,
    OBJECT,
    TEXT,
    TOO_LARGE,
    TOO_LONG,
    UNCHANGED,
    UNSUPPORTED,
    WITH_BODY,
    WITH_ROLE,
    Answer,
    Operation,
    Parameter,
    Schema,
    Shape,
    build_json_answer,
    build_refusal,
)
from meshline.api.resource_metadata import PATH as RESOURCE_METADATA
from meshline.api.resource_metadata import ResourceMetadata
from meshline.api.rest.exported_lines import DIRECTIONS, LINES
from meshline.api.rest.mesh import MEDIA as MESH_MEDIA
from meshline.api.rest.mesh import MeshAnswer
from meshline.api.rest.openlineage import MEDIA as EVENT_MEDIA
from meshline.api.rest.openlineage import SOURCE_NAME, BatchAnswer, EventAnswer
from meshline.api.rest.sources import LOOKUPS as SOURCE_LOOKUPS
from meshline.api.rest.sources import MEDIA as SOURCE_MEDIA
from meshline.api.rest.sources import NAME as SOURCE
from meshline.api.sign_in_pages import OPERATIONS as SIGN_IN
from meshline.app.check_texts import CheckRequest
from meshline.governance.report import Report
from meshline.ingest.sources.transfer import LoadingCounts, SentReading

NAME: Schema = {"type": "string", "minLength": 1}
OF_SOURCE = Parameter(
    "source", "query", "The source, KIND/NAME.", required=True, schema={"type": "string", "pattern": f"^{SOURCE.pattern}$"}
)
# The part of an event that is checked first. The whole schema: https://openlineage.io/spec/2-0-2/OpenLineage.json
_NAMED: Schema = {"namespace": {"type": "string", "minLength": 1}, "name": {"type": "string", "minLength": 1}}
_JOB: Schema = {"type": "object", "required": ["namespace", "name"], "properties": {**_NAMED, "facets": {"type": "object"}}}
_DATASETS: Schema = {"type": "array", "items": _JOB}
EVENT: Schema = {
    "type": "object",
    "description": "An OpenLineage event: of a run (with `run` and `job`), of a job, or of a dataset (with `dataset`).",
    "required": ["eventTime"],
    "properties": {
        "eventTime": {"type": "string", "format": "date-time"},
        "eventType": {"type": "string"},
        "run": {"type": "object", "required": ["runId"], "properties": {"runId": TEXT, "facets": {"type": "object"}}},
        "job": _JOB,
        "dataset": _JOB,
        "inputs": _DATASETS,
        "outputs": _DATASETS,
    },
    "anyOf": [{"required": ["job"]}, {"required": ["dataset"]}],
}
MESH: Schema = {
    "type": "object",
    "description": "A mesh file; its JSON Schema is meshline/ingest/mesh.schema.json.",
    "required": ["version"],
    "properties": {"version": {"const": 1}, "source": TEXT},
}


class GraphQLErrorAnswer(msgspec.Struct, frozen=True):
    """An error in GraphQL's format; `extensions.code` is stable."""

    message: str
    extensions: dict[str, Any]
    locations: list[dict[str, int]] | None = None
    path: list[str | int] | None = None


class GraphQLAnswer(msgspec.Struct, frozen=True):
    """An answer in GraphQL's format: `data`, `errors`, or both."""

    data: dict[str, Any] | None = None
    errors: list[GraphQLErrorAnswer] | None = None


_GRAPHQL = {
    200: Answer("The answer in GraphQL's format, errors included.", {JSON: GraphQLAnswer, GRAPHQL_JSON: GraphQLAnswer}),
    400: Answer(
        "Not a GraphQL request over HTTP; or, as application/graphql-response+json, a request that was refused before it ran.",
        {JSON: ErrorAnswer, GRAPHQL_JSON: GraphQLAnswer},
    ),
    406: build_refusal("None of the accepted media types is available."),
    503: BUSY,
}

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    **SIGN_IN,
    ("/", "GET"): Operation(
        "The page for browsers.", {200: Answer("The page, which asks /graphql for data.", {HTML: TEXT}), 304: UNCHANGED}
    ),
    ("/explorer/{file:path}", "GET"): Operation(
        "A file of the page.", {200: Answer("The file.", {"*/*": TEXT}), 304: UNCHANGED, 404: build_refusal("The page has no such file.")}
    ),
    ("/healthz", "GET"): Operation("Is the process alive?", {200: build_json_answer("Yes.", Alive)}),
    ("/readyz", "GET"): Operation(
        "Is the graph loaded, and does the store answer?",
        {200: build_json_answer("Yes.", Ready), 503: Answer("Not now.", {JSON: NotReadyYet}, ("Retry-After",))},
    ),
    (RESOURCE_METADATA, "GET"): Operation(
        "Where a client gets a token for this server (RFC 9728).",
        {200: build_json_answer("The identity provider, if any.", ResourceMetadata)},
    ),
    ("/metrics", "GET"): Operation("Metrics for Prometheus.", {200: Answer("Metrics.", {CONTENT_TYPE: TEXT})}),
    ("/openapi.json", "GET"): Operation("This document.", {200: build_json_answer("OpenAPI 3.1.", OBJECT), 304: UNCHANGED}),
    ("/graphql", "GET"): Operation(
        "Run a GraphQL query.",
        {
            **_GRAPHQL,
            304: UNCHANGED,
            303: Answer("A browser that opens the address without a query, where the page is not built, is sent to /.", {}, ("Location",)),
            405: build_refusal("A mutation: use POST.", "Allow"),
        },
        parameters=(
            Parameter("query", "query", "The request.", required=True),
            Parameter("variables", "query", "A JSON object."),
            Parameter("operationName", "query", "The operation of the request to run."),
        ),
    ),
    ("/graphql", "POST"): Operation(
        "Run a GraphQL query; or, with the role admin, a mutation.",
        {**_GRAPHQL, 413: TOO_LARGE, 415: UNSUPPORTED},
        GraphQLRequest,
        (JSON,),
        (ENCODING,),
    ),
    ("/mcp", "POST"): Operation(
        "Answer an agent: the Model Context Protocol, Streamable HTTP without sessions.",
        {
            200: build_json_answer("The answer as JSON-RPC; the tools, and their errors, are in docs/agents.md.", OBJECT),
            202: Answer("A notification, which needs no answer.", {}),
            400: build_json_answer("The body is no request of the protocol.", OBJECT),
            404: build_json_answer("The protocol has no such method.", OBJECT),
            406: Answer("The client does not accept JSON.", {JSON: OBJECT}),
            413: TOO_LARGE,
            415: UNSUPPORTED,
            503: BUSY,
        },
        OBJECT,
        (JSON,),
        (ENCODING,),
    ),
    ("/api/v1/check", "POST"): Operation(
        "Check whether a change may ship, what it affects and who is notified.",
        {
            200: build_json_answer("The report, whatever the verdict.", Report),
            **WITH_BODY,
            404: build_refusal("The graph does not know an asset that the change names."),
            409: build_refusal("A name in the change fits several assets; `candidates` are their names."),
            422: build_refusal("The check takes too long or too much memory, or the versions differ too much: check less at once."),
        },
        CheckRequest,
        (JSON,),
        (ENCODING,),
    ),
    ("/api/v1/export", "GET"): Operation(
        "The graph that the caller may see, or the lineage of assets: a line of JSON for each node, then for each edge.",
        {200: Answer('Lines of JSON: {"node": ...}, {"edge": ...}.', {LINES: OBJECT}), 400: INVALID, 503: BUSY},
        parameters=(
            Parameter("of", "query", "The id of an asset of which the lineage is wanted; may be repeated."),
            Parameter("direction", "query", "Where lineage is followed to.", schema={"type": "string", "enum": list(DIRECTIONS)}),
            Parameter("depth", "query", "How many flows are followed; by default all.", schema={"type": "integer", "minimum": 0}),
            Parameter(
                "asOf", "query", "The time of which the graph is wanted; by default now.", schema={"type": "string", "format": "date-time"}
            ),
        ),
    ),
    ("/api/v1/export/events", "GET"): Operation(
        "The raw events in order of arrival, one on each line.", {200: Answer("Lines of JSON.", {LINES: OBJECT}), 503: BUSY}
    ),
    ("/api/v1/lineage", "POST"): Operation(
        "Ingest an OpenLineage event.",
        {201: build_json_answer("The event is durable, and queries show it.", EventAnswer), **WITH_BODY},
        EVENT,
        sorted(EVENT_MEDIA),
        (ENCODING,),
    ),
    ("/api/v1/lineage/batch", "POST"): Operation(
        "Ingest OpenLineage events; invalid events do not affect the others.",
        {200: build_json_answer("The outcome of each event.", BatchAnswer), **WITH_BODY},
        {"type": "array", "items": EVENT},
        sorted(EVENT_MEDIA),
        (
            ENCODING,
            Parameter(
                "source",
                "query",
                "The source of the events, openlineage/<source>; else the server's own.",
                schema={"type": "string", "pattern": f"^{SOURCE_NAME.pattern}$"},
            ),
        ),
    ),
    ("/api/v1/mesh", "PUT"): Operation(
        "Load a mesh file, as a whole or not at all.",
        {200: build_json_answer("What changed.", MeshAnswer), **WITH_BODY, 422: TOO_LONG},
        MESH,
        sorted(MESH_MEDIA),
        (ENCODING, Parameter("name", "query", "The name of the source, if the file gives none.")),
    ),
    ("/api/v1/sources", "GET"): Operation(
        "Marquez: where datasets are stored. With `source`, which needs the role writer: what a reader of the source needs to know.",
        {
            200: build_json_answer("The data sources; or the memory of the source, and what the graph knows.", OBJECT),
            304: UNCHANGED,
            400: build_json_answer("A parameter is invalid.", OBJECT),
            422: build_json_answer("The answer takes too long: ask for less at once.", OBJECT),
            503: Answer("Not now: try again.", {JSON: OBJECT}, ("Retry-After",)),
        },
        parameters=(
            OF_SOURCE._replace(required=False),
            *(Parameter(name, "query", meaning) for name, meaning in SOURCE_LOOKUPS.items()),
        ),
    ),
    ("/api/v1/sources", "PUT"): Operation(
        "Ingest a reading of a source, or a part of one, as a whole or not at all.",
        {200: build_json_answer("What changed.", LoadingCounts), **WITH_BODY, 422: TOO_LONG},
        SentReading,
        sorted(SOURCE_MEDIA),
        (ENCODING, OF_SOURCE),
    ),
    **MARQUEZ,
}


def build_document(addresses: Iterable[Address]) -> bytes:
    """The whole document as JSON."""
    shapes = _collect_schemas()
    paths: dict[str, dict[str, Any]] = {}
    for address in addresses:
        path = address.path.replace(REST, "")
        for method in address.methods:
            operation = OPERATIONS.get((address.path, method))  # the routes of the page are for people: they have none
            if operation is not None:
                paths.setdefault(path, {})[method.lower()] = _describe_operation(path, method, operation, address, shapes)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "meshline", "version": __version__, "description": "A lineage graph for data meshes."},
            "paths": paths,
            "components": {
                "schemas": shapes.components,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "Where the server has tokens."}},
            },
        }
    )


class _SchemaRegistry:
    """The JSON schemas of all types in requests and answers, each once."""

    def __init__(self) -> None:
        operations = OPERATIONS.values()
        found = [shape for operation in operations for answer in operation.answers.values() for shape in answer.content.values()]
        found += [operation.body for operation in operations if operation.body is not None]
        types = list(dict.fromkeys(shape for shape in [*found, ErrorAnswer, ErrorMessage] if isinstance(shape, type)))
        schemas, self.components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
        self._schemas = dict(zip(types, schemas, strict=True))

    def get_schema(self, shape: Shape) -> Schema:
        return self._schemas[shape] if isinstance(shape, type) else shape


@cache
def _collect_schemas() -> _SchemaRegistry:
    """Once for all documents of a process: it reads constants only."""
    return _SchemaRegistry()


def _describe_access(address: Address) -> str:
    if address.role is None:
        return "Needs no token; the answer has more details with one."
    return f"Needs the role {address.role}. A token with scopes needs `{'` or `'.join(sorted(address.accepted_scopes))}`."


def _describe_operation(path: str, method: str, operation: Operation, address: Address, shapes: _SchemaRegistry) -> dict[str, Any]:
    role = address.role
    refusals = {status: _fit_refusal(path, method, answer) for status, answer in {**ALWAYS, **({} if role is None else WITH_ROLE)}.items()}
    provider = {} if role is None else {503: _fit_refusal(path, method, BUSY)}  # with tokens of an identity provider, of any address
    answers = {**provider, **operation.answers, **refusals}
    made: dict[str, Any] = {
        "operationId": method.lower() + re.sub(r"[/.{}]+", "_", path),
        "summary": operation.summary,
        "description": _describe_access(address),
        "security": [{"token": []}] if role else [{}, {"token": []}],
        "parameters": [_describe_parameter(each) for each in [*_list_names(path, operation), *operation.parameters]],
        "responses": {str(status): _describe_answer(answers[status], shapes) for status in sorted(answers)},
    }
    if operation.body is not None:
        content = {media: {"schema": shapes.get_schema(operation.body)} for media in operation.body_media}
        made["requestBody"] = {"required": True, "content": content}
    return made


def _fit_refusal(path: str, method: str, refusal: Answer) -> Answer:
    """A refusal with the body that it has at an address: both formats are possible where meshline's own requests have a parameter."""
    own = find_own_requests(path, method)
    if not path.startswith(MARQUEZ_PREFIX) or (own is not None and not own.parameter):
        return refusal
    return refusal._replace(content={JSON: ErrorMessage if own is None else OBJECT})


def _list_names(path: str, operation: Operation) -> list[Parameter]:
    """The parameters of a path that its operation does not describe itself."""
    described = {parameter.name for parameter in operation.parameters if parameter.place == "path"}
    found = re.findall(r"\{(\w+)\}", path)
    return [Parameter(name, "path", "A name, percent-encoded.", required=True, schema=NAME) for name in found if name not in described]


def _describe_parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.meaning,
        "required": parameter.required,
        "schema": parameter.schema,
    }


def _describe_answer(answer: Answer, shapes: _SchemaRegistry) -> dict[str, Any]:
    made: dict[str, Any] = {
        "description": answer.meaning,
        "content": {media: {"schema": shapes.get_schema(shape)} for media, shape in answer.content.items()},
    }
    if answer.headers:
        made["headers"] = {name: {"required": True, "schema": TEXT} for name in answer.headers}
    return made


async def get_openapi(request: Request) -> Response:
    """Answer with the document, which is built once for the application."""
    etags: ETags = request.app.state.etags
    etag = etags.build(request, JSON)
    return build_unchanged(etag) if has_answer(request, etag) else Response(request.app.state.openapi, 200, build_headers(etag), JSON)
