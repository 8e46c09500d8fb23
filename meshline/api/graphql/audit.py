"""The audit log, for those who may write."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import strawberry
from strawberry.scalars import JSON

from meshline.api.auth import check_role
from meshline.api.graphql.connections import Connection, key_after
from meshline.api.graphql.context import Request
from meshline.api.graphql.enums import AuditAction
from meshline.api.tokens import Actor, Role
from meshline.governance import audit
from meshline.graph.model import from_micros, to_micros
from meshline.graph.queries.pages import SortKey


@strawberry.type(description="One entry of the audit log. Entries are never changed nor deleted.")
class AuditEntry:
    id: strawberry.ID
    at: datetime
    action: AuditAction
    actor: str | None = strawberry.field(description="Whom the token names, or who was named where there are no tokens.")
    subject: str = strawberry.field(description="What it is about, in words.")
    details: JSON = strawberry.field(description="By the action; see docs/audit.md.")


def audited(
    request: Request, action: AuditAction | None, since: datetime | None, actor: str | None, first: int | None, after: str | None
) -> Connection[AuditEntry]:
    """A page of the log, oldest first. Raises Forbidden for readers."""
    check_role(Actor(request.actor, request.role), Role.WRITER)
    start = key_after(after, 1)
    wanted = partial(audit.entries, request.live.store, action=action, since=None if since is None else to_micros(since), actor=actor)
    page = audit.page(wanted(after=0 if start is None else start.numbers[0]), request.page(first, default=100))
    request.spend(len(page.entries))
    keys: list[tuple[SortKey, str]] = [(SortKey((one.position,), ()), "") for one in page.entries]
    nodes = [
        AuditEntry(
            id=strawberry.ID(f"aud_{position}"),
            at=from_micros(at),
            action=entry.action,
            actor=entry.actor or None,
            subject=entry.subject,
            details=JSON(entry.details),
        )
        for position, at, entry in page.entries
    ]
    return Connection(
        nodes=nodes, keys=keys, has_next=page.has_next, has_previous=after is not None, count=lambda: sum(1 for _ in wanted())
    )
