"""The SQL of this store: named statements of queries.sql, and the migrations, loaded at import."""

from __future__ import annotations

import re
import sqlite3
from importlib.resources import files

from meshline.graph.store.sqlite.checksums import expanded

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def named(text: str) -> dict[str, str]:
    """The statements of a file, each after a line `-- name: NAME`."""
    _, *parts = _NAME.split(text)
    return {name: expanded(sql.partition(";\n")[0].strip()) for name, sql in zip(parts[::2], parts[1::2], strict=True)}


def statements(script: str) -> list[str]:
    """The single statements of a script, so that it can run inside a transaction."""
    result: list[str] = []
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            result.append(expanded(pending))
            pending = ""
    assert not pending.strip(), "a migration ends with a semicolon"
    return result


_FOLDER = files(__package__)
SQL = named(_FOLDER.joinpath("queries.sql").read_text("utf-8"))
MAINTENANCE = named(_FOLDER.joinpath("maintenance.sql").read_text("utf-8"))

# By number: the migration n brings a store from schema n - 1 to schema n; the first makes one.
MIGRATIONS = {
    int(migration.name[:4]): statements(migration.read_text("utf-8"))
    for migration in sorted(_FOLDER.joinpath("migrations").iterdir(), key=lambda path: path.name)
    if migration.name.endswith(".sql")
}
OLDEST_SCHEMA, NEWEST_SCHEMA = min(MIGRATIONS), max(MIGRATIONS)
