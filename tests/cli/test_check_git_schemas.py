"""`meshline check --git` of files with schemas, in real repositories: their datasets, what they need of each other, what is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Ran, run_command, run_successfully
from tests.cli.work_tree import WorkTree

STORE = "sqlite:///meshline.db"
TOPIC = "kafka://broker/orders"  # without the default port
MESH = """\
version: 1
source: shop
namespaces: {kafka: "kafka://broker:9092"}
consumers:
  - {name: daily-mail, type: application, consumes: [{dataset: kafka/orders, columns: [email]}]}
"""
REGISTRY = "sources: [{kind: registry, url: 'http://127.0.0.1:1', namespace: kafka, topics: {shop.Order: [orders]}}]\n"


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkTree:
    """A repository without commits, whose root is the current folder."""
    made = WorkTree(tmp_path / "repository")
    monkeypatch.chdir(made.root)
    monkeypatch.delenv("MESHLINE_STORE", raising=False)
    made.put(".gitignore", "meshline.db*\n")
    made.put("mesh.yaml", MESH)
    return made


def format_avro(*fields: str, name: str = "Order", **more: Any) -> str:
    return json.dumps({"type": "record", "name": name, **more, "fields": [{"name": one, "type": "string"} for one in fields]}, indent=1)


def format_proto(*fields: str, name: str = "Order", head: str = "package shop;") -> str:
    inside = " ".join(one if "=" in one else f"string {one} = {place};" for place, one in enumerate(fields, start=1))
    return f'syntax = "proto3";\n{head}\nmessage {name} {{ {inside} }}\n'


def format_json(*fields: str) -> str:
    return json.dumps({"type": "object", "title": "Order", "properties": {one: {"type": "string"} for one in fields}})


def check(*more: str) -> Ran:
    return run_command("check", "--git", "main", *(more or ("--no-graph",)))


def check_with_graph(work: WorkTree, *more: str) -> dict[str, Any]:
    """The report in JSON, with the graph of the mesh file."""
    if not (work.root / "meshline.db").exists():
        run_successfully("ingest", "mesh", "mesh.yaml", "--store", STORE)
    ran = check("--store", STORE, "--format", "json", *more)
    assert ran.code in (0, 1), ran
    report: dict[str, Any] = json.loads(ran.out)
    return report


def list_hits(report: dict[str, Any]) -> list[str]:
    return sorted({hit["consumer"]["name"] for finding in report["findings"] for hit in finding["hits"]})


FORMATS: dict[str, Callable[..., str]] = {"avsc": format_avro, "proto": format_proto, "json": format_json}


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("by", ["dataset", "namespace", "subject", "record"])
def test_the_consumers_of_a_topic_are_in_the_report(work: WorkTree, ending: str, by: str) -> None:
    name, more = {
        "dataset": (f"messages/Order.{ending}", f"schemas: [{{files: ['messages/*'], dataset: {TOPIC}}}]\n"),
        "namespace": (f"messages/orders.{ending}", "schemas: [{files: ['messages/*'], namespace: kafka}]\n"),
        "subject": (f"messages/orders-value.{ending}", ""),
        "record": (f"messages/Order.{'schema.json' if ending == 'json' else ending}", REGISTRY.replace("shop.Order", "Order")),
    }[by]
    if by == "record" and ending == "proto":
        more = REGISTRY
    work.put("mesh.yaml", MESH + more)
    work.put(name, FORMATS[ending]("id", "email"))
    work.commit()
    work.put(name, FORMATS[ending]("id"))
    report = check_with_graph(work)
    assert report["verdict"] == "breaking"
    assert list_hits(report) == ["daily-mail"]
    assert {finding["subject"]["name"] for finding in report["findings"]} == {TOPIC}
    assert report["warnings"] == []
    assert report["findings"][0]["file"] == name


def test_a_file_without_a_dataset_is_judged_and_named(work: WorkTree) -> None:
    work.put("Customer.avsc", format_avro("id", "email", name="shop.Customer"))
    work.put("rpc/customer.proto", format_proto("id", "email", name="Customer"))
    work.put("form.schema.json", format_json("id", "email"))
    work.commit()
    work.put("Customer.avsc", format_avro("id", name="shop.Customer"))
    work.put("rpc/customer.proto", format_proto("id", name="Customer"))
    work.put("form.schema.json", format_json("id"))
    report = check_with_graph(work)
    assert report["verdict"] == "breaking"
    assert list_hits(report) == []
    for file in ("Customer.avsc", "rpc/customer.proto", "form.schema.json"):
        assert (
            f"{file} is matched to no dataset, so its consumers are unknown: name it under schemas in the mesh file" in report["warnings"]
        )
    work.put("mesh.yaml", MESH + "schemas: [{files: ['rpc/**', '*.avsc', '*.schema.json'], ignore: true}]\n")
    ran = check()
    assert (ran.code, ran.out.startswith("COMPATIBLE")) == (0, True), ran


def test_a_type_that_a_topic_uses_from_another_file_of_avro(work: WorkTree) -> None:
    fields = '[\n {"name": "id", "type": "string"},\n {"name": "to", "type": "Address"}\n]'
    order = f'{{"type": "record", "name": "Order", "namespace": "shop", "fields": {fields}}}'
    work.put("orders-value.avsc", order)
    work.put("types/Address.avsc", format_avro("street", "email", name="Address", namespace="shop"))
    work.put("types/Street.avsc", '{"type": "enum", "name": "Kind", "namespace": "shop", "symbols": ["A", "B"]}')
    work.commit()
    work.put("types/Address.avsc", format_avro("street", name="Address", namespace="shop"))
    work.put("types/Street.avsc", '{"type": "enum", "name": "Kind", "namespace": "shop", "symbols": ["A"]}')
    report = check_with_graph(work)
    assert {one["file"] for one in report["findings"]} == {"orders-value.avsc"}
    assert any("`to.email` is removed" in one["text"] for one in report["findings"])
    assert "types/Address.avsc has changed; it is judged where orders-value.avsc uses it" in report["warnings"]
    assert any(one.startswith("types/Street.avsc has changed, and is not compared: it is no record of Avro") for one in report["warnings"])
    work.put("orders-value.avsc", order.replace('"id", "type": "string"', '"id", "type": "int"'))
    lines = {one["line"] for one in check_with_graph(work)["findings"]}
    assert 2 in lines, "the types before it do not move its lines"


def test_what_a_topic_imports_of_protobuf(work: WorkTree) -> None:
    work.put("mesh.yaml", MESH + "schemas: [{files: ['protos/shop/order.proto'], dataset: kafka/orders, message: Order}]\n")
    work.put(
        "protos/shop/order.proto",
        format_proto("shop.Person who = 1;", "Unused unused = 2;", head='package shop; import "shop/person.proto"; message Unused {}'),
    )
    work.put("protos/shop/person.proto", format_proto("name", "email", name="Person"))
    work.commit()
    work.put("protos/shop/person.proto", format_proto("name", "int32 email = 2;", name="Person"))
    report = check_with_graph(work)
    assert report["verdict"] == "breaking"
    assert {one["subject"]["name"] for one in report["findings"]} == {TOPIC}
    assert report["warnings"] == ["protos/shop/person.proto has changed; it is judged where protos/shop/order.proto uses it"]


@pytest.mark.parametrize("ending", ["avsc", "proto"])
def test_files_and_messages_that_move_are_compared(work: WorkTree, ending: str) -> None:
    work.put(f"old/a.{ending}", FORMATS[ending]("id", "email"))
    work.put(f"old/b.{ending}", FORMATS[ending]("id", name="Other"))
    work.commit()
    (work.root / f"old/a.{ending}").unlink()
    work.put(f"new/c.{ending}", FORMATS[ending]("id", "email"))
    if ending == "proto":
        work.put("old/b.proto", format_proto("id", name="Other") + "message More {}\n")
    assert check().out.startswith("COMPATIBLE"), check()
    work.put(f"new/c.{ending}", FORMATS[ending]("id"))
    assert "`email` is removed" in check().out


def test_a_message_that_moves_to_another_file_is_compared(work: WorkTree) -> None:
    work.put("a.proto", format_proto("id", name="A") + "message B { string email = 1; }\n")
    work.put("b.proto", format_proto("id", name="C"))
    work.commit()
    work.put("a.proto", format_proto("id", name="A"))
    work.put("b.proto", format_proto("id", name="C") + "message B { string email = 1; }\n")
    ran = check()
    assert (ran.code, ran.out.startswith("COMPATIBLE")) == (0, True), ran


@pytest.mark.parametrize(
    ("mode", "by", "code"),
    [("BACKWARD", "option", 0), ("FORWARD", "option", 1), ("BACKWARD", "mesh file", 0), ("FULL", "mesh file", 1), ("none", "option", 0)],
)
def test_a_mode_of_compatibility_decides(work: WorkTree, mode: str, by: str, code: int) -> None:
    entry = f"schemas: [{{files: [o.avsc], compatibility: {mode if by == 'mesh file' else 'FULL'}}}]\n"
    work.put("mesh.yaml", MESH + entry)
    work.put("o.avsc", format_avro("id", "email"))
    work.put("o.schema.json", format_json("id"))
    work.commit()
    work.put("o.avsc", format_avro("id"))
    work.put("o.schema.json", format_json("id", "more"))
    ran = check("--no-graph", *(["--compatibility", mode] if by == "option" else []))
    assert ran.code == code, ran
    assert mode.upper() in ran.out


def test_a_topic_whose_file_is_new_is_compared_with_the_graph(work: WorkTree) -> None:
    work.commit()
    work.put("orders-value.avsc", format_avro("id"))
    work.put("orders-key.avsc", format_avro("id"))
    work.put("never-value.avsc", format_avro("id"))
    report = check_with_graph(work)
    assert list_hits(report) == ["daily-mail"]
    assert report["warnings"] == [
        "orders-key.avsc is new: the keys of a topic are compared with an earlier version of their schema alone",
        "never-value.avsc is matched to no dataset, so its consumers are unknown: name it under schemas in the mesh file",
    ]


def test_files_that_did_not_change_are_counted(work: WorkTree) -> None:
    work.put("orders-value.avsc", format_avro("id"))
    work.put("inner/mesh.yaml", "version: 1\n")
    work.commit()
    assert check().out.startswith("COMPATIBLE: nothing that matters has changed (1 input compared)")
    work.put("orders-value.avsc", format_avro())
    ran = check("--mesh", "inner/mesh.yaml", "--no-graph")
    assert ran.code == 2, "files beside the folder of the mesh file are of another one"


@pytest.mark.parametrize(
    ("entry", "file", "content", "message"),
    [
        ("{files: [nowhere/*.avsc]}", "a.avsc", format_avro(), "no file in git matches nowhere/*.avsc; correct the paths"),
        ("{files: ['*.txt']}", "a.txt", "x", "a.txt: found a file that ends with none of .avsc, .proto, .json"),
        ("{files: ['*.avsc']}", "a.avsc", '{"type": "record"', "a.avsc:1:18: this is not JSON"),
        ("{files: ['*.avsc']}", "a.avsc", "version https://git-lfs.github.com/spec/v1\n", "a.avsc: the file is kept in git LFS"),
        ("{files: ['*.avsc'], dataset: kafka/a}", "a.avsc", '{"type": "fixed", "name": "f", "size": 2}', "a table is a record of Avro"),
        ("{files: ['*.json'], compatibility: FULL}", "a.json", format_json("b"), "compatibility is of schemas of Avro and Protobuf"),
        ("{files: ['*.proto'], dataset: kafka/a}", "a.proto", format_proto("b") + "message B { int32 b = 1; }", "has one of 2 messages"),
        ("{files: ['*.proto']}", "a.proto", format_proto("b", head='import "away.proto";'), "it imports 'away.proto', which is not given"),
        ("{files: [a.avsc], dataset: kafka/a, namespace: kafka}", "a.avsc", format_avro(), "one of the keys dataset and namespace"),
        ("{files: [a.avsc], dataset: kafka/a, ignore: true}", "a.avsc", format_avro(), "have no other keys than files"),
        ("{files: [a.avsc], compatibility: BACKWARD_TRANSITIVE}", "a.avsc", format_avro(), "compatibility: "),
    ],
)
def test_what_cannot_be_judged_is_2(work: WorkTree, entry: str, file: str, content: str, message: str) -> None:
    work.put("mesh.yaml", f"{MESH}schemas: [{entry}]\n")
    work.put(file, {"avsc": format_avro("x"), "proto": format_proto("x"), "json": format_json("x")}.get(file.rpartition(".")[2], "y"))
    work.commit()
    work.put(file, content)
    ran = check()
    assert (ran.code, ran.out) == (2, ""), ran
    assert message in ran.err


def test_a_transitive_mode_is_2(work: WorkTree) -> None:
    work.commit()
    ran = check("--no-graph", "--compatibility", "FULL_TRANSITIVE")
    assert ran.code == 2
    assert "--compatibility: FULL_TRANSITIVE compares with earlier versions than that of the base" in ran.err
