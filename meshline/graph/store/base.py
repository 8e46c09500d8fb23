"""The store protocol: statements in, statements out, in batches. A store answers no questions.

A store keeps every observation (one small row each), content once per digest, and - derived from
them, never the truth - the head of every scope: what the scope says now. All of one `commit` is one
transaction; when it returns, it is durable. Revisions are gapless and in commit order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from meshline.graph.model import AssetKey, AssetKind, Content, Interval, Scope, Statement


class RunKey(NamedTuple):
    """Two jobs may share a run id, so a run is known by both."""

    source: str
    job: AssetKey
    run_id: str


class Run(NamedTuple):
    """A run's merged state: opaque to the store. `parent` groups sibling runs ('' = none)."""

    key: RunKey
    parent: str
    state: bytes


class RunPair(NamedTuple):
    """A run's (input, output) pair of datasets: `covered` if its column lineage has edges for it.

    Pairs are what sibling runs (same source, same parent) need to know of each other. `pair` is the
    16-byte digest of both dataset keys.
    """

    parent: str
    pair: bytes
    run: RunKey
    covered: bool


class RawEvent(NamedTuple):
    """An event as it came, kept for replay. `body` is the JSON text, uncompressed; the store may compress."""

    source: str
    received_at: int
    body: bytes


class StoredEvent(NamedTuple):
    """A raw event read back. `position` orders events by arrival."""

    position: int
    event: RawEvent


class Record(NamedTuple):
    """One line of the journal: what happened, or what is owed. `body` is JSON; `at` in microseconds; `kind` is not empty.

    A record whose kind and key are there already is ignored, so that what is said twice happens once. Without a key it is always new.
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
    """Takes back all that one version (a run) said in one scope."""

    source: str
    scope: Scope
    version: str


class Batch(NamedTuple):
    """What one commit does, in this order: withdraw, add statements, put runs, put pairs, keep raw events, set settings, append records.

    `runs` and `pairs` replace: for each run in `runs`, all its pairs are replaced by those given here.
    `settings`: see `Store.setting`; `journal`: see `Store.journal`; these alone make no new revision.
    """

    withdrawals: Sequence[Withdrawal] = ()
    statements: Sequence[Statement] = ()
    runs: Sequence[Run] = ()
    pairs: Sequence[RunPair] = ()
    raw: Sequence[RawEvent] = ()
    settings: Mapping[str, str] = {}
    journal: Sequence[Record] = ()


class Head(NamedTuple):
    """What a scope says now (or said at the time asked for).

    `scope_id` is the store's own small positive integer for (source, scope), stable for ever.
    `observed_at` is the time of the statement that holds, `valid_from` the start of its stretch,
    `last_observed` the newest time at which the same was said in the stretch. A scope that says
    nothing (tombstone, withdrawn) has no head, or in `Changes` one with content None.
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

    A head whose content is unchanged but whose times moved is listed too (its content may be shared
    with the previous head: compare digests).
    """

    revision: int
    heads: Sequence[Head]


class RunReader(Protocol):
    """What the builder of a batch may read, inside the transaction that will write the batch."""

    def find_runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        """The known ones of these runs."""
        ...

    def find_siblings(self, pairs: Iterable[tuple[str, str, bytes]]) -> Mapping[tuple[str, str, bytes], Sequence[RunPair]]:
        """For each (source, parent, pair): the pairs that runs of this parent have. Missing = none."""
        ...


class Store(Protocol):
    """The narrow seam between the graph and what keeps it."""

    def commit(self, build: Callable[[RunReader], Batch]) -> Changes:
        """Take the write lock, call `build`, write its batch atomically, return what changed.

        Durable when it returns. If `build` or anything else raises, nothing is written. A batch that
        changes nothing at all does not take a new revision. Raises StoreUnavailable.
        """
        ...

    def iterate_heads(self, as_of: int | None = None) -> Iterator[Sequence[Head]]:
        """All heads with content, in batches, now or as of a time (microseconds)."""
        ...

    def read_changes(self, since: int) -> Changes:
        """What changed after a revision, for an index that follows. Never raises for an old revision."""
        ...

    def read_heads(self, scope_ids: Sequence[int], as_of: int | None = None) -> Sequence[Head]:
        """The heads of these scopes (those that have one)."""
        ...

    def read_history(self, scope_ids: Sequence[int]) -> Mapping[int, Sequence[tuple[Interval, Content]]]:
        """The intervals of these scopes, oldest first, with what each says (tombstones included)."""
        ...

    def search(self, terms: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> Sequence[AssetKey]:
        """Assets of which every term is the start of a word of one of its documents.

        Documents and their words are made by `meshline.graph.store.search_words`, so that every store
        finds the same; of many terms only the first (`search_words.MAX_TERMS`) are looked at. Of these kinds
        (none given: of all), at most `limit`, in the order of
        `AssetKind`, then of the key's parts by code point. May hold assets that are visible no more:
        the caller checks with the index.
        """
        ...

    def read_runs(self, keys: Iterable[RunKey]) -> Mapping[RunKey, Run]:
        """The recorded state of these runs."""
        ...

    def read_raw_events(self, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        """Raw events in order of arrival, after a position."""
        ...

    def prune_raw_events(self, received_before: int) -> int:
        """Forget raw events that are older; the number forgotten."""
        ...

    def read_journal(self, kind: str = "", after: int = 0, limit: int = 1000) -> Sequence[StoredRecord]:
        """Records of a kind ('': of all) in the order of commits, after a position. They are never changed nor forgotten."""
        ...

    def read_revision(self) -> int:
        """The newest revision; also the cheapest question that proves that the store answers."""
        ...

    def read_setting(self, name: str, value: str | None = None) -> str | None:
        """Read a named setting kept in the store (e.g. the digest of the naming rules), or set it."""
        ...

    def close(self) -> None: ...
