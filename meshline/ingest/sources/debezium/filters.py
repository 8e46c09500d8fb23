"""The tables that a connector captures, and their columns in the topic: under which name, and whether masked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from meshline.ingest.sources.debezium.java_regex import Matcher, compile_regex, parse_plain_name, split_list
from meshline.ingest.sources.debezium.names import Database, Record
from meshline.ingest.sources.debezium.parse import ConnectorConfig

MAX_TABLES = 10_000

_SYSTEM = re.compile(
    r"(.*\.)?(pg_catalog|information_schema|pg_toast|sys)\.[^.]+|(mysql|performance_schema|admin|local|config)\.[^.]+", re.IGNORECASE
)


class Filter(NamedTuple):
    """An include list or an exclude list."""

    patterns: Sequence[re.Pattern[str]]
    includes: bool

    def accepts(self, names: Sequence[str], matcher: Matcher) -> bool:
        """Whether a table or column with these names passes the filter."""
        return self.includes == any(matcher.matches(pattern, name) for pattern in self.patterns for name in names)


def build_filters(config: ConnectorConfig, of: str, old: tuple[str, str] = ("whitelist", "blacklist")) -> Iterator[Filter]:
    """The filters of `table`, `column`, ...; only those that the config has. Raises InvalidInput."""
    for keys, includes in (((f"{of}.include.list", f"{of}.{old[0]}"), True), ((f"{of}.exclude.list", f"{of}.{old[1]}"), False)):
        if text := config.find_value(*keys):
            where = config.locate(config.find_key(*keys))
            yield Filter([compile_regex(part, where) for part in split_list(text)], includes)


class CapturedTables(NamedTuple):
    """The names of the datasets that are captured, and warnings about tables that may be missing."""

    names: Sequence[str]
    warnings: Sequence[str]


def find_captured_tables(config: ConnectorConfig, database: Database, known: Sequence[str], matcher: Matcher) -> CapturedTables:
    """The tables that a connector captures. `known`: names of the datasets in the database's namespace. Raises InvalidInput."""
    of = "collection" if database.kind.scheme == "mongodb" else "table"
    keys = (f"{of}.include.list", f"{of}.whitelist")
    written = list(split_list(config.find_value(*keys)))
    tables, wholes = list(build_filters(config, of)), list(_build_container_filters(config, database))

    def is_captured(name: str) -> bool:
        inside = name.split(".")[:-1]
        return (
            bool(names := database.list_matched_names(name))
            and not _SYSTEM.fullmatch(name)
            and all(one.accepts(names, matcher) for one in tables)
            and all(one.accepts(inside[-1:], matcher) for one in wholes)
        )

    found = dict.fromkeys(name for text in written for name in _list_plain_names(text, database) if is_captured(name))
    found.update(dict.fromkeys(name for name in known if is_captured(name)))
    names = list(found)
    warnings = [
        f"{config.locate(config.find_key(*keys))}: {problem}"
        for problem in _describe_problems(written, names, database, matcher, config, keys)
    ]
    if len(names) > MAX_TABLES:
        warnings.append(f"{config.place}: only the first {MAX_TABLES} of {len(names)} tables are ingested")
    return CapturedTables(names[:MAX_TABLES], warnings)


def _build_container_filters(config: ConnectorConfig, database: Database) -> Iterator[Filter]:
    """The filters of schemas, or of databases if the database has no schemas."""
    yield from build_filters(config, "schema" if database.names else "database")


def _list_plain_names(text: str, database: Database) -> Sequence[str]:
    name = parse_plain_name(text)
    return [] if name is None else database.list_dataset_names(name)


def _describe_problems(
    written: Sequence[str], found: Sequence[str], database: Database, matcher: Matcher, config: ConnectorConfig, keys: tuple[str, str]
) -> Iterator[str]:
    """The reasons why tables may be missing."""
    for text in written:
        pattern = compile_regex(text, config.locate(config.find_key(*keys)))
        if not any(matcher.matches(pattern, name) for dataset in found for name in database.list_matched_names(dataset)):
            yield f"'{text}' matches no known table; load a source that describes {database.namespace} first"
    if not written and not found:
        yield f"all tables are captured, and none of {database.namespace} is known; load a source that describes them first"


# The keys of hashes contain a salt, so they must not occur in a message or a statement.
_MASK = re.compile(r"column\.mask\.(with\.\d+\.chars|hash\..+)")
_TRUNCATE = re.compile(r"column\.truncate\.to\.\d+\.chars")


_ROWS = ("after", "before")  # of the envelope
_NO_AVRO = re.compile(r"[^A-Za-z0-9_]")


class CapturedColumn(NamedTuple):
    """A column of the table as a field of the record. `changed`: the field's value is not the column's."""

    column: str
    field: str
    changed: bool
    masked: bool


class ColumnLists:
    """The include, exclude, mask and truncate lists of columns of one connector."""

    def __init__(self, config: ConnectorConfig, matcher: Matcher) -> None:
        """Raises InvalidInput."""
        self._matcher = matcher
        self._filters = list(build_filters(config, "column")) or list(build_filters(config, "field"))
        self._masks = list(_compile_patterns(config, _MASK, "column.mask"))
        self._cuts = list(_compile_patterns(config, _TRUNCATE, "column.truncate"))

    def capture(self, table_names: Sequence[str], columns: Sequence[str], record: Record) -> Iterator[CapturedColumn]:
        """Those of a table's columns that the record has, as its fields. `table_names`: the names that the lists may use."""
        for column in columns:
            names = [f"{table}.{column}" for table in table_names]
            if not all(one.accepts(names, self._matcher) for one in self._filters):
                continue
            masked = self._matches_any(self._masks, names)
            passed = _transform_column(CapturedColumn(column, column, masked or self._matches_any(self._cuts, names), masked), record)
            if passed is not None:
                yield passed

    def _matches_any(self, patterns: Sequence[re.Pattern[str]], names: Sequence[str]) -> bool:
        return any(self._matcher.matches(pattern, name) for pattern in patterns for name in names)


def match_topic(passed: Sequence[CapturedColumn], known: Collection[str], *, flat: bool) -> list[CapturedColumn]:
    """The columns under the fields that the topic is known to have; unchanged if it is not known. In Debezium's envelope, a column is in
    the row after and before the change. `known`: the topic's columns; `flat`: the record is the row itself.
    """
    fields = {name.casefold(): name for name in known}
    rows = [] if flat else [row for row in _ROWS if row in fields]
    nested = [row for row in rows if any(name.startswith(f"{row}.") for name in fields)]
    if nested:
        found = [(one, [field for row in nested if (field := _find_field(one.field, fields, f"{row}."))]) for one in passed]
        return [one._replace(field=field) for one, inside in found for field in inside or [f"{row}.{one.field}" for row in nested]]
    if rows and "op" in fields:  # the rows are texts, as MongoDB's documents are
        return [one._replace(field=row, changed=True) for one in passed for row in rows]
    return [one._replace(field=_find_field(one.field, fields) or one.field) for one in passed]


def _find_field(column: str, fields: Mapping[str, str], before: str = "") -> str | None:
    """The known field of a column, also if its name was adjusted to Avro's rules (field.name.adjustment.mode)."""
    adjusted = _NO_AVRO.sub("_", column)
    names = (column, adjusted, f"_{adjusted}") if column[:1].isdigit() else (column, adjusted)
    return next((fields[name] for one in names if (name := f"{before}{one}".casefold()) in fields), None)


def _compile_patterns(config: ConnectorConfig, keys: re.Pattern[str], shown: str) -> Iterator[re.Pattern[str]]:
    for key, text in config.values.items():
        if keys.fullmatch(key):
            yield from (compile_regex(part, f"{config.places.get(key, config.place)}: {shown}") for part in split_list(text))


def _transform_column(passed: CapturedColumn, record: Record) -> CapturedColumn | None:
    """A column after the transforms of its record; None if they remove its field."""
    for change in record.columns:
        field = passed.field.partition(".")[0]
        if field in change.exclude or (change.include and field not in change.include):
            return None
        if field in change.masked:
            passed = passed._replace(changed=True, masked=True)
        passed = passed._replace(field=change.renames.get(field, field) + passed.field[len(field) :])
    return passed
