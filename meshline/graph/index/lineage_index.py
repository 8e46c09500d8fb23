"""The lineage index: the visible graph, now or as of one time, fed by heads of scopes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from meshline.graph.index.arrays import N_NODES, NONE
from meshline.graph.index.display_names import Shown
from meshline.graph.index.dump import Dump, dumped
from meshline.graph.index.flow_tables import FlowTable, leaving
from meshline.graph.index.index_tables import Core, Slots
from meshline.graph.index.loader import Feed
from meshline.graph.index.lookup import Finder
from meshline.graph.index.mentions import Trail, fact_names, scopes_of
from meshline.graph.index.ownership import Holders
from meshline.graph.index.passes import Limits, Walker
from meshline.graph.index.paths import PathSearch
from meshline.graph.index.results import (
    Affected,
    Bytes,
    Direction,
    Edge,
    Flags,
    FlowStep,
    Ints,
    KnownLater,
    Label,
    Ownership,
    Reach,
    ScopeInfo,
    Spoken,
    Tied,
)
from meshline.graph.index.rollup import Rows, strongest
from meshline.graph.index.statistics import Size, Survey, measured, spoken_of, surveyed, tagged, tags_of
from meshline.graph.index.traversal import Traversal, starting
from meshline.graph.index.value_flow import Spread, copies, of_datasets, onward, trace
from meshline.graph.model import EDGE_TYPES, KINDS, AssetKey, AssetKind, EdgeType, Json, Precedence, Scope
from meshline.graph.store.base import Changes, Head


class LineageIndex:
    """Everything that the heads say, interned and traversable.

    Nodes are small integers. Every method takes the node of any member of an identity class and
    answers with representatives of classes. Nodes mean nothing beyond the life of the index: outside
    of a request, keep ids. Not safe for use by several threads: the owner holds a lock.
    """

    revision: int
    as_of: int | None
    known_later: tuple[KnownLater, ...] = ()  # of an index of the past; see `meshline.graph.live_graph`

    def __init__(self, revision: int, as_of: int | None = None, precedence: Precedence | None = None) -> None:
        """An index of nothing; see `load`."""
        precedence = precedence or Precedence()
        self.revision = revision
        self.as_of = as_of
        self._feed = Feed(precedence)
        self._core = self._feed.core
        self._shown = Shown(self._feed, precedence)
        self._holders = Holders(self._feed, self._shown, precedence)
        self._slots = Slots(self._core)
        self._labels: dict[int, Label] = {}
        self._labels_version = 0
        self._finder = Finder(self._feed, self._shown)
        self._walker = Walker(self._core)

    @classmethod
    def load(
        cls,
        heads: Iterable[Sequence[Head]],
        revision: int,
        as_of: int | None = None,
        precedence: Precedence | None = None,
    ) -> LineageIndex:
        """An index of these heads (`Store.heads`), which are the store's at `revision`."""
        index = cls(revision, as_of, precedence)
        index._feed.load(heads)
        return index

    def apply(self, changes: Changes) -> None:
        """Follow the store: replace these heads. Changes that are not newer than `revision` are ignored."""
        if changes.revision > self.revision:
            self._feed.apply(changes.heads)
            self.revision = changes.revision

    def suppose(self, heads: Iterable[Head]) -> None:
        """Replace heads for a while, at the same revision; who does so puts back what was (`meshline.graph.what_if`)."""
        self._feed.apply([*heads])

    # -- assets

    def find(self, asset_id: str) -> int | None:
        """The asset of which any member has this id, if visible."""
        node = self._finder.by_id(asset_id)
        return None if node == NONE else node

    def prepare_ids(self) -> None:
        """Let `find` be fast from the first time on: about a second at a million columns, for who serves."""
        self._finder.prepare_ids()

    def node(self, key: AssetKey) -> int | None:
        """The asset of which any member has this key, if visible."""
        node = self._finder.by_key(key)
        return None if node == NONE else node

    def ending(self, kind: AssetKind, text: str, fold: Callable[[str], str]) -> list[int]:
        """All visible assets of a kind of which some qualified name, folded, ends with a text; and a few others."""
        return self._finder.ending(KINDS.index(kind), text, fold)

    def key(self, node: int) -> AssetKey:
        """The shown name: of datasets the output port's, else the catalog's, else the TABLE symlink's, else the
        physical one; of columns the catalog's spelling, else the newest schema's.
        """
        return self._shown.key(node)

    def column_name(self, column: int) -> str:
        """The last part of the shown name of a column."""
        return self._shown.column_name(column)

    def label(self, node: int) -> Label:
        """The id and the shown name of an asset, remembered: no dataset, no column."""
        if self._labels_version != self._feed.owners.version:  # owners may be called otherwise
            self._labels_version = self._feed.owners.version
            self._labels.clear()
        label = self._labels.get(node)
        if label is None:
            key = self._shown.key(node)
            label = self._labels[node] = Label(key.id, key.qualified_name)
        return label

    def own_key(self, node: int) -> AssetKey:
        """The key of exactly this node."""
        return self._core.key(node)

    def kind(self, node: int) -> AssetKind:
        kind: AssetKind = KINDS[self._core.nodes.kind[node]]
        return kind

    def representative(self, node: int) -> int:
        """The node that stands for this node's identity class."""
        return int(self._core.nodes.rep[node])

    def members(self, node: int) -> list[int]:
        """The visible own nodes of the class, sorted by key; see `own_key`."""
        return self._shown.members(node)

    def names(self, node: int, *, former: bool = False) -> list[AssetKey]:
        """The names that mean the asset, sorted; `former`: also those that it had until a rename, and that may mean another one now."""
        return [self._core.key(member) for member in self._shown.members(node) if former or not self._shown.former(member)]

    def visible(self, node: int) -> bool:
        """Whether some head mentions it."""
        return self._shown.visible(node)

    def of_kind(self, kind: AssetKind) -> Sequence[int]:
        """The visible assets of a kind, sorted by shown qualified name, without inferred datasets and their
        columns, and without unlisted columns.
        """
        found: list[int] = self._shown.of_kind(kind).tolist()
        return found

    def columns(self, dataset: int) -> list[int]:
        """The columns of a dataset by position, then name: inferred ones too, unlisted ones not."""
        return self._shown.columns(dataset)

    def columns_by_name(self, dataset: int) -> list[int]:
        """The same by name, as in `of_kind`."""
        return self._shown.columns_by_name(dataset)

    def dataset(self, column: int) -> int:
        """The dataset of a column."""
        return int(self._core.nodes.rep[self._core.nodes.part1[column]])

    def inferred(self, node: int) -> bool:
        """Dataset: mentioned by flows only. Column: no visible head lists it."""
        return self._shown.inferred(node)

    def unlisted(self, column: int) -> bool:
        """A catalog lists the columns of its dataset, and lacks this one."""
        return self._shown.unlisted(column)

    def described(self, dataset: int) -> bool:
        """Some visible head lists its columns."""
        return self._shown.described(dataset)

    def position(self, column: int) -> int | None:
        """1-based, as the strongest listing says."""
        return self._shown.position(column)

    def product(self, node: int) -> int | None:
        """The data product of a dataset or column (by output port, else by its member patterns)."""
        return self._holders.product(node)

    def domain(self, node: int) -> int | None:
        """The domain of a dataset, column or product; the parent of a domain."""
        return self._holders.domain(node)

    # -- who says what

    def owners(self, node: int) -> list[Ownership]:
        """The owners at the nearest level that has any: itself, Dataset, DataProduct, Domain, its parents.

        Of each level its own owners, else those of the contracts in force that govern it.
        """
        return self._holders.owners(node)

    def direct_owners(self, node: int) -> list[Ownership]:
        """The owners stated of this very asset, by the strongest source that names any; else those of its contracts in force."""
        return self._holders.direct_owners(node)

    def owner_nodes(self, node: int) -> frozenset[int]:
        """The owners of `direct_owners`, of a representative."""
        return self._holders.owner_nodes(node)

    def edges(self, node: int, type: EdgeType, *, incoming: bool = False) -> list[Edge]:  # noqa: A002 - OpenLineage and GraphQL call it type
        """The edges other than FLOWS_TO that begin (or end) at any member, one per scope that says it."""
        core = self._core
        code = EDGE_TYPES.index(type)
        rows = [row for member in core.ring(node) for row in core.relation_rows(member, code, incoming=incoming)]
        found = [
            Edge(
                type,
                int(core.nodes.rep[core.relations.start[row]]),
                int(core.nodes.rep[core.relations.end[row]]),
                self._feed.attributes(row),
                int(core.heads.scope_id[head]),
            )
            for row, head in zip(rows, core.heads_of(rows, 1), strict=True)
        ]
        return sorted(found, key=lambda edge: (core.label(edge.start), core.label(edge.end), edge.scope_id))

    def scopes(self, node: int) -> list[int]:
        """The ids of the scopes whose heads mention any member, ascending."""
        return scopes_of(self._core, node)

    def fact_names(self, node: int) -> dict[int, set[AssetKey]]:
        """Those of `scopes` whose heads say attributes of a member, each with the names under which it means this asset:
        where its facts are to be read. A name may mean another asset in a head of another time.
        """
        return fact_names(self._core, node)

    def former_names(self, column: int) -> list[tuple[str, int]]:
        """The names that catalogs say a column had, each with the time (microseconds) until which it had it; the oldest first."""
        return self._shown.former_names(column)

    def scope(self, scope_id: int) -> ScopeInfo:
        """Raises KeyError for a scope without a head."""
        head = self._core.heads.current(scope_id)
        if head == NONE:
            raise KeyError(scope_id)
        return self._core.heads.info(head)

    def said_by(self, source: str) -> dict[Scope, Spoken]:
        """What a source says now, by scope: for a loading that writes only what differs."""
        return self._core.heads.of_source(source)

    def newest_of(self, kind: str) -> int:
        """The newest time of a visible statement of the sources of a kind (`person`), in microseconds; 0: there is none."""
        return self._core.heads.newest_of(kind)

    def unused_scope_id(self) -> int:
        """A number that no scope of a head has."""
        return self._core.heads.unused_scope_id()

    # -- lineage

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

        Starts may be columns, datasets (as a whole), products and domains (their datasets), jobs (what
        they write; upstream what they read), contracts (what they govern, unless `promises` is off), owners
        (what they own) and, upstream, consumers (what they consume).
        `reach`: the weakest class to follow. `depth`: in FLOWS_TO edges. `deadline`: as
        `time.monotonic()`. `seen_since`: follow only flows said at or after this time (microseconds).
        """
        limits = Limits(reach, depth, max_nodes, deadline, seen_since)
        begin = starting(self._feed, self._holders, starts, direction, promises=promises)
        view = (self.as_of, self.revision, self.known_later)
        return Traversal(self._feed, self._holders, self._slots, self._walker, begin, direction, limits, view)

    def paths(
        self, start: int, end: int, *, reach: Reach = Reach.POSSIBLE, first: int = 5, depth: int | None = None
    ) -> list[list[FlowStep]]:
        """Up to `first` simple paths from `start` down to `end`: the strongest class first, then the shortest."""
        return PathSearch(self._core, self._walker, start, end, depth).best(reach, first)

    def flows_from(self, datasets: Sequence[int]) -> FlowTable:
        """The flows that begin at these datasets or at their columns; pairs of which the columns are known, too."""
        return leaving(self._core, self._core.nodes.rep[np.array(sorted(set(datasets)), np.int32)])

    def text(self, number: int) -> str:
        """A text by its number in a table."""
        return self._core.text(number)

    # -- many at once

    def kinds(self, nodes: Ints) -> Bytes:
        """The kinds of nodes, as positions in `meshline.graph.model.KINDS`."""
        return self._core.nodes.kind[nodes]

    def datasets(self, columns: Ints) -> Ints:
        """The datasets of columns."""
        return self._core.nodes.rep[self._core.nodes.part1[columns]]

    def products(self, datasets: Ints) -> Ints:
        """The products of these representatives of datasets; -1: none."""
        return self._holders.products(datasets)

    def domains(self, holders: Ints) -> Ints:
        """The domains of these representatives of datasets, products and domains; -1: none."""
        return self._holders.domains(holders)

    def owned(self, nodes: Ints) -> Flags:
        """Whether these very representatives have owners (`direct_owners`)."""
        return self._holders.owned()[nodes]

    def strongest(self, nodes: Ints, reach: Bytes, distance: Ints, masked: Flags) -> Affected:
        """Each of these nodes once: its strongest reach, the shortest distance in that, masked if all in it are."""
        return Affected(*strongest(Rows(nodes, reach, distance, masked), self._slots))

    def numbered(self, nodes: Ints) -> tuple[Ints, Ints]:
        """(the distinct ones among these nodes, of each of these nodes the number of it in those)."""
        return self._slots.numbered(nodes)

    def survey(self) -> Survey:
        """What is known of all datasets."""
        return surveyed(self._core)

    def ties(self, type: EdgeType) -> Tied:  # noqa: A002 - as in `edges`
        """All edges of a type: PORT, OWNS, CONSUMES or GOVERNS."""
        return self._holders.tied(EDGE_TYPES.index(type))

    def scopes_stating(self, type: EdgeType) -> dict[str, list[int]]:  # noqa: A002 - as in `edges`
        """By kind of source: the ids of the scopes that state edges of a type, as in `ties`; not those of owners of jobs."""
        return self._holders.scopes_stating(EDGE_TYPES.index(type))

    def said(self, number: int) -> Mapping[str, Json]:
        """Attributes by their number in `Tied`."""
        return self._feed.said(number)

    @property
    def members_of(self) -> Mapping[int, Mapping[int, Sequence[str]]]:
        """The patterns of the members of products and domains, by scope."""
        return self._feed.patterns

    def session_names(self) -> dict[tuple[str, ...], set[int]]:
        """The names that producers gave datasets within a session (namespace, name), with all datasets that had one."""
        found: dict[tuple[str, ...], set[int]] = {}
        for said in self._feed.session_names.values():
            for node, name in said:
                if self.visible(node):
                    found.setdefault(name, set()).add(self.representative(node))
        return found

    def spread(self, sources: Ints, *, possible: bool) -> Spread:
        """Everything that values of these columns (representatives) reach unmasked; `possible`: also where nobody recorded the columns."""
        return Spread(self._core, sources, possible=possible)

    def onward(self, columns: Ints) -> Ints:
        """These columns (representatives), and all to which values of them may go."""
        return onward(self._core, columns)

    def trace(self, labels: Ints, column: int) -> list[FlowStep]:
        """A shortest way of values to a column that a `Spread` reached."""
        return trace(self._core, labels, column)

    def copies(self, datasets: Ints | None, least: int, most: int) -> tuple[Ints, Ints]:
        """(what is copied whole, into what), of these datasets or of all, of at least so many columns; at most so many pairs."""
        return copies(self._core, of_datasets(self._core) if datasets is None else datasets, least, most)

    def trail(self) -> Trail:
        """What changes from now on, for who keeps findings about the graph."""
        return Trail(self._core)

    def tags(self, node: int) -> frozenset[str]:
        """The tags of all sources together, `key` or `key=value`."""
        return tags_of(self._feed, node)

    def tagged(self, wanted: Callable[[frozenset[str]], bool]) -> Ints:
        """The assets (representatives) to which some source gives tags that are wanted, sorted: a look at every fact."""
        return tagged(self._feed, wanted)

    def spoken_of(self) -> list[tuple[str, Ints]]:
        """Each source with the datasets (representatives) that it mentions, in whole or a column of them."""
        return spoken_of(self._core)

    @property
    def core(self) -> Core:
        """The tables, to be read only: an object for each of all assets would take seconds."""
        return self._core

    @property
    def bytes(self) -> int:
        """The memory that its tables take, about."""
        return self._core.bytes

    @property
    def nodes(self) -> int:
        """How many nodes there are, in use or not."""
        return int(self._core.counts[N_NODES])

    @property
    def unused(self) -> int:
        """How many of them no head names any more; a look at each."""
        return self._core.unused

    def size(self) -> Size:
        """How much it holds; a look at every node and flow, some milliseconds per million."""
        return measured(self._core)

    # -- for tests

    def dump(self) -> Dump:
        """The whole visible graph by names, independent of the order in which it was said: law 7."""
        return dumped(self._feed, self._shown, self._holders)
