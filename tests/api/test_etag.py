"""Answers to queries by GET have an ETag if they depend on the revision alone; then the same answer is not sent again."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

import msgspec
import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    parse,
)
from starlette.testclient import TestClient

from meshline.api.graphql import Bounds
from meshline.api.graphql.execution import Executor
from meshline.api.graphql.revision_fields import REVISION_FIELDS, is_lasting
from meshline.app.tokens import Role
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.base import Batch, Record
from meshline.ingest.sources.sync_status import Status, save_status
from tests.api.conftest import AskGraph, MoveClock, run_application
from tests.api.test_auth import SECRETS, TOKENS, build_authorization
from tests.api.test_ingest import build_event
from tests.queries import mesh

SCHEMA = build_schema((Path(__file__).parents[2] / "schema.graphql").read_text("utf-8"))
DAY, HOUR = 86_400, 3_600_000_000
ARGUMENTS = {  # of the fields of Query that need some, and where a page would be empty without
    "node": "id: $email",
    "nodes": "ids: [$email, $orders]",
    "dataset": 'namespace: "wh", name: "sales.orders"',
    "resolve": 'name: "sales.orders"',
    "search": 'text: "orders"',
    "suggest": 'text: "or"',
    "lineage": "of: [$orders], include: [JOB, CONSUMER]",
    "compactLineage": "of: [$orders]",
    "impact": "of: [$email]",
    "provenance": "of: [$report]",
    "paths": "from: $email, to: $hash",
    "ownedBy": "owner: $team",
    "lineageDiff": 'from: "2020-01-01T00:00:00Z", to: "2025-01-01T00:00:00Z"',
    "consumersOf": "product: $product",
}
VARIABLES = {
    "email": mesh.EMAIL.id,
    "hash": mesh.HASH.id,
    "orders": mesh.ORDERS.id,
    "report": mesh.REPORT.id,
    "team": mesh.SHOP_TEAM.id,
    "product": mesh.ORDERS_PRODUCT.id,
}
INNER = {"items": "gap: UNDESCRIBED"}


class Selection:
    """The selection of every allowed field below one, each type once, so that the text stays small."""

    def __init__(self, allowed: AbstractSet[str]) -> None:
        self._allowed = allowed
        self._open: set[str] = set()
        self.fields: set[str] = set()  # Type.field

    def describe(self, kind: GraphQLNamedType) -> str:
        if is_leaf_type(kind) or kind.name in self._open:
            return "" if is_leaf_type(kind) else " { __typename }"
        assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        self._open.add(kind.name)
        parts = ["__typename", *self._describe_fields(kind, set())]
        if isinstance(kind, GraphQLInterfaceType):
            for implementation in SCHEMA.get_implementations(kind).objects:
                inner = self._describe_fields(implementation, set(kind.fields))
                parts.append(f"... on {implementation.name} {{ __typename {' '.join(inner)} }}")
        return " { " + " ".join(parts) + " }"

    def _describe_fields(self, kind: GraphQLObjectType | GraphQLInterfaceType, without: AbstractSet[str]) -> Iterator[str]:
        for name, field in kind.fields.items():
            if name not in self._allowed or name in without:
                continue
            self.fields.add(f"{kind.name}.{name}")
            needed = any(map(is_required_argument, field.args.values()))
            arguments = f"({INNER[name]})" if needed else ""
            yield f"{kind.name}_{name}: {name}{arguments}{self.describe(get_named_type(field.type))}"


def build_query(name: str, allowed: AbstractSet[str]) -> tuple[str, set[str]]:
    """A query of one field of Query with all allowed fields below it; the fields."""
    assert SCHEMA.query_type is not None
    selection = Selection(allowed)
    inner = selection.describe(get_named_type(SCHEMA.query_type.fields[name].type))
    arguments = f"({ARGUMENTS[name]})" if name in ARGUMENTS else ""
    used = ", ".join(f"${one}: ID!" for one in VARIABLES if f"${one}" in arguments)
    return f"query{f'({used})' if used else ''} {{ {name}{arguments}{inner} }}", selection.fields | {f"Query.{name}"}


def list_roots(allowed: AbstractSet[str]) -> list[str]:
    assert SCHEMA.query_type is not None
    return [name for name in SCHEMA.query_type.fields if name in allowed]


@pytest.fixture
def ask() -> Iterator[AskGraph]:
    """The small mesh, with room for queries of every field."""
    graph = mesh.build_graph(*mesh.build_mesh())
    yield AskGraph(graph, Bounds(aliases=1_000, tokens=20_000, depth=100))
    graph.store.close()


def ask_all(ask: AskGraph, allowed: AbstractSet[str], *roots: str) -> dict[str, bytes]:
    answers = {name: ask.graphql.execute(build_query(name, allowed)[0], VARIABLES).body for name in roots or list_roots(allowed)}
    assert not [errors for body in answers.values() if (errors := body.get("errors"))]
    return {name: msgspec.json.encode(body) for name, body in answers.items()}


def change_unrevised(graph: LiveGraph, at: int) -> None:
    """Change whatever may be written without a revision: the syncs of a source, the audit log, counts of events."""
    save_status(graph.store, mesh.MESH, Status(at=at, seconds=1, succeeded=at))
    counts = {(at // HOUR * HOUR, "START"): 5}
    graph.commit(lambda _: Batch(journal=[Record("audit", str(at), at, b"{}")], event_counts=counts))


def test_every_allowed_field_depends_on_the_revision_only(ask: AskGraph, move_clock: MoveClock) -> None:
    before, revision = ask_all(ask, REVISION_FIELDS), ask.graph.index.revision
    change_unrevised(ask.graph, mesh.START + HOUR)
    move_clock(400 * DAY)
    assert ask_all(ask, REVISION_FIELDS) == before
    assert ask.graph.index.revision == revision


@pytest.mark.parametrize(
    ("root", "names"), [("products", {"health", "freshness", "ageSeconds"}), ("sources", {"lastSync", "at"}), ("sources", {"lag"})]
)
def test_a_field_that_depends_on_more_would_be_found(ask: AskGraph, move_clock: MoveClock, root: str, names: set[str]) -> None:
    """The comparison above can fail."""
    assert not names & REVISION_FIELDS
    change_unrevised(ask.graph, mesh.START)
    before = ask_all(ask, REVISION_FIELDS | names, root)
    change_unrevised(ask.graph, mesh.START + HOUR)
    move_clock(400 * DAY)
    assert ask_all(ask, REVISION_FIELDS | names, root) != before


def test_every_allowed_field_is_compared() -> None:
    asked = set[str]().union(*(build_query(name, REVISION_FIELDS)[1] for name in list_roots(REVISION_FIELDS)))
    objects = [kind for kind in SCHEMA.type_map.values() if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")]
    reached = {name.partition(".")[0] for name in asked}
    known = {name for kind in objects for name in kind.fields}
    assert REVISION_FIELDS - {"__typename"} <= known, "the schema has no such field"
    inherited = {(kind.name, name) for kind in objects for interface in kind.interfaces for name in interface.fields}
    missed = [
        f"{kind.name}.{name}"
        for kind in objects
        if kind.name in reached and kind is not SCHEMA.mutation_type
        for name in kind.fields
        if name in REVISION_FIELDS and f"{kind.name}.{name}" not in asked and (kind.name, name) not in inherited
    ]
    assert missed == []
    assert {name.partition(".")[2] for name in asked} | {"__typename"} == REVISION_FIELDS


@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("{ datasets { nodes { name } } }", True),
        ("{ datasets { ...f } } fragment f on DatasetConnection { nodes { name } }", True),
        ("{ datasets { ...f } } fragment f on DatasetConnection { nodes { qualityCounts { failed } } }", False),
        ("{ datasets { nodes { ... on Dataset { lastWritten { at } } } } }", False),
        ("{ name: sources { name } }", False),
        ("{ products(orderBy: NAME) { totalCount } }", False),
        ("{ __schema { types { name } } }", False),
        ("{ sources { name } } query other { about { version } }", False),
    ],
)
def test_one_field_that_is_not_allowed_is_enough(query: str, *, passes: bool) -> None:
    assert is_lasting(parse(query)) is passes


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with run_application(tokens=TOKENS) as found:
        yield found


READER, WRITER, ADMIN = (build_authorization(SECRETS[role]) for role in (Role.READER, Role.WRITER, Role.ADMIN))
NEWER = {"Accept": "application/graphql-response+json"}
QUERY = "query($n: Int) { datasets(first: $n) { nodes { qualifiedName } } }"


def test_an_answer_is_not_sent_twice_until_the_graph_changes(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    params = {"query": QUERY, "variables": '{"n": 3}'}
    first = client.get("/graphql", params=params, headers=READER)
    assert first.headers["cache-control"] == "private, no-cache"
    assert {"Authorization", "Accept"} <= set(first.headers["vary"].split(", "))
    known = {"If-None-Match": first.headers["etag"]}
    others: list[tuple[dict[str, str], dict[str, str]]] = [
        ({**params, "variables": '{"n": 2}'}, READER),
        ({**params, "query": QUERY + " "}, READER),
        (params, WRITER),
        (params, {**READER, **NEWER}),
        (params, {**READER, "If-None-Match": "*"}),
    ]
    for other, headers in others:
        assert client.get("/graphql", params=other, headers={**known, **headers}).status_code == 200
    assert client.get("/graphql", params=params, headers=known).status_code == 401
    with monkeypatch.context() as patch:
        patch.setattr(Executor, "execute", None)
        again = client.get("/graphql", params=params, headers={**READER, **known})
    assert (again.status_code, again.content) == (304, b""), "without being computed again"
    assert [again.headers[name] for name in ("etag", "cache-control", "vary")] == [
        first.headers[name] for name in ("etag", "cache-control", "vary")
    ]
    assert client.post("/api/v1/lineage", json=build_event(), headers=WRITER).status_code == 201
    changed = client.get("/graphql", params=params, headers={**READER, **known})
    assert changed.status_code == 200
    assert changed.json() != first.json()


@pytest.mark.parametrize("query", ["{ sources { name } }", "{ nothing }", '{ impact(of: ["x"]) { total } }', "{ about { role } }"])
def test_other_answers_have_no_etag(client: TestClient, query: str) -> None:
    answer = client.get("/graphql", params={"query": query}, headers=READER)
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_answers_to_posts_have_no_etag(client: TestClient) -> None:
    answer = client.post("/graphql", json={"query": QUERY}, headers=ADMIN)
    assert answer.status_code == 200
    assert "etag" not in answer.headers
