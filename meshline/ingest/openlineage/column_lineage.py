"""The lineage of one output: by the facets that state it, or by the SQL of its job where that knows better.

Two facets state it: `columnLineage` (ColumnLineageDatasetFacet 1-2-0) and the newer `lineage` (LineageFacet 1-0-0: on a
dataset, or per target in the entries of a job). Both become `OutputLineage`, with names as they came. A producer may state column
lineage that its own schema contradicts: openlineage-sql names the columns of `INSERT INTO t (a, b) SELECT ...` (Airflow) after
the SELECT list. The SQL is in the run, so it is read instead. The result depends on nothing but the run: no graph, no clock, so
that the order of events has no meaning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.model import AssetKey, FlowType
from meshline.graph.naming import normalise_namespace
from meshline.ingest.openlineage.facet_types import (
    ColumnLineage,
    DatasetLineage,
    InputField,
    LineageEntry,
    LineageField,
    LineageInput,
    Transformation,
)
from meshline.ingest.openlineage.spark_plan import MESSAGE, MessageFlows

if TYPE_CHECKING:
    from meshline.sql.statement_lineage import ColumnEdge, Lineage, Relation

# Never columns, even if a schema lists them: metadata of rows and files in Iceberg, Spark and Trino.
NEVER_COLUMNS = frozenset({"_file", "_pos", "_metadata", "$row_id", "$path", "$file_size", "$file_modified_time", "$partition", "$bucket"})
MARKS = ("_", "$")  # the first characters of those names, and of the ones below
# Not columns, unless a schema in the run declares them (Iceberg's other metadata columns).
SELDOM_COLUMNS = frozenset({"_spec_id", "_partition", "_deleted", "_row_id", "_last_updated_sequence_number"})

# These affect rows, not the one column under which they are repeated: stored once, as Column -> Dataset.
HOISTED = frozenset({"JOIN", "FILTER", "GROUP_BY", "SORT"})
_SUBTYPES = frozenset({"IDENTITY", "TRANSFORMATION", "AGGREGATION", "CONDITIONAL", "WINDOW"}) | HOISTED

Name = tuple[str, str]  # namespace and name of a dataset, in the producer's spelling


class Kind(NamedTuple):
    """How a column flows."""

    type: FlowType
    subtype: str
    masking: bool


# By the input's dataset and the kind: (its column, the output's column, or None for the output as a whole).
Flows: TypeAlias = Mapping[tuple[Name, Kind], Sequence[tuple[str, str | None]]]


class OutputLineage(NamedTuple):
    """The lineage of one output.

    `flows`: what flows into it, from columns. `datasets`: the inputs at the grain of datasets; None means
    that the facet leaves them to the run's inputs. `partial`: inputs that feed some column from an unknown
    one of theirs. `writers`: jobs, other than the event's own, that produce the output according to the facet.
    `sources`: the datasets in `flows`; `names`: every dataset that is named, sorted. `contradicted`: the output's own
    schema lacks columns that the lineage names, so the rest of the lineage covers no pair of datasets.
    """

    flows: Flows
    datasets: tuple[Name, ...] | None = None
    partial: tuple[Name, ...] = ()
    writers: tuple[Name, ...] = ()
    sources: frozenset[Name] = frozenset()
    names: tuple[Name, ...] = ()
    contradicted: bool = False


NOTHING = OutputLineage({})


def build_output_lineage(
    flows: Flows,
    datasets: Iterable[Name] | None = None,
    partial: Iterable[Name] = (),
    writers: Iterable[Name] = (),
) -> OutputLineage:
    """The lineage of an output, with sorted names. For the parameters see `OutputLineage`."""
    entities = None if datasets is None else tuple(sorted(set(datasets)))
    partial = tuple(sorted(set(partial)))
    sources = frozenset([dataset for dataset, _ in flows])
    return OutputLineage(
        flows, entities, partial, tuple(sorted(set(writers))), sources, tuple(sorted({*sources, *(entities or ()), *partial}))
    )


def has_column(listed: frozenset[str], name: str) -> bool:
    """Whether a schema has a column, or one that it is nested in. `listed`: the columns of the schema, casefolded."""
    folded = name.casefold()
    if folded in listed:
        return True
    return "." in folded and any(folded[:at] in listed for at, character in enumerate(folded) if character == ".")


def restrict_to_columns(lineage: OutputLineage, listed: frozenset[str]) -> OutputLineage:
    """The lineage without columns that the output does not have. `listed`: the columns of the output, casefolded."""
    targets = {target for pairs in lineage.flows.values() for _, target in pairs if target is not None}
    foreign = {target for target in targets if not has_column(listed, target)}
    if not foreign:
        return lineage
    flows = {group: kept for group, pairs in lineage.flows.items() if (kept := tuple([pair for pair in pairs if pair[1] not in foreign]))}
    return lineage._replace(flows=flows, contradicted=True)


def drop_messages(lineage: OutputLineage, topics: Collection[Name]) -> OutputLineage:
    """The lineage without flows from the columns `key` and `value` of topics, which are messages and no columns."""
    flows = {
        group: kept
        for group, pairs in lineage.flows.items()
        if (kept := tuple(pair for pair in pairs if group[0] not in topics or pair[0].casefold() not in MESSAGE))
    }
    return build_output_lineage(flows, lineage.datasets, lineage.partial, lineage.writers)


def from_messages(topic: Name, found: MessageFlows) -> OutputLineage:
    """The lineage out of the messages of a topic."""
    flows: dict[tuple[Name, Kind], list[tuple[str, str | None]]] = {}
    for one in found.flows:
        flows.setdefault((topic, Kind(one.type, one.subtype, one.masking)), []).append((one.field, one.target))
    return build_output_lineage(flows)


def merge_lineage(parts: Sequence[OutputLineage]) -> OutputLineage:
    """The union of several explicit lineages of one output."""
    if len(parts) == 1:
        return parts[0]
    flows: dict[tuple[Name, Kind], list[tuple[str, str | None]]] = {}
    for part in parts:
        for group, pairs in part.flows.items():
            flows.setdefault(group, []).extend(pairs)
    return build_output_lineage(
        flows,
        (name for part in parts for name in part.datasets or ()),
        (name for part in parts for name in part.partial),
        (name for part in parts for name in part.writers),
    )


def is_column(name: str, declared: frozenset[str]) -> bool:
    """Whether a name is that of a real column. `declared`: the names of SELDOM_COLUMNS that some schema in the run lists."""
    if not name:
        return False
    if name[0] not in MARKS:
        return True
    folded = name.casefold()
    if folded in NEVER_COLUMNS or folded.startswith("_metadata."):
        return False
    return folded not in SELDOM_COLUMNS or folded in declared


def from_column_lineage(facet: ColumnLineage, declared: frozenset[str]) -> OutputLineage | None:
    """The lineage of a columnLineage facet; None if it lists nothing. A field without inputs counts as listed: it has no source."""
    if not facet.fields and not facet.dataset:
        return None
    gathered = _FlowCollector(declared)
    for name, field in (facet.fields or {}).items():
        if field is not None:
            gathered.add_field(name, field.input_fields or (), field.transformation_type)
    gathered.add_output(facet.dataset or ())
    return build_output_lineage(gathered.build_flows())


def from_dataset_lineage(facet: DatasetLineage | LineageEntry, own_job: Name | None, declared: frozenset[str]) -> OutputLineage | None:
    """The lineage of the target of a `lineage` facet or entry; None if it has neither inputs nor fields.

    Otherwise it is all that flows into the target: inputs x outputs are ignored (specification: a consumer
    must not infer the cartesian product; an empty array of inputs means no tracked source).
    """
    if facet.inputs is None and facet.fields is None:
        return None
    inputs = facet.inputs or ()
    gathered = _FlowCollector(declared)
    for name, field in (facet.fields or {}).items():
        if field is not None:
            gathered.add_field(name, [source for source in _list_datasets(field.inputs) if source.field])
    gathered.add_output([source for source in _list_datasets(inputs) if source.field])
    return build_output_lineage(
        gathered.build_flows(),
        datasets=_collect_names(source for source in _list_datasets(inputs) if not source.field),
        partial=_collect_names(
            source for field in _list_fields(facet.fields) for source in _list_datasets(field.inputs) if not source.field
        ),
        writers={job for source in inputs if (job := find_job_name(source)) and job != own_job},
    )


def find_job_name(source: LineageInput | LineageEntry) -> Name | None:
    """The job that a JOB source or target names; None if it names none (the event's own job is meant), or is no job."""
    if (source.type or "").upper() != "JOB" or not source.namespace or not source.name:
        return None
    return source.namespace, source.name


def _list_fields(fields: Mapping[str, LineageField | None] | None) -> list[LineageField]:
    return [field for field in (fields or {}).values() if field is not None]


def _list_datasets(inputs: Iterable[LineageInput] | None) -> list[LineageInput]:
    """The sources that are datasets; a source without a type is one."""
    return [
        source
        for source in inputs or ()
        if (source.type or "DATASET").upper() == "DATASET" and source.namespace is not None and source.name
    ]


def _collect_names(sources: Iterable[LineageInput]) -> set[Name]:
    return {(source.namespace or "", source.name or "") for source in sources}


class _FlowCollector:
    """Collects flows, without pseudo-columns; a flow that is repeated under every listed field becomes one into the output."""

    def __init__(self, declared: frozenset[str]) -> None:
        self._declared = declared
        self._flows: dict[tuple[Name, Kind], list[tuple[str, str | None]]] = defaultdict(list)
        self._listed: set[str] = set()
        # For the kinds in HOISTED: the fields under which a column is repeated, and whether every mention there is masked.
        self._repeated: dict[tuple[Name, str, str], dict[str, bool]] = {}

    def add_field(self, name: str, sources: Iterable[InputField | LineageInput], deprecated: Any = None) -> None:
        """Add what flows into a column of the output. `deprecated`: the type of transformation that old producers set on the field."""
        declared, flows = self._declared, self._flows
        if not is_column(name, declared):
            return
        self._listed.add(name)
        for source in sources:
            column = source.field
            if column and source.name and (column[0] not in MARKS or is_column(column, declared)):
                dataset = (source.namespace or "", source.name)
                for kind in _to_kinds(source.transformations, deprecated):
                    flows[dataset, kind].append((column, name))
                    if kind.subtype in HOISTED and kind.type is FlowType.INDIRECT:
                        here = self._repeated.setdefault((dataset, kind.subtype, column), {})
                        here[name] = here.get(name, True) and kind.masking

    def add_output(self, sources: Iterable[InputField | LineageInput]) -> None:
        """Add what flows into the output as a whole: indirectly, even if the type differs (Spark sends ORDER BY as DIRECT)."""
        for source in sources:
            column = source.field or ""
            if source.name and is_column(column, self._declared):
                for kind in _to_kinds(source.transformations, None):
                    group = (source.namespace or "", source.name), kind._replace(type=FlowType.INDIRECT)
                    self._flows[group].append((column, None))

    def build_flows(self) -> Flows:
        """All flows. A flow under every field is hoisted to the output; it is masked only if it is under every field."""
        hoisted: dict[tuple[Name, str], set[str]] = defaultdict(set)
        for (dataset, subtype, column), fields in self._repeated.items():
            if len(fields) == len(self._listed):
                hoisted[dataset, subtype].add(column)
                self._flows[dataset, Kind(FlowType.INDIRECT, subtype, all(fields.values()))].append((column, None))
        for group in self._flows if hoisted else ():
            dataset, kind = group
            columns = hoisted.get((dataset, kind.subtype))
            if columns and kind.type is FlowType.INDIRECT:
                self._flows[group] = [pair for pair in self._flows[group] if pair[1] is None or pair[0] not in columns]
        return {group: tuple(pairs) for group, pairs in self._flows.items() if pairs}


def _to_kinds(transformations: tuple[Transformation | None, ...] | None, deprecated: Any) -> Sequence[Kind]:
    """A kind for each transformation; without any it is DIRECT, with the deprecated type if there is one.

    There are few different ones, so they are cached, unless a producer sends values that cannot be hashed.
    """
    try:
        return _convert_cached_kinds(transformations, deprecated)
    except TypeError:
        return _convert_kinds(transformations, deprecated)


def _convert_kinds(transformations: tuple[Transformation | None, ...] | None, deprecated: Any) -> Sequence[Kind]:
    given = transformations or ()
    kinds = tuple([Kind(_to_flow_type(each.type), _to_subtype(each.subtype), _to_bool(each.masking)) for each in given if each is not None])
    return kinds or (_from_deprecated(deprecated),)


_convert_cached_kinds = lru_cache(maxsize=1_024)(_convert_kinds)


def _from_deprecated(given: Any) -> Kind:
    kind = _to_subtype(given)
    masked = kind.upper() == "MASKED"
    return Kind(FlowType.DIRECT, "" if masked else kind, masked)


def _to_flow_type(value: Any) -> FlowType:
    return FlowType.INDIRECT if isinstance(value, str) and value.strip().upper() == "INDIRECT" else FlowType.DIRECT


def _to_subtype(value: Any) -> str:
    """A subtype of the specification in its spelling, any other unchanged."""
    if not isinstance(value, str):
        return ""
    upper = value.strip().upper()
    return upper if upper in _SUBTYPES else value.strip()


def _to_bool(value: Any) -> bool:
    """The number 1 is true as well: the cache looks values up by equality, so equal values must give the same result."""
    return value == 1 or (isinstance(value, str) and value.strip().lower() == "true")


# Longer SQL is not analysed: 50,000 characters take a quarter of a second of the writer's time.
MAX_SQL = 50_000

# sqlglot's dialect by the scheme of a namespace (OpenLineage specification, Naming).
_DIALECTS = {
    "awsathena": "athena",
    "bigquery": "bigquery",
    "clickhouse": "clickhouse",
    "databricks": "databricks",
    "duckdb": "duckdb",
    "hive": "hive",
    "mssql": "tsql",
    "mysql": "mysql",
    "oracle": "oracle",
    "postgres": "postgres",
    "presto": "presto",
    "redshift": "redshift",
    "snowflake": "snowflake",
    "sqlite": "sqlite",
    "sqlserver": "tsql",
    "teradata": "teradata",
    "trino": "trino",
}


class QueryLineage(NamedTuple):
    """The lineage of one table that a SQL text writes. `pairs`: the tables that it reads for that table, and whether all their
    column flows are known. `others`: the tables that the text reads only for other purposes.
    """

    flows: Flows
    pairs: Mapping[Name, bool]
    others: frozenset[Name]


def find_dialect(namespace: str) -> str | None:
    """The SQL dialect of the database that a namespace names; None if it names none."""
    scheme, _ = normalise_namespace(namespace)
    return _DIALECTS.get(scheme or namespace)


def analyse_query(sql: str, dialect: str, target: AssetKey, columns: Mapping[AssetKey, Sequence[str]]) -> QueryLineage | None:
    """The lineage of `target` by `sql`.

    `columns`: the datasets that the event names, the target included, each with its columns (empty: not known).
    None if the SQL cannot be parsed as a whole, is too long, does not write the target, contradicts the target's
    columns itself, or names tables that cannot be resolved without a guess; and if `sqlglot` is not installed.
    """
    if len(sql) > MAX_SQL:
        return None
    try:
        from meshline.sql.script import ScriptReader  # noqa: PLC0415 - sqlglot is optional
    except ModuleNotFoundError:
        return None
    tables = _Tables(target, columns)
    reader = ScriptReader(dialect, tables.list_columns)
    found: list[Lineage] = []
    for one in reader.read_script(sql):
        if isinstance(one, InvalidInput):
            return None
        found.append(one)
    try:
        return _build_query_lineage(found, tables)
    except _UnknownTableError:
        return None


class _UnknownTableError(Exception):
    """A name in SQL that could mean more than one dataset."""


class _Tables:
    """Resolves names in SQL to datasets in the namespace of the target."""

    def __init__(self, target: AssetKey, columns: Mapping[AssetKey, Sequence[str]]) -> None:
        self.target = target
        self._columns = columns
        self._namespace = target.parts[0]
        self._parts = target.name.split(".")
        self._known = {
            tuple(part.casefold() for part in key.name.split(".")): key for key in sorted(columns) if key.parts[0] == self._namespace
        }

    def list_columns(self, relation: Relation) -> Sequence[str]:
        """The columns of a table; empty if they are not known."""
        try:
            return self._columns.get(self.find_key(relation), ())
        except _UnknownTableError:
            return ()

    def find_key(self, relation: Relation) -> AssetKey:
        """The dataset of a name: in the target's database, else the only dataset whose name ends with it.

        If one part is missing, it is the target's database; to guess the schema as well would be wrong.
        Raises _UnknownTableError.
        """
        wanted = tuple(part.casefold() for part in relation)
        missing = len(self._parts) - len(wanted)
        full = (*self._parts[:missing], *relation) if missing > 0 else tuple(relation)
        known = self._known.get(tuple(part.casefold() for part in full))
        if known is not None and missing <= 1:
            return known
        ending = [key for parts, key in self._known.items() if parts[-len(wanted) :] == wanted]
        if len(ending) == 1:
            return ending[0]
        if ending or missing > 1:
            raise _UnknownTableError
        return model.build_dataset_key(self._namespace, ".".join(full))


def _build_query_lineage(found: Sequence[Lineage], tables: _Tables) -> QueryLineage | None:
    written = [one for one in found if one.target is not None and tables.find_key(one.target) == tables.target]
    if not written:
        return None
    flows: dict[tuple[Name, Kind], list[tuple[str, str | None]]] = {}
    pairs: dict[Name, bool] = {}
    listed = frozenset(name.casefold() for name in tables.list_columns(tuple(tables.target.name.split("."))))
    for statement in written:
        if listed and not all(has_column(listed, edge.target) for edge in statement.edges if edge.target is not None):
            return None
        for source, is_covered in _list_pairs(statement).items():
            name = _to_name(tables.find_key(source))
            pairs[name] = pairs.get(name, True) and is_covered
        for edge in statement.edges:
            if edge.column is not None:
                flows.setdefault((_to_name(tables.find_key(edge.source)), _to_kind(edge)), []).append((edge.column, edge.target))
    others = {_to_name(tables.find_key(relation)) for statement in found for relation in statement.reads}
    return QueryLineage(flows, pairs, frozenset(others - pairs.keys()))


def _list_pairs(statement: Lineage) -> dict[Relation, bool]:
    """The tables that a statement reads, and whether the flows of all their columns are known."""
    unclear = {edge.source for edge in statement.edges if edge.column is None}
    clear = {edge.source for edge in statement.edges} - unclear
    return {relation: relation in clear for relation in _deduplicate([*statement.reads, *(edge.source for edge in statement.edges)])}


def _deduplicate(relations: Iterable[Relation]) -> list[Relation]:
    return list(dict.fromkeys(relations))


def _to_kind(edge: ColumnEdge) -> Kind:
    return Kind(FlowType.INDIRECT if edge.target is None else edge.type, edge.subtype, edge.masking)


def _to_name(key: AssetKey) -> Name:
    return key.parts[0], key.parts[1]
