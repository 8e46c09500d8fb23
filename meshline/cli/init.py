"""`meshline init`: drafts a mesh file from what a folder has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshline.cli.terminal import Line
from meshline.errors import InvalidInput
from meshline.words import format_count

if TYPE_CHECKING:
    from meshline.ingest.discovery import Draft


def init(
    folder: Annotated[Path, typer.Argument(help="The folder that is examined.", metavar="FOLDER")] = Path(),
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The mesh file to write, in FOLDER. [default: FOLDER/mesh.yaml]", show_default=False),
    ] = None,
    servers: Annotated[
        bool, typer.Option("--servers", help="Read the servers that configurations name, too, instead of commenting them out.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the file and what was found.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Draft a mesh file from what a folder has.

    Recognises dbt projects, OpenLineage events, data contracts, data product specifications, Iceberg metadata, Delta tables, Debezium
    connectors, SQL, Soda, Great Expectations, DuckDB files, usage, metadata of DataHub, and the servers that Docker Compose,
    .pyiceberg.yaml, openlineage.yml, hive-site.xml and the names of variables (of the environment, of .env files) show. Secrets become
    variables, whose values are not read. Nothing is executed and no connection is made. `meshline sync` then reads what was found.
    """
    from meshline.cli.terminal import write_lines, write_message
    from meshline.ingest.discovery import draft_mesh_file

    if not folder.is_dir():
        raise InvalidInput("there is no such folder", str(folder))
    file = folder / "mesh.yaml" if output is None else output
    if not file.parent.resolve().samefile(folder.resolve()):
        raise InvalidInput(f"paths in it begin at its own folder; accepted is a file in {folder}", "--output")
    draft = draft_mesh_file(folder, file.name, servers=servers, variables=os.environ.keys())
    if dry_run:
        write_lines(Line(line) for line in draft.text.splitlines())
    for line in _describe_draft(draft):
        write_message(line)
    if not dry_run:
        write_message(_write_file(file, draft.text, force=force))


def _describe_draft(draft: Draft) -> Iterator[str]:
    yield f"{format_count(len(draft.found), 'source')} found"
    yield from (f"  {text}" for text in draft.found)
    if draft.left_out:
        yield "left out:"
        yield from (f"  {text}" for text in draft.left_out)
    if draft.secrets:
        yield f"set these variables of the environment: {', '.join(draft.secrets)}"


def _write_file(file: Path, text: str, *, force: bool) -> str:
    """Write the file, and return what was done. Raises InvalidInput if there is another one, without `force`."""
    try:
        if file.is_symlink():
            raise InvalidInput("it is a link, which is not replaced", str(file))
        if file.exists():
            if file.read_bytes() == text.encode():
                return f"{file} is up to date"
            if not force:
                raise InvalidInput(
                    "there is a file already, and it is another one; --force replaces it, --dry-run shows the new one", str(file)
                )
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        beside.write_text(text, "utf-8")
        beside.replace(file)
    except OSError as error:
        raise InvalidInput(f"cannot be written: {error.strerror or error}", str(file)) from error
    return f"{file} is written: `meshline sync {file}` reads it"
