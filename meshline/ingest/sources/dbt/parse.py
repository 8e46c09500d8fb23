"""Decodes the files of a target folder; a faulty entry is refused by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import md5
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import DBT, Scope
from meshline.ingest.documents import build_json_error
from meshline.ingest.sources.base import Refusal
from meshline.ingest.sources.dbt.artifacts import (
    Catalog,
    CatalogTable,
    Exposure,
    Freshness,
    Group,
    Kind,
    Manifest,
    Metadata,
    Node,
    Passage,
    Result,
    RunResults,
    SourcesFreshness,
    Test,
)
from meshline.ingest.sources.files import read_bytes

MAX_BYTES = 512 * 1024 * 1024  # of one artifact
MAX_DEPTH = 64  # levels of meta and of tests' arguments
OLDEST, NEWEST = 9, 12  # of the manifest's schema

SCOPE = DBT  # (SCOPE, unique id)
_VERSION = re.compile(r"/manifest/v(\d+)\.json")
_TABLES = frozenset({"model", "seed", "snapshot"})
_NO_TESTS_RUN = frozenset({"compile", "generate", "docs", "parse", "list"})

T = TypeVar("T")


class Artifacts(NamedTuple):
    """The content of a target folder, by unique id.

    `file`: the manifest. `nodes`: models, seeds, snapshots and sources. `passages`: entries of which only the dependencies matter.
    `results`: of tests. `ran`: the SQL of models that were run. `notes`: warnings.
    """

    file: Path
    metadata: Metadata
    nodes: Mapping[str, Node]
    tests: Mapping[str, Test]
    exposures: Mapping[str, Exposure]
    groups: Mapping[str, Group]
    passages: Mapping[str, Passage]
    catalog: Mapping[str, CatalogTable]
    results: tuple[Result, ...]
    results_at: str
    ran: Mapping[str, str]
    freshness: tuple[Freshness, ...]
    refused: tuple[Refusal, ...]
    notes: tuple[str, ...]


def find_project_name(artifacts: Artifacts) -> str:
    """The project's name: dbt 1.6 and newer write it; before that, it is the package whose MD5 is the project's id."""
    if artifacts.metadata.project_name:
        return artifacts.metadata.project_name
    packages = {node.package_name for node in artifacts.nodes.values()}
    return next(
        (name for name in packages if md5(name.encode(), usedforsecurity=False).hexdigest() == artifacts.metadata.project_id), "project"
    )


def read_artifacts(path: Path) -> Artifacts:
    """The artifacts in a folder, or in the folder of a manifest. Raises InvalidInput if the manifest cannot be read."""
    file = path if path.suffix == ".json" else path / "manifest.json"
    if not file.is_file():
        raise InvalidInput("the file does not exist; `dbt compile` (or build, or docs generate) writes it into target/", str(file))
    return _ArtifactParser(file, lambda name: _read_artifact(file.with_name(name))).parse()


def parse_artifact_files(file: Path, manifest: bytes, catalog: bytes | None = None) -> Artifacts:
    """The artifacts in texts, as if they had been read from the manifest's file and its folder. Raises InvalidInput if the manifest
    cannot be read.
    """
    return _ArtifactParser(file, {file.name: manifest, "catalog.json": catalog}.get).parse()


def _read_artifact(file: Path) -> bytes | None:
    """The bytes of an artifact; None if there is none. Raises InvalidInput if it is too large."""
    return read_bytes(file, MAX_BYTES) if file.exists() else None


class _ArtifactParser:
    """Parses the artifacts of a folder. `text`: returns the bytes of an artifact by its file name; None if there is none."""

    def __init__(self, file: Path, text: Callable[[str], bytes | None]) -> None:
        self._file = file
        self._text = text
        self._refused: list[Refusal] = []
        self._notes: list[str] = []

    def parse(self) -> Artifacts:
        manifest = _decode_file(self._file, self._text(self._file.name) or b"", Manifest)
        self._check_version(manifest.metadata)
        nodes, tests, analyses = self._parse_nodes(manifest)
        catalog = self._parse_optional_file("catalog.json", Catalog, Catalog())
        results = self._parse_optional_file("run_results.json", RunResults, RunResults())
        ran = list(self._parse_results(results.results, "run_results.json", Result))
        sources = self._parse_optional_file("sources.json", SourcesFreshness, SourcesFreshness())
        if manifest.unit_tests:
            self._notes.append(f"{len(manifest.unit_tests)} unit tests are skipped: they test code, and state nothing about the data")
        return Artifacts(
            file=self._file,
            metadata=manifest.metadata,
            nodes={**nodes, **self._parse_entries(manifest.sources, "sources", Node)},
            tests=tests,
            exposures=self._parse_entries(manifest.exposures, "exposures", Exposure),
            groups=self._parse_entries(manifest.groups, "groups", Group),
            passages={
                **analyses,
                **self._parse_entries(manifest.metrics, "metrics", Passage),
                **self._parse_entries(manifest.semantic_models, "semantic_models", Passage),
                **self._parse_entries(manifest.saved_queries, "saved_queries", Passage),
            },
            catalog={
                **self._parse_catalog_tables(catalog.nodes, "nodes"),
                **self._parse_catalog_tables(catalog.sources, "sources"),
            },
            results=tuple(one for one in ran if one.unique_id in tests and results.args.which not in _NO_TESTS_RUN),
            results_at=results.metadata.generated_at,
            ran={one.unique_id: one.compiled_code for one in ran if one.compiled_code and one.unique_id in nodes},
            freshness=tuple(self._parse_results(sources.results, "sources.json", Freshness)),
            refused=tuple(self._refused),
            notes=tuple(self._notes),
        )

    def _check_version(self, metadata: Metadata) -> None:
        found = _VERSION.search(metadata.dbt_schema_version)
        if found is None or int(found[1]) < OLDEST:
            accepted = f"accepted: manifests v{OLDEST} to v{NEWEST} (dbt 1.5 and newer)"
            raise InvalidInput(f"found dbt_schema_version {metadata.dbt_schema_version[:200]!r}; {accepted}", f"{self._file}: metadata")
        if int(found[1]) > NEWEST:
            self._notes.append(f"{self._file}: the manifest has version v{found[1]}, newer than v{NEWEST}; only its known parts are read")

    def _parse_nodes(self, manifest: Manifest) -> tuple[dict[str, Node], dict[str, Test], dict[str, Passage]]:
        """Tables, tests, and analyses, which are never built."""
        nodes: dict[str, Node] = {}
        tests: dict[str, Test] = {}
        analyses: dict[str, Passage] = {}
        for key, raw in manifest.nodes.items():
            kind = self._parse_entry(raw, "nodes", key, Kind)
            if kind is None:
                continue
            if kind.resource_type in _TABLES:
                self._parse_into(nodes, raw, key, Node)
            elif kind.resource_type == "test":
                self._parse_into(tests, raw, key, Test)
            elif kind.resource_type == "analysis":
                self._parse_into(analyses, raw, key, Passage)
        return nodes, tests, analyses

    def _parse_into(self, into: dict[str, T], raw: msgspec.Raw, key: str, type_: type[T]) -> None:
        entry = self._parse_entry(raw, "nodes", key, type_)
        if entry is not None:
            into[key] = entry

    def _parse_entries(self, raws: Mapping[str, msgspec.Raw], section: str, type_: type[T]) -> dict[str, T]:
        found = {key: self._parse_entry(raw, section, key, type_) for key, raw in raws.items()}
        return {key: entry for key, entry in found.items() if entry is not None}

    def _parse_entry(self, raw: msgspec.Raw, section: str, key: str, type_: type[T]) -> T | None:
        return self._decode(raw, type_, f"{self._file}: {section}.{key}", (SCOPE, key))

    def _parse_catalog_tables(self, raws: Mapping[str, msgspec.Raw], section: str) -> dict[str, CatalogTable]:
        file = self._file.with_name("catalog.json")
        found = {key: self._decode(raw, CatalogTable, f"{file}: {section}.{key}", (SCOPE, key)) for key, raw in raws.items()}
        return {key: table for key, table in found.items() if table is not None}

    def _parse_results(self, raws: Iterable[msgspec.Raw], name: str, type_: type[T]) -> Iterator[T]:
        for position, raw in enumerate(raws):
            entry = self._decode(raw, type_, f"{self._file.with_name(name)}: results[{position}]", ("quality",))
            if entry is not None:
                yield entry

    def _decode(self, raw: msgspec.Raw, type_: type[T], where: str, about: Scope) -> T | None:
        try:
            entry = _get_decoder(type_)(raw)
            _check_depth(entry)
        except (msgspec.MsgspecError, RecursionError, InvalidInput) as error:
            self._refused.append(Refusal(_to_invalid_input(error, where), about))
            return None
        return entry

    def _parse_optional_file(self, name: str, type_: type[T], default: T) -> T:
        """An optional artifact; `default` if there is none or if it cannot be read."""
        try:
            data = self._text(name)
            return default if data is None else _decode_file(self._file.with_name(name), data, type_)
        except InvalidInput as error:
            self._refused.append(Refusal(error, ("quality",) if type_ is not Catalog else ()))
            return default


def _decode_file(file: Path, data: bytes, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _to_invalid_input(error, str(file)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise build_json_error(error, data, str(file)) from error


_DECODERS: dict[type, msgspec.json.Decoder[object]] = {}


def _get_decoder(type_: type[T]) -> Callable[[msgspec.Raw], T]:
    decoder = _DECODERS.get(type_)
    if decoder is None:
        decoder = _DECODERS[type_] = msgspec.json.Decoder(type_)
    return decoder.decode  # type: ignore[return-value]


def _check_depth(entry: object) -> None:
    """Raises InvalidInput if free values nest too deep."""
    if isinstance(entry, Test):
        free: list[object] = [entry.test_metadata.kwargs] if entry.test_metadata is not None else []
    elif isinstance(entry, Node):
        free = [entry.meta, entry.source_meta, entry.freshness, *([entry.config.meta, entry.config.freshness] if entry.config else [])]
        for column in entry.columns.values() if entry.columns else ():
            if column.meta or column.config:
                free += [column.meta, column.config.meta if column.config else None]
    else:
        free = [entry.meta] if isinstance(entry, Exposure) else []
    for value in free:
        if value:
            _check_value(value, MAX_DEPTH)


def _check_value(value: object, left: int) -> None:
    if not value or not isinstance(value, (dict, list)):
        return
    if left == 0:
        raise InvalidInput(f"nested more than {MAX_DEPTH} levels deep")
    for inner in value.values() if isinstance(value, dict) else value:
        _check_value(inner, left - 1)


def _to_invalid_input(error: Exception, where: str) -> InvalidInput:
    """`target/manifest.json: nodes.model.shop.orders.columns[...].name: found int, accepted: str`."""
    if isinstance(error, RecursionError):
        return InvalidInput(f"nested more than {MAX_DEPTH} levels deep", where)
    message, _, at = str(error).partition(" - at `")
    path = at.rstrip("`").removeprefix("$")
    return InvalidInput(message, where + path if ": " in where else ": ".join(part for part in (where, path.lstrip(".")) if part))
