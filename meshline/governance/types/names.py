"""What words of types mean: everywhere, and where a format means another thing by them."""

from __future__ import annotations

from collections.abc import Mapping

# Word -> the normal one. A word that is not here stays as it is.
COMMON: Mapping[str, str] = {
    **dict.fromkeys(("bool", "boolean", "logical"), "boolean"),
    **dict.fromkeys(("byte", "tinyint"), "byte"),
    **dict.fromkeys(("short", "smallint", "int2", "int16"), "short"),
    **dict.fromkeys(("int", "integer", "int4", "int32", "serial", "serial4"), "int"),
    **dict.fromkeys(("long", "bigint", "int64", "bigserial", "serial8"), "long"),
    **dict.fromkeys(("float", "real", "float4", "float32"), "float"),
    **dict.fromkeys(("double", "double precision", "float8", "float64"), "double"),
    **dict.fromkeys(("decimal", "numeric", "number", "dec"), "decimal"),
    **dict.fromkeys(
        (
            *("string", "str", "text", "varchar", "character varying", "char varying", "nvarchar", "national character varying"),
            *("varchar2", "nvarchar2", "clob", "tinytext", "mediumtext", "longtext", "ntext", "utf8"),
        ),
        "string",
    ),
    **dict.fromkeys(("char", "character", "nchar", "bpchar"), "char"),
    **dict.fromkeys(("binary", "bytes", "varbinary", "bytea", "blob", "longblob", "image"), "binary"),
    **dict.fromkeys(("fixed", "fixed_len_byte_array"), "fixed"),
    "date": "date",
    **dict.fromkeys(("time", "time without time zone"), "time"),
    **dict.fromkeys(("timetz", "time with time zone"), "timetz"),
    **dict.fromkeys(("timestamp", "timestamp without time zone", "timestamp_ntz", "timestampntz", "datetime"), "timestamp"),
    **dict.fromkeys(
        ("timestamptz", "timestamp with time zone", "timestamp with local time zone", "timestamp_tz", "timestamp_ltz"), "timestamptz"
    ),
    "uuid": "uuid",
    **dict.fromkeys(("json", "jsonb"), "json"),
    "variant": "variant",
    **dict.fromkeys(("struct", "row", "record", "object"), "struct"),
    **dict.fromkeys(("list", "array"), "list"),
    "map": "map",
    **dict.fromkeys(("null", "void"), "null"),
}

# Format -> its own meaning of words, with parameters where the word stands for them.
OWN: Mapping[str, Mapping[str, str]] = {
    "": {},
    "contract": {"timestamp": "timestamptz"},
    "iceberg": {"timestamp_ns": "timestamp(9)", "timestamptz_ns": "timestamptz(9)"},
    "delta": {"timestamp": "timestamptz", "decimal": "decimal(10,0)", "numeric": "decimal(10,0)", "dec": "decimal(10,0)"},
    "trino": {
        "decimal": "decimal(38,0)",
        "timestamp": "timestamp(3)",
        "timestamp with time zone": "timestamptz(3)",
        "time": "time(3)",
        "time with time zone": "timetz(3)",
        "char": "char(1)",
    },
    "duckdb": {
        **dict.fromkeys(("decimal", "numeric"), "decimal(18,3)"),
        "timestamp_s": "timestamp(0)",
        "timestamp_ms": "timestamp(3)",
        "timestamp_us": "timestamp",
        "timestamp_ns": "timestamp(9)",
        "int8": "long",
        "int1": "byte",
        "oid": "long",
        "char": "string",
        "bpchar": "string",
    },
    "snowflake": {
        **dict.fromkeys(("decimal", "numeric", "number", "dec"), "decimal(38,0)"),
        **dict.fromkeys(("int", "integer", "bigint", "smallint", "tinyint", "byteint"), "decimal(38,0)"),
        **dict.fromkeys(("float", "float4", "float8", "double", "double precision", "real"), "double"),
        **dict.fromkeys(("timestamp", "timestamp_ntz", "timestampntz", "datetime", "timestamp without time zone"), "timestamp(9)"),
        **dict.fromkeys(("timestamp_ltz", "timestampltz", "timestamp with local time zone"), "timestampltz(9)"),
        **dict.fromkeys(("timestamp_tz", "timestamptz", "timestamp with time zone"), "timestamptz(9)"),
        "time": "time(9)",
        "char": "char(1)",
        "character": "char(1)",
        "object": "object",
    },
    "bigquery": {
        **dict.fromkeys(("int64", "int", "smallint", "integer", "bigint", "tinyint", "byteint"), "long"),
        **dict.fromkeys(("float64", "float"), "double"),
        **dict.fromkeys(("numeric", "decimal"), "decimal(38,9)"),
        **dict.fromkeys(("bignumeric", "bigdecimal"), "decimal(76,38)"),
        "timestamp": "timestamptz",
        "datetime": "timestamp",
    },
    "redshift": {
        **dict.fromkeys(("decimal", "numeric"), "decimal(18,0)"),
        **dict.fromkeys(("varchar", "character varying", "nvarchar", "text"), "varchar(256)"),
        "char": "char(1)",
        "character": "char(1)",
        "nchar": "char(1)",
        "bpchar": "char(256)",
        "int8": "long",
        "float": "double",
    },
    "postgres": {"int8": "long", "float": "double", "char": "char(1)", "character": "char(1)"},
    "mysql": {
        **dict.fromkeys(("decimal", "numeric", "dec"), "decimal(10,0)"),
        "datetime": "timestamp(0)",
        "timestamp": "timestamptz(0)",
        "time": "time(0)",
        "char": "char(1)",
        "mediumint": "int",
    },
    "tsql": {
        **dict.fromkeys(("decimal", "numeric"), "decimal(18,0)"),
        "bit": "boolean",
        "float": "double",
        "datetime2": "timestamp(7)",
        "datetimeoffset": "timestamptz(7)",
        "datetime": "datetime",
        "timestamp": "rowversion",
        "uniqueidentifier": "uuid",
        "char": "char(1)",
        "time": "time(7)",
    },
    "avro": {
        "timestamp-millis": "timestamptz(3)",
        "timestamp-micros": "timestamptz",
        "timestamp-nanos": "timestamptz(9)",
        "local-timestamp-millis": "timestamp(3)",
        "local-timestamp-micros": "timestamp",
        "local-timestamp-nanos": "timestamp(9)",
        "time-millis": "time(3)",
        "time-micros": "time",
        "enum": "string",
    },
    "json": {
        "integer": "integer",
        "number": "number",
        "date-time": "timestamptz",
        "int32": "int",
        "int64": "long",
        "float": "float",
        "double": "double",
        "byte": "binary",
    },
}

# Where no scale is said, it is none.
SCALED = frozenset({"contract", "iceberg", "delta", "trino", "duckdb", "snowflake", "redshift", "postgres", "bigquery", "mysql", "tsql"})
# The length of a text that is as long as it can be.
LONGEST: Mapping[str, int] = {"snowflake": 16_777_216, "redshift": 0, "trino": 2_147_483_647, "tsql": -1}
# Formats that take the length of a text and forget it.
ENDLESS = frozenset({"duckdb"})
# Formats whose integers are written with a width that means nothing: `int(11)`.
WIDTHS = frozenset({"mysql"})
