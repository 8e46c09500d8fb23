"""Events as they were received, and statistics: `/events/lineage` and `/stats`."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from meshline.api.marquez.question import MOST, Question, parse_time
from meshline.api.marquez.shapes import AssetStatistics, Events, EventStatistics
from meshline.errors import InvalidInput
from meshline.graph.model import AssetKind, from_micros, get_current_micros, to_micros
from meshline.graph.queries.events import count_events, count_events_by_bucket, list_events
from meshline.graph.queries.pages import SortKey
from meshline.graph.store.base import StoredEvent

HOURS, DAYS = 24, 7
AT_ONCE = 1000  # events that are read together
_HOUR = 3_600_000_000


def list_run_events(question: Question) -> Events:
    """The events of runs by their time, the newest first, as they were received. `totalCount` has also those of jobs and datasets.

    With `declared=true`, which Marquez does not have, the events of jobs and datasets are listed as well, so that an import has them.
    """
    declared = question.read_flag("declared")
    since, until = (_parse_instant(question, name) for name in ("after", "before"))
    limit, offset = question.read_page()
    descending = question.read_choice("sortDirection", ("DESC", "ASC"), "DESC") == "DESC"
    total = count_events(question.live, since, until)
    first, skipped = (limit + offset, offset) if descending else (total - offset, max(0, total - offset - limit))
    if first > MOST:
        raise InvalidInput(f"that is beyond the first {MOST} events: give a narrower time with `before` and `after`", "offset")
    found = list_events(question.live, since, until, max(0, first)).events[skipped:]
    bodies = [one.event.body for one in (found if descending else reversed(found)) if declared or one.event.type not in ("JOB", "DATASET")]
    return Events([msgspec.Raw(body) for body in bodies], total)


class _Job(msgspec.Struct):
    namespace: str


class _Body(msgspec.Struct):
    job: _Job


def list_events_of_namespace(question: Question) -> Events:
    """The events of runs of the jobs of a namespace, as `list_run_events` has them.

    All events of the time are looked through, page by page in the order of the store, until the time of the request is over.
    """
    since, until = (_parse_instant(question, name) for name in ("after", "before"))
    limit, offset = question.read_page()
    descending = question.read_choice("sortDirection", ("DESC", "ASC"), "DESC") == "DESC"
    if limit + offset > MOST:
        raise InvalidInput(f"that is beyond {MOST} events: give a narrower time with `before` and `after`", "offset")
    kept = deque[bytes](maxlen=limit + offset)
    total = 0
    for one in _iterate_events(question, since, until):
        if one.event.type not in ("JOB", "DATASET") and _is_of_namespace(one.event.body, question.path["namespace"]):
            total += 1
            if not descending or total <= limit + offset:
                kept.append(one.event.body)
    found = list(kept) if descending else [*reversed(kept)]
    return Events([msgspec.Raw(body) for body in found[offset : offset + limit]], total)


def _iterate_events(question: Question, since: int | None, until: int | None) -> Iterator[StoredEvent]:
    """All events of a time, the newest first. Raises LimitExceeded."""
    after: SortKey | None = None
    while True:
        question.limits.check_deadline()
        found = list_events(question.live, since, until, AT_ONCE, after)
        yield from found.events
        if not found.has_next:
            return
        last = found.events[-1]
        after = SortKey((last.event.at or 0, last.position), ())


def _is_of_namespace(body: bytes, namespace: str) -> bool:
    try:
        return msgspec.json.decode(body, type=_Body).job.namespace == namespace
    except msgspec.MsgspecError:
        return False


def _parse_instant(question: Question, name: str) -> int | None:
    text = question.query.get(name)
    return parse_time(text, name) if text else None


def list_event_statistics(question: Question) -> Sequence[EventStatistics]:
    """How many events of each type there were, by hour of the last day or by day of the last week."""
    starts = build_intervals(question)
    following = dict(itertools.pairwise(starts))
    found = count_events_by_bucket(question.live, starts[0], starts[-1], lambda start: following[start])
    return [
        EventStatistics(
            from_micros(start), from_micros(following[start]), *(counts.get(type_, 0) for type_ in ("FAIL", "START", "COMPLETE", "ABORT"))
        )
        for start, counts in found
    ]


def list_dataset_statistics(question: Question) -> Sequence[AssetStatistics]:
    """How many datasets there were at the end of each hour of the last day, or of each day of the last week."""
    return _list_asset_statistics(question, list(_find_first_times(question, AssetKind.DATASET)))


def list_job_statistics(question: Question) -> Sequence[AssetStatistics]:
    """How many jobs there were at the end of each hour of the last day, or of each day of the last week."""
    return _list_asset_statistics(question, list(_find_first_times(question, AssetKind.JOB)))


def list_source_statistics(question: Question) -> Sequence[AssetStatistics]:
    """How many data sources there were at the end of each hour of the last day, or of each day of the last week."""
    first: dict[str, int] = {}
    nodes = question.index.assets.list_of_kind(AssetKind.DATASET)
    for node, time in zip(nodes, _find_first_times(question, AssetKind.DATASET), strict=True):
        namespace = question.index.assets.get_key(node).parts[0]
        first[namespace] = min(time, first.get(namespace, time))
    return _list_asset_statistics(question, list(first.values()))


def _find_first_times(question: Question, kind: AssetKind) -> Iterator[int]:
    """Since when current statements mention each asset of a kind, in the order of their names."""
    first = question.times[0]
    return (int(first[node]) for node in question.index.assets.list_of_kind(kind))


def _list_asset_statistics(question: Question, first: list[int]) -> list[AssetStatistics]:
    """`first`: since when there is each of the assets, in microseconds."""
    starts, first = build_intervals(question), sorted(first)
    return [AssetStatistics(from_micros(start), from_micros(end), bisect_left(first, end)) for start, end in itertools.pairwise(starts)]


def build_intervals(question: Question) -> list[int]:
    """The beginnings of the hours or days of a period in microseconds, and the end of the last. Raises InvalidInput."""
    now = get_current_micros() if question.index.as_of is None else question.index.as_of
    if question.read_choice("period", ("DAY", "WEEK"), "DAY") == "DAY":
        end = now - now % _HOUR + _HOUR
        return [end - hours * _HOUR for hours in range(HOURS, -1, -1)]
    zone = _parse_zone(question.query.get("timezone", ""))
    today = from_micros(now).astimezone(zone).date()
    days = [today + timedelta(days=number) for number in range(1 - DAYS, 2)]
    return [to_micros(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)) for day in days]


def _parse_zone(text: str) -> ZoneInfo:
    try:
        if text:
            return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise InvalidInput(f"give a name such as Europe/Berlin, not {text[:40]!r}", "timezone")
