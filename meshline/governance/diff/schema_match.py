"""Which models and columns of two versions are the same, in which types they are compared, and the changes of the columns of a table.

Nested columns go by their dotted paths. Names that differ in case are one name where the format or the SQL dialect folds them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from meshline.governance.changes import Change, ChangeBuilder
from meshline.governance.types import NESTED, Type
from meshline.governance.types.data_type import FAMILIES
from meshline.governance.types.normalization import normalise_type
from meshline.graph import model
from meshline.graph.contracts import Contract, Field, Model, Part, Server
from meshline.graph.model import AssetKey, Json

Fold: TypeAlias = Callable[[str], str]

# Formats whose names are case-sensitive: a reader that asks for `Email` does not find `email`.
_EXACT = frozenset({"avro", "json", "protobuf", "iceberg", "parquet", "clickhouse"})
# SQL dialects (and Delta, whose protocol is case-insensitive) in which names of columns that differ in case only are one name, unless
# they are quoted. Postgres folds to lower case, Snowflake and Oracle to upper case, the others compare without case.
_FOLDING = frozenset(
    {
        *("postgres", "snowflake", "oracle", "redshift", "bigquery", "delta", "trino", "duckdb", "mysql", "tsql", "sqlite", "db2"),
        *("impala", "teradata", "vertica", "exasol", "dremio", "denodo", "informix", "drill", "dbt"),
    }
)
_QUOTED = frozenset({"postgres", "snowflake", "oracle", "db2"})  # where a quoted name keeps its case
_TABLES_EXACT = frozenset({"bigquery", "mysql"})  # names of tables are case-sensitive there, those of columns are not

# Type of a server in a contract, where it is not the name of the dialect.
_SERVERS = {"glue": "delta", "athena": "trino", "cloudsql": "postgres", "zen": "", "api": "", "custom": ""}
_FILES = frozenset({"s3", "azure", "gcs", "gs", "local", "sftp", "file", "kafka", "kinesis", "pubsub"})  # their `format` decides


def choose_fold(formats: Iterable[str], *, tables: bool = False) -> Fold:
    """How names are compared that both of these formats have. A format that is not known decides nothing; without one that folds,
    names are case-sensitive: an alarm that is false costs less than a change that is not seen.
    """
    families = {FAMILIES.get(one, one) for one in formats}
    exact = families & _EXACT or (tables and families & _TABLES_EXACT)
    return str.casefold if families & _FOLDING and not exact else str


def has_quoted_case(form: str) -> bool:
    """Whether a rename that changes the case alone is one, as a quoted name keeps its case."""
    return FAMILIES.get(form, form) in _QUOTED


def is_sql(form: str) -> bool:
    """Whether a format is a SQL dialect (or Delta)."""
    return FAMILIES.get(form, form) in _FOLDING or form == "clickhouse"


def find_format(server: Server) -> str:
    """The format in which the data of a server has its names and physical types; empty: not known."""
    kind = server.type.strip().lower()
    if kind in _FILES:
        return str(server.settings.get("format") or "").strip().lower()
    return _SERVERS.get(kind, kind)


class Column(NamedTuple):
    """A field with its type in normal form; None: not stated."""

    field: Field
    type: Type | None

    @property
    def path(self) -> str:
        return self.field.name

    @property
    def name(self) -> str:
        """The column's name in the table."""
        return self.field.physical_name or self.field.name


class MatchedColumns(NamedTuple):
    """`gone`, `added`: without those in a parent that is itself gone, added, or of another kind after."""

    pairs: list[tuple[Column, Column]]
    gone: list[Column]
    added: list[Column]


def list_columns(fields: Sequence[Field], form: str) -> list[Column]:
    """The columns, and what is in them: from the fields, or else from the text of the type. `form`: the words of the types."""
    parents = {parent for field in fields for parent in list_parents(field.name)}
    return [one for field in fields for one in _expand_parts(_build_column(field, form), listed=field.name in parents)]


def list_parents(path: str) -> Iterator[str]:
    """The paths around a nested column, the nearest first."""
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _build_column(field: Field, form: str) -> Column:
    return Column(field, normalise_type(field.type, form) if field.type.strip() else None)


def _expand_parts(column: Column, *, listed: bool) -> Iterator[Column]:
    yield column
    for part in column.type.parts if column.type and not listed else ():
        field = Field(f"{column.path}.{part.name}", type=str(part.type), required=part.required, id=part.id)
        yield from _expand_parts(Column(field, part.type), listed=False)


def match_columns(before: Sequence[Column], after: Sequence[Column], fold: Fold) -> MatchedColumns:
    """Which columns are the same: by id, else by name under the same parent, else by a name that is the same when `fold`ed."""
    found = _Matcher(before, after)
    found.match(lambda one: one.field.id, lambda one: one.field.id)
    found.match(found.find_expected, lambda one: one.path)
    found.match(lambda one: one.field.physical_name, lambda one: one.field.physical_name)
    found.match(lambda one: fold(found.find_expected(one)), lambda one: fold(one.path))
    pairs = [(one, found.same[one.path]) for one in before if one.path in found.same]
    gone = [one for one in before if one.path not in found.same]
    added = [one for one in after if one.path not in found.matched]
    lost = {one.path for one in gone} | {was.path for was, now in pairs if _is_reshaped(was, now)}
    new = {one.path for one in added} | {now.path for was, now in pairs if _is_reshaped(was, now)}
    return MatchedColumns(
        pairs,
        [one for one in gone if lost.isdisjoint(list_parents(one.path))],
        [one for one in added if new.isdisjoint(list_parents(one.path))],
    )


class _Matcher:
    def __init__(self, before: Sequence[Column], after: Sequence[Column]) -> None:
        self._before = sorted(before, key=lambda one: one.path.count("."))
        self._after = after
        self.same: dict[str, Column] = {}  # path of before -> the column of after
        self.matched: set[str] = set()

    def find_expected(self, one: Column) -> str:
        """The path that a column of before has after, if its parent was renamed."""
        parent, _, leaf = one.path.rpartition(".")
        return f"{self.same[parent].path}.{leaf}" if parent in self.same else one.path

    def match(self, was: Callable[[Column], str], now: Callable[[Column], str]) -> None:
        """Match what is left and has the same key, which no other has."""
        free: dict[str, list[Column]] = {}
        for one in self._after:
            if one.path not in self.matched and now(one):
                free.setdefault(now(one), []).append(one)
        left = Counter(was(one) for one in self._before if one.path not in self.same)
        for one in self._before:
            candidates = free.get(was(one), []) if one.path not in self.same and was(one) else []
            if len(candidates) == 1 and left[was(one)] <= 1 and _may_be(one, candidates[0]) and candidates[0].path not in self.matched:
                self.same[one.path] = candidates[0]
                self.matched.add(candidates[0].path)


def _may_be(was: Column, now: Column) -> bool:
    """Two ids are two columns, whatever their names."""
    return not was.field.id or not now.field.id or was.field.id == now.field.id


def _is_reshaped(was: Column, now: Column) -> bool:
    """Whether it contains other columns now, or none any more: that is one change, of its type."""
    kinds = {find_kind(one) for one in (was, now)}
    return len(kinds - {None}) > 1


def find_kind(column: Column) -> str | None:
    """struct, list, map or union for a column that contains others; empty for a plain type, None if it is not known."""
    if column.type is None:
        return None
    name = column.type.name
    return name if name in NESTED else "union" if is_union(column) else ""


def is_union(column: Column) -> bool:
    """Whether a column's type is a union of Avro."""
    return column.field.type.startswith("union<")


def index_nested(of: Iterable[Column]) -> Mapping[str, list[Column]]:
    """What is in each column, at any depth."""
    found: defaultdict[str, list[Column]] = defaultdict(list)
    for one in of:
        for parent in list_parents(one.path):
            found[parent].append(one)
    return found


_LOGICAL = "odcs"  # the words of the logical types of the Open Data Contract Standard
_WORDS = "contract"  # the words of the types of any contract, where no server defines what they mean

Forms: TypeAlias = tuple[tuple[str, str], ...]  # (the words of before, of after), each of a server


class Words(NamedTuple):
    """How names and types of two versions of a contract are compared. `read`: the words in which its types are read; `types`: in each
    of which they are compared; `physical`: the same of physical types. `fold`, `fold_table`: of the names of fields and of models.
    """

    read: str
    types: Forms
    physical: Forms
    fold: Fold
    fold_table: Fold


def choose_words(before: Contract, after: Contract) -> Words:
    """A contract's types mean what they mean on its servers of SQL. The logical types of the Open Data Contract Standard are its own.
    Names fold if all servers fold them: without a server of SQL they are case-sensitive.
    """
    physical = _list_forms(before, after)
    logical = {one.standard.startswith("Open Data Contract Standard") for one in (before, after)}
    read = _LOGICAL if logical == {True} else _WORDS
    sql = tuple(pair for pair in physical if is_sql(pair[0]) and pair[0] == pair[1]) if logical == {False} else ()
    kinds = {form for pair in physical for form in pair}
    names = kinds if all(map(is_sql, kinds)) else set()
    return Words(read, sql or ((read, read),), physical or (("", ""),), choose_fold(names), choose_fold(names, tables=True))


def _list_forms(before: Contract, after: Contract) -> Forms:
    """Of the servers that both have; if they have none in common, before on its first one, after on its own."""
    old, new = (sorted({find_format(one) for one in contract.servers}) for contract in (before, after))
    common = tuple((one, one) for one in old if one in new)
    return common or (((old[0], new[0]),) if old and new else tuple((one, one) for one in (old or new)))


def match_models(before: Sequence[Model], after: Sequence[Model], fold: Fold) -> tuple[list[tuple[Model, Model]], list[Model], list[Model]]:
    """By id, else by name, else by the name of the table, else by the name when `fold`ed -> the same, the gone, the added."""
    gone, added = dict(enumerate(before)), dict(enumerate(after))
    same: dict[int, int] = {}
    keys: tuple[Callable[[Model], str], ...] = (
        lambda one: one.id,
        lambda one: one.name,
        lambda one: one.physical_name,
        lambda one: fold(one.name),
    )
    for key in keys:
        olds, news = ({at: key(one) for at, one in some.items() if key(one)} for some in (gone, added))
        places = {called: at for at, called in news.items()}
        counts, others = Counter(olds.values()), Counter(news.values())
        for at, called in olds.items():
            if counts[called] == others[called] == 1 and _may_be_same_model(before[at], after[places[called]]):
                same[at] = places[called]
                del gone[at], added[places[called]]
    return [(before[at], after[same[at]]) for at in sorted(same)], list(gone.values()), list(added.values())


def _may_be_same_model(was: Model, now: Model) -> bool:
    return not was.id or not now.id or was.id == now.id


def map_names(before: Sequence[Model], after: Sequence[Model], words: Words) -> dict[str, str]:
    """What models and their fields are called after -> before; of a single model the fields without it, too."""
    found: dict[str, str] = {}
    pairs, _, _ = match_models(before, after, words.fold_table)
    for was, now in pairs:
        found[now.name] = was.name
        for old, new in match_columns(list_columns(was.fields, words.read), list_columns(now.fields, words.read), words.fold).pairs:
            found[f"{now.name}.{new.path}"] = f"{was.name}.{old.path}"
            if len(before) == len(after) == 1:
                found[new.path] = old.path
    return found


class TableScope(NamedTuple):
    """Builds the changes of the columns of a table.

    `part`: the part of the subject that contains the columns; `at`: the same part in the new version. `datasets`: the datasets whose
    columns they are. `table`: the table's name in sentences, if it is needed. `read`: the words in which their types are read,
    (before, after); `types`: the words in each of which they are compared; `physical`: the same for their physical types.
    `fold`: maps names that are one name to the same text. `promised`: what is not stated is not promised; otherwise it is unknown.
    """

    draft: ChangeBuilder
    part: Part = ()
    at: Part = ()
    datasets: tuple[AssetKey, ...] = ()
    table: str = ""
    read: tuple[str, str] = ("", "")
    types: Forms = (("", ""),)
    physical: Forms = (("", ""),)
    fold: Fold = str
    promised: bool = True

    def build_change(
        self,
        rule: str,
        column: Column,
        values: tuple[Json, Json] = (None, None),
        *,
        now: Column | None = None,
        of: Iterable[Column] = (),
        detail: str = "",
        **details: Json,
    ) -> Change:
        """A change of a column of before, or an added one. `now`: the same column after; `of`: what else of before is changed
        with it; `detail`: what of it, where several may change alike.
        """
        assets = [model.build_column_key(dataset, one.name) for dataset in self.datasets for one in (column, *of)]
        part = (*self.part, "field", column.path, *filter(None, (detail,)))
        at = (*self.at, "field", (now or column).path)
        change = self.draft.build_change(rule, part, *values, at=at, assets=assets)
        return change._replace(details={"field": self.format_name(column.name), **details})

    def format_name(self, name: str) -> str:
        """The name of a column in sentences."""
        return f"{self.table}.{name}" if self.table else name
