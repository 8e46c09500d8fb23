"""Changes of the columns of a table, or of the fields of a contract's model: of types, constraints on values, and classification."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation

import msgspec

from meshline.governance.changes import Change, fold_text
from meshline.governance.diff.encoding_diff import (
    compare_encodings,
    compare_numbered_values,
    compare_numbers,
    is_numbered,
    is_other_message,
    pair_renumbered,
)
from meshline.governance.diff.schema_match import (
    Column,
    MatchedColumns,
    TableScope,
    find_kind,
    has_quoted_case,
    index_nested,
    is_union,
    list_columns,
    list_parents,
    match_columns,
)
from meshline.governance.types import Type, can_promote, is_same, is_specified, is_widening, is_worded
from meshline.governance.types.normalization import normalise_type
from meshline.graph.contracts import Field, Model
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


def compare_bounds(scope: TableScope, was: Column, now: Column) -> Iterator[Change]:
    """One change for each bound (minimum, length, pattern, format) that differs."""
    for name, rising in _BOUNDS.items():
        if name == "format" and was.field.format != now.field.format and {was.field.format, now.field.format} <= _TIMES:
            yield scope.build_change("type-changed", was, (was.field.format, now.field.format), now=now, detail=name)
            continue
        old, new = (_drop_empty(getattr(one.field, name)) for one in (was, now))
        if rule := _decide_bound_rule(old, new, rising=rising):
            called = name.replace("_", " ").replace("min ", "minimum ").replace("max ", "maximum ")
            yield scope.build_change(rule, was, (_normalize_value(old), _normalize_value(new)), now=now, detail=name, bound=called)


def _decide_bound_rule(old: Json, new: Json, *, rising: bool | None) -> str | None:
    if old is None or new is None:
        return None if old == new else "bound-added" if old is None else "bound-removed"
    if old == new or _normalize_value(old) == _normalize_value(new):
        return None
    first, second = _parse_ordered(old), _parse_ordered(new)
    if rising is None or first is None or second is None or type(first) is not type(second):
        return "bound-changed"
    larger = second > first  # type: ignore[operator]
    return "bound-tightened" if larger is rising else "bound-loosened"


def _drop_empty(value: Json) -> Json:
    return None if value == "" else value


def _parse_ordered(value: Json) -> Decimal | dt.datetime | None:
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


def _normalize_value(value: Json) -> Json:
    """A number in one spelling: 1.0, `1` and 1 are the same."""
    found = _parse_ordered(value)
    if isinstance(found, Decimal):
        return int(found) if found == found.to_integral_value() else float(found)
    return value


def compare_enums(scope: TableScope, was: Column, now: Column) -> Iterator[Change]:
    """One change for each value, so that one more does not make others of them."""
    if is_numbered(was) and is_numbered(now):
        yield from compare_numbered_values(scope, was, now)
        return
    old, new = _index_values(was), _index_values(now)
    if not old or not new:
        if old or new:
            yield scope.build_change(
                "enum-dropped" if old else "enum-added", was, (list(old.values()) or None, list(new.values()) or None), now=now
            )
        return
    for key in old.keys() - new.keys():
        yield scope.build_change("enum-value-removed", was, (old[key], None), now=now)
    added = _decide_enum_rule(scope, was)
    details: dict[str, Json] = {"default": was.field.enum_default} if was.field.enum_default else {}
    for key in new.keys() - old.keys():
        change = scope.build_change(added, was, (None, new[key]), now=now)
        yield change._replace(details={**change.details, **details})


def _decide_enum_rule(scope: TableScope, was: Column) -> str:
    """A reader of Avro that does not know a symbol takes the default of its own schema, or fails."""
    if scope.read != ("avro", "avro"):
        return "enum-value-added"
    return "enum-symbol-with-default-added" if was.field.enum_default else "enum-symbol-added"


def _index_values(column: Column) -> dict[str, Json]:
    """By their spelling as JSON, in one order."""
    spelled = {msgspec.json.encode(value, order="sorted").decode(): value for value in column.field.enum}
    return dict(sorted(spelled.items()))


_PII = "pii"
# The less sensitive first; words of one line are the same to us.
_LADDER = (
    ("public", "open"),
    ("internal",),
    ("confidential", "private"),
    ("sensitive", "restricted", "secret", "pii", "phi", "pci", "highly confidential", "top secret"),
)
_RANKS = {word: rank for rank, words in enumerate(_LADDER) for word in words}


def compare_classifications(scope: TableScope, was: Column, now: Column) -> Iterator[Change]:
    """PII is stated by a flag, a tag or the classification; each of them means the same."""
    before, after = _is_pii(was.field), _is_pii(now.field)
    if before is not after:
        rule, values = ("classification-raised", (None, _PII)) if after else ("classification-removed", (_PII, None))
        yield scope.build_change(rule, was, values, now=now)
    old, new = _normalize_word(was.field), _normalize_word(now.field)
    if old == new or (before is not after and _PII in (old, new)):
        return
    if old and (not new or _RANKS.get(new, -1) < _RANKS.get(old, len(_LADDER))):
        yield scope.build_change("classification-removed", was, (old, new or None), now=now)
    elif not old or _RANKS[new] > _RANKS[old]:
        yield scope.build_change("classification-raised", was, (old or None, new), now=now)


def _is_pii(field: Field) -> bool:
    if field.pii is not None:
        return field.pii
    return _PII in {fold_text(word).casefold() for word in (field.classification, *field.tags)}


def _normalize_word(field: Field) -> str:
    return fold_text(field.classification).casefold()


AVRO = "avro"
_ELEMENTS = frozenset({"element", "key", "value"})


def compare_fields(scope: TableScope, before: Model, after: Model) -> Iterator[Change]:
    """The changes of the columns of two versions of a model: added, removed, and those of each pair."""
    old, new = (list_columns(fields, form) for fields, form in zip((before.fields, after.fields), scope.read, strict=True))
    found = match_columns(old, new, scope.fold)
    nested = index_nested(old)
    renumbered = pair_renumbered(found)
    yield from compare_numbers(scope, renumbered, nested)
    found = found._replace(
        gone=[one for one in found.gone if one.path not in renumbered], added=[one for one in found.added if one.path not in renumbered]
    )
    keys = {f"{one.path}.key" for one in old if find_kind(one) == "map"}
    yield from _compare_one_sided(scope, found, nested)
    for was, now in found.pairs:
        if was == now:
            continue
        yield from _compare_names(scope, was, now, nested)
        yield from _compare_types(scope, was, now, key=any(one in keys for one in (was.path, *list_parents(was.path))))
        yield from _compare_required(scope, was, now)
        yield from _compare_keys(scope, was, now)
        yield from compare_enums(scope, was, now)
        yield from compare_bounds(scope, was, now)
        yield from compare_classifications(scope, was, now)
        yield from compare_encodings(scope, was, now)
        if now.field.deprecated and not was.field.deprecated:
            yield scope.build_change("column-deprecated", was, now=now)


def _compare_one_sided(scope: TableScope, found: MatchedColumns, nested: Mapping[str, list[Column]]) -> Iterator[Change]:
    """Columns that are gone or added. An element of a list or map is not a column that comes or goes: its type is stated, or is not."""
    before, after = {now.path: was for was, now in found.pairs}, {was.path: now for was, now in found.pairs}
    for column in found.gone:
        parent = after.get(_find_parent(column))
        if parent is not None and is_union(parent):
            continue  # a branch of a union is a change of its type
        if _is_element(column, parent):
            if scope.promised:
                yield scope.build_change("type-withdrawn", column, (_format_type(column), None))
        else:
            yield scope.build_change("column-removed", column, (_format_type(column), None), of=nested.get(column.path, ()))
    for column in found.added:
        parent = before.get(_find_parent(column))
        if parent is not None and is_union(parent):
            continue
        if _is_element(column, parent):
            yield scope.build_change("type-specified", column, (None, _format_type(column)))
        else:
            oneof = column.field.encoding.oneof if column.field.encoding is not None else ""
            yield scope.build_change(_decide_added_rule(scope, column), column, (None, _format_type(column)), oneof=oneof or None)


def _decide_added_rule(scope: TableScope, column: Column) -> str:
    """A reader of Avro fills a field that was not written with its default, and fails if it has none, whatever the type."""
    if column.field.encoding is not None:
        is_case = bool(column.field.encoding.oneof)
        return "field-now-required" if column.field.required else "oneof-case-added" if is_case else "column-added"
    if column.field.defaulted:
        return "column-with-default-added" if column.field.required else "column-added"
    if scope.read[1] == AVRO and not column.field.required:
        return "column-without-default-added"
    return "required-column-added" if column.field.required else "column-added"


def _find_parent(column: Column) -> str:
    return next(list_parents(column.path), "")


def _is_element(column: Column, parent: Column | None) -> bool:
    of = find_kind(parent) if parent is not None else None
    return of in {"list", "map"} and column.path.rpartition(".")[2] in _ELEMENTS


def _format_type(column: Column) -> str | None:
    return str(column.type) if column.type is not None else None


def _compare_names(scope: TableScope, was: Column, now: Column, nested: Mapping[str, list[Column]]) -> Iterator[Change]:
    """By its last part: what is in a renamed column moves with it. Where quoted names keep their case, a rename
    that changes the case alone is a rename.
    """
    before, after = (one.name.rpartition(".")[2] for one in (was, now))
    meant = not scope.promised and was.field.id and was.field.id == now.field.id and has_quoted_case(scope.read[1])
    fold = str if meant else scope.fold
    if fold(before) != fold(after):
        called = scope.format_name(now.name)
        yield scope.build_change("column-renamed", was, (was.name, now.name), now=now, of=nested.get(was.path, ()), renamed=called)


def _compare_types(scope: TableScope, was: Column, now: Column, *, key: bool) -> Iterator[Change]:
    """The most severe change of its types and of its physical types. `key`: it is the key of a map, or in one."""
    found = list(_list_type_changes(scope, was, now, key=key))
    if found:
        rule, values = max(found, key=lambda one: _WORST.index(one[0]))
        yield scope.build_change(rule, was, values, now=now)
    yield from _compare_branches(scope, was, now)
    old, new = (one.field.type_names for one in (was, now))
    if scope.read == (AVRO, AVRO) and old and new and not _is_same_name(old, new):
        yield scope.build_change("type-renamed", was, (old[0], new[0]), now=now, detail="name")


_WORST = ("type-specified", "type-promoted", "type-widened", "type-withdrawn", "type-changed")


def _list_type_changes(scope: TableScope, was: Column, now: Column, *, key: bool) -> Iterator[tuple[str, tuple[str | None, str | None]]]:
    if was.type is None or now.type is None:
        if was.type is None and now.type is not None:
            yield "type-specified", (None, _format_type(now))
        elif was.type is not None and scope.promised:
            yield "type-withdrawn", (_format_type(was), None)
    elif named := _find_named_change(scope, was, now):
        yield "type-changed", named
    elif not _is_branched(scope, was, now):
        for form in scope.types:
            texts = (was.field.type, now.field.type)
            of_dialect = form != scope.read and all(is_worded(text, form[0]) for text in texts)
            first, second = map(normalise_type, texts, form) if of_dialect else (was.type, now.type)
            rule = _decide_type_rule(first, second, form if of_dialect else scope.read, scope, key=key)
            if rule is not None:
                shown = (was.type, now.type) if was.type.head != now.type.head else (first, second)
                yield rule, (shown[0].head, shown[1].head)
    old, new = (one.field.physical_type for one in (was, now))
    for form in scope.physical if old and new else ():
        first, second = normalise_type(old, form[0]), normalise_type(new, form[1])
        rule = None if _is_moved_only(form, old, new) else _decide_type_rule(first, second, form, scope, key=key)
        if rule is not None:
            yield rule, (str(first), str(second))


def _find_named_change(scope: TableScope, was: Column, now: Column) -> tuple[str, str] | None:
    """What two types are called if they differ because one has a name, or another name."""
    if scope.read == (AVRO, AVRO) and bool(was.field.type_names) is not bool(now.field.type_names):
        return was.field.type, now.field.type  # an enum is no string, and a fixed no bytes
    return (was.field.type_names[0], now.field.type_names[0]) if is_other_message(was, now) else None


def _is_moved_only(form: tuple[str, str], was: str, now: str) -> bool:
    """The text is the same, and the server is another: that is a change of the server."""
    return form[0] != form[1] and was.strip() == now.strip()


def _decide_type_rule(was: Type, now: Type, form: tuple[str, str], scope: TableScope, *, key: bool) -> str | None:
    if was.head == now.head or is_same(was, now):
        return None
    if is_specified(was, now) or (form == (AVRO, AVRO) and (was.name, now.name) == ("string", "uuid")):
        return "type-specified"
    if is_widening(was, now, form[1] or form[0]):
        own = not scope.promised and form[0] == form[1] and can_promote(form[1])
        return "type-changed" if key and form[1] == "iceberg" else "type-promoted" if own else "type-widened"
    return "type-widened" if is_specified(now, was) else "type-changed"


def _is_same_name(old: Sequence[str], new: Sequence[str]) -> bool:
    """As readers of Avro match named types: by the name without its namespace, or by an alias, which both sides need."""
    return old[0].rpartition(".")[2] == new[0].rpartition(".")[2] or (old[0] in new[1:] and new[0] in old[1:])


# -- unions


def _is_branched(scope: TableScope, was: Column, now: Column) -> bool:
    """Whether two types of Avro are compared branch by branch."""
    plain = [is_union(one) or not (find_kind(one) or one.field.type_names) for one in (was, now)]
    return scope.read == (AVRO, AVRO) and (is_union(was) or is_union(now)) and all(plain)


def _compare_branches(scope: TableScope, was: Column, now: Column) -> Iterator[Change]:
    """A branch that another can read without loss is no change, or grows into it."""
    if was.type is None or now.type is None or not _is_branched(scope, was, now):
        return
    old, new = (set(one.field.type.removeprefix("union<").removesuffix(">").split(", ")) for one in (was, now))
    grown = {(one, other) for one in old - new for other in new - old if _can_read(other, one)}
    for one, other in sorted(grown):
        yield scope.build_change("type-promoted", was, (one, other), now=now, detail=one)
    for one in sorted(old - new):
        if not any(_can_read(other, one) for other in new):
            yield scope.build_change("branch-removed", was, (one, None), now=now, detail=one)
    for one in sorted(new - old):
        if not any(_can_read(other, one) for other in old) and one not in {other for _, other in grown}:
            yield scope.build_change("branch-added", was, (None, one), now=now, detail=one)


def _can_read(reader: str, writer: str) -> bool:
    return is_widening(normalise_type(writer, AVRO), normalise_type(reader, AVRO), AVRO)


def _compare_required(scope: TableScope, was: Column, now: Column) -> Iterator[Change]:
    """What a contract does not state is not required; of a table it is unknown, so that a column that may be null now is a change."""
    before, after = was.field.required, now.field.required
    if after and not before:
        yield scope.build_change("field-now-required" if now.field.encoding is not None else "column-required", was, now=now)
    elif (before and not after) or (before is None and after is False and not scope.promised):
        yield scope.build_change("column-nullable", was, now=now)


def _compare_keys(scope: TableScope, was: Column, now: Column) -> Iterator[Change]:
    for name, called in (("primary_key", "primary key"), ("unique", "unique key")):
        before, after = (getattr(one.field, name) for one in (was, now))
        if bool(before) is not bool(after):
            yield scope.build_change("key-added" if after else "key-removed", was, (None, called) if after else (called, None), now=now)


def compare_order(before: Sequence[Field], after: Sequence[Field], scope: TableScope) -> Iterator[Change]:
    """The fewest columns whose move explains the new order: who was put in front of others moves, they do not."""
    old, new = (list_columns(fields, form) for fields, form in zip((before, after), scope.read, strict=True))
    top = [(was, now) for was, now in match_columns(old, new, scope.fold).pairs if "." not in was.path and "." not in now.path]
    places = {one.path: at for at, one in enumerate((one for one in new if "." not in one.path), 1)}
    origins = {one.path: at for at, one in enumerate((one for one in old if "." not in one.path), 1)}
    stay = _find_longest_rising([places[now.path] for _, now in top])
    for was, now in top:
        if places[now.path] not in stay:
            yield scope.build_change("column-moved", was, now=now, position=origins[was.path], new_position=places[now.path])


def _find_longest_rising(numbers: Sequence[int]) -> set[int]:
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
