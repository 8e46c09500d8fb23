"""Whether products can be as fresh as they promise: never feasible, and never infeasible, for want of knowledge."""

from __future__ import annotations

import pytest

from meshline.governance.freshness_feasibility import Feasibility, Standing, assess_product, find_broken_promises
from meshline.graph.durations import format_duration, parse_cadence
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, EdgeType, Json, Statement, build_contract_key, build_data_product_key, build_dataset_key
from tests.queries import mesh

SOURCE, OURS = build_data_product_key("source"), build_data_product_key("ours")
DATA, PORT = build_dataset_key("wh", "data"), build_dataset_key("wh", "port")
PROMISE = build_contract_key("c")
HOUR, DAY = 3_600.0, 86_400.0


def build_graph(ours: Json, source: Json = None, refresh: str = "", *more: Statement) -> LiveGraph:
    return mesh.build_graph(
        mesh.build_asset_statement(OURS, slo={"freshness": ours}),
        mesh.build_edge_statement(EdgeType.PORT, OURS, PORT, direction="output"),
        mesh.build_edge_statement(EdgeType.PORT, OURS, DATA, direction="input", refresh=refresh),
        mesh.build_edge_statement(EdgeType.PORT, SOURCE, DATA, direction="output"),
        *([mesh.build_asset_statement(SOURCE, slo={"freshness": source})] if source else []),
        *more,
    )


def assess_promise(graph: LiveGraph, changed: dict[AssetKey, float | None] | None = None) -> Feasibility:
    index = graph.index
    nodes = {node: value for key, value in (changed or {}).items() if (node := index.assets.find_by_key(key)) is not None}
    ours = index.assets.find_by_key(OURS)
    assert ours is not None
    return assess_product(graph, index, ours, nodes)


@pytest.mark.parametrize(
    ("ours", "source", "refresh", "standing", "least"),
    [
        ("1d", "1h", "hourly", Standing.FEASIBLE, 2 * HOUR),
        ("2h", "1h", "hourly", Standing.FEASIBLE, 2 * HOUR),
        ("1h", "1h", "hourly", Standing.INFEASIBLE, 2 * HOUR),
        ("1h", "1h", "streaming CDC (Debezium)", Standing.FEASIBLE, HOUR),
        ("1h", "1d", "", Standing.INFEASIBLE, DAY),  # the known part alone breaks it
        ("1d", "1h", "", Standing.UNKNOWN, HOUR),  # how often it is fetched is not known
        ("1d", None, "hourly", Standing.UNKNOWN, HOUR),  # no promise limits the age of the input
        ("1h", None, "nightly", Standing.INFEASIBLE, DAY),
        ("1h", None, "", Standing.UNKNOWN, None),
        ("soon", "1d", "nightly", Standing.UNKNOWN, 2 * DAY),
    ],
)
def test_the_worst_input_and_the_cadence_decide(ours: str, source: Json, refresh: str, standing: Standing, least: float | None) -> None:
    answer = assess_promise(build_graph(ours, source, refresh))
    assert (answer.standing, answer.least) == (standing, least)


def test_the_text_has_the_arithmetic() -> None:
    assert assess_promise(build_graph("1h", "5m", "nightly")).text == (
        "1h promised; wh/data may be 5min old (promised by source) and is fetched every 1d: 5min + 1d = 1d 5min"
    )


def test_the_strictest_promise_of_an_input_counts_of_products_and_contracts_in_force() -> None:
    governs = mesh.build_edge_statement(EdgeType.GOVERNS, PROMISE, DATA)
    sla: Json = [{"name": "freshness", "text": "1h", "seconds": HOUR}]
    graph = build_graph("3h", "1d", "hourly", governs, mesh.build_asset_statement(PROMISE, sla=sla, status="active"))
    assert assess_promise(graph).standing is Standing.FEASIBLE
    graph = build_graph("3h", "1d", "hourly", governs, mesh.build_asset_statement(PROMISE, sla=sla, status="retired"))
    assert assess_promise(graph).standing is Standing.INFEASIBLE


def test_a_product_without_inputs_is_as_old_as_its_own_refresh() -> None:
    port = mesh.build_edge_statement(EdgeType.PORT, OURS, PORT, direction="output", refresh="nightly")
    graph = mesh.build_graph(mesh.build_asset_statement(OURS, slo={"freshness": "1h"}), port)
    assert (assess_promise(graph).standing, assess_promise(graph).least) == (Standing.INFEASIBLE, DAY)


def test_supposed_promises_replace_current_ones() -> None:
    graph = build_graph("3h", "1h", "hourly")
    assert assess_promise(graph, {SOURCE: DAY}).standing is Standing.INFEASIBLE
    assert assess_promise(graph, {SOURCE: None}).standing is Standing.UNKNOWN
    assert assess_promise(graph, {OURS: HOUR}).standing is Standing.INFEASIBLE
    source, ours = graph.index.assets.find_by_key(SOURCE), graph.index.assets.find_by_key(OURS)
    assert source is not None
    pairs = find_broken_promises(graph, graph.index, {source: DAY})
    assert [(then.product, now.standing, then.standing) for now, then in pairs] == [(ours, Standing.FEASIBLE, Standing.INFEASIBLE)]
    assert find_broken_promises(graph, graph.index, {source: 1.5 * HOUR}) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("nightly", DAY),
        ("Every 5 minutes", 300.0),
        ("hourly", HOUR),
        ("Kafka stream", 0.0),
        ("real-time", 0.0),
        ("on_refresh", None),
        ("", None),
        ("P1D", DAY),
    ],
)
def test_how_often(text: str, seconds: float | None) -> None:
    assert parse_cadence(text) == seconds


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0s"), (300.0, "5min"), (90_000.0, "1d 1h"), (90_061.0, "1d 1h"), (0.5, "0.5s")])
def test_lengths_as_people_read_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
