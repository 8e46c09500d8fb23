"""What policies can be about: the protocol of subjects, the context in which they read the graph (each part once for all policies of a
pass), and the assets that a commit can affect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from meshline.governance.policies.personal_data import PersonalData
from meshline.graph.index import COLUMN, DATASET, LineageIndex
from meshline.graph.index.results import ChangedNodes, EdgeTable, Flags, Ints
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import KINDS, AssetKind, EdgeType, Json
from meshline.graph.queries.assets import Attributes, read_attributes
from meshline.graph.queries.contract_versions import Version, build_versions

if TYPE_CHECKING:
    from meshline.graph.queries.impact_paths import PathStep

MOST = 100  # values of a list that a policy reads


class Ports(NamedTuple):
    """The ports of one direction, one row for each statement (int32 arrays). `attributes`: numbers of the edges' attributes."""

    product: Ints
    dataset: Ints
    attributes: Ints


class EvaluationContext:
    """Cached reads of the graph for one pass. Valid as long as the graph does not change; `personal` outlives it."""

    def __init__(
        self, live: LiveGraph, index: LineageIndex, now: datetime | None = None, personal: dict[str, PersonalData] | None = None
    ) -> None:
        self.live = live
        self.index = index
        self.now = now or datetime.now(UTC)
        self.shared: dict[object, Any] = {}  # results of subjects, for others of the same pass
        self._personal = {} if personal is None else personal
        self._attributes: dict[int, Attributes] = {}
        self._names: dict[int, str] = {}
        self._circles: dict[int, tuple[str, ...]] = {}

    # -- edges

    @cached_property
    def outputs(self) -> Ports:
        """The output ports."""
        return self._select_ports("output")

    @cached_property
    def inputs(self) -> Ports:
        """The input ports."""
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
        """The attributes of edges by their number."""
        return self.index.ownership.get_attributes(number)

    def _select_ports(self, direction: str) -> Ports:
        tied = self.index.ownership.list_all_edges(EdgeType.PORT)
        numbers = {number: _get_direction(self.get_attributes(number)) == direction for number in np.unique(tied.attribute_number).tolist()}
        kept = np.array([numbers[number] for number in tied.attribute_number.tolist()], np.bool_)
        return Ports(tied.start[kept], tied.end[kept], tied.attribute_number[kept])

    # -- attributes of assets

    def prefetch(self, nodes: Iterable[int]) -> None:
        """Read the attributes of these nodes in one go."""
        wanted = sorted({node for node in nodes if node not in self._attributes})
        if wanted:
            self._attributes.update(zip(wanted, read_attributes(self.live, self.index, wanted), strict=True))

    def read_attributes(self, node: int) -> Attributes:
        self.prefetch([node])
        return self._attributes[node]

    def list_versions(self, contract: int) -> list[Version]:
        """The versions of a contract; the first is the one that is shown."""
        return build_versions(self.index.assets.get_label(contract).name, self.read_attributes(contract).rows)

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
        """The groups of a consumer or product, in lower case: its name, tags and owners, the domains that these own, its own domain."""
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
        """Where personal data is, by these parameters; shared by all passes."""
        key = PersonalData.build_key(parameters)
        found = self._personal.get(key)
        if found is None:
            found = self._personal[key] = PersonalData(self.index, parameters)
        return found


def _get_direction(stated: Mapping[str, Json]) -> str:
    direction = stated.get("direction", "output")
    return direction.lower() if isinstance(direction, str) else ""


_OWNER = KINDS.index(AssetKind.OWNER)


class Scope(NamedTuple):
    """The assets that a commit can affect, as representatives (nodes of the index).

    `affected`: products, contracts and consumers that the change names, or whose owner it names. `datasets`: those that it names, and
    the ports, inputs and governed datasets of the affected ones. `products`, `contracts`: the affected ones and those of these datasets.
    `changed` (int32): the columns, and datasets as wholes, whose values may differ. `marked` (bool, by node): these and their datasets.
    `owners`: those that the change names, or whose names refer to another one now. `nodes`: all of them under all their names, with the
    columns of the datasets.
    """

    affected: frozenset[int]
    datasets: frozenset[int]
    products: frozenset[int]
    contracts: frozenset[int]
    owners: frozenset[int]
    nodes: frozenset[int]
    marked: Flags
    changed: Ints


def collect_patterns(index: LineageIndex) -> Mapping[int, frozenset[str]]:
    """By node of a product or domain: the patterns of its members' names."""
    return {
        node: frozenset(text for texts in patterns.values() for text in texts)
        for node, patterns in index.ownership.collect_member_patterns().items()
    }


def find_scope(context: EvaluationContext, changes: ChangedNodes, more: Iterable[int] = ()) -> Scope | None:
    """What a commit can affect; None: anything. `more`: further assets to include."""
    index, lineage = context.index, context.index.lineage
    nodes = np.unique(lineage.get_representatives(np.concatenate([changes.named, np.array(sorted(more), np.int32)])))
    kinds = lineage.get_kinds(nodes)
    by_kind = {kind: nodes[kinds == code] for code, kind in enumerate(KINDS)}
    fed = np.unique(lineage.get_representatives(changes.fed))
    fed_kinds = lineage.get_kinds(fed)
    if len(by_kind[AssetKind.DOMAIN]):
        return None
    products, contracts, consumers, owners = (
        set(by_kind[kind].tolist()) for kind in (AssetKind.DATA_PRODUCT, AssetKind.CONTRACT, AssetKind.CONSUMER, AssetKind.OWNER)
    )
    owners.update(fed[fed_kinds == _OWNER].tolist())  # owners whose names refer to another owner now
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
    changed = _find_changed(context, changes.fed)
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
        frozenset(owners),
        frozenset(
            {
                *owners,
                *products,
                *contracts,
                *consumers,
                *changes.named.tolist(),
                *changes.fed.tolist(),
                *lineage.collect_members(np.array(sorted({*datasets, *np.flatnonzero(marked).tolist()}), np.int32)).tolist(),
            }
        ),
        marked,
        changed,
    )


def _list_related_datasets(context: EvaluationContext, products: set[int], contracts: set[int]) -> Iterable[int]:
    """The datasets at the ports of these products, other used datasets of them, and the datasets that these contracts govern."""
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
    """Columns whose values may differ, all that those may reach, datasets of which any column may differ, and nodes that are no
    longer representatives (int32).
    """
    lineage = context.index.lineage
    current = np.unique(lineage.get_representatives(fed))
    kinds = lineage.get_kinds(current)
    datasets = current[kinds == DATASET]
    begun = np.unique(np.concatenate([current[kinds == COLUMN], datasets, lineage.collect_columns(datasets.tolist())]))
    former = fed[lineage.get_representatives(fed) != fed]
    return np.unique(np.concatenate([lineage.collect_onward(begun.astype(np.int32)), former])).astype(np.int32)


NO_NODE = -1

# Fields that candidates of every kind have.
COMMON: Mapping[str, str] = {
    "name": "the qualified name of what the candidate is about",
    "parameters": "the parameters of the policy",
}


class Fields(dict[str, Any]):
    """Fields by name. Expensive ones are computed on demand, each by its own function or all by one."""

    __slots__ = ("_costly",)

    def __init__(self, known: Mapping[str, Any], costly: Mapping[str, Callable[[], Any]] | Callable[[str], Any] | None = None) -> None:
        super().__init__(known)
        self._costly = costly

    def __missing__(self, name: str) -> Any:
        costly = self._costly
        if costly is None:
            raise KeyError(name)
        value = self[name] = costly(name) if callable(costly) else costly[name]()
        return value


class Candidate(NamedTuple):
    """A candidate for a violation. `asset`: the node that would violate the policy; `end`: the node at its other end, or NO_NODE.
    `uncertainties`: why a violation would be uncertain, in words.
    """

    fields: Fields
    asset: int
    end: int = NO_NODE
    uncertainties: tuple[str, ...] = ()


Parameters: TypeAlias = Mapping[str, Any]
Candidates: TypeAlias = "Callable[[EvaluationContext, Parameters, Scope | None], Iterator[Candidate]]"
Covers: TypeAlias = "Callable[[EvaluationContext, Scope, int, int], bool]"
DescribeFunction: TypeAlias = "Callable[[EvaluationContext, Parameters, int, int, tuple[str, ...]], Fields]"
TraceFunction: TypeAlias = "Callable[[EvaluationContext, Parameters, int, int], tuple[list[PathStep], Mapping[str, str]]]"


_NO_PARAMETERS: Parameters = {}
_NO_FIELDS: Mapping[str, str] = {}


class Subject(NamedTuple):
    """A kind. `fields`: name -> description. `candidates`: lists all, or at least those that a scope covers. `covers`: whether a change
    of that scope may remove (asset, end) from the candidates, or change its fields. `parameters`: those that the candidates depend on,
    with their defaults. `late`: fields of messages that `trace` computes, with the path, only when a violation is shown. `describe`:
    computes the fields of (asset, end, uncertainties) again, for kinds with so many candidates that texts are built only for the
    violations that are shown.
    """

    kind: str
    about: str
    fields: Mapping[str, str]
    candidates: Candidates
    covers: Covers
    parameters: Parameters = _NO_PARAMETERS
    late: Mapping[str, str] = _NO_FIELDS
    trace: TraceFunction | None = None
    describe: DescribeFunction | None = None
