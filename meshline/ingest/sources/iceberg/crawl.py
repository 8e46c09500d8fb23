"""One reading of a catalog: connects, lists all namespaces, and reads all tables and views, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypeAlias, TypeVar

import msgspec
from pyiceberg.catalog import Catalog, infer_catalog_type, load_catalog
from pyiceberg.exceptions import NotInstalledError
from pyiceberg.utils.config import Config, merge_config

from meshline.errors import InvalidInput, MissingExtra, StoreUnavailable
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetKey, Facts
from meshline.ingest.sources.base import RIGHTS, Context, Entry, Item, Refusal, Unchanged
from meshline.ingest.sources.iceberg.catalogs import Gone, Identifier, LibraryCatalog
from meshline.ingest.sources.iceberg.facts import NamespaceDefaults, format_table_name
from meshline.ingest.sources.iceberg.parse import Table
from meshline.ingest.sources.iceberg.table_scopes import (
    KnownTable,
    Memory,
    Subject,
    TableScopes,
    build_lineage_entry,
    build_rename_entry,
    build_scope,
    build_table_scopes,
    build_view_scopes,
    list_column_names,
)
from meshline.ingest.sources.iceberg.view_lineage import Names, ViewText
from meshline.ingest.sources.secrets import Properties, Redaction
from meshline.ingest.sources.thread_pool import run_in_parallel

MAX_DEPTH = 32  # levels of namespaces

T = TypeVar("T")


# What is stated of who may read a dataset, by the name of the table in the catalog.
RightsReader: TypeAlias = Callable[[AssetKey, Identifier], Facts]


class ListedTable(NamedTuple):
    """A table or view that the catalog lists. `defaults`: the owner and comment of its namespace."""

    identifier: Identifier
    dataset: AssetKey
    defaults: NamespaceDefaults
    is_view: bool


class Answer(NamedTuple):
    """The result for a listed table: its scopes, unchanged (`scopes` is None), a refusal, or gone."""

    listed: ListedTable
    scopes: TableScopes | None = None
    refused: InvalidInput | None = None
    gone: bool = False


class CatalogWalk:
    """One walk over a catalog. `read_items` can be iterated once; `remember` returns the memory after that.

    `read_rights`: reads who may read the tables; None: that is not read. `has_rights`: whether all of it was read.
    """

    read_rights: Callable[[], RightsReader] | None = None
    has_rights = False

    def __init__(
        self,
        catalog: LibraryCatalog,
        kind: str,
        namespace: str,
        tables: tuple[str, ...],
        threads: int,
        context: Context,
        memory: Memory,
        now: int,
    ) -> None:
        self._catalog = catalog
        self._kind = kind
        self._namespace = namespace
        self._patterns = tables
        self._threads = threads
        self._context = context
        self._memory = memory
        self._now = now
        self._seen: dict[str, KnownTable] = {}
        self._new: dict[str, AssetKey] = {}  # tables that the last reading did not have, by uuid
        self._identifiers: dict[str, ListedTable] = {}  # the listed tables and views, by the dataset's name
        self._views: list[ViewText] = []
        self._whole = not tables  # whether everything in the catalog was listed
        self.warnings: list[str] = []

    def remember(self) -> Mapping[str, str]:
        return self._memory.build_next(self._seen, complete=self._whole)

    def read_items(self) -> Iterator[Item]:
        answers = run_in_parallel(self._list_catalog(), self._read_table, self._threads)
        try:
            for answer in answers:
                yield from self._handle_answer(answer)
        except StoreUnavailable as error:
            self._whole = False
            yield Refusal(
                InvalidInput(f"{error}; {len(self._seen)} tables and views were read, the others remain as they were", self._namespace)
            )
        finally:
            answers.close()
        yield from self._build_lineage()
        if self._whole:
            yield from self._build_renames()
        if self.read_rights is not None:
            yield from self._build_rights(self.read_rights)

    def _handle_answer(self, answer: Answer | Refusal) -> Iterator[Item]:
        if isinstance(answer, Refusal):
            self._whole = False
            yield answer
            return
        name = answer.listed.dataset.name
        self._identifiers[name] = answer.listed
        before = self._memory.find(name)
        if answer.refused is not None:
            yield Refusal(InvalidInput(str(answer.refused), ".".join(answer.listed.identifier)), build_scope(answer.listed.dataset))
            if before is not None:
                self._seen[name] = msgspec.structs.replace(before, tag="")
                yield from map(Unchanged, before.lasting)
        elif answer.scopes is not None:
            self._seen[name] = answer.scopes.known
            if before is None or before.gone:
                self._new[answer.scopes.known.uuid] = answer.listed.dataset
            if answer.scopes.view is not None:
                self._views.append(answer.scopes.view)
            yield from answer.scopes.items
        elif before is not None and not answer.gone:
            self._seen[name] = before
            yield from map(Unchanged, before.scopes)

    def _build_lineage(self) -> Iterator[Item]:
        """The lineage of the views, once all tables are known. A view whose lineage is incomplete is read again the next time."""
        if not self._views:
            return
        known = {key.name: key for key in self._context.datasets_in(self._namespace)} if self._patterns else {}
        names = Names(known | {name: one.dataset for name, one in self._identifiers.items()}, self._format_name)
        for view in self._views:
            entry, notes = build_lineage_entry(view, names, self._list_columns)
            if notes:
                self._seen[view.dataset.name] = msgspec.structs.replace(self._seen[view.dataset.name], tag="")
            self.warnings += notes
            yield entry

    def _build_rights(self, read_rights: Callable[[], RightsReader]) -> Iterator[Item]:
        """Who may read each table, also if no principal may: so it is restated in a reading of some tables, too."""
        tables = [one for name, one in self._identifiers.items() if name in self._seen and not one.is_view]
        try:
            build_facts = read_rights()
        except (InvalidInput, StoreUnavailable) as error:
            self.warnings.append(f"the grants remain as they were, because they cannot be read: {error}")
            yield from (Unchanged((RIGHTS, *one.dataset.parts)) for one in tables)
            return
        for one in tables:
            yield Entry((RIGHTS, *one.dataset.parts), encode_facts(build_facts(one.dataset, one.identifier)))
        self.has_rights = True

    def _format_name(self, parts: Sequence[str]) -> str:
        try:
            return format_table_name(self._kind, parts)
        except InvalidInput:
            return ""

    def _list_columns(self, dataset: AssetKey) -> Sequence[str]:
        """The columns of a dataset as the graph knows them; of a dataset that is new in this reading, as the catalog lists them."""
        listed = self._identifiers.get(dataset.name)
        known = [column.name for column in self._context.columns_of(dataset)]
        if known or listed is None:
            return known
        try:
            loaded = self._catalog.load(listed.identifier, "", is_view=listed.is_view)
        except (Gone, InvalidInput, StoreUnavailable):
            return ()
        return list_column_names(loaded.metadata) if loaded is not None else ()

    def _build_renames(self) -> Iterator[Item]:
        """Renames of tables that have another name than at the last reading. The lasting scopes of the old name are kept."""
        for old in self._memory.list_names():
            before = self._memory.find(old)
            if old in self._seen or before is None or before.gone or before.uuid not in self._new:
                continue
            key = self._new[before.uuid]
            entry = build_rename_entry(self._context.naming.normalise_dataset(self._namespace, old), key, self._now)
            after = self._seen[key.name]
            carried = tuple(one for one in before.lasting if one not in after.lasting)
            lasting = (*after.lasting, *carried, entry.scope)
            self._seen[key.name] = msgspec.structs.replace(after, lasting=lasting, scopes=(*after.scopes, *carried, entry.scope))
            yield entry
            yield from map(Unchanged, carried)

    def _list_catalog(self) -> Iterator[ListedTable | Refusal]:
        """All tables and views. A namespace that cannot be listed is a refusal of all scopes, as it may contain any table. Raises
        StoreUnavailable.
        """
        parents: list[Identifier] = [()]
        known: set[Identifier] = set()
        while parents:
            parent = parents.pop()
            below = self._try_request(parent, self._catalog.list_namespaces)
            if isinstance(below, Refusal):
                yield below
                continue
            new = [one for one in below if one not in known and len(one) <= MAX_DEPTH]
            known.update(new)
            parents += reversed(new)
            if parent:
                yield from self._list_namespace(parent)

    def _list_namespace(self, namespace: Identifier) -> Iterator[ListedTable | Refusal]:
        defaults = self._try_request(namespace, self._catalog.read_defaults)
        if isinstance(defaults, Refusal):  # without the namespace's owner and comment, the tables' content would change
            yield defaults
            return
        names: set[Identifier] = set()
        for is_view, listed in ((False, self._catalog.list_tables), (True, self._catalog.list_views)):
            found = self._try_request(namespace, listed)
            if isinstance(found, Refusal):
                yield found
                continue
            for identifier in found:
                if identifier not in names:
                    names.add(identifier)
                    yield from self._select_table(identifier, defaults, is_view=is_view)

    def _select_table(self, identifier: Identifier, defaults: NamespaceDefaults, *, is_view: bool) -> Iterator[ListedTable | Refusal]:
        try:
            name = format_table_name(self._kind, identifier)
        except InvalidInput as error:
            yield Refusal(error)
            return
        if not self._patterns or any(fnmatchcase(name, pattern) for pattern in self._patterns):
            yield ListedTable(identifier, self._context.naming.normalise_dataset(self._namespace, name), defaults, is_view)

    def _try_request(self, namespace: Identifier, request: Callable[[Identifier], T]) -> T | Refusal:
        try:
            return request(namespace)
        except Gone:
            return Refusal(InvalidInput("the namespace was removed while it was listed", ".".join(namespace)))
        except InvalidInput as error:
            return Refusal(InvalidInput(str(error), ".".join(namespace) or self._namespace))

    def _read_table(self, listed: ListedTable | Refusal) -> Answer | Refusal:
        """The scopes of a listed table or view. Runs in a thread of its own."""
        if isinstance(listed, Refusal):
            return listed
        before = self._memory.find(listed.dataset.name)
        is_known = before is not None and before.defaults == listed.defaults.text and not before.gone
        try:
            loaded = self._catalog.load(listed.identifier, before.tag if before is not None and is_known else "", is_view=listed.is_view)
            if loaded is None:
                return Answer(listed)
            late = not self._memory.is_first and (before is None or before.gone)
            subject = Subject(listed.dataset, listed.defaults, before, late, self._now)
            if isinstance(loaded.metadata, Table):
                return Answer(listed, build_table_scopes(subject, loaded.metadata, loaded.tag, self._context))
            return Answer(listed, build_view_scopes(subject, loaded.metadata, loaded.tag))
        except Gone:
            return Answer(listed, gone=True)
        except InvalidInput as error:
            return Answer(listed, refused=error)


_EXTRAS = {"boto3": "glue", "sqlalchemy": "iceberg"}  # library that pyiceberg uses -> meshline's extra that installs it


def detect_kind(name: str, properties: Properties) -> tuple[str, dict[str, Any]]:
    """(the catalog's type, its properties merged with those of pyiceberg's own configuration). Raises InvalidInput."""
    try:
        merged: dict[str, Any] = dict(merge_config(Config().get_catalog_config(name) or {}, properties))  # type: ignore[arg-type]
        if merged.get("py-catalog-impl"):
            return "custom", merged
        kind = str(merged.get("type") or "").lower()
        if not kind:
            inferred = infer_catalog_type(name, merged)
            kind = inferred.value if inferred is not None else ""
    except ValueError as error:
        raise InvalidInput(f"the type of the catalog is unknown: set properties such as uri and type ({error})", "properties") from None
    return kind, merged


def open_catalog(name: str, kind: str, properties: Properties, merged: Properties, redact: Redaction) -> LibraryCatalog:
    """Connect to a catalog. Raises InvalidInput, StoreUnavailable, MissingExtra."""
    if kind == "rest":
        from meshline.ingest.sources.iceberg.rest_catalog import RestAccess  # noqa: PLC0415 - it costs a second to import

        return RestAccess(name, merged, redact)

    def connect() -> Catalog:
        try:
            return load_catalog(name, **properties)  # type: ignore[arg-type]
        except NotInstalledError as error:
            library = getattr(error.__cause__, "name", None) or ""
            if library not in _EXTRAS:
                raise
            raise MissingExtra(_EXTRAS[library], f"reading a catalog of the type {kind}") from error

    return LibraryCatalog(connect, redact)
