"""One table or view -> its scopes with their times, and what is kept of it from one reading to the next (`Context.memory`)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.graph import model
from meshline.graph.content import encode
from meshline.graph.model import AssetFact, AssetKey, Content, EdgeFact, EdgeType, Facts, Scope
from meshline.ingest.sources.base import Context, Entry, Unchanged
from meshline.ingest.sources.iceberg.facts import (
    Around,
    Began,
    Move,
    column_moves,
    columns_content,
    micros_until,
    physical_key,
    schema_starts,
    schemas_by_id,
    snapshot_content,
    table_content,
    view_content,
    view_versions,
)
from meshline.ingest.sources.iceberg.parse import Schema, Snapshot, Table, View, columns
from meshline.ingest.sources.iceberg.view_lineage import Names, ViewText, view_lineage

PARSER = 2  # counts up when the same metadata says something else than before
MAX_GONE = 10_000  # tables that are not there any more, of which the identity is kept
_RULES = ""  # the key under which the rules are kept; names of tables are not empty


class Remembered(msgspec.Struct, frozen=True, array_like=True):
    """`tag`: the ETag, else the place of the metadata; empty if it must be read again. `around`: what the namespace
    said for it. `schemas`: when they began. `scopes`: all that were said of it, `lasting` of them for ever.
    `snapshot`: the time of the newest that was said; `updated`: that of its last commit, in microseconds. `gone`: it was
    not listed any more.
    """

    uuid: str
    tag: str = ""
    around: str = ""
    schemas: tuple[Began, ...] = ()
    scopes: tuple[Scope, ...] = ()
    lasting: tuple[Scope, ...] = ()
    snapshot: int = 0
    updated: int = 0
    gone: bool = False


class Memory:
    """The memory of the last reading, by names of datasets."""

    def __init__(self, kept: Mapping[str, str], rules: str) -> None:
        """`rules`: a digest of all that the same metadata is read by; what was read by others is read again."""
        self._kept = kept
        self._rules = rules
        self._valid = kept.get(_RULES) == rules
        self._read: dict[str, Remembered | None] = {}

    @property
    def is_first(self) -> bool:
        return not self._kept

    def of(self, name: str) -> Remembered | None:
        if name not in self._read:
            self._read[name] = self._of(name)
        return self._read[name]

    def _of(self, name: str) -> Remembered | None:
        kept = self._kept.get(name)
        if kept is None or name == _RULES:
            return None
        try:
            found = _decoder.decode(kept)
        except msgspec.MsgspecError:
            return None
        return found if self._valid else msgspec.structs.replace(found, tag="")

    def names(self) -> list[str]:
        return [name for name in self._kept if name != _RULES]

    def next(self, seen: Mapping[str, Remembered], *, complete: bool) -> dict[str, str]:
        """What to keep now. `complete`: what was not seen is gone."""
        result = {_RULES: self._rules} | {name: _encoded(one) for name, one in seen.items()}
        missing = {name: one for name in self.names() if name not in seen and (one := self.of(name)) is not None}
        if complete:
            gone = [(name, Remembered(one.uuid, gone=True)) for name, one in missing.items()]
            return result | {name: _encoded(one) for name, one in gone[:MAX_GONE]}
        return result | {name: _encoded(one) for name, one in missing.items()}


def rules(context: Context, namespace: str) -> str:
    said = msgspec.json.encode([PARSER, namespace, context.naming.digest])
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def _encoded(one: Remembered) -> str:
    return _encoder.encode(one).decode()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Remembered)


MAX_SNAPSHOTS = 100  # of a table that are told as its past, the newest

COLUMNS, TABLE, SNAPSHOT, LINEAGE = "columns", "table", "snapshot", "lineage"
DATASET_DROPPED, DATASET_RENAMED = "dataset-dropped", "dataset-renamed"
COLUMN_DROPPED, COLUMN_RENAMED = "column-dropped", "column-renamed"

Said: TypeAlias = Entry | Unchanged
Past: TypeAlias = Sequence[tuple[int, Content]]


class Subject(NamedTuple):
    """A table or view that is told of. `before`: what was remembered of the name. `late`: it comes after others of its
    source, so that what it says counts from `now`; its own times are its past.
    """

    dataset: AssetKey
    around: Around
    before: Remembered | None
    late: bool
    now: int

    def same(self, uuid: str) -> Remembered | None:
        """What was remembered, if it is of what has the name now."""
        return self.before if self.before is not None and self.before.uuid == uuid and not self.before.gone else None


class Told(NamedTuple):
    """`view`: the text of a view, of which the lineage is still to be told."""

    said: list[Said]
    remembered: Remembered
    view: ViewText | None = None


def scope(dataset: AssetKey, part: str = "") -> Scope:
    """A scope of a dataset; without `part` the beginning of all that say what is."""
    return ("iceberg", *dataset.parts, part) if part else ("iceberg", *dataset.parts)


def told_of_table(of: Subject, table: Table, tag: str, context: Context) -> Told:
    """Raises InvalidInput if its schemas are too large."""
    same = of.same(table.table_uuid)
    schemas = schemas_by_id(table)
    began = schema_starts(table, of.now, same.schemas if same else ())
    new = began[len(same.schemas) :] if same else began
    updated = micros_until(table.last_updated_ms, of.now)
    made = began[0][1] if began else updated
    since = of.now if same and same.updated == updated else updated  # then it was not the table that changed
    other = physical_key(table, context)
    names = [of.dataset] if other is None or other == of.dataset else [of.dataset, other]

    said, lasting = _lasting(of, [*_made_anew(of, names, table.table_uuid, made), *_moved(names, schemas, began, len(new))])
    if (current := schemas.get(table.current_schema_id)) is not None:
        contents = {id_: columns_content(of.dataset, schemas[id_], table.table_uuid) for id_ in {id_ for id_, _ in new if id_ in schemas}}
        past = [(time, contents[id_]) for id_, time in new if id_ in contents]
        now = contents.get(table.current_schema_id) or columns_content(of.dataset, current, table.table_uuid)
        said.append(_entry(of, COLUMNS, now, past, since))
    content = table_content(of.dataset, table, of.around, context)
    said.append(_entry(of, TABLE, content, () if same else ((made, content),), since))
    snapshots = [(time, snapshot_content(of.dataset, one)) for time, one in _snapshots(table, same.snapshot if same else 0, of.now)]
    if snapshots:
        said.append(_entry(of, SNAPSHOT, snapshots[-1][1], snapshots, since))
    elif same and scope(of.dataset, SNAPSHOT) in same.scopes:
        said.append(Unchanged(scope(of.dataset, SNAPSHOT)))
    newest = snapshots[-1][0] if snapshots else same.snapshot if same else 0
    return _told(of, said, Remembered(table.table_uuid, tag, schemas=tuple(began), lasting=lasting, snapshot=newest, updated=updated))


def told_of_view(of: Subject, view: View, tag: str) -> Told:
    """Raises InvalidInput if its schemas are too large, or if it has no version."""
    same = of.same(view.view_uuid)
    schemas = {schema.schema_id: schema for schema in view.schemas}
    versions = view_versions(view, of.now)
    known = same.schemas if same else ()
    new = [one for one in versions if (one[1].version_id, one[0]) not in known]
    said, lasting = _lasting(of, _made_anew(of, [of.dataset], view.view_uuid, versions[0][0]))
    version = versions[-1][1]
    if (current := schemas.get(version.schema_id)) is not None:
        past = [
            (time, columns_content(of.dataset, schemas[one.schema_id], view.view_uuid)) for time, one in new if one.schema_id in schemas
        ]
        said.append(_entry(of, COLUMNS, columns_content(of.dataset, current, view.view_uuid), past, of.now))
    past = [(time, view_content(of.dataset, view, one, of.around)) for time, one in new]
    said.append(_entry(of, TABLE, view_content(of.dataset, view, version, of.around), past, of.now))
    began = tuple((one.version_id, time) for time, one in versions)
    names = tuple(field.name for field in current.fields) if current is not None else ()
    text = ViewText(of.dataset, version, names, of.now if of.late else versions[-1][0])
    told = _told(of, said, Remembered(view.view_uuid, tag, schemas=began, lasting=lasting))
    scopes = (*told.remembered.scopes, scope(of.dataset, LINEAGE))
    return told._replace(remembered=msgspec.structs.replace(told.remembered, scopes=scopes), view=text)


def column_names(metadata: Table | View) -> tuple[str, ...]:
    """The columns of a table or view as they are now, with nested ones."""
    if isinstance(metadata, Table):
        schema = schemas_by_id(metadata).get(metadata.current_schema_id)
    else:
        current = next((one for one in metadata.versions if one.version_id == metadata.current_version_id), None)
        schema = next((one for one in metadata.schemas if current is not None and one.schema_id == current.schema_id), None)
    return tuple(column.path for column in columns(schema)) if schema is not None else ()


def lineage_entry(view: ViewText, names: Names, columns: Callable[[AssetKey], Sequence[str]]) -> tuple[Entry, tuple[str, ...]]:
    """What a view comes from, and warnings of what of it could not be told."""
    found = view_lineage(view, names, columns)
    return Entry(scope(view.dataset, LINEAGE), found.content, view.time), tuple(f"view {view.dataset.name}: {note}" for note in found.notes)


def renamed(old: AssetKey, new: AssetKey, now: int) -> Entry:
    """A table that has another name and the same identity; the catalog does not say since when."""
    facts = Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, old, new),))
    return Entry((DATASET_RENAMED, *new.parts, *old.parts, str(now)), encode(facts), now)


def _told(of: Subject, said: list[Said], remembered: Remembered) -> Told:
    return Told(said, msgspec.structs.replace(remembered, around=of.around.text, scopes=tuple(one.scope for one in said)))


def _entry(of: Subject, part: str, content: Content, past: Past, since: int) -> Entry:
    """`past` may end with the present: then that began when its last stretch did, else `since`."""
    stretches = [one for i, one in enumerate(past) if i == 0 or past[i - 1][1].digest != one[1].digest]
    if of.late:
        return Entry(scope(of.dataset, part), content, of.now, tuple(stretches))
    if stretches and stretches[-1][1].digest == content.digest:
        return Entry(scope(of.dataset, part), content, stretches[-1][0], tuple(stretches[:-1]))
    return Entry(scope(of.dataset, part), content, since, tuple(stretches))


def _lasting(of: Subject, entries: Iterable[Entry]) -> tuple[list[Said], tuple[Scope, ...]]:
    """What was said for ever, here or before, and the scopes of all that."""
    before = of.before.lasting if of.before is not None else ()
    new = {one.scope: one for one in entries if one.scope not in before}
    return [*map(Unchanged, before), *new.values()], (*before, *new)


def _made_anew(of: Subject, names: Sequence[AssetKey], uuid: str, made: int) -> list[Entry]:
    """What was said of another table that had the name is not of this one."""
    if of.before is None or of.before.uuid in {"", uuid} or not uuid:
        return []
    time = made - 1  # a drop takes all up to its time
    return [
        Entry((DATASET_DROPPED, *name.parts, uuid), encode(Facts(assets=(AssetFact(name, {"dropped": True}),))), time) for name in names
    ]


def _moved(names: Sequence[AssetKey], schemas: dict[int, Schema], began: Sequence[Began], new: int) -> list[Entry]:
    """Renames and drops of columns with the last `new` schemas, under every name of the table."""
    moves: list[Move] = []
    for i in range(max(len(began) - new, 1), len(began)):
        before, after = schemas.get(began[i - 1][0]), schemas.get(began[i][0])
        if before is not None and after is not None:
            moves += column_moves(before, after, began[i][1])
    return [_move(name, move) for move in moves for name in names]


def _move(dataset: AssetKey, move: Move) -> Entry:
    old = model.build_column_key(dataset, move.old)
    if not move.new:
        dropped = Facts(assets=(AssetFact(old, {"dropped": True}),))
        return Entry((COLUMN_DROPPED, *dataset.parts, move.old, str(move.time)), encode(dropped), move.time)
    facts = Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, old, model.build_column_key(dataset, move.new)),))
    return Entry((COLUMN_RENAMED, *dataset.parts, move.old, move.new, str(move.time)), encode(facts), move.time)


def _snapshots(table: Table, after: int, now: int) -> list[tuple[int, Snapshot]]:
    """The newest of those that were the current one since a time later than `after`, with growing times."""
    by_id = {one.snapshot_id: one for one in table.snapshots or ()}
    log = [(change.timestamp_ms, by_id[change.snapshot_id]) for change in table.snapshot_log or () if change.snapshot_id in by_id]
    current = {micros_until(milliseconds, now): one for milliseconds, one in log}
    return sorted(((time, one) for time, one in current.items() if time > after), key=lambda one: one[0])[-MAX_SNAPSHOTS:]
