"""Feast: a change of a column names the features, and the services that hand them out. The registry is what a real Feast printed, recorded
by scripts/record-feast.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_column_key, build_consumer_key, build_dataset_key
from meshline.ingest.sources.dashboards.sql_models import parse_table
from meshline.ingest.sources.models.feature_functions import find_inputs
from tests.ingest.sources.consumer_loading import find_reached, list_refusals, list_warnings, read_facts, sync_files
from tests.ingest.sources.fake_source import open_graph
from tests.sizes import ALL

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "record-feast"
RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "feast_registry.json").read_text())
DATABASES = {
    "snowflake": {"namespace": "snowflake://acme-eu"},
    "spend_query": {"namespace": "postgres://db.internal:5432", "catalog": "shop"},
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveGraph, list[str]]]:
    with open_graph() as live:
        yield live, list_warnings(sync_files(live, "feast", tmp_path_factory.mktemp("feast"), RECORDED, databases=DATABASES))


@pytest.mark.parametrize(
    ("namespace", "table", "column", "expected"),
    [
        ("s3://lake", "silver/orders", "amount", {"order_features.order_amount": "DIRECT", "order_share.share_of_spend": "DIRECT"}),
        ("s3://lake", "silver/orders", "currency", {"order_features.currency": "DIRECT"}),
        ("snowflake://acme-eu", "SHOP.PUBLIC.CUSTOMERS", "EMAIL", {"customer_features.EMAIL": "DIRECT"}),
        ("bigquery", "acme-prod.web.visits", "visits_7d", {"visit_features.visits_7d": "DIRECT"}),
        ("postgres://db.internal", "shop.public.orders", "amount",
         {"spend_features.spend_30d": "DIRECT", "order_share.share_of_spend": "DIRECT"}),
        ("postgres://db.internal", "shop.public.orders", "status",
         {"spend_features.spend_30d": "INDIRECT", "spend_features.customer_id": "INDIRECT", "order_share.share_of_spend": "INDIRECT"}),
        ("kafka://broker.internal", "clicks", "", {"record_clicks.page": "POSSIBLE", "record_clicks.customer_id": "POSSIBLE"}),
    ],
)  # fmt: skip
def test_columns_flow_into_features(
    loaded: tuple[LiveGraph, list[str]], namespace: str, table: str, column: str, expected: dict[str, str]
) -> None:
    found = find_reached(loaded[0], namespace, table, column, "COLUMN")
    assert {name.removeprefix("feast://shop/"): reach for name, reach in found.items()} == expected


def test_services_consume_features(loaded: tuple[LiveGraph, list[str]]) -> None:
    live, warnings = loaded
    assert find_reached(live, "s3://lake", "silver/orders", "amount") == {"fraud_v1": "DIRECT"}
    assert find_reached(live, "s3://lake", "silver/orders", "currency") == {}, "only order_amount is in the service"
    assert find_reached(live, "kafka://broker.internal", "clicks") == {"web Überblick": "POSSIBLE"}
    facts, owners = read_facts(live, build_consumer_key("fraud_v1").id)
    assert (facts["consumer_type"], facts["description"], facts["tags"]) == (
        "feature-service", "What the fraud model reads", ["stage=production"],
    )  # fmt: skip
    assert owners == ["fraud-science@company.com"]
    assert [warning.partition(":")[0] for warning in warnings] == ["data source 'returns_table' (redshift)"]


def test_what_is_known_of_a_feature_view(loaded: tuple[LiveGraph, list[str]]) -> None:
    live, _ = loaded
    key = build_dataset_key("feast://shop", "order_features")
    facts, owners = read_facts(live, key.id)
    assert (facts["dataset_type"], facts["entities"], facts["tags"], facts["online"]) == (
        "FEATURE_VIEW",
        ["customer"],
        ["gold", "team=fraud"],
        True,
    )
    assert owners == ["ada@company.com"]
    column, _ = read_facts(live, build_column_key(key, "order_amount").id)
    assert (column["type"], column["description"]) == ("DOUBLE", "In euros")
    share = build_dataset_key("feast://shop", "order_share")
    node = live.index.assets.find_by_key(share)
    assert node is not None
    assert [live.index.assets.get_key(one).name for one in live.index.assets.list_columns(node)] == ["share_of_spend"], "no dummy key"


def test_what_is_removed_is_retracted_and_a_function_that_cannot_be_read_is_possible(tmp_path: Path) -> None:
    changed = copy.deepcopy(RECORDED)
    with open_graph() as live:
        sync_files(live, "feast", tmp_path, changed, databases=DATABASES)
        spec = changed["onDemandFeatureViews"][0]["spec"]
        spec["featureTransformation"]["userDefinedFunction"]["bodyText"] = "def order_share(inputs):\n    return helper(inputs)\n"
        del changed["featureServices"][1]
        done = sync_files(live, "feast", tmp_path, changed, databases=DATABASES).loading
        assert done is not None
        assert (done.new, done.changed, done.retracted) == (0, 1, 1)
        assert find_reached(live, "s3://lake", "silver/orders", "amount", "COLUMN")["feast://shop/order_share.share_of_spend"] == "POSSIBLE"


@pytest.mark.parametrize(
    ("document", "part"),
    [
        (b"", "no registry of Feast"),
        (b"Traceback (most recent call last):", "no registry of Feast"),
        (b"\xff\xfe", "no registry of Feast"),
        (b"[" * 100_000, "no registry of Feast"),
        ({}, "no registry of Feast"),
        ({"project": "x", "featureViews": [{"spec": {}}]}, "no registry of Feast"),
    ],
)
def test_what_is_no_registry_is_refused(tmp_path: Path, document: object, part: str) -> None:
    with open_graph() as live:
        assert part in list_refusals(sync_files(live, "feast", tmp_path, document))[0]


def test_a_hostile_registry_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    nested: dict[str, Any] = {"name": "push", "batchSource": {"name": "custom", "customOptions": {"configuration": "%%%"}}}
    broken = {"name": "q", "snowflakeOptions": {"query": "SELEC ("}}
    views = [{"spec": {"name": "v\u202e", "features": [{"name": ""}, {"name": "a"}, {"name": "a"}], "batchSource": nested}},
             {"spec": {"name": "w", "features": [{"name": "a"}], "batchSource": broken}}]  # fmt: skip
    service = {"spec": {"name": "s", "features": [{"featureViewName": "absent", "featureColumns": []}]}}
    printed = b"UserWarning: {x}\n" + json.dumps({"project": "p", "featureViews": views, "featureServices": [service]}).encode()
    with open_graph() as live:
        done = sync_files(live, "feast", tmp_path, printed, databases={"q": {"namespace": "lake"}})
        assert list_refusals(done) == []
        assert find_reached(live, "feast://p", "absent") == {"s": "DIRECT"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('def f(i):\n    o = pd.DataFrame()\n    o["x"] = i["a"] + i["b"]\n    return o', {"a", "b"}),
        ('@f(v["z"])\ndef f(i):\n    t = i["a"] * 2\n    o = {}\n    o["y"] = t\n    o["x"] = o["y"]\n    return o', {"a"}),
        ('def f(i):\n    return {"x": i["a"], "y": 1}', {"a"}),
        ('def f(i):\n    o = {}\n    o["x"] = 1\n    return o', set()),
        ('def f(i):\n    o = {}\n    o["x"] = len(i)\n    return o', None),
        ("def f(i):\n    o = {}\n    for c in i:\n        o[c] = i[c]\n    return o", None),
        ('def f(i):\n    o = {}\n    o["other"] = i["a"]\n    return o', None),
        ("def f(i):\n    return i", None),
        ("lambda i: i", None),
        ("def f(:", None),
        ("(" * 1000, None),
        ("", None),
        ("x" * 200_000, None),
    ],
)
def test_inputs_of_functions(text: str, expected: set[str] | None) -> None:
    found = find_inputs(text, ["x"])
    assert found == (None if expected is None else {"x": expected})


@pytest.mark.parametrize(
    ("text", "dialect", "relation"),
    [
        ("shop.orders", "postgres", ("shop", "orders")),
        ('"Shop"."Orders" AS o', "postgres", ("Shop", "Orders")),
        ("Shop.Orders o", "snowflake", ("SHOP", "ORDERS")),
        ("`acme-prod.web.visits`", "bigquery", ("acme-prod", "web", "visits")),
        ("acme-prod.web.visits", "bigquery", ("acme-prod", "web", "visits")),
        ("(SELECT 1)", "postgres", None),
        ("{% if a %} b {% endif %}", "postgres", None),
        ("a; drop table b", "postgres", None),
        ("", "postgres", None),
    ],
)
def test_names_of_tables(text: str, dialect: str, relation: tuple[str, ...] | None) -> None:
    assert parse_table(text, dialect) == relation


def drop_times(value: object) -> object:
    """A registry without what differs from one recording to the next: times, and the order of lists."""
    match value:
        case dict():
            return {name: drop_times(part) for name, part in value.items() if name not in ("createdTimestamp", "lastUpdatedTimestamp")}
        case list():
            return sorted(map(drop_times, value), key=lambda part: json.dumps(part, sort_keys=True))
    return value


@pytest.mark.skipif(not ALL, reason="installs Feast: scripts/test --all")
def test_a_feast_that_runs_prints_the_same(tmp_path: Path) -> None:
    file = tmp_path / "registry.json"
    done = subprocess.run([sys.executable, str(SCRIPT), str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert drop_times(json.loads(file.read_text())) == drop_times(RECORDED)
