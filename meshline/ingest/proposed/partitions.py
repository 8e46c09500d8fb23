"""How a table is divided, in one spelling: `created_at`, `days(created_at)`, `bucket(16, id)`, `truncate(4, name)`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from meshline.graph.model import Json

# As Spark and Iceberg's specification name transforms, and Trino.
_PERIODS = {"year": "years", "month": "months", "day": "days", "hour": "hours", "date": "days", "date_hour": "hours"}
_COUNTED = re.compile(r"(\w+)\[(\d+)\]")
_CALL = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)


def by_transform(transform: str, columns: Sequence[str]) -> str:
    """`day`, `bucket[16]`, `identity` of columns, as Iceberg's metadata have it; empty if it divides no more (`void`)."""
    transform = transform.strip().lower()
    if transform == "void":
        return ""
    if transform == "identity":
        return ", ".join(columns)
    counted = _COUNTED.fullmatch(transform)
    arguments = [counted[2], *columns] if counted else columns
    name = counted[1] if counted else transform
    return f"{_PERIODS.get(name, name)}({', '.join(arguments)})"


def by_field(said: Mapping[str, Json]) -> str:
    """A field of a partition spec as the graph keeps it: its columns and its transform."""
    columns = said.get("columns")
    return by_transform(str(said.get("transform") or "identity"), [str(one) for one in columns] if isinstance(columns, list) else [])


def by_text(text: str) -> str:
    """As SQL writes it: `days(ts)`, `day(ts)`, `bucket(16, id)`, `bucket(id, 16)`, a column."""
    call = _CALL.fullmatch(text.strip())
    if call is None:
        return _plain(text)
    arguments = [_plain(one) for one in call[2].split(",")]
    arguments.sort(key=lambda one: not one.isdecimal())
    name = call[1].lower()
    return f"{_PERIODS.get(name, name)}({', '.join(arguments)})"


def _plain(text: str) -> str:
    return text.strip().strip('`"')
