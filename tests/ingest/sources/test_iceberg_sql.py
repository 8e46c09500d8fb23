"""pyiceberg's SQL catalog: no server, no ETags, metadata read from their files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType, StructType

from meshline.graph import model
from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.factory import open_store
from meshline.ingest.sources.iceberg.source import Iceberg
from tests.ingest.sources.iceberg_catalog import LOCAL_FILES, count_outcomes, ignore_warnings, read_shown_attributes, sync_catalog

SCHEMA = Schema(NestedField(1, "id", LongType()), NestedField(2, "address", StructType(NestedField(3, "city", StringType()))))


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    store = open_store("sqlite://")
    yield LiveGraph.open(store)
    store.close()


@pytest.fixture
def source(tmp_path: Path) -> Iceberg:
    return Iceberg(
        name="lake",
        uri=f"sqlite:///{tmp_path}/catalog.db",
        properties={"warehouse": f"file://{tmp_path}/warehouse", **LOCAL_FILES},
    )


@pytest.fixture
def client(source: Iceberg) -> Iterator[Catalog]:
    with ignore_warnings():
        catalog = load_catalog("lake", uri=source.uri, **source.properties)
        catalog.create_namespace("a", {"owner": "a-team@example.com"})
        catalog.create_namespace("a.b")
        for name in ("a.t", "a.b.t"):
            catalog.create_table(name, SCHEMA)
        yield catalog
        catalog.close()


@pytest.mark.usefixtures("client")
def test_all_tables_of_all_namespaces(graph: LiveGraph, source: Iceberg, tmp_path: Path) -> None:
    assert count_outcomes(sync_catalog(graph, source)) == (4, 0, 0, 0, 0)
    column = read_shown_attributes(
        graph, model.build_column_key(model.build_dataset_key(f"sqlite://{tmp_path}/catalog.db", "a.b.t"), "address.city")
    )
    assert column["field_id"] == 3
    again = sync_catalog(graph, source)
    assert (again.read, again.unchanged) == (0, 4), "the metadata are in the same files"


def test_a_table_whose_file_is_lost_is_refused_alone(graph: LiveGraph, source: Iceberg, client: Catalog) -> None:
    sync_catalog(graph, source)
    Path(client.load_table("a.t").metadata_location.removeprefix("file://")).unlink()
    loading = sync_catalog(graph, source)
    assert count_outcomes(loading) == (0, 0, 2, 0, 1)
    assert str(loading.refused[0]).startswith("a.t: the catalog cannot load it: FileNotFoundError")


def test_changes_are_found(graph: LiveGraph, source: Iceberg, client: Catalog) -> None:
    sync_catalog(graph, source)
    with client.load_table("a.t").update_schema() as update:
        update.add_column("extra", StringType())
    assert count_outcomes(sync_catalog(graph, source))[:2] == (0, 1)
    client.drop_table("a.t")
    assert count_outcomes(sync_catalog(graph, source))[3] == 2
