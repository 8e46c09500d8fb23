"""The deny list: whose tokens of the identity provider are refused, and whose sessions have ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated, Self

import strawberry
from strawberry.types import Info

from meshline.api.graphql.asset import Connection, parse_cursor
from meshline.api.graphql.context import RequestContext
from meshline.api.graphql.field_types import DenialKind, describe_field
from meshline.api.permissions import check_access, check_role
from meshline.app import denials
from meshline.app.access_journal import AccessJournal
from meshline.app.tokens import AccessScope, Role
from meshline.errors import InvalidInput
from meshline.graph.model import from_micros, get_current_micros, to_micros
from meshline.graph.queries.pages import SortKey

USUAL = timedelta(hours=24)  # of an entry, if no end is given

Context = Info[RequestContext, None]


@strawberry.type(description="An entry of the deny list. Until it ends, it refuses tokens of the identity provider, and sessions.")
class Denial:
    kind: DenialKind
    value: str = strawberry.field(description="The value of that claim.")
    at: datetime = strawberry.field(description="When it was made.")
    until: datetime
    issued_until: datetime | None = strawberry.field(
        description="Only what was issued up to this time is refused, as after a sign-out that the provider reports; null: all."
    )
    by: str = strawberry.field(description="The name of the caller who made it.")
    reason: str | None

    @classmethod
    def from_denial(cls, context: RequestContext, denial: denials.Denial) -> Self:
        context.spend()
        return cls(
            kind=denial.kind,
            value=denial.value,
            at=from_micros(denial.at),
            until=from_micros(denial.until),
            issued_until=None if denial.issued is None else from_micros(denial.issued * denials.SECOND),
            by=denial.by,
            reason=denial.reason or None,
        )


@strawberry.type
class DenialMutation:
    @describe_field(
        "Refuse the tokens of a person or service, of a session or of one token of the identity provider, and end its sessions: on this"
        " server at once, on others of the store after `refresh_seconds`. An entry for the same value is replaced. Needs the role admin."
    )
    def add_denial(
        self,
        info: Context,
        kind: DenialKind,
        value: str,
        until: Annotated[datetime | None, strawberry.argument(description="When it ends; if not given, in 24 hours.")] = None,
        reason: Annotated[str, strawberry.argument(description="Why; it is in the audit log.")] = "",
    ) -> Denial:
        context, journal = info.context, _begin(info.context)
        end = get_current_micros() + USUAL // timedelta(microseconds=1) if until is None else to_micros(until)
        denial = denials.build_denial(kind, value, end, context.actor, reason)
        journal.deny(denial)
        context.committed = True
        return Denial.from_denial(context, denial)

    @describe_field("Remove an entry of the deny list before it ends. Sessions that it has ended do not come back. Needs the role admin.")
    def remove_denial(self, info: Context, kind: DenialKind, value: str) -> Denial:
        removed = _begin(info.context).allow(kind, value, info.context.actor)
        info.context.committed = True
        return Denial.from_denial(info.context, removed)


def list_denials(context: RequestContext, first: int | None, after: str | None) -> Connection[Denial]:
    """A page of the entries that count now, the oldest first. Raises Forbidden below the role writer, and without the scope."""
    check_role(context.caller, Role.WRITER)
    check_access(context.caller, (AccessScope.AUDIT,))
    journal, size, start = _get_journal(context), context.check_page_size(first, default=100), parse_cursor(after, 1)
    journal.check_current()
    found = journal.denials.list_entries()
    page = list(islice((one for one in found if start is None or _build_sort_key(one) > start), size + 1))
    return Connection(
        nodes=[Denial.from_denial(context, one) for one in page[:size]],
        keys=[(_build_sort_key(one), "") for one in page[:size]],
        has_next=len(page) > size,
        has_previous=after is not None,
        count=lambda: len(found),
    )


def _build_sort_key(denial: denials.Denial) -> SortKey:
    return SortKey((denial.at,), (denial.kind, denial.value))


def _begin(context: RequestContext) -> AccessJournal:
    """The journal; not under the graph's lock, since it writes to the store."""
    journal = _get_journal(context)
    context.release_lock()
    return journal


def _get_journal(context: RequestContext) -> AccessJournal:
    if context.journal is None:
        raise InvalidInput(
            "this server accepts no tokens of an identity provider (the setting `oidc_issuer`), so there is nothing that it could deny:"
            " tokens of the settings are withdrawn there"
        )
    return context.journal
