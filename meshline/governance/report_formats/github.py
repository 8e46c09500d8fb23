"""A report as commands to GitHub Actions, which shows them beside the lines of the files, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from meshline.governance.report import Concern, Finding, Report, Violation
from meshline.governance.report_formats.presentation import (
    LONGEST_TEXT,
    Names,
    collect_names,
    describe_concern,
    describe_outcome,
    describe_reach,
    describe_unchecked,
    format_headline,
    get_rule,
    is_failing,
    is_waived,
    list_concerns,
    list_hits,
    list_uncertainties,
)
from meshline.words import make_printable, shorten_text

MOST = 10  # of one kind: GitHub shows no more of a step
MOST_HITS = 10


def format_commands(report: Report) -> Iterator[str]:
    """One command for each concern that matters, the worst first, then the verdict."""
    name = collect_names(report)
    shown: Counter[str] = Counter()
    for concern in list_concerns(report):
        level = _choose_level(report, concern)
        if not level:
            continue
        shown[level] += 1
        if shown[level] <= MOST:
            yield f"::{level} {_format_properties(concern)}::{_escape_data(_format_message(report, concern, name))}"
    for level, number in shown.items():
        if number > MOST:
            yield f"and {number - MOST:,} more of the level {level}: --format json has all"
    yield _escape_line(format_headline(report))
    yield describe_outcome(report)
    yield from (_escape_line(f"not certain: {text}") for text in list_uncertainties(report))


def _choose_level(report: Report, concern: Concern) -> str:
    """What is compatible is not shown."""
    if is_waived(concern):
        return "notice"
    if is_failing(report, concern):
        return "error"
    return "" if concern.verdict == "compatible" else "warning"


def _format_properties(concern: Concern) -> str:
    properties = {"title": f"{'waived, ' if is_waived(concern) else ''}{concern.verdict}: {get_rule(concern)}"}
    if not isinstance(concern, Violation) and concern.file:
        properties = {"file": concern.file, **({"line": str(concern.line)} if concern.line else {}), **properties}
    return ",".join(f"{key}={_escape_property(value)}" for key, value in properties.items())


def _format_message(report: Report, concern: Concern, name: Names) -> str:
    lines = [describe_concern(concern) + describe_unchecked(report, concern)]
    if isinstance(concern, Finding):
        lines.append(shorten_text(concern.reason, LONGEST_TEXT))
        found = list_hits(concern)
        lines += [f"hits {name(hit.consumer)} ({describe_reach(hit)})" for hit in found[:MOST_HITS]]
        lines += [f"and {len(found) - MOST_HITS:,} more"] if len(found) > MOST_HITS else []
        lines += [f"safe: {shorten_text(concern.safe, LONGEST_TEXT)}"] if concern.safe else []
    return "\n".join([*lines, f"fingerprint {concern.fingerprint}"])


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(make_printable(text)).replace(":", "%3A").replace(",", "%2C")


def _escape_line(text: str) -> str:
    """A line of the log in which nothing is a command of the old kind, which may stand anywhere."""
    return text.replace("##[", "## [")
