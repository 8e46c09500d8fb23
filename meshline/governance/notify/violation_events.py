"""Violations of policies that were opened and closed: each such event is in the journal once, whichever process detects it.

What is open is what the journal states: the events of a violation are numbered, and an odd one opens it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from meshline.errors import StoreCorrupt
from meshline.governance.audit import policy_record
from meshline.governance.notify.outbox import WEBHOOK, Owed, Receiver, identity, named, receiver, record
from meshline.governance.policies.evaluation import Breach, Place, violation_fingerprint
from meshline.governance.policies.monitor import Watch
from meshline.governance.report import Violation
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind
from meshline.graph.queries.assets import attributes
from meshline.graph.store.base import Record, Store


class Watched:
    """Of a watch that others may use, too."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._index: object = None
        self._fingerprints: dict[Place, str] = {}
        self._found: dict[str, tuple[Place, Breach]] = {}

    def now(self) -> Mapping[str, tuple[Place, Breach]]:
        """All that is broken."""
        with self._watch.live.lock:
            found = self._watch.violations()
            index = self._watch.live.index
            if index is not self._index:  # nodes mean something else
                self._index, self._fingerprints = index, {}
            known = self._fingerprints
            self._fingerprints = {place: known.get(place) or violation_fingerprint(index, place) for place, _ in found}
        self._found = {self._fingerprints[place]: (place, breach) for place, breach in found}
        return self._found

    def shown(self, wanted: Iterable[str]) -> dict[str, Violation]:
        """Some of what was found, with their paths; of what has gone since nothing."""
        with self._watch.live.lock:
            current = dict(self._watch.violations())
            asked = [self._found[one] for one in wanted]
            shown = self._watch.shown([one for one in asked if one[0] in current])
        return {violation.fingerprint: violation for violation in shown}


TURN = "violation"
VIOLATED = "policy.violated"
CONTACTS = ("email", "slack", "teams", "contact")
READ_AT_ONCE = 1000


class _Turn(msgspec.Struct, frozen=True):
    fingerprint: str
    number: int
    violation: Violation


class Known(NamedTuple):
    """How often a violation was opened and closed; and as it was when that last happened."""

    turns: int
    violation: Violation

    @property
    def is_open(self) -> bool:
        return self.turns % 2 == 1


class Turns:
    """What the journal says of violations. Follows it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Known] = {}
        self._position = 0

    def known(self) -> Mapping[str, Known]:
        while kept := self._store.journal(TURN, self._position, READ_AT_ONCE):
            for position, said in kept:
                try:
                    turn = msgspec.json.decode(said.body, type=_Turn)
                except msgspec.MsgspecError as error:
                    raise StoreCorrupt(
                        f"turn {position} of a violation cannot be read ({error}): restore the store from a backup"
                    ) from error
                self._known[turn.fingerprint] = Known(turn.number, turn.violation)
            self._position = kept[-1].position
        return self._known


class Turn(NamedTuple):
    """A violation that was opened or closed: its records in the journal and in the audit log."""

    violation: Violation
    opened: bool
    record: Record
    audited: Record


def turned(known: Mapping[str, Known], watched: Watched, at: int) -> Iterator[Turn]:
    """All that is not as the journal says."""
    now = watched.now()
    opened = watched.shown(sorted(one for one in now if one not in known or not known[one].is_open))
    closed = {one: before.violation for one, before in sorted(known.items()) if before.is_open and one not in now}
    for fingerprint, violation in (*opened.items(), *closed.items()):
        number = known[fingerprint].turns + 1 if fingerprint in known else 1
        key, is_open = f"{fingerprint} {number}", number % 2 == 1
        body = msgspec.json.encode(_Turn(fingerprint, number, violation))
        audited = policy_record("opened" if is_open else "closed", violation, at, f"{TURN} {key}")
        yield Turn(violation, is_open, Record(TURN, key, at, body), audited)


def owed(live: LiveGraph, violation: Violation, turn: str, at: int, *, webhook: bool) -> Iterator[Record]:
    """What is owed for a violation that was opened: to the owners of what breaks it, and to a consumer that does itself."""
    whole = Owed(
        event=VIOLATED,
        receiver=Receiver(WEBHOOK, WEBHOOK),
        fingerprint=violation.fingerprint,
        rule=violation.policy,
        verdict=violation.verdict,
        subject=violation.asset.qualified_name,
        text=violation.text,
        why=f"The policy {violation.policy} ({violation.severity}) does not hold.",
        at=at,
        details=msgspec.to_builtins(violation),
    )
    assets, more = named([violation.asset.qualified_name])
    for to, reason in _receivers(live, violation):
        told = msgspec.structs.replace(whole, receiver=to, reason=reason, assets=assets, more=more, details={})
        yield record(identity(turn, to.kind, to.name), told, at)
    if webhook:
        yield record(identity(turn, WEBHOOK), whole, at)


def _receivers(live: LiveGraph, violation: Violation) -> list[tuple[Receiver, str]]:
    with live.lock:
        index = live.index
        node = index.assets.find(violation.asset.id) if violation.asset.id else None
        if node is None:
            return []
        found = dict.fromkeys((said.owner, "OWNS") for said in index.ownership.list_owners(node))
        if index.assets.get_kind(node) is AssetKind.CONSUMER and not found:
            found[node, "CONSUMES"] = None
        nodes = [one for one, _ in found]
        keys = [index.assets.get_key(one) for one in nodes]
        said = attributes(live, index, nodes)
    contacts = [{name: text for name in CONTACTS if (text := each.text(name))} for each in said]
    return [(receiver(key.kind, key.name, key.id, ways), reason) for key, ways, (_, reason) in zip(keys, contacts, found, strict=True)]
