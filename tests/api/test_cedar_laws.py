"""Policies in Cedar beside the list: what a caller may see and do in the end is what Cedar decides about each asset by itself."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshline.app import cedar_policies
from meshline.app.access_rules import AccessRules, Action, Default, Rule
from meshline.app.cedar_policies import ACTIONS, CedarPolicies
from meshline.app.policy_choices import RESOURCES
from meshline.app.tokens import Actor, Role
from meshline.errors import InvalidInput
from meshline.graph.index import LineageIndex
from meshline.graph.index.results import Flags
from meshline.graph.model import AssetKey
from meshline.graph.queries.selection import Selector, SelectorKind
from meshline.graph.queries.visibility import EVERYTHING, Ruling, compute_masks, compute_permitted
from tests.api.cedar_meshes import (
    ASSETS,
    COLUMNS,
    CONTAINERS,
    DATASETS,
    DOMAINS,
    STRANGE,
    TAGS,
    Caller,
    Described,
    Mesh,
    ask_cedar,
    describe,
    draw_callers,
    draw_described,
    draw_meshes,
    draw_policies,
    quote,
)
from tests.queries import mesh
from tests.sizes import count_examples

SEEING = ("browse", "read", "read_sql")
NARROW = f"[{quote(TAGS[1])}, {quote(STRANGE)}]"
NONE = frozenset[str]()
SELECTORS = [
    Selector(SelectorKind.EVERYTHING),
    Selector(SelectorKind.DOMAIN, DOMAINS[0]),
    Selector(SelectorKind.TAG, "pii"),
    Selector(SelectorKind.NAMESPACE, "wh"),
]


class Listed(NamedTuple):
    """A list of rules beside the policies."""

    default: Default
    granted: list[tuple[str, Selector]]  # (action, what)
    restricted: list[tuple[str, Selector]]

    def build(self, policies: CedarPolicies) -> AccessRules:
        def list_rules(entries: list[tuple[str, Selector]], who: str) -> tuple[Rule, ...]:
            return tuple(Rule(frozenset([who]), (on,), "list", frozenset([Action(may)])) for may, on in entries)

        defaults = dict.fromkeys((Action.READ, Action.STATE), self.default)
        return AccessRules(defaults, list_rules(self.granted, "everyone"), list_rules(self.restricted, "group:none"), policies=policies)


def draw_lists() -> st.SearchStrategy[Listed]:
    entries = st.lists(st.tuples(st.sampled_from([*SEEING, "state"]), st.sampled_from(SELECTORS)), max_size=1)
    return st.builds(Listed, st.sampled_from(Default), entries, entries)


def fits(selector: Selector, asset: Described) -> bool:
    return {
        SelectorKind.EVERYTHING: True,
        SelectorKind.DOMAIN: selector.name in asset.domains,
        SelectorKind.PRODUCT: selector.name in asset.products,
        SelectorKind.TAG: asset.has_tag(selector.name),
        SelectorKind.NAMESPACE: any(fnmatchcase(one, selector.name) for one in asset.namespaces),
        SelectorKind.DATASET: (asset.type, asset.id) == ("Dataset", selector.name),
        SelectorKind.OWNER: selector.name in asset.owners,
        SelectorKind.KIND: RESOURCES[asset.type] == selector.name,
    }[selector.kind]


class Decision(NamedTuple):
    granted: bool
    restricted: bool

    @property
    def allowed(self) -> bool:
        return self.granted and not self.restricted


def decide(listed: Listed, policies: list[str], caller: Caller, action: str, asset: Described) -> Decision:
    """As docs/access.md states it, for one asset."""
    including = SEEING[SEEING.index(action) :] if action in SEEING else (action,)  # what includes the action
    included = {"browse", *(SEEING[: SEEING.index(action) + 1] if action in SEEING else (action,))}
    asked = {one: ask_cedar(policies, caller, one, asset) for one in {*including, *included}}
    owned = not asset.owners.isdisjoint({caller.name, *caller.groups})
    granted = (
        listed.default is Default.EVERYTHING
        or (listed.default is Default.OWN and owned)
        or any(one in including and fits(selector, asset) for one, selector in listed.granted)
        or any(asked[one][0] for one in including)
    )
    restricted = any(one in included and fits(selector, asset) for one, selector in listed.restricted)
    return Decision(granted, restricted or any(asked[one][1] for one in included))


@settings(max_examples=count_examples(80), deadline=None)
@given(drawn=draw_meshes(), policies=draw_policies(), caller=draw_callers(), listed=draw_lists())
def test_every_decision_is_that_of_cedar(drawn: Mesh, policies: list[str], caller: Caller, listed: Listed) -> None:
    try:
        rules = listed.build(CedarPolicies({"drawn.cedar": "\n".join(policies)}))
    except InvalidInput as error:
        assert "asks at most" in str(error)  # noqa: PT017 - what else is drawn is accepted
        return
    actor = Actor(caller.actor_name, Role.READER, groups=caller.groups)
    graph = mesh.build_graph(*drawn.list_statements())
    try:
        index = graph.index
        known = {key: describe(index, drawn, key) for key in ASSETS}
        levels = rules.find_levels(actor)
        masks = compute_masks(index, levels) if levels is not None else [np.ones(index.changes.count_nodes(), np.bool_)] * 3
        for action, mask in zip(SEEING, masks, strict=True):
            found = {key: decide(listed, policies, caller, action, known[key]) for key in ASSETS}
            for dataset, column in zip(DATASETS, COLUMNS, strict=True):
                assert has(index, mask, dataset) == found[dataset].allowed, (action, dataset)
                if action != "browse":
                    assert has(index, mask, column) == (found[dataset].allowed and not found[column].restricted), (action, column)
            for key in CONTAINERS:
                assert has(index, mask, key) or not found[key].allowed, (action, key)
                assert not (has(index, mask, key) and found[key].restricted), (action, key)
        rights = rules.find_rights(actor, Action.STATE)
        permitted = compute_permitted(index, EVERYTHING if rights is None else rights)
        for key in ASSETS:
            assert has(index, permitted, key) == decide(listed, policies, caller, "state", known[key]).allowed, key
    finally:
        graph.store.close()


@settings(max_examples=count_examples(500), deadline=None)
@example(
    [f"permit(principal, action, resource) when {{ resource.tags.containsAny({NARROW}) && !resource.tags.contains({quote(TAGS[1])}) }};"],
    Caller("User", "ann", ()),
    Described("Dataset", DATASETS[0].id, NONE, NONE, frozenset(["wh"]), frozenset([STRANGE]), NONE),
)
@given(policies=draw_policies(most=1), caller=draw_callers(), asset=draw_described())
def test_every_ruling_is_that_of_cedar(policies: list[str], caller: Caller, asset: Described) -> None:
    """Without a graph, for any asset: also one that is in several domains at once."""
    try:
        known = CedarPolicies({"drawn.cedar": policies[0]})
    except InvalidInput as error:
        assert "asks at most" in str(error)  # noqa: PT017 - as above
        return
    for action in ACTIONS:
        rulings = known.find_rulings(
            cedar_policies.Caller(caller.type.lower(), caller.name, frozenset(caller.groups)), (action,), frozenset([action])
        )
        found = [any(chooses(ruling, asset) for ruling in each) for each in (rulings.permits, rulings.forbids)]
        assert tuple(found) == ask_cedar(policies, caller, action, asset), action


def chooses(ruling: Ruling, asset: Described) -> bool:
    number = sum(any(fits(selector, asset) for selector in choice) << bit for bit, choice in enumerate(ruling.choices))
    return bool(ruling.chosen[number])


def has(index: LineageIndex, mask: Flags, key: AssetKey) -> bool:
    node = index.assets.find_by_key(key)
    assert node is not None
    return bool(mask[node])
