"""Metadata without any catalog: columns, their history, products, names, and files that are no metadata."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from meshline.errors import InvalidInput
from meshline.ingest.sources.iceberg.facts import (
    compute_schema_starts,
    find_column_moves,
    format_namespace,
    index_schemas,
    list_view_versions,
    parse_file_name,
    parse_location,
)
from meshline.ingest.sources.iceberg.parse import Table, View, list_columns, parse_metadata
from meshline.ingest.sources.secrets import Redaction, expand_properties

CORPUS = os.environ.get("MESHLINE_CORPUS")
needs_corpus = pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set: what real catalogs answered cannot be read")
NOW = 4_000_000_000_000_000  # microseconds, later than all here


def read_recorded(name: str) -> Table | View:
    return parse_metadata((Path(str(CORPUS)) / "recorded" / f"{name}.json").read_bytes())


def build_field(id_: int, name: str, type_: Any = "string", **more: Any) -> dict[str, Any]:
    return {"id": id_, "name": name, "type": type_, "required": False, **more}


def build_struct(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "struct", "fields": list(fields)}


def build_table(*schemas: list[dict[str, Any]], **more: Any) -> Table:
    """A table that had these schemas, the last is the current one. Times in `more` are in milliseconds."""
    metadata = {
        "format-version": 2,
        "table-uuid": "u",
        "location": "file:///w/t",
        "last-updated-ms": 100_000,
        "current-schema-id": len(schemas) - 1,
        "schemas": [{"type": "struct", "schema-id": i, "fields": fields} for i, fields in enumerate(schemas)],
        **more,
    }
    found = parse_metadata(json.dumps(metadata).encode())
    assert isinstance(found, Table)
    return found


def build_log(*times: int) -> list[dict[str, Any]]:
    return [{"timestamp-ms": time, "metadata-file": f"{i}.metadata.json"} for i, time in enumerate(times)]


def build_snapshots(*pairs: tuple[int, int]) -> list[dict[str, Any]]:
    """(time, schema)."""
    return [{"snapshot-id": i, "timestamp-ms": time, "schema-id": schema} for i, (time, schema) in enumerate(pairs, 1)]


# -- columns


def test_nested_columns_are_dotted_paths_at_the_position_of_their_top_level_column() -> None:
    nested = build_struct(build_field(4, "city", doc="where"), build_field(5, "geo", build_struct(build_field(6, "lat", "double"))))
    items = {"type": "list", "element-id": 8, "element": build_struct(build_field(9, "sku")), "element-required": True}
    attributes = {"type": "map", "key-id": 11, "key": "string", "value-id": 12, "value": "int", "value-required": False}
    made = build_table(
        [
            build_field(1, "id", "long", required=True),
            build_field(2, "address", nested),
            build_field(7, "items", items),
            build_field(10, "more", attributes),
        ]
    )
    assert [(one.path, one.id, one.position, one.type, one.required) for one in list_columns(made.schemas[0])] == [
        ("id", 1, 1, "long", True),
        ("address", 2, 2, "struct<city: string, geo: struct<lat: double>>", False),
        ("address.city", 4, 2, "string", False),
        ("address.geo", 5, 2, "struct<lat: double>", False),
        ("address.geo.lat", 6, 2, "double", False),
        ("items", 7, 3, "list<struct<sku: string>>", False),
        ("items.element", 8, 3, "struct<sku: string>", True),
        ("items.element.sku", 9, 3, "string", False),
        ("more", 10, 4, "map<string, int>", False),
        ("more.key", 11, 4, "string", True),
        ("more.value", 12, 4, "int", False),
    ]


def test_too_deep_and_too_wide_schemas_are_refused() -> None:
    deep: Any = "string"
    for i in range(40):
        deep = build_struct(build_field(i + 2, "x", deep))
    with pytest.raises(InvalidInput, match="24 levels"):
        list_columns(build_table([build_field(1, "x", deep)]).schemas[0])
    with pytest.raises(InvalidInput, match="20000 columns"):
        list_columns(build_table([build_field(i, f"c{i}") for i in range(20_001)]).schemas[0])


# -- when schemas began


def test_one_schema_began_with_the_table() -> None:
    assert compute_schema_starts(build_table([build_field(1, "a")], **{"metadata-log": build_log(10_000, 20_000)}), NOW) == [
        (0, 10_000_000)
    ]
    assert compute_schema_starts(build_table([build_field(1, "a")]), NOW) == [(0, 100_000_000)], (
        "without a log only the last commit is known"
    )


def test_a_schema_began_with_the_latest_commit_between_two_snapshots() -> None:
    """Commits at 10 (made), 20 (snapshot), 30 (properties), 40 (schema 1), 50 (snapshot), and the last at 100."""
    made = build_table(
        [build_field(1, "a")],
        [build_field(1, "b")],
        **{"metadata-log": build_log(*range(10_000, 60_000, 10_000)), "snapshots": build_snapshots((20_000, 0), (50_000, 1))},
    )
    assert compute_schema_starts(made, NOW) == [(0, 10_000_000), (1, 40_000_000)]


def test_schemas_without_snapshots_are_in_the_order_of_their_ids() -> None:
    made = build_table([build_field(1, "a")], [build_field(1, "b")], [build_field(1, "c")], **{"metadata-log": build_log(10_000, 20_000)})
    assert compute_schema_starts(made, NOW) == [(0, 10_000_000), (1, 20_000_000), (2, 100_000_000)]


def test_more_schemas_than_commits_are_kept_apart_in_order() -> None:
    made = build_table(*[[build_field(1, f"c{i}")] for i in range(5)], snapshots=build_snapshots((20_000, 0), (20_000, 4)))
    times = [time for _, time in compute_schema_starts(made, NOW)]
    assert [schema for schema, _ in compute_schema_starts(made, NOW)] == [0, 1, 2, 3, 4]
    assert times == sorted(set(times))
    assert times[-1] <= 20_000_000


def test_a_schema_that_came_back_was_current_twice() -> None:
    made = build_table(
        [build_field(1, "a")],
        [build_field(1, "b")],
        **{"snapshots": build_snapshots((20_000, 0), (40_000, 1), (60_000, 0)), "current-schema-id": 0},
    )
    assert [schema for schema, _ in compute_schema_starts(made, NOW)] == [0, 1, 0]


def test_what_was_known_before_stays_though_logs_are_cut() -> None:
    before = build_table(
        [build_field(1, "a")], [build_field(1, "b")], **{"metadata-log": build_log(10_000, 40_000), "last-updated-ms": 50_000}
    )
    known = compute_schema_starts(before, NOW)
    assert known == [(0, 10_000_000), (1, 50_000_000)]
    cut = build_table([build_field(1, "a")], [build_field(1, "b")], [build_field(1, "c")], **{"metadata-log": build_log(90_000)})
    assert compute_schema_starts(cut, NOW, known) == [*known, (2, 100_000_000)]
    assert compute_schema_starts(cut, NOW, compute_schema_starts(cut, NOW, known)) == [*known, (2, 100_000_000)]


def test_times_that_are_none_and_times_to_come_do_not_count() -> None:
    made = build_table([build_field(1, "a")], [build_field(1, "b")], **{"metadata-log": build_log(-5, 10**17), "last-updated-ms": 10**18})
    times = [time for _, time in compute_schema_starts(made, NOW)]
    assert times == sorted(set(times))
    assert times[0] > 0
    assert times[-1] <= NOW


# -- what happened to columns


def test_a_field_id_is_the_column_whatever_its_path() -> None:
    old = [
        build_field(1, "mail"),
        build_field(2, "ship", build_struct(build_field(3, "zip"))),
        build_field(4, "note"),
        build_field(5, "a"),
        build_field(6, "b"),
    ]
    new = [
        build_field(1, "email"),
        build_field(2, "shipping", build_struct(build_field(3, "zip"))),
        build_field(7, "note"),
        build_field(5, "b"),
        build_field(6, "a"),
    ]
    made = build_table(old, new)
    known = index_schemas(made)
    assert [tuple(move) for move in find_column_moves(known[0], known[1], 50)] == [
        ("a", "b", 50),
        ("b", "a", 50),
        ("mail", "email", 50),
        ("note", "", 49),
        ("ship", "shipping", 50),
        ("ship.zip", "shipping.zip", 50),
    ]


@needs_corpus
@pytest.mark.parametrize("name", ["iceberg_rest_load_table", "iceberg_rest_table_metadata", "iceberg_sql_table_metadata"])
def test_a_recorded_table_has_its_history(name: str) -> None:
    found = read_recorded(name)
    assert isinstance(found, Table)
    history = compute_schema_starts(found, NOW)
    assert [schema for schema, _ in history] == [0, 1, 2, 3, 4]
    times = [time for _, time in history]
    assert times == sorted(set(times))
    assert found.metadata_log is not None
    assert times[0] == found.metadata_log[0].timestamp_ms * 1000
    assert found.snapshots is not None
    assert times[-1] < found.snapshots[0].timestamp_ms * 1000, "all snapshots have the last schema"
    known = index_schemas(found)
    happened = [(move.old, move.new) for i in range(1, 5) for move in find_column_moves(known[i - 1], known[i], times[i])]
    assert happened == [("email", "email_address"), ("ship.zip", "ship.postcode"), ("channel", "")]


@needs_corpus
def test_a_recorded_view_has_its_text_and_its_time() -> None:
    found = read_recorded("iceberg_rest_load_view")
    assert isinstance(found, View)
    [(time, version)] = list_view_versions(found, NOW)
    assert time == 1_795_253_499_707_000
    assert version.representations[0].dialect == "spark"
    assert "amount > 10" in version.representations[0].sql


# -- bytes that are no metadata


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"location": 3}',
        b'{"location": "x"}',
        b'{"metadata": 5}',
        b'{"view-uuid": "u"}',
        b'{"metadata": {"view-uuid": "u", "schemas": 1}}',
        b"[" * 100_000,
        b'{"location": "\xff", "last-updated-ms": 1}',
        b'{"location": "x", "last-updated-ms": 1, "schemas": [{"fields": [{"id": 1, "name": "a", "type": ["int"]}]}]}',
        b'{"location": "x", "last-updated-ms": 1, "schemas": ' + b'[{"fields":' * 5_000,
    ],
)
def test_what_is_no_metadata_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="not metadata of Iceberg"):
        parse_metadata(data)


def test_unknown_keys_and_types_are_no_hindrance() -> None:
    metadata = msgspec.json.encode(
        {"location": "x", "last-updated-ms": 1, "row-lineage": {"a": [1]}, "schemas": [{"fields": [build_field(1, "v", "variant")]}]}
    )
    found = parse_metadata(metadata)
    assert isinstance(found, Table)
    assert list_columns(found.schemas[0])[0].type == "variant"


# -- names


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("file:///warehouse/orders/orders", ("file", "/warehouse/orders/orders")),
        ("file:/warehouse/orders", ("file", "/warehouse/orders")),
        ("file://localhost/warehouse", ("file", "/warehouse")),
        ("/warehouse/orders", ("file", "/warehouse/orders")),
        ("s3a://bucket/w/t", ("s3a://bucket", "w/t")),
        ("s3://key:secret@bucket/w/t", ("s3://bucket", "w/t")),
        ("abfss://box@account.dfs.core.windows.net/w/t", ("abfss://box@account.dfs.core.windows.net", "w/t")),
        ("hdfs://namenode:8020/w/t", ("hdfs://namenode:8020", "/w/t")),
        ("s3://bucket", None),
        ("relative/path", None),
        ("", None),
    ],
)
def test_locations_are_named_as_openlineage_does(location: str, expected: tuple[str, str] | None) -> None:
    assert parse_location(location) == expected


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        ("rest", {"uri": "http://iceberg-rest:8181"}, "http://iceberg-rest:8181"),
        ("rest", {"uri": "https://me:secret@lake.example.com/api/catalog"}, "https://lake.example.com/api/catalog"),
        ("sql", {"uri": "postgresql+psycopg2://me:secret@db:5432/lake"}, "postgresql://db:5432/lake"),
        ("hive", {"uri": "thrift://metastore:9083"}, "hive://metastore:9083"),
        ("glue", {"glue.region": "eu-west-1", "glue.id": "123456789012"}, "arn:aws:glue:eu-west-1:123456789012"),
    ],
)
def test_a_catalogs_namespace_contains_no_credentials(kind: str, properties: dict[str, str], expected: str) -> None:
    assert format_namespace(kind, properties) == expected


def test_a_catalog_without_a_name_needs_one() -> None:
    with pytest.raises(InvalidInput, match="namespace"):
        format_namespace("glue", {"glue.region": "eu-west-1"})


def test_a_files_name_is_its_tables() -> None:
    assert parse_file_name("orders.customer_orders.json") == "orders.customer_orders"
    assert parse_file_name("orders.orders.metadata.json") == "orders.orders"


# -- secrets


def test_properties_take_the_environments_values() -> None:
    variables = {"LAKE_TOKEN": "s3cr3t-token"}.get
    assert expand_properties({"token": "${LAKE_TOKEN}", "auth": {"oauth2": {"client_secret": "x-${LAKE_TOKEN}"}}}, variables) == {
        "token": "s3cr3t-token",
        "auth": {"oauth2": {"client_secret": "x-s3cr3t-token"}},
    }
    with pytest.raises(InvalidInput, match=r"properties\.auth\.token: the environment variable LAKE_NOT_SET is not set"):
        expand_properties({"auth": {"token": "${LAKE_NOT_SET}"}}, variables)


def test_secrets_are_removed_from_messages() -> None:
    written = {"credential": "client:${SECRET}", "header.x": "${OTHER}", "token": "plain-token", "uri": "http://u:password@host:1"}
    properties = {
        "credential": "client:hunter22",
        "header.x": "from-environment",
        "token": "plain-token",
        "uri": "http://u:password@host:1",
    }
    shown = Redaction(written, properties)("hunter22 client:hunter22 from-environment plain-token http://u:password@host:1/v1 http://a:b@c")
    for secret in ("hunter22", "from-environment", "plain-token", "password", "a:b"):
        assert secret not in shown
    assert "host:1" in shown
