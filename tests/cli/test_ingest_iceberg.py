"""`meshline ingest iceberg` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.command import run_command

TABLE = {
    "format-version": 2,
    "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1",
    "location": "file:///warehouse/orders/orders",
    "last-updated-ms": 1_700_000_000_000,
    "schemas": [{"schema-id": 0, "fields": [{"id": 1, "name": "order_id", "type": "long", "required": True}]}],
    "properties": {"owner": "orders-team@example.com"},
}


def test_files_are_loaded_and_bad_ones_refused(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/mesh.db"
    (tmp_path / "orders.orders.json").write_text(json.dumps({"metadata": TABLE}), encoding="utf-8")
    files = ("ingest", "iceberg", f"{tmp_path}/*.json", "--namespace", "http://iceberg-rest:8181", "--store", store)
    first = run_command(*files)
    assert (first.code, first.err) == (
        0,
        "iceberg/default: 2 of 2 statements read, 0 unchanged, 2 new, 0 changed, 0 retracted, 0 refused\n",
    )
    assert "orders-team@example.com" in run_command("owners", "orders.orders.order_id", "--store", store).out
    assert "http://iceberg-rest:8181/orders.orders" in run_command("search", "orders", "--store", store).out
    (tmp_path / "orders.bad.json").write_text("[]", encoding="utf-8")
    strict = run_command(*files, "--strict")
    assert (strict.code, strict.err.count("orders.bad.json: not metadata of Iceberg")) == (1, 1)
    again = run_command(*files)
    assert again.code == 1
    assert again.err.endswith("iceberg/default: 2 of 2 statements read, 2 unchanged, 0 new, 0 changed, 0 retracted, 1 refused\n")


def test_missing_options_are_reported(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/mesh.db"
    nothing = run_command("ingest", "iceberg", "--store", store)
    assert nothing.code != 0
    assert "set either files, or a catalog" in nothing.err
    away = run_command("ingest", "iceberg", "http://127.0.0.1:1", "--store", store)
    assert away.code != 0
    assert "the catalog does not answer" in away.err
    unset = run_command("ingest", "iceberg", "http://127.0.0.1:1", "--property", "token=${MESHLINE_TEST_NOT_SET}", "--store", store)
    assert "the environment variable MESHLINE_TEST_NOT_SET is not set" in unset.err
