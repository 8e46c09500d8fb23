"""Data product specifications and their statements in the graph."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.contracts import Level, Party, PortSpec, Product, Suite, Terms
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, EdgeFact, EdgeType, Facts, Statement, get_current_micros
from meshline.graph.naming import Naming
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.products.formats import ParsedProduct, parse_product
from meshline.ingest.sources.products.source import Products
from meshline.ingest.sources.reading_loader import Loading, load_reading
from tests.ingest.sources.contract_files import SPECIFICATION
from tests.ingest.sources.test_contracts import count_outcomes, list_edges, load_contracts, read_attribute, write_files
from tests.queries.mesh import build_graph, commit_statements

CORPUS = os.environ.get("MESHLINE_CORPUS")
needs_corpus = pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set: the seeds' specification cannot be read")

STANDARD = """\
apiVersion: v1.0.0
kind: DataProduct
id: fbe8d147
name: Order Analysis
version: 1.2.0
status: active
domain: seller
tenant: acme
description: {purpose: Enterprise view of orders., limitations: None known., usage: Look twice.}
tags: [customer]
inputPorts:
  - {name: orders, version: 1.10.0, contractId: orders-latest}
outputPorts:
  - name: analysis
    description: Analysed orders
    type: tables
    version: 2.0.0
    contractId: unknown-contract
    sbom: [{type: external, url: "https://sbom.example.com/x"}]
    inputContracts: [{id: orders-latest, version: 1.10.0}]
  - {name: files, deprecated: true, customProperties: [{property: location, value: "s3://bucket/analysis"}]}
  - {name: nowhere}
managementPorts:
  - {name: control, content: control, type: rest, url: "https://control.example.com"}
support:
  - {channel: "#orders", url: "https://slack.example.com/orders"}
team:
  name: sellers
  members:
    - {username: ana@example.com, name: Ana, role: owner}
    - {username: bo@example.com, role: data steward}
authoritativeDefinitions:
  - {type: tutorial, url: "https://docs.example.com"}
productCreatedTs: "2023-01-15T10:30:00Z"
"""


def load_products(graph: LiveGraph, folder: Path, *paths: str, complete: bool = False, strict: bool = False) -> Loading:
    source = Products(files=paths or ("*.yaml",), complete=complete)
    return load_reading(graph, source.read(build_context(graph, Naming(), folder, source.source)), get_current_micros(), strict=strict)


def read_product(text: str) -> ParsedProduct:
    parsed = parse_product(text.encode(), "p.yaml")
    assert parsed.refused == ()
    return parsed


def build_datasets(*datasets: model.AssetKey) -> Statement:
    """Datasets with a column each, as a catalog knows them."""
    columns = tuple(EdgeFact(EdgeType.HAS_COLUMN, dataset, model.build_column_key(dataset, "id"), {"position": 1}) for dataset in datasets)
    assets = tuple(AssetFact(dataset, {"dataset_type": "TABLE"}) for dataset in datasets)
    return Statement("iceberg/lake", ("tables",), get_current_micros(), encode_facts(Facts(assets, columns)))


@needs_corpus
def test_the_seeds_specification_loads_as_it_is() -> None:
    assert CORPUS
    parsed = read_product((Path(CORPUS) / "seeds" / "data-product-spec.yaml").read_text(encoding="utf-8"))
    assert parsed.warnings == ()
    assert parsed.product == Product(
        name="customer-orders",
        version="2.1.0",
        standard="data-product-spec",
        description="All completed customer orders since 2020-01-01. Refreshed hourly from the orders database.",
        domain="orders",
        slo=(
            Level("freshness", "1h", seconds=3600),
            Level("completeness", "99.9%", ratio=0.999),
            Level("accuracy", "99.99%", ratio=0.9999),
        ),
        ports=(
            PortSpec("output", type="sql", endpoint="trino://data-platform.internal/orders/customer_orders", format="Delta Lake table"),
            PortSpec("output", type="api", endpoint="https://data-api.orders.internal/v2/customer-orders", format="JSON (paginated)"),
            PortSpec("output", type="stream", endpoint="kafka://kafka.internal/orders.customer_orders.v2", format="Avro (Schema Registry)"),
            PortSpec("input", endpoint="orders-db.public.orders", refresh="streaming CDC (Debezium)"),
            PortSpec("input", endpoint="payments.payment_confirmed events", refresh="Kafka stream"),
        ),
        quality_checks=(
            Suite("great_expectations", "customer_orders_suite", "hourly"),
            Suite("soda", "soda/orders/customer_orders.yml", "on_refresh"),
        ),
        registered_in=("DataHub",),
        pii_columns=("customer_email", "shipping_address", "phone_number"),
        tags=("pii", "gdpr", "financial"),
        owners=(Party("orders-engineering@company.com"),),
    )


@needs_corpus
def test_the_seeds_specification_in_the_graph() -> None:
    assert CORPUS
    graph = build_graph()
    database, topic = (
        model.build_dataset_key("postgres://orders-db:5433", "shop.public.orders"),
        model.build_dataset_key("kafka://k", "payments.payment_confirmed"),
    )
    commit_statements(graph, build_datasets(database, topic))
    done = load_products(graph, Path(CORPUS) / "seeds", "data-product-spec.yaml")
    assert (done.warnings, done.refused) == ((), ())
    product = model.build_data_product_key("customer-orders")
    ports = list_edges(graph, EdgeType.PORT, product)
    assert ports.keys() == {
        "trino://data-platform.internal/orders.customer_orders",
        "https://data-api.orders.internal/v2/customer-orders",
        "kafka://kafka.internal/orders.customer_orders.v2",
        "postgres://orders-db:5433/shop.public.orders",
        "kafka://k/payments.payment_confirmed",
    }
    assert ports["postgres://orders-db:5433/shop.public.orders"] == {
        "direction": "input",
        "endpoint": "orders-db.public.orders",
        "refresh": "streaming CDC (Debezium)",
    }
    assert list_edges(graph, EdgeType.PART_OF, product).keys() == {"orders"}
    assert list_edges(graph, EdgeType.OWNS, model.build_owner_key("orders-engineering@company.com")).keys() == {"customer-orders"}
    assert read_attribute(graph, product, "slo") == {
        "freshness": {"text": "1h", "seconds": 3600},
        "completeness": {"text": "99.9%", "ratio": 0.999},
        "accuracy": {"text": "99.99%", "ratio": 0.9999},
    }
    assert read_attribute(graph, product, "registered_in") == ["DataHub"]
    for output in (("trino://data-platform.internal", "orders.customer_orders"), ("kafka://kafka.internal", "orders.customer_orders.v2")):
        dataset = model.build_dataset_key(*output)
        assert read_attribute(graph, model.build_column_key(dataset, "phone_number"), "tags") == ["pii"]
    assert graph.index.assets.find_by_key(model.build_column_key(database, "phone_number")) is None
    assert count_outcomes(load_products(graph, Path(CORPUS) / "seeds", "data-product-spec.yaml")) == (1, 1, 0, 0, 0)


def test_open_data_product_standard() -> None:
    parsed = read_product(STANDARD)
    assert parsed.warnings == ()
    assert parsed.product == Product(
        name="Order Analysis",
        id="fbe8d147",
        version="1.2.0",
        status="active",
        standard="Open Data Product Standard 1.0.0",
        description="Enterprise view of orders.",
        domain="seller",
        contact="https://slack.example.com/orders",
        ports=(
            PortSpec("output", "analysis", "tables", description="Analysed orders", version="2.0.0", contract="unknown-contract"),
            PortSpec("output", "files", endpoint="s3://bucket/analysis", deprecated=True),
            PortSpec("output", "nowhere"),
            PortSpec("input", "orders", version="1.10.0", contract="orders-latest"),
        ),
        terms=Terms(usage="Look twice.", limitations="None known."),
        tags=("customer",),
        links={"tutorial": "https://docs.example.com", "control": "https://control.example.com"},
        owners=(Party("sellers"), Party("ana@example.com", title="Ana"), Party("bo@example.com", "steward")),
    )


def test_ports_of_the_standard_are_found_by_their_contracts(tmp_path: Path) -> None:
    graph = build_graph()
    write_files(tmp_path, contract=SPECIFICATION, product=STANDARD)
    load_contracts(graph, tmp_path, "contract.yaml")
    done = load_products(graph, tmp_path, "product.yaml")
    assert list_edges(graph, EdgeType.PORT, model.build_data_product_key("Order Analysis")) == {
        "snowflake://acme-eu/SHOP.ORDERS.orders": {
            "direction": "input",
            "name": "orders",
            "version": "1.10.0",
            "contract": "orders-latest",
        },
        "unresolved/unknown-contract": {
            "direction": "output",
            "name": "analysis",
            "type": "tables",
            "description": "Analysed orders",
            "version": "2.0.0",
            "contract": "unknown-contract",
        },
        "s3://bucket/analysis": {"direction": "output", "name": "files", "endpoint": "s3://bucket/analysis", "deprecated": True},
        "unresolved/Order Analysis/nowhere": {"direction": "output", "name": "nowhere"},
    }
    assert done.warnings == (
        "product.yaml:14: the port is bound to no known dataset: the contract 'unknown-contract' governs no dataset; load contracts first",
        "product.yaml:22: the port is bound to no known dataset: it has neither an endpoint nor a contract that locates its data",
    )


def format_product(source: str) -> str:
    return f"name: p\nslo: {{}}\ninput_ports:\n  - source: {source}\n"


def load_input_port(graph: LiveGraph, folder: Path, source: str) -> tuple[list[str], tuple[str, ...]]:
    """Which datasets an input port is, and what is warned of."""
    write_files(folder, p=format_product(source))
    done = load_products(graph, folder, "p.yaml")
    return sorted(list_edges(graph, EdgeType.PORT, model.build_data_product_key("p"))), done.warnings


def test_an_endpoint_without_a_scheme_is_the_one_known_dataset_of_that_name(tmp_path: Path) -> None:
    graph = build_graph()
    commit_statements(
        graph,
        build_datasets(
            model.build_dataset_key("postgres://db", "shop.public.orders"), model.build_dataset_key("kafka://k", "shop.public.orders.v1")
        ),
    )
    assert load_input_port(graph, tmp_path, "public.orders") == (["postgres://db/shop.public.orders"], ())
    assert load_input_port(graph, tmp_path, "db.public.orders") == (["postgres://db/shop.public.orders"], ())
    assert load_input_port(graph, tmp_path, "shop.public.orders.v1 events") == (["kafka://k/shop.public.orders.v1"], ())


def test_an_endpoint_that_several_may_be_is_none_of_them(tmp_path: Path) -> None:
    graph = build_graph()
    commit_statements(
        graph, build_datasets(model.build_dataset_key("postgres://a", "x.orders"), model.build_dataset_key("postgres://b", "x.orders"))
    )
    found, (warning,) = load_input_port(graph, tmp_path, "x.orders")
    assert found == ["unresolved/x.orders"]
    assert warning.endswith("'x.orders' may be any of 2 (postgres://a/x.orders, postgres://b/x.orders); write the full name of one of them")


def test_an_unknown_dataset_is_found_once_a_source_states_it(tmp_path: Path) -> None:
    graph = build_graph()
    found, warnings = load_input_port(graph, tmp_path, "db.public.orders")
    assert found == ["unresolved/db.public.orders"]
    assert len(warnings) == 1
    assert load_input_port(graph, tmp_path, "db.public.orders")[0] == ["unresolved/db.public.orders"]
    commit_statements(graph, build_datasets(model.build_dataset_key("postgres://db.internal", "shop.public.orders")))
    assert load_input_port(graph, tmp_path, "db.public.orders") == (["postgres://db.internal/shop.public.orders"], ())


def test_aliases_of_the_mesh_file_are_names_of_ports(tmp_path: Path) -> None:
    write_files(tmp_path, p=format_product("lake/orders.items"))
    graph = build_graph()
    source = Products(files=("p.yaml",))
    load_reading(
        graph, source.read(build_context(graph, Naming(), tmp_path, source.source, {"lake": "http://rest:8181"})), get_current_micros()
    )
    assert list_edges(graph, EdgeType.PORT, model.build_data_product_key("p")).keys() == {"http://rest:8181/orders.items"}


def test_passwords_are_not_kept(tmp_path: Path) -> None:
    graph = build_graph()
    write_files(tmp_path, p=format_product("postgres://me:hunter2@db/shop/public/orders"))
    load_products(graph, tmp_path)
    assert list_edges(graph, EdgeType.PORT, model.build_data_product_key("p")) == {
        "postgres://db/shop.public.orders": {"direction": "input", "endpoint": "postgres://db/shop/public/orders"}
    }


def test_a_product_that_is_gone_is_retracted_and_a_bad_one_kept(tmp_path: Path) -> None:
    graph = build_graph()
    for name in ("a", "b", "c"):
        write_files(tmp_path, **{name: f"name: {name}\nslo: {{freshness: 1h}}\n"})
    assert count_outcomes(load_products(graph, tmp_path, complete=True)) == (3, 0, 3, 0, 0)
    (tmp_path / "a.yaml").unlink()
    write_files(tmp_path, b="name: b\nslo: 5\nversion: [1]\n")
    done = load_products(graph, tmp_path, complete=True)
    assert [str(error) for error in done.refused] == [
        "b.yaml:2: slo: found 5; accepted is a mapping",
        "b.yaml:3: version: found a list of 1; accepted is a text",
    ]
    assert (count_outcomes(done), done.kept) == ((1, 1, 0, 0, 1), 1)
    assert read_attribute(graph, model.build_data_product_key("b"), "slo") == {"freshness": {"text": "1h", "seconds": 3600}}
    with pytest.raises(InvalidInput, match=r"b\.yaml:2"):
        load_products(graph, tmp_path, strict=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n", "p.yaml:1: this is not a known kind of data product; accepted are"),
        ("- a\n", "p.yaml:1: found a list of 1, which is not a data product; accepted are"),
        ("kind: DataProduct\napiVersion: v2.0.0\n", "p.yaml:2: apiVersion: found 'v2.0.0'; accepted are"),
        ("kind: DataContract\n", "p.yaml:1: this is a data contract: `meshline ingest contract` reads it"),
        ("dataProductSpecification: 0.0.1\nslo: {}\n", "p.yaml:1: this is not a known kind of data product"),
        ("slo: {}\n", "p.yaml:1: name is missing"),
        ("name: ''\nslo: {}\n", "p.yaml:1: name is empty; a product needs one"),
        ("kind: DataProduct\napiVersion: v1.0.0\n", "p.yaml:1: id is missing"),
        ("name: a\nslo: {}\nquality_checks: [{suite: x}]\n", "p.yaml:3: quality_checks.0.tool is missing"),
        ("name: a\nname: b\n", "p.yaml:2: the key 'name' is given twice"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    parsed = parse_product(text.encode(), "p.yaml")
    assert parsed.product is None
    assert [str(error)[: len(message)] for error in parsed.refused] == [message]


def test_what_may_be_a_mistake_is_warned_of() -> None:
    parsed = read_product("name: p\nversion: 1.10\nslos: {}\nslo: {freshness: 5}\n")
    assert parsed.product is not None
    assert (parsed.product.version, parsed.product.slo) == ("1.1", (Level("freshness", "5"),))
    assert parsed.warnings == (
        "p.yaml:3: slos: this key is unknown and ignored",
        "p.yaml:2: version is a number, so that 1.10 is read as 1.1; write it in quotes",
    )


def test_one_product_in_two_files_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, a="name: p\nslo: {}\n", b="name: p\nslo: {}\n")
    done = load_products(build_graph(), tmp_path)
    assert [str(error) for error in done.refused] == ["b.yaml: the product p is stated twice; the first file that states it is a.yaml"]
