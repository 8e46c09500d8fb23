"""The search for ways through hidden assets: it finds those that a plain search of a graph finds, and has limits of its own."""

from __future__ import annotations

import time

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.errors import LimitExceeded
from meshline.graph.index import hidden_passages
from meshline.graph.index.hidden_passages import find_passages
from meshline.graph.index.results import Passage, Reach
from tests.sizes import count_examples

DRAWN, HIDDEN = 4, 4
places = st.one_of(st.integers(0, DRAWN - 1), st.integers(-1 - HIDDEN, -2))
flows = st.lists(st.tuples(places, places, st.sampled_from(list(Reach))), max_size=14)


def find(rows: list[tuple[int, int, Reach]], deadline: float | None = None) -> list[Passage]:
    starts, ends, reach = (np.array([row[at] for row in rows], kind) for at, kind in enumerate((np.int64, np.int64, np.uint8)))
    return find_passages(starts, ends, reach, deadline)


@settings(max_examples=count_examples(100), deadline=None)
@given(flows)
def test_passages_are_the_shortest_ways_of_the_strongest_reach(rows: list[tuple[int, int, Reach]]) -> None:
    found = {(one.start, one.end): (one.reach, one.hidden) for one in find(rows)}
    expected: dict[tuple[int, int], tuple[Reach, int]] = {}
    for weakest in Reach:
        for start in range(DRAWN):
            graph = nx.DiGraph([(a, b) for a, b, reach in rows if reach <= weakest and (a < 0 or b < 0) and (a < 0 or a == start)])
            if start in graph:
                for end, length in nx.single_source_shortest_path_length(graph, start).items():
                    if end >= 0 and end != start:
                        expected.setdefault((start, end), (weakest, length - 1))
    assert found == expected


def build_star(size: int) -> list[tuple[int, int, Reach]]:
    """So many drawn nodes before one hidden asset, and as many after it."""
    return [(n, -2, Reach.DIRECT) for n in range(size)] + [(-2, size + n, Reach.DIRECT) for n in range(size)]


def test_too_many_passages_are_refused_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden_passages, "MOST", 9)
    assert len(find(build_star(3))) == 9
    with pytest.raises(LimitExceeded, match="more than 9 pairs of nodes"):
        find(build_star(4))


def test_too_many_flows_of_hidden_assets_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that lead nowhere do not count."""
    monkeypatch.setattr(hidden_passages, "MOST_FLOWS", 6)
    aside = [(-3, -4, Reach.DIRECT), (-4, -5, Reach.DIRECT), (0, -6, Reach.DIRECT)]
    assert len(find([*build_star(3), *aside])) == 9
    with pytest.raises(LimitExceeded, match="more than 6 flows of hidden assets"):
        find(build_star(4))


def test_the_search_ends_at_the_deadline() -> None:
    with pytest.raises(LimitExceeded, match="take too long"):
        find(build_star(3), time.monotonic() - 1)
