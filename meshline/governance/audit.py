"""The audit log: who requested which check, which waivers were used, who changed what by hand, when policies were violated, and access:
requests and grants, sign-ins, refused writes, reads of restricted data.

Its entries are records of the store's journal (kind `audit`): they are only added, and never deleted. An entry about what happens often
(`COUNTED`) is there once for each caller, subject and day; how often it happened is a setting beside it, which grows during the day.
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
    """The kinds of audit entries."""

    CHECK = "check"
    WAIVER = "waiver"  # it accepted a finding of a check
    MUTATION = "mutation"
    POLICY = "policy"  # a violation was opened or closed
    ACCESS = "access"  # see AccessEvent


class AccessEvent(enum.StrEnum):
    """What an entry about access records: `event` in its details."""

    REQUEST = "request"  # of access; also one that was withdrawn
    DECISION = "decision"
    GRANT = "grant"
    REVOCATION = "revocation"
    RULES = "rules"  # the file of access rules has changed
    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"
    DENIAL = "denial"  # a caller was put on the deny list, or removed from it
    TOKEN = "token"  # noqa: S105 - one was made or withdrawn, as a server sees at its start
    REFUSED_WRITE = "refused write"
    READ = "read"  # of restricted data, or of that of another domain


COUNTED = frozenset({AccessEvent.REFUSED_WRITE, AccessEvent.READ})


class Entry(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """`actor`: the name of the token, or the name that the caller gives if there are no tokens; empty if unknown. `subject`: what the
    entry is about, in words. `details`: depend on the action.
    """

    action: Action
    actor: str
    subject: str
    details: dict[str, Any] = {}


class LogEntry(NamedTuple):
    """An entry with its time (`at`, in microseconds), its position in the log, and the key of its record."""

    position: int
    at: int
    entry: Entry
    key: str = ""


class Page(NamedTuple):
    """One page of the log, and whether more entries follow."""

    entries: tuple[LogEntry, ...]
    has_next: bool


_decoder = msgspec.json.Decoder(Entry)


def build_check_records(actor: str, report: Report, digest: str, at: int) -> list[Record]:
    """The record of a check, and one of each waiver that it used. `digest`: of all inputs of the check."""
    details: dict[str, Json] = {
        "digest": digest,
        "mode": report.mode,
        "profile": report.profile,
        **({"compatibility": report.compatibility} if report.compatibility else {}),
        "failOn": report.fail_on,
        "passed": report.passed,
        "verdict": report.verdict,
        "findings": len(report.findings),
        "violations": len(report.violations) + sum(one.count for one in report.hidden_violations),
        "revision": report.completeness.revision,
    }
    subjects = sorted({finding.subject.name for finding in report.findings})
    subject = ", ".join(subjects[:3]) + (f" and {len(subjects) - 3} more" if len(subjects) > 3 else "")
    entries = [Entry(action=Action.CHECK, actor=actor, subject=subject, details=details)]
    concerns: tuple[Finding | Violation, ...] = (*report.findings, *report.violations)
    for concern in concerns:
        if concern.waived is not None:
            waiver = concern.waived
            waiver_details: dict[str, Json] = {
                "fingerprint": concern.fingerprint,
                "approver": waiver.approver,
                "reason": waiver.reason,
                "expires": waiver.expires,
                "verdict": concern.verdict,
                "digest": digest,
            }
            entries.append(Entry(action=Action.WAIVER, actor=actor, subject=concern.text, details=waiver_details))
    return [_build_record(entry, at) for entry in entries]


def build_mutation_record(actor: str, name: str, about: AssetKey, statement: Statement) -> Record:
    """`name`: of the mutation. The store has what it stated, under the source, scope and digest of the statement."""
    details: dict[str, Json] = {
        "mutation": name,
        "id": about.id,
        "source": statement.source,
        "scope": list(statement.scope),
        "digest": statement.content.digest.hex(),
    }
    return _build_record(Entry(action=Action.MUTATION, actor=actor, subject=about.qualified_name, details=details), statement.observed_at)


def build_setting_record(actor: str, name: str, subject: str, source: str, at: int) -> Record:
    """`name`: of what was done by hand to what is no asset, or no statement about one. `source`: by which interface."""
    return _build_record(Entry(action=Action.MUTATION, actor=actor, subject=subject, details={"mutation": name, "source": source}), at)


def build_policy_record(state: str, violation: Violation, at: int, key: str) -> Record:
    """`state`: opened or closed. `key` identifies this event of this violation, so that it is recorded once."""
    details: dict[str, Json] = {
        "state": state,
        "policy": violation.policy,
        "severity": violation.severity,
        "fingerprint": violation.fingerprint,
        "text": violation.text,
        "id": violation.asset.id,
    }
    return _build_record(Entry(action=Action.POLICY, actor="", subject=violation.asset.qualified_name, details=details), at, key)


def build_access_record(
    event: AccessEvent, actor: str, subject: str, at: int, details: Mapping[str, Json] | None = None, key: str = ""
) -> Record:
    """`key`: identifies what happened, if it must be recorded once."""
    return _build_record(Entry(action=Action.ACCESS, actor=actor, subject=subject, details={"event": event, **(details or {})}), at, key)


COUNT_SETTING = "audit count: "


def format_count_setting(key: str) -> str:
    """The name of the setting with the counts of a counted entry, by the key of its record: JSON, an object for its details."""
    return COUNT_SETTING + key


def is_counted(entry: Entry) -> bool:
    return entry.action is Action.ACCESS and entry.details.get("event") in COUNTED


def read_entries(
    store: Store, *, action: Action | None = None, since: int | None = None, actor: str | None = None, after: int = 0
) -> Iterator[LogEntry]:
    """The log in the order of commits, filtered by action, actor, earliest time (microseconds) and position."""
    while kept := store.read_journal(AUDIT, after, READ_AT_ONCE):
        after = kept[-1].position
        for one in map(_parse_entry, kept):
            if (action in (None, one.entry.action)) and (actor in (None, one.entry.actor)) and (since is None or one.at >= since):
                yield one


def take_page(store: Store, found: Iterator[LogEntry], size: int) -> Page:
    """The first of these entries of the log of a store, with their counts."""
    first = list(islice(found, size + 1))
    return Page(tuple(_add_counts(store, one) if is_counted(one.entry) else one for one in first[:size]), len(first) > size)


def _add_counts(store: Store, counted: LogEntry) -> LogEntry:
    counts = store.read_setting(format_count_setting(counted.key))
    details = {**counted.entry.details, **(msgspec.json.decode(counts, type=dict[str, Any]) if counts else {})}
    return counted._replace(entry=msgspec.structs.replace(counted.entry, details=details))


def describe_entry(action: str, subject: str, details: Mapping[str, Json]) -> str:
    """An entry as a sentence, without its time and actor."""
    texts = {name: str(value) for name, value in details.items()}
    match action:
        case Action.CHECK:
            outcome = f"{texts['verdict']}, {'passed' if details['passed'] else 'failed'}, findings: {texts['findings']}"
            return f"{subject or 'nothing changed'}: {outcome} ({texts['mode']}, {texts['profile']}) {texts['digest'][:12]}"
        case Action.WAIVER:
            return f"{texts['fingerprint']} approved by {texts['approver']} until {texts['expires']}: {subject}"
        case Action.MUTATION:
            return f"{texts['mutation']} {subject}, as {texts['source']}"
        case Action.ACCESS:
            return _describe_access(subject, texts)
        case _:
            return f"{texts['state']} {texts['policy']} {texts['fingerprint']}: {texts['text']}"


def _describe_access(subject: str, texts: Mapping[str, str]) -> str:
    parts = [texts["event"], subject]
    parts += [
        f"{name} {texts[name]}" for name in ("request", "for", "until", "decision", "reason", "reference", "digest") if texts.get(name)
    ]
    if "count" in texts:
        parts.append(f"{texts['count']} times")
    return ", ".join(part for part in parts if part)


def _build_record(entry: Entry, at: int, key: str = "") -> Record:
    return Record(AUDIT, key, at, msgspec.json.encode(entry))


def _parse_entry(kept: StoredRecord) -> LogEntry:
    try:
        return LogEntry(kept.position, kept.record.at, _decoder.decode(kept.record.body), kept.record.key)
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"entry {kept.position} of the audit log cannot be read ({error}): restore the store from a backup") from error
