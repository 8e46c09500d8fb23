"""Runs, events and statistics as Marquez's clients read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from meshline.graph.model import to_micros
from tests.api.marquez import schemas
from tests.api.marquez.conftest import CUSTOMERS, JOBS, LAKE, ORDERS, RUN, Marquez, build_dataset, build_event, build_facet

LOAD = ("namespaces", JOBS, "jobs", "load.orders")


def test_the_runs_of_a_job_are_listed_newest_first(marquez: Marquez) -> None:
    marquez.send_events(*(build_event(n, "load.orders", [CUSTOMERS], [ORDERS]) for n in (4, 5, 6)))
    found = marquez.get(schemas.RUNS, *LOAD, "runs")
    assert [run["id"] for run in found["runs"]] == [RUN.format(n) for n in (6, 5, 4, 1)]
    page = marquez.get(schemas.RUNS, *LOAD, "runs", limit=2, offset=1)
    assert (page["runs"], page["totalCount"]) == (found["runs"][1:3], 4)
    assert marquez.get(schemas.RUNS, *LOAD, "runs", limit=0)["runs"] == []
    assert marquez.get_error(404, "namespaces", JOBS, "jobs", "none", "runs") == "Job 'none' not found."
    job = marquez.get(schemas.JOB, *LOAD)
    assert (job["latestRun"], job["latestRuns"]) == (found["runs"][0], found["runs"])


def test_a_run(marquez: Marquez) -> None:
    nominal = build_facet(nominalStartTime="2026-03-08T12:00:00Z", nominalEndTime="2026-03-08T13:00:00Z")
    marquez.send_events(
        build_event(10, "load.orders", type_="START", run=3, run_facets={"nominalTime": nominal}),
        build_event(12, "load.orders", [CUSTOMERS], [ORDERS], run=3),
    )
    run = marquez.get(schemas.RUN, "jobs", "runs", RUN.format(3))
    assert (run["state"], run["startedAt"], run["endedAt"]) == ("COMPLETED", "2026-03-08T12:10:00Z", "2026-03-08T12:12:00Z")
    assert run["durationMs"] == 120_000
    assert run["nominalStartTime"] == "2026-03-08T12:00:00Z"
    assert run["args"] == {"nominal_start_time": "2026-03-08T12:00:00Z", "nominal_end_time": "2026-03-08T13:00:00Z"}
    assert run["facets"]["nominalTime"] == nominal
    (written,) = run["outputDatasetVersions"]
    dataset = marquez.get(schemas.DATASET, "namespaces", LAKE, "datasets", "orders")
    assert written["datasetVersionId"] == {**dataset["id"], "version": dataset["currentVersion"]}
    assert written["facets"]["documentation"] == ORDERS["facets"]["documentation"]
    assert dataset["lastModifiedAt"] == "2026-03-08T12:12:00Z"
    assert marquez.get_error(404, "jobs", "runs", RUN.format(8)) == f"Run '{RUN.format(8)}' not found."


def test_a_run_read_the_version_that_was_written_before_it(marquez: Marquez) -> None:
    written = marquez.get(schemas.RUN, "jobs", "runs", RUN.format(1))["outputDatasetVersions"]
    marquez.send_events(build_event(5, "load.orders", [CUSTOMERS], [ORDERS]))
    read = marquez.get(schemas.RUN, "jobs", "runs", RUN.format(2))["inputDatasetVersions"]
    assert [one["datasetVersionId"] for one in read] == [one["datasetVersionId"] for one in written]


def test_each_end_of_a_run_has_its_state(empty: Marquez) -> None:
    types = {"START": "RUNNING", "RUNNING": "RUNNING", "COMPLETE": "COMPLETED", "FAIL": "FAILED", "ABORT": "ABORTED"}
    for number, type_ in enumerate(types):
        empty.send_events(build_event(number, "job", type_=type_))
    found = [empty.get(schemas.RUN, "jobs", "runs", RUN.format(number))["state"] for number in range(len(types))]
    assert found == list(types.values())


def test_the_facets_of_a_run_are_those_that_it_sent(known: Marquez) -> None:
    run_id = RUN.format(1)
    facets = known.get(schemas.RUN_FACETS, "jobs", "runs", run_id, "facets", type="job")
    assert (facets["runId"], sorted(facets["facets"])) == (run_id, ["sourceCodeLocation", "sql"])
    assert sorted(known.get(schemas.RUN_FACETS, "jobs", "runs", run_id, "facets", type="RUN")["facets"]) == ["parent"]
    assert "type" in known.get_error(400, "jobs", "runs", run_id, "facets")
    assert "type" in known.get_error(400, "jobs", "runs", run_id, "facets", type="table")
    known.get_error(404, "jobs", "runs", "none", "facets", type="run")


def test_jobs_can_be_limited_to_states_of_their_last_runs(marquez: Marquez) -> None:
    marquez.send_events(build_event(5, "report", type_="FAIL"))
    found = marquez.get(schemas.JOBS, "jobs", lastRunStates="FAILED")
    assert [job["name"] for job in found["jobs"]] == ["report"]
    assert found["totalCount"] == 3
    assert "lastRunStates" in marquez.get_error(400, "jobs", lastRunStates="BROKEN")


def test_events_are_given_back_word_for_word(known: Marquez) -> None:
    found = known.get(schemas.EVENTS, "events", "lineage")
    assert [event["eventTime"] for event in found["events"]] == ["2026-03-08T12:02:00Z", "2026-03-08T12:01:00Z"]
    assert found["totalCount"] == 2
    assert found["events"][1]["outputs"] == [ORDERS]
    oldest = known.get(schemas.EVENTS, "events", "lineage", sortDirection="asc", limit=1)
    assert oldest == {"events": found["events"][1:], "totalCount": 2}
    assert known.get(schemas.EVENTS, "events", "lineage", offset=1)["events"] == found["events"][1:]
    assert known.get(schemas.EVENTS, "events", "lineage", before="2026-03-08T12:02:00Z")["totalCount"] == 1
    assert known.get(schemas.EVENTS, "events", "lineage", after="2026-03-08T12:02:00Z")["totalCount"] == 1
    assert "before" in known.get_error(400, "events", "lineage", before="noon")
    assert "sortDirection" in known.get_error(400, "events", "lineage", sortDirection="up")


def test_events_without_a_run_are_not_listed(marquez: Marquez) -> None:
    """Marquez's page of events fails on them."""
    event = build_event(5, "declared")
    marquez.send_events({name: value for name, value in event.items() if name not in ("run", "eventType")})
    found = marquez.get(schemas.EVENTS, "events", "lineage")
    assert (len(found["events"]), found["totalCount"]) == (2, 3)


def send_now(marquez: Marquez, *types: str) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    marquez.send_events(
        *({**build_event(n, "job", outputs=[build_dataset("ns", "d")], type_=type_), "eventTime": now} for n, type_ in enumerate(types))
    )


def test_statistics_of_events_have_24_hours_or_7_days(empty: Marquez) -> None:
    """Marquez's page takes another number of days for hours."""
    send_now(empty, "START", "COMPLETE", "COMPLETE", "FAIL", "ABORT")
    for length, query in ((24, {"period": "DAY"}), (7, {"period": "WEEK", "timezone": "Asia/Kolkata"}), (24, {})):
        found: list[dict[str, Any]] = empty.get(schemas.EVENT_STATISTICS, "stats", "lineage-events", **query)
        assert len(found) == length
        assert [sum(one[name] for one in found) for name in ("start", "complete", "fail", "abort")] == [1, 2, 1, 1]
        assert [one["endInterval"] for one in found[:-1]] == [one["startInterval"] for one in found[1:]]
        last = datetime.fromisoformat(found[-1]["endInterval"])
        assert to_micros(last) >= to_micros(datetime.now(UTC))
    assert "timezone" in empty.get_error(400, "stats", "lineage-events", period="WEEK")
    assert "timezone" in empty.get_error(400, "stats", "lineage-events", period="WEEK", timezone="../etc/passwd")
    assert "period" in empty.get_error(400, "stats", "lineage-events", period="YEAR")


def test_statistics_of_assets_are_cumulative(empty: Marquez) -> None:
    empty.send_events(build_event(1, "old", outputs=[build_dataset(LAKE, "old")]))
    send_now(empty, "COMPLETE")
    for kind, before, after in (("jobs", 1, 2), ("datasets", 1, 2), ("sources", 1, 2)):
        found: list[dict[str, Any]] = empty.get(schemas.ASSET_STATISTICS, "stats", kind, period="WEEK", timezone="UTC")
        assert len(found) == 7
        assert (found[0]["count"], found[-1]["count"]) == (before, after), kind
