"""Attributes of assets, from what YAML and the warehouse say."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from meshline.graph.model import Json
from meshline.ingest.sources.dbt.artifacts import Constraint, Node


def said(**attributes: Json) -> dict[str, Json]:
    """The attributes that were given: None, an empty text, list or mapping says nothing."""
    return {name: value for name, value in attributes.items() if value is not None and value not in ("", [], {})}


def tags(*given: list[str] | str | None) -> list[Json]:
    """All of them, sorted, each once."""
    return list[Json](sorted({tag for some in given for tag in ([some] if isinstance(some, str) else some or ()) if tag}))


def constraints(given: Iterable[Constraint] | None) -> list[Json]:
    return [said(**msgspec.structs.asdict(constraint)) for constraint in given or ()]


def limits(node: Node) -> dict[str, Json]:
    """How old a source's newest row may be: `{"warn_after": {"count": 12, "period": "hour"}}`. dbt writes what nobody set as nulls."""
    given = node.freshness or (node.config.freshness if node.config is not None else None) or {}
    return {name: value for name, value in given.items() if isinstance(value, dict) and value.get("count") is not None}
