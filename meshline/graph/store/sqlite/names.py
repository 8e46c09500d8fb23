"""Search: the words of every asset's key, and of what heads say in prose, in two FTS5 tables."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from meshline.graph.content import columns
from meshline.graph.model import KINDS, AssetKey, AssetKind, Content, dataset
from meshline.graph.store.documents import documents, key_words
from meshline.graph.store.sqlite.queries import SQL
from meshline.graph.store.sqlite.reading import numbers

KIND_SHIFT = 48  # an asset's number: its kind above, a counter below
REMEMBERED = 300_000  # about 60 MB

_CODE = {kind: code for code, kind in enumerate(KINDS)}
_COLUMN = _CODE[AssetKind.COLUMN]

# A column as (number of its dataset, name), all else as (kind, part, ...).
Row: TypeAlias = tuple[int | str, ...]

# What words() makes: lower-case letters and digits, and whatever is not ASCII.
_TERM = re.compile(r"[0-9a-z\x80-\U0010ffff]+")


def sortable(parts: Sequence[str]) -> bytes:
    """Bytes that sort as the tuple of strings does: NUL parts the strings, and is escaped inside them."""
    text = "\x00".join(parts)
    if "\x01" in text or text.count("\x00") >= len(parts):
        text = "\x00".join(part.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01") for part in parts)
    return text.encode()


def parts_of(name: bytes) -> tuple[str, ...]:
    """The inverse of `sortable`."""
    return tuple(part.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01") for part in name.decode().split("\x00"))


def search(connection: sqlite3.Connection, terms: Sequence[str], kinds: Sequence[AssetKind], limit: int) -> list[AssetKey]:
    """All in one statement: what costs is to gather the matches of a prefix, and that once."""
    if not terms or limit <= 0 or not all(_TERM.fullmatch(term) for term in terms):
        return []
    match = " ".join(f'"{term}"*' for term in terms)
    codes = numbers(_CODE[kind] for kind in kinds or KINDS)
    return [
        AssetKey(KINDS[kind], parts_of(name) if column is None else parts_of(name) + parts_of(column))
        for kind, name, column in connection.execute(SQL["search"], (match, codes, limit))
    ]


def _range(code: int) -> tuple[int, int]:
    return code << KIND_SHIFT, ((code + 1) << KIND_SHIFT) - 1


class Names:
    """Writes what search reads. Remembers the numbers of assets; `forget` those that a rollback took back."""

    def __init__(self) -> None:
        self._known: dict[Row, int] = {}
        self._new: dict[Row, int] = {}  # those of `_known` that the commit under way gave out
        self._listed: set[int] = set()  # the datasets of which all columns are in `_known`, in the commit under way
        self._last: dict[int, int] = {}  # the greatest number of each kind, in the commit under way

    def add_contents(self, connection: sqlite3.Connection, contents: Iterable[Content]) -> None:
        """See that every asset that new contents mention can be found by its key."""
        words: dict[int, list[str]] = {}
        for content in contents:
            self._add_keys(connection, columns(content.blob).keys, words)
        connection.executemany(SQL["add_assets"], [_columns(row, number) for row, number in self._new.items()])
        connection.executemany(SQL["add_names"], [(number, " ".join(of_key)) for number, of_key in words.items()])

    def _add_keys(self, connection: sqlite3.Connection, keys: list[list[int | str]], words: dict[int, list[str]]) -> None:
        """Give numbers to the unknown ones of a layout's keys, and take down their words."""
        numbers: list[int] = []
        for key in keys:
            code = _integer(key[0])
            row: Row = (numbers[_integer(key[1])], key[2]) if code == _COLUMN else tuple(key)
            number = self._known.get(row)
            if number is None:
                number = self._find(connection, row)
            if number is None:
                number = self._give(connection, row, code)
                parts = (*keys[_integer(key[1])][1:], key[2]) if code == _COLUMN else key[1:]
                words[number] = key_words(AssetKey(KINDS[code], tuple(map(str, parts))))
            numbers.append(number)

    def _find(self, connection: sqlite3.Connection, row: Row) -> int | None:
        """The number of an asset that the file knows. Asks for all columns of a dataset at once."""
        parent = _integer(row[0])
        if not parent >> KIND_SHIFT:
            found = connection.execute(SQL["find_asset"], _columns(row)).fetchone()
            return None if found is None else self._remember(row, found[0])
        if parent in self._listed:
            return self._known.get(row)
        self._listed.add(parent)
        columns: dict[Row, int] = {(parent, *parts_of(name)): number for number, name in connection.execute(SQL["columns_of"], (parent,))}
        for each, number in columns.items():
            self._remember(each, number)
        return columns.get(row)

    def _give(self, connection: sqlite3.Connection, row: Row, code: int) -> int:
        if code not in self._last:
            (self._last[code],) = connection.execute(SQL["last_asset"], _range(code)).fetchone()
        self._last[code] += 1
        number = self._new[row] = self._remember(row, self._last[code])
        self._listed.add(number)  # it has no columns yet
        return number

    def _remember(self, row: Row, number: int) -> int:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
            self._known.update(self._new)
            self._listed.clear()
        self._known[row] = number
        return number

    def replace_documents(self, connection: sqlite3.Connection, said: Sequence[tuple[int, Content | None]]) -> None:
        """Scopes now say this: replace the prose of what they said before."""
        old = connection.execute(SQL["documents_of_scopes"], (numbers(scope for scope, _ in said),)).fetchall()
        connection.executemany(SQL["remove_prose"], old)
        connection.executemany(SQL["remove_documents"], old)
        new = [(scope, key, words) for scope, content in said if content is not None for key, words in documents(content.blob)]
        if new:
            (last,) = connection.execute(SQL["last_document"]).fetchone()
            rows = [(last + n, scope, self._number(connection, key)) for n, (scope, key, _) in enumerate(new, 1)]
            connection.executemany(SQL["add_documents"], rows)
            connection.executemany(SQL["add_prose"], [(last + n, " ".join(words)) for n, (_, _, words) in enumerate(new, 1)])

    def _number(self, connection: sqlite3.Connection, key: AssetKey) -> int:
        """The number of an asset that is there already."""
        if key.kind is AssetKind.COLUMN:
            row: Row = (self._number(connection, dataset(*key.parts[:2])), key.parts[2])
        else:
            row = (_CODE[key.kind], *key.parts)
        number = self._known.get(row)
        if number is None:
            number = self._find(connection, row)
        assert number is not None, "names are written before prose"
        return number

    def keep(self) -> None:
        """The commit succeeded."""
        self._new.clear()
        self._listed.clear()
        self._last.clear()

    def forget(self) -> None:
        """The commit was rolled back."""
        for row in self._new:
            del self._known[row]
        self.keep()


def _columns(row: Row, *number: int) -> tuple[int | str | bytes, ...]:
    """(number, kind, parent, name) as the table has them."""
    if _integer(row[0]) >> KIND_SHIFT:
        return *number, _COLUMN, row[0], sortable((str(row[1]),))
    return *number, row[0], 0, sortable(tuple(map(str, row[1:])))


def _integer(value: int | str) -> int:
    assert isinstance(value, int)
    return value
