"""A contracted drawing equals the flows of a traversal grouped one by one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import Direction, LineageIndex
from meshline.graph.model import AssetKind, Statement
from meshline.graph.queries.lineage import Granularity, build_lineage
from tests.index.heads import build_index
from tests.index.strategies import any_statement, draw_lists
from tests.sizes import count_examples


def find_group(index: LineageIndex, node: int, granularity: Granularity) -> int | None:
    dataset = index.assets.get_dataset(node) if index.assets.get_kind(node) is AssetKind.COLUMN else node
    if granularity is Granularity.DATASET:
        return dataset
    return index.ownership.find_product(dataset) if granularity is Granularity.PRODUCT else index.ownership.find_domain(dataset)


@settings(max_examples=count_examples(150))
@given(
    draw_lists(any_statement),
    st.sampled_from((Granularity.DATASET, Granularity.PRODUCT, Granularity.DOMAIN)),
    st.sampled_from(tuple(Direction)),
    st.sampled_from((None, 1)),
    st.integers(1, 4),
)
def test_by_hand(statements: list[Statement], granularity: Granularity, direction: Direction, depth: int | None, limit: int) -> None:
    index = build_index(*statements)
    for start in index.assets.list_of_kind(AssetKind.DATASET):
        found = index.lineage.traverse([start], direction, depth=depth)
        drawing = build_lineage(index, [start], direction, granularity=granularity, depth=depth, limit=limit)
        drawn = {node.node for node in drawing.nodes}
        edges: dict[tuple[int, int], list[tuple[int, int, int, bool, int | None]]] = {}
        for flow in found.list_flows():
            ends = find_group(index, flow.start, granularity), find_group(index, flow.end, granularity)
            if ends[0] != ends[1] and ends[0] in drawn and ends[1] in drawn:
                assert ends[0] is not None
                assert ends[1] is not None
                edges.setdefault((ends[0], ends[1]), []).append((flow.start, flow.end, int(flow.reach), flow.masking, flow.job))
        assert {(edge.start, edge.end): (edge.reach, edge.masking, edge.flows, set(edge.jobs)) for edge in drawing.edges} == {
            ends: (
                min(reach for _, _, reach, _, _ in flows),
                all(masking for _, _, _, masking, _ in flows),
                len({flow[:2] for flow in flows}),
                {job for *_, job in flows if job is not None},
            )
            for ends, flows in edges.items()
        }
        reached = [(find_group(index, node, granularity), *row) for node, *row in zip(*list_rows(found), strict=True)]
        started = {find_group(index, node, granularity) for node in found.starts.tolist()} - {None}
        nodes = {of for of, *_ in reached if of is not None} | started
        assert len(drawn) == min(limit, len(nodes))
        for node in drawing.nodes:
            mine = [row for of, *row in reached if of == node.node]
            best = min((row[0] for row in mine), default=0)
            if node.node in started:
                assert (node.start, node.reach, node.distance, node.masked) == (True, 0, 0, False)
            else:
                assert (node.reach, node.distance) == (best, min(row[1] for row in mine if row[0] == best))
                assert node.masked == all(row[2] for row in mine if row[0] == best)


def list_rows(found: object) -> list[list[int]]:
    return [getattr(found, name).tolist() for name in ("nodes", "reach", "distance", "masked")]
