"""`meshline lineage ASSET...`: a lineage graph as text, Graphviz dot and Mermaid."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import Annotated, TypeAlias

import msgspec
import typer

from meshline.cli.answer_types import Asset, Completeness, NamedAsset, Names
from meshline.cli.options import AsOf, Assets, Depth, Reach, ReachName, Server, Store, format_iso_time
from meshline.cli.terminal import Line
from meshline.words import format_count, is_or_are


class GranularityName(enum.StrEnum):
    """What one node represents."""

    COLUMN = "column"
    DATASET = "dataset"
    PRODUCT = "product"
    DOMAIN = "domain"


class LineageFormat(enum.StrEnum):
    """The formats of a lineage graph."""

    TEXT = "text"
    JSON = "json"
    DOT = "dot"
    MERMAID = "mermaid"


Format: TypeAlias = Annotated[LineageFormat, typer.Option("--format", help="text, json, Graphviz dot or Mermaid.")]


def lineage(
    asset: Assets,
    *,
    upstream: Annotated[bool, typer.Option("--upstream", help="Show where data comes from, instead of where it goes to.")] = False,
    depth: Depth = None,
    granularity: Annotated[GranularityName, typer.Option(help="What one node represents.", case_sensitive=False)] = GranularityName.COLUMN,
    reach: Reach = ReachName.POSSIBLE,
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many nodes to show at most.")] = 500,
    format: Format = LineageFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show where data goes to, or comes from.

    By column, or grouped by dataset, product or domain.
    """
    from meshline.cli.client import convert_answer, open_client, read_query, resolve_assets
    from meshline.cli.terminal import Line, write_json, write_lines

    with open_client(store, server) as source:
        found = resolve_assets(source, asset, format_iso_time(as_of))
        variables = {
            "of": [one.id for one in found],
            "direction": "UPSTREAM" if upstream else "DOWNSTREAM",
            "depth": depth,
            "granularity": granularity.name,
            "reach": reach.name,
            "limit": limit,
            "asOf": format_iso_time(as_of),
        }
        data = source.ask(read_query("lineage"), variables)["lineage"]
    graph = convert_answer(data, Graph)
    match format:
        case LineageFormat.JSON:
            write_json(data)
        case LineageFormat.DOT:
            write_lines(Line(line) for line in format_dot(graph))
        case LineageFormat.MERMAID:
            write_lines(Line(line) for line in format_mermaid(graph))
        case LineageFormat.TEXT:
            write_lines(format_text(graph, found, upstream=upstream, granularity=granularity))


class Node(msgspec.Struct, rename="camel", frozen=True):
    asset: Asset
    reach: str
    distance: int
    masked: bool
    start: bool


class Edge(msgspec.Struct, rename="camel", frozen=True):
    """Data flows from `begin` to `end`; both are ids."""

    begin: NamedAsset = msgspec.field(name="from")
    end: NamedAsset = msgspec.field(name="to")
    reach: str
    subtype: str
    masking: bool
    count: int
    jobs: list[NamedAsset]


class Graph(msgspec.Struct, rename="camel", frozen=True):
    """The answer to `lineage.graphql`."""

    nodes: list[Node]
    edges: list[Edge]
    ungrouped: int
    completeness: Completeness


_NOUNS = {"dataset": "dataset", "product": "product", "domain": "domain"}  # what a node represents, if all nodes are of one kind
_WITH_COLUMNS = {"COLUMN", "DATASET", "DATA_PRODUCT", "DOMAIN"}
_SHOWN = 20  # datasets at the beginning of the lineage of a job, a contract or an owner
# As in docs/concepts.md: possible flows are drawn thick.
_STYLE = {"DIRECT": "solid", "INDIRECT": "dashed", "POSSIBLE": "bold"}
_ARROW = {"DIRECT": "-->", "INDIRECT": "-.->", "POSSIBLE": "==>"}


def format_text(graph: Graph, asked: Sequence[Asset], *, upstream: bool, granularity: str) -> Iterator[Line]:
    """Each node once, by distance, with its sources (or, upstream, its targets). `granularity`: column, dataset, ..."""
    names = Names([*asked, *(node.asset for node in graph.nodes), *(job for edge in graph.edges for job in edge.jobs)])
    others = [node for node in graph.nodes if not node.start]
    way = "comes from" if upstream else "flows to"
    yield Line(f"{', '.join(names(one) for one in asked)} {way} {format_count(len(others), _NOUNS.get(granularity, 'asset'))}", "bold")
    if granularity not in _NOUNS:
        yield from _format_beginning(graph, asked, names)
    else:
        yield from _format_represented(graph, asked, names, granularity)
    for distance in sorted({node.distance for node in others}):
        yield Line("")
        yield Line(f"{format_count(distance, 'step')} away", "bold")
        for node in others:
            if node.distance == distance:
                yield Line(f"  {names(node.asset)}{_format_marks(node)}")
                yield from (Line(f"      {line}", "dim") for line in _format_links(graph, node, names, upstream=upstream))
    notes = graph.completeness.notes
    if graph.ungrouped:
        belong = "belongs" if graph.ungrouped == 1 else "belong"
        notes.insert(
            0, f"{format_count(graph.ungrouped, 'dataset')} {belong} to no {granularity} and {is_or_are(graph.ungrouped)} not shown."
        )
    if notes:
        yield Line("")
        yield from (Line(f"! {note}", "yellow") for note in notes)


def _format_beginning(graph: Graph, asked: Sequence[Asset], names: Names) -> Iterator[Line]:
    """The datasets where lineage begins, if a requested asset has no columns itself: those of a job, a contract or an owner."""
    own = {one.id for one in asked}
    starts: list[NamedAsset | Asset] = [node.asset.dataset or node.asset for node in graph.nodes if node.start and node.asset.id not in own]
    if all(one.kind in _WITH_COLUMNS for one in asked) or not starts:
        return
    shown = list(dict.fromkeys(map(names, starts)))
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    yield Line(f"beginning with {', '.join(shown[:_SHOWN])}{more}")


def _format_represented(graph: Graph, asked: Sequence[Asset], names: Names, granularity: str) -> Iterator[Line]:
    """The products or domains that the answer is about, if they are not the requested assets."""
    shown = [node.asset for node in graph.nodes if node.start]
    if {one.id for one in shown} == {one.id for one in asked}:
        return
    about = ", ".join(names(one) for one in shown)
    noun = _NOUNS[granularity] if len(shown) == 1 else f"{_NOUNS[granularity]}s"
    yield Line(
        f"This is the lineage of the {noun} {about}, by --granularity {granularity}." if shown else f"It belongs to no {granularity}."
    )


def _format_marks(node: Node) -> str:
    marks = [] if node.reach == "DIRECT" else [node.reach.lower()]
    if node.masked:
        marks.append("masked")
    return f" ({', '.join(marks)})" if marks else ""


def _format_links(graph: Graph, node: Node, names: Names, *, upstream: bool) -> Iterator[str]:
    """The edges by which data reaches a node (upstream: leaves it); equal lines once."""
    assets = {known.asset.id: known.asset for known in graph.nodes}
    seen: set[str] = set()
    for edge in graph.edges:
        here, there = (edge.begin, edge.end) if upstream else (edge.end, edge.begin)
        if here.id != node.asset.id:
            continue
        line = f"{'to' if upstream else 'from'} {names(assets[there.id])}{_format_edge(edge, names)}"
        if line not in seen:
            seen.add(line)
            yield line


def _format_edge(edge: Edge, names: Names) -> str:
    kind = edge.subtype.lower() or ("" if edge.reach == "DIRECT" else edge.reach.lower())
    notes = [kind] if kind else []
    if edge.masking:
        notes.append("masking")
    if edge.count > 1:
        notes.append(format_count(edge.count, "flow"))
    by = f" by {', '.join(map(names, edge.jobs))}" if edge.jobs else ""
    return by + (f" ({', '.join(notes)})" if notes else "")


def format_dot(graph: Graph) -> Iterator[str]:
    """Graphviz: columns inside a cluster per dataset."""
    yield "digraph lineage {"
    yield "  rankdir=LR;"
    yield '  node [shape=box, fontname="sans-serif"];'
    for cluster, (label, members) in enumerate(_group_by_dataset(graph)):
        indent = "  "
        if label:
            yield f"  subgraph cluster_{cluster} {{"
            yield f"    label={_quote_text(label)};"
            indent = "    "
        for node in members:
            bold = ", penwidth=2" if node.start else ""
            yield f"{indent}{_quote_text(node.asset.id)} [label={_quote_text(node.asset.name)}{bold}];"
        if label:
            yield "  }"
    for edge in graph.edges:
        label = f", label={_quote_text(edge.subtype.lower())}" if edge.subtype else ""
        yield f"  {_quote_text(edge.begin.id)} -> {_quote_text(edge.end.id)} [style={_STYLE[edge.reach]}{label}];"
    yield "}"


def format_mermaid(graph: Graph) -> Iterator[str]:
    """A Mermaid flowchart: columns inside a subgraph per dataset."""
    yield "flowchart LR"
    for cluster, (label, members) in enumerate(_group_by_dataset(graph)):
        indent = "  "
        if label:
            yield f"  subgraph cluster_{cluster}[{_escape_mermaid(label)}]"
            indent = "    "
        for node in members:
            yield f"{indent}{node.asset.id}[{_escape_mermaid(node.asset.name)}]{':::start' if node.start else ''}"
        if label:
            yield "  end"
    for edge in graph.edges:
        label = f"|{_escape_mermaid(edge.subtype.lower())}|" if edge.subtype else ""
        yield f"  {edge.begin.id} {_ARROW[edge.reach]}{label} {edge.end.id}"
    yield "  classDef start stroke-width:3px"


def _group_by_dataset(graph: Graph) -> Sequence[tuple[str, list[Node]]]:
    """Columns by dataset; all other nodes under an empty label."""
    found: dict[str, list[Node]] = {}
    for node in graph.nodes:
        found.setdefault(node.asset.dataset.qualified_name if node.asset.dataset else "", []).append(node)
    return list(found.items())


def _quote_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def _escape_mermaid(text: str) -> str:
    """A quoted text for Mermaid, whose only escapes inside quotes are entities."""
    return '"' + "".join(sign if sign.isalnum() or sign in " _-.,/:@" else f"#{ord(sign)};" for sign in text) + '"'
