"""The limits of one event: a larger one is refused with a path, before any work; events of real producers are accepted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from meshline.errors import InvalidInput
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import from_micros
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.builder import BatchBuilder
from meshline.ingest.openlineage.event_limits import NO_LIMITS, EventLimits
from meshline.ingest.openlineage.events import EventParser, RunEvent
from meshline.ingest.openlineage.facets import FacetReader
from meshline.ingest.pipeline import Pipeline
from tests.ingest.lineage_events import CLOCK

Event = dict[str, Any]
TIME = "2026-01-01T00:00:00Z"
SMALL = EventLimits(datasets=10, pairs=12, facets=6, columns=10, flows=10, entries=300, name=4096, text=5_000, facet_bytes=10_000)


def build_dataset(name: str, **facets: object) -> Event:
    return {"namespace": "db", "name": name, "facets": facets}


def build_run(inputs: list[Event] | None = None, outputs: list[Event] | None = None, **more: object) -> Event:
    return {
        "eventTime": TIME,
        "eventType": "COMPLETE",
        "run": {"runId": "r"},
        "job": {"namespace": "n", "name": "j"},
        "inputs": inputs or [],
        "outputs": outputs or [],
        **more,
    }


def build_columns(number: int, name: str = "c") -> Event:
    return {"schema": {"fields": [{"name": f"{name}{n}", "type": "string"} for n in range(number)]}}


def build_lineage(fields: int, sources: int) -> Event:
    inputs = [{"namespace": "db", "name": "a", "field": f"s{n}"} for n in range(sources)]
    return {"columnLineage": {"fields": {f"c{n}": {"inputFields": inputs} for n in range(fields)}}}


def build_nested_schema(levels: int) -> Event:
    field: Event = {"name": "leaf"}
    for _ in range(levels - 1):
        field = {"name": "x", "fields": [field]}
    return {"schema": {"fields": [field], "padding": "x" * 5_000}}


def build_body(*datasets: Event) -> Event:
    return build_run(outputs=list(datasets))


def build_transformations(number: int) -> Event:
    each = [{"type": "DIRECT", "subtype": f"s{n}"} for n in range(number)]
    return {"columnLineage": {"fields": {"c": {"inputFields": [{"namespace": "db", "name": "a", "field": "s", "transformations": each}]}}}}


LONG = "x" * 4_097
OVER: dict[str, tuple[Event, str, str]] = {
    "datasets": (build_run([build_dataset(f"i{n}") for n in range(11)]), "$", "11 inputs and outputs"),
    "pairs": (build_run([build_dataset(f"i{n}") for n in range(4)], [build_dataset(f"o{n}") for n in range(4)]), "$", "16 pairs"),
    "facets": (build_body(build_dataset("a", **{f"f{n}": {} for n in range(7)})), "$.outputs[0].facets", "7 facets"),
    "facets of all": (
        build_run([build_dataset(f"i{n}", f=1, g=2) for n in range(4)], job={"namespace": "n", "name": "j", "facets": {}}),
        "$.inputs[3].facets",
        "8 facets",
    ),
    "columns": (build_body(build_dataset("a", **build_columns(11))), "$.outputs[0].facets.schema", "11 columns in the schemas"),
    "columns of all": (
        build_body(build_dataset("a", **build_columns(6)), build_dataset("b", **build_columns(6))),
        "$.outputs[1].facets.schema",
        "12 columns",
    ),
    "columns of lineage": (
        build_body(build_dataset("a", **build_lineage(3, 8))),
        "$.outputs[0].facets.columnLineage",
        "11 columns in the lineage",
    ),
    "flows": (build_body(build_dataset("a", **build_lineage(4, 3))), "$.outputs[0].facets.columnLineage", "12 input fields"),
    "transformations": (
        build_body(build_dataset("a", **build_transformations(11))),
        "$.outputs[0].facets.columnLineage",
        "11 input fields",
    ),
    "depth": (build_body(build_dataset("a", **build_nested_schema(251))), "$.outputs[0].facets.schema.fields", "251 levels"),
    "tags": (
        build_body(build_dataset("a", tags={"tags": [{"key": f"key number {n}"} for n in range(301)]})),
        "$.outputs[0].facets.tags.tags",
        "301 entries",
    ),
    "a column's name": (
        build_body(build_dataset("a", schema={"fields": [{"name": "b"}, {"name": LONG}]})),
        "$.outputs[0].facets.schema.fields[1].name",
        "4097 characters in a name",
    ),
    "a column's name after others": (
        build_body(build_dataset("a", schema={"fields": [*({"name": f"{n}" * 2_000} for n in range(4)), {"name": LONG}, {"name": "b"}]})),
        "$.outputs[0].facets.schema.fields[4].name",
        "4097 characters in a name",
    ),
    "a column's name with escapes": (
        build_body(build_dataset("a", schema={"fields": [{"name": '"' * 4_097}]})),
        "$.outputs[0].facets.schema.fields[0].name",
        "4097 characters in a name",
    ),
    "an owner's name": (
        build_body(build_dataset("a", ownership={"owners": [{"name": LONG}]})),
        "$.outputs[0].facets.ownership.owners[0].name",
        "4097 characters in a name",
    ),
    "a name in lineage": (
        build_body(build_dataset("a", columnLineage={"fields": {"x": {"inputFields": [{"namespace": LONG, "name": "b", "field": "c"}]}}})),
        "$.outputs[0].facets.columnLineage.fields.x.inputFields[0].namespace",
        "4097 characters in a name",
    ),
    "a key in lineage": (
        build_body(build_dataset("a", columnLineage={"fields": {LONG: {"inputFields": []}}})),
        "$.outputs[0].facets.columnLineage.fields",
        "4097 characters in a name",
    ),
    "a job's name": (build_run(job={"namespace": "n", "name": LONG}), "$.job.name", "4097 characters in a name"),
    "a dataset's name": (build_run([build_dataset(LONG)]), "$.inputs[0].name", "4097 characters in a name"),
    "a dataset's namespace": (build_run([{"namespace": LONG, "name": "a"}]), "$.inputs[0].namespace", "4097 characters in a name"),
    "a dataset event's name": ({"eventTime": TIME, "dataset": build_dataset(LONG)}, "$.dataset.name", "4097 characters in a name"),
    "a run's id": (build_run(run={"runId": LONG}), "$.run.runId", "4097 characters in a name"),
    "a facet's name": (build_body(build_dataset("a", **{LONG: {}})), "$.outputs[0].facets", "4097 characters in a name"),
    "a description": (
        build_body(build_dataset("a", documentation={"description": "x" * 5_001})),
        "$.outputs[0].facets.documentation.description",
        "5001 characters in a text",
    ),
    "bytes": (build_body(build_dataset("a", other={"x": "x" * 10_000})), "$.outputs[0].facets.other", "bytes in a facet"),
    "digits": (build_body(build_dataset("a", other={"x": 10**400})), "$", "a number of more than 400 digits"),
}


@pytest.mark.parametrize("name", OVER)
def test_more_is_refused_with_its_path(name: str) -> None:
    event, where, what = OVER[name]
    with pytest.raises(InvalidInput) as refused:
        EventParser(FacetReader(SMALL)).parse(json.dumps(event).encode(), CLOCK)
    assert refused.value.where == where
    assert what in str(refused.value)
    assert "at most" in str(refused.value)
    if name not in {"depth", "digits"}:  # of which there are no limits to raise
        EventParser(FacetReader(NO_LIMITS)).parse(json.dumps(event).encode(), CLOCK)


@pytest.mark.parametrize(
    "event",
    [
        build_run([build_dataset(f"i{n}") for n in range(3)], [build_dataset(f"o{n}") for n in range(4)]),
        build_body(build_dataset("a", **build_columns(10))),
        build_body(build_dataset("a", **build_lineage(2, 5))),
        build_body(build_dataset("a", other={"x": "9" * 1_000, "y": [10**399, 1.5, -(10**399)]})),
        build_run(run={"runId": "r", "facets": {"spark.logicalPlan": {"plan": "x" * 100_000}}}),
        build_body(build_dataset("x" * 4_096, documentation={"description": "x" * 5_000})),
    ],
)
def test_an_event_just_within_the_limits_is_accepted(event: Event) -> None:
    assert isinstance(EventParser(FacetReader(SMALL)).parse(json.dumps(event).encode(), CLOCK), RunEvent)


WIDE = 20_000
REAL: dict[str, Callable[[], Event]] = {
    "a wide table of Spark": lambda: build_run(
        [build_dataset("a", **build_columns(WIDE))],
        [
            build_dataset(
                "b",
                **build_columns(WIDE),
                columnLineage={"fields": {f"c{n}": {"inputFields": [build_source_field(n)]} for n in range(WIDE)}},
            )
        ],
    ),
    "many partitions read": lambda: build_run([build_dataset(f"i{n}") for n in range(5_000)], [build_dataset(f"o{n}") for n in range(20)]),
}


def build_source_field(number: int) -> Event:
    return {"namespace": "db", "name": "a", "field": f"c{number}", "transformations": [{"type": "DIRECT", "subtype": "IDENTITY"}]}


@pytest.mark.parametrize("name", REAL)
def test_events_of_real_producers_are_within_the_limits(name: str) -> None:
    assert isinstance(EventParser(FacetReader()).parse(json.dumps(REAL[name]()).encode(), CLOCK), RunEvent)


def test_events_of_one_run_are_within_the_limits_together() -> None:
    """Each alone would be, and no event costs more because others came before it. Others of the same group are accepted."""
    store = SqliteStore()
    live = LiveGraph.open(store)
    pipeline = Pipeline(live, BatchBuilder(Naming(), SMALL), clock=lambda: CLOCK)
    try:
        events = [build_run([build_dataset(f"i{n}")], [build_dataset(f"o{n}")]) for n in range(6)]
        other = build_run([build_dataset("i")], [build_dataset("o")], run={"runId": "other"})
        answers = [pipeline.submit(json.dumps(event).encode()) for event in [*events, other]]
        failures = [answer.exception(30) for answer in answers]
    finally:
        pipeline.close()
    assert [failure is None for failure in failures] == [True, True, True, False, False, False, True]
    assert "run 'r', all its events together: 4 inputs and 4 outputs make 16 pairs" in str(failures[3])
    assert isinstance(failures[3], InvalidInput)
    assert len(store.read_raw_events()) == 4


def test_names_that_only_lineage_gives_are_resolved_without_comparing_all() -> None:
    """Each of 4,000 names with each of 4,000 datasets would take minutes."""
    fields = {f"c{n}": {"inputFields": [{"namespace": "q", "name": f"cte{n}", "field": "x"}]} for n in range(4_000)}
    event = build_run([build_dataset(f"i{n}") for n in range(4_000)], [build_dataset("o", columnLineage={"fields": fields})])
    began = time.process_time()
    ingest_event(event)
    assert time.process_time() - began < 20


def test_entries_of_a_job_are_not_compared_with_each_other() -> None:
    entries = [
        {"type": "DATASET", "namespace": "db", "name": f"o{n}", "inputs": [{"type": "DATASET", "namespace": "db", "name": f"i{n}"}]}
        for n in range(4_000)
    ]
    began = time.process_time()
    ingest_event(build_run(job={"namespace": "n", "name": "j", "facets": {"lineage": {"entries": entries}}}))
    assert time.process_time() - began < 20


def ingest_event(event: Event) -> None:
    pipeline = Pipeline(SqliteStore(), BatchBuilder(Naming()), clock=lambda: CLOCK)
    try:
        pipeline.submit(json.dumps(event).encode()).result(60)
    finally:
        pipeline.close()


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_no_clock_shows_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"\$\.eventTime: .* check the producer's clock"):
        EventParser(FacetReader()).parse(json.dumps({**build_run(), "eventTime": text}).encode(), CLOCK)


def test_every_time_of_a_store_can_be_shown() -> None:
    """An older version accepted some that no calendar has."""
    assert [from_micros(micros).year for micros in (-(2**62), 0, 2**62)] == [1, 1970, 9999]
