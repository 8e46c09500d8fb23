"""Access rules on decisions: in meshes that differ only in what deciders may not see, all that they are answered about a request for access
is alike: whether an approval is refused, how many it needs, and what is shown of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type

from meshline.app.tokens import Actor, Role
from meshline.graph.model import AssetKey, EdgeType, Json, Statement, build_column_key, build_contract_key, build_dataset_key
from tests.api.test_access_requests import ADMIN, ASK, CARDS, PAID, PAULA, PAY, RATES, RULES, Desk, list_statements, open_desk
from tests.api.test_etag import SCHEMA
from tests.api.test_grant_effects import BROWSE_ALL, NO_CONTRACTORS, ONLY_STEWARDS, ONLY_VAULTS, TEAM
from tests.queries import mesh

VARYING = re.compile(r"req_[0-9a-f]{16}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|\+00:00)")  # what no two runs have alike
VAULT, KEY = build_dataset_key("wh", "pay.vault"), build_column_key(RATES, "key")
PAT, AUDITOR = PAULA._replace(name="pat"), Actor("ada", Role.READER, groups=("auditors",))
SECRET = 'restrict:\n  - {on: "tag:secret", except: [group:auditors]}\n'
OWN = RULES.replace("token:other]", "token:other, token:tom, group:auditors]").replace("restrict:\n", SECRET)
BROWSED = BROWSE_ALL.replace("restrict:\n", SECRET)
READ_BY_STEWARDS = BROWSED.replace('on: "tag:pii"', 'on: "tag:pii", may: read')
NO_VAULTS = '@id("vaults") forbid(principal, action == Action::"read", resource) when { resource.tags.contains("vault") };'


def list_hidden(asset: AssetKey, *tags: str) -> Iterator[Statement]:
    """The mesh with a dataset, or a column, that only auditors see."""
    yield from list_statements()
    yield mesh.build_schema_statement(VAULT, "a") if asset == VAULT else mesh.build_schema_statement(RATES, "a", "b", KEY.name)
    yield mesh.build_asset_statement(asset, tags=["secret", *tags])


def list_governed(*tags: str) -> Iterator[Statement]:
    """The mesh with other tags of the cards, and a contract that names who decides about them."""
    contract = build_contract_key("cards")
    roles: list[Json] = [{"name": "reader", "approvers": ["lea", "ann"]}]
    yield from list_statements(without=[CARDS])
    yield mesh.build_schema_statement(CARDS, "a", "b")
    yield mesh.build_asset_statement(CARDS, tags=list(tags))
    yield mesh.build_asset_statement(contract, version="1.0.0", status="active", roles=roles)
    yield mesh.build_edge_statement(EdgeType.GOVERNS, contract, CARDS, status="active")


def list_leaves() -> Iterator[str]:
    kind = SCHEMA.type_map["AccessRequest"]
    assert isinstance(kind, GraphQLObjectType)
    return (name for name, field in kind.fields.items() if is_leaf_type(get_named_type(field.type)))


ALL = f"{{ {' '.join(list_leaves())} steps {{ kind by state reason }} asset {{ name }} }}"
NEWEST = f"{{ accessRequests(first: 1) {{ totalCount nodes {ALL} }} }}"
DECIDE = f'mutation($id: ID!, $decision: AccessDecision!) {{ decideAccess(request: $id, decision: $decision, reason: "r") {ALL} }}'


@pytest.fixture
def open_worlds(tmp_path: Path) -> Iterator[Callable[..., list[Desk]]]:
    """Opens a desk over each of some meshes, with a list of rules and policies."""
    opened: list[Desk] = []

    def open_each(worlds: Sequence[Iterator[Statement]], rules: str, policies: str) -> list[Desk]:
        (tmp_path / "access.cedar").write_text(policies, "utf-8")
        (tmp_path / "access.yaml").write_text(rules, "utf-8")
        opened.extend(open_desk(mesh.build_graph(*world), tmp_path / "access.yaml") for world in worlds)
        return opened

    yield open_each
    for desk in opened:
        desk.live.store.close()


def list_answers(desk: Desk, id_: str, deciders: Sequence[Actor]) -> Iterator[str]:
    """What deciders are answered: before they approve, each after the other, and then."""
    for decider, (query, decision) in product(deciders, ((NEWEST, None), (DECIDE, "APPROVE"))):
        body = desk.executor.execute(query, {"id": id_, "decision": decision}, actor=decider).body
        yield VARYING.sub("...", f"{body.get('data')} {[one['message'] for one in body.get('errors', ())]}")


def compare_worlds(worlds: Sequence[Desk], asker: Actor, asked: dict[str, Any], deciders: Sequence[Actor]) -> str:
    """What the deciders are answered about a request in each of the worlds."""
    first, *others = ([*list_answers(desk, desk.ask(asker, ASK, **asked)["id"], deciders)] for desk in worlds)
    for other in others:
        assert other == first, asked
    return "\n".join(first)


@pytest.mark.parametrize(
    ("rules", "policies", "asset", "refused"),
    [
        (OWN, "", RATES, False),
        (READ_BY_STEWARDS, "", CARDS, True),
        *((BROWSED, policies, PAID, True) for policies in (NO_CONTRACTORS, ONLY_STEWARDS, ONLY_VAULTS)),
        (BROWSED, NO_VAULTS, PAID, False),
    ],
)
def test_two_worlds(open_worlds: Callable[..., list[Desk]], rules: str, policies: str, asset: AssetKey, *, refused: bool) -> None:
    hidden = ((VAULT, ["pii"]), (VAULT, ["listed", "vault"]), (KEY, ["pii"]), (KEY, ["vault"]))
    worlds = open_worlds([list_statements(), *(list_hidden(one, *tags) for one, tags in hidden)], rules, policies)
    found = ""
    askers = ((TEAM, None), (AUDITOR, None), (ADMIN, "service:model"))
    for (asker, principal), of, kind in product(askers, dict.fromkeys((PAY, RATES, asset)), ("METADATA", "DATA")):
        found += compare_worlds(worlds, asker, {"asset": of.id, "kind": kind, "for": principal}, [PAULA, PAT])
    assert ("would grant nothing" in found) == refused
    for state in ("OPEN", "APPROVED", "GRANTED"):
        assert f"'{state}'" in found


@pytest.mark.parametrize("kind", ["METADATA", "DATA"])
def test_who_sees_nothing_of_it_may_decide_and_is_shown_nothing_of_it(open_worlds: Callable[..., list[Desk]], kind: str) -> None:
    """An approver of its contract, who needs a second one. Those who see what was asked for are shown that nothing was granted."""
    rules = READ_BY_STEWARDS.replace("default: {browse: everything, read: own}", "default: own")
    rules = rules.replace("grants:\n", 'grants:\n  - {who: token:tom, may: browse, on: "domain:pay"}\n')
    worlds = open_worlds([list_governed(), list_governed("pii"), list_governed("vault")], rules, NO_VAULTS)
    deciders = [Actor(f"user {name}", Role.READER) for name in ("lea", "ann")]
    found = compare_worlds(worlds, TEAM, {"asset": CARDS.id, "kind": kind}, deciders)
    assert "'forbiddenBy': []" in found
    assert "'asset': {" not in found
    query = "{ accessRequests { nodes { state grantsNothing forbiddenBy } } }"
    state = "GRANTED" if kind == "METADATA" else "APPROVED"
    for desk, forbidding in zip(worlds, ([], ["tag:pii@access.yaml:10"], ["vaults@access.cedar:1"]), strict=True):
        forbidding = forbidding if kind == "METADATA" else []
        for actor, shown in ((ADMIN, forbidding), (TEAM, None)):
            assert desk.ask(actor, query)["nodes"] == [{"state": state, "grantsNothing": bool(forbidding), "forbiddenBy": shown}]
