"""A store that does not answer in the middle of a step: whichever call fails, the next step finds what this one would have."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from meshline.app.policy_service import load_policies
from meshline.errors import StoreUnavailable
from meshline.governance import audit
from meshline.governance.diff import compare_versions
from meshline.governance.notify.follower import ChangeDetector, Follower
from meshline.governance.notify.outbox import Outbox
from meshline.governance.notify.violation_events import WatchedViolations
from meshline.governance.policies.monitor import PolicyMonitor
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.base import Store
from meshline.graph.store.sqlite import SqliteStore
from tests.governance.notify.test_follower import LATER, build_orders, read_clock
from tests.governance.notify.test_violations import OWNED, WORDS
from tests.queries import mesh
from tests.queries.mesh import build_asset_statement, build_retraction, build_schema_statement
from tests.stores.statements import commit_statements

MOST_CALLS = 300


class Failing:
    """A store of which one call raises StoreUnavailable: the `fails`-th from now on, before or (a commit only) after it is done."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls = 0
        self.fails = -1
        self.after = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._store, name)

        def call_or_fail(*given: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls == self.fails:
                if self.after and name == "commit":
                    call(*given, **named)
                raise StoreUnavailable(f"{name} does not answer")
            return call(*given, **named)

        return call_or_fail


class Outcome(NamedTuple):
    """`calls`: of the store in the steps, up to the one that did not fail."""

    notices: set[tuple[str, str, str, str, int]]
    turns: list[tuple[str, str, str]]
    calls: int
    failed: bool


def follow_with_failure(path: Path, fails: int, *, after: bool) -> Outcome:
    """What is noted of several kinds of changes where one call fails and the step is tried again."""
    with closing(SqliteStore(str(path))) as inside:
        store = Failing(inside)
        live = LiveGraph.open(store)
        follow = Follower(
            live, ChangeDetector(live, compare_versions), WatchedViolations(PolicyMonitor(live, load_policies())), read_clock, webhook=True
        )
        names = [
            live.index.assets.get_key(node).name
            for node in live.index.assets.list_columns(live.index.assets.find_by_key(mesh.ORDERS) or -1)
        ]
        follow.step()
        store.calls, store.fails, store.after = 0, fails, after
        failed = False
        for statements in (
            [
                build_orders(*names[:-1]),
                build_schema_statement(mesh.CUSTOMERS, "x", at=LATER),
                build_retraction(WORDS.source, WORDS.scope, LATER + 1),
            ],
            [build_orders(*names[:-2], at=LATER + 2), WORDS._replace(observed_at=LATER + 3)],
        ):
            commit_statements(inside, *statements)
            for _ in range(2):
                try:
                    follow.step()
                except StoreUnavailable:
                    failed = True
                else:
                    break
        pending = [one.notice.body for one in Outbox(inside).list_pending()]
        notices = {(one.event, one.receiver.name, one.rule, one.text, one.at) for one in pending}
        assert len(notices) == len(pending), "each once"
        entries = audit.read_entries(inside, action=audit.Action.POLICY)
        turns = [(str(entry.details["state"]), str(entry.details["policy"]), entry.subject) for _, _, entry, _ in entries]
        return Outcome(notices, turns, store.calls, failed)


@pytest.mark.parametrize("after", [False, True])
def test_no_notice_is_lost_by_a_call_that_fails(tmp_path: Path, *, after: bool) -> None:
    """Each call of the store in two steps fails once."""
    with closing(SqliteStore(str(tmp_path / "begin.db"))) as store:
        commit_statements(store, *mesh.build_mesh(), build_asset_statement(mesh.SHOP_TEAM, email="shop@company.com"), OWNED, WORDS)

    def run(fails: int) -> Outcome:
        path = tmp_path / f"{fails}.db"
        shutil.copy(tmp_path / "begin.db", path)
        return follow_with_failure(path, fails, after=after)

    expected = run(0)
    assert {event for event, *_ in expected.notices} == {"change.landed", "policy.violated"}
    assert not expected.failed
    assert expected.calls < MOST_CALLS, "or the loop below takes too long"
    for fails in range(1, expected.calls + 1):
        found = run(fails)
        assert found.failed, fails
        assert (found.notices, found.turns) == (expected.notices, expected.turns), fails
