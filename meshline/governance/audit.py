"""The audit log: who asked for which check, whose waiver let a finding pass, who said what by hand, which policy was broken and when.

Its entries are records of the store's journal (kind `audit`): only ever added, and kept for good.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from meshline.errors import StoreCorrupt
from meshline.governance.report import Finding, Report, Violation
from meshline.graph.model import AssetKey, Json, Statement
from meshline.graph.store.base import Record, Store, StoredRecord

AUDIT = "audit"
READ_AT_ONCE = 1000


class Action(enum.StrEnum):
    CHECK = "check"
    WAIVER = "waiver"  # it let a finding of a check pass
    MUTATION = "mutation"
    POLICY = "policy"  # a violation was opened or closed


class Entry(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """`actor`: whom the token names, or who is named where there are no tokens; empty: nobody knows. `subject`: what it is about,
    in words; `details`: by the action.
    """

    action: Action
    actor: str
    subject: str
    details: dict[str, Any] = {}


class LogEntry(NamedTuple):
    """An entry of the log. `at` in microseconds; `position` orders them."""

    position: int
    at: int
    entry: Entry


class Page(NamedTuple):
    entries: tuple[LogEntry, ...]
    has_next: bool


_decoder = msgspec.json.Decoder(Entry)


def build_check_records(actor: str, report: Report, digest: str, at: int) -> list[Record]:
    """A check, and each waiver that it used. `digest`: of all that was given to it."""
    details: dict[str, Json] = {
        "digest": digest,
        "mode": report.mode,
        "profile": report.profile,
        "failOn": report.fail_on,
        "passed": report.passed,
        "verdict": report.verdict,
        "findings": len(report.findings),
        "violations": len(report.violations),
        "revision": report.completeness.revision,
    }
    things = sorted({finding.subject.name for finding in report.findings})
    subject = ", ".join(things[:3]) + (f" and {len(things) - 3} more" if len(things) > 3 else "")
    entries = [Entry(action=Action.CHECK, actor=actor, subject=subject, details=details)]
    concerns: tuple[Finding | Violation, ...] = (*report.findings, *report.violations)
    for concern in concerns:
        if concern.waived is not None:
            waiver = concern.waived
            said: dict[str, Json] = {
                "fingerprint": concern.fingerprint,
                "approver": waiver.approver,
                "reason": waiver.reason,
                "expires": waiver.expires,
                "verdict": concern.verdict,
                "digest": digest,
            }
            entries.append(Entry(action=Action.WAIVER, actor=actor, subject=concern.text, details=said))
    return [_build_record(entry, at) for entry in entries]


def build_mutation_record(actor: str, name: str, about: AssetKey, said: Statement) -> Record:
    """`name`: of the mutation. What it said is in the store under the source, scope and digest of the statement."""
    details: dict[str, Json] = {
        "mutation": name,
        "id": about.id,
        "source": said.source,
        "scope": list(said.scope),
        "digest": said.content.digest.hex(),
    }
    return _build_record(Entry(action=Action.MUTATION, actor=actor, subject=about.qualified_name, details=details), said.observed_at)


def build_policy_record(state: str, violation: Violation, at: int, key: str) -> Record:
    """`state`: opened or closed. `key` names this turn of this violation, so that it is there once."""
    details: dict[str, Json] = {
        "state": state,
        "policy": violation.policy,
        "severity": violation.severity,
        "fingerprint": violation.fingerprint,
        "text": violation.text,
        "id": violation.asset.id,
    }
    return _build_record(Entry(action=Action.POLICY, actor="", subject=violation.asset.qualified_name, details=details), at, key)


def read_entries(
    store: Store, *, action: Action | None = None, since: int | None = None, actor: str | None = None, after: int = 0
) -> Iterator[LogEntry]:
    """The log in the order of commits: of an action, of an actor, not before a time, after a position."""
    while kept := store.read_journal(AUDIT, after, READ_AT_ONCE):
        after = kept[-1].position
        for one in map(_parse_entry, kept):
            if (action in (None, one.entry.action)) and (actor in (None, one.entry.actor)) and (since is None or one.at >= since):
                yield one


def take_page(found: Iterator[LogEntry], size: int) -> Page:
    """The first of these entries."""
    taken = list(islice(found, size + 1))
    return Page(tuple(taken[:size]), len(taken) > size)


def describe_entry(action: str, subject: str, details: Mapping[str, Json]) -> str:
    """An entry as a sentence, but for when and who."""
    said = {name: str(value) for name, value in details.items()}
    match action:
        case Action.CHECK:
            outcome = f"{said['verdict']}, {'passed' if details['passed'] else 'failed'}, findings: {said['findings']}"
            return f"{subject or 'nothing changed'}: {outcome} ({said['mode']}, {said['profile']}) {said['digest'][:12]}"
        case Action.WAIVER:
            return f"{said['fingerprint']} approved by {said['approver']} until {said['expires']}: {subject}"
        case Action.MUTATION:
            return f"{said['mutation']} {subject}, as {said['source']}"
        case _:
            return f"{said['state']} {said['policy']} {said['fingerprint']}: {said['text']}"


def _build_record(entry: Entry, at: int, key: str = "") -> Record:
    return Record(AUDIT, key, at, msgspec.json.encode(entry))


def _parse_entry(kept: StoredRecord) -> LogEntry:
    try:
        return LogEntry(kept.position, kept.record.at, _decoder.decode(kept.record.body))
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"entry {kept.position} of the audit log cannot be read ({error}): restore the store from a backup") from error
