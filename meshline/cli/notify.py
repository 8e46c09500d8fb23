"""`meshline notify`."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli.options import Config, ListFormat, Store, TextFormat


def notify(
    *,
    pending: Annotated[bool, typer.Option("--pending", help="Only show what is owed; do not look for what landed since.")] = False,
    send: Annotated[bool, typer.Option("--send", help="Send the pending notices now.")] = False,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    config: Config = None,
) -> None:
    """Show who has to hear of what landed, and send it.

    Looks at what was committed since the last look, and shows what is owed, to whom, by which channel. The first look only notes
    where to begin. Nothing is sent without --send. A server does both by itself (notify, notify_send). Exit code 1 if something
    could not be sent.
    """
    from meshline.api.settings import load
    from meshline.api.telling import sender
    from meshline.cli.deciding import REFUSED
    from meshline.cli.noticed import listed, plain
    from meshline.cli.stores import opened_store
    from meshline.cli.terminal import tell, write, write_json

    settings = load(store=store, config=config)
    if not pending:
        from meshline.api.governing import Governing
        from meshline.api.notifying import follower
        from meshline.cli.local import opened
        from meshline.governance.notify.violation_events import Watched

        with opened(settings.store, must_exist=True) as graph:
            watched = Watched(Governing(graph.graph, settings.policies).watch)
            noted = follower(settings, graph.graph, watched).step()
        if noted.began:
            tell("notices are recorded from now on")
    with opened_store(settings.store, must_exist=True) as known:
        out = sender(settings, known)
        refused = 0
        if send:
            done = out.send(now=True)
            refused = done.refused
            tell(f"messages sent: {done.sent}, not taken: {done.refused}; notices given up: {done.given_up}")
        parcels = out.parcels()
        if format is TextFormat.JSON:
            write_json(plain(parcels))
        else:
            write(listed(parcels))
    if refused:
        raise typer.Exit(REFUSED)
