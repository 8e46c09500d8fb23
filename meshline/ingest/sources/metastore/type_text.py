"""Texts of types as Hive, Spark, Glue and Unity Catalog write them (`struct<city:string,zip:int>`) -> the columns within a column."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.errors import InvalidInput
from meshline.ingest.sources.metastore.catalog_table import CatalogColumn

MAX_DEPTH = 24
MAX_TEXT = 1_000_000  # characters of a type
_CLOSING = {"<": ">", "(": ")"}


def list_nested_columns(path: str, type_: str, position: int, depth: int = 1) -> Iterator[CatalogColumn]:
    """The columns within a column: `address.city` of a struct, `tags.element` of an array, `scores.key` and `scores.value` of a map.

    A type that is not understood has none. Raises InvalidInput if it is nested too deeply or too long.
    """
    text = type_.strip()
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"the type of {path[:100]} has more than {MAX_TEXT} characters")
    outer, bracket, inner = text.partition("<")
    if not bracket or not inner.endswith(">"):
        return
    if depth > MAX_DEPTH:
        raise InvalidInput(f"{path[:100]} is nested more than {MAX_DEPTH} levels deep")
    for name, below, comment in _list_parts(outer.strip().casefold(), inner[:-1]):
        yield CatalogColumn(f"{path}.{name}", below, position, comment)
        yield from list_nested_columns(f"{path}.{name}", below, position, depth + 1)


def _list_parts(outer: str, inner: str) -> Iterator[tuple[str, str, str]]:
    """(name, type, comment) of the parts of a type."""
    parts = _split_top_level(inner)
    if outer == "array" and len(parts) == 1:
        yield "element", parts[0], ""
    elif outer == "map" and len(parts) == 2:
        yield "key", parts[0], ""
        yield "value", parts[1], ""
    elif outer == "struct":
        yield from filter(None, map(_parse_field, parts))


def _parse_field(text: str) -> tuple[str, str, str] | None:
    """(name, type, comment) of `name:type`, `name: type NOT NULL COMMENT 'text'` or "`a:b`:type"; None if it is none of these."""
    if text.startswith("`"):
        end = text.find("`:", 1)
        name, type_ = (text[1:end].replace("``", "`"), text[end + 2 :]) if end > 0 else ("", "")
    else:
        name, _, type_ = text.partition(":")
    type_, _, comment = type_.partition(" COMMENT ")
    type_ = type_.strip().removesuffix(" NOT NULL").strip()
    return (name.strip(), type_, comment.strip().strip("'")) if name.strip() and type_ else None


def _split_top_level(text: str) -> list[str]:
    """The parts between commas that are in no brackets, backticks or quotes."""
    parts, begin, expected, quote = [], 0, "", ""
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "`'":
            quote = character
        elif character in _CLOSING:
            expected += _CLOSING[character]
        elif expected.endswith(character):
            expected = expected[:-1]
        elif character == "," and not expected:
            parts.append(text[begin:at].strip())
            begin = at + 1
    return [*parts, text[begin:].strip()]
