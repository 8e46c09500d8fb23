"""The context of an evaluation: the graph, each part of it read once for all policies of a pass; and the assets that a commit can
affect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from meshline.governance.policies.personal_data import PersonalData
from meshline.graph.index import COLUMN, DATASET, LineageIndex
from meshline.graph.index.results import ChangedNodes, EdgeTable, Flags, Ints
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import KINDS, AssetKind, EdgeType, Json
from meshline.graph.queries.assets import Attributes, attributes
from meshline.graph.queries.contract_versions import Version, versions

MOST = 100  # of a list that a policy is given


class Ports(NamedTuple):
    """The ports of one direction, one row for each time that one is said."""

    product: Ints
    dataset: Ints
    attributes: Ints


class EvaluationContext:
    """One look at the graph. Valid as long as it does not change; `personal` outlives it."""

    def __init__(
        self, live: LiveGraph, index: LineageIndex, now: datetime | None = None, personal: dict[str, PersonalData] | None = None
    ) -> None:
        self.live = live
        self.index = index
        self.now = now or datetime.now(UTC)
        self.shared: dict[object, Any] = {}  # what subjects find out, for others of the same pass
        self._personal = {} if personal is None else personal
        self._attributes: dict[int, Attributes] = {}
        self._names: dict[int, str] = {}
        self._circles: dict[int, tuple[str, ...]] = {}

    # -- edges

    @cached_property
    def outputs(self) -> Ports:
        return self._select_ports("output")

    @cached_property
    def inputs(self) -> Ports:
        return self._select_ports("input")

    @cached_property
    def consumes(self) -> EdgeTable:
        """Consumer -> column, dataset or product."""
        return self.index.ownership.list_all_edges(EdgeType.CONSUMES)

    @cached_property
    def governs(self) -> EdgeTable:
        """Contract -> dataset."""
        return self.index.ownership.list_all_edges(EdgeType.GOVERNS)

    @cached_property
    def exposed(self) -> frozenset[int]:
        """The datasets that are some product's output port."""
        return frozenset(self.outputs.dataset.tolist())

    def get_attributes(self, number: int) -> Mapping[str, Json]:
        return self.index.ownership.get_attributes(number)

    def _select_ports(self, direction: str) -> Ports:
        tied = self.index.ownership.list_all_edges(EdgeType.PORT)
        numbers = {number: _get_direction(self.get_attributes(number)) == direction for number in np.unique(tied.attribute_number).tolist()}
        kept = np.array([numbers[number] for number in tied.attribute_number.tolist()], np.bool_)
        return Ports(tied.start[kept], tied.end[kept], tied.attribute_number[kept])

    # -- what is said of assets

    def prefetch(self, nodes: Iterable[int]) -> None:
        """Read what is said of these in one go."""
        wanted = sorted({node for node in nodes if node not in self._attributes})
        if wanted:
            self._attributes.update(zip(wanted, attributes(self.live, self.index, wanted), strict=True))

    def read_attributes(self, node: int) -> Attributes:
        self.prefetch([node])
        return self._attributes[node]

    def list_versions(self, contract: int) -> list[Version]:
        return versions(self.index.assets.get_label(contract).name, self.read_attributes(contract).rows)

    def get_name(self, node: int | None) -> str:
        """The qualified name; empty for none."""
        if node is None or node < 0:
            return ""
        found = self._names.get(node)
        if found is None:
            found = self._names[node] = self.index.assets.get_key(node).qualified_name
        return found

    def list_tags(self, node: int | None) -> list[str]:
        return [] if node is None or node < 0 else sorted(self.index.assets.list_tags(node))[:MOST]

    def list_owners(self, node: int) -> list[str]:
        """The names of the owners at the nearest level that has any."""
        return sorted({self.index.assets.get_label(found.owner).name for found in self.index.ownership.list_owners(node)})[:MOST]

    def list_circles(self, user: int) -> tuple[str, ...]:
        """To whom a consumer or product belongs: its name, its tags, its owners, the domains that these own, its own domain."""
        found = self._circles.get(user)
        if found is None:
            found = self._circles[user] = self._collect_circles(user)
        return found

    def _collect_circles(self, user: int) -> tuple[str, ...]:
        index = self.index
        names = {index.assets.get_label(user).name, *index.assets.list_tags(user)}
        for owner in index.ownership.list_direct_owners(user):
            names.add(index.assets.get_label(owner.owner).name)
            for edge in index.ownership.list_edges(owner.owner, EdgeType.OWNS):
                if index.assets.get_kind(edge.end) is AssetKind.DOMAIN:
                    names.add(index.assets.get_label(edge.end).name)
        if index.assets.get_kind(user) is AssetKind.DATA_PRODUCT and (domain := index.ownership.find_domain(user)) is not None:
            names.add(index.assets.get_label(domain).name)
        return tuple(sorted(name.lower() for name in names))[:MOST]

    # -- columns

    def list_all(self, kind: AssetKind) -> list[int]:
        return list(self.index.assets.list_of_kind(kind))

    def get_personal_data(self, parameters: Mapping[str, Any]) -> PersonalData:
        """Where personal data is, by these parameters; kept from pass to pass."""
        key = PersonalData.build_key(parameters)
        found = self._personal.get(key)
        if found is None:
            found = self._personal[key] = PersonalData(self.index, parameters)
        return found


def _get_direction(said: Mapping[str, Json]) -> str:
    direction = said.get("direction", "output")
    return direction.lower() if isinstance(direction, str) else ""


_OWNER = KINDS.index(AssetKind.OWNER)


class Scope(NamedTuple):
    """Representatives. `touched`: products, contracts and consumers that are named by what changed, or owned by who is.
    `datasets`: those that are named, and those that the touched ones show, take in, govern. `products`, `contracts`: the touched
    ones and those of these datasets. `changed`: the columns, and datasets as wholes, whose values may be others;
    `marked`: by node, these and their datasets. `nodes`: all of them under all their names, with the columns of the datasets.
    """

    affected: frozenset[int]
    datasets: frozenset[int]
    products: frozenset[int]
    contracts: frozenset[int]
    nodes: frozenset[int]
    marked: Flags
    changed: Ints


def collect_patterns(index: LineageIndex) -> Mapping[int, frozenset[str]]:
    """Which names belong to which product or domain."""
    return {
        node: frozenset(text for texts in said.values() for text in texts)
        for node, said in index.ownership.collect_member_patterns().items()
    }


def find_scope(context: EvaluationContext, moved: ChangedNodes, more: Iterable[int] = ()) -> Scope | None:
    """What a change may touch; None: anything. `more`: assets that are to be looked at as well."""
    index, lineage = context.index, context.index.lineage
    nodes = np.unique(lineage.get_representatives(np.concatenate([moved.named, np.array(sorted(more), np.int32)])))
    kinds = lineage.get_kinds(nodes)
    by_kind = {kind: nodes[kinds == code] for code, kind in enumerate(KINDS)}
    fed = np.unique(lineage.get_representatives(moved.fed))
    fed_kinds = lineage.get_kinds(fed)
    if len(by_kind[AssetKind.DOMAIN]):
        return None
    products, contracts, consumers, owners = (
        set(by_kind[kind].tolist()) for kind in (AssetKind.DATA_PRODUCT, AssetKind.CONTRACT, AssetKind.CONSUMER, AssetKind.OWNER)
    )
    owners.update(fed[fed_kinds == _OWNER].tolist())  # those whose forms mean another one now
    datasets = {*by_kind[AssetKind.DATASET].tolist(), *lineage.get_datasets(by_kind[AssetKind.COLUMN]).tolist()}
    if owners:
        owned = index.ownership.list_all_edges(EdgeType.OWNS)
        for node in np.unique(owned.end[np.isin(owned.start, sorted(owners))]).tolist():
            {
                AssetKind.DATASET: datasets,
                AssetKind.DATA_PRODUCT: products,
                AssetKind.CONTRACT: contracts,
                AssetKind.CONSUMER: consumers,
            }.get(index.assets.get_kind(node), set()).add(node)
    datasets.update(fed[fed_kinds == DATASET].tolist(), lineage.get_datasets(fed[fed_kinds == COLUMN]).tolist())
    datasets.update(_list_related_datasets(context, products, contracts))
    changed = _find_changed(context, moved.fed)
    marked = np.zeros(index.changes.count_nodes(), np.bool_)
    marked[changed] = True
    marked[lineage.get_datasets(changed[lineage.get_kinds(changed) == COLUMN])] = True
    wanted = sorted(datasets)
    governing = context.governs.start[np.isin(context.governs.end, wanted)].tolist()
    return Scope(
        frozenset(products | contracts | consumers),
        frozenset(datasets),
        frozenset(products.union(_list_port_products(context, wanted))),
        frozenset(contracts.union(governing)),
        frozenset(
            {
                *products,
                *contracts,
                *consumers,
                *moved.named.tolist(),
                *moved.fed.tolist(),
                *lineage.collect_members(np.array(sorted({*datasets, *np.flatnonzero(marked).tolist()}), np.int32)).tolist(),
            }
        ),
        marked,
        changed,
    )


def _list_related_datasets(context: EvaluationContext, products: set[int], contracts: set[int]) -> Iterable[int]:
    """The datasets of the ports of these products and what else is used of them, and what these contracts govern."""
    if contracts:
        yield from context.governs.end[np.isin(context.governs.start, sorted(contracts))].tolist()
    if products:
        wanted = sorted(products)
        for ports in (context.outputs, context.inputs):
            yield from ports.dataset[np.isin(ports.product, wanted)].tolist()
        used = list_used_datasets(context)
        yield from used[np.isin(context.index.ownership.find_products(used), wanted)].tolist()


def _list_port_products(context: EvaluationContext, wanted: Sequence[int]) -> Iterable[int]:
    """The products with ports on these datasets."""
    for ports in (context.outputs, context.inputs):
        yield from ports.product[np.isin(ports.dataset, wanted)].tolist()


def list_used_datasets(context: EvaluationContext) -> Ints:
    """The datasets that consumers, or products by their input ports, use."""
    ends = np.concatenate([context.consumes.end, context.inputs.dataset])
    kinds = context.index.lineage.get_kinds(ends)
    return np.unique(np.concatenate([ends[kinds == DATASET], context.index.lineage.get_datasets(ends[kinds == COLUMN])])).astype(np.int32)


def _find_changed(context: EvaluationContext, fed: Ints) -> Ints:
    """The columns that may hold other values, all to which those may go, datasets of which any column may, and what represents
    nothing any more.
    """
    lineage = context.index.lineage
    current = np.unique(lineage.get_representatives(fed))
    kinds = lineage.get_kinds(current)
    datasets = current[kinds == DATASET]
    begun = np.unique(np.concatenate([current[kinds == COLUMN], datasets, lineage.collect_columns(datasets.tolist())]))
    former = fed[lineage.get_representatives(fed) != fed]
    return np.unique(np.concatenate([lineage.collect_onward(begun.astype(np.int32)), former])).astype(np.int32)
