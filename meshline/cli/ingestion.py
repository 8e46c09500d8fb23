"""One ingestion of a source: it is read into a store or a server, and what was done is written as a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

if TYPE_CHECKING:
    from meshline.ingest.sources.scope_loader import Loading
    from meshline.ingest.sources.sync import Synced
    from meshline.ingest.sources.target import Target


def take(kind: str, keys: Mapping[str, object], *, strict: bool, store: str | None, server: str | None) -> None:
    """Read a source and load what it says into a store or a server; exit code 1 if anything was refused.

    `keys`: as in the mesh file; None is what was not given. Raises InvalidInput, MissingExtra.
    """
    from meshline.app.settings import variable
    from meshline.cli.exit_codes import REFUSED
    from meshline.errors import InvalidInput
    from meshline.ingest.sources.registry import source_of
    from meshline.ingest.sources.sync import sync

    source = source_of({"kind": kind, **{key: value for key, value in keys.items() if value is not None}})
    with target(store, server) as into:
        done = sync(into, source, Path.cwd(), variables=variable, strict=strict, configured=False)
    if done.error is not None and not isinstance(done.error, InvalidInput):
        raise done.error
    told(done)
    if done.refused:
        raise typer.Exit(REFUSED)


@contextmanager
def target(store: str | None, server: str | None) -> Iterator[Target]:
    """Where what sources say goes to: a server if one is named, else a store. In a store, names are joined by rule afterwards."""
    if server is not None:
        from meshline.cli.http_client import Remote
        from meshline.cli.http_target import RemoteTarget

        with Remote.connected(server) as remote:
            yield RemoteTarget(remote)
        return
    from meshline.cli.local_client import opened
    from meshline.ingest.catalog_aliases import apply
    from meshline.ingest.sources.target import Local

    with opened(store) as graph:
        yield Local(graph.graph, graph.naming)
        apply(graph.graph)


def told(done: Synced) -> None:
    """Say on stderr what became of a source: what was refused, warnings, and a line with the counts."""
    from meshline.cli.terminal import tell
    from meshline.errors import InvalidInput

    if done.loading is None:
        tell(f"refused: {done.error}" if isinstance(done.error, InvalidInput) else f"{done.source}: not read: {done.error}")
        return
    for refusal in done.loading.refused:
        tell(f"refused: {refusal}")
    for warning in done.loading.warnings:
        tell(f"warning: {warning}")
    tell(described(done.loading))


def described(loading: Loading) -> str:
    """What loading a source did, as a sentence."""
    parts = [amount_read(loading.source, loading), f"{loading.unchanged} unchanged", f"{loading.new} new", f"{loading.changed} changed"]
    parts += [f"{loading.retracted} retracted", f"{len(loading.refused)} refused"]
    if loading.kept:
        parts.append(f"{loading.kept} not found and kept")
    return f"{loading.source}: {', '.join(parts)}"


class Counts(Protocol):
    """What a sync did, in statements or events."""

    @property
    def read(self) -> int: ...

    @property
    def unchanged(self) -> int: ...

    @property
    def new(self) -> int: ...

    @property
    def changed(self) -> int: ...


def amount_read(source: str, counts: Counts) -> str:
    """How much of a source was read, in the unit that all counts have: what its system says is unchanged is not read again."""
    if source.partition("/")[0] == "openlineage":
        return f"{counts.read} of {counts.read + counts.unchanged} events read"  # the events of a file that did not change are not read
    known = max(counts.read, counts.unchanged + counts.new + counts.changed)  # an empty statement is read, and is none of these
    return f"{counts.read} of {known} statements read"
