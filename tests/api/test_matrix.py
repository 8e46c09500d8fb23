"""Who is answered what: each address, each root field of GraphQL and each tool of agents by each kind of caller. The cases are made from
the tables of addresses and tools and from the schema, and what is expected from what these declare: so a new one is among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
    is_leaf_type,
)
from starlette.testclient import TestClient

from meshline.api.addresses import Address
from meshline.api.app import ADDRESSES
from meshline.api.graphql.context import AUDIT_FIELDS, DENIAL_FIELDS, REQUEST_FIELDS, RESTRICTED_FIELDS
from meshline.app.agents.tools import TOOLS, Tool, build_schema
from meshline.app.tokens import AccessScope, Actor, Role, generate_token, hash_token
from tests.api.conftest import run_application
from tests.api.test_auth import build_authorization, use_address
from tests.api.test_etag import SCHEMA
from tests.api.test_mcp_endpoint import VERSION


class Caller(NamedTuple):
    """A kind of caller. `role`: None = without a token that is known. `scopes`: None = all that the role permits. `part`: whether it may
    see only some assets.
    """

    role: Role | None
    scopes: tuple[AccessScope, ...] | None = None
    part: bool = False

    def may(self, scope: AccessScope) -> bool:
        return self.role is not None and Actor("", self.role, None if self.scopes is None else frozenset(self.scopes)).may(scope)


CALLERS = {
    "no token": Caller(None),
    "unknown token": Caller(None),
    **{f"{role}": Caller(role) for role in Role},
    **{f"{role} of some assets": Caller(role, part=True) for role in (Role.READER, Role.WRITER)},
    "agent": Caller(Role.READER, (AccessScope.READ,)),
    "agent of some assets": Caller(Role.READER, (AccessScope.READ,), part=True),
    "monitoring": Caller(Role.READER, (AccessScope.METRICS,)),
    "pipeline": Caller(Role.READER, (AccessScope.CHECK,)),
    "producer": Caller(Role.WRITER, (AccessScope.INGEST,)),
    "auditor": Caller(Role.ADMIN, (AccessScope.READ, AccessScope.AUDIT)),
    "editor": Caller(Role.ADMIN, (AccessScope.READ, AccessScope.STATE)),
}
KNOWN = {name: caller for name, caller in CALLERS.items() if caller.role is not None}
SECRETS = {name: generate_token() for name in CALLERS}
RULES = "version: 1\ndefault: nothing\ngrants: [{who: group:all, on: everything}]\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    rules = tmp_path_factory.mktemp("access") / "access.yaml"
    rules.write_text(RULES, "utf-8")
    tokens = [
        {
            "name": name.replace(" ", "-"),
            "role": caller.role,
            "hash": hash_token(SECRETS[name]),
            "groups": [] if caller.part else ["all"],
            **({} if caller.scopes is None else {"scopes": caller.scopes}),
        }
        for name, caller in KNOWN.items()
    ]
    with run_application(tokens=tokens, access=rules) as client:
        yield client


def build_headers(name: str) -> dict[str, str]:
    return {} if name == "no token" else build_authorization(SECRETS[name])


def decide(address: Address, caller: Caller) -> str:
    """What a caller of an address gets: an answer, or which refusal."""
    if address.role is None:
        return "answer"
    if caller.role is None:
        return "401"
    has_scope = caller.scopes is None or address.accepted_scopes.intersection(caller.scopes)
    return "answer" if caller.role.includes(address.role) and has_scope and (address.restricted or not caller.part) else "403"


@pytest.mark.parametrize("name", CALLERS)
def test_addresses(server: TestClient, name: str) -> None:
    expected = {(method, address.path): decide(address, CALLERS[name]) for address in ADDRESSES for method in address.methods}
    expected["GET", "/api/v1/sources"] = expected["GET", "/api/v1/tags"]  # without `source`; a reader of a source needs another scope
    statuses = {(method, path): use_address(server, path, method, build_headers(name)) for method, path in expected}
    found = {at: str(status) if status in (401, 403) else "answer" for at, status in statuses.items()}
    assert {at: one for at, one in found.items() if one != expected[at]} == {}
    assert max(statuses.values()) < 500


# -- fields


def write_value(kind: GraphQLInputType) -> str:
    """Some value of a type, as GraphQL."""
    if isinstance(kind, GraphQLNonNull):
        return write_value(kind.of_type)
    if isinstance(kind, GraphQLList):
        return f"[{write_value(kind.of_type)}]"
    if isinstance(kind, GraphQLEnumType):
        return str(next(iter(kind.values)))
    if isinstance(kind, GraphQLInputObjectType):
        needed = {name: field for name, field in kind.fields.items() if isinstance(field.type, GraphQLNonNull)}
        return "{" + ", ".join(f"{name}: {write_value(field.type)}" for name, field in needed.items()) + "}"
    return {"Int": "1", "Float": "1.0", "Boolean": "true", "DateTime": '"2026-01-01T00:00:00Z"'}.get(str(kind), '"none"')


def write_field(name: str, field: GraphQLField) -> str:
    """A request of a root field, with some values of the arguments that it needs."""
    needed = [f"{one}: {write_value(argument.type)}" for one, argument in field.args.items() if isinstance(argument.type, GraphQLNonNull)]
    inner = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    return f"{name}{'(' + ', '.join(needed) + ')' if needed else ''}{inner}"


def find_code(server: TestClient, caller: str, query: str) -> str:
    """The code of the error of a request; empty if it has none."""
    answer = server.post("/graphql", json={"query": query}, headers=build_headers(caller)).json()
    errors = [answer["error"]["code"]] if "error" in answer else [one["extensions"]["code"] for one in answer.get("errors", ())]
    return str(errors[0]) if errors else ""


ASKING = [name for name, caller in KNOWN.items() if caller.may(AccessScope.READ)]


def may_ask(field: str, caller: Caller) -> bool:
    if field in AUDIT_FIELDS:
        return caller.may(AccessScope.AUDIT) and not caller.part
    return field in RESTRICTED_FIELDS or not caller.part


@pytest.mark.parametrize("name", ASKING)
def test_fields_of_queries(server: TestClient, name: str) -> None:
    assert SCHEMA.query_type is not None
    codes = {field: find_code(server, name, f"{{ {write_field(field, of)} }}") for field, of in SCHEMA.query_type.fields.items()}
    assert {field for field, code in codes.items() if code == "FORBIDDEN"} == {
        field for field in codes if not may_ask(field, CALLERS[name])
    }
    assert not set(codes.values()) & {"INTERNAL", "GRAPHQL_INVALID"}


@pytest.mark.parametrize("name", ASKING)
def test_fields_of_mutations(server: TestClient, name: str) -> None:
    assert SCHEMA.mutation_type is not None
    stating = {field: of for field, of in SCHEMA.mutation_type.fields.items() if field not in REQUEST_FIELDS}
    codes = {field: find_code(server, name, f"mutation {{ {write_field(field, of)} }}") for field, of in stating.items()}
    caller = CALLERS[name]
    administers = caller.role is Role.ADMIN and caller.scopes is None
    assert {field for field, code in codes.items() if code == "FORBIDDEN"} == (
        (set() if caller.may(AccessScope.STATE) else stating.keys() - DENIAL_FIELDS) | (set() if administers else DENIAL_FIELDS)
    )
    assert not set(codes.values()) & {"INTERNAL", "GRAPHQL_INVALID"}


# -- tools of agents


def build_arguments(tool: Tool) -> dict[str, Any]:
    """Some arguments that a tool needs."""
    schema = build_schema(tool)
    return {name: ["none"] if schema["properties"][name].get("type") == "array" else "none" for name in schema.get("required", ())}


@pytest.mark.parametrize("name", CALLERS)
def test_tools(server: TestClient, name: str) -> None:
    for tool in TOOLS:
        parameters = {"name": tool.name, "arguments": build_arguments(tool)}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters}
        answer = server.post("/mcp", json=body, headers={**VERSION, **build_headers(name)})
        if name in ASKING:
            text = answer.json()["result"]["content"][0]["text"]
            assert CALLERS[name].part or "FORBIDDEN" not in text
            assert "INTERNAL" not in text
        else:
            assert answer.status_code == (401 if CALLERS[name].role is None else 403)
