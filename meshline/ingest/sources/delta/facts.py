"""What a version of a Delta table says -> facts."""

from __future__ import annotations

from meshline.graph import model
from meshline.graph.content import encode
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json, Scope
from meshline.ingest.sources.delta.columns import COMMENT, DEFAULT, GENERATED, Column, Moved
from meshline.ingest.sources.delta.log import Version, Written
from meshline.ingest.sources.iceberg.products import kept, product_facts
from meshline.ingest.sources.shape import Entry

SNAPSHOT = "snapshot"
_CONSTRAINT = "delta.constraints."


def table_facts(key: AssetKey, location: str, version: Version) -> Facts:
    """The table, its columns, what must hold for them, and what its properties say of people and products."""
    assets = [AssetFact(key, _table(location, version)), *(AssetFact(model.column(key, one.path), _column(one)) for one in version.columns)]
    edges = [EdgeFact(EdgeType.HAS_COLUMN, key, model.column(key, one.path), {"position": one.position}) for one in version.columns]
    for facts in product_facts(version.properties, key, ("delta", "Delta Lake table")):
        assets += facts.assets
        edges += facts.edges
    return Facts(assets=tuple(assets), edges=tuple(edges))


def written_entry(key: AssetKey, written: Written) -> Entry:
    """The newest version that wrote data: how fresh the table is."""
    said: dict[str, Json] = {
        "snapshot_id": str(written.version),
        "snapshot_at": written.time // 1000,
        "snapshot_operation": written.operation,
    }
    return Entry((*scope(key), SNAPSHOT), encode(Facts(assets=(AssetFact(key, said),))), written.time)


def scope(key: AssetKey) -> Scope:
    """Of what a table is; the beginning of all scopes that say what it is now."""
    return ("table", *key.parts)


def moved_entry(key: AssetKey, move: Moved, time: int) -> Entry:
    """A rename or drop of a column, in a scope of its own, for it is true of its time for good. `time`: of the commit."""
    old = model.column(key, move.old)
    if move.new:
        scope: Scope = ("column-renamed", *key.parts, move.old, move.new, str(time))
        facts = Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, old, model.column(key, move.new)),))
        return Entry(scope, encode(facts), time)
    # From that time on the name may be another column's; what was observed up to the moment before is gone.
    facts = Facts(assets=(AssetFact(old, {"dropped": True}),))
    return Entry(("column-dropped", *key.parts, move.old, str(time - 1)), encode(facts), time - 1)


def _table(location: str, version: Version) -> dict[str, Json]:
    checks: list[Json] = [
        {"name": name.removeprefix(_CONSTRAINT), "type": "CHECK", "expression": text}
        for name, text in version.properties.items()
        if name.startswith(_CONSTRAINT)
    ]
    return _said(
        dataset_type="TABLE",
        format="delta",
        location=location,
        table_uuid=version.table_id,
        table_name=version.name,
        description=version.description,
        partition_columns=list(version.partition_columns),
        properties=kept({name: text for name, text in version.properties.items() if not name.startswith(_CONSTRAINT)}),
        constraints=checks,
    )


def _column(column: Column) -> dict[str, Json]:
    known = {COMMENT, GENERATED, DEFAULT}
    return _said(
        type=column.type,
        nullable=column.nullable,
        description=_text(column.metadata.get(COMMENT)),
        field_id=column.identity[0] if column.identity is not None and not column.identity[1] else None,
        generation_expression=_text(column.metadata.get(GENERATED)),
        default=_text(column.metadata.get(DEFAULT)),
        properties={name: value for name, value in column.metadata.items() if name not in known and not name.startswith("delta.")},
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _said(**attributes: Json) -> dict[str, Json]:
    """The attributes that were given: None, an empty text, list or mapping says nothing."""
    return {name: value for name, value in attributes.items() if value is not None and value not in ("", [], {})}
