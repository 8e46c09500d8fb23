"""What a change means: the rule's verdict, who is hit, and what the graph does not know."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from meshline.governance.changes import Change, Subject, SubjectKind
from meshline.governance.gate import FailOn, Mode, VersionChange, decide
from meshline.governance.report import Waived
from meshline.governance.rules import RULES, Profile
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    EdgeType,
    build_column_key,
    build_consumer_key,
    build_contract_key,
    build_dataset_key,
    build_job_key,
    build_owner_key,
)
from tests.governance.verdicts import build_change, build_report, describe_hits, judge_change, judge_modes
from tests.queries import mesh
from tests.queries.mesh import (
    CAMPAIGN,
    CUSTOMERS,
    DASHBOARD,
    EMAIL,
    HASH,
    ORDERS,
    REVENUE,
    build_edge_statement,
    build_run_statement,
    build_schema_statement,
)


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    found = mesh.build_graph(*mesh.build_mesh())
    yield found
    found.store.close()


def test_a_removed_column_breaks_all_reached_consumers(graph: LiveGraph) -> None:
    found = judge_change(graph, build_change("column-removed", EMAIL))
    assert (found.verdict, found.text) == ("breaking", "`email` is removed")
    assert describe_hits(found) == {"campaign": "breaking DIRECT 1 masked", "dashboard": "breaking POSSIBLE 2 masked"}
    assert [asset.name for asset in found.owners] == ["ann"]
    assert {name: found.affected[name] for name in ("columns", "consumers", "jobs")} == {"columns": 2, "consumers": 2, "jobs": 3}
    assert [asset.name for asset in found.products] == ["orders", "revenue"]


def test_a_hit_has_its_path_its_contract_and_its_owner(graph: LiveGraph) -> None:
    mesh.commit_statements(graph, build_edge_statement(EdgeType.OWNS, mesh.FINANCE_TEAM, DASHBOARD))
    campaign, dashboard = judge_change(graph, build_change("column-removed", EMAIL)).hits
    assert [(step.asset.name, step.edge, step.masking) for step in campaign.path] == [
        ("email", "", False),
        ("email_hash", "FLOWS_TO", True),
        ("campaign", "CONSUMES", False),
    ]
    assert campaign.path[1].job is not None
    assert campaign.path[1].job.name == "load_orders"
    assert campaign.contract == ""
    assert dashboard.contract == "revenue-v1"
    assert [owner.name for owner in dashboard.owners] == ["team:finance"]
    assert dashboard.domain is not None
    assert dashboard.domain.name == "finance"


def test_the_owner_of_a_contract_in_force_owns_what_it_governs(graph: LiveGraph) -> None:
    keeper, promise = build_owner_key("keeper"), build_contract_key("customers-v1")
    mesh.commit_statements(
        graph,
        build_edge_statement(EdgeType.OWNS, keeper, promise),
        build_edge_statement(EdgeType.GOVERNS, promise, CUSTOMERS, status="active"),
    )
    one = build_change("column-removed", build_column_key(CUSTOMERS, "name"))
    assert [asset.name for asset in judge_change(graph, one).owners] == ["keeper"]
    why = {notice.recipient.name: notice.why for notice in build_report(graph, one).notify if notice.reason == "OWNS"}
    assert why["keeper"].startswith("owns pg/shop.customers.name (by contract customers-v1)")


def test_a_contract_that_governs_what_is_used_covers_it(graph: LiveGraph) -> None:
    mesh.commit_statements(graph, build_edge_statement(EdgeType.GOVERNS, build_contract_key("orders-v1"), ORDERS))
    found = judge_change(graph, build_change("column-removed", HASH))
    assert {hit.consumer.name: hit.contract for hit in found.hits} == {"campaign": "orders-v1", "dashboard": "revenue-v1"}


def test_readers_of_a_change_that_hits_writers_get_their_own_verdict(graph: LiveGraph) -> None:
    found = judge_change(graph, build_change("column-required", EMAIL))
    assert (found.verdict, found.side) == ("conditional", "writer")
    assert {hit.verdict for hit in found.hits} == {"compatible"}


@pytest.mark.parametrize("rule", [rule for rule in RULES if "column" in rule and rule.endswith("-added")])
def test_a_new_column_need_not_be_known(graph: LiveGraph, rule: str) -> None:
    assert judge_change(graph, build_change(rule, build_column_key(ORDERS, "brand_new"))).unknown == ()


def test_unknown_assets_are_named_and_never_relaxed(graph: LiveGraph) -> None:
    one = build_change("column-removed", build_column_key(ORDERS, "nothing_of_this_name"))
    assert judge_modes(graph, one) == ("breaking", "breaking")
    found = judge_change(graph, one)
    assert found.unknown == ("wh/sales.orders.nothing_of_this_name",)
    assert "the graph does not contain wh/sales.orders.nothing_of_this_name" in found.gaps


def test_a_column_of_a_dataset_without_listed_columns_reaches_what_the_dataset_does(graph: LiveGraph) -> None:
    after = build_dataset_key("wh", "fin.board")
    printing = build_run_statement(build_job_key("airflow", "print"), [mesh.REPORT], after, covered=False)
    mesh.commit_statements(graph, printing, build_edge_statement(EdgeType.CONSUMES, build_consumer_key("board"), after))
    found = judge_change(graph, build_change("column-removed", build_column_key(mesh.REPORT, "total")))
    assert found.unknown == ("wh/fin.report.total",)
    assert describe_hits(found) == {"board": "breaking POSSIBLE 1"}


def test_a_nested_column_that_is_not_known_is_looked_for_by_the_column_around_it(graph: LiveGraph) -> None:
    one = build_change("column-removed", build_column_key(ORDERS, "email_hash.salt.value"))
    found = judge_change(graph, one)
    assert (found.unknown, found.verdict) == ((), "breaking")
    assert describe_hits(found) == {"campaign": "breaking POSSIBLE 0", "dashboard": "breaking POSSIBLE 1"}
    assert {notice.reach for notice in build_report(graph, one).notify if notice.reason == "CONSUMES"} == {"POSSIBLE"}


def test_a_consumer_bound_by_a_promise_is_affected_without_lineage(graph: LiveGraph) -> None:
    one = build_change("column-removed", build_column_key(CUSTOMERS, "id"), consumers=(CAMPAIGN, build_consumer_key("unregistered")))
    found = judge_change(graph, one)
    assert describe_hits(found) == {"campaign": "breaking BOUND 0", "unregistered": "breaking BOUND 0"}
    assert [hit.consumer.id for hit in found.hits] == [CAMPAIGN.id, ""]
    bound = [notice for notice in build_report(graph, one).notify if notice.reach == "BOUND"]
    assert [notice.recipient.name for notice in bound] == ["campaign", "unregistered"]


def test_the_report_names_recipients_and_their_contacts(graph: LiveGraph) -> None:
    notices = build_report(graph, build_change("column-removed", build_column_key(ORDERS, "total"))).notify
    assert [(one.recipient.name, one.reason, one.reach) for one in notices] == [
        ("dashboard", "CONSUMES", "POSSIBLE"),
        ("team:shop", "OWNS", "DIRECT"),
        ("team:finance", "OWNS", "DIRECT"),
    ]
    assert notices[2].contacts == {"contact": "finance@example.org"}
    assert not build_report(graph, build_change("column-added", build_column_key(ORDERS, "total"))).notify
    assert build_report(graph, build_change("column-deprecated", build_column_key(ORDERS, "total"))).notify


def test_the_verdict_of_the_report_is_the_worst_and_fail_on_decides_what_passes(graph: LiveGraph) -> None:
    breaking, conditional = build_change("column-removed", EMAIL), build_change("bound-loosened", HASH)
    assert build_report(graph).verdict == "compatible"
    both = build_report(graph, conditional, breaking)
    assert [found.verdict for found in both.findings] == ["breaking", "conditional"]
    assert (both.verdict, both.passed, both.checked) == ("breaking", False, 2)
    assert build_report(graph, conditional).passed
    assert not build_report(graph, conditional, fail_on=FailOn.CONDITIONAL).passed
    assert build_report(graph, breaking, fail_on=FailOn.NONE).passed


def test_profiles_think_differently_and_full_is_the_stricter(graph: LiveGraph) -> None:
    added = build_change("enum-value-added", build_column_key(ORDERS, "day"))
    assert [judge_change(graph, added, profile=profile).verdict for profile in Profile] == ["compatible", "breaking", "breaking"]


def test_a_change_that_is_given_twice_is_one_finding(graph: LiveGraph) -> None:
    assert len(build_report(graph, build_change("column-removed", EMAIL), build_change("column-removed", EMAIL)).findings) == 1


# -- versions


def build_promise_change(rule: str) -> Change:
    return Change(
        rule, Subject(SubjectKind.CONTRACT, "revenue-v1", ("model", "revenue", "field", "day")), assets=(build_column_key(REVENUE, "day"),)
    )


@pytest.mark.parametrize(
    ("before", "after", "missing"),
    [
        ("1.2.0", "1.3.0", True),
        ("1.2.0", "2.0.0", False),
        ("1.2.0", "1.2.0", True),
        ("", "", True),
        ("v1", "v2", False),
        ("2.0", "1.9", True),
    ],
)
def test_breaking_changes_need_a_major_version(graph: LiveGraph, before: str, after: str, *, missing: bool) -> None:
    versions = {(SubjectKind.CONTRACT, "revenue-v1"): VersionChange(before, after, "revenue.yaml", 3)}
    found = build_report(graph, build_promise_change("column-removed"), versions=versions).findings
    assert ("major-version-missing" in [one.rule for one in found]) is missing
    assert all((one.file, one.line) == ("revenue.yaml", 3) for one in found if one.rule == "major-version-missing")
    assert len(build_report(graph, build_promise_change("column-deprecated"), versions=versions).findings) == 1


def test_where_all_that_is_breaking_is_waived_no_version_is_missing(graph: LiveGraph) -> None:
    versions = {(SubjectKind.CONTRACT, "revenue-v1"): VersionChange("1", "1")}
    found = build_report(graph, build_promise_change("column-removed"), build_promise_change("owner-removed"), versions=versions)
    waived = Waived(reason="agreed", approver="ann", expires="2030-01-01")

    def waive_rules(*rules: str) -> list[str]:
        findings = tuple(replace(one, waived=waived if one.rule in rules else None) for one in found.findings)
        return sorted(one.rule for one in decide(replace(found, findings=findings)).findings)

    assert waive_rules("column-removed") == ["column-removed", "major-version-missing", "owner-removed"]
    assert waive_rules("column-removed", "owner-removed") == ["column-removed", "owner-removed"]
    assert decide(found).verdict == "breaking"


# -- since


def test_the_report_lists_what_changed_in_the_lineage_since_a_time(graph: LiveGraph) -> None:
    later = mesh.START + 3600 * mesh.SECOND
    other = build_dataset_key("wh", "fin.extra")
    flow = mesh.build_flow(build_column_key(REVENUE, "day"), build_column_key(other, "day"))
    mesh.commit_statements(
        graph,
        build_schema_statement(other, "day"),
        build_run_statement(build_job_key("airflow", "extra"), [REVENUE], other, flow, at=later),
    )
    found = build_report(
        graph, build_change("column-removed", build_column_key(REVENUE, "day")), since=mesh.START + mesh.SECOND, now=later
    ).lineage
    assert found is not None
    assert (found.added, found.removed) == (1, 0)
    assert [(flow.start.name, flow.end.name, flow.job and flow.job.name) for flow in found.flows] == [("day", "day", "extra")]
    assert build_report(graph, build_change("column-removed", EMAIL), mode=Mode.STRICT).lineage is None
