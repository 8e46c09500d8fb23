"""What a Cedar policy asks of an asset: choices, each some selectors of which one chooses the asset.

An asset is only looked at by comparing it with what the policy names: so it is decided for each set of choices at once, whatever assets
there are, and the number of decisions follows from the policy alone. All else that Cedar can ask of `resource` is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import Any, NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKind
from meshline.graph.queries.selection import Selector, SelectorKind

MOST_CHOICES = 8  # of a policy: it is judged for each set of them
CALLER = Selector(SelectorKind.OWNER)  # of `principal in resource.owners`: the caller and his groups
RESOURCES: Mapping[str, AssetKind] = {"Dataset": AssetKind.DATASET, "Product": AssetKind.DATA_PRODUCT, "Domain": AssetKind.DOMAIN}

_CONTAINERS = {
    "Domain": SelectorKind.DOMAIN,
    "Product": SelectorKind.PRODUCT,
    "Namespace": SelectorKind.NAMESPACE,
    "Dataset": SelectorKind.DATASET,
}
_TYPES = {kind: name for name, kind in _CONTAINERS.items()}
_LEAVES = ("Value", "Var")
_PARTS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("==", "!=", "in", "<", "<=", ">", ">=", "&&", "||", "+", "-", "*"), ("left", "right")),
    **dict.fromkeys(("contains", "containsAll", "containsAny"), ("left", "right")),
    **dict.fromkeys(("!", "neg", "isEmpty"), ("arg",)),
    **dict.fromkeys((".", "has", "like"), ("left",)),
    "is": ("left", "in"),
    "if-then-else": ("if", "then", "else"),
}
_ACCEPTED = (
    'of an asset, a policy asks `resource in` a Domain, Product, Namespace or Dataset, `resource == Dataset::"ID"`, `resource is` Dataset,'
    " Product or Domain, `resource.tags.contains`, `containsAny` or `containsAll` with texts, the same of `resource.owners` with an"
    ' Owner::"NAME", and `principal in resource.owners`'
)

Choice = frozenset[Selector]
Expression = Mapping[str, Any]  # of Cedar's JSON form (https://docs.cedarpolicy.com/policies/json-format.html): a mapping with one key


class Example(NamedTuple):
    """An asset that is in exactly some of the choices of a policy, as a Cedar entity. `number`: has a bit for each of these."""

    number: int
    type: str
    id: str
    entity: Mapping[str, Any]


def list_choices(policy: Mapping[str, Any], place: str) -> tuple[Choice, ...]:
    """The choices of a policy in Cedar's JSON form. Raises InvalidInput if it asks of `resource` what they cannot answer, or too much."""
    try:
        found = list(dict.fromkeys(_iterate_policy(policy)))
    except _NotAccepted as error:
        raise InvalidInput(str(error), place) from error
    if len(found) > MOST_CHOICES:
        advice = "divide it, or compare with a list: `resource in [...]`, `containsAny([...])`"
        raise InvalidInput(f"a policy asks at most {MOST_CHOICES} questions of an asset, and this one {len(found)}: {advice}", place)
    return tuple(found)


def list_examples(choices: Sequence[Choice]) -> list[Example]:
    """An example for each set of choices that an asset can be in."""
    found = (_build_example(number, choices) for number in range(1 << len(choices)))
    return [example for example in found if example is not None]


class _NotAccepted(Exception):
    pass


def _iterate_policy(policy: Mapping[str, Any]) -> Iterator[Choice]:
    principal, scope = policy["principal"], policy["resource"]
    for named in (principal, principal.get("in", {})):
        if "entity" in named:
            _check_literal(named["entity"])
    if "entity_type" in scope:
        yield _choose_kind(scope["entity_type"])
    if "in" in scope:
        yield _choose_in([scope["in"]["entity"]])
    if "entity" in scope:
        yield _choose_in([scope["entity"]], same=scope["op"] == "==")
    for condition in policy["conditions"]:
        yield from _iterate_choices(condition["body"])


def _iterate_choices(expression: Expression) -> Iterator[Choice]:
    """Those of an expression: what is not known here is refused, as a way to ask more of an asset."""
    ((operator, of),) = expression.items()
    if operator in _LEAVES:
        if _is_resource(expression):
            raise _NotAccepted(_ACCEPTED)
        if isinstance(of, dict) and "__entity" in of:
            _check_literal(of["__entity"])
        return
    if operator == "has" and _is_resource(of["left"]):
        return  # every asset has the attributes that there are
    found = _ask_asset(operator, of)
    if found is not None:
        yield from found
    else:
        for part in _list_parts(operator, of):
            yield from _iterate_choices(part)


def _list_parts(operator: str, of: Any) -> Sequence[Expression]:
    """The expressions in one that asks nothing of an asset itself."""
    if isinstance(of, list):  # a set, or a function
        return of
    if operator == "Record":
        return list(of.values())
    parts = _PARTS.get(operator)
    if parts is None:
        raise _NotAccepted(f"`{operator}` is not accepted here")
    return [of[part] for part in parts if part in of]


def _ask_asset(operator: str, of: Any) -> list[Choice] | None:
    """The choices of an expression that compares an asset; None for one that does not."""
    if operator == "is" and _is_resource(of["left"]):
        inside = [_choose_in(_list_entities(of["in"]))] if "in" in of else []
        return [_choose_kind(of["entity_type"]), *inside]
    if operator in ("==", "!=", "in") and _is_resource(of["left"]):
        return [_choose_in(_list_entities(of["right"]), same=operator != "in")]
    if operator in ("==", "!=") and _is_resource(of["right"]):
        return [_choose_in(_list_entities(of["left"]), same=True)]
    if operator == "in" and of["left"] == {"Var": "principal"} and _is_attribute(of["right"], "owners"):
        return [frozenset([CALLER])]
    if operator in ("contains", "containsAll", "containsAny") and (
        _is_attribute(of["left"], "owners") or _is_attribute(of["left"], "tags")
    ):
        named = [_name_member(of["left"], value) for value in _list_values(of["right"])]
        return [frozenset(named)] if operator == "containsAny" else [frozenset([one]) for one in named]
    return None


def _is_resource(expression: Expression) -> bool:
    return expression == {"Var": "resource"}


def _is_attribute(expression: Expression, name: str) -> bool:
    return expression == {".": {"left": {"Var": "resource"}, "attr": name}}


def _list_values(expression: Expression) -> list[Any]:
    """The literals of a comparison: one, or those of a set."""
    ((operator, of),) = expression.items()
    found = [expression] if operator == "Value" else of if operator == "Set" else []
    if not found or any(one.keys() != {"Value"} for one in found):
        raise _NotAccepted(_ACCEPTED)
    return [one["Value"] for one in found]


def _list_entities(expression: Expression) -> list[Mapping[str, str]]:
    found = [value.get("__entity") if isinstance(value, dict) else None for value in _list_values(expression)]
    if None in found:
        raise _NotAccepted(_ACCEPTED)
    return [one for one in found if one is not None]


def _choose_in(entities: Sequence[Mapping[str, str]], *, same: bool = False) -> Choice:
    """What is in one of these; `same`: what is one of these itself, which only a dataset with its columns can be."""
    for entity in entities:
        if entity["type"] not in _CONTAINERS:
            raise _NotAccepted(_ACCEPTED)
        if same and entity["type"] != "Dataset":
            raise _NotAccepted(f"compare with `resource in {entity['type']}::...`: what applies to it applies to what is in it, too")
        if entity["type"] == "Dataset" and " " in entity["id"]:
            raise _NotAccepted("the id of a dataset has no spaces")
    return frozenset(Selector(_CONTAINERS[entity["type"]], _check_name(entity["id"])) for entity in entities)


def _choose_kind(type_: str) -> Choice:
    if type_ not in RESOURCES:
        raise _NotAccepted(_ACCEPTED)
    return frozenset([Selector(SelectorKind.KIND, RESOURCES[type_])])


def _name_member(attribute: Expression, value: Any) -> Selector:
    """The selector of a tag or an owner."""
    if _is_attribute(attribute, "tags") and isinstance(value, str):
        return Selector(SelectorKind.TAG, _check_name(value))
    if _is_attribute(attribute, "owners") and isinstance(value, dict) and value.get("__entity", {}).get("type") == "Owner":
        return Selector(SelectorKind.OWNER, _check_name(value["__entity"]["id"]))
    raise _NotAccepted(_ACCEPTED)


def _check_literal(entity: Mapping[str, str]) -> None:
    """Raises _NotAccepted for an entity that is compared with something else than an asset, and can only be compared with one."""
    if entity["type"] == "Owner":
        raise _NotAccepted(_ACCEPTED)
    _check_name(entity["id"])


def _check_name(name: str) -> str:
    if not name:
        raise _NotAccepted("a name is empty here")
    return name


def _build_example(number: int, choices: Sequence[Choice]) -> Example | None:
    """An asset that is in the choices of the bits of a number and in no others; None if there can be none."""
    bits = [number >> place & 1 for place in range(len(choices))]
    others = frozenset[Selector]().union(*compress(choices, (not bit for bit in bits)))
    own = list(compress(choices, bits))
    named = frozenset[Selector]().union(*own) - others
    datasets = [choice - others for choice in own if _find_kind(choice) is SelectorKind.DATASET]
    dataset = sorted(frozenset.intersection(*datasets)) if datasets else []
    type_ = _find_type(own, others, RESOURCES if not datasets else ["Dataset"])
    if type_ is None or (datasets and not dataset) or not all(choice & named for choice in own):
        return None
    parents = {selector for selector in named if selector.kind in (SelectorKind.DOMAIN, SelectorKind.PRODUCT, SelectorKind.NAMESPACE)}
    id_ = dataset[0].name if dataset else f" {number}"  # that of no dataset
    entity = {
        "uid": {"type": type_, "id": id_},
        "attrs": {
            "tags": [selector.name for selector in sorted(named) if selector.kind is SelectorKind.TAG],
            "owners": [
                {"__entity": {"type": "Owner", "id": selector.name}} for selector in sorted(named) if selector.kind is SelectorKind.OWNER
            ],
        },
        "parents": [{"type": _TYPES[selector.kind], "id": selector.name} for selector in sorted(parents)],
    }
    return Example(number, type_, id_, entity)


def _find_kind(choice: Choice) -> SelectorKind:
    """Cedar's validation sees to it that all of a choice are of one kind."""
    return next(iter(choice)).kind


def _find_type(own: Sequence[Choice], others: Choice, types: Iterable[str]) -> str | None:
    """The first type of an asset that is of these choices, and not of those; None if none fits."""
    wanted = {selector.name for choice in own for selector in choice if selector.kind is SelectorKind.KIND}
    refused = {selector.name for selector in others if selector.kind is SelectorKind.KIND}
    return next((name for name in types if wanted <= {RESOURCES[name]} and RESOURCES[name] not in refused), None)
