"""What is owed, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from meshline.cli.terminal import Line
from meshline.graph.model import Json, from_micros
from meshline.words import counted

if TYPE_CHECKING:
    from meshline.governance.notify.outbox import Pending
    from meshline.governance.notify.sender import Parcel

SHOWN = 20  # notices of one receiver


def listed(parcels: Sequence[Parcel]) -> Iterator[Line]:
    """Each receiver, how it is reached, and of what it has to hear."""
    if not parcels:
        yield Line("no notice is pending")
        return
    for parcel in parcels:
        names = dict.fromkeys(one.notice.owed.receiver.name for one in parcel.pending)
        way = f" by {parcel.route.shown}" if parcel.route.urls else f": {parcel.route.shown}"
        yield Line(f"{', '.join(names)}{way}", "bold")
        for one in parcel.pending[:SHOWN]:
            owed = one.notice.owed
            yield Line(f"  {owed.verdict}: {owed.text} in {owed.subject}, since {_minute(owed.at)} ({owed.rule})")
            if one.tried.attempts:
                yield Line(f"    tried {counted(one.tried.attempts, 'time')}, again at {_minute(one.due)}: {one.tried.error}", "dim")
        if len(parcel.pending) > SHOWN:
            yield Line(f"  and {len(parcel.pending) - SHOWN} more", "dim")


def plain(parcels: Sequence[Parcel]) -> list[Json]:
    return [{"by": parcel.route.shown, "notices": [_plain(one) for one in parcel.pending]} for parcel in parcels]


def _plain(one: Pending) -> Json:
    owed = one.notice.owed
    return {
        "id": one.notice.key,
        "event": owed.event,
        "receiver": {"kind": owed.receiver.kind, "name": owed.receiver.name, "id": owed.receiver.id},
        "verdict": owed.verdict,
        "rule": owed.rule,
        "subject": owed.subject,
        "text": owed.text,
        "why": owed.why,
        "source": owed.source,
        "since": from_micros(owed.at).isoformat(),
        "assets": list(owed.assets),
        "attempts": one.tried.attempts,
        "error": one.tried.error or None,
        "due": from_micros(one.due).isoformat(),
    }


def _minute(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
