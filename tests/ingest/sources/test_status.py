"""How syncs went, noted by several at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.sources.reading_loader import read_retracted, record_retracted
from meshline.ingest.sources.sync_status import Status, read_statuses, save_status


def test_no_source_is_lost_that_is_noted_at_the_same_time(tmp_path: Path) -> None:
    with closing(SqliteStore(str(tmp_path / "mesh.db"))) as store, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: save_status(store, f"dbt/{number}", Status(at=1, seconds=0.1)), range(50)))
        assert set(read_statuses(store)) == {f"dbt/{number}" for number in range(50)}


def test_retractions_of_one_source_by_two_servers_are_both_remembered(tmp_path: Path) -> None:
    with closing(SqliteStore(str(tmp_path / "mesh.db"))) as store, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: record_retracted(store, "dbt/x", {("dataset", f"d{number}"): number}), range(50)))
        assert read_retracted(store, "dbt/x") == {("dataset", f"d{number}"): number for number in range(50)}
