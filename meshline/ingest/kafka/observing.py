"""What an operator counts of consuming."""

from __future__ import annotations

from typing import Protocol

TAKEN = "taken"  # durable
KNOWN = "known"  # delivered again, and durable since before
DEAD_LETTER = "dead_letter"
OUTCOMES = (TAKEN, KNOWN, DEAD_LETTER)


class Observer(Protocol):
    """Told by the consumer's thread."""

    def consumed(self, outcome: str, number: int) -> None:
        """What became of messages: one of OUTCOMES."""
        ...

    def lagging(self, partition: int, messages: int) -> None:
        """How many messages of a partition that is ours are not durable yet."""
        ...

    def released(self, partition: int) -> None:
        """A partition is another's now."""
        ...
