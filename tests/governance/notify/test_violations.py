"""Violations that are opened and closed: in the audit log once each, and notified to owners once, whichever process detects them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from meshline.app.policy_service import load_policies
from meshline.governance import audit
from meshline.governance.diff import compare_versions
from meshline.governance.notify.follower import ChangeDetector, Follower
from meshline.governance.notify.outbox import Outbox
from meshline.governance.notify.violation_events import WatchedViolations
from meshline.governance.policies.monitor import PolicyMonitor
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import EdgeType
from meshline.graph.store.sqlite import SqliteStore
from tests.governance.notify.test_follower import LATER, read_clock
from tests.queries import mesh
from tests.queries.mesh import build_asset_statement, build_edge_statement, build_retraction
from tests.stores.statements import commit_statements

OWNED = build_edge_statement(EdgeType.OWNS, mesh.SHOP_TEAM, mesh.REVENUE_PRODUCT, at=LATER)
WORDS = build_asset_statement(mesh.REVENUE_PRODUCT, at=LATER, description="All revenue")
RULE = "product-undocumented"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveGraph]:
    with closing(SqliteStore(str(tmp_path / "mesh.db"))) as store:
        commit_statements(store, *mesh.build_mesh(), build_asset_statement(mesh.SHOP_TEAM, email="shop@company.com"))
        yield LiveGraph.open(store)


def build_follower(live: LiveGraph) -> Follower:
    return Follower(
        live, ChangeDetector(live, compare_versions), WatchedViolations(PolicyMonitor(live, load_policies())), read_clock, webhook=True
    )


def list_turns(live: LiveGraph) -> list[tuple[str, str, str]]:
    """(state, policy, of what)."""
    return [
        (str(e.details["state"]), str(e.details["policy"]), e.subject)
        for _, _, e, _ in audit.read_entries(live.store, action=audit.Action.POLICY)
    ]


def test_first_violations_are_recorded_without_notices(live: LiveGraph) -> None:
    first = build_follower(live).step()
    assert first.began
    assert first.opened == len(list_turns(live)) > 0
    assert {state for state, _, _ in list_turns(live)} == {"opened"}
    assert Outbox(live.store).list_pending() == []
    again = build_follower(live).step()
    assert (again.opened, again.closed) == (0, 0), "a restart is no news"


def test_a_violation_is_opened_closed_and_opened_again(live: LiveGraph) -> None:
    commit_statements(live.store, OWNED, WORDS)
    follow, other = build_follower(live), build_follower(live)
    follow.step()
    before = list_turns(live)
    gone = build_retraction(WORDS.source, WORDS.scope, LATER + 1)
    for at, statement in enumerate([gone, WORDS._replace(observed_at=LATER + 2), gone._replace(observed_at=LATER + 3)]):
        commit_statements(live.store, statement)
        live.refresh()
        for one in (follow, other)[:: 1 if at % 2 else -1]:
            one.step()
    new = list_turns(live)[len(before) :]
    assert new == [("opened", RULE, "revenue"), ("closed", RULE, "revenue"), ("opened", RULE, "revenue")]
    bodies = [one.notice.body for one in Outbox(live.store).list_pending()]
    assert [one.event for one in bodies if one.receiver.kind == "webhook"] == ["policy.violated"] * 2


def test_the_owners_of_the_violating_asset_are_notified(live: LiveGraph) -> None:
    commit_statements(live.store, OWNED, WORDS)
    follow = build_follower(live)
    follow.step()
    commit_statements(live.store, build_retraction(WORDS.source, WORDS.scope, LATER + 1))
    assert follow.step().opened == 1
    bodies = [one.notice.body for one in Outbox(live.store).list_pending()]
    (one,) = [one for one in bodies if one.receiver.name == "team:shop"]
    assert (one.event, one.rule, one.assets) == ("policy.violated", RULE, ("revenue",))
    assert one.receiver.contacts == {"email": "shop@company.com"}
