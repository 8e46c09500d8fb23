"""Reads files of views and scripts, and builds facts about the tables that they write and about the scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Flow, FlowType, Json
from meshline.ingest.file_times import read_file_time
from meshline.ingest.sources.base import Context, Entry, Item, Refusal
from meshline.ingest.sources.files import Paths, expand_paths, format_path, read_bytes
from meshline.sql.script import MAX_CHARACTERS
from meshline.sql.script import ScriptReader as SqlReader
from meshline.sql.statement_lineage import Lineage, Relation
from meshline.words import format_count

Key: TypeAlias = Callable[[Relation], AssetKey]  # the dataset of a name in SQL


class Statement(NamedTuple):
    """The lineage of a statement. `job`: the script that the statement is part of; None if it defines a view, which is not a job.
    `time`: of the file, in microseconds since the epoch.
    """

    lineage: Lineage
    job: AssetKey | None
    time: int


def build_table_facts(target: AssetKey, statements: Sequence[Statement], key: Key) -> Facts:
    """The facts of all statements that define or write one table or view."""
    return Facts(
        assets=tuple(_build_definition(target, statements)),
        edges=(*_build_listing(target, statements), *_build_run_edges(target, statements, key)),
        flows=(*_build_table_flows(target, statements, key), *_build_column_flows(target, statements, key)),
    )


def build_script_facts(job: AssetKey, statements: Sequence[Statement], dialect: str, key: Key) -> Facts:
    """The script as a job, and the tables that it reads without writing them anywhere."""
    read = {key(relation) for statement in statements if statement.lineage.target is None for relation in statement.lineage.reads}
    about = AssetFact(job, {"job_type": "SCRIPT", "integration": "SQL", "dialect": dialect})
    return Facts((about,), tuple(EdgeFact(EdgeType.READS, job, dataset) for dataset in sorted(read)))


def _build_definition(target: AssetKey, statements: Sequence[Statement]) -> Iterator[AssetFact]:
    for statement in reversed(statements):
        if kind := statement.lineage.defines:
            attributes: dict[str, Json] = {"dataset_type": kind}
            if kind == "VIEW":
                attributes["sql"] = statement.lineage.sql
            yield AssetFact(target, attributes)
            return


def _build_listing(target: AssetKey, statements: Sequence[Statement]) -> Iterator[EdgeFact]:
    """The columns as the last defining statement lists them, if it lists all."""
    names: Sequence[str] = next((statement.lineage.columns for statement in reversed(statements) if statement.lineage.defines), ())
    for position, name in enumerate(dict.fromkeys(names), start=1):
        yield EdgeFact(EdgeType.HAS_COLUMN, target, model.build_column_key(target, name), {"position": position})


def _build_run_edges(target: AssetKey, statements: Sequence[Statement], key: Key) -> Iterator[EdgeFact]:
    for lineage, job, _ in statements:
        if job is not None and not (lineage.defines and not lineage.reads):  # an empty table is not written to
            yield EdgeFact(EdgeType.WRITES, job, target)
            yield from (EdgeFact(EdgeType.READS, job, key(relation)) for relation in lineage.reads)


def _build_table_flows(target: AssetKey, statements: Sequence[Statement], key: Key) -> Iterator[Flow]:
    """Flows from table to table. A flow is covered if every statement that reads the one for the other has it by columns."""
    pairs: dict[tuple[AssetKey, AssetKey | None], bool] = {}
    for lineage, job, _ in statements:
        whole = {edge.source for edge in lineage.edges if edge.column is None}
        by_columns = {edge.source for edge in lineage.edges} - whole
        for relation in lineage.reads:
            pair = key(relation), job
            pairs[pair] = pairs.get(pair, True) and relation in by_columns
    return (Flow(start, target, covered=covered, job=job) for (start, job), covered in pairs.items())


def _build_column_flows(target: AssetKey, statements: Sequence[Statement], key: Key) -> Iterator[Flow]:
    for lineage, job, _ in statements:
        for edge in lineage.edges:
            if edge.column is not None:
                start = model.build_column_key(key(edge.source), edge.column)
                end = target if edge.target is None else model.build_column_key(target, edge.target)
                yield Flow(start, end, FlowType.INDIRECT if edge.target is None else edge.type, edge.subtype, edge.masking, job=job)


MAX_BYTES = 2 * MAX_CHARACTERS  # of one file
MAX_READINGS = 5  # passes over all files, until no file is read before the file that defines a table it uses
MAX_WARNINGS = 200


class SqlFile(NamedTuple):
    """A file. `name`: its name in messages. `time`: of its last change, in microseconds since the epoch."""

    path: Path
    name: str
    text: str
    time: int


class SqlFileReader:
    """One reading of the files. `files`, `dialect`, `namespace`, `defaults`: the keys of the source."""

    def __init__(self, files: Paths, dialect: str, namespace: str, defaults: Relation, context: Context) -> None:
        self.warnings: list[str] = []
        self._files = files
        self._dialect = dialect
        self._defaults = defaults
        self._context = context
        self._namespace = context.resolve_namespace(namespace) or dialect

    def read_items(self) -> Iterator[Item]:
        files: list[SqlFile] = []
        for path in expand_paths(self._files, self._context.folder):
            try:
                files.append(self._read_file(path))
            except InvalidInput as error:
                yield Refusal(error)
        lineages: list[tuple[SqlFile, Lineage]] = []
        silent = dict.fromkeys(file.name for file in files)
        for file, found in self._parse_files(files):
            silent.pop(file.name, None)
            if isinstance(found, InvalidInput):
                yield Refusal(found)
            else:
                lineages.append((file, found))
        self._add_warnings([f"{name}: no statement in the file reads, writes or defines a table" for name in silent])
        self._add_warnings([f"{file.name}:{lineage.line}: {what}" for file, lineage in lineages for what in lineage.unresolved])
        yield from self._build_entries(lineages, _name_jobs(files, self._namespace))

    def _read_file(self, path: Path | InvalidInput) -> SqlFile:
        if isinstance(path, InvalidInput):
            raise path
        name = format_path(path, self._context.folder)
        try:
            text = read_bytes(path, MAX_BYTES).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidInput(f"byte {error.start} is not UTF-8; accepted is a file of SQL in UTF-8", name) from error
        return SqlFile(path, name, text, read_file_time(path))

    def _parse_files(self, files: Sequence[SqlFile]) -> list[tuple[SqlFile, Lineage | InvalidInput]]:
        """The lineage of all files, in passes until every table is defined before it is used."""
        reader = SqlReader(self._dialect, self._list_columns, self._defaults)
        found: list[tuple[SqlFile, Lineage | InvalidInput]] = []
        for _ in range(MAX_READINGS):
            reader.known.stale = False
            found = [(file, one) for file in files for one in reader.read_script(file.text, file.name)]
            if not reader.known.stale:
                break
        return found

    def _list_columns(self, relation: Relation) -> list[str]:
        return [column.name for column in self._context.columns_of(self._resolve_relation(relation))]

    def _resolve_relation(self, relation: Relation) -> AssetKey:
        return self._context.naming.normalise_dataset(self._namespace, ".".join(relation))

    def _add_warnings(self, warnings: Sequence[str]) -> None:
        self.warnings += warnings[:MAX_WARNINGS]
        if len(warnings) > MAX_WARNINGS:
            self.warnings.append(f"{format_count(len(warnings) - MAX_WARNINGS, 'more warning')} of this kind")

    def _build_entries(self, lineages: Iterable[tuple[SqlFile, Lineage]], jobs: Mapping[Path, AssetKey]) -> Iterator[Entry]:
        """A scope for each table that is defined or written, and one for each script."""
        tables: dict[AssetKey, list[Statement]] = {}
        scripts: dict[AssetKey, list[Statement]] = {}
        for file, lineage in lineages:
            statement = Statement(lineage, None if lineage.defines == "VIEW" else jobs[file.path], file.time)
            if lineage.target is not None:
                tables.setdefault(self._resolve_relation(lineage.target), []).append(statement)
            if statement.job is not None:
                scripts.setdefault(statement.job, []).append(statement)
        for target, statements in tables.items():
            time = max(statement.time for statement in statements)
            yield Entry(("sql", *target.parts), encode_facts(build_table_facts(target, statements, self._resolve_relation)), time)
        for job, statements in scripts.items():
            yield Entry(
                ("sql-script", *job.parts),
                encode_facts(build_script_facts(job, statements, self._dialect, self._resolve_relation)),
                statements[0].time,
            )


def _name_jobs(files: Sequence[SqlFile], namespace: str) -> Mapping[Path, AssetKey]:
    """The job of each file: its name is the file's, with as many folders as distinguish it from the other files."""
    names = {file.path: file.path.stem for file in files}
    for parts in range(2, max((len(file.path.parts) for file in files), default=0)):
        alike: dict[str, list[Path]] = {}
        for path, name in names.items():
            alike.setdefault(name, []).append(path)
        names.update({path: "/".join(path.with_suffix("").parts[-parts:]) for paths in alike.values() if len(paths) > 1 for path in paths})
    return {path: model.build_job_key(namespace, name) for path, name in names.items()}
