"""Law 8: every answer of the index equals the oracle's."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import Direction, LineageIndex, Reach, Traversal
from meshline.graph.model import AssetKey, AssetKind, Statement
from tests.index.heads import Fold
from tests.index.oracle import Node, Oracle, Reached
from tests.index.strategies import any_statement, draw_lists, plain
from tests.sizes import count_examples

directions = st.sampled_from(tuple(Direction))
reaches = st.sampled_from(tuple(Reach))
depths = st.sampled_from((None, None, 1, 2, 3))


def collect_answer(index: LineageIndex, oracle: Oracle, traversal: Traversal) -> dict[Node, Reached]:
    found: dict[Node, Reached] = {}
    for node, reach, distance, masked in zip(
        traversal.nodes.tolist(), traversal.reach.tolist(), traversal.distance.tolist(), traversal.masked.tolist(), strict=True
    ):
        nodes = {oracle.get_node(key) for key in (index.assets.get_key(node), *index.assets.list_names(node))}
        assert len(nodes) == 1, "members of one class are one node of the oracle's"
        assert nodes.isdisjoint(found)
        found[nodes.pop()] = Reached(reach, distance, masked)
    return found


def list_startable(oracle: Oracle) -> list[AssetKey]:
    return sorted(key for key in oracle.mentioned if key.kind in {AssetKind.DATASET, AssetKind.COLUMN})


def check_traversal(statements: list[Statement], data: st.DataObject) -> None:
    fold = Fold()
    fold.add(*statements)
    as_of = data.draw(st.sampled_from((None, None, 6)))
    index, oracle = fold.build_index(as_of), Oracle(fold.list_heads(as_of))
    keys = list_startable(oracle)
    if not keys:
        return
    starts = data.draw(st.lists(st.sampled_from(keys), min_size=1, max_size=2))
    direction, reach, depth = data.draw(directions), data.draw(reaches), data.draw(depths)
    seen_since = data.draw(st.sampled_from((None, None, 5)))
    nodes = [index.assets.find_by_key(key) for key in starts]
    assert None not in nodes, "what is mentioned is visible"
    traversal = index.lineage.traverse([n for n in nodes if n is not None], direction, reach=reach, depth=depth, seen_since=seen_since)
    expected = oracle.traverse(starts, direction, reach=reach, depth=depth, seen_since=seen_since)
    assert collect_answer(index, oracle, traversal) == expected
    assert traversal.completeness[1:5] == oracle.compute_completeness(starts, direction, reach=reach, depth=depth, seen_since=seen_since)
    silent = oracle.collect_silent_jobs(starts, direction, reach=reach, depth=depth, seen_since=seen_since)
    assert {index.assets.get_key(job) for job in traversal.silent_jobs.tolist()} == silent
    assert traversal.completeness.silent_on_filters == len(silent)
    assert set(traversal.completeness.silent_producers) == {producer for job in silent for producer in oracle.producers[job]}
    check_paths(index, traversal)


def check_paths(index: LineageIndex, traversal: Traversal) -> None:
    """Every path is as long as the distance, as weak as the class, and hangs together."""
    down = traversal.direction is Direction.DOWNSTREAM
    starts = {*traversal.starts.tolist()}
    for node, reach, distance in zip(traversal.nodes.tolist(), traversal.reach.tolist(), traversal.distance.tolist(), strict=True):
        steps = traversal.find_path(node)
        assert len(steps) == distance
        assert max(step.reach for step in steps) == reach
        ends = [steps[0].start, steps[-1].end]
        begin, end = ends if down else reversed(ends)
        assert is_near(index, begin, starts)
        assert is_near(index, end, {node})
        for one, following in pairwise(steps):
            assert is_near(index, one.end, {following.start})


def is_near(index: LineageIndex, node: int, wanted: set[int]) -> bool:
    """The same, or one is the other's dataset."""
    containers = {index.assets.get_dataset(n) for n in wanted if index.assets.get_kind(n) is AssetKind.COLUMN}
    return (
        node in wanted
        or node in containers
        or (index.assets.get_kind(node) is AssetKind.COLUMN and index.assets.get_dataset(node) in wanted)
    )


@settings(max_examples=count_examples(300), deadline=None)
@given(draw_lists(plain), st.data())
def test_traversals(statements: list[Statement], data: st.DataObject) -> None:
    check_traversal(statements, data)


@settings(max_examples=count_examples(300), deadline=None)
@given(draw_lists(any_statement, 16), st.data())
def test_traversals_with_renames_and_drops(statements: list[Statement], data: st.DataObject) -> None:
    check_traversal(statements, data)


@settings(max_examples=count_examples(150), deadline=None)
@given(draw_lists(any_statement, 16), directions)
def test_contracts_and_owners_start_with_what_they_govern_and_own(statements: list[Statement], direction: Direction) -> None:
    fold = Fold()
    fold.add(*statements)
    index, oracle = fold.build_index(), Oracle(fold.list_heads())
    for key in oracle.mentioned:
        if key.kind in {AssetKind.CONTRACT, AssetKind.OWNER}:
            node, starts = index.assets.find_by_key(key), oracle.collect_starts(key)
            assert node is not None
            traversal = index.lineage.traverse([node], direction)
            assert traversal.completeness.unbound == (not starts)
            assert collect_answer(index, oracle, traversal) == (oracle.traverse(sorted(starts), direction) if starts else {})


@settings(max_examples=count_examples(150), deadline=None)
@given(draw_lists(any_statement, 16))
def test_visible(statements: list[Statement]) -> None:
    fold = Fold()
    fold.add(*statements)
    index, oracle = fold.build_index(), Oracle(fold.list_heads())
    assert {key for key in oracle.mentioned if index.assets.find_by_key(key) is None} == set()
    assets = [(asset.shown, index.assets.find_by_key(asset.shown), index.assets.find(asset.shown.id)) for asset in index.dump().assets]
    for key, by_key, by_id in assets:
        assert by_key is not None
        assert by_id == by_key, "an id finds what its key finds"
        assert index.assets.get_key(by_key) == key
        if key.kind in {AssetKind.COLUMN, AssetKind.DATASET}:
            assert set(index.assets.list_names(by_key)) <= oracle.mentioned


@settings(max_examples=count_examples(200), deadline=None)
@given(draw_lists(plain), st.data())
def test_upstream_is_downstream_backwards(statements: list[Statement], data: st.DataObject) -> None:
    fold = Fold()
    fold.add(*statements)
    index = fold.build_index()
    columns = [
        node
        for node in (index.assets.find_by_key(key) for key in list_startable(Oracle(fold.list_heads())) if key.kind is AssetKind.COLUMN)
        if node is not None
    ]
    if columns:
        a, b = data.draw(st.sampled_from(columns)), data.draw(st.sampled_from(columns))
        down, up = index.lineage.traverse([a], Direction.DOWNSTREAM), index.lineage.traverse([b], Direction.UPSTREAM)
        assert find_row(down, b) == find_row(up, a)


def find_row(traversal: Traversal, node: int) -> tuple[int, int, bool] | None:
    found = [i for i, n in enumerate(traversal.nodes.tolist()) if n == node]
    return (int(traversal.reach[found[0]]), int(traversal.distance[found[0]]), bool(traversal.masked[found[0]])) if found else None
