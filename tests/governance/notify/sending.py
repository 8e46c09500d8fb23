"""Notices made by hand, and a sender of them with a clock of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshline.governance.notify.channels import Routes, Secret, Webhook, parse_pattern
from meshline.governance.notify.messages import load_templates
from meshline.governance.notify.outbox import SECOND, NoticeBody, Outbox, Receiver, build_record
from meshline.governance.notify.sender import Pace, Sender
from meshline.graph.store.base import Batch, Store

START = 1_700_000_000 * SECOND


class Clock:
    def __init__(self, at: int = START) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += int(seconds * SECOND)


def build_body(to: str = "team:finance", contacts: Mapping[str, str] | None = None, **more: Any) -> NoticeBody:
    receiver = Receiver("OWNER", to, f"own_{to}", {"email": f"{to.replace(':', '-')}@company.com"} if contacts is None else dict(contacts))
    given: dict[str, Any] = {
        "event": "change.landed",
        "fingerprint": "f1",
        "rule": "column-removed",
        "verdict": "breaking",
        "subject": "wh/sales.orders",
        "text": "`email` is removed",
        "why": "Every query that reads it fails.",
        "source": "iceberg/lake",
        "reason": "OWNS",
        "at": START,
        "assets": ("wh/fin.revenue",),
    }
    return NoticeBody(receiver=receiver, **{**given, **more})


def record_notices(store: Store, clock: Clock, **by_key: NoticeBody) -> None:
    records = [build_record(key, one, clock()) for key, one in by_key.items()]
    store.commit(lambda _: Batch(journal=records))


def build_sender(
    store: Store, clock: Clock, url: str = "", *, pace: Pace | None = None, webhook: Webhook | None = None, **given: Any
) -> Sender:
    routes = given.pop("routes", Routes(channels={"email": parse_pattern("email", url, "notify_channels")} if url else {}))
    return Sender(Outbox(store), routes, load_templates(given.pop("folder", None)), webhook, pace or Pace(wait=0, every=0), clock, **given)


def count_kinds(store: Store) -> dict[str, int]:
    counts: dict[str, int] = {}
    for kept in store.read_journal("", 0, 100_000):
        counts[kept.record.kind] = counts.get(kept.record.kind, 0) + 1
    return counts


__all__ = ["START", "Clock", "Secret", "build_body", "build_sender", "count_kinds", "record_notices"]
