"""What a source says into the graph: only what differs, all of it, and the same in the end whatever came between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.errors import InvalidInput
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Scope
from meshline.ingest.sources.base import Entry, Item, Refusal, Unchanged
from meshline.ingest.sources.scope_loader import COMMIT_SIZE, read_memory, save_memory
from tests.ingest.sources.stating import BAD, T, counts, entry, graph, say, shown, table, timeless
from tests.sizes import count_examples

# What a source says at one time: columns of tables, each in one of three versions.
states = st.dictionaries(st.sampled_from("abcde"), st.sampled_from([("x",), ("x", "y"), ("z",)]), max_size=5)


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with graph() as found:
        yield found


def test_twice_the_same_is_nothing(live: LiveGraph) -> None:
    said = [entry("a", "x"), entry("b", "x", "y", time=T - 5)]
    assert counts(say(live, said)) == {"read": 2, "new": 2}
    revision = live.store.read_revision()
    assert counts(say(live, said, T + 10)) == {"read": 2, "unchanged": 2}
    assert counts(say(live, [Unchanged(one.scope) for one in said], T + 10)) == {"unchanged": 2}
    assert live.store.read_revision() == revision


def test_a_missing_scope_is_retracted_and_may_come_back(live: LiveGraph) -> None:
    say(live, [entry("a", "x"), entry("b", "x")])
    assert counts(say(live, [entry("a", "x")], T + 10)) == {"read": 1, "unchanged": 1, "retracted": 1}
    assert shown(live) == {"lake/a": ["x"]}
    assert shown(live, T + 5) == {"lake/a": ["x"], "lake/b": ["x"]}
    assert counts(say(live, [entry("a", "x"), entry("b", "x", time=T - 100)], T + 20)) == {"read": 2, "unchanged": 1, "new": 1}
    assert shown(live) == {"lake/a": ["x"], "lake/b": ["x"]}


def test_what_is_first_seen_later_counts_from_its_own_time(live: LiveGraph) -> None:
    say(live, [entry("a", "x")], T + 10)
    say(live, [entry("a", "x"), entry("b", "x", time=T - 100)], T + 20)
    assert shown(live, T) == {"lake/b": ["x"]}


def test_a_scope_that_comes_back_takes_effect_after_its_retraction(live: LiveGraph) -> None:
    say(live, [entry("a", "x", time=T - 100)])
    say(live, [], T + 10)
    say(live, [entry("a", "x", time=T - 100)], T + 20)
    assert shown(live, T + 10) == {}
    assert shown(live) == shown(live, T) == {"lake/a": ["x"]}


def test_who_does_not_read_all_retracts_nothing(live: LiveGraph) -> None:
    say(live, [entry("a", "x"), entry("b", "x")])
    assert counts(say(live, [entry("c", "x")], T + 10, complete=False)) == {"read": 1, "new": 1, "kept": 2}
    assert set(shown(live)) == {"lake/a", "lake/b", "lake/c"}


@pytest.mark.parametrize(("about", "kept"), [((), {"a", "b", "c"}), (("table",), {"a", "b", "c"}), (("table", "b"), {"a", "b"})])
def test_a_refused_scope_is_not_retracted(live: LiveGraph, about: Scope, kept: set[str]) -> None:
    say(live, [entry("a", "x"), entry("b", "x"), entry("c", "x")])
    loading = say(live, [entry("a", "x"), Refusal(BAD, about)], T + 10)
    assert {name.removeprefix("lake/") for name in shown(live)} == kept
    assert (loading.retracted, loading.kept, loading.refused) == (3 - len(kept), len(kept) - 1, (BAD,))


def test_strict_writes_nothing(live: LiveGraph) -> None:
    found = [entry(str(i), "x") for i in range(2 * COMMIT_SIZE)]
    with pytest.raises(InvalidInput, match="broken"):
        say(live, [*found, Refusal(BAD)], strict=True, whole=False)
    assert live.store.read_revision() == 0


def test_one_scope_twice_is_refused(live: LiveGraph) -> None:
    loading = say(live, [entry("a", "x"), entry("a", "y")])
    assert counts(loading) == {"read": 1, "new": 1, "refused": 1}
    assert shown(live) == {"lake/a": ["x"]}


def test_a_rollback_takes_effect_whatever_its_time(live: LiveGraph) -> None:
    say(live, [entry("a", "x", time=T)])
    say(live, [entry("a", "y", time=T + 100)], T + 200)
    assert counts(say(live, [entry("a", "x", time=T)], T + 300)) == {"read": 1, "changed": 1}
    assert shown(live) == {"lake/a": ["x"]}
    assert shown(live, T + 100) == {"lake/a": ["y"]}


def test_the_past_reaches_back_before_the_first_loading(live: LiveGraph) -> None:
    say(live, [entry("a", "x", "y", time=T, past=[(T - 100, table("a", "x"))])], T + 500)
    assert shown(live, T - 50) == {"lake/a": ["x"]}
    assert shown(live, T - 101) == {}
    assert shown(live) == {"lake/a": ["x", "y"]}


def test_nothing_at_all_is_nothing(live: LiveGraph) -> None:
    assert counts(say(live, [entry("a")])) == {"read": 1}
    assert live.store.read_revision() == 0
    say(live, [entry("a", "x")])
    assert counts(say(live, [entry("a")], T + 10)) == {"read": 1, "changed": 1}
    assert shown(live) == {}


def test_sources_do_not_touch_each_other(live: LiveGraph) -> None:
    say(live, [entry("a", "x")], source="iceberg/one")
    say(live, [entry("a", "x")], source="iceberg/two")
    assert counts(say(live, [], T + 10, source="iceberg/one")) == {"retracted": 1}
    assert shown(live) == {"lake/a": ["x"]}


@settings(max_examples=count_examples(60), deadline=None)
@given(st.lists(st.tuples(states, st.integers(-50, 50), st.booleans()), min_size=1, max_size=6), st.randoms())
def test_only_the_last_reading_counts(history: list[tuple[dict[str, tuple[str, ...]], int, bool]], random: object) -> None:
    """Whatever was read before, in whatever order, at whatever times: the graph is that of the last reading alone."""
    with graph() as live, graph() as alone:
        for number, (state, offset, whole) in enumerate(history):
            found = [entry(name, *columns, time=T + offset) for name, columns in state.items()]
            random.shuffle(found)  # type: ignore[attr-defined]
            say(live, found, T + 10 * number, whole=whole)
        say(alone, [entry(name, *columns) for name, columns in history[-1][0].items()])
        assert timeless(live.index.dump()) == timeless(alone.index.dump())


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("after", [0, 1, COMMIT_SIZE, COMMIT_SIZE + 1, 2 * COMMIT_SIZE + 7, 3 * COMMIT_SIZE])
def test_killed_between_commits_and_loaded_again_ends_the_same(live: LiveGraph, after: int) -> None:
    before = [entry(f"t{i}", "x") for i in range(0, 3 * COMMIT_SIZE, 2)]
    now = [entry(f"t{i}", "x", "y", time=T + 5) for i in range(1, 3 * COMMIT_SIZE + 1)]

    def killed() -> Iterator[Item]:
        yield from now[:after]
        raise Killed

    say(live, before)
    with pytest.raises(Killed):
        say(live, killed(), T + 10, whole=False)
    say(live, now, T + 20, whole=False)
    with graph() as alone:
        say(alone, now)
        assert timeless(live.index.dump()) == timeless(alone.index.dump())
    again = say(live, now, T + 30, whole=False)
    assert counts(again) == {"read": len(now), "unchanged": len(now)}


def test_a_whole_reading_that_is_killed_wrote_nothing(live: LiveGraph) -> None:
    def killed() -> Iterator[Entry]:
        yield from (entry(f"t{i}", "x") for i in range(2 * COMMIT_SIZE))
        raise Killed

    with pytest.raises(Killed):
        say(live, killed())
    assert live.store.read_revision() == 0


def test_memory(live: LiveGraph) -> None:
    assert read_memory(live.store, "iceberg/lake") == {}
    save_memory(live.store, "iceberg/lake", {"etag": "1"})
    assert read_memory(live.store, "iceberg/lake") == {"etag": "1"}
    assert read_memory(live.store, "iceberg/other") == {}
    live.store.write_setting("memory:iceberg/lake", "{")
    assert read_memory(live.store, "iceberg/lake") == {}
