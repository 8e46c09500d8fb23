"""Scripts of DDL, on what the graph knows and in two versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.errors import Ambiguous, InvalidInput, NotFound
from meshline.graph.contracts import Definition
from meshline.graph.model import build_dataset_key
from meshline.ingest.changes import ChangeInput, GraphState, Text, build_proposal
from tests.ingest.changes.conftest import Ask
from tests.ingest.changes.proposals import (
    CUSTOMER_ORDERS,
    CUSTOMERS,
    LAKE,
    get_dataset,
    get_pair,
    get_versions,
    list_fields,
    list_names,
    list_removed_columns,
    list_renamed_columns,
)

ORDERS = "lake.orders.customer_orders"


def test_columns_are_added_dropped_and_renamed(ask: Ask) -> None:
    sql = f"""\
-- a migration
ALTER TABLE {ORDERS} ADD COLUMNS (note string COMMENT 'x', paid boolean NOT NULL);
ALTER TABLE {ORDERS} ADD COLUMN first int FIRST;
ALTER TABLE {ORDERS} ADD COLUMN second int AFTER order_id;
ALTER TABLE {ORDERS} RENAME COLUMN status TO state;
ALTER TABLE {ORDERS} DROP COLUMN currency"""
    found = ask("ddl", sql, file="m.sql")
    before, after = get_versions(found)
    assert get_dataset(before) == get_dataset(after) == CUSTOMER_ORDERS
    assert list_renamed_columns(found) == {"status": "state"}
    assert list_removed_columns(found) == {"currency"}
    assert list_names(after)[:3] == ["first", "order_id", "second"]
    assert list_names(after)[-2:] == ["note", "paid"]
    assert list_fields(after)["paid"].required is True
    assert [after.find_line(("field", one)) for one in ("note", "first", "second", "state", "currency")] == [2, 3, 4, 5, 6]
    assert (before.file, after.file) == ("m.sql", "m.sql")


@pytest.mark.parametrize(
    ("dialect", "action", "type_", "required"),
    [
        ("spark", "ALTER COLUMN total_amount TYPE decimal(20,2)", "decimal(20,2)", False),
        ("trino", "ALTER COLUMN total_amount SET DATA TYPE bigint", "long", False),
        ("postgres", "ALTER COLUMN total_amount TYPE timestamptz USING now()", "timestamptz", False),
        ("postgres", "ALTER COLUMN total_amount TYPE timestamp", "timestamp", False),
        ("spark", "ALTER COLUMN total_amount TYPE timestamp", "timestamptz", False),
        ("spark", "ALTER COLUMN total_amount TYPE timestamp_ntz", "timestamp", False),
        ("spark", "ALTER COLUMN total_amount TYPE struct<a: bigint, b: array<timestamp>>", "struct<a: long, b: list<timestamptz>>", False),
        ("mysql", "MODIFY COLUMN total_amount varchar(10) NOT NULL", "string", True),
        ("tsql", "ALTER COLUMN total_amount int NOT NULL", "int", True),
        ("postgres", "ALTER COLUMN total_amount SET NOT NULL", "decimal(18, 2)", True),
        ("postgres", "ALTER COLUMN total_amount DROP NOT NULL", "decimal(18, 2)", False),
        ("postgres", "ALTER COLUMN TOTAL_AMOUNT DROP DEFAULT", "decimal(18, 2)", False),
    ],
)
def test_a_column_is_altered(ask: Ask, dialect: str, action: str, type_: str, *, required: bool) -> None:
    found = ask("ddl", f"ALTER TABLE {ORDERS} ADD COLUMN other int; ALTER TABLE {ORDERS} {action}", dialect=dialect)
    field = list_fields(get_versions(found)[1])["total_amount"]
    assert (field.type, field.required) == (type_, required)


def test_actions_of_several_kinds_in_one_statement(ask: Ask) -> None:
    sql = f"ALTER TABLE {ORDERS} DROP COLUMN status, ADD COLUMN a int, RENAME COLUMN currency TO money"
    for dialect in ("postgres", "bigquery"):
        found = ask("ddl", sql, dialect=dialect)
        assert list_removed_columns(found) == {"status"}
        assert list_renamed_columns(found) == {"currency": "money"}
        assert "a" in list_names(get_versions(found)[1])


def test_other_ways_to_rename(ask: Ask) -> None:
    for dialect, sql in (
        ("postgres", f"ALTER TABLE {ORDERS} RENAME status TO state"),
        ("mysql", "ALTER TABLE customer_orders CHANGE status state text"),
        ("spark", f"ALTER TABLE {ORDERS} CHANGE COLUMN status state string"),
        ("tsql", "EXEC sp_rename 'orders.customer_orders.status', 'state', 'COLUMN'"),
    ):
        found = (
            ask("ddl", sql, dialect=dialect, namespace=LAKE, schema="orders") if "lake." not in sql else ask("ddl", sql, dialect=dialect)
        )
        assert list_renamed_columns(found) == {"status": "state"}, sql


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        ("ADD PARTITION FIELD bucket(16, order_id)", ("days(created_at)", "bucket(16, order_id)")),
        ("DROP PARTITION FIELD days(created_at)", ()),
        ("DROP PARTITION FIELD created_at_day", ()),
        ("REPLACE PARTITION FIELD days(created_at) WITH hours(created_at) AS h", ("hours(created_at)",)),
        ("ADD PARTITION FIELD `currency`", ("days(created_at)", "currency")),
        ("SET PROPERTIES partitioning = ARRAY['month(created_at)', 'bucket(order_id, 8)']", ("months(created_at)", "bucket(8, order_id)")),
    ],
)
def test_partitioning(ask: Ask, action: str, wanted: tuple[str, ...]) -> None:
    before, after = get_versions(ask("ddl", f"ALTER TABLE {ORDERS} {action}"))
    assert before.value.partitioning == ("days(created_at)",)
    assert after.value.partitioning == wanted
    assert after.find_line(("partitioning",)) == 1


def test_a_partition_that_is_none(ask: Ask) -> None:
    with pytest.raises(InvalidInput, match=r"new:1:1: .* is not partitioned by 'currency'; known partition fields: days\(created_at\)"):
        ask("ddl", f"ALTER TABLE {ORDERS} DROP PARTITION FIELD currency")


@pytest.mark.parametrize(
    "action",
    [
        "SET TBLPROPERTIES ('a' = 'b')",
        "UNSET TBLPROPERTIES ('a')",
        "WRITE ORDERED BY order_id",
        "SET LOCATION 's3://x'",
        "OWNER TO me",
        "ADD PARTITION (dt='x')",
        "ALTER COLUMN status COMMENT 'x'",
        "ALTER COLUMN status SET DEFAULT 'x'",
        "ENABLE ROW LEVEL SECURITY",
    ],
)
def test_actions_that_change_no_schema(ask: Ask, action: str) -> None:
    found = ask("ddl", f"ALTER TABLE {ORDERS} {action}", dialect="spark")
    assert (found.pairs, found.warnings) == ((), ())


def test_statements_about_other_objects_change_nothing(ask: Ask) -> None:
    statements = ["SET x = 1", "GRANT SELECT ON t TO u", "COMMENT ON TABLE t IS 'x'", "BEGIN", "CREATE INDEX i ON t (a)", "DROP INDEX i"]
    found = ask("ddl", "; ".join([*statements, "CREATE SCHEMA s", "ANALYZE t", "COMMIT"]), dialect="postgres")
    assert (found.pairs, found.warnings) == ((), ())


def test_statements_on_data_are_reported_as_skipped(ask: Ask) -> None:
    found = ask("ddl", "TRUNCATE TABLE t; DELETE FROM t; INSERT INTO t SELECT 1; UPDATE t SET a = 1; INSERT INTO t VALUES (1); SELECT 1")
    assert found.pairs == ()
    assert found.warnings == ("new: statements that change no schema are not checked: 1 DELETE, 2 INSERT, 1 SELECT, 1 TRUNCATE, 1 UPDATE",)


def test_a_table_is_dropped(ask: Ask) -> None:
    before, after = get_pair(ask("ddl", "\nDROP TABLE lake.customers.customers"))
    assert before is not None
    assert get_dataset(before) == CUSTOMERS
    assert before.find_line(()) == 2
    assert after is None


def test_what_is_not_there_is_dropped_only_if_it_exists(ask: Ask) -> None:
    found = ask("ddl", "DROP TABLE IF EXISTS nowhere; ALTER TABLE IF EXISTS nowhere ADD COLUMN a int")
    assert found.pairs == ()
    assert len(found.warnings) == 2
    with pytest.raises(NotFound, match=r"new:1:1: no asset is called 'nowhere'"):
        ask("ddl", "DROP TABLE nowhere")


def test_a_table_is_renamed_and_altered(ask: Ask) -> None:
    found = ask("ddl", f"ALTER TABLE {ORDERS} RENAME TO lake.sales.shop_orders; ALTER TABLE lake.sales.shop_orders DROP COLUMN status")
    before, after = get_versions(found)
    assert get_dataset(after) == build_dataset_key(LAKE, "sales.shop_orders")
    assert after.value.model.name == f"{LAKE}/sales.shop_orders"
    assert list_removed_columns(found) == {"status"}
    assert get_dataset(before) == CUSTOMER_ORDERS
    assert get_dataset(get_versions(ask("ddl", f"ALTER TABLE {ORDERS} RENAME TO other"))[1]) == build_dataset_key(LAKE, "orders.other")


def test_a_table_is_defined_again(ask: Ask) -> None:
    sql = """CREATE OR REPLACE TABLE lake.customers.customers (
      customer_id string, full_name string, email string NOT NULL, phone_number bigint,
      country string, created_at timestamp
    ) USING iceberg"""
    found = ask("ddl", sql)
    before, after = get_versions(found)
    assert list_removed_columns(found) == {"marketing_consent"}
    assert list_fields(after)["email"].required is True
    assert list_fields(after)["phone_number"].type == "long"
    assert list_fields(before)["created_at"].type == list_fields(after)["created_at"].type == "timestamptz"
    assert after.find_line(("field", "email")) == 2
    assert (before.value.kind, after.value.kind) == ("table", "table")


def test_the_same_table_again(ask: Ask) -> None:
    sql = "CREATE TABLE lake.products.products (%s) USING iceberg"
    before, _ = get_pair(ask("ddl", "DROP TABLE lake.products.products"))
    assert before is not None
    words = {"timestamptz": "timestamp", "long": "bigint"}
    found = ask("ddl", sql % ", ".join(f"{one.name} {words.get(one.type, one.type)}" for one in before.value.model.fields))
    for pair in found.pairs:  # the spelling of types may differ
        assert [list_names(one) for one in pair if one is not None] == [list_names(before)] * 2  # type: ignore[arg-type]
    assert ask("ddl", sql.replace("TABLE ", "TABLE IF NOT EXISTS ") % "a int").pairs == ()


def test_a_new_table_with_constraints(ask: Ask) -> None:
    sql = """CREATE TABLE shop.items (
        id bigint PRIMARY KEY, sku varchar(10) UNIQUE, size text CHECK (size IN ('S', 'M')), price numeric(10, 2) DEFAULT 0,
        amount int, CONSTRAINT few CHECK (amount >= 1 AND amount < 10), order_id int REFERENCES shop.orders (id),
        UNIQUE (sku, size), CHECK (length(sku) = 3)
    );
    ALTER TABLE shop.items ADD CONSTRAINT positive CHECK (price > 0);
    ALTER TABLE shop.items DROP CONSTRAINT few;
    ALTER TABLE shop.items ADD CONSTRAINT sizes CHECK (size IN ('S', 'M', 'L'))"""
    found = ask("ddl", sql, dialect="postgres", namespace="postgres://shop")
    before, after = get_pair(found)
    assert before is None
    assert after is not None
    fields = list_fields(after)
    assert get_dataset(after) == build_dataset_key("postgres://shop", "shop.items")
    assert (fields["id"].primary_key, fields["id"].required) == (True, True)
    assert fields["sku"].unique is True
    assert fields["size"].enum == ("S", "M", "L")
    assert fields["price"].exclusive_minimum == 0
    assert (fields["amount"].minimum, fields["amount"].exclusive_maximum) == (None, None)
    assert any("UNIQUE over several columns" in one for one in found.warnings)
    assert any("LENGTH(sku) = 3" in one for one in found.warnings)
    assert found.entries[0][1].scope == ("sql", "postgres://shop", "shop.items")


def test_a_view_has_the_columns_of_its_query(ask: Ask) -> None:
    """As the columns are at the place of the statement."""
    sql = f"CREATE VIEW lake.orders.v AS SELECT *, total_amount * 2 AS doubled FROM {ORDERS}"
    for before, has in (("", True), (f"ALTER TABLE {ORDERS} DROP COLUMN status; ", False)):
        after = ask("ddl", before + sql).pairs[-1].after
        assert after is not None
        assert isinstance(after.value, Definition)
        listed = [one.name for one in after.value.model.fields]
        assert (listed[0], listed[-1]) == ("order_id", "doubled")
        assert ("status" in listed) is has
        assert (after.value.kind, after.value.sql[:8], after.value.dialect) == ("view", "SELECT *", "spark")


def test_a_view_that_the_graph_knows(ask: Ask) -> None:
    name = "iceberg.orders.customer_orders"
    found = ask("ddl", f"CREATE OR REPLACE VIEW {name} AS SELECT 1 AS order_id", dialect="trino", namespace="trino://trino.internal")
    assert found.pairs


def test_temporary_tables_are_nobodys(ask: Ask) -> None:
    assert ask("ddl", "CREATE TEMPORARY TABLE t (a int); ALTER TABLE t ADD COLUMN b int; DROP TABLE t", dialect="postgres").pairs == ()


def test_what_is_made_and_dropped_was_never_there(ask: Ask) -> None:
    assert ask("ddl", "CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN b int; DROP TABLE t").pairs == ()


def test_a_dropped_schema_is_not_passed_over(ask: Ask) -> None:
    with pytest.raises(InvalidInput, match="write DROP TABLE for each"):
        ask("ddl", "DROP SCHEMA orders CASCADE")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (f"ALTER TABLE {ORDERS} FROBNICATE x", r"f.sql:1:1: this ALTER TABLE of spark is not understood"),
        (f"\n  ALTER TABLE {ORDERS} SWAP WITH t", r"f.sql:2:3"),
        ("ALTER TABLE", r"f.sql:1:7"),
        ("CREATE TABLE t (a int", r"f.sql:1:"),
        ("SELECT 1;\nSELECT FROM WHERE", r"f.sql:2:"),
        (f"ALTER TABLE {ORDERS} ADD COLUMN status int", r"f.sql:1:1: .* has a column 'status' already"),
        ("CREATE TABLE t (a int); DROP TABLE t; ALTER TABLE t ADD COLUMN b int", r"f.sql:1:39: t was already dropped"),
        ("SELECT 'x", r"a quote or a comment that has no end"),
        ("UNDROP TABLE t", r"f.sql:1:1"),
    ],
)
def test_what_is_not_understood_has_its_place(ask: Ask, sql: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        ask("ddl", sql, file="f.sql", dialect="spark")


def test_an_unknown_column_lists_the_known_ones(ask: Ask) -> None:
    with pytest.raises(NotFound, match=r"new:1:1: .* has the columns order_id, .* and no 'statsu'; did you mean 'status'"):
        ask("ddl", f"ALTER TABLE {ORDERS} DROP COLUMN statsu")


def test_an_unknown_dialect_lists_the_known_ones(ask: Ask) -> None:
    with pytest.raises(InvalidInput, match="found 'sparkk'; did you mean 'spark'"):
        ask("ddl", "SELECT 1", dialect="sparkk")


def test_an_ambiguous_table(ask: Ask) -> None:
    with pytest.raises(Ambiguous, match=r"new:1:1: 'orders.customer_orders' may be"):
        ask("ddl", "DROP TABLE orders.customer_orders")


def test_an_unknown_catalog_is_left_out(ask: Ask) -> None:
    """With a warning; a whole name goes before the end of another one (trino's delta.orders.customer_orders)."""
    found = ask("ddl", "DROP TABLE warehouse.orders.customer_orders")
    before, _ = get_pair(found)
    assert before is not None
    assert get_dataset(before) == CUSTOMER_ORDERS
    (warning,) = found.warnings
    assert warning.startswith(f"new: warehouse.orders.customer_orders was matched to {CUSTOMER_ORDERS.qualified_name}; if that is wrong")


def test_use_and_defaults(ask: Ask) -> None:
    assert get_dataset(get_versions(ask("ddl", "USE lake.orders; ALTER TABLE customer_orders ADD COLUMN x int"))[0]) == CUSTOMER_ORDERS
    found = ask("ddl", "ALTER TABLE customer_orders ADD COLUMN x int", namespace="lake", schema="orders")
    assert get_dataset(get_versions(found)[0]) == CUSTOMER_ORDERS
    found = ask("ddl", "ALTER TABLE orders.customer_orders ADD COLUMN x int", namespace="trino://trino.internal", catalog="delta")
    assert get_dataset(get_versions(found)[0]) == build_dataset_key("trino://trino.internal", "delta.orders.customer_orders")


def test_a_script_in_two_versions(ask: Ask) -> None:
    old = "CREATE TABLE s.t (a int, b int); CREATE TABLE s.gone (a int); CREATE VIEW s.v AS SELECT a FROM s.t"
    new = "CREATE VIEW s.v AS SELECT a, 1 AS b FROM s.t;\n-- moved\nCREATE TABLE s.t (a bigint, c int); CREATE TABLE s.new (a int)"
    found = {}
    for pair in ask("ddl", new, before=old).pairs:
        models = [one.value.model for one in pair if one is not None and isinstance(one.value, Definition)]
        found[models[0].name] = [one is not None for one in pair], [[field.name for field in one.fields] for one in models]
    assert found == {
        "s.t": ([True, True], [["a", "b"], ["a", "c"]]),
        "s.v": ([True, True], [["a"], ["a", "b"]]),
        "s.gone": ([True, False], [["a"]]),
        "s.new": ([False, True], [["a"]]),
    }


def test_a_migration_that_grew(ask: Ask) -> None:
    """Statements that the file had before have been applied."""
    old = f"ALTER TABLE {ORDERS} ADD COLUMN x int;\nALTER TABLE {ORDERS} DROP COLUMN old_one"
    new = f"{old};\nALTER TABLE {ORDERS} DROP COLUMN status"
    found = ask("ddl", new, before=old)
    assert list_removed_columns(found) == {"status"}
    assert "x" not in list_names(get_versions(found)[1])
    assert ask("ddl", f"-- a remark\n{old}", before=old).pairs == ()


def test_a_script_that_is_gone(ask: Ask) -> None:
    found = ask("ddl", None, before="CREATE TABLE s.t (a int); ALTER TABLE s.t ADD COLUMN b int")
    before, after = get_pair(found)
    assert before is not None
    assert list_names(before) == ["a", "b"]
    assert after is None


PIECES = st.sampled_from(
    [
        "ALTER TABLE",
        "lake.customers.customers",
        "CREATE TABLE",
        "VIEW",
        "t",
        "DROP",
        "COLUMN",
        "ADD",
        "RENAME",
        "TO",
        "email",
        "(a int)",
        "int",
        ",",
        ";",
        "(",
        ")",
        "AS SELECT",
        "1 AS a",
        "FROM",
        "PRIMARY KEY",
        "CHECK (a IN (1, 2))",
        "PARTITION FIELD",
        "days(created_at)",
        "SET",
        "NOT NULL",
        "TYPE",
        "IF EXISTS",
        "USE",
        "CONSTRAINT c",
        "LIKE",
        "PARTITIONED BY",
        "`",
        '"',
        "'",
        "EXEC sp_rename 'a.b', 'c'",
        "UNIQUE (email)",
        "REPLACE",
        "WITH",
        "*",
        "\n",
        "ü",
        "struct<a: int>",
    ]
)
DIALECTS = st.sampled_from(
    ["spark", "trino", "postgres", "mysql", "tsql", "snowflake", "bigquery", "oracle", "hive", "clickhouse", "duckdb"]
)


@given(st.lists(PIECES, max_size=14).map(" ".join) | st.text(max_size=40), DIALECTS)
def test_nothing_else_is_raised(known: GraphState, sql: str, dialect: str) -> None:
    text = Text("f.sql", sql.encode("utf-8", "replace"))
    for one in (ChangeInput("ddl", None, text, {"dialect": dialect}), ChangeInput("ddl", text, text, {"dialect": dialect})):
        try:
            found = build_proposal(one, known)
        except (InvalidInput, NotFound, Ambiguous):
            continue
        assert all(pair.before != pair.after for pair in found.pairs)
