"""What depends on reached columns and datasets: their containers, their consumers, and the jobs that pass them on.

- A dataset has the strongest class of its reached columns, or of itself as a whole.
  Products (by output port or member pattern) and domains have the strongest of their datasets. The
  dataset of a start counts for its product, at distance 0: the users of the product use it. It does not
  count for its domain, in which nothing else may be affected.
- A consumer of a column has the column's class. A consumer (or contract) of a dataset has the class in
  which the dataset as a whole is reached or started from; if only some columns are, POSSIBLE. A
  consumer of a product: POSSIBLE, unless the product is a start.
- A job through which an edge leaves (upstream: enters) a reached node or a start has the weaker of
  the classes of the edge and of that node, at a distance of one more. A job that reads a reached dataset and
  names no output: POSSIBLE.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from meshline.graph.index.arrays import COLUMN, DATASET, I64, N_KINDS, NONE
from meshline.graph.index.index_tables import NodeSlots
from meshline.graph.index.kernels import collect
from meshline.graph.index.loader import HeadLoader
from meshline.graph.index.ownership import OwnershipCache
from meshline.graph.index.results import Affected, Bytes, Direction, Flags, Ints, Reach
from meshline.graph.model import EDGE_TYPES, EdgeType

_CONSUMES = EDGE_TYPES.index(EdgeType.CONSUMES)
_GOVERNS = EDGE_TYPES.index(EdgeType.GOVERNS)


class Rows(NamedTuple):
    """Assets with their reach, as arrays of equal length (int32, int8, int32, bool); assets may repeat."""

    nodes: Ints
    reach: Bytes
    distance: Ints
    masked: Flags

    def filter(self, chosen: Flags | I64 | Ints | slice) -> Rows:
        return Rows(self.nodes[chosen], self.reach[chosen], self.distance[chosen], self.masked[chosen])

    def replace_nodes(self, nodes: Ints) -> Rows:
        """The same rows with other nodes."""
        return self._replace(nodes=nodes)


def join_rows(*parts: Rows) -> Rows:
    return Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def build_rows(nodes: Ints, reach: Reach = Reach.DIRECT) -> Rows:
    """Rows of assets that are reached at distance 0, unmasked."""
    n = len(nodes)
    return Rows(nodes.astype(np.int32), np.full(n, reach, np.int8), np.zeros(n, np.int32), np.zeros(n, np.bool_))


def keep_strongest(found: Rows, slots: NodeSlots) -> Rows:
    """One row for each node: its strongest reach, the shortest distance with that reach, masked if all rows with it are."""
    n = len(found.nodes)
    nodes, reach, distance, masked = np.empty(n, np.int32), np.empty(n, np.int8), np.empty(n, np.int32), np.empty(n, np.uint8)
    kept = collect.find_strongest(
        found.nodes, slots.array, found.reach, found.distance, found.masked.view(np.uint8), nodes, reach, distance, masked
    )
    return Rows(nodes[:kept], reach[:kept], distance[:kept], masked[:kept] != 0)


class RollUp:
    """Computes one `Affected`. `reached` and `starts` are columns, and datasets as wholes."""

    def __init__(
        self,
        loader: HeadLoader,
        ownership: OwnershipCache,
        slots: NodeSlots,
        direction: Direction,
        reach: Reach,
        reached: Rows,
        starts: Ints,
        assets: set[int],
    ) -> None:
        self._tables = loader.tables
        self._ownership = ownership
        self._down = direction is Direction.DOWNSTREAM
        self._limit = int(reach)
        self._assets = assets  # the assets from which the caller started
        self._starts = starts
        self._slots = slots
        # The starts come first, and reached nodes after them. The columns of a start that is a dataset are starts, too.
        own = self._collect_columns(starts)
        everything = join_rows(build_rows(starts), build_rows(own), reached)
        kinds = self._tables.nodes.kind[everything.nodes]
        self._whole = everything.filter(kinds == DATASET)
        self._columns = everything.filter(kinds == COLUMN)
        self._dataset_starts = int(np.count_nonzero(kinds[: len(starts)] == DATASET))
        self._column_starts = len(starts) - self._dataset_starts + len(own)
        self._of_columns = self._columns.replace_nodes(self._tables.nodes.rep[self._tables.nodes.part1[self._columns.nodes]])
        self._datasets = self._keep_strongest(join_rows(self._whole, self._of_columns))

    def compute_affected(self) -> Affected:
        """All affected assets, the reached columns first."""
        reached = slice(self._column_starts, None)
        whole = self._whole.filter(slice(self._dataset_starts, None))
        datasets = self._keep_strongest(join_rows(whole, self._of_columns.filter(reached)))
        datasets = datasets.filter(~np.isin(datasets.nodes, self._starts))
        products = self._keep_strongest(self._datasets.replace_nodes(self._ownership.find_products(self._datasets.nodes)))
        implied = self._list_implied_starts()
        reached_or_implied = join_rows(datasets, implied.filter(self._tables.nodes.kind[implied.nodes] == DATASET))
        domains = self._keep_strongest(reached_or_implied.replace_nodes(self._ownership.find_domains(reached_or_implied.nodes)))
        columns = self._columns.filter(reached)
        parts = [implied, columns, datasets, products, domains, *self._iterate_attached(products), self._list_passing_jobs()]
        if self._down and self._limit == Reach.POSSIBLE:
            parts.append(self._list_reading_jobs())
        found = self._keep_strongest(join_rows(*parts))
        found = found.filter(~np.isin(found.nodes, np.array(sorted(self._assets), np.int32)))
        return Affected(*found)

    def _list_implied_starts(self) -> Rows:
        """The outputs of jobs, or the inputs of consumers, that the caller started from: assets that the caller did not name."""
        implied = np.array([start for start in self._starts.tolist() if start not in self._assets], np.int32)
        return build_rows(np.unique(np.concatenate([implied, self._collect_columns(implied)])))

    def _collect_columns(self, nodes: Ints) -> Ints:
        """The mentioned columns of the datasets among these nodes, each once: int32, sorted."""
        tables = self._tables
        datasets = nodes[tables.nodes.kind[nodes] == DATASET].tolist()
        own = [column for dataset in datasets for column in tables.list_columns(dataset)]
        columns = np.array(own, np.int64)
        return np.unique(tables.nodes.rep[columns[tables.nodes.live[columns] > 0]])

    def _keep_strongest(self, found: Rows) -> Rows:
        return keep_strongest(found, self._slots)

    def _iterate_attached(self, products: Rows) -> Iterator[Rows]:
        """The contracts that govern reached assets and, downstream, the consumers that use them."""
        tables = self._tables
        coarse = self._keep_strongest(join_rows(self._whole, weaken_rows(self._datasets), self._weaken_products(products)))
        for type_ in (_GOVERNS, _CONSUMES) if self._down else (_GOVERNS,):
            chosen = self._ownership.relations.list_rows(type_)
            ends, by = tables.nodes.rep[tables.relations.end[chosen]], tables.relations.start[chosen]
            fine = tables.nodes.kind[ends] == COLUMN
            yield self._match_rows(self._columns, ends[fine], by[fine])
            yield self._match_rows(coarse, ends[~fine], by[~fine])

    def _weaken_products(self, products: Rows) -> Rows:
        started = np.isin(products.nodes, np.array(sorted(self._assets), np.int32))
        return join_rows(products.filter(started), weaken_rows(products.filter(~started)))

    def _match_rows(self, found: Rows, ends: Ints, by: Ints) -> Rows:
        """The rows of `found` whose nodes are among `ends`, with the node in `by` at the same place as node."""
        if not len(ends):
            return found.filter(slice(0))
        slots = self._slots.array
        slots[found.nodes] = np.arange(len(found.nodes), dtype=np.int32)
        at = slots[ends]
        slots[found.nodes] = NONE
        return found.filter(at[at != NONE]).replace_nodes(by[at != NONE])

    def _list_passing_jobs(self) -> Rows:
        """The jobs of the flows that continue from reached nodes."""
        ends = join_rows(self._columns, self._datasets)
        tables = self._tables
        nodes, overlay = tables.nodes, tables.overlay
        csr, heads, links = (
            (tables.outgoing, nodes.over_out, overlay.next_out) if self._down else (tables.incoming, nodes.over_in, overlay.next_in)
        )
        room = int(tables.counts[N_KINDS])
        jobs, reach, distance, masked = (
            np.empty(room, np.int32),
            np.empty(room, np.int8),
            np.empty(room, np.int32),
            np.empty(room, np.uint8),
        )
        n = collect.list_jobs(
            ends.nodes, ends.reach, ends.distance, ends.masked.view(np.uint8), self._limit, nodes, csr, heads, links, tables.folded,
            tables.flows, tables.kinds, self._slots.array, jobs, reach, distance, masked,
        )  # fmt: skip
        return Rows(jobs[:n], reach[:n], distance[:n], masked[:n] != 0)

    def _list_reading_jobs(self) -> Rows:
        """The jobs that read a reached dataset and state no output."""
        tables = self._tables
        reads = self._ownership.relations.list_idle_reads()
        read = self._match_rows(weaken_rows(self._datasets), tables.nodes.rep[tables.relations.end[reads]], tables.relations.start[reads])
        return read._replace(distance=read.distance + 1)


def weaken_rows(found: Rows) -> Rows:
    """The same rows with the reach POSSIBLE: known only at a coarser grain."""
    return found._replace(reach=np.full(len(found.nodes), Reach.POSSIBLE, np.int8))
