"""The embedded store: one SQLite file (WAL, FTS5), no server."""

from meshline.graph.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
