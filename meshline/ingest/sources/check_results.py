"""The common part of sources of check results: they resolve the dataset that is meant, and yield runs of suites as scopes."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from pydantic import Field

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetKey, Content, Json, Scope, get_current_micros, to_micros
from meshline.graph.quality import CHECKS, QUALITY
from meshline.ingest.check_facts import Check, build_expectation_facts, build_result_facts
from meshline.ingest.dataset_refs import split_dataset
from meshline.ingest.file_times import AHEAD, read_file_time
from meshline.ingest.sources.base import Context, Entry, Item, Reading, Refusal, Source, Unchanged
from meshline.ingest.sources.files import read_bytes, read_each_file

MAX_BYTES = 64 * 2**20  # of one file
SHOWN = 10  # candidates in a message


class SuiteRun(NamedTuple):
    """One run of a suite on a dataset. `at`: microseconds since the epoch; None if the file does not state it."""

    suite: str
    dataset: AssetKey
    at: int | None
    checks: Sequence[Check]


class SuiteDefinition(NamedTuple):
    """Checks of a suite as they are defined, without results. `needs`: the columns that some of them cannot do without."""

    suite: str
    checks: Sequence[Check]
    needs: Sequence[AssetKey]


class CheckFile(NamedTuple):
    """A file to be parsed. `name`: its name in messages, and the name of its suite if it states none."""

    path: Path
    name: str
    data: bytes


class CheckFiles(Source):
    """Files of results or of checks; relative paths begin at the folder of the mesh file."""

    files: tuple[str, ...] = Field(min_length=1, description="Files and patterns.")
    dataset: str | None = Field(default=None, description="The dataset of all checks, `namespace/name`.")
    datasets: dict[str, str] = Field(default={}, description="The tool's name of a dataset -> `namespace/name`.")
    namespace: str | None = Field(default=None, description="The namespace of tables whose names have none.")
    complete: bool = Field(default=True, description="Whether these are all files, so that the statements of removed files are retracted.")
    suite: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        default=None, description="The name of the suite, for files that name none."
    )

    def read(self, context: Context) -> Reading:
        found = _CheckFileReader(self, context)
        return Reading(self.source, found.read_items(), complete=self.complete, warnings=found.warnings, remember=found.remember)

    @abstractmethod
    def parse(self, file: CheckFile, datasets: DatasetResolver) -> Iterator[SuiteRun | SuiteDefinition | Refusal]:
        """The runs and definitions in a file. Raises InvalidInput if nothing in it can be used."""


class DatasetResolver(NamedTuple):
    """Resolves a tool's own name of a dataset to the dataset."""

    source: CheckFiles
    context: Context

    def resolve(self, names: Sequence[str], where: str, path: str = "") -> AssetKey:
        """The dataset with one of these names, the most certain name first, or at a path. Raises InvalidInput with the candidates.

        The first of these that applies: the option `dataset`; the option `datasets`; the path, if it is absolute or a URI;
        the only known dataset (in `namespace`, if that is given) that a name is the end of; `namespace` with the first name.
        """
        options = self.source
        if options.dataset is not None:
            return self._resolve_option(options.dataset, "dataset")
        for name in names:
            if name in options.datasets:
                return self._resolve_option(options.datasets[name], f"datasets.{name}")
        if "://" in path:
            return self._resolve_option(path, where)
        if path.startswith("/"):
            return self.context.naming.normalise_dataset("file", path)
        inside = None if options.namespace is None else self.context.resolve_namespace(options.namespace)
        for name in names:
            known = self._list_known(name, inside)
            if len(known) == 1:
                return known[0]
            if known:
                raise InvalidInput(f"{name!r} may mean {_format_candidates(known)}; choose one with the option dataset or datasets", where)
        if inside is not None and names:
            return self.context.naming.normalise_dataset(inside, names[0])
        called = f"no known dataset is called {' or '.join(map(repr, names))}" if names else "the file does not name a dataset"
        raise InvalidInput(f"{called}; accepted are the options dataset (namespace/name), datasets and namespace", where)

    def _list_known(self, name: str, inside: str | None) -> list[AssetKey]:
        """The known datasets that a name is the end of, in a namespace or in all."""
        known = self.context.datasets_ending_with(name)
        if inside is None:
            return known
        namespace = self.context.naming.normalise_dataset(inside, name).parts[0]
        return [key for key in known if key.parts[0] == namespace]

    def _resolve_option(self, text: str, where: str) -> AssetKey:
        """The dataset that an option names: `namespace/name`, known or not, or the end of the name of one known dataset."""
        namespace, name = split_dataset(text, self.context.aliases)
        key = self.context.naming.normalise_dataset(namespace, name) if name else None
        known = self.context.datasets_ending_with(text)
        if key is not None and (key in known or len(known) != 1):
            return key
        if len(known) == 1:
            return known[0]
        may_be = f"it may mean {_format_candidates(known)}; " if known else ""
        raise InvalidInput(f"found {text!r}; {may_be}accepted is namespace/name", where)


def _format_candidates(keys: Sequence[AssetKey]) -> str:
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(key.qualified_name for key in keys[:SHOWN]) + more


class _CheckFileReader:
    def __init__(self, source: CheckFiles, context: Context) -> None:
        self.warnings: list[str] = []
        self._source = source
        self._context = context
        self._newest = dict(context.memory)  # the time of the last run, by scope
        self._runs: dict[Scope, dict[int, Content]] = {}
        self._datasets: set[AssetKey] = set()  # the datasets that have checks

    def read_items(self) -> Iterator[Item]:
        datasets = DatasetResolver(self._source, self._context)
        yield from read_each_file(self._source.files, self._context.folder, lambda path: self._read_file(path, datasets))
        for key in sorted(self._datasets):
            if not self._context.datasets_ending_with(key.qualified_name):
                self.warnings.append(f"{key.qualified_name}: no other source knows this dataset; check its name in the catalog")
        for scope, runs in self._runs.items():
            yield self._build_entry(scope, sorted(runs.items()))

    def _read_file(self, path: Path, datasets: DatasetResolver) -> Iterator[Item]:
        file = CheckFile(path, _format_name(path, self._context.folder), read_bytes(path, MAX_BYTES))
        for one in self._source.parse(file, datasets):
            if isinstance(one, Refusal):
                yield one
                continue
            self._datasets.update(model.build_dataset_key(*check.subject.parts[:2]) for check in one.checks)
            if isinstance(one, SuiteDefinition):
                yield Entry(
                    (CHECKS, one.suite),
                    encode_facts(build_expectation_facts(one.checks, model.build_consumer_key(one.suite), one.needs)),
                    read_file_time(path),
                )
            else:
                self._add_run(one, path)

    def _add_run(self, run: SuiteRun, path: Path) -> None:
        at = read_file_time(path) if run.at is None else run.at
        content = encode_facts(build_result_facts(check._replace(at=run.at) for check in run.checks))
        self._runs.setdefault((QUALITY, run.suite, *run.dataset.parts), {})[at] = content

    def _build_entry(self, scope: Scope, runs: list[tuple[int, Content]]) -> Entry | Unchanged:
        """The last of some runs, with the earlier ones as its past; unchanged if the graph knows a later run."""
        at, content = runs[-1]
        place = msgspec.json.encode(scope).decode()
        if at < int(self._newest.get(place, at)):
            self.warnings.append(f"{' '.join(scope[1:])}: skipped, because the graph has a later run already")
            return Unchanged(scope)
        self._newest[place] = str(at)
        return Entry(scope, content, at, tuple(runs[:-1]))

    def remember(self) -> Mapping[str, str]:
        return self._newest


def _format_name(path: Path, folder: Path) -> str:
    """A file's name in messages: relative to the folder if it is in there, else its last part."""
    below = folder.absolute()
    return path.relative_to(below).as_posix() if path.is_relative_to(below) else path.name


def parse_json_file(file: CheckFile) -> Json:
    """The value of a JSON file. NaN and Infinity, which Python writes, become null. Raises InvalidInput with `file:line`."""
    try:
        value: Json = json.loads(file.data, parse_constant=lambda _: None)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"the file is not valid JSON: {error.msg}", f"{file.name}:{error.lineno}") from error
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InvalidInput(f"the file cannot be read as JSON: {type(error).__name__}", file.name) from error
    return value


def parse_run_time(text: Json, where: str) -> int | None:
    """A time as tools write it (ISO 8601), in microseconds since the epoch; None if there is none. Raises InvalidInput."""
    if text is None:
        return None
    try:
        time = to_micros(datetime.fromisoformat(str(text)))
    except ValueError as error:
        raise InvalidInput(f"{str(text)[:60]!r} is not a time; accepted is ISO 8601, e.g. 2026-03-01T12:00:00Z", where) from error
    if time < 0:
        raise InvalidInput(f"{str(text)[:60]!r} is before 1970", where)
    if time > get_current_micros() + AHEAD:
        raise InvalidInput(f"{str(text)[:60]!r} is more than a day ahead of the clock", where)
    return time


def find_member(value: Json, *names: str) -> Json:
    """The value at a path of keys; None if there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def clean_text(value: Json) -> str | None:
    """The text without surrounding blanks; None if it is empty or no text."""
    return value.strip() or None if isinstance(value, str) else None
