"""Statements that two names are not the same (DIFFERENT_FROM) may have an end: then they are retracted, as of that end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime

from meshline.graph.content import EMPTY, decode_facts
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import EdgeType, Facts, Json, Statement, get_current_micros, to_micros
from meshline.graph.store.base import Batch, Head

UNTIL = "until"  # the attribute: a time as RFC 3339


def format_end(until: date) -> str:
    """The attribute for an end: a time, or the beginning of a day (UTC)."""
    time = until if isinstance(until, datetime) else datetime(until.year, until.month, until.day, tzinfo=UTC)
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def end_partings(graph: LiveGraph, now: int | None = None) -> int | None:
    """Retract the statements whose end has come. Returns the next end (microseconds), None if no statement has one.

    Raises StoreUnavailable.
    """
    now = get_current_micros() if now is None else now
    with graph.lock:
        ends = dict(_list_ends(graph.index))
    ended = [scope_id for scope_id, until in ends.items() if until <= now]
    if ended:
        graph.commit(lambda _: Batch(statements=list(_retract(graph.store.read_heads(sorted(ended)), now))))
    return min((until for until in ends.values() if until > now), default=None)


def _list_ends(index: LineageIndex) -> Iterator[tuple[int, int]]:
    """The scopes of the statements that have an end, with their ends."""
    for dataset in sorted({dataset for pair in index.assets.survey().different for dataset in pair}):
        for edge in index.ownership.list_edges(dataset, EdgeType.DIFFERENT_FROM):
            until = _parse_end(edge.attributes)
            if until is not None:
                yield edge.scope_id, until


def _retract(heads: Iterable[Head], now: int) -> Iterator[Statement]:
    """The retractions of what is still stated, and has ended: another process may have retracted or extended it."""
    for head in heads:
        facts = decode_facts(head.content.blob) if head.content is not None else Facts()
        ends = [until for edge in facts.edges if (until := _parse_end(edge.attributes)) is not None]
        if ends and max(ends) <= now:
            yield Statement(head.source, head.scope, max((*ends, head.observed_at + 1)), EMPTY)


def _parse_end(attributes: Mapping[str, Json]) -> int | None:
    text = attributes.get(UNTIL)
    try:
        return to_micros(datetime.fromisoformat(text)) if isinstance(text, str) else None
    except ValueError:
        return None
