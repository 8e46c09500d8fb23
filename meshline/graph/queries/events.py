"""Raw events by their time, newest first, in pages; and how many there were, which remains known after they are pruned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from meshline.errors import InvalidInput
from meshline.graph.live_graph import LiveGraph
from meshline.graph.queries.pages import SortKey
from meshline.graph.store.base import StoredEvent

BOUND = 2**61  # microseconds: no time is beyond it
MONDAY = 4 * 24 * 3_600_000_000  # microseconds: the first one after the epoch, which began on a Thursday
MOST_BUCKETS = 24 * 366


class EventPage(NamedTuple):
    """Some raw events in order, and whether more follow."""

    events: Sequence[StoredEvent]
    has_next: bool


def list_events(live: LiveGraph, since: int | None, until: int | None, first: int, after: SortKey | None = None) -> EventPage:
    """A page of the raw events of a time in [since, until) (microseconds), the newest first."""
    before = None if after is None else _parse_event_position(after)
    found = live.store.list_events(*_build_span(since, until), before, first + 1)
    return EventPage(found[:first], len(found) > first)


def _parse_event_position(after: SortKey) -> tuple[int, int]:
    time, position = after.numbers
    if abs(time) > BOUND or not 0 <= position <= BOUND:
        raise InvalidInput("that is no cursor of this list: use endCursor of its previous page", "after")
    return time, position


def count_events(live: LiveGraph, since: int | None, until: int | None) -> int:
    """The number of raw events of a time in [since, until)."""
    return live.store.count_events(*_build_span(since, until))


def _build_span(since: int | None, until: int | None) -> tuple[int, int]:
    return -BOUND if since is None else since, BOUND if until is None else until


EventCounts: TypeAlias = dict[str, int]


def count_events_by_bucket(live: LiveGraph, since: int, until: int, find_next: Callable[[int], int]) -> list[tuple[int, EventCounts]]:
    """(start of a bucket, events by type) of each bucket in [since, until), also of empty ones. `find_next`: the start of the next bucket.

    Events count as often as they were received, and remain counted after they are pruned. Raises InvalidInput for too many buckets.
    """
    starts: list[int] = []
    at = since
    while at < until:
        if len(starts) == MOST_BUCKETS:
            raise InvalidInput(f"that are more than {MOST_BUCKETS} buckets: ask for less time, or larger buckets", "to")
        starts.append(at)
        at = find_next(at)
    found: list[tuple[int, EventCounts]] = [(start, {}) for start in starts]
    ends = [*starts[1:], at]
    position = 0
    for (hour, type_), events in sorted(live.store.read_event_counts(since, at).items()):
        while hour >= ends[position]:
            position += 1
        counts = found[position][1]
        counts[type_] = counts.get(type_, 0) + events
    return found
