"""Events that open and close violations of policies: the journal has each event once, whichever process detects it.

The journal decides which violations are open: the events of a violation are numbered, and an odd one opens it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from meshline.errors import StoreCorrupt
from meshline.governance.audit import build_policy_record
from meshline.governance.notify.outbox import WEBHOOK, NoticeBody, Receiver, build_key, build_receiver, build_record, limit_names
from meshline.governance.policies.monitor import Breach, Place, PolicyMonitor, compute_fingerprint
from meshline.governance.report import Violation
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind
from meshline.graph.queries.assets import read_attributes
from meshline.graph.store.base import Record, Store


class WatchedViolations:
    """The current violations of a monitor, which others may use as well, by fingerprint."""

    def __init__(self, watch: PolicyMonitor) -> None:
        self._watch = watch
        self._index: object = None
        self._fingerprints: dict[Place, str] = {}
        self._found: dict[str, tuple[Place, Breach]] = {}

    def find_violations(self) -> Mapping[str, tuple[Place, Breach]]:
        """All current violations."""
        with self._watch.live.lock:
            found = self._watch.list_violations()
            index = self._watch.live.index
            if index is not self._index:  # its node numbers have changed
                self._index, self._fingerprints = index, {}
            known = self._fingerprints
            self._fingerprints = {place: known.get(place) or compute_fingerprint(index, place) for place, _ in found}
        self._found = {self._fingerprints[place]: (place, breach) for place, breach in found}
        return self._found

    def build_violations(self, wanted: Iterable[str]) -> dict[str, Violation]:
        """Some of the found violations, with their paths; those that were closed meanwhile are left out."""
        with self._watch.live.lock:
            current = dict(self._watch.list_violations())
            asked = [self._found[one] for one in wanted]
            shown = self._watch.build_violations([one for one in asked if one[0] in current])
        return {violation.fingerprint: violation for violation in shown}


TURN = "violation"
VIOLATED = "policy.violated"
CONTACTS = ("email", "slack", "teams", "contact")
READ_AT_ONCE = 1000


class _EventRecord(msgspec.Struct, frozen=True):
    fingerprint: str
    number: int
    violation: Violation


class ViolationState(NamedTuple):
    """How often a violation was opened or closed, and its content at the last such event."""

    turns: int
    violation: Violation

    @property
    def is_open(self) -> bool:
        return self.turns % 2 == 1


class ViolationLog:
    """The violation events of the journal; every call reads the new ones."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._states: dict[str, ViolationState] = {}
        self._position = 0

    def read_states(self) -> Mapping[str, ViolationState]:
        """By fingerprint: the state of each violation, up to the newest record. Raises StoreCorrupt."""
        while records := self._store.read_journal(TURN, self._position, READ_AT_ONCE):
            for position, stored in records:
                try:
                    turn = msgspec.json.decode(stored.body, type=_EventRecord)
                except msgspec.MsgspecError as error:
                    text = f"the violation event at position {position} of the journal cannot be read ({error})"
                    raise StoreCorrupt(f"{text}: restore the store from a backup") from error
                self._states[turn.fingerprint] = ViolationState(turn.number, turn.violation)
            self._position = records[-1].position
        return self._states


class ViolationEvent(NamedTuple):
    """A violation that was opened or closed, with its records for the journal and the audit log."""

    violation: Violation
    opened: bool
    record: Record
    audited: Record


def find_events(known: Mapping[str, ViolationState], violations: WatchedViolations, at: int) -> Iterator[ViolationEvent]:
    """The events that the journal lacks."""
    now = violations.find_violations()
    opened = violations.build_violations(sorted(one for one in now if one not in known or not known[one].is_open))
    closed = {one: before.violation for one, before in sorted(known.items()) if before.is_open and one not in now}
    for fingerprint, violation in (*opened.items(), *closed.items()):
        number = known[fingerprint].turns + 1 if fingerprint in known else 1
        key, is_open = f"{fingerprint} {number}", number % 2 == 1
        body = msgspec.json.encode(_EventRecord(fingerprint, number, violation))
        audited = build_policy_record("opened" if is_open else "closed", violation, at, f"{TURN} {key}")
        yield ViolationEvent(violation, is_open, Record(TURN, key, at, body), audited)


def build_records(live: LiveGraph, violation: Violation, turn: str, at: int, *, webhook: bool) -> Iterator[Record]:
    """Records of notices for an opened violation: to the owners of its asset, or to the asset itself if it is a consumer without owners."""
    whole = NoticeBody(
        event=VIOLATED,
        receiver=Receiver(WEBHOOK, WEBHOOK),
        fingerprint=violation.fingerprint,
        rule=violation.policy,
        verdict=violation.verdict,
        subject=violation.asset.qualified_name,
        text=violation.text,
        why=f"The policy {violation.policy} ({violation.severity}) is violated.",
        at=at,
        details=msgspec.to_builtins(violation),
    )
    assets, more = limit_names([violation.asset.qualified_name])
    for to, reason in _list_receivers(live, violation):
        body = msgspec.structs.replace(whole, receiver=to, reason=reason, assets=assets, more=more, details={})
        yield build_record(build_key(turn, to.kind, to.name), body, at)
    if webhook:
        yield build_record(build_key(turn, WEBHOOK), whole, at)


def _list_receivers(live: LiveGraph, violation: Violation) -> list[tuple[Receiver, str]]:
    with live.lock:
        index = live.index
        node = index.assets.find(violation.asset.id) if violation.asset.id else None
        if node is None:
            return []
        found = dict.fromkeys((owned_by.owner, "OWNS") for owned_by in index.ownership.list_owners(node))
        if index.assets.get_kind(node) is AssetKind.CONSUMER and not found:
            found[node, "CONSUMES"] = None
        nodes = [one for one, _ in found]
        keys = [index.assets.get_key(one) for one in nodes]
        rows = read_attributes(live, index, nodes)
    contacts = [{name: text for name in CONTACTS if (text := each.find_text(name))} for each in rows]
    return [
        (build_receiver(key.kind, key.name, key.id, ways), reason) for key, ways, (_, reason) in zip(keys, contacts, found, strict=True)
    ]
