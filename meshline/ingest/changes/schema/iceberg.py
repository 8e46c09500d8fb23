"""Iceberg: a table's or view's metadata, a catalog's answer that holds them, or a schema alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.contracts import Definition, Field, Model
from meshline.ingest.changes.alignment import by_transform
from meshline.ingest.changes.schema.base import Path
from meshline.ingest.changes.schema.base import Schema as Read
from meshline.ingest.sources.iceberg.facts import physical, schemas_by_id, table_of_file
from meshline.ingest.sources.iceberg.parse import Schema, Table, View, columns, metadata_of


def is_one(value: dict[str, Any]) -> bool:
    return bool(value.keys() & {"format-version", "current-schema-id", "view-uuid", "metadata", "table-uuid"}) or (
        value.get("type") == "struct" and all(isinstance(one, dict) and "id" in one for one in value.get("fields") or ())
    )


def read(value: Any, file: str) -> Read:
    """Raises InvalidInput."""
    if isinstance(value, dict) and value.get("type") == "struct":
        try:
            schema = msgspec.convert(value, Schema)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"it is no schema of Iceberg: {error}") from error
        return Read(Definition(_model("", schema), format="iceberg"), dict(_places(value, "", ())))
    metadata = metadata_of(msgspec.json.encode(value))
    place: Path = ("metadata",) if "metadata" in value else ()
    inner = value["metadata"] if place else value
    definition, number = _of_table(metadata) if isinstance(metadata, Table) else _of_view(metadata)
    places: dict[str, Path] = {}
    for i, one in enumerate(inner.get("schemas") or ()):
        if isinstance(one, dict) and one.get("schema-id", 0) == number:
            places = dict(_places(one, "", (*place, "schemas", i)))
    where = physical(metadata.location)
    names = (f"{where[0]}/{where[1]}" if where else "", table_of_file(PurePath(file).name))
    return Read(definition, places, tuple(name for name in names if "." in name or "/" in name))


def _of_table(table: Table) -> tuple[Definition, int]:
    current = schemas_by_id(table).get(table.current_schema_id)
    if current is None:
        raise InvalidInput(f"it has no schema {table.current_schema_id}, which it says is the current one")
    paths = {column.id: column.path for schema in schemas_by_id(table).values() for column in columns(schema)}
    paths |= {column.id: column.path for column in columns(current)}
    spec = next((spec.fields for spec in table.partition_specs if spec.spec_id == table.default_spec_id), ())
    parts = (
        by_transform(one.transform, [paths.get(id_, f"field {id_}") for id_ in one.source_ids or (one.source_id or 0,)]) for one in spec
    )
    model = _model(table.location, current)
    return Definition(model, format="iceberg", kind="table", partitioning=tuple(filter(None, parts))), table.current_schema_id


def _of_view(view: View) -> tuple[Definition, int]:
    version = next((one for one in view.versions if one.version_id == view.current_version_id), None)
    schema = next((one for one in view.schemas if version is not None and one.schema_id == version.schema_id), None)
    if version is None or schema is None:
        raise InvalidInput(f"the view has no version {view.current_version_id}, which it says is the current one, or no schema of it")
    sql, dialect = next(((one.sql, one.dialect) for one in version.representations if one.sql), ("", ""))
    return Definition(_model(view.location, schema), format="iceberg", kind="view", sql=sql, dialect=dialect), version.schema_id


def _model(name: str, schema: Schema) -> Model:
    fields = (
        Field(
            name=column.path,
            type=column.type,
            id=str(column.id),
            description=column.doc,
            required=column.required,
            primary_key=True if column.is_key else None,
        )
        for column in columns(schema)
    )
    return Model(name=name, fields=tuple(fields))


def _places(type_: Any, path: str, place: Path) -> Iterator[tuple[str, Path]]:
    """Where columns stand, nested ones by their dotted paths."""
    if not isinstance(type_, dict):
        return
    for i, one in enumerate(type_.get("fields") or ()):
        inside = f"{path}{one.get('name')}"
        yield inside, (*place, "fields", i)
        yield from _places(one.get("type"), f"{inside}.", (*place, "fields", i, "type"))
    for part in ("element", "key", "value"):
        if part in type_:
            yield f"{path}{part}", (*place, part)
            yield from _places(type_[part], f"{path}{part}.", (*place, part))
