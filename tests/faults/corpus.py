"""Real events, and files that are none: the shared corpus where it is, else (and also) what the example mesh brings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

CORPUS = os.environ.get("MESHLINE_CORPUS")
EXAMPLE = Path(__file__).parents[2] / "examples" / "mesh" / "events"
JSON = (".json", ".ndjson")


class Sample(NamedTuple):
    """`name`: file and line."""

    name: str
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)


def list_files() -> list[Path]:
    """Every file of the corpus, whatever it contains."""
    folders = [EXAMPLE, *([Path(CORPUS)] if CORPUS else [])]
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def read_samples() -> list[Sample]:
    """Every JSON object in the corpus, events or not: by line where the file has lines, else by file."""
    return [sample for path in list_files() if path.suffix in JSON for sample in _parse_objects(path)]


def _parse_objects(path: Path) -> Iterator[Sample]:
    text = path.read_bytes()
    lines = text.splitlines() if path.suffix == ".ndjson" else [text]
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict) and value:
                yield Sample(f"{path.parent.name}/{path.name}:{number}", line)


def is_event(sample: Sample) -> bool:
    return {"eventTime", "producer"} <= set(sample.event)
