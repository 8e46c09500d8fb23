"""What flows into a model: column by column from its compiled SQL, else between whole tables from what it refers to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlglot import Dialect

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.model import AssetKey, AssetKind, Flow, FlowType
from meshline.graph.naming import Naming
from meshline.ingest.sources.dbt.facts import Relations, Table
from meshline.sql.script import ColumnEdge, Lineage, Relation, read_lineage

MAX_SQL = 1_000_000  # characters of one model

# dbt's adapters whose SQL has another name in sqlglot.
_DIALECTS = {
    "fabricspark": "spark",
    "glue": "spark",
    "greenplum": "postgres",
    "sqlserver": "tsql",
    "synapse": "tsql",
    "watsonx_presto": "presto",
    "watsonx_spark": "spark",
}


def find_dialect(adapter: str) -> str | None:
    """Sqlglot's name of an adapter's SQL; None if it does not read that."""
    name = _DIALECTS.get(adapter, adapter)
    return name if name and Dialect.get(name) is not None else None


class Upstream(NamedTuple):
    """A table that a model refers to, and its columns, empty if not all are known."""

    table: Table
    columns: Sequence[str]


class ModelDefinition(NamedTuple):
    """What a model's SQL defines. `columns`: in order, empty if they are not known. `notes`: what could not be told."""

    flows: tuple[Flow, ...] = ()
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def build_reference_flows(table: Table, upstream: Sequence[Upstream]) -> tuple[Flow, ...]:
    """What is known without SQL: whole tables flow into the model."""
    return tuple(Flow(one.table.key, table.key) for one in upstream if one.table.key != table.key)


class Names(NamedTuple):
    """How the relations in SQL become datasets."""

    relations: Relations
    namespace: str
    naming: Naming

    def resolve(self, relation: Relation, like: Table) -> AssetKey | None:
        """A node's key, or that of a table which is none, if it is written out as far as the model's own name is."""
        table = self.relations.find_table(relation)
        if table is not None:
            return table.key
        return self.naming.dataset(self.namespace, ".".join(relation)) if len(relation) == len(like.relation) else None


def analyse_sql(table: Table, sql: str, dialect: str, upstream: Sequence[Upstream], names: Names) -> ModelDefinition:
    """What a model's SQL says, and for what it leaves open, what the references say."""
    if len(sql) > MAX_SQL:
        return ModelDefinition(build_reference_flows(table, upstream), notes=(f"its compiled SQL has more than {MAX_SQL} characters",))
    known = {one.table.key: one.columns for one in upstream}  # a seed and a source may be one table

    def list_columns(relation: Relation) -> Sequence[str]:
        found = names.relations.find_table(relation)
        return known.get(found.key, ()) if found is not None else ()

    try:
        lineages = read_lineage(sql, dialect, list_columns, table.relation)
        if not known.get(table.key) and (own := _find_own_columns(lineages, table.relation)):
            known[table.key] = own  # it reads itself, and now we know as what
            lineages = read_lineage(sql, dialect, list_columns, table.relation)
    except InvalidInput as error:
        return ModelDefinition(build_reference_flows(table, upstream), notes=(f"its compiled SQL cannot be read as {dialect}: {error}",))
    return _DefinitionBuilder(table, upstream, names).build([one for one in lineages if one.target == table.relation])


def _find_own_columns(lineages: Sequence[Lineage], relation: Relation) -> Sequence[str]:
    """What a model that reads itself defines, if that helps to tell what it reads."""
    of_model = [one for one in lineages if one.target == relation and one.unresolved and relation in one.reads]
    return next((one.columns for one in of_model), ())


class _DefinitionBuilder:
    """Lineage over relations -> flows over assets."""

    def __init__(self, table: Table, upstream: Sequence[Upstream], names: Names) -> None:
        self._table = table
        self._upstream = upstream
        self._names = names
        self._notes: dict[str, None] = {}
        self._flows: dict[Flow, None] = {}
        self._spellings = {one.table.key: _map_spellings(one.columns) for one in upstream}

    def build(self, lineages: Sequence[Lineage]) -> ModelDefinition:
        columns: tuple[str, ...] = ()
        read = {one.table.key: None for one in self._upstream}
        for lineage in lineages:
            columns = lineage.columns or columns
            self._notes.update(dict.fromkeys(lineage.unresolved))
            for edge in lineage.edges:
                self._flows.update(dict.fromkeys(self._build_flows(edge)))
            read.update({key: None for key in map(self._resolve_relation, lineage.reads) if key is not None})
        read.pop(self._table.key, None)
        described = {flow.start.parts[:2] for flow in self._flows if flow.start.kind is AssetKind.COLUMN}
        is_open = any(lineage.unresolved for lineage in lineages)
        for key in read:
            is_described = key.parts in described
            self._flows[Flow(key, self._table.key, covered=is_described)] = None
            if is_described and is_open:  # what could not be told may come from any of them
                self._flows[Flow(key, self._table.key)] = None
        return ModelDefinition(tuple(self._flows), columns, tuple(self._notes))

    def _build_flows(self, edge: ColumnEdge) -> Iterator[Flow]:
        source, own = self._resolve_relation(edge.source), self._table.key
        if source is None:
            return
        if edge.column is None:
            if source != own:
                yield Flow(source, own)
            return
        start = model.build_column_key(source, self._spellings.get(source, {}).get(edge.column.casefold(), edge.column))
        if edge.target is None:
            yield Flow(start, own, FlowType.INDIRECT, edge.subtype, edge.masking)
        else:
            end = model.build_column_key(own, self._spellings.get(own, {}).get(edge.target.casefold(), edge.target))
            yield Flow(start, end, edge.type, edge.subtype, edge.masking)

    def _resolve_relation(self, relation: Relation) -> AssetKey | None:
        key = self._names.resolve(relation, self._table)
        if key is None:
            self._notes[f"it reads {'.'.join(relation)}, which is no node of the project"] = None
        return key


def _map_spellings(columns: Sequence[str]) -> Mapping[str, str]:
    """By the name in one case: as the table has it."""
    return {name.casefold(): name for name in columns}
