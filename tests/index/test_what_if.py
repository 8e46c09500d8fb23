"""The graph as it would be: supposed statements are answered like committed ones, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import index_tables
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Statement
from meshline.graph.store.base import Batch, Store
from meshline.graph.store.factory import open_store
from meshline.graph.what_if import SupposedStatement, suppose_statements
from tests.index.graphs import describe_reached, get_node, traverse_down
from tests.index.heads import build_flow, build_statement, state_lineage, state_schema
from tests.index.strategies import any_statement, draw_lists
from tests.index.test_laws import check_traversable, collect_answers, collect_names
from tests.sizes import count_examples

NOW = 1_000  # after all that is drawn


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[LiveGraph]:
    with closing(open_store(f"sqlite:///{tmp_path / 'graph.db'}")) as store:
        yield LiveGraph.open(store)


def commit_statements(store: Store, statements: list[Statement]) -> None:
    store.commit(lambda _: Batch(statements=statements))


def build_supposed(statement: Statement) -> SupposedStatement:
    return SupposedStatement(statement.source, statement.scope, statement.content)


def test_what_is_supposed_is_asked_like_the_graph_and_then_gone(graph: LiveGraph) -> None:
    graph.commit(lambda _: Batch(statements=[state_schema("a", "x", "y", source="iceberg/cat"), state_lineage(build_flow("a.x", "b.x"))]))
    without = [
        build_supposed(state_schema("a", "y", source="iceberg/cat")),
        build_supposed(state_lineage(build_flow("a.y", "c.y"), scope="new")),
    ]
    with suppose_statements(graph, without, NOW) as would:
        assert [would.index.assets.get_key(column).name for column in would.index.assets.list_columns(get_node(would.index, "a"))] == ["y"]
        assert describe_reached(would.index, traverse_down(would.index, "a.y")) == {"c.y": "DIRECT 1"}
        assert {row.observed_at for rows in would.read_facts(would.index, [get_node(would.index, "a.y")]).values() for row in rows} <= {NOW}
        with pytest.raises(AssertionError, match="supposed statements"):
            would.commit(lambda _: Batch())
    assert [graph.index.assets.get_key(column).name for column in graph.index.assets.list_columns(get_node(graph.index, "a"))] == ["x", "y"]
    assert describe_reached(graph.index, traverse_down(graph.index, "a.y")) == {}


def test_an_error_meanwhile_leaves_the_graph_as_it_was(graph: LiveGraph) -> None:
    graph.commit(lambda _: Batch(statements=[state_lineage(build_flow("a.x", "b.x"))]))
    before = graph.index.dump()
    with pytest.raises(KeyError), suppose_statements(graph, [build_supposed(state_lineage(build_flow("a.x", "c.x")))], NOW):
        raise KeyError
    assert graph.index.dump() == before
    graph.commit(lambda _: Batch(statements=[state_lineage(build_flow("b.x", "d.x"), scope="two")]))
    assert set(describe_reached(graph.index, traverse_down(graph.index, "a.x"))) == {"b.x", "d.x"}


@settings(max_examples=count_examples(100))
@given(draw_lists(any_statement), draw_lists(any_statement, 4), st.booleans())
def test_supposing_is_stating_and_withdrawing(stated: list[Statement], more: list[Statement], often: bool) -> None:  # noqa: FBT001 - drawn
    with pytest.MonkeyPatch.context() as patched:
        if often:
            patched.setattr(index_tables, "OVERLAY", 3)
            patched.setattr(index_tables, "GARBAGE", 5)
        more = [one._replace(observed_at=NOW, version="", provisional=False, until=None) for one in more]
        with closing(open_store("sqlite:///:memory:")) as store, closing(open_store("sqlite:///:memory:")) as other:
            commit_statements(store, stated)
            graph = LiveGraph.open(store)
            known = {(one.source, one.scope): graph.index.changes.list_statements(one.source).get(one.scope) for one in more}
            more = [*{(one.source, one.scope): one for one in more}.values()]
            more = [one for one in more if (was := known[one.source, one.scope]) is None or was.digest != one.content.digest]
            commit_statements(other, [*stated, *more])
            really = LiveGraph.open(other)
            before = graph.index.dump(), collect_answers(graph.index), collect_names(graph.index)
            with suppose_statements(graph, [*map(build_supposed, more)], NOW) as would:
                check_traversable(would.index)
                assert would.index.dump() == really.index.dump()
                assert collect_answers(would.index) == collect_answers(really.index)
            check_traversable(graph.index)
            assert (graph.index.dump(), collect_answers(graph.index), collect_names(graph.index)) == before


def test_nothing_is_supposed_of_nothing(graph: LiveGraph) -> None:
    with suppose_statements(graph, [build_supposed(build_statement(None, ("test", "s"), 0))], NOW) as would:
        assert would.index.dump() == graph.index.dump()
