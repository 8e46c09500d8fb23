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

# Format -> its own meaning of words, with parameters where the word stands for them: the aliases and defaults that the vendor documents.
OWN: Mapping[str, Mapping[str, str]] = {
    "": {},
    "contract": {"timestamp": "timestamptz"},
    "odcs": {"timestamp": "timestamptz", "number": "number", "integer": "integer"},
    "iceberg": {"timestamp_ns": "timestamp(9)", "timestamptz_ns": "timestamptz(9)"},
    "delta": {
        "timestamp_ntz": "timestamp",
        "timestamp": "timestamptz",
        "decimal": "decimal(10,0)",
        "numeric": "decimal(10,0)",
        "dec": "decimal(10,0)",
    },
    "trino": {
        **dict.fromkeys(("decimal", "dec", "numeric"), "decimal(38,0)"),
        **dict.fromkeys(("timestamp", "timestamp without time zone"), "timestamp(3)"),
        "timestamp with time zone": "timestamptz(3)",
        "time": "time(3)",
        "time with time zone": "timetz(3)",
        "char": "char(1)",
    },
    "duckdb": {
        **dict.fromkeys(("decimal", "numeric", "dec"), "decimal(18,3)"),
        **dict.fromkeys(("bit", "bitstring"), "bit"),
        "signed": "int",
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
        **dict.fromkeys(("char", "character", "nchar"), "string(1)"),
        **dict.fromkeys(("nchar varying", "char varying", "nvarchar2", "nvarchar"), "string"),
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
        **dict.fromkeys(("varchar", "character varying", "nvarchar", "text"), "string(256)"),
        "char": "char(1)",
        "character": "char(1)",
        "nchar": "char(1)",
        "bpchar": "char(256)",
        "int8": "long",
        "float": "double",
        **dict.fromkeys(("varbyte", "varbinary", "binary varying"), "binary"),
    },
    "postgres": {
        "int8": "long",
        "float": "double",
        **dict.fromkeys(("char", "character", "nchar", "national character", "national char"), "char(1)"),
        **dict.fromkeys(("serial2", "smallserial"), "short"),
        **dict.fromkeys(("varbit", "bit varying"), "varbit"),
        "bit": "bit(1)",
        "jsonb": "jsonb",
    },
    "oracle": {
        **dict.fromkeys(("int", "integer", "smallint"), "decimal(38,0)"),
        **dict.fromkeys(("decimal", "dec", "numeric"), "decimal(38,0)"),
        **dict.fromkeys(("float", "double precision"), "binary float(126)"),
        "real": "binary float(63)",
        "binary_float": "float",
        "binary_double": "double",
        **dict.fromkeys(("char", "character", "nchar", "national character", "national char"), "char(1)"),
        "date": "timestamp(0)",
        "long": "long text",
        "raw": "binary",
    },
    "mysql": {
        **dict.fromkeys(("decimal", "numeric", "dec", "fixed"), "decimal(10,0)"),
        **dict.fromkeys(("bool", "boolean"), "boolean"),
        **dict.fromkeys(("real", "float8"), "double"),
        "int1": "byte",
        **dict.fromkeys(("int3", "middleint", "mediumint"), "mediumint"),
        "int8": "long",
        "tinytext": "string(255)",
        "text": "string(65535)",
        **dict.fromkeys(("mediumtext", "long", "long varchar"), "string(16777215)"),
        "longtext": "string",
        "tinyblob": "binary(255)",
        "blob": "binary(65535)",
        **dict.fromkeys(("mediumblob", "long varbinary"), "binary(16777215)"),
        "longblob": "binary",
        "bit": "bit(1)",
        "binary": "binary(1)",
        "datetime": "timestamp(0)",
        "timestamp": "timestamptz(0)",
        "time": "time(0)",
        **dict.fromkeys(("char", "character", "nchar"), "char(1)"),
    },
    "tsql": {
        **dict.fromkeys(("decimal", "numeric", "dec"), "decimal(18,0)"),
        "bit": "boolean",
        **dict.fromkeys(("float", "double precision"), "double"),
        **dict.fromkeys(("varchar", "char varying", "character varying", "nvarchar", "national character varying"), "string(1)"),
        "sysname": "string(128)",
        **dict.fromkeys(("varbinary", "binary varying", "binary"), "binary(1)"),
        "datetime2": "timestamp(7)",
        "datetimeoffset": "timestamptz(7)",
        "datetime": "datetime",
        "timestamp": "rowversion",
        "uniqueidentifier": "uuid",
        **dict.fromkeys(("char", "character", "nchar", "national character", "national char"), "char(1)"),
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

# Words of Data Contract Specification that are no words of SQL, unless a dialect has them: a type with such a word is the contract's own.
ONLY_CONTRACTS = frozenset({"timestamp_tz", "timestamp_ntz"})
# Where no scale is said, it is none.
SCALED = frozenset(
    {"contract", "odcs", "iceberg", "delta", "trino", "duckdb", "snowflake", "redshift", "postgres", "bigquery", "mysql", "tsql", "oracle"}
)
# Dialect -> the length that a text or bytes have if none is written, or that is the largest.
LONGEST: Mapping[str, Mapping[str, int]] = {
    "snowflake": {"string": 16_777_216, "binary": 8_388_608},
    "redshift": {"string": 65_535},
    "trino": {"string": 2_147_483_647},
}
# Formats that take the length of a text and forget it.
ENDLESS = frozenset({"duckdb"})
# Dialects in which the number of FLOAT(n) counts bits: up to 24 it is a single float.
BITS = frozenset({"postgres", "tsql", "mysql"})
# Formats whose integers are written with a width that means nothing: `int(11)`.
WIDTHS = frozenset({"mysql"})
