"""The events of a Marquez in the order of their time, from where the last reading ended.

The time before that is divided into windows with the number of events that Marquez counted in each: a window in which the
number has changed has events that arrived late, and is read again. One request finds that nothing has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import from_micros, get_current_micros
from meshline.ingest.sources.http_reader import LargeAnswer, RefusedAnswer
from meshline.ingest.sources.marquez.marquez_client import MarquezClient
from meshline.ingest.sources.marquez.parse import EventList, NamedByEvent

PAGE = 500  # events of a request
MOST = 10_000  # events of one microsecond
END = 4_102_444_800_000_000  # 2100-01-01, in microseconds: no event is later
MAX_WINDOWS = 2_000  # that are remembered
_PATH = ("events", "lineage")


class Window(NamedTuple):
    """A time in [start, end), in microseconds, and the number of its events as Marquez counts them; -1 if it does not count."""

    start: int
    end: int
    events: int


class HistoricEvent(NamedTuple):
    time: int
    named: NamedByEvent
    body: bytes


class HistoryPage(NamedTuple):
    """All events of a window. `again`: the window was read before, so that some of its events are known."""

    window: Window
    events: Sequence[HistoricEvent]
    again: bool


class EventHistory:
    """Reads what is new, and remembers the windows that are done."""

    def __init__(self, client: MarquezClient, text: str = "") -> None:
        """`text`: what `encode` returned after the last reading."""
        self._client = client
        self._windows = _decode_windows(text)

    def encode(self) -> str:
        """The windows that are done, as text."""
        windows = self._windows
        while len(windows) > MAX_WINDOWS:
            windows = [_join_windows(windows[at : at + 2]) for at in range(0, len(windows), 2)]
        return msgspec.json.encode([(one.end, one.events) for one in windows]).decode()

    def count_unchanged(self) -> int:
        """The number of events in the windows that are done."""
        return sum(max(0, one.events) for one in self._windows)

    def read_pages(self) -> Iterator[HistoryPage]:
        """The pages to ingest. When the next one is asked for, the last is done."""
        for changed in self._find_changed(self._windows):
            pages: list[Window] = []
            for page in self._read_span(changed.start, changed.end):
                yield page._replace(again=True)
                pages.append(page.window)
            at = self._windows.index(changed)
            self._windows[at : at + 1] = pages or [changed._replace(events=0)]
        for page in self._read_span(self._windows[-1].end if self._windows else 0, END):
            yield page
            self._windows.append(page.window)

    def _find_changed(self, windows: Sequence[Window]) -> list[Window]:
        """The windows in which the number of events is another one. Windows of equal numbers are found with one request."""
        if not windows or self._is_unchanged(windows):
            return []
        if len(windows) == 1:
            return list(windows)
        half = len(windows) // 2
        return self._find_changed(windows[:half]) + self._find_changed(windows[half:])

    def _is_unchanged(self, windows: Sequence[Window]) -> bool:
        count = self._count(windows[0].start, windows[-1].end)
        return count < 0 or any(one.events < 0 for one in windows) or count == sum(one.events for one in windows)

    def _read_span(self, start: int, end: int) -> Iterator[HistoryPage]:
        """The pages of a time. Events of one microsecond are always on one page, so that no page depends on how Marquez sorts them.

        A page with fewer events than were asked for is the last one only if no more are counted: an older meshline leaves the events
        without a run out of a page, and each refuses to begin with the oldest of very many.
        """
        limit = PAGE
        while start < end:
            try:
                total, found = self._list_events(start, end, limit)
            except LargeAnswer:
                if limit == 1:
                    raise
                limit = max(1, limit // 4)
                continue
            except RefusedAnswer as error:
                yield from self._read_halves(start, end, error)
                return
            is_last = len(found) < limit and total <= limit
            until = _find_end(found, end) if is_last else found[-1].time if found else start
            if until > start:
                yield self._build_page(start, until, [one for one in found if one.time < until])
                start, limit = until, min(PAGE, limit)
            elif not is_last and limit >= MOST:
                message = f"there are more than {MOST} events of the time {_format_time(start)}"
                yield from self._read_halves(start, end, InvalidInput(message, "/".join(_PATH)))
                return
            else:
                limit = min(MOST, 2 * limit)
            if is_last:
                return

    def _read_halves(self, start: int, end: int, error: InvalidInput) -> Iterator[HistoryPage]:
        """The pages of a time of which one answer cannot have all events. Raises the error if that time cannot be divided."""
        if end - start == 1 or (isinstance(error, RefusedAnswer) and error.status != 400):
            raise error
        middle = (start + end) // 2
        yield from self._read_span(start, middle)
        yield from self._read_span(middle, end)

    def _build_page(self, start: int, until: int, found: list[HistoricEvent]) -> HistoryPage:
        """Marquez also counts events without a run, which it does not list. Events may arrive now: they are either read here, or
        are more than what is remembered, and so are read the next time.
        """
        count = self._count(start, until)
        if count not in (-1, len(found)):
            _, found = self._list_events(start, until, max(PAGE, count + 1))
        return HistoryPage(Window(start, until, count), found, again=False)

    def _count(self, start: int, end: int) -> int:
        times = {"after": _format_time(start), "before": _format_time(end)}
        return self._client.read(EventList, _PATH, limit=0, sortDirection="desc", **times).total_count

    def _list_events(self, start: int, end: int, limit: int) -> tuple[int, list[HistoricEvent]]:
        """How many events Marquez counts in a time, and the first of them, the oldest first.

        A meshline also lists events of jobs and datasets if it is asked to; Marquez ignores that.
        """
        times = {"after": _format_time(start), "before": _format_time(end)}
        answer = self._client.read(EventList, _PATH, limit=limit, sortDirection="asc", **times, declared="true")
        events = [_parse_event(bytes(body), start) for body in answer.events]
        if any(one.time > other.time for one, other in pairwise(events)):
            raise InvalidInput(
                "the events are not in the order of their time: this is not Marquez, or not one that can be read", "/".join(_PATH)
            )
        return answer.total_count, events


def _find_end(found: Sequence[HistoricEvent], end: int) -> int:
    """The end of a window that has the last events of a time: of what may still come, nothing is done."""
    if end <= get_current_micros():
        return end
    return found[-1].time + 1 if found else 0


class _Time(msgspec.Struct, rename="camel"):
    event_time: str


def _parse_event(body: bytes, start: int) -> HistoricEvent:
    """An event whose names cannot be read is passed on, so that it is refused or repaired by itself, as any other event."""
    try:
        try:
            named = msgspec.json.decode(body, type=NamedByEvent)
        except msgspec.ValidationError:
            named = NamedByEvent(msgspec.json.decode(body, type=_Time).event_time)
            return HistoricEvent(max(start, named.parse_time()), named, body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"the events from {_format_time(start)} on have one that is not of Marquez: {error}", "/".join(_PATH)) from error
    return HistoricEvent(max(start, named.parse_time()), named, strip_nulls(body))


# The facets that Marquez reads into classes of its own: it writes null for each member that the facet lacks.
TYPED = frozenset(
    {
        *("nominalTime", "parent", "documentation", "description", "sourceCodeLocation", "sql", "jobType"),
        *("schema", "dataSource", "lifecycleStateChange", "columnLineage", "symlinks"),
    }
)


def strip_nulls(body: bytes) -> bytes:
    """The event without the members that Marquez has added: null, for what an event does not state. Other facets stay as they are."""
    event = msgspec.json.decode(body)
    for part in (
        event,
        event.get("run"),
        event.get("job"),
        event.get("dataset"),
        *(event.get("inputs") or ()),
        *(event.get("outputs") or ()),
    ):
        if isinstance(part, dict):
            _strip_part(part)
    return msgspec.json.encode(event)


def _strip_part(part: dict[str, Any]) -> None:
    for name in [name for name, value in part.items() if value is None]:
        del part[name]
    facets = part.get("facets")
    if isinstance(facets, dict):
        part["facets"] = {
            name: _strip_all(value) if name in TYPED else value for name, value in facets.items() if value is not None or name not in TYPED
        }


def _strip_all(value: Any) -> Any:
    match value:
        case dict():
            return {name: _strip_all(inner) for name, inner in value.items() if inner is not None}
        case list():
            return [_strip_all(inner) for inner in value]
        case _:
            return value


def _format_time(micros: int) -> str:
    return from_micros(micros).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _join_windows(windows: Sequence[Window]) -> Window:
    count = -1 if any(one.events < 0 for one in windows) else sum(one.events for one in windows)
    return Window(windows[0].start, windows[-1].end, count)


def _decode_windows(text: str) -> list[Window]:
    try:
        ends = msgspec.json.decode(text or "[]", type=list[tuple[int, int]])
    except msgspec.MsgspecError:
        ends = []
    starts = [0, *(end for end, _ in ends)]
    windows = [Window(start, end, count) for start, (end, count) in zip(starts, ends, strict=False)]
    return windows if all(one.start < one.end for one in windows) else []
