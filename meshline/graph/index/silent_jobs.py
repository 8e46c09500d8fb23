"""Jobs whose producer states no filters, joins or other INDIRECT influence: their inputs may have more effect than is known.

Of such a job only the copied values are known: DIRECT flows between columns, without a subtype, as openlineage-sql sends them.
A job is silent about an input and an output, unless it states more about the two (a subtype or an INDIRECT flow: then its SQL
was read), a source without jobs does (a dbt project, the definition of a view), or all of the output is POSSIBLE anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from meshline.graph.index.arrays import COLUMN, N_NODES, NONE, U8
from meshline.graph.index.index_tables import IndexTables, NodeSlots
from meshline.graph.index.kernels import collect
from meshline.graph.index.results import Direction, Flags, Ints, Reach
from meshline.graph.model import SILENT_ON_FILTERS, Json

_ROOM = 1024  # rows for which there is room at first
_NOTHING: Ints = np.empty(0, np.int32)
_ANY: U8 = np.ones(1, np.uint8)


class SilentJobs:
    """The jobs for which a source states such a producer."""

    SAVED: ClassVar[Mapping[str, Any]] = {"_of_scope": dict[int, dict[int, int]], "_stated": dict[int, dict[int, int]]}

    def __init__(self, tables: IndexTables) -> None:
        self._tables = tables
        self._of_scope: dict[int, dict[int, int]] = {}  # scope id -> job -> bit of the producer
        self._stated: dict[int, dict[int, int]] = {}  # job -> scope id -> bit
        self._array: U8 = np.zeros(0, np.uint8)

    def restore(self, array: U8) -> None:
        """Set `array`, as it was."""
        self._array = array

    def record(self, scope_id: int, job: int, attributes: Mapping[str, Json]) -> None:
        """Record the producer that a head states for a job."""
        integration = attributes.get("integration")
        producer = integration.strip().upper() if isinstance(integration, str) else ""
        if producer in SILENT_ON_FILTERS:
            bit = 1 << SILENT_ON_FILTERS.index(producer)
            self._of_scope.setdefault(scope_id, {})[job] = bit
            self._stated.setdefault(job, {})[scope_id] = bit
            self._mark(job)

    def withdraw(self, scope_id: int) -> None:
        """Forget what the withdrawn head of a scope stated."""
        for job in self._of_scope.pop(scope_id, ()):
            del self._stated[job][scope_id]
            self._mark(job)
            if not self._stated[job]:
                del self._stated[job]

    def has_jobs(self) -> bool:
        return bool(self._stated)

    @property
    def array(self) -> U8:
        """uint8 array by node: the bits of its producers; 0 except for silent jobs."""
        n = int(self._tables.counts[N_NODES])
        if len(self._array) < n:
            larger: U8 = np.zeros(max(n, 2 * len(self._array)), np.uint8)
            larger[: len(self._array)] = self._array
            self._array = larger
        return self._array

    def list_producers(self, jobs: Ints) -> tuple[str, ...]:
        """The producers of these jobs, sorted."""
        bits = int(np.bitwise_or.reduce(self.array[jobs])) if len(jobs) else 0
        return tuple(producer for i, producer in enumerate(SILENT_ON_FILTERS) if bits >> i & 1)

    def list_jobs(self) -> dict[int, tuple[str, ...]]:
        """All silent jobs, each with its producers."""
        return {job: self.list_producers(np.array([job], np.int32)) for job in self._stated}

    def _mark(self, job: int) -> None:
        self.array[job] = int(np.bitwise_or.reduce([0, *self._stated[job].values()]))


class _Found(NamedTuple):
    """Jobs that carry data from `near` to `far` (upstream: the reverse): int32 arrays of equal length.

    Datasets are representatives; a job may be NONE.
    """

    near: Ints
    far: Ints
    jobs: Ints


def find_silent_jobs(
    tables: IndexTables,
    silent: SilentJobs,
    slots: NodeSlots,
    answer: tuple[Ints, Ints],
    direction: Direction,
    weakest: Reach,
    wanted: U8 | None,
) -> Ints:
    """The silent jobs that read (upstream: write) the datasets of the starts and of the reached nodes: int32, sorted.

    `answer`: the starts, and the reached nodes; `weakest`: the weakest class to follow; `wanted`: by flow, whether it counts; None: all.
    """
    if not silent.has_jobs() or weakest < Reach.INDIRECT or (empty := tables.find_name("")) == NONE:
        return _NOTHING
    nodes = tables.nodes
    reached = np.concatenate(answer)
    own = np.where(nodes.kind[reached] == COLUMN, nodes.part1[reached], reached)
    datasets, _ = slots.number_distinct(nodes.rep[own])
    search = _Search(tables, silent.array, slots, empty, direction, weakest, wanted)
    copied = search.find_flows(datasets, stated=False)
    if not len(copied.jobs):
        return _NOTHING
    stated = search.find_flows(np.unique(copied.near), stated=True)
    return np.unique(copied.jobs[~_is_among(copied, stated)])


def _is_among(copied: _Found, stated: _Found) -> Flags:
    """For each row of `copied`: whether the same job, or a source without jobs, states more about the same two datasets."""
    near, far, jobs = (np.concatenate(columns).astype(np.int64) for columns in zip(copied, stated, strict=True))
    pairs = np.unique(near << 32 | far, return_inverse=True)[1]
    by_job = pairs << 32 | jobs
    n = len(copied.jobs)
    among: Flags = np.isin(by_job[:n], by_job[n:][stated.jobs != NONE]) | np.isin(pairs[:n], pairs[n:][stated.jobs == NONE])
    return among


class _Search:
    """Searches the flows of datasets in one direction."""

    def __init__(
        self, tables: IndexTables, silent: U8, slots: NodeSlots, empty: int, direction: Direction, weakest: Reach, wanted: U8 | None
    ) -> None:
        down = direction is Direction.DOWNSTREAM
        self._flows = (
            tables.nodes,
            tables.outgoing if down else tables.incoming,
            tables.nodes.over_out if down else tables.nodes.over_in,
            tables.overlay.next_out if down else tables.overlay.next_in,
            tables.flows.end if down else tables.flows.start,
            tables.folded,
            tables.flows,
            tables.kinds,
            0 if wanted is None else 1,
            _ANY if wanted is None else wanted,
        )
        self._silent = silent
        self._slots = slots
        self._empty = empty
        self._weakest = int(weakest)

    def find_flows(self, datasets: Ints, *, stated: bool) -> _Found:
        room = _ROOM
        while True:
            near, far, jobs = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int32)
            n = collect.find_copies(
                datasets, self._silent, self._empty, self._weakest, int(stated), *self._flows, self._slots.array, near, far, jobs
            )
            if n <= room:
                return _Found(near[:n], far[:n], jobs[:n])
            room = n
