"""A real PostgreSQL: what its catalogs list, its views, its query history, and who may read it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.naming import Naming
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.databases.postgres.source import Postgres
from meshline.ingest.sources.reading_loader import load_reading
from meshline.ingest.sources.registry import build_source
from tests.ingest.sources.catalog_reading import CatalogReading
from tests.ingest.sources.fake_source import count_outcomes, open_graph, read_tables
from tests.ingest.sources.test_history_usage import list_reads
from tests.postgres import Database, PostgresServer

SHOP = (
    "CREATE SCHEMA sales",
    """CREATE TABLE customers (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        email text NOT NULL UNIQUE,
        "Mixed Case" varchar(40) DEFAULT 'x',
        lower_email text GENERATED ALWAYS AS (lower(email)) STORED,
        CONSTRAINT has_at CHECK (email LIKE '%@%')
    )""",
    "COMMENT ON TABLE customers IS 'who buys'",
    "COMMENT ON COLUMN customers.email IS 'Grüße: 🍏'",
    """CREATE TABLE sales.orders (id bigint, day date NOT NULL, customer bigint REFERENCES customers (id), amount numeric(10,2))
        PARTITION BY RANGE (day)""",
    "CREATE TABLE sales.orders_2026 PARTITION OF sales.orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    """CREATE VIEW sales.big (who, total) AS SELECT c.email, sum(o.amount) FROM sales.orders o
        JOIN customers c ON c.id = o.customer WHERE o.amount > 10 GROUP BY c.email""",
    "CREATE MATERIALIZED VIEW sales.per_day AS SELECT day, count(*) AS n FROM sales.orders_2026 GROUP BY day",
    "CREATE VIEW sales.over_view AS SELECT * FROM sales.big",
    "CREATE TABLE sales.report (who text, total numeric)",
    "INSERT INTO customers (email) SELECT 'c' || i || '@x' FROM generate_series(1, 12345) i",
    "ANALYZE",
)


@pytest.fixture(scope="module")
def shop(postgres: PostgresServer) -> Database:
    return postgres.make_database(SHOP)


def read_shop(database: Database, memory: Mapping[str, str] | None = None, **keys: Any) -> CatalogReading:
    given = {"kind": "postgres", "name": "shop", "url": database.url, "history": False, **keys}
    return CatalogReading(build_source(given), Path.cwd(), memory, SECRET=database.password)


def test_tables_and_views_with_their_columns(shop: Database) -> None:
    reading = read_shop(shop)
    assert {name.removeprefix(f"{shop.name}."): columns for name, columns in reading.tables.items()} == {
        "public.customers": ["id", "email", "Mixed Case", "lower_email"],
        "sales.big": ["who", "total"],
        "sales.orders": ["id", "day", "customer", "amount"],
        "sales.over_view": ["who", "total"],
        "sales.per_day": ["day", "n"],
        "sales.report": ["who", "total"],
    }, "a partition is no dataset"
    assert {scope[1] for scope in reading.facts} == {f"postgres://{shop.address}"}
    assert (reading.refused, reading.warnings) == ([], [])


def test_what_is_stated_of_a_column(shop: Database) -> None:
    reading, table = read_shop(shop), f"{shop.name}.public.customers"
    assert reading.describe(f"{table}:id") == {
        "type": "bigint",
        "nullable": False,
        "identifies": True,
        "default": "GENERATED ALWAYS AS IDENTITY",
    }
    assert reading.describe(f"{table}:email") == {"type": "text", "nullable": False, "description": "Grüße: 🍏"}
    assert reading.describe(f"{table}:Mixed Case") == {
        "type": "character varying(40)",
        "nullable": True,
        "default": "'x'::character varying",
    }
    assert reading.describe(f"{table}:lower_email") == {"type": "text", "nullable": True, "generation_expression": "lower(email)"}


def test_keys_and_checks(shop: Database) -> None:
    reading = read_shop(shop)
    assert reading.describe(f"{shop.name}.public.customers")["constraints"] == [
        {"name": "customers_email_key", "type": "UNIQUE", "columns": ["email"]},
        {"name": "customers_pkey", "type": "PRIMARY KEY", "columns": ["id"]},
        {"name": "has_at", "type": "CHECK", "columns": ["email"], "expression": "CHECK ((email ~~ '%@%'::text))"},
    ]
    assert reading.describe(f"{shop.name}.sales.orders") == {
        "dataset_type": "TABLE",
        "table_owner": "postgres",
        "partitioning": "RANGE (day)",
        "partition_count": 1,
        "constraints": [
            {
                "name": "orders_customer_fkey",
                "type": "FOREIGN KEY",
                "columns": ["customer"],
                "to": f"{shop.name}.public.customers",
                "to_columns": ["id"],
            }
        ],
    }


def test_the_lineage_of_views(shop: Database) -> None:
    reading, at = read_shop(shop), shop.name
    orders, customers, big = f"{at}.sales.orders", f"{at}.public.customers", f"{at}.sales.big"
    assert reading.list_view_flows(big) == {
        (f"{customers}:email", f"{big}:who", "IDENTITY"),
        (f"{orders}:amount", f"{big}:total", "AGGREGATION"),
        (f"{customers}:email", big, "GROUP_BY"),
        (f"{orders}:amount", big, "FILTER"),
        (f"{orders}:customer", big, "JOIN"),
        (f"{customers}:id", big, "JOIN"),
    }
    assert reading.list_view_flows(f"{at}.sales.over_view") == {
        (f"{big}:{name}", f"{at}.sales.over_view:{name}", "IDENTITY") for name in ("who", "total")
    }
    assert reading.list_view_flows(f"{at}.sales.per_day") == {
        (f"{orders}:day", f"{at}.sales.per_day:day", "IDENTITY"),
        (f"{orders}:day", f"{at}.sales.per_day", "GROUP_BY"),
    }, "the partition that it reads is the table"
    assert reading.describe(f"{at}.sales.per_day")["dataset_type"] == "MATERIALIZED_VIEW"
    assert str(reading.describe(big)["sql"]).startswith(" SELECT c.email AS who")


def test_estimates_are_rounded(shop: Database) -> None:
    size = read_shop(shop).get_size(f"{shop.name}.public.customers")
    assert size["record_count"] == 12_000, "12345 by ANALYZE: what changes with every row would be a new statement each time"


def test_owners(postgres: PostgresServer) -> None:
    at = postgres.make_database(
        [
            'CREATE ROLE "ann@x.org"',
            "CREATE ROLE orders_rw",
            "CREATE TABLE a (id int)",
            "CREATE TABLE b (id int)",
            "CREATE TABLE c (id int)",
        ]
    )
    at.execute('ALTER TABLE a OWNER TO "ann@x.org"', "ALTER TABLE b OWNER TO orders_rw")
    try:
        reading = read_shop(at, owners={"orders_rw": "team:orders"})
        owners = [reading.list_owners(f"{at.name}.public.{name}") for name in "abc"]
        assert owners == [["ann@x.org"], ["team:orders"], []], "the role that made a table may be that of a tool"
        assert reading.describe(f"{at.name}.public.c")["table_owner"] == "postgres"
    finally:
        at.execute("DROP TABLE a, b", 'DROP ROLE "ann@x.org", orders_rw')


def test_some_schemas(shop: Database) -> None:
    reading = read_shop(shop, schemas=["sales"], exclude=["sales.p*", "sales.over_view"])
    assert set(reading.tables) == {f"{shop.name}.sales.{name}" for name in ("big", "orders", "report")}
    ends = {flow[0] for flow in reading.list_view_flows(f"{shop.name}.sales.big")}
    assert f"{shop.name}.public.customers:email" in ends, "what is left out is still the origin of what is not"


def test_of_extensions_and_of_the_system_nothing_is_listed(postgres: PostgresServer) -> None:
    at = postgres.make_database(
        ["CREATE EXTENSION pg_stat_statements", "CREATE TABLE t (id int)", "CREATE VIEW v AS SELECT count(*) AS n FROM pg_class"]
    )
    reading = read_shop(at)
    assert set(reading.tables) == {f"{at.name}.public.t", f"{at.name}.public.v"}
    assert reading.list_view_flows(f"{at.name}.public.v") == set()


def test_foreign_tables_and_hostile_names(postgres: PostgresServer) -> None:
    at = postgres.make_database(
        [
            "CREATE FOREIGN DATA WRAPPER nowhere",
            "CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere",
            "CREATE FOREIGN TABLE remote (id int) SERVER elsewhere",
            'CREATE TABLE "a""b; DROP TABLE x --" ("sp ace" int, "q""uote" int, "ÄÖ" int)',
            'CREATE VIEW "V W" AS SELECT "sp ace" AS "x.y", "ÄÖ" FROM "a""b; DROP TABLE x --"',
            "CREATE TABLE empty ()",
        ]
    )
    reading, odd = read_shop(at), f'{at.name}.public.a"b; DROP TABLE x --'
    assert reading.describe(f"{at.name}.public.remote")["foreign_server"] == "elsewhere"
    assert reading.describe(f"{at.name}.public.remote")["dataset_type"] == "FOREIGN_TABLE"
    assert reading.tables[odd] == ["sp ace", 'q"uote', "ÄÖ"]
    assert reading.tables[f"{at.name}.public.empty"] == []
    assert reading.list_view_flows(f"{at.name}.public.V W") == {
        (f"{odd}:sp ace", f"{at.name}.public.V W:x.y", "IDENTITY"),
        (f"{odd}:ÄÖ", f"{at.name}.public.V W:ÄÖ", "IDENTITY"),
    }


def test_a_view_that_cannot_be_parsed_comes_from_what_the_catalog_lists(postgres: PostgresServer) -> None:
    at = postgres.make_database(["CREATE TABLE t (id int, x oid)", "CREATE VIEW v AS SELECT id FROM t WHERE x = ANY ('{1,2}'::oid[])"])
    reading = read_shop(at)
    flows = reading.list_view_flows(f"{at.name}.public.v")
    assert flows == {(f"{at.name}.public.t", f"{at.name}.public.v", "possible")}
    assert "cannot be read as postgres" in reading.warnings[0]


# -- the history


@pytest.fixture
def history(postgres: PostgresServer) -> Database:
    at = postgres.make_database(
        [
            "CREATE EXTENSION pg_stat_statements",
            "CREATE TABLE src (id int, email text, day date)",
            "CREATE TABLE dst (id int, email text, day date)",
            "CREATE VIEW v AS SELECT id FROM src",
        ]
    )
    at.execute(
        "INSERT INTO dst (id, email) SELECT id, upper(email) FROM src WHERE day > '2026-01-01'",
        "INSERT INTO dst (id, email) SELECT id, upper(email) FROM src WHERE day > '2026-02-01'",
        "CREATE TABLE made AS SELECT email, interval '1 day' AS i FROM src WHERE id IN (1, 2, 3)",
        "MERGE INTO dst t USING src s ON s.id = t.id WHEN MATCHED THEN UPDATE SET email = s.email",
        "INSERT INTO src VALUES (1, 'secret@x', '2026-01-01')",
        "UPDATE src SET email = 'y' WHERE id = 1",
        "SELECT * FROM src JOIN dst USING (id)",
    )
    return at


def test_statements_that_write_are_jobs_by_their_shape(history: Database) -> None:
    reading, at = read_shop(history, history=True), history.name
    src, dst, made = (f"{at}.public.{name}" for name in ("src", "dst", "made"))
    assert reading.list_queries() == {
        "INSERT INTO dst (id, email) SELECT id, upper(email) FROM src WHERE day > ?": {
            (f"{src}:id", f"{dst}:id", "IDENTITY"),
            (f"{src}:email", f"{dst}:email", "TRANSFORMATION"),
            (f"{src}:day", dst, "FILTER"),
        },
        "CREATE TABLE made AS SELECT email, interval ? AS i FROM src WHERE id IN (?)": {
            (f"{src}:email", f"{made}:email", "IDENTITY"),
            (f"{src}:id", made, "FILTER"),
        },
        "MERGE INTO dst t USING src s ON s.id = t.id WHEN MATCHED THEN UPDATE SET email = s.email": {
            (f"{src}:email", f"{dst}:email", "IDENTITY"),
            (f"{src}:id", dst, "JOIN"),
            (f"{dst}:id", dst, "JOIN"),
        },
    }, "neither what writes values, nor what defines a view, nor what reads alone"
    assert reading.warnings == []
    jobs = [scope[2] for scope in reading.facts if scope[0] == "query"]
    assert all(name.startswith((f"{dst}/query-", f"{made}/query-")) for name in jobs)


def test_statements_that_only_read_are_usage(history: Database) -> None:
    """Counted from the first reading on, by role, in a real pg_stat_statements."""
    options: dict[str, Any] = {"history": True, "usage": {"complete": True, "readers": {"postgres": "app"}}}
    first = read_shop(history, None, **options)
    assert not [scope for scope in first.facts if scope[0].startswith("usage")]
    assert "reads are counted from this reading on" in first.warnings[0]
    history.execute(*("SELECT email FROM src WHERE id = 1",) * 3, "SELECT id FROM v", "INSERT INTO dst (id) SELECT id FROM src")
    second = read_shop(history, first.memory, **options)
    assert {place: number for place, (number, _, _) in list_reads(second.facts).items()} == {
        ("app", f"{history.name}.public.src:email"): 3,
        ("app", f"{history.name}.public.src:id"): 3,
        ("app", f"{history.name}.public.v:id"): 1,
    }
    assert second.warnings == []
    assert {scope[2] for scope in second.facts if scope[0] == "usage-window"} >= {f"{history.name}.public.src"}
    assert list_reads(read_shop(history, second.memory, **options).facts) == list_reads(second.facts), "its own reading is no use"
    with pytest.raises(InvalidInput, match="usage is read from the history"):
        read_shop(history, usage=True)


def test_a_query_remains_that_is_no_longer_in_the_history(history: Database) -> None:
    first = read_shop(history, history=True)
    scopes = {scope for scope in first.facts if scope[0] == "query"}
    history.execute("SELECT pg_stat_statements_reset()")
    again = read_shop(history, first.memory, history=True)
    assert set(again.unchanged) == scopes
    assert again.list_queries() == {}
    old = first.memory["queries"].translate(str.maketrans("123456789", "111111111"))  # seen many years ago
    assert read_shop(history, {"queries": old}, history=True).unchanged == []


def test_a_database_without_the_extension_and_a_role_without_rights(postgres: PostgresServer, history: Database) -> None:
    assert read_shop(postgres.make_database(), history=True).warnings == [
        "the extension pg_stat_statements is not in this database: no lineage from its query history"
    ]
    history.execute("CREATE ROLE reader LOGIN PASSWORD 'reader-word'")
    try:
        reading = read_shop(history, url=history.build_url("reader", "reader-word"), history=True)
        assert f"{history.name}.public.src" in reading.tables, "what exists is no secret in PostgreSQL"
        assert [one for one in reading.warnings if "pg_read_all_stats" in one]
    finally:
        history.execute("DROP ROLE reader")


# -- connections


def test_a_password_is_in_no_message(shop: Database) -> None:
    given: tuple[dict[str, Any], ...] = (
        {"url": shop.build_url("postgres", "wrong-word")},
        {"url": shop.build_url("postgres", "wrong-word") + "?sslmode=require"},
        {"url": f"postgresql://postgres@{shop.address}/{shop.name}", "password": "wrong-word"},
    )
    for keys in given:
        with pytest.raises(StoreUnavailable) as failure:
            read_shop(shop, **keys)
        assert "wrong-word" not in str(failure.value)
        assert str(failure.value).startswith("PostgreSQL does not answer: ")
        assert "wrong-word" not in repr(build_source({"kind": "postgres", **keys}))
    assert read_shop(shop, url=f"postgresql://postgres@{shop.address}/{shop.name}", password="${SECRET}").tables


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"url": "mysql://h/d"}, "url: found 'mysql://h/d'; accepted: postgresql://user@host:port/database"),
        ({"url": "postgresql://h/d?nonsense=1"}, 'url: invalid URI query parameter: "nonsense"'),
        ({"url": "postgresql:///d?host=/run"}, "namespace: the url names no single host"),
        ({"url": "postgresql://${NOT_SET}@h/d"}, "url: the environment variable NOT_SET is not set"),
    ],
)
def test_keys_that_cannot_be_used(keys: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput) as failure:
        CatalogReading(build_source({"kind": "postgres", **keys}), Path.cwd())
    assert str(failure.value).startswith(message)


def test_limits_of_keys() -> None:
    with pytest.raises(ValidationError):
        Postgres(url="postgresql://h/d", timeout=0)


def test_a_server_that_does_not_answer() -> None:
    with pytest.raises(StoreUnavailable, match="PostgreSQL does not answer: "):
        CatalogReading(build_source({"kind": "postgres", "url": "postgresql://127.0.0.1:1/d"}), Path.cwd())


def test_a_lock_is_not_waited_for_longer_than_the_limit(shop: Database) -> None:
    with psycopg.connect(shop.url) as connection:
        connection.execute("LOCK TABLE pg_catalog.pg_attrdef IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable, match=r"PostgreSQL does not answer: .* timeout"):
            read_shop(shop, timeout=1)


def test_loading_twice_writes_once_and_a_dropped_table_is_retracted(postgres: PostgresServer) -> None:
    at = postgres.make_database(SHOP)
    source = Postgres(name="shop", url=at.url, history=False)
    with open_graph() as graph:
        first = load_reading(graph, source.read(Context(Naming(), Path.cwd())), 1)
        again = load_reading(graph, source.read(Context(Naming(), Path.cwd())), 2)
        assert count_outcomes(again) == {"read": first.new, "unchanged": first.new}
        at.execute("DROP VIEW sales.over_view", "ALTER TABLE customers ADD COLUMN phone text")
        third = count_outcomes(load_reading(graph, source.read(Context(Naming(), Path.cwd())), 3))
        assert third == {"read": first.new - 2, "unchanged": first.new - 3, "changed": 1, "retracted": 2}
        tables = read_tables(graph)
        assert "phone" in tables[f"postgres://{at.address}/{at.name}.public.customers"]
        assert f"postgres://{at.address}/{at.name}.sales.over_view" not in tables
