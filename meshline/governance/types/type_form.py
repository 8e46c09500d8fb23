"""One normal form of data types, over the spellings of formats, engines and contracts.

`decimal(18, 2)`, `DECIMAL(18,2)` and `numeric(18,2)` are the same; so are `struct<1: a: required int>` of Iceberg and
`row(a integer)` of Trino. Words mean what they mean in their format: `timestamp` has a time zone in Spark, and none in Trino.
A type that is not known is its own text, in lower case and without spaces to spare: it is never guessed to be another.

It is one parser for all, and the same whatever is installed: fingerprints must not depend on that.
"""

from __future__ import annotations

from typing import NamedTuple

MICROSECONDS = 6  # digits of a second, of times that do not say it
NESTED = frozenset({"struct", "list", "map"})

# Formats that write and promote types as another does.
FAMILIES = {
    **dict.fromkeys(("spark", "databricks", "hive"), "delta"),
    **dict.fromkeys(("presto", "athena"), "trino"),
    **dict.fromkeys(("postgresql", "materialize", "cockroachdb"), "postgres"),
    **dict.fromkeys(("sqlserver", "mssql", "fabric", "synapse"), "tsql"),
    "mariadb": "mysql",
}


class Type(NamedTuple):
    """`name`: one word for it (boolean, int, decimal, string, timestamptz, struct, list, map, ...), or the text of an unknown one.

    `parameters`: precision and scale, or a length; empty: not said. `parts`: of nested ones, in order: the fields of a struct,
    the `element` of a list, the `key` and `value` of a map.
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
        """The type without what is in it."""
        return self.name if self.name in NESTED else str(self)


class Part(NamedTuple):
    """A type in a type. `required` None: not said; `id` stays the same when a field is renamed."""

    name: str
    type: Type
    required: bool | None = None
    id: str = ""


def is_same(a: Type, b: Type) -> bool:
    """Whether they are one type, whether or not their parts may be empty."""
    return str(a) == str(b)


def is_widening(before: Type, after: Type, form: str = "") -> bool:
    """Whether every value of the first is, unchanged, one of the second, as the format `form` promotes types.

    Of formats other than Iceberg and Delta: what is lossless everywhere.
    """
    family = FAMILIES.get(form, form)
    if before.name == after.name == "decimal" and family not in _FIXED and len(before.parameters) == len(after.parameters) == 2:
        return before != after and _can_grow(before.parameters, after.parameters, both=family != "iceberg")
    if (before.name, after.name) in _PROMOTED.get(family, _EVERYWHERE):
        return True
    if family == "delta" and after.name == "decimal" and before.name in _DIGITS:
        return len(after.parameters) == 2 and after.parameters[0] - after.parameters[1] >= _DIGITS[before.name]
    if family in _UNSIZED or before.name not in _LENGTHS:
        return False
    if before.name == "varchar" and after.name == "string":
        return True
    return before.name == after.name and _get_length(before) < _get_length(after)


def can_promote(form: str) -> bool:
    """Whether the format itself says which types may grow into which, and its readers read both."""
    return FAMILIES.get(form, form) in _PROMOTED


def is_specified(before: Type, after: Type) -> bool:
    """Whether the second is one of those that the first, which leaves open how large, may be: `decimal` and `decimal(18,2)`."""
    if before.parameters or before.parts or is_same(before, after):
        return False
    if before.name == after.name:
        return before.name in {"decimal", *NESTED}
    return after.name in _OPEN.get(before.name, ())


def _can_grow(before: tuple[int, ...], after: tuple[int, ...], *, both: bool) -> bool:
    (precision, scale), (new_precision, new_scale) = before, after
    if not both:
        return new_scale == scale and new_precision > precision
    return new_scale >= scale and new_precision - new_scale >= precision - scale


def _get_length(type_: Type) -> int:
    return type_.parameters[0] if type_.parameters else _LENGTHS[type_.name]


def _build_chain(*names: str) -> set[tuple[str, str]]:
    return {(before, after) for at, before in enumerate(names) for after in names[at + 1 :]}


_EVERYWHERE = _build_chain("byte", "short", "mediumint", "int", "long") | _build_chain("float", "double")
_PROMOTED = {
    "iceberg": {("int", "long"), ("float", "double"), ("date", "timestamp")},
    "avro": {("int", "long"), ("float", "double"), ("int", "double"), ("uuid", "string")},
    "delta": _EVERYWHERE | {("byte", "double"), ("short", "double"), ("int", "double"), ("date", "timestamp")},
}
_DIGITS = {"byte": 10, "short": 10, "int": 10, "long": 20}  # before the point, of a decimal into which Delta lets an integer grow
_UNSIZED = frozenset({"iceberg", "avro"})  # formats whose texts have no length
_FIXED = frozenset({"avro"})  # the bytes of a decimal or time are read by what the reader knows of it
_LENGTHS = {"varchar": 0, "timestamp": MICROSECONDS, "timestamptz": MICROSECONDS, "time": MICROSECONDS}  # if not said
_OPEN = {
    "string": frozenset({"varchar", "char"}),
    "number": frozenset({"integer", "byte", "short", "int", "long", "float", "double", "decimal"}),
    "integer": frozenset({"byte", "short", "int", "long"}),
}
