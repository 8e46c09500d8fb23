"""A report as text: the verdict first, what is not certain last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from meshline.governance.report import Concern, Finding, Hit, Notice, Report, Violation
from meshline.governance.report_formats.presentation import (
    LONGEST_NAME,
    LONGEST_TEXT,
    Names,
    collect_names,
    describe_concern,
    describe_outcome,
    describe_reach,
    describe_relation,
    explain_hit,
    format_headline,
    format_location,
    format_path,
    get_rule,
    is_waived,
    list_affected,
    list_concerns,
    list_contacts,
    list_gaps,
    list_hits,
    list_jobs,
    list_uncertainties,
)
from meshline.words import format_count, shorten_text

MOST = 100  # of anything that is listed; the JSON has all
MOST_HITS = 20  # of one finding
STYLES = {"breaking": "bold red", "conditional": "bold yellow", "compatible": "green"}


class Line(NamedTuple):
    """A line of text, and how a terminal shows it (a rich style)."""

    text: str
    style: str = ""


def format_lines(report: Report) -> Iterator[Line]:
    """The whole report. No line begins with a name from the input, so that none is a command to a CI system."""
    name = collect_names(report)
    yield Line(format_headline(report), STYLES[report.verdict])
    yield Line(describe_outcome(report))
    found = list_concerns(report)
    for concern in found[:MOST]:
        yield Line("")
        yield from _format_concern(concern, name)
    yield from _format_more(len(found) - MOST, "")
    yield from _format_recipients(report.notify, name)
    yield from _format_lineage(report, name)
    yield from _format_section("NOT CERTAIN", [Line(f"  ! {text}", "yellow") for text in list_uncertainties(report)])


def _format_concern(concern: Concern, name: Names) -> Iterator[Line]:
    verdict = f"WAIVED ({concern.verdict})" if is_waived(concern) else concern.verdict.upper()
    yield Line(f"{verdict}  {describe_concern(concern)}", "dim" if is_waived(concern) else STYLES[concern.verdict])
    at = format_location(concern)
    yield Line(f"  {get_rule(concern)}  {concern.fingerprint}{f'  {at}' if at else ''}", "dim")
    if isinstance(concern, Finding):
        yield from _format_finding(concern, name)
    elif isinstance(concern, Violation):
        yield from _format_violation(concern, name)


def _format_finding(finding: Finding, name: Names) -> Iterator[Line]:
    yield Line(f"  why   {shorten_text(finding.reason, LONGEST_TEXT)}")
    if finding.safe and finding.verdict != "compatible":
        yield Line(f"  safe  {shorten_text(finding.safe, LONGEST_TEXT)}")
    yield from _format_waiver(finding)
    found = list_hits(finding)
    shown = found[:MOST_HITS]
    for title, masked in (("hits", False), ("hits, masked", True)):
        group = [hit for hit in shown if hit.masked is masked]
        if group:
            yield Line(f"  {title}")
            yield from _format_hits(finding, group, name)
    yield from _format_more(len(found) - MOST_HITS, "    ")
    for title, assets in (("products", finding.products), ("contracts", finding.contracts), ("owned by", finding.owners)):
        if assets:
            yield Line(f"  {title:9} {_join_some([name(asset) for asset in assets])}")
    if behind := list_affected(finding):
        yield Line(f"  reaches   {', '.join(behind)}")
    yield from (Line(f"  ! {gap}", "yellow") for gap in list_gaps(finding)[:MOST_HITS])


def _format_hits(finding: Finding, found: Sequence[Hit], name: Names) -> Iterator[Line]:
    width = max(len(name(hit.consumer)) for hit in found)
    for hit in found:
        parts = [f"- {name(hit.consumer):{width}}  {hit.verdict:11}  {describe_reach(hit)}"]
        if hit.owners:
            parts.append(f"of {_join_some([name(owner) for owner in hit.owners])}")
        if hit.contract:
            parts.append(f"under {shorten_text(hit.contract, LONGEST_NAME)}")
        if hit.last_read:
            parts.append(f"last read {hit.last_read}")
        yield Line("    " + "  ".join(parts), STYLES[hit.verdict].removeprefix("bold "))
        if text := explain_hit(finding, hit):
            yield Line(f"        {text}")
        if path := format_path(hit.path, name):
            yield Line(f"        path {path}", "dim")
        if by := list_jobs(hit.path, name):
            yield Line(f"        by   {' > '.join(by)}", "dim")


def _format_violation(violation: Violation, name: Names) -> Iterator[Line]:
    new = "introduced by the change" if violation.new else "present before the change"
    yield Line(f"  at    {name(violation.asset)}: {violation.severity}, {new}")
    yield from _format_waiver(violation)
    if violation.path:
        yield Line(f"  path  {format_path(violation.path, name)}", "dim")


def _format_waiver(concern: Finding | Violation) -> Iterator[Line]:
    if concern.waived is not None:
        by, why = shorten_text(concern.waived.approver, LONGEST_NAME), shorten_text(concern.waived.reason, LONGEST_TEXT)
        yield Line(f"  waived by {by} until {concern.waived.expires}: {why}")


def _format_recipients(notify: Sequence[Notice], name: Names) -> Iterator[Line]:
    shown = [Line(f"  - {name(notice.recipient)}{_format_contacts(notice)} {_format_relation(notice, name)}") for notice in notify[:MOST]]
    yield from _format_section("NOTIFY", [*shown, *_format_more(len(notify) - MOST, "  ")])


def _format_relation(notice: Notice, name: Names) -> str:
    return f"{describe_relation(notice)} {_join_some([name(asset) for asset in notice.assets])}".rstrip()


def _format_contacts(notice: Notice) -> str:
    known = list_contacts(notice)
    return f" ({_join_some(known)})" if known else ""


def _format_lineage(report: Report, name: Names) -> Iterator[Line]:
    since = report.lineage
    if since is None:
        return
    flows = [
        f"  {flow.change}  {name(flow.start)} > {name(flow.end)}{f' (by {name(flow.job)})' if flow.job is not None else ''}"
        for flow in since.flows[:MOST_HITS]
    ]
    counts = f"  {format_count(since.added, 'flow')} added, {since.removed} removed"
    lines = [Line(text) for text in (counts, *dict.fromkeys(flows))]  # flows that differ only in their kind look alike
    yield from _format_section(f"LINEAGE SINCE {since.since}", [*lines, *_format_more(since.added + since.removed - len(flows), "  ")])


def _format_section(title: str, shown: Sequence[Line]) -> Iterator[Line]:
    if shown:
        yield Line("")
        yield Line(title, "bold")
        yield from shown


def _format_more(hidden: int, indent: str) -> Iterator[Line]:
    if hidden > 0:
        yield Line(f"{indent}and {hidden:,} more: --format json has all", "dim")


def _join_some(texts: Sequence[str] | Iterable[str], most: int = 6) -> str:
    shown = list(texts)
    more = f" and {len(shown) - most:,} more" if len(shown) > most else ""
    return ", ".join(shorten_text(text, LONGEST_NAME) for text in shown[:most]) + more
