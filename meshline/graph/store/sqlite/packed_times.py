"""Packed times (see `meshline.graph.store.packed_times`) in the table `packed_times`: read, written, and restored as rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from meshline.graph.model import JOB_OUTPUT, parse_run_id
from meshline.graph.store import packed_times
from meshline.graph.store.base import Head, PastHeads
from meshline.graph.store.head_table import format_scope, parse_scope
from meshline.graph.store.packed_times import (
    BEGINNING,
    BLOCK,
    PACKED_BEFORE,
    Block,
    OldObservation,
    Packer,
    Position,
    SettledVersion,
    Stretch,
    build_packed_version,
    find_newest_times,
    list_block_problems,
    merge_times,
)
from meshline.graph.store.sqlite.reader import ObservationRow, encode_numbers
from meshline.graph.store.sqlite.sql import SQL


def read_packed_before(connection: sqlite3.Connection) -> int:
    """The time before which observations may be packed, in microseconds."""
    row = connection.execute(SQL["setting"], (PACKED_BEFORE,)).fetchone()
    return BEGINNING if row is None else int(row[0])


def _find_block(connection: sqlite3.Connection, name: str, scope: int, provisional: int, at: int) -> Block[int] | None:
    row = connection.execute(SQL[name], (scope, provisional, at)).fetchone()
    return None if row is None else Block(*row)


def refine_heads(connection: sqlite3.Connection, heads: list[Head], as_of: int) -> list[Head]:
    """Heads as of a time with the time at which their content was last observed by then, if that is packed."""
    if as_of >= read_packed_before(connection):
        return heads
    packed = {number for (number,) in connection.execute(SQL["packed_scopes"], (encode_numbers(head.scope_id for head in heads),))}
    blocks = (
        block
        for head in heads
        if head.scope_id in packed
        for name in ("block_after", "block_before")
        if (block := _find_block(connection, name, head.scope_id, int(head.provisional), as_of)) is not None
    )
    return packed_times.refine_heads(heads, find_newest_times(blocks, as_of))


def refine_past_heads(connection: sqlite3.Connection, heads: PastHeads, as_of: int) -> PastHeads:
    """The same for heads without contents."""
    if as_of >= read_packed_before(connection):
        return heads
    blocks = (Block(*row) for row in connection.execute(SQL["blocks_about"], (encode_numbers(heads.scope_ids), as_of)))
    return packed_times.refine_past_heads(heads, find_newest_times(blocks, as_of))


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

    def _unpack(self, block: Block[int]) -> Iterator[ObservationRow]:
        self._connection.execute(SQL["remove_block"], block[:3])
        for at in block.decode():
            yield ObservationRow(block.scope, at, block.content, self._label(build_packed_version(at)), block.provisional, 0)


class Lookup:
    """See `PackingLookup`. Contents and versions are known by their ids."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def list_old(self, position: Position, before: int, limit: int) -> list[OldObservation[int]]:
        asked = (position.scope, position.since, before, limit)
        return [OldObservation(*row) for row in self._connection.execute(SQL["old_observations"], asked)]

    def find_final(self, versions: Collection[int]) -> set[int]:
        return {version for version, label in self._connection.execute(SQL["labels"], (encode_numbers(versions),)) if self._is_final(label)}

    def _is_final(self, label: str) -> bool:
        run = parse_run_id(label)
        return not run or self._connection.execute(SQL["run_name_exists"], (run,)).fetchone() is None

    def list_outputs(self, scope: int) -> list[int]:
        (text,) = self._connection.execute(SQL["scope_text"], (scope,)).fetchone()
        parts = parse_scope(text)
        if parts[0] != JOB_OUTPUT:
            return []
        job = format_scope(parts[:3])[:-1]
        return [number for (number,) in self._connection.execute(SQL["job_output_scopes"], (job + ",", job + "-"))]

    def list_settled_versions(self, scopes: Sequence[int]) -> Iterator[SettledVersion[int]]:
        return (SettledVersion(*row) for row in self._connection.execute(SQL["settled_versions"], (encode_numbers(scopes),)))


def pack(connection: sqlite3.Connection, packer: Packer[int], position: Position) -> tuple[int, Position | None]:
    """Pack one step: how many observations it packed, and where the next one begins. In a write transaction."""
    step = packer.plan(Lookup(connection), position)
    if step.plans:
        before = max(packer.before, read_packed_before(connection))
        connection.execute(SQL["put_setting"], (PACKED_BEFORE, str(before)))
    for plan in step.plans:
        for stretch in plan.packed:
            _put_times(connection, plan.scope, stretch)
        connection.executemany(SQL["remove_observations"], plan.removed)
    return step.size, step.after


def _put_times(connection: sqlite3.Connection, scope: int, stretch: Stretch[int]) -> None:
    """Pack the times of one stretch, together with the blocks in or just before them."""
    near = [block for block in _list_near_blocks(connection, scope, stretch) if block.content == stretch.content]
    connection.executemany(SQL["remove_block"], [block[:3] for block in near])
    connection.executemany(SQL["add_blocks"], merge_times(scope, stretch, near))


def _list_near_blocks(connection: sqlite3.Connection, scope: int, stretch: Stretch[int]) -> Iterable[Block[int]]:
    provisional, _, times = stretch
    found: list[Block[int]] = []
    before = _find_block(connection, "block_before", scope, provisional, times[0])
    # Another stretch between them would have a row that states something else.
    if before is not None and before.size < BLOCK and not _is_parted(connection, before, times[0]):
        found.append(before)
    at = times[0]
    while (block := _find_block(connection, "block_after", scope, provisional, at)) is not None and block.first <= times[-1]:
        found.append(block)
        at = block.last + 1
    return found


def _is_parted(connection: sqlite3.Connection, block: Block[int], at: int) -> bool:
    asked = (block.scope, block.last, at, block.provisional, block.content)
    return connection.execute(SQL["other_content_between"], asked).fetchone() is not None


def list_packed_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """The problems of blocks: times that cannot be read, that overlap, or with another content between them."""
    before: Block[int] | None = None
    for row in connection.execute(SQL["all_blocks"]):
        block: Block[int] = Block(*row)
        yield from list_block_problems(block, before)
        if _is_parted(connection, block._replace(last=block.first - 1), block.last + 1):
            yield f"scope {block.scope}: another content was stated between packed times"
        before = block


def count_blocks(connection: sqlite3.Connection) -> int:
    (count,) = connection.execute(SQL["count_blocks"]).fetchone()
    assert isinstance(count, int)
    return count
