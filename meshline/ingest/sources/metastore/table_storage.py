"""Tables whose metadata are beside their data: a catalog knows only where. Iceberg's by pyiceberg's file access, Delta's by deltalake."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

import msgspec

from meshline.errors import InvalidInput, MissingExtra, require_extra
from meshline.ingest.sources.delta.parse import COMMENT
from meshline.ingest.sources.iceberg.parse import MAX_BYTES, Table, parse_metadata
from meshline.ingest.sources.metastore.catalog_table import CatalogColumn, CatalogTable
from meshline.ingest.sources.secrets import Properties, Redaction

_LOCAL = re.compile(r"file:/+", re.IGNORECASE)
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]+")
_PLACEHOLDERS: tuple[list[tuple[str, str]], ...] = (
    [],
    [("col", "array<string>")],
    [("dummy", "string")],
)  # what Spark and Trino write where the columns are elsewhere


class TableStorage:
    """The storage of a catalog's tables. `properties`: of pyiceberg's file access; `options`: deltalake's storage options."""

    def __init__(self, properties: Properties, options: Mapping[str, str], redact: Redaction) -> None:
        self._properties = properties
        self._options = options
        self._redact = redact
        self._unreachable: dict[str, str] = {}  # buckets and hosts that failed in this reading, with the error: each try takes long

    def read_iceberg(self, location: str) -> Table:
        """The metadata of an Iceberg table. Raises InvalidInput, MissingExtra."""
        with require_extra("iceberg", "reading the metadata of Iceberg tables"):
            from pyiceberg.io import load_file_io  # noqa: PLC0415 - an extra
        shown = self._redact(location)
        self._check_reachable(location)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with load_file_io(self._properties, location).new_input(location).open() as file:
                    data = file.read(MAX_BYTES + 1)
        except Exception as error:  # noqa: BLE001 - file systems are plugins, which may raise any exception
            problem = f"its metadata cannot be read: {self._redact(f'{type(error).__name__}: {error}')}"
            if not isinstance(error, FileNotFoundError | PermissionError):
                self._unreachable[_find_authority(location)] = problem
            raise InvalidInput(problem, shown) from None
        if len(data) > MAX_BYTES:
            raise InvalidInput(f"its metadata have more than {MAX_BYTES} bytes", shown)
        try:
            found = parse_metadata(data)
        except InvalidInput as error:
            raise InvalidInput(str(error), shown) from None
        if not isinstance(found, Table):
            raise InvalidInput("its metadata are those of a view", shown)
        return found

    def read_delta(self, table: CatalogTable) -> CatalogTable:
        """The table with what its Delta log has: columns, constraints, properties, and the time of the newest change of these.

        Raises InvalidInput, MissingExtra.
        """
        with require_extra("delta", "reading Delta tables"):
            from meshline.ingest.sources.delta.log import open_table, read_history  # noqa: PLC0415 - an extra
        location = _LOCAL.sub("/", table.location)
        self._check_reachable(location)
        try:
            newest = read_history(open_table(location, self._options), location, self._options, 1).versions[-1]
        except InvalidInput as error:
            if "cannot be read" in str(error):  # else it is no Delta table
                self._unreachable[_find_authority(location)] = str(error)
            raise
        columns = [
            CatalogColumn(one.path, one.type, one.position, str(one.metadata.get(COMMENT) or ""), nullable=one.nullable)
            for one in newest.columns
        ]
        return msgspec.structs.replace(
            table,
            columns=tuple(columns),
            comment=table.comment or newest.description,
            partition_columns=newest.partition_columns,
            properties={**table.properties, **newest.properties},
            others={**table.others, "table_uuid": newest.table_id},
        )

    def _check_reachable(self, location: str) -> None:
        """Raises InvalidInput if the bucket or host of a location failed before."""
        authority = _find_authority(location)
        if authority and authority in self._unreachable:
            raise InvalidInput(f"{authority} could not be read for another table: {self._unreachable[authority]}", self._redact(location))


def _find_authority(location: str) -> str:
    """`s3://bucket` of a location; empty for a local one."""
    match = _AUTHORITY.match(location)
    return match[0].rpartition("@")[2] if match is not None else ""


def read_stored_columns(table: CatalogTable, storage: TableStorage) -> tuple[CatalogTable, str]:
    """A Delta table whose columns the catalog does not list, with those of its own log; any other as it is. Also why that was not
    possible, in words.
    """
    given = [(one.path, one.type) for one in table.columns if "." not in one.path]
    if table.format != "delta" or not table.location or given not in _PLACEHOLDERS:
        return table, ""
    try:
        return storage.read_delta(table), ""
    except (InvalidInput, MissingExtra) as error:
        return msgspec.structs.replace(table, columns=()), f"its Delta log is not read, so it is without columns: {error}"
