"""Owners, consumers, contracts and ports that an index of the past lacks because sources stated them later."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.content import decode_facts
from meshline.graph.index import Direction
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    AssetKind,
    EdgeFact,
    EdgeType,
    Facts,
    Scope,
    Statement,
    build_consumer_key,
    build_contract_key,
    build_data_product_key,
    build_job_key,
    build_owner_key,
    parse_source_kind,
)
from meshline.graph.store.base import Batch
from meshline.graph.store.sqlite import SqliteStore
from tests.index.heads import NS, build_flow, build_statement, state_lineage, to_column, to_dataset
from tests.sizes import count_examples

EDGES = (
    EdgeFact(EdgeType.OWNS, build_owner_key("o"), to_dataset("a")),
    EdgeFact(EdgeType.OWNS, build_owner_key("o"), build_job_key(NS, "j")),
    EdgeFact(EdgeType.CONSUMES, build_consumer_key("team"), to_column("a.x")),
    EdgeFact(EdgeType.GOVERNS, build_contract_key("c"), to_dataset("a")),
    EdgeFact(EdgeType.PORT, build_data_product_key("p"), to_dataset("a"), {"direction": "output"}),
)
SOURCES = ("mesh/m", "mesh/n", "contract/c", "openlineage/x")

statements = st.builds(
    lambda edges, source, scope, at: build_statement(Facts(edges=tuple(edges)), ("of", str(scope)), at, source=source),
    st.lists(st.sampled_from(EDGES), min_size=1, max_size=2),
    st.sampled_from(SOURCES),
    st.integers(0, 2),
    st.integers(1, 9),
)


def collect_expected(stated: list[Statement], as_of: int) -> set[tuple[EdgeType, str, int]]:
    """From the statements alone. A statement is in effect until the next one of its scope; of two of one time the greater digest counts."""
    scopes: dict[tuple[str, Scope], dict[int, Statement]] = {}
    for one in sorted(stated, key=lambda one: one.content.digest):
        scopes.setdefault((one.source, one.scope), {})[one.observed_at] = one
    known: set[tuple[EdgeType, str]] = set()
    first: dict[tuple[EdgeType, str], int] = {}
    for (source, _), by_time in scopes.items():
        if any(at <= as_of for at in by_time):
            known |= {(type_, parse_source_kind(source)) for type_ in _list_edge_types(by_time[max(at for at in by_time if at <= as_of)])}
        for type_ in _list_edge_types(by_time[max(by_time)]):
            times = [at for at, one in by_time.items() if type_ in _list_edge_types(one)]
            first[type_, parse_source_kind(source)] = min([*times, first.get((type_, parse_source_kind(source)), 99)])
    return {(*key, at) for key, at in first.items() if key not in known}


def _list_edge_types(one: Statement) -> set[EdgeType]:
    return {edge.type for edge in decode_facts(one.content.blob).edges if edge.end.kind is not AssetKind.JOB}


@settings(max_examples=count_examples(100), deadline=None)
@given(st.lists(statements, max_size=6), st.integers(1, 9))
def test_what_sources_stated_only_later_is_named(stated: list[Statement], as_of: int) -> None:
    graph = LiveGraph.open(SqliteStore())
    graph.commit(lambda _: Batch(statements=[state_lineage(build_flow("a.x", "b.x"), at=0), *stated]))
    past = graph.get_index(as_of)
    node = past.assets.find_by_key(to_column("a.x"))
    assert node is not None
    for direction in Direction:
        assert set(past.lineage.traverse([node], direction).completeness.known_later) == collect_expected(stated, as_of)
    now = graph.index.lineage.traverse([node], Direction.DOWNSTREAM).completeness
    assert now.known_later == ()
    graph.store.close()
