"""The current state as OpenLineage events: valid by the specification's schemas, and read back with the same answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from meshline.app.exchange.mesh_state import MeshState
from meshline.app.exchange.openlineage_state import SCHEMAS, iterate_state_events
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Statement, build_dataset_key
from meshline.ingest.openlineage.events import EventParser
from meshline.ingest.openlineage.facets import FacetReader
from tests.exchange.round_trip import build_graph, collect_owners, collect_reached, list_assets, read_state, statements
from tests.index.strategies import draw_lists
from tests.ingest.lineage_events import CLOCK, ingest_groups
from tests.ingest.test_facet_schemas import CORPUS
from tests.sizes import count_examples

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def export(graph: LiveGraph, *, as_runs: bool = False) -> list[dict[str, Any]]:
    return [json.loads(line) for line in iterate_state_events(read_state(graph), NOW, as_runs=as_runs)]


@settings(max_examples=count_examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=draw_lists(statements), as_runs=st.booleans())
def test_a_mesh_that_is_exported_and_ingested_gives_the_same_answers(drawn: list[Statement], *, as_runs: bool) -> None:
    first = build_graph(drawn)
    events = export(first, as_runs=as_runs)
    second = LiveGraph.open(ingest_groups(events).store)
    keys = list_assets(first.index)
    assert set(keys) <= set(list_assets(second.index))
    assert collect_reached(second.index, keys) == collect_reached(first.index, keys)
    assert collect_owners(second.index, keys) == collect_owners(first.index, keys)


@pytest.mark.parametrize("as_runs", [False, True])
def test_the_example_gives_the_same_answers(example_graph: LiveGraph, *, as_runs: bool) -> None:
    events = export(example_graph, as_runs=as_runs)
    second = LiveGraph.open(ingest_groups(events).store)
    keys = list_assets(example_graph.index)
    assert list_assets(second.index) == keys
    assert collect_reached(second.index, keys) == collect_reached(example_graph.index, keys)
    assert {event.get("eventType") for event in events if "job" in event} == ({"COMPLETE"} if as_runs else {None})


@pytest.mark.parametrize("as_runs", [False, True])
def test_no_event_has_a_facet_that_its_schema_refuses(example_graph: LiveGraph, *, as_runs: bool) -> None:
    parser = EventParser(FacetReader())
    for event in export(example_graph, as_runs=as_runs):
        assert parser.parse(json.dumps(event).encode(), CLOCK).warnings == ()


@pytest.mark.skipif(CORPUS is None, reason="the schemas of the specification are not here (MESHLINE_CORPUS)")
@pytest.mark.parametrize("as_runs", [False, True])
def test_events_are_valid_by_the_schemas_of_the_specification(example_graph: LiveGraph, *, as_runs: bool) -> None:
    validate = build_validator(Path(CORPUS or "") / "openlineage-spec")
    events = export(example_graph, as_runs=as_runs)
    for event in events:
        validate(event["schemaURL"], event)
        for facets in list_facets(event):
            for name, facet in facets.items():
                validate(facet["_schemaURL"], facet)
                assert name in {written.rpartition(" ")[2] for written in SCHEMAS}
    assert len(events) > 50


def build_validator(folder: Path) -> Callable[[str, object], None]:
    """Validates a value by the address of its schema."""
    documents = [json.loads(path.read_text("utf-8")) for path in [folder / "OpenLineage.json", *(folder / "facets").glob("*.json")]]
    registry: Registry[Any] = Registry().with_resources((one["$id"], Resource.from_contents(one)) for one in documents)

    def validate(address: str, value: object) -> None:
        Draft202012Validator({"$ref": address}, registry=registry).validate(value)

    return validate


def list_facets(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    places = [event.get("dataset"), event.get("job"), event.get("run"), *event.get("inputs", ()), *event.get("outputs", ())]
    yield from (place.get("facets", {}) for place in places if place is not None)


def test_a_part_of_the_mesh(example_graph: LiveGraph) -> None:
    key = next(one for one in list_assets(example_graph.index) if one.name == "campaign_id")
    kept = {key.id, build_dataset_key(*key.parts[:2]).id}
    events = [json.loads(line) for line in iterate_state_events(MeshState(example_graph, example_graph.index, kept), NOW, as_runs=False)]
    assert [event["dataset"]["name"] for event in events] == [key.parts[1]]
    assert "lineage" not in events[0]["dataset"]["facets"]
