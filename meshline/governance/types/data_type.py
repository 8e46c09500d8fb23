"""One normal form of data types for the spellings of formats, engines and contracts, and the parser of these spellings.

`decimal(18, 2)`, `DECIMAL(18,2)` and `numeric(18,2)` are the same type; so are `struct<1: a: required int>` of Iceberg and
`row(a integer)` of Trino. A word has the meaning of its format: `timestamp` has a time zone in Spark, and none in Trino.
An unknown type is its own text, in lower case and without superfluous spaces: it is never guessed to be another type.

One parser reads all formats, as text and as JSON (schemas of Spark, Iceberg and Avro, and JSON Schema). It depends on no optional
library: fingerprints must not depend on what is installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from meshline.graph.model import Json

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

    Sources: Iceberg's specification ("Schema Evolution"), Delta's type widening, Avro's "Schema Resolution", Protobuf's "Updating
    A Message Type". For other formats: the
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
    "protobuf": {  # those of the same encoding that lose nothing
        *(("boolean", one) for one in ("int", "long", "uint32", "uint64")),
        *(("int", "long"), ("uint32", "long"), ("uint32", "uint64"), ("sint32", "sint64"), ("enum", "int"), ("enum", "long")),
    },
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


MAX_LENGTH = 200_000  # characters of the text of a type
MAX_DEPTH = 64
_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)|(?P<word>[^\s()<>\[\],:"'`]+)|(?P<mark>[()<>\[\],:])|(?P<text>'(?:[^']|'')*'))"""
)
_OPENING = {"<": ">", "(": ")"}


class Unreadable(Exception):
    """The text is not a type that can be parsed."""


class Named(NamedTuple):
    """A type as it is written: its words joined by one space, with numbers in parentheses."""

    words: str
    numbers: tuple[int, ...] = ()


def parse_type_text(text: str, named: Callable[[Named], Type], nested: Callable[[str], str]) -> Type:
    """The type that a text means. `named` resolves a written type; `nested` gives the normal name (struct, list, map) of a word for a
    nested type, else "". Raises Unreadable.
    """
    if len(text) > MAX_LENGTH:
        raise Unreadable
    reader = _Parser(_split_tokens(text), named, nested)
    found = reader.parse_type(0)
    if reader.has_tokens():
        raise Unreadable
    return found


class _Token(NamedTuple):
    kind: str
    text: str


def _split_tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise Unreadable
        tokens.append(_Token(found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[_Token], named: Callable[[Named], Type], nested: Callable[[str], str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._named = named
        self._nested = nested

    def has_tokens(self) -> bool:
        return self._at < len(self._tokens)

    def parse_type(self, depth: int) -> Type:
        if depth > MAX_DEPTH:
            raise Unreadable
        word = self._parse_word()
        nested = self._nested(word)
        found = self._parse_nested_type(nested, depth) if nested and self._peek_mark() in _OPENING else self._parse_plain_type(word, nested)
        while self._peek_mark() == "[":
            found = self._parse_array(found)
        return found

    def _parse_plain_type(self, word: str, nested: str) -> Type:
        words, numbers = [word], list[int]()
        while True:
            if self._peek_kind() == "word" and not self._is_end_of_type(words):
                words.append(self._parse_word())
            elif self._peek_mark() == "(" and not numbers:
                numbers = self._parse_numbers("(", ")")
            elif self._peek_mark() == "[" and word == "fixed" and not numbers:
                numbers = self._parse_numbers("[", "]")
            else:
                break
        return Type(nested) if nested and len(words) == 1 and not numbers else self._named(Named(" ".join(words), tuple(numbers)))

    def _is_end_of_type(self, words: list[str]) -> bool:
        """Whether the next token belongs to the field and no longer to its type: NOT NULL, COMMENT '...', OPTIONS(...)."""
        return self._peek_token().text.lower() in {"not", "null", "comment", "options", "default", "collate", "(required)"} and bool(words)

    def _parse_array(self, element: Type) -> Type:
        self._expect_mark("[")
        if self._peek_kind() == "word":
            self._parse_word()
        self._expect_mark("]")
        return Type("list", (), (Part("element", element),))

    def _parse_nested_type(self, nested: str, depth: int) -> Type:
        closing = _OPENING[self._read_token().text]
        parts: list[Part] = []
        while self._peek_mark() != closing:
            if parts:
                self._expect_mark(",")
            parts.append(self._parse_field(depth) if nested == "struct" else self._parse_part(nested, len(parts), depth))
        self._expect_mark(closing)
        if (nested, len(parts)) not in {("list", 1), ("map", 2)} and (nested != "struct" or not parts):
            raise Unreadable
        return Type(nested, (), tuple(parts))

    def _parse_part(self, nested: str, number: int, depth: int) -> Part:
        name = "element" if nested == "list" else ("key", "value")[min(number, 1)]
        return Part(name, self.parse_type(depth + 1), self._parse_constraints(required=None))

    def _parse_field(self, depth: int) -> Part:
        """`a int`, `a: int`, `1: a: required int`, `"a b" int NOT NULL COMMENT '...'`."""
        names = [self._parse_name()]
        while self._peek_mark() == ":":
            self._read_token()
            if self._peek_second() != ":":
                break
            names.append(self._parse_name())
        required = None
        if len(names) == 2:
            required = {"required": True, "optional": False}.get(self._peek_token().text)
            if required is not None:
                self._read_token()
        type_ = self.parse_type(depth + 1)
        return Part(names[-1], type_, self._parse_constraints(required=required), names[0] if len(names) == 2 else "")

    def _parse_constraints(self, *, required: bool | None) -> bool | None:
        """Skip what follows a field's type. Returns whether the field is required: `required` unless it states NOT NULL."""
        while self._peek_kind() in {"word", "text"} or (self._peek_mark() == "(" and self.has_tokens()):
            found = self._read_token()
            if found.text == "(":
                self._skip_parentheses()
            elif found.text.lower() == "not" and self._peek_token().text.lower() == "null":
                self._read_token()
                required = True
        return required

    def _skip_parentheses(self) -> None:
        open_ = 1
        while open_:
            found = self._read_token()
            open_ += (found.text == "(") - (found.text == ")")

    def _parse_numbers(self, opening: str, closing: str) -> list[int]:
        self._expect_mark(opening)
        found: list[int] = []
        while self._peek_mark() != closing:
            if found:
                self._expect_mark(",")
            number = self._parse_word()
            if not re.fullmatch(r"-?[0-9]{1,10}|max", number):
                raise Unreadable
            found.append(-1 if number == "max" else int(number))
            if self._peek_kind() == "word" and self._peek_token().text.lower() in {"char", "byte"}:  # varchar2(20 char)
                self._read_token()
        self._expect_mark(closing)
        return found

    def _parse_name(self) -> str:
        token = self._read_token()
        if token.kind == "quoted":
            quote = token.text[0]
            return token.text[1:-1].replace(quote * 2, quote)
        if token.kind != "word":
            raise Unreadable
        return token.text

    def _parse_word(self) -> str:
        token = self._read_token()
        if token.kind != "word":
            raise Unreadable
        return token.text.lower()

    def _expect_mark(self, mark: str) -> None:
        if self._read_token().text != mark:
            raise Unreadable

    def _read_token(self) -> _Token:
        token = self._peek_token()
        if not token.kind:
            raise Unreadable
        self._at += 1
        return token

    def _peek_token(self) -> _Token:
        return self._tokens[self._at] if self.has_tokens() else _Token("", "")

    def _peek_second(self) -> str:
        return self._tokens[self._at + 1].text if self._at + 1 < len(self._tokens) else ""

    def _peek_kind(self) -> str:
        return self._peek_token().kind

    def _peek_mark(self) -> str:
        found = self._peek_token()
        return found.text if found.kind == "mark" else ""


_OBJECTS = frozenset({"struct", "record", "object", "error"})
_CONTAINERS = {"array": "list", "list": "list", "map": "map"}
_TEXTS_OF_FORMAT = frozenset({"date", "time", "date-time", "uuid", "byte"})  # formats of JSON Schema that are types of their own


def parse_json(value: Json, leaf: Callable[[str], Type], depth: int = 0) -> Type:
    """The type that a JSON value describes. `leaf` parses the text of a type. Raises Unreadable."""
    if isinstance(value, str):
        return leaf(value)
    if isinstance(value, list):
        return parse_json(_get_only_type(value), leaf, depth + 1)
    if depth > MAX_DEPTH or not isinstance(value, Mapping) or "type" not in value:
        raise Unreadable
    kind = value["type"]
    if isinstance(kind, list):
        return parse_json({**value, "type": _get_only_type(kind)}, leaf, depth + 1)
    if isinstance(kind, Mapping):
        return parse_json(kind, leaf, depth + 1)
    if kind in _OBJECTS:
        return _parse_json_struct(value, leaf, depth)
    return _parse_json_container(value, str(kind), leaf, depth) if kind in _CONTAINERS else leaf(_format_leaf(value, str(kind)))


def may_be_null(value: Json) -> bool:
    """Whether a union of Avro or JSON Schema allows null."""
    if isinstance(value, Mapping):
        value = value.get("type")
    return isinstance(value, list) and "null" in value


def _get_only_type(kinds: Sequence[Json]) -> Json:
    """The only type of a union besides null. Raises Unreadable if it has none or several."""
    others = [one for one in kinds if one != "null"]
    if len(others) != 1:
        raise Unreadable
    return others[0]


def _format_leaf(value: Mapping[str, Json], kind: str) -> str:
    logical, form = value.get("logicalType"), value.get("format")
    if isinstance(logical, str):
        if logical == "decimal":
            return f"decimal({value.get('precision')},{value.get('scale') or 0})"
        return logical
    if kind == "fixed" and "size" in value:
        return f"fixed({value['size']})"
    if isinstance(form, str) and (form in _TEXTS_OF_FORMAT if kind == "string" else form in {"int32", "int64", "float", "double"}):
        return form
    return kind


def _parse_json_struct(value: Mapping[str, Json], leaf: Callable[[str], Type], depth: int) -> Type:
    if isinstance(properties := value.get("properties"), Mapping):
        listed = value.get("required")
        needed = listed if isinstance(listed, list) else []
        fields: list[tuple[str, Json, bool | None, str]] = [(name, one, name in needed, "") for name, one in properties.items()]
    else:
        stated = value.get("fields")
        fields = [_parse_json_field(one) for one in (stated if isinstance(stated, list) else [])]
    parts = (Part(name, parse_json(type_, leaf, depth + 1), needed, stable) for name, type_, needed, stable in fields)
    return Type("struct", (), tuple(parts))


def _parse_json_field(value: Json) -> tuple[str, Json, bool | None, str]:
    if not isinstance(value, Mapping):
        raise Unreadable
    metadata = value.get("metadata")
    stable = value.get("id", metadata.get("delta.columnMapping.id") if isinstance(metadata, Mapping) else None)
    needed = _parse_required(value.get("required"), value.get("nullable"))
    if needed is None and may_be_null(value.get("type")):
        needed = False
    return str(value.get("name", "")), value.get("type"), needed, "" if stable is None else str(stable)


def _parse_json_container(value: Mapping[str, Json], kind: str, leaf: Callable[[str], Type], depth: int) -> Type:
    """The type of a list or a map; without parts if the value does not state the types of its elements."""
    if kind == "map":
        key, content = _get_first(value, "keyType", "key"), _get_first(value, "valueType", "value", "values")
        needed = _parse_required(value.get("value-required"), value.get("valueContainsNull"))
        parts = [("key", "string" if key is None else key, None), ("value", content, needed)]
    else:
        element = _get_first(value, "elementType", "element", "items")
        parts = [("element", element, _parse_required(value.get("element-required"), value.get("containsNull")))]
    if any(type_ is None for _, type_, _ in parts):
        return Type(_CONTAINERS[kind])
    return Type(_CONTAINERS[kind], (), tuple(Part(part, parse_json(type_, leaf, depth + 1), needed) for part, type_, needed in parts))


def _get_first(value: Mapping[str, Json], *keys: str) -> Json:
    return next((value[key] for key in keys if key in value), None)


def _parse_required(required: Json, nullable: Json) -> bool | None:
    if isinstance(required, bool):
        return required
    return not nullable if isinstance(nullable, bool) else None
