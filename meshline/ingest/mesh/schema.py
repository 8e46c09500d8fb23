"""The published JSON Schema of the mesh file (`meshline/ingest/mesh.schema.json`, made by scripts/make-docs)."""

from __future__ import annotations

import json

from meshline.ingest.mesh.format import MeshFile


def json_schema() -> str:
    """The text of `mesh.schema.json`."""
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "meshline mesh file, version 1",
        **{key: value for key, value in MeshFile.model_json_schema().items() if key != "title"},
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"
