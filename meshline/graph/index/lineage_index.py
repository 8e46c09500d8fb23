"""The lineage index: the visible graph, now or as of one time, in four facets; the tables behind them are reached in this package only."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from meshline.graph.index.arrays import COLUMN, DATASET, I64, N_NODES, N_RELATIONS, NONE
from meshline.graph.index.asset_names import AssetNames
from meshline.graph.index.display_names import DisplayNames
from meshline.graph.index.dump import Dump, dump_graph
from meshline.graph.index.flow_tables import collect_origins, list_flows_near, list_implied_columns, list_leaving_flows
from meshline.graph.index.heads import FLOWS, RELATIONS
from meshline.graph.index.index_state import collect_parts, list_arrays, restore_parts
from meshline.graph.index.index_tables import NodeSlots
from meshline.graph.index.loader import INTERPRETED_BYTES, HeadLoader
from meshline.graph.index.lookup import AssetLookup
from meshline.graph.index.mentions import (
    MOST_NODES,
    Trail,
    compute_first_stated,
    compute_last_observed,
    find_first_mentions,
    has_other_flows,
    list_fact_names,
    list_names_stated,
    list_scopes,
    list_scopes_between,
)
from meshline.graph.index.name_search import NameSearch
from meshline.graph.index.name_vectors import NameVectors
from meshline.graph.index.ownership import OwnershipCache
from meshline.graph.index.passes import Limits, Walker
from meshline.graph.index.paths import PathSearch
from meshline.graph.index.results import (
    Affected,
    Bytes,
    Digests,
    Direction,
    Edge,
    EdgeTable,
    Flags,
    FlowStep,
    FlowTable,
    HeadTimes,
    Hits,
    Ints,
    KnownLater,
    Label,
    Longs,
    Ownership,
    Prepared,
    RankedRows,
    Reach,
    ScopeInfo,
    StatedScope,
    View,
    WordMatch,
)
from meshline.graph.index.rollup import Rows, keep_strongest
from meshline.graph.index.snapshot_file import Array, Part, add_prefix, count_private_bytes, select_arrays
from meshline.graph.index.statistics import NameMatcher, Size, Survey, list_tags, measure_size
from meshline.graph.index.suggestions import Suggestions
from meshline.graph.index.title_pairs import TitledNodes, TitlePairs
from meshline.graph.index.traversal import Traversal, resolve_starts
from meshline.graph.index.value_flow import Spread, collect_onward, find_copies, list_datasets, trace_values
from meshline.graph.model import EDGE_TYPES, KINDS, AssetKey, AssetKind, EdgeType, Json, Precedence, Scope, parse_source_kind
from meshline.graph.store.base import Changes, Head
from meshline.graph.store.synonyms import NO_SYNONYMS, Synonyms

_KNOWN_LATER = (EdgeType.OWNS, EdgeType.CONSUMES, EdgeType.GOVERNS, EdgeType.PORT)  # see `KnownLater`

T = TypeVar("T")
AnyNodes = TypeVar("AnyNodes", Ints, Longs)


class AssetFacet:
    """What a single asset is: which one an id or a name means, how it is shown, its kind, names, columns and tags."""

    def __init__(self, loader: HeadLoader, shown: DisplayNames, lookup: AssetLookup) -> None:
        self._loader = loader
        self._tables = loader.tables
        self._shown = shown
        self._lookup = lookup
        self._labels: dict[int, Label] = {}
        self._labels_version = 0

    def find(self, asset_id: str) -> int | None:
        """The visible asset of which a member has this id; None if there is none."""
        node = self._lookup.find_by_id(asset_id)
        return None if node == NONE else node

    def find_by_key(self, key: AssetKey) -> int | None:
        """The visible asset of which a member has this key; None if there is none."""
        node = self._lookup.find_by_key(key)
        return None if node == NONE else node

    def find_ending(self, kind: AssetKind, text: str) -> list[int]:
        """All visible assets of a kind with a qualified name that ends with a text in any case; and a few others."""
        return self._lookup.find_ending(KINDS.index(kind), text)

    def get_key(self, node: int) -> AssetKey:
        """The shown name: of a dataset the output port's, else the catalog's, else the TABLE symlink's, else the
        physical one; of a column the catalog's spelling, else the newest schema's.
        """
        return self._shown.get_key(node)

    def get_column_name(self, column: int) -> str:
        """The last part of the shown name of a column."""
        return self._shown.get_column_name(column)

    def get_label(self, node: int) -> Label:
        """The id and the shown name of an asset, cached: not for datasets and columns."""
        if self._labels_version != self._loader.owners.version:  # names of owners may have changed
            self._labels_version = self._loader.owners.version
            self._labels.clear()
        label = self._labels.get(node)
        if label is None:
            key = self._shown.get_key(node)
            label = self._labels[node] = Label(key.id, key.qualified_name)
        return label

    def get_kind(self, node: int) -> AssetKind:
        """The kind of an asset."""
        kind: AssetKind = KINDS[self._tables.nodes.kind[node]]
        return kind

    def get_representative(self, node: int) -> int:
        """The node that represents the identity class of this node."""
        return int(self._tables.nodes.rep[node])

    def list_names(self, node: int, *, former: bool = False) -> list[AssetKey]:
        """The names that mean the asset, sorted. `former`: also those that it had until a rename, which may mean another asset now."""
        return [self._tables.get_key(member) for member in self._shown.list_members(node) if former or not self._shown.is_former(member)]

    def is_visible(self, node: int) -> bool:
        """Whether a head mentions it."""
        return self._shown.is_visible(node)

    def list_of_kind(self, kind: AssetKind) -> Sequence[int]:
        """The visible assets of a kind, sorted by shown qualified name, without inferred datasets and their
        columns, and without unlisted columns.
        """
        found: list[int] = self._shown.list_of_kind(kind).tolist()
        return found

    def list_columns(self, dataset: int, *, by_name: bool = False) -> list[int]:
        """The columns of a dataset by position, then name, or by name as in `list_of_kind`: with inferred ones, without unlisted ones."""
        return self._shown.list_columns_by_name(dataset) if by_name else self._shown.list_columns(dataset)

    def get_dataset(self, column: int) -> int:
        """The dataset of a column."""
        return int(self._tables.nodes.rep[self._tables.nodes.part1[column]])

    def is_inferred(self, node: int) -> bool:
        """Whether only flows mention a dataset; whether no visible head lists a column."""
        return self._shown.is_inferred(node)

    def is_unlisted(self, column: int) -> bool:
        """Whether a catalog lists the columns of its dataset without this one."""
        return self._shown.is_unlisted(column)

    def is_described(self, dataset: int) -> bool:
        """Whether a visible head lists its columns."""
        return self._shown.is_described(dataset)

    def find_position(self, column: int) -> int | None:
        """The position of a column from 1 on, by the strongest listing; None if no listing has one."""
        return self._shown.find_position(column)

    def list_tags(self, node: int) -> frozenset[str]:
        """The tags that any source gives an asset, each as `key` or `key=value`."""
        return list_tags(self._loader, node)

    def build_name_matcher(self, pattern: re.Pattern[bytes], accepts: Callable[[str], bool]) -> NameMatcher:
        """The columns whose names match, for a caller that asks again as the index changes."""
        return NameMatcher(self._tables, pattern, accepts)

    def survey(self) -> Survey:
        """What is known of the whole graph, as arrays."""
        return Survey(self._loader, self._shown)


class OwnershipFacet:
    """Owners, products and domains of assets, and the stated edges (ports, contracts, consumers, jobs) from which these follow."""

    def __init__(self, loader: HeadLoader, ownership: OwnershipCache) -> None:
        self._loader = loader
        self._tables = loader.tables
        self._ownership = ownership

    def list_owners(self, node: int) -> list[Ownership]:
        """The owners at the nearest level that has any: the asset, its dataset, data product, domain, the parents of that.

        At each level these are the stated owners, else the owners of the contracts in force that govern it.
        """
        return self._ownership.list_owners(node)

    def list_direct_owners(self, node: int) -> list[Ownership]:
        """The owners stated of this very asset, by the strongest source that names any; else those of its contracts in force."""
        return self._ownership.list_direct_owners(node)

    def collect_owner_nodes(self, node: int) -> frozenset[int]:
        """The nodes of the owners in `list_direct_owners`, for a representative."""
        return self._ownership.collect_owner_nodes(node)

    def has_owners(self, nodes: Ints) -> Flags:
        """Boolean array: which of these representatives have owners of their own (`list_direct_owners`), not inherited ones."""
        return self._ownership.get_owned()[nodes]

    def find_product(self, node: int) -> int | None:
        """The data product of a dataset or column: by output port, else by the patterns of its members."""
        return self._ownership.find_product(node)

    def find_domain(self, node: int) -> int | None:
        """The domain of a dataset, column or product; of a domain its parent."""
        return self._ownership.find_domain(node)

    def find_products(self, datasets: Ints) -> Ints:
        """The products of these representatives of datasets: int32, -1 where there is none."""
        return self._ownership.find_products(datasets)

    def find_domains(self, nodes: Ints) -> Ints:
        """The domains of these representatives of datasets, products and domains: int32, -1 where there is none."""
        return self._ownership.find_domains(nodes)

    def collect_member_patterns(self) -> Mapping[int, Mapping[int, Sequence[str]]]:
        """By product or domain and by id of the scope that states them: the patterns of the names of its members."""
        return self._loader.patterns

    def list_edges(self, node: int, type: EdgeType, *, incoming: bool = False) -> list[Edge]:  # noqa: A002 - OpenLineage and GraphQL call it type
        """The edges of a type other than FLOWS_TO that begin (or end) at any member, one for each scope that states it."""
        tables = self._tables
        code = EDGE_TYPES.index(type)
        rows = [row for member in tables.list_ring(node) for row in tables.list_relation_rows(member, code, incoming=incoming)]
        found = [
            Edge(
                type,
                int(tables.nodes.rep[tables.relations.start[row]]),
                int(tables.nodes.rep[tables.relations.end[row]]),
                self._loader.get_relation_attributes(row),
                int(tables.heads.scope_id[head]),
            )
            for row, head in zip(rows, tables.find_heads(rows, RELATIONS), strict=True)
        ]
        return sorted(found, key=lambda edge: (tables.get_label(edge.start), tables.get_label(edge.end), edge.scope_id))

    def list_all_edges(self, type: EdgeType) -> EdgeTable:  # noqa: A002 - as in `list_edges`
        """All edges of a type as columns: PORT, OWNS, CONSUMES, GOVERNS or MAY_READ."""
        return self._ownership.build_edge_table(EDGE_TYPES.index(type))

    def list_statements(self, type: EdgeType) -> Ints:  # noqa: A002 - as in `list_edges`
        """For each row of `list_all_edges`: the number of the statement that has it (int32)."""
        return self._ownership.list_heads(EDGE_TYPES.index(type))

    def list_idle_reads(self) -> EdgeTable:
        """The datasets that jobs without a stated output read, as columns: a job starts an edge, and a dataset ends it."""
        return self._ownership.build_idle_read_table()

    def list_linked(self, type: EdgeType) -> tuple[Ints, Ints]:  # noqa: A002 - as in `list_edges`
        """The representatives that edges of a type other than FLOWS_TO connect: (where each begins, where it ends). Looks at all edges."""
        tables = self._tables
        relations, n = tables.relations, int(tables.counts[N_RELATIONS])
        rows = np.flatnonzero(relations.type[:n] == EDGE_TYPES.index(type))
        return self._keep_shown(tables.nodes.rep[relations.start[rows]], tables.nodes.rep[relations.end[rows]], type)

    def mark_linked(self, type: EdgeType, *, incoming: bool = False) -> Flags:  # noqa: A002 - as in `list_edges`
        """Boolean array by node: the representatives at which edges of a type other than FLOWS_TO begin (or end). Looks at all edges."""
        start, end = self.list_linked(type)
        marked = np.zeros(int(self._tables.counts[N_NODES]), np.bool_)
        marked[end if incoming else start] = True
        return marked

    def _keep_shown(self, start: Ints, end: Ints, type: EdgeType) -> tuple[Ints, Ints]:  # noqa: A002 - as in `list_edges`
        """Those of these edges of a type that the viewer sees."""
        del type  # nothing is hidden here
        return start, end

    def get_attributes(self, number: int) -> Mapping[str, Json]:
        """The attributes of an edge by their number in `list_all_edges`."""
        return self._loader.get_attributes(number)

    def list_all_scopes_stating(self) -> dict[EdgeType, dict[str, list[int]]]:
        """By type of relation (OWNS, CONSUMES, GOVERNS, PORT) and kind of source: the ids of the scopes that state such edges, as in
        `list_all_edges`, except owners of jobs.
        """
        return {type_: self._ownership.list_scopes_stating(EDGE_TYPES.index(type_)) for type_ in _KNOWN_LATER}

    def list_kinds_stating(self, scope_ids: Iterable[int]) -> dict[EdgeType, set[str]]:
        """The same for some scopes, without their ids."""
        tables = self._tables
        heads = tables.heads.find_all_current(np.array([*scope_ids], np.int64))
        rows = tables.list_rows(heads[heads != NONE], RELATIONS)
        codes = [EDGE_TYPES.index(type_) for type_ in _KNOWN_LATER]
        rows = rows[np.isin(tables.relations.type[rows], codes)]
        rows = rows[tables.nodes.kind[tables.relations.end[rows]] != KINDS.index(AssetKind.JOB)]
        found: dict[EdgeType, set[str]] = {}
        for row, head in zip(rows.tolist(), tables.find_heads(rows, RELATIONS), strict=True):
            found.setdefault(EDGE_TYPES[tables.relations.type[row]], set()).add(parse_source_kind(tables.heads.get_source(head)))
        return found


class ChangeFacet:
    """What sources state now, in which scopes and since when, and what changed; by it the index follows the store."""

    def __init__(self, loader: HeadLoader, shown: DisplayNames, view: View, lookup: AssetLookup) -> None:
        self._lookup = lookup
        self._loader = loader
        self._tables = loader.tables
        self._shown = shown
        self._view = view

    def apply(self, changes: Changes) -> None:
        """Follow the store: replace these heads. Changes that are not newer than the revision of the index are ignored.

        Raises LimitExceeded, and changes nothing, if they may state more than the index can number.
        """
        if changes.revision > self._view.revision:
            self._loader.apply(changes.heads)
            self._loader.applied += len(changes.heads)
            self._view.revision = changes.revision

    def suppose(self, heads: Iterable[Head]) -> None:
        """Replace heads temporarily, at the same revision. The caller restores the former heads (`meshline.graph.what_if`)."""
        self._loader.apply([*heads])

    def open_trail(self) -> Trail:
        """What changes from now on, for a caller that caches findings about the graph."""
        return Trail(self._tables)

    def get_scope(self, scope_id: int) -> ScopeInfo:
        """Raises KeyError for a scope without a head."""
        head = self._tables.heads.find_current(scope_id)
        if head == NONE:
            raise KeyError(scope_id)
        return self._tables.heads.get_info(head)

    def list_scopes_between(self, pairs: Iterable[tuple[AssetKey, AssetKey]], without: Collection[int]) -> list[int]:
        """The scopes, but for these, that state flows from the first to the second dataset of a pair or its columns; and a few others."""
        tables = self._tables
        known: dict[AssetKey, set[int]] = {}
        codes: set[int] = set()
        if not has_other_flows(tables, without):
            return []
        for pair in pairs:
            for key in pair:
                if key not in known:
                    found = (tables.find_by_key(key), self._lookup.find_by_key(key))
                    known[key] = {int(tables.nodes.rep[node]) for node in found if node != NONE}
            codes.update(start * MOST_NODES + end for start in known[pair[0]] for end in known[pair[1]])
        return list_scopes_between(tables, codes, without)

    def list_scopes(self, node: int, *, shown: bool = False) -> list[int]:
        """The ids of the scopes whose heads mention any member, ascending.

        `shown`: only those of which the viewer sees what they state: a fact, or what relates it to another asset that he sees.
        """
        del shown  # nothing is hidden here
        return list_scopes(self._tables, node)

    def compute_last_observed(self) -> I64:
        """int64 array by representative: when a current statement that mentions the asset was last made (microseconds); 0: none does."""
        return compute_last_observed(self._tables)

    def compute_first_stated(self) -> I64:
        """int64 array by representative: since when (microseconds) a current statement mentions the asset; 2**63 - 1: none does."""
        return compute_first_stated(self._tables)

    def list_fact_names(self, node: int) -> dict[int, set[AssetKey]]:
        """By id of each scope whose head states attributes of a member: the names under which it means this asset.

        A name may mean another asset in a head of another time, so facts are to be read under these names.
        """
        return list_fact_names(self._tables, node)

    def list_statements(self, source: str) -> dict[Scope, StatedScope]:
        """What a source states now, by scope: with it a load writes only what differs."""
        return self._tables.heads.list_statements(source)

    def find_newest_time(self, kind: str) -> int:
        """The time of the newest visible statement of the sources of a kind (`person`), in microseconds; 0 if there is none."""
        return self._tables.heads.find_newest_time(kind)

    def find_unused_scope_id(self) -> int:
        """A number that is not the id of a scope with a head."""
        return self._tables.heads.find_unused_scope_id()

    def list_scopes_of(self, kinds: Collection[str]) -> list[Scope]:
        """The scopes of these kinds (the first part of a scope) about which a source states something now."""
        return self._tables.heads.list_scopes(kinds)

    def list_names_stated(self, namespaces: Collection[str], but: str) -> dict[str, dict[str, int]]:
        """By namespace the names of datasets that sources other than `but` mention now, each with its own node."""
        return list_names_stated(self._tables, namespaces, but)

    def find_first_mentions(self, keys: Collection[AssetKey], but: str) -> dict[AssetKey, int]:
        """Since when, at the latest, sources other than `but` mention these datasets: the earliest `valid_from` (microseconds) of a
        current statement on each. Datasets that no other source mentions are left out.
        """
        return find_first_mentions(self._tables, keys, but)

    def list_former_names(self, column: int) -> list[tuple[str, int]]:
        """The earlier names of a column according to catalogs, each with the time (microseconds) until which it had it; oldest first."""
        return self._shown.list_former_names(column)

    def count_bytes(self) -> int:
        """The memory of the tables in bytes, without Python objects."""
        return self._tables.bytes

    def count_nodes(self) -> int:
        """How many nodes there are, whether any head mentions them or not: the length of arrays that are indexed by node."""
        return int(self._tables.counts[N_NODES])

    def count_unused(self) -> int:
        """How many nodes no head mentions any more. Looks at each."""
        return self._tables.unused

    def measure_size(self) -> Size:
        """How many assets and flows there are. Looks at every node and flow: some milliseconds per million."""
        return measure_size(self._tables)


class LineageFacet:
    """Where data comes from and where it goes: traversals, paths, flows, the spread of values; and what arrays of nodes mean."""

    def __init__(self, loader: HeadLoader, ownership: OwnershipCache, view: View) -> None:
        self._loader = loader
        self._tables = loader.tables
        self._ownership = ownership
        self._view = view
        self._slots = NodeSlots(loader.tables)
        self._walker = Walker(loader.tables)

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
        """Everything that the starts reach.

        Starts may be columns, datasets (as a whole), products and domains (their datasets), jobs (what they write; upstream what they
        read), contracts (what they govern, unless `promises` is off), owners (what they own) and, upstream, consumers (what they consume).
        `reach`: the weakest class to follow. `depth`: in FLOWS_TO edges. `deadline`: as `time.monotonic()`, in seconds.
        `seen_since`: follow only flows that were observed at or after this time (microseconds).
        """
        limits = Limits(reach, depth, max_nodes, deadline, seen_since)
        begin = resolve_starts(self._loader, self._ownership, starts, direction, promises=promises)
        return Traversal(self._loader, self._ownership, self._slots, self._walker, begin, direction, limits, self._view)

    def find_paths(
        self, start: int, end: int, *, reach: Reach = Reach.POSSIBLE, first: int = 5, depth: int | None = None
    ) -> list[list[FlowStep]]:
        """Up to `first` simple paths from `start` down to `end`: the strongest class first, then the shortest."""
        return PathSearch(self._tables, self._walker, start, end, depth).find_best(reach, first)

    def list_flows_from(self, datasets: Sequence[int]) -> FlowTable:
        """The flows that begin at these datasets or at their columns, with pairs of datasets whose columns are known."""
        return list_leaving_flows(self._tables, self._tables.nodes.rep[np.array(sorted(set(datasets)), np.int32)])

    def list_flows_near(self, nodes: Ints, direction: Direction, *, whole: bool = False) -> FlowTable:
        """The flows one hop from these columns and datasets (representatives), whatever their reach: of a column also those of its
        dataset as a whole, and of a dataset those of its columns. `whole`: as in `Traversal.build_whole_flow_table`.
        """
        del whole  # nothing is hidden here
        return list_flows_near(self._tables, nodes, direction)

    def mark_seen(self, numbers: Longs, since: int) -> Flags:
        """Whether these flows of a `FlowTable`, by their numbers, were observed at or after a time (microseconds)."""
        heads = self._tables.heads
        seen: Flags = heads.last_observed[heads.find_of_rows(numbers, FLOWS)] >= since
        return seen

    def list_implied_columns(self, datasets: Ints) -> tuple[Ints, Ints]:
        """(datasets, columns): the columns that are reached with each of these datasets (representatives) as a whole, by dataset."""
        return list_implied_columns(self._tables, datasets)

    def collect_origins(self, datasets: Iterable[int]) -> Ints:
        """The datasets (representatives, int32, sorted) from columns of which data flows into columns of these datasets."""
        return collect_origins(self._tables, datasets)

    def find_flow_scopes(self, numbers: Longs) -> Longs:
        """The ids of the scopes whose heads state these flows of a `FlowTable`, by their numbers: int64, of equal length."""
        scopes: Longs = self._tables.heads.scope_id[self._tables.heads.find_of_rows(numbers, FLOWS)]
        return scopes

    def get_text(self, number: int) -> str:
        """A text by its number in a `FlowTable`."""
        return self._tables.get_text(number)

    def build_spread(self, sources: Ints, *, possible: bool) -> Spread:
        """Everything that values of these columns (representatives) reach unmasked. `possible`: also over flows without known columns."""
        return Spread(self._tables, sources, possible=possible)

    def collect_onward(self, columns: Ints) -> Ints:
        """These columns (representatives), and all that values of them may reach: int32, sorted."""
        return collect_onward(self._tables, columns)

    def find_trace(self, labels: Ints, column: int) -> list[FlowStep]:
        """A shortest path of values to a column that a `Spread` with these labels reached."""
        return trace_values(self._tables, labels, column)

    def find_copies(self, datasets: Ints | None, least: int, most: int) -> tuple[Ints, Ints]:
        """(datasets that are copied whole, their copies), as int32 arrays of equal length.

        Of these datasets (None: of all) those with at least `least` columns; at most `most` pairs.
        """
        return find_copies(self._tables, list_datasets(self._tables) if datasets is None else datasets, least, most)

    def roll_up(self, nodes: Ints, reach: Bytes, distance: Ints, masked: Flags) -> Affected:
        """Each of these nodes once: its strongest reach, the shortest distance with that reach, masked if all rows with it are."""
        return Affected(*keep_strongest(Rows(nodes, reach, distance, masked), self._slots))

    def number_distinct(self, nodes: Ints) -> tuple[Ints, Ints]:
        """(the distinct nodes in the order of their first occurrence, for each node its place among these), both int32."""
        return self._slots.number_distinct(nodes)

    def get_kinds(self, nodes: Ints) -> Bytes:
        """The kinds of nodes: int8, positions in `meshline.graph.model.KINDS`."""
        return self._tables.nodes.kind[nodes]

    def get_datasets(self, nodes: AnyNodes) -> AnyNodes:
        """The datasets (representatives) of those of these assets that are columns, the others themselves; of equal length and type."""
        columns = self._tables.nodes.kind[nodes] == COLUMN
        found = nodes.copy()
        found[columns] = self._tables.nodes.rep[self._tables.nodes.part1[nodes[columns]]]
        return found

    def get_representatives(self, nodes: Ints) -> Ints:
        """The representatives of the identity classes of nodes: int32, of equal length."""
        return self._tables.nodes.rep[nodes]

    def collect_columns(self, datasets: Iterable[int]) -> Ints:
        """All columns of these datasets under any of their names, hidden ones too: representatives, int32, sorted."""
        own = [column for dataset in datasets for column in self._tables.list_columns(dataset)]
        return np.unique(self._tables.nodes.rep[np.array(own, np.int32)])

    def collect_members(self, nodes: Ints) -> Ints:
        """All nodes of the identity classes of these, and of the columns of those that are datasets: int32, sorted."""
        tables = self._tables
        members = tables.collect_members(nodes)
        datasets = members[tables.nodes.kind[members] == DATASET].tolist()
        columns = [column for dataset in datasets for column in tables.list_children(dataset)]
        return np.unique(np.concatenate([members, np.array(columns, np.int32)]))


class LineageIndex:
    """The statements of all visible heads, interned and traversable.

    Nodes are small integers. Every method accepts the node of any member of an identity class, and answers with representatives.
    Nodes mean nothing beyond the life of the index: outside of a request, keep ids. Not thread-safe: its owner keeps a lock.
    """

    def __init__(self, revision: int, as_of: int | None = None, precedence: Precedence | None = None) -> None:
        """An empty index; see `load`."""
        self._precedence = precedence = precedence or Precedence()
        self._view = View(revision, as_of)
        self._loader = HeadLoader(precedence)
        self._tables = self._loader.tables
        self._shown = DisplayNames(self._loader, precedence)
        self._ownership = OwnershipCache(self._loader, self._shown, precedence)
        self._lookup = AssetLookup(self._loader, self._shown)
        self._computed: tuple[int, dict[object, Any]] = (revision, {})
        self._titled: tuple[tuple[TitlePairs, int], TitledNodes] | None = None  # what `find_titled` found last
        self.assets = AssetFacet(self._loader, self._shown, self._lookup)
        self.ownership = OwnershipFacet(self._loader, self._ownership)
        self.lineage = LineageFacet(self._loader, self._ownership, self._view)
        self.changes = ChangeFacet(self._loader, self._shown, self._view, self._lookup)

    @classmethod
    def load(
        cls, heads: Iterable[Sequence[Head]], revision: int, as_of: int | None = None, precedence: Precedence | None = None
    ) -> LineageIndex:
        """An index of these heads (`Store.heads`), which are the store's at `revision`."""
        index = cls(revision, as_of, precedence)
        index._loader.load(heads)
        return index

    def collect_parts(self) -> dict[str, Part]:
        """All that the index knows, for a snapshot: arrays of its own, to be copied before it changes."""
        derived = {**self._lookup.collect_arrays(), **self._collect_names()}
        return {**collect_parts(self._loader), **{name: Part(array, len(array)) for name, array in derived.items()}}

    @property
    def has_names(self) -> bool:
        """Whether suggestions and searches have read names: `prepare_search`, or a snapshot."""
        return "_name_search" in vars(self)

    def _collect_names(self) -> dict[str, Array]:
        """What suggestions and searches know of names, if they know any."""
        known: dict[str, Array] = {}
        for prefix, names in self._list_names() if self.has_names else ():
            known |= add_prefix(prefix, names.collect_arrays())
        return known

    def _list_names(self) -> list[tuple[str, AssetNames | Suggestions | NameSearch]]:
        return [("asset_names", self._asset_names), ("suggestions", self._suggestions), ("name_search", self._name_search)]

    @classmethod
    def restore(cls, arrays: Mapping[str, Array], revision: int, precedence: Precedence) -> LineageIndex:
        """An index of the copies of such parts, which it uses as its own arrays. `precedence`: as that index had it. Raises Unusable."""
        index = cls(revision, None, precedence)
        restore_parts(index._loader, arrays)
        index._lookup.restore(arrays)
        if "name_search.counts" in arrays:
            for prefix, names in index._list_names():
                names.restore(select_arrays(arrays, prefix))
        return index

    def list_digests(self) -> Digests:
        """By scope id: the digest of the content of its statement, if that is not provisional, else zeros."""
        return self._tables.heads.list_digests()

    def list_differing_scopes(self, other: LineageIndex) -> list[int]:
        """The ids of the scopes whose content differs between this index and another one of the same store, in ascending order."""
        return self._tables.heads.list_differing(other._tables.heads)

    def turn_back(self, as_of: int, revision: int, times: HeadTimes, others: Iterable[tuple[Sequence[int], Sequence[Head]]]) -> None:
        """Show the graph as of a time (microseconds), at a revision of the store.

        `times`: of statements with the same content, neither of them provisional. `others`: all other scopes, in parts: the ids and, where
        there is content as of the time, the heads.
        """
        self._view.as_of, self._view.revision = as_of, revision
        self._loader.retime(self._tables.heads.find_all_current(times.scope_ids), *times[1:])
        for scope_ids, heads in others:
            empty = sorted({*scope_ids}.difference(head.scope_id for head in heads))
            shown = zip(empty, map(self._tables.heads.find_current, empty), strict=True)
            self._loader.apply([*heads, *(self._build_empty_head(scope_id, head) for scope_id, head in shown if head != NONE)])

    def _build_empty_head(self, scope_id: int, head: int) -> Head:
        heads = self._tables.heads
        return Head(scope_id, heads.get_source(head), heads.get_scope(head), 0, 0, 0, "", provisional=False, content=None)

    @property
    def revision(self) -> int:
        """The revision of the store up to which the index follows it."""
        return self._view.revision

    def confirm(self, revision: int) -> None:
        """Note that up to a revision nothing has changed in what the index shows."""
        self._view.revision = revision

    def check_room(self, size: int) -> None:
        """Raises LimitExceeded if what `size` bytes of contents state may be more than the index can number."""
        self._tables.check_room(size)

    def count_private_bytes(self) -> int:
        """The memory of the arrays in bytes, without what a mapped file shares with others, as far as the system reports it."""
        return count_private_bytes(list_arrays(self._loader))

    @property
    def precedence(self) -> Precedence:
        """Which source wins where several state the same attribute."""
        return self._precedence

    @property
    def applied(self) -> int:
        """How many heads changes of the store have replaced."""
        return self._loader.applied

    def count_heads(self) -> int:
        """How many statements there are, also former ones that are not forgotten yet."""
        return self._tables.heads.n

    @property
    def is_large(self) -> bool:
        """Whether there is so much work with it that compiled kernels pay."""
        return self._tables.bytes_read > INTERPRETED_BYTES

    @property
    def version(self) -> int:
        """A number that grows with every change of the index, also with supposed ones, which have no revision of their own."""
        return self._loader.version

    @property
    def as_of(self) -> int | None:
        """The time that the index shows, in microseconds; None: now."""
        return self._view.as_of

    @property
    def is_restricted(self) -> bool:
        """Whether a viewer who may not see every asset looks at it (`meshline.graph.index.restricted_index`)."""
        return False

    @property
    def whole(self) -> LineageIndex:
        """The index with every asset, in which nodes have the same numbers. For verdicts and counts only: never show what it names."""
        return self

    @property
    def known_later(self) -> tuple[KnownLater, ...]:
        """Of an index of the past: the relations that no source stated then and one states now (`meshline.graph.live_graph`)."""
        return self._view.known_later

    @known_later.setter
    def known_later(self, known: tuple[KnownLater, ...]) -> None:
        self._view.known_later = known

    @cached_property
    def _asset_names(self) -> AssetNames:
        return AssetNames(self._tables)

    @cached_property
    def _suggestions(self) -> Suggestions:
        return Suggestions(self._tables, self._asset_names)

    @cached_property
    def _name_search(self) -> NameSearch:
        return NameSearch(self._tables, self._asset_names, self._suggestions)

    def prepare_ids(self) -> None:
        """Make the first `assets.find` as fast as later ones. Takes a second for a million columns that were not in a snapshot; a server
        does it at its start.
        """
        self._lookup.prepare_ids()

    def prepare_suggestions(self) -> None:
        """The same for the first suggestion; a server does it in the background."""
        self._suggestions.prepare()

    def prepare_search(self) -> None:
        """The same for the first search."""
        self._name_search.prepare()

    def iterate_suggestions(self, text: str, first: int) -> Iterator[tuple[int, int]]:
        """The assets (representatives, some repeatedly) that a text that is being typed may mean, the best first, each with its rank.

        `first`: about how many are wanted. Ranks are those of `meshline.graph.index.suggestions`.
        """
        for (rank, _), own in self._suggestions.iterate(text, first):
            yield int(self._tables.nodes.rep[own]), rank

    def list_search_words(self, text: str) -> list[str]:
        """The words of a text by which assets are found."""
        return self._name_search.list_words(text)

    def search_names(
        self,
        text: str,
        kinds: Sequence[AssetKind],
        texts: Mapping[int, Sequence[float]],
        synonyms: Synonyms = NO_SYNONYMS,
        vectors: NameVectors | None = None,
    ) -> RankedRows:
        """The assets (some not visible) of these kinds (empty: of all) whose names cover enough of a text.

        `texts`: for some assets, how certainly their descriptions mean each of `list_search_words(text)`, from 0 to 1.
        `vectors`: those of names, if they count: only after `prepare_vectors`, unless that was NOT_YET.
        """
        return self._name_search.find(text, [KINDS.index(kind) for kind in kinds], texts, synonyms=synonyms, vectors=vectors)

    def prepare_vectors(self, vectors: NameVectors) -> Prepared:
        """Which visible names have vectors: a search can use them unless it is NOT_YET. Those that are missing are asked for."""
        return self._name_search.prepare_vectors(vectors)

    def is_near(self, text: str, node: int, vectors: NameVectors) -> bool:
        """Whether a name of an asset may be found by its vector."""
        return any(self._name_search.is_near(text, own, vectors) for own in self._tables.list_ring(node))

    def mark_found(self, hits: Hits) -> Flags:
        """Which of these hits are in use by the names that were found, and are shown by lists and searches."""
        return self._name_search.mark_current(hits.rows) & self._shown.mark_listed(hits.nodes)

    def iterate_hits(self, hits: Hits, first: int) -> Iterator[tuple[int, int]]:
        """(order, asset) of hits: the best first, equal ones by kind and name. `first`: about how many are wanted."""
        return self._name_search.iterate(hits, first)

    def explain_hit(self, text: str, node: int, synonyms: Synonyms = NO_SYNONYMS) -> list[WordMatch]:
        """For each word of the text that a name of an asset covers: why, by the name that covers most."""
        found = [self._name_search.explain(text, own, synonyms=synonyms) for own in self._tables.list_ring(node)]
        return max(found, key=len, default=[])

    def find_titled(self, titles: TitlePairs, least: int) -> TitledNodes:
        """Where the pairs of words are that titles have: see `TitlePairs.collect`. Also of assets that are not visible."""
        state = (titles, titles.generation)
        if self._titled is None or self._titled[0] != state:
            found = titles.collect(least)
            rows = [row for places in found.values() for row in places]
            pair = np.repeat(np.arange(len(found), dtype=np.int32), [len(places) for places in found.values()])
            nodes = np.array([self._tables.find_by_key(key) for key, _ in rows], np.int64)
            known = nodes != NONE
            kept = [row for row, is_known in zip(rows, known.tolist(), strict=True) if is_known]
            self._titled = state, TitledNodes([*found], kept, pair[known], nodes[known])
        return self._titled[1]

    def find_named(self, kind: AssetKind, text: str, most: int) -> list[int] | None:
        """The assets (some not visible) of a kind that have, or had, a qualified name that ends with a text in any case; and a few
        others. None if there may be more than `most`. Much faster than a search where there is none.
        """
        number = KINDS.index(kind)
        return self._lookup.find_named(number, text, most) if self._lookup.may_end(number, text) else []

    def find_alike(self, text: str, prefixes: Iterable[str], kind: AssetKind | None = None) -> list[int]:
        """Visible assets with names like a text that no name is, the most alike first. A word of each name begins with a prefix.

        `kind`: only assets of it. Of a name that many assets have, the first few are found.
        """
        found = self._suggestions.find_alike(text, prefixes, None if kind is None else KINDS.index(kind))
        return [node for node in found if self._shown.is_visible(node)]

    def list_folded_names(self, kind: AssetKind) -> Sequence[str]:
        """The last part of the shown name of each asset of `assets.list_of_kind`, casefolded."""
        return self._shown.list_folded_names(kind)

    def count_of_kind(self, kind: AssetKind) -> int:
        """The length of `assets.list_of_kind`, for which nothing is put in order."""
        return self._shown.count_of_kind(kind)

    def compute_once(self, name: object, compute: Callable[[], T]) -> T:
        """What follows from the graph as the caller sees it, computed once for each revision. `name`: of it, with one type of value."""
        if self._computed[0] != self.revision:
            self._computed = (self.revision, {})
        known = self._computed[1]
        if name not in known:
            known[name] = compute()
        found: T = known[name]
        return found

    def may_name(self, key: AssetKey) -> bool:
        """Whether the viewer may see a name in the records of runs and checks: always, but in a restricted index."""
        del key
        return True

    def may_read(self, node: int) -> bool:
        """Whether the viewer may read what is known of a visible asset, beside its names and texts: always, but in a restricted index."""
        del node
        return True

    def is_partly_hidden(self, node: int, *, sql: bool = False) -> bool:
        """Whether a job reads or writes what the viewer may not read, or a dataset is made of it: never, but in a restricted index.

        `sql`: of which he may not read the SQL.
        """
        del node, sql
        return False

    def dump(self) -> Dump:
        """For tests: the whole visible graph by names, independent of the order of the statements (law 7)."""
        return dump_graph(self._loader, self._shown, self._ownership)
