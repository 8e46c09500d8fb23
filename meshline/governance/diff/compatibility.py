"""Modes of compatibility of schema registries: whether new readers read old data, and old readers new data.

A mode decides each change in place of the rules of a profile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meshline.governance.changes import Change, ChangeBuilder, SubjectKind
from meshline.governance.rules import Verdict
from meshline.graph.contracts import Definition, Direction, Field, Pair, Resolution, Unreadable

_B, _F = Direction

# Where Avro cannot read -> the rules of changes that explain it, of which the first that is found counts.
_EXPLAINED: Mapping[tuple[Direction, str], tuple[str, ...]] = {
    (_B, "field"): ("column-without-default-added", "required-column-added"),
    (_F, "field"): ("column-removed", "column-renamed"),
    (_B, "symbol"): ("enum-value-removed",),
    (_F, "symbol"): ("enum-symbol-added", "enum-symbol-with-default-added"),
    (_B, "type"): ("branch-removed", "column-required", "type-changed", "type-promoted"),
    (_F, "type"): ("branch-added", "column-nullable", "type-changed", "type-promoted"),
    (_B, "name"): ("type-renamed", "table-renamed", "type-changed"),
    (_F, "name"): ("type-renamed", "table-renamed", "type-changed"),
}

# Rules of Protobuf -> the directions in which its binary form is misread. Other changes are read in both.
_MISREAD: Mapping[str, frozenset[Direction]] = {
    **dict.fromkeys(
        ("field-number-changed", "enum-number-changed", "type-changed", "oneof-changed", "default-changed"), frozenset(Direction)
    ),
    **dict.fromkeys(("table-removed", "table-renamed"), frozenset(Direction)),
    "field-now-required": frozenset({_B}),
    "type-promoted": frozenset({_F}),
    "column-nullable": frozenset({_F}),
}


def decide_changes(changes: Iterable[Change], pair: Pair[Definition], resolution: Resolution) -> list[Change]:
    """The changes with the verdicts of a mode, and one more for each place that none of them explains."""
    found = list(changes)
    reasons: dict[int, str] = {}
    more: list[Change] = []
    for one in resolution.unreadable:
        explaining = _find_explaining(found, one)
        for at in explaining:
            reasons.setdefault(at, f"{_describe(one.direction)}: {one.text}.")
        if not explaining:
            more.append(_build_change(pair, one))
    if resolution.by_rule:
        for at, change in enumerate(found):
            misread = _find_misread(change, pair)
            first = next((one for one in resolution.directions if one in misread), None)
            if first is not None:
                reasons[at] = f"{_describe(first)}."
    return [
        *(
            change._replace(decided=(Verdict.BREAKING if at in reasons else Verdict.COMPATIBLE).name.lower(), why=reasons.get(at, ""))
            for at, change in enumerate(found)
        ),
        *more,
    ]


def _find_misread(change: Change, pair: Pair[Definition]) -> frozenset[Direction]:
    """In which directions the binary form of Protobuf is misread."""
    found = _MISREAD.get(change.rule, frozenset())
    if change.rule not in _OF_FIELDS or pair.before is None or pair.after is None:
        return found
    old = next((field for field in pair.before.value.model.fields if field.name == change.subject.part[1]), None)
    new = next((field for field in pair.after.value.model.fields if old is not None and field.id == old.id), None)
    match change.rule:
        case "column-removed" if old is not None and old.required and old.encoding is not None and old.encoding.number:
            return frozenset({_F})  # old readers require it
        case "enum-value-removed" if _is_closed(new):
            return frozenset({_B})
        case "enum-value-added" if _is_closed(old):
            return frozenset({_F})
    return found


_OF_FIELDS = frozenset({"column-removed", "enum-value-removed", "enum-value-added"})


def _is_closed(field: Field | None) -> bool:
    return field is not None and field.encoding is not None and field.encoding.is_closed


def keep_worst(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Each change once: of several versions that it is compared with, with the worst verdict."""
    found: dict[str, Change] = {}
    for change in changes:
        other = found.get(change.fingerprint)
        if other is None or (other.decided != change.decided and change.decided == Verdict.BREAKING.name.lower()):
            found[change.fingerprint] = change
    return tuple(found.values())


def _describe(direction: Direction) -> str:
    return "A reader of the new schema cannot read old data" if direction is _B else "A reader of the old schema cannot read new data"


def _find_explaining(changes: list[Change], one: Unreadable) -> list[int]:
    """The positions of the changes at a place, or else in it, or around it, that explain why data cannot be read there."""
    rules = _EXPLAINED[one.direction, one.what]
    paths = [change.subject.part[1] if change.subject.part[:1] == ("field",) else "" for change in changes]
    for is_near in (
        lambda path: path == one.path,
        lambda path: path.startswith(f"{one.path}."),
        lambda path: bool(path) and one.path.startswith(f"{path}."),
    ):
        near = [at for at, path in enumerate(paths) if is_near(path) and changes[at].rule in rules]
        if near:
            return near
    return []


def _build_change(pair: Pair[Definition], one: Unreadable) -> Change:
    version = pair.after or pair.before
    assert version is not None
    datasets = version.datasets.get("", ())
    name = datasets[0].qualified_name if datasets else version.value.model.name
    draft = ChangeBuilder(SubjectKind.TABLE, name, pair.before, pair.after, datasets)
    part = ("field", one.path, one.direction.value) if one.path else (one.direction.value,)
    change = draft.build_change("data-unreadable", part, object=one.path or version.value.model.name, detail=one.text)
    return change._replace(decided=Verdict.BREAKING.name.lower(), why=f"{_describe(one.direction)}: {one.text}.")
