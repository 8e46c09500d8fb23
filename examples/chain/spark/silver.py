"""The current rows of the shop's tables, from the changes in Kafka to Iceberg.

Started by `scripts/record-chain` with spark-submit, which supplies the jars of Kafka, Avro, Iceberg and OpenLineage:

    silver.py KAFKA REGISTRY

A message is Avro after five bytes: a zero and the number of its schema (Confluent's wire format). The newest change of each key decides;
a row whose newest change is a DELETE is left out.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request

from pyspark.sql import SparkSession
from pyspark.sql.avro.functions import from_avro
from pyspark.sql.functions import expr

TABLES = {
    "orders": "order_id BIGINT, customer_id BIGINT, amount DECIMAL(12, 2), status STRING, placed_at TIMESTAMP",
    "customers": "customer_id BIGINT, name STRING, email STRING, country STRING",
}

# `changes` has the columns `change` (Debezium's envelope) and `offset`.
QUERIES = {
    "orders": """
        INSERT OVERWRITE lake.silver.orders
        SELECT change.after.order_id, change.after.customer_id, change.after.amount, change.after.status,
          to_timestamp(change.after.placed_at) AS placed_at
        FROM (SELECT *, row_number() OVER (
            PARTITION BY coalesce(change.after.order_id, change.before.order_id) ORDER BY offset DESC) AS newest FROM changes)
        WHERE newest = 1 AND change.op <> 'd'""",
    "customers": """
        INSERT OVERWRITE lake.silver.customers
        SELECT change.after.customer_id, change.after.name, change.after.email, change.after.country
        FROM (SELECT *, row_number() OVER (
            PARTITION BY coalesce(change.after.customer_id, change.before.customer_id) ORDER BY offset DESC) AS newest FROM changes)
        WHERE newest = 1 AND change.op <> 'd'""",
}


def main() -> None:
    kafka, registry = sys.argv[1:]
    spark = SparkSession.builder.appName("silver").getOrCreate()
    spark.sql("CREATE NAMESPACE IF NOT EXISTS lake.silver")
    for table, columns in TABLES.items():
        spark.sql(f"CREATE TABLE IF NOT EXISTS lake.silver.{table} ({columns}) USING iceberg")
        settle()
    for table, query in QUERIES.items():
        topic = f"shop.public.{table}"
        messages = spark.read.format("kafka").option("kafka.bootstrap.servers", kafka).option("subscribe", topic).load()
        change = from_avro(expr("substring(value, 6)"), read_schema(registry, f"{topic}-value"))
        messages.select(change.alias("change"), "offset").createOrReplaceTempView("changes")
        spark.sql(" ".join(query.split()))
        settle()
    spark.stop()


def read_schema(registry: str, subject: str) -> str:
    with urllib.request.urlopen(f"{registry}/subjects/{subject}/versions/latest", timeout=60) as answer:
        schema: str = json.load(answer)["schema"]
        return schema


def settle() -> None:
    """Give the listener time: a slow one loses START events when the next job follows at once."""
    time.sleep(0.4)


if __name__ == "__main__":
    main()
