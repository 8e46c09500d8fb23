"""What Marquez's clients write: it is stated, shown, kept by a replay, repeated without harm, and reversible."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshline.app.replay import copy_store
from tests.api.conftest import run_application
from tests.api.marquez import schemas
from tests.api.marquez.conftest import CUSTOMERS, JOBS, LAKE, ORDERS, PG, REPORT, Marquez, build_dataset, build_event

NS = "food:delivery"
SOURCE = {"type": "postgresql", "connectionUrl": "postgres://db:5432/food", "description": "the database"}
FIELDS = [
    {"name": "id", "type": "INTEGER", "description": "the key", "tags": ["PII"]},
    {"name": "city", "type": "VARCHAR", "tags": [], "description": None},
]
TABLE = {"type": "DB_TABLE", "physicalName": "public.cities", "sourceName": "food_db", "fields": FIELDS, "tags": ["GOLD"]}
RUN = "0190a7b2-0000-7000-8000-0000000000ff"
ORDERS_PATH = ("namespaces", LAKE, "datasets", "orders")
LOAD_PATH = ("namespaces", JOBS, "jobs", "load.orders")


def declare_mesh(marquez: Marquez) -> None:
    """As Marquez's clients do it: namespace, data source, datasets, and a job between them."""
    marquez.send(schemas.NAMESPACE, "PUT", "namespaces", NS, body={"ownerName": "analytics", "description": "Food"})
    marquez.send(schemas.SOURCE, "PUT", "sources", "food_db", body=SOURCE)
    for name in ("public.cities", "public.counts"):
        marquez.send(schemas.DATASET, "PUT", "namespaces", NS, "datasets", name, body=TABLE)
    marquez.send(schemas.JOB, "PUT", "namespaces", NS, "jobs", "count", body=build_job())


def build_job(**members: object) -> dict[str, object]:
    inputs, outputs = [{"namespace": NS, "name": "public.cities"}], [{"namespace": NS, "name": "public.counts"}]
    return {"type": "BATCH", "inputs": inputs, "outputs": outputs, "location": "https://example.org/count.sql", **members}


def test_a_namespace_is_registered_with_its_owner(empty: Marquez) -> None:
    body = {"ownerName": "analytics", "description": "Food"}
    found = empty.send(schemas.NAMESPACE, "PUT", "namespaces", NS, body=body)
    assert (found["name"], found["ownerName"], found["description"], found["isHidden"]) == (NS, "analytics", "Food", False)
    assert empty.send(schemas.NAMESPACE, "PUT", "namespaces", NS, body=body) == found, "the same again changes nothing"
    assert empty.get(schemas.NAMESPACES, "namespaces")["namespaces"] == [found]
    assert empty.get(schemas.DATASETS, "namespaces", NS, "datasets") == {"datasets": [], "totalCount": 0}
    changed = empty.send(schemas.NAMESPACE, "PUT", "namespaces", NS, body={"ownerName": "food"})
    assert (changed["ownerName"], changed["description"], changed["createdAt"]) == ("food", None, found["createdAt"])
    assert changed["updatedAt"] > found["updatedAt"]


def test_a_data_source_is_registered(empty: Marquez) -> None:
    found = empty.send(schemas.SOURCE, "PUT", "sources", "food_db", body=SOURCE)
    assert (found["type"], found["connectionUrl"], found["description"]) == ("POSTGRESQL", SOURCE["connectionUrl"], "the database")
    assert empty.get(schemas.SOURCE, "sources", "food_db") == found
    assert empty.get(schemas.SOURCES, "sources")["sources"] == [found]


def test_a_dataset_is_declared(empty: Marquez) -> None:
    declare_mesh(empty)
    found = empty.get(schemas.DATASET, "namespaces", NS, "datasets", "public.cities")
    assert (found["sourceName"], found["physicalName"], found["tags"], found["deleted"]) == ("food_db", "public.cities", ["GOLD"], False)
    assert found["fields"] == [
        {"name": "id", "type": "INTEGER", "tags": ["PII"], "description": "the key"},
        {"name": "city", "type": "VARCHAR", "tags": [], "description": None},
    ]
    narrower = {**TABLE, "fields": FIELDS[:1], "description": "Cities"}
    changed = empty.send(schemas.DATASET, "PUT", "namespaces", NS, "datasets", "public.cities", body=narrower)
    assert ([field["name"] for field in changed["fields"]], changed["description"]) == (["id"], "Cities")
    stream = {**TABLE, "type": "STREAM", "schemaLocation": "https://example.org/schema"}
    for name, body in (("stream", stream), ("bare", {**TABLE, "fields": None})):
        assert empty.send(schemas.DATASET, "PUT", "namespaces", NS, "datasets", name, body=body)["name"] == name


def test_what_is_declared_names_what_is_known(empty: Marquez) -> None:
    assert empty.send_error(404, "PUT", "namespaces", NS, "datasets", "d", body=TABLE) == f"Namespace '{NS}' not found."
    empty.send(schemas.NAMESPACE, "PUT", "namespaces", NS, body={"ownerName": "analytics"})
    assert empty.send_error(404, "PUT", "namespaces", NS, "datasets", "d", body=TABLE) == "Source 'food_db' not found."
    assert empty.send_error(404, "PUT", "namespaces", NS, "jobs", "count", body=build_job()) == "Dataset 'public.cities' not found."
    empty.send(schemas.SOURCE, "PUT", "sources", "food_db", body=SOURCE)
    run = {**TABLE, "runId": RUN}
    assert empty.send_error(404, "PUT", "namespaces", NS, "datasets", "d", body=run) == f"Run '{RUN}' not found."
    assert empty.send_error(404, "POST", "namespaces", NS, "jobs", "count", "runs", body={}) == "Job 'count' not found."
    assert empty.send_error(404, "POST", "jobs", "runs", RUN, "start") == f"Run '{RUN}' not found."
    assert empty.get(schemas.DATASETS, "namespaces", NS, "datasets")["totalCount"] == 0, "nothing of it was written"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (("namespaces", NS), {}),
        (("namespaces", NS), {"ownerName": 3}),
        (("sources", "food_db"), {"type": "POSTGRESQL"}),
        (("namespaces", "default", "datasets", "d"), {**TABLE, "type": "VIEW"}),
        (("namespaces", "default", "jobs", "j"), {"type": "BATCH", "inputs": [{"name": "d"}]}),
        (("tags", "x" * 501), {}),
        (("tags", "a\nb"), {}),
    ],
)
def test_a_body_that_is_not_as_described_is_refused(nothing: Marquez, path: tuple[str, ...], body: object) -> None:
    nothing.send_error(400, "PUT", *path, body=body)
    assert nothing.get(schemas.TAGS, "tags")["tags"] == []


def test_a_job_is_declared_with_its_lineage(empty: Marquez) -> None:
    declare_mesh(empty)
    job = empty.get(schemas.JOB, "namespaces", NS, "jobs", "count")
    assert ([one["name"] for one in job["inputs"]], [one["name"] for one in job["outputs"]]) == (["public.cities"], ["public.counts"])
    assert (job["location"], job["latestRun"]) == ("https://example.org/count.sql", None)
    graph = empty.get(schemas.GRAPH, "lineage", nodeId=f"dataset:{NS}:public.cities")["graph"]
    assert [node["id"] for node in graph] == [
        f"dataset:{NS}:public.cities",
        f"dataset:{NS}:public.counts",
        f"job:{NS}:count",
    ]


def test_a_run_is_created_and_goes_through_its_states(empty: Marquez) -> None:
    declare_mesh(empty)
    path = ("namespaces", NS, "jobs", "count", "runs")
    nominal = {"nominalStartTime": "2026-03-08T12:00:00Z", "nominalEndTime": "2026-03-08T13:00:00Z"}
    answer = empty.request("POST", *path, body={"id": RUN, "args": {"user": "ada"}, **nominal})
    assert (answer.status_code, answer.headers["location"]) == (201, f"/api/v1/jobs/runs/{RUN}")
    created = answer.json()
    schemas.check_shape(created, schemas.RUN)
    assert (created["state"], created["startedAt"], created["args"]) == ("NEW", None, {"user": "ada"})
    assert created["nominalStartTime"] == "2026-03-08T12:00:00Z"
    assert empty.send_error(400, "POST", *path, body={"id": RUN}) == f"Run '{RUN}' already exists."
    at = datetime.now(UTC) - timedelta(hours=1)
    started = empty.send(schemas.RUN, "POST", "jobs", "runs", RUN, "start", at=at.isoformat())
    assert (started["state"], started["args"]) == ("RUNNING", {"user": "ada"})
    assert datetime.fromisoformat(started["startedAt"]) == at
    written = {**TABLE, "runId": RUN}
    empty.send(schemas.DATASET, "PUT", "namespaces", NS, "datasets", "public.counts", body=written)
    ended = empty.send(schemas.RUN, "POST", "jobs", "runs", RUN, "complete")
    assert (ended["state"], started["createdAt"]) == ("COMPLETED", created["createdAt"])
    assert ended["durationMs"] >= 3_600_000
    assert [one["datasetVersionId"]["name"] for one in ended["outputDatasetVersions"]] == ["public.counts"]
    versions = empty.get(schemas.DATASET_VERSIONS, "namespaces", NS, "datasets", "public.counts", "versions")["versions"]
    assert [one["createdByRun"]["id"] for one in versions] == [RUN]
    assert empty.get(schemas.JOB, "namespaces", NS, "jobs", "count")["latestRun"]["id"] == RUN


def test_of_requests_at_once_one_creates_the_run(empty: Marquez, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when an event waits before it is stored."""
    empty.send_events(build_event(1, "job"))
    pipeline = empty.client.app.state.service.resources.pipeline  # type: ignore[attr-defined]
    submit = pipeline.submit

    def submit_late(*arguments: Any) -> Any:
        time.sleep(0.1)
        return submit(*arguments)

    monkeypatch.setattr(pipeline, "submit", submit_late)
    with ThreadPoolExecutor(3) as pool:
        body = {"id": RUN}
        sent = [pool.submit(empty.request, "POST", "namespaces", JOBS, "jobs", "job", "runs", body=body) for _ in range(3)]
        assert sorted(one.result().status_code for one in sent) == [201, 400, 400]


def test_runs_fail_and_are_aborted(empty: Marquez) -> None:
    declare_mesh(empty)
    for transition, state in (("fail", "FAILED"), ("abort", "ABORTED")):
        run = empty.send(schemas.RUN, "POST", "namespaces", NS, "jobs", "count", "runs", body={}, status=201)["id"]
        empty.send(schemas.RUN, "POST", "jobs", "runs", run, "start")
        assert empty.send(schemas.RUN, "POST", "jobs", "runs", run, transition)["state"] == state
        assert "at" in empty.send_error(400, "POST", "jobs", "runs", run, transition, at="noon")
        empty.send_error(404, "POST", "jobs", "runs", run, "restart")


def test_a_run_that_events_reported_is_ended_in_its_own_source(marquez: Marquez) -> None:
    marquez.send_events(build_event(5, "report", [ORDERS], [REPORT], type_="START"))
    run = marquez.get(schemas.JOB, "namespaces", JOBS, "jobs", "report")["latestRun"]["id"]
    assert marquez.send(schemas.RUN, "POST", "jobs", "runs", run, "complete", at="2026-03-08T12:06:00Z")["state"] == "COMPLETED"
    found = marquez.get(schemas.RUNS, "namespaces", JOBS, "jobs", "report", "runs")
    assert [one["state"] for one in found["runs"]] == ["COMPLETED", "COMPLETED"], "it is one run, not one more"
    assert found["runs"][0]["durationMs"] == 60_000


def test_tags_are_added_and_removed(marquez: Marquez) -> None:
    marquez.send(schemas.TAG, "PUT", "tags", "PII", body={"description": "Personal data"})
    for _ in range(2):
        assert marquez.send(schemas.DATASET, "POST", *ORDERS_PATH, "tags", "PII")["tags"] == ["PII"]
        found = marquez.send(schemas.DATASET, "POST", *ORDERS_PATH, "fields", "email", "tags", "PII")
        assert {field["name"]: field["tags"] for field in found["fields"]} == {"id": [], "email": ["PII"], "total": []}
        assert marquez.send(schemas.JOB, "POST", *LOAD_PATH, "tags", "nightly")["tags"] == ["nightly"]
    assert marquez.get(schemas.TAGS, "tags")["tags"] == [
        {"name": "PII", "description": "Personal data"},
        {"name": "nightly", "description": None},
    ]
    for _ in range(2):
        assert marquez.send(schemas.DATASET, "DELETE", *ORDERS_PATH, "tags", "PII")["tags"] == []
        found = marquez.send(schemas.DATASET, "DELETE", *ORDERS_PATH, "fields", "email", "tags", "PII")
        assert [field["tags"] for field in found["fields"]] == [[], [], []]
        assert marquez.send(schemas.JOB, "DELETE", *LOAD_PATH, "tags", "nightly")["tags"] == []
    assert marquez.send_error(404, "POST", *ORDERS_PATH, "fields", "none", "tags", "PII") == "Field 'none' not found for dataset 'orders'."


def test_a_tag_that_another_source_states_is_removed_there(empty: Marquez) -> None:
    facet = {
        "_producer": "https://example.org",
        "_schemaURL": "https://example.org",
        "tags": [{"key": "PII", "value": "true", "source": "x"}],
    }
    empty.send_events(build_event(1, "job", [], [build_dataset(LAKE, "orders", tags=facet)]))
    empty.send(schemas.DATASET, "POST", *ORDERS_PATH, "tags", "PII")
    assert "openlineage/default states the tag 'PII'" in empty.send_error(400, "DELETE", *ORDERS_PATH, "tags", "PII")
    assert empty.get(schemas.DATASET, *ORDERS_PATH)["tags"] == ["PII"]


def list_names(marquez: Marquez, kind: str, namespace: str) -> list[str]:
    """What lists of datasets or jobs show, and the number that they give."""
    found = marquez.get(schemas.DATASETS if kind == "datasets" else schemas.JOBS, "namespaces", namespace, kind)
    assert found["totalCount"] == len(found[kind])
    return sorted(one["name"] for one in found[kind])


def build_event_now(job: str, outputs: list[Any]) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {**build_event(9, job, [CUSTOMERS], outputs), "eventTime": now}


def test_a_hidden_dataset_is_in_no_list_until_an_event_names_it(marquez: Marquez) -> None:
    whole = marquez.get(schemas.GRAPH, "lineage", nodeId=f"dataset:{LAKE}:report")
    assert marquez.send(schemas.DATASET, "DELETE", *ORDERS_PATH)["deleted"] is True
    assert marquez.send(schemas.DATASET, "DELETE", *ORDERS_PATH)["deleted"] is True
    assert list_names(marquez, "datasets", LAKE) == ["report"]
    assert [hit["name"] for hit in marquez.get(schemas.HITS, "search", q="orders")["results"]] == ["load.orders"]
    assert marquez.get(schemas.DATASET, *ORDERS_PATH)["deleted"] is True
    assert marquez.get(schemas.GRAPH, "lineage", nodeId=f"dataset:{LAKE}:report") == whole, "lineage goes through it"
    marquez.send_events(build_event(8, "load.orders", [CUSTOMERS], [ORDERS]))  # of a time before
    assert list_names(marquez, "datasets", LAKE) == ["report"]
    marquez.send_events(build_event_now("load.orders", [ORDERS]))
    assert list_names(marquez, "datasets", LAKE) == ["orders", "report"]
    assert marquez.get(schemas.DATASET, *ORDERS_PATH)["deleted"] is False


def test_a_hidden_job_is_in_no_list_until_an_event_names_it(marquez: Marquez) -> None:
    marquez.send(schemas.JOB, "DELETE", *LOAD_PATH)
    assert list_names(marquez, "jobs", JOBS) == ["load", "report"]
    assert "load.orders" not in [job["name"] for job in marquez.get(schemas.JOBS, "jobs")["jobs"]]
    assert marquez.get(schemas.JOB, *LOAD_PATH)["name"] == "load.orders"
    marquez.send_events(build_event_now("load.orders", [ORDERS]))
    assert "load.orders" in list_names(marquez, "jobs", JOBS)


def test_a_hidden_namespace_hides_what_it_has_until_it_is_registered_again(marquez: Marquez) -> None:
    assert marquez.send(schemas.NAMESPACE, "DELETE", "namespaces", LAKE)["isHidden"] is True
    assert list_names(marquez, "datasets", LAKE) == []
    hidden = {one["name"] for one in marquez.get(schemas.NAMESPACES, "namespaces")["namespaces"] if one["isHidden"]}
    assert hidden == {LAKE}
    marquez.send_events(build_event_now("load.orders", [ORDERS]))
    assert list_names(marquez, "datasets", LAKE) == ["orders"], "that which the event names"
    assert marquez.get(schemas.NAMESPACE, "namespaces", LAKE)["isHidden"] is False
    marquez.send(schemas.NAMESPACE, "PUT", "namespaces", LAKE, body={"ownerName": "lake"})
    assert list_names(marquez, "datasets", LAKE) == ["orders", "report"]


def test_a_past_time_shows_what_was_registered_then(marquez: Marquez) -> None:
    marquez.send(schemas.NAMESPACE, "PUT", "namespaces", LAKE, body={"ownerName": "first"})
    between = datetime.now(UTC).isoformat()
    marquez.send(schemas.NAMESPACE, "PUT", "namespaces", LAKE, body={"ownerName": "second"})
    marquez.send(schemas.DATASET, "DELETE", *ORDERS_PATH)
    assert marquez.get(schemas.NAMESPACE, "namespaces", LAKE, asOf=between)["ownerName"] == "first"
    assert marquez.get(schemas.DATASETS, "namespaces", LAKE, "datasets", asOf=between)["totalCount"] == 2
    assert marquez.get(schemas.NAMESPACE, "namespaces", LAKE)["ownerName"] == "second"


def test_a_replay_states_it_again(empty: Marquez) -> None:
    declare_mesh(empty)
    empty.send(schemas.RUN, "POST", "namespaces", NS, "jobs", "count", "runs", body={"id": RUN}, status=201)
    empty.send(schemas.JOB, "POST", "namespaces", NS, "jobs", "count", "tags", "nightly")
    empty.send(schemas.DATASET, "DELETE", "namespaces", NS, "datasets", "public.cities")
    paths = (("namespaces",), ("sources",), ("tags",), ("namespaces", NS, "datasets"), ("namespaces", NS, "jobs"), ("jobs", "runs", RUN))
    before = [empty.client.get("/api/v1/" + "/".join(path)).json() for path in paths]
    old = empty.client.app.state.service.resources.live.store  # type: ignore[attr-defined]
    with run_application() as client:
        new = client.app.state.service.resources.live  # type: ignore[attr-defined]
        copy_store(old, new.store, None, lambda error: pytest.fail(str(error)))
        new.refresh()
        assert [client.get("/api/v1/" + "/".join(path)).json() for path in paths] == before


def test_writes_are_in_the_audit_log(marquez: Marquez) -> None:
    marquez.send(schemas.DATASET, "POST", *ORDERS_PATH, "tags", "PII")
    marquez.send(schemas.DATASET, "DELETE", *ORDERS_PATH)
    answer = marquez.client.post("/graphql", json={"query": "{ audit(first: 10) { nodes { actor subject details } } }"}).json()
    found = [(one["actor"], one["details"]["mutation"], one["subject"]) for one in answer["data"]["audit"]["nodes"]]
    assert sorted(found) == [("marquez-api", "hide dataset", f"{LAKE} orders"), ("marquez-api", "tag", f"{LAKE}/orders")]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1:8080"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_a_page_of_a_foreign_site_cannot_write(marquez: Marquez, headers: dict[str, str], status: int) -> None:
    """A POST without a body is sent by any page without asking."""
    path = "/api/v1/namespaces/s3%3A%2F%2Flake/datasets/orders/tags/PII"
    assert marquez.client.post(path, headers=headers).status_code == status
    assert bool(marquez.get(schemas.DATASET, *ORDERS_PATH)["tags"]) is (status == 200)


def test_no_event_of_a_writer_is_lost_in_a_namespace_with_colons(empty: Marquez) -> None:
    empty.send(schemas.NAMESPACE, "PUT", "namespaces", PG, body={"ownerName": "shop"})
    found = empty.send(schemas.SOURCE, "PUT", "sources", "food_db", body=SOURCE)
    assert empty.send(schemas.DATASET, "PUT", "namespaces", PG, "datasets", "a/b:c", body=TABLE)["sourceName"] == found["name"]
    assert empty.get(schemas.GRAPH, "lineage", nodeId=f"dataset:{PG}:a/b:c")["graph"][0]["data"]["name"] == "a/b:c"
