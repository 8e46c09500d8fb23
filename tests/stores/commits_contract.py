"""The contract of every store about commits: revisions, changes, reading back, all or nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from meshline.graph.content import EMPTY
from meshline.graph.model import Statement
from meshline.graph.store.base import Batch, RunReader, Store
from tests.stores.statements import (
    build_content,
    build_head,
    build_statement,
    build_withdrawal,
    commit_statements,
    find_head,
    get_scope_id,
    list_heads,
    read_graph,
    read_past_graph,
)


class Boom(Exception):
    """The error of a builder that fails."""


class CommitContract:
    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    # Repeats, revisions, changes

    def test_a_repeat_changes_nothing_and_gets_no_revision(self, store: Store) -> None:
        statements = [
            build_statement("A", 1, version="r"),
            build_statement("B", 2),
            build_statement("C", 3, provisional=True, scope="t"),
            build_statement("D", 3, provisional=True, until=8, scope="u"),
        ]
        assert commit_statements(store, *statements).revision == 1
        before = list_heads(store), list_heads(store, as_of=2)
        assert commit_statements(store, *statements)[:2] == (1, [])
        assert commit_statements(store, *statements, *reversed(statements))[:2] == (1, [])
        assert (list_heads(store), list_heads(store, as_of=2)) == before
        assert store.read_changes(1)[:2] == (1, [])

    def test_restating_what_was_withdrawn_in_the_same_batch_changes_nothing(self, store: Store) -> None:
        statement = build_statement("A", 1, version="r")
        commit_statements(store, statement)
        assert commit_statements(store, statement, withdrawals=[build_withdrawal("r")])[:2] == (1, [])
        assert find_head(store) == build_head("A", 1, version="r")

    def test_an_empty_batch_gets_no_revision(self, store: Store) -> None:
        assert store.commit(lambda _: Batch())[:2] == (0, [])
        assert store.read_revision() == 0

    def test_revisions_are_gapless(self, store: Store) -> None:
        for at in (1, 2, 3):
            assert commit_statements(store, build_statement("A", at)).revision == at
            commit_statements(store, build_statement("A", at))
            assert store.read_revision() == at

    def test_a_late_statement_gets_a_revision_though_no_head_changes(self, store: Store) -> None:
        commit_statements(store, build_statement("B", 2))
        assert commit_statements(store, build_statement("A", 1))[:2] == (2, [])

    def test_commit_returns_the_heads_that_changed(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1), build_statement("B", 1, scope="t"))
        revision, heads, _ = commit_statements(store, build_statement("C", 2), build_statement("B", 0, scope="t", provisional=True))
        assert revision == 2
        assert list(heads) == [h for h in list_heads(store) if h.scope == ("s",)]

    def test_changed_times_are_a_change(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1), build_statement("B", 1, scope="t"))
        (head,) = commit_statements(store, build_statement("A", 2)).heads
        assert (head.observed_at, head.valid_from, head.last_observed, head.content) == (2, 1, 2, build_content("A"))

    def test_changes_since_a_revision(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1), build_statement("B", 1, scope="t"), build_statement("C", 1, scope="u"))
        commit_statements(store, build_statement("D", 2, scope="t"))
        commit_statements(store, build_statement("", 3, scope="u"))
        heads = {head.scope: head for head in store.read_changes(1).heads}
        assert store.read_changes(1).revision == 3
        assert heads.keys() == {("t",), ("u",)}
        assert heads[("t",)].content == build_content("D")
        assert heads[("u",)].content is None
        assert [head.scope for head in store.read_changes(2).heads] == [("u",)]
        assert store.read_changes(3)[:2] == (3, [])
        assert store.read_changes(99)[:2] == (3, [])

    def test_changes_applied_to_an_old_copy_give_the_new_graph(self, store: Store) -> None:
        copies = [dict[int, object]()]
        for at in range(1, 12):
            commit_statements(
                store,
                build_statement("AB"[at % 2], at, scope=f"s{at % 3}", version=str(at)),
                withdrawals=[build_withdrawal(str(at - 4), scope=f"s{(at - 4) % 3}")],
            )
            copies.append({head.scope_id: head for head in list_heads(store)})
        for revision, copy in enumerate(copies):
            for head in store.read_changes(revision).heads:
                copy.pop(head.scope_id, None)
                if head.content is not None:
                    copy[head.scope_id] = head
            assert copy == copies[-1]

    # Reading

    def test_statements_of_scopes(self, store: Store) -> None:
        commit_statements(
            store,
            build_statement("A", 1),
            build_statement("B", 2, scope="t"),
            build_statement("C", 4, scope="t"),
            build_statement("D", 9, scope="u"),
        )
        ids = {scope: get_scope_id(store, scope) for scope in "stu"}
        assert {h.scope: h.content for h in store.read_heads([ids["s"], ids["t"]])} == {
            ("s",): build_content("A"),
            ("t",): build_content("C"),
        }
        assert {h.scope: h.content for h in store.read_heads(list(ids.values()), as_of=3)} == {
            ("s",): build_content("A"),
            ("t",): build_content("B"),
        }
        assert store.read_heads([]) == []
        assert store.read_heads([10**9, -1]) == []
        assert len(store.read_heads([ids["s"], ids["s"]])) == 1

    def test_statements_equal_heads(self, store: Store) -> None:
        commit_statements(store, *(build_statement("ABC"[at % 3], at, scope=f"s{at % 7}", provisional=at % 5 == 0) for at in range(60)))
        heads = list_heads(store)
        assert sorted(store.read_heads([h.scope_id for h in heads])) == sorted(heads)
        for as_of in (0, 7, 30, 59):
            assert sorted(store.read_heads([h.scope_id for h in heads], as_of)) == sorted(list_heads(store, as_of))

    def test_history_has_version_and_time_of_each_interval(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1, version="r1"), build_statement("A", 2, version="r2"))
        number = get_scope_id(store)
        commit_statements(store, build_statement("", 4, version="r3"), build_statement("B", 7, provisional=True))
        first, second = store.read_history([number, 10**9])[number]
        assert first[0] == (1, 4, 2, (2, build_content("A").digest, "r2", False, None))
        assert first[1] == build_content("A")
        assert second[0] == (4, None, 4, (4, EMPTY.digest, "r3", False, None))
        assert second[1] == EMPTY
        assert store.read_history([]) == {}

    def test_scopes_that_changed_after_a_time(self, store: Store) -> None:
        """All that changed are found; the others are as they are now."""
        commit_statements(store, *(build_statement("ABC"[at % 3], at, scope=f"s{at % 7}", provisional=at % 5 == 0) for at in range(40)))
        commit_statements(store, *(build_statement("A", at, scope=f"t{at % 4}", version=f"r{at}") for at in range(40)))
        commit_statements(store, build_statement("B", 3, scope="u"))
        commit_statements(store, build_statement("", 9, scope="u"))
        commit_statements(store, build_statement("B", 5, scope="v", version="gone"))
        commit_statements(store, withdrawals=[build_withdrawal("gone", scope="v")])
        names = {head.scope_id: head.scope[-1] for head in store.read_changes(0).heads}
        for at in (-1, 2, 8, 9, 25, 39, 99):
            changed = store.list_changed_scopes(at)
            assert list(changed) == sorted(changed)
            later = {
                number
                for number, history in store.read_history(list(names)).items()
                if any(bound is not None and bound > at for interval, _ in history for bound in interval[:2])
            }
            assert later <= set(changed)
            assert {names[number] for number in set(changed) - later} <= {"v"}
        assert {names[number] for number in store.list_changed_scopes(8)} >= {"u"}
        assert not {names[number] for number in store.list_changed_scopes(8)} & {"t0", "t1", "t2", "t3"}

    def test_as_of_is_the_store_of_only_the_statements_up_to_then(self, store: Store) -> None:
        """Law 4, with batches of several scopes, sources and kinds of statement."""
        statements = [
            build_statement("ABCD"[at * 7 % 4], at, scope=f"s{at % 5}", source=f"x/{at % 2}", provisional=at % 3 == 0) for at in range(40)
        ]
        known: list[Statement] = []
        expected = []
        for statement in statements:
            known.append(statement)
            commit_statements(store, statement)
            expected.append(read_graph(store))
        assert [read_graph(store, as_of=at) for at in range(40)] == expected
        now = list_heads(store)
        assert [read_past_graph(store, at, now, store.read_revision()) for at in range(40)] == expected

    def test_heads_that_are_as_they_were_are_not_read_again(self, store: Store) -> None:
        """Only the times of `same` differ from now. The others changed since, are new, are gone, or are not certain."""
        commit_statements(store, *(build_statement("A", at, scope=scope, version=f"v{at}") for scope in ("same", "other") for at in (1, 3)))
        commit_statements(store, build_statement("A", 1, scope="gone"), build_statement("A", 2, scope="open", provisional=True))
        commit_statements(store, build_statement("A", 3, scope="late", version="b"), build_statement("A", 3, scope="late", version="a"))
        known = store.read_revision()
        commit_statements(store, build_statement("A", 5, scope="same", version="v5"), build_statement("A", 5, scope="new"))
        commit_statements(store, build_statement("B", 5, scope="other"), build_statement("", 5, scope="gone"))
        names = {head.scope_id: head.scope[-1] for head in store.read_changes(0).heads}
        for at, revision, expected in (
            (4, 10**9, [("late", 3, 3, "b"), ("same", 3, 1, "v3")]),
            (6, 10**9, [("late", 3, 3, "b"), ("new", 5, 5, ""), ("other", 5, 5, ""), ("same", 5, 1, "v5")]),
            (4, known, [("late", 3, 3, "b")]),
            (0, 10**9, []),
        ):
            with store.open_past(at) as past:
                parts = list(past.iterate_times(revision))
            assert sorted((names[row[0]], *row[1:]) for part in parts for row in zip(*part[:4], strict=True)) == expected
            others = {names[number] for part in parts for number in part.others}
            assert others == {*names.values()} - {name for name, *_ in expected}

    def test_a_commit_states_since_when_the_graph_is_another(self, store: Store) -> None:
        assert commit_statements(store, build_statement("A", 5, version="r"), build_statement("B", 9, scope="t")).earliest == 5
        again = commit_statements(
            store, build_statement("A", 7, version="r"), build_statement("A", 5, version="r"), withdrawals=[build_withdrawal("r")]
        )
        assert again.earliest == 7, "what is restated is as it was"
        assert commit_statements(store, withdrawals=[build_withdrawal("r")]).earliest == 5

    # Atomicity

    def test_a_builder_that_raises_leaves_nothing(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1))

        def build(_: RunReader) -> Batch:
            raise Boom

        with pytest.raises(Boom):
            store.commit(build)
        assert store.read_revision() == 1
        assert commit_statements(store, build_statement("B", 2)).revision == 2

    def test_a_batch_that_cannot_be_written_leaves_nothing(self, store: Store) -> None:
        commit_statements(store, build_statement("A", 1))
        broken = build_statement("C", 2, scope="t")._replace(observed_at="soon")  # type: ignore[arg-type]
        with pytest.raises(Exception):  # noqa: B017, PT011 - each driver raises its own error for a wrong type
            commit_statements(store, build_statement("B", 2), build_statement("E", 2, scope="new"), broken)
        assert store.read_revision() == 1
        assert find_head(store) == build_head("A", 1)
        commit_statements(store, build_statement("B", 2), build_statement("E", 2, scope="new"), build_statement("C", 2, scope="t"))
        assert {scope for _, scope in read_graph(store)} == {("s",), ("new",), ("t",)}
        assert find_head(store, "new") == build_head("E", 2)

    def test_a_reader_never_sees_half_a_commit(self, store: Store) -> None:
        commit_statements(store, *(build_statement("A", 0, scope=f"s{n}") for n in range(50)))

        def read(_: int) -> set[int]:
            return {head.observed_at for head in list_heads(store)}

        with ThreadPoolExecutor(3) as pool:
            reading = pool.map(read, range(20))
            for at in range(1, 10):
                commit_statements(store, *(build_statement("AB"[at % 2], at, scope=f"s{n}") for n in range(50)))
            assert all(len(times) == 1 for times in reading)

    def test_threads_may_share_a_store(self, store: Store) -> None:
        def add(name: int) -> list[int]:
            return [
                commit_statements(
                    store, build_statement("AB"[at % 2], at, scope=f"s{name}"), build_statement("C", at * 4 + name, scope="shared")
                ).revision
                for at in range(6)
            ]

        with ThreadPoolExecutor(4) as pool:
            revisions = [revision for one in pool.map(add, range(4)) for revision in one]
        assert sorted(revisions) == list(range(1, 25))
        assert find_head(store, "shared") == build_head("C", 23, since=0)
        assert all(find_head(store, f"s{name}") == build_head("B", 5) for name in range(4))

    def test_heads_may_be_read_while_another_commit_is_made(self, store: Store) -> None:
        commit_statements(store, *(build_statement("A", 1, scope=f"s{n}") for n in range(3000)))
        seen = 0
        for batch in store.iterate_heads():
            commit_statements(store, build_statement("B", seen + 2, scope="new"))
            seen += len(batch)
        assert seen in (3000, 3001)

    def test_thousands_of_statements_in_one_batch(self, store: Store) -> None:
        revision, heads, _ = commit_statements(store, *(build_statement("ABC"[n % 3], n, scope=("s", str(n % 2500))) for n in range(5000)))
        assert revision == 1
        assert len(heads) == 2500
        assert sorted(list_heads(store)) == sorted(heads)
        assert len(store.read_heads([head.scope_id for head in heads], as_of=2499)) == 2500
        assert sum(len(history) for history in store.read_history([head.scope_id for head in heads]).values()) == 5000
