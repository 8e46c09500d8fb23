"""Polaris's Iceberg REST catalog: answers written by hand after its documentation (1.0), since no server of it is on a package registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import EdgeType, build_dataset_key
from meshline.graph.store.factory import open_store
from meshline.ingest.sources.iceberg.source import Iceberg
from tests.ingest.sources.iceberg_catalog import ignore_warnings, read_shown_attributes, sync_catalog
from tests.ingest.sources.json_server import Asked, Failure, serve_json

ROOT = "/api/catalog/v1"
TABLE = {
    "format-version": 2,
    "table-uuid": "5a1c",
    "location": "s3://lake/sales/orders",
    "last-updated-ms": 1_700_000_000_000,
    "current-schema-id": 0,
    "schemas": [{"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "id", "type": "long", "required": True}]}],
    "properties": {"owner": "ann@example.com"},
}
VIEW = {
    "view-uuid": "77aa",
    "format-version": 1,
    "location": "s3://lake/sales/numbers",
    "current-version-id": 1,
    "versions": [
        {
            "version-id": 1, "timestamp-ms": 1_700_000_000_000, "schema-id": 0, "default-namespace": ["shop"],
            "representations": [{"type": "sql", "sql": "SELECT id FROM orders", "dialect": "spark"}],
        }
    ],
    "version-log": [{"version-id": 1, "timestamp-ms": 1_700_000_000_000}],
    "schemas": [{"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "id", "type": "long", "required": False}]}],
}  # fmt: skip
ENDPOINTS = [
    f"GET /v1/{{prefix}}/{path}"
    for path in (
        "namespaces", "namespaces/{namespace}", "namespaces/{namespace}/tables", "namespaces/{namespace}/tables/{table}",
        "namespaces/{namespace}/views", "namespaces/{namespace}/views/{view}",
    )
]  # fmt: skip


class Polaris:
    """A Polaris with one catalog, `sales`, for the principal `client` of the realm `prod`."""

    def __init__(self) -> None:
        self.tokens: list[dict[str, str]] = []
        self.management: dict[str, Any] = {}
        self.answers: dict[str, Any] = {
            f"{ROOT}/config": {
                "defaults": {"default-base-location": "s3://lake/sales"}, "overrides": {"prefix": "sales"}, "endpoints": ENDPOINTS,
            },
            f"{ROOT}/sales/namespaces": {"namespaces": [["shop"]], "next-page-token": None},
            f"{ROOT}/sales/namespaces/shop": {"namespace": ["shop"], "properties": {"comment": "what the shop sells"}},
            f"{ROOT}/sales/namespaces/shop/tables": {"identifiers": [{"namespace": ["shop"], "name": "orders"}]},
            f"{ROOT}/sales/namespaces/shop/views": {"identifiers": [{"namespace": ["shop"], "name": "numbers"}]},
            f"{ROOT}/sales/namespaces/shop/tables/orders": {"metadata-location": "s3://lake/1.json", "metadata": TABLE},
            f"{ROOT}/sales/namespaces/shop/views/numbers": {"metadata-location": "s3://lake/v.json", "metadata": VIEW},
        }  # fmt: skip

    def __call__(self, asked: Asked) -> Any:
        if asked.path == f"{ROOT}/oauth/tokens":
            self.tokens.append(dict(asked.form))
            if asked.form.get("client_secret") != "hunter22":
                return Failure(401, {"error": "unauthorized_client", "error_description": "The client is not authorized"})
            return {"access_token": "principal-token", "token_type": "bearer", "expires_in": 3600}
        if asked.authorization != "Bearer principal-token" or asked.headers.get("Polaris-Realm") != "prod":
            return Failure(401, {"error": {"message": "not authorized", "type": "NotAuthorizedException", "code": 401}})
        if asked.path == f"{ROOT}/config" and asked.parameters.get("warehouse") != "sales":
            return Failure(404, {"error": {"message": "Unable to find warehouse", "type": "NotFoundException", "code": 404}})
        if asked.path.startswith("/api/management/v1"):
            return self.management.get(
                asked.path.removeprefix("/api/management/v1"), Failure(403, {"error": {"message": "no", "code": 403}})
            )
        if asked.parameters.get("parent"):
            return {"namespaces": []}
        return self.answers.get(asked.path, Failure(404, {"error": {"message": "none", "type": "NoSuchTableException", "code": 404}}))


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    store = open_store("sqlite://")
    yield LiveGraph.open(store)
    store.close()


def build_source(url: str, secret: str = "hunter22", **properties: str) -> Iceberg:
    given = {"warehouse": "sales", "credential": f"client:{secret}", "scope": "PRINCIPAL_ROLE:ALL", "header.Polaris-Realm": "prod"}
    return Iceberg(uri=f"{url}/api/catalog", namespace="polaris://sales", properties={**given, **properties})


def test_a_catalog_is_read_with_the_credentials_of_a_principal(graph: LiveGraph) -> None:
    polaris = Polaris()
    with serve_json(polaris) as url, ignore_warnings():
        loading = sync_catalog(graph, build_source(url, **{"oauth2-server-uri": f"{url}{ROOT}/oauth/tokens"}))
    assert (loading.refused, loading.warnings) == ((), ())
    token = polaris.tokens[0]
    assert (token["grant_type"], token["client_id"], token["scope"]) == ("client_credentials", "client", "PRINCIPAL_ROLE:ALL")
    shown = read_shown_attributes(graph, build_dataset_key("polaris://sales", "shop.orders"))
    assert (shown["table_owner"], shown["namespace_description"]) == ("ann@example.com", "what the shop sells")
    assert read_shown_attributes(graph, build_dataset_key("polaris://sales", "shop.numbers"))["dataset_type"] == "VIEW"


def build_management() -> dict[str, Any]:
    """Roles and grants, after the specification of the management interface (spec/polaris-management-service.yml)."""
    roles = "/catalogs/sales/catalog-roles"
    return {
        roles: {"roles": [{"name": "reader"}, {"name": "writer"}, {"name": "catalog_admin"}]},
        f"{roles}/reader/grants": {"grants": [{"type": "namespace", "namespace": ["shop"], "privilege": "TABLE_READ_DATA"}]},
        f"{roles}/writer/grants": {
            "grants": [
                {"type": "table", "namespace": ["shop"], "tableName": "orders", "privilege": "TABLE_WRITE_DATA"},
                {"type": "table", "namespace": ["other"], "tableName": "orders", "privilege": "TABLE_READ_DATA"},
                {"type": "view", "namespace": ["shop"], "viewName": "numbers", "privilege": "VIEW_FULL_METADATA"},
            ]
        },
        f"{roles}/catalog_admin/grants": {"grants": [{"type": "catalog", "privilege": "CATALOG_MANAGE_ACCESS"}]},
        f"{roles}/reader/principal-roles": {"roles": [{"name": "analysts"}, {"name": "everyone", "federated": True}]},
        f"{roles}/writer/principal-roles": {"roles": [{"name": "etl"}]},
        "/principal-roles/analysts/principals": {"principals": [{"name": "ann@example.com"}, {"name": "bob"}]},
        "/principal-roles/everyone/principals": {"principals": []},
        "/principal-roles/etl/principals": {"principals": [{"name": f"job{number}"} for number in range(101)]},
    }


def list_readers(graph: LiveGraph, name: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    with graph.lock:
        node = graph.index.assets.find_by_key(build_dataset_key("polaris://sales", name))
        assert node is not None
        for edge in graph.index.ownership.list_edges(node, EdgeType.MAY_READ, incoming=True):
            found.setdefault(graph.index.assets.get_key(edge.start).name, []).append(dict(edge.attributes))
    return found


def test_who_may_read_by_the_grants_of_catalog_and_principal_roles(graph: LiveGraph) -> None:
    polaris = Polaris()
    polaris.management = build_management()
    with serve_json(polaris) as url, ignore_warnings():
        place = {"oauth2-server-uri": f"{url}{ROOT}/oauth/tokens"}
        source = build_source(url, **place).model_copy(update={"grants": True, "owners": {"analysts": "team:bi"}})
        loading = sync_catalog(graph, source)
        assert (loading.refused, loading.warnings, loading.has_rights) == ((), (), True)
        rights = list_readers(graph, "shop.orders")
        assert rights == {
            "ann@example.com": [{"grant": "analysts"}],
            "polaris://sales/bob": [{"grant": "analysts"}],
            "team:bi": [{"grant": "reader"}],
            "polaris://sales/everyone": [{"grant": "reader", "for_members": True}],
            "polaris://sales/etl": [{"grant": "writer", "for_members": True}],
        }
        assert list_readers(graph, "shop.numbers") == {}
        assert sync_catalog(graph, source).changed == 0
        del polaris.management["/principal-roles/etl/principals"]
        loading = sync_catalog(graph, source)
        assert (loading.retracted, loading.has_rights, len(loading.warnings)) == (0, False, 1)
        assert list_readers(graph, "shop.orders") == rights
        polaris.management["/catalogs/sales/catalog-roles"] = {"roles": [{"name": "catalog_admin"}]}
        loading = sync_catalog(graph, source)
        assert (loading.has_rights, list_readers(graph, "shop.orders")) == (True, {})


def test_grants_are_read_of_polaris_alone(graph: LiveGraph) -> None:
    with pytest.raises(ValueError, match="grants are read of Polaris, not of files"):
        Iceberg(files=("x.json",), namespace="x", grants=True)
    polaris = Polaris()
    with serve_json(polaris) as url, ignore_warnings():
        place = {"oauth2-server-uri": f"{url}{ROOT}/oauth/tokens"}
        loading = sync_catalog(graph, build_source(url, **place).model_copy(update={"grants": True}))
    assert "the grants remain as they were, because they cannot be read" in loading.warnings[0]


def test_a_principal_without_access_and_a_catalog_that_does_not_exist(graph: LiveGraph) -> None:
    with serve_json(Polaris()) as url, ignore_warnings():
        place = {"oauth2-server-uri": f"{url}{ROOT}/oauth/tokens"}
        with pytest.raises(StoreUnavailable, match=r"the catalog does not answer: .*unauthorized_client") as refused:
            sync_catalog(graph, build_source(url, secret="wrong-secret", **place))
        assert "wrong-secret" not in str(refused.value)
        with pytest.raises((InvalidInput, StoreUnavailable), match="Unable to find warehouse"):
            sync_catalog(graph, build_source(url, warehouse="other", **place))
