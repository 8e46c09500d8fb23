"""Identities that look wrong: names of one dataset that probably mean two, and datasets that are probably one.

Similarity is computed for many datasets at once: of columns as sets, of names by their last part.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from meshline.graph.index import LineageIndex, Survey
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import AssetKey, build_dataset_key
from meshline.graph.queries.pages import SortKey

I64: TypeAlias = npt.NDArray[np.int64]
Rows: TypeAlias = tuple[I64, I64]  # sorted pairs of numbers, as two arrays of equal length; mostly (set, member of the set)

MOSTLY = 0.7  # least similarity (Jaccard) of the columns of two datasets that may be one
COMMON = 2  # least number of columns that such datasets share: an `id` alone proves nothing
CROWD = 8  # up to so many datasets with one name and one least hash are compared each with each; of more, each with the next only

_HASHES = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)


class ColumnSets:
    """The columns that sources list of each dataset under exactly its name, and of each class of names for one dataset.

    Column names are numbers (`Survey.columns`), the same for names that differ in case only.
    """

    def __init__(self, survey: Survey) -> None:
        columns = survey.columns
        datasets, first = np.unique(columns.dataset, return_index=True)
        self._datasets = datasets
        self._representatives = columns.representative[first]
        self._own = _list_distinct_pairs(columns.dataset, columns.name)
        self._of_class = _list_distinct_pairs(columns.representative, columns.name)

    def collect_own(self, dataset: int) -> set[int]:
        """The numbers of the columns that are listed under exactly this name of a dataset."""
        return _slice(self._own, dataset)

    def collect_class(self, rep: int) -> set[int]:
        """The numbers of the columns of a class. `rep`: its representative."""
        return _slice(self._of_class, rep)

    @property
    def class_rows(self) -> Rows:
        """(representative, column) of each column of each class, sorted (int64)."""
        return self._of_class

    def find_least_similar(self, datasets: Sequence[int]) -> tuple[float, tuple[int, int]]:
        """The least similarity of two of these datasets, and these two. Datasets without columns are left out unless none has any.

        1.0 with the first and the last if fewer than two are left.
        """
        sets = {dataset: self.collect_own(dataset) for dataset in datasets}
        pairs = combinations([dataset for dataset in datasets if sets[dataset]] or datasets, 2)
        found = [(compute_similarity(sets[a], sets[b]), (a, b)) for a, b in pairs]
        return min(found, default=(1.0, (datasets[0], datasets[-1])))

    def compute_overlap(self, first: int, second: int) -> float:
        """The share of the columns of the dataset with fewer columns that the other one has, too: 0 to 1; 1 if either has none."""
        a, b = self.collect_own(first), self.collect_own(second)
        return len(a & b) / min(len(a), len(b)) if a and b else 1.0

    def list_suspects(self, limit: float) -> Iterator[list[int]]:
        """The described members of each class in which two members may have a similarity below `limit`.

        Two sets share |a| + |b| - |a or b| columns, and their union is at most the columns of the class. So a similarity below
        the limit requires |a| + |b| < (1 + limit) * (columns of the class), and the two smallest members meet this first.
        """
        counts = np.unique(self._own[0], return_counts=True)[1]
        if not counts.size:
            return
        order = np.lexsort((counts, self._representatives))
        datasets, counts = self._datasets[order], counts[order]
        classes, begins, sizes = np.unique(self._representatives[order], return_index=True, return_counts=True)
        reps, totals = np.unique(self._of_class[0], return_counts=True)
        total = totals[np.searchsorted(reps, classes)]
        several = sizes > 1
        begins, sizes, total = begins[several], sizes[several], total[several]
        unlike = counts[begins] + counts[begins + 1] < (1 + limit) * total
        for begin, size in zip(begins[unlike].tolist(), sizes[unlike].tolist(), strict=True):
            yield np.sort(datasets[begin : begin + size]).tolist()


def compute_similarity(first: set[int], second: set[int]) -> float:
    """The Jaccard similarity of two sets of columns, 0 to 1; 1 if both are empty."""
    return len(first & second) / len(first | second) if first or second else 1.0


def list_near_misses(survey: Survey, sets: ColumnSets) -> list[tuple[int, int, float]]:
    """Pairs of classes with the same last part of a name and mostly the same columns, and the similarity of these.

    Left out: pairs of which both have a name in one namespace, which distinguishes them; and pairs with a flow of data
    from one to the other, which is a copy.
    """
    names, spaces = _collect_names(survey, sets)
    first, second = _list_candidates(names, sets)
    common = _count_shared(sets.class_rows, first, second)
    similarity = common / np.maximum(_count_members(sets.class_rows, first) + _count_members(sets.class_rows, second) - common, 1)
    namespaces = _list_distinct_pairs(*spaces)
    flowing = _sort_distinct(_build_codes(*survey.flows))
    kept = (similarity >= MOSTLY) & (common >= COMMON) & (_count_shared(namespaces, first, second) == 0)
    kept &= ~np.isin(_build_codes(first, second), flowing) & ~np.isin(_build_codes(second, first), flowing)
    return list(zip(first[kept].tolist(), second[kept].tolist(), similarity[kept].tolist(), strict=True))


def _collect_names(survey: Survey, sets: ColumnSets) -> tuple[Rows, tuple[Ints, Ints]]:
    """The names of the classes that have columns: distinct (number of the last part, class), sorted; and (class, namespace) of each."""
    names = survey.names
    described: Flags = np.zeros_like(survey.described)
    described[sets.class_rows[0]] = True
    kept = ~names.is_former & described[names.representative]
    classes = names.representative[kept]
    numbers: dict[str, int] = {}
    lasts = [numbers.setdefault(_parse_last_part(name), len(numbers)) for name in survey.read_texts(names.name[kept])]
    return _list_distinct_pairs(np.array(lasts, np.int64), classes), (classes, names.namespace[kept])


def _parse_last_part(name: str) -> str:
    name = name.rstrip("./:").casefold()
    return name[max(name.rfind("."), name.rfind("/"), name.rfind(":")) + 1 :]


def _list_candidates(names: Rows, sets: ColumnSets) -> Rows:
    """Pairs of classes with one last part that may have mostly the same columns, each once (MinHash).

    The probability that two sets have the same least hash is their Jaccard similarity. With four hash functions and a
    similarity of 0.7, at least one least hash is the same in 99 of 100 cases.
    """
    classes, starts = np.unique(sets.class_rows[0], return_index=True)
    lasts, reps = names
    at = np.searchsorted(classes, reps)
    found: list[I64] = [np.empty(0, np.int64)]
    for hashes in _compute_min_hashes(sets.class_rows[1], starts):
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
    return _split_codes(_sort_distinct(np.concatenate(found)))


def _compute_min_hashes(names: I64, starts: I64) -> list[I64]:
    """For each hash function the least hash of each set (int64). `names`: the members set by set; sets begin at `starts`."""
    if not names.size:
        return []
    spread = names.astype(np.uint64)
    return [np.minimum.reduceat(((spread + np.uint64(1)) * factor) >> np.uint64(16), starts).astype(np.int64) for factor in _HASHES]


def _count_shared(rows: Rows, first: I64, second: I64) -> I64:
    """The number of members that the two sets of each pair share (int64, one entry per pair)."""
    pairs = np.arange(len(first))
    both = np.concatenate([_expand_sets(rows, first, pairs), _expand_sets(rows, second, pairs)])
    both.sort()
    twice = both[1:][both[1:] == both[:-1]] >> 32
    found: I64 = np.bincount(twice, minlength=len(first))
    return found


def _expand_sets(rows: Rows, of: I64, labels: I64) -> I64:
    """The members of the sets in `of`, each as one number: the label of its set in the upper 32 bits, the member in the lower."""
    begin, end = np.searchsorted(rows[0], of), np.searchsorted(rows[0], of, "right")
    return (np.repeat(labels, end - begin) << 32) | rows[1][_list_positions(begin, end)]


def _list_positions(begin: I64, end: I64) -> I64:
    """The positions begin[0]..end[0]-1, then begin[1]..end[1]-1, and so on."""
    lengths = end - begin
    offsets = np.cumsum(lengths) - lengths
    positions: I64 = np.arange(int(lengths.sum())) + np.repeat(begin - offsets, lengths)
    return positions


def _count_members(rows: Rows, of: I64) -> I64:
    found: I64 = np.searchsorted(rows[0], of, "right") - np.searchsorted(rows[0], of)
    return found


def _list_distinct_pairs(first: Ints | I64, second: Ints | I64) -> Rows:
    """The distinct pairs of numbers, sorted."""
    return _split_codes(_sort_distinct(_build_codes(first, second)))


def _build_codes(first: Ints | I64, second: Ints | I64) -> I64:
    """Each pair of numbers as one number: the first in the upper 32 bits, the second in the lower."""
    return (first.astype(np.int64) << 32) | second.astype(np.int64)


def _sort_distinct(codes: I64) -> I64:
    """The distinct numbers, sorted. (`np.unique` hashes, which is slower here.)"""
    codes = np.sort(codes)
    new = np.ones(len(codes), np.bool_)
    new[1:] = codes[1:] != codes[:-1]
    return codes[new]


def _split_codes(codes: I64) -> Rows:
    return codes >> 32, codes & 0xFFFFFFFF


def _slice(rows: Rows, of: int) -> set[int]:
    begin, end = np.searchsorted(rows[0], [of, of + 1])
    return set(rows[1][begin:end].tolist())


UNLIKE = 0.5  # members of one class with a similarity below this look like two tables,
OVERLAP = 0.8  # unless one has this share of the columns of the other


class ConflictKind(enum.StrEnum):
    """What looks wrong. Conflicts are listed in this order of kinds."""

    TWO_TABLES = "TWO_TABLES"  # one class, of which catalogs contain two tables
    UNLIKE_COLUMNS = "UNLIKE_COLUMNS"  # one class, with members whose columns differ
    NEAR_MISS = "NEAR_MISS"  # two classes with the same table name and mostly the same columns
    SESSION_NAME = "SESSION_NAME"  # several classes with the same name in sessions of a producer, which does not make them one


class Conflict(NamedTuple):
    """An identity that looks wrong. `names`: the members that seem to be different datasets, or the datasets that seem to be one.

    `similarity`: the columns that they share as a share of all their columns, 0 to 1.
    `sources`: the catalogs that contain the tables. `session_name`: the name of all of them in sessions.
    """

    kind: ConflictKind
    names: tuple[AssetKey, ...]
    similarity: float
    sources: tuple[str, ...] = ()
    session_name: AssetKey | None = None

    @property
    def key(self) -> SortKey:
        """The sort key: the conflict that is most likely wrong comes first."""
        alike = round(self.similarity * 1000)
        likelihood = -alike if self.kind is ConflictKind.NEAR_MISS else alike
        one_catalog = int(len(set(self.sources)) != 1)  # a catalog distinguishes its tables
        names = (*self.names, *([self.session_name] if self.session_name else ()))
        return SortKey((_ORDER[self.kind], one_catalog, likelihood), tuple(key.qualified_name for key in names))


_ORDER = {kind: place for place, kind in enumerate(ConflictKind)}


def list_conflicts(index: LineageIndex) -> list[Conflict]:
    """All conflicts of the visible graph in the order of `Conflict.key`. About a second for 100,000 datasets."""
    survey = index.assets.survey()
    sets = ColumnSets(survey)
    found = [
        *_find_two_tables(index, survey, sets),
        *_find_unlike_columns(survey, sets),
        *_find_near_misses(survey, sets),
        *_find_session_names(index, survey, sets),
    ]
    return sorted(found, key=lambda conflict: conflict.key)


def _find_two_tables(index: LineageIndex, survey: Survey, sets: ColumnSets) -> Iterator[Conflict]:
    tables_by_node = survey.catalog_tables
    by_class: dict[int, list[int]] = {}
    for table in tables_by_node:
        by_class.setdefault(index.assets.get_representative(table), []).append(table)
    for tables in by_class.values():
        if len(tables) > 1:
            tables.sort(key=survey.get_own_key)
            sources = tuple(sorted({source for table in tables for source in tables_by_node[table]}))
            one = next((source for source in sources if sum(source in tables_by_node[table] for table in tables) > 1), None)
            yield Conflict(
                ConflictKind.TWO_TABLES, _list_keys(survey, tables), sets.find_least_similar(tables)[0], (one,) if one else sources
            )


def _find_unlike_columns(survey: Survey, sets: ColumnSets) -> Iterator[Conflict]:
    for members in sets.list_suspects(UNLIKE):
        similarity, pair = sets.find_least_similar(members)
        if similarity < UNLIKE and sets.compute_overlap(*pair) < OVERLAP:
            yield Conflict(ConflictKind.UNLIKE_COLUMNS, _list_keys(survey, sorted(pair, key=survey.get_own_key)), similarity)


def _find_near_misses(survey: Survey, sets: ColumnSets) -> Iterator[Conflict]:
    for first, second, similarity in list_near_misses(survey, sets):
        if frozenset((first, second)) not in survey.different:
            pair = sorted((first, second), key=survey.get_own_key)
            yield Conflict(ConflictKind.NEAR_MISS, _list_keys(survey, pair), similarity)


def _find_session_names(index: LineageIndex, survey: Survey, sets: ColumnSets) -> Iterator[Conflict]:
    for name, datasets in survey.session_names.items():
        if len(datasets) > 1:
            keys = tuple(sorted(map(index.assets.get_key, datasets)))
            columns = [sets.collect_class(one) for one in datasets]
            similarity = len(set.intersection(*columns)) / max(1, len(set.union(*columns)))
            yield Conflict(ConflictKind.SESSION_NAME, keys, similarity, session_name=build_dataset_key(*name))


def _list_keys(survey: Survey, nodes: Iterable[int]) -> tuple[AssetKey, ...]:
    return tuple(survey.get_own_key(node) for node in nodes)
