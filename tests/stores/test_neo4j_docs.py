"""Every query of docs/neo4j.md runs on a small graph and finds something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from meshline.graph.content import encode_facts
from meshline.graph.model import (
    AssetFact,
    AssetKey,
    EdgeFact,
    EdgeType,
    Facts,
    Flow,
    FlowType,
    Statement,
    build_column_key,
    build_consumer_key,
    build_data_product_key,
    build_dataset_key,
    build_domain_key,
    build_job_key,
    build_owner_key,
)
from meshline.graph.store.base import Batch, Run, RunKey
from meshline.graph.store.neo4j import Neo4jStore
from tests.servers import Neo4jServer

pytestmark = pytest.mark.server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "neo4j.md"
QUERIES = re.findall(r"^([^\n]+):\n\n```cypher\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)

SHOP = build_dataset_key("postgres://shop", "public.orders")
MART = build_dataset_key("postgres://shop", "mart.orders")
FILES = build_dataset_key("s3://lake", "mart/orders")
LOAD = build_job_key("airflow", "load_orders")


def build_listing(table: AssetKey, *names: str, **types: str) -> Facts:
    columns = [build_column_key(table, name) for name in names]
    return Facts(
        assets=(AssetFact(table, {"description": f"The {table.name}", **types}), *(AssetFact(key, {"type": "text"}) for key in columns)),
        edges=tuple(EdgeFact(EdgeType.HAS_COLUMN, table, key, {"position": n}) for n, key in enumerate(columns, 1)),
    )


def list_statements() -> Iterator[Statement]:
    def state(source: str, scope: tuple[str, ...], facts: Facts, at: int = 1, version: str = "") -> Statement:
        return Statement(source, scope, at * 86_400_000_000, encode_facts(facts), version)

    yield state("openlineage/default", ("dataset", *SHOP.parts, "schema"), build_listing(SHOP, "id", "email"))
    yield state("openlineage/default", ("dataset", *MART.parts, "schema"), build_listing(MART, "order_id", "contact"))
    email, contact = build_column_key(SHOP, "email"), build_column_key(MART, "contact")
    lineage = Facts(
        edges=(EdgeFact(EdgeType.READS, LOAD, SHOP), EdgeFact(EdgeType.WRITES, LOAD, MART)),
        flows=(
            Flow(email, contact, FlowType.DIRECT, "IDENTITY", job=LOAD),
            Flow(build_column_key(SHOP, "id"), MART, FlowType.INDIRECT, "FILTER", job=LOAD),
            Flow(SHOP, MART, covered=True, job=LOAD),
        ),
    )
    for run in (2, 3):
        yield state("openlineage/default", ("job-output", *LOAD.parts, *MART.parts), lineage, run, f"run-{run}")
    yield state(
        "openlineage/default",
        ("dataset", *FILES.parts, "symlinks"),
        Facts(edges=(EdgeFact(EdgeType.SAME_AS, FILES, MART, {"why": "symlink"}),)),
    )
    product = build_data_product_key("orders")
    yield state(
        "mesh/shop",
        ("mesh", "product", "orders"),
        Facts(
            assets=(AssetFact(product, {"description": "All orders"}), AssetFact(email, {"tags": ["pii"]})),
            edges=(
                EdgeFact(EdgeType.PART_OF, product, build_domain_key("sales")),
                EdgeFact(EdgeType.PORT, product, MART, {"direction": "output"}),
                EdgeFact(EdgeType.OWNS, build_owner_key("team:orders"), product, {"type": "technical"}),
                EdgeFact(EdgeType.OWNS, build_owner_key("team:sales"), build_domain_key("sales"), {"type": "business"}),
            ),
        ),
    )
    yield state(
        "mesh/shop",
        ("mesh", "consumer", "finance"),
        Facts(
            edges=(
                EdgeFact(EdgeType.CONSUMES, build_consumer_key("finance"), contact),
                EdgeFact(EdgeType.CONSUMES, build_consumer_key("ml"), product),
            )
        ),
    )


@pytest.fixture(scope="module")
def loaded(running_neo4j: Neo4jServer) -> Neo4jServer:
    running_neo4j.wipe()
    with closing(Neo4jStore(running_neo4j.url)) as store:
        runs = [Run(RunKey("openlineage/default", LOAD, f"run-{run}"), "", b"\x80", run, (SHOP,), (MART,)) for run in (2, 3)]
        batch = Batch(statements=tuple(list_statements()), runs=runs)
        store.commit(lambda _: batch)
        assert store.complete_projection()
    return running_neo4j


def test_the_page_has_queries() -> None:
    assert len(QUERIES) == PAGE.read_text("utf-8").count("```cypher") > 10


@pytest.mark.parametrize(("title", "cypher"), QUERIES, ids=[title[:60] for title, _ in QUERIES])
def test_a_query_of_the_page_finds_something(loaded: Neo4jServer, title: str, cypher: str) -> None:
    with loaded.session() as session:
        records = session.run(cypher).values()
    assert records, title
    assert records[0][0] is not None


def test_the_answers_are_those_that_the_page_promises(loaded: Neo4jServer) -> None:
    by_title = dict(QUERIES)
    with loaded.session() as session:

        def answer(start: str) -> list[list[object]]:
            return session.run(next(cypher for title, cypher in by_title.items() if title.startswith(start))).values()

        assert answer("Who owns a dataset") == [
            ["team:orders", "technical", "DataProduct", "orders"],
            ["team:sales", "business", "Domain", "sales"],
        ]
        assert answer("Everything downstream") == [["postgres://shop/mart.orders.contact", 1]]
        assert answer("In large graphs") == [["postgres://shop/mart.orders.contact", 1]]
        assert answer("Datasets that no one owns") == [["postgres://shop/public.orders"], ["s3://lake/mart/orders"]]
        assert sorted(answer("Who consumes"), key=str) == [
            ["finance", "Column", "postgres://shop/mart.orders.contact"],
            ["ml", "DataProduct", "orders"],
        ]
        assert answer("Columns tagged") == [["postgres://shop/public.orders.email", "postgres://shop/mart.orders.contact", "orders"]]
