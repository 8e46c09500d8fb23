"""Figures of the whole graph: its size, what is known of all datasets at once, and which assets have which tags."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import (
    CLASS,
    COLUMN,
    DATASET,
    DEAD,
    GONE,
    I64,
    N_FACTS,
    N_FLOWS,
    N_NAMES,
    N_NODES,
    N_RELATIONS,
    NONE,
    PASSED_OVER,
    PAST,
    REPLACED,
)
from meshline.graph.index.display_names import DisplayNames
from meshline.graph.index.heads import FACTS, RELATIONS
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.results import Flags, Ints, Reach
from meshline.graph.model import CATALOG_KINDS, EDGE_TYPES, KINDS, AssetKey, AssetKind, EdgeType, parse_source_kind

_WRITES = EDGE_TYPES.index(EdgeType.WRITES)
_PART_OF = EDGE_TYPES.index(EdgeType.PART_OF)
_JOB = KINDS.index(AssetKind.JOB)
_HAS_COLUMN = EDGE_TYPES.index(EdgeType.HAS_COLUMN)
_DIFFERENT_FROM = EDGE_TYPES.index(EdgeType.DIFFERENT_FROM)


class Size(NamedTuple):
    """How many assets heads mention, counted by each of their names, and how many FLOWS_TO edges heads state."""

    columns: int
    datasets: int
    jobs: int
    edges: int


def measure_size(tables: IndexTables) -> Size:
    """Looks at every node and flow."""
    nodes, flows = int(tables.counts[N_NODES]), int(tables.counts[N_FLOWS])
    mentioned = np.bincount(tables.nodes.kind[:nodes][tables.nodes.live[:nodes] > 0], minlength=len(KINDS))
    return Size(
        columns=int(mentioned[KINDS.index(AssetKind.COLUMN)]),
        datasets=int(mentioned[KINDS.index(AssetKind.DATASET)]),
        jobs=int(mentioned[KINDS.index(AssetKind.JOB)]),
        edges=flows - int(np.count_nonzero(tables.flows.flags[:flows] & DEAD)),
    )


class DatasetNames(NamedTuple):
    """The names of datasets that heads mention, as int32 arrays of equal length: one row for each name."""

    node: Ints  # the name's own node
    representative: Ints
    namespace: Ints  # the number of its text: `Survey.read_texts`
    name: Ints  # the same
    is_former: Flags  # what the name meant until a rename or drop


class ListedColumns(NamedTuple):
    """The columns that heads list, as arrays of equal length: one row for each listed column of each name of a dataset."""

    dataset: Ints  # the own node of the dataset's name
    representative: Ints  # of the dataset
    name: Ints  # the number of the casefolded name


class Survey:
    """What is known of the whole graph, as arrays. Each is computed when it is first read, in some milliseconds per million
    nodes or flows, and is valid until the index changes. Boolean arrays are indexed by node and set at representatives.
    """

    def __init__(self, loader: HeadLoader, shown: DisplayNames) -> None:
        self._loader = loader
        self._tables = loader.tables
        self._shown = shown

    @cached_property
    def described(self) -> Flags:
        """Whether a head lists the columns of the dataset."""
        n, nodes = int(self._tables.counts[N_NODES]), self._tables.nodes
        return self._mark(nodes.rep[np.flatnonzero((nodes.listed[:n] > 0) & (nodes.kind[:n] == DATASET))])

    @cached_property
    def written(self) -> Flags:
        """Whether a job writes the dataset."""
        relations = self._tables.relations
        rows = np.flatnonzero(relations.type[: self._tables.counts[N_RELATIONS]] == _WRITES)
        return self._mark(self._tables.nodes.rep[relations.end[rows]])

    @cached_property
    def fed(self) -> Flags:
        """Whether flows lead into a column of the dataset."""
        tables, n = self._tables, int(self._tables.counts[N_FLOWS])
        ends = tables.flows.end[:n][tables.flows.flags[:n] & (DEAD | REPLACED) == 0]
        return self._mark(tables.nodes.rep[tables.nodes.part1[ends[tables.nodes.kind[ends] == COLUMN]]])

    @cached_property
    def catalogued(self) -> Flags:
        """Whether a catalog mentions the dataset."""
        mentions = self._tables.list_mentioned(self._tables.heads.list_alive(self._catalogs))
        return self._mark(self._tables.nodes.rep[mentions[self._tables.nodes.kind[mentions] == DATASET]])

    @cached_property
    def mentioned(self) -> list[tuple[str, Ints]]:
        """Each source with the datasets (representatives, int32, each once) that its heads mention, as a whole or by a column."""
        tables = self._tables
        found: list[tuple[str, Ints]] = []
        for source in tables.heads.sources:
            mentions = tables.list_mentioned(tables.heads.list_alive([source]))
            kinds = tables.nodes.kind[mentions]
            datasets = np.concatenate([mentions[kinds == DATASET], tables.nodes.part1[mentions[kinds == COLUMN]]])
            found.append((source, np.flatnonzero(self._mark(tables.nodes.rep[datasets])).astype(np.int32)))
        return found

    @cached_property
    def catalog_tables(self) -> dict[int, set[str]]:
        """By own node of the names of datasets that catalogs describe: these catalogs."""
        tables = self._tables
        found: dict[int, set[str]] = {}
        for source in self._catalogs:
            own = tables.heads.list_alive([source])
            relations = tables.list_rows(own, RELATIONS)
            listed = tables.relations.start[relations[tables.relations.type[relations] == _HAS_COLUMN]]
            described = tables.facts.node[tables.list_rows(own, FACTS)]
            described = described[described >= 0]
            described = described[tables.nodes.kind[described] == DATASET]
            for dataset in np.unique(np.concatenate([listed, described])).tolist():
                found.setdefault(dataset, set()).add(source)
        return found

    @cached_property
    def names(self) -> DatasetNames:
        """All names of datasets that heads mention."""
        n, nodes = int(self._tables.counts[N_NODES]), self._tables.nodes
        own = np.flatnonzero((nodes.kind[:n] == DATASET) & (nodes.live[:n] > 0)).astype(np.int32)
        return DatasetNames(own, nodes.rep[own], nodes.part1[own], nodes.part2[own], nodes.traits[own] & (GONE | PAST) != 0)

    @cached_property
    def columns(self) -> ListedColumns:
        """All columns that heads list, except those of former names of datasets."""
        tables, n = self._tables, int(self._tables.counts[N_NODES])
        nodes = tables.nodes
        columns = np.flatnonzero((nodes.kind[:n] == COLUMN) & (nodes.listed[:n] > 0) & (nodes.live[:n] > 0))
        columns = columns[(nodes.traits[nodes.part1[columns]] & (GONE | PAST) == 0) & self.mark_shown(columns)]
        datasets, names = nodes.part1[columns], nodes.part2[columns]
        folds = tables.names.fold[names]
        return ListedColumns(datasets, nodes.rep[datasets], np.where(folds >= 0, folds, names))

    @cached_property
    def flows(self) -> tuple[Ints, Ints]:
        """(starts, ends) of all flows, as the datasets of their ends (representatives): int32, one pair for each flow."""
        tables, n = self._tables, int(self._tables.counts[N_FLOWS])
        rows = np.flatnonzero(tables.flows.flags[:n] & DEAD == 0)
        rows = rows[self.mark_shown(tables.flows.start[rows]) & self.mark_shown(tables.flows.end[rows])]
        return self._to_datasets(tables.flows.start[rows]), self._to_datasets(tables.flows.end[rows])

    @cached_property
    def dataset_flows(self) -> tuple[Ints, Ints]:
        """(starts, ends) of the flows from one dataset as a whole to another, whether columns are known or not; as in `flows`."""
        tables, n = self._tables, int(self._tables.counts[N_FLOWS])
        rows = np.flatnonzero(tables.flows.flags[:n] & (DEAD | CLASS) == Reach.POSSIBLE)
        start, end = tables.nodes.rep[tables.flows.start[rows]], tables.nodes.rep[tables.flows.end[rows]]
        return start[start != end], end[start != end]

    @cached_property
    def followed_pairs(self) -> tuple[Ints, Ints]:
        """(starts, ends) of the pairs of two datasets between which traversals follow flows: int32, each pair once; as in `flows`."""
        tables, n = self._tables, int(self._tables.counts[N_FLOWS])
        rows = np.flatnonzero(tables.flows.flags[:n] & PASSED_OVER == 0)
        start, end = self._to_datasets(tables.flows.start[rows]), self._to_datasets(tables.flows.end[rows])
        return list_distinct_pairs(start[start != end], end[start != end])

    @cached_property
    def writings(self) -> tuple[Ints, Ints]:
        """(jobs, datasets that they write): int32, each pair once; representatives."""
        relations = self._tables.relations
        rows = np.flatnonzero(relations.type[: self._tables.counts[N_RELATIONS]] == _WRITES)
        rep = self._tables.nodes.rep
        return list_distinct_pairs(rep[relations.start[rows]], rep[relations.end[rows]])

    def count_tagged(self) -> dict[str, int]:
        """How many visible assets have each tag (`key` or `key=value`) from any source."""
        tables = self._tables
        facts, n, nodes = tables.facts, int(tables.counts[N_FACTS]), tables.nodes
        rows = np.flatnonzero((facts.tags[:n] != NONE) & (facts.node[:n] != NONE))
        rows = rows[(nodes.live[facts.node[rows]] > 0) & (nodes.traits[facts.node[rows]] & GONE == 0)]
        rows = rows[self.mark_shown(facts.node[rows])]
        sets, assets = list_distinct_pairs(facts.tags[rows], nodes.rep[facts.node[rows]])
        ends = np.searchsorted(sets, np.arange(len(self._loader.tag_sets) + 1)).tolist()
        found: dict[str, list[Ints]] = {}
        for number, tags in enumerate(self._loader.tag_sets):
            if ends[number] < ends[number + 1]:
                for tag in tags:
                    found.setdefault(tag, []).append(assets[ends[number] : ends[number + 1]])
        return {tag: len(np.unique(np.concatenate(parts))) for tag, parts in found.items()}

    @cached_property
    def job_parts(self) -> tuple[Ints, Ints]:
        """(jobs, the jobs that they are a part of): int32, each pair once; representatives."""
        relations, nodes = self._tables.relations, self._tables.nodes
        rows = np.flatnonzero(relations.type[: self._tables.counts[N_RELATIONS]] == _PART_OF)
        rows = rows[nodes.kind[relations.start[rows]] == _JOB]
        return list_distinct_pairs(nodes.rep[relations.start[rows]], nodes.rep[relations.end[rows]])

    @cached_property
    def different(self) -> set[frozenset[int]]:
        """The pairs of representatives that are stated to be different (DIFFERENT_FROM)."""
        tables = self._tables
        rows = np.flatnonzero(tables.relations.type[: tables.counts[N_RELATIONS]] == _DIFFERENT_FROM)
        starts, ends = tables.nodes.rep[tables.relations.start[rows]], tables.nodes.rep[tables.relations.end[rows]]
        return {frozenset(pair) for pair in zip(starts.tolist(), ends.tolist(), strict=True)}

    @cached_property
    def session_names(self) -> dict[tuple[str, ...], set[int]]:
        """The names that producers gave datasets within a session (namespace, name), with all datasets that had one."""
        found: dict[tuple[str, ...], set[int]] = {}
        for named in self._loader.session_names.values():
            for node, name in named:
                if self._shown.is_visible(node):
                    found.setdefault(name, set()).add(int(self._tables.nodes.rep[node]))
        return found

    def find_tagged(self, is_wanted: Callable[[frozenset[str]], bool]) -> Ints:
        """The assets with tags that are wanted from some source: representatives, int32, sorted."""
        facts, n, tag_sets = self._tables.facts, int(self._tables.counts[N_FACTS]), self._loader.tag_sets
        chosen = np.zeros(len(tag_sets) + 1, np.bool_)  # the last one is NONE's
        chosen[:-1] = [is_wanted(tags) for tags in tag_sets]
        rows = np.flatnonzero(facts.tags[:n] != NONE)
        nodes = facts.node[rows[chosen[facts.tags[rows]]]]
        return np.unique(self._tables.nodes.rep[nodes[nodes != NONE]])

    def get_own_key(self, node: int) -> AssetKey:
        """The key of exactly this node."""
        return self._tables.get_key(node)

    def read_texts(self, numbers: Ints) -> list[str]:
        """The texts of names by their numbers."""
        return self._tables.read_texts(numbers)

    def mark_shown(self, nodes: Ints | I64) -> Flags:
        """Which of these nodes the viewer may see: all, but in a restricted index."""
        return np.ones(len(nodes), np.bool_)

    @property
    def _catalogs(self) -> list[str]:
        return [source for source in self._tables.heads.sources if parse_source_kind(source) in CATALOG_KINDS]

    def _to_datasets(self, nodes: Ints) -> Ints:
        """Of columns their datasets, of datasets themselves; representatives."""
        own = np.where(self._tables.nodes.kind[nodes] == COLUMN, self._tables.nodes.part1[nodes], nodes)
        found: Ints = self._tables.nodes.rep[own]
        return found

    def _mark(self, nodes: Ints | I64) -> Flags:
        marks = np.zeros(int(self._tables.counts[N_NODES]), np.bool_)
        marks[nodes] = True
        return marks


def list_distinct_pairs(first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """The distinct rows of two columns (int32, not negative), sorted."""
    pairs = np.unique(first.astype(np.int64) << 32 | second)
    return (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)


def list_tags(loader: HeadLoader, node: int) -> frozenset[str]:
    """The tags of any member of an asset, each as `key` or `key=value`."""
    tables = loader.tables
    rows = [row for member in tables.list_ring(node) for row in tables.list_fact_rows(member)]
    numbers = {int(tables.facts.tags[row]) for row in rows} - {NONE}
    return frozenset().union(*(loader.tag_sets[number] for number in numbers))


class NameMatcher:
    """The columns whose names match. Each distinct name is tested once: those that came since at the next look."""

    def __init__(self, tables: IndexTables, pattern: re.Pattern[bytes], accepts: Callable[[str], bool]) -> None:
        """`pattern`: what begins in every name that matches, found in all names at once (it may run over the end of
        a name); `accepts`: decides on each name in which the pattern begins.
        """
        self._tables = tables
        self._pattern = pattern
        self._accepts = accepts
        self._matching: Flags = np.zeros(0, np.bool_)  # by number of the name

    def find_columns(self, among: Ints | None = None) -> Ints:
        """The columns (representatives, int32, sorted) that match by any visible name: of all, or of these representatives."""
        tables, n = self._tables, int(self._tables.counts[N_NODES])
        own = np.arange(n, dtype=np.int32) if among is None else tables.collect_members(among)
        own = own[(tables.nodes.kind[own] == COLUMN) & (tables.nodes.live[own] > 0)]
        self._follow()
        return np.unique(tables.nodes.rep[own[self._matching[tables.nodes.part2[own]]]])

    def _follow(self) -> None:
        known, n = len(self._matching), int(self._tables.counts[N_NAMES])
        if known < n:
            more = np.zeros(n - known, np.bool_)
            more[[number - known for number in self._list_candidates(known, n) if self._accepts(self._tables.get_text(number))]] = True
            self._matching = np.concatenate([self._matching, more])

    def _list_candidates(self, first: int, last: int) -> list[int]:
        """The names from number `first` on in which the pattern begins."""
        names = self._tables.names
        ends = names.end[first:last]
        begin = int(names.end[first - 1]) if first else 0
        text = names.text[begin : int(ends[-1])].tobytes()
        starts = np.array([found.start() for found in self._pattern.finditer(text)], np.int64) + begin
        found: list[int] = (np.unique(np.searchsorted(ends, starts, side="right")) + first).tolist()
        return found
