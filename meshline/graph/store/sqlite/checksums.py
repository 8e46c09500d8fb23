"""The checksums of rows, in SQL and in Python: see `meshline.graph.store.sqlite.sql`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from zlib_ng.zlib_ng import crc32

Value: TypeAlias = str | bytes | float | None  # of a column


def register_functions(connection: sqlite3.Connection) -> None:
    """Register the functions that expanded SQL calls."""
    connection.create_function("crc_of", -1, compute_crc, deterministic=True)
    connection.create_function("damaged", 1, _raise_damaged)


class Damaged(Exception):
    """A row that does not fit its checksum. SQLite does not pass on that error: its own has the message `RAISED`."""


RAISED = "user-defined function raised exception"


def compute_crc(*values: Value) -> int:
    """What `crc_of` gives for the values of a row."""
    crc = 0
    for value in values:
        crc = crc32(value if isinstance(value, bytes) else f"{value}\0".encode("utf-8", "surrogatepass"), crc)
    return crc


def compute_row_crc(text: str, blob: bytes = b"") -> int:
    """As `compute_crc` of a row's numbers and texts, each with a NUL behind it, and then its blobs, in a third of the time.

    A call from SQL into Python costs four times as much as this, for each row.
    """
    return crc32(blob, crc32(text.encode("utf-8", "surrogatepass")))


def check_rows(table: str, kept: Sequence[int | None], computed: Iterable[int]) -> None:
    """Raises Damaged if the checksum of a row is not the computed one. None: the row is missing."""
    if [*kept] != [*computed]:
        raise Damaged(table)


def _raise_damaged(table: str) -> int:
    raise Damaged(table)
