"""Requests leave nothing to the garbage collector: it would free what a hundred of them left at once, and all others would wait for it."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from meshline.api.graphql import Bounds, Executor
from meshline.graph.naming import Naming
from tests.queries import mesh

# Each way by which answers are made: plans of objects, lists and interfaces, resolvers that wait for others, and what is read together.
QUERIES = {
    "impact": f'{{ impact(of: "{mesh.EMAIL.id}") {{ total byOwner {{ label }} assets {{ nodes {{ reach node {{ id kind name }} }} }} }} }}',
    "columns": "{ datasets { nodes { id aliases { name } facts { attribute } columns(first: 5) { nodes { name dataType } } } } }",
    "jobs": "{ jobs { nodes { name domain { name } lastRun { state } writes { name } } } }",
    "health": "{ products { nodes { name health { state } } } broken: products(health: [BROKEN]) { totalCount } }",
    "search": '{ search(text: "orders") { nodes { id name description } edges { why { word } } } }',
    "flows": f'{{ lineage(of: "{mesh.EMAIL.id}") {{ nodes {{ asset {{ id }} }} edges {{ subtype evidence {{ source }} }} }} }}',
    "schema": "{ __schema { types { name fields { name } } } }",
}


@pytest.fixture(scope="module")
def graphql() -> Iterator[Executor]:
    graph = mesh.build_graph(*mesh.build_mesh())
    yield Executor(graph, Naming(), Bounds(depth=50, aliases=500))
    graph.store.close()


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_nothing_refers_to_itself(graphql: Executor, query: str) -> None:
    graphql.execute(query)  # what the first one leaves is kept for later ones
    gc.collect()
    gc.disable()
    try:
        bodies, left = zip(*((graphql.execute(query).body, gc.collect()) for _ in range(3)), strict=True)
    finally:
        gc.enable()
    assert min(left) == 0, left  # threads of other tests may leave something, too
    assert "errors" not in bodies[0], bodies[0]
