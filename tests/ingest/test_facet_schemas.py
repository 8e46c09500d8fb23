"""A facet that its own schema refuses is named in a warning; what can be read of it is read all the same."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from meshline.ingest.openlineage import facet_types
from meshline.ingest.openlineage.column_lineage import from_column_lineage
from meshline.ingest.openlineage.events import EventParser, parse_event_time
from meshline.ingest.openlineage.facet_contents import list_fields
from meshline.ingest.openlineage.facet_schemas import SCHEMAS, SchemaCheck
from meshline.ingest.openlineage.facets import RULES, FacetReader, Place

CORPUS = os.environ.get("MESHLINE_CORPUS")
VALUES: tuple[Any, ...] = (None, 1, 1.5, -1, "x", True, [], {}, ["x"], {"x": "y"}, [None], "DATASET", "JOB", "ALTER", "location")

Found = tuple[dict[str, Any], Draft202012Validator]


def read_specification() -> dict[tuple[str, str], Found]:
    """The schema of each facet's content and its validator, by place and name, without the properties common to all facets."""
    folder = Path(CORPUS or "") / "openlineage-spec" / "facets"
    found: dict[tuple[str, str], Found] = {}
    for rule in RULES:
        document = json.loads((folder / f"{rule.schema}.json").read_text())
        name = {("dataset", "lineage"): "LineageDatasetFacet", ("job", "lineage"): "LineageJobFacet"}.get(
            (rule.place, rule.name), rule.schema
        )
        remove_base(document)
        registry: Registry[Any] = Registry().with_resource(document["$id"], Resource.from_contents(document))
        schema = {"$ref": f"{document['$id']}#/$defs/{name}"}
        found[rule.place, rule.name] = document["$defs"], Draft202012Validator(schema, registry=registry)
    return found


def remove_base(node: Any) -> None:
    """Leave out what the base of all facets demands: `_producer` and `_schemaURL`."""
    if isinstance(node, dict):
        if str(node.get("$ref", "")).startswith("https://openlineage.io/spec/"):
            node.clear()
            node["type"] = "object"
        for child in node.values():
            remove_base(child)
    elif isinstance(node, list):
        for child in node:
            remove_base(child)


def build_example(schema: Any, defs: dict[str, Any], depth: int = 0) -> Any:
    """A value that a schema accepts, with all that it lists."""
    if "$ref" in schema:
        return build_example(defs[schema["$ref"].rpartition("/")[2]], defs, depth + 1)
    if "allOf" in schema:
        return {key: value for part in schema["allOf"] for key, value in build_example(part, defs, depth).items()}
    for choice in ("oneOf", "anyOf"):
        if choice in schema and "properties" not in schema:
            return build_example(schema[choice][0], defs, depth)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        more = schema.get("additionalProperties")
        made = {key: build_example(part, defs, depth + 1) for key, part in schema.get("properties", {}).items()}
        return made or ({"k": build_example(more, defs, depth + 1)} if isinstance(more, dict) else {})
    if schema.get("type") == "array":
        return [build_example(schema["items"], defs, depth + 1)] if depth < 12 else []
    return {"string": "x", "integer": 1, "number": 1, "boolean": True}[schema["type"]]


def build_variants(value: Any) -> Iterator[Any]:
    """The value with each of its parts replaced, left out, or given one key more."""
    yield value
    yield from replace_each_part(value, value, ())


def replace_each_part(root: Any, node: Any, path: tuple[Any, ...]) -> Iterator[Any]:
    for other in VALUES:
        yield replace_part(root, path, other)
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield replace_part(root, (*path, key), None, leave_out=True)
        yield from replace_each_part(root, node[key], (*path, key))
    if isinstance(node, dict):
        yield replace_part(root, (*path, "one more"), "x")


def replace_part(root: Any, path: tuple[Any, ...], value: Any, *, leave_out: bool = False) -> Any:
    if not path:
        return value
    made = copy.deepcopy(root)
    at = made
    for key in path[:-1]:
        at = at[key]
    if leave_out:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return made


def test_every_facet_of_the_table_has_a_schema() -> None:
    assert SCHEMAS.keys() == {(str(rule.place), rule.name) for rule in RULES}


@pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set: the specification's facets cannot be compared")
@pytest.mark.parametrize(("place", "name"), sorted(SCHEMAS))
def test_a_schema_refuses_what_the_specification_s_refuses(place: str, name: str) -> None:
    defs, validator = read_specification()[place, name]
    begun = build_example(defs[validator.schema["$ref"].rpartition("/")[2]], defs)
    assert validator.is_valid(begun)
    check, accepted, refused = SchemaCheck(), 0, 0
    for value in build_variants(begun):
        valid = validator.is_valid(value)
        _, problem = check.decode(place, name, json.dumps(value).encode())
        assert (problem == "") == valid, (value, problem, [error.message for error in validator.iter_errors(value)])
        accepted, refused = accepted + valid, refused + (not valid)
    assert accepted > 1
    assert refused > 1


LENIENT: dict[str, type[facet_types.AnyFacet]] = {"columnLineage": facet_types.ColumnLineage, "schema": facet_types.Schema}


@pytest.mark.parametrize("name", sorted(LENIENT))
def test_a_facet_that_its_schema_accepts_is_interpreted_as_if_it_were_read_leniently(name: str) -> None:
    transformations = [{"type": "DIRECT", "subtype": "", "masking": True}, {"type": "INDIRECT", "subtype": "FILTER", "description": "d"}]
    source = {"namespace": "n", "name": "a", "field": "x", "transformations": transformations}
    inputs = {"inputFields": [source], "transformationType": "MASKED", "transformationDescription": "d"}
    nested = {"name": "b", "type": "t", "description": "d", "ordinal_position": 2, "fields": [{"name": "c"}]}
    begun = {"fields": {"x": inputs}, "dataset": [source]} if name == "columnLineage" else {"fields": [nested, {"name": "a"}]}
    accepted = 0
    for value in build_variants({**begun, "_deleted": False}):
        raw = json.dumps(value).encode()
        at_once, refused = SchemaCheck().decode("dataset", name, raw)
        if refused:
            continue
        lenient = msgspec.json.decode(raw, type=LENIENT[name])
        accepted += 1
        if isinstance(lenient, facet_types.Schema):
            assert isinstance(at_once, facet_types.Schema)
            assert list_fields(at_once) == list_fields(lenient)
        else:
            assert isinstance(at_once, facet_types.ColumnLineage)
            assert isinstance(lenient, facet_types.ColumnLineage)
            assert from_column_lineage(at_once, frozenset()) == from_column_lineage(lenient, frozenset())
    assert accepted > 1


def test_transformations_that_differ_only_in_their_description_are_read_as_equal() -> None:
    sources = [{"namespace": "n", "name": "a", "field": "x", "transformations": [{"type": "DIRECT", "description": text}]} for text in "pq"]
    raw = msgspec.json.encode({"fields": {"x": {"inputFields": sources}}})
    value = FacetReader().read_raw(Place.DATASET, "columnLineage", b"digest", raw).value
    assert isinstance(value, facet_types.ColumnLineage)
    (field,) = (value.fields or {}).values()
    assert field is not None
    assert len({source.transformations for source in field.input_fields or ()}) == 1


def test_a_long_text_that_is_not_interpreted_is_no_reason_to_refuse_an_event() -> None:
    long = "x" * 100_000
    source = {"namespace": "n", "name": "a", "field": "x", "transformations": [{"type": "DIRECT", "description": long}]}
    fields = {"x": {"inputFields": [source], "transformationDescription": long}}
    assert list_warnings("dataset", {"columnLineage": {"fields": fields}}) == []


def list_warnings(place: str, facets: dict[str, Any]) -> list[tuple[str, str]]:
    event: dict[str, Any] = {"eventTime": "2026-01-01T00:00:00Z", "eventType": "COMPLETE", "outputs": [{"namespace": "n", "name": "t"}]}
    event |= {"run": {"runId": "0190a000-0000-7000-8000-000000000000"}, "job": {"namespace": "n", "name": "j"}}
    (event["outputs"][0] if place == "dataset" else event[place])["facets"] = facets
    parsed = EventParser(FacetReader()).parse(json.dumps(event).encode(), parse_event_time("2026-01-02T00:00:00Z", 2**60))
    return [(note.where, note.what) for note in parsed.warnings]


def test_a_facet_that_its_schema_refuses_is_named_in_a_warning() -> None:
    catalog = {"framework": "iceberg", "name": "lake", "type": "rest", "catalogProperties": {"retries": 7}}
    ((where, text),) = list_warnings("dataset", {"catalog": catalog})
    assert where == "$.outputs[0].facets.catalog"
    assert "Expected `str`, got `int` - at `$.catalogProperties[...]`; refused by the schema of the facet" in text
    ((where, text),) = list_warnings("run", {"errorMessage": {"message": "no language"}})
    assert where == "$.run.facets.errorMessage"
    assert "missing required field `programmingLanguage`; refused by the schema of the facet" in text


def test_what_a_schema_accepts_and_what_has_none_is_no_warning() -> None:
    assert list_warnings("dataset", {"catalog": {"framework": "iceberg", "name": "lake", "type": "rest", "more": 1}}) == []
    assert list_warnings("run", {"of_my_own": {"any": ["text", 1]}}) == []
    assert list_warnings("dataset", {"catalog": {"_deleted": True}}) == [], "a deleted facet needs nothing else"
