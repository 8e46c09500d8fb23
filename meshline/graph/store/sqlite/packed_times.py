"""Observations that repeat what their scope stated before and after, as blocks of times: a few bytes each in place of a row.

Of a stretch of equal content, the first and the last row stay, and with them every interval. A block has the times between, so that a
question as of a time still finds when the content was last observed; only the version, which names the run, is forgotten. Rows that may
still be withdrawn stay, too: those of runs that are stored. A late statement that falls between packed times restores the rows about it.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from meshline.errors import StoreCorrupt
from meshline.graph.model import JOB_OUTPUT, parse_family, parse_run_id
from meshline.graph.store.base import Head, PastHeads
from meshline.graph.store.head_table import format_scope, parse_scope
from meshline.graph.store.sqlite.reader import ObservationRow, encode_numbers
from meshline.graph.store.sqlite.sql import SQL

BLOCK = 128  # times in one block at most: rows that fit into pages without overflow
ROWS = 4000  # rows of one step: tens of milliseconds
PACKED_BEFORE = "history:packed-before"  # the setting with the time before which observations may be packed, in microseconds
_BEGINNING = -(2**63)
_JOBS = 1000  # jobs whose versions are cached


class Block(NamedTuple):
    """A row of the table `packed_times`."""

    scope: int
    provisional: int
    last: int
    first: int
    content: int
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


def build_block(scope: int, provisional: int, content: int, times: Sequence[int]) -> Block:
    """`times`: ascending, each once, in microseconds. They are stored as steps of as many bytes as the longest needs."""
    steps = np.diff(np.array(times, np.int64))
    width = max(1, (int(steps.max(initial=0)).bit_length() + 7) // 8)
    encoded = steps.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    return Block(scope, provisional, times[-1], times[0], content, bytes([width]) + encoded)


def build_packed_version(at: int) -> str:
    """The version of a packed observation: that of no run, and another one for each time, as runs have."""
    return f"@{at}"


def read_packed_before(connection: sqlite3.Connection) -> int:
    """The time before which observations may be packed, in microseconds."""
    row = connection.execute(SQL["setting"], (PACKED_BEFORE,)).fetchone()
    return _BEGINNING if row is None else int(row[0])


def _find_block(connection: sqlite3.Connection, name: str, scope: int, provisional: int, at: int) -> Block | None:
    row = connection.execute(SQL[name], (scope, provisional, at)).fetchone()
    return None if row is None else Block(*row)


def refine_heads(connection: sqlite3.Connection, heads: list[Head], as_of: int) -> list[Head]:
    """Heads as of a time with the time at which their content was last observed by then, if that is packed."""
    if as_of >= read_packed_before(connection):
        return heads
    packed = {number for (number,) in connection.execute(SQL["packed_scopes"], (encode_numbers(head.scope_id for head in heads),))}
    return [_refine_head(connection, head, as_of) if head.scope_id in packed else head for head in heads]


def _refine_head(connection: sqlite3.Connection, head: Head, as_of: int) -> Head:
    at = _find_newest(connection, head.scope_id, int(head.provisional), as_of)
    if at <= head.observed_at:
        return head
    return head._replace(observed_at=at, last_observed=at, version=build_packed_version(at))


def refine_past_heads(connection: sqlite3.Connection, heads: PastHeads, as_of: int) -> PastHeads:
    """The same for heads without contents."""
    if as_of >= read_packed_before(connection):
        return heads
    newest: dict[int, int] = {}
    for row in connection.execute(SQL["blocks_about"], (encode_numbers(heads.scope_ids), as_of)):
        block = Block(*row)
        if block.first <= as_of:
            at = block.last if block.last <= as_of else max(at for at in block.decode() if at <= as_of)
            newest[block.scope] = max(at, newest.get(block.scope, _BEGINNING))
    observed_at, versions = list(heads.observed_at), list(heads.versions)
    for place, scope in enumerate(heads.scope_ids):
        at = newest.get(scope, _BEGINNING)
        if at > observed_at[place]:
            observed_at[place], versions[place] = at, build_packed_version(at)
    return heads._replace(observed_at=observed_at, versions=versions)


def _find_newest(connection: sqlite3.Connection, scope: int, provisional: int, as_of: int) -> int:
    """The newest packed time up to a time."""
    block = _find_block(connection, "block_after", scope, provisional, as_of)
    if block is not None and block.first <= as_of:
        return max(at for at in block.decode() if at <= as_of)
    block = _find_block(connection, "block_before", scope, provisional, as_of)
    return _BEGINNING if block is None else block.last


class LateRows:
    """Writes statements that are older than packed times. `label`: gives the id of a version's label, allocated if it has none."""

    def __init__(self, connection: sqlite3.Connection, label: Callable[[str], int]) -> None:
        self._connection = connection
        self._label = label

    def restore(self, rows: Sequence[ObservationRow]) -> tuple[list[ObservationRow], list[ObservationRow]]:
        """Remove the blocks about these rows. Returns the rows that are packed already, and those of removed blocks, to be written."""
        known: list[ObservationRow] = []
        restored: list[ObservationRow] = []
        for row in rows:
            if self._connection.execute(SQL["observation_exists"], row).fetchone() is not None:
                continue
            block = _find_block(self._connection, "block_after", row.scope, row.provisional, row.observed_at)
            if block is not None and block.content == row.content and not row.lasts and row.observed_at in block.decode():
                known.append(row)
                continue
            for provisional in {row.provisional, 1}:  # what is settled ends what is provisional
                for name in ("block_after", "block_before"):
                    block = _find_block(self._connection, name, row.scope, provisional, row.observed_at)
                    if block is not None:
                        restored += self._unpack(block)
        return known, restored

    def _unpack(self, block: Block) -> Iterator[ObservationRow]:
        self._connection.execute(SQL["remove_block"], block[:3])
        for at in block.decode():
            yield ObservationRow(block.scope, at, block.content, self._label(build_packed_version(at)), block.provisional, 0)


class Packer:
    """One pass over all scopes, in steps. Packs what was observed before a time (microseconds)."""

    def __init__(self, before: int, rows: int = ROWS) -> None:
        self._before = before
        self._rows = rows
        self._scope, self._since = 0, _BEGINNING  # where the next step begins
        self._settled: int | None = None  # since when the current scope has a settled row that stays
        self._final: dict[int, bool] = {}
        self._uneven: dict[int, frozenset[int]] = {}  # by the first scope of a job's outputs

    def find_work(self, connection: sqlite3.Connection) -> bool:
        """Go on to the next step that has something to pack; False at the end. Only reads."""
        while True:
            begun = self._scope, self._since, self._settled
            packed, ended = self._plan(connection)
            if packed:
                self._scope, self._since, self._settled = begun
                return True
            if ended:
                return False

    def pack(self, connection: sqlite3.Connection) -> tuple[int, bool]:
        """The next step: how many observations it packed, and whether it was the last one. In a write transaction."""
        self._final.clear()  # runs may have been stored meanwhile
        planned, ended = self._plan(connection)
        if planned:
            before = max(self._before, read_packed_before(connection))
            connection.execute(SQL["put_setting"], (PACKED_BEFORE, str(before)))
        for plan in planned:
            for provisional, content, times in plan.packed:
                _put_times(connection, plan.scope, provisional, content, times)
            connection.executemany(SQL["remove_observations"], plan.removed)
        return sum(len(plan.removed) for plan in planned), ended

    def _plan(self, connection: sqlite3.Connection) -> tuple[list[_Plan], bool]:
        """What to do in the next step, and whether it is the last one."""
        asked = (self._scope, self._since, self._before, self._rows)
        rows = [ObservationRow(*row) for row in connection.execute(SQL["old_observations"], asked)]
        self._learn_versions(connection, {row.version for row in rows})
        plans: list[_Plan] = []
        for scope, of_scope in groupby(rows, key=lambda row: row.scope):
            if scope != self._scope:
                self._scope, self._settled = scope, None
            plan = self._plan_scope(connection, scope, list(of_scope))
            if plan.removed:
                plans.append(plan)
        if len(rows) < self._rows:
            return plans, True
        last = rows[-1].observed_at  # later rows of this time may not have been read
        self._since = last if (rows[0].scope, rows[0].observed_at) != (self._scope, last) else last + 1
        return plans, False

    def _plan_scope(self, connection: sqlite3.Connection, scope: int, rows: list[ObservationRow]) -> _Plan:
        settled = [row for row in rows if not row.provisional]
        packed, removed = _choose_middle(settled, self._is_final)
        if self._settled is None:
            self._settled = next((row.observed_at for row in settled if self._final[row.version]), None)
        idle: list[ObservationRow] = []  # rows that are never active
        provisional: list[ObservationRow] = []
        for row in rows:
            if row.provisional:
                is_idle = row.lasts < 0 or (self._settled is not None and row.observed_at >= self._settled)
                (idle if is_idle and self._final[row.version] else provisional).append(row)
        more, also = _choose_middle(provisional, lambda row: self._final[row.version] and not row.lasts)
        if removed or also:
            outputs = self._list_outputs(connection, scope)
            if len(outputs) > 1:  # their rows show which is of the job's latest run
                more, also = [], []
                uneven = self._find_uneven(connection, outputs)
                packed, removed = _choose_middle(settled, lambda row: self._final[row.version] and row.version not in uneven)
        return _Plan(scope, [*packed, *more], [*removed, *also, *idle])

    def _is_final(self, row: ObservationRow) -> bool:
        return self._final[row.version]

    def _learn_versions(self, connection: sqlite3.Connection, versions: set[int]) -> None:
        """Whether statements of a version are never withdrawn: no run that is stored owns them."""
        self._final = {version: final for version, final in self._final.items() if version in versions}
        for version, label in connection.execute(SQL["labels"], (encode_numbers(versions - self._final.keys()),)):
            run = parse_run_id(label)
            self._final[version] = not run or connection.execute(SQL["run_name_exists"], (run,)).fetchone() is None

    def _list_outputs(self, connection: sqlite3.Connection, scope: int) -> list[int]:
        """The scopes with the lineage of a job's outputs, if this is one of them."""
        (text,) = connection.execute(SQL["scope_text"], (scope,)).fetchone()
        parts = parse_scope(text)
        if parts[0] != JOB_OUTPUT:
            return []
        job = format_scope(parts[:3])[:-1]
        return [number for (number,) in connection.execute(SQL["job_output_scopes"], (job + ",", job + "-"))]

    def _find_uneven(self, connection: sqlite3.Connection, scopes: Sequence[int]) -> frozenset[int]:
        """The versions that state outputs of one job at different times: by them, not by the time, an output is known to be of its run."""
        known = self._uneven.get(scopes[0])
        if known is None:
            if len(self._uneven) >= _JOBS:
                self._uneven.clear()
            known = self._uneven[scopes[0]] = _list_uneven(connection, scopes)
        return known


def _list_uneven(connection: sqlite3.Connection, scopes: Sequence[int]) -> frozenset[int]:
    times: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    versions: dict[str, set[int]] = defaultdict(set)
    for scope, at, version, label in connection.execute(SQL["settled_versions"], (encode_numbers(scopes),)):
        family = parse_family(label)
        times[family][scope].add(at)
        versions[family].add(version)
    uneven = (family for family, by_scope in times.items() if len({frozenset(each) for each in by_scope.values()}) > 1)
    return frozenset(version for family in uneven for version in versions[family])


class _Plan(NamedTuple):
    """What is packed of a scope (provisional, content, times), and the rows that are removed."""

    scope: int
    packed: list[tuple[int, int, list[int]]]
    removed: list[ObservationRow]


def _choose_middle(
    rows: Sequence[ObservationRow], may_go: Callable[[ObservationRow], bool]
) -> tuple[list[tuple[int, int, list[int]]], list[ObservationRow]]:
    """Of each stretch of equal content, the rows between the first and the last one of those that may go."""
    packed: list[tuple[int, int, list[int]]] = []
    removed: list[ObservationRow] = []
    for stretch in _iterate_stretches(rows):
        middle = [group for group in stretch if all(map(may_go, group))][1:-1]
        if middle:
            packed.append((middle[0][0].provisional, middle[0][0].content, [group[0].observed_at for group in middle]))
            removed += [row for group in middle for row in group]
    return packed, removed


def _iterate_stretches(rows: Sequence[ObservationRow]) -> Iterator[list[list[ObservationRow]]]:
    """Rows of equal content that follow each other, as groups of one time. A time with several contents, or with an end, is in none."""
    stretch: list[list[ObservationRow]] = []
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


def _put_times(connection: sqlite3.Connection, scope: int, provisional: int, content: int, times: Sequence[int]) -> None:
    """Pack the times of one stretch, together with the blocks in or just before them."""
    merged = set(times)
    for block in _list_near_blocks(connection, scope, provisional, times):
        if block.content == content:
            merged.update(block.decode())
            connection.execute(SQL["remove_block"], block[:3])
    ordered = sorted(merged)
    blocks = [build_block(scope, provisional, content, ordered[at : at + BLOCK]) for at in range(0, len(ordered), BLOCK)]
    connection.executemany(SQL["add_blocks"], blocks)


def _list_near_blocks(connection: sqlite3.Connection, scope: int, provisional: int, times: Sequence[int]) -> Iterable[Block]:
    found: list[Block] = []
    before = _find_block(connection, "block_before", scope, provisional, times[0])
    # Another stretch between them would have a row that states something else.
    if before is not None and before.size < BLOCK and not _is_parted(connection, before, times[0]):
        found.append(before)
    at = times[0]
    while (block := _find_block(connection, "block_after", scope, provisional, at)) is not None and block.first <= times[-1]:
        found.append(block)
        at = block.last + 1
    return found


def _is_parted(connection: sqlite3.Connection, block: Block, at: int) -> bool:
    asked = (block.scope, block.last, at, block.provisional, block.content)
    return connection.execute(SQL["other_content_between"], asked).fetchone() is not None


def list_packed_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """The problems of blocks: times that cannot be read, that overlap, or with another content between them."""
    before: Block | None = None
    for row in connection.execute(SQL["all_blocks"]):
        block = Block(*row)
        try:
            times = block.decode()
        except StoreCorrupt as error:
            yield f"scope {block.scope}: {error}"
            continue
        if any(step <= 0 for step in np.diff(times)):
            yield f"scope {block.scope}: packed times do not ascend"
        if before is not None and before[:2] == block[:2] and block.first <= before.last:
            yield f"scope {block.scope}: packed times overlap"
        if _is_parted(connection, block._replace(last=block.first - 1), block.last + 1):
            yield f"scope {block.scope}: another content was stated between packed times"
        before = block


def count_blocks(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute(SQL["count_blocks"]).fetchone()
    assert isinstance(count, int)
    return count
