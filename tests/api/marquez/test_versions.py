"""Versions of datasets and jobs, the runs before a run, and the searches and events that only some clients ask for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from meshline.api.marquez import events
from meshline.graph.store.base import RunGroup, RunRole, Store, StoredRun
from tests.api.marquez import schemas
from tests.api.marquez.conftest import CUSTOMERS, JOBS, LAKE, ORDERS, PG, REPORT, RUN, Marquez, build_dataset, build_event

ORDERS_VERSIONS = ("namespaces", LAKE, "datasets", "orders", "versions")
LOAD_VERSIONS = ("namespaces", JOBS, "jobs", "load.orders", "versions")


def test_each_completed_run_makes_a_version_of_what_it_wrote(marquez: Marquez) -> None:
    wider = build_dataset(LAKE, "orders", ("id", "email", "total", "tax"))
    marquez.send_events(
        build_event(4, "load.orders", [CUSTOMERS], [wider]),
        build_event(5, "load.orders", [CUSTOMERS], [ORDERS], type_="FAIL"),
        build_event(6, "load.orders", [CUSTOMERS], [ORDERS], type_="START"),
    )
    found = marquez.get(schemas.DATASET_VERSIONS, *ORDERS_VERSIONS)
    assert [one["createdByRun"]["id"] for one in found["versions"]] == [RUN.format(4), RUN.format(1)]
    assert [[field["name"] for field in one["fields"]] for one in found["versions"]] == [
        ["id", "email", "total", "tax"],
        ["id", "email", "total"],
    ]
    assert found["totalCount"] == 2
    newest = found["versions"][0]
    assert newest["version"] == marquez.get(schemas.DATASET, "namespaces", LAKE, "datasets", "orders")["currentVersion"]
    assert newest["createdAt"] == "2026-03-08T12:04:00Z"
    assert newest["facets"]["schema"] == wider["facets"]["schema"]
    assert marquez.get(schemas.DATASET_VERSION, *ORDERS_VERSIONS, found["versions"][1]["version"]) == found["versions"][1]
    page = marquez.get(schemas.DATASET_VERSIONS, *ORDERS_VERSIONS, limit=1, offset=1)
    assert page == {"versions": found["versions"][1:], "totalCount": 2}


def test_a_dataset_that_no_run_wrote_has_a_version_of_its_columns(known: Marquez) -> None:
    path = ("namespaces", PG, "datasets", "shop.customers")
    (only,) = known.get(schemas.DATASET_VERSIONS, *path, "versions")["versions"]
    assert (only["createdByRun"], [field["name"] for field in only["fields"]]) == (None, ["email", "id", "total"])
    assert only["version"] == known.get(schemas.DATASET, *path)["currentVersion"]
    assert known.get(schemas.DATASET_VERSION, *path, "versions", only["version"]) == only


def test_an_earlier_version_without_a_schema_does_not_have_the_columns_of_now(marquez: Marquez) -> None:
    bare = {"namespace": LAKE, "name": "bare"}
    marquez.send_events(build_event(4, "make", [], [bare]), build_event(5, "make", [], [build_dataset(LAKE, "bare")]))
    newest, earlier = marquez.get(schemas.DATASET_VERSIONS, "namespaces", LAKE, "datasets", "bare", "versions")["versions"]
    assert ([field["name"] for field in newest["fields"]], earlier["fields"]) == (["id", "email", "total"], [])
    assert (newest["currentSchemaVersion"] is None, earlier["currentSchemaVersion"]) == (False, None)


def test_a_version_that_is_not_known_is_not_found(known: Marquez) -> None:
    other = "0190a7b2-0000-5000-8000-000000000000"
    assert known.get_error(404, *ORDERS_VERSIONS, other) == f"Dataset version '{other}' not found."
    assert known.get_error(404, *LOAD_VERSIONS, other) == f"Job version '{other}' not found."
    assert known.get_error(404, "namespaces", LAKE, "datasets", "none", "versions") == "Dataset 'none' not found."
    assert known.get_error(404, "namespaces", JOBS, "jobs", "none", "versions") == "Job 'none' not found."


def test_a_job_has_a_version_for_each_set_of_inputs_and_outputs(marquez: Marquez) -> None:
    marquez.send_events(build_event(4, "load.orders", [CUSTOMERS, REPORT], [ORDERS]), build_event(5, "load.orders", [CUSTOMERS], [ORDERS]))
    found = marquez.get(schemas.JOB_VERSIONS, *LOAD_VERSIONS)["versions"]
    named = {(tuple(one["name"] for one in version["inputs"]), version["location"]): version for version in found}
    assert set(named) == {
        (("shop.customers",), "https://example.org/load.py"),
        (("shop.customers",), None),
        (("shop.customers", "report"), None),
    }
    assert [version["createdAt"] for version in found] == sorted((version["createdAt"] for version in found), reverse=True)
    for version in found:
        assert marquez.get(schemas.JOB_VERSION, *LOAD_VERSIONS, version["version"]) == version
    assert marquez.get(schemas.JOB_VERSIONS, *LOAD_VERSIONS, limit=1, offset=1)["versions"] == found[1:2]


def test_the_version_of_a_run_is_that_of_its_job_as_long_as_it_has_not_changed(known: Marquez) -> None:
    job = known.get(schemas.JOB, "namespaces", JOBS, "jobs", "load.orders")
    assert job["latestRun"]["jobVersion"] == {**job["id"], "version": job["currentVersion"]}
    (version,) = known.get(schemas.JOB_VERSIONS, *LOAD_VERSIONS)["versions"]
    assert (version["version"], version["latestRun"]) == (job["currentVersion"], job["latestRun"])


def test_the_runs_before_a_run_are_those_that_wrote_what_it_read(marquez: Marquez) -> None:
    marquez.send_events(build_event(3, "load.orders", [CUSTOMERS], [ORDERS]))  # after the report
    found = marquez.get(schemas.UPSTREAM_RUNS, "runlineage", "upstream", runId=RUN.format(2))["runs"]
    assert [(one["run"]["id"], one["job"]["name"], one["run"]["status"]) for one in found] == [
        (RUN.format(2), "report", "COMPLETED"),
        (RUN.format(1), "load.orders", "COMPLETED"),
    ]
    assert [(one["name"], one["producedByRunId"]) for one in found[0]["inputs"]] == [("orders", RUN.format(1))]
    assert [(one["name"], one["producedByRunId"]) for one in found[1]["inputs"]] == [("shop.customers", None)]
    assert len(marquez.get(schemas.UPSTREAM_RUNS, "runlineage", "upstream", runId=RUN.format(2), depth=0)["runs"]) == 1
    assert marquez.get_error(404, "runlineage", "upstream", runId="none") == "Run 'none' not found."
    assert "runId" in marquez.get_error(400, "runlineage", "upstream")


def test_runs_that_read_what_they_wrote_end(empty: Marquez) -> None:
    empty.send_events(*(build_event(n, "loop", [ORDERS], [ORDERS]) for n in (1, 2, 3)))
    found = empty.get(schemas.UPSTREAM_RUNS, "runlineage", "upstream", runId=RUN.format(3))["runs"]
    assert [one["run"]["id"] for one in found] == [RUN.format(n) for n in (3, 2, 1)]


def test_the_lineage_of_a_run_is_that_of_its_job(known: Marquez) -> None:
    for address, schema in (("lineage", schemas.GRAPH), ("column-lineage", schemas.COLUMN_GRAPH)):
        of_run = known.get(schema, address, nodeId=f"run:{RUN.format(1)}")
        assert of_run == known.get(schema, address, nodeId=f"job:{JOBS}:load.orders")
        assert of_run["graph"]
        assert known.get_error(404, address, nodeId="run:none") == "Run 'none' not found."


def test_events_have_the_addresses_that_the_client_for_python_asks(marquez: Marquez) -> None:
    assert marquez.get(schemas.EVENTS, "events", limit=100, offset=0) == marquez.get(schemas.EVENTS, "events", "lineage")
    marquez.send_events(build_event(5, "other", namespace="s3://jobs"))
    answer = marquez.client.get("/api/v1/events/s3://jobs", params={"limit": "100", "offset": "0"}).json()  # it does not escape slashes
    schemas.check_shape(answer, schemas.EVENTS)
    assert ([event["job"]["name"] for event in answer["events"]], answer["totalCount"]) == (["other"], 1)
    assert marquez.get(schemas.EVENTS, "events", JOBS, limit=1)["totalCount"] == 2
    assert marquez.get(schemas.EVENTS, "events", "none") == {"events": [], "totalCount": 0}


def test_all_events_of_a_namespace_are_listed_page_by_page(empty: Marquez, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several began together, and a page of the store ends between them."""
    monkeypatch.setattr(events, "AT_ONCE", 3)
    sent = [{**build_event(n // 4, f"j{n}", namespace="a" if n % 2 else "b"), "run": {"runId": f"r{n}"}} for n in range(14)]
    empty.send_events(*sent)
    newest = empty.get(schemas.EVENTS, "events", "a")
    assert (newest["totalCount"], {event["run"]["runId"] for event in newest["events"]}) == (7, {f"r{n}" for n in range(1, 14, 2)})
    assert [event["eventTime"] for event in newest["events"]] == sorted((one["eventTime"] for one in newest["events"]), reverse=True)
    oldest = empty.get(schemas.EVENTS, "events", "a", sortDirection="asc")
    assert oldest["events"] == newest["events"][::-1]
    for direction, whole in (("desc", newest), ("asc", oldest)):
        for offset in range(0, 9, 2):
            page = empty.get(schemas.EVENTS, "events", "a", sortDirection=direction, limit=2, offset=offset)
            assert page == {"events": whole["events"][offset : offset + 2], "totalCount": 7}
    assert "offset" in empty.get_error(400, "events", "a", offset=10_000)


def test_the_search_of_the_newer_page_describes_what_it_finds(known: Marquez) -> None:
    found = known.get(schemas.DATASET_MATCHES, "v2beta", "search", "datasets", q="ORD")
    (hit,) = found["hits"]
    assert (hit["name"], hit["namespace"], hit["run_id"], hit["eventType"]) == ("orders", LAKE, RUN.format(1), "COMPLETE")
    assert hit["facets"]["documentation"] == ORDERS["facets"]["documentation"]
    assert found["highlights"] == [{"name": ["<em>ord</em>ers"]}]
    (job,) = known.get(schemas.JOB_MATCHES, "v2beta", "search", "jobs", q="load.")["hits"]
    assert (job["name"], sorted(job["facets"]), sorted(job["runFacets"])) == ("load.orders", ["sourceCodeLocation", "sql"], ["parent"])
    assert "q" in known.get_error(400, "v2beta", "search", "jobs", q=" ")


@pytest.mark.parametrize("text", ["STRASSE", "straße", "ss", "\N{KELVIN SIGN}", "k", "İ".casefold()])
def test_a_part_of_a_name_is_found_in_any_case(empty: Marquez, text: str) -> None:
    names = ("Straße", "STRASSE", "Kelvin \N{KELVIN SIGN}", "İstanbul", "plain")
    empty.send_events(*(build_event(n, "job", [], [build_dataset(LAKE, name)]) for n, name in enumerate(names)))
    found = empty.get(schemas.HITS, "search", q=text, filter="DATASET")
    assert {hit["name"] for hit in found["results"]} == {name for name in names if text.casefold() in name.casefold()}


def test_a_text_is_not_found_across_two_names(empty: Marquez) -> None:
    empty.send_events(*(build_event(n, "job", [], [build_dataset(LAKE, name)]) for n, name in enumerate(("aab", "baa"))))
    for text in ("abb", "bb", "abba", "baab", "aabaa"):
        assert empty.get(schemas.HITS, "search", q=text)["results"] == [], text
    assert [hit["name"] for hit in empty.get(schemas.HITS, "search", q="aa")["results"]] == ["aab", "baa"]


def test_a_page_asks_the_store_once_for_all_runs_of_one_kind(marquez: Marquez, monkeypatch: pytest.MonkeyPatch) -> None:
    store: Store = marquez.client.app.state.service.resources.live.store  # type: ignore[attr-defined]
    asked: list[int] = []
    list_last_runs = store.list_last_runs

    def count_question(groups: Sequence[RunGroup], role: RunRole, limit: int = 1) -> Sequence[Sequence[StoredRun]]:
        asked.append(len(groups))
        return list_last_runs(groups, role, limit)

    def fail(*_: object) -> None:
        raise AssertionError("a question for one asset")

    read_last_states = store.read_last_states

    def count_states(groups: Sequence[RunGroup], role: RunRole) -> Sequence[bytes | None]:
        asked.append(len(groups))
        return read_last_states(groups, role)

    monkeypatch.setattr(store, "list_last_runs", count_question)
    monkeypatch.setattr(store, "read_last_states", count_states)
    monkeypatch.setattr(store, "list_runs", fail)
    marquez.get(schemas.DATASETS, "namespaces", LAKE, "datasets")
    assert asked == [2], "the last writers of both datasets"
    asked.clear()
    assert sorted(len(job["latestRuns"] or ()) for job in marquez.get(schemas.JOBS, "jobs")["jobs"]) == [0, 1, 1]
    assert asked == [3, 2], "the latest runs of all three jobs; the last writers of what these runs read"
    asked.clear()
    assert len(marquez.get(schemas.JOBS, "jobs", lastRunStates="COMPLETED", limit=0)["jobs"]) == 0
    marquez.get(schemas.JOBS, "jobs", lastRunStates="FAILED")
    assert asked == [3], "the states of the last runs of all three jobs"


def test_the_last_completed_run_is_found_behind_any_number_that_failed(marquez: Marquez) -> None:
    """Reads of the store double: 1, 2, 4, ... runs."""
    path = ("namespaces", LAKE, "datasets", "orders")
    before = marquez.get(schemas.DATASET, *path)
    for number in range(10, 34):
        event = build_event(number, "load.orders", [CUSTOMERS], [ORDERS], type_="FAIL")
        marquez.send_events({**event, "run": {"runId": RUN.replace("{}", "") + f"f{number}"}})
    after = marquez.get(schemas.DATASET, *path)
    assert before["lastModifiedAt"] == "2026-03-08T12:01:00Z"
    assert (after["lastModifiedAt"], after["currentVersion"]) == (before["lastModifiedAt"], before["currentVersion"])


def test_names_that_came_later_are_found(marquez: Marquez) -> None:
    assert marquez.get(schemas.HITS, "search", q="later")["results"] == []
    marquez.send_events(build_event(5, "later.job"))
    assert [hit["name"] for hit in marquez.get(schemas.HITS, "search", q="later")["results"]] == ["later.job"]
