"""What the caller of a request may do: its role, its scopes, and whether it may see everything."""

from __future__ import annotations

from collections.abc import Collection

from starlette.requests import Request

from meshline.api.errors import Forbidden
from meshline.app.access_rules import AccessRules, Action, may_state_everywhere
from meshline.app.tokens import AccessScope, Actor, Role
from meshline.errors import NotPermitted


def get_actor(request: Request) -> Actor | None:
    """The caller; None = unknown, which only health checks accept."""
    actor: Actor | None = request.state.actor
    return actor


def check_role(actor: Actor, needed: Role) -> None:
    """Raises Forbidden unless the actor has at least this role."""
    if not actor.role.includes(needed):
        raise Forbidden(f"this needs a token with the role {needed}, and {actor.name!r} has the role {actor.role}", needed)


def check_grants(actor: Actor) -> None:
    """Raises Forbidden for a caller that is known and has no rights at all."""
    if actor.scopes == frozenset():
        raise Forbidden(f"no entry of `grants` in the settings of this server is for {actor.name!r} or a group of it", Role.READER)


def check_access(actor: Actor, accepted: Collection[AccessScope]) -> None:
    """Raises Forbidden unless the actor has one of these scopes, or no scopes of its own."""
    if actor.scopes is not None and accepted and not actor.scopes.intersection(accepted):
        needed = " or ".join(sorted(accepted))
        raise Forbidden(f"this needs a token with the scope {needed}, and {actor.name!r} has {', '.join(sorted(actor.scopes))}", needed)


def check_all_scopes(actor: Actor) -> None:
    """Raises Forbidden for a token that is limited to some scopes: none of them permits what administers the server."""
    if actor.scopes is not None and actor.scopes != frozenset(AccessScope):
        raise Forbidden(f"this needs a token with all scopes, and {actor.name!r} has {', '.join(sorted(actor.scopes))}", Role.ADMIN)


def check_whole(rules: AccessRules | None, actor: Actor, role: Role) -> None:
    """Raises NotPermitted unless a caller may see every asset, and, of what needs the role writer, write about everything."""
    if rules is None:
        return
    if not rules.may_everywhere(actor, Action.READ_SQL):
        raise NotPermitted("this address answers only callers who may see every asset (access rules): ask /graphql")
    if role is not Role.WRITER:
        return
    if rules.find_ingest(actor) is not None:
        raise NotPermitted("this address accepts only callers who may send events about everything (access rules): use /api/v1/lineage")
    if not may_state_everywhere(rules, actor):
        raise NotPermitted("this address accepts only callers who may make statements about everything (access rules): use /graphql")
