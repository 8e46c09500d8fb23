"""The SQL of this store: named statements of queries.sql, and the migrations, loaded at import; and the checksums of rows.

Each row of a store's file has a checksum over its other columns, so that damaged rows are refused when they are read. In SQL,
`crc_TABLE(row)` is the checksum of a row (the name or alias of the table), `crc_TABLE(?1, ?2, ...)` that of a row to be written, and
`sound_TABLE(row)` is true, or ends the statement with an error: also if the row of a LEFT JOIN is missing; `sound_place(run)` is that for
the row of `run_summary` which a run may have. These macros are replaced by
plain SQL before SQLite sees them, which calls functions that `connection` registers. Checksums of rows of integers are sums in SQL, since
there are millions of rows: one flipped bit changes one integer by a power of two, so a sum with odd primes as modulus and weights detects
it.
"""

from __future__ import annotations

import re
import sqlite3
from importlib.resources import files

_NUMBERS: dict[str, tuple[str, ...]] = {
    "observation": ("scope_id", "observed_at", "content_id", "version_id", "provisional", "lasts"),
    "head": ("scope_id", "content_id", "observed_at", "valid_from", "last_observed", "version_id", "provisional", "revision"),
    "document": ("document_id", "scope_id", "asset_id", "column_id"),
    "run_asset": ("asset", "role", "begun", "run_id"),
    "dropped_run": ("run_digest", "dropped_on"),
    "change_time": ("revision", "earliest"),
}
# The blob of `content` has a digest, and the state of `run` its own checksum; ids that SQLite allocates are unknown before the insert.
_VALUES: dict[str, tuple[str, ...]] = {
    "change": ("revision", "scopes"),
    "scope": ("scope_id", "source", "scope"),
    "label": ("label_id", "label"),
    "content": ("content_id", "digest", "deflated"),
    "run": ("run_id", "name", "source", "job", "parent", "deflated"),
    "pair": ("run_id", "pair", "parent", "covered"),
    "raw": ("source", "received_at", "deflated", "body"),
    "journal": ("kind", "key", "at", "deflated", "body"),
    "setting": ("name", "value"),
    "asset": ("asset_id", "kind", "name"),
    "listing": ("listing_id", "dataset_id", "columns"),
    "run_summary": ("run_id", "begun", "reads", "writes"),
    "event": ("position", "at", "type"),
    "event_count": ("hour", "type", "events"),
    "packed_times": ("scope_id", "provisional", "last", "first", "content_id", "times"),
}
TABLES = (*_NUMBERS, *_VALUES)
WITHOUT = frozenset({"raw"})  # tables with rows that are older than checksums

_MODULUS = 2**31 - 1
_WEIGHTS = (3, 5, 7, 11, 13, 17, 19, 23)
_ABSENT = 2**30  # represents NULL

# A run's place in lists is sound; if it has none, so are the rows beside, one of which may be its own with another number.
_PLACE = """iif(run_summary.run_id IS NOT NULL, sound_run_summary(run_summary), ifnull((
    SELECT min(sound_run_summary(beside)) FROM run_summary AS beside WHERE beside.run_id IN (
        (SELECT max(run_id) FROM run_summary WHERE run_id < run.run_id), (SELECT min(run_id) FROM run_summary WHERE run_id > run.run_id)
    )), 1))"""

_MACRO = re.compile(r"\b(crc|fits|sound)_(" + "|".join(TABLES) + r")\(([^()]*)\)")


def expand_sql(sql: str) -> str:
    """Replace the macros described above by plain SQL."""
    return _MACRO.sub(_expand_macro, sql.replace("sound_place(run)", _PLACE))


def _expand_macro(found: re.Match[str]) -> str:
    what, table, given = found.groups()
    columns = _NUMBERS.get(table) or _VALUES[table]
    values = [part.strip() for part in given.split(",")] if "," in given else [f"{given}.{column}" for column in columns]
    assert len(values) == len(columns), (table, given)
    checksum = _sum(values) if table in _NUMBERS else f"crc_of({', '.join(values)})"
    if what == "crc":
        return checksum
    fits = f"{given}.crc = {checksum}" + (f" OR {given}.crc IS NULL" if table in WITHOUT else "")
    return f"({fits})" if what == "fits" else f"CASE WHEN {fits} THEN 1 ELSE damaged('{table}') END"


def _sum(values: list[str]) -> str:
    terms = (f"ifnull({value}, {_ABSENT}) % {_MODULUS} * {weight}" for value, weight in zip(values, _WEIGHTS, strict=False))
    return f"(({' + '.join(terms)}) % {_MODULUS})"


_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def parse_statements(text: str) -> dict[str, str]:
    """The statements of a file by name, each after a line `-- name: NAME`."""
    _, *parts = _NAME.split(text)
    return {name: expand_sql(sql.partition(";\n")[0].strip()) for name, sql in zip(parts[::2], parts[1::2], strict=True)}


def split_statements(script: str) -> list[str]:
    """Split a script into statements, so that it can run inside a transaction."""
    result: list[str] = []
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            result.append(expand_sql(pending))
            pending = ""
    assert not pending.strip(), "a migration ends with a semicolon"
    return result


_FOLDER = files(__package__)
SQL = parse_statements(_FOLDER.joinpath("queries.sql").read_text("utf-8"))
MAINTENANCE = parse_statements(_FOLDER.joinpath("maintenance.sql").read_text("utf-8"))

# By number: migration n changes a store from schema n - 1 to schema n; the first creates one.
MIGRATIONS = {
    int(migration.name[:4]): split_statements(migration.read_text("utf-8"))
    for migration in sorted(_FOLDER.joinpath("migrations").iterdir(), key=lambda path: path.name)
    if migration.name.endswith(".sql")
}
OLDEST_SCHEMA, NEWEST_SCHEMA = min(MIGRATIONS), max(MIGRATIONS)
