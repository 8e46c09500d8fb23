"""Who read what is on the tabs of a dataset and a column; a rule that the graph suggests is accepted and removed on its page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.cli.command import run_successfully
from tests.explorer.server import Server, run_server
from tests.explorer.window import Window, open_windows

TABLES = ("orders", "items", "customers")
FIELDS = ("id", "email", "total", "day")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two systems with the same tables, of which one is read."""
    folder = tmp_path_factory.mktemp("usage")
    store = f"sqlite:///{folder}/usage.db"
    facet = {"_producer": "p", "_schemaURL": "s", "fields": [{"name": name, "type": "text"} for name in FIELDS]}
    events = [
        {
            "eventTime": "2026-01-01T00:00:00Z",
            "producer": "p",
            "schemaURL": "s",
            "dataset": {"namespace": namespace, "name": f"{prefix}{table}", "facets": {"schema": facet}},
        }
        for namespace, prefix in (("http://lake:8181", "sales."), ("trino://t:8080", "lake.sales."))
        for table in TABLES
    ]
    (folder / "events.ndjson").write_text("\n".join(map(json.dumps, events)), "utf-8")
    orders = "http://lake:8181/sales.orders"
    reads = [
        {"service": "bi", "dataset": orders, "columns": ["email"], "count": 312, "first": "2026-02-01", "last": "2026-03-30"},
        {"user": "sam", "dataset": orders, "day": "2026-03-02"},
        {"window": {"first": "2026-03-01", "last": "2026-03-31", "datasets": [orders], "columns": True}},
    ]
    (folder / "usage.ndjson").write_text("\n".join(map(json.dumps, reads)), "utf-8")
    run_successfully("ingest", "openlineage", folder / "events.ndjson", "--store", store)
    run_successfully("ingest", "usage", folder / "usage.ndjson", "--store", store)
    with run_server(store) as found:
        yield found


@pytest.fixture(scope="module")
def window(server: Server, browser: Browser) -> Iterator[Window]:
    with open_windows(browser) as open_window:
        yield open_window(server.address)


def test_reads_of_a_dataset_and_a_column(server: Server, window: Window) -> None:
    dataset = server.resolve("http://lake:8181/sales.orders")
    page = window.open(f"/a/{dataset}")
    columns = page.get_by_role("table", name="Columns")
    expect(columns.get_by_role("row").filter(has_text="email")).to_contain_text("312 reads, the last Mar 30, 2026")
    expect(columns.get_by_role("row").filter(has_text="total")).not_to_contain_text("read")
    page.get_by_role("link", name="Contracts and consumers").click()
    details = page.get_by_role("region", name="Details")
    expect(details).to_contain_text(re.compile(r"313 reads, the last Mar 30, 2026.*, by 2 consumers since Feb 1, 2026"))
    expect(details).to_contain_text(re.compile("No read is missing from Mar 1, 2026.* and it is known which columns were read"))
    expect(page.get_by_role("table", name="Uses").get_by_role("row").filter(has_text="sam")).to_contain_text("1 read, the last Mar 2, 2026")
    column = server.resolve("http://lake:8181/sales.orders.email")
    page = window.open(f"/a/{column}?tab=uses")
    expect(page.get_by_role("region", name="Details")).to_contain_text("312 reads, the last Mar 30, 2026")
    other = server.resolve("http://lake:8181/sales.items")
    page = window.open(f"/a/{other}?tab=contracts")
    expect(page.get_by_role("region", name="Details")).not_to_contain_text("read")
    assert window.list_problems() == []


def test_a_proposed_rule_is_accepted_and_removed(server: Server, window: Window) -> None:
    page = window.open("/identity")
    rules = page.get_by_role("region", name="Rules that join names")
    expect(rules).to_contain_text("The graph suggests 1 rule: ")
    expect(rules).to_contain_text("It would join 3 pairs of datasets: 3 with alike columns.")
    assert window.find_barriers() == []
    for button, status in (("Accept", "The graph suggests none."), ("Remove", "The graph suggests 1 rule: ")):
        rules.get_by_label("Your name").fill("ann")
        rules.get_by_role("button", name=re.compile(f"^{button} the rule that")).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(re.compile(f"{button} in the name of ann the rule that trino://t/lake is http://lake:8181"))
        dialog.get_by_role("button", name="State it").click()
        expect(rules).to_contain_text(status)
        known = server.ask("{ namingRules { source } }")["namingRules"]
        assert known == ([{"source": "person/ann"}] if button == "Accept" else [])
    assert window.list_problems() == []
