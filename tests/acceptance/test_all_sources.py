"""The example mesh read from all its sources joins up by itself; the seeds' files load as they are."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshline.cli.store import open_graph
from meshline.graph.queries.schema_history import read_schemas
from tests.cli.command import EXAMPLE, Ran, run_successfully
from tests.ingest.sources.marquez_server import read_answers, serve_answers, set_pages

SOURCES = ("openlineage", "iceberg", "delta", "debezium", "dbt", "sql", "contract", "product", "gx", "soda", "marquez")

PROMISED = "trino://trino.internal/delta.orders.customer_orders"

# From the operational database to the mart, each step the work of another: Debezium, a sink, Spark (twice, and an export), dbt (twice).
WAY = (
    "kafka://kafka.internal/shop.cdc.orders",
    "file//warehouse/landing/shop/orders",
    "http://iceberg-rest.internal:8181/orders.orders",
    "http://iceberg-rest.internal:8181/orders.customer_orders",
    "file//warehouse/exports/finance/customer_orders",
    "duckdb:///warehouse/marts.duckdb/marts.staging.stg_customer_orders",
    "duckdb:///warehouse/marts.duckdb/marts.finance.revenue_daily",
)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The example's mesh file, with a recorded Marquez as one more source: it has the example's events, and what they do not name."""
    folder = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("mesh") / "mesh")
    answers = read_answers()
    with set_pages(), serve_answers(lambda address, _: answers.get(address, (404, b"{}"))) as url:
        with (folder / "mesh.yaml").open("a", encoding="utf-8") as file:
            file.write(f"  - {{ kind: marquez, name: old, url: '{url}' }}\n")
        yield folder / "mesh.yaml"


@pytest.fixture(scope="module")
def synced(mesh: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Ran]:
    store = f"sqlite:///{tmp_path_factory.mktemp('sources')}/mesh.db"
    return store, run_successfully("sync", mesh, "--store", store)


def parse_lines(ran: Ran) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in (ran.out + ran.err).splitlines() if "/" in line.split(":")[0])


def test_every_source_of_the_example_is_ingested(synced: tuple[str, Ran]) -> None:
    results = parse_lines(synced[1])
    assert {name.split("/")[0] for name in results} == {"mesh", "naming", *SOURCES}
    assert all(text.endswith("0 refused") for text in results.values()), results
    assert all(", 0 new," not in text for text in results.values()), results


def test_a_second_sync_changes_nothing(mesh: Path, synced: tuple[str, Ran]) -> None:
    again = parse_lines(run_successfully("sync", mesh, "--store", synced[0]))
    assert again.keys() == parse_lines(synced[1]).keys()
    assert all(text.endswith("0 new, 0 changed, 0 retracted, 0 refused") for text in again.values()), again


def test_lineage_runs_from_the_operational_database_to_finance(synced: tuple[str, Ran]) -> None:
    answer = run_successfully("impact", "postgres://orders-db/orders-db.public.orders", "--format", "json", "--store", synced[0]).out
    found = json.loads(answer)
    rows = {row["node"]["qualifiedName"]: row for kind in ("data", "others") for row in found[kind]["nodes"]}
    assert [rows[name]["distance"] for name in WAY] == list(range(1, 8))
    assert {rows[name]["reach"] for name in WAY} == {"POSSIBLE"}
    assert {"revenue-reporting", "finance-analytics"} <= rows.keys()


def test_a_promised_column_names_its_consumer_contract_and_product(synced: tuple[str, Ran]) -> None:
    output = run_successfully("impact", "delta.orders.customer_orders.total_amount", "--store", synced[0]).out
    assert "finance-analytics  direct" in output
    assert "CONTRACTS TO REVIEW\n  customer-orders-contract-v2" in output
    assert "customer-orders" in output.partition("BY PRODUCT")[2]
    assert "orders-engineering" in output.partition("NOTIFY OWNERS")[2]


def test_statements_about_a_renamed_column_apply_under_its_new_name(synced: tuple[str, Ran]) -> None:
    """The first night wrote `contact_email`; the catalog's field ids show that it is `customer_email` now."""
    explained = run_successfully(
        "identity", "explain", "http://iceberg-rest.internal:8181/orders.customer_orders", "--store", synced[0]
    ).out
    assert "customer_email: contact_email" in explained
    before = run_successfully("impact", "customers.customers.email", "--as-of", "2026-03-02", "--store", synced[0]).out
    assert "contact_email" in before


def test_what_only_marquez_has_is_beside_what_its_events_name(synced: tuple[str, Ran]) -> None:
    assert "team-crm" in run_successfully("owners", "public.accounts", "--store", synced[0]).out
    assert "public.contacts" in run_successfully("impact", "public.accounts", "--store", synced[0]).out


def test_no_identity_of_the_example_looks_wrong(synced: tuple[str, Ran]) -> None:
    assert run_successfully("identity", "conflicts", "--store", synced[0]).out == "no identity looks wrong\n"


@pytest.mark.skipif("MESHLINE_CORPUS" not in os.environ, reason="MESHLINE_CORPUS names no folder")
def test_the_seeds_load_as_they_are(tmp_path: Path) -> None:
    seeds = Path(os.environ["MESHLINE_CORPUS"]) / "seeds"
    mesh = tmp_path / "mesh.yaml"
    mesh.write_text(
        f"""
version: 1
catalogs: [{{ names: "trino://trino.internal/delta", also: ["trino://data-platform.internal"] }}]
sources:
  - {{ kind: contract, name: seeds, files: ["{seeds}/customer_orders_contract_v2.yaml"] }}
  - {{ kind: product, name: seeds, files: ["{seeds}/data-product-spec.yaml"] }}
  - {{ kind: soda, name: seeds, files: ["{seeds}/soda_customer_orders.yml"], dataset: "{PROMISED}" }}
""",
        encoding="utf-8",
    )
    store = f"sqlite:///{tmp_path}/seeds.db"
    assert all(text.endswith("0 refused") for text in parse_lines(run_successfully("sync", mesh, "--store", store)).values())
    output = run_successfully("impact", "customer_orders.total_amount", "--store", store).out
    assert "finance-analytics" in output.partition("NOTIFY OWNERS")[0]
    assert "customer-orders-contract-v2" in output.partition("CONTRACTS TO REVIEW")[2]
    assert "customer-orders" in output.partition("BY PRODUCT")[2]
    assert "orders-engineering" in output.partition("NOTIFY OWNERS")[2]


def test_the_catalog_gives_the_schemas_of_both_nights(synced: tuple[str, Ran]) -> None:
    with open_graph(synced[0]) as graph:
        index = graph.graph.index
        node = index.assets.find_by_key(graph.naming.normalise_dataset("http://iceberg-rest.internal:8181", "orders.customer_orders"))
        assert node is not None
        schemas = [schema for schema in read_schemas(graph.graph, index, node) if schema.source == "iceberg/lake"]
    names = [{column.name for column in schema.columns} for schema in schemas]
    assert names[0] - names[-1] == {"customer_email"}
    assert names[-1] - names[0] == {"contact_email"}
    assert schemas[-1].until is not None
