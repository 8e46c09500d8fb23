"""Files of views and scripts -> what is stated about the tables and the scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import encode
from meshline.graph.model import AssetKey
from meshline.ingest.sources.files import Paths, matching, read_bytes, shown_path
from meshline.ingest.sources.shape import Context, Entry, Found, Refused
from meshline.ingest.sources.sql.facts import Statement, of_script, of_table
from meshline.ingest.sql.script import MAX_CHARACTERS
from meshline.ingest.sql.script import Reader as SqlReader
from meshline.ingest.sql.shape import Lineage, Relation
from meshline.ingest.times import file_time
from meshline.words import counted

MAX_BYTES = 2 * MAX_CHARACTERS  # of one file
MAX_READINGS = 5  # of all files, until none was read before another one that makes what it uses
MAX_WARNINGS = 200


class File(NamedTuple):
    """A file. `name`: as messages show it. `time`: since when it says so, in microseconds."""

    path: Path
    name: str
    text: str
    time: int


class Reader:
    """`files`, `dialect`, `namespace`, `defaults`: as the source has them."""

    def __init__(self, files: Paths, dialect: str, namespace: str, defaults: Relation, context: Context) -> None:
        self.warnings: list[str] = []
        self._files = files
        self._dialect = dialect
        self._defaults = defaults
        self._context = context
        self._namespace = context.namespace(namespace) or dialect

    def found(self) -> Iterator[Found]:
        files: list[File] = []
        for path in matching(self._files, self._context.folder):
            try:
                files.append(self._file(path))
            except InvalidInput as error:
                yield Refused(error)
        told: list[tuple[File, Lineage]] = []
        silent = dict.fromkeys(file.name for file in files)
        for file, found in self._read(files):
            silent.pop(file.name, None)
            if isinstance(found, InvalidInput):
                yield Refused(found)
            else:
                told.append((file, found))
        self._warn([f"{name}: nothing in it reads, writes or defines a table" for name in silent])
        self._warn([f"{file.name}:{lineage.line}: {what}" for file, lineage in told for what in lineage.unresolved])
        yield from self._entries(told, _jobs(files, self._namespace))

    def _file(self, path: Path | InvalidInput) -> File:
        if isinstance(path, InvalidInput):
            raise path
        name = shown_path(path, self._context.folder)
        try:
            text = read_bytes(path, MAX_BYTES).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidInput(f"it is not UTF-8 (byte {error.start}); accepted is a file of SQL", name) from error
        return File(path, name, text, file_time(path))

    def _read(self, files: Sequence[File]) -> list[tuple[File, Lineage | InvalidInput]]:
        """All files, in whatever order they need each other."""
        reader = SqlReader(self._dialect, self._columns, self._defaults)
        found: list[tuple[File, Lineage | InvalidInput]] = []
        for _ in range(MAX_READINGS):
            reader.known.stale = False
            found = [(file, one) for file in files for one in reader.read(file.text, file.name)]
            if not reader.known.stale:
                break
        return found

    def _columns(self, relation: Relation) -> list[str]:
        return [column.name for column in self._context.columns(self._key(relation))]

    def _key(self, relation: Relation) -> AssetKey:
        return self._context.naming.dataset(self._namespace, ".".join(relation))

    def _warn(self, warnings: Sequence[str]) -> None:
        self.warnings += warnings[:MAX_WARNINGS]
        if len(warnings) > MAX_WARNINGS:
            self.warnings.append(f"and {counted(len(warnings) - MAX_WARNINGS, 'more warning')} of this kind")

    def _entries(self, told: Iterable[tuple[File, Lineage]], jobs: Mapping[Path, AssetKey]) -> Iterator[Entry]:
        """A scope for each table that is written, and one for each script."""
        tables: dict[AssetKey, list[Statement]] = {}
        scripts: dict[AssetKey, list[Statement]] = {}
        for file, lineage in told:
            statement = Statement(lineage, None if lineage.defines == "VIEW" else jobs[file.path], file.time)
            if lineage.target is not None:
                tables.setdefault(self._key(lineage.target), []).append(statement)
            if statement.job is not None:
                scripts.setdefault(statement.job, []).append(statement)
        for target, statements in tables.items():
            time = max(statement.time for statement in statements)
            yield Entry(("sql", *target.parts), encode(of_table(target, statements, self._key)), time)
        for job, statements in scripts.items():
            yield Entry(("sql-script", *job.parts), encode(of_script(job, statements, self._dialect, self._key)), statements[0].time)


def _jobs(files: Sequence[File], namespace: str) -> Mapping[Path, AssetKey]:
    """A script is called like its file, with as many of its folders as it takes to tell it from the others."""
    names = {file.path: file.path.stem for file in files}
    for parts in range(2, max((len(file.path.parts) for file in files), default=0)):
        alike: dict[str, list[Path]] = {}
        for path, name in names.items():
            alike.setdefault(name, []).append(path)
        names.update({path: "/".join(path.with_suffix("").parts[-parts:]) for paths in alike.values() if len(paths) > 1 for path in paths})
    return {path: model.job(namespace, name) for path, name in names.items()}
