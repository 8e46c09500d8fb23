"""What all stores decide alike about history that they drop: which runs may go, and in which order the steps come."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from meshline.graph.store.base import Examine, Pruned, Run, RunKey

KNOWN_DAYS = 366  # for which a dropped run is known as such
SIBLINGS = 1000  # of one parent that are looked at
DAY, HOUR = 86_400_000_000, 3_600_000_000  # microseconds

Key = TypeVar("Key", int, str)  # by which a store knows a run


def run_steps(steps: Mapping[str, Iterable[int]], rest: Callable[[], bool]) -> Pruned:
    """Run all steps, by field of `Pruned`: each gives how much it has dropped. See `Store.prune_history` for `rest`."""
    done: Counter[str] = Counter()
    for what, counts in steps.items():
        for count in counts:
            done[what] += count
            if not rest():
                return Pruned(**done)
    return Pruned(**done)


def digest_run(key: RunKey) -> int:
    """A positive integer of 63 bits by which a dropped run is known."""
    text = msgspec.json.encode((key.source, *key.job.parts, key.run_id))
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


class RunLookup(Protocol[Key]):
    """What a store knows of its runs, in the transaction that drops some of them."""

    def read_runs(self, keys: Sequence[Key]) -> Mapping[Key, tuple[Run, Sequence[bytes]]]:
        """Runs with their pairs. Runs without a place in lists are left out: they stay."""
        ...

    def find_followed(self, runs: Mapping[Key, Run]) -> Collection[Key]:
        """The runs of which the job has a newer run, and each dataset that they write a newer one that writes it."""
        ...

    def find_active_versions(self, versions: Collection[str]) -> Collection[str]:
        """The versions of which a statement is active."""
        ...

    def list_siblings(self, key: Key, limit: int) -> Sequence[Key]:
        """The runs with pairs of the parent of a run that was read."""
        ...


class _OldRun(NamedTuple):
    """A run that may be dropped. `may_go`: no list and no active statement needs it."""

    may_go: bool
    is_witness: bool


class RunChoice(Generic[Key]):
    """Chooses the runs that may be dropped, in one transaction. `before`: a time in microseconds, see `Retention.runs`."""

    def __init__(self, before: int, examine: Examine, lookup: RunLookup[Key]) -> None:
        self._before = before
        self._examine = examine
        self._lookup: RunLookup[Key] = lookup
        self._seen: dict[Key, _OldRun] = {}

    def choose_runs(self, keys: Sequence[Key]) -> list[Key]:
        """Those of these runs that are not needed."""
        self._look_at(keys)
        return [key for key in keys if (one := self._seen.get(key)) is not None and self._is_free(key, one)]

    def _look_at(self, keys: Sequence[Key]) -> None:
        found = self._lookup.read_runs([key for key in keys if key not in self._seen])
        ages = {key: self._examine(run, pairs) for key, (run, pairs) in found.items()}
        over = {key: found[key][0] for key, age in ages.items() if age.last < self._before}
        followed = self._lookup.find_followed(over)
        active = self._lookup.find_active_versions({ages[key].version for key in followed})
        for key, age in ages.items():
            self._seen[key] = _OldRun(key in followed and age.version not in active, age.is_witness)

    def _is_free(self, key: Key, one: _OldRun) -> bool:
        """Whether a run may be dropped. One on which other runs of its parent depend goes when all of them may."""
        if not one.may_go or not one.is_witness:
            return one.may_go
        siblings = self._lookup.list_siblings(key, SIBLINGS + 1)
        if len(siblings) > SIBLINGS:
            return False
        self._look_at(siblings)
        return all(sibling in self._seen and self._seen[sibling].may_go for sibling in siblings)
