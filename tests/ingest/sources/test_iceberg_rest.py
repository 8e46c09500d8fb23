"""A real Iceberg REST catalog: all that is in it, what changes in it, and what goes wrong with it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import NullOrder, SortDirection, SortField, SortOrder
from pyiceberg.transforms import BucketTransform, DayTransform, IdentityTransform
from pyiceberg.types import ListType, LongType, MapType, NestedField, StringType, StructType, TimestamptzType
from pyiceberg.view.metadata import SQLViewRepresentation, ViewRepresentation, ViewVersion

from meshline.errors import StoreUnavailable
from meshline.graph import model
from meshline.graph.content import decode_facts, encode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, EdgeType, Facts, Statement, get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch
from meshline.graph.store.factory import open_store
from meshline.ingest.sources.base import Item
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.iceberg.rest_catalog import RestAccess
from meshline.ingest.sources.iceberg.source import Iceberg
from meshline.ingest.sources.reading_loader import load_reading
from meshline.ingest.sources.secrets import Redaction
from meshline.ingest.sources.thread_pool import run_in_parallel
from tests.ingest.sources.iceberg_catalog import Server, count_outcomes, ignore_warnings, read_shown_attributes, run_catalog, sync_catalog

pytestmark = pytest.mark.server

SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=True, doc="the number"),
    NestedField(2, "mail", StringType()),
    NestedField(3, "at", TimestamptzType()),
    NestedField(4, "address", StructType(NestedField(5, "city", StringType()), NestedField(6, "zip", StringType()))),
    NestedField(7, "tags", ListType(8, StringType())),
    NestedField(9, "scores", MapType(10, StringType(), 11, LongType())),
    identifier_field_ids=[1],
)
PATHS = ["address", "address.city", "address.zip", "at", "id", "mail", "scores", "scores.key", "scores.value", "tags", "tags.element"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_catalog(tmp_path_factory.mktemp("iceberg")) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    """The module's catalog, emptied."""
    with ignore_warnings():
        access = RestAccess("lake", {"uri": running.url}, Redaction({}, {}))  # pyiceberg cannot list below a name with a space
        empty_catalog(access, running.open_client(), ())
    return running


def empty_catalog(access: RestAccess, client: Catalog, parent: tuple[str, ...]) -> None:
    for namespace in access.list_namespaces(parent):
        empty_catalog(access, client, namespace)
        for table in access.list_tables(namespace):
            client.drop_table(table)
        for view in access.list_views(namespace):
            client.drop_view(view)
        client.drop_namespace(namespace)


@pytest.fixture
def client(server: Server) -> Iterator[Catalog]:
    with ignore_warnings():
        yield server.open_client()


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    store = open_store("sqlite://")
    yield LiveGraph.open(store)
    store.close()


def build_source(server: Server, **keys: object) -> Iceberg:
    return Iceberg.model_validate({"name": "lake", "uri": server.url, **keys})


def build_table_key(server: Server, name: str) -> AssetKey:
    return model.build_dataset_key(server.url, name)


def list_column_names(graph: LiveGraph, dataset: AssetKey) -> list[str]:
    """The columns that a dataset has now."""
    with graph.lock:
        node = graph.index.assets.find_by_key(dataset)
        return (
            []
            if node is None
            else [graph.index.assets.get_key(column).name for column in graph.index.assets.list_columns(node, by_name=True)]
        )


def list_owner_names(graph: LiveGraph, key: AssetKey) -> list[str]:
    with graph.lock:
        node = graph.index.assets.find_by_key(key)
        assert node is not None
        return sorted(graph.index.assets.get_key(one.owner).name for one in graph.index.ownership.list_direct_owners(node))


def is_same_asset(graph: LiveGraph, a: AssetKey, b: AssetKey) -> bool:
    """Whether both names mean one asset."""
    with graph.lock:
        nodes = [graph.index.assets.find_by_key(key) for key in (a, b)]
        assert None not in nodes
        return len({graph.index.assets.get_representative(int(node or 0)) for node in nodes}) == 1


def state_owner(graph: LiveGraph, column: AssetKey, owner: str) -> None:
    """Another source states now who owns a column, by the column's current name."""
    facts = Facts(edges=(model.EdgeFact(EdgeType.OWNS, model.build_owner_key(owner), column),))
    graph.commit(
        lambda _: Batch(statements=[Statement("mesh/people", ("owner", *column.parts), get_current_micros(), encode_facts(facts))])
    )
    time.sleep(0.01)  # Iceberg's times are milliseconds


# -- what there is


def test_namespaces_of_any_depth_and_strange_names(server: Server, client: Catalog, graph: LiveGraph) -> None:
    names = [("a", "t"), ("a", "b", "t"), ("a", "b", "c", "d", "t"), ("with space", "t 1"), ("ümlaut", "tüv")]
    for name in names:
        for depth in range(1, len(name)):
            client.create_namespace_if_not_exists(name[:depth])
        client.create_table(name, SCHEMA)
    assert count_outcomes(sync_catalog(graph, build_source(server))) == (10, 0, 0, 0, 0)
    assert list_column_names(graph, build_table_key(server, "a.b.c.d.t")) == PATHS
    assert list_column_names(graph, build_table_key(server, "with space.t 1")) == PATHS
    assert list_column_names(graph, build_table_key(server, "ümlaut.tüv")) == PATHS


def test_a_table_is_described(server: Server, client: Catalog, graph: LiveGraph) -> None:
    client.create_namespace("sales", {"owner": "sales-team@example.com", "comment": "all that is sold"})
    spec = PartitionSpec(
        PartitionField(source_id=3, field_id=1000, transform=DayTransform(), name="day"),
        PartitionField(source_id=5, field_id=1001, transform=BucketTransform(4), name="city_bucket"),
    )
    order = SortOrder(SortField(source_id=1, transform=IdentityTransform(), direction=SortDirection.DESC, null_order=NullOrder.NULLS_LAST))
    properties = {"comment": "each order once", "write.x": "1", "s3.secret-access-key": "hidden"}
    made = client.create_table("sales.orders", SCHEMA, partition_spec=spec, sort_order=order, properties=properties)
    sync_catalog(graph, build_source(server))
    shown = read_shown_attributes(graph, build_table_key(server, "sales.orders"))
    assert shown["dataset_type"] == "TABLE"
    assert shown["description"] == "each order once"
    assert shown["namespace_description"] == "all that is sold"
    assert shown["location"] == made.location()
    assert shown["partition_spec"] == [
        {"name": "day", "columns": ["at"], "transform": "day"},
        {"name": "city_bucket", "columns": ["address.city"], "transform": "bucket[4]"},
    ]
    assert shown["sort_order"] == [{"columns": ["id"], "transform": "identity", "direction": "desc", "nulls": "last"}]
    assert shown["properties"]["write.x"] == "1"
    assert "hidden" not in json.dumps(shown)
    assert list_owner_names(graph, build_table_key(server, "sales.orders")) == ["sales-team@example.com"], (
        "the table itself has no owner of its own"
    )
    column = read_shown_attributes(graph, model.build_column_key(build_table_key(server, "sales.orders"), "id"))
    assert column == {"type": "long", "nullable": False, "field_id": 1, "identifies": True, "description": "the number"}
    path = model.build_dataset_key("file", made.location().removeprefix("file://"))
    assert is_same_asset(graph, path, build_table_key(server, "sales.orders"))


def test_the_user_that_an_engine_wrote_owns_nothing(server: Server, client: Catalog, graph: LiveGraph) -> None:
    client.create_namespace("a", {"owner": "root"})
    client.create_table("a.t", SCHEMA)
    sync_catalog(graph, build_source(server))
    assert list_owner_names(graph, build_table_key(server, "a.t")) == []
    assert read_shown_attributes(graph, build_table_key(server, "a.t"))["table_owner"] == "root"


def test_views_are_read(server: Server, client: Catalog, graph: LiveGraph) -> None:
    client.create_namespace("sales")
    representation = ViewRepresentation(root=SQLViewRepresentation(type="sql", sql="select id, mail from sales.orders", dialect="trino"))
    version = ViewVersion.model_validate({"schema-id": 0, "representations": [representation], "default-namespace": ("sales",)})
    client.create_view("sales.mails", Schema(NestedField(1, "id", LongType()), NestedField(2, "mail", StringType())), version)
    assert count_outcomes(sync_catalog(graph, build_source(server))) == (2, 0, 0, 0, 0)
    shown = read_shown_attributes(graph, build_table_key(server, "sales.mails"))
    assert (shown["dataset_type"], shown["sql"], shown["dialect"]) == ("VIEW", "select id, mail from sales.orders", "trino")
    assert shown["default_namespace"] == "sales"
    assert list_column_names(graph, build_table_key(server, "sales.mails")) == ["id", "mail"]
    assert count_outcomes(sync_catalog(graph, build_source(server))) == (0, 0, 2, 0, 0)


def test_lists_of_several_pages(server: Server, client: Catalog, graph: LiveGraph) -> None:
    for i in range(7):
        client.create_namespace(f"n{i}")
        client.create_table(f"n{i}.t", SCHEMA)
        client.create_table(f"n0.t{i}", SCHEMA)
    assert count_outcomes(sync_catalog(graph, build_source(server, properties={"rest-page-size": 2})))[0] == 28


def test_only_the_tables_that_are_asked_for(server: Server, client: Catalog, graph: LiveGraph) -> None:
    client.create_namespace("a")
    client.create_namespace("b")
    client.create_table("a.t", SCHEMA)
    client.create_table("b.t", SCHEMA)
    sync_catalog(graph, build_source(server))
    client.drop_table("b.t")
    assert count_outcomes(sync_catalog(graph, build_source(server, tables=["a.*"])))[3] == 0, "whether b.t exists was not checked"
    assert count_outcomes(sync_catalog(graph, build_source(server)))[3] == 2


def test_the_namespace_may_be_given(server: Server, client: Catalog, graph: LiveGraph) -> None:
    client.create_namespace("a")
    client.create_table("a.t", SCHEMA)
    sync_catalog(graph, build_source(server, namespace="http://iceberg-rest.internal:8181/"))
    assert list_column_names(graph, model.build_dataset_key("http://iceberg-rest.internal:8181", "a.t")) == PATHS


# -- what changes


def test_only_what_changed_is_read_again(server: Server, client: Catalog, graph: LiveGraph) -> None:
    client.create_namespace("a")
    one = client.create_table("a.one", SCHEMA)
    client.create_table("a.two", SCHEMA)
    assert count_outcomes(sync_catalog(graph, build_source(server))) == (4, 0, 0, 0, 0)
    again = sync_catalog(graph, build_source(server))
    assert (again.read, again.unchanged) == (0, 4), "no table was read"
    with one.update_schema() as update:
        update.add_column("extra", StringType())
    changed = sync_catalog(graph, build_source(server))
    assert changed.read == 2, "of one table"
    assert count_outcomes(changed) == (0, 1, 3, 0, 0)
    assert "extra" in list_column_names(graph, build_table_key(server, "a.one"))
    client.update_namespace_properties("a", updates={"owner": "a-team@example.com"})
    assert sync_catalog(graph, build_source(server)).changed == 2, "the namespace's owner is its tables'"
    assert list_owner_names(graph, build_table_key(server, "a.two")) == ["a-team@example.com"]


def test_a_renamed_column_keeps_its_statements(server: Server, client: Catalog, graph: LiveGraph) -> None:
    client.create_namespace("a")
    made = client.create_table("a.t", SCHEMA)
    sync_catalog(graph, build_source(server))
    key = build_table_key(server, "a.t")
    state_owner(graph, model.build_column_key(key, "mail"), "ana")
    state_owner(graph, model.build_column_key(key, "address.zip"), "bob")
    with made.update_schema() as update:
        update.rename_column("mail", "email")
        update.rename_column("address", "home")
    assert count_outcomes(sync_catalog(graph, build_source(server)))[4] == 0
    assert list_owner_names(graph, model.build_column_key(key, "email")) == ["ana"]
    assert list_owner_names(graph, model.build_column_key(key, "home.zip")) == ["bob"]
    assert "mail" not in list_column_names(graph, key)
    assert count_outcomes(sync_catalog(graph, build_source(server)))[:2] == (0, 0)
    with made.update_schema() as update:
        update.add_column("another", StringType())
    sync_catalog(graph, build_source(server))
    assert list_owner_names(graph, model.build_column_key(key, "email")) == ["ana"], "a rename is stated for ever"


def test_a_column_that_was_dropped_and_added_is_another(server: Server, client: Catalog, graph: LiveGraph) -> None:
    client.create_namespace("a")
    made = client.create_table("a.t", SCHEMA)
    sync_catalog(graph, build_source(server))
    key = build_table_key(server, "a.t")
    state_owner(graph, model.build_column_key(key, "mail"), "ana")
    with made.update_schema() as update:
        update.delete_column("mail")
    time.sleep(0.01)
    with made.update_schema() as update:
        update.add_column("mail", StringType())
    sync_catalog(graph, build_source(server))
    assert "mail" in list_column_names(graph, key)
    assert list_owner_names(graph, model.build_column_key(key, "mail")) == []


def test_the_past_is_there_from_before_the_first_sync(server: Server, client: Catalog, graph: LiveGraph) -> None:
    client.create_namespace("a")
    made = client.create_table("a.t", SCHEMA)
    time.sleep(0.01)
    between = get_current_micros()
    time.sleep(0.01)
    with made.update_schema() as update:
        update.rename_column("mail", "email")
    sync_catalog(graph, build_source(server))
    key = build_table_key(server, "a.t")
    heads = graph.store.read_heads(list_column_scopes(graph, key), between)
    assert len(heads) == 1
    assert heads[0].content is not None
    past = decode_facts(heads[0].content.blob)
    assert model.build_column_key(key, "mail") in {edge.end for edge in past.edges}
    assert model.build_column_key(key, "email") not in {edge.end for edge in past.edges}


def list_column_scopes(graph: LiveGraph, key: AssetKey) -> list[int]:
    with graph.lock:
        node = graph.index.assets.find_by_key(key)
        assert node is not None
        return [scope for scope in graph.index.changes.list_scopes(node) if graph.index.changes.get_scope(scope).scope[-1] == "columns"]


def test_a_table_that_is_created_again_is_not_the_old_one(server: Server, client: Catalog, graph: LiveGraph) -> None:
    client.create_namespace("a")
    client.create_table("a.t", SCHEMA)
    sync_catalog(graph, build_source(server))
    key = build_table_key(server, "a.t")
    state_owner(graph, model.build_column_key(key, "mail"), "ana")
    client.drop_table("a.t")
    client.create_table("a.t", SCHEMA)
    sync_catalog(graph, build_source(server))
    assert list_column_names(graph, key) == PATHS
    assert list_owner_names(graph, model.build_column_key(key, "mail")) == []
    assert count_outcomes(sync_catalog(graph, build_source(server)))[:2] == (0, 0)
    assert list_owner_names(graph, model.build_column_key(key, "mail")) == [], "that stays so"


def test_a_table_that_was_gone_for_a_while_may_be_another(server: Server, client: Catalog, graph: LiveGraph) -> None:
    client.create_namespace("a")
    client.create_table("a.t", SCHEMA)
    sync_catalog(graph, build_source(server))
    key = build_table_key(server, "a.t")
    state_owner(graph, model.build_column_key(key, "mail"), "ana")
    client.drop_table("a.t")
    assert count_outcomes(sync_catalog(graph, build_source(server)))[3] == 2
    client.create_table("a.t", SCHEMA)
    sync_catalog(graph, build_source(server))
    assert list_column_names(graph, key) == PATHS
    assert list_owner_names(graph, model.build_column_key(key, "mail")) == []


def test_a_renamed_table_goes_on(server: Server, client: Catalog, graph: LiveGraph) -> None:
    client.create_namespace("a")
    made = client.create_table("a.old", SCHEMA)
    with made.update_schema() as update:
        update.rename_column("mail", "email")
    sync_catalog(graph, build_source(server))
    state_owner(graph, model.build_column_key(build_table_key(server, "a.old"), "email"), "ana")
    client.rename_table("a.old", "a.new")
    sync_catalog(graph, build_source(server))
    assert list_owner_names(graph, model.build_column_key(build_table_key(server, "a.new"), "email")) == ["ana"]
    assert count_outcomes(sync_catalog(graph, build_source(server)))[:4] == (0, 0, 6, 0), (
        "columns, table, the column's rename under three names, the table's"
    )
    assert list_owner_names(graph, model.build_column_key(build_table_key(server, "a.new"), "email")) == ["ana"]


# -- what goes wrong


def test_a_table_whose_metadata_are_lost_does_not_stop_the_others(server: Server, client: Catalog, graph: LiveGraph) -> None:
    client.create_namespace("a")
    for name in ("a.one", "a.two", "a.three"):
        client.create_table(name, SCHEMA)
    sync_catalog(graph, build_source(server))
    lost = Path(client.load_table("a.two").metadata_location.removeprefix("file:"))
    lost.rename(lost.with_suffix(".lost"))
    loading = sync_catalog(graph, build_source(server))
    assert count_outcomes(loading) == (0, 0, 4, 0, 1)
    assert str(loading.refused[0]).startswith("a.two: the catalog cannot load it: HTTP 404 NotFoundException")
    assert "\n" not in str(loading.refused[0])
    assert list_column_names(graph, build_table_key(server, "a.two")) == PATHS, "it is not considered removed"
    lost.with_suffix(".lost").rename(lost)
    assert count_outcomes(sync_catalog(graph, build_source(server))) == (0, 0, 6, 0, 0)


def test_a_server_that_goes_away_leaves_what_was_read(tmp_path: Path, graph: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshline.ingest.sources.iceberg.rest_catalog.WAITS", (0.1,))
    with run_catalog(tmp_path) as server, ignore_warnings():
        client = server.open_client()
        client.create_namespace("a")
        for i in range(150):
            client.create_table(f"a.t{i:03}", SCHEMA)
        source = build_source(server, parallel=1)
        reading = source.read(build_context(graph, Naming(), Path(), source.source))

        def read_until_gone() -> Iterator[Item]:
            for i, one in enumerate(reading.items):
                if i == 20:
                    server.process.terminate()
                    server.process.wait()
                yield one

        loading = load_reading(graph, reading._replace(items=read_until_gone()), get_current_micros())
        assert 20 <= loading.new < 300
        assert loading.retracted == 0
        [refused] = loading.refused
        assert "the catalog does not answer" in str(refused)
        assert f"{loading.new // 2} tables and views were read" in str(refused)
        with pytest.raises(StoreUnavailable):
            source.read(build_context(graph, Naming(), Path(), source.source))


def test_threads_end_with_the_reading() -> None:
    results = run_in_parallel(iter(range(10_000)), lambda i: i * 2, 4)
    assert [next(results) for _ in range(40)] == [i * 2 for i in range(40)]
    results.close()
