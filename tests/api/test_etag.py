"""Answers to queries by GET have an ETag if they depend on the revision alone; then the same answer is not sent again."""

from __future__ import annotations

from collections import deque
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
from meshline.graph.model import (
    AssetFact,
    EdgeFact,
    EdgeType,
    Facts,
    Json,
    Statement,
    build_column_key,
    build_contract_key,
    build_dataset_key,
    build_job_key,
)
from meshline.graph.store.base import Batch, Record
from meshline.graph.usage import FIRST_READ, LAST_READ, READS, USAGE_WINDOW, WINDOWS
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
    "lineageDiff": 'from: "2023-11-16T00:00:00Z", to: "2025-01-01T00:00:00Z"',
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
_ASSET = SCHEMA.get_type("Asset")
assert isinstance(_ASSET, GraphQLInterfaceType)
ASSETS = {kind.name for kind in SCHEMA.get_implementations(_ASSET).objects}
ASSET_FIELDS = _ASSET.fields.keys() & REVISION_FIELDS  # of which some have values for some kinds only: a consumer is in no domain
INNER = {"items": "gap: UNDESCRIBED"}
FURTHER = {  # what the queries of all fields ask for at places only at which it has no value
    "groups": "query($email: ID!) { impact(of: [$email]) { byDomain { Count_asset: asset { id } } } }",
    "flows": """query($hash: ID!) { lineage(of: [$hash], direction: UPSTREAM) { completeness { items(gap: STALE) { GapItems_flows: flows {
        GapFlow_from: from { id } GapFlow_to: to { id } GapFlow_job: job { id } GapFlow_type: type GapFlow_subtype: subtype
        GapFlow_source: source GapFlow_statement: statement GapFlow_lastObserved: lastObserved } } } } }""",
    "past": """query($email: ID!) { lineage(of: [$email], asOf: "2023-11-16T00:00:00Z") { completeness { Completeness_asOf: asOf
        Completeness_knownLater: knownLater { KnownLater_relation: relation KnownLater_since: since KnownLater_sourceKind: sourceKind }
        } } }""",
}


LATER = mesh.START + 5 * DAY * mesh.SECOND
LAKE_ORDERS, ARCHIVE = build_dataset_key("lake", "orders"), build_dataset_key("lake", "archive")
LOAD_PART, CUSTOMER_MAIL = build_job_key("airflow", "load_orders.part"), build_column_key(mesh.CUSTOMERS, "mail")


def build_more() -> list[Statement]:
    """What the small mesh lacks: values of every field, statements that have changed, and a relation that was not known at first."""
    described = [
        *(mesh.COMMERCE, mesh.ORDERS_PRODUCT, mesh.SHOP_TEAM, mesh.ANN, mesh.CAMPAIGN, mesh.LOAD, mesh.CUSTOMERS, mesh.DASHBOARD),
        *(mesh.ORDERS, mesh.REVENUE, mesh.HASH, build_contract_key("revenue-v1"), mesh.FINANCE_TEAM, mesh.FINANCE, mesh.SUM, mesh.REPORT),
    ]
    customers = Facts(
        edges=(EdgeFact(EdgeType.HAS_COLUMN, mesh.CUSTOMERS, mesh.EMAIL, {"position": 1}),),
        assets=(AssetFact(mesh.EMAIL, {"type": "string", "nullable": True}),),
    )
    catalog = ("dataset", *mesh.CUSTOMERS.parts, "catalog")
    copied, other = (mesh.build_flow(mesh.EMAIL, build_column_key(ARCHIVE, name), "") for name in ("email", "address"))
    mail = mesh.build_flow(mesh.EMAIL, build_column_key(ARCHIVE, "mail"))
    copy = build_job_key("dbt", "copy")
    windows: Json = [{"from": 1, "to": LATER, "columns": True}]
    return [
        *(
            mesh.build_asset_statement(
                key, source="mesh/more", title=f"The title of {key.name}", description=f"About {key.name}", tags=["gold"], version="2"
            )
            for key in described
        ),
        mesh.build_asset_statement(
            mesh.LOAD, source="mesh/job", job_type="TASK", processing_type="BATCH", integration="SPARK", sql="INSERT INTO orders SELECT"
        ),
        mesh.build_asset_statement(mesh.ORDERS, source="mesh/table", dataset_type="TABLE", location="s3://lake/orders"),
        mesh.build_edge_statement(EdgeType.SAME_AS, mesh.ORDERS, LAKE_ORDERS, why="the same files"),
        mesh.build_edge_statement(EdgeType.RENAMED_TO, CUSTOMER_MAIL, mesh.EMAIL, at=LATER),
        mesh.build_edge_statement(EdgeType.PART_OF, LOAD_PART, mesh.LOAD),
        *(
            mesh.build_edge_statement(EdgeType.CONSUMES, mesh.CAMPAIGN, used, purpose="sending", contract="revenue-v1")
            for used in (mesh.ORDERS_PRODUCT, mesh.EMAIL, mesh.CUSTOMERS)
        ),
        mesh.build_edge_statement(
            EdgeType.CONSUMES, mesh.CAMPAIGN, mesh.EMAIL, source="usage/default", reads=3, first_read=mesh.START, last_read=LATER
        ),
        mesh.build_edge_statement(EdgeType.MAY_READ, mesh.SHOP_TEAM, mesh.ORDERS, grant="shop", row_filter=True, masked=True),
        *(
            mesh.build_edge_statement(EdgeType.CONSUMES, mesh.CAMPAIGN, read, "usage/log", **{READS: 2, FIRST_READ: 1, LAST_READ: LATER})
            for read in (mesh.EMAIL, mesh.CUSTOMERS, mesh.ORDERS, build_column_key(mesh.ORDERS, "total"))
        ),
        *(
            mesh.build_statement("usage/log", (USAGE_WINDOW, *read.parts), Facts(assets=(AssetFact(read, {WINDOWS: windows}),)))
            for read in (mesh.CUSTOMERS, mesh.ORDERS)
        ),
        mesh.build_edge_statement(EdgeType.OWNS, mesh.FINANCE_TEAM, build_contract_key("revenue-v1"), type="business"),
        mesh.build_edge_statement(EdgeType.OWNS, mesh.SHOP_TEAM, mesh.DASHBOARD, source="person/ann", at=LATER),
        mesh.build_edge_statement(
            EdgeType.PORT,
            mesh.ORDERS_PRODUCT,
            LAKE_ORDERS,
            source="product/more",
            direction="output",
            name="files",
            endpoint="s3://lake/orders",
            description="As files",
            version="1",
            contract="revenue-v1",
        ),
        mesh.build_asset_statement(mesh.ORDERS_PRODUCT, source="mesh/members", members=["pg/*"]),
        mesh.build_statement("iceberg/lake", catalog, Facts(edges=customers.edges)),
        mesh.build_statement("iceberg/lake", catalog, customers, LATER),
        mesh.build_asset_statement(copy, integration="DBT"),
        mesh.build_run_statement(copy, [mesh.CUSTOMERS], ARCHIVE, copied),
        mesh.build_run_statement(copy, [mesh.CUSTOMERS], ARCHIVE, other, at=LATER),
        # A newer run of the job that loads the orders, which does not: so what is known of them is stale.
        mesh.build_run_statement(mesh.LOAD, [mesh.CUSTOMERS], ARCHIVE, mail, at=LATER)._replace(version="later"),
    ]


class Part:
    """The fields of one type at one place of a query, under aliases `Type_field`."""

    def __init__(self) -> None:
        self.leaves: list[str] = []
        self.inner: list[tuple[str, Part]] = []

    def __str__(self) -> str:
        return " { " + " ".join(["__typename", *self.leaves, *(f"{before}{part}" for before, part in self.inner)]) + " }"


class Selection:
    """The selection of every allowed field below one: each type once, at its place nearest to the root, so that the text is small."""

    def __init__(self, allowed: AbstractSet[str]) -> None:
        self._allowed = allowed
        self._known: set[str] = set()
        self.fields: set[str] = set()  # Type.field
        self._waiting: deque[tuple[GraphQLNamedType, Part]] = deque()

    def describe(self, kind: GraphQLNamedType) -> str:
        root = Part()
        self._waiting.append((kind, root))
        while self._waiting:
            self._fill(*self._waiting.popleft())
        return str(root)

    def _fill(self, kind: GraphQLNamedType, part: Part) -> None:
        if kind.name in self._known:
            return
        assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        self._known.add(kind.name)
        self._add_fields(kind, part, set())
        if isinstance(kind, GraphQLInterfaceType):
            for implementation in SCHEMA.get_implementations(kind).objects:
                inner = Part()
                part.inner.append((f"... on {implementation.name}", inner))
                self._add_fields(implementation, inner, set(kind.fields))

    def _add_fields(self, kind: GraphQLObjectType | GraphQLInterfaceType, part: Part, without: AbstractSet[str]) -> None:
        for name, field in kind.fields.items():
            if name not in self._allowed or name in without:
                continue
            self.fields.add(f"{kind.name}.{name}")
            needed = any(map(is_required_argument, field.args.values()))
            text = f"{kind.name}_{name}: {name}" + (f"({INNER[name]})" if needed else "")
            inner = get_named_type(field.type)
            if is_leaf_type(inner):
                part.leaves.append(text)
            else:
                below = Part()
                part.inner.append((text, below))
                self._waiting.append((inner, below))


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
    graph = mesh.build_graph(*mesh.build_mesh(), *build_more())
    yield AskGraph(graph, Bounds(aliases=1_000, tokens=20_000, depth=100))
    graph.store.close()


def ask_all(ask: AskGraph, allowed: AbstractSet[str], *roots: str) -> dict[str, bytes]:
    """The answers to the queries of these fields of Query; if none is given, of all of them, and to `FURTHER`."""
    queries = {name: build_query(name, allowed)[0] for name in roots or list_roots(allowed)} | ({} if roots else FURTHER)
    answers = {name: ask.graphql.execute(query, VARIABLES).body for name, query in queries.items()}
    assert not [errors for body in answers.values() if (errors := body.get("errors"))]
    return {name: msgspec.json.encode(body) for name, body in answers.items()}


def list_answered(value: object) -> Iterator[str]:
    """The fields, as `Type_field`, that have a value somewhere in an answer: not null, and not empty."""
    if isinstance(value, list):
        for one in value:
            yield from list_answered(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            if one is not None and one != []:
                yield name
                yield from list_answered(one)


def change_unrevised(graph: LiveGraph, at: int) -> None:
    """Change whatever may be written without a revision: the syncs of a source, the audit log, counts of events."""
    save_status(graph.store, mesh.MESH, Status(at=at, seconds=1, succeeded=at))
    counts = {(at // HOUR * HOUR, "START"): 5}
    graph.commit(lambda _: Batch(journal=[Record("audit", str(at), at, b"{}")], event_counts=counts))


def test_every_allowed_field_depends_on_the_revision_only(ask: AskGraph, move_clock: MoveClock) -> None:
    before, revision = ask_all(ask, REVISION_FIELDS), ask.graph.index.revision
    answered = {name for body in before.values() for name in list_answered(msgspec.json.decode(body)["data"])}
    asked = set[str]().union(*(build_query(name, REVISION_FIELDS)[1] for name in list_roots(REVISION_FIELDS)))
    named = {name for name in asked if name.partition(".")[0] not in ("Query", *ASSETS)} | {f"Asset.{name}" for name in ASSET_FIELDS}
    answered |= {f"Asset_{field}" for kind, _, field in (name.partition("_") for name in answered) if kind in ASSETS}
    own = {name for name in asked if name.partition(".")[0] in ASSETS and name.partition(".")[2] not in ASSET_FIELDS}
    named -= {name for name in named if name == "Completeness.hidden" or name.startswith("HiddenAssets.")}  # see test_two_worlds
    assert sorted(name for name in named | own if name.replace(".", "_") not in answered) == []
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
        ("{ products(health: [BROKEN]) { totalCount } }", False),
        ("{ jobs(lastRun: [FAIL]) { totalCount } }", False),
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
