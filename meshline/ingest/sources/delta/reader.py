"""Delta tables -> what is stated about them; tables of which no version is new are not read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec
from deltalake import DeltaTable

from meshline.errors import InvalidInput
from meshline.graph.content import encode
from meshline.graph.model import AssetKey, Scope
from meshline.ingest.sources.delta.columns import moved
from meshline.ingest.sources.delta.facts import moved_entry, scope, table_facts, written_entry
from meshline.ingest.sources.delta.log import Version, history, opened
from meshline.ingest.sources.delta.places import Place, places
from meshline.ingest.sources.shape import Context, Entry, Found, Refused, Unchanged


class _Known(msgspec.Struct, frozen=True):
    """What is remembered of a table: as of which version it was read, and its scopes: of what it is, then the others."""

    table_id: str
    version: int
    scopes: tuple[Scope, ...]


class Reader:
    """`tables`, `folder`, `versions`, `complete`: as the source has them. `options`: of the storage, as deltalake takes them."""

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

    def found(self) -> Iterator[Found]:
        for place in places(self._tables, self._context.folder, self._folder):
            if isinstance(place, InvalidInput):
                yield Refused(place)
            else:
                yield from self._table(place)

    def _table(self, place: Place) -> Iterator[Found]:
        key = self._context.naming.dataset(place.namespace, place.name)
        known = self._known(place, key)
        try:
            table = opened(place.location, self._options)
            if known is not None and known.table_id != str(table.metadata().id):
                known = None  # another table at the same place
            if known is not None and known.version == table.version():
                self.memory[place.location] = self._context.memory[place.location]
                yield from map(Unchanged, known.scopes)
            else:
                yield from self._read(place, key, table, known)
        except InvalidInput as error:
            yield Refused(error, scope(key))
            if known is not None:  # what was renamed stays so; the next time is as if this one had not been
                self.memory[place.location] = self._context.memory[place.location]
                yield from map(Unchanged, known.scopes[1:])

    def _read(self, place: Place, key: AssetKey, table: DeltaTable, known: _Known | None) -> Iterator[Found]:
        past = history(table, place.location, self._options, self._versions, None if known is None else known.version)
        if past.unseen:
            self.warnings.append(f"{place.location}: what it was in {past.unseen} versions before {past.versions[0].number} is not known")
        yield self._entry(place, key, past.versions)
        others = [] if known is None else list(known.scopes[1:])
        if past.written is not None:
            entry = written_entry(key, past.written)
            others = [entry.scope, *(one for one in others if one != entry.scope)]
            yield entry
        yield from (Unchanged(one) for one in others if past.written is None or one != others[0])
        for before, after in pairwise(past.versions):
            found = [] if after.time is None else [moved_entry(key, move, after.time) for move in moved(before.columns, after.columns)]
            new = [entry for entry in found if entry.scope not in others]
            others += [entry.scope for entry in new]
            yield from new
        now = _Known(past.versions[-1].table_id, table.version(), (scope(key), *others))
        self.memory[place.location] = msgspec.json.encode(now).decode()

    def _entry(self, place: Place, key: AssetKey, versions: Sequence[Version]) -> Entry:
        location = place.location if "://" in place.location else f"file://{place.location}"
        *past, (time, content) = [(version.time, encode(table_facts(key, location, version))) for version in versions]
        return Entry(scope(key), content, time, tuple((at, said) for at, said in past if at is not None))

    def _known(self, place: Place, key: AssetKey) -> _Known | None:
        """What was read the last time, if it can be used."""
        try:
            known = msgspec.json.decode(self._context.memory.get(place.location, "null"), type=_Known | None)
        except msgspec.MsgspecError:
            return None
        return known if known is not None and known.scopes[:1] == (scope(key),) else None
