"""`meshline notify` and `meshline audit` as a person runs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from meshline.graph.model import EdgeType, get_current_micros
from meshline.graph.store.sqlite import SqliteStore
from tests.cli.command import run_command, run_successfully
from tests.cli.test_server import run_server
from tests.governance.notify.conftest import Mailbox, get_text, run_mail_server
from tests.queries import mesh
from tests.stores.statements import commit_statements


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(str(tmp_path / "mesh.db"))) as found:
        contact = mesh.build_asset_statement(mesh.SHOP_TEAM, email="shop@company.com")
        commit_statements(found, *mesh.build_mesh(), contact, mesh.build_edge_statement(EdgeType.OWNS, mesh.SHOP_TEAM, mesh.REPORT))
        yield found


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    with run_mail_server(tmp_path / "mail") as found:
        yield found


def test_from_what_landed_to_a_mail(store: SqliteStore, tmp_path: Path, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'mesh.db'}"
    monkeypatch.setenv("MESHLINE_STORE", url)
    began = run_successfully("notify")
    assert (began.out, began.err) == ("no notice is pending\n", "notices are recorded from now on\n")
    commit_statements(store, mesh.build_schema_statement(mesh.ORDERS, "order_id", at=get_current_micros()))
    assert run_successfully("notify", "--pending").out == "no notice is pending\n", "no change was looked for"
    shown = run_successfully("notify").out
    assert "team:shop: not delivered (no channel configured for email)\n" in shown
    assert "  breaking: `email_hash` is removed in wh/sales.orders, since " in shown
    assert run_successfully("notify", "--pending").out == shown
    monkeypatch.setenv("MESHLINE_NOTIFY_CHANNELS", json.dumps({"email": mailbox.url.replace("mesh%40", "robot:hushhush%40")}))
    listed = json.loads(run_successfully("notify", "--pending", "--format", "json").out)
    (parcel,) = [one for one in listed if "shop@company.com" in one["by"]]
    assert {one["rule"] for one in parcel["notices"]} == {"column-removed"}
    assert "hushhush" not in json.dumps(listed)
    monkeypatch.setenv("MESHLINE_NOTIFY_CHANNELS", json.dumps({"email": "mailto://127.0.0.1:9/{email}?from=mesh%40x.org&mode=insecure"}))
    refused = run_command("notify", "--send")
    assert refused.code == 1
    assert "tried 1 time, again at " in refused.out
    monkeypatch.setenv("MESHLINE_NOTIFY_CHANNELS", json.dumps({"email": mailbox.url}))
    sent = run_successfully("notify", "--send")
    assert "messages sent: 1, refused: 0" in sent.err
    (mail,) = mailbox.read_mails()
    assert "`email_hash` is removed" in get_text(mail)
    assert "shop@company.com" not in run_successfully("notify", "--pending").out


def test_without_a_store_the_message_states_that(tmp_path: Path) -> None:
    assert run_command("notify", "--store", f"sqlite:///{tmp_path}/none.db").code == 2


@pytest.mark.usefixtures("store")
def test_the_audit_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'mesh.db'}"
    monkeypatch.setenv("MESHLINE_STORE", url)
    assert run_successfully("audit").out == "the audit log is empty\n"
    with run_server("serve", "--store", url) as address:
        mutation = 'mutation($id: ID!) { addTag(asset: $id, tag: "gold", by: "eve") { statement } }'
        asked = {"query": mutation, "variables": {"id": mesh.REPORT.id}}
        assert "errors" not in httpx.post(f"{address}/graphql", json=asked).json()
        check = {"things": [{"kind": "change", "after": {"name": "c", "text": "drop wh/sales.orders.email_hash"}}]}
        assert httpx.post(f"{address}/api/v1/check", json=check, timeout=60).status_code == 200
        remote = run_successfully("audit", "--server", address)
    first, second = run_successfully("audit").out.splitlines()
    assert remote.out.splitlines() == [first, second]
    assert first[19:] == "  mutation  eve  tag wh/fin.report, as person/eve"
    assert second[19:].startswith("  check     -  wh/sales.orders: breaking, failed, findings: 1 (strict, mesh) ")
    entries = [json.loads(line) for line in run_successfully("audit", "--format", "json").out.splitlines()]
    assert [entry["action"] for entry in entries] == ["MUTATION", "CHECK"]
    assert run_successfully("audit", "--kind", "mutation", "--actor", "eve").out.splitlines() == [first]
    assert run_successfully("audit", "--since", "2999-01-01").out == "the audit log has no such entries\n"
    assert run_successfully("audit", "--since", "2999-01-01", "--format", "json").out == ""
