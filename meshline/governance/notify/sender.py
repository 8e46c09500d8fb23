"""Sends pending notices: one message for all notices of a receiver, not too often, and again after a failure."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from meshline.governance.notify.channels import Route, Routes, Undelivered, Webhook, check_available, deliver_message
from meshline.governance.notify.messages import Templates
from meshline.governance.notify.outbox import ACCESS_REQUESTED, EXECUTOR, SECOND, WEBHOOK, Outbox, Pending
from meshline.words import format_count

log = logging.getLogger("meshline.notify")

MINUTE = 60 * SECOND
DAY = 86_400 * SECOND


class Pace(NamedTuple):
    """`wait`: seconds to wait for notices that belong together. `every`: seconds between two messages to one address.
    `per_minute`: messages to all addresses together. `attempts`, `days`: after so many attempts or days a notice is given up.
    """

    wait: float = 30.0
    every: float = 300.0
    per_minute: int = 30
    attempts: int = 10
    days: float = 7.0


class Parcel(NamedTuple):
    """All notices that go to one place in one message. Without addresses it cannot be sent."""

    route: Route
    pending: tuple[Pending, ...]

    @property
    def is_webhook(self) -> bool:
        return self.kind in (WEBHOOK, EXECUTOR)

    @property
    def kind(self) -> str:
        """That of the receiver."""
        return self.pending[0].notice.body.receiver.kind


class SendResult(NamedTuple):
    """The number of messages sent and refused, and of notices given up."""

    sent: int
    refused: int
    given_up: int


class Sender:
    """For one thread."""

    def __init__(
        self,
        outbox: Outbox,
        routes: Routes,
        templates: Templates,
        webhook: Webhook | None,
        pace: Pace,
        clock: Callable[[], int],
        *,
        markdown: bool = False,
        executor: Webhook | None = None,
        kinds: Collection[str] | None = None,
    ) -> None:
        """`executor`: where events about access to data go. `kinds`: only notices to receivers of these kinds; None: all."""
        self._outbox = outbox
        self._routes = routes
        self._templates = templates
        self._pace = pace
        self._clock = clock
        self._markdown = markdown
        self._webhooks = {WEBHOOK: webhook, EXECUTOR: executor}
        self._kinds = kinds
        self._sent_at: deque[int] = deque()  # times of all messages of the last minute

    def list_parcels(self) -> list[Parcel]:
        """All pending notices by destination; receivers that share an address get one message, and another about requests for access."""
        grouped: dict[object, tuple[Route, list[Pending]]] = {}
        for one in self._list_pending():
            receiver = one.notice.body.receiver
            if receiver.kind in self._webhooks:
                grouped[one.notice.key] = (self._find_webhook(receiver.kind), [one])
            else:
                route, of_requests = self._routes.find_route(receiver), one.notice.body.event == ACCESS_REQUESTED
                grouped.setdefault((route.urls or receiver.name, of_requests), (route, []))[1].append(one)
        return [Parcel(route, tuple(pending)) for route, pending in grouped.values()]

    def send(self, *, now: bool = False) -> SendResult:
        """Send the notices that are due. `now`: send all pending ones, without waiting for more of them or for the next attempt.

        Raises MissingExtra.
        """
        check_available()
        at = self._clock()
        sent = refused = 0
        given_up = self._give_up(at)
        for parcel in self.list_parcels():
            if not parcel.route.urls or not self._has_room(at):
                continue
            ready = parcel.pending if now else tuple(one for one in parcel.pending if one.due <= at)
            if not ready or not (now or self._is_due(parcel, ready, at)):
                continue
            claimed = self._outbox.claim(ready, at)
            if claimed:
                ok = self._send_parcel(parcel, claimed)
                sent, refused = sent + ok, refused + (not ok)
        self._outbox.settle(at - int(self._pace.every * SECOND))
        return SendResult(sent, refused, given_up)

    def _list_pending(self) -> list[Pending]:
        return [one for one in self._outbox.list_pending() if self._kinds is None or one.notice.body.receiver.kind in self._kinds]

    def _find_webhook(self, kind: str) -> Route:
        webhook = self._webhooks[kind]
        if webhook is None:
            return Route((), f"not delivered (no {kind} is configured)")
        return Route((webhook.url,), webhook.url.label)

    def _is_due(self, parcel: Parcel, ready: Sequence[Pending], at: int) -> bool:
        if parcel.is_webhook:
            return True
        waited = min(one.notice.since for one in ready) + int(self._pace.wait * SECOND) <= at
        last = self._outbox.get_last_sent(parcel.route.label)
        return waited and (not last or last + int(self._pace.every * SECOND) <= at)

    def _has_room(self, at: int) -> bool:
        while self._sent_at and self._sent_at[0] <= at - MINUTE:
            self._sent_at.popleft()
        return len(self._sent_at) < self._pace.per_minute

    def _send_parcel(self, parcel: Parcel, claimed: Sequence[Pending]) -> bool:
        self._sent_at.append(self._clock())
        try:
            if parcel.is_webhook:
                webhook = self._webhooks[parcel.kind]
                assert webhook is not None, "it has an address"
                webhook.post(claimed[0].notice)
            else:
                deliver_message(
                    self._templates.build_message([one.notice.body for one in claimed], markdown=self._markdown), parcel.route.urls
                )
        except Undelivered as error:
            log.warning("not sent to %s (%s): %s", parcel.route.label, format_count(len(claimed), "notice"), error)
            self._outbox.mark_refused(claimed, str(error), self._clock())
            return False
        self._outbox.mark_sent(claimed, parcel.route.label, self._clock())
        log.info("sent to %s (%s)", parcel.route.label, format_count(len(claimed), "notice"))
        return True

    def _give_up(self, at: int) -> int:
        """Give up notices that were tried too often or are too old. Returns their number."""
        pace = self._pace
        often = [one for one in self._list_pending() if one.tried.attempts >= pace.attempts and one.due <= at]
        old = [one for one in self._list_pending() if one not in often and one.notice.since + int(pace.days * DAY) < at]
        self._outbox.mark_failed(often, f"tried {pace.attempts} times", at)
        self._outbox.mark_failed(old, f"could not be delivered in {pace.days:g} days", at)
        if often or old:
            log.warning("given up: %s", format_count(len(often) + len(old), "notice"))
        return len(often) + len(old)
