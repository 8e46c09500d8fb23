"""What an approval would grant: what policies forbid and restrictions take, it does not; and it is not answered with "granted" then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meshline.app.tokens import Actor, Role
from meshline.cli.client import convert_answer, read_query
from meshline.cli.request_access import AccessRequest, format_request
from meshline.graph.model import build_dataset_key
from tests.api.test_access_requests import (
    ADMIN,
    ASK,
    CARDS,
    DECIDE,
    LIST,
    PAID,
    PAULA,
    PAY,
    RATES,
    RULES,
    STEWARD,
    Desk,
    list_statements,
    open_desk,
)
from tests.queries import mesh

TEAM = Actor("tom", Role.READER, groups=("contractors",))
BROWSE_ALL = RULES.replace("default: own", "default: {browse: everything, read: own}") + "rules: access.cedar\n"
UNRESTRICTED = BROWSE_ALL.partition("restrict")[0] + "rules: access.cedar\n"
WITH_REASONS = "{ accessRequests { nodes { id state forbiddenBy } } }"
DECIDE_WITH_REASONS = "mutation($id: ID!) { decideAccess(request: $id, decision: APPROVE) { state forbiddenBy } }"
NO_CONTRACTORS = """
// of the security team
@id("no-contractors")
forbid(principal in Group::"contractors", action == Action::"read", resource in Domain::"pay")
unless { resource.tags.contains("listed") };
"""
NO_OLD = '@id("old") forbid(principal, action == Action::"read", resource) when { resource.tags.contains("old") };'
ONLY_VAULTS = 'forbid(principal, action == Action::"read", resource in Domain::"pay") unless { resource.tags.contains("vault") };'
ONLY_STEWARDS = 'forbid(principal, action == Action::"read", resource in Domain::"pay") unless { principal in Group::"stewards" };'


@pytest.fixture
def open_with(tmp_path: Path) -> Iterator[Callable[[str, str], Desk]]:
    """Opens a desk with these policies, and this list of rules."""
    opened: list[Desk] = []

    def open_rules(policies: str, rules: str = BROWSE_ALL) -> Desk:
        (tmp_path / "access.cedar").write_text(policies, "utf-8")
        (tmp_path / "access.yaml").write_text(rules, "utf-8")
        opened.append(open_desk(mesh.build_graph(*list_statements()), tmp_path / "access.yaml"))
        return opened[-1]

    yield open_rules
    for desk in opened:
        desk.live.store.close()


def test_what_a_policy_forbids_is_not_approved(open_with: Callable[..., Desk]) -> None:
    desk = open_with('forbid(principal in Group::"contractors", action == Action::"read", resource in Domain::"pay");')
    id_ = desk.ask(TEAM, ASK, asset=PAID.id)["id"]
    for decider in (PAULA, ADMIN):
        code, message = desk.refuse(decider, DECIDE, id=id_)
        assert (code, "since this forbids all of it, whatever is granted: access.cedar:1;" in message) == ("INVALID_INPUT", True)
    assert desk.ask(PAULA, WITH_REASONS)["nodes"] == [{"id": id_, "state": "OPEN", "forbiddenBy": ["access.cedar:1"]}]
    assert desk.ask(TEAM, WITH_REASONS)["nodes"] == [{"id": id_, "state": "OPEN", "forbiddenBy": None}]
    assert desk.ask(PAULA, DECIDE, id=id_, decision="REFUSE", reason="no")["state"] == "REFUSED"
    other = desk.ask(Actor("other", Role.READER), ASK, asset=PAID.id)["id"]
    assert desk.ask(PAULA, DECIDE_WITH_REASONS, id=other) == {"state": "GRANTED", "forbiddenBy": []}
    browse = desk.ask(TEAM, ASK, asset=PAID.id, action="browse")["id"]
    assert desk.ask(PAULA, DECIDE_WITH_REASONS, id=browse)["state"] == "GRANTED"


def test_what_forbids_a_part_is_named_with_the_approval(open_with: Callable[..., Desk]) -> None:
    desk = open_with(NO_CONTRACTORS, UNRESTRICTED)
    id_ = desk.ask(TEAM, ASK, asset=PAY.id)["id"]
    assert desk.ask(PAULA, DECIDE_WITH_REASONS, id=id_) == {"state": "GRANTED", "forbiddenBy": ["no-contractors@access.cedar:3"]}
    assert desk.ask(PAULA, WITH_REASONS)["nodes"][0]["forbiddenBy"] == ["no-contractors@access.cedar:3"]
    seen = desk.ask(TEAM, "{ datasets { nodes { name access } } }")["nodes"]
    assert [node["name"] for node in seen if node["access"] != "BROWSE"] == ["pay.rates"]


def test_it_is_named_where_not_all_groups_are_known(open_with: Callable[..., Desk]) -> None:
    """A member of the group may be a steward, too."""
    desk = open_with(ONLY_STEWARDS)
    id_ = desk.ask(TEAM, ASK, asset=PAID.id, **{"for": "group:contractors"})["id"]
    assert desk.ask(PAULA, DECIDE_WITH_REASONS, id=id_) == {"state": "GRANTED", "forbiddenBy": ["access.cedar:1"]}
    himself = desk.ask(Actor("stew", Role.READER, groups=("stewards",)), ASK, asset=PAID.id)["id"]
    assert desk.ask(PAULA, DECIDE_WITH_REASONS, id=himself) == {"state": "GRANTED", "forbiddenBy": []}


def test_what_no_decider_may_lift_is_not_approved(open_with: Callable[..., Desk]) -> None:
    desk = open_with("", BROWSE_ALL.replace('on: "tag:pii"', 'on: "tag:pii", may: read'))
    id_ = desk.ask(TEAM, ASK, asset=CARDS.id)["id"]
    assert desk.ask(PAULA, DECIDE_WITH_REASONS, id=id_) == {"state": "OPEN", "forbiddenBy": []}
    code, message = desk.refuse(PAULA._replace(name="pat"), DECIDE, id=id_)
    assert (code, "tag:pii@access.yaml:8;" in message) == ("INVALID_INPUT", True)
    assert desk.ask(STEWARD, DECIDE_WITH_REASONS, id=id_) == {"state": "GRANTED", "forbiddenBy": []}
    listed = desk.ask(TEAM, ASK, asset=RATES.id)["id"]
    assert desk.ask(PAULA, DECIDE_WITH_REASONS, id=listed) == {"state": "GRANTED", "forbiddenBy": []}
    assert desk.ask(TEAM, LIST)["totalCount"] == 2


def test_what_the_decider_does_not_see_counts_neither_for_nor_against_an_approval(open_with: Callable[..., Desk]) -> None:
    """A dataset that the policy does not forbid, and one that another policy forbids."""
    restricted = BROWSE_ALL.partition("restrict")[0] + 'restrict: [{on: "tag:secret", except: [group:auditors]}]\nrules: access.cedar\n'
    desk = open_with(f"{ONLY_VAULTS}\n{NO_OLD}", restricted)
    for name, *tags in (("vault", "secret", "vault"), ("old_vault", "secret", "vault", "old")):
        dataset = build_dataset_key("wh", f"pay.{name}")
        mesh.commit_statements(desk.live, mesh.build_schema_statement(dataset, "a"), mesh.build_asset_statement(dataset, tags=[*tags]))
    auditor = Actor("ada", Role.READER, groups=("auditors",))
    id_ = desk.ask(auditor, ASK, asset=PAY.id)["id"]
    query = "{ accessRequests { nodes { state forbiddenBy grantsNothing } } }"
    message = "approval would grant nothing that you see, since this forbids all of it, whatever is granted: access.cedar:1;"
    assert message in desk.refuse(PAULA, DECIDE, id=id_)[1]
    assert desk.ask(PAULA, query)["nodes"] == [{"state": "OPEN", "forbiddenBy": ["access.cedar:1"], "grantsNothing": False}]
    for name in ("root", "other"):
        desk.ask(ADMIN._replace(name=name), DECIDE, id=id_)
    found = {actor.name: desk.ask(actor, query)["nodes"] for actor in (ADMIN, PAULA, auditor)}
    assert found == {
        "root": [{"state": "GRANTED", "forbiddenBy": ["access.cedar:1", "old@access.cedar:2"], "grantsNothing": False}],
        "paula": [{"state": "GRANTED", "forbiddenBy": ["access.cedar:1"], "grantsNothing": True}],
        "ada": [{"state": "GRANTED", "forbiddenBy": None, "grantsNothing": False}],
    }
    lines = {}
    for actor in (ADMIN, PAULA):
        (answer,) = desk.ask(actor, read_query("access-requests"), first=1)["nodes"]
        lines[actor.name] = [line.text for line in format_request(convert_answer(answer, AccessRequest))]
    assert "  not all of it is granted, since this forbids some: access.cedar:1, old@access.cedar:2" in lines["root"]
    assert "  nothing of it that you see is granted, by the access rules: access.cedar:1" in lines["paula"]
