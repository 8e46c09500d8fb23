"""Opens and copies the store at an address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

from meshline.errors import InvalidInput, NotFound, require_extra
from meshline.graph.store.base import Store
from meshline.graph.store.integrity import Check
from meshline.graph.store.sqlite import SqliteStore
from meshline.graph.store.sqlite.maintenance import back_up_file

NEO4J_SCHEMES = frozenset({"neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc"})
_NEO4J = ("neo4j", "a store in Neo4j")  # the extra, and the feature that needs it
FORMS = "sqlite:///relative.db, sqlite:////absolute.db, :memory: or neo4j://user:password@host:port"


def open_store(url: str) -> Store:
    """Open the store at an address; a new store is created.

    Raises InvalidInput, MissingExtra, StoreUnavailable or StoreCorrupt.
    """
    if url in {":memory:", "sqlite://", "sqlite://:memory:", "sqlite:///:memory:"}:
        return SqliteStore()
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise InvalidInput(f"{mask_credentials(url)!r} is no address of a store: use {FORMS}")
    if scheme == "sqlite":
        return _open_sqlite(url, rest)
    if scheme in NEO4J_SCHEMES:
        return _open_neo4j(url)
    raise InvalidInput(f"there is no kind of store called {scheme!r}: use {FORMS}")


def back_up_store(url: str, to: Path, *, overwrite: bool = False, advance: Callable[[int], None] = lambda _: None) -> int:
    """Copy the state of the store at one moment into a new SQLite store; the number of bytes written.

    Raises InvalidInput (also for a store in memory), NotFound, MissingExtra, StoreUnavailable or StoreCorrupt.
    """
    if url.partition("://")[0] in NEO4J_SCHEMES:
        with require_extra(*_NEO4J):
            from meshline.graph.store.neo4j.backup import back_up_store as backup_neo4j  # noqa: PLC0415 - an extra
        return backup_neo4j(url, to, overwrite=overwrite, advance=advance)
    path = find_sqlite_path(url)
    if path is None:
        raise InvalidInput(f"{mask_credentials(url)!r} is in memory only: there is nothing to copy")
    if not path.exists():
        raise NotFound(f"there is no store at {path}")
    if to.exists() and to.samefile(path):
        raise InvalidInput("that is the store itself", str(to))
    return back_up_file(str(path), to, overwrite=overwrite)


def list_database_checks(url: str) -> Iterator[Check]:
    """The checks of a store in Neo4j that are of its kind alone; none for other stores. Safe while other processes write."""
    if url.partition("://")[0] in NEO4J_SCHEMES:
        with require_extra(*_NEO4J):
            from meshline.graph.store.neo4j.packed_times import check_packed_times  # noqa: PLC0415 - an extra
        yield check_packed_times(url)


def find_sqlite_path(url: str) -> Path | None:
    """The file of an SQLite store; None for any other store."""
    if not url.startswith("sqlite:///") or ":memory:" in url:
        return None
    return Path(unquote(url.removeprefix("sqlite:///")))


def mask_credentials(url: str) -> str:
    """The address with `...` in place of the user name and password, however they are written."""
    before, at, host = url.rpartition("@")
    scheme, separator, _ = before.partition("://")
    return f"{scheme if separator else ''}{separator}...@{host}" if at else url


def _open_sqlite(url: str, rest: str) -> Store:
    path = unquote(rest[1:]) if rest.startswith("/") else ""
    if not path or "\x00" in path:
        raise InvalidInput(f"{mask_credentials(url)!r} names no file: use sqlite:///relative.db or sqlite:////absolute.db")
    return SqliteStore(path)


def _open_neo4j(url: str) -> Store:
    with require_extra(*_NEO4J):
        from meshline.graph.store.neo4j import Neo4jStore  # noqa: PLC0415 - an extra
    return Neo4jStore(url)
