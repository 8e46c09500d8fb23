"""The optimized plans of queries over Kafka's messages, as Spark writes them into its OpenLineage events. No Kafka runs: nothing is read.

Started by `scripts/record-spark-plans` with spark-submit: plans.py FILE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.avro.functions import from_avro
from pyspark.sql.functions import expr

LINE = {"type": "record", "name": "Line", "fields": [{"name": "sku", "type": "string"}]}
ROW = {
    "type": "record",
    "name": "Value",
    "fields": [
        {"name": "order_id", "type": "long"},
        {"name": "amount", "type": {"type": "bytes", "scale": 2, "precision": 12, "logicalType": "decimal"}},
        {"name": "email", "type": "string"},
        {"name": "status", "type": ["null", "string"]},
        {
            "name": "lines",
            "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [{"name": "sku", "type": "string"}]}},
        },
        {"name": "counts", "type": {"type": "map", "values": "int"}},
    ],
}
ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "namespace": "shop",
    "fields": [
        {"name": "before", "type": ["null", ROW]},
        {"name": "after", "type": ["null", "Value"]},
        {"name": "op", "type": "string"},
    ],
}
JSON = "STRUCT<after: STRUCT<amount: DOUBLE, lines: ARRAY<STRUCT<sku: STRING>>>, op: STRING>"
# `changes` has the column `change`, `messages` all columns of Spark's Kafka source; `rates` is another table.
QUERIES = {
    "copy": "SELECT change.after.order_id AS id, upper(change.after.email) AS email FROM changes",
    "json": f"SELECT c.after.amount, c.after.lines FROM (SELECT from_json(CAST(value AS STRING), '{JSON}') AS c FROM messages)",
    "hash": "SELECT sha2(change.after.email, 256) AS buyer FROM changes",
    "case": "SELECT CASE WHEN change.op = 'd' THEN 0 ELSE change.after.amount END AS amount FROM changes",
    "if": "SELECT if(change.op = 'd', change.before.order_id, change.after.order_id) AS id FROM changes",
    "sum": """SELECT change.after.status, sum(change.after.amount) AS total, count(change.after.email) AS buyers
        FROM changes WHERE change.op <> 'd' GROUP BY change.after.status""",
    "window": "SELECT sum(change.after.amount) OVER (PARTITION BY change.after.status) AS total FROM changes",
    "row": "SELECT change.after AS row FROM changes",
    "text": "SELECT to_json(change.after) AS text FROM changes",
    "fields of several": "SELECT coalesce(change.after, change.before).order_id AS id FROM changes",
    "join": "SELECT change.after.amount * rate AS euros FROM changes JOIN rates ON currency = change.after.status ORDER BY change.op",
    "undecoded": "SELECT key, get_json_object(CAST(value AS STRING), '$.after.amount') AS amount FROM messages",
    "metadata": "SELECT topic, offset FROM messages",
    "join with an RDD": "SELECT change.after.amount * rate AS euros FROM changes JOIN computed ON currency = change.after.status",
    "no messages": "SELECT rate FROM rates",
    "union": "SELECT change.after.order_id FROM changes UNION ALL SELECT change.before.order_id FROM changes",
    "generate": "SELECT explode(change.after.lines) AS line FROM changes",
    "subquery": "SELECT change.after.order_id, (SELECT max(rate) FROM rates) AS rate FROM changes",
}


def main() -> None:
    spark = SparkSession.builder.getOrCreate()
    messages = spark.read.format("kafka").option("kafka.bootstrap.servers", "127.0.0.1:9").option("subscribe", "shop").load()
    messages.createOrReplaceTempView("messages")
    change = from_avro(expr("substring(value, 6)"), json.dumps(ENVELOPE))
    messages.select(change.alias("change"), "offset").createOrReplaceTempView("changes")
    spark.sql("SELECT * FROM VALUES ('EUR', 1.0D) AS (currency, rate)").createOrReplaceTempView("rates")
    spark.createDataFrame([("EUR", 1.0)], "currency STRING, rate DOUBLE").createOrReplaceTempView("computed")
    queries = {name: spark.sql(query)._jdf.queryExecution() for name, query in QUERIES.items()}  # noqa: SLF001 - there is no other way
    plans = {name: json.loads(query.optimizedPlan().toJSON()) for name, query in queries.items()}
    Path(sys.argv[1]).write_text(json.dumps(plans), encoding="utf-8")
    spark.stop()


if __name__ == "__main__":
    main()
