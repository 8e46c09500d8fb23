"""What the index keeps of every head: whose it is, its times, and where its rows are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from meshline.graph.index.answers import Ints, ScopeInfo
from meshline.graph.index.tables import I32, I64, NONE, U8, extended
from meshline.graph.model import JOB_OUTPUT, Scope
from meshline.graph.store.base import Head

_scope_decoder = msgspec.msgpack.Decoder(Scope)
_encode = msgspec.msgpack.Encoder().encode


class Heads:
    """Heads by number, in the order in which they were read; one per scope is alive."""

    def __init__(self) -> None:
        self.n = 0
        self.scope_id: I64 = np.empty(0, np.int64)
        self.observed_at: I64 = np.empty(0, np.int64)
        self.valid_from: I64 = np.empty(0, np.int64)
        self.last_observed: I64 = np.empty(0, np.int64)
        self.source: I32 = np.empty(0, np.int32)
        self.provisional: U8 = np.empty(0, np.uint8)
        self.stale: U8 = np.empty(0, np.uint8)
        self.alive: U8 = np.empty(0, np.uint8)
        self.starts: I64 = np.zeros((1, 4), np.int64)  # rows of head h: starts[h]..starts[h + 1] in flows, relations, facts, mentions
        self.digests: list[bytes] = []
        self.scopes: list[bytes] = []
        self.sources: list[str] = []
        self.by_scope: I32 = np.full(64, NONE, np.int32)
        self._source_numbers: dict[str, int] = {}
        self._jobs: dict[tuple[str, ...], list[int]] = {}  # scope ids of the job-output scopes of each job

    def current(self, scope_id: int) -> int:
        """The number of the scope's head, or NONE."""
        return int(self.by_scope[scope_id]) if scope_id < len(self.by_scope) else NONE

    def add(self, heads: Sequence[Head]) -> int:
        """Number these heads; the number of the first."""
        first, n = self.n, self.n + len(heads)
        self._reserve(n)
        new = slice(first, n)
        ids, sources, scopes, observed, valid, last, _, provisional, contents = zip(*heads, strict=True)
        self.scope_id[new] = ids
        self.observed_at[new] = observed
        self.valid_from[new] = valid
        self.last_observed[new] = last
        self.source[new] = [self.source_number(source) for source in sources]
        self.provisional[new] = provisional
        self.stale[new] = 0
        self.alive[new] = 1
        self.digests += [content.digest for content in contents]
        self.scopes += map(_encode, scopes)
        for scope_id, scope in zip(ids, scopes, strict=True):
            if scope[0] == JOB_OUTPUT:
                self._jobs.setdefault(scope[1:3], []).append(scope_id)
        top = int(self.scope_id[new].max(initial=0)) + 1
        if top > len(self.by_scope):
            known = len(self.by_scope)
            self.by_scope = extended(self.by_scope, known, top)
            self.by_scope[known:] = NONE
        self.by_scope[self.scope_id[new]] = np.arange(first, n, dtype=np.int32)
        self.n = n
        return first

    def copy(self, head: int) -> int:
        """A new number for a head whose rows are cast anew; the old one is dead."""
        self._reserve(self.n + 1)
        new = self.n
        for array in (self.scope_id, self.observed_at, self.valid_from, self.last_observed, self.source, self.provisional, self.stale):
            array[new] = array[head]
        self.alive[head], self.alive[new] = 0, 1
        self.digests.append(self.digests[head])
        self.scopes.append(self.scopes[head])
        self.by_scope[self.scope_id[head]] = new
        self.n += 1
        return new

    def remove(self, head: int) -> None:
        self.alive[head] = 0
        self.by_scope[self.scope_id[head]] = NONE
        scope = self.scope_of(head)
        if scope[0] == JOB_OUTPUT:
            of_job = self._jobs[scope[1:3]]
            of_job.remove(int(self.scope_id[head]))
            if not of_job:
                del self._jobs[scope[1:3]]

    def retime(self, head: int, now: Head) -> None:
        """The scope says the same, at other times."""
        self.observed_at[head], self.valid_from[head], self.last_observed[head] = now.observed_at, now.valid_from, now.last_observed
        self.provisional[head] = now.provisional

    def compacted(self, kept: int) -> None:
        """Forget the heads that are not alive; their rows are gone already (`compact`)."""
        alive = np.flatnonzero(self.alive[: self.n])
        for name in ("scope_id", "observed_at", "valid_from", "last_observed", "source", "provisional", "stale", "alive"):
            setattr(self, name, getattr(self, name)[alive])
        self.digests = [self.digests[h] for h in alive]
        self.scopes = [self.scopes[h] for h in alive]
        self.starts = self.starts[: kept + 1].copy()
        self.by_scope[self.scope_id] = np.arange(kept, dtype=np.int32)
        self.n = kept

    def of_rows(self, rows: I64, table: int) -> Ints:
        """The heads of these rows of a table: 0 flows, 1 relations, 2 facts, 3 mentions."""
        return (np.searchsorted(self.starts[: self.n + 1, table], rows, side="right") - 1).astype(np.int32)

    def scope_of(self, head: int) -> Scope:
        return _scope_decoder.decode(self.scopes[head])

    def source_of(self, head: int) -> str:
        return str(self.sources[self.source[head]])

    def info(self, head: int) -> ScopeInfo:
        return ScopeInfo(
            int(self.scope_id[head]),
            self.source_of(head),
            self.scope_of(head),
            int(self.observed_at[head]),
            int(self.valid_from[head]),
            int(self.last_observed[head]),
            bool(self.provisional[head]),
            bool(self.stale[head]),
        )

    def restale(self, jobs: Iterable[tuple[str, ...]] | None = None) -> list[int]:
        """Find out which job-output heads are stale, of these jobs or of all; those that changed."""
        changed: list[int] = []
        for job in self._jobs if jobs is None else jobs:
            of_job = self._jobs.get(job, ())
            if not of_job or (jobs is None and len(of_job) == 1):
                continue
            heads = self.by_scope[of_job]
            seen = self.last_observed[heads]
            stale = seen < seen.max()
            for i in np.flatnonzero(stale != (self.stale[heads] != 0)):
                self.stale[heads[i]] = stale[i]
                changed.append(int(heads[i]))
        return changed

    def source_number(self, source: str) -> int:
        number = self._source_numbers.get(source)
        if number is None:
            number = self._source_numbers[source] = len(self.sources)
            self.sources.append(source)
        return number

    def _reserve(self, n: int) -> None:
        for name in ("scope_id", "observed_at", "valid_from", "last_observed", "source", "provisional", "stale", "alive"):
            setattr(self, name, extended(getattr(self, name), self.n, n))
        if len(self.starts) < n + 1:
            starts = np.empty((max(n + 1, 2 * len(self.starts)), 4), np.int64)
            starts[: self.n + 1] = self.starts[: self.n + 1]
            self.starts = starts
