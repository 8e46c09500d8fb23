"""Unmasked values reach the columns that a traversal of DIRECT flows reaches unmasked; copies are counted column by column."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from meshline.graph.index import Direction, Reach
from meshline.graph.index.arrays import COLUMN
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import Facts, Statement
from meshline.graph.store.base import Batch
from meshline.graph.store.sqlite import SqliteStore
from tests.index.heads import build_statement, to_column
from tests.index.strategies import any_statement, columns, draw_lists
from tests.queries import mesh


@given(draw_lists(any_statement, most=20), st.lists(columns, min_size=1, max_size=3))
def test_values_go_where_unmasked_direct_flows_lead(stated: list[Statement], names: list[str]) -> None:
    live = LiveGraph.open(SqliteStore())
    live.commit(lambda _: Batch(statements=stated))
    index = live.index
    starts = sorted(
        {index.assets.get_representative(node) for name in names if (node := index.assets.find_by_key(to_column(name))) is not None}
    )
    labels = index.lineage.build_spread(np.array(starts, np.int32), possible=False).labels
    found = index.lineage.traverse(starts, Direction.DOWNSTREAM, reach=Reach.DIRECT)
    unmasked = {node for node, masked in zip(found.nodes.tolist(), found.masked.tolist(), strict=True) if not masked}
    assert set(np.flatnonzero(labels).tolist()) == unmasked | set(starts)
    for node in unmasked:
        steps = index.lineage.find_trace(labels, node)
        assert len(steps) == labels[node] - 1
        assert (steps[0].start in starts, steps[-1].end) == (True, node)
        assert not any(step.masking or step.reach is not Reach.DIRECT for step in steps)


@given(draw_lists(any_statement, most=20), columns)
def test_where_columns_are_not_recorded_more_may_be_reached_and_never_less(stated: list[Statement], name: str) -> None:
    live = LiveGraph.open(SqliteStore())
    live.commit(lambda _: Batch(statements=stated))
    index = live.index
    node = index.assets.find_by_key(to_column(name))
    if node is None:
        return
    start = index.assets.get_representative(node)
    sure, possible = (index.lineage.build_spread(np.array([start], np.int32), possible=how).labels for how in (False, True))
    everything = index.lineage.traverse([start], Direction.DOWNSTREAM, reach=Reach.POSSIBLE).nodes.tolist()
    reached = np.flatnonzero(possible).astype(np.int32)
    assert set(np.flatnonzero(sure).tolist()) <= set(reached.tolist())
    assert set(reached[index.lineage.get_kinds(reached) == COLUMN].tolist()) <= {*everything, start}
    for one in reached.tolist():
        assert len(index.lineage.find_trace(possible, one)) == possible[one] - 1


def test_a_copy_has_all_columns_as_they_are() -> None:
    def build_flows(*pairs: str, subtype: str = "IDENTITY") -> Statement:
        ends = (pair.split(">") for pair in pairs)
        return build_statement(Facts(flows=tuple(mesh.build_flow(to_column(a), to_column(b), subtype) for a, b in ends)), ("test", *pairs))

    def find_copied(*stated: Statement, least: int = 2) -> list[tuple[str, str]]:
        live = LiveGraph.open(SqliteStore())
        live.commit(lambda _: Batch(statements=stated))
        pairs = live.index.lineage.find_copies(None, least, 100)
        return sorted(
            (live.index.assets.get_key(a).name, live.index.assets.get_key(b).name)
            for a, b in zip(*(side.tolist() for side in pairs), strict=True)
        )

    whole = build_flows("a.x>b.x", "a.y>b.z")
    assert find_copied(whole) == [("a", "b")]
    assert find_copied(whole, least=3) == []
    assert find_copied(build_flows("a.x>b.x", "a.x>b.y", "a.y>c.y")) == []
    assert find_copied(build_flows("a.x>b.x"), build_flows("a.y>b.y", subtype="TRANSFORMATION")) == []
    assert find_copied(whole, build_flows("a.w>c.w")) == []
    assert find_copied(whole, build_flows("a.x>c.x", "a.y>c.y")) == [("a", "b"), ("a", "c")]
