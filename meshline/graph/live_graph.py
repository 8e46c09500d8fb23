"""The live graph: a store, the index that follows it, indexes of past times, and garbage collection settings for a large graph."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from types import TracebackType
from typing import NamedTuple, TypeAlias

from meshline.errors import LimitExceeded, MeshlineError, StoreCorrupt, StoreUnavailable
from meshline.graph.batches import yield_batches
from meshline.graph.content import EMPTY, decode_attributes
from meshline.graph.index.kernels.jit import compile_kernels
from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.index.name_vectors import NameVectors
from meshline.graph.index.results import Digests, ScopeInfo
from meshline.graph.index.title_pairs import TitlePairs
from meshline.graph.index_file import Restored, Snapshots
from meshline.graph.model import AssetKey, Content, Interval, Json, Precedence
from meshline.graph.past_index import PastIndexes, Stating, check_reading, find_known_later, turn_back
from meshline.graph.store.base import Batch, Changes, Head, PastReader, RunReader, Store

SPARE_NUMBERS = 2**26  # of the index, left for commits of other processes, and for statements that a rename has rewritten
PAST_TRIES = 3  # to read the graph of a past time while others commit what is about it
SPARE_NODES = 100_000  # unused nodes that the index may have (or a quarter of all nodes) before it is reloaded


class FactRow(NamedTuple):
    """One attribute of an asset as one scope states it, with the times (microseconds) of the statement.

    `chosen`: this value is shown, of all values that are stated for the attribute.
    """

    scope_id: int
    source: str
    attribute: str
    value: Json
    observed_at: int
    valid_from: int
    last_observed: int
    chosen: bool


_Attributes: TypeAlias = dict[AssetKey, Mapping[str, Json]]


def check_deadline(deadline: float | None) -> None:
    """Raise LimitExceeded after a deadline (`time.monotonic()`; None: there is none)."""
    if deadline is not None and time.monotonic() > deadline:
        raise LimitExceeded("it took longer than it may: ask for less at once (MESHLINE_CHECK_SECONDS, MESHLINE_QUERY_SECONDS)")


class GraphLock:
    """The reentrant lock of a graph, with a deadline for each thread.

    Who applies changes (`ignore_deadline`) goes before all questions that wait: else one of many readers would always be first.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._own = threading.local()
        self._gate = threading.Lock()  # questions pass it to wait for the lock; closed while changes wait

    @contextmanager
    def set_deadline(self, deadline: float | None) -> Iterator[None]:
        """In this block, the thread waits for the lock at most until a deadline (`time.monotonic()`; None: without limit).
        Work under the lock ends by then, too, where it calls `check_deadline`.

        Of nested deadlines the earliest counts.
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
    def ignore_deadline(self) -> Iterator[None]:
        """Acquire the lock for this block, before all questions that wait, and wait for it without limit."""
        if self._depth:
            self._lock.acquire()
        else:
            with self._gate:
                self._lock.acquire()
        self._own.depth = self._depth + 1
        try:
            yield
        finally:
            self.release()

    def check_deadline(self) -> None:
        """Raises LimitExceeded after this thread's deadline: for work in many steps under the lock."""
        check_deadline(self._deadline)

    @property
    def _depth(self) -> int:
        """How often this thread has acquired the lock."""
        found: int = getattr(self._own, "depth", 0)
        return found

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - as of threading.Lock
        depth = self._depth
        if not depth:
            begun = time.monotonic()
            if not self._gate.acquire(blocking, timeout):
                return False
            self._gate.release()
            if timeout > 0:
                timeout = max(0.0, timeout - (time.monotonic() - begun))
        if not self._lock.acquire(blocking, timeout):
            return False
        self._own.depth = depth + 1
        return True

    def release(self) -> None:
        self._own.depth = self._depth - 1
        self._lock.release()

    def __enter__(self) -> None:
        """Raises StoreUnavailable at the thread's deadline (`set_deadline`)."""
        deadline = self._deadline
        if not self.acquire(timeout=-1 if deadline is None else max(0.0, deadline - time.monotonic())):
            raise StoreUnavailable("the graph is busy: try again")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


class LiveGraph:
    """The graph that the API and the command line share. Use `index` and `read_facts` only under `lock`.

    `precedence`: which source wins where several state the same attribute.
    """

    def __init__(self, store: Store, index: LineageIndex, precedence: Precedence) -> None:
        self.store = store
        self._index = index
        self.lock = GraphLock()
        self.precedence = precedence
        self.vectors: NameVectors | None = None  # of names, if searches use them
        self.titles = TitlePairs()  # what searches learn from titles
        self.snapshots: Snapshots | None = None  # where the index is kept for the next start, if it is
        self.publish: Callable[[int, Changes], None] | None = None  # called, under the lock, with the changes since a revision
        self._past = PastIndexes()
        self._size = index.changes.count_nodes()  # when unused nodes were last counted
        self._unused = index.changes.count_unused()  # after the index was last loaded

    @classmethod
    def open(cls, store: Store, precedence: Precedence | None = None, *, snapshots: Snapshots | None = None) -> LiveGraph:
        """The index of everything in the store: from a snapshot, if one fits, else from all statements.

        That loads the kernels of the index if there is much work. A snapshot needs none: see `prepare_questions`.
        """
        precedence = precedence or Precedence()
        restored = None if snapshots is None else snapshots.restore(store, precedence)
        titles = TitlePairs() if restored is None else restored.titles
        index = _load_index(store, precedence, titles) if restored is None else restored.lineage
        live = cls(store, index, precedence)
        live.titles, live.snapshots = titles, snapshots
        return live

    def prepare_questions(self) -> None:
        """Make the first questions as fast as later ones: load or compile the kernels, if the index is large, then prepare names. Until
        then the kernels run as Python, and all questions are answered.
        """
        if self.index.is_large:
            compile_kernels()
        self.prepare_names()

    def keep_index(self, *, at_end: bool = False) -> bool:
        """Keep the index for the next start, if much has changed since it was last kept; whether it was. Queries wait while its arrays are
        copied: a fifth of a second for a million columns. `at_end`: no more changes follow.
        """
        if self.snapshots is None or not self.snapshots.is_due(self.index, at_end=at_end):
            return False
        index, titles = self.index, self.titles

        def collect(copy: Callable[[], None]) -> None:
            with self.lock.ignore_deadline():
                copy()

        return self.snapshots.write(self.store, index, titles, collect)

    @property
    def index(self) -> LineageIndex:
        """The graph now."""
        return self._index

    @property
    def whole(self) -> LiveGraph:
        """The graph with every asset, of which a restricted one shows a part (`meshline.app.access`)."""
        return self

    @property
    def revision(self) -> int:
        """The revision of the index."""
        return self._index.revision

    def commit(self, build: Callable[[RunReader], Batch]) -> Changes:
        """Commit to the store, and apply the changes to the index before returning them.

        Raises StoreUnavailable, and commits nothing, also if the index could not number what the batch states: a sender keeps what it
        wants to send, as when a disk is full.
        """

        def build_in_room(runs: RunReader) -> Batch:
            batch = build(runs)
            self._check_room(batch)
            return batch

        changes = self.store.commit(build_in_room)
        with self.lock.ignore_deadline():  # already committed: a caller that saw an error would repeat it
            if changes.revision == self.index.revision + 1:
                self._apply(self.index.revision, changes)
        if changes.revision > self.index.revision:
            self._follow()
        return changes

    def _check_room(self, batch: Batch) -> None:
        """Without the lock, for which a commit must not wait while it has the store's: what others commit meanwhile is in the spare."""
        size = sum(len(one.content.blob) for one in batch.statements if one.content.digest != EMPTY.digest)
        if not size:  # what is withdrawn needs no room
            return
        try:
            self.index.check_room(size + SPARE_NUMBERS)
        except LimitExceeded as error:
            raise StoreUnavailable(f"nothing was written: {error}") from error

    def refresh(self) -> int:
        """Apply the commits of other processes to the index; the index's revision afterwards."""
        if self.store.read_revision() > self.index.revision:
            self._follow()
        return self.index.revision

    def receive(self, since: int, changes: Changes | None) -> int:
        """Apply the changes since a revision that another process has applied; None: read them from the store. The index's revision
        afterwards. Raises StoreUnavailable.
        """
        if changes is None or since > self.index.revision:
            return self.refresh()
        with self.lock.ignore_deadline():
            self._apply(since, changes)
            return self.index.revision

    def prepare_vectors(self) -> None:
        """Make the vectors of names that have none, if searches use vectors. Searches continue in the meantime, without them.

        Raises ModelUnavailable, OtherModel.
        """
        if self.vectors is not None:
            with self.lock:
                self.index.prepare_vectors(self.vectors)
            self.vectors.add_requested()
            self.vectors.save()

    def prepare_lookup(self) -> None:
        """Make looking up ids and names as fast as later, which takes seconds after a load from the store: the first questions would wait
        for it, and for each other.
        """
        self.index.prepare_ids()
        if not self.index.has_names:
            self.prepare_names()

    def prepare_names(self) -> None:
        """Make the first suggestion and the first search as fast as later ones: at once if the index was kept with its names. Other queries
        continue between the steps.
        """
        for prepare in (LineageIndex.prepare_suggestions, LineageIndex.prepare_search):
            with self.lock:
                prepare(self.index)

    def prepare_titles(self) -> None:
        """Read what searches learn from the titles that came. Searches continue in the meantime, with what they know."""
        self.titles.prepare()

    def reload(self) -> None:
        """Load the index again."""
        with self.lock:
            titles = TitlePairs()
            self._index, self.titles = _load_index(self.store, self.precedence, titles), titles

    def renew(self) -> bool:
        """Load the index again if many of its nodes are unused; True if it was loaded. Queries continue while it is loaded.

        Assets that leave the graph, and those that checks suppose, leave their names in the index, which would only grow otherwise.
        """
        if self.index.changes.count_nodes() - self._size < SPARE_NODES:
            return False
        with self.lock:
            self._size = self.index.changes.count_nodes()
            wasted = self.index.changes.count_unused() - self._unused
        if wasted < max(SPARE_NODES, self._size // 4):
            return False
        fresh = _load_index(self.store, self.precedence)
        fresh.prepare_ids()
        fresh.prepare_suggestions()
        fresh.prepare_search()
        fresh.changes.apply(self.store.read_changes(fresh.revision))  # the titles of these come with `_apply`
        with self.lock:
            if self.index.revision > fresh.revision:
                fresh.changes.apply(self.store.read_changes(fresh.revision))
            self._index, self._size, self._unused = fresh, fresh.changes.count_nodes(), fresh.changes.count_unused()
        return True

    def get_index(self, as_of: int | None, *, revision: int | None = None, deadline: float | None = None) -> LineageIndex:
        """The current index (`as_of` None), or one as of a time in microseconds with all commits up to a revision (None: the current).

        An index of a past time may have to be built, which may take as long as the start: call this before acquiring the lock, and
        again under the lock with the same revision. Raises StoreUnavailable at the deadline (`time.monotonic()`).
        """
        if as_of is None:
            return self.index
        wanted = self.index.revision if revision is None else revision
        found = self._past.find(as_of, wanted)
        if found is not None:
            return found
        with self.lock:
            now = self.index
            at, digests = now.revision, now.list_digests()
            stating = now.ownership.list_all_scopes_stating()

        def load(until: float) -> tuple[LineageIndex, Stating]:
            for _ in range(PAST_TRIES):
                index, is_whole = self._read_past(as_of, at, digests, until)
                if is_whole:
                    break
            then = index.ownership.list_all_scopes_stating()
            index.known_later = find_known_later(self.store, stating, then)
            return index, then

        found = self._past.get(as_of, wanted, at, deadline, load)
        if found.revision > self.index.revision:  # so that an answer about both is of one revision
            self._follow()
        return found

    def _read_past(self, as_of: int, known: int, digests: Digests, deadline: float) -> tuple[LineageIndex, bool]:
        """The index as of a time, and whether all of it is of its revision."""
        with self.store.open_past(as_of) as past:
            index = self._map_past(past, as_of, known, digests, deadline)
            if index is None:
                index = _build_index(check_reading(past.iterate_heads(), deadline), past.revision, as_of, self.precedence)
            return index, past.is_of_one_revision()

    def _map_past(self, past: PastReader, as_of: int, known: int, digests: Digests, deadline: float) -> LineageIndex | None:
        """The index as of a time, made of the file; None if there is none, or reading all takes less."""
        turned = False

        def turn(restored: Restored) -> None:
            nonlocal turned
            turned = turn_back(restored.lineage, past, as_of, known, digests, deadline)

        restored = None if self.snapshots is None else self.snapshots.map(self.store, self.precedence, turn)
        return restored.lineage if restored is not None and turned else None

    def has_index(self, as_of: int, revision: int) -> bool:
        """True if `get_index` returns at once."""
        return self._past.find(as_of, revision) is not None

    def read_facts(self, index: LineageIndex, nodes: Sequence[int]) -> dict[int, list[FactRow]]:
        """Read the attributes of these assets (nodes), by node: every attribute that any scope states for any of its names.

        Rows are sorted by attribute, the chosen one first, then by the precedence of their sources.
        """
        wanted = {node: index.changes.list_fact_names(node) for node in nodes}
        scope_ids = sorted({scope_id for of_node in wanted.values() for scope_id in of_node})
        heads = {head.scope_id: head for head in self.read_heads(index, scope_ids)}
        stated = {scope_id: _decode_attributes(head) for scope_id, head in heads.items()}
        return {
            node: self._build_rows((heads[id_], stated[id_], names) for id_, names in sorted(of_node.items()) if id_ in heads)
            for node, of_node in wanted.items()
        }

    def read_heads(self, index: LineageIndex, scope_ids: Sequence[int]) -> Sequence[Head]:
        """Read the heads of these scopes as the index shows them. Empty scopes are left out.

        A commit that the index has not applied yet may have changed some in the store: those are made of their histories, so that
        an answer is of one revision.
        """
        heads = self.store.read_heads(scope_ids, index.as_of) if scope_ids else ()
        found = {head.scope_id: head for head in heads}
        shown = {scope_id: scope for scope_id in scope_ids if (scope := _find_scope(index, scope_id)) is not None}
        changed = [scope_id for scope_id, scope in shown.items() if not _is_shown(scope, found.get(scope_id))]
        if changed:
            for scope_id, history in self.store.read_history(changed).items():
                former = _find_former(shown[scope_id], history, found.get(scope_id))
                if former is not None:
                    found[scope_id] = former
        return [found[scope_id] for scope_id in sorted(found.keys() & shown.keys())]

    def _build_rows(self, found: Iterable[tuple[Head, _Attributes, set[AssetKey]]]) -> list[FactRow]:
        """`found`: heads, the attributes that each states, and the names under which each refers to the asset."""
        rows = [
            FactRow(head.scope_id, head.source, attribute, value, head.observed_at, head.valid_from, head.last_observed, chosen=False)
            for head, stated, names in found
            for key in sorted(names & stated.keys())
            for attribute, value in stated[key].items()
        ]
        rows.sort(key=lambda row: (row.source, row.scope_id), reverse=True)
        rows.sort(key=self._rank_row)
        chosen: set[str] = set()
        for i, row in enumerate(rows):
            if row.attribute not in chosen:
                chosen.add(row.attribute)
                rows[i] = row._replace(chosen=True)
        return rows

    def _rank_row(self, row: FactRow) -> tuple[str, int, int]:
        """Sort key by `Precedence`; rows are sorted by source before, so the greater of equally strong sources comes first."""
        return (row.attribute, self.precedence.rank(row.source, row.attribute), -row.observed_at)

    def _follow(self) -> None:
        """Read changes without the lock, so that others need not wait. If a newer commit is applied meanwhile, this changes nothing."""
        since = self.index.revision
        changes = self.store.read_changes(since)
        with self.lock.ignore_deadline():
            self._apply(since, changes)

    def _apply(self, since: int, changes: Changes) -> None:
        if changes.revision <= self.index.revision:
            return
        self.index.changes.apply(changes)
        self.titles.record(changes.heads)
        if self._past.is_used:
            self._past.follow(since, changes, self.index.ownership.list_kinds_stating(head.scope_id for head in changes.heads))
        if self.publish is not None:
            self.publish(since, changes)


def _load_index(store: Store, precedence: Precedence, titles: TitlePairs | None = None) -> LineageIndex:
    # The revision is read first: later commits are applied afterwards, perhaps a second time.
    revision = store.read_revision()
    heads = store.iterate_heads()
    return _build_index(heads if titles is None else _record_titles(heads, titles), revision, None, precedence)


def _record_titles(batches: Iterator[Sequence[Head]], titles: TitlePairs) -> Iterator[Sequence[Head]]:
    with closing(yield_batches(batches)) as source:  # where it is closed: in the thread that has the lock of a store in memory
        for batch in source:
            titles.record(batch)
            yield batch


def _build_index(heads: Iterator[Sequence[Head]], revision: int, as_of: int | None, precedence: Precedence) -> LineageIndex:
    try:
        return LineageIndex.load(heads, revision, as_of, precedence)
    except MeshlineError:
        raise
    except Exception as error:
        raise StoreCorrupt(
            f"the contents of the store cannot be read ({type(error).__name__}: {error}): run `meshline store check`, or restore a backup"
        ) from error


def _is_shown(shown: ScopeInfo, head: Head | None) -> bool:
    """Whether this is the head of a scope as the index shows it."""
    if head is None or head.content is None:
        return False
    return (shown.digest, shown.observed_at, shown.last_observed) == (head.content.digest, head.observed_at, head.last_observed)


def _find_scope(index: LineageIndex, scope_id: int) -> ScopeInfo | None:
    try:
        return index.changes.get_scope(scope_id)
    except KeyError:  # it has no head
        return None


def _find_former(shown: ScopeInfo, history: Sequence[tuple[Interval, Content]], now: Head | None) -> Head | None:
    """The head of a scope that the index shows, of the contents of its history; None if it is not there any more."""
    content = next((content for _, content in history if content.digest == shown.digest), None)
    if content is None:
        return None
    same = now is not None and now.content is not None and now.content.digest == shown.digest
    version = now.version if now is not None and same else ""
    times = (shown.observed_at, shown.valid_from, shown.last_observed)
    return Head(shown.scope_id, shown.source, shown.scope, *times, version, shown.provisional, content)


def _decode_attributes(head: Head) -> _Attributes:
    return {} if head.content is None else decode_attributes(head.content.blob)


# Thresholds of the garbage collector: net allocations before it scans the youngest generation, and scans of one generation
# before it scans the next. With Python's defaults, a commit of a hundred new events, which creates tens of thousands of
# values without cycles, was interrupted about fifty times, and scans took a quarter of its time. No thread runs during a scan: one
# of 100,000 values, most of which have left the processor's cache, took 20 to 60 ms, one of 5,000 takes less than 4. What caches
# keep, up to half a million values without cycles, takes 0.3 s: with these it is scanned once in about 50,000 new events.
THRESHOLDS = (5_000, 2_000, 100)
USUAL = gc.get_threshold()


def collect_seldom() -> None:
    """Collect garbage rarely: for a process that stays up, once its graph is loaded. Objects that exist now are never scanned again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


def collect_as_usual() -> None:
    """Restore Python's defaults, when the graph is released."""
    gc.unfreeze()
    gc.set_threshold(*USUAL)
