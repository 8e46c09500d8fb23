"""Large identity classes: the few members that join or leave one are moved, and its other members are not looked at.

A table that is renamed again and again has a class with a member for each of its past names. Which members leave is found by searching
from all datasets whose statements changed at once, the smallest search first: a part that is searched to its end leaves the class, and
the last part that is not is the rest of it, whose members need no search. Columns follow by an index of the names in a class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from meshline.graph.index.arrays import COLLIDES, GONE, MERGED, NONE, PAST
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.kernels import mutate

LARGE = 64  # members; smaller classes are computed as a whole, which costs less than to search
_MOST = 64  # datasets that are searched or moved; for more the classes are computed as a whole


class _Search:
    """A connected part of the datasets, as far as it is known. `reps`: the representatives of the classes in which it began."""

    def __init__(self, seed: int, rep: int) -> None:
        self.visited = {seed}
        self.frontier = [seed]
        self.reps = {rep}


class _Columns:
    """A column of each class of columns of the datasets of a large class, by its casefolded name."""

    def __init__(self) -> None:
        self._by_name: dict[str, int] = {}
        self._names: dict[int, str] = {}  # of exactly these columns

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

    def move(self, changed: Collection[int]) -> tuple[set[int], set[int]] | None:
        """Bring the classes of these datasets in step with the statements that join them, which changed.

        Gives the datasets that were moved, and one that was not of each class that others joined or left. None if the classes must be
        computed as a whole: then nothing was moved.
        """
        rep = self._tables.nodes.rep
        if len(changed) > _MOST or not any(self._is_large(dataset) for dataset in changed):
            return None
        searches = self._search(changed)
        plan = None if searches is None else self._plan(searches)
        if plan is None or self._are_apart([dataset for members, _ in plan for dataset in members]):
            return None
        before = {dataset: int(rep[dataset]) for members, _ in plan for dataset in members}
        moved = {dataset for members, base in plan for dataset in members if before[dataset] != base}
        leaving = [dataset for dataset in moved if self._is_large(dataset)]
        if len(leaving) > _MOST:
            return None
        for dataset in leaving:
            self._take_out(self._tables.list_children(dataset), self._columns.get(before[dataset]))
        self._leave(leaving)
        columns = {base: self._columns.pop(base) for _, base in plan if base in self._columns}
        rest: set[int] = set()
        for members, base in plan:
            self.forget(members)
            if base is None:
                join_nodes(self._tables, sorted(members))
                continue
            anchor = next(dataset for dataset in members if before[dataset] == base)
            for dataset in members & moved:
                self._enter(dataset, anchor)
            if base in columns:
                self._columns[int(rep[anchor])] = columns[base]
            rest.add(anchor)
        return moved, rest

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
                self._enter(column, other)
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
        found = {seed: _Search(seed, int(rep[seed])) for seed in seeds}
        reps = {one for search in found.values() for one in search.reps}
        todo = [*changed]  # first all that may be joined with another class now
        while len(found) <= _MOST:
            search, dataset = self._choose_step(found, todo)
            if search is None:
                return [*dict.fromkeys(found.values())]
            search.frontier.remove(dataset)
            for other in self._list_visible(dataset):
                met = found.get(other)
                if met is None:
                    if int(rep[other]) not in reps:  # it is in another class, though nothing that joins the two has changed
                        return None
                    search.visited.add(other)
                    search.frontier.append(other)
                    found[other] = search
                elif met is not search:
                    search.visited |= met.visited
                    search.frontier += met.frontier
                    search.reps |= met.reps
                    found.update(dict.fromkeys(met.visited, search))
        return None

    def _choose_step(self, found: Mapping[int, _Search], first: list[int]) -> tuple[_Search | None, int]:
        """The search that goes on, and the dataset to which; None if of each class all parts but one are known. Empties `first`."""
        if first:
            dataset = first.pop()
            return found[dataset], dataset
        going = [search for search in dict.fromkeys(found.values()) if search.frontier]
        parts = Counter(one for search in going for one in search.reps)
        uncertain = [search for search in going if any(parts[one] > 1 for one in search.reps)]
        if not uncertain:
            return None, NONE
        smallest = min(uncertain, key=lambda search: len(search.visited))
        return smallest, smallest.frontier[0]

    def _list_visible(self, dataset: int) -> list[int]:
        traits = self._tables.nodes.traits
        return [] if traits[dataset] & GONE else [other for other in self._list_joined(dataset) if not traits[other] & GONE]

    def _plan(self, searches: list[_Search]) -> list[tuple[set[int], int | None]] | None:
        """The classes that there must be: the members that are known, and the representative of the large class that has the others.

        None if two large classes are to be one, or if members are connected with nothing that was searched.
        """
        known = {dataset for search in searches for dataset in search.visited}
        reps = {one for search in searches for one in search.reps}
        unknown = {one for search in searches if search.frontier for one in search.reps}  # of which members may not be known
        if any(not known.issuperset(self._tables.list_ring(one)) for one in reps - unknown):
            return None
        large = {one for one in unknown if self._is_large(one)}
        rest = {one: {*self._tables.list_ring(one)} - known for one in unknown - large}
        plan: list[tuple[set[int], int | None]] = []
        for search in searches:
            unknown = search.reps if search.frontier else set()
            bases = sorted(unknown & large)
            if len(bases) > 1:
                return None
            plan.append((search.visited.union(*(rest[one] for one in unknown - large)), bases[0] if bases else None))
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
        leaving = {*columns}

        def find_other(column: int) -> int:
            return next((member for member in self._tables.list_ring(column) if member not in leaving), NONE)

        if names is not None:
            for column in columns:
                names.replace(column, find_other)
        self._leave(columns)

    def _leave(self, leaving: Sequence[int]) -> None:
        nodes = self._tables.nodes
        mutate.leave_rings(np.array(leaving, np.int32), nodes.ring, nodes.rep, nodes.traits)

    def _enter(self, node: int, anchor: int) -> None:
        """Make a node a member of the class of another; nothing refers to it as a member of its own."""
        nodes = self._tables.nodes
        nodes.ring[node], nodes.ring[anchor] = nodes.ring[anchor], node
        nodes.traits[[node, anchor]] |= MERGED
        rep = int(nodes.rep[anchor])
        nodes.rep[node if rep < node else self._tables.list_ring(node)] = min(rep, node)


def join_nodes(tables: IndexTables, nodes: list[int]) -> None:
    """Make these nodes one class, whatever their classes were before."""
    tables.nodes.ring[nodes] = [*nodes[1:], nodes[0]]
    tables.nodes.rep[nodes] = nodes[0]
    if len(nodes) > 1:
        tables.nodes.traits[nodes] |= MERGED
    else:
        tables.nodes.traits[nodes] &= 255 - MERGED
