"""A catalog as pyiceberg knows it: SQL, Glue, Hive and others."""

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
_AWAY = ("requests", "urllib3", "sqlalchemy", "botocore", "thrift")  # whose errors are not about one table


class Gone(Exception):
    """What was listed is not there any more."""


class LoadedMetadata(NamedTuple):
    """`tag`: by which it is known next time that nothing changed; empty if there is none."""

    metadata: Table | View
    tag: str


class LibraryCatalog:
    """Any catalog of pyiceberg. Methods raise Gone, InvalidInput for what cannot be read, StoreUnavailable if the catalog is away."""

    def __init__(self, connect: Callable[[], Catalog], redact: Redaction) -> None:
        self.redact = redact
        self.catalog = self.call(connect)

    def list_namespaces(self, parent: Identifier) -> list[Identifier]:
        """Those directly below one."""
        found = self.call(lambda: self.catalog.list_namespaces(parent))
        return sorted({tuple(one) for one in found if len(one) > len(parent) and tuple(one[: len(parent)]) == parent})

    def read_defaults(self, namespace: Identifier) -> NamespaceDefaults:
        """Nothing if the catalog has no properties of namespaces, or not for us."""

        def read_properties() -> Properties:
            try:
                return dict(self.catalog.load_namespace_properties(namespace))
            except (NotImplementedError, ForbiddenError):
                return {}

        said = self.call(read_properties)
        owner, comment = said.get("owner"), said.get("comment")
        return NamespaceDefaults(owner if isinstance(owner, str) else "", comment if isinstance(comment, str) else "")

    def list_tables(self, namespace: Identifier) -> Sequence[Identifier]:
        return self.call(lambda: self.catalog.list_tables(namespace))

    def list_views(self, namespace: Identifier) -> Sequence[Identifier]:
        try:
            return self.call(lambda: self.catalog.list_views(namespace))
        except NotImplementedError:
            return ()

    def load(self, identifier: Identifier, tag: str, *, is_view: bool) -> LoadedMetadata | None:
        """None if nothing changed since `tag`."""
        if is_view:
            raise InvalidInput(f"views of {type(self.catalog).__name__} are not read")
        found: LibraryTable = self.call(lambda: self.catalog.load_table(identifier))
        if tag and found.metadata_location == tag:
            return None
        return LoadedMetadata(parse_table(found.metadata.model_dump_json().encode()), found.metadata_location)

    def call(self, request: Callable[[], T]) -> T:
        """What the catalog answers, its errors as ours."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return request()
        except _GONE as error:
            raise Gone from error
        except (NotImplementedError, MissingExtra):
            raise
        except Exception as error:  # noqa: BLE001 - a catalog is a plugin: whatever it raises is its answer
            raise self.to_error(error) from None

    def to_error(self, error: Exception) -> InvalidInput | StoreUnavailable:
        message = self.redact(f"{type(error).__name__}: {error}")
        if isinstance(error, _REFUSING) or type(error).__module__.partition(".")[0] in _AWAY:
            return StoreUnavailable(f"the catalog does not answer: {message}")
        return InvalidInput(f"the catalog cannot give it: {message}")
