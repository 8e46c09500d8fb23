"""A small Thrift server that answers as a recorded Hive metastore did, so that the real client is tested in every run."""

from __future__ import annotations

import contextlib
import json
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hive_metastore.ThriftHiveMetastore import Processor
from hive_metastore.ttypes import Database, GetTablesRequest, GetTablesResult, MetaException, NoSuchObjectException, Table
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TApplicationException
from thrift.transport.TTransport import TFileObjectTransport, TTransportException

from tests.ingest.sources.metastore_tables import load_objects

RECORDED = Path(__file__).parent / "hive_metastore"
VERSIONS = ("version_2_3_9", "version_4_0_1")
WAREHOUSE = "file:/warehouse/shop.db"  # in the recorded objects


class RecordedMetastore:
    """Answers requests by recorded objects. `broken`: tables that no request can load. `asked`: how often each request came."""

    def __init__(self, version: str) -> None:
        folder = RECORDED / version
        text = (folder / "objects.json").read_text(encoding="utf-8")
        self.databases, self.tables = load_objects(json.loads(text.replace(WAREHOUSE, f"file:{folder}/warehouse/shop")))
        self.is_new = version == "version_4_0_1"
        self.broken: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.drop_connections = 0  # so many of the next requests find the connection closed

    def get_all_databases(self) -> list[str]:
        self._count("get_all_databases")
        return list(self.databases)

    def get_database(self, name: str) -> Database:
        self._count("get_database")
        if name not in self.databases:
            raise NoSuchObjectException(f"database {name} not found")
        return self.databases[name]

    def get_all_tables(self, database: str) -> list[str]:
        self._count("get_all_tables")
        return [name.partition(".")[2] for name in self.tables if name.partition(".")[0] == database]

    def get_table_objects_by_name(self, database: str, names: list[str]) -> list[Table]:
        self._count("get_table_objects_by_name")
        return self._find(database, names)

    def get_table_objects_by_name_req(self, request: GetTablesRequest) -> GetTablesResult:
        self._count("get_table_objects_by_name_req")
        if not self.is_new:
            raise TApplicationException(TApplicationException.UNKNOWN_METHOD, "Invalid method name: 'get_table_objects_by_name_req'")
        return GetTablesResult(self._find(request.dbName, request.tblNames))

    def _find(self, database: str, names: list[str]) -> list[Table]:
        wanted = [f"{database}.{name}" for name in names]
        if self.broken & set(wanted):
            raise MetaException("java.lang.RuntimeException: cannot load the class of the SerDe")
        return [self.tables[name] for name in wanted if name in self.tables]

    def _count(self, request: str) -> None:
        self.asked[request] += 1
        if self.drop_connections:
            self.drop_connections -= 1
            raise TTransportException(message="closed")


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        protocol = TBinaryProtocol(TFileObjectTransport(self.request.makefile("rwb")))
        processor: Any = Processor(self.server.metastore)  # type: ignore[attr-defined]
        with contextlib.suppress(EOFError, TTransportException, OSError):
            while True:
                processor.process(protocol, protocol)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        """A client that went away is no failure of a test."""


@contextlib.contextmanager
def serve_metastore(metastore: object, handler: type[socketserver.BaseRequestHandler] = _Connection) -> Iterator[str]:
    """Serve it on loopback. Yields its URI."""
    with _Server(("127.0.0.1", 0), handler) as server:
        server.metastore = metastore  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"thrift://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
