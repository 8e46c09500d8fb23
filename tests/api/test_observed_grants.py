"""Syncs see the grants of data: an approved request is granted, and a granted one revoked, by what a source states about who may read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from meshline.app import observed_grants
from meshline.app.access_decisions import DeskSettings
from meshline.app.tokens import Actor, Role
from meshline.governance import audit
from meshline.graph.content import encode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, EdgeType, build_dataset_key, build_owner_key, get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.store.base import Store
from meshline.graph.store.factory import open_store
from meshline.ingest.sources.base import RIGHTS, Entry, Reading
from meshline.ingest.sources.ranger.source import Ranger
from meshline.ingest.sources.read_right import ReadRight, build_right_facts
from meshline.ingest.sources.sync import SyncOutcome, record_sync, sync_source
from meshline.ingest.sources.sync_status import Status, read_status, save_status
from meshline.ingest.sources.target import LocalTarget
from tests.api.test_access_deadlines import Server, list_events, open_server
from tests.api.test_access_requests import (  # noqa: F401 - a fixture
    ASK,
    CARDS,
    CONFIRM,
    DECIDE,
    LIST,
    PAID,
    PAULA,
    PAY,
    RATES,
    ROBOT,
    SALLY,
    STEWARD,
    list_statements,
    rules,
)
from tests.ingest.sources.test_ranger import allow, build_policy
from tests.queries import mesh
from tests.servers import Neo4jServer

SETTINGS = DeskSettings(has_executor=True, executor="service:granter")
OTHERS = build_policy(
    {"database": "sales", "table": "*", "column": "*"}, policyItems=[allow("user:zoe")]
)  # the source still states something


class Desk(Server):
    """A server, and a Ranger that it reads."""

    folder: Path

    def sync(self, *policies: object) -> SyncOutcome:
        """Read these policies, and let the server look at what has come. The text `broken`: a file that cannot be read."""
        broken = policies == ("broken",)
        (self.folder / "policies.json").write_text("{" if broken else json.dumps({"policies": [*policies, OTHERS]}), "utf-8")
        source = Ranger.model_validate({"name": "lake", "files": ["policies.json"], "namespace": "wh"})
        done = sync_source(LocalTarget(self.live, Naming()), source, self.folder, variables=lambda _: None)
        assert done.refused is broken
        self.look()
        return done

    def read_some(self, *datasets: AssetKey) -> None:
        """Read who may read some tables of a catalog, which is Sally, and let the server look at what has come."""
        facts = [build_right_facts(one, [ReadRight("sally")], lambda name: (build_owner_key(name), None)) for one in datasets]
        entries = [Entry((RIGHTS, *one.parts), encode_facts(stated)) for one, stated in zip(datasets, facts, strict=True)]
        reading = Reading("unity/lake", entries, has_read_rights=lambda: True)
        record_sync(LocalTarget(self.live, Naming()), reading.source, lambda: LocalTarget(self.live, Naming()).load(reading))
        self.look()

    def look(self) -> None:
        self.register.refresh()
        self.desk.write_due()

    def ask_for(self, asset: Any = RATES, **variables: object) -> str:
        """The id of an approved request of Sally for data."""
        id_: str = self.ask(SALLY, ASK, asset=asset.id, kind="DATA", **variables)["id"]
        if self.ask(PAULA, DECIDE, id=id_)["state"] == "OPEN":  # what is restricted needs two
            self.ask(STEWARD, DECIDE, id=id_)
        return id_

    def show(self, id_: str) -> tuple[str, list[str]]:
        """Its state, and the steps after the approval."""
        found = next(one for one in self.ask(SALLY, LIST)["nodes"] if one["id"] == id_)
        return found["state"], [f"{step['kind']} by {step['by']}" for step in found["steps"][2:]]


def open_desk(live: LiveGraph, rules: Path, settings: DeskSettings = SETTINGS) -> Desk:  # noqa: F811
    server = open_server(live, rules, settings)
    found = Desk(*server)
    found.folder = rules.parent
    return found


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look counts, however long the one before took."""
    monkeypatch.setattr(observed_grants, "PAUSE", 0)


@pytest.fixture
def desk(rules: Path) -> Iterator[Desk]:  # noqa: F811
    live = mesh.build_graph(*list_statements())
    yield open_desk(live, rules)
    live.store.close()


def allow_rates(*principals: str, **others: Any) -> dict[str, Any]:
    return build_policy({"database": "pay", "table": "rates", "column": "*", **others}, policyItems=[allow(*principals)])


def test_a_seen_grant_is_granted_and_a_missing_one_revoked(desk: Desk) -> None:
    desk.sync(allow_rates("user:sally"))
    id_ = desk.ask_for()
    desk.look()
    assert desk.show(id_) == ("APPROVED", [])  # what was read before the approval proves nothing
    desk.sync(allow_rates("user:other"))
    assert desk.show(id_) == ("APPROVED", [])
    desk.sync(allow_rates("user:sally"))
    desk.look()
    assert desk.show(id_) == ("GRANTED", ["OBSERVE by meshline"])
    (request,) = desk.ask(SALLY, LIST)["nodes"]
    status = read_status(desk.live.store, "ranger/lake")
    assert status is not None
    assert request["steps"][2]["reason"].startswith("seen in ranger/lake at 20")
    confirmed = desk.ask(ROBOT, CONFIRM, id=id_)
    assert (confirmed["state"], confirmed["reference"]) == ("GRANTED", "grant-7")  # the executor reports what was seen before
    desk.sync("broken")
    assert desk.show(id_) == ("GRANTED", ["OBSERVE by meshline", "CONFIRM by service granter"])
    desk.sync(allow_rates("user:sally", column="a"))  # a right to less
    assert desk.show(id_) == ("REVOKED", ["OBSERVE by meshline", "CONFIRM by service granter", "MISS by meshline"])
    assert desk.ask(SALLY, LIST)["nodes"][0]["steps"][-1]["reason"].startswith("no longer in ranger/lake at 20")
    desk.sync(allow_rates("user:sally"))
    assert desk.show(id_)[0] == "REVOKED"
    assert list_events(desk) == ["access.approved", "access.revoked"]
    entries = [one.entry for one in audit.read_entries(desk.live.store, action=audit.Action.ACCESS)]
    events = [(entry.details["event"], str(entry.details.get("reason", ""))[:24]) for entry in entries if entry.actor == "meshline"]
    assert events == [("grant", "seen in ranger/lake at 2"), ("revocation", "no longer in ranger/lake")]


def test_what_the_executor_has_granted_is_seen_and_missed_too(desk: Desk) -> None:
    id_ = desk.ask_for()
    desk.ask(ROBOT, CONFIRM, id=id_)
    desk.sync()
    assert desk.show(id_) == ("GRANTED", ["CONFIRM by service granter"])  # never seen: not missed
    desk.sync(allow_rates("user:sally"))
    desk.sync(allow_rates("user:sally"))
    assert desk.show(id_) == ("GRANTED", ["CONFIRM by service granter", "OBSERVE by meshline"])
    desk.sync()
    assert desk.show(id_)[0] == "REVOKED"


@pytest.mark.parametrize(
    ("principal", "granted", "expected"),
    [
        (None, "user:sally", True),
        (None, "group:desks", True),  # whose people the mesh states
        (None, "role:sally", False),
        (None, "group:public", False),  # whether she has a login there is not known
        ("service:model", "user:model", True),
        ("service:model", "user:sally", False),
        ("service:model", "group:desks", False),
    ],
)
def test_who_the_principal_of_a_grant_is(desk: Desk, principal: str | None, granted: str, *, expected: bool) -> None:
    mesh.commit_statements(desk.live, mesh.build_asset_statement(build_owner_key("desks"), owner_type="team", people=["sally"]))
    id_ = desk.ask_for(**{"for": principal})
    desk.sync(allow_rates(granted))
    assert desk.show(id_)[0] == ("GRANTED" if expected else "APPROVED")


@pytest.mark.parametrize(("granted", "expected"), [("group:sales", True), ("user:sales", False), ("group:other", False)])
def test_groups_of_the_asker_count(desk: Desk, granted: str, *, expected: bool) -> None:
    asker = Actor("user other", Role.READER, groups=("sales", "sales-team"))
    mesh.commit_statements(desk.live, mesh.build_edge_statement(EdgeType.OWNS, build_owner_key("sales-team"), RATES))
    id_ = desk.ask(asker, ASK, asset=RATES.id, kind="DATA")["id"]
    desk.ask(Actor("root", Role.ADMIN), DECIDE, id=id_)
    desk.sync(allow_rates(granted))
    assert next(one["state"] for one in desk.ask(asker, LIST)["nodes"]) == ("GRANTED" if expected else "APPROVED")


def test_all_datasets_of_a_domain_that_the_asker_sees_are_needed(desk: Desk) -> None:
    mesh.commit_statements(desk.live, mesh.build_asset_statement(PAID, tags=["listed"]))  # cards stay hidden, and do not count
    id_ = desk.ask_for(PAY)
    some = allow_rates("user:sally")
    desk.sync(some)
    assert desk.show(id_)[0] == "APPROVED"
    rest = build_policy({"database": "pay", "table": "paid", "column": ["a", "b"]}, policyItems=[allow("user:sally")])  # all columns
    desk.sync(some, rest)
    assert desk.show(id_)[0] == "GRANTED"
    late = build_dataset_key("wh", "pay.late")
    mesh.commit_statements(desk.live, mesh.build_schema_statement(late, "a"), mesh.build_asset_statement(late, tags=["listed"]))
    desk.sync(some, rest)
    assert desk.show(id_)[0] == "GRANTED"  # what is new was not granted, and so not revoked
    desk.sync(some)
    assert desk.show(id_)[0] == "REVOKED"


@pytest.mark.parametrize("kind", ["METADATA", "DATA"])
def test_what_is_hidden_from_the_asker_changes_nothing_of_a_request(rules: Path, kind: str) -> None:  # noqa: F811
    """Two worlds: in one the domain has datasets that he may not see, one of which is restricted."""
    worlds: list[list[Any]] = []
    hidden = {PAID, CARDS}
    for others in (True, False):
        statements = [*list_statements()] if others else [*list_statements(hidden)]
        live = mesh.build_graph(*statements)
        desk = open_desk(live, rules)
        id_ = desk.ask(SALLY, ASK, asset=PAY.id, kind=kind)["id"]
        shown = [show_request(desk)]
        for decider in (PAULA, STEWARD):
            desk.ask(decider, DECIDE, id=id_)
            shown.append(show_request(desk))
        desk.sync(allow_rates("user:sally"))
        shown.append(show_request(desk))
        desk.sync()
        shown.append(show_request(desk))
        worlds.append(shown)
        live.store.close()
    assert worlds[0] == worlds[1]
    expected = {"METADATA": ["OPEN", "OPEN", "GRANTED"], "DATA": ["OPEN", "OPEN", "APPROVED", "GRANTED", "REVOKED"]}[kind]
    assert [*dict.fromkeys(one["state"] for one in worlds[0])] == [*dict.fromkeys(expected)]


def show_request(desk: Desk) -> dict[str, Any]:
    """What Sally sees of her request, without names and times that are other ones in each run."""
    (found,) = desk.ask(SALLY, LIST)["nodes"]
    steps = [{**step, "reason": (step["reason"] or "").partition(" at ")[0]} for step in found["steps"]]
    return {**found, "id": "", "until": "", "steps": steps}


def test_a_right_that_the_last_reading_left_out_proves_no_grant(desk: Desk) -> None:
    """As of a catalog of which only some tables are read any more: what was stated of others stays."""
    desk.read_some(RATES, PAID)
    id_ = desk.ask_for()
    desk.read_some(PAID)
    assert desk.show(id_) == ("APPROVED", [])
    desk.read_some(RATES)
    assert desk.show(id_) == ("GRANTED", ["OBSERVE by meshline"])
    desk.read_some(PAID)
    assert desk.show(id_)[0] == "GRANTED"  # nor is it a revocation


def test_another_action_is_fulfilled_by_the_role_that_it_names(desk: Desk) -> None:
    id_ = desk.ask_for(action="analyst")
    desk.sync(allow_rates("user:sally"))
    assert desk.show(id_)[0] == "APPROVED"
    edge = mesh.build_edge_statement(EdgeType.MAY_READ, build_owner_key("sally"), RATES, "postgres/pay", grant="analyst")
    mesh.commit_statements(desk.live, edge)
    desk.look()
    assert desk.show(id_)[0] == "APPROVED"  # no reading of that source is known
    now = get_current_micros()
    save_status(desk.live.store, "postgres/pay", Status(now, 1.0, succeeded=now))
    desk.look()
    assert desk.show(id_)[0] == "APPROVED"  # it was one without the rights
    save_status(desk.live.store, "postgres/pay", Status(now, 1.0, succeeded=now, rights=now))
    desk.look()
    assert desk.show(id_)[0] == "GRANTED"


@pytest.mark.parametrize("change", ["nothing stated", "another source"])
def test_what_proves_no_revocation(desk: Desk, change: str) -> None:
    """A source that states nothing any more, and a right that another source states."""
    id_ = desk.ask_for()
    desk.sync(allow_rates("user:sally"))
    assert desk.show(id_)[0] == "GRANTED"
    if change == "nothing stated":
        off = {**OTHERS, "isEnabled": False}
        (desk.folder / "policies.json").write_text(json.dumps({"policies": [off]}), "utf-8")
        source = Ranger.model_validate({"name": "lake", "files": ["policies.json"], "namespace": "wh"})
        assert not sync_source(LocalTarget(desk.live, Naming()), source, desk.folder, variables=lambda _: None).refused
        desk.look()
    else:
        mesh.commit_statements(desk.live, mesh.build_edge_statement(EdgeType.MAY_READ, build_owner_key("sally"), RATES, "postgres/pay"))
        desk.sync()
    assert desk.show(id_)[0] == "GRANTED"


def test_without_an_executor_people_grant_what_is_approved(desk: Desk, rules: Path) -> None:  # noqa: F811
    closed = open_desk(desk.live, rules, DeskSettings())
    assert "access_data" in closed.refuse(SALLY, ASK, asset=RATES.id, kind="DATA")[1]
    found = open_desk(desk.live, rules, DeskSettings(takes_data=True))
    id_ = found.ask_for()
    found.sync(allow_rates("user:sally"))
    assert found.show(id_)[0] == "GRANTED"
    found.sync()
    assert (found.show(id_)[0], list_events(found)) == ("REVOKED", [])


def check_servers(open_one: Callable[[], Store], rules: Path) -> None:  # noqa: F811
    """Four servers look at the same time: each step is written once."""
    with closing(open_one()) as first, closing(open_one()) as second:
        live = LiveGraph.open(first)
        mesh.commit_statements(live, *list_statements())
        one = open_desk(live, rules)
        servers = [one, *(open_desk(graph, rules) for graph in (live, LiveGraph.open(second), LiveGraph.open(second)))]
        id_ = one.ask_for()
        for policies, state in (([allow_rates("user:sally")], "GRANTED"), ([], "REVOKED")):
            quiet = open_desk(live, rules)
            quiet.look = lambda: None  # type: ignore[method-assign]
            quiet.sync(*policies)
            for server in servers:
                server.live.refresh()
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(Desk.look, servers))
            one.register.refresh()
            assert one.show(id_)[0] == state
        assert one.show(id_)[1] == ["OBSERVE by meshline", "MISS by meshline"]
        entries = [entry.entry.details["event"] for entry in audit.read_entries(first, action=audit.Action.ACCESS)]
        assert (entries.count("grant"), entries.count("revocation")) == (1, 1)


def test_of_several_servers_one_writes(rules: Path, tmp_path: Path) -> None:  # noqa: F811
    check_servers(lambda: open_store(f"sqlite:///{tmp_path}/mesh.db"), rules)


@pytest.mark.server
def test_of_several_servers_on_neo4j_one_writes(rules: Path, neo4j: Neo4jServer) -> None:  # noqa: F811
    check_servers(lambda: open_store(neo4j.url), rules)
