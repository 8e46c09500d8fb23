"""Requests that write: what a request states, and what is committed of it.

What producers declare (datasets, jobs, runs) becomes an OpenLineage event of the source SOURCE, so that a replay states it again. Tags are
statements of a person, as those of the GraphQL API. All else is registered by name (`registrations`).
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote, urlsplit

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from meshline.api.errors import JSON, Forbidden
from meshline.api.graphql.http import GraphQLEndpoint
from meshline.api.marquez.datasets import DATASET_FACET, list_tag_names
from meshline.api.marquez.question import (
    LONGEST,
    NAMED,
    Build,
    Question,
    build_limits,
    build_not_found,
    parse_time,
)
from meshline.api.marquez.registrations import Entry, Registered, RegisteredEntry, build_records
from meshline.api.marquez.runs import RUN_FACET, RunFacet, get_stored_run, read_run_facet
from meshline.api.marquez.shapes import DatasetMeta, DataSourceMeta, JobMeta, Name, NamespaceMeta, RunMeta, TagMeta
from meshline.api.permissions import get_actor
from meshline.api.rest.request_body import check_media, decode_json, read_body
from meshline.app.manual_statements import PERSON, ManualStatement, build_tag_statement, commit_statements
from meshline.app.service import Resources, Service
from meshline.app.tokens import Actor, Role
from meshline.errors import InvalidInput, NotFound
from meshline.graph.content import EMPTY
from meshline.graph.model import (
    AssetKey,
    AssetKind,
    Statement,
    build_column_key,
    from_micros,
    get_current_micros,
    parse_source_kind,
)
from meshline.graph.queries.assets import read_attributes
from meshline.graph.store.base import Run as StoredRun
from meshline.ingest.openlineage.run_state import decode_run_record

SOURCE = "openlineage/marquez-api"  # of the events
AUTHOR = "marquez-api"  # the person who states tags, on a server without tokens
PRODUCER = "https://marquezproject.ai/openapi.html"
_FACET = {"_producer": PRODUCER, "_schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/BaseFacet"}
_SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
MEDIA = frozenset({JSON})
LONGEST_TAG = 500  # characters
_creation = threading.Lock()  # of runs: whether an id exists is asked, and the run stored, before the next request asks
TYPES = {"start": "START", "complete": "COMPLETE", "fail": "FAIL", "abort": "ABORT"}


class Event(NamedTuple):
    """An event that is ingested, and its source."""

    body: Mapping[str, Any]
    source: str = SOURCE


class Change(NamedTuple):
    """What a request writes. `path`: parameters of its answer beside those of its address."""

    events: Sequence[Event] = ()
    statements: Sequence[ManualStatement] = ()
    entries: Sequence[tuple[Entry, int]] = ()  # each with its time in microseconds
    path: Mapping[str, str] = {}


Write: TypeAlias = Callable[[Question, Actor, Any], Change]


class WriteRoute(NamedTuple):
    """A request that writes. `build`: its answer, from the graph as it is afterwards. `body`: None if it has none."""

    method: str
    path: str
    role: Role
    write: Write
    build: Build
    shape: type[msgspec.Struct]
    body: type[msgspec.Struct] | None = None
    status: int = 200


def build_write_endpoint(route: WriteRoute) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a request that writes."""
    decoder = None if route.body is None else msgspec.json.Decoder(route.body)

    async def answer(request: Request) -> Response:
        service: Service = request.app.state.service
        endpoint: GraphQLEndpoint = request.app.state.endpoint
        opened, actor = service.resources, get_actor(request)
        assert actor is not None, "the address needs a role"
        _check_origin(request)
        body = None if decoder is None else await _read_body(request, decoder, service.settings.max_body_bytes)
        work = partial(_write, opened, endpoint, actor, request.path_params, request.query_params, body, route)
        content, path = await endpoint.lane.run(work)
        location = {"Location": f"/api/v1/jobs/runs/{quote(path['run'], safe='')}"} if route.status == 201 else {}
        return Response(content, route.status, location, JSON)

    return answer


async def _read_body(request: Request, decoder: msgspec.json.Decoder[Any], limit: int) -> Any:
    check_media(request, MEDIA, optional=True)
    return decode_json(decoder, await read_body(request, limit) or b"{}", "body of this request")


def _check_origin(request: Request) -> None:
    """Refuse what a page of a foreign site sends: a POST without a body needs no leave of the server. Raises Forbidden."""
    origin = request.headers.get("origin")
    if origin is not None and request.headers.get("sec-fetch-site") not in ("same-origin", "none"):
        host = urlsplit(origin).netloc
        if request.headers.get("sec-fetch-site") == "cross-site" or host != request.headers.get("host", ""):
            raise Forbidden(f"a page of {origin[:200]!r} may not write here: serve it under the address of the API", Role.WRITER)


def _write(
    opened: Resources,
    endpoint: GraphQLEndpoint,
    actor: Actor,
    path: Mapping[str, str],
    query: QueryParams,
    body: Any,
    route: WriteRoute,
) -> tuple[bytes, Mapping[str, str]]:
    """The answer as JSON, and the parameters of its address."""
    live = opened.live
    with _creation if route.write is post_run else nullcontext():
        limits = build_limits(endpoint)
        with live.lock.set_deadline(limits.deadline), live.lock:
            change = route.write(Question(live, live.index, opened.naming, limits, path, query), actor, body)
        for future in [opened.pipeline.submit(msgspec.json.encode(event.body), event.source) for event in change.events]:
            future.result()
    if change.statements or change.entries:
        records = [record for entry, at in change.entries for record in build_records(_name_author(actor), entry, at)]
        commit_statements(live, _name_author(actor), change.statements, records)
    path, limits = {**path, **change.path}, build_limits(endpoint)
    with live.lock.set_deadline(limits.deadline), live.lock:
        return msgspec.json.encode(route.build(Question(live, live.index, opened.naming, limits, path, QueryParams()))), path


def _name_author(actor: Actor) -> str:
    return actor.name or AUTHOR


# -- what is registered


def put_namespace(question: Question, _actor: Actor, body: NamespaceMeta) -> Change:
    """Register the owner and the description of a namespace, and show it again if it is hidden."""
    name = _check_name(question.path["namespace"], "namespace")
    return _register(question, Entry(Registered.NAMESPACE, (name,), owner=body.owner_name, description=body.description))


def put_data_source(question: Question, _actor: Actor, body: DataSourceMeta) -> Change:
    """Register a data source."""
    name = _check_name(question.path["source"], "source")
    return _register(
        question, Entry(Registered.SOURCE, (name,), description=body.description, type=body.type.upper(), url=body.connection_url)
    )


def put_tag(question: Question, _actor: Actor, body: TagMeta) -> Change:
    """Register the description of a tag."""
    return _register(question, Entry(Registered.TAG, (_check_tag(question.path["tag"]),), description=body.description))


def hide_namespace(question: Question, _actor: Actor, _body: None) -> Change:
    """Hide a namespace with its datasets and jobs, until a later event names one of them."""
    question.check_namespace()
    name = question.path["namespace"]
    known = question.find_entry(Registered.NAMESPACE, name)
    nodes = [node for kind in NAMED for node in question.list_of_namespace(kind)]
    entry = Entry(Registered.NAMESPACE, (name,)) if known is None else known.entry
    return _hide(question, msgspec.structs.replace(entry, hidden=True), nodes)


def hide_dataset(question: Question, _actor: Actor, _body: None) -> Change:
    """Hide a dataset, until a later event names it. Lineage goes through it as before."""
    node = question.get_dataset()
    return _hide(question, Entry(Registered.DATASET, question.index.assets.get_key(node).parts, hidden=True), [node])


def hide_job(question: Question, _actor: Actor, _body: None) -> Change:
    """Hide a job, until a later event names it. Lineage goes through it as before."""
    node = question.get_job()
    return _hide(question, Entry(Registered.JOB, question.index.assets.get_key(node).parts, hidden=True), [node])


def _register(question: Question, entry: Entry) -> Change:
    """An entry, if it differs from the one that is known."""
    known = question.find_entry(entry.kind, *entry.name)
    return Change() if known is not None and known.entry == entry else Change(entries=[(entry, _find_time(known))])


def _hide(question: Question, entry: Entry, nodes: Iterable[int]) -> Change:
    """An entry that hides these assets, later than what was observed of them until now."""
    nodes = list(nodes)
    if entry.kind is not Registered.NAMESPACE and question.hidden.issuperset(nodes):
        return Change()
    last = question.times[1]
    known = question.find_entry(entry.kind, *entry.name)
    return Change(entries=[(entry, max([_find_time(known), *(int(last[node]) for node in nodes)]))])


def _find_time(known: RegisteredEntry | None) -> int:
    """The time of a new entry: now, and after the one that is known."""
    return get_current_micros() if known is None else max(get_current_micros(), known.at + 1)


def _check_name(name: str, where: str) -> str:
    if not name.strip() or len(name) > LONGEST:
        raise InvalidInput(f"give a name of 1 to {LONGEST} characters", where)
    return name


# -- what is declared


def put_dataset(question: Question, actor: Actor, body: DatasetMeta) -> Change:
    """Declare a dataset with its columns; of a run (`runId`) also as what it writes."""
    question.check_namespace()
    namespace, name = question.path["namespace"], _check_name(question.path["dataset"], "dataset")
    if not question.has_source(body.source_name):
        raise build_not_found("Source", body.source_name)
    dataset = {"namespace": namespace, "name": name, "facets": _build_dataset_facets(question, body)}
    events = [_build_event(get_current_micros(), "DatasetEvent", dataset=dataset)]
    if body.run_id is not None:
        events.append(_continue_run(get_stored_run(question, body.run_id), "RUNNING", outputs=[dataset]))
    key = question.naming.normalise_dataset(namespace, name)
    node = question.find_dataset(namespace, name)
    key = key if node is None else question.index.assets.get_key(node)
    tagged = [(key, tag) for tag in body.tags or ()]
    tagged += [(build_column_key(key, field.name), tag) for field in body.fields or () for tag in field.tags or ()]
    return Change(events, [build_tag_statement(_name_author(actor), on, _check_tag(tag)) for on, tag in tagged])


def _build_dataset_facets(question: Question, body: DatasetMeta) -> dict[str, Any]:
    known = question.find_entry(Registered.SOURCE, body.source_name)
    url = body.source_name if known is None else known.entry.url
    facets: dict[str, Any] = {
        "dataSource": {**_FACET, "name": body.source_name, "uri": url},
        DATASET_FACET: {
            **_FACET,
            "type": body.type,
            "physicalName": body.physical_name,
            **({} if body.schema_location is None else {"schemaLocation": body.schema_location}),
        },
    }
    if body.fields is not None:
        fields = [{"name": field.name, "type": field.type, "description": field.description} for field in body.fields]
        facets["schema"] = {**_FACET, "fields": [{name: value for name, value in one.items() if value is not None} for one in fields]}
    if body.description is not None:
        facets["documentation"] = {**_FACET, "description": body.description}
    if body.type == "STREAM":
        facets["datasetType"] = {**_FACET, "datasetType": "TOPIC"}
    return facets


def put_job(question: Question, actor: Actor, body: JobMeta) -> Change:
    """Declare a job with what it reads and writes; of a run (`runId`) also as what that run does."""
    question.check_namespace()
    namespace, name = question.path["namespace"], _check_name(question.path["job"], "job")
    for of_one in (*(body.inputs or ()), *(body.outputs or ())):
        if question.find_dataset(of_one.namespace, of_one.name) is None:
            raise build_not_found("Dataset", of_one.name)
    type_ = "BATCH" if body.type == "BATCH" else "STREAMING"
    facets: dict[str, Any] = {"jobType": {**_FACET, "processingType": type_, "integration": "MARQUEZ", "jobType": "JOB"}}
    if body.location is not None:
        facets["sourceCodeLocation"] = {**_FACET, "type": "url", "url": body.location}
    if body.description is not None:
        facets["documentation"] = {**_FACET, "description": body.description}
    inputs, outputs = ([_build_mention(one) for one in named or ()] for named in (body.inputs, body.outputs))
    job = {"namespace": namespace, "name": name, "facets": facets}
    events = [_build_event(get_current_micros(), "JobEvent", job=job, inputs=inputs, outputs=outputs)]
    if body.run_id is not None:
        run = get_stored_run(question, body.run_id)
        if run.key.job.parts != (namespace, name):
            raise InvalidInput(f"the run is of the job {run.key.job.name!r}", "runId")
        events.append(_continue_run(run, "RUNNING", inputs=inputs, outputs=outputs))
    key = AssetKey(AssetKind.JOB, (namespace, name))
    return Change(events, [build_tag_statement(_name_author(actor), key, _check_tag(tag)) for tag in body.tags or ()])


def _build_mention(name: Name) -> dict[str, Any]:
    return {"namespace": name.namespace, "name": name.name}


def post_run(question: Question, _actor: Actor, body: RunMeta) -> Change:
    """Create a run of a job, which has not started."""
    question.get_job()
    run_id = str(uuid.uuid4()) if body.id is None else _check_name(body.id, "id")
    if question.live.store.list_runs_by_id(run_id, 1):
        raise InvalidInput(f"Run '{run_id}' already exists.")
    nominal = {"nominalStartTime": body.nominal_start_time, "nominalEndTime": body.nominal_end_time}
    for name, text in nominal.items():
        if text is not None:
            parse_time(text, name)
    facets: dict[str, Any] = {RUN_FACET: {**_FACET, **msgspec.to_builtins(RunFacet("NEW", None, body.args or {}))}}
    if any(nominal.values()):
        facets["nominalTime"] = {**_FACET, **{name: text for name, text in nominal.items() if text is not None}}
    job = {"namespace": question.path["namespace"], "name": question.path["job"]}
    event = _build_event(get_current_micros(), "RunEvent", eventType="OTHER", run={"runId": run_id, "facets": facets}, job=job)
    return Change([event], path={"run": run_id})


def post_transition(question: Question, _actor: Actor, _body: None) -> Change:
    """Start, complete, fail or abort a run, at the time `at` or now."""
    type_ = TYPES.get(question.path["transition"])
    if type_ is None:
        raise NotFound("runs start, complete, fail and abort")
    text = question.query.get("at")
    at = get_current_micros() if not text else parse_time(text, "at")
    run = get_stored_run(question, question.path["run"])
    record = decode_run_record(run.state)
    known = read_run_facet(record)
    started = at if type_ == "START" else None if known is None else known.started_at
    facet = RunFacet("RUNNING", started, {} if known is None else known.args)
    facets = {} if known is None and type_ != "START" else {RUN_FACET: {**_FACET, **msgspec.to_builtins(facet)}}
    return Change([_continue_run(run, type_, max(at, record.last + (known is not None)), facets)])


def _continue_run(
    run: StoredRun,
    type_: str,
    at: int | None = None,
    facets: Mapping[str, Any] | None = None,
    inputs: Sequence[Mapping[str, Any]] = (),
    outputs: Sequence[Mapping[str, Any]] = (),
) -> Event:
    """One more event of a run, of the source that stated the run. `at`: None: the time of its last event."""
    namespace, name = run.key.job.parts
    if at is None:
        at = decode_run_record(run.state).last
    event = _build_event(
        at,
        "RunEvent",
        eventType=type_,
        run={"runId": run.key.run_id, "facets": facets or {}},
        job={"namespace": namespace, "name": name},
        inputs=inputs,
        outputs=outputs,
    )
    return event._replace(source=run.key.source)


def _build_event(at: int, kind: str, **members: Any) -> Event:
    time = from_micros(at).isoformat().replace("+00:00", "Z")
    return Event({"eventTime": time, "producer": PRODUCER, "schemaURL": f"{_SPEC}{kind}", **members})


# -- tags


def add_dataset_tag(question: Question, actor: Actor, _body: None) -> Change:
    """State that a dataset has a tag."""
    return _add_tag(question, actor, question.get_dataset())


def add_field_tag(question: Question, actor: Actor, _body: None) -> Change:
    """State that a column has a tag."""
    return _add_tag(question, actor, _get_field(question))


def add_job_tag(question: Question, actor: Actor, _body: None) -> Change:
    """State that a job has a tag."""
    return _add_tag(question, actor, question.get_job())


def remove_dataset_tag(question: Question, _actor: Actor, _body: None) -> Change:
    """Retract that a dataset has a tag, as far as people stated it."""
    return _remove_tag(question, question.get_dataset())


def remove_field_tag(question: Question, _actor: Actor, _body: None) -> Change:
    """Retract that a column has a tag, as far as people stated it."""
    return _remove_tag(question, _get_field(question))


def remove_job_tag(question: Question, _actor: Actor, _body: None) -> Change:
    """Retract that a job has a tag, as far as people stated it."""
    return _remove_tag(question, question.get_job())


def _get_field(question: Question) -> int:
    """The column of the address. Raises NotFound."""
    dataset = question.index.assets.get_key(question.get_dataset())
    column = question.index.assets.find_by_key(build_column_key(dataset, question.path["field"]))
    if column is None:
        raise NotFound(f"Field '{question.path['field'][:LONGEST]}' not found for dataset '{question.path['dataset']}'.")
    return column


def _add_tag(question: Question, actor: Actor, node: int) -> Change:
    tag = _check_tag(question.path["tag"])
    if tag in question.index.assets.list_tags(node):
        return Change()
    return Change(statements=[build_tag_statement(_name_author(actor), question.index.assets.get_key(node), tag)])


def _remove_tag(question: Question, node: int) -> Change:
    """Retract what people stated. Raises InvalidInput if another source states the tag: it would state it again."""
    tag, index = _check_tag(question.path["tag"]), question.index
    (known,) = read_attributes(question.live, index, [node])
    others = {
        row.source
        for row in known.rows
        if row.attribute == "tags" and parse_source_kind(row.source) != PERSON and tag in list_tag_names(known._replace(rows=(row,)))
    }
    if others:
        raise InvalidInput(f"{', '.join(sorted(others))} states the tag '{tag}', not a person: remove it there", "tag")
    scopes = [index.changes.get_scope(scope_id) for scope_id in index.changes.list_scopes(node)]
    about = index.assets.get_key(node)
    return Change(
        statements=[
            ManualStatement("retract", about, Statement(one.source, one.scope, one.observed_at + 1, EMPTY))
            for one in scopes
            if one.scope[:2] == (PERSON, "tag") and one.scope[3:] == (tag,) and parse_source_kind(one.source) == PERSON
        ]
    )


def _check_tag(tag: str) -> str:
    if not tag.strip() or len(tag) > LONGEST_TAG or not tag.isprintable():
        raise InvalidInput(f"give 1 to {LONGEST_TAG} printable characters", "tag")
    return tag.strip()
