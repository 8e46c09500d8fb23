"""Nessie's Iceberg REST catalog with branches: a recorded one (scripts/record-nessie) in every run, a real one with --all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, build_column_key, build_dataset_key
from meshline.graph.store.factory import open_store
from meshline.ingest.sources.iceberg.source import Iceberg
from tests.ingest.sources.iceberg_catalog import LOCAL_FILES, ignore_warnings, read_shown_attributes, sync_catalog
from tests.ingest.sources.nessie_catalog import fill_nessie, replay_nessie, run_nessie
from tests.ingest.sources.test_hive import list_flows
from tests.sizes import ALL

NAMESPACE = "nessie://lake"


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    store = open_store("sqlite://")
    yield LiveGraph.open(store)
    store.close()


def build_key(column: str = "") -> AssetKey:
    dataset = build_dataset_key(NAMESPACE, "shop.items")
    return build_column_key(dataset, column) if column else dataset


def build_source(url: str, **properties: str) -> Iceberg:
    return Iceberg(uri=f"{url}/iceberg", namespace=NAMESPACE, properties={**LOCAL_FILES, **properties})


def check_branch(graph: LiveGraph, source: Iceberg, columns: set[str]) -> None:
    """Sync a branch twice; it has a table with these columns, and a view."""
    with ignore_warnings():
        first, again = sync_catalog(graph, source), sync_catalog(graph, source)
    assert first.refused == ()
    assert (again.new, again.changed, again.retracted) == (0, 0, 0)
    shown = read_shown_attributes(graph, build_key())
    assert (shown["description"], shown["table_owner"]) == ("what is sold", "ann@example.com")
    with graph.lock:
        assets = graph.index.assets
        node = assets.find_by_key(build_key())
        assert node is not None
        assert {assets.get_key(one).name for one in assets.list_columns(node)} == columns
        assert node == assets.find_by_key(build_dataset_key("s3://lake", shown["location"].removeprefix("s3://lake/")))
    assert ("shop.items.sku", "shop.dear.sku", "DIRECT", "IDENTITY") in list_flows(graph, "shop.dear"), (
        "Nessie does not state that it has views"
    )


BRANCHES = [({}, {"sku", "price"}), ({"prefix": "dev"}, {"sku", "unit_price", "pieces"})]


@pytest.mark.parametrize(("properties", "columns"), BRANCHES)
def test_a_branch_of_a_recorded_nessie_is_a_catalog(graph: LiveGraph, properties: dict[str, str], columns: set[str]) -> None:
    with replay_nessie() as url:
        check_branch(graph, build_source(url, **properties), columns)


def test_two_branches_have_one_table_because_it_is_at_one_place(graph: LiveGraph) -> None:
    with replay_nessie() as url, ignore_warnings():
        sync_catalog(graph, build_source(url))
        other = build_source(url, prefix="dev").model_copy(update={"name": "dev", "namespace": "nessie://dev"})
        assert not sync_catalog(graph, other).refused
    with graph.lock:
        assets = graph.index.assets
        assert assets.find_by_key(build_key()) == assets.find_by_key(build_dataset_key("nessie://dev", "shop.items"))


def test_a_branch_that_does_not_exist_is_named(graph: LiveGraph) -> None:
    with replay_nessie() as url, ignore_warnings():
        loading = sync_catalog(graph, build_source(url, prefix="gone"))
    assert "Named reference 'gone' not found" in str(loading.refused[0])


@pytest.mark.server
@pytest.mark.skipif(not ALL, reason="only with --all; a recorded one is read in every run")
def test_the_branches_of_a_real_nessie_are_catalogs(graph: LiveGraph, tmp_path: Path) -> None:
    with run_nessie(tmp_path) as url:
        fill_nessie(url)
        for properties, columns in BRANCHES:
            check_branch(graph, build_source(url, **properties), columns)
