"""Metadata -> facts, in three scopes of a table: its columns, its other attributes, its newest snapshot. Also the schemas over time,
and the names of tables.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

from meshline.errors import InvalidInput
from meshline.graph.content import Draft, encode_facts
from meshline.graph.model import AssetFact, AssetKey, Content, EdgeFact, EdgeType, Facts, Json
from meshline.graph.naming import find_email
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.iceberg.parse import (
    Column,
    PartitionField,
    Schema,
    Snapshot,
    SortField,
    Table,
    View,
    ViewVersion,
    list_columns,
    select_text_properties,
)
from meshline.ingest.sources.table_properties import build_owner_facts, build_product_facts, select_properties

SECOND_MS = 1_000
MAX_VERSIONS = 200  # the newest schemas of a table, and versions of a view, that one reading ingests
COMMIT_TAKES = 60_000_000  # the most microseconds between a snapshot's time and that of its commit

SchemaStart: TypeAlias = tuple[int, int]  # (schema id, since when in microseconds)


class ColumnMove(NamedTuple):
    """A column that has another path since a time (microseconds since the epoch); `new` is empty if it was dropped."""

    old: str
    new: str
    time: int


def limit_micros(milliseconds: int, now: int) -> int:
    """Milliseconds since the epoch as microseconds: at least one second, at most `now` (microseconds)."""
    return min(max(milliseconds, SECOND_MS) * 1000, now)


def index_schemas(table: Table) -> dict[int, Schema]:
    """The schemas of a table by their ids; format version 1 may have only one, without an id."""
    found = {schema.schema_id: schema for schema in table.schemas}
    if not found and table.schema is not None:
        found = {table.current_schema_id: table.schema}
    return found


def compute_schema_starts(table: Table, now: int, known: Sequence[SchemaStart] = ()) -> list[SchemaStart]:
    """The schemas in the order in which they were current, with strictly growing start times.

    `known`: the result of an earlier reading. It is not recomputed, because the metadata had more then: logs are truncated, and
    schemas are cleaned up.
    """
    order = _order_schemas(table, now)
    new = order
    if known:
        last = known[-1][0]
        at = max((i for i, (schema, _) in enumerate(order) if schema == last), default=None)
        seen = {schema for schema, _ in known}
        new = order[at + 1 :] if at is not None else [one for one in order if one[0] not in seen]
    return [*known, *_compute_times(table, new[-MAX_VERSIONS:], now, after=known[-1][1] if known else None)]


def find_column_moves(before: Schema, after: Schema, time: int) -> list[ColumnMove]:
    """Renames and drops of columns between two schemas. The field id identifies a column, whatever its path."""
    old, new = _map_paths(before), _map_paths(after)
    renamed = [ColumnMove(path, new[id_], time) for id_, path in old.items() if id_ in new and new[id_] != path]
    # The path may become another column's at that time, so the drop applies up to the microsecond before.
    dropped = [ColumnMove(path, "", time - 1) for id_, path in old.items() if id_ not in new]
    return sorted(renamed + dropped)


def list_view_versions(view: View, now: int) -> list[tuple[int, ViewVersion]]:
    """A view's versions in the order in which they were current, with strictly growing times, which are exact. Raises InvalidInput."""
    by_id = {version.version_id: version for version in view.versions}
    log = [(change.timestamp_ms, change.version_id) for change in view.version_log if change.version_id in by_id]
    if not log or log[-1][1] != view.current_version_id:
        log += [(version.timestamp_ms, version.version_id) for version in view.versions if version.version_id == view.current_version_id]
    found: list[tuple[int, ViewVersion]] = []
    for milliseconds, version in log:
        time = limit_micros(milliseconds, now)
        found.append((max(time, found[-1][0] + 1) if found else time, by_id[version]))
    if not found:
        raise InvalidInput(f"the view has no version {view.current_version_id}")
    return found[-MAX_VERSIONS:]


def _order_schemas(table: Table, now: int) -> list[SchemaStart]:
    """(schema id, a time at which it was current) in the order in which the schemas were current."""
    known = index_schemas(table)
    order: list[SchemaStart] = []
    for snapshot in sorted(table.snapshots or (), key=lambda snapshot: snapshot.timestamp_ms):
        if snapshot.schema_id in known and (not order or order[-1][0] != snapshot.schema_id):
            order.append((snapshot.schema_id, limit_micros(snapshot.timestamp_ms, now)))
    current = table.current_schema_id
    if current in known and (not order or order[-1][0] != current):
        order.append((current, limit_micros(table.last_updated_ms, now)))
    used = {schema for schema, _ in order}
    for unused in sorted(known.keys() - used):  # ids are assigned in turn: it was current before the first greater id
        at = next((i for i, (schema, _) in enumerate(order) if schema > unused), len(order) - 1)
        order.insert(max(at, 0), (unused, order[at][1] if order else limit_micros(table.last_updated_ms, now)))
    return order


def _compute_times(table: Table, order: Sequence[SchemaStart], now: int, after: int | None) -> list[SchemaStart]:
    """The schemas with their start times: from the last to the first, each at the latest commit that it may have begun with."""
    commits = _list_schema_commits(table, now)
    result: list[SchemaStart] = []
    below: int | None = None
    for i in range(len(order) - 1, -1, -1):
        schema, seen = order[i]
        latest = seen if below is None else min(seen, below - 1)
        if i == 0 and after is None:
            first = min(_list_commits(table, now), default=latest)
            time = min(first, latest)
        else:
            at = bisect_left(commits, latest + 1)
            time = commits[at - 1] if at else latest
        if after is not None:
            time = max(time, after + 1 + i)
        result.append((schema, time))
        below = time
    return result[::-1]


def _list_commits(table: Table, now: int) -> list[int]:
    return sorted({limit_micros(file.timestamp_ms, now) for file in table.metadata_log or ()} | {limit_micros(table.last_updated_ms, now)})


def _list_schema_commits(table: Table, now: int) -> list[int]:
    """Times of the commits that may have changed the schema: all but those of snapshots. A snapshot's commit is the first commit
    that is not before it.
    """
    commits = _list_commits(table, now)
    for snapshot in table.snapshots or ():
        time = limit_micros(snapshot.timestamp_ms, now)
        at = bisect_left(commits, time)
        if at < len(commits) and commits[at] - time <= COMMIT_TAKES:  # else the commit is no longer in the log
            del commits[at]
    return commits


def _map_paths(schema: Schema) -> dict[int, str]:
    paths: dict[int, str] = {}
    for column in list_columns(schema):
        paths.setdefault(column.id, column.path)
    return paths


_LOCATION = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>.*)", re.DOTALL)
_OBJECT_STORES = frozenset({"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "wasb", "wasbs", "oss"})
MAX_NAME = 1_000  # characters


def format_namespace(kind: str, properties: Mapping[str, object]) -> str:
    """The namespace of a catalog's datasets, without credentials. Raises InvalidInput if the properties do not determine it."""
    if kind == "glue":
        region = properties.get("glue.region") or properties.get("client.region")
        account = properties.get("glue.id")
        if region and account:
            return f"arn:aws:glue:{region}:{account}"
        raise InvalidInput("a Glue catalog needs the properties glue.region and glue.id (the account), or the key namespace", "namespace")
    parts = urlsplit(str(properties.get("uri") or ""))
    if not parts.scheme:
        raise InvalidInput("the catalog has no uri to name its datasets after; set the key namespace", "namespace")
    scheme = {"thrift": "hive"}.get(parts.scheme, parts.scheme.partition("+")[0])  # the driver is no part of the name
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def format_table_name(kind: str, identifier: Sequence[str]) -> str:
    """The name of a table's dataset. Raises InvalidInput if a part is empty or the name is too long."""
    name = f"table/{'/'.join(identifier)}" if kind == "glue" else ".".join(identifier)
    if len(name) > MAX_NAME or not all(identifier):
        raise InvalidInput(f"a name must have 1 to {MAX_NAME} characters", name[:100])
    return name


def parse_location(location: str) -> tuple[str, str] | None:
    """(namespace, name) of a location as OpenLineage names paths (Naming.md); None if the location is not understood.

    `file:/w/t` and `/w/t` are `file` + `/w/t`; `s3://bucket/w/t` is `s3://bucket` + `w/t`;
    `hdfs://host:8020/w/t` is `hdfs://host:8020` + `/w/t`.
    """
    match = _LOCATION.fullmatch(location)
    if match is None:
        return ("file", location) if location.startswith("/") else None
    scheme, rest = match["scheme"].lower(), match["rest"]
    if scheme == "file":
        path = re.sub(r"^//[^/]*(?=/)", "", rest)
        return ("file", path) if path.startswith("/") else None
    authority, slash, path = rest.removeprefix("//").partition("/")
    if not rest.startswith("//") or not authority or not path.strip("/"):
        return None
    return f"{scheme}://{authority.rpartition('@')[2] if scheme not in _AT_ACCOUNT else authority}", (
        path if scheme in _OBJECT_STORES else slash + path
    )


_AT_ACCOUNT = frozenset({"abfs", "abfss", "wasb", "wasbs"})  # container@account


def parse_file_name(file: str) -> str:
    """The name of a metadata file's table: `orders.customer_orders.json` -> `orders.customer_orders`."""
    return unquote(file.removesuffix(".json").removesuffix(".metadata"))


MAX_SQL = 100_000  # characters of a view's text

# Key of a snapshot's summary -> attribute.
_COUNTS = {"total-records": "record_count", "total-files-size": "size_bytes", "total-data-files": "file_count"}


class NamespaceDefaults(NamedTuple):
    """The owner and comment of a namespace, which apply to its tables that have none."""

    owner: str = ""
    comment: str = ""

    @property
    def text(self) -> str:
        return "\n".join(self) if any(self) else ""


def build_columns_content(dataset: AssetKey, schema: Schema, uuid: str) -> Content:
    """The columns of a table or view. `uuid`: of the table, so that another table with the same columns has different content."""
    found = list_columns(schema)
    draft = Draft()
    if uuid:
        draft.add_asset(dataset, None, {"table_uuid": uuid})
    draft.add_columns(
        dataset, [(column.path, column.position) for column in found], [(column.path, _build_column_attributes(column)) for column in found]
    )
    return draft.build_content()


def build_table_content(dataset: AssetKey, table: Table, defaults: NamespaceDefaults, context: Context) -> Content:
    """The attributes of a table besides its columns, its owner and its product. `context`: names the dataset at the table's location."""
    specs = [spec.fields for spec in table.partition_specs if spec.spec_id == table.default_spec_id][:1]
    orders = [order.fields for order in table.sort_orders if order.order_id == table.default_sort_order_id][:1]
    names = _map_names(table) if any(specs) or any(orders) else {}
    attributes: dict[str, Json] = {
        "dataset_type": "TABLE",
        "format": "iceberg",
        "format_version": table.format_version,
        "table_uuid": table.table_uuid,
        "partition_spec": [{"name": field.name, **_describe_transform(field, names)} for fields in specs for field in fields],
        "sort_order": [{**_describe_transform(field, names), **_describe_direction(field)} for fields in orders for field in fields],
    }
    return _build_content(
        dataset, attributes, table.location, select_text_properties(table.properties), defaults, other=build_physical_key(table, context)
    )


def build_view_content(dataset: AssetKey, view: View, version: ViewVersion, defaults: NamespaceDefaults) -> Content:
    """The attributes of a view's version. `sql` and `dialect` are those of the first representation; if there are several,
    `sql_by_dialect` has all.
    """
    texts: dict[str, Json] = {one.dialect: one.sql[:MAX_SQL] for one in version.representations if one.sql}
    first = next(iter(texts), "")
    attributes: dict[str, Json] = {
        "dataset_type": "VIEW",
        "format": "iceberg",
        "table_uuid": view.view_uuid,
        "sql": texts.get(first, ""),
        "dialect": first,
        "sql_by_dialect": texts if len(texts) > 1 else {},
        "default_catalog": version.default_catalog or "",
        "default_namespace": ".".join(version.default_namespace),
    }
    return _build_content(dataset, attributes, view.location, select_text_properties(view.properties), defaults, other=None)


def build_snapshot_content(dataset: AssetKey, snapshot: Snapshot) -> Content:
    """The attributes of a table's snapshot: its id, time (milliseconds since the epoch), operation and counts."""
    summary = select_text_properties(snapshot.summary)
    attributes: dict[str, Json] = {"snapshot_id": str(snapshot.snapshot_id), "snapshot_at": snapshot.timestamp_ms}
    if operation := summary.get("operation"):
        attributes["snapshot_operation"] = operation
    for name, attribute in _COUNTS.items():
        if (count := summary.get(name, "")).isdecimal() and len(count) < 19:
            attributes[attribute] = int(count)
    return encode_facts(Facts(assets=(AssetFact(dataset, attributes),)))


def build_physical_key(table: Table, context: Context) -> AssetKey | None:
    """The dataset at a table's location, as Spark's events name it; None if the location is not understood."""
    place = parse_location(table.location)
    return None if place is None else context.naming.normalise_dataset(*place)


def _build_content(
    dataset: AssetKey,
    attributes: Mapping[str, Json],
    location: str,
    properties: Mapping[str, str],
    defaults: NamespaceDefaults,
    other: AssetKey | None,
) -> Content:
    draft = Draft()
    owner = properties.get("owner", "") or defaults.owner
    attributes = {
        **attributes,
        "location": location,
        "table_owner": owner,
        "description": properties.get("comment", ""),
        "namespace_description": defaults.comment,
        "properties": select_properties(properties),
    }
    draft.add_asset(dataset, None, {name: value for name, value in attributes.items() if value not in ("", [], {})})
    if other is not None and other != dataset:
        draft.add_facts(Facts(edges=(EdgeFact(EdgeType.SAME_AS, dataset, other, {"why": "location"}),)))
    if find_email(owner):  # else an engine wrote the user of the process that made the table, which would hide the real owner
        draft.add_facts(build_owner_facts(owner, dataset))
    for facts in build_product_facts(properties, dataset):
        draft.add_facts(facts)
    return draft.build_content()


def _build_column_attributes(column: Column) -> dict[str, Json]:
    attributes: dict[str, Json] = {"type": column.type, "nullable": not column.required, "field_id": column.id}
    if column.doc:
        attributes["description"] = column.doc
    if column.is_key:
        attributes["identifies"] = True
    return attributes


def _map_names(table: Table) -> dict[int, str]:
    """Paths of columns by field id, from the current schema, else from the last schema that had the column."""
    known = index_schemas(table)
    current = known.pop(table.current_schema_id, None)
    return {column.id: column.path for schema in (*known.values(), *([current] if current else ())) for column in list_columns(schema)}


def _describe_direction(field: SortField) -> dict[str, Json]:
    return {"direction": field.direction, "nulls": field.null_order.removeprefix("nulls-")}


def _describe_transform(field: PartitionField | SortField, names: Mapping[int, str]) -> dict[str, Json]:
    ids = field.source_ids or (() if field.source_id is None else (field.source_id,))
    return {"columns": [names.get(id_, f"field {id_}") for id_ in ids], "transform": field.transform}
