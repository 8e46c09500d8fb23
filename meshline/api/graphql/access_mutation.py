"""Mutations about requests for access: they need the scope `request`, and state nothing about the mesh."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.types import Info

from meshline.api.graphql import access_queue
from meshline.api.graphql.access_queue import AccessRequest
from meshline.api.graphql.context import RequestContext
from meshline.api.graphql.field_types import AccessKind, Decision, describe_field
from meshline.app.access_decisions import AskedFor
from meshline.graph.model import to_micros

Context = Info[RequestContext, None]
Action = Annotated[
    str,
    strawberry.argument(description="METADATA: browse, read or read_sql. DATA: a word of yours, or the name of a role of the contract."),
]
Principal = Annotated[
    str | None, strawberry.argument(name="for", description="service:NAME, token:NAME or group:NAME of yours; if not given, the caller.")
]


@strawberry.type
class AccessMutation:
    @describe_field(
        "Ask for access to a domain, a product or a dataset. If it is approved, meshline itself grants METADATA, and the executor DATA."
    )
    def request_access(
        self,
        info: Context,
        asset: strawberry.ID,
        purpose: str,
        kind: AccessKind = AccessKind.METADATA,
        action: Action = "read",
        until: Annotated[datetime | None, strawberry.argument(description="When it ends; if not given, in 30 days.")] = None,
        principal: Principal = None,
    ) -> AccessRequest:
        end = None if until is None else to_micros(until)
        return access_queue.ask(info.context, asset, AskedFor(kind, action, purpose, end, principal))

    @describe_field(
        "Approve or refuse a request for access of another, or revoke what was granted; with a reason, unless it is approved. What"
        " restrictions of the access rules apply to needs the approval of two."
    )
    def decide_access(
        self,
        info: Context,
        request: strawberry.ID,
        decision: Decision,
        reason: str | None = None,
        until: Annotated[datetime | None, strawberry.argument(description="An earlier end than the one asked for.")] = None,
    ) -> AccessRequest:
        return access_queue.decide(info.context, request, decision, reason, until)

    @describe_field("Withdraw a request for access of the caller, or give back what it granted.")
    def withdraw_access(self, info: Context, request: strawberry.ID) -> AccessRequest:
        return access_queue.withdraw(info.context, request)

    @describe_field(
        "The executor has granted access to data, or has ended it. For the caller that the setting `access_executor_caller` names."
    )
    def confirm_access(
        self,
        info: Context,
        request: strawberry.ID,
        reference: Annotated[str, strawberry.argument(description="That of the grant, by which it is found where it was made.")],
        ended: bool = False,
    ) -> AccessRequest:
        return access_queue.confirm(info.context, request, reference, ended=ended)
