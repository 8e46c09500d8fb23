"""What is behind each number of an answer's completeness: as many items as it counts, and those that the oracle counts."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.errors import LimitExceeded
from meshline.graph.index import Direction, LineageIndex, Reach, Traversal, Truncated
from meshline.graph.model import AssetKey, Statement
from meshline.graph.queries.gap_items import Gap, GapFlow, GapItems, list_gap_items
from meshline.graph.queries.pages import Limits
from tests.index.heads import Fold, build_flow, build_index, state_lineage, to_dataset
from tests.index.oracle import Oracle, StatedFlow
from tests.index.strategies import any_statement, draw_lists
from tests.index.test_oracle import depths, directions, list_startable, reaches
from tests.sizes import count_examples

EVERYTHING = 1_000_000
COUNTS = {
    Gap.POSSIBLE_ONLY: "possible_only",
    Gap.UNDESCRIBED: "undescribed",
    Gap.STALE: "stale_edges",
    Gap.PROVISIONAL: "provisional",
    Gap.UNBOUND: "unbound",
    Gap.SILENT_ON_FILTERS: "silent_on_filters",
}


def list_all_items(index: LineageIndex, found: Traversal) -> dict[Gap, GapItems]:
    """All items, after checking that there are as many as counted, and that a shorter list is the beginning of a longer one."""
    items = {gap: list_gap_items(index, found, gap, EVERYTHING) for gap in Gap}
    for gap, all_items in items.items():
        assert all_items.total == getattr(found.completeness, COUNTS[gap]) == len(all_items.assets) + len(all_items.flows), gap
        for first in (0, 1, 2):
            part = list_gap_items(index, found, gap, first)
            assert part[:3] == (all_items.total, all_items.assets[:first], all_items.flows[:first])
            assert part.has_next == (all_items.total > first)
        assert list_page_by_page(index, found, gap) == [*all_items.assets, *all_items.flows]
    return items


def list_page_by_page(index: LineageIndex, found: Traversal, gap: Gap) -> list[int | GapFlow]:
    """All items by pages of two, each after the last of the page before."""
    read: list[int | GapFlow] = []
    page = list_gap_items(index, found, gap, 2)
    while True:
        assert len(page.assets) + len(page.flows) == len(page.keys)
        read += (*page.assets, *page.flows)
        if not page.has_next:
            return read
        page = list_gap_items(index, found, gap, 2, after=page.keys[-1])


def list_passed(
    oracle: Oracle, starts: list[AssetKey], direction: Direction, reach: int, depth: int | None, seen_since: int | None
) -> list[StatedFlow]:
    """The flows that the oracle's traversal follows, as `Oracle.compute_completeness` counts them."""
    distances = oracle.compute_distances(starts, oracle.build_graph(reach, direction, seen_since=seen_since), depth)
    passed = []
    for stated in oracle.list_followed(reach, seen_since):
        origin = oracle.get_node(stated.start if direction is Direction.DOWNSTREAM else stated.end)
        origin = ("some", origin[1]) if origin[0] == "whole" else origin
        if origin in distances and (depth is None or distances[origin] < depth):
            passed.append(stated)
    return passed


@given(draw_lists(any_statement), st.data())
@settings(max_examples=count_examples(100), deadline=None)
def test_items_are_what_the_oracle_counts(statements: list[Statement], data: st.DataObject) -> None:
    fold = Fold()
    fold.add(*statements)
    as_of = data.draw(st.sampled_from((None, 6)))
    index, oracle = fold.build_index(as_of), Oracle(fold.list_heads(as_of))
    keys = list_startable(oracle)
    if not keys:
        return
    starts = data.draw(st.lists(st.sampled_from(keys), min_size=1, max_size=2))
    direction, reach, depth = data.draw(directions), data.draw(reaches), data.draw(depths)
    seen_since = data.draw(st.sampled_from((None, 5)))
    nodes = [node for key in starts if (node := index.assets.find_by_key(key)) is not None]
    found = index.lineage.traverse(nodes, direction, reach=reach, depth=depth, seen_since=seen_since)
    index.lineage.traverse(nodes, Direction.UPSTREAM)  # another walk in between changes nothing
    items = list_all_items(index, found)

    def find_node(node: int) -> object:
        return oracle.get_node(index.assets.get_key(node))

    def describe(flow: GapFlow) -> tuple[object, ...]:
        return find_node(flow.start), find_node(flow.end), flow.type, flow.subtype, flow.scope_id

    passed = list_passed(oracle, starts, direction, reach, depth, seen_since)
    pairs = {(oracle.get_node(stated.start), oracle.get_node(stated.end)) for stated in passed if stated.class_ == Reach.POSSIBLE}
    assert {describe(flow)[:2] for flow in items[Gap.POSSIBLE_ONLY].flows} == pairs
    for gap, wanted in (
        (Gap.STALE, [stated for stated in passed if oracle.is_stale(stated.head)]),
        (Gap.PROVISIONAL, [stated for stated in passed if stated.head.provisional]),
    ):
        expected = sorted(
            (str(oracle.get_node(stated.start)), str(oracle.get_node(stated.end)), stated.flow.subtype, stated.head.scope_id)
            for stated in wanted
        )
        assert sorted((str(a), str(b), subtype, scope_id) for a, b, _, subtype, scope_id in map(describe, items[gap].flows)) == expected
    distances = oracle.compute_distances(starts, oracle.build_graph(reach, direction, seen_since=seen_since), depth)
    undescribed = {node[1] for node in distances if node[1] not in oracle.described}
    assert {oracle.get_class(index.assets.get_key(node)) for node in items[Gap.UNDESCRIBED].assets} == undescribed
    silent = oracle.collect_silent_jobs(starts, direction, reach=reach, depth=depth, seen_since=seen_since)
    assert {index.assets.get_key(job) for job in items[Gap.SILENT_ON_FILTERS].assets} == silent


@given(draw_lists(any_statement), st.data())
@settings(max_examples=count_examples(60), deadline=None)
def test_items_are_as_many_as_counted_when_the_limit_cut_the_answer(statements: list[Statement], data: st.DataObject) -> None:
    fold = Fold()
    fold.add(*statements)
    index = fold.build_index()
    keys = list_startable(Oracle(fold.list_heads()))
    if not keys:
        return
    starts = [node for key in data.draw(st.lists(st.sampled_from(keys), min_size=1)) if (node := index.assets.find_by_key(key)) is not None]
    found = index.lineage.traverse(
        starts,
        data.draw(directions),
        reach=data.draw(reaches),
        depth=data.draw(depths),
        max_nodes=data.draw(st.integers(0, 3)),
        seen_since=data.draw(st.sampled_from((None, 5))),
    )
    list_all_items(index, found)


@pytest.mark.parametrize("direction", [Direction.DOWNSTREAM, Direction.UPSTREAM])
def test_a_page_that_begins_among_the_flows_of_one_dataset_goes_on_to_the_next(direction: Direction) -> None:
    pairs = [("m", "y"), ("m", "z"), ("m", "w"), ("m", "x"), ("n", "v")]  # from the nearer end to the farther one
    stated = [build_flow(near, far) if direction is Direction.DOWNSTREAM else build_flow(far, near) for near, far in pairs]
    index = build_index(state_lineage(*stated))
    starts = [node for name in "mn" if (node := index.assets.find_by_key(to_dataset(name))) is not None]
    found = index.lineage.traverse(starts, direction)
    assert len(starts) == 2
    items = list_all_items(index, found)[Gap.POSSIBLE_ONLY].flows
    names = ["".join(sorted(index.assets.get_key(end).name for end in (flow.start, flow.end))) for flow in items]
    assert names == ["mw", "mx", "my", "mz", "nv"]


def test_a_traversal_that_was_not_done_in_time_has_no_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshline.graph.index.passes.STEP", 1)
    index = build_index(state_lineage(build_flow("a", "b"), build_flow("b", "c")))
    start = index.assets.find_by_key(to_dataset("a"))
    assert start is not None
    late = index.lineage.traverse([start], Direction.DOWNSTREAM, deadline=time.monotonic() - 1)
    assert late.completeness.truncated is Truncated.TIME
    with pytest.raises(LimitExceeded, match="not done in time"):
        list_gap_items(index, late, Gap.STALE, 1)
    done = index.lineage.traverse([start], Direction.DOWNSTREAM)
    assert list_gap_items(index, done, Gap.POSSIBLE_ONLY, 1).total == 2
    with pytest.raises(LimitExceeded, match="not done in time"):
        list_gap_items(index, done, Gap.POSSIBLE_ONLY, 1, Limits(deadline=time.monotonic() - 1))
