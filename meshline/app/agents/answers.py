"""An answer to an agent: a sentence, rows, how many of them are shown, and how sure it is; never larger than an agent's context bears."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.governance.report_formats.completeness_text import HiddenAssets, describe_gaps, describe_hidden
from meshline.graph.model import Json
from meshline.words import shorten_text

MAX_BYTES = 12_000  # of an answer as JSON
TEXT_LIMITS = (400, 120, 40)  # characters of a text in an answer: the first with which it fits. An id is shorter than the last.
MAX_REASONS = 12


class Gaps(msgspec.Struct, rename="camel", frozen=True):
    """The numbers of the type Completeness of the schema."""

    truncated: str
    possible_only: int
    undescribed: int
    stale_edges: int
    provisional: int
    unbound: int
    silent_on_filters: int
    silent_producers: list[str]
    hidden: list[HiddenAssets]


class Row(NamedTuple):
    """A row, and the cursor behind it."""

    cursor: str
    content: dict[str, Json]


class Answer(NamedTuple):
    """`sentence`: ours, without free text of the mesh. `facts`: parts of the answer that are no rows. `rows_name`: what the rows are.

    `total`: of all rows on all pages; None: not counted. `more`: rows follow behind the last one here. `because`: why the answer may be
    incomplete.
    """

    sentence: str
    facts: Mapping[str, Json]
    rows_name: str
    rows: Sequence[Row]
    total: int | None
    more: bool
    because: Sequence[str]
    revision: int


def list_reasons(completeness: object) -> list[str]:
    """Why an answer may be incomplete, from its field `completeness`."""
    gaps = msgspec.convert(completeness, Gaps)
    return [*describe_hidden(gaps.hidden), *describe_gaps(gaps)]


def slice_rows(contents: Sequence[dict[str, Json]], start: str | None, limit: int, revision: int) -> tuple[list[Row], bool]:
    """The rows of a list that is computed whole, from the cursor of the page before on; and whether more follow. Raises InvalidInput."""
    first = 0 if start is None else _parse_place(start, revision)
    rows = [Row(f"{revision}:{first + place + 1}", content) for place, content in enumerate(contents[first : first + limit])]
    return rows, len(contents) > first + limit


def _parse_place(cursor: str, revision: int) -> int:
    seen, _, place = cursor.partition(":")
    if not (seen.isdecimal() and place.isdecimal() and len(cursor) < 40):
        raise InvalidInput("accepted is the `next` of the page before", "next")
    if int(seen) != revision:
        raise InvalidInput("the graph has changed since that page: ask again without `next`", "next")
    return int(place)


def encode_answer(answer: Answer) -> bytes:
    """The answer as JSON with as many whole rows as fit into MAX_BYTES, but at least one."""
    body = b""
    for limit in TEXT_LIMITS:
        rows = [_shorten_texts(row.content, limit) for row in answer.rows]
        facts = _shorten_texts(dict(answer.facts), limit)
        count = _count_fitting(answer, facts, rows)
        body = _encode_page(answer, facts, rows[:count])
        if len(body) <= MAX_BYTES:
            break
    return body


def _count_fitting(answer: Answer, facts: dict[str, Json], rows: Sequence[dict[str, Json]]) -> int:
    """How many rows fit. The sentence about what is shown, and the cursor, differ from page to page: so it is tried."""
    room = MAX_BYTES - len(_encode_page(answer, facts, []))
    count = 0
    for row in rows:
        room -= len(msgspec.json.encode(row)) + 1
        if room < 0:
            break
        count += 1
    while count > 1 and len(_encode_page(answer, facts, rows[:count])) > MAX_BYTES:
        count -= 1
    return max(count, min(1, len(rows)))


def _encode_page(answer: Answer, facts: dict[str, Json], rows: Sequence[dict[str, Json]]) -> bytes:
    shown = len(rows)
    more = answer.more or shown < len(answer.rows)
    following: Json = answer.rows[shown - 1].cursor if more and shown else None
    return msgspec.json.encode(
        {
            "answer": answer.sentence + _describe_page(answer, shown, more=more),
            **facts,
            answer.rows_name: list(rows),
            "page": {"total": answer.total, "shown": shown, "next": following},
            "completeness": {"sure": not answer.because, "because": _limit_reasons(answer.because), "revision": answer.revision},
        }
    )


def _describe_page(answer: Answer, shown: int, *, more: bool) -> str:
    if not more:
        return ""
    of = "more" if answer.total is None else f"{answer.total}"
    return f" This page shows {shown} of {of} {answer.rows_name}; `next` gives the following ones."


def _limit_reasons(because: Sequence[str]) -> list[str]:
    reasons = [shorten_text(reason, TEXT_LIMITS[0]) for reason in dict.fromkeys(because)]
    rest = len(reasons) - MAX_REASONS
    return [*reasons[:MAX_REASONS], f"and {rest} more reasons"] if rest > 0 else reasons


def _shorten_texts(content: dict[str, Json], limit: int) -> dict[str, Json]:
    """The same with printable texts of at most `limit` characters; `cut` names the fields with a text that was longer."""
    cut: list[Json] = []
    short: dict[str, Json] = {}
    for name, value in content.items():
        short[name], was_cut = _shorten_value(value, limit)
        if was_cut:
            cut.append(name)
    return {**short, "cut": cut} if cut else short


def _shorten_value(value: Json, limit: int) -> tuple[Json, bool]:
    if isinstance(value, str):
        return shorten_text(value.replace("\n", " "), limit), len(value) > limit
    if isinstance(value, dict):
        return _shorten_texts(value, limit), False
    if isinstance(value, list):
        parts = [_shorten_value(one, limit) for one in value]
        return [part for part, _ in parts], any(was_cut for _, was_cut in parts)
    return value, False


def limit_list(values: Iterable[Json], most: int = 10) -> list[Json]:
    """The first values; if there are more, the last entry states how many."""
    found = list(values)
    return [*found[:most], f"and {len(found) - most} more"] if len(found) > most else found
