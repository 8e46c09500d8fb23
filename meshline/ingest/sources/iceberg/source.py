"""Iceberg: tables and views of a catalog (REST, SQL, Glue, Hive), or from files of metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator

from meshline.errors import InvalidInput, require_extra
from meshline.graph.model import AssetKey, get_current_micros
from meshline.graph.naming import normalise_namespace
from meshline.ingest.sources.base import Context, Item, Reading, Refusal, Source, Unchanged
from meshline.ingest.sources.files import expand_paths, read_bytes
from meshline.ingest.sources.iceberg.facts import NamespaceDefaults, format_namespace, parse_file_name
from meshline.ingest.sources.iceberg.parse import MAX_BYTES, Table, parse_metadata
from meshline.ingest.sources.iceberg.polaris_grants import read_polaris_rights
from meshline.ingest.sources.iceberg.table_scopes import (
    KnownTable,
    Memory,
    Subject,
    build_lineage_entry,
    build_scope,
    build_table_scopes,
    build_view_scopes,
    compute_rules_digest,
    list_column_names,
)
from meshline.ingest.sources.iceberg.view_lineage import Names, ViewText
from meshline.ingest.sources.read_right import RoleNames, build_right_facts
from meshline.ingest.sources.secrets import Redaction, expand_properties

if TYPE_CHECKING:
    from meshline.ingest.sources.iceberg.catalogs import LibraryCatalog
    from meshline.ingest.sources.iceberg.crawl import RightsReader


class MetadataFiles:
    """One reading of metadata files. `read_items` can be iterated once; `remember` returns the memory after that."""

    def __init__(self, files: Sequence[str], namespace: str, context: Context, memory: Memory, now: int) -> None:
        self._files = files
        self._namespace = namespace
        self._context = context
        self._memory = memory
        self._now = now
        self._seen: dict[str, KnownTable] = {}
        self._files_of: dict[str, Path] = {}  # by the dataset's name
        self._views: list[ViewText] = []
        self._whole = True
        self.warnings: list[str] = []

    def remember(self) -> Mapping[str, str]:
        return self._memory.build_next(self._seen, complete=self._whole)

    def read_items(self) -> Iterator[Item]:
        for path in expand_paths(self._files, self._context.folder):
            if isinstance(path, InvalidInput):
                self._whole = False
                yield Refusal(path)
            else:
                yield from self._read_file(path)
        names = Names({name: self._context.naming.normalise_dataset(self._namespace, name) for name in self._files_of}, ".".join)
        for view in self._views:
            entry, notes = build_lineage_entry(view, names, self._list_columns)
            self.warnings += notes
            yield entry

    def _list_columns(self, dataset: AssetKey) -> Sequence[str]:
        """The columns of a dataset as its file lists them."""
        try:
            return list_column_names(parse_metadata(read_bytes(self._files_of[dataset.name], MAX_BYTES)))
        except (InvalidInput, KeyError):
            return ()

    def _read_file(self, path: Path) -> Iterator[Item]:
        dataset = self._context.naming.normalise_dataset(self._namespace, parse_file_name(path.name))
        self._files_of[dataset.name] = path
        before = self._memory.find(dataset.name)
        late = not self._memory.is_first and (before is None or before.gone)
        subject = Subject(dataset, NamespaceDefaults(), before, late, self._now)
        try:
            metadata = parse_metadata(read_bytes(path, MAX_BYTES))
            if isinstance(metadata, Table):
                scopes = build_table_scopes(subject, metadata, "", self._context)
            else:
                scopes = build_view_scopes(subject, metadata, "")
        except InvalidInput as error:
            yield Refusal(error if error.where else InvalidInput(str(error), str(path)), build_scope(dataset))
            if before is not None:
                self._seen[dataset.name] = before
                yield from map(Unchanged, before.lasting)
            return
        self._seen[dataset.name] = scopes.known
        if scopes.view is not None:
            self._views.append(scopes.view)
        yield from scopes.items


class Iceberg(Source):
    """`uri` and `properties`: the arguments of pyiceberg's `load_catalog`, with `${NAME}` for a variable of the environment.
    `catalog`: the catalog's name in pyiceberg's own configuration, or in the SQL catalog. `files`: files of metadata, instead
    of a catalog. `namespace`: of the datasets, instead of the catalog's uri. `tables`: patterns of `schema.table`. `grants`: whether it is
    read of Polaris who may read each table. `owners`: the owner that a principal or role of Polaris means.
    """

    kind: ClassVar[str] = "iceberg"

    uri: str = ""
    catalog: str = ""
    properties: dict[str, Any] = Field(default={})
    files: tuple[str, ...] = ()
    namespace: str = ""
    tables: tuple[str, ...] = ()
    grants: bool = Field(default=False, description="Whether the grants of Polaris are read: who may read which table.")
    owners: Mapping[str, str] = Field(default={}, description="The owner that a principal or role of Polaris means: {bi: 'team:bi'}.")
    parallel: Annotated[int, Field(ge=1, le=64)] = 8

    @model_validator(mode="after")
    def _check_place(self) -> Iceberg:
        is_catalog = bool(self.uri or self.catalog or self.properties)
        if is_catalog == bool(self.files):
            raise ValueError("set either files, or a catalog by uri, properties or its name in catalog")
        if self.grants and self.files:
            raise ValueError("grants are read of Polaris, not of files")
        if self.files and not self.namespace:
            raise ValueError("files do not name the catalog that they are from: set namespace, e.g. http://iceberg-rest:8181")
        return self

    def read(self, context: Context) -> Reading:
        return self._read_files(context) if self.files else self._read_catalog(context)

    def _read_files(self, context: Context) -> Reading:
        namespace = context.resolve_namespace(self.namespace)
        memory = Memory(context.memory, compute_rules_digest(context, namespace))
        tables = MetadataFiles(self.files, namespace, context, memory, get_current_micros())
        return Reading(self.source, tables.read_items(), complete=True, atomic=False, warnings=tables.warnings, remember=tables.remember)

    def _read_catalog(self, context: Context) -> Reading:
        with require_extra("glue" if self.properties.get("type") == "glue" else "iceberg", "reading an Iceberg catalog"):
            from meshline.ingest.sources.iceberg.crawl import (  # noqa: PLC0415 - pyiceberg is slow to import
                CatalogWalk,
                detect_kind,
                open_catalog,
            )

        written = {**self.properties, **({"uri": self.uri} if self.uri else {})}
        properties = expand_properties(written, context.variables)
        name = self.catalog or self.name
        kind, merged = detect_kind(name, properties)
        redacted = Redaction(written, merged)
        namespace = context.resolve_namespace(self.namespace) if self.namespace else format_namespace(kind, merged)
        try:
            catalog = open_catalog(name, kind, properties, merged, redacted)
        except NotImplementedError as error:
            raise InvalidInput(redacted(str(error)), "properties") from None
        walk = CatalogWalk(
            catalog,
            kind,
            namespace,
            self.tables,
            self.parallel,
            context,
            Memory(context.memory, compute_rules_digest(context, namespace)),
            get_current_micros(),
        )
        if self.grants:
            walk.read_rights = partial(self._read_rights, catalog, str(merged.get("warehouse") or ""), namespace, context)
        return Reading(
            self.source,
            walk.read_items(),
            complete=not self.tables,
            atomic=False,
            warnings=walk.warnings,
            remember=walk.remember,
            has_read_rights=(lambda: walk.has_rights) if self.grants else None,
        )

    def _read_rights(self, catalog: LibraryCatalog, warehouse: str, namespace: str, context: Context) -> RightsReader:
        """What is stated of who may read each table. Raises InvalidInput, StoreUnavailable."""
        from meshline.ingest.sources.iceberg.rest_catalog import RestAccess  # noqa: PLC0415 - it costs a second to import

        if not isinstance(catalog, RestAccess) or not warehouse:
            raise InvalidInput("grants are read of a catalog of Polaris, which the property `warehouse` names", "grants")
        rights = read_polaris_rights(catalog.read_management, warehouse)
        names = RoleNames(normalise_namespace(namespace)[1], self.owners, context.resolve_person)
        return lambda dataset, identifier: build_right_facts(dataset, rights.list_rights(identifier), names.build_owner)
