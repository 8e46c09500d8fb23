"""Contracts and products in GraphQL: versions, fields, terms, ports, service levels."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from meshline.cli.store import open_graph
from meshline.graph.model import from_micros, get_current_micros
from tests.api.conftest import AskGraph
from tests.cli.command import run_command, run_successfully
from tests.ingest.sources.contract_files import SPECIFICATION, STANDARD
from tests.ingest.sources.test_contracts import FILES, load_contracts, write_files
from tests.ingest.sources.test_products import load_products
from tests.queries.mesh import build_graph

CORPUS = os.environ.get("MESHLINE_CORPUS")


def open_contracts(folder: Path, **files: str) -> AskGraph:
    """The schema over a graph of these contracts."""
    graph = build_graph()
    write_files(folder, **files)
    load_contracts(graph, folder)
    return AskGraph(graph)


def test_the_versions_of_a_contract(tmp_path: Path) -> None:
    ask = open_contracts(tmp_path, **FILES)
    data = ask(
        """{ contracts { nodes { name version status title current { version inForce }
            versions { version status inForce title standard source fields { name dataType } } } } }"""
    )
    (contract,) = data["contracts"]["nodes"]
    assert (contract["version"], contract["status"], contract["title"]) == ("1.10.0", "active", "Orders 1.10.0")
    assert contract["current"] == {"version": "1.10.0", "inForce": True}
    assert [(one["version"], one["status"], one["inForce"]) for one in contract["versions"]] == [
        ("1.10.0", "active", True),
        ("1.9.0", "active", True),
        ("1.11.0", "deprecated", True),
        ("2.0.0", "draft", False),
    ]
    assert contract["versions"][3] == {
        "version": "2.0.0",
        "status": "draft",
        "inForce": False,
        "title": "Orders 2.0.0",
        "standard": "Data Contract Specification 1.2.0",
        "source": "contract/default",
        "fields": [{"name": "total", "dataType": "decimal"}],
    }


def test_the_terms_of_a_contract(tmp_path: Path) -> None:
    ask = open_contracts(tmp_path, a=SPECIFICATION)
    data = ask(
        """{ resolve(name: "orders-latest") { ... on Contract { description governs { name } owners { owner { name } }
            current { contact ownerNames tags links { name url } roles { name server } servers { name type environment settings }
              terms { usage limitations billing noticePeriod { text seconds } policies }
              sla { name text seconds ratio element schedule }
              qualityRules { type model field expected specification }
              fields(model: "orders") { model name dataType required unique primaryKey enum minimum exclusiveMaximum minLength pattern
                classification pii description tags } } } } }"""
    )["resolve"]
    current = data["current"]
    assert sorted(one["name"] for one in data["governs"]) == ["SHOP.ORDERS.orders", "data/orders"]
    assert data["owners"] == [{"owner": {"name": "checkout@example.com"}}]
    assert current["servers"][0] == {
        "name": "production",
        "type": "snowflake",
        "environment": "prod",
        "settings": {"account": "acme-eu", "database": "SHOP", "schema": "ORDERS"},
    }
    assert current["roles"] == [{"name": "analyst_us", "server": "production"}]
    assert current["terms"]["noticePeriod"] == {"text": "P3M", "seconds": 90 * 86_400}
    assert current["sla"][0] == {
        "name": "availability",
        "text": "99.9%",
        "seconds": None,
        "ratio": 0.999,
        "element": None,
        "schedule": None,
    }
    assert current["qualityRules"][1]["expected"] == {"greater_or_equal": 5}
    fields = {field["name"]: field for field in current["fields"]}
    assert fields["order_total"] == {
        "model": "orders",
        "name": "order_total",
        "dataType": "decimal(18,2)",
        "required": None,
        "unique": None,
        "primaryKey": None,
        "enum": [],
        "minimum": 0,
        "exclusiveMaximum": 1_000_000,
        "minLength": None,
        "pattern": None,
        "classification": None,
        "pii": None,
        "description": "In cents.",
        "tags": [],
    }
    assert fields["state"]["enum"] == ["new", "paid", "3"]
    assert (fields["customer_email"]["pii"], fields["customer_email"]["classification"]) == (True, "sensitive")


def test_consumers_under_a_contract(tmp_path: Path) -> None:
    ask = open_contracts(tmp_path, a=STANDARD, b=SPECIFICATION)
    data = ask(
        '{ resolve(name: "payments") { ... on Contract { consumers { purpose consumer { name } asset { name } contract { name } } } } }'
    )
    assert [one["asset"]["name"] for one in data["resolve"]["consumers"]] == [
        "amt",
        "client",
        "client.born",
        "client.iban",
        "notes",
        "notes.element",
        "state",
    ]
    assert data["resolve"]["consumers"][0] == {
        "purpose": "Closing the books.",
        "consumer": {"name": "closing@example.com"},
        "asset": {"name": "amt"},
        "contract": {"name": "payments"},
    }


TWO_VERSIONS = """
version: 1
source: m
namespaces: {wh: "postgres://db/shop"}
contracts:
  - {id: orders, version: "1.0.0", status: deprecated, dataset: wh/orders_v1}
consumers:
  - {name: app-1, consumes: [{dataset: wh/orders_v1, contract: orders, version: "1.0.0"}]}
  - {name: app-2, consumes: [{dataset: wh/orders_v2, columns: [total], contract: orders, version: "2.0.0"}]}
  - {name: app-3, consumes: [{dataset: wh/orders_v1, contract: orders}]}
  - {name: app-4, consumes: [{dataset: wh/elsewhere, contract: orders}]}
"""


def test_consumers_that_remain_on_version_1(tmp_path: Path) -> None:
    """A use has the version that it states, else the only one that governs what it uses; else none is made up."""
    new_store = f"sqlite:///{tmp_path / 'new.db'}"
    (tmp_path / "mesh.yaml").write_text(TWO_VERSIONS)
    other = '"1.0.0", status: deprecated, dataset: wh/orders_v1', '"2.0.0", dataset: wh/orders_v2'
    second = TWO_VERSIONS.replace("source: m\n", "source: n\n").replace(*other)
    (tmp_path / "second.yaml").write_text(second.partition("consumers:")[0])
    for file in ("mesh.yaml", "second.yaml"):
        run_successfully("ingest", "mesh", tmp_path / file, "--store", new_store)
    with open_graph(new_store) as (graph, _):
        ask = AskGraph(graph)
        question = """{ resolve(name: "contract:orders") { ... on Contract {
            consumers { version consumer { name } } onOne: consumers(version: "1.0.0") { consumer { name } }
            versions { version consumers { consumer { name } } } } } }"""
        found = ask(question)["resolve"]
    assert {one["consumer"]["name"]: one["version"] for one in found["consumers"]} == {
        "app-1": "1.0.0",
        "app-2": "2.0.0",
        "app-3": "1.0.0",
        "app-4": None,
    }
    assert [one["consumer"]["name"] for one in found["onOne"]] == ["app-1", "app-3"]
    by_version = {one["version"]: [use["consumer"]["name"] for use in one["consumers"]] for one in found["versions"]}
    assert by_version == {"2.0.0": ["app-2"], "1.0.0": ["app-1", "app-3"]}
    shown = run_successfully("consumers", "orders", "--store", new_store).out
    assert "versions 2.0.0, 1.0.0 (deprecated)" in shown
    assert re.search(r"version 1\.0\.0 +app-3 +orders_v1 +mesh/m", shown)
    assert re.search(r"version not known +app-4 +elsewhere +mesh/m", shown)
    on_one = run_successfully("consumers", "orders", "--version", "1.0.0", "--store", new_store).out
    assert ("app-1" in on_one, "app-2" in on_one) == (True, False)
    assert "of 1 use the version is not known" in on_one
    refused = run_command("consumers", "orders", "--version", "3", "--store", new_store)
    assert refused.code == 2
    assert "has no version '3'; it has 2.0.0, 1.0.0" in refused.err


def test_consumers_of_a_governed_dataset_that_do_not_name_the_contract(tmp_path: Path) -> None:
    """Otherwise it would have no known consumer."""
    new_store = f"sqlite:///{tmp_path / 'new.db'}"
    unnamed = TWO_VERSIONS.replace(", contract: orders", "").replace(', version: "1.0.0"}]', "}]").replace(', version: "2.0.0"}]', "}]")
    other = "{dataset: wh/orders_v1}]}\n  - {name: app-5, consumes: [{dataset: wh/orders_v1, contract: another}]}"
    (tmp_path / "mesh.yaml").write_text(other.join(unnamed.rsplit("{dataset: wh/orders_v1}]}", 1)))
    run_successfully("ingest", "mesh", tmp_path / "mesh.yaml", "--store", new_store)
    shown = run_successfully("consumers", "orders", "--store", new_store).out
    assert re.search(r"version 1\.0\.0 +app-1 +orders_v1 +mesh/m, which names no contract", shown)
    assert [name for name in ("app-1", "app-2", "app-3", "app-4", "app-5") if name in shown] == ["app-1", "app-3"]
    with open_graph(new_store) as (graph, _):
        (contract,) = AskGraph(graph)("{ contracts { nodes { versions { consumers { consumer { name } contractName } } } } }")["contracts"][
            "nodes"
        ]
    assert [one["consumer"]["name"] for one in contract["versions"][0]["consumers"]] == ["app-1", "app-3"]


def test_the_past_shows_the_contract_of_then(tmp_path: Path) -> None:
    graph = build_graph()
    write_files(tmp_path, a=FILES["a"])
    load_contracts(graph, tmp_path)
    before = get_current_micros()
    write_files(tmp_path, b=FILES["b"])
    load_contracts(graph, tmp_path)
    ask = AskGraph(graph)
    question = 'query($at: DateTime) { resolve(name: "orders", asOf: $at) { ... on Contract { version versions { version } } } }'
    then = ask(question, at=from_micros(before).isoformat())["resolve"]
    assert then == {"version": "1.9.0", "versions": [{"version": "1.9.0"}]}
    assert ask(question)["resolve"]["version"] == "1.10.0"


@pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set: the seeds' specification cannot be read")
def test_the_terms_of_a_product() -> None:
    assert CORPUS
    graph = build_graph()
    load_products(graph, Path(CORPUS) / "seeds", "data-product-spec.yaml")
    (product,) = AskGraph(graph)(
        """{ products { nodes { name version status slo slos { name text seconds ratio } registeredIn tags { key }
            qualityChecks { tool suite run } domain { name } owners { owner { name } }
            ports { direction type endpoint format refresh contractName deprecated dataset { namespace name } } } } }"""
    )["products"]["nodes"]
    assert product["slos"] == [
        {"name": "accuracy", "text": "99.99%", "seconds": None, "ratio": 0.9999},
        {"name": "completeness", "text": "99.9%", "seconds": None, "ratio": 0.999},
        {"name": "freshness", "text": "1h", "seconds": 3600, "ratio": None},
    ]
    assert (product["version"], product["registeredIn"]) == ("2.1.0", ["DataHub"])
    assert product["slo"]["freshness"] == {"text": "1h", "seconds": 3600}
    assert product["qualityChecks"] == [
        {"tool": "great_expectations", "suite": "customer_orders_suite", "run": "hourly"},
        {"tool": "soda", "suite": "soda/orders/customer_orders.yml", "run": "on_refresh"},
    ]
    assert [one["key"] for one in product["tags"]] == ["financial", "gdpr", "pii"]
    assert product["ports"][0] == {
        "direction": "input",
        "type": None,
        "endpoint": "orders-db.public.orders",
        "format": None,
        "refresh": "streaming CDC (Debezium)",
        "contractName": None,
        "deprecated": False,
        "dataset": {"namespace": "unresolved", "name": "orders-db.public.orders"},
    }


def test_service_levels_without_a_measurement_are_measured_on_request(ask: AskGraph) -> None:
    """The small mesh states its service levels as a mesh file does: as plain texts."""
    slos = {one["name"]: one["slos"] for one in ask("{ products { nodes { name slo slos { name text seconds } } } }")["products"]["nodes"]}
    assert [level for levels in slos.values() for level in levels]
    assert all(level["seconds"] for levels in slos.values() for level in levels if level["name"] == "freshness")
