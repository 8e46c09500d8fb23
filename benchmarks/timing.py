"""Times of our code and of the reference, measured in turns, so that other load of the machine affects both."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

Action: TypeAlias = Callable[[], object]


class Spent(NamedTuple):
    """Seconds: by the clock, and of the processor (this process, all threads)."""

    wall: float = 0.0
    cpu: float = 0.0

    def add(self, other: Spent) -> Spent:
        return Spent(self.wall + other.wall, self.cpu + other.cpu)


def measure_time(action: Action) -> Spent:
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def find_best(actions: Sequence[Action], rounds: int) -> list[Spent]:
    """The best times of each action; all are run in turns, `rounds` times.

    The best, not the mean: what other processes take is no property of the code.
    """
    times = [[measure_time(action) for action in actions] for _ in range(rounds)]
    return [Spent(*map(min, zip(*column, strict=True))) for column in zip(*times, strict=True)]
