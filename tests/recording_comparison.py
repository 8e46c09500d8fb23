"""Two recordings of what real tools do, for comparison: what differs from each run to the next is left out, and all else stays."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

# Identifiers, clock readings, the numbers of Trino's queries and of Iceberg's snapshots, and what Superset's layout calls its parts.
CHANGING = re.compile(
    r"\b[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}\b"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(?:Z|\+00:00)?"
    r"|\d{8}_\d{6}_\d{5}_\w{5}"
    r"|(?<=snap-)\d+"
    r"|(?<=CHART-)\w+|(?<=ROW-N-)\w+"
    r"|(?<![\d.])\d{12,}(?![\d.])"
)
# Fields that measure a run; `statistics` of an Iceberg table are its files, in any order.
MEASURED = frozenset({"execution_time", "elapsed_time", "thread_id", "added-files-size", "total-files-size", "statistics"})
UNORDERED = frozenset({"nodes", "sources"})  # lists of dbt's manifest
LEAST = 10**11  # numbers from here on are clock readings or identifiers


def simplify(value: object, field: str = "") -> object:
    """A value of a recording without what differs from one run to the next. `field`: the name of the field that has it."""
    if field in MEASURED:
        return "*"
    match value:
        case dict():
            return {CHANGING.sub("*", name): simplify(part, name) for name, part in value.items()}
        case list():
            parts = [simplify(part) for part in value]
            return sorted(parts, key=str) if field in UNORDERED else parts
        case str():
            return CHANGING.sub("*", value)
        case float():
            return "*"
        case int() if value >= LEAST:
            return "*"
    return value


def simplify_events(lines: Iterable[str]) -> set[str]:
    """Events, each once, without the starts of runs: Spark's listener loses some of them."""
    events: Iterator[dict[str, Any]] = map(json.loads, lines)
    return {json.dumps(simplify(event), sort_keys=True) for event in events if event["eventType"] != "START"}


def simplify_files(folder: Path, names: Collection[str]) -> dict[str, object]:
    """What the files of a recording state, by path. `names`: of its files and folders."""
    found: dict[str, object] = {}
    for name in names:
        top = folder / name
        for file in sorted(top.rglob("*.*")) if top.is_dir() else [top]:
            text = file.read_text(encoding="utf-8")
            path = file.relative_to(folder).as_posix()
            match file.suffix:
                case ".ndjson":
                    found[path] = simplify_events(text.splitlines())
                case ".json":
                    found[path] = simplify(json.loads(text))
                case suffix:
                    assert suffix == ".yaml", path
                    found[path] = simplify(YAML(typ="safe").load(text))
    return found
