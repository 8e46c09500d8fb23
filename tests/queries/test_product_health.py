"""The health of products: without data it is unknown."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    JOB_OUTPUT,
    AssetFact,
    AssetKey,
    EdgeFact,
    EdgeType,
    Facts,
    Json,
    Statement,
    build_column_key,
    build_data_product_key,
    build_dataset_key,
    build_job_key,
)
from meshline.graph.queries.asset_lists import Filter, ListOrder
from meshline.graph.queries.product_health import Evidence, Freshness, Health, Standing, compute_health, list_products
from tests.queries import mesh
from tests.queries.test_quality import build_check, build_suite_run

HOUR = 3_600 * mesh.SECOND
NOW = mesh.START + 10 * HOUR
PRODUCT = build_data_product_key("p")
PORT = build_dataset_key("wh", "port")
METRICS = Facts(assets=(AssetFact(PORT, {"facet:dataQualityMetrics": {"lastUpdated": "2023-11-15T08:13:20Z"}}),))


def build_product(slo: Json = None, *ports: AssetKey) -> list[Statement]:
    of_product = mesh.build_asset_statement(PRODUCT, title="P") if slo is None else mesh.build_asset_statement(PRODUCT, slo=slo)
    return [of_product, *(mesh.build_edge_statement(EdgeType.PORT, PRODUCT, port) for port in ports or (PORT,))]


def build_write(
    at: int, of: AssetKey = PORT, source: str = mesh.LINEAGE, kind: str = JOB_OUTPUT, *, provisional: bool = False
) -> Statement:
    facts = Facts(edges=(EdgeFact(EdgeType.WRITES, build_job_key("a", "b"), of),))
    return mesh.build_statement(source, (kind, "a", "b", *of.parts), facts, at)._replace(provisional=provisional)


def compute_product_health(*statements: Statement, at: int | None = None, now: int = NOW) -> tuple[LiveGraph, Health]:
    graph = mesh.build_graph(*statements)
    index = graph.get_index(at)
    node = index.assets.find_by_key(PRODUCT)
    assert node is not None
    return graph, compute_health(graph, index, [node], now)[0]


@pytest.mark.parametrize(
    ("slo", "evidence", "expected", "age"),
    [
        ({"freshness": "1h"}, build_write(NOW - HOUR), Standing.KEPT, 3600),
        ({"freshness": "1h"}, build_write(NOW - HOUR - mesh.SECOND), Standing.BROKEN, 3601),
        ({"freshness": {"text": "1 hour", "seconds": 3600}}, build_write(NOW - HOUR), Standing.KEPT, 3600),
        ({"freshness": {"text": "an hour", "seconds": 3600}}, build_write(NOW - 2 * HOUR), Standing.BROKEN, 7200),
        ({"freshness": "soon"}, build_write(NOW - HOUR), Standing.UNKNOWN, 3600),
        ({"completeness": "99.9%"}, build_write(NOW - HOUR), Standing.UNKNOWN, 3600),
        (None, build_write(NOW - HOUR), Standing.UNKNOWN, 3600),
        ("daily", build_write(NOW - HOUR), Standing.UNKNOWN, 3600),
        ({"freshness": "1h"}, build_write(NOW - HOUR, kind="job-writes"), Standing.KEPT, 3600),
        ({"freshness": "1h"}, build_write(NOW - HOUR, kind="job-declared"), Standing.UNKNOWN, None),
        ({"freshness": "1h"}, build_write(NOW - HOUR, source="dbt/shop"), Standing.UNKNOWN, None),
        ({"freshness": "1h"}, build_write(NOW - HOUR, provisional=True), Standing.UNKNOWN, None),
        ({"freshness": "1h"}, build_write(NOW + HOUR), Standing.UNKNOWN, None),
        (
            {"freshness": "1h"},
            mesh.build_asset_statement(PORT, source="iceberg/lake", snapshot_at=(NOW - HOUR) // 1000),
            Standing.KEPT,
            3600,
        ),
        ({"freshness": "1h"}, mesh.build_asset_statement(PORT, snapshot_at="yesterday"), Standing.UNKNOWN, None),
        (
            {"freshness": "1h"},
            mesh.build_statement(mesh.LINEAGE, ("dataset", *PORT.parts, "dataQualityMetrics"), METRICS),
            Standing.KEPT,
            0,
        ),
        (
            {"freshness": "1h"},
            build_suite_run(
                build_check(build_column_key(PORT, "at"), "freshness(at)", observed={"max_loaded_at": "2023-11-15 06:13:20+00:00"})
            ),
            Standing.UNKNOWN,
            None,
        ),
        (
            {"freshness": "1h"},
            build_suite_run(
                build_check(build_column_key(PORT, "at"), "f", observed={"max_loaded_at": "2023-11-15 06:13:20+00:00"})._replace(
                    kind="freshness"
                )
            ),
            Standing.BROKEN,
            7200,
        ),
        (
            {"freshness": "1h"},
            build_suite_run(build_check(PORT, "f", observed={"max_loaded_at": "soon"})._replace(kind="freshness")),
            Standing.UNKNOWN,
            None,
        ),
    ],
)
def test_freshness_is_compared_with_the_promise(slo: Json, evidence: Statement, expected: Standing, age: float | None) -> None:
    graph, found = compute_product_health(*build_product(slo), evidence)
    (port,) = found.ports
    assert (found.freshness, port.standing, port.age) == (expected, expected, age)
    assert graph.index.assets.get_key(port.dataset) == PORT


def test_the_newest_evidence_counts() -> None:
    graph, found = compute_product_health(
        *build_product({"freshness": "1h"}),
        build_write(NOW - 3 * HOUR),
        mesh.build_asset_statement(PORT, source="iceberg/lake", snapshot_at=(NOW - HOUR) // 1000),
        build_suite_run(build_check(PORT, "f", observed={"max_loaded_at": "2023-11-15 01:00:00"})._replace(kind="freshness")),
    )
    port = mesh.get_node(graph, PORT)
    assert found.ports == (Freshness(port, Standing.KEPT, NOW - HOUR, Evidence.SNAPSHOT, 3600),)


def test_of_several_ports_the_worst_counts() -> None:
    other = build_dataset_key("wh", "other")
    slo: Json = {"freshness": "1h"}
    fresh, stale = build_write(NOW), build_write(NOW - 2 * HOUR, other)
    assert (
        compute_product_health(*build_product(slo, PORT, other), fresh, mesh.build_asset_statement(other, x=1))[1].freshness
        is Standing.UNKNOWN
    )
    assert compute_product_health(*build_product(slo, PORT, other), fresh, stale)[1].freshness is Standing.BROKEN
    assert (
        compute_product_health(*build_product(slo, PORT, other), mesh.build_asset_statement(PORT, x=1), stale)[1].freshness
        is Standing.BROKEN
    )
    assert compute_product_health(*build_product(slo, PORT, other), fresh, build_write(NOW, other))[1].freshness is Standing.KEPT
    of_input = mesh.build_edge_statement(EdgeType.PORT, PRODUCT, other, direction="input")
    assert compute_product_health(*build_product(slo), fresh, stale, of_input)[1].freshness is Standing.KEPT


@pytest.mark.parametrize(
    ("freshness", "outcomes", "expected"),
    [
        (None, [], Standing.UNKNOWN),
        (None, ["PASSED"], Standing.KEPT),
        (None, ["WARNED"], Standing.KEPT),
        (None, ["PASSED", "FAILED"], Standing.BROKEN),
        (None, ["PASSED", "ERROR"], Standing.UNKNOWN),
        (None, ["ERROR", "FAILED"], Standing.BROKEN),
        (None, ["SKIPPED"], Standing.UNKNOWN),
        (None, ["NOT_RUN"], Standing.UNKNOWN),
        (NOW, [], Standing.KEPT),
        (NOW, ["SKIPPED"], Standing.KEPT),
        (NOW, ["FAILED"], Standing.BROKEN),
        (NOW, ["ERROR"], Standing.UNKNOWN),
        (NOW - 2 * HOUR, ["PASSED"], Standing.BROKEN),
        (0, ["PASSED"], Standing.UNKNOWN),  # promised, and no source measured it
    ],
)
def test_a_product_is_kept_only_with_evidence(freshness: int | None, outcomes: list[str], expected: Standing) -> None:
    """`freshness`: when the data was written; 0: promised, but not known; None: no freshness is promised."""
    statements = [mesh.build_asset_statement(PORT, x=1), *build_product({"freshness": "1h"} if freshness is not None else None)]
    statements += [build_write(freshness)] if freshness else []
    if outcomes:
        statements.append(build_suite_run(*(build_check(PORT, str(n), outcome) for n, outcome in enumerate(outcomes))))
    found = compute_product_health(*statements)[1]
    assert found.standing is expected
    assert [str(result.outcome) for result in found.open_failures] == [one for one in outcomes if one in ("FAILED", "ERROR")]
    assert sum(found.counts) == len(outcomes)


def test_many_products_and_the_past() -> None:
    graph, then = compute_product_health(
        *mesh.build_mesh(),
        *build_product({"freshness": "1h"}),
        build_write(mesh.START),
        build_suite_run(build_check(PORT, "a", "FAILED"), at=mesh.START + HOUR),
        at=mesh.START,
        now=mesh.START,
    )
    assert then.standing is Standing.KEPT
    nodes = [mesh.get_node(graph, key) for key in (PRODUCT, mesh.REVENUE_PRODUCT, PRODUCT)]
    found = compute_health(graph, graph.index, nodes, NOW)
    assert [(one.product, one.standing) for one in found] == [
        (nodes[0], Standing.BROKEN), (nodes[1], Standing.KEPT), (nodes[0], Standing.BROKEN),
    ]  # fmt: skip
    assert compute_health(graph, graph.index, [], NOW) == []


def test_lists_by_health_skip_and_repeat_nothing_while_products_become_stale() -> None:
    """Each page is computed as of the time of the first one."""
    products = [build_data_product_key(name) for name in ("a", "b", "c", "d")]
    datasets = [build_dataset_key("wh", key.name) for key in products]
    graph = mesh.build_graph(
        *(
            statement
            for key, of in zip(products, datasets, strict=True)
            for statement in (
                mesh.build_asset_statement(key, slo={"freshness": "1 h"}),
                mesh.build_edge_statement(EdgeType.PORT, key, of),
                mesh.build_asset_statement(of, x=1),
            )
        ),
        build_write(NOW - 2 * HOUR, datasets[1]),
        build_write(NOW - HOUR // 2, datasets[2]),
        build_write(NOW, datasets[3]),
    )

    compute = partial(compute_health, graph, graph.index)

    def list_pages(**asked: Any) -> list[str]:
        found: list[str] = []
        after, later = None, 0
        while True:
            shown = list_products(graph.index, compute, NOW + later, first=1, after=after, **asked)
            found += [graph.index.assets.get_key(entry.node).name for entry in shown.page.entries]
            if not shown.page.has_next:
                assert shown.total == len(found)
                return found
            after, later = shown.page.entries[-1].key, later + HOUR

    assert list_pages() == ["b", "a", "c", "d"]
    assert list_pages(standings=[Standing.KEPT]) == ["c", "d"]
    assert list_pages(order=ListOrder.NAME, standings=[Standing.KEPT, Standing.UNKNOWN]) == ["a", "c", "d"]
    assert list_pages(order=ListOrder.DEPENDANTS, standings=[Standing.BROKEN]) == ["b"]
    assert list_pages(wanted=Filter(text="c")) == ["c"]
    assert list_pages(standings=[]) == []
    assert [entry.node for entry in list_products(graph.index, compute, NOW + HOUR, first=9).page.entries] != [
        entry.node for entry in list_products(graph.index, compute, NOW, first=9).page.entries
    ]
    graph.store.close()
