"""Identities that look wrong: merges of what is probably two, and names that are probably one.

How alike datasets are is computed for many at once: their columns as sets, their names by the last part.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple, TypeAlias

import numpy as np

from meshline.graph.index.arrays import COLUMN, DATASET, DEAD, GONE, I64, MERGED, N_FLOWS, N_NODES, N_RELATIONS, PAST
from meshline.graph.index.flow_tables import rows_of
from meshline.graph.index.index_tables import Core
from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import CATALOG_KINDS, EDGE_TYPES, AssetKey, EdgeType, build_dataset_key, parse_source_kind
from meshline.graph.queries.identity import texts
from meshline.graph.queries.pages import SortKey

Rows: TypeAlias = tuple[I64, I64]  # pairs of numbers, in order; often (of which set, what is in it)

MOSTLY = 0.7  # of all columns of two datasets, those that they share, from which on they may be one
COMMON = 2  # columns, at least: an `id` alone says nothing
CROWD = 8  # datasets of one name and alike columns of which each is compared with each; of more, with the next

_DIFFERENT_FROM = EDGE_TYPES.index(EdgeType.DIFFERENT_FROM)
_HAS_COLUMN = EDGE_TYPES.index(EdgeType.HAS_COLUMN)
_RELATIONS, _FACTS = 1, 2  # columns of Heads.starts
_HASHES = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)


class ColumnSets:
    """The columns that are listed of each dataset by its own name, and of each class: names as numbers, whatever the case."""

    def __init__(self, core: Core) -> None:
        nodes, n = core.nodes, int(core.counts[N_NODES])
        columns = np.flatnonzero((nodes.kind[:n] == COLUMN) & (nodes.listed[:n] > 0) & (nodes.live[:n] > 0))
        datasets = nodes.part1[columns]
        columns = columns[nodes.traits[datasets] & (GONE | PAST) == 0]
        datasets, names = nodes.part1[columns], nodes.part2[columns]
        folds = core.names.fold[names]
        names = np.where(folds >= 0, folds, names)
        self.core = core
        self._own = _distinct(datasets, names)
        self._of_class = _distinct(nodes.rep[datasets], names)

    def own(self, dataset: int) -> set[int]:
        """The columns of exactly this name."""
        return _slice(self._own, dataset)

    def of_class(self, rep: int) -> set[int]:
        """The columns of all names of a class."""
        return _slice(self._of_class, rep)

    @property
    def class_rows(self) -> Rows:
        """(representative, column) of all, in order."""
        return self._of_class

    def least_alike(self, datasets: Sequence[int]) -> tuple[float, tuple[int, int]]:
        """Of these own names the two that share the least of their columns, and how much that is."""
        sets = {dataset: self.own(dataset) for dataset in datasets}
        pairs = combinations([dataset for dataset in datasets if sets[dataset]] or datasets, 2)
        found = [(alike(sets[a], sets[b]), (a, b)) for a, b in pairs]
        return min(found, default=(1.0, (datasets[0], datasets[-1])))

    def held(self, first: int, second: int) -> float:
        """How much of the columns of the one with fewer the other has as well."""
        a, b = self.own(first), self.own(second)
        return len(a & b) / min(len(a), len(b)) if a and b else 1.0

    def doubtful(self, limit: float) -> Iterator[list[int]]:
        """The described members of each class in which two may share less than so much of their columns.

        Two sets share |a| + |b| - |a or b| columns, and together have no more than the class: so they can only be
        that unlike if |a| + |b| < (1 + limit) * all of the class, and the two smallest members are the first to be.
        """
        nodes = self.core.nodes
        datasets, counts = np.unique(self._own[0], return_counts=True)
        merged = nodes.traits[datasets] & MERGED != 0
        datasets, counts = datasets[merged], counts[merged]
        if not datasets.size:
            return
        order = np.lexsort((counts, nodes.rep[datasets]))
        datasets, counts = datasets[order], counts[order]
        classes, begins, sizes = np.unique(nodes.rep[datasets], return_index=True, return_counts=True)
        reps, totals = np.unique(self._of_class[0], return_counts=True)
        total = totals[np.searchsorted(reps, classes)]
        several = sizes > 1
        begins, sizes, total = begins[several], sizes[several], total[several]
        unlike = counts[begins] + counts[begins + 1] < (1 + limit) * total
        for begin, size in zip(begins[unlike].tolist(), sizes[unlike].tolist(), strict=True):
            yield np.sort(datasets[begin : begin + size]).tolist()


def alike(first: set[int], second: set[int]) -> float:
    """Of all columns of two datasets, those that both have (Jaccard)."""
    return len(first & second) / len(first | second) if first or second else 1.0


def catalog_tables(core: Core) -> dict[int, set[str]]:
    """The own names of datasets that catalogs describe, with the catalogs."""
    heads = core.heads
    found: dict[int, set[str]] = {}
    for number, source in enumerate(heads.sources):
        if parse_source_kind(source) in CATALOG_KINDS:
            own = np.flatnonzero((heads.alive[: heads.n] != 0) & (heads.source[: heads.n] == number))
            relations = rows_of(heads.starts[own, _RELATIONS], heads.starts[own + 1, _RELATIONS])
            facts = rows_of(heads.starts[own, _FACTS], heads.starts[own + 1, _FACTS])
            listed = core.relations.start[relations[core.relations.type[relations] == _HAS_COLUMN]]
            described = core.facts.node[facts]
            described = described[described >= 0]
            described = described[core.nodes.kind[described] == DATASET]
            for dataset in np.unique(np.concatenate([listed, described])).tolist():
                found.setdefault(dataset, set()).add(source)
    return found


def parted(core: Core) -> set[frozenset[int]]:
    """The pairs of classes that are stated to be different."""
    rows = np.flatnonzero(core.relations.type[: core.counts[N_RELATIONS]] == _DIFFERENT_FROM)
    pairs = zip(core.nodes.rep[core.relations.start[rows]].tolist(), core.nodes.rep[core.relations.end[rows]].tolist(), strict=True)
    return {frozenset(pair) for pair in pairs}


def near_misses(core: Core, sets: ColumnSets) -> list[tuple[int, int, float]]:
    """Pairs of classes with the same last part of a name and mostly the same columns, and how alike these are.

    Not if one system has a name for each: it knows them apart; nor if data flows from one to the other: that is a copy.
    """
    n = int(core.counts[N_NODES])
    names, own = _named(core, sets)
    first, second = _candidates(names, sets)
    common = _shared(sets.class_rows, first, second)
    similarity = common / np.maximum(_sizes(sets.class_rows, first) + _sizes(sets.class_rows, second) - common, 1)
    namespaces = _distinct(core.nodes.rep[own], core.nodes.part1[own])
    flowing = _flowing(core)
    kept = (similarity >= MOSTLY) & (common >= COMMON) & (_shared(namespaces, first, second) == 0)
    kept &= ~np.isin(first * n + second, flowing) & ~np.isin(second * n + first, flowing)
    return list(zip(first[kept].tolist(), second[kept].tolist(), similarity[kept].tolist(), strict=True))


def _named(core: Core, sets: ColumnSets) -> tuple[Rows, I64]:
    """((number of a last part, class) of each name of the classes that have columns, in order; the own nodes of these names)."""
    nodes, n = core.nodes, int(core.counts[N_NODES])
    described: Flags = np.zeros(n, np.bool_)
    described[sets.class_rows[0]] = True
    own = np.flatnonzero((nodes.kind[:n] == DATASET) & (nodes.live[:n] > 0) & (nodes.traits[:n] & (GONE | PAST) == 0))
    own = own[described[nodes.rep[own]]]
    numbers: dict[str, int] = {}
    lasts = [numbers.setdefault(_last(name), len(numbers)) for name in texts(core, nodes.part2[own])]
    return _distinct(np.array(lasts, np.int64), nodes.rep[own]), own


def _last(name: str) -> str:
    name = name.rstrip("./:").casefold()
    return name[max(name.rfind("."), name.rfind("/"), name.rfind(":")) + 1 :]


def _candidates(names: Rows, sets: ColumnSets) -> Rows:
    """Pairs of classes of one last part that may have mostly the same columns, each once.

    The least of the hashes of two sets is the same as often as the sets are alike: of four hashes of sets
    that share 0.7 of their columns, at least one in 99 of 100 cases.
    """
    classes, starts = np.unique(sets.class_rows[0], return_index=True)
    lasts, reps = names
    at = np.searchsorted(classes, reps)
    found: list[I64] = [np.empty(0, np.int64)]
    for hashes in _min_hashes(sets.class_rows[1], starts):
        least = hashes[at]
        order = np.lexsort((reps, least, lasts))
        members = reps[order]
        new = np.ones(len(members), np.bool_)
        new[1:] = (np.diff(lasts[order]) != 0) | (np.diff(least[order]) != 0)
        crowd = np.cumsum(new) - 1
        sizes = np.bincount(crowd)
        for apart in range(1, min(CROWD, len(members))):
            near = (crowd[apart:] == crowd[:-apart]) & ((apart == 1) | (sizes[crowd[apart:]] <= CROWD))
            found.append((members[:-apart][near] << 32) | members[apart:][near])
    return _apart(_once(np.concatenate(found)))


def _min_hashes(names: I64, starts: I64) -> list[I64]:
    """For each hash function the least hash of each set; sets begin at `starts`."""
    if not names.size:
        return []
    spread = names.astype(np.uint64)
    return [np.minimum.reduceat(((spread + np.uint64(1)) * factor) >> np.uint64(16), starts).astype(np.int64) for factor in _HASHES]


def _flowing(core: Core) -> I64:
    """Pairs of classes between which data flows directly: start * number of nodes + end, sorted."""
    n, flows = int(core.counts[N_NODES]), int(core.counts[N_FLOWS])
    live = core.flows.flags[:flows] & DEAD == 0
    ends = [_dataset_of(core, nodes[:flows][live]).astype(np.int64) for nodes in (core.flows.start, core.flows.end)]
    return _once(ends[0] * n + ends[1])


def _dataset_of(core: Core, nodes: Ints) -> Ints:
    """The classes of datasets, and of the datasets of columns."""
    own = np.where(core.nodes.kind[nodes] == COLUMN, core.nodes.part1[nodes], nodes)
    found: Ints = core.nodes.rep[own]
    return found


def _shared(rows: Rows, first: I64, second: I64) -> I64:
    """How much the sets of each pair have in common."""
    pairs = np.arange(len(first))
    both = np.concatenate([_expanded(rows, first, pairs), _expanded(rows, second, pairs)])
    both.sort()
    twice = both[1:][both[1:] == both[:-1]] >> 32
    found: I64 = np.bincount(twice, minlength=len(first))
    return found


def _expanded(rows: Rows, of: I64, labels: I64) -> I64:
    """The members of the sets of `of`, each with the label of its set, as one number."""
    begin, end = np.searchsorted(rows[0], of), np.searchsorted(rows[0], of, "right")
    return (np.repeat(labels, end - begin) << 32) | rows[1][rows_of(begin, end)]


def _sizes(rows: Rows, of: I64) -> I64:
    found: I64 = np.searchsorted(rows[0], of, "right") - np.searchsorted(rows[0], of)
    return found


def _distinct(first: Ints | I64, second: Ints | I64) -> Rows:
    """Pairs of numbers in order, each once."""
    return _apart(_once((first.astype(np.int64) << 32) | second.astype(np.int64)))


def _once(codes: I64) -> I64:
    """Numbers in order, each once. (`np.unique` hashes, which is slower here.)"""
    codes = np.sort(codes)
    new = np.ones(len(codes), np.bool_)
    new[1:] = codes[1:] != codes[:-1]
    return codes[new]


def _apart(codes: I64) -> Rows:
    return codes >> 32, codes & 0xFFFFFFFF


def _slice(rows: Rows, of: int) -> set[int]:
    begin, end = np.searchsorted(rows[0], [of, of + 1])
    return set(rows[1][begin:end].tolist())


UNLIKE = 0.5  # members of one class that share less of their columns look like two tables
HELD = 0.8  # unless one has that much of the columns of the other


class ConflictKind(enum.StrEnum):
    """What looks wrong; in this order."""

    TWO_TABLES = "TWO_TABLES"  # one class, and catalogs that hold two tables of it
    UNLIKE_COLUMNS = "UNLIKE_COLUMNS"  # one class, and members with other columns
    NEAR_MISS = "NEAR_MISS"  # two classes with the same table name and mostly the same columns
    SESSION_NAME = "SESSION_NAME"  # classes that had one name in sessions of a producer: they were not joined by it


class Conflict(NamedTuple):
    """`names`: of a merge those members that do not seem to be one; of a near miss those that seem to be.

    `similarity`: how much of all their columns they have in common, 0 to 1.
    `sources`: the catalogs that hold the tables. `session_name`: what all of them were called in sessions.
    """

    kind: ConflictKind
    names: tuple[AssetKey, ...]
    similarity: float
    sources: tuple[str, ...] = ()
    session_name: AssetKey | None = None

    @property
    def key(self) -> SortKey:
        """Where it stands: what is most likely wrong comes first."""
        alike = round(self.similarity * 1000)
        doubt = -alike if self.kind is ConflictKind.NEAR_MISS else alike
        one_catalog = int(len(set(self.sources)) != 1)  # a catalog knows its tables apart
        names = (*self.names, *([self.session_name] if self.session_name else ()))
        return SortKey((_ORDER[self.kind], one_catalog, doubt), tuple(key.qualified_name for key in names))


_ORDER = {kind: place for place, kind in enumerate(ConflictKind)}


def conflicts(index: LineageIndex) -> list[Conflict]:
    """All of them, the most doubtful first. About a second for 100,000 datasets."""
    core = index.core
    sets = ColumnSets(core)
    found = [*_two_tables(core, sets), *_unlike(core, sets), *_near(core, sets), *_of_sessions(index, sets)]
    return sorted(found, key=lambda conflict: conflict.key)


def _two_tables(core: Core, sets: ColumnSets) -> Iterator[Conflict]:
    held = catalog_tables(core)
    by_class: dict[int, list[int]] = {}
    for table in held:
        by_class.setdefault(int(core.nodes.rep[table]), []).append(table)
    for tables in by_class.values():
        if len(tables) > 1:
            tables.sort(key=core.parts)
            sources = tuple(sorted({source for table in tables for source in held[table]}))
            one = next((source for source in sources if sum(source in held[table] for table in tables) > 1), None)
            yield Conflict(ConflictKind.TWO_TABLES, _keys(core, tables), sets.least_alike(tables)[0], (one,) if one else sources)


def _unlike(core: Core, sets: ColumnSets) -> Iterator[Conflict]:
    for members in sets.doubtful(UNLIKE):
        similarity, pair = sets.least_alike(members)
        if similarity < UNLIKE and sets.held(*pair) < HELD:
            yield Conflict(ConflictKind.UNLIKE_COLUMNS, _keys(core, sorted(pair, key=core.parts)), similarity)


def _near(core: Core, sets: ColumnSets) -> Iterator[Conflict]:
    apart = parted(core)
    for first, second, similarity in near_misses(core, sets):
        if frozenset((first, second)) not in apart:
            yield Conflict(ConflictKind.NEAR_MISS, _keys(core, sorted((first, second), key=core.parts)), similarity)


def _of_sessions(index: LineageIndex, sets: ColumnSets) -> Iterator[Conflict]:
    for name, datasets in index.assets.list_session_names().items():
        if len(datasets) > 1:
            keys = tuple(sorted(map(index.assets.get_key, datasets)))
            columns = [sets.of_class(one) for one in datasets]
            similarity = len(set.intersection(*columns)) / max(1, len(set.union(*columns)))
            yield Conflict(ConflictKind.SESSION_NAME, keys, similarity, session_name=build_dataset_key(*name))


def _keys(core: Core, nodes: list[int] | Ints) -> tuple[AssetKey, ...]:
    return tuple(core.key(node) for node in nodes)
