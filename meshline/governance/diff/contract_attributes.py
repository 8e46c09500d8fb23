"""Changes of what contracts and tables state besides columns: roles and access, owners, terms of use, servers, and quality rules.

The order of quality rules, their names in sentences, severities and schedules do not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from meshline.governance.changes import Change, ChangeBuilder, fold_text
from meshline.governance.diff.service_levels import normalize_level, parse_amount
from meshline.graph.contracts import Contract, Level, Party, Role, Rule, Server, Terms, Version
from meshline.graph.model import AssetKey, Json

_LADDER = (
    ("none", "private"),
    ("read", "select", "read only", "reader", "viewer", "protected"),
    ("write", "read write", "readwrite", "writer", "editor", "public"),
    ("admin", "owner", "all", "manage"),
)
_RANKS = {word: rank for rank, words in enumerate(_LADDER) for word in words}


def compare_roles(draft: ChangeBuilder, before: Iterable[Role], after: Iterable[Role]) -> Iterator[Change]:
    """A role is the same one by its name, on its server. Who approves does not matter."""
    old, new = _index_by_name_and_server(before), _index_by_name_and_server(after)
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        name, part = " on ".join(filter(None, key)), ("role", *filter(None, key))
        if was is None or now is None:
            rule = "role-added" if was is None else "access-narrowed"
            values = (_format_access(was), _format_access(now)) if was is None else (_format_access(was) or "allowed", "none")
            yield draft.build_change(rule, part, *values, role=name)
        elif changed := decide_access_rule(was.access, now.access):
            yield draft.build_change(changed, part, _format_access(was), _format_access(now), role=name)


def decide_access_rule(was: str, now: str) -> str | None:
    """Narrowed or widened; what cannot be compared may be narrowed."""
    old, new = _normalize_word(was), _normalize_word(now)
    if old == new:
        return None
    wider = not old or not new or _RANKS.get(new, -1) > _RANKS.get(old, len(_LADDER))
    return "access-widened" if wider and not (old and not new) else "access-narrowed"


def _index_by_name_and_server(roles: Iterable[Role]) -> dict[tuple[str, str], Role]:
    return {(fold_text(role.name), role.server): role for role in roles}


def _format_access(role: Role | None) -> str | None:
    return _normalize_word(role.access) or None if role else None


def _normalize_word(access: str) -> str:
    return fold_text(access.replace("_", " ").replace("-", " ").replace("/", " ")).casefold()


def compare_owners(draft: ChangeBuilder, before: Iterable[Party], after: Iterable[Party]) -> Iterator[Change]:
    """One change at most: owners are asked together. Order, case and titles do not matter."""
    old, new = _index_owners(before), _index_owners(after)
    if old.keys() == new.keys():
        return
    was, now = _format_owners(old), _format_owners(new)
    at = ("owner", next((party.name for key, party in new.items() if key not in old), next(iter(new.values())).name)) if new else ()
    rule = "owner-changed" if old and new else "owner-removed" if old else "owner-added"
    yield draft.build_change(rule, ("owner",), was or None, now or None, at=at)


def _index_owners(parties: Iterable[Party]) -> dict[tuple[str, str], Party]:
    return {(fold_text(one.name).casefold(), one.type): one for one in parties if one.name.strip()}


def _format_owners(owners: dict[tuple[str, str], Party]) -> str:
    """`a@x.org, b@x.org (steward)`, in one order."""
    named = (one.name if one.type == "technical" else f"{one.name} ({one.type})" for one in owners.values())
    return ", ".join(sorted(named, key=str.casefold))


_TEXTS = ("usage", "limitations", "billing")  # the purpose and the description describe, they allow nothing


def compare_terms(draft: ChangeBuilder, before: Terms, after: Terms) -> Iterator[Change]:
    """One change for each term. How a text is wrapped, and the order of policies, do not matter."""
    for term in _TEXTS:
        was, now = fold_text(getattr(before, term)), fold_text(getattr(after, term))
        if was != now:
            yield draft.build_change("terms-changed", ("terms", term), was or None, now or None, term=term)
    old, new = sorted(before.policies), sorted(after.policies)
    if old != new:
        yield draft.build_change("terms-changed", ("terms", "policies"), list(old) or None, list(new) or None, term="policies")
    yield from _compare_notice(draft, before.notice_period, after.notice_period)


def _compare_notice(draft: ChangeBuilder, was: Level | None, now: Level | None) -> Iterator[Change]:
    old, new = (parse_amount(one) if one else None for one in (was, now))
    values = [normalize_level(one) if one else None for one in (was, now)]
    if values[0] == values[1]:
        return
    if (was and old is None) or (now and new is None):
        yield draft.build_change("terms-changed", ("terms", "notice_period"), *values, term="notice period")
        return
    longer = new is not None and (old is None or new.number > old.number)
    yield draft.build_change("notice-lengthened" if longer else "notice-shortened", ("terms", "notice_period"), *values)


_NOT_A_PLACE = frozenset({"driver", "stagingDir", "workgroup"})  # how it is read, not where it is


def compare_servers(draft: ChangeBuilder, before: Version[Contract], after: Version[Contract]) -> Iterator[Change]:
    """A server is the same one by its name; one that only has another name is where it was."""
    old, new = _index_by_name(before.value), _index_by_name(after.value)
    gone = {name: server for name, server in old.items() if _get_place(server) not in map(_get_place, new.values())}
    added = {name: server for name, server in new.items() if _get_place(server) not in map(_get_place, old.values())}
    for name in sorted(gone):
        part, was, now = ("server", name), gone[name], added.pop(name, None)
        if now is None:
            yield draft.build_change("location-removed", part, _format_server(was), assets=_list_left(before, after), server=name)
        else:
            values = (_format_server(was, unlike=now), _format_server(now, unlike=was))
            yield draft.build_change("location-changed", part, *values, assets=_list_left(before, after), server=name)
    for name in sorted(added):
        yield draft.build_change("location-added", ("server", name), None, _format_server(added[name]), server=name)


def find_renamed_servers(before: Contract, after: Contract) -> dict[str, str]:
    """The names of after -> of before, of servers that only have another name."""
    old = {_get_place(server): server.name for server in before.servers}
    return {server.name: old[_get_place(server)] for server in after.servers if _get_place(server) in old}


def _index_by_name(contract: Contract) -> dict[str, Server]:
    return {server.name: server for server in contract.servers}


def _get_place(server: Server) -> tuple[str, tuple[tuple[str, str], ...]]:
    settings = {key: str(value).strip() for key, value in server.settings.items() if key not in _NOT_A_PLACE}
    return server.type.lower(), tuple(sorted(settings.items()))


def _format_server(server: Server, unlike: Server | None = None) -> str:
    """`trino, host=trino.internal`. `unlike`: without what the other has as well."""
    kind, settings = _get_place(server)
    other, others = ("", ()) if unlike is None else _get_place(unlike)
    parts = [f"{key}={value}" for key, value in settings if (key, value) not in others]
    return ", ".join([kind] * (kind != other or not parts) + parts)


def _list_left(before: Version[Contract], after: Version[Contract]) -> list[AssetKey]:
    """The datasets that the data is in no more; all, if that is not known."""
    old, new = ([key for keys in version.datasets.values() for key in keys] for version in (before, after))
    return [key for key in old if key not in new] or old


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
