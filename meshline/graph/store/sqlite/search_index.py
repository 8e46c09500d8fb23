"""Search: the words of every asset's key, and of the prose in heads, in two FTS5 tables."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from meshline.errors import StoreCorrupt
from meshline.graph.content import decode_key_rows
from meshline.graph.model import KINDS, AssetKey, AssetKind, Content, build_dataset_key
from meshline.graph.store.search_words import iterate_documents, limit_terms, list_key_words, list_part_words
from meshline.graph.store.sqlite.reader import encode_json, encode_numbers
from meshline.graph.store.sqlite.sql import SQL

KIND_SHIFT = 48  # the id of an asset, or of a name of columns: its kind from this bit on, a counter below
OF_COLUMNS = 1 << 52  # + the id of a dataset: the words of its name, by which its columns are found
COUNTER = (1 << KIND_SHIFT) - 1
REMEMBERED = 300_000  # cached assets, and as many cached columns: about 60 MB each

_CODE = {kind: code for code, kind in enumerate(KINDS)}
_COLUMN, _DATASET = _CODE[AssetKind.COLUMN], _CODE[AssetKind.DATASET]

# (kind, part, ...) of an asset; (COLUMN, name) of a name of columns.
Row: TypeAlias = tuple[int | str, ...]

# The terms that `split_words` yields: lower-case letters and digits, and any characters that are not ASCII.
_TERM = re.compile(r"[0-9a-z\x80-\U0010ffff]+")


def encode_sortable(parts: Sequence[str]) -> bytes:
    """Encode strings as bytes that sort like the tuple of strings: NUL separates the strings, and is escaped inside them."""
    text = "\x00".join(parts)
    if "\x01" in text or text.count("\x00") >= len(parts):
        text = "\x00".join(part.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01") for part in parts)
    return text.encode()


def decode_sortable(name: bytes) -> tuple[str, ...]:
    """The inverse of `encode_sortable`. Raises StoreCorrupt."""
    try:
        text = name.decode()
    except UnicodeDecodeError as error:
        raise StoreCorrupt(f"a name cannot be read ({error}): restore the store from a backup") from error
    return tuple(part.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01") for part in text.split("\x00"))


def search_assets(connection: sqlite3.Connection, terms: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> list[AssetKey]:
    """Find assets, as `Store.search`. One SQL statement, since collecting the matches of a prefix is the expensive part."""
    if not terms or limit <= 0 or not all(_TERM.fullmatch(term) for term in terms):
        return []
    quoted = [f'"{term}"*' for term in limit_terms(terms)]
    wanted = kinds or KINDS
    codes = encode_numbers(_CODE[kind] for kind in wanted)
    given = (encode_json(quoted).decode(), (1 << len(quoted)) - 1, " ".join(quoted), codes, AssetKind.COLUMN in wanted, limit)
    return [
        AssetKey(KINDS[kind], decode_sortable(name) if column is None else decode_sortable(name) + decode_sortable(column))
        for kind, name, column in connection.execute(SQL["search"], given)
    ]


def search_texts(connection: sqlite3.Connection, words: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> list[AssetKey]:
    """Find assets by any word of their prose, as `Store.search_texts`."""
    wanted = [f'"{word}"' for word in limit_terms(words) if _TERM.fullmatch(word)]
    if not wanted or limit <= 0:
        return []
    given = (" OR ".join(wanted), encode_numbers(_CODE[kind] for kind in kinds or KINDS), limit)
    return [
        AssetKey(KINDS[kind], decode_sortable(name) if column is None else decode_sortable(name) + decode_sortable(column))
        for kind, name, column in connection.execute(SQL["search_texts"], given)
    ]


def _compute_range(code: int) -> tuple[int, int]:
    return code << KIND_SHIFT, ((code + 1) << KIND_SHIFT) - 1


class SearchWriter:
    """Writes the rows that search reads. Caches the ids of assets; `forget` drops those of a commit that was rolled back."""

    def __init__(self) -> None:
        self._known: dict[Row, int] = {}
        self._new: dict[Row, int] = {}  # the ids in `_known` that the current commit allocated
        self._last: dict[int, int] = {}  # the greatest id of each kind, in the current commit
        self._columns: dict[int, set[str]] = {}  # the names of all columns, by id of the dataset
        self._listed: list[tuple[int, list[str]]] = []  # datasets, and the columns that the current commit added to them
        self._remembered = 0  # number of cached columns (an estimate)

    def add_contents(self, connection: sqlite3.Connection, contents: Iterable[Content]) -> None:
        """Index the keys of all assets that new contents refer to."""
        first = len(self._new), len(self._listed)
        for content in contents:
            self._add_keys(connection, decode_key_rows(content.blob))
        listings = [
            (dataset_id, [self._number(connection, (_COLUMN, name)) & COUNTER for name in names])
            for dataset_id, names in self._listed[first[1] :]
        ]
        new = list(self._new.items())[first[0] :]
        connection.executemany(SQL["add_assets"], [(number, row[0], _encode_name(row)) for row, number in new])
        # In order: FTS5 begins a new segment when a rowid is less than the one before.
        connection.executemany(SQL["add_names"], sorted([words for row, number in new for words in _iterate_documents(row, number)]))
        if listings:
            (last,) = connection.execute(SQL["last_listing"]).fetchone()
            numbered = list(enumerate(listings, last + 1))
            connection.executemany(SQL["add_listings"], [(number, of, encode_numbers(columns)) for number, (of, columns) in numbered])
            connection.executemany(SQL["add_listed"], [(number, " ".join(map(str, columns))) for number, (_, columns) in numbered])

    def _add_keys(self, connection: sqlite3.Connection, keys: list[list[int | str]]) -> None:
        """Allocate ids for unknown assets of a layout, and record its unknown columns."""
        assets: list[int] = []
        columns: dict[int, list[str]] = {}  # by the position of the dataset
        for key in keys:
            if key[0] == _COLUMN:
                columns.setdefault(key[1], []).append(key[2])  # type: ignore[arg-type]
            else:
                assets.append(self._number(connection, tuple(key)))
        for position, names in columns.items():
            known = self._read_columns(connection, assets[position])
            if not known.issuperset(names):
                new = [name for name in names if name not in known]
                known.update(new)
                self._listed.append((assets[position], new))

    def _read_columns(self, connection: sqlite3.Connection, dataset_id: int) -> set[str]:
        """The names of the known columns of a dataset."""
        columns = self._columns.get(dataset_id)
        if columns is None:
            columns = {decode_sortable(name)[0] for (name,) in connection.execute(SQL["columns_of"], (dataset_id,))}
            self._remembered += 20
            if self._remembered > REMEMBERED:
                self._columns.clear()
                self._remembered = 0
            self._columns[dataset_id] = columns
        return columns

    def _number(self, connection: sqlite3.Connection, row: Row) -> int:
        """The id of a row, allocated if it has none."""
        number = self._known.get(row)
        return self._give(connection, row) if number is None else number

    def _give(self, connection: sqlite3.Connection, row: Row) -> int:
        """The id of a row that is not cached, allocated if it has none."""
        code = _check_integer(row[0])
        found = connection.execute(SQL["find_asset"], (code, _encode_name(row))).fetchone()
        if found is not None:
            return self._remember(row, found[0])
        if code not in self._last:
            (self._last[code],) = connection.execute(SQL["last_asset"], _compute_range(code)).fetchone()
        self._last[code] += 1
        number = self._new[row] = self._remember(row, self._last[code])
        return number

    def _remember(self, row: Row, number: int) -> int:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
            self._known.update(self._new)
        self._known[row] = number
        return number

    def replace_documents(self, connection: sqlite3.Connection, contents: Sequence[tuple[int, Content | None]]) -> None:
        """Replace the prose of scopes by that of their new contents (None: the scope is empty)."""
        old = connection.execute(SQL["documents_of_scopes"], (encode_numbers(scope for scope, _ in contents),)).fetchall()
        connection.executemany(SQL["remove_prose"], old)
        connection.executemany(SQL["remove_documents"], old)
        new = [(scope, key, words) for scope, content in contents if content is not None for key, words in iterate_documents(content.blob)]
        if new:
            (last,) = connection.execute(SQL["last_document"]).fetchone()
            rows = [(last + n, scope, *self._find_place(connection, key)) for n, (scope, key, _) in enumerate(new, 1)]
            connection.executemany(SQL["add_documents"], rows)
            connection.executemany(SQL["add_prose"], [(last + n, " ".join(words)) for n, (_, _, words) in enumerate(new, 1)])

    def _find_place(self, connection: sqlite3.Connection, key: AssetKey) -> tuple[int, int]:
        """The ids (asset, 0), or of a column (its dataset, its name), which exist already."""
        if key.kind is AssetKind.COLUMN:
            of_dataset, _ = self._find_place(connection, build_dataset_key(*key.parts[:2]))
            return of_dataset, self._number(connection, (_COLUMN, key.parts[2]))
        return self._number(connection, (_CODE[key.kind], *key.parts)), 0

    def keep(self) -> None:
        """The commit succeeded."""
        self._new.clear()
        self._last.clear()
        self._listed.clear()

    def forget(self) -> None:
        """The commit was rolled back."""
        for row in self._new:
            self._known.pop(row, None)
        for dataset_id, _ in self._listed:
            self._columns.pop(dataset_id, None)
        self.keep()


def _encode_name(row: Row) -> bytes:
    return encode_sortable(tuple(map(str, row[1:])))


def _iterate_documents(row: Row, number: int) -> Iterator[tuple[int, str]]:
    """(id, words) of the documents by which an asset is found."""
    parts = tuple(map(str, row[1:]))
    if row[0] == _COLUMN:
        yield number, " ".join(list_part_words(parts[0]))
    else:
        yield number, " ".join(list_key_words(AssetKey(KINDS[_check_integer(row[0])], parts)))
        if row[0] == _DATASET:
            yield number + OF_COLUMNS, " ".join(list_part_words(parts[1]))


def _check_integer(value: int | str) -> int:
    assert isinstance(value, int)
    return value
