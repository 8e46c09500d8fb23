"""`meshline sources`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from meshline.cli.answer_types import table
from meshline.cli.ingestion import amount_read
from meshline.cli.options import ListFormat, Server, Store, TextFormat
from meshline.cli.terminal import Line


def sources(*, format: ListFormat = TextFormat.TEXT, store: Store = None, server: Server = None) -> None:  # noqa: A002 - the option's name
    """Show who says how much, and how their last sync went."""
    from meshline.cli.client import answers, question, shaped
    from meshline.cli.terminal import write, write_json

    with answers(store, server) as source:
        data = source.ask(question("sources"), {})["sources"]
    if format is TextFormat.JSON:
        write_json(data)
    else:
        write(listed(shaped(data, list[SourceRow])))


class LastSync(msgspec.Struct, rename="camel", frozen=True):
    """See the schema."""

    at: str
    seconds: float
    read: int
    unchanged: int
    new: int
    changed: int
    retracted: int
    refused: int
    error: str | None


class SourceRow(msgspec.Struct, rename="camel", frozen=True):
    """See the schema."""

    name: str
    datasets: int
    statements: int
    lag: float | None
    next: str | None
    last_sync: LastSync | None


HEAD = ("source", "datasets", "statements", "last sync", "lag", "next", "what it did")


def listed(sources: Sequence[SourceRow]) -> Iterator[Line]:
    """One line each, under a head."""
    if not sources:
        yield Line("nobody has said anything yet")
        return
    rows = [
        (
            source.name,
            str(source.datasets),
            str(source.statements),
            _minute(source.last_sync.at) if source.last_sync is not None else "",
            span(source.lag) if source.lag is not None else "",
            _minute(source.next) if source.next is not None else "",
            "" if source.last_sync is None else _did(source.name, source.last_sync),
        )
        for source in sources
    ]
    yield from table([HEAD, *rows])


def _did(source: str, sync: LastSync) -> str:
    if sync.error:
        return f"failed: {sync.error}"
    counts = [amount_read(source, sync), f"{sync.unchanged} unchanged"]
    counts += [f"{getattr(sync, name)} {name}" for name in ("new", "changed", "retracted", "refused") if getattr(sync, name)]
    return ", ".join(counts)


def _minute(time: str) -> str:
    """A time of the schema to the second."""
    return time[:19]


def span(seconds: float) -> str:
    """A length of time in its largest unit."""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds)}s"
