"""Search in the names of datasets and jobs: `/search`."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.api.marquez.node_ids import format_node_id
from meshline.api.marquez.question import Question, parse_time
from meshline.api.marquez.shapes import Hit, Hits
from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, AssetKind, from_micros

FILTERS = (AssetKind.DATASET, AssetKind.JOB)
SORTS = ("NAME", "UPDATE_AT")
FIRST = 10  # hits of a request without a limit


def search_names(question: Question) -> Hits:
    """The datasets and jobs with a text anywhere in their names, in any case: exact names first, then those that begin with it."""
    text = question.query.get("q", "").strip().casefold()
    if not text:
        raise InvalidInput("the parameter is missing, or blank", "q")
    wanted = question.read_choice("filter", FILTERS, "")
    sort = question.read_choice("sort", SORTS, SORTS[0])
    limit = question.read_number("limit", FIRST, 10_000)
    since, until = _parse_day(question, "after"), _parse_day(question, "before")
    last = question.index.changes.compute_last_observed()
    found = [
        (node, key)
        for kind in FILTERS
        if wanted in ("", kind)
        for node, key in _find_names(question, kind, text)
        if (since is None or last[node] >= since) and (until is None or last[node] < until)
    ]
    if sort == SORTS[1]:
        found.sort(key=lambda hit: -int(last[hit[0]]))
    else:
        found.sort(key=lambda hit: _rank_name(hit[1].name.casefold(), text))
    hits = [
        Hit("JOB" if key.kind is AssetKind.JOB else "DATASET", key.name, from_micros(int(last[node])), key.parts[0], format_node_id(key))
        for node, key in found[:limit]
    ]
    return Hits(len(found), hits)


def _find_names(question: Question, kind: AssetKind, text: str) -> Iterator[tuple[int, AssetKey]]:
    """The assets of a kind with a text in their names, of the namespace of the request if it has one."""
    namespace = question.query.get("namespace") or None
    for number, node in enumerate(question.index.assets.list_of_kind(kind)):
        if number % 4096 == 0:
            question.limits.check_deadline()
        key = question.index.assets.get_key(node)
        if text in key.name.casefold() and namespace in (None, key.parts[0]):
            yield node, key


def _rank_name(name: str, text: str) -> int:
    return 0 if name == text else 1 if name.startswith(text) else 2


def _parse_day(question: Question, name: str) -> int | None:
    """The beginning of a day of the query, YYYY-MM-DD, in microseconds. Raises InvalidInput."""
    text = question.query.get(name)
    if not text:
        return None
    if len(text) != len("YYYY-MM-DD"):
        raise InvalidInput(f"give a day as YYYY-MM-DD, not {text[:40]!r}", name)
    return parse_time(text, name)
