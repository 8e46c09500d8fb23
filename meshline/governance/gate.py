"""The gate: from changes and the graph to the report: whether they may ship, which consumers they affect, who is notified."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from meshline.governance.changes import Change, Subject, SubjectKind
from meshline.governance.findings import AssessedChange, assess_changes
from meshline.governance.recipients import list_notices
from meshline.governance.report import Finding, LineageChange, LineageSince, Report
from meshline.governance.report_values import build_asset, merge_completeness
from meshline.governance.rules import Profile, Verdict
from meshline.governance.waivers import update_verdict
from meshline.graph.contracts import parse_major_version
from meshline.graph.index import LineageIndex
from meshline.graph.index.results import HiddenCount
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import from_micros
from meshline.graph.queries.impact import compute_impact
from meshline.graph.queries.lineage_diff import Change as FlowChange
from meshline.graph.queries.lineage_diff import compare_lineage
from meshline.graph.queries.pages import UNLIMITED, Limits

FLOWS = 100  # changes of lineage that a report names
_MISSING = "major-version-missing"
_BREAKING, _COMPATIBLE = Verdict.BREAKING.name.lower(), Verdict.COMPATIBLE.name.lower()
_ALWAYS_NOTIFIED = frozenset(
    ["column-deprecated", "table-deprecated", "output-port-deprecated", "deprecated", "owner-changed", "owner-removed", "domain-changed"]
)


class Mode(enum.StrEnum):
    """`strict`: lineage can only make the verdict of a rule worse. `usage`: complete lineage can also make it better."""

    STRICT = "strict"
    USAGE = "usage"


class FailOn(enum.StrEnum):
    """The mildest verdict with which a check fails."""

    BREAKING = "breaking"
    CONDITIONAL = "conditional"
    NONE = "none"


class VersionChange(NamedTuple):
    """The version of a contract or product before and after; `file` and `line` of the latter."""

    before: str
    after: str
    file: str = ""
    line: int = 0


Versions: TypeAlias = Mapping[tuple[SubjectKind, str], VersionChange]


class Options(NamedTuple):
    """`versions`: of the contracts and products that are compared. `since`, `now`: the report lists lineage that changed between
    these times (microseconds); `since` None: it lists none. `limits`: of each traversal. `at`: gives the index as of a time, if that is
    not what `live` does.
    """

    mode: Mode = Mode.STRICT
    profile: Profile = Profile.MESH
    fail_on: FailOn = FailOn.BREAKING
    versions: Versions = MappingProxyType({})
    since: int | None = None
    now: int = 0
    limits: Limits = UNLIMITED
    at: Callable[[int], LineageIndex] | None = None


def judge_changes(live: LiveGraph, index: LineageIndex, changes: Sequence[Change], options: Options) -> Report:
    """The report of changes on a graph. The caller has the lock of `live`, and `index` belongs to it."""
    found = _assess_changes(live, index, changes, options)
    found += _assess_changes(live, index, _find_unversioned(found, options.versions), options)
    found.sort(key=_build_sort_key)
    report = Report(
        verdict="",
        passed=False,
        mode=options.mode,
        profile=options.profile,
        fail_on=options.fail_on,
        checked=len({change.subject[:2] for change in changes}),
        findings=tuple(one.finding for one in found),
        notify=tuple(list_notices(live, index, [one for one in found if _must_notify(one)], options.limits)),
        completeness=merge_completeness((one.impact.downstream.completeness for one in found), index, _count_hidden(index, found, options)),
        lineage=_compare_lineage(live, found, options),
    )
    return update_verdict(report)


def _assess_changes(live: LiveGraph, index: LineageIndex, changes: Iterable[Change], options: Options) -> list[AssessedChange]:
    return assess_changes(live, index, changes, options.profile, usage=options.mode is Mode.USAGE, limits=options.limits)


def _build_sort_key(one: AssessedChange) -> tuple[int, bool, str, int, Subject, str, str]:
    """The worst first, then by their place in the files; the findings about missing versions, which follow from others, last."""
    change = one.change
    place = (change.file, change.line, change.subject, change.rule, one.finding.fingerprint)
    return (-Verdict[one.finding.verdict.upper()], change.rule == _MISSING, *place)


def _count_hidden(index: LineageIndex, found: Iterable[AssessedChange], options: Options) -> Sequence[HiddenCount]:
    """How many of all affected assets the caller may not see."""
    if not index.is_restricted:
        return ()
    starts = dict.fromkeys(start for one in found for start in one.impact.starts)
    return compute_impact(index, tuple(starts), promises=False, limits=options.limits).completeness.hidden


# -- versions


def _find_unversioned(found: Iterable[AssessedChange], versions: Versions) -> list[Change]:
    """Changes that state: a contract or product has breaking changes, and its major version is not raised."""
    broken = {(one.change.subject.kind, one.change.subject.name) for one in found if one.finding.verdict == _BREAKING}
    kept = ((key, versions[key]) for key in sorted(broken) if key in versions)
    return [
        Change(_MISSING, Subject(*key), version.before or None, version.after or None, file=version.file, line=version.line)
        for key, version in kept
        if parse_major_version(version.after) <= parse_major_version(version.before)
    ]


def decide(report: Report) -> Report:
    """Decide a report to which waivers were applied: a contract or product whose breaking findings are all waived needs no new major
    version.
    """
    broken = {_get_subject(one) for one in report.findings if one.verdict == _BREAKING and one.waived is None and one.rule != _MISSING}
    kept = tuple(one for one in report.findings if one.rule != _MISSING or one.waived is not None or _get_subject(one) in broken)
    return update_verdict(replace(report, findings=kept))


def _get_subject(finding: Finding) -> tuple[SubjectKind, str]:
    return finding.subject.kind, finding.subject.name


# -- who is notified


def _must_notify(one: AssessedChange) -> bool:
    """True if the change must be notified: incompatible changes, and rules in `_ALWAYS_NOTIFIED`."""
    return one.finding.verdict != _COMPATIBLE or one.change.rule in _ALWAYS_NOTIFIED


# -- lineage


def _compare_lineage(live: LiveGraph, found: Iterable[AssessedChange], options: Options) -> LineageSince | None:
    """What changed since then in the lineage of the changed assets."""
    if options.since is None:
        return None
    of = sorted({live.index.assets.get_key(start).id for one in found for start in one.impact.starts})
    if not of:
        return LineageSince(since=_format_time(options.since), added=0, removed=0)
    difference = compare_lineage(live, options.since, options.now, of=of, limit=FLOWS, limits=options.limits, at=options.at)
    flows = (
        *(_build_flow_change("added", one) for one in difference.added),
        *(_build_flow_change("removed", one) for one in difference.removed),
    )
    return LineageSince(
        since=_format_time(options.since), added=difference.total_added, removed=difference.total_removed, flows=flows[:FLOWS]
    )


def _build_flow_change(change: str, difference: FlowChange) -> LineageChange:
    edge = difference.edge
    return LineageChange(
        change=change, start=build_asset(edge.start), end=build_asset(edge.end), job=None if edge.job is None else build_asset(edge.job)
    )


def _format_time(micros: int) -> str:
    return from_micros(micros).isoformat()
