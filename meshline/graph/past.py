"""Indexes of the graph as of times in the past: built apart from the live one, one at a time, and kept while there is room."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import NamedTuple, TypeAlias

from meshline.errors import LimitExceeded, StoreUnavailable
from meshline.graph.index.lineage import LineageIndex
from meshline.graph.store.base import Head, Store

MOST = 4  # indexes that are kept
BYTES = 2**30  # that they hold together, unless one alone holds more
BUILD_SECONDS = 120.0  # after which building one is given up

Load: TypeAlias = Callable[[Iterator[Sequence[Head]], int], LineageIndex]


class _Build(NamedTuple):
    """An index that is being built. `revision`: it holds what was committed up to there, at least."""

    revision: int
    found: Future[LineageIndex]


class PastIndexes:
    """Thread-safe; the indexes themselves are not: use one while holding the graph's lock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = threading.Lock()  # of what follows
        self._known: OrderedDict[int, LineageIndex] = OrderedDict()
        self._builds: dict[int, _Build] = {}
        self._one = threading.Semaphore()  # a build takes a processor, and as much memory as the graph

    def __len__(self) -> int:
        return len(self._known)

    def known(self, as_of: int, revision: int) -> LineageIndex | None:
        """The index as of a time (microseconds), if one of this revision or a later one is kept."""
        with self._turn:
            found = self._known.get(as_of)
            if found is None or found.revision < revision:
                return None
            self._known.move_to_end(as_of)
            return found

    def get(self, as_of: int, revision: int, deadline: float | None, load: Load) -> LineageIndex:
        """The same, built if there is none: by a thread that goes on when the caller's deadline (`time.monotonic()`) is over.

        `load` makes it of the heads as of the time, and the revision that they are of.

        A statement that comes late may change any past, so an index is good for the revisions up to its own. Raises StoreUnavailable
        at the deadline, and what building it raises.
        """
        found = self.known(as_of, revision)
        if found is not None:
            return found
        with self._turn:
            build = self._builds.get(as_of)
            if build is None or build.revision < revision:
                build = self._builds[as_of] = _Build(revision, Future())
                threading.Thread(target=self._build, args=(as_of, build, load), name="meshline-past", daemon=True).start()
        try:
            return build.found.result(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise StoreUnavailable("the graph as of that time is still being read: ask again in a few seconds") from None

    def _build(self, as_of: int, build: _Build, load: Load) -> None:
        try:
            with self._one:
                revision = self._store.revision()  # before the heads: what is committed meanwhile may be among them or not
                built = load(_bounded(self._store.heads(as_of), time.monotonic() + BUILD_SECONDS), revision)
        except BaseException as error:  # noqa: BLE001 - it is raised where the index is waited for
            self._end(as_of, build)
            build.found.set_exception(error)
        else:
            self._end(as_of, build, built)
            build.found.set_result(built)

    def _end(self, as_of: int, build: _Build, built: LineageIndex | None = None) -> None:
        with self._turn:
            if self._builds.get(as_of) is build:
                del self._builds[as_of]
            if built is None:
                return
            self._known[as_of] = built
            self._known.move_to_end(as_of)
            while len(self._known) > 1 and (len(self._known) > MOST or sum(one.bytes for one in self._known.values()) > BYTES):
                self._known.popitem(last=False)


def _bounded(batches: Iterator[Sequence[Head]], deadline: float) -> Iterator[Sequence[Head]]:
    for batch in batches:
        if time.monotonic() > deadline:
            raise LimitExceeded(f"the graph as of that time cannot be read within {BUILD_SECONDS:g} seconds")
        yield batch
