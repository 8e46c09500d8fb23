"""Spark's part of scripts/record-metastore: tables of its formats and a view, in a Hive metastore. Arguments: its URI, the warehouse."""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession

STATEMENTS = (
    "CREATE DATABASE shop COMMENT 'what the shop sells'",
    """CREATE TABLE shop.orders (
        id BIGINT NOT NULL COMMENT 'the number', customerEmail STRING, address STRUCT<city: STRING COMMENT 'where', zip: STRING>,
        tags ARRAY<STRING>, scores MAP<STRING, INT>, amount DECIMAL(10, 2), day DATE
    ) USING parquet PARTITIONED BY (day) COMMENT 'all orders'
    TBLPROPERTIES ('data-product.name' = 'orders', 'data-product.owner' = 'team-shop', 'data-product.domain' = 'sales')""",
    """INSERT INTO shop.orders VALUES (
        1, 'a@example.com', named_struct('city', 'Bern', 'zip', '3000'), array('new'), map('risk', 1), 9.50, DATE '2026-03-01'
    )""",
    "CREATE TABLE shop.clicks (user_id BIGINT, url STRING COMMENT 'without the query') PARTITIONED BY (day STRING) STORED AS ORC",
    "CREATE VIEW shop.paid AS SELECT id, lower(customerEmail) AS mail FROM shop.orders WHERE amount > 0",
    "CREATE TABLE shop.items (sku STRING COMMENT 'the key', price DECIMAL(10, 2)) USING iceberg COMMENT 'what is sold'",
    "INSERT INTO shop.items VALUES ('a', 1.00)",
    "ALTER TABLE shop.items RENAME COLUMN price TO unit_price",
    "CREATE TABLE shop.totals USING parquet AS SELECT day, sum(amount) AS total FROM shop.orders GROUP BY day",
)


def main() -> None:
    uri, warehouse = sys.argv[1:]
    spark = (
        SparkSession.builder.appName("shop")
        .config("spark.hadoop.hive.metastore.uris", uri)
        .config("spark.sql.warehouse.dir", warehouse)
        .config("spark.sql.catalog.spark_catalog", "org.apache.iceberg.spark.SparkSessionCatalog")
        .config("spark.sql.catalog.spark_catalog.type", "hive")
        .config("spark.hadoop.iceberg.engine.hive.lock-enabled", "false")  # the metastore has no tables for locks
        .enableHiveSupport()
        .getOrCreate()
    )
    for statement in STATEMENTS:
        spark.sql(statement)
    spark.stop()


if __name__ == "__main__":
    main()
