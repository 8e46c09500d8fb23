"""Rules by which the names of one catalog, as different systems write them, mean the same datasets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from meshline.graph.naming import Naming, normalise_namespace

SEPARATORS = "./"  # between the parts of a name

_AUTHORITY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/]+)(?:/(.*))?", re.DOTALL)
_NO_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:///", re.DOTALL)
_PARTS = re.compile(rf"[{re.escape(SEPARATORS)}]")


class Prefix(NamedTuple):
    """The beginning of names: their namespace, and the whole parts with which they begin ('': any)."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.name else self.namespace

    def find_rest(self, name: str, *, ignore_case: bool = False) -> str | None:
        """What follows the prefix in a name of its namespace, with the separator if the prefix has a name; None if it does not match."""
        if not self.name:
            return name
        begin, rest = name[: len(self.name)], name[len(self.name) :]
        if begin != self.name and not (ignore_case and begin.casefold() == self.name.casefold()):
            return None
        return rest if len(rest) > 1 and rest[0] in SEPARATORS else None


class Rule(NamedTuple):
    """A dataset whose name begins with `also` is the dataset whose name begins with `names` and continues the same.

    `ignore_case`: the same but for upper and lower case, for systems that fold names (Trino and PostgreSQL to lower, Snowflake to upper).
    """

    also: Prefix
    names: Prefix
    ignore_case: bool = False

    def __str__(self) -> str:
        return f"{self.also} is {self.names}{', ignoring case' if self.ignore_case else ''}"

    def find_counterpart(self, name: str) -> str | None:
        """The other name of the dataset `name` in the namespace of `also` by this rule, in the case of `name`; None if it does not apply.

        If `names` is a path, the rest is appended with a slash.
        """
        rest = self.also.find_rest(name, ignore_case=self.ignore_case)
        if rest is None:
            return None
        own, rest = (rest[0], rest[1:]) if self.also.name else (".", rest)
        if not self.names.name:
            return rest
        return self.names.name + ("/" if "/" in self.names.name else own) + rest


class KnownNames:
    """The names of a namespace that some source uses, to be found letter by letter or ignoring case."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    def find(self, name: str, *, ignore_case: bool) -> str | None:
        """The known name that is `name`; if none is, and case is ignored, the only one that differs in nothing but case."""
        if name in self._names:
            return name
        return self._folded.get(name.casefold()) if ignore_case else None

    @cached_property
    def _folded(self) -> dict[str, str | None]:
        """By folded name the name; None if several differ only in case."""
        found: dict[str, str | None] = {}
        for name in self._names:
            fold = name.casefold()
            found[fold] = None if fold in found else name
        return found


def parse_prefix(text: str, aliases: Mapping[str, str]) -> Prefix:
    """A prefix written as one text: an alias or a namespace, optionally followed by `/` and the beginning of names.

    The namespace of `scheme://host/...` ends after the host; `scheme:///path` is a namespace as a whole; in anything
    else it ends at the first slash.
    """
    first, _, rest = text.partition("/")
    if first in aliases:
        return build_prefix(aliases[first], rest)
    found = _AUTHORITY.fullmatch(text)
    if found is not None:
        return build_prefix(found[1], found[2] or "")
    if _NO_AUTHORITY.match(text):
        return build_prefix(text, "")
    return build_prefix(first, rest)


def build_prefix(namespace: str, name: str) -> Prefix:
    """A prefix with its namespace and name normalised as in the keys of datasets."""
    name = name.rstrip(SEPARATORS)
    if not name:
        return Prefix(normalise_namespace(namespace)[1], "")
    parts = Naming().normalise_dataset(namespace, name).parts
    return Prefix(parts[0], parts[1])


def split_parts(name: str) -> list[str]:
    """The parts of a dataset's name."""
    return _PARTS.split(name)


def derive_rule(also: tuple[str, str], names: tuple[str, str]) -> Rule | None:
    """The most general rule by which two names, (namespace, name) each, mean one dataset; None if no rule fits.

    The parts that both names end with are what the rule leaves open: `pg.raw.customers` and `shop.raw.customers` give `pg` and `shop`.
    Case is ignored only if the names differ in it.
    """
    first, second = split_parts(also[1]), split_parts(names[1])
    common = 0
    while common < min(len(first), len(second)) and first[-1 - common].casefold() == second[-1 - common].casefold():
        common += 1
    for count in range(common, 0, -1):  # fewer where the parts are the same and the separators between them are not
        prefixes = Prefix(also[0], _drop_parts(also[1], first, count)), Prefix(names[0], _drop_parts(names[1], second, count))
        exact, folding = Rule(*prefixes), Rule(*prefixes, ignore_case=True)
        other = exact.find_counterpart(also[1])
        if other is not None and other.casefold() == names[1].casefold():
            return exact if other == names[1] else folding
    return None


def _drop_parts(name: str, parts: Sequence[str], count: int) -> str:
    """A name without its last `count` parts and the separators before them."""
    return name[: max(0, len(name) - sum(map(len, parts[-count:])) - count)]
