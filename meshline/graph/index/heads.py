"""What the index keeps of every head: its source and scope, its times, and the places of its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from meshline.graph.index.arrays import I32, I64, NONE, U8, extend_array
from meshline.graph.index.head_columns import ScopeGroups, TextTable
from meshline.graph.index.job_runs import JobRuns, Seen
from meshline.graph.index.results import Ints, ScopeInfo, StatedScope
from meshline.graph.model import (
    CONTENT_REPLACED,
    DATASET_SCOPE,
    JOB_OUTPUT,
    PARTIAL_SCHEMA,
    QUERY,
    WHOLE_SCHEMA,
    Scope,
    is_partial_schema,
    parse_family,
    parse_source_kind,
)
from meshline.graph.store.base import Head
from meshline.graph.store.head_table import HeadTable, format_scope, parse_scope

# How the text of a job-output scope begins, and where its parts meet: within a part, quotes are escaped.
_JOB_OUTPUT = format_scope((JOB_OUTPUT, ""))[:-2]
_BETWEEN = '","'
_PARTIAL = f"{_BETWEEN}{PARTIAL_SCHEMA}{_BETWEEN}"
_QUERY = f'{_BETWEEN}{QUERY}"]'
_REPLACED = format_scope((CONTENT_REPLACED, ""))[:-2]
_DATASET = format_scope((DATASET_SCOPE, ""))[:-2]
_WHOLE = f'{_BETWEEN}{WHOLE_SCHEMA}"]'
_WHOLE_PARTS = 4  # of the scope of a whole schema
IN_PARTS, IN_WHOLE = 1, 2  # how a scope of OpenLineage lists the columns of its dataset
_NUMBERS = (
    "scope_id",
    "observed_at",
    "valid_from",
    "last_observed",
    "run",
    "source",
    "provisional",
    "stale",
    "replaced",
    "refollowed",
    "listing",
    "job",
    "part",
    "dataset",
    "digests",
)
_DIGEST = np.dtype("V16")
QUERIES, REPLACED, IN_SOME = 1, 2, 3  # by the dataset: queries that write it, scopes on its replaced content, scopes that list some columns
_OUTPUT_PARTS = 5  # of a job-output scope
_NEVER = np.iinfo(np.int64).min
FEW = 100  # outputs of a job that are all looked at when one changes


# The tables that have rows of heads: columns of `Heads.starts`.
FLOWS, RELATIONS, FACTS, MENTIONS = range(4)


class Heads:
    """Heads by number, in the order in which they were read; one for each scope is alive."""

    SAVED: ClassVar[Mapping[str, Any]] = {"n": int, "sources": list[str], "_source_numbers": dict[str, int]}
    NUMBERS: ClassVar[tuple[str, ...]] = (*_NUMBERS, "alive")  # arrays with an element for each head

    def __init__(self, salt: int) -> None:
        """`salt`: begins the hashes of jobs, runs and datasets, which are the same in all processes that share the index's arrays."""
        self._key = salt.to_bytes(8, "little")
        self.n = 0
        self.renumbered = 0  # how often heads and their rows were renumbered
        self.scope_id: I64 = np.empty(0, np.int64)
        self.observed_at: I64 = np.empty(0, np.int64)
        self.valid_from: I64 = np.empty(0, np.int64)
        self.last_observed: I64 = np.empty(0, np.int64)
        self.run: I64 = np.empty(0, np.int64)  # of job-output heads: a hash of `parse_family`; else 0
        self.job: I64 = np.empty(0, np.int64)  # of job-output heads: a hash of the job (`parse_job`); else 0
        self.part: U8 = np.empty(0, np.uint8)  # QUERIES, REPLACED, IN_SOME, or 0
        self.dataset: I64 = np.empty(0, np.int64)  # of heads with a part: a hash of the dataset; else 0
        self.source: I32 = np.empty(0, np.int32)
        self.provisional: U8 = np.empty(0, np.uint8)
        self.stale: U8 = np.empty(0, np.uint8)
        self.replaced: U8 = np.empty(0, np.uint8)  # of queries: whether their output was replaced since
        self.refollowed: I64 = np.empty(0, np.int64)  # how often other heads changed which of its flows are followed
        self.listing: U8 = np.empty(0, np.uint8)  # IN_PARTS, IN_WHOLE, or 0
        self.alive: U8 = np.empty(0, np.uint8)
        self.starts: I64 = np.zeros((1, 4), np.int64)  # rows of head h: starts[h]..starts[h + 1] in flows, relations, facts, mentions
        self.digests: npt.NDArray[np.void] = np.empty(0, _DIGEST)  # of contents
        self.scopes = TextTable()  # see `format_scope`
        self.sources: list[str] = []
        self.by_scope: I32 = np.full(64, NONE, np.int32)
        self._source_numbers: dict[str, int] = {}
        self._in_some: int | None = None  # how many alive heads have the part IN_SOME; None: not counted yet
        self._jobs = ScopeGroups(self._list_jobs)
        self._runs: dict[int, JobRuns] = {}  # by the hash of the job, of those with more than `FEW` outputs that changed
        self._parts = {part: ScopeGroups(partial(self._list_parts, part)) for part in (QUERIES, REPLACED, IN_SOME)}

    def find_current(self, scope_id: int) -> int:
        """The number of the scope's head, or NONE."""
        return int(self.by_scope[scope_id]) if scope_id < len(self.by_scope) else NONE

    def add(self, heads: HeadTable) -> int:
        """Number these heads; gives the number of the first."""
        first, n = self.n, self.n + len(heads)
        self._reserve(n)
        new = slice(first, n)
        self.scope_id[new] = heads.scope_ids
        self.observed_at[new] = heads.observed_at
        self.valid_from[new] = heads.valid_from
        self.last_observed[new] = heads.last_observed
        numbers = {source: self.number_source(source) for source in set(heads.sources)}
        self.source[new] = [numbers[source] for source in heads.sources]
        self.provisional[new] = heads.provisional
        self.stale[new] = 0
        self.replaced[new] = 0
        self.refollowed[new] = 0
        self.listing[new] = [_classify_listing(scope) for scope in heads.scopes]
        self.alive[new] = 1
        self.digests[new] = np.frombuffer(b"".join(heads.digests), _DIGEST)
        self.scopes.add(heads.scopes)
        self.run[new] = self.job[new] = self.dataset[new] = self.part[new] = 0
        for head, scope_id, scope in zip(range(first, n), heads.scope_ids, heads.scopes, strict=True):
            if scope.startswith(_JOB_OUTPUT):
                self.run[head] = self._hash(parse_family(heads.versions[head - first]))
                self.job[head] = job = self._hash(_parse_job(scope))
                self._jobs.add(job, scope_id)
                if _is_query(scope):
                    self._add_part(head, QUERIES, _parse_output(scope))
            elif _PARTIAL in scope:
                if is_partial_schema(parsed := parse_scope(scope)):
                    self._add_part(head, IN_SOME, _format_dataset(parsed))
            elif scope.startswith(_REPLACED):
                self._add_part(head, REPLACED, _parse_content(scope))
        top = int(self.scope_id[new].max(initial=0)) + 1
        if top > len(self.by_scope):
            known = len(self.by_scope)
            self.by_scope = extend_array(self.by_scope, known, top)
            self.by_scope[known:] = NONE
        self.by_scope[self.scope_id[new]] = np.arange(first, n, dtype=np.int32)
        self.n = n
        return first

    def copy(self, head: int) -> int:
        """Allocate a new number for a head whose rows are rewritten; the old number is dead."""
        self._reserve(self.n + 1)
        new = self.n
        for name in _NUMBERS:
            array = getattr(self, name)
            array[new] = array[head]
        self.alive[head], self.alive[new] = 0, 1
        self.scopes.add([self.scopes[head]])
        self.by_scope[self.scope_id[head]] = new
        self.n += 1
        return new

    def remove(self, head: int) -> None:
        scope_id = int(self.scope_id[head])
        self.alive[head] = 0
        self.by_scope[scope_id] = NONE
        if self.job[head]:
            self._jobs.drop(int(self.job[head]), scope_id)
        if self.part[head]:
            self._parts[int(self.part[head])].drop(int(self.dataset[head]), scope_id)
            if self._in_some is not None and self.part[head] == IN_SOME:
                self._in_some -= 1

    def _add_part(self, head: int, part: int, dataset: str) -> None:
        self.part[head], self.dataset[head] = part, self._hash(dataset)
        self._parts[part].add(int(self.dataset[head]), int(self.scope_id[head]))
        if self._in_some is not None and part == IN_SOME:
            self._in_some += 1

    def has_partial(self) -> bool:
        """Whether a scope lists only some columns of a dataset."""
        if self._in_some is None:
            self._in_some = len(self._list_parts(IN_SOME)[0])
        return self._in_some > 0

    def is_listed_in_parts(self, dataset: Scope) -> bool:
        """Whether a scope lists only some columns of this dataset: ("dataset", ns, name)."""
        return self.has_partial() and bool(self._parts[IN_SOME].find(self._hash(_format_dataset(dataset))))

    def _list_jobs(self) -> tuple[I64, I64]:
        own = np.flatnonzero((self.alive[: self.n] != 0) & (self.job[: self.n] != 0))
        return self.job[own], self.scope_id[own]

    def _list_parts(self, part: int) -> tuple[I64, I64]:
        own = np.flatnonzero((self.alive[: self.n] != 0) & (self.part[: self.n] == part))
        return self.dataset[own], self.scope_id[own]

    def _hash(self, text: str) -> int:
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=self._key).digest(), "little", signed=True)

    def retime(self, head: int, now: Head) -> None:
        """Update the times of a head whose content is the same."""
        self.observed_at[head], self.valid_from[head], self.last_observed[head] = now.observed_at, now.valid_from, now.last_observed
        self.provisional[head] = now.provisional
        if self.run[head]:
            self.run[head] = self._hash(parse_family(now.version))

    def find_all_current(self, scope_ids: I64) -> Ints:
        """The numbers of the scopes' heads (int32), or NONE."""
        found = np.full(len(scope_ids), NONE, np.int32)
        known = scope_ids < len(self.by_scope)
        found[known] = self.by_scope[scope_ids[known]]
        return found

    def list_digests(self) -> npt.NDArray[np.void]:
        """By scope id: the digest of the content of its head, if that is not provisional, else zeros."""
        found = self._list_all_digests(len(self.by_scope))
        scope_ids = np.flatnonzero(self.by_scope != NONE)
        found[scope_ids[self.provisional[self.by_scope[scope_ids]] != 0]] = np.zeros(1, _DIGEST)
        return found

    def list_differing(self, other: Heads) -> list[int]:
        """The ids of the scopes that have other content there, or content in one of both alone; in ascending order."""
        size = max(len(self.by_scope), len(other.by_scope))
        differing: list[int] = np.flatnonzero(self._list_all_digests(size) != other._list_all_digests(size)).tolist()
        return differing

    def _list_all_digests(self, size: int) -> npt.NDArray[np.void]:
        """By scope id, as many as `size`: the digest of the content of its head; zeros without one."""
        found = np.zeros(size, _DIGEST)
        scope_ids = np.flatnonzero(self.by_scope != NONE)
        found[scope_ids] = self.digests[self.by_scope[scope_ids]]
        return found

    def retime_all(self, heads: Ints, observed_at: I64, valid_from: I64, versions: Sequence[str]) -> None:
        """The same as `retime` for heads that are not provisional."""
        self.observed_at[heads] = self.last_observed[heads] = observed_at
        self.valid_from[heads] = valid_from
        self._runs.clear()
        for place in np.flatnonzero(self.run[heads]).tolist():
            self.run[heads[place]] = self._hash(parse_family(versions[place]))

    def compact(self, kept: int) -> None:
        """Forget the heads that are not alive; `IndexTables.compact` has removed their rows."""
        alive = np.flatnonzero(self.alive[: self.n])
        for name in self.NUMBERS:
            setattr(self, name, getattr(self, name)[alive])
        self.scopes.keep(alive)
        self.starts = self.starts[: kept + 1].copy()
        self.by_scope[self.scope_id] = np.arange(kept, dtype=np.int32)
        self.n = kept
        self.renumbered += 1

    def find_of_rows(self, rows: I64, table: int) -> Ints:
        """The heads (int32) of these rows of a table: FLOWS, RELATIONS, FACTS or MENTIONS."""
        return (np.searchsorted(self.starts[: self.n + 1, table], rows, side="right") - 1).astype(np.int32)

    def get_scope(self, head: int) -> Scope:
        return parse_scope(self.scopes[head])

    def get_source(self, head: int) -> str:
        return str(self.sources[self.source[head]])

    def list_statements(self, source: str) -> dict[Scope, StatedScope]:
        """The current statements of a source, by scope."""
        number = self._source_numbers.get(source)
        if number is None:
            return {}
        own = np.flatnonzero((self.alive[: self.n] != 0) & (self.source[: self.n] == number)).tolist()
        return {
            self.get_scope(head): StatedScope(self.digests[head].tobytes(), int(self.observed_at[head]), int(self.scope_id[head]))
            for head in own
        }

    def list_alive(self, sources: Iterable[str]) -> I64:
        """The alive heads of sources, ascending."""
        numbers = [number for source in sources if (number := self._source_numbers.get(source)) is not None]
        return np.flatnonzero((self.alive[: self.n] != 0) & np.isin(self.source[: self.n], numbers))

    def list_scopes(self, kinds: Collection[str]) -> list[Scope]:
        """The scopes of these kinds (their first part) that have an alive head."""
        beginnings = tuple(format_scope((kind, ""))[:-2] for kind in kinds)
        alive = self.alive[: self.n].tolist()
        return [parse_scope(text) for text, is_alive in zip(self.scopes, alive, strict=False) if is_alive and text.startswith(beginnings)]

    def find_newest_time(self, kind: str) -> int:
        """The newest time of a statement of the sources of a kind, in microseconds; 0: there is none."""
        numbers = [number for source, number in self._source_numbers.items() if parse_source_kind(source) == kind]
        own = (self.alive[: self.n] != 0) & np.isin(self.source[: self.n], numbers)
        return int(self.observed_at[: self.n][own].max(initial=0))

    def find_unused_scope_id(self) -> int:
        """A scope id that no head has."""
        return int(self.scope_id[: self.n].max(initial=0)) + 1

    def get_info(self, head: int) -> ScopeInfo:
        return ScopeInfo(
            int(self.scope_id[head]),
            self.get_source(head),
            self.get_scope(head),
            int(self.observed_at[head]),
            int(self.valid_from[head]),
            int(self.last_observed[head]),
            bool(self.provisional[head]),
            bool(self.stale[head]),
            self.digests[head].tobytes(),
        )

    def update_stale(self, changed: Iterable[Head] | None = None) -> list[int]:
        """Compute which job-output heads are stale, as far as these heads change it, or for all; gives those that changed.

        A head is stale if neither the job's latest run stated it, nor a run of the same family (`parse_family`).
        """
        if changed is None:
            return self._update_all_stale()
        by_job: dict[str, list[int]] = {}
        for head in changed:
            if (job := self.parse_job(head.scope)) is not None:
                by_job.setdefault(job, []).append(head.scope_id)
        return [head for job, scope_ids in by_job.items() for head in self._update_stale_of(self._hash(job), scope_ids)]

    def _update_stale_of(self, job: int, changed: Collection[int]) -> list[int]:
        """The same for one job, of which the outputs with these scope ids changed."""
        runs = self._runs.get(job)
        if runs is None:
            of_job = self._jobs.find(job)
            if len(of_job) <= FEW:
                return self._update_few_stale(list(of_job))
            runs, changed = self._runs.setdefault(job, JobRuns()), of_job
        found = [
            (int(self.by_scope[scope_id]), runs.is_stale(scope_id))
            for scope_id in runs.update({scope_id: self._get_seen(scope_id) for scope_id in changed})
        ]
        switched = [(head, stale) for head, stale in found if stale != bool(self.stale[head])]
        for head, stale in switched:
            self.stale[head] = stale
        return [head for head, _ in switched]

    def _get_seen(self, scope_id: int) -> Seen | None:
        head = self.find_current(scope_id)
        return None if head == NONE else Seen(int(self.last_observed[head]), int(self.run[head]))

    def _update_few_stale(self, of_job: list[int]) -> list[int]:
        """The same for all outputs of a job (scope ids)."""
        if len(of_job) < 2:  # the usual job, at each of its runs: its only head is of its latest run
            switched = [int(head) for head in self.by_scope[of_job] if self.stale[head]]
            self.stale[switched] = False
            return switched
        heads = self.by_scope[of_job]
        seen = self.last_observed[heads]
        latest = seen == seen.max()
        stale = ~(latest | np.isin(self.run[heads], self.run[heads[latest]]))
        changed: list[int] = heads[stale != (self.stale[heads] != 0)].tolist()
        self.stale[heads] = stale
        return changed

    def _update_all_stale(self) -> list[int]:
        """The same for all jobs at once."""
        heads = np.flatnonzero((self.alive[: self.n] != 0) & (self.job[: self.n] != 0))
        jobs, job = np.unique(self.job[heads], return_inverse=True)
        runs, run = np.unique(self.run[heads], return_inverse=True)
        seen = self.last_observed[heads]
        newest = np.full(len(jobs), _NEVER)
        np.maximum.at(newest, job, seen)
        latest = seen == newest[job]
        run_of_job = job * len(runs) + run
        stale = ~(latest | np.isin(run_of_job, run_of_job[latest]))
        changed: list[int] = heads[stale != (self.stale[heads] != 0)].tolist()
        self.stale[heads] = stale
        return changed

    def update_replaced(self, changed: Iterable[Head] | None = None) -> list[int]:
        """Compute which queries had their output replaced since, as far as these heads change it, or for all; gives those that changed."""
        found: list[int] = []
        for dataset, queries in (self._list_all_queries() if changed is None else self._collect_queries(changed)).items():
            heads = self.by_scope[list(queries)]
            times = self.observed_at[self.by_scope[list(self._parts[REPLACED].find(dataset))]]
            replaced = self.observed_at[heads] < times.max(initial=_NEVER)
            for i in np.flatnonzero(replaced != (self.replaced[heads] != 0)):
                self.replaced[heads[i]] = replaced[i]
                self.refollowed[heads[i]] += 1
                found.append(int(heads[i]))
        return found

    def _list_all_queries(self) -> dict[int, Collection[int]]:
        return {dataset: self._parts[QUERIES].find(dataset) for dataset in np.unique(self._list_parts(QUERIES)[0]).tolist()}

    def _collect_queries(self, changed: Iterable[Head]) -> dict[int, Collection[int]]:
        """The queries to examine, by the dataset that they write: all that write a replaced dataset, else those that changed."""
        whole: set[int] = set()
        found: dict[int, dict[int, None]] = {}
        for head in changed:
            kind = head.scope[0]
            if kind == CONTENT_REPLACED:
                whole.add(self._hash(_parse_content(format_scope(head.scope))))
            elif kind == JOB_OUTPUT and head.scope[-1] == QUERY and self.find_current(head.scope_id) != NONE:
                text = format_scope(head.scope)
                if _is_query(text):
                    found.setdefault(self._hash(_parse_output(text)), {})[head.scope_id] = None
        return {**found, **{dataset: self._parts[QUERIES].find(dataset) for dataset in whole}}

    def list_outputs(self, job: str) -> list[int]:
        """The job-output heads of a job (see `parse_job`)."""
        return [self.find_current(scope_id) for scope_id in self._jobs.find(self._hash(job))]

    def find_job(self, head: int) -> str | None:
        """The text that identifies the job of a head (see `parse_job`); None if its scope is no output of a job."""
        scope = self.scopes[head]
        return _parse_job(scope) if scope.startswith(_JOB_OUTPUT) else None

    @staticmethod
    def format_job_name(job: Sequence[str]) -> str:
        """The text that identifies a job, by the parts of its key (see `parse_job`)."""
        return _parse_job(format_scope((JOB_OUTPUT, *job, "")))

    @staticmethod
    def parse_job(scope: Scope) -> str | None:
        """The text that identifies the job of a job-output scope; None for other scopes."""
        return _parse_job(format_scope(scope)) if scope[0] == JOB_OUTPUT else None

    def number_source(self, source: str) -> int:
        number = self._source_numbers.get(source)
        if number is None:
            number = self._source_numbers[source] = len(self.sources)
            self.sources.append(source)
        return number

    def _reserve(self, n: int) -> None:
        for name in self.NUMBERS:
            setattr(self, name, extend_array(getattr(self, name), self.n, n))
        if len(self.starts) < n + 1:
            starts = np.empty((max(n + 1, 2 * len(self.starts)), 4), np.int64)
            starts[: self.n + 1] = self.starts[: self.n + 1]
            self.starts = starts


def _classify_listing(scope: str) -> int:
    if scope.endswith(_WHOLE) and scope.startswith(_DATASET) and scope.count(_BETWEEN) == _WHOLE_PARTS - 1:
        return IN_WHOLE
    return IN_PARTS if _PARTIAL in scope and is_partial_schema(parse_scope(scope)) else 0


def _is_query(scope: str) -> bool:
    """Whether the text of a job-output scope belongs to a job that is one query; a dataset may have that name, too."""
    return scope.endswith(_QUERY) and scope.count(_BETWEEN) == _OUTPUT_PARTS


def _parse_output(scope: str) -> str:
    """The dataset in the text of a job-output scope."""
    return _BETWEEN.join(scope.split(_BETWEEN)[3:5])


def _parse_content(scope: str) -> str:
    """The dataset in the text of a scope about its content."""
    return _BETWEEN.join(scope.removesuffix('"]').split(_BETWEEN)[1:3])


def _format_dataset(scope: Scope) -> str:
    """What identifies the dataset of a scope ("dataset", ns, name, ...)."""
    return format_scope(scope[:3])


def _parse_job(scope: str) -> str:
    """The text of a job-output scope without its dataset."""
    return _BETWEEN.join(scope.split(_BETWEEN, 3)[:3])
