"""Policies and their violations, and the audit log for callers with the role writer."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from functools import partial

import strawberry
from strawberry.scalars import JSON

from meshline.api.graphql.asset import Connection, parse_cursor
from meshline.api.graphql.blast_radius import BrokenPolicy, ReportAssets
from meshline.api.graphql.context import RequestContext
from meshline.api.graphql.field_types import AuditAction, Severity, describe_field
from meshline.api.permissions import check_access, check_role
from meshline.app.tokens import AccessScope, Role
from meshline.errors import InvalidInput
from meshline.governance import audit
from meshline.governance.policies import policy as policies_
from meshline.governance.policies.monitor import Breach, Place, compute_fingerprint, list_ends, rank_violation
from meshline.governance.policies.restricted_violations import hide_parts
from meshline.governance.policies.subject import NO_NODE
from meshline.graph.model import from_micros, to_micros
from meshline.graph.queries.pages import SortKey
from meshline.words import suggest_closest


@strawberry.type(description="A rule that the graph must follow; see docs/policies.")
class Policy:
    request: strawberry.Private[RequestContext]
    policy: strawberry.Private[policies_.Policy]
    id: strawberry.ID = strawberry.field(description="Its name.")
    title: str
    kind: str = strawberry.field(description="The subject that it is about: product, contract, consumption, exposure, ...")
    severity: Severity
    parameters: JSON
    documentation: str | None
    off: str | None = strawberry.field(description="Why it is disabled; null: it is enabled.")
    own: bool = strawberry.field(description="Whether a file of this installation defines or changes it.")

    @describe_field("The number of its current violations, of those that the caller may see.")
    def violations(self) -> int:
        return sum(place.policy == self.policy.id for place, _ in _list_shown(self.request))

    @classmethod
    def from_policy(cls, request: RequestContext, policy: policies_.Policy) -> Policy:
        request.spend()
        return cls(
            request=request,
            policy=policy,
            id=strawberry.ID(policy.id),
            title=policy.title,
            kind=policy.kind,
            severity=policy.severity,
            parameters=JSON(dict(policy.parameters)),
            documentation=policy.documentation or None,
            off=policy.off or None,
            own=policy.own,
        )


def list_policies(request: RequestContext) -> list[Policy]:
    """All policies, by id."""
    return [Policy.from_policy(request, policy) for policy in request.governing.policies]


def list_violations(
    request: RequestContext, policy: str | None, severity: Severity | None, first: int | None, after: str | None
) -> Connection[BrokenPolicy]:
    """A page of the violations of which the caller may read both ends: the worst first, then by policy and names. Raises InvalidInput for
    an unknown policy.
    """
    known = {one.id: one for one in request.governing.policies}
    if policy is not None and policy not in known:
        raise InvalidInput(f"there is no policy {policy!r}{suggest_closest(policy, known)}; accepted: {', '.join(known)}", "policy")
    view, size = request.now, request.check_page_size(first)
    watch = request.governing.watch
    found = [one for one in _list_shown(request) if policy in (None, one[0].policy) and severity in (None, one[1].severity)]
    start = parse_cursor(after, 1)
    begin = 0 if start is None else bisect_right(found, start, key=lambda one: _build_sort_key(request, one))
    page = found[begin : begin + size]
    shown = ReportAssets(view)
    violations = watch.build_violations(page)
    if view.index.is_restricted:
        violations = [
            hide_parts(view.index, one, known[place.policy].title, list_ends(view.index, place))
            for one, (place, _) in zip(violations, page, strict=True)
        ]
    return Connection(
        nodes=[BrokenPolicy.from_violation(shown, one) for one in violations],
        keys=[(_build_sort_key(request, one), compute_fingerprint(view.index, one[0])) for one in page],
        has_next=len(found) > begin + size,
        has_previous=after is not None,
        count=lambda: len(found),
    )


def _list_shown(request: RequestContext) -> list[tuple[Place, Breach]]:
    """The current violations of which the caller may read both ends."""
    index, found = request.now.index, request.governing.watch.list_violations()
    if not index.is_restricted:
        return found
    return [one for one in found if index.may_read(one[0].asset) and (one[0].end == NO_NODE or index.may_read(one[0].end))]


def _build_sort_key(request: RequestContext, one: tuple[Place, Breach]) -> SortKey:
    return SortKey(*rank_violation(request.now.index, *one))


@strawberry.type(description="One entry of the audit log. Entries are never changed nor deleted.")
class AuditEntry:
    id: strawberry.ID
    at: datetime
    action: AuditAction
    actor: str | None = strawberry.field(description="The name of the token; on a server without tokens, the name that the caller gave.")
    subject: str = strawberry.field(description="The subject, as text.")
    details: JSON = strawberry.field(description="The details, which depend on the action; see docs/audit.md.")


def list_audit_entries(
    request: RequestContext, action: AuditAction | None, since: datetime | None, actor: str | None, first: int | None, after: str | None
) -> Connection[AuditEntry]:
    """A page of the audit log, the oldest first. Raises Forbidden below the role writer, and without the scope."""
    check_role(request.caller, Role.WRITER)
    check_access(request.caller, (AccessScope.AUDIT,))
    start = parse_cursor(after, 1)
    wanted = partial(audit.read_entries, request.live.store, action=action, since=None if since is None else to_micros(since), actor=actor)
    page = audit.take_page(
        request.live.store, wanted(after=0 if start is None else start.numbers[0]), request.check_page_size(first, default=100)
    )
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
        for position, at, entry, _ in page.entries
    ]
    return Connection(
        nodes=nodes, keys=keys, has_next=page.has_next, has_previous=after is not None, count=lambda: sum(1 for _ in wanted())
    )
