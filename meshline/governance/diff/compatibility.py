"""Modes of compatibility of schema registries: whether new readers read old data, and old readers new data.

A mode decides each change in place of the rules of a profile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from meshline.governance.changes import Change, ChangeBuilder, SubjectKind
from meshline.governance.rules import Verdict
from meshline.graph.contracts import Definition, Direction, Pair, Resolution, Unreadable

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
        required = {field.name for field in pair.before.value.model.fields if field.required and field.encoding} if pair.before else set()
        for at, change in enumerate(found):
            directions = set(_MISREAD.get(change.rule, ()))
            if change.rule == "column-removed" and change.subject.part[-1] in required:
                directions.add(_F)
            for direction in resolution.directions:
                if direction in directions:
                    reasons.setdefault(at, f"{_describe(direction)}.")
    return [
        *(
            change._replace(decided=(Verdict.BREAKING if at in reasons else Verdict.COMPATIBLE).name.lower(), why=reasons.get(at, ""))
            for at, change in enumerate(found)
        ),
        *more,
    ]


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
