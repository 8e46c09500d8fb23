"""`meshline runs` and `meshline events`: the runs of jobs and datasets, and the events that were received."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeAlias

import msgspec
import typer

from meshline.cli.answer_types import NamedAsset, describe_kind, format_heading, format_moment, format_rest, format_table
from meshline.cli.client import Client, convert_answer, read_query, resolve_assets
from meshline.cli.completion import complete_asset
from meshline.cli.diff import BucketName
from meshline.cli.options import HELP, Limit, ListFormat, Server, Store, TextFormat, format_iso_time, parse_time
from meshline.cli.terminal import Answer, Line
from meshline.errors import InvalidInput, NotFound
from meshline.graph.model import Json
from meshline.words import format_count

PAGE = 200  # events asked for at once: each contains what its producer sent
COUNTED_DAYS = 7  # if no time is given


class EventFormat(enum.StrEnum):
    """The formats of events."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"


Since: TypeAlias = Annotated[
    datetime | None,
    typer.Option(help=f"Only events of this time or later. {HELP}", parser=parse_time, metavar="TIME", show_default=False),
]
Until: TypeAlias = Annotated[
    datetime | None,
    typer.Option(help=f"Only events before this time. {HELP}", parser=parse_time, metavar="TIME", show_default=False),
]


def runs(
    asset: Annotated[
        str | None,
        typer.Argument(
            help="A job, or a dataset that runs write; or the id of a run in the graph (`run_...`).",
            metavar="ASSET",
            autocompletion=complete_asset,
        ),
    ] = None,
    *,
    run_id: Annotated[
        str | None,
        typer.Option(
            help="Instead: the run with this run id, in full; if several jobs have one, a list of them.", metavar="ID", show_default=False
        ),
    ] = None,
    reads: Annotated[bool, typer.Option("--reads", help="Of a dataset: the runs that read it, instead of those that write it.")] = False,
    limit: Limit = 25,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """List the runs of a job or dataset, the newest first.

    Or show one run, with its inputs, outputs and facets.
    """
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_answer

    if (asset is None) == (run_id is None):
        raise typer.BadParameter("give one of ASSET and --run-id")
    with open_client(store, server) as source:
        if run_id is not None:
            data = source.ask(read_query("runs-by-id"), {"runId": run_id, "first": limit})["runsById"]
            found = convert_answer(data, RunPage)
            one = len(found.nodes) == 1
            answer = (
                _show_run(source, found.nodes[0].id) if one else Answer(data, list(_format_runs(found, f"no run has the id {run_id!r}")))
            )
        else:
            assert asset is not None
            answer = _show_run(source, asset) if asset.startswith("run_") else _list_runs(source, asset, limit, reads=reads)
    write_answer(answer, as_json=format is TextFormat.JSON)


def events(
    *,
    since: Since = None,
    until: Until = None,
    count: Annotated[
        BucketName | None,
        typer.Option(help=f"Count events by their types in each span instead. [--since: {COUNTED_DAYS}d]", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Maximum number of events.")] = 100,
    format: Annotated[  # noqa: A002 - the option's name
        EventFormat, typer.Option("--format", help="text for people, json for programs; ndjson: the events themselves, one on each line.")
    ] = EventFormat.TEXT,
    store: Store = None,
    server: Server = None,
) -> None:
    """List the events that are kept, the newest first.

    `meshline export openlineage` writes all of a store, in order of arrival.
    """
    import sys

    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_json, write_lines

    if count is not None and format is EventFormat.NDJSON:
        raise typer.BadParameter("--count has the formats text and json")
    with open_client(store, server) as source:
        if count is not None:
            end = until if until is not None else datetime.now(UTC)
            start = since if since is not None else end - timedelta(days=COUNTED_DAYS)
            asked = {"from": start.isoformat(), "to": end.isoformat(), "bucket": count.name}
            counts = source.ask(read_query("event-counts"), asked)["eventCounts"]
            if format is EventFormat.JSON:
                write_json(counts)
            else:
                write_lines(_format_counts(convert_answer(counts, list[EventCount])))
            return
        found = _list_events(source, since, until, limit)
    if format is EventFormat.JSON:
        write_json(found)
    elif format is EventFormat.NDJSON:
        sys.stdout.writelines(msgspec.json.encode(_get_body(event)).decode() + "\n" for event in found)
    else:
        write_lines(_format_events(convert_answer(found, list[Event])))


class Run(msgspec.Struct, rename="camel", frozen=True):
    id: str
    run_id: str
    source: str
    job_namespace: str
    job_name: str
    state: str
    started_at: str
    ended_at: str | None
    last_event_at: str
    duration_ms: float | None
    error: str | None
    withheld: bool


class RunPage(msgspec.Struct, rename="camel", frozen=True):
    total_count: int
    complete_since: str | None
    nodes: list[Run]


class RunData(msgspec.Struct, frozen=True):
    """A dataset of a run, as its producer spells it, and the dataset of the graph."""

    namespace: str
    name: str
    dataset: NamedAsset | None


class Parent(msgspec.Struct, rename="camel", frozen=True):
    run_id: str
    job_namespace: str
    job_name: str


class WholeRun(Run, rename="camel", frozen=True):
    """The answer to `run.graphql`."""

    nominal_start: str | None
    nominal_end: str | None
    parent: Parent | None
    inputs: list[RunData]
    outputs: list[RunData]
    facets: dict[str, Any]
    job_facets: dict[str, Any]


STYLES = {"COMPLETE": "", "FAIL": "bold red", "ABORT": "red", "RUNNING": "yellow"}


def _list_runs(source: Client, name: str, limit: int, *, reads: bool) -> Answer:
    (asset,) = resolve_assets(source, [name])
    if asset.kind not in ("JOB", "DATASET"):
        raise InvalidInput(f"{asset.qualified_name} is a {describe_kind(asset)}; accepted is a job or a dataset", "ASSET")
    if reads and asset.kind != "DATASET":
        raise InvalidInput(f"{asset.qualified_name} is a job; accepted is a dataset", "--reads")
    node = source.ask(read_query("runs"), {"id": asset.id, "role": "READS" if reads else "WRITES", "first": limit})["node"]
    assert isinstance(node, dict)
    return Answer(node["runs"], list(_format_runs(convert_answer(node["runs"], RunPage), f"no run of {asset.qualified_name} is known")))


def _show_run(source: Client, run: str) -> Answer:
    data = source.ask(read_query("run"), {"id": run})["run"]
    if data is None:
        raise NotFound(f"there is no run {run!r}, or its record is not kept; --run-id finds runs by the id that their producer sent")
    return Answer(data, list(_format_run(convert_answer(data, WholeRun))))


def _format_runs(page: RunPage, nothing: str) -> Iterator[Line]:
    dropped = f"older runs were dropped: the list is complete since {format_moment(page.complete_since)}" if page.complete_since else ""
    if not page.nodes:
        yield Line(nothing)
        yield from [Line(dropped)] if dropped else []
        return
    rows = [
        (format_moment(run.started_at), run.state.lower(), _format_duration(run), f"{run.job_namespace}/{run.job_name}", run.run_id)
        for run in page.nodes
    ]
    head, *lines = format_table([("started", "state", "took", "job", "run id"), *rows])
    yield head
    yield from (Line(line.text, STYLES.get(run.state, "")) for line, run in zip(lines, page.nodes, strict=True))
    yield from format_rest(page.total_count, len(page.nodes))
    yield from [Line(dropped)] if dropped else []


def _format_duration(run: Run) -> str:
    if run.duration_ms is None:
        return ""
    seconds = run.duration_ms / 1000
    return f"{seconds:.1f}s" if seconds < 120 else f"{seconds / 60:.0f}m" if seconds < 7200 else f"{seconds / 3600:.1f}h"


def _format_run(run: WholeRun) -> Iterator[Line]:
    yield Line(f"run {run.run_id} of {run.job_namespace}/{run.job_name}: {run.state.lower()}", STYLES.get(run.state) or "bold")
    properties = [
        ("started", format_moment(run.started_at)),
        ("ended", format_moment(run.ended_at)),
        ("took", _format_duration(run)),
        ("scheduled for", format_moment(run.nominal_start)),
        ("started by", f"run {run.parent.run_id} of {run.parent.job_namespace}/{run.parent.job_name}" if run.parent else ""),
        ("source", run.source),
        ("run facets", ", ".join(sorted(run.facets))),
        ("job facets", ", ".join(sorted(run.job_facets))),
    ]
    yield from format_table([(name, text) for name, text in properties if text], indent="  ")
    if run.error:
        yield from format_heading("ERROR")
        yield from (Line(f"  {line}", "red") for line in run.error.splitlines())
    for title, datasets in (("INPUTS", run.inputs), ("OUTPUTS", run.outputs)):
        if datasets:
            yield from format_heading(title)
            yield from (Line(f"  {one.dataset.qualified_name if one.dataset else f'{one.namespace}/{one.name}'}") for one in datasets)
    if run.withheld:
        yield Line("")
        yield Line("! It names assets that you may not see: its error, its facets and some inputs and outputs are withheld.", "yellow")


class Event(msgspec.Struct, rename="camel", frozen=True):
    at: str
    type: str
    source: str
    run_id: str | None
    job_namespace: str | None
    job_name: str | None


class EventCount(msgspec.Struct, frozen=True):
    """The events of a span, by type."""

    at: str
    start: int
    running: int
    complete: int
    fail: int
    abort: int
    other: int


def _list_events(source: Client, since: datetime | None, until: datetime | None, limit: int) -> list[Json]:
    found: list[Json] = []
    after: Json = None
    while len(found) < limit:
        asked = {"from": format_iso_time(since), "to": format_iso_time(until), "first": min(PAGE, limit - len(found)), "after": after}
        page = source.ask(read_query("events-kept"), asked)["events"]
        assert isinstance(page, dict)
        nodes, info = page["nodes"], page["pageInfo"]
        assert isinstance(nodes, list)
        assert isinstance(info, dict)
        found += nodes
        if not info["hasNextPage"]:
            break
        after = info["endCursor"]
    return found


def _get_body(event: Json) -> Json:
    assert isinstance(event, dict)
    return event["body"]


def _format_events(found: list[Event]) -> Iterator[Line]:
    if not found:
        yield Line("no event is kept of this time: the setting raw_retention_days states how long they are")
        return
    rows = [
        (
            format_moment(one.at),
            one.type.lower(),
            f"{one.job_namespace}/{one.job_name}" if one.job_name else "",
            one.run_id or "",
            one.source,
        )
        for one in found
    ]
    yield from format_table([("time", "type", "job", "run id", "source"), *rows])


def _format_counts(found: list[EventCount]) -> Iterator[Line]:
    types = ("start", "running", "complete", "fail", "abort", "other")
    rows = [(*(str(getattr(one, name)) for name in types), format_moment(one.at)) for one in found]
    total = sum(sum(getattr(one, name) for name in types) for one in found)
    yield Line(format_count(total, "event"), "bold")
    yield from format_table([(*types, "from"), *rows], right=len(types), indent="  ")
