"""Delta tables made by deltalake itself; those with column mapping have a log written by hand, as delta-spark 3 writes it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from arro3 import core as arro3
from deltalake import DeltaTable, Field, Schema, write_deltalake
from deltalake.schema import ArrayType, MapType, PrimitiveType, StructType

from meshline.graph import model
from meshline.graph.content import decode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, EdgeType, Facts, Json, get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.sources.base import Context, Entry, Item, Refusal, Unchanged
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.delta.parse import parse_columns
from meshline.ingest.sources.delta.source import Delta
from meshline.ingest.sources.reading_loader import Loading, load_reading

CORPUS = os.environ.get("MESHLINE_CORPUS")
LONG, STRING = PrimitiveType("long"), PrimitiveType("string")
AT = 1_767_225_600_000  # of the first commit of a log written by hand, in milliseconds


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """A table that was made, changed and constrained."""
    path = tmp_path / "lake" / "orders"
    fields = [
        Field("order_id", LONG, nullable=False),
        Field("email", STRING, metadata={"comment": "who ordered", "pii": "true"}),
        Field("day", PrimitiveType("date")),
    ]
    DeltaTable.create(path, Schema(fields), partition_by=["day"], name="orders", description="all of them")
    table = DeltaTable(path)
    table.alter.add_columns([Field("address", StructType([Field("city", STRING)]))])
    table.alter.set_table_properties({"data-product.owner": "ana@example.com"}, raise_if_not_exists=False)
    table.alter.add_constraint({"id_positive": "order_id > 0"})
    table.alter.add_columns(
        [Field("tags", ArrayType(STRING)), Field("amounts", MapType(STRING, StructType([Field("net", PrimitiveType("decimal(10,2)"))])))]
    )
    return path


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    live = LiveGraph.open(SqliteStore())
    yield live
    live.store.close()


def read_source(source: Delta, memory: dict[str, str] | None = None) -> tuple[list[Item], dict[str, str], Sequence[str]]:
    reading = source.read(Context(Naming(), Path.cwd(), memory=memory or {}, variables=os.environ.get))
    items = list(reading.items)
    assert reading.remember is not None
    return items, dict(reading.remember()), list(reading.warnings)


def read_table_entry(source: Delta) -> Entry:
    items, _, _ = read_source(source)
    [one] = [item for item in items if isinstance(item, Entry) and item.scope[0] == "table" and item.scope[-1] != "snapshot"]
    return one


def list_attributes(facts: Facts) -> dict[AssetKey, dict[str, Json]]:
    return {fact.key: dict(fact.attributes) for fact in facts.assets}


def list_paths(facts: Facts) -> list[str]:
    listed = [edge for edge in facts.edges if edge.type is EdgeType.HAS_COLUMN]
    return [edge.end.name for edge in sorted(listed, key=lambda edge: (edge.attributes["position"], edge.end.name))]


def build_source(*tables: Path, **options: Any) -> Delta:
    return Delta(tables=tuple(map(str, tables)), **options)


def load_source(graph: LiveGraph, source: Delta, *, strict: bool = False) -> Loading:
    return load_reading(graph, source.read(build_context(graph, Naming(), Path.cwd(), source.source)), get_current_micros(), strict=strict)


def test_a_table_has_the_state_of_its_newest_version(orders: Path) -> None:
    facts = decode_facts(read_table_entry(build_source(orders)).content.blob)
    key = model.build_dataset_key("file", str(orders))
    about = list_attributes(facts)
    table = DeltaTable(orders)
    assert about[key] == {
        "dataset_type": "TABLE",
        "format": "delta",
        "location": f"file://{orders}",
        "table_uuid": str(table.metadata().id),
        "table_name": "orders",
        "description": "all of them",
        "partition_columns": ["day"],
        "properties": {"data-product.owner": "ana@example.com"},
        "constraints": [{"name": "id_positive", "type": "CHECK", "expression": "order_id > 0"}],
    }
    assert about[model.build_column_key(key, "order_id")] == {"type": "long", "nullable": False}
    assert about[model.build_column_key(key, "email")] == {
        "type": "string", "nullable": True, "description": "who ordered", "properties": {"pii": "true"},
    }  # fmt: skip
    assert about[model.build_column_key(key, "amounts")]["type"] == "map<string, struct<net: decimal(10,2)>>"
    assert about[model.build_column_key(key, "amounts.value.net")]["type"] == "decimal(10,2)"
    assert list_paths(facts) == [
        "order_id", "email", "day", "address", "address.city", "tags", "tags.element",
        "amounts", "amounts.key", "amounts.value", "amounts.value.net",
    ]  # fmt: skip


def test_earlier_states_are_ingested_at_the_times_of_their_commits(orders: Path) -> None:
    one = read_table_entry(build_source(orders))
    times = {commit["version"]: commit["timestamp"] * 1000 for commit in DeltaTable(orders).history()}
    assert [list_paths(decode_facts(content.blob))[-1] for _, content in one.past] == [
        "day",
        "address.city",
        "address.city",
        "address.city",
    ]
    assert one.time is not None
    assert one.time - times[4] < 1000  # commits of one millisecond are kept apart
    assert [at // 1000 for at, _ in one.past] == pytest.approx([times[version] // 1000 for version in range(4)], abs=1)
    assert sorted({*(at for at, _ in one.past), one.time}) == [*(at for at, _ in one.past), one.time]


def test_versions_with_the_same_content_are_one(orders: Path) -> None:
    before = read_table_entry(build_source(orders))
    table = DeltaTable(orders)
    table.delete()
    table.optimize.compact()
    assert read_table_entry(build_source(orders)) == before


def test_a_limited_number_of_commits_is_read_with_a_warning(orders: Path) -> None:
    items, _, warnings = read_source(build_source(orders, versions=2))
    [one] = items
    assert isinstance(one, Entry)
    assert len(one.past) == 1
    assert warnings == [f"{orders}: the 3 versions before version 3 were not read"]


def test_an_unchanged_table_is_not_read(orders: Path, graph: LiveGraph) -> None:
    assert load_source(graph, build_source(orders))[2:6] == (1, 0, 1, 0)
    revision = graph.index.revision
    assert load_source(graph, build_source(orders))[1:7] == (revision, 0, 1, 0, 0, 0)


def test_a_changed_table_is_read_from_where_it_was(orders: Path, graph: LiveGraph) -> None:
    load_source(graph, build_source(orders))
    DeltaTable(orders).alter.add_columns([Field("channel", STRING)])
    items, _, _ = read_source(build_source(orders), dict(build_context(graph, Naming(), Path.cwd(), "delta/default").memory))
    [one] = items
    assert isinstance(one, Entry)
    assert len(one.past) == 1
    loading = load_source(graph, build_source(orders))
    assert loading[2:6] == (1, 0, 0, 1)
    assert [
        column.name for column in build_context(graph, Naming(), Path.cwd(), "x").columns_of(model.build_dataset_key("file", str(orders)))
    ] != []


def test_another_table_at_the_same_place_is_read(orders: Path, tmp_path: Path, graph: LiveGraph) -> None:
    load_source(graph, build_source(orders))
    orders.rename(tmp_path / "old")
    DeltaTable.create(orders, Schema([Field("id", LONG)]))
    loading = load_source(graph, build_source(orders))
    assert loading[2:6] == (1, 0, 0, 1)


def test_patterns_mean_folders_with_a_log(orders: Path, tmp_path: Path) -> None:
    DeltaTable.create(tmp_path / "lake" / "customers", Schema([Field("id", LONG)]))
    (tmp_path / "lake" / "notes").mkdir()
    items, _, _ = read_source(build_source(tmp_path / "lake" / "*", orders))
    assert [item.scope[2].rpartition("/")[2] for item in items if isinstance(item, Entry)] == ["customers", "orders"]
    deep, _, _ = read_source(build_source(tmp_path / "**"))
    assert len(deep) == 2
    [uri] = read_source(Delta(tables=(orders.as_uri(),)))[0]
    assert isinstance(uri, Entry)


def test_one_that_cannot_be_read_does_not_stop_the_others(orders: Path, tmp_path: Path, graph: LiveGraph) -> None:
    broken = tmp_path / "lake" / "broken"
    (broken / "_delta_log").mkdir(parents=True)
    (broken / "_delta_log" / f"{0:020}.json").write_text('{"metaData": {"id": 7}}\n')
    (tmp_path / "empty").mkdir()
    bad = [tmp_path / "nothing", tmp_path / "empty", broken, tmp_path / "x*"]
    source = build_source(*bad, orders)
    refusals = [item for item in read_source(source)[0] if isinstance(item, Refusal)]
    assert [refusal.error.where for refusal in refusals] == list(map(str, bad))
    assert [str(refusal.error).partition(": ")[2].partition(":")[0].partition(" (")[0] for refusal in refusals] == [
        "this is not a Delta table; accepted is a folder with a _delta_log",
        "this is not a Delta table; accepted is a folder with a _delta_log",
        "the Delta table cannot be read",
        "no Delta table matches; accepted are folders of tables, patterns such as lake/*/*, and URLs",
    ]
    loading = load_source(graph, source)
    assert (loading.new, len(loading.refused)) == (1, 4)


def test_a_removed_table_is_retracted_and_one_that_cannot_be_read_is_kept(orders: Path, tmp_path: Path, graph: LiveGraph) -> None:
    other = orders.with_name("customers")
    DeltaTable.create(other, Schema([Field("id", LONG)]))
    lake = orders.with_name("*")
    assert load_source(graph, build_source(lake)).new == 2
    other.rename(tmp_path / "away")
    assert load_source(graph, build_source(lake, complete=False)).retracted == 0
    assert load_source(graph, build_source(lake, other))[6:8] == (0, 1)
    assert load_source(graph, build_source(lake)).retracted == 1


def test_properties_make_a_product_and_its_owner(orders: Path) -> None:
    properties = {"data-product.name": "orders", "data-product.domain": "sales", "data-product.sla.freshness": "PT1H"}
    DeltaTable(orders).alter.set_table_properties(properties, raise_if_not_exists=False)
    facts = decode_facts(read_table_entry(build_source(orders)).content.blob)
    key, product = model.build_dataset_key("file", str(orders)), model.build_data_product_key("orders")
    assert list_attributes(facts)[product] == {"slo": {"freshness": "PT1H"}}
    edges = {(edge.type, edge.start, edge.end) for edge in facts.edges if edge.type is not EdgeType.HAS_COLUMN}
    assert edges == {
        (EdgeType.PORT, product, key),
        (EdgeType.PART_OF, product, model.build_domain_key("sales")),
        (EdgeType.OWNS, model.build_owner_key("ana@example.com"), product),
    }


def test_the_newest_version_that_wrote_data_determines_the_freshness(tmp_path: Path) -> None:
    path = tmp_path / "orders"
    rows = arro3.Table({"id": arro3.Array([1, 2], type=arro3.DataType.int64())})
    write_deltalake(path, rows)
    write_deltalake(path, rows, mode="append")
    DeltaTable(path).alter.set_table_properties({"a": "b"}, raise_if_not_exists=False)
    items, memory, _ = read_source(build_source(path))
    [snapshot] = [item for item in items if isinstance(item, Entry) and item.scope[-1] == "snapshot"]
    time = next(commit["timestamp"] for commit in DeltaTable(path).history() if commit["version"] == 1)
    assert list_attributes(decode_facts(snapshot.content.blob)) == {
        model.build_dataset_key("file", str(path)): {"snapshot_id": "1", "snapshot_at": time, "snapshot_operation": "WRITE"}
    }
    DeltaTable(path).alter.set_table_properties({"a": "c"}, raise_if_not_exists=False)
    items, memory, _ = read_source(build_source(path), memory)
    assert [type(item) for item in items] == [Entry, Unchanged]
    assert set(read_source(build_source(path), memory)[0]) == {Unchanged(items[0].scope), Unchanged(snapshot.scope)}  # type: ignore[union-attr]
    DeltaTable(path).delete("id = 1")
    items, _, _ = read_source(build_source(path), memory)
    assert {item.scope: item.time for item in items if isinstance(item, Entry)}[snapshot.scope] is not None
    assert len(items) == 2


@pytest.mark.parametrize("text", ["s3://bucket", "s3://bucket/a/*", "s3:///a"])
def test_urls_that_name_no_table_are_refused(text: str) -> None:
    [refused] = read_source(Delta(tables=(text,)))[0]
    assert isinstance(refused, Refusal)
    assert "accepted are URLs such as s3://bucket/path" in str(refused.error)


def test_secrets_are_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", "very-secret-key")
    options = {
        "AWS_ACCESS_KEY_ID": "AKIA-secret", "AWS_SECRET_ACCESS_KEY": "${THE_KEY}", "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ALLOW_HTTP": "true", "AWS_REGION": "eu-west-1", "max_retries": "0",
    }  # fmt: skip
    source = Delta(tables=("s3a://bucket/orders",), storage_options=options)
    [refused] = read_source(source)[0]
    assert isinstance(refused, Refusal)
    assert refused.about == ("table", "s3://bucket", "orders")
    assert "secret" not in f"{refused.error} {source!r}"
    monkeypatch.delenv("THE_KEY")
    with pytest.raises(Exception, match="the environment variable THE_KEY is not set"):
        read_source(source)


# -- column mapping


def build_mapped_field(name: str, number: int, kind: object = "string", *, nullable: bool = True) -> dict[str, object]:
    metadata = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": f"col-{number}"}
    return {"name": name, "type": kind, "nullable": nullable, "metadata": metadata}


def build_struct(*fields: object) -> dict[str, object]:
    return {"type": "struct", "fields": list(fields)}


def write_commit(
    folder: Path, version: int, operation: str, fields: Sequence[object], *, configuration: dict[str, str] | None = None
) -> None:
    """One commit that changes the schema, as delta-spark writes it."""
    log = folder / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    info = {
        "timestamp": AT + version * 1000, "operation": operation, "operationParameters": {}, "isolationLevel": "Serializable",
        "isBlindAppend": True, "operationMetrics": {}, "engineInfo": "Apache-Spark/3.5.9 Delta-Lake/3.3.2",
        "txnId": "f0eaae90-5c8a-4a4d-8f0d-0d4b7be1c1b5",
    }  # fmt: skip
    metadata = {
        "id": "2a0b8a2e-5a4b-4a9c-9df5-4f8c7a7f2a11", "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps(build_struct(*fields)), "partitionColumns": [],
        "configuration": configuration if configuration is not None
        else {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "9"},
        "createdTime": AT,
    }  # fmt: skip
    protocol = [{"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}] if version == 0 else []
    lines = [{"commitInfo": info}, *protocol, {"metaData": metadata}]
    (log / f"{version:020}.json").write_text("".join(json.dumps(line) + "\n" for line in lines))


def list_move_scopes(items: Sequence[Item]) -> list[tuple[str, ...]]:
    return [item.scope for item in items if isinstance(item, (Entry, Unchanged)) and item.scope[0] != "table"]


def test_a_renamed_column_goes_on_and_a_dropped_one_ends(tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    write_commit(folder, 0, "CREATE TABLE", [build_mapped_field("id", 1), build_mapped_field("mail", 2), build_mapped_field("note", 3)])
    write_commit(folder, 1, "RENAME COLUMN", [build_mapped_field("id", 1), build_mapped_field("email", 2), build_mapped_field("note", 3)])
    write_commit(folder, 2, "DROP COLUMNS", [build_mapped_field("id", 1), build_mapped_field("email", 2)])
    write_commit(folder, 3, "ADD COLUMNS", [build_mapped_field("id", 1), build_mapped_field("email", 2), build_mapped_field("note", 4)])
    items, memory, _ = read_source(build_source(folder))
    name = str(folder)
    renamed, dropped = (AT + 1000) * 1000, (AT + 2000) * 1000 - 1
    assert list_move_scopes(items) == [
        ("column-renamed", "file", name, "mail", "email", str(renamed)),
        ("column-dropped", "file", name, "note", str(dropped)),
    ]
    rename, drop = (item for item in items[1:] if isinstance(item, Entry))
    key = model.build_dataset_key("file", name)
    assert (rename.time, drop.time) == (renamed, dropped)
    [edge] = decode_facts(rename.content.blob).edges
    assert (edge.type, edge.start, edge.end) == (
        EdgeType.RENAMED_TO,
        model.build_column_key(key, "mail"),
        model.build_column_key(key, "email"),
    )
    assert list_attributes(decode_facts(drop.content.blob)) == {model.build_column_key(key, "note"): {"dropped": True}}
    [table] = [item for item in items if isinstance(item, Entry) and item.scope[0] == "table"]
    assert list_attributes(decode_facts(table.content.blob))[model.build_column_key(key, "note")]["field_id"] == 4

    again, _, _ = read_source(build_source(folder), memory)
    assert [type(item) for item in again] == [Unchanged] * 3
    write_commit(folder, 4, "RENAME COLUMN", [build_mapped_field("key", 1), build_mapped_field("email", 2), build_mapped_field("note", 4)])
    later, _, _ = read_source(build_source(folder), memory)
    assert list_move_scopes(later) == [*list_move_scopes(items), ("column-renamed", "file", name, "id", "key", str((AT + 4000) * 1000))]


def test_what_is_nested_in_a_renamed_column_is_renamed_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    city, lines = (
        build_mapped_field("city", 2),
        {"type": "array", "elementType": build_struct(build_mapped_field("sku", 4)), "containsNull": True},
    )
    write_commit(folder, 0, "CREATE TABLE", [build_mapped_field("address", 1, build_struct(city)), build_mapped_field("lines", 3, lines)])
    write_commit(folder, 1, "RENAME COLUMN", [build_mapped_field("home", 1, build_struct(city)), build_mapped_field("items", 3, lines)])
    assert [scope[3:5] for scope in list_move_scopes(read_source(build_source(folder))[0])] == [
        ("address", "home"), ("address.city", "home.city"),
        ("lines", "items"), ("lines.element", "items.element"), ("lines.element.sku", "items.element.sku"),
    ]  # fmt: skip


def test_a_column_without_an_id_is_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    plain = {"name": "mail", "type": "string", "nullable": True, "metadata": {}}
    write_commit(folder, 0, "CREATE TABLE", [plain], configuration={})
    write_commit(folder, 1, "WRITE", [{**plain, "name": "email"}], configuration={})
    write_commit(folder, 2, "SET TBLPROPERTIES", [build_mapped_field("email", 1)])
    assert list_move_scopes(read_source(build_source(folder))[0]) == []


@pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set")
def test_the_recorded_schema_is_read() -> None:
    table = json.loads((Path(CORPUS or "") / "recorded" / "delta_orders.json").read_text())
    assert [(column.path, column.type) for column in parse_columns(table["schema"])] == [
        ("order_id", "long"), ("email_address", "string"), ("amount", "double"),
    ]  # fmt: skip
