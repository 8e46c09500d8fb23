"""Tables that engines other than Spark put into a Hive metastore, and all that a metastore has, as JSON."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType
from hive_metastore.ttypes import Database, FieldSchema, SerDeInfo, StorageDescriptor, Table
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.schema import Schema as IcebergSchema
from pyiceberg.types import DoubleType, NestedField, StringType
from thrift.protocol.TJSONProtocol import TJSONProtocolFactory
from thrift.Thrift import TApplicationException
from thrift.TSerialization import deserialize, serialize

from meshline.ingest.sources.metastore.hive import Metastore, parse_addresses
from tests.ingest.sources.iceberg_catalog import ignore_warnings

TRINO_VIEW = {  # as Trino 476 and Athena encode a view: ConnectorViewDefinition
    "originalSql": "SELECT o.id, upper(c.url) AS address FROM orders o JOIN hive.shop.clicks c ON c.user_id = o.id",
    "catalog": "hive",
    "schema": "shop",
    "columns": [{"name": "id", "type": "bigint"}, {"name": "address", "type": "varchar"}],
    "owner": "ann",
    "runAsInvoker": False,
}


def encode_trino_view(definition: Mapping[str, Any], kind: str = "") -> str:
    return f"/* Presto {kind}View: {base64.b64encode(json.dumps(definition).encode()).decode()} */"


def build_table(
    name: str,
    columns: Sequence[tuple[str, str]],
    kind: str,
    *,
    location: str | None = None,
    parameters: Mapping[str, str] | None = None,
    original: str | None = None,
    expanded: str | None = None,
) -> Table:
    fields = [FieldSchema(column, type_, None) for column, type_ in columns]
    text = "org.apache.hadoop.mapred.TextInputFormat"
    serde = SerDeInfo("", "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe", {})
    storage = StorageDescriptor(
        fields, location, text, text, compressed=False, numBuckets=0, serdeInfo=serde, bucketCols=[], sortCols=[], parameters={}
    )
    return Table(
        name, "shop", "etl", 0, 0, 0, storage, [], dict(parameters or {}), original, expanded, kind
    )  # fmt: skip


def list_tables(warehouse: Path) -> list[Table]:
    """Views of Hive and of Trino, and a Delta table as Spark registers one; its log is in the warehouse."""
    shown = [("id", "bigint"), ("address", "string")]
    plain = "select o.id, o.customeremail mail from orders o"
    full = "select `o`.`id`, `o`.`customeremail` `mail` from `shop`.`orders` `o`"
    delta = {"spark.sql.sources.provider": "delta", "spark.sql.partitionProvider": "catalog"}
    return [
        build_table("mails", [("id", "bigint"), ("mail", "string")], "VIRTUAL_VIEW", original=plain, expanded=full),
        build_table(
            "seen", shown, "VIRTUAL_VIEW", parameters={"presto_view": "true", "comment": "Presto View"},
            original=encode_trino_view(TRINO_VIEW), expanded="/* Presto View */",
        ),
        build_table(
            "seen_stored", shown, "VIRTUAL_VIEW", parameters={"presto_view": "true"},
            original=encode_trino_view(TRINO_VIEW, "Materialized "), expanded="/* Presto Materialized View */",
        ),
        build_table(
            "stock", [("col", "array<string>")], "EXTERNAL_TABLE", location=f"{warehouse.as_uri()}/shop.db/stock", parameters=delta
        ),
    ]  # fmt: skip


def add_database(uri: str) -> None:
    """Add the database `shop`, with a table that the views read."""
    columns = [("id", "bigint"), ("customeremail", "string"), ("address", "struct<city:string,zip:array<int>>")]
    metastore = Metastore(parse_addresses(uri))
    metastore.call(lambda client: client.create_database(Database("shop", "what the shop sells", None, {}, None, "ann@example.com", 1)))
    orders = build_table("orders", columns, "MANAGED_TABLE", parameters={"comment": "all orders"})
    orders.partitionKeys = [FieldSchema("day", "date", "of the order")]
    clicks = build_table("clicks", [("user_id", "bigint"), ("url", "string")], "MANAGED_TABLE")
    for table in (orders, clicks):
        metastore.call(lambda client, table=table: client.create_table(table))  # type: ignore[misc]
    metastore.close()


def open_iceberg(uri: str) -> Catalog:
    """pyiceberg's catalog of the Iceberg tables in a metastore."""
    return load_catalog("hive", **{"type": "hive", "uri": uri, "py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"})


def add_iceberg_table(uri: str) -> None:
    """Add an Iceberg table by pyiceberg, which makes it in version 4, too, but then asks for it by a request that this version lost."""
    fields = [NestedField(1, "sku", StringType(), doc="the key"), NestedField(2, "unit_price", DoubleType())]
    with contextlib.suppress(TApplicationException), ignore_warnings():
        open_iceberg(uri).create_table(("shop", "items"), IcebergSchema(*fields), properties={"owner": "ann@example.com"})


def add_tables(uri: str, warehouse: Path) -> None:
    """Add the tables to the database `shop`."""
    columns = [
        Field("sku", PrimitiveType("string"), nullable=False, metadata={"comment": "the key"}),
        Field("pieces", PrimitiveType("long")),
    ]
    DeltaTable.create(str(warehouse / "shop.db" / "stock"), Schema(columns), description="what is there")
    metastore = Metastore(parse_addresses(uri))
    for table in list_tables(warehouse):
        metastore.call(lambda client, table=table: client.create_table(table))  # type: ignore[misc]
    metastore.close()


def dump_objects(uri: str) -> dict[str, Any]:
    """All databases and tables of a metastore, in Thrift's JSON: `databases` by name, `tables` by `database.table`."""
    metastore = Metastore(parse_addresses(uri))
    names = metastore.call(lambda client: client.get_all_databases())
    databases = {name: metastore.call(lambda client, name=name: client.get_database(name)) for name in names}  # type: ignore[misc]
    tables = [
        table
        for name in names
        for table in metastore.load_tables(name, metastore.call(lambda client, name=name: client.get_all_tables(name)))  # type: ignore[misc]
    ]
    metastore.close()
    return {
        "databases": {name: _to_json(one) for name, one in databases.items()},
        "tables": {f"{one.dbName}.{one.tableName}": _to_json(one) for one in tables},
    }


def _to_json(one: object) -> Any:
    return json.loads(serialize(one, TJSONProtocolFactory()))


def load_objects(objects: Mapping[str, Any]) -> tuple[dict[str, Database], dict[str, Table]]:
    """The databases by name, and the tables by `database.table`."""
    databases = {name: _from_json(Database(), one) for name, one in objects["databases"].items()}
    return databases, {name: _from_json(Table(), one) for name, one in objects["tables"].items()}


def _from_json(empty: Any, value: Any) -> Any:
    return deserialize(empty, json.dumps(value, separators=(",", ":")).encode(), TJSONProtocolFactory())
