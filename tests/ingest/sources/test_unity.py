"""Unity Catalog: answers written by hand after the documentation of its REST interface (2.1), since no server of it runs here."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, EdgeType, build_column_key, build_dataset_key, build_owner_key
from meshline.graph.naming import Naming
from meshline.graph.store.factory import open_store
from meshline.ingest.sources import http_reader
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.metastore.unity import Unity, format_unity_namespace
from tests.ingest.sources.iceberg_catalog import count_outcomes, read_shown_attributes
from tests.ingest.sources.json_server import Asked, Failure, serve_json
from tests.ingest.sources.test_hive import list_flows, load_source

NAMESPACE = "databricks://adb-1.azuredatabricks.net"
PREFIX = "/api/2.1/unity-catalog"
CUSTOMERS = {
    "name": "customers",
    "catalog_name": "main",
    "schema_name": "crm",
    "full_name": "main.crm.customers",
    "table_type": "MANAGED",
    "data_source_format": "DELTA",
    "columns": [
        {"name": "id", "type_text": "bigint", "type_name": "LONG", "position": 0, "nullable": False, "comment": "the number"},
        {
            "name": "email", "type_text": "string", "type_name": "STRING", "position": 1, "nullable": True,
            "mask": {"function_name": "main.crm.mask_mail", "using_column_names": ["country"]},
        },
        {"name": "address", "type_text": "struct<city:string,zip:string>", "type_name": "STRUCT", "position": 2},
        {"name": "country", "type_text": "string", "type_name": "STRING", "position": 3, "partition_index": 0},
    ],
    "storage_location": "s3://lake/main/crm/customers",
    "owner": "crm-team",
    "comment": "all customers",
    "properties": {"data-product.name": "customers"},
    "created_at": 1_700_000_000_000,
    "updated_at": 1_700_000_100_000,
    "table_id": "7f3e",
    "row_filter": {"function_name": "main.crm.own_country", "input_column_names": ["country"]},
    "table_constraints": [{"primary_key_constraint": {"name": "pk", "child_columns": ["id"]}}],
}  # fmt: skip
VIEW = {
    "name": "mails",
    "catalog_name": "main",
    "schema_name": "crm",
    "table_type": "VIEW",
    "columns": [{"name": "mail", "type_text": "string", "position": 0}],
    "view_definition": "SELECT lower(c.email) AS mail FROM crm.customers c JOIN main.crm.countries n ON n.code = c.country",
    "owner": "ann@example.com",
    "updated_at": 1_700_000_200_000,
}
COUNTRIES = {
    "name": "countries",
    "table_type": "EXTERNAL",
    "columns": [{"name": "code", "type_text": "string", "position": 0}],
    "owner": "crm-team",
}


class Server:
    """A Unity Catalog of one schema with three tables, a page each. `answers`: others, by path."""

    def __init__(self) -> None:
        self.tables: list[Any] = copy.deepcopy([CUSTOMERS, VIEW, COUNTRIES])
        self.answers: dict[str, Any] = {}
        self.asked: list[Asked] = []

    def __call__(self, asked: Asked) -> Any:
        self.asked.append(asked)
        path = asked.path.removeprefix(PREFIX)
        if path in self.answers:
            return self.answers[path]
        if path == "/catalogs":
            return {"catalogs": [{"name": "main", "owner": "admins", "comment": "production"}, {"name": "system"}]}
        if path == "/schemas":
            assert asked.parameters["catalog_name"] == "main", "the catalog of Databricks itself is left out"
            return {
                "schemas": [{"name": "crm", "comment": "who buys", "owner": "crm-team"}, {"name": "information_schema"}],
                "next_page_token": "",
            }
        if path == "/tables":
            assert (asked.parameters["catalog_name"], asked.parameters["schema_name"]) == ("main", "crm")
            at = int(asked.parameters.get("page_token", "0"))
            following = {"next_page_token": str(at + 1)} if at + 1 < len(self.tables) else {}
            return {"tables": self.tables[at : at + 1], **following}
        return Failure(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found"})


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    store = open_store("sqlite://")
    yield LiveGraph.open(store)
    store.close()


def build_key(name: str, column: str = "") -> AssetKey:
    dataset = build_dataset_key(NAMESPACE, f"main.crm.{name}")
    return build_column_key(dataset, column) if column else dataset


def build_source(url: str, **keys: Any) -> Unity:
    return Unity(**{"url": url, "namespace": NAMESPACE, **keys})


def test_tables_have_columns_masks_owners_and_places(graph: LiveGraph) -> None:
    server = Server()
    with serve_json(server) as url:
        loading = load_source(graph, build_source(url, token="secret-token"))
    assert (loading.refused, loading.warnings) == ((), ()), "the catalog lists the columns of a Delta table: its log is not read"
    assert {one.authorization for one in server.asked} == {"Bearer secret-token"}
    shown = read_shown_attributes(graph, build_key("customers"))
    assert (shown["format"], shown["description"], shown["namespace_description"]) == ("delta", "all customers", "who buys")
    assert (shown["row_filter"], shown["partition_columns"], shown["table_uuid"]) == ("main.crm.own_country", ["country"], "7f3e")
    email = read_shown_attributes(graph, build_key("customers", "email"))
    assert (email["column_mask"], email["nullable"], email["type"]) == ("main.crm.mask_mail", True, "string")
    assert read_shown_attributes(graph, build_key("customers", "id"))["identifies"] is True
    assert read_shown_attributes(graph, build_key("customers", "address.city"))["type"] == "string"
    with graph.lock:
        assets = graph.index.assets
        for owner in ("crm-team", "ann@example.com"):
            node = assets.find_by_key(build_owner_key(owner))
            assert node is not None
            assert graph.index.ownership.list_edges(node, EdgeType.OWNS), "people set the owner, so a group is one"
        assert assets.find_by_key(build_key("customers")) == assets.find_by_key(build_dataset_key("s3://lake", "main/crm/customers"))
        assert assets.find_by_key(build_dataset_key(NAMESPACE, "system")) is None


def test_views_have_lineage_by_column(graph: LiveGraph) -> None:
    with serve_json(Server()) as url:
        load_source(graph, build_source(url))
    assert list_flows(graph, "main.crm.mails") == {
        ("main.crm.customers.email", "main.crm.mails.mail", "DIRECT", "TRANSFORMATION"),
        ("main.crm.customers.country", "main.crm.mails", "INDIRECT", "JOIN"),
        ("main.crm.countries.code", "main.crm.mails", "INDIRECT", "JOIN"),
    }


def test_a_second_reading_writes_nothing_and_a_third_only_what_changed(graph: LiveGraph) -> None:
    server = Server()
    with serve_json(server) as url:
        first = load_source(graph, build_source(url))
        assert count_outcomes(load_source(graph, build_source(url))) == (0, 0, first.new, 0, 0)
        server.tables[0]["comment"] = "those who bought"
        del server.tables[2]
        loading = load_source(graph, build_source(url))
    assert (loading.changed, loading.retracted, loading.refused) == (1, 1, ())


def test_tags_are_read_where_the_server_has_them(graph: LiveGraph) -> None:
    server = Server()
    tags = {"tag_assignments": [{"tag_key": "pii", "tag_value": "email"}, {"tag_key": "gold"}]}
    server.answers["/entity-tag-assignments/tables/main.crm.customers/tags"] = tags
    with serve_json(server) as url:
        loading = load_source(graph, build_source(url, tags=True))
    assert not loading.refused, "the others have none"
    assert read_shown_attributes(graph, build_key("customers"))["tags"] == ["gold", "pii=email"]


def grant(**privileges: list[str]) -> dict[str, Any]:
    """An answer of the permissions of a securable; `_at_` and `_` in a name: `@` and a space."""
    return {"privilege_assignments": [{"principal": build_principal(name), "privileges": had} for name, had in privileges.items()]}


def build_principal(name: str) -> str:
    return name.replace("_at_", "@").replace("_", " ")


def list_readers(graph: LiveGraph, key: AssetKey) -> dict[str, dict[str, Any]]:
    with graph.lock:
        node = graph.index.assets.find_by_key(key)
        edges = [] if node is None else graph.index.ownership.list_edges(node, EdgeType.MAY_READ, incoming=True)
        return {graph.index.assets.get_key(edge.start).name: dict(edge.attributes) for edge in edges}


class GrantingServer(Server):
    """Groups may use the schema and the catalog, analysts and Ann may read."""

    def __init__(self) -> None:
        super().__init__()
        self.answers |= {
            "/permissions/catalog/main": {**grant(analysts=["USE_CATALOG", "SELECT"]), "next_page_token": ""},
            "/permissions/schema/main.crm": grant(analysts=["USE_SCHEMA"], ops=["USE SCHEMA", "CREATE TABLE"]),
            "/permissions/table/main.crm.customers": grant(
                ann_at_example=["SELECT"], bob_at_example=["MODIFY"], eve_at_example=["ALL_PRIVILEGES"]
            ),
            "/permissions/table/main.crm.mails": grant(),
            "/permissions/table/main.crm.countries": grant(account_users=["SELECT"]),
        }


def test_grants_are_inherited_and_need_the_schema_and_the_catalog(graph: LiveGraph) -> None:
    server = GrantingServer()
    with serve_json(server) as url:
        loading = load_source(graph, build_source(url, grants=True, owners={"analysts": "team:bi"}))
        assert (loading.refused, loading.warnings, loading.has_rights) == ((), (), True)
        assert len([one for one in server.asked if one.path == f"{PREFIX}/permissions/catalog/main"]) == 1
        own = list_readers(graph, build_key("customers"))
        assert own == {name: {"row_filter": True} for name in ("ann@example", "crm-team", "eve@example", "team:bi")}
        masked = {name: {"row_filter": True, "masked": True} for name in own}
        assert list_readers(graph, build_key("customers", "email")) == masked, "the function of the mask is not evaluated"
        assert list_readers(graph, build_key("countries")) == {"account users": {"for_members": True}, "crm-team": {}, "team:bi": {}}
        assert list(list_readers(graph, build_key("mails"))) == ["ann@example.com", "team:bi"], "its owner may read a view"
        server.answers["/permissions/schema/main.crm"] = grant(ann_at_example=["USE_SCHEMA"])
        server.answers["/permissions/catalog/main"] = grant(eve_at_example=["USE_CATALOG"], ann_at_example=["ALL_PRIVILEGES"])
        load_source(graph, build_source(url, grants=True))
        assert list(list_readers(graph, build_key("customers"))) == ["ann@example"], "eve may not use the schema"


def test_grants_that_cannot_be_read_remain_as_they_were(graph: LiveGraph) -> None:
    server = GrantingServer()
    with serve_json(server) as url:
        load_source(graph, build_source(url, grants=True))
        before = list_readers(graph, build_key("customers"))
        server.answers["/permissions/table/main.crm.customers"] = Failure(403, {"message": "not the owner"})
        loading = load_source(graph, build_source(url, grants=True))
        assert (loading.retracted, loading.refused, loading.has_rights) == (0, (), False)
        assert list_readers(graph, build_key("customers")) == before
        assert ["main.crm.customers: its grants remain as they were" in one for one in loading.warnings] == [True]
        server.answers["/permissions/catalog/main"] = Failure(403, {"message": "no"})
        server.asked.clear()
        assert len(load_source(graph, build_source(url, grants=True)).warnings) == 3
        assert len([one for one in server.asked if one.path.endswith("/permissions/catalog/main")]) == 1
        assert not load_source(graph, build_source(url)).has_rights
        assert list_readers(graph, build_key("customers")) == {}, "they are not read any more"


def test_a_table_that_is_none_and_one_that_is_nested_too_deeply_are_refused_alone(graph: LiveGraph) -> None:
    server = Server()
    with serve_json(server) as url:
        load_source(graph, build_source(url))
        server.tables[2] = {"name": 7}
        server.tables[0]["columns"].append({"name": "deep", "type_text": "array<" * 30 + "int" + ">" * 30})
        loading = load_source(graph, build_source(url))
    assert str(loading.refused[1]).startswith("main.crm: a table that is not one of Unity Catalog: Expected `str`, got `int`")
    assert "is nested more than 24 levels deep" in str(loading.refused[0])
    assert loading.retracted == 0, "it may have been any table of the catalog"


def test_only_some_catalogs_and_tables(graph: LiveGraph) -> None:
    with serve_json(Server()) as url:
        with pytest.raises(InvalidInput, match="catalogs: there is no catalog 'mian'; there are: main, system"):
            load_source(graph, build_source(url, catalogs=["mian"]))
        load_source(graph, build_source(url))
        assert load_source(graph, build_source(url, catalogs=["main"], tables=["main.*.cust*"])).retracted == 0
        assert load_source(graph, build_source(url, tables=["main.*.cust*"], name="part")).new == 1


def test_refusals_of_the_server(graph: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_reader, "WAITS", (0.0,))
    server = Server()
    with serve_json(server) as url:
        load_source(graph, build_source(url))
        server.answers["/tables"] = Failure(403, {"message": "no USE SCHEMA for token s3cret-token"})
        loading = load_source(graph, build_source(url, token="s3cret-token"))
        assert [str(error) for error in loading.refused] == [
            f"main.crm: {url} refuses access (HTTP status 403: no USE SCHEMA for token ***); set the key token to one that may read it"
        ]
        assert loading.retracted == 0
        server.answers["/tables"] = Failure(503)
        loading = load_source(graph, build_source(url))
        assert "0 tables and views were read, the others remain as they were" in str(loading.refused[0])
        server.answers["/catalogs"] = Failure(401, {"message": "token expired"})
        with pytest.raises(StoreUnavailable, match=r"refuses access \(HTTP status 401: token expired\); set the key token"):
            load_source(graph, build_source(url))
        server.answers["/catalogs"] = {"catalogs": 1}
        with pytest.raises(InvalidInput, match="does not answer like Unity Catalog"):
            load_source(graph, build_source(url))
        server.answers["/catalogs"] = Failure(200, b"<html>")
        with pytest.raises(InvalidInput, match="does not answer like Unity Catalog"):
            load_source(graph, build_source(url))


def test_pages_that_lead_to_themselves_end(graph: LiveGraph) -> None:
    server = Server()
    server.answers["/tables"] = {"tables": [], "next_page_token": "again"}
    with serve_json(server) as url:
        assert load_source(graph, build_source(url)).refused == ()


@pytest.mark.parametrize(
    ("url", "namespace"),
    [
        ("https://adb-1.azuredatabricks.net/", "databricks://adb-1.azuredatabricks.net"),
        ("https://dbc-1.cloud.databricks.com", "databricks://dbc-1.cloud.databricks.com"),
        ("http://unity.internal:8080", "http://unity.internal:8080"),
        ("https://databricks.com.evil.example", "https://databricks.com.evil.example"),
    ],
)
def test_namespaces(url: str, namespace: str) -> None:
    assert format_unity_namespace(url) == namespace


@pytest.mark.parametrize("url", ["unity.internal", "ftp://unity", "https://me:pw@unity", "https://unity?x=1", "https://[", "https://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="accepted is the address of Unity Catalog, such as"):
        Unity(url=url).read(build_context(LiveGraph.open(open_store("sqlite://")), Naming(), Path(), None))
