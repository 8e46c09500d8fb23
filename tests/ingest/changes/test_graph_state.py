"""The contents of the graph are read back as they were stated."""

from __future__ import annotations

import pytest

from meshline.errors import Ambiguous, NotFound
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.contracts import Product
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, EdgeFact, EdgeType, Facts, Statement
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.changes import GraphState
from meshline.ingest.changes.graph_state import build_graph_state
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.products.formats import parse_product
from tests.ingest.changes.conftest import EXAMPLE
from tests.ingest.changes.proposals import CUSTOMER_ORDERS, CUSTOMERS, LAKE, SHARED


def test_a_table_of_a_catalog(known: GraphState) -> None:
    found = known.find_definition(CUSTOMER_ORDERS)
    assert found is not None
    value = found.value
    assert (value.model.name, value.format, value.kind, value.partitioning) == (
        CUSTOMER_ORDERS.qualified_name,
        "iceberg",
        "table",
        ("days(created_at)",),
    )
    assert [(one.name, one.id) for one in value.model.fields][:3] == [("order_id", "1"), ("customer_id", "2"), ("customer_email", "3")]
    assert found.datasets == {"": (CUSTOMER_ORDERS,)}


def test_a_table_by_any_of_its_names(known: GraphState) -> None:
    shared = known.find_definition(SHARED)
    assert shared is not None
    assert shared.value.format == "delta"
    assert known.find_definition(model.build_dataset_key("file", "/warehouse/customers/customers")) == known.find_definition(CUSTOMERS)
    assert known.find_definition(model.build_dataset_key("x", "nowhere")) is None
    assert known.find_definition(model.build_contract_key("customer-orders-contract-v2")) is None


def test_names_are_resolved(known: GraphState) -> None:
    assert known.resolve("customers.customers.email") == model.build_column_key(CUSTOMERS, "email")
    with pytest.raises(NotFound, match="did you mean"):
        known.resolve("customers.customers.emial")
    with pytest.raises(Ambiguous):
        known.resolve("orders.customer_orders.total_amount")


@pytest.mark.parametrize("file", ["customer-orders.yaml", "finance-marts.odps.yaml"])
def test_a_product_is_read_back_as_its_file_states_it(known: GraphState, file: str) -> None:
    parsed = parse_product((EXAMPLE / "products" / file).read_bytes(), file).product
    assert parsed is not None
    found = known.find_product(parsed.name)
    assert found is not None
    assert remove_order(found.value) == remove_order(parsed)
    assert set(found.datasets) >= {
        f"output/{port.name or port.type or port.contract or port.endpoint}"
        for port in parsed.ports
        if port.direction == "output" and port.name
    }
    assert all(keys for keys in found.datasets.values())


def remove_order(product: Product) -> object:
    """Without what edges do not keep: the order of ports, and tags, which are the dataset's."""
    ports = sorted((port.direction, port.name, port.type, port.endpoint, port.contract, port.version) for port in product.ports)
    values = (product.name, product.id, product.version, product.status, product.standard, product.title, product.domain)
    return (*values, sorted(one.name for one in product.slo), sorted(party.name for party in product.owners), ports, product.pii_columns)


def test_a_product_that_only_the_mesh_file_states(known: GraphState) -> None:
    assert known.find_product("none") is None
    found = known.find_product("customer-profiles")
    assert found is not None
    assert [party.name for party in found.value.owners] == ["customers-engineering"]
    assert found.value.domain == "customers"
    assert {port.direction for port in found.value.ports} == {"input", "output"}
    assert all(keys for keys in found.datasets.values())


def test_a_view_has_its_query_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    view = model.build_dataset_key("trino://t", "a.b.v")
    facts = Facts(
        assets=(
            AssetFact(view, {"dataset_type": "VIEW", "sql": "CREATE OR REPLACE VIEW v AS SELECT a FROM t WHERE b", "dialect": "trino"}),
        ),
        edges=(EdgeFact(EdgeType.HAS_COLUMN, view, model.build_column_key(view, "a"), {"position": 1}),),
    )
    script = AssetFact(view, {"dialect": "trino"})
    store = SqliteStore(str(tmp_path_factory.mktemp("view") / "mesh.db"))
    live = LiveGraph.open(store)
    statements = [
        Statement("sql/x", ("sql", *view.parts), 1, encode_facts(facts)),
        Statement("sql/x", ("other",), 1, encode_facts(Facts((script,)))),
    ]
    live.commit(lambda _: Batch(statements=statements))
    naming = Naming()
    found = build_graph_state(live, naming, Context(naming, EXAMPLE)).find_definition(view)
    store.close()
    assert found is not None
    assert (found.value.sql, found.value.dialect, found.value.format, found.value.kind) == (
        "SELECT a FROM t WHERE b",
        "trino",
        "trino",
        "view",
    )
    assert found.value.model.fields[0].required is None


def test_statements_are_listed_with_their_sources(known: GraphState) -> None:
    statements = known.list_statements(CUSTOMER_ORDERS)
    assert statements[0][0] == "iceberg/lake"
    assert {entry.scope[0] for _, entry in statements} >= {"iceberg"}
    assert known.list_names(CUSTOMER_ORDERS) != (CUSTOMER_ORDERS,)
    assert known.list_statements(model.build_dataset_key(LAKE, "no.where")) == ()
