"""Exports of Snowflake, BigQuery and Redshift. No server of theirs runs here: the rows are written by hand after the documented columns
of their views, and are marked so.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.model import to_micros
from meshline.ingest.sources.databases.exports import Row
from meshline.ingest.sources.registry import build_source
from tests.ingest.sources.catalog_reading import CatalogReading

Rows = Sequence[Mapping[str, Any]]


def write_rows(path: Path, rows: Rows) -> None:
    """In the format that the file's ending names."""
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows([{k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in row.items()} for row in rows])
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".parquet":
        lines = path.with_suffix(".lines.ndjson")
        write_rows(lines, rows)
        duckdb.sql(f"COPY (SELECT * FROM read_json_auto('{lines}')) TO '{path}' (FORMAT parquet)")
        lines.unlink()
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def read_exports(
    folder: Path, kind: str, files: Mapping[str, Rows], memory: dict[str, str] | None = None, **keys: object
) -> CatalogReading:
    for name, rows in files.items():
        write_rows(folder / name, rows)
    return CatalogReading(build_source({"kind": kind, "files": sorted(files), **keys}), folder, memory)


# -- Snowflake, after SNOWFLAKE.ACCOUNT_USAGE


def build_snowflake(ending: str = "ndjson") -> dict[str, Rows]:
    at = {"TABLE_CATALOG": "SHOP", "TABLE_SCHEMA": "RAW"}
    numbers = {"CHARACTER_MAXIMUM_LENGTH": None, "NUMERIC_PRECISION": 38, "NUMERIC_SCALE": 0}
    texts = {"CHARACTER_MAXIMUM_LENGTH": 100, "NUMERIC_PRECISION": None, "NUMERIC_SCALE": None}
    view = "create or replace view SHOP.RAW.BIG (WHO, N) as select email, count(*) from orders where id > 10 group by email;"
    return {
        f"tables.{ending}": [
            {**at, "TABLE_NAME": "ORDERS", "TABLE_TYPE": "BASE TABLE", "TABLE_OWNER": "ORDERS_RW", "ROW_COUNT": 12345, "BYTES": 987654,
             "COMMENT": "all of them", "DELETED": None},
            {**at, "TABLE_NAME": "BIG", "TABLE_TYPE": "VIEW", "TABLE_OWNER": "ORDERS_RW", "ROW_COUNT": None, "BYTES": None, "COMMENT": "",
             "DELETED": None},
            {**at, "TABLE_NAME": "COPY", "TABLE_TYPE": "BASE TABLE", "TABLE_OWNER": "LOADER", "ROW_COUNT": 0, "BYTES": 0, "COMMENT": "",
             "DELETED": None},
            {**at, "TABLE_NAME": "GONE", "TABLE_TYPE": "BASE TABLE", "TABLE_OWNER": "LOADER", "ROW_COUNT": 0, "BYTES": 0, "COMMENT": "",
             "DELETED": "2026-01-01 00:00:00.000 +0000"},
        ],
        f"columns.{ending}": [
            {**at, "TABLE_NAME": table, "COLUMN_NAME": name, "ORDINAL_POSITION": place, "DATA_TYPE": type_, "IS_NULLABLE": nullable,
             "COLUMN_DEFAULT": None, "COMMENT": comment, "DELETED": None, **sizes}
            for table, name, place, type_, nullable, comment, sizes in (
                ("ORDERS", "EMAIL", 2, "TEXT", "YES", "who", texts),
                ("ORDERS", "ID", 1, "NUMBER", "NO", None, numbers),
                ("BIG", "WHO", 1, "TEXT", "YES", None, texts),
                ("BIG", "N", 2, "NUMBER", "YES", None, numbers),
                ("COPY", "ID", 1, "NUMBER", "YES", None, numbers),
                ("COPY", "MAIL", 2, "TEXT", "YES", None, texts),
            )
        ],
        f"views.{ending}": [{**at, "TABLE_NAME": "BIG", "VIEW_DEFINITION": view}],
    }  # fmt: skip


SNOWFLAKE_TAGS: Rows = [
    {"TAG_DATABASE": "GOV", "TAG_SCHEMA": "T", "TAG_NAME": "PII", "TAG_VALUE": "email", "OBJECT_DATABASE": "SHOP", "OBJECT_SCHEMA": "RAW",
     "OBJECT_NAME": "ORDERS", "OBJECT_DELETED": None, "DOMAIN": "COLUMN", "COLUMN_NAME": "EMAIL"},
    {"TAG_DATABASE": "GOV", "TAG_SCHEMA": "T", "TAG_NAME": "TIER", "TAG_VALUE": "gold", "OBJECT_DATABASE": "SHOP", "OBJECT_SCHEMA": "RAW",
     "OBJECT_NAME": "ORDERS", "OBJECT_DELETED": None, "DOMAIN": "TABLE", "COLUMN_NAME": None},
    {"TAG_DATABASE": "GOV", "TAG_SCHEMA": "T", "TAG_NAME": "COST", "TAG_VALUE": "1", "OBJECT_DATABASE": None, "OBJECT_SCHEMA": None,
     "OBJECT_NAME": "WH", "OBJECT_DELETED": None, "DOMAIN": "WAREHOUSE", "COLUMN_NAME": None},
]  # fmt: skip
SNOWFLAKE_KEYS: Rows = [
    {"created_on": "2026-01-01", "database_name": "SHOP", "schema_name": "RAW", "table_name": "ORDERS", "column_name": "ID",
     "key_sequence": 1, "constraint_name": "PK_ORDERS", "rely": "false", "comment": None}
]  # fmt: skip
SNOWFLAKE_QUERIES: Rows = [
    {"QUERY_ID": "q1", "QUERY_TEXT": "insert into copy (id, mail) select id, upper(email) from orders where id > 10",
     "DATABASE_NAME": "SHOP", "SCHEMA_NAME": "RAW", "EXECUTION_STATUS": "SUCCESS", "START_TIME": "2026-03-01 10:00:00.123456789 +0100",
     "END_TIME": "2026-03-01 10:00:01.000 +0100"},
    {"QUERY_ID": "q2", "QUERY_TEXT": "insert into copy (id, mail) select id, upper(email) from orders where id > 20",
     "DATABASE_NAME": "SHOP", "SCHEMA_NAME": "RAW", "EXECUTION_STATUS": "SUCCESS", "START_TIME": "2026-03-02 10:00:00.000 +0100",
     "END_TIME": "2026-03-02 10:00:01.000 +0100"},
    {"QUERY_ID": "q3", "QUERY_TEXT": "insert into copy select 1, email from orders", "DATABASE_NAME": "SHOP", "SCHEMA_NAME": "RAW",
     "EXECUTION_STATUS": "FAIL", "START_TIME": "2026-03-02 10:00:00.000 +0100", "END_TIME": "2026-03-02 10:00:01.000 +0100"},
]  # fmt: skip


@pytest.mark.parametrize("ending", ["ndjson", "json", "csv", "parquet"])
def test_tables_of_snowflake_in_every_format(tmp_path: Path, ending: str) -> None:
    files = {**build_snowflake(ending), "tags.ndjson": SNOWFLAKE_TAGS, "keys.csv": SNOWFLAKE_KEYS}
    reading = read_exports(tmp_path, "snowflake", files, account="acme-eu", owners={"ORDERS_RW": "team:orders"})
    assert (reading.refused, reading.warnings) == ([], [])
    assert reading.tables == {"SHOP.RAW.ORDERS": ["ID", "EMAIL"], "SHOP.RAW.BIG": ["WHO", "N"], "SHOP.RAW.COPY": ["ID", "MAIL"]}
    assert {scope[1] for scope in reading.facts} == {"snowflake://acme-eu"}
    assert reading.describe("SHOP.RAW.ORDERS") == {
        "dataset_type": "TABLE",
        "description": "all of them",
        "table_owner": "ORDERS_RW",
        "constraints": [{"name": "PK_ORDERS", "type": "PRIMARY KEY", "columns": ["ID"]}],
        "tags": ["tier=gold"],
    }
    assert reading.describe("SHOP.RAW.ORDERS:ID") == {"type": "NUMBER(38,0)", "nullable": False, "identifies": True}
    email = {"type": "TEXT(100)", "nullable": True, "description": "who", "tags": ["pii=email"]}
    assert reading.describe("SHOP.RAW.ORDERS:EMAIL") == email
    assert reading.list_owners("SHOP.RAW.ORDERS") == ["team:orders"]
    assert reading.get_size("SHOP.RAW.ORDERS") == {"record_count": 12000, "size_bytes": 990000}
    assert reading.list_view_flows("SHOP.RAW.BIG") == {
        ("SHOP.RAW.ORDERS:EMAIL", "SHOP.RAW.BIG:WHO", "IDENTITY"),
        ("SHOP.RAW.ORDERS:ID", "SHOP.RAW.BIG", "FILTER"),
        ("SHOP.RAW.ORDERS:EMAIL", "SHOP.RAW.BIG", "GROUP_BY"),
    }


def test_the_history_of_snowflake(tmp_path: Path) -> None:
    reading = read_exports(tmp_path, "snowflake", {**build_snowflake(), "q.ndjson": SNOWFLAKE_QUERIES}, account="acme-eu")
    flows = {
        ("SHOP.RAW.ORDERS:ID", "SHOP.RAW.COPY:ID", "IDENTITY"),
        ("SHOP.RAW.ORDERS:EMAIL", "SHOP.RAW.COPY:MAIL", "TRANSFORMATION"),
        ("SHOP.RAW.ORDERS:ID", "SHOP.RAW.COPY", "FILTER"),
    }
    assert reading.list_queries() == {"insert into copy (id, mail) select id, upper(email) from orders where id > ?": flows}
    [time] = [time for scope, time in reading.times.items() if scope[0] == "query"]
    assert time is not None
    assert model.from_micros(time).isoformat() == "2026-03-02T09:00:01+00:00", "that of the newest run"


def test_columns_that_snowflake_recorded(tmp_path: Path) -> None:
    """ACCESS_HISTORY is exact where the text cannot be read; filters are in the text alone."""
    modified = [
        {
            "objectName": "SHOP.RAW.COPY",
            "objectDomain": "Table",
            "objectId": 2,
            "columns": [
                {
                    "columnName": "MAIL",
                    "columnId": 3,
                    "directSources": [{"objectName": "SHOP.RAW.ORDERS", "objectDomain": "Table", "columnName": "EMAIL"}],
                    "baseSources": [],
                },
                {"columnName": "ID", "columnId": 4, "directSources": [], "baseSources": []},
            ],
        }
    ]
    read = [{"objectName": "SHOP.RAW.ORDERS", "objectDomain": "Table", "columns": [{"columnName": "EMAIL"}]}]
    access: Rows = [
        {"QUERY_ID": query, "QUERY_START_TIME": "2026-03-01 10:00:00", "DIRECT_OBJECTS_ACCESSED": read, "OBJECTS_MODIFIED": modified}
        for query in ("q1", "alone")
    ]
    files = {**build_snowflake(), "q.ndjson": SNOWFLAKE_QUERIES[:1], "access.csv": access}
    reading = read_exports(tmp_path, "snowflake", files, account="acme-eu")
    recorded = ("SHOP.RAW.ORDERS:EMAIL", "SHOP.RAW.COPY:MAIL", "DIRECT")
    assert reading.list_queries() == {
        "insert into copy (id, mail) select id, upper(email) from orders where id > ?": {
            recorded,
            ("SHOP.RAW.ORDERS:ID", "SHOP.RAW.COPY", "FILTER"),
        },
        "": {recorded},
    }


# -- BigQuery, after INFORMATION_SCHEMA


BIGQUERY_AT = {"table_catalog": "acme", "table_schema": "shop"}
BIGQUERY: dict[str, Rows] = {
    "tables.ndjson": [
        {**BIGQUERY_AT, "table_name": "orders", "table_type": "BASE TABLE", "creation_time": "2026-01-01 00:00:00 UTC"},
        {**BIGQUERY_AT, "table_name": "mails", "table_type": "VIEW", "creation_time": "2026-01-01 00:00:00 UTC"},
        {**BIGQUERY_AT, "table_name": "copy", "table_type": "BASE TABLE", "creation_time": "2026-01-01 00:00:00 UTC"},
    ],
    "columns.json": [
        {**BIGQUERY_AT, "table_name": table, "column_name": name, "ordinal_position": place, "is_nullable": "YES", "data_type": type_,
         "is_partitioning_column": "YES" if name == "day" else "NO", "column_default": "NULL"}
        for table, place, name, type_ in (
            ("orders", 1, "id", "INT64"),
            ("orders", 2, "ship", "STRUCT<city STRING, mail STRING>"),
            ("orders", 3, "day", "DATE"),
            ("mails", 1, "mail", "STRING"),
            ("copy", 1, "id", "INT64"),
        )
    ],
    "fields.csv": [
        {**BIGQUERY_AT, "table_name": "orders", "column_name": column, "field_path": path, "data_type": type_, "description": text}
        for column, path, type_, text in (
            ("id", "id", "INT64", "the number"),
            ("ship", "ship", "STRUCT<city STRING, mail STRING>", ""),
            ("ship", "ship.city", "STRING", ""),
            ("ship", "ship.mail", "STRING", "of who gets it"),
            ("day", "day", "DATE", ""),
        )
    ],
    "views.ndjson": [
        {**BIGQUERY_AT, "table_name": "mails", "view_definition": "SELECT ship.mail FROM `acme.shop.orders` WHERE id > 1",
         "use_standard_sql": "YES"}
    ],
    "options.ndjson": [
        {**BIGQUERY_AT, "table_name": "orders", "option_name": "description", "option_type": "STRING",
         "option_value": '"the \\"orders\\""'},
        {**BIGQUERY_AT, "table_name": "orders", "option_name": "labels", "option_type": "ARRAY<STRUCT<STRING, STRING>>",
         "option_value": '[STRUCT("team", "sales"), STRUCT("pii", "")]'},
    ],
    "storage.ndjson": [{"project_id": "acme", **BIGQUERY_AT, "table_name": "orders", "total_rows": 5, "total_logical_bytes": 1000}],
    "keys.ndjson": [
        {"constraint_catalog": "acme", "constraint_name": "orders.pk$", **BIGQUERY_AT, "table_name": "orders", "column_name": "id",
         "ordinal_position": 1}
    ],
}  # fmt: skip


def test_tables_of_bigquery(tmp_path: Path) -> None:
    reading = read_exports(tmp_path, "bigquery", BIGQUERY)
    assert (reading.refused, reading.warnings) == ([], [])
    assert reading.tables == {
        "acme.shop.orders": ["id", "ship", "ship.city", "ship.mail", "day"],
        "acme.shop.mails": ["mail"],
        "acme.shop.copy": ["id"],
    }
    assert {scope[1] for scope in reading.facts} == {"bigquery"}
    assert reading.describe("acme.shop.orders") == {
        "dataset_type": "TABLE",
        "description": 'the "orders"',
        "tags": ["pii", "team=sales"],
        "partition_columns": ["day"],
        "constraints": [{"name": "pk$", "type": "PRIMARY KEY", "columns": ["id"]}],
    }
    assert reading.describe("acme.shop.orders:ship.mail") == {"type": "STRING", "description": "of who gets it"}
    assert reading.describe("acme.shop.orders:id")["description"] == "the number"
    assert reading.get_size("acme.shop.orders") == {"record_count": 5, "size_bytes": 1000}
    assert reading.list_view_flows("acme.shop.mails") == {
        ("acme.shop.orders:ship.mail", "acme.shop.mails:mail", "IDENTITY"),
        ("acme.shop.orders:id", "acme.shop.mails", "FILTER"),
    }


def build_job(number: int, query: str, table: str = "copy", dataset: str = "shop", **others: object) -> dict[str, object]:
    return {
        "creation_time": "2026-03-01T10:00:00Z",
        "end_time": "2026-03-01T10:00:05.123Z",
        "project_id": "acme",
        "job_id": f"job_{number}",
        "job_type": "QUERY",
        "statement_type": "INSERT",
        "state": "DONE",
        "error_result": None,
        "query": query,
        "destination_table": {"project_id": "acme", "dataset_id": dataset, "table_id": table},
        "referenced_tables": [{"project_id": "acme", "dataset_id": "shop", "table_id": "orders"}],
        **others,
    }


def test_jobs_of_bigquery(tmp_path: Path) -> None:
    jobs: Rows = [
        build_job(1, "INSERT INTO shop.copy (id) SELECT id FROM shop.orders WHERE day = '2026-01-01'"),
        build_job(2, "INSERT INTO shop.copy (id) SELECT id FROM shop.orders WHERE day = '2026-01-02'"),
        build_job(3, "SELECT * FROM shop.orders", "anon1", "_0123abc", statement_type="SELECT"),
        build_job(4, "INSERT INTO shop.copy (id) SELECT 1 FROM shop.orders", error_result={"reason": "invalidQuery"}),
        build_job(5, "BEGIN ... END", statement_type="SCRIPT"),
        build_job(6, "SELECT id + 1 AS id FROM shop.orders", statement_type="SELECT"),  # with a destination table of its own
    ]
    reading = read_exports(tmp_path, "bigquery", {**BIGQUERY, "jobs.ndjson": jobs})
    assert reading.refused == []
    assert reading.list_queries() == {
        "INSERT INTO shop.copy (id) SELECT id FROM shop.orders WHERE day = ?": {
            ("acme.shop.orders:id", "acme.shop.copy:id", "IDENTITY"),
            ("acme.shop.orders:day", "acme.shop.copy", "FILTER"),
        },
        "SELECT id + ? AS id FROM shop.orders": {("acme.shop.orders", "acme.shop.copy", "possible")},
    }


# -- Redshift, after SVV_*, SYS_* and STL_*


REDSHIFT_AT = {"table_catalog": "dev", "table_schema": "public"}
REDSHIFT: dict[str, Rows] = {
    "tables.csv": [
        {**REDSHIFT_AT, "table_name": "orders", "table_type": "BASE TABLE", "remarks": "all of them"},
        {**REDSHIFT_AT, "table_name": "big", "table_type": "VIEW", "remarks": ""},
        {**REDSHIFT_AT, "table_name": "copy", "table_type": "BASE TABLE", "remarks": ""},
        {**REDSHIFT_AT, "table_schema": "pg_catalog", "table_name": "pg_class", "table_type": "BASE TABLE", "remarks": ""},
    ],
    "columns.csv": [
        {**REDSHIFT_AT, "table_name": table, "column_name": name, "ordinal_position": place, "column_default": "", "is_nullable": "YES",
         "data_type": type_, "character_maximum_length": length, "numeric_precision": "", "numeric_scale": "", "remarks": ""}
        for table, place, name, type_, length in (
            ("orders", 1, "id", "integer", ""),
            ("orders", 2, "email", "character varying", "256"),
            ("big", 1, "email", "character varying", "256"),
            ("copy", 1, "id", "integer", ""),
        )
    ],
    "info.ndjson": [{"database": "dev", "schema": "public", "table_id": 1, "table": "orders", "size": 3, "tbl_rows": 1234}],
    "views.ndjson": [
        {"schemaname": "public", "viewname": "big", "viewowner": "ann",
         "definition": "SELECT orders.email FROM public.orders WHERE (orders.id > 10) with no schema binding;"}
    ],
}  # fmt: skip


def test_tables_of_redshift(tmp_path: Path) -> None:
    reading = read_exports(tmp_path, "redshift", REDSHIFT, cluster="shop.abc123.eu-west-1.redshift.amazonaws.com:5440")
    assert (reading.refused, reading.warnings) == ([], [])
    assert reading.tables == {"dev.public.orders": ["id", "email"], "dev.public.big": ["email"], "dev.public.copy": ["id"]}
    assert {scope[1] for scope in reading.facts} == {"redshift://shop.eu-west-1:5440"}
    assert reading.describe("dev.public.orders") == {"dataset_type": "TABLE", "description": "all of them"}
    assert reading.describe("dev.public.orders:email") == {"type": "character varying(256)", "nullable": True}
    assert reading.get_size("dev.public.orders") == {"record_count": 1200, "size_bytes": 3100000}
    assert reading.list_view_flows("dev.public.big") == {
        ("dev.public.orders:email", "dev.public.big:email", "IDENTITY"),
        ("dev.public.orders:id", "dev.public.big", "FILTER"),
    }


def test_the_history_of_redshift(tmp_path: Path) -> None:
    """Long statements are in pieces."""
    new: Rows = [
        {"query_id": 1, "user_id": 100, "database_name": "dev ", "query_type": "INSERT", "status": "success",
         "start_time": "2026-03-01 10:00:00", "end_time": "2026-03-01 10:00:01.5", "query_text": "insert into copy sel"},
        {"query_id": 2, "user_id": 100, "database_name": "dev", "query_type": "INSERT", "status": "failed",
         "start_time": "2026-03-01 10:00:00", "end_time": "2026-03-01 10:00:01.5", "query_text": "insert into copy select 2 from orders"},
    ]  # fmt: skip
    texts: Rows = [
        {"user_id": 100, "query_id": 1, "sequence": 1, "text": "id from orders"},
        {"user_id": 100, "query_id": 1, "sequence": 0, "text": "insert into copy select "},
    ]
    old: Rows = [
        {"userid": 100, "query": 7, "querytxt": "create table copy as select id + 1 as id from orders", "database": "dev",
         "starttime": "2026-02-01 10:00:00", "endtime": "2026-02-01 10:00:01", "aborted": 0}
    ]  # fmt: skip
    files = {**REDSHIFT, "new.ndjson": new, "texts.ndjson": texts, "old.csv": old}
    reading = read_exports(tmp_path, "redshift", files, cluster="redshift://shop.eu-west-1:5439")
    assert reading.refused == []
    assert reading.list_queries() == {
        "insert into copy select id from orders": {("dev.public.orders:id", "dev.public.copy:id", "IDENTITY")},
        "create table copy as select id + ? as id from orders": {("dev.public.orders:id", "dev.public.copy:id", "TRANSFORMATION")},
    }
    assert {scope[1] for scope in reading.facts} == {"redshift://shop.eu-west-1"}, "the usual port is left out"


# -- any


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.ndjson", '{"x": 1}\n', "a.ndjson:1: found the columns x; accepted are rows of TABLES, COLUMNS, "),
        ("a.ndjson", "[1]\n", "a.ndjson:1: found no row; accepted are JSON objects, one for each row"),
        ("a.json", "[{]", "a.json: it is no JSON: "),
        ("a.csv", "table_schema,table_name,table_type\nx,y\n", "a.csv:2: the row has not 3 values, as the first line has"),
        ("a.csv", "table_schema,table_name,table_type\nx,y,z\n", "a.csv:2: the row has no table_catalog"),
        ("a.parquet", "PAR", "a.parquet: it is no Parquet: "),
        ("a.xml", "<a/>", "a.xml: found a file .xml; accepted: .ndjson, .jsonl, .json, .csv, .parquet"),
        ("a.ndjson", "\xff", "a.ndjson: byte 0 is not UTF-8; accepted is text in UTF-8"),
        (
            "a.ndjson",
            '{"table_catalog": "A", "table_schema": "B", "table_name": "C", "table_type": "T", "row_count": "many"}\n',
            "a.ndjson:1: found 'many' in row_count; accepted is a number",
        ),
        (
            "a.ndjson",
            '{"query_id": "1", "query_text": "x", "end_time": "noon"}\n',
            "a.ndjson:1: found 'noon' in end_time; accepted are times",
        ),
        ("a.ndjson", '{"query_id": "1", "objects_modified": "[{"}\n', "a.ndjson:1: found '[{' in objects_modified; accepted is JSON"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    write_rows(tmp_path / "good.ndjson", build_snowflake()["tables.ndjson"])
    source = build_source({"kind": "snowflake", "files": [name, "good.ndjson"], "account": "a"})
    reading = CatalogReading(source, tmp_path)
    assert [one.startswith(message) for one in reading.refused] == [True], reading.refused
    assert "SHOP.RAW.ORDERS" in reading.tables, "the rest is ingested"


def test_no_account_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="account"):
        build_source({"kind": "snowflake", "files": ["x"]})
    with pytest.raises(InvalidInput, match="cluster"):
        build_source({"kind": "redshift", "files": ["x"]})
    reading = read_exports(tmp_path, "redshift", {"views.ndjson": REDSHIFT["views.ndjson"]}, cluster="c")
    assert reading.refused == ["views.ndjson:1: PG_VIEWS does not name the database of a view: set the key database"]


def test_times_in_the_forms_of_the_systems() -> None:
    wanted = to_micros(datetime(2026, 3, 1, 9, 0, 0, 123456, UTC))
    for value in (
        "2026-03-01 10:00:00.123456789 +0100",
        "2026-03-01T09:00:00.123456Z",
        "2026-03-01 09:00:00.123456 UTC",
        "2026-03-01 09:00:00.123456",
        "1772355600.123456",
        1772355600.123456,
        datetime(2026, 3, 1, 9, 0, 0, 123456, UTC),
    ):
        assert Row({"at": value}, "x").get_time("at") == wanted, value
    assert Row({"at": "1772355600123"}, "x").get_time("at") == wanted - 456
