"""Runs, events and counts in GraphQL, over events that were really ingested."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.api.graphql import Bounds
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.base import Batch, Retention
from meshline.ingest.openlineage.builder import find_run_age
from tests.api.conftest import AskGraph
from tests.ingest.lineage_events import (
    RUN,
    Event,
    build_dataset,
    build_event,
    build_lineage_facet,
    format_time,
    ingest_each,
    ingest_groups,
    to_micros,
)
from tests.sizes import count_examples

ORDERS, MART = build_dataset("orders"), build_dataset("mart")
NOMINAL = {"nominalStartTime": "2023-11-14T00:00:00Z", "nominalEndTime": "2023-11-15T02:00:00+02:00"}
JOBS = "{jobs{nodes{name runs(first:100){totalCount pageInfo{hasNextPage endCursor} nodes{runId state startedAt endedAt durationMs}}}}}"


def open_graph(*events: Event) -> AskGraph:
    return AskGraph(LiveGraph.open(ingest_each(*events).store))


def list_states(ask: AskGraph, job: str = "etl") -> list[tuple[str, str]]:
    """(last digits of the run id, state) of the runs of a job."""
    nodes = {node["name"]: node["runs"]["nodes"] for node in ask(JOBS)["jobs"]["nodes"]}
    return [(run["runId"].lstrip("0-"), run["state"]) for run in nodes.get(job, [])]


def test_a_run_with_everything_that_it_states() -> None:
    mart = build_dataset("mart", version={"datasetVersion": "7"}) | {"outputFacets": {"outputStatistics": {"rowCount": 3}}}
    ask = open_graph(
        build_event("START", 0, job="dag", run=9) | {"run": {"runId": "parent-1"}},
        build_event("START", 1, [ORDERS], run_facets={"nominalTime": NOMINAL}, parent=1),
        build_event(
            "FAIL",
            3.5,
            outputs=[mart],
            run_facets={"errorMessage": {"message": "no disk", "programmingLanguage": "x"}},
            job_facets={"sql": {"query": "select 1"}},
        ),
    )
    query = """{ jobs { nodes { name lastRun { id runId source job { name } jobNamespace jobName state startedAt endedAt durationMs
      lastEventAt nominalStart nominalEnd error parent { runId jobNamespace jobName run { runId state job { name } } }
      inputs { namespace name dataset { name } facets } outputs { namespace name dataset { name } facets } facets jobFacets } } } }"""
    run = next(node for node in ask(query)["jobs"]["nodes"] if node["name"] == "etl")["lastRun"]
    assert {name: run[name] for name in ("runId", "source", "jobNamespace", "jobName", "state", "durationMs", "error")} == {
        "runId": RUN.format(1),
        "source": "openlineage/default",
        "jobNamespace": "jobs",
        "jobName": "etl",
        "state": "FAIL",
        "durationMs": 150_000.0,
        "error": "no disk",
    }
    assert (run["startedAt"], run["endedAt"], run["lastEventAt"]) == (format_time(1), format_time(3.5), format_time(3.5))
    assert (run["nominalStart"], run["nominalEnd"]) == ("2023-11-14T00:00:00+00:00", "2023-11-15T00:00:00+00:00")
    assert run["job"] == {"name": "etl"}
    assert run["parent"] == {
        "runId": "parent-1",
        "jobNamespace": "jobs",
        "jobName": "dag",
        "run": {"runId": "parent-1", "state": "RUNNING", "job": {"name": "dag"}},
    }
    assert run["inputs"] == [{"namespace": "db", "name": "orders", "dataset": None, "facets": {}}], "only the failed run names it"
    assert run["outputs"][0]["facets"] == {"version": {"datasetVersion": "7"}, "outputStatistics": {"rowCount": 3}}
    assert run["facets"]["nominalTime"] == NOMINAL
    assert run["jobFacets"] == {"sql": {"query": "select 1"}}
    again = ask("query($id: ID!) { run(id: $id) { runId state } }", id=run["id"])["run"]
    assert again == {"runId": RUN.format(1), "state": "FAIL"}


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        (["START"], "RUNNING"),
        (["START", "COMPLETE"], "COMPLETE"),
        (["COMPLETE"], "COMPLETE"),
        (["START", "FAIL"], "FAIL"),
        (["START", "ABORT"], "ABORT"),
        (["START", "FAIL", "COMPLETE"], "FAIL"),
        (["START", "COMPLETE", "FAIL"], "FAIL"),
        (["START", "ABORT", "COMPLETE"], "ABORT"),
        (["START", "ABORT", "FAIL"], "ABORT"),
        (["START", "FAIL", "ABORT"], "FAIL"),
        ([None], "RUNNING"),
    ],
)
def test_the_kinds_of_end_are_distinguished_in_any_order_of_arrival(kinds: list[str | None], state: str) -> None:
    events = [build_event(kind, minute, [ORDERS], [MART]) for minute, kind in enumerate(kinds)]
    for order in (events, events[::-1]):
        assert list_states(open_graph(*order)) == [("1", state)]


def test_a_start_that_arrives_late_moves_the_run_back() -> None:
    ask = open_graph(build_event("COMPLETE", 9, [ORDERS], [MART]), build_event("COMPLETE", 5, [ORDERS], [MART], run=2))
    assert list_states(ask) == [("1", "COMPLETE"), ("2", "COMPLETE")]
    ask = open_graph(
        build_event("COMPLETE", 9, [ORDERS], [MART]), build_event("COMPLETE", 5, [ORDERS], [MART], run=2), build_event("START", 1)
    )
    assert list_states(ask) == [("2", "COMPLETE"), ("1", "COMPLETE")]
    (job,) = ask(JOBS)["jobs"]["nodes"]
    assert [(run["startedAt"], run["endedAt"]) for run in job["runs"]["nodes"]] == [
        (format_time(5), format_time(5)),
        (format_time(1), format_time(9)),
    ]


def test_two_jobs_may_share_a_run_id() -> None:
    ask = open_graph(
        build_event("COMPLETE", 1, [ORDERS], [MART]),
        build_event("FAIL", 2, [ORDERS], [MART], job="other"),
        build_event("COMPLETE", 3, [ORDERS], [MART], run=2),
    )
    assert list_states(ask) == [("2", "COMPLETE"), ("1", "COMPLETE")]
    assert list_states(ask, "other") == [("1", "FAIL")]
    query = """query($id: String!, $first: Int, $after: String) { runsById(runId: $id, first: $first, after: $after) {
      totalCount pageInfo { hasNextPage endCursor } nodes { id jobName state } } }"""
    found = ask(query, id=RUN.format(1))["runsById"]["nodes"]
    assert [(run["jobName"], run["state"]) for run in found] == [("other", "FAIL"), ("etl", "COMPLETE")]
    one = ask(query, id=RUN.format(1), first=1)["runsById"]
    assert (one["totalCount"], one["pageInfo"]["hasNextPage"], one["nodes"]) == (2, True, found[:1])
    rest = ask(query, id=RUN.format(1), first=1, after=one["pageInfo"]["endCursor"])["runsById"]
    assert (rest["totalCount"], rest["pageInfo"]["hasNextPage"], rest["nodes"]) == (2, False, found[1:])
    assert len({run["id"] for run in found}) == 2
    for run in found:
        assert ask("query($id: ID!) { run(id: $id) { jobName } }", id=run["id"])["run"] == {"jobName": run["jobName"]}


@pytest.mark.parametrize("id_", ["", "run_", "run_%%%", "run_bnVsbA", "ds_00000000000000000000000000000000", "run_WyJhIiwiYiIsImMiLCJkIl0"])
def test_an_id_of_no_run_is_null(id_: str) -> None:
    assert open_graph(build_event("COMPLETE", 1))("query($id: ID!) { run(id: $id) { runId } }", id=id_) == {"run": None}


def test_runs_of_a_dataset_are_those_of_all_its_names() -> None:
    """A symlink joins a path and a table: runs that name either are runs of the one dataset."""
    symlinks = {"identifiers": [{"namespace": "hive", "name": "mart", "type": "TABLE"}]}
    ask = open_graph(
        build_event("COMPLETE", 1, [ORDERS], [build_dataset("mart", symlinks=symlinks)]),
        build_event("COMPLETE", 2, [ORDERS], [build_dataset("mart", "hive")], run=2),
        build_event("COMPLETE", 3, [build_dataset("mart", "hive")], [build_dataset("sum")], job="sums", run=3),
    )
    query = """query($ns: String!) { dataset(namespace: $ns, name: "mart") {
      writes: runs { totalCount nodes { runId } } reads: runs(role: READS) { totalCount nodes { runId } }
      lastWritten { at evidence run { runId state } } } }"""
    for namespace in ("db", "hive"):
        found = ask(query, ns=namespace)["dataset"]
        assert found["writes"] == {"totalCount": 2, "nodes": [{"runId": RUN.format(2)}, {"runId": RUN.format(1)}]}
        assert found["reads"] == {"totalCount": 1, "nodes": [{"runId": RUN.format(3)}]}
        assert found["lastWritten"] == {"at": format_time(2), "evidence": "RUN", "run": {"runId": RUN.format(2), "state": "COMPLETE"}}


def test_a_failed_run_does_not_prove_when_data_was_last_written() -> None:
    ask = open_graph(
        build_event("START", 1, [ORDERS], [MART]),
        build_event("COMPLETE", 2, [ORDERS], [MART]),
        build_event("FAIL", 5, [ORDERS], [MART], run=2),
        build_event("START", 6, [ORDERS], [MART], run=3),
    )
    query = 'query($n: String!) { dataset(namespace: "db", name: $n) { lastWritten { at run { runId } } } }'
    assert ask(query, n="mart")["dataset"] == {"lastWritten": {"at": format_time(2), "run": {"runId": RUN.format(1)}}}
    assert ask(query, n="orders")["dataset"] == {"lastWritten": None}


def test_the_last_writer_is_found_beyond_any_number_of_newer_runs() -> None:
    """The run that wrote is known by its statement; the lists of runs begin with those that failed since."""
    later = (build_event("FAIL", 10 + n, [ORDERS], [MART], run=10 + n) for n in range(30))
    ask = open_graph(build_event("COMPLETE", 1, [ORDERS], [MART]), build_event("COMPLETE", 2, [ORDERS], [MART], run=2, job="other"), *later)
    query = 'query($at: DateTime) { dataset(namespace: "db", name: "mart", asOf: $at) { lastWritten { at run { runId jobName } } } }'
    assert ask(query)["dataset"] == {"lastWritten": {"at": format_time(2), "run": {"runId": RUN.format(2), "jobName": "other"}}}
    before = ask(query, at=format_time(1.5))["dataset"]
    assert before == {"lastWritten": {"at": format_time(1), "run": {"runId": RUN.format(1), "jobName": "etl"}}}


def test_an_edge_names_the_run_that_stated_it_last() -> None:
    """Also of retries under one parent, whose versions name them all; a statement that is no run's has none."""
    facet = build_lineage_facet(id=[{"namespace": "db", "name": "orders", "field": "id"}])
    mart = build_dataset("mart", columnLineage=facet)
    declared = {"eventTime": format_time(1), "job": {"namespace": "jobs", "name": "declared"}, "inputs": [ORDERS], "outputs": [mart]}
    ask = open_graph(
        build_event("COMPLETE", 1, [ORDERS], [mart]),
        build_event("COMPLETE", 3, [ORDERS], [mart], run=2, parent=7),
        build_event("FAIL", 5, [ORDERS], [mart], run=3),
        build_event("RUNNING", 4, [ORDERS], [mart], run=4, job="other"),
        declared,
    )
    (mart_id,) = (node["id"] for node in ask("{datasets{nodes{id name}}}")["datasets"]["nodes"] if node["name"] == "mart")
    query = """query($of: [ID!]!, $at: DateTime) { lineage(of: $of, direction: UPSTREAM, asOf: $at) { edges { evidence {
      job { name } lastObserved run { runId jobName state startedAt } } } } }"""
    (edge,) = ask(query, of=[mart_id])["lineage"]["edges"]
    found = {one["job"]["name"]: one["run"] for one in edge["evidence"]}
    assert found == {
        "etl": {"runId": RUN.format(2), "jobName": "etl", "state": "COMPLETE", "startedAt": format_time(3)},
        "other": {"runId": RUN.format(4), "jobName": "other", "state": "RUNNING", "startedAt": format_time(4)},
        "declared": None,
    }
    (edge,) = ask(query, of=[mart_id], at=format_time(2))["lineage"]["edges"]
    assert {one["job"]["name"]: (one["run"] or {}).get("runId") for one in edge["evidence"]} == {"etl": RUN.format(1), "declared": None}


def test_a_stream_runs_and_has_written_at_its_last_event() -> None:
    facets = {"jobType": {"processingType": "STREAMING", "integration": "FLINK"}}
    ask = open_graph(*(build_event("RUNNING", minute, [ORDERS], [MART], job_facets=facets) for minute in range(100)))
    (job,) = ask(JOBS)["jobs"]["nodes"]
    assert job["runs"]["totalCount"] == 1, "100 events of one run are one run"
    (run,) = job["runs"]["nodes"]
    assert (run["state"], run["startedAt"], run["endedAt"], run["durationMs"]) == ("RUNNING", format_time(0), None, None)
    found = ask('{ dataset(namespace: "db", name: "mart") { lastWritten { at run { state } } } }')["dataset"]
    assert found == {"lastWritten": {"at": format_time(99), "run": {"state": "RUNNING"}}}
    hours = ask("query($a: DateTime!, $b: DateTime!) { eventCounts(from: $a, to: $b) { running } }", a=format_time(0), b=format_time(100))
    assert sum(hour["running"] for hour in hours["eventCounts"]) == 100


def test_pages_of_runs_have_each_once_while_runs_are_added() -> None:
    graph = ingest_each(*(build_event("COMPLETE", n // 2, [ORDERS], [MART], run=n) for n in range(9)))
    live = LiveGraph.open(graph.store)
    ask = AskGraph(live)
    query = (
        "query($after: String) { jobs { nodes { runs(first: 2, after: $after) { nodes { runId } pageInfo { hasNextPage endCursor } } } } }"
    )
    found: list[str] = []
    after = None
    while True:
        (job,) = ask(query, after=after)["jobs"]["nodes"]
        found += [run["runId"] for run in job["runs"]["nodes"]]
        if not job["runs"]["pageInfo"]["hasNextPage"]:
            break
        after = job["runs"]["pageInfo"]["endCursor"]
        graph.ingest([build_event("COMPLETE", 100 + len(found), [ORDERS], [MART], run=100 + len(found))])
        live.refresh()
    assert sorted(found) == sorted(RUN.format(n) for n in range(9))


@pytest.mark.parametrize("after", ["x", "W1sxXSxbInQiXSwiIl0", "W1sxMDAwMDAwMDAwMDAwMDAwMDAwMDAwMF0sWyIxIl0sIiJd", "W1sxXSxbXSwiIl0"])
def test_a_wrong_cursor_is_an_error_of_the_caller(after: str) -> None:
    ask = open_graph(build_event("COMPLETE", 1, [ORDERS], [MART]))
    assert ask.get_error_code("query($a: String) { jobs { nodes { runs(after: $a) { totalCount } } } }", a=after) == "INVALID_INPUT"
    assert ask.get_error_code("query($a: String) { events(after: $a) { totalCount } }", a=after) == "INVALID_INPUT"


def test_facets_are_bounded() -> None:
    long = {"own": {"text": "x" * 300_000}}
    graph = ingest_each(*(build_event("COMPLETE", n, [ORDERS], [MART], run=n, run_facets=long) for n in range(300)))
    ask = AskGraph(LiveGraph.open(graph.store))
    query = "query($n: Int) { jobs { nodes { runs(first: $n) { nodes { facets } } } } }"
    assert len(ask(query, n=10)["jobs"]["nodes"][0]["runs"]["nodes"]) == 10
    assert ask.get_error_code(query, n=300) == "LIMIT_EXCEEDED"


def test_facets_that_are_wrong_are_still_shown() -> None:
    facets: dict[str, Any] = {"nominalTime": {"nominalStartTime": 7}, "parent": {"run": 3}, "errorMessage": {"message": None}}
    ask = open_graph(build_event("COMPLETE", 1, [ORDERS], [MART], run_facets=facets))
    (job,) = ask("{jobs{nodes{lastRun{nominalStart nominalEnd parent{runId} error facets}}}}")["jobs"]["nodes"]
    assert job["lastRun"] == {"nominalStart": None, "nominalEnd": None, "parent": None, "error": None, "facets": facets}


def test_runs_as_of_a_time_had_begun_by_then() -> None:
    ask = open_graph(*(build_event("COMPLETE", n, [ORDERS], [MART], run=n) for n in range(1, 6)))
    (job,) = ask("{jobs{nodes{id}}}")["jobs"]["nodes"]
    query = "query($id: ID!, $at: DateTime) { node(id: $id, asOf: $at) { ... on Job { lastRun { runId } runs { nodes { runId } } } } }"
    found = ask(query, id=job["id"], at=format_time(3))["node"]
    assert found == {"lastRun": {"runId": RUN.format(3)}, "runs": {"nodes": [{"runId": RUN.format(n)} for n in (3, 2, 1)]}}


STATES = ("RUNNING", "COMPLETE", "FAIL", "ABORT")
LAST = """query($states: [RunState!], $first: Int, $after: String, $order: ListOrder!, $filter: AssetFilter, $at: DateTime) {
  jobs(lastRun: $states, first: $first, after: $after, orderBy: $order, filter: $filter, asOf: $at) {
    totalCount pageInfo { hasNextPage endCursor } nodes { name } } }"""
run_events = st.builds(
    lambda kind, minute, job, run: build_event(kind, minute, [ORDERS], [MART], job=f"job {job}", run=run),
    st.sampled_from(("START", "COMPLETE", "FAIL", "ABORT")),
    st.integers(0, 9),
    st.integers(0, 4),
    st.integers(1, 4),
)
DECLARED = {name: value for name, value in build_event(None, 4, job="job 9").items() if name not in ("eventType", "run")}


def list_last(ask: AskGraph, size: int, states: list[str], order: str = "NAME", **asked: object) -> list[str]:
    """The jobs of all pages; each page has their count."""
    found: list[str] = []
    counts, after = set(), None
    while True:
        page = ask(LAST, states=states, first=size, after=after, order=order, **asked)["jobs"]
        found += [node["name"] for node in page["nodes"]]
        counts.add(page["totalCount"])
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert counts == {len(found)}
            return found


@settings(max_examples=count_examples(8))
@given(
    st.lists(run_events, max_size=20),
    st.lists(st.sampled_from(STATES), max_size=3),
    st.integers(1, 4),
    st.sampled_from(("NAME", "LAST_OBSERVED")),
)
def test_jobs_are_found_by_the_state_of_their_newest_run(events: list[Event], states: list[str], size: int, order: str) -> None:
    """As a reading of all runs of all jobs finds them; `job 9` has none."""
    ask = AskGraph(LiveGraph.open(ingest_groups([DECLARED, *events]).store))
    jobs = ask(
        "query($order: ListOrder!) { jobs(orderBy: $order) { nodes { name runs(first: 100) { nodes { state startedAt } } } } }", order=order
    )
    expected = []
    for job in jobs["jobs"]["nodes"]:
        runs = job["runs"]["nodes"]
        assert not runs or runs[0]["startedAt"] == max(run["startedAt"] for run in runs)
        if runs and runs[0]["state"] in states:
            expected.append(job["name"])
    assert list_last(ask, size, states, order) == expected


def test_last_runs_keep_the_filter_the_limits_and_the_present() -> None:
    ask = open_graph(
        *(build_event("FAIL", n, [ORDERS], [MART], job=f"job {n}") for n in range(4)), build_event("START", 9, job="job 2", run=2)
    )
    assert list_last(ask, 2, ["FAIL"]) == ["job 0", "job 1", "job 3"]
    assert list_last(ask, 2, ["FAIL", "RUNNING"], filter={"text": "job 2"}) == ["job 2"]
    assert ask(LAST, order="NAME")["jobs"]["totalCount"] == 4
    assert ask.get_error_code(LAST, states=["FAIL"], order="NAME", at=format_time(9)) == "INVALID_INPUT"
    assert ask.get_error_code(LAST, states=["FAIL"], order="NAME", first=1001) == "LIMIT_EXCEEDED"
    assert ask.get_error_code(LAST, states=["FAIL"], order="NAME", after="x") == "INVALID_INPUT"
    assert AskGraph(ask.graph, Bounds(seconds=0)).get_error_code(LAST, states=["FAIL"], order="NAME", first=0) == "LIMIT_EXCEEDED"


EVENTS = """query($a: DateTime, $b: DateTime, $n: Int, $c: String) { events(from: $a, to: $b, first: $n, after: $c) {
  totalCount pageInfo { hasNextPage endCursor } nodes { at receivedAt type runId jobNamespace jobName source body } } }"""


def test_events_are_listed_by_their_time_and_counted_as_received() -> None:
    job_event = {name: value for name, value in build_event(None, 4).items() if name not in ("eventType", "run")}
    dataset_event = {"eventTime": format_time(5), "dataset": ORDERS, "producer": "tests", "schemaURL": "https://x/#/$defs/DatasetEvent"}
    start = build_event("START", 1, [ORDERS], [MART])
    ask = open_graph(build_event("COMPLETE", 2, [ORDERS], [MART]), start, start, job_event, dataset_event)
    found = ask(EVENTS)["events"]
    assert [(event["type"], event["at"]) for event in found["nodes"]] == [
        ("DATASET", format_time(5)),
        ("JOB", format_time(4)),
        ("COMPLETE", format_time(2)),
        ("START", format_time(1)),
        ("START", format_time(1)),
    ]
    assert found["totalCount"] == 5
    assert found["nodes"][3]["body"] == start
    assert {found["nodes"][3][name] for name in ("runId", "jobNamespace", "jobName", "source")} == {
        RUN.format(1),
        "jobs",
        "etl",
        "openlineage/default",
    }
    assert found["nodes"][0]["runId"] is None
    found = ask(EVENTS, a=format_time(1), b=format_time(4))["events"]
    assert (found["totalCount"], [event["type"] for event in found["nodes"]]) == (3, ["COMPLETE", "START", "START"])
    page = ask(EVENTS, n=2)["events"]
    assert page["pageInfo"]["hasNextPage"]
    rest = ask(EVENTS, c=page["pageInfo"]["endCursor"])["events"]
    assert [event["type"] for event in page["nodes"] + rest["nodes"]] == ["DATASET", "JOB", "COMPLETE", "START", "START"]
    counts = "query($a: DateTime!, $b: DateTime!) { eventCounts(from: $a, to: $b) { at start running complete fail abort other } }"
    hours = ask(counts, a=format_time(0), b=format_time(6))["eventCounts"]
    totals = {name: sum(hour[name] for hour in hours) for name in ("start", "running", "complete", "fail", "abort", "other")}
    assert totals == {"start": 2, "running": 0, "complete": 1, "fail": 0, "abort": 0, "other": 2}


def test_counts_are_by_the_hour_of_the_event_and_remain_when_events_are_pruned() -> None:
    graph = ingest_each(*(build_event("FAIL", 60 * hour, run=hour) for hour in (0, 0, 2)), build_event("ABORT", 60 * 25, run=8))
    graph.store.prune_raw_events(2**60)
    ask = AskGraph(LiveGraph.open(graph.store))
    assert ask(EVENTS)["events"]["totalCount"] == 0
    query = "query($a: DateTime!, $b: DateTime!, $of: Bucket!) { eventCounts(from: $a, to: $b, bucket: $of) { at fail abort } }"
    asked = {"a": format_time(0), "b": format_time(60 * 26)}
    hours = ask(query, of="HOUR", **asked)["eventCounts"]
    assert [hour["fail"] for hour in hours[:4]] == [2, 0, 1, 0]
    assert hours[25]["abort"] == 1
    days = ask(query, of="DAY", **asked)["eventCounts"]
    assert [(day["at"][:19], day["fail"], day["abort"]) for day in days] == [
        ("2023-11-14T00:00:00", 2, 0),
        ("2023-11-15T00:00:00", 1, 1),
        ("2023-11-16T00:00:00", 0, 0),
    ]
    weeks = ask(query, of="WEEK", **asked)["eventCounts"]
    assert [(week["at"][:19], week["fail"], week["abort"]) for week in weeks] == [("2023-11-13T00:00:00", 3, 1)], "a Monday"
    before_1970 = ask(query, a="1969-12-31T23:30:00Z", b="1970-01-01T00:30:00Z", of="WEEK")["eventCounts"]
    assert [week["at"][:10] for week in before_1970] == ["1969-12-29"]
    assert ask.get_error_code(query, a="0001-01-01T00:00:00Z", b="9999-01-01T00:00:00Z", of="HOUR") == "INVALID_INPUT"
    assert ask(query, a=format_time(9), b=format_time(1), of="HOUR")["eventCounts"] in ([], [{"at": hours[0]["at"], "fail": 2, "abort": 0}])


def test_an_event_time_decides_which_run_is_the_last_not_its_arrival() -> None:
    ask = open_graph(build_event("COMPLETE", 9, [ORDERS], [MART], run=2), build_event("COMPLETE", 1, [ORDERS], [MART]))
    assert list_states(ask) == [("2", "COMPLETE"), ("1", "COMPLETE")]
    (job,) = ask("{jobs{nodes{lastRun{runId}}}}")["jobs"]["nodes"]
    assert job["lastRun"]["runId"] == RUN.format(2)


def test_hostile_names_come_back_as_they_were() -> None:
    name = "<script>\u202e'\"\x01%00/../\U0001d54a" * 3
    event = build_event("COMPLETE", 1, [build_dataset(name)], [MART], job=name)
    event["run"]["runId"] = name
    ask = open_graph(event)
    (job,) = ask("{jobs{nodes{name runs{nodes{id runId jobName inputs{name}}}}}}")["jobs"]["nodes"]
    (run,) = job["runs"]["nodes"]
    assert (run["runId"], run["jobName"], run["inputs"]) == (name, name, [{"name": name}])
    assert ask("query($id: ID!) { run(id: $id) { runId } }", id=run["id"])["run"] == {"runId": name}
    assert json.dumps(ask(EVENTS)["events"]["nodes"][0]["body"]) == json.dumps(event)


def test_lineage_of_columns_does_not_change_with_runs_that_are_listed() -> None:
    """Lists of runs take no revision and no statement of their own."""
    facet = build_lineage_facet(id=[{"namespace": "db", "name": "orders", "field": "id"}])
    graph = ingest_each(build_event("COMPLETE", 1, [ORDERS], [build_dataset("mart", columnLineage=facet)]))
    before = graph.read_heads(), graph.store.read_revision()
    (stored,) = graph.store.list_runs_by_id(RUN.format(1))
    assert stored.run.begun == to_micros(1)
    graph.store.commit(lambda _: Batch(indexed_runs=[stored.run]))
    assert (graph.read_heads(), graph.store.read_revision()) == before


def test_lists_state_since_when_they_are_complete() -> None:
    graph = ingest_each(*(build_event("COMPLETE", minute, [], [build_dataset("mart")], run=minute) for minute in range(1, 6)))
    ask = AskGraph(LiveGraph.open(graph.store))
    listed = "{ jobs { nodes { runs { totalCount completeSince nodes { runId } } lastRun { state } } } }"
    (job,) = ask(listed)["jobs"]["nodes"]
    assert (job["runs"]["totalCount"], job["runs"]["completeSince"]) == (5, None)
    graph.store.prune_history(Retention(runs=to_micros(9)), find_run_age)
    (job,) = ask(listed)["jobs"]["nodes"]
    assert job["runs"]["nodes"] == [{"runId": RUN.format(5)}]
    assert job["runs"]["totalCount"] == 1
    assert job["runs"]["completeSince"].startswith(format_time(4)[:19])
    assert job["lastRun"] == {"state": "COMPLETE"}
    by_id = ask("query($id: String!) { runsById(runId: $id) { totalCount completeSince } }", id=RUN.format(2))["runsById"]
    assert by_id == {"totalCount": 0, "completeSince": job["runs"]["completeSince"]}
