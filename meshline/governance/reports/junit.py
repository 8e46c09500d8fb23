"""A report as JUnit XML: a test case for each concern. What is waived is skipped."""

from __future__ import annotations

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from meshline.governance.report import Concern, Finding, Report, Violation
from meshline.governance.reports.presentation import (
    UNASKED,
    Names,
    concerns_of,
    fails,
    headline,
    hits,
    names,
    place,
    rule_of,
    told,
    unasked,
    uncertain,
    way,
    where,
)
from meshline.words import make_printable


def xml(report: Report) -> bytes:
    """UTF-8. Without concerns there is one case, which passes: what was compared is what it was."""
    name = names(report)
    suite = TestSuite("meshline check")
    for key in ("verdict", "mode", "profile"):
        suite.add_property(key, str(getattr(report, key)))
    if not report.consumers_checked:
        suite.add_property("consumers", UNASKED)
    for note in uncertain(report):
        suite.add_property("not certain", make_printable(note))
    cases = [_case(report, concern, name) for concern in concerns_of(report)]
    suite.add_testcases(cases or [TestCase(headline(report), "meshline")])
    file = JUnitXml("meshline")
    file.add_testsuite(suite)
    text: bytes = file.tostring()  # type: ignore[no-untyped-call]
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + text + b"\n"


def _case(report: Report, concern: Concern, name: Names) -> TestCase:
    case = TestCase(f"{rule_of(concern)}: {told(concern)} [{concern.fingerprint}]", _class(concern))
    said = "\n".join(_message(report, concern, name))
    if isinstance(concern, Finding | Violation) and concern.waived is not None:
        waived = concern.waived
        case.result = [Skipped(make_printable(f"waived by {waived.approver} until {waived.expires}: {waived.reason}"))]
    elif fails(report, concern):
        failure = Failure(f"{concern.verdict}: {told(concern)}{unasked(report, concern)}", concern.verdict)
        failure.text = said
        case.result = [failure]
    else:
        case.system_out = said
    return case


def _class(concern: Concern) -> str:
    if isinstance(concern, Finding):
        return place(concern.subject)
    return "policies" if isinstance(concern, Violation) else "waivers"


def _message(report: Report, concern: Concern, name: Names) -> list[str]:
    said = [f"{concern.verdict}: {told(concern)}{unasked(report, concern)}"]
    if at := where(concern):
        said.append(f"at {at}")
    if isinstance(concern, Finding):
        said += [make_printable(concern.reason), *([f"safe: {make_printable(concern.safe)}"] if concern.safe else [])]
        said += [f"hits {name(hit.consumer)}: {hit.verdict}, {way(hit)}" for hit in hits(concern)]
    return said
