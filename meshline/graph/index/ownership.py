"""Which product and domain an asset belongs to, and who owns it.

`RelationRows` keeps the rows of the relation types that many answers need at once, so that no answer searches all relations.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meshline.graph.contracts import is_in_force
from meshline.graph.index.arrays import COLUMN, DATASET, I64, N_NODES, N_RELATIONS, NONE
from meshline.graph.index.display_names import DisplayNames, is_output
from meshline.graph.index.heads import RELATIONS
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.mentions import ChangedAssets
from meshline.graph.index.results import EdgeTable, Flags, Ints, Ownership
from meshline.graph.model import EDGE_TYPES, KINDS, AssetKind, EdgeType, Precedence, parse_source_kind
from meshline.graph.naming import Patterns, Rule
from meshline.graph.store.head_table import format_scope

_READS = EDGE_TYPES.index(EdgeType.READS)
_KEPT = tuple(EDGE_TYPES.index(type_) for type_ in (EdgeType.PORT, EdgeType.OWNS, EdgeType.CONSUMES, EdgeType.GOVERNS, EdgeType.MAY_READ))

# The beginning of the scopes of runs that read and state no output.
_IDLE = format_scope(("job-reads", ""))[:-2]


class RelationRows:
    """Rows of `Relations` by type. New rows are examined once; rows of heads that are gone are left out."""

    def __init__(self, tables: IndexTables) -> None:
        self._tables = tables
        self._renumbered = -1
        self._upto = 0
        self._rows: dict[int, I64] = {}
        self._idle: I64 = np.empty(0, np.int64)

    def list_rows(self, type_: int) -> I64:
        """The rows (int64) of visible relations of a type: PORT, OWNS, CONSUMES, GOVERNS or MAY_READ."""
        self._follow()
        return self._filter_visible(self._rows[type_], type_)

    def list_idle_reads(self) -> I64:
        """The rows (int64) of visible READS of jobs without a stated output."""
        self._follow()
        return self._filter_visible(self._idle, _READS)

    def _filter_visible(self, rows: I64, type_: int) -> I64:
        visible: I64 = rows[self._tables.relations.type[rows] == type_]
        return visible

    def _follow(self) -> None:
        tables = self._tables
        if self._renumbered != tables.heads.renumbered:
            self._renumbered = tables.heads.renumbered
            self._upto = 0
            self._rows = {type_: np.empty(0, np.int64) for type_ in _KEPT}
            self._idle = np.empty(0, np.int64)
        n = int(tables.counts[N_RELATIONS])
        if n == self._upto:
            return
        types = tables.relations.type[self._upto : n]
        for type_, known in self._rows.items():
            self._rows[type_] = np.concatenate([known, np.flatnonzero(types == type_) + self._upto])
        self._idle = np.concatenate([self._idle, self._filter_idle(np.flatnonzero(types == _READS) + self._upto)])
        self._upto = n

    def _filter_idle(self, rows: I64) -> I64:
        """The rows among these READS that belong to jobs without a stated output."""
        heads = self._tables.heads
        of_rows = heads.find_of_rows(rows, RELATIONS)
        distinct = np.unique(of_rows)
        idle = np.array([heads.scopes[head].startswith(_IDLE) for head in distinct.tolist()], np.bool_)
        found: I64 = rows[np.isin(of_rows, distinct[idle])]
        return found


_OWNS = EDGE_TYPES.index(EdgeType.OWNS)
_GOVERNS = EDGE_TYPES.index(EdgeType.GOVERNS)
_PART_OF = EDGE_TYPES.index(EdgeType.PART_OF)
_PORT = EDGE_TYPES.index(EdgeType.PORT)
_DOMAIN = KINDS.index(AssetKind.DOMAIN)
_DATA_PRODUCT = KINDS.index(AssetKind.DATA_PRODUCT)
_CONTRACT = KINDS.index(AssetKind.CONTRACT)
_JOB = KINDS.index(AssetKind.JOB)

# What is cached for a node: nothing yet, that there is none, or the other node + _SOME. Zeros that are never written cost no memory.
_UNKNOWN, _ABSENT, _SOME = 0, 1, 2


class OwnershipCache:
    """Products, domains and owners of assets.

    Answers are cached, and forgotten only for assets that a change affects: after an event that adds a
    dataset, the next query computes only that dataset.
    """

    def __init__(self, loader: HeadLoader, shown: DisplayNames, precedence: Precedence) -> None:
        self._loader = loader
        self._tables = loader.tables
        self._shown = shown
        self._precedence = precedence
        self._version = -1
        self._owners_version = 0
        self._changed_assets = ChangedAssets(loader.tables, loader.identity)
        self.relations = RelationRows(loader.tables)
        self._rules: frozenset[Rule] = frozenset()
        self._patterns: dict[int, Patterns] = {}
        self._product: Ints = np.zeros(0, np.int32)  # of datasets (representatives); see _UNKNOWN
        self._domain: Ints = np.zeros(0, np.int32)  # of datasets, products and domains (the one above)
        self._owners: dict[int, tuple[Ownership, ...]] = {}  # of exactly this asset
        self._owner_nodes: dict[int, frozenset[int]] = {}  # the nodes of the same owners
        self._owned: Flags = np.zeros(0, np.bool_)  # by node: whether exactly this asset has owners, stated or by contract
        self._exposed: Flags = np.zeros(0, np.bool_)  # whether the dataset has ports

    def find_product(self, node: int) -> int | None:
        """The product of a dataset (or of a column's): by output port, else by the longest matching pattern."""
        dataset = self._find_dataset(node)
        if dataset is None:
            return None
        self._follow()
        if self._product[dataset] == _UNKNOWN:
            self._place(dataset)
        return _decode_node(int(self._product[dataset]))

    def find_domain(self, node: int) -> int | None:
        """The domain of a dataset, column or product; the parent of a domain."""
        container = node if self._tables.nodes.kind[node] in (_DOMAIN, _DATA_PRODUCT) else self._find_dataset(node)
        if container is None:
            return None
        self._follow()
        if self._domain[container] == _UNKNOWN:
            self._resolve_domains([container])
        return _decode_node(int(self._domain[container]))

    def find_products(self, datasets: Ints) -> Ints:
        """The product of each of these datasets (representatives), or NONE."""
        self._follow()
        for dataset in datasets[self._product[datasets] == _UNKNOWN].tolist():
            self._place(dataset)
        return np.maximum(self._product[datasets] - _SOME, NONE)

    def find_domains(self, nodes: Ints) -> Ints:
        """The domain of each of these datasets (representatives), products and domains, or NONE."""
        self._follow()
        self._resolve_domains(nodes[self._domain[nodes] == _UNKNOWN].tolist())
        return np.maximum(self._domain[nodes] - _SOME, NONE)

    def list_owners(self, node: int) -> list[Ownership]:
        """The owners at the nearest level that has any."""
        for level in self.iterate_levels(node):
            found = self.list_direct_owners(level)
            if found:
                return found
        return []

    def list_direct_owners(self, node: int) -> list[Ownership]:
        """The owners stated of exactly this asset, by the strongest source that states any; one for each owner and type.

        Without any, the owners of the active contracts that govern it: their `level` is the contract.
        """
        self._follow()
        rep = int(self._tables.nodes.rep[node])
        found = self._owners.get(rep)
        if found is None:
            found = self._owners[rep] = tuple(self._list_stated_owners(rep) or self._list_contract_owners(rep))
        return list(found)

    def collect_owner_nodes(self, node: int) -> frozenset[int]:
        """The owners of `direct_owners`, of a representative."""
        self._follow()
        found = self._owner_nodes.get(node)
        if found is None:
            found = self._owner_nodes[node] = frozenset(ownership.owner for ownership in self.list_direct_owners(node))
        return found

    def get_owned(self) -> Flags:
        """Boolean array by node, valid at representatives: whether `list_direct_owners` has any."""
        self._follow()
        return self._owned

    def build_edge_table(self, type_: int) -> EdgeTable:
        """The visible relations of a type that `RelationRows` keeps."""
        return self._build_table(self.relations.list_rows(type_))

    def list_heads(self, type_: int) -> Ints:
        """The head of each row of `build_edge_table` (int32)."""
        return self._tables.heads.find_of_rows(self.relations.list_rows(type_), RELATIONS)

    def build_idle_read_table(self) -> EdgeTable:
        """The visible READS of jobs without a stated output."""
        return self._build_table(self.relations.list_idle_reads())

    def _build_table(self, rows: I64) -> EdgeTable:
        tables = self._tables
        start, end = tables.nodes.rep[tables.relations.start[rows]], tables.nodes.rep[tables.relations.end[rows]]
        return EdgeTable(start, end, tables.relations.value[rows])

    def list_scopes_stating(self, type_: int) -> dict[str, list[int]]:
        """By kind of source: the ids of the scopes that state relations of a type that `RelationRows` keeps, except relations to jobs."""
        rows, tables = self.relations.list_rows(type_), self._tables
        rows = rows[tables.nodes.kind[tables.relations.end[rows]] != _JOB]
        heads = np.unique(tables.heads.find_of_rows(rows, RELATIONS))
        found: dict[str, list[int]] = {}
        for source, scope_id in zip(tables.heads.source[heads].tolist(), tables.heads.scope_id[heads].tolist(), strict=True):
            found.setdefault(parse_source_kind(tables.heads.sources[source]), []).append(scope_id)
        return found

    def iterate_levels(self, node: int) -> Iterator[int]:
        """The asset itself, then its containers, the nearest first."""
        tables = self._tables
        rep: int | None = int(tables.nodes.rep[node])
        assert rep is not None
        yield rep
        if tables.nodes.kind[rep] == COLUMN:
            yield int(tables.nodes.rep[tables.nodes.part1[rep]])
        product = self.find_product(rep)
        if product is not None:
            yield product
        seen: set[int] = set()
        domain = self.find_domain(rep)
        while domain is not None and domain not in seen:
            seen.add(domain)
            yield domain
            domain = self.find_domain(domain)

    def _find_dataset(self, node: int) -> int | None:
        nodes = self._tables.nodes
        if nodes.kind[node] == COLUMN:
            return int(nodes.rep[nodes.part1[node]])
        return int(nodes.rep[node]) if nodes.kind[node] == DATASET else None

    def _find_parent(self, node: int) -> int | None:
        """The domain that a product or domain is part of, according to the strongest source."""
        tables = self._tables
        rows = tables.list_relation_rows(node, _PART_OF)
        if not rows:
            return None

        def measure_strength(stated: tuple[int, int]) -> tuple[int, int, str, tuple[str, ...]]:
            row, head = stated
            source = tables.heads.get_source(head)
            return (
                self._precedence.rank(source, "domain"),
                -int(tables.heads.observed_at[head]),
                source,
                tables.get_label(int(tables.relations.end[row])),
            )

        row, _ = min(zip(rows, tables.find_heads(rows, RELATIONS), strict=True), key=measure_strength)
        return int(tables.relations.end[row])

    def _list_stated_owners(self, rep: int) -> list[Ownership]:
        tables = self._tables
        rows = [row for member in tables.list_ring(rep) for row in tables.list_relation_rows(member, _OWNS, incoming=True)]
        if not rows:
            return []
        stated = [(tables.heads.get_source(head), head, row) for row, head in zip(rows, tables.find_heads(rows, RELATIONS), strict=True)]
        strongest = min(self._precedence.rank(source, "owners") for source, _, _ in stated)
        found: dict[tuple[tuple[str, ...], str], Ownership] = {}
        for source, head, row in sorted(
            stated, key=lambda one: (-int(tables.heads.observed_at[one[1]]), one[0], int(tables.heads.scope_id[one[1]]))
        ):
            if self._precedence.rank(source, "owners") == strongest:
                owner = int(tables.nodes.rep[tables.relations.start[row]])
                type_ = self._loader.get_relation_attributes(row).get("type")
                ownership = Ownership(
                    owner, type_ if isinstance(type_, str) else "technical", rep, source, int(tables.heads.scope_id[head])
                )
                found.setdefault((tables.get_label(owner), ownership.type), ownership)
        return [found[key] for key in sorted(found)]

    def _list_contract_owners(self, rep: int) -> list[Ownership]:
        """The owners of all active contracts that govern an asset; one for each owner and type, by the first contract by name."""
        tables = self._tables
        rows = [row for member in tables.list_ring(rep) for row in tables.list_relation_rows(member, _GOVERNS, incoming=True)]
        contracts = {int(tables.relations.start[row]) for row in rows if self._is_in_force(row)}
        found: dict[tuple[tuple[str, ...], str], Ownership] = {}
        for contract in sorted(contracts, key=tables.get_parts):
            for ownership in self._list_stated_owners(contract):
                found.setdefault((tables.get_label(ownership.owner), ownership.type), ownership)
        return [found[key] for key in sorted(found)]

    def _is_in_force(self, row: int) -> bool:
        """Whether the contract of this relation is active."""
        status = self._loader.get_relation_attributes(row).get("status")
        return is_in_force(status if isinstance(status, str) else "")

    def _find_port_product(self, dataset: int) -> int | None:
        """The product with an output port on the dataset, under any of its names: the first by name."""
        tables = self._tables
        products = [
            int(tables.relations.start[row])
            for member in tables.list_ring(dataset)
            for row in tables.list_relation_rows(member, _PORT, incoming=True)
            if is_output(self._loader.get_relation_attributes(row).get("direction"))
        ]
        return min(products, key=tables.get_parts, default=None)

    def _resolve_domains(self, nodes: list[int]) -> None:
        kinds = self._tables.nodes.kind
        for node in nodes:
            if kinds[node] == DATASET:
                self._place(node)
            else:
                self._domain[node] = _encode_node(self._find_parent(node))

    def _place(self, dataset: int) -> None:
        """Find the product and the domain of a dataset."""
        product = self._find_port_product(dataset) if self._exposed[dataset] else None
        names = ["/".join(self._tables.get_parts(member)) for member in self._shown.list_members(dataset)]
        if product is None:
            product = self._patterns[_DATA_PRODUCT].find_container(names)
        domain = None if product is None else self.find_domain(product)
        if domain is None:
            domain = self._patterns[_DOMAIN].find_container(names)
        self._product[dataset], self._domain[dataset] = _encode_node(product), _encode_node(domain)

    def _follow(self) -> None:
        """Forget the cached answers that may have changed."""
        if self._version == self._loader.version:
            return
        self._version = self._loader.version
        if self._owners_version != self._loader.owners.version:
            self._owners_version = self._loader.owners.version
            self._owners.clear()
            self._owner_nodes.clear()
        changed = self._changed_assets.find_changed()
        self._make_room()
        if changed is None:
            self._forget_all()
            self._build_patterns()
        else:
            self._forget(changed)
        self._owned, self._exposed = self._mark_ends(_OWNS), self._mark_ends(_PORT)
        self._owned[self._list_governed_by_owned(self._owned)] = True

    def _mark_ends(self, type_: int) -> Flags:
        """Boolean array by node, set at representatives: whether a relation of a type ends at any member of the class."""
        tables = self._tables
        found = np.zeros(int(tables.counts[N_NODES]), np.bool_)
        found[tables.nodes.rep[tables.relations.end[self.relations.list_rows(type_)]]] = True
        return found

    def _list_governed_by_owned(self, owned: Flags) -> Ints:
        """The nodes that are governed by active contracts which have owners."""
        tables = self._tables
        rows = self.relations.list_rows(_GOVERNS)
        rows = rows[owned[tables.nodes.rep[tables.relations.start[rows]]]]
        _, first, at = np.unique(tables.relations.value[rows], return_index=True, return_inverse=True)  # each set of attributes once
        active = np.array([self._is_in_force(row) for row in rows[first].tolist()], np.bool_)
        governed: Ints = tables.nodes.rep[tables.relations.end[rows[active[at]]]]
        return governed

    def _make_room(self) -> None:
        n, known = int(self._tables.counts[N_NODES]), len(self._product)
        if known < n:
            more = np.zeros(max(n, known + known // 8) - known, np.int32)
            self._product, self._domain = np.concatenate([self._product, more]), np.concatenate([self._domain, more])

    def _forget_all(self) -> None:
        self._owners.clear()
        self._owner_nodes.clear()
        self._clear_places()

    def _clear_places(self) -> None:
        self._product, self._domain = np.zeros_like(self._product), np.zeros_like(self._domain)

    def _forget(self, changed: Ints) -> None:
        nodes = self._tables.nodes
        kinds = nodes.kind[changed]
        of_columns = nodes.part1[changed[kinds == COLUMN]]
        datasets = np.unique(nodes.rep[np.concatenate([changed[kinds == DATASET], of_columns])])
        self._product[datasets] = self._domain[datasets] = _UNKNOWN
        forgotten = {*datasets.tolist(), *nodes.rep[changed].tolist(), *self._list_governed(changed[kinds == _CONTRACT])}
        for owned in list(self._owners):
            if owned in forgotten or (nodes.kind[owned] == COLUMN and int(nodes.rep[nodes.part1[owned]]) in forgotten):
                del self._owners[owned]
                self._owner_nodes.pop(owned, None)
        containers = changed[(kinds == _DATA_PRODUCT) | (kinds == _DOMAIN)]
        if len(containers):
            self._domain[containers] = _UNKNOWN
            self._domain[np.isin(self._product, containers + _SOME)] = _UNKNOWN
            self._build_patterns()

    def _list_governed(self, contracts: Ints) -> list[int]:
        """The nodes that these contracts govern now; the nodes that they governed before have changed themselves."""
        tables = self._tables
        rows = [row for contract in contracts.tolist() for row in tables.list_relation_rows(contract, _GOVERNS)]
        governed: list[int] = tables.nodes.rep[tables.relations.end[rows]].tolist()
        return governed

    def _build_patterns(self) -> None:
        """Build the patterns of the members of products and domains from the stated rules."""
        stated = {(node, text) for node, by_scope in self._loader.patterns.items() for texts in by_scope.values() for text in texts}
        rules = frozenset(Rule(text, node, self._tables.get_label(node)) for node, text in stated)
        if rules != self._rules or not self._patterns:
            self._rules = rules
            kinds = self._tables.nodes.kind
            self._patterns = {kind: Patterns(rule for rule in rules if kinds[rule.container] == kind) for kind in (_DOMAIN, _DATA_PRODUCT)}
            self._clear_places()


def _encode_node(node: int | None) -> int:
    return _ABSENT if node is None else node + _SOME


def _decode_node(code: int) -> int | None:
    return None if code == _ABSENT else code - _SOME
