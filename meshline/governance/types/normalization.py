"""The normal form of the text of a data type: what its words mean, in general and in each format; and the names that no known
format has, which may be mistakes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping

from meshline.governance.types.data_type import FAMILIES, MICROSECONDS, NESTED, Named, Type, Unreadable, parse_json, parse_type_text

# Word -> the normal one. Other words stay as they are.
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

# Format -> its own meaning of words, with parameters where the word implies them: the aliases and defaults that the vendor documents.
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
    "protobuf": {
        "message": "struct",
        **{one: one for one in ("enum", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64")},
        "google.protobuf.timestamp": "timestamptz(9)",
        **{f"google.protobuf.{one}": f"google.protobuf.{one}" for one in ("duration", "any", "struct", "value", "listvalue", "empty")},
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

# Words of the Data Contract Specification. They belong to SQL only in dialects that list them; elsewhere such a type is the contract's own.
ONLY_CONTRACTS = frozenset({"timestamp_tz", "timestamp_ntz"})
# Formats in which a decimal without a scale has scale 0.
SCALED = frozenset(
    {"contract", "odcs", "iceberg", "delta", "trino", "duckdb", "snowflake", "redshift", "postgres", "bigquery", "mysql", "tsql", "oracle"}
)
# Dialect -> the length of texts and bytes that is the default or the maximum, so that it adds nothing to the type.
LONGEST: Mapping[str, Mapping[str, int]] = {
    "snowflake": {"string": 16_777_216, "binary": 8_388_608},
    "redshift": {"string": 65_535},
    "trino": {"string": 2_147_483_647},
}
# Formats that accept the length of a text and ignore it.
ENDLESS = frozenset({"duckdb"})
# Dialects in which the number of FLOAT(n) counts bits: up to 24 it is a single float.
BITS = frozenset({"postgres", "tsql", "mysql"})
# Formats that write integers with a display width that has no meaning: `int(11)`.
WIDTHS = frozenset({"mysql"})


SHORT = 1_000  # characters; the types of texts up to this length are cached
_TIMES = frozenset({"time", "timetz", "timestamp", "timestamptz", "timestampltz"})
_FLOATS = frozenset({"float", "double"})
_SIZED = {"string": "varchar", "binary": "fixed"}  # -> the type that they are with a length
_INTEGERS = frozenset({"byte", "short", "int", "long"})


def normalise_type(text: str, form: str = "") -> Type:
    """The type that `text` means in a format: iceberg, delta, spark, trino, avro, json, contract, a dialect of SQL; "" = unknown.

    The text may be JSON, as in schemas of Spark, Iceberg, Avro and JSON Schema. A text that cannot be parsed is an unknown type.
    """
    return (_normalize_cached if len(text) <= SHORT else _normalize)(text, FAMILIES.get(form, form))


def _normalize(text: str, family: str) -> Type:
    written = text.strip()
    try:
        if written[:1] in {"{", "[", '"'}:
            return parse_json(json.loads(written), lambda one: _normalize_text(one, family))
        return _normalize_text(written, family)
    except (Unreadable, ValueError, RecursionError):
        return _build_unknown(written)


_normalize_cached = functools.lru_cache(maxsize=4096)(_normalize)


def is_worded(text: str, form: str) -> bool:
    """Whether a contract's type may be written in the words of a dialect: few have its `timestamp_tz`."""
    word = text.strip().lower().partition("(")[0].strip()
    return word not in ONLY_CONTRACTS or word in OWN.get(FAMILIES.get(form, form), {})


def _normalize_text(text: str, family: str) -> Type:
    own = OWN.get(family, {})

    def find_nested(word: str) -> str:
        known = own.get(word, COMMON.get(word, ""))
        return known if known in NESTED else ""

    try:
        return parse_type_text(text, lambda named: _resolve_named(named, family), find_nested)
    except Unreadable:
        return _build_unknown(text)


def _build_unknown(text: str) -> Type:
    """The type of a text that cannot be parsed: two such texts are the same type if they differ in case and spaces only."""
    return Type("".join(text.lower().split()) if "(" in text or "<" in text else " ".join(text.lower().split()))


def _resolve_named(named: Named, family: str) -> Type:
    """The type that words with numbers mean in a format."""
    words, numbers = named
    own = OWN.get(family, {})
    meant = own.get(words, COMMON.get(words, words))
    name, _, rest = meant.partition("(")
    if family in WIDTHS and words.endswith(" unsigned"):  # int(10) unsigned
        numbers = numbers if words.startswith("dec") else ()
    if not numbers:
        return _drop_defaults(name, tuple(int(one) for one in rest.rstrip(")").split(",") if one), family)
    if family in BITS and words == "float":
        return Type("float" if numbers[0] <= 24 else "double")
    return _drop_defaults(name, numbers, family)


def _drop_defaults(name: str, numbers: tuple[int, ...], family: str) -> Type:
    """The type of a normal name with its numbers, without numbers that are the default of the format."""
    if name in _SIZED and numbers:
        endless = numbers[0] < 0 or (name == "string" and family in ENDLESS) or numbers[0] == LONGEST.get(family, {}).get(name)
        return Type(name) if endless else Type(_SIZED[name], numbers[:1])
    if family in WIDTHS and (name, numbers) == ("byte", (1,)):
        return Type("boolean")
    if name == "decimal" and len(numbers) == 1 and family in SCALED:
        return Type(name, (numbers[0], 0))
    is_default = numbers == (MICROSECONDS,) if name in _TIMES else name in _FLOATS or (family in WIDTHS and name in _INTEGERS)
    return Type(name) if is_default else Type(name, numbers)


# Types of engines of which only the names are known.
_OTHERS = frozenset(
    [
        *("any", "array", "bignumeric", "bit", "bit varying", "cidr", "citext", "enum", "geography", "geometry", "hllsketch", "hstore"),
        *("hyperloglog", "inet", "int128", "int256", "interval", "ipaddress", "macaddr", "mediumint", "money", "name", "oid", "point"),
        *("polygon", "range", "rowid", "set", "sql_variant", "super", "tsvector", "vector", "void", "xml", "year"),
    ]
)
_MODIFIERS = frozenset({"unsigned", "signed", "zerofill", "year", "month", "day", "hour", "minute", "second", "to"})
_KNOWN = _OTHERS | {meant.partition("(")[0] for words in (COMMON, *OWN.values()) for meant in (*words, *words.values())}


def list_unknown_names(text: str, form: str = "") -> list[str]:
    """The names in a type's text that no known format has, in their order. `form`: as for `normalize_type`."""
    return list(dict.fromkeys(name for name in _iterate_names(normalise_type(text, form)) if not _is_known(name)))


def _is_known(name: str) -> bool:
    first, *others = name.split() or [""]
    return name in _KNOWN or (first in _KNOWN and _MODIFIERS.issuperset(others))


def _iterate_names(found: Type) -> Iterator[str]:
    yield found.name
    for part in found.parts:
        yield from _iterate_names(part.type)
