"""The law of two worlds under policies in Cedar: they permit, forbid, compare tags and owners, and let browse."""

from __future__ import annotations

from contextlib import ExitStack

import msgspec
import pytest
from hypothesis import example, given, settings

from meshline.app.access_rules import AccessRules, Action, Default
from meshline.app.cedar_policies import CedarPolicies
from tests.api import test_two_worlds as worlds_test
from tests.api.test_two_worlds import BROWSED, ask, leave_out_counts, list_browsed_questions, list_questions, open_world
from tests.api.worlds import DRAWN, MARKS, PLAIN, STRANGE, USUAL, Secret, Shape, World, draw_secret, draw_shapes

_arguments = worlds_test._arguments

PERMITS = """
permit(principal in Group::"open-team", action, resource in Domain::"open");
permit(principal, action, resource) when { principal in resource.owners && resource.tags.contains("nothing") };
"""
FORBIDS = """
forbid(principal, action, resource)
unless { resource in Domain::"open" || principal in Group::"stewards" || resource.owners.contains(Owner::"none") };
"""
BY_TAG = """
forbid(principal, action, resource) unless { resource.tags.containsAny(["open", "other"]) && resource in Domain::"open" };
permit(principal, action, resource);
"""
BROWSING = """
permit(principal, action == Action::"browse", resource);
permit(principal in Group::"open-team", action, resource) when { resource in Domain::"open" };
forbid(principal, action in [Action::"read", Action::"read_sql"], resource) when { !(resource in Domain::"open") };
"""


def build_rules(policies: str, default: Default) -> AccessRules:
    return AccessRules({Action.READ: default}, (), (), policies=CedarPolicies({"access.cedar": policies}))


ASKED_OF_THE_PAST = """{
    datasets(asOf: "2024-01-01T00:00:00Z") { totalCount nodes { name owners { owner { name } } columns { totalCount } } }
    domains(asOf: "2024-01-01T00:00:00Z") { nodes { name } } jobs(asOf: "2024-01-01T00:00:00Z") { nodes { name } } }"""


@pytest.mark.parametrize(
    ("policies", "default"),
    [(PERMITS, Default.NOTHING), (FORBIDS, Default.EVERYTHING), (BY_TAG, Default.NOTHING)],
    ids=["permits", "forbids", "tags"],
)
@settings(phases=DRAWN, deadline=None)
@example(USUAL, PLAIN, STRANGE)
@given(shape=draw_shapes(), secret=draw_secret(MARKS[0]), other=draw_secret(MARKS[1]))
def test_two_worlds_by_policies(policies: str, default: Default, shape: Shape, secret: Secret, other: Secret) -> None:
    rules = build_rules(policies, default)
    with ExitStack() as opened:
        worlds = (World(shape, secret), World(shape, other), World(shape, secret, more=True))
        one, renamed, larger = (opened.enter_context(open_world(world, rules)) for world in worlds)
        names = ask(one, "{ datasets { nodes { name } } }", {})["data"]["datasets"]["nodes"]
        assert [node["name"] for node in names] == ["open.0", "open.1", "open.2"]
        assert ask(one, ASKED_OF_THE_PAST, {})["data"]["datasets"]["totalCount"] == 3
        for query, variables in (*list_questions(worlds[:2]), (ASKED_OF_THE_PAST, {})):
            answer = ask(one, query, variables)
            assert msgspec.json.encode(ask(renamed, query, variables)) == msgspec.json.encode(answer), query
            assert leave_out_counts(ask(larger, query, variables)) == leave_out_counts(answer), query
            assert "'INTERNAL'" not in str(answer)
            assert MARKS[0] not in str(answer) or MARKS[0] in str(variables)


@settings(phases=DRAWN, deadline=None)
@example(USUAL, PLAIN, STRANGE)
@given(shape=draw_shapes(), unread=draw_secret(MARKS[0]), other=draw_secret(MARKS[1]))
def test_two_worlds_of_which_policies_let_a_part_be_browsed(shape: Shape, unread: Secret, other: Secret) -> None:
    rules = build_rules(BROWSING, Default.NOTHING)
    with ExitStack() as opened:
        worlds = (World(shape, BROWSED, unread=unread), World(shape, BROWSED, unread=other))
        one, differing = (opened.enter_context(open_world(world, rules)) for world in worlds)
        known = ask(one, '{ dataset(namespace: "wh", name: "browsed.0") { access columns { totalCount } } }', {})
        assert known["data"]["dataset"] == {"access": "BROWSE", "columns": {"totalCount": 0}}
        for query, variables in (*list_questions(worlds), *list_browsed_questions(worlds[0])):
            answer = ask(one, query, variables)
            assert msgspec.json.encode(ask(differing, query, variables)) == msgspec.json.encode(answer), query
            assert MARKS[0] not in str(answer) or MARKS[0] in str(variables)
