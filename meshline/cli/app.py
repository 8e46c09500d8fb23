"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from meshline.cli import ingest_mesh, ingest_openlineage
from meshline.cli import store as stores
from meshline.cli import token as tokens
from meshline.cli.demo import demo
from meshline.cli.export import export
from meshline.cli.impact import impact
from meshline.cli.lineage import lineage
from meshline.cli.owners import owners
from meshline.cli.replay import replay
from meshline.cli.search import search
from meshline.cli.serve import serve

app = typer.Typer(
    name="meshline",
    help="What breaks, and whose is it: a lineage graph for data meshes.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:  # noqa: FBT001 - typer's callback
    if asked:
        from meshline import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _meshline(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)] = False,  # noqa: FBT002
) -> None: ...


def _group() -> None:
    """So that a group of one command is one."""


ingest = typer.Typer(help="Take metadata into the graph.", no_args_is_help=True)
ingest.command()(ingest_openlineage.openlineage)
ingest.command()(ingest_mesh.mesh)

store = typer.Typer(help="Look after a store.", no_args_is_help=True)
store.command()(stores.check)
store.command()(stores.compact)
store.command()(stores.backup)

token = typer.Typer(help="Make the tokens that a server asks for.", no_args_is_help=True)
token.command()(tokens.new)
token.callback()(_group)

app.command()(serve)
app.command()(demo)
app.add_typer(ingest, name="ingest")
app.command()(search)
app.command()(lineage)
app.command()(impact)
app.command()(owners)
app.command()(export)
app.command()(replay)
app.add_typer(store, name="store")
app.add_typer(token, name="token")
