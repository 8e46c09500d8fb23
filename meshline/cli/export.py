"""`meshline export`: the graph in the formats of other programs, and the events that it was made from."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec
import typer

from meshline.cli.completion import complete_asset
from meshline.cli.options import AsOf, Depth, Server, Store
from meshline.errors import RefusedRequest, require_extra
from meshline.graph.model import Json

if TYPE_CHECKING:
    from meshline.app.exchange.datahub_urns import Place
    from meshline.app.exchange.mesh_state import MeshState
    from meshline.app.exported_graph import ExportedGraph, ReceivedGraph
    from meshline.cli.http_client import HttpClient
    from meshline.graph.model import Precedence
    from meshline.graph.store.base import Store as OpenStore


class ExportFormat(enum.StrEnum):
    """The format that is written."""

    NETWORKX = "networkx"
    GRAPHML = "graphml"
    CSV = "csv"
    PARQUET = "parquet"
    CYPHER = "cypher"
    OPENLINEAGE = "openlineage"
    OPENLINEAGE_STATE = "openlineage-state"
    DATAHUB = "datahub"


class DirectionName(enum.StrEnum):
    """The direction in which lineage is followed."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"
    BOTH = "both"


STATES = (ExportFormat.OPENLINEAGE_STATE, ExportFormat.DATAHUB)
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
            " Neo4j; openlineage: the original events, one on each line; openlineage-state: events of the current state, one for each"
            " dataset and job; datahub: records that DataHub ingests."
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
    runs: Annotated[
        bool, typer.Option("--runs", help="With openlineage-state: jobs as completed runs, for programs that read no other events.")
    ] = False,
    platform: Annotated[
        list[str] | None,
        typer.Option(
            help="With datahub: the platform of a namespace, e.g. postgres=postgres://db:5432; an instance: postgres/crm; may be repeated.",
            show_default=False,
            metavar="PLATFORM=NAMESPACE",
        ),
    ] = None,
    patch: Annotated[
        bool, typer.Option("--patch", help="With datahub: only add owners, tags and lineage to what DataHub has; replace nothing.")
    ] = False,
    previous: Annotated[
        Path | None,
        typer.Option(
            help="With datahub: the file of an earlier export. Only what differs is written, and what is gone is marked as removed.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    store: Store = None,
    server: Server = None,
) -> None:
    """Write the graph, a part of it, or the events.

    The same graph gives the same file. A server sends what the caller may see. `meshline lineage --format svg` draws a picture.
    """
    from datetime import UTC, datetime

    from meshline.app.exchange.datahub_records import iterate_records
    from meshline.app.exchange.openlineage_state import iterate_state_events
    from meshline.app.exported_graph import build_graph, iterate_events, restrict_graph
    from meshline.cli.store import open_store_at
    from meshline.cli.terminal import write_bytes
    from meshline.graph.model import to_micros
    from meshline.ingest.mesh import read_stored_rules
    from meshline.ingest.sources.datahub.parse import MAX_BYTES
    from meshline.ingest.sources.files import read_bytes

    _check_options(format, output, of=of, depth=depth, direction=direction, as_of=as_of is not None)
    only_datahub = bool(platform) or patch or previous is not None
    _check_state_options(format, output, previous, runs=runs, only_datahub=only_datahub, server=server is not None)
    places = _parse_places(platform or ())
    before = b"" if previous is None else read_bytes(previous, MAX_BYTES)
    starts = find_assets(store, server, of, None if as_of is None else as_of.isoformat()) if of else []
    up, down = direction is not DirectionName.DOWNSTREAM, direction is not DirectionName.UPSTREAM
    if server is not None:
        asked = [("of", id_) for id_ in starts] + [("direction", str(direction))]
        asked += [] if depth is None else [("depth", str(depth))]
        asked += [] if as_of is None else [("asOf", as_of.isoformat())]
        _write_from_server(server, format, output, asked)
        return
    with open_store_at(store, must_exist=True) as source:
        if format is ExportFormat.OPENLINEAGE:
            write_bytes(iterate_events(source), output)
            return
        _, precedence = read_stored_rules(source)
        time = None if as_of is None else to_micros(as_of)
        graph = build_graph(source, precedence, time) if of or format not in STATES else None
        if graph is not None and of:
            restrict_graph(graph, starts, upstream=up, downstream=down, depth=depth)
        if format in STATES:
            kept = None if graph is None else frozenset(key.id for key in graph.list_keys())
            with open_state(source, precedence, time, kept) as state:
                if format is ExportFormat.OPENLINEAGE_STATE:
                    found = iterate_state_events(state, as_of or datetime.now(UTC), as_runs=runs)
                else:
                    found = iterate_records(state, places, patch=patch, previous=before)
                write_bytes(chain([next(found, b"")], found), output)  # an error comes before the file is opened
            return
    assert graph is not None
    _write_graph(graph, format, output)


PATH = "/api/v1/export"


def _write_from_server(server: str, form: ExportFormat, output: Path | None, asked: Sequence[tuple[str, str]]) -> None:
    from meshline.cli.http_client import HttpClient
    from meshline.cli.terminal import write_bytes

    with HttpClient.connect(server) as remote:
        if form is ExportFormat.OPENLINEAGE:
            write_bytes(remote.read_lines(f"{PATH}/events", []), output)
        else:
            _write_graph(_receive_graph(remote, asked), form, output)


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


@contextmanager
def open_state(source: OpenStore, precedence: Precedence, as_of: int | None, kept: frozenset[str] | None) -> Iterator[MeshState]:
    """The state of a store, now or as of a time (microseconds). `kept`: the ids of the assets that are exported; None: all."""
    from meshline.app.exchange.mesh_state import MeshState
    from meshline.graph.live_graph import LiveGraph

    live = LiveGraph.open(source, precedence)
    index = live.get_index(as_of)
    with live.lock:
        yield MeshState(live, index, kept)


def _parse_places(given: Sequence[str]) -> dict[str, Place]:
    """The places in DataHub by namespace, of `PLATFORM=NAMESPACE`."""
    from meshline.app.exchange.datahub_urns import parse_place
    from meshline.errors import InvalidInput
    from meshline.graph.naming import Naming

    naming = Naming()
    found: dict[str, Place] = {}
    for one in given:
        place, _, namespace = one.partition("=")
        if not namespace:
            raise InvalidInput(f"found {one!r}; accepted is PLATFORM=NAMESPACE", "--platform")
        found[naming.normalise_dataset(namespace, "x").parts[0]] = parse_place(place)
    return found


def _check_options(
    form: ExportFormat, output: Path | None, *, of: list[str] | None, depth: int | None, direction: DirectionName, as_of: bool
) -> None:
    if form in TABLES and output is None:
        raise typer.BadParameter(f"{form} writes two tables: --output names the folder{' or zip file' if form == 'csv' else ''}")
    if of is None and (depth is not None or direction is not DirectionName.BOTH):
        raise typer.BadParameter("--depth and --direction need --of")
    if form is ExportFormat.OPENLINEAGE and (of or as_of):
        raise typer.BadParameter("openlineage writes all events: it has no --of and no --as-of")


def _check_state_options(
    form: ExportFormat, output: Path | None, previous: Path | None, *, runs: bool, only_datahub: bool, server: bool
) -> None:
    if runs and form is not ExportFormat.OPENLINEAGE_STATE:
        raise typer.BadParameter("--runs is an option of openlineage-state")
    if only_datahub and form is not ExportFormat.DATAHUB:
        raise typer.BadParameter("--platform, --patch and --previous are options of datahub")
    if server and form in STATES:
        raise typer.BadParameter(f"{form} is written from a store: it has no --server")
    if previous is not None and output is not None and output.exists() and previous.samefile(output):
        raise typer.BadParameter("--output is the file that --previous reads: name another one")


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
