"""Schemas of Iceberg, Delta, Avro and JSON Schema, in two versions or beside the graph."""

from __future__ import annotations

import copy
import enum
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pydantic
import pytest
from deltalake.schema import ArrayType, PrimitiveType
from deltalake.schema import Field as DeltaField
from deltalake.schema import Schema as DeltaSchema
from deltalake.schema import StructType as DeltaStruct
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.schema import Schema
from pyiceberg.types import ListType, LongType, MapType, NestedField, StringType, StructType
from pyiceberg.utils.schema_conversion import AvroSchemaConversion

from meshline.errors import InvalidInput, NotFound
from meshline.ingest.changes import ChangeInput, GraphState, Text, build_proposal
from meshline.ingest.schemas.base import find_json_lines
from tests.ingest.changes.conftest import EXAMPLE, Ask
from tests.ingest.changes.proposals import (
    CUSTOMER_ORDERS,
    CUSTOMERS,
    LAKE,
    SHARED,
    get_dataset,
    get_pair,
    get_versions,
    list_fields,
    list_names,
    list_removed_columns,
    list_renamed_columns,
)

METADATA = Path("iceberg/orders.customer_orders.json")
LOG = Path("delta/customer_orders/_delta_log")
NESTED = Schema(
    NestedField(1, "id", LongType(), required=True),
    NestedField(
        2,
        "address",
        StructType(NestedField(3, "city", StringType(), required=False), NestedField(4, "area", StringType(), required=False)),
        required=False,
    ),
    NestedField(5, "tags", ListType(6, StringType(), element_required=True), required=False),
    NestedField(7, "prices", MapType(8, StringType(), 9, LongType(), value_required=False), required=False),
)


def read_metadata() -> Any:
    return json.loads((EXAMPLE / METADATA).read_bytes())


def list_columns(answer: Any) -> Any:
    document = answer["metadata"]
    return next(one for one in document["schemas"] if one["schema-id"] == document["current-schema-id"])["fields"]


# -- Iceberg


def test_metadata_is_that_of_the_table_at_its_place(ask: Ask) -> None:
    changed = read_metadata()
    listed = list_columns(changed)
    listed[0]["name"] = "order_number"
    del listed[5]
    listed[3]["type"] = "decimal(20, 2)"
    listed.append({"id": 10, "name": "note", "type": "string", "required": False})
    found = ask("schema", json.dumps(changed, indent=1), before=METADATA)
    before, after = get_versions(found)
    assert get_dataset(before) == get_dataset(after) == CUSTOMER_ORDERS
    assert list_renamed_columns(found) == {"order_id": "order_number"}
    assert list_removed_columns(found) == {"status"}
    assert list_fields(after)["total_amount"].type == "decimal(20, 2)"
    assert list_names(after)[-1] == "note"
    assert after.value.partitioning == ("days(created_at)",)
    assert after.value.kind == "table"
    lines = json.dumps(changed, indent=1).splitlines()
    note = after.find_line(("field", "note"))
    assert "note" in "".join(lines[note - 1 : note + 3])


@pytest.mark.parametrize("version", [1, 2, 3])
def test_versions_of_the_format(ask: Ask, version: int) -> None:
    document = read_metadata()["metadata"]
    document["format-version"] = version
    if version == 1:
        document["schema"] = document.pop("schemas")[-1]
    _, after = get_versions(ask("schema", json.dumps(document), before=METADATA))
    assert list_names(after) == list_names(get_versions(ask("schema", METADATA, before=METADATA))[0])


def test_metadata_beside_the_graph_is_no_change(ask: Ask) -> None:
    before, after = get_versions(ask("schema", METADATA))
    assert before.value == after.value
    assert not ask("schema", METADATA).warnings


def test_a_schema_alone_states_no_partitions(ask: Ask) -> None:
    document = read_metadata()["metadata"]["schemas"][-1]
    before, after = get_versions(ask("schema", json.dumps(document), dataset=CUSTOMER_ORDERS.qualified_name))
    assert before.value == after.value


def test_nested_columns_of_a_real_schema(ask: Ask) -> None:
    written = NESTED.model_dump_json(indent=1)
    _, after = get_versions(ask("schema", written, before=written))
    fields = list_fields(after)
    assert list(fields) == ["id", "address", "address.city", "address.area", "tags", "tags.element", "prices", "prices.key", "prices.value"]
    assert (fields["address.area"].id, fields["tags.element"].required, fields["prices.value"].required) == ("4", True, False)
    line = after.find_line(("field", "address.area"))
    assert line > after.find_line(("field", "address.city")) > after.find_line(("field", "address")) > 1


def test_partitions_in_words(ask: Ask) -> None:
    changed = read_metadata()
    spec = [
        {"name": "a", "transform": "bucket[16]", "source-id": 1, "field-id": 1000},
        {"name": "b", "transform": "truncate[4]", "source-id": 2, "field-id": 1001},
        {"name": "c", "transform": "identity", "source-id": 5, "field-id": 1002},
        {"name": "d", "transform": "void", "source-id": 9, "field-id": 1003},
        {"name": "e", "transform": "month", "source-id": 9, "field-id": 1004},
    ]
    changed["metadata"]["partition-specs"] = [{"spec-id": 0, "fields": spec}]
    changed["metadata"]["default-spec-id"] = 0
    _, after = get_versions(ask("schema", json.dumps(changed)))
    assert after.value.partitioning == ("bucket(16, order_id)", "truncate(4, customer_id)", "currency", "months(created_at)")


def test_a_table_that_the_graph_does_not_know(ask: Ask) -> None:
    changed = read_metadata()
    changed["metadata"]["location"] = "file:///elsewhere/unknown_table"
    with pytest.raises(InvalidInput, match="does not identify its table"):
        ask("schema", json.dumps(changed), file="unknown_table.json")
    with pytest.raises(NotFound, match=r"no asset is called 'orders.custmer_orders': did you mean"):
        ask("schema", json.dumps(changed), dataset="orders.custmer_orders")
    found = ask("schema", json.dumps(changed), dataset=f"{LAKE}/orders.brand_new", new="yes")
    assert get_pair(found).before is None
    assert get_pair(found).after is not None
    assert "consumers are unknown" in found.warnings[0]
    other = ask("schema", json.dumps(changed), before=json.dumps(changed), file="unknown_table.json")
    assert get_versions(other)[1].datasets == {}
    assert other.warnings[0] == "Cannot match this schema to a dataset, so consumers are unknown. Pass --dataset."


def test_a_table_that_is_gone(ask: Ask) -> None:
    before, after = get_pair(ask("schema", None, before=METADATA))
    assert before is not None
    assert after is None


# -- Delta


def test_a_commit_of_a_delta_log_beside_the_graph(ask: Ask) -> None:
    first = LOG / "00000000000000000001.json"
    before, after = get_versions(ask("schema", first, dataset=SHARED.qualified_name))
    assert before.value == after.value
    with pytest.raises(InvalidInput, match="no commit in it has metadata"):
        ask("schema", LOG / "00000000000000000002.json", dataset=SHARED.qualified_name)


def test_a_delta_schema_of_the_real_library(ask: Ask) -> None:
    integer, long, text, time = (PrimitiveType(name) for name in ("integer", "long", "string", "timestamp"))
    struct = [DeltaField("s", DeltaStruct([DeltaField("x", type_)])) for type_ in (integer, long)]
    old = DeltaSchema([DeltaField("id", long, nullable=False), DeltaField("at", time), struct[0]])
    new = DeltaSchema([DeltaField("id", long), struct[1], DeltaField("tags", ArrayType(text, contains_null=True))])
    found = ask("schema", new.to_json(), before=old.to_json())
    before, after = get_versions(found)
    assert [(one.name, one.type, one.required) for one in before.value.model.fields] == [
        ("id", "long", True),
        ("at", "timestamp", False),
        ("s", "struct<x: integer>", False),
        ("s.x", "integer", False),
    ]
    assert list_removed_columns(found) == {"at"}
    assert list_fields(after)["s.x"].type == "long"
    assert list_fields(after)["tags.element"].type == "string"
    assert after.value.format == "delta"


def test_column_mapping_gives_ids(ask: Ask) -> None:
    def format_schema(name: str) -> str:
        field = {"name": name, "type": "string", "nullable": True, "metadata": {"delta.columnMapping.id": 7}}
        text = json.dumps({"type": "struct", "fields": [field]})
        return json.dumps({"metaData": {"id": "x", "schemaString": text, "partitionColumns": [name]}})

    found = ask("schema", format_schema("new"), before=format_schema("old"))
    assert list_renamed_columns(found) == {"old": "new"}
    assert get_versions(found)[1].value.partitioning == ("new",)


# -- Avro

AVRO = {
    "type": "record",
    "name": "Order",
    "namespace": "com.example",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {
            "name": "address",
            "type": ["null", {"type": "record", "name": "Address", "fields": [{"name": "zip", "type": ["null", "string"]}]}],
        },
        {"name": "billing", "type": ["null", "Address"], "default": None},
        {"name": "tags", "type": {"type": "array", "items": ["null", "string"]}},
        {"name": "prices", "type": {"type": "map", "values": "double"}},
        {"name": "either", "type": ["null", "int", "string"]},
        {"name": "before", "type": ["null", "Order"], "default": None},
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 16}},
    ],
}


def test_an_avro_record(ask: Ask) -> None:
    text = json.dumps(AVRO, indent=1)
    _, after = get_versions(ask("schema", text, before=text))
    fields = list_fields(after)
    types = {name: (one.type, one.required) for name, one in fields.items()}
    assert types == {
        "id": ("long", True),
        "state": ("enum", True),
        "amount": ("decimal(18,2)", True),
        "at": ("timestamp-micros", True),
        "address": ("record", False),
        "address.zip": ("string", False),
        "billing": ("record", False),
        "billing.zip": ("string", False),
        "tags": ("array<string>", True),
        "tags.element": ("string", False),
        "prices": ("map<string, double>", True),
        "prices.key": ("string", True),
        "prices.value": ("double", True),
        "either": ("union<int, string>", False),
        "before": ("record", False),
        "hash": ("fixed(16)", True),
    }
    assert fields["state"].enum == ("NEW", "PAID")
    lines = text.splitlines()
    for name in ("amount", "either"):
        assert name in "".join(lines[after.find_line(("field", name)) - 1 :][:2])


def test_aliases_of_avro_are_renames(ask: Ask) -> None:
    changed = copy.deepcopy(AVRO)
    changed["fields"][0] = {"name": "number", "type": "long", "aliases": ["id"]}  # type: ignore[index]
    found = ask("schema", json.dumps(changed), before=json.dumps(AVRO))
    assert list_renamed_columns(found) == {"id": "number"}
    assert list_removed_columns(found) == set()


def test_an_alias_of_what_is_still_there_is_no_rename(ask: Ask) -> None:
    changed = copy.deepcopy(AVRO)
    changed["fields"].append({"name": "copy", "type": "long", "aliases": ["id"]})  # type: ignore[attr-defined]
    found = ask("schema", json.dumps(changed), before=json.dumps(AVRO))
    assert list_renamed_columns(found) == {}
    assert list_removed_columns(found) == set()


def test_an_avro_schema_as_a_registry_answers(ask: Ask) -> None:
    answer = json.dumps({"subject": "orders-value", "version": 1, "id": 3, "schema": json.dumps(AVRO)})
    assert list_names(get_versions(ask("schema", answer, before=json.dumps(AVRO)))[1])[0] == "id"


def test_avro_of_the_real_library(ask: Ask) -> None:
    written = json.dumps(AvroSchemaConversion().iceberg_to_avro(NESTED, "orders"))
    _, after = get_versions(ask("schema", written, before=written))
    assert after.value.format == "avro"
    assert list(list_fields(after))[:4] == ["id", "address", "address.city", "address.area"]
    assert list_fields(after)["id"].required is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "record", "name": "A", "fields": [{"name": "x", "type": "Unknown"}]}', "'Unknown' is not defined in it"),
        ('{"type": "record", "name": "A", "fields": [{"name": "x"}]}', "no schema of Avro"),
        ('{"type": "enum", "name": "A", "symbols": ["X"]}', "a table is a record"),
        ('["null", "string"]', "a table is a record"),
    ],
)
def test_what_is_no_record_of_avro(ask: Ask, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        ask("schema", text, before=text)


def test_an_avro_topic_beside_the_graph(ask: Ask) -> None:
    """Attributes that only Avro has are no difference; those that Avro and the graph have are compared."""
    record = {
        "type": "record",
        "name": "x",
        "fields": [{"name": name, "type": ["null", "string"]} for name in ("customer_id", "full_name", "mail")],
    }
    found = ask("schema", json.dumps(record), dataset=CUSTOMERS.qualified_name)
    assert list_removed_columns(found) == {"email", "phone_number", "country", "marketing_consent", "created_at"}
    assert all(not one.id for version in get_versions(found) for one in version.value.model.fields)


# -- JSON Schema


class State(enum.Enum):
    NEW = "new"
    PAID = "paid"


class Address(pydantic.BaseModel):
    zip: str | None = None
    inside: Address | None = None


class Order(pydantic.BaseModel):
    id: int = pydantic.Field(ge=1)
    state: State
    note: str | None = pydantic.Field(max_length=10)
    at: datetime
    address: Address
    lines: list[Address] = []
    amounts: dict[str, Decimal] = {}


def test_a_schema_of_a_real_producer(ask: Ask) -> None:
    text = json.dumps(Order.model_json_schema(), indent=1)
    _, after = get_versions(ask("schema", text, before=text))
    fields = list_fields(after)
    assert (fields["id"].type, fields["id"].required, fields["id"].minimum) == ("integer", True, 1)
    assert (fields["state"].type, fields["state"].enum) == ("string", ("new", "paid"))
    assert (fields["note"].type, fields["note"].required, fields["note"].max_length) == ("string", False, 10)
    assert fields["at"].format == "date-time"
    assert (fields["address"].type, fields["address.zip"].type, fields["address.inside"].type) == ("object", "string", "object")
    assert "address.inside.zip" not in fields
    assert fields["lines"].required is False
    assert fields["lines.element.zip"].type == "string"
    assert "amounts.value" in fields
    assert '"id"' in text.splitlines()[after.find_line(("field", "id")) - 1]


def test_parts_that_are_not_compared_are_reported(ask: Ask) -> None:
    document = {
        "type": "object",
        "properties": {
            "a": {"$ref": "http://example.org/schema"},
            "b": {"$ref": "#/$defs/none"},
            "c": {"type": "array", "prefixItems": []},
        },
        "patternProperties": {"^x": {}},
    }
    found = ask("schema", json.dumps(document), before=json.dumps(document))
    assert "'http://example.org/schema' points outside the document or to nothing" in " ".join(found.warnings)
    assert "'#/$defs/none'" in " ".join(found.warnings)
    assert "patternProperties is not compared (at the whole schema)" in " ".join(found.warnings)
    assert "prefixItems is not compared (at properties.c)" in " ".join(found.warnings)


def test_each_keyword_that_is_not_compared_is_named_once_with_its_first_places(ask: Ask) -> None:
    """A schema of a thousand properties is one line, and not a thousand."""
    many = {f"p{n}": {"type": "string", "contentEncoding": "base64", "$comment": "x"} for n in range(1000)}
    forms = {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "integer"}]}
    plain = {"oneOf": [{"type": "string"}, {"type": "integer"}]}
    outside = {f"r{n}": {"$ref": f"http://example.org/{n}"} for n in range(8)}
    document = {"type": "object", "properties": {**many, "forms": forms, "plain": plain, **outside}}
    found = ask("schema", json.dumps(document), before=json.dumps(document))
    warnings = [one.partition(": ")[2] for one in found.warnings if "match this schema" not in one]
    assert warnings[:2] == [
        f"contentEncoding is not compared (at {', '.join(f'properties.p{n}' for n in range(5))} and 995 more)",
        "anyOf beyond the types of its forms is not compared (at properties.forms)",
    ]
    assert warnings[2] == "'http://example.org/0' points outside the document or to nothing, and is not read"
    assert warnings[7:] == ["and 3 more references of this kind"]


def test_older_drafts(ask: Ask) -> None:
    document = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "object",
        "definitions": {"money": {"type": "number", "minimum": 0, "exclusiveMinimum": True}},
        "properties": {
            "a": {"allOf": [{"$ref": "#/definitions/money"}, {"maximum": 9}]},
            "b": {"type": ["string", "null"]},
            "c": {"const": "x"},
        },
        "required": ["a", "b"],
    }
    one = list_fields(get_versions(ask("schema", json.dumps(document), before=json.dumps(document)))[1])
    assert (one["a"].type, one["a"].minimum, one["a"].exclusive_minimum, one["a"].maximum) == ("number", None, 0, 9)
    assert (one["b"].type, one["b"].required) == ("string", False)
    assert (one["c"].type, one["c"].enum) == ("string", ("x",))


@pytest.mark.parametrize(
    "loop",
    [
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}, "type": "object"},
        {
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}},
        },
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}},
    ],
)
def test_references_that_lead_back_end(ask: Ask, loop: object) -> None:
    assert list_names(get_versions(ask("schema", json.dumps(loop), before=json.dumps(loop)))[1])[:1] in (["a"], [])


# -- all


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is not JSON"),
        ("{", r"new:1:2: this is not JSON: the file ends in the middle of a value"),
        ('{"a":\n1,}', r"new:2:3: this is not JSON: trailing comma in object"),
        ("3", "not a schema of a known format; accepted are metadata"),
        ("{}", "not a schema of a known format"),
        ('{"format-version": 2}', "not metadata of Iceberg"),
        ('{"type": "struct", "fields": [{"name": "a", "nullable": true}]}', "does not follow Delta's protocol"),
    ],
)
def test_what_is_no_schema(ask: Ask, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        ask("schema", text, before=text)


def test_a_schema_of_avro_is_none_of_delta(ask: Ask) -> None:
    avro = '{"type": "record", "name": "r", "fields": [{"name": "a", "type": "string"}]}'
    with pytest.raises(InvalidInput, match="a Delta schema has the type struct; found 'record'"):
        ask("schema", avro, before=avro, format="delta")


def test_a_format_that_is_none(ask: Ask) -> None:
    with pytest.raises(InvalidInput, match="found 'avrro'; did you mean 'avro'"):
        ask("schema", "{}", format="avrro")


def test_two_formats_of_one_table_differ_in_what_both_state(ask: Ask) -> None:
    iceberg = NESTED.model_dump_json()
    avro = json.dumps(AvroSchemaConversion().iceberg_to_avro(NESTED, "orders"))
    found = ask("schema", avro, before=iceberg)
    assert list_removed_columns(found) == set()


def test_a_name_of_something_else(ask: Ask) -> None:
    with pytest.raises(NotFound, match="did you mean"):
        ask("schema", METADATA, dataset=f"{LAKE}/orders.customer_orders.status")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["record", "object", "struct", "string", "long", "a", "#/properties/a", "null"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "fields",
                    "name",
                    "properties",
                    "items",
                    "$ref",
                    "allOf",
                    "anyOf",
                    "symbols",
                    "values",
                    "metaData",
                    "schemaString",
                    "id",
                    "nullable",
                    "schemas",
                    "format-version",
                    "location",
                    "current-schema-id",
                    "metadata",
                    "required",
                    "enum",
                    "a",
                    "size",
                    "logicalType",
                    "additionalProperties",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(VALUES, st.sampled_from(["", "iceberg", "delta", "avro", "json"]))
def test_nothing_else_is_raised(known: GraphState, value: object, format_: str) -> None:
    text = Text("f.json", json.dumps(value).encode())
    try:
        build_proposal(ChangeInput("schema", text, text, {"format": format_} if format_ else {}), known)
    except (InvalidInput, NotFound):
        return


@given(VALUES, st.sampled_from([None, 1]))
def test_lines_are_found_whatever_the_value(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    lines = find_json_lines(text.encode())

    def check_paths(here: object, at: tuple[str | int, ...]) -> None:
        assert at in lines
        inside = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        for name, one in inside:
            check_paths(one, (*at, name))

    check_paths(value, ())
    assert max(lines.values()) <= text.count("\n") + 1
