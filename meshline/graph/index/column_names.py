"""What the names of a dataset's columns meant over time: pure, by what is said of renames and drops."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple


class ColumnStep(NamedTuple):
    """From `time` on a name does not mean the column that it meant before: that has another name, or is gone (None)."""

    time: int
    old: str
    new: str | None


class ColumnNames(NamedTuple):
    """All steps of the columns of one dataset, under any of its names.

    A fact of a time means the column that had the name then: one that is observed at the time of a step
    is about what has the name after it.
    """

    exact: frozenset[str]  # casefolded names of which the dataset has several spellings
    steps: Mapping[str, tuple[ColumnStep, ...]]  # key -> steps of that name by time, one at each time

    @classmethod
    def of(cls, said: Iterable[ColumnStep], exact: Collection[str]) -> ColumnNames:
        """Of several steps of a name at one time one counts: a drop, else the first new name."""
        names = cls(frozenset(exact), {})
        found: dict[str, dict[int, ColumnStep]] = defaultdict(dict)
        for step in sorted(said, key=lambda step: (step.time, step.new or "", step.old)):
            found[names.key(step.old)].setdefault(step.time, step)
        return names._replace(steps={key: tuple(by_time.values()) for key, by_time in found.items()})

    def key(self, name: str) -> str:
        """Equal for names that mean the same column at one time."""
        fold = name.casefold()
        return f"={name}" if fold in self.exact else f"~{fold}"

    def concern(self, name: str) -> bool:
        return self.key(name) in self.steps

    def ending(self, name: str, time: int) -> ColumnStep | None:
        """The first step of a name after a time: what the name meant at the time, it meant until then."""
        steps = self.steps.get(self.key(name), ())
        at = bisect_right(steps, time, key=lambda step: step.time)
        return steps[at] if at < len(steps) else None

    def now(self, step: ColumnStep) -> str | None:
        """The name that the column of which the step took a name has now; None: it is gone."""
        following: ColumnStep | None = step
        name: str | None = step.old
        while following is not None:
            name = following.new
            following = None if name is None else self.ending(name, following.time)
        return name

    def latest(self, name: str) -> str | None:
        """The name that the column which last had this one has now; None: it is gone, or nothing happened to the name."""
        steps = self.steps.get(self.key(name))
        return self.now(steps[-1]) if steps else None

    def former(self, name: str) -> list[tuple[str, int]]:
        """The names that a column had before, each with the time until which it had it; the oldest first."""
        steps = [step for of_name in self.steps.values() for step in of_name]
        return sorted(
            ((step.old, step.time) for step in steps if (now := self.now(step)) is not None and self.key(now) == self.key(name)),
            key=lambda found: (found[1], found[0]),
        )
