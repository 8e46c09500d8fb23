"""Whole questions on Neo4j have the answers that they have on SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing

import pytest

from meshline.api.graphql import Executor
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Facts, build_column_key, from_micros
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, Run, RunKey
from meshline.graph.store.neo4j import Neo4jStore, reader
from meshline.graph.store.neo4j.reader import ScopeRow
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage.run_state import RunState, encode_state
from tests.index.heads import build_flow, state_lineage
from tests.queries import mesh
from tests.servers import Neo4jServer
from tests.stores.statements import build_statement, commit_statements


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


def test_changes_of_another_version_do_not_state_since_when_the_graph_is_another(neo4j: Neo4jServer) -> None:
    """Or of too many commits."""
    with closing(Neo4jStore(neo4j.url)) as store:
        for at in (5, 3, 9):
            commit_statements(store, build_statement("A", at))
        with neo4j.session() as session:
            session.run("MATCH (m:Meta) SET m.changeTimes = m.changeTimes[1..]").consume()
            assert [store.read_changes(since).earliest for since in range(3)] == [None, 3, 9]
            session.run("MATCH (m:Meta) SET m.revision = m.revision + 1").consume()
        assert [store.read_changes(since).earliest for since in range(3)] == [None, None, None]
        commit_statements(store, build_statement("A", 7))
        assert [store.read_changes(since).earliest for since in range(2, 5)] == [None, None, 7]


@pytest.mark.parametrize("late", [4, 20], ids=["about that time", "about a later time"])
def test_the_graph_of_a_past_time_is_of_one_revision(neo4j: Neo4jServer, monkeypatch: pytest.MonkeyPatch, late: int) -> None:
    """Statements that are committed between two batches are in both or in none."""
    monkeypatch.setattr(reader, "PAGE", 1)
    names = ("a", "b", "c")
    with closing(Neo4jStore(neo4j.url)) as store, closing(Neo4jStore(neo4j.url)) as other:
        commit_statements(store, *(state_lineage(build_flow(f"{name}.x", "t.x"), scope=name, at=1) for name in names))
        graph = LiveGraph.open(store)
        split, pages = reader.split_by_size, 0

        def commit_after_the_first(kept: Sequence[ScopeRow]) -> Iterator[list[ScopeRow]]:
            nonlocal pages
            pages += 1
            if pages == 1:
                new = [state_lineage(build_flow(f"{name}.y", "t.y"), scope=name, at=late) for name in names]
                commit_statements(other, *new)
            return split(kept)

        monkeypatch.setattr(reader, "split_by_size", commit_after_the_first)
        found = graph.get_index(5)
        monkeypatch.undo()
        expected = LiveGraph.open(store).get_index(5)
        assert found.dump() == expected.dump()
        assert pages == (8 if late < 5 else 4)
