"""AWS Glue, played by moto over HTTP and read with boto3: tables of the Hive kind, views of Athena, Iceberg tables, and refusals."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, EdgeType, build_column_key, build_data_product_key, build_dataset_key
from meshline.graph.store.factory import open_store
from meshline.ingest.sources.metastore import glue
from meshline.ingest.sources.metastore.glue import Glue
from tests.ingest.sources.iceberg_catalog import LOCAL_FILES, count_outcomes, ignore_warnings, read_shown_attributes
from tests.ingest.sources.metastore_server import RECORDED, VERSIONS
from tests.ingest.sources.metastore_tables import encode_trino_view
from tests.ingest.sources.test_hive import list_flows, load_source

REGION, ACCOUNT = "eu-west-1", "123456789012"
NAMESPACE = f"arn:aws:glue:{REGION}:{ACCOUNT}"
PARQUET = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
ATHENA_VIEW = {
    "originalSql": "SELECT id, lower(mail) AS mail FROM orders WHERE amount > 0",
    "catalog": "awsdatacatalog",
    "schema": "shop",
    "columns": [{"name": "id", "type": "bigint"}, {"name": "mail", "type": "varchar"}],
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """boto3's client of an empty Glue; with credentials in the environment, as most have them."""
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    found = boto3.client("glue", region_name=REGION, endpoint_url=endpoint)
    for database in found.get_databases()["DatabaseList"]:
        found.delete_database(Name=database["Name"])
    return found


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    store = open_store("sqlite://")
    yield LiveGraph.open(store)
    store.close()


def build_key(name: str, column: str = "") -> AssetKey:
    dataset = build_dataset_key(NAMESPACE, f"table/shop/{name}")
    return build_column_key(dataset, column) if column else dataset


def build_source(endpoint: str, **keys: Any) -> Glue:
    return Glue(**{"region": REGION, "endpoint": endpoint, "properties": LOCAL_FILES, **keys})


def add_tables(client: Any) -> None:
    client.create_database(DatabaseInput={"Name": "shop", "Description": "what the shop sells"})
    columns = [
        {"Name": "id", "Type": "bigint", "Comment": "the number"},
        {"Name": "mail", "Type": "string"},
        {"Name": "address", "Type": "struct<city:string,zip:array<int>>"},
        {"Name": "amount", "Type": "decimal(10,2)"},
    ]
    storage = {"Columns": columns, "Location": "s3://lake/shop/orders/", "InputFormat": PARQUET}
    client.create_table(
        DatabaseName="shop",
        TableInput={
            "Name": "orders",
            "Description": "all orders",
            "Owner": "hadoop",
            "StorageDescriptor": storage,
            "PartitionKeys": [{"Name": "day", "Type": "date"}],
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"classification": "parquet", "data-product.name": "orders", "numRows": "7"},
        },
    )
    client.create_table(
        DatabaseName="shop",
        TableInput={
            "Name": "paid",
            "StorageDescriptor": {"Columns": columns[:2]},
            "TableType": "VIRTUAL_VIEW",
            "Parameters": {"presto_view": "true", "comment": "Presto View"},
            "ViewOriginalText": encode_trino_view(ATHENA_VIEW),
            "ViewExpandedText": "/* Presto View */",
        },
    )


def test_tables_and_views(graph: LiveGraph, client: Any, endpoint: str) -> None:
    add_tables(client)
    source = build_source(endpoint)
    loading = load_source(graph, source)
    assert (loading.refused, loading.warnings) == ((), ())
    shown = read_shown_attributes(graph, build_key("orders"))
    assert (shown["format"], shown["description"], shown["namespace_description"]) == ("parquet", "all orders", "what the shop sells")
    assert (shown["table_type"], shown["partition_columns"]) == ("EXTERNAL_TABLE", ["day"])
    assert (shown["location"], shown["record_count"], shown["table_owner"]) == ("s3://lake/shop/orders/", 7, "hadoop")
    assert read_shown_attributes(graph, build_key("orders", "address.zip.element"))["type"] == "int"
    assert read_shown_attributes(graph, build_key("orders", "id"))["description"] == "the number"
    with graph.lock:
        assets = graph.index.assets
        product = assets.find_by_key(build_data_product_key("orders"))
        assert product is not None
        assert graph.index.ownership.list_edges(product, EdgeType.PORT)
        assert assets.find_by_key(build_key("orders")) == assets.find_by_key(build_dataset_key("s3://lake", "shop/orders"))
    view = read_shown_attributes(graph, build_key("paid"))
    assert (view["dataset_type"], view["dialect"]) == ("VIEW", "trino")
    assert list_flows(graph, "table/shop/paid") == {
        ("table/shop/orders.id", "table/shop/paid.id", "DIRECT", "IDENTITY"),
        ("table/shop/orders.mail", "table/shop/paid.mail", "DIRECT", "TRANSFORMATION"),
        ("table/shop/orders.amount", "table/shop/paid", "INDIRECT", "FILTER"),
    }
    assert count_outcomes(load_source(graph, source)) == (0, 0, loading.new, 0, 0)


def test_changes_and_pages(graph: LiveGraph, client: Any, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glue, "PAGE", 2)
    add_tables(client)
    for at in range(5):
        table = {"Name": f"t{at}", "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "int"}]}}
        client.create_table(DatabaseName="shop", TableInput=table)
    source = build_source(endpoint)
    assert load_source(graph, source).new == 9, "seven tables, the counts of one and the lineage of one"
    table["StorageDescriptor"] = {"Columns": [{"Name": "id", "Type": "bigint"}]}
    client.update_table(DatabaseName="shop", TableInput=table)
    client.delete_table(DatabaseName="shop", Name="t0")
    assert count_outcomes(load_source(graph, source)) == (0, 1, 7, 1, 0)
    assert read_shown_attributes(graph, build_key("t4", "id"))["type"] == "bigint"
    assert load_source(graph, build_source(endpoint, tables=["shop.p*"], name="part")).new == 2


def test_an_iceberg_table_is_described_by_its_own_metadata(graph: LiveGraph, client: Any, endpoint: str, tmp_path: Path) -> None:
    client.create_database(DatabaseInput={"Name": "shop"})
    (metadata,) = (RECORDED / VERSIONS[0] / "warehouse" / "shop" / "items" / "metadata").iterdir()
    shutil.copy(metadata, tmp_path / "items.metadata.json")
    parameters = {"table_type": "ICEBERG", "metadata_location": f"file:{tmp_path}/items.metadata.json"}
    client.create_table(DatabaseName="shop", TableInput={"Name": "items", "TableType": "EXTERNAL_TABLE", "Parameters": parameters})
    with ignore_warnings():
        loading = load_source(graph, build_source(endpoint))
    assert (loading.refused, loading.warnings) == ((), ())
    assert read_shown_attributes(graph, build_key("items", "unit_price"))["field_id"] == 2


def test_the_account_is_found_or_asked_for(graph: LiveGraph, client: Any, endpoint: str) -> None:
    with pytest.raises(
        InvalidInput, match="account: the catalog has no database that shows its account: set the key account, or namespace"
    ):
        load_source(graph, build_source(endpoint))
    assert load_source(graph, build_source(endpoint, account=ACCOUNT)).new == 0
    assert load_source(graph, build_source(endpoint, namespace="glue://own")).new == 0
    add_tables(client)
    assert load_source(graph, build_source(endpoint, namespace="glue://own")).new > 0


def test_what_is_missing_is_named(graph: LiveGraph, client: Any, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client is not None
    with pytest.raises(InvalidInput, match="region: no region is configured; set the key region"):
        load_source(graph, build_source(endpoint, region=""))
    with pytest.raises(StoreUnavailable, match=r"Glue cannot be reached: The config profile \(none\) could not be found"):
        load_source(graph, build_source(endpoint, profile="none"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    with pytest.raises(StoreUnavailable, match="Glue cannot be reached: Unable to locate credentials"):
        load_source(graph, build_source(endpoint))


def test_a_service_that_is_away(graph: LiveGraph, client: Any) -> None:
    assert client is not None
    with pytest.raises(StoreUnavailable, match="Glue cannot be reached: Could not connect to the endpoint URL"):
        load_source(graph, build_source("http://127.0.0.1:1"))


def test_a_database_that_goes_away_keeps_what_was_known(
    graph: LiveGraph, client: Any, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tables(client)
    first = load_source(graph, build_source(endpoint))
    listed = glue.list_glue

    def list_with_a_gone_one(pages: Any, databases: Any, selection: Any) -> Any:
        return listed(pages, [{"Name": "gone"}, *databases], selection)

    monkeypatch.setattr(glue, "list_glue", list_with_a_gone_one)
    loading = load_source(graph, build_source(endpoint))
    assert "gone: Glue answers An error occurred (EntityNotFoundException)" in str(loading.refused[0])
    assert (loading.unchanged, loading.retracted) == (first.new, 0)
