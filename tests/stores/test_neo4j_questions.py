"""Whole questions on Neo4j have the answers that they have on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from meshline.api.graphql import Executor
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Facts, build_column_key, from_micros
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, Run, RunKey
from meshline.graph.store.neo4j import Neo4jStore
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.run_state import RunState, encode_state
from tests.queries import mesh
from tests.servers import Neo4jServer


def build_run(run_id: str, at: int, completed: int | None = None, failed: int | None = None) -> Run:
    return Run(RunKey("a/b", mesh.LOAD, run_id), "", encode_state(RunState(at, at, completed, failed, {}, {}, [], [])), at)


@pytest.fixture(scope="module")
def executors(running_neo4j: Neo4jServer) -> Iterator[list[Executor]]:
    """On SQLite and on Neo4j, with the same statements: flows that came, and went again."""
    running_neo4j.wipe()
    flow = mesh.build_flow(build_column_key(mesh.ORDERS, "id"), build_column_key(mesh.REVENUE, "day"))
    statements = [
        *mesh.build_mesh(),
        mesh.build_statement("a/b", ("x",), Facts(flows=(flow,)), mesh.START + 2 * mesh.SECOND),
        mesh.build_statement("a/b", ("x",), Facts(), mesh.START + 7_200 * mesh.SECOND),
    ]
    runs = [build_run("a", 1, failed=1), build_run("b", 2), build_run("c", 3, completed=3)._replace(key=RunKey("a/b", mesh.SUM, "c"))]
    with ExitStack() as stack:
        found = []
        for store in (SqliteStore(), Neo4jStore(running_neo4j.url)):
            graph = LiveGraph.open(stack.enter_context(closing(store)))
            mesh.commit_statements(graph, *statements)
            graph.commit(lambda _: Batch(runs=runs))
            found.append(Executor(graph, Naming()))
        yield found


pytestmark = pytest.mark.server
FIRST, LAST = (from_micros(at).isoformat() for at in (mesh.START - mesh.SECOND, mesh.START + 10_000 * mesh.SECOND))


@pytest.mark.parametrize(
    ("question", "part"),
    [
        (f'{{ changes(from: "{FIRST}", to: "{LAST}", bucket: HOUR) {{ at until added removed moved times }} }}', "'removed': 1"),
        ("{ products(health: [BROKEN, UNKNOWN, KEPT], orderBy: HEALTH) { totalCount nodes { name health { state } } } }", "'orders'"),
        (f'{{ search(text: "orders", asOf: "{LAST}") {{ totalCount nodes {{ qualifiedName }} }} }}', "sales.orders"),
        (
            "{ jobs(lastRun: [FAIL, RUNNING], orderBy: LAST_OBSERVED) { totalCount nodes { name lastRun { runId state } } } }",
            "'runId': 'b'",
        ),
    ],
    ids=["changes", "products", "search", "jobs"],
)
def test_answers_are_those_of_sqlite(executors: list[Executor], question: str, part: str) -> None:
    first, second = (executor.execute(question).body for executor in executors)
    assert "errors" not in first, first
    assert part in str(first)
    assert first == second
