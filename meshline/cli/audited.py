"""Entries of the audit log, as they are asked for and shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from meshline.cli.answers import Answers, question, shaped

PAGE = 1000


class Entry(msgspec.Struct, rename="camel", frozen=True):
    """See the schema."""

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


def entries(source: Answers, asked: Mapping[str, str | None]) -> Iterator[Entry]:
    """All entries, page by page."""
    after: str | None = None
    while True:
        page = shaped(source.ask(question("audit"), {**asked, "first": PAGE, "after": after})["audit"], _Page)
        yield from page.nodes
        if not page.page_info.has_next_page:
            return
        after = page.page_info.end_cursor


def line(entry: Entry) -> str:
    from meshline.governance.audit import told

    action = entry.action.lower()
    return f"{entry.at[:19]}  {action:8}  {entry.actor or '-'}  {told(action, entry.subject, entry.details)}"
