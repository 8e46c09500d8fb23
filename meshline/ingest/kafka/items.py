"""The messages of a round, and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent import futures
from dataclasses import dataclass

from confluent_kafka import Message

from meshline.ingest.pipeline import Accepted


@dataclass
class Item:
    """A message. `known`: durable since before. `refused`: why it cannot be taken; then it is `buried` once it is a dead letter.
    `answer`: of the pipeline.
    """

    message: Message
    partition: int
    offset: int
    body: bytes
    known: bool = False
    refused: Exception | None = None
    buried: bool = False
    answer: futures.Future[Accepted] | None = None

    @property
    def is_written(self) -> bool:
        return self.answer is not None and self.answer.done() and self.answer.exception() is None

    @property
    def is_finished(self) -> bool:
        return self.known or self.buried or self.is_written


def finished(items: Iterable[Item]) -> dict[int, int]:
    """By partition, the offset after the last message before which all are finished."""
    offsets: dict[int, int] = {}
    open_: set[int] = set()
    for item in items:
        if not item.is_finished:
            open_.add(item.partition)
        elif item.partition not in open_:
            offsets[item.partition] = item.offset + 1
    return offsets


def settle(items: Iterable[Item], seconds: float, of: Collection[int] | None = None) -> None:
    """Wait until the pipeline has answered (for those of some partitions only)."""
    futures.wait([item.answer for item in items if item.answer is not None and (of is None or item.partition in of)], seconds)
