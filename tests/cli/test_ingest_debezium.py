"""`meshline ingest debezium`, over a graph that knows the tables."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.command import run_command, run_successfully

CONFIG = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "database.hostname": "orders-db",
    "database.dbname": "orders",
    "topic.prefix": "cdc",
    "table.include.list": "public.order.*",
    "column.mask.with.3.chars": "public.orders.email",
}


def format_schema_event(name: str, *columns: str) -> str:
    fields = [{"name": column, "type": "text"} for column in columns]
    facet = {"_producer": "https://example.com", "_schemaURL": "https://example.com", "fields": fields}
    dataset = {"namespace": "postgres://orders-db:5432", "name": name, "facets": {"schema": facet}}
    event = {"eventTime": "2026-03-01T00:00:00Z", "producer": "https://example.com", "schemaURL": "https://example.com", "dataset": dataset}
    return json.dumps(event) + "\n"


def test_lineage_goes_from_known_tables_to_topics(new: str, tmp_path: Path) -> None:
    (tmp_path / "tables.ndjson").write_text(
        format_schema_event("orders.public.orders", "id", "email") + format_schema_event("orders.public.order_lines", "id")
    )
    run_successfully("ingest", "openlineage", "tables.ndjson", "--store", new)
    (tmp_path / "orders.json").write_text(json.dumps({"name": "orders", "config": CONFIG}))
    load = ("ingest", "debezium", "*.json", "--kafka", "kafka:9092", "--store", new)
    assert (
        run_successfully(*load).err == "debezium/default: 1 of 1 statements read, 0 unchanged, 1 new, 0 changed, 0 retracted, 0 refused\n"
    )
    assert (
        run_successfully(*load).err == "debezium/default: 1 of 1 statements read, 1 unchanged, 0 new, 0 changed, 0 retracted, 0 refused\n"
    )
    shown = run_successfully("lineage", "orders.public.orders.email", "--format", "json", "--store", new).json
    assert "kafka://kafka/cdc.public.orders.email" in json.dumps(shown)
    assert "kafka://kafka/cdc.public.order_lines" not in json.dumps(shown)


def test_a_bad_config_is_exit_code_1_and_strict_writes_nothing(new: str, tmp_path: Path) -> None:
    good, bad = {"name": "good", "config": CONFIG}, {"name": "bad", "config": {**CONFIG, "database.hostname": ""}}
    (tmp_path / "all.json").write_text(json.dumps([good, bad], indent=1))
    load = ("ingest", "debezium", "all.json", "--kafka", "kafka:9092", "--store", new)
    ran = run_command(*load, "--strict")
    assert ran.code == 1
    assert ran.err == f"refused: {tmp_path / 'all.json'}:17: database.hostname: the key is missing, so the tables cannot be named\n"
    ran = run_command(*load)
    assert ran.code == 1
    assert "1 new, 0 changed, 0 retracted, 1 refused" in ran.err
