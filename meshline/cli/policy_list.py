"""Policies, and what breaks them, as lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from meshline.cli.answers import Answers, question
from meshline.cli.listing import table
from meshline.cli.terminal import Line
from meshline.errors import NotFound
from meshline.graph.model import Json
from meshline.words import closest, counted

PAGE = 500
_STYLES = {"error": "red", "warning": "yellow", "info": "dim"}


def listed(source: Answers, policy: str | None) -> list[Json]:
    """All policies, or one. Raises NotFound."""
    found: Any = source.ask(question("policies"), {})["policies"]
    chosen = [one for one in found if policy in (None, one["id"])]
    if not chosen:
        raise NotFound(f"there is no policy {policy!r}{closest(str(policy), [one['id'] for one in found])}; `meshline policies` lists them")
    return chosen


def violated(source: Answers, policy: str | None, severity: str | None = None) -> Iterator[Json]:
    """What breaks them, of one severity or of all, the worst first, a page at a time."""
    after: str | None = None
    while True:
        found: Any = source.ask(question("violations"), {"policy": policy, "severity": severity, "first": PAGE, "after": after})[
            "policyViolations"
        ]
        yield from found["nodes"]
        if not found["pageInfo"]["hasNextPage"]:
            return
        after = found["pageInfo"]["endCursor"]


def severe(one: Any) -> bool:
    """Whether a violation is of a severity that must not be."""
    return bool(one["severity"] == "error")


def told(found: Sequence[Any], *, violations: bool) -> Iterator[Line]:
    """As a person reads them."""
    if not violations:
        rows = [(one["id"], one["severity"].lower(), one["kind"], _count(one), one["title"]) for one in found]
        yield from table([("policy", "severity", "about", "broken", "what is wrong then"), *rows])
        return
    groups = [(policy, list(group)) for policy, group in groupby(found, key=itemgetter("policy"))]
    for policy, broken in groups:
        if len(groups) > 1:
            yield Line(f"{policy}: {counted(len(broken), 'violation')}", "bold")
        for one in broken:
            yield Line(f"{one['severity']}: {one['text']}", _STYLES[one["severity"]])
            yield Line(f"  {one['policy']} {one['fingerprint']}", "dim")
            if len(one["path"]) > 1:
                yield Line(f"  {' -> '.join(map(_step, one['path']))}", "dim")
    yield Line(_sum(found), "bold")


def _count(one: Mapping[str, Any]) -> str:
    return "off" if one["off"] else str(one["violations"])


def _step(step: Mapping[str, Any]) -> str:
    return f"{step['name']} (masked)" if step["masking"] else str(step["name"])


def _sum(found: Sequence[Mapping[str, Any]]) -> str:
    counts = [(severity, sum(one["severity"] == severity for one in found)) for severity in _STYLES]
    said = ", ".join(f"{count} of severity {severity}" for severity, count in counts if count)
    return f"{len(found)} violations: {said}" if len(found) > 1 else f"1 violation: {said}" if found else "no policy is broken"
