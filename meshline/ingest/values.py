"""Plain values of documents, taken as what they should be: what has another form is nothing."""

from __future__ import annotations

import re

from meshline.graph.model import Json


def text(value: Json) -> str:
    """A text, stripped; numbers and truth values as they are written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() if isinstance(value, str | int | float) else ""


def texts(value: Json) -> tuple[str, ...]:
    """The texts of a list, or the one that stands in its place; empty ones left out."""
    values = value if isinstance(value, list) else [value]
    return tuple(found for one in values if (found := text(one)))


def flag(value: Json) -> bool | None:
    return value if isinstance(value, bool) else None


def whole(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def mapping(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def mappings(value: Json) -> list[dict[str, Json]]:
    """The mappings of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def snake(name: str) -> str:
    """`timeOfAvailability` -> `time_of_availability`."""
    return _HUMP.sub("_", name).replace("-", "_").replace(" ", "_").lower()


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
