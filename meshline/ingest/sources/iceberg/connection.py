"""Connecting to a catalog of whatever kind: through pyiceberg, but for REST catalogs, whose tables are loaded by requests of our own."""

from __future__ import annotations

from typing import Any

from pyiceberg.catalog import Catalog, infer_catalog_type, load_catalog
from pyiceberg.exceptions import NotInstalledError
from pyiceberg.utils.config import Config, merge_config

from meshline.errors import InvalidInput, MissingExtra
from meshline.ingest.sources.iceberg.catalogs import LibraryCatalog
from meshline.ingest.sources.iceberg.properties import Properties, Redaction

_EXTRAS = {"boto3": "glue", "sqlalchemy": "iceberg"}  # a library that pyiceberg uses: the extra of ours that installs it


def kind_of(name: str, properties: Properties) -> tuple[str, dict[str, Any]]:
    """(type of the catalog, its properties with those of pyiceberg's own configuration). Raises InvalidInput."""
    try:
        merged: dict[str, Any] = dict(merge_config(Config().get_catalog_config(name) or {}, properties))  # type: ignore[arg-type]
        if merged.get("py-catalog-impl"):
            return "custom", merged
        kind = str(merged.get("type") or "").lower()
        if not kind:
            inferred = infer_catalog_type(name, merged)
            kind = inferred.value if inferred is not None else ""
    except ValueError as error:
        raise InvalidInput(f"its kind cannot be told: give properties such as uri and type ({error})", "properties") from None
    return kind, merged


def opened(name: str, kind: str, properties: Properties, merged: Properties, redacted: Redaction) -> LibraryCatalog:
    """Connect. Raises InvalidInput, StoreUnavailable, MissingExtra."""
    if kind == "rest":
        from meshline.ingest.sources.iceberg.rest import RestAccess  # noqa: PLC0415 - it costs a second to import

        return RestAccess(name, merged, redacted)

    def connect() -> Catalog:
        try:
            return load_catalog(name, **properties)  # type: ignore[arg-type]
        except NotInstalledError as error:
            library = getattr(error.__cause__, "name", None) or ""
            if library not in _EXTRAS:
                raise
            raise MissingExtra(_EXTRAS[library], f"reading a catalog of the type {kind}") from error

    return LibraryCatalog(connect, redacted)
