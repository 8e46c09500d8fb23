"""Small random OpenLineage histories: few names, so that runs, names and edges collide all the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

Event = dict[str, Any]

DATASETS = [("s3://lake", "raw/orders"), ("s3://lake", "clean/orders"), ("http://catalog", "clean.orders"), ("pg://db", "public.people")]
SPELLINGS = {("s3://lake", "raw/orders"): [("s3a://lake/", "/raw//orders/"), ("s3://lake", "raw/orders")]}
COLUMNS = ["id", "ID", "email", "amount"]
JOBS = [("spark", "a"), ("spark", "b"), ("dbt", "c"), ("trino", "d"), ("trino", "e")]
QUERIES = ["CREATE OR REPLACE TABLE t AS SELECT 1", "INSERT INTO t SELECT 1", "create table t as select 1"]
START = datetime(2026, 3, 1, tzinfo=UTC)


@st.composite
def _draw_node(draw: st.DrawFn, name: tuple[str, str], *, output: bool, others: list[tuple[str, str]]) -> Event:
    namespace, title = draw(st.sampled_from(SPELLINGS.get(name, [name])))
    facets: dict[str, Any] = {}
    if draw(st.integers(0, 2)) == 0:
        listed = draw(st.lists(st.sampled_from(COLUMNS), unique=True, min_size=1))
        facets["schema"] = {"fields": [{"name": c, "type": "string"} for c in listed]}
    if draw(st.integers(0, 5)) == 0:
        link = draw(st.sampled_from(DATASETS))
        facets["symlinks"] = {"identifiers": [{"namespace": link[0], "name": link[1], "type": "TABLE"}]}
    if output and draw(st.booleans()):
        facets["columnLineage"] = draw(_draw_lineage(others))
    return {"namespace": namespace, "name": title, "facets": facets}


@st.composite
def _draw_source(draw: st.DrawFn, others: list[tuple[str, str]]) -> Event:
    source = draw(st.sampled_from([*others, *others, ("s3://lake", "orders"), ("pg://db", "cte")]))
    transformations = draw(
        st.lists(
            st.fixed_dictionaries(
                {"type": st.sampled_from(["DIRECT", "INDIRECT"])},
                optional={
                    "subtype": st.sampled_from(["IDENTITY", "JOIN", "FILTER", "GROUP_BY", "CONDITIONAL", "WINDOW"]),
                    "masking": st.booleans(),
                },
            ),
            max_size=2,
        )
    )
    field = draw(st.sampled_from([*COLUMNS, *COLUMNS, "_file", "$row_id"]))
    return {"namespace": source[0], "name": source[1], "field": field, "transformations": transformations}


@st.composite
def _draw_lineage(draw: st.DrawFn, others: list[tuple[str, str]]) -> Event:
    fields = draw(st.dictionaries(st.sampled_from(COLUMNS), st.lists(_draw_source(others), max_size=2), max_size=3))
    facet: Event = {"fields": {name: {"inputFields": sources} for name, sources in fields.items()}}
    if draw(st.booleans()):
        facet["dataset"] = draw(st.lists(_draw_source(others), max_size=2))
    return facet


@st.composite
def draw_history(draw: st.DrawFn) -> list[Event]:
    """Events of a handful of runs, job events and dataset events, each with a time of its own."""
    result: list[Event] = []
    for position in range(draw(st.integers(1, 8))):
        at = (START + timedelta(seconds=position * 10)).isoformat()
        inputs = draw(st.lists(st.sampled_from(DATASETS), unique=True, max_size=2))
        outputs = draw(st.lists(st.sampled_from(DATASETS), unique=True, max_size=2))
        event: Event = {
            "eventTime": at,
            "producer": "https://example.com/tests",
            "inputs": [draw(_draw_node(n, output=False, others=inputs)) for n in inputs],
            "outputs": [draw(_draw_node(n, output=True, others=inputs or outputs)) for n in outputs],
        }
        shape = draw(st.sampled_from(["run"] * 6 + ["job", "dataset"]))
        namespace, name = draw(st.sampled_from(JOBS))
        if shape == "dataset":
            event = {k: event[k] for k in ("eventTime", "producer")}
            event["dataset"] = draw(_draw_node(draw(st.sampled_from(DATASETS)), output=True, others=DATASETS[:2]))
        else:
            event["job"] = {"namespace": namespace, "name": name, "facets": {}}
        if shape == "run":
            run = draw(st.integers(0, 2))
            facets: dict[str, Any] = {}
            if name == "b":  # whether a run has a parent never changes within the run
                if run:
                    facets["airflow_mappedTask"] = {"mapIndex": run}
                facets["parent"] = {"run": {"runId": "00000000-0000-4000-8000-00000000aaaa"}, "job": {"namespace": "spark", "name": "app"}}
            event["run"] = {"runId": f"00000000-0000-4000-8000-00000000000{run}", "facets": facets}
            event["eventType"] = draw(st.sampled_from(["START", "RUNNING", "COMPLETE", "COMPLETE", "FAIL", "ABORT"]))
            if name == "a":  # what a job is never changes either
                event["job"]["facets"]["jobType"] = {"processingType": "BATCH", "integration": "SPARK"}
            if name == "c":
                event["job"]["facets"]["jobType"] = {"processingType": "STREAMING", "integration": "FLINK"}
            if name in {"d", "e"}:
                event["job"]["facets"]["jobType"] = {"processingType": "BATCH", "integration": "TRINO"}
                event["job"]["facets"]["sql"] = {"query": QUERIES[run]}
        result.append(event)
    return result
