"""What a shop runs at night in its PostgreSQL (the connection `shop`): the forms in which tasks of Airflow read and write."""

from __future__ import annotations

import os

import pendulum
from airflow.providers.common.sql.operators.sql import SQLColumnCheckOperator, SQLExecuteQueryOperator, SQLTableCheckOperator
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import DAG, Asset, task, task_group

DATABASE = os.environ["SHOP_DATABASE"]  # host and port
REPORT = Asset(uri=f"postgres://{DATABASE}/shop/mart/report", name="country_report")
EXPORT = Asset(uri="file:///srv/shop/export/report.csv", name="report_csv")
COMMON = {"start_date": pendulum.datetime(2026, 1, 1), "catchup": False, "max_active_tasks": 1}

with DAG(
    "shop_nightly",
    schedule=None,
    tags=["finance", "tier:gold"],
    description="Revenue per customer, every night",
    doc_md="# Shop nightly\nLoads **revenue** per customer.",
    owner_links={"orders-engineering": "mailto:orders-engineering@company.com"},
    default_args={"owner": "orders-engineering"},
    params={"status": "PAID"},
    **COMMON,
):
    # The columns of the INSERT have other names than those of the SELECT list.
    customer_revenue = SQLExecuteQueryOperator(
        task_id="customer_revenue",
        conn_id="shop",
        owner="orders-engineering, finance-analytics",
        doc_md="Sums up paid orders per customer",
        sql=[
            "TRUNCATE mart.customer_revenue",
            """INSERT INTO mart.customer_revenue (customer_id, email, country, revenue, n)
            WITH paid AS (SELECT customer_id, amount FROM raw.orders WHERE status = '{{ params.status }}')
            SELECT c.id, lower(c.email), c.country, sum(p.amount), count(*)
            FROM raw.customers c JOIN paid p ON p.customer_id = c.id GROUP BY 1, 2, 3""",
        ],
    )
    check_columns = SQLColumnCheckOperator(
        task_id="check_columns",
        conn_id="shop",
        table="mart.customer_revenue",
        column_mapping={
            "customer_id": {"null_check": {"equal_to": 0}, "unique_check": {"equal_to": 0}},
            "revenue": {"min": {"geq_to": 0}},
        },
    )
    check_table = SQLTableCheckOperator(
        task_id="check_table",
        conn_id="shop",
        table="mart.customer_revenue",
        checks={"row_count": {"check_statement": "COUNT(*) >= 1"}},
    )

    @task_group(group_id="reporting")
    def report_revenue() -> None:
        # By position: no column list, and no names in the SELECT list.
        report = SQLExecuteQueryOperator(
            task_id="report",
            conn_id="shop",
            outlets=[REPORT],
            sql="BEGIN; DELETE FROM mart.report; INSERT INTO mart.report SELECT country, sum(revenue), sum(n)"
            " FROM mart.customer_revenue GROUP BY country; COMMIT;",
        )
        top = SQLExecuteQueryOperator(
            task_id="top",
            conn_id="shop",
            sql="DROP TABLE IF EXISTS mart.top; CREATE TABLE mart.top AS SELECT r.region, r.revenue * 2 AS twice, o.status"
            " FROM mart.report r LEFT JOIN raw.orders o ON o.amount > r.revenue",
        )
        merge = SQLExecuteQueryOperator(
            task_id="merge",
            conn_id="shop",
            sql="MERGE INTO mart.payments p USING raw.orders o ON p.order_id = o.id WHEN MATCHED THEN UPDATE SET paid = o.amount"
            " WHEN NOT MATCHED THEN INSERT (order_id, paid) VALUES (o.id, o.amount)",
        )
        view = SQLExecuteQueryOperator(
            task_id="view",
            conn_id="shop",
            sql="CREATE OR REPLACE VIEW mart.mails AS SELECT id AS customer_id, email FROM raw.customers WHERE country <> 'US'",
        )

        @task(inlets=[REPORT], outlets=[EXPORT])
        def to_csv() -> None:
            """Writes the report where others fetch it."""

        report >> top >> merge >> view >> to_csv()

    # Each index of the mapped task copies another table.
    copy = SQLExecuteQueryOperator.partial(task_id="copy", conn_id="shop").expand(
        sql=[
            "INSERT INTO mart.order_amounts SELECT id, amount FROM raw.orders",
            "INSERT INTO mart.customer_mails SELECT id, lower(email) FROM raw.customers",
        ]
    )

    @task(owner="finn@company.com")
    def audit() -> None:
        """By a hook, which only the hook's own lineage shows."""
        PostgresHook("shop").run("INSERT INTO mart.audit (orders, amount) SELECT count(*), sum(amount) FROM raw.orders")

    @task(task_id="flaky", retries=1, retry_delay=pendulum.duration(seconds=1))
    def raise_error() -> None:
        raise ValueError("no such file: /srv/shop/import.csv")

    failing = SQLExecuteQueryOperator(
        task_id="failing",
        conn_id="shop",
        trigger_rule="all_done",
        sql="INSERT INTO mart.report (region) SELECT no_such_column FROM raw.customers",
    )
    customer_revenue >> check_columns >> check_table >> report_revenue() >> copy >> audit() >> raise_error() >> failing

with DAG("shop_export", schedule=[REPORT], default_args={"owner": "finn@company.com"}, **COMMON):
    SQLExecuteQueryOperator(
        task_id="final",
        conn_id="shop",
        sql="CREATE TABLE IF NOT EXISTS mart.final (region text, total numeric);"
        " INSERT INTO mart.final SELECT region, revenue FROM mart.report",
    )

with DAG("shop_checks", schedule=None, default_args={"owner": "finance-analytics"}, **COMMON):
    SQLColumnCheckOperator(task_id="check_amounts", conn_id="shop", table="raw.orders", column_mapping={"amount": {"max": {"leq_to": 15}}})
