"""A store and its index in step: commits, other writers, the past, facts."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from meshline.errors import StoreUnavailable
from meshline.graph import live_graph, past_index
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, EdgeFact, EdgeType, Facts, Statement, build_owner_key
from meshline.graph.store.base import Batch, Changes, Head, PastReader
from meshline.graph.store.sqlite import SqliteStore
from meshline.graph.what_if import SupposedStatement, suppose_statements
from tests.index.graphs import describe_reached, get_node, traverse_down
from tests.index.heads import build_flow, build_same_as, build_statement, state_lineage, to_dataset


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(str(tmp_path / "graph.db"))
    yield opened
    opened.close()


def commit_statements(graph: LiveGraph, *statements: Statement) -> Changes:
    return graph.commit(lambda _: Batch(statements=statements))


def state_description(text: str, at: int, source: str) -> Statement:
    return build_statement(
        Facts(assets=(AssetFact(to_dataset("a"), {"description": text, "storage": source}),)), ("dataset", "a", source), at, source=source
    )


def test_a_commit_is_seen_when_it_returns(store: SqliteStore) -> None:
    graph = LiveGraph.open(store)
    commit_statements(graph, state_lineage(build_flow("a.x", "b.x")))
    assert describe_reached(graph.index, traverse_down(graph.index, "a.x")) == {"b.x": "DIRECT 1"}
    assert graph.index.revision == store.read_revision()


def test_commits_of_another_writer_are_followed(store: SqliteStore, tmp_path: Path) -> None:
    other = SqliteStore(str(tmp_path / "graph.db"))
    graph, theirs = LiveGraph.open(store), LiveGraph.open(other)
    commit_statements(theirs, state_lineage(build_flow("a.x", "b.x")))
    assert graph.index.assets.find_by_key(to_dataset("a")) is None
    assert graph.refresh() == store.read_revision()
    commit_statements(theirs, state_lineage(build_flow("b.x", "c.x"), scope="two"))
    commit_statements(graph, state_lineage(build_flow("c.x", "d.x"), scope="three"))
    assert set(describe_reached(graph.index, traverse_down(graph.index, "a.x"))) == {"b.x", "c.x", "d.x"}
    assert graph.index.dump() == LiveGraph.open(store).index.dump()
    other.close()


def test_the_past_is_asked_for_and_kept_until_something_changes(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = LiveGraph.open(store)
    commit_statements(graph, state_lineage(build_flow("a.x", "b.x"), at=1), state_lineage(build_flow("a.x", "c.x"), at=5))
    past = graph.get_index(3)
    assert (past.as_of, set(describe_reached(past, traverse_down(past, "a.x")))) == (3, {"b.x"})
    assert graph.get_index(3) is past
    assert graph.get_index(None) is graph.index
    commit_statements(graph, state_lineage(build_flow("a.x", "d.x"), at=2))
    late = graph.get_index(3)
    assert set(describe_reached(late, traverse_down(late, "a.x"))) == {"d.x"}
    monkeypatch.setattr(past_index, "MOST", 4)
    for at in range(10):
        graph.get_index(at)
    assert len(graph._past) == 4


def test_a_commit_of_later_times_keeps_the_past(store: SqliteStore) -> None:
    """But for what sources state since, and did not then: an answer names it."""
    graph = LiveGraph.open(store)
    commit_statements(graph, state_lineage(build_flow("a.x", "b.x"), at=1))
    past = graph.get_index(3)
    for at in (4, 5):
        commit_statements(graph, state_lineage(build_flow("a.x", "c.x"), scope="two", at=at))
        assert graph.get_index(3) is past
        assert past.revision == graph.revision
    owns = EdgeFact(EdgeType.OWNS, build_owner_key("o"), to_dataset("a"))
    commit_statements(graph, build_statement(Facts(edges=(owns,)), ("mesh", "o"), 6, source="mesh/m"))
    owned = graph.get_index(3)
    assert [(later.type, later.since) for later in owned.known_later] == [(EdgeType.OWNS, 6)]
    commit_statements(graph, state_lineage(build_flow("a.x", "c.x"), scope="two", at=7))
    assert graph.get_index(3) is owned
    commit_statements(graph, build_statement(None, ("mesh", "o"), 8, source="mesh/m"))
    assert graph.get_index(3).known_later == ()


def test_a_commit_of_another_process_keeps_the_past(store: SqliteStore, tmp_path: Path) -> None:
    graph = LiveGraph.open(store)
    commit_statements(graph, state_lineage(build_flow("a.x", "b.x"), at=1))
    past = graph.get_index(3)
    with closing(SqliteStore(str(tmp_path / "graph.db"))) as other:
        commit_statements(theirs := LiveGraph.open(other), state_lineage(build_flow("a.x", "c.x"), scope="two", at=4))
        assert (graph.refresh(), graph.get_index(3)) == (2, past)
        commit_statements(theirs, state_lineage(build_flow("a.x", "c.x"), scope="two", at=3))
    assert (graph.refresh(), graph.get_index(3) is past) == (3, False)


def test_a_past_that_is_built_meanwhile_follows(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = LiveGraph.open(store)
    commit_statements(graph, state_lineage(build_flow("a.x", "b.x"), at=1))
    open_past = store.open_past

    @contextmanager
    def commit_meanwhile(as_of: int) -> Iterator[PastReader]:
        with open_past(as_of) as past:
            yield past
            commit_statements(graph, state_lineage(build_flow("b.x", "c.x"), scope="two", at=5))

    monkeypatch.setattr(store, "open_past", commit_meanwhile)
    past = graph.get_index(3)
    assert (past.revision, graph.revision) == (2, 2)
    assert graph.get_index(3) is past


def test_names_that_stand_for_nothing_do_not_stay(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_graph, "SPARE_NODES", 100)
    graph = LiveGraph.open(store)
    commit_statements(graph, state_lineage(build_flow("a.x", "b.x")))
    before, sizes = graph.index.dump(), []
    for n in range(100):
        names = [build_flow(f"a{n}.x{m}", f"b{n}.x{m}") for m in range(10)]
        with suppose_statements(graph, [SupposedStatement("person/check", (str(n),), state_lineage(*names).content)], 1_000):
            pass
        graph.renew()
        sizes.append(graph.index.changes.count_nodes())
    assert max(sizes) < 200
    assert graph.index.dump() == before
    commit_statements(graph, state_lineage(build_flow("b.x", "c.x"), scope="two"))
    assert set(describe_reached(graph.index, traverse_down(graph.index, "a.x"))) == {"b.x", "c.x"}


def test_what_is_committed_while_the_index_is_read_again_is_in_it(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_graph, "SPARE_NODES", 0)
    graph = LiveGraph.open(store)
    heads, changes = store.iterate_heads, store.read_changes

    def iterate_heads_and_commit(as_of: int | None = None) -> Iterator[Sequence[Head]]:
        yield from heads(as_of)
        commit_statements(graph, state_lineage(build_flow("a.x", "b.x")))

    def read_changes_and_commit(since: int) -> Changes:
        found = changes(since)
        monkeypatch.setattr(store, "read_changes", changes)
        commit_statements(graph, state_lineage(build_flow("b.x", "c.x"), scope="two"))
        return found

    monkeypatch.setattr(store, "iterate_heads", iterate_heads_and_commit)
    monkeypatch.setattr(store, "read_changes", read_changes_and_commit)
    before = graph.index
    assert graph.renew()
    assert graph.index is not before
    assert graph.index.revision == store.read_revision() == 2
    assert set(describe_reached(graph.index, traverse_down(graph.index, "a.x"))) == {"b.x", "c.x"}


def test_what_is_committed_is_shown_whatever_the_deadline(store: SqliteStore) -> None:
    graph = LiveGraph.open(store)
    locked, go = threading.Event(), threading.Event()

    def keep_lock() -> None:
        with graph.lock:
            locked.set()
            go.wait(60)

    with ThreadPoolExecutor(1) as pool:
        keeper = pool.submit(keep_lock)
        assert locked.wait(60)
        threading.Timer(0.2, go.set).start()
        with graph.lock.set_deadline(time.monotonic()):
            with pytest.raises(StoreUnavailable), graph.lock:
                pass
            commit_statements(graph, state_lineage(build_flow("a.x", "b.x")))
        keeper.result(30)
    assert graph.index.revision == 1


def test_a_past_that_is_forgotten_is_gone(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_index, "MOST", 4)
    graph = LiveGraph.open(store)
    commit_statements(graph, state_lineage(build_flow("a.x", "b.x"), at=1))
    first = weakref.ref(graph.get_index(3))
    for at in range(10, 15):
        graph.get_index(at)
    gc.collect()
    assert first() is None


def test_a_past_is_built_while_the_graph_is_locked_by_others_and_once(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = LiveGraph.open(store)
    commit_statements(graph, state_lineage(build_flow("a.x", "b.x"), at=1))
    open_past, built, go = store.open_past, threading.Semaphore(0), threading.Event()

    def wait_and_open(as_of: int) -> AbstractContextManager[PastReader]:
        built.release()
        go.wait(60)
        return open_past(as_of)

    monkeypatch.setattr(store, "open_past", wait_and_open)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(graph.get_index, 3) for _ in range(4)]
        assert built.acquire(timeout=60)
        commit_statements(graph, state_lineage(build_flow("b.x", "c.x"), scope="two", at=1))  # nothing waits for the past
        with pytest.raises(StoreUnavailable, match="ask again"):
            graph.get_index(3, revision=1, deadline=time.monotonic())
        go.set()
        assert len({id(one.result(30)) for one in asked}) == 1
    assert not built.acquire(blocking=False), "it was read once"


def test_facts_name_the_source_of_each_value_and_which_is_shown(store: SqliteStore) -> None:
    graph = LiveGraph.open(store)
    commit_statements(
        graph,
        state_description("new", 9, "openlineage/a"),
        state_description("old", 1, "dbt/b"),
        state_description("older", 0, "openlineage/c"),
    )
    node = get_node(graph.index, "a")
    rows = graph.read_facts(graph.index, [node])[node]
    assert [(row.attribute, row.value, row.chosen) for row in rows] == [
        ("description", "old", True),
        ("description", "new", False),
        ("description", "older", False),
        ("storage", "dbt/b", True),
        ("storage", "openlineage/a", False),
        ("storage", "openlineage/c", False),
    ]


def test_facts_of_all_names_of_a_dataset(store: SqliteStore) -> None:
    graph = LiveGraph.open(store)
    commit_statements(
        graph, state_description("it", 1, "dbt/b"), build_statement(Facts(edges=(build_same_as("a", "b"),)), ("p",), 2, source="person/p")
    )
    node = get_node(graph.index, "b")
    assert [row.value for row in graph.read_facts(graph.index, [node])[node]] == ["it", "dbt/b"]
    assert [edge.attributes for edge in graph.index.ownership.list_edges(node, EdgeType.SAME_AS)] == [{"why": "person"}]
    assert [graph.index.changes.get_scope(scope).source for scope in graph.index.changes.list_scopes(node)] == ["dbt/b", "person/p"]
