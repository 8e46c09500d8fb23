"""One normal form of data types for the spellings of formats, engines and contracts.

`decimal(18, 2)`, `DECIMAL(18,2)` and `numeric(18,2)` are the same type; so are `struct<1: a: required int>` of Iceberg and
`row(a integer)` of Trino. A word has the meaning of its format: `timestamp` has a time zone in Spark, and none in Trino.
An unknown type is its own text, in lower case and without superfluous spaces: it is never guessed to be another type.

One parser reads all formats, and it depends on no optional library: fingerprints must not depend on what is installed.
"""

from __future__ import annotations

from typing import NamedTuple

MICROSECONDS = 6  # digits of a second: the default precision of times
NESTED = frozenset({"struct", "list", "map"})

# Format -> the format whose types and promotions it shares.
FAMILIES = {
    **dict.fromkeys(("spark", "databricks", "hive"), "delta"),
    **dict.fromkeys(("presto", "athena"), "trino"),
    **dict.fromkeys(("postgresql", "materialize", "cockroachdb"), "postgres"),
    **dict.fromkeys(("sqlserver", "mssql", "fabric", "synapse"), "tsql"),
    "mariadb": "mysql",
}


class Type(NamedTuple):
    """A data type. `name`: its normal name (boolean, int, decimal, string, struct, list, map, ...), or the text of an unknown type.

    `parameters`: precision and scale, or a length; empty = not stated. `parts`: the types in a nested type, in order: the fields of
    a struct, the `element` of a list, the `key` and `value` of a map.
    """

    name: str
    parameters: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()

    def __str__(self) -> str:
        if self.parts:
            named = self.name == "struct"
            return f"{self.name}<{','.join(f'{one.name}:{one.type}' if named else str(one.type) for one in self.parts)}>"
        return f"{self.name}({','.join(map(str, self.parameters))})" if self.parameters else self.name

    @property
    def head(self) -> str:
        """The type without its parts."""
        return self.name if self.name in NESTED else str(self)


class Part(NamedTuple):
    """A type within a nested type. `required`: None = not stated. `id` stays the same when a field is renamed; "" = none."""

    name: str
    type: Type
    required: bool | None = None
    id: str = ""


def is_same(a: Type, b: Type) -> bool:
    """Whether both are the same type, regardless of whether their parts may be null."""
    return str(a) == str(b)


def is_widening(before: Type, after: Type, form: str = "") -> bool:
    """Whether the format `form` promotes `before` to `after`, so that every value keeps its meaning.

    Sources: Iceberg's specification ("Schema Evolution"), Delta's type widening, Avro's "Schema Resolution". For other formats: the
    promotions that lose nothing anywhere.
    """
    family = FAMILIES.get(form, form)
    if before.name == after.name == "decimal" and family not in _FIXED and len(before.parameters) == len(after.parameters) == 2:
        return before != after and _is_larger_decimal(before.parameters, after.parameters, both=family != "iceberg")
    if (before.name, after.name) in _PROMOTIONS.get(family, _EVERYWHERE):
        return True
    if family == "delta" and after.name == "decimal" and before.name in _DIGITS:
        return len(after.parameters) == 2 and after.parameters[0] - after.parameters[1] >= _DIGITS[before.name]
    if family in _UNSIZED or before.name not in _LENGTHS:
        return False
    if before.name == "varchar" and after.name == "string":
        return True
    return before.name == after.name and _get_length(before) < _get_length(after)


def can_promote(form: str) -> bool:
    """Whether the specification of the format states which types may be promoted, so that its readers read both."""
    return FAMILIES.get(form, form) in _PROMOTIONS


def is_specified(before: Type, after: Type) -> bool:
    """Whether `before` leaves its size open and `after` is one of the types that it may mean: `decimal` and `decimal(18,2)`."""
    if before.parameters or before.parts or is_same(before, after):
        return False
    if before.name == after.name:
        return before.name in {"decimal", *NESTED}
    return after.name in _OPEN.get(before.name, ())


def _is_larger_decimal(before: tuple[int, ...], after: tuple[int, ...], *, both: bool) -> bool:
    (precision, scale), (new_precision, new_scale) = before, after
    if not both:
        return new_scale == scale and new_precision > precision
    return new_scale >= scale and new_precision - new_scale >= precision - scale


def _get_length(type_: Type) -> int:
    return type_.parameters[0] if type_.parameters else _LENGTHS[type_.name]


def _pair_in_order(*names: str) -> set[tuple[str, str]]:
    return {(before, after) for at, before in enumerate(names) for after in names[at + 1 :]}


_EVERYWHERE = _pair_in_order("byte", "short", "mediumint", "int", "long") | _pair_in_order("float", "double")
_PROMOTIONS = {
    "iceberg": {("int", "long"), ("float", "double"), ("date", "timestamp")},
    "avro": {("int", "long"), ("float", "double"), ("int", "double"), ("uuid", "string")},
    "delta": _EVERYWHERE | {("byte", "double"), ("short", "double"), ("int", "double"), ("date", "timestamp")},
}
_DIGITS = {
    "byte": 10,
    "short": 10,
    "int": 10,
    "long": 20,
}  # the fewest digits before the point of a decimal to which Delta promotes an integer
_UNSIZED = frozenset({"iceberg", "avro"})  # formats whose strings have no length
_FIXED = frozenset({"avro"})  # formats whose readers interpret a decimal by their own schema: another precision is never a promotion
_LENGTHS = {
    "varchar": 0,
    "timestamp": MICROSECONDS,
    "timestamptz": MICROSECONDS,
    "time": MICROSECONDS,
}  # the default where no length is stated
_OPEN = {
    "string": frozenset({"varchar", "char"}),
    "number": frozenset({"integer", "byte", "short", "int", "long", "float", "double", "decimal"}),
    "integer": frozenset({"byte", "short", "int", "long"}),
}
