"""The store protocol: statements are written and read in batches. Queries are the work of the index, not of a store.

A store keeps every observation (one small row each), each content once per digest, and, derived from
the observations, the head of every scope: its active statement. Each `commit` is one transaction, and
durable when it returns. Revisions have no gaps and are in the order of commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from meshline.graph.model import AssetKey, AssetKind, Content, Interval, Scope, Statement


class RunKey(NamedTuple):
    """The key of a run. It contains the job because two jobs may share a run id."""

    source: str
    job: AssetKey
    run_id: str


class Run(NamedTuple):
    """A run's merged state: opaque to the store. `parent` groups sibling runs ('' = none)."""

    key: RunKey
    parent: str
    state: bytes


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
    """

    source: str
    received_at: int
    body: bytes


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
    """

    withdrawals: Sequence[Withdrawal] = ()
    statements: Sequence[Statement] = ()
    runs: Sequence[Run] = ()
    pairs: Sequence[RunPair] = ()
    raw: Sequence[RawEvent] = ()
    settings: Mapping[str, str] = {}
    journal: Sequence[Record] = ()


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


class Changes(NamedTuple):
    """Heads that changed, in no order, after one revision up to and including `revision`.

    A head with the same content but other times is included, too: compare digests.
    """

    revision: int
    heads: Sequence[Head]


class RunReader(Protocol):
    """Reads for the builder of a batch, inside the transaction that will write the batch."""

    def find_runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        """The runs with these keys that exist, by key."""
        ...

    def find_siblings(self, pairs: Iterable[tuple[str, str, bytes]]) -> Mapping[tuple[str, str, bytes], Sequence[RunPair]]:
        """For each (source, parent, pair): the pairs of runs of this parent. A key without pairs is missing."""
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

    def read_changes(self, since: int) -> Changes:
        """Read the heads that changed after a revision, for an index that follows the store. Any old revision is accepted."""
        ...

    def read_heads(self, scope_ids: Sequence[int], as_of: int | None = None) -> Sequence[Head]:
        """Read the heads of these scopes, now or as of a time (microseconds). Empty scopes are left out."""
        ...

    def read_history(self, scope_ids: Sequence[int]) -> Mapping[int, Sequence[tuple[Interval, Content]]]:
        """Read the intervals of these scopes, oldest first, with their contents (tombstones included)."""
        ...

    def search(self, terms: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> Sequence[AssetKey]:
        """Find assets for which every term is a prefix of a word of one document of the asset.

        `meshline.graph.store.search_words` splits documents into words, so that all stores find the same assets; of
        many terms only the first `search_words.MAX_TERMS` are used. Finds assets of these kinds (empty: of all), at most
        `limit`, in the order of `AssetKind`, then of the key's parts by code point. The result may contain assets that
        are not visible any more: the caller checks with the index.
        """
        ...

    def read_runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        """Read the recorded state of these runs, as far as they exist."""
        ...

    def read_raw_events(self, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        """Read raw events in the order of arrival, after a position."""
        ...

    def prune_raw_events(self, received_before: int) -> int:
        """Delete raw events received before a time (microseconds); the number of deleted events."""
        ...

    def read_journal(self, kind: str = "", after: int = 0, limit: int = 1000) -> Sequence[StoredRecord]:
        """Read records of a kind ('': of all) in the order of commits, after a position. Records are never changed or deleted."""
        ...

    def read_revision(self) -> int:
        """Read the newest revision. This is also the cheapest call to check that the store responds."""
        ...

    def read_setting(self, name: str) -> str | None:
        """Read a named setting kept in the store (e.g. the digest of the naming rules); None if it was never written."""
        ...

    def write_setting(self, name: str, value: str) -> None:
        """Write one setting. Several at once, or one that depends on what the store has, are part of a commit (`Batch.settings`)."""
        ...

    def close(self) -> None: ...
