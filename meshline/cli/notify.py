"""`meshline notify`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from meshline.cli.options import Config, ListFormat, Store, TextFormat
from meshline.cli.terminal import Line
from meshline.graph.model import Json, from_micros
from meshline.words import format_count

if TYPE_CHECKING:
    from meshline.governance.notify.outbox import Pending
    from meshline.governance.notify.sender import Parcel


def notify(
    *,
    pending: Annotated[bool, typer.Option("--pending", help="Only show pending notices; do not look for new changes.")] = False,
    send: Annotated[bool, typer.Option("--send", help="Send the pending notices now.")] = False,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    config: Config = None,
) -> None:
    """Show the pending notices of changes, and send them.

    Looks at the commits since the last look, and shows the pending notices by recipient and channel. The first look only records
    where to begin. Nothing is sent without --send. A server does both by itself (notify, notify_send). Exit code 1 if a message
    could not be sent.
    """
    from meshline.app.notifications import build_sender
    from meshline.app.settings import load_settings
    from meshline.cli.exit_codes import REFUSED
    from meshline.cli.store import open_store_at
    from meshline.cli.terminal import write_json, write_lines, write_message

    settings = load_settings(store=store, config=config)
    if not pending:
        from meshline.app.notifications import build_follower
        from meshline.app.policy_service import PolicyService
        from meshline.cli.store import open_graph
        from meshline.governance.notify.violation_events import WatchedViolations

        with open_graph(settings.store, must_exist=True) as graph:
            watched = WatchedViolations(PolicyService(graph.graph, settings.policies).watch)
            noted = build_follower(settings, graph.graph, watched).step()
        if noted.began:
            write_message("notices are recorded from now on")
    with open_store_at(settings.store, must_exist=True) as known:
        out = build_sender(settings, known)
        refused = 0
        if send:
            done = out.send(now=True)
            refused = done.refused
            write_message(f"messages sent: {done.sent}, refused: {done.refused}; notices given up: {done.given_up}")
        parcels = out.list_parcels()
        if format is TextFormat.JSON:
            write_json(convert_parcels(parcels))
        else:
            write_lines(format_parcels(parcels))
    if refused:
        raise typer.Exit(REFUSED)


SHOWN = 20  # notices of one recipient


def format_parcels(parcels: Sequence[Parcel]) -> Iterator[Line]:
    """Each recipient with the channel and the pending notices."""
    if not parcels:
        yield Line("no notice is pending")
        return
    for parcel in parcels:
        names = dict.fromkeys(one.notice.body.receiver.name for one in parcel.pending)
        way = f" by {parcel.route.label}" if parcel.route.urls else f": {parcel.route.label}"
        yield Line(f"{', '.join(names)}{way}", "bold")
        for one in parcel.pending[:SHOWN]:
            body = one.notice.body
            verdict = f"{body.verdict}: " if body.verdict else ""
            yield Line(f"  {verdict}{body.text} in {body.subject}, since {_format_minute(body.at)} ({body.rule})")
            if one.tried.attempts:
                yield Line(
                    f"    tried {format_count(one.tried.attempts, 'time')}, again at {_format_minute(one.due)}: {one.tried.error}", "dim"
                )
        if len(parcel.pending) > SHOWN:
            yield Line(f"  and {len(parcel.pending) - SHOWN} more", "dim")


def convert_parcels(parcels: Sequence[Parcel]) -> list[Json]:
    return [{"by": parcel.route.label, "notices": [_convert_notice(one) for one in parcel.pending]} for parcel in parcels]


def _convert_notice(one: Pending) -> Json:
    body = one.notice.body
    return {
        "id": one.notice.key,
        "event": body.event,
        "receiver": {"kind": body.receiver.kind, "name": body.receiver.name, "id": body.receiver.id},
        "verdict": body.verdict,
        "rule": body.rule,
        "subject": body.subject,
        "text": body.text,
        "why": body.why,
        "source": body.source,
        "since": from_micros(body.at).isoformat(),
        "assets": list(body.assets),
        "attempts": one.tried.attempts,
        "error": one.tried.error or None,
        "due": from_micros(one.due).isoformat(),
    }


def _format_minute(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
