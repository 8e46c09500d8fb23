"""Tables in the form of the Hive metastore, which Glue has as well -> catalog tables."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import Json
from meshline.ingest.sources.delta.parse import COMMENT, parse_columns
from meshline.ingest.sources.iceberg.facts import NamespaceDefaults
from meshline.ingest.sources.metastore.catalog_table import (
    MATERIALIZED_VIEW,
    MAX_COLUMNS,
    TABLE,
    VIEW,
    CatalogColumn,
    CatalogTable,
    ViewDefinition,
)
from meshline.ingest.sources.metastore.type_text import list_nested_columns

_KINDS = {"VIRTUAL_VIEW": VIEW, "MATERIALIZED_VIEW": MATERIALIZED_VIEW}
_PRESTO_VIEW = re.compile(r"/\*\s*Presto (Materialized )?View:\s*([A-Za-z0-9+/=\s]+?)\s*\*/")
_SPARK_SCHEMA = "spark.sql.sources.schema"
_SPARK_NAMESPACE = "view.catalogAndNamespace."
_PROVIDER = "spark.sql.sources.provider"
MAX_PARTS = 10_000  # of a schema that Spark has cut into pieces
_CHANGED = "transient_lastDdlTime"

# Parts of the names of input formats and SerDes, in lower case -> format.
_FORMATS = {
    "hudi": "hudi",
    "hoodie": "hudi",
    "parquet": "parquet",
    "orc": "orc",
    "avro": "avro",
    "json": "json",
    "csv": "csv",
    "rcfile": "rcfile",
    "sequencefile": "sequencefile",
    "textinputformat": "text",
}

_COUNTS = {"numRows": "record_count", "totalSize": "size_bytes", "numFiles": "file_count"}
# Notes of engines for themselves, and numbers that change with the data.
_UNSHOWN = frozenset({
    _CHANGED, *_COUNTS, "rawDataSize", "numFilesErasureCoded", "COLUMN_STATS_ACCURATE", "EXTERNAL", "bucketing_version", "last_modified_by",
    "last_modified_time", "previous_metadata_location", "numPartitions", "STATS_GENERATED", "STATS_GENERATED_VIA_STATS_TASK", "uuid",
    "current-schema", "current-snapshot-summary", "current-snapshot-id", "current-snapshot-timestamp-ms", "default-partition-spec",
    "snapshot-count",
})  # fmt: skip
_UNSHOWN_BEGINNINGS = ("spark.sql.", "view.", "trino_query_id", "presto_")


class HiveColumn(msgspec.Struct, frozen=True):
    """A column or partition key."""

    name: str
    type: str
    comment: str = ""


class HiveTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table as the metastore has it. `created`: seconds since the epoch; 0 if unknown. `changed`: the same, of a catalog
    that has it besides the parameter `transient_lastDdlTime`.
    """

    database: str
    name: str
    owner: str = ""
    owner_is_stated: bool = False
    created: int = 0
    changed: int = 0
    table_type: str = ""
    columns: Sequence[HiveColumn] = ()
    partition_keys: Sequence[HiveColumn] = ()
    location: str = ""
    input_format: str = ""
    serde: str = ""
    parameters: Mapping[str, str] = {}
    view_original: str = ""
    view_expanded: str = ""
    defaults: NamespaceDefaults = NamespaceDefaults()


def parse_hive_table(table: HiveTable) -> CatalogTable:
    """The catalog table. Raises InvalidInput if its columns are too many or nested too deeply."""
    given = table.parameters
    view, view_type = _parse_view(table)
    dataset_type = view_type or _KINDS.get(table.table_type, TABLE)
    partitions = tuple(one.name for one in table.partition_keys)
    columns = _list_spark_columns(given) if not given.get("metadata_location") else []
    columns = columns or _list_hive_columns([*table.columns, *table.partition_keys])
    format_ = _detect_format(table) if view is None else ""
    others: dict[str, Json] = {"table_type": table.table_type} if table.table_type else {}
    if handler := given.get("storage_handler"):
        others["storage_handler"] = handler
    return CatalogTable(
        identifier=(table.database, table.name),
        dataset_type=dataset_type,
        columns=tuple(columns),
        format=format_,
        location=table.location,
        comment=given.get("comment", "").removeprefix("Presto Materialized View").removeprefix("Presto View"),
        owner=table.owner,
        owner_is_stated=table.owner_is_stated,
        properties={name: text for name, text in given.items() if name not in _UNSHOWN and not name.startswith(_UNSHOWN_BEGINNINGS)},
        partition_columns=partitions,
        defaults=table.defaults,
        view=view,
        changed=_read_time(table),
        metadata_location=given.get("metadata_location", "") if format_ == "iceberg" else "",
        counts=_read_counts(given) if format_ not in ("delta", "iceberg") else {},  # the catalog does not see what is written to those
        others=others,
    )


def _read_time(table: HiveTable) -> int | None:
    text = table.parameters.get(_CHANGED, "")
    seconds = table.changed or (int(text) if text.isdecimal() and len(text) < 12 else table.created)
    return seconds * 1_000_000 if seconds > 0 else None


def _read_counts(given: Mapping[str, str]) -> dict[str, int]:
    """The counts that are known: an engine that does not count writes 0 or -1."""
    known = ((shown, text) for name, shown in _COUNTS.items() if (text := given.get(name, "")).isdecimal() and len(text) < 19)
    return {shown: int(text) for shown, text in known if int(text)}


def _detect_format(table: HiveTable) -> str:
    given = table.parameters
    stated = given.get("table_type", "").casefold()
    if stated in ("iceberg", "delta", "hudi", "paimon"):
        return stated
    provider = given.get(_PROVIDER, "").casefold()
    if provider and provider != "hive":
        return provider.rpartition(".")[2]
    names = f"{given.get('storage_handler', '')} {table.input_format} {table.serde}".casefold()
    if "iceberg" in names or "deltastoragehandler" in names:
        return "iceberg" if "iceberg" in names else "delta"
    return next((format_ for part, format_ in _FORMATS.items() if part in names), "")


def _list_hive_columns(given: Sequence[HiveColumn]) -> list[CatalogColumn]:
    found: dict[str, CatalogColumn] = {}
    for position, one in enumerate(given, start=1):
        found.setdefault(one.name, CatalogColumn(one.name, one.type, position, one.comment))
        for below in list_nested_columns(one.name, one.type, position):
            found.setdefault(below.path, below)
            if len(found) > MAX_COLUMNS:
                break
        if len(found) > MAX_COLUMNS:
            raise InvalidInput(f"the table has more than {MAX_COLUMNS} columns")
    return list(found.values())


def _read_spark_schema(given: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The schema that Spark keeps in the parameters, with the case of names and with nested comments, in one piece or in several; None
    if there is none that can be used.
    """
    text = given.get(_SPARK_SCHEMA, "")
    count = given.get(f"{_SPARK_SCHEMA}.numParts", "")
    if not text and count.isdecimal() and int(count) <= MAX_PARTS:
        text = "".join(given.get(f"{_SPARK_SCHEMA}.part.{at}", "") for at in range(int(count)))
    try:
        schema = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    return schema if isinstance(schema, dict) and schema.get("fields") else None


def _list_spark_columns(given: Mapping[str, str]) -> list[CatalogColumn]:
    """The columns by the schema that Spark keeps; none if there is no such schema, or one that is not understood."""
    schema = _read_spark_schema(given)
    try:
        found = parse_columns(schema) if schema is not None else ()
    except InvalidInput:
        return []
    if len(found) > MAX_COLUMNS:
        raise InvalidInput(f"the table has more than {MAX_COLUMNS} columns")
    return [CatalogColumn(one.path, one.type, one.position, str(one.metadata.get(COMMENT) or ""), nullable=one.nullable) for one in found]


def _parse_view(table: HiveTable) -> tuple[ViewDefinition | None, str]:
    """(the text of a view, VIEW or MATERIALIZED_VIEW if the text shows it): of Trino, Presto and Athena, of Spark, or of Hive."""
    presto = _PRESTO_VIEW.fullmatch(table.view_original.strip())
    if presto is not None:
        return _decode_presto_view(presto[2], table.database), MATERIALIZED_VIEW if presto[1] else VIEW
    if table.table_type not in _KINDS or not (table.view_original or table.view_expanded):
        return None, ""
    given = table.parameters
    count = given.get(f"{_SPARK_NAMESPACE}numParts", "")
    if count.isdecimal() and 0 < int(count) <= 32:
        catalog, *namespace = [given.get(f"{_SPARK_NAMESPACE}part.{at}", "") for at in range(int(count))]
        return ViewDefinition(table.view_original, "spark", catalog or None, tuple(namespace)), ""
    if "spark.sql.create.version" in given:
        return ViewDefinition(table.view_original, "spark", "spark_catalog", (given.get("view.default.database") or table.database,)), ""
    return ViewDefinition(table.view_expanded or table.view_original, "hive", None, (table.database,)), ""


def _decode_presto_view(text: str, database: str) -> ViewDefinition | None:
    try:
        found = json.loads(base64.b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("originalSql"), str):
        return None
    catalog, schema = found.get("catalog"), found.get("schema")
    return ViewDefinition(
        found["originalSql"],
        "trino",
        catalog if isinstance(catalog, str) else None,
        (schema if isinstance(schema, str) and schema else database,),
    )
