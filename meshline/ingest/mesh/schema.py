"""The published JSON Schema of the mesh file (`meshline/ingest/mesh.schema.json`, made by scripts/make-docs)."""

from __future__ import annotations

import json
from typing import Any

from meshline.ingest.mesh.format import MeshFile
from meshline.ingest.sources.registry import KINDS, source_class


def json_schema() -> str:
    """The text of `mesh.schema.json`. Needs the extras of all sources."""
    schema = {key: value for key, value in MeshFile.model_json_schema().items() if key != "title"}
    entry = schema["$defs"].pop("SourceEntry")
    for kind in KINDS:
        schema["$defs"] |= _source(kind, entry["properties"]["every"])
    schema["properties"]["sources"]["items"] = {"oneOf": [{"$ref": f"#/$defs/{_name(kind)}"} for kind in KINDS]}
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "meshline mesh file, version 1", **schema}
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _source(kind: str, every: dict[str, Any]) -> dict[str, Any]:
    """The definitions of one kind of source: its own, and what that refers to."""
    own = source_class(kind).model_json_schema(ref_template=f"#/$defs/{_name(kind)}.{{model}}")
    inner = {f"{_name(kind)}.{name}": value for name, value in own.pop("$defs", {}).items()}
    properties = {"kind": {"const": kind}, **own["properties"], "every": every}
    return {_name(kind): {**own, "properties": properties, "required": ["kind", *own.get("required", ())]}, **inner}


def _name(kind: str) -> str:
    return f"source.{kind}"
