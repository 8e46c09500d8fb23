"""Requests for access, and what follows from them. A request is a sequence of steps, each of which is one record of the journal.

Of several who decide at the same time, in any processes, exactly one succeeds: a step is only written as the next one of its request. The
entry of the audit log, and the events and notices, are written with the step or not at all. Requests end by time without a record.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from meshline.errors import MeshlineError, StoreCorrupt
from meshline.graph.model import get_current_micros
from meshline.graph.store.base import Batch, Record, RunReader, Store, StoredRecord

STEP = "access"  # the kind of the records
READ_AT_ONCE = 1000
CLOCK = "meshline"  # who makes steps by time


class Superseded(MeshlineError):
    """A request is not any more as the caller saw it."""

    code = "SUPERSEDED"


class AccessKind(enum.StrEnum):
    """What is asked for."""

    METADATA = "metadata"  # to see assets here: granted by meshline itself
    DATA = "data"  # the data: granted by the executor


class RequestState(enum.StrEnum):
    """open -> approved -> granted -> expired or revoked; or refused, withdrawn, lapsed."""

    OPEN = "open"
    APPROVED = "approved"  # the executor has not confirmed it yet
    GRANTED = "granted"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"  # not decided in time


class StepKind(enum.StrEnum):
    """What a step of a request is."""

    ASK = "ask"
    APPROVE = "approve"
    REFUSE = "refuse"
    REVOKE = "revoke"
    WITHDRAW = "withdraw"
    CONFIRM = "confirm"  # by the executor
    REMIND = "remind"  # by time: those who decide are reminded before it lapses
    END = "end"  # by time: the executor is to end what it has granted
    OBSERVE = "observe"  # a sync has seen that the principal may read what was asked for
    MISS = "miss"  # a sync has seen that it may not any more


class Decision(enum.StrEnum):
    """What a decider does."""

    APPROVE = "approve"
    REFUSE = "refuse"
    REVOKE = "revoke"  # what was granted


class Wish(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is asked for. Times are in microseconds.

    `asker`: the name of the caller; `principal`: who is to get access, as access rules name it. `selector`: what, as access rules name
    it; `asset`, `name`: its id and name. `lapses`: when it lapses if it is not decided. `groups`: those of the asker, if it is for him.
    """

    asker: str
    principal: str
    kind: AccessKind
    selector: str
    asset: str
    name: str
    action: str
    purpose: str
    until: int
    lapses: int
    groups: tuple[str, ...] = ()


class SeenRights(msgspec.Struct, frozen=True):
    """The datasets (ids) that the principal of a request may read, as a source stated at a time (microseconds)."""

    source: str
    at: int
    datasets: tuple[str, ...]


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """A step of a request. `number`: from 0; `state`: that of the request after it. `by`: the caller, or `CLOCK`; `shown`: its name for
    people, if the identity provider had one. `wish`: only of the first.

    `until`: the end that a decider sets, if it is earlier than the one asked for. `reference`: that of the executor's grant.
    `lifts`: the restrictions (their selectors, as access rules name them) from which the decider is excepted: they do not apply to what is
    granted. `seen`: the rights that a sync has seen.
    """

    request: str
    number: int
    kind: StepKind
    by: str
    state: RequestState
    wish: Wish | None = None
    until: int | None = None
    reason: str = ""
    reference: str = ""
    lifts: tuple[str, ...] = ()
    shown: str = ""
    seen: tuple[SeenRights, ...] = ()


class Request(NamedTuple):
    """A request with its steps and their times (microseconds)."""

    wish: Wish
    steps: tuple[Step, ...]
    times: tuple[int, ...]

    @property
    def id(self) -> str:
        return self.steps[0].request

    @property
    def until(self) -> int:
        return min((step.until for step in self.steps if step.until is not None), default=self.wish.until)

    @property
    def reference(self) -> str:
        return next((step.reference for step in reversed(self.steps) if step.reference), "")

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who has approved it."""
        return tuple(step.by for step in self.steps if step.kind is StepKind.APPROVE)

    @property
    def lifts(self) -> frozenset[str]:
        return frozenset(lifted for step in self.steps for lifted in step.lifts)

    @property
    def approved_at(self) -> int:
        """When it was last approved (microseconds)."""
        return max((at for step, at in zip(self.steps, self.times, strict=True) if step.kind is StepKind.APPROVE), default=self.times[0])

    @property
    def seen(self) -> tuple[SeenRights, ...]:
        """The rights by which its principal may read what was asked for, as a sync has last seen them; empty if none has."""
        return next((step.seen for step in reversed(self.steps) if step.seen), ())

    @property
    def is_reminded(self) -> bool:
        return any(step.kind is StepKind.REMIND for step in self.steps)

    def compute_state(self, now: int) -> RequestState:
        state = self.steps[-1].state
        if state is RequestState.OPEN and now >= self.wish.lapses:
            return RequestState.LAPSED
        if state in (RequestState.APPROVED, RequestState.GRANTED) and now >= self.until:
            return RequestState.EXPIRED
        return state

    def add(self, step: Step, at: int) -> Request:
        return Request(self.wish, (*self.steps, step), (*self.times, at))


class RequestRegister:
    """The requests in a store. Thread-safe. Follows what other processes write when it is refreshed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._requests: dict[str, Request] = {}
        self._position = 0
        self._grants: tuple[Request, ...] = ()

    @property
    def position(self) -> int:
        """That of the last step which is known; it changes with each."""
        return self._position

    def refresh(self) -> None:
        """Read the steps that are new in the store. Raises StoreUnavailable, StoreCorrupt."""
        while kept := self._store.read_journal(STEP, self._position, READ_AT_ONCE):  # not under the lock, which a writer waits for
            with self._lock:
                for one in kept:
                    if one.position > self._position:
                        self._add_step(_parse_step(one), one.record.at)
                        self._position = one.position
                active = (one for one in self._requests.values() if one.steps[-1].state is RequestState.GRANTED)
                self._grants = tuple(one for one in active if one.wish.kind is AccessKind.METADATA)

    def find(self, request_id: str) -> Request | None:
        return self._requests.get(request_id)

    def list_requests(self) -> list[Request]:
        """All requests, the newest first."""
        with self._lock:
            return list(reversed(self._requests.values()))

    def list_grants(self) -> Sequence[Request]:
        """The requests to see assets that are granted now, the oldest first."""
        now = get_current_micros()
        return [one for one in self._grants if one.compute_state(now) is RequestState.GRANTED]

    def append(self, before: Request | None, step: Step, records: Iterable[Record], at: int) -> Request:
        """Write the next step of a request (`before`: as the caller saw it; None: a new one) together with other records.

        Raises Superseded if the request has got another step meanwhile: then nothing is written.
        """
        written = [Record(STEP, f"{step.request} {step.number}", at, msgspec.json.encode(step)), *records]

        def build(_reader: RunReader) -> Batch:  # under the lock of the store: no other process adds a step meanwhile
            self.refresh()
            known = self.find(step.request)
            if (0 if known is None else len(known.steps)) != step.number or (before is not None and known != before):
                raise Superseded(f"{step.request} has changed meanwhile: look at it again")
            return Batch(journal=written)

        self._store.commit(build)
        self.refresh()
        found = self.find(step.request)
        assert found is not None, "it is in the store"
        return found

    def _add_step(self, step: Step, at: int) -> None:
        known = self._requests.get(step.request)
        if step.wish is not None:
            self._requests[step.request] = Request(step.wish, (step,), (at,))
        elif known is not None:
            self._requests[step.request] = known.add(step, at)


def _parse_step(kept: StoredRecord) -> Step:
    try:
        return msgspec.json.decode(kept.record.body, type=Step)
    except msgspec.MsgspecError as error:
        text = f"the request for access at position {kept.position} of the journal cannot be read ({error})"
        raise StoreCorrupt(f"{text}: restore the store from a backup") from error
