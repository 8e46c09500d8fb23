"""The store protocol: statements are written and read in batches. Queries are the work of the index, not of a store.

A store keeps every observation (one small row each), each content once per digest, and, derived from
the observations, the head of every scope: its active statement. Each `commit` is one transaction, and
durable when it returns. Revisions have no gaps and are in the order of commits.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol, TypeAlias

from meshline.graph.model import AssetKey, AssetKind, Content, Interval, Scope, Statement

RUNS_SINCE = "history:runs-since"  # see `Store.prune_history`


class RunKey(NamedTuple):
    """The key of a run. It contains the job because two jobs may share a run id."""

    source: str
    job: AssetKey
    run_id: str


class Run(NamedTuple):
    """A run's merged state: opaque to the store. `parent` groups sibling runs ('' = none).

    `begun`: the time of its first event in microseconds, by which lists of runs are ordered; None for a run that an earlier version
    recorded, until it is indexed: no list has it before. `reads`, `writes`: the datasets that it names as inputs and outputs, each once.
    """

    key: RunKey
    parent: str
    state: bytes
    begun: int | None = None
    reads: Sequence[AssetKey] = ()
    writes: Sequence[AssetKey] = ()


class RunRole(enum.IntEnum):
    """The relation of an asset to a run: its job, a dataset that it reads, a dataset that it writes."""

    JOB = 0
    READS = 1
    WRITES = 2


class RunPosition(NamedTuple):
    """The position of a run in lists of runs, which are ordered by `begun`. `tie`: the store's own order of runs that began together."""

    begun: int
    tie: str


class StoredRun(NamedTuple):
    """A run in a list of runs."""

    position: RunPosition
    run: Run


class RunGroup(NamedTuple):
    """What a list of runs is of, as in `Store.list_runs`: runs with one of these assets, after a position."""

    assets: Sequence[AssetKey]
    before: RunPosition | None = None


class RunPair(NamedTuple):
    """A run's (input, output) pair of datasets; `covered` if the run's column lineage has edges for the pair.

    Sibling runs (same source, same parent) read each other's pairs. `pair` is the 16-byte digest of both
    dataset keys.
    """

    parent: str
    pair: bytes
    run: RunKey
    covered: bool


class RawEvent(NamedTuple):
    """An event as it was received, kept for replay. `received_at` in microseconds; `body` is the JSON text, uncompressed (the store may
    compress it).

    `at`: the time of the event in microseconds, by which lists of events are ordered; None for an event that an earlier version
    recorded, until it is indexed: no list has it before. `type`: the transition of a run, or the kind of the event.
    """

    source: str
    received_at: int
    body: bytes
    at: int | None = None
    type: str = ""


class StoredEvent(NamedTuple):
    """A raw event read back. `position` orders events by arrival."""

    position: int
    event: RawEvent


class Record(NamedTuple):
    """One record of the journal: an event, or a pending notice. `body` is JSON; `at` in microseconds; `kind` is not empty.

    A record whose kind and key exist already is ignored, so a repeated commit has no effect. A record without a key is always new.
    """

    kind: str
    key: str
    at: int
    body: bytes


class StoredRecord(NamedTuple):
    """A record read back. `position` orders the records of all kinds by commit, and is never used again."""

    position: int
    record: Record


class Withdrawal(NamedTuple):
    """Withdraws all statements of one version (a run) about one scope."""

    source: str
    scope: Scope
    version: str


class Batch(NamedTuple):
    """The contents of one commit, written in this order: withdrawals, statements, runs, pairs, raw events, settings, records.

    `runs` and `pairs` replace: for each run in `runs`, all its pairs are replaced by those given here.
    `settings`: values by name, see `Store.write_setting`; `journal`: see `Store.read_journal`; these alone do not create a revision.
    `event_counts`: how many events to add, by the hour of their time (microseconds) and their type.
    `indexed_runs`, `indexed_events`: runs and events that are stored already, and get their place in lists of runs and events.
    These three alone do not create a revision, either.
    """

    withdrawals: Sequence[Withdrawal] = ()
    statements: Sequence[Statement] = ()
    runs: Sequence[Run] = ()
    pairs: Sequence[RunPair] = ()
    raw: Sequence[RawEvent] = ()
    settings: Mapping[str, str] = {}
    journal: Sequence[Record] = ()
    event_counts: Mapping[tuple[int, str], int] = {}
    indexed_runs: Sequence[Run] = ()
    indexed_events: Sequence[StoredEvent] = ()


class RunAge(NamedTuple):
    """What decides whether a run may be dropped. `last`: the time of its last event (microseconds); `version`: of its statements.

    `is_witness`: other runs of its parent depend on it.
    """

    last: int
    version: str
    is_witness: bool


class RecordAge(NamedTuple):
    """Records of the journal that may be dropped: older than `before` (microseconds), and at most at `position`.

    `setting`: with a record goes the setting of this name followed by its key; empty: none.
    """

    before: int
    position: int
    setting: str = ""


class Retention(NamedTuple):
    """What a store may drop or pack. Times in microseconds; None: keep all.

    `observations`: those before this time may be packed, which changes no answer as of any time, but for the run that made a statement.
    `runs`: those whose last event is before this time, and the counts of events before it. The newest run of each job and of each written
    dataset stays, and so does every run with an active statement. `records`: by kind, of the journal.
    """

    observations: int | None = None
    runs: int | None = None
    records: Mapping[str, RecordAge] = {}


Examine: TypeAlias = Callable[[Run, Sequence[bytes]], RunAge]  # the age of a run, by the run and its pairs


class Pruned(NamedTuple):
    """How much was dropped; of observations, how many were packed."""

    observations: int = 0
    runs: int = 0
    records: int = 0


class Head(NamedTuple):
    """The active statement of a scope, now or at the requested time.

    `scope_id` is the store's own small positive integer for (source, scope), which never changes.
    `observed_at` is the time of the active statement, `valid_from` the start of its interval, and
    `last_observed` the newest time in the interval at which the same content was stated, all in
    microseconds. An empty scope (tombstone, withdrawn) has no head, or in `Changes` one with content None.
    """

    scope_id: int
    source: str
    scope: Scope
    observed_at: int
    valid_from: int
    last_observed: int
    version: str
    provisional: bool
    content: Content | None


class PastHeads(NamedTuple):
    """Some scopes as of a time. Columns of equal length, in ascending order of scopes: the heads as of the time that are not provisional,
    and whose content is that of the scope's head now. They were last observed at `observed_at`.

    `others`: all other scopes, in ascending order: their heads as of the time, if they have any, are for `PastReader.read_heads`.
    """

    scope_ids: Sequence[int]
    observed_at: Sequence[int]
    valid_from: Sequence[int]
    versions: Sequence[str]
    others: Sequence[int]

    @classmethod
    def from_rows(cls, heads: Collection[tuple[int, int, int, str]], others: Sequence[int]) -> PastHeads:
        """The heads as rows of the four columns."""
        scope_ids, observed_at, valid_from, versions = zip(*heads, strict=True) if heads else ((), (), (), ())
        return cls(scope_ids, observed_at, valid_from, versions, others)


class Changes(NamedTuple):
    """Heads that changed, in no order, after one revision up to and including `revision`.

    A head with the same content but other times is included, too: compare digests. `earliest`: the graph as of earlier times (microseconds)
    is as it was; None: unknown.
    """

    revision: int
    heads: Sequence[Head]
    earliest: int | None = None


class Projection(NamedTuple):
    """How far a graph for people follows the store: `revision` is the store's, `drawn` the newest that the graph shows as a whole, and
    `behind` how many seconds ago the first commit was that it does not show (0.0: it shows all).
    """

    revision: int
    drawn: int
    behind: float


class RunReader(Protocol):
    """Reads for the builder of a batch, inside the transaction that will write the batch."""

    def find_runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        """The runs with these keys that exist, by key."""
        ...

    def find_siblings(self, pairs: Iterable[tuple[str, str, bytes]]) -> Mapping[tuple[str, str, bytes], Sequence[RunPair]]:
        """For each (source, parent, pair): the pairs of runs of this parent. A key without pairs is missing."""
        ...

    def find_dropped(self, keys: Iterable[RunKey]) -> Collection[RunKey]:
        """Those of these runs that were dropped (`Store.prune_history`) within the last year."""
        ...

    def list_unindexed_runs(self, after: str, limit: int) -> Sequence[StoredRun]:
        """Runs of which `begun` is None, in the store's own order, after the `tie` of a position ('': from the beginning)."""
        ...

    def list_unindexed_events(self, after: int, limit: int) -> Sequence[StoredEvent]:
        """Events of which `at` is None, in the order of arrival, after a position."""
        ...


class PastReader(Protocol):
    """Reads the graph as of one time, at one revision of the store.

    Over Neo4j each batch is a snapshot, of that revision or a later one: see `is_of_one_revision`.
    """

    @property
    def revision(self) -> int: ...

    def iterate_heads(self) -> Iterator[Sequence[Head]]:
        """Iterate over all heads with content, in batches."""
        ...

    def iterate_times(self, known: int) -> Iterator[PastHeads]:
        """Iterate over all scopes, in batches, without contents: much cheaper than `iterate_heads`.

        `known`: the revision of the contents that the caller knows as those of now. Scopes whose head is newer are among the others.
        """
        ...

    def read_heads(self, scope_ids: Sequence[int]) -> Sequence[Head]:
        """Read the heads of these scopes. Empty scopes are left out."""
        ...

    def is_of_one_revision(self) -> bool:
        """True if all that was read is of `revision`. False: something about that time or an earlier one may have been committed
        meanwhile, and may be in a part of it.
        """
        ...


class Store(Protocol):
    """The interface between the graph and its storage."""

    def commit(self, build: Callable[[RunReader], Batch]) -> Changes:
        """Acquire the write lock, call `build`, write its batch atomically, and return the changed heads.

        The batch is durable when this returns. If `build` or anything else raises, nothing is written. A batch that
        changes nothing does not create a revision. Raises StoreUnavailable.
        """
        ...

    def iterate_heads(self, as_of: int | None = None) -> Iterator[Sequence[Head]]:
        """Iterate over all heads with content, in batches, now or as of a time (microseconds)."""
        ...

    def open_past(self, as_of: int) -> AbstractContextManager[PastReader]:
        """Read the graph as of a time (microseconds), within a block."""
        ...

    def read_changes(self, since: int) -> Changes:
        """Read the heads that changed after a revision, for an index that follows the store. Any old revision is accepted."""
        ...

    def read_heads(self, scope_ids: Sequence[int], as_of: int | None = None) -> Sequence[Head]:
        """Read the heads of these scopes, now or as of a time (microseconds). Empty scopes are left out."""
        ...

    def read_history(self, scope_ids: Sequence[int]) -> Mapping[int, Sequence[tuple[Interval, Content]]]:
        """Read the intervals of these scopes, oldest first, with their contents (tombstones included)."""
        ...

    def list_changed_scopes(self, since: int) -> Sequence[int]:
        """List, in ascending order, all scopes whose content may have changed after a time (microseconds): those whose head is valid from
        a later time, and those without an active statement. Of all other scopes, the head is as it was at that time.
        """
        ...

    def search(self, terms: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> Sequence[AssetKey]:
        """Find assets for which every term is a prefix of a word of one document of the asset.

        `meshline.graph.store.search_words` splits documents into words, so that all stores find the same assets; of
        many terms only the first `search_words.MAX_TERMS` are used. Finds assets of these kinds (empty: of all), at most
        `limit`, in the order of `AssetKind`, then of the key's parts by code point. The result may contain assets that
        are not visible any more: the caller checks with the index.
        """
        ...

    def search_texts(self, words: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> Sequence[AssetKey]:
        """Find assets with prose (`search_words.TEXT_ATTRIBUTES`) that contains any of these words, whole: those with the most and the
        rarest of them first, as the store's full-text search ranks them, so that stores may differ in which are left out at `limit`.

        As of `search`: assets of these kinds, perhaps not visible any more.
        """
        ...

    def read_runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        """Read the recorded state of these runs, as far as they exist."""
        ...

    def list_runs(
        self, assets: Sequence[AssetKey], role: RunRole, before: RunPosition | None = None, limit: int = 100
    ) -> Sequence[StoredRun]:
        """List the runs that have one of these assets in this role, each once: the newest first, after a position in that order.

        Runs that are added meanwhile do not shift the runs after a position.
        """
        ...

    def list_last_runs(self, groups: Sequence[RunGroup], role: RunRole, limit: int = 1) -> Sequence[Sequence[StoredRun]]:
        """List the newest runs of each group, at most `limit` of each, as `list_runs` does, with one read of the store."""
        ...

    def read_last_states(self, groups: Sequence[RunGroup], role: RunRole) -> Sequence[bytes | None]:
        """Read the state of the newest run of each group; None if it has none. Cheaper than its whole run of `list_last_runs`."""
        ...

    def count_runs(self, assets: Sequence[AssetKey], role: RunRole) -> int:
        """Count the runs that have one of these assets in this role."""
        ...

    def list_runs_by_id(self, run_id: str, limit: int = 100, before: RunPosition | None = None) -> Sequence[StoredRun]:
        """List the runs with an id, of any job and source, the newest first, after a position in that order."""
        ...

    def count_runs_by_id(self, run_id: str) -> int:
        """Count the runs with an id, of any job and source."""
        ...

    def read_raw_events(self, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        """Read raw events in the order of arrival, after a position."""
        ...

    def prune_raw_events(self, received_before: int) -> int:
        """Delete raw events received before a time (microseconds); the number of deleted events. Counts of events remain."""
        ...

    def prune_history(self, retention: Retention, examine: Examine, rest: Callable[[], bool] = lambda: True) -> Pruned:
        """Drop and pack what is past its retention, in short transactions; `rest` is called between them, and ends it by False.
        Creates no revision.

        A run that is dropped is known as such for a year (`RunReader.find_dropped`),
        and the setting `RUNS_SINCE` has the time (microseconds) since when lists of runs are complete.
        """
        ...

    def list_events(self, since: int, until: int, before: tuple[int, int] | None = None, limit: int = 100) -> Sequence[StoredEvent]:
        """List the raw events of a time in [since, until): the newest first, after the (time, position) of an event in that order."""
        ...

    def count_events(self, since: int, until: int) -> int:
        """Count the raw events of a time in [since, until)."""
        ...

    def read_event_counts(self, since: int, until: int) -> Mapping[tuple[int, str], int]:
        """Read how many events there were, by hour and type, of the hours that begin in [since, until)."""
        ...

    def read_journal(self, kind: str = "", after: int = 0, limit: int = 1000) -> Sequence[StoredRecord]:
        """Read records of a kind ('': of all) in the order of commits, after a position. Records are never changed, and deleted only by
        `prune_history`.
        """
        ...

    def read_revision(self) -> int:
        """Read the newest revision. This is also the cheapest call to check that the store responds."""
        ...

    def read_projection(self) -> Projection | None:
        """Read how far the graph for people is; None if the store has none beside what answers come from."""
        ...

    def read_setting(self, name: str) -> str | None:
        """Read a named setting kept in the store (e.g. the digest of the naming rules); None if it was never written."""
        ...

    def write_setting(self, name: str, value: str) -> None:
        """Write one setting. Several at once, or one that depends on what the store has, are part of a commit (`Batch.settings`)."""
        ...

    def close(self) -> None: ...
