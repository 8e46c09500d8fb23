"""Waivers: an approver accepts a finding for a reason, until a date."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from meshline.errors import InvalidInput
from meshline.governance.report import Finding, Report, Violation, Waived, WaiverProblem
from meshline.graph.model import Json

LONGEST = timedelta(days=366)
MOST = 10_000  # waivers in one file
MAX_TEXT = 2_000  # characters of a reason or an approver
KEYS = ("fingerprint", "reason", "approver", "expires")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_WORST = ("compatible", "conditional", "breaking")

Where: TypeAlias = Callable[[tuple[str | int, ...]], str]  # `file:line` of a part of the file's value


class Waiver(NamedTuple):
    """`expires`: the last day (UTC) on which the waiver is valid."""

    fingerprint: str
    reason: str
    approver: str
    expires: date
    file: str = ""
    line: int = 0


def parse_waivers(value: Json, where: Where, today: date) -> tuple[Waiver, ...]:
    """The waivers of a file, from its parsed value. Raises InvalidInput for one that cannot be used or is valid for over a year."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidInput("a waiver file is a list of waivers: `- fingerprint: ...`", where(()))
    if len(value) > MOST:
        raise InvalidInput(f"{len(value)} waivers; a file may have {MOST}", where(()))
    found: dict[str, Waiver] = {}
    for place, given in enumerate(value):
        waiver = _parse_waiver(given, lambda *path, place=place: where((place, *path)), today)
        if waiver.fingerprint in found:
            first = found[waiver.fingerprint]
            raise InvalidInput(f"{waiver.fingerprint} is waived twice (first on line {first.line})", where((place, "fingerprint")))
        found[waiver.fingerprint] = waiver
    return tuple(found.values())


def _parse_waiver(given: Json, where: Callable[..., str], today: date) -> Waiver:
    accepted = ", ".join(KEYS)
    if not isinstance(given, dict):
        raise InvalidInput(f"a waiver has the keys {accepted}", where())
    for key in given:
        if key not in KEYS:
            raise InvalidInput(f"unknown key {key!r}; accepted: {accepted}", where(key))
    for key in KEYS:
        if key not in given:
            more = " (a waiver ends: write its last day, YYYY-MM-DD)" if key == "expires" else ""
            raise InvalidInput(f"{key} is missing{more}", where())
    fingerprint = _parse_text(given["fingerprint"], "fingerprint", where)
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise InvalidInput(f"found {fingerprint!r}; a fingerprint has 16 digits 0-9a-f; in quotes if all are 0-9", where("fingerprint"))
    file, _, line = where("fingerprint").rpartition(":")
    return Waiver(
        fingerprint,
        _parse_text(given["reason"], "reason", where),
        _parse_text(given["approver"], "approver", where),
        _parse_expiry(_parse_text(given["expires"], "expires", where), where("expires"), today),
        file,
        int(line),
    )


def _parse_text(value: Json, key: str, where: Callable[..., str]) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"{key}: found {value!r}; accepted is a text" + (", in quotes" if value not in (None, "") else ""), where(key))
    if len(value) > MAX_TEXT:
        raise InvalidInput(f"{key} has {len(value)} characters; it may have {MAX_TEXT}", where(key))
    return value.strip()


def _parse_expiry(text: str, where: str, today: date) -> date:
    try:
        expires = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        expires = None
    if expires is None:
        raise InvalidInput(f"expires: found {text!r}; accepted is a day, YYYY-MM-DD", where)
    if expires > today + LONGEST:
        raise InvalidInput(f"expires: {text} is more than a year ahead; {today + LONGEST} is the last day to choose", where)
    return expires


def apply_waivers(report: Report, waivers: Sequence[Waiver], today: date) -> Report:
    """The report with its waived findings and violations marked, which no longer count, and with problems of waivers, which do."""
    valid = {waiver.fingerprint: waiver for waiver in waivers if waiver.expires >= today}
    findings = tuple(replace(one, waived=_build_waived(valid.get(one.fingerprint))) for one in report.findings)
    violations = tuple(replace(one, waived=_build_waived(valid.get(one.fingerprint))) for one in report.violations)
    found = {one.fingerprint for one in findings} | {one.fingerprint for one in violations}
    problems = (*report.waivers, *_find_problems(waivers, found, today))
    return update_verdict(replace(report, findings=findings, violations=violations, waivers=problems))


def update_verdict(report: Report) -> Report:
    """The report with `verdict` and `passed` computed from its parts."""
    verdict = find_worst(list_verdicts(report))
    return replace(report, verdict=verdict, passed=report.fail_on not in _WORST or _WORST.index(verdict) < _WORST.index(report.fail_on))


def list_verdicts(report: Report) -> Iterator[str]:
    """The verdicts of all findings and violations that are not waived, of those that are not listed, and of waiver problems."""
    concerns: tuple[Finding | Violation, ...] = (*report.findings, *report.violations)
    yield from (one.verdict for one in concerns if one.waived is None)
    yield from (one.verdict for one in report.hidden_violations)
    yield from (one.verdict for one in report.waivers)


def find_worst(verdicts: Iterable[str]) -> str:
    """The worst of these; compatible if there are none."""
    return max(verdicts, key=_WORST.index, default=_WORST[0])


def _build_waived(waiver: Waiver | None) -> Waived | None:
    return None if waiver is None else Waived(reason=waiver.reason, approver=waiver.approver, expires=waiver.expires.isoformat())


def _find_problems(waivers: Sequence[Waiver], found: set[str], today: date) -> Iterator[WaiverProblem]:
    for waiver in waivers:
        if waiver.expires < today:
            note = "; what it waived counts again" if waiver.fingerprint in found else ", and no finding has its fingerprint: remove it"
            text = f"the waiver of {waiver.approver} expired on {waiver.expires}{note}"
            yield WaiverProblem(fingerprint=waiver.fingerprint, problem="expired", text=text, file=waiver.file, line=waiver.line)
        elif waiver.fingerprint not in found:
            text = f"the waiver of {waiver.approver} matches no finding: remove it"
            yield WaiverProblem(fingerprint=waiver.fingerprint, problem="unused", text=text, file=waiver.file, line=waiver.line)
