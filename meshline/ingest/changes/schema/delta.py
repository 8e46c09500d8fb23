"""Delta: a schema as the log has it (`schemaString`), or commits of which the last that has metadata says it."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.contracts import Definition, Field, Model
from meshline.ingest.changes.schema.base import Schema, json_value
from meshline.ingest.documents import text_of
from meshline.ingest.sources.delta.parse import COMMENT, DEFAULT, Column, columns

LOG = "_delta_log"


def is_one(value: dict[str, Any]) -> bool:
    return bool(value.keys() & {"metaData", "schemaString"}) or (
        value.get("type") == "struct" and any(isinstance(one, dict) and "nullable" in one for one in value.get("fields") or ())
    )


def commits(data: bytes, file: str) -> dict[str, Any] | None:
    """The last metadata of a text of which each line is an action; None if it is no such text. Raises InvalidInput if it has none."""
    lines = [line for line in text_of(data, file).splitlines() if line.strip()]
    actions = [_action(line) for line in lines]
    if not lines or None in actions:
        return None
    found = [one["metaData"] for one in actions if one is not None and isinstance(one.get("metaData"), dict)]
    if not found:
        raise InvalidInput("no commit in it has metadata: give the one that made or altered the table, or the folder of the log", file)
    return {"metaData": found[-1]}


def read(value: Any, file: str) -> Schema:
    """Raises InvalidInput."""
    if not isinstance(value, dict):
        raise InvalidInput("it is no schema of Delta: a mapping with fields, schemaString or metaData is")
    said = value.get("metaData", value)
    text = said.get("schemaString") if isinstance(said, dict) else None
    schema = json_value(text.encode(), file) if isinstance(text, str) else said
    found = columns(schema if isinstance(schema, dict) else {})
    partitions = said.get("partitionColumns") if isinstance(text, str) else None
    name = str(said.get("name") or "") if isinstance(text, str) else ""
    definition = Definition(
        Model(name=name, fields=tuple(map(_field, found))),
        format="delta",
        kind="table" if isinstance(text, str) else "",
        partitioning=tuple(map(str, partitions)) if isinstance(partitions, list) else (),
    )
    places = {} if isinstance(text, str) else {column.path: ("fields", i) for i, column in enumerate(c for c in found if "." not in c.path)}
    return Schema(definition, places, tuple(filter(None, (_folder(file), name))))


def _action(line: str) -> dict[str, Any] | None:
    """A line of a commit: one key, that of the action."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) and found and found.keys() <= _ACTIONS else None


def _field(column: Column) -> Field:
    identity = column.identity
    return Field(
        name=column.path,
        type=column.type,
        id="" if identity is None else f"{identity[0]}{identity[1]}",
        description=str(column.metadata.get(COMMENT) or ""),
        required=not column.nullable,
        defaulted=True if DEFAULT in column.metadata else None,
    )


def _folder(file: str) -> str:
    """The table of a log's file."""
    parts = PurePath(file).parts
    return f"file/{PurePath(*parts[: parts.index(LOG)])}" if LOG in parts[1:] and file.startswith("/") else ""


_ACTIONS = frozenset(
    {"metaData", "protocol", "add", "remove", "txn", "commitInfo", "cdc", "domainMetadata", "sidecar", "checkpointMetadata"}
)
