"""What a drawing states about its edges and users equals what is worked out from decoded facts, one at a time (`tests.index.oracle`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import Direction, LineageIndex, Reach, Truncated
from meshline.graph.model import AssetKey, AssetKind, Statement
from meshline.graph.queries.compact_lineage import CompactLineage, build_compact_lineage
from meshline.graph.queries.edge_evidence import Evidence
from meshline.graph.queries.impact import compute_impact
from meshline.graph.queries.lineage import DrawingArguments, Granularity, Lineage, build_lineage
from meshline.graph.queries.lineage_users import LineageInclude, build_user_table, list_consumer_nodes, list_job_nodes
from meshline.graph.queries.neighbours import HopCount, Neighbours
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
    begun = asked.represent(asked.oracle.get_node(asked.start), granularity)

    def locate(key: AssetKey) -> Node:
        node = asked.represent(asked.oracle.get_node(key), granularity)
        return begun if node not in drawn and begun == ("whole", node[1]) else node  # a column that only itself flows into

    for stated in asked.list_flows():
        start, end = locate(stated.start), locate(stated.end)
        if stated.flow.job is not None and {start, end} <= drawn:
            reads[stated.flow.job].add(start)
            writes[stated.flow.job].add(end)
    nodes = {asked.graph.assets.get_key(node.job): node for node in list_job_nodes(found.drawing)}
    assert list(nodes) == sorted(nodes)
    read = {job: {asked.get_node(one, granularity) for one in node.reads} for job, node in nodes.items()}
    written = {job: {asked.get_node(one, granularity) for one in node.writes} for job, node in nodes.items()}
    if found.completeness.truncated is Truncated.NODES:
        # a dataset that is drawn beyond the limit, as the end of a flow, may have flows to drawn nodes that were not followed
        assert all(read[job] <= reads[job] and written[job] <= writes[job] for job in nodes)
    else:
        assert (read, written) == (reads, writes)


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


def count_naively(asked: Asked, start: Node, direction: Direction, granularity: Granularity, flows: list[StatedFlow]) -> set[Node]:
    """What is one hop from a node over these flows, as a lineage of the node alone would draw it."""
    own = {start} if start[0] == "column" else {start, *(("column", start[1], name) for name in asked.oracle.columns[start[1]])}
    found: set[Node] = set()
    for stated in flows:
        ends = (asked.oracle.get_node(stated.start), asked.oracle.get_node(stated.end))
        near, far = ends if direction is Direction.DOWNSTREAM else reversed(ends)
        if near in own or (near[0] == "whole" and near[1] == start[1]):
            found.add(far)
            if far[0] == "whole":
                found |= {("column", far[1], name) for name in asked.oracle.columns[far[1]]}
    return {asked.represent(node, granularity) for node in found - own} - {start}


@settings(max_examples=count_examples(300), deadline=None)
@given(draw_questions(), granularities, st.sampled_from((1_000, 1, 3)), st.sampled_from(tuple(Direction)))
def test_the_neighbours_of_a_node_are_what_it_reaches_in_one_hop(
    asked: Asked | None, granularity: Granularity, limit: int, direction: Direction
) -> None:
    if asked is None:
        return
    found = asked.draw(granularity, limit)
    drawn = {asked.get_node(node.node, granularity) for node in found.nodes}
    hops = Neighbours(found.drawing)
    for node in found.nodes:
        own = asked.get_node(node.node, granularity)
        flows = asked.oracle.list_followed(asked.reach, asked.seen_since)
        direct = count_naively(asked, own, direction, granularity, flows)
        fresh = count_naively(asked, own, direction, granularity, [one for one in flows if not asked.oracle.is_stale(one.head)])
        every = count_naively(asked, own, direction, granularity, asked.oracle.list_followed(Reach.POSSIBLE, None))
        expected = HopCount(len(direct), len(direct & drawn), len(direct - fresh), len(every - direct), 0)
        assert hops.get_count(node.node, direction) == expected
        alone = build_lineage(
            asked.graph, [node.node], direction, granularity=granularity, reach=asked.reach, depth=1, seen_since=asked.seen_since
        )
        shown = [one for one in alone.nodes if not one.start]
        assert expected.direct == (len(alone.drawing.found.nodes) if granularity is Granularity.COLUMN else len(shown))


@settings(max_examples=count_examples(200), deadline=None)
@given(draw_questions(), st.sampled_from((Granularity.PRODUCT, Granularity.DOMAIN)), st.sampled_from(tuple(Direction)))
def test_the_neighbours_of_a_group_are_the_groups_of_the_neighbours_of_its_datasets(
    asked: Asked | None, granularity: Granularity, direction: Direction
) -> None:
    if asked is None:
        return
    ownership = asked.graph.ownership
    find_group = ownership.find_product if granularity is Granularity.PRODUCT else ownership.find_domain
    found = asked.draw(granularity)
    drawn = {node.node for node in found.nodes}
    datasets = {asked.graph.assets.find_by_key(key) for key in asked.oracle.mentioned if key.kind is AssetKind.DATASET}
    members = [(node, find_group(node)) for node in datasets if node is not None]
    hops = Neighbours(found.drawing)
    for group in drawn:
        direct: set[int] = set()
        ungrouped: set[int] = set()
        for dataset in [node for node, of in members if of == group]:
            alone = build_lineage(
                asked.graph, [dataset], direction, granularity=Granularity.DATASET, reach=asked.reach, depth=1, seen_since=asked.seen_since
            )
            for node in alone.nodes:
                of = find_group(node.node)
                if of is None:
                    ungrouped.add(node.node)
                elif of != group:
                    direct.add(of)
        counted = hops.get_count(group, direction)
        assert (counted.direct, counted.shown, counted.ungrouped) == (len(direct), len(direct & drawn), len(ungrouped))


@settings(max_examples=count_examples(200), deadline=None)
@given(draw_questions(), st.sampled_from(tuple(Granularity)), st.sampled_from((1_000, 0, 1, 3)))
def test_a_compact_lineage_is_the_lineage_in_columns(asked: Asked | None, granularity: Granularity, limit: int) -> None:
    if asked is None:
        return
    found = asked.draw(granularity, limit)
    arguments = DrawingArguments(asked.direction, granularity, asked.reach, asked.depth, limit, asked.seen_since)
    compact = build_compact_lineage(asked.graph, [asked.node], arguments, Limits())
    assert compact.drawing.nodes == found.nodes
    assert compact.drawing.completeness == found.completeness
    assert compact.keys == [asked.graph.assets.get_key(node.node) for node in found.nodes]
    check_places(asked.graph, compact)
    evidence = Evidence(found)
    expected: dict[tuple[int, int], list[int]] = {}
    for position, edge in enumerate(found.edges):
        flags = {4: edge.masking, 8: evidence.stale[position], 16: evidence.provisional[position]}
        one = expected.setdefault((edge.start, edge.end), [2, 28, 0])
        one[0] = min(one[0], int(edge.reach))
        one[1] &= sum(bit for bit, is_set in flags.items() if is_set)
        one[2] = 1 if granularity is Granularity.COLUMN else edge.flows
    nodes = compact.nodes.tolist()
    rows = zip(compact.edges.start.tolist(), compact.edges.end.tolist(), compact.edge_bits, compact.edges.flows.tolist(), strict=True)
    assert [((nodes[start], nodes[end]), bits, flows) for start, end, bits, flows in rows] == [
        (pair, reach + flags, flows)
        for pair, (reach, flags, flows) in sorted(expected.items(), key=lambda one: [nodes.index(end) for end in one[0]])
    ]


@settings(max_examples=count_examples(200), deadline=None)
@given(draw_questions(), st.sampled_from(tuple(Granularity)), st.sampled_from((1_000, 2)), st.sets(st.sampled_from(tuple(LineageInclude))))
def test_the_users_of_a_compact_lineage_are_those_of_the_lineage(
    asked: Asked | None, granularity: Granularity, limit: int, include: set[LineageInclude]
) -> None:
    if asked is None:
        return
    found = asked.draw(granularity, limit)
    arguments = DrawingArguments(asked.direction, granularity, asked.reach, asked.depth, limit, asked.seen_since)
    compact = build_compact_lineage(asked.graph, [asked.node], arguments, Limits())
    table = build_user_table(compact.drawing, compact.edges, include)
    nodes = compact.nodes.tolist()
    edges = [(nodes[start], nodes[end]) for start, end in zip(compact.edges.start.tolist(), compact.edges.end.tolist(), strict=True)]
    jobs = list_job_nodes(found.drawing) if LineageInclude.JOB in include else []
    consumers = list_consumer_nodes(found.drawing) if LineageInclude.CONSUMER in include else []
    assert list(table.users) == [*(one.job for one in jobs), *(one.consumer for one in consumers)]
    expected = (
        (table.reads, nodes, [(one.job, node) for one in jobs for node in one.reads]),
        (table.writes, nodes, [(one.job, node) for one in jobs for node in one.writes]),
        (table.uses, nodes, [(one.consumer, node) for one in consumers for node in one.uses]),
    )
    for rows, places, pairs in expected:
        assert [(table.users[user], places[place]) for user, place in zip(*rows, strict=True)] == pairs
    carried = {(job, (edge.start, edge.end)) for edge in found.edges for job in edge.jobs if jobs and edge.start != edge.end}
    found_pairs = [(table.users[user], edges[place]) for user, place in zip(*table.carries, strict=True)]
    assert (len(found_pairs), set(found_pairs)) == (len(carried), carried)


def check_places(graph: LineageIndex, compact: CompactLineage) -> None:
    """The product, domain and dataset of each node are those that are found for it alone."""
    for node, product, domain, dataset in zip(
        compact.nodes.tolist(), compact.products.at, compact.domains.at, compact.datasets.at, strict=True
    ):
        kind = graph.assets.get_kind(node)
        own_product = node if kind is AssetKind.DATA_PRODUCT else graph.ownership.find_product(node)
        own_domain = node if kind is AssetKind.DOMAIN else graph.ownership.find_domain(node)
        own_dataset = graph.assets.get_dataset(node) if kind is AssetKind.COLUMN else None
        found = [(compact.products, product), (compact.domains, domain), (compact.datasets, dataset)]
        assert [None if at < 0 else places.assets[at] for places, at in found] == [own_product, own_domain, own_dataset]
