"""The normal form of types."""

from __future__ import annotations

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from meshline.governance.types import Type, is_same, is_specified, is_widening
from meshline.governance.types.normalization import normalise_type

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
    assert str(normalise_type(text, form)) == SPELLINGS[form, text]


def test_one_type_in_many_spellings() -> None:
    texts = {
        ("iceberg", "decimal(18, 2)"), ("delta", "decimal(18,2)"), ("trino", "DECIMAL(18,2)"), ("snowflake", "NUMBER(18, 2)"),
        ("contract", "numeric(18,2)"), ("bigquery", "NUMERIC(18,2)"), ("", "numeric(18 , 2)"),
    }  # fmt: skip
    assert {str(normalise_type(text, form)) for form, text in texts} == {"decimal(18,2)"}
    assert is_same(normalise_type("struct<1: a: required int>", "iceberg"), normalise_type("row(a integer)", "trino"))
    assert not is_same(normalise_type("timestamp", "delta"), normalise_type("timestamp", "trino"))


def test_parts_state_what_is_required() -> None:
    found = normalise_type("struct<1: a: required int, 2: b: optional int>", "iceberg")
    assert [(part.name, part.required, part.id) for part in found.parts] == [("a", True, "1"), ("b", False, "2")]


def test_unknown_types_are_their_text() -> None:
    assert is_same(normalise_type("Ledger  Code"), normalise_type("ledger code"))
    assert is_same(normalise_type("enum('a', 'b')", "duckdb"), normalise_type("ENUM('a','b')", "duckdb"))
    assert not is_same(normalise_type("hllsketch", "redshift"), normalise_type("varchar", "redshift"))
    assert str(normalise_type("struct<a")) == "struct<a"


# Spellings of one type, as the vendors document aliases and defaults.
ALIASES = {
    "postgres": [
        "bigint = int8", "bigserial = serial8 = int8", "boolean = bool", "character varying(20) = varchar(20)", "varchar = text",
        "char = character = char(1) = bpchar(1)", "character(5) = char(5)", "double precision = float8 = float = float(53)",
        "real = float4 = float(24)", "integer = int = int4", "serial = serial4", "smallint = int2 = smallserial = serial2",
        "numeric(10,2) = decimal(10, 2) = dec(10,2)", "numeric(5) = numeric(5,0)", "time = time without time zone = time(6)",
        "timetz = time with time zone", "timestamp = timestamp without time zone = timestamp(6)",
        "timestamptz = timestamp with time zone", "bit = bit(1)", "varbit(8) = bit varying(8)", "integer[] = int4[]",
    ],
    "snowflake": [
        "number = number(38,0) = number(38) = decimal = numeric = dec",
        "number = int = integer = bigint = smallint = tinyint = byteint",
        "float = float4 = float8 = double = double precision = real",
        "varchar = varchar(16777216) = string = text = nvarchar = nvarchar2",
        "char = char(1) = varchar(1) = character", "char(20) = varchar(20) = string(20) = text(20)", "boolean",
        "binary = varbinary = binary(8388608)", "timestamp_ntz = timestamp_ntz(9) = datetime = timestamp = timestamp without time zone",
        "timestamp_tz = timestamp_tz(9) = timestamp with time zone", "timestamp_ltz = timestamp with local time zone", "time = time(9)",
    ],
    "bigquery": [
        "INT64 = INTEGER = INT = SMALLINT = BIGINT = TINYINT = BYTEINT", "NUMERIC = DECIMAL = NUMERIC(38,9)", "NUMERIC(10) = DECIMAL(10,0)",
        "BIGNUMERIC = BIGDECIMAL", "FLOAT64 = FLOAT", "BOOL = BOOLEAN", "STRUCT<A INT64> = RECORD<A INTEGER>", "ARRAY<INT64> = array<int>",
    ],
    "redshift": [
        "smallint = int2", "integer = int = int4", "bigint = int8",
        "decimal = numeric = decimal(18,0)", "real = float4",
        "double precision = float8 = float", "boolean = bool", "char = character = nchar = char(1)", "bpchar = char(256)",
        "varchar = character varying = nvarchar = text = varchar(256)", "varchar(max) = varchar(65535)",
        "timestamp = timestamp without time zone", "timestamptz = timestamp with time zone",
        "varbyte(8) = varbinary(8) = binary varying(8)",
    ],
    "databricks": [
        "byte = tinyint", "short = smallint", "int = integer", "long = bigint", "float = real", "decimal = dec = numeric = decimal(10,0)",
        "decimal(5) = decimal(5,0)", "timestamp = timestamp_ltz",
    ],
    "trino": ["int = integer", "decimal = decimal(38) = decimal(38,0)", "timestamp = timestamp(3)", "time = time(3)", "char = char(1)",
        "timestamp with time zone = timestamp(3) with time zone", "varchar = varchar(2147483647)"],
    "duckdb": [
        "bigint = int8 = long = int64", "blob = bytea = binary = varbinary", "boolean = bool = logical",
        "decimal = numeric = decimal(18,3)",
        "double = float8", "float = float4 = real", "integer = int4 = int = signed", "smallint = int2 = short", "tinyint = int1",
        "timestamp = datetime", "timestamptz = timestamp with time zone", "varchar = char = bpchar = text = string = varchar(20)",
        "bit = bitstring",
    ],
    "mysql": [
        "int = integer = int(11) = int4", "bigint = int8 = bigint(20)", "tinyint(1) = bool = boolean", "smallint = int2",
        "mediumint = int3 = middleint", "decimal = dec = numeric = fixed = decimal(10,0)", "double = double precision = real = float8",
        "float = float4 = float(24)", "int(10) unsigned = int unsigned", "char = char(1) = character", "mediumtext = long varchar",
        "datetime = datetime(0)",
    ],
    "sqlserver": [
        "decimal = dec = numeric = decimal(18,0)", "float = float(53) = double precision", "real = float(24)", "int = integer",
        "datetime2 = datetime2(7)", "datetimeoffset = datetimeoffset(7)", "char = char(1) = character", "varchar = varchar(1)",
        "timestamp = rowversion", "sysname = nvarchar(128)",
    ],
    "oracle": ["number(10) = number(10,0)", "integer = int = smallint = number(38) = decimal", "varchar2(20) = varchar(20)",
        "float = float(126) = double precision", "real = float(63)", "timestamp = timestamp(6)"],
}  # fmt: skip
# Types that look alike and are not.
DISTINCT = {
    "postgres": ["timestamp / timestamptz", "json / jsonb", "char / bpchar", "integer / bigint", "numeric / numeric(38,0)", "bit / varbit"],
    "snowflake": ["number / number(38,2)", "timestamp_ntz / timestamp_tz", "varchar / varchar(20)", "char / varchar", "number / float"],
    "bigquery": ["NUMERIC / BIGNUMERIC", "TIMESTAMP / DATETIME", "INT64 / NUMERIC", "STRING / STRING(10)", "INT64 / FLOAT64"],
    "redshift": ["varchar / varchar(max)", "decimal / decimal(18,2)", "timestamp / timestamptz"],
    "databricks": ["timestamp / timestamp_ntz", "int / bigint", "decimal / decimal(38,18)"],
    "trino": ["timestamp / timestamp(6)", "timestamp / timestamp with time zone", "char / varchar"],
    "duckdb": ["timestamp / timestamptz", "hugeint / bigint", "float / double"],
    "mysql": ["text / mediumtext", "tinytext / text", "int / int unsigned", "mediumint / int", "datetime / timestamp", "float / float(25)"],
    "sqlserver": ["varchar / varchar(max)", "datetime / datetime2", "float / real", "timestamp / datetime2"],
    "oracle": ["number / number(38,0)", "date / timestamp", "float / real", "binary_float / float"],
}


@pytest.mark.parametrize(("dialect", "line"), [(dialect, line) for dialect, lines in ALIASES.items() for line in lines])
def test_aliases_and_defaults_of_a_dialect(dialect: str, line: str) -> None:
    assert len({str(normalise_type(text, dialect)) for one in line.split(" = ") for text in (one, one.upper(), f" {one} ")}) == 1


@pytest.mark.parametrize(("dialect", "line"), [(dialect, line) for dialect, lines in DISTINCT.items() for line in lines])
def test_types_of_a_dialect_that_look_alike(dialect: str, line: str) -> None:
    assert len({str(normalise_type(text, dialect)) for text in line.split(" / ")}) == 2


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
    ("delta", "int", "decimal(10,0)"),
    ("delta", "short", "decimal(12,2)"),
    ("delta", "long", "decimal(20,0)"),
    ("databricks", "varchar(10)", "varchar(20)"),
    ("mysql", "mediumint", "int"),
    ("mysql", "text", "mediumtext"),
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
    ("delta", "int", "decimal(10,1)"),
    ("delta", "long", "decimal(19,0)"),
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
    assert is_widening(normalise_type(before, form), normalise_type(after, form), form)


@pytest.mark.parametrize(("form", "before", "after"), NOT_WIDENED)
def test_no_widening(form: str, before: str, after: str) -> None:
    assert not is_widening(normalise_type(before, form), normalise_type(after, form), form)


@pytest.mark.parametrize(
    ("form", "open_", "closed"),
    [
        ("contract", "decimal", "decimal(18,2)"),
        ("contract", "string", "varchar(20)"),
        ("json", "number", "integer"),
        ("contract", "array", "array<int>"),
    ],
)
def test_a_type_that_leaves_open_what_another_states(form: str, open_: str, closed: str) -> None:
    assert is_specified(normalise_type(open_, form), normalise_type(closed, form))
    assert not is_specified(normalise_type(closed, form), normalise_type(open_, form))
    assert not is_specified(normalise_type(open_, form), normalise_type(open_, form))


DIALECTS = ("spark", "trino", "duckdb", "snowflake", "bigquery", "redshift", "postgres")
WORDS = ("INT", "BIGINT", "BOOLEAN", "DOUBLE PRECISION", "DATE", "DECIMAL(18, 2)", "VARCHAR(20)", "NUMERIC(10)", "SMALLINT")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", WORDS)
def test_what_sqlglot_writes_alike_is_alike(dialect: str, text: str) -> None:
    """A type that sqlglot reads, and writes in the dialect's own words, is the same one."""
    written = sqlglot.exp.DataType.build(text, dialect=dialect).sql(dialect=dialect)
    assert is_same(normalise_type(text, dialect), normalise_type(written, dialect)), written


@given(st.text(max_size=60), st.sampled_from(["", "iceberg", "delta", "trino", "avro", "json", "contract", *DIALECTS]))
def test_any_text_is_a_type(text: str, form: str) -> None:
    found = normalise_type(text, form)
    assert isinstance(found, Type)
    assert normalise_type(f"  {text} ", form) == found


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
    assert str(normalise_type(text, form)) == text
    assert is_same(normalise_type(text.upper(), form), normalise_type(text, form)) or "f0" in text
    assert is_same(normalise_type(text.replace(",", " , ").replace("<", "< "), form), normalise_type(text, form))


def test_deep_and_long_texts_are_unknown() -> None:
    assert normalise_type("list<" * 200 + "int" + ">" * 200).name.startswith("list<list<")
    assert not normalise_type("[" * 5000).parts
