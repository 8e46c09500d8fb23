"""Bytes -> event: what is accepted, what is noted, what is refused and how the refusal reads."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.errors import InvalidInput
from meshline.graph.naming import Naming
from meshline.ingest.openlineage.builder import BatchBuilder
from meshline.ingest.openlineage.event_files import read_events
from meshline.ingest.openlineage.events import MAX_BYTES, DatasetEvent, Event, EventParser, EventType, JobEvent, RunEvent
from meshline.ingest.openlineage.facets import FacetReader
from tests.ingest.lineage_events import CLOCK, ingest_groups
from tests.sizes import count_examples

CORPUS = os.environ.get("MESHLINE_CORPUS")
GOOD: dict[str, Any] = {
    "eventType": "COMPLETE",
    "eventTime": "2026-01-01T00:00:00Z",
    "run": {"runId": "r"},
    "job": {"namespace": "n", "name": "j"},
    "inputs": [{"namespace": "db", "name": "a", "facets": {"schema": {"fields": [{"name": "id"}]}}}],
    "outputs": [{"namespace": "db", "name": "b", "outputFacets": {"outputStatistics": {"rowCount": 1}}}],
}


def parse_event(event: object, now: int = CLOCK) -> Event:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return EventParser(FacetReader()).parse(body, now)


def catch_refusal(event: object) -> str:
    with pytest.raises(InvalidInput) as refused:
        parse_event(event)
    return str(refused.value)


def test_kinds_are_distinguished_by_content() -> None:
    assert isinstance(parse_event(GOOD), RunEvent)
    job = {"eventTime": GOOD["eventTime"], "eventType": "COMPLETE", "job": GOOD["job"]}
    assert isinstance(parse_event(job), JobEvent)
    assert isinstance(parse_event({**job, "run": None}), JobEvent)
    assert isinstance(parse_event({"eventTime": GOOD["eventTime"], "dataset": {"namespace": "n", "name": "d"}}), DatasetEvent)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T00:00:01z", 1_000_000),
        ("1970-01-01T00:00:01", 1_000_000),
        ("1970-01-01 00:00:01+00:00", 1_000_000),
        ("1970-01-01T02:00:01+02:00", 1_000_000),
        ("1970-01-01T02:00:01+0200", 1_000_000),
        ("1970-01-01T00:00:01.5Z", 1_500_000),
        ("1970-01-01T00:00:01.123456789Z", 1_123_456),
        (" 1970-01-01T00:00:01Z ", 1_000_000),
    ],
)
def test_times(text: str, micros: int) -> None:
    assert parse_event({**GOOD, "eventTime": text}).time == micros


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z"])
def test_no_times(text: str) -> None:
    message = catch_refusal({**GOOD, "eventTime": text})
    assert message.startswith("$.eventTime: ")
    assert "ISO 8601" in message


def test_an_event_of_tomorrow_is_accepted_and_one_of_the_day_after_is_not() -> None:
    midnight = parse_event(GOOD).time
    day = 86_400_000_000
    assert parse_event(GOOD, midnight - day).time == midnight
    with pytest.raises(InvalidInput, match=r"\$\.eventTime: .* more than a day ahead"):
        parse_event(GOOD, midnight - day - 1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"eventTime": None}, "$.eventTime: null was found; an ISO 8601 time is accepted"),
        ({"eventTime": 3}, "$.eventTime: a number was found; an ISO 8601 time is accepted"),
        ({"eventType": 3}, "$.eventType: a number was found; a string, one of START"),
        ({"run": {}}, "$.run.runId: missing; a string is needed"),
        ({"run": {"runId": ""}}, "$.run.runId: an empty string; a name is needed"),
        ({"run": []}, "$.run: an array was found; an object with runId is accepted"),
        ({"job": {"name": "j"}}, "$.job.namespace: missing"),
        ({"job": {"namespace": "n", "name": None}}, "$.job.name: null was found"),
        ({"job": {"namespace": "n", "name": ""}}, "$.job.name: an empty string"),
        ({"job": None}, "$: neither a job nor a dataset"),
        ({"job": "j"}, "$.job: a string was found"),
        ({"inputs": {}}, "$.inputs: an object was found; an array of datasets is accepted"),
        ({"inputs": [{"namespace": "a", "name": "b"}, {"namespace": "a"}]}, "$.inputs[1].name: missing"),
        ({"outputs": ["x"]}, "$.outputs[0]: a string was found; a dataset"),
        ({"outputs": [{"namespace": True, "name": "b"}]}, "$.outputs[0].namespace: a boolean was found"),
        ({"job": None, "dataset": {"namespace": "a", "name": ""}}, "$.dataset.name: an empty string"),
    ],
)
def test_unusable_events_are_refused_with_the_place(change: dict[str, Any], expected: str) -> None:
    assert catch_refusal({**GOOD, **change}).startswith(expected)


def test_what_is_missing_is_named() -> None:
    assert catch_refusal({key: value for key, value in GOOD.items() if key != "eventTime"}).startswith(
        "$.eventTime: missing; an ISO 8601 time"
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"{", b"[]", b"3", b'"x"', b"null", b'{"eventTime":"\xff"}', b"[" * 100_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000],
)
def test_a_value_that_is_no_event_is_refused(body: bytes) -> None:
    assert catch_refusal(body).startswith("$")


def test_a_huge_event_is_refused() -> None:
    assert f"at most {MAX_BYTES} are accepted" in catch_refusal(b" " * (MAX_BYTES + 1))


def test_null_and_absent_are_the_same() -> None:
    event = {
        **GOOD,
        "inputs": None,
        "outputs": None,
        "producer": None,
        "schemaURL": None,
        "run": {"runId": "r", "facets": None},
        "eventType": None,
    }
    event["job"] = {**GOOD["job"], "facets": {"sql": None}}
    parsed = parse_event(event)
    assert isinstance(parsed, RunEvent)
    assert (parsed.type, parsed.inputs, parsed.job_facets, parsed.warnings) == (EventType.OTHER, (), {}, ())


def test_the_last_of_two_equal_keys_counts() -> None:
    body = json.dumps(GOOD).encode().replace(b'"eventType": "COMPLETE"', b'"eventType": "START", "eventType": "FAIL"')
    parsed = parse_event(body)
    assert isinstance(parsed, RunEvent)
    assert parsed.type is EventType.FAIL


def test_event_types_are_read_leniently() -> None:
    lower, unknown = parse_event({**GOOD, "eventType": "complete"}), parse_event({**GOOD, "eventType": "PAUSED"})
    assert isinstance(lower, RunEvent)
    assert isinstance(unknown, RunEvent)
    assert (lower.type, unknown.type) == (EventType.COMPLETE, EventType.OTHER)
    assert [note.where for note in unknown.warnings] == ["$.eventType"]


def test_a_byte_order_mark_is_no_reason() -> None:
    assert parse_event(b"\xef\xbb\xbf" + json.dumps(GOOD).encode()).time


def test_a_bad_facet_is_noted_and_kept() -> None:
    event = copy.deepcopy(GOOD)
    event["inputs"][0]["facets"] = {"schema": {"fields": "none"}, "ownership": {"owners": [{"name": 3}]}, "own": 3}
    event["run"]["facets"] = {"parent": {"run": {}}}
    parsed = parse_event(event)
    assert isinstance(parsed, RunEvent)
    assert [note.where for note in parsed.warnings] == [
        "$.inputs[0].facets.schema",
        "$.inputs[0].facets.ownership",
        "$.inputs[0].facets.own",
        "$.run.facets.parent",
    ]
    assert json.loads(parsed.inputs[0].facets["schema"].raw) == {"fields": "none"}
    assert "Expected `array" in parsed.warnings[0].what


def test_facets_that_are_no_object_are_noted() -> None:
    parsed = parse_event({**GOOD, "outputs": [{"namespace": "db", "name": "b", "facets": [], "outputFacets": 3}]})
    assert [note.where for note in parsed.warnings] == ["$.outputs[0].facets", "$.outputs[0].outputFacets"]


def test_numbers_that_are_not_json_are_read_as_null() -> None:
    body = json.dumps(GOOD).replace('"rowCount": 1', '"rowCount": NaN, "x": -Infinity').encode()
    parsed = parse_event(body)
    assert isinstance(parsed, RunEvent)
    assert {"NaN is not JSON; read as null", "-Infinity is not JSON; read as null"} < {note.what for note in parsed.warnings}
    assert any(note.what.startswith("Expected `int`, got `null` - at `$.rowCount`; refused by the schema") for note in parsed.warnings)
    assert json.loads(parsed.outputs[0].role_facets["outputStatistics"].raw) == {"rowCount": None, "x": None}


def test_a_dataset_without_a_name_is_left_out() -> None:
    parsed = parse_event({**GOOD, "inputs": [{"namespace": "db", "name": ""}, {"namespace": "db", "name": "a"}]})
    assert isinstance(parsed, RunEvent)
    assert [dataset.name for dataset in parsed.inputs] == ["a"]
    assert parsed.warnings[0].where == "$.inputs[0]"


# -- real events


def list_corpus() -> list[tuple[str, bytes]]:
    if not CORPUS:
        return []
    folder = Path(CORPUS)
    paths = [
        *(str(path) for path in sorted((folder / "recorded").glob("*.ndjson"))),
        str(folder / "openlineage-edge-cases"),
        str(folder / "openlineage-compatibility"),
    ]
    found = [found for found in read_events(paths) if not isinstance(found, InvalidInput) and "config.json" not in found[0]]
    return [(place, body) for place, body in found if b'"eventTime"' in body]


needs_corpus = pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set")


@needs_corpus
def test_all_real_events_are_accepted() -> None:
    events = list_corpus()
    assert len(events) > 190
    known = ingest_groups()
    refused = [(place.rpartition("/")[2], note) for place, body in events for note in parse_event(body).warnings]
    assert [(place, note.where) for place, note in refused] == [("event_full.json:1", "$.inputs[0].inputFacets.dataQualityMetrics")]
    assert "missing required field `columnMetrics`" in refused[0][1].what, "the only facet that its own schema refuses"
    known.ingest([json.loads(body) for _, body in events])
    assert known.find_heads("job-output")
    assert not [scope for scope in known.read_heads() if "unreadable" in "".join(scope)]


VALUES: list[Any] = [None, 3, -1.5, "", "x", True, [], {}, [None], [[]], {"a": {}}, 10**40, "\x00", "é日"]


def list_places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in children for place in list_places(child, (*path, key)))]


def replace_place(event: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return None if value is ... else value
    result = copy.deepcopy(event)
    inner = result
    for key in place[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return result


@needs_corpus
@settings(max_examples=count_examples(400), deadline=None)
@given(st.data())
def test_a_mutated_real_event_is_accepted_or_refused(data: st.DataObject) -> None:
    _, body = data.draw(st.sampled_from(SMALL or [("", b"{}")]))
    event = json.loads(body)
    event = replace_place(event, data.draw(st.sampled_from(list_places(event))), data.draw(st.sampled_from([*VALUES, ...])))
    try:
        parse_event(event)
    except InvalidInput:
        return
    ingest_groups([event])


@needs_corpus
@settings(max_examples=count_examples(300), deadline=None)
@given(st.data())
def test_broken_bytes_are_accepted_or_refused(data: st.DataObject) -> None:
    _, body = data.draw(st.sampled_from(SMALL or [("", b"{}")]))
    start = data.draw(st.integers(0, len(body)))
    broken = body[:start] + data.draw(st.binary(max_size=3)) + body[start + data.draw(st.integers(0, 3)) :]
    try:
        event = parse_event(broken)
    except InvalidInput:
        return
    builder = BatchBuilder(Naming())
    assert builder.parser.parse(broken, CLOCK) == event


SMALL = [(place, body) for place, body in list_corpus() if len(body) < 12_000]
