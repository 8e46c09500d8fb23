"""Marquez's graphs: of datasets and jobs, and of columns; and the ids of their nodes."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from meshline.api.marquez import lineage
from tests.api.marquez import schemas
from tests.api.marquez.conftest import CUSTOMERS, JOBS, LAKE, ORDERS, PG, Marquez, build_column_lineage, build_dataset, build_event

CUSTOMERS_ID, ORDERS_ID, REPORT_ID = f"dataset:{PG}:shop.customers", f"dataset:{LAKE}:orders", f"dataset:{LAKE}:report"
LOAD_ID, REPORT_JOB_ID = f"job:{JOBS}:load.orders", f"job:{JOBS}:report"
ZERO = "00000000-0000-4000-8000-000000000000"


def list_ids(graph: dict[str, Any]) -> list[str]:
    return [node["id"] for node in graph["graph"]]


def list_edges(graph: dict[str, Any], side: str = "outEdges") -> set[tuple[str, str]]:
    return {(edge["origin"], edge["destination"]) for node in graph["graph"] for edge in node[side]}


def test_a_dataset_with_what_is_before_and_after_it(known: Marquez) -> None:
    graph = known.get(schemas.GRAPH, "lineage", nodeId=ORDERS_ID)
    assert list_ids(graph) == sorted([CUSTOMERS_ID, ORDERS_ID, REPORT_ID, LOAD_ID, REPORT_JOB_ID])
    flows = {(CUSTOMERS_ID, LOAD_ID), (LOAD_ID, ORDERS_ID), (ORDERS_ID, REPORT_JOB_ID), (REPORT_JOB_ID, REPORT_ID)}
    assert list_edges(graph) == list_edges(graph, "inEdges") == flows
    for node in graph["graph"]:
        assert all(edge["origin"] == node["id"] for edge in node["outEdges"])
        assert all(edge["destination"] == node["id"] for edge in node["inEdges"])


def test_a_job_is_a_start_too(known: Marquez) -> None:
    graph = known.get(schemas.GRAPH, "lineage", nodeId=LOAD_ID, depth=0)
    assert list_ids(graph) == sorted([CUSTOMERS_ID, LOAD_ID, ORDERS_ID])
    assert len(list_ids(known.get(schemas.GRAPH, "lineage", nodeId=LOAD_ID, depth=1))) == 5


def test_depth_counts_jobs(known: Marquez) -> None:
    found = [list_ids(known.get(schemas.GRAPH, "lineage", nodeId=CUSTOMERS_ID, depth=depth)) for depth in (0, 1, 2)]
    assert found[0] == found[1] == sorted([CUSTOMERS_ID, LOAD_ID, ORDERS_ID])
    assert len(found[2]) == 5


def test_what_else_an_input_feeds_is_not_in_the_graph(marquez: Marquez) -> None:
    """Marquez walks on in both directions from every node."""
    marquez.send_events(build_event(3, "audit", [CUSTOMERS], [build_dataset(LAKE, "audit")]))
    ids = list_ids(marquez.get(schemas.GRAPH, "lineage", nodeId=REPORT_ID))
    assert f"dataset:{LAKE}:audit" not in ids
    assert CUSTOMERS_ID in ids


def test_a_job_through_which_no_column_flows_is_in_the_graph(marquez: Marquez) -> None:
    marquez.send_events(build_event(3, "watch", [ORDERS], []))
    assert f"job:{JOBS}:watch" in list_ids(marquez.get(schemas.GRAPH, "lineage", nodeId=ORDERS_ID))


def test_a_cycle_ends(empty: Marquez) -> None:
    a, b = build_dataset("ns", "a"), build_dataset("ns", "b")
    empty.send_events(build_event(1, "there", [a], [b]), build_event(2, "back", [b], [a]))
    graph = empty.get(schemas.GRAPH, "lineage", nodeId="dataset:ns:a")
    assert list_ids(graph) == ["dataset:ns:a", "dataset:ns:b", f"job:{JOBS}:back", f"job:{JOBS}:there"]
    assert len(list_edges(graph)) == 4


def test_a_graph_that_is_too_large_is_cut_and_its_start_describes_that(empty: Marquez, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "MOST_NODES", 5)
    empty.send_events(*(build_event(n, f"job{n}", [build_dataset("ns", "hub")], [build_dataset("ns", f"out{n}")]) for n in range(4)))
    graph = empty.get(schemas.GRAPH, "lineage", nodeId="dataset:ns:hub")
    ids = list_ids(graph)
    assert len(ids) == 5
    assert {end for edge in list_edges(graph) for end in edge} <= set(ids)
    hub = next(node for node in graph["graph"] if node["id"] == "dataset:ns:hub")
    assert hub["data"]["description"] == lineage.CUT
    assert empty.get(schemas.DATASET, "namespaces", "ns", "datasets", "hub")["description"] is None


def test_a_graph_of_columns_that_is_too_large_is_cut_and_a_header_describes_that(empty: Marquez, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = build_dataset("ns", "hub", ("id",))
    copies = [build_dataset("ns", f"out{n}", ("id",), columnLineage=build_column_lineage(hub, {"id": "id"})) for n in range(4)]
    empty.send_events(*(build_event(n, f"job{n}", [hub], [copy]) for n, copy in enumerate(copies)))
    query = {"nodeId": "datasetField:ns:hub:id", "withDownstream": "true"}
    whole = empty.client.get("/api/v1/column-lineage", params=query)
    assert (len(whole.json()["graph"]), lineage.CUT_HEADER in whole.headers) == (5, False)
    monkeypatch.setattr(lineage, "MOST_NODES", 3)
    cut = empty.client.get("/api/v1/column-lineage", params=query)
    schemas.check_shape(cut.json(), schemas.COLUMN_GRAPH)
    ids = list_ids(cut.json())
    assert (len(ids), cut.headers[lineage.CUT_HEADER]) == (3, "the nearest 3 columns of 5")
    assert {end for edge in list_edges(cut.json()) for end in edge} <= set(ids)


def test_unknown_nodes(known: Marquez) -> None:
    expected = {
        f"dataset:{LAKE}:none": "Dataset 'none' not found.",
        f"job:{JOBS}:none": "Job 'none' not found.",
        f"datasetField:{LAKE}:orders:none": "Field 'none' not found for dataset 'orders'.",
        f"run:{ZERO}": f"Run '{ZERO}' not found.",
        "dataset:nothing": "Dataset 'nothing' not found.",
    }
    assert {node_id: known.get_error(404, "lineage", nodeId=node_id) for node_id in expected} == expected


def test_what_is_no_id_is_refused(nothing: Marquez) -> None:
    """Marquez answers 500."""
    for node_id in ("", "orders", "table:a:b", "dataset:", "job", "dataset:" + "x" * 5000):
        assert "nodeId" in nothing.get_error(400, "lineage", nodeId=node_id)
        assert "nodeId" in nothing.get_error(400, "column-lineage", nodeId=node_id)


@pytest.mark.parametrize("namespace", ["trino://h:1337", "s3://b", "a:b", "a::b", "100", "urn:x:y", "http://h:81/p#q"])
def test_ids_are_resolved_whatever_colons_names_have(empty: Marquez, namespace: str) -> None:
    """Marquez splits at colons that no digit follows, and answers 500 for others."""
    names = ("7up", "x:1", "a:b:c", "1:2", "t#1", f"t#{ZERO}", "s3://other/path")
    empty.send_events(build_event(1, "job", [], [build_dataset(namespace, name) for name in names]))
    for name in names:
        shown = f"dataset:{namespace}:{name}"
        for node_id in (shown, quote(shown, safe=":"), f"{shown}#{ZERO}"):
            assert shown in list_ids(empty.get(schemas.GRAPH, "lineage", nodeId=node_id))
        columns = empty.get(schemas.COLUMN_GRAPH, "column-lineage", nodeId=f"datasetField:{namespace}:{name}:email")
        assert [(node["data"]["dataset"], node["data"]["field"]) for node in columns["graph"]] == [(name, "email")]


def test_ids_that_are_encoded_once_more_are_resolved(known: Marquez) -> None:
    """The links of Marquez's page to its column view encode the parts of ids twice."""
    encoded = ":".join(["dataset", quote(PG, safe=""), quote("shop.customers", safe="")])
    assert known.get(schemas.COLUMN_GRAPH, "column-lineage", nodeId=encoded)["graph"]


def test_column_lineage_upstream(known: Marquez) -> None:
    graph = known.get(schemas.COLUMN_GRAPH, "column-lineage", nodeId=f"datasetField:{LAKE}:orders:email")
    field = f"datasetField:{PG}:shop.customers"
    assert list_ids(graph) == sorted([f"{field}:email", f"{field}:total", f"datasetField:{LAKE}:orders:email"])
    (email,) = [node["data"] for node in graph["graph"] if node["data"]["dataset"] == "orders"]
    assert [(one["field"], one["transformationType"]) for one in email["inputFields"]] == [("email", "IDENTITY"), ("total", "INDIRECT")]
    assert email["fieldType"] == "VARCHAR"


def test_the_origin_of_each_edge_of_a_column_is_the_column(known: Marquez) -> None:
    """In both lists, as Marquez has it and its page expects; every destination is in the graph: else the page draws nothing."""
    graph = known.get(schemas.COLUMN_GRAPH, "column-lineage", nodeId=ORDERS_ID, withDownstream="true")
    ids = set(list_ids(graph))
    assert {node["data"]["dataset"] for node in graph["graph"]} == {"shop.customers", "orders", "report"}
    for node in graph["graph"]:
        for edge in (*node["inEdges"], *node["outEdges"]):
            assert edge["origin"] == node["id"]
            assert edge["destination"] in ids
    assert list_edges(graph) == {(end, begin) for begin, end in list_edges(graph, "inEdges")}
    assert (f"datasetField:{LAKE}:orders:total", f"datasetField:{LAKE}:report:total") in list_edges(graph)


def test_column_lineage_does_not_turn_around(marquez: Marquez) -> None:
    audit = build_dataset(LAKE, "audit", columnLineage=build_column_lineage(CUSTOMERS, {"email": "email"}))
    marquez.send_events(build_event(3, "audit", [CUSTOMERS], [audit]))
    graph = marquez.get(schemas.COLUMN_GRAPH, "column-lineage", nodeId=f"datasetField:{LAKE}:orders:email", withDownstream="true")
    assert "audit" not in {node["data"]["dataset"] for node in graph["graph"]}


def test_a_column_that_no_job_writes_has_its_downstream(known: Marquez) -> None:
    """Marquez answers with an empty graph."""
    email = f"datasetField:{PG}:shop.customers:email"
    graph = known.get(schemas.COLUMN_GRAPH, "column-lineage", nodeId=email, withDownstream="true")
    assert f"datasetField:{LAKE}:orders:email" in list_ids(graph)
    assert list_ids(known.get(schemas.COLUMN_GRAPH, "column-lineage", nodeId=email)) == [email]


def test_the_columns_of_a_job_are_those_that_it_writes(known: Marquez) -> None:
    graph = known.get(schemas.COLUMN_GRAPH, "column-lineage", nodeId=LOAD_ID)
    assert {node["data"]["dataset"] for node in graph["graph"]} == {"orders", "shop.customers"}


def test_a_version_with_its_downstream_is_refused(known: Marquez) -> None:
    assert "version" in known.get_error(400, "column-lineage", nodeId=f"{ORDERS_ID}#{ZERO}", withDownstream="true")
    assert known.get(schemas.COLUMN_GRAPH, "column-lineage", nodeId=f"{ORDERS_ID}#{ZERO}")["graph"]
    assert "withDownstream" in known.get_error(400, "column-lineage", nodeId=ORDERS_ID, withDownstream="maybe")
