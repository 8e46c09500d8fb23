"""Usage: who read what, how often and when, from query history and access logs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from meshline.errors import InvalidInput
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetKey, from_micros
from meshline.graph.usage import USAGE, USAGE_WINDOW
from meshline.ingest.dataset_refs import split_dataset
from meshline.ingest.sources.base import Context, Entry, Item, Reading, Refusal, Source
from meshline.ingest.sources.files import format_path, read_each_file
from meshline.ingest.sources.usage.facts import Reader, build_facts, build_window_facts
from meshline.ingest.sources.usage.parse import Record, Window, parse_file
from meshline.ingest.sources.usage.readers import MOST_READERS, PATTERNS, Name, Patterns, ReaderNames, keep_last_readers

MAX_READS = 1_000_000  # readers and columns that are stated, over all datasets and months
SHOWN = 10  # names in a message
REFUSED = 100  # lines of one file that are refused one by one
SELECTED = 100_000  # datasets that windows name


class Usage(Source):
    """Files of usage, in the neutral format."""

    kind: ClassVar[str] = "usage"
    files: tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...] = Field(
        min_length=1, description="Files (.ndjson, .csv, also .gz), and patterns such as usage/*.ndjson.gz."
    )
    namespace: Name | None = Field(default=None, description="The namespace of datasets whose names have none.")
    datasets: dict[Name, Name] = Field(default={}, max_length=100_000, description="The log's name of a dataset -> `namespace/name`.")
    readers: Patterns = PATTERNS
    most_readers: int = MOST_READERS
    complete: bool = Field(default=False, description="Whether these are all files, so that the statements of other months are retracted.")

    def read(self, context: Context) -> Reading:
        reader = _UsageReader(self, context)
        return Reading(self.source, reader.read_items(), complete=self.complete, warnings=reader.warnings)


class _Known(NamedTuple):
    """A dataset that the log names. `columns`: their spelling in the graph, by the folded one; empty if no source lists them."""

    key: AssetKey
    columns: dict[str, str]


class _UsageReader:
    def __init__(self, source: Usage, context: Context) -> None:
        self.warnings: list[str] = []
        self._source = source
        self._context = context
        self._known: dict[str, _Known | InvalidInput | None] = {}
        self._readers = ReaderNames(source.readers, context)
        self._reads: dict[tuple[AssetKey, str], dict[str, Reader]] = {}
        self._windows: dict[AssetKey, list[Window]] = {}
        self._number = 0  # of readers and columns
        self._unknown: Counter[str] = Counter()
        self._unlisted: Counter[str] = Counter()

    def read_items(self) -> Iterator[Item]:
        yield from read_each_file(self._source.files, self._context.folder, self._read_file)
        for (dataset, month), readers in sorted(self._reads.items()):
            yield Entry((USAGE, *dataset.parts, month), encode_facts(build_facts(dataset, self._keep_readers(dataset, month, readers))))
        for dataset, windows in sorted(self._windows.items()):
            yield Entry((USAGE_WINDOW, *dataset.parts), encode_facts(build_window_facts(dataset, windows)))
        self._warn("no source describes", self._unknown, "its reads are left out")
        self._warn("no source lists the columns", self._unlisted, "they are left out")

    def _read_file(self, path: Path) -> Iterator[Item]:
        refused = 0
        for one in parse_file(path, format_path(path, self._context.folder)):
            try:
                if isinstance(one, InvalidInput):
                    raise one
                if isinstance(one, Window):
                    self._add_window(one)
                else:
                    self._add_record(one)
            except InvalidInput as error:
                refused += 1
                if refused <= REFUSED:
                    yield Refusal(error)
        if refused > REFUSED:
            yield Refusal(InvalidInput(f"{refused - REFUSED:,} more lines are refused", format_path(path, self._context.folder)))

    def _add_record(self, record: Record) -> None:
        known = self._find_dataset(record.dataset, record.where)
        if known is None:
            self._unknown[record.dataset] += 1
            return
        name, owner = self._readers.name_reader(record.reader)
        readers = self._reads.setdefault((known.key, from_micros(record.last).strftime("%Y-%m")), {})
        reader = readers.get(name)
        if reader is None:
            self._count(1, record)
            reader = readers[name] = Reader(record.reader_type, owner)
        columns = dict.fromkeys(found for one in record.columns if (found := self._find_column(known, one)) is not None)
        self._count(sum(column not in reader.columns for column in columns), record)
        reader.add(record, columns)

    def _count(self, number: int, record: Record) -> None:
        """Raises InvalidInput."""
        if self._number + number > MAX_READS:
            raise InvalidInput(f"the files have more than {MAX_READS:,} readers and columns; accepted are fewer files", record.where)
        self._number += number

    def _add_window(self, window: Window) -> None:
        """Raises InvalidInput."""
        found = {key for text in window.datasets for key in self._list_selected(text, window.where)}
        for key in found:
            self._windows.setdefault(key, []).append(window)
        if not found:
            self._unknown[", ".join(window.datasets[:SHOWN])] += 1

    def _list_selected(self, text: str, where: str) -> list[AssetKey]:
        if not any(sign in text for sign in "*?["):
            known = self._find_dataset(text, where)
            return [] if known is None else [known.key]
        namespace, pattern = split_dataset(text, self._context.aliases)
        if not namespace or any(sign in namespace for sign in "*?["):
            if self._source.namespace is None:
                raise InvalidInput(f"found {text!r}; accepted is namespace/pattern", where)
            namespace, pattern = self._context.resolve_namespace(self._source.namespace), text
        namespace = self._context.naming.normalise_dataset(namespace, "x").parts[0]
        found = [key for key in self._context.datasets_in(namespace) if fnmatchcase(key.name, pattern)]
        if len(found) > SELECTED:
            raise InvalidInput(f"{text!r} means more than {SELECTED:,} datasets", where)
        return found

    def _find_dataset(self, text: str, where: str) -> _Known | None:
        """The dataset that a name in the log means; None if the graph has none. Raises InvalidInput if it may mean several."""
        if text not in self._known:
            try:
                key = self._resolve(self._source.datasets.get(text, text), where)
                self._known[text] = (
                    None if key is None else _Known(key, {one.name.casefold(): one.name for one in self._context.columns_of(key)})
                )
            except InvalidInput as error:
                self._known[text] = error
        known = self._known[text]
        if isinstance(known, InvalidInput):
            raise InvalidInput(str(known).partition(": ")[2] if known.where else str(known), where)
        return known

    def _resolve(self, text: str, where: str) -> AssetKey | None:
        naming, context = self._context.naming, self._context
        inside = None if self._source.namespace is None else context.resolve_namespace(self._source.namespace)
        tries = [split_dataset(text, context.aliases)]
        if inside is not None:
            tries.append((inside, text))
        for namespace, name in tries:
            if namespace and name:
                key = naming.normalise_dataset(namespace, name)
                if context.datasets_ending_with(key.qualified_name):
                    return key
        found = context.datasets_ending_with(text)
        if inside is not None:
            namespace = naming.normalise_dataset(inside, text).parts[0]
            found = [key for key in found if key.parts[0] == namespace]
        if len(found) > 1:
            shown = ", ".join(key.qualified_name for key in found[:SHOWN])
            raise InvalidInput(f"{text!r} may mean {shown}; choose one with the key datasets or namespace", where)
        return found[0] if found else None

    def _find_column(self, known: _Known, name: str) -> str | None:
        """The column as the graph spells it; the one that contains a nested one; None if the dataset has no such column."""
        if not known.columns:
            return name
        text = name.casefold()
        while text not in known.columns:
            if "." not in text:
                self._unlisted[f"{known.key.qualified_name}.{name}"] += 1
                return None
            text = text.rpartition(".")[0]
        return known.columns[text]

    def _keep_readers(self, dataset: AssetKey, month: str, readers: dict[str, Reader]) -> dict[str, Reader]:
        kept, left_out = keep_last_readers(readers, self._source.most_readers)
        if left_out:
            self.warnings.append(
                f"{dataset.qualified_name}: {left_out:,} readers of {month} are left out: most_readers is {self._source.most_readers:,}"
            )
        return kept

    def _warn(self, what: str, names: Counter[str], so: str) -> None:
        if names:
            shown = ", ".join(name for name, _ in names.most_common(SHOWN))
            more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
            self.warnings.append(f"{what} {shown}{more}: {so}")
