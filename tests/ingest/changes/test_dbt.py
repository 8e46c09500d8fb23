"""dbt projects as they are proposed: the example's manifest, and edits of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import pytest

from meshline.errors import InvalidInput
from meshline.governance.diff.table_diff import compare_tables
from meshline.graph.content import EMPTY, decode_facts
from meshline.graph.contracts import Definition, Pair
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import FlowType, build_column_key, build_dataset_key
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.changes import ChangeInput, GraphState, Proposal, Text
from meshline.ingest.changes.dbt import build_proposal
from meshline.ingest.changes.graph_state import build_graph_state
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.dbt.source import Dbt
from meshline.ingest.sources.reading_loader import load_reading
from tests.ingest.changes.conftest import EXAMPLE

TARGET = EXAMPLE / "dbt" / "target"
MANIFEST: dict[str, Any] = json.loads((TARGET / "manifest.json").read_text())
CATALOG = (TARGET / "catalog.json").read_text()
MARTS = "duckdb:///warehouse/marts.duckdb"
REVENUE, LEDGER, PAYMENTS = "model.marts.revenue_daily", "model.marts.buyer_ledger", "model.marts.stg_payments"

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def known(naming: Naming, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphState]:
    """A graph that knows the example's project."""
    store = SqliteStore(str(tmp_path_factory.mktemp("dbt") / "mesh.db"))
    graph = LiveGraph.open(store)
    source = Dbt(name="marts", path=Path("dbt/target"), namespace=MARTS)
    load_reading(graph, source.read(build_context(graph, naming, EXAMPLE, source.source)), 1, strict=True)
    yield build_graph_state(graph, naming, build_context(graph, naming, EXAMPLE, "person/check"))
    store.close()


def propose_edit(known: GraphState, edit: Edit, *, first: Edit | None = None, **options: str) -> Proposal:
    before = deepcopy(MANIFEST)
    if first is not None:
        first(before)
    after = deepcopy(before)
    edit(after)
    old, new = (Text("dbt/target/manifest.json", json.dumps(one).encode()) for one in (before, after))
    return build_proposal(ChangeInput("dbt", old, new, {name.replace("_", "-"): text for name, text in options.items()}), known)


def list_definitions(found: Proposal) -> list[Pair[Definition]]:
    return [cast("Pair[Definition]", pair) for pair in found.pairs]


def list_rules(found: Proposal) -> list[tuple[str, str]]:
    """Each change with what it is of."""
    changes = [change for pair in list_definitions(found) for change in compare_tables(pair)]
    return [(change.rule, "/".join((change.subject.name.rpartition(".")[2], *change.subject.part))) for change in changes]


def edit_node(id_: str, **values: Any) -> Edit:
    return lambda manifest: manifest["nodes"][id_].update(values)


def edit_sql(id_: str, old: str, new: str) -> Edit:
    def edit(manifest: dict[str, Any]) -> None:
        text = manifest["nodes"][id_]["compiled_code"]
        assert old in text
        manifest["nodes"][id_]["compiled_code"] = text.replace(old, new)

    return edit


def remove_sql(manifest: dict[str, Any]) -> None:
    for one in manifest["nodes"].values():
        one["compiled_code"] = None


def test_equal_nodes_are_not_compared(known: GraphState) -> None:
    found = propose_edit(known, lambda manifest: manifest["metadata"].update(generated_at="2027-01-01T00:00:00Z", invocation_id="x"))
    assert found == Proposal((), (), ())
    assert propose_edit(known, edit_node(REVENUE, description="Other words.")).pairs == ()


def test_tables_are_those_that_the_graph_knows(known: GraphState) -> None:
    """Without a namespace: the one under which it knows the project."""
    [pair] = list_definitions(propose_edit(known, edit_sql(REVENUE, "sum(paid_amount)", "max(paid_amount)")))
    assert pair.before is not None
    assert pair.after is not None
    assert pair.before.datasets == pair.after.datasets == {"": (build_dataset_key(MARTS, "marts.finance.revenue_daily"),)}
    assert pair.after.file == "dbt/models/finance/revenue_daily.sql"
    [pair] = list_definitions(propose_edit(known, edit_sql(REVENUE, "sum(", "max("), namespace="other", project="sub"))
    assert pair.after is not None
    assert (pair.after.datasets[""][0].parts[0], pair.after.file) == ("other", "sub/models/finance/revenue_daily.sql")


def test_columns_are_those_of_the_sql(known: GraphState) -> None:
    """The columns come from the SQL, whichever columns the YAML declares."""
    found = propose_edit(known, edit_sql(PAYMENTS, "currency", "currency, method"))
    assert list_rules(found) == [("column-added", "stg_payments/field/method")]
    found = propose_edit(known, edit_sql(LEDGER, "    o.buyer_key,\n", ""))
    assert list_rules(found) == [("column-removed", "buyer_ledger/field/buyer_key")]


def test_a_star_hands_on_what_is_behind_it(known: GraphState) -> None:
    """Though neither its file nor its SQL changed."""
    all_payments = edit_node(LEDGER, compiled_code='select * from "marts"."staging"."stg_payments"', depends_on={"nodes": [PAYMENTS]})
    found = propose_edit(known, edit_sql(PAYMENTS, "currency", "currency, method"), first=all_payments)
    assert list_rules(found) == [("column-added", "stg_payments/field/method"), ("column-added", "buyer_ledger/field/method")]


def test_columns_of_a_star_that_are_not_known_are_not_removed(known: GraphState) -> None:
    """YAML need not declare all of them."""

    def edit_first(manifest: dict[str, Any]) -> None:
        manifest["nodes"][PAYMENTS]["compiled_code"] = 'select * from "marts"."lake"."payment_confirmed"'
        manifest["sources"]["source.marts.lake.payment_confirmed"]["columns"] = {}

    edit: Edit = lambda manifest: manifest["nodes"][PAYMENTS]["columns"].pop("currency")  # noqa: E731
    assert list_rules(propose_edit(known, edit, first=edit_first)) == []
    assert list_rules(propose_edit(known, edit, first=edit_first, old_catalog=CATALOG, new_catalog=CATALOG)) == []
    found = propose_edit(known, edit_sql(PAYMENTS, "select *", "select * exclude (amount)"), first=edit_first)
    assert list_rules(found) == [("query-changed", "stg_payments/sql")]


def test_types_of_the_catalog_count_where_both_have_one(known: GraphState) -> None:
    catalog = json.loads(CATALOG)
    columns = catalog["sources"]["source.marts.lake.payment_confirmed"]["columns"]
    columns["amount"]["type"] = "DOUBLE"
    found = propose_edit(known, lambda _: None, old_catalog=CATALOG, new_catalog=json.dumps(catalog))
    assert list_rules(found) == [("type-changed", "payment_confirmed/field/amount")]
    assert list_rules(propose_edit(known, lambda _: None, new_catalog=json.dumps(catalog))) == []


def test_tests_are_rules_and_values(known: GraphState) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        tests = {id_: one for id_, one in manifest["nodes"].items() if one["resource_type"] == "test"}
        del manifest["nodes"][next(id_ for id_ in tests if "unique_buyer_ledger" in id_)]
        values = next(one for id_, one in tests.items() if "accepted_values_customer_value" in id_)
        values["test_metadata"]["kwargs"]["values"] = ["gold"]

    assert sorted(list_rules(propose_edit(known, edit))) == [
        ("enum-value-removed", "customer_value/field/value_tier"),
        ("quality-rule-removed", "buyer_ledger/rule/order_id/unique"),
    ]


def test_promises_hold_only_where_dbt_enforces_them(known: GraphState) -> None:
    def add_constraints(manifest: dict[str, Any]) -> None:
        one = manifest["nodes"][LEDGER]
        one["columns"]["order_id"]["constraints"] = [{"type": "not_null"}, {"type": "unique"}]
        one["constraints"] = [{"type": "primary_key", "columns": ["order_id"]}, {"type": "check", "expression": "paid_amount > 0"}]

    def enforce_constraints(manifest: dict[str, Any]) -> None:
        add_constraints(manifest)
        manifest["nodes"][LEDGER]["contract"] = {"enforced": True}

    assert list_rules(propose_edit(known, add_constraints)) == []
    found = propose_edit(known, edit_node(LEDGER, contract={"enforced": False}), first=enforce_constraints)
    kinds = [rule for rule, _ in list_rules(found)]
    assert kinds == ["column-nullable", "key-removed", "key-removed", "contract-not-enforced", "quality-rule-removed"]
    assert list_rules(propose_edit(known, enforce_constraints)) != []  # the other way round it is a change, too
    assert ("contract-enforced", "buyer_ledger/contract") in list_rules(propose_edit(known, enforce_constraints))


def test_a_view_enforces_no_constraints(known: GraphState) -> None:
    config = MANIFEST["nodes"][LEDGER]["config"]

    def add_constraints(manifest: dict[str, Any]) -> None:
        one = manifest["nodes"][LEDGER]
        one["columns"]["order_id"]["constraints"] = [{"type": "not_null"}]
        one["contract"] = {"enforced": True}

    view = {**config, "materialized": "view"}
    assert list_rules(propose_edit(known, edit_node(LEDGER, config=view), first=add_constraints)) == [
        ("constraints-not-enforced", "buyer_ledger/kind")
    ]
    assert list_rules(propose_edit(known, edit_node(LEDGER, config={**config, "materialized": "incremental"}), first=add_constraints)) == [
        ("materialization-changed", "buyer_ledger/kind")
    ]
    assert list_rules(propose_edit(known, edit_node(LEDGER, config=view))) == [("materialization-changed", "buyer_ledger/kind")]


def test_the_latest_version_moves_for_those_that_name_none(known: GraphState) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        manifest["nodes"][LEDGER].update(version=1, latest_version=2)

    def edit_first(manifest: dict[str, Any]) -> None:
        manifest["nodes"][LEDGER].update(version=1, latest_version=1)
        manifest["nodes"][REVENUE].update(version=1, latest_version=2)  # a version that was not the latest

    def edit_second(manifest: dict[str, Any]) -> None:
        edit(manifest)
        manifest["nodes"][REVENUE].update(version=1, latest_version=3)

    assert list_rules(propose_edit(known, edit_second, first=edit_first)) == [("latest-version-moved", "buyer_ledger/latest_version")]


def test_other_properties_of_a_model_are_compared(known: GraphState) -> None:
    config = MANIFEST["nodes"][REVENUE]["config"]
    edit = edit_node(
        REVENUE,
        access="protected",
        deprecation_date="2031-01-01",
        config={**config, "materialized": "view", "partition_by": {"field": "day", "granularity": "month"}},
    )
    assert list_rules(propose_edit(known, edit)) == [
        ("partitioning-changed", "revenue_daily/partitioning"),
        ("materialization-changed", "revenue_daily/kind"),
        ("access-narrowed", "revenue_daily/access"),
        ("table-deprecated", "revenue_daily"),
    ]


def test_the_owner_of_a_group_owns_its_models(known: GraphState) -> None:
    edit: Edit = lambda manifest: manifest["groups"]["group.marts.finance"]["owner"].update(name="Treasury", email="t@company.com")  # noqa: E731
    assert list_rules(propose_edit(known, edit)) == [("owner-changed", "buyer_ledger/owner"), ("owner-changed", "revenue_daily/owner")]


def test_models_come_and_go(known: GraphState) -> None:
    def edit(manifest: dict[str, Any]) -> None:
        moved = manifest["nodes"].pop(PAYMENTS)
        for test in manifest["nodes"].values():
            test["attached_node"] = "model.marts.payments" if test.get("attached_node") == PAYMENTS else test.get("attached_node")
        manifest["nodes"]["model.marts.payments"] = {**moved, "unique_id": "model.marts.payments", "name": "payments"}
        manifest["nodes"][LEDGER]["alias"] = "ledger"
        new = {**moved, "name": "new", "alias": "new", "unique_id": "model.marts.new", "relation_name": '"marts"."staging"."new"'}
        manifest["nodes"]["model.marts.new"] = new
        manifest["nodes"].pop("model.marts.customer_value")

    found = propose_edit(known, edit)
    assert list_rules(found) == [("table-removed", "customer_value"), ("table-renamed", "buyer_ledger"), ("table-added", "new")]


def test_removed_exposures_are_reported(known: GraphState) -> None:
    found = propose_edit(known, lambda manifest: manifest["exposures"].pop("exposure.marts.churn_model"))
    assert found.warnings == ("1 exposures were removed (exposure.marts.churn_model): the consumers of their models are no longer known",)


def test_what_is_not_compiled_is_compared_by_its_file(known: GraphState) -> None:
    """A template that differs is never considered equal."""
    changed: Edit = lambda manifest: manifest["nodes"][LEDGER].update(  # noqa: E731
        checksum={"name": "sha256", "checksum": "other"}, raw_code=manifest["nodes"][LEDGER]["raw_code"].replace("left join", "join")
    )
    found = propose_edit(known, changed, first=remove_sql)
    assert list_rules(found) == [("query-changed", "buyer_ledger/sql")]
    [warning] = found.warnings
    assert warning.startswith("5 models have no compiled SQL in both manifests")
    plain: Edit = lambda manifest: manifest["nodes"][LEDGER].update(compiled_code=None, raw_code="select a as order_id from t")  # noqa: E731
    other = edit_node(LEDGER, checksum={"name": "sha256", "checksum": "other"}, raw_code="select a as order_id from t where b")
    assert list_rules(propose_edit(known, other, first=plain)) == [("filter-changed", "buyer_ledger/sql/filter")]


def test_the_proposal_has_the_statements_of_the_source(known: GraphState) -> None:
    found = propose_edit(known, edit_sql(REVENUE, "sum(paid_amount) as", "sum(o.total_amount) as"))
    assert [(source, entry.scope) for source, entry in found.entries] == [
        ("dbt/marts", ("dbt", REVENUE)),
        ("dbt/marts", ("dbt", REVENUE, "lineage")),
    ]
    found = propose_edit(known, edit_sql(LEDGER, "p.paid_amount", "o.total_amount as paid_amount"))
    [_, (_, lineage)] = found.entries
    paid = build_column_key(build_dataset_key(MARTS, "marts.finance.buyer_ledger"), "paid_amount")
    start = build_column_key(build_dataset_key(MARTS, "marts.staging.stg_customer_orders"), "total_amount")
    flows = decode_facts(lineage.content.blob).flows
    assert [flow.start for flow in flows if flow.end == paid and flow.type is FlowType.DIRECT] == [start]
    gone = propose_edit(known, lambda manifest: manifest["nodes"].pop(LEDGER))
    assert [(source, entry.content) for source, entry in gone.entries] == [("dbt/marts", EMPTY)] * 2


def test_without_an_old_manifest_columns_are_compared_with_the_graph(known: GraphState) -> None:
    manifest = deepcopy(MANIFEST)
    edit_sql(LEDGER, "    o.buyer_key,\n", "")(manifest)
    found = build_proposal(ChangeInput("dbt", None, Text("m.json", json.dumps(manifest).encode())), known)
    assert list_rules(found) == [("column-removed", "buyer_ledger/field/buyer_key")]
    assert "only columns are compared" in found.warnings[0]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b"{", "old"),
        (b'{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v4.json"}, "nodes": {}}', "accepted: manifests v9"),
        (json.dumps({**MANIFEST, "nodes": {"model.a.b": {"resource_type": "model", "name": 3}}}).encode(), "nodes.model.a.b.name"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(known: GraphState, bad: bytes, message: str) -> None:
    good = json.dumps(MANIFEST).encode()
    for texts in ((Text("old", bad), Text("new", good)), (Text("new", good), Text("old", bad))):
        with pytest.raises(InvalidInput, match=message):
            build_proposal(ChangeInput("dbt", *texts), known)
    with pytest.raises(InvalidInput, match="accepted: a dialect of sqlglot"):
        propose_edit(known, lambda _: None, dialect="klingon")


def test_a_large_project_takes_seconds(known: GraphState) -> None:
    """5 000 models of 20 columns and two tests, one of which differs."""

    def add_models(manifest: dict[str, Any]) -> None:
        tests = [one for one in manifest["nodes"].values() if one["resource_type"] == "test"][:2]
        for i in range(5_000):
            id_, columns = f"model.marts.m{i}", {f"c{j}": {"name": f"c{j}", "data_type": "varchar"} for j in range(20)}
            names = {"name": f"m{i}", "alias": f"m{i}", "relation_name": f'"marts"."finance"."m{i}"'}
            manifest["nodes"][id_] = {**manifest["nodes"][REVENUE], **names, "columns": columns}
            for j, test in enumerate(tests):
                manifest["nodes"][f"test.marts.{i}.{j}"] = {**test, "name": f"t{i}_{j}", "attached_node": id_, "column_name": f"c{j}"}

    begun = time.thread_time()
    found = propose_edit(known, edit_sql("model.marts.m7", "sum(paid_amount)", "max(paid_amount)"), first=add_models)
    assert list_rules(found) == [("projection-changed", "m7/field/revenue")]
    assert time.thread_time() - begun < 60  # most of it is this test's own JSON
