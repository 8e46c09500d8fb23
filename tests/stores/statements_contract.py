"""The contract of stores for statements: how the statements of a scope fold into intervals, with ends and withdrawals."""

from __future__ import annotations

import itertools

import pytest

from meshline.graph.store.base import Store
from tests.stores.model import ModelStore
from tests.stores.statements import (
    SOURCE,
    build_content,
    build_head,
    build_statement,
    build_withdrawal,
    commit_statements,
    find_head,
    get_scope_id,
    list_heads,
    list_intervals,
    read_graph,
    summarize_heads,
)

# The smaller digest first, so that a store that keeps the first to arrive fails.
BY_DIGEST = sorted("AB", key=lambda what: build_content(what).digest)


class StatementContract:
    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    # One scope

    def test_a_new_store_is_empty(self, store: Store) -> None:
        assert store.read_revision() == 0
        assert list_heads(store) == []
        assert list_heads(store, as_of=10) == []
        assert store.read_changes(0)[:2] == (0, [])

    def test_a_statement_becomes_its_scopes_head(self, store: Store) -> None:
        statement = build_statement("A", 5, version="run-1")
        commit_statements(store, statement)
        (head,) = list_heads(store)
        assert head.scope_id > 0
        assert head[1:] == (SOURCE, ("s",), 5, 5, 5, "run-1", False, statement.content)

    def test_the_newest_statement_is_active(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1))
        commit_statements(store, build_statement("B", 2))
        assert find_head(store) == build_head("B", 2)

    def test_an_older_statement_changes_nothing_now(self, store: Store) -> None:
        commit_statements(store, build_statement("B", 2))
        assert commit_statements(store, build_statement("A", 1)).heads == []
        assert find_head(store) == build_head("B", 2)
        assert find_head(store, as_of=1) == build_head("A", 1)

    def test_repeating_the_content_changes_last_observed_only(self, store: Store) -> None:
        for at in (1, 4, 2):
            commit_statements(store, build_statement("A", at, version=f"run-{at}"))
        assert find_head(store) == build_head("A", 4, since=1, version="run-4")

    def test_the_same_content_stated_earlier_changes_valid_from(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 4))
        commit_statements(store, build_statement("A", 2))
        assert find_head(store) == build_head("A", 4, since=2)

    def test_a_late_statement_splits_an_interval(self, store: Store) -> None:
        for at in (1, 2, 4, 6):
            commit_statements(store, build_statement("A", at))
        assert list_intervals(store) == [("A", 1, None, 6)]
        commit_statements(store, build_statement("B", 3))
        assert find_head(store) == build_head("A", 6, since=4)
        assert list_intervals(store) == [("A", 1, 3, 2), ("B", 3, 4, 3), ("A", 4, None, 6)]
        assert find_head(store, as_of=3) == build_head("B", 3)
        assert find_head(store, as_of=2) == build_head("A", 2, since=1)

    @pytest.mark.parametrize("order", list(itertools.permutations([("A", 1), ("A", 2), ("A", 4), ("A", 6), ("B", 3)]))[::7])
    def test_order_of_arrival_means_nothing(self, store: Store, order: tuple[tuple[str, int], ...]) -> None:
        for what, at in order:
            commit_statements(store, build_statement(what, at))
        assert find_head(store) == build_head("A", 6, since=4)

    def test_of_one_time_the_greater_digest_is_active(self, store: Store) -> None:
        greater, smaller = sorted("AB", key=lambda what: build_content(what).digest, reverse=True)
        commit_statements(store, build_statement(smaller, 5))
        commit_statements(store, build_statement(greater, 5))
        assert find_head(store) == build_head(greater, 5)
        commit_statements(store, build_statement(smaller, 5, version="later"))
        assert find_head(store) == build_head(greater, 5)

    def test_of_one_time_and_content_the_greater_version_is_active(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 5, version="b"))
        commit_statements(store, build_statement("A", 5, version="c"))
        commit_statements(store, build_statement("A", 5, version="a"))
        assert find_head(store) == find_head(store, as_of=9) == build_head("A", 5, version="c")
        assert list_intervals(store) == [("A", 5, None, 5)]

    def test_a_greater_digest_of_one_time_joins_the_interval_before(self, store: Store) -> None:
        greater, smaller = sorted("AB", key=lambda what: build_content(what).digest, reverse=True)
        commit_statements(store, build_statement(greater, 1), build_statement(smaller, 5))
        commit_statements(store, build_statement(greater, 5))
        assert find_head(store) == build_head(greater, 5, since=1)

    def test_all_statements_of_a_batch_count(self, store: Store) -> None:
        commit_statements(
            store,
            build_statement("A", 3),
            build_statement("B", 2),
            build_statement("A", 1),
            build_statement("C", 1, scope="t"),
            build_statement("A", 3),
        )
        assert find_head(store) == build_head("A", 3)
        assert find_head(store, "t") == build_head("C", 1)

    # Scopes and sources

    def test_scopes_and_sources_do_not_affect_each_other(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1), build_statement("B", 2, scope="t"), build_statement("C", 3, source="dbt/x"))
        before = read_graph(store)
        commit_statements(store, build_statement("D", 4))
        assert {k: v for k, v in read_graph(store).items() if k != (SOURCE, ("s",))} == {
            k: v for k, v in before.items() if k != (SOURCE, ("s",))
        }
        assert find_head(store, source="dbt/x") == build_head("C", 3)

    def test_scopes_are_compared_part_by_part(self, store: Store) -> None:
        scopes = [("a", "b"), ("a b",), ("a", "b", ""), ("a,b",), ('a","b',), ("a\x00b",), ("A", "b"), ("a", "B"), ("é",), ("e\u0301",)]
        for at, scope in enumerate(scopes):
            commit_statements(store, build_statement("A", at, scope=scope))
        assert {scope: head.observed_at for (_, scope), head in read_graph(store).items()} == {scope: at for at, scope in enumerate(scopes)}

    def test_a_scope_keeps_its_number(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1, version="r"))
        number = get_scope_id(store)
        commit_statements(store, withdrawals=[build_withdrawal("r")])
        commit_statements(store, build_statement("B", 2))
        assert get_scope_id(store) == number

    @pytest.mark.parametrize(
        "name", ["", " ", "\x00", "a\x00b", "Straße 🚀 名前", "x" * 50_000, "'; drop table head; --", "`$` {} \\ \n\t\r"]
    )
    def test_names_are_kept_as_they_are(self, store: Store, name: str) -> None:
        commit_statements(store, build_statement("A", 1, scope=("k", name), source=f"openlineage/{name}", version=name))
        (head,) = list_heads(store)
        assert (head.source, head.scope, head.version) == (f"openlineage/{name}", ("k", name), name)

    @pytest.mark.parametrize("at", [-62_135_596_800_000_000, -1, 0, 1, 253_402_300_799_999_999])
    def test_all_times_of_the_calendar_are_kept_to_the_microsecond(self, store: Store, at: int) -> None:
        commit_statements(
            store,
            build_statement("A", at),
            build_statement("B", at, scope="t", provisional=True),
            build_statement("C", at, scope="u", provisional=True, until=at + 1),
        )
        assert find_head(store) == build_head("A", at)
        assert find_head(store, "t", as_of=at) == build_head("B", at, provisional=True)
        assert find_head(store, "u", as_of=at) == build_head("C", at, provisional=True)
        assert find_head(store, as_of=at - 1) is None
        assert find_head(store, "u") is None

    # Tombstones and withdrawal

    def test_a_tombstone_ends_the_active_statement_of_its_scope(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1))
        (gone,) = commit_statements(store, build_statement("", 3)).heads
        assert gone.scope == ("s",)
        assert gone.content is None
        assert find_head(store) is None
        assert find_head(store, as_of=2) == build_head("A", 1)
        assert store.read_heads([gone.scope_id]) == []
        assert list_intervals(store) == [("A", 1, 3, 1), ("", 3, None, 3)]
        commit_statements(store, build_statement("A", 5))
        assert find_head(store) == build_head("A", 5)

    def test_a_late_tombstone_splits(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1), build_statement("A", 5))
        commit_statements(store, build_statement("", 3))
        assert find_head(store) == build_head("A", 5)
        assert find_head(store, as_of=4) is None

    def test_withdrawing_a_version_removes_all_its_statements_in_the_scope(self, store: Store) -> None:
        commit_statements(
            store,
            build_statement("A", 1, version="r1"),
            build_statement("B", 2, version="r2"),
            build_statement("C", 3, version="r2"),
            build_statement("D", 3, version="r2", scope="t"),
        )
        commit_statements(store, withdrawals=[build_withdrawal("r2")])
        assert find_head(store) == build_head("A", 1, version="r1")
        assert find_head(store, "t") == build_head("D", 3, version="r2")
        assert list_intervals(store) == [("A", 1, None, 1)]

    def test_withdrawing_everything_leaves_nothing(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1, version="r"))
        (gone,) = commit_statements(store, withdrawals=[build_withdrawal("r")]).heads
        assert (gone.source, gone.scope, gone.content) == (SOURCE, ("s",), None)
        assert list_heads(store) == []
        assert list_heads(store, as_of=5) == []
        assert store.read_history([gone.scope_id]).get(gone.scope_id, []) == []

    def test_the_empty_version_can_be_withdrawn(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1), build_statement("B", 2, version="r"))
        commit_statements(store, withdrawals=[build_withdrawal("")])
        assert find_head(store) == build_head("B", 2, version="r")
        assert find_head(store, as_of=1) is None

    def test_withdrawal_comes_before_the_statements_of_its_batch(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1, version="r", provisional=True))
        commit_statements(store, build_statement("B", 2, version="r"), withdrawals=[build_withdrawal("r")])
        assert find_head(store) == build_head("B", 2, version="r")
        assert list_intervals(store) == [("B", 2, None, 2)]

    def test_withdrawing_what_was_never_stated_changes_nothing(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1, version="r"))
        unknown = [build_withdrawal("r9"), build_withdrawal("r", scope="t"), build_withdrawal("r", source="dbt/x"), build_withdrawal("")]
        assert commit_statements(store, withdrawals=unknown)[:2] == (1, [])
        assert find_head(store) == build_head("A", 1, version="r")

    def test_withdrawing_what_is_no_head_keeps_the_head(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1, version="r1"), build_statement("B", 2, version="r2"))
        changes = commit_statements(store, withdrawals=[build_withdrawal("r1")])
        assert changes[:2] == (2, [])
        assert find_head(store, as_of=1) is None

    def test_withdrawing_a_split_joins_the_interval_again(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1), build_statement("B", 3, version="wrong"), build_statement("A", 6))
        assert find_head(store) == build_head("A", 6)
        commit_statements(store, withdrawals=[build_withdrawal("wrong")])
        assert find_head(store) == build_head("A", 6, since=1)

    # Provisional statements

    def test_a_provisional_statement_is_active_while_there_is_no_settled_one(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 5, provisional=True))
        assert find_head(store) == build_head("A", 5, provisional=True)
        commit_statements(store, build_statement("B", 3))
        assert find_head(store) == build_head("B", 3)
        commit_statements(store, build_statement("C", 9, provisional=True))
        assert find_head(store) == build_head("B", 3)
        assert find_head(store, as_of=2) is None

    def test_settling_the_same_content_starts_an_interval(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1, provisional=True))
        commit_statements(store, build_statement("A", 2))
        assert find_head(store) == build_head("A", 2)
        assert find_head(store, as_of=1) == build_head("A", 1, provisional=True)
        assert list_intervals(store) == [("A", 1, 2, 1), ("A", 2, None, 2)]

    def test_the_newest_provisional_statement_is_active(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1, provisional=True))
        commit_statements(store, build_statement("A", 3, provisional=True))
        assert find_head(store) == build_head("A", 3, since=1, provisional=True)
        commit_statements(store, build_statement("B", 2, provisional=True))
        assert find_head(store) == build_head("A", 3, provisional=True)

    def test_a_provisional_statement_ends_at_its_until(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1, provisional=True, until=4))
        assert find_head(store) is None
        assert find_head(store, as_of=3) == build_head("A", 1, provisional=True)
        assert find_head(store, as_of=4) is None
        assert store.read_changes(0).heads == [] or store.read_changes(0).heads[0].content is None

    def test_an_older_provisional_statement_is_active_again_after_an_until(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1, provisional=True), build_statement("B", 3, provisional=True, until=5))
        assert find_head(store) == build_head("A", 1, since=5, provisional=True)
        assert find_head(store, as_of=4) == build_head("B", 3, provisional=True)
        assert list_intervals(store) == [("A", 1, 3, 1), ("B", 3, 5, 3), ("A", 5, None, 1)]
        commit_statements(store, build_statement("C", 7, provisional=True))
        assert find_head(store) == build_head("C", 7, provisional=True)

    @pytest.mark.parametrize("until", [5, 4, -1])
    def test_a_statement_that_ended_when_it_began_was_never_active(self, store: Store, until: int) -> None:
        commit_statements(store, build_statement("A", 5, provisional=True, until=until))
        assert find_head(store) is None
        assert find_head(store, as_of=5) is None
        commit_statements(store, build_statement("B", 5, provisional=True), build_statement("A", 6, provisional=True, until=6))
        assert find_head(store) == find_head(store, as_of=6) == build_head("B", 5, provisional=True)

    def test_what_is_ended_later_was_not_known_before(self, store: Store) -> None:
        """As of a time before an `until`, the statement is as it was before its end was known."""
        commit_statements(store, build_statement("A", 1, provisional=True, until=9), build_statement("A", 3, provisional=True, until=5))
        assert find_head(store, as_of=4) == build_head("A", 3, since=1, provisional=True)
        assert find_head(store, as_of=6) == build_head("A", 1, since=1, last=3, provisional=True)

    # Every small history

    def test_every_small_history_in_every_order_of_arrival(self, store: Store) -> None:
        """All sequences of at most three statements, each in a scope of its own: one commit per place in the sequence."""
        candidates = [(what, at, provisional) for what in BY_DIGEST for at in (1, 2, 3) for provisional in (False, True)]
        orders = [order for length in (1, 2, 3) for order in itertools.permutations(candidates, length)]
        model = ModelStore()
        for place in range(3):
            batch = [
                build_statement(order[place][0], order[place][1], scope=f"s{n}", provisional=order[place][2])
                for n, order in enumerate(orders)
                if place < len(order)
            ]
            assert summarize_heads(commit_statements(store, *batch).heads) == summarize_heads(commit_statements(model, *batch).heads)
            assert read_graph(store) == read_graph(model)
        for at in range(5):
            assert read_graph(store, at) == read_graph(model, at)

    def test_every_small_history_with_ends_and_versions(self, store: Store) -> None:
        """All sets of at most three statements; then one version of each is withdrawn."""
        candidates = [build_statement(what, at) for what in (*BY_DIGEST, "") for at in (1, 2)]
        candidates += [
            build_statement(what, at, provisional=True, until=until)
            for what in BY_DIGEST
            for at in (1, 2)
            for until in (None, at + 1, at + 2)
        ]
        candidates = [statement._replace(version=f"r{n % 3}") for n, statement in enumerate(candidates)]
        sets = [chosen for length in (1, 2, 3) for chosen in itertools.combinations(candidates, length)]
        batch = [statement._replace(scope=(f"s{n}",)) for n, chosen in enumerate(sets) for statement in chosen]
        withdrawals = [build_withdrawal(chosen[0].version, scope=f"s{n}") for n, chosen in enumerate(sets)]
        model = ModelStore()
        for statements, withdrawn in ((batch, []), ([], withdrawals)):
            assert summarize_heads(commit_statements(store, *statements, withdrawals=withdrawn).heads) == summarize_heads(
                commit_statements(model, *statements, withdrawals=withdrawn).heads
            )
            for at in (None, *range(6)):
                assert read_graph(store, at) == read_graph(model, at)
