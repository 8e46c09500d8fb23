"""One version of a dbt project as its manifest states it: its tables, and the parts of each that are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.contracts import Definition, Field, Model, Rule
from meshline.graph.model import AssetKey, AssetKind, Facts, Json
from meshline.ingest.changes import Text
from meshline.ingest.check_facts import Check
from meshline.ingest.sources.base import Context, Entry
from meshline.ingest.sources.dbt.artifacts import Column, Config, Constraint, Manifest, Node
from meshline.ingest.sources.dbt.checks import Checks
from meshline.ingest.sources.dbt.facts import (
    Owner,
    Relations,
    Table,
    build_table,
    build_table_facts,
    is_contract_enforced,
    list_certain_columns,
    list_columns,
    list_owners,
    merge_tags,
)
from meshline.ingest.sources.dbt.flows import ModelDefinition, Names, Upstream, analyse_sql, build_reference_flows
from meshline.ingest.sources.dbt.items import References, order_by_references
from meshline.ingest.sources.dbt.parse import SCOPE, Artifacts, find_project_name, parse_artifact_files

MAX_PROBLEMS = 50  # bad entries that a message names


class ProjectSettings(NamedTuple):
    """`dialect`: sqlglot's name for the dialect of the SQL; None if sqlglot does not support it. `folder`: the project's folder, as
    it is shown. `typed`: whether types of the catalog are compared: only if both versions have a catalog.
    """

    namespace: str
    dialect: str | None
    folder: str
    typed: bool = False


class _Code(msgspec.Struct, frozen=True, gc=False):
    """A node's SQL before it is compiled."""

    raw_code: str | None = None


def parse_artifacts(manifest: Text, catalog: str) -> Artifacts:
    """Raises InvalidInput with all that cannot be read."""
    found = parse_artifact_files(Path(manifest.name), manifest.data, catalog.encode() if catalog else None)
    if found.refused:
        problems = [str(one.error) for one in found.refused]
        more = [f"{len(problems) - MAX_PROBLEMS} more like these"] if len(problems) > MAX_PROBLEMS else []
        raise InvalidInput("\n".join([*problems[:MAX_PROBLEMS], *more]))
    return found


class ProjectVersion:
    """A project in one version."""

    def __init__(self, artifacts: Artifacts, settings: ProjectSettings, context: Context) -> None:
        """Raises InvalidInput for a table that cannot be named."""
        self.artifacts = artifacts
        self.settings = settings
        self.tables = _build_tables(artifacts, settings.namespace, context)
        self._context = context
        self._names = Names(Relations(self.tables), settings.namespace, context.naming)
        self._references = References(artifacts)
        self._defined: dict[str, ModelDefinition] = {}

    @cached_property
    def ids(self) -> Mapping[AssetKey, str]:
        """The ids of tables by their datasets."""
        return {table.key: id_ for id_, table in reversed(self.tables.items())}

    @cached_property
    def checks(self) -> Mapping[AssetKey, Sequence[Check]]:
        """Tests by dataset."""
        found: dict[AssetKey, list[Check]] = {}
        suite = f"{SCOPE}/{find_project_name(self.artifacts)}"
        for one in Checks(self.artifacts, self.tables, lambda _, column: column, suite).list_defined():
            of = one.check.subject
            found.setdefault(of if of.kind is AssetKind.DATASET else model.build_dataset_key(*of.parts[:2]), []).append(one.check)
        return found

    def list_upstream(self, id_: str) -> list[str]:
        """The tables that one refers to."""
        return self._references.list_tables(self.tables[id_].node.depends_on, self.tables)

    def list_read_columns(self, id_: str) -> dict[str, tuple[str, ...]]:
        """All columns of the tables that a table reads, by their names in SQL; call `list_columns` first."""
        found = {}
        for one in self._build_upstream(self.tables[id_]):
            if one.columns:
                found[".".join(one.table.relation).lower()] = tuple(one.columns)
        return found

    def list_columns(self, id_: str) -> Sequence[str]:
        """All columns of a table, in order; empty if they are uncertain."""
        return list_certain_columns(self.tables[id_], self.analyse_sql(id_).columns)

    def analyse_sql(self, id_: str) -> ModelDefinition:
        """The result of analysing a table's SQL; the tables upstream are analysed first."""
        if id_ not in self._defined:
            for one in order_by_references([id_], lambda one: () if one in self._defined else self.list_upstream(one)):
                if one not in self._defined:
                    self._defined[one] = self._analyse_table(self.tables[one])
        return self._defined[id_]

    def format_owners(self, id_: str) -> str:
        """The owners of a table, by the names that the graph shows."""
        found = list_owners(self.tables[id_].node, self.artifacts.groups)
        return ", ".join(sorted({self._format_owner(owner) for owner in found}))

    def _format_owner(self, owner: Owner) -> str:
        known = self._context.resolve_person(owner.email or owner.name)
        return owner.name if known == owner.email else known

    def build_entries(self, id_: str) -> list[Entry]:
        """The statements of the dbt source about a table."""
        table, defined = self.tables[id_], self.analyse_sql(id_)
        owned_by = list_owners(table.node, self.artifacts.groups)
        facts = build_table_facts(table, list_columns(table, defined.columns), owned_by)
        return [
            Entry((SCOPE, id_), encode_facts(facts)),
            Entry((SCOPE, id_, "lineage"), encode_facts(Facts(flows=defined.flows))),
        ]

    def _analyse_table(self, table: Table) -> ModelDefinition:
        upstream = self._build_upstream(table)
        sql, dialect = table.node.compiled_code, self.settings.dialect
        if not sql or dialect is None or (table.node.language or "sql") != "sql":
            return ModelDefinition(build_reference_flows(table, upstream))
        return analyse_sql(table, sql, dialect, upstream, self._names)

    def _build_upstream(self, table: Table) -> list[Upstream]:
        found = [Upstream(self.tables[id_], self._list_certain_columns(id_)) for id_ in self.list_upstream(table.id) if id_ != table.id]
        return [*found, Upstream(table, list_certain_columns(table, ()))] if table.node.resource_type == "model" else found

    def _list_certain_columns(self, id_: str) -> Sequence[str]:
        return list_certain_columns(self.tables[id_], self._defined[id_].columns if id_ in self._defined else ())


def _build_tables(artifacts: Artifacts, namespace: str, context: Context) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for id_, node in artifacts.nodes.items():
        try:
            table = build_table(id_, node, namespace, context.naming, artifacts.catalog.get(id_))
        except InvalidInput as error:
            section = "sources" if node.source_name is not None else "nodes"
            raise InvalidInput(str(error), f"{artifacts.file}: {section}.{id_}") from error
        if table is not None:
            tables[id_] = table
    return tables


def read_raw_codes(manifest: Text, ids: Sequence[str]) -> dict[str, str]:
    """The SQL of nodes before it is compiled."""
    if not ids:
        return {}
    nodes = msgspec.json.decode(manifest.data, type=Manifest).nodes
    decode = msgspec.json.Decoder(_Code).decode
    return {id_: decode(nodes[id_]).raw_code or "" for id_ in ids if id_ in nodes}


_VALUES = "accepted_values"
_DETAILS = frozenset({"severity"})  # of a test, but no argument
_ENFORCING = frozenset({"table", "incremental"})  # materializations: ModelNode.materialization_enforces_constraints of dbt-core


def build_declared(state: ProjectVersion, id_: str) -> Definition:
    """A table as its YAML and its catalog state it, without analysing its SQL."""
    table = state.tables[id_]
    node, config = table.node, table.node.config or Config()
    is_source = node.source_name is not None
    checks = state.checks.get(table.key, ())
    return Definition(
        model=Model(table.key.name, fields=tuple(_build_fields(state, table, [one.name for one in (node.columns or {}).values()], checks))),
        format=state.settings.dialect or "dbt",
        kind="" if is_source else config.materialized or "",
        partitioning=tuple(_format_partitioning(config.partition_by)),
        sql="" if is_source else node.compiled_code or "",
        dialect=state.settings.dialect or "",
        rules=(*_list_promises(node), *(_build_rule(one) for one in checks if not _has_values(one))),
        owner=state.format_owners(id_),
        access="" if is_source else node.access or config.access or "",
        deprecated=node.deprecation_date is not None,
        contracted=is_contract_enforced(node),
        constraints=_list_enforced_constraints(node),
        version="" if node.version is None else str(node.version),
        latest_version="" if node.latest_version is None else str(node.latest_version),
    )


def add_columns(state: ProjectVersion, id_: str, found: Definition, columns: Sequence[str]) -> Definition:
    """The definition with these columns, and with the columns of the tables that it reads."""
    table = state.tables[id_]
    model = msgspec.structs.replace(found.model, fields=tuple(_build_fields(state, table, columns, state.checks.get(table.key, ()))))
    return msgspec.structs.replace(found, model=model, reads=state.list_read_columns(id_))


def _build_fields(state: ProjectVersion, table: Table, columns: Iterable[str], checks: Sequence[Check]) -> Iterable[Field]:
    """Build fields. Constraints of the database, and types that YAML declares, count only where dbt enforces the contract."""
    node = table.node
    by_name = {one.name.casefold(): one for one in (node.columns or {}).values()}
    types = {one.name.casefold(): one.type or "" for one in table.listing} if state.settings.typed else {}
    values = {one.subject.name.casefold(): one for one in checks if _has_values(one)}
    enforced = is_contract_enforced(node)
    keys = _collect_keys(node) if enforced else {}
    for name in columns:
        key = name.casefold()
        yield _build_field(name, by_name.get(key), types.get(key, ""), values.get(key), enforced=enforced, keys=keys.get(key, frozenset()))


def _build_field(name: str, column: Column | None, of_catalog: str, values: Check | None, *, enforced: bool, keys: frozenset[str]) -> Field:
    promised = {one.type for one in (column.constraints if column is not None else None) or ()} | keys if enforced else keys
    declared_type = (column.data_type if column is not None else None) or ""
    meta = _merge_meta(column)
    return Field(
        name=name,
        type=(declared_type or of_catalog) if enforced else (of_catalog or declared_type),
        required=bool(promised & {"not_null", "primary_key"}),
        unique=True if "unique" in promised else None,
        primary_key=True if "primary_key" in promised else None,
        enum=tuple(_get_arguments(values).get("values") or ()) if values is not None else (),
        classification=_to_text(meta.get("classification")),
        pii=meta.get("pii") if isinstance(meta.get("pii"), bool) else None,
        tags=_list_tags(column),
    )


def _list_tags(column: Column | None) -> tuple[str, ...]:
    if column is None:
        return ()
    return tuple(map(str, merge_tags(column.tags, column.config.tags if column.config is not None else None)))


def _collect_keys(node: Node) -> dict[str, frozenset[str]]:
    """Types of constraints by column, from constraints of the whole model that name a single column."""
    single: list[Constraint] = [one for one in node.constraints or () if one.columns and len(one.columns) == 1]
    found: dict[str, frozenset[str]] = {}
    for one in single:
        for name in one.columns or ():
            found[name.casefold()] = found.get(name.casefold(), frozenset()) | {one.type}
    return found


def _list_enforced_constraints(node: Node) -> tuple[str, ...]:
    """Types of constraints that the database enforces for dbt: only under a contract, and only for tables."""
    materialized = (node.config.materialized if node.config is not None else None) or ""
    if not is_contract_enforced(node) or materialized not in _ENFORCING:
        return ()
    of_columns = (one for column in (node.columns or {}).values() for one in column.constraints or ())
    return tuple(sorted({one.type for one in (*of_columns, *(node.constraints or ()))}))


def _list_promises(node: Node) -> Iterable[Rule]:
    """Rules from enforced constraints: keys of several columns, and checks."""
    if not is_contract_enforced(node):
        return
    of_columns = [(column.name, one) for column in (node.columns or {}).values() for one in column.constraints or ()]
    for name, one in [*of_columns, *(("", one) for one in node.constraints or ())]:
        if one.type in ("check", "foreign_key", "custom") or (not name and len(one.columns or ()) > 1):
            arguments: dict[str, Any] = {"columns": one.columns, "to": one.to, "to_columns": one.to_columns}
            given = {key: value for key, value in arguments.items() if value}
            yield Rule(type="constraint", field=name, metric=one.type, query=one.expression or "", arguments=given)


def _build_rule(check: Check) -> Rule:
    arguments = _get_arguments(check)
    kept = {name: value for name, value in arguments.items() if name not in _DETAILS}
    named = check.name if check.kind == "singular" else ""
    of = check.subject.name if check.subject.kind is AssetKind.COLUMN else ""
    return Rule(type="test", field=of, name=named, metric=check.kind, severity=_to_text(arguments.get("severity")), arguments=kept)


def _has_values(check: Check) -> bool:
    """Whether a test lists the values that a column may have in all rows."""
    arguments = _get_arguments(check)
    is_list = check.kind.rpartition(".")[2] == _VALUES and isinstance(arguments.get("values"), list)
    return is_list and not arguments.get("where") and check.subject.kind is AssetKind.COLUMN


def _get_arguments(check: Check) -> Mapping[str, Any]:
    return check.expected if isinstance(check.expected, dict) else {}


def _merge_meta(column: Column | None) -> Mapping[str, Any]:
    if column is None:
        return {}
    return {**((column.config.meta if column.config is not None else None) or {}), **(column.meta or {})}


def _format_partitioning(partition_by: Json) -> Iterable[str]:
    """`day(created_at)` of BigQuery, names of columns elsewhere."""
    for one in partition_by if isinstance(partition_by, list) else [partition_by]:
        if isinstance(one, dict):
            field, granularity = (
                _to_text(one.get("field")),
                _to_text(one.get("granularity")) or ("" if one.get("range") is None else "range"),
            )
            yield f"{granularity}({field})" if granularity else field
        elif one:
            yield str(one)


def _to_text(value: object) -> str:
    return value if isinstance(value, str) else ""
