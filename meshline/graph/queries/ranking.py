"""Affected assets in order, read no further than the page that is asked for.

Sorting by numbers (reach, distance, kind) is the work of arrays; names are made only for the stretch of
equal numbers that is read, and there by dataset first.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meshline.graph.index import Affected, LineageIndex
from meshline.graph.index.answers import Ints
from meshline.graph.model import AssetKind
from meshline.graph.queries.groups import Groups
from meshline.graph.queries.pages import SortKey


class Number(enum.Enum):
    """What assets are sorted by before their names."""

    REACH = enum.auto()
    DISTANCE = enum.auto()
    KIND = enum.auto()


class Place(NamedTuple):
    """A row of `Affected` and where it stands."""

    key: SortKey
    row: int


class Ranking:
    """The order by some numbers, then by names."""

    def __init__(self, index: LineageIndex, affected: Affected, groups: Groups, order: Sequence[Number]) -> None:
        self.index = index
        self.affected = affected
        self.groups = groups
        self.order = order

    def places(self, rows: Ints, after: SortKey | None) -> Iterator[Place]:
        """These rows in order, lazily, after a cursor's key."""
        columns = [self._numbers(number)[rows].astype(np.int64) for number in self.order]
        sizes = [int(column.max(initial=0)) + 1 for column in columns]
        code = np.zeros(rows.size, np.int64)
        for column, size in zip(columns, sizes, strict=True):
            code = code * size + column
        for stretch in _distinct(code):
            numbers = _digits(stretch, sizes)
            if after is None or numbers >= after.numbers:
                names = after.names if after is not None and numbers == after.numbers else None
                yield from self._named(rows[code == stretch], numbers, names)

    def _numbers(self, number: Number) -> Ints:
        if number is Number.DISTANCE:
            return self.affected.distance
        return (self.affected.reach if number is Number.REACH else self.groups.kind).astype(np.int32)

    def _named(self, rows: Ints, numbers: tuple[int, ...], after: tuple[str, ...] | None) -> Iterator[Place]:
        """Rows of equal numbers by name."""
        holders = self.groups.holder[rows]
        sequence = np.argsort(holders, kind="stable")
        rows = rows[sequence]
        distinct, starts = np.unique(holders[sequence], return_index=True)
        ends = [*starts[1:].tolist(), rows.size]
        named = sorted((self._name(node), start, end) for node, start, end in zip(distinct.tolist(), starts.tolist(), ends, strict=True))
        for name, start, end in named:
            if after is None or name >= after[: len(name)]:
                for full, row in sorted((self._full_name(row, name), row) for row in rows[start:end].tolist()):
                    if after is None or full > after:
                        yield Place(SortKey(numbers, full), row)

    def _name(self, node: int) -> tuple[str, ...]:
        """The namespace tells apart `a/b` + `c` and `a` + `b/c`."""
        key = self.index.key(node)
        return (key.qualified_name, key.parts[0], key.kind)

    def _full_name(self, row: int, holder: tuple[str, ...]) -> tuple[str, ...]:
        key = self.index.key(int(self.affected.nodes[row]))
        return (*holder, key.name) if key.kind is AssetKind.COLUMN else holder


def _distinct(codes: npt.NDArray[np.int64]) -> list[int]:
    """Sorted. Codes are mostly few and small: then counting is faster than sorting."""
    few = codes.max(initial=0) < 2 * codes.size
    found: list[int] = (np.flatnonzero(np.bincount(codes)) if few else np.unique(codes)).tolist()
    return found


def _digits(code: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """The numbers that a code was made of."""
    digits: list[int] = []
    for size in reversed(sizes):
        code, digit = divmod(code, size)
        digits.append(digit)
    return tuple(reversed(digits))
