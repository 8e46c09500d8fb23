"""An index as a viewer sees it who may not see every asset.

What is hidden does not exist for names, lists, searches and counts. Only traversals go through it, since an impact that ended there would
be too short: they name what the viewer may see, and count the rest (`Completeness.hidden`). All else that the index knows is derived
from these, so a query asks a restricted index as it asks any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NoReturn

import numpy as np

from meshline.graph.index.arrays import COLUMN, I64, NONE
from meshline.graph.index.display_names import DisplayNames, Listing
from meshline.graph.index.dump import Dump
from meshline.graph.index.flow_tables import build_flow_table, find_rows_between
from meshline.graph.index.hidden_passages import find_passages
from meshline.graph.index.index_tables import NodeSlots
from meshline.graph.index.lineage_index import AssetFacet, ChangeFacet, LineageFacet, LineageIndex, OwnershipFacet
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.lookup import AssetLookup
from meshline.graph.index.mentions import Trail
from meshline.graph.index.name_search import Shown
from meshline.graph.index.name_vectors import NameVectors
from meshline.graph.index.ownership import OwnershipCache
from meshline.graph.index.passes import NO_LIMIT, Limits, Walker
from meshline.graph.index.paths import PathSearch
from meshline.graph.index.results import (
    Affected,
    Direction,
    Edge,
    EdgeTable,
    Flags,
    FlowStep,
    FlowTable,
    HiddenCount,
    Hits,
    Ints,
    Longs,
    Ownership,
    Passage,
    Reach,
    StatedScope,
    Truncated,
    View,
    WordMatch,
)
from meshline.graph.index.rollup import Rows, join_rows, keep_strongest
from meshline.graph.index.statistics import DatasetNames, ListedColumns, NameMatcher, Size, Survey
from meshline.graph.index.traversal import Starts, Traversal, resolve_starts
from meshline.graph.index.traversal_gaps import GapFlows, GapNodes, GapPairs, TraversalGaps
from meshline.graph.index.value_flow import Spread
from meshline.graph.model import KINDS, AssetKey, AssetKind, EdgeType, Scope
from meshline.graph.store.base import Changes, Head
from meshline.graph.store.synonyms import NO_SYNONYMS, Synonyms

_LAST = "\U0010ffff"  # sorts after the names of all assets
_OF_BROWSED = frozenset({EdgeType.OWNS, EdgeType.PART_OF})  # edges that may begin at an asset of which no more than its names is visible
_TO_BROWSED = _OF_BROWSED | {EdgeType.PORT, EdgeType.READS, EdgeType.WRITES}  # and those that may end at one
_IN_DOMAINS = tuple(KINDS.index(kind) for kind in (AssetKind.DATASET, AssetKind.DATA_PRODUCT, AssetKind.DOMAIN))


def _refuse(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("only what acts for the whole mesh asks this: ask the index that is not restricted")


class RestrictedIndex(LineageIndex):
    """An index without the assets that a viewer may not see. Valid until the index that it is made of changes."""

    def __init__(self, index: LineageIndex, visible: Flags, readable: Flags | None = None, with_sql: Flags | None = None) -> None:
        """Boolean arrays by node, equal for all members of an identity class; see `meshline.graph.queries.visibility.Masks`. `readable`,
        `with_sql`: if not given, all that is visible.
        """
        self._whole = index
        self._visible = visible
        self._readable = readable = visible if readable is None else readable
        self._with_sql = readable if with_sql is None else with_sql
        for name in ("_view", "_loader", "_tables", "_ownership"):  # which both have in common
            setattr(self, name, getattr(index, name))
        whole: DisplayNames = index._shown  # noqa: SLF001 - it is of the same class
        self._shown = RestrictedNames(whole, self._loader, visible, readable)
        self._lookup = index._lookup.copy_with(self._shown)  # noqa: SLF001 - as above
        self._computed = (index.revision, {})
        self.assets = RestrictedAssets(self._loader, self._shown, self._lookup, visible, readable)
        self.ownership = RestrictedOwnership(self._loader, self._ownership, visible, readable)
        self.lineage = RestrictedLineage(self._loader, self._ownership, self._view, visible, readable)
        self.changes = RestrictedChanges(self._loader, self._shown, self._view, self._lookup, readable)

    @property
    def is_restricted(self) -> bool:
        return True

    @property
    def whole(self) -> LineageIndex:
        return self._whole

    def may_name(self, key: AssetKey) -> bool:
        """Whether it is the name of a visible asset: names that mean nothing any more may be those of hidden ones."""
        return self.assets.find_by_key(key) is not None

    def may_read(self, node: int) -> bool:
        return bool(self._readable[node])

    def is_partly_hidden(self, node: int, *, sql: bool = False) -> bool:
        """Whether a job reads or writes what the viewer may not read, or a dataset is made of it: then its texts may name that."""
        whole, readable = self._whole, self._with_sql if sql else self._readable
        if not readable[node]:
            return True
        if whole.assets.get_kind(node) not in (AssetKind.DATASET, AssetKind.JOB):
            return False
        if whole.assets.get_kind(node) is AssetKind.DATASET:
            near = whole.lineage.traverse([node, *whole.assets.list_columns(node)], Direction.UPSTREAM, depth=1).nodes
            jobs = [edge.start for edge in whole.ownership.list_edges(node, EdgeType.WRITES, incoming=True)]
            return not readable[near].all() or any(self.is_partly_hidden(job, sql=sql) for job in jobs)
        edges = (edge for type_ in (EdgeType.READS, EdgeType.WRITES) for edge in whole.ownership.list_edges(node, type_))
        datasets = [edge.end for edge in edges]
        columns = whole.lineage.collect_columns(datasets)
        return not (readable[datasets].all() and readable[columns].all())

    def prepare_ids(self) -> None:
        self._whole.prepare_ids()

    def iterate_suggestions(self, text: str, first: int) -> Iterator[tuple[int, int]]:
        return ((node, rank) for node, rank in self._whole.iterate_suggestions(text, first) if self._visible[node])

    def list_search_words(self, text: str) -> list[str]:
        return self._whole.list_search_words(text)

    def search_names(
        self,
        text: str,
        kinds: Sequence[AssetKind],
        texts: Mapping[int, Sequence[float]],
        synonyms: Synonyms = NO_SYNONYMS,
        vectors: NameVectors | None = None,
    ) -> Hits:
        search = self._whole._name_search  # noqa: SLF001 - of the same class
        hits = search.find(text, [KINDS.index(kind) for kind in kinds], texts, self._shown_names, synonyms, vectors)
        return hits.keep(self._visible[hits.nodes])

    def prepare_vectors(self, vectors: NameVectors) -> bool:
        return self._whole._name_search.prepare_vectors(vectors, self._shown_names)  # noqa: SLF001 - of the same class

    def is_near(self, text: str, node: int, vectors: NameVectors) -> bool:
        return self._whole.is_near(text, node, vectors)

    @cached_property
    def _shown_names(self) -> Shown:
        """What counts for how rare a word is: what is hidden must not change an order."""
        return self._whole._name_search.mark_shown(self._visible)  # noqa: SLF001 - of the same class

    def explain_hit(self, text: str, node: int, synonyms: Synonyms = NO_SYNONYMS) -> list[WordMatch]:
        search = self._whole._name_search  # noqa: SLF001 - of the same class
        return max((search.explain(text, own, self._visible, synonyms) for own in self._tables.list_ring(node)), key=len, default=[])

    def mark_found(self, hits: Hits) -> Flags:
        return self._whole.mark_found(hits) & self._visible[hits.nodes]

    def iterate_hits(self, hits: Hits, first: int) -> Iterator[tuple[int, int]]:
        return self._whole.iterate_hits(hits, first)

    def find_alike(self, text: str, prefixes: Iterable[str], kind: AssetKind | None = None) -> list[int]:
        return [node for node in self._whole.find_alike(text, prefixes, kind) if self._visible[node]]

    def dump(self) -> Dump:
        _refuse()


class RestrictedNames(DisplayNames):
    """The shown names of an index, of which some assets are not visible."""

    def __init__(self, whole: DisplayNames, loader: HeadLoader, visible: Flags, readable: Flags) -> None:
        self._whole = whole
        self._loader = loader
        self._tables = loader.tables
        self._visible = visible
        self._readable = readable

    def is_visible(self, node: int) -> bool:
        if node >= len(self._visible):  # of a supposed change: it is newer than this index
            return False
        return bool(self._visible[node]) and self._whole.is_visible(node)  # first what hides it: less is done for a hidden asset

    def get_key(self, node: int) -> AssetKey:
        return self._whole.get_key(node)

    def get_column_name(self, node: int) -> str:
        return self._whole.get_column_name(node)

    def list_of_kind(self, kind: AssetKind) -> Ints:
        nodes = self._whole.list_of_kind(kind)
        return nodes[self._visible[nodes]]

    def count_of_kind(self, kind: AssetKind) -> int:
        return len(self.list_of_kind(kind))

    @cached_property
    def _folded_names(self) -> dict[AssetKind, Sequence[str]]:
        return {}

    def list_folded_names(self, kind: AssetKind) -> Sequence[str]:
        known = self._folded_names
        if kind not in known:
            places = np.flatnonzero(self._visible[self._whole.list_of_kind(kind)]).tolist()
            names = self._whole.list_folded_names(kind)
            known[kind] = [names[place] for place in places]
        return known[kind]

    def list_columns(self, dataset: int) -> list[int]:
        return [column for column in self._whole.list_columns(dataset) if self._visible[column]]

    def list_columns_by_name(self, dataset: int) -> list[int]:
        return [column for column in self._whole.list_columns_by_name(dataset) if self._visible[column]]

    def is_described(self, dataset: int) -> bool:
        return bool(self._readable[dataset]) and self._whole.is_described(dataset)

    def is_inferred(self, node: int) -> bool:
        return bool(self._readable[node]) and self._whole.is_inferred(node)

    def is_unlisted(self, column: int) -> bool:
        return self._whole.is_unlisted(column)

    def find_position(self, column: int) -> int | None:
        return self._whole.find_position(column)

    def get_listings(self, dataset: int) -> list[Listing]:
        return self._whole.get_listings(dataset)

    def list_former_names(self, column: int) -> list[tuple[str, int]]:
        return self._whole.list_former_names(column)


class RestrictedAssets(AssetFacet):
    """The visible assets: names, lists and look-ups are those of `RestrictedNames`."""

    def __init__(self, loader: HeadLoader, shown: DisplayNames, lookup: AssetLookup, visible: Flags, readable: Flags) -> None:
        super().__init__(loader, shown, lookup)
        self._visible = visible
        self._readable = readable

    def build_name_matcher(self, pattern: re.Pattern[bytes], accepts: Callable[[str], bool]) -> NameMatcher:
        _refuse(pattern, accepts)

    def survey(self) -> Survey:
        return RestrictedSurvey(self._loader, self._shown, self._visible, self._readable)


class RestrictedSurvey(Survey):
    """What is known of all visible assets. Arrays that are indexed by node mean visible ones only."""

    def __init__(self, loader: HeadLoader, shown: DisplayNames, visible: Flags, readable: Flags) -> None:
        super().__init__(loader, shown)
        self._visible = visible
        self._readable = readable

    @cached_property
    def mentioned(self) -> list[tuple[str, Ints]]:
        found = ((source, datasets[self._readable[datasets]]) for source, datasets in super().mentioned)
        return [(source, datasets) for source, datasets in found if len(datasets)]

    @cached_property
    def names(self) -> DatasetNames:
        every = super().names
        return DatasetNames(*(column[self._visible[every.node]] for column in every))  # type: ignore[arg-type]  # each as it was

    @cached_property
    def writings(self) -> tuple[Ints, Ints]:
        return self._keep_pairs(super().writings)

    @cached_property
    def followed_pairs(self) -> tuple[Ints, Ints]:
        return self._keep_pairs(super().followed_pairs)

    @cached_property
    def job_parts(self) -> tuple[Ints, Ints]:
        return self._keep_pairs(super().job_parts)

    def find_tagged(self, is_wanted: Callable[[frozenset[str]], bool]) -> Ints:
        found = super().find_tagged(is_wanted)
        return found[self._visible[found]]

    def get_own_key(self, node: int) -> AssetKey:
        return super().get_own_key(node) if self._visible[node] else _refuse()

    @cached_property
    def columns(self) -> ListedColumns:
        """Names are numbered by their texts: their numbers, and so what is compared, would depend on what is hidden."""
        found = super().columns
        numbers, at = np.unique(found.name, return_inverse=True)
        texts = self.read_texts(numbers)
        ranks = np.empty(len(texts), np.int32)
        ranks[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts), dtype=np.int32)
        return found._replace(name=ranks[at])

    @cached_property
    def catalog_tables(self) -> dict[int, set[str]]:
        return {node: sources for node, sources in super().catalog_tables.items() if self._readable[node]}

    @cached_property
    def session_names(self) -> dict[tuple[str, ...], set[int]]:
        found = ((name, {node for node in nodes if self._readable[node]}) for name, nodes in super().session_names.items())
        return {name: nodes for name, nodes in found if nodes}

    @cached_property
    def different(self) -> set[frozenset[int]]:
        return {pair for pair in super().different if all(self._visible[node] for node in pair)}

    catalogued = dataset_flows = property(_refuse)  # what only sources and policies ask

    def _mark_shown(self, nodes: Ints | I64) -> Flags:
        return self._visible[nodes]

    def _keep_pairs(self, pairs: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
        kept = self._visible[pairs[0]] & self._visible[pairs[1]]
        return pairs[0][kept], pairs[1][kept]


class RestrictedOwnership(OwnershipFacet):
    """Owners, products, domains and stated edges, if both what has them and they are visible."""

    def __init__(self, loader: HeadLoader, ownership: OwnershipCache, visible: Flags, readable: Flags) -> None:
        super().__init__(loader, ownership)
        self._visible = visible
        self._readable = readable
        self._owners: dict[int, frozenset[int]] = {}
        self._owned = np.zeros(len(visible), np.int8)  # by node: 1 if it has owners, -1 if all of them are hidden, 0 if that is not known

    def list_owners(self, node: int) -> list[Ownership]:
        return [owned for owned in super().list_owners(node) if self._is_shown(owned)]

    def list_direct_owners(self, node: int) -> list[Ownership]:
        return [owned for owned in super().list_direct_owners(node) if self._is_shown(owned)]

    def collect_owner_nodes(self, node: int) -> frozenset[int]:
        found = self._owners.get(node)
        if found is None:
            found = self._owners[node] = frozenset(ownership.owner for ownership in self.list_direct_owners(node))
        return found

    def has_owners(self, nodes: Ints) -> Flags:
        owned = super().has_owners(nodes)
        for node in np.unique(nodes[owned & (self._owned[nodes] == 0)]).tolist():
            self._owned[node] = 1 if self.collect_owner_nodes(node) else -1
        return owned & (self._owned[nodes] > 0)

    def find_product(self, node: int) -> int | None:
        return self._keep_visible(super().find_product(node))

    def find_domain(self, node: int) -> int | None:
        return self._keep_visible(super().find_domain(node))

    def find_products(self, datasets: Ints) -> Ints:
        return self._hide(super().find_products(datasets))

    def find_domains(self, nodes: Ints) -> Ints:
        return self._hide(super().find_domains(nodes))

    def collect_member_patterns(self) -> Mapping[int, Mapping[int, Sequence[str]]]:
        return {node: patterns for node, patterns in super().collect_member_patterns().items() if self._visible[node]}

    def list_edges(self, node: int, type: EdgeType, *, incoming: bool = False) -> list[Edge]:  # noqa: A002 - as in the base
        found, (starts, ends) = super().list_edges(node, type, incoming=incoming), self._find_masks(type)
        return [edge for edge in found if starts[edge.start] and ends[edge.end]]

    def list_all_edges(self, type: EdgeType) -> EdgeTable:  # noqa: A002 - as in the base
        return self._keep_rows(super().list_all_edges(type), *self._find_masks(type))

    def _keep_shown(self, start: Ints, end: Ints, type: EdgeType) -> tuple[Ints, Ints]:  # noqa: A002 - as in the base
        starts, ends = self._find_masks(type)
        kept = starts[start] & ends[end]
        return start[kept], end[kept]

    def list_idle_reads(self) -> EdgeTable:
        return self._keep_rows(super().list_idle_reads(), self._visible, self._visible)

    def list_scopes_stating(self, type: EdgeType) -> dict[str, list[int]]:  # noqa: A002 - as in the base
        _refuse(type)

    def _is_shown(self, owned: Ownership) -> bool:
        return bool(self._visible[owned.owner] and self._visible[owned.level])

    def _keep_visible(self, node: int | None) -> int | None:
        return None if node is None or not self._visible[node] else node

    def _hide(self, nodes: Ints) -> Ints:
        found: Ints = np.where((nodes != NONE) & self._visible[nodes], nodes, np.int32(NONE))
        return found

    def _find_masks(self, type: EdgeType) -> tuple[Flags, Flags]:  # noqa: A002 - as in the base
        """What must be true of the start and of the end of an edge that the viewer sees."""
        ends = self._visible if type in _TO_BROWSED else self._readable
        return self._visible if type in _OF_BROWSED else self._readable, ends

    def _keep_rows(self, edges: EdgeTable, starts: Flags, ends: Flags) -> EdgeTable:
        kept = starts[edges.start] & ends[edges.end]
        return EdgeTable(*(column[kept] for column in edges))


class RestrictedLineage(LineageFacet):
    """Traversals over all flows, which name visible assets; other answers have only the flows between visible assets."""

    def __init__(self, loader: HeadLoader, ownership: OwnershipCache, view: View, visible: Flags, readable: Flags) -> None:
        super().__init__(loader, ownership, view)
        self._visible = visible
        self._readable = readable

    def traverse(
        self,
        starts: Sequence[int],
        direction: Direction,
        *,
        reach: Reach = Reach.POSSIBLE,
        depth: int | None = None,
        max_nodes: int = 1_000_000,
        deadline: float | None = None,
        seen_since: int | None = None,
        promises: bool = True,
    ) -> Traversal:
        """As of the whole index, from those of the starts that are visible. `max_nodes` counts visible assets: those that are hidden
        must not take up the places of others.
        """
        limits = Limits(reach, depth, max_nodes, deadline, seen_since)
        begin = resolve_starts(self._loader, self._ownership, starts, direction, promises=promises)
        begin = begin._replace(nodes=begin.nodes[self._visible[begin.nodes]])
        return RestrictedTraversal(
            self._loader, self._ownership, self._slots, self._walker, begin, direction, limits, self._view, self._visible, self._readable
        )

    def find_paths(
        self, start: int, end: int, *, reach: Reach = Reach.POSSIBLE, first: int = 5, depth: int | None = None
    ) -> list[list[FlowStep]]:
        """Paths that differ only in what is hidden are one."""
        search = PathSearch(self._tables, self._walker, start, end, depth, _Labels(self._loader, self._visible).get_label)
        paths = (join_hidden_steps(self._loader, path, self._visible) for path in search.find_best(reach, first))
        return [list(path) for path in dict.fromkeys(tuple(path) for path in paths)]

    def list_flows_from(self, datasets: Sequence[int]) -> FlowTable:
        return keep_visible_flows(super().list_flows_from(datasets), self._visible)

    def list_flows_near(self, nodes: Ints, direction: Direction, *, whole: bool = False) -> FlowTable:
        flows = super().list_flows_near(nodes, direction)
        return keep_visible_flows(move_flows(self._loader, flows, self._visible) if whole else flows, self._visible)

    def list_implied_columns(self, datasets: Ints) -> tuple[Ints, Ints]:
        of, columns = super().list_implied_columns(datasets)
        kept = self._visible[columns]
        return of[kept], columns[kept]

    def collect_columns(self, datasets: Iterable[int]) -> Ints:
        found = super().collect_columns(datasets)
        return found[self._visible[found]]

    def collect_members(self, nodes: Ints) -> Ints:
        found = super().collect_members(nodes)
        return found[self._visible[found]]

    def collect_origins(self, datasets: Iterable[int]) -> Ints:
        _refuse(datasets)

    def build_spread(self, sources: Ints, *, possible: bool) -> Spread:
        _refuse(sources, possible)

    def collect_onward(self, columns: Ints) -> Ints:
        _refuse(columns)

    def find_trace(self, labels: Ints, column: int) -> list[FlowStep]:
        _refuse(labels, column)

    def find_copies(self, datasets: Ints | None, least: int, most: int) -> tuple[Ints, Ints]:
        _refuse(datasets, least, most)


class RestrictedTraversal(Traversal):
    """A traversal over all assets, of which the answer has the visible ones."""

    def __init__(
        self,
        loader: HeadLoader,
        ownership: OwnershipCache,
        slots: NodeSlots,
        walker: Walker,
        begin: Starts,
        direction: Direction,
        limits: Limits,
        view: View,
        visible: Flags,
        readable: Flags,
    ) -> None:
        super().__init__(loader, ownership, slots, walker, begin, direction, limits._replace(max_nodes=NO_LIMIT), view)
        self._visible = visible
        self._readable = readable
        self._get_label = _Labels(loader, visible).get_label
        self._every = Rows(self.nodes, self.reach, self.distance, self.masked)
        shown = self._every.filter(visible[self.nodes])
        counts = self.completeness
        if len(shown.nodes) > limits.max_nodes:
            shown = shown.filter(walker.select_first(shown.nodes, shown.reach, shown.distance, limits.max_nodes))
            counts = counts._replace(truncated=Truncated.NODES)
        self.nodes, self.reach, self.distance, self.masked = shown
        self.silent_jobs = self.silent_jobs[visible[self.silent_jobs]]
        self.unbound = tuple(node for node in self.unbound if visible[node])
        self.completeness = counts

    def find_path(self, node: int) -> list[FlowStep]:
        return join_hidden_steps(self._loader, super().find_path(node), self._visible)

    def list_flows(self) -> list[FlowStep]:
        return [step if step.job is None or self._visible[step.job] else step._replace(job=None) for step in super().list_flows()]

    def build_flow_table(self) -> FlowTable:
        return keep_visible_flows(super().build_flow_table(), self._visible)

    def list_whole(self) -> Affected:
        lifted = self._every.replace_nodes(move_columns(self._loader, self._every.nodes, self._visible))
        lifted = lifted.filter((lifted.nodes != self._every.nodes) & ~np.isin(lifted.nodes, self.starts))
        shown = Rows(self.nodes, self.reach, self.distance, self.masked)
        return Affected(*keep_strongest(join_rows(shown, lifted), self._slots))

    def build_whole_flow_table(self) -> FlowTable:
        return keep_visible_flows(move_flows(self._loader, self._every_flow, self._visible), self._visible)

    def list_passages(self, locate: Callable[[Ints], Longs], *, whole: bool) -> list[Passage]:
        """Of those through a dataset as a whole and through its columns, the dataset counts once if `whole`."""
        flows, nodes = self._every_flow, self._tables.nodes
        flows = move_flows(self._loader, flows, self._visible) if whole else flows
        ends = (flows.start, flows.end)
        hidden = [~self._visible[column] for column in ends]
        if not (hidden[0] | hidden[1]).any():
            return []
        places = []
        for column, is_hidden in zip(ends, hidden, strict=True):
            known = np.full(len(column), -1, np.int64)
            known[~is_hidden] = locate(column[~is_hidden])
            of = column[is_hidden]
            known[is_hidden] = -2 - np.where(whole & (nodes.kind[of] == COLUMN), nodes.rep[nodes.part1[of]], of).astype(np.int64)
            places.append(known)
        return find_passages(places[0], places[1], flows.reach, self._limits.deadline)

    @cached_property
    def _every_flow(self) -> FlowTable:
        """The flows between the starts and all that was reached, hidden or not."""
        reached = self._every.nodes
        rows = find_rows_between(self._tables, self.starts, reached, self.direction, int(self._limits.reach), self._wanted)
        return build_flow_table(self._tables, rows)

    def find_gaps(self, deadline: float | None = None) -> TraversalGaps:
        """Those between visible assets: fewer than `completeness` counts if others are hidden."""
        found, visible, flows = super().find_gaps(deadline), self._visible, self._tables.flows
        pairs = visible[found.pairs.start] & visible[found.pairs.end]
        undescribed = self._readable[found.undescribed.nodes]
        return TraversalGaps(
            GapPairs(*(column[pairs] for column in found.pairs)),
            GapNodes(*(column[undescribed] for column in found.undescribed)),
            *(
                GapFlows(*(column[visible[flows.start[gap.rows]] & visible[flows.end[gap.rows]]] for column in gap))  # type: ignore[arg-type]
                for gap in (found.stale, found.provisional)
            ),
        )

    def compute_affected(self) -> Affected:
        found = self._affected
        kept = self._visible[found.nodes]
        return Affected(*(column[kept] for column in found))  # type: ignore[arg-type]  # each as it was

    def count_hidden(self, *, affected: bool) -> tuple[HiddenCount, ...]:
        return self._count_hidden(self._affected.nodes if affected else self._every.nodes)

    @cached_property
    def _affected(self) -> Affected:
        return self._roll_up(self._every)

    def _count_hidden(self, nodes: Ints) -> tuple[HiddenCount, ...]:
        """The hidden ones of these assets, by domain: the most first, those of no visible domain last."""
        hidden = nodes[~self._visible[nodes]]
        kinds, rep = self._tables.nodes.kind, self._tables.nodes.rep
        of = hidden.copy()
        columns = kinds[hidden] == COLUMN
        of[columns] = rep[self._tables.nodes.part1[hidden[columns]]]
        domains = np.full(len(of), NONE, np.int32)
        inside = np.isin(kinds[of], _IN_DOMAINS)
        domains[inside] = self._ownership.find_domains(of[inside])
        domains[(domains != NONE) & ~self._visible[domains]] = NONE
        counts = np.bincount(domains - NONE)
        rows = [(place + NONE, int(counts[place])) for place in np.flatnonzero(counts).tolist()]
        rows.sort(key=lambda row: (row[0] == NONE, -row[1], self._tables.get_label(row[0]) if row[0] != NONE else ()))
        return tuple(HiddenCount(None if domain == NONE else domain, count) for domain, count in rows)


class RestrictedChanges(ChangeFacet):
    """What sources state of assets that the caller may read. What follows the store, or is for sources, asks the whole index."""

    def __init__(self, loader: HeadLoader, shown: DisplayNames, view: View, lookup: AssetLookup, readable: Flags) -> None:
        super().__init__(loader, shown, view, lookup)
        self._readable = readable

    def list_scopes(self, node: int) -> list[int]:
        return super().list_scopes(node) if self._readable[node] else []

    def compute_last_observed(self) -> I64:
        found: I64 = np.where(self._readable, super().compute_last_observed(), 0)
        return found

    def compute_first_stated(self) -> I64:
        found: I64 = np.where(self._readable, super().compute_first_stated(), 0)
        return found

    def apply(self, changes: Changes) -> None:
        _refuse(changes)

    def suppose(self, heads: Iterable[Head]) -> None:
        _refuse(heads)

    def open_trail(self) -> Trail:
        _refuse()

    def list_scopes_between(self, pairs: Iterable[tuple[AssetKey, AssetKey]], without: Collection[int]) -> list[int]:
        _refuse(pairs, without)

    def list_statements(self, source: str) -> dict[Scope, StatedScope]:
        _refuse(source)

    def find_newest_time(self, kind: str) -> int:
        _refuse(kind)

    def list_names_stated(self, namespaces: Collection[str], but: str) -> dict[str, dict[str, int]]:
        _refuse(namespaces, but)

    def find_first_mentions(self, keys: Collection[AssetKey], but: str) -> dict[AssetKey, int]:
        _refuse(keys, but)

    def measure_size(self) -> Size:
        _refuse()


class _Labels:
    """What decides between equally good paths: names, but of hidden assets only their order in the index."""

    def __init__(self, loader: HeadLoader, visible: Flags) -> None:
        self._tables = loader.tables
        self._visible = visible

    def get_label(self, node: int) -> tuple[str, ...]:
        return self._tables.get_label(node) if self._visible[node] else (_LAST, f"{node:010}")


def move_columns(loader: HeadLoader, nodes: Ints, visible: Flags) -> Ints:
    """These, with visible datasets in the place of their hidden columns."""
    tables = loader.tables.nodes
    lifted, found = np.flatnonzero((tables.kind[nodes] == COLUMN) & ~visible[nodes]), nodes.copy()
    of = tables.rep[tables.part1[nodes[lifted]]]
    found[lifted[visible[of]]] = of[visible[of]]
    return found


def move_flows(loader: HeadLoader, flows: FlowTable, visible: Flags) -> FlowTable:
    """These flows, with visible datasets in the place of their hidden columns."""
    return flows._replace(start=move_columns(loader, flows.start, visible), end=move_columns(loader, flows.end, visible))


def keep_visible_flows(flows: FlowTable, visible: Flags) -> FlowTable:
    """The flows between visible assets. A job that is hidden is not named."""
    kept = flows.filter(visible[flows.start] & visible[flows.end])
    jobs: Ints = np.where((kept.job != NONE) & visible[kept.job], kept.job, np.int32(NONE))
    return kept._replace(job=jobs)


def join_hidden_steps(loader: HeadLoader, steps: Sequence[FlowStep], visible: Flags) -> list[FlowStep]:
    """A path between visible assets on which each part that leads through hidden ones is one step."""
    found: list[FlowStep] = []
    part: list[FlowStep] = []
    for step in steps:
        if part or not (visible[step.start] and visible[step.end]):
            part.append(step)
            if visible[step.end]:
                found.append(_join_steps(loader, part, found[-1].end if found else None, visible))
                part = []
        else:
            found.append(step if step.job is None or visible[step.job] else step._replace(job=None))
    if part:  # it ends in a hidden column of a visible dataset
        found.append(_join_steps(loader, part, found[-1].end if found else None, visible))
    return found


def _join_steps(loader: HeadLoader, part: Sequence[FlowStep], before: int | None, visible: Flags) -> FlowStep:
    """One step for several. `before`: the visible asset where the path was."""
    nodes = loader.tables.nodes
    hidden = {node for step in part for node in (step.start, step.end) if not visible[node]}

    def find_shown(node: int) -> int:
        return node if visible[node] or nodes.kind[node] != COLUMN else int(nodes.rep[nodes.part1[node]])

    start = part[0].start if visible[part[0].start] else before if before is not None else find_shown(part[0].start)
    return FlowStep(
        start,
        find_shown(part[-1].end),
        max(step.reach for step in part),
        None,
        "",
        any(step.masking for step in part),
        None,
        NONE,
        len(hidden),
    )
