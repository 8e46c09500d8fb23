"""The counts of changes in spans, against the differences between the ends of each span."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.errors import InvalidInput, LimitExceeded
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, Content, Facts, Interval, Statement, build_column_key
from meshline.graph.queries import lineage_changes
from meshline.graph.queries.lineage_changes import MOST_SPANS, ChangeCount, count_changes
from meshline.graph.queries.lineage_diff import compare_lineage, get_dataset
from meshline.graph.queries.pages import Limits
from tests.index.heads import state_drop, state_lineage, state_rename, to_column, to_dataset, to_key
from tests.index.strategies import columns, datasets, draw_lists, plain, tombstones
from tests.queries import mesh
from tests.sizes import count_examples

LATER = mesh.START + 1000
HOUR = 3_600_000_000


def compare_ends(live: LiveGraph, at: int, until: int, is_wanted: Callable[[AssetKey], bool]) -> tuple[int, int]:
    """How many flows of wanted assets the end of a span adds, and how many it removes."""
    found = compare_lineage(live, at, until, limit=10_000)
    added, removed = (
        sum(is_wanted(change.edge.start) or is_wanted(change.edge.end) for change in changes) for changes in (found.added, found.removed)
    )
    return added, removed


@given(
    draw_lists(st.one_of(plain, plain, plain, tombstones), 20),
    st.integers(-1, 8),
    st.integers(0, 13),
    st.integers(1, 5),
    st.one_of(st.none(), st.lists(st.one_of(columns, datasets), min_size=1, max_size=2)),
)
@settings(max_examples=count_examples(60), deadline=None)
def test_counts_are_those_of_the_difference_of_each_span(
    statements: list[Statement], since: int, more: int, length: int, names: list[str] | None
) -> None:
    live = mesh.build_graph(*statements)
    keys = [to_key(name) for name in names or ()]
    nodes = [(key, live.index.assets.find(key.id)) for key in keys]
    named = {name for key, node in nodes for name in ([key] if node is None else live.index.assets.list_names(node, former=True))}

    def is_wanted(key: AssetKey) -> bool:
        return not keys or key in named or get_dataset(key) in named

    until = since + more
    found = count_changes(live, since, until, length, of=[key.id for key in keys])
    assert [one.at for one in found] == list(range(since, until, length))
    assert [one.until for one in found] == [min(one.at + length, until) for one in found]
    for one in found:
        assert (one.added, one.removed) == compare_ends(live, one.at, one.until, is_wanted)
        assert list(one.times) == [at for at in range(one.at + 1, one.until + 1) if any(compare_ends(live, at - 1, at, is_wanted))]
        assert one.moved == 0
    live.store.close()


def list_counts(found: Sequence[ChangeCount]) -> list[tuple[int, int, int]]:
    return [(one.added, one.removed, one.moved) for one in found]


def test_flows_that_came_and_went_have_times_only(graph: LiveGraph) -> None:
    flow = mesh.build_flow(build_column_key(mesh.ORDERS, "id"), build_column_key(mesh.REVENUE, "day"))
    scope = ("x",)
    mesh.commit_statements(graph, mesh.build_statement("a/b", scope, Facts(flows=(flow,)), mesh.START + 10))
    mesh.commit_statements(graph, mesh.build_statement("a/b", scope, Facts(), mesh.START + 20))
    (found,) = count_changes(graph, mesh.START, LATER, HOUR)
    assert found == ChangeCount(mesh.START, LATER, 0, 0, 0, (mesh.START + 10, mesh.START + 20))
    assert list_counts(count_changes(graph, mesh.START, mesh.START + 30, 15)) == [(1, 0, 0), (0, 1, 0)]


def test_a_flow_that_an_unchanged_scope_states_does_not_change() -> None:
    a, b = to_column("a.x"), to_column("b.x")
    flow = mesh.build_flow(a, b)
    live = mesh.build_graph(
        mesh.build_statement("one/x", ("s",), Facts(flows=(flow,)), 0),
        mesh.build_statement("two/x", ("s",), Facts(flows=(flow,)), 1),
        mesh.build_statement("two/x", ("s",), Facts(), 7),
    )
    assert list_counts(count_changes(live, 3, 10, 10)) == [(0, 0, 0)]
    assert count_changes(live, 3, 10, 10)[0].times == ()
    assert list_counts(count_changes(live, -1, 10, 11)) == [(1, 0, 0)], "of the second scope, too"
    live.store.close()


def test_flows_of_an_asset_that_left_are_found_by_its_id() -> None:
    key = to_column("gone.x")
    live = mesh.build_graph(
        mesh.build_statement("one/x", ("s",), Facts(flows=(mesh.build_flow(key, to_column("b.x")),)), 1),
        mesh.build_statement("one/x", ("s",), Facts(), 5),
    )
    assert list_counts(count_changes(live, 2, 10, 10, of=[key.id])) == [(0, 1, 0)]
    assert list_counts(count_changes(live, 2, 10, 10, of=[to_column("other.x").id])) == [(0, 0, 0)]
    live.store.close()


def test_renamed_and_dropped_datasets_are_counted_by_themselves() -> None:
    live = mesh.build_graph(
        state_lineage(mesh.build_flow(to_column("a.x"), to_column("b.x"))),
        state_rename("b", "c", 5),
        state_drop("a", 7),
        state_drop("d", 8),
    )
    assert list_counts(count_changes(live, 0, 10, 5)) == [(0, 0, 2), (0, 0, 2)]
    assert list_counts(count_changes(live, 0, 10, 5, of=[to_dataset("a").id])) == [(0, 0, 0), (0, 0, 1)]
    assert count_changes(live, 0, 10, 10)[0].times == (5, 7, 8)
    live.store.close()


def test_counts_are_of_one_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit while the histories are read lets another scope state the flow: it is neither lost nor there twice."""
    monkeypatch.setattr(lineage_changes, "SCOPES_AT_ONCE", 1)
    flow = mesh.build_flow(to_column("a.x"), to_column("b.x"))
    live = mesh.build_graph(state_lineage(at=5), state_lineage(flow, scope="two", at=5))
    read, late = live.store.read_history, [state_lineage(flow, at=6), state_lineage(scope="two", at=6)]

    def read_and_commit(scope_ids: Sequence[int]) -> Mapping[int, Sequence[tuple[Interval, Content]]]:
        found = read(scope_ids)
        if late:
            mesh.commit_statements(live, late.pop(), late.pop())
        return found

    monkeypatch.setattr(live.store, "read_history", read_and_commit)
    assert list_counts(count_changes(live, 0, 10, 10)) == [(1, 0, 0)]
    assert not late
    live.store.close()


def test_what_is_refused(graph: LiveGraph) -> None:
    with pytest.raises(InvalidInput, match="swap them"):
        count_changes(graph, LATER, mesh.START, HOUR)
    with pytest.raises(InvalidInput, match="more than 1000 spans"):
        count_changes(graph, 0, MOST_SPANS * HOUR + 1, HOUR)
    assert len(count_changes(graph, 0, MOST_SPANS * HOUR, HOUR)) == MOST_SPANS
    assert count_changes(graph, LATER, LATER, HOUR) == []
    with pytest.raises(InvalidInput, match="columns and datasets only"):
        count_changes(graph, 0, 1, HOUR, of=[mesh.SUM.id])
    with pytest.raises(LimitExceeded):
        count_changes(graph, 0, LATER, LATER, limits=Limits(deadline=0.0))
