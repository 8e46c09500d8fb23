"""Streams of Spark (Structured Streaming) from Kafka's messages into a topic, tables and files; each ends when it has read all messages.

Started by `scripts/record-spark-streams` with spark-submit, which supplies the jars of Kafka, Iceberg and OpenLineage:

    streams.py KAFKA FOLDER

FOLDER: for the checkpoints and the files.
"""

from __future__ import annotations

import sys
import time

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import DataStreamWriter

ORDER = "order_id BIGINT, customer_id BIGINT, amount DECIMAL(12, 2), status STRING, placed_at TIMESTAMP"
CUSTOMER = "customer_id BIGINT, name STRING, email STRING, country STRING"
TABLES = {
    "orders": "order_id BIGINT, amount DECIMAL(12, 2), status STRING, day DATE",
    "contacts": "customer_id BIGINT, contact STRING, country STRING",
    "newest_orders": "order_id BIGINT, amount DECIMAL(12, 2)",
    "revenue": "status STRING, revenue DECIMAL(22, 2)",
}
MERGE = """MERGE INTO lake.silver.newest_orders t USING changes s ON t.order_id = s.order_id
    WHEN MATCHED THEN UPDATE SET amount = s.amount WHEN NOT MATCHED THEN INSERT (order_id, amount) VALUES (s.order_id, s.amount)"""


def main() -> None:
    kafka, folder = sys.argv[1:]
    spark = SparkSession.builder.appName("streams").getOrCreate()
    spark.sql("CREATE NAMESPACE IF NOT EXISTS lake.silver")
    for table, columns in TABLES.items():
        spark.sql(f"CREATE TABLE lake.silver.{table} ({columns}) USING iceberg")
        time.sleep(0.4)  # as in examples/chain/spark/silver.py

    def read_topic(topic: str, columns: str) -> DataFrame:
        options = {"kafka.bootstrap.servers": kafka, "subscribe": topic, "startingOffsets": "earliest"}
        messages = spark.readStream.format("kafka").options(**options).load()
        return messages.selectExpr(f"from_json(CAST(value AS STRING), '{columns}') AS row").select("row.*")

    def run(name: str, stream: DataStreamWriter, table: str = "") -> None:
        stream = stream.queryName(name).trigger(availableNow=True).option("checkpointLocation", f"{folder}/checkpoints/{name}")
        (stream.toTable(table) if table else stream.start()).awaitTermination()
        time.sleep(0.4)

    def merge(batch: DataFrame, _: int) -> None:
        batch.createOrReplaceTempView("changes")
        batch.sparkSession.sql(MERGE)

    orders, customers = read_topic("shop.orders", ORDER), read_topic("shop.customers", CUSTOMER)
    paid = orders.where("status <> 'OPEN'").selectExpr("order_id", "amount", "status", "CAST(placed_at AS DATE) AS day")
    run("orders", paid.writeStream, "lake.silver.orders")
    run("contacts", customers.selectExpr("customer_id", "lower(email) AS contact", "country").writeStream, "lake.silver.contacts")
    totals = orders.groupBy("status").agg({"amount": "sum"}).withColumnRenamed("sum(amount)", "revenue")
    run("revenue", totals.writeStream.outputMode("complete"), "lake.silver.revenue")
    run("newest_orders", orders.select("order_id", "amount").writeStream.foreachBatch(merge))
    messages = orders.where("status = 'PAID'").selectExpr("CAST(order_id AS STRING) AS key", "to_json(struct(order_id, amount)) AS value")
    run("paid", messages.writeStream.format("kafka").option("kafka.bootstrap.servers", kafka).option("topic", "shop.paid"))
    joined = orders.join(customers, "customer_id").select("order_id", "country")
    run("order_files", joined.writeStream.format("parquet").option("path", f"{folder}/order_files"))
    spark.stop()


if __name__ == "__main__":
    main()
