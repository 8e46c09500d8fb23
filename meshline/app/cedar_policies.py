"""Access rules in Cedar (https://docs.cedarpolicy.com): files of policies, and what they decide for a caller.

A policy is judged by Cedar once for each caller and action, with an example for each set of its choices (`policy_choices`), and what it
decides is kept as a ruling. Rulings do not depend on the graph, so neither what is decided nor how long it takes depends on hidden assets.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from meshline.app.policy_choices import CALLER, Choice, Example, list_choices, list_examples
from meshline.errors import InvalidInput, require_extra
from meshline.graph.queries.selection import Selector, SelectorKind
from meshline.graph.queries.visibility import Ruling

if TYPE_CHECKING:
    from cedarpy import Entities, PolicySet, Schema

MOST_BYTES = 1024 * 1024  # of all files
MOST_POLICIES = 1_000
MOST_EXAMPLES = 16_000  # of all policies: as many decisions for each caller and action, some tenths of a second
LONGEST_POLICY = 8_000  # characters
DEEPEST = 64  # parentheses in each other: Cedar's parser crashes at some thousands
MOST_NAMED = 20  # callers and groups of a policy that are examples of those that it may forbid something
MOST_CALLERS = 1_000  # whose rulings are kept, times the actions
ACTIONS = ("browse", "read", "read_sql", "state", "decide")
SCHEMA = f"""\
entity Group, Owner, Namespace;
entity User, Service, Token in [Group, Owner];
entity Domain in [Domain] {{tags: Set<String>, owners: Set<Owner>}};
entity Product in [Domain] {{tags: Set<String>, owners: Set<Owner>}};
entity Dataset in [Domain, Product, Namespace] {{tags: Set<String>, owners: Set<Owner>}};
action {", ".join(ACTIONS)} appliesTo {{principal: [User, Service, Token], resource: [Dataset, Product, Domain]}};
"""
_NAMED = (
    "entities are of User, Service, Token, Group, Owner, Domain, Product, Namespace and Dataset, assets have `tags` and `owners`,"
    f" actions are {', '.join(ACTIONS)}"
)
_CONSEQUENCE = "unable to find an applicable action"  # what Cedar adds to other mistakes
_SCOPE = ("principal", "action", "resource")
_PRINCIPALS = {"user": "User", "service": "Service", "token": "Token"}
_TOKEN = re.compile(r'//[^\n\r]*|"(?:\\.|[^"\\])*"|\S', re.DOTALL)

log = logging.getLogger("meshline.access")


class Caller(NamedTuple):
    """Who asks: his kind (user, service, token) and name, and his groups."""

    kind: str
    name: str
    groups: frozenset[str]


class Rulings(NamedTuple):
    """What policies permit and forbid a caller. What they forbid no policy and no grant permits."""

    permits: frozenset[Ruling] = frozenset()
    forbids: frozenset[Ruling] = frozenset()


class _Batch(NamedTuple):
    """Examples with different ids, as Cedar's entities."""

    examples: list[Example]
    entities: Entities


class _Policy(NamedTuple):
    """A policy, with its examples in batches. `place`: file and line. `name`: ID@file:line, the id of its annotation; file:line without.
    `actions`: that it may be about. `callers`: examples of those that it treats differently.
    """

    place: str
    name: str
    forbids: bool
    actions: frozenset[str]
    callers: tuple[Caller, ...]
    choices: tuple[Choice, ...]
    policies: PolicySet
    batches: list[_Batch]


class CedarPolicies:
    """The policies of some files. Thread-safe. `digest`: of the files."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """`texts`: by the name of the file. Raises InvalidInput with `file:line`, and MissingExtra."""
        with require_extra("access", "a file of access rules with `rules`"):
            import cedarpy  # noqa: PLC0415 - an extra
        self._cedar = cedarpy
        self.digest = hashlib.sha256(json.dumps(texts).encode()).hexdigest()
        if sum(len(text.encode()) for text in texts.values()) > MOST_BYTES:
            raise InvalidInput(f"the files of policies have at most {MOST_BYTES} bytes together", next(iter(texts)))
        schema = cedarpy.Schema.from_str(SCHEMA)
        self._policies = [policy for file, text in texts.items() for policy in self._read_policies(file, text, schema)]
        if len(self._policies) > MOST_POLICIES:
            raise InvalidInput(
                f"there are at most {MOST_POLICIES} policies, not {len(self._policies)}: grants are entries of `grants`",
                self._policies[MOST_POLICIES].place,
            )
        if sum(len(batch.examples) for policy in self._policies for batch in policy.batches) > MOST_EXAMPLES:
            raise InvalidInput(
                f"the policies ask so much of assets that more than {MOST_EXAMPLES} cases are to be decided", next(iter(texts))
            )
        self._reported: set[str] = set()
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Caller, str], Rulings] = OrderedDict()
        self._restricting: dict[frozenset[str], Mapping[str, frozenset[Ruling]]] = {}
        self._joined: OrderedDict[tuple[Caller, Sequence[str], frozenset[str]], Rulings] = OrderedDict()

    def iterate_selectors(self) -> Iterator[tuple[Selector, str]]:
        """The selectors of all policies, each with the file and line of its policy."""
        for policy in self._policies:
            for selector in frozenset[Selector]().union(*policy.choices):
                if selector != CALLER and selector.kind is not SelectorKind.KIND:
                    yield selector, policy.place

    def find_rulings(self, caller: Caller, permitting: Sequence[str], forbidding: frozenset[str]) -> Rulings:
        """What one of some actions is permitted for, and one of others forbidden. What is not known yet is judged: some tens of
        microseconds for each example of a policy.
        """
        return self._keep(self._joined, (caller, permitting, forbidding), lambda: self._join(caller, permitting, forbidding))

    def find_forbids(self, caller: Caller, forbidding: Collection[str]) -> Iterator[tuple[str, Ruling]]:
        """The policies that forbid a caller one of some actions, as ID@file:line, each with what it forbids. They are judged each time."""
        for policy in self._policies:
            yield from ((policy.name, ruling) for ruling in self._judge_forbidding(policy, caller, forbidding))

    def list_restricting(self, forbidding: frozenset[str]) -> Mapping[str, frozenset[Ruling]]:
        """What policies forbid to any callers of some actions: by the name of the policy. Judged for examples of callers, once."""
        with self._lock:
            known = self._restricting.get(forbidding)
        if known is None:
            known = {
                policy.name: frozenset(ruling for caller in policy.callers for ruling in self._judge_forbidding(policy, caller, forbidding))
                for policy in self._policies
                if policy.forbids
            }
            with self._lock:
                self._restricting[forbidding] = known
        return known

    def _judge_forbidding(self, policy: _Policy, caller: Caller, forbidding: Collection[str]) -> Iterator[Ruling]:
        """What a policy forbids a caller, by action."""
        principal, entity = _build_principal(caller)
        for action in sorted(policy.actions.intersection(forbidding)) if policy.forbids else ():
            if any(chosen := self._judge(policy, principal, entity, action)):
                yield Ruling(tuple(_name_caller(choice, caller) for choice in policy.choices), bytes(chosen))

    def _join(self, caller: Caller, permitting: Sequence[str], forbidding: frozenset[str]) -> Rulings:
        permits = (self._find(caller, action).permits for action in permitting)
        forbids = (self._find(caller, action).forbids for action in sorted(forbidding.intersection(ACTIONS)))
        return Rulings(frozenset().union(*permits), frozenset().union(*forbids))

    def _find(self, caller: Caller, action: str) -> Rulings:
        return self._keep(self._known, (caller, action), lambda: self._judge_all(caller, action))

    def _keep(self, known: OrderedDict[Any, Rulings], key: Any, judge: Callable[[], Rulings]) -> Rulings:
        with self._lock:
            if key in known:
                known.move_to_end(key)
                return known[key]
        found = judge()
        with self._lock:
            known[key] = found
            while len(known) > MOST_CALLERS * len(ACTIONS):
                known.popitem(last=False)
        return found

    def _judge_all(self, caller: Caller, action: str) -> Rulings:
        principal, entity = _build_principal(caller)
        found: tuple[set[Ruling], set[Ruling]] = (set(), set())
        for policy in self._policies:
            if action in policy.actions:
                chosen = self._judge(policy, principal, entity, action)
                if any(chosen):
                    choices = tuple(_name_caller(choice, caller) for choice in policy.choices)
                    found[policy.forbids].add(Ruling(choices, bytes(chosen)))
        return Rulings(*map(frozenset, found))

    def _judge(self, policy: _Policy, principal: Mapping[str, str], entity: str, action: str) -> list[bool]:
        """Whether a policy applies to what is in each set of its choices."""
        chosen: list[bool | None] = [None] * (1 << len(policy.choices))
        for batch in policy.batches:
            requests: list[dict[Any, Any]] = [
                {"principal": principal, "action": {"type": "Action", "id": action}, "resource": {"type": one.type, "id": one.id}}
                for one in batch.examples
            ]
            entities = batch.entities.with_added_json_str(entity)
            for example, result in zip(batch.examples, self._cedar.is_authorized_batch(requests, policy.policies, entities), strict=True):
                chosen[example.number] = result.allowed != policy.forbids
                if errors := result.diagnostics.errors:
                    self._report(policy, errors[0])
                    chosen[example.number] = policy.forbids
        unlike = policy.forbids and any(chosen)  # for what is no example, as no asset is like that
        return [unlike if one is None else one for one in chosen]

    def _report(self, policy: _Policy, error: str) -> None:
        """Log what the validation does not find: numbers that are too large."""
        if policy.place not in self._reported:
            self._reported.add(policy.place)
            effect = "it forbids then" if policy.forbids else "it permits nothing then"
            log.error("%s: the policy cannot be evaluated for some callers or assets, and %s: %s", policy.place, effect, error)

    def _read_policies(self, file: str, text: str, schema: Schema) -> Iterator[_Policy]:
        for line, part in _split_text(file, text):
            place = f"{file}:{line}"
            try:
                parsed = json.loads(self._cedar.policies_to_json_str(part))
                errors = self._cedar.validate_policies(part, schema).errors
            except ValueError as error:
                raise InvalidInput(f"this is no policy in Cedar: {error}", place) from error
            except RecursionError as error:
                raise InvalidInput("the policy has too many parts: divide it", place) from error
            if parsed["templates"]:
                raise InvalidInput("a policy has no slots (`?principal`, `?resource`): name who and what", place)
            if errors:
                found = (error.error.removeprefix(f"for policy `{error.policy_id}`, ") for error in errors)
                message = min(found, key=lambda text: (text.startswith(_CONSEQUENCE), text))
                raise InvalidInput(f"{message} ({_NAMED})", place)
            (policy,) = parsed["staticPolicies"].values()
            yield self._build_policy(policy, place)

    def _build_policy(self, parsed: Mapping[str, Any], place: str) -> _Policy:
        choices = list_choices(parsed, place)
        policies = {"p": parsed}
        if forbids := parsed["effect"] == "forbid":  # what is not forbidden is permitted here: a decision of two values has both
            policies["q"] = {"effect": "permit", **{one: {"op": "All"} for one in _SCOPE}, "conditions": []}
        built = {"staticPolicies": policies, "templates": {}, "templateLinks": []}
        batches: list[dict[str, Example]] = []
        for example in list_examples(choices):
            fitting = next((batch for batch in batches if example.id not in batch), None)
            if fitting is None:
                batches.append(fitting := {})
            fitting[example.id] = example
        file, _, line = place.rpartition(":")
        return _Policy(
            place,
            f"{parsed.get('annotations', {}).get('id') or ''}@{Path(file).name}:{line}".removeprefix("@"),
            forbids,
            _list_actions(parsed["action"]),
            tuple(_list_callers(parsed)),
            choices,
            self._cedar.PolicySet.from_json_str(json.dumps(built)),
            [_Batch(list(batch.values()), self._read_entities(batch.values())) for batch in batches],
        )

    def _read_entities(self, examples: Collection[Example]) -> Entities:
        return self._cedar.Entities.from_json_str(json.dumps([example.entity for example in examples]))


def read_policies(files: Sequence[Path]) -> CedarPolicies:
    """The policies of files. Raises InvalidInput with `file:line` and what is accepted there, and MissingExtra."""
    texts = {}
    for file in files:
        try:
            texts[str(file)] = file.read_bytes().decode()
        except OSError as error:
            raise InvalidInput(f"cannot be read ({error.strerror or error}): it is a file of access rules", str(file)) from error
        except UnicodeDecodeError as error:
            raise InvalidInput("the file is not UTF-8", str(file)) from error
    return CedarPolicies(texts)


def _split_text(file: str, text: str) -> Iterator[tuple[int, str]]:
    """The policies of a file, each with its first line. Raises InvalidInput for one that is too long or too deep for Cedar's parser."""
    begun, depth, line = -1, 0, 0
    for token in _TOKEN.finditer(text):
        first = token[0][0]
        if token[0].startswith("//"):
            continue
        if begun < 0:
            begun = token.start()
            line = text.count("\n", 0, begun) + 1
        depth = max(0, depth + (first in "({[") - (first in ")}]"))
        if depth > DEEPEST or token.end() - begun > LONGEST_POLICY:
            raise InvalidInput(
                f"a policy has at most {LONGEST_POLICY} characters, and {DEEPEST} parentheses in each other", f"{file}:{line}"
            )
        if first == ";":
            yield line, text[begun : token.end()]
            begun, depth = -1, 0
    if begun >= 0:
        raise InvalidInput("a policy ends with `;`", f"{file}:{line}")


def _list_actions(scope: Mapping[str, Any]) -> frozenset[str]:
    """The actions that a policy is about, by its scope."""
    if scope["op"] == "All":
        return frozenset(ACTIONS)
    return frozenset(entity["id"] for entity in (scope["entities"] if "entities" in scope else [scope["entity"]]))


def _list_callers(policy: Mapping[str, Any]) -> Iterator[Caller]:
    """Examples of callers that a policy may treat differently: those of each kind in no group, those that it names, and those of a group,
    or of all groups, that it names.
    """
    yield from (Caller(kind, "", frozenset()) for kind in _PRINCIPALS)
    named = sorted(set(_iterate_entities(policy)))[:MOST_NAMED]
    groups = [name for kind, name in named if kind == "Group"]
    yield from (Caller(kind, name, frozenset()) for kind, of in _PRINCIPALS.items() for one, name in named if one == of)
    yield from (Caller("user", "", frozenset({group})) for group in groups)
    if len(groups) > 1:
        yield Caller("user", "", frozenset(groups))


def _iterate_entities(part: object) -> Iterator[tuple[str, str]]:
    """The entities (type and id) that a policy in Cedar's JSON form names anywhere."""
    if isinstance(part, Mapping):
        if part.keys() == {"type", "id"}:
            yield str(part["type"]), str(part["id"])
        for inner in part.values():
            yield from _iterate_entities(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _iterate_entities(inner)


def _build_principal(caller: Caller) -> tuple[Mapping[str, str], str]:
    """(the entity that a caller is, the same with his groups as JSON). What cannot be written in a policy is named by none: left out."""
    uid = {"type": _PRINCIPALS[caller.kind], "id": caller.name if _is_text(caller.name) else ""}
    groups = [{"type": "Group", "id": group} for group in sorted(caller.groups) if group and _is_text(group)]
    return uid, json.dumps([{"uid": uid, "attrs": {}, "parents": [*groups, {"type": "Owner", "id": CALLER.name}]}])


def _is_text(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _name_caller(choice: Choice, caller: Caller) -> Choice:
    """A choice, with the names that a caller has as an owner in the place of `CALLER`."""
    if CALLER not in choice:
        return choice
    return choice - {CALLER} | {Selector(SelectorKind.OWNER, name) for name in (caller.name, *caller.groups) if name}
