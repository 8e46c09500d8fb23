"""The order of a report's parts and the phrases that several formats share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from meshline.governance.changes import SubjectKind
from meshline.governance.report import (
    Asset,
    Concern,
    Finding,
    HiddenViolations,
    Hit,
    Notice,
    Report,
    Step,
    Subject,
    Violation,
    WaiverProblem,
)
from meshline.governance.report_formats.completeness_text import describe_gaps, describe_hidden
from meshline.words import format_count, is_or_are, shorten_text

VERDICTS = ("breaking", "conditional", "compatible")
_REACHES = {"BOUND": "by promise", "DIRECT": "directly", "INDIRECT": "indirectly", "POSSIBLE": "possibly"}
_ORDER = {reach: place for place, reach in enumerate(_REACHES)}
_VERBS = {"CONSUMES": "uses", "OWNS": "owns"}
UNCHECKED = "consumers were not checked (--no-graph)"
LONGEST_NAME = 160  # characters of a name that people are shown
LONGEST_TEXT = 600  # of a sentence
LONGEST_ROUTE = 1200  # of a path
MOST_STEPS = 12  # of a path


class Names:
    """The short names of assets: without the namespace, unless another of these has that name too."""

    def __init__(self, assets: Iterable[Asset]) -> None:
        full_names: dict[str, set[str]] = {}
        for asset in assets:
            full_names.setdefault(_get_short_name(asset), set()).add(asset.qualified_name)
        self._shared = {name for name, full in full_names.items() if len(full) > 1}

    def __call__(self, asset: Asset) -> str:
        name = _get_short_name(asset)
        return shorten_text(asset.qualified_name if name in self._shared else name, LONGEST_NAME)


def _get_short_name(asset: Asset) -> str:
    """Of a column `dataset.column`, of others the name."""
    ending = f".{asset.name}"
    if asset.kind.upper() != "COLUMN" or not asset.qualified_name.endswith(ending):
        return asset.name or asset.qualified_name
    return asset.qualified_name.removesuffix(ending).rpartition("/")[2] + ending


def collect_names(report: Report) -> Names:
    """For all assets of a report."""
    return Names(_list_assets(report))


def _list_assets(report: Report) -> Iterator[Asset]:
    for finding in report.findings:
        yield from (*finding.products, *finding.contracts, *finding.owners)
        for hit in finding.hits:
            yield from (hit.consumer, *hit.owners)
            yield from _list_path_assets(hit.path)
    for violation in report.violations:
        yield violation.asset
        yield from _list_path_assets(violation.path)
    for notice in report.notify:
        yield from (notice.recipient, *notice.assets)


def _list_path_assets(path: Iterable[Step]) -> Iterator[Asset]:
    for step in path:
        yield step.asset
        if step.job is not None:
            yield step.job


def format_headline(report: Report) -> str:
    """The verdict with its reasons, as one sentence."""
    if not (report.findings or report.violations or report.hidden_violations or report.waivers):
        # A warning may name an input that was not compared, and some people read only the first line.
        what = "was compared" if report.warnings else "matters"
        warned = f", {format_count(len(report.warnings), 'warning')}" if report.warnings else ""
        unasked = "" if report.consumers_checked else f"; {UNCHECKED}"
        return f"COMPATIBLE: nothing that {what} has changed ({format_count(report.checked, 'input')} compared{warned}){unasked}."
    kinds: tuple[tuple[str, Iterable[str]], ...] = (
        ("change", _list_verdicts(report.findings)),
        ("policy violation", _list_verdicts(report.violations)),
        ("further policy violation", [one.verdict for one in report.hidden_violations for _ in range(one.count)]),
        ("waiver problem", _list_verdicts(report.waivers)),
    )
    parts = [part for noun, verdicts in kinds if (part := _format_counts(noun, verdicts))]
    found = list_concerns(report)
    if waived := sum(map(is_waived, found)):
        parts.append(f"{waived} waived")
    worst = [describe_concern(one) for one in found[:1] if report.verdict != VERDICTS[-1] and one.verdict == report.verdict]
    counts = [", ".join(parts)] if len(found) > 1 or report.hidden_violations or not worst else []
    asked = any(finding.waived is None for finding in report.findings) or not report.consumers_checked
    hit = [_format_consumers(report)] if asked else []
    return f"{report.verdict.upper()}: {'; '.join([*worst, *counts, *hit])}."


def _list_verdicts(concerns: Iterable[Concern]) -> list[str]:
    """Of those that are not waived."""
    return [one.verdict for one in concerns if not is_waived(one)]


def _format_counts(noun: str, verdicts: Iterable[str]) -> str:
    """`2 breaking changes`, `3 changes (1 breaking, 2 conditional)`."""
    found = Counter(verdicts)
    parts = [f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict]]
    if len(parts) > 1:
        return f"{format_count(found.total(), noun)} ({', '.join(parts)})"
    return format_count(found.total(), f"{next(iter(found))} {noun}") if parts else ""


def _format_consumers(report: Report) -> str:
    """The number of consumers that unwaived, incompatible findings affect; and the subjects whose consumers are unknown."""
    if not report.consumers_checked:
        return UNCHECKED
    hit: dict[str, bool] = {}
    for finding in report.findings:
        if finding.waived is None:
            for one in finding.hits:
                if one.verdict != "compatible":
                    key = one.consumer.id or one.consumer.qualified_name
                    hit[key] = hit.get(key, True) and one.masked
    unmatched = list(dict.fromkeys(describe_subject(one.subject) for one in report.findings if one.waived is None and one.unknown))
    unknown = (
        f"consumers of {unmatched[0]}{f' and {len(unmatched) - 1:,} more' if len(unmatched) > 1 else ''} are unknown" if unmatched else ""
    )
    hidden = sum(one.hidden_hits for one in report.findings if one.waived is None and one.verdict != VERDICTS[-1])
    if hidden:
        unknown = "; ".join(filter(None, ("further consumers that you may not see are hit", unknown)))
    if not hit:
        return unknown or ("no consumer is hit" if not is_incomplete(report) else "no consumer is known to be hit")
    masked = sum(hit.values())
    more = (
        "" if not masked else ", all of them by masked values only" if masked == len(hit) else f", {masked} of them by masked values only"
    )
    return f"{format_count(len(hit), 'consumer')} hit{more}" + (f"; {unknown}" if unknown else "")


def describe_unchecked(report: Report, concern: Concern) -> str:
    """A note that the consumers of a finding were not checked or are unknown, for formats that show a finding by itself."""
    if not isinstance(concern, Finding):
        return ""
    if not report.consumers_checked:
        return f"; {UNCHECKED}"
    return "; consumers are unknown" if concern.unknown else ""


def is_incomplete(report: Report) -> bool:
    """Whether the report may be missing consumers."""
    return bool(describe_gaps(report.completeness) or any(list_gaps(finding) for finding in report.findings if finding.waived is None))


def describe_outcome(report: Report) -> str:
    """Whether the check passes, and by which mode and profile, or which mode of compatibility."""
    decided = f"compatibility {report.compatibility}" if report.compatibility else f"mode {report.mode}, profile {report.profile}"
    measure = f"{decided}, fails on {report.fail_on}"
    return f"{'Passed' if report.passed else 'Failed'} ({measure})."


def list_concerns(report: Report) -> tuple[Concern, ...]:
    """All that is found: what counts and is worst first, and of that what hits a consumer; what is waived last."""
    found: list[Concern] = [*report.findings, *report.violations, *report.waivers]
    return tuple(sorted(found, key=lambda one: (is_waived(one), VERDICTS.index(one.verdict), not isinstance(one, Finding) or not one.hits)))


def is_waived(concern: Concern) -> bool:
    return not isinstance(concern, WaiverProblem) and concern.waived is not None


def is_failing(report: Report, concern: Concern) -> bool:
    """Whether this finding, violation or problem makes the check fail."""
    return not is_waived(concern) and is_failure(report, concern.verdict)


def is_failure(report: Report, verdict: str) -> bool:
    """Whether a verdict makes the check fail."""
    return report.fail_on in VERDICTS and VERDICTS.index(verdict) <= VERDICTS.index(report.fail_on)


def get_rule(concern: Concern) -> str:
    """The id of the rule; `policy/` and the id of the policy; `waiver-expired` or `waiver-unused`."""
    if isinstance(concern, Finding):
        return concern.rule
    return f"policy/{concern.policy}" if isinstance(concern, Violation) else f"waiver-{concern.problem}"


def describe_subject(subject: Subject) -> str:
    """The subject of a change, e.g. `contract orders-v2, model orders`; a table without its namespace."""
    name = subject.name.rpartition("/")[2] if subject.kind is SubjectKind.TABLE else subject.name
    model = f", model {subject.part[1]}" if subject.part[:1] == ("model",) and len(subject.part) > 1 else ""
    return shorten_text(f"{subject.kind} {name}{model}", LONGEST_NAME)


def format_location(concern: Concern) -> str:
    """`file:line`, as far as it is known."""
    if isinstance(concern, Violation) or not concern.file:
        return ""
    return shorten_text(f"{concern.file}:{concern.line}" if concern.line else concern.file, LONGEST_NAME)


def describe_concern(concern: Concern) -> str:
    """What is wrong, after the subject of a change."""
    if isinstance(concern, Finding):
        return f"{describe_subject(concern.subject)}: {shorten_text(concern.text, LONGEST_TEXT)}"
    return shorten_text(concern.text, LONGEST_TEXT)


def list_hits(finding: Finding) -> list[Hit]:
    """The affected consumers: those with unmasked values first; then the worst and the most certain first."""
    return sorted(finding.hits, key=lambda hit: (hit.masked, *rank_hit(hit), hit.distance, hit.consumer.name))


def rank_hit(hit: Hit) -> tuple[int, bool, int]:
    """The sort key of a hit: the worst and the most certain first."""
    return VERDICTS.index(hit.verdict), hit.masked, _ORDER.get(hit.reach, len(_ORDER))


def format_path(path: Sequence[Step], name: Names) -> str:
    """The assets of a path, as one line; without the consumer at its end."""
    parts = [_format_step(step, name) for step in path if step.asset.kind.upper() != "CONSUMER"]
    if len(parts) > MOST_STEPS:
        half = MOST_STEPS // 2
        parts[half:-half] = [f"... {len(parts) - 2 * half} more ..."]
    return shorten_text(" > ".join(parts), LONGEST_ROUTE)


def _format_step(step: Step, name: Names) -> str:
    through = f"({format_count(step.hidden, 'asset')} that you may not see) > " if step.hidden else ""
    return f"{through}{name(step.asset)}{' (masked)' if step.masking else ''}"


def list_jobs(path: Sequence[Step], name: Names) -> list[str]:
    """The jobs on a path, in order."""
    return list(dict.fromkeys(name(step.job) for step in path if step.job is not None))


def describe_relation(notice: Notice) -> str:
    """A phrase for how a recipient is affected: the part before the assets, or all of it if the notice names none."""
    return _VERBS.get(notice.reason.upper(), "is concerned by") if notice.assets else shorten_text(notice.why, LONGEST_TEXT)


def list_gaps(finding: Finding) -> list[str]:
    """Why the affected consumers are uncertain."""
    unknown = [f"the graph does not contain {name}: its readers are unknown" for name in finding.unknown]
    return [shorten_text(text, LONGEST_TEXT) for text in finding.gaps or unknown]


def list_contacts(notice: Notice) -> list[str]:
    """The contacts of a recipient, each once."""
    known = dict.fromkeys(value for kind, value in notice.contacts.items() if kind != "contact" and value)
    return list(known) or [value for value in notice.contacts.values() if value]


def describe_reach(hit: Hit) -> str:
    """How a consumer is affected."""
    return _REACHES.get(hit.reach, hit.reach.lower()) + (", masked" if hit.masked else "")


def explain_hit(finding: Finding, hit: Hit) -> str:
    """What adjusted the verdict of a hit, if the finding does not state it."""
    return "" if hit.why in finding.reason else shorten_text(hit.why, LONGEST_TEXT)


def list_affected(finding: Finding) -> list[str]:
    """`12 columns`, `1 dataset`: the affected assets by kind."""
    return [f"{number:,} {noun.removesuffix('s') if number == 1 else noun}" for noun, number in finding.affected.items() if number]


def describe_hidden_violations(hidden: HiddenViolations) -> str:
    """That violations of a policy are not listed, and why."""
    found = format_count(hidden.count, f"{hidden.verdict} violation")
    return f"{found} of {hidden.policy} {is_or_are(hidden.count)} of assets that you may not see and not listed."


def list_uncertainties(report: Report) -> list[str]:
    """What is uncertain about the whole report."""
    unknown = [] if report.consumers_checked else [f"{UNCHECKED.capitalize()}: who is hit, and by which path, is unknown."]
    hidden = describe_hidden(report.completeness.hidden)
    hidden += [describe_hidden_violations(one) for one in report.hidden_violations]
    return [*unknown, *hidden, *describe_gaps(report.completeness), *(shorten_text(text, LONGEST_TEXT) for text in report.warnings)]
