"""Waivers: what a file may contain, and how they change a report."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from meshline.errors import InvalidInput
from meshline.governance.waivers import LONGEST, Waiver, apply_waivers, parse_waivers
from meshline.ingest.documents import parse_yaml
from tests.governance.report_formats.made import build_finding, build_report, build_violation

TODAY = date(2026, 3, 8)
GOOD = """\
- fingerprint: "0000000000000001"
  reason: no job reads it any more
  approver: ann
  expires: 2026-04-01
"""


def read_waivers(text: str) -> tuple[Waiver, ...]:
    found = parse_yaml(text.encode(), "w.yaml")
    return parse_waivers(found.value, found.format_place, TODAY)


def build_waiver(number: int, expires: date = TODAY) -> Waiver:
    return Waiver(f"{number:016x}", "why", "ann", expires, "w.yaml", number)


def test_a_file_is_read_with_its_lines() -> None:
    second = GOOD.replace("01", "02", 1).replace("ann", "  bob ")
    found = read_waivers(f"# of the team\n{GOOD}{second}")
    assert found == (
        Waiver("0000000000000001", "no job reads it any more", "ann", date(2026, 4, 1), "w.yaml", 2),
        Waiver("0000000000000002", "no job reads it any more", "bob", date(2026, 4, 1), "w.yaml", 6),
    )


@pytest.mark.parametrize("text", ["", "# none yet\n", "[]\n", "---\n"])
def test_a_file_may_have_none(text: str) -> None:
    assert read_waivers(text) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("waivers: []\n", "w.yaml:1: a waiver file is a list of waivers"),
        ("- a\n", "w.yaml:1: a waiver has the keys fingerprint, reason, approver, expires"),
        (GOOD + "  ticket: 7\n", "w.yaml:5: unknown key 'ticket'; accepted: fingerprint"),
        (GOOD.replace("  expires: 2026-04-01\n", ""), "w.yaml:1: expires is missing (a waiver ends"),
        (GOOD.replace("  approver: ann\n", ""), "w.yaml:1: approver is missing"),
        (GOOD.replace("ann", "''"), "w.yaml:3: approver: found ''; accepted is a text"),
        (GOOD.replace("ann", "' '"), "w.yaml:3: approver: found ' '; accepted is a text"),
        (GOOD.replace("ann", "null"), "w.yaml:3: approver: found None; accepted is a text"),
        (GOOD.replace("ann", "[ann]"), "w.yaml:3: approver: found ['ann']; accepted is a text"),
        (GOOD.replace('"', ""), "w.yaml:1: fingerprint: found 1; accepted is a text, in quotes"),
        (GOOD.replace("01", "0G", 1), "w.yaml:1: found '000000000000000G'; a fingerprint has 16 digits"),
        (GOOD.replace("0000000000000001", "00*"), "w.yaml:1: found '00*'; a fingerprint has 16 digits"),
        (GOOD + GOOD, "w.yaml:5: 0000000000000001 is waived twice (first on line 1)"),
        (GOOD.replace("2026-04-01", "never"), "w.yaml:4: expires: found 'never'; accepted is a day, YYYY-MM-DD"),
        (GOOD.replace("2026-04-01", "2026-02-30"), "w.yaml:4: expires: found '2026-02-30'"),
        (GOOD.replace("2026-04-01", "20260401"), "w.yaml:4: expires: found 20260401"),
        (GOOD.replace("2026-04-01", "2026-W14-3"), "w.yaml:4: expires: found '2026-W14-3'"),
        (GOOD.replace("2026-04-01", "''"), "w.yaml:4: expires: found ''"),
        (GOOD.replace("2026-04-01", "2027-03-10"), "w.yaml:4: expires: 2027-03-10 is more than a year ahead; 2027-03-09 is the last"),
        (GOOD.replace("no job", "x" * 3000), "w.yaml:2: reason has 3018 characters; it may have 2000"),
    ],
)
def test_an_unusable_waiver_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_waivers(text)
    assert str(error.value).startswith(message)


def test_a_year_ahead_is_accepted() -> None:
    assert read_waivers(GOOD.replace("2026-04-01", str(TODAY + LONGEST)))[0].expires == TODAY + LONGEST


def test_a_waived_finding_stays_in_the_report_and_no_longer_counts() -> None:
    plain = build_report(build_finding(1), build_finding(2, "conditional"), build_finding(3, "compatible"))
    assert (plain.verdict, plain.passed) == ("breaking", False)
    after = apply_waivers(plain, [build_waiver(1)], TODAY)
    assert (after.verdict, after.passed) == ("conditional", True)
    assert [one.fingerprint for one in after.findings] == [one.fingerprint for one in plain.findings]
    assert after.findings[0].waived is not None
    assert after.findings[0].verdict == "breaking"
    assert (after.findings[0].waived.approver, after.findings[0].waived.expires) == ("ann", "2026-03-08")
    assert after.findings[1].waived is None
    assert not after.waivers


def test_violations_are_waived_as_findings_are() -> None:
    after = apply_waivers(build_report(violations=(build_violation(5),)), [build_waiver(5)], TODAY)
    assert (after.verdict, after.passed) == ("compatible", True)
    assert after.violations[0].waived is not None


def test_a_waiver_is_valid_to_the_end_of_its_last_day_and_then_is_a_finding_itself() -> None:
    plain = build_report(build_finding(1))
    assert apply_waivers(plain, [build_waiver(1, TODAY)], TODAY).passed
    expired = apply_waivers(plain, [build_waiver(1, TODAY - timedelta(1))], TODAY)
    assert not expired.passed
    assert expired.findings[0].waived is None
    (problem,) = expired.waivers
    assert (problem.problem, problem.verdict, problem.file, problem.line) == ("expired", "conditional", "w.yaml", 1)
    assert "counts again" in problem.text


def test_an_unused_waiver_is_conditional_and_fails_only_who_asks_for_that() -> None:
    plain = build_report(build_finding(1, "compatible"))
    after = apply_waivers(plain, [build_waiver(2)], TODAY)
    assert [one.problem for one in after.waivers] == ["unused"]
    assert (after.verdict, after.passed) == ("conditional", True)
    assert not apply_waivers(replace(plain, fail_on="conditional"), [build_waiver(2)], TODAY).passed
    assert apply_waivers(replace(plain, fail_on="none"), [build_waiver(2)], TODAY).passed


def test_an_expired_waiver_that_matches_no_finding_is_reported_as_such() -> None:
    (problem,) = apply_waivers(build_report(), [build_waiver(2, TODAY - timedelta(1))], TODAY).waivers
    assert problem.problem == "expired"
    assert "remove it" in problem.text


def test_a_waiver_needs_the_whole_fingerprint() -> None:
    near = Waiver("0000000000000011", "why", "ann", TODAY)
    assert not apply_waivers(build_report(build_finding(1)), [near], TODAY).passed


@pytest.mark.parametrize(
    ("fail_on", "verdict", "passed"),
    [
        ("breaking", "breaking", False),
        ("breaking", "conditional", True),
        ("breaking", "compatible", True),
        ("conditional", "breaking", False),
        ("conditional", "conditional", False),
        ("conditional", "compatible", True),
        ("none", "breaking", True),
    ],
)
def test_fail_on(fail_on: str, verdict: str, *, passed: bool) -> None:
    assert apply_waivers(build_report(build_finding(1, verdict), fail_on=fail_on), [], TODAY).passed is passed
