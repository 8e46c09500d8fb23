"""Random operations on a store and on the model; after each, both have the same content.

A store's test module makes a machine of its own:

    class MyMachine(StoreMachine):
        def open_store(self) -> Store: ...      # a new, empty store

    TestMyStore = MyMachine.TestCase
    TestMyStore.settings = settings(max_examples=20, stateful_step_count=10, deadline=None)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from meshline.graph.model import KINDS, AssetKey, AssetKind, Content, Interval, Scope, build_job_key
from meshline.graph.store.base import Batch, Changes, Head, Run, RunKey, RunPair, RunReader, RunRole, Store, StoredEvent, StoredRun
from tests.stores.model import ModelStore
from tests.stores.statements import read_graph, read_past_graph, summarize_heads
from tests.stores.strategies import DIGESTS, ORDERS, PAYMENTS, TIMES, WORDS, draw_batches, run_keys, terms

SIBLINGS = [(source, parent, pair) for source in ("openlineage/a", "dbt/b") for parent in ("", "p", "q") for pair in DIGESTS]

JOBS = (build_job_key("ns", "load"), build_job_key("ns", "other"))


class StoreMachine(RuleBasedStateMachine):
    """Compares a store with `ModelStore`."""

    def open_store(self) -> Store:
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.model = ModelStore()
        self.store = self.open_store()
        self.copy: dict[int, Head] = {}  # kept up to date by what commits return
        self.followed: dict[int, Head] = {}  # brought up to date by `read_changes`, now and then
        self.followed_to = 0

    def teardown(self) -> None:
        self.store.close()

    @rule(batch=draw_batches())
    def commit(self, batch: Batch) -> None:
        before = {at: read_graph(self.model, at) for at in TIMES}
        expected = self.model.commit(lambda _: batch)
        changes = self.store.commit(lambda _: batch)
        assert changes.revision == expected.revision
        assert changes.earliest is None or all(read_graph(self.model, at) == before[at] for at in TIMES if at < changes.earliest)
        assert list_statements(changes) == list_statements(expected)
        follow_changes(self.copy, changes)

    @rule(batch=draw_batches(), repeated=st.integers(2, 3))
    def commit_repeatedly(self, batch: Batch, repeated: int) -> None:
        for _ in range(repeated):
            self.commit(batch._replace(raw=(), event_counts={}, journal=[record for record in batch.journal if record.key]))

    @rule()
    def follow(self) -> None:
        changes = self.store.read_changes(self.followed_to)
        assert list_statements(changes).keys() <= list_statements(self.model.read_changes(self.followed_to)).keys()
        follow_changes(self.followed, changes)
        self.followed_to = changes.revision
        assert summarize_heads(self.followed.values()) == read_graph(self.model)

    @rule(at=st.sampled_from((*TIMES, 20)))
    def read_as_of(self, at: int) -> None:
        assert read_graph(self.store, at) == read_graph(self.model, at)
        assert summarize_heads(self.store.read_heads(list(self.copy), at)).items() <= read_graph(self.model, at).items()
        for known, revision in ((self.copy, self.store.read_revision()), (self.followed, self.followed_to)):
            assert read_past_graph(self.store, at, known.values(), revision) == read_graph(self.model, at)

    @rule()
    def read_history(self) -> None:
        assert read_histories(self.store, self.store.read_changes(0)) == read_histories(self.model, self.model.read_changes(0))

    @rule(
        terms=st.lists(terms, min_size=1, max_size=2),
        limit=st.integers(0, 5),
    )
    def search(self, terms: Sequence[str], limit: int) -> None:
        assert list(self.store.search(terms, [], limit)) == list(self.model.search(terms, [], limit))

    @rule(term=st.sampled_from(WORDS), kinds=st.sets(st.sampled_from(KINDS)))
    def search_kinds(self, term: str, kinds: set[AssetKind]) -> None:
        assert list(self.store.search([term], sorted(kinds), 99)) == list(self.model.search([term], sorted(kinds), 99))

    @rule(keys=st.sets(run_keys))
    def read_runs(self, keys: set[RunKey]) -> None:
        assert self.store.read_runs(keys) == self.model.read_runs(keys)
        found: list[dict[tuple[str, str, bytes], list[RunPair]]] = []

        def build(reader: RunReader) -> Batch:
            assert reader.find_runs(keys) == self.model.read_runs(keys)
            found.append({asked: sorted(pairs) for asked, pairs in reader.find_siblings(SIBLINGS).items() if pairs})
            return Batch()

        self.store.commit(build)
        assert found == [{asked: sorted(pairs) for asked, pairs in self.model.find_siblings(SIBLINGS).items() if pairs}]

    @rule(assets=st.sampled_from(((ORDERS,), (PAYMENTS, ORDERS), JOBS[:1], JOBS)), role=st.sampled_from(RunRole), page=st.integers(1, 3))
    def list_runs(self, assets: Sequence[AssetKey], role: RunRole, page: int) -> None:
        found = list_all_runs(self.store, assets, role, page)
        expected = list_all_runs(self.model, assets, role, 99)
        assert [run.begun for run in found] == [run.begun for run in expected]
        assert sorted(found) == sorted(expected)
        assert self.store.count_runs(assets, role) == len(expected)
        for run_id in ("r1", "r2"):
            runs = [[stored.run for stored in store.list_runs_by_id(run_id)] for store in (self.store, self.model)]
            assert sorted(runs[0]) == sorted(runs[1])
            assert self.store.count_runs_by_id(run_id) == len(runs[1])

    @rule(since=st.sampled_from(TIMES), until=st.sampled_from(TIMES), page=st.integers(1, 3))
    def list_events(self, since: int, until: int, page: int) -> None:
        expected = [stored.event for stored in self.model.list_events(since, until, None, 999)]
        found: list[StoredEvent] = []
        while part := self.store.list_events(since, until, (found[-1].event.at or 0, found[-1].position) if found else None, page):
            found += part
        assert [stored.event for stored in found] == expected
        assert self.store.count_events(since, until) == len(expected)
        assert self.store.read_event_counts(since, until) == self.model.read_event_counts(since, until)

    @rule(before=st.sampled_from(TIMES))
    def prune_raw(self, before: int) -> None:
        assert self.store.prune_raw_events(before) == self.model.prune_raw_events(before)

    @invariant()
    def has_the_same_graph(self) -> None:
        assert self.store.read_revision() == self.model.read_revision()
        assert read_graph(self.store) == summarize_heads(self.copy.values()) == read_graph(self.model)

    @invariant()
    def has_the_same_events(self) -> None:
        assert [stored.event for stored in self.store.read_raw_events()] == [stored.event for stored in self.model.read_raw_events()]

    @invariant()
    def has_the_same_records(self) -> None:
        for kind in ("", "audit", "notice"):
            assert [kept.record for kept in self.store.read_journal(kind)] == [kept.record for kept in self.model.read_journal(kind)]


def list_all_runs(store: Store, assets: Sequence[AssetKey], role: RunRole, page: int) -> list[Run]:
    """All runs of some assets, read in pages."""
    found: list[StoredRun] = []
    while part := store.list_runs(assets, role, found[-1].position if found else None, page):
        found += part
    return [stored.run for stored in found]


def list_statements(changes: Changes) -> dict[tuple[str, Scope], Head | None]:
    """The heads without the store's scope numbers; None for a scope that no longer has an active statement."""
    return {(h.source, h.scope): None if h.content is None else h._replace(scope_id=0) for h in changes.heads}


def follow_changes(copy: dict[int, Head], changes: Changes) -> None:
    for head in changes.heads:
        copy.pop(head.scope_id, None)
        if head.content is not None:
            copy[head.scope_id] = head


def read_histories(store: Store, changes: Changes) -> dict[tuple[str, Scope], list[tuple[Interval, Content]]]:
    """Histories without `until`: of two observations that differ in nothing else, a store may keep either."""
    names = {head.scope_id: (head.source, head.scope) for head in changes.heads}
    return {names[number]: drop_until(history) for number, history in store.read_history(list(names)).items() if history}


def drop_until(history: Iterable[tuple[Interval, Content]]) -> list[tuple[Interval, Content]]:
    return [(interval._replace(observation=interval.observation._replace(until=None)), content) for interval, content in history]
