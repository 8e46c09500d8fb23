"""The normal form of types."""

from __future__ import annotations

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from meshline.governance.types import Type, normal, same, specified, widening

SPELLINGS = {
    ("iceberg", "decimal(9, 2)"): "decimal(9,2)",
    ("iceberg", "fixed[16]"): "fixed(16)",
    ("iceberg", "timestamp"): "timestamp",
    ("iceberg", "timestamptz_ns"): "timestamptz(9)",
    ("iceberg", "variant"): "variant",
    ("iceberg", "geometry(srid:4326)"): "geometry(srid:4326)",
    ("iceberg", "struct<1: a: required int, 2: b: optional list<string>>"): "struct<a:int,b:list<string>>",
    ("iceberg", '{"type":"map","key-id":4,"key":"string","value-id":5,"value":"double","value-required":false}'): "map<string,double>",
    ("delta", "struct<a:int,b:array<struct<c:decimal(18,2)>>>"): "struct<a:int,b:list<struct<c:decimal(18,2)>>>",
    ("delta", "struct<`order id`:bigint>"): "struct<order id:long>",
    ("delta", "byte"): "byte",
    ("delta", "tinyint"): "byte",
    ("delta", "timestamp"): "timestamptz",
    ("delta", "timestamp_ntz"): "timestamp",
    ("spark", "timestampNTZ"): "timestamp",
    ("delta", "decimal"): "decimal(10,0)",
    ("delta", '{"type":"struct","fields":[{"name":"a","type":"integer","nullable":false,"metadata":{}}]}'): "struct<a:int>",
    ("delta", '{"type":"array","elementType":"string","containsNull":true}'): "list<string>",
    ("trino", "decimal(18, 2)"): "decimal(18,2)",
    ("trino", "varchar(20)"): "varchar(20)",
    ("trino", "varchar"): "string",
    ("trino", "timestamp(6) with time zone"): "timestamptz",
    ("trino", "timestamp"): "timestamp(3)",
    ("trino", 'row(a integer, "b c" varchar(20), d row(e bigint))'): "struct<a:int,b c:varchar(20),d:struct<e:long>>",
    ("trino", "array(map(varchar, double))"): "list<map<string,double>>",
    ("duckdb", "STRUCT(a INTEGER, b VARCHAR)[]"): "list<struct<a:int,b:string>>",
    ("duckdb", "MAP(VARCHAR, INTEGER[])"): "map<string,list<int>>",
    ("duckdb", "HUGEINT"): "hugeint",
    ("duckdb", "TIMESTAMP WITH TIME ZONE"): "timestamptz",
    ("snowflake", "NUMBER"): "decimal(38,0)",
    ("snowflake", "BIGINT"): "decimal(38,0)",
    ("snowflake", "VARCHAR(16777216)"): "string",
    ("snowflake", "TIMESTAMP_NTZ(9)"): "timestamp(9)",
    ("snowflake", "TIMESTAMP_LTZ"): "timestampltz(9)",
    ("bigquery", "STRUCT<a INT64 NOT NULL, b ARRAY<STRING>>"): "struct<a:long,b:list<string>>",
    ("bigquery", "NUMERIC"): "decimal(38,9)",
    ("bigquery", "DATETIME"): "timestamp",
    ("redshift", "VARCHAR"): "varchar(256)",
    ("redshift", "super"): "super",
    ("postgres", "character varying(20)"): "varchar(20)",
    ("postgres", "double precision"): "double",
    ("postgres", "timestamp(3) without time zone"): "timestamp(3)",
    ("postgres", "integer[]"): "list<int>",
    ("postgres", "int8"): "long",
    ("mysql", "int(11)"): "int",
    ("mysql", "tinyint(1)"): "boolean",
    ("sqlserver", "nvarchar(max)"): "string",
    ("avro", '{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}'): "decimal(18,2)",
    ("avro", '["null",{"type":"long","logicalType":"timestamp-millis"}]'): "timestamptz(3)",
    ("avro", '["string","int"]'): '["string","int"]',
    ("json", '{"type":["null","string"],"format":"date-time"}'): "timestamptz",
    ("json", '{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}'): "struct<a:integer>",
    ("json", '{"type":"array","items":{"type":"string","format":"uuid"}}'): "list<uuid>",
    ("contract", "text"): "string",
    ("contract", "integer"): "int",
    ("contract", "bigint"): "long",
    ("contract", "number"): "decimal",
    ("contract", "timestamp"): "timestamptz",
    ("contract", "timestamp_tz"): "timestamptz",
    ("contract", "timestamp_ntz"): "timestamp",
    ("contract", "record"): "struct",
    ("", "numeric(18,2)"): "decimal(18,2)",
    ("", "Money"): "money",
}


@pytest.mark.parametrize(("form", "text"), SPELLINGS)
def test_spelling(form: str, text: str) -> None:
    assert str(normal(text, form)) == SPELLINGS[form, text]


def test_one_type_in_many_spellings() -> None:
    texts = {
        ("iceberg", "decimal(18, 2)"), ("delta", "decimal(18,2)"), ("trino", "DECIMAL(18,2)"), ("snowflake", "NUMBER(18, 2)"),
        ("contract", "numeric(18,2)"), ("bigquery", "NUMERIC(18,2)"), ("", "numeric(18 , 2)"),
    }  # fmt: skip
    assert {str(normal(text, form)) for form, text in texts} == {"decimal(18,2)"}
    assert same(normal("struct<1: a: required int>", "iceberg"), normal("row(a integer)", "trino"))
    assert not same(normal("timestamp", "delta"), normal("timestamp", "trino"))


def test_parts_say_what_must_be_there() -> None:
    found = normal("struct<1: a: required int, 2: b: optional int>", "iceberg")
    assert [(part.name, part.required, part.id) for part in found.parts] == [("a", True, "1"), ("b", False, "2")]


def test_unknown_types_are_their_text() -> None:
    assert same(normal("Ledger  Code"), normal("ledger code"))
    assert same(normal("enum('a', 'b')", "duckdb"), normal("ENUM('a','b')", "duckdb"))
    assert not same(normal("hllsketch", "redshift"), normal("varchar", "redshift"))
    assert str(normal("struct<a")) == "struct<a"


WIDENED = [
    ("iceberg", "int", "long"),
    ("iceberg", "float", "double"),
    ("iceberg", "decimal(9,2)", "decimal(18,2)"),
    ("iceberg", "date", "timestamp"),
    ("delta", "byte", "short"),
    ("delta", "byte", "long"),
    ("delta", "int", "double"),
    ("delta", "float", "double"),
    ("delta", "date", "timestamp_ntz"),
    ("delta", "decimal(10,2)", "decimal(12,4)"),
    ("delta", "decimal(10,2)", "decimal(12,2)"),
    ("trino", "integer", "bigint"),
    ("trino", "real", "double"),
    ("trino", "varchar(10)", "varchar(20)"),
    ("trino", "varchar(10)", "varchar"),
    ("trino", "decimal(9,2)", "decimal(10,3)"),
    ("trino", "timestamp(3)", "timestamp(6)"),
    ("contract", "int", "bigint"),
]
NOT_WIDENED = [
    ("iceberg", "long", "int"),
    ("iceberg", "decimal(9,2)", "decimal(18,4)"),
    ("iceberg", "date", "timestamptz"),
    ("iceberg", "int", "double"),
    ("delta", "decimal(10,2)", "decimal(10,4)"),
    ("delta", "long", "double"),
    ("delta", "date", "timestamp"),
    ("delta", "int", "string"),
    ("trino", "varchar(20)", "varchar(10)"),
    ("trino", "varchar", "varchar(10)"),
    ("trino", "integer", "double"),
    ("trino", "date", "timestamp"),
    ("avro", "timestamp-millis", "timestamp-micros"),
    ("trino", "bigint", "bigint"),
    ("trino", "char(3)", "char(4)"),
]


@pytest.mark.parametrize(("form", "before", "after"), WIDENED)
def test_widening(form: str, before: str, after: str) -> None:
    assert widening(normal(before, form), normal(after, form), form)


@pytest.mark.parametrize(("form", "before", "after"), NOT_WIDENED)
def test_no_widening(form: str, before: str, after: str) -> None:
    assert not widening(normal(before, form), normal(after, form), form)


@pytest.mark.parametrize(
    ("form", "open_", "closed"),
    [
        ("contract", "decimal", "decimal(18,2)"),
        ("contract", "string", "varchar(20)"),
        ("json", "number", "integer"),
        ("contract", "array", "array<int>"),
    ],
)
def test_a_type_that_leaves_open_what_another_says(form: str, open_: str, closed: str) -> None:
    assert specified(normal(open_, form), normal(closed, form))
    assert not specified(normal(closed, form), normal(open_, form))
    assert not specified(normal(open_, form), normal(open_, form))


DIALECTS = ("spark", "trino", "duckdb", "snowflake", "bigquery", "redshift", "postgres")
WORDS = ("INT", "BIGINT", "BOOLEAN", "DOUBLE PRECISION", "DATE", "DECIMAL(18, 2)", "VARCHAR(20)", "NUMERIC(10)", "SMALLINT")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", WORDS)
def test_what_sqlglot_writes_alike_is_alike(dialect: str, text: str) -> None:
    """A type that sqlglot reads, and writes in the dialect's own words, is the same one."""
    written = sqlglot.exp.DataType.build(text, dialect=dialect).sql(dialect=dialect)
    assert same(normal(text, dialect), normal(written, dialect)), written


@given(st.text(max_size=60), st.sampled_from(["", "iceberg", "delta", "trino", "avro", "json", "contract", *DIALECTS]))
def test_any_text_is_a_type(text: str, form: str) -> None:
    found = normal(text, form)
    assert isinstance(found, Type)
    assert normal(f"  {text} ", form) == found


leaves = st.sampled_from(["int", "long", "string", "double", "decimal(18,2)", "varchar(20)", "date", "boolean", "uuid"])
nested = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(lambda one: f"list<{one}>"),
        st.tuples(leaves, inner).map(lambda two: f"map<{two[0]},{two[1]}>"),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: f"struct<{','.join(f'f{i}:{one}' for i, one in enumerate(some))}>"),
    ),
    max_leaves=6,
)


@given(nested, st.sampled_from(["iceberg", "delta", ""]))
def test_the_normal_form_is_its_own(text: str, form: str) -> None:
    assert str(normal(text, form)) == text
    assert same(normal(text.upper(), form), normal(text, form)) or "f0" in text
    assert same(normal(text.replace(",", " , ").replace("<", "< "), form), normal(text, form))


def test_deep_and_long_texts_are_unknown() -> None:
    assert normal("list<" * 200 + "int" + ">" * 200).name.startswith("list<list<")
    assert not normal("[" * 5000).parts
