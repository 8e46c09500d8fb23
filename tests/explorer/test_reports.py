"""The pages that report on the mesh show what the server answers: counts, names, results and times of the example mesh."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.explorer.server import Server, run_server
from tests.explorer.window import Window, open_windows

RUN = """{ jobs(first: 20, orderBy: LAST_OBSERVED) { nodes { lastRun {
  id runId state jobName inputs { namespace name } outputs { namespace name } } } } }"""
STATES = {"COMPLETE": "complete", "FAIL": "failed", "ABORT": "aborted", "RUNNING": "running"}


@pytest.fixture(scope="module")
def window(example: Server, browser: Browser) -> Iterator[Window]:
    """One for all: these tests only read."""
    with open_windows(browser) as open_window:
        yield open_window(example.address)


def read_rows(page: Page, caption: str) -> list[list[str]]:
    rows = page.get_by_role("table", name=caption, exact=True).locator("tbody tr")
    found: list[list[str]] = rows.evaluate_all("(rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))")
    return found


def save_rows(page: Page) -> tuple[str, list[list[str]]]:
    """The name of the list's file, and its rows below the head."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        return download.value.suggested_filename, list(csv.reader(file))[1:]


def test_tags_lead_to_what_has_them(example: Server, window: Window) -> None:
    tags = example.ask("{ tags(first: 100) { nodes { key value assets } } }")["tags"]["nodes"]
    page = window.open("/tags")
    assert len(tags) > 1
    assert read_rows(page, "Tags") == [[f"{one['key']}={one['value']}" if one["value"] else one["key"], str(one["assets"])] for one in tags]
    assert save_rows(page) == ("tags.csv", [[one["key"], one["value"] or "", str(one["assets"])] for one in tags])
    page.get_by_role("link", name="gdpr", exact=True).click()
    expect(page).to_have_url(f"{example.address}/search?tag=gdpr")
    window.wait_for_page()
    found = example.ask('{ search(text: "", tag: "gdpr", first: 10) { totalCount } }')["search"]["totalCount"]
    assert found == next(one["assets"] for one in tags if one["key"] == "gdpr")
    expect(page.get_by_text(f"{found} results")).to_be_visible()


def test_namespaces_lead_to_their_datasets(example: Server, window: Window) -> None:
    names = example.ask("{ namespaces(first: 100) { nodes { name datasets jobs } } }")["namespaces"]["nodes"]
    page = window.open("/namespaces")
    assert read_rows(page, "Namespaces") == [[one["name"], str(one["datasets"]), str(one["jobs"])] for one in names]
    assert save_rows(page) == ("namespaces.csv", [[one["name"], str(one["datasets"]), str(one["jobs"])] for one in names])
    one = next(one for one in names if one["datasets"])
    page.get_by_role("link", name=f"{one['datasets']} in {one['name']}", exact=True).first.click()
    window.wait_for_page()
    expect(page.get_by_role("status").filter(has_text=f"{one['datasets']} datasets")).to_be_visible()


def test_quality_shows_the_checks_of_a_result(example: Server, window: Window) -> None:
    asked = "query($of: [CheckOutcome!]) { qualityFailures(outcomes: $of, first: 1) { totalCount nodes { name } } }"
    passed = example.ask(asked, of=["PASSED"])["qualityFailures"]
    assert passed["totalCount"] > 0
    page = window.open("/quality")
    failing = example.ask(asked, of=None)["qualityFailures"]["totalCount"]
    expect(page.get_by_role("status").filter(has_text=f"{failing} check")).to_be_visible()
    page.get_by_role("combobox", name="Result").select_option("PASSED")
    expect(page.get_by_role("status").filter(has_text=f"{passed['totalCount']} check")).to_be_visible()
    expect(page.get_by_role("region", name="Checks").locator("tbody tr").first).to_contain_text(passed["nodes"][0]["name"])


def test_products_are_listed_by_health(example: Server, window: Window) -> None:
    query = "query($order: ListOrder!) { products(orderBy: $order, first: 100) { nodes { name health { state } } } }"
    by_health, by_name = (example.ask(query, order=order)["products"]["nodes"] for order in ("HEALTH", "NAME"))
    assert by_health != by_name
    page = window.open("/products")
    page.get_by_role("combobox", name="Order by").select_option("health")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page).to_have_url(re.compile(r"/products\?order=health$"))
    window.wait_for_page()
    assert [row[0] for row in read_rows(page, "Products")] == [one["name"] for one in by_health]
    assert [[row[1], row[-1].upper()] for row in save_rows(page)[1]] == [[one["name"], one["health"]["state"]] for one in by_health]


def test_jobs_are_listed_by_their_last_run(example: Server, window: Window) -> None:
    query = "query($state: RunState!) { jobs(lastRun: [$state]) { totalCount nodes { qualifiedName } } }"
    failed, complete = (example.ask(query, state=state)["jobs"] for state in ("FAIL", "COMPLETE"))
    page = window.open("/")
    page.get_by_role("link", name=re.compile(r"^1 job whose last run failed")).click()
    expect(page.get_by_role("status").filter(has_text=re.compile("^1 job$"))).to_be_visible()
    assert [row[0] for row in read_rows(page, "Jobs")] == [one["qualifiedName"] for one in failed["nodes"]]
    page.get_by_role("combobox", name="Last run").select_option(label=STATES["COMPLETE"])
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page).to_have_url(f"{example.address}/jobs?lastRun=complete")
    expect(page.get_by_role("status").filter(has_text=f"{complete['totalCount']} jobs")).to_be_visible()


def test_policies_narrow_the_violations(example: Server, window: Window) -> None:
    policies = example.ask("{ policies { id title violations } }")["policies"]
    worst = max(policies, key=lambda one: one["violations"])
    total = sum(one["violations"] for one in policies)
    page = window.open("/policies")
    expect(page.get_by_role("heading", name=f"{total} violations")).to_be_visible()
    row = page.get_by_role("table", name="Policies", exact=True).get_by_role("row").filter(has_text=worst["id"])
    expect(row).to_contain_text(worst["title"])
    row.get_by_role("link", name=str(worst["violations"]), exact=True).click()
    expect(page.get_by_role("heading", name=f"{worst['violations']} violations")).to_be_visible()
    assert 0 < worst["violations"] < total


def test_sources_show_how_much_each_states(example: Server, window: Window) -> None:
    sources = example.ask("{ sources { name statements datasets } }")["sources"]
    page = window.open("/sources")
    shown = [row[:3] for row in read_rows(page, "Sources")]
    assert shown == [[one["name"], str(one["statements"]), str(one["datasets"])] for one in sources]
    assert len(shown) == 2


def test_events_are_counted_and_lead_to_their_run(example: Server, window: Window) -> None:
    events = example.ask("{ events(first: 1) { totalCount nodes { runId jobName jobNamespace } } }")["events"]
    (newest,) = events["nodes"]
    page = window.open("/events?from=2026-03-01T00:00:00Z&to=2026-03-10T00:00:00Z")
    expect(page.get_by_role("heading", name=f"Events that are kept {events['totalCount']}")).to_be_visible()
    name, rows = save_rows(page)
    assert name == "events-2026-03-01T00-00-00.000Z-to-2026-03-10T00-00-00.000Z.csv"
    assert len(rows) == events["totalCount"]
    assert rows[0][2:5] == [newest["jobNamespace"], newest["jobName"], newest["runId"]]
    page.get_by_text("As a table").click()
    days = read_rows(page, "Events by day")
    assert sum(int(number) for row in days for number in row[1:]) == events["totalCount"]
    row = page.get_by_role("table", name="Events, the newest first").locator("tbody tr").first
    expect(row).to_contain_text(f"{newest['jobNamespace']}/{newest['jobName']}")
    row.locator("details summary").click()
    expect(row.locator("pre")).to_contain_text(f'"runId": "{newest["runId"]}"')
    row.get_by_role("link", name=newest["runId"]).click()
    expect(page.get_by_role("heading", name=newest["jobName"])).to_be_visible()
    window.wait_for_page()


def test_a_run_shows_its_state_and_what_it_read_and_wrote(example: Server, window: Window) -> None:
    runs = [job["lastRun"] for job in example.ask(RUN)["jobs"]["nodes"] if job["lastRun"]]
    run = next(one for one in runs if one["inputs"] and one["outputs"])
    page = window.open(f"/runs/{run['id']}")
    expect(page.locator("h1")).to_have_text(run["jobName"])
    expect(page.get_by_role("region", name="About it")).to_contain_text(STATES[run["state"]])
    for title, ends in (("Read", run["inputs"]), ("Wrote", run["outputs"])):
        assert [row[1] for row in read_rows(page, title)] == [f"{one['namespace']}/{one['name']}" for one in ends]
    assert run["runId"] in page.locator(".head").inner_text()


def test_runs_are_shown_page_by_page(browser: Browser, tmp_path: Path) -> None:
    total, many = 1_060, 1_000
    start = datetime(2026, 3, 1, tzinfo=UTC)
    with run_server(f"sqlite:///{tmp_path / 'runs.db'}") as server, open_windows(browser) as open_window:
        events = [build_event(f"00000000-0000-4000-8000-{i:012}", start + timedelta(minutes=i)) for i in range(total)]
        for first in range(0, total, many):
            server.post("/api/v1/lineage/batch", events[first : first + many])
        page = open_window(server.address).open(f"/a/{server.resolve('job:nightly')}?tab=runs")
        runs = page.get_by_role("table", name="Runs, the newest first").locator("tbody tr")
        expect(page.get_by_text("50 of 1,060 shown.")).to_be_visible()
        page.get_by_role("button", name="Show more").click()
        expect(page.get_by_text("1,000 of 1,060 shown.")).to_be_visible()
        page.get_by_role("button", name="Next 1,000").dblclick()  # the second time while the rows are on their way
        expect(page.get_by_text("1,001 to 1,060 of 1,060 shown.")).to_be_visible()
        expect(runs.last).to_contain_text(events[0]["run"]["runId"])
        assert [row[8] for row in save_rows(page)[1]] == [event["run"]["runId"] for event in reversed(events)]
        page.get_by_role("button", name="Back to the first").click()
        expect(runs.first).to_contain_text(events[-1]["run"]["runId"])
        wide = build_event("00000000-0000-4000-9000-000000000000", start + timedelta(days=2))
        names = [f"column_{number:04}" for number in range(total)]
        wide["outputs"][0]["facets"] = {"schema": build_schema(names)}
        server.post("/api/v1/lineage", wide)
        page = open_window(server.address).open(f"/a/{server.resolve('sales.orders')}?tab=columns")
        columns = page.get_by_role("table", name="Columns").locator("tbody tr")
        expect(columns).to_have_count(many)
        page.get_by_role("button", name="Next 1,000").click()
        expect(page.get_by_text("1,001 to 1,060 of 1,060 shown.")).to_be_visible()
        assert [row.split()[0] for row in columns.all_inner_texts()] == names[many:]


def cut_lists(route: Route, most: int) -> None:
    """Ask the server for shorter pages than the page of the browser asks for."""
    asked = route.request.post_data_json or {}
    variables = asked.get("variables") or {}
    shorter = {name: min(value, most) for name, value in variables.items() if name.startswith("first") and isinstance(value, int)}
    route.continue_(post_data=json.dumps({**asked, "variables": {**variables, **shorter}}))


def test_differences_gaps_and_schemas_are_shown_to_their_end(example: Server, browser: Browser) -> None:
    span = {"a": "2026-03-07T00:00:00Z", "b": "2026-03-09T00:00:00Z"}
    flows = "totalCount nodes { fromName toName }"
    query = f"""query($a: DateTime!, $b: DateTime!) {{ lineageDiff(from: $a, to: $b) {{
      added: addedFlows(first: 1000) {{ {flows} }} removed: removedFlows(first: 1000) {{ {flows} }} }} }}"""
    known = example.ask(query, **span)["lineageDiff"]
    added, removed = known["added"]["totalCount"], known["removed"]["totalCount"]
    assert (added > 20, 0 < removed < 20) == (True, True)
    with open_windows(browser) as open_window:
        window = open_window(example.address)
        window.page.route("**/graphql", lambda route: cut_lists(route, 20))
        page = window.open(f"/diff?from={span['a']}&to={span['b']}")
        part = page.get_by_role("region", name="Added")
        expect(part.get_by_text(f"20 of {added} shown.")).to_be_visible()
        expect(page.get_by_role("region", name="Removed").get_by_text(f"All {removed} shown.")).to_be_visible()
        part.get_by_role("button", name="Show more").click()
        part.get_by_role("button", name="Next 1,000").click()
        expect(part.get_by_text(f"21 to {added} of {added} shown.")).to_be_visible()
        assert len(read_rows(page, "Added")) == added - 20
        assert window.find_barriers() == []
        with page.expect_download() as download:
            part.get_by_role("button", name="Save as CSV").click()
        with download.value.path().open(encoding="utf-8-sig", newline="") as file:
            saved = [row[1:3] for row in list(csv.reader(file))[1:]]
        assert saved == [[one["fromName"], one["toName"]] for one in known["added"]["nodes"]]

        window.page.unroute("**/graphql")
        window.page.route("**/graphql", lambda route: cut_lists(route, 3))
        page = window.open(f"/impact?of={example.resolve('customers.email')}")
        page.locator("[data-completeness=gaps] > summary").click()
        gap = page.locator("li", has_text="without filters and joins").locator("details").first
        gap.locator("summary").click()
        expect(gap.get_by_text("3 of 4 shown.")).to_be_visible()
        first = gap.get_by_role("link").all_inner_texts()
        gap.get_by_role("button", name="Show more").click()
        gap.get_by_role("button", name="Next 1,000").click()
        expect(gap.get_by_text("4 to 4 of 4 shown.")).to_be_visible()
        assert len({*first, *gap.get_by_role("link").all_inner_texts()}) == 4

        window.page.unroute("**/graphql")
        window.page.route("**/graphql", lambda route: cut_lists(route, 1))
        page = window.open(f"/a/{example.resolve('orders.customer_orders')}?tab=history")
        expect(page.get_by_text("1 of 2 shown.")).to_be_visible()
        page.get_by_role("button", name="Show more").click()
        page.get_by_role("button", name="Next 1,000").click()
        expect(page.get_by_text("2 to 2 of 2 shown.")).to_be_visible()


def build_event(run: str, at: datetime) -> dict[str, Any]:
    return {
        "eventType": "COMPLETE",
        "eventTime": at.isoformat(),
        "producer": "https://example.com/scheduler",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run},
        "job": {"namespace": "scheduler", "name": "nightly"},
        "outputs": [{"namespace": "db", "name": "sales.orders"}],
    }


def build_schema(names: list[str]) -> dict[str, Any]:
    return {
        "_producer": "https://example.com/scheduler",
        "_schemaURL": "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet",
        "fields": [{"name": name, "type": "string"} for name in names],
    }
