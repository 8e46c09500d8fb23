"""A Hive metastore, recorded from real ones of versions 2.3.9 and 4.0.1 (scripts/record-metastore): Spark in a Hive metastore, pyiceberg,
deltalake; and views in the form that Trino gives them.
"""

from __future__ import annotations

import json
import shutil
import socket
import socketserver
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hive_metastore.ttypes import FieldSchema

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    AssetKey,
    EdgeType,
    FlowType,
    build_column_key,
    build_data_product_key,
    build_dataset_key,
    build_owner_key,
    get_current_micros,
)
from meshline.graph.naming import Naming
from meshline.graph.store.factory import open_store
from meshline.ingest.openlineage.builder import BatchBuilder
from meshline.ingest.openlineage.event_files import read_events
from meshline.ingest.pipeline import Pipeline, ingest_all
from meshline.ingest.sources.base import Entry, Item, Source
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.metastore import hive, walk
from meshline.ingest.sources.metastore.hive import Hive
from meshline.ingest.sources.metastore.hive_tables import HiveColumn, HiveTable, parse_hive_table
from meshline.ingest.sources.metastore.type_text import list_nested_columns
from meshline.ingest.sources.reading_loader import Loading, load_reading
from tests.ingest.sources.iceberg_catalog import LOCAL_FILES, count_outcomes, read_shown_attributes
from tests.ingest.sources.metastore_server import RECORDED, VERSIONS, RecordedMetastore, serve_metastore
from tests.ingest.sources.metastore_tables import TRINO_VIEW, build_table, encode_trino_view

NAMESPACE = "hive://metastore.internal:9083"
OLD, NEW = VERSIONS


def build_key(name: str, column: str = "") -> AssetKey:
    dataset = build_dataset_key(NAMESPACE, name)
    return build_column_key(dataset, column) if column else dataset


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[LiveGraph]:
    store = open_store(f"sqlite:///{tmp_path}/hive.db")
    yield LiveGraph.open(store)
    store.close()


def sync(graph: LiveGraph, uri: str, **keys: Any) -> Loading:
    source = Hive(uri=uri, **{"namespace": NAMESPACE, "properties": LOCAL_FILES, **keys})
    return load_source(graph, source)


def load_source(graph: LiveGraph, source: Source) -> Loading:
    return load_reading(graph, source.read(build_context(graph, Naming(), Path(), source.source)), get_current_micros())


def list_columns(graph: LiveGraph, name: str) -> dict[str, str]:
    """The columns of a dataset with their types."""
    context = build_context(graph, Naming(), Path(), None)
    return {column.name: column.type for column in context.columns_of(build_key(name))}


def list_flows(graph: LiveGraph, name: str) -> set[tuple[str, str, str, str]]:
    """(start, end, type, subtype) of what flows from or to columns into a dataset."""
    from meshline.graph.content import decode_facts  # noqa: PLC0415

    found = set()
    for heads in graph.store.iterate_heads():
        for head in heads:
            for flow in decode_facts(head.content.blob).flows if head.content else ():
                if flow.end.parts[1] == name and len(flow.start.parts) == 3:
                    start, end = (".".join(key.parts[1:]) for key in (flow.start, flow.end))
                    found.add((start, end, flow.type.value, flow.subtype))
    return found


def test_tables_of_spark_have_its_columns_owner_product_and_place(graph: LiveGraph) -> None:
    with serve_metastore(RecordedMetastore(OLD)) as uri:
        loading = sync(graph, uri)
    assert not loading.refused
    assert not loading.warnings
    assert list_columns(graph, "shop.orders") == {
        "id": "long",
        "customerEmail": "string",  # Hive has it in lower case; Spark's own schema beside it does not
        "address": "struct<city: string, zip: string>",
        "address.city": "string",
        "address.zip": "string",
        "tags": "array<string>",
        "tags.element": "string",
        "scores": "map<string, integer>",
        "scores.key": "string",
        "scores.value": "integer",
        "amount": "decimal(10,2)",
        "day": "date",
    }
    shown = read_shown_attributes(graph, build_key("shop.orders"))
    assert (shown["format"], shown["description"], shown["partition_columns"]) == ("parquet", "all orders", ["day"])
    assert (shown["dataset_type"], shown["table_type"]) == ("TABLE", "MANAGED_TABLE")
    assert shown["namespace_description"] == "what the shop sells"
    assert set(shown["properties"]) == {"data-product.name", "data-product.owner", "data-product.domain"}, "Spark's own notes are not shown"
    assert read_shown_attributes(graph, build_key("shop.orders", "address.city"))["description"] == "where"
    assert read_shown_attributes(graph, build_key("shop.orders", "day"))["is_partition"] is True
    with graph.lock:
        assets = graph.index.assets
        node, product = assets.find_by_key(build_key("shop.orders")), assets.find_by_key(build_data_product_key("orders"))
        assert node is not None
        assert product is not None
        assert [key.parts[0] for key in assets.list_names(node)] == ["file", NAMESPACE]
        assert graph.index.ownership.list_edges(product, EdgeType.PORT)
    assert list_columns(graph, "shop.clicks") == {"user_id": "long", "url": "string", "day": "string"}
    assert read_shown_attributes(graph, build_key("shop.clicks"))["format"] == "orc"
    assert read_shown_attributes(graph, build_key("shop.totals"))["size_bytes"] > 0


def test_tables_of_iceberg_and_delta_are_described_by_their_own_metadata(graph: LiveGraph) -> None:
    with serve_metastore(RecordedMetastore(OLD)) as uri:
        sync(graph, uri)
    shown = read_shown_attributes(graph, build_key("shop.items"))
    assert (shown["format"], shown["format_version"], shown["record_count"]) == ("iceberg", 2, 1)
    assert list_columns(graph, "shop.items") == {"sku": "string", "unit_price": "decimal(10, 2)"}
    assert read_shown_attributes(graph, build_key("shop.items", "unit_price"))["field_id"] == 2
    with graph.lock:
        renamed = graph.index.assets.find_by_key(build_key("shop.items", "price"))
        assert renamed == graph.index.assets.find_by_key(build_key("shop.items", "unit_price")), "Spark renamed it: it is the same column"
    assert list_columns(graph, "shop.stock") == {"sku": "string", "pieces": "long"}, "not the column `col` that Spark writes instead"
    shown = read_shown_attributes(graph, build_key("shop.stock"))
    assert (shown["format"], shown["description"]) == ("delta", "what is there")
    assert "size_bytes" not in shown, "the metastore does not see what is written"


def test_views_of_spark_hive_and_trino_have_lineage_by_column(graph: LiveGraph) -> None:
    with serve_metastore(RecordedMetastore(OLD)) as uri:
        sync(graph, uri)
    direct = FlowType.DIRECT.value
    assert list_flows(graph, "shop.paid") == {
        ("shop.orders.id", "shop.paid.id", direct, "IDENTITY"),
        ("shop.orders.customerEmail", "shop.paid.mail", direct, "TRANSFORMATION"),
        ("shop.orders.amount", "shop.paid", FlowType.INDIRECT.value, "FILTER"),
    }
    assert ("shop.orders.customerEmail", "shop.mails.mail", direct, "IDENTITY") in list_flows(graph, "shop.mails")
    for name in ("shop.seen", "shop.seen_stored"):
        assert ("shop.clicks.url", f"{name}.address", direct, "TRANSFORMATION") in list_flows(graph, name)
    kinds = {name: read_shown_attributes(graph, build_key(name)) for name in ("shop.paid", "shop.mails", "shop.seen", "shop.seen_stored")}
    assert [(one["dataset_type"], one["dialect"]) for one in kinds.values()] == [
        ("VIEW", "spark"), ("VIEW", "hive"), ("VIEW", "trino"), ("MATERIALIZED_VIEW", "trino"),
    ]  # fmt: skip
    assert kinds["shop.seen"]["sql"] == TRINO_VIEW["originalSql"], "decoded"
    assert "description" not in kinds["shop.seen"], "Trino's own comment is none"


def test_names_are_those_of_the_events_of_spark(graph: LiveGraph) -> None:
    """The events were recorded with the tables: what Spark ran and what the metastore has are the same datasets."""
    pipeline = Pipeline(graph, BatchBuilder(Naming()))
    outcomes = list(ingest_all(pipeline, read_events([str(RECORDED / "events.ndjson")]), "openlineage/default"))
    pipeline.close()
    assert not [one.error for one in outcomes if one.error]
    with graph.lock:
        before = len(graph.index.assets.list_of_kind(build_key("x").kind))
    with serve_metastore(RecordedMetastore(OLD)) as uri:
        sync(graph, uri)
    with graph.lock:
        assets = graph.index.assets
        for name in ("orders", "clicks", "items", "totals"):
            node = assets.find_by_key(build_key(f"shop.{name}"))
            assert node is not None
            assert node == assets.find_by_key(build_dataset_key("file", f"/warehouse/shop.db/{name}")), f"the path of {name} in the events"
        views = 4
        assert len(assets.list_of_kind(build_key("x").kind)) == before + views + 1, "besides the views and the Delta table none is new"


def test_a_metastore_of_version_4_is_read_by_the_requests_that_it_still_has(graph: LiveGraph) -> None:
    metastore = RecordedMetastore(NEW)
    with serve_metastore(metastore) as uri:
        loading = sync(graph, uri)
    assert (loading.refused, loading.warnings) == ((), ())
    assert metastore.asked["get_table_objects_by_name"] == 0
    assert list_columns(graph, "shop.orders") == {
        "id": "bigint",
        "customeremail": "string",
        "address": "struct<city:string,zip:array<int>>",
        "address.city": "string",
        "address.zip": "array<int>",
        "address.zip.element": "int",
        "day": "date",
    }
    assert read_shown_attributes(graph, build_key("shop.items"))["format_version"] == 2
    assert read_shown_attributes(graph, build_key("shop.items"))["table_owner"] == "ann@example.com"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_second_reading_writes_nothing_and_a_third_only_what_changed(graph: LiveGraph, version: str) -> None:
    metastore = RecordedMetastore(version)
    with serve_metastore(metastore) as uri:
        first = sync(graph, uri)
        assert count_outcomes(sync(graph, uri)) == (0, 0, first.new, 0, 0)
        table = metastore.tables["shop.clicks"]  # the time of the change is that of before: it has whole seconds
        table.sd.cols.append(FieldSchema("referrer", "string", None))
        table.parameters = {name: text for name, text in table.parameters.items() if not name.startswith("spark.sql.sources.schema")}
        del metastore.tables["shop.mails"]
        loading = sync(graph, uri)
    assert (loading.new, loading.changed, loading.retracted, loading.refused) == (0, 1, 2, ())
    assert "referrer" in list_columns(graph, "shop.clicks")


def test_a_table_that_cannot_be_loaded_is_refused_alone_and_stays(graph: LiveGraph) -> None:
    metastore = RecordedMetastore(NEW)
    with serve_metastore(metastore) as uri:
        sync(graph, uri)
        metastore.broken.add("shop.orders")
        loading = sync(graph, uri)
        assert [str(error) for error in loading.refused] == [
            "shop.orders: the metastore answers MetaException: java.lang.RuntimeException: cannot load the class of the SerDe"
        ]
        assert loading.retracted == 0
        assert "id" in list_columns(graph, "shop.orders")
        metastore.broken.clear()
        assert not sync(graph, uri).refused


def test_a_database_that_goes_away_and_a_database_without_tables(graph: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    metastore = RecordedMetastore(NEW)
    with serve_metastore(metastore) as uri:
        sync(graph, uri)
        monkeypatch.setattr(metastore, "get_all_databases", lambda: ["default", "gone", "shop"])
        loading = sync(graph, uri)
    assert [str(error) for error in loading.refused] == ["gone: the metastore answers NoSuchObjectException: database gone not found"]
    assert (loading.retracted, loading.changed) == (0, 0), "it may have had any table, so nothing is retracted"


def test_pages_and_patterns(graph: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hive, "PAGE", 2)
    metastore = RecordedMetastore(NEW)
    with serve_metastore(metastore) as uri:
        whole = sync(graph, uri)
        assert metastore.asked["get_table_objects_by_name_req"] == 4, "seven tables"
        part = sync(graph, uri, tables=["shop.o*"], name="part")
        assert (part.new, part.retracted) == (1, 0)
        assert count_outcomes(sync(graph, uri)) == (0, 0, whole.new, 0, 0)


def test_a_lost_connection_is_opened_again(graph: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hive, "WAITS", (0.0, 0.0))
    metastore = RecordedMetastore(NEW)
    metastore.drop_connections = 2
    with serve_metastore(metastore) as uri:
        assert not sync(graph, uri).refused


def test_a_metastore_that_goes_away_while_it_is_read_loses_nothing(graph: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hive, "WAITS", (0.0,))
    metastore = RecordedMetastore(NEW)
    with serve_metastore(metastore) as uri:
        sync(graph, uri)
        reading = Hive(uri=uri, namespace=NAMESPACE).read(build_context(graph, Naming(), Path(), "hive/default"))
        metastore.drop_connections = 100
        loading = load_reading(graph, reading, get_current_micros())
    assert "0 tables and views were read, the others remain as they were" in str(loading.refused[0])
    assert loading.retracted == 0


class _Closing(socketserver.BaseRequestHandler):
    """As a metastore that expects SASL does with a client that does not begin with it."""

    def handle(self) -> None:
        self.request.recv(4)


class _Talking(socketserver.BaseRequestHandler):
    """Another program."""

    def handle(self) -> None:
        self.request.recv(4)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_what_is_no_metastore_is_named(graph: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hive, "WAITS", ())
    with serve_metastore(None, _Closing) as uri, pytest.raises(StoreUnavailable, match=r"does it demand Kerberos \(SASL\) or TLS\?"):
        sync(graph, uri)
    with serve_metastore(None, _Talking) as uri, pytest.raises((StoreUnavailable, InvalidInput), match="metastore"):
        sync(graph, uri)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(StoreUnavailable, match=f"the Hive metastore at 127.0.0.1:{port} does not answer"):
        sync(graph, f"thrift://127.0.0.1:{port}")


def test_the_first_address_that_answers_is_used(graph: LiveGraph) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serve_metastore(RecordedMetastore(NEW)) as uri:
        source = Hive(uri=f"thrift://127.0.0.1:{port},{uri}", properties=LOCAL_FILES)
        assert not load_source(graph, source).refused
    with graph.lock:
        assert graph.index.assets.find_by_key(build_dataset_key(f"hive://127.0.0.1:{port}", "shop.orders")) is not None


@pytest.mark.parametrize("uri", ["", "metastore:9083", "http://metastore", "thrift://", "thrift://user:pw@metastore", "thrift://a:x", ","])
def test_an_address_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(InvalidInput, match="accepted is the address of a Hive metastore such as thrift://metastore:9083"):
        hive.parse_addresses(uri)


def test_metadata_that_cannot_be_read_leave_the_table_as_the_catalog_lists_it(graph: LiveGraph, tmp_path: Path) -> None:
    metastore = RecordedMetastore(OLD)
    metastore.tables["shop.items"].parameters["metadata_location"] = f"file:{tmp_path}/none.metadata.json"
    metastore.tables["shop.stock"].sd.location = f"file:{tmp_path}/nothing"
    with serve_metastore(metastore) as uri:
        loading = sync(graph, uri)
        assert not loading.refused
        items, stock = loading.warnings
        assert items.startswith("shop.items: it is as the catalog lists it, without its history, because")
        assert stock.startswith("shop.stock: its Delta log is not read, so it is without columns:")
        assert read_shown_attributes(graph, build_key("shop.items"))["format"] == "iceberg"
        assert set(list_columns(graph, "shop.items")) == {"sku", "unit_price"}, "what Iceberg writes for Hive"
        assert list_columns(graph, "shop.stock") == {}, "the column that Spark writes instead is none"
        shutil.copytree(RECORDED / OLD / "warehouse" / "shop" / "stock", tmp_path / "nothing")
        assert len(sync(graph, uri).warnings) == 1, "tried again at each reading"
    assert set(list_columns(graph, "shop.stock")) == {"sku", "pieces"}


def test_a_table_of_iceberg_whose_metadata_go_away_stays_as_it_was(graph: LiveGraph, tmp_path: Path) -> None:
    metastore = RecordedMetastore(OLD)
    with serve_metastore(metastore) as uri:
        first = sync(graph, uri)
        metastore.tables["shop.items"].parameters["metadata_location"] = f"file:{tmp_path}/none.metadata.json"
        loading = sync(graph, uri)
    assert (loading.new, loading.changed, loading.retracted, loading.unchanged) == (0, 0, 0, first.new)
    assert loading.warnings[0].startswith("shop.items: it remains as it was, because ")
    assert "its metadata cannot be read: FileNotFoundError" in loading.warnings[0]


def test_secrets_of_the_storage_are_in_no_message(graph: LiveGraph) -> None:
    metastore = RecordedMetastore(OLD)
    metastore.tables["shop.items"].parameters["metadata_location"] = "s3://user:hunter22@bucket/none.metadata.json"
    with serve_metastore(metastore) as uri:
        loading = sync(graph, uri, properties={**LOCAL_FILES, "s3.secret-access-key": "hunter22"})
    assert "hunter22" not in " ".join(loading.warnings)


def test_a_storage_that_is_away_is_tried_once(graph: LiveGraph) -> None:
    metastore = RecordedMetastore(OLD)
    for name in ("one", "two"):
        table = build_table(name, [("col", "array<string>")], "EXTERNAL_TABLE", location=f"s3://away/{name}")
        table.parameters = {"spark.sql.sources.provider": "delta"}
        metastore.tables[f"shop.{name}"] = table
    options = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ALLOW_HTTP": "true", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    quick = {"max_retries": "0", "retry_timeout": "1s", "AWS_REGION": "eu-west-1"}
    with serve_metastore(metastore) as uri:
        loading = sync(graph, uri, storage_options={**options, **quick})
    first, second = loading.warnings
    assert first.startswith("shop.one: its Delta log is not read, so it is without columns: s3://away/one: the Delta table cannot be read")
    assert "s3://away could not be read for another table" in second
    assert list_columns(graph, "shop.stock"), "a local one is read all the same"


@pytest.mark.parametrize(
    ("type_", "paths"),
    [
        ("int", []),
        ("decimal(10,2)", []),
        ("array<struct<a:int,b:array<string>>>", ["c.element", "c.element.a", "c.element.b", "c.element.b.element"]),
        ("map<string,struct<x:int>>", ["c.key", "c.value", "c.value.x"]),
        ("STRUCT<Größe:decimal(10,2),`a:b,c`:string, d: int NOT NULL COMMENT 'x, y'>", ["c.Größe", "c.a:b,c", "c.d"]),
        ("uniontype<int,struct<a:int>>", []),
        ("struct<>", []),
        ("struct<a:int", []),
        ("struct<:int>", []),
        ("array<int,int>", []),
        ("map<int>", []),
        (">", []),
    ],
)
def test_columns_within_a_type(type_: str, paths: list[str]) -> None:
    assert [one.path for one in list_nested_columns("c", type_, 1)] == paths


def test_the_comment_within_a_type_is_a_description() -> None:
    (found,) = list_nested_columns("c", "struct<d: int NOT NULL COMMENT 'x, y'>", 1)
    assert (found.type, found.comment) == ("int", "x, y")


def test_limits_of_columns_and_depth() -> None:
    deep = HiveTable(database="a", name="b", columns=[HiveColumn("c", "array<" * 40 + "int" + ">" * 40)])
    with pytest.raises(InvalidInput, match=r"c\.element.* is nested more than 24 levels deep"):
        parse_hive_table(deep)
    wide = HiveTable(database="a", name="b", columns=[HiveColumn(f"c{at}", "int") for at in range(20_001)])
    with pytest.raises(InvalidInput, match="the table has more than 20000 columns"):
        parse_hive_table(wide)


def build_view(**given: Any) -> HiveTable:
    return HiveTable(database="shop", name="v", table_type="VIRTUAL_VIEW", **given)


def test_texts_of_views_that_cannot_be_decoded_are_none() -> None:
    for text in ("/* Presto View: AAAA */", "/* Presto View: bm8= */", encode_trino_view({"originalSql": 1}), "/* Presto View: !! */"):
        found = parse_hive_table(build_view(view_original=text))
        assert found.dataset_type == "VIEW"
        assert found.view is None or found.view.sql == text
    old_spark = parse_hive_table(
        build_view(view_original="select 1", parameters={"spark.sql.create.version": "2.2", "view.default.database": "d"})
    )
    assert old_spark.view is not None
    assert (old_spark.view.dialect, old_spark.view.default_namespace) == ("spark", ("d",))


@pytest.mark.parametrize("schema", ["{", "[]", '{"fields": [1]}', '{"type": "record", "fields": [{"name": "a"}]}', "[" * 100_000])
def test_a_schema_of_spark_that_is_none_leaves_the_columns_of_hive(schema: str) -> None:
    table = HiveTable(database="a", name="b", columns=[HiveColumn("c", "int")], parameters={"spark.sql.sources.schema": schema})
    assert [one.path for one in parse_hive_table(table).columns] == ["c"]


def test_a_schema_in_pieces_with_a_piece_missing_leaves_the_columns_of_hive() -> None:
    text = json.dumps({"type": "struct", "fields": [{"name": "C", "type": "integer", "nullable": True, "metadata": {}}]})
    pieces = {f"spark.sql.sources.schema.part.{at}": piece for at, piece in enumerate((text[:20], text[20:]))}
    whole = {"spark.sql.sources.schema.numParts": "2", **pieces}
    for parameters, column in (
        (whole, "C"),
        ({**whole, "spark.sql.sources.schema.part.1": ""}, "c"),
        ({**whole, "spark.sql.sources.schema.numParts": "x"}, "c"),
    ):
        table = HiveTable(database="a", name="b", columns=[HiveColumn("c", "int")], parameters=parameters)
        assert [one.path for one in parse_hive_table(table).columns] == [column]


@pytest.mark.parametrize(
    ("parameters", "input_format", "format_"),
    [
        ({}, "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat", "orc"),
        ({}, "org.apache.hudi.hadoop.HoodieParquetInputFormat", "hudi"),
        ({"spark.sql.sources.provider": "org.apache.spark.sql.avro"}, "", "avro"),
        ({"table_type": "ICEBERG"}, "", "iceberg"),
        ({"storage_handler": "io.delta.hive.DeltaStorageHandler"}, "", "delta"),
        ({"storage_handler": "org.apache.iceberg.mr.hive.HiveIcebergStorageHandler"}, "", "iceberg"),
        ({}, "com.example.Unknown", ""),
    ],
)
def test_formats(parameters: dict[str, str], input_format: str, format_: str) -> None:
    assert parse_hive_table(HiveTable(database="a", name="b", parameters=parameters, input_format=input_format)).format == format_


def test_owners_that_are_groups_or_addresses_are_owners_and_users_of_processes_are_not(graph: LiveGraph) -> None:
    metastore = RecordedMetastore(NEW)
    for name, owner, kind in (("one", "sales", 3), ("two", "ann@example.com", 1), ("three", "spark", 1)):
        table = build_table(name, [("id", "bigint")], "MANAGED_TABLE")
        table.owner, table.ownerType = owner, kind
        metastore.tables[f"shop.{name}"] = table
    metastore.databases["shop"].ownerName = ""
    with serve_metastore(metastore) as uri:
        sync(graph, uri)
    with graph.lock:
        owners = [graph.index.assets.find_by_key(build_owner_key(name)) for name in ("sales", "ann@example.com", "spark")]
        assert [node is not None and bool(graph.index.ownership.list_edges(node, EdgeType.OWNS)) for node in owners] == [True, True, False]


def test_a_name_that_is_none_is_refused(graph: LiveGraph) -> None:
    metastore = RecordedMetastore(NEW)
    metastore.tables["shop."] = build_table("", [("id", "bigint")], "MANAGED_TABLE")
    with serve_metastore(metastore) as uri:
        loading = sync(graph, uri)
    assert [str(error) for error in loading.refused] == ["shop.: a name must have 1 to 1000 characters"]


def test_the_times_are_those_of_the_last_change(graph: LiveGraph) -> None:
    metastore = RecordedMetastore(NEW)
    with serve_metastore(metastore) as uri:
        items: list[Item] = list(Hive(uri=uri, namespace=NAMESPACE).read(build_context(graph, Naming(), Path(), "hive/x")).items)
    changed = int(metastore.tables["shop.orders"].parameters["transient_lastDdlTime"])
    times = {one.scope[2]: one.time for one in items if isinstance(one, Entry) and one.scope[-1] == walk.TABLE}
    assert times["shop.orders"] == changed * 1_000_000


def test_the_digest_is_stable() -> None:
    table = parse_hive_table(HiveTable(database="a", name="b", parameters={"x": "1", "y": "2"}))
    same = parse_hive_table(HiveTable(database="a", name="b", parameters={"y": "2", "x": "1"}))
    assert table.digest == same.digest
    assert table.digest != msgspec.structs.replace(table, comment="c").digest
