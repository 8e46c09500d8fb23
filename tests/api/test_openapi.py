"""The document of the REST surface is true: valid, whole, and what is answered."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import validate
from starlette.testclient import TestClient

from meshline import __version__
from meshline.api.addresses import REST
from meshline.api.app import ADDRESSES
from meshline.api.explorer import ROUTES
from meshline.api.openapi import OPERATIONS


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    found: dict[str, Any] = answer.json()
    return found


def test_it_is_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == __version__
    validate(document)


def test_every_route_is_in_it(document: dict[str, Any]) -> None:
    routes = {(address.path, method) for address in ADDRESSES for method in address.methods if address.path not in ROUTES}
    assert set(OPERATIONS) == routes
    assert {(path, method.upper()) for path, methods in document["paths"].items() for method in methods} == {
        (path.replace(REST, ""), method) for path, method in routes
    }


def test_each_operation_names_the_roles_that_may_use_it(document: dict[str, Any]) -> None:
    for address in (address for address in ADDRESSES if address.path not in ROUTES):
        for method in address.methods:
            operation = document["paths"][address.path.replace(REST, "")][method.lower()]
            if address.role is None:
                assert {} in operation["security"]
            else:
                assert operation["security"] == [{"token": []}]
                assert f"the role {address.role}." in operation["description"]
                assert all(f"`{scope}`" in operation["description"] for scope in address.accepted_scopes)
                assert {"401", "403"} <= operation["responses"].keys()


def test_every_shape_is_used(document: dict[str, Any]) -> None:
    text = str(document)
    assert [name for name in document["components"]["schemas"] if f"'#/components/schemas/{name}'" not in text] == []
