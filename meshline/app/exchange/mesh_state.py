"""The mesh as it is, or as of a time, for other programs: each asset once, under its shown name, and what flows into each dataset.

Everything is in an order that depends on names alone, so that the same graph gives the same export.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.index.results import Direction, Reach
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import KINDS, AssetKey, AssetKind, EdgeType, Flow, FlowType, Json, build_dataset_key

TOGETHER = 200  # datasets whose attributes are read at once

Attributes: TypeAlias = Mapping[str, Json]


class Owned(NamedTuple):
    """Who owns an asset, and as what: technical, business, steward, ..."""

    owner: AssetKey
    type: str


class Column(NamedTuple):
    """A column of a dataset. `is_inferred`: no source lists it, only lineage names it."""

    name: str
    attributes: Attributes
    tags: tuple[str, ...]
    is_inferred: bool


class Dataset(NamedTuple):
    """A dataset. `names`: its other names. `columns`: by position, then name. `product`, `domain`: that it belongs to."""

    key: AssetKey
    names: tuple[AssetKey, ...]
    attributes: Attributes
    tags: tuple[str, ...]
    columns: tuple[Column, ...]
    owners: tuple[Owned, ...]
    product: AssetKey | None
    domain: AssetKey | None


class Asset(NamedTuple):
    """An asset that is no dataset or column. `parent`: of a job the job, of a product or domain the domain that it is a part of."""

    key: AssetKey
    attributes: Attributes
    tags: tuple[str, ...]
    owners: tuple[Owned, ...]
    parent: AssetKey | None


class Link(NamedTuple):
    """An edge from an asset: a port of a product, what a consumer reads, what a job reads or writes."""

    end: AssetKey
    attributes: Attributes


class Inflow(NamedTuple):
    """The flows into one dataset and its columns by one job; None: no job is known. Without pairs of datasets whose columns are known."""

    job: AssetKey | None
    output: AssetKey
    flows: tuple[Flow, ...]

    def list_inputs(self) -> list[AssetKey]:
        """The datasets from which something flows, sorted."""
        return sorted({get_dataset(flow.start) for flow in self.flows})


class MeshState:
    """Reads the state of a graph. `kept`: the ids of the assets that are exported; None: all. The caller keeps the graph's lock."""

    def __init__(self, live: LiveGraph, index: LineageIndex, kept: Collection[str] | None = None) -> None:
        self._live = live
        self._index = index
        self._kept = kept
        self._keys: dict[int, AssetKey] = {}

    def iterate_datasets(self) -> Iterator[Dataset]:
        """All datasets but those that only lineage mentions, by name."""
        nodes = [node for node in self._index.assets.list_of_kind(AssetKind.DATASET) if self._is_kept(node)]
        for first in range(0, len(nodes), TOGETHER):
            yield from self._build_datasets(nodes[first : first + TOGETHER])

    def list_inflows(self) -> list[Inflow]:
        """What flows into datasets, by job and dataset; those without a job come first."""
        found: dict[tuple[AssetKey | None, AssetKey], set[Flow]] = defaultdict(set)
        for flow in self._iterate_flows():
            found[flow.job, get_dataset(flow.end)].add(flow)
        ordered = sorted(found, key=lambda pair: (pair[0] or (), pair[1]))
        return [Inflow(*pair, tuple(sorted(found[pair], key=_build_flow_key))) for pair in ordered]

    def list_assets(self, kind: AssetKind) -> list[Asset]:
        """The jobs, products, domains, consumers or owners, by name."""
        nodes = [node for node in self._index.assets.list_of_kind(kind) if self._is_kept(node)]
        attributes = self._read_attributes(nodes)
        return [self._build_asset(node, attributes[node]) for node in nodes]

    def list_links(self, key: AssetKey, type_: EdgeType) -> list[Link]:
        """Where the edges of a type lead that begin at an asset, each end once."""
        node = self._index.assets.find_by_key(key)
        edges = [] if node is None else self._index.ownership.list_edges(node, type_)
        found = {self._get_key(edge.end): edge.attributes for edge in reversed(edges) if self._is_kept(edge.end)}
        return [Link(end, found[end]) for end in sorted(found)]

    def _build_datasets(self, nodes: Sequence[int]) -> Iterator[Dataset]:
        assets, ownership = self._index.assets, self._index.ownership
        columns = {node: assets.list_columns(node) for node in nodes}
        attributes = self._read_attributes([*nodes, *(column for own in columns.values() for column in own)])
        for node in nodes:
            key = self._get_key(node)
            product, domain = ownership.find_product(node), ownership.find_domain(node)
            yield Dataset(
                key,
                tuple(name for name in assets.list_names(node) if name != key),
                attributes[node],
                self._list_tags(node),
                tuple(
                    Column(assets.get_column_name(one), attributes[one], self._list_tags(one), assets.is_inferred(one))
                    for one in columns[node]
                ),
                self._list_owners(node),
                None if product is None else self._get_key(product),
                None if domain is None else self._get_key(domain),
            )

    def _build_asset(self, node: int, attributes: Attributes) -> Asset:
        parents = [edge.end for edge in self._index.ownership.list_edges(node, EdgeType.PART_OF)]
        parent = min((self._get_key(one) for one in parents if one != node), default=None)
        return Asset(self._get_key(node), attributes, self._list_tags(node), self._list_owners(node), parent)

    def _list_owners(self, node: int) -> tuple[Owned, ...]:
        owners = self._index.ownership.list_direct_owners(node)
        return tuple(sorted({Owned(self._get_key(one.owner), one.type) for one in owners}))

    def _list_tags(self, node: int) -> tuple[str, ...]:
        return tuple(sorted(self._index.assets.list_tags(node)))

    def _read_attributes(self, nodes: Sequence[int]) -> dict[int, Attributes]:
        rows = self._live.read_facts(self._index, nodes)
        return {node: {row.attribute: row.value for row in rows.get(node, ()) if row.chosen} for node in nodes}

    def _iterate_flows(self) -> Iterator[Flow]:
        """The flows into all datasets, also into those that only lineage mentions."""
        nodes = np.arange(self._index.changes.count_nodes(), dtype=np.int32)
        datasets = nodes[self._index.lineage.get_kinds(nodes) == KINDS.index(AssetKind.DATASET)]
        found = self._index.lineage.list_flows_near(np.unique(self._index.lineage.get_representatives(datasets)), Direction.UPSTREAM)
        yield from self._build_flows(found.start, found.end, found.reach, found.masking, found.job, found.subtype)

    def _build_flows(self, *columns: Iterable[int]) -> Iterator[Flow]:
        lists = [np.asarray(column).tolist() for column in columns]
        for start, end, reach, masking, job, subtype in dict.fromkeys(zip(*lists, strict=True)):
            if self._is_kept(start) and self._is_kept(end):
                type_ = FlowType.INDIRECT if reach == Reach.INDIRECT else FlowType.DIRECT
                text = "" if reach == Reach.POSSIBLE else self._index.lineage.get_text(subtype)
                by = None if job < 0 or not self._is_kept(job) else self._get_key(job)
                yield Flow(self._get_key(start), self._get_key(end), type_, text, bool(masking), job=by)

    def _get_key(self, node: int) -> AssetKey:
        key = self._keys.get(node)
        if key is None:
            key = self._keys[node] = self._index.assets.get_key(node)
        return key

    def _is_kept(self, node: int) -> bool:
        return self._kept is None or any(name.id in self._kept for name in self._index.assets.list_names(node, former=True))


def get_dataset(key: AssetKey) -> AssetKey:
    """The dataset of a column; a dataset itself."""
    return build_dataset_key(*key.parts[:2])


def _build_flow_key(flow: Flow) -> tuple[object, ...]:
    return (flow.start, flow.end, flow.type, flow.subtype, flow.masking)


def get_text(attributes: Attributes, name: str) -> str:
    """An attribute that is a text; '' if it is none."""
    value = attributes.get(name)
    return value if isinstance(value, str) else ""


def list_texts(attributes: Attributes, name: str) -> list[str]:
    """An attribute that is a list of texts."""
    value = attributes.get(name)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
