"""What a drawing states about its edges and users equals what is worked out from decoded facts, one at a time (`tests.index.oracle`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import Direction, LineageIndex, Reach
from meshline.graph.model import AssetKey, AssetKind, Statement
from meshline.graph.queries.edge_evidence import Evidence
from meshline.graph.queries.impact import compute_impact
from meshline.graph.queries.lineage import Granularity, Lineage, build_lineage
from meshline.graph.queries.lineage_users import list_consumer_nodes, list_job_nodes
from meshline.graph.queries.pages import Limits
from tests.index.heads import Fold
from tests.index.oracle import Node, Oracle, StatedFlow, is_masking
from tests.index.strategies import any_statement, draw_lists
from tests.sizes import count_examples

granularities = st.sampled_from((Granularity.COLUMN, Granularity.DATASET))


class Asked(NamedTuple):
    """A drawn mesh, and what is asked of it."""

    graph: LineageIndex
    oracle: Oracle
    start: AssetKey
    direction: Direction
    reach: Reach
    depth: int | None
    seen_since: int | None

    @property
    def node(self) -> int:
        found = self.graph.assets.find_by_key(self.start)
        assert found is not None
        return found

    def draw(self, granularity: Granularity, limit: int = 1_000, limits: Limits | None = None) -> Lineage:
        return build_lineage(
            self.graph,
            [self.node],
            self.direction,
            granularity=granularity,
            reach=self.reach,
            depth=self.depth,
            seen_since=self.seen_since,
            limit=limit,
            limits=limits or Limits(),
        )

    def list_flows(self) -> Iterator[StatedFlow]:
        """The flows between the start and what it reaches, by the definitions."""
        reached = self.oracle.traverse([self.start], self.direction, reach=self.reach, depth=self.depth, seen_since=self.seen_since)
        inside = {*self.oracle.collect_start_nodes([self.start]), *reached}
        datasets = {node[1] for node in inside}
        for stated in self.oracle.list_followed(self.reach, self.seen_since):
            start, end = self.oracle.get_node(stated.start), self.oracle.get_node(stated.end)
            near, far = (start, end) if self.direction is Direction.DOWNSTREAM else (end, start)
            if far in inside and (near in inside or (near[0] == "whole" and near[1] in datasets)):
                yield stated

    def get_node(self, node: int, granularity: Granularity) -> Node:
        """The oracle's node of a drawn node, or for a drawing by dataset that of its dataset."""
        return self.represent(self.oracle.get_node(self.graph.assets.get_key(node)), granularity)

    def represent(self, node: Node, granularity: Granularity) -> Node:
        return ("whole", node[1]) if granularity is Granularity.DATASET else node


@st.composite
def draw_questions(draw: st.DrawFn, most: int = 14) -> Asked | None:
    fold = Fold()
    statements: list[Statement] = draw(draw_lists(any_statement, most))
    fold.add(*statements)
    as_of = draw(st.sampled_from((None, None, 6)))
    oracle = Oracle(fold.list_heads(as_of))
    keys = sorted(key for key in oracle.mentioned if key.kind in {AssetKind.DATASET, AssetKind.COLUMN})
    if not keys:
        return None
    start = draw(st.sampled_from(keys))
    direction, reach = draw(st.sampled_from(tuple(Direction))), draw(st.sampled_from(tuple(Reach)))
    return Asked(
        fold.build_index(as_of),
        oracle,
        start,
        direction,
        reach,
        draw(st.sampled_from((None, None, 1, 2))),
        draw(st.sampled_from((None, None, 5))),
    )


@settings(max_examples=count_examples(300), deadline=None)
@given(draw_questions(), granularities, st.sampled_from((1_000, 1_000, 1, 3)))
def test_the_evidence_of_an_edge_is_every_statement_with_a_flow_that_it_represents(
    asked: Asked | None, granularity: Granularity, limit: int
) -> None:
    if asked is None:
        return
    found = asked.draw(granularity, limit)
    evidence = Evidence(found)
    by_column = granularity is Granularity.COLUMN
    expected: dict[tuple[object, ...], set[tuple[object, ...]]] = defaultdict(set)
    for stated in asked.list_flows():
        ends = [asked.represent(asked.oracle.get_node(end), granularity) for end in (stated.start, stated.end)]
        more = (stated.class_, stated.flow.subtype, is_masking(stated)) if by_column else ()
        head, job = stated.head, stated.flow.job
        entry = (head.source, head.scope, head.valid_from, head.last_observed, job, head.provisional, asked.oracle.is_stale(head))
        expected[(*ends, *more)].add(entry)
    for position, edge in enumerate(found.edges):
        more = (int(edge.reach), edge.subtype, edge.masking) if by_column else ()
        entries = expected[(asked.get_node(edge.start, granularity), asked.get_node(edge.end, granularity), *more)]
        listed = evidence.list_evidence(position)
        scopes = [asked.graph.changes.get_scope(one.scope_id) for one in listed]
        jobs = [None if one.job is None else asked.graph.assets.get_key(one.job) for one in listed]
        given_ = [
            (one.source, scope.scope, one.first_seen, one.last_observed, job, one.provisional, one.stale)
            for one, scope, job in zip(listed, scopes, jobs, strict=True)
        ]
        assert len(given_) == len(set(given_)), "each statement and job once"
        assert set(given_) == entries
        assert entries, "no edge without a statement"
        assert evidence.stale[position] == all(one.stale for one in listed)
        assert evidence.provisional[position] == all(one.provisional for one in listed)
        ranks = [(one.stale, one.provisional, -one.last_observed) for one in listed]
        assert ranks == sorted(ranks)


@settings(max_examples=count_examples(200), deadline=None)
@given(draw_questions(), granularities, st.integers(0, 6))
def test_the_total_counts_what_the_limit_left_out(asked: Asked | None, granularity: Granularity, limit: int) -> None:
    if asked is None:
        return
    reached = asked.oracle.traverse([asked.start], asked.direction, reach=asked.reach, depth=asked.depth, seen_since=asked.seen_since)
    everything = {asked.represent(node, granularity) for node in (asked.oracle.get_node(asked.start), *reached)}
    found = asked.draw(granularity, limit)
    drawn = {asked.get_node(node.node, granularity) for node in found.nodes}
    total = found.drawing.count_total()
    assert total == len(everything | drawn)
    assert (total > len(drawn)) == bool(everything - drawn)
    assert total >= len(found.nodes)
    if len(reached) > 1:
        assert asked.draw(granularity, limit, Limits(nodes=1)).drawing.count_total() is None, "what lies behind the limit was not counted"


@settings(max_examples=count_examples(200), deadline=None)
@given(draw_questions(), granularities, st.sampled_from((1_000, 1_000, 2)))
def test_a_job_reads_and_writes_what_its_flows_connect(asked: Asked | None, granularity: Granularity, limit: int) -> None:
    if asked is None:
        return
    found = asked.draw(granularity, limit)
    drawn = {asked.get_node(node.node, granularity) for node in found.nodes}
    reads: dict[AssetKey, set[Node]] = defaultdict(set)
    writes: dict[AssetKey, set[Node]] = defaultdict(set)
    for stated in asked.list_flows():
        start, end = (asked.represent(asked.oracle.get_node(key), granularity) for key in (stated.start, stated.end))
        if stated.flow.job is not None and {start, end} <= drawn:
            reads[stated.flow.job].add(start)
            writes[stated.flow.job].add(end)
    nodes = list_job_nodes(found.drawing)
    assert [asked.graph.assets.get_key(node.job) for node in nodes] == sorted(reads)
    for node in nodes:
        job = asked.graph.assets.get_key(node.job)
        assert {asked.get_node(one, granularity) for one in node.reads} == reads[job]
        assert {asked.get_node(one, granularity) for one in node.writes} == writes[job]


@settings(max_examples=count_examples(200), deadline=None)
@given(draw_questions(), granularities)
def test_a_whole_drawing_shows_the_jobs_and_consumers_of_the_impact(asked: Asked | None, granularity: Granularity) -> None:
    if asked is None:
        return
    whole = asked._replace(direction=Direction.DOWNSTREAM, depth=None, seen_since=None)
    drawing = whole.draw(granularity).drawing
    affected = compute_impact(whole.graph, [whole.node], reach=whole.reach).affected.nodes.tolist()
    of_kind = {kind: {node for node in affected if whole.graph.assets.get_kind(node) is kind} for kind in AssetKind}
    assert {node.job for node in list_job_nodes(drawing)} == of_kind[AssetKind.JOB]
    consumers = list_consumer_nodes(drawing)
    assert {node.consumer for node in consumers} == of_kind[AssetKind.CONSUMER]
    assert all(node.uses for node in consumers)
