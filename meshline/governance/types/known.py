"""Which types are known at all: a text that is none is perhaps a mistake."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.governance.types.form import Type
from meshline.governance.types.names import COMMON, OWN
from meshline.governance.types.normal import normal

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
