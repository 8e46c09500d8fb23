"""The fields of messages by their schemas, with the names that schema registries' columns have: `lines.element.price`, `counts.value`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

MAX_FIELDS = 5_000  # of one schema, records that are used several times counted as often
MAX_NESTING = 64

Schema: TypeAlias = "Mapping[str, Schema] | None"  # the fields of a record by name, in order; None: a field without fields


class SchemaTooLargeError(Exception):
    """A schema is over one of the limits."""


def read_avro_fields(text: str) -> Schema:
    """The fields of a schema of Avro, in JSON. A record that contains itself is not repeated. Raises SchemaTooLargeError; ValueError,
    TypeError, LookupError if it is no schema.
    """
    return _AvroReader().read(msgspec.json.decode(text), "", ())


def read_spark_fields(kind: Any) -> Schema:
    """The fields of a type of Spark, as its JSON. Raises as `read_avro_fields`."""
    return _read_type(kind, 0)


class _AvroReader:
    def __init__(self) -> None:
        self._named: dict[str, Mapping[str, Any]] = {}  # by full name
        self._number = 0

    def read(self, schema: Any, namespace: str, around: tuple[str, ...]) -> Schema:
        """`namespace`: of names without one. `around`: the full names of the records that the schema is in; empty for arrays and maps."""
        if len(around) > MAX_NESTING:
            raise SchemaTooLargeError
        if isinstance(schema, list):
            kinds = [kind for kind in schema if kind != "null"]
            return self.read(kinds[0], namespace, around) if len(kinds) == 1 else None
        if isinstance(schema, str):
            full = next((name for name in (f"{namespace}.{schema}", schema) if name in self._named), None)
            return None if full is None or full in around else self._read_record(self._named[full], full, around)
        if not isinstance(schema.get("type"), str):  # a logical type around another
            return self.read(schema["type"], namespace, (*around, ""))
        return self._read_named(schema, namespace, around)

    def _read_named(self, schema: Mapping[str, Any], namespace: str, around: tuple[str, ...]) -> Schema:
        match schema["type"]:
            case "record":
                name, own = schema["name"], schema.get("namespace", namespace)
                full = name if "." in name or not own else f"{own}.{name}"
                self._named[full] = schema
                return self._read_record(schema, full, around)
            case "array":
                return {"element": self.read(schema["items"], namespace, (*around, ""))}
            case "map":
                return {"value": self.read(schema["values"], namespace, (*around, ""))}
            case kind:
                return self.read(kind, namespace, around)

    def _read_record(self, schema: Mapping[str, Any], full: str, around: tuple[str, ...]) -> Schema:
        self._number += len(schema["fields"])
        if self._number > MAX_FIELDS:
            raise SchemaTooLargeError
        namespace = full.rpartition(".")[0]
        return {field["name"]: self.read(field["type"], namespace, (*around, full)) for field in schema["fields"]}


def _read_type(kind: Any, depth: int) -> Schema:
    if depth > MAX_NESTING:
        raise SchemaTooLargeError
    if not isinstance(kind, dict):
        return None
    match kind.get("type"):
        case "struct":
            if len(kind["fields"]) > MAX_FIELDS:
                raise SchemaTooLargeError
            return {field["name"]: _read_type(field["type"], depth + 1) for field in kind["fields"]}
        case "array":
            return {"element": _read_type(kind["elementType"], depth + 1)}
        case "map":
            return {"value": _read_type(kind["valueType"], depth + 1)}
        case _:
            return None
