"""What Feast has: feature views with the columns that their features come from, and the features that services hand out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from meshline.graph.model import AssetKey, Flow, Json
from meshline.ingest.dataset_refs import split_endpoint
from meshline.ingest.sources.base import Context, Entry, Item
from meshline.ingest.sources.dashboards.database_names import UNLOCATED, Database, DatabaseName, parse_address
from meshline.ingest.sources.dashboards.reports import (
    Model,
    ModelColumn,
    Report,
    Use,
    Warnings,
    build_column_flows,
    build_condition_flows,
    build_model_entry,
    build_report_entries,
    parse_time,
    spell_use,
)
from meshline.ingest.sources.dashboards.sql_models import parse_table, read_database_query
from meshline.ingest.sources.models import feast_registry as registry
from meshline.ingest.sources.models.feature_functions import find_inputs

# Options of sources by their key in the registry: the system.
SYSTEMS = {
    "bigquery_options": "bigquery",
    "redshift_options": "redshift",
    "snowflake_options": "snowflake",
    "spark_options": "hive",
    "trino_options": "trino",
    "athena_options": "athena",
}
CUSTOM = {"postgres": "postgres", "mssql": "mssql", "trino": "trino", "spark": "hive", "athena": "athena", "clickhouse": "clickhouse"}
SPARK, HIVE = "spark", "hive"
NO_ENTITY, NO_KEY = "__dummy", "__dummy_id"  # of a view that has none


class Origin(NamedTuple):
    """A table, file or topic (`key`), or a query (`sql`) over the tables of a database."""

    key: AssetKey | None = None
    database: Database | None = None
    sql: str = ""


class FeastReader:
    """Reads registries, one after the other."""

    def __init__(self, databases: Mapping[str, DatabaseName], context: Context) -> None:
        self._named = databases
        self._context = context
        self.warnings = Warnings()

    # -- feature views

    def build_views(self, found: registry.Registry) -> Iterator[Item]:
        """The statements about the feature views of a project."""
        self._features = {one.spec.name: _list_columns(one.spec) for one in _list_views(found)}
        for one in found.feature_views:
            yield self._build_view(found.project, one, "FEATURE_VIEW", self._build_source_flows(found.project, one.spec))
        for one in found.stream_feature_views:
            yield self._build_view(found.project, one, "STREAM_FEATURE_VIEW", self._build_stream_flows(found.project, one.spec))
        for one in found.on_demand_feature_views:
            yield self._build_view(found.project, one, "ON_DEMAND_FEATURE_VIEW", self._build_function_flows(found.project, one.spec))

    def _build_view(self, project: str, one: registry.FeatureView, kind: str, flows: Iterable[Flow]) -> Entry:
        spec, key = one.spec, self._build_key(project, one.spec.name)
        ends = [interval.end_time for interval in one.meta.materialization_intervals if interval.end_time]
        attributes: dict[str, Json] = {
            "entities": [name for name in spec.entities if name != NO_ENTITY],
            "online": spec.online,
            "last_materialized": max(ends, default=""),
            "function": spec.find_function().name or "",
        }
        columns = {column.name: column for column in (*spec.features, *spec.entity_columns)}
        found = Model(
            key=key,
            title="",
            columns=tuple(
                ModelColumn(name, columns[name].value_type or "", columns[name].description or "") for name in _list_columns(spec)
            ),
            flows=tuple(flows),
            description=spec.description or "",
            owners=(spec.owner or "",),
            tags=registry.list_tags(spec.tags),
            dataset_type=kind,
            attributes=attributes,
            time=parse_time(one.meta.last_updated_timestamp),
        )
        return build_model_entry(found, self._context)

    def _build_key(self, project: str, view: str) -> AssetKey:
        return self._context.naming.normalise_dataset(f"feast://{project}", view)

    def _build_source_flows(self, project: str, spec: registry.ViewSpec) -> Iterator[Flow]:
        """The flows into a view from its batch source, by the mapping of its fields."""
        source = spec.batch_source
        if source is None:
            return
        key, origin = self._build_key(project, spec.name), self._locate(source)
        if origin.sql and origin.database is not None:
            yield from self._build_query_flows(key, spec, source, origin)
        elif origin.key is not None:
            yield from self._build_mapped_flows(key, spec, source, origin.key)

    def _build_mapped_flows(self, key: AssetKey, spec: registry.ViewSpec, source: registry.DataSource, table: AssetKey) -> Iterator[Flow]:
        for column in _list_columns(spec):
            yield from build_column_flows(key, column, [self._spell(table, name) for name in _list_sources(source, column)])
        times = (source.timestamp_field, source.created_timestamp_column, source.date_partition_column)
        yield from build_condition_flows(key, [self._spell(table, name) for name in times if name])

    def _spell(self, table: AssetKey, column: str) -> Use:
        return spell_use(Use(table, column), self._context)

    def _build_query_flows(self, key: AssetKey, spec: registry.ViewSpec, source: registry.DataSource, origin: Origin) -> Iterator[Flow]:
        """The flows of a query, into the features that its columns are called."""
        database = origin.database or parse_address("")
        query = read_database_query(origin.sql, database, key, self._context)
        for note in query.notes:
            self.warnings.add(f"data source {source.name!r}: {note}")
        columns = {column.casefold(): column for column in _list_columns(spec)}
        mapped = {old.casefold(): new for old, new in source.field_mapping.items()}
        times = {name.casefold() for name in (source.timestamp_field, source.created_timestamp_column) if name}
        for flow in query.flows:
            if flow.end == key:
                yield flow
                continue
            name = flow.end.name.casefold()
            if (feature := columns.get(mapped.get(name, name).casefold())) is not None:
                yield flow._replace(end=flow.end._replace(parts=(*key.parts, feature)))
            elif name in times:
                yield from build_condition_flows(key, [Use(AssetKey(key.kind, flow.start.parts[:2]), flow.start.name)])

    def _build_stream_flows(self, project: str, spec: registry.ViewSpec) -> Iterator[Flow]:
        """From the topic and the batch source as wholes: a function in Python lies between."""
        key = self._build_key(project, spec.name)
        for source in (spec.stream_source, spec.batch_source):
            table = self._locate(source).key if source is not None else None
            if source is None or table is None:
                continue
            if spec.user_defined_function is not None or spec.feature_transformation is not None:
                yield Flow(table, key)
            else:
                yield from self._build_mapped_flows(key, spec, source, table)

    def _build_function_flows(self, project: str, spec: registry.ViewSpec) -> Iterator[Flow]:
        """From the features that a function reads, by its text if that shows them; else from the views as wholes."""
        key = self._build_key(project, spec.name)
        inputs: dict[str, list[Use]] = {}
        views: dict[AssetKey, None] = {}
        for source in spec.sources.values():
            projection = source.feature_view_projection
            view = projection.feature_view_name if projection is not None else source.feature_view.spec.name if source.feature_view else ""
            if not view:
                continue  # values of the request
            table = self._build_key(project, view)
            views[table] = None
            names = [column.name for column in projection.feature_columns] if projection is not None else []
            for name in names or self._features.get(view, []):
                inputs.setdefault(name, []).append(Use(table, name))
        function = spec.find_function()
        found = find_inputs(function.body_text or function.body or "", _list_columns(spec))
        if found is None:
            yield from (Flow(view, key) for view in views)
            return
        for column, read in found.items():
            yield from build_column_flows(key, column, [use for name in sorted(read) for use in inputs.get(name, ())])

    # -- data sources

    def _locate(self, source: registry.DataSource) -> Origin:
        """The table, file, topic or query of a data source; nothing, with a warning, if it is not known where it is."""
        if source.batch_source is not None and source.kafka_options is None:  # of a push source
            return self._locate(source.batch_source)
        if source.file_options is not None and source.file_options.uri:
            return Origin(self._locate_file(source.file_options.uri))
        if source.kafka_options is not None:
            brokers = (source.kafka_options.kafka_bootstrap_servers or "").split(",")[0].strip()
            topic = source.kafka_options.topic or ""
            return Origin(self._context.naming.normalise_dataset(f"kafka://{brokers}", topic) if brokers and topic else None)
        return self._locate_table(source)

    def _locate_table(self, source: registry.DataSource) -> Origin:
        system, options = self._find_options(source)
        if options.path:
            return Origin(self._locate_file(options.path))
        database = self._locate_database(source, system, options)
        if not database.namespace:
            self.warnings.add(
                f"data source {source.name!r} ({system or source.type}): {UNLOCATED}, by its name or by {system or 'its system'}"
            )
            return Origin()
        if options.query:
            return Origin(database=database, sql=options.query)
        relation = parse_table(options.table or "", database.system.dialect) or ()
        return Origin(database.build_key((*filter(None, (options.database, options.schema)), *relation), self._context))

    def _locate_file(self, uri: str) -> AssetKey | None:
        namespace, name = split_endpoint(uri) if "://" in uri else ("file", uri)
        return self._context.naming.normalise_dataset(namespace, name) if namespace and name else None

    def _find_options(self, source: registry.DataSource) -> tuple[str, registry.TableOptions]:
        for key, system in SYSTEMS.items():
            if (found := getattr(source, key)) is not None:
                return system, found
        kind = (source.data_source_class_type or "").lower()
        system = next((system for word, system in CUSTOM.items() if word in kind), "")
        return system, registry.decode_options(source.custom_options)

    def _locate_database(self, source: registry.DataSource, system: str, options: registry.TableOptions) -> Database:
        address = "bigquery://" if system == "bigquery" else f"{system}://"
        database = parse_address(address, system)._replace(catalog=options.database or "")
        return database.move(self._named.get(source.name) or self._named.get(SPARK if system == HIVE else system), self._context)

    # -- feature services

    def build_services(self, found: Iterable[registry.Registry]) -> list[Entry]:
        """The statements about the feature services of all projects."""
        reports = [self._build_service(one.project, service) for one in found for service in one.feature_services]
        return build_report_entries(reports, self._context)

    def _build_service(self, project: str, one: registry.FeatureService) -> Report:
        uses: set[Use] = set()
        for projection in one.spec.features:
            table = self._build_key(project, projection.feature_view_name)
            uses |= {Use(table, column.name) for column in projection.feature_columns if column.name} or {Use(table)}
        return Report(
            id=f"{project}/{one.spec.name}",
            name=one.spec.name,
            type="feature-service",
            uses=frozenset(uses),
            description=one.spec.description or "",
            owners=(one.spec.owner or "",),
            tags=registry.list_tags(one.spec.tags),
            attributes={"project": project},
            time=parse_time(one.meta.last_updated_timestamp),
        )


def _list_views(found: registry.Registry) -> Iterator[registry.FeatureView]:
    yield from (*found.feature_views, *found.stream_feature_views, *found.on_demand_feature_views)


def _list_columns(spec: registry.ViewSpec) -> list[str]:
    """The join keys and features of a view."""
    found = dict.fromkeys(column.name for column in (*spec.entity_columns, *spec.features))
    return [name for name in found if name and name != NO_KEY]


def _list_sources(source: registry.DataSource, feature: str) -> list[str]:
    """The columns that a feature is called after."""
    return [column for column, name in source.field_mapping.items() if name == feature] or [feature]
