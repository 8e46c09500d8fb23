"""Graphs of past times: an index of each, made of the index that is kept in a file and of what was different then.

An index is mapped from the file, which takes no time, and gets the times and the contents that statements had. Its memory is that of the
pages which this changes: all others are shared with the file's other indexes, also those of other processes. Where more was different than
reading the whole graph of the time takes, or there is no file, that is read.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from itertools import compress
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np

from meshline.errors import LimitExceeded, StoreUnavailable
from meshline.graph.batches import yield_batches
from meshline.graph.content import decode_facts
from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.index.results import Digests, HeadTimes, KnownLater, Longs
from meshline.graph.model import AssetKind, EdgeType, parse_source_kind
from meshline.graph.store.base import Changes, Head, PastReader, Store

T = TypeVar("T")

MOST = 16  # cached indexes of past times
BYTES = 2**30  # that the cached indexes take together in memory of their own, unless a single one takes more
BUILD_SECONDS = 120.0  # limit for reading one past time
DIFFERENT_SHARE = 2  # all is read if more than this part of the statements that were the same was different: a half
READ_AT_ONCE = 5_000  # statements whose contents are read together
SCOPES_AT_ONCE = 500  # scopes whose histories are read together
FOLLOWED = 10_000  # commits that are remembered, for the indexes that are built meanwhile

Kinds: TypeAlias = Mapping[EdgeType, Collection[str]]  # by type of relation, the kinds of sources that state any
Stating: TypeAlias = Mapping[EdgeType, Mapping[str, Sequence[int]]]  # see `OwnershipFacet.list_all_scopes_stating`
Load: TypeAlias = Callable[[float], tuple[LineageIndex, Kinds]]


class _Build(NamedTuple):
    """An index that is being built. `revision`: it contains at least all commits up to there, and `KnownLater` is of them."""

    revision: int
    found: Future[LineageIndex]


class _Commit(NamedTuple):
    """What indexes of past times need to know of the changes between two revisions. `stated`: what kinds of sources state since."""

    since: int
    revision: int
    earliest: int | None
    kinds: frozenset[str]
    stated: Kinds


@dataclass
class _Past:
    """An index of a past time. `kinds`: which kinds of sources stated which relations then; `valid`: the revision up to which it is known
    to show all. Its graph may be newer than what it knows of later times (`KnownLater`).
    """

    lineage: LineageIndex
    as_of: int
    size: int
    kinds: Kinds
    valid: int

    def follow(self, commit: _Commit) -> None:
        """Note that a commit has changed nothing of this time, unless it has, or may have."""
        if not commit.since <= self.valid < commit.revision:
            return
        later, is_newer = self.lineage.known_later, commit.revision > self.lineage.revision
        times = [*(known.since for known in later), *([self.as_of] if is_newer else [])]
        if any(commit.earliest is None or commit.earliest <= at for at in times):
            return
        if any(known.source_kind in commit.kinds for known in later):
            return
        if all(kind in self.kinds[type_] for type_, stated in commit.stated.items() for kind in stated):
            self.valid = commit.revision
            if is_newer:
                self.lineage.confirm(commit.revision)


class PastIndexes:
    """A cache of indexes as of past times. Thread-safe; the indexes themselves are not: use one only under the graph's lock."""

    def __init__(self) -> None:
        self._turn = threading.Lock()  # guards the fields below
        self._known: OrderedDict[int, _Past] = OrderedDict()
        self._builds: dict[int, _Build] = {}
        self._commits: deque[_Commit] = deque(maxlen=FOLLOWED)
        self._one = threading.Semaphore()  # one build at a time: it uses a processor, and perhaps as much memory as the graph

    def __len__(self) -> int:
        return len(self._known)

    @property
    def is_used(self) -> bool:
        """Whether an index is cached or being built, so that it is to `follow` the graph."""
        return bool(self._known or self._builds)

    def find(self, as_of: int, revision: int) -> LineageIndex | None:
        """The cached index as of a time (microseconds) that contains this revision; None if there is none."""
        with self._turn:
            found = self._known.get(as_of)
            if found is None or found.valid < revision:
                return None
            self._known.move_to_end(as_of)
            return found.lineage

    def get(self, as_of: int, revision: int, now: int, deadline: float | None, load: Load) -> LineageIndex:
        """The index as of a time with all commits up to a revision, built if none is cached, by a thread that continues after the caller's
        deadline (`time.monotonic()`).

        `load` builds it, with all up to the revision `now`, until a deadline of its own, and finds which kinds of sources stated what then.
        Raises StoreUnavailable at the deadline, and any error of the build.
        """
        found = self.find(as_of, revision)
        if found is not None:
            return found
        with self._turn:
            build = self._builds.get(as_of)
            if build is None or build.revision < revision:
                build = self._builds[as_of] = _Build(now, Future())
                threading.Thread(target=self._build, args=(as_of, build, load), name="meshline-past", daemon=True).start()
        try:
            return build.found.result(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise StoreUnavailable("the graph as of that time is still being read: ask again in a few seconds") from None

    def follow(self, since: int, changes: Changes, stated: Kinds) -> None:
        """Note the changes since a revision: those of later times change no index. Call this under the graph's lock.

        `stated`: what kinds of sources state among the changed heads.
        """
        kinds = frozenset(parse_source_kind(head.source) for head in changes.heads)
        commit = _Commit(since, changes.revision, changes.earliest, kinds, stated)
        with self._turn:
            self._commits.append(commit)
            for past in self._known.values():
                past.follow(commit)

    def _build(self, as_of: int, build: _Build, load: Load) -> None:
        try:
            with self._one:
                built, kinds = load(time.monotonic() + BUILD_SECONDS)
                past = _Past(built, as_of, built.count_private_bytes(), kinds, build.revision)
        except BaseException as error:  # noqa: BLE001 - the future raises it in the waiting caller
            self._end(as_of, build)
            build.found.set_exception(error)
        else:
            self._end(as_of, build, past)
            build.found.set_result(built)

    def _end(self, as_of: int, build: _Build, past: _Past | None = None) -> None:
        with self._turn:
            if self._builds.get(as_of) is build:
                del self._builds[as_of]
            if past is None:
                return
            for commit in self._commits:
                past.follow(commit)
            self._known[as_of] = past
            self._known.move_to_end(as_of)
            while len(self._known) > 1 and (len(self._known) > MOST or sum(one.size for one in self._known.values()) > BYTES):
                self._known.popitem(last=False)


def turn_back(index: LineageIndex, past: PastReader, as_of: int, known: int, now: Digests, deadline: float) -> bool:
    """Change an index that was mapped from a file into one as of a time; False if too much was different, and nothing is changed.

    `now`: the contents at the revision `known` (`LineageIndex.list_digests`). Raises LimitExceeded.
    """
    then = index.list_digests()
    parts = list(check_reading(past.iterate_times(known), deadline))
    scope_ids = _join(part.scope_ids for part in parts)
    differ = scope_ids >= min(len(then), len(now))  # one of the two does not know them
    shared = scope_ids[~differ]
    differ[~differ] = (then[shared] != now[shared]) | (then[shared] == np.zeros(1, then.dtype))
    others = sorted([*(number for part in parts for number in part.others), *scope_ids[differ].tolist()])
    if len(others) * DIFFERENT_SHARE > len(scope_ids):
        return False
    same = ~differ
    times = HeadTimes(
        scope_ids[same],
        _join(part.observed_at for part in parts)[same],
        _join(part.valid_from for part in parts)[same],
        list(compress((version for part in parts for version in part.versions), same.tolist())),
    )

    def read_others() -> Iterator[tuple[Sequence[int], Sequence[Head]]]:
        for first in range(0, len(others), READ_AT_ONCE):
            part = others[first : first + READ_AT_ONCE]
            yield part, past.read_heads(part)

    index.turn_back(as_of, past.revision, times, check_reading(read_others(), deadline))
    return True


def check_reading(parts: Iterator[T], deadline: float) -> Iterator[T]:
    """The same parts. Raises LimitExceeded after a deadline (`time.monotonic()`)."""
    with closing(yield_batches(parts)) as source:
        for part in source:
            if time.monotonic() > deadline:
                raise LimitExceeded(f"the graph as of that time cannot be read within {BUILD_SECONDS:g} seconds")
            yield part


def _join(columns: Iterable[Sequence[int]]) -> Longs:
    return np.concatenate([np.empty(0, np.int64), *(np.array(column, np.int64) for column in columns)])


def find_known_later(store: Store, now: Stating, then: Stating) -> tuple[KnownLater, ...]:
    """The relations that sources of a kind state now but not at that time; each with the time of the first such statement."""
    found: list[KnownLater] = []
    for type_, stating in now.items():
        for kind, scopes in sorted(stating.items()):
            times = [] if kind in then[type_] else _list_statement_times(store, scopes, type_)
            if times:
                found.append(KnownLater(type_, kind, min(times)))
    return tuple(found)


def _list_statement_times(store: Store, scopes: Sequence[int], type_: EdgeType) -> list[int]:
    """The times from which statements of these scopes were active that state a relation of a type whose end is not a job."""
    return [
        interval.valid_from
        for first in range(0, len(scopes), SCOPES_AT_ONCE)
        for history in store.read_history(scopes[first : first + SCOPES_AT_ONCE]).values()
        for interval, content in history
        if any(edge.type is type_ and edge.end.kind is not AssetKind.JOB for edge in decode_facts(content.blob).edges)
    ]
