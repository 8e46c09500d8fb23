"""One reading of a catalog: its tables and views -> items, with what is remembered of them until the next reading."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

from meshline.errors import InvalidInput, MissingExtra, StoreUnavailable
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetKey, get_current_micros
from meshline.ingest.sources.base import RIGHTS, Context, Entry, Item, Reading, Refusal, Unchanged
from meshline.ingest.sources.iceberg.facts import NamespaceDefaults
from meshline.ingest.sources.iceberg.parse import Representation, ViewVersion
from meshline.ingest.sources.iceberg.table_scopes import KnownTable, Memory, Subject, build_table_scopes
from meshline.ingest.sources.iceberg.view_lineage import Names, ViewText, build_view_lineage
from meshline.ingest.sources.metastore.catalog_table import (
    CatalogTable,
    Listing,
    RefusedTable,
    TableRights,
    build_content,
    build_counts_content,
)
from meshline.ingest.sources.metastore.table_storage import TableStorage, read_stored_columns

PARSER = 1  # the version of this code: raised when the same table gives other content than before
TABLE, COUNTS, LINEAGE = "table", "counts", "lineage"
MAX_NAME = 1_000  # characters
MAX_PROBLEMS = 20  # tables with grants that cannot be read that are named

NameFormat = Callable[[Sequence[str]], str]  # the name of a dataset, from the parts of a table's name


class CatalogIdentity(NamedTuple):
    """What names the tables of a catalog. `kind`, `title`: of the source: `hive`, `Hive`. `namespace`: of its datasets."""

    kind: str
    title: str
    namespace: str
    format_name: NameFormat = ".".join


class Selection:
    """The tables that a source reads: all, or those whose dataset's name matches a pattern."""

    def __init__(self, identity: CatalogIdentity, patterns: Sequence[str]) -> None:
        self._identity = identity
        self.patterns = patterns

    def includes(self, identifier: Sequence[str]) -> bool:
        """Whether a table is read; patterns fit `schema.table` or the dataset's name."""
        names = (".".join(identifier), self._identity.format_name(identifier))
        return not self.patterns or any(fnmatchcase(name, pattern) for pattern in self.patterns for name in names)


class CatalogReader:
    """One reading. `listing`: the tables of the catalog. `read_items` can be iterated once; `remember` returns the memory after that."""

    def __init__(self, identity: CatalogIdentity, listing: Listing, selection: Selection, storage: TableStorage, context: Context) -> None:
        self._identity = identity
        self._listing = listing
        self._storage = storage
        self._context = context
        self._memory = Memory(context.memory, _compute_rules_digest(context, identity))
        self._now = get_current_micros()
        self._whole = not selection.patterns  # whether everything in the catalog was listed
        self._patterns = selection.patterns
        self._seen: dict[str, KnownTable] = {}
        self._datasets: dict[str, AssetKey] = {}
        self._columns: dict[str, tuple[str, ...]] = {}  # of tables that were read again
        self._views: list[tuple[ViewText, int | None]] = []
        self.warnings: list[str] = []
        self._has_rights: bool | None = None  # whether the rights of all tables were read; None: the listing has none
        self._problems = 0  # tables of which the grants could not be read

    def build_reading(self, source: str) -> Reading:
        """The reading of the source of this name."""
        reading = Reading(source, self.read_items(), complete=self._whole, atomic=False, warnings=self.warnings, remember=self.remember)
        return reading._replace(has_read_rights=lambda: self._has_rights is True)

    def remember(self) -> Mapping[str, str]:
        return self._memory.build_next(self._seen, complete=self._whole)

    def read_items(self) -> Iterator[Item]:
        try:
            for one in self._listing:
                yield from self._handle_listed(one)
        except StoreUnavailable as error:
            self._whole = False
            place = self._identity.namespace
            yield Refusal(InvalidInput(f"{error}; {len(self._seen)} tables and views were read, the others remain as they were", place))
        if self._problems > MAX_PROBLEMS:
            self.warnings.append(f"the grants of {self._problems - MAX_PROBLEMS} more tables remain as they were")
        yield from self._build_lineage()

    def _handle_listed(self, one: CatalogTable | RefusedTable | TableRights | Refusal) -> Iterator[Item]:
        if isinstance(one, Refusal):
            self._whole = False
            yield one
            return
        name = self._identity.format_name(one.identifier)
        if len(name) > MAX_NAME or not all(one.identifier):
            yield Refusal(InvalidInput(f"a name must have 1 to {MAX_NAME} characters", name[:100]))
            return
        dataset = self._context.naming.normalise_dataset(self._identity.namespace, name)
        if isinstance(one, TableRights):
            yield self._build_rights(dataset, one)
            return
        self._datasets[dataset.name] = dataset
        if isinstance(one, RefusedTable):
            yield from self._refuse(dataset, one.error)
            return
        try:
            yield from self._read_table(dataset, one)
        except InvalidInput as error:
            yield from self._refuse(dataset, error)

    def _build_rights(self, dataset: AssetKey, rights: TableRights) -> Item:
        """The scope with who may read a table, also if no principal may: so it is restated in a reading of some tables, too."""
        scope = (RIGHTS, *dataset.parts)
        if rights.build_facts is not None:
            self._has_rights = self._has_rights is not False
            return Entry(scope, encode_facts(rights.build_facts(dataset)))
        self._has_rights = False
        self._problems += bool(rights.problem)
        if rights.problem and self._problems <= MAX_PROBLEMS:
            self.warnings.append(f"{dataset.name}: its grants remain as they were, because {rights.problem}")
        return Unchanged(scope)

    def _refuse(self, dataset: AssetKey, error: InvalidInput) -> Iterator[Item]:
        yield Refusal(error if error.where else InvalidInput(str(error), dataset.name), self._build_scope(dataset))
        if (before := self._memory.find(dataset.name)) is not None:
            self._seen[dataset.name] = msgspec.structs.replace(before, tag="")
            yield from map(Unchanged, before.scopes)

    def _read_table(self, dataset: AssetKey, table: CatalogTable) -> Iterator[Item]:
        table, problem = read_stored_columns(table, self._storage)
        before = self._memory.find(dataset.name)
        if before is not None and not before.gone and before.tag == table.digest:
            self._seen[dataset.name] = before
            yield from map(Unchanged, before.scopes)
            return
        if table.metadata_location:
            items, problem = self._read_iceberg(dataset, table, before)
            if items is not None:
                yield from items
                return
        if problem:
            self.warnings.append(f"{dataset.name}: {problem}")
        yield from self._build_items(dataset, table, "" if problem else table.digest)

    def _read_iceberg(self, dataset: AssetKey, table: CatalogTable, before: KnownTable | None) -> tuple[list[Item] | None, str]:
        """The items of an Iceberg table by its own metadata; None if these cannot be read, with the reason in words."""
        try:
            metadata = self._storage.read_iceberg(table.metadata_location)
        except (InvalidInput, MissingExtra) as error:
            if before is not None and before.uuid and not before.gone:
                self._seen[dataset.name] = msgspec.structs.replace(before, tag="")
                self.warnings.append(f"{dataset.name}: it remains as it was, because {error}")
                return [Unchanged(scope) for scope in before.scopes], ""
            return None, f"it is as the catalog lists it, without its history, because {error}"
        defaults = NamespaceDefaults(table.owner or table.defaults.owner, table.defaults.comment)
        late = not self._memory.is_first and (before is None or before.gone)
        scopes = build_table_scopes(Subject(dataset, defaults, before, late, self._now), metadata, table.digest, self._context)
        self._seen[dataset.name] = scopes.known
        self._columns[dataset.name] = tuple(one.path for one in table.columns)
        return list(scopes.items), ""

    def _build_items(self, dataset: AssetKey, table: CatalogTable, tag: str) -> Iterator[Item]:
        scope, identity = self._build_scope(dataset), self._identity
        time = None if table.changed is None else min(table.changed, self._now)
        scopes = [(*scope, TABLE)]
        yield Entry(scopes[0], build_content(dataset, table, identity.kind, identity.title, self._context), time)
        if table.counts:
            scopes.append((*scope, COUNTS))
            yield Entry(scopes[1], build_counts_content(dataset, table.counts), time)
        self._columns[dataset.name] = names = tuple(one.path for one in table.columns)
        if table.view is not None:
            scopes.append((*scope, LINEAGE))
            view = table.view
            version = ViewVersion(0, 0, 0, (Representation(view.sql, view.dialect),), view.default_catalog, view.default_namespace)
            own = tuple(name for name in names if "." not in name)
            self._views.append((ViewText(dataset, version, own, time or self._now), time))
        self._seen[dataset.name] = KnownTable("", tag, scopes=tuple(scopes))

    def _build_lineage(self) -> Iterator[Item]:
        """The lineage of the views, once all tables are known. A view whose lineage is incomplete is read again the next time."""
        if not self._views:
            return
        known = {key.name: key for key in self._context.datasets_in(self._identity.namespace)} if self._patterns else {}
        names: dict[str | None, Names] = {}
        for view, time in self._views:
            prefix = view.version.default_namespace[0] if len(view.version.default_namespace) > 1 else None
            if prefix not in names:
                names[prefix] = Names(known | self._datasets, self._complete_name(prefix))
            found = build_view_lineage(view, names[prefix], self._list_columns)
            if found.notes:
                self._seen[view.dataset.name] = msgspec.structs.replace(self._seen[view.dataset.name], tag="")
            self.warnings += [f"view {view.dataset.name}: {note}" for note in found.notes]
            yield Entry((*self._build_scope(view.dataset), LINEAGE), found.content, time)

    def _complete_name(self, first: str | None) -> NameFormat:
        """Names of two parts begin with `first` where the catalog's have three."""
        format_name = self._identity.format_name
        return lambda parts: format_name((first, *parts) if first is not None and len(parts) == 2 else parts)

    def _list_columns(self, dataset: AssetKey) -> Sequence[str]:
        """The columns of a dataset as this reading lists them, else as the graph knows them."""
        return self._columns.get(dataset.name) or [column.name for column in self._context.columns_of(dataset)]

    def _build_scope(self, dataset: AssetKey) -> tuple[str, ...]:
        return (self._identity.kind, *dataset.parts)


def _compute_rules_digest(context: Context, identity: CatalogIdentity) -> str:
    """The digest of everything besides the tables that the content depends on."""
    parts = msgspec.json.encode([PARSER, identity.kind, identity.namespace, context.naming.digest])
    return hashlib.blake2b(parts, digest_size=16).hexdigest()
