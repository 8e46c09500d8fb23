"""`meshline paths FROM TO` and `meshline evidence FROM TO`: how data flows from one asset to another, and which statements prove it."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, TypeAlias

import msgspec
import typer

from meshline.cli.answer_types import Asset, NamedAsset, Names, format_heading, format_moment
from meshline.cli.client import Client, convert_answer, read_query, resolve_assets
from meshline.cli.completion import complete_asset
from meshline.cli.lineage import escape_mermaid
from meshline.cli.options import AsOf, ListFormat, Reach, ReachName, Server, Store, TextFormat, format_iso_time
from meshline.cli.terminal import Answer, Line
from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.words import format_count


class PathFormat(enum.StrEnum):
    """The formats of paths."""

    TEXT = "text"
    JSON = "json"
    MERMAID = "mermaid"


Format: TypeAlias = Annotated[PathFormat, typer.Option("--format", help="text, json or Mermaid.")]
End: TypeAlias = Annotated[
    str, typer.Argument(help="The column or dataset that it flows to, by any of its names.", metavar="TO", autocompletion=complete_asset)
]
Start: TypeAlias = Annotated[
    str,
    typer.Argument(help="The column or dataset that data flows from, by any of its names.", metavar="FROM", autocompletion=complete_asset),
]


def paths(
    start: Start,
    end: End,
    *,
    reach: Reach = ReachName.POSSIBLE,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Maximum number of paths.")] = 5,
    as_of: AsOf = None,
    format: Format = PathFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show how data flows from one asset to another.

    The most certain paths first, then the shortest; with the jobs, and where values are masked.
    """
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_json, write_lines

    at = format_iso_time(as_of)
    with open_client(store, server) as source:
        begin, target = resolve_assets(source, [start, end], at)
        data = source.ask(read_query("paths"), {"from": begin.id, "to": target.id, "reach": reach.name, "first": limit, "asOf": at})[
            "paths"
        ]
    if format is PathFormat.JSON:
        write_json(data)
        return
    found = convert_answer(data, list[Path])
    if format is PathFormat.TEXT:
        write_lines(_format_paths(found, begin, target, reach))
    else:
        write_lines(Line(line) for line in _format_mermaid(found))


def evidence(
    start: Start,
    end: End,
    *,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Maximum number of statements.")] = 5,
    as_of: AsOf = None,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show the statements that prove a flow.

    With their sources, times, jobs, runs and SQL. The flow is a single step: `meshline paths` finds the steps between two assets.
    """
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_answer

    with open_client(store, server) as source:
        answer = find_evidence(source, start, end, limit, format_iso_time(as_of))
    write_answer(answer, as_json=format is TextFormat.JSON)


class Step(msgspec.Struct, rename="camel", frozen=True):
    """An asset on a path, and how the path reaches it; the first has no `edge_type`."""

    asset: Asset
    edge_type: str | None
    subtype: str | None
    masking: bool
    reach: str | None
    source: str | None
    last_observed: str | None
    hidden: int
    job: NamedAsset | None


class Path(msgspec.Struct, rename="camel", frozen=True):
    steps: list[Step]

    @property
    def reach(self) -> str:
        """The weakest reach of its steps."""
        order = [name.name for name in ReachName]
        return max((step.reach for step in self.steps if step.reach), key=order.index, default=order[0])

    @property
    def length(self) -> int:
        return sum(step.edge_type == "FLOWS_TO" for step in self.steps)


def _format_paths(found: Sequence[Path], start: Asset, end: Asset, reach: ReachName) -> Iterator[Line]:
    names = Names([start, end, *(step.asset for path in found for step in path.steps)])
    if not found:
        weaker = "" if reach is ReachName.POSSIBLE else f" with the reach {reach.value}; --reach possible follows all lineage"
        yield Line(f"no path is known from {names(start)} to {names(end)}{weaker}")
        return
    yield Line(f"{format_count(len(found), 'path')} from {names(start)} to {names(end)}", "bold")
    for path in found:
        masked = ", masked" if any(step.masking for step in path.steps) else ""
        yield from format_heading(f"{path.reach.lower()}{masked}, {format_count(path.length, 'step')}")
        for step in path.steps:
            yield Line(f"  {names(step.asset)}" if step.edge_type is None else f"  -> {names(step.asset)}")
            if step.edge_type is not None:
                yield Line(f"       {_describe_step(step)}", "dim")


def _describe_step(step: Step) -> str:
    if step.hidden:
        return f"through {format_count(step.hidden, 'asset')} that you may not see"
    if step.edge_type == "HAS_COLUMN":
        return "its column" if step.asset.kind == "COLUMN" else "the dataset of it"
    kind = step.subtype.lower() if step.subtype else (step.reach or "").lower()
    job = f" by {step.job.qualified_name}" if step.job is not None else ""
    stated = f", stated by {step.source} at {format_moment(step.last_observed)}" if step.source else ""
    return f"{kind}{', masking' if step.masking else ''}{job}{stated}"


def _format_mermaid(found: Sequence[Path]) -> Iterator[str]:
    """A Mermaid flowchart of all paths together; what several have in common is drawn once."""
    yield "flowchart LR"
    assets: Mapping[str, Asset] = {step.asset.id: step.asset for path in found for step in path.steps}
    names = Names(assets.values())
    for asset in assets.values():
        yield f"  {asset.id}[{escape_mermaid(names(asset))}]"
    drawn: dict[tuple[str, str, str], None] = {}
    for path in found:
        for before, step in zip(path.steps, path.steps[1:], strict=False):
            job = f"|{escape_mermaid(step.job.name)}|" if step.job is not None else ""
            arrow = {"DIRECT": "-->", "INDIRECT": "-.->"}.get(step.reach or "DIRECT", "==>")
            drawn[before.asset.id, f"{arrow}{job}", step.asset.id] = None
    yield from (f"  {before} {arrow} {after}" for before, arrow, after in drawn)


class Job(msgspec.Struct, rename="camel", frozen=True):
    qualified_name: str
    sql: str | None
    integration: str | None


class Run(msgspec.Struct, rename="camel", frozen=True):
    id: str
    run_id: str
    state: str
    started_at: str


class Proof(msgspec.Struct, rename="camel", frozen=True):
    """A statement that contains the flow."""

    source: str
    statement: str
    first_seen: str
    last_observed: str
    provisional: bool
    stale: bool
    job: Job | None
    run: Run | None


class Edge(msgspec.Struct, rename="camel", frozen=True):
    """A flow with the statements that prove it."""

    begin: NamedAsset = msgspec.field(name="from")
    end: NamedAsset = msgspec.field(name="to")
    reach: str
    subtype: str
    masking: bool
    stale: bool
    provisional: bool
    evidence_total: int
    evidence: list[Proof]


def find_evidence(source: Client, start: str, end: str, limit: int, as_of: str | None) -> Answer:
    """The statements that prove the flows of one step from an asset to another. Raises InvalidInput if there are none."""
    begin, target = resolve_assets(source, [start, end], as_of)
    granularity = "COLUMN" if "COLUMN" in (begin.kind, target.kind) else "DATASET"
    asked = {"of": [begin.id], "granularity": granularity, "first": limit, "asOf": as_of}
    data = source.ask(read_query("evidence"), asked)["lineage"]
    assert isinstance(data, dict)
    all_edges, every = data["edges"], convert_answer(data["edges"], list[Edge])
    assert isinstance(all_edges, list)
    places = [place for place, edge in enumerate(every) if target.id in (edge.end.id, *_list_datasets(edge.end, target))]
    if not places:
        names = Names([begin, target])
        raise InvalidInput(
            f"no single step from {names(begin)} to {names(target)} is known; `meshline paths` shows the steps between them", "TO"
        )
    edges = [every[place] for place in places]
    answer: Json = {"edges": [all_edges[place] for place in places]}
    return Answer(answer, list(_format_evidence(edges)))


def _list_datasets(end: NamedAsset, target: Asset) -> Iterator[str]:
    """The id of the target if the edge ends in one of its columns."""
    if target.kind == "DATASET" and end.kind == "COLUMN" and end.qualified_name.startswith(f"{target.qualified_name}."):
        yield target.id


def _format_evidence(edges: Sequence[Edge]) -> Iterator[Line]:
    for place, edge in enumerate(edges):
        if place:
            yield Line("")
        kind = " ".join(part.lower() for part in (edge.reach, edge.subtype) if part)
        marks = [name for name, given in (("masking", edge.masking), ("stale", edge.stale), ("provisional", edge.provisional)) if given]
        yield Line(f"{edge.begin.qualified_name} -> {edge.end.qualified_name}", "bold")
        yield Line(f"  {', '.join([kind, *marks])}; {format_count(edge.evidence_total, 'statement')}")
        for proof in edge.evidence:
            yield from _format_proof(proof)
        if edge.evidence_total > len(edge.evidence):
            yield Line(f"  and {edge.evidence_total - len(edge.evidence)} more: --limit shows more of them", "dim")


def _format_proof(proof: Proof) -> Iterator[Line]:
    marks = "".join(f", {name}" for name, given in (("stale", proof.stale), ("provisional", proof.provisional)) if given)
    seen = f"since {format_moment(proof.first_seen)}, last stated at {format_moment(proof.last_observed)}"
    yield Line(f"  {proof.source} {seen}{marks} ({proof.statement})")
    if proof.job is not None:
        yield Line(f"    job {proof.job.qualified_name}{f' ({proof.job.integration})' if proof.job.integration else ''}")
        if proof.job.sql:
            yield from (Line(f"      {line}", "dim") for line in proof.job.sql.strip().splitlines())
    if proof.run is not None:
        yield Line(f"    run {proof.run.run_id}, {proof.run.state.lower()}, started at {format_moment(proof.run.started_at)}")
