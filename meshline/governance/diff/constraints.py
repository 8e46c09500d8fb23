"""Changes of the constraints on the values of a field: bounds, lengths, patterns, formats, and the list of values, whose order
does not matter.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

import msgspec

from meshline.governance.changes import Change
from meshline.governance.diff.change_builder import Scope
from meshline.governance.diff.schema_match import Column
from meshline.graph.model import Json

# Attribute of a field -> whether a larger one is the stricter; None: they cannot be compared.
_BOUNDS: dict[str, bool | None] = {
    "minimum": True,
    "exclusive_minimum": True,
    "min_length": True,
    "maximum": False,
    "exclusive_maximum": False,
    "max_length": False,
    "min_items": True,
    "max_items": False,
    "pattern": None,
    "format": None,
}

_TIMES = frozenset({"date", "date-time", "time", "duration"})  # formats of JSON Schema: a reader of one cannot read another


def bound_changes(scope: Scope, was: Column, now: Column) -> Iterator[Change]:
    for name, rising in _BOUNDS.items():
        if name == "format" and was.field.format != now.field.format and {was.field.format, now.field.format} <= _TIMES:
            yield scope.change("type-changed", was, (was.field.format, now.field.format), now=now, detail=name)
            continue
        old, new = (_given(getattr(one.field, name)) for one in (was, now))
        if rule := _rule(old, new, rising=rising):
            called = name.replace("_", " ").replace("min ", "minimum ").replace("max ", "maximum ")
            yield scope.change(rule, was, (_normal(old), _normal(new)), now=now, detail=name, bound=called)


def _rule(old: Json, new: Json, *, rising: bool | None) -> str | None:
    if old is None or new is None:
        return None if old == new else "bound-added" if old is None else "bound-removed"
    if old == new or _normal(old) == _normal(new):
        return None
    first, second = _ordered(old), _ordered(new)
    if rising is None or first is None or second is None or type(first) is not type(second):
        return "bound-changed"
    larger = second > first  # type: ignore[operator]
    return "bound-tightened" if larger is rising else "bound-loosened"


def _given(value: Json) -> Json:
    return None if value == "" else value


def _ordered(value: Json) -> Decimal | dt.datetime | None:
    """A number or time, so that it can be compared."""
    if isinstance(value, bool):
        return None
    text = str(value).strip()
    try:
        found = Decimal(text)
        return found if found.is_finite() else None
    except InvalidOperation:
        pass
    try:
        return dt.datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def _normal(value: Json) -> Json:
    """A number in one spelling: 1.0, `1` and 1 are the same."""
    found = _ordered(value)
    if isinstance(found, Decimal):
        return int(found) if found == found.to_integral_value() else float(found)
    return value


def enum_changes(scope: Scope, was: Column, now: Column) -> Iterator[Change]:
    """One change for each value, so that one more does not make others of them."""
    old, new = _values(was), _values(now)
    if not old or not new:
        if old or new:
            yield scope.change(
                "enum-dropped" if old else "enum-added", was, (list(old.values()) or None, list(new.values()) or None), now=now
            )
        return
    for key in old.keys() - new.keys():
        yield scope.change("enum-value-removed", was, (old[key], None), now=now)
    added = _added(scope, was)
    told: dict[str, Json] = {"default": was.field.enum_default} if was.field.enum_default else {}
    for key in new.keys() - old.keys():
        change = scope.change(added, was, (None, new[key]), now=now)
        yield change._replace(told={**change.told, **told})


def _added(scope: Scope, was: Column) -> str:
    """A reader of Avro that does not know a symbol takes the default of its own schema, or fails."""
    if scope.read != ("avro", "avro"):
        return "enum-value-added"
    return "enum-symbol-with-default-added" if was.field.enum_default else "enum-symbol-added"


def _values(column: Column) -> dict[str, Json]:
    """By their spelling as JSON, in one order."""
    spelled = {msgspec.json.encode(value, order="sorted").decode(): value for value in column.field.enum}
    return dict(sorted(spelled.items()))
