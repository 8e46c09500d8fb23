"""Requests for access: who may ask for what, who decides, what follows, and that it ends."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from meshline.api.graphql import Bounds
from meshline.api.graphql.execution import Executor
from meshline.app.access import Access
from meshline.app.access_decisions import AccessDesk, DeskSettings, add_grants
from meshline.app.access_file import read_access_rules
from meshline.app.access_requests import RequestRegister
from meshline.app.tokens import NO_AUTHENTICATION, AccessScope, Actor, Role, generate_token, hash_token
from meshline.governance import audit
from meshline.governance.notify.outbox import Outbox
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    AssetKey,
    AssetKind,
    EdgeType,
    Json,
    build_column_key,
    build_contract_key,
    build_dataset_key,
    build_owner_key,
)
from meshline.graph.naming import Naming
from meshline.graph.store.factory import open_store
from tests.api.conftest import MoveClock, run_application
from tests.api.test_auth import TOKENS, build_authorization
from tests.queries import mesh

ORDERS, PAID, CARDS, RATES = (build_dataset_key("wh", name) for name in ("sales.orders", "pay.paid", "pay.cards", "pay.rates"))
SALES, PAY = (AssetKey(AssetKind.DOMAIN, (name,)) for name in ("sales", "pay"))
RULES = """
version: 1
default: own
grants:
  - {who: [token:sally, token:other], on: domain:sales}
  - {who: [token:sally, token:other], on: "tag:listed"}
restrict:
  - {on: "tag:pii", except: [group:stewards]}
"""
SALLY, OTHER = Actor("sally", Role.READER), Actor("other", Role.READER, groups=("sales",))
PAULA, STEWARD = Actor("paula", Role.READER, groups=("pay-team",)), Actor("user stew", Role.READER, groups=("pay-team", "stewards"))
ADMIN, ROBOT = Actor("root", Role.ADMIN), Actor("service granter", Role.READER)
SHOWN = """ fragment Shown on AccessRequest { id kind state assetName selector asker principal approvers restrictions mine until reference
    steps { kind by state reason } asset { name } }"""
ASK = """mutation($asset: ID!, $kind: AccessKind! = METADATA, $action: String! = "read", $until: DateTime, $for: String) {
    requestAccess(asset: $asset, purpose: "look", kind: $kind, action: $action, until: $until, for: $for) { ...Shown } }"""
DECIDE = """mutation($id: ID!, $decision: AccessDecision! = APPROVE, $reason: String, $until: DateTime) {
    decideAccess(request: $id, decision: $decision, reason: $reason, until: $until) { ...Shown } }"""
WITHDRAW = "mutation($id: ID!) { withdrawAccess(request: $id) { ...Shown } }"
CONFIRM = """mutation($id: ID!, $ended: Boolean! = false) {
    confirmAccess(request: $id, reference: "grant-7", ended: $ended) { ...Shown } }"""
LIST = "query($mine: Boolean) { accessRequests(mine: $mine) { totalCount nodes { ...Shown } } }"
NAMES = "{ datasets { nodes { name } } }"


def complete(query: str) -> str:
    return query + SHOWN if "...Shown" in query else query


class Desk(NamedTuple):
    """A server in this process, with the rules of a file."""

    live: LiveGraph
    executor: Executor
    register: RequestRegister

    def ask(self, actor: Actor, query: str, **variables: object) -> Any:
        """The one field of the answer; no errors."""
        body = self.executor.execute(complete(query), variables, actor=actor).body
        assert "errors" not in body, body["errors"]
        return next(iter(body["data"].values()))

    def refuse(self, actor: Actor, query: str, **variables: object) -> tuple[str, str]:
        """The code and the message of the one error."""
        (error,) = self.executor.execute(complete(query), variables, actor=actor).body["errors"]
        return error["extensions"]["code"], error["message"]

    def list_names(self, actor: Actor) -> list[str]:
        return [node["name"] for node in self.ask(actor, NAMES)["nodes"]]


def open_desk(live: LiveGraph, rules: Path) -> Desk:
    register = RequestRegister(live.store)
    found = read_access_rules(rules)
    access = Access(live, lambda: add_grants(found, register.list_grants()))
    desk = AccessDesk(register, access, DeskSettings(has_executor=True, executor="service:granter"))
    return Desk(live, Executor(live, Naming(), Bounds(), access=access, desk=desk), register)


def list_statements(without: Collection[AssetKey] = ()) -> Iterator[Any]:
    for domain, pattern, owner in ((SALES, "wh/sales.*", "sales-team"), (PAY, "wh/pay.*", "pay-team")):
        yield mesh.build_asset_statement(domain, members=[pattern])
        yield mesh.build_edge_statement(EdgeType.OWNS, build_owner_key(owner), domain)
    for dataset in (ORDERS, PAID, CARDS, RATES):
        if dataset not in without:
            yield mesh.build_schema_statement(dataset, "a", "b")
    if CARDS not in without:
        yield mesh.build_asset_statement(CARDS, tags=["pii"])
    yield mesh.build_asset_statement(RATES, tags=["listed"])


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "access.yaml"
    path.write_text(RULES, "utf-8")
    return path


@pytest.fixture
def desk(rules: Path) -> Iterator[Desk]:
    live = mesh.build_graph(*list_statements())
    yield open_desk(live, rules)
    live.store.close()


def test_an_owner_grants_access_which_ends_by_itself(desk: Desk, move_clock: MoveClock) -> None:
    assert desk.list_names(SALLY) == ["pay.rates", "sales.orders"]
    asked = desk.ask(SALLY, ASK, asset=PAY.id)
    assert (asked["state"], asked["approvers"], asked["mine"], asked["restrictions"]) == ("OPEN", ["pay-team"], True, None)
    (seen,) = desk.ask(PAULA, LIST)["nodes"]
    assert (seen["id"], seen["assetName"], seen["mine"], seen["restrictions"]) == (asked["id"], "pay", False, ["tag:pii"])
    assert desk.ask(PAULA, DECIDE, id=asked["id"])["state"] == "OPEN"  # what is restricted needs two
    assert desk.refuse(PAULA, DECIDE, id=asked["id"])[0] == "INVALID_INPUT"
    assert desk.list_names(SALLY) == ["pay.rates", "sales.orders"]
    granted = desk.ask(Actor("pat", Role.READER, groups=("pay-team",)), DECIDE, id=asked["id"])
    assert (granted["state"], [step["by"] for step in granted["steps"]]) == ("GRANTED", ["sally", "paula", "pat"])
    assert desk.list_names(SALLY) == ["pay.paid", "pay.rates", "sales.orders"]  # what is restricted stays so
    assert desk.list_names(OTHER) == ["pay.rates", "sales.orders"]
    move_clock(31 * 86_400)
    assert desk.list_names(SALLY) == ["pay.rates", "sales.orders"]
    assert desk.ask(SALLY, LIST)["nodes"][0]["state"] == "EXPIRED"


def test_a_restriction_is_lifted_by_a_decider_who_is_excepted_from_it(desk: Desk) -> None:
    id_ = desk.ask(SALLY, ASK, asset=PAY.id)["id"]
    desk.ask(STEWARD, DECIDE, id=id_)
    desk.ask(PAULA, DECIDE, id=id_)
    assert desk.list_names(SALLY) == ["pay.cards", "pay.paid", "pay.rates", "sales.orders"]
    desk.ask(PAULA, DECIDE, id=id_, decision="REVOKE", reason="the audit is over")
    assert desk.list_names(SALLY) == ["pay.rates", "sales.orders"]


@pytest.mark.parametrize("hidden", [(), ("pii", "secret")])
def test_a_decider_lifts_restrictions_of_what_he_sees_in_a_domain(rules: Path, hidden: tuple[str, ...]) -> None:
    """What is restricted there later stays so, whether something that he does not see was restricted before."""
    rules.write_text(RULES + '  - {on: "tag:secret", except: [group:auditors]}\n', "utf-8")
    live = mesh.build_graph(*list_statements(without=[CARDS]))
    desk = open_desk(live, rules)
    if hidden:
        mesh.commit_statements(live, mesh.build_schema_statement(CARDS, "a"), mesh.build_asset_statement(CARDS, tags=[*hidden]))
    id_ = desk.ask(SALLY, ASK, asset=PAY.id)["id"]
    states = [desk.ask(decider, DECIDE, id=id_)["state"] for decider in (STEWARD, PAULA)]
    assert states == ["OPEN", "GRANTED"]
    mesh.commit_statements(live, mesh.build_asset_statement(PAID, tags=["pii"]))
    assert desk.list_names(SALLY) == ["pay.rates", "sales.orders"]
    live.store.close()


def test_what_is_not_restricted_needs_one_decider_who_may_shorten_it(desk: Desk) -> None:
    id_ = desk.ask(OTHER, ASK, asset=RATES.id)["id"]
    assert desk.refuse(PAULA, DECIDE, id=id_, until="2000-01-01T00:00:00Z")[0] == "INVALID_INPUT"
    assert desk.refuse(PAULA, DECIDE, id=id_, until="2999-01-01T00:00:00Z")[0] == "INVALID_INPUT"
    asked = desk.ask(OTHER, LIST)["nodes"][0]
    granted = desk.ask(PAULA, DECIDE, id=id_, until=asked["until"].replace("+00:00", "Z"))
    assert (granted["state"], granted["until"]) == ("GRANTED", asked["until"])


def test_a_restricted_column_that_the_asker_does_not_see_needs_no_second_decider(desk: Desk) -> None:
    """He would learn that there is one. It stays restricted, also if the decider is excepted."""
    columns = """query($id: ID!) { node(id: $id) { ... on Dataset { columns { nodes { name } } } } }"""
    mesh.commit_statements(desk.live, mesh.build_asset_statement(build_column_key(RATES, "b"), tags=["pii"]))
    id_ = desk.ask(OTHER, ASK, asset=RATES.id)["id"]
    assert desk.ask(STEWARD, DECIDE, id=id_)["state"] == "GRANTED"
    assert [one["name"] for one in desk.ask(OTHER, columns, id=RATES.id)["columns"]["nodes"]] == ["a"]
    seen = desk.ask(ADMIN, ASK, asset=RATES.id)["id"]  # an administrator is a reader here, too
    assert desk.ask(STEWARD, DECIDE, id=seen)["state"] == "GRANTED"


def test_who_does_not_decide(desk: Desk) -> None:
    id_ = desk.ask(SALLY, ASK, asset=PAY.id)["id"]
    unknown = desk.refuse(OTHER, DECIDE, id="req_0")
    assert unknown == ("NOT_FOUND", "there is no request 'req_0'")
    assert desk.refuse(OTHER, DECIDE, id=id_) == ("NOT_FOUND", f"there is no request {id_!r}")
    assert desk.refuse(OTHER, WITHDRAW, id=id_) == ("NOT_FOUND", f"there is no request {id_!r}")
    assert desk.refuse(SALLY, DECIDE, id=id_)[0] == "FORBIDDEN"
    assert desk.refuse(SALLY._replace(role=Role.ADMIN), DECIDE, id=id_)[0] == "FORBIDDEN"
    assert desk.refuse(NO_AUTHENTICATION, DECIDE, id=id_)[0] == "INVALID_INPUT"
    assert desk.refuse(NO_AUTHENTICATION, ASK, asset=PAY.id)[0] == "INVALID_INPUT"
    assert desk.ask(OTHER, LIST)["totalCount"] == 0
    of_group = desk.ask(OTHER, ASK, asset=PAY.id, **{"for": "group:sales"})
    assert desk.refuse(Actor("x", Role.ADMIN, groups=("sales",)), DECIDE, id=of_group["id"])[0] == "FORBIDDEN"
    assert desk.refuse(SALLY, ASK, asset=RATES.id, **{"for": "group:sales"})[0] == "INVALID_INPUT"
    assert desk.refuse(SALLY, ASK, asset=RATES.id, **{"for": "user:paula"})[0] == "INVALID_INPUT"


def test_a_hidden_asset_cannot_be_asked_for(desk: Desk) -> None:
    """It is answered as one that is not there."""
    missing = desk.refuse(SALLY, ASK, asset=f"ds_{'0' * 32}")
    for kind in ("METADATA", "DATA"):
        found = desk.refuse(SALLY, ASK, asset=PAID.id, kind=kind)
        assert (found[0], found[1].replace(PAID.id, f"ds_{'0' * 32}")) == missing
    assert desk.ask(ADMIN, ASK, asset=PAID.id)["state"] == "OPEN"


def test_what_cannot_be_asked(desk: Desk) -> None:
    refused = {
        "until": {"asset": PAY.id, "until": "2000-01-01T00:00:00Z"},
        "action": {"asset": PAY.id, "action": "state"},
        "for": {"asset": PAY.id, "for": "everyone"},
        "asset": {"asset": build_owner_key("pay-team").id},
    }
    for where, variables in refused.items():
        code, message = desk.refuse(SALLY, ASK, **variables)
        assert (code, message.partition(":")[0]) == ("INVALID_INPUT", where), variables
    id_ = desk.ask(SALLY, ASK, asset=PAY.id)["id"]
    assert id_ in desk.refuse(SALLY, ASK, asset=PAY.id)[1]
    assert desk.ask(SALLY, WITHDRAW, id=id_)["state"] == "WITHDRAWN"
    assert "withdrawn" in desk.refuse(PAULA, DECIDE, id=id_)[1]
    assert desk.ask(SALLY, ASK, asset=PAY.id)["state"] == "OPEN"


def test_a_request_that_is_not_decided_lapses(desk: Desk, move_clock: MoveClock) -> None:
    id_ = desk.ask(SALLY, ASK, asset=PAY.id)["id"]
    move_clock(15 * 86_400)
    assert desk.ask(SALLY, LIST)["nodes"][0]["state"] == "LAPSED"
    assert "lapsed" in desk.refuse(PAULA, DECIDE, id=id_)[1]


def test_contracts_name_the_approvers(desk: Desk) -> None:
    contract = build_contract_key("rates")
    roles: list[Json] = [{"name": "analyst", "approvers": ["ann, lea"]}, {"name": "writer", "approvers": ["wes", "n/a"]}]
    mesh.commit_statements(
        desk.live,
        mesh.build_asset_statement(contract, version="1.0.0", status="active", roles=roles),
        mesh.build_edge_statement(EdgeType.GOVERNS, contract, RATES, status="active"),
    )
    asked = desk.ask(SALLY, ASK, asset=RATES.id, kind="DATA", action="analyst")
    assert asked["approvers"] == ["ann", "lea"]
    assert desk.ask(SALLY, ASK, asset=RATES.id)["approvers"] == ["ann", "lea", "wes"]
    assert desk.refuse(PAULA, DECIDE, id=asked["id"])[0] == "NOT_FOUND"  # who owns it is not who decides, then
    states = [desk.ask(Actor(f"user {name}", Role.READER), DECIDE, id=asked["id"])["state"] for name in ("lea", "ann")]
    assert states == ["OPEN", "APPROVED"]  # they do not see it, and so not whether it is restricted


def test_data_is_granted_when_the_executor_confirms(desk: Desk) -> None:
    id_ = desk.ask(SALLY, ASK, asset=RATES.id, kind="DATA", **{"for": "service:model"})["id"]
    assert Outbox(desk.live.store).list_pending() == []
    assert desk.ask(PAULA, DECIDE, id=id_)["state"] == "APPROVED"
    (pending,) = Outbox(desk.live.store).list_pending()
    assert (pending.notice.body.event, pending.notice.body.receiver.kind) == ("access.approved", "executor")
    assert pending.notice.body.details["principal"] == "service:model"
    assert desk.refuse(SALLY, CONFIRM, id=id_)[0] == "NOT_FOUND"
    for _ in range(2):  # it may repeat it
        confirmed = desk.ask(ROBOT, CONFIRM, id=id_)
        assert (confirmed["state"], confirmed["reference"]) == ("GRANTED", "grant-7")
    desk.ask(PAULA, DECIDE, id=id_, decision="REVOKE", reason="not needed")
    assert [one.notice.body.event for one in Outbox(desk.live.store).list_pending()] == ["access.approved", "access.revoked"]
    second = desk.ask(SALLY, ASK, asset=RATES.id, kind="DATA")["id"]
    desk.ask(PAULA, DECIDE, id=second)
    desk.ask(ROBOT, CONFIRM, id=second)
    assert desk.ask(ROBOT, CONFIRM, id=second, ended=True)["state"] == "REVOKED"
    assert len(Outbox(desk.live.store).list_pending()) == 3  # it ended it itself


def test_all_is_in_the_audit_log(desk: Desk) -> None:
    id_ = desk.ask(SALLY, ASK, asset=RATES.id)["id"]
    desk.ask(PAULA, DECIDE, id=id_)
    desk.ask(SALLY, WITHDRAW, id=id_)
    desk.ask(PAULA, DECIDE, id=desk.ask(SALLY, ASK, asset=RATES.id)["id"], decision="REFUSE", reason="no need")
    found = [one.entry for one in audit.read_entries(desk.live.store, action=audit.Action.ACCESS)]
    events = [(entry.details["event"], entry.actor, entry.details.get("decision")) for entry in found]
    assert events == [
        ("request", "sally", None),
        ("decision", "paula", "approved"),
        ("grant", "paula", "approved"),
        ("revocation", "sally", None),
        ("request", "sally", None),
        ("decision", "paula", "refused"),
    ]
    assert {entry.subject for entry in found} == {RATES.qualified_name}
    assert found[0].details["request"] == id_


def test_of_decisions_at_the_same_time_one_counts_on_every_server(rules: Path, tmp_path: Path) -> None:
    """Two servers over one store; many deciders at once."""
    address = f"sqlite:///{tmp_path}/mesh.db"
    with closing(open_store(address)) as first, closing(open_store(address)) as second:
        live = LiveGraph.open(first)
        mesh.commit_statements(live, *list_statements())
        one, other = open_desk(live, rules), open_desk(LiveGraph.open(second), rules)
        id_ = one.ask(SALLY, ASK, asset=RATES.id)["id"]

        def decide(number: int) -> dict[str, Any]:
            actor = Actor(f"pay-{number}", Role.READER, groups=("pay-team",))
            desk, approve = (one, other)[number % 2], number % 4 < 2
            variables = {"id": id_, "decision": "APPROVE" if approve else "REFUSE", "reason": "because"}
            return desk.executor.execute(complete(DECIDE), variables, actor=actor).body

        with ThreadPoolExecutor(8) as pool:
            bodies = list(pool.map(decide, range(8)))
        (winner,) = (body["data"]["decideAccess"] for body in bodies if "errors" not in body)
        assert {body["errors"][0]["extensions"]["code"] for body in bodies if "errors" in body} <= {"SUPERSEDED", "INVALID_INPUT"}
        for desk in (one, other):
            (seen,) = desk.ask(SALLY, LIST)["nodes"]
            assert [step["by"] for step in seen["steps"]] == [step["by"] for step in winner["steps"]]
            assert ("pay.rates" in desk.list_names(SALLY), seen["state"]) == (True, winner["state"])
        entries = [one.entry.details["event"] for one in audit.read_entries(first, action=audit.Action.ACCESS)]
        assert entries.count("decision") == 1


def test_requests_over_http(rules: Path) -> None:
    """The scope is needed, other mutations stay what they were, and an answer of the cache ends with the grant."""
    asking = {"name": "sally", "role": Role.READER, "scopes": (AccessScope.READ, AccessScope.REQUEST)}
    reading = {"name": "other", "role": Role.READER, "scopes": (AccessScope.READ,)}
    tokens: list[Any] = [*TOKENS]
    secrets = {}
    for entry in (asking, reading):
        secrets[str(entry["name"])] = generate_token()
        tokens.append({**entry, "hash": hash_token(secrets[str(entry["name"])])})
    with run_application(tokens=tokens, access=rules) as client:

        def post(name: str, query: str, **variables: object) -> Any:
            return client.post(
                "/graphql", json={"query": complete(query), "variables": variables}, headers=build_authorization(secrets[name])
            )

        assert post("other", ASK, asset=PAY.id).status_code == 403
        assert post("sally", ASK, asset=PAY.id).json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"
        assert post("sally", 'mutation { addTag(asset: "x", tag: "y") { statement } }').status_code == 403
        assert (
            post("sally", 'mutation { withdrawAccess(request: "x") { id } addTag(asset: "x", tag: "y") { statement } }').status_code == 403
        )
        assert post("sally", LIST).json()["data"]["accessRequests"]["totalCount"] == 0
