"""The last results of checks, their earlier results, and failing checks."""

from __future__ import annotations

import json

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, EdgeType, Facts, Json, Statement, build_column_key, build_dataset_key
from meshline.graph.naming import Naming
from meshline.graph.quality import Outcome
from meshline.graph.queries.asset_lists import Filter
from meshline.graph.queries.quality import (
    Counts,
    Result,
    build_sort_key,
    count_failures,
    count_outcomes,
    find_failing_since,
    list_checked_datasets,
    list_failures,
    read_history,
    read_latest,
)
from meshline.ingest.check_facts import Check, build_expectation_facts, build_result_facts
from meshline.ingest.openlineage.builder import BatchBuilder, Received
from tests.ingest.sources.loaded_checks import CORPUS, needs_corpus
from tests.queries import mesh

GX = "gx/test"
DAY = 86_400 * mesh.SECOND
TOTAL = build_column_key(mesh.ORDERS, "total")


def build_check(of: AssetKey, name: str, outcome: str = "PASSED", suite: str = "s", **values: Json) -> Check:
    return Check(of, name, "kind", Outcome(outcome), suite, **values)  # type: ignore[arg-type]


def build_suite_run(*checks: Check, at: int = mesh.START, source: str = GX, dated: bool = True) -> Statement:
    """A run of a suite on a dataset."""
    of = checks[0].subject
    facts = build_result_facts(one._replace(at=at) if dated else one for one in checks)
    return mesh.build_statement(source, ("quality", checks[0].suite, *of.parts[:2]), facts, at)


def build_suite(suite: str, *checks: Check, source: str = GX) -> Statement:
    consumer = mesh.DASHBOARD
    return mesh.build_statement(source, ("checks", suite), build_expectation_facts(checks, consumer, ()))


def read_results(graph: LiveGraph, key: AssetKey = mesh.ORDERS) -> list[Result]:
    return read_latest(graph, graph.index, [mesh.get_node(graph, key)])[0]


def list_outcomes(results: list[Result]) -> list[tuple[str, str]]:
    return [(result.name, str(result.outcome)) for result in results]


def test_checks_of_a_dataset_and_its_columns(graph: LiveGraph) -> None:
    mesh.commit_statements(
        graph,
        build_suite_run(
            build_check(TOTAL, "b", "FAILED", expected=1, observed=2, message="m"),
            build_check(mesh.ORDERS, "z"),
            build_check(mesh.HASH, "c"),
        ),
    )
    assert list_outcomes(read_results(graph)) == [("z", "PASSED"), ("c", "PASSED"), ("b", "FAILED")]
    result = read_results(graph)[2]
    assert (result.asset, result.dataset) == (mesh.get_node(graph, TOTAL), mesh.get_node(graph, mesh.ORDERS))
    assert (result.state.kind, result.state.suite, result.state.expected, result.state.observed, result.state.message) == (
        "kind",
        "s",
        1,
        2,
        "m",
    )
    assert (result.at, result.source) == (mesh.START, GX)
    assert count_outcomes(read_results(graph)) == Counts(passed=2, failed=1)
    assert read_results(graph, mesh.REPORT) == []


def test_all_names_of_a_dataset_have_one_list_in_which_the_newest_run_counts(graph: LiveGraph) -> None:
    path = build_dataset_key("s3://lake", "orders")
    mesh.commit_statements(
        graph,
        mesh.build_edge_statement(EdgeType.SAME_AS, path, mesh.ORDERS, why="location"),
        build_suite_run(build_check(build_column_key(path, "total"), "a", "FAILED"), at=mesh.START + 5),
        build_suite_run(build_check(TOTAL, "a"), at=mesh.START),
    )
    assert list_outcomes(read_results(graph)) == [("a", "FAILED")]


def test_checks_of_different_suites_and_sources_are_different(graph: LiveGraph) -> None:
    mesh.commit_statements(
        graph,
        build_suite_run(build_check(mesh.ORDERS, "a")),
        build_suite_run(build_check(mesh.ORDERS, "a", "FAILED", suite="t")),
        build_suite_run(build_check(mesh.ORDERS, "a"), source="soda/x"),
    )
    assert [(result.source, result.state.suite, str(result.outcome)) for result in read_results(graph)] == [
        ("gx/test", "s", "PASSED"), ("soda/x", "s", "PASSED"), ("gx/test", "t", "FAILED"),
    ]  # fmt: skip


def test_a_declared_check_is_not_run_until_a_result_is_known(graph: LiveGraph) -> None:
    both = [build_check(mesh.ORDERS, "a", "NOT_RUN", expected="x"), build_check(TOTAL, "b", "NOT_RUN")]
    mesh.commit_statements(
        graph,
        build_suite("file.yml", *both),
        build_suite_run(build_check(TOTAL, "b", "FAILED")),
        build_suite_run(build_check(mesh.ORDERS, "a"), source="soda/x"),
    )
    assert [(result.name, str(result.outcome), result.at is None) for result in read_results(graph)] == [
        ("a", "NOT_RUN", True), ("a", "PASSED", False), ("b", "FAILED", False),
    ]  # fmt: skip
    assert read_results(graph)[0].state.expected == "x"
    assert read_history(graph, graph.index, read_results(graph)[0]) == []


def test_a_dbt_test_that_its_events_ran_is_one_check(graph: LiveGraph) -> None:
    """The project knows no result where another command has overwritten run_results.json; the events of `dbt-ol` have it."""
    upper = build_column_key(mesh.ORDERS, "TOTAL")
    expected = [
        build_check(mesh.ORDERS, "a", "NOT_RUN"),
        build_check(TOTAL, "not_null", "NOT_RUN"),
        build_check(TOTAL, "unique", "NOT_RUN"),
    ]
    mesh.commit_statements(
        graph,
        build_suite("dbt/shop", *expected, source="dbt/shop"),
        build_suite_run(build_check(upper, "not_null", "FAILED"), source="openlineage/x"),
    )
    assert list_outcomes(read_results(graph)) == [("a", "NOT_RUN"), ("not_null", "FAILED"), ("unique", "NOT_RUN")]


def test_history_is_the_newest_first(graph: LiveGraph) -> None:
    for day, outcome in enumerate(["PASSED", "FAILED", "FAILED", "SKIPPED", "ERROR"]):
        mesh.commit_statements(graph, build_suite_run(build_check(TOTAL, "a", outcome, observed=day), at=mesh.START + day * DAY))
    (result,) = read_results(graph)
    past = read_history(graph, graph.index, result)
    assert [(str(one.state.outcome), one.state.observed, one.at) for one in past] == [
        (outcome, day, mesh.START + day * DAY)
        for day, outcome in reversed(list(enumerate(["PASSED", "FAILED", "FAILED", "SKIPPED", "ERROR"])))
    ]
    assert read_history(graph, graph.index, result, 2) == past[:2]
    assert find_failing_since(graph, graph.index, result) == mesh.START + DAY
    before = graph.get_index(mesh.START + DAY)
    (then,) = read_latest(graph, before, [before.assets.find_by_key(mesh.ORDERS) or 0])[0]
    assert (str(then.outcome), len(read_history(graph, before, then))) == ("FAILED", 2)
    mesh.commit_statements(graph, build_suite_run(build_check(TOTAL, "a"), at=mesh.START + 9 * DAY))
    assert find_failing_since(graph, graph.index, read_results(graph)[0]) is None


def test_undated_runs_with_the_same_result_are_one_interval(graph: LiveGraph) -> None:
    for day in range(3):
        mesh.commit_statements(graph, build_suite_run(build_check(TOTAL, "a"), at=mesh.START + day * DAY, dated=False))
    (result,) = read_results(graph)
    assert result.at == mesh.START + 2 * DAY
    assert [(past.at, past.last) for past in read_history(graph, graph.index, result)] == [(mesh.START, mesh.START + 2 * DAY)]


def test_the_same_name_on_another_column_is_another_check(graph: LiveGraph) -> None:
    mesh.commit_statements(
        graph, build_suite_run(build_check(TOTAL, "a", "FAILED"), build_check(mesh.HASH, "a"), build_check(mesh.ORDERS, "a", "SKIPPED"))
    )
    assert [str(read_history(graph, graph.index, result)[0].state.outcome) for result in read_results(graph)] == [
        "SKIPPED",
        "PASSED",
        "FAILED",
    ]


def test_a_check_of_a_column_that_is_not_there_is_not_lost() -> None:
    catalog = mesh.build_schema_statement(mesh.ORDERS, "id", source="iceberg/lake")
    graph = mesh.build_graph(catalog, build_suite_run(build_check(build_column_key(mesh.ORDERS, "gone"), "a", "ERROR")))
    assert graph.index.assets.is_unlisted(mesh.get_node(graph, build_column_key(mesh.ORDERS, "gone")))
    assert list_outcomes(read_results(graph)) == [("a", "ERROR")]


def test_failures_of_a_domain_a_product_an_owner_and_all_page_by_page(graph: LiveGraph) -> None:
    revenue = build_column_key(mesh.REVENUE, "total")
    mesh.commit_statements(
        graph,
        build_suite_run(
            build_check(TOTAL, "a", "FAILED"),
            build_check(TOTAL, "b", "ERROR"),
            build_check(TOTAL, "c", "WARNED"),
            build_check(mesh.ORDERS, "z", "FAILED"),
        ),
        build_suite_run(build_check(revenue, "a", "FAILED"), build_check(revenue, "b")),
        build_suite_run(build_check(mesh.REPORT, "a", "SKIPPED")),
    )
    index = graph.index
    assert mesh.list_names(graph, list_checked_datasets(index)) == ["wh/sales.orders", "wh/fin.revenue", "wh/fin.report"]
    everything = [("fin.revenue", "a"), ("sales.orders", "z"), ("sales.orders", "a"), ("sales.orders", "b")]

    def list_failure_names(results: tuple[Result, ...]) -> list[tuple[str, str]]:
        return [(index.assets.get_key(result.dataset).name, result.name) for result in results]

    assert list_failure_names(list_failures(graph, index, first=9).results) == everything
    for size in (1, 2, 3):
        seen: list[tuple[str, str]] = []
        page = list_failures(graph, index, first=size)
        seen += list_failure_names(page.results)
        while page.has_next:
            page = list_failures(graph, index, first=size, after=build_sort_key(index, page.results[-1]))
            seen += list_failure_names(page.results)
        assert seen == everything
    assert count_failures(graph, index) == 4
    for wanted, size in (
        (Filter(domain=mesh.get_node(graph, mesh.COMMERCE)), 3),
        (Filter(product=mesh.get_node(graph, mesh.REVENUE_PRODUCT)), 1),
        (Filter(owner=mesh.get_node(graph, mesh.FINANCE_TEAM)), 1),
        (Filter(owner=mesh.get_node(graph, mesh.ANN)), 0),
    ):
        assert count_failures(graph, index, wanted) == size, wanted
    assert list_failure_names(list_failures(graph, index, outcomes=[Outcome.WARNED], first=9).results) == [("sales.orders", "c")]


def test_values_of_another_shape_are_left_out(graph: LiveGraph) -> None:
    mesh.commit_statements(graph, mesh.build_statement(GX, ("quality", "s", *mesh.ORDERS.parts), Facts(assets=())))
    mesh.commit_statements(graph, mesh.build_asset_statement(mesh.ORDERS, quality="good"))
    odd: dict[str, Json] = {"a": 1, "b": {"outcome": "GREAT", "labels": 3, "at": "x"}}
    fact = mesh.build_asset_statement(mesh.ORDERS, source=GX, quality=odd)
    mesh.commit_statements(graph, fact._replace(scope=("quality", "s", *mesh.ORDERS.parts)))
    assert list_outcomes(read_results(graph)) == [("b", "NOT_RUN")]


@needs_corpus
def test_of_dbt_build_and_dbt_test_the_newer_counts() -> None:
    graph = mesh.build_graph()
    builder = BatchBuilder(Naming())
    for line in (CORPUS / "recorded" / "dbt_duckdb.ndjson").read_bytes().splitlines():
        received = Received("openlineage/x", builder.parser.parse(line, 4_000_000_000_000_000), 1, line)
        graph.commit(lambda runs, received=received: builder.build_batch([received], runs))  # type: ignore[misc]
    orders = build_dataset_key("duckdb:///warehouse/shop.duckdb", "shop.main.stg_orders")
    results = read_results(graph, orders)
    assert [(result.state.kind, str(result.outcome), result.state.suite) for result in results] == [
        ("relationships", "WARNED", "shop.main.shop.stg_orders.test"),
        ("accepted_values", "PASSED", "shop.main.shop.stg_orders.test"),
    ]
    assert {result.at for result in results} == {1_795_254_738_610_271}
    assert json.dumps([result.state.observed for result in results]) == '["1", "0"]'
