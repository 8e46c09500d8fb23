"""How assets are shown: which of their names, which columns, in which order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import COLUMN, DATASET, GONE, MERGED, N_NODES, NONE, PAST
from meshline.graph.index.loader import Feed
from meshline.graph.index.results import Ints
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
    """The columns of a dataset as one head lists them, and how strong it is: the smaller is the stronger.

    `is_partial`: there may be others. `is_whole`: an OpenLineage producer says that there are no others.
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


class Shown:
    """Shown names and columns; what was found is kept until names change."""

    def __init__(self, feed: Feed, precedence: Precedence) -> None:
        self._feed = feed
        self._core = feed.core
        self._precedence = precedence
        self._datasets: dict[int, AssetKey] = {}
        self._sorted: dict[AssetKind, Ints] = {}
        self._names_version = -1
        self._listings: dict[int, list[Listing]] = {}
        self._version = -1

    def visible(self, node: int) -> bool:
        nodes = self._core.nodes
        if not nodes.traits[node] & MERGED:
            return self._in_use(node)
        return any(self._in_use(member) for member in self._core.ring(node))

    def members(self, node: int) -> list[int]:
        """The visible members of a class, sorted by key."""
        found = [member for member in self._core.ring(node) if self._in_use(member)]
        return sorted(found, key=self._core.parts) if len(found) > 1 else found

    def former(self, own: int) -> bool:
        """Whether exactly this node stands for what a name meant until a rename."""
        nodes = self._core.nodes
        of = nodes.part1[own] if nodes.kind[own] == COLUMN else own
        return bool((nodes.traits[own] | nodes.traits[of]) & PAST)

    def key(self, node: int) -> AssetKey:
        """The shown name of an asset."""
        core = self._core
        kind = core.nodes.kind[node]
        if kind == DATASET:
            return self._dataset_key(node)
        if kind != COLUMN:
            return core.key(self._feed.owners.shown.get(int(core.nodes.rep[node]), node))
        return AssetKey(AssetKind.COLUMN, (*self._dataset_key(int(core.nodes.part1[node])).parts, self.column_name(node)))

    def column_name(self, node: int) -> str:
        name = self._core.text(int(self._core.nodes.part2[node]))
        return self._spelling(node, name) if self._core.nodes.traits[node] & MERGED else name

    def of_kind(self, kind: AssetKind) -> Ints:
        """The visible assets of a kind in the order of their shown keys; no inferred datasets, no unlisted columns."""
        self._follow_names()
        found = self._sorted.get(kind)
        if found is None:
            found = self._sorted[kind] = np.array(
                self._columns_of_all() if kind is AssetKind.COLUMN else self._of_other_kind(kind), np.int32
            )
        return found

    def columns(self, dataset: int) -> list[int]:
        """The visible columns of a dataset but the unlisted: by position, then name."""
        core = self._core
        reps = {int(core.nodes.rep[column]) for column in core.list_columns(dataset)}
        listings = self.listings(dataset)
        kept = [rep for rep in reps if self.visible(rep) and not self._is_unlisted(rep, listings)]
        positions = {rep: self._position(rep, listings) for rep in kept}
        return sorted(kept, key=lambda rep: (positions[rep] is None, positions[rep] or 0, self.key(rep).name))

    def inferred(self, node: int) -> bool:
        """Dataset: known from flows only. Column: in no listing. All else is said outright."""
        nodes = self._core.nodes
        if nodes.kind[node] == DATASET:
            return not any(nodes.solid[member] > 0 for member in self._core.ring(node))
        if nodes.kind[node] == COLUMN:
            return not any(nodes.listed[member] > 0 for member in self._core.ring(node))
        return False

    def unlisted(self, column: int) -> bool:
        return self._is_unlisted(column, self.listings(int(self._core.nodes.part1[column])))

    def described(self, dataset: int) -> bool:
        return any(self._core.nodes.listed[member] > 0 for member in self._core.ring(dataset))

    def position(self, column: int) -> int | None:
        return self._position(column, self.listings(int(self._core.nodes.part1[column])))

    def listings(self, dataset: int) -> list[Listing]:
        """All listings of the columns of a dataset, under any of its names: the strongest first."""
        if self._version != self._feed.version:
            self._version = self._feed.version
            self._listings.clear()
        rep = int(self._core.nodes.rep[dataset])
        found = self._listings.get(rep)
        if found is None:
            found = self._listings[rep] = self._listings_of(rep)
        return found

    def _listings_of(self, dataset: int) -> list[Listing]:
        core = self._core
        by_head: dict[int, dict[int, int | None]] = {}
        for member in core.ring(dataset):
            if core.nodes.listed[member] > 0:
                rows = core.relation_rows(member, _HAS_COLUMN)
                for row, head in zip(rows, core.heads_of(rows, 1), strict=True):
                    position = int(core.relations.value[row])
                    by_head.setdefault(head, {})[int(core.relations.end[row])] = None if position == NONE else position
        return sorted((self._listing(head, columns) for head, columns in by_head.items()), key=lambda found: found.strength)

    def _listing(self, head: int, columns: dict[int, int | None]) -> Listing:
        heads = self._core.heads
        source, scope = heads.source_of(head), heads.scope_of(head)
        of_catalog, is_partial = parse_source_kind(source) in CATALOG_KINDS, is_partial_schema(scope)
        rank, time = self._precedence.rank(source, "columns"), int(heads.observed_at[head])
        strength = (0 if of_catalog else 1, rank, int(is_partial), -time, source, heads.scopes[head])
        return Listing(strength, columns, is_partial, scope[:1] == (DATASET_SCOPE,) and scope[3:] == (WHOLE_SCHEMA,))

    def _is_unlisted(self, column: int, listings: list[Listing]) -> bool:
        """The strongest, newest catalog decides which columns there are; without one, a newer whole schema over a partial one."""
        if not listings:
            return False
        members = self._core.ring(column)
        if listings[0].of_catalog:
            return not any(member in listings[0].columns for member in members)
        having = [listing for listing in listings if any(member in listing.columns for member in members)]
        if not having or not all(listing.is_partial for listing in having):
            return False
        newest = max(listing.time for listing in having)
        return any(listing.is_whole and listing.time > newest for listing in listings)

    def _position(self, column: int, listings: list[Listing]) -> int | None:
        members = self._core.ring(column)
        if len(members) > 1:
            members = sorted(members, key=self._core.parts)
        return next((found.columns[member] for found in listings for member in members if member in found.columns), None)

    def _spelling(self, column: int, name: str) -> str:
        """The catalog's spelling, else that of the newest listing, else the first by name of those in use or that a rename gave."""
        core = self._core
        ring, renamed = core.ring(column), self._feed.identity.renamed
        members = [member for member in ring if not core.nodes.traits[member] & PAST]
        newest_first = sorted(self.listings(int(core.nodes.part1[column])), key=lambda found: (found.strength[0], *found.strength[2:]))
        for found in newest_first:
            listed = [core.text(int(core.nodes.part2[member])) for member in members if member in found.columns]
            if listed:
                return min(listed)
        in_use = [core.text(int(core.nodes.part2[member])) for member in members if self._in_use(member)]
        return min(in_use or [renamed[member] for member in ring if member in renamed], default=name)

    def _in_use(self, own: int) -> bool:
        """Whether a head that is seen mentions exactly this node."""
        return bool(self._core.nodes.live[own] > 0 and not self._core.nodes.traits[own] & GONE)

    def _follow_names(self) -> None:
        if self._names_version != self._feed.names_version:
            self._names_version = self._feed.names_version
            self._datasets.clear()
            self._sorted.clear()

    def _dataset_key(self, dataset: int) -> AssetKey:
        core = self._core
        if not core.nodes.traits[dataset] & MERGED:
            return core.key(dataset)
        self._follow_names()
        rep = int(core.nodes.rep[dataset])
        key = self._datasets.get(rep)
        if key is None:
            key = self._datasets[rep] = self._best_name(rep)
        return key

    def _best_name(self, dataset: int) -> AssetKey:
        """An output port's name, else a catalog's, else a TABLE symlink's, else the physical one."""
        nodes = self._core.nodes
        ring = self._core.ring(dataset)
        visible, current = self.members(dataset), [member for member in ring if not nodes.traits[member] & PAST]
        named = [member for member in visible if member in current] or current or visible or ring
        best = min(named, key=lambda member: (self._rank(member), self._core.parts(member)))
        return self._core.key(best)

    def _rank(self, dataset: int) -> int:
        core = self._core
        for row in core.relation_rows(dataset, _PORT, incoming=True):
            if is_output(self._feed.attributes(row).get("direction")):
                return 0
        heads = core.heads_of(core.relation_rows(dataset, _HAS_COLUMN), 1) + core.heads_of(core.fact_rows(dataset), 2)
        if any(parse_source_kind(core.heads.source_of(head)) in CATALOG_KINDS for head in heads):
            return 1
        for row in core.relation_rows(dataset, _SAME_AS, incoming=True):
            if str(self._feed.attributes(row).get("type", "")).upper() == "TABLE":
                return 2
        return 3

    def _of_other_kind(self, kind: AssetKind) -> list[int]:
        core = self._core
        n = int(core.counts[N_NODES])
        own = np.flatnonzero(core.nodes.kind[:n] == KINDS.index(kind))
        reps = np.unique(core.nodes.rep[own]).tolist()
        kept = [rep for rep in reps if self.visible(rep) and not (kind is AssetKind.DATASET and self.inferred(rep))]
        return sorted(kept, key=lambda rep: self.key(rep).parts)

    def _columns_of_all(self) -> list[int]:
        found: list[int] = []
        for dataset in self.of_kind(AssetKind.DATASET).tolist():
            found += self.columns_by_name(dataset)
        return found

    def former_names(self, column: int) -> list[tuple[str, int]]:
        """The names that a column had, each with the time until which it had it; the oldest first."""
        names = self._feed.columns.names(int(self._core.nodes.part1[column]))
        return [] if names is None else names.former(self.key(column).name)

    def columns_by_name(self, dataset: int) -> list[int]:
        """The visible columns of a dataset but the unlisted, by name."""
        core = self._core
        nodes = core.nodes
        if nodes.traits[dataset] & MERGED or self._any_catalog() or self._is_listed_in_parts(dataset):
            return sorted(self.columns(dataset), key=lambda rep: self.key(rep).name)
        names = {
            int(nodes.rep[column]): self.key(column).name if nodes.traits[column] & MERGED else core.text(int(nodes.part2[column]))
            for column in core.children(dataset)
            if nodes.live[column] > 0
        }
        return sorted(names, key=names.__getitem__)

    def _is_listed_in_parts(self, dataset: int) -> bool:
        return (DATASET_SCOPE, *self._core.key(dataset).parts) in self._core.heads.partial

    def _any_catalog(self) -> bool:
        return any(parse_source_kind(source) in CATALOG_KINDS for source in self._core.heads.sources)


def is_output(direction: object) -> bool:
    return isinstance(direction, str) and direction.lower() == "output"
