"""How many flows were added and removed in each span of a time, and at which moments.

Only the histories of scopes that changed after the beginning are read, and then the unchanged scopes around the flows that came or went.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from meshline.errors import InvalidInput
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import SCOPES_AT_ONCE, LiveGraph
from meshline.graph.model import AssetKey, AssetKind, Content, Interval
from meshline.graph.queries.lineage_diff import DiffEdge, get_dataset, list_flows, list_moved
from meshline.graph.queries.pages import UNLIMITED, Limits

MOST_SPANS = 1000


class ChangeCount(NamedTuple):
    """The changes of a span: after `at`, up to and including `until` (microseconds).

    `added`, `removed`: flows that exist at its end and not at its beginning, and the reverse. `moved`: datasets of which a rename or
    a drop, of themselves or a column, was stated or withdrawn: the flows around them have other names, or are gone, without being counted.
    `times`: the moments at which any of this changed, in order; also those of flows that came and went within the span.
    """

    at: int
    until: int
    added: int
    removed: int
    moved: int
    times: tuple[int, ...]


class _Step(NamedTuple):
    """A change of what a scope states. `at`: microseconds."""

    at: int
    gone: frozenset[DiffEdge]
    new: frozenset[DiffEdge]
    moved: frozenset[AssetKey]


_History: TypeAlias = Sequence[tuple[Interval, Content]]
_AssetTest: TypeAlias = Callable[[AssetKey], bool]


def count_changes(
    live: LiveGraph, since: int, until: int, length: int, *, of: Sequence[str] = (), limits: Limits = UNLIMITED
) -> list[ChangeCount]:
    """The changes in (since, until] in spans of a length (all in microseconds), also of spans without any; the last span may be shorter.

    A span's counts are those of `compare_lineage` from its beginning to its end, where no dataset moved in it.
    `of`: ids of columns or datasets; only flows that begin or end at one of these or at a column of one count. Empty: all.
    Raises InvalidInput if `since` is after `until`, for too many spans and for assets of other kinds; LimitExceeded at the deadline.
    """
    if since > until:
        raise InvalidInput("the first time is after the second: swap them", "from")
    if until - since > MOST_SPANS * length:
        raise InvalidInput(f"that are more than {MOST_SPANS} spans: ask for less time, or for larger spans", "to")
    is_wanted = _build_test(live.index, of)
    scopes = live.store.list_changed_scopes(since)
    first: Counter[DiffEdge] = Counter()
    steps: list[_Step] = []
    for start in range(0, len(scopes), SCOPES_AT_ONCE):
        for history in live.store.read_history(scopes[start : start + SCOPES_AT_ONCE]).values():
            limits.check_deadline()
            first.update(_list_wanted(_find_content(history, since), is_wanted))
            steps += _list_steps(history, since, until, is_wanted)
    steps.sort(key=lambda step: step.at)
    changing = {edge for step in steps for edge in (*step.gone, *step.new)}
    changing -= _find_unchanged(live, changing, frozenset(scopes), limits)
    stated = Counter({edge: number for edge, number in first.items() if edge in changing})
    found = []
    position = 0
    for at in range(since, until, length):
        limits.check_deadline()
        end = min(at + length, until)
        last = position
        while last < len(steps) and steps[last].at <= end:
            last += 1
        found.append(_count_span(at, end, steps[position:last], stated, changing))
        position = last
    return found


def _build_test(index: LineageIndex, of: Collection[str]) -> _AssetTest:
    """A test of assets: one of these (by any name), or a column of one; everything if there are none."""
    if not of:
        return lambda _: True
    keys: set[AssetKey] = set()
    unknown: set[str] = set()  # may be the ids of assets that do not exist any more
    for asset_id in of:
        node = index.assets.find(asset_id)
        if node is None:
            unknown.add(asset_id)
            continue
        if index.assets.get_kind(node) not in (AssetKind.COLUMN, AssetKind.DATASET):
            raise InvalidInput("changes are counted around columns and datasets only", "of")
        keys.update(index.assets.list_names(node, former=True))

    def is_one(key: AssetKey) -> bool:
        return key in keys or (bool(unknown) and key.id in unknown)

    return lambda key: is_one(key) or is_one(get_dataset(key))


def _list_wanted(content: Content | None, is_wanted: _AssetTest) -> frozenset[DiffEdge]:
    return frozenset(edge for edge in list_flows(content) if is_wanted(edge.start) or is_wanted(edge.end))


def _find_content(history: _History, at: int) -> Content | None:
    """The content of a scope at a time."""
    return next((content for interval, content in history if _is_in(interval, at)), None)


def _is_in(interval: Interval, at: int) -> bool:
    return interval.valid_from <= at and (interval.valid_to is None or at < interval.valid_to)


def _list_steps(history: _History, since: int, until: int, is_wanted: _AssetTest) -> Iterator[_Step]:
    """The changes of a scope's content in (since, until] that add or remove flows or move datasets."""
    bounds = {bound for interval, _ in history for bound in (interval.valid_from, interval.valid_to) if bound is not None}
    before = _find_content(history, since)
    for at in sorted(bound for bound in bounds if since < bound <= until):
        now = _find_content(history, at)
        if (before and before.digest) != (now and now.digest):
            old, new = _list_wanted(before, is_wanted), _list_wanted(now, is_wanted)
            moved = frozenset(key for key in {*list_moved(before)} ^ {*list_moved(now)} if is_wanted(key))
            if old != new or moved:
                yield _Step(at, old - new, new - old, moved)
        before = now


def _find_unchanged(live: LiveGraph, edges: Collection[DiffEdge], changed: Collection[int], limits: Limits) -> set[DiffEdge]:
    """Those of these flows that scopes state which did not change since."""
    index = live.index
    keys = {key for edge in edges for key in (edge.start, edge.end)}
    nodes = {key: node for key in keys if (node := index.assets.find_by_key(key)) is not None}
    mentioning = {node: frozenset(index.changes.list_scopes(node)) for node in set(nodes.values())}
    scopes: set[int] = set()
    for edge in edges:
        if edge.start in nodes and edge.end in nodes:  # of a hub only the scopes that mention the other end, too
            scopes |= mentioning[nodes[edge.start]] & mentioning[nodes[edge.end]]
    unchanged = sorted(scopes.difference(changed))
    found: set[DiffEdge] = set()
    for start in range(0, len(unchanged), SCOPES_AT_ONCE):
        limits.check_deadline()
        for head in live.store.read_heads(unchanged[start : start + SCOPES_AT_ONCE]):
            found.update(list_flows(head.content))
    return found


def _count_span(at: int, end: int, steps: Iterable[_Step], stated: Counter[DiffEdge], changing: Collection[DiffEdge]) -> ChangeCount:
    """The counts of one span. `stated`: by how many scopes each flow is stated; changed to that at the end of the span."""
    before: dict[DiffEdge, bool] = {}
    moved: set[AssetKey] = set()
    times: dict[int, None] = {}
    for moment, together in _group_by_time(steps).items():
        numbers: Counter[DiffEdge] = Counter()
        for step in together:
            numbers.update(edge for edge in step.new if edge in changing)
            numbers.subtract(edge for edge in step.gone if edge in changing)
            if step.moved:
                moved |= step.moved
                times[moment] = None
        for edge, number in numbers.items():
            existed = stated[edge] > 0
            before.setdefault(edge, existed)
            stated[edge] += number
            if existed != (stated[edge] > 0):
                times[moment] = None
    added = sum(not existed and stated[edge] > 0 for edge, existed in before.items())
    removed = sum(existed and stated[edge] <= 0 for edge, existed in before.items())
    return ChangeCount(at, end, added, removed, len(moved), tuple(times))


def _group_by_time(steps: Iterable[_Step]) -> Mapping[int, Sequence[_Step]]:
    found: dict[int, list[_Step]] = {}
    for step in steps:
        found.setdefault(step.at, []).append(step)
    return found
