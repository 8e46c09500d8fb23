"""`meshline check --git BASE`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated

import typer

from meshline.cli.check_command import checking
from meshline.cli.check_options import Things


@checking
def _changed(
    *,
    git: Annotated[
        str | None,
        typer.Option(
            help="Judge what has changed since the branch left this one (or this commit), in the files that the mesh file names.",
            show_default=False,
            metavar="BASE",
        ),
    ] = None,
    mesh: Annotated[Path, typer.Option(help="The mesh file.", metavar="FILE")] = Path("mesh.yaml"),
    base_tree: Annotated[
        Path | None,
        typer.Option(
            help="A checkout of the base (git worktree add) in which `dbt compile` ran: it has the base's target folders.",
            show_default=False,
            metavar="DIR",
        ),
    ] = None,
) -> Things:
    from meshline.errors import InvalidInput
    from meshline.ingest.changes.git import changed, compared
    from meshline.ingest.mesh import parse, read

    assert git is not None
    given, said = changed(git, mesh, base_tree), parse(read(mesh), str(mesh))
    found = compared((one.source for one in said.sources), mesh.absolute().parent)
    if not given and not any(found.values()):
        raise InvalidInput("its sources name no contracts, product specs, schemas, SQL or dbt project that could be compared", str(mesh))
    warnings = tuple(f"{source} has no files here, so it is not compared" for source, files in found.items() if not files)
    return Things(given, mesh.parent, said.namespaces, warnings, unchanged=max(0, sum(found.values()) - len(given)))


def check(context: typer.Context, **given: object) -> None:
    """Judge a change: may it ship, and who is hit?

    Exit code 0: it may. 1: there is a finding at or above --fail-on. 2: that could not be decided.
    """
    if context.invoked_subcommand is None:
        if given["git"] is None:
            raise typer.BadParameter("say what to check: a COMMAND, or --git BASE", context)
        _changed(**given)
        return
    said = [name for name in given if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"]
    if said:
        raise typer.BadParameter(f"options of {context.invoked_subcommand} come behind it; found --{said[0].replace('_', '-')}", context)


_OWN = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
check.__signature__ = inspect.Signature([_OWN, *inspect.signature(_changed).parameters.values()])  # type: ignore[attr-defined]
