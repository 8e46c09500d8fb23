"""How many flows were added and removed in each span of a time, and at which moments.

Only the histories of scopes that changed after the beginning are read, and then the unchanged scopes that state flows between the same
datasets as those that came or went. All counting is done with arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from meshline.errors import InvalidInput
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, Content, Interval
from meshline.graph.past_index import SCOPES_AT_ONCE
from meshline.graph.queries.lineage_diff import get_dataset
from meshline.graph.queries.pages import UNLIMITED, Limits
from meshline.graph.queries.stated_flows import Numbers, StatedFlows, find_places, sort_distinct
from meshline.graph.store.base import Store

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
    """A change of the content of a scope. `at`: microseconds. `before`, `after`: numbers of contents."""

    at: int
    before: int
    after: int


_History: TypeAlias = Sequence[tuple[Interval, Content]]
_AssetTest: TypeAlias = Callable[[AssetKey], bool]


def count_changes(
    live: LiveGraph, since: int, until: int, length: int, *, of: Sequence[str] = (), limits: Limits = UNLIMITED
) -> list[ChangeCount]:
    """The changes in (since, until] in spans of a length (all in microseconds), also of spans without any; the last span may be shorter.

    A span's counts are those of `compare_lineage` from its beginning to its end, where no dataset moved in it.
    `of`: ids of columns or datasets; only flows that begin or end at one of these or at a column of one count. Empty: all.
    In a restricted graph only flows and datasets count that the viewer may see now, which those that are gone are not.
    Raises InvalidInput if `since` is after `until`, for too many spans and for assets of other kinds; LimitExceeded at the deadline.
    """
    if since > until:
        raise InvalidInput("the first time is after the second: swap them", "from")
    if until - since > MOST_SPANS * length:
        raise InvalidInput(f"that are more than {MOST_SPANS} spans: ask for less time, or for larger spans", "to")
    is_wanted, names = _build_test(live.index, of)
    flows = StatedFlows(is_wanted, names, live.index.may_name if live.index.is_restricted else None)
    first: dict[int, int] = {}  # by scope: the content at the beginning
    steps_of: dict[int, list[_Step]] = {}
    for scope_id, history in _iterate_histories(live.store, since):
        limits.check_deadline()
        first[scope_id] = flows.add(_find_content(history, since))
        steps_of[scope_id] = [*_list_steps(history, since, until, flows)]
    steps = [*chain.from_iterable(steps_of.values())]
    total = flows.number_flows()
    limits.check_deadline()
    changing = _list_flow_changes(steps, flows)
    unchanged = _find_unchanged(live, sort_distinct(changing.flow), first.keys(), flows, limits)
    changing = changing.select(~find_places(unchanged, changing.flow)[1])
    stated = np.bincount(flows.list_flows([*first.values()])[1], minlength=total)
    limits.check_deadline()
    counts = _count_spans(changing, stated, since, length)
    moved = _list_moved(steps, flows)
    return [_build_count(at, min(at + length, until), counts.get(span), moved) for span, at in enumerate(range(since, until, length))]


def _build_test(index: LineageIndex, of: Collection[str]) -> tuple[_AssetTest, frozenset[str] | None]:
    """A test of assets: one of these (by any name), or a column of one; everything if there are none.

    And names of datasets, one of which is in each content that mentions such an asset; None if these are not known.
    """
    if not of:
        return lambda _: True, None
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

    # An id of an asset that does not exist any more has no name: the empty text is in all contents.
    names = {key.parts[1] for key in keys} | ({""} if unknown else set())
    return lambda key: is_one(key) or is_one(get_dataset(key)), frozenset(names)


def _iterate_histories(store: Store, since: int) -> Iterator[tuple[int, _History]]:
    """Of each scope whose content may have changed after a time; again of those whose head changes while others are read, so that the
    last ones are of one revision.
    """
    revision, scopes = store.read_revision(), store.list_changed_scopes(since)
    while scopes:
        for start in range(0, len(scopes), SCOPES_AT_ONCE):
            yield from store.read_history(scopes[start : start + SCOPES_AT_ONCE]).items()
        changes = store.read_changes(revision)
        revision, scopes = changes.revision, [head.scope_id for head in changes.heads]


def _find_content(history: _History, at: int) -> Content | None:
    """The content of a scope at a time."""
    return next((content for interval, content in history if _is_in(interval, at)), None)


def _is_in(interval: Interval, at: int) -> bool:
    return interval.valid_from <= at and (interval.valid_to is None or at < interval.valid_to)


def _list_steps(history: _History, since: int, until: int, flows: StatedFlows) -> Iterator[_Step]:
    """The changes of a scope's content in (since, until]."""
    bounds = {bound for interval, _ in history for bound in (interval.valid_from, interval.valid_to) if bound is not None}
    before = flows.add(_find_content(history, since))
    for at in sorted(bound for bound in bounds if since < bound <= until):
        after = flows.add(_find_content(history, at))
        if before != after:
            yield _Step(at, before, after)
        before = after


class _FlowChanges(NamedTuple):
    """By row, sorted by flow and time: by how many more scopes a flow is stated from a time on."""

    flow: Numbers
    at: Numbers
    more: Numbers

    def select(self, chosen: npt.NDArray[np.bool_]) -> _FlowChanges:
        return _FlowChanges(self.flow[chosen], self.at[chosen], self.more[chosen])


def _list_flow_changes(steps: Sequence[_Step], flows: StatedFlows) -> _FlowChanges:
    """What the steps change. Flows that a step leaves as they are have no row; those that are moved at one time have one with 0."""
    old_place, old = flows.list_flows([step.before for step in steps])
    new_place, new = flows.list_flows([step.after for step in steps])
    most = max(int(old.max(initial=0)), int(new.max(initial=0))) + 1
    gone, come = old_place * most + old, new_place * most + new
    gone, come = gone[~find_places(come, gone)[1]], come[~find_places(gone, come)[1]]
    both = np.concatenate([gone, come])
    times = np.array([step.at for step in steps], np.int64)
    more = np.repeat(np.array([-1, 1], np.int64), [len(gone), len(come)])
    flow, at = both % most, times[both // most]
    order = np.lexsort((at, flow))
    flow, at, more = flow[order], at[order], more[order]
    begins = np.flatnonzero((np.diff(flow, prepend=-1) != 0) | (np.diff(at, prepend=at[:1]) != 0))
    return _FlowChanges(flow[begins], at[begins], np.add.reduceat(more, begins) if len(begins) else more)


def _find_unchanged(live: LiveGraph, changing: Numbers, changed: Collection[int], flows: StatedFlows, limits: Limits) -> Numbers:
    """Those of these flows, and others, that scopes state which did not change since."""
    if not len(changing):
        return changing
    found: list[Numbers] = [changing[:0]]
    unchanged = live.index.whole.changes.list_scopes_between(flows.iterate_datasets(changing), changed)
    for start in range(0, len(unchanged), SCOPES_AT_ONCE):
        limits.check_deadline()
        heads = live.read_heads(live.index.whole, unchanged[start : start + SCOPES_AT_ONCE])
        found.append(flows.list_flows([flows.add(head.content) for head in heads])[1])
    return sort_distinct(np.concatenate(found))


class _SpanCounts(NamedTuple):
    added: int
    removed: int
    times: tuple[int, ...]


def _count_spans(changes: _FlowChanges, stated: Numbers, since: int, length: int) -> dict[int, _SpanCounts]:
    """The counts of the spans in which flows come or go. `stated`: by flow, by how many scopes it is stated at first."""
    flow, at, more = changes
    if not len(flow):
        return {}
    first = np.flatnonzero(np.diff(flow, prepend=-1))  # of each flow its first row
    summed = np.cumsum(more)
    before_flow = np.repeat(summed[first] - more[first], np.diff(first, append=len(flow)))
    after = stated[flow] + summed - before_flow
    exists, existed = after > 0, after - more > 0
    span = (at - since - 1) // length
    begins = np.flatnonzero((np.diff(flow, prepend=-1) != 0) | (np.diff(span, prepend=span[:1]) != 0))  # of a flow in a span
    ends = np.append(begins[1:], len(flow)) - 1
    added, removed = ~existed[begins] & exists[ends], existed[begins] & ~exists[ends]
    most = int(span.max()) + 1
    news, olds = (np.bincount(span[begins], chosen, most).astype(np.int64).tolist() for chosen in (added, removed))
    times: dict[int, list[int]] = {}
    for moment in sorted({*at[exists != existed].tolist()}):
        times.setdefault((moment - since - 1) // length, []).append(moment)
    return {number: _SpanCounts(news[number], olds[number], tuple(of_span)) for number, of_span in times.items()}


def _list_moved(steps: Sequence[_Step], flows: StatedFlows) -> list[tuple[int, frozenset[AssetKey]]]:
    """(time, datasets) of each statement of a rename or a drop, and of each withdrawal."""
    found = ((step.at, flows.get_moved(step.before) ^ flows.get_moved(step.after)) for step in steps)
    return sorted(((at, moved) for at, moved in found if moved), key=itemgetter(0))


def _build_count(at: int, until: int, counts: _SpanCounts | None, moved: Sequence[tuple[int, frozenset[AssetKey]]]) -> ChangeCount:
    counts = counts or _SpanCounts(0, 0, ())
    within = [(moment, datasets) for moment, datasets in moved if at < moment <= until]
    times = sorted({*counts.times, *(moment for moment, _ in within)})
    datasets = frozenset[AssetKey]().union(*(datasets for _, datasets in within))
    return ChangeCount(at, until, counts.added, counts.removed, len(datasets), tuple(times))
