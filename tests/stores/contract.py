"""The contract of stores: the same suite runs unchanged on every store.

A store's test module subclasses `StoreContract` with a fixture `store` that gives a new, empty store
and closes it. A store that outlives its handle subclasses `DurableStoreContract` with a fixture
`open_handle` instead: a function that opens one more handle on the same store (empty at first).
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from meshline.graph.model import AssetFact, build_column_key
from meshline.graph.store.base import Batch, RawEvent, RunReader, Store
from tests.stores.commits_contract import CommitContract
from tests.stores.journal_contract import JournalContract, append, record, records
from tests.stores.records_contract import P1, RecordContract, key, pair, put, run, siblings
from tests.stores.said import all_heads, commit, graph, head_of, say, says, withdraw
from tests.stores.search_contract import EMAIL, ORDERS, SearchContract, found, state
from tests.stores.statements_contract import StatementContract


class StoreContract(StatementContract, CommitContract, SearchContract, RecordContract, JournalContract):
    """All that a store promises while it is open."""


class DurableStoreContract(StoreContract):
    """And what it promises beyond one handle."""

    @pytest.fixture
    def open_handle(self) -> Callable[[], Store]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, open_handle: Callable[[], Store]) -> Store:
        return open_handle()

    def test_what_was_committed_is_there_after_reopening(self, store: Store, open_handle: Callable[[], Store]) -> None:
        commit(
            store, say("A", 1, version="r"), say("B", 2), say("C", 3, scope="t", provisional=True), state(AssetFact(ORDERS, {}), scope="o")
        )
        store.commit(lambda _: Batch(runs=[run(key())], pairs=[pair(key(), P1)], raw=[RawEvent("x/x", 1, b"{}")]))
        store.read_setting("naming", "n")
        before = all_heads(store), all_heads(store, as_of=1), store.read_raw_events(), store.read_runs([key()]), store.read_changes(0)
        store.close()
        again = open_handle()
        assert (
            all_heads(again),
            all_heads(again, as_of=1),
            again.read_raw_events(),
            again.read_runs([key()]),
            again.read_changes(0),
        ) == before
        assert again.read_revision() == 2
        assert again.read_setting("naming") == "n"
        assert found(again, "orders") == [ORDERS]
        assert list(siblings(again, (key().source, "p", P1)).values()) == [[pair(key(), P1)]]
        assert commit(again, say("A", 1, version="r")) == (2, [])
        commit(again, say("D", 9))
        assert head_of(again) == says("D", 9)

    def test_a_record_is_there_once_after_reopening(self, store: Store, open_handle: Callable[[], Store]) -> None:
        append(store, record("k", b"1"), record())
        before = store.read_journal()
        store.close()
        again = open_handle()
        append(again, record("k", b"2"))
        assert again.read_journal() == before
        append(again, record("l"))
        assert records(again) == [record("k", b"1"), record(), record("l")]

    def test_handles_race_for_a_key(self, store: Store, open_handle: Callable[[], Store]) -> None:
        """Each says the same; all is said once, and positions follow the commits."""
        handles = [store, open_handle(), open_handle()]

        def add(number: int, handle: Store) -> None:
            for at in range(20):
                append(handle, record(f"k{at}", str(number).encode()), record("", str(number).encode()))

        threads = [threading.Thread(target=add, args=(number, handle)) for number, handle in enumerate(handles)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept = handles[1].read_journal()
        assert sorted(each.record.key for each in kept if each.record.key) == sorted(f"k{at}" for at in range(20))
        assert len(kept) == 80
        assert len({each.position for each in kept}) == 80

    def test_names_are_found_once_after_reopening(self, store: Store, open_handle: Callable[[], Store]) -> None:
        commit(store, state(AssetFact(EMAIL, {})))
        store.close()
        again = open_handle()
        commit(again, state(AssetFact(EMAIL, {"type": "text"}), AssetFact(build_column_key(ORDERS, "other"), {}), scope="t"))
        assert found(again, "email") == [EMAIL]
        assert found(again, "orders") == [ORDERS, EMAIL, build_column_key(ORDERS, "other")]

    def test_two_handles_see_each_others_commits(self, store: Store, open_handle: Callable[[], Store]) -> None:
        other = open_handle()
        for at in range(1, 9, 2):
            commit(store, say("AB"[at // 2 % 2], at), say("A", at, scope=f"mine{at}"))
            assert graph(other) == graph(store)
            commit(other, say("A", at + 1), say("B", at, scope=f"yours{at}"), state(AssetFact(ORDERS, {}), at=at, scope=f"o{at}"))
            assert graph(other) == graph(store)
            assert store.read_revision() == other.read_revision() == at + 1
        assert {h.scope for h in store.read_changes(6).heads} == {("s",), ("mine7",), ("yours7",), ("o7",)}
        assert found(store, "orders") == found(other, "orders") == [ORDERS]
        assert commit(other, withdrawals=[withdraw("", scope="mine1")]).revision == 9
        assert ("openlineage/test", ("mine1",)) not in graph(store)

    def test_scopes_have_one_number_in_all_handles(self, store: Store, open_handle: Callable[[], Store]) -> None:
        other = open_handle()
        for at in range(1, 6):
            commit(store, say("A", at, scope="shared"), say("A", at, scope=f"a{at}"))
            commit(other, say("B", at, scope="shared"), say("A", at, scope=f"b{at}"))
        heads = all_heads(store)
        assert len({head.scope_id for head in heads}) == len(heads) == 11
        assert sorted(heads) == sorted(all_heads(other))

    def test_concurrent_writers_lose_nothing(self, store: Store, open_handle: Callable[[], Store]) -> None:
        """Each reads the run under the lock and adds one: no update is lost, and no revision."""
        handles = [store, open_handle(), open_handle()]
        revisions: list[int] = []

        def add(handle: Store, name: str) -> None:
            for at in range(8):

                def build(reader: RunReader, at: int = at) -> Batch:
                    known = reader.find_runs([key()])
                    count = int(known[key()].state) if known else 0
                    return Batch(
                        statements=[say("AB"[count % 2], count), say("A", at, scope=name)], runs=[run(key(), str(count + 1).encode())]
                    )

                revisions.append(handle.commit(build).revision)

        threads = [threading.Thread(target=add, args=(handle, f"writer{n}")) for n, handle in enumerate(handles)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.read_runs([key()])[key()].state == b"24"
        assert sorted(revisions) == list(range(1, 25))
        assert head_of(store) == says("B", 23)

    def test_a_failed_commit_of_one_handle_does_not_confuse_it(self, store: Store, open_handle: Callable[[], Store]) -> None:
        """Numbers that a handle gave out in a commit that failed may be given to others by another handle."""
        other = open_handle()
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the driver says of a wrong type
            store.commit(lambda _: Batch(statements=[say("A", 1, scope="lost")], raw=[RawEvent("x/x", 1, None)]))  # type: ignore[arg-type]
        commit(other, say("B", 1, scope="kept"))
        commit(store, say("A", 2, scope="lost"))
        assert graph(store) == graph(other)
        assert head_of(other, "lost") == says("A", 2)
        assert head_of(other, "kept") == says("B", 1)
        assert put(other, run(key())) == 3
