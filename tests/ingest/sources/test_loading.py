"""A reading is loaded into the graph: only its differences, all of them, and with the same result after any interruption."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.errors import InvalidInput
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Scope
from meshline.ingest.sources.base import Entry, Item, Refusal, Unchanged
from meshline.ingest.sources.reading_loader import COMMIT_SIZE, read_memory, save_memory
from tests.ingest.sources.fake_source import (
    BAD,
    T,
    build_entry,
    build_table,
    count_outcomes,
    load_items,
    open_graph,
    read_tables,
    remove_times,
)
from tests.sizes import count_examples

# What a source states at one time: columns of tables, each in one of three versions.
states = st.dictionaries(st.sampled_from("abcde"), st.sampled_from([("x",), ("x", "y"), ("z",)]), max_size=5)


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as found:
        yield found


def test_twice_the_same_is_nothing(live: LiveGraph) -> None:
    items = [build_entry("a", "x"), build_entry("b", "x", "y", time=T - 5)]
    assert count_outcomes(load_items(live, items)) == {"read": 2, "new": 2}
    revision = live.store.read_revision()
    assert count_outcomes(load_items(live, items, T + 10)) == {"read": 2, "unchanged": 2}
    assert count_outcomes(load_items(live, [Unchanged(one.scope) for one in items], T + 10)) == {"unchanged": 2}
    assert live.store.read_revision() == revision


def test_a_missing_scope_is_retracted_and_may_come_back(live: LiveGraph) -> None:
    load_items(live, [build_entry("a", "x"), build_entry("b", "x")])
    assert count_outcomes(load_items(live, [build_entry("a", "x")], T + 10)) == {"read": 1, "unchanged": 1, "retracted": 1}
    assert read_tables(live) == {"lake/a": ["x"]}
    assert read_tables(live, T + 5) == {"lake/a": ["x"], "lake/b": ["x"]}
    assert count_outcomes(load_items(live, [build_entry("a", "x"), build_entry("b", "x", time=T - 100)], T + 20)) == {
        "read": 2,
        "unchanged": 1,
        "new": 1,
    }
    assert read_tables(live) == {"lake/a": ["x"], "lake/b": ["x"]}


def test_what_is_first_seen_later_counts_from_its_own_time(live: LiveGraph) -> None:
    load_items(live, [build_entry("a", "x")], T + 10)
    load_items(live, [build_entry("a", "x"), build_entry("b", "x", time=T - 100)], T + 20)
    assert read_tables(live, T) == {"lake/b": ["x"]}


def test_a_scope_that_comes_back_takes_effect_after_its_retraction(live: LiveGraph) -> None:
    load_items(live, [build_entry("a", "x", time=T - 100)])
    load_items(live, [], T + 10)
    load_items(live, [build_entry("a", "x", time=T - 100)], T + 20)
    assert read_tables(live, T + 10) == {}
    assert read_tables(live) == read_tables(live, T) == {"lake/a": ["x"]}


def test_an_incomplete_reading_retracts_nothing(live: LiveGraph) -> None:
    load_items(live, [build_entry("a", "x"), build_entry("b", "x")])
    assert count_outcomes(load_items(live, [build_entry("c", "x")], T + 10, complete=False)) == {"read": 1, "new": 1, "kept": 2}
    assert set(read_tables(live)) == {"lake/a", "lake/b", "lake/c"}


@pytest.mark.parametrize(("about", "kept"), [((), {"a", "b", "c"}), (("table",), {"a", "b", "c"}), (("table", "b"), {"a", "b"})])
def test_a_refused_scope_is_not_retracted(live: LiveGraph, about: Scope, kept: set[str]) -> None:
    load_items(live, [build_entry("a", "x"), build_entry("b", "x"), build_entry("c", "x")])
    loading = load_items(live, [build_entry("a", "x"), Refusal(BAD, about)], T + 10)
    assert {name.removeprefix("lake/") for name in read_tables(live)} == kept
    assert (loading.retracted, loading.kept, loading.refused) == (3 - len(kept), len(kept) - 1, (BAD,))


def test_strict_writes_nothing(live: LiveGraph) -> None:
    found = [build_entry(str(i), "x") for i in range(2 * COMMIT_SIZE)]
    with pytest.raises(InvalidInput, match="broken"):
        load_items(live, [*found, Refusal(BAD)], strict=True, whole=False)
    assert live.store.read_revision() == 0


def test_one_scope_twice_is_refused(live: LiveGraph) -> None:
    loading = load_items(live, [build_entry("a", "x"), build_entry("a", "y")])
    assert count_outcomes(loading) == {"read": 1, "new": 1, "refused": 1}
    assert read_tables(live) == {"lake/a": ["x"]}


def test_a_rollback_takes_effect_whatever_its_time(live: LiveGraph) -> None:
    load_items(live, [build_entry("a", "x", time=T)])
    load_items(live, [build_entry("a", "y", time=T + 100)], T + 200)
    assert count_outcomes(load_items(live, [build_entry("a", "x", time=T)], T + 300)) == {"read": 1, "changed": 1}
    assert read_tables(live) == {"lake/a": ["x"]}
    assert read_tables(live, T + 100) == {"lake/a": ["y"]}


def test_the_past_reaches_back_before_the_first_loading(live: LiveGraph) -> None:
    load_items(live, [build_entry("a", "x", "y", time=T, past=[(T - 100, build_table("a", "x"))])], T + 500)
    assert read_tables(live, T - 50) == {"lake/a": ["x"]}
    assert read_tables(live, T - 101) == {}
    assert read_tables(live) == {"lake/a": ["x", "y"]}


def test_nothing_at_all_is_nothing(live: LiveGraph) -> None:
    assert count_outcomes(load_items(live, [build_entry("a")])) == {"read": 1}
    assert live.store.read_revision() == 0
    load_items(live, [build_entry("a", "x")])
    assert count_outcomes(load_items(live, [build_entry("a")], T + 10)) == {"read": 1, "changed": 1}
    assert read_tables(live) == {}


def test_sources_do_not_affect_each_other(live: LiveGraph) -> None:
    load_items(live, [build_entry("a", "x")], source="iceberg/one")
    load_items(live, [build_entry("a", "x")], source="iceberg/two")
    assert count_outcomes(load_items(live, [], T + 10, source="iceberg/one")) == {"retracted": 1}
    assert read_tables(live) == {"lake/a": ["x"]}


@settings(max_examples=count_examples(60), deadline=None)
@given(st.lists(st.tuples(states, st.integers(-50, 50), st.booleans()), min_size=1, max_size=6), st.randoms())
def test_only_the_last_reading_counts(history: list[tuple[dict[str, tuple[str, ...]], int, bool]], random: object) -> None:
    """After any readings, in any order and at any times, the graph is that of the last reading alone."""
    with open_graph() as live, open_graph() as alone:
        for number, (state, offset, whole) in enumerate(history):
            found = [build_entry(name, *columns, time=T + offset) for name, columns in state.items()]
            random.shuffle(found)  # type: ignore[attr-defined]
            load_items(live, found, T + 10 * number, whole=whole)
        load_items(alone, [build_entry(name, *columns) for name, columns in history[-1][0].items()])
        assert remove_times(live.index.dump()) == remove_times(alone.index.dump())


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("after", [0, 1, COMMIT_SIZE, COMMIT_SIZE + 1, 2 * COMMIT_SIZE + 7, 3 * COMMIT_SIZE])
def test_killed_between_commits_and_loaded_again_ends_the_same(live: LiveGraph, after: int) -> None:
    before = [build_entry(f"t{i}", "x") for i in range(0, 3 * COMMIT_SIZE, 2)]
    now = [build_entry(f"t{i}", "x", "y", time=T + 5) for i in range(1, 3 * COMMIT_SIZE + 1)]

    def read_until_killed() -> Iterator[Item]:
        yield from now[:after]
        raise Killed

    load_items(live, before)
    with pytest.raises(Killed):
        load_items(live, read_until_killed(), T + 10, whole=False)
    load_items(live, now, T + 20, whole=False)
    with open_graph() as alone:
        load_items(alone, now)
        assert remove_times(live.index.dump()) == remove_times(alone.index.dump())
    again = load_items(live, now, T + 30, whole=False)
    assert count_outcomes(again) == {"read": len(now), "unchanged": len(now)}


def test_a_whole_reading_that_is_killed_wrote_nothing(live: LiveGraph) -> None:
    def read_until_killed() -> Iterator[Entry]:
        yield from (build_entry(f"t{i}", "x") for i in range(2 * COMMIT_SIZE))
        raise Killed

    with pytest.raises(Killed):
        load_items(live, read_until_killed())
    assert live.store.read_revision() == 0


def test_memory(live: LiveGraph) -> None:
    assert read_memory(live.store, "iceberg/lake") == {}
    save_memory(live.store, "iceberg/lake", {"etag": "1"})
    assert read_memory(live.store, "iceberg/lake") == {"etag": "1"}
    assert read_memory(live.store, "iceberg/other") == {}
    live.store.write_setting("memory:iceberg/lake", "{")
    assert read_memory(live.store, "iceberg/lake") == {}
