"""Access to a catalog through pyiceberg: SQL, Glue, Hive and others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import (
    AuthorizationExpiredError,
    ForbiddenError,
    NoSuchIdentifierError,
    NoSuchNamespaceError,
    NoSuchTableError,
    NoSuchViewError,
    OAuthError,
    ServiceUnavailableError,
    TooManyRequestsError,
    UnauthorizedError,
)

from meshline.errors import InvalidInput, MissingExtra, StoreUnavailable
from meshline.ingest.sources.iceberg.facts import NamespaceDefaults
from meshline.ingest.sources.iceberg.parse import Table, View, parse_table
from meshline.ingest.sources.secrets import Properties, Redaction

if TYPE_CHECKING:
    from pyiceberg.table import Table as LibraryTable

Identifier: TypeAlias = tuple[str, ...]
T = TypeVar("T")

_GONE = (NoSuchTableError, NoSuchViewError, NoSuchNamespaceError, NoSuchIdentifierError)
_REFUSING = (UnauthorizedError, AuthorizationExpiredError, OAuthError, ServiceUnavailableError, TooManyRequestsError)
_AWAY = ("requests", "urllib3", "sqlalchemy", "botocore", "thrift")  # libraries whose errors mean that the catalog cannot be reached


class Gone(Exception):
    """A table, view or namespace was listed, and does not exist any more."""


class LoadedMetadata(NamedTuple):
    """Metadata of a table or view. `tag`: identifies this state of it at the next reading; empty if there is none."""

    metadata: Table | View
    tag: str


class LibraryCatalog:
    """Any catalog of pyiceberg. Methods raise Gone, InvalidInput for what cannot be read, StoreUnavailable if the catalog cannot be
    reached. `redact`: replaces secrets in messages.
    """

    def __init__(self, connect: Callable[[], Catalog], redact: Redaction) -> None:
        self.redact = redact
        self.catalog = self.call(connect)

    def list_namespaces(self, parent: Identifier) -> list[Identifier]:
        """The namespaces directly below one, sorted."""
        found = self.call(lambda: self.catalog.list_namespaces(parent))
        return sorted({tuple(one) for one in found if len(one) > len(parent) and tuple(one[: len(parent)]) == parent})

    def read_defaults(self, namespace: Identifier) -> NamespaceDefaults:
        """The owner and comment of a namespace; empty if the catalog has no such properties, or does not permit to read them."""

        def read_properties() -> Properties:
            try:
                return dict(self.catalog.load_namespace_properties(namespace))
            except (NotImplementedError, ForbiddenError):
                return {}

        properties = self.call(read_properties)
        owner, comment = properties.get("owner"), properties.get("comment")
        return NamespaceDefaults(owner if isinstance(owner, str) else "", comment if isinstance(comment, str) else "")

    def list_tables(self, namespace: Identifier) -> Sequence[Identifier]:
        """The identifiers of the tables in a namespace."""
        return self.call(lambda: self.catalog.list_tables(namespace))

    def list_views(self, namespace: Identifier) -> Sequence[Identifier]:
        """The identifiers of the views in a namespace; empty if the catalog has no views."""
        try:
            return self.call(lambda: self.catalog.list_views(namespace))
        except NotImplementedError:
            return ()

    def load(self, identifier: Identifier, tag: str, *, is_view: bool) -> LoadedMetadata | None:
        """The metadata of a table or view; None if nothing changed since `tag`."""
        if is_view:
            raise InvalidInput(f"views of {type(self.catalog).__name__} are not supported")
        found: LibraryTable = self.call(lambda: self.catalog.load_table(identifier))
        if tag and found.metadata_location == tag:
            return None
        return LoadedMetadata(parse_table(found.metadata.model_dump_json().encode()), found.metadata_location)

    def call(self, request: Callable[[], T]) -> T:
        """The result of a request to the catalog, with the library's errors translated."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return request()
        except _GONE as error:
            raise Gone from error
        except (NotImplementedError, MissingExtra):
            raise
        except Exception as error:  # noqa: BLE001 - a catalog is a plugin, which may raise any exception
            raise self.to_error(error) from None

    def to_error(self, error: Exception) -> InvalidInput | StoreUnavailable:
        """An error of the library as an error of ours, without secrets."""
        message = self.redact(f"{type(error).__name__}: {error}")
        if isinstance(error, _REFUSING) or type(error).__module__.partition(".")[0] in _AWAY:
            return StoreUnavailable(f"the catalog does not answer: {message}")
        return InvalidInput(f"the catalog cannot load it: {message}")
