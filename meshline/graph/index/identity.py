"""Identity classes: of datasets, joined by SAME_AS and by renames, and of their columns, joined by name.

DIFFERENT_FROM separates two datasets whatever joins them. Of the SAME_AS that connect the two, directly or through other
names, the weakest have no effect: they are followed from the strongest on, and one that would join two datasets
that are different is passed over. The strongest is that of the strongest source (`Precedence` for `same_as`), and of equal
ones the first by its two names. So the result depends on the current statements only, neither on their order nor
on time. A rename never separates: it is one dataset at two times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, ClassVar

import numpy as np

from meshline.graph.index.arrays import COLLIDES, GONE, I64, MERGED, PAST
from meshline.graph.index.heads import RELATIONS
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.large_classes import LargeClasses, join_nodes
from meshline.graph.index.results import Ints
from meshline.graph.model import EDGE_TYPES, EdgeType, Precedence

_DIFFERENT_FROM = EDGE_TYPES.index(EdgeType.DIFFERENT_FROM)
_HAS_COLUMN = EDGE_TYPES.index(EdgeType.HAS_COLUMN)
_SAME_AS = EDGE_TYPES.index(EdgeType.SAME_AS)

Relation = tuple[int, int, int]  # its type, start and end


class Identity:
    """Keeps rings, representatives and the trait MERGED of datasets and columns."""

    SAVED: ClassVar[Mapping[str, Any]] = {
        "continued": dict[int, int],
        "_continues": dict[int, set[int]],
        "renamed": dict[int, str],
        "any_apart": bool,
        "grouped": set[int],
    }

    def __init__(self, tables: IndexTables, precedence: Precedence) -> None:
        self._tables = tables
        self._precedence = precedence
        # A dataset's name as it was until a rename, and the name that continues it (`meshline.graph.index.renames`).
        self.continued: dict[int, int] = {}
        self._continues: dict[int, set[int]] = defaultdict(set)
        self.renamed: dict[int, str] = {}  # a column's name as it was until a rename -> the name that the column has now
        # A dataset of each class in which columns were grouped; the finder of column ids empties it.
        self.grouped: set[int] = set()
        self.any_apart = False  # whether any head ever stated DIFFERENT_FROM
        # Datasets that may have been joined or separated by heads that do not mention them; `ChangedAssets` empties it.
        self.regrouped: set[int] = set()
        self._classes: set[int] = set()
        self._parted = False  # whether a DIFFERENT_FROM came or went
        self._columns: set[int] = set()
        self._rest: set[int] = set()  # a member of each class that others joined or left, in which no other column has to be grouped again
        self._large = LargeClasses(tables, self._list_joined, self._are_apart)

    def mark_changed(self, dataset: int) -> None:
        """Note that the statements that join this dataset with others have changed."""
        self._classes.add(dataset)

    def mark_relation_changed(self, relation: Relation) -> None:
        """Note that a statement that two datasets are the same, or different, came or is gone."""
        type_, start, end = relation
        self.any_apart |= type_ == _DIFFERENT_FROM
        self._parted |= type_ == _DIFFERENT_FROM
        self.mark_changed(start)
        self.mark_changed(end)

    def collect_relations(self, head: int) -> set[Relation]:
        """What a head states visibly about which datasets are the same or different."""
        starts, relations = self._tables.heads.starts, self._tables.relations
        first, last = int(starts[head, RELATIONS]), int(starts[head + 1, RELATIONS])
        types = relations.type[first:last]
        rows = np.flatnonzero((types == _SAME_AS) | (types == _DIFFERENT_FROM)) + first
        return {(int(relations.type[row]), int(relations.start[row]), int(relations.end[row])) for row in rows}

    def mark_columns_changed(self, dataset: int) -> None:
        """Note that its columns, or the listings that distinguish names by case, have changed."""
        self._columns.add(dataset)

    def continue_as(self, past: int, node: int | None) -> None:
        """Set the dataset that continues a past name; None: nothing continues it."""
        before = self.continued.pop(past, None)
        if before == node:
            if node is not None:
                self.continued[past] = node
            return
        if before is not None:
            self._continues[before].discard(past)
            self.mark_changed(before)
        if node is not None:
            self.continued[past] = node
            self._continues[node].add(past)
            self.mark_changed(node)
        self.mark_changed(past)

    def continue_column_as(self, past: int, name: str | None) -> None:
        """Set the name that continues a column's past name (None: nothing does)."""
        if self.renamed.get(past) != name:
            self.mark_columns_changed(int(self._tables.nodes.part1[past]))
        if name is None:
            self.renamed.pop(past, None)
        else:
            self.renamed[past] = name

    def settle_datasets(self) -> set[int]:
        """Recompute the rings of datasets where statements changed; gives the datasets that may be in other classes than before."""
        moves = None if self._parted else self._large.move(self._classes)
        if moves is None:
            regrouped = moved = self._recompute_classes()
            self._large.forget(regrouped)
        else:
            regrouped, moved = moves.moved | moves.absorbed, moves.moved
            self._rest |= moves.rest
        self._columns |= moved
        self._classes.clear()
        self._parted = False
        return regrouped

    def iterate_unsettled(self) -> Iterator[list[int]]:
        """The classes of datasets whose columns must be grouped again."""
        done: set[int] = set()
        for dataset in [*self._columns, *self._rest]:
            if dataset not in done:
                members = self._tables.list_ring(dataset)
                done.update(members)
                yield members

    def settle_columns(self) -> bool:
        """Recompute the rings of columns; whether any columns changed since the last time."""
        classes: dict[int, list[int]] = defaultdict(list)
        for dataset in self._columns:
            classes[int(self._tables.nodes.rep[dataset])].append(dataset)
        for datasets in classes.values():
            self.grouped.add(datasets[0])
            if not self._large.place_columns(datasets, self.renamed):
                members = self._tables.list_ring(datasets[0])
                self._group_columns(members)
                self._large.record_columns(members, self.renamed)
        self.grouped |= self._rest  # what was noted before may have left its class
        changed = bool(self._columns or self._rest)
        self._columns.clear()
        self._rest.clear()
        return changed

    def _recompute_classes(self) -> set[int]:
        """Recompute the classes of the changed datasets and of all datasets in their classes."""
        joined: dict[int, list[int]] = {}  # of whole rings
        todo = self._add_joined(self._classes, joined)
        groups: list[set[int]] = []  # joined at the end: until then the rings are the former ones
        while todo:
            group = {todo.pop()}
            frontier = list(group)
            while frontier:
                for other in joined[frontier.pop()]:
                    if other not in group:
                        group.add(other)
                        frontier.append(other)
                        if other not in joined:
                            todo |= self._add_joined([other], joined)
            groups += self._part_group(group)
            todo -= group
        for group in groups:
            join_nodes(self._tables, sorted(group))
        return set(joined)

    def _add_joined(self, datasets: Iterable[int], joined: dict[int, list[int]]) -> set[int]:
        """Add all datasets in the rings of these, with those that a single fact joins with each; gives the ones that are new."""
        tables = self._tables
        new: dict[int, list[int]] = {}
        for dataset in datasets:
            if dataset not in new and dataset not in joined:
                new |= {member: [] for member in tables.list_ring(dataset)}
        if not new:
            return set()
        for row in tables.list_relation_rows_at(new, _SAME_AS):
            ends = int(tables.relations.start[row]), int(tables.relations.end[row])
            for end, other in (ends, ends[::-1]):
                if end in new:
                    new[end].append(other)
        for dataset, others in new.items():
            if dataset in self.continued:
                others.append(self.continued[dataset])
            others += self._continues.get(dataset, ())
        named = np.array([*new, *chain.from_iterable(new.values())], np.int32)
        gone = set(named[tables.nodes.traits[named] & GONE != 0].tolist())
        if gone:
            new = {dataset: [] if dataset in gone else [other for other in others if other not in gone] for dataset, others in new.items()}
        joined |= new
        return set(new)

    def _list_joined(self, dataset: int) -> list[int]:
        """The datasets that a single fact joins with one."""
        relations = self._tables.relations
        rows = self._tables.list_relation_rows_at([dataset], _SAME_AS)
        others = {int(end) for row in rows for end in (relations.start[row], relations.end[row])} - {dataset}
        others.update(self._continues.get(dataset, ()))
        if dataset in self.continued:
            others.add(self.continued[dataset])
        return [*others]

    def _are_apart(self, datasets: Collection[int]) -> bool:
        """Whether a dataset in the classes of these is stated to be different from another."""
        if not self.any_apart:
            return False
        members = self._tables.collect_members(np.array([*datasets], np.int32))
        return bool(self._tables.list_relation_rows_at(members.tolist(), _DIFFERENT_FROM))

    def _part_group(self, group: set[int]) -> list[set[int]]:
        """The classes of connected datasets: one, unless some of them are different."""
        apart = self._list_different(group) if self.any_apart and len(group) > 1 else []
        if not apart:
            return [group]
        self.regrouped |= group
        members: dict[int, set[int]] = defaultdict(set)  # by the name of the set, which is one of its members
        for dataset in group:
            members[self._find_lasting(dataset)].add(dataset)
        of = {dataset: name for name, found in members.items() for dataset in found}
        enemies: dict[int, set[int]] = defaultdict(set)
        for a, b in apart:
            enemies[of[a]].add(b)
            enemies[of[b]].add(a)
        for a, b in self._list_links(group):
            kept, lost = sorted((of[a], of[b]), key=lambda name: -len(members[name]))
            if kept != lost and members[lost].isdisjoint(enemies[kept]):
                of.update(dict.fromkeys(members[lost], kept))
                members[kept] |= members.pop(lost)
                enemies[kept] |= enemies.pop(lost, set())
        return list(members.values())

    def _list_links(self, group: set[int]) -> list[tuple[int, int]]:
        """The pairs of datasets that SAME_AS joins, the strongest pair first."""
        tables = self._tables
        ranked: set[tuple[int, tuple[str, ...], tuple[str, ...], int, int]] = set()
        for dataset in group:
            rows = tables.list_relation_rows(dataset, _SAME_AS)
            for row, head in zip(rows, tables.find_heads(rows, RELATIONS), strict=True):
                ends = [self._find_lasting(dataset), self._find_lasting(int(tables.relations.end[row]))]
                if ends[1] in group:
                    a, b = sorted(ends, key=tables.get_parts)
                    ranked.add(
                        (self._precedence.rank(tables.heads.get_source(head), "same_as"), tables.get_parts(a), tables.get_parts(b), a, b)
                    )
        return [link[3:] for link in sorted(ranked)]

    def _find_lasting(self, dataset: int) -> int:
        """The node that continues a past name, through all renames; the node itself if nothing continues it."""
        while dataset in self.continued:
            dataset = self.continued[dataset]
        return dataset

    def _list_different(self, group: set[int]) -> list[tuple[int, int]]:
        """The pairs of these datasets that are stated to be different."""
        tables = self._tables
        pairs = [(one, int(tables.relations.end[row])) for one in group for row in tables.list_relation_rows(one, _DIFFERENT_FROM)]
        return [(a, b) for a, b in pairs if b in group]

    def _group_columns(self, members: list[int]) -> None:
        """Join the columns of a class by casefolded name, except names that one listing distinguishes by case."""
        tables, nodes = self._tables, self._tables.nodes
        columns = np.array(tables.list_children(*members), np.int32)
        renamed = [at for at, column in enumerate(columns.tolist()) if column in self.renamed] if self.renamed else []
        groups = -1 - columns.astype(np.int64)  # each alone
        if len(np.unique(nodes.part1[columns])) <= 1 and not renamed and not (nodes.traits[members] & COLLIDES).any():
            joined = nodes.traits[columns] & MERGED != 0
            join_groups(tables, columns[joined], groups[joined])
            return
        exact = self.collect_distinct_names(members)
        numbers: dict[str, int] = {}

        def number(name: str) -> int:
            fold = name.casefold()
            return numbers.setdefault("=" + name if fold in exact else "~" + fold, len(numbers))

        names, places = np.unique(nodes.part2[columns], return_inverse=True)
        by_name = np.array([number(tables.get_text(name)) for name in names.tolist()], np.int64)[places]
        groups = np.where(nodes.traits[columns] & PAST, groups, by_name)
        for at in renamed:
            groups[at] = number(self.renamed[int(columns[at])])
        join_groups(tables, columns, groups)

    def collect_distinct_names(self, members: Iterable[int]) -> set[str]:
        """The casefolded names of which one head lists two spellings for one dataset of a class, even for columns that are gone."""
        return {fold for member in members if self._tables.nodes.traits[member] & COLLIDES for fold in self._collect_distinct_names(member)}

    def _collect_distinct_names(self, dataset: int) -> set[str]:
        tables = self._tables
        rows = [*tables.list_relation_rows(dataset, _HAS_COLUMN), *tables.list_relation_rows(dataset, -2 - _HAS_COLUMN)]
        seen: dict[tuple[int, str], str] = {}
        result: set[str] = set()
        for row, head in zip(rows, tables.find_heads(rows, RELATIONS), strict=True):
            name = tables.get_text(int(tables.nodes.part2[tables.relations.end[row]]))
            if seen.setdefault((head, name.casefold()), name) != name:
                result.add(name.casefold())
        return result


def join_groups(tables: IndexTables, nodes: Ints, groups: I64) -> None:
    """The same for many classes at once. `groups`: the number of the class of each node."""
    if not len(nodes):
        return
    order = np.lexsort((nodes, groups))
    nodes, groups = nodes[order], groups[order]
    begins = np.flatnonzero(np.concatenate([[True], groups[1:] != groups[:-1]]))
    sizes = np.diff(begins, append=len(nodes))
    following = np.roll(nodes, -1)
    following[begins + sizes - 1] = nodes[begins]
    tables.nodes.ring[nodes] = following
    tables.nodes.rep[nodes] = np.repeat(nodes[begins], sizes)
    traits = tables.nodes.traits[nodes]
    tables.nodes.traits[nodes] = np.where(np.repeat(sizes > 1, sizes), traits | MERGED, traits & (255 - MERGED))
