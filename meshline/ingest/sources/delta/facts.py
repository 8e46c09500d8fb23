"""Locates Delta tables, and builds facts from their versions. A table without a new version is not read again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import msgspec
from deltalake import DeltaTable

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json, Scope, drop_empty_attributes
from meshline.ingest.sources.base import Context, Entry, Item, Refusal, Unchanged
from meshline.ingest.sources.delta.log import Version, Write, open_table, read_history
from meshline.ingest.sources.delta.parse import COMMENT, DEFAULT, GENERATED, Column, ColumnMove, find_column_moves
from meshline.ingest.sources.table_properties import build_product_facts, select_properties

SNAPSHOT = "snapshot"
_CONSTRAINT = "delta.constraints."


def build_table_facts(key: AssetKey, location: str, version: Version) -> Facts:
    """The table, its columns and their constraints, and the owners and products that its properties name."""
    assets = [
        AssetFact(key, _build_table_attributes(location, version)),
        *(AssetFact(model.build_column_key(key, one.path), _build_column_attributes(one)) for one in version.columns),
    ]
    edges = [
        EdgeFact(EdgeType.HAS_COLUMN, key, model.build_column_key(key, one.path), {"position": one.position}) for one in version.columns
    ]
    for facts in build_product_facts(version.properties, key, ("delta", "Delta Lake table")):
        assets += facts.assets
        edges += facts.edges
    return Facts(assets=tuple(assets), edges=tuple(edges))


def build_write_entry(key: AssetKey, written: Write) -> Entry:
    """The newest version that wrote data, which shows how fresh the table is."""
    attributes: dict[str, Json] = {
        "snapshot_id": str(written.version),
        "snapshot_at": written.time // 1000,
        "snapshot_operation": written.operation,
    }
    return Entry((*build_scope(key), SNAPSHOT), encode_facts(Facts(assets=(AssetFact(key, attributes),))), written.time)


def build_scope(key: AssetKey) -> Scope:
    """The scope of a table's attributes, which is also the beginning of its scopes that are not lasting."""
    return ("table", *key.parts)


def build_move_entry(key: AssetKey, move: ColumnMove, time: int) -> Entry:
    """A rename or drop of a column, in a scope of its own that is never replaced. `time`: of the commit, in microseconds."""
    old = model.build_column_key(key, move.old)
    if move.new:
        scope: Scope = ("column-renamed", *key.parts, move.old, move.new, str(time))
        facts = Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, old, model.build_column_key(key, move.new)),))
        return Entry(scope, encode_facts(facts), time)
    # From that time on the name may be another column's, so the drop applies up to the microsecond before.
    facts = Facts(assets=(AssetFact(old, {"dropped": True}),))
    return Entry(("column-dropped", *key.parts, move.old, str(time - 1)), encode_facts(facts), time - 1)


def _build_table_attributes(location: str, version: Version) -> dict[str, Json]:
    checks: list[Json] = [
        {"name": name.removeprefix(_CONSTRAINT), "type": "CHECK", "expression": text}
        for name, text in version.properties.items()
        if name.startswith(_CONSTRAINT)
    ]
    return drop_empty_attributes(
        dataset_type="TABLE",
        format="delta",
        location=location,
        table_uuid=version.table_id,
        table_name=version.name,
        description=version.description,
        partition_columns=list(version.partition_columns),
        properties=select_properties({name: text for name, text in version.properties.items() if not name.startswith(_CONSTRAINT)}),
        constraints=checks,
    )


def _build_column_attributes(column: Column) -> dict[str, Json]:
    known = {COMMENT, GENERATED, DEFAULT}
    return drop_empty_attributes(
        type=column.type,
        nullable=column.nullable,
        description=_to_text(column.metadata.get(COMMENT)),
        field_id=column.identity[0] if column.identity is not None and not column.identity[1] else None,
        generation_expression=_to_text(column.metadata.get(GENERATED)),
        default=_to_text(column.metadata.get(DEFAULT)),
        properties={name: value for name, value in column.metadata.items() if name not in known and not name.startswith("delta.")},
    )


def _to_text(value: object) -> str | None:
    return None if value is None else str(value)


MAX_TABLES = 10_000
LOG = "_delta_log"

_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/]*)(?P<path>/.*)?", re.DOTALL)
_PATTERN = frozenset("*?[")


class Place(NamedTuple):
    """A table's location for deltalake, and its dataset's namespace and name (OpenLineage, Naming.md)."""

    location: str
    namespace: str
    name: str


def list_places(tables: Sequence[str], folder: Path, used_in: str = "") -> Iterator[Place | InvalidInput]:
    """The tables that paths, patterns of local paths (`lake/*/*`) and URLs match, each once. Relative paths begin at `folder`.

    `used_in`: the folder that local tables are named after, if not their own.
    """
    seen: set[str] = set()
    for text in tables:
        for place in _find_places(text, folder):
            if isinstance(place, InvalidInput):
                yield place
            elif place.location not in seen:
                seen.add(place.location)
                if len(seen) > MAX_TABLES:
                    yield InvalidInput(f"the source has more than {MAX_TABLES} tables", text)
                    return
                yield place._replace(name=f"{used_in}/{Path(place.name).name}") if used_in and place.namespace == "file" else place


def _find_places(text: str, folder: Path) -> Iterator[Place | InvalidInput]:
    uri = _URI.fullmatch(text)
    if uri is not None and uri["scheme"].lower() != "file":
        yield _locate_remote(text, uri)
        return
    path = Path(os.path.normpath(folder.absolute() / (unquote(uri["path"] or "/") if uri is not None else text)))
    if path.exists() or not _PATTERN & set(text):
        yield _locate_local(path)
        return
    logs = sorted(Path(path.anchor).glob(f"{path.relative_to(path.anchor)}/{LOG}"))
    yield from (_locate_local(log.parent) for log in logs)
    if not logs:
        yield InvalidInput("no Delta table matches; accepted are folders of tables, patterns such as lake/*/*, and URLs", text)


def _locate_local(path: Path) -> Place:
    return Place(str(path), "file", str(path))


def _locate_remote(text: str, uri: re.Match[str]) -> Place | InvalidInput:
    if "*" in text or not uri["authority"] or not (uri["path"] or "").strip("/"):
        return InvalidInput("not the URL of a table; accepted are URLs such as s3://bucket/path (patterns work for local paths only)", text)
    return Place(text.rstrip("/"), f"{uri['scheme']}://{uri['authority']}", uri["path"].rstrip("/"))


class _KnownTable(msgspec.Struct, frozen=True):
    """What is remembered of a table: the version that was read, and its scopes, that of its attributes first."""

    table_id: str
    version: int
    scopes: tuple[Scope, ...]


class DeltaReader:
    """One reading. `tables`, `folder`, `versions`, `complete`: the keys of the source. `options`: deltalake's storage options."""

    def __init__(
        self, tables: Sequence[str], folder: str, options: Mapping[str, str], context: Context, *, versions: int, complete: bool
    ) -> None:
        self._tables = tables
        self._folder = folder
        self._versions = versions
        self._context = context
        self._options = options
        self.warnings: list[str] = []
        self.memory: dict[str, str] = {} if complete else dict(context.memory)

    def read_items(self) -> Iterator[Item]:
        for place in list_places(self._tables, self._context.folder, self._folder):
            if isinstance(place, InvalidInput):
                yield Refusal(place)
            else:
                yield from self._read_table(place)

    def _read_table(self, place: Place) -> Iterator[Item]:
        key = self._context.naming.normalise_dataset(place.namespace, place.name)
        known = self._decode_known(place, key)
        try:
            table = open_table(place.location, self._options)
            if known is not None and known.table_id != str(table.metadata().id):
                known = None  # another table at the same place
            if known is not None and known.version == table.version():
                self.memory[place.location] = self._context.memory[place.location]
                yield from map(Unchanged, known.scopes)
            else:
                yield from self._read_versions(place, key, table, known)
        except InvalidInput as error:
            yield Refusal(error, build_scope(key))
            if known is not None:  # renames stay; the next reading continues from the last one that succeeded
                self.memory[place.location] = self._context.memory[place.location]
                yield from map(Unchanged, known.scopes[1:])

    def _read_versions(self, place: Place, key: AssetKey, table: DeltaTable, known: _KnownTable | None) -> Iterator[Item]:
        past = read_history(table, place.location, self._options, self._versions, None if known is None else known.version)
        if past.unseen:
            self.warnings.append(f"{place.location}: the {past.unseen} versions before version {past.versions[0].number} were not read")
        yield self._build_entry(place, key, past.versions)
        others = [] if known is None else list(known.scopes[1:])
        if past.newest_write is not None:
            entry = build_write_entry(key, past.newest_write)
            others = [entry.scope, *(one for one in others if one != entry.scope)]
            yield entry
        yield from (Unchanged(one) for one in others if past.newest_write is None or one != others[0])
        for before, after in pairwise(past.versions):
            found = (
                []
                if after.time is None
                else [build_move_entry(key, move, after.time) for move in find_column_moves(before.columns, after.columns)]
            )
            new = [entry for entry in found if entry.scope not in others]
            others += [entry.scope for entry in new]
            yield from new
        now = _KnownTable(past.versions[-1].table_id, table.version(), (build_scope(key), *others))
        self.memory[place.location] = msgspec.json.encode(now).decode()

    def _build_entry(self, place: Place, key: AssetKey, versions: Sequence[Version]) -> Entry:
        location = place.location if "://" in place.location else f"file://{place.location}"
        *past, (time, content) = [(version.time, encode_facts(build_table_facts(key, location, version))) for version in versions]
        return Entry(build_scope(key), content, time, tuple((at, earlier) for at, earlier in past if at is not None))

    def _decode_known(self, place: Place, key: AssetKey) -> _KnownTable | None:
        """What the last reading remembered of the table; None if it cannot be used."""
        try:
            known = msgspec.json.decode(self._context.memory.get(place.location, "null"), type=_KnownTable | None)
        except msgspec.MsgspecError:
            return None
        return known if known is not None and known.scopes[:1] == (build_scope(key),) else None
