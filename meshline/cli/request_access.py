"""`meshline access ask|list|decide|withdraw`."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
import typer

from meshline.cli.client import Client, convert_answer, read_query, resolve_assets
from meshline.cli.options import ListFormat, Server, Store, TextFormat
from meshline.cli.terminal import Line
from meshline.errors import InvalidInput
from meshline.words import format_caller

PAGE = 100


class StateName(enum.StrEnum):
    OPEN = "open"
    APPROVED = "approved"
    GRANTED = "granted"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


class DecisionName(enum.StrEnum):
    APPROVE = "approve"
    REFUSE = "refuse"
    REVOKE = "revoke"


def ask(
    asset: Annotated[str, typer.Argument(help="A domain, product or dataset, by any of its names.", metavar="ASSET")],
    *,
    purpose: Annotated[str, typer.Option(help="What it is needed for.", show_default=False)],
    data: Annotated[bool, typer.Option("--data", help="Ask for the data, not for what is known about it here.")] = False,
    action: Annotated[str, typer.Option(help="browse, read or read_sql; of data: a word of yours, or a role of the contract.")] = "read",
    days: Annotated[int, typer.Option(help="Days until it ends.", min=1)] = 30,
    principal: Annotated[
        str | None, typer.Option("--for", help="For service:NAME, token:NAME or a group:NAME of yours.", metavar="NAME", show_default=False)
    ] = None,
    store: Store = None,
    server: Server = None,
) -> None:
    """Ask for access. Owners decide, or those that the contract names; what they approve is granted until it ends."""
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_lines

    with open_client(store, server) as source:
        (found,) = resolve_assets(source, [asset])
        kind = "DATA" if data else "METADATA"
        asked = {"asset": found.id, "purpose": purpose, "kind": kind, "action": action, "until": format_end(days), "principal": principal}
        answer = source.mutate(read_query("request-access"), asked)["requestAccess"]
    write_lines(format_request(convert_answer(answer, AccessRequest)))


def list_requests(
    *,
    state: Annotated[StateName | None, typer.Option(help="Only requests in this state.", show_default=False)] = None,
    mine: Annotated[
        bool | None,
        typer.Option("--mine/--of-others", help="Only your own, or only those of others that you may decide.", show_default=False),
    ] = None,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show your requests for access, and those that you may decide, the newest first.

    json writes one object on each line.
    """
    import sys

    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_lines

    with open_client(store, server) as source:
        empty = True
        for request in _iterate_requests(source, None if state is None else state.name, mine=mine):
            empty = False
            if format is TextFormat.JSON:
                sys.stdout.write(msgspec.json.encode(request).decode() + "\n")
            else:
                write_lines(format_request(request))
        if empty and format is TextFormat.TEXT:
            write_lines([Line("there are no such requests for access")])


def decide(
    request: Annotated[str, typer.Argument(help="The id of the request.", metavar="REQUEST")],
    decision: Annotated[DecisionName, typer.Argument(help="What you decide; revoke ends what was granted.", case_sensitive=False)],
    *,
    reason: Annotated[str | None, typer.Option(help="Why; needed unless you approve.", show_default=False)] = None,
    days: Annotated[int | None, typer.Option(help="Days until it ends, if fewer than asked for.", min=1, show_default=False)] = None,
    store: Store = None,
    server: Server = None,
) -> None:
    """Decide about a request for access of another. What is restricted needs the approval of two."""
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_lines

    asked = {"request": request, "decision": decision.name, "reason": reason, "until": None if days is None else format_end(days)}
    with open_client(store, server) as source:
        answer = source.mutate(read_query("decide-access"), asked)["decideAccess"]
    write_lines(format_request(convert_answer(answer, AccessRequest)))


def withdraw(
    request: Annotated[str, typer.Argument(help="The id of the request.", metavar="REQUEST")],
    *,
    store: Store = None,
    server: Server = None,
) -> None:
    """Withdraw a request of yours, or give back what it granted."""
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_lines

    with open_client(store, server) as source:
        answer = source.mutate(read_query("withdraw-access"), {"request": request})["withdrawAccess"]
    write_lines(format_request(convert_answer(answer, AccessRequest)))


class Step(msgspec.Struct, rename="camel", frozen=True):
    at: str
    kind: str
    by: str
    by_name: str | None
    state: str
    reason: str | None


class AccessRequest(msgspec.Struct, rename="camel", frozen=True):
    """A request for access, as in the schema."""

    id: str
    kind: str
    state: str
    asset_name: str
    action: str
    purpose: str
    asker: str
    asker_name: str | None
    principal: str
    until: str
    lapses: str
    approvers: list[str]
    restrictions: list[str] | None
    forbidden_by: list[str] | None
    grants_nothing: bool
    mine: bool
    reference: str | None
    steps: list[Step]


class _PageInfo(msgspec.Struct, rename="camel", frozen=True):
    has_next_page: bool
    end_cursor: str | None


class _Page(msgspec.Struct, rename="camel", frozen=True):
    nodes: list[AccessRequest]
    page_info: _PageInfo


def _iterate_requests(source: Client, state: str | None, *, mine: bool | None) -> Iterator[AccessRequest]:
    after: str | None = None
    while True:
        asked = {"state": state, "mine": mine, "first": PAGE, "after": after}
        page = convert_answer(source.ask(read_query("access-requests"), asked)["accessRequests"], _Page)
        yield from page.nodes
        if not page.page_info.has_next_page:
            return
        after = page.page_info.end_cursor


def format_request(request: AccessRequest) -> Iterator[Line]:
    yield Line(f"{request.id}  {request.state.lower()}", "bold")
    what = "the data of " if request.kind == "DATA" else ""
    asker = format_caller(request.asker, request.asker_name)
    yield Line(f"  {asker} asks to {request.action} {what}{request.asset_name}, for {request.principal}, until {request.until[:10]}")
    yield Line(f"  purpose: {request.purpose}")
    if request.state == "OPEN":
        yield Line(f"  decided by: {', '.join(request.approvers)}, until {request.lapses[:10]}")
        if request.restrictions:
            yield Line(f"  needs two deciders, since it is restricted: {', '.join(request.restrictions)}")
    forbidding = ", ".join(request.forbidden_by or ())
    if request.grants_nothing:
        named = f": {forbidding}" if forbidding else ""
        yield Line(f"  nothing of it that you see is granted, by the access rules{named}", "bold")
    elif forbidding:
        yield Line(f"  not all of it is granted, since this forbids some: {forbidding}", "bold")
    for step in request.steps[1:]:
        yield Line(
            f"  {step.at[:19]}  {format_caller(step.by, step.by_name)}: {step.kind.lower()}{f' ({step.reason})' if step.reason else ''}"
        )
    if request.reference:
        yield Line(f"  granted as {request.reference}")


def format_end(days: int) -> str:
    """The time that many days from now, for GraphQL. Raises InvalidInput for one that no calendar has."""
    try:
        return (datetime.now(UTC) + timedelta(days=days)).isoformat()
    except OverflowError:
        raise InvalidInput(f"{days} days are too many", "--days") from None
