"""Events in the form that real producers send (docs/openlineage.md): each rule that was learnt by running them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from meshline.graph.index import Direction
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, EdgeType, build_column_key, build_dataset_key
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, Received
from tests.ingest.lineage_events import (
    CLOCK,
    Event,
    Graph,
    build_dataset,
    build_event,
    build_lineage_facet,
    build_schema_facet,
    build_source_field,
    format_column_flows,
    format_dataset_flows,
    format_edges,
    ingest_each,
    ingest_groups,
    read_observable_state,
    to_micros,
)

CORPUS = os.environ.get("MESHLINE_CORPUS")
DB = "postgres://warehouse"
INSERT = """TRUNCATE mart.revenue; -- once a night
INSERT INTO mart.revenue (customer_id, email, total)
WITH paid AS (SELECT customer_id, amount FROM raw.orders WHERE status = 'PAID')
SELECT c.id, lower(c.email), sum(p.amount) FROM raw.customers c JOIN paid p ON p.customer_id = c.id GROUP BY 1, 2"""


def receive_event(of: Event) -> Received:
    body = json.dumps(of).encode()
    return Received(DEFAULT_SOURCE, ingest_groups().builder.parser.parse(body, CLOCK), CLOCK, body)


def build_input_field(name: str, column: str) -> Event:
    """An input field as openlineage-sql names it: without any transformation."""
    return {"namespace": DB, "name": name, "field": column}


def build_insert_event(minute: float = 1, *, query: str = INSERT, integration: str = "AIRFLOW", listed: tuple[str, ...] = ()) -> Event:
    """An INSERT whose SELECT list has other names than the columns that it fills."""
    facet = build_lineage_facet(
        id=[build_input_field("shop.raw.customers", "id")],
        _0=[build_input_field("shop.raw.customers", "email")],
        _1=[build_input_field("shop.raw.orders", "amount")],
    )
    output = build_dataset(
        "shop.mart.revenue", DB, schema=build_schema_facet(*(listed or ("customer_id", "email", "total"))), columnLineage=facet
    )
    customers = build_dataset("shop.raw.customers", DB, schema=build_schema_facet("id", "email", "country"))
    facets: dict[str, Any] = {"jobType": {"integration": integration, "processingType": "BATCH", "jobType": "TASK"}}
    if query:
        facets["sql"] = {"query": query}
    return build_event("COMPLETE", minute, [customers], [output], job_facets=facets)


def build_query_event(query: str, *names: str, listed: tuple[str, ...], integration: str = "AIRFLOW") -> Event:
    """The event that openlineage-sql makes of a query: each column is derived from the one of its name, `_0` from `email`."""
    facet = build_lineage_facet(**{name: [build_input_field("shop.raw.customers", "email" if name == "_0" else name)] for name in names})
    known = {"schema": build_schema_facet(*listed)} if listed else {}
    customers = build_dataset("shop.raw.customers", DB, schema=build_schema_facet("id", "email", "country", "status"))
    facets = {"jobType": {"integration": integration, "processingType": "BATCH", "jobType": "TASK"}, "sql": {"query": query}}
    return build_event(
        "COMPLETE", 1, [customers], [build_dataset("shop.mart.revenue", DB, columnLineage=facet, **known)], job_facets=facets
    )


def read_written(known: Graph) -> Any:
    return known.read_facts("job-output", "jobs", "etl", DB, "shop.mart.revenue")


# -- columns that the output does not have


def test_an_insert_by_position_is_read_from_its_sql() -> None:
    facts = read_written(ingest_each(build_insert_event()))
    assert {flow for flow in format_column_flows(facts) if " INDIRECT " not in flow} == {
        "shop.raw.customers.id -> shop.mart.revenue.customer_id IDENTITY",
        "shop.raw.customers.email -> shop.mart.revenue.email TRANSFORMATION",
        "shop.raw.orders.amount -> shop.mart.revenue.total AGGREGATION",
    }
    assert "shop.raw.orders.status -> shop.mart.revenue.* INDIRECT FILTER" in format_column_flows(facts)
    assert format_dataset_flows(facts) == {"shop.raw.customers -> shop.mart.revenue": True, "shop.raw.orders -> shop.mart.revenue": True}
    assert "etl READS shop.raw.orders" in format_edges(facts)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "INSERT INTO mart.revenue SELECT FROM WHERE",  # no SQL
        "INSERT INTO mart.other (a) SELECT c.id FROM raw.customers c",  # another table
        "INSERT INTO mart.revenue (foreign_key) SELECT c.id FROM raw.customers c",  # contradicts the schema, too
        "INSERT INTO revenue (customer_id) SELECT id FROM unheard_of",  # a schema that is not known
        INSERT + " -- " + "x" * 50_000,  # too long
    ],
)
def test_without_sql_that_fits_the_pairs_are_at_the_level_of_datasets(query: str) -> None:
    facts = read_written(ingest_each(build_insert_event(query=query)))
    assert format_column_flows(facts) == set()
    assert format_dataset_flows(facts) == {"shop.raw.customers -> shop.mart.revenue": False, "shop.raw.orders -> shop.mart.revenue": False}


def test_without_sqlglot_the_pairs_are_at_the_level_of_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("meshline.sql")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    assert set(format_dataset_flows(read_written(ingest_each(build_insert_event()))).values()) == {False}


def test_columns_that_the_output_has_keep_their_lineage() -> None:
    facts = read_written(ingest_each(build_insert_event(query="", listed=("id", "email", "total"))))
    assert format_column_flows(facts) == {"shop.raw.customers.id -> shop.mart.revenue.id"}
    assert set(format_dataset_flows(facts).values()) == {False}


def test_a_schema_that_may_lack_columns_contradicts_nothing() -> None:
    """dbt-ol lists the columns that the project documents."""
    facts = read_written(ingest_each(build_insert_event(query="", integration="DBT", listed=("customer_id",))))
    assert "shop.raw.customers.id -> shop.mart.revenue.id" in format_column_flows(facts)
    assert format_dataset_flows(facts) == {"shop.raw.customers -> shop.mart.revenue": True}


def test_nested_columns_and_other_cases_are_columns_of_the_output() -> None:
    facet = build_lineage_facet(**{"ID": [build_source_field("a", "id")], "ship.zip": [build_source_field("a", "zip")]})
    known = ingest_each(
        build_event("COMPLETE", 1, [build_dataset("a")], [build_dataset("b", schema=build_schema_facet("id", "ship"), columnLineage=facet)])
    )
    assert format_dataset_flows(known.read_output_facts("b")) == {"a -> b": True}


def test_a_sibling_that_knows_the_columns_covers_a_contradicted_pair() -> None:
    wrong = build_dataset("b", schema=build_schema_facet("x"), columnLineage=build_lineage_facet(_0=[build_source_field("a", "id")]))
    right = build_dataset("b", schema=build_schema_facet("x"), columnLineage=build_lineage_facet(x=[build_source_field("a", "id")]))
    first = build_event("COMPLETE", 1, [build_dataset("a")], [wrong], job="one", parent=1)
    second = build_event("COMPLETE", 2, [build_dataset("a")], [right], job="two", run=2, parent=1)
    for events in ([first, second], [second, first]):
        assert format_dataset_flows(ingest_each(*events).read_output_facts("b", job="one")) == {"a -> b": True}


def test_the_answer_to_the_event_names_the_columns() -> None:
    (note,) = ingest_groups().builder.parser.parse(json.dumps(build_insert_event()).encode(), CLOCK).warnings
    assert note.where == "$.outputs[0].facets.columnLineage"
    assert "id, _0, _1" in note.what
    for fitting in (build_insert_event(integration="DBT"), build_insert_event(listed=("id", "_0", "_1"))):
        assert ingest_groups().builder.parser.parse(json.dumps(fitting).encode(), CLOCK).warnings == ()


@pytest.mark.parametrize("listed", [(), ("id", "email", "country")])
def test_filters_that_airflow_never_states_are_read_from_the_sql(listed: tuple[str, ...]) -> None:
    """openlineage-sql states no filter and no join, also where its columns are right: that is no proof of there being none."""
    query = "CREATE TABLE mart.revenue AS SELECT id, email, country FROM raw.customers WHERE status = 'ACTIVE'"
    facts = read_written(ingest_each(build_query_event(query, "id", "email", "country", listed=listed)))
    assert "shop.raw.customers.email -> shop.mart.revenue.email IDENTITY" in format_column_flows(facts)
    assert "shop.raw.customers.status -> shop.mart.revenue.* INDIRECT FILTER" in format_column_flows(facts)
    assert format_dataset_flows(facts) == {"shop.raw.customers -> shop.mart.revenue": True}


def test_columns_of_an_insert_that_has_them_in_another_order() -> None:
    """All names are the table's, and yet they are those of the SELECT list, not of the columns that it fills."""
    query = "INSERT INTO mart.revenue (id, email, country) SELECT id, country, email FROM raw.customers"
    facts = read_written(ingest_each(build_query_event(query, "id", "email", "country", listed=("id", "email", "country"))))
    assert format_column_flows(facts) == {
        "shop.raw.customers.id -> shop.mart.revenue.id IDENTITY",
        "shop.raw.customers.country -> shop.mart.revenue.email IDENTITY",
        "shop.raw.customers.email -> shop.mart.revenue.country IDENTITY",
    }


def test_an_insert_into_a_table_whose_columns_the_event_does_not_list() -> None:
    query = "INSERT INTO mart.revenue (customer_id, mail) SELECT id, lower(email) FROM raw.customers"
    facts = read_written(ingest_each(build_query_event(query, "id", "_0", listed=())))
    assert format_column_flows(facts) == {
        "shop.raw.customers.id -> shop.mart.revenue.customer_id IDENTITY",
        "shop.raw.customers.email -> shop.mart.revenue.mail TRANSFORMATION",
    }


@pytest.mark.parametrize(
    ("query", "integration"),
    [
        ("INSERT INTO mart.revenue SELECT FROM WHERE", "AIRFLOW"),
        ("CREATE TABLE mart.revenue AS SELECT id, email FROM raw.customers WHERE status = 'ACTIVE'", "DBT"),
    ],
)
def test_statements_of_a_producer_are_kept_where_its_sql_is_not_read(query: str, integration: str) -> None:
    facts = read_written(ingest_each(build_query_event(query, "id", "email", listed=("id", "email"), integration=integration)))
    assert format_column_flows(facts) == {
        "shop.raw.customers.id -> shop.mart.revenue.id",
        "shop.raw.customers.email -> shop.mart.revenue.email",
    }


@pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set: there is no recording of Airflow")
def test_recorded_events_of_airflow() -> None:
    lines = (Path(CORPUS or "") / "reproductions" / "airflow-insert-by-position.ndjson").read_text(encoding="utf-8").splitlines()
    known = ingest_each(*map(json.loads, lines))
    (facts,) = [known.read_facts(*scope) for scope in known.find_heads("job-output")]
    assert {flow.end.name for flow in facts.flows if flow.end.kind is AssetKind.COLUMN} == {"customer_id", "email", "country", "revenue"}
    assert "shop.raw.orders.status -> shop.mart.customer_revenue.* INDIRECT FILTER" in format_column_flows(facts)


# -- what openlineage-sql never states

DBT_EVENTS = Path(__file__).parents[2] / "examples" / "mesh" / "events" / "dbt.ndjson"


def read_silent_producers(known: Graph, of: AssetKey) -> tuple[int, tuple[str, ...]]:
    """The producers without filters that an impact of an asset shows."""
    index = LiveGraph.open(known.store).index
    node = index.assets.find_by_key(of)
    assert node is not None
    found = index.lineage.traverse([node], Direction.DOWNSTREAM).completeness
    return found.silent_on_filters, found.silent_producers


def test_an_impact_counts_the_jobs_of_airflow_whose_sql_could_not_be_read() -> None:
    listed = "customer_id", "email", "total", "id", "_0", "_1"
    customers = build_column_key(build_dataset_key(DB, "shop.raw.customers"), "country")
    assert read_silent_producers(ingest_each(build_insert_event(query="{{ templated }}", listed=listed)), customers) == (1, ("AIRFLOW",))
    assert read_silent_producers(ingest_each(build_insert_event()), customers) == (0, ())
    plain = "CREATE TABLE mart.revenue AS SELECT id, email FROM raw.customers"
    assert read_silent_producers(ingest_each(build_query_event(plain, "id", "email", listed=("id", "email"))), customers) == (0, ()), (
        "it was read, and has no filter"
    )


def test_where_all_is_possible_nothing_is_missing() -> None:
    assert read_silent_producers(
        ingest_each(build_insert_event(query="")), build_column_key(build_dataset_key(DB, "shop.raw.customers"), "country")
    ) == (
        0,
        (),
    )


def test_an_impact_counts_the_jobs_of_dbt() -> None:
    """Events of dbt-ol: two staging tables, and the marts that are built from them."""
    known = ingest_each(*map(json.loads, DBT_EVENTS.read_text(encoding="utf-8").splitlines()))
    marts = "duckdb:///warehouse/marts.duckdb"
    counts = {
        name: read_silent_producers(known, build_dataset_key(marts, f"marts.{name}"))
        for name in ("staging.stg_customer_orders", "staging.stg_payments")
    }
    assert counts == {"staging.stg_customer_orders": (3, ("DBT",)), "staging.stg_payments": (2, ("DBT",))}
    assert read_silent_producers(known, build_dataset_key(marts, "marts.finance.buyer_ledger")) == (0, ()), "no job reads it"


# -- schemas that may lack columns


def build_producer_facets(integration: str, query: str = "") -> dict[str, Any]:
    """The facets of a job of this producer."""
    facets: dict[str, Any] = {"jobType": {"integration": integration, "processingType": "BATCH"}}
    return {**facets, "sql": {"query": query}} if query else facets


def list_columns(known: Graph, name: str, as_of: int | None = None) -> list[str]:
    """The columns that are shown of a dataset."""
    live = LiveGraph.open(known.store)
    index = live.get_index(as_of)
    node = index.assets.find_by_key(build_dataset_key("db", name))
    assert node is not None
    return [index.assets.get_column_name(column) for column in index.assets.list_columns(node)]


WHOLE = build_event(
    "COMPLETE",
    1,
    [],
    [build_dataset("t", schema=build_schema_facet("id", "country", "amount"))],
    job_facets=build_producer_facets("SPARK"),
    job="load",
)


@pytest.mark.parametrize("integration", ["TRINO", "DBT", "FLINK", ""])
def test_a_listing_by_a_reader_removes_no_column(integration: str) -> None:
    read = build_event(
        "COMPLETE",
        2,
        [build_dataset("t", schema=build_schema_facet("amount", "added"))],
        [],
        job_facets=build_producer_facets(integration),
        run=2,
    )
    for events in ([WHOLE, read], [read, WHOLE]):
        assert list_columns(ingest_each(*events), "t") == ["id", "country", "amount", "added"]


@pytest.mark.parametrize(
    "statement", ["UPDATE t SET amount = 1", "/* dbt */ MERGE INTO t USING u ON true", "INSERT INTO t (amount) SELECT 1"]
)
def test_an_update_by_a_trino_query_removes_no_column(statement: str) -> None:
    update = build_event(
        "COMPLETE",
        2,
        [],
        [build_dataset("t", schema=build_schema_facet("amount"))],
        job_facets=build_producer_facets("TRINO", statement),
        run=2,
    )
    assert list_columns(ingest_each(WHOLE, update), "t") == ["id", "country", "amount"]


@pytest.mark.parametrize("statement", ["CREATE TABLE t AS SELECT 1", "-- nightly\n create or replace table t as select 1"])
def test_a_table_that_trino_creates_has_the_columns_that_it_lists(statement: str) -> None:
    create = build_event(
        "COMPLETE",
        2,
        [],
        [build_dataset("t", schema=build_schema_facet("amount"))],
        job_facets=build_producer_facets("TRINO", statement),
        run=2,
    )
    assert list_columns(ingest_each(WHOLE, create), "t") == ["amount"]


def test_create_if_not_exists_takes_no_column_away() -> None:
    statement = "CREATE TABLE IF NOT EXISTS t AS SELECT 1 amount"
    create = build_event(
        "COMPLETE",
        2,
        [],
        [build_dataset("t", schema=build_schema_facet("amount"))],
        job_facets=build_producer_facets("TRINO", statement),
        run=2,
    )
    assert list_columns(ingest_each(WHOLE, create), "t") == ["id", "country", "amount"]


def test_an_update_of_an_unknown_producer_takes_no_column_away() -> None:
    update = build_event(
        "COMPLETE",
        2,
        [],
        [build_dataset("t", schema=build_schema_facet("amount"))],
        job_facets={"sql": {"query": "update t set amount = 1"}},
        run=2,
    )
    assert list_columns(ingest_each(WHOLE, update), "t") == ["id", "country", "amount"]
    overwrite = build_event("COMPLETE", 3, [], [build_dataset("t", schema=build_schema_facet("amount"))], run=3)
    assert list_columns(ingest_each(WHOLE, update, overwrite), "t") == ["amount"]


def test_a_partition_that_spark_reads_takes_no_column_away() -> None:
    read = build_event(
        "COMPLETE",
        2,
        [build_dataset("t/country=ES", schema=build_schema_facet("id", "amount"))],
        [],
        job_facets=build_producer_facets("SPARK"),
        run=2,
    )
    known = ingest_groups([WHOLE], [read], trimmers=[("/country=[A-Z]+$", "")])
    assert list_columns(known, "t") == ["id", "country", "amount"]
    whole = build_event(
        "COMPLETE", 3, [build_dataset("t", schema=build_schema_facet("id", "amount"))], [], job_facets=build_producer_facets("SPARK"), run=3
    )
    assert list_columns(known.ingest([whole]), "t") == ["id", "amount"]


def test_the_result_of_a_query_that_spark_reads_takes_no_column_away() -> None:
    facet = {"schema": build_schema_facet("id")}
    full = {
        "eventTime": WHOLE["eventTime"],
        "dataset": {"namespace": DB, "name": "t", "facets": {"schema": build_schema_facet("id", "amount")}},
    }
    known = ingest_each(
        full, build_event("COMPLETE", 2, [{"namespace": DB, "name": "t", "facets": facet}], [], job_facets=build_producer_facets("SPARK"))
    )
    assert format_edges(known.read_facts("dataset", DB, "t", "schema")) == {"t HAS_COLUMN id", "t HAS_COLUMN amount"}


def test_a_newer_schema_of_the_whole_table_replaces_what_readers_listed() -> None:
    """The column stays, for lineage may lead there, but it is none of the table's."""
    read = build_event(
        "COMPLETE", 0, [build_dataset("t", schema=build_schema_facet("id", "old"))], [], job_facets=build_producer_facets("TRINO"), run=2
    )
    known = ingest_each(read, WHOLE)
    assert list_columns(known, "t") == ["id", "country", "amount"]
    assert list_columns(known, "t", as_of=to_micros(0)) == ["id", "old"]
    index = LiveGraph.open(known.store).index
    old = index.assets.find_by_key(build_column_key(build_dataset_key("db", "t"), "old"))
    assert old is not None
    assert index.assets.is_unlisted(old)
    again = build_event(
        "COMPLETE", 3, [build_dataset("t", schema=build_schema_facet("id", "old"))], [], job_facets=build_producer_facets("TRINO"), run=3
    )
    live = LiveGraph.open(ingest_each(read, WHOLE).store)
    received = ingest_groups().builder
    live.commit(lambda runs: received.build_batch([receive_event(again)], runs))
    node = live.index.assets.find_by_key(build_dataset_key("db", "t"))
    assert node is not None
    assert [live.index.assets.get_column_name(one) for one in live.index.assets.list_columns(node)] == ["id", "country", "amount", "old"]
    assert len(live.index.assets.list_of_kind(AssetKind.COLUMN)) == 4


# -- runs side by side


def count_stale_edges(known: Graph, name: str, column_name: str) -> int:
    live = LiveGraph.open(known.store)
    node = live.index.assets.find_by_key(build_column_key(build_dataset_key("db", name), column_name))
    assert node is not None
    return live.index.lineage.traverse([node], Direction.DOWNSTREAM).completeness.stale_edges


def build_mapped_run(index: int, minute: float, *, parent: int = 1, run: int = 1, reads: str, writes: str | None) -> Event:
    """One of the runs of a task that Airflow maps over several tables."""
    facet = build_lineage_facet(id=[build_source_field(reads, "id")])
    outputs = [] if writes is None else [build_dataset(writes, columnLineage=facet)]
    facets = {"airflow": {"taskInstance": {"map_index": index, "try_number": 1}, "task": {"mapped": True}}}
    return build_event(
        "COMPLETE",
        minute,
        [build_dataset(reads)],
        outputs,
        run=run,
        parent=parent,
        run_facets=facets,
        job_facets=build_producer_facets("AIRFLOW"),
    )


def test_runs_of_one_parent_run_are_the_latest_together() -> None:
    copies = [build_mapped_run(0, 1, reads="orders", writes="c1"), build_mapped_run(1, 2, run=2, reads="customers", writes="c2")]
    for events in (copies, copies[::-1]):
        assert count_stale_edges(ingest_each(*events), "orders", "id") == 0
    only_one = build_mapped_run(1, 9, parent=2, run=3, reads="customers", writes="c2")
    assert count_stale_edges(ingest_each(*copies, only_one), "orders", "id") == 1


def test_a_run_whose_parent_comes_late_counts_as_one_with_its_siblings() -> None:
    started = build_event("START", 0, [], [], run=1)
    copies = [build_mapped_run(0, 1, reads="orders", writes="c1"), build_mapped_run(1, 2, run=2, reads="customers", writes="c2")]
    known = ingest_each(started, *copies)
    assert count_stale_edges(known, "orders", "id") == 0
    times = [to_micros(minute) for minute in range(4)]
    assert read_observable_state(known.store, times) == read_observable_state(ingest_each(*copies, started).store, times)


def test_one_streaming_run_is_its_own_latest() -> None:
    facets = {"jobType": {"integration": "DEBEZIUM", "processingType": "STREAMING"}}
    first = build_event(
        "RUNNING",
        1,
        [build_dataset("a")],
        [build_dataset("t1", columnLineage=build_lineage_facet(id=[build_source_field("a", "id")]))],
        job_facets=facets,
    )
    second = build_event(
        "RUNNING",
        2,
        [build_dataset("b")],
        [build_dataset("t2", columnLineage=build_lineage_facet(id=[build_source_field("b", "id")]))],
        job_facets=facets,
    )
    assert count_stale_edges(ingest_each(first, second), "a", "id") == 0


def test_mapped_runs_keep_what_each_reads_and_writes() -> None:
    known = ingest_each(build_mapped_run(0, 1, reads="orders", writes=None), build_mapped_run(1, 2, run=2, reads="customers", writes=None))
    read = {edge for scope in known.find_heads("job-reads") for edge in format_edges(known.read_facts(*scope))}
    assert read == {"etl READS orders", "etl READS customers"}
    known = ingest_each(
        build_mapped_run(0, 1, reads="orders", writes="all"), build_mapped_run(1, 2, run=2, reads="customers", writes="all")
    )
    flows = {flow for scope in known.find_heads("job-output") for flow in format_column_flows(known.read_facts(*scope))}
    assert flows == {"orders.id -> all.id", "customers.id -> all.id"}


# -- streams of many tables, one dataset per event


def build_debezium_events(*names: tuple[str, str], topics: Sequence[str] = ()) -> list[Event]:
    """Events as Debezium sends them: each table and each topic in an event of its own."""
    facets = {"jobType": {"integration": "DEBEZIUM", "processingType": "STREAMING", "jobType": "TASK"}}
    written = [topic for _, topic in names] + [*topics]
    tables = [build_event("RUNNING", minute, [build_dataset(table)], [], job_facets=facets) for minute, (table, _) in enumerate(names)]
    return tables + [
        build_event("RUNNING", 20 + minute, [], [build_dataset(topic)], job_facets=facets) for minute, topic in enumerate(written)
    ]


@pytest.mark.parametrize("prefix", ["shop", "shop.eu"])
def test_debeziums_tables_flow_into_the_topics_that_are_named_after_them(prefix: str) -> None:
    names = [("shop.raw.orders", "raw.orders"), ("shop.raw.my items", "raw.my_items"), ("inv.stock", "inv.stock")]
    events = build_debezium_events(*((table, f"{prefix}.{topic}") for table, topic in names))
    for known in (ingest_each(*events), ingest_each(*reversed(events)), ingest_groups(events)):
        found = {pair for scope in known.find_heads("job-output") for pair in format_dataset_flows(known.read_facts(*scope))}
        assert found == {f"{table} -> {prefix}.{topic}" for table, topic in names}


def test_a_topic_that_is_named_after_no_table_may_come_from_any_that_names_none() -> None:
    events = build_debezium_events(
        ("shop.raw.orders", "shop.raw.orders"), ("shop.raw.items_1", "all_items"), ("shop.raw.items_2", "all_items")
    )
    known = ingest_each(*events)
    assert format_dataset_flows(known.read_output_facts("all_items")) == {
        "shop.raw.items_1 -> all_items": False,
        "shop.raw.items_2 -> all_items": False,
    }
    assert format_dataset_flows(known.read_output_facts("shop.raw.orders")) == {"shop.raw.orders -> shop.raw.orders": False}


# -- what else producers send


def list_warnings(of: Event) -> list[str]:
    return [note.where for note in ingest_groups().builder.parser.parse(json.dumps(of).encode(), CLOCK).warnings]


def test_a_table_that_airflow_names_in_column_lineage_only_is_read() -> None:
    facet = build_lineage_facet(total=[build_input_field("shop.raw.orders", "amount"), build_input_field("paid", "amount")])
    output = build_dataset("shop.mart.revenue", DB, columnLineage=facet)
    for integration, read in (("AIRFLOW", {"shop.raw.customers", "shop.raw.orders"}), ("DBT", {"shop.raw.customers"})):
        facts = read_written(
            ingest_each(
                build_event(
                    "COMPLETE", 1, [build_dataset("shop.raw.customers", DB)], [output], job_facets=build_producer_facets(integration)
                )
            )
        )
        assert {edge.end.name for edge in facts.edges if edge.type is EdgeType.READS} == read


def test_trinos_hidden_columns_are_none() -> None:
    facet = build_lineage_facet(
        [build_source_field("a", "$path")], total=[build_source_field("a", "$row_id"), build_source_field("a", "x")]
    )
    known = ingest_each(
        build_event(
            "COMPLETE",
            1,
            [build_dataset("a", schema=build_schema_facet("x", "$row_id"))],
            [build_dataset("t", columnLineage=facet)],
            job_facets=build_producer_facets("PRESTO"),
        )
    )
    assert format_column_flows(known.read_output_facts("t")) == {"a.x -> t.total"}
    assert list_columns(known, "a") == ["x"]


def test_the_log_of_a_delta_table_is_the_table() -> None:
    log = build_dataset("/lake/orders/_delta_log", "file", schema=build_schema_facet("add", "remove"))
    read = build_event("COMPLETE", 1, [log], [build_dataset("t")], job_facets=build_producer_facets("SPARK"))
    known = ingest_each(read)
    assert format_edges(known.read_output_facts("t")) == {"etl READS /lake/orders", "etl WRITES t"}
    assert not known.find_heads("dataset", "file")
    assert list_warnings(read) == ["$.inputs[0].name"]
    assert format_edges(
        ingest_each(build_event("COMPLETE", 1, [build_dataset("_delta_log")], [build_dataset("t")])).read_output_facts("t")
    ) == {"etl READS _delta_log", "etl WRITES t"}


def test_an_empty_namespace_is_noted() -> None:
    assert list_warnings(build_event("COMPLETE", 1, [build_dataset("files", "")], [build_dataset("t"), build_dataset("files", "")])) == [
        "$.inputs[0].namespace",
        "$.outputs[1].namespace",
    ]


def test_a_table_of_a_session_of_flink_belongs_to_its_job() -> None:
    """Tables over files and generators have no namespace, and a name that each job may use for another one."""
    name = "default_catalog.default_database.files"
    one, other = (
        build_event("COMPLETE", 1, [build_dataset(name, "")], [build_dataset("t")], job=job, run=run)
        for run, job in ((1, "load"), (2, "copy"))
    )
    known = ingest_each(one, other)
    assert format_edges(known.read_output_facts("t", job="load")) == {f"load READS load/{name}", "load WRITES t"}
    assert format_edges(known.read_output_facts("t", job="copy")) == {f"copy READS copy/{name}", "copy WRITES t"}
    assert list_warnings(one) == ["$.inputs[0].name"]
    assert not known.find_heads("dataset", "")


def test_a_merge_has_the_columns_of_its_sql() -> None:
    """openlineage-sql states no columns of it."""
    query = (
        "MERGE INTO mart.revenue r USING raw.customers c ON r.id = c.id"
        " WHEN NOT MATCHED THEN INSERT (id, email) VALUES (c.id, lower(c.email))"
    )
    customers = build_dataset("shop.raw.customers", DB, schema=build_schema_facet("id", "email", "country"))
    revenue = build_dataset("shop.mart.revenue", DB, schema=build_schema_facet("id", "email"))

    def read_merge(integration: str) -> Any:
        facets = build_producer_facets(integration, query)
        return read_written(ingest_each(build_event("COMPLETE", 1, [customers], [revenue], job_facets=facets)))

    assert format_column_flows(read_merge("AIRFLOW")) >= {
        "shop.raw.customers.id -> shop.mart.revenue.id IDENTITY",
        "shop.raw.customers.email -> shop.mart.revenue.email TRANSFORMATION",
        "shop.raw.customers.id -> shop.mart.revenue.* INDIRECT JOIN",
    }
    assert format_dataset_flows(read_merge("AIRFLOW"))["shop.raw.customers -> shop.mart.revenue"]
    assert format_dataset_flows(read_merge("CUSTOM")) == {"shop.raw.customers -> shop.mart.revenue": False}


def test_a_tag_of_airflow_has_its_key_as_value() -> None:
    tags = {"tags": [{"key": "finance", "value": "finance"}, {"key": "tier", "value": "gold"}, {"key": "pii", "value": "true"}]}
    known = ingest_each(build_event("COMPLETE", 1, job_facets={**build_producer_facets("AIRFLOW"), "tags": tags}))
    assert known.read_attributes("job", "jobs", "etl", "tags") == {"tags": ["finance", "pii", "tier=gold"]}


# -- a job that is a query


def list_affected(live: LiveGraph, name: str, column_name: str, as_of: int | None = None) -> set[str]:
    """The columns that a column reaches."""
    index = live.get_index(as_of)
    node = index.assets.find_by_key(build_column_key(build_dataset_key("db", name), column_name))
    assert node is not None
    reached = index.lineage.traverse([node], Direction.DOWNSTREAM).nodes.tolist()
    return {".".join(index.assets.get_key(one).parts[1:]) for one in reached if index.assets.get_kind(one) is AssetKind.COLUMN}


def build_query_run(minute: float, statement: str, to: str, kind: str = "COMPLETE", **fields: tuple[str, str]) -> Event:
    """A query of Trino, which is a job of its own."""
    facet = build_lineage_facet(**{name: [build_source_field(*source)] for name, source in fields.items()})
    sources = sorted({source for source, _ in fields.values()})
    outputs = [build_dataset(to, schema=build_schema_facet(*fields), columnLineage=facet)]
    return build_event(
        kind,
        minute,
        [build_dataset(one) for one in sources],
        outputs,
        job=f"query_{minute}",
        run=int(minute),
        job_facets=build_producer_facets("TRINO", statement),
    )


CREATE = build_query_run(
    1, "CREATE TABLE facts AS SELECT email, amount FROM orders", "facts", email=("orders", "email"), amount=("orders", "amount")
)
APPEND = build_query_run(2, "INSERT INTO facts SELECT email FROM people", "facts", email=("people", "email"))
REPLACE = build_query_run(3, "CREATE OR REPLACE TABLE facts AS SELECT amount FROM orders", "facts", amount=("orders", "amount"))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (2, 0, 1), (1, 0, 2)])
def test_what_queries_wrote_ends_when_the_table_is_replaced(order: tuple[int, ...]) -> None:
    events = [CREATE, APPEND, REPLACE]
    live = LiveGraph.open(ingest_groups().store)
    builder = ingest_groups().builder
    for position in order:
        live.commit(lambda runs, position=position: builder.build_batch([receive_event(events[position])], runs))  # type: ignore[misc]
    for one in (live, LiveGraph.open(live.store)):
        assert list_affected(one, "orders", "email") == set()
        assert list_affected(one, "people", "email") == set()
        assert list_affected(one, "orders", "amount") == {"facts.amount"}
        assert list_affected(one, "orders", "email", as_of=to_micros(2)) == {"facts.email"}
        assert list_affected(one, "people", "email", as_of=to_micros(2)) == {"facts.email"}


@pytest.mark.parametrize(
    ("statement", "integration", "output", "name"),
    [
        ('/* {"app": "dbt"} */ create table "db"."facts__dbt_tmp" as (select 1)', "TRINO", "facts__dbt_tmp", "facts"),
        ("CREATE OR REPLACE TABLE facts__dbt_tmp AS SELECT 1", "TRINO", "facts__dbt_tmp", "facts"),
        ("CREATE OR REPLACE VIEW facts__dbt_tmp AS SELECT 1", "TRINO", "facts__dbt_tmp", "facts__dbt_tmp"),  # an increment is read from it
        ("INSERT INTO facts__dbt_tmp SELECT 1", "TRINO", "facts__dbt_tmp", "facts__dbt_tmp"),
        ("CREATE TABLE facts__dbt_tmp AS SELECT 1", "SPARK", "facts__dbt_tmp", "facts__dbt_tmp"),  # it states renames, or has paths
        ("CREATE TABLE __dbt_tmp AS SELECT 1", "TRINO", "__dbt_tmp", "__dbt_tmp"),
        ("CREATE TABLE facts AS SELECT 1", "TRINO", "facts", "facts"),
    ],
)
def test_a_table_that_dbt_renames_has_the_name_that_it_gets(statement: str, integration: str, output: str, name: str) -> None:
    facet = build_lineage_facet(email=[build_source_field("people", "email")])
    written = [build_dataset(output, schema=build_schema_facet("email"), columnLineage=facet)]
    event = build_event("COMPLETE", 1, [build_dataset("people")], written, job_facets=build_producer_facets(integration, statement))
    assert list_affected(LiveGraph.open(ingest_each(event).store), "people", "email") == {f"{name}.email"}
    assert list_warnings(event) == ([] if name == output else ["$.outputs[0].name"])


def test_a_table_that_dbt_makes_again_loses_its_lineage() -> None:
    again = build_query_run(3, "CREATE TABLE facts__dbt_tmp AS SELECT amount FROM orders", "facts__dbt_tmp", amount=("orders", "amount"))
    for events in ([CREATE, APPEND, again], [again, APPEND, CREATE]):
        live = LiveGraph.open(ingest_each(*events).store)
        assert list_affected(live, "people", "email") == set()
        assert list_affected(live, "orders", "amount") == {"facts.amount"}


def test_a_query_that_failed_replaces_nothing() -> None:
    failed = {**REPLACE, "eventType": "FAIL"}
    assert list_affected(LiveGraph.open(ingest_each(CREATE, APPEND, failed).store), "people", "email") == {"facts.email"}
    assert list_affected(LiveGraph.open(ingest_each(CREATE, APPEND, REPLACE, failed).store), "people", "email") == {"facts.email"}


def test_what_is_appended_afterwards_stays() -> None:
    late = build_query_run(4, "INSERT INTO facts SELECT email FROM people", "facts", email=("people", "email"))
    assert list_affected(LiveGraph.open(ingest_each(late, CREATE, APPEND, REPLACE).store), "people", "email") == {"facts.email"}


def test_jobs_that_are_no_queries_are_replaced_by_their_own_runs_only() -> None:
    for name in ("facts", "query"):
        copy = build_event(
            "COMPLETE",
            2,
            [build_dataset("people")],
            [build_dataset(name, columnLineage=build_lineage_facet(email=[build_source_field("people", "email")]))],
            job="copy",
        )
        replaced = build_query_run(3, f"CREATE OR REPLACE TABLE {name} AS SELECT amount FROM orders", name, amount=("orders", "amount"))
        assert list_affected(LiveGraph.open(ingest_each(copy, replaced).store), "people", "email") == {f"{name}.email"}


@pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set: there is no recording of Trino")
def test_recorded_events_of_trino() -> None:
    folder = Path(CORPUS or "") / "reproductions"
    lines = [line for name in ("before", "after") for line in (folder / f"trino-{name}.ndjson").read_text(encoding="utf-8").splitlines()]
    live = LiveGraph.open(ingest_each(*map(json.loads, lines)).store)
    index = live.index

    def find_node(name: str, *names: str) -> int:
        of = build_dataset_key("trino://trino.internal", name)
        found = index.assets.find_by_key(build_column_key(of, names[0]) if names else of)
        assert found is not None
        return found

    assert [index.assets.get_column_name(one) for one in index.assets.list_columns(find_node("lake.trino.daily"))] == [
        "country",
        "total",
        "n",
    ]
    orders = {index.assets.get_column_name(one) for one in index.assets.list_columns(find_node("lake.silver.orders"))}
    assert orders == {"country", "amount", "customer_id", "order_id", "status", "email_hash"}
    reached = index.lineage.traverse([find_node("pg.raw.customers", "email")], Direction.DOWNSTREAM).nodes.tolist()
    assert "lake.trino.order_facts" not in {index.assets.get_key(one).parts[1] for one in reached}
