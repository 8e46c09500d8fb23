"""`meshline ingest openlineage FILE...`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from meshline.cli.options import Server, Store, Strict

if TYPE_CHECKING:
    from meshline.errors import MeshlineError
    from meshline.graph.model import Precedence
    from meshline.graph.store.base import Store as OpenStore
    from meshline.ingest.openlineage.files import Found


def openlineage(
    file: Annotated[
        list[str], typer.Argument(help="Files or folders of events: ndjson or JSON, gzip or not; - is standard input.", metavar="FILE")
    ],
    *,
    source: Annotated[str, typer.Option(help="Who says it; into a store only, a server has its own.", metavar="NAME")] = "default",
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Take OpenLineage events."""
    from meshline.cli import REFUSED
    from meshline.cli.terminal import progress, refusal_exit, tell
    from meshline.ingest.openlineage.files import events_in
    from meshline.words import counted

    events: Iterable[Found] = events_in(file)
    if strict:
        from meshline.ingest.openlineage.checking import checked

        with refusal_exit():
            events = checked(events)
    taken = refused = 0
    outcomes = (
        _to_store(events, store, source if "/" in source else f"openlineage/{source}") if server is None else _to_server(events, server)
    )
    with progress("events") as advance:
        for error in outcomes:
            advance()
            if error is None:
                taken += 1
            else:
                refused += 1
                tell(f"refused: {error}")
    tell(f"{counted(taken, 'event')} taken" + (f", {refused} refused" if refused else ""))
    if refused:
        raise typer.Exit(REFUSED)


def _to_store(events: Iterable[Found], store: str | None, source: str) -> Iterator[MeshlineError | None]:
    """For each event the reason why it was refused, or None. A refusal names the place."""
    from meshline.cli.stores import opened_store
    from meshline.ingest.mesh import stored
    from meshline.ingest.openlineage.builder import BatchBuilder
    from meshline.ingest.pipeline import Pipeline, ingest_all

    with opened_store(store) as opened:
        naming, precedence = stored(opened)
        pipeline = Pipeline(opened, BatchBuilder(naming))
        try:
            for outcome in ingest_all(pipeline, events, source):
                yield outcome.error
        finally:
            pipeline.close()
        _join_names(opened, precedence)


def _join_names(store: OpenStore, precedence: Precedence) -> None:
    """Apply the store's rules of catalogs, if it has any, to the names that events gave."""
    from meshline.ingest.identity.rules import remembered

    if remembered(store):
        from meshline.graph.live import LiveGraph
        from meshline.ingest.identity.applying import apply

        apply(LiveGraph.open(store, precedence))


def _to_server(events: Iterable[Found], server: str) -> Iterator[MeshlineError | None]:
    from meshline.cli.posting import post
    from meshline.cli.remote import Remote

    with Remote.connected(server) as remote:
        for sent in post(remote, events):
            yield sent.refused
