"""The file of access rules. Reviewed like the mesh file.

version: 1
default: domains                # what every caller may do besides: open, domains, closed, or by action
grants:
  - {who: group:sales-team, on: domain:sales}
  - {who: group:sales-leads, may: [state, decide], on: domain:sales}
  - {who: token:airflow, may: ingest, on: "namespace:airflow-prod*"}
  - {who: token:dashboard, on: [product:revenue, "tag:public"]}
restrict:                       # wins over every grant, and over ownership
  - {on: "tag:pii", may: read_sql, except: [group:stewards]}
rules: access/*.cedar           # policies in Cedar, for what the list cannot express; paths from the folder of this file
"""

from __future__ import annotations

import glob
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from meshline.app.access_rules import EVERYONE, GRANTED_WITHOUT_MAY, PLAIN, PRESETS, AccessRules, Action, Default, Rule
from meshline.app.cedar_policies import read_policies
from meshline.app.threads import run_in_thread
from meshline.app.tokens import LOOK_SECONDS, identify_file
from meshline.errors import InvalidInput, MeshlineError
from meshline.graph.model import Json
from meshline.graph.queries.selection import Selector, SelectorKind
from meshline.ingest.documents import Document, parse_yaml

VERSION = 1
MOST = 10_000  # grants and restrictions of a file
MOST_FILES = 100  # of policies
_SELECTORS = "everything, domain:NAME, product:NAME, tag:KEY, tag:KEY=VALUE, namespace:PATTERN or dataset:ID"
_LISTED = frozenset(SelectorKind) - {SelectorKind.OWNER, SelectorKind.KIND}
_PRINCIPALS = "everyone, group:NAME, user:NAME, service:NAME or token:NAME"
_NAMED = frozenset({"group", "user", "service", "token"})

log = logging.getLogger("meshline.access")


class _Patterns(NamedTuple):
    """Where the files of policies are: paths from `folder`, with wildcards. `place`: the file and line that name them."""

    folder: Path
    names: Sequence[str]
    place: str

    def list_files(self) -> list[Path]:
        """Those that are there."""
        return sorted({file for name in self.names for file in self._iterate_files(name)})

    def check(self) -> None:
        """Raises InvalidInput for what names no file: a misspelt one would forbid nothing."""
        for name in self.names:
            if not any(self._iterate_files(name)):
                raise InvalidInput(f"`rules` names {name!r}, and there is no such file", self.place)

    def _iterate_files(self, name: str) -> Iterator[Path]:
        return map(Path, glob.iglob(os.path.join(glob.escape(str(self.folder)), name)))  # noqa: PTH118, PTH207 - absolute ones, too


def read_access_rules(path: Path) -> AccessRules:
    """The rules of a file, with those of the files that it names. Raises InvalidInput with `file:line` and what is accepted there."""
    return _add_policies(*_read_list(path))


def _read_list(path: Path) -> tuple[AccessRules, _Patterns]:
    """(the rules of the list, where the policies are)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot be read ({error.strerror or error}): it is the file of access rules", str(path)) from error
    parser = _Parser(parse_yaml(data, str(path)))
    return parser.parse()._replace(digest=hashlib.sha256(data).hexdigest()), parser.parse_patterns(path.parent)


def _add_policies(rules: AccessRules, patterns: _Patterns) -> AccessRules:
    if not patterns.names:
        return rules
    patterns.check()
    files = patterns.list_files()
    if len(files) > MOST_FILES:
        raise InvalidInput(f"`rules` are at most {MOST_FILES} files, not {len(files)}", patterns.place)
    policies = read_policies(files)
    return rules._replace(digest=hashlib.sha256(f"{rules.digest} {policies.digest}".encode()).hexdigest(), policies=policies)


class AccessFile:
    """The rules in effect: those of the file, which is read again when it changes. One that cannot be used changes nothing, and is logged.

    `problem` is why those of the file are not in effect, empty if they are.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds, for the time between two looks at the file. Raises InvalidInput."""
        self._path = path
        self._clock = clock
        self._looked = clock()
        self._patterns = _Patterns(path.parent, (), str(path))
        self._seen: tuple[object, ...] = ()
        self._followers: list[Callable[[AccessRules], None]] = []
        self.rules = self._read()
        self.problem = ""

    def follow(self, follower: Callable[[AccessRules], None]) -> None:
        """Have a function called, in a thread, with all later rules, when they have come into effect."""
        self._followers.append(follower)

    async def look(self, wanted: str | None = None) -> None:
        """Read the file again if it has changed. It is looked at every LOOK_SECONDS; others are not kept waiting meanwhile.

        `wanted`: the digest of rules that are in effect in another process: it is looked at now, too, if those here are others.
        """
        if self._clock() - self._looked < LOOK_SECONDS and wanted in (None, self.rules.digest):
            return
        self._looked = self._clock()
        found = (identify_file(self._path), self._identify_policies())
        if found != self._seen:
            self._seen = found
            await run_in_thread(self._read_again)

    def _read(self) -> AccessRules:
        before = identify_file(self._path)
        rules, self._patterns = _read_list(self._path)
        self._seen = before, self._identify_policies()  # also if they cannot be used: they are read again when that is repaired
        return _add_policies(rules, self._patterns)

    def _identify_policies(self) -> list[tuple[Path, tuple[int, ...]]]:
        return [(file, identify_file(file)) for file in self._patterns.list_files()]

    def _read_again(self) -> None:
        try:
            rules = self._read()
        except InvalidInput as error:
            self.problem = str(error)
            log.error("the access rules were not read again, and those from before count: %s", error)  # noqa: TRY400 - it has it all
            return
        self.problem = ""
        if rules.digest == self.rules.digest:
            return
        self.rules = rules
        log.info("the access rules of %s were read again", self._path)
        for follower in self._followers:
            try:
                follower(rules)
            except MeshlineError as error:
                log.warning("the access rules are in effect, but: %s", error)


class _Parser:
    """Parses one document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def parse(self) -> AccessRules:
        top = self._parse_mapping(self._document.value, (), {"version", "default", "grants", "restrict", "rules"})
        if top.get("version") != VERSION:
            raise self._build_error(("version",), f"`version` is {VERSION}")
        defaults = self._parse_defaults(top.get("default", {}))
        grants = self._parse_rules(top.get("grants"), "grants", "who")
        return AccessRules(defaults, grants, self._parse_rules(top.get("restrict"), "restrict", "except"))

    def parse_patterns(self, folder: Path) -> _Patterns:
        """Where the policies are."""
        assert isinstance(self._document.value, dict), "it is parsed"
        patterns = self._parse_texts(self._document.value.get("rules") or [], ("rules",))
        for pattern in patterns:
            if not pattern.endswith(".cedar"):
                raise self._build_error(("rules",), f"`rules` are paths of files that end in .cedar, or patterns of these, not {pattern!r}")
        return _Patterns(folder, patterns, self._document.format_place(("rules",)))

    def _parse_defaults(self, value: Json) -> Mapping[Action, Default]:
        """What callers may do without a grant: by action, or all of it in one word."""
        if not isinstance(value, dict):
            if isinstance(value, str) and value in PRESETS:
                return PRESETS[value]
            if isinstance(value, str) and value in list(Default):
                return {Action.READ: Default(value)}
            accepted = ", ".join((*PRESETS, *Default))
            raise self._build_error(
                ("default",), f"`default` is {accepted}, or a mapping of actions to one of the last three, not {value!r}"
            )
        found: dict[Action, Default] = {}
        for name, given in self._parse_mapping(value, ("default",), set(Action)).items():
            values = [one for one in Default if name not in PLAIN or one is not Default.OWN]
            if not isinstance(given, str) or given not in values:
                raise self._build_error(("default", name), f"`{name}` is {', '.join(values)}, not {given!r}")
            found[Action(name)] = Default(given)
        if found.keys() & {Action.BROWSE, Action.READ_SQL} and Action.READ not in found:
            raise self._build_error(("default",), "give `read` with `browse` and `read_sql`: one includes the other")
        return found

    def _parse_rules(self, value: Json, name: str, subject: str) -> tuple[Rule, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > MOST:
            raise self._build_error((name,), f"`{name}` is a list of at most {MOST} entries")
        return tuple(self._parse_rule(entry, (name, number), subject) for number, entry in enumerate(value))

    def _parse_rule(self, value: Json, path: tuple[str | int, ...], subject: str) -> Rule:
        entry = self._parse_mapping(value, path, {subject, "on", "may"})
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
        actions = self._parse_actions(entry.get("may"), path, [one for one in Action if subject == "who" or one not in PLAIN])
        kinds = {selector.kind for selector in selectors}
        if Action.INGEST in actions and not kinds <= {SelectorKind.EVERYTHING, SelectorKind.NAMESPACE}:
            raise self._build_error((*path, "on"), "`ingest` is granted on everything or namespace:PATTERN")
        whole = sorted(actions & PLAIN - {Action.INGEST})
        if whole and kinds != {SelectorKind.EVERYTHING}:
            raise self._build_error((*path, "on"), f"`{whole[0]}` is granted on everything")
        return Rule(frozenset(principals), tuple(selectors), self._document.format_place(path), actions)

    def _parse_actions(self, value: Json, path: tuple[str | int, ...], accepted: Sequence[Action]) -> frozenset[Action]:
        """Without a value, to see: all of it for a grant, and any of it for a restriction."""
        if value is None:
            return GRANTED_WITHOUT_MAY
        texts = self._parse_texts(value, (*path, "may"))
        for text in texts:
            if text not in accepted:
                raise self._build_error((*path, "may"), f"`may` is {', '.join(accepted)}, or a list of these, not {text!r}")
        if not texts:
            raise self._build_error(path, "`may` is empty")
        return frozenset(map(Action, texts))

    def _parse_selector(self, text: str, path: tuple[str | int, ...]) -> Selector:
        kind, colon, name = text.partition(":")
        if kind in _LISTED and bool(name) == (kind != SelectorKind.EVERYTHING) and bool(colon) == bool(name):
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
