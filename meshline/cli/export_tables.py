"""The exported graph as tables: CSV, in a folder or a zip file, and Parquet."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from meshline.app.exported_graph import ExportedGraph, Row
from meshline.cli.terminal import format_csv
from meshline.errors import InvalidInput, require_extra
from meshline.graph.model import Json

if TYPE_CHECKING:
    import pyarrow as pa

ASSETS = ("id", "kind", "name", "qualified_name", "description", "attributes")
EDGES = ("source", "target", "type", "flow", "subtype", "masking", "covered", "job", "said_by", "since", "provisional", "attributes")
FLAGS = {"masking", "covered", "provisional"}
OLDEST = (1980, 1, 1, 0, 0, 0)  # the time of all entries of a zip file: the same graph gives the same file


def write_csv_tables(graph: ExportedGraph, output: Path) -> None:
    """Write `assets.csv` and `edges.csv` into a zip file (a name that ends in .zip) or a folder, which is made if needed."""
    tables = {f"{name}.csv": _format_table(columns, rows) for name, columns, rows in _list_tables(graph)}
    try:
        if output.suffix.lower() == ".zip":
            with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, text in tables.items():
                    archive.writestr(zipfile.ZipInfo(name, OLDEST), text.encode(), zipfile.ZIP_DEFLATED)
            return
        output.mkdir(parents=True, exist_ok=True)
        for name, text in tables.items():
            (output / name).write_text(text, "utf-8", newline="")
    except OSError as error:
        raise InvalidInput(f"cannot be written: {error.strerror or error}", str(output)) from error


def write_parquet_tables(graph: ExportedGraph, output: Path) -> None:
    """Write `assets.parquet` and `edges.parquet` into a folder, which is made if needed. Raises MissingExtra."""
    with require_extra("parquet", "export to Parquet"):
        import pyarrow.parquet as pq
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, columns, rows in _list_tables(graph):
            pq.write_table(_build_table(columns, rows), output / f"{name}.parquet")
    except OSError as error:
        raise InvalidInput(f"cannot be written: {error.strerror or error}", str(output)) from error


def _list_tables(graph: ExportedGraph) -> Iterator[tuple[str, Sequence[str], list[Row]]]:
    yield "assets", ASSETS, [_flatten_asset(node) for node in graph.iterate_nodes()]
    yield "edges", EDGES, graph.list_edges()


def _flatten_asset(node: Row) -> Row:
    """A node with its description as a column of its own."""
    attributes = node["attributes"]
    assert isinstance(attributes, Mapping)
    others = {name: value for name, value in attributes.items() if name != "description"}
    return {**node, "description": attributes.get("description"), "attributes": others}


def _format_table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    text = io.StringIO(newline="")
    format_csv(text, columns, ([_format_value(row.get(column)) for column in columns] for row in rows))
    return text.getvalue()


def _format_value(value: Json) -> str:
    """A value as a cell: JSON for lists, mappings and flags."""
    if value is None or value == {}:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _build_table(columns: Sequence[str], rows: Sequence[Row]) -> pa.Table:
    import pyarrow as pa

    fields = [(column, pa.bool_() if column in FLAGS else pa.string()) for column in columns]
    data = {column: [row.get(column) if column in FLAGS else _format_value(row.get(column)) or None for row in rows] for column in columns}
    return pa.table(data, schema=pa.schema(fields))
