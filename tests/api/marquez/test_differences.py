"""What meshline answers otherwise than Marquez, as docs/marquez.md lists it: each row of its table names a test. Here are those that no
other file has.
"""

from __future__ import annotations

import re
from pathlib import Path

from meshline.api.marquez.routes import ADDRESSES, ROUTES
from tests.api.marquez import schemas
from tests.api.marquez.conftest import (
    CUSTOMERS,
    JOBS,
    LAKE,
    ORDERS,
    PG,
    RUN,
    Marquez,
    build_column_lineage,
    build_dataset,
    build_event,
    build_facet,
)

DOCS = Path(__file__).parents[3] / "docs" / "marquez.md"
FILES = {file: file.read_text("utf-8") for file in Path(__file__).parent.glob("test_*.py")}


def test_views_are_joined_without_a_job(marquez: Marquez) -> None:
    view = build_dataset(LAKE, "view", ("total",), columnLineage=build_column_lineage(ORDERS, {"total": "total"}))
    event = build_event(9, "view")
    marquez.send_events({**{name: event[name] for name in ("eventTime", "producer", "schemaURL")}, "dataset": view})
    graph = {node["id"]: node for node in marquez.get(schemas.GRAPH, "lineage", nodeId=f"dataset:{LAKE}:view")["graph"]}
    assert graph[f"dataset:{LAKE}:view"]["inEdges"] == [{"origin": f"dataset:{LAKE}:orders", "destination": f"dataset:{LAKE}:view"}]
    assert f"dataset:{PG}:shop.customers" in graph


def test_the_latest_event_time_counts_not_the_last_arrival(marquez: Marquez) -> None:
    path = ("namespaces", LAKE, "datasets", "orders")
    marquez.send_events(build_event(9, "load.orders", [CUSTOMERS], [build_dataset(LAKE, "orders", ("id",))]))
    marquez.send_events(build_event(3, "load.orders", [CUSTOMERS], [build_dataset(LAKE, "orders", ("id", "old"))]))
    found = marquez.get(schemas.DATASET, *path)
    assert [field["name"] for field in found["fields"]] == ["id"], "and columns that were dropped are not listed"
    assert found["lastModifiedAt"] == "2026-03-08T12:09:00Z"


def test_the_true_type_is_in_a_facet(empty: Marquez) -> None:
    topic = build_dataset("kafka://k", "t", datasetType=build_facet(datasetType="TOPIC"))
    empty.send_events(build_event(1, "stream", [], [topic], jobType=build_facet(processingType="STREAMING", integration="SPARK")))
    found = empty.get(schemas.DATASET, "namespaces", "kafka://k", "datasets", "t")
    assert (found["type"], found["facets"]["datasetType"]["datasetType"]) == ("DB_TABLE", "TOPIC")
    job = empty.get(schemas.JOB, "namespaces", JOBS, "jobs", "stream")
    assert (job["type"], job["facets"]["jobType"]["processingType"]) == ("BATCH", "STREAMING")


def test_a_run_has_the_id_that_was_sent(empty: Marquez) -> None:
    event = build_event(1, "job")
    event["run"]["runId"] = "manual__2026-03-08"
    empty.send_events(event)
    assert empty.get(schemas.RUN, "jobs", "runs", "manual__2026-03-08")["id"] == "manual__2026-03-08"


def test_two_jobs_may_share_a_run_id(empty: Marquez) -> None:
    empty.send_events(build_event(1, "first", run=1), build_event(2, "second", run=1, type_="FAIL"))
    assert empty.get(schemas.RUN, "jobs", "runs", RUN.format(1))["state"] == "FAILED"
    assert empty.get(schemas.RUNS, "namespaces", JOBS, "jobs", "first", "runs")["runs"][0]["state"] == "COMPLETED"


def test_the_last_run_is_the_one_that_began_last(empty: Marquez) -> None:
    empty.send_events(build_event(5, "job", run=5), build_event(1, "job", run=1, type_="START"), build_event(9, "job", run=1, type_="FAIL"))
    assert [job["name"] for job in empty.get(schemas.JOBS, "jobs", lastRunStates="COMPLETED")["jobs"]] == ["job"]
    assert empty.get(schemas.JOBS, "jobs", lastRunStates="FAILED")["jobs"] == []


def test_an_event_is_answered_with_the_revision_that_has_it(empty: Marquez) -> None:
    answer = empty.client.post("/api/v1/lineage", json=build_event(1, "job"))
    assert (answer.status_code, answer.json()) == (201, {"revision": 1, "warnings": []})
    assert empty.client.post("/api/v1/lineage", json={"eventTime": "2026-03-08T12:00:00Z"}).status_code == 400


def test_tags_of_columns_keep_their_case(marquez: Marquez) -> None:
    found = marquez.send(schemas.DATASET, "POST", "namespaces", LAKE, "datasets", "orders", "fields", "email", "tags", "pii")
    assert {field["name"]: field["tags"] for field in found["fields"]}["email"] == ["pii"]


def test_a_location_is_an_address_that_a_page_may_link(empty: Marquez) -> None:
    """The client for Java reads no other; Marquez's page links whatever it is."""
    urls = ("https://example.org/load.py", "javascript:alert(1)", "git@example.org:load.py")
    empty.send_events(*(build_event(n, f"job{n}", sourceCodeLocation=build_facet(type="git", url=url)) for n, url in enumerate(urls)))
    found = [empty.get(schemas.JOB, "namespaces", JOBS, "jobs", f"job{n}") for n in range(3)]
    assert [job["location"] for job in found] == [urls[0], None, None]
    assert [job["facets"]["sourceCodeLocation"]["url"] for job in found] == list(urls)
    assert [job["latestRun"]["jobVersion"]["version"] for job in found] == [job["currentVersion"] for job in found]


def list_rows(title: str) -> list[list[str]]:
    """The rows of the table under a heading of the docs, without its head."""
    section = DOCS.read_text("utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0] not in ("Marquez", "address", "address that writes", "---")]


def test_each_difference_names_its_test() -> None:
    rows = list_rows("Differences")
    assert len(rows) >= 29
    known = {name for text in FILES.values() for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    assert [row for row in rows if len(row) != 3 or not set(re.findall(r"`(test_\w+)`", row[2])) & known] == []
    named = {name for row in rows for name in re.findall(r"`(test_\w+)`", row[2])}
    assert named <= known, "the tests that it names exist"


def test_each_address_is_in_the_docs() -> None:
    text = DOCS.read_text("utf-8")
    lasts = {re.sub(r"\{[^}]*\}", "{}", address.path).rstrip("/{}").rpartition("/")[2] for address in ADDRESSES}
    assert len(ROUTES) > 25
    assert sorted(last for last in lasts if last and last not in text) == []


def shorten_path(path: str) -> str:
    """An address as the table of tests names it: `datasets/.../versions`."""
    fixed = re.sub(r"^/api/(v1/)?(namespaces/\{namespace\}/)?", "", path).split("/")
    lists = [part for part in fixed[1:] if part in ("versions", "runs")]
    first = "/".join(fixed[:2]) if fixed[0] in ("runlineage", "v2beta") else fixed[0]
    return f"{first}/.../{lists[0]}" if lists and fixed[1].startswith("{") else "/".join([first, *lists])


def test_each_address_names_its_tests() -> None:
    rows = list_rows("Tests")
    known = {name for text in FILES.values() for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    assert [row for row in rows if not set(re.findall(r"`(test_\w+)`", row[1]))] == []
    assert {name for row in rows for name in re.findall(r"`(test_\w+)`", row[1])} <= known
    listed = {name for row in rows for name in re.findall(r"`([^`]+)`", row[0])}
    assert {shorten_path(address.path) for address in ADDRESSES} <= listed
