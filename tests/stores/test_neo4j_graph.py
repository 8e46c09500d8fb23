"""The graph for people: what Neo4j contains for a user who queries it without this code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshline.graph.content import encode_facts
from meshline.graph.model import (
    EDGE_TYPES,
    AssetFact,
    AssetKey,
    AssetKind,
    EdgeFact,
    EdgeType,
    Facts,
    Flow,
    FlowType,
    Json,
    Statement,
    build_column_key,
    build_contract_key,
    build_dataset_key,
    build_domain_key,
    build_job_key,
    build_owner_key,
)
from meshline.graph.store.base import Batch, Withdrawal
from meshline.graph.store.neo4j import Neo4jStore
from tests.servers import Neo4jServer
from tests.sizes import count_examples
from tests.stores.drawing import build_drawing, read_drawing
from tests.stores.statements import list_heads

pytestmark = pytest.mark.server

ORDERS = build_dataset_key("postgres://shop", "public.orders")
EMAIL = build_column_key(ORDERS, "email")
LOAD = build_job_key("airflow", "load_orders")


@pytest.fixture
def store(neo4j: Neo4jServer) -> Iterator[Neo4jStore]:
    with closing(Neo4jStore(neo4j.url)) as store:
        yield store


def commit_facts(
    store: Neo4jStore, facts: Facts, at: int = 1, scope: str = "s", source: str = "openlineage/default", version: str = ""
) -> None:
    statement = Statement(source, (scope,), at, encode_facts(facts), version)
    store.commit(lambda _: Batch(statements=[statement]))
    assert store.complete_projection()


def run_cypher(server: Neo4jServer, cypher: str, **parameters: object) -> list[list[object]]:
    with server.session() as session:
        return session.run(cypher, parameters).values()


def test_assets_have_readable_labels_and_properties(store: Neo4jStore, neo4j: Neo4jServer) -> None:
    facts = Facts(
        assets=(
            AssetFact(ORDERS, {"description": "All orders", "dataset_type": "TABLE", "dropped": False, "facet:x": {"a": 1}}),
            AssetFact(EMAIL, {"type": "varchar", "ordinal": 2, "tags": ["pii", "tier=gold"]}),
        ),
        edges=(EdgeFact(EdgeType.HAS_COLUMN, ORDERS, EMAIL, {"position": 1}),),
    )
    commit_facts(store, facts)
    # Neo4j lists labels in the order in which the database first saw any of them.
    ((table,), (col,)) = run_cypher(
        neo4j, "MATCH (n:Asset) RETURN n{.*, labels: COLLECT { UNWIND labels(n) AS l RETURN l ORDER BY l }} ORDER BY n.id DESC"
    )
    assert isinstance(table, dict)
    assert isinstance(col, dict)
    assert table == {
        "labels": ["Asset", "Dataset", "Name"],
        "id": ORDERS.id,
        "kind": "DATASET",
        "parts": ["postgres://shop", "public.orders"],
        "name": "public.orders",
        "namespace": "postgres://shop",
        "qualifiedName": "postgres://shop/public.orders",
        "description": "All orders",
        "datasetType": "TABLE",
        "dropped": False,
        "words": table["words"],
        "sort": table["sort"],
    }
    assert (col["labels"], col["name"], col["dataset"]) == (["Asset", "Column", "Name"], "email", "postgres://shop/public.orders")
    assert (col["type"], col["ordinal"], col["tags"]) == ("varchar", 2, ["pii", "tier=gold"])
    assert run_cypher(neo4j, "MATCH (:Dataset {name: 'public.orders'})-[r:HAS_COLUMN]->(c:Column) RETURN r.position, c.name") == [
        [1, "email"]
    ]


def test_every_kind_and_every_edge_is_drawn(store: Neo4jStore, neo4j: Neo4jServer) -> None:
    keys = [
        AssetKey(kind, ("ns", "d", "c")[: 3 if kind is AssetKind.COLUMN else 2 if kind in {AssetKind.DATASET, AssetKind.JOB} else 1])
        for kind in AssetKind
    ]
    commit_facts(
        store,
        Facts(
            assets=tuple(AssetFact(key, {}) for key in keys),
            edges=tuple(EdgeFact(t, keys[0], keys[1]) for t in EDGE_TYPES if t is not EdgeType.FLOWS_TO),
        ),
    )
    assert read_drawing(neo4j) == build_drawing(list_heads(store))
    labels = run_cypher(neo4j, "MATCH (n:Asset) UNWIND labels(n) AS label RETURN collect(DISTINCT label)")[0][0]
    assert isinstance(labels, list)
    assert set(labels) == {"Name", "Asset", "Domain", "DataProduct", "Dataset", "Column", "Job", "Consumer", "Owner", "Contract"}
    types = run_cypher(neo4j, "MATCH (:Domain)-[r]->(:DataProduct) RETURN collect(type(r))")[0][0]
    assert isinstance(types, list)
    assert sorted(types) == sorted(t for t in EDGE_TYPES if t is not EdgeType.FLOWS_TO)


def test_an_asset_leads_to_its_sources(store: Neo4jStore, neo4j: Neo4jServer) -> None:
    commit_facts(store, Facts(edges=(EdgeFact(EdgeType.OWNS, build_owner_key("shop"), ORDERS, {"type": "technical"}),)), at=5_000_000)
    commit_facts(store, Facts(assets=(AssetFact(ORDERS, {"description": "mine"}),)), source="person/ann", scope="t")
    sources = run_cypher(
        neo4j,
        "MATCH (:Dataset {id: $id})-[r]-() UNWIND coalesce(r.scopes, [startNode(r).id]) AS scope "
        "MATCH (o:Source)-[:HAS_SCOPE]->(s:Scope {id: scope}) "
        "RETURN o.name, o.kind, type(r), r.description, s.observedAt.epochSeconds ORDER BY o.name",
        id=ORDERS.id,
    )
    assert sources == [["openlineage/default", "openlineage", "OWNS", None, 5], ["person/ann", "person", "SAYS", "mine", 0]]
    by = (
        "MATCH (:Owner)-[r:OWNS]->(:Dataset) MATCH (s:Scope) MATCH (t:Statement {scope: s.id}) "
        "WHERE s.id IN r.scopes RETURN s.source, t.observedMicros"
    )
    assert run_cypher(neo4j, by) == [["openlineage/default", 5_000_000]]


def test_an_edge_replaces_what_it_implies(store: Neo4jStore, neo4j: Neo4jServer) -> None:
    """A relationship of a scope to each asset would be half of all: only what no edge shows has one."""
    other = build_column_key(build_dataset_key("x", "y"), "z")
    columns = (EMAIL, build_column_key(ORDERS, "note"))
    facts = Facts(
        assets=(
            AssetFact(ORDERS, {"location": "s3://a"}),
            AssetFact(columns[0], {"type": "text"}),
            AssetFact(columns[1], {"type": "text", "description": "of the buyer"}),
            AssetFact(LOAD, {}),
        ),
        edges=(*(EdgeFact(EdgeType.HAS_COLUMN, ORDERS, key) for key in columns), EdgeFact(EdgeType.WRITES, LOAD, ORDERS)),
        flows=(Flow(EMAIL, other, job=build_job_key("airflow", "copy")),),
    )
    commit_facts(store, facts)
    related = "MATCH (:Scope)-[r:SAYS|MENTIONS]->(n) RETURN type(r), n.name ORDER BY type(r), n.name"
    assert run_cypher(neo4j, related) == [["MENTIONS", "copy"], ["MENTIONS", "y"], ["SAYS", "note"], ["SAYS", "public.orders"]]
    assert read_drawing(neo4j) == build_drawing(list_heads(store))
    commit_facts(store, Facts(assets=(AssetFact(EMAIL, {"type": "varchar"}),)), source="iceberg/a")
    assert run_cypher(neo4j, "MATCH (c:Column {name: 'email'}) RETURN c.type") == [["varchar"]]
    commit_facts(store, Facts(), 2, source="iceberg/a")
    assert run_cypher(neo4j, "MATCH (c:Column {name: 'email'}) RETURN c.type") == [["text"]], "which the content of the listing has"
    commit_facts(store, Facts(), 2)
    assert run_cypher(neo4j, "MATCH (n:Asset) RETURN n") == []


def test_what_two_statements_state_is_one_relationship_until_none_states_it(store: Neo4jStore, neo4j: Neo4jServer) -> None:
    flow = Flow(EMAIL, build_column_key(build_dataset_key("x", "y"), "z"), FlowType.DIRECT, "IDENTITY", job=LOAD)
    commit_facts(store, Facts(flows=(flow,)))
    commit_facts(store, Facts(flows=(flow,)), source="dbt/a")
    count = "MATCH ()-[r:FLOWS_TO {subtype: 'IDENTITY', job: 'airflow/load_orders'}]->() RETURN size(r.scopes)"
    assert run_cypher(neo4j, count) == [[2]]
    commit_facts(store, Facts(), at=2)
    assert run_cypher(neo4j, count) == [[1]]
    commit_facts(store, Facts(), at=2, source="dbt/a")
    assert run_cypher(neo4j, count) == []
    assert run_cypher(neo4j, "MATCH (n:Asset) RETURN n") == []
    commit_facts(store, Facts(flows=(flow,)), at=3)
    assert run_cypher(neo4j, count) == [[1]]


def test_a_new_statement_takes_away_only_what_it_omits(store: Neo4jStore, neo4j: Neo4jServer) -> None:
    a, b, c = (build_column_key(ORDERS, name) for name in "abc")
    commit_facts(store, Facts(edges=tuple(EdgeFact(EdgeType.HAS_COLUMN, ORDERS, key, {"position": n}) for n, key in enumerate((a, b), 1))))
    before = run_cypher(neo4j, "MATCH (n:Column {name: 'b'})<-[r]-() WHERE type(r) = 'HAS_COLUMN' RETURN elementId(n), r.position")
    commit_facts(
        store, Facts(edges=tuple(EdgeFact(EdgeType.HAS_COLUMN, ORDERS, key, {"position": n}) for n, key in enumerate((c, b), 1))), at=2
    )
    assert run_cypher(neo4j, "MATCH (n:Column) RETURN n.name ORDER BY n.name") == [["b"], ["c"]]
    assert run_cypher(neo4j, "MATCH (n:Column {name: 'b'})<-[r]-() WHERE type(r) = 'HAS_COLUMN' RETURN elementId(n), r.position") == before


def test_the_stronger_then_the_newer_source_is_shown(store: Neo4jStore, neo4j: Neo4jServer) -> None:
    shown = "MATCH (d:Dataset) RETURN d.description, d.location, d.tags"

    def commit_attributes(source: str, at: int, scope: str = "s", **attributes: Json) -> None:
        commit_facts(store, Facts(assets=(AssetFact(ORDERS, attributes),)), at, scope, source)

    commit_attributes("openlineage/a", 5, description="events", location="s3://a", tags=["x"])
    commit_attributes("mesh/file", 1, description="people", location="s3://m", tags=["y"])
    assert run_cypher(neo4j, shown) == [["people", "s3://a", ["x", "y"]]]
    commit_attributes("openlineage/a", 7, "t", location="s3://newer")
    assert run_cypher(neo4j, shown) == [["people", "s3://newer", ["x", "y"]]]
    commit_attributes("openlineage/a", 9, description="events", location="s3://a", tags=["x"])
    assert run_cypher(neo4j, shown) == [["people", "s3://a", ["x", "y"]]], "stated again later: only its time changed"
    commit_facts(store, Facts(), 2, source="mesh/file")
    assert run_cypher(neo4j, shown) == [["events", "s3://a", ["x"]]]
    commit_facts(store, Facts(), 10, source="openlineage/a")
    assert run_cypher(neo4j, shown) == [[None, "s3://newer", None]]


HOSTILE = [
    "",
    " ",
    "`) DETACH DELETE n //",
    "'; MATCH (n) DETACH DELETE n; //",
    '"',
    "\\",
    "\x00",
    "a\x00b",
    "$id",
    "{}",
    "🚀名前",
    "é" * 9000,
    "\ud7ff\ue000\uffff",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_kept_as_they_are(store: Neo4jStore, neo4j: Neo4jServer, name: str) -> None:
    table = build_dataset_key(name, name)
    facts = Facts(
        assets=(
            AssetFact(table, {"description": name, name: name, "id": name, "scopes": name, "words": name, "big": 2**63, "tags": [name]}),
        ),
        edges=(
            EdgeFact(EdgeType.HAS_COLUMN, table, build_column_key(table, name), {name: name, "said": name, "scopes": 3, "position": 1}),
            EdgeFact(EdgeType.OWNS, build_owner_key(name), table, {"type": name}),
            EdgeFact(EdgeType.PART_OF, build_domain_key(name), build_domain_key(f"{name} parent")),
            EdgeFact(EdgeType.GOVERNS, build_contract_key(name), table),
        ),
        flows=(Flow(build_column_key(table, name), table, FlowType.INDIRECT, name, job=build_job_key(name, name)),),
    )
    commit_facts(store, facts, source=f"{name}/{name}", scope=name, version=name)
    commit_facts(store, Facts(assets=(AssetFact(ORDERS, {}),)), scope="other")
    assert read_drawing(neo4j) == build_drawing(list_heads(store))
    store.commit(lambda _: Batch(withdrawals=[Withdrawal(f"{name}/{name}", (name,), name)]))
    assert store.complete_projection()
    assert read_drawing(neo4j) == build_drawing(list_heads(store))
    assert run_cypher(neo4j, "MATCH (n:Asset) RETURN n.name") == [["public.orders"]]


KEYS = (
    *(build_dataset_key("ns", name) for name in "de"),
    *(build_column_key(build_dataset_key("ns", d), c) for d in "de" for c in "xy"),
    build_job_key("ns", "j"),
    build_owner_key("o"),
)
keys = st.sampled_from(KEYS)
attributes = st.builds(
    lambda plain, tags: {**plain, **tags},
    st.dictionaries(st.sampled_from(("description", "type", "data_source")), st.sampled_from(("a", "b", 1, 1.0, True)), max_size=2),
    st.sampled_from(({}, {}, {"tags": ["p"]}, {"tags": ["q", "p"]})),
)
flows = st.builds(
    Flow,
    keys,
    keys,
    st.sampled_from(FlowType),
    st.sampled_from(("", "IDENTITY")),
    st.booleans(),
    st.booleans(),
    st.sampled_from((None, build_job_key("ns", "j"), build_job_key("ns", "k"))),
)
edge_types = st.sampled_from([t for t in EDGE_TYPES if t is not EdgeType.FLOWS_TO])
edges = st.builds(EdgeFact, edge_types, keys, keys, st.sampled_from(({}, {"position": 1}, {"position": 2, "type": "t"})))
contents = st.builds(
    lambda a, e, f: encode_facts(Facts(tuple(a), tuple(e), tuple(f))),
    st.lists(st.builds(AssetFact, keys, attributes), max_size=3),
    st.lists(edges, max_size=3),
    st.lists(flows, max_size=3),
)
statements = st.builds(
    Statement,
    st.sampled_from(("openlineage/a", "dbt/b", "person/c")),
    st.sampled_from((("s",), ("t",))),
    st.integers(0, 5),
    contents,
    st.sampled_from(("", "r")),
    st.booleans(),
    st.none(),
)
withdrawals = st.builds(
    Withdrawal, st.sampled_from(("openlineage/a", "dbt/b")), st.sampled_from((("s",), ("t",))), st.sampled_from(("", "r"))
)
batches = st.tuples(st.lists(withdrawals, max_size=2), st.lists(statements, max_size=4)).map(lambda parts: Batch(*parts))


def test_true_takes_the_place_of_one(store: Neo4jStore, neo4j: Neo4jServer) -> None:
    """Which are equal in Python."""
    key = build_dataset_key("ns", "d")
    for at, value in enumerate((1, True, 1.0)):
        commit_facts(store, Facts(assets=(AssetFact(key, {"description": value}),)), at=at)
        assert read_drawing(neo4j) == build_drawing(list_heads(store))


def commit_batch(store: Neo4jStore, batch: Batch) -> None:
    store.commit(lambda _: batch)


@settings(max_examples=count_examples(30), deadline=None, suppress_health_check=[*HealthCheck])
@given(st.lists(st.tuples(batches, st.booleans()), min_size=1, max_size=5))
def test_the_graph_matches_the_heads_whatever_was_committed_before(neo4j: Neo4jServer, given: list[tuple[Batch, bool]]) -> None:
    """It is drawn after some of the commits: what came in between is drawn as one."""
    neo4j.wipe()
    with closing(Neo4jStore(neo4j.url)) as store:
        for batch, drawn in [*given, (Batch(), True)]:
            commit_batch(store, batch)
            if not drawn:
                continue
            assert store.complete_projection()
            assert read_drawing(neo4j) == build_drawing(list_heads(store))
