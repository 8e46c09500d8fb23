"""What every store promises about statements: how those of one scope fold, over time, with ends and withdrawals."""

from __future__ import annotations

import itertools

import pytest

from meshline.graph.store.base import Store
from tests.stores.model import ModelStore
from tests.stores.said import SOURCE, all_heads, commit, content, graph, head_of, say, sayings, says, scope_id, stretches, withdraw

# The smaller digest first, so that a store that takes what came first is found out.
BY_DIGEST = sorted("AB", key=lambda what: content(what).digest)


class StatementContract:
    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    # One scope

    def test_a_new_store_says_nothing(self, store: Store) -> None:
        assert store.read_revision() == 0
        assert all_heads(store) == []
        assert all_heads(store, as_of=10) == []
        assert store.read_changes(0) == (0, [])

    def test_a_statement_becomes_its_scopes_head(self, store: Store) -> None:
        statement = say("A", 5, version="run-1")
        commit(store, statement)
        (head,) = all_heads(store)
        assert head.scope_id > 0
        assert head[1:] == (SOURCE, ("s",), 5, 5, 5, "run-1", False, statement.content)

    def test_the_newest_statement_holds(self, store: Store) -> None:
        commit(store, say("A", 1))
        commit(store, say("B", 2))
        assert head_of(store) == says("B", 2)

    def test_an_older_statement_changes_nothing_now(self, store: Store) -> None:
        commit(store, say("B", 2))
        assert commit(store, say("A", 1)).heads == []
        assert head_of(store) == says("B", 2)
        assert head_of(store, as_of=1) == says("A", 1)

    def test_saying_the_same_again_moves_last_observed_only(self, store: Store) -> None:
        for at in (1, 4, 2):
            commit(store, say("A", at, version=f"run-{at}"))
        assert head_of(store) == says("A", 4, since=1, version="run-4")

    def test_the_same_said_earlier_moves_valid_from(self, store: Store) -> None:
        commit(store, say("A", 4))
        commit(store, say("A", 2))
        assert head_of(store) == says("A", 4, since=2)

    def test_a_late_statement_splits_a_stretch(self, store: Store) -> None:
        for at in (1, 2, 4, 6):
            commit(store, say("A", at))
        assert stretches(store) == [("A", 1, None, 6)]
        commit(store, say("B", 3))
        assert head_of(store) == says("A", 6, since=4)
        assert stretches(store) == [("A", 1, 3, 2), ("B", 3, 4, 3), ("A", 4, None, 6)]
        assert head_of(store, as_of=3) == says("B", 3)
        assert head_of(store, as_of=2) == says("A", 2, since=1)

    @pytest.mark.parametrize("order", list(itertools.permutations([("A", 1), ("A", 2), ("A", 4), ("A", 6), ("B", 3)]))[::7])
    def test_order_of_arrival_means_nothing(self, store: Store, order: tuple[tuple[str, int], ...]) -> None:
        for what, at in order:
            commit(store, say(what, at))
        assert head_of(store) == says("A", 6, since=4)

    def test_of_one_time_the_greater_digest_holds(self, store: Store) -> None:
        greater, smaller = sorted("AB", key=lambda what: content(what).digest, reverse=True)
        commit(store, say(smaller, 5))
        commit(store, say(greater, 5))
        assert head_of(store) == says(greater, 5)
        commit(store, say(smaller, 5, version="later"))
        assert head_of(store) == says(greater, 5)

    def test_of_one_time_and_content_the_greater_version_holds(self, store: Store) -> None:
        commit(store, say("A", 5, version="b"))
        commit(store, say("A", 5, version="c"))
        commit(store, say("A", 5, version="a"))
        assert head_of(store) == head_of(store, as_of=9) == says("A", 5, version="c")
        assert stretches(store) == [("A", 5, None, 5)]

    def test_a_greater_digest_of_one_time_joins_the_stretch_before(self, store: Store) -> None:
        greater, smaller = sorted("AB", key=lambda what: content(what).digest, reverse=True)
        commit(store, say(greater, 1), say(smaller, 5))
        commit(store, say(greater, 5))
        assert head_of(store) == says(greater, 5, since=1)

    def test_all_statements_of_a_batch_count(self, store: Store) -> None:
        commit(store, say("A", 3), say("B", 2), say("A", 1), say("C", 1, scope="t"), say("A", 3))
        assert head_of(store) == says("A", 3)
        assert head_of(store, "t") == says("C", 1)

    # Scopes and sources

    def test_scopes_and_sources_do_not_touch_each_other(self, store: Store) -> None:
        commit(store, say("A", 1), say("B", 2, scope="t"), say("C", 3, source="dbt/x"))
        before = graph(store)
        commit(store, say("D", 4))
        assert {k: v for k, v in graph(store).items() if k != (SOURCE, ("s",))} == {
            k: v for k, v in before.items() if k != (SOURCE, ("s",))
        }
        assert head_of(store, source="dbt/x") == says("C", 3)

    def test_scopes_are_compared_part_by_part(self, store: Store) -> None:
        scopes = [("a", "b"), ("a b",), ("a", "b", ""), ("a,b",), ('a","b',), ("a\x00b",), ("A", "b"), ("a", "B"), ("é",), ("e\u0301",)]
        for at, scope in enumerate(scopes):
            commit(store, say("A", at, scope=scope))
        assert {scope: said.observed_at for (_, scope), said in graph(store).items()} == {scope: at for at, scope in enumerate(scopes)}

    def test_a_scope_keeps_its_number(self, store: Store) -> None:
        commit(store, say("A", 1, version="r"))
        number = scope_id(store)
        commit(store, withdrawals=[withdraw("r")])
        commit(store, say("B", 2))
        assert scope_id(store) == number

    @pytest.mark.parametrize(
        "name", ["", " ", "\x00", "a\x00b", "Straße 🚀 名前", "x" * 50_000, "'; drop table head; --", "`$` {} \\ \n\t\r"]
    )
    def test_names_are_kept_as_they_are(self, store: Store, name: str) -> None:
        commit(store, say("A", 1, scope=("k", name), source=f"openlineage/{name}", version=name))
        (head,) = all_heads(store)
        assert (head.source, head.scope, head.version) == (f"openlineage/{name}", ("k", name), name)

    @pytest.mark.parametrize("at", [-62_135_596_800_000_000, -1, 0, 1, 253_402_300_799_999_999])
    def test_all_times_of_the_calendar_are_kept_to_the_microsecond(self, store: Store, at: int) -> None:
        commit(store, say("A", at), say("B", at, scope="t", provisional=True), say("C", at, scope="u", provisional=True, until=at + 1))
        assert head_of(store) == says("A", at)
        assert head_of(store, "t", as_of=at) == says("B", at, provisional=True)
        assert head_of(store, "u", as_of=at) == says("C", at, provisional=True)
        assert head_of(store, as_of=at - 1) is None
        assert head_of(store, "u") is None

    # Tombstones and withdrawal

    def test_a_tombstone_ends_what_its_scope_says(self, store: Store) -> None:
        commit(store, say("A", 1))
        (gone,) = commit(store, say("", 3)).heads
        assert gone.scope == ("s",)
        assert gone.content is None
        assert head_of(store) is None
        assert head_of(store, as_of=2) == says("A", 1)
        assert store.read_heads([gone.scope_id]) == []
        assert stretches(store) == [("A", 1, 3, 1), ("", 3, None, 3)]
        commit(store, say("A", 5))
        assert head_of(store) == says("A", 5)

    def test_a_late_tombstone_splits(self, store: Store) -> None:
        commit(store, say("A", 1), say("A", 5))
        commit(store, say("", 3))
        assert head_of(store) == says("A", 5)
        assert head_of(store, as_of=4) is None

    def test_withdrawing_a_version_takes_back_all_that_it_said_there(self, store: Store) -> None:
        commit(store, say("A", 1, version="r1"), say("B", 2, version="r2"), say("C", 3, version="r2"), say("D", 3, version="r2", scope="t"))
        commit(store, withdrawals=[withdraw("r2")])
        assert head_of(store) == says("A", 1, version="r1")
        assert head_of(store, "t") == says("D", 3, version="r2")
        assert stretches(store) == [("A", 1, None, 1)]

    def test_withdrawing_everything_leaves_nothing(self, store: Store) -> None:
        commit(store, say("A", 1, version="r"))
        (gone,) = commit(store, withdrawals=[withdraw("r")]).heads
        assert (gone.source, gone.scope, gone.content) == (SOURCE, ("s",), None)
        assert all_heads(store) == []
        assert all_heads(store, as_of=5) == []
        assert store.read_history([gone.scope_id]).get(gone.scope_id, []) == []

    def test_the_empty_version_can_be_withdrawn(self, store: Store) -> None:
        commit(store, say("A", 1), say("B", 2, version="r"))
        commit(store, withdrawals=[withdraw("")])
        assert head_of(store) == says("B", 2, version="r")
        assert head_of(store, as_of=1) is None

    def test_withdrawal_comes_before_the_statements_of_its_batch(self, store: Store) -> None:
        commit(store, say("A", 1, version="r", provisional=True))
        commit(store, say("B", 2, version="r"), withdrawals=[withdraw("r")])
        assert head_of(store) == says("B", 2, version="r")
        assert stretches(store) == [("B", 2, None, 2)]

    def test_withdrawing_what_was_never_said_changes_nothing(self, store: Store) -> None:
        commit(store, say("A", 1, version="r"))
        unknown = [withdraw("r9"), withdraw("r", scope="t"), withdraw("r", source="dbt/x"), withdraw("")]
        assert commit(store, withdrawals=unknown) == (1, [])
        assert head_of(store) == says("A", 1, version="r")

    def test_withdrawing_what_is_no_head_keeps_the_head(self, store: Store) -> None:
        commit(store, say("A", 1, version="r1"), say("B", 2, version="r2"))
        changes = commit(store, withdrawals=[withdraw("r1")])
        assert changes == (2, [])
        assert head_of(store, as_of=1) is None

    def test_withdrawing_a_split_joins_the_stretch_again(self, store: Store) -> None:
        commit(store, say("A", 1), say("B", 3, version="wrong"), say("A", 6))
        assert head_of(store) == says("A", 6)
        commit(store, withdrawals=[withdraw("wrong")])
        assert head_of(store) == says("A", 6, since=1)

    # Provisional statements

    def test_a_provisional_statement_holds_while_nothing_is_settled(self, store: Store) -> None:
        commit(store, say("A", 5, provisional=True))
        assert head_of(store) == says("A", 5, provisional=True)
        commit(store, say("B", 3))
        assert head_of(store) == says("B", 3)
        commit(store, say("C", 9, provisional=True))
        assert head_of(store) == says("B", 3)
        assert head_of(store, as_of=2) is None

    def test_settling_the_same_content_starts_a_stretch(self, store: Store) -> None:
        commit(store, say("A", 1, provisional=True))
        commit(store, say("A", 2))
        assert head_of(store) == says("A", 2)
        assert head_of(store, as_of=1) == says("A", 1, provisional=True)
        assert stretches(store) == [("A", 1, 2, 1), ("A", 2, None, 2)]

    def test_the_newest_provisional_statement_holds(self, store: Store) -> None:
        commit(store, say("A", 1, provisional=True))
        commit(store, say("A", 3, provisional=True))
        assert head_of(store) == says("A", 3, since=1, provisional=True)
        commit(store, say("B", 2, provisional=True))
        assert head_of(store) == says("A", 3, provisional=True)

    def test_a_provisional_statement_ends_at_its_until(self, store: Store) -> None:
        commit(store, say("A", 1, provisional=True, until=4))
        assert head_of(store) is None
        assert head_of(store, as_of=3) == says("A", 1, provisional=True)
        assert head_of(store, as_of=4) is None
        assert store.read_changes(0).heads == [] or store.read_changes(0).heads[0].content is None

    def test_an_older_provisional_statement_holds_again_after_an_until(self, store: Store) -> None:
        commit(store, say("A", 1, provisional=True), say("B", 3, provisional=True, until=5))
        assert head_of(store) == says("A", 1, since=5, provisional=True)
        assert head_of(store, as_of=4) == says("B", 3, provisional=True)
        assert stretches(store) == [("A", 1, 3, 1), ("B", 3, 5, 3), ("A", 5, None, 1)]
        commit(store, say("C", 7, provisional=True))
        assert head_of(store) == says("C", 7, provisional=True)

    @pytest.mark.parametrize("until", [5, 4, -1])
    def test_what_ended_when_it_began_never_held(self, store: Store, until: int) -> None:
        commit(store, say("A", 5, provisional=True, until=until))
        assert head_of(store) is None
        assert head_of(store, as_of=5) is None
        commit(store, say("B", 5, provisional=True), say("A", 6, provisional=True, until=6))
        assert head_of(store) == head_of(store, as_of=6) == says("B", 5, provisional=True)

    def test_what_is_ended_later_was_not_known_before(self, store: Store) -> None:
        """As of a time before an `until`, the statement is what it was before anyone knew of its end."""
        commit(store, say("A", 1, provisional=True, until=9), say("A", 3, provisional=True, until=5))
        assert head_of(store, as_of=4) == says("A", 3, since=1, provisional=True)
        assert head_of(store, as_of=6) == says("A", 1, since=1, last=3, provisional=True)

    # Every small history

    def test_every_small_history_in_every_order_of_arrival(self, store: Store) -> None:
        """All sequences of at most three statements, each in a scope of its own: one commit per place in the sequence."""
        said = [(what, at, provisional) for what in BY_DIGEST for at in (1, 2, 3) for provisional in (False, True)]
        orders = [order for length in (1, 2, 3) for order in itertools.permutations(said, length)]
        model = ModelStore()
        for place in range(3):
            batch = [
                say(order[place][0], order[place][1], scope=f"s{n}", provisional=order[place][2])
                for n, order in enumerate(orders)
                if place < len(order)
            ]
            assert sayings(commit(store, *batch).heads) == sayings(commit(model, *batch).heads)
            assert graph(store) == graph(model)
        for at in range(5):
            assert graph(store, at) == graph(model, at)

    def test_every_small_history_with_ends_and_versions(self, store: Store) -> None:
        """All sets of at most three statements; then one version of each is withdrawn."""
        said = [say(what, at) for what in (*BY_DIGEST, "") for at in (1, 2)]
        said += [say(what, at, provisional=True, until=until) for what in BY_DIGEST for at in (1, 2) for until in (None, at + 1, at + 2)]
        said = [statement._replace(version=f"r{n % 3}") for n, statement in enumerate(said)]
        sets = [chosen for length in (1, 2, 3) for chosen in itertools.combinations(said, length)]
        batch = [statement._replace(scope=(f"s{n}",)) for n, chosen in enumerate(sets) for statement in chosen]
        withdrawals = [withdraw(chosen[0].version, scope=f"s{n}") for n, chosen in enumerate(sets)]
        model = ModelStore()
        for statements, withdrawn in ((batch, []), ([], withdrawals)):
            assert sayings(commit(store, *statements, withdrawals=withdrawn).heads) == sayings(
                commit(model, *statements, withdrawals=withdrawn).heads
            )
            for at in (None, *range(6)):
                assert graph(store, at) == graph(model, at)
