"""`meshline ingest openlineage FILE...`."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from meshline.cli.options import Server, Store, Strict

if TYPE_CHECKING:
    from meshline.graph.model import Precedence
    from meshline.graph.store.base import Store as OpenStore
    from meshline.ingest.openlineage.event_files import Found
    from meshline.ingest.sources.target import EventOutcome

WARNINGS_SHOWN = 20
INTERRUPTED = 130  # 128 + SIGINT, as shells count


def openlineage(
    file: Annotated[
        list[str], typer.Argument(help="Files or folders of events: ndjson or JSON, gzip or not; - is standard input.", metavar="FILE")
    ],
    *,
    source: Annotated[str, typer.Option(help="Name of the source; for a store only, a server has its own.", metavar="NAME")] = "default",
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Ingest OpenLineage events."""
    from contextlib import closing

    from meshline.cli.exit_codes import FAILED, REFUSED
    from meshline.cli.terminal import exit_on_refusal, show_progress, write_message
    from meshline.ingest.openlineage.event_files import SUFFIXES, read_events
    from meshline.words import format_count

    events: Iterable[Found] = read_events(file)
    if strict:
        from meshline.ingest.openlineage.builder import check_events

        with exit_on_refusal():
            events = check_events(events)
    ingested = refused = warned = 0
    name = source if "/" in source else f"openlineage/{source}"
    results = _ingest_into_store(events, store, name) if server is None else _send_to_server(events, server)
    try:
        with show_progress("events") as advance, closing(results):
            for one in results:
                advance()
                if one.error is None:
                    ingested += 1
                else:
                    refused += 1
                    write_message(f"refused: {one.error}")
                for warning in one.warnings:
                    warned += 1
                    if warned <= WARNINGS_SHOWN:
                        write_message(f"warning: {warning}")
                warned += one.more_warnings
    except KeyboardInterrupt:
        write_message(
            f"interrupted: at least {format_count(ingested, 'event')} ingested; the same command again ingests the rest, and none twice"
        )
        raise typer.Exit(INTERRUPTED) from None
    if warned > WARNINGS_SHOWN:
        write_message(f"and {format_count(warned - WARNINGS_SHOWN, 'warning')} more")
    if not ingested and not refused:
        write_message(
            f"meshline: no events in {', '.join(file)}: accepted are files with events, and folders with files {', '.join(SUFFIXES)}"
        )
        raise typer.Exit(FAILED)
    write_message(f"{format_count(ingested, 'event')} ingested" + (f", {refused} refused" if refused else ""))
    if refused:
        raise typer.Exit(REFUSED)


def _ingest_into_store(events: Iterable[Found], store: str | None, source: str) -> Generator[EventOutcome, None, None]:
    from meshline.cli.store import open_store_at
    from meshline.ingest.mesh import read_stored_rules
    from meshline.ingest.openlineage.builder import BatchBuilder
    from meshline.ingest.openlineage.run_index import index_stored_runs
    from meshline.ingest.pipeline import Pipeline, ingest_all
    from meshline.ingest.sources.target import EventOutcome

    with open_store_at(store) as opened:
        naming, precedence = read_stored_rules(opened)
        index_stored_runs(opened, naming)
        pipeline = Pipeline(opened, BatchBuilder(naming))
        try:
            for one in ingest_all(pipeline, events, source):
                yield EventOutcome(one.error, one.warnings)
        except BaseException:  # interrupted: writing the waiting events would take seconds
            pipeline.abandon()
            raise
        finally:
            pipeline.close()
        _join_names(opened, precedence)


def _join_names(store: OpenStore, precedence: Precedence) -> None:
    """Apply the store's catalog rules, if it has any, to the names in events."""
    from meshline.ingest.catalog_aliases import read_rules

    if read_rules(store):
        from meshline.graph.live_graph import LiveGraph
        from meshline.ingest.catalog_aliases import apply_rules

        apply_rules(LiveGraph.open(store, precedence))


def _send_to_server(events: Iterable[Found], server: str) -> Generator[EventOutcome, None, None]:
    from meshline.cli.http_client import HttpClient, send_events

    with HttpClient.connect(server) as remote:
        yield from send_events(remote, events)
