"""Changes of the columns of a table, or of the fields of a contract's model."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from meshline.governance.changes import Change
from meshline.governance.diff.bounds import bound_changes
from meshline.governance.diff.classes import class_changes
from meshline.governance.diff.columns import Column, Matched, above, columns, holdings, matched
from meshline.governance.diff.scope import Scope
from meshline.governance.diff.values import enum_changes
from meshline.governance.types import Type, normal, same, specified, widening
from meshline.graph.promises import Field, Model

_ELEMENTS = frozenset({"element", "key", "value"})


def field_changes(scope: Scope, before: Model, after: Model) -> Iterator[Change]:
    old, new = columns(before.fields, scope.before), columns(after.fields, scope.after)
    found = matched(old, new)
    held = holdings(old)
    yield from _one_sided(scope, found, held)
    for was, now in found.pairs:
        if was == now:
            continue
        yield from _renamed(scope, was, now, held)
        yield from _retyped(scope, was, now)
        yield from _required(scope, was, now)
        yield from _keys(scope, was, now)
        yield from enum_changes(scope, was, now)
        yield from bound_changes(scope, was, now)
        yield from class_changes(scope, was, now)
        if now.field.deprecated and not was.field.deprecated:
            yield scope.change("column-deprecated", was, now=now)


def _one_sided(scope: Scope, found: Matched, held: Mapping[str, list[Column]]) -> Iterator[Change]:
    """Columns that are gone or added. What is in a list or map is no column that comes or goes: its type is said, or is not."""
    before, after = {now.path: was for was, now in found.pairs}, {was.path: now for was, now in found.pairs}
    for column in found.gone:
        holder = after.get(_parent(column))
        if _is_element(column, holder):
            if scope.promised:
                yield scope.change("type-withdrawn", column, (_said(column), None))
        else:
            yield scope.change("column-removed", column, (_said(column), None), of=held.get(column.path, ()))
    for column in found.added:
        holder = before.get(_parent(column))
        if _is_element(column, holder):
            yield scope.change("type-specified", column, (None, _said(column)))
        else:
            rule = "required-column-added" if column.field.required else "column-added"
            yield scope.change(rule, column, (None, _said(column)))


def _parent(column: Column) -> str:
    return next(above(column.path), "")


def _is_element(column: Column, holder: Column | None) -> bool:
    kind = holder.type.name if holder is not None and holder.type is not None else ""
    return kind in {"list", "map"} and column.path.rpartition(".")[2] in _ELEMENTS


def _said(column: Column) -> str | None:
    return str(column.type) if column.type is not None else None


def _renamed(scope: Scope, was: Column, now: Column, held: Mapping[str, list[Column]]) -> Iterator[Change]:
    """By its last part: what is in a renamed column moves with it."""
    before, after = (one.name.rpartition(".")[2] for one in (was, now))
    if before.casefold() != after.casefold():
        called = scope.called(now.name)
        yield scope.change("column-renamed", was, (was.name, now.name), now=now, of=held.get(was.path, ()), renamed=called)


def _retyped(scope: Scope, was: Column, now: Column) -> Iterator[Change]:
    form = scope.after or scope.before
    if was.type is None or now.type is None:
        if was.type is None and now.type is not None:
            yield scope.change("type-specified", was, (None, _said(now)), now=now)
        elif was.type is not None and scope.promised:
            yield scope.change("type-withdrawn", was, (_said(was), None), now=now)
        return
    rule = _type_rule(was.type, now.type, form)
    if rule is not None:
        yield scope.change(rule, was, (was.type.head, now.type.head), now=now)
        return
    physical = (was.field.physical_type, now.field.physical_type)
    if all(physical):
        first, second = (normal(text) for text in physical)
        if (rule := _type_rule(first, second, "")) is not None:
            yield scope.change(rule, was, (str(first), str(second)), now=now)


def _type_rule(was: Type, now: Type, form: str) -> str | None:
    if was.head == now.head or same(was, now):
        return None
    if specified(was, now):
        return "type-specified"
    return "type-widened" if widening(was, now, form) or specified(now, was) else "type-changed"


def _required(scope: Scope, was: Column, now: Column) -> Iterator[Change]:
    """What a contract does not say is not required; of a table it is not known, and that it may be empty now is news."""
    before, after = was.field.required, now.field.required
    if after and not before:
        yield scope.change("column-required", was, now=now)
    elif (before and not after) or (before is None and after is False and not scope.promised):
        yield scope.change("column-nullable", was, now=now)


def _keys(scope: Scope, was: Column, now: Column) -> Iterator[Change]:
    for name, called in (("primary_key", "primary key"), ("unique", "unique key")):
        before, after = (getattr(one.field, name) for one in (was, now))
        if bool(before) is not bool(after):
            yield scope.change("key-added" if after else "key-removed", was, (None, called) if after else (called, None), now=now)


def moved(before: Sequence[Field], after: Sequence[Field], scope: Scope) -> Iterator[Change]:
    """The fewest columns whose move explains the new order: who was put in front of others moves, they do not."""
    old, new = columns(before, scope.before), columns(after, scope.after)
    top = [(was, now) for was, now in matched(old, new).pairs if "." not in was.path and "." not in now.path]
    places = {one.path: at for at, one in enumerate((one for one in new if "." not in one.path), 1)}
    origins = {one.path: at for at, one in enumerate((one for one in old if "." not in one.path), 1)}
    stay = _longest_rising([places[now.path] for _, now in top])
    for was, now in top:
        if places[now.path] not in stay:
            yield scope.change("column-moved", was, now=now, position=origins[was.path], new_position=places[now.path])


def _longest_rising(numbers: Sequence[int]) -> set[int]:
    """The longest subsequence that rises. The numbers differ."""
    ends: list[int] = []  # the smallest end of a rising subsequence of each length
    before: dict[int, int | None] = {}
    for number in numbers:
        at = bisect_left(ends, number)
        before[number] = ends[at - 1] if at else None
        ends[at : at + 1] = [number]
    found: set[int] = set()
    last = ends[-1] if ends else None
    while last is not None:
        found.add(last)
        last = before[last]
    return found
