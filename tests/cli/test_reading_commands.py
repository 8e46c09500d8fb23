"""What `diff`, `paths`, `evidence`, `list`, `show`, `coverage`, `products`, `consumers`, `runs`, `quality` and `schemas` show."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import EXAMPLE, run_command, run_successfully

BOTH = ("diff", "2026-03-01", "2026-03-09")


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The example mesh with all its sources."""
    store = f"sqlite:///{tmp_path_factory.mktemp('synced') / 'synced.db'}"
    run_successfully("sync", EXAMPLE / "mesh.yaml", "--store", store)
    return store


def test_diff_of_two_times(example: str) -> None:
    shown = run_successfully("diff", "2026-03-07", "2026-03-09", "--store", example).out
    added, removed = map(int, re.findall(r"^From 2026-03-07 to 2026-03-09: (\d+) flows added, (\d+) removed;", shown)[0])
    assert added == len(re.findall(r"^  \+ \S+ -> \S+$", shown, re.MULTILINE)) > 0
    assert removed == len(re.findall(r"^  - \S+ -> \S+$", shown, re.MULTILINE)) > 0
    assert re.search(rf"^WHEN\n  2026-03-0[78] to 2026-03-0[89] +\+{added} +-{removed}", shown, re.MULTILINE)
    data = run_successfully("diff", "2026-03-07", "2026-03-09", "--format", "json", "--store", example).json
    assert isinstance(data["lineageDiff"], dict)
    assert data["lineageDiff"]["totalAdded"] == added
    markdown = run_successfully("diff", "2026-03-07", "2026-03-09", "--format", "markdown", "--store", example).out
    assert len(re.findall(r"^\| [+-] \|", markdown, re.MULTILINE)) > added + removed, "and a row for each new asset"


def test_what_did_not_change_is_not_in_the_diff(example: str) -> None:
    shown = run_successfully("diff", "2026-03-09", "2026-03-10", "--store", example).out
    assert shown == "From 2026-03-09 to 2026-03-10: 0 flows added, 0 removed; 0 assets new, 0 gone.\n"


def test_a_renamed_asset_is_neither_new_nor_gone(synced: str) -> None:
    """Names that a later statement joined: the id of each is still that of the one asset."""
    data: Any = run_successfully("diff", "2026-03-09", "--limit", "1000", "--format", "json", "--store", synced).json
    assets = data["assets"]
    renamed = [(one["from"], one["to"]) for one in assets["renamed"]]
    assert ("file//warehouse/delta/customer_orders", "trino://trino.internal/delta.orders.customer_orders") in {
        (one["qualifiedName"], other["qualifiedName"]) for one, other in renamed
    }
    for one, other in renamed:
        assert one not in assets["gone"]
        assert other not in assets["new"]


def test_diff_of_one_asset_has_flows_only(example: str) -> None:
    shown = run_successfully(*BOTH, "--of", "customers.customer_profiles", "--store", example).out
    assert "asset" not in shown.partition("\n")[0]
    flows = re.findall(r"^  [+-] (\S+) -> (\S+)$", shown, re.MULTILINE)
    assert flows
    assert len(flows) < len(
        re.findall(r"^  [+-] \S+ -> \S+$", run_successfully(*BOTH, "--limit", "1000", "--store", example).out, re.MULTILINE)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("diff", "now", "yesterday"), "is not before the second"),
        (("diff", "2026-03-01", "2026-03-01"), "is not before the second"),
        (("diff", "soon"), "accepted are a date"),
        (("diff", "1d", "--of", "nothing.of.this.name"), "no asset is called"),
        (("paths", "customers.customers.email", "consumer:analytics-bi"), ""),
        (("evidence", "customers.customers", "finance.revenue_daily"), "`meshline paths` shows the steps"),
        (("list", "tags", "--domain", "orders"), "only lists of assets have filters"),
        (("list", "datasets", "--last-run", "fail"), "--last-run is for jobs"),
        (("list", "--as-of", "1d"), "needs a KIND"),
        (("list", "datasets", "--domain", "product:finance-marts"), "--domain: finance-marts is a product; accepted is a domain"),
        (("products", "domain:finance"), "PRODUCT: finance is a domain; accepted is a product"),
        (("products", "finance-marts", "--health", "kept"), "give one of PRODUCT"),
        (("consumers", "domain:finance"), "accepted is a contract, product, dataset, column or consumer"),
        (("consumers", "--version", "1"), "--version is of a contract"),
        (("consumers", "finance-marts", "--version", "1"), "only contracts have versions"),
        (("runs", "finance-marts"), "accepted is a job or a dataset"),
        (("runs",), "give one of ASSET and --run-id"),
        (("runs", "run_nothing"), "there is no run 'run_nothing'"),
        (("runs", "job:payments/receipts", "--reads"), "accepted is a dataset"),
        (("events", "--count", "day", "--format", "ndjson"), "has the formats text and json"),
        (("quality", "finance-marts"), "accepted is a dataset or a column"),
        (("quality", "customers.customers", "--product", "x"), "leave ASSET out"),
        (("quality", "--history", "2"), "needs an ASSET"),
        (("schemas", "customers.customers.email"), "is a column; accepted is a dataset"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use(example: str, arguments: tuple[str, ...], message: str) -> None:
    ran = run_command(*arguments, "--store", example)
    assert ran.code == 2
    assert message in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


def test_paths_name_their_jobs_and_reach(example: str) -> None:
    ask = ("paths", "customers.customers.email", "marts.analytics.customer_value.buyer_key", "--store", example)
    direct = run_successfully(*ask, "--reach", "direct").out
    assert direct.startswith(
        "1 path from customers.customers.email to marts.analytics.customer_value.buyer_key\n\ndirect, masked, 4 steps\n"
    )
    assert "transformation, masking by orders/orders_nightly." in direct
    every = run_successfully(*ask).out
    assert every.startswith(direct.partition("\n\n")[0]), "no other way is known"
    drawn = run_successfully(*ask, "--format", "mermaid").out
    assert drawn.startswith("flowchart LR\n")
    assert drawn.count("customers.customers.email") == 1, "what several paths have in common is drawn once"
    nothing = run_successfully("paths", "marts.analytics.customer_value.buyer_key", "customers.customers.email", "--store", example).out
    assert nothing == "no path is known from marts.analytics.customer_value.buyer_key to customers.customers.email\n"
    weaker = run_successfully("paths", "customers.customers", "payments.fraud_signals", "--reach", "direct", "--store", example).out
    assert "--reach possible follows all lineage" in weaker


def test_evidence_has_source_job_run_and_sql(example: str) -> None:
    shown = run_successfully("evidence", "customers.customers.email", "customers.customer_profiles.email_hash", "--store", example).out
    assert "direct transformation, masking; 1 statement\n" in shown
    assert re.search(r"^  openlineage/\S+ since 2026-03-01T02:01:10Z, last stated at 2026-03-08T02:01:31Z \(st_\d+\)$", shown, re.MULTILINE)
    assert "sha2(lower(email), 256) AS email_hash" in shown
    assert re.search(r"^    run [0-9a-f-]{36}, complete, started at ", shown, re.MULTILINE)
    of_datasets = run_successfully("evidence", "customers.customers", "customers.customer_profiles", "--store", example).out
    assert of_datasets.startswith("http://iceberg-rest.internal:8181/customers.customers -> ")


def test_list(example: str) -> None:
    counts = dict(line.split() for line in run_successfully("list", "--store", example).out.splitlines()[1:])
    for kind in ("domain", "product", "dataset", "job", "consumer", "contract", "owner"):
        rows = list(
            csv.DictReader(io.StringIO(run_successfully("list", f"{kind}s", "--limit", "1000", "--format", "csv", "--store", example).out))
        )
        assert len(rows) == int(counts[kind])
        assert [row["name"] for row in rows] == sorted((row["name"] for row in rows), key=str.casefold)
    owned = run_successfully("list", "datasets", "--owner", "omar", "--store", example).out
    assert re.findall(r"^\S+orders\.customer_orders +customer-orders +orders +omar, orders-engineering$", owned, re.MULTILINE)
    assert run_successfully("list", "jobs", "--last-run", "fail", "--store", example).out.count("\n") == 2
    assert "pii" in run_successfully("list", "tags", "--store", example).out
    assert "there are no such datasets" in run_successfully("list", "datasets", "--text", "zzzz", "--store", example).out
    before = run_successfully("list", "datasets", "--as-of", "2026-02-01", "--store", example).out
    assert before == "there are no such datasets\n"


def test_a_name_that_looks_like_a_formula_is_a_text_in_csv(new: str, tmp_path: Path) -> None:
    domains = '[{name: "=1+2", owner: "@omar"}, {name: "-5"}, {name: "😀 é ü"}]'
    text = f'version: 1\nsource: own\ndomains: {domains}\npeople: [{{name: "@omar"}}]\n'
    (tmp_path / "mesh.yaml").write_text(text)
    run_successfully("ingest", "mesh", "mesh.yaml", "--store", new)
    rows = list(csv.reader(io.StringIO(run_successfully("list", "domains", "--format", "csv", "--store", new).out)))
    assert {row[0] for row in rows[1:]} == {"'=1+2", "-5", "\U0001f600 é ü"}
    assert "'@omar" in {row[3] for row in rows[1:]}


def test_show(synced: str) -> None:
    dataset = run_successfully("show", "customers.customers", "--store", synced).out
    for part in (
        "  location      file:///warehouse/customers/customers\n",
        "\nCOLUMNS\n  customer_id ",
        "\nWRITTEN BY\n",
        "\nOTHER NAMES\n",
    ):
        assert part in dataset
    job = run_successfully("show", "job:payments/receipts.overwrite_by_expression.lake_payments_receipts", "--store", synced).out
    assert "\nSQL\n  INSERT OVERWRITE lake.payments.receipts SELECT" in job
    assert "\nOWNS\n" in run_successfully("show", "owner:omar", "--store", synced).out
    assert "\nPRODUCTS\n  customer-orders\n" in run_successfully("show", "domain:orders", "--store", synced).out
    assert "\nPORTS\n" in run_successfully("show", "product:finance-marts", "--store", synced).out
    assert "\nCONSUMES\n" in run_successfully("show", "consumer:analytics-bi", "--store", synced).out
    assert "\nGOVERNS\n" in run_successfully("show", "contract:customer-orders-contract-v2", "--store", synced).out
    facts = run_successfully("show", "customers.customers.email", "--facts", "--store", synced).out
    assert re.search(r"^  \*  type +string +iceberg/lake at \S+ \(st_\d+\)$", facts, re.MULTILINE)
    assert re.search(r"^     type +string +openlineage/nights at \S+ \(st_\d+\)$", facts, re.MULTILINE), "not chosen"


def test_coverage(example: str) -> None:
    shown = run_successfully("coverage", "--store", example).out
    data = run_successfully("coverage", "--format", "json", "--store", example).json
    total = data["total"]
    assert isinstance(total, dict)
    assert shown.startswith(f"{total['datasets']} datasets: ")
    assert "BY SOURCE" in shown
    assert "BY SOURCE" not in run_successfully("coverage", "--by", "domain", "--store", example).out
    rows = list(csv.DictReader(io.StringIO(run_successfully("coverage", "--by", "domain", "--format", "csv", "--store", example).out)))
    assert rows[0]["by"] == "total"
    assert sum(int(row["datasets"]) for row in rows[1:]) >= int(rows[0]["datasets"])
    assert run_successfully("coverage", "--as-of", "2026-02-01", "--store", example).out.startswith("0 datasets: - described")


def test_products(synced: str) -> None:
    listed = run_successfully("products", "--store", synced).out.splitlines()
    health = [line.split()[0] for line in listed[1:]]
    assert health == sorted(health, key=["broken", "unknown", "kept"].index)
    broken = run_successfully("products", "--health", "broken", "--domain", "finance", "--store", synced).out.splitlines()
    assert [line.split()[1] for line in broken[1:]] == ["finance-marts"]
    one = run_successfully("products", "finance-marts", "--store", synced).out
    for heading in ("OWNERS", "PROMISES", "PORTS", "HEALTH", "CONSUMERS"):
        assert f"\n{heading}\n" in one
    assert re.search(r"^  revenue-reporting +marts\.finance\.revenue_daily \(currency, day, revenue\) +monthly close", one, re.MULTILINE)
    affected = run_successfully("products", "--affected-by", "customers.customers.email", "--store", synced).out
    assert re.search(r"^  direct, masked +\d steps? +finance-marts +freshness unknown: ", affected, re.MULTILINE)


def test_consumers(synced: str) -> None:
    listed = run_successfully("consumers", "--store", synced).out
    assert re.search(r"^analytics-bi +dashboard +analytics-engineering +Customer value, by pseudonym\.$", listed, re.MULTILINE)
    assert "and 14 more" in run_successfully("consumers", "--limit", "1", "--store", synced).out
    of_product = run_successfully("consumers", "finance-marts", "--store", synced).out
    assert "USE THE PRODUCT AS A WHOLE\n  board-report" in of_product
    assert "USE DATA THAT IS DERIVED FROM IT" in run_successfully("consumers", "customer-orders", "--store", synced).out
    one = run_successfully("consumers", "analytics-bi", "--store", synced).out
    assert one.startswith("analytics-bi: dashboard of analytics-engineering\n")
    assert "(buyer_key, lifetime_value, value_tier)  customer insight" in one
    of_column = run_successfully("consumers", "payments.receipts.amount", "--store", synced).out
    assert of_column.splitlines()[0].endswith("payments.receipts.amount: 1 consumer")
    none = run_successfully("consumers", "payments.receipts.order_id", "--store", synced).out
    assert "for indirect consumers: meshline impact" in none


def test_runs_and_events(example: str) -> None:
    listed = run_successfully("runs", "payments.receipts", "--store", example).out.splitlines()
    assert len(listed) == 4
    assert listed[1:] == sorted(listed[1:], reverse=True), "the newest first"
    run_id = listed[1].split()[-1]
    one = run_successfully("runs", "--run-id", run_id, "--store", example).out
    assert "\nOUTPUTS\n  http://iceberg-rest.internal:8181/payments.receipts\n" in one
    data = run_successfully("runs", "--run-id", run_id, "--format", "json", "--store", example).json
    assert run_successfully("runs", str(data["id"]), "--store", example).out == one
    failed = run_successfully("runs", "customers.customers", "--reads", "--limit", "1", "--store", example).out.splitlines()[1]
    assert ": fail\n" in run_successfully("runs", "--run-id", failed.split()[-1], "--store", example).out
    assert run_successfully("runs", "--run-id", "nothing", "--store", example).out == "no run has the id 'nothing'\n"
    events = run_successfully("events", "--limit", "1000", "--format", "ndjson", "--store", example).out.splitlines()
    exported = run_successfully("export", "openlineage", "--store", example).out.splitlines()
    assert len(events) == len(exported) == 170
    assert sorted(json.dumps(json.loads(event), sort_keys=True) for event in events) == sorted(
        json.dumps(json.loads(event), sort_keys=True) for event in exported
    )
    assert run_successfully("events", "--since", "1d", "--store", example).out.startswith("no event is kept of this time")


def test_quality(synced: str) -> None:
    assert run_successfully("quality", "--store", synced).out == "no check fails\n"
    checks = run_successfully("quality", "finance.revenue_daily", "--history", "1", "--store", synced).out
    assert checks.splitlines()[0].endswith("finance.revenue_daily: 9 checks")
    assert re.search(r"^  passed at \S+: row_count > 0\n    row_count, expected > 0, found 3; ", checks, re.MULTILINE)
    passed = run_successfully("quality", "--outcome", "passed", "--product", "finance-marts", "--format", "json", "--store", synced).json
    nodes = passed["nodes"]
    assert isinstance(nodes, list)
    assert {one["outcome"] for one in nodes if isinstance(one, dict)} == {"PASSED"}
    assert "0 checks" in run_successfully("quality", "finance.revenue_daily", "--outcome", "failed", "--store", synced).out


def test_schemas_are_compared_with_the_one_before(new: str, tmp_path: Path) -> None:
    def write(time: str, *columns: tuple[str, str]) -> str:
        fields = [{"name": name, "type": kind} for name, kind in columns]
        facet = {"_producer": "p", "_schemaURL": "s", "fields": fields}
        dataset = {"namespace": "db", "name": "t", "facets": {"schema": facet}}
        return json.dumps({"eventTime": time, "producer": "p", "schemaURL": "s", "dataset": dataset})

    lines = [
        write("2026-01-01T00:00:00Z", ("a", "int"), ("b", "text")),
        write("2026-02-01T00:00:00Z", ("a", "bigint"), ("c", "text")),
    ]
    (tmp_path / "events.ndjson").write_text("\n".join(lines))
    run_successfully("ingest", "openlineage", "events.ndjson", "--store", new)
    shown = run_successfully("schemas", "db/t", "--store", new).out
    assert shown.startswith("db/t: 2 schemas\n")
    assert "    + c text\n    - b text\n    ~ a int -> bigint\n" in shown
    assert shown.rstrip().endswith("the first of this source")


@pytest.mark.parametrize("by", ["domain", "owner", "product", "kind"])
def test_assets_by_group(example: str, by: str) -> None:
    """The groups of a text together have all assets that the answer has without groups."""
    plain = run_successfully("impact", "customers.customers.email", "--format", "json", "--store", example).json
    assert isinstance(plain["data"], dict)
    shown = run_successfully("impact", "customers.customers.email", "--group-by", by, "--store", example).out
    sizes = [int(size) for size in re.findall(r"^[^ ].* \((\d+)\)$", shown, re.MULTILINE)]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) >= int(str(plain["data"]["totalCount"]))
    assert "VALUES COME FROM IT" not in shown
    drawn = run_successfully("lineage", "customers.customers.email", "--group-by", by, "--format", "dot", "--store", example).out
    assert drawn.count("subgraph cluster_") >= 2
    assert "customers.customers.email" in drawn, "a name without its dataset would be ambiguous"
    came = run_successfully("provenance", "finance.revenue_daily.revenue", "--group-by", by, "--store", example).out
    assert re.search(r"^marts\.finance\.revenue_daily\.revenue comes from \d+ assets: ", came)


def test_flows_since(example: str) -> None:
    """No flow was stated after the last night."""
    later = run_successfully("lineage", "customers.customers.email", "--since", "2026-03-20", "--store", example).out
    assert later.startswith("customers.customers.email flows to 0 assets\n")
    some = run_successfully("impact", "customers.customers.email", "--since", "2026-03-08", "--store", example).out
    assert "orders.customer_orders: customer_email\n" in some
