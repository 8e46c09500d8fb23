"""The flows into a model: by columns from its compiled SQL, else by whole tables from the nodes that it refers to."""

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
    """Sqlglot's name of an adapter's SQL dialect; None if sqlglot does not know it."""
    name = _DIALECTS.get(adapter, adapter)
    return name if name and Dialect.get(name) is not None else None


class Upstream(NamedTuple):
    """A table that a model refers to, and its columns, empty if not all are known."""

    table: Table
    columns: Sequence[str]


class ModelDefinition(NamedTuple):
    """The flows and columns that a model's SQL defines. `columns`: in order, empty if they are not known. `notes`: the parts that
    could not be resolved, in words.
    """

    flows: tuple[Flow, ...] = ()
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def build_reference_flows(table: Table, upstream: Sequence[Upstream]) -> tuple[Flow, ...]:
    """The flows that are known without SQL: from whole tables into the model."""
    return tuple(Flow(one.table.key, table.key) for one in upstream if one.table.key != table.key)


class Names(NamedTuple):
    """How the relations in SQL become datasets."""

    relations: Relations
    namespace: str
    naming: Naming

    def resolve(self, relation: Relation, like: Table) -> AssetKey | None:
        """The key of a node's table; of a table that is no node, only if its name has as many parts as the model's own name."""
        table = self.relations.find_table(relation)
        if table is not None:
            return table.key
        return self.naming.normalise_dataset(self.namespace, ".".join(relation)) if len(relation) == len(like.relation) else None


def analyse_sql(table: Table, sql: str, dialect: str, upstream: Sequence[Upstream], names: Names) -> ModelDefinition:
    """The flows and columns by a model's SQL; by its references if the SQL cannot be read."""
    if len(sql) > MAX_SQL:
        return ModelDefinition(build_reference_flows(table, upstream), notes=(f"its compiled SQL has more than {MAX_SQL} characters",))
    known = {one.table.key: one.columns for one in upstream}  # a seed and a source may be one table

    def list_columns(relation: Relation) -> Sequence[str]:
        found = names.relations.find_table(relation)
        return known.get(found.key, ()) if found is not None else ()

    try:
        lineages = read_lineage(sql, dialect, list_columns, table.relation)
        if not known.get(table.key) and (own := _find_own_columns(lineages, table.relation)):
            known[table.key] = own  # the model reads itself, and its own columns are now known
            lineages = read_lineage(sql, dialect, list_columns, table.relation)
    except InvalidInput as error:
        return ModelDefinition(build_reference_flows(table, upstream), notes=(f"its compiled SQL cannot be read as {dialect}: {error}",))
    return _DefinitionBuilder(table, upstream, names).build([one for one in lineages if one.target == table.relation])


def _find_own_columns(lineages: Sequence[Lineage], relation: Relation) -> Sequence[str]:
    """The columns that a model defines, if it reads itself and they help to resolve its SQL."""
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
            if is_described and is_open:  # the unresolved part may come from any of them
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
    """The spelling of each column in its table, by the name in folded case."""
    return {name.casefold(): name for name in columns}
