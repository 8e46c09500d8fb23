"""The graph that is exported: all nodes and edges of a store, or those in the lineage of some assets.

A node is a name as its source gave it; SAME_AS edges join the names of one dataset. Where sources differ on an attribute, the node has the
value of the source with the highest precedence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

from meshline.graph.content import decode_facts
from meshline.graph.model import AssetKey, AssetKind, EdgeType, Facts, Json, Precedence, build_column_key, build_dataset_key, from_micros

if TYPE_CHECKING:
    from meshline.graph.store.base import Head
    from meshline.graph.store.base import Store as OpenStore

Row: TypeAlias = dict[str, Json]

CONTEXT = (EdgeType.OWNS, EdgeType.PORT, EdgeType.CONSUMES, EdgeType.GOVERNS)  # what is exported with the datasets that it belongs to


class ExportedGraph(Protocol):
    """What is written: each node, and each edge."""

    def iterate_nodes(self) -> Iterator[Row]: ...

    def list_edges(self) -> list[Row]: ...


class ReceivedGraph:
    """A graph whose nodes and edges a server sent, in order."""

    def __init__(self) -> None:
        self._nodes: list[Row] = []
        self._edges: list[Row] = []

    def add_line(self, line: bytes) -> None:
        """Raises msgspec.MsgspecError."""
        found = msgspec.json.decode(line, type=dict[str, dict[str, Any]])
        self._nodes += [found["node"]] if "node" in found else []
        self._edges += [found["edge"]] if "edge" in found else []

    def iterate_nodes(self) -> Iterator[Row]:
        return (dict(one) for one in self._nodes)

    def list_edges(self) -> list[Row]:
        return [dict(one) for one in self._edges]


class Graph:
    """The nodes, by key, and the edges of all active statements (heads)."""

    def __init__(self, precedence: Precedence) -> None:
        self._precedence = precedence
        self._nodes: dict[AssetKey, dict[str, tuple[tuple[int, int, str], Json]]] = {}
        self.edges: list[Row] = []

    def add_head(self, head: Head) -> None:
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

    def list_keys(self) -> list[AssetKey]:
        return sorted(self._nodes)

    def list_edges(self) -> list[Row]:
        """All edges, in an order that depends on their content alone: the same graph must give the same text."""
        return sorted(self.edges, key=_build_sort_key)

    def keep(self, ids: Collection[str]) -> None:
        """Drop all nodes but these, the edges that do not join two of them, and what names another job."""
        self._nodes = {key: attributes for key, attributes in self._nodes.items() if key.id in ids}
        kept = [edge for edge in self.edges if edge["source"] in ids and edge["target"] in ids]
        self.edges = [edge if edge.get("job", edge["source"]) in ids else _drop_job(edge) for edge in kept]

    def select_attributes(self, select: Callable[[AssetKey, Collection[str]], Collection[str]]) -> None:
        """Keep of each node the attributes that are selected of it."""
        for key, attributes in self._nodes.items():
            shown = select(key, attributes.keys())
            self._nodes[key] = {name: value for name, value in attributes.items() if name in shown}

    def _get_node(self, key: AssetKey) -> dict[str, tuple[tuple[int, int, str], Json]]:
        return self._nodes.setdefault(key, {})

    def _build_edge(self, start: AssetKey, end: AssetKey, attributes: Row) -> Row:
        self._get_node(start)
        self._get_node(end)
        return {"source": start.id, "target": end.id, **attributes}


def _drop_job(edge: Row) -> Row:
    return {name: value for name, value in edge.items() if name != "job"}


def _build_sort_key(edge: Row) -> bytes:
    return msgspec.json.encode(edge, order="sorted")


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


PAGE = 1000  # raw events read at once


def iterate_events(store: OpenStore) -> Iterator[bytes]:
    """Raw events in order of arrival, one on each line."""
    after = 0
    while page := store.read_raw_events(after, PAGE):
        after = page[-1].position
        yield from (b" ".join(kept.event.body.split(b"\n")) + b"\n" for kept in page)


def restrict_graph(graph: Graph, starts: Collection[str], *, upstream: bool, downstream: bool, depth: int | None) -> None:
    """Keep only the lineage of some assets (ids), and what their datasets belong to.

    `depth`: the number of flows to follow; None: all. A dataset as a start means its columns too. The names of one dataset count as one,
    and so do columns of one name in them.
    """
    view = _LineageView(graph)
    reached = set(view.list_starts(starts))
    for follow, flows in ((downstream, view.forward), (upstream, view.backward)):
        if follow:
            reached |= view.traverse(flows, view.list_starts(starts), depth)
    graph.keep(view.list_context(reached))


class _LineageView:
    """The flows of a graph between merged names: the representative of a dataset is one of its names, that of a column one of its own."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._keys = {key.id: key for key in graph.list_keys()}
        self._parents: dict[str, str] = {}
        self._join_datasets()
        self._columns: dict[tuple[str, str], str] = {}
        self._names: dict[str, list[str]] = {}  # ids by representative
        for id_ in self._keys:
            self._names.setdefault(self._find_representative(id_), []).append(id_)
        self._homes: dict[str, str] = {}  # of columns: their datasets
        self._members: dict[str, set[str]] = {}  # of datasets: their columns
        for id_, key in self._keys.items():
            if key.kind is AssetKind.COLUMN:
                column, dataset = self._find_representative(id_), self._find_dataset(key)
                self._homes[column] = dataset
                self._members.setdefault(dataset, set()).add(column)
        self.forward: dict[str, list[str]] = {}
        self.backward: dict[str, list[str]] = {}
        for edge in graph.list_edges():
            if edge["type"] == EdgeType.FLOWS_TO and not edge["covered"]:
                start, end = self._find_representative(str(edge["source"])), self._find_representative(str(edge["target"]))
                self.forward.setdefault(start, []).append(end)
                self.backward.setdefault(end, []).append(start)

    def traverse(self, flows: Mapping[str, Sequence[str]], starts: Collection[str], depth: int | None) -> set[str]:
        """What is reached along flows, of which each counts one.

        A flow of a dataset is one of each of its columns: what decides the rows of a dataset reaches all its columns.
        """
        reached: set[str] = set()
        queue = deque((start, 0) for start in starts)
        while queue:
            node, distance = queue.popleft()
            if node in reached:
                continue
            reached.add(node)
            queue.extendleft((column, distance) for column in self._members.get(node, ()))
            if depth is None or distance < depth:
                own = flows.get(node, ())
                queue.extend((other, distance + 1) for other in (*own, *flows.get(self._homes.get(node, ""), ())))
        return reached

    def list_starts(self, ids: Collection[str]) -> list[str]:
        """Their representatives, and those of their columns. Assets with datasets are their datasets: products, owners, jobs, ..."""
        ids = [*(id_ for id_ in ids if id_ in self._keys), *self._list_columns_called({id_ for id_ in ids if id_ not in self._keys})]
        datasets = {self._find_representative(id_) for id_ in ids}
        found = {*datasets, *(self._find_representative(other) for other in self._list_related(ids))}
        columns = (id_ for id_, key in self._keys.items() if key.kind is AssetKind.COLUMN and self._find_dataset(key) in found)
        return sorted({*found, *(self._find_representative(id_) for id_ in columns)})

    def _list_columns_called(self, ids: Collection[str]) -> Iterator[str]:
        """The columns with these ids, under names of their datasets under which no source states them."""
        for id_, key in self._keys.items() if ids else ():
            if key.kind is AssetKind.COLUMN:
                names = (self._keys[name] for name in self._names.get(self._find_dataset(key), ()))
                if any(build_column_key(name, key.name).id in ids for name in names):
                    yield id_

    def list_context(self, reached: Collection[str]) -> set[str]:
        """All names of what was reached, their datasets, and what is directly joined to those: jobs, owners, products, consumers."""
        ids = {id_ for one in reached for id_ in self._names.get(one, [one])}
        datasets = {self._find_dataset(self._keys[id_]) for id_ in ids if self._keys[id_].kind is AssetKind.COLUMN}
        ids |= {id_ for one in datasets for id_ in self._names.get(one, ())}
        jobs = {str(edge["job"]) for edge in self._graph.edges if "job" in edge and edge["source"] in ids and edge["target"] in ids}
        near = {str(edge["source"]) for edge in self._graph.edges if edge["type"] in CONTEXT and edge["target"] in ids}
        above = {str(edge["target"]) for edge in self._graph.edges if edge["type"] == EdgeType.PART_OF and edge["source"] in near | jobs}
        return (ids | jobs | near | above) & self._keys.keys()

    def _list_related(self, ids: Collection[str]) -> Iterator[str]:
        """The datasets and columns that other kinds of assets are directly joined to."""
        data = (AssetKind.DATASET, AssetKind.COLUMN)
        others = {id_ for id_ in ids if id_ in self._keys and self._keys[id_].kind not in data}
        for edge in self._graph.edges if others else ():
            for here, there in (("source", "target"), ("target", "source")):
                if edge[here] in others and self._keys[str(edge[there])].kind in data:
                    yield str(edge[there])

    def _join_datasets(self) -> None:
        parted = {frozenset((str(e["source"]), str(e["target"]))) for e in self._graph.edges if e["type"] == EdgeType.DIFFERENT_FROM}
        for edge in self._graph.edges:
            pair = (str(edge["source"]), str(edge["target"]))
            if edge["type"] == EdgeType.SAME_AS and frozenset(pair) not in parted:
                first, second = sorted(map(self._find_root, pair))
                self._parents[second] = first
                if first == second:
                    del self._parents[second]

    def _find_root(self, id_: str) -> str:
        while id_ in self._parents:
            id_ = self._parents[id_]
        return id_

    def _find_dataset(self, column: AssetKey) -> str:
        return self._find_root(build_dataset_key(*column.parts[:2]).id)

    def _find_representative(self, id_: str) -> str:
        key = self._keys.get(id_)
        if key is None or key.kind is not AssetKind.COLUMN:
            return self._find_root(id_)
        return self._columns.setdefault((self._find_dataset(key), key.name.casefold()), id_)
