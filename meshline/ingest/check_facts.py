"""Results of checks in one form, for Great Expectations, Soda, dbt tests and OpenLineage assertions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json
from meshline.graph.quality import EXPECTATIONS, RESULTS, Outcome

__all__ = ["Check", "Outcome", "build_expectation_facts", "build_result_facts", "extract_first_line", "name_checks", "shorten_value"]

LARGEST = 4_000  # bytes of JSON of what one check expects or observed
LONGEST = 500  # characters of a message


class Check(NamedTuple):
    """One check of a dataset or column (`subject`). `name` is unique in its suite; `kind` is the tool's own name of the check.

    `at`: when it was run (microseconds since the epoch), if the source states that; else the statement's time counts.
    `labels`: attached by the check's author.
    """

    subject: AssetKey
    name: str
    kind: str
    outcome: Outcome
    suite: str
    expected: Json = None
    observed: Json = None
    message: str | None = None
    at: int | None = None
    labels: Mapping[str, Json] = {}


def build_result_facts(checks: Iterable[Check]) -> Facts:
    """Results that are stated together: the content of a scope (QUALITY, suite, dataset namespace, dataset name), whose
    statement's time is when the checks were run.
    """
    return Facts(assets=tuple(_build_check_attributes(checks, RESULTS)))


def build_expectation_facts(checks: Iterable[Check], consumer: AssetKey, needs: Iterable[AssetKey]) -> Facts:
    """What a suite or a file of checks expects of all its datasets: the content of a scope (CHECKS, suite).

    `needs`: the columns without which it fails. The suite consumes them, so that dropping one is reported.
    """
    used = tuple(EdgeFact(EdgeType.CONSUMES, consumer, column, {"purpose": "schema check"}) for column in dict.fromkeys(needs))
    suite = (AssetFact(consumer, {"consumer_type": "quality-checks"}),) if used else ()
    return Facts(assets=(*_build_check_attributes(checks, EXPECTATIONS), *suite), edges=used)


def _build_check_attributes(checks: Iterable[Check], attribute: str) -> Iterable[AssetFact]:
    """The checks by asset. The dataset is included even if only its columns are checked, so that it leads to all checks."""
    by_asset: dict[AssetKey, dict[str, Json]] = {}
    for check in checks:
        by_asset.setdefault(check.subject, {})[check.name] = {
            name: value
            for name, value in (
                ("kind", check.kind),
                ("outcome", None if check.outcome is Outcome.NOT_RUN else str(check.outcome)),
                ("suite", check.suite),
                ("expected", shorten_value(check.expected)),
                ("observed", shorten_value(check.observed)),
                ("message", check.message),
                ("at", check.at),
                ("labels", shorten_value(dict(check.labels)) if check.labels else None),
            )
            if value is not None
        }
    unchecked = {model.build_dataset_key(*key.parts[:2]) for key in by_asset} - by_asset.keys()
    return [*(AssetFact(key, {attribute: of_asset}) for key, of_asset in by_asset.items()), *(AssetFact(key, {}) for key in unchecked)]


def name_checks(checks: Iterable[Check], more: Iterable[str]) -> list[Check]:
    """The checks, with names that are unique on their asset. `more`: a text for each, which is added to a shared name; else a number is."""
    listed = list(checks)
    shared = _count_keys((check.subject, check.name) for check in listed)
    extended = [
        check._replace(name=f"{check.name} {extra}") if extra and shared[check.subject, check.name] > 1 else check
        for check, extra in zip(listed, more, strict=True)
    ]
    result: list[Check] = []
    seen: dict[tuple[AssetKey, str], int] = {}
    for check in extended:
        number = seen[check.subject, check.name] = seen.get((check.subject, check.name), 0) + 1
        result.append(check if number == 1 else check._replace(name=f"{check.name} #{number}"))
    return result


def _count_keys(keys: Iterable[tuple[AssetKey, str]]) -> dict[tuple[AssetKey, str], int]:
    counts: dict[tuple[AssetKey, str], int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return counts


def shorten_value(value: Json) -> Json:
    """A value unchanged, or if its JSON has more than LARGEST characters, their beginning as a text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = msgspec.json.encode(value).decode()
    return value if len(text) <= LARGEST else f"{text[:LARGEST]}…"


def extract_first_line(text: object) -> str | None:
    """The first line of a message, at most LONGEST characters; None if there is no message."""
    lines = str(text).strip().splitlines() if text else []
    return lines[0][:LONGEST] if lines else None
