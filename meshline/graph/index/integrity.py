"""Checks that the index agrees with itself: loaded at once or by changes, walked downstream or upstream, it gives the same answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from meshline.graph.index import Direction, LineageIndex, Reach, Truncated
from meshline.graph.model import AssetKey, AssetKind, Precedence
from meshline.graph.store.base import Store
from meshline.graph.store.integrity import Check, Findings

SAMPLE = 50  # columns and datasets from which walks start
MAX_NODES = 5_000  # of one walk; larger walks are not compared
ENDS = 5  # nodes that a walk reaches, from which walks lead back

Reached = dict[AssetKey, tuple[Reach, int, bool]]


class Walk(NamedTuple):
    """One walk, by shown names. `silent_on_filters`: as in its completeness."""

    reached: Reached
    silent_on_filters: int


def check_index(store: Store, precedence: Precedence, advance: Callable[[int], None] = lambda _: None) -> Iterator[Check]:
    """Two checks of indexes that are loaded from the store. If other processes write meanwhile, both indexes follow first."""
    revision = store.read_revision()
    whole = LineageIndex.load(store.iterate_heads(), revision, precedence=precedence)
    followed = LineageIndex.load([], 0, precedence=precedence)
    followed.changes.apply(store.read_changes(0))
    since = store.read_changes(min(whole.revision, followed.revision))
    whole.changes.apply(since)
    followed.changes.apply(since)
    yield _check_same(whole, followed, advance)
    yield _check_symmetric(whole, advance)


def _check_same(whole: LineageIndex, followed: LineageIndex, advance: Callable[[int], None]) -> Check:
    found = Findings("index: loaded at once and followed change by change it is the same (walks from a sample)")
    if whole.changes.measure_size() != followed.changes.measure_size():
        found.add_problem(f"loaded it has {whole.changes.measure_size()}, followed {followed.changes.measure_size()}")
    for key in _sample(whole):
        found.count += 1
        other = followed.assets.find_by_key(key)
        node = whole.assets.find_by_key(key)
        if other is None or node is None:
            found.add_problem(f"{key.kind} {key.qualified_name} is in one of them only")
        elif any(_has_difference(_walk(whole, node, way), _walk(followed, other, way)) for way in Direction):
            found.add_problem(f"from {key.kind} {key.qualified_name} they reach different assets")
        advance(1)
    return found.build_check()


def _check_symmetric(index: LineageIndex, advance: Callable[[int], None]) -> Check:
    found = Findings("index: what a column reaches downstream leads back to it upstream (a sample)")
    for key in _sample(index):
        node = index.assets.find_by_key(key)
        if node is None or key.kind is not AssetKind.COLUMN:
            continue
        walk = _walk(index, node, Direction.DOWNSTREAM)
        if walk is None:
            continue
        reached = walk.reached
        found.count += 1
        for end in sorted(reached)[:: max(1, len(reached) // ENDS)]:
            there = index.assets.find_by_key(end)
            back = Walk({}, 0) if there is None else _walk(index, there, Direction.UPSTREAM)
            if end.kind is AssetKind.COLUMN and back is not None and back.reached.get(key) != reached[end]:
                found.add_problem(f"{key.qualified_name} reaches {end.qualified_name}, which does not lead back to it alike")
        advance(1)
    return found.build_check()


def _sample(index: LineageIndex) -> list[AssetKey]:
    nodes = [*index.assets.list_of_kind(AssetKind.COLUMN), *index.assets.list_of_kind(AssetKind.DATASET)]
    return [index.assets.get_key(node) for node in nodes[:: max(1, len(nodes) // SAMPLE)]]


def _has_difference(one: Walk | None, other: Walk | None) -> bool:
    return one is not None and other is not None and one != other


def _walk(index: LineageIndex, start: int, direction: Direction) -> Walk | None:
    """None if the walk reaches more than `MAX_NODES`."""
    walked = index.lineage.traverse(
        [start], direction, reach=Reach.POSSIBLE, depth=None, max_nodes=MAX_NODES, deadline=None, seen_since=None
    )
    if walked.completeness.truncated is not Truncated.NONE:
        return None
    rows = zip(walked.nodes.tolist(), walked.reach.tolist(), walked.distance.tolist(), walked.masked.tolist(), strict=True)
    reached = {index.assets.get_key(node): (Reach(reach), distance, bool(masked)) for node, reach, distance, masked in rows}
    return Walk(reached, walked.completeness.silent_on_filters)
