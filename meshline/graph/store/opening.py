"""From a store's address to the store."""

from __future__ import annotations

from urllib.parse import unquote

from meshline.errors import InvalidInput, MissingExtra
from meshline.graph.store.base import Store
from meshline.graph.store.sqlite import SqliteStore

NEO4J_SCHEMES = frozenset({"neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc"})
FORMS = "sqlite:///relative.db, sqlite:////absolute.db, :memory: or neo4j://user:password@host:port"


def open_store(url: str) -> Store:
    """Open the store at an address, making it if it is new.

    Raises InvalidInput, MissingExtra, StoreUnavailable or StoreCorrupt.
    """
    if url in {":memory:", "sqlite://", "sqlite://:memory:", "sqlite:///:memory:"}:
        return SqliteStore()
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise InvalidInput(f"{url!r} is no address of a store: use {FORMS}")
    if scheme == "sqlite":
        return _sqlite(url, rest)
    if scheme in NEO4J_SCHEMES:
        return _neo4j(url)
    raise InvalidInput(f"there is no kind of store called {scheme!r}: use {FORMS}")


def _sqlite(url: str, rest: str) -> Store:
    path = unquote(rest[1:]) if rest.startswith("/") else ""
    if not path or "\x00" in path:
        raise InvalidInput(f"{url!r} names no file: use sqlite:///relative.db or sqlite:////absolute.db")
    return SqliteStore(path)


def _neo4j(url: str) -> Store:
    try:
        from meshline.graph.store.neo4j import Neo4jStore  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == "neo4j":
            raise MissingExtra("neo4j", "a store in Neo4j") from error
        raise
    return Neo4jStore(url)
