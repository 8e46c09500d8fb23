"""The mesh's nightly Spark jobs over two nights: one application per domain and night, as each domain's team would write it.

Started by `scripts/record-example` with spark-submit, which supplies the jars of OpenLineage and Iceberg:

    pipeline.py NIGHT PARENT CATALOG WAREHOUSE EVENTS

NIGHT is one of NIGHTS, PARENT the run id of the orchestrator's run, CATALOG a URL, EVENTS a folder: one file per application.

What changes between the nights is in the story (examples/mesh/README.md): customers are merged instead of appended,
`customer_orders.contact_email` is renamed to `customer_email`, and an experiment of marketing's fails.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, Row, SparkSession
from tables import LANDED, PARTITIONS, TABLES

FIRST, SECOND = NIGHTS = ("2026-03-01", "2026-03-08")


class Night(NamedTuple):
    """What a job needs to know."""

    spark: SparkSession
    day: str
    warehouse: str

    @property
    def first(self) -> bool:
        return self.day == FIRST

    @property
    def email(self) -> str:
        """The column of orders.customer_orders that is renamed between the nights."""
        return "contact_email" if self.first else "customer_email"

    def sql(self, statement: str) -> DataFrame:
        result = self.spark.sql(one_line(statement))
        settle()
        return result

    def create(self, *tables: str) -> None:
        """Create these tables, on the first night."""
        for table in tables if self.first else ():
            partition = f" PARTITIONED BY ({PARTITIONS[table]})" if table in PARTITIONS else ""
            self.spark.sql(f"CREATE NAMESPACE IF NOT EXISTS lake.{table.split('.')[0]}")
            self.sql(f"CREATE TABLE lake.{table} ({TABLES[table].strip()}) USING iceberg{partition}")

    def landed(self, kind: str, folder: str = "") -> None:
        """A view of landing files, named like their kind."""
        files = f"{self.warehouse}/landing/{kind}/{folder}"
        self.spark.read.schema(one_line(LANDED[kind])).json(files).createOrReplaceTempView("landed_" + kind.split("/")[1])


def one_line(text: str) -> str:
    return " ".join(text.split())


def settle() -> None:
    """Give the listener time: a slow one loses START events when the next job follows at once."""
    time.sleep(0.4)


def customers(night: Night) -> None:
    night.create("customers.customers", "customers.customer_profiles")
    night.landed("crm/contacts", f"dt={night.day}")
    columns = "customer_id, full_name, email, phone_number, country, marketing_consent, created_at"
    if night.first:
        night.sql(f"INSERT INTO lake.customers.customers SELECT {columns} FROM landed_contacts")
    else:
        night.sql(
            f"""MERGE INTO lake.customers.customers t USING (SELECT {columns} FROM landed_contacts) s ON t.customer_id = s.customer_id
            WHEN MATCHED THEN UPDATE SET t.full_name = s.full_name, t.email = s.email, t.phone_number = s.phone_number,
              t.country = s.country, t.marketing_consent = s.marketing_consent
            WHEN NOT MATCHED THEN INSERT *"""
        )
    night.sql(
        """INSERT OVERWRITE lake.customers.customer_profiles
        SELECT customer_id, sha2(lower(email), 256) AS email_hash, upper(country) AS country,
          CASE WHEN email LIKE '%@company.com' THEN 'staff' WHEN marketing_consent THEN 'engaged' ELSE 'quiet' END AS customer_segment
        FROM lake.customers.customers"""
    )


def product_catalog(night: Night) -> None:
    night.create("products.products")
    night.landed("pim/products")
    night.sql("INSERT OVERWRITE lake.products.products SELECT product_id, product_name, category, list_price FROM landed_products")


def payments(night: Night) -> None:
    night.create("payments.payment_confirmed")
    night.landed("psp/payment_confirmed", f"dt={night.day}")
    night.sql(
        """INSERT INTO lake.payments.payment_confirmed
        SELECT payment_id, order_id, amount, currency, method, confirmed_at FROM landed_payment_confirmed"""
    )
    snapshot = f"snapshot-{NIGHTS.index(night.day) + 1:04}"  # payments counts its exports; orders dates them
    export(
        night,
        f"payment_confirmed/{snapshot}",
        "SELECT payment_id, order_id, amount, currency, confirmed_at FROM lake.payments.payment_confirmed",
    )


def orders(night: Night) -> None:
    night.create("orders.orders", "orders.order_items", "orders.customer_orders")
    night.landed("shop/orders", f"dt={night.day}")
    night.landed("shop/order_items", f"dt={night.day}")
    if not night.first:
        night.sql("ALTER TABLE lake.orders.customer_orders RENAME COLUMN contact_email TO customer_email")
    night.sql(
        "INSERT INTO lake.orders.orders SELECT order_id, customer_id, status, currency, shipping_address, created_at FROM landed_orders"
    )
    night.sql("INSERT INTO lake.orders.order_items SELECT order_id, product_id, quantity, unit_price FROM landed_order_items")
    night.sql(
        f"""INSERT OVERWRITE lake.orders.customer_orders
        WITH totals AS (SELECT order_id, sum(quantity * unit_price) AS total_amount FROM lake.orders.order_items GROUP BY order_id)
        SELECT o.order_id, o.customer_id, c.email AS {night.email}, CAST(t.total_amount AS decimal(18,2)) AS total_amount, o.currency,
          CASE WHEN p.payment_id IS NULL THEN 'pending' ELSE lower(o.status) END AS status,
          p.method AS payment_method, o.shipping_address, o.created_at
        FROM lake.orders.orders o
        JOIN totals t ON t.order_id = o.order_id
        JOIN lake.customers.customers c ON c.customer_id = o.customer_id
        LEFT JOIN lake.payments.payment_confirmed p ON p.order_id = o.order_id
        WHERE o.status <> 'CANCELLED'"""
    )
    export(
        night,
        f"customer_orders/dt={night.day}",
        f"""SELECT order_id, sha2(lower({night.email}), 256) AS buyer_key, total_amount, currency, status, created_at
        FROM lake.orders.customer_orders""",
    )


def export(night: Night, folder: str, query: str) -> None:
    """A snapshot for finance, which reads Parquet files with DuckDB."""
    night.spark.sql(query).coalesce(1).write.mode("overwrite").parquet(f"{night.warehouse}/exports/finance/{folder}")
    settle()


def receipts(night: Night) -> None:
    night.create("payments.receipts")
    night.sql(
        f"""INSERT OVERWRITE lake.payments.receipts
        SELECT p.payment_id, p.order_id, o.{night.email} AS receipt_email, p.amount, p.currency, p.confirmed_at AS issued_at
        FROM lake.payments.payment_confirmed p JOIN lake.orders.customer_orders o ON o.order_id = p.order_id"""
    )


def fraud(night: Night) -> None:
    """Scores rows in Python, which no listener can look into: dataset-level lineage at best."""
    night.create("payments.fraud_signals")
    frame, email = night.spark.table("lake.orders.customer_orders"), night.email

    def score(row: Row) -> tuple[str, float, str]:
        throwaway = str(row[email]).endswith(".invalid")
        return row["order_id"], 0.9 if throwaway else 0.1, "throwaway address" if throwaway else ""

    scored = night.spark.createDataFrame(frame.rdd.map(score), "order_id string, score double, reason string")
    scored.writeTo("lake.payments.fraud_signals").append()
    settle()


def product_sales(night: Night) -> None:
    night.create("products.product_sales")
    night.sql(
        """INSERT OVERWRITE lake.products.product_sales
        SELECT p.product_id, p.product_name, p.category, sum(i.quantity) AS units_sold,
          CAST(sum(i.quantity * i.unit_price) AS decimal(22,2)) AS revenue, count(DISTINCT o.customer_id) AS buyers
        FROM lake.orders.order_items i
        JOIN lake.orders.orders o ON o.order_id = i.order_id
        JOIN lake.products.products p ON p.product_id = i.product_id
        JOIN lake.customers.customers c ON c.customer_id = o.customer_id
        WHERE c.email NOT LIKE '%@test.invalid'
        GROUP BY p.product_id, p.product_name, p.category"""
    )


def marketing(night: Night) -> None:
    night.create("marketing.campaigns", "marketing.campaign_audience", "marketing.campaign_results")
    night.landed("marketing/campaigns")
    night.sql("INSERT OVERWRITE lake.marketing.campaigns SELECT campaign_id, campaign_name, segment FROM landed_campaigns")
    night.sql(
        """INSERT OVERWRITE lake.marketing.campaign_audience
        SELECT m.campaign_id, c.customer_id, c.email, split(c.full_name, ' ')[0] AS first_name, p.customer_segment
        FROM lake.customers.customers c
        JOIN lake.customers.customer_profiles p ON p.customer_id = c.customer_id
        JOIN lake.marketing.campaigns m ON m.segment = p.customer_segment
        WHERE c.marketing_consent"""
    )
    night.sql(
        f"""INSERT OVERWRITE lake.marketing.campaign_results
        SELECT a.campaign_id, count(DISTINCT a.customer_id) AS recipients, count(o.order_id) AS orders,
          CAST(sum(o.total_amount) AS decimal(22,2)) AS attributed_revenue
        FROM lake.marketing.campaign_audience a LEFT JOIN lake.orders.customer_orders o ON lower(o.{night.email}) = lower(a.email)
        GROUP BY a.campaign_id"""
    )


def text_messages(night: Night) -> None:
    """An experiment that never worked: had it, phone numbers would have reached the audience's email column."""
    try:
        night.sql(
            """INSERT INTO lake.marketing.campaign_audience
            SELECT 'M-3', customer_id, CASE WHEN phone_number IS NULL THEN raise_error('no phone number') ELSE phone_number END,
              split(full_name, ' ')[0], 'text' FROM lake.customers.customers"""
        )
    except Py4JJavaError:
        print("pipeline: the experiment failed, as it should", flush=True)
        settle()
    else:
        raise SystemExit("pipeline: the experiment did not fail")


class App(NamedTuple):
    """One Spark application: its name, the domain (the namespace of its jobs), what it runs."""

    name: str
    domain: str
    run: Callable[[Night], None]
    nights: tuple[str, ...] = NIGHTS


APPS = (
    App("customers_nightly", "customers", customers),
    App("product_catalog", "products", product_catalog, nights=(FIRST,)),  # nothing new to sell in the second
    App("payments_nightly", "payments", payments),
    App("orders_nightly", "orders", orders),
    App("receipts", "payments", receipts),
    App("fraud_scoring", "fraud", fraud),
    App("product_sales", "products", product_sales),
    App("campaigns", "marketing", marketing),
    App("text_messages", "marketing", text_messages, nights=(SECOND,)),
)


@contextmanager
def session(app: App, parent: str, catalog: str, events: Path) -> Iterator[SparkSession]:
    listener = {
        "appName": app.name,
        "namespace": app.domain,
        "parentJobNamespace": "orchestrator",
        "parentJobName": "mesh_nightly",
        "parentRunId": parent,
        "rootParentJobNamespace": "orchestrator",
        "rootParentJobName": "mesh_nightly",
        "rootParentRunId": parent,
        "transport.type": "file",
        "transport.location": str(events / f"{app.name}.ndjson"),
    }
    builder = SparkSession.builder.appName(app.name)
    for key, value in listener.items():
        builder = builder.config(f"spark.openlineage.{key}", value)
    lake = {"": "org.apache.iceberg.spark.SparkCatalog", ".type": "rest", ".uri": catalog, ".cache-enabled": "false"}
    for key, value in lake.items():
        builder = builder.config(f"spark.sql.catalog.lake{key}", value)
    spark = builder.getOrCreate()
    try:
        yield spark
    finally:
        settle()
        spark.stop()


def main(day: str, parent: str, catalog: str, warehouse: str, events: str) -> None:
    for app in APPS:
        if day not in app.nights:
            continue
        begun = time.monotonic()
        with session(app, parent, catalog, Path(events)) as spark:
            app.run(Night(spark, day, warehouse))
        print(f"pipeline: {day} {app.name} {time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
