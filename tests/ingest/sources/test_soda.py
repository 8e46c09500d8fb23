"""Soda: scans as 3.5.6 writes them, files of checks, and the language SodaCL."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import EdgeType, Json, build_column_key, build_consumer_key, build_dataset_key
from meshline.graph.queries.impact import compute_impact
from meshline.graph.queries.quality import read_history
from meshline.ingest.sources.sodacl import ParsedCheck, parse_check, parse_section
from tests.ingest.sources.loaded_checks import CORPUS, list_outcomes, list_refusals, load_files, needs_corpus, open_graph, read_checks
from tests.queries import mesh

SHOP = build_dataset_key("duckdb:///shop", "customer_orders")
LTV = build_dataset_key("duckdb:///shop", "customer_ltv")
TRINO = build_dataset_key("trino://trino.internal", "delta.orders.customer_orders")
SEED = "soda_customer_orders.yml"


def read_scan() -> dict[str, Any]:
    value: dict[str, Any] = json.loads((CORPUS / "recorded" / "soda_scan.json").read_text())
    return value


def list_needed(live: LiveGraph, name: str) -> set[str]:
    node = live.index.assets.find_by_key(build_consumer_key(name))
    assert node is not None
    return {live.index.assets.get_key(edge.end).name for edge in live.index.ownership.list_edges(node, EdgeType.CONSUMES)}


@needs_corpus
def test_a_scan() -> None:
    live = open_graph()
    assert load_files(live, "soda", CORPUS / "recorded", "soda_scan.json", namespace="duckdb:///shop").new == 2
    found = read_checks(live, SHOP)
    assert list_outcomes(found) == {
        "Schema Check": "FAILED",
        "row_count > 0": "PASSED",
        "customer_id: duplicate_count(customer_id) = 0": "FAILED",
        "email_hash: missing_count(email_hash) = 0": "FAILED",
        "last_order_at: freshness(last_order_at) < 1d": "FAILED",
        "total_amount: avg total in range": "FAILED",
    }
    assert list_outcomes(read_checks(live, LTV)) == {"tier: invalid_count(tier) = 0": "PASSED"}
    schema = found["Schema Check"].state
    assert (schema.kind, schema.suite) == ("schema", "checks.yml")
    assert schema.expected == {"required": ["customer_id", "tier"], "types": {"country": "integer"}}
    assert schema.observed == {"missing": ["tier"], "types": {"country": "varchar"}}
    average = found["total_amount: avg total in range"].state
    assert (average.kind, average.expected, average.labels) == ("avg", "between 1000 and 2000", {"data_product": "customer-360"})
    freshness = found["last_order_at: freshness(last_order_at) < 1d"]
    assert freshness.state.observed == {"max_loaded_at": "2026-01-03 12:00:00+00:00", "age_seconds": 27813420.457}
    assert freshness.at == 1_795_255_020_000_000


@needs_corpus
def test_the_seeds_checks_load_as_they_are() -> None:
    live = mesh.build_graph(mesh.build_schema_statement(TRINO, "order_id", "customer_id", "total_amount", "status", "created_at"))
    did = load_files(live, "soda", CORPUS / "seeds", SEED)
    assert (did.new, did.refused) == (1, ())
    found = read_checks(live, TRINO)
    assert set(list_outcomes(found).values()) == {"NOT_RUN"}
    assert {name: (result.state.kind, result.state.expected) for name, result in found.items()} == {
        "Schema Check": (
            "schema",
            {"required": ["order_id", "customer_id", "total_amount", "status", "created_at"], "types": {"total_amount": "decimal"}},
        ),
        "anomaly score for row_count < default": ("anomaly score for row_count", "< default"),
        "created_at: freshness(created_at) < 1h": ("freshness", "< 1h"),
        "customer_id: missing_count(customer_id) = 0": ("missing_count", "= 0"),
        "order_id: missing_count(order_id) = 0": ("missing_count", "= 0"),
        "status: invalid_count(status) = 0": (
            "invalid_count",
            {"condition": "= 0", "valid values": ["pending", "confirmed", "shipped", "delivered", "cancelled"]},
        ),
        "total_amount: max(total_amount) <= 1000000": ("max", "<= 1000000"),
        "total_amount: min(total_amount) >= 0.01": ("min", ">= 0.01"),
        "total_amount: missing_count(total_amount) = 0": ("missing_count", "= 0"),
    }
    assert load_files(live, "soda", CORPUS / "seeds", SEED).unchanged == 1


@needs_corpus
def test_dropping_a_column_of_a_schema_check_affects_the_check() -> None:
    live = mesh.build_graph(mesh.build_schema_statement(TRINO, "order_id", "customer_id", "total_amount", "status", "created_at", "note"))
    load_files(live, "soda", CORPUS / "seeds", SEED)
    assert list_needed(live, SEED) == {"order_id", "customer_id", "total_amount", "status", "created_at"}
    for name, listed in (("total_amount", True), ("note", False)):
        found = compute_impact(live.index, [mesh.get_node(live, build_column_key(TRINO, name))])
        assert (SEED in mesh.list_names(live, [entry.node for entry in found.build_page(first=100).entries])) is listed


@needs_corpus
def test_checks_and_their_results_are_one_list(tmp_path: Path) -> None:
    (tmp_path / "checks.yml").write_text(
        "checks for customer_orders:\n  - row_count > 0\n  - missing_count(note) = 0\n"
        "  - schema:\n      warn:\n        when required column missing: [tier]\n"
    )
    shutil.copy(CORPUS / "recorded" / "soda_scan.json", tmp_path)
    live = open_graph()
    load_files(live, "soda", tmp_path, "*", namespace="duckdb:///shop")
    found = list_outcomes(read_checks(live, SHOP))
    assert (found["row_count > 0"], found["Schema Check"], found["note: missing_count(note) = 0"]) == ("PASSED", "FAILED", "NOT_RUN")
    assert len(found) == 7


@needs_corpus
def test_a_later_scan_replaces_and_the_earlier_is_history(tmp_path: Path) -> None:
    later = read_scan()
    later["scanStartTimestamp"] = "2026-11-22T09:57:00+00:00"
    for check in later["checks"]:
        check["outcome"] = "pass"
    (tmp_path / "later.json").write_text(json.dumps(later))
    live = open_graph()
    load_files(live, "soda", CORPUS / "recorded", "soda_scan.json", namespace="duckdb:///shop")
    assert load_files(live, "soda", tmp_path, "later.json", namespace="duckdb:///shop").changed == 2
    check = read_checks(live, SHOP)["Schema Check"]
    assert [str(past.state.outcome) for past in read_history(live, live.index, check)] == ["PASSED", "FAILED"]


@needs_corpus
def test_outcomes(tmp_path: Path) -> None:
    result = read_scan()
    result["checks"] = result["checks"][:3]
    result["checks"][0]["outcome"] = "warn"
    result["checks"][1]["outcome"] = None
    result["checks"][2]["location"]["filePath"] = "/home/user/soda/checks.yml"
    live = open_graph()
    for errors, expected_ in ((False, "SKIPPED"), (True, "ERROR")):
        result["hasErrors"] = errors
        result["scanStartTimestamp"] = f"2026-11-2{int(errors)}T00:00:00Z"
        (tmp_path / "scan.json").write_text(json.dumps(result))
        assert not load_files(live, "soda", tmp_path, "scan.json", namespace="duckdb:///shop").refused
        assert list_outcomes(read_checks(live, SHOP)) == {
            "row_count > 0": "WARNED",
            "Schema Check": expected_,
            "email_hash: missing_count(email_hash) = 0": "FAILED",
        }
    assert {result.state.suite for result in read_checks(live, SHOP).values()} == {"checks.yml"}


@needs_corpus
def test_checks_of_one_name_are_distinguished_by_their_identity(tmp_path: Path) -> None:
    result = read_scan()
    result["checks"] = [dict(result["checks"][0]), {**result["checks"][0], "identity": "other", "outcome": "fail"}]
    (tmp_path / "scan.json").write_text(json.dumps(result))
    live = open_graph()
    load_files(live, "soda", tmp_path, "scan.json", namespace="duckdb:///shop")
    assert list_outcomes(read_checks(live, SHOP)) == {"row_count > 0 bacf0c87": "PASSED", "row_count > 0 other": "FAILED"}


@needs_corpus
def test_an_unknown_table_is_refused_once_and_the_others_are_ingested() -> None:
    live = mesh.build_graph(mesh.build_asset_statement(LTV, description="x"))
    found = load_files(live, "soda", CORPUS / "recorded", "soda_scan.json")
    assert list_refusals(found) == [
        (
            "soda_scan.json: $.checks[0]: no known dataset is called 'customer_orders';"
            " accepted are the options dataset (namespace/name), datasets and namespace"
        )
    ]
    assert read_checks(live, LTV)
    live = open_graph()
    mapped: dict[str, Json] = {"shop.customer_orders": "duckdb:///shop/customer_orders", "customer_ltv": "duckdb:///shop/customer_ltv"}
    assert not load_files(live, "soda", CORPUS / "recorded", "soda_scan.json", datasets=mapped).refused
    assert read_checks(live, SHOP)


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        ("checks for a: [", ["bad.yml:1: this is not YAML"]),
        ("- row_count > 0", ["bad.yml:1: the file has no sections; accepted are sections such as `checks for orders:`"]),
        (
            "check for a:\n  - row_count > 0",
            ["bad.yml:1: unknown section 'check for a'; did you mean 'checks for orders'?; accepted are"],
        ),
        ("checks for a:\n  row_count: 0", ["bad.yml:1: the section is not a list; accepted is a list of checks, each after a dash"]),
        (
            "checks for a:\n  - row_count > 0\n  - a: 1\n    b: 2\n  - [x]\n  - ''",
            ["bad.yml:3: not a check; accepted are `- row_count > 0`", "bad.yml:5: not a check", "bad.yml:6: not a check"],
        ),
        ('{"queries": []}', ["bad.yml: the scan has no list of checks; accepted are a scan's result (JSON) and a file of checks (YAML)"]),
        ('{"checks": [{"name": "x"}]}', ["bad.yml: $.checks[0]: the check names no table"]),
        ('{"checks": [], "scanStartTimestamp": "x"}', ["bad.yml: $.scanStartTimestamp: 'x' is not a time"]),
    ],
)
def test_bad_files_are_refused_by_line(tmp_path: Path, content: str, messages: list[str]) -> None:
    (tmp_path / "bad.yml").write_text(content)
    (tmp_path / "good.yml").write_text("checks for b:\n  - row_count > 0\n")
    live = open_graph()
    found = load_files(live, "soda", tmp_path, "*.yml", namespace="pg")
    assert len(found.refused) == len(messages)
    assert all(refusal.startswith(message) for refusal, message in zip(list_refusals(found), messages, strict=True)), list_refusals(found)
    assert list_outcomes(read_checks(live, build_dataset_key("pg", "b"))) == {"row_count > 0": "NOT_RUN"}


def test_a_file_of_which_everything_is_refused_keeps_what_was_known(tmp_path: Path) -> None:
    file = tmp_path / "checks.yml"
    file.write_text("checks for a:\n  - row_count > 0\n")
    live = open_graph()
    load_files(live, "soda", tmp_path, "checks.yml", namespace="pg")
    file.write_text("chocks for a:\n  - row_count > 0\n")
    assert load_files(live, "soda", tmp_path, "checks.yml", namespace="pg", complete=True).refused
    assert read_checks(live, build_dataset_key("pg", "a"))
    file.write_text("variables: {}\n")
    load_files(live, "soda", tmp_path, "checks.yml", namespace="pg", complete=True)
    assert live.index.assets.find_by_key(build_dataset_key("pg", "a")) is None


@pytest.mark.parametrize(
    ("line", "kind", "of", "condition"),
    [
        ("row_count > 0", "row_count", "", "> 0"),
        ("missing_percent( phone ) < 1 %", "missing_percent", "phone", "< 1 %"),
        ('min("total amount") >= 0.01', "min", "total amount", ">= 0.01"),
        ("avg(total) between 1000 and 2000", "avg", "total", "between 1000 and 2000"),
        ("percentile(distance, 0.7) < 5", "percentile", "distance", "< 5"),
        ("duplicate_count(a, b) = 0", "duplicate_count", "", "= 0"),
        ("freshness(created_at) < 1h", "freshness", "created_at", "< 1h"),
        ("freshness using created_at with NOW < 1h", "freshness", "created_at", "< 1h"),
        ("anomaly score for row_count < default", "anomaly score for row_count", "", "< default"),
        ("anomaly detection for avg(x)", "anomaly detection for avg", "x", None),
        ("change avg last 7 for missing_count(x) < 50", "change for missing_count", "x", "avg last 7 < 50"),
        ("values in (a) must exist in other (b)", "reference", "a", "exist in other (b)"),
        ("values in (a, b) must not exist in other (c, d)", "reference", "", "not exist in other (c, d)"),
        ("row_count same as raw_orders", "row_count", "", "same as raw_orders"),
        ("failed rows", "failed rows", "", None),
    ],
)
def test_lines_of_sodacl(line: str, kind: str, of: str, condition: str | None) -> None:
    assert parse_check(line) == ParsedCheck(line, kind, of, condition)


def test_settings_of_sodacl() -> None:
    found = parse_check(
        "missing_count(x) = 0",
        {"name": " no gaps ", "attributes": {"team": "a"}, "warn": "when > 5", "missing values": ["n/a"], "samples limit": 5},
    )
    assert found == ParsedCheck(
        "no gaps", "missing_count", "x", {"condition": "= 0", "warn": "when > 5", "missing values": ["n/a"]}, labels={"team": "a"}
    )
    schema = parse_check(
        "schema",
        {
            "fail": {"when required column missing": ["a", "b"], "when forbidden column present": ["pii%"]},
            "warn": {"when required column missing": ["b", "c"], "when wrong column type": {"d": "date"}, "when schema changes": "any"},
            "fail when wrong column index": {"a": 0},
        },
    )
    assert schema is not None
    assert schema.expected == {
        "required": ["a", "b", "c"], "forbidden": ["pii%"], "types": {"d": "date"}, "changes": "any", "positions": {"a": 0},
    }  # fmt: skip
    assert schema.needs == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("checks for orders", "orders"),
        ("checks for orders [daily]", "orders"),
        ('checks for "silver"."my orders"', "silver.my orders"),
        ("filter orders [daily]", None),
        ("checks", None),
    ],
)
def test_sections_of_sodacl(section: str, name: str | None) -> None:
    assert parse_section(section) == name
