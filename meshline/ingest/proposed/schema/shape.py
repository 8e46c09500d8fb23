"""What is read of a file that holds a schema, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from meshline.graph.definitions import Definition, Part
from meshline.ingest.proposed.json_text import Path

MAX_FIELDS = 20_000
MAX_DEPTH = 24


class Schema(NamedTuple):
    """`places`: where each field stands in the file's JSON, `lines` on which line. `names`: by which the graph may know the
    dataset, the surest first. `aliases`: names that a field had before. `warnings`: what is not compared.
    """

    definition: Definition
    places: Mapping[str, Path] = {}
    names: tuple[str, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] = {}
    warnings: tuple[str, ...] = ()
    lines: Mapping[Part, int] = {}
