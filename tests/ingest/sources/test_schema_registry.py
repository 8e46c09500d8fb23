"""Schema registries: what becomes of the subjects of a real one (Apicurio)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_dataset_key, get_current_micros
from meshline.graph.queries.schema_history import read_schemas
from tests.ingest.sources.fake_source import open_graph
from tests.ingest.sources.registry_server import (
    KAFKA,
    count_outcomes,
    read_topic,
    sync_registry,
    sync_successfully,
)
from tests.schema_registry import RegistryServer

MONEY = {
    "type": "record",
    "name": "Money",
    "namespace": "shop",
    "fields": [{"name": "units", "type": "long", "doc": "In cents."}, {"name": "currency", "type": "string"}],
}


def build_order(*more: object) -> dict[str, object]:
    fields = [
        {"name": "id", "type": "long"},
        {"name": "email", "type": ["null", "string"], "default": None, "doc": "Who ordered.", "confluent:tags": ["PII"]},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "paid", "type": ["null", "string", "long"], "default": None},
    ]
    return {"type": "record", "name": "Order", "namespace": "shop", "doc": "An order.", "fields": [*fields, *more]}


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as graph:
        yield graph


def list_columns(live: LiveGraph, topic: str) -> list[str]:
    """The columns that a dataset shows."""
    node = live.index.assets.find_by_key(build_dataset_key(KAFKA, topic))
    assert node is not None
    return [live.index.assets.get_key(column).name for column in live.index.assets.list_columns(node)]


def list_history(live: LiveGraph, topic: str) -> list[list[str]]:
    """The columns that a dataset had, oldest first."""
    node = live.index.assets.find_by_key(build_dataset_key(KAFKA, topic))
    assert node is not None
    return [[column.name for column in schema.columns] for schema in reversed(read_schemas(live, live.index, node))]


def test_avro(live: LiveGraph, registry: RegistryServer) -> None:
    value = registry.register("a.orders-value", build_order())
    key = registry.register("a.orders-key", {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]})
    assert count_outcomes(sync_successfully(live, registry.url, subjects=["a.*"])) == (1, 0, 0, 0)
    topic = read_topic(live, "a.orders")
    assert topic.attributes == {
        "dataset_type": "TOPIC", "format": "avro", "description": "An order.", "record_names": ["shop.Order"],
        "subjects": ["a.orders-value", "a.orders-key"], "schema_id": value, "schema_version": "1", "compatibility": "NONE",
        "key_format": "avro", "key_schema_id": key, "key_schema_version": "1", "key_compatibility": "NONE",
    }  # fmt: skip
    assert topic.columns == {
        "id": {"type": "long", "nullable": False, "identifies": True},
        "email": {"type": "string", "nullable": True, "description": "Who ordered.", "tags": ["PII"]},
        "at": {"type": "timestamp-millis", "nullable": False},
        "tags": {"type": "array<string>", "nullable": False},
        "tags.element": {"type": "string", "nullable": False},
        "paid": {"type": "union<long, string>", "nullable": True},
    }
    assert list_columns(live, "a.orders") == ["id", "email", "at", "tags", "tags.element", "paid"]


def test_references_of_all_depths_are_followed(live: LiveGraph, registry: RegistryServer) -> None:
    registry.register("b.Money", MONEY)
    line = {"type": "record", "name": "Line", "namespace": "shop", "fields": [{"name": "price", "type": "shop.Money"}]}
    registry.register("b.Line", line, references={"shop.Money": ("b.Money", 1)})
    order = build_order(
        {"name": "lines", "type": {"type": "array", "items": "shop.Line"}}, {"name": "total", "type": ["null", "shop.Money"]}
    )
    registry.register("b.orders-value", order, references={"shop.Line": ("b.Line", 1), "shop.Money": ("b.Money", 1)})
    loading = sync_successfully(live, registry.url, subjects=["b.*"])
    assert loading.warnings == (), "subjects that others refer to need no topic"
    columns = read_topic(live, "b.orders").columns
    assert [name for name in columns if name.startswith(("lines", "total"))] == [
        "lines", "lines.element", "lines.element.price", "lines.element.price.currency", "lines.element.price.units",
        "total", "total.currency", "total.units",
    ]  # fmt: skip
    assert columns["total.units"] == {"type": "long", "nullable": False, "description": "In cents."}
    again = sync_successfully(live, registry.url, subjects=["b.*"])
    assert (again.warnings, count_outcomes(again), again.read) == ((), (0, 0, 1, 0), 0)


def test_json_schema(live: LiveGraph, registry: RegistryServer) -> None:
    product = {
        "type": "object",
        "properties": {"sku": {"type": "string"}, "weight": {"$ref": "#/definitions/kg"}},
        "definitions": {"kg": {"type": "number"}},
    }
    registry.register("c.product.json", product, "JSON")
    order = {
        "$id": "http://shop/order.json",
        "title": "Order",
        "description": "An order.",
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "integer", "description": "Its number."},
            "item": {"$ref": "product.json"},
            "ship_to": {"oneOf": [{"type": "null"}, {"$ref": "#/definitions/address"}]},
            "email": {"type": "string", "confluent:tags": ["PII"]},
        },
        "definitions": {"address": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
    registry.register("c.orders-value", order, "JSON", references={"product.json": ("c.product.json", 1)})
    sync_successfully(live, registry.url, subjects=["c.*"])
    topic = read_topic(live, "c.orders")
    assert (topic.attributes["format"], topic.attributes["description"], topic.attributes["record_names"]) == (
        "json",
        "An order.",
        ["Order"],
    )
    assert topic.columns == {
        "id": {"type": "integer", "nullable": False, "description": "Its number."},
        "item": {"type": "object", "nullable": True},
        "item.sku": {"type": "string", "nullable": True},
        "item.weight": {"type": "number", "nullable": True},
        "ship_to": {"type": "object", "nullable": True},
        "ship_to.city": {"type": "string", "nullable": True},
        "email": {"type": "string", "nullable": True, "tags": ["PII"]},
    }


def test_protobuf(live: LiveGraph, registry: RegistryServer) -> None:
    money = 'syntax = "proto3"; package shop; message Money { string currency = 1; int64 units = 2; }'
    registry.register("p.money.proto", money, "PROTOBUF")
    order = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "money.proto";
// An order.
message Order {
  int64 id = 1; // not a comment before it
  // Who ordered.
  optional string email = 2;
  google.protobuf.Timestamp at = 3;
  Money total = 4;
  repeated Line lines = 5;
  map<string, int32> counts = 6;
}
message Line { string sku = 1; Line gift = 2; }
"""
    registry.register("p.orders-value", order, "PROTOBUF", {"money.proto": ("p.money.proto", 1)})
    registry.register("p.events-shop.Money", money, "PROTOBUF")
    registry.register("p.lines-shop.Line", order, "PROTOBUF", {"money.proto": ("p.money.proto", 1)})  # not the first message
    registry.register("p.orders-key", 'syntax = "proto3"; message Key { int64 id = 1; }', "PROTOBUF")
    loading = sync_successfully(live, registry.url, subjects=["p.*"])
    assert loading.warnings == ()
    topic = read_topic(live, "p.orders")
    assert (topic.attributes["format"], topic.attributes["description"], topic.attributes["record_names"]) == (
        "protobuf",
        "An order.",
        ["shop.Order"],
    )
    assert {name: column.get("type") for name, column in topic.columns.items()} == {
        "id": "int64", "email": "string", "at": "google.protobuf.Timestamp", "total": "message", "total.currency": "string",
        "total.units": "int64", "lines": "list<message>", "lines.element": "message", "lines.element.sku": "string",
        "lines.element.gift": "message", "counts": "map<string, int32>", "counts.key": "string", "counts.value": "int32",
    }  # fmt: skip
    assert topic.columns["email"]["description"] == "Who ordered."
    assert [name for name, column in topic.columns.items() if "identifies" in column] == ["id"]
    assert [*read_topic(live, "p.events").columns] == ["currency", "units"]
    assert [*read_topic(live, "p.lines").columns] == ["sku", "gift"]


def test_a_key_that_the_value_does_not_repeat_is_columns_of_its_own(live: LiveGraph, registry: RegistryServer) -> None:
    key = {"type": "record", "name": "Key", "fields": [{"name": "customer", "type": "long"}, {"name": "day", "type": "string"}]}
    registry.register("d.spent-key", key)
    registry.register(
        "d.spent-value", {"type": "record", "name": "Spent", "fields": [{"name": "day", "type": "string"}, {"name": "sum", "type": "int"}]}
    )
    registry.register("d.plain-key", '"string"')
    registry.register("d.plain-value", '{"type": "bytes"}')
    sync_successfully(live, registry.url, subjects=["d.*"])
    assert {name: column.get("identifies") for name, column in read_topic(live, "d.spent").columns.items()} == {
        "day": True, "sum": None, "customer": True,
    }  # fmt: skip
    plain = read_topic(live, "d.plain")
    assert (plain.columns, plain.attributes["key_type"], plain.attributes["value_type"]) == ({}, "string", "bytes")


def test_strategies_of_names(live: LiveGraph, registry: RegistryServer) -> None:
    placed = {
        "type": "record",
        "name": "Placed",
        "namespace": "e",
        "fields": [{"name": "id", "type": "long"}, {"name": "sum", "type": "int"}],
    }
    shipped = {"type": "record", "name": "Shipped", "namespace": "e", "fields": [{"name": "id", "type": "string"}]}
    registry.register("e.events-e.Placed", placed)  # TopicRecordNameStrategy
    registry.register("e.events-e.Shipped", shipped)
    registry.register("e.Shipped", shipped)  # RecordNameStrategy
    loading = sync_successfully(live, registry.url, subjects=["e.*"])
    assert loading.warnings == ("no topic is known for e.Shipped: set topics (--topic SUBJECT=TOPIC)",)
    topic = read_topic(live, "e.events")
    assert topic.attributes["record_names"] == ["e.Placed", "e.Shipped"]
    assert topic.columns == {"id": {"type": "union<long, string>", "nullable": False}, "sum": {"type": "int", "nullable": True}}
    sync_successfully(live, registry.url, subjects=["e.*"], topics={"e.Shipped": ["parcels", "parcels.eu"]})
    assert read_topic(live, "parcels.eu").columns == {"id": {"type": "string", "nullable": False}}
    assert read_topic(live, "parcels").attributes["subjects"] == ["e.Shipped"]


def test_a_message_may_be_one_of_several_records(live: LiveGraph, registry: RegistryServer) -> None:
    placed = {
        "type": "record",
        "name": "Placed",
        "namespace": "f",
        "fields": [{"name": "id", "type": "long"}, {"name": "sum", "type": "int"}],
    }
    shipped = {
        "type": "record",
        "name": "Shipped",
        "namespace": "f",
        "fields": [{"name": "id", "type": "long"}, {"name": "by", "type": "string"}],
    }
    registry.register("f.events-value", json.dumps([placed, shipped]))
    registry.register("f.a.json", {"title": "A", "type": "object", "properties": {"x": {"type": "string"}}}, "JSON")
    union = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "oneOf": [{"$ref": "a.json"}, {"type": "object", "title": "B", "required": ["y"], "properties": {"y": {"type": "number"}}}],
    }
    registry.register("f.json-value", union, "JSON", references={"a.json": ("f.a.json", 1)})
    sync_successfully(live, registry.url, subjects=["f.*"])
    assert read_topic(live, "f.events").columns == {
        "id": {"type": "long", "nullable": False},
        "sum": {"type": "int", "nullable": True},
        "by": {"type": "string", "nullable": True},
    }
    assert read_topic(live, "f.json").columns == {"x": {"type": "string", "nullable": True}, "y": {"type": "number", "nullable": True}}


def test_versions_are_the_history_and_are_read_once(live: LiveGraph, registry: RegistryServer) -> None:
    key = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]}
    plain = {"type": "record", "name": "V", "fields": [{"name": "id", "type": "long"}]}
    begun = get_current_micros()
    registry.register("g.t-value", plain)
    registry.register("g.t-key", key)
    time.sleep(1.1)
    registry.register("g.t-value", {**plain, "fields": [*plain["fields"], {"name": "a", "type": "int"}]})
    time.sleep(1.1)
    assert count_outcomes(sync_successfully(live, registry.url, subjects=["g.*"])) == (1, 0, 0, 0)
    assert list_history(live, "g.t") == [["id"], ["id", "a"]]
    node = live.index.assets.find_by_key(build_dataset_key(KAFKA, "g.t"))
    assert node is not None
    newest, oldest = (schema.since // 1_000_000 for schema in read_schemas(live, live.index, node))
    assert begun // 1_000_000 - 1 <= oldest < newest <= begun // 1_000_000 + 60, "the times of the registry, in seconds"

    time.sleep(1.1)  # its times have whole seconds: in the same second, this version would be older than the last reading
    registry.register("g.t-value", {**plain, "fields": [*plain["fields"], {"name": "b", "type": "int"}]})
    registry.register("g.t-value", {**plain, "fields": [*plain["fields"], {"name": "c", "type": "int"}]})
    assert count_outcomes(sync_successfully(live, registry.url, subjects=["g.*"])) == (0, 1, 0, 0)
    assert list_history(live, "g.t") == [["id"], ["id", "a"], ["id", "b"], ["id", "c"]]
    registry.delete("g.t-value", 1)
    assert count_outcomes(sync_successfully(live, registry.url, subjects=["g.*"])) == (0, 0, 1, 0)
    registry.delete("g.t-value")
    assert count_outcomes(sync_successfully(live, registry.url, subjects=["g.*"])) == (0, 1, 0, 0)
    assert read_topic(live, "g.t").columns == {"id": {"type": "long", "nullable": False, "identifies": True}}
    registry.delete("g.t-key")
    assert count_outcomes(sync_successfully(live, registry.url, subjects=["g.*"])) == (0, 0, 0, 1)
    assert live.index.changes.list_statements("registry/default") == {}


def test_compatibility_is_of_the_subject_or_of_all(live: LiveGraph, registry: RegistryServer) -> None:
    plain = {"type": "record", "name": "V", "fields": [{"name": "id", "type": "long"}]}
    registry.register("h.own-value", plain)
    registry.register("h.any-value", plain)
    try:
        registry.set_compatibility("FULL_TRANSITIVE", "h.own-value")
        registry.set_compatibility("FORWARD")
        sync_successfully(live, registry.url, subjects=["h.*"])
        assert [read_topic(live, name).attributes["compatibility"] for name in ("h.own", "h.any")] == ["FULL_TRANSITIVE", "FORWARD"]
        registry.set_compatibility("NONE")
        assert count_outcomes(sync_successfully(live, registry.url, subjects=["h.*"])) == (0, 1, 1, 0)
        assert [read_topic(live, name).attributes["compatibility"] for name in ("h.own", "h.any")] == ["FULL_TRANSITIVE", "NONE"]
    finally:
        registry.set_compatibility("NONE")


def test_contexts_have_namespaces_of_their_own(live: LiveGraph, registry: RegistryServer) -> None:
    registry.register("i.Money", MONEY)
    registry.register(":.lab:i.Money", {**MONEY, "fields": [{"name": "amount", "type": "double"}]})
    order = build_order({"name": "total", "type": "shop.Money"})
    registry.register("i.orders-value", order, references={"shop.Money": ("i.Money", 1)})
    registry.register(":.lab:i.orders-value", order, references={"shop.Money": (":.lab:i.Money", 1)})
    loading = sync_successfully(live, registry.url, subjects=["*i.*"])
    assert [one for one in loading.warnings if ".lab" in one] == [
        "2 subjects of the context .lab have no namespace, and are not read; set contexts"
    ]
    assert "total.units" in read_topic(live, "i.orders").columns
    sync_successfully(live, registry.url, subjects=["*i.*"], contexts={".lab": "lab:9093"})
    assert "total.units" in read_topic(live, "i.orders").columns
    assert "total.amount" in read_topic(live, "i.orders", "kafka://lab:9093").columns


def test_another_program_at_the_address(live: LiveGraph, registry: RegistryServer) -> None:
    done = sync_registry(live, registry.url.replace("/apis/ccompat/v7", "/apis"))
    assert "answers HTTP status 404" in str(done.error)
    done = sync_registry(live, f"{registry.url}?x=1")
    assert str(done.error).startswith("url: found")
