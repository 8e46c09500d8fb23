"""More than 32 bits can number is refused, before anything is half done: with limits so low that little reaches them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import numpy as np
import pytest

from meshline.errors import LimitExceeded, StoreUnavailable
from meshline.graph import live_graph
from meshline.graph.index import index_tables
from meshline.graph.index.arrays import N_NAMED, N_NODES, NODES, ROWS, Scratch, allocate_group
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Facts, Statement
from meshline.graph.store.base import Batch
from meshline.graph.store.sqlite import SqliteStore
from meshline.graph.what_if import SupposedStatement, suppose_statements
from tests.index.graphs import describe_reached, traverse_down
from tests.index.heads import build_flow, build_statement, state_drop, state_lineage

MOST = 2_000

LowerLimit = Callable[[], None]


@pytest.fixture(params=["NODES", "ROWS"])
def lower_limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> LowerLimit:
    def lower() -> None:
        monkeypatch.setattr(live_graph, "SPARE_NUMBERS", 0)
        monkeypatch.setattr(index_tables, request.param, MOST)

    return lower


def state_number(n: int) -> Statement:
    return state_lineage(build_flow("a.x", f"b{n}.x"), scope=str(n))


def commit_statements(graph: LiveGraph, *statements: Statement) -> None:
    graph.commit(lambda _: Batch(statements=statements))


def fill(graph: LiveGraph) -> int:
    """Commit statements one by one until one is refused; how many were not."""
    for n in count():
        try:
            commit_statements(graph, state_number(n))
        except StoreUnavailable:
            return n
    raise AssertionError


def list_reached(graph: LiveGraph) -> set[str]:
    return set(describe_reached(graph.index, traverse_down(graph.index, "a.x")))


def test_the_greatest_numbers_fit_into_the_arrays() -> None:
    scratch = allocate_group(Scratch, 1)
    assert np.iinfo(scratch.queue.dtype).max >= 4 * (NODES - 1) + 3
    assert np.iinfo(IndexTables().nodes.slots.dtype).max >= ROWS


def test_a_commit_beyond_the_limit_is_refused_and_nothing_is_half_done(lower_limit: LowerLimit, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = LiveGraph.open(SqliteStore())
    lower_limit()
    n = fill(graph)
    assert n > 100
    assert graph.index.revision == graph.store.read_revision() == n
    assert list_reached(graph) == {f"b{i}.x" for i in range(n)}
    with pytest.raises(StoreUnavailable, match=r"nothing was written: .* more than 2,000, .* divide the graph"):
        commit_statements(graph, state_number(n))
    commit_statements(graph, build_statement(None, ("test", "0"), 1))  # to withdraw needs no room
    assert list_reached(graph) == {f"b{i}.x" for i in range(1, n)}
    monkeypatch.undo()
    assert graph.index.dump() == LiveGraph.open(graph.store).index.dump()


def test_a_spare_is_left_for_commits_of_others(lower_limit: LowerLimit, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = LiveGraph.open(SqliteStore())
    lower_limit()
    monkeypatch.setattr(live_graph, "SPARE_NUMBERS", 500)
    n = fill(graph)
    graph.store.commit(lambda _: Batch(statements=[state_number(n)]))
    graph.refresh()
    assert list_reached(graph) == {f"b{i}.x" for i in range(n + 1)}


def test_what_others_committed_beyond_the_limit_is_not_shown_in_part(lower_limit: LowerLimit, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = LiveGraph.open(SqliteStore())
    with monkeypatch.context():
        lower_limit()
        n = fill(graph)
        before = graph.index.dump()
        graph.store.commit(lambda _: Batch(statements=[build_statement(None, ("test", "0"), 1), state_number(n)]))
        for _ in range(2):
            with pytest.raises(LimitExceeded, match="more than 2,000"):
                graph.refresh()
            assert graph.index.revision == n
            assert graph.index.dump() == before
        with pytest.raises(LimitExceeded), suppose_statements(graph, [SupposedStatement("x", ("x",), state_number(n).content)], 1):
            pass
        assert graph.index.dump() == before
    monkeypatch.undo()
    graph.refresh()
    assert graph.index.dump() == LiveGraph.open(graph.store).index.dump() != before


def test_a_store_beyond_the_limit_is_not_loaded(lower_limit: LowerLimit) -> None:
    store = SqliteStore()
    store.commit(lambda _: Batch(statements=[state_number(n) for n in range(MOST)]))
    lower_limit()
    with pytest.raises(LimitExceeded, match="more than 2,000"):
        LiveGraph.open(store)


@pytest.mark.parametrize(("limit", "table"), [("NODES", N_NODES), ("ROWS", N_NAMED)])
def test_what_a_rename_needs_is_never_numbered_beyond_the_limit(limit: str, table: int, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = LiveGraph.open(SqliteStore())
    flows = tuple(build_flow(f"a.c{n}", f"b.c{n}") for n in range(500))
    commit_statements(graph, build_statement(Facts(flows=flows), ("one",)))
    monkeypatch.setattr(live_graph, "SPARE_NUMBERS", 0)
    monkeypatch.setattr(index_tables, limit, int(graph.index._tables.counts[table]) + 300)
    with pytest.raises(LimitExceeded):
        commit_statements(graph, state_drop("a", 5))
    assert graph.index._tables.counts[table] <= getattr(index_tables, limit)
