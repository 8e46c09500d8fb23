"""A report in SARIF 2.1.0, the format of tools that analyse files."""

from __future__ import annotations

import re
from urllib.parse import quote

import msgspec

from meshline import __version__
from meshline.governance.report import Concern, Finding, Hit, Report, Violation
from meshline.governance.report_formats.presentation import (
    Names,
    collect_names,
    describe_concern,
    describe_reach,
    describe_subject,
    describe_unchecked,
    format_headline,
    format_path,
    get_rule,
    is_failing,
    is_waived,
    list_concerns,
    list_hits,
    list_uncertainties,
)
from meshline.governance.rules import RULES
from meshline.graph.model import Json
from meshline.words import make_printable

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"breaking": "error", "conditional": "warning", "compatible": "note"}
MOST_HITS = 50  # of one finding
_FIELD = re.compile(r"`?\{(\w+)\}`?")


def encode_sarif(report: Report) -> bytes:
    """One run, with the rules that it names."""
    found = list_concerns(report)
    name = collect_names(report)
    used = sorted({get_rule(concern) for concern in found})
    rules = {rule: number for number, rule in enumerate(used)}
    by_rule = {get_rule(concern): concern for concern in reversed(found)}
    run: Json = {
        "tool": {"driver": {"name": "meshline", "version": __version__, "rules": [_build_rule(rule, by_rule[rule]) for rule in used]}},
        "automationDetails": {"id": "meshline/check/"},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": _build_notifications(report)}],
        "results": [_build_result(report, concern, rules, name) for concern in found],
        "properties": {
            "verdict": report.verdict,
            "passed": report.passed,
            "mode": report.mode,
            "profile": report.profile,
            **({"compatibility": report.compatibility} if report.compatibility else {}),
            "consumersChecked": report.consumers_checked,
            "policiesChecked": report.policies_checked,
        },
    }
    log: Json = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log), indent=2) + b"\n"


def _build_notifications(report: Report) -> list[Json]:
    """The verdict, and what is not certain about it."""
    return [
        _build_notification("note", format_headline(report)),
        *(_build_notification("warning", text) for text in list_uncertainties(report)),
    ]


def _build_notification(level: str, text: str) -> Json:
    return {"level": level, "message": {"text": text}}


def _build_rule(rule: str, example: Concern) -> Json:
    known = RULES.get(rule)
    if known is None:
        text = _OURS.get(rule) or f"The policy {rule.removeprefix('policy/')} is violated."
        return {"id": rule, "shortDescription": {"text": make_printable(text)}, "defaultConfiguration": {"level": LEVELS[example.verdict]}}
    helped = f"{known.reason} {known.safe}".strip()
    return {
        "id": rule,
        "shortDescription": {"text": _FIELD.sub(r"\1", known.title)},
        "fullDescription": {"text": known.reason},
        "help": {"text": f"{helped} Run `meshline rules {rule}` for details."},
        "defaultConfiguration": {"level": LEVELS[known.mesh.name.lower()]},
        "properties": {"side": known.side, "tags": ["data", known.side]},
    }


_OURS = {
    "waiver-expired": "A waiver has expired: what it waived counts again.",
    "waiver-unused": "A waiver matches no finding: remove it.",
}


def _build_result(report: Report, concern: Concern, rules: dict[str, int], name: Names) -> Json:
    rule = get_rule(concern)
    result: dict[str, Json] = {
        "ruleId": rule,
        "ruleIndex": rules[rule],
        "level": LEVELS[concern.verdict],
        "message": {"text": _format_message(report, concern, name)},
        "partialFingerprints": {"meshline/v1": concern.fingerprint},
        "properties": {"verdict": concern.verdict, "fails": is_failing(report, concern)},
    }
    if locations := _build_locations(concern):
        result["locations"] = locations
    if isinstance(concern, Finding | Violation):
        result["suppressions"] = _build_suppressions(concern)
    return result


def _format_message(report: Report, concern: Concern, name: Names) -> str:
    lines = [describe_concern(concern) + describe_unchecked(report, concern)]
    if isinstance(concern, Finding):
        found = list_hits(concern)
        lines.append(make_printable(concern.reason))
        lines += [_format_hit(hit, name) for hit in found[:MOST_HITS]]
        lines += [f"and {len(found) - MOST_HITS:,} more"] if len(found) > MOST_HITS else []
    return "\n".join(lines)


def _format_hit(hit: Hit, name: Names) -> str:
    path = format_path(hit.path, name)
    return f"Hits {name(hit.consumer)} ({describe_reach(hit)})" + (f": {path}" if path else "")


def _build_locations(concern: Concern) -> list[Json]:
    location: dict[str, Json] = {}
    if not isinstance(concern, Violation) and concern.file:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": quote(concern.file.replace("\\", "/"))},
            "region": {"startLine": max(concern.line, 1)},
        }
    if isinstance(concern, Finding):
        full = ".".join((concern.subject.name, *concern.subject.part))
        location["logicalLocations"] = [{"name": describe_subject(concern.subject), "fullyQualifiedName": make_printable(full)}]
    if isinstance(concern, Violation):
        location["logicalLocations"] = [
            {"name": make_printable(concern.asset.name), "fullyQualifiedName": make_printable(concern.asset.qualified_name)}
        ]
    return [location] if location else []


def _build_suppressions(concern: Finding | Violation) -> list[Json]:
    """Empty if it is not waived."""
    if not is_waived(concern) or concern.waived is None:
        return []
    justification = f"{concern.waived.reason} (waived by {concern.waived.approver} until {concern.waived.expires})"
    return [{"kind": "external", "status": "accepted", "justification": make_printable(justification)}]
