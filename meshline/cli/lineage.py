"""`meshline lineage ASSET...`: a lineage graph as text, Graphviz dot and Mermaid."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import Annotated, TypeAlias

import msgspec
import typer

from meshline.cli.answer_types import Asset, Completeness, NamedAsset, Names, format_heading
from meshline.cli.options import AsOf, Assets, Depth, GroupBy, GroupName, Reach, ReachName, SeenSince, Server, Store, format_iso_time
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
    SVG = "svg"


Format: TypeAlias = Annotated[LineageFormat, typer.Option("--format", help="text, json, Graphviz dot, Mermaid, or svg: a picture.")]


def lineage(
    asset: Assets,
    *,
    upstream: Annotated[bool, typer.Option("--upstream", help="Show where data comes from, instead of where it goes to.")] = False,
    depth: Depth = None,
    granularity: Annotated[GranularityName, typer.Option(help="What one node represents.", case_sensitive=False)] = GranularityName.COLUMN,
    reach: Reach = ReachName.POSSIBLE,
    since: SeenSince = None,
    as_of: AsOf = None,
    group_by: GroupBy = None,
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
            "seenSince": format_iso_time(since),
            "asOf": format_iso_time(as_of),
            "withOwners": group_by is GroupName.OWNER,
        }
        data = source.ask(read_query("lineage"), variables)["lineage"]
    graph = convert_answer(data, Graph)
    match format:
        case LineageFormat.JSON:
            write_json(data)
        case LineageFormat.DOT:
            write_lines(Line(line) for line in format_dot(graph, group_by))
        case LineageFormat.MERMAID:
            write_lines(Line(line) for line in format_mermaid(graph, group_by))
        case LineageFormat.SVG:
            write_lines(Line(line) for line in _format_picture(graph, found, group_by, upstream=upstream))
        case LineageFormat.TEXT:
            write_lines(format_text(graph, found, upstream=upstream, granularity=granularity, by=group_by))


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


def format_text(graph: Graph, asked: Sequence[Asset], *, upstream: bool, granularity: str, by: GroupName | None = None) -> Iterator[Line]:
    """Each node by distance (or by group), with its sources (or, upstream, its targets). `granularity`: column, dataset, ..."""
    names = Names([*asked, *(node.asset for node in graph.nodes), *(job for edge in graph.edges for job in edge.jobs)])
    others = [node for node in graph.nodes if not node.start]
    way = "comes from" if upstream else "flows to"
    yield Line(f"{', '.join(names(one) for one in asked)} {way} {format_count(len(others), _NOUNS.get(granularity, 'asset'))}", "bold")
    if granularity not in _NOUNS:
        yield from _format_beginning(graph, asked, names)
    else:
        yield from _format_represented(graph, asked, names, granularity)
    for title, nodes in _list_sections(others, by):
        yield from format_heading(title)
        for node in nodes:
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


def _list_sections(nodes: Sequence[Node], by: GroupName | None) -> list[tuple[str, list[Node]]]:
    """The nodes by distance, or by group, the largest first."""
    if by is None:
        distances = sorted({node.distance for node in nodes})
        return [(f"{format_count(distance, 'step')} away", [one for one in nodes if one.distance == distance]) for distance in distances]
    groups = _group_nodes(nodes, by)
    return [(f"{name} ({len(members)})", members) for name, members in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))]


def _group_nodes(nodes: Sequence[Node], by: GroupName) -> dict[str, list[Node]]:
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        for group in node.asset.list_groups(by):
            groups.setdefault(group, []).append(node)
    return groups


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


def format_dot(graph: Graph, by: GroupName | None = None) -> Iterator[str]:
    """Graphviz: columns inside a cluster per dataset, or all nodes inside a cluster per group."""
    names = _name_nodes(graph, by)
    yield "digraph lineage {"
    yield "  rankdir=LR;"
    yield '  node [shape=box, fontname="sans-serif"];'
    for cluster, (label, members) in enumerate(_list_clusters(graph, by)):
        indent = "  "
        if label:
            yield f"  subgraph cluster_{cluster} {{"
            yield f"    label={_quote_text(label)};"
            indent = "    "
        for node in members:
            bold = ", penwidth=2" if node.start else ""
            yield f"{indent}{_quote_text(node.asset.id)} [label={_quote_text(names[node.asset.id])}{bold}];"
        if label:
            yield "  }"
    for edge in graph.edges:
        label = f", label={_quote_text(edge.subtype.lower())}" if edge.subtype else ""
        yield f"  {_quote_text(edge.begin.id)} -> {_quote_text(edge.end.id)} [style={_STYLE[edge.reach]}{label}];"
    yield "}"


def format_mermaid(graph: Graph, by: GroupName | None = None) -> Iterator[str]:
    """A Mermaid flowchart: columns inside a subgraph per dataset, or all nodes inside a subgraph per group."""
    names = _name_nodes(graph, by)
    yield "flowchart LR"
    for cluster, (label, members) in enumerate(_list_clusters(graph, by)):
        indent = "  "
        if label:
            yield f"  subgraph cluster_{cluster}[{escape_mermaid(label)}]"
            indent = "    "
        for node in members:
            yield f"{indent}{node.asset.id}[{escape_mermaid(names[node.asset.id])}]{':::start' if node.start else ''}"
        if label:
            yield "  end"
    for edge in graph.edges:
        label = f"|{escape_mermaid(edge.subtype.lower())}|" if edge.subtype else ""
        yield f"  {edge.begin.id} {_ARROW[edge.reach]}{label} {edge.end.id}"
    yield "  classDef start stroke-width:3px"


def _format_picture(graph: Graph, asked: Sequence[Asset], by: GroupName | None, *, upstream: bool) -> Iterator[str]:
    """An SVG picture: columns in a box per dataset, or all nodes in a box per group."""
    from meshline.cli.lineage_picture import build_boxes, format_svg

    names, own = Names([*asked, *(node.asset for node in graph.nodes)]), _name_nodes(graph, by)
    titles = {node.asset.id: _find_title(node, names, by) for node in graph.nodes}
    boxes = build_boxes(
        [
            (
                node.asset.id,
                own[node.asset.id] if titles[node.asset.id] else names(node.asset),
                titles[node.asset.id],
                node.distance,
                node.start,
            )
            for node in graph.nodes
        ]
    )
    edges = [(edge.begin.id, edge.end.id, edge.reach, f"{edge.reach.lower()}{_format_edge(edge, names)}") for edge in graph.edges]
    way = "comes from" if upstream else "flows to"
    count = format_count(sum(not node.start for node in graph.nodes), "asset")
    yield from format_svg(boxes, edges, f"{', '.join(map(names, asked))} {way} {count}", upstream=upstream, notes=graph.completeness.notes)


def _find_title(node: Node, names: Names, by: GroupName | None) -> str | None:
    """The title of the box that a node is a row of; None: it is a box itself."""
    if by is not None:
        return node.asset.list_groups(by)[0]
    return names(node.asset.dataset) if node.asset.dataset is not None else None


def _name_nodes(graph: Graph, by: GroupName | None) -> dict[str, str]:
    """The names of the nodes in a drawing, by id: inside of its dataset a column needs only its own."""
    names = Names([node.asset for node in graph.nodes])
    return {node.asset.id: node.asset.name if by is None else names(node.asset) for node in graph.nodes}


def _list_clusters(graph: Graph, by: GroupName | None) -> Sequence[tuple[str, list[Node]]]:
    """Columns by dataset, all other nodes under an empty label; or all nodes by group, in the first of their groups."""
    if by is not None:
        first = [(node.asset.list_groups(by)[0], node) for node in graph.nodes]
        return [(group, [node for name, node in first if name == group]) for group in dict.fromkeys(name for name, _ in first)]
    found: dict[str, list[Node]] = {}
    for node in graph.nodes:
        found.setdefault(node.asset.dataset.qualified_name if node.asset.dataset else "", []).append(node)
    return list(found.items())


def _quote_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def escape_mermaid(text: str) -> str:
    """A quoted text for Mermaid, whose only escapes inside quotes are entities."""
    return '"' + "".join(sign if sign.isalnum() or sign in " _-.,/:@" else f"#{ord(sign)};" for sign in text) + '"'
