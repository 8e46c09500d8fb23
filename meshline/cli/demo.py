"""`meshline demo`, with the example mesh of the installed package or of a checkout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

import meshline
from meshline.cli.serve import Host, Port
from meshline.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from meshline.cli.terminal import Line

Store: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="The store for the example; it may have the example from an earlier demo. [default: a new store, removed at the end]",
        show_default=False,
        metavar="URL",
    ),
]


def demo(*, store: Store = None, host: Host = None, port: Port = None) -> None:
    """Serve the example mesh from a store of its own. Needs no extra."""
    from meshline.app.settings import load_settings
    from meshline.cli.serve import run_server
    from meshline.cli.terminal import write_lines

    with _choose_store(store) as url:
        fill_store(url)
        write_lines(_build_story(url))
        run_server(load_settings(store=url, host=host, port=port, log_level="warning"), print_invitation)


def print_invitation(address: str) -> None:
    """Write where the example is, and what to try."""
    from urllib.parse import quote

    from meshline.cli.serve import has_page
    from meshline.cli.terminal import write_message

    for line in (INVITATION, PAGE if has_page() else WITHOUT_PAGE, *COMMANDS.splitlines()):
        write_message(line.format(url=address, dropped=quote(DROPPED), meshline=_find_command()))


def _find_command() -> str:
    """The command that runs meshline: its name if it is on the PATH, else its relative path."""
    import os
    import shutil
    import sys

    return "meshline" if shutil.which("meshline") else os.path.relpath(sys.argv[0])


DROPPED = "customers.email"
SOURCE = "mesh/example-mesh"

INVITATION = "The example mesh is on {url}"
PAGE = "Its page, in a browser: {url}/search?q={dropped}"
WITHOUT_PAGE = "Its page for browsers is not built: {url} shows how to get it."
COMMANDS = """\
Or try, in another terminal:
  {meshline} impact customers.email --server {url}
  {meshline} lineage finance.revenue_daily --upstream --granularity product --server {url}
  {meshline} owners orders.customer_orders --server {url}
Ctrl-C ends it."""


def _build_story(url: str) -> list[Line]:
    """The question that the example is made for, and the beginning of its answer: the verdict and the consumers to notify."""
    from itertools import takewhile

    from meshline.cli.client import LocalClient, convert_answer, resolve_assets
    from meshline.cli.impact import Impact, ask_impact, format_impact
    from meshline.cli.store import open_graph
    from meshline.cli.terminal import Line
    from meshline.graph.store.factory import mask_credentials

    with open_graph(url, must_exist=True) as graph:
        if not graph.graph.index.changes.list_statements(SOURCE):
            raise InvalidInput(
                f"{mask_credentials(url)} contains other data than the example: name a new store, or serve it by `meshline serve`",
                "--store",
            )
        source = LocalClient(graph)
        starts = resolve_assets(source, [DROPPED])
        answer = format_impact(convert_answer(ask_impact(source, starts), Impact), starts)
    beginning = takewhile(lambda line: not line.text.startswith("NOTIFY OWNERS"), answer)
    return [Line(f'"I will drop {DROPPED}: who breaks?"'), Line(f"$ meshline impact {DROPPED}"), *beginning]


@contextmanager
def _choose_store(given: str | None) -> Iterator[str]:
    """The given store, or one in a folder that is removed at the end."""
    import tempfile

    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="meshline-demo-") as folder:
        yield f"sqlite:///{Path(folder) / 'demo.db'}"


def fill_store(url: str) -> None:
    """Load the example, unless the store contains something already."""
    from meshline.cli.store import open_graph, open_store_at
    from meshline.ingest.mesh import load_mesh, parse_mesh_file, read_file_time, read_mesh_file
    from meshline.ingest.openlineage.builder import BatchBuilder
    from meshline.ingest.pipeline import Pipeline

    with open_store_at(url) as store:
        if store.read_revision() > 0:
            return
    folder = find_example()
    path = folder / "mesh.yaml"
    mesh = parse_mesh_file(read_mesh_file(path), str(path), strict=True)
    with open_graph(url, mesh=mesh) as graph:
        load_mesh(graph.graph, mesh, graph.naming, read_file_time(path))
        pipeline = Pipeline(graph.graph, BatchBuilder(graph.naming))
        try:
            # Together: one by one, their number of commits, and with it the revision that the page shows, would depend on time.
            for accepted in pipeline.submit_all((body, None) for body in _read_bodies(folder / "events")):
                accepted.result()
        finally:
            pipeline.close()


def _read_bodies(folder: Path) -> Iterator[bytes]:
    """The events of these files. Raises InvalidInput."""
    from meshline.ingest.openlineage.event_files import read_events

    for event in read_events([str(folder)]):
        if isinstance(event, InvalidInput):
            raise event
        yield event[1]


def find_example() -> Path:
    """The folder with the example's `mesh.yaml` and `events`. Raises NotFound."""
    package = Path(meshline.__file__).parent
    for folder in (package / "example", package.parent / "examples" / "mesh"):
        if (folder / "mesh.yaml").is_file():
            return folder
    raise NotFound("the example mesh is not installed: reinstall meshline, or run `meshline demo` from a checkout")
