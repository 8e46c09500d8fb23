"""A small mesh as statements, which the tests of the queries and of the schema read.

    pg/customers --load--> wh/orders --sum--> wh/revenue --(columns unknown)--> wh/report

customers.email reaches orders.email_hash through a mask; customers.name filters the rows of orders.
"""

from __future__ import annotations

from collections.abc import Iterable

from meshline.graph.content import EMPTY, encode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    JOB_OUTPUT,
    AssetFact,
    AssetKey,
    EdgeFact,
    EdgeType,
    Facts,
    Flow,
    FlowType,
    Json,
    Scope,
    Statement,
    build_column_key,
    build_consumer_key,
    build_contract_key,
    build_data_product_key,
    build_dataset_key,
    build_domain_key,
    build_job_key,
    build_owner_key,
)
from meshline.graph.store.base import Batch
from meshline.graph.store.sqlite import SqliteStore

LINEAGE = "openlineage/test"
MESH = "mesh/test"
SECOND = 1_000_000
START = 1_700_000_000 * SECOND

CUSTOMERS = build_dataset_key("pg", "shop.customers")
ORDERS = build_dataset_key("wh", "sales.orders")
REVENUE = build_dataset_key("wh", "fin.revenue")
REPORT = build_dataset_key("wh", "fin.report")
EMAIL = build_column_key(CUSTOMERS, "email")
HASH = build_column_key(ORDERS, "email_hash")
LOAD = build_job_key("airflow", "load_orders")
SUM = build_job_key("airflow", "sum_revenue")
SEND = build_job_key("airflow", "send_report")
COMMERCE, FINANCE, COMPANY = build_domain_key("commerce"), build_domain_key("finance"), build_domain_key("company")
ORDERS_PRODUCT, REVENUE_PRODUCT = build_data_product_key("orders"), build_data_product_key("revenue")
DASHBOARD, CAMPAIGN = build_consumer_key("dashboard"), build_consumer_key("campaign")
SHOP_TEAM, FINANCE_TEAM, ANN = build_owner_key("team:shop"), build_owner_key("team:finance"), build_owner_key("ann")


def build_statement(source: str, scope: Scope, facts: Facts, at: int = START) -> Statement:
    return Statement(source, scope, at, encode_facts(facts))


def build_retraction(source: str, scope: Scope, at: int) -> Statement:
    return Statement(source, scope, at, EMPTY)


def build_asset_statement(key: AssetKey, source: str = MESH, at: int = START, **attributes: Json) -> Statement:
    return build_statement(source, ("about", key.id, *attributes), Facts(assets=(AssetFact(key, attributes),)), at)


def build_edge_statement(
    type_: EdgeType, start: AssetKey, end: AssetKey, source: str = MESH, at: int = START, **attributes: Json
) -> Statement:
    return build_statement(source, ("edge", type_, start.id, end.id), Facts(edges=(EdgeFact(type_, start, end, attributes),)), at)


def build_schema_statement(dataset: AssetKey, *names: str, source: str = LINEAGE, at: int = START) -> Statement:
    edges = tuple(
        EdgeFact(EdgeType.HAS_COLUMN, dataset, build_column_key(dataset, name), {"position": n}) for n, name in enumerate(names, 1)
    )
    assets = tuple(AssetFact(build_column_key(dataset, name), {"type": "string"}) for name in names)
    return build_statement(source, ("dataset", *dataset.parts, "schema"), Facts(edges=edges, assets=assets), at)


def build_run_statement(
    job: AssetKey, inputs: Iterable[AssetKey], output: AssetKey, *flows: Flow, at: int = START, covered: bool = True
) -> Statement:
    inputs = tuple(inputs)
    edges = (*(EdgeFact(EdgeType.READS, job, of) for of in inputs), EdgeFact(EdgeType.WRITES, job, output))
    pairs = tuple(Flow(of, output, covered=covered, job=job) for of in inputs)
    facts = Facts(edges=edges, flows=(*pairs, *(flow._replace(job=job) for flow in flows)))
    return build_statement(LINEAGE, (JOB_OUTPUT, *job.parts, *output.parts), facts, at)


def build_flow(start: AssetKey, end: AssetKey, subtype: str = "IDENTITY", *, masking: bool = False) -> Flow:
    type_ = FlowType.INDIRECT if subtype in {"FILTER", "JOIN", "GROUP_BY", "SORT"} else FlowType.DIRECT
    return Flow(start, end, type_, subtype, masking)


def build_mesh() -> list[Statement]:
    return [
        build_schema_statement(CUSTOMERS, "id", "email", "name"),
        build_schema_statement(ORDERS, "id", "email_hash", "total", "day"),
        build_schema_statement(REVENUE, "day", "total"),
        build_run_statement(
            LOAD,
            [CUSTOMERS],
            ORDERS,
            build_flow(build_column_key(CUSTOMERS, "id"), build_column_key(ORDERS, "id")),
            build_flow(EMAIL, HASH, "TRANSFORMATION", masking=True),
            build_flow(build_column_key(CUSTOMERS, "name"), ORDERS, "FILTER"),
        ),
        build_run_statement(
            SUM,
            [ORDERS],
            REVENUE,
            build_flow(build_column_key(ORDERS, "day"), build_column_key(REVENUE, "day")),
            build_flow(build_column_key(ORDERS, "total"), build_column_key(REVENUE, "total"), "AGGREGATION"),
            build_flow(HASH, build_column_key(REVENUE, "total"), "AGGREGATION"),
        ),
        build_run_statement(SEND, [REVENUE], REPORT, covered=False),
        build_edge_statement(EdgeType.PART_OF, ORDERS_PRODUCT, COMMERCE),
        build_edge_statement(EdgeType.PART_OF, REVENUE_PRODUCT, FINANCE),
        build_edge_statement(EdgeType.PART_OF, FINANCE, COMPANY),
        build_edge_statement(EdgeType.PORT, ORDERS_PRODUCT, ORDERS, direction="output", type="table", format="iceberg"),
        build_edge_statement(EdgeType.PORT, REVENUE_PRODUCT, ORDERS, direction="input"),
        build_edge_statement(EdgeType.PORT, REVENUE_PRODUCT, REVENUE, direction="output"),
        build_edge_statement(EdgeType.OWNS, SHOP_TEAM, COMMERCE, type="technical"),
        build_edge_statement(EdgeType.OWNS, FINANCE_TEAM, REVENUE_PRODUCT, type="business"),
        build_edge_statement(EdgeType.OWNS, ANN, EMAIL, type="steward"),
        build_edge_statement(EdgeType.CONSUMES, DASHBOARD, REVENUE, purpose="the board's numbers", contract="revenue-v1"),
        build_edge_statement(EdgeType.CONSUMES, CAMPAIGN, HASH, purpose="matching"),
        build_edge_statement(EdgeType.GOVERNS, build_contract_key("revenue-v1"), REVENUE, version="1", status="active"),
        build_asset_statement(EMAIL, description="Where the customer is written to", tags=["pii", "class=secret"]),
        build_asset_statement(EMAIL, source=LINEAGE, at=START + SECOND, description="from a producer", tags=["pii", "gdpr"]),
        build_asset_statement(ORDERS, description="One row for each order"),
        build_asset_statement(FINANCE_TEAM, title="Finance", contact="finance@example.org", owner_type="team"),
        build_asset_statement(DASHBOARD, title="Board dashboard", consumer_type="dashboard"),
        build_asset_statement(REVENUE_PRODUCT, title="Revenue", slo={"freshness": "1d"}),
    ]


def build_graph(*statements: Statement) -> LiveGraph:
    """A graph in memory with these statements."""
    graph = LiveGraph.open(SqliteStore())
    commit_statements(graph, *statements)
    return graph


def commit_statements(graph: LiveGraph, *statements: Statement) -> None:
    graph.commit(lambda _: Batch(statements=statements))


def list_names(graph: LiveGraph, nodes: Iterable[int]) -> list[str]:
    return [graph.index.assets.get_key(node).qualified_name for node in nodes]


def get_node(graph: LiveGraph, key: AssetKey) -> int:
    found = graph.index.assets.find_by_key(key)
    assert found is not None, key
    return found
