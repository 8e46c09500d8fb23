"""`meshline ingest mesh FILE...`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshline.cli.options import Server, Store, Strict

if TYPE_CHECKING:
    from meshline.ingest.mesh import Mesh
    from meshline.ingest.sources.scope_loader import Loading


def mesh(
    file: Annotated[list[Path], typer.Argument(help="Mesh files.", metavar="FILE")],
    *,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load mesh files: domains, products, teams, consumers.

    What a file said before and says no more is retracted.
    """
    from meshline.cli.deciding import REFUSED
    from meshline.cli.terminal import refusal_exit
    from meshline.ingest.mesh import parse, read

    contents = [(path, read(path)) for path in file]
    if strict:
        with refusal_exit():  # before anything is written
            for path, data in contents:
                parse(data, str(path), strict=True)
    refused = sum(_loaded(path, data, store, server) for path, data in contents)
    if refused:
        raise typer.Exit(REFUSED)


def _loaded(path: Path, data: bytes, store: str | None, server: str | None) -> int:
    """Load one file; how much of it was refused."""
    from meshline.cli.terminal import tell
    from meshline.errors import InvalidInput
    from meshline.ingest.mesh import parse

    try:
        said = parse(data, str(path))
    except InvalidInput as error:
        tell(f"refused: {error}")
        return 1
    for refusal in said.refused:
        tell(f"refused: {refusal}")
    for warning in said.warnings:
        tell(f"warning: {warning}")
    if server is None:
        tell(_to_store(path, said, store))
    elif said.refused:
        tell(f"{said.source}: nothing loaded, for a server takes a file as a whole")
    else:
        tell(_to_server(path, data, server))
    return len(said.refused)


def _to_store(path: Path, said: Mesh, store: str | None) -> str:
    from meshline.cli.local import opened
    from meshline.ingest.catalog_aliases import apply
    from meshline.ingest.mesh import file_time, load
    from meshline.ingest.sources.sync import taken
    from meshline.ingest.sources.target import Local

    with opened(store, mesh=said) as graph:
        loading = taken(Local(graph.graph, graph.naming), said.source, lambda: load(graph.graph, said, graph.naming, file_time(path)))
        apply(graph.graph)
        return described(loading)


def described(loading: Loading) -> str:
    """What loading a file did, as a sentence."""
    parts = [f"{loading.new + loading.changed} entries changed", f"{loading.unchanged} unchanged", f"{loading.retracted} retracted"]
    if loading.kept:
        parts.append(f"{loading.kept} that are gone kept, because entries were refused")
    return f"{loading.source}: {', '.join(parts)}"


def _to_server(path: Path, data: bytes, server: str) -> str:
    from meshline.cli.remote import Remote

    with Remote.connected(server) as remote:
        answer = remote.put_mesh(data, name=path.name)
    return f"{answer.source}: {answer.changed} entries changed, {answer.unchanged} unchanged, {answer.retracted} retracted"
