"""OpenMetadata: answers of its REST API, written by hand after the JSON schemas of its entities. No server of it ran.

In the long tests, OpenMetadata's own library checks that they have the shape of its entities.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph import model
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, EdgeType, build_column_key, build_dataset_key, get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.store.factory import open_store
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.openmetadata import facts
from meshline.ingest.sources.openmetadata.service_names import split_fqn
from meshline.ingest.sources.openmetadata.source import OpenMetadata
from meshline.ingest.sources.reading_loader import Loading, load_reading
from tests.cli.command import run_successfully
from tests.ingest.sources.iceberg_catalog import read_shown_attributes
from tests.ingest.sources.json_server import serve_json
from tests.ingest.sources.openmetadata_server import EDGES, ENTITIES, TOKEN, answer_as_server, make_entity, make_lineage
from tests.ingest.sources.test_datahub import is_possible, list_owners
from tests.ingest.sources.test_hive import list_flows
from tests.sizes import ALL

NAMESPACE = "postgres://db.internal"
SERVERS = Path(__file__).resolve().parents[3] / "scripts" / "servers"
LINEAGE = ("table", "topic", "container", "dashboardDataModel", "dashboard", "chart", "pipeline", "mlmodel")


def build_key(name: str, column: str = "") -> AssetKey:
    dataset = build_dataset_key(NAMESPACE, f"shop.public.{name}")
    return build_column_key(dataset, column) if column else dataset


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    store = open_store("sqlite://")
    yield LiveGraph.open(store)
    store.close()


def load(graph: LiveGraph, folder: Path, **keys: Any) -> Loading:
    source = OpenMetadata(**{"services": {"airflow": "prod"}, **keys})
    return load_reading(graph, source.read(build_context(graph, Naming(), folder, source.source)), get_current_micros())


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveGraph, Loading]]:
    """A server that was read."""
    graph = LiveGraph.open(open_store("sqlite://"))
    with serve_json(answer_as_server()) as url:
        yield graph, load(graph, tmp_path_factory.mktemp("openmetadata"), url=f"{url}/api", token=TOKEN)


Loaded = tuple[LiveGraph, Loading]


def test_tables_have_our_names_columns_tags_and_terms(loaded: Loaded) -> None:
    graph, loading = loaded
    assert (loading.refused, loading.warnings) == ((), ())
    shown = read_shown_attributes(graph, build_key("orders"))
    assert (shown["description"], shown["dataset_type"], shown["tags"]) == ("all orders", "TABLE", ["Tier.Tier1"])
    assert (shown["glossary_terms"], shown["url"]) == (["Business.Order"], "https://db.internal/orders")
    assert shown["openmetadata_fqn"] == "shop_db.shop.public.orders"
    email = read_shown_attributes(graph, build_key("orders", "email"))
    assert (email["type"], email["nullable"]) == ("varchar", False)
    assert (email["tags"], email["glossary_terms"]) == (["PII.Sensitive"], ["Business.Email"])
    assert read_shown_attributes(graph, build_key("orders", "address.city"))["description"] == "where it goes"
    assert read_shown_attributes(graph, build_key("orders", "id"))["identifies"] is True
    assert read_shown_attributes(graph, build_key("daily"))["sql"] == "create view daily as select email as mail from orders"
    assert (
        read_shown_attributes(graph, build_column_key(Naming().normalise_dataset("kafka://kafka-1:9092", "orders"), "email"))["type"]
        == "string"
    )
    with graph.lock:
        assert graph.index.assets.find_by_key(build_key("gone")) is None


def test_lineage_is_by_column_and_by_pipeline(loaded: Loaded) -> None:
    graph, _ = loaded
    assert list_flows(graph, "shop.public.daily") == {
        ("shop.public.orders.email", "shop.public.daily.mail", "DIRECT", ""),
        ("shop.public.orders.id", "shop.public.daily.total", "DIRECT", ""),
        ("shop.public.orders.address.city", "shop.public.daily.total", "DIRECT", ""),
    }
    assert list_flows(graph, "shop.public.orders") == {("orders.email", "shop.public.orders.email", "DIRECT", "")}, "of s3://raw"
    topic = Naming().normalise_dataset("kafka://kafka-1:9092", "orders")
    assert is_possible(graph, topic, build_key("orders"))
    assert is_possible(graph, topic, build_key("report")), "through the pipeline"
    assert not is_possible(graph, build_key("daily"), build_key("report")), "its columns are known"
    job = model.build_job_key("prod", "nightly")
    assert read_shown_attributes(graph, job)["description"] == "every night"
    with graph.lock:
        node, report = graph.index.assets.find_by_key(job), graph.index.assets.find_by_key(build_key("report"))
        assert node is not None
        assert [edge.end for edge in graph.index.ownership.list_edges(node, EdgeType.WRITES)] == [report]
        daily = graph.index.assets.find_by_key(build_key("daily"))
        assert daily is not None
        flows = graph.index.lineage.list_flows_from([daily])
        by = {(end, by) for end, by, is_covered in zip(flows.end.tolist(), flows.job.tolist(), flows.covered.tolist(), strict=True)}
        assert (report, node) in by


def test_owners_domains_and_products(loaded: Loaded) -> None:
    graph, _ = loaded
    assert list_owners(graph, build_key("orders")) == {("ann@example.com", "technical"), ("team:sales", "technical")}
    assert read_shown_attributes(graph, model.build_owner_key("team:sales"))["title"] == "Sales"
    with graph.lock:
        find = graph.index.assets.find_by_key
        orders, daily = find(build_key("orders")), find(build_key("daily"))
        domain, product = find(model.build_domain_key("orders")), find(model.build_data_product_key("daily_sales"))
        assert orders is not None
        assert daily is not None
        assert domain is not None
        assert graph.index.ownership.find_domain(orders) == domain
        assert graph.index.ownership.find_domain(domain) == find(model.build_domain_key("commerce"))
        assert graph.index.ownership.find_product(daily) == product
        assert graph.index.ownership.find_domain(daily) == domain, "of its product"


def list_consumed(graph: LiveGraph, name: str) -> set[str]:
    with graph.lock:
        node = graph.index.assets.find_by_key(model.build_consumer_key(name))
        assert node is not None
        return {graph.index.assets.get_key(edge.end).name for edge in graph.index.ownership.list_edges(node, EdgeType.CONSUMES)}


def test_dashboards_consume_what_their_charts_use(loaded: Loaded) -> None:
    graph, _ = loaded
    assert list_consumed(graph, "Sales") == {"mail", "sales"}, "a column of daily, and the model of which no column is stated"
    assert list_consumed(graph, "score") == {"shop.public.report"}
    shown = read_shown_attributes(graph, model.build_consumer_key("Sales"))
    assert (shown["consumer_type"], shown["tool"], shown["url"]) == ("dashboard", "superset", "https://superset.internal/7")
    assert list_owners(graph, model.build_consumer_key("Sales")) == {("ann@example.com", "technical")}


def write_answers(folder: Path) -> None:
    for type_, entities in ENTITIES.items():
        (folder / f"1-{type_}.json").write_text(json.dumps({"data": entities, "paging": {"total": len(entities)}}), "utf-8")
    lineage = [make_lineage(type_, one["id"]) for type_ in LINEAGE for one in ENTITIES[type_]]
    (folder / "0-lineage.json").write_text(json.dumps(lineage), "utf-8")  # before the entities that it names


def test_files_state_what_the_server_states(loaded: Loaded, graph: LiveGraph, tmp_path: Path) -> None:
    write_answers(tmp_path)
    loading = load(graph, tmp_path, files=["*.json"])
    assert (loading.refused, loading.warnings) == ((), ())
    with graph.lock, loaded[0].lock:
        first, second = graph.index.dump(), loaded[0].index.dump()
    assert (first.assets, first.flows) == (second.assets, second.flows)
    assert load(graph, tmp_path, files=["*.json"]).changed == 0


def test_an_older_server_states_one_owner_and_domain(graph: LiveGraph, tmp_path: Path) -> None:
    with serve_json(answer_as_server(older=True, without="dataProducts")) as url:
        loading = load(graph, tmp_path, url=url, token=TOKEN, parallel=1)
    assert loading.refused == ()
    assert [one.partition(":")[0] for one in loading.warnings] == ["dataProducts are not read"]
    assert list_owners(graph, build_key("orders")) == {("ann@example.com", "technical")}


def test_lineage_of_newer_servers_is_by_name(graph: LiveGraph, tmp_path: Path) -> None:
    """`getLineage` answers with maps, in whose edges the details are."""
    tables = ENTITIES["table"]
    edge = {
        "fromEntity": {"id": tables[0]["id"], "type": "table", "fullyQualifiedName": tables[0]["fullyQualifiedName"]},
        "toEntity": {"id": tables[1]["id"], "type": "table", "fullyQualifiedName": tables[1]["fullyQualifiedName"]},
        "columns": EDGES[0]["lineageDetails"]["columnsLineage"],
    }
    (tmp_path / "a.json").write_text(
        json.dumps([{"data": tables}, {"nodes": {"x": {}}, "upstreamEdges": {"e": edge}, "downstreamEdges": {}}])
    )
    load(graph, tmp_path, files=["a.json"], services={"shop_db": "postgres://db.internal:5432"})
    assert len(list_flows(graph, "shop.public.daily")) == 3


def test_services_without_an_address_are_named_in_a_warning(graph: LiveGraph, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"data": ENTITIES["table"]}))
    loading = load(graph, tmp_path, files=["a.json"])
    assert loading.warnings == (
        "3 datasets of shop_db have the namespace openmetadata://shop_db: state where they are with the key services (shop_db: NAMESPACE)",
    )


@pytest.mark.parametrize(
    ("service", "stated", "fqn", "named"),
    [
        ({"serviceType": "Mysql", "hostPort": "m:3306"}, None, "s.default.shop.orders", ("mysql://m", "shop.orders")),
        ({"serviceType": "Snowflake", "account": "acme-eu"}, None, "s.SHOP.PUBLIC.ORDERS", ("snowflake://acme-eu", "SHOP.PUBLIC.ORDERS")),
        ({"serviceType": "BigQuery"}, None, "s.project.sales.orders", ("bigquery", "project.sales.orders")),
        ({"serviceType": "Trino", "hostPort": "t.internal:8080"}, None, "s.lake.sales.orders", ("trino://t.internal", "lake.sales.orders")),
        ({"serviceType": "Databricks", "hostPort": "d.internal:443"}, None, "s.main.a.b", ("databricks://d.internal", "main.a.b")),
        ({"serviceType": "Glue"}, "arn:aws:glue:eu-west-1:1", "s.cat.sales.orders", ("arn:aws:glue:eu-west-1:1", "table/sales/orders")),
        ({"serviceType": "CustomDatabase"}, "custom://x", "s.a.b.c", ("custom://x", "a.b.c")),
        ({"serviceType": "Postgres", "hostPort": "[bad"}, "postgres://p", 's.a."b.c".d', ("postgres://p", "a.b.c.d")),
    ],
)
def test_datasets_have_the_names_of_openlineage(
    graph: LiveGraph, tmp_path: Path, service: dict[str, str], stated: str | None, fqn: str, named: tuple[str, str]
) -> None:
    kind = service.pop("serviceType")
    entities = [
        make_entity("databaseService", "s", serviceType=kind, connection={"config": service}),
        make_entity("table", fqn, columns=[{"name": "x", "dataType": "INT"}]),
    ]
    (tmp_path / "a.json").write_text(json.dumps(entities))
    loading = load(graph, tmp_path, files=["a.json"], services={"s": stated} if stated else {})
    assert (loading.refused, loading.warnings) == ((), ())
    with graph.lock:
        (dataset,) = graph.index.assets.list_of_kind(model.AssetKind.DATASET)
        assert graph.index.assets.get_key(dataset) == Naming().normalise_dataset(*named)


def test_names_are_split_at_dots_outside_of_quotation_marks() -> None:
    assert split_fqn('a."b.c"."d""e".f g') == ["a", "b.c", 'd"e', "f g"]
    for wrong in ("", "a.", ".a", 'a."b', 'a."b"c'):
        with pytest.raises(InvalidInput, match="no fully qualified name"):
            split_fqn(wrong)


def test_what_cannot_be_read_is_refused_alone(graph: LiveGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_answers(tmp_path)
    load(graph, tmp_path, files=["*.json"])
    (tmp_path / "2-bad.json").write_text(json.dumps([{"data": [{"id": 7}]}, {"id": "x", "name": "y"}, {"upstreamEdges": [{}]}]))
    (tmp_path / "3-bad.json").write_text("{")
    loading = load(graph, tmp_path, files=["*.json", "none.json"])
    texts = [str(one) for one in loading.refused]
    assert texts[0].startswith("2-bad.json: answer 1: data[0]: this answer cannot be read")
    assert "it has neither href nor service" in texts[1]
    assert texts[2].startswith("2-bad.json: answer 3: this answer cannot be read")
    assert "this is not JSON" in texts[3]
    assert "no file matches" in texts[4]
    assert loading.retracted == 0
    monkeypatch.setattr(facts, "MAX_COLUMNS", 1)
    assert "the dataset has more than 1 columns" in str(load(graph, tmp_path, files=["1-*.json", "0-*.json"]).refused[0])


def test_a_column_of_another_table_is_a_warning(graph: LiveGraph, tmp_path: Path) -> None:
    lineage = make_lineage("table", ENTITIES["table"][1]["id"])
    assert lineage is not None
    text = json.dumps([{"data": ENTITIES["table"]}, lineage]).replace(
        '"toColumn": "shop_db.shop.public.daily.mail"', '"toColumn": "elsewhere.x"'
    )
    (tmp_path / "a.json").write_text(text)
    loading = load(graph, tmp_path, files=["a.json"], services={"shop_db": NAMESPACE})
    assert loading.warnings == ("shop_db.shop.public.daily: 'elsewhere.x' is no column of it",)


def test_the_token_is_not_shown(graph: LiveGraph, tmp_path: Path) -> None:
    source = OpenMetadata(url="http://127.0.0.1:9", token="hunter2hunter2")
    assert "hunter2" not in repr(source)
    with serve_json(answer_as_server()) as url, pytest.raises(StoreUnavailable, match="refuses access") as refused:
        load(graph, tmp_path, url=url, token="hunter2hunter2")
    assert "hunter2" not in str(refused.value)
    for url, files in (("", ()), ("http://x", ("x",))):
        with pytest.raises(ValidationError, match="either url or files"):
            OpenMetadata(url=url, files=files)


def test_the_command_reads_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_answers(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = run_successfully("ingest", "openmetadata", "*.json", "--service", "airflow=prod", "--store", "sqlite:///graph.db")
    assert "0 retracted, 0 refused" in done.err


@pytest.mark.skipif(not ALL, reason="installs OpenMetadata's library: in the long tests")
def test_its_own_library_reads_these_answers(tmp_path: Path) -> None:
    sys.path.insert(0, str(SERVERS))
    venvs = importlib.import_module("venvs")
    environment = venvs.ensure_environment("openmetadata", SERVERS / "openmetadata" / "requirements.txt", dependencies=False)
    lineage = [make_lineage(type_, one["id"]) for type_ in LINEAGE for one in ENTITIES[type_]]
    (tmp_path / "answers.json").write_text(json.dumps({**ENTITIES, "lineage": lineage}))
    done = subprocess.run(
        [environment / "bin" / "python", SERVERS / "openmetadata" / "check_answers.py", tmp_path / "answers.json"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts == {**{type_: len(entities) for type_, entities in ENTITIES.items()}, "lineage": len(lineage)}
