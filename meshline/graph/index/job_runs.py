"""Which outputs of a job are stale, for a job with so many that they are not looked at again for each change of one of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import NamedTuple

_SPARE = 1_000  # times in the heap that may be of no output any more; or half of all


class Seen(NamedTuple):
    """When an output was last observed, and by which run: a hash of `parse_family`."""

    time: int
    run: int


class JobRuns:
    """The outputs of one job by their scope ids. A change takes as long as the outputs that become stale or current by it are many."""

    def __init__(self) -> None:
        self._seen: dict[int, Seen] = {}
        self._outputs: dict[int, set[int]] = defaultdict(set)  # by run
        self._runs: dict[int, Counter[int]] = defaultdict(Counter)  # by time: how many outputs each run has of it
        self._times: list[int] = []  # a heap of their negatives; some are of no output any more
        self._latest: frozenset[int] = frozenset()

    def is_stale(self, scope_id: int) -> bool:
        """Whether neither the latest run stated an output, nor a run of the same family."""
        return self._seen[scope_id].run not in self._latest

    def update(self, changed: Mapping[int, Seen | None]) -> set[int]:
        """Follow what was seen of outputs (None: they are gone); gives the outputs that may be stale or current by that, changed or not."""
        for scope_id, seen in changed.items():
            self._forget(scope_id)
            if seen is not None:
                self._record(scope_id, seen)
        while self._times and -self._times[0] not in self._runs:
            heappop(self._times)
        if len(self._times) > max(_SPARE, 2 * len(self._runs)):
            heapify(times := [-time for time in self._runs])
            self._times = times
        before, self._latest = self._latest, frozenset(self._runs[-self._times[0]] if self._times else ())
        affected = {scope_id for scope_id, seen in changed.items() if seen is not None}
        for run in before ^ self._latest:
            affected |= self._outputs.get(run, set())
        return affected

    def _record(self, scope_id: int, seen: Seen) -> None:
        self._seen[scope_id] = seen
        self._outputs[seen.run].add(scope_id)
        if seen.time not in self._runs:
            heappush(self._times, -seen.time)
        self._runs[seen.time][seen.run] += 1

    def _forget(self, scope_id: int) -> None:
        seen = self._seen.pop(scope_id, None)
        if seen is None:
            return
        self._outputs[seen.run].discard(scope_id)
        if not self._outputs[seen.run]:
            del self._outputs[seen.run]
        runs = self._runs[seen.time]
        runs[seen.run] -= 1
        if not runs[seen.run]:
            del runs[seen.run]
        if not runs:
            del self._runs[seen.time]
