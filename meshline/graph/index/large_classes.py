"""Large identity classes: the few members that join or leave one are moved, and its other members are not looked at.

A table that is renamed again and again has a class with a member for each of its past names. Which members leave is found by searching
from all datasets whose statements changed at once, the smallest search first: a part that is searched to its end leaves the class, and
the last part that is not is the rest of it, whose members need no search. Two large classes become one where a search goes on in both:
their rings are joined at one member of each. Columns follow by an index of the names in a class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import COLLIDES, GONE, MERGED, NONE, PAST
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.kernels import mutate

LARGE = 64  # members; smaller classes are computed as a whole, which costs less than to search
_MOST = 64  # datasets that are searched or moved; for more the classes are computed as a whole


class _Search:
    """A connected part of the datasets, as far as it is known."""

    def __init__(self, seed: int) -> None:
        self.visited = {seed}
        self.frontier = [seed]


class Moves(NamedTuple):
    """What `LargeClasses.move` did: the classes of all other datasets are as before."""

    moved: set[int]  # the datasets that left a class or joined one
    rest: set[int]  # of each class that others joined or left, one that was in it before
    absorbed: set[int]  # the datasets of large classes that became one with another, which are in its class now


class _Columns:
    """A column of each class of columns of the datasets of a large class, by its casefolded name."""

    def __init__(self) -> None:
        self._by_name: dict[str, int] = {}
        self._names: dict[int, str] = {}  # of exactly these columns

    def __len__(self) -> int:
        return len(self._by_name)

    def list_names(self) -> list[tuple[str, int]]:
        return [*self._by_name.items()]

    def find_or_add(self, name: str, column: int) -> int:
        """The column that has a name; if none has it, this one has it from now on."""
        found = self._by_name.setdefault(name, column)
        if found == column:
            self._names[column] = name
        return found

    def replace(self, column: int, find_other: Callable[[int], int]) -> None:
        """Let another column of its class have the name of a column, if it has one. `find_other`: that column, or NONE."""
        name = self._names.pop(column, None)
        if name is not None:
            del self._by_name[name]
            other = find_other(column)
            if other != NONE:
                self.find_or_add(name, other)


class LargeClasses:
    """Moves datasets between classes of which at least one is large, and their columns between the classes of columns."""

    def __init__(self, tables: IndexTables, list_joined: Callable[[int], list[int]], are_apart: Callable[[Collection[int]], bool]) -> None:
        """`list_joined`: the datasets that a single fact joins with one, also if one of the two is gone. `are_apart`: whether a dataset in
        the classes of these is stated to be different from another.
        """
        self._tables = tables
        self._list_joined = list_joined
        self._are_apart = are_apart
        self._columns: dict[int, _Columns] = {}  # by representative; not of classes with names that differ in case only

    def forget(self, datasets: Iterable[int]) -> None:
        """Forget the columns of the classes that these datasets represent."""
        for dataset in datasets:
            self._columns.pop(dataset, None)

    def move(self, changed: Collection[int]) -> Moves | None:
        """Bring the classes of these datasets in step with the statements that join them, which changed; none of them parts any.

        None if the classes must be computed as a whole: then nothing was moved.
        """
        rep = self._tables.nodes.rep
        plan = self._find_plan(changed)
        if plan is None:
            return None
        before = {dataset: int(rep[dataset]) for members, _ in plan for dataset in members}
        moved = {dataset for members, bases in plan for dataset in members if before[dataset] not in bases}
        leaving = [dataset for dataset in moved if self._is_large(dataset)]
        if len(leaving) > _MOST:
            return None
        for dataset in leaving:
            self._take_out(self._tables.list_children(dataset), self._columns.get(before[dataset]))
        self._leave(leaving)
        alone = [*moved]  # of a small class all members are moved
        self._tables.nodes.ring[alone] = self._tables.nodes.rep[alone] = alone
        columns = {base: self._columns.pop(base) for _, bases in plan for base in bases if base in self._columns}
        rest: set[int] = set()
        absorbed: set[int] = set()
        for members, bases in plan:
            self.forget(members)
            if not bases:
                join_nodes(self._tables, sorted(members))
                continue
            anchors = [next(dataset for dataset in members if before[dataset] == base) for base in bases]
            for other in anchors[1:]:
                absorbed.update(self._tables.list_ring(other))
                self._join(other, anchors[0])
            for dataset in members & moved:
                self._join(dataset, anchors[0])
            found = [columns[base] for base in bases if base in columns]
            if found:
                self._columns[int(rep[anchors[0]])] = self._merge_columns(found)
            rest.add(anchors[0])
        return Moves(moved, rest, absorbed)

    def _find_plan(self, changed: Collection[int]) -> list[tuple[set[int], list[int]]] | None:
        """The classes that there must be (see `_plan`); None if they must be computed as a whole."""
        if len(changed) > _MOST or not any(self._is_large(dataset) for dataset in changed):
            return None
        searches = self._search(changed)
        plan = None if searches is None else self._plan(searches)
        if plan is None or self._are_apart([dataset for members, _ in plan for dataset in members]):
            return None
        merged = [base for _, bases in plan if len(bases) > 1 for base in bases]
        return plan if self._columns.keys() >= {*merged} else None

    def place_columns(self, datasets: Sequence[int], renamed: Mapping[int, str]) -> bool:
        """Join the columns of some datasets of one class with those of the others; False if that must be done for the class as a whole.

        `renamed`: the name by which a column of the past is joined; without one it is alone.
        """
        nodes = self._tables.nodes
        names = self._columns.get(int(nodes.rep[datasets[0]]))
        if names is None or len(datasets) > _MOST or (nodes.traits[datasets] & COLLIDES).any():
            return False
        columns = self._tables.list_children(*datasets)
        self._take_out(columns, names)
        for name, column in self._iterate_names(columns, renamed):
            other = names.find_or_add(name, column)
            if other != column:
                self._join(column, other)
        return True

    def record_columns(self, members: Sequence[int], renamed: Mapping[int, str]) -> None:
        """Index the columns of a class that was grouped as a whole."""
        nodes = self._tables.nodes
        self._columns.pop(int(nodes.rep[members[0]]), None)
        if len(members) > LARGE and not (nodes.traits[members] & COLLIDES).any():
            columns = np.array(self._tables.list_children(*members), np.int32)
            past = nodes.traits[columns] & PAST != 0
            _, first = np.unique(nodes.part2[columns[~past]], return_index=True)
            names = _Columns()
            for name, column in self._iterate_names([*columns[~past][first].tolist(), *columns[past].tolist()], renamed):
                names.find_or_add(name, column)
            self._columns[int(nodes.rep[members[0]])] = names

    def _iterate_names(self, columns: Iterable[int], renamed: Mapping[int, str]) -> Iterator[tuple[str, int]]:
        """The columns that may be joined with others, each with the casefolded name by which it is."""
        nodes = self._tables.nodes
        for column in columns:
            name = renamed.get(column) if nodes.traits[column] & PAST else self._tables.get_text(int(nodes.part2[column]))
            if name is not None:
                yield name.casefold(), column

    def _search(self, changed: Iterable[int]) -> list[_Search] | None:
        """Search from the changed datasets, until of each class all parts but one are known; None if that takes many steps."""
        rep = self._tables.nodes.rep
        seeds = {*changed, *(other for dataset in changed for other in self._list_joined(dataset))}
        if len(seeds) > _MOST:
            return None
        found = {seed: _Search(seed) for seed in seeds}
        todo = [*changed]  # first all that may be joined with another class now
        while len(found) <= _MOST:
            search, dataset = self._choose_step(found, todo)
            if search is None:
                return [*dict.fromkeys(found.values())]
            search.frontier.remove(dataset)
            for other in self._list_visible(dataset):
                met = found.get(other)
                if met is None:
                    if rep[other] != rep[dataset]:  # it is in another class, though nothing that joins the two has changed
                        return None
                    search.visited.add(other)
                    search.frontier.append(other)
                    found[other] = search
                elif met is not search:
                    search.visited |= met.visited
                    search.frontier += met.frontier
                    found.update(dict.fromkeys(met.visited, search))
        return None

    def _choose_step(self, found: Mapping[int, _Search], first: list[int]) -> tuple[_Search | None, int]:
        """The search that goes on, and the dataset to which; None if of each class all parts but one are known. Empties `first`."""
        if first:
            dataset = first.pop()
            return found[dataset], dataset
        going = [search for search in dict.fromkeys(found.values()) if search.frontier]
        parts = Counter(one for search in going for one in self._collect_unknown(search))
        uncertain = [search for search in going if any(parts[one] > 1 for one in self._collect_unknown(search))]
        if not uncertain:
            return None, NONE
        smallest = min(uncertain, key=lambda search: len(search.visited))
        return smallest, smallest.frontier[0]

    def _list_visible(self, dataset: int) -> list[int]:
        traits = self._tables.nodes.traits
        return [] if traits[dataset] & GONE else [other for other in self._list_joined(dataset) if not traits[other] & GONE]

    def _collect_unknown(self, search: _Search) -> set[int]:
        """The representatives of the classes of which a search, that has passed all changed datasets, may not have all members yet."""
        return {int(self._tables.nodes.rep[dataset]) for dataset in search.frontier}

    def _plan(self, searches: list[_Search]) -> list[tuple[set[int], list[int]]] | None:
        """The classes that there must be: the members that are known, and the representatives of the large classes that have the others.

        None if members are connected with nothing that was searched.
        """
        known = {dataset for search in searches for dataset in search.visited}
        reps = {int(self._tables.nodes.rep[dataset]) for dataset in known}
        unknown = {one for search in searches for one in self._collect_unknown(search)}
        if any(not known.issuperset(self._tables.list_ring(one)) for one in reps - unknown):
            return None
        large = {one for one in unknown if self._is_large(one)}
        rest = {one: {*self._tables.list_ring(one)} - known for one in unknown - large}
        plan: list[tuple[set[int], list[int]]] = []
        for search in searches:
            going = self._collect_unknown(search)
            plan.append((search.visited.union(*(rest[one] for one in going - large)), sorted(going & large)))
        return plan

    def _is_large(self, node: int) -> bool:
        ring, member = self._tables.nodes.ring, node
        for _ in range(LARGE):
            member = int(ring[member])
            if member == node:
                return False
        return True

    def _take_out(self, columns: Sequence[int], names: _Columns | None) -> None:
        """Take columns out of their classes. `names`: those of the class of their datasets."""
        leaving, ring = {*columns}, self._tables.nodes.ring

        def find_other(column: int) -> int:
            member = int(ring[column])
            while member in leaving and member != column:
                member = int(ring[member])
            return NONE if member in leaving else member

        if names is not None:
            for column in columns:
                names.replace(column, find_other)
        self._leave(columns)

    def _leave(self, leaving: Sequence[int]) -> None:
        nodes = self._tables.nodes
        mutate.leave_rings(np.array(leaving, np.int32), nodes.ring, nodes.rep, nodes.traits)

    def _merge_columns(self, found: list[_Columns]) -> _Columns:
        """Join the columns of several classes of datasets by their names."""
        largest, *others = sorted(found, key=len, reverse=True)
        for names in others:
            for name, column in names.list_names():
                other = largest.find_or_add(name, column)
                if other != column:
                    self._join(column, other)
        return largest

    def _join(self, node: int, other: int) -> None:
        """Make the classes of two nodes one, which were two."""
        nodes = self._tables.nodes
        mutate.join_rings(node, other, nodes.ring, nodes.rep, nodes.traits)


def join_nodes(tables: IndexTables, nodes: list[int]) -> None:
    """Make these nodes one class, whatever their classes were before."""
    tables.nodes.ring[nodes] = [*nodes[1:], nodes[0]]
    tables.nodes.rep[nodes] = nodes[0]
    if len(nodes) > 1:
        tables.nodes.traits[nodes] |= MERGED
    else:
        tables.nodes.traits[nodes] &= 255 - MERGED
