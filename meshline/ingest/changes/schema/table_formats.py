"""Table formats: the schemas that Delta logs and Iceberg metadata contain.

Delta: a schema as the log stores it (`schemaString`), or commits, of which the last one with metadata counts.
Iceberg: the metadata of a table or view, a catalog's answer that contains it, or a schema alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.contracts import Definition, Field, Model
from meshline.ingest.changes.alignment import format_transform
from meshline.ingest.documents import decode_text
from meshline.ingest.schemas.base import Path, Schema, parse_json
from meshline.ingest.sources.delta.parse import COMMENT, DEFAULT, Column
from meshline.ingest.sources.delta.parse import parse_columns as delta_columns
from meshline.ingest.sources.iceberg.facts import index_schemas, parse_file_name, parse_location
from meshline.ingest.sources.iceberg.parse import Schema as IcebergSchema
from meshline.ingest.sources.iceberg.parse import Table, View, list_columns, parse_metadata

LOG = "_delta_log"
_ACTIONS = frozenset(
    {"metaData", "protocol", "add", "remove", "txn", "commitInfo", "cdc", "domainMetadata", "sidecar", "checkpointMetadata"}
)


def is_delta(value: dict[str, Any]) -> bool:
    return bool(value.keys() & {"metaData", "schemaString"}) or (
        value.get("type") == "struct" and any(isinstance(one, dict) and "nullable" in one for one in value.get("fields") or ())
    )


def find_metadata(data: bytes, file: str) -> dict[str, Any] | None:
    """The last metadata in a text with an action on each line; None if the text is of another form. Raises InvalidInput if it has none."""
    lines = [line for line in decode_text(data, file).splitlines() if line.strip()]
    actions = [_parse_action(line) for line in lines]
    if not lines or None in actions:
        return None
    found = [one["metaData"] for one in actions if one is not None and isinstance(one.get("metaData"), dict)]
    if not found:
        raise InvalidInput("no commit in it has metadata: give the one that made or altered the table, or the folder of the log", file)
    return {"metaData": found[-1]}


def parse_delta(value: Any, file: str) -> Schema:
    """Parse a Delta schema or the metadata of a commit. Raises InvalidInput."""
    if not isinstance(value, dict):
        raise InvalidInput("it is no schema of Delta: a mapping with fields, schemaString or metaData is")
    metadata = value.get("metaData", value)
    text = metadata.get("schemaString") if isinstance(metadata, dict) else None
    schema = parse_json(text.encode(), file) if isinstance(text, str) else metadata
    found = delta_columns(schema if isinstance(schema, dict) else {})
    partitions = metadata.get("partitionColumns") if isinstance(text, str) else None
    name = str(metadata.get("name") or "") if isinstance(text, str) else ""
    definition = Definition(
        Model(name=name, fields=tuple(map(_build_field, found))),
        format="delta",
        kind="table" if isinstance(text, str) else "",
        partitioning=tuple(map(str, partitions)) if isinstance(partitions, list) else (),
    )
    places = {} if isinstance(text, str) else {column.path: ("fields", i) for i, column in enumerate(c for c in found if "." not in c.path)}
    return Schema(definition, places, tuple(filter(None, (_find_table_folder(file), name))))


def _parse_action(line: str) -> dict[str, Any] | None:
    """Parse a line of a commit, whose keys are actions; None if it is no action."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) and found and found.keys() <= _ACTIONS else None


def _build_field(column: Column) -> Field:
    identity = column.identity
    return Field(
        name=column.path,
        type=column.type,
        id="" if identity is None else f"{identity[0]}{identity[1]}",
        description=str(column.metadata.get(COMMENT) or ""),
        required=not column.nullable,
        defaulted=True if DEFAULT in column.metadata else None,
    )


def _find_table_folder(file: str) -> str:
    """The name of the table whose log contains a file; empty if the file is in no log."""
    parts = PurePath(file).parts
    return f"file/{PurePath(*parts[: parts.index(LOG)])}" if LOG in parts[1:] and file.startswith("/") else ""


def is_iceberg(value: dict[str, Any]) -> bool:
    return bool(value.keys() & {"format-version", "current-schema-id", "view-uuid", "metadata", "table-uuid"}) or (
        value.get("type") == "struct" and all(isinstance(one, dict) and "id" in one for one in value.get("fields") or ())
    )


def parse_iceberg(value: Any, file: str) -> Schema:
    """Parse an Iceberg schema, or the metadata of a table or view. Raises InvalidInput."""
    if isinstance(value, dict) and value.get("type") == "struct":
        try:
            schema = msgspec.convert(value, IcebergSchema)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"it is no schema of Iceberg: {error}") from error
        return Schema(Definition(_build_model("", schema), format="iceberg"), dict(_find_places(value, "", ())))
    metadata = parse_metadata(msgspec.json.encode(value))
    place: Path = ("metadata",) if "metadata" in value else ()
    inner = value["metadata"] if place else value
    definition, number = _read_table(metadata) if isinstance(metadata, Table) else _read_view(metadata)
    places: dict[str, Path] = {}
    for i, one in enumerate(inner.get("schemas") or ()):
        if isinstance(one, dict) and one.get("schema-id", 0) == number:
            places = dict(_find_places(one, "", (*place, "schemas", i)))
    where = parse_location(metadata.location)
    names = (f"{where[0]}/{where[1]}" if where else "", parse_file_name(PurePath(file).name))
    return Schema(definition, places, tuple(name for name in names if "." in name or "/" in name))


def _read_table(table: Table) -> tuple[Definition, int]:
    current = index_schemas(table).get(table.current_schema_id)
    if current is None:
        raise InvalidInput(f"it has no schema {table.current_schema_id}, its current schema")
    paths = {column.id: column.path for schema in index_schemas(table).values() for column in list_columns(schema)}
    paths |= {column.id: column.path for column in list_columns(current)}
    spec = next((spec.fields for spec in table.partition_specs if spec.spec_id == table.default_spec_id), ())
    parts = (
        format_transform(one.transform, [paths.get(id_, f"field {id_}") for id_ in one.source_ids or (one.source_id or 0,)]) for one in spec
    )
    model = _build_model(table.location, current)
    return Definition(model, format="iceberg", kind="table", partitioning=tuple(filter(None, parts))), table.current_schema_id


def _read_view(view: View) -> tuple[Definition, int]:
    version = next((one for one in view.versions if one.version_id == view.current_version_id), None)
    schema = next((one for one in view.schemas if version is not None and one.schema_id == version.schema_id), None)
    if version is None or schema is None:
        raise InvalidInput(f"the view has no version {view.current_version_id}, its current version, or no schema of that version")
    sql, dialect = next(((one.sql, one.dialect) for one in version.representations if one.sql), ("", ""))
    return Definition(_build_model(view.location, schema), format="iceberg", kind="view", sql=sql, dialect=dialect), version.schema_id


def _build_model(name: str, schema: IcebergSchema) -> Model:
    fields = (
        Field(
            name=column.path,
            type=column.type,
            id=str(column.id),
            description=column.doc,
            required=column.required,
            primary_key=True if column.is_key else None,
        )
        for column in list_columns(schema)
    )
    return Model(name=name, fields=tuple(fields))


def _find_places(type_: Any, path: str, place: Path) -> Iterator[tuple[str, Path]]:
    """The path of each column in the JSON, nested columns by their dotted names."""
    if not isinstance(type_, dict):
        return
    for i, one in enumerate(type_.get("fields") or ()):
        inside = f"{path}{one.get('name')}"
        yield inside, (*place, "fields", i)
        yield from _find_places(one.get("type"), f"{inside}.", (*place, "fields", i, "type"))
    for part in ("element", "key", "value"):
        if part in type_:
            yield f"{path}{part}", (*place, part)
            yield from _find_places(type_[part], f"{path}{part}.", (*place, part))
