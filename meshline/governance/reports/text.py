"""A report as text: the verdict first, what is not certain last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from meshline.governance.report import Concern, Finding, Hit, Notice, Report, Violation
from meshline.governance.reports.presentation import (
    LONGEST_NAME,
    LONGEST_TEXT,
    Names,
    concerned,
    concerns_of,
    contacts,
    gaps,
    headline,
    hits,
    is_waived,
    jobs,
    names,
    outcome,
    reached,
    route,
    rule_of,
    told,
    uncertain,
    way,
    where,
    why,
)
from meshline.words import format_count, shorten_text

MOST = 100  # of anything that is listed; the JSON has all
MOST_HITS = 20  # of one finding
STYLES = {"breaking": "bold red", "conditional": "bold yellow", "compatible": "green"}


class Line(NamedTuple):
    """A line of text, and how a terminal shows it (a rich style)."""

    text: str
    style: str = ""


def lines(report: Report) -> Iterator[Line]:
    """The whole report. No line begins with what somebody else has named, so that none is a command to a CI system."""
    name = names(report)
    yield Line(headline(report), STYLES[report.verdict])
    yield Line(outcome(report))
    found = concerns_of(report)
    for concern in found[:MOST]:
        yield Line("")
        yield from _concern(concern, name)
    yield from _more(len(found) - MOST, "")
    yield from _tell(report.notify, name)
    yield from _lineage(report, name)
    yield from _section("NOT CERTAIN", [Line(f"  ! {text}", "yellow") for text in uncertain(report)])


def _concern(concern: Concern, name: Names) -> Iterator[Line]:
    verdict = f"WAIVED ({concern.verdict})" if is_waived(concern) else concern.verdict.upper()
    yield Line(f"{verdict}  {told(concern)}", "dim" if is_waived(concern) else STYLES[concern.verdict])
    at = where(concern)
    yield Line(f"  {rule_of(concern)}  {concern.fingerprint}{f'  {at}' if at else ''}", "dim")
    if isinstance(concern, Finding):
        yield from _finding(concern, name)
    elif isinstance(concern, Violation):
        yield from _violation(concern, name)


def _finding(finding: Finding, name: Names) -> Iterator[Line]:
    yield Line(f"  why   {shorten_text(finding.reason, LONGEST_TEXT)}")
    if finding.safe and finding.verdict != "compatible":
        yield Line(f"  safe  {shorten_text(finding.safe, LONGEST_TEXT)}")
    yield from _waived(finding)
    found = hits(finding)
    shown = found[:MOST_HITS]
    for title, masked in (("hits", False), ("hits, masked", True)):
        group = [hit for hit in shown if hit.masked is masked]
        if group:
            yield Line(f"  {title}")
            yield from _hits(finding, group, name)
    yield from _more(len(found) - MOST_HITS, "    ")
    for title, assets in (("products", finding.products), ("contracts", finding.contracts), ("owned by", finding.owners)):
        if assets:
            yield Line(f"  {title:9} {_some([name(asset) for asset in assets])}")
    if behind := reached(finding):
        yield Line(f"  reaches   {', '.join(behind)}")
    yield from (Line(f"  ! {gap}", "yellow") for gap in gaps(finding)[:MOST_HITS])


def _hits(finding: Finding, found: Sequence[Hit], name: Names) -> Iterator[Line]:
    width = max(len(name(hit.consumer)) for hit in found)
    for hit in found:
        said = [f"- {name(hit.consumer):{width}}  {hit.verdict:11}  {way(hit)}"]
        if hit.owners:
            said.append(f"of {_some([name(owner) for owner in hit.owners])}")
        if hit.contract:
            said.append(f"under {shorten_text(hit.contract, LONGEST_NAME)}")
        yield Line("    " + "  ".join(said), STYLES[hit.verdict].removeprefix("bold "))
        if text := why(finding, hit):
            yield Line(f"        {text}")
        if path := route(hit.path, name):
            yield Line(f"        path {path}", "dim")
        if by := jobs(hit.path, name):
            yield Line(f"        by   {' > '.join(by)}", "dim")


def _violation(violation: Violation, name: Names) -> Iterator[Line]:
    new = "the change brings it" if violation.new else "it is there today"
    yield Line(f"  at    {name(violation.asset)}: {violation.severity}, {new}")
    yield from _waived(violation)
    if violation.path:
        yield Line(f"  path  {route(violation.path, name)}", "dim")


def _waived(concern: Finding | Violation) -> Iterator[Line]:
    if concern.waived is not None:
        by, why = shorten_text(concern.waived.approver, LONGEST_NAME), shorten_text(concern.waived.reason, LONGEST_TEXT)
        yield Line(f"  waived by {by} until {concern.waived.expires}: {why}")


def _tell(notify: Sequence[Notice], name: Names) -> Iterator[Line]:
    said = [Line(f"  - {name(notice.recipient)}{_contacts(notice)} {_about(notice, name)}") for notice in notify[:MOST]]
    yield from _section("TELL", [*said, *_more(len(notify) - MOST, "  ")])


def _about(notice: Notice, name: Names) -> str:
    return f"{concerned(notice)} {_some([name(asset) for asset in notice.assets])}".rstrip()


def _contacts(notice: Notice) -> str:
    known = contacts(notice)
    return f" ({_some(known)})" if known else ""


def _lineage(report: Report, name: Names) -> Iterator[Line]:
    since = report.lineage
    if since is None:
        return
    flows = [
        f"  {flow.change}  {name(flow.start)} > {name(flow.end)}{f' (by {name(flow.job)})' if flow.job is not None else ''}"
        for flow in since.flows[:MOST_HITS]
    ]
    counts = f"  {format_count(since.added, 'flow')} added, {since.removed} removed"
    lines = [Line(text) for text in (counts, *dict.fromkeys(flows))]  # flows that differ only in their kind look alike
    yield from _section(f"LINEAGE SINCE {since.since}", [*lines, *_more(since.added + since.removed - len(flows), "  ")])


def _section(title: str, said: Sequence[Line]) -> Iterator[Line]:
    if said:
        yield Line("")
        yield Line(title, "bold")
        yield from said


def _more(hidden: int, indent: str) -> Iterator[Line]:
    if hidden > 0:
        yield Line(f"{indent}and {hidden:,} more: --format json has all", "dim")


def _some(texts: Sequence[str] | Iterable[str], most: int = 6) -> str:
    shown = list(texts)
    more = f" and {len(shown) - most:,} more" if len(shown) > most else ""
    return ", ".join(shorten_text(text, LONGEST_NAME) for text in shown[:most]) + more
