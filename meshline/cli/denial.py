"""`meshline denial add|list|remove`: the deny list of a store."""

from __future__ import annotations

import enum
import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from meshline.cli.options import ListFormat, Store, TextFormat
from meshline.errors import NotFound

if TYPE_CHECKING:
    from meshline.app.access_journal import AccessJournal
    from meshline.graph.model import Json


class KindName(enum.StrEnum):
    """The claim that an entry compares."""

    SUB = "sub"
    SID = "sid"
    JTI = "jti"


Kind: TypeAlias = Annotated[
    KindName, typer.Argument(help="sub: a person or service; sid: a session at the identity provider; jti: a token.", show_default=False)
]
Value: TypeAlias = Annotated[str, typer.Argument(help="The value of that claim.", metavar="VALUE", show_default=False)]


def add(
    kind: Kind,
    value: Value,
    *,
    hours: Annotated[int, typer.Option(help="Until the entry ends.", min=1, max=87_600)] = 24,
    reason: Annotated[str, typer.Option(help="Why; it is in the audit log.", metavar="TEXT", show_default=False)] = "",
    store: Store = None,
) -> None:
    """Refuse the tokens and sessions of a person, service, session or token of the identity provider.

    Servers of the store follow after `refresh_seconds`. An entry for the same value is replaced.
    """
    from meshline.app.denials import SECOND, DenialKind, build_denial
    from meshline.cli.terminal import write_message
    from meshline.graph.model import from_micros, get_current_micros

    denial = build_denial(DenialKind(kind), value, get_current_micros() + hours * 3600 * SECOND, getpass.getuser(), reason)
    with _open_journal(store) as journal:
        journal.deny(denial)
    write_message(f"{kind} {value} is denied until {from_micros(denial.until).isoformat(timespec='seconds')}")


def remove(kind: Kind, value: Value, *, store: Store = None) -> None:
    """Remove an entry before it ends. Sessions that it has ended do not come back."""
    from meshline.app.denials import DenialKind
    from meshline.cli.terminal import write_message

    with _open_journal(store) as journal:
        if not any((one.kind, one.value) == (DenialKind(kind), value) for one in journal.denials.list_entries()):
            raise NotFound(f"{kind} {value} is not on the deny list: `meshline denial list` shows what is")
        journal.allow(DenialKind(kind), value, getpass.getuser())
    write_message(f"{kind} {value} is not denied any more")


def list_denials(*, format: ListFormat = TextFormat.TEXT, store: Store = None) -> None:  # noqa: A002 - the option's name
    """List what is denied now, the oldest first: entries that were added, and those that the provider's sign-outs have made."""
    from meshline.cli.answer_types import format_table
    from meshline.cli.terminal import Line, write_json, write_lines
    from meshline.graph.model import from_micros

    with _open_journal(store) as journal:
        found = journal.denials.list_entries()
    if format is TextFormat.JSON:
        entries: list[Json] = [
            {
                "kind": str(one.kind),
                "value": one.value,
                "until": from_micros(one.until).isoformat(),
                "issuedUntil": None if one.issued is None else datetime.fromtimestamp(one.issued, UTC).isoformat(),
                "by": one.by,
                "reason": one.reason,
            }
            for one in found
        ]
        write_json({"denials": entries})
        return
    rows = [(str(one.kind), one.value, from_micros(one.until).isoformat(timespec="seconds"), one.by, one.reason) for one in found]
    write_lines(format_table([("kind", "value", "until", "by", "reason"), *rows]) if rows else [Line("nothing is denied")])


@contextmanager
def _open_journal(store: str | None) -> Iterator[AccessJournal]:
    from meshline.app.access_journal import AccessJournal
    from meshline.cli.store import open_store_at

    with open_store_at(store, must_exist=True) as opened:
        journal = AccessJournal()
        journal.open(opened)
        yield journal
