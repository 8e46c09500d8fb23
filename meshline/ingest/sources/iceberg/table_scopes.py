"""Metadata of a table or view -> its scopes with their times, and what is remembered of it until the next reading (`Context.memory`)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetFact, AssetKey, Content, EdgeFact, EdgeType, Facts, Scope
from meshline.ingest.sources.base import Context, Entry, Unchanged
from meshline.ingest.sources.iceberg.facts import (
    ColumnMove,
    NamespaceDefaults,
    SchemaStart,
    build_columns_content,
    build_physical_key,
    build_snapshot_content,
    build_table_content,
    build_view_content,
    compute_schema_starts,
    find_column_moves,
    index_schemas,
    limit_micros,
    list_view_versions,
)
from meshline.ingest.sources.iceberg.parse import Schema, Snapshot, Table, View, list_columns
from meshline.ingest.sources.iceberg.view_lineage import Names, ViewText, build_view_lineage

PARSER = 2  # the version of this code: raised when the same metadata gives other content than before
MAX_GONE = 10_000  # tables that do not exist any more whose identity is remembered
_RULES = ""  # the key of the rules' digest in the memory; names of tables are not empty


class KnownTable(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of a table or view. `tag`: the ETag, else the location of the metadata; empty if it must be read again.
    `defaults`: the owner and comment of its namespace. `schemas`: their starts. `scopes`: all scopes that were stated of it;
    those in `lasting` are never retracted. `snapshot`: the time of the newest snapshot that was ingested; `updated`: the
    time of the last commit, both in microseconds since the epoch. `gone`: it was not listed any more.
    """

    uuid: str
    tag: str = ""
    defaults: str = ""
    schemas: tuple[SchemaStart, ...] = ()
    scopes: tuple[Scope, ...] = ()
    lasting: tuple[Scope, ...] = ()
    snapshot: int = 0
    updated: int = 0
    gone: bool = False


class Memory:
    """The memory of the last reading, by the names of datasets."""

    def __init__(self, kept: Mapping[str, str], rules: str) -> None:
        """`rules`: a digest of everything else that the content depends on; tables that were read by other rules are read again."""
        self._kept = kept
        self._rules = rules
        self._valid = kept.get(_RULES) == rules
        self._read: dict[str, KnownTable | None] = {}

    @property
    def is_first(self) -> bool:
        """Whether the source was never read before."""
        return not self._kept

    def find(self, name: str) -> KnownTable | None:
        """What is remembered of a dataset; None if nothing is, or if it cannot be decoded."""
        if name not in self._read:
            self._read[name] = self._decode(name)
        return self._read[name]

    def _decode(self, name: str) -> KnownTable | None:
        kept = self._kept.get(name)
        if kept is None or name == _RULES:
            return None
        try:
            found = _decoder.decode(kept)
        except msgspec.MsgspecError:
            return None
        return found if self._valid else msgspec.structs.replace(found, tag="")

    def list_names(self) -> list[str]:
        """The names of all remembered datasets."""
        return [name for name in self._kept if name != _RULES]

    def build_next(self, seen: Mapping[str, KnownTable], *, complete: bool) -> dict[str, str]:
        """The memory for the next reading. `complete`: tables that were not seen are gone."""
        result = {_RULES: self._rules} | {name: _encode(one) for name, one in seen.items()}
        missing = {name: one for name in self.list_names() if name not in seen and (one := self.find(name)) is not None}
        if complete:
            gone = [(name, KnownTable(one.uuid, gone=True)) for name, one in missing.items()]
            return result | {name: _encode(one) for name, one in gone[:MAX_GONE]}
        return result | {name: _encode(one) for name, one in missing.items()}


def compute_rules_digest(context: Context, namespace: str) -> str:
    """The digest of everything besides the metadata that the content depends on."""
    parts = msgspec.json.encode([PARSER, namespace, context.naming.digest])
    return hashlib.blake2b(parts, digest_size=16).hexdigest()


def _encode(one: KnownTable) -> str:
    return _encoder.encode(one).decode()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(KnownTable)


MAX_SNAPSHOTS = 100  # the newest snapshots of a table that are ingested as its past

COLUMNS, TABLE, SNAPSHOT, LINEAGE = "columns", "table", "snapshot", "lineage"
DATASET_DROPPED, DATASET_RENAMED = "dataset-dropped", "dataset-renamed"
COLUMN_DROPPED, COLUMN_RENAMED = "column-dropped", "column-renamed"

ScopeItem: TypeAlias = Entry | Unchanged
Past: TypeAlias = Sequence[tuple[int, Content]]


class Subject(NamedTuple):
    """A table or view whose scopes are built. `before`: what is remembered of its name. `late`: it is new in a source that was
    read before, so that its statements take effect from `now`, and its own earlier times are its past.
    """

    dataset: AssetKey
    defaults: NamespaceDefaults
    before: KnownTable | None
    late: bool
    now: int

    def find_same(self, uuid: str) -> KnownTable | None:
        """What is remembered of the table, if the name still belongs to the same table."""
        return self.before if self.before is not None and self.before.uuid == uuid and not self.before.gone else None


class TableScopes(NamedTuple):
    """The scopes of a table or view, and what to remember of it. `view`: the text of a view whose lineage is still to be built."""

    items: list[ScopeItem]
    known: KnownTable
    view: ViewText | None = None


def build_scope(dataset: AssetKey, part: str = "") -> Scope:
    """A scope of a dataset; without `part` the common beginning of its scopes that are not lasting."""
    return ("iceberg", *dataset.parts, part) if part else ("iceberg", *dataset.parts)


def build_table_scopes(of: Subject, table: Table, tag: str, context: Context) -> TableScopes:
    """The scopes of a table. Raises InvalidInput if its schemas are too large."""
    same = of.find_same(table.table_uuid)
    schemas = index_schemas(table)
    began = compute_schema_starts(table, of.now, same.schemas if same else ())
    new = began[len(same.schemas) :] if same else began
    updated = limit_micros(table.last_updated_ms, of.now)
    made = began[0][1] if began else updated
    since = of.now if same and same.updated == updated else updated  # then the table itself did not change
    other = build_physical_key(table, context)
    names = [of.dataset] if other is None or other == of.dataset else [of.dataset, other]

    items, lasting = _merge_lasting(
        of, [*_build_drop_entries(of, names, table.table_uuid, made), *_build_move_entries(names, schemas, began, len(new))]
    )
    if (current := schemas.get(table.current_schema_id)) is not None:
        contents = {
            id_: build_columns_content(of.dataset, schemas[id_], table.table_uuid) for id_ in {id_ for id_, _ in new if id_ in schemas}
        }
        past = [(time, contents[id_]) for id_, time in new if id_ in contents]
        now = contents.get(table.current_schema_id) or build_columns_content(of.dataset, current, table.table_uuid)
        items.append(_build_entry(of, COLUMNS, now, past, since))
    content = build_table_content(of.dataset, table, of.defaults, context)
    items.append(_build_entry(of, TABLE, content, () if same else ((made, content),), since))
    snapshots = [
        (time, build_snapshot_content(of.dataset, one)) for time, one in _list_snapshots(table, same.snapshot if same else 0, of.now)
    ]
    if snapshots:
        items.append(_build_entry(of, SNAPSHOT, snapshots[-1][1], snapshots, since))
    elif same and build_scope(of.dataset, SNAPSHOT) in same.scopes:
        items.append(Unchanged(build_scope(of.dataset, SNAPSHOT)))
    newest = snapshots[-1][0] if snapshots else same.snapshot if same else 0
    return _finish_scopes(
        of, items, KnownTable(table.table_uuid, tag, schemas=tuple(began), lasting=lasting, snapshot=newest, updated=updated)
    )


def build_view_scopes(of: Subject, view: View, tag: str) -> TableScopes:
    """The scopes of a view. Raises InvalidInput if its schemas are too large, or if it has no version."""
    same = of.find_same(view.view_uuid)
    schemas = {schema.schema_id: schema for schema in view.schemas}
    versions = list_view_versions(view, of.now)
    known = same.schemas if same else ()
    new = [one for one in versions if (one[1].version_id, one[0]) not in known]
    items, lasting = _merge_lasting(of, _build_drop_entries(of, [of.dataset], view.view_uuid, versions[0][0]))
    version = versions[-1][1]
    if (current := schemas.get(version.schema_id)) is not None:
        past = [
            (time, build_columns_content(of.dataset, schemas[one.schema_id], view.view_uuid))
            for time, one in new
            if one.schema_id in schemas
        ]
        items.append(_build_entry(of, COLUMNS, build_columns_content(of.dataset, current, view.view_uuid), past, of.now))
    past = [(time, build_view_content(of.dataset, view, one, of.defaults)) for time, one in new]
    items.append(_build_entry(of, TABLE, build_view_content(of.dataset, view, version, of.defaults), past, of.now))
    began = tuple((one.version_id, time) for time, one in versions)
    names = tuple(field.name for field in current.fields) if current is not None else ()
    text = ViewText(of.dataset, version, names, of.now if of.late else versions[-1][0])
    result = _finish_scopes(of, items, KnownTable(view.view_uuid, tag, schemas=began, lasting=lasting))
    scopes = (*result.known.scopes, build_scope(of.dataset, LINEAGE))
    return result._replace(known=msgspec.structs.replace(result.known, scopes=scopes), view=text)


def list_column_names(metadata: Table | View) -> tuple[str, ...]:
    """The columns of a table or view as they are now, with nested ones."""
    if isinstance(metadata, Table):
        schema = index_schemas(metadata).get(metadata.current_schema_id)
    else:
        current = next((one for one in metadata.versions if one.version_id == metadata.current_version_id), None)
        schema = next((one for one in metadata.schemas if current is not None and one.schema_id == current.schema_id), None)
    return tuple(column.path for column in list_columns(schema)) if schema is not None else ()


def build_lineage_entry(view: ViewText, names: Names, columns: Callable[[AssetKey], Sequence[str]]) -> tuple[Entry, tuple[str, ...]]:
    """The lineage of a view, and warnings about the parts that could not be resolved."""
    found = build_view_lineage(view, names, columns)
    return Entry(build_scope(view.dataset, LINEAGE), found.content, view.time), tuple(
        f"view {view.dataset.name}: {note}" for note in found.notes
    )


def build_rename_entry(old: AssetKey, new: AssetKey, now: int) -> Entry:
    """The rename of a table, which has the same identity under another name. The catalog does not state the time, so it is `now`."""
    facts = Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, old, new),))
    return Entry((DATASET_RENAMED, *new.parts, *old.parts, str(now)), encode_facts(facts), now)


def _finish_scopes(of: Subject, items: list[ScopeItem], known: KnownTable) -> TableScopes:
    return TableScopes(items, msgspec.structs.replace(known, defaults=of.defaults.text, scopes=tuple(one.scope for one in items)))


def _build_entry(of: Subject, part: str, content: Content, past: Past, since: int) -> Entry:
    """An entry. If `past` ends with the current content, that began with its last interval, else at `since`."""
    stretches = [one for i, one in enumerate(past) if i == 0 or past[i - 1][1].digest != one[1].digest]
    if of.late:
        return Entry(build_scope(of.dataset, part), content, of.now, tuple(stretches))
    if stretches and stretches[-1][1].digest == content.digest:
        return Entry(build_scope(of.dataset, part), content, stretches[-1][0], tuple(stretches[:-1]))
    return Entry(build_scope(of.dataset, part), content, since, tuple(stretches))


def _merge_lasting(of: Subject, entries: Iterable[Entry]) -> tuple[list[ScopeItem], tuple[Scope, ...]]:
    """The items of all lasting scopes, new and earlier ones, and these scopes."""
    before = of.before.lasting if of.before is not None else ()
    new = {one.scope: one for one in entries if one.scope not in before}
    return [*map(Unchanged, before), *new.values()], (*before, *new)


def _build_drop_entries(of: Subject, names: Sequence[AssetKey], uuid: str, made: int) -> list[Entry]:
    """Drops of another table that had the same name before, so that its statements do not apply to this table."""
    if of.before is None or of.before.uuid in {"", uuid} or not uuid:
        return []
    time = made - 1  # a drop applies up to its time, inclusive
    return [
        Entry((DATASET_DROPPED, *name.parts, uuid), encode_facts(Facts(assets=(AssetFact(name, {"dropped": True}),))), time)
        for name in names
    ]


def _build_move_entries(names: Sequence[AssetKey], schemas: dict[int, Schema], began: Sequence[SchemaStart], new: int) -> list[Entry]:
    """Renames and drops of columns in the last `new` schemas, under every name of the table."""
    moves: list[ColumnMove] = []
    for i in range(max(len(began) - new, 1), len(began)):
        before, after = schemas.get(began[i - 1][0]), schemas.get(began[i][0])
        if before is not None and after is not None:
            moves += find_column_moves(before, after, began[i][1])
    return [_build_move_entry(name, move) for move in moves for name in names]


def _build_move_entry(dataset: AssetKey, move: ColumnMove) -> Entry:
    old = model.build_column_key(dataset, move.old)
    if not move.new:
        dropped = Facts(assets=(AssetFact(old, {"dropped": True}),))
        return Entry((COLUMN_DROPPED, *dataset.parts, move.old, str(move.time)), encode_facts(dropped), move.time)
    facts = Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, old, model.build_column_key(dataset, move.new)),))
    return Entry((COLUMN_RENAMED, *dataset.parts, move.old, move.new, str(move.time)), encode_facts(facts), move.time)


def _list_snapshots(table: Table, after: int, now: int) -> list[tuple[int, Snapshot]]:
    """(time, snapshot) of the newest snapshots that became current later than `after`, with growing times (microseconds)."""
    by_id = {one.snapshot_id: one for one in table.snapshots or ()}
    log = [(change.timestamp_ms, by_id[change.snapshot_id]) for change in table.snapshot_log or () if change.snapshot_id in by_id]
    current = {limit_micros(milliseconds, now): one for milliseconds, one in log}
    return sorted(((time, one) for time, one in current.items() if time > after), key=lambda one: one[0])[-MAX_SNAPSHOTS:]
