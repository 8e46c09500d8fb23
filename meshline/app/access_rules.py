"""Access rules: who may do what with which assets. Without them, every role may do all that it permits.

`meshline.app.access_file` reads them from a file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from meshline.app.cedar_policies import Caller, CedarPolicies, Rulings
from meshline.app.ingest_rights import IngestRights
from meshline.app.tokens import AccessScope, Actor, Role
from meshline.errors import NotPermitted
from meshline.graph.queries.selection import Selector, SelectorKind
from meshline.graph.queries.visibility import EVERYTHING, Levels, Rights, Ruling, intersect_rights

EVERYONE = "everyone"


class Default(StrEnum):
    """With which assets a principal may do something without a grant."""

    EVERYTHING = "everything"
    OWN = "own"
    NOTHING = "nothing"


class Action(StrEnum):
    """What a grant permits: a closed list. Only of the first three each includes those before it."""

    BROWSE = "browse"  # see that an asset exists, its names, its texts, tags and owners, and what it belongs to
    READ = "read"  # see all the rest: schema, lineage, facts, quality, runs, contracts
    READ_SQL = "read_sql"  # see its SQL, too
    INGEST = "ingest"  # send events about the jobs and outputs of namespaces; also needs the role writer
    STATE = "state"  # make statements by hand about it: owners, tags, descriptions, identity; also needs the role writer
    WAIVE = "waive"  # send waivers with a check
    DECIDE = "decide"  # decide who else is granted access to it
    AUDIT = "audit"  # read the audit log and the metrics


SEEING = (Action.BROWSE, Action.READ, Action.READ_SQL)
GRANTED_WITHOUT_MAY = frozenset(SEEING)
PLAIN = frozenset({Action.INGEST, Action.WAIVE, Action.AUDIT})  # of no asset

PRESETS: Mapping[str, Mapping[Action, Default]] = MappingProxyType(
    {
        "open": {},
        "domains": {
            Action.BROWSE: Default.EVERYTHING,
            **dict.fromkeys((Action.READ, Action.READ_SQL, Action.STATE, Action.DECIDE), Default.OWN),
            **dict.fromkeys((Action.WAIVE, Action.AUDIT), Default.NOTHING),
        },
        "closed": dict.fromkeys(Action, Default.NOTHING),
    }
)


def list_included(action: Action) -> Sequence[Action]:
    """An action with those that it includes."""
    return SEEING[: SEEING.index(action) + 1] if action in SEEING else (action,)


class Rule(NamedTuple):
    """A grant: these principals may do this with what the selectors choose. A restriction: only these may.

    `place`: file and line. `lifts`: restrictions that do not count for what this grant is about.
    """

    principals: frozenset[str]
    selectors: tuple[Selector, ...]
    place: str
    actions: frozenset[Action] = GRANTED_WITHOUT_MAY
    lifts: frozenset[Selector] = frozenset()


class AccessRules(NamedTuple):
    """What everyone may do, what is granted besides, and what is restricted in spite of both.

    `defaults`: what is left out is explained at `_find_default`; about making statements, waiving and auditing the role alone decides then.
    `policies`: what is granted and restricted besides. `digest`: of the files that they are from.
    """

    defaults: Mapping[Action, Default]
    grants: tuple[Rule, ...]
    restrictions: tuple[Rule, ...]
    digest: str = ""
    policies: CedarPolicies | None = None

    def find_rights(self, actor: Actor, action: Action = Action.READ) -> Rights | None:
        """With which assets a caller may do something; None: with all. The role admin, which administers the mesh, may do everything."""
        if actor.parties:
            return intersect_rights([self.find_rights(party, action) for party in actor.parties])
        if actor.role.includes(Role.ADMIN):
            return None
        principals = list_principals(actor)
        granting = SEEING[SEEING.index(action) :] if action in SEEING else (action,)  # what includes the action
        needed = {*list_included(action), Action.BROWSE}
        granted = {selector for one in granting for selector in self._list_granted(principals, one)}
        defaults = {self._find_default(one) for one in granting}
        if Default.EVERYTHING in defaults:
            granted.add(Selector(SelectorKind.EVERYTHING))
        restricted = {selector for rule in self.list_restrictions(actor, needed) for selector in rule.selectors}
        ruled = self._find_rulings(actor, granting, needed)
        if any(all(ruling.chosen) for ruling in ruled.permits):
            granted.add(Selector(SelectorKind.EVERYTHING))
        if Selector(SelectorKind.EVERYTHING) in granted and not restricted and not ruled.forbids:
            return None
        owners = frozenset() if defaults <= {Default.NOTHING} else frozenset((name_principal(actor)[1], *actor.groups))
        lifting = (rule for rule in self.grants if rule.lifts and rule.actions.intersection(granting) and principals & rule.principals)
        lifted = {(restriction, selector) for rule in lifting for restriction in rule.lifts for selector in rule.selectors}
        return Rights(frozenset(granted), frozenset(restricted), owners, frozenset(lifted), permits=ruled.permits, forbids=ruled.forbids)

    def list_restrictions(self, actor: Actor, needed: Collection[Action]) -> list[Rule]:
        """The restrictions that take one of some actions from a caller."""
        principals = list_principals(actor)
        return [rule for rule in self.restrictions if rule.actions.intersection(needed) and not principals & rule.principals]

    def find_forbids(self, actor: Actor, action: Action) -> Iterator[tuple[str, Ruling]]:
        """The policies that forbid a caller an action, by name, file and line, each with what it forbids."""
        if self.policies is not None:
            yield from self.policies.find_forbids(_build_caller(actor), {*list_included(action), Action.BROWSE})

    def list_restricting(self) -> Mapping[str, frozenset[Ruling]]:
        """What policies forbid any callers to see, by ID@file:line. Judged once: not under the graph's lock."""
        return {} if self.policies is None else self.policies.list_restricting(frozenset(SEEING))

    def _find_rulings(self, actor: Actor, granting: Sequence[Action], needed: Iterable[Action]) -> Rulings:
        """What policies permit and forbid a caller: of an action that is not about assets, only whether they forbid to see."""
        if self.policies is None:
            return Rulings()
        return self.policies.find_rulings(_build_caller(actor), tuple(granting), frozenset(needed))

    def find_levels(self, actor: Actor) -> Levels | None:
        """What a caller may see; None: everything."""
        found = [self.find_rights(actor, action) for action in SEEING]
        return None if found == [None] * len(SEEING) else Levels(*(EVERYTHING if rights is None else rights for rights in found))

    def is_limited(self, action: Action) -> bool:
        """Whether the rules state who may do something without a grant: else the role alone decides about that."""
        return action in self.defaults

    def is_restricted(self, actor: Actor, action: Action) -> bool:
        """Whether a restriction or a policy takes an action with some assets from a caller, whatever he is granted."""
        rights = self.find_rights(actor, action)
        return rights is not None and any(one.restricted or one.forbids for one in (rights, *rights.also))

    def may_everywhere(self, actor: Actor, action: Action) -> bool:
        """Whether a caller may do something with all assets, whatever his role permits."""
        return self.find_rights(actor, action) is None

    def may_somewhere(self, actor: Actor, action: Action) -> bool:
        """Whether a caller may do something with any assets, as far as the rules know without a graph."""
        rights = self.find_rights(actor, action)
        return rights is None or all(one.granted or one.owners or one.permits for one in (rights, *rights.also))

    def find_ingest(self, actor: Actor) -> IngestRights | None:
        """What a caller with the role writer may send events about; None: everything."""
        if actor.parties:
            found = [rights for party in actor.parties if (rights := self.find_ingest(party)) is not None]
            return found[0]._replace(also=tuple(found[1:])) if found else None
        if actor.role.includes(Role.ADMIN) or self._find_default(Action.INGEST) is Default.EVERYTHING:
            return None
        granted = self._list_granted(list_principals(actor), Action.INGEST)
        if any(selector.kind is SelectorKind.EVERYTHING for selector in granted):
            return None
        return IngestRights(actor.name, frozenset(selector.name for selector in granted))

    def iterate_selectors(self) -> Iterator[tuple[Selector, str]]:
        """All selectors that choose assets, each with the file and line of its rule."""
        rules = (rule for rule in (*self.grants, *self.restrictions) if rule.actions - PLAIN)
        yield from ((selector, rule.place) for rule in rules for selector in rule.selectors)
        if self.policies is not None:
            yield from self.policies.iterate_selectors()

    def _find_default(self, action: Action) -> Default:
        """Of what is left out: all may be seen, SQL with the rest; events may be about everything; owners decide about what they own."""
        if action in SEEING:
            return self.defaults.get(action, self.defaults.get(Action.READ, Default.EVERYTHING))
        usual = {Action.INGEST: Default.EVERYTHING, Action.DECIDE: Default.OWN}
        return self.defaults.get(action, usual.get(action, Default.NOTHING))

    def _list_granted(self, principals: set[str], action: Action) -> set[Selector]:
        rules = (rule for rule in self.grants if action in rule.actions and principals & rule.principals)
        return {selector for rule in rules for selector in rule.selectors}


def check_audit(rules: AccessRules | None, actor: Actor, named: str) -> None:
    """Raises NotPermitted unless a caller may read the audit log and the metrics: where the rules do not limit that, who sees everything.

    `named`: what he asks for, with its verb.
    """
    if rules is None or rules.may_everywhere(actor, Action.AUDIT):
        return
    if rules.is_limited(Action.AUDIT) or not rules.may_everywhere(actor, Action.READ_SQL):
        raise NotPermitted(f"{named} only callers who may `audit`, or who may see every asset where that is not limited (access rules)")


def check_state_everywhere(rules: AccessRules | None, actor: Actor, named: str) -> None:
    """Raises NotPermitted unless a caller may see every asset and make statements about everything.

    `named`: what the caller asks for, with its verb.
    """
    if rules is not None and not (rules.may_everywhere(actor, Action.READ_SQL) and may_state_everywhere(rules, actor)):
        raise NotPermitted(f"{named} callers who may see every asset and make statements about everything (access rules)")


def may_state_everywhere(rules: AccessRules, actor: Actor) -> bool:
    """Whether a caller whose role permits statements may make them about everything: all may where the rules do not limit that."""
    limited = rules.is_limited(Action.STATE) or rules.is_restricted(actor, Action.STATE)
    return not limited or rules.may_everywhere(actor, Action.STATE)


def may_state(rules: AccessRules | None, actor: Actor) -> bool:
    """Whether a caller may make statements by hand about any asset: the role admin may, and a writer by a grant of the rules."""
    if actor.may(AccessScope.STATE):
        return True
    scoped = actor.scopes is None or bool(actor.scopes & {AccessScope.STATE, AccessScope.INGEST})
    return rules is not None and actor.role is Role.WRITER and scoped and rules.may_somewhere(actor, Action.STATE)


def list_principals(actor: Actor) -> set[str]:
    """What rules may name to mean a caller."""
    return {EVERYONE, ":".join(name_principal(actor)), *(f"group:{group}" for group in actor.groups)}


def list_own_names(actor: Actor) -> frozenset[str]:
    """The names that owners and consumers in the mesh have who are the caller or his groups; of an agent for a person, those of both."""
    if actor.parties:
        return frozenset.intersection(*map(list_own_names, actor.parties))
    return frozenset((name_principal(actor)[1], *actor.groups))


def name_principal(actor: Actor) -> tuple[str, str]:
    """The kind of a caller (user and service: of an identity provider; else token), and its name alone."""
    kind, space, name = actor.name.partition(" ")
    return (kind, name) if space else ("token", kind)


def _build_caller(actor: Actor) -> Caller:
    kind, name = name_principal(actor)
    return Caller(kind, name, frozenset(actor.groups))
