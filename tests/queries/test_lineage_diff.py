from __future__ import annotations

from collections.abc import Sequence

import pytest

from meshline.errors import InvalidInput
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, build_column_key, build_dataset_key, build_job_key
from meshline.graph.queries.lineage_diff import Change, compare_lineage
from meshline.graph.store.base import Head
from tests.queries import mesh

LATER = mesh.START + 1000


def list_edge_names(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    return [(change.edge.start.qualified_name, change.edge.end.qualified_name) for change in changes]


@pytest.fixture
def changed(graph: LiveGraph) -> LiveGraph:
    mesh.commit_statements(
        graph,
        mesh.build_run_statement(
            mesh.SUM,
            [mesh.ORDERS],
            mesh.REVENUE,
            mesh.build_flow(build_column_key(mesh.ORDERS, "day"), build_column_key(mesh.REVENUE, "day")),
            mesh.build_flow(build_column_key(mesh.ORDERS, "id"), build_column_key(mesh.REVENUE, "total"), "AGGREGATION"),
            at=LATER,
        ),
    )
    return graph


def test_what_changed(changed: LiveGraph) -> None:
    found = compare_lineage(changed, mesh.START, LATER)
    assert list_edge_names(found.added) == [("wh/sales.orders.id", "wh/fin.revenue.total")]
    assert list_edge_names(found.removed) == [
        ("wh/sales.orders.email_hash", "wh/fin.revenue.total"),
        ("wh/sales.orders.total", "wh/fin.revenue.total"),
    ]
    assert found.added[0].observed_at == LATER
    assert found.removed[0].observed_at == mesh.START
    assert compare_lineage(changed, LATER, LATER) == compare_lineage(changed, mesh.START, mesh.START) == ((), (), 0, 0)


def test_what_did_not_change_is_not_read(changed: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a difference of one flow would take as long as reading all statements of the graph, twice."""
    graphs = {at: changed.get_index(at) for at in (mesh.START, LATER)}
    read: set[int] = set()
    read_heads = changed.store.read_heads

    def record_and_read(scope_ids: Sequence[int], as_of: int | None = None) -> Sequence[Head]:
        read.update(scope_ids)
        return read_heads(scope_ids, as_of)

    monkeypatch.setattr(changed.store, "read_heads", record_and_read)
    monkeypatch.delattr(type(changed.store), "iterate_heads")
    found = compare_lineage(changed, mesh.START, LATER, at=graphs.__getitem__)
    assert (found.total_added, found.total_removed) == (1, 2)
    changes, columns = changed.index.changes, [build_column_key(mesh.ORDERS, name) for name in ("email_hash", "id", "total")]
    near = {scope for column in columns for scope in changes.list_scopes(mesh.get_node(changed, column))}
    everywhere = {one.scope_id for source in (mesh.LINEAGE, mesh.MESH) for one in changes.list_statements(source).values()}
    assert read
    assert read <= near < everywhere


def test_an_answer_is_of_the_revision_of_its_graphs(changed: LiveGraph) -> None:
    """Whatever is committed while the two graphs are compared."""
    graphs = {at: changed.get_index(at) for at in (mesh.START, LATER)}
    found = compare_lineage(changed, mesh.START, LATER, at=graphs.__getitem__)
    copied = mesh.build_flow(build_column_key(mesh.REVENUE, "day"), build_column_key(mesh.REPORT, "day"))
    mesh.commit_statements(changed, mesh.build_run_statement(build_job_key("j", "late"), [mesh.REVENUE], mesh.REPORT, copied, at=LATER - 1))
    assert compare_lineage(changed, mesh.START, LATER, at=graphs.__getitem__) == found
    assert compare_lineage(changed, mesh.START, LATER).total_added == found.total_added + 1


def test_from_the_beginning_everything_is_new(graph: LiveGraph) -> None:
    found = compare_lineage(graph, mesh.START - 1, mesh.START)
    assert found.total_added == 7  # six of columns, one of datasets
    assert found.removed == ()


def test_the_totals_count_what_the_limit_leaves_out(changed: LiveGraph) -> None:
    found = compare_lineage(changed, mesh.START, LATER, limit=1)
    assert (len(found.removed), found.total_removed) == (1, 2)


def test_a_flow_that_another_scope_still_states_is_not_removed(changed: LiveGraph) -> None:
    flow = mesh.build_flow(mesh.HASH, build_column_key(mesh.REVENUE, "total"), "AGGREGATION")._replace(job=mesh.SUM)
    mesh.commit_statements(changed, mesh.build_statement("other/source", ("x",), Facts(flows=(flow,)), mesh.START))
    assert list_edge_names(compare_lineage(changed, mesh.START, LATER).removed) == [("wh/sales.orders.total", "wh/fin.revenue.total")]


def test_of_some_assets(changed: LiveGraph) -> None:
    mesh.commit_statements(
        changed,
        mesh.build_run_statement(
            build_job_key("j", "x"),
            [build_dataset_key("a", "a")],
            build_dataset_key("a", "b"),
            mesh.build_flow(build_column_key(build_dataset_key("a", "a"), "c"), build_column_key(build_dataset_key("a", "b"), "c")),
            at=LATER,
        ),
    )
    assert compare_lineage(changed, mesh.START, LATER).total_added == 2
    assert compare_lineage(changed, mesh.START, LATER, of=[mesh.REPORT.id]).total_added == 1
    assert compare_lineage(changed, mesh.START, LATER, of=[build_column_key(build_dataset_key("a", "a"), "c").id]).total_added == 1
    assert compare_lineage(changed, mesh.START, LATER, of=[mesh.DASHBOARD.id]).total_removed == 2


def test_of_two_datasets_has_the_flows_between_their_columns(graph: LiveGraph) -> None:
    """Neither dataset is reached from outside both: the columns of each belong to the question."""
    both = compare_lineage(graph, mesh.START - 1, mesh.START, of=[mesh.ORDERS.id, mesh.REVENUE.id])
    assert ("wh/sales.orders.total", "wh/fin.revenue.total") in list_edge_names(both.added)
    assert set(list_edge_names(compare_lineage(graph, mesh.START - 1, mesh.START, of=[mesh.REVENUE.id]).added)) <= set(
        list_edge_names(both.added)
    )


def test_times_in_order(graph: LiveGraph) -> None:
    with pytest.raises(InvalidInput):
        compare_lineage(graph, LATER, mesh.START)


def test_a_dropped_dataset_loses_its_flows(graph: LiveGraph) -> None:
    dropped = Facts(assets=(AssetFact(mesh.REVENUE, {"dropped": True}),))
    mesh.commit_statements(graph, mesh.build_statement(mesh.LINEAGE, ("dataset-dropped", *mesh.REVENUE.parts), dropped, LATER))
    found = compare_lineage(graph, mesh.START, LATER)
    assert found.added == ()
    assert list_edge_names(found.removed) == [
        ("wh/fin.revenue", "wh/fin.report"),
        ("wh/sales.orders.day", "wh/fin.revenue.day"),
        ("wh/sales.orders.email_hash", "wh/fin.revenue.total"),
        ("wh/sales.orders.total", "wh/fin.revenue.total"),
    ]


@pytest.mark.parametrize("name", [mesh.REVENUE, build_dataset_key("cat", "fin.revenue")])
def test_a_renamed_column_has_its_flows_under_the_new_name(graph: LiveGraph, name: AssetKey) -> None:
    """Under whichever name of the dataset the catalog states it."""
    if name != mesh.REVENUE:
        mesh.commit_statements(
            graph,
            mesh.build_statement("iceberg/cat", ("same", *name.parts), Facts(edges=(EdgeFact(EdgeType.SAME_AS, name, mesh.REVENUE),)), 0),
        )
    renamed = Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, build_column_key(name, "day"), build_column_key(name, "date")),))
    mesh.commit_statements(
        graph, mesh.build_statement("iceberg/cat", ("column-renamed", *name.parts, "day", "date", str(LATER)), renamed, LATER)
    )
    found = compare_lineage(graph, mesh.START, LATER)
    shown = graph.index.assets.get_key(graph.index.assets.find_by_key(name) or 0).qualified_name
    assert ("wh/sales.orders.day", f"{shown}.date") in list_edge_names(found.added)
    assert ("wh/sales.orders.day", f"{shown}.day") in list_edge_names(found.removed)


def test_a_renamed_dataset_has_its_flows_under_the_new_name(graph: LiveGraph) -> None:
    new = build_dataset_key("wh", "fin.income")
    renamed = Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, mesh.REVENUE, new),))
    mesh.commit_statements(
        graph, mesh.build_statement(mesh.LINEAGE, ("dataset-renamed", *new.parts, *mesh.REVENUE.parts, str(LATER)), renamed, LATER)
    )
    found = compare_lineage(graph, mesh.START, LATER)
    assert ("wh/sales.orders.day", "wh/fin.income.day") in list_edge_names(found.added)
    assert ("wh/sales.orders.day", "wh/fin.revenue.day") in list_edge_names(found.removed)
    assert found.total_added == found.total_removed == 4
