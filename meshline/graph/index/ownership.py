"""Which product and domain an asset belongs to, and who owns it.

`Ties` keeps the relations of the types that many answers need at once, so that no answer searches all relations.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meshline.graph.contracts import in_force
from meshline.graph.index.arrays import COLUMN, DATASET, I64, N_NODES, N_RELATIONS, NONE
from meshline.graph.index.display_names import DisplayNames, is_output
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.mentions import ChangedAssets
from meshline.graph.index.results import EdgeTable, Flags, Ints, Ownership
from meshline.graph.model import EDGE_TYPES, KINDS, AssetKind, EdgeType, Precedence, parse_source_kind
from meshline.graph.naming import Patterns, Rule
from meshline.graph.store.head_table import format_scope

_READS = EDGE_TYPES.index(EdgeType.READS)
_KEPT = tuple(EDGE_TYPES.index(type_) for type_ in (EdgeType.PORT, EdgeType.OWNS, EdgeType.CONSUMES, EdgeType.GOVERNS))

# How the scopes of runs begin that read and name no output.
_IDLE = format_scope(("job-reads", ""))[:-2]


class RelationRows:
    """Rows of `Relations` by type. New rows are looked through once; those of heads that went are left out."""

    def __init__(self, tables: IndexTables) -> None:
        self._tables = tables
        self._renumbered = -1
        self._upto = 0
        self._rows: dict[int, I64] = {}
        self._idle: I64 = np.empty(0, np.int64)

    def list_rows(self, type_: int) -> I64:
        """The visible relations of a type: PORT, OWNS, CONSUMES or GOVERNS."""
        self._follow()
        return self._filter_visible(self._rows[type_], type_)

    def list_idle_reads(self) -> I64:
        """The visible READS of jobs that name no output."""
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
        """Those of these READS that jobs without an output say."""
        heads = self._tables.heads
        of_rows = heads.find_of_rows(rows, 1)
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

# What is remembered of a node: nothing yet, that there is none, or the other node + _SOME. Zeros that nobody touched cost no memory.
_UNKNOWN, _NOBODY, _SOME = 0, 1, 2


class OwnershipCache:
    """Products, domains and owners of assets.

    What was found out is kept, and forgotten only of assets that a change touches: an event that adds a
    dataset costs the next question that dataset.
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
        self._owners: dict[int, tuple[Ownership, ...]] = {}  # of the very asset
        self._owner_nodes: dict[int, frozenset[int]] = {}  # the same without how
        self._owned: Flags = np.zeros(0, np.bool_)  # by node: whether the very asset has owners, of its own or by contract
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
        holder = node if self._tables.nodes.kind[node] in (_DOMAIN, _DATA_PRODUCT) else self._find_dataset(node)
        if holder is None:
            return None
        self._follow()
        if self._domain[holder] == _UNKNOWN:
            self._resolve_domains([holder])
        return _decode_node(int(self._domain[holder]))

    def find_products(self, datasets: Ints) -> Ints:
        """The product of each of these datasets (representatives), or NONE."""
        self._follow()
        for dataset in datasets[self._product[datasets] == _UNKNOWN].tolist():
            self._place(dataset)
        return np.maximum(self._product[datasets] - _SOME, NONE)

    def find_domains(self, holders: Ints) -> Ints:
        """The domain of each of these datasets (representatives), products and domains, or NONE."""
        self._follow()
        self._resolve_domains(holders[self._domain[holders] == _UNKNOWN].tolist())
        return np.maximum(self._domain[holders] - _SOME, NONE)

    def list_owners(self, node: int) -> list[Ownership]:
        """The owners at the nearest level that has any."""
        for level in self.iterate_levels(node):
            found = self.list_direct_owners(level)
            if found:
                return found
        return []

    def list_direct_owners(self, node: int) -> list[Ownership]:
        """The owners stated of this very asset, by the strongest source that names any; of one owner, one per type.

        Without any, the owners of the contracts in force that govern it: their `level` is the contract.
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
            found = self._owner_nodes[node] = frozenset(said.owner for said in self.list_direct_owners(node))
        return found

    def get_owned(self) -> Flags:
        """By node: whether `direct_owners` has any. Of representatives."""
        self._follow()
        return self._owned

    def build_edge_table(self, type_: int) -> EdgeTable:
        """The visible relations of a type that `Ties` keeps."""
        rows, tables = self.relations.list_rows(type_), self._tables
        start, end = tables.nodes.rep[tables.relations.start[rows]], tables.nodes.rep[tables.relations.end[rows]]
        return EdgeTable(start, end, tables.relations.value[rows])

    def list_scopes_stating(self, type_: int) -> dict[str, list[int]]:
        """By kind of source: the ids of the scopes that state relations of a type that `Ties` keeps, but to jobs."""
        rows, tables = self.relations.list_rows(type_), self._tables
        rows = rows[tables.nodes.kind[tables.relations.end[rows]] != _JOB]
        heads = np.unique(tables.heads.find_of_rows(rows, 1))
        found: dict[str, list[int]] = {}
        for source, scope_id in zip(tables.heads.source[heads].tolist(), tables.heads.scope_id[heads].tolist(), strict=True):
            found.setdefault(parse_source_kind(tables.heads.sources[source]), []).append(scope_id)
        return found

    def iterate_levels(self, node: int) -> Iterator[int]:
        """The asset itself, then what holds it, nearest first."""
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
        """What a product or domain is part of, as the strongest source says."""
        tables = self._tables
        rows = tables.list_relation_rows(node, _PART_OF)
        if not rows:
            return None

        def measure_strength(said: tuple[int, int]) -> tuple[int, int, str, tuple[str, ...]]:
            row, head = said
            source = tables.heads.get_source(head)
            return (
                self._precedence.rank(source, "domain"),
                -int(tables.heads.observed_at[head]),
                source,
                tables.get_label(int(tables.relations.end[row])),
            )

        row, _ = min(zip(rows, tables.find_heads(rows, 1), strict=True), key=measure_strength)
        return int(tables.relations.end[row])

    def _list_stated_owners(self, rep: int) -> list[Ownership]:
        tables = self._tables
        rows = [row for member in tables.list_ring(rep) for row in tables.list_relation_rows(member, _OWNS, incoming=True)]
        if not rows:
            return []
        said = [(tables.heads.get_source(head), head, row) for row, head in zip(rows, tables.find_heads(rows, 1), strict=True)]
        strongest = min(self._precedence.rank(source, "owners") for source, _, _ in said)
        found: dict[tuple[tuple[str, ...], str], Ownership] = {}
        for source, head, row in sorted(
            said, key=lambda one: (-int(tables.heads.observed_at[one[1]]), one[0], int(tables.heads.scope_id[one[1]]))
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
        """The owners of all contracts in force that govern an asset; of one owner, one per type: by the first contract by name."""
        tables = self._tables
        rows = [row for member in tables.list_ring(rep) for row in tables.list_relation_rows(member, _GOVERNS, incoming=True)]
        contracts = {int(tables.relations.start[row]) for row in rows if self._is_in_force(row)}
        found: dict[tuple[tuple[str, ...], str], Ownership] = {}
        for contract in sorted(contracts, key=tables.get_parts):
            for ownership in self._list_stated_owners(contract):
                found.setdefault((tables.get_label(ownership.owner), ownership.type), ownership)
        return [found[key] for key in sorted(found)]

    def _is_in_force(self, row: int) -> bool:
        """Whether the contract governs by this relation now."""
        status = self._loader.get_relation_attributes(row).get("status")
        return in_force(status if isinstance(status, str) else "")

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

    def _resolve_domains(self, holders: list[int]) -> None:
        kinds = self._tables.nodes.kind
        for holder in holders:
            if kinds[holder] == DATASET:
                self._place(holder)
            else:
                self._domain[holder] = _encode_node(self._find_parent(holder))

    def _place(self, dataset: int) -> None:
        """Find out what holds a dataset."""
        product = self._find_port_product(dataset) if self._exposed[dataset] else None
        names = ["/".join(self._tables.get_parts(member)) for member in self._shown.list_members(dataset)]
        if product is None:
            product = self._patterns[_DATA_PRODUCT].holder(names)
        domain = None if product is None else self.find_domain(product)
        if domain is None:
            domain = self._patterns[_DOMAIN].holder(names)
        self._product[dataset], self._domain[dataset] = _encode_node(product), _encode_node(domain)

    def _follow(self) -> None:
        """Forget what may not hold any more."""
        if self._version == self._loader.version:
            return
        self._version = self._loader.version
        if self._owners_version != self._loader.owners.version:
            self._owners_version = self._loader.owners.version
            self._owners.clear()
            self._owner_nodes.clear()
        touched = self._changed_assets.find_changed()
        self._make_room()
        if touched is None:
            self._forget_all()
            self._build_patterns()
        else:
            self._forget(touched)
        self._owned, self._exposed = self._mark_ends(_OWNS), self._mark_ends(_PORT)
        self._owned[self._list_governed_by_owned(self._owned)] = True

    def _mark_ends(self, type_: int) -> Flags:
        """By node: whether a relation of a type ends at any member of its class. Of representatives."""
        tables = self._tables
        found = np.zeros(int(tables.counts[N_NODES]), np.bool_)
        found[tables.nodes.rep[tables.relations.end[self.relations.list_rows(type_)]]] = True
        return found

    def _list_governed_by_owned(self, owned: Flags) -> Ints:
        """What contracts in force govern that are owned."""
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

    def _forget(self, touched: Ints) -> None:
        nodes = self._tables.nodes
        kinds = nodes.kind[touched]
        of_columns = nodes.part1[touched[kinds == COLUMN]]
        datasets = np.unique(nodes.rep[np.concatenate([touched[kinds == DATASET], of_columns])])
        self._product[datasets] = self._domain[datasets] = _UNKNOWN
        forgotten = {*datasets.tolist(), *nodes.rep[touched].tolist(), *self._list_governed(touched[kinds == _CONTRACT])}
        for owned in list(self._owners):
            if owned in forgotten or (nodes.kind[owned] == COLUMN and int(nodes.rep[nodes.part1[owned]]) in forgotten):
                del self._owners[owned]
                self._owner_nodes.pop(owned, None)
        holders = touched[(kinds == _DATA_PRODUCT) | (kinds == _DOMAIN)]
        if len(holders):
            self._domain[holders] = _UNKNOWN
            self._domain[np.isin(self._product, holders + _SOME)] = _UNKNOWN
            self._build_patterns()

    def _list_governed(self, contracts: Ints) -> list[int]:
        """What these contracts govern; what they governed until now is touched itself."""
        tables = self._tables
        rows = [row for contract in contracts.tolist() for row in tables.list_relation_rows(contract, _GOVERNS)]
        governed: list[int] = tables.nodes.rep[tables.relations.end[rows]].tolist()
        return governed

    def _build_patterns(self) -> None:
        """Take up the rules of the members of products and domains."""
        said = {(node, text) for node, by_scope in self._loader.patterns.items() for texts in by_scope.values() for text in texts}
        rules = frozenset(Rule(text, node, self._tables.get_label(node)) for node, text in said)
        if rules != self._rules or not self._patterns:
            self._rules = rules
            kinds = self._tables.nodes.kind
            self._patterns = {kind: Patterns(rule for rule in rules if kinds[rule.holder] == kind) for kind in (_DOMAIN, _DATA_PRODUCT)}
            self._clear_places()


def _encode_node(node: int | None) -> int:
    return _NOBODY if node is None else node + _SOME


def _decode_node(code: int) -> int | None:
    return None if code == _NOBODY else code - _SOME
