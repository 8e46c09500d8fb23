"""What all `meshline ingest KIND` of sources share: read, load, say what was done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from meshline.ingest.sources.loading import Loading
    from meshline.ingest.sources.shape import Source


def take(source: Source, *, strict: bool, store: str | None, server: str | None) -> None:
    """Read a source and load what it says into a store; exit code 1 if anything was refused."""
    from meshline.cli import REFUSED
    from meshline.cli.local import opened
    from meshline.cli.terminal import refusal_exit, tell
    from meshline.errors import InvalidInput
    from meshline.ingest.sources.context import context_of
    from meshline.ingest.sources.loading import load
    from meshline.ingest.times import now

    if server is not None:
        raise InvalidInput("not over --server yet", "--server")  # see `meshline.api.sources`
    with opened(store) as graph, refusal_exit():
        loading = load(graph.graph, source.reading(context_of(graph.graph, graph.naming, Path.cwd(), source.source)), now(), strict=strict)
    for refusal in loading.refused:
        tell(f"refused: {refusal}")
    for warning in loading.warnings:
        tell(f"warning: {warning}")
    tell(described(loading))
    if loading.refused:
        raise typer.Exit(REFUSED)


def described(loading: Loading) -> str:
    """What loading a source did, as a sentence."""
    parts = [f"{loading.read} read", f"{loading.unchanged} unchanged", f"{loading.new} new", f"{loading.changed} changed"]
    parts += [f"{loading.retracted} retracted", f"{len(loading.refused)} refused"]
    return f"{loading.source}: {', '.join(parts)}"
