"""Tables from files: metadata files, and answers of a catalog that were kept; the file's name is the table's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey
from meshline.ingest.sources.files import matching, read_bytes
from meshline.ingest.sources.iceberg.entries import Subject, column_names, lineage_entry, scope, told_of_table, told_of_view
from meshline.ingest.sources.iceberg.facts import Around
from meshline.ingest.sources.iceberg.metadata import MAX_BYTES, Table, metadata_of
from meshline.ingest.sources.iceberg.names import table_of_file
from meshline.ingest.sources.iceberg.remembered import Memory, Remembered
from meshline.ingest.sources.iceberg.view_lineage import Names, ViewText
from meshline.ingest.sources.shape import Context, Found, Refused, Unchanged


class RecordedTables:
    """`found` is read once; `remember` tells what to keep after that."""

    def __init__(self, files: Sequence[str], namespace: str, context: Context, memory: Memory, now: int) -> None:
        self._files = files
        self._namespace = namespace
        self._context = context
        self._memory = memory
        self._now = now
        self._seen: dict[str, Remembered] = {}
        self._files_of: dict[str, Path] = {}  # by the dataset's name
        self._views: list[ViewText] = []
        self._whole = True
        self.warnings: list[str] = []

    def remember(self) -> Mapping[str, str]:
        return self._memory.next(self._seen, complete=self._whole)

    def found(self) -> Iterator[Found]:
        for path in matching(self._files, self._context.folder):
            if isinstance(path, InvalidInput):
                self._whole = False
                yield Refused(path)
            else:
                yield from self._of(path)
        names = Names({name: self._context.naming.dataset(self._namespace, name) for name in self._files_of}, ".".join)
        for view in self._views:
            entry, notes = lineage_entry(view, names, self._columns)
            self.warnings += notes
            yield entry

    def _columns(self, dataset: AssetKey) -> Sequence[str]:
        """As the file lists them."""
        try:
            return column_names(metadata_of(read_bytes(self._files_of[dataset.name], MAX_BYTES)))
        except (InvalidInput, KeyError):
            return ()

    def _of(self, path: Path) -> Iterator[Found]:
        dataset = self._context.naming.dataset(self._namespace, table_of_file(path.name))
        self._files_of[dataset.name] = path
        before = self._memory.of(dataset.name)
        late = not self._memory.is_first and (before is None or before.gone)
        subject = Subject(dataset, Around(), before, late, self._now)
        try:
            metadata = metadata_of(read_bytes(path, MAX_BYTES))
            if isinstance(metadata, Table):
                told = told_of_table(subject, metadata, "", self._context)
            else:
                told = told_of_view(subject, metadata, "")
        except InvalidInput as error:
            yield Refused(error if error.where else InvalidInput(str(error), str(path)), scope(dataset))
            if before is not None:
                self._seen[dataset.name] = before
                yield from map(Unchanged, before.lasting)
            return
        self._seen[dataset.name] = told.remembered
        if told.view is not None:
            self._views.append(told.view)
        yield from told.said
