"""What hangs on reached columns and datasets: what holds them, who consumes them, which jobs pass them on.

- A dataset has the strongest class of what is reached of it: its columns, or itself as a whole.
  Products (by output port or member pattern) and domains have the strongest of their datasets; the
  dataset of a start counts for those, at distance 0.
- A consumer of a column has the column's class. A consumer (or contract) of a dataset has the class in
  which the dataset as a whole is reached or started from; if only some columns are, POSSIBLE. A
  consumer of a product: POSSIBLE, unless the product is a start.
- A job: through which an edge leaves (upstream: enters) what is reached or started from: the weaker of
  the classes of the edge and of its end there, one further. A job that reads a reached dataset and
  names no output: POSSIBLE.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meshline.graph.index import collecting
from meshline.graph.index.answers import Affected, Bytes, Direction, Flags, Ints, Reach
from meshline.graph.index.feed import Feed
from meshline.graph.index.holders import Holders
from meshline.graph.index.tables import CLASS, COLUMN, COVERED, DATASET, DEAD, I64, MASKED, MERGED, N_FLOWS, N_NODES, N_RELATIONS, NONE, Csr
from meshline.graph.model import EDGE_TYPES, EdgeType

_READS = EDGE_TYPES.index(EdgeType.READS)
_CONSUMES = EDGE_TYPES.index(EdgeType.CONSUMES)
_GOVERNS = EDGE_TYPES.index(EdgeType.GOVERNS)

_JOB_READS = "job-reads"  # the kind of scope of runs that read and name no output


class Rows(NamedTuple):
    """Assets, each with how it is reached; not necessarily distinct."""

    nodes: Ints
    reach: Bytes
    distance: Ints
    masked: Flags

    def where(self, chosen: Flags | I64 | Ints) -> Rows:
        return Rows(self.nodes[chosen], self.reach[chosen], self.distance[chosen], self.masked[chosen])

    def of(self, nodes: Ints) -> Rows:
        """The same reached assets seen as other nodes."""
        return self._replace(nodes=nodes)


def joined(*parts: Rows) -> Rows:
    return Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def rows(nodes: Ints, reach: Reach = Reach.DIRECT) -> Rows:
    """Assets that are reached at distance 0."""
    n = len(nodes)
    return Rows(nodes.astype(np.int32), np.full(n, reach, np.int8), np.zeros(n, np.int32), np.zeros(n, np.bool_))


class Reckoning:
    """Works out one `Affected`. `reached` and `starts` are columns and datasets as wholes."""

    def __init__(
        self, feed: Feed, holders: Holders, direction: Direction, reach: Reach, reached: Rows, starts: Ints, assets: set[int]
    ) -> None:
        self._core = feed.core
        self._holders = holders
        self._down = direction is Direction.DOWNSTREAM
        self._limit = int(reach)
        self._reached = reached
        self._assets = assets  # what the caller started from
        self._slots: Ints = np.full(int(self._core.counts[N_NODES]), NONE, np.int32)
        self._all = joined(rows(starts), reached)
        kinds = self._core.nodes.kind[self._all.nodes]
        self._whole = self._all.where(kinds == DATASET)
        self._columns = self._all.where(kinds == COLUMN)
        of_columns = self._core.nodes.rep[self._core.nodes.part1[self._columns.nodes]]
        self._datasets = self.strongest(joined(self._whole, self._columns.of(of_columns)))
        self._starts = starts

    def affected(self) -> Affected:
        """Everything, the reached columns first."""
        reached = self._reached
        kinds = self._core.nodes.kind[reached.nodes]
        columns = reached.where(kinds == COLUMN)
        of_columns = self._core.nodes.rep[self._core.nodes.part1[columns.nodes]]
        datasets = self.strongest(joined(reached.where(kinds == DATASET), columns.of(of_columns)))
        datasets = datasets.where(~np.isin(datasets.nodes, self._starts))
        products = self._held(self._holders.product)
        domains = self._held(self._holders.domain)
        parts = [self._touched(), columns, datasets, products, domains, self._attached(_GOVERNS, products), self._jobs()]
        if self._down:
            parts.append(self._attached(_CONSUMES, products))
        found = self.strongest(joined(*parts))
        found = found.where(~np.isin(found.nodes, np.array(sorted(self._assets), np.int32)))
        return Affected(*found)

    def _touched(self) -> Rows:
        """What a job that was started from writes, or a consumer uses: no asset that the caller named."""
        core = self._core
        touched = [start for start in self._starts.tolist() if start not in self._assets]
        columns = [
            column for start in touched if core.nodes.kind[start] == DATASET for own in core.ring(start) for column in core.children(own)
        ]
        return rows(np.unique(core.nodes.rep[np.array([*touched, *columns], np.int64)]))

    def strongest(self, found: Rows) -> Rows:
        """One row per node: the strongest reach, the shortest distance in it, masked if all in it are."""
        n = len(found.nodes)
        nodes, reach, distance, masked = np.empty(n, np.int32), np.empty(n, np.int8), np.empty(n, np.int32), np.empty(n, np.uint8)
        kept = collecting.strongest(
            found.nodes, self._slots, found.reach, found.distance, found.masked.view(np.uint8), nodes, reach, distance, masked
        )
        return Rows(nodes[:kept], reach[:kept], distance[:kept], masked[:kept] != 0)

    def _held(self, holder: object) -> Rows:
        """What holds the datasets, at their strongest."""
        assert callable(holder)
        found = [holder(dataset) for dataset in self._datasets.nodes.tolist()]
        nodes = np.array([NONE if node is None else node for node in found], np.int32)
        return self.strongest(self._datasets.of(nodes))

    def _attached(self, type_: int, products: Rows) -> Rows:
        """Who consumes (or governs) what is reached."""
        core = self._core
        n = int(core.counts[N_RELATIONS])
        chosen = np.flatnonzero(core.relations.type[:n] == type_)
        ends = core.nodes.rep[core.relations.end[chosen]]
        by = core.relations.start[chosen]
        return joined(
            self._matched(self._columns, ends, by),
            self._matched(self._whole, ends, by),
            self._matched(weakened(self._datasets), ends, by),
            self._matched(self._products(products), ends, by),
        )

    def _products(self, products: Rows) -> Rows:
        started = np.isin(products.nodes, np.array(sorted(self._assets), np.int32))
        return joined(products.where(started), weakened(products.where(~started)))

    def _matched(self, found: Rows, ends: Ints, by: Ints) -> Rows:
        """The rows of `found` that are one of `ends`, as what refers to them."""
        self._slots[found.nodes] = np.arange(len(found.nodes), dtype=np.int32)
        at = self._slots[ends]
        self._slots[found.nodes] = NONE
        return found.where(at[at != NONE]).of(by[at != NONE])

    def _jobs(self) -> Rows:
        own = self._columns.where(self._columns.nodes >= 0)
        parts = [self._passing(own), self._passing(self._datasets)]
        if self._down and self._limit == Reach.POSSIBLE:
            parts.append(self._reading())
        return joined(*parts)

    def _passing(self, ends: Rows) -> Rows:
        """The jobs of the flows that go on from these ends, under all their names."""
        core = self._core
        ends = self._members(ends)
        which, flows = self._flows_at(ends.nodes)
        flags = core.flows.flags[flows]
        class_ = flags & CLASS
        of_dataset = core.nodes.kind[ends.nodes[which]] == DATASET
        kept = (flags & (DEAD | COVERED) == 0) & (class_ <= self._limit) & ((class_ > 0) | ~of_dataset)
        which, flows, class_, flags = which[kept], flows[kept], class_[kept], flags[kept]
        jobs = core.kinds.job[core.flows.kind[flows]]
        return self.strongest(
            Rows(
                jobs,
                np.maximum(ends.reach[which], class_.astype(np.int8)),
                ends.distance[which] + 1,
                ends.masked[which] | (flags & MASKED != 0),
            )
        )

    def _members(self, ends: Rows) -> Rows:
        """All members of the classes."""
        merged = np.flatnonzero(self._core.nodes.traits[ends.nodes] & MERGED)
        if not len(merged):
            return ends
        rings = [self._core.ring(node)[1:] for node in ends.nodes[merged].tolist()]
        others = ends.where(np.repeat(merged, [len(ring) for ring in rings]))
        return joined(ends, others.of(np.array([node for ring in rings for node in ring], np.int32)))

    def _flows_at(self, nodes: Ints) -> tuple[I64, I64]:
        """(position in nodes, flow) of all flows that begin (upstream: end) at the nodes."""
        core = self._core
        csr = core.outgoing if self._down else core.incoming
        which, flows = _in_csr(csr, nodes)
        newer = np.arange(core.folded, int(core.counts[N_FLOWS]))
        if len(newer):
            self._slots[nodes] = np.arange(len(nodes), dtype=np.int32)
            at = self._slots[(core.flows.start if self._down else core.flows.end)[newer]]
            self._slots[nodes] = NONE
            which = np.concatenate([which, at[at != NONE].astype(np.int64)])
            flows = np.concatenate([flows, newer[at != NONE]])
        return which, flows

    def _reading(self) -> Rows:
        """Jobs that read a reached dataset and name no output."""
        core = self._core
        n = int(core.counts[N_RELATIONS])
        reads = np.flatnonzero(core.relations.type[:n] == _READS)
        self._slots[self._datasets.nodes] = np.arange(len(self._datasets.nodes), dtype=np.int32)
        at = self._slots[core.nodes.rep[core.relations.end[reads]]]
        self._slots[self._datasets.nodes] = NONE
        reads, at = reads[at != NONE], at[at != NONE]
        heads = core.heads.of_rows(reads, 1).tolist()
        idle = np.array([core.heads.scope_of(head)[0] == _JOB_READS for head in heads], np.bool_)
        read = weakened(self._datasets.where(at[idle]))
        return read.of(core.relations.start[reads[idle]])._replace(distance=read.distance + 1)


def weakened(found: Rows) -> Rows:
    """The same, known only at a coarser grain."""
    return found._replace(reach=np.full(len(found.nodes), Reach.POSSIBLE, np.int8))


def _in_csr(csr: Csr, nodes: Ints) -> tuple[I64, I64]:
    known = np.flatnonzero(nodes < len(csr.ptr) - 1)
    begin, end = csr.ptr[nodes[known]], csr.ptr[nodes[known] + 1]
    lengths = end - begin
    offsets = np.cumsum(lengths) - lengths
    places = np.arange(int(lengths.sum())) - np.repeat(offsets, lengths) + np.repeat(begin, lengths)
    return np.repeat(known, lengths), csr.flow[places].astype(np.int64)
