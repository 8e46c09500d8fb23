"""Stores of an earlier version: their runs and events get their place in lists once, in groups, also after a kill."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from meshline.app.replay import copy_store
from meshline.graph.model import build_dataset_key, build_job_key
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, Run, RunKey, RunRole, Store
from meshline.graph.store.sqlite import SqliteStore
from meshline.graph.store.sqlite.checksums import register_functions
from meshline.graph.store.sqlite.maintenance import list_file_checks
from meshline.graph.store.sqlite.sql import expand_sql
from meshline.ingest.openlineage import run_index
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, BatchBuilder, Received
from meshline.ingest.openlineage.run_index import INDEXED, index_stored_runs
from tests.ingest.lineage_events import CLOCK, build_dataset, build_event

ALWAYS = (-(2**61), 2**61)
JOB, MART = build_job_key("jobs", "etl"), build_dataset_key("db", "mart")
NUMBER = 40


def ingest(store: Store, *runs: int) -> None:
    builder = BatchBuilder(Naming())
    for run in runs:
        bodies = [
            json.dumps(build_event(kind, run + later, [build_dataset("orders")], [build_dataset("mart")], run=run)).encode()
            for kind, later in (("START", 0), ("ABORT" if run % 2 else "COMPLETE", 0.5))
        ]
        received = [Received(DEFAULT_SOURCE, builder.parser.parse(body, CLOCK), CLOCK, body) for body in bodies]
        store.commit(lambda reader, received=received: builder.build_batch(received, reader))  # type: ignore[misc]


def read_lists(store: Store) -> tuple[object, ...]:
    """All that lists and counts answer."""
    return (
        [stored.run for stored in store.list_runs([JOB], RunRole.JOB, limit=999)],
        [stored.run for stored in store.list_runs([MART], RunRole.WRITES, limit=999)],
        [stored.run for stored in store.list_runs([MART], RunRole.READS, limit=999)],
        store.list_events(*ALWAYS, limit=999),
        store.read_event_counts(*ALWAYS),
    )


@pytest.fixture
def older(tmp_path: Path) -> tuple[Path, tuple[object, ...]]:
    """A store of schema 4, which had no lists, and what its lists should be."""
    path = tmp_path / "mesh.db"
    with closing(SqliteStore(str(path))) as store:
        ingest(store, *range(NUMBER))
        expected = read_lists(store)
    with closing(sqlite3.connect(path)) as old:
        for table in ("run_summary", "run_asset", "event", "event_count", "packed_times", "dropped_run", "change_time"):
            old.execute(f"DROP TABLE {table}")
        old.execute("PRAGMA user_version = 4")
        old.commit()
    return path, expected


def test_an_older_store_is_indexed_once(
    older: tuple[Path, tuple[object, ...]], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, expected = older
    monkeypatch.setattr(run_index, "GROUP", 7)
    with closing(SqliteStore(str(path))) as store:
        revision = store.read_revision()
        assert store.list_runs([JOB], RunRole.JOB) == []
        with caplog.at_level(logging.INFO):
            assert index_stored_runs(store, Naming()) == (NUMBER, 2 * NUMBER)
        assert f"{NUMBER} runs and {2 * NUMBER} events of an earlier version" in caplog.text
        assert read_lists(store) == expected
        assert store.read_revision() == revision
        assert index_stored_runs(store, Naming()) == (0, 0)
        ingest(store, NUMBER)
        assert store.count_runs([MART], RunRole.WRITES) == NUMBER + 1
    assert [check.problems for check in list_file_checks(str(path)) if not check.passed] == []


def test_a_run_that_goes_on_before_it_was_indexed_is_listed_once(older: tuple[Path, tuple[object, ...]]) -> None:
    path, expected = older
    with closing(SqliteStore(str(path))) as store:
        ingest(store, 3)  # its events again: the state stays, and with it the index must come
        ingest(store, NUMBER)
        index_stored_runs(store, Naming())
        assert store.count_runs([JOB], RunRole.JOB) == NUMBER + 1
        runs = [stored.run for stored in store.list_runs([JOB], RunRole.JOB, limit=999)]
        assert runs[1:] == expected[0]
        assert store.count_events(*ALWAYS) == 2 * NUMBER + 4
        assert sum(store.read_event_counts(*ALWAYS).values()) == 2 * NUMBER + 4


@pytest.mark.parametrize("groups", [1, 4, 9])
def test_it_continues_after_kill_9(older: tuple[Path, tuple[object, ...]], groups: int) -> None:
    path, expected = older
    program = """
import os, signal, sys
from meshline.graph.naming import Naming
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.openlineage import run_index
run_index.GROUP = 7
store, left = SqliteStore(sys.argv[1]), int(sys.argv[2])
commit = store.commit
def commit_or_die(build):
    global left
    left -= 1
    def build_or_die(reader):
        batch = build(reader)
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return batch
    return commit(build_or_die)
store.commit = commit_or_die
run_index.index_stored_runs(store, Naming())
"""
    done = subprocess.run([sys.executable, "-c", program, str(path), str(groups)], check=False, timeout=120, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    with closing(SqliteStore(str(path))) as store:
        assert store.read_setting(INDEXED) is None
        runs, events = index_stored_runs(store, Naming())
        assert runs == max(NUMBER - 7 * groups, 0)
        assert 0 < events <= 2 * NUMBER
        assert read_lists(store) == expected
    assert [check.problems for check in list_file_checks(str(path)) if not check.passed] == []


def test_a_replay_lists_the_runs_of_kept_events_and_keeps_all_counts(tmp_path: Path) -> None:
    with closing(SqliteStore(str(tmp_path / "old.db"))) as old, closing(SqliteStore(str(tmp_path / "new.db"))) as new:
        ingest(old, *range(NUMBER))
        copy_store(old, new, None, lambda error: pytest.fail(str(error)))
        assert [stored.run for stored in new.list_runs([JOB], RunRole.JOB, limit=999)] == read_lists(old)[0]
        assert new.read_event_counts(*ALWAYS) == old.read_event_counts(*ALWAYS)
    with closing(SqliteStore(str(tmp_path / "old.db"))) as old, closing(SqliteStore(str(tmp_path / "third.db"))) as third:
        assert old.prune_raw_events(2**60) == 2 * NUMBER
        ingest(old, 0)
        copy_store(old, third, None, lambda error: pytest.fail(str(error)))
        assert third.count_runs([JOB], RunRole.JOB) == 1
        assert third.read_event_counts(*ALWAYS) == old.read_event_counts(*ALWAYS)


def test_a_new_store_is_marked_at_once(tmp_path: Path) -> None:
    with closing(SqliteStore(str(tmp_path / "mesh.db"))) as store:
        assert index_stored_runs(store, Naming()) == (0, 0)
        assert store.read_setting(INDEXED) == "1"


def test_a_state_that_cannot_be_read_is_left_out_and_logged(
    older: tuple[Path, tuple[object, ...]], caplog: pytest.LogCaptureFixture
) -> None:
    path, _ = older
    with closing(SqliteStore(str(path))) as store:
        store.commit(lambda _: Batch(runs=[Run(RunKey(DEFAULT_SOURCE, JOB, "broken"), "", b"\xc1")]))
        assert index_stored_runs(store, Naming())[0] == NUMBER + 1
        assert store.count_runs([JOB], RunRole.JOB) == NUMBER
    assert "the run broken of jobs/etl is not listed" in caplog.text


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of some runs, closed."""
    path = tmp_path_factory.mktemp("listed") / "mesh.db"
    with closing(SqliteStore(str(path))) as store:
        ingest(store, *range(5))
    return path


IN_LISTS = "runs: each is in the lists of its job and its datasets"
REFERENCES = "references: each row that others refer to exists"
ROWS = "rows: each fits its checksum"


@pytest.mark.parametrize(
    ("check", "statement", "problem"),
    [
        (IN_LISTS, "DELETE FROM run_asset WHERE run_id = 3 AND role = 0", "run 3 is missing in a list"),
        (IN_LISTS, "DELETE FROM run_asset WHERE run_id = 2 AND role = 1", "run 2 is missing in a list"),
        (IN_LISTS, "DELETE FROM run_asset WHERE run_id = 2 AND role = 2", "run 2 is missing in a list"),
        (
            IN_LISTS,
            "UPDATE run_asset SET begun = begun - 1, crc = crc_run_asset(asset, role, begun - 1, run_id) WHERE run_id = 4 AND role = 0",
            "run 4 is missing in a list; lists of runs have 1 entries that belong to no run",
        ),
        (
            IN_LISTS,
            "INSERT INTO run_asset SELECT asset, 1, begun, run_id, crc_run_asset(asset, 1, begun, run_id) FROM run_asset WHERE role = 0",
            "lists of runs have 5 entries that belong to no run",
        ),
        (IN_LISTS, "UPDATE run_summary SET reads = x'c1', crc = crc_run_summary(run_id, begun, x'c1', writes) WHERE run_id = 1", "run 1: "),
        (REFERENCES, "DELETE FROM run_summary WHERE run_id = 5", "3 rows of run_asset refer to rows that do not exist"),
        (REFERENCES, "DELETE FROM run WHERE run_id = 5", "1 rows of run_summary refer to rows that do not exist"),
        (REFERENCES, "DELETE FROM raw WHERE position = 2", "1 rows of event refer to rows that do not exist"),
        (
            REFERENCES,
            "DELETE FROM label WHERE label_id = (SELECT max(asset) FROM run_asset)",
            "5 rows of run_asset refer to rows that do not exist",
        ),
        (ROWS, "UPDATE run_summary SET begun = begun + 1 WHERE run_id = 1", "1 rows of run_summary do not fit their checksum"),
        (ROWS, "UPDATE run_asset SET crc = crc + 1 WHERE run_id = 1", "3 rows of run_asset do not fit their checksum"),
        (ROWS, "UPDATE event SET type = 'FAIL' WHERE position = 1", "1 rows of event do not fit their checksum"),
        (ROWS, "UPDATE event_count SET events = events + 1", "rows of event_count do not fit their checksum"),
    ],
)
def test_damaged_lists_are_found(listed: Path, tmp_path: Path, check: str, statement: str, problem: str) -> None:
    """Also where each row fits its checksum."""
    path = tmp_path / "mesh.db"
    path.write_bytes(listed.read_bytes())
    assert all(found.passed for found in list_file_checks(str(path)))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        register_functions(connection)
        assert connection.execute(expand_sql(statement)).rowcount > 0
    failed = {found.what: "; ".join(found.problems) for found in list_file_checks(str(path)) if not found.passed}
    assert problem in failed[check]
