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
from meshline.graph.store.base import Batch, RawEvent, Record, RunReader, Store
from tests.stores.commits_contract import CommitContract
from tests.stores.journal_contract import JournalContract, append_records, build_record, list_records
from tests.stores.records_contract import P1, RecordContract, build_pair, build_run, build_run_key, find_siblings, put_runs
from tests.stores.runs_contract import RunsContract
from tests.stores.search_contract import EMAIL, ORDERS, SearchContract, build_facts_statement, find_assets
from tests.stores.statements import build_head, build_statement, build_withdrawal, commit_statements, find_head, list_heads, read_graph
from tests.stores.statements_contract import StatementContract


class StoreContract(StatementContract, CommitContract, SearchContract, RecordContract, RunsContract, JournalContract):
    """The contract of a store while it is open."""


class DurableStoreContract(StoreContract):
    """The contract of a store with several handles, and after it is reopened."""

    @pytest.fixture
    def open_handle(self) -> Callable[[], Store]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, open_handle: Callable[[], Store]) -> Store:
        return open_handle()

    def test_changes_state_since_when_the_graph_is_another(self, store: Store) -> None:
        for at in (5, 3, 9):
            commit_statements(store, build_statement("A", at))
        store.commit(lambda _: Batch(raw=[RawEvent("s", 1, b"{}")]))
        store.commit(lambda _: Batch(journal=[Record("kind", "", 1, b"{}")]))
        assert [store.read_changes(since).earliest for since in range(3)] == [3, 3, 9]
        assert store.read_changes(3).earliest == 2**63 - 1

    def test_committed_statements_remain_after_reopening(self, store: Store, open_handle: Callable[[], Store]) -> None:
        commit_statements(
            store,
            build_statement("A", 1, version="r"),
            build_statement("B", 2),
            build_statement("C", 3, scope="t", provisional=True),
            build_facts_statement(AssetFact(ORDERS, {}), scope="o"),
        )
        store.commit(
            lambda _: Batch(runs=[build_run(build_run_key())], pairs=[build_pair(build_run_key(), P1)], raw=[RawEvent("x/x", 1, b"{}")])
        )
        store.write_setting("naming", "n")
        before = (
            list_heads(store),
            list_heads(store, as_of=1),
            store.read_raw_events(),
            store.read_runs([build_run_key()]),
            store.read_changes(0),
        )
        store.close()
        again = open_handle()
        assert (
            list_heads(again),
            list_heads(again, as_of=1),
            again.read_raw_events(),
            again.read_runs([build_run_key()]),
            again.read_changes(0),
        ) == before
        assert again.read_revision() == 2
        assert again.read_setting("naming") == "n"
        assert find_assets(again, "orders") == [ORDERS]
        assert list(find_siblings(again, (build_run_key().source, "p", P1)).values()) == [[build_pair(build_run_key(), P1)]]
        assert commit_statements(again, build_statement("A", 1, version="r"))[:2] == (2, [])
        commit_statements(again, build_statement("D", 9))
        assert find_head(again) == build_head("D", 9)

    def test_a_record_is_there_once_after_reopening(self, store: Store, open_handle: Callable[[], Store]) -> None:
        append_records(store, build_record("k", b"1"), build_record())
        before = store.read_journal()
        store.close()
        again = open_handle()
        append_records(again, build_record("k", b"2"))
        assert again.read_journal() == before
        append_records(again, build_record("l"))
        assert list_records(again) == [build_record("k", b"1"), build_record(), build_record("l")]

    def test_handles_race_for_a_key(self, store: Store, open_handle: Callable[[], Store]) -> None:
        """Each handle appends the same keys; each key is recorded once, and positions follow the order of commits."""
        handles = [store, open_handle(), open_handle()]

        def add(number: int, handle: Store) -> None:
            for at in range(20):
                append_records(handle, build_record(f"k{at}", str(number).encode()), build_record("", str(number).encode()))

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
        commit_statements(store, build_facts_statement(AssetFact(EMAIL, {})))
        store.close()
        again = open_handle()
        commit_statements(
            again, build_facts_statement(AssetFact(EMAIL, {"type": "text"}), AssetFact(build_column_key(ORDERS, "other"), {}), scope="t")
        )
        assert find_assets(again, "email") == [EMAIL]
        assert find_assets(again, "orders") == [ORDERS, EMAIL, build_column_key(ORDERS, "other")]

    def test_two_handles_see_each_others_commits(self, store: Store, open_handle: Callable[[], Store]) -> None:
        other = open_handle()
        for at in range(1, 9, 2):
            commit_statements(store, build_statement("AB"[at // 2 % 2], at), build_statement("A", at, scope=f"mine{at}"))
            assert read_graph(other) == read_graph(store)
            commit_statements(
                other,
                build_statement("A", at + 1),
                build_statement("B", at, scope=f"yours{at}"),
                build_facts_statement(AssetFact(ORDERS, {}), at=at, scope=f"o{at}"),
            )
            assert read_graph(other) == read_graph(store)
            assert store.read_revision() == other.read_revision() == at + 1
        assert {h.scope for h in store.read_changes(6).heads} == {("s",), ("mine7",), ("yours7",), ("o7",)}
        assert find_assets(store, "orders") == find_assets(other, "orders") == [ORDERS]
        assert commit_statements(other, withdrawals=[build_withdrawal("", scope="mine1")]).revision == 9
        assert ("openlineage/test", ("mine1",)) not in read_graph(store)

    def test_scopes_have_one_number_in_all_handles(self, store: Store, open_handle: Callable[[], Store]) -> None:
        other = open_handle()
        for at in range(1, 6):
            commit_statements(store, build_statement("A", at, scope="shared"), build_statement("A", at, scope=f"a{at}"))
            commit_statements(other, build_statement("B", at, scope="shared"), build_statement("A", at, scope=f"b{at}"))
        heads = list_heads(store)
        assert len({head.scope_id for head in heads}) == len(heads) == 11
        assert sorted(heads) == sorted(list_heads(other))

    def test_concurrent_writers_lose_nothing(self, store: Store, open_handle: Callable[[], Store]) -> None:
        """Each reads the run under the lock and adds one: no update is lost, and no revision."""
        handles = [store, open_handle(), open_handle()]
        revisions: list[int] = []

        def add(handle: Store, name: str) -> None:
            for at in range(8):

                def build(reader: RunReader, at: int = at) -> Batch:
                    known = reader.find_runs([build_run_key()])
                    count = int(known[build_run_key()].state) if known else 0
                    return Batch(
                        statements=[build_statement("AB"[count % 2], count), build_statement("A", at, scope=name)],
                        runs=[build_run(build_run_key(), str(count + 1).encode())],
                    )

                revisions.append(handle.commit(build).revision)

        threads = [threading.Thread(target=add, args=(handle, f"writer{n}")) for n, handle in enumerate(handles)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.read_runs([build_run_key()])[build_run_key()].state == b"24"
        assert sorted(revisions) == list(range(1, 25))
        assert find_head(store) == build_head("B", 23)

    def test_a_failed_commit_of_one_handle_does_not_confuse_it(self, store: Store, open_handle: Callable[[], Store]) -> None:
        """Scope numbers from a failed commit of one handle may be used for other scopes by another handle."""
        other = open_handle()
        with pytest.raises(Exception):  # noqa: B017, PT011 - each driver raises its own error for a wrong type
            store.commit(lambda _: Batch(statements=[build_statement("A", 1, scope="lost")], raw=[RawEvent("x/x", 1, None)]))  # type: ignore[arg-type]
        commit_statements(other, build_statement("B", 1, scope="kept"))
        commit_statements(store, build_statement("A", 2, scope="lost"))
        assert read_graph(store) == read_graph(other)
        assert find_head(other, "lost") == build_head("A", 2)
        assert find_head(other, "kept") == build_head("B", 1)
        assert put_runs(other, build_run(build_run_key())) == 3
