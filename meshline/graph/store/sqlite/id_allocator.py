"""Allocates ids of scopes, labels and contents: they are cached, else found in the file, else new.

No process changes or removes an id once it is committed, so cached ids stay valid; only the
ids of a commit that failed have to be dropped from the cache.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from meshline.graph.model import Scope
from meshline.graph.store.sqlite.reader import encode_json
from meshline.graph.store.sqlite.sql import SQL

K = TypeVar("K", bound=Hashable)


class IdAllocator(Generic[K]):
    """Allocates the ids (positive integers) of one kind of key; caches at most `limit`.

    `find` and `last` name the SQL statements that select the id of a key (with the parameters `columns(key)`) and the greatest id.
    """

    def __init__(self, find: str, last: str, columns: Callable[[K], tuple[Any, ...]], limit: int) -> None:
        self.known: dict[K, int] = {}
        self.new: dict[K, int] = {}  # the ids in `known` that the current commit allocated
        self._find = SQL[find]
        self._last = SQL[last]
        self._columns = columns
        self._limit = limit
        self._next = 0

    def find(self, connection: sqlite3.Connection, key: K) -> int | None:
        """The id of a key; None if it has none."""
        number = self.known.get(key)
        if number is None:
            row = connection.execute(self._find, self._columns(key)).fetchone()
            if row is not None:
                number = self._remember(key, row[0])
        return number

    def give(self, connection: sqlite3.Connection, key: K) -> int:
        """The id of a key, allocated if it has none."""
        number = self.find(connection, key)
        if number is None:
            if not self.new:
                self._next = connection.execute(self._last).fetchone()[0] + 1
            number = self.new[key] = self._remember(key, self._next)
            self._next += 1
        return number

    def keep(self) -> None:
        """The commit succeeded: its new ids are valid."""
        self.new.clear()

    def forget(self) -> None:
        """The commit was rolled back: drop its new ids."""
        for key in self.new:
            del self.known[key]
        self.new.clear()

    def _remember(self, key: K, number: int) -> int:
        if len(self.known) >= self._limit:
            self.known.clear()
            self.known.update(self.new)
        self.known[key] = number
        return number


class IdAllocators:
    """The ids of scopes (source, scope), labels and contents (digest); each cache takes at most about 100 MB."""

    def __init__(self) -> None:
        self.scopes = IdAllocator[tuple[str, Scope]](
            "find_scope", "last_scope", lambda key: (encode_json(key[1]).decode(), key[0]), 200_000
        )
        self.labels = IdAllocator[str]("find_label", "last_label", lambda label: (label,), 100_000)
        self.contents = IdAllocator[bytes]("number_content", "last_content", lambda digest: (digest,), 500_000)

    def keep(self) -> None:
        """The commit succeeded."""
        for numbers in (self.scopes, self.labels, self.contents):
            numbers.keep()

    def forget(self) -> None:
        """The commit was rolled back, and with it the numbers that it gave out."""
        for numbers in (self.scopes, self.labels, self.contents):
            numbers.forget()
