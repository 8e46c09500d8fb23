"""`meshline sync [mesh.yaml]`: a mesh file and all its sources, one after another, into a store or to a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshline.cli.options import Server, Store
from meshline.cli.terminal import refusal_exit

if TYPE_CHECKING:
    from meshline.cli.http_client import Remote
    from meshline.cli.local_client import Opened
    from meshline.ingest.mesh import Mesh
    from meshline.ingest.sources.scope_loader import Loading
    from meshline.ingest.sources.sync import Synced
    from meshline.ingest.sources.target import Target

Strict = Annotated[
    bool, typer.Option("--strict", help="Stop at the first source of which anything is refused, before anything of it is written.")
]


def sync(
    file: Annotated[Path, typer.Argument(help="The mesh file.", metavar="FILE")] = Path("mesh.yaml"),
    *,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load a mesh file and then all its sources, in order.

    Shows of each how many of its statements (or events) were read, unchanged, new, changed, retracted and refused. What the graph
    has already is not written again. A source that is away does not stop the others. Exit code 1 if anything was refused or away.
    """
    from meshline.cli.exit_codes import REFUSED
    from meshline.cli.ingestion import told
    from meshline.cli.terminal import tell

    refused = False
    for done in synced(file, strict=strict, store=store, server=server):
        if done.loading is None:
            tell(f"{done.source}: not read: {done.error}")
        else:
            told(done)
        refused = refused or done.refused
    if refused:
        raise typer.Exit(REFUSED)


def synced(file: Path, *, strict: bool, store: str | None, server: str | None) -> Iterator[Synced]:
    """What became of the mesh file, of each of its sources, and of the names that its rules join.

    Raises InvalidInput if the file cannot be used as a whole. `strict`: ends after the first of which anything is refused.
    """
    from meshline.cli.local_client import opened
    from meshline.ingest import mesh as mesh_file
    from meshline.ingest.sources.sync import noted
    from meshline.ingest.sources.target import Local

    data = mesh_file.read(file)
    if strict:
        with refusal_exit():
            mesh_file.parse(data, str(file), strict=True)
    mesh = mesh_file.parse(data, str(file))
    if server is not None:
        from meshline.cli.http_client import Remote
        from meshline.cli.http_target import RemoteTarget

        with Remote.connected(server) as remote:
            target = RemoteTarget(remote)
            done = noted(target, mesh.source, lambda: _sent(remote, mesh, data, file.name))
            yield done
            if done.error is not None:  # its rules are not the server's, or there is none
                return
            yield from _sources(target, mesh, file, strict=strict)
        return
    with opened(store, mesh=mesh) as graph:
        local = Local(graph.graph, graph.naming)
        yield noted(local, mesh.source, lambda: _loaded(graph, mesh, file))
        yield from _sources(local, mesh, file, strict=strict)
        yield from _joined(graph)


def _loaded(graph: Opened, mesh: Mesh, file: Path) -> Loading:
    from meshline.ingest import mesh as mesh_file

    return mesh_file.load(graph.graph, mesh, graph.naming, mesh_file.file_time(file))


def _sent(remote: Remote, mesh: Mesh, data: bytes, name: str) -> Loading:
    """A server takes a file as a whole or not at all."""
    from meshline.ingest.sources.scope_loader import Loading

    if mesh.refused:
        return Loading(mesh.source, 0, 0, 0, 0, 0, 0, 0, mesh.refused, ("a server takes a mesh file as a whole: nothing is loaded",))
    done = remote.put_mesh(data, name=name)
    counts = (done.changed + done.unchanged, done.unchanged, done.new, done.changed - done.new, done.retracted, 0)
    return Loading(done.source, done.revision, *counts, (), tuple(done.warnings))


def _sources(target: Target, mesh: Mesh, file: Path, *, strict: bool) -> Iterator[Synced]:
    from meshline.app.settings import variable
    from meshline.ingest.sources.sync import sync as sync_source

    for configured in mesh.sources:
        done = sync_source(target, configured.source, file.absolute().parent, mesh.namespaces, variables=variable, strict=strict)
        yield done
        if strict and done.refused:
            return


def _joined(graph: Opened) -> Iterator[Synced]:
    """The names that rules join, once all is there."""
    from meshline.ingest.catalog_aliases import apply
    from meshline.ingest.sources.sync import Synced

    loading = apply(graph.graph)
    if loading is not None:
        yield Synced(loading.source, loading, None)
