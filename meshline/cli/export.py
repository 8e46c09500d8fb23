"""`meshline export networkx|graphml|openlineage`: the graph in the formats of other programs, and the events it was made from.

A node is a name as its source gave it; SAME_AS edges join the names of one dataset. Where sources differ on
an attribute, the node has the value of the source with the highest precedence.

"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec
import typer

from meshline.cli.options import AsOf, Store
from meshline.errors import require_extra
from meshline.graph.model import AssetKey, EdgeType, Facts, Json, Precedence, from_micros

if TYPE_CHECKING:
    from meshline.graph.store.base import Head
    from meshline.graph.store.base import Store as OpenStore


class ExportFormat(enum.StrEnum):
    """The format that is written."""

    NETWORKX = "networkx"
    GRAPHML = "graphml"
    OPENLINEAGE = "openlineage"


def export(
    format: Annotated[  # noqa: A002 - the argument's name
        ExportFormat, typer.Argument(help="networkx: node-link JSON; graphml; openlineage: the original events, one on each line.")
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write. [default: standard output]", show_default=False)
    ] = None,
    as_of: AsOf = None,
    store: Store = None,
) -> None:
    """Write the whole graph, or the events that it was made from."""
    from meshline.cli.store import open_store_at
    from meshline.cli.terminal import write_bytes
    from meshline.graph.model import to_micros
    from meshline.ingest.mesh import read_stored_rules

    with open_store_at(store, must_exist=True) as source:
        at = to_micros(as_of) if as_of is not None else None
        _, precedence = read_stored_rules(source)
        match format:
            case ExportFormat.OPENLINEAGE:
                write_bytes(export_events(source), output)
            case ExportFormat.NETWORKX:
                write_bytes(export_node_link(source, precedence, at), output)
            case ExportFormat.GRAPHML:
                write_bytes(export_graphml(source, precedence, at), output)


PAGE = 1000  # raw events read at once

Row: TypeAlias = dict[str, Json]


class Graph:
    """The nodes, by key, and the edges of all active statements (heads)."""

    def __init__(self, precedence: Precedence) -> None:
        self._precedence = precedence
        self._nodes: dict[AssetKey, dict[str, tuple[tuple[int, int, str], Json]]] = {}
        self.edges: list[Row] = []

    def add_head(self, head: Head) -> None:
        from meshline.graph.content import decode_facts

        if head.content is None:
            return
        facts = decode_facts(head.content.blob)
        for fact in facts.assets:
            known = self._get_node(fact.key)
            for name, value in fact.attributes.items():
                strength = (-self._precedence.rank(head.source, name), head.observed_at, head.source)
                if name not in known or known[name][0] < strength:
                    known[name] = (strength, value)
        self.edges += [self._build_edge(start, end, {**own, **_describe_source(head)}) for start, end, own in _iterate_edges(facts)]

    def iterate_nodes(self) -> Iterator[Row]:
        for key in sorted(self._nodes):
            attributes = {name: value for name, (_, value) in sorted(self._nodes[key].items())}
            yield {"id": key.id, "kind": key.kind, "name": key.name, "qualified_name": key.qualified_name, "attributes": attributes}

    def _get_node(self, key: AssetKey) -> dict[str, tuple[tuple[int, int, str], Json]]:
        return self._nodes.setdefault(key, {})

    def _build_edge(self, start: AssetKey, end: AssetKey, attributes: Row) -> Row:
        self._get_node(start)
        self._get_node(end)
        return {"source": start.id, "target": end.id, **attributes}


def _iterate_edges(facts: Facts) -> Iterator[tuple[AssetKey, AssetKey, Row]]:
    for edge in facts.edges:
        yield edge.start, edge.end, {"type": edge.type, "attributes": dict(edge.attributes)}
    for flow in facts.flows:
        attributes: Row = {
            "type": EdgeType.FLOWS_TO,
            "flow": flow.type,
            "subtype": flow.subtype,
            "masking": flow.masking,
            "covered": flow.covered,
        }
        yield flow.start, flow.end, attributes | ({"job": flow.job.id} if flow.job else {})


def _describe_source(head: Head) -> Row:
    return {"said_by": head.source, "since": from_micros(head.valid_from).isoformat(), "provisional": head.provisional}


def build_graph(store: OpenStore, precedence: Precedence, as_of: int | None = None) -> Graph:
    """The graph of a store, now or as of a time (microseconds)."""
    graph = Graph(precedence)
    for heads in store.iterate_heads(as_of):
        for head in heads:
            graph.add_head(head)
    return graph


def export_node_link(store: OpenStore, precedence: Precedence, as_of: int | None = None) -> Iterator[bytes]:
    """Node-link JSON: `networkx.node_link_graph(json.load(file), edges="edges")` reads it."""
    graph = build_graph(store, precedence, as_of)
    whole = {
        "directed": True,
        "multigraph": True,
        "graph": {},
        "nodes": list(graph.iterate_nodes()),
        "edges": sorted(graph.edges, key=_build_sort_key),
    }
    yield msgspec.json.encode(whole) + b"\n"


def _build_sort_key(edge: Row) -> bytes:
    """The sort key of an edge: the same graph must give the same text."""
    return msgspec.json.encode(edge, order="sorted")


def export_graphml(store: OpenStore, precedence: Precedence, as_of: int | None = None) -> Iterator[bytes]:
    """GraphML; lists and mappings become JSON texts. Raises MissingExtra."""
    with require_extra("networkx", "export to GraphML"):
        import networkx as nx
    graph = build_graph(store, precedence, as_of)
    result = nx.MultiDiGraph()
    for node in graph.iterate_nodes():
        attributes = node.pop("attributes")
        assert isinstance(attributes, dict)
        result.add_node(node.pop("id"), **{name: _flatten_value(value) for name, value in (node | attributes).items()})
    for edge in sorted(graph.edges, key=_build_sort_key):
        result.add_edge(edge.pop("source"), edge.pop("target"), **{name: _flatten_value(value) for name, value in edge.items()})
    yield from (line.encode() + b"\n" for line in nx.generate_graphml(result, named_key_ids=False))


def _flatten_value(value: Json) -> str | bool | int | float:
    """A value for GraphML, without the characters that XML forbids."""
    if isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return "".join(sign if sign >= " " or sign in "\t\n\r" else "\N{REPLACEMENT CHARACTER}" for sign in text)


def export_events(store: OpenStore) -> Iterator[bytes]:
    """Raw events in order of arrival, one on each line."""
    after = 0
    while page := store.read_raw_events(after, PAGE):
        after = page[-1].position
        yield from (b" ".join(kept.event.body.split(b"\n")) + b"\n" for kept in page)
