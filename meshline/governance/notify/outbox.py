"""The outbox: notices as records of the journal. A notice is pending until a record states that it was sent or given up.

A sender first claims each notice with a numbered attempt: of several senders, in any processes, one has it. A sender that dies between
the claim and the record that it was sent leaves the notice pending: it is sent again, so a recipient may get twice what a crash
interrupted, and never nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from meshline.errors import StoreCorrupt
from meshline.graph.naming import find_email
from meshline.graph.store.base import Batch, Record, Store, StoredRecord

NOTICE = "notice"
MOST_ASSETS = 50  # that one notice names
WEBHOOK = "webhook"  # the kind of the receiver of every notice
EXECUTOR = "executor"  # the kind of the receiver of events about access to data
ACCESS_REQUESTED = "access.requested"  # the event of notices to those who decide about a request for access


class Receiver(msgspec.Struct, frozen=True, rename="camel"):
    """An owner or consumer. `contacts`: the kind of a contact (`email`, `slack`, ...) -> the contact."""

    kind: str
    name: str
    id: str = ""
    contacts: dict[str, str] = {}


def build_receiver(kind: str, name: str, id_: str, stated: Mapping[str, str]) -> Receiver:
    """`stated`: contacts as the graph has them. A receiver whose name is an address is notified at that address."""
    contacts = {way: text for way, text in stated.items() if text}
    named = find_email(name)
    return Receiver(kind, name, id_, contacts or ({"email": named} if named else {}))


class NoticeBody(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A change, violation or request for access for one receiver. `event`: `change.landed`, `policy.violated`, `access.requested`; of the
    executor `access.approved`, `access.revoked`, `access.expired`. `rule`: of the change, or the policy.

    `at`: since when, in microseconds. `assets`: names of the receiver's affected assets, with `more` beyond these.
    """

    event: str
    receiver: Receiver
    fingerprint: str
    rule: str
    verdict: str
    subject: str
    text: str
    why: str
    safe: str = ""
    source: str = ""
    reason: str = ""  # CONSUMES, OWNS
    reach: str = ""
    at: int
    assets: tuple[str, ...] = ()
    more: int = 0
    details: dict[str, Any] = {}  # for the webhook: the finding or violation as a report has it


class Notice(NamedTuple):
    """A notice with its unique key; `position` and `since` (microseconds): where and when the journal recorded it."""

    position: int
    key: str
    since: int
    body: NoticeBody


_decoder = msgspec.json.Decoder(NoticeBody)


def build_key(*parts: object) -> str:
    """The key of a notice: the same for the same parts, whichever process finds it, however often."""
    return hashlib.blake2b(msgspec.json.encode([str(part) for part in parts]), digest_size=16).hexdigest()


def build_record(key: str, body: NoticeBody, at: int) -> Record:
    """The journal record of a notice. `at` in microseconds."""
    return Record(NOTICE, key, at, msgspec.json.encode(body))


def parse_notice(kept: StoredRecord) -> Notice:
    """Raises StoreCorrupt."""
    try:
        return Notice(kept.position, kept.record.key, kept.record.at, _decoder.decode(kept.record.body))
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(
            f"the notice at position {kept.position} of the journal cannot be read ({error}): restore the store from a backup"
        ) from error


def limit_names(assets: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """The first names, in order, and the number of the others."""
    found = tuple(dict.fromkeys(assets))
    return found[:MOST_ASSETS], max(0, len(found) - MOST_ASSETS)


ATTEMPT, REFUSED, SENT, FAILED = "notice.attempt", "notice.refused", "notice.sent", "notice.failed"
SETTLED = "notify:settled"  # the position of the journal up to which no notice is pending
READ_AT_ONCE = 1000

FIRST_RETRY, LONGEST_RETRY = 60.0, 6 * 3600.0  # seconds before a retry: doubled each time; `sender.Pace` has their number
SECOND = 1_000_000


class Tried(NamedTuple):
    """The number of attempts, the time of the last one (microseconds), and why it failed."""

    attempts: int = 0
    at: int = 0
    error: str = ""


class Pending(NamedTuple):
    """A pending notice with its attempts."""

    notice: Notice
    tried: Tried

    @property
    def due(self) -> int:
        """The time of the next attempt, in microseconds: each wait is longer, with jitter so that not all are sent at once."""
        if not self.tried.attempts:
            return self.notice.since
        wait = min(FIRST_RETRY * 2 ** (self.tried.attempts - 1), LONGEST_RETRY)
        return self.tried.at + int(wait * SECOND * (0.75 + 0.5 * _compute_jitter(self.notice.key, self.tried.attempts)))


class _Attempt(msgspec.Struct, frozen=True):
    key: str
    number: int
    by: str


class _Refusal(msgspec.Struct, frozen=True):
    key: str
    error: str


class Outbox:
    """Reads only new records of the journal. For one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._start = self._read_to = int(store.read_setting(SETTLED) or 0)
        self._pending: dict[str, Notice] = {}
        self._tried: dict[str, Tried] = {}
        self._claims: dict[tuple[str, int], str] = {}
        self._sent_at: dict[str, int] = {}
        self._deliveries: deque[tuple[int, int]] = deque()  # positions and times of recent deliveries

    def list_pending(self) -> list[Pending]:
        """All pending notices, oldest first."""
        self._read()
        return [Pending(one, self._tried.get(key, Tried())) for key, one in self._pending.items()]

    def get_last_sent(self, to: str) -> int:
        """The time of the last delivery to a place (microseconds), if it is recent enough to be known; else 0."""
        return self._sent_at.get(to, 0)

    def claim(self, wanted: Sequence[Pending], at: int) -> list[Pending]:
        """The notices that this sender may send now. Those that another sender has claimed are left to it."""
        by = secrets.token_hex(8)
        numbered = [(one, one.tried.attempts + 1) for one in wanted]
        self._append(
            [
                _build_attempt_record(ATTEMPT, f"{one.notice.key} {number}", at, _Attempt(one.notice.key, number, by))
                for one, number in numbered
            ]
        )
        self._read()
        return [one for one, number in numbered if self._claims.get((one.notice.key, number)) == by and one.notice.key in self._pending]

    def mark_sent(self, notices: Iterable[Pending], to: str, at: int) -> None:
        """Record that notices were sent. `to`: the label of the place, without secrets."""
        self._append([_build_attempt_record(SENT, one.notice.key, at, {"to": to}) for one in notices])

    def mark_refused(self, notices: Iterable[Pending], error: str, at: int) -> None:
        """Record that notices could not be sent; they stay pending."""
        refusals = [(one, _Refusal(one.notice.key, error)) for one in notices]
        self._append(
            [_build_attempt_record(REFUSED, f"{one.notice.key} {one.tried.attempts + 1}", at, refusal) for one, refusal in refusals]
        )

    def mark_failed(self, given_up: Iterable[Pending], why: str, at: int) -> None:
        """Record that notices are given up; they are not tried again."""
        self._append([_build_attempt_record(FAILED, one.notice.key, at, {"why": why}) for one in given_up])

    def settle(self, recent: int) -> None:
        """Store the position up to which no notice is pending, nor was sent after `recent` (microseconds): the next outbox starts there."""
        self._read()
        while self._deliveries and self._deliveries[0][1] <= recent:
            self._deliveries.popleft()
        needed = [one.position for one in self._pending.values()] + [position for position, _ in self._deliveries]
        settled = min(needed, default=self._read_to + 1) - 1
        if settled > self._start:
            self._store.write_setting(SETTLED, str(settled))
            self._start = settled

    def _append(self, records: Sequence[Record]) -> None:
        if records:
            self._store.commit(lambda _: Batch(journal=records))

    def _read(self) -> None:
        while kept := self._store.read_journal("", self._read_to, READ_AT_ONCE):
            for one in kept:
                record = one.record
                if record.kind == NOTICE:
                    self._pending[record.key] = parse_notice(one)
                elif record.kind == ATTEMPT:
                    attempt = msgspec.json.decode(record.body, type=_Attempt)
                    if attempt.key in self._pending:
                        self._claims[attempt.key, attempt.number] = attempt.by
                        self._tried[attempt.key] = Tried(attempt.number, record.at, self._tried.get(attempt.key, Tried()).error)
                elif record.kind == REFUSED:
                    refusal = msgspec.json.decode(record.body, type=_Refusal)
                    if refusal.key in self._tried:
                        self._tried[refusal.key] = self._tried[refusal.key]._replace(error=refusal.error)
                elif record.kind in (SENT, FAILED):
                    self._forget(one)
                self._read_to = one.position

    def _forget(self, kept: StoredRecord) -> None:
        record = kept.record
        if record.kind == SENT:
            self._deliveries.append((kept.position, record.at))
            to = str(msgspec.json.decode(record.body).get("to", ""))
            self._sent_at[to] = max(record.at, self._sent_at.get(to, 0))
        self._pending.pop(record.key, None)
        tried = self._tried.pop(record.key, Tried())
        for number in range(1, tried.attempts + 1):
            self._claims.pop((record.key, number), None)


def _build_attempt_record(kind: str, key: str, at: int, body: Any) -> Record:
    return Record(kind, key, at, msgspec.json.encode(body))


def _compute_jitter(key: str, attempt: int) -> float:
    """A number from 0 to 1: the same in every process, different for each notice and attempt."""
    return hashlib.blake2b(f"{key} {attempt}".encode(), digest_size=4).digest()[0] / 255
