"""The mesh file: what people know and no event says. `read`, `parse`, `statements`, `load`."""

from meshline.ingest.mesh.configuration import configuration, configure, stored
from meshline.ingest.mesh.facts import statements
from meshline.ingest.mesh.loading import load
from meshline.ingest.mesh.reading import Mesh, parse, read
from meshline.ingest.mesh.schema import json_schema
from meshline.ingest.sources.scope_loader import Loading
from meshline.ingest.times import file_time

__all__ = [
    "Loading",
    "Mesh",
    "configuration",
    "configure",
    "file_time",
    "json_schema",
    "load",
    "parse",
    "read",
    "statements",
    "stored",
]
