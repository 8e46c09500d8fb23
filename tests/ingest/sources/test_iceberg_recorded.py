"""Tables from files: what a real catalog answered after Spark's run, and the same run's events."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, EdgeType, Facts, Statement, get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch
from meshline.graph.store.factory import open_store
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, BatchBuilder, Received
from meshline.ingest.sources.base import Refusal
from meshline.ingest.sources.iceberg.source import Iceberg
from tests.ingest.lineage_events import CLOCK
from tests.ingest.sources.iceberg_catalog import count_outcomes, read_shown_attributes, sync_catalog

CORPUS = os.environ.get("MESHLINE_CORPUS")
LAKE = "http://localhost:8181"  # as Spark's events call the catalog

pytestmark = pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set: what real catalogs answered cannot be read")


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    store = open_store("sqlite://")
    yield LiveGraph.open(store)
    store.close()


@pytest.fixture
def files(tmp_path: Path) -> Iceberg:
    """The catalog's tables and views after Spark's run, a file each."""
    state = json.loads((Path(str(CORPUS)) / "recorded" / "iceberg_rest_after_spark.json").read_bytes())
    for name, answer in [*state["tables"].items(), *state["views"].items()]:
        (tmp_path / f"{name}.json").write_text(json.dumps(answer))
    return Iceberg(files=(f"{tmp_path}/*.json",), namespace=LAKE)


def ingest_events(graph: LiveGraph) -> None:
    """Ingest the recorded events of Spark."""
    builder = BatchBuilder(Naming())
    lines = (Path(str(CORPUS)) / "recorded" / "spark_iceberg.ndjson").read_bytes().splitlines()
    received = [Received(DEFAULT_SOURCE, builder.parser.parse(line, CLOCK), CLOCK, line) for line in lines]
    graph.commit(lambda runs: builder.build_batch(received, runs))


def list_names(graph: LiveGraph, namespace: str, name: str) -> set[str]:
    with graph.lock:
        node = graph.index.assets.find_by_key(model.build_dataset_key(namespace, name))
        assert node is not None
        return {key.qualified_name for key in graph.index.assets.list_names(node, former=True)}


def test_all_tables_and_views_are_loaded_once(graph: LiveGraph, files: Iceberg) -> None:
    new, *rest = count_outcomes(sync_catalog(graph, files))
    assert new == 7 + 7 + 6 + 4, "columns, tables, snapshots, and what happened to columns under two names"
    assert rest == [0, 0, 0, 0]
    assert count_outcomes(sync_catalog(graph, files)) == (0, 0, new, 0, 0)


def test_catalog_symlink_and_path_are_one(graph: LiveGraph, files: Iceberg) -> None:
    ingest_events(graph)
    sync_catalog(graph, files)
    expected = {f"{LAKE}/clean.orders", "file//warehouse/clean/orders"}
    assert expected <= list_names(graph, LAKE, "clean.orders")
    assert list_names(graph, "file", "/warehouse/clean/orders") == list_names(graph, LAKE, "clean.orders")
    assert f"{LAKE}/mart.customer_value" in list_names(graph, "file", "/warehouse/mart/customer_ltv"), "renamed in the catalog, not on disk"


def test_the_catalog_describes_its_tables(graph: LiveGraph, files: Iceberg) -> None:
    sync_catalog(graph, files)
    table = read_shown_attributes(graph, model.build_dataset_key(LAKE, "mart.customer_orders"))
    assert table["dataset_type"] == "TABLE"
    assert table["location"] == "file:///warehouse/mart/customer_orders"
    assert table["snapshot_operation"] in {"append", "overwrite"}
    assert table["record_count"] > 0
    view = read_shown_attributes(graph, model.build_dataset_key(LAKE, "mart.v_gold"))
    assert view["dataset_type"] == "VIEW"
    assert view["sql"].startswith("SELECT customer_id, total_amount FROM lake.mart.customer_orders")
    assert view["dialect"] == "spark"


def test_a_product_its_owner_and_levels_come_from_properties(graph: LiveGraph, files: Iceberg) -> None:
    sync_catalog(graph, files)
    product = model.build_data_product_key("customer-value")
    assert read_shown_attributes(graph, product)["slo"] == {"freshness": "PT24H"}
    with graph.lock:
        index = graph.index
        node = index.assets.find_by_key(product)
        assert node is not None
        ports = {index.assets.get_key(edge.end).name for edge in index.ownership.list_edges(node, EdgeType.PORT)}
        owners = [index.assets.get_key(one.owner).name for one in index.ownership.list_direct_owners(node)]
        domain = index.ownership.find_domain(node)
        assert domain is not None
        assert index.assets.get_key(domain).name == "retail"
    assert ports == {"mart.customer_orders", "mart.customer_value"}
    assert owners == ["ana@example.com"]


def test_a_known_persons_address_is_that_person(graph: LiveGraph, files: Iceberg) -> None:
    sync_catalog(graph, files)
    about = Facts(assets=(AssetFact(model.build_owner_key("ana"), {"email": "ana@example.com"}),))
    graph.commit(
        lambda _: Batch(statements=[Statement("mesh/people", ("mesh", "person", "ana"), get_current_micros(), encode_facts(about))])
    )
    with graph.lock:
        node = graph.index.assets.find_by_key(model.build_data_product_key("customer-value"))
        assert node is not None
        assert [graph.index.assets.get_key(one.owner).name for one in graph.index.ownership.list_direct_owners(node)] == ["ana"]


def test_lineage_stated_under_the_old_name_is_the_renamed_columns(graph: LiveGraph, files: Iceberg) -> None:
    """Spark's run renamed columns of mart.customer_value; the events before that name the old ones."""
    ingest_events(graph)
    sync_catalog(graph, files)
    [answer] = [
        one
        for one in json.loads((Path(str(CORPUS)) / "recorded" / "iceberg_rest_after_spark.json").read_bytes())["tables"].items()
        if one[0] == "mart.customer_value"
    ]
    schemas = answer[1]["metadata"]["schemas"]
    fields = [{one["id"]: one["name"] for one in schema["fields"]} for schema in schemas]
    renamed = [(old, fields[-1][id_]) for id_, old in fields[0].items() if id_ in fields[-1] and fields[-1][id_] != old]
    assert renamed, "the recorded run has a rename"
    dataset = model.build_dataset_key(LAKE, "mart.customer_value")
    with graph.lock:
        index = graph.index
        listed = {
            index.assets.get_key(column).name
            for column in index.assets.list_columns(int(index.assets.find_by_key(dataset) or 0), by_name=True)
        }
        for old, new in renamed:
            assert new in listed
            assert old not in listed
            nodes = [index.assets.find_by_key(model.build_column_key(dataset, name)) for name in (old, new)]
            assert None not in nodes
            assert len({index.assets.get_representative(int(node or 0)) for node in nodes}) == 1, "the old name means the renamed column"


def test_a_bad_file_is_one_message_and_the_others_are_ingested(graph: LiveGraph, files: Iceberg, tmp_path: Path) -> None:
    sync_catalog(graph, files)
    (tmp_path / "clean.orders.json").write_text('{"metadata": {"location": 7}}')
    loading = sync_catalog(graph, files)
    assert [str(one) for one in loading.refused] == [
        f"{tmp_path}/clean.orders.json: not metadata of Iceberg: Expected `str`, got `int` - at `$.location`"
    ]
    assert loading.retracted == 0, "its statements stay"
    assert loading.kept == 3


def test_a_file_that_is_gone_is_retracted(graph: LiveGraph, files: Iceberg, tmp_path: Path) -> None:
    sync_catalog(graph, files)
    (tmp_path / "clean.orders.json").unlink()
    assert count_outcomes(sync_catalog(graph, files))[3] == 3
    assert count_outcomes(sync_catalog(graph, files))[3] == 0


def test_files_need_a_namespace_and_patterns_must_mean_something(graph: LiveGraph, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="set namespace"):
        Iceberg(files=("*.json",))
    with pytest.raises(ValueError, match="either files, or a catalog"):
        Iceberg()
    loading = sync_catalog(graph, Iceberg(files=(f"{tmp_path}/none-*.json",), namespace=LAKE))
    assert [type(one) for one in loading.refused] == [InvalidInput]
    assert Refusal(loading.refused[0]).about == ()
