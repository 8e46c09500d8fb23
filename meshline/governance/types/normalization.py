"""The normal form of a type's text; and the names in it that no format is known to have, which may be mistakes."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator

from meshline.governance.types.type_aliases import BITS, COMMON, ENDLESS, LONGEST, ONLY_CONTRACTS, OWN, SCALED, WIDTHS
from meshline.governance.types.type_form import FAMILIES, MICROSECONDS, NESTED, Type
from meshline.governance.types.type_parser import Named, Unreadable, parse_json, parse_text

SHORT = 1_000  # characters of a text that is remembered with its type
_TIMES = frozenset({"time", "timetz", "timestamp", "timestamptz", "timestampltz"})
_FLOATS = frozenset({"float", "double"})
_SIZED = {"string": "varchar", "binary": "fixed"}  # with a length they are another type
_INTEGERS = frozenset({"byte", "short", "int", "long"})


def normal(text: str, form: str = "") -> Type:
    """The type that a text is in a format: iceberg, delta, spark, trino, avro, json, contract, a dialect of SQL; "": not known which.

    The text may be JSON, as schemas of Spark, Iceberg and Avro and JSON Schema are.
    """
    return (_remembered if len(text) <= SHORT else _normal)(text, FAMILIES.get(form, form))


def _normal(text: str, family: str) -> Type:
    written = text.strip()
    try:
        if written[:1] in {"{", "[", '"'}:
            return parse_json(json.loads(written), lambda one: _plain(one, family))
        return _plain(written, family)
    except (Unreadable, ValueError, RecursionError):
        return _unknown(written)


_remembered = functools.lru_cache(maxsize=4096)(_normal)


def is_worded(text: str, form: str) -> bool:
    """Whether a contract's type may be in the words of a dialect: `timestamp_tz` of Data Contract Specification is in few."""
    word = text.strip().lower().partition("(")[0].strip()
    return word not in ONLY_CONTRACTS or word in OWN.get(FAMILIES.get(form, form), {})


def _plain(text: str, family: str) -> Type:
    own = OWN.get(family, {})

    def nested(word: str) -> str:
        known = own.get(word, COMMON.get(word, ""))
        return known if known in NESTED else ""

    try:
        return parse_text(text, lambda named: _named(named, family), nested)
    except Unreadable:
        return _unknown(text)


def _unknown(text: str) -> Type:
    """Two texts of an unknown type are one if they differ in case and in spaces only."""
    return Type("".join(text.lower().split()) if "(" in text or "<" in text else " ".join(text.lower().split()))


def _named(named: Named, family: str) -> Type:
    """What a word with numbers means in a format."""
    words, numbers = named
    own = OWN.get(family, {})
    meant = own.get(words, COMMON.get(words, words))
    name, _, rest = meant.partition("(")
    if family in WIDTHS and words.endswith(" unsigned"):  # int(10) unsigned
        numbers = numbers if words.startswith("dec") else ()
    if not numbers:
        return _settled(name, tuple(int(one) for one in rest.rstrip(")").split(",") if one), family)
    if family in BITS and words == "float":
        return Type("float" if numbers[0] <= 24 else "double")
    return _settled(name, numbers, family)


def _settled(name: str, numbers: tuple[int, ...], family: str) -> Type:
    """A normal name with its numbers, without those that say nothing."""
    if name in _SIZED and numbers:
        endless = numbers[0] < 0 or (name == "string" and family in ENDLESS) or numbers[0] == LONGEST.get(family, {}).get(name)
        return Type(name) if endless else Type(_SIZED[name], numbers[:1])
    if family in WIDTHS and (name, numbers) == ("byte", (1,)):
        return Type("boolean")
    if name == "decimal" and len(numbers) == 1 and family in SCALED:
        return Type(name, (numbers[0], 0))
    idle = numbers == (MICROSECONDS,) if name in _TIMES else name in _FLOATS or (family in WIDTHS and name in _INTEGERS)
    return Type(name) if idle else Type(name, numbers)


# Of engines; nothing is known of them but that they exist.
_OTHERS = frozenset(
    [
        *("any", "array", "bignumeric", "bit", "bit varying", "cidr", "citext", "enum", "geography", "geometry", "hllsketch", "hstore"),
        *("hyperloglog", "inet", "int128", "int256", "interval", "ipaddress", "macaddr", "mediumint", "money", "name", "oid", "point"),
        *("polygon", "range", "rowid", "set", "sql_variant", "super", "tsvector", "vector", "void", "xml", "year"),
    ]
)
_MODIFIERS = frozenset({"unsigned", "signed", "zerofill", "year", "month", "day", "hour", "minute", "second", "to"})
_KNOWN = _OTHERS | {meant.partition("(")[0] for words in (COMMON, *OWN.values()) for meant in (*words, *words.values())}


def unknown_names(text: str, form: str = "") -> list[str]:
    """The names in a type's text that no format is known to have, in order. `form`: as of `normal`."""
    return list(dict.fromkeys(name for name in _names(normal(text, form)) if not _is_known(name)))


def _is_known(name: str) -> bool:
    first, *others = name.split() or [""]
    return name in _KNOWN or (first in _KNOWN and _MODIFIERS.issuperset(others))


def _names(found: Type) -> Iterator[str]:
    yield found.name
    for part in found.parts:
        yield from _names(part.type)
