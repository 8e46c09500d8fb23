"""DataHub: files that its own library wrote (scripts/record-datahub), and records written by hand after its metadata model.

No server of it runs here: DataHub's API is answered as it is documented.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph import model
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, EdgeType, Scope, build_column_key, build_dataset_key, build_owner_key, get_current_micros
from meshline.graph.naming import Naming
from meshline.graph.store.factory import open_store
from meshline.ingest.sources.base import Context, Entry
from meshline.ingest.sources.context import build_context
from meshline.ingest.sources.datahub import facts, parse
from meshline.ingest.sources.datahub.source import DataHub
from meshline.ingest.sources.datahub.urns import Names, convert_field_path, parse_dataset_urn, split_field_urn
from meshline.ingest.sources.reading_loader import Loading, load_reading
from tests.cli.command import run_command, run_successfully
from tests.ingest.sources.iceberg_catalog import count_outcomes, read_shown_attributes
from tests.ingest.sources.json_server import Answer, Asked, Failure, serve_json
from tests.ingest.sources.test_hive import list_flows

NAMESPACE = "postgres://db:5432"
PLATFORMS = {"postgres": NAMESPACE, "looker": "looker://looker.internal"}
ORDERS = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.orders,PROD)"
DAILY = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.daily,PROD)"
MODEL = "urn:li:dataset:(urn:li:dataPlatform:dbt,shop.public.daily,PROD)"
LATE, EARLY = 1_700_000_000_000, 1_600_000_000_000

Record = dict[str, Any]


def propose(urn: str, name: str, aspect: object, observed: int | None = EARLY, **others: object) -> Record:
    """A proposal (MCP) as the file sink writes it."""
    return {
        "entityType": urn.split(":")[2] if urn.startswith("urn:li:") else "dataset",
        "entityUrn": urn,
        "changeType": "UPSERT",
        "aspectName": name,
        "aspect": {"json": aspect},
        "systemMetadata": {"lastObserved": observed, "runId": "test"},
        **others,
    }


def build_event(urn: str, **aspects: object) -> Record:
    """An event (MCE): a snapshot with the aspects by their class, as `dataset_DatasetProperties`."""
    kind = urn.split(":")[2]
    name = f"com.linkedin.pegasus2avro.metadata.snapshot.{kind[0].upper()}{kind[1:]}Snapshot"
    parts = [{f"com.linkedin.pegasus2avro.{key.replace('_', '.')}": value} for key, value in aspects.items()]
    return {"auditHeader": None, "proposedSnapshot": {name: {"urn": urn, "aspects": parts}}, "proposedDelta": None}


def build_field(path: str, type_: str = "varchar", **others: object) -> Record:
    return {
        "fieldPath": path,
        "nullable": False,
        "type": {"type": {"com.linkedin.schema.StringType": {}}},
        "nativeDataType": type_,
        "recursive": False,
        **others,
    }


def build_field_urn(dataset: str, path: str) -> str:
    return f"urn:li:schemaField:({dataset},{path})"


def own(*owners: tuple[str, str]) -> Record:
    return {"owners": [{"owner": owner, "type": type_} for owner, type_ in owners], "ownerTypes": {}}


RECORDS: Sequence[Record] = (
    build_event(
        ORDERS,
        common_Status={"removed": False},
        dataset_DatasetProperties={
            "description": {"string": "all orders"},
            "name": {"string": "orders"},
            "tags": [],
            "customProperties": {"engine": "heap", "db_password": "hunter2"},
        },
        schema_SchemaMetadata={
            "schemaName": "orders",
            "platformSchema": {"com.linkedin.pegasus2avro.schema.MySqlDDL": {"tableSchema": ""}},
            "fields": [
                build_field("id", "bigint", description={"string": "the number"}, isPartOfKey=True),
                build_field("email", globalTags={"tags": [{"tag": "urn:li:tag:PII"}]}),
                build_field("[version=2.0].[type=Order].[type=Address].address.[type=string].city", nullable=True),
            ],
            "primaryKeys": None,
        },
        common_InstitutionalMemory={"elements": [{"url": "https://wiki.internal", "description": "x"}]},
    ),
    propose(ORDERS, "subTypes", {"typeNames": ["Table"]}),
    propose(
        ORDERS,
        "editableSchemaMetadata",
        {
            "editableSchemaFieldInfo": [
                {
                    "fieldPath": "email",
                    "description": "where the receipt goes",
                    "glossaryTerms": {"terms": [{"urn": "urn:li:glossaryTerm:Classification.Personal"}]},
                }
            ]
        },
    ),
    propose(ORDERS, "ownership", own(("urn:li:corpuser:ann", "DATAOWNER"), ("urn:li:corpGroup:9f3", "DATA_STEWARD"))),
    propose(ORDERS, "globalTags", {"tags": [{"tag": "urn:li:tag:gold"}, {"tag": "urn:li:tag:7c"}]}),
    propose(ORDERS, "domains", {"domains": ["urn:li:domain:d-1"]}),
    propose("urn:li:tag:7c", "tagProperties", {"name": "certified"}),
    propose("urn:li:glossaryTerm:Classification.Personal", "glossaryTermInfo", {"name": "Personal data", "definition": "of people"}),
    build_event(
        "urn:li:corpuser:ann", identity_CorpUserInfo={"active": True, "displayName": {"string": "Ann"}, "email": "Ann@example.com"}
    ),
    propose("urn:li:corpGroup:9f3", "corpGroupInfo", {"displayName": "Sales", "email": "sales@example.com", "members": [], "groups": []}),
    propose(
        "urn:li:domain:d-1", "domainProperties", {"name": "Orders", "description": "what is sold", "parentDomain": "urn:li:domain:d-0"}
    ),
    propose("urn:li:domain:d-0", "domainProperties", {"name": "Commerce"}),
    propose("urn:li:domain:d-0", "ownership", own(("urn:li:corpuser:bob@example.com", "BUSINESS_OWNER"))),
    propose(DAILY, "viewProperties", {"materialized": False, "viewLogic": "select email as mail from orders", "viewLanguage": "SQL"}),
    propose(DAILY, "schemaMetadata", {"fields": [build_field("mail"), build_field("total", "numeric")]}),
    propose(
        DAILY,
        "upstreamLineage",
        {
            "upstreams": [{"dataset": ORDERS, "type": "VIEW"}, {"dataset": MODEL, "type": "COPY"}],
            "fineGrainedLineages": [
                {
                    "upstreamType": "FIELD_SET",
                    "upstreams": [build_field_urn(ORDERS, "email")],
                    "downstreamType": "FIELD",
                    "downstreams": [build_field_urn(DAILY, "mail")],
                    "transformOperation": "COPY",
                },
                {
                    "upstreamType": "FIELD_SET",
                    "upstreams": [build_field_urn(ORDERS, "id"), build_field_urn(ORDERS, "address.city")],
                    "downstreamType": "FIELD_SET",
                    "downstreams": [build_field_urn(DAILY, "total")],
                },
            ],
        },
    ),
    propose(DAILY, "siblings", {"siblings": [MODEL], "primary": False}),
    propose("urn:li:dataProduct:p-1", "dataProductProperties", {"name": "Daily sales", "assets": [{"destinationUrn": DAILY}]}),
    propose("urn:li:dataProduct:p-1", "domains", {"domains": ["urn:li:domain:d-1"]}),
    build_event(
        "urn:li:chart:(looker,c1)",
        chart_ChartInfo={"title": "Mails", "description": "", "inputs": [{"string": DAILY}], "lastModified": {}},
    ),
    propose(
        "urn:li:chart:(looker,c1)",
        "inputFields",
        {
            "fields": [
                {"schemaFieldUrn": build_field_urn(DAILY, "mail"), "schemaField": build_field("mail")},
                {"schemaFieldUrn": "urn:li:schemaField:(urn:li:chart:(looker,c1),calc)"},
            ]
        },
    ),
    propose("urn:li:chart:(looker,c2)", "chartInfo", {"title": "Alone", "description": "", "inputEdges": [{"destinationUrn": ORDERS}]}),
    propose(
        "urn:li:dashboard:(looker,7)",
        "dashboardInfo",
        {
            "title": "Sales",
            "description": "what was sold",
            "charts": [],
            "chartEdges": [{"destinationUrn": "urn:li:chart:(looker,c1)"}],
            "datasets": [DAILY],
            "dashboardUrl": "https://looker.internal/dashboards/7",
        },
    ),
    propose("urn:li:dashboard:(looker,7)", "ownership", own(("urn:li:corpuser:ann", "TECHNICAL_OWNER"))),
)


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    store = open_store("sqlite://")
    yield LiveGraph.open(store)
    store.close()


def build_source(**keys: Any) -> DataHub:
    return DataHub(**{"files": ["datahub.json"], "platforms": PLATFORMS, **keys})


def load_records(graph: LiveGraph, folder: Path, records: object, **keys: Any) -> Loading:
    (folder / "datahub.json").write_text(records if isinstance(records, str) else json.dumps(records), "utf-8")
    source = build_source(**keys)
    return load_reading(graph, source.read(build_context(graph, Naming(), folder, source.source)), get_current_micros())


def build_key(name: str, column: str = "") -> AssetKey:
    dataset = Naming().normalise_dataset(NAMESPACE, f"shop.public.{name}")
    return build_column_key(dataset, column) if column else dataset


def list_owners(graph: LiveGraph, key: AssetKey) -> set[tuple[str, str]]:
    with graph.lock:
        node = graph.index.assets.find_by_key(key)
        assert node is not None
        return {(graph.index.assets.get_key(one.owner).name, one.type) for one in graph.index.ownership.list_direct_owners(node)}


def find_domain(graph: LiveGraph, key: AssetKey) -> str:
    with graph.lock:
        node = graph.index.assets.find_by_key(key)
        assert node is not None
        found = graph.index.ownership.find_domain(node)
        return "" if found is None else graph.index.assets.get_key(found).name


def is_possible(graph: LiveGraph, start: AssetKey, end: AssetKey) -> bool:
    """Whether a dataset flows into another as a whole."""
    with graph.lock:
        first, last = graph.index.assets.find_by_key(start), graph.index.assets.find_by_key(end)
        assert first is not None
        assert last is not None
        flows = graph.index.lineage.list_flows_from([first])
        rows = zip(flows.start.tolist(), flows.end.tolist(), flows.covered.tolist(), strict=True)
        return any(row == (first, last, False) for row in rows)


def list_consumed(graph: LiveGraph, name: str) -> set[str]:
    with graph.lock:
        node = graph.index.assets.find_by_key(model.build_consumer_key(name))
        assert node is not None
        edges = graph.index.ownership.list_edges(node, EdgeType.CONSUMES)
        return {graph.index.assets.get_key(edge.end).qualified_name.removeprefix("postgres://db/shop.public.") for edge in edges}


def test_datasets_have_columns_descriptions_tags_and_terms(graph: LiveGraph, tmp_path: Path) -> None:
    loading = load_records(graph, tmp_path, RECORDS)
    assert loading.refused == ()
    assert loading.warnings == (
        "1 dataset of dbt has the namespace datahub://dbt: state where they are with the key platforms (dbt: NAMESPACE)",
    )
    shown = read_shown_attributes(graph, build_key("orders"))
    assert (shown["description"], shown["tags"], shown["dataset_type"]) == ("all orders", ["certified", "gold"], "TABLE")
    assert shown["properties"] == {"engine": "heap"}, "what may be a secret is not shown"
    assert shown["datahub_urn"] == ORDERS
    assert "title" not in shown, "it is the end of the name"
    number = read_shown_attributes(graph, build_key("orders", "id"))
    assert (number["type"], number["description"], number["identifies"], number["nullable"]) == ("bigint", "the number", True, False)
    email = read_shown_attributes(graph, build_key("orders", "email"))
    assert (email["description"], email["tags"], email["glossary_terms"]) == ("where the receipt goes", ["PII"], ["Personal data"])
    assert read_shown_attributes(graph, build_key("orders", "address.city"))["nullable"] is True
    assert read_shown_attributes(graph, build_key("daily"))["sql"] == "select email as mail from orders"


def test_lineage_is_by_column_and_siblings_are_one_dataset(graph: LiveGraph, tmp_path: Path) -> None:
    load_records(graph, tmp_path, RECORDS)
    assert list_flows(graph, "shop.public.daily") == {
        ("shop.public.orders.email", "shop.public.daily.mail", "DIRECT", "IDENTITY"),
        ("shop.public.orders.id", "shop.public.daily.total", "DIRECT", ""),
        ("shop.public.orders.address.city", "shop.public.daily.total", "DIRECT", ""),
    }
    with graph.lock:
        assets = graph.index.assets
        assert assets.find_by_key(build_key("daily")) == assets.find_by_key(build_dataset_key("datahub://dbt", "shop.public.daily"))


def test_owners_are_people_and_teams_with_their_addresses(graph: LiveGraph, tmp_path: Path) -> None:
    load_records(graph, tmp_path, RECORDS)
    assert list_owners(graph, build_key("orders")) == {("Ann@example.com", "technical"), ("team:Sales", "steward")}
    assert list_owners(graph, model.build_domain_key("Commerce")) == {("bob@example.com", "business")}
    assert read_shown_attributes(graph, build_owner_key("Ann@example.com"))["title"] == "Ann"
    assert read_shown_attributes(graph, build_owner_key("team:Sales"))["email"] == "sales@example.com"


def test_domains_and_products(graph: LiveGraph, tmp_path: Path) -> None:
    load_records(graph, tmp_path, RECORDS)
    assert find_domain(graph, build_key("orders")) == "Orders"
    assert find_domain(graph, model.build_domain_key("Orders")) == "Commerce"
    assert find_domain(graph, model.build_data_product_key("Daily sales")) == "Orders"
    assert find_domain(graph, build_key("daily")) == "Orders", "the domain of its product"


def test_ports_of_a_product_are_the_assets_that_are_marked_so(graph: LiveGraph, tmp_path: Path) -> None:
    assets = [{"destinationUrn": DAILY, "outputPort": True}, {"destinationUrn": ORDERS}, {"destinationUrn": "urn:li:chart:(looker,c1)"}]
    product = propose("urn:li:dataProduct:p-1", "dataProductProperties", {"name": "Daily sales", "assets": assets}, LATE)
    load_records(graph, tmp_path, [*RECORDS, product])
    with graph.lock:
        node = graph.index.assets.find_by_key(model.build_data_product_key("Daily sales"))
        assert node is not None
        ports = graph.index.ownership.list_edges(node, EdgeType.PORT)
        assert [graph.index.assets.get_key(edge.end) for edge in ports] == [build_key("daily")]
        orders = graph.index.assets.find_by_key(build_key("orders"))
        assert orders is not None
        assert graph.index.ownership.find_product(orders) == node, "the others are members"


def test_dashboards_consume_the_columns_of_their_charts(graph: LiveGraph, tmp_path: Path) -> None:
    load_records(graph, tmp_path, RECORDS)
    assert list_consumed(graph, "Sales") == {"daily.mail"}
    assert list_consumed(graph, "Alone") == {"orders"}, "a chart that states no columns consumes its dataset as a whole"
    shown = read_shown_attributes(graph, model.build_consumer_key("Sales"))
    assert (shown["consumer_type"], shown["tool"], shown["url"]) == ("dashboard", "looker", "https://looker.internal/dashboards/7")
    assert list_owners(graph, model.build_consumer_key("Sales")) == {("Ann@example.com", "technical")}


def test_what_is_removed_is_retracted(graph: LiveGraph, tmp_path: Path) -> None:
    first = load_records(graph, tmp_path, RECORDS)
    assert count_outcomes(load_records(graph, tmp_path, RECORDS)) == (0, 0, first.new, 0, 0)
    removed = [propose(urn, "status", {"removed": True}, LATE) for urn in (ORDERS, "urn:li:dashboard:(looker,7)")]
    deleted = propose("urn:li:dataProduct:p-1", "dataProductKey", None, LATE, changeType="DELETE")
    loading = load_records(graph, tmp_path, [*RECORDS, *removed, deleted])
    with graph.lock:
        assets = graph.index.assets
        for key in (model.build_consumer_key("Sales"), model.build_data_product_key("Daily sales"), build_key("orders", "nullable")):
            node = assets.find_by_key(key)
            assert node is None or not assets.is_described(node), f"{key} is still there"
    assert (loading.retracted, loading.refused) == (5, ()), "the table, the dashboard, the product, and two owners of nothing more"


def test_the_last_observed_aspect_counts(graph: LiveGraph, tmp_path: Path) -> None:
    later = propose(ORDERS, "datasetProperties", {"description": "newer"}, LATE)
    load_records(graph, tmp_path, [later, *RECORDS, propose(ORDERS, "datasetProperties", {"description": "older"}, EARLY)])
    assert read_shown_attributes(graph, build_key("orders"))["description"] == "newer"


def test_what_its_own_library_writes(graph: LiveGraph, tmp_path: Path) -> None:
    text = Path(__file__).with_name("datahub_records.json").read_text("utf-8")
    loading = load_records(graph, tmp_path, text)
    assert (loading.refused, loading.warnings) == ((), ())
    assert list_flows(graph, "shop.public.daily") == {
        ("shop.public.orders (old, kept).e,mail", "shop.public.daily.mail", "DIRECT", ""),
        ("shop.public.orders (old, kept).id", "shop.public.daily.total", "DIRECT", ""),
    }
    orders = build_key("orders (old, kept)")
    assert list_owners(graph, orders) == {("ann@example.com", "technical"), ("team:Sales", "steward")}
    assert find_domain(graph, orders) == "Orders"
    email = read_shown_attributes(graph, build_column_key(orders, "e,mail"))
    assert (email["tags"], email["nullable"], email["type"]) == (["pii"], True, "varchar")
    assert read_shown_attributes(graph, build_column_key(orders, "id"))["identifies"] is True
    assert list_consumed(graph, "Sales") == {"daily.mail"}
    assert list_flows(graph, "shop.public.report") == {("shop.public.daily.mail", "shop.public.report.mail", "DIRECT", "IDENTITY")}
    assert is_possible(graph, orders, build_key("report"))
    job = model.build_job_key("datahub://airflow", "nightly.load daily")
    shown = read_shown_attributes(graph, job)
    assert (shown["sql"], shown["url"]) == ("select mail", "https://airflow.internal/nightly")
    assert list_owners(graph, job) == {("ann@example.com", "technical"), ("team:Sales", "steward")}
    with graph.lock:
        assert graph.index.assets.find_by_key(build_key("gone")) is None
        product = graph.index.assets.find_by_key(model.build_data_product_key("Daily sales"))
        daily = graph.index.assets.find_by_key(build_key("daily"))
        assert product is not None
        assert daily is not None
        assert graph.index.ownership.find_product(daily) == product


def read_contents(records: Sequence[Record], folder: Path) -> Mapping[Scope, bytes]:
    (folder / "datahub.json").write_text("\n".join(map(json.dumps, records)), "utf-8")
    items = list(build_source().read(Context(Naming(), folder)).items)
    entries = [item for item in items if isinstance(item, Entry)]
    assert len(entries) == len(items), "nothing is refused"
    assert len({entry.scope for entry in entries}) == len(entries), "no scope is stated twice"
    return {entry.scope: entry.content.digest for entry in entries}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.permutations(RECORDS))
def test_the_order_of_records_does_not_matter(tmp_path: Path, records: Sequence[Record]) -> None:
    assert read_contents(records, tmp_path) == read_contents(RECORDS, tmp_path)


def wrap_aspect(record: Record) -> Record:
    """A record with its aspect as it is sent to a server."""
    if "aspect" not in record:
        return record
    return {**record, "aspect": {"value": json.dumps(record["aspect"]["json"]), "contentType": "application/json"}}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(RECORDS, indent=4),
        "\r\n\n".join(map(json.dumps, RECORDS)) + "\n",
        json.dumps([wrap_aspect(one) for one in RECORDS]),
    ],
    ids=["array", "lines", "as sent to a server"],
)
def test_forms_of_files(tmp_path: Path, text: str) -> None:
    expected = read_contents(RECORDS, tmp_path)
    (tmp_path / "datahub.json").write_text(text, "utf-8")
    items = build_source().read(Context(Naming(), tmp_path)).items
    assert {item.scope: item.content.digest for item in items if isinstance(item, Entry)} == expected


def test_a_single_record_over_several_lines(graph: LiveGraph, tmp_path: Path) -> None:
    assert count_outcomes(load_records(graph, tmp_path, json.dumps(RECORDS[0], indent=2))) == (1, 0, 0, 0, 0)


def name_dataset(urn: str, platforms: Mapping[str, Any], own: Mapping[str, str] | None = None, **instances: set[str]) -> str:
    return (
        Names(DataHub(files=("x",), platforms=platforms).platforms, instances, own or {}, Context(Naming(), Path()))
        .build_key(urn)
        .qualified_name
    )


@pytest.mark.parametrize(
    ("platform", "name", "platforms", "expected"),
    [
        ("postgres", "shop.public.orders", {"postgres": "postgresql://db:5432"}, "postgres://db/shop.public.orders"),
        ("postgres", "crm.shop.public.orders", {"postgres/crm": "postgres://crm"}, "postgres://crm/shop.public.orders"),
        ("postgres", "shop.public.orders", {}, "datahub://postgres/shop.public.orders"),
        ("bigquery", "project.sales.orders", {}, "bigquery/project.sales.orders"),
        ("s3", "lake/raw/orders", {}, "s3://lake/raw/orders"),
        ("gcs", "lake/raw/orders", {}, "gs://lake/raw/orders"),
        ("s3", "lake", {}, "datahub://s3/lake"),
        ("glue", "shop.orders", {"glue": "arn:aws:glue:eu-west-1:123"}, "arn:aws:glue:eu-west-1:123/table/shop/orders"),
        ("snowflake", "shop.public.orders", {"snowflake": "snowflake://acme"}, "snowflake://acme/SHOP.PUBLIC.ORDERS"),
        ("snowflake", 'shop.public."Mixed"', {"snowflake": "snowflake://acme"}, 'snowflake://acme/shop.public."Mixed"'),
        (
            "snowflake",
            "shop.public.orders",
            {"snowflake": {"namespace": "snowflake://acme", "case": "keep"}},
            "snowflake://acme/shop.public.orders",
        ),
        ("hive", "a%2Cb%28c%29.t%25x", {"hive": "hive://hms"}, "hive://hms/a,b(c).t%25x"),
        ("hive", "a(b),c", {"hive": "hive://hms"}, "hive://hms/a(b),c"),
    ],
)
def test_names_are_those_of_openlineage(platform: str, name: str, platforms: Mapping[str, Any], expected: str) -> None:
    assert name_dataset(f"urn:li:dataset:(urn:li:dataPlatform:{platform},{name},PROD)", platforms) == expected


def test_environments_are_not_mixed() -> None:
    urn = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.orders,DEV)"
    assert name_dataset(urn, PLATFORMS) == "datahub://postgres@DEV/shop.public.orders"
    assert name_dataset(urn, {"postgres@DEV": "postgres://dev"}) == "postgres://dev/shop.public.orders"


def test_an_instance_begins_the_name_if_it_is_known() -> None:
    urn = "urn:li:dataset:(urn:li:dataPlatform:postgres,crm.shop.public.orders,PROD)"
    assert name_dataset(urn, PLATFORMS) == "postgres://db/crm.shop.public.orders"
    assert name_dataset(urn, PLATFORMS, postgres={"crm", "c"}) == "datahub://postgres/crm/shop.public.orders"
    assert name_dataset(urn, PLATFORMS, {urn: ""}, postgres={"crm"}) == "postgres://db/crm.shop.public.orders", "it states that it has none"


def test_columns_of_snowflake_are_written_as_it_writes_them(graph: LiveGraph, tmp_path: Path) -> None:
    urn = "urn:li:dataset:(urn:li:dataPlatform:snowflake,shop.public.orders,PROD)"
    records = [propose(urn, "schemaMetadata", {"fields": [build_field("id"), build_field("Mixed")]})]
    load_records(graph, tmp_path, records, platforms={"snowflake": "snowflake://acme"})
    dataset = build_dataset_key("snowflake://acme", "SHOP.PUBLIC.ORDERS")
    columns = build_context(graph, Naming(), tmp_path, None).columns_of(dataset)
    assert {column.name for column in columns} == {"ID", "Mixed"}


@pytest.mark.parametrize("key", ["", "@DEV", "/crm", "postgres/", "a b", "postgres@"])
def test_a_key_of_platforms_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(ValidationError):
        build_source(platforms={key: "x"})


@pytest.mark.parametrize(
    "urn",
    [
        "",
        "urn:li:dataset:",
        "urn:li:dataset:(x,y,PROD)",
        "urn:li:dataset:(urn:li:dataPlatform:,x,PROD)",
        "urn:li:dataset:(urn:li:dataPlatform:hive,,PROD)",
        "urn:li:dataset:(urn:li:dataPlatform:hive,x\n,PROD)",
        f"urn:li:dataset:(urn:li:dataPlatform:hive,{'x' * 1001},PROD)",
        f"urn:li:dataset:(urn:li:dataPlatform:hive,{',' * 100_000}",
    ],
)
def test_a_urn_that_is_none_is_refused(urn: str, graph: LiveGraph, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no URN of a dataset|more than 1000 characters"):
        parse_dataset_urn(urn)
    bad = {"upstreams": [{"dataset": urn}], "fineGrainedLineages": [{"upstreams": [urn], "downstreams": [urn]}]}
    loading = load_records(graph, tmp_path, [propose(DAILY, "upstreamLineage", bad)])
    assert loading.refused == (), "the dataset itself is known"
    assert len(loading.warnings) >= 1
    assert load_records(graph, tmp_path, [propose(DAILY, "status", {}), propose(urn, "status", {"removed": False})]).retracted == 0


def test_field_urns_are_split_where_the_dataset_ends() -> None:
    assert split_field_urn(build_field_urn(ORDERS, "a.b")) == (ORDERS, "a.b")
    assert split_field_urn(build_field_urn(ORDERS, "f%28x%2Cy%29")) == (ORDERS, "f(x,y)")
    assert split_field_urn(build_field_urn(ORDERS, "[version=2.0].[type=struct].[type=array].[type=X].items.[type=int].n")) == (
        ORDERS,
        "items.n",
    )
    assert split_field_urn("urn:li:schemaField:(urn:li:chart:(looker,c1),calc)") is None
    assert convert_field_path("[version=2.0].[key=True].[type=int].id") == "id"
    assert convert_field_path("plain[0].x") == "plain[0].x"


def test_records_that_cannot_be_read_are_refused_alone_and_their_entities_remain(graph: LiveGraph, tmp_path: Path) -> None:
    load_records(graph, tmp_path, RECORDS)
    wrong = propose(ORDERS, "ownership", {"owners": [{"owner": 7}]}, LATE)
    chart = propose("urn:li:chart:(looker,c1)", "inputFields", {"fields": "none"}, LATE)
    loading = load_records(graph, tmp_path, [*RECORDS, wrong, chart, propose("nonsense", "status", {})])
    place = f"datahub.json: record {len(RECORDS) + 1}"
    assert str(loading.refused[0]).startswith(f"{place}: {ORDERS}: this record cannot be read: Expected `str`, got `int`")
    assert "'nonsense' is no URN of at most 4000 printable characters" in str(loading.refused[2])
    assert (len(loading.refused), loading.changed, loading.retracted) == (3, 0, 0)
    assert list_owners(graph, build_key("orders")) == {("Ann@example.com", "technical"), ("team:Sales", "steward")}
    assert list_consumed(graph, "Sales") == {"daily.mail"}, "a dashboard of a chart that cannot be read remains"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty; accepted are records of DataHub's file sink"),
        ("[{]", "this is not JSON"),
        ("[1]", "record 1: this record cannot be read: Expected `object`, got `int`"),
        ('{"a": 1}', "is no URN of at most"),
        ('{\n"a"', "this is not JSON"),
        ("[" * 100_000, "this JSON cannot be read|this is not JSON"),
        ('{"entityUrn": "urn:li:tag:a", "aspectName": "tagProperties"}', "it has neither json nor value"),
        ('{"entityUrn": "urn:li:tag:a"}', "it names no aspect"),
        ('{"entityUrn": "urn:li:tag:\\u202e"}', "printable"),
        (
            '{"entityUrn": "urn:li:tag:a", "aspectName": "tagProperties", "aspect": {"value": "{"}}',
            "urn:li:tag:a: this record cannot be read",
        ),
        ('{"entityUrn": "urn:li:tag:a", "aspectName": "tagProperties", "aspect": {"json": ' + "[" * 5000 + "]" * 5000 + "}}", "too deeply"),
    ],
)
def test_files_that_are_none(graph: LiveGraph, tmp_path: Path, text: str, message: str) -> None:
    load_records(graph, tmp_path, RECORDS)
    loading = load_records(graph, tmp_path, text)
    assert len(loading.refused) == 1
    with pytest.raises(InvalidInput, match=message):
        raise loading.refused[0]


def test_a_file_that_is_missing_is_refused_and_nothing_is_retracted(graph: LiveGraph, tmp_path: Path) -> None:
    load_records(graph, tmp_path, RECORDS)
    loading = load_records(graph, tmp_path, RECORDS[:1], files=["datahub.json", "missing.json"])
    assert (len(loading.refused), loading.retracted) == (1, 0)


def test_names_that_two_entities_have(graph: LiveGraph, tmp_path: Path) -> None:
    domains = [propose(f"urn:li:domain:{one}", "domainProperties", {"name": "Sales", "parentDomain": "urn:li:domain:a"}) for one in "ab"]
    load_records(graph, tmp_path, domains)
    assert find_domain(graph, model.build_domain_key("Sales (b)")) == "Sales"


def test_what_is_not_read_is_counted(graph: LiveGraph, tmp_path: Path) -> None:
    patch = propose(ORDERS, "globalTags", [{"op": "add", "path": "/tags/x", "value": {}}], changeType="PATCH")
    warnings = load_records(graph, tmp_path, [patch]).warnings
    assert warnings == ("1 record of changeType PATCH not read: they need what a server has; export the aspects as a whole",)


JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,shop,PROD),load)"


def state_lineage(inputs: Sequence[str], outputs: Sequence[str], *fine: Record) -> Record:
    return propose(JOB, "dataJobInputOutput", {"inputDatasets": inputs, "outputDatasets": outputs, "fineGrainedLineages": list(fine)})


def build_fine(start: str, end: str, operation: str | None = None) -> Record:
    return {"upstreams": [start], "downstreams": [end], "transformOperation": operation}


@pytest.mark.parametrize(
    ("operation", "flow"),
    [
        (None, ("shop.public.orders.email", "shop.public.daily.mail", "DIRECT", "")),
        ("INDIRECT:FILTER", ("shop.public.orders.email", "shop.public.daily.mail", "INDIRECT", "FILTER")),
        ("INDIRECT:JOIN:DATASET", ("shop.public.orders.email", "shop.public.daily", "INDIRECT", "JOIN")),
    ],
)
def test_data_jobs_are_jobs_through_which_columns_flow(
    graph: LiveGraph, tmp_path: Path, operation: str | None, flow: tuple[str, str, str, str]
) -> None:
    fine = build_fine(build_field_urn(ORDERS, "email"), build_field_urn(DAILY, "mail"), operation)
    loading = load_records(graph, tmp_path, [state_lineage([ORDERS], [DAILY], fine)], platforms={**PLATFORMS, "airflow": "prod"})
    assert (loading.refused, loading.warnings) == ((), ())
    assert list_flows(graph, "shop.public.daily") == {flow}
    key = model.build_job_key("prod", "shop.load")
    with graph.lock:
        node = graph.index.assets.find_by_key(key)
        assert node is not None
        reads, writes = (graph.index.ownership.list_edges(node, type_) for type_ in (EdgeType.READS, EdgeType.WRITES))
        assert [graph.index.assets.get_key(edge.end) for edge in (*reads, *writes)] == [build_key("orders"), build_key("daily")]


def test_inputs_without_lineage_of_columns_flow_as_a_whole(graph: LiveGraph, tmp_path: Path) -> None:
    fine = build_fine(build_field_urn(ORDERS, "email"), build_field_urn(DAILY, "mail"))
    load_records(graph, tmp_path, [state_lineage([ORDERS, MODEL], [DAILY], fine)])
    assert list_flows(graph, "shop.public.daily") == {("shop.public.orders.email", "shop.public.daily.mail", "DIRECT", "")}
    assert is_possible(graph, build_dataset_key("datahub://dbt", "shop.public.daily"), build_key("daily"))
    assert not is_possible(graph, build_key("orders"), build_key("daily")), "its columns are known"


def test_a_data_job_that_is_none_is_refused(graph: LiveGraph, tmp_path: Path) -> None:
    bad = propose("urn:li:dataJob:(x,load)", "dataJobInputOutput", {})
    loading = load_records(graph, tmp_path, [bad])
    assert [str(one) for one in loading.refused] == [
        "urn:li:dataJob:(x,load): this is no URN of a data job; accepted is urn:li:dataJob:(FLOW,ID)"
    ]


def answer_as_server(records: Sequence[Record], page: int) -> Answer:
    """Pages of entities as DataHub's OpenAPI (v3) describes them."""
    entities: dict[str, Record] = {}
    for record in records:
        if "aspect" in record:
            entities.setdefault(record["entityUrn"], {})[record["aspectName"]] = {"value": record["aspect"]["json"]}
        else:
            (snapshot,) = record["proposedSnapshot"].values()
            for aspect in snapshot["aspects"]:
                (name, value), *_ = aspect.items()
                short = name.rpartition(".")[2]
                entities.setdefault(snapshot["urn"], {})[short[0].lower() + short[1:]] = {"value": value}

    def answer(asked: Asked) -> object:
        if asked.authorization != "Bearer secret":
            return Failure(401, {"message": "no"})
        type_ = asked.path.removeprefix("/openapi/v3/entity/")
        if type_ == "corpgroup":
            return Failure(404, {"message": "unknown"})
        found = [{"urn": urn, **aspects} for urn, aspects in entities.items() if urn.split(":")[2].lower() == type_]
        first = int(asked.parameters.get("scrollId", "0"))
        more = {"scrollId": str(first + page)} if first + page < len(found) else {}
        return {"entities": found[first : first + page], **more}

    return answer


def test_a_server_states_what_its_export_states(graph: LiveGraph, tmp_path: Path) -> None:
    with serve_json(answer_as_server(RECORDS, 2)) as url:
        source = build_source(files=(), url=url, token="${TOKEN}")
        context = build_context(graph, Naming(), tmp_path, source.source)._replace(variables={"TOKEN": "secret"}.get)
        loading = load_reading(graph, source.read(context), get_current_micros())
        assert loading.refused == ()
        assert any("entities of the type corpgroup are not read" in warning for warning in loading.warnings)
        refused = build_source(files=(), url=url, token="wrong")
        with pytest.raises(StoreUnavailable, match="refuses access"):
            refused.read(context)
    other = LiveGraph.open(open_store("sqlite://"))
    load_records(other, tmp_path, [one for one in RECORDS if one.get("entityUrn") != "urn:li:corpGroup:9f3"])
    with graph.lock, other.lock:
        first, second = graph.index.dump(), other.index.dump()
        assert (first.assets, first.flows) == (second.assets, second.flows)


def test_either_files_or_an_address_is_given() -> None:
    for keys in ({"files": ()}, {"url": "http://datahub"}):
        with pytest.raises(ValidationError, match="either files or url"):
            build_source(**keys)


def test_limits(graph: LiveGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "MAX_COLUMNS", 2)
    loading = load_records(graph, tmp_path, RECORDS)
    assert str(loading.refused[0]) == f"{ORDERS}: the dataset has more than 2 columns"
    monkeypatch.setattr(facts, "MAX_FLOWS", 1)
    loading = load_records(graph, tmp_path, RECORDS)
    assert str(loading.refused[0]) == f"{DAILY}: more than 1 flows of columns into the dataset"
    monkeypatch.setattr(parse, "MAX_REFUSED", 2)
    loading = load_records(graph, tmp_path, "x\n" * 1000)
    assert len(loading.refused) == 3
    assert "datahub.json:3: more than 2 records cannot be read" in str(loading.refused[2])


def test_the_command_reads_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datahub.json").write_text(json.dumps(RECORDS), "utf-8")
    arguments = ("ingest", "datahub", "*.json", "--platform", f"postgres={NAMESPACE}", "--store", "sqlite:///graph.db")
    done = run_successfully(*arguments)
    assert "10 new, 0 changed, 0 retracted, 0 refused" in done.err
    assert "1 dataset of dbt has the namespace datahub://dbt" in done.err
    assert "10 unchanged" in run_successfully(*arguments).err
    refused = run_command("ingest", "datahub", "datahub.json", "--platform", "postgres", "--store", "sqlite:///graph.db")
    assert refused.code == 2
    assert "--platform: accepted are settings such as KEY=VALUE" in refused.err
