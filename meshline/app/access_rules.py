"""The file of access rules: who may see which assets. Reviewed like the mesh file; without one, every role sees all that it may ask for.

version: 1
default: own                    # what every caller may see besides: everything, own (what it and its groups own) or nothing
grants:
  - {who: group:sales-team, on: domain:sales}
  - {who: token:dashboard, on: [product:revenue, "tag:public"]}
restrict:                       # wins over every grant, and over ownership
  - {on: "tag:pii", except: [group:stewards]}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from meshline.app.tokens import Actor, Role
from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.graph.queries.visibility import Rights, Selector, SelectorKind
from meshline.ingest.documents import Document, parse_yaml

VERSION = 1
EVERYONE = "everyone"
_SELECTORS = "everything, domain:NAME, product:NAME, tag:KEY, tag:KEY=VALUE or namespace:PATTERN"
_PRINCIPALS = "everyone, group:NAME or token:NAME"
MOST = 10_000  # grants and restrictions of a file


class Default(StrEnum):
    """What a principal may see without a grant."""

    EVERYTHING = "everything"
    OWN = "own"
    NOTHING = "nothing"


class Rule(NamedTuple):
    """A grant: these principals may see what the selectors choose. A restriction: only these may. `place`: file and line."""

    principals: frozenset[str]
    selectors: tuple[Selector, ...]
    place: str


class AccessRules(NamedTuple):
    """The content of a file of access rules."""

    default: Default
    grants: tuple[Rule, ...]
    restrictions: tuple[Rule, ...]

    def find_rights(self, actor: Actor) -> Rights | None:
        """What a caller may see; None: everything. The role admin, which administers the mesh, sees everything."""
        if actor.role.includes(Role.ADMIN):
            return None
        principals = {EVERYONE, f"token:{actor.name}", *(f"group:{group}" for group in actor.groups)}
        granted = {selector for rule in self.grants if principals & rule.principals for selector in rule.selectors}
        if self.default is Default.EVERYTHING:
            granted.add(Selector(SelectorKind.EVERYTHING))
        restricted = {selector for rule in self.restrictions if not principals & rule.principals for selector in rule.selectors}
        if Selector(SelectorKind.EVERYTHING) in granted and not restricted:
            return None
        owners = frozenset() if self.default is Default.NOTHING else frozenset((actor.name, *actor.groups))
        return Rights(frozenset(granted), frozenset(restricted), owners)

    def iterate_selectors(self) -> Iterable[tuple[Selector, str]]:
        """All selectors, each with the file and line of its rule."""
        return ((selector, rule.place) for rule in (*self.grants, *self.restrictions) for selector in rule.selectors)


def read_access_rules(path: Path) -> AccessRules:
    """The rules of a file. Raises InvalidInput with `file:line` and what is accepted there."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot be read ({error.strerror or error}): it is the file of access rules", str(path)) from error
    return _Parser(parse_yaml(data, str(path))).parse()


class _Parser:
    """Parses one document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def parse(self) -> AccessRules:
        top = self._parse_mapping(self._document.value, (), {"version", "default", "grants", "restrict"})
        if top.get("version") != VERSION:
            raise self._build_error(("version",), f"`version` is {VERSION}")
        default = top.get("default", Default.EVERYTHING)
        if not isinstance(default, str) or default not in list(Default):
            raise self._build_error(("default",), f"`default` is {', '.join(Default)}, not {default!r}")
        grants = self._parse_rules(top.get("grants"), "grants", "who")
        restrictions = self._parse_rules(top.get("restrict"), "restrict", "except")
        return AccessRules(Default(default), grants, restrictions)

    def _parse_rules(self, value: Json, name: str, subject: str) -> tuple[Rule, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > MOST:
            raise self._build_error((name,), f"`{name}` is a list of at most {MOST} entries")
        return tuple(self._parse_rule(entry, (name, number), subject) for number, entry in enumerate(value))

    def _parse_rule(self, value: Json, path: tuple[str | int, ...], subject: str) -> Rule:
        entry = self._parse_mapping(value, path, {subject, "on"})
        if "on" not in entry or (subject == "who" and subject not in entry):
            raise self._build_error(path, f"an entry has {'`who` and `on`' if subject == 'who' else '`on`'}")
        selectors = [self._parse_selector(text, path) for text in self._parse_texts(entry["on"], (*path, "on"))]
        principals = self._parse_texts(entry.get(subject, []), (*path, subject))
        for principal in principals:
            kind, _, name = principal.partition(":")
            if principal != EVERYONE and (kind not in {"group", "token"} or not name):
                raise self._build_error((*path, subject), f"`{subject}` names {_PRINCIPALS}, not {principal!r}")
        if not selectors or (subject == "who" and not principals):
            raise self._build_error(path, f"`{'on' if not selectors else subject}` is empty")
        return Rule(frozenset(principals), tuple(selectors), self._document.format_place(path))

    def _parse_selector(self, text: str, path: tuple[str | int, ...]) -> Selector:
        kind, colon, name = text.partition(":")
        if kind in list(SelectorKind) and bool(name) == (kind != SelectorKind.EVERYTHING) and bool(colon) == bool(name):
            return Selector(SelectorKind(kind), name)
        raise self._build_error((*path, "on"), f"`on` is {_SELECTORS}, not {text!r}")

    def _parse_texts(self, value: Json, path: tuple[str | int, ...]) -> Sequence[str]:
        texts = value if isinstance(value, list) else [value]
        if not all(isinstance(text, str) for text in texts):
            raise self._build_error(path, f"`{path[-1]}` is a text or a list of texts")
        return [text for text in texts if isinstance(text, str)]

    def _parse_mapping(self, value: Json, path: tuple[str | int, ...], known: set[str]) -> Mapping[str, Json]:
        if not isinstance(value, dict):
            raise self._build_error(path, f"a mapping with {', '.join(sorted(known))} is expected here")
        if unknown := sorted(value.keys() - known):
            raise self._build_error((*path, unknown[0]), f"there is no key {unknown[0]!r} here; there are {', '.join(sorted(known))}")
        return value

    def _build_error(self, path: tuple[str | int, ...], message: str) -> InvalidInput:
        return InvalidInput(message, self._document.format_place(path))
