"""Changes of the graph are notified to everyone they affect: once, and never lost, however they came and whichever process died."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from meshline.governance.diff import compare_versions
from meshline.governance.notify.follower import POSITION, ChangeDetector, Follower, FollowResult
from meshline.governance.notify.outbox import NoticeBody, Outbox
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    AssetFact,
    Content,
    EdgeFact,
    EdgeType,
    Facts,
    Interval,
    Json,
    Statement,
    build_contract_key,
    build_data_product_key,
)
from meshline.graph.store.base import Store
from meshline.graph.store.sqlite import SqliteStore
from tests.queries import mesh
from tests.queries.mesh import SECOND, START, build_asset_statement, build_schema_statement, build_statement
from tests.stores.statements import commit_statements

DAY = 86_400 * SECOND
NOW = START + 10 * DAY  # when it is switched on
LATER = NOW + DAY


def read_clock() -> int:
    return NOW


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveGraph]:
    with closing(SqliteStore(str(tmp_path / "mesh.db"))) as store:
        commit_statements(
            store,
            *mesh.build_mesh(),
            build_asset_statement(mesh.FINANCE_TEAM, email="finance@company.com"),
            build_asset_statement(mesh.SHOP_TEAM, email="shop@company.com"),
        )
        yield LiveGraph.open(store)


def build_follower(live: LiveGraph, *, webhook: bool = False, breaking_only: bool = False) -> Follower:
    return Follower(live, ChangeDetector(live, compare_versions, breaking_only=breaking_only), None, read_clock, webhook=webhook)


def list_bodies(store: Store) -> list[NoticeBody]:
    return [one.notice.body for one in Outbox(store).list_pending()]


def list_notified(store: Store) -> set[tuple[str, str, str]]:
    """(recipient, rule, text)."""
    return {(one.receiver.name, one.rule, one.text) for one in list_bodies(store)}


def build_orders(*names: str, at: int = LATER, **given: str) -> Statement:
    return build_schema_statement(mesh.ORDERS, *names, at=at, **given)


def list_columns(live: LiveGraph) -> list[str]:
    return [
        live.index.assets.get_key(node).name for node in live.index.assets.list_columns(live.index.assets.find_by_key(mesh.ORDERS) or -1)
    ]


def test_history_is_not_notified(live: LiveGraph) -> None:
    commit_statements(live.store, build_orders("order_id", at=START + DAY))
    follow = build_follower(live)
    assert follow.step() == FollowResult(live.store.read_revision(), 0, 0, 0, began=True)
    commit_statements(live.store, build_orders("order_id", "x", at=START + 2 * DAY), build_schema_statement(mesh.REVENUE, "day", at=NOW))
    assert follow.step().notices == 0
    assert list_bodies(live.store) == []


def test_what_changes_after_a_clock_that_was_ahead_is_news(live: LiveGraph) -> None:
    """It was switched on while the server's clock was ahead."""
    kept = [name for name in list_columns(live) if name != "email_hash"]
    times = [LATER + 10 * DAY]
    follow = Follower(live, ChangeDetector(live, compare_versions), None, lambda: times[0], webhook=False)
    follow.step()
    times[0] = NOW
    commit_statements(live.store, build_orders(*list_columns(live), at=NOW - 1))
    follow.step()
    commit_statements(live.store, build_orders(*kept))
    times[0] = LATER + 1
    assert follow.step().notices > 0


def test_a_dropped_column_is_notified_to_owners_and_consumers_once(live: LiveGraph) -> None:
    kept = [name for name in list_columns(live) if name != "email_hash"]
    follow = build_follower(live)
    follow.step()
    commit_statements(live.store, build_orders(*kept))
    assert follow.step().notices > 0
    found = list_bodies(live.store)
    assert {one.rule for one in found} == {"column-removed"}
    assert {one.verdict for one in found} == {"breaking"}
    assert {one.subject for one in found} == {"wh/sales.orders"}
    assert "`email_hash` is removed" in {one.text for one in found}
    by_name = {one.receiver.name: one for one in found}
    assert by_name["team:shop"].receiver.contacts == {"email": "shop@company.com"}
    assert "wh/sales.orders.email_hash" in by_name["team:shop"].assets
    assert follow.step().notices == 0
    again = build_follower(live)
    live.store.write_setting(POSITION, "0")
    again.step()
    assert list_bodies(live.store) == found, "whichever follower runs, however often"


def test_what_is_restated_is_no_news_and_each_change_of_a_burst_is(live: LiveGraph) -> None:
    names = list_columns(live)
    follow = build_follower(live)
    follow.step()
    commit_statements(live.store, build_orders(*names))
    assert follow.step().notices == 0
    commit_statements(live.store, build_orders(*names[:-1], at=LATER + 1))
    commit_statements(live.store, build_orders(*names, at=LATER + 2))
    commit_statements(live.store, build_orders(*names[:-2], names[-1], at=LATER + 3))
    follow.step()
    gone = {(one.text, one.at) for one in list_bodies(live.store) if one.rule == "column-removed"}
    assert gone == {(f"`{names[-1]}` is removed", LATER + 1), (f"`{names[-2]}` is removed", LATER + 3)}


def test_the_strongest_source_that_lists_a_table_decides(live: LiveGraph) -> None:
    names = list_columns(live)
    commit_statements(live.store, build_orders(*names, source="iceberg/lake", at=START + 1))
    follow = build_follower(live)
    follow.step()
    commit_statements(live.store, build_orders(*names[:-1]))
    assert follow.step().notices == 0, "a producer that sees less than the catalog"
    commit_statements(live.store, build_orders(*names[:-1], source="iceberg/lake"))
    assert follow.step().notices > 0
    assert {one.source for one in list_bodies(live.store)} == {"iceberg/lake"}
    before = len(list_bodies(live.store))
    commit_statements(
        live.store,
        Statement("iceberg/lake", ("dataset", *mesh.ORDERS.parts, "schema"), LATER + 5, mesh.build_retraction("", (), 0).content),
    )
    follow.step()
    assert len(list_bodies(live.store)) == before, "other sources still list it"


def test_a_table_that_is_gone(live: LiveGraph) -> None:
    follow = build_follower(live)
    follow.step()
    commit_statements(live.store, mesh.build_retraction("openlineage/test", ("dataset", *mesh.ORDERS.parts, "schema"), LATER))
    follow.step()
    assert {rule for _, rule, _ in list_notified(live.store)} == {"table-removed"}


def build_contract(at: int, **attributes: Json) -> Statement:
    key = build_contract_key("orders-contract")
    model: Json = {"name": "orders", "fields": [{"name": "email_hash", "type": "string", "required": True}]}
    promised_by_contract: dict[str, Json] = {
        "version": "1.0.0",
        "status": "active",
        "models": [model],
        "sla": [{"name": "freshness", "text": "24h", "seconds": 86400.0}],
    }
    facts = Facts(
        assets=(AssetFact(key, {**promised_by_contract, **attributes}),),
        edges=(EdgeFact(EdgeType.GOVERNS, key, mesh.ORDERS, {"model": "orders"}),),
    )
    return build_statement("contract/all", ("contract", key.name), facts, at)


def test_a_contract_that_promises_less(live: LiveGraph) -> None:
    commit_statements(live.store, build_contract(START))
    follow = build_follower(live)
    follow.step()
    commit_statements(live.store, build_contract(LATER, sla=[{"name": "freshness", "text": "48h", "seconds": 172800.0}], models=[]))
    follow.step()
    assert {"slo-loosened", "table-removed"} <= {rule for _, rule, _ in list_notified(live.store)}
    assert {one.subject for one in list_bodies(live.store)} == {"orders-contract"}


def test_a_product_that_loses_a_port(live: LiveGraph) -> None:
    key = build_data_product_key("revenue")
    port = EdgeFact(EdgeType.PORT, key, mesh.REVENUE, {"direction": "output", "name": "daily"})
    inside = EdgeFact(EdgeType.PART_OF, key, mesh.FINANCE)
    whole = Facts(assets=(AssetFact(key, {"version": "1"}),), edges=(port, inside))
    commit_statements(live.store, build_statement("product/all", ("product", key.name), whole, START))
    follow = build_follower(live)
    follow.step()
    commit_statements(live.store, build_statement("product/all", ("product", key.name), Facts(assets=whole.assets, edges=(inside,)), LATER))
    follow.step()
    assert {rule for _, rule, _ in list_notified(live.store)} == {"output-port-removed"}
    before = list_notified(live.store)
    commit_statements(live.store, mesh.build_retraction("product/all", ("product", key.name), LATER + 1))
    follow.step()
    assert list_notified(live.store) == before, "other sources still refer to it"


def test_a_follower_of_breaking_changes_ignores_others(live: LiveGraph) -> None:
    commit_statements(live.store, build_contract(START))
    follow = build_follower(live, breaking_only=True)
    follow.step()
    commit_statements(live.store, build_contract(LATER, terms={"usage": "reports"}))
    assert follow.step().notices == 0
    assert build_follower(live).step().notices == 0, "the position has moved"
    live.store.write_setting(POSITION, "0")
    assert build_follower(live).step().notices > 0


def test_a_webhook_receives_each_change_once_with_its_finding(live: LiveGraph) -> None:
    names = list_columns(live)
    follow = build_follower(live, webhook=True)
    follow.step()
    commit_statements(live.store, build_orders(*names[:-1]))
    follow.step()
    (one,) = [one for one in list_bodies(live.store) if one.receiver.kind == "webhook"]
    assert one.details["fingerprint"] == one.fingerprint
    assert one.details["rule"] == "column-removed"


PROGRAM = """
import os, signal, sys
from meshline.governance.diff import compare_versions
from meshline.governance.notify.follower import ChangeDetector, Follower
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
commit = store.commit
def dying(build):
    if sys.argv[2] == "after":
        commit(build)
    os.kill(os.getpid(), signal.SIGKILL)
live = LiveGraph.open(store)
store.commit = dying
Follower(live, ChangeDetector(live, compare_versions), None, lambda: int(sys.argv[3]), webhook=True).step()
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_kill_9_while_notices_are_recorded(live: LiveGraph, tmp_path: Path, when: str) -> None:
    """Before the commit no notice is recorded, and after it all; the next follower records what is missing."""
    names = list_columns(live)
    path = str(tmp_path / "mesh.db")
    expected = record_uninterrupted(tmp_path / "other.db", names)
    build_follower(live, webhook=True).step()
    for at in range(1, 4):
        commit_statements(live.store, build_orders(*names[:-at], at=LATER + at))
    done = subprocess.run([sys.executable, "-c", PROGRAM, path, when, str(NOW)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    recorded = list_notified(live.store)
    assert recorded == (set() if when == "before" else expected)
    build_follower(live, webhook=True).step()
    assert list_notified(live.store) == expected
    assert len(list_bodies(live.store)) == len({(one.receiver.name, one.text, one.at) for one in list_bodies(live.store)})


def record_uninterrupted(path: Path, names: list[str]) -> set[tuple[str, str, str]]:
    """What a follower records that is not killed."""
    with closing(SqliteStore(str(path))) as store:
        commit_statements(store, *mesh.build_mesh())
        live = LiveGraph.open(store)
        follow = build_follower(live, webhook=True)
        follow.step()
        for at in range(1, 4):
            commit_statements(store, build_orders(*names[:-at], at=LATER + at))
        follow.step()
        return list_notified(store)


def test_two_followers_note_the_same_once(live: LiveGraph, tmp_path: Path) -> None:
    names = list_columns(live)
    with closing(SqliteStore(str(tmp_path / "mesh.db"))) as other_store:
        first, second = build_follower(live), build_follower(LiveGraph.open(other_store))
        first.step()
        for at in range(1, 4):
            commit_statements(live.store, build_orders(*names[:-at], at=LATER + at))
            for follow in (first, second)[:: 1 if at % 2 else -1]:
                follow.step()
        keys = [one.notice.key for one in Outbox(live.store).list_pending()]
        assert len(keys) == len(set(keys)) > 0
        assert list_notified(live.store) == {
            (name, rule, text) for name, rule, text in record_uninterrupted(tmp_path / "o.db", names) if name != "webhook"
        }


def test_a_table_that_cannot_be_compared_does_not_delay_others(live: LiveGraph, caplog: pytest.LogCaptureFixture) -> None:
    names = list_columns(live)

    def compare_or_fail(pair: object) -> list[object]:
        if "customers" in str(pair):
            raise ValueError("cannot")
        return list(compare_versions(pair))  # type: ignore[arg-type]

    follow = Follower(live, ChangeDetector(live, compare_or_fail), None, read_clock, webhook=False)  # type: ignore[arg-type]
    follow.step()
    commit_statements(live.store, build_orders(*names[:-1]), build_schema_statement(mesh.CUSTOMERS, "x", at=LATER))
    assert follow.step().notices > 0
    assert "cannot be compared" in caplog.text


def test_a_million_restatements_are_not_compared(live: LiveGraph) -> None:
    """Lineage that runs state is not compared at all."""
    follow = build_follower(live)
    follow.step()
    asked: list[int] = []
    history = live.store.read_history

    def count_scopes(scope_ids: Sequence[int]) -> Mapping[int, Sequence[tuple[Interval, Content]]]:
        asked.extend(scope_ids)
        return history(scope_ids)

    live.store.read_history = count_scopes  # type: ignore[method-assign]
    names = list_columns(live)
    for at in range(5):
        commit_statements(
            live.store,
            build_orders(*names, at=LATER + at),
            mesh.build_run_statement(mesh.LOAD, [mesh.CUSTOMERS], mesh.ORDERS, at=LATER + at),
        )
        follow.step()
    assert asked == []
