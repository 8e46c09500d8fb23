"""Which (input, output) pairs of a run the column lineage of its sibling runs covers, before and after a batch.

Semantics, "When a dataset-level edge counts": a pair is covered if the run, or a run of the same parent
run, gives column edges from that input into that output. A failed run covers nothing.

One parent may have runs without end (each micro-batch of a stream is one), so no question may read all
of a family, which is all runs with one pair and parent. Of the runs that cover a pair, one is stored as
its witness and the others as spares, which are read only when the witness falls away; the runs whose
pair is not covered by themselves are read only when its coverage changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from meshline.graph.store.base import Pair, RunKey, RunReader
from meshline.ingest.openlineage.run_statements import RunVoice

# The role of a run in a family takes the place of the last byte of the pair's digest.
WITNESS, SPARE, FED = b"w", b"s", b"f"


class Family(NamedTuple):
    """All runs with one pair and parent."""

    source: str
    parent: str
    pair: bytes

    def role(self, role: bytes) -> tuple[str, str, bytes]:
        return self.source, self.parent, self.pair[:-1] + role


class Coverage:
    """For the runs that a batch changes, as they were (`before`) and will be (`after`)."""

    def __init__(self, before: Mapping[RunKey, RunVoice], after: Mapping[RunKey, RunVoice], runs: RunReader) -> None:
        self._runs = runs
        self._changed = after.keys()
        self._before: dict[Family, RunKey | None] = {}  # the witness that is stored
        self._after: dict[Family, RunKey | None] = {}  # the witness that will be
        covering: dict[Family, RunKey] = {}
        for voice in after.values():
            covering.update({family: voice.run for family in families(voice) if voice.pairs[family.pair]})
        self.look_up([*before.values(), *after.values()])
        self._choose(covering)

    def look_up(self, voices: Iterable[RunVoice]) -> None:
        """Learn the witnesses in the families of these runs."""
        unknown = {family.role(WITNESS): family for voice in voices for family in families(voice) if family not in self._before}
        if unknown:
            found = self._runs.siblings(unknown)
            for asked, family in unknown.items():
                witness = next((row.run for row in found.get(asked, ())), None)
                self._before[family] = self._after[family] = witness

    def before(self, voice: RunVoice) -> Callable[[bytes], bool]:
        return _covered(voice, self._before)

    def after(self, voice: RunVoice) -> Callable[[bytes], bool]:
        return _covered(voice, self._after)

    def affected(self) -> list[RunKey]:
        """The runs, but for those in the batch, that have a pair whose coverage changes."""
        flipped = [family for family, witness in self._before.items() if (witness is None) != (self._after[family] is None)]
        return self._others(flipped, FED)

    def promoted(self) -> list[RunKey]:
        """The runs, but for those in the batch, that become witnesses: their rows are to be put again."""
        return sorted(
            {witness for family, witness in self._after.items() if witness is not None and witness != self._before[family]} - self._changed
        )

    def rows(self, voice: RunVoice) -> list[Pair]:
        """The pairs to store for a run; `look_up` must know it."""
        return [
            Pair(voice.group, family.role(self._role(voice, family))[2], voice.run, voice.pairs[family.pair]) for family in families(voice)
        ]

    def _role(self, voice: RunVoice, family: Family) -> bytes:
        if not voice.pairs[family.pair]:
            return FED
        return WITNESS if self._after[family] == voice.run else SPARE

    def _choose(self, covering: Mapping[Family, RunKey]) -> None:
        """Witnesses that stay, else one of the batch, else a spare."""
        orphaned = []
        for family, witness in self._before.items():
            if witness is None or witness in self._changed:
                self._after[family] = covering.get(family)
                if witness is not None and family not in covering:
                    orphaned.append(family)
        if orphaned:
            spares = self._runs.siblings([family.role(SPARE) for family in orphaned])
            for family in orphaned:
                rows = spares.get(family.role(SPARE), ())
                self._after[family] = min((row.run for row in rows if row.run not in self._changed), default=None)

    def _others(self, wanted: Iterable[Family], role: bytes) -> list[RunKey]:
        asked = [family.role(role) for family in wanted]
        found = self._runs.siblings(asked) if asked else {}
        return sorted({row.run for rows in found.values() for row in rows} - self._changed)


def _covered(voice: RunVoice, witnesses: Mapping[Family, RunKey | None]) -> Callable[[bytes], bool]:
    if not voice.group:
        return _never
    return lambda pair: witnesses.get(_family(voice, pair)) is not None


def _never(_pair: bytes) -> bool:
    """A run without siblings."""
    return False


def families(voice: RunVoice) -> list[Family]:
    """Of each pair of a run; none if it has no parent."""
    return [_family(voice, pair) for pair in voice.pairs] if voice.group else []


def _family(voice: RunVoice, pair: bytes) -> Family:
    return Family(voice.source, voice.group, pair)
