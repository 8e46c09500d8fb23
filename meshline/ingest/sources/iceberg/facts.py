"""Metadata -> what the graph is told, in three scopes of a table: its columns, what else it is, its newest snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from meshline.graph.content import Draft, encode
from meshline.graph.model import AssetFact, AssetKey, Content, EdgeFact, EdgeType, Facts, Json
from meshline.graph.owner_names import address
from meshline.ingest.sources.iceberg.columns import Column, columns
from meshline.ingest.sources.iceberg.history import schemas
from meshline.ingest.sources.iceberg.metadata import PartitionField, Schema, Snapshot, SortField, Table, View, ViewVersion, text_properties
from meshline.ingest.sources.iceberg.names import physical
from meshline.ingest.sources.iceberg.products import kept, owner_facts, product_facts
from meshline.ingest.sources.shape import Context

MAX_SQL = 100_000  # characters of a view's text

# What is shown of a snapshot's summary.
_COUNTS = {"total-records": "record_count", "total-files-size": "size_bytes", "total-data-files": "file_count"}


class Around(NamedTuple):
    """What a table's namespace says for it."""

    owner: str = ""
    comment: str = ""

    @property
    def text(self) -> str:
        return "\n".join(self) if any(self) else ""


def columns_content(dataset: AssetKey, schema: Schema, uuid: str) -> Content:
    """`uuid`: of the table, so that another table with the same columns says something else."""
    found = columns(schema)
    draft = Draft()
    if uuid:
        draft.asset(dataset, None, {"table_uuid": uuid})
    draft.listing(dataset, [(column.path, column.position) for column in found], [(column.path, _column(column)) for column in found])
    return draft.content()


def table_content(dataset: AssetKey, table: Table, around: Around, context: Context) -> Content:
    specs = [spec.fields for spec in table.partition_specs if spec.spec_id == table.default_spec_id][:1]
    orders = [order.fields for order in table.sort_orders if order.order_id == table.default_sort_order_id][:1]
    names = _names(table) if any(specs) or any(orders) else {}
    said: dict[str, Json] = {
        "dataset_type": "TABLE",
        "format": "iceberg",
        "format_version": table.format_version,
        "table_uuid": table.table_uuid,
        "partition_spec": [{"name": field.name, **_of_columns(field, names)} for fields in specs for field in fields],
        "sort_order": [{**_of_columns(field, names), **_direction(field)} for fields in orders for field in fields],
    }
    return _described(dataset, said, table.location, text_properties(table.properties), around, other=physical_key(table, context))


def view_content(dataset: AssetKey, view: View, version: ViewVersion, around: Around) -> Content:
    """`sql` and `dialect`: of the first representation; of all, by dialect, if there are several."""
    texts: dict[str, Json] = {one.dialect: one.sql[:MAX_SQL] for one in version.representations if one.sql}
    first = next(iter(texts), "")
    said: dict[str, Json] = {
        "dataset_type": "VIEW",
        "format": "iceberg",
        "table_uuid": view.view_uuid,
        "sql": texts.get(first, ""),
        "dialect": first,
        "sql_by_dialect": texts if len(texts) > 1 else {},
        "default_catalog": version.default_catalog or "",
        "default_namespace": ".".join(version.default_namespace),
    }
    return _described(dataset, said, view.location, text_properties(view.properties), around, other=None)


def snapshot_content(dataset: AssetKey, snapshot: Snapshot) -> Content:
    summary = text_properties(snapshot.summary)
    said: dict[str, Json] = {"snapshot_id": str(snapshot.snapshot_id), "snapshot_at": snapshot.timestamp_ms}
    if operation := summary.get("operation"):
        said["snapshot_operation"] = operation
    for name, attribute in _COUNTS.items():
        if (count := summary.get(name, "")).isdecimal() and len(count) < 19:
            said[attribute] = int(count)
    return encode(Facts(assets=(AssetFact(dataset, said),)))


def physical_key(table: Table, context: Context) -> AssetKey | None:
    """The dataset that Spark's events name by the table's path."""
    place = physical(table.location)
    return None if place is None else context.naming.dataset(*place)


def _described(
    dataset: AssetKey,
    said: Mapping[str, Json],
    location: str,
    properties: Mapping[str, str],
    around: Around,
    other: AssetKey | None,
) -> Content:
    draft = Draft()
    owner = properties.get("owner", "") or around.owner
    said = {
        **said,
        "location": location,
        "table_owner": owner,
        "description": properties.get("comment", ""),
        "namespace_description": around.comment,
        "properties": kept(properties),
    }
    draft.asset(dataset, None, {name: value for name, value in said.items() if value not in ("", [], {})})
    if other is not None and other != dataset:
        draft.add(Facts(edges=(EdgeFact(EdgeType.SAME_AS, dataset, other, {"why": "location"}),)))
    if address(owner):  # else engines wrote the user of the process that made the table, who would hide whose it is
        draft.add(owner_facts(owner, dataset))
    for facts in product_facts(properties, dataset):
        draft.add(facts)
    return draft.content()


def _column(column: Column) -> dict[str, Json]:
    said: dict[str, Json] = {"type": column.type, "nullable": not column.required, "field_id": column.id}
    if column.doc:
        said["description"] = column.doc
    if column.is_key:
        said["identifies"] = True
    return said


def _names(table: Table) -> dict[int, str]:
    """Paths of columns by field id: in the current schema, else in the last that had the column."""
    known = schemas(table)
    current = known.pop(table.current_schema_id, None)
    return {column.id: column.path for schema in (*known.values(), *([current] if current else ())) for column in columns(schema)}


def _direction(field: SortField) -> dict[str, Json]:
    return {"direction": field.direction, "nulls": field.null_order.removeprefix("nulls-")}


def _of_columns(field: PartitionField | SortField, names: Mapping[int, str]) -> dict[str, Json]:
    ids = field.source_ids or (() if field.source_id is None else (field.source_id,))
    return {"columns": [names.get(id_, f"field {id_}") for id_ in ids], "transform": field.transform}
