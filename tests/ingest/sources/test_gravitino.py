"""Gravitino: answers written by hand after the documentation of its REST interface (1.0), since no server of it runs here."""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator
from typing import Any

import pytest

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, EdgeType, build_column_key, build_dataset_key, build_owner_key
from meshline.graph.store.factory import open_store
from meshline.ingest.sources import http_reader
from meshline.ingest.sources.metastore.gravitino import Gravitino, format_gravitino_type
from tests.ingest.sources.iceberg_catalog import count_outcomes, read_shown_attributes
from tests.ingest.sources.json_server import Asked, Failure, serve_json
from tests.ingest.sources.test_hive import load_source

ROOT = "/api/metalakes/demo"
SCHEMA = f"{ROOT}/catalogs/hive_prod/schemas/shop"
ORDERS = {
    "name": "orders",
    "comment": "all orders",
    "columns": [
        {"name": "id", "type": "long", "comment": "the number", "nullable": False, "autoIncrement": False},
        {
            "name": "address",
            "type": {"type": "struct", "fields": [{"name": "city", "type": "string", "nullable": True, "comment": "where"}]},
            "nullable": True,
        },
        {"name": "tags", "type": {"type": "list", "elementType": "string", "containsNull": True}, "nullable": True},
        {"name": "scores", "type": {"type": "map", "keyType": "string", "valueType": "decimal(10,2)", "valueContainsNull": True}},
        {"name": "day", "type": "date"},
    ],
    "properties": {
        "location": "hdfs://nn:8020/warehouse/shop.db/orders",
        "format": "PARQUET",
        "table-type": "MANAGED_TABLE",
        "password": "x",
    },
    "partitioning": [{"strategy": "identity", "fieldName": ["day"]}, {"strategy": "bucket", "numBuckets": 4, "fieldNames": [["id"]]}],
    "audit": {"creator": "anonymous", "createTime": "2026-01-01T10:00:00.123Z", "lastModifiedTime": "2026-01-02T10:00:00Z"},
}


class Server:
    """A metalake with a Hive catalog of one table, and a catalog of another kind. `answers`: others, by path."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        catalogs = [
            {
                "name": "hive_prod", "type": "relational", "provider": "hive", "comment": "the lake",
                "properties": {"metastore.uris": "thrift://metastore.internal:9083"},
            },
            {"name": "files", "type": "fileset", "provider": "hadoop"},
        ]  # fmt: skip
        self.answers: dict[str, Any] = {
            f"{ROOT}/catalogs": {"code": 0, "catalogs": catalogs},
            f"{ROOT}/catalogs/hive_prod/schemas": {"code": 0, "identifiers": [{"namespace": ["demo", "hive_prod"], "name": "shop"}]},
            SCHEMA: {"code": 0, "schema": {"name": "shop", "comment": "what the shop sells"}},
            f"{SCHEMA}/tables": {"code": 0, "identifiers": [{"namespace": ["demo", "hive_prod", "shop"], "name": "orders"}]},
            f"{SCHEMA}/tables/orders": {"code": 0, "table": copy.deepcopy(ORDERS)},
            f"{ROOT}/owners/table/hive_prod.shop.orders": {"code": 0, "owner": {"name": "sales", "type": "group"}},
            f"{ROOT}/objects/table/hive_prod.shop.orders/tags": {"code": 0, "names": ["pii", "gold"]},
        }

    def __call__(self, asked: Asked) -> Any:
        self.asked.append(asked)
        missing = Failure(404, {"code": 1003, "type": "NoSuchTableException", "message": "there is none"})
        return self.answers.get(asked.path, missing)


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    store = open_store("sqlite://")
    yield LiveGraph.open(store)
    store.close()


def build_key(column: str = "") -> AssetKey:
    dataset = build_dataset_key("demo", "hive_prod.shop.orders")
    return build_column_key(dataset, column) if column else dataset


def build_source(url: str, **keys: Any) -> Gravitino:
    return Gravitino(**{"url": url, "metalake": "demo", **keys})


def test_tables_have_columns_owners_tags_and_all_their_names(graph: LiveGraph) -> None:
    server = Server()
    with serve_json(server) as url:
        source = build_source(url, user="ann")
        loading = load_source(graph, source)
        assert (loading.refused, loading.warnings, loading.new) == ((), (), 1)
        assert {one.authorization for one in server.asked} == {f"Basic {base64.b64encode(b'ann:dummy').decode()}"}
        assert count_outcomes(load_source(graph, source)) == (0, 0, 1, 0, 0)
    shown = read_shown_attributes(graph, build_key())
    assert (shown["format"], shown["description"], shown["namespace_description"]) == ("parquet", "all orders", "what the shop sells")
    assert (shown["partition_columns"], shown["tags"], shown["table_type"]) == (["day"], ["gold", "pii"], "MANAGED_TABLE")
    assert "password" not in shown["properties"]
    types = {
        path: read_shown_attributes(graph, build_key(path))["type"] for path in ("id", "address", "address.city", "tags.element", "scores")
    }
    assert types == {
        "id": "long", "address": "struct<city: string>", "address.city": "string", "tags.element": "string",
        "scores": "map<string, decimal(10,2)>",
    }  # fmt: skip
    assert read_shown_attributes(graph, build_key("address.city"))["description"] == "where"
    with graph.lock:
        assets = graph.index.assets
        owner = assets.find_by_key(build_owner_key("sales"))
        assert owner is not None
        assert graph.index.ownership.list_edges(owner, EdgeType.OWNS)
        node = assets.find_by_key(build_key())
        assert node == assets.find_by_key(build_dataset_key("hive://metastore.internal:9083", "shop.orders")), "the metastore's own name"
        assert node == assets.find_by_key(build_dataset_key("hdfs://nn:8020", "/warehouse/shop.db/orders")), "the place"


def test_owners_and_tags_that_a_server_does_not_know_or_permit(graph: LiveGraph) -> None:
    server = Server()
    del server.answers[f"{ROOT}/owners/table/hive_prod.shop.orders"]
    server.answers[f"{ROOT}/objects/table/hive_prod.shop.orders/tags"] = Failure(403, {"message": "no"})
    with serve_json(server) as url:
        assert not load_source(graph, build_source(url)).refused
        asked = len(server.asked)
        load_source(graph, build_source(url, details=False))
        assert len(server.asked) - asked == asked - 2
    assert "tags" not in read_shown_attributes(graph, build_key())


def test_a_table_that_was_dropped_while_it_was_listed_and_one_that_cannot_be_read(graph: LiveGraph) -> None:
    server = Server()
    with serve_json(server) as url:
        load_source(graph, build_source(url))
        server.answers[f"{SCHEMA}/tables/orders"] = Failure(500, {"message": "the metastore is broken"})
        loading = load_source(graph, build_source(url))
        assert f"{url} answers HTTP status 500: the metastore is broken" in str(loading.refused[0])
        assert loading.retracted == 0
        del server.answers[f"{SCHEMA}/tables/orders"]
        assert load_source(graph, build_source(url)).retracted == 1


def test_a_schema_or_catalog_that_cannot_be_listed_keeps_what_was_known(graph: LiveGraph) -> None:
    server = Server()
    with serve_json(server) as url:
        load_source(graph, build_source(url))
        server.answers[SCHEMA] = Failure(403, {"message": "not permitted"})
        loading = load_source(graph, build_source(url))
        refused = f"hive_prod.shop: {url} refuses access (HTTP status 403: not permitted); set the key token to one that may read it"
        assert [str(error) for error in loading.refused] == [refused]
        server.answers[f"{ROOT}/catalogs/hive_prod/schemas"] = Failure(500)
        loading = load_source(graph, build_source(url))
        assert str(loading.refused[0]).startswith("hive_prod: ")
        assert str(loading.refused[0]).endswith("answers HTTP status 500")
        assert loading.retracted == 0


def test_what_is_asked_for_must_exist(graph: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_reader, "WAITS", ())
    with serve_json(Server()) as url:
        with pytest.raises(InvalidInput, match="catalogs: there is no relational catalog 'files'; there are: hive_prod"):
            load_source(graph, build_source(url, catalogs=["files"]))
        with pytest.raises(InvalidInput, match="answers HTTP status 404: there is none"):
            load_source(graph, build_source(url, metalake="other"))
    with pytest.raises(StoreUnavailable, match=r"Gravitino does not answer at http://127\.0\.0\.1:1"):
        load_source(graph, build_source("http://127.0.0.1:1"))


def test_a_table_of_iceberg_behind_it_and_types_of_other_systems(graph: LiveGraph) -> None:
    server = Server()
    server.answers[f"{ROOT}/catalogs"]["catalogs"][0] |= {"provider": "lakehouse-iceberg", "properties": None}
    server.answers[f"{SCHEMA}/tables/orders"]["table"]["columns"] = [
        {"name": "g", "type": {"type": "external", "catalogString": "geometry"}}
    ]
    with serve_json(server) as url:
        assert not load_source(graph, build_source(url)).refused
    assert read_shown_attributes(graph, build_key())["format"] == "iceberg"
    assert read_shown_attributes(graph, build_key("g"))["type"] == "geometry"


def test_types_that_are_wrong_or_too_deep(graph: LiveGraph) -> None:
    deep: Any = "int"
    for _ in range(30):
        deep = {"type": "list", "elementType": deep}
    assert format_gravitino_type(deep).count("list<") == 24
    assert format_gravitino_type({"type": "struct", "fields": [1, {"name": 2}]}) == "struct"
    assert format_gravitino_type({"type": "list", "elementType": 3}) == "list"
    server = Server()
    server.answers[f"{SCHEMA}/tables/orders"]["table"]["columns"] = [{"name": "c", "type": deep}]
    with serve_json(server) as url:
        loading = load_source(graph, build_source(url))
    assert "is nested more than 24 levels deep" in str(loading.refused[0])
