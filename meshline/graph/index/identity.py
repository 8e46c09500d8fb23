"""Identity classes: of datasets, joined by SAME_AS and by renames; of their columns, joined by name; and of owners.

DIFFERENT_FROM separates two datasets whatever joins them. Of the SAME_AS that connect the two, directly or through other
names, the weakest have no effect: they are followed from the strongest on, and one that would join two datasets
that are different is passed over. The strongest is that of the strongest source (`Precedence` for `same_as`), and of equal
ones the first by its two names. So the result depends on the current statements only, neither on their order nor
on time. A rename never separates: it is one dataset at two times.

Which owners are one depends on the forms of a name, and on the e-mail address that a source states of it:

1. `team:x`, `group:x`, `user:x` and `person:x` are `x`, unless the sources state that `x` is of the other kind; where none
   states a kind, and forms of both kinds are in use, none of them is `x`.
2. An e-mail address is the owner for which the strongest source states it (`Precedence` for `owners`); if that source states
   it for several owners, the address is an owner of its own.
3. Another name for which only weaker sources state the same address is that owner, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, ClassVar, NamedTuple

import numpy as np

from meshline.graph.index.arrays import COLLIDES, GONE, I64, MERGED, N_NODES, NONE, PAST
from meshline.graph.index.heads import RELATIONS
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import EDGE_TYPES, KINDS, AssetKind, EdgeType, Json, Precedence
from meshline.graph.naming import OwnerForm, is_email, parse_owner

_DIFFERENT_FROM = EDGE_TYPES.index(EdgeType.DIFFERENT_FROM)
_HAS_COLUMN = EDGE_TYPES.index(EdgeType.HAS_COLUMN)
_SAME_AS = EDGE_TYPES.index(EdgeType.SAME_AS)


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
        # Datasets of merged classes whose columns were grouped; the finder of column ids empties it.
        self.grouped: set[int] = set()
        self.any_apart = False  # whether any head ever stated DIFFERENT_FROM
        # Datasets that may have been joined or separated by heads that do not mention them; `ChangedAssets` empties it.
        self.regrouped: set[int] = set()
        self._classes: set[int] = set()
        self._columns: set[int] = set()

    def mark_changed(self, dataset: int) -> None:
        """Note that the statements that join this dataset with others have changed."""
        self._classes.add(dataset)

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
        """Set the name that continues a column's past name (None: nothing does); the caller has its dataset grouped again."""
        if name is None:
            self.renamed.pop(past, None)
        else:
            self.renamed[past] = name

    def settle_datasets(self) -> set[int]:
        """Recompute the rings of datasets where statements changed; gives the datasets that were examined."""
        regrouped = self._recompute_classes()
        self._columns |= regrouped
        self._classes.clear()
        return regrouped

    def iterate_unsettled(self) -> Iterator[list[int]]:
        """The classes of datasets whose columns must be grouped again."""
        done: set[int] = set()
        for dataset in list(self._columns):
            if dataset not in done:
                members = self._tables.list_ring(dataset)
                done.update(members)
                yield members

    def settle_columns(self) -> bool:
        """Recompute the rings of columns; whether any columns changed since the last time."""
        for members in self.iterate_unsettled():
            self._group_columns(members)
        changed = bool(self._columns)
        self._columns.clear()
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
        if len(members) > 1:
            self.grouped.update(members)
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


def join_nodes(tables: IndexTables, nodes: list[int]) -> None:
    """Make these nodes one class, whatever their classes were before."""
    tables.nodes.ring[nodes] = [*nodes[1:], nodes[0]]
    tables.nodes.rep[nodes] = nodes[0]
    if len(nodes) > 1:
        tables.nodes.traits[nodes] |= MERGED
    else:
        tables.nodes.traits[nodes] &= 255 - MERGED


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


_OWNER = KINDS.index(AssetKind.OWNER)


class _Stated(NamedTuple):
    """What a head states of an owner: `email` is casefolded, or empty."""

    node: int
    email: str
    type: str


class _Known(NamedTuple):
    """What sources state of a name. `rank`: of the strongest source that describes it; `email`: (rank, address) of the strongest."""

    rank: int
    email: tuple[int, str] | None


class OwnerIdentity:
    """Keeps rings and representatives of owners, and which of their names is shown."""

    SAVED: ClassVar[Mapping[str, Any]] = {
        "shown": dict[int, int],
        "version": int,
        "_stated": dict[int, list[_Stated]],
        "_classes": dict[int, tuple[int, ...]],
    }

    def __init__(self, tables: IndexTables, precedence: Precedence) -> None:
        self._tables = tables
        self._precedence = precedence
        self.shown: dict[int, int] = {}  # representative of a class of several -> the node whose name is shown
        self.version = 0  # counts changes of classes, and of the names that they show
        self._stated: dict[int, list[_Stated]] = {}  # by scope id
        self._nodes: Ints = np.empty(0, np.int32)
        self._upto = 0
        self._in_use: Flags = np.empty(0, np.bool_)  # by position in `_nodes`
        self._restated = False
        self._classes: dict[int, tuple[int, ...]] = {}  # node -> the class, of classes of several

    def record(self, scope_id: int, node: int, attributes: Mapping[str, Json]) -> None:
        """Record the attributes that a head states of an owner."""
        email, type_ = attributes.get("email"), attributes.get("owner_type")
        address = email.strip().casefold() if isinstance(email, str) and is_email(email) else ""
        stated = _Stated(node, address, type_ if isinstance(type_, str) else "")
        if stated.email or stated.type:
            self._stated.setdefault(scope_id, []).append(stated)
            self._restated = True

    def withdraw(self, scope_id: int) -> None:
        """Forget what a head stated that is gone."""
        if self._stated.pop(scope_id, None) is not None:
            self._restated = True

    def settle(self) -> set[int]:
        """Recompute the rings; gives the owners whose class, or the shown name of the class, changed."""
        if not self._follow() and not self._restated:
            return set()
        self._restated = False
        wanted: dict[int, tuple[int, ...]] = {}
        shown: dict[int, int] = {}
        for name, nodes in self._group_owners().items():
            if len(nodes) > 1:
                members = tuple(sorted(nodes))
                wanted.update(dict.fromkeys(members, members))
                shown[members[0]] = min(nodes, key=lambda node, name=name: (self._get_text(node) != name, self._get_text(node)))  # type: ignore[misc]
        changed = {node for node in {*wanted, *self._classes} if wanted.get(node) != self._classes.get(node)}
        renamed = {node for node, members in wanted.items() if shown[members[0]] != self.shown.get(members[0])}
        for node in changed:
            join_nodes(self._tables, list(wanted.get(node, (node,))))
        self._classes, self.shown = wanted, shown
        self.version += bool(changed or renamed)
        return changed | renamed

    def _group_owners(self) -> dict[str, list[int]]:
        """The owners in use, by the name that identifies them."""
        forms = {node: parse_owner(self._get_text(node)) for node in self._nodes[self._in_use].tolist()}
        plain = self._strip_prefixes(forms)
        known = self._collect_known(plain)
        heads = _find_address_owners(known)
        found: dict[str, list[int]] = defaultdict(list)
        for node in forms:
            name = plain[node]
            of = known.get(name)
            email = name if is_email(name) else of.email[1] if of is not None and of.email is not None else ""
            rank, owner = heads.get(email, (NONE, name))
            found[owner if is_email(name) or (of is not None and of.rank > rank) else name].append(node)
        return found

    def _strip_prefixes(self, forms: Mapping[int, OwnerForm]) -> dict[int, str]:
        """The name of each owner without its prefix; with it where the prefix distinguishes two owners."""
        kinds: dict[str, set[str]] = defaultdict(set)
        types: dict[str, set[str]] = defaultdict(set)
        for form in forms.values():
            kinds[form.name].add(form.kind)
        for stated in self._list_stated():
            if stated.type and stated.node in forms and not forms[stated.node].kind:
                types[forms[stated.node].name].add(stated.type)

        def fits(form: OwnerForm) -> bool:
            if form.is_email or not form.kind:
                return True
            return form.kind in types[form.name] if types[form.name] else len(kinds[form.name] - {""}) == 1

        return {node: form.name if fits(form) else self._get_text(node) for node, form in forms.items()}

    def _collect_known(self, plain: Mapping[int, str]) -> dict[str, _Known]:
        """What sources state of each name that is not an address."""
        found: dict[str, _Known] = {}
        tables = self._tables
        for scope_id, of_scope in self._stated.items():
            rank = self._precedence.rank(tables.heads.get_source(tables.heads.find_current(scope_id)), "owners")
            for stated in of_scope:
                name = plain.get(stated.node)
                if name is None or is_email(name):
                    continue
                before = found.get(name, _Known(rank, None))
                email = min((one for one in (before.email, (rank, stated.email) if stated.email else None) if one), default=None)
                found[name] = _Known(min(before.rank, rank), email)
        return found

    def _list_stated(self) -> list[_Stated]:
        return [stated for of_scope in self._stated.values() for stated in of_scope]

    def _follow(self) -> bool:
        """Find out which owners are in use; whether that changed."""
        nodes, n = self._tables.nodes, int(self._tables.counts[N_NODES])
        self._nodes = np.concatenate(
            [self._nodes, np.flatnonzero(nodes.kind[self._upto : n] == _OWNER).astype(np.int32) + np.int32(self._upto)]
        )
        self._upto = n
        before, self._in_use = self._in_use, nodes.live[self._nodes] > 0
        return not np.array_equal(before, self._in_use)

    def restore(self) -> None:
        """Follow the nodes, after all that is `SAVED` is there: `settle` has grouped them already."""
        self._follow()

    def _get_text(self, node: int) -> str:
        return self._tables.get_parts(node)[0]


def _find_address_owners(known: Mapping[str, _Known]) -> dict[str, tuple[int, str]]:
    """By address: the rank of the strongest source that states it, and the name for which; without addresses of several names."""
    by_address: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name, of in known.items():
        if of.email is not None:
            by_address[of.email[1]].append((of.email[0], name))
    strongest = {address: sorted(names)[:2] for address, names in by_address.items()}
    return {address: names[0] for address, names in strongest.items() if len(names) == 1 or names[0][0] < names[1][0]}
