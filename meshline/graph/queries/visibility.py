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
from meshline.graph.index.results import EdgeTable, Flags, Ints
from meshline.graph.model import KINDS, AssetKind, EdgeType
from meshline.graph.queries.groups import NOTHING
from meshline.graph.queries.selection import Selector, SelectorKind, find_selections, list_owners


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
_DATASET, _COLUMN, _PRODUCT, _DOMAIN, _CONTRACT, _JOB, _CONSUMER, _OWNER = (
    KINDS.index(kind)
    for kind in (
        AssetKind.DATASET,
        AssetKind.COLUMN,
        AssetKind.DATA_PRODUCT,
        AssetKind.DOMAIN,
        AssetKind.CONTRACT,
        AssetKind.JOB,
        AssetKind.CONSUMER,
        AssetKind.OWNER,
    )
)


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
    """Computes one mask. Arrays are boolean, by node, set at representatives."""

    def __init__(self, index: LineageIndex, rights: Rights) -> None:
        self._index = index
        self._rights = rights
        self._selections = find_selections(index)
        every = np.arange(index.changes.count_nodes(), dtype=np.int32)
        self._rep = index.lineage.get_representatives(every)
        self._kinds = index.lineage.get_kinds(every)
        self._own = self._rep == every
        self._datasets, self._columns, self._products, self._domains = (
            np.flatnonzero(self._own & (self._kinds == kind)).astype(np.int32) for kind in (_DATASET, _COLUMN, _PRODUCT, _DOMAIN)
        )
        self._of_column = index.lineage.get_datasets(self._columns)
        ownership = index.ownership
        self._domain = np.full(len(every), NOTHING, np.int32)  # by dataset, product and domain: what contains it
        for nodes in (self._datasets, self._products, self._domains):
            self._domain[nodes] = ownership.find_domains(nodes)
        self._product = np.full(len(every), NOTHING, np.int32)
        self._product[self._datasets] = ownership.find_products(self._datasets)

    def compute(self) -> Flags:
        shown, restricted = self._select_containing()
        everything = self._rights.is_everything_granted
        shown[self._columns] = shown[self._of_column] & ~restricted[self._columns]
        self._add_dependent(shown, restricted, everything=everything)
        return shown[self._rep]

    def compute_browsable(self) -> Flags:
        shown, restricted = self._select_containing()
        everything = self._rights.is_everything_granted
        self._add_bound(shown, restricted, _OWNER, self._index.ownership.list_all_edges(EdgeType.OWNS), everything=everything)
        shown[list_owners(self._index, self._rights.owners)] = True
        return shown[self._rep]

    def _select_containing(self) -> tuple[Flags, Flags]:
        """(the datasets, products and domains that the viewer may see, with the containers of each; all that is restricted)."""
        granted, restricted = self._select_granted()
        shown = granted & ~restricted & np.isin(self._kinds, (_DATASET, _PRODUCT, _DOMAIN))
        self._add_containers(shown, restricted)
        return shown, restricted

    def _select_granted(self) -> tuple[Flags, Flags]:
        """(what is granted, what is restricted)."""
        rights, selections = self._rights, self._selections
        if _EVERYTHING in rights.granted:
            granted = np.ones(len(self._rep), np.bool_)
        else:
            chosen = selections.select_any(rights.granted) | selections.select_owned(rights.owners) | self._select_ruled(rights.permits)
            granted = selections.spread(chosen)
        return granted, selections.spread(self._select_restricted())

    def compute_permitted(self) -> Flags:
        everything = self._rights.is_everything_granted
        granted, restricted = self._select_granted()
        found = granted & ~restricted & np.isin(self._kinds, (_DATASET, _COLUMN, _PRODUCT, _DOMAIN))
        ownership = self._index.ownership
        bound = (
            (_CONTRACT, ownership.list_all_edges(EdgeType.GOVERNS)),
            (_JOB, self._list_job_edges()),
            (_CONSUMER, ownership.list_all_edges(EdgeType.CONSUMES)),
            (_OWNER, ownership.list_all_edges(EdgeType.OWNS)),
        )
        for kind, edges in bound:
            nodes = np.flatnonzero(self._own & (self._kinds == kind)).astype(np.int32)
            starts, ends = edges.start[self._kinds[edges.start] == kind], edges.end[self._kinds[edges.start] == kind]
            other, tied = np.zeros(len(found), np.bool_), np.zeros(len(found), np.bool_)
            tied[starts] = True
            other[starts[~found[ends]]] = True
            found[nodes] = (tied[nodes] | everything) & ~other[nodes] & ~restricted[nodes]
        return found[self._rep]

    def _select_restricted(self) -> Flags:
        """What is restricted, by place."""
        selections = self._selections
        found = np.zeros(len(selections.nodes), np.bool_)
        for selector in self._rights.restricted:
            lifted = selections.select_any(scope for restricted, scope in self._rights.lifted if restricted == selector)
            found |= selections.select(selector) & ~lifted
        return found | self._select_ruled(self._rights.forbids)

    def _select_ruled(self, rulings: Iterable[Ruling]) -> Flags:
        """By place, what rulings choose of datasets, columns, products and domains; of the rest, which follows from these, what they
        choose for a choice that it is in itself, as for a tag.
        """
        selections = self._selections
        found = np.zeros(len(selections.nodes), np.bool_)
        for ruling in rulings:
            numbers = np.zeros(len(found), np.uint8)
            for bit, selectors in enumerate(ruling.choices):
                numbers |= selections.select_any(selectors).view(np.uint8) << bit
            chosen = np.frombuffer(ruling.chosen, np.bool_)[numbers]
            found |= chosen & selections.resources if ruling.chosen[0] else chosen
        return found

    def _add_containers(self, shown: Flags, restricted: Flags) -> None:
        """Add the products and domains of shown assets, and the domains above those."""
        for nodes, container in ((self._datasets, self._product), (self._datasets, self._domain), (self._products, self._domain)):
            self._mark(shown, container[nodes[shown[nodes]]], restricted)
        while True:
            above = self._domain[self._domains[shown[self._domains]]]
            new = above[(above != NOTHING)]
            new = new[~shown[new] & ~restricted[new]]
            if not len(new):
                break
            shown[new] = True

    def _add_dependent(self, shown: Flags, restricted: Flags, *, everything: bool) -> None:
        """Add contracts, jobs, consumers and owners. `everything`: also those that nothing binds to what is hidden."""
        ownership, survey = self._index.ownership, self._index.assets.survey()
        governed = ownership.list_all_edges(EdgeType.GOVERNS)
        self._add_bound(shown, restricted, _CONTRACT, governed, everything=everything)
        partly = np.zeros(len(shown), np.bool_)
        partly[self._of_column[~shown[self._columns]]] = True
        hidden = governed.start[~shown[governed.end] | partly[governed.end]]
        shown[hidden] = False  # its terms describe all that it governs, column by column
        parts, wholes = survey.job_parts
        self._add_bound(shown, restricted, _JOB, self._list_job_edges(), everything=everything, above=(parts, wholes))
        self._add_bound(shown, restricted, _CONSUMER, ownership.list_all_edges(EdgeType.CONSUMES), everything=everything)
        self._add_bound(shown, restricted, _OWNER, ownership.list_all_edges(EdgeType.OWNS), everything=everything)
        shown[list_owners(self._index, self._rights.owners)] = True

    def _list_job_edges(self) -> EdgeTable:
        """What each job writes; of a job that writes nothing, what it reads."""
        jobs, written = self._index.assets.survey().writings
        idle = self._index.ownership.list_idle_reads()
        writes = np.zeros(len(self._rep), np.bool_)
        writes[jobs] = True
        read = ~writes[idle.start]
        starts, ends = np.concatenate([jobs, idle.start[read]]), np.concatenate([written, idle.end[read]])
        return EdgeTable(starts, ends, ends)

    def _add_bound(
        self,
        shown: Flags,
        restricted: Flags,
        kind: int,
        edges: EdgeTable,
        *,
        everything: bool,
        above: tuple[Ints, Ints] | None = None,
    ) -> None:
        """Add the assets of a kind that edges lead from to a shown asset. `above`: (assets of the kind, those that contain them)."""
        nodes = np.flatnonzero(self._own & (self._kinds == kind)).astype(np.int32)
        of_kind = self._kinds[edges.start] == kind
        bound, ends = edges.start[of_kind], edges.end[of_kind]
        seen = np.zeros(len(shown), np.bool_)
        seen[bound[shown[ends]]] = True
        tied = np.zeros(len(shown), np.bool_)
        tied[bound] = True
        if above is not None:
            for marks in (seen, tied):
                while True:
                    new = above[1][marks[above[0]] & ~marks[above[1]]]
                    if not len(new):
                        break
                    marks[new] = True
        shown[nodes] = (seen[nodes] | (everything & ~tied[nodes])) & ~restricted[nodes]

    def _mark(self, shown: Flags, containers: Ints, restricted: Flags) -> None:
        containers = containers[containers != NOTHING]
        shown[containers[~restricted[containers]]] = True

    def _is_marked(self, marks: Flags, nodes: Ints) -> Flags:
        found: Flags = (nodes != NOTHING) & marks[nodes]
        return found


def _mark_hidden_now(then: LineageIndex, visible: Flags, now: LineageIndex, visible_now: Flags) -> Flags:
    """The nodes of an index of the past that a mask of today hides, under any of their names."""
    hidden = np.zeros(len(visible), np.bool_)
    every = np.arange(len(visible), dtype=np.int32)
    kinds, rep = then.lineage.get_kinds(every), then.lineage.get_representatives(every)
    for node in np.flatnonzero(visible & (rep == every) & (kinds != _COLUMN)).tolist():
        today = {found for key in then.assets.list_names(node) if (found := now.assets.find_by_key(key)) is not None}
        hidden[node] = any(not visible_now[found] for found in today)
    columns_now = np.flatnonzero(~visible_now & (now.lineage.get_kinds(np.arange(len(visible_now), dtype=np.int32)) == _COLUMN))
    datasets_now = now.lineage.get_datasets(columns_now.astype(np.int32))
    for column in columns_now[visible_now[datasets_now]].tolist():  # hidden by tags of their own
        for key in now.assets.list_names(column):
            found = then.assets.find_by_key(key)
            if found is not None:
                hidden[found] = True
    columns = np.flatnonzero(kinds == _COLUMN).astype(np.int32)
    hidden[columns] |= hidden[then.lineage.get_datasets(columns)]
    marked: Flags = hidden[rep]
    return marked
