"""Rules that one catalog is known by other names: read from a mesh file, remembered by the store."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from meshline.errors import StoreCorrupt
from meshline.graph.naming import Naming, normalise_namespace
from meshline.graph.store.base import Store

RULES = "catalogs"  # JSON: the source that gives them -> its rules
SEPARATORS = "./"  # what parts a name

_AUTHORITY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/]+)(?:/(.*))?", re.DOTALL)
_NO_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:///", re.DOTALL)


class Prefix(NamedTuple):
    """How names begin: in this namespace, with these whole parts of a name ('': any)."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.name else self.namespace

    def rest(self, name: str) -> str | None:
        """What follows this prefix in a name of its namespace, with the separator if the prefix has a name; None if another begins."""
        if not self.name:
            return name
        if not name.startswith(self.name):
            return None
        rest = name[len(self.name) :]
        return rest if len(rest) > 1 and rest[0] in SEPARATORS else None


class Rule(NamedTuple):
    """A dataset whose name begins with `also` is the one whose name begins with `names` and goes on the same."""

    also: Prefix
    names: Prefix

    def __str__(self) -> str:
        return f"{self.also} is {self.names}"

    def counterpart(self, name: str) -> str | None:
        """The name that the dataset `name` in the namespace of `also` has by this rule; None if it is not meant.

        What follows a path follows it as a part of the path.
        """
        rest = self.also.rest(name)
        if rest is None:
            return None
        own, rest = (rest[0], rest[1:]) if self.also.name else (".", rest)
        if not self.names.name:
            return rest
        return self.names.name + ("/" if "/" in self.names.name else own) + rest


def prefix(text: str, aliases: Mapping[str, str]) -> Prefix:
    """A prefix written as one text: an alias or a namespace, perhaps with `/` and the beginning of names.

    The namespace of `scheme://host/...` ends after the host; `scheme:///path` is one as a whole; anything
    else is one up to its first slash.
    """
    first, _, rest = text.partition("/")
    if first in aliases:
        return normalised(aliases[first], rest)
    found = _AUTHORITY.fullmatch(text)
    if found is not None:
        return normalised(found[1], found[2] or "")
    if _NO_AUTHORITY.match(text):
        return normalised(text, "")
    return normalised(first, rest)


def normalised(namespace: str, name: str) -> Prefix:
    """A prefix as the keys of datasets have it."""
    name = name.rstrip(SEPARATORS)
    if not name:
        return Prefix(normalise_namespace(namespace)[1], "")
    parts = Naming().dataset(namespace, name).parts
    return Prefix(parts[0], parts[1])


def remember(store: Store, source: str, rules: Iterable[Rule]) -> None:
    """Keep the rules that a mesh file gives, in place of those that it gave before."""
    known = _stored(store)
    given = [(*rule.also, *rule.names) for rule in rules]
    if known.get(source, []) != given:
        known = {**known, source: given}
        store.setting(RULES, msgspec.json.encode({name: known[name] for name in sorted(known) if known[name]}).decode())


def remembered(store: Store) -> list[Rule]:
    """The rules of all mesh files: a longer `also` before a shorter one; of equal ones that of the first source by name."""
    found: dict[Prefix, Rule] = {}
    for _, rules in sorted(_stored(store).items()):
        for also_namespace, also_name, namespace, name in rules:
            rule = Rule(Prefix(also_namespace, also_name), Prefix(namespace, name))
            found.setdefault(rule.also, rule)
    return sorted(found.values(), key=lambda rule: (-len(rule.also.name), rule.also))


def _stored(store: Store) -> dict[str, list[tuple[str, str, str, str]]]:
    text = store.setting(RULES)
    if text is None:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, list[tuple[str, str, str, str]]])
    except msgspec.MsgspecError as error:
        raise StoreCorrupt(f"the store's settings cannot be read ({error}): restore the store from a backup") from error
