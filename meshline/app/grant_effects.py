"""What a request for access would grant: what policies forbid, and restrictions take, no grant permits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from meshline.app.access import Access
from meshline.app.access_requests import Wish
from meshline.app.access_rules import AccessRules, Action, list_included, name_principal
from meshline.app.tokens import Actor, Role
from meshline.graph.index import LineageIndex
from meshline.graph.index.results import Flags
from meshline.graph.live_graph import LiveGraph
from meshline.graph.queries.selection import Selections, Selector, find_selections, parse_selector
from meshline.graph.queries.visibility import Rights, compute_visible, select_ruled

_GROUP = "group:"


class GrantEffect(NamedTuple):
    """`forbidden_by`: what keeps some of what is asked for from the principal: policies and restrictions, each with file and line.

    `nothing`: whether it keeps all of it, and all groups of the principal are known; else it may be excepted by others.
    """

    forbidden_by: tuple[str, ...] = ()
    nothing: bool = False


def judge_grant(rules: AccessRules, index: LineageIndex, view: LineageIndex, wish: Wish, lifts: Collection[Selector]) -> GrantEffect:
    """What to grant a wish to see assets would do to those that a viewer sees, with these restrictions lifted. Under the graph's lock.

    `view`: the index as the viewer sees it, who is answered by this: what is hidden from him must not count.
    """
    action, actor, selector = Action(wish.action), _build_actor(wish), parse_selector(wish.selector)
    rights = rules.find_rights(actor, action)
    selections = find_selections(index)
    places, chosen = selections.places, select_seen(selections, selector, [view])
    datasets = np.zeros(places.count, np.bool_)
    datasets[places.datasets] = True
    wanted = chosen & datasets if (chosen & datasets).any() else chosen & places.resources
    if rights is None or not wanted.any():
        return GrantEffect()
    granted = frozenset({selector})
    lifted = frozenset((restriction, selector) for restriction in lifts)
    would = Rights(granted, rights.restricted, frozenset(), lifted, forbids=rights.forbids)
    shown = np.zeros(places.count, np.bool_)
    shown[places.of_nodes[compute_visible(index, would)]] = True
    if not (wanted & ~shown).any():
        return GrantEffect()
    found = [
        *(place for place, ruling in rules.find_forbids(actor, action) if (select_ruled(selections, ruling) & wanted).any()),
        *(
            place
            for place, restriction in _list_restrictions(rules, actor, action)
            if restriction not in lifts and (selections.select(restriction) & wanted).any()
        ),
    ]
    himself = wish.principal == ":".join(name_principal(Actor(wish.asker, Role.READER)))
    return GrantEffect(tuple(dict.fromkeys(found)), himself and not (wanted & shown).any())


def select_seen(selections: Selections, selector: Selector, views: Iterable[LineageIndex]) -> Flags:
    """What a selector chooses of what all these viewers see (bool, by place)."""
    found = selections.select(selector)
    for view in views:
        found = found & view.assets.survey().mark_shown(selections.places.nodes)
    return found


def list_viewers(access: Access, wish: Wish) -> list[LiveGraph]:
    """The graph as the asker of a request, and as its principal, see it, by what is recorded of them: with the role of a reader, and the
    groups of the request. May take long: not under the graph's lock.

    What the two see of a request must not depend on what either does not see.
    """
    asker = Actor(wish.asker, Role.READER, groups=wish.groups)
    return [access.find_graph(actor) for actor in (asker, _build_actor(wish))]


def _build_actor(wish: Wish) -> Actor:
    """The principal: a group as a caller who is in no other."""
    if wish.principal.startswith(_GROUP):
        return Actor("", Role.READER, groups=(wish.principal.removeprefix(_GROUP),))
    kind, _, name = wish.principal.partition(":")
    return Actor(name if kind == "token" else f"{kind} {name}", Role.READER, groups=wish.groups)


def _list_restrictions(rules: AccessRules, actor: Actor, action: Action) -> Iterator[tuple[str, Selector]]:
    """The restrictions of the file that apply to a caller, each with its place."""
    for rule in rules.list_restrictions(actor, {*list_included(action), Action.BROWSE}):
        file, _, line = rule.place.rpartition(":")
        for selector in rule.selectors:
            named = f"{selector.kind}:{selector.name}" if selector.name else str(selector.kind)
            yield f"{named}@{file.rpartition('/')[2]}:{line}", selector
