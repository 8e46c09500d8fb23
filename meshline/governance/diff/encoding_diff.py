"""Changes of how fields of Protobuf are encoded, beside their types: numbers, presence, choices, defaults, names in JSON, enums.

Sources: "Updating A Message Type" and "Enum Behavior" in Protobuf's documentation, and the rules of `buf breaking`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from meshline.governance.changes import Change, ChangeBuilder
from meshline.governance.diff.schema_match import Column, MatchedColumns, TableScope
from meshline.graph import model
from meshline.graph.contracts import Definition, Reserved

_EXPLICIT, _IMPLICIT = "explicit", "implicit"
_NO_CHOICE = "none"


def pair_renumbered(found: MatchedColumns) -> Mapping[str, tuple[Column, Column]]:
    """Fields of Protobuf that have the same name and another number: (before, after) by path."""
    added = {one.path: one for one in found.added if one.field.encoding is not None}
    pairs = {one.path: (one, added[one.path]) for one in found.gone if one.field.encoding is not None and one.path in added}
    return {path: (was, now) for path, (was, now) in pairs.items() if _get_number(was) != _get_number(now)}


def compare_numbers(
    scope: TableScope, renumbered: Mapping[str, tuple[Column, Column]], nested: Mapping[str, list[Column]]
) -> Iterator[Change]:
    """One change for each field that has another number. `nested`: what is in each column of before."""
    for path, (was, now) in renumbered.items():
        yield scope.build_change("field-number-changed", was, (_get_number(was), _get_number(now)), now=now, of=nested.get(path, ()))


def _get_number(column: Column) -> int:
    return column.field.encoding.number if column.field.encoding is not None else 0


def is_other_message(was: Column, now: Column) -> bool:
    """Whether two fields of Protobuf have messages or enums of other names."""
    if was.field.encoding is None or now.field.encoding is None:
        return False
    return bool(was.field.type_names and now.field.type_names) and was.field.type_names != now.field.type_names


def compare_encodings(scope: TableScope, was: Column, now: Column) -> Iterator[Change]:
    """The changes of a field that both versions encode as Protobuf; none for others."""
    old, new = was.field.encoding, now.field.encoding
    if old is None or new is None:
        return
    if {old.presence, new.presence} == {_EXPLICIT, _IMPLICIT}:
        yield scope.build_change("presence-changed", was, (old.presence, new.presence), now=now)
    if old.oneof != new.oneof:
        yield scope.build_change("oneof-changed", was, (old.oneof or _NO_CHOICE, new.oneof or _NO_CHOICE), now=now)
    if old.default != new.default:
        yield scope.build_change("default-changed", was, tuple(_quote(one) for one in (old.default, new.default)), now=now)  # type: ignore[arg-type]
    if old.json_name != new.json_name and was.field.name.rpartition(".")[2] == now.field.name.rpartition(".")[2]:
        yield scope.build_change("json-name-changed", was, (old.json_name, new.json_name), now=now)
    if was.field.enum and now.field.enum and old.is_closed is not new.is_closed:
        yield scope.build_change("enum-openness-changed", was, (_describe(old.is_closed), _describe(new.is_closed)), now=now)


def _quote(default: str | None) -> str:
    return "that of its type" if default is None else repr(default)


def _describe(is_closed: bool) -> str:  # noqa: FBT001 - the value is what is described
    return "closed" if is_closed else "open"


def is_numbered(column: Column) -> bool:
    """Whether a field is an enum whose values have numbers."""
    return column.field.encoding is not None and bool(column.field.encoding.enum_numbers)


def compare_numbered_values(scope: TableScope, was: Column, now: Column) -> Iterator[Change]:
    """The changes of the values of an enum of Protobuf: each by its name, or else by its number."""
    old, new = _index_numbers(was), _index_numbers(now)
    renamed: dict[str, str] = {}
    for name, number in old.items():
        if name in new:
            if new[name] != number:
                yield scope.build_change("enum-number-changed", was, (number, new[name]), now=now, detail=name, value=name)
            continue
        other = next((one for one, its in new.items() if its == number and one not in old and one not in renamed.values()), None)
        if other is None:
            yield scope.build_change("enum-value-removed", was, (name, None), now=now)
        else:
            renamed[name] = other
            yield scope.build_change("enum-value-renamed", was, (name, other), now=now)
    for name in new:
        if name not in old and name not in renamed.values():
            yield scope.build_change("enum-value-added", was, (None, name), now=now)


def _index_numbers(column: Column) -> dict[str, int]:
    numbers = column.field.encoding.enum_numbers if column.field.encoding is not None else ()
    return dict(zip(map(str, column.field.enum), numbers, strict=True))


def compare_reserved(draft: ChangeBuilder, old: Definition, new: Definition) -> Iterator[Change]:
    """Numbers and names that are no longer reserved, in messages and enums that both versions have."""
    if not old.reserved:
        return
    paths = {"", *(one.name for one in old.model.fields)} & {"", *(one.name for one in new.model.fields)}
    for one in old.reserved:
        if one.path not in paths or _is_reserved(one, new):
            continue
        assets = [model.build_column_key(dataset, one.path) for dataset in draft.assets] if one.path else None
        what = f"the name {one.name}" if one.name else f"the number {one.first}" if one.first == one.last else f"{one.first} to {one.last}"
        part = ("field", one.path, "reserved", what) if one.path else ("reserved", what)
        yield draft.build_change("number-released", part, what, assets=assets, object=one.path or old.model.name)


def _is_reserved(one: Reserved, new: Definition) -> bool:
    """Whether a later version reserves all of it, in one range or in several that follow each other."""
    same = [other for other in new.reserved if other.path == one.path]
    if one.name:
        return any(other.name == one.name for other in same)
    missing = one.first
    for other in sorted(same, key=lambda other: other.first):
        if not other.name and other.first <= missing <= other.last:
            missing = other.last + 1
    return missing > one.last
