"""Sessions and denials as records of the store's journal: several servers of one store know the same, and a restart forgets none.

Each server follows the journal, so that a request is answered from memory. What one server writes counts there at once, and in the others
after `refresh_seconds`. A server that could not follow for STALE_SECONDS refuses sessions and tokens of the provider: what was denied
meanwhile would be let in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from meshline.app.denials import Denial, DenialKind, DenyList
from meshline.app.sessions import Session, SessionTable
from meshline.errors import NotFound, NotReady, StoreCorrupt, StoreUnavailable
from meshline.governance.audit import AccessEvent, build_access_record
from meshline.graph.model import Json, from_micros, get_current_micros
from meshline.graph.store.base import Batch, Record, Store, StoredRecord

ACCESS = "session"  # the kind of these records
SETTLED = "session:settled"  # the setting with the position of the journal up to which every record has ended
STALE_SECONDS = 60.0
PRUNE_SECONDS = 300.0
READ_AT_ONCE = 1000


class SessionBegun(msgspec.Struct, frozen=True, tag="begun"):
    session: Session


class SessionUsed(msgspec.Struct, frozen=True, tag="used"):
    """`at`: microseconds."""

    digest: str
    at: int


class SessionEnded(msgspec.Struct, frozen=True, tag="ended"):
    digest: str


class DenialMade(msgspec.Struct, frozen=True, tag="denied"):
    denial: Denial


class DenialRemoved(msgspec.Struct, frozen=True, tag="allowed"):
    kind: DenialKind
    value: str


class LogoutReceived(msgspec.Struct, frozen=True, tag="logout"):
    """A logout token of the provider, by its `jti`: it counts once. `until`: microseconds, after which it has expired anyway."""

    token: str
    until: int


JournalEvent: TypeAlias = SessionBegun | SessionUsed | SessionEnded | DenialMade | DenialRemoved | LogoutReceived
_decoder: msgspec.json.Decoder[JournalEvent] = msgspec.json.Decoder(JournalEvent)


class AccessJournal:
    """The sessions and denials of a store. `follow` and the methods that write are for any thread but that of the requests."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds."""
        self.sessions = SessionTable()
        self.denials = DenyList()
        self._clock = clock
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._position = 0
        self._followed = self._pruned = float("-inf")
        self._logouts: dict[str, int] = {}  # until when, in microseconds
        self._places: dict[str, tuple[int, int]] = {}  # of records that still count: position and end, by what they are about

    def open(self, store: Store) -> None:
        """Read what counts. Raises StoreUnavailable and StoreCorrupt."""
        self._position = int(store.read_setting(SETTLED) or 0)
        self._store = store
        self.follow()

    def check_current(self) -> None:
        """Raises NotReady before it is open, and StoreUnavailable if the store has not answered for long."""
        if self._store is None:
            raise NotReady("the graph is being loaded: try again")
        if self._clock() - self._followed > STALE_SECONDS:
            raise StoreUnavailable("the store does not answer, so that this server does not know which sessions have ended: try again")

    def follow(self) -> None:
        """Note the uses of sessions, and read what any server has written since. Raises StoreUnavailable and StoreCorrupt."""
        store = self._get_store()
        uses = self.sessions.list_uses()
        if uses:
            self._write([SessionUsed(digest, at) for digest, at in uses.items()])
        with self._lock:
            begun = self._clock()
            while found := store.read_journal(ACCESS, self._position, READ_AT_ONCE):
                for kept in found:
                    self._apply(kept)
            self._followed = begun
            if self._clock() - self._pruned >= PRUNE_SECONDS:
                self._pruned = self._clock()
                self._prune(store)

    def begin_session(self, session: Session, instead_of: str = "") -> None:
        """A new session; `instead_of`: the digest of one of the same browser, which ends."""
        ended = [SessionEnded(instead_of)] if instead_of else []
        self._write(
            [*ended, SessionBegun(session)], build_access_record(AccessEvent.SIGN_IN, session.principal.actor_name, "page", session.begun)
        )
        self.follow()

    def end_session(self, session: Session) -> None:
        self._write(
            [SessionEnded(session.digest)],
            build_access_record(AccessEvent.SIGN_OUT, session.principal.actor_name, "page", get_current_micros()),
        )
        self.follow()

    def deny(self, denial: Denial) -> None:
        """Raises LimitExceeded."""
        self.denials.check_size()
        details: dict[str, Json] = {"decision": "deny", "until": from_micros(denial.until).isoformat(), "reason": denial.reason}
        record = build_access_record(AccessEvent.DENIAL, denial.by, f"{denial.kind} {denial.value}", denial.at, details)
        self._write([DenialMade(denial)], record)
        self.follow()

    def allow(self, kind: DenialKind, value: str, by: str) -> Denial:
        """Remove a denial. Raises NotFound if there is none."""
        self.follow()
        found = next((one for one in self.denials.list_entries() if (one.kind, one.value) == (kind, value)), None)
        if found is None:
            raise NotFound(f"{kind} {value[:100]!r} is not on the deny list")
        self._write(
            [DenialRemoved(kind, value)],
            build_access_record(AccessEvent.DENIAL, by, f"{kind} {value}", get_current_micros(), {"decision": "allow"}),
        )
        self.follow()
        return found

    def receive_logout(self, token: str, until: int, denial: Denial) -> bool:
        """A sign-out that the provider reports, with the `jti` of its token. False if that token was received before."""
        self.follow()
        if token in self._logouts:
            return False
        record = build_access_record(AccessEvent.SIGN_OUT, denial.by, f"back-channel: {denial.kind} {denial.value}", denial.at)
        self._write([LogoutReceived(token, until), DenialMade(denial)], record)
        self.follow()
        return True

    def _get_store(self) -> Store:
        if self._store is None:
            raise NotReady("the graph is being loaded: try again")
        return self._store

    def _write(self, events: Sequence[JournalEvent], audited: Record | None = None) -> None:
        now = get_current_micros()
        journal = [Record(ACCESS, "", now, msgspec.json.encode(event)) for event in events]
        self._get_store().commit(lambda _reader: Batch(journal=journal if audited is None else [*journal, audited]))

    def _apply(self, kept: StoredRecord) -> None:
        try:
            event = _decoder.decode(kept.record.body)
        except msgspec.MsgspecError as error:
            raise StoreCorrupt(
                f"the record at position {kept.position} of the journal cannot be read ({error}): restore the store from a backup"
            ) from error
        match event:
            case SessionBegun(session):
                self.sessions.add(session)
                self._places[session.digest] = (kept.position, session.ends)
            case SessionUsed(digest, at):
                self.sessions.note_use(digest, at)
            case SessionEnded(digest):
                self.sessions.remove(digest)
                self._places.pop(digest, None)
            case DenialMade(denial):
                self.denials.add(denial)
                key = f"{denial.kind} {denial.value}"
                self._places.setdefault(key, (kept.position, denial.until))
                self._places[key] = (self._places[key][0], max(self._places[key][1], denial.until))
            case DenialRemoved(kind, value):
                self.denials.remove(kind, value)
                self._places.pop(f"{kind} {value}", None)
            case LogoutReceived(token, until):
                self._logouts[token] = until
                self._places[f"logout {token}"] = (kept.position, until)
        self._position = kept.position

    def _prune(self, store: Store) -> None:
        """Forget what has ended, and note from where on the journal has to be read."""
        now = get_current_micros()
        self.sessions.prune(now)
        self.denials.prune(now)
        self._logouts = {token: until for token, until in self._logouts.items() if until > now}
        self._places = {key: place for key, place in self._places.items() if place[1] > now}
        settled = min((position for position, _ in self._places.values()), default=self._position + 1) - 1
        if settled > int(store.read_setting(SETTLED) or 0):
            store.write_setting(SETTLED, str(settled))
