"""Requests for access: those of the caller, and those that he may decide."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Self

import strawberry

from meshline.api.graphql.asset import Asset, Connection, parse_cursor
from meshline.api.graphql.context import RequestContext
from meshline.api.graphql.field_types import AccessKind, Decision, RequestState, StepKind, describe_field
from meshline.app.access_decisions import AccessDesk, AskedFor
from meshline.app.access_notices import list_approvers
from meshline.app.access_requests import Request
from meshline.app.grant_effects import GrantEffect
from meshline.graph.model import from_micros, get_current_micros, to_micros
from meshline.graph.queries.pages import SortKey

_SHOWN = "The name of that caller for people, as the identity provider had it; null if it had none. It gives no rights."


@strawberry.type(description="A step of a request for access.")
class AccessStep:
    at: datetime
    kind: StepKind
    by: str = strawberry.field(description="The name of the caller who made it; `meshline` of what happens by time, and of what syncs see.")
    by_name: str | None = strawberry.field(description=_SHOWN)
    state: RequestState = strawberry.field(description="The state of the request after it.")
    reason: str | None


@strawberry.type(description="A request for access. Its asker sees it, and those who may decide about it.")
class AccessRequest:
    context: strawberry.Private[RequestContext]
    request: strawberry.Private[Request]
    id: strawberry.ID
    kind: AccessKind
    state: RequestState
    asset_name: str
    selector: str = strawberry.field(description="What is asked for, as access rules name it.")
    action: str
    purpose: str
    asker: str
    asker_name: str | None = strawberry.field(description=_SHOWN)
    principal: str = strawberry.field(description="Who is to get access, as access rules name it.")
    asked_at: datetime
    lapses: datetime = strawberry.field(description="When it lapses if it is not decided.")
    until: datetime = strawberry.field(description="When the access ends.")
    reference: str | None = strawberry.field(description="The executor's reference of its grant, of access to data.")
    steps: list[AccessStep]
    mine: bool = strawberry.field(description="Whether the caller asked, or it is for him.")

    @describe_field("The asset; null if it is not there any more, or the caller may not see it.")
    def asset(self) -> Asset | None:
        view = self.context.now
        node = view.index.assets.find(self.request.wish.asset)
        return None if node is None or not view.index.assets.is_visible(node) else view.get_asset(node, Asset)

    @describe_field(
        "Who decides, by name, as far as the caller may see them: those that the contracts of the asset name, else its owners, else those"
        " of what it is in, else `administrators`."
    )
    def approvers(self) -> list[str]:
        view = self.context.now
        node = view.index.assets.find(self.request.wish.asset)
        visible = node is not None and view.index.assets.is_visible(node)
        return list_approvers(self.context.live, view.index, node, self.request.wish) if visible and node is not None else []

    @describe_field(
        "The restrictions of the access rules because of which it needs two deciders, if the caller is one of them: those that apply to"
        " what he and the asker see of it; of a domain, a product or what he does not see, all that restrict the action. Null if the caller"
        " may not decide."
    )
    def restrictions(self) -> list[str] | None:
        return sorted(self._restrictions) if self._may_decide else None

    @describe_field(
        "What keeps some of it, of what the caller sees, from the principal, whatever is granted: policies of the access rules, and"
        " restrictions that are not lifted, as NAME@FILE:LINE. An approval that would grant nothing that the caller sees is refused. Null"
        " if the caller may not decide."
    )
    def forbidden_by(self) -> list[str] | None:
        return list(self._effect.forbidden_by) if self._may_decide else None

    @describe_field(
        "Whether it is granted, and yet the access rules keep all of it, of what the caller sees, from the principal. False where the"
        " groups of the principal are not all known."
    )
    def grants_nothing(self) -> bool:
        return self.state is RequestState.GRANTED and self._effect.nothing

    @cached_property
    def _may_decide(self) -> bool:
        return self.context.desk.may_decide(self.context.caller, self.request)

    @cached_property
    def _restrictions(self) -> Collection[str]:
        return self.context.desk.find_restrictions(self.context.caller, self.request.wish)

    @cached_property
    def _effect(self) -> GrantEffect:
        """What it grants of what the caller sees; of an open one what it would, if deciders lift what they may yet lift."""
        if self.state not in (RequestState.OPEN, RequestState.GRANTED):
            return GrantEffect()
        lifted = self._restrictions if self.state is RequestState.OPEN else ()
        return self.context.desk.judge_grant(self.context.caller, self.request, lifted)

    @classmethod
    def from_request(cls, context: RequestContext, request: Request) -> Self:
        context.spend()
        wish = request.wish
        return cls(
            context=context,
            request=request,
            id=strawberry.ID(request.id),
            kind=wish.kind,
            state=request.compute_state(get_current_micros()),
            asset_name=wish.name,
            selector=wish.selector,
            action=wish.action,
            purpose=wish.purpose,
            asker=wish.asker,
            asker_name=request.steps[0].shown or None,
            principal=wish.principal,
            asked_at=from_micros(request.times[0]),
            lapses=from_micros(wish.lapses),
            until=from_micros(request.until),
            reference=request.reference or None,
            steps=[
                AccessStep(
                    at=from_micros(at),
                    kind=step.kind,
                    by=step.by,
                    by_name=step.shown or None,
                    state=step.state,
                    reason=step.reason or None,
                )
                for step, at in zip(request.steps, request.times, strict=True)
            ],
            mine=context.desk.is_asker(context.caller, request),
        )


def list_requests(
    context: RequestContext, state: RequestState | None, mine: bool | None, first: int | None, after: str | None
) -> Connection[AccessRequest]:
    """A page of the requests that the caller may see, the newest first. `mine`: only his own, or only those of others."""
    desk, now, size = context.desk, get_current_micros(), context.check_page_size(first)
    desk.refresh()
    found = [
        one
        for one in desk.list_visible(context.caller)
        if state in (None, one.compute_state(now)) and mine in (None, desk.is_asker(context.caller, one))
    ]
    start = parse_cursor(after, 1)
    rest = iter(found) if start is None else (one for one in found if (-one.times[0], one.id) > (start.numbers[0], start.names[0]))
    page = list(islice(rest, size + 1))
    return Connection(
        nodes=[AccessRequest.from_request(context, one) for one in page[:size]],
        keys=[(SortKey((-one.times[0],), (one.id,)), one.id) for one in page[:size]],
        has_next=len(page) > size,
        has_previous=after is not None,
        count=lambda: len(found),
    )


def _begin(context: RequestContext) -> AccessDesk:
    """The desk, with what other processes have written; not under the graph's lock, since it writes to the store."""
    context.release_lock()
    context.desk.refresh()
    return context.desk


def _finish(context: RequestContext, request: Request) -> AccessRequest:
    context.committed = True
    return AccessRequest.from_request(context, request)


def ask(context: RequestContext, asset_id: str, asked: AskedFor) -> AccessRequest:
    return _finish(context, _begin(context).ask(context.caller, context.live, asset_id, asked))


def decide(context: RequestContext, request_id: str, decision: Decision, reason: str | None, until: datetime | None) -> AccessRequest:
    desk = _begin(context)
    end = None if until is None else to_micros(until)
    if decision is Decision.REVOKE:
        return _finish(context, desk.revoke(context.caller, request_id, reason or ""))
    approve = decision is Decision.APPROVE
    return _finish(context, desk.decide(context.caller, request_id, approve=approve, reason=reason or "", until=end))


def withdraw(context: RequestContext, request_id: str) -> AccessRequest:
    return _finish(context, _begin(context).withdraw(context.caller, request_id))


def confirm(context: RequestContext, request_id: str, reference: str, *, ended: bool) -> AccessRequest:
    return _finish(context, _begin(context).confirm(context.caller, request_id, reference, ended=ended))
