"""Great Expectations: results and suites as versions 0.18 and 1.24 write them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from meshline.errors import InvalidInput
from meshline.graph.model import EdgeType, build_column_key, build_consumer_key, build_dataset_key
from meshline.graph.queries.quality import read_history
from tests.ingest.sources.loaded_checks import CORPUS, list_outcomes, list_refusals, load_files, needs_corpus, open_graph, read_checks
from tests.queries import mesh

HERE = Path(__file__).parent / "great_expectations"
RECORDED = CORPUS / "recorded"
ORDERS = build_dataset_key("sqlite:///shop.db", "orders")
LAKE = build_dataset_key("iceberg://lake", "clean.orders")
OF_LAKE: dict[str, Any] = {"dataset": "iceberg://lake/clean.orders"}
NOT_NULL, BETWEEN = "expect_column_values_to_not_be_null", "expect_column_values_to_be_between"


def write_json(folder: Path, name: str, value: object) -> Path:
    path = folder / name
    path.write_text(json.dumps(value))
    return path


def read_recorded(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((HERE / name).read_text())
    return value


@needs_corpus
def test_a_validation_result() -> None:
    live = open_graph()
    assert load_files(live, "gx", RECORDED, "gx_validation.json", **OF_LAKE).new == 1
    found = read_checks(live, LAKE)
    assert list_outcomes(found) == {
        "expect_table_columns_to_match_set": "PASSED",
        "expect_table_row_count_to_be_between": "PASSED",
        f"amount: {BETWEEN}(amount)": "FAILED",
        f"customer_id: {NOT_NULL}(customer_id)": "WARNED",
        "order_id: expect_column_values_to_be_unique(order_id)": "FAILED",
        "status: expect_column_values_to_be_in_set(status)": "FAILED",
    }
    in_set = found["status: expect_column_values_to_be_in_set(status)"]
    assert in_set.state.kind == "expect_column_values_to_be_in_set"
    assert in_set.state.suite == "orders_suite"
    assert in_set.state.expected == {"value_set": ["PAID", "CANCELLED"]}
    assert in_set.state.observed == {"element_count": 4, "unexpected_count": 1, "unexpected_percent": 25.0, "missing_count": 0}
    assert in_set.state.labels == {"data-product": "orders"}
    assert (in_set.at, in_set.source) == (1_795_255_065_394_266, "gx/default")
    assert found["expect_table_row_count_to_be_between"].state.observed == 4


@needs_corpus
def test_rows_of_data_are_not_kept() -> None:
    live = open_graph()
    load_files(live, "gx", RECORDED, "gx_validation.json", **OF_LAKE)
    observed = json.dumps([result.state.observed for result in read_checks(live, LAKE).values()])
    assert "??" not in observed
    assert "partial_unexpected" not in observed


@needs_corpus
def test_an_exception_is_an_error_with_its_reason() -> None:
    live = open_graph()
    load_files(live, "gx", RECORDED, "gx_validation_exception.json", **OF_LAKE)
    found = read_checks(live, LAKE)
    nope = found[f"nope: {BETWEEN}(nope)"]
    assert (nope.outcome, nope.state.message) == ("ERROR", 'Error: The column "nope" in BatchData does not exist.')
    assert found[f"customer_id: {NOT_NULL}(customer_id)"].state.message is None


@needs_corpus
def test_the_last_run_is_shown_whatever_the_order_of_the_files() -> None:
    live = open_graph()
    both = load_files(live, "gx", RECORDED, "gx_validation_exception.json", "gx_validation.json", **OF_LAKE)
    assert (both.read, both.new) == (1, 1)
    last = read_checks(live, LAKE)[f"amount: {BETWEEN}(amount)"]
    assert last.at == 1_795_255_069_198_460
    assert [past.at for past in read_history(live, live.index, last)] == [1_795_255_069_198_460, 1_795_255_065_394_266]
    assert [past.at for past in read_history(live, live.index, last, 1)] == [1_795_255_069_198_460]


@needs_corpus
def test_the_same_again_writes_nothing_and_an_older_run_replaces_nothing() -> None:
    live = open_graph()
    load_files(live, "gx", RECORDED, "gx_validation_exception.json", **OF_LAKE)
    revision = live.index.revision
    again = load_files(live, "gx", RECORDED, "gx_validation_exception.json", at=1_900_000_000_000_000, **OF_LAKE)
    assert (again.unchanged, again.new, again.changed, live.index.revision) == (1, 0, 0, revision)
    older = load_files(live, "gx", RECORDED, "gx_validation.json", **OF_LAKE)
    assert older.warnings == ("orders_suite iceberg://lake clean.orders: skipped, because the graph has a later run already",)
    assert live.index.revision == revision
    assert read_checks(live, LAKE)[f"amount: {BETWEEN}(amount)"].at == 1_795_255_069_198_460


@needs_corpus
def test_a_described_checkpoint_has_no_time_of_its_own() -> None:
    live = open_graph()
    assert load_files(live, "gx", RECORDED, "gx_checkpoint.json", **OF_LAKE).new == 1
    found = read_checks(live, LAKE)
    assert len(found) == 6
    assert {result.state.suite for result in found.values()} == {"gx_checkpoint"}
    assert found[f"amount: {BETWEEN}(amount)"].outcome == "FAILED"
    assert load_files(live, "gx", RECORDED, "gx_checkpoint.json", **OF_LAKE).unchanged == 1
    assert load_files(live, "gx", RECORDED, "gx_checkpoint.json", suite="orders_suite", **OF_LAKE).new == 1


@pytest.mark.parametrize("file", ["checkpoint_0_18.json", "validation_1_24.json"])
def test_a_table_is_the_known_dataset_that_its_name_is_the_end_of(file: str) -> None:
    live = mesh.build_graph(mesh.build_asset_statement(ORDERS, description="all orders"))
    assert not load_files(live, "gx", HERE, file).refused
    found = read_checks(live, ORDERS)
    assert found["tier: expect_column_to_exist(tier)"].outcome == "FAILED"
    assert found["tier: expect_column_to_exist(tier)"].state.suite == "orders_suite"
    assert found[f"customer_id: {NOT_NULL}(customer_id)"].outcome == ("FAILED" if "0_18" in file else "WARNED")


def test_expectations_of_one_type_and_column_are_distinguished() -> None:
    live = mesh.build_graph(mesh.build_asset_statement(ORDERS, description="all orders"))
    load_files(live, "gx", HERE, "validation_1_24.json")
    assert {name for name in read_checks(live, ORDERS) if BETWEEN in name} == {
        f'amount: {BETWEEN}(amount) {{"min_value":0.0}}',
        f'amount: {BETWEEN}(amount) {{"max_value":100.0,"mostly":0.9}}',
    }


def test_a_table_that_several_datasets_may_be_is_refused_with_the_candidates() -> None:
    other = build_dataset_key("pg://db", "archive.orders")
    live = mesh.build_graph(mesh.build_asset_statement(ORDERS, description="x"), mesh.build_asset_statement(other, description="y"))
    assert list_refusals(load_files(live, "gx", HERE, "validation_1_24.json")) == [
        (
            "validation_1_24.json: 'orders' may mean pg://db/archive.orders, sqlite:///shop.db/orders;"
            " choose one with the option dataset or datasets"
        )
    ]
    assert not load_files(live, "gx", HERE, "validation_1_24.json", namespace="pg://db").refused
    assert read_checks(live, other)


def test_an_unknown_dataset_is_refused_and_the_options_name_it() -> None:
    live = open_graph()
    refused = load_files(live, "gx", HERE, "validation_1_24.json")
    assert list_refusals(refused) == [
        (
            "validation_1_24.json: no known dataset is called 'orders' or 'orders_asset';"
            " accepted are the options dataset (namespace/name), datasets and namespace"
        )
    ]
    assert live.index.revision == 0
    ways: list[dict[str, Any]] = [
        {"dataset": "sqlite:///shop.db/orders"},
        {"datasets": {"orders": "sqlite:///shop.db/orders"}},
        {"datasets": {"shop.orders_asset": "sqlite:///shop.db/orders"}},
        {"datasets": {"shop-orders_asset": "sqlite:///shop.db/orders"}},
        {"namespace": "sqlite:///shop.db"},
    ]
    for options in ways:
        live = open_graph()
        assert not load_files(live, "gx", HERE, "validation_1_24.json", **options).refused, options
        assert read_checks(live, ORDERS), options


def test_an_option_may_name_the_end_of_a_known_name() -> None:
    other = build_dataset_key("pg://db", "archive.orders")
    live = mesh.build_graph(mesh.build_asset_statement(ORDERS, description="x"), mesh.build_asset_statement(other, description="y"))
    for text, expected in (("archive.orders", other), ("sqlite:///shop.db/orders", ORDERS)):
        assert not load_files(live, "gx", HERE, "validation_1_24.json", dataset=text).refused
        assert read_checks(live, expected)
    assert list_refusals(load_files(live, "gx", HERE, "validation_1_24.json", dataset="orders")) == [
        "dataset: found 'orders'; it may mean pg://db/archive.orders, sqlite:///shop.db/orders; accepted is namespace/name"
    ]
    assert list_refusals(load_files(live, "gx", HERE, "validation_1_24.json", dataset="x")) == [
        "dataset: found 'x'; accepted is namespace/name"
    ]


def test_a_dataset_of_which_nothing_else_is_known_is_pointed_out() -> None:
    live = open_graph()
    warning = "pg://db/new: no other source knows this dataset; check its name in the catalog"
    assert load_files(live, "gx", HERE, "validation_1_24.json", dataset="pg://db/new").warnings == (warning,)
    assert load_files(live, "gx", HERE, "validation_1_24.json", dataset="pg://db/new").warnings == ()


def test_a_file_is_the_dataset_at_its_path(tmp_path: Path) -> None:
    result = read_recorded("validation_path_1_24.json")
    assert "no known dataset is called 'a_csv'" in list_refusals(load_files(open_graph(), "gx", HERE, "validation_path_1_24.json"))[0]
    for path, expected in (
        ("/data/a.csv", build_dataset_key("file", "/data/a.csv")),
        ("s3a://lake/in/a.csv", build_dataset_key("s3://lake", "in/a.csv")),
    ):
        result["meta"]["batch_spec"]["path"] = path
        write_json(tmp_path, "result.json", result)
        live = open_graph()
        assert not load_files(live, "gx", tmp_path, "result.json").refused
        assert list_outcomes(read_checks(live, expected)) == {f"a: {NOT_NULL}(a)": "FAILED"}


@pytest.mark.parametrize("file", ["suite_0_18.json", "suite_1_24.json"])
def test_a_suite_states_what_is_expected_and_which_columns_it_needs(file: str) -> None:
    live = open_graph()
    assert load_files(live, "gx", HERE, file, dataset="sqlite:///shop.db/orders").new == 1
    found = read_checks(live, ORDERS)
    assert {str(result.outcome) for result in found.values()} == {"NOT_RUN"}
    assert {result.at for result in found.values()} == {None}
    suite = live.index.assets.find_by_key(build_consumer_key("orders_suite"))
    assert suite is not None
    needed = {live.index.assets.get_key(edge.end).name for edge in live.index.ownership.list_edges(suite, EdgeType.CONSUMES)}
    assert needed == ({"tier"} if "0_18" in file else {"tier", "order_id", "customer_id", "amount", "status"})


def test_a_suite_and_its_results_are_one_list() -> None:
    live = open_graph()
    of: dict[str, Any] = {"dataset": "sqlite:///shop.db/orders"}
    load_files(live, "gx", HERE, "suite_1_24.json", "validation_1_24.json", **of)
    found = read_checks(live, ORDERS)
    assert len(found) == 5
    assert "NOT_RUN" not in list_outcomes(found).values()
    assert load_files(live, "gx", HERE, "suite_1_24.json", "validation_1_24.json", **of).unchanged == 2


def test_missing_results_are_retracted_if_the_files_are_all(tmp_path: Path) -> None:
    shutil.copy(HERE / "suite_1_24.json", tmp_path)
    shutil.copy(HERE / "validation_1_24.json", tmp_path)
    live = open_graph()
    of: dict[str, Any] = {"dataset": "sqlite:///shop.db/orders"}
    load_files(live, "gx", tmp_path, "*.json", **of)
    assert load_files(live, "gx", tmp_path, "val*.json", **of).retracted == 0
    assert load_files(live, "gx", tmp_path, "val*.json", complete=True, **of).retracted == 1
    assert live.index.assets.find_by_key(build_consumer_key("orders_suite")) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "bad.json:1: the file is not valid JSON: Expecting property name enclosed in double quotes"),
        ('{\n"a": 1,\n}', "bad.json:3: the file is not valid JSON: Expecting property name enclosed in double quotes"),
        ("[" * 200_000, "bad.json: the file cannot be read as JSON: RecursionError"),
        ("3", "bad.json: found int; accepted are a validation result"),
        ("{}", "bad.json: the object has neither results nor expectations; accepted are a validation result"),
        (
            '{"expectations": []}',
            "bad.json: the suite has no name; accepted are the keys name and expectation_suite_name, and the option suite",
        ),
        ('{"results": [], "meta": {"validation_time": "noon"}}', "bad.json: 'noon' is not a time; accepted is ISO 8601"),
        ('{"results": [], "meta": {"validation_time": "2999-01-01"}}', "bad.json: '2999-01-01' is more than a day ahead of the clock"),
        ('{"results": [7], "suite_name": "s"}', "bad.json: [0]: not an expectation; accepted is an object with type"),
    ],
)
def test_bad_files_are_refused_and_the_others_are_ingested(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "bad.json").write_text(content)
    shutil.copy(HERE / "validation_1_24.json", tmp_path)
    live = open_graph()
    found = load_files(live, "gx", tmp_path, "*.json", dataset="sqlite:///shop.db/orders")
    assert list_refusals(found)[0].startswith(message)
    assert len(found.refused) == 1
    assert read_checks(live, ORDERS)
    untouched = open_graph()
    with pytest.raises(InvalidInput):
        load_files(untouched, "gx", tmp_path, "*.json", strict=True, dataset="sqlite:///shop.db/orders")
    assert untouched.index.revision == 0


def test_nan_is_nothing_and_a_check_without_a_verdict_was_skipped(tmp_path: Path) -> None:
    result = read_recorded("validation_1_24.json")
    result["results"] = [
        {"success": None, "expectation_config": {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "amount"}},
         "result": {"observed_value": float("nan")}},
        {"success": True, "expectation_config": {"type": "expect_column_distinct_values_to_be_in_set", "kwargs": {"column": "status"}},
         "result": {"observed_value": ["secret", "values"]}},
    ]  # fmt: skip
    write_json(tmp_path, "r.json", result)
    live = open_graph()
    assert not load_files(live, "gx", tmp_path, "r.json", dataset="sqlite:///shop.db/orders").refused
    found = read_checks(live, ORDERS)
    mean = found["amount: expect_column_mean_to_be_between(amount)"]
    assert (mean.outcome, mean.state.observed) == ("SKIPPED", None)
    assert found["status: expect_column_distinct_values_to_be_in_set(status)"].state.observed == {"values": 2}


def test_long_texts_are_cut(tmp_path: Path) -> None:
    result = read_recorded("validation_1_24.json")
    result["results"][0]["expectation_config"]["kwargs"]["value_set"] = [f"value {n}" for n in range(10_000)]
    write_json(tmp_path, "r.json", result)
    live = open_graph()
    load_files(live, "gx", tmp_path, "r.json", dataset="sqlite:///shop.db/orders")
    expected = read_checks(live, ORDERS)[f"customer_id: {NOT_NULL}(customer_id)"].state.expected
    assert isinstance(expected, str)
    assert len(expected) == 4_001


def test_results_of_columns_are_on_the_columns() -> None:
    live = open_graph()
    load_files(live, "gx", HERE, "validation_1_24.json", dataset="sqlite:///shop.db/orders")
    node = live.index.assets.find_by_key(build_column_key(ORDERS, "amount"))
    assert node is not None
    (row,) = [row for row in live.read_facts(live.index, [node])[node] if row.attribute == "quality"]
    assert isinstance(row.value, dict)
    assert len(row.value) == 2
