"""`meshline check schema OLD [NEW]`."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from meshline.cli.check_command import checking
from meshline.cli.check_options import Things
from meshline.errors import InvalidInput


class SchemaFormat(enum.StrEnum):
    ICEBERG = "iceberg"
    DELTA = "delta"
    AVRO = "avro"
    JSON = "json"


@checking
def schema(
    old: Annotated[str, typer.Argument(help="The schema as it is; without NEW, as it is to be; or -.", metavar="OLD")],
    new: Annotated[str | None, typer.Argument(help="The schema as it is to be.", show_default=False, metavar="NEW")] = None,
    *,
    kind: Annotated[
        SchemaFormat | None,
        typer.Option(
            "--as",
            help="Iceberg table metadata, a Delta schema, an Avro or a JSON schema. [default: told from the content]",
            show_default=False,
            case_sensitive=False,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Whose schema it is, as any of its names or the end of one. [default: the name in the file]", show_default=False),
    ] = None,
    catalog: Annotated[
        str | None,
        typer.Option(
            help="Compare with the live table that --dataset names (as schema.table) in this Iceberg catalog: a URI, or pyiceberg's name.",
            show_default=False,
            metavar="URI",
        ),
    ] = None,
) -> Things:
    """Judge a change of a table's or a message's schema. One file is compared with what the graph knows of the dataset.

    A folder is a Delta table, or an Iceberg table's with its metadata.
    """
    from pathlib import Path

    from meshline.cli.check_files import STDIN, chosen, versions
    from meshline.ingest.changes.schema import live_table, schema_file

    files = [name if name == STDIN else str(schema_file(Path(name))) for name in (old, new) if name is not None]
    options = chosen(format=kind, dataset=dataset)
    if catalog is None:
        return Things([versions("schema", files[0], files[1] if new is not None else None, options)], against_graph=new is None)
    if dataset is None or new is not None:
        raise InvalidInput("is for one file: say its table with --dataset", "--catalog")
    given = versions("schema", files[0], None, options)
    return Things([given._replace(before=live_table(catalog, dataset.rpartition("/")[2]))])
