"""Hive metastore: databases, tables and views, over Thrift."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from pydantic import Field

from meshline.errors import InvalidInput, StoreUnavailable, require_extra
from meshline.ingest.sources.base import Context, Reading, Refusal, Source
from meshline.ingest.sources.iceberg.facts import NamespaceDefaults
from meshline.ingest.sources.metastore.catalog_table import CatalogTable, Listing, RefusedTable
from meshline.ingest.sources.metastore.hive_tables import HiveColumn, HiveTable, parse_hive_table
from meshline.ingest.sources.metastore.table_storage import TableStorage
from meshline.ingest.sources.metastore.walk import CatalogIdentity, CatalogReader, Selection
from meshline.ingest.sources.secrets import Redaction, expand_options, expand_properties, expand_variables

if TYPE_CHECKING:
    from hive_metastore.ThriftHiveMetastore import Client
    from hive_metastore.ttypes import FieldSchema, Table

T = TypeVar("T")

logging.getLogger("thrift.transport.TSocket").setLevel(logging.CRITICAL)  # meshline reports what cannot be reached

PORT = 9083
PAGE = 200  # tables of one request
CONNECT_MILLISECONDS, READ_MILLISECONDS = 10_000, 60_000
WAITS = (0.5, 2.0)  # seconds before each further try
MAX_TEXT = 64 * 2**20  # bytes of one text of an answer
MAX_LIST = 1_000_000  # entries of one list of an answer
ROLE_OWNER, GROUP_OWNER = 2, 3  # Thrift's PrincipalType


class Hive(Source):
    """A Hive metastore. `uri`: `thrift://host:9083`, or several of one metastore with commas between. `namespace`: of the datasets, instead
    of `hive://host:port` of the first. `tables`: patterns of `database.table`. `properties`: of pyiceberg's file access, for Iceberg
    tables; `storage_options`: of deltalake, for Delta tables. In these, `${NAME}` is a variable of the environment.
    """

    kind: ClassVar[str] = "hive"

    uri: Annotated[str, Field(min_length=1, max_length=2_000)]
    namespace: str = ""
    tables: tuple[str, ...] = ()
    properties: dict[str, Any] = Field(default={}, repr=False)
    storage_options: Mapping[str, str] = Field(default={}, repr=False)

    def read(self, context: Context) -> Reading:
        uri = expand_variables(self.uri, "uri", context.variables)
        addresses = parse_addresses(uri)
        with require_extra("hive", "reading a Hive metastore"):
            import hive_metastore.ThriftHiveMetastore  # noqa: F401, PLC0415 - an extra, and slow to import
        properties = expand_properties(self.properties, context.variables)
        options = expand_options(self.storage_options, context.variables, "storage_options")
        redact = Redaction({**self.properties, **self.storage_options}, {**properties, **options})
        namespace = context.resolve_namespace(self.namespace) if self.namespace else "hive://{}:{}".format(*addresses[0])
        identity = CatalogIdentity(self.kind, "Hive", namespace)
        selection = Selection(identity, self.tables)
        metastore = Metastore(addresses)
        databases = metastore.call(lambda client: client.get_all_databases())  # here, so that a metastore that is away is an error
        listing = list_metastore(metastore, sorted(databases), selection)
        return CatalogReader(identity, listing, selection, TableStorage(properties, options, redact), context).build_reading(self.source)


def parse_addresses(uri: str) -> list[tuple[str, int]]:
    """(host, port) of each metastore of `thrift://host:9083,thrift://other:9083`. Raises InvalidInput."""
    found = []
    for text in uri.split(","):
        try:
            parts = urlsplit(text.strip())
            host, port = parts.hostname, parts.port or PORT
        except ValueError:
            parts, host, port = None, None, PORT
        if parts is None or parts.scheme not in ("thrift", "hive") or not host or parts.username:
            raise InvalidInput("accepted is the address of a Hive metastore such as thrift://metastore:9083", "uri")
        found.append((host, port))
    return found


def list_metastore(metastore: Metastore, databases: Sequence[str], selection: Selection) -> Listing:
    """The tables and views of all databases, a page of tables at a time. Raises StoreUnavailable."""
    try:
        for name in databases:
            try:
                yield from _list_database(metastore, name, selection)
            except InvalidInput as error:
                yield Refusal(InvalidInput(str(error), name))
    finally:
        metastore.close()


def _list_database(metastore: Metastore, name: str, selection: Selection) -> Listing:
    database = metastore.call(lambda client: client.get_database(name))
    defaults = NamespaceDefaults(database.ownerName or "", database.description or "")
    names = [table for table in sorted(metastore.call(lambda client: client.get_all_tables(name))) if selection.includes((name, table))]
    for begin in range(0, len(names), PAGE):
        page = names[begin : begin + PAGE]
        try:
            found = metastore.load_tables(name, page)
        except InvalidInput:
            yield from _load_each(metastore, name, page, defaults)
        else:
            yield from (_parse(table, defaults) for table in found)


def _load_each(metastore: Metastore, database: str, names: Sequence[str], defaults: NamespaceDefaults) -> Listing:
    """One table at a time, after a page that could not be loaded: only those are refused that cause it."""
    for name in names:
        try:
            yield from (_parse(table, defaults) for table in metastore.load_tables(database, [name]))
        except InvalidInput as error:
            yield RefusedTable((database, name), InvalidInput(str(error), f"{database}.{name}"))


def _parse(table: Table, defaults: NamespaceDefaults) -> CatalogTable | RefusedTable:
    try:
        return parse_hive_table(convert_table(table, defaults))
    except InvalidInput as error:
        return RefusedTable((table.dbName or "", table.tableName or ""), error)


def convert_table(table: Table, defaults: NamespaceDefaults) -> HiveTable:
    """The table of a metastore's answer. What is missing is empty: Thrift's fields are optional."""
    storage = table.sd
    return HiveTable(
        database=table.dbName or "",
        name=table.tableName or "",
        owner=table.owner or "",
        owner_is_stated=table.ownerType in (ROLE_OWNER, GROUP_OWNER),
        created=table.createTime or 0,
        table_type=table.tableType or "",
        columns=_convert_columns(storage.cols if storage is not None else ()),
        partition_keys=_convert_columns(table.partitionKeys),
        location=(storage.location or "") if storage is not None else "",
        input_format=(storage.inputFormat or "") if storage is not None else "",
        serde=(storage.serdeInfo.serializationLib or "") if storage is not None and storage.serdeInfo is not None else "",
        parameters={name: text for name, text in (table.parameters or {}).items() if isinstance(name, str) and isinstance(text, str)},
        view_original=table.viewOriginalText or "",
        view_expanded=table.viewExpandedText or "",
        defaults=defaults,
    )


def _convert_columns(given: Sequence[FieldSchema] | None) -> list[HiveColumn]:
    return [HiveColumn(one.name or "", one.type or "", one.comment or "") for one in given or ()]


class Metastore:
    """A connection to one of several addresses of a metastore. It raises only MeshlineError."""

    def __init__(self, addresses: Sequence[tuple[str, int]]) -> None:
        self._addresses = addresses
        self._client: Client | None = None
        self._transport: Any = None
        self._has_requests = True  # whether it knows get_table_objects_by_name_req, which version 3 brought and a later one needs

    def load_tables(self, database: str, names: Sequence[str]) -> list[Table]:
        """The tables of these names; those that do not exist any more are left out. Raises InvalidInput, StoreUnavailable."""
        from hive_metastore.ttypes import ClientCapabilities, ClientCapability, GetTablesRequest  # noqa: PLC0415 - an extra
        from thrift.Thrift import TApplicationException  # noqa: PLC0415 - an extra

        capabilities = ClientCapabilities([ClientCapability.INSERT_ONLY_TABLES])
        request = GetTablesRequest(dbName=database, tblNames=list(names), capabilities=capabilities)
        if self._has_requests:
            try:
                return list(self.call(lambda client: client.get_table_objects_by_name_req(request)).tables or ())
            except InvalidInput as error:
                cause = error.__cause__
                if not isinstance(cause, TApplicationException) or cause.type != TApplicationException.UNKNOWN_METHOD:
                    raise
                self._has_requests = False
        return list(self.call(lambda client: client.get_table_objects_by_name(database, list(names))) or ())

    def call(self, request: Callable[[Client], T]) -> T:
        """The answer to a request; three tries, at each of the addresses. Raises InvalidInput for an error that the metastore answers,
        StoreUnavailable if it does not answer.
        """
        from thrift.Thrift import TException  # noqa: PLC0415 - an extra
        from thrift.transport.TTransport import TTransportException  # noqa: PLC0415 - an extra

        waits = iter(WAITS)
        while True:
            try:
                return request(self._client or self._connect())
            except (TTransportException, OSError) as error:
                self.close()
                problem = self._describe(error)
            except TException as error:
                raise InvalidInput(f"the metastore answers {type(error).__name__}: {_read_message(error)}") from error
            except (AttributeError, KeyError, ValueError, TypeError, EOFError, MemoryError, RecursionError) as error:
                self.close()
                raise StoreUnavailable(f"{self._name} does not answer like a Hive metastore ({type(error).__name__})") from error
            wait = next(waits, None)
            if wait is None:
                raise StoreUnavailable(problem)
            time.sleep(wait)

    def close(self) -> None:
        """Close the connection; a later request opens another one."""
        transport, self._client, self._transport = self._transport, None, None
        if transport is not None:
            transport.close()

    def _connect(self) -> Client:
        """A connection to the first address that accepts one."""
        from hive_metastore.ThriftHiveMetastore import Client  # noqa: PLC0415 - an extra
        from thrift.protocol.TBinaryProtocol import TBinaryProtocol  # noqa: PLC0415 - an extra
        from thrift.transport.TSocket import TSocket  # noqa: PLC0415 - an extra
        from thrift.transport.TTransport import TBufferedTransport, TTransportException  # noqa: PLC0415 - an extra

        for at, (host, port) in enumerate(self._addresses):
            socket = TSocket(host, port)
            socket.setTimeout(CONNECT_MILLISECONDS)
            transport = TBufferedTransport(socket)
            try:
                transport.open()
            except TTransportException:
                if at == len(self._addresses) - 1:
                    raise
                continue
            socket.setTimeout(READ_MILLISECONDS)
            self._transport = transport
            self._client = Client(TBinaryProtocol(transport, string_length_limit=MAX_TEXT, container_length_limit=MAX_LIST))
            return self._client
        raise TTransportException(message="there is no address")

    @property
    def _name(self) -> str:
        return ", ".join(f"{host}:{port}" for host, port in self._addresses)

    def _describe(self, error: Exception) -> str:
        from thrift.transport.TTransport import TTransportException  # noqa: PLC0415 - an extra

        if isinstance(error, TTransportException) and error.type == TTransportException.END_OF_FILE:
            return (
                f"the Hive metastore at {self._name} closes the connection: does it demand Kerberos (SASL) or TLS? Neither is supported: "
                "see docs/sources/hive.md"
            )
        return f"the Hive metastore at {self._name} does not answer: {_read_message(error)}"


def _read_message(error: Exception) -> str:
    return " ".join(str(getattr(error, "message", None) or error or type(error).__name__).split())[:300]
