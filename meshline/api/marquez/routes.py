"""The addresses of Marquez's API that are answered here, with their descriptions for OpenAPI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from meshline.api.addresses import REST, Address
from meshline.api.errors import JSON, ErrorMessage
from meshline.api.marquez import datasets, events, jobs, lineage, namespaces, runs, search, shapes, versions, writes
from meshline.api.marquez.question import MOST, Build, build_endpoint
from meshline.api.marquez.writes import WriteRoute, build_write_endpoint
from meshline.api.operations import OBJECT, UNCHANGED, Answer, Operation, Parameter, Schema, Shape, build_json_answer
from meshline.api.permissions import check_access, check_role, check_whole, get_actor
from meshline.api.rest.sources import handle_source
from meshline.app.access_file import AccessFile
from meshline.app.tokens import AccessScope, Role

PREFIX = "/api/v1"
_NAMESPACE = f"{PREFIX}/namespaces/{{namespace}}"


def _build_error(meaning: str, *headers: str) -> Answer:
    return Answer(meaning, {JSON: ErrorMessage}, headers)


_ERRORS = {
    400: _build_error("A parameter is invalid."),
    422: _build_error("The answer takes too long: ask for less at once."),
    503: _build_error("Not now: the graph is being loaded, the store does not answer, or the queue is full. Try again.", "Retry-After"),
}
_MISSING = {404: _build_error("The graph does not know a name in the address.")}


def _describe_number(most: int, default: int) -> Schema:
    return {"type": "integer", "minimum": 0, "maximum": most, "default": default}


_AS_OF = Parameter(
    "asOf", "query", "The time of which the graph is shown; now by default.", schema={"type": "string", "format": "date-time"}
)
_OFFSET = Parameter("offset", "query", "How many entries to leave out first.", schema=_describe_number(2**31 - 1, 0))
_DEPTH = Parameter("depth", "query", "How far to follow.", schema=_describe_number(2**31 - 1, lineage.DEPTH))
_NODE = Parameter("nodeId", "query", "The start: dataset:NAMESPACE:NAME, job:NAMESPACE:NAME, ...", required=True)


def _describe_limit(default: int) -> Parameter:
    return Parameter("limit", "query", "The most entries of the answer.", schema=_describe_number(MOST, default))


_PAGE = (_describe_limit(100), _OFFSET)
_LAST_STATES = Parameter(
    "lastRunStates", "query", "Only jobs whose last run has this state; may be repeated.", schema={"enum": sorted(runs.STATES)}
)
_TEXT = Parameter("q", "query", "A part of a name.", required=True)
_INSTANT: Schema = {"type": "string", "format": "date-time"}
_EVENT_TIMES = (
    Parameter("after", "query", "Only events of this time or later.", schema=_INSTANT),
    Parameter("before", "query", "Only events before this time.", schema=_INSTANT),
    Parameter("sortDirection", "query", "The order by time; descending by default.", schema={"enum": ["asc", "desc"]}),
)
_DECLARED = Parameter("declared", "query", "Also the events of jobs and datasets, without a run.", schema={"type": "boolean"})
_PERIOD = (
    Parameter("period", "query", "The last 24 hours, or the last 7 days.", schema={"enum": ["DAY", "WEEK"], "default": "DAY"}),
    Parameter("timezone", "query", "Where days begin; needed for WEEK."),
)
_STATISTICS: Schema = {"type": "array", "items": OBJECT}
_DAY: Schema = {"type": "string", "format": "date"}


class Route(NamedTuple):
    """One address that is read. `lasting`: as in `build_endpoint`; so not what has runs, events or statistics.

    `restricted`: as of `Address`. Events are answered as they were received, and name everything; their statistics count all.
    """

    path: str
    build: Build
    shape: Shape
    parameters: Sequence[Parameter] = ()
    lasting: bool = False
    restricted: bool = True


ROUTES = (
    Route(f"{PREFIX}/namespaces", namespaces.list_namespaces, shapes.Namespaces, _PAGE, lasting=True),
    Route(f"{PREFIX}/tags", namespaces.list_tags, shapes.Tags, _PAGE, lasting=True),
    Route(_NAMESPACE, namespaces.get_namespace, shapes.Namespace, lasting=True),
    Route(f"{PREFIX}/sources/{{source}}", namespaces.get_data_source, shapes.DataSource, lasting=True),
    Route(f"{_NAMESPACE}/datasets", datasets.list_datasets, shapes.Datasets, _PAGE),
    Route(f"{_NAMESPACE}/datasets/{{dataset}}", datasets.get_dataset, shapes.Dataset),
    Route(f"{_NAMESPACE}/datasets/{{dataset}}/versions", versions.list_dataset_versions, shapes.DatasetVersions, _PAGE),
    Route(f"{_NAMESPACE}/datasets/{{dataset}}/versions/{{version}}", versions.get_dataset_version, shapes.DatasetVersion),
    Route(f"{PREFIX}/jobs", jobs.list_jobs, shapes.Jobs, (*_PAGE, _LAST_STATES)),
    Route(f"{_NAMESPACE}/jobs", jobs.list_jobs_of_namespace, shapes.Jobs, (*_PAGE, _LAST_STATES)),
    Route(f"{_NAMESPACE}/jobs/{{job}}/versions", versions.list_job_versions, shapes.JobVersions, _PAGE),
    Route(f"{_NAMESPACE}/jobs/{{job}}/versions/{{version}}", versions.get_job_version, shapes.JobVersion),
    Route(f"{_NAMESPACE}/jobs/{{job}}/runs", runs.list_job_runs, shapes.Runs, _PAGE),
    Route(f"{PREFIX}/jobs/runs/{{run}}", runs.get_run, shapes.Run),
    Route(
        f"{PREFIX}/jobs/runs/{{run}}/facets",
        runs.get_run_facets,
        shapes.RunFacets,
        (Parameter("type", "query", "Those of the run, or of its job.", required=True, schema={"enum": ["run", "job"]}),),
    ),
    Route(f"{PREFIX}/events/lineage", events.list_run_events, shapes.Events, (*_PAGE, *_EVENT_TIMES, _DECLARED), restricted=False),
    Route(f"{PREFIX}/events", events.list_run_events, shapes.Events, (*_PAGE, *_EVENT_TIMES, _DECLARED), restricted=False),
    Route(
        f"{PREFIX}/events/{{namespace{REST}}}", events.list_events_of_namespace, shapes.Events, (*_PAGE, *_EVENT_TIMES), restricted=False
    ),
    Route(
        f"{PREFIX}/runlineage/upstream",
        runs.list_upstream_runs,
        shapes.UpstreamRuns,
        (Parameter("runId", "query", "The run.", required=True), _DEPTH),
    ),
    Route(f"{PREFIX}/stats/lineage-events", events.list_event_statistics, _STATISTICS, _PERIOD, restricted=False),
    Route(f"{PREFIX}/stats/jobs", events.list_job_statistics, _STATISTICS, _PERIOD),
    Route(f"{PREFIX}/stats/datasets", events.list_dataset_statistics, _STATISTICS, _PERIOD),
    Route(f"{PREFIX}/stats/sources", events.list_source_statistics, _STATISTICS, _PERIOD),
    Route(f"{_NAMESPACE}/jobs/{{job}}", jobs.get_job, shapes.Job),
    Route(f"{PREFIX}/lineage", lineage.get_lineage, shapes.Graph, (_NODE, _DEPTH)),
    Route(
        f"{PREFIX}/column-lineage",
        lineage.get_column_lineage,
        shapes.ColumnGraph,
        (_NODE, _DEPTH, Parameter("withDownstream", "query", "Also what is computed from the start.", schema={"type": "boolean"})),
        lasting=True,
    ),
    Route(
        f"{PREFIX}/search",
        search.search_names,
        shapes.Hits,
        (
            _TEXT,
            Parameter("filter", "query", "Only one of the two kinds.", schema={"enum": [*search.FILTERS]}),
            Parameter("sort", "query", "The order of the hits.", schema={"enum": [*search.SORTS]}),
            Parameter("namespace", "query", "Only this namespace."),
            Parameter("before", "query", "Only what was last observed before this day.", schema=_DAY),
            Parameter("after", "query", "Only what was last observed on this day or later.", schema=_DAY),
            _describe_limit(search.FIRST),
        ),
        lasting=True,
    ),
    Route("/api/v2beta/search/datasets", search.search_datasets, shapes.DatasetMatches, (_TEXT,)),
    Route("/api/v2beta/search/jobs", search.search_jobs, shapes.JobMatches, (_TEXT,)),
)

_list_data_sources = build_endpoint(namespaces.list_data_sources, lasting=True)


async def answer_sources(request: Request) -> Response:
    """Marquez's list of data sources; with `?source=KIND/NAME`, which needs the role writer, what a reader of that source needs to know."""
    actor = get_actor(request)
    assert actor is not None, "the address needs a role"
    if "source" not in request.query_params:
        check_access(actor, (AccessScope.READ,))
        return await _list_data_sources(request)
    check_role(actor, Role.WRITER)
    check_access(actor, (AccessScope.INGEST,))
    rules: AccessFile | None = request.app.state.access
    check_whole(None if rules is None else rules.rules, actor, Role.READER)
    return await handle_source(request)


_DATASET, _JOB = f"{_NAMESPACE}/datasets/{{dataset}}", f"{_NAMESPACE}/jobs/{{job}}"
_TAGS, _FIELD = f"{_DATASET}/tags/{{tag}}", f"{_DATASET}/fields/{{field}}/tags/{{tag}}"
_RUN = f"{PREFIX}/jobs/runs/{{run}}"
# What producers declare needs the role of those that send events; what is stated by hand, that of GraphQL's mutations.
WRITES = (
    WriteRoute("PUT", _NAMESPACE, Role.WRITER, writes.put_namespace, namespaces.get_namespace, shapes.Namespace, shapes.NamespaceMeta),
    WriteRoute("DELETE", _NAMESPACE, Role.ADMIN, writes.hide_namespace, namespaces.get_namespace, shapes.Namespace),
    WriteRoute(
        "PUT",
        f"{PREFIX}/sources/{{source}}",
        Role.WRITER,
        writes.put_data_source,
        namespaces.get_data_source,
        shapes.DataSource,
        shapes.DataSourceMeta,
    ),
    WriteRoute("PUT", f"{PREFIX}/tags/{{tag}}", Role.ADMIN, writes.put_tag, namespaces.get_tag, shapes.Tag, shapes.TagMeta),
    WriteRoute("PUT", _DATASET, Role.WRITER, writes.put_dataset, datasets.get_dataset, shapes.Dataset, shapes.DatasetMeta),
    WriteRoute("DELETE", _DATASET, Role.ADMIN, writes.hide_dataset, datasets.get_dataset, shapes.Dataset),
    WriteRoute("POST", _TAGS, Role.ADMIN, writes.add_dataset_tag, datasets.get_dataset, shapes.Dataset),
    WriteRoute("DELETE", _TAGS, Role.ADMIN, writes.remove_dataset_tag, datasets.get_dataset, shapes.Dataset),
    WriteRoute("POST", _FIELD, Role.ADMIN, writes.add_field_tag, datasets.get_dataset, shapes.Dataset),
    WriteRoute("DELETE", _FIELD, Role.ADMIN, writes.remove_field_tag, datasets.get_dataset, shapes.Dataset),
    WriteRoute("PUT", _JOB, Role.WRITER, writes.put_job, jobs.get_job, shapes.Job, shapes.JobMeta),
    WriteRoute("DELETE", _JOB, Role.ADMIN, writes.hide_job, jobs.get_job, shapes.Job),
    WriteRoute("POST", f"{_JOB}/tags/{{tag}}", Role.ADMIN, writes.add_job_tag, jobs.get_job, shapes.Job),
    WriteRoute("DELETE", f"{_JOB}/tags/{{tag}}", Role.ADMIN, writes.remove_job_tag, jobs.get_job, shapes.Job),
    WriteRoute("POST", f"{_JOB}/runs", Role.WRITER, writes.post_run, runs.get_run, shapes.Run, shapes.RunMeta, 201),
    WriteRoute("POST", f"{_RUN}/{{transition}}", Role.WRITER, writes.post_transition, runs.get_run, shapes.Run),
)

SOURCES = f"{PREFIX}/sources"
ADDRESSES = (
    *(Address(route.path, (route.method,), route.role, build_write_endpoint(route)) for route in WRITES),
    Address(SOURCES, ("GET",), Role.READER, answer_sources, scopes=(AccessScope.READ, AccessScope.INGEST), restricted=True),
    *(
        Address(
            route.path,
            ("GET",),
            Role.READER,
            build_endpoint(route.build, lasting=route.lasting),
            restricted=route.restricted,
            question=True,
        )
        for route in ROUTES
    ),
)


def _describe_route(route: Route) -> Operation:
    answers = {200: build_json_answer(route.build.__doc__ or "", route.shape), **_ERRORS, **_MISSING}
    if route.lasting:
        answers[304] = UNCHANGED
    return Operation(f"Marquez: {(route.build.__doc__ or '').splitlines()[0]}", answers, parameters=(*route.parameters, _AS_OF))


def _describe_write(route: WriteRoute) -> Operation:
    meaning = route.write.__doc__ or ""
    answer = Answer(meaning, {JSON: route.shape}, ("Location",) if route.status == 201 else ())
    refused = {
        413: _build_error("The body is too large."),
        415: _build_error("This address does not accept the content type or encoding."),
    }
    answers = {route.status: answer, **_ERRORS, **_MISSING, **({} if route.body is None else refused)}
    at = (Parameter("at", "query", "When; now by default.", schema=_INSTANT),) if "{transition}" in route.path else ()
    return Operation(f"Marquez: {meaning.splitlines()[0]}", answers, route.body, () if route.body is None else (JSON,), parameters=at)


OPERATIONS = {
    **{(route.path, "GET"): _describe_route(route) for route in ROUTES},
    **{(route.path, route.method): _describe_write(route) for route in WRITES},
}
