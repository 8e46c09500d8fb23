"""What a benchmark yields: figures, each ours beside a reference of the same run, and whether a goal is reached."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from benchmarks.meshes import Meshes
from benchmarks.sizes import Size


class Sense(enum.StrEnum):
    AT_LEAST = "at least"
    AT_MOST = "at most"


class Goal(msgspec.Struct, frozen=True):
    """What the ratio should be."""

    sense: Sense
    bound: float

    def is_reached_by(self, ratio: float) -> bool:
        return ratio >= self.bound if self.sense is Sense.AT_LEAST else ratio <= self.bound


def build_minimum(bound: float) -> Goal:
    return Goal(Sense.AT_LEAST, bound)


def build_maximum(bound: float) -> Goal:
    return Goal(Sense.AT_MOST, bound)


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured case. `ours` and `reference` have the same unit; `against`: a description of the reference."""

    case: str
    unit: str
    ours: float
    reference: float
    against: str
    goal: Goal | None = None
    more: dict[str, float | int | str] = {}

    @property
    def ratio(self) -> float:
        return self.ours / self.reference

    @property
    def reached(self) -> bool | None:
        """None: there is no goal."""
        return None if self.goal is None else self.goal.is_reached_by(self.ratio)


def build_event_cost(case: str, ours: float, reference: float, against: str, milliseconds: float | None) -> Figure:
    """Milliseconds of processor for an event. `milliseconds`: the goal for ours."""
    return Figure(
        case=case,
        unit="ms of processor an event",
        ours=ours,
        reference=reference,
        against=against,
        goal=None if milliseconds is None else build_maximum(milliseconds / reference),
        more={} if milliseconds is None else {"goal, ms": milliseconds},
    )


class Benchmark(msgspec.Struct, frozen=True):
    """One file of this package.

    `about` is its paragraph on the page: what is measured, against what. `limits`: where goals are
    missed, the part that takes the time according to the profile.
    """

    name: str
    about: str
    run: Callable[[Size, Meshes], Iterator[Figure]]
    limits: str = ""


class Machine(msgspec.Struct, frozen=True):
    """Where figures were measured. `load`: the load average of the last minute when the run began."""

    processor: str
    cores: int
    memory_gib: float
    system: str
    python: str
    sqlite: str
    load: float


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark's run."""

    benchmark: str
    size: Size
    date: str
    seconds: float
    machine: Machine
    figures: list[Figure]


_records = msgspec.json.Decoder(list[Record])


def read_figures(path: Path) -> list[Record]:
    return _records.decode(path.read_bytes()) if path.exists() else []


def write_figures(path: Path, records: list[Record]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(records), indent=1) + b"\n")
