"""Columns of two versions of a table, nested ones by their dotted paths, and which of them are the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from meshline.governance.types import NESTED, Type
from meshline.governance.types.dialects import Fold
from meshline.governance.types.normal import normal
from meshline.graph.promises import Field


class Column(NamedTuple):
    """A field with its type in normal form; None: not said."""

    field: Field
    type: Type | None

    @property
    def path(self) -> str:
        return self.field.name

    @property
    def name(self) -> str:
        """The column's name in the table."""
        return self.field.physical_name or self.field.name


class Matched(NamedTuple):
    """`gone`, `added`: without those in a parent that is itself gone, added, or of another kind after."""

    pairs: list[tuple[Column, Column]]
    gone: list[Column]
    added: list[Column]


def columns(fields: Sequence[Field], form: str) -> list[Column]:
    """The columns, and what is in them: as the fields say it, or else the text of the type. `form`: the words of the types."""
    parents = {parent for field in fields for parent in above(field.name)}
    return [one for field in fields for one in _with_parts(_column(field, form), listed=field.name in parents)]


def above(path: str) -> Iterator[str]:
    """The paths around a nested column, the nearest first."""
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _column(field: Field, form: str) -> Column:
    return Column(field, normal(field.type, form) if field.type.strip() else None)


def _with_parts(column: Column, *, listed: bool) -> Iterator[Column]:
    yield column
    for part in column.type.parts if column.type and not listed else ():
        field = Field(f"{column.path}.{part.name}", type=str(part.type), required=part.required, id=part.id)
        yield from _with_parts(Column(field, part.type), listed=False)


def matched(before: Sequence[Column], after: Sequence[Column], fold: Fold) -> Matched:
    """Which columns are the same: by id, else by name under the same parent, else by a name that is the same when `fold`ed."""
    found = _Matching(before, after)
    found.match(lambda one: one.field.id, lambda one: one.field.id)
    found.match(found.expected, lambda one: one.path)
    found.match(lambda one: one.field.physical_name, lambda one: one.field.physical_name)
    found.match(lambda one: fold(found.expected(one)), lambda one: fold(one.path))
    pairs = [(one, found.same[one.path]) for one in before if one.path in found.same]
    gone = [one for one in before if one.path not in found.same]
    added = [one for one in after if one.path not in found.taken]
    lost = {one.path for one in gone} | {was.path for was, now in pairs if _reshaped(was, now)}
    new = {one.path for one in added} | {now.path for was, now in pairs if _reshaped(was, now)}
    return Matched(
        pairs, [one for one in gone if lost.isdisjoint(above(one.path))], [one for one in added if new.isdisjoint(above(one.path))]
    )


class _Matching:
    def __init__(self, before: Sequence[Column], after: Sequence[Column]) -> None:
        self._before = sorted(before, key=lambda one: one.path.count("."))
        self._after = after
        self.same: dict[str, Column] = {}  # path of before -> the column of after
        self.taken: set[str] = set()

    def expected(self, one: Column) -> str:
        """The path that a column of before has after, if its parent was renamed."""
        parent, _, leaf = one.path.rpartition(".")
        return f"{self.same[parent].path}.{leaf}" if parent in self.same else one.path

    def match(self, was: Callable[[Column], str], now: Callable[[Column], str]) -> None:
        """Match what is left and has the same key, which no other has."""
        free: dict[str, list[Column]] = {}
        for one in self._after:
            if one.path not in self.taken and now(one):
                free.setdefault(now(one), []).append(one)
        left = Counter(was(one) for one in self._before if one.path not in self.same)
        for one in self._before:
            candidates = free.get(was(one), []) if one.path not in self.same and was(one) else []
            if len(candidates) == 1 and left[was(one)] <= 1 and _may_be(one, candidates[0]) and candidates[0].path not in self.taken:
                self.same[one.path] = candidates[0]
                self.taken.add(candidates[0].path)


def _may_be(was: Column, now: Column) -> bool:
    """Two ids are two columns, whatever their names."""
    return not was.field.id or not now.field.id or was.field.id == now.field.id


def _reshaped(was: Column, now: Column) -> bool:
    """Whether it holds other columns now, or none any more: that is one change, of its type."""
    kinds = {kind(one) for one in (was, now)}
    return len(kinds - {None}) > 1


def kind(column: Column) -> str | None:
    """struct, list, map or union of what holds other columns; empty for a plain type, None if it is not known."""
    if column.type is None:
        return None
    name = column.type.name
    return name if name in NESTED else "union" if is_union(column) else ""


def is_union(column: Column) -> bool:
    return column.field.type.startswith("union<")


def holdings(of: Iterable[Column]) -> Mapping[str, list[Column]]:
    """What is in each column, at any depth."""
    found: defaultdict[str, list[Column]] = defaultdict(list)
    for one in of:
        for parent in above(one.path):
            found[parent].append(one)
    return found
