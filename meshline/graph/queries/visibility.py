"""Which assets a viewer may see: his rights, which name assets by what they are or belong to, as a mask of all assets of an index.

Datasets, products and domains are visible by rights. What belongs to them follows: columns their dataset, contracts what they govern, jobs
what they write (else read), consumers what they use, owners what they own. A container of a visible asset is visible, unless it is
restricted itself. Everything is computed with arrays, some milliseconds for a million assets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from meshline.graph.index import LineageIndex
from meshline.graph.index.results import Flags, Ints
from meshline.graph.queries.groups import NOTHING
from meshline.graph.queries.places import COLUMN, CONSUMER, CONTRACT, JOB, OWNER
from meshline.graph.queries.selection import Selections, Selector, SelectorKind, find_selections, list_owners


class Ruling(NamedTuple):
    """Which assets a rule chooses, decided by in which of some choices they are: an asset is in one that has a selector which chooses it.

    `chosen`: 1 or 0 for each set of choices, whether an asset that is in exactly these is chosen; at the number whose bits they are, the
    first of `choices` the lowest.
    """

    choices: tuple[frozenset[Selector], ...]
    chosen: bytes


class Rights(NamedTuple):
    """What a viewer may see: what the selectors of `granted` choose and what the `owners` own, without what those of `restricted` choose.

    `owners`: the names in the mesh of the viewer and of his groups. `lifted`: selectors of `restricted`, each with one for whose assets
    it does not count. `also`: the rights of others: the viewer sees only what they may see, too. `permits`, `forbids`: rulings that
    choose what is granted, too, and what is restricted, too, whatever is lifted.
    """

    granted: frozenset[Selector]
    restricted: frozenset[Selector]
    owners: frozenset[str]
    lifted: frozenset[tuple[Selector, Selector]] = frozenset()
    also: tuple[Rights, ...] = ()
    permits: frozenset[Ruling] = frozenset()
    forbids: frozenset[Ruling] = frozenset()

    @property
    def is_everything_granted(self) -> bool:
        """Whether what belongs to no asset is granted, too: it is judged as what is in no choice."""
        return _EVERYTHING in self.granted and not any(ruling.chosen[0] for ruling in self.forbids)


def intersect_rights(rights: Iterable[Rights | None]) -> Rights | None:
    """What all of these permit; None: everything."""
    found = [one for one in rights if one is not None]
    return found[0]._replace(also=tuple(found[1:])) if found else None


class Levels(NamedTuple):
    """What a viewer may see: at all, with all that is known of it, and with its SQL. Each includes the one before."""

    browse: Rights
    read: Rights
    read_sql: Rights


class Masks(NamedTuple):
    """Of each node (bool arrays by node): whether a viewer may see it at all, read what is known of it, and read its SQL, too."""

    shown: Flags
    readable: Flags
    with_sql: Flags


_EVERYTHING = Selector(SelectorKind.EVERYTHING)
EVERYTHING = Rights(frozenset({_EVERYTHING}), frozenset(), frozenset())


def compute_visible(index: LineageIndex, rights: Rights, now: tuple[LineageIndex, Flags] | None = None) -> Flags:
    """Whether the viewer may see each node (bool, by node; of equal value for the members of an identity class).

    `now`: of an index of a past time, today's index and mask: what the viewer may not see today is not shown to him as of yesterday.
    """
    visible = _intersect_masks(index, rights, _Mask.compute)
    if now is not None:
        visible = visible & ~_mark_hidden_now(index, visible, *now)
    return visible


def compute_masks(index: LineageIndex, levels: Levels, now: tuple[LineageIndex, Masks] | None = None) -> Masks:
    """What a viewer may see. `now`: as in `compute_visible`.

    Of what may only be browsed the datasets, products, domains and owners are shown, and no columns, jobs, contracts and consumers.
    """
    of = None if now is None else now[0]
    readable = compute_visible(index, levels.read, None if of is None or now is None else (of, now[1].readable))
    shown = with_sql = readable
    if levels.browse != levels.read:
        shown = _intersect_masks(index, levels.browse, _Mask.compute_browsable)
        if of is not None and now is not None:
            shown = shown & ~_mark_hidden_now(index, shown, of, now[1].shown)
        shown = shown | readable
    if levels.read_sql != levels.read:
        with_sql = readable & compute_visible(index, levels.read_sql, None if of is None or now is None else (of, now[1].with_sql))
    return Masks(shown, readable, with_sql)


def compute_permitted(index: LineageIndex, rights: Rights) -> Flags:
    """With which nodes something may be done (bool, by node): as `compute_visible`, but without the containers of what is chosen, and of
    jobs, contracts, consumers and owners only those of which all that they belong to is chosen.
    """
    return _intersect_masks(index, rights, _Mask.compute_permitted)


def _intersect_masks(index: LineageIndex, rights: Rights, compute: Callable[[_Mask], Flags]) -> Flags:
    """What `compute` makes of these rights, and of those of the others whose rights count, too."""
    found = compute(_Mask(index, rights))
    for others in rights.also:
        found = found & compute(_Mask(index, others))
    return found


class _Mask:
    """Computes one mask. Arrays are boolean, by place (`Places`)."""

    def __init__(self, index: LineageIndex, rights: Rights) -> None:
        self._index = index
        self._rights = rights
        self._selections = find_selections(index)
        self._places = self._selections.places

    def compute(self) -> Flags:
        shown, restricted = self._select_containing()
        places = self._places
        shown[places.columns] = shown[places.of_columns] & ~restricted[places.columns]
        self._add_dependent(shown, restricted)
        found: Flags = shown[places.of_nodes]
        return found

    def compute_browsable(self) -> Flags:
        shown, restricted = self._select_containing()
        self._add_bound(shown, restricted, OWNER)
        self._add_own_owners(shown)
        found: Flags = shown[self._places.of_nodes] & ~self._places.plain
        return found

    def compute_permitted(self) -> Flags:
        places = self._places
        granted, restricted = self._select_granted()
        found: Flags = granted & ~restricted & places.resources
        for kind in (CONTRACT, JOB, CONSUMER, OWNER):
            bonds = places.bonds[kind]
            other = np.zeros(places.count, np.bool_)
            other[bonds.starts[~found[bonds.ends]]] = True
            permitted = (places.kinds == kind) & ~other & ~restricted
            found |= permitted if self._rights.is_everything_granted else permitted & ~bonds.free
        by_node: Flags = found[places.of_nodes]
        return by_node

    def _select_containing(self) -> tuple[Flags, Flags]:
        """(the datasets, products and domains that the viewer may see, with the containers of each; all that is restricted)."""
        granted, restricted = self._select_granted()
        shown = granted & ~restricted & self._places.resources
        shown[self._places.columns] = False
        self._add_containers(shown, restricted)
        return shown, restricted

    def _select_granted(self) -> tuple[Flags, Flags]:
        """(what is granted, what is restricted)."""
        rights, selections = self._rights, self._selections
        if _EVERYTHING in rights.granted:
            granted = np.ones(self._places.count, np.bool_)
        else:
            granted = selections.select_any(rights.granted) | selections.select_owned(rights.owners) | self._select_ruled(rights.permits)
        return granted, self._select_restricted()

    def _select_restricted(self) -> Flags:
        """What is restricted."""
        selections = self._selections
        found = np.zeros(self._places.count, np.bool_)
        for selector in self._rights.restricted:
            lifted = selections.select_any(scope for restricted, scope in self._rights.lifted if restricted == selector)
            found |= selections.select(selector) & ~lifted
        return found | self._select_ruled(self._rights.forbids)

    def _select_ruled(self, rulings: Iterable[Ruling]) -> Flags:
        found = np.zeros(self._places.count, np.bool_)
        for ruling in rulings:
            found |= select_ruled(self._selections, ruling)
        return found

    def _add_containers(self, shown: Flags, restricted: Flags) -> None:
        """Add the products and domains of shown assets, and the domains above those."""
        places = self._places
        for contained, containers in (
            (places.datasets, places.product_of_datasets),
            (places.datasets, places.domain_of_datasets),
            (places.products, places.domain_of_products),
        ):
            _mark(shown, containers[shown[contained]], restricted)
        while _mark(shown, places.domain_of_domains[shown[places.domains]], restricted):
            pass

    def _add_dependent(self, shown: Flags, restricted: Flags) -> None:
        """Add contracts, jobs, consumers and owners."""
        places = self._places
        self._add_bound(shown, restricted, CONTRACT)
        governed = places.bonds[CONTRACT]
        partly = np.zeros(places.count, np.bool_)
        partly[places.of_columns[~shown[places.columns]]] = True
        hidden = governed.starts[~shown[governed.ends] | partly[governed.ends]]
        shown[hidden] = False  # its terms describe all that it governs, column by column
        for kind in (JOB, CONSUMER, OWNER):
            self._add_bound(shown, restricted, kind)
        self._add_readers(shown, restricted)
        self._add_own_owners(shown)

    def _add_bound(self, shown: Flags, restricted: Flags, kind: int) -> None:
        """Add the assets of a kind that are bound to a shown asset; if everything is granted, also those that nothing binds."""
        places = self._places
        bonds = places.bonds[kind]
        seen = np.zeros(places.count, np.bool_)
        seen[bonds.starts[shown[bonds.ends]]] = True
        if kind == JOB:
            places.add_wholes(seen)
        if self._rights.is_everything_granted:
            seen |= places.free_jobs if kind == JOB else bonds.free
        shown |= seen & ~restricted

    def _add_readers(self, shown: Flags, restricted: Flags) -> None:
        """Add the owners that may read a shown asset, if everything is granted: those of hidden ones alone are as hidden as these."""
        if self._rights.is_everything_granted:
            readers = self._places.readers
            found = readers.starts[shown[readers.ends]]
            shown[found[~restricted[found]]] = True

    def _add_own_owners(self, shown: Flags) -> None:
        """Add the owners that the viewer is himself, and those that are his groups."""
        shown[self._places.of_nodes[list_owners(self._index, self._rights.owners)]] = True


def select_ruled(selections: Selections, ruling: Ruling) -> Flags:
    """What a ruling chooses of datasets, columns, products and domains (bool, by place); of the rest, which follows from these, what it
    chooses for a choice that it is in itself, as for a tag.
    """
    numbers = np.zeros(selections.places.count, np.uint8)
    for bit, selectors in enumerate(ruling.choices):
        numbers |= selections.select_any(selectors).view(np.uint8) << bit
    chosen: Flags = np.frombuffer(ruling.chosen, np.bool_)[numbers]
    return chosen & selections.places.resources if ruling.chosen[0] else chosen


def _mark(shown: Flags, containers: Ints, restricted: Flags) -> bool:
    """Mark containers that are not restricted. Whether one was not marked before."""
    containers = containers[containers != NOTHING]
    new = containers[~shown[containers] & ~restricted[containers]]
    shown[new] = True
    return bool(len(new))


def _mark_hidden_now(then: LineageIndex, visible: Flags, now: LineageIndex, visible_now: Flags) -> Flags:
    """The nodes of an index of the past that a mask of today hides, under any of their names."""
    hidden = np.zeros(len(visible), np.bool_)
    every = np.arange(len(visible), dtype=np.int32)
    kinds, rep = then.lineage.get_kinds(every), then.lineage.get_representatives(every)
    for node in np.flatnonzero(visible & (rep == every) & (kinds != COLUMN)).tolist():
        today = {found for key in then.assets.list_names(node) if (found := now.assets.find_by_key(key)) is not None}
        hidden[node] = any(not visible_now[found] for found in today)
    columns_now = np.flatnonzero(~visible_now & (now.lineage.get_kinds(np.arange(len(visible_now), dtype=np.int32)) == COLUMN))
    datasets_now = now.lineage.get_datasets(columns_now.astype(np.int32))
    for column in columns_now[visible_now[datasets_now]].tolist():  # hidden by tags of their own
        for key in now.assets.list_names(column):
            found = then.assets.find_by_key(key)
            if found is not None:
                hidden[found] = True
    columns = np.flatnonzero(kinds == COLUMN).astype(np.int32)
    hidden[columns] |= hidden[then.lineage.get_datasets(columns)]
    marked: Flags = hidden[rep]
    return marked
