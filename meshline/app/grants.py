"""The rights of callers that an identity provider names: a list in the settings. A caller that is not in it may do nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from meshline.app.tokens import ROLE_OF_SCOPE, AccessScope, Actor, Role, check_scopes


class Principal(NamedTuple):
    """The caller, as it is named elsewhere. `name`: without `service`, of a person; `agent`: the service that acts for that person.
    `shown`: a name for people, which gives no rights; empty if there is none.
    """

    name: str
    groups: frozenset[str] = frozenset()
    service: bool = False
    agent: str | None = None
    shown: str = ""

    @property
    def actor_name(self) -> str:
        """The name in statements and in the audit log. No static token can have it: their names have no spaces."""
        return f"{'service' if self.service else 'user'} {self.name}"


class Grant(BaseModel):
    """One entry of the settings: what a person, a group or a service may do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: str | None = Field(default=None, min_length=1)
    group: str | None = Field(default=None, min_length=1)
    service: str | None = Field(default=None, min_length=1)
    role: Role
    scopes: tuple[AccessScope, ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _check_whole(self) -> Grant:
        if sum(one is not None for one in (self.user, self.group, self.service)) != 1:
            raise ValueError("a grant names one of `user`, `group` and `service`")
        check_scopes(self.role, self.scopes or ())
        return self

    def fits(self, principal: Principal) -> bool:
        if self.group is not None:
            return self.group in principal.groups
        return principal.name == (self.service if principal.service else self.user)

    def list_scopes(self) -> Iterable[AccessScope]:
        return self.scopes or [scope for scope, role in ROLE_OF_SCOPE.items() if self.role.includes(role)]


def build_actor(principal: Principal, grants: Sequence[Grant]) -> Actor:
    """The caller with the sum of its grants: no scopes at all if there are none. An agent has what both it and its person have."""
    if principal.agent is not None:
        return _intersect_actors(
            build_actor(principal._replace(agent=None), grants), build_actor(Principal(principal.agent, service=True), grants)
        )
    found = [grant for grant in grants if grant.fits(principal)]
    scopes = frozenset(scope for grant in found for scope in grant.list_scopes())
    role = max((grant.role for grant in found), key=list(Role).index, default=Role.READER)
    return Actor(principal.actor_name, role, scopes, tuple(sorted(principal.groups)), shown=principal.shown)


def _intersect_actors(person: Actor, agent: Actor) -> Actor:
    role = min(person.role, agent.role, key=list(Role).index)
    scopes = frozenset(scope for scope in AccessScope if person.may(scope) and agent.may(scope))
    return Actor(f"{person.name} by {agent.name}", role, scopes, person.groups, (person, agent), person.shown)
