"""One reading of a catalog that a server of HTTP has: what Unity Catalog and Gravitino have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from meshline.errors import MeshlineError
from meshline.ingest.sources.base import Context, Reading
from meshline.ingest.sources.http_reader import Program
from meshline.ingest.sources.metastore.catalog_api import CatalogApi
from meshline.ingest.sources.metastore.catalog_table import Listing
from meshline.ingest.sources.metastore.table_storage import TableStorage
from meshline.ingest.sources.metastore.walk import CatalogIdentity, CatalogReader, Selection
from meshline.ingest.sources.secrets import Redaction, expand_options, expand_properties, expand_variables

One = TypeVar("One")


class ServerSource(Protocol):
    """The keys that a source of such a catalog has."""

    kind: ClassVar[str]
    url: str
    token: str
    catalogs: tuple[str, ...]
    namespace: str
    tables: tuple[str, ...]
    properties: dict[str, Any]
    storage_options: Mapping[str, str]

    @property
    def source(self) -> str: ...


class Walk(Protocol[One]):
    """One walk over the server: its catalogs, then their tables."""

    def list_catalogs(self, only: Sequence[str]) -> list[One]: ...

    def list_tables(self, catalogs: Sequence[One]) -> Listing: ...


class CatalogServer(NamedTuple):
    """What differs between servers. `title`: of the source. `format_namespace`: of the datasets, from the address, unless a key gives it.
    `build_headers`: of each request, from the token.
    """

    program: Program
    title: str
    format_namespace: Callable[[str], str]
    build_headers: Callable[[str], Mapping[str, str]]
    open_walk: Callable[[CatalogApi, Selection], Walk[Any]]


def read_server(source: ServerSource, context: Context, server: CatalogServer) -> Reading:
    """Begin a reading. Raises InvalidInput, StoreUnavailable."""
    token = expand_variables(source.token, "token", context.variables)
    url = expand_variables(source.url, "url", context.variables)
    properties = expand_properties(source.properties, context.variables)
    options = expand_options(source.storage_options, context.variables, "storage_options")
    written = {**source.properties, **source.storage_options, "token": source.token}
    redact = Redaction(written, {**properties, **options, "token": token})
    namespace = context.resolve_namespace(source.namespace) if source.namespace else server.format_namespace(url)
    identity = CatalogIdentity(source.kind, server.title, namespace)
    selection = Selection(identity, source.tables)
    api = CatalogApi(server.program, url, server.build_headers(token), redact)
    walk = server.open_walk(api, selection)
    try:
        found = walk.list_catalogs(source.catalogs)  # here, so that a server that is away is an error
    except MeshlineError:
        api.close()
        raise
    reader = CatalogReader(identity, walk.list_tables(found), selection, TableStorage(properties, options, redact), context)
    return reader.build_reading(source.source)._replace(complete=not source.tables and not source.catalogs)
