"""`meshline sync` and `meshline sources`: syncs of sources into a store or a server, and how the last ones went."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import msgspec
import typer

from meshline.cli.answer_types import format_table
from meshline.cli.options import ListFormat, Server, Store, TextFormat
from meshline.cli.options import Strict as StrictSource
from meshline.cli.terminal import Line, exit_on_refusal

if TYPE_CHECKING:
    from meshline.cli.http_client import HttpClient
    from meshline.cli.store import OpenGraph
    from meshline.ingest.mesh import Mesh
    from meshline.ingest.sources.reading_loader import Loading
    from meshline.ingest.sources.sync import SyncOutcome
    from meshline.ingest.sources.target import Target


def ingest_source(kind: str, keys: Mapping[str, object], *, strict: bool, store: str | None, server: str | None) -> None:
    """Read a source and load its statements into a store or a server; exit code 1 if anything was refused.

    `keys`: as in the mesh file; keys with None are left out. Raises InvalidInput, MissingExtra.
    """
    from meshline.app.settings import read_variable
    from meshline.cli.exit_codes import REFUSED
    from meshline.errors import InvalidInput
    from meshline.ingest.sources.registry import build_source
    from meshline.ingest.sources.sync import sync_source

    source = build_source({"kind": kind, **{key: value for key, value in keys.items() if value is not None}})
    with open_target(store, server) as into:
        done = sync_source(into, source, Path.cwd(), variables=read_variable, strict=strict, configured=False)
    if done.error is not None and not isinstance(done.error, InvalidInput):
        raise done.error
    report_sync(done)
    if done.refused:
        raise typer.Exit(REFUSED)


def _build_shared(*, strict: StrictSource = False, store: Store = None, server: Server = None) -> dict[str, object]:
    return {"strict": strict, "store": store, "server": server}


_SHARED = tuple(inspect.signature(_build_shared, eval_str=True).parameters.values())


def make_source_command(kind: str) -> Callable[[Callable[..., Mapping[str, object]]], Callable[..., None]]:
    """Make a command that reads a source of this kind: with the keys that a function builds of its own arguments, and the options that all
    such commands have.
    """

    def decorate(build: Callable[..., Mapping[str, object]]) -> Callable[..., None]:
        def command(*, strict: bool, store: str | None, server: str | None, **given: object) -> None:
            ingest_source(kind, build(**given), strict=strict, store=store, server=server)

        own = inspect.signature(build, eval_str=True).parameters.values()
        command.__signature__ = inspect.Signature([*own, *_SHARED])  # type: ignore[attr-defined]
        command.__name__, command.__doc__ = build.__name__, build.__doc__
        return command

    return decorate


@contextmanager
def open_target(store: str | None, server: str | None) -> Iterator[Target]:
    """The target of syncs: a server if one is named, else a store, in which catalog rules join names at the end."""
    if server is not None:
        from meshline.cli.http_client import HttpClient
        from meshline.cli.http_target import HttpTarget

        with HttpClient.connect(server) as remote:
            yield HttpTarget(remote)
        return
    from meshline.cli.store import open_graph
    from meshline.ingest.catalog_aliases import apply_rules
    from meshline.ingest.sources.target import LocalTarget

    with open_graph(store) as graph:
        yield LocalTarget(graph.graph, graph.naming)
        apply_rules(graph.graph)


def report_sync(done: SyncOutcome) -> None:
    """Write the outcome of a sync to stderr: refusals, warnings, and a line with the counts."""
    from meshline.cli.terminal import write_message
    from meshline.errors import InvalidInput

    if done.loading is None:
        write_message(f"refused: {done.error}" if isinstance(done.error, InvalidInput) else f"{done.source}: not read: {done.error}")
        return
    for refusal in done.loading.refused:
        write_message(f"refused: {refusal}")
    for warning in done.loading.warnings:
        write_message(f"warning: {warning}")
    write_message(describe_loading(done.loading))


def describe_loading(loading: Loading) -> str:
    """The counts of loading a source, as a sentence."""
    parts = [describe_amount(loading.source, loading), f"{loading.unchanged} unchanged", f"{loading.new} new", f"{loading.changed} changed"]
    parts += [f"{loading.retracted} retracted", f"{len(loading.refused)} refused"]
    if loading.kept:
        parts.append(f"{loading.kept} not found and kept")
    return f"{loading.source}: {', '.join(parts)}"


class Counts(Protocol):
    """The counts of a sync, in statements or events."""

    @property
    def read(self) -> int: ...

    @property
    def unchanged(self) -> int: ...

    @property
    def new(self) -> int: ...

    @property
    def changed(self) -> int: ...


def describe_amount(source: str, counts: Counts) -> str:
    """How much of a source was read, in the unit of all counts. Parts that the source reports as unchanged are not read again."""
    if source.partition("/")[0] == "openlineage":
        return f"{counts.read} of {counts.read + counts.unchanged} events read"  # the events of a file that did not change are not read
    if source.partition("/")[0] == "marquez":
        return f"{counts.read} of {counts.read + counts.unchanged} events and statements read"
    known = max(counts.read, counts.unchanged + counts.new + counts.changed)  # an empty statement is read, and is none of these
    return f"{counts.read} of {known} statements read"


Strict = Annotated[
    bool, typer.Option("--strict", help="Stop at the first source with a refusal, before any statement of that source is written.")
]


def sync(
    file: Annotated[Path, typer.Argument(help="The mesh file.", metavar="FILE")] = Path("mesh.yaml"),
    *,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load a mesh file and then all its sources, in order.

    Shows for each how many of its statements (or events) were read, unchanged, new, changed, retracted and refused. Unchanged
    statements are not written again. A source that cannot be read does not stop the others. Exit code 1 if any statement was
    refused or any source could not be read.
    """
    from meshline.cli.exit_codes import REFUSED
    from meshline.cli.terminal import write_message

    refused = False
    for done in sync_mesh(file, strict=strict, store=store, server=server):
        if done.loading is None:
            write_message(f"{done.source}: not read: {done.error}")
        else:
            report_sync(done)
        refused = refused or done.refused
    if refused:
        raise typer.Exit(REFUSED)


def sync_mesh(file: Path, *, strict: bool, store: str | None, server: str | None) -> Iterator[SyncOutcome]:
    """Yields the outcomes of the mesh file, of each of its sources, and of joining names by its rules.

    Raises InvalidInput if the file as a whole is invalid. `strict`: ends after the first outcome with a refusal.
    """
    from meshline.cli.store import open_graph
    from meshline.ingest import mesh as mesh_file
    from meshline.ingest.sources.sync import record_sync
    from meshline.ingest.sources.target import LocalTarget

    data = mesh_file.read_mesh_file(file)
    if strict:
        with exit_on_refusal():
            mesh_file.parse_mesh_file(data, str(file), strict=True)
    mesh = mesh_file.parse_mesh_file(data, str(file))
    if server is not None:
        from meshline.cli.http_client import HttpClient
        from meshline.cli.http_target import HttpTarget

        with HttpClient.connect(server) as remote:
            target = HttpTarget(remote)
            done = record_sync(target, mesh.source, lambda: _send_mesh(remote, mesh, data, file.name))
            yield done
            if done.error is not None:  # its rules are not the server's, or the server does not answer
                return
            yield from _sync_sources(target, mesh, file, strict=strict)
        return
    with open_graph(store, mesh=mesh) as graph:
        local = LocalTarget(graph.graph, graph.naming)
        yield record_sync(local, mesh.source, lambda: _load_mesh(graph, mesh, file))
        yield from _sync_sources(local, mesh, file, strict=strict)
        yield from _join_names(graph)


def _load_mesh(graph: OpenGraph, mesh: Mesh, file: Path) -> Loading:
    from meshline.ingest import mesh as mesh_file

    return mesh_file.load_mesh(graph.graph, mesh, graph.naming, mesh_file.read_file_time(file))


def _send_mesh(remote: HttpClient, mesh: Mesh, data: bytes, name: str) -> Loading:
    """Send a mesh file; a server loads a file as a whole or not at all."""
    from meshline.ingest.sources.reading_loader import Loading

    if mesh.refused:
        return Loading(mesh.source, 0, 0, 0, 0, 0, 0, 0, mesh.refused, ("a server loads mesh files as a whole: nothing is loaded",))
    done = remote.put_mesh(data, name=name)
    counts = (done.changed + done.unchanged, done.unchanged, done.new, done.changed - done.new, done.retracted, 0)
    return Loading(done.source, done.revision, *counts, (), tuple(done.warnings))


def _sync_sources(target: Target, mesh: Mesh, file: Path, *, strict: bool) -> Iterator[SyncOutcome]:
    from meshline.app.settings import read_variable
    from meshline.ingest.sources.sync import sync_source

    for configured in mesh.sources:
        done = sync_source(target, configured.source, file.absolute().parent, mesh.namespaces, variables=read_variable, strict=strict)
        yield done
        if strict and done.refused:
            return


def _join_names(graph: OpenGraph) -> Iterator[SyncOutcome]:
    """Join names by rules, after all sources."""
    from meshline.ingest.catalog_aliases import apply_rules
    from meshline.ingest.sources.sync import SyncOutcome

    loading = apply_rules(graph.graph)
    if loading is not None:
        yield SyncOutcome(loading.source, loading, None)


def sources(*, format: ListFormat = TextFormat.TEXT, store: Store = None, server: Server = None) -> None:  # noqa: A002 - the option's name
    """Show the sources, their statements and their last syncs."""
    from meshline.cli.client import convert_answer, open_client, read_query
    from meshline.cli.terminal import write_json, write_lines

    with open_client(store, server) as source:
        data = source.ask(read_query("sources"), {})["sources"]
    if format is TextFormat.JSON:
        write_json(data)
    else:
        write_lines(format_sources(convert_answer(data, list[SourceRow])))


class LastSync(msgspec.Struct, rename="camel", frozen=True):
    """The type Sync of the schema."""

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
    """The type Source of the schema."""

    name: str
    datasets: int
    statements: int
    lag: float | None
    next: str | None
    last_sync: LastSync | None


HEAD = ("source", "datasets", "statements", "last sync", "lag", "next", "what it did")


def format_sources(sources: Sequence[SourceRow]) -> Iterator[Line]:
    """A table with one line for each source."""
    if not sources:
        yield Line("no source has stated anything yet")
        return
    rows = [
        (
            source.name,
            str(source.datasets),
            str(source.statements),
            _format_time(source.last_sync.at) if source.last_sync is not None else "",
            format_duration(source.lag) if source.lag is not None else "",
            _format_time(source.next) if source.next is not None else "",
            "" if source.last_sync is None else _describe_sync(source.name, source.last_sync),
        )
        for source in sources
    ]
    yield from format_table([HEAD, *rows])


def _describe_sync(source: str, sync: LastSync) -> str:
    if sync.error:
        return f"failed: {sync.error}"
    counts = [describe_amount(source, sync), f"{sync.unchanged} unchanged"]
    counts += [f"{getattr(sync, name)} {name}" for name in ("new", "changed", "retracted", "refused") if getattr(sync, name)]
    return ", ".join(counts)


def _format_time(time: str) -> str:
    """A time (ISO 8601), cut to seconds."""
    return time[:19]


def format_duration(seconds: float) -> str:
    """A duration in its largest unit, rounded down."""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds)}s"
