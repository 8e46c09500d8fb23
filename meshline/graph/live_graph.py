"""A store and the index of its graph, kept in step; with it the indexes of past times, and how garbage is collected around a large graph.

Indexes as of past times are built apart from the live one, one at a time, and kept while there is room.
"""

from __future__ import annotations

import gc
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple, TypeAlias

from meshline.errors import LimitExceeded, MeshlineError, StoreCorrupt, StoreUnavailable
from meshline.graph.content import decode
from meshline.graph.index.kernels.jit import compile_kernels_soon
from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.index.results import KnownLater
from meshline.graph.model import AssetKey, AssetKind, EdgeType, Json, Precedence
from meshline.graph.store.base import Batch, Changes, Head, RunReader, Store

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
                revision = self._store.read_revision()  # before the heads: what is committed meanwhile may be among them or not
                built = load(_bounded(self._store.iterate_heads(as_of), time.monotonic() + BUILD_SECONDS), revision)
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
            while len(self._known) > 1 and (
                len(self._known) > MOST or sum(one.changes.count_bytes() for one in self._known.values()) > BYTES
            ):
                self._known.popitem(last=False)


def _bounded(batches: Iterator[Sequence[Head]], deadline: float) -> Iterator[Sequence[Head]]:
    for batch in batches:
        if time.monotonic() > deadline:
            raise LimitExceeded(f"the graph as of that time cannot be read within {BUILD_SECONDS:g} seconds")
        yield batch


SPARE_NODES = 100_000  # that may stand for nothing; or a quarter of all
SCOPES_AT_ONCE = 500  # whose histories are read together
_RELATIONS = (EdgeType.OWNS, EdgeType.CONSUMES, EdgeType.GOVERNS, EdgeType.PORT)

_Stating: TypeAlias = Mapping[EdgeType, Mapping[str, Sequence[int]]]  # see `OwnershipFacet.list_scopes_stating`


class FactRow(NamedTuple):
    """One attribute of an asset as one scope says it. `chosen`: shown, of all that are said of the attribute."""

    scope_id: int
    source: str
    attribute: str
    value: Json
    observed_at: int
    valid_from: int
    last_observed: int
    chosen: bool


_Said: TypeAlias = dict[AssetKey, Mapping[str, Json]]


class GraphLock:
    """The lock of a graph, which a thread may take again while it holds it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._own = threading.local()

    @contextmanager
    def until(self, deadline: float | None) -> Iterator[None]:
        """In this block this thread waits for the lock until a time (as `time.monotonic()`) and no longer; None: as long as it takes.
        What it does while it holds the lock ends by then, too, where that looks at `check`.

        Of two deadlines, one inside the other, the earlier counts.
        """
        outer = self._deadline
        known = [time for time in (outer, deadline) if time is not None]
        self._own.deadline = min(known, default=None)
        try:
            yield
        finally:
            self._own.deadline = outer

    @property
    def _deadline(self) -> float | None:
        found: float | None = getattr(self._own, "deadline", None)
        return found

    @contextmanager
    def whatever_the_deadline(self) -> Iterator[None]:
        """The lock, waited for as long as it takes."""
        self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def check(self) -> None:
        """Raises LimitExceeded when this thread's deadline is over: for work of many steps that is done while the lock is held."""
        deadline = self._deadline
        if deadline is not None and time.monotonic() > deadline:
            raise LimitExceeded("it took longer than it may: ask for less at once (MESHLINE_CHECK_SECONDS, MESHLINE_QUERY_SECONDS)")

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - as of threading.Lock
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        """Raises StoreUnavailable when the deadline is over (`until`)."""
        deadline = self._deadline
        if not self._lock.acquire(timeout=-1 if deadline is None else max(0.0, deadline - time.monotonic())):
            raise StoreUnavailable("the graph is busy: try again")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()


class LiveGraph:
    """What every surface holds. Use `index` and `facts` while holding `lock`. `precedence`: which source is believed."""

    def __init__(self, store: Store, index: LineageIndex, precedence: Precedence) -> None:
        self.store = store
        self.index = index
        self.lock = GraphLock()
        self.precedence = precedence
        self._past = PastIndexes(store)
        self._size = index.changes.count_nodes()  # when it was last looked how many of its nodes are in use
        self._unused = index.changes.count_unused()  # after the last reading

    @classmethod
    def open(cls, store: Store, precedence: Precedence | None = None, *, compiled: bool = False) -> LiveGraph:
        """Load the index of everything that the store holds.

        `compiled`: begin to compile the index's kernels, as who stays up should; else once there is much to do.
        """
        if compiled:
            compile_kernels_soon()
        precedence = precedence or Precedence()
        return cls(store, _loaded(store, None, precedence), precedence)

    def commit(self, build: Callable[[RunReader], Batch]) -> Changes:
        """Commit to the store, and show it in the index before returning."""
        changes = self.store.commit(build)
        with self.lock.whatever_the_deadline():  # it is committed: who is told otherwise would do it again
            if changes.revision == self.index.revision + 1:
                self.index.changes.apply(changes)
        if changes.revision > self.index.revision:
            self._follow()
        return changes

    def refresh(self) -> int:
        """Follow what others committed; the index's revision afterwards."""
        if self.store.read_revision() > self.index.revision:
            self._follow()
        return self.index.revision

    def reload(self) -> None:
        """Read the index anew."""
        with self.lock:
            self.index = _loaded(self.store, None, self.precedence)

    def renew(self) -> bool:
        """Read the index anew if many of its nodes stand for nothing any more; whether it did. While it is read nobody waits.

        What is gone from the graph, and what checks suppose, leaves its names in the index: without this they would be ever more.
        """
        if self.index.changes.count_nodes() - self._size < SPARE_NODES:
            return False
        with self.lock:
            self._size = self.index.changes.count_nodes()
            wasted = self.index.changes.count_unused() - self._unused
        if wasted < max(SPARE_NODES, self._size // 4):
            return False
        fresh = _loaded(self.store, None, self.precedence)
        fresh.prepare_ids()
        fresh.changes.apply(self.store.read_changes(fresh.revision))
        with self.lock:
            if self.index.revision > fresh.revision:
                fresh.changes.apply(self.store.read_changes(fresh.revision))
            self.index, self._size, self._unused = fresh, fresh.changes.count_nodes(), fresh.changes.count_unused()
        return True

    def at(self, as_of: int | None, *, revision: int | None = None, deadline: float | None = None) -> LineageIndex:
        """The index now (None), or as of a time in microseconds, with all that was committed up to a revision (None: this one).

        That of a time is built if need be, which may take as long as the start: call this before the lock is held, and again, with
        the same revision, while it is. Raises StoreUnavailable at the deadline (`time.monotonic()`).
        """
        if as_of is None:
            return self.index
        wanted = self.index.revision if revision is None else revision
        found = self._past.known(as_of, wanted)
        if found is not None:
            return found
        with self.lock:
            stating = {type_: self.index.ownership.list_scopes_stating(type_) for type_ in _RELATIONS}

        def load(heads: Iterator[Sequence[Head]], revision: int) -> LineageIndex:
            index = _read(heads, revision, as_of, self.precedence)
            index.known_later = _known_later(self.store, stating, index)
            return index

        return self._past.get(as_of, wanted, deadline, load)

    def has(self, as_of: int, revision: int) -> bool:
        """Whether `at` answers at once."""
        return self._past.known(as_of, revision) is not None

    def facts(self, index: LineageIndex, nodes: Sequence[int]) -> dict[int, list[FactRow]]:
        """What is said of these assets, by asset: every attribute that any scope says of any member.

        Rows are sorted by attribute, the chosen one first, then by strength.
        """
        wanted = {node: index.changes.list_fact_names(node) for node in nodes}
        scope_ids = sorted({scope_id for of_node in wanted.values() for scope_id in of_node})
        heads = {head.scope_id: head for head in self.store.read_heads(scope_ids, index.as_of)}
        said = {scope_id: _said(head) for scope_id, head in heads.items()}
        return {
            node: self._rows((heads[id_], said[id_], names) for id_, names in sorted(of_node.items()) if id_ in heads)
            for node, of_node in wanted.items()
        }

    def _rows(self, found: Iterable[tuple[Head, _Said, set[AssetKey]]]) -> list[FactRow]:
        """`found`: heads, what they say, and the names under which they mean the asset."""
        rows = [
            FactRow(head.scope_id, head.source, attribute, value, head.observed_at, head.valid_from, head.last_observed, chosen=False)
            for head, said, names in found
            for key in sorted(names & said.keys())
            for attribute, value in said[key].items()
        ]
        rows.sort(key=lambda row: (row.source, row.scope_id), reverse=True)
        rows.sort(key=self._strength)
        chosen: set[str] = set()
        for i, row in enumerate(rows):
            if row.attribute not in chosen:
                chosen.add(row.attribute)
                rows[i] = row._replace(chosen=True)
        return rows

    def _strength(self, row: FactRow) -> tuple[str, int, int]:
        """As `Precedence` says; of equals the greater source comes first already."""
        return (row.attribute, self.precedence.rank(row.source, row.attribute), -row.observed_at)

    def _follow(self) -> None:
        """Others do not wait while the store is read: what they commit meanwhile is newer, and then this changes nothing."""
        changes = self.store.read_changes(self.index.revision)
        with self.lock.whatever_the_deadline():
            self.index.changes.apply(changes)


def _loaded(store: Store, as_of: int | None, precedence: Precedence) -> LineageIndex:
    # The revision is read first: what is committed meanwhile is applied (again) later.
    revision = store.read_revision()
    return _read(store.iterate_heads(as_of), revision, as_of, precedence)


def _read(heads: Iterator[Sequence[Head]], revision: int, as_of: int | None, precedence: Precedence) -> LineageIndex:
    try:
        return LineageIndex.load(heads, revision, as_of, precedence)
    except MeshlineError:
        raise
    except Exception as error:
        raise StoreCorrupt(
            f"what the store holds cannot be read ({type(error).__name__}: {error}): `meshline store check` says more, a backup mends it"
        ) from error


def _known_later(store: Store, now: _Stating, then: LineageIndex) -> tuple[KnownLater, ...]:
    """Which relations sources of a kind state now and none did then; each with the time of the first such statement."""
    found: list[KnownLater] = []
    for type_, stating in now.items():
        known = then.ownership.list_scopes_stating(type_)
        for kind, scopes in sorted(stating.items()):
            times = [] if kind in known else _stated_at(store, scopes, type_)
            if times:
                found.append(KnownLater(type_, kind, min(times)))
    return tuple(found)


def _stated_at(store: Store, scopes: Sequence[int], type_: EdgeType) -> list[int]:
    """From when on each of the statements of these scopes held that states a relation of a type, but to a job."""
    return [
        interval.valid_from
        for first in range(0, len(scopes), SCOPES_AT_ONCE)
        for history in store.read_history(scopes[first : first + SCOPES_AT_ONCE]).values()
        for interval, content in history
        if any(edge.type is type_ and edge.end.kind is not AssetKind.JOB for edge in decode(content.blob).edges)
    ]


def _said(head: Head) -> _Said:
    return {} if head.content is None else {fact.key: fact.attributes for fact in decode(head.content.blob).assets}


# Objects allocated and not freed before the youngest generation is looked at, and how often the older ones
# are. By Python's own thresholds a commit of a hundred new events, which makes tens of thousands of values
# without cycles, was interrupted some fifty times, and a quarter of its time went into looking them through.
THRESHOLDS = (100_000, 20, 100)
USUAL = gc.get_threshold()


def collect_seldom() -> None:
    """For a process that stays up, once its graph is loaded: what is there now is looked through no more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


def collect_as_usual() -> None:
    """The graph is let go of."""
    gc.unfreeze()
    gc.set_threshold(*USUAL)
