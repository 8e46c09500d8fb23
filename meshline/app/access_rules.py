"""The file of access rules: who may see which assets. Reviewed like the mesh file; without one, every role sees all that it may ask for.

version: 1
default: own                    # what every caller may see besides: everything, own (what it and its groups own) or nothing
grants:
  - {who: group:sales-team, on: domain:sales}
  - {who: token:airflow, may: ingest, on: "namespace:airflow-prod*"}
  - {who: token:dashboard, on: [product:revenue, "tag:public"]}
restrict:                       # wins over every grant, and over ownership
  - {on: "tag:pii", except: [group:stewards]}
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import msgspec

from meshline.app.tokens import Actor, Role
from meshline.errors import InvalidInput, NotPermitted
from meshline.graph.model import Json
from meshline.graph.queries.visibility import Rights, Selector, SelectorKind
from meshline.ingest.documents import Document, parse_yaml
from meshline.ingest.openlineage.events import DatasetEvent, DatasetMention, Event

VERSION = 1
EVERYONE = "everyone"
_SELECTORS = "everything, domain:NAME, product:NAME, tag:KEY, tag:KEY=VALUE or namespace:PATTERN"
_PRINCIPALS = "everyone, group:NAME, user:NAME, service:NAME or token:NAME"
_NAMED = frozenset({"group", "user", "service", "token"})
MOST = 10_000  # grants and restrictions of a file


class Default(StrEnum):
    """What a principal may see without a grant."""

    EVERYTHING = "everything"
    OWN = "own"
    NOTHING = "nothing"


class Action(StrEnum):
    """What a grant permits. None implies another."""

    READ = "read"
    INGEST = "ingest"  # send events about the jobs and outputs of namespaces; also needs the role writer


class Rule(NamedTuple):
    """A grant: these principals may do this with what the selectors choose. A restriction: only these may see it.

    `place`: file and line.
    """

    principals: frozenset[str]
    selectors: tuple[Selector, ...]
    place: str
    actions: frozenset[Action] = frozenset({Action.READ})


class IngestRights(NamedTuple):
    """About which namespaces a caller may send events: patterns."""

    caller: str
    patterns: frozenset[str]

    def check_event(self, event: Event) -> None:
        """Raises NotPermitted unless the job of an event, its outputs and their other names are in these namespaces.

        Inputs may be of any: where data comes from is what lineage is about.
        """
        if isinstance(event, DatasetEvent):
            self._check_dataset(event.dataset)
            return
        self._check_namespace(event.job[0], "the job")
        for output in event.outputs:
            self._check_dataset(output)

    def _check_dataset(self, dataset: DatasetMention) -> None:
        self._check_namespace(dataset.namespace, f"the dataset {dataset.name!r}")
        symlinks = dataset.facets.get("symlinks")
        if symlinks is not None:  # which join it with another dataset
            for namespace in _list_symlinked(symlinks.raw):
                self._check_namespace(namespace, f"a symlink of {dataset.name!r}")

    def _check_namespace(self, namespace: str, named: str) -> None:
        if not any(fnmatchcase(namespace, pattern) for pattern in self.patterns):
            allowed = ", ".join(sorted(self.patterns)) or "none"
            asked = f"{named} is in the namespace {namespace!r}"
            raise NotPermitted(f"{asked}, and {self.caller!r} may send events about: {allowed} (access rules)")


class _Symlink(msgspec.Struct):
    namespace: str = ""


class _Symlinks(msgspec.Struct):
    identifiers: list[_Symlink] = []


def _list_symlinked(raw: bytes) -> list[str]:
    """The namespaces of a facet of symlinks; of one that cannot be read, a name that only `*` fits."""
    try:
        return [one.namespace for one in msgspec.json.decode(raw, type=_Symlinks).identifiers]
    except msgspec.MsgspecError:
        return ["symlinks that cannot be read"]


class AccessRules(NamedTuple):
    """The content of a file of access rules."""

    default: Default
    grants: tuple[Rule, ...]
    restrictions: tuple[Rule, ...]
    default_ingest: Default = Default.EVERYTHING
    digest: str = ""  # of the file

    def find_rights(self, actor: Actor) -> Rights | None:
        """What a caller may see; None: everything. The role admin, which administers the mesh, sees everything."""
        if actor.role.includes(Role.ADMIN):
            return None
        principals = _list_principals(actor)
        granted = self._list_granted(principals, Action.READ)
        if self.default is Default.EVERYTHING:
            granted.add(Selector(SelectorKind.EVERYTHING))
        restricted = {selector for rule in self.restrictions if not principals & rule.principals for selector in rule.selectors}
        if Selector(SelectorKind.EVERYTHING) in granted and not restricted:
            return None
        owners = frozenset() if self.default is Default.NOTHING else frozenset((_split_name(actor)[1], *actor.groups))
        return Rights(frozenset(granted), frozenset(restricted), owners)

    def find_ingest(self, actor: Actor) -> IngestRights | None:
        """What a caller with the role writer may send events about; None: everything."""
        if actor.role.includes(Role.ADMIN) or self.default_ingest is Default.EVERYTHING:
            return None
        granted = self._list_granted(_list_principals(actor), Action.INGEST)
        if any(selector.kind is SelectorKind.EVERYTHING for selector in granted):
            return None
        return IngestRights(actor.name, frozenset(selector.name for selector in granted))

    def _list_granted(self, principals: set[str], action: Action) -> set[Selector]:
        rules = (rule for rule in self.grants if action in rule.actions and principals & rule.principals)
        return {selector for rule in rules for selector in rule.selectors}

    def iterate_selectors(self) -> Iterable[tuple[Selector, str]]:
        """All selectors that choose assets, each with the file and line of its rule."""
        rules = (rule for rule in (*self.grants, *self.restrictions) if Action.READ in rule.actions)
        return ((selector, rule.place) for rule in rules for selector in rule.selectors)


def _list_principals(actor: Actor) -> set[str]:
    return {EVERYONE, ":".join(_split_name(actor)), *(f"group:{group}" for group in actor.groups)}


def _split_name(actor: Actor) -> tuple[str, str]:
    """The kind of a caller (user and service: of an identity provider; else token), and its name alone."""
    kind, space, name = actor.name.partition(" ")
    return (kind, name) if space else ("token", kind)


def read_access_rules(path: Path) -> AccessRules:
    """The rules of a file. Raises InvalidInput with `file:line` and what is accepted there."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot be read ({error.strerror or error}): it is the file of access rules", str(path)) from error
    return _Parser(parse_yaml(data, str(path))).parse()._replace(digest=hashlib.sha256(data).hexdigest())


class _Parser:
    """Parses one document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def parse(self) -> AccessRules:
        top = self._parse_mapping(self._document.value, (), {"version", "default", "grants", "restrict"})
        if top.get("version") != VERSION:
            raise self._build_error(("version",), f"`version` is {VERSION}")
        default, ingest = self._parse_default(top.get("default", Default.EVERYTHING))
        grants = self._parse_rules(top.get("grants"), "grants", "who")
        restrictions = self._parse_rules(top.get("restrict"), "restrict", "except")
        return AccessRules(default, grants, restrictions, ingest)

    def _parse_default(self, value: Json) -> tuple[Default, Default]:
        """What callers may see, and about what they may send events, without a grant: a text is the first alone."""
        if isinstance(value, dict):
            given = self._parse_mapping(value, ("default",), set(Action))
            ingest = given.get(Action.INGEST, Default.EVERYTHING)
            if ingest not in (Default.EVERYTHING, Default.NOTHING):
                raise self._build_error(("default", Action.INGEST), f"`ingest` is everything or nothing, not {ingest!r}")
            return self._parse_default(given.get(Action.READ, Default.EVERYTHING))[0], Default(ingest)
        if not isinstance(value, str) or value not in list(Default):
            raise self._build_error(("default",), f"`default` is {', '.join(Default)}, not {value!r}")
        return Default(value), Default.EVERYTHING

    def _parse_rules(self, value: Json, name: str, subject: str) -> tuple[Rule, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > MOST:
            raise self._build_error((name,), f"`{name}` is a list of at most {MOST} entries")
        return tuple(self._parse_rule(entry, (name, number), subject) for number, entry in enumerate(value))

    def _parse_rule(self, value: Json, path: tuple[str | int, ...], subject: str) -> Rule:
        entry = self._parse_mapping(value, path, {"who", "on", "may"} if subject == "who" else {"except", "on"})
        if "on" not in entry or (subject == "who" and subject not in entry):
            raise self._build_error(path, f"an entry has {'`who` and `on`' if subject == 'who' else '`on`'}")
        selectors = [self._parse_selector(text, path) for text in self._parse_texts(entry["on"], (*path, "on"))]
        principals = self._parse_texts(entry.get(subject, []), (*path, subject))
        for principal in principals:
            kind, _, name = principal.partition(":")
            if principal != EVERYONE and (kind not in _NAMED or not name):
                raise self._build_error((*path, subject), f"`{subject}` names {_PRINCIPALS}, not {principal!r}")
        if not selectors or (subject == "who" and not principals):
            raise self._build_error(path, f"`{'on' if not selectors else subject}` is empty")
        actions = self._parse_actions(entry.get("may", Action.READ), path)
        kinds = {selector.kind for selector in selectors}
        if Action.INGEST in actions and not kinds <= {SelectorKind.EVERYTHING, SelectorKind.NAMESPACE}:
            raise self._build_error((*path, "on"), "`ingest` is granted on everything or namespace:PATTERN")
        return Rule(frozenset(principals), tuple(selectors), self._document.format_place(path), actions)

    def _parse_actions(self, value: Json, path: tuple[str | int, ...]) -> frozenset[Action]:
        texts = self._parse_texts(value, (*path, "may"))
        for text in texts:
            if text not in list(Action):
                raise self._build_error((*path, "may"), f"`may` is {' or '.join(Action)}, or both, not {text!r}")
        if not texts:
            raise self._build_error(path, "`may` is empty")
        return frozenset(map(Action, texts))

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
