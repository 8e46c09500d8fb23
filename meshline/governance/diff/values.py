"""Changes of the values that a field may have. Their order does not matter."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from meshline.governance.changes import Change
from meshline.governance.diff.columns import Column
from meshline.governance.diff.scope import Scope
from meshline.graph.model import Json


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
