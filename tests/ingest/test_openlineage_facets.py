"""The statements of facets about datasets, columns and jobs, over runs; and the page that is made from the table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from meshline.graph.model import (
    AssetFact,
    AssetKind,
    EdgeFact,
    EdgeType,
    build_column_key,
    build_dataset_key,
    build_job_key,
    build_owner_key,
)
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE
from meshline.ingest.openlineage.facets import RULES, Place, build_facets_page
from tests.ingest.lineage_events import (
    Event,
    Graph,
    build_dataset,
    build_event,
    build_schema_facet,
    format_edges,
    format_time,
    ingest_each,
    ingest_groups,
    to_micros,
)

CORPUS = os.environ.get("MESHLINE_CORPUS")
PAGE = Path(__file__).parents[2] / "docs" / "openlineage-facets.md"
T = build_dataset_key("db", "t")


def ingest_facets(**facets: Any) -> Graph:
    return ingest_each(build_event("COMPLETE", 1, [], [build_dataset("t", **facets)]))


@pytest.mark.parametrize(
    ("name", "facet", "expected"),
    [
        ("documentation", {"description": "all orders"}, {"description": "all orders"}),
        ("documentation", {"description": ""}, {}),
        ("datasetType", {"datasetType": "VIEW", "subType": "MATERIALIZED"}, {"dataset_type": "VIEW", "dataset_subtype": "MATERIALIZED"}),
        ("storage", {"storageLayer": "iceberg", "fileFormat": "parquet"}, {"storage": {"layer": "iceberg", "format": "parquet"}}),
        ("dataSource", {"name": "wh", "uri": "jdbc:x"}, {"data_source": "wh", "location": "jdbc:x"}),
        (
            "catalog",
            {"framework": "iceberg", "type": "rest", "name": "lake", "warehouseUri": "file:///w", "catalogProperties": {"a": "b"}},
            {"catalog": {"framework": "iceberg", "type": "rest", "name": "lake", "warehouse_uri": "file:///w"}},
        ),
        ("hierarchy", {"hierarchy": [{"type": "DATABASE", "name": "d"}]}, {"hierarchy": [{"type": "DATABASE", "name": "d"}]}),
        ("tags", {"tags": [{"key": "pii", "value": "true"}, {"key": "tier", "value": "gold"}]}, {"tags": ["pii", "tier=gold"]}),
        ("ownFacet", {"k": [1, {"a": None}]}, {}),
        ("dataQualityMetrics", {"columnMetrics": {}}, {}),
    ],
)
def test_dataset_facets(name: str, facet: Event, expected: dict[str, Any]) -> None:
    known = ingest_facets(**{name: facet})
    assert known.read_attributes("dataset", "db", "t", name) == expected
    assert AssetFact(T, {**expected, f"facet:{name}": facet}) in known.read_facts("dataset", "db", "t", name).assets


@pytest.mark.parametrize(
    ("name", "facet", "expected"),
    [
        ("documentation", {"description": "loads"}, {"description": "loads"}),
        ("sql", {"query": "select 1", "dialect": "x"}, {"sql": "select 1"}),
        (
            "jobType",
            {"jobType": "MODEL", "processingType": "BATCH", "integration": "DBT"},
            {"job_type": "MODEL", "processing_type": "BATCH", "integration": "DBT"},
        ),
        ("sourceCodeLocation", {"type": "git", "url": "https://x/y"}, {"source_code_location": "https://x/y"}),
        ("tags", {"tags": [{"key": "team", "value": "core"}]}, {"tags": ["team=core"]}),
        ("sourceCode", {"language": "python", "sourceCode": "1"}, {}),
    ],
)
def test_job_facets(name: str, facet: Event, expected: dict[str, Any]) -> None:
    known = ingest_each(build_event("START", 1, job_facets={name: facet}))
    assert known.read_attributes("job", "jobs", "etl", name) == expected
    assert (
        AssetFact(build_job_key("jobs", "etl"), {**expected, f"facet:{name}": facet}) in known.read_facts("job", "jobs", "etl", name).assets
    )


def test_a_schema_lists_columns_with_nested_ones_as_dotted_paths() -> None:
    fields = [
        {"name": "id", "type": "long", "description": "key"},
        {"name": "ship", "type": "struct", "fields": [{"name": "zip", "type": "string"}, {"name": "city", "fields": [{"name": "name"}]}]},
        {"name": "n", "type": None, "description": ""},
    ]
    stated = ingest_facets(schema={"fields": fields}).read_facts("dataset", "db", "t", "schema")
    assert {(edge.end.name, edge.attributes["position"]) for edge in stated.edges} == {
        ("id", 1),
        ("ship", 2),
        ("ship.zip", 2),
        ("ship.city", 2),
        ("ship.city.name", 2),
        ("n", 3),
    }
    facts = {fact.key.name: fact.attributes for fact in stated.assets if fact.key.kind is AssetKind.COLUMN}
    assert facts == {"id": {"type": "long", "description": "key"}, "ship": {"type": "struct"}, "ship.zip": {"type": "string"}}


def test_ordinal_positions_order_columns() -> None:
    fields = [{"name": "b", "ordinal_position": 2}, {"name": "a", "ordinal_position": 1}]
    stated = ingest_facets(schema={"fields": fields}).read_facts("dataset", "db", "t", "schema")
    assert {(edge.end.name, edge.attributes["position"]) for edge in stated.edges} == {("a", 1), ("b", 2)}


def test_tags_of_a_field_are_the_columns() -> None:
    stated = ingest_facets(tags={"tags": [{"key": "pii", "value": "true", "field": "email"}]}).read_facts("dataset", "db", "t", "tags")
    assert AssetFact(build_column_key(T, "email"), {"tags": ["pii"]}) in stated.assets


def test_owners() -> None:
    facet = {"owners": [{"name": " team:core "}, {"name": "user:eve", "type": "steward"}, {"name": " "}]}
    assert sorted(ingest_facets(ownership=facet).read_facts("dataset", "db", "t", "ownership").edges, key=str) == [
        EdgeFact(EdgeType.OWNS, build_owner_key("team:core"), T, {"type": "technical"}),
        EdgeFact(EdgeType.OWNS, build_owner_key("user:eve"), T, {"type": "steward"}),
    ]
    assert format_edges(
        ingest_each(build_event("START", 1, job_facets={"ownership": facet})).read_facts("job", "jobs", "etl", "ownership")
    ) == {
        "team:core OWNS etl",
        "user:eve OWNS etl",
    }


def test_symlinks_are_the_same_dataset() -> None:
    facet = {"identifiers": [{"namespace": "hive://h", "name": "d.t", "type": "TABLE"}, {"namespace": "db", "name": "t", "type": "TABLE"}]}
    (edge,) = ingest_facets(symlinks=facet).read_facts("dataset", "db", "t", "symlinks").edges
    assert (edge.type, edge.start, edge.end) == (EdgeType.SAME_AS, T, build_dataset_key("hive://h", "d.t"))
    assert edge.attributes == {"why": "symlink", "type": "TABLE"}


TOPIC = "kafka://broker:9092"


@pytest.mark.parametrize(
    ("namespace", "name", "type_"),
    [
        (TOPIC, "default_catalog.default_database.snk", "TABLE"),
        ("file", "default_catalog.default_database.snk", "TABLE"),
        (TOPIC, "sessions.default.snk", "TABLE"),  # another in-memory catalog: a broker has no tables
    ],
)
def test_names_of_a_session_join_nothing(namespace: str, name: str, type_: str) -> None:
    facet = {"symlinks": {"identifiers": [{"namespace": namespace, "name": name, "type": type_}]}}
    known = ingest_each(
        build_event("COMPLETE", 1, [], [build_dataset("orders", TOPIC, **facet)]),
        build_event("COMPLETE", 2, [], [build_dataset("payments", TOPIC, **facet)], run=2),
    )
    for topic in ("orders", "payments"):
        facts = known.read_facts("dataset", "kafka://broker", topic, "symlinks")
        assert facts.edges == ()
        names = [asset.attributes["session_names"] for asset in facts.assets if "session_names" in asset.attributes]
        assert names == [[list(build_dataset_key(namespace.removesuffix(":9092"), name).parts)]]


def test_a_topic_is_still_joined_by_a_name_that_lasts() -> None:
    facet = {"symlinks": {"identifiers": [{"namespace": "kafka://other", "name": "orders", "type": "TOPIC"}]}}
    known = ingest_each(build_event("COMPLETE", 1, [], [build_dataset("orders", TOPIC, **facet)]))
    (edge,) = known.read_facts("dataset", "kafka://broker", "orders", "symlinks").edges
    assert edge.end == build_dataset_key("kafka://other", "orders")


def test_facets_outlive_runs_and_the_newest_wins() -> None:
    known = ingest_each(
        build_event("COMPLETE", 5, [build_dataset("t", documentation={"description": "new"})], run=2),
        build_event("COMPLETE", 1, [build_dataset("t", documentation={"description": "old"})], run=1),
        build_event("COMPLETE", 7, [build_dataset("t")], run=3),
    )
    assert known.read_attributes("dataset", "db", "t", "documentation") == {"description": "new"}
    assert known.read_facts("dataset", "db", "t", "documentation", as_of=to_micros(2)).assets[0].attributes["description"] == "old"


def test_in_a_run_terminal_events_win_ties_and_what_was_stated_first_counts_from_then() -> None:
    first, second = build_dataset("t", documentation={"description": "a"}), build_dataset("t", documentation={"description": "z"})
    known = ingest_each(build_event("COMPLETE", 1, [first]), build_event("START", 1, [second]))
    assert known.read_attributes("dataset", "db", "t", "documentation") == {"description": "a"}
    known.ingest([build_event("OTHER", 5, [build_dataset("t", documentation={"description": "a"})])])
    head = known.read_heads()["dataset", "db", "t", "documentation"]
    assert (head.valid_from, head.last_observed) == (to_micros(1), to_micros(5))


def test_of_a_dataset_read_and_written_at_once_the_output_has_the_word() -> None:
    for names in (("a", "b"), ("b", "a")):
        known = ingest_each(
            build_event(
                "COMPLETE",
                1,
                [build_dataset("t", schema=build_schema_facet(names[0]))],
                [build_dataset("t", schema=build_schema_facet(names[1]))],
            )
        )
        assert format_edges(known.read_facts("dataset", "db", "t", "schema")) == {f"t HAS_COLUMN {names[1]}"}


def test_deleted_is_a_tombstone() -> None:
    known = ingest_facets(documentation={"description": "x"}, ownership={"owners": [{"name": "a"}]})
    known.ingest([build_event("COMPLETE", 2, [build_dataset("t", documentation={"_deleted": True}, ownership={"_deleted": True})], run=2)])
    assert set(known.find_heads("dataset")) == set()


def test_unreadable_facets_take_nothing_away() -> None:
    known = ingest_facets(ownership={"owners": [{"name": "a"}]})
    known.ingest([build_event("COMPLETE", 2, [build_dataset("t", ownership={"owners": "ana"})], run=2)])
    assert format_edges(known.read_facts("dataset", "db", "t", "ownership")) == {"a OWNS t"}
    assert known.read_facts("dataset", "db", "t", "unreadable:ownership").assets == (AssetFact(T, {"facet:ownership": {"owners": "ana"}}),)


def test_spellings_are_kept_as_aliases() -> None:
    known = ingest_each(
        build_event(
            "COMPLETE",
            1,
            [build_dataset("//a//b/", "s3a://Lake", symlinks={"identifiers": [{"namespace": "db:5432/", "name": "x", "type": "TABLE"}]})],
        )
    )
    aliases = {
        scope[1:]: fact.attributes
        for scope in known.find_heads("dataset")
        if scope[3] == "spelling"
        for fact in known.read_facts(*scope).assets
    }
    assert aliases == {
        ("s3://Lake", "a/b", "spelling", "s3a://Lake", "//a//b/"): {"spelling": ["s3a://Lake", "//a//b/"]},
        ("db:5432", "x", "spelling", "db:5432/", "x"): {"spelling": ["db:5432/", "x"]},
    }


def test_trimmed_names_are_one_dataset() -> None:
    trimmed = ingest_groups(
        [build_event("COMPLETE", 1, [], [build_dataset("/w/t/dt=1"), build_dataset("/w/t/dt=2")])], trimmers=[(r"/dt=[^/]*$", "")]
    )
    assert set(trimmed.find_heads("job-writes")) == {("job-writes", "jobs", "etl", "db", "/w/t")}


def build_rename_event(kind: str | None, **more: Any) -> Event:
    facet = {"lifecycleStateChange": "RENAME", "previousIdentifier": {"namespace": "db", "name": "old"}}
    return build_event(kind, 3, [], [build_dataset("new", lifecycleStateChange=facet)], **more)


def test_a_rename_counts_from_a_completed_run_on() -> None:
    scope = ("dataset-renamed", "db", "new", "db", "old", str(to_micros(4)))
    known = ingest_each(build_rename_event("START"))
    assert not known.find_heads("dataset-renamed")
    known.ingest([build_event("COMPLETE", 4)])
    assert known.read_facts(*scope).edges == (
        EdgeFact(EdgeType.RENAMED_TO, build_dataset_key("db", "old"), build_dataset_key("db", "new")),
    )
    known.ingest([build_event("FAIL", 5)])
    assert not known.find_heads("dataset-renamed")


def test_a_drop_counts_from_a_completed_run_on() -> None:
    known = ingest_each(build_event("COMPLETE", 3, [], [build_dataset("t", lifecycleStateChange={"lifecycleStateChange": "DROP"})]))
    assert known.read_attributes("dataset-dropped", "db", "t") == {"dropped": True}
    assert known.read_heads()["dataset-dropped", "db", "t"].observed_at == to_micros(3)
    assert not ingest_each(
        build_event("FAIL", 3, [], [build_dataset("t", lifecycleStateChange={"lifecycleStateChange": "DROP"})])
    ).find_heads("dataset-dropped")


def test_a_dataset_event_renames_and_drops_at_its_time() -> None:
    for facet, kind in (
        (build_rename_event(None)["outputs"][0]["facets"]["lifecycleStateChange"], "dataset-renamed"),
        ({"lifecycleStateChange": "drop"}, "dataset-dropped"),
    ):
        known = ingest_each({"eventTime": format_time(2), "dataset": build_dataset("t", lifecycleStateChange=facet)})
        (head,) = known.find_heads(kind).values()
        assert head.observed_at == to_micros(2)


def test_facets_of_the_run_stay_with_the_run() -> None:
    known = ingest_each(
        build_event(
            "COMPLETE",
            1,
            [{**build_dataset("t", version={"datasetVersion": "1"}), "inputFacets": {"inputStatistics": {"rowCount": 1}}}],
            run_facets={"nominalTime": {}},
        )
    )
    assert {scope[0] for scope in known.read_heads()} == {"job-reads"}


def test_a_facet_that_cannot_be_kept_as_json_is_kept_as_text() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    for facet in ({"k": deep}, {"n": 10**30}):
        (fact,) = ingest_facets(odd=facet).read_facts("dataset", "db", "t", "odd").assets
        assert isinstance(fact.attributes["facet:odd"], str)


def test_schemas_of_unlike_types_are_read_leniently() -> None:
    stated = ingest_facets(schema={"fields": [{"name": "a", "type": {"kind": "struct"}, "description": 3}]}).read_facts(
        "dataset", "db", "t", "schema"
    )
    assert AssetFact(build_column_key(T, "a"), {"type": '{"kind":"struct"}'}) in stated.assets


def test_facets_of_declared_jobs_and_described_datasets() -> None:
    job_event = {
        "eventTime": format_time(1),
        "job": {"namespace": "jobs", "name": "etl", "facets": {"sql": {"query": "select 1"}}},
        "inputs": [build_dataset("t", version={"datasetVersion": "7"})],
        "outputs": [build_dataset("t", schema=build_schema_facet("id"))],
    }
    known = ingest_each(job_event, {"eventTime": format_time(2), "dataset": build_dataset("u", schema=build_schema_facet("x"))})
    assert known.read_attributes("job", "jobs", "etl", "sql") == {"sql": "select 1"}
    assert format_edges(known.read_facts("dataset", "db", "t", "schema")) == {"t HAS_COLUMN id"}
    assert format_edges(known.read_facts("dataset", "db", "u", "schema")) == {"u HAS_COLUMN x"}
    assert known.read_facts("dataset", "db", "t", "version").assets == (AssetFact(T, {"facet:version": {"datasetVersion": "7"}}),)
    assert {head.source for head in known.read_heads().values()} == {DEFAULT_SOURCE}


def test_the_page_of_facets_is_made_from_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == build_facets_page(), "run scripts/make-docs"


@pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set: the specification's facets cannot be compared")
def test_every_facet_of_the_specification_is_in_the_table() -> None:
    files = {path.stem for path in (Path(CORPUS or "") / "openlineage-spec" / "facets").glob("*.json")}
    assert len(files) == 38
    assert files == {rule.schema for rule in RULES}


def test_the_table_names_no_facet_twice() -> None:
    assert len({(rule.place, rule.name) for rule in RULES}) == len(RULES)
    assert {rule.place for rule in RULES} == set(Place)
