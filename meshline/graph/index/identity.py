"""Identity classes: datasets joined by SAME_AS (and by renames), and their columns joined by name.

DIFFERENT_FROM parts two datasets whatever joins them. Of the SAME_AS that connect the two, directly or through other
names, the weakest are without effect: they are followed from the strongest on, and one that would join two datasets
that are different is passed over. The strongest is that of the strongest source (`Precedence`, as of what people say),
of equal ones the first by its two names. So the result depends on nothing but what is stated now, neither on order nor
on time. A rename is never parted: it is one dataset, at two times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from meshline.graph.index.core import Core
from meshline.graph.index.tables import COLLIDES, GONE, MERGED, PAST
from meshline.graph.model import EDGE_TYPES, EdgeType, Precedence

_DIFFERENT_FROM = EDGE_TYPES.index(EdgeType.DIFFERENT_FROM)
_HAS_COLUMN = EDGE_TYPES.index(EdgeType.HAS_COLUMN)
_SAME_AS = EDGE_TYPES.index(EdgeType.SAME_AS)


class Identity:
    """Keeps rings, representatives and the trait MERGED of datasets and columns."""

    def __init__(self, core: Core, precedence: Precedence) -> None:
        self._core = core
        self._precedence = precedence
        # A dataset's name as it was until a rename, and the name that continues it (`meshline.graph.index.moves`).
        self.continued: dict[int, int] = {}
        self._continues: dict[int, set[int]] = defaultdict(set)
        self.renamed: dict[int, str] = {}  # a column's name as it was until a rename -> the name that the column has now
        # Datasets of merged classes whose columns were grouped; the finder of column ids empties it.
        self.grouped: set[int] = set()
        self.any_apart = False  # whether any head ever said DIFFERENT_FROM
        # Datasets that may have been joined or parted by heads that do not name them; `Touched` empties it.
        self.regrouped: set[int] = set()
        self._classes: set[int] = set()
        self._columns: set[int] = set()

    def touch(self, dataset: int) -> None:
        """What joins this dataset with others has changed."""
        self._classes.add(dataset)

    def touch_columns(self, dataset: int) -> None:
        """Its columns, or the listings that tell names apart by case, have changed."""
        self._columns.add(dataset)

    def continue_as(self, past: int, node: int | None) -> None:
        """A past name is continued by another, or (None) by nothing."""
        before = self.continued.pop(past, None)
        if before == node:
            if node is not None:
                self.continued[past] = node
            return
        if before is not None:
            self._continues[before].discard(past)
            self.touch(before)
        if node is not None:
            self.continued[past] = node
            self._continues[node].add(past)
            self.touch(node)
        self.touch(past)

    def continue_column_as(self, past: int, name: str | None) -> None:
        """A column's past name is continued by another name, or (None) by nothing; what it was in is to be grouped anew."""
        if name is None:
            self.renamed.pop(past, None)
        else:
            self.renamed[past] = name

    def settle_datasets(self) -> set[int]:
        """Make the rings of datasets anew where something was touched; the datasets that were looked at for that."""
        regrouped = self._regrouped()
        self._columns |= regrouped
        self._classes.clear()
        return regrouped

    def unsettled(self) -> Iterator[list[int]]:
        """The classes of datasets whose columns are to be grouped."""
        done: set[int] = set()
        for dataset in list(self._columns):
            if dataset not in done:
                members = self._core.ring(dataset)
                done.update(members)
                yield members

    def settle_columns(self) -> bool:
        """Make the rings of columns anew; whether anything was touched since the last time."""
        for members in self.unsettled():
            self._group_columns(members)
        touched = bool(self._columns)
        self._columns.clear()
        return touched

    def _regrouped(self) -> set[int]:
        """Recompute the classes of the touched datasets, and of all that were in a class with one."""
        todo = {member for dataset in self._classes for member in self._core.ring(dataset)}
        done: set[int] = set()
        groups: list[set[int]] = []  # joined at the end: until then the rings are those of before
        while todo:
            group = {todo.pop()}
            frontier = list(group)
            while frontier:
                for other in self._joined(frontier.pop()):
                    if other not in group:
                        group.add(other)
                        frontier.append(other)
                        todo.update(set(self._core.ring(other)) - done)
            groups += self._parted(group)
            done |= group
            todo -= group
        for group in groups:
            join(self._core, sorted(group))
        return done

    def _parted(self, group: set[int]) -> list[set[int]]:
        """The classes of datasets that are connected: one, unless some of them are different."""
        apart = self._apart(group) if self.any_apart and len(group) > 1 else []
        if not apart:
            return [group]
        self.regrouped |= group
        members: dict[int, set[int]] = defaultdict(set)  # by the set's name, which is one of them
        for dataset in group:
            members[self._lasting(dataset)].add(dataset)
        of = {dataset: name for name, found in members.items() for dataset in found}
        enemies: dict[int, set[int]] = defaultdict(set)
        for a, b in apart:
            enemies[of[a]].add(b)
            enemies[of[b]].add(a)
        for a, b in self._links(group):
            kept, lost = sorted((of[a], of[b]), key=lambda name: -len(members[name]))
            if kept != lost and members[lost].isdisjoint(enemies[kept]):
                of.update(dict.fromkeys(members[lost], kept))
                members[kept] |= members.pop(lost)
                enemies[kept] |= enemies.pop(lost, set())
        return list(members.values())

    def _links(self, group: set[int]) -> list[tuple[int, int]]:
        """The pairs of datasets that SAME_AS joins, the strongest first."""
        core = self._core
        ranked: set[tuple[int, tuple[str, ...], tuple[str, ...], int, int]] = set()
        for dataset in group:
            rows = core.relation_rows(dataset, _SAME_AS)
            for row, head in zip(rows, core.heads_of(rows, 1), strict=True):
                ends = [self._lasting(dataset), self._lasting(int(core.relations.end[row]))]
                if ends[1] in group:
                    a, b = sorted(ends, key=core.parts)
                    ranked.add((self._precedence.rank(core.heads.source_of(head), "same_as"), core.parts(a), core.parts(b), a, b))
        return [link[3:] for link in sorted(ranked)]

    def _lasting(self, dataset: int) -> int:
        """What continues a name that it had until a rename; a key has one such node."""
        while dataset in self.continued:
            dataset = self.continued[dataset]
        return dataset

    def _apart(self, group: set[int]) -> list[tuple[int, int]]:
        """The pairs of these datasets that are different."""
        core = self._core
        pairs = [(one, int(core.relations.end[row])) for one in group for row in core.relation_rows(one, _DIFFERENT_FROM)]
        return [(a, b) for a, b in pairs if b in group]

    def _joined(self, dataset: int) -> list[int]:
        """The datasets that one fact joins this one with."""
        core = self._core
        if core.nodes.traits[dataset] & GONE:
            return []
        found = [int(core.relations.end[row]) for row in core.relation_rows(dataset, _SAME_AS)]
        found += [int(core.relations.start[row]) for row in core.relation_rows(dataset, _SAME_AS, incoming=True)]
        if dataset in self.continued:
            found.append(self.continued[dataset])
        found += self._continues.get(dataset, ())
        return [other for other in found if not core.nodes.traits[other] & GONE]

    def _group_columns(self, members: list[int]) -> None:
        """Join the columns of a class by casefolded name, but not names that one listing tells apart."""
        core = self._core
        if len(members) > 1:
            self.grouped.update(members)
        columns = {member: core.children(member) for member in members}
        exact = self.told_apart(members)
        renamed = any(column in self.renamed for of in columns.values() for column in of) if self.renamed else False
        alone = sum(1 for of in columns.values() if of) <= 1 and not renamed and not any(core.nodes.traits[m] & COLLIDES for m in members)
        groups: dict[str | int, list[int]] = defaultdict(list)
        for of in columns.values():
            for column in of:
                if alone:
                    if core.nodes.traits[column] & MERGED:
                        groups[column].append(column)
                    continue
                name = self.renamed.get(column)
                if name is None:
                    if core.nodes.traits[column] & PAST:
                        groups[column].append(column)
                        continue
                    name = core.text(int(core.nodes.part2[column]))
                fold = name.casefold()
                groups["=" + name if fold in exact else "~" + fold].append(column)
        for group in groups.values():
            join(core, sorted(group))

    def told_apart(self, members: Iterable[int]) -> set[str]:
        """Casefolded names of which one head lists two spellings for one dataset of a class, even for columns that are gone."""
        return {fold for member in members if self._core.nodes.traits[member] & COLLIDES for fold in self._told_apart(member)}

    def _told_apart(self, dataset: int) -> set[str]:
        core = self._core
        rows = [*core.relation_rows(dataset, _HAS_COLUMN), *core.relation_rows(dataset, -2 - _HAS_COLUMN)]
        seen: dict[tuple[int, str], str] = {}
        result: set[str] = set()
        for row, head in zip(rows, core.heads_of(rows, 1), strict=True):
            name = core.text(int(core.nodes.part2[core.relations.end[row]]))
            if seen.setdefault((head, name.casefold()), name) != name:
                result.add(name.casefold())
        return result


def join(core: Core, nodes: list[int]) -> None:
    """Make these nodes one class, whatever they were in before."""
    rep = nodes[0]
    for node, following in zip(nodes, [*nodes[1:], rep], strict=True):
        core.nodes.ring[node] = following
        core.nodes.rep[node] = rep
        if len(nodes) > 1:
            core.nodes.traits[node] |= MERGED
        else:
            core.nodes.traits[node] &= 255 - MERGED
