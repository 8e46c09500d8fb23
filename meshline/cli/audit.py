"""`meshline audit`."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from meshline.cli.client import Client, convert_answer, read_query
from meshline.cli.options import HELP, ListFormat, Server, Store, TextFormat, format_iso_time, parse_time


class ActionName(enum.StrEnum):
    CHECK = "check"
    WAIVER = "waiver"
    MUTATION = "mutation"
    POLICY = "policy"
    ACCESS = "access"


def audit(
    *,
    since: Annotated[
        datetime | None,
        typer.Option(
            help=f"Only entries that were recorded at or after this time. {HELP}",
            parser=parse_time,
            metavar="TIME",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[ActionName | None, typer.Option(help="Only entries of this kind.", show_default=False)] = None,
    actor: Annotated[str | None, typer.Option(help="Only entries of this actor.", show_default=False)] = None,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show the audit log, oldest first.

    It records checks that a server answered, the waivers that they used, mutations, policy violations opened and resolved, and access:
    requests, grants, sign-ins, refused writes, reads of restricted data. json writes one object on each line.
    """
    import sys

    import msgspec

    from meshline.cli.client import open_client
    from meshline.cli.terminal import Line, write_lines

    asked = {"since": format_iso_time(since), "kind": None if kind is None else kind.name, "actor": actor}
    with open_client(store, server) as source:
        empty = True
        for entry in iterate_entries(source, asked):
            empty = False
            if format is TextFormat.JSON:
                sys.stdout.write(msgspec.json.encode(entry).decode() + "\n")
            else:
                write_lines([Line(format_entry(entry))])
        if empty and format is TextFormat.TEXT:
            write_lines([Line("the audit log has no such entries" if any(asked.values()) else "the audit log is empty")])


PAGE = 1000


class Entry(msgspec.Struct, rename="camel", frozen=True):
    """An entry of the audit log, as in the schema."""

    id: str
    at: str
    action: str
    actor: str | None
    subject: str
    details: dict[str, Any]


class _PageInfo(msgspec.Struct, rename="camel", frozen=True):
    has_next_page: bool
    end_cursor: str | None


class _Page(msgspec.Struct, rename="camel", frozen=True):
    nodes: list[Entry]
    page_info: _PageInfo


def iterate_entries(source: Client, asked: Mapping[str, str | None]) -> Iterator[Entry]:
    """All entries, read page by page."""
    after: str | None = None
    while True:
        page = convert_answer(source.ask(read_query("audit"), {**asked, "first": PAGE, "after": after})["audit"], _Page)
        yield from page.nodes
        if not page.page_info.has_next_page:
            return
        after = page.page_info.end_cursor


def format_entry(entry: Entry) -> str:
    from meshline.governance.audit import describe_entry

    action = entry.action.lower()
    return f"{entry.at[:19]}  {action:8}  {entry.actor or '-'}  {describe_entry(action, entry.subject, entry.details)}"
