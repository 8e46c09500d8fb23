"""The gate on the example mesh, read from all its sources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from meshline.app.check import run_check
from meshline.app.check_texts import CheckInput, CheckRequest, File
from meshline.app.policy_service import PolicyService
from meshline.cli.store import OpenGraph, open_graph
from meshline.governance.gate import Mode
from meshline.governance.report import Finding, Report
from meshline.graph.content import encode_facts
from meshline.graph.model import EdgeFact, EdgeType, Facts, Flow, build_job_key, get_current_micros
from meshline.graph.queries.impact import compute_impact
from meshline.graph.queries.impact_recipients import NoticeReason, list_notices
from meshline.graph.queries.resolve import resolve_name
from meshline.graph.what_if import SupposedStatement, suppose_statements
from tests.cli.command import EXAMPLE, run_successfully

CONTRACT = (EXAMPLE / "contracts" / "customer_orders_v2.yaml").read_text(encoding="utf-8")
PRODUCT = (EXAMPLE / "products" / "customer-orders.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenGraph]:
    store = f"sqlite:///{tmp_path_factory.mktemp('gate')}/mesh.db"
    run_successfully("sync", EXAMPLE / "mesh.yaml", "--store", store)
    with open_graph(store) as found:
        yield found


def check_sentence(graph: OpenGraph, text: str, **options: Any) -> Report:
    return run_check(graph.graph, graph.naming, CheckRequest((CheckInput("change", None, File("words", text)),), **options))


def check_contract(graph: OpenGraph, after: str, **options: Any) -> Report:
    given = CheckInput("contract", File("old.yaml", CONTRACT), File("customer_orders_v2.yaml", after))
    return run_check(graph.graph, graph.naming, CheckRequest((given,), **options))


def get_finding(report: Report, rule: str) -> Finding:
    (found,) = [one for one in report.findings if one.rule == rule]
    return found


def test_renaming_the_email_of_customers_is_breaking(graph: OpenGraph) -> None:
    report = check_sentence(graph, "rename customers.customers.email to mail")
    found = get_finding(report, "column-renamed")
    assert (report.verdict, report.passed, found.verdict) == ("breaking", False, "breaking")
    hits = {hit.consumer.name: hit for hit in found.hits}
    assert {name for name, hit in hits.items() if hit.reach == "DIRECT" and not hit.masked} == {
        "support-desk",
        "campaign-mailer",
        "receipt-mailer",
    }
    masked = hits["analytics-bi"]
    assert (masked.reach, masked.masked) == ("DIRECT", True)
    assert [step.asset.name for step in masked.path if step.masking] == ["buyer_key"]
    assert [step.asset.name for step in hits["receipt-mailer"].path] == ["email", "customer_email", "receipt_email", "receipt-mailer"]
    assert hits["campaign-mailer"].contract == "campaign-audience-contract-v1"
    assert {owner.name for owner in found.owners} == {"customers-engineering", "data-protection"}
    notices = {notice.recipient.name: notice for notice in report.notify}
    assert notices["data-protection"].contacts == {"email": "dpo@company.com", "slack": "#data-protection"}
    assert notices["data-protection"].assets[0].name == "email"
    assert notices["customers-engineering"].reason == "OWNS"
    assert {one.name for one in found.contracts} == {"campaign-audience-contract-v1", "customer-orders-contract-v2"}


def test_the_gate_notifies_owners_of_the_changed_column_besides_the_recipients_of_its_impact(graph: OpenGraph) -> None:
    index = graph.graph.index
    email = resolve_name(index, graph.graph.store, graph.naming, "customers.customers.email")
    impact = {(index.assets.get_key(one.recipient).name, one.reason) for one in list_notices(compute_impact(index, [email]))}
    report = {(one.recipient.name, one.reason) for one in check_sentence(graph, "drop customers.customers.email").notify}
    owners = {(index.assets.get_key(one.owner).name, NoticeReason.OWNS) for one in index.ownership.list_owners(email)}
    assert report - impact == owners == {("data-protection", NoticeReason.OWNS)}
    assert impact - report == set()


def test_what_finance_reads_is_covered_by_its_contract(graph: OpenGraph) -> None:
    for report in (
        check_sentence(graph, "drop delta.orders.customer_orders.total_amount"),
        check_contract(graph, CONTRACT.replace("total_amount", "amount_total")),
    ):
        hits = {hit.consumer.name: (hit.verdict, hit.contract) for hit in get_finding(report, "column-removed").hits}
        assert hits["finance-analytics"] == ("breaking", "customer-orders-contract-v2")


def test_a_breaking_contract_needs_a_new_major_version(graph: OpenGraph) -> None:
    after = CONTRACT.replace("total_amount", "amount_total")
    missing = get_finding(check_contract(graph, after), "major-version-missing")
    assert (missing.before, missing.after, missing.file) == ("2.1.0", "2.1.0", "customer_orders_v2.yaml")
    assert after.splitlines()[missing.line - 1].lstrip().startswith("version")
    raised = check_contract(graph, after.replace("2.1.0", "3.0.0"))
    assert "major-version-missing" not in {one.rule for one in raised.findings}


def test_formatting_changes_nothing(graph: OpenGraph) -> None:
    assert check_contract(graph, "# a comment\n" + CONTRACT.replace("\n", "\n\n")).findings == ()


def test_a_column_without_readers_where_all_lineage_is_known_by_column(graph: OpenGraph) -> None:
    strict, usage = (check_sentence(graph, "drop marketing.campaigns.campaign_name", mode=mode) for mode in Mode)
    assert (get_finding(strict, "column-removed").verdict, get_finding(usage, "column-removed").verdict) == ("breaking", "compatible")
    assert (usage.passed, get_finding(usage, "column-removed").gaps) == (True, ())


def test_a_column_is_not_safe_to_drop_with_one_job_without_column_lineage(graph: OpenGraph) -> None:
    campaigns = graph.naming.normalise_dataset("http://iceberg-rest.internal:8181", "marketing.campaigns")
    board, blind = graph.naming.normalise_dataset("file", "/exports/board"), build_job_key("airflow", "board_export")
    edges = (EdgeFact(EdgeType.READS, blind, campaigns), EdgeFact(EdgeType.WRITES, blind, board))
    content = encode_facts(Facts(edges=edges, flows=(Flow(campaigns, board, job=blind),)))
    with suppose_statements(
        graph.graph, [SupposedStatement("openlineage/late", ("job-output", *blind.parts, *board.parts), content)], get_current_micros()
    ) as would:
        given = CheckRequest((CheckInput("change", None, File("words", "drop marketing.campaigns.campaign_name")),), mode=Mode.USAGE)
        found = get_finding(run_check(would, graph.naming, given), "column-removed")
    assert found.verdict == "breaking"
    assert any("airflow/board_export" in gap for gap in found.gaps)


def test_policies_see_the_graph_as_it_would_be(graph: OpenGraph) -> None:
    governing = PolicyService(graph.graph)
    given = CheckRequest((CheckInput("change", None, File("words", "rename customers.customers.email to mail")),))
    report = run_check(graph.graph, graph.naming, given, policies=governing)
    assert "pii-unmasked" in {violation.policy for violation in report.violations}
    assert check_sentence(graph, "rename customers.customers.email to mail").violations == ()


def test_a_promise_that_is_loosened_names_who_counts_on_it(graph: OpenGraph) -> None:
    given = CheckInput("product", File("old.yaml", PRODUCT), File("new.yaml", PRODUCT.replace("freshness: 1h", "freshness: 30h")))
    found = get_finding(run_check(graph.graph, graph.naming, CheckRequest((given,))), "slo-loosened")
    assert found.verdict == "breaking"
    assert "finance-marts: 1d promised; file//warehouse/exports/finance/customer_orders may be 1d 6h old" in found.reason
