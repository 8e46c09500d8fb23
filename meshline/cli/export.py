"""`meshline export`: the graph in the formats of other programs, and the events that it was made from."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec
import typer

from meshline.cli.completion import complete_asset
from meshline.cli.options import AsOf, Depth, Server, Store
from meshline.errors import RefusedRequest, require_extra
from meshline.graph.model import Json

if TYPE_CHECKING:
    from meshline.app.exported_graph import ExportedGraph, ReceivedGraph
    from meshline.cli.http_client import HttpClient


class ExportFormat(enum.StrEnum):
    """The format that is written."""

    NETWORKX = "networkx"
    GRAPHML = "graphml"
    CSV = "csv"
    PARQUET = "parquet"
    CYPHER = "cypher"
    OPENLINEAGE = "openlineage"


class DirectionName(enum.StrEnum):
    """The direction in which lineage is followed."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"
    BOTH = "both"


TABLES = (ExportFormat.CSV, ExportFormat.PARQUET)
Of: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="Only the lineage of this asset, and what its datasets belong to; may be repeated.",
        metavar="ASSET",
        show_default=False,
        autocompletion=complete_asset,
    ),
]


def export(
    format: Annotated[  # noqa: A002 - the argument's name
        ExportFormat,
        typer.Argument(
            help="networkx: node-link JSON; graphml; csv: a folder, or a file with the ending .zip; parquet: a folder; cypher: a script for"
            " Neo4j; openlineage: the original events, one on each line."
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file or folder to write. [default: standard output, if it is a file]", show_default=False),
    ] = None,
    of: Of = None,
    direction: Annotated[DirectionName, typer.Option(help="With --of: where to follow lineage to.")] = DirectionName.BOTH,
    depth: Depth = None,
    as_of: AsOf = None,
    store: Store = None,
    server: Server = None,
) -> None:
    """Write the graph, a part of it, or the events.

    The same graph gives the same file. A server sends what the caller may see. `meshline lineage --format svg` draws a picture.
    """
    from meshline.app.exported_graph import build_graph, iterate_events, restrict_graph
    from meshline.cli.store import open_store_at
    from meshline.cli.terminal import write_bytes
    from meshline.graph.model import to_micros
    from meshline.ingest.mesh import read_stored_rules

    if format in TABLES and output is None:
        raise typer.BadParameter(f"{format} writes two tables: --output names the folder{' or zip file' if format == 'csv' else ''}")
    if of is None and (depth is not None or direction is not DirectionName.BOTH):
        raise typer.BadParameter("--depth and --direction need --of")
    if format is ExportFormat.OPENLINEAGE and (of or as_of is not None):
        raise typer.BadParameter("openlineage writes all events: it has no --of and no --as-of")
    starts = find_assets(store, server, of, None if as_of is None else as_of.isoformat()) if of else []
    up, down = direction is not DirectionName.DOWNSTREAM, direction is not DirectionName.UPSTREAM
    if server is not None:
        from meshline.cli.http_client import HttpClient

        asked = [("of", id_) for id_ in starts] + [("direction", str(direction))]
        asked += [] if depth is None else [("depth", str(depth))]
        asked += [] if as_of is None else [("asOf", as_of.isoformat())]
        with HttpClient.connect(server) as remote:
            if format is ExportFormat.OPENLINEAGE:
                write_bytes(remote.read_lines(f"{PATH}/events", []), output)
            else:
                _write_graph(_receive_graph(remote, asked), format, output)
        return
    with open_store_at(store, must_exist=True) as source:
        if format is ExportFormat.OPENLINEAGE:
            write_bytes(iterate_events(source), output)
            return
        _, precedence = read_stored_rules(source)
        graph = build_graph(source, precedence, to_micros(as_of) if as_of is not None else None)
    if of:
        restrict_graph(graph, starts, upstream=up, downstream=down, depth=depth)
    _write_graph(graph, format, output)


PATH = "/api/v1/export"


def _receive_graph(remote: HttpClient, asked: Sequence[tuple[str, str]]) -> ReceivedGraph:
    """Raises RefusedRequest, StoreUnavailable."""
    from meshline.app.exported_graph import ReceivedGraph

    graph = ReceivedGraph()
    for line in remote.read_lines(PATH, asked):
        try:
            graph.add_line(line)
        except msgspec.MsgspecError as error:
            raise RefusedRequest("the server does not answer like meshline: is another program there?", "NOT_MESHLINE") from error
    return graph


def find_assets(store: str | None, server: str | None, names: Sequence[str], as_of: str | None) -> list[str]:
    """The ids of assets. Raises RefusedRequest."""
    from meshline.cli.client import open_client, resolve_assets

    with open_client(store, server) as source:
        return [asset.id for asset in resolve_assets(source, names, as_of)]


def _write_graph(graph: ExportedGraph, form: ExportFormat, output: Path | None) -> None:
    from meshline.cli.export_cypher import format_cypher
    from meshline.cli.export_tables import write_csv_tables, write_parquet_tables
    from meshline.cli.terminal import write_bytes

    if form in TABLES:
        assert output is not None
        (write_csv_tables if form is ExportFormat.CSV else write_parquet_tables)(graph, output)
        return
    writers = {ExportFormat.NETWORKX: format_node_link, ExportFormat.GRAPHML: format_graphml, ExportFormat.CYPHER: format_cypher}
    write_bytes(writers[form](graph), output)


def format_node_link(graph: ExportedGraph) -> Iterator[bytes]:
    """Node-link JSON: `networkx.node_link_graph(json.load(file), edges="edges")` reads it."""
    whole = {
        "directed": True,
        "multigraph": True,
        "graph": {},
        "nodes": list(graph.iterate_nodes()),
        "edges": graph.list_edges(),
    }
    yield msgspec.json.encode(whole) + b"\n"


def format_graphml(graph: ExportedGraph) -> Iterator[bytes]:
    """GraphML; lists and mappings become JSON texts. Raises MissingExtra."""
    with require_extra("networkx", "export to GraphML"):
        import networkx as nx
    result = nx.MultiDiGraph()
    for node in graph.iterate_nodes():
        attributes = node.pop("attributes")
        assert isinstance(attributes, dict)
        result.add_node(node.pop("id"), **{name: _flatten_value(value) for name, value in (node | attributes).items()})
    for edge in graph.list_edges():
        result.add_edge(edge.pop("source"), edge.pop("target"), **{name: _flatten_value(value) for name, value in edge.items()})
    yield from (line.encode() + b"\n" for line in nx.generate_graphml(result, named_key_ids=False))


def _flatten_value(value: Json) -> str | bool | int | float:
    """A value for GraphML, without the characters that XML forbids."""
    if isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return "".join(sign if sign >= " " or sign in "\t\n\r" else "\N{REPLACEMENT CHARACTER}" for sign in text)
