"""`meshline store check|compact|backup` and `meshline replay`, and the store or its graph that a command opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from meshline.cli.options import Config, Store
from meshline.errors import NotFound

SLOW_SECONDS = 1.0  # a graph that takes longer to open is kept for the next command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshline.cli.terminal import Advance
    from meshline.graph.live_graph import LiveGraph
    from meshline.graph.naming import Naming
    from meshline.graph.store.base import Pruned
    from meshline.graph.store.base import Store as OpenStore
    from meshline.graph.store.integrity import Check
    from meshline.ingest.mesh import Mesh


def replay(
    *,
    to: Annotated[str, typer.Option(help="The new store.", metavar="URL")],
    mesh: Annotated[Path | None, typer.Option(help="A mesh file whose naming and precedence rules the new store follows.")] = None,
    store: Store = None,
) -> None:
    """Make a new store from an existing one.

    The new store may follow other naming rules. Stored events are ingested again; other statements, and those of events that
    are not stored any more, are copied.
    """
    from meshline.app.replay import copy_store
    from meshline.cli.exit_codes import REFUSED
    from meshline.cli.terminal import show_progress, write_message
    from meshline.ingest.mesh import parse_mesh_file, read_mesh_file

    parsed = None if mesh is None else parse_mesh_file(read_mesh_file(mesh), str(mesh), strict=True)
    with open_store_at(store, must_exist=True) as old, open_store_at(to) as new, show_progress("events and statements") as advance:
        result = copy_store(old, new, parsed, lambda error: write_message(f"refused: {error}"), advance)
    write_message(
        f"{result.events} events replayed, {result.statements} statements copied"
        + (f", {result.refused} refused" if result.refused else "")
    )
    if result.refused:
        raise typer.Exit(REFUSED)


def check(*, store: Store = None, config: Config = None) -> None:
    """Check the whole content of a store for consistency.

    Changes nothing, and may run while servers use the store. Exit code 1 if the store is damaged.
    """
    from meshline.cli.exit_codes import REFUSED
    from meshline.cli.terminal import Line, show_progress, write_lines, write_message

    wrong = 0
    with show_progress("rows checked") as advance:
        for one in _run_checks(store, config, advance):
            wrong += one.wrong
            write_lines([Line(f"{'ok   ' if one.passed else 'WRONG'} {one.what}: {one.looked_at}", "" if one.passed else "bold red")])
            for problem in one.problems:
                write_message(f"      {problem}")
            if one.wrong > len(one.problems):
                write_message(f"      and {one.wrong - len(one.problems)} more")
    if wrong:
        write_message("the store is damaged: restore it from a backup")
        raise typer.Exit(REFUSED)
    write_lines([Line("the store is sound")])


def _run_checks(store: str | None, config: Path | None, advance: Advance) -> Iterator[Check]:
    from meshline.errors import StoreCorrupt
    from meshline.graph.index.integrity import check_index
    from meshline.graph.store.factory import find_sqlite_path, list_database_checks
    from meshline.graph.store.integrity import Findings, run_checks
    from meshline.graph.store.sqlite.maintenance import list_file_checks
    from meshline.ingest.mesh import read_stored_rules

    try:
        url = get_store_url(store, config)
        path = find_sqlite_path(url)
        if path is not None and Path(path).exists():
            yield from list_file_checks(str(path), advance)  # first, because a damaged file may not open as a store
        with open_store_at(url, must_exist=True) as opened:
            yield from run_checks(opened, advance)
            yield from list_database_checks(url)
            yield from check_index(opened, read_stored_rules(opened)[1], advance)
    except StoreCorrupt as error:
        found = Findings("the rest could not be checked")
        found.add_problem(str(error))
        yield found.build_check()


def compact(*, store: Store = None, config: Config = None) -> None:
    """Drop what is past its retention and what no statement refers to, pack repeated statements, and free the disk space.

    No answer about the graph changes, as of whichever time. An SQLite store must not be open elsewhere: stop its server first.
    """
    from meshline.app.retention import build_retention
    from meshline.app.settings import load_settings
    from meshline.cli.terminal import write_message
    from meshline.graph.store.factory import find_sqlite_path
    from meshline.graph.store.sqlite.maintenance import compact_file
    from meshline.ingest.openlineage.builder import find_run_age
    from meshline.words import format_count

    settings = load_settings(store=store, config=config)
    before = settings.compute_raw_cutoff()
    path = find_sqlite_path(settings.store)
    with open_store_at(settings.store, must_exist=True) as opened:
        retention = build_retention(settings, opened)
        if path is None:
            pruned, raw = opened.prune_history(retention, find_run_age), opened.prune_raw_events(before)
            write_message(f"{_describe_pruned(pruned)} and {format_count(raw, 'raw event')}")
            return
    done = compact_file(str(path), before, retention, find_run_age)
    write_message(
        f"{_describe_pruned(done.pruned)}, {format_count(done.contents, 'content')}, {format_count(done.labels, 'label')}"
        f" and {format_count(done.raw, 'raw event')}; {done.before:,} bytes before, {done.after:,} now"
    )


def _describe_pruned(pruned: Pruned) -> str:
    from meshline.words import format_count

    return (
        f"packed {format_count(pruned.observations, 'observation')}; dropped {format_count(pruned.runs, 'run')},"
        f" {format_count(pruned.records, 'record')}"
    )


def backup(
    file: Annotated[Path, typer.Argument(help="The file to make: an SQLite store.", metavar="FILE")],
    *,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if there is one.")] = False,
    store: Store = None,
    config: Config = None,
) -> None:
    """Copy a store as of one moment, while servers continue writing to it.

    The file is a store: `--store sqlite:///FILE` reads it. To restore, put it in the place of the store.
    """
    from meshline.cli.terminal import show_progress, write_message
    from meshline.graph.store.factory import back_up_store

    with show_progress("rows copied") as advance:
        size = back_up_store(get_store_url(store, config), file, overwrite=overwrite, advance=advance)
    write_message(f"{file}: {size:,} bytes")


def get_store_url(url: str | None = None, config: Path | None = None) -> str:
    """The address of the store: the given one, else that of the settings."""
    from meshline.app.settings import load_settings

    return load_settings(store=url, config=config).store


@contextmanager
def open_store_at(url: str | None, *, must_exist: bool = False) -> Iterator[OpenStore]:
    """The store at an address (None: that of the settings). It is created if needed; with `must_exist`, NotFound is raised instead."""
    from meshline.graph.store.factory import find_sqlite_path, open_store

    url = get_store_url(url)
    path = find_sqlite_path(url)
    if must_exist and path is not None and not path.exists():
        raise NotFound(f"there is no store at {path}: `meshline ingest` and `meshline serve` make one, --store names another")
    with closing(open_store(url)) as store:
        yield store


class OpenGraph(NamedTuple):
    """A graph, and the naming rules of its store."""

    graph: LiveGraph
    naming: Naming


@contextmanager
def open_graph(url: str | None, *, must_exist: bool = False, mesh: Mesh | None = None) -> Iterator[OpenGraph]:
    """The graph of a store, with the rules of the store, or with those of a mesh file."""
    import time

    from meshline.app.kept_files import find_snapshots
    from meshline.app.settings import load_settings
    from meshline.graph.index.kernels.jit import compile_kernels_soon
    from meshline.graph.live_graph import LiveGraph
    from meshline.ingest.mesh import build_configuration, configure_store
    from meshline.ingest.partings import end_partings

    settings = load_settings(store=url)
    with open_store_at(url, must_exist=must_exist) as store:
        naming, precedence = configure_store(store, *(build_configuration(mesh) if mesh is not None else ()))
        begun = time.monotonic()
        graph = LiveGraph.open(store, precedence, snapshots=find_snapshots(settings, settings.store))
        took = time.monotonic() - begun
        if graph.index.is_large:
            compile_kernels_soon()
        end_partings(graph)
        yield OpenGraph(graph, naming)
        if took > SLOW_SECONDS:  # the next command need not wait as long
            graph.prepare_lookup()
            graph.keep_index(at_end=True)
