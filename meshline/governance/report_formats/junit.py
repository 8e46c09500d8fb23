"""A report as JUnit XML: a test case for each concern. What is waived is skipped."""

from __future__ import annotations

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from meshline.governance.report import Concern, Finding, HiddenViolations, Report, Violation
from meshline.governance.report_formats.presentation import (
    UNCHECKED,
    Names,
    collect_names,
    describe_concern,
    describe_hidden_violations,
    describe_reach,
    describe_subject,
    describe_unchecked,
    format_headline,
    format_location,
    get_rule,
    is_failing,
    is_failure,
    list_concerns,
    list_hits,
    list_uncertainties,
)
from meshline.words import make_printable


def render_xml(report: Report) -> bytes:
    """UTF-8. Without concerns there is one case, which passes: what was compared is what it was."""
    name = collect_names(report)
    suite = TestSuite("meshline check")
    for key in ("verdict", "mode", "profile"):
        suite.add_property(key, str(getattr(report, key)))
    if report.compatibility:
        suite.add_property("compatibility", report.compatibility)
    if not report.consumers_checked:
        suite.add_property("consumers", UNCHECKED)
    for note in list_uncertainties(report):
        suite.add_property("not certain", make_printable(note))
    cases = [_build_case(report, concern, name) for concern in list_concerns(report)]
    cases += [_build_hidden_case(report, hidden) for hidden in report.hidden_violations]
    suite.add_testcases(cases or [TestCase(format_headline(report), "meshline")])
    file = JUnitXml("meshline")
    file.add_testsuite(suite)
    text: bytes = file.tostring()  # type: ignore[no-untyped-call]
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + text + b"\n"


def _build_case(report: Report, concern: Concern, name: Names) -> TestCase:
    case = TestCase(f"{get_rule(concern)}: {describe_concern(concern)} [{concern.fingerprint}]", _choose_class(concern))
    lines = "\n".join(_list_message_lines(report, concern, name))
    if isinstance(concern, Finding | Violation) and concern.waived is not None:
        waived = concern.waived
        case.result = [Skipped(make_printable(f"waived by {waived.approver} until {waived.expires}: {waived.reason}"))]
    elif is_failing(report, concern):
        failure = Failure(f"{concern.verdict}: {describe_concern(concern)}{describe_unchecked(report, concern)}", concern.verdict)
        failure.text = lines
        case.result = [failure]
    else:
        case.system_out = lines
    return case


def _build_hidden_case(report: Report, hidden: HiddenViolations) -> TestCase:
    case = TestCase(f"policy/{hidden.policy}: {describe_hidden_violations(hidden)}", "policies")
    if is_failure(report, hidden.verdict):
        case.result = [Failure(f"{hidden.verdict}: {describe_hidden_violations(hidden)}", hidden.verdict)]
    return case


def _choose_class(concern: Concern) -> str:
    if isinstance(concern, Finding):
        return describe_subject(concern.subject)
    return "policies" if isinstance(concern, Violation) else "waivers"


def _list_message_lines(report: Report, concern: Concern, name: Names) -> list[str]:
    lines = [f"{concern.verdict}: {describe_concern(concern)}{describe_unchecked(report, concern)}"]
    if at := format_location(concern):
        lines.append(f"at {at}")
    if isinstance(concern, Finding):
        lines += [make_printable(concern.reason), *([f"safe: {make_printable(concern.safe)}"] if concern.safe else [])]
        lines += [f"hits {name(hit.consumer)}: {hit.verdict}, {describe_reach(hit)}" for hit in list_hits(concern)]
    return lines
