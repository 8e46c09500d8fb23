"""Observations that repeat what their scope stated before and after, as blocks of times: a few bytes each in place of a row.

Of a stretch of equal content, the first and the last row stay, and with them every interval. A block has the times between, so that a
question as of a time still finds when the content was last observed; only the version, which names the run, is forgotten. Rows that may
still be withdrawn stay, too: those of runs that are stored. A late statement that falls between packed times restores the rows about it.

Here is what all stores decide alike: what may be packed, how times are encoded, and what they mean for a head as of a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np

from meshline.errors import StoreCorrupt
from meshline.graph.model import parse_family
from meshline.graph.store.base import Head, PastHeads

BLOCK = 128  # times in one block at most: rows that fit into pages without overflow
ROWS = 4000  # rows of one step: tens of milliseconds
PACKED_BEFORE = "history:packed-before"  # the setting with the time before which observations may be packed, in microseconds
BEGINNING = -(2**63)
_JOBS = 1000  # jobs whose versions are cached

Id = TypeVar("Id", bound=Hashable)  # by which a store knows a content and a version
Newest: TypeAlias = Mapping[tuple[int, int], int]  # the newest packed time up to a time, by scope and `provisional`


class Block(NamedTuple, Generic[Id]):
    """Some packed times of a scope: all of one content, all provisional (1) or none (0). Two blocks of a scope do not overlap."""

    scope: int
    provisional: int
    last: int
    first: int
    content: Id
    times: bytes

    @property
    def size(self) -> int:
        """The number of times."""
        return 1 + (len(self.times) - 1) // self.times[0]

    def decode(self) -> list[int]:
        """The times, in ascending order. Raises StoreCorrupt."""
        width = self.times[0] if self.times else 0
        if not 1 <= width <= 8 or (len(self.times) - 1) % width:
            raise StoreCorrupt("packed times cannot be read: restore the store from a backup")
        steps = np.zeros(((len(self.times) - 1) // width, 8), np.uint8)
        steps[:, :width] = np.frombuffer(self.times, np.uint8, offset=1).reshape(-1, width)
        found: list[int] = np.cumsum(np.concatenate(([self.first], steps.view("<i8").ravel()))).tolist()
        if found[-1] != self.last:
            raise StoreCorrupt("packed times do not end at their last: restore the store from a backup")
        return found


def build_block(scope: int, provisional: int, content: Id, times: Sequence[int]) -> Block[Id]:
    """`times`: ascending, each once, in microseconds. They are stored as steps of as many bytes as the longest needs."""
    steps = np.diff(np.array(times, np.int64))
    width = max(1, (int(steps.max(initial=0)).bit_length() + 7) // 8)
    encoded = steps.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    return Block(scope, provisional, times[-1], times[0], content, bytes([width]) + encoded)


def build_packed_version(at: int) -> str:
    """The version of a packed observation: that of no run, and another one for each time, as runs have."""
    return f"@{at}"


def find_newest_times(blocks: Iterable[Block[Id]], as_of: int) -> dict[tuple[int, int], int]:
    """See `Newest`. `blocks`: of each scope, those in which the time is or that are next to it, in any order, each perhaps twice."""
    newest: dict[tuple[int, int], int] = {}
    for block in blocks:
        if block.first <= as_of:
            at = block.last if block.last <= as_of else max(at for at in block.decode() if at <= as_of)
            newest[block[:2]] = max(at, newest.get(block[:2], BEGINNING))
    return newest


def find_packed_time(newest: Newest, scope: int, provisional: int, observed_at: int) -> int | None:
    """The newest packed time of a scope, if it is later than that of its newest row."""
    at = newest.get((scope, provisional), BEGINNING)
    return at if at > observed_at else None


def refine_heads(heads: Sequence[Head], newest: Newest) -> list[Head]:
    """Heads as of a time with the time at which their content was last observed by then, if that is packed."""
    refined: list[Head] = []
    for head in heads:
        at = find_packed_time(newest, head.scope_id, int(head.provisional), head.observed_at)
        refined.append(head if at is None else head._replace(observed_at=at, last_observed=at, version=build_packed_version(at)))
    return refined


def refine_past_heads(heads: PastHeads, newest: Newest) -> PastHeads:
    """The same for heads without contents."""
    observed_at, versions = list(heads.observed_at), list(heads.versions)
    for place, scope in enumerate(heads.scope_ids):
        at = find_packed_time(newest, scope, 0, observed_at[place])
        if at is not None:
            observed_at[place], versions[place] = at, build_packed_version(at)
    return heads._replace(observed_at=observed_at, versions=versions)


class OldObservation(NamedTuple, Generic[Id]):
    """An observation that may be packed. `lasts`: the duration of a provisional one in microseconds, 0: without an end, negative: it is
    never active.
    """

    scope: int
    observed_at: int
    content: Id
    version: Id
    provisional: int
    lasts: int


class SettledVersion(NamedTuple, Generic[Id]):
    """The version of an observation that is not provisional, and its text."""

    scope: int
    observed_at: int
    version: Id
    text: str


class PackingLookup(Protocol[Id]):
    """What a store knows of its observations, in one transaction."""

    def list_old(self, position: Position, before: int, limit: int) -> Sequence[OldObservation[Id]]:
        """The first observations before a time, by scope, then by time: of the scope of a position since its time, and of later scopes."""
        ...

    def find_final(self, versions: Collection[Id]) -> Collection[Id]:
        """Those of these versions whose statements are never withdrawn: no run that is stored owns them."""
        ...

    def list_outputs(self, scope: int) -> Sequence[int]:
        """The scopes with the lineage of a job's outputs, of all sources, if this is one of them."""
        ...

    def list_settled_versions(self, scopes: Sequence[int]) -> Iterable[SettledVersion[Id]]:
        """The versions of all observations of these scopes that are not provisional."""
        ...


class Position(NamedTuple):
    """Where a step begins. `settled`: since when its scope has a row that stays and is not provisional."""

    scope: int
    since: int
    settled: int | None


FIRST = Position(0, BEGINNING, None)


class Stretch(NamedTuple, Generic[Id]):
    """Times to pack, ascending, between equal statements."""

    provisional: int
    content: Id
    times: Sequence[int]


class Plan(NamedTuple, Generic[Id]):
    """What is packed of a scope, and the rows that are removed."""

    scope: int
    packed: Sequence[Stretch[Id]]
    removed: Sequence[OldObservation[Id]]


class Step(NamedTuple, Generic[Id]):
    """What one step packs, and where the next one begins; None: it is the last."""

    plans: Sequence[Plan[Id]]
    after: Position | None

    @property
    def size(self) -> int:
        """How many observations it packs."""
        return sum(len(plan.removed) for plan in self.plans)


class Packer(Generic[Id]):
    """One pass over all scopes, in steps. Packs what was observed before a time (microseconds)."""

    def __init__(self, before: int, rows: int = ROWS) -> None:
        self.before = before
        self._rows = rows
        self._uneven: dict[int, frozenset[Id]] = {}  # by the first scope of a job's outputs

    def plan(self, lookup: PackingLookup[Id], position: Position) -> Step[Id]:
        """What to do in the step that begins at a position."""
        rows = lookup.list_old(position, self.before, self._rows)
        final = frozenset(lookup.find_final({row.version for row in rows}))
        plans: list[Plan[Id]] = []
        current, _, settled = position
        for scope, of_scope in groupby(rows, key=lambda row: row.scope):
            if scope != current:
                current, settled = scope, None
            of_one = list(of_scope)
            if settled is None:
                settled = next((row.observed_at for row in of_one if not row.provisional and row.version in final), None)
            plan = self._plan_scope(lookup, of_one, final, settled)
            if plan.removed:
                plans.append(plan)
        if len(rows) < self._rows:
            return Step(plans, None)
        last = rows[-1].observed_at  # later rows of this time may not have been read
        since = last if (rows[0].scope, rows[0].observed_at) != (current, last) else last + 1
        return Step(plans, Position(current, since, settled))

    def _plan_scope(
        self, lookup: PackingLookup[Id], rows: Sequence[OldObservation[Id]], final: Collection[Id], since: int | None
    ) -> Plan[Id]:
        """`since`: when the scope has a row that stays and is not provisional."""
        settled = [row for row in rows if not row.provisional]
        packed, removed = _choose_middle(settled, lambda row: row.version in final)
        idle: list[OldObservation[Id]] = []  # rows that are never active
        provisional: list[OldObservation[Id]] = []
        for row in rows:
            if row.provisional:
                is_idle = row.lasts < 0 or (since is not None and row.observed_at >= since)
                (idle if is_idle and row.version in final else provisional).append(row)
        more, also = _choose_middle(provisional, lambda row: row.version in final and not row.lasts)
        if removed or also:
            outputs = lookup.list_outputs(rows[0].scope)
            if len(outputs) > 1:  # their rows show which is of the job's latest run
                more, also = [], []
                uneven = self._find_uneven(lookup, outputs)
                packed, removed = _choose_middle(settled, lambda row: row.version in final and row.version not in uneven)
        return Plan(rows[0].scope, [*packed, *more], [*removed, *also, *idle])

    def _find_uneven(self, lookup: PackingLookup[Id], scopes: Sequence[int]) -> frozenset[Id]:
        """The versions that state outputs of one job at different times: by them, not by the time, an output is known to be of its run."""
        known = self._uneven.get(scopes[0])
        if known is None:
            if len(self._uneven) >= _JOBS:
                self._uneven.clear()
            known = self._uneven[scopes[0]] = _list_uneven(lookup.list_settled_versions(scopes))
        return known


def _list_uneven(settled: Iterable[SettledVersion[Id]]) -> frozenset[Id]:
    times: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    versions: dict[str, set[Id]] = defaultdict(set)
    for scope, at, version, text in settled:
        family = parse_family(text)
        times[family][scope].add(at)
        versions[family].add(version)
    uneven = (family for family, by_scope in times.items() if len({frozenset(each) for each in by_scope.values()}) > 1)
    return frozenset(version for family in uneven for version in versions[family])


def _choose_middle(
    rows: Sequence[OldObservation[Id]], may_go: Callable[[OldObservation[Id]], bool]
) -> tuple[list[Stretch[Id]], list[OldObservation[Id]]]:
    """Of each stretch of equal content, the rows between the first and the last one of those that may go."""
    packed: list[Stretch[Id]] = []
    removed: list[OldObservation[Id]] = []
    for stretch in _iterate_stretches(rows):
        middle = [group for group in stretch if all(map(may_go, group))][1:-1]
        if middle:
            packed.append(Stretch(middle[0][0].provisional, middle[0][0].content, [group[0].observed_at for group in middle]))
            removed += [row for group in middle for row in group]
    return packed, removed


def _iterate_stretches(rows: Sequence[OldObservation[Id]]) -> Iterator[list[list[OldObservation[Id]]]]:
    """Rows of equal content that follow each other, as groups of one time. A time with several contents, or with an end, is in none."""
    stretch: list[list[OldObservation[Id]]] = []
    for _, of_time in groupby(rows, key=lambda row: row.observed_at):
        group = list(of_time)
        plain = len({row.content for row in group}) == 1 and not any(row.lasts for row in group)
        if stretch and (not plain or stretch[-1][0].content != group[0].content):
            yield stretch
            stretch = []
        if plain:
            stretch.append(group)
    if stretch:
        yield stretch


def merge_times(scope: int, stretch: Stretch[Id], blocks: Iterable[Block[Id]]) -> list[Block[Id]]:
    """The blocks with the times of a stretch and with those of other blocks, which they replace: of the same content, in or before it."""
    merged = set(stretch.times)
    for block in blocks:
        merged.update(block.decode())
    ordered = sorted(merged)
    return [build_block(scope, stretch.provisional, stretch.content, ordered[at : at + BLOCK]) for at in range(0, len(ordered), BLOCK)]


def list_block_problems(block: Block[Id], before: Block[Id] | None) -> Iterator[str]:
    """The problems of a block: times that cannot be read, that do not ascend, or that overlap with the block before."""
    try:
        times = block.decode()
    except StoreCorrupt as error:
        yield f"scope {block.scope}: {error}"
        return
    if any(step <= 0 for step in np.diff(times)):
        yield f"scope {block.scope}: packed times do not ascend"
    if before is not None and before[:2] == block[:2] and block.first <= before.last:
        yield f"scope {block.scope}: packed times overlap"
