"""`meshline check schema NEW --registry URL --subject S`: a proposed version and the newest one of a real registry (Apicurio)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Ran, run_command, run_successfully
from tests.schema_registry import RegistryServer

MONEY = {"type": "record", "name": "Money", "namespace": "shop", "fields": [{"name": "units", "type": "long"}]}
PRODUCT = {"type": "object", "properties": {"sku": {"type": "string"}, "name": {"type": "string"}}}
MONEY_PROTO = 'syntax = "proto3"; package shop; message Money { int64 units = 1; }'


def build_order(*names: str, **more: object) -> dict[str, Any]:
    fields = [{"name": name, "type": ["null", "string"], "default": None} for name in names]
    return {"type": "record", "name": "Order", "namespace": "shop", "fields": [*fields, *([more] if more else [])]}


def check_subject(registry: RegistryServer, subject: str, schema: object, *options: str, file: str = "new.json") -> Ran:
    Path(file).write_text(schema if isinstance(schema, str) else json.dumps(schema, indent=1))
    graph = () if "--store" in options else ("--no-graph",)
    return run_command("check", "schema", file, "--registry", registry.url, "--subject", subject, *graph, *options)


@pytest.mark.usefixtures("new")
def test_a_version_without_references(registry: RegistryServer) -> None:
    registry.register("a-value", build_order("id", "email"))
    ran = check_subject(registry, "a-value", build_order("id"))
    assert (ran.code, "BREAKING" in ran.out, "`email` is removed" in ran.out) == (1, True, True), ran
    same = check_subject(registry, "a-value", build_order("id", "email"))
    assert (same.code, "Passed" in same.out) == (0, True), same


@pytest.mark.usefixtures("new")
def test_types_that_the_newest_version_refers_to_are_those_of_the_new_one(registry: RegistryServer) -> None:
    registry.register("shop.Money", MONEY)
    total = {"name": "total", "type": "shop.Money"}
    registry.register("b-value", build_order("id", **total), references={"shop.Money": ("shop.Money", 1)})
    assert check_subject(registry, "b-value", build_order("id", **total)).code == 0
    inline = {**total, "type": {**MONEY, "fields": [{"name": "units", "type": "string"}]}}
    ran = check_subject(registry, "b-value", build_order("id", **inline))
    assert (ran.code, "`total.units`" in ran.out) == (1, True), ran

    registry.register("product.json", PRODUCT, "JSON")
    order = {"type": "object", "properties": {"item": {"$ref": "product.json"}, "note": {"type": "string"}}}
    registry.register("c-value", order, "JSON", {"product.json": ("product.json", 1)})
    ran = check_subject(registry, "c-value", {**order, "properties": {"item": {"$ref": "product.json"}}})
    assert (ran.code, "`note` is removed" in ran.out, "item" in ran.out) == (1, True, False), ran

    registry.register("money.proto", MONEY_PROTO, "PROTOBUF")
    text = 'syntax = "proto3"; package shop; import "money.proto"; message Order { string id = 1; Money total = 2; }'
    registry.register("d-value", text, "PROTOBUF", {"money.proto": ("money.proto", 1)})
    assert check_subject(registry, "d-value", text, file="order.proto").code == 0
    ran = check_subject(registry, "d-value", text.replace("string id = 1;", ""), file="order.proto")
    assert (ran.code, "`id`" in ran.out) == (1, True), ran


@pytest.mark.usefixtures("new")
def test_the_mode_of_the_subject_decides(registry: RegistryServer) -> None:
    """Unless a profile or a mode is given. An added field without a default fails backward only, a removed one forward only."""
    registry.register("e-value", build_order("id", name="count", type="int"))
    added, removed = build_order("id", name="sum", type="int"), build_order("id")
    for mode, schema, code in (
        ("FORWARD", {**added, "fields": [*build_order("id", name="count", type="int")["fields"], added["fields"][-1]]}, 0),
        ("BACKWARD", {**added, "fields": [*build_order("id", name="count", type="int")["fields"], added["fields"][-1]]}, 1),
        ("FORWARD", removed, 1),
        ("BACKWARD", removed, 0),
        ("FULL", removed, 1),
    ):
        registry.set_compatibility(mode, "e-value")
        ran = check_subject(registry, "e-value", schema)
        assert (ran.code, mode in ran.out) == (code, True), (mode, ran)
    registry.set_compatibility("BACKWARD", "e-value")
    assert "profile consumer" in check_subject(registry, "e-value", removed, "--profile", "consumer").out
    assert check_subject(registry, "e-value", removed, "--compatibility", "FORWARD").code == 1
    registry.set_compatibility("NONE", "e-value")
    ran = check_subject(registry, "e-value", removed)
    assert (ran.code, "profile mesh" in ran.out) == (1, True), "NONE decides nothing"


@pytest.mark.usefixtures("new")
def test_a_transitive_mode_is_about_all_versions(registry: RegistryServer) -> None:
    registry.register("t-value", build_order("id", name="x", type="string"))
    registry.register("t-value", build_order("id"))
    schema = build_order("id", name="x", type="int", default=0)  # reads the data of version 2, not of version 1
    for mode, code in (("BACKWARD", 0), ("BACKWARD_TRANSITIVE", 1)):
        registry.set_compatibility(mode, "t-value")
        ran = check_subject(registry, "t-value", schema)
        assert ran.code == code, (mode, ran)
    assert "t-value version 1" in ran.out + ran.err or "`x`" in ran.out, ran


def test_the_topic_of_the_subject_is_the_dataset(new: str, registry: RegistryServer) -> None:
    """So that its consumers are known, and columns that only its keys have are not missed."""
    registry.register("shop.orders-value", build_order("id", "email"))
    registry.register("shop.orders-key", {"type": "record", "name": "Key", "fields": [{"name": "customer", "type": "string"}]})
    run_successfully("ingest", "registry", registry.url, "--namespace", "kafka:9092", "--subject", "shop.orders*", "--store", new)
    Path("mesh.yaml").write_text("""
version: 1
source: shop
consumers:
  - {name: mailer, type: application, consumes: [{dataset: "kafka://kafka/shop.orders", columns: [email]}]}
""")
    run_successfully("ingest", "mesh", "mesh.yaml", "--store", new)
    ran = check_subject(registry, "shop.orders-value", build_order("id"), "--store", new)
    assert (ran.code, "mailer" in ran.out, "`email` is removed" in ran.out) == (1, True, True), ran
    Path("new.avsc").write_text(json.dumps(build_order("id", "email")))
    same = run_command("check", "schema", "new.avsc", "--dataset", "kafka://kafka/shop.orders", "--store", new)
    assert (same.code, "customer" in same.out) == (0, False), same


@pytest.mark.usefixtures("new")
def test_mistakes(registry: RegistryServer) -> None:
    registry.register("f-value", build_order("id"))
    for options, message in (
        (("--subject", "nothing-value"), "has no subject 'nothing-value'"),
        (("--subject", "f-value", "--as", "protobuf"), "--as: found protobuf, and the subject has the format avro"),
        (("--subject", "f-value", "--message", "Order"), "--message: is for files of Protobuf"),
        (("--subject", "f-value", "--token", "${NOT_SET_HERE}"), "token: the environment variable NOT_SET_HERE is not set"),
        ((), "is for one file, and needs --registry and --subject"),
    ):
        Path("new.json").write_text(json.dumps(build_order("id")))
        ran = run_command("check", "schema", "new.json", "--registry", registry.url, "--no-graph", *options)
        assert message in ran.err, ran
        assert ran.code == 2
    both = run_command("check", "schema", "new.json", "new.json", "--registry", registry.url, "--subject", "f-value", "--no-graph")
    assert "is for one file" in both.err
    alone = run_command("check", "schema", "new.json", "--subject", "f-value", "--no-graph")
    assert "--subject: is for one file, and needs --registry and --subject" in alone.err
