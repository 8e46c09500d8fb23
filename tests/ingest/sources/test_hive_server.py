"""A real Hive metastore of version 4.0.1: only with --all, as it takes half a minute to start. In every run a recorded one is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hive_metastore.ttypes import FieldSchema

from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.factory import open_store
from meshline.ingest.sources.metastore.hive import Metastore, parse_addresses
from tests.ingest.sources.metastore_tables import add_database, add_iceberg_table, add_tables
from tests.ingest.sources.test_hive import list_columns, list_flows, sync
from tests.servers import run_server_script
from tests.sizes import ALL

pytestmark = [pytest.mark.server, pytest.mark.skipif(not ALL, reason="only with --all; a recorded metastore is read in every run")]


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    store = open_store("sqlite://")
    yield LiveGraph.open(store)
    store.close()


def test_a_real_metastore_is_read_and_what_changes_in_it_is_found(graph: LiveGraph, tmp_path: Path) -> None:
    with run_server_script("hive_server", tmp_path) as uri:
        add_database(uri)
        add_tables(uri, tmp_path / "warehouse")
        add_iceberg_table(uri)
        first = sync(graph, uri)
        assert (first.refused, first.warnings) == ((), ())
        assert set(list_columns(graph, "shop.orders")) == {
            "id", "customeremail", "address", "address.city", "address.zip", "address.zip.element", "day",
        }  # fmt: skip
        assert list_columns(graph, "shop.items") == {"sku": "string", "unit_price": "double"}
        assert list_columns(graph, "shop.stock") == {"sku": "string", "pieces": "long"}
        assert ("shop.clicks.url", "shop.seen.address", "DIRECT", "TRANSFORMATION") in list_flows(graph, "shop.seen")
        assert sync(graph, uri).unchanged == first.new

        metastore = Metastore(parse_addresses(uri))
        (table,) = metastore.load_tables("shop", ["clicks"])
        table.sd.cols.append(FieldSchema("referrer", "string", "where from"))
        metastore.call(lambda client: client.alter_table_with_environment_context("shop", "clicks", table, None))
        metastore.call(lambda client: client.drop_table("shop", "mails", False))  # noqa: FBT003 - Thrift's
        metastore.close()
        loading = sync(graph, uri)
        assert (loading.new, loading.changed, loading.retracted, loading.refused) == (0, 1, 2, ())
        assert "referrer" in list_columns(graph, "shop.clicks")
