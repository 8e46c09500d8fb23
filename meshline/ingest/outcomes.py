"""What became of the events of one commit, for who counts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from meshline.graph import model
from meshline.graph.model import Scope, run_of
from meshline.graph.store.base import Batch, Changes, RunKey
from meshline.ingest.openlineage.builder import Received
from meshline.ingest.openlineage.events import RunEvent
from meshline.ingest.openlineage.statements import version_of


class Committed(NamedTuple):
    """One commit. `seconds`: until it was durable and shown."""

    events: int
    unchanged: int  # events after which the graph says what it said before, if more recently
    bytes: int
    seconds: float


def committed(received: Sequence[Received], batch: Batch, changes: Changes, seconds: float) -> Committed:
    """What one commit did with these events, of which the batch was made."""
    news = _news(batch, changes)
    unchanged = sum((item.source, _voice(item)) not in news for item in received)
    return Committed(len(received), unchanged, sum(len(item.body) for item in received), seconds)


def _news(batch: Batch, changes: Changes) -> set[tuple[str, str | int]]:
    """(source, voice) of those who said what a scope did not say before: see `_voice`."""
    news: set[tuple[str, str | int]] = set()
    silent: set[tuple[str, Scope]] = set()
    for head in changes.heads:
        if head.content is None:
            silent.add((head.source, head.scope))
        elif head.valid_from == head.observed_at:  # a stretch begins; one that goes on began before
            news.add((head.source, run_of(head.version) or head.observed_at))
    if silent:  # who ended what was said
        news.update(
            (said.source, run_of(said.version) or said.observed_at) for said in batch.statements if (said.source, said.scope) in silent
        )
        news.update((taken.source, run_of(taken.version)) for taken in batch.withdrawals if (taken.source, taken.scope) in silent)
    return news


def _voice(item: Received) -> str | int:
    """By what statements are known to come from an event: its run's version, or, if it has no run, its time."""
    event = item.event
    if isinstance(event, RunEvent):
        return version_of(RunKey(item.source, model.job(*event.job), event.run_id))
    return event.time
