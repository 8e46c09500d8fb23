"""A store and its index in step: commits, other writers, the past, facts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from meshline.graph.live import LiveGraph
from meshline.graph.model import AssetFact, EdgeType, Facts, Statement
from meshline.graph.store.base import Batch, Changes
from meshline.graph.store.sqlite import SqliteStore
from tests.index.graphs import down, found, reached
from tests.index.heads import ds, flow, lineage, same, says


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(str(tmp_path / "graph.db"))
    yield opened
    opened.close()


def commit(graph: LiveGraph, *statements: Statement) -> Changes:
    return graph.commit(lambda _: Batch(statements=statements))


def described(text: str, at: int, source: str) -> Statement:
    return says(Facts(assets=(AssetFact(ds("a"), {"description": text, "storage": source}),)), ("dataset", "a", source), at, source=source)


def test_a_commit_is_seen_when_it_returns(store: SqliteStore) -> None:
    graph = LiveGraph.open(store)
    commit(graph, lineage(flow("a.x", "b.x")))
    assert reached(graph.index, down(graph.index, "a.x")) == {"b.x": "DIRECT 1"}
    assert graph.index.revision == store.revision()


def test_what_another_writer_commits_is_followed(store: SqliteStore, tmp_path: Path) -> None:
    other = SqliteStore(str(tmp_path / "graph.db"))
    graph, theirs = LiveGraph.open(store), LiveGraph.open(other)
    commit(theirs, lineage(flow("a.x", "b.x")))
    assert graph.index.node(ds("a")) is None
    assert graph.refresh() == store.revision()
    commit(theirs, lineage(flow("b.x", "c.x"), scope="two"))
    commit(graph, lineage(flow("c.x", "d.x"), scope="three"))
    assert set(reached(graph.index, down(graph.index, "a.x"))) == {"b.x", "c.x", "d.x"}
    assert graph.index.dump() == LiveGraph.open(store).index.dump()
    other.close()


def test_the_past_is_asked_for_and_kept_until_something_changes(store: SqliteStore) -> None:
    graph = LiveGraph.open(store)
    commit(graph, lineage(flow("a.x", "b.x"), at=1), lineage(flow("a.x", "c.x"), at=5))
    past = graph.at(3)
    assert (past.as_of, set(reached(past, down(past, "a.x")))) == (3, {"b.x"})
    assert graph.at(3) is past
    assert graph.at(None) is graph.index
    commit(graph, lineage(flow("a.x", "d.x"), at=2))
    late = graph.at(3)
    assert set(reached(late, down(late, "a.x"))) == {"d.x"}
    for time in range(10):
        graph.at(time)
    assert len(graph._past) <= 4


def test_facts_say_who_said_what_and_which_is_shown(store: SqliteStore) -> None:
    graph = LiveGraph.open(store)
    commit(graph, described("new", 9, "openlineage/a"), described("old", 1, "dbt/b"), described("older", 0, "openlineage/c"))
    node = found(graph.index, "a")
    rows = graph.facts(graph.index, [node])[node]
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
    commit(graph, described("it", 1, "dbt/b"), says(Facts(edges=(same("a", "b"),)), ("p",), 2, source="person/p"))
    node = found(graph.index, "b")
    assert [row.value for row in graph.facts(graph.index, [node])[node]] == ["it", "dbt/b"]
    assert [edge.attributes for edge in graph.index.edges(node, EdgeType.SAME_AS)] == [{"why": "person"}]
    assert [graph.index.scope(scope).source for scope in graph.index.scopes(node)] == ["dbt/b", "person/p"]
