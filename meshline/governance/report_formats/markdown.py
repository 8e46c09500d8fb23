"""A report as a comment on a pull request: a reviewer must be able to decide in ten seconds, and can unfold the details.

Names are data: they are escaped, so that they become neither markup, nor links, nor mentions of people.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from meshline.governance.report import Asset, Concern, Finding, Hit, Notice, Report, Violation
from meshline.governance.report_formats.presentation import (
    LONGEST_TEXT,
    VERDICTS,
    Names,
    collect_names,
    describe_outcome,
    describe_reach,
    describe_relation,
    describe_subject,
    explain_hit,
    format_headline,
    format_location,
    format_path,
    get_rule,
    is_waived,
    list_concerns,
    list_contacts,
    list_gaps,
    list_hits,
    list_jobs,
    list_uncertainties,
    rank_hit,
)
from meshline.words import format_count, make_printable, shorten_text

_MARKUP = re.compile(r"[\\`*_<>\[\]#|~&$!]")
_CALLS = re.compile(r"([@#]|://|www)")  # people, issues, addresses
_APART = "\N{ZERO WIDTH SPACE}"
_BACKTICKS = re.compile("`+")
_PIPE = re.compile(r"(\\*)\|")


def format_code(text: str) -> str:
    """A name as code."""
    text = make_printable(text) or " "
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0))
    room = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else ""
    return f"{fence}{room}{text}{room}{fence}"


def format_prose(text: str) -> str:
    """A sentence as Markdown: escaped, except for names in backticks, which become code."""
    parts = make_printable(text).split("`")
    if len(parts) % 2 == 0:
        return _escape_text("`".join(parts))
    return "".join(_escape_text(part) if place % 2 == 0 else format_code(part) for place, part in enumerate(parts))


def _escape_text(text: str) -> str:
    return _CALLS.sub(lambda found: f"{found[1]}{_APART}", _MARKUP.sub(lambda found: f"\\{found[0]}", text))


def format_row(*cells: str) -> str:
    """A row of a table. The cells are escaped already, except for pipes, which would end a cell."""
    return f"| {' | '.join(_PIPE.sub(_escape_pipe, cell) for cell in cells)} |"


def _escape_pipe(found: re.Match[str]) -> str:
    """Give the pipe an odd number of backslashes, so that it is escaped."""
    return f"{found[1]}|" if len(found[1]) % 2 else f"{found[1]}\\|"


T = TypeVar("T")

MARK = "<!-- meshline check -->"  # a program finds its earlier comment by this mark
LIMIT = 65_000  # of GitHub's 65,536 characters, counted as UTF-16 has them
ROOM = {"owners": 12_000, "recipients": 8_000, "lineage": 4_000, "uncertain": 6_000}  # of the limit; findings get the rest
MOST_HITS = 15  # of one finding
MOST_JOBS = 8  # of one path
MOST_OF_OWNER = 5  # consumers
LONGEST = 80  # characters of a name
WAIVER = (
    "\nTo accept a finding, add a waiver to `meshline-waivers.yaml`: the fingerprint of the finding, the reason, the approver"
    " and the last day on which the waiver is valid.\n"
)


def render_markdown(report: Report) -> str:
    """The whole comment. What exceeds GitHub's limit is counted instead of listed."""
    name = collect_names(report)
    head = f"{MARK}\n### {format_prose(format_headline(report))}\n\n{describe_outcome(report)}\n"
    owners = _format_owners(report, name)
    tail = (
        _format_recipients(report, name) + _format_lineage(report, name) + _format_uncertainties(report) + ("" if report.passed else WAIVER)
    )
    room = LIMIT - _size(head) - _size(owners) - _size(tail)
    return head + owners + _fit_items(list_concerns(report), lambda one: _format_concern(one, name), room) + tail


def _size(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _fit_items(
    found: Sequence[T], format_item: Callable[[T], str], room: int, more: str = "\nand {} more: `--format json` has all.\n"
) -> str:
    """As many items as there is room for, then the number of the others."""
    parts: list[str] = []
    room -= 100  # for the line with the number of the others
    for one in found:
        text = format_item(one)
        room -= _size(text)
        if room < 0:
            parts.append(more.format(f"{len(found) - len(parts):,}"))
            break
        parts.append(text)
    return "".join(parts)


def _format_owners(report: Report, name: Names) -> str:
    """A table of the owners of affected consumers, with the worst verdict of each."""
    by_owner: dict[str, list[Hit]] = {}
    people: dict[str, Asset] = {}
    for finding in report.findings:
        for hit in finding.hits:
            if finding.waived is None and hit.verdict != "compatible":
                for owner in hit.owners or (None,):
                    key = "" if owner is None else owner.id or owner.qualified_name
                    by_owner.setdefault(key, []).append(hit)
                    if owner is not None:
                        people[key] = owner
    if not by_owner:
        return ""
    order = sorted(by_owner, key=lambda key: (min(map(rank_hit, by_owner[key])), -len(by_owner[key]), key))
    reachable = {notice.recipient.id: list_contacts(notice) for notice in report.notify}
    head = "\n| owner | contact | affected consumers | verdict |\n| --- | --- | --- | --- |\n"
    rows = _fit_items(
        order,
        lambda key: _format_owner(people.get(key), reachable.get(key, []), by_owner[key], name),
        ROOM["owners"],
        "| and {} more | | | |\n",
    )
    return head + rows


def _format_owner(owner: Asset | None, reachable: Sequence[str], found: Sequence[Hit], name: Names) -> str:
    consumers: dict[str, Hit] = {}
    for hit in sorted(found, key=rank_hit):
        consumers.setdefault(name(hit.consumer), hit)
    shown = [
        f"{format_code(shorten_text(consumer, LONGEST))} ({describe_reach(hit)})"
        for consumer, hit in list(consumers.items())[:MOST_OF_OWNER]
    ]
    if len(consumers) > MOST_OF_OWNER:
        shown.append(f"and {len(consumers) - MOST_OF_OWNER:,} more")
    verdict = min((hit.verdict for hit in found), key=VERDICTS.index)
    who = format_code(shorten_text(name(owner), LONGEST)) if owner is not None else "no known owner"
    return format_row(who, _join_some(reachable, 3), ", ".join(shown), _format_verdict(verdict)) + "\n"


def _format_verdict(verdict: str) -> str:
    return f"**{verdict}**" if verdict == "breaking" else verdict


def _format_concern(concern: Concern, name: Names) -> str:
    at = format_location(concern)
    return (
        f"\n{_format_title(concern, name)}{f' ({format_code(at)})' if at else ''}\n\n"
        + "".join(_list_reasons(concern, name))
        + _format_details(concern, name)
    )


def _format_title(concern: Concern, name: Names) -> str:
    waived = "waived, " if is_waived(concern) else ""
    subject = f"{format_code(shorten_text(describe_subject(concern.subject), LONGEST))}: " if isinstance(concern, Finding) else ""
    subject = f"{format_code(shorten_text(name(concern.asset), LONGEST))}: " if isinstance(concern, Violation) else subject
    return f"**{waived}{concern.verdict}** {subject}{format_prose(shorten_text(concern.text, LONGEST_TEXT))}"


def _list_reasons(concern: Concern, name: Names) -> Iterator[str]:
    if isinstance(concern, Finding | Violation) and concern.waived is not None:
        waived = concern.waived
        reason = format_prose(shorten_text(waived.reason, LONGEST_TEXT))
        yield f"- waived by {format_code(shorten_text(waived.approver, LONGEST))} until {waived.expires}: {reason}\n"
    if not isinstance(concern, Finding):
        return
    if concern.verdict != "compatible":
        yield f"- Why: {format_prose(shorten_text(concern.reason, LONGEST_TEXT))}\n"
        if concern.safe:
            yield f"- To make it safe: {format_prose(shorten_text(concern.safe, LONGEST_TEXT))}\n"
    for title, assets in (("products", concern.products), ("contracts", concern.contracts)):
        if assets:
            yield f"- {title}: {_join_some([name(asset) for asset in assets])}\n"


def _format_details(concern: Concern, name: Names) -> str:
    """The folded part: the affected consumers with their paths, and the fingerprint for a waiver."""
    parts = [f"{format_prose(get_rule(concern))}, fingerprint {format_code(concern.fingerprint)}\n"]
    title = "rule and fingerprint"
    if isinstance(concern, Finding) and concern.hits:
        found = list_hits(concern)
        masked = sum(hit.masked for hit in found)
        clear = len(found) - masked
        title = f"{format_count(len(found), 'consumer')}, and by which path" + (f": {clear} unmasked, {masked} masked" if masked else "")
        parts = [*(_format_hit(concern, hit, name) for hit in found[:MOST_HITS]), *parts]
        if len(found) > MOST_HITS:
            parts.insert(MOST_HITS, f"- and {len(found) - MOST_HITS:,} more\n")
        parts[-1] = f"\n{parts[-1]}"
    if isinstance(concern, Violation) and concern.path:
        title, parts = "the path", [f"{format_code(format_path(concern.path, name))}\n\n", *parts]
    return f"\n<details><summary>{title}</summary>\n\n{''.join(parts)}\n</details>\n"


def _format_hit(finding: Finding, hit: Hit, name: Names) -> str:
    owners = f" of {_join_some([name(owner) for owner in hit.owners])}" if hit.owners else ""
    contract = f", under {format_code(shorten_text(hit.contract, LONGEST))}" if hit.contract else ""
    read = f", last read {hit.last_read}" if hit.last_read else ""
    more = f": {format_prose(because)}" if (because := explain_hit(finding, hit)) else ""
    path = f"\n  - {format_code(format_path(hit.path, name))}" if hit.path else ""
    if by := list_jobs(hit.path, name):
        path += f" by {_join_some(by, MOST_JOBS)}"
    consumer = format_code(shorten_text(name(hit.consumer), LONGEST))
    return f"- {consumer}{owners}: {_format_verdict(hit.verdict)}, {describe_reach(hit)}{contract}{read}{more}{path}\n"


def _format_recipients(report: Report, name: Names) -> str:
    if not report.notify:
        return ""
    head = f"\n<details><summary>Recipients ({len(report.notify):,})</summary>\n\n| recipient | why | contact |\n| --- | --- | --- |\n"
    rows = _fit_items(report.notify, lambda notice: _format_notice(notice, name), ROOM["recipients"], "| and {} more | | |\n")
    return f"{head}{rows}\n</details>\n"


def _format_notice(notice: Notice, name: Names) -> str:
    about = f"{format_prose(describe_relation(notice))} {_join_some([name(asset) for asset in notice.assets])}"
    return format_row(format_code(shorten_text(name(notice.recipient), LONGEST)), about, _join_some(list_contacts(notice), 3)) + "\n"


def _format_lineage(report: Report, name: Names) -> str:
    since = report.lineage
    if since is None:
        return ""
    title = f"Lineage since {format_prose(since.since)}: {since.added:,} added, {since.removed:,} removed"
    flows = _fit_items(
        since.flows,
        lambda flow: f"- {flow.change} {format_code(f'{name(flow.start)} > {name(flow.end)}')}\n",
        ROOM["lineage"],
        "- and {} more\n",
    )
    return f"\n<details><summary>{title}</summary>\n\n{flows}\n</details>\n"


def _format_uncertainties(report: Report) -> str:
    texts = list(dict.fromkeys([*(gap for finding in report.findings for gap in list_gaps(finding)), *list_uncertainties(report)]))
    if not texts:
        return ""
    return "\n**Not certain**\n\n" + _fit_items(
        texts, lambda text: f"- {format_prose(text) or '?'}\n", ROOM["uncertain"], "- and {} more\n"
    )


def _join_some(texts: Sequence[str], most: int = 4) -> str:
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(format_code(shorten_text(text, LONGEST)) for text in texts[:most]) + more
