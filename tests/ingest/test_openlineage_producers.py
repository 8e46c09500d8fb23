"""What real producers send, in the shape in which they do (docs/openlineage.md): each rule that was learnt by running them."""

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
from tests.ingest.speaking import (
    CLOCK,
    Event,
    Graph,
    at,
    columns,
    ds,
    edges,
    event,
    graph,
    ingest_each,
    lineage,
    observable,
    pairs,
    schema,
    source_field,
)

CORPUS = os.environ.get("MESHLINE_CORPUS")
DB = "postgres://warehouse"
INSERT = """TRUNCATE mart.revenue; -- once a night
INSERT INTO mart.revenue (customer_id, email, total)
WITH paid AS (SELECT customer_id, amount FROM raw.orders WHERE status = 'PAID')
SELECT c.id, lower(c.email), sum(p.amount) FROM raw.customers c JOIN paid p ON p.customer_id = c.id GROUP BY 1, 2"""


def parsed(of: Event) -> Received:
    body = json.dumps(of).encode()
    return Received(DEFAULT_SOURCE, graph().builder.parser.parse(body, CLOCK), CLOCK, body)


def field(name: str, column: str) -> Event:
    """As openlineage-sql names a source: without any transformation."""
    return {"namespace": DB, "name": name, "field": column}


def by_position(minute: float = 1, *, query: str = INSERT, integration: str = "AIRFLOW", listed: tuple[str, ...] = ()) -> Event:
    """An INSERT whose SELECT list has other names than the columns that it fills."""
    facet = lineage(
        id=[field("shop.raw.customers", "id")], _0=[field("shop.raw.customers", "email")], _1=[field("shop.raw.orders", "amount")]
    )
    output = ds("shop.mart.revenue", DB, schema=schema(*(listed or ("customer_id", "email", "total"))), columnLineage=facet)
    customers = ds("shop.raw.customers", DB, schema=schema("id", "email", "country"))
    facets: dict[str, Any] = {"jobType": {"integration": integration, "processingType": "BATCH", "jobType": "TASK"}}
    if query:
        facets["sql"] = {"query": query}
    return event("COMPLETE", minute, [customers], [output], job_facets=facets)


def stated(query: str, *names: str, listed: tuple[str, ...], integration: str = "AIRFLOW") -> Event:
    """What openlineage-sql makes of `query`: each column from the one of its name, `_0` from `email`."""
    facet = lineage(**{name: [field("shop.raw.customers", "email" if name == "_0" else name)] for name in names})
    known = {"schema": schema(*listed)} if listed else {}
    customers = ds("shop.raw.customers", DB, schema=schema("id", "email", "country", "status"))
    facets = {"jobType": {"integration": integration, "processingType": "BATCH", "jobType": "TASK"}, "sql": {"query": query}}
    return event("COMPLETE", 1, [customers], [ds("shop.mart.revenue", DB, columnLineage=facet, **known)], job_facets=facets)


def written(known: Graph) -> Any:
    return known.facts("job-output", "jobs", "etl", DB, "shop.mart.revenue")


# -- columns that the output does not have


def test_an_insert_by_position_is_read_from_its_sql() -> None:
    facts = written(ingest_each(by_position()))
    assert {flow for flow in columns(facts) if " INDIRECT " not in flow} == {
        "shop.raw.customers.id -> shop.mart.revenue.customer_id IDENTITY",
        "shop.raw.customers.email -> shop.mart.revenue.email TRANSFORMATION",
        "shop.raw.orders.amount -> shop.mart.revenue.total AGGREGATION",
    }
    assert "shop.raw.orders.status -> shop.mart.revenue.* INDIRECT FILTER" in columns(facts)
    assert pairs(facts) == {"shop.raw.customers -> shop.mart.revenue": True, "shop.raw.orders -> shop.mart.revenue": True}
    assert "etl READS shop.raw.orders" in edges(facts)


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
    facts = written(ingest_each(by_position(query=query)))
    assert columns(facts) == set()
    assert pairs(facts) == {"shop.raw.customers -> shop.mart.revenue": False, "shop.raw.orders -> shop.mart.revenue": False}


def test_without_sqlglot_the_pairs_are_at_the_level_of_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("meshline.sql")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    assert set(pairs(written(ingest_each(by_position()))).values()) == {False}


def test_columns_that_the_output_has_keep_their_lineage() -> None:
    facts = written(ingest_each(by_position(query="", listed=("id", "email", "total"))))
    assert columns(facts) == {"shop.raw.customers.id -> shop.mart.revenue.id"}
    assert set(pairs(facts).values()) == {False}


def test_a_schema_that_may_lack_columns_contradicts_nothing() -> None:
    """dbt-ol lists the columns that the project documents."""
    facts = written(ingest_each(by_position(query="", integration="DBT", listed=("customer_id",))))
    assert "shop.raw.customers.id -> shop.mart.revenue.id" in columns(facts)
    assert pairs(facts) == {"shop.raw.customers -> shop.mart.revenue": True}


def test_nested_columns_and_other_cases_are_columns_of_the_output() -> None:
    facet = lineage(**{"ID": [source_field("a", "id")], "ship.zip": [source_field("a", "zip")]})
    known = ingest_each(event("COMPLETE", 1, [ds("a")], [ds("b", schema=schema("id", "ship"), columnLineage=facet)]))
    assert pairs(known.output("b")) == {"a -> b": True}


def test_a_sibling_that_knows_the_columns_covers_a_contradicted_pair() -> None:
    wrong = ds("b", schema=schema("x"), columnLineage=lineage(_0=[source_field("a", "id")]))
    right = ds("b", schema=schema("x"), columnLineage=lineage(x=[source_field("a", "id")]))
    first = event("COMPLETE", 1, [ds("a")], [wrong], job="one", parent=1)
    second = event("COMPLETE", 2, [ds("a")], [right], job="two", run=2, parent=1)
    for events in ([first, second], [second, first]):
        assert pairs(ingest_each(*events).output("b", job="one")) == {"a -> b": True}


def test_the_answer_to_the_event_names_the_columns() -> None:
    (note,) = graph().builder.parser.parse(json.dumps(by_position()).encode(), CLOCK).warnings
    assert note.where == "$.outputs[0].facets.columnLineage"
    assert "id, _0, _1" in note.what
    for fitting in (by_position(integration="DBT"), by_position(listed=("id", "_0", "_1"))):
        assert graph().builder.parser.parse(json.dumps(fitting).encode(), CLOCK).warnings == ()


@pytest.mark.parametrize("listed", [(), ("id", "email", "country")])
def test_filters_that_airflow_never_states_are_read_from_the_sql(listed: tuple[str, ...]) -> None:
    """openlineage-sql states no filter and no join, also where its columns are right: that is no proof of there being none."""
    query = "CREATE TABLE mart.revenue AS SELECT id, email, country FROM raw.customers WHERE status = 'ACTIVE'"
    facts = written(ingest_each(stated(query, "id", "email", "country", listed=listed)))
    assert "shop.raw.customers.email -> shop.mart.revenue.email IDENTITY" in columns(facts)
    assert "shop.raw.customers.status -> shop.mart.revenue.* INDIRECT FILTER" in columns(facts)
    assert pairs(facts) == {"shop.raw.customers -> shop.mart.revenue": True}


def test_columns_of_an_insert_that_has_them_in_another_order() -> None:
    """All names are the table's, and yet they are those of the SELECT list, not of the columns that it fills."""
    query = "INSERT INTO mart.revenue (id, email, country) SELECT id, country, email FROM raw.customers"
    facts = written(ingest_each(stated(query, "id", "email", "country", listed=("id", "email", "country"))))
    assert columns(facts) == {
        "shop.raw.customers.id -> shop.mart.revenue.id IDENTITY",
        "shop.raw.customers.country -> shop.mart.revenue.email IDENTITY",
        "shop.raw.customers.email -> shop.mart.revenue.country IDENTITY",
    }


def test_an_insert_into_a_table_whose_columns_the_event_does_not_list() -> None:
    query = "INSERT INTO mart.revenue (customer_id, mail) SELECT id, lower(email) FROM raw.customers"
    facts = written(ingest_each(stated(query, "id", "_0", listed=())))
    assert columns(facts) == {
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
def test_what_a_producer_states_is_kept_where_its_sql_is_not_read(query: str, integration: str) -> None:
    facts = written(ingest_each(stated(query, "id", "email", listed=("id", "email"), integration=integration)))
    assert columns(facts) == {
        "shop.raw.customers.id -> shop.mart.revenue.id",
        "shop.raw.customers.email -> shop.mart.revenue.email",
    }


@pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set: there is no recording of Airflow")
def test_what_airflow_sent() -> None:
    lines = (Path(CORPUS or "") / "reproductions" / "airflow-insert-by-position.ndjson").read_text(encoding="utf-8").splitlines()
    known = ingest_each(*map(json.loads, lines))
    (facts,) = [known.facts(*scope) for scope in known.find_heads("job-output")]
    assert {flow.end.name for flow in facts.flows if flow.end.kind is AssetKind.COLUMN} == {"customer_id", "email", "country", "revenue"}
    assert "shop.raw.orders.status -> shop.mart.customer_revenue.* INDIRECT FILTER" in columns(facts)


# -- what openlineage-sql never states

DBT_EVENTS = Path(__file__).parents[2] / "examples" / "mesh" / "events" / "dbt.ndjson"


def silent_on(known: Graph, of: AssetKey) -> tuple[int, tuple[str, ...]]:
    """What an impact of an asset shows of producers that state no filters."""
    index = LiveGraph.open(known.store).index
    node = index.assets.find_by_key(of)
    assert node is not None
    found = index.lineage.traverse([node], Direction.DOWNSTREAM).completeness
    return found.silent_on_filters, found.silent_producers


def test_an_impact_counts_the_jobs_of_airflow_whose_sql_could_not_be_read() -> None:
    listed = "customer_id", "email", "total", "id", "_0", "_1"
    customers = build_column_key(build_dataset_key(DB, "shop.raw.customers"), "country")
    assert silent_on(ingest_each(by_position(query="{{ templated }}", listed=listed)), customers) == (1, ("AIRFLOW",))
    assert silent_on(ingest_each(by_position()), customers) == (0, ())
    plain = "CREATE TABLE mart.revenue AS SELECT id, email FROM raw.customers"
    assert silent_on(ingest_each(stated(plain, "id", "email", listed=("id", "email"))), customers) == (0, ()), (
        "it was read, and has no filter"
    )


def test_where_all_is_possible_nothing_is_missing() -> None:
    assert silent_on(ingest_each(by_position(query="")), build_column_key(build_dataset_key(DB, "shop.raw.customers"), "country")) == (
        0,
        (),
    )


def test_an_impact_counts_the_jobs_of_dbt() -> None:
    """As dbt-ol sent it: two staging tables, and the marts that are made of them."""
    known = ingest_each(*map(json.loads, DBT_EVENTS.read_text(encoding="utf-8").splitlines()))
    marts = "duckdb:///warehouse/marts.duckdb"
    counts = {
        name: silent_on(known, build_dataset_key(marts, f"marts.{name}"))
        for name in ("staging.stg_customer_orders", "staging.stg_payments")
    }
    assert counts == {"staging.stg_customer_orders": (3, ("DBT",)), "staging.stg_payments": (2, ("DBT",))}
    assert silent_on(known, build_dataset_key(marts, "marts.finance.buyer_ledger")) == (0, ()), "no job reads it"


# -- schemas that may lack columns


def by(integration: str, query: str = "") -> dict[str, Any]:
    """The facets of a job of this producer."""
    facets: dict[str, Any] = {"jobType": {"integration": integration, "processingType": "BATCH"}}
    return {**facets, "sql": {"query": query}} if query else facets


def listed(known: Graph, name: str, as_of: int | None = None) -> list[str]:
    """The columns that are shown of a dataset."""
    live = LiveGraph.open(known.store)
    index = live.get_index(as_of)
    node = index.assets.find_by_key(build_dataset_key("db", name))
    assert node is not None
    return [index.assets.get_column_name(column) for column in index.assets.list_columns(node)]


WHOLE = event("COMPLETE", 1, [], [ds("t", schema=schema("id", "country", "amount"))], job_facets=by("SPARK"), job="load")


@pytest.mark.parametrize("integration", ["TRINO", "DBT", "FLINK", ""])
def test_what_a_reader_lists_takes_no_column_away(integration: str) -> None:
    read = event("COMPLETE", 2, [ds("t", schema=schema("amount", "added"))], [], job_facets=by(integration), run=2)
    for events in ([WHOLE, read], [read, WHOLE]):
        assert listed(ingest_each(*events), "t") == ["id", "country", "amount", "added"]


@pytest.mark.parametrize(
    "statement", ["UPDATE t SET amount = 1", "/* dbt */ MERGE INTO t USING u ON true", "INSERT INTO t (amount) SELECT 1"]
)
def test_what_a_trino_query_sets_takes_no_column_away(statement: str) -> None:
    update = event("COMPLETE", 2, [], [ds("t", schema=schema("amount"))], job_facets=by("TRINO", statement), run=2)
    assert listed(ingest_each(WHOLE, update), "t") == ["id", "country", "amount"]


@pytest.mark.parametrize("statement", ["CREATE TABLE t AS SELECT 1", "-- nightly\n create or replace table t as select 1"])
def test_a_table_that_trino_creates_has_the_columns_that_it_lists(statement: str) -> None:
    create = event("COMPLETE", 2, [], [ds("t", schema=schema("amount"))], job_facets=by("TRINO", statement), run=2)
    assert listed(ingest_each(WHOLE, create), "t") == ["amount"]


def test_create_if_not_exists_takes_no_column_away() -> None:
    statement = "CREATE TABLE IF NOT EXISTS t AS SELECT 1 amount"
    create = event("COMPLETE", 2, [], [ds("t", schema=schema("amount"))], job_facets=by("TRINO", statement), run=2)
    assert listed(ingest_each(WHOLE, create), "t") == ["id", "country", "amount"]


def test_an_update_of_an_unknown_producer_takes_no_column_away() -> None:
    update = event("COMPLETE", 2, [], [ds("t", schema=schema("amount"))], job_facets={"sql": {"query": "update t set amount = 1"}}, run=2)
    assert listed(ingest_each(WHOLE, update), "t") == ["id", "country", "amount"]
    overwrite = event("COMPLETE", 3, [], [ds("t", schema=schema("amount"))], run=3)
    assert listed(ingest_each(WHOLE, update, overwrite), "t") == ["amount"]


def test_a_partition_that_spark_reads_takes_no_column_away() -> None:
    read = event("COMPLETE", 2, [ds("t/country=ES", schema=schema("id", "amount"))], [], job_facets=by("SPARK"), run=2)
    known = graph([WHOLE], [read], trimmers=[("/country=[A-Z]+$", "")])
    assert listed(known, "t") == ["id", "country", "amount"]
    whole = event("COMPLETE", 3, [ds("t", schema=schema("id", "amount"))], [], job_facets=by("SPARK"), run=3)
    assert listed(known.ingest([whole]), "t") == ["id", "amount"]


def test_the_result_of_a_query_that_spark_reads_takes_no_column_away() -> None:
    facet = {"schema": schema("id")}
    full = {"eventTime": WHOLE["eventTime"], "dataset": {"namespace": DB, "name": "t", "facets": {"schema": schema("id", "amount")}}}
    known = ingest_each(full, event("COMPLETE", 2, [{"namespace": DB, "name": "t", "facets": facet}], [], job_facets=by("SPARK")))
    assert edges(known.facts("dataset", DB, "t", "schema")) == {"t HAS_COLUMN id", "t HAS_COLUMN amount"}


def test_a_newer_schema_of_the_whole_table_replaces_what_readers_listed() -> None:
    """The column stays, for lineage may lead there, but it is none of the table's."""
    read = event("COMPLETE", 0, [ds("t", schema=schema("id", "old"))], [], job_facets=by("TRINO"), run=2)
    known = ingest_each(read, WHOLE)
    assert listed(known, "t") == ["id", "country", "amount"]
    assert listed(known, "t", as_of=at(0)) == ["id", "old"]
    index = LiveGraph.open(known.store).index
    old = index.assets.find_by_key(build_column_key(build_dataset_key("db", "t"), "old"))
    assert old is not None
    assert index.assets.is_unlisted(old)
    again = event("COMPLETE", 3, [ds("t", schema=schema("id", "old"))], [], job_facets=by("TRINO"), run=3)
    live = LiveGraph.open(ingest_each(read, WHOLE).store)
    received = graph().builder
    live.commit(lambda runs: received.build_batch([parsed(again)], runs))
    node = live.index.assets.find_by_key(build_dataset_key("db", "t"))
    assert node is not None
    assert [live.index.assets.get_column_name(one) for one in live.index.assets.list_columns(node)] == ["id", "country", "amount", "old"]
    assert len(live.index.assets.list_of_kind(AssetKind.COLUMN)) == 4


# -- runs side by side


def stale_edges(known: Graph, name: str, column_name: str) -> int:
    live = LiveGraph.open(known.store)
    node = live.index.assets.find_by_key(build_column_key(build_dataset_key("db", name), column_name))
    assert node is not None
    return live.index.lineage.traverse([node], Direction.DOWNSTREAM).completeness.stale_edges


def mapped(index: int, minute: float, *, parent: int = 1, run: int = 1, reads: str, writes: str | None) -> Event:
    """One of the runs of a task that Airflow maps over several tables."""
    facet = lineage(id=[source_field(reads, "id")])
    outputs = [] if writes is None else [ds(writes, columnLineage=facet)]
    facets = {"airflow": {"taskInstance": {"map_index": index, "try_number": 1}, "task": {"mapped": True}}}
    return event("COMPLETE", minute, [ds(reads)], outputs, run=run, parent=parent, run_facets=facets, job_facets=by("AIRFLOW"))


def test_runs_of_one_parent_run_are_the_latest_together() -> None:
    copies = [mapped(0, 1, reads="orders", writes="c1"), mapped(1, 2, run=2, reads="customers", writes="c2")]
    for events in (copies, copies[::-1]):
        assert stale_edges(ingest_each(*events), "orders", "id") == 0
    only_one = mapped(1, 9, parent=2, run=3, reads="customers", writes="c2")
    assert stale_edges(ingest_each(*copies, only_one), "orders", "id") == 1


def test_a_run_whose_parent_comes_late_counts_as_one_with_its_siblings() -> None:
    started = event("START", 0, [], [], run=1)
    copies = [mapped(0, 1, reads="orders", writes="c1"), mapped(1, 2, run=2, reads="customers", writes="c2")]
    known = ingest_each(started, *copies)
    assert stale_edges(known, "orders", "id") == 0
    times = [at(minute) for minute in range(4)]
    assert observable(known.store, times) == observable(ingest_each(*copies, started).store, times)


def test_one_streaming_run_is_its_own_latest() -> None:
    facets = {"jobType": {"integration": "DEBEZIUM", "processingType": "STREAMING"}}
    first = event("RUNNING", 1, [ds("a")], [ds("t1", columnLineage=lineage(id=[source_field("a", "id")]))], job_facets=facets)
    second = event("RUNNING", 2, [ds("b")], [ds("t2", columnLineage=lineage(id=[source_field("b", "id")]))], job_facets=facets)
    assert stale_edges(ingest_each(first, second), "a", "id") == 0


def test_mapped_runs_keep_what_each_reads_and_writes() -> None:
    known = ingest_each(mapped(0, 1, reads="orders", writes=None), mapped(1, 2, run=2, reads="customers", writes=None))
    read = {edge for scope in known.find_heads("job-reads") for edge in edges(known.facts(*scope))}
    assert read == {"etl READS orders", "etl READS customers"}
    known = ingest_each(mapped(0, 1, reads="orders", writes="all"), mapped(1, 2, run=2, reads="customers", writes="all"))
    flows = {flow for scope in known.find_heads("job-output") for flow in columns(known.facts(*scope))}
    assert flows == {"orders.id -> all.id", "customers.id -> all.id"}


# -- streams of many tables, one dataset per event


def captured(*names: tuple[str, str], topics: Sequence[str] = ()) -> list[Event]:
    """What Debezium sends: each table and each topic in an event of its own."""
    facets = {"jobType": {"integration": "DEBEZIUM", "processingType": "STREAMING", "jobType": "TASK"}}
    written = [topic for _, topic in names] + [*topics]
    tables = [event("RUNNING", minute, [ds(table)], [], job_facets=facets) for minute, (table, _) in enumerate(names)]
    return tables + [event("RUNNING", 20 + minute, [], [ds(topic)], job_facets=facets) for minute, topic in enumerate(written)]


@pytest.mark.parametrize("prefix", ["shop", "shop.eu"])
def test_debeziums_tables_flow_into_the_topics_that_are_named_after_them(prefix: str) -> None:
    names = [("shop.raw.orders", "raw.orders"), ("shop.raw.my items", "raw.my_items"), ("inv.stock", "inv.stock")]
    events = captured(*((table, f"{prefix}.{topic}") for table, topic in names))
    for known in (ingest_each(*events), ingest_each(*reversed(events)), graph(events)):
        found = {pair for scope in known.find_heads("job-output") for pair in pairs(known.facts(*scope))}
        assert found == {f"{table} -> {prefix}.{topic}" for table, topic in names}


def test_a_topic_that_is_named_after_no_table_may_come_from_any_that_names_none() -> None:
    events = captured(("shop.raw.orders", "shop.raw.orders"), ("shop.raw.items_1", "all_items"), ("shop.raw.items_2", "all_items"))
    known = ingest_each(*events)
    assert pairs(known.output("all_items")) == {"shop.raw.items_1 -> all_items": False, "shop.raw.items_2 -> all_items": False}
    assert pairs(known.output("shop.raw.orders")) == {"shop.raw.orders -> shop.raw.orders": False}


# -- what else producers send


def warnings(of: Event) -> list[str]:
    return [note.where for note in graph().builder.parser.parse(json.dumps(of).encode(), CLOCK).warnings]


def test_a_table_that_airflow_names_in_column_lineage_only_is_read() -> None:
    facet = lineage(total=[field("shop.raw.orders", "amount"), field("paid", "amount")])
    output = ds("shop.mart.revenue", DB, columnLineage=facet)
    for integration, read in (("AIRFLOW", {"shop.raw.customers", "shop.raw.orders"}), ("DBT", {"shop.raw.customers"})):
        facts = written(ingest_each(event("COMPLETE", 1, [ds("shop.raw.customers", DB)], [output], job_facets=by(integration))))
        assert {edge.end.name for edge in facts.edges if edge.type is EdgeType.READS} == read


def test_trinos_hidden_columns_are_none() -> None:
    facet = lineage([source_field("a", "$path")], total=[source_field("a", "$row_id"), source_field("a", "x")])
    known = ingest_each(
        event("COMPLETE", 1, [ds("a", schema=schema("x", "$row_id"))], [ds("t", columnLineage=facet)], job_facets=by("PRESTO"))
    )
    assert columns(known.output("t")) == {"a.x -> t.total"}
    assert listed(known, "a") == ["x"]


def test_the_log_of_a_delta_table_is_the_table() -> None:
    log = ds("/lake/orders/_delta_log", "file", schema=schema("add", "remove"))
    read = event("COMPLETE", 1, [log], [ds("t")], job_facets=by("SPARK"))
    known = ingest_each(read)
    assert edges(known.output("t")) == {"etl READS /lake/orders", "etl WRITES t"}
    assert not known.find_heads("dataset", "file")
    assert warnings(read) == ["$.inputs[0].name"]
    assert edges(ingest_each(event("COMPLETE", 1, [ds("_delta_log")], [ds("t")])).output("t")) == {"etl READS _delta_log", "etl WRITES t"}


def test_an_empty_namespace_is_noted() -> None:
    name = "/default_catalog.default_database.files"
    assert warnings(event("COMPLETE", 1, [ds(name, "")], [ds("t"), ds(name, "")])) == ["$.inputs[0].namespace", "$.outputs[1].namespace"]


def test_a_tag_of_airflow_has_its_key_as_value() -> None:
    tags = {"tags": [{"key": "finance", "value": "finance"}, {"key": "tier", "value": "gold"}, {"key": "pii", "value": "true"}]}
    known = ingest_each(event("COMPLETE", 1, job_facets={**by("AIRFLOW"), "tags": tags}))
    assert known.attributes("job", "jobs", "etl", "tags") == {"tags": ["finance", "pii", "tier=gold"]}


# -- a job that is a query


def affected(live: LiveGraph, name: str, column_name: str, as_of: int | None = None) -> set[str]:
    """The columns that a column reaches."""
    index = live.get_index(as_of)
    node = index.assets.find_by_key(build_column_key(build_dataset_key("db", name), column_name))
    assert node is not None
    reached = index.lineage.traverse([node], Direction.DOWNSTREAM).nodes.tolist()
    return {".".join(index.assets.get_key(one).parts[1:]) for one in reached if index.assets.get_kind(one) is AssetKind.COLUMN}


def query(minute: float, statement: str, to: str, kind: str = "COMPLETE", **fields: tuple[str, str]) -> Event:
    """A query of Trino, which is a job of its own."""
    facet = lineage(**{name: [source_field(*source)] for name, source in fields.items()})
    sources = sorted({source for source, _ in fields.values()})
    outputs = [ds(to, schema=schema(*fields), columnLineage=facet)]
    return event(
        kind, minute, [ds(one) for one in sources], outputs, job=f"query_{minute}", run=int(minute), job_facets=by("TRINO", statement)
    )


CREATE = query(1, "CREATE TABLE facts AS SELECT email, amount FROM orders", "facts", email=("orders", "email"), amount=("orders", "amount"))
APPEND = query(2, "INSERT INTO facts SELECT email FROM people", "facts", email=("people", "email"))
REPLACE = query(3, "CREATE OR REPLACE TABLE facts AS SELECT amount FROM orders", "facts", amount=("orders", "amount"))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (2, 0, 1), (1, 0, 2)])
def test_what_queries_wrote_ends_when_the_table_is_replaced(order: tuple[int, ...]) -> None:
    events = [CREATE, APPEND, REPLACE]
    live = LiveGraph.open(graph().store)
    builder = graph().builder
    for position in order:
        live.commit(lambda runs, position=position: builder.build_batch([parsed(events[position])], runs))  # type: ignore[misc]
    for one in (live, LiveGraph.open(live.store)):
        assert affected(one, "orders", "email") == set()
        assert affected(one, "people", "email") == set()
        assert affected(one, "orders", "amount") == {"facts.amount"}
        assert affected(one, "orders", "email", as_of=at(2)) == {"facts.email"}
        assert affected(one, "people", "email", as_of=at(2)) == {"facts.email"}


def test_a_query_that_failed_replaces_nothing() -> None:
    failed = {**REPLACE, "eventType": "FAIL"}
    assert affected(LiveGraph.open(ingest_each(CREATE, APPEND, failed).store), "people", "email") == {"facts.email"}
    assert affected(LiveGraph.open(ingest_each(CREATE, APPEND, REPLACE, failed).store), "people", "email") == {"facts.email"}


def test_what_is_appended_afterwards_stays() -> None:
    late = query(4, "INSERT INTO facts SELECT email FROM people", "facts", email=("people", "email"))
    assert affected(LiveGraph.open(ingest_each(late, CREATE, APPEND, REPLACE).store), "people", "email") == {"facts.email"}


def test_jobs_that_are_no_queries_are_replaced_by_their_own_runs_only() -> None:
    for name in ("facts", "query"):
        copy = event("COMPLETE", 2, [ds("people")], [ds(name, columnLineage=lineage(email=[source_field("people", "email")]))], job="copy")
        replaced = query(3, f"CREATE OR REPLACE TABLE {name} AS SELECT amount FROM orders", name, amount=("orders", "amount"))
        assert affected(LiveGraph.open(ingest_each(copy, replaced).store), "people", "email") == {f"{name}.email"}


@pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set: there is no recording of Trino")
def test_what_trino_sent() -> None:
    folder = Path(CORPUS or "") / "reproductions"
    lines = [line for name in ("before", "after") for line in (folder / f"trino-{name}.ndjson").read_text(encoding="utf-8").splitlines()]
    live = LiveGraph.open(ingest_each(*map(json.loads, lines)).store)
    index = live.index

    def node(name: str, *names: str) -> int:
        of = build_dataset_key("trino://trino.internal", name)
        found = index.assets.find_by_key(build_column_key(of, names[0]) if names else of)
        assert found is not None
        return found

    assert [index.assets.get_column_name(one) for one in index.assets.list_columns(node("lake.trino.daily"))] == ["country", "total", "n"]
    orders = {index.assets.get_column_name(one) for one in index.assets.list_columns(node("lake.silver.orders"))}
    assert orders == {"country", "amount", "customer_id", "order_id", "status", "email_hash"}
    reached = index.lineage.traverse([node("pg.raw.customers", "email")], Direction.DOWNSTREAM).nodes.tolist()
    assert "lake.trino.order_facts" not in {index.assets.get_key(one).parts[1] for one in reached}
