"""What Superset has: dashboards and charts with the columns that they use, and datasets made of SQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import urljoin

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, Flow, Json
from meshline.ingest.sources.base import Context, Item, Refusal
from meshline.ingest.sources.dashboards.database_names import UNLOCATED, Database, DatabaseName, parse_address
from meshline.ingest.sources.dashboards.reports import (
    Model,
    ModelColumn,
    Report,
    Use,
    Warnings,
    build_column_flows,
    build_model_entry,
    build_report_entries,
    parse_time,
)
from meshline.ingest.sources.dashboards.sql_models import list_expression_columns, read_query
from meshline.ingest.sources.dashboards.superset_contents import (
    Chart,
    Connection,
    Dashboard,
    DashboardFilters,
    DatabaseLink,
    Dataset,
    DatasetColumn,
    Id,
    SupersetContents,
    Tag,
    User,
)

MAX_DEPTH = 20  # of the parameters of a chart
OWN_TAG = (1, "1", "custom", "TagType.custom")  # made by people; others repeat the type and the owners


class SupersetReader:
    """What becomes of the contents of one Superset."""

    def __init__(self, contents: SupersetContents, databases: Mapping[str, DatabaseName], context: Context) -> None:
        self._contents = contents
        self._named = databases
        self._context = context
        self._warnings = Warnings()
        self._databases: dict[Id, Database] = {}
        self._datasets: dict[Id, tuple[Dataset, AssetKey | None]] = {}
        self._columns: dict[AssetKey, list[str]] = {}

    def list_warnings(self) -> list[str]:
        return self._warnings.list_first()

    def read_items(self) -> Iterator[Item]:
        contents = self._contents
        for dataset in contents.datasets:
            self._add_dataset(dataset)
        yield from self._build_models()
        uses = {chart.id: self._find_uses(chart) for chart in contents.charts}
        for warning in contents.warnings:
            self._warn(warning)
        reports = [self._build_dashboard(one, uses) for one in contents.dashboards]
        reports += [self._build_chart(chart, uses[chart.id]) for chart in contents.charts if not chart.dashboards]
        yield from build_report_entries(reports, self._context)

    # -- datasets

    def _add_dataset(self, dataset: Dataset) -> None:
        database = self._find_database(dataset.database) if dataset.database is not None else None
        key: AssetKey | None = None
        if dataset.sql:
            base = dataset.database.database_name if dataset.database is not None else ""
            name = ".".join(filter(None, (base, dataset.schema, dataset.table_name)))
            url = self._contents.url or "superset"
            key = self._context.naming.normalise_dataset(url.replace("https://", "superset://").replace("http://", "superset://"), name)
        elif database is not None:
            key = database.build_key((dataset.catalog or "", dataset.schema or "", dataset.table_name), self._context)
        self._datasets[dataset.id] = dataset, key
        if key is not None:
            self._columns[key] = [column.column_name for column in dataset.columns if not column.expression]

    def _find_database(self, link: DatabaseLink) -> Database:
        if link.id not in self._databases:
            found = self._contents.connections.get(link.id) or Connection()
            database = parse_address(found.sqlalchemy_uri or "", found.backend or "")
            database = database.move(self._named.get(found.database_name or link.database_name), self._context)
            if not database.namespace:
                self._warn(f"database {found.database_name or link.database_name!r}: {UNLOCATED}")
            self._databases[link.id] = database
        return self._databases[link.id]

    def _build_models(self) -> Iterator[Item]:
        for dataset, key in self._datasets.values():
            if not dataset.sql or key is None or dataset.database is None:
                continue
            try:
                yield build_model_entry(self._build_model(dataset, key, self._find_database(dataset.database)), self._context)
            except InvalidInput as error:
                yield Refusal(InvalidInput(str(error), f"dataset {dataset.id}"), ("model", *key.parts))

    def _build_model(self, dataset: Dataset, key: AssetKey, database: Database) -> Model:
        sql = dataset.sql or ""
        catalog = dataset.catalog or database.catalog
        defaults = (catalog, dataset.schema or database.schema) if database.system.catalogs else (dataset.schema or database.schema,)
        flows: tuple[Flow, ...] = ()
        if database.namespace:
            query = read_query(
                sql,
                database.system.dialect,
                defaults,
                key,
                lambda relation: database.build_key(relation, self._context) or key,
                self._list_columns,
            )
            flows = query.flows
            for note in query.notes:
                self._warn(f"dataset {dataset.table_name!r}: {note}")
        calculated = [flow for column in dataset.columns if column.expression for flow in self._build_calculated(dataset, key, column)]
        return Model(
            key=key,
            title=dataset.table_name,
            columns=tuple(ModelColumn(one.column_name, one.type or "", one.description or "") for one in dataset.columns),
            flows=(*flows, *calculated),
            sql=sql,
            description=dataset.description or "",
            owners=tuple(self._list_owners(dataset.owners)),
            time=parse_time(dataset.changed_on_utc),
        )

    def _build_calculated(self, dataset: Dataset, key: AssetKey, column: DatasetColumn) -> list[Flow]:
        return build_column_flows(
            key, column.column_name, [Use(key, name) for name in self._read_expression(dataset, column.expression or "")]
        )

    def _list_columns(self, key: AssetKey) -> Sequence[str]:
        return self._columns.get(key) or [column.name for column in self._context.columns_of(key)]

    # -- charts

    def _find_uses(self, chart: Chart) -> frozenset[Use]:
        """What a chart shows or filters by; the whole dataset if no column can be found in its parameters."""
        dataset, key = self._datasets.get(chart.datasource_id or 0, (None, None))
        if dataset is None or key is None:
            return frozenset()
        names: dict[str, None] = {}
        for text in (chart.params, chart.query_context):
            try:
                found = json.loads(text) if text else None
            except (ValueError, RecursionError):
                self._warn(f"chart {chart.slice_name!r}: its parameters are no JSON")
                continue
            names.update(dict.fromkeys(self._collect_names(dataset, found)))
        known = self._resolve_names(dataset, names)
        return frozenset(Use(key, name) for name in known) if known else frozenset({Use(key)})

    def _collect_names(self, dataset: Dataset, found: object, depth: int = 0) -> Iterator[str]:
        """The names of columns and metrics, and the columns of SQL, wherever the parameters have them."""
        if depth > MAX_DEPTH:
            return
        if isinstance(found, str):
            yield found
        elif isinstance(found, list):
            for one in found:
                yield from self._collect_names(dataset, one, depth + 1)
        elif isinstance(found, dict):
            for key, value in found.items():
                if key in ("sqlExpression", "expression", "where", "having") and isinstance(value, str) and value:
                    yield from self._read_expression(dataset, value)
                elif key not in ("datasource", "viz_type", "label", "comparator", "val", "color_scheme", "url_params", "extra_form_data"):
                    yield from self._collect_names(dataset, value, depth + 1)

    def _resolve_names(self, dataset: Dataset, names: Iterable[str]) -> list[str]:
        """The columns among the names: physical ones, and those that metrics and calculated columns read."""
        columns = {column.column_name: column for column in dataset.columns}
        metrics = {metric.metric_name: metric.expression for metric in dataset.metrics}
        found: dict[str, None] = {}
        waiting, seen = list(names), set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            column = columns.get(name)
            if column is not None and column.expression and not dataset.sql:
                waiting += self._read_expression(dataset, column.expression)
            elif column is not None:
                found[name] = None
            elif name in metrics:
                waiting += self._read_expression(dataset, metrics[name])
        return sorted(found)

    def _read_expression(self, dataset: Dataset, sql: str) -> list[str]:
        dialect = self._find_database(dataset.database).system.dialect if dataset.database is not None else ""
        try:
            names = list_expression_columns(sql, dialect)
        except InvalidInput as error:
            self._warn(f"dataset {dataset.table_name!r}: {error}")
            return []
        spelled = {column.column_name.casefold(): column.column_name for column in dataset.columns}
        return [spelled.get(name.casefold(), name) for name in names]

    # -- reports

    def _build_dashboard(self, one: Dashboard, uses: Mapping[Id, frozenset[Use]]) -> Report:
        own = [chart for chart in self._contents.charts if any(link.id == one.id for link in chart.dashboards)]
        attributes: dict[str, Json] = {"charts": len(own), "status": one.status or "", "certified_by": one.certified_by or ""}
        return Report(
            id=f"dashboard/{one.id}",
            name=one.dashboard_title or f"dashboard {one.id}",
            type="dashboard",
            uses=self._find_filters(one).union(*(uses[chart.id] for chart in own)),
            url=self._build_url(one.url),
            owners=tuple(self._list_owners(one.owners)),
            tags=tuple(_list_tags(one.tags)),
            attributes={**attributes, **self._contents.views.get(one.id, {})},
            time=max(filter(None, (parse_time(one.changed_on_utc), *(parse_time(chart.changed_on_utc) for chart in own))), default=None),
        )

    def _find_filters(self, one: Dashboard) -> frozenset[Use]:
        """The columns by which the dashboard itself filters."""
        text = self._contents.metadata.get(one.id)
        try:
            found = json.loads(text) if text else {}
            filters = msgspec.convert(found, DashboardFilters).native_filter_configuration
        except (ValueError, RecursionError, msgspec.ValidationError):
            self._warn(f"dashboard {one.dashboard_title!r}: its filters cannot be read")
            return frozenset()
        uses: set[Use] = set()
        for target in (target for found in filters for target in found.targets):
            dataset, key = self._datasets.get(target.dataset_id or target.dataset_uuid or 0, (None, None))
            if dataset is not None and key is not None and target.column is not None:
                uses |= {Use(key, name) for name in self._resolve_names(dataset, [target.column.name])}
        return frozenset(uses)

    def _build_chart(self, chart: Chart, uses: frozenset[Use]) -> Report:
        return Report(
            id=f"chart/{chart.id}",
            name=chart.slice_name or f"chart {chart.id}",
            type="chart",
            uses=uses,
            url=self._build_url(chart.url),
            description=chart.description or "",
            owners=tuple(self._list_owners(chart.owners)),
            tags=tuple(_list_tags(chart.tags)),
            time=parse_time(chart.changed_on_utc),
        )

    def _build_url(self, address: str | None) -> str:
        return urljoin(self._contents.url, address) if self._contents.url and address else ""

    def _list_owners(self, owners: Iterable[User]) -> Iterator[str]:
        for owner in owners:
            yield owner.email or self._contents.mails.get(owner.id) or " ".join(filter(None, (owner.first_name, owner.last_name)))

    def _warn(self, text: str) -> None:
        self._warnings.add(text)


def _list_tags(tags: Iterable[Tag]) -> Iterator[str]:
    return (tag.name for tag in tags if tag.type in OWN_TAG and tag.name)
