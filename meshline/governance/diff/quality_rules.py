"""Changes of quality rules. Their order, names in sentences, severities and schedules do not matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from meshline.governance.changes import Change
from meshline.governance.diff.change_builder import ChangeBuilder, fold_text
from meshline.graph.contracts import Rule
from meshline.graph.model import AssetKey, Json

_Key: TypeAlias = tuple[str, str, str]  # model, field, what the rule is called
_VALIDITY = frozenset({"invalidValues", "validValues"})
_MOVED = frozenset({"quality-rule-tightened", "quality-rule-loosened"})  # by their thresholds alone
_RISING = frozenset({"greater_than", "greater_or_equal"})
_FALLING = frozenset({"less_than", "less_or_equal"})


def compare_rules(
    draft: ChangeBuilder, before: Sequence[Rule], after: Sequence[Rule], assets: Mapping[tuple[str, str], tuple[AssetKey, ...]]
) -> Iterator[Change]:
    """A rule is the same one by its model, field and name; if it has none, by its metric or type. `assets`: of models and fields."""
    old, new = _index_rules(before), _index_rules(after)
    for key in sorted(old.keys() | new.keys()):
        yield from _compare_group(draft, key, old.get(key, []), new.get(key, []), assets.get(key[:2]))


def _index_rules(rules: Sequence[Rule]) -> dict[_Key, list[Rule]]:
    found: defaultdict[_Key, list[Rule]] = defaultdict(list)
    for rule in rules:
        if _is_value_list(rule):
            continue
        found[rule.model, rule.field, fold_text(rule.name) or rule.metric or rule.dimension or rule.type].append(rule)
    return found


def _is_value_list(rule: Rule) -> bool:
    """Whether it lists the values that a field may have: these are compared with the fields."""
    return rule.metric in _VALIDITY and "validValues" in rule.arguments and rule.expected == {"be": 0}


def _compare_group(
    draft: ChangeBuilder, key: _Key, old: list[Rule], new: list[Rule], assets: tuple[AssetKey, ...] | None
) -> Iterator[Change]:
    was, now = ({_encode_rule(rule): rule for rule in rules} for rules in (old, new))
    gone, added = sorted(was.keys() - now.keys()), sorted(now.keys() - was.keys())
    name, of = key[2], ".".join(filter(None, key[:2]))
    part = ("rule", *filter(None, (of, name)))

    def change(rule: str, was: Rule | None, now: Rule | None) -> Change:
        format_ = _format_threshold if rule in _MOVED else _format_rule
        values = (format_(one) if one else None for one in (was, now))
        return draft.build_change(rule, part, *values, assets=assets, rule_name=f"{name} of {of}" if of else name)

    if len(gone) == len(added) == 1:
        first, second = was[gone[0]], now[added[0]]
        yield change(_decide_rule(first, second), first, second)
        return
    for one in gone:
        yield change("quality-rule-removed", was[one], None)
    for one in added:
        yield change("quality-rule-added", None, now[one])


def _build_content(rule: Rule) -> dict[str, Json]:
    """What the rule asks."""
    asked: dict[str, Json] = {
        "type": rule.type,
        "metric": rule.metric,
        "query": fold_text(rule.query),
        "engine": rule.engine,
        "unit": rule.unit,
        "expected": rule.expected,
        "arguments": rule.arguments,
        "specification": fold_text(rule.specification) if isinstance(rule.specification, str) else rule.specification,
        "text": fold_text(rule.description) if rule.type == "text" else "",
    }
    return {name: value for name, value in asked.items() if value not in ("", None, {})}


def _encode_rule(rule: Rule) -> str:
    return msgspec.json.encode(_build_content(rule), order="sorted").decode()


def _format_rule(rule: Rule) -> str:
    """What it asks, in a line."""
    asked = _build_content(rule)
    rest = [_format_value(asked[name]) for name in ("metric", "query", "specification", "text", "arguments") if name in asked]
    return " ".join([*rest, *filter(None, (_format_threshold(rule),))]) or rule.type


def _format_threshold(rule: Rule) -> str:
    conditions = "; ".join(f"{name.replace('_', ' ')} {_format_value(value)}" for name, value in sorted(rule.expected.items()))
    return f"{conditions} {rule.unit}".strip()


def _format_value(value: Json) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()


def _decide_rule(was: Rule, now: Rule) -> str:
    """By the values that pass: fewer, more, or others, as far as thresholds show."""
    before, after = _build_content(was), _build_content(now)
    if before | {"expected": None} == after | {"expected": None} and was.expected.keys() == now.expected.keys():
        if all(_is_narrower(name, was.expected[name], now.expected[name]) for name in was.expected):
            return "quality-rule-tightened"
        if all(_is_narrower(name, now.expected[name], was.expected[name]) for name in was.expected):
            return "quality-rule-loosened"
    return "quality-rule-changed"


def _is_narrower(name: str, was: Json, now: Json) -> bool:
    """Whether what passes now has passed before."""
    if was == now:
        return True
    if _is_number(was) and _is_number(now):
        return (name in _RISING and now > was) or (name in _FALLING and now < was)  # type: ignore[operator]
    if name == "between" and isinstance(was, list) and isinstance(now, list) and len(was) == len(now) == 2:
        return all(map(_is_number, (*was, *now))) and now[0] >= was[0] and now[1] <= was[1]  # type: ignore[operator]
    return False


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
