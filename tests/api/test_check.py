"""`POST /api/v1/check`, `blastRadius`, `productImpact` and `consumersOf` over the small mesh."""

from __future__ import annotations

import re
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from meshline.api.graphql import Bounds
from meshline.app.check import run_check
from meshline.app.check_texts import CheckInput, CheckRequest, File
from meshline.app.parser_process import get_fork_context, open_remote_texts
from meshline.errors import LimitExceeded
from meshline.governance.report import Report
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    EdgeType,
    Json,
    build_column_key,
    build_consumer_key,
    build_data_product_key,
    build_dataset_key,
    build_job_key,
    build_owner_key,
)
from meshline.graph.naming import Naming
from meshline.graph.queries.pages import UNLIMITED
from tests.api.conftest import AskGraph, run_application
from tests.queries import mesh
from tests.queries.mesh import build_asset_statement, build_edge_statement, build_flow, build_run_statement, build_schema_statement

BLAST = """
query($change: ChangeInput!, $mode: CheckMode! = STRICT) {
  blastRadius(change: $change, mode: $mode) {
    verdict mode profile checked warnings
    findings {
      rule verdict text subject subjectKind part before after file line gaps unknown fingerprint
      owners { name } products { name } contracts { name } affected { kind count }
      hits {
        name verdict reach distance masked contractName
        consumer { id ... on Consumer { consumerType } } owners { name } domain { name } path { name masking edgeType type job { name } }
      }
    }
    notify { name reason reach why total contacts assets(first: 1) { name } }
    completeness { possibleOnly truncated }
  }
}
"""
CONTRACT = """
apiVersion: v3.0.2
kind: DataContract
id: revenue-v1
version: 1.0.0
status: active
servers: [{ server: wh, type: mysql, host: warehouse, port: 3306, database: fin }]
schema: [{ name: revenue, properties: [{ name: day, logicalType: date }, { name: total, logicalType: number }] }]
"""
WH = {"mysql://warehouse:3306": "wh"}


def build_check_body(*lines: str) -> dict[str, Any]:
    return {"things": [{"kind": "change", "after": {"name": "words", "text": "\n".join(lines)}}]}


def post_check(client: TestClient, body: Any) -> Any:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return client.post("/api/v1/check", content=content, headers={"Content-Type": "application/json"})


def get_live_graph(client: TestClient) -> LiveGraph:
    found: LiveGraph = client.app.state.service.resources.live  # type: ignore[attr-defined]
    return found


@pytest.fixture
def served(client: TestClient) -> TestClient:
    mesh.commit_statements(get_live_graph(client), *mesh.build_mesh())
    return client


# -- REST


def test_a_check_answers_with_the_report(served: TestClient) -> None:
    answer = post_check(served, build_check_body("drop shop.customers.email"))
    assert answer.status_code == 200, answer.text
    report = msgspec.json.decode(answer.content, type=Report)
    assert (report.verdict, report.passed, report.checked) == ("breaking", False, 1)
    assert [hit.consumer.name for hit in report.findings[0].hits] == ["campaign", "dashboard"]
    assert set(answer.json()["findings"][0]) >= {"fingerprint", "affected", "hits", "gaps"}


def test_in_process_and_over_http_are_one(served: TestClient) -> None:
    body = {
        **build_check_body("drop shop.customers.email", "rename fin.revenue.total to sum"),
        "mode": "usage",
        "profile": "full",
        "failOn": "none",
    }
    here = run_check(get_live_graph(served), Naming(), msgspec.convert(body, CheckRequest))
    assert msgspec.json.decode(post_check(served, body).content, type=Report) == here
    assert here.passed


def test_a_contract_that_is_checked_against_itself_has_no_findings(served: TestClient) -> None:
    file = {"name": "c.yaml", "text": CONTRACT}
    same = {"things": [{"kind": "contract", "before": file, "after": file}], "namespaces": WH}
    assert post_check(served, same).json()["findings"] == []


def test_a_contract_in_two_versions(served: TestClient) -> None:
    after = CONTRACT.replace("{ name: day, logicalType: date }, ", "")
    subject = CheckInput("contract", File("old.yaml", CONTRACT), File("new.yaml", after))
    report = run_check(get_live_graph(served), Naming(), CheckRequest((subject,), namespaces=WH))
    assert [(one.rule, one.file, one.line) for one in report.findings] == [
        ("column-removed", "new.yaml", 8),
        ("major-version-missing", "new.yaml", 5),
    ]
    assert {hit.consumer.name: hit.reach for hit in report.findings[0].hits} == {"dashboard": "POSSIBLE"}


def test_a_waived_finding_passes(served: TestClient) -> None:
    body = build_check_body("drop shop.customers.email")
    fingerprint = post_check(served, body).json()["findings"][0]["fingerprint"]
    expires = datetime.now(UTC).date() + timedelta(days=30)
    waiver = f"- {{ fingerprint: '{fingerprint}', reason: agreed, approver: ann, expires: {expires} }}"
    waived = post_check(served, {**body, "waivers": {"name": "w.yaml", "text": waiver}}).json()
    assert waived["findings"][0]["waived"]["approver"] == "ann"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"nothing", 400, "no check"),
        ({**build_check_body("drop shop.customers.email"), "mode": "loose"}, 400, "mode"),
        ({**build_check_body("drop shop.customers.email"), "more": 1}, 400, "more"),
        (build_check_body("frobnicate x"), 400, "words:1"),
        (build_check_body("drop shop.customers.nothing_here"), 404, "nothing_here"),
        ({"things": [{"kind": "poem", "after": {"name": "p", "text": ""}}]}, 400, "poem"),
        ({"things": [{"kind": "contract"}]}, 400, "neither"),
        ({"things": [{"kind": "contract", "after": {"name": "c.yaml", "text": "a: [1"}}]}, 400, "c.yaml"),
        ({**build_check_body("drop shop.customers.email"), "waivers": {"name": "w.yaml", "text": "- a"}}, 400, "w.yaml"),
        (b'{"things": [{"kind": "change", "after": {"name": "words", "text": "drop \\ud800"}}]}', 400, ""),
        (msgspec.json.encode({"things": [{"kind": "change"}] * 1001}), 400, "1001"),
    ],
)
def test_an_undecided_check_has_no_report(served: TestClient, body: Any, status: int, message: str) -> None:
    answer = post_check(served, body)
    assert answer.status_code == status, answer.text
    assert message in answer.json()["error"]["message"]


def test_a_body_is_bounded() -> None:
    with run_application(max_body_bytes=2000) as client:
        assert post_check(client, build_check_body("drop " + "x" * 3000)).status_code == 413
        assert client.post("/api/v1/check", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415


# -- blastRadius


def test_the_blast_radius_of_a_change_in_words(ask: AskGraph) -> None:
    mesh.commit_statements(ask.graph, build_edge_statement(EdgeType.OWNS, mesh.FINANCE_TEAM, mesh.DASHBOARD))
    found = ask(BLAST, change={"words": ["drop shop.customers.email"]})["blastRadius"]
    (finding,) = found["findings"]
    assert (found["verdict"], found["mode"], found["checked"]) == ("BREAKING", "STRICT", 1)
    assert (finding["rule"], finding["subjectKind"], finding["part"]) == ("column-removed", "table", ["field", "email"])
    campaign, dashboard = finding["hits"]
    assert (campaign["name"], campaign["reach"], campaign["masked"]) == ("campaign", "DIRECT", True)
    assert [step["masking"] for step in campaign["path"]] == [False, True, False]
    assert campaign["path"][1]["job"] == {"name": "load_orders"}
    assert dashboard["consumer"] == {"id": mesh.DASHBOARD.id, "consumerType": "dashboard"}
    assert (dashboard["reach"], dashboard["contractName"], dashboard["owners"]) == ("POSSIBLE", "revenue-v1", [{"name": "team:finance"}])
    assert {one["name"] for one in found["notify"]} == {"campaign", "dashboard", "ann", "team:finance", "team:shop"}
    assert found["completeness"] == {"possibleOnly": 1, "truncated": "NONE"}


def test_the_report_of_a_change_as_markdown_has_names_as_text(ask: AskGraph) -> None:
    mesh.commit_statements(ask.graph, build_edge_statement(EdgeType.OWNS, build_owner_key("@everyone <b>"), mesh.DASHBOARD))
    query = 'query { blastRadius(change: {words: ["drop shop.customers.email"]}) { markdown verdict } }'
    found = ask(query)["blastRadius"]
    assert f"### {found['verdict']}" in found["markdown"]
    assert "campaign" in found["markdown"]
    assert "@everyone <b>" in found["markdown"]  # as code only
    rest = re.sub(r"`[^`]*`", "", found["markdown"])
    assert "@everyone" not in rest
    assert "<b>" not in rest


def test_the_other_inputs(ask: AskGraph) -> None:
    ddl = ask(BLAST, change={"ddl": {"text": "ALTER TABLE fin.revenue DROP COLUMN total"}})["blastRadius"]
    assert [one["rule"] for one in ddl["findings"]] == ["column-removed"]
    contract = {"before": CONTRACT, "after": CONTRACT.replace("1.0.0", "2.0.0").replace("name: total", "name: sum")}
    rules = [one["rule"] for one in ask(BLAST, change={"contract": contract})["blastRadius"]["findings"]]
    assert "column-removed" in rules
    assert "major-version-missing" not in rules


def test_a_change_must_be_named(ask: AskGraph) -> None:
    assert ask.get_error_code(BLAST, change={}) == "INVALID_INPUT"
    assert ask.get_error_code(BLAST, change={"words": ["drop nothing.at.all"]}) == "NOT_FOUND"
    assert ask.get_error_code("{ productImpact { products { reach } } }") == "INVALID_INPUT"
    assert ask.get_error_code("query($of: ID!) { consumersOf(product: $of) { reached { reach } } }", of=mesh.EMAIL.id) == "INVALID_INPUT"


def test_an_answer_is_bounded(ask: AskGraph) -> None:
    small = AskGraph(ask.graph, Bounds(objects=5))
    assert small.get_error_code(BLAST, change={"words": ["drop shop.customers.email"]}) == "LIMIT_EXCEEDED"


# -- products

IMPACT = """
query($change: ChangeInput, $of: [ID!]) {
  productImpact(change: $change, of: $of) {
    products { product { name } verdict reach distance masked freshness { standing promised text } }
    lostPromises { product { name } now { standing text } then { standing least text worst { name } } }
  }
}
"""
PRODUCT = """
name: orders
domain: commerce
owner: team:shop
version: "{version}"
slo: {{ freshness: {freshness} }}
output_ports: []
"""


@pytest.fixture
def promising(ask: AskGraph) -> AskGraph:
    slo: dict[str, Json] = {"freshness": {"text": "1h", "seconds": 3600}}
    port = build_edge_statement(
        EdgeType.PORT, mesh.REVENUE_PRODUCT, mesh.ORDERS, direction="input", refresh="hourly", at=mesh.START + mesh.SECOND
    )
    mesh.commit_statements(ask.graph, build_asset_statement(mesh.ORDERS_PRODUCT, slo=slo, version="1.0.0"), port)
    return ask


def test_products_that_a_change_breaks(promising: AskGraph) -> None:
    found = promising(IMPACT, change={"words": ["drop sales.orders.email_hash"]})["productImpact"]
    assert [(one["product"]["name"], one["verdict"], one["reach"]) for one in found["products"]] == [
        ("orders", "BREAKING", "DIRECT"),
        ("revenue", "BREAKING", "DIRECT"),
    ]
    assert found["lostPromises"] == []
    assert found["products"][1]["freshness"]["promised"] == 86400


def test_promises_that_no_longer_hold(promising: AskGraph) -> None:
    change = {"product": {"before": PRODUCT.format(version="1", freshness="1h"), "after": PRODUCT.format(version="2", freshness="30h")}}
    (lost,) = promising(IMPACT, change=change)["productImpact"]["lostPromises"]
    assert lost["product"]["name"] == "revenue"
    assert (lost["now"]["standing"], lost["then"]["standing"], lost["then"]["least"]) == ("FEASIBLE", "INFEASIBLE", 31 * 3600)
    assert lost["then"]["worst"] == {"name": "sales.orders"}
    assert "1d 6h + 1h = 1d 7h" in lost["then"]["text"]


def test_products_that_depend_on_assets(promising: AskGraph) -> None:
    found = promising(IMPACT, of=[mesh.ORDERS.id])["productImpact"]["products"]
    assert [(one["product"]["name"], one["verdict"]) for one in found] == [("orders", None), ("revenue", None)]


def test_consumers_of_a_product_are_distinguished(ask: AskGraph) -> None:
    inner, later = build_dataset_key("wh", "sales.inner"), build_dataset_key("wh", "sales.later")
    mesh.commit_statements(
        ask.graph,
        build_asset_statement(mesh.ORDERS_PRODUCT, members=["wh/sales.inner"]),
        build_schema_statement(inner, "x"),
        build_edge_statement(EdgeType.CONSUMES, build_consumer_key("whole"), mesh.ORDERS_PRODUCT, contract="c"),
        build_edge_statement(EdgeType.CONSUMES, build_consumer_key("within"), inner),
        build_edge_statement(EdgeType.CONSUMES, build_consumer_key("after"), later),
        build_schema_statement(later, "t"),
        build_run_statement(
            build_job_key("etl", "later"),
            [mesh.ORDERS],
            later,
            build_flow(build_column_key(mesh.ORDERS, "total"), build_column_key(later, "t")),
        ),
    )
    found = ask(
        """query($of: ID!) { consumersOf(product: $of) {
          product { name }
          directly { consumer { name } contractName } throughPorts { consumer { name } asset { name } } inside { consumer { name } }
          reached { consumer { name } reach distance via { asset { name } } uses { asset { name } contractName } }
        } }""",
        of=build_data_product_key("orders").id,
    )["consumersOf"]
    assert found["directly"] == [{"consumer": {"name": "whole"}, "contractName": "c"}]
    assert found["throughPorts"] == [{"consumer": {"name": "campaign"}, "asset": {"name": "email_hash"}}]
    assert found["inside"] == [{"consumer": {"name": "within"}}]
    assert [(one["consumer"]["name"], one["reach"], one["distance"]) for one in found["reached"]] == [
        ("after", "POSSIBLE", 1),
        ("dashboard", "POSSIBLE", 1),
    ]
    assert found["reached"][1]["uses"] == [{"asset": {"name": "fin.revenue"}, "contractName": "revenue-v1"}]


def test_texts_that_take_too_much_memory_to_parse() -> None:
    graph = mesh.build_graph(*mesh.build_mesh())
    wide = "CREATE VIEW v AS SELECT a FROM t WHERE a IN (" + ",".join(map(str, range(200_000))) + ")"
    asked = CheckRequest(inputs=(CheckInput("ddl", None, File("a.sql", wide), {"dialect": "postgres"}),))
    with (
        open_remote_texts(graph, Naming(), asked, UNLIMITED, memory=30_000_000) as texts,
        pytest.raises(LimitExceeded, match="too much memory"),
    ):
        texts.read_difference()
    graph.store.close()


def test_an_interrupt_of_the_server_is_not_one_of_the_process_that_parses() -> None:
    """It reaches both from a terminal; in the second that the imports take, it ended them with tracebacks."""
    process = get_fork_context().Process(target=signal.raise_signal, args=(signal.SIGINT,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, []), "it is one of the server"
