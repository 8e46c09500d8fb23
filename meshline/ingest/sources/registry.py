"""All kinds of sources. A new kind is one file, and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from pydantic import ValidationError

from meshline.errors import InvalidInput
from meshline.ingest.sources.base import SourceConfig
from meshline.words import suggest_closest

# kind: (module, class, the extra that reading it needs; the class itself needs none, so that every mesh file can be checked)
KINDS: Mapping[str, tuple[str, str, str]] = {
    "contract": ("meshline.ingest.sources.contracts.source", "Contracts", "contracts"),
    "product": ("meshline.ingest.sources.products.source", "Products", ""),
    "openlineage": ("meshline.ingest.sources.openlineage_files", "OpenLineageFiles", ""),
    "dbt": ("meshline.ingest.sources.dbt.source", "Dbt", "dbt"),
    "delta": ("meshline.ingest.sources.delta.source", "Delta", "delta"),
    "debezium": ("meshline.ingest.sources.debezium.source", "Debezium", ""),
    "iceberg": ("meshline.ingest.sources.iceberg.source", "Iceberg", "iceberg"),
    "hive": ("meshline.ingest.sources.metastore.hive", "Hive", "hive"),
    "glue": ("meshline.ingest.sources.metastore.glue", "Glue", "glue"),
    "unity": ("meshline.ingest.sources.metastore.unity", "Unity", ""),
    "gravitino": ("meshline.ingest.sources.metastore.gravitino", "Gravitino", ""),
    "gx": ("meshline.ingest.sources.great_expectations", "GreatExpectations", ""),
    "soda": ("meshline.ingest.sources.soda", "Soda", ""),
    "marquez": ("meshline.ingest.sources.marquez.source", "Marquez", ""),
    "postgres": ("meshline.ingest.sources.databases.postgres.source", "Postgres", "postgres"),
    "duckdb": ("meshline.ingest.sources.databases.duckdb_file", "DuckDb", "duckdb"),
    "snowflake": ("meshline.ingest.sources.databases.snowflake", "Snowflake", "sql"),
    "bigquery": ("meshline.ingest.sources.databases.bigquery", "BigQuery", "sql"),
    "redshift": ("meshline.ingest.sources.databases.redshift", "Redshift", "sql"),
    "registry": ("meshline.ingest.sources.schema_registry.source", "SchemaRegistry", "avro"),
    "metabase": ("meshline.ingest.sources.dashboards.metabase", "Metabase", "sql"),
    "superset": ("meshline.ingest.sources.dashboards.superset", "Superset", "sql"),
    "datahub": ("meshline.ingest.sources.datahub.source", "DataHub", ""),
    "openmetadata": ("meshline.ingest.sources.openmetadata.source", "OpenMetadata", ""),
    "tableau": ("meshline.ingest.sources.dashboards.tableau", "Tableau", ""),
    "powerbi": ("meshline.ingest.sources.dashboards.power_bi", "PowerBi", "sql"),
    "looker": ("meshline.ingest.sources.dashboards.looker", "Looker", "sql"),
    "evidence": ("meshline.ingest.sources.dashboards.evidence", "Evidence", "sql"),
    "mlflow": ("meshline.ingest.sources.models.mlflow", "Mlflow", "sql"),
    "feast": ("meshline.ingest.sources.models.feast", "Feast", "sql"),
    "ranger": ("meshline.ingest.sources.ranger.source", "Ranger", ""),
    "sql": ("meshline.ingest.sources.sql.source", "Sql", "sql"),
    "usage": ("meshline.ingest.sources.usage.source", "Usage", ""),
}


def get_source_class(kind: str) -> type[SourceConfig]:
    """The class of a kind; imported here, so that no command waits for a library that it does not use.

    Raises InvalidInput for an unknown kind.
    """
    if kind not in KINDS:
        raise InvalidInput(f"found {kind!r}{suggest_closest(kind, KINDS)}; accepted: {', '.join(KINDS)}", "kind")
    module, name, _ = KINDS[kind]
    found: type[SourceConfig] = getattr(import_module(module), name)
    return found


def validate_source(values: Mapping[str, object]) -> SourceConfig:
    """The source that an entry of `sources:` describes: its `kind`, and the keys of that kind.

    Raises InvalidInput for the kind, pydantic's ValidationError with every wrong key.
    """
    kind = values.get("kind")
    if not isinstance(kind, str):
        raise InvalidInput(f"a source needs the key kind; accepted: {', '.join(KINDS)}", "kind")
    return get_source_class(kind).model_validate({key: value for key, value in values.items() if key != "kind"})


def build_source(values: Mapping[str, object]) -> SourceConfig:
    """As `validate_source`, but raises InvalidInput for the first wrong key."""
    try:
        return validate_source(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        accepted = (
            f"; accepted: {', '.join(get_source_class(str(values['kind'])).model_fields)}" if first["type"] == "extra_forbidden" else ""
        )
        raise InvalidInput(f"{first['msg']}{accepted}", where) from error
