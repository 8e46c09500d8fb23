"""How assets are shown: which of their names, which columns, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import COLUMN, DATASET, GONE, I64, MERGED, N_NODES, NONE, PAST
from meshline.graph.index.heads import FACTS, RELATIONS
from meshline.graph.index.listed_assets import has_catalog, mark_listed
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.results import Flags, Ints, Longs
from meshline.graph.model import (
    CATALOG_KINDS,
    DATASET_SCOPE,
    EDGE_TYPES,
    KINDS,
    WHOLE_SCHEMA,
    AssetKey,
    AssetKind,
    EdgeType,
    Precedence,
    is_partial_schema,
    parse_source_kind,
)

_HAS_COLUMN = EDGE_TYPES.index(EdgeType.HAS_COLUMN)
_PORT = EDGE_TYPES.index(EdgeType.PORT)
_SAME_AS = EDGE_TYPES.index(EdgeType.SAME_AS)


class Listing(NamedTuple):
    """The columns of a dataset as one head lists them, and the strength of the listing: a smaller one is stronger.

    `is_partial`: the dataset may have other columns. `is_whole`: an OpenLineage producer states that it has no others.
    """

    strength: tuple[int, int, int, int, str, str]  # not a catalog, rank of the source, partial, minus the time, source, scope
    columns: dict[int, int | None]  # own nodes -> position
    is_partial: bool = False
    is_whole: bool = False

    @property
    def of_catalog(self) -> bool:
        return self.strength[0] == 0

    @property
    def time(self) -> int:
        return -self.strength[3]


class DisplayNames:
    """Shown names and columns of assets, cached until names change."""

    def __init__(self, loader: HeadLoader, precedence: Precedence) -> None:
        self._loader = loader
        self._tables = loader.tables
        self._precedence = precedence
        self._datasets: dict[int, AssetKey] = {}
        self._sorted: dict[AssetKind, Ints] = {}
        self._folded: dict[AssetKind, Sequence[str]] = {}
        self._listed: Flags | None = None
        self._counts: I64 | None = None  # of `_listed`, by kind
        self._names_version = -1
        self._listings: dict[int, list[Listing]] = {}
        self._version = -1

    def is_visible(self, node: int) -> bool:
        nodes = self._tables.nodes
        if not nodes.traits[node] & MERGED:
            return self._is_in_use(node)
        return any(self._is_in_use(member) for member in self._tables.list_ring(node))

    def list_members(self, node: int) -> list[int]:
        """The visible members of a class, sorted by key."""
        found = [member for member in self._tables.list_ring(node) if self._is_in_use(member)]
        return sorted(found, key=self._tables.get_parts) if len(found) > 1 else found

    def is_former(self, own: int) -> bool:
        """Whether exactly this node represents what a name meant until a rename."""
        nodes = self._tables.nodes
        of = nodes.part1[own] if nodes.kind[own] == COLUMN else own
        return bool((nodes.traits[own] | nodes.traits[of]) & PAST)

    def get_key(self, node: int) -> AssetKey:
        """The shown name of an asset."""
        tables = self._tables
        kind = tables.nodes.kind[node]
        if kind == DATASET:
            return self._get_dataset_key(node)
        if kind != COLUMN:
            return tables.get_key(self._loader.owners.shown.get(int(tables.nodes.rep[node]), node))
        return AssetKey(AssetKind.COLUMN, (*self._get_dataset_key(int(tables.nodes.part1[node])).parts, self.get_column_name(node)))

    def get_column_name(self, node: int) -> str:
        name = self._tables.get_text(int(self._tables.nodes.part2[node]))
        return self._choose_spelling(node, name) if self._tables.nodes.traits[node] & MERGED else name

    def list_of_kind(self, kind: AssetKind) -> Ints:
        """The visible assets of a kind in the order of their shown keys; no inferred datasets, no unlisted columns."""
        self._follow_names()
        found = self._sorted.get(kind)
        if found is None:
            found = self._sorted[kind] = np.array(
                self._list_all_columns() if kind is AssetKind.COLUMN else self._list_of_other_kind(kind), np.int32
            )
        return found

    def count_of_kind(self, kind: AssetKind) -> int:
        """The length of `list_of_kind`, for which nothing is put in order."""
        listed = self.get_listed()
        if self._counts is None:
            self._counts = self._count_kinds(listed)
        return int(self._counts[KINDS.index(kind)])

    def _count_kinds(self, listed: Flags) -> I64:
        """How many of these nodes there are of each kind. `listed`: boolean array by node."""
        return np.bincount(self._tables.nodes.kind[: len(listed)][listed], minlength=len(KINDS))

    def list_folded_names(self, kind: AssetKind) -> Sequence[str]:
        """The last part of the shown name of each asset of `list_of_kind`, casefolded; made once for all questions."""
        nodes = self.list_of_kind(kind)
        found = self._folded.get(kind)
        if found is None:
            found = self._folded[kind] = [self.get_key(node).name.casefold() for node in nodes.tolist()]
        return found

    def list_columns(self, dataset: int) -> list[int]:
        """The visible columns of a dataset except unlisted ones: by position, then name."""
        kept, listings = self._find_columns(dataset), self.get_listings(dataset)
        positions = {rep: self._find_position(rep, listings) for rep in kept}
        return sorted(kept, key=lambda rep: (positions[rep] is None, positions[rep] or 0, self.get_key(rep).name))

    def is_inferred(self, node: int) -> bool:
        """Whether only flows mention a dataset; whether no listing has a column. Other kinds are never inferred."""
        nodes = self._tables.nodes
        if nodes.kind[node] == DATASET:
            return not any(nodes.solid[member] > 0 for member in self._tables.list_ring(node))
        if nodes.kind[node] == COLUMN:
            return not any(nodes.listed[member] > 0 for member in self._tables.list_ring(node))
        return False

    def is_unlisted(self, column: int) -> bool:
        if not (has_catalog(self._tables) or self._tables.heads.has_partial()):
            return False
        return self._is_unlisted(column, self.get_listings(int(self._tables.nodes.part1[column])))

    def mark_listed(self, nodes: Longs) -> Flags:
        """Which of these assets lists and searches show: visible ones, without inferred datasets and unlisted columns."""
        listed: Flags = self.get_listed()[nodes]
        return listed

    def get_listed(self) -> Flags:
        """The same for all nodes, by number; only representatives are listed."""
        self._follow_names()
        if self._listed is None or len(self._listed) < self._tables.counts[N_NODES]:  # a check that supposes leaves nodes
            self._listed, self._counts = mark_listed(self._tables, self._precedence), None
        return self._listed

    def is_described(self, dataset: int) -> bool:
        return any(self._tables.nodes.listed[member] > 0 for member in self._tables.list_ring(dataset))

    def find_position(self, column: int) -> int | None:
        return self._find_position(column, self.get_listings(int(self._tables.nodes.part1[column])))

    def get_listings(self, dataset: int) -> list[Listing]:
        """All listings of the columns of a dataset, under any of its names: the strongest first."""
        if self._version != self._loader.version:
            self._version = self._loader.version
            self._listings.clear()
        rep = int(self._tables.nodes.rep[dataset])
        found = self._listings.get(rep)
        if found is None:
            found = self._listings[rep] = self._build_listings(rep)
        return found

    def _build_listings(self, dataset: int) -> list[Listing]:
        tables = self._tables
        by_head: dict[int, dict[int, int | None]] = {}
        for member in tables.list_ring(dataset):
            if tables.nodes.listed[member] > 0:
                rows = tables.list_relation_rows(member, _HAS_COLUMN)
                for row, head in zip(rows, tables.find_heads(rows, RELATIONS), strict=True):
                    position = int(tables.relations.value[row])
                    by_head.setdefault(head, {})[int(tables.relations.end[row])] = None if position == NONE else position
        return sorted((self._build_listing(head, columns) for head, columns in by_head.items()), key=lambda found: found.strength)

    def _build_listing(self, head: int, columns: dict[int, int | None]) -> Listing:
        heads = self._tables.heads
        source, scope = heads.get_source(head), heads.get_scope(head)
        of_catalog, is_partial = parse_source_kind(source) in CATALOG_KINDS, is_partial_schema(scope)
        rank, time = self._precedence.rank(source, "columns"), int(heads.observed_at[head])
        strength = (0 if of_catalog else 1, rank, int(is_partial), -time, source, heads.scopes[head])
        return Listing(strength, columns, is_partial, scope[:1] == (DATASET_SCOPE,) and scope[3:] == (WHOLE_SCHEMA,))

    def _is_unlisted(self, column: int, listings: list[Listing]) -> bool:
        """The strongest, newest catalog decides which columns exist; without one, a newer whole schema overrides partial ones."""
        if not listings:
            return False
        members = self._tables.list_ring(column)
        if listings[0].of_catalog:
            return not any(member in listings[0].columns for member in members)
        having = [listing for listing in listings if any(member in listing.columns for member in members)]
        if not having or not all(listing.is_partial for listing in having):
            return False
        newest = max(listing.time for listing in having)
        return any(listing.is_whole and listing.time > newest for listing in listings)

    def _find_position(self, column: int, listings: list[Listing]) -> int | None:
        members = self._tables.list_ring(column)
        if len(members) > 1:
            members = sorted(members, key=self._tables.get_parts)
        return next((found.columns[member] for found in listings for member in members if member in found.columns), None)

    def _choose_spelling(self, column: int, name: str) -> str:
        """The catalog's spelling, else that of the newest listing, else the first by name of those in use or from a rename."""
        tables = self._tables
        ring, renamed = tables.list_ring(column), self._loader.identity.renamed
        members = [member for member in ring if not tables.nodes.traits[member] & PAST]
        newest_first = sorted(
            self.get_listings(int(tables.nodes.part1[column])), key=lambda found: (found.strength[0], *found.strength[2:])
        )
        for found in newest_first:
            listed = [tables.get_text(int(tables.nodes.part2[member])) for member in members if member in found.columns]
            if listed:
                return min(listed)
        in_use = [tables.get_text(int(tables.nodes.part2[member])) for member in members if self._is_in_use(member)]
        return min(in_use or [renamed[member] for member in ring if member in renamed], default=name)

    def _is_in_use(self, own: int) -> bool:
        """Whether a visible head mentions exactly this node."""
        return bool(self._tables.nodes.live[own] > 0 and not self._tables.nodes.traits[own] & GONE)

    def _follow_names(self) -> None:
        if self._names_version != self._loader.names_version:
            self._names_version = self._loader.names_version
            self._datasets.clear()
            self._sorted.clear()
            self._folded.clear()
            self._listed = self._counts = None

    def _get_dataset_key(self, dataset: int) -> AssetKey:
        tables = self._tables
        if not tables.nodes.traits[dataset] & MERGED:
            return tables.get_key(dataset)
        self._follow_names()
        rep = int(tables.nodes.rep[dataset])
        key = self._datasets.get(rep)
        if key is None:
            key = self._datasets[rep] = self._choose_name(rep)
        return key

    def _choose_name(self, dataset: int) -> AssetKey:
        """The name of an output port, else a catalog's, else a TABLE symlink's, else the physical one."""
        nodes = self._tables.nodes
        ring = self._tables.list_ring(dataset)
        visible, current = self.list_members(dataset), [member for member in ring if not nodes.traits[member] & PAST]
        named = [member for member in visible if member in current] or current or visible or ring
        best = min(named, key=lambda member: (self._rank(member), self._tables.get_parts(member)))
        return self._tables.get_key(best)

    def _rank(self, dataset: int) -> int:
        tables = self._tables
        for row in tables.list_relation_rows(dataset, _PORT, incoming=True):
            if is_output(self._loader.get_relation_attributes(row).get("direction")):
                return 0
        heads = tables.find_heads(tables.list_relation_rows(dataset, _HAS_COLUMN), RELATIONS) + tables.find_heads(
            tables.list_fact_rows(dataset), FACTS
        )
        if any(parse_source_kind(tables.heads.get_source(head)) in CATALOG_KINDS for head in heads):
            return 1
        for row in tables.list_relation_rows(dataset, _SAME_AS, incoming=True):
            if str(self._loader.get_relation_attributes(row).get("type", "")).upper() == "TABLE":
                return 2
        return 3

    def _list_of_other_kind(self, kind: AssetKind) -> list[int]:
        tables = self._tables
        n = int(tables.counts[N_NODES])
        own = np.flatnonzero(tables.nodes.kind[:n] == KINDS.index(kind))
        reps = np.unique(tables.nodes.rep[own]).tolist()
        kept = [rep for rep in reps if self.is_visible(rep) and not (kind is AssetKind.DATASET and self.is_inferred(rep))]
        return sorted(kept, key=lambda rep: self.get_key(rep).parts)

    def _list_all_columns(self) -> list[int]:
        found: list[int] = []
        for dataset in self.list_of_kind(AssetKind.DATASET).tolist():
            found += self.list_columns_by_name(dataset)
        return found

    def list_former_names(self, column: int) -> list[tuple[str, int]]:
        """The earlier names of a column, each with the time (microseconds) until which it had it; oldest first."""
        names = self._loader.column_renames.find_names(int(self._tables.nodes.part1[column]))
        return [] if names is None else names.list_former_names(self.get_key(column).name)

    def list_columns_by_name(self, dataset: int) -> list[int]:
        """The visible columns of a dataset except unlisted ones, by name."""
        if self._may_be_unlisted(dataset):
            return sorted(self._find_columns(dataset), key=lambda rep: self.get_key(rep).name)
        tables = self._tables
        nodes = tables.nodes
        names = {
            int(nodes.rep[column]): self.get_key(column).name
            if nodes.traits[column] & MERGED
            else tables.get_text(int(nodes.part2[column]))
            for column in self._list_live_children(dataset)
        }
        return sorted(names, key=names.__getitem__)

    def _find_columns(self, dataset: int) -> list[int]:
        """The visible columns of a dataset except unlisted ones, in no order."""
        tables = self._tables
        reps = {int(tables.nodes.rep[column]) for column in tables.list_columns(dataset)}
        listings = self.get_listings(dataset)
        return [rep for rep in reps if self.is_visible(rep) and not self._is_unlisted(rep, listings)]

    def _list_live_children(self, dataset: int) -> list[int]:
        return [column for column in self._tables.list_children(dataset) if self._tables.nodes.live[column] > 0]

    def _may_be_unlisted(self, dataset: int) -> bool:
        """Whether columns of a dataset are perhaps under other names of it, or unlisted. If not, its columns are its live children."""
        return bool(self._tables.nodes.traits[dataset] & MERGED or has_catalog(self._tables) or self._is_listed_in_parts(dataset))

    def _is_listed_in_parts(self, dataset: int) -> bool:
        return self._tables.heads.is_listed_in_parts((DATASET_SCOPE, *self._tables.get_key(dataset).parts))


def is_output(direction: object) -> bool:
    return isinstance(direction, str) and direction.lower() == "output"
