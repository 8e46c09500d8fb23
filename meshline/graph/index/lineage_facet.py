"""What is asked about flows: traversals, paths, where values go, and the arrays of nodes that these answer with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from meshline.graph.index.arrays import DATASET
from meshline.graph.index.flow_tables import collect_origins, list_leaving_flows
from meshline.graph.index.index_tables import NodeSlots
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.ownership import OwnershipCache
from meshline.graph.index.passes import Limits, Walker
from meshline.graph.index.paths import PathSearch
from meshline.graph.index.results import Affected, Bytes, Direction, Flags, FlowStep, FlowTable, Ints, Reach, View
from meshline.graph.index.rollup import Rows, keep_strongest
from meshline.graph.index.traversal import Traversal, resolve_starts
from meshline.graph.index.value_flow import Spread, collect_onward, find_copies, list_datasets, trace_values


class LineageFacet:
    """Flows between assets, and arrays of nodes. Part of `LineageIndex`, which defines nodes."""

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

        Starts may be columns, datasets (as a whole), products and domains (their datasets), jobs (what
        they write; upstream what they read), contracts (what they govern, unless `promises` is off), owners
        (what they own) and, upstream, consumers (what they consume).
        `reach`: the weakest class to follow. `depth`: in FLOWS_TO edges. `deadline`: as
        `time.monotonic()`, in seconds. `seen_since`: follow only flows that were observed at or after this time (microseconds).
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

    def collect_origins(self, datasets: Iterable[int]) -> Ints:
        """The datasets (representatives, int32, sorted) from columns of which data flows into columns of these datasets."""
        return collect_origins(self._tables, datasets)

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

    def get_datasets(self, columns: Ints) -> Ints:
        """The datasets (representatives) of columns: int32, of equal length."""
        return self._tables.nodes.rep[self._tables.nodes.part1[columns]]

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
