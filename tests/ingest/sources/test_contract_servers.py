"""Contract servers locate models under the names of the OpenLineage specification."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from meshline.graph.naming import Naming
from meshline.ingest.dataset_refs import split_endpoint
from meshline.ingest.sources.contracts.servers import Place, is_production, locate_model, parse_server


def place_model(server: Mapping[str, str | int], model: str = "orders") -> tuple[str, str]:
    """Namespace and name as the graph's key has them."""
    found = locate_model(parse_server("production", dict(server)), model)
    assert not found.why_not
    return Naming().normalise_dataset(found.namespace, found.name).parts[:2]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (
            {"type": "trino", "host": "trino.internal", "catalog": "delta", "schema": "orders"},
            ("trino://trino.internal", "delta.orders.orders"),
        ),
        ({"type": "trino", "host": "t", "port": 8443, "catalog": "c", "schema": "s"}, ("trino://t:8443", "c.s.orders")),
        ({"type": "presto", "host": "localhost:8080", "catalog": "c", "schema": "s"}, ("presto://localhost:8080", "c.s.orders")),
        ({"type": "postgres", "host": "db", "port": 5432, "database": "shop", "schema": "public"}, ("postgres://db", "shop.public.orders")),
        ({"type": "postgresql", "host": "db", "port": 6432, "database": "shop", "schema": "p"}, ("postgres://db:6432", "shop.p.orders")),
        ({"type": "mysql", "host": "db", "port": 3306, "database": "shop"}, ("mysql://db", "shop.orders")),
        (
            {"type": "sqlserver", "host": "db", "port": 1433, "database": "shop", "schema": "dbo"},
            ("sqlserver://db:1433", "shop.dbo.orders"),
        ),
        ({"type": "oracle", "host": "db", "port": 1521, "serviceName": "orcl"}, ("oracle://db", "orcl.orders")),
        ({"type": "snowflake", "account": "acme-eu", "database": "D", "schema": "S"}, ("snowflake://acme-eu", "D.S.orders")),
        ({"type": "snowflake", "host": "acme.snowflakecomputing.com", "database": "D", "schema": "S"}, ("snowflake://acme", "D.S.orders")),
        ({"type": "BigQuery", "project": "acme", "dataset": "shop"}, ("bigquery", "acme.shop.orders")),
        (
            {"type": "redshift", "host": "c1.abc.eu-west-1.redshift.amazonaws.com", "port": 5439, "database": "d", "schema": "s"},
            ("redshift://c1.eu-west-1", "d.s.orders"),
        ),
        (
            {"type": "redshift", "endpoint": "c1.abc.eu-west-1.redshift.amazonaws.com:5440/d", "schema": "s"},
            ("redshift://c1.eu-west-1:5440", "d.s.orders"),
        ),
        (
            {"type": "databricks", "host": "https://dbc-1.cloud.databricks.com/", "catalog": "c", "schema": "s"},
            ("databricks://dbc-1.cloud.databricks.com", "c.s.orders"),
        ),
        (
            {"type": "athena", "regionName": "eu-west-1", "schema": "s"},
            ("awsathena://athena.eu-west-1.amazonaws.com", "AwsDataCatalog.s.orders"),
        ),
        (
            {"type": "glue", "account": "1234-5678-9012", "region": "eu-west-1", "database": "d"},
            ("arn:aws:glue:eu-west-1:123456789012", "table/d/orders"),
        ),
        ({"type": "glue", "account": "1", "database": "d", "location": "s3://b/data/{model}"}, ("s3://b", "data/orders")),
        ({"type": "s3", "location": "s3a://bucket/data/{model}/*.json"}, ("s3://bucket", "data/orders")),
        ({"type": "s3", "location": "s3://bucket/data/dt=*/part.json"}, ("s3://bucket", "data")),
        ({"type": "gcs", "location": "gs://bucket/data"}, ("gs://bucket", "data")),
        (
            {"type": "azure", "location": "abfss://acc.dfs.core.windows.net/lake/path/*.parquet"},
            ("abfss://lake@acc.dfs.core.windows.net", "path"),
        ),
        ({"type": "azure", "location": "az://acc.blob.core.windows.net/lake/path"}, ("wasbs://lake@acc.blob.core.windows.net", "path")),
        ({"type": "local", "path": "/data/{model}/*.parquet"}, ("file", "/data/orders")),
        ({"type": "local", "path": "./data/{model}.parquet"}, ("file", "data/orders.parquet")),
        ({"type": "sftp", "location": "sftp://10.0.0.1/{model}/*.json"}, ("sftp://10.0.0.1", "orders")),
        ({"type": "api", "location": "https://api.example.com/v1"}, ("https://api.example.com", "v1")),
        ({"type": "kafka", "host": "b1:9092,b2:9092", "topic": "orders.v1"}, ("kafka://b1", "orders.v1")),
        ({"type": "kafka", "host": "b1:9093"}, ("kafka://b1:9093", "orders")),
        ({"type": "pubsub", "project": "acme"}, ("pubsub", "topic:acme:orders")),
        ({"type": "kinesis", "region": "eu-west-1", "stream": "s"}, ("kinesis://eu-west-1", "s")),
        (
            {"type": "duckdb", "database": "/warehouse/marts.duckdb", "schema": "finance"},
            ("duckdb:///warehouse/marts.duckdb", "marts.finance.orders"),
        ),
        ({"type": "iceberg", "catalogUrl": "http://rest:8181", "namespace": "shop"}, ("http://rest:8181", "shop.orders")),
        ({"type": "hive", "host": "h", "database": "d"}, ("hive://h", "d.orders")),
        ({"type": "mysql", "host": "db", "database": "${DB_NAME:-shop}"}, ("mysql://db", "shop.orders")),
        ({"type": "vertica", "host": "h", "port": 5433, "database": "d", "schema": "s"}, ("vertica://h:5433", "d.s.orders")),
        ({"type": "custom", "location": "s3://bucket/x"}, ("s3://bucket", "x")),
    ],
)
def test_a_model_on_a_server(server: Mapping[str, str | int], expected: tuple[str, str]) -> None:
    assert place_model(server) == expected


def test_a_model_named_with_its_schema_brings_it_along() -> None:
    server = {"type": "postgres", "host": "db", "database": "shop", "schema": "public"}
    assert place_model(server, "sales.orders") == ("postgres://db", "shop.sales.orders")
    assert place_model(server, "other.sales.orders") == ("postgres://db", "other.sales.orders")


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ({"type": "trino"}, "a server of type trino is found by its host or location"),
        ({}, "a server of type unknown is found by its host or location"),
        ({"type": "glue", "database": "d"}, "a server of type glue is found by its account, region and database, or its location"),
        ({"type": "s3"}, "it has no location"),
        ({"type": "mysql", "host": "${DB_HOST}"}, "its settings contain variables (${DB_HOST}), whose values are not known"),
        ({"type": "kafka"}, "a server of type kafka is found by its host"),
    ],
)
def test_a_server_that_cannot_be_found(server: Mapping[str, str], why: str) -> None:
    assert locate_model(parse_server("x", dict(server)), "orders") == Place(why_not=why)


def test_which_servers_are_production() -> None:
    assert is_production(parse_server("production", {}))
    assert is_production(parse_server("eu-prod", {}))
    assert is_production(parse_server("x", {"environment": "PROD"}))
    assert not is_production(parse_server("products", {}))
    assert not is_production(parse_server("dev", {"environment": "preprod"}))


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("trino://data-platform.internal/orders/customer_orders", ("trino://data-platform.internal", "orders.customer_orders")),
        ("https://data-api.orders.internal/v2/customer-orders?x=1", ("https://data-api.orders.internal", "v2/customer-orders")),
        ("https://data-api.orders.internal/", ("https://data-api.orders.internal", "/")),
        ("kafka://kafka.internal/orders.v2", ("kafka://kafka.internal", "orders.v2")),
        ("jdbc:postgresql://me:secret@db:5432/shop/public/orders", ("postgresql://db:5432", "shop.public.orders")),
        ("file:///data/x", ("file", "/data/x")),
        ("/data/x", ("file", "/data/x")),
        ("duckdb:///w/shop.duckdb/shop.main.orders", ("duckdb:///w/shop.duckdb", "shop.main.orders")),
        ("lake/orders.items", ("http://rest:8181", "orders.items")),
        ("orders-db.public.orders", ("", "")),
        ("what/ever", ("", "")),
    ],
)
def test_endpoints(endpoint: str, expected: tuple[str, str]) -> None:
    assert split_endpoint(endpoint, {"lake": "http://rest:8181"}) == expected
