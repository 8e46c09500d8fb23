"""Looking after a store: check finds what is wrong, a backup answers the same, compacting changes no answer."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from meshline.graph.live_graph import LiveGraph
from meshline.graph.store.base import Store
from meshline.graph.store.factory import open_store
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.mesh import read_stored_rules
from meshline.ingest.openlineage.builder import BatchBuilder
from meshline.ingest.openlineage.event_files import read_events
from meshline.ingest.pipeline import Pipeline
from tests.api.test_ingest import build_event
from tests.cli.command import EXAMPLE, run_command, run_successfully
from tests.cli.test_server import QUESTIONS, run_server
from tests.sizes import choose_size


@pytest.fixture
def path(example: str, tmp_path: Path) -> Path:
    """A copy of the store with the example."""
    to = tmp_path / "mesh.db"
    with closing(sqlite3.connect(example.removeprefix("sqlite:///"))) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)
    return to


def build_url(path: Path) -> str:
    return f"sqlite:///{path}"


def ingest_events(store: Store, *events: dict[str, Any]) -> None:
    naming, _ = read_stored_rules(store)
    pipeline = Pipeline(store, BatchBuilder(naming))
    for one in events:
        pipeline.submit(json.dumps(one).encode()).result(timeout=60)
    pipeline.close()


def read_everything(store: Store) -> tuple[Any, ...]:
    """All contents of a store: the graph now and as of the times of its statements, histories, runs and events."""
    heads = sorted(head for batch in store.iterate_heads() for head in batch)
    times = sorted({head.observed_at for head in heads})
    scopes = [head.scope_id for head in store.read_changes(0).heads]
    history = store.read_history(scopes)
    past = [sorted(head for batch in store.iterate_heads(at) for head in batch) for at in times[:: max(1, len(times) // 5)]]
    graph = LiveGraph.open(store).index.dump()
    return heads, past, {scope: history[scope] for scope in sorted(history)}, store.read_revision(), graph


# -- check


def test_a_sound_store(example: str) -> None:
    ran = run_successfully("store", "check", "--store", example)
    lines = ran.out.splitlines()
    assert lines[-1] == "the store is sound"
    assert all(line.startswith("ok    ") for line in lines[:-1])
    counts = {line[6:].partition(":")[0]: int(line.rpartition(" ")[2]) for line in lines[:-1]}
    assert all(counts[what] > 0 for what in ("file", "references", "contents", "heads", "runs", "search", "raw events", "index"))


def damage_store(path: Path, statement: str, *parameters: object) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement, parameters).rowcount != 0
        connection.commit()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE content SET blob = zeroblob(20), deflated = 0 WHERE content_id = 5", "content 5 does not fit its digest"),
        ("UPDATE content SET blob = zeroblob(20), deflated = 1 WHERE content_id = 5", "content 5 a packed value cannot be read"),
        (
            "DELETE FROM content WHERE content_id = (SELECT max(content_id) FROM observation)",
            "rows of observation refer to rows that do not exist",
        ),
        ("DELETE FROM scope WHERE scope_id = (SELECT max(scope_id) FROM head)", "rows of head refer to rows that do not exist"),
        ("DELETE FROM observation WHERE scope_id = (SELECT max(scope_id) FROM head WHERE content_id > 0)", "by its observations nothing"),
        (
            "DELETE FROM head WHERE scope_id = (SELECT max(scope_id) FROM head WHERE content_id > 0)",
            "1 scopes have observations and no head",
        ),
        ("UPDATE head SET valid_from = valid_from - 1 WHERE scope_id = 3", "the head of scope 3 is content"),
        ("UPDATE head SET revision = 9999 WHERE scope_id = 3", "a head is of revision 9999"),
        ("DELETE FROM change WHERE revision = 2", "revisions are listed between 1 and"),
        ("UPDATE run SET state = x'00', deflated = 1 WHERE run_id = 1", "run 1: a packed value cannot be read"),
        ("UPDATE raw SET body = x'00', deflated = 0 WHERE position = 7", "after position 0"),
        ("INSERT INTO name (name) VALUES ('delete-all')", "is not found by its name"),
    ],
)
def test_damage_is_found(path: Path, statement: str, message: str) -> None:
    damage_store(path, statement)
    ran = run_command("store", "check", "--store", build_url(path))
    assert ran.code == 1
    assert "WRONG" in ran.out
    assert message in ran.err
    assert ran.err.endswith("the store is damaged: restore it from a backup\n")


def test_a_torn_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * 40)
        file.write(b"\xa5" * 4096)
    ran = run_command("store", "check", "--store", build_url(path))
    assert ran.code == 1
    assert "WRONG" in ran.out


def test_no_store(tmp_path: Path) -> None:
    for command in (["check"], ["compact"], ["backup", tmp_path / "copy.db"]):
        ran = run_command("store", *command, "--store", build_url(tmp_path / "nothing.db"))
        assert (ran.code, ran.out) == (2, "")
        assert "there is no store at" in ran.err
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "text.db").write_text("no database " * 1000)
    assert run_command("store", "check", "--store", build_url(tmp_path / "text.db")).code == 1


def test_the_store_of_the_settings_file(path: Path, tmp_path: Path) -> None:
    (tmp_path / "its.toml").write_text(f'store = "{build_url(path)}"\n')
    assert "the store is sound" in run_successfully("store", "check", "--config", tmp_path / "its.toml").out


# -- backup


def test_a_store_in_memory_has_no_backup(tmp_path: Path) -> None:
    ran = run_command("store", "backup", tmp_path / "copy.db", "--store", ":memory:")
    assert ran.code == 2
    assert "is in memory only" in ran.err


def test_a_backup_answers_the_same(example: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert run_successfully("store", "backup", copy, "--store", example).err.startswith(f"{copy}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["copy.db"]
    for question in QUESTIONS[:: choose_size(4, 1)]:  # which ask of what is compared as a whole below
        assert run_successfully(*question, "--store", build_url(copy)) == run_successfully(*question, "--store", example)
    with closing(open_store(example)) as one, closing(open_store(build_url(copy))) as other:
        assert read_everything(one) == read_everything(other)
        assert one.read_raw_events(0, 10_000) == other.read_raw_events(0, 10_000)


def test_a_backup_takes_no_others_place(example: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("precious")
    ran = run_command("store", "backup", copy, "--store", example)
    assert ran.code == 2
    assert "a file of this name exists" in ran.err
    assert copy.read_text() == "precious"
    run_successfully("store", "backup", copy, "--store", example, "--overwrite")
    assert "the store is sound" in run_successfully("store", "check", "--store", build_url(copy)).out


def test_a_backup_that_cannot_be_written_leaves_nothing(path: Path, tmp_path: Path) -> None:
    ran = run_command("store", "backup", tmp_path / "no" / "copy.db", "--store", build_url(path))
    assert ran.code == 2
    assert "cannot be written" in ran.err
    assert run_command("store", "backup", path, "--store", build_url(path), "--overwrite").code == 2
    assert sorted(found.name for found in tmp_path.iterdir() if not found.name.endswith(("-wal", "-shm"))) == ["mesh.db"]


@pytest.fixture
def writing(path: Path) -> Iterator[list[int]]:
    """Commits as fast as can be to the store; the revisions so far."""
    revisions: list[int] = []
    stop = threading.Event()

    def write() -> None:
        with closing(SqliteStore(str(path))) as store:
            pipeline = Pipeline(store, BatchBuilder(read_stored_rules(store)[0]))
            n = 0
            while not stop.is_set():
                body = build_event(0, job={"namespace": "w", "name": f"job{n}"}, run={"runId": f"00000000-0000-4000-8000-{n:012x}"})
                revisions.append(pipeline.submit(json.dumps(body).encode()).result(timeout=60).revision)
                n += 1
            pipeline.close()

    writer = threading.Thread(target=write)
    writer.start()
    yield revisions
    stop.set()
    writer.join(60)


def test_a_backup_while_it_is_written(path: Path, writing: list[int], tmp_path: Path) -> None:
    for n in range(3):
        while len(writing) < 10 * (n + 1):
            time.sleep(0.01)
        before = writing[-1]
        copy = tmp_path / f"copy{n}.db"
        run_successfully("store", "backup", copy, "--store", build_url(path))
        with closing(open_store(build_url(copy))) as store:
            assert before <= store.read_revision() <= writing[-1] + 1, "all that was durable before, and nothing that came later"
        assert "the store is sound" in run_successfully("store", "check", "--store", build_url(copy)).out


def test_a_check_while_it_is_written(path: Path, writing: list[int]) -> None:
    while len(writing) < 5:
        time.sleep(0.01)
    assert "the store is sound" in run_successfully("store", "check", "--store", build_url(path)).out


# -- compact


def test_compacting_drops_what_is_left_behind_and_changes_no_answer(path: Path) -> None:
    with closing(open_store(build_url(path))) as store:  # a run states while it runs what it does not state at the end
        for n in range(20):
            first, second = ({"namespace": "wh", "name": f"{name}{n}"} for name in ("first", "second"))
            begun = build_event(n, eventType="START", inputs=[first])
            ended = build_event(n, eventType="COMPLETE", eventTime=f"2026-01-01T01:00:{n:02}Z", inputs=[first, second])
            ingest_events(store, begun, ended)
        before = read_everything(store)
        raw = store.read_raw_events(0, 10_000)
    ran = run_successfully("store", "compact", "--store", build_url(path))
    assert re.match(r"packed 0 observations; dropped 0 runs, 0 records, [1-9][0-9]* contents, [0-9]+ labels? and 0 raw events; ", ran.err)
    with closing(open_store(build_url(path))) as store:
        assert read_everything(store) == before
        assert store.read_raw_events(0, 10_000) == raw
    assert "the store is sound" in run_successfully("store", "check", "--store", build_url(path)).out
    with closing(open_store(build_url(path))) as store:  # and it goes on
        ingest_events(store, build_event(30), build_event(31))
        known = read_everything(store)
        ingest_events(store, *((ended, build_event(30))))  # runs of before and after are known
        assert read_everything(store)[0] == known[0]
    assert "the store is sound" in run_successfully("store", "check", "--store", build_url(path)).out
    assert "0 contents" in run_successfully("store", "compact", "--store", build_url(path)).err


def test_compacting_forgets_old_events_and_gives_back_the_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHLINE_RAW_RETENTION_DAYS", "0")
    size = path.stat().st_size
    ran = run_successfully("store", "compact", "--store", build_url(path))
    assert "170 raw events" in ran.err
    assert path.stat().st_size < size
    with closing(open_store(build_url(path))) as store:
        assert store.read_raw_events(0, 10) == []


def test_compacting_packs_and_drops_what_is_past_its_retention(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_graphs(store: Store) -> tuple[Any, ...]:
        heads, past, history, revision, graph = read_everything(store)
        return heads, [[head._replace(version="") for head in each] for each in past], history, revision, graph

    with closing(open_store(build_url(path))) as store:
        for n in range(40):
            ingest_events(store, build_event(n, job={"namespace": "airflow", "name": "daily"}))
        before = read_graphs(store)
    for name in ("RUN", "OBSERVATION", "JOURNAL", "AUDIT"):
        monkeypatch.setenv(f"MESHLINE_{name}_RETENTION_DAYS", "0")
    ran = run_successfully("store", "compact", "--store", build_url(path))
    assert re.match(r"packed [1-9][0-9]+ observations; dropped [1-9][0-9]* runs, ", ran.err)
    with closing(open_store(build_url(path))) as store:
        assert read_graphs(store) == before
    assert "the store is sound" in run_successfully("store", "check", "--store", build_url(path)).out


def test_kill_9_while_it_is_compacted(path: Path) -> None:
    with closing(open_store(build_url(path))) as store:
        for n in range(40):
            ingest_events(store, build_event(n, job={"namespace": "airflow", "name": "daily"}))
        before = read_everything(store)
    program = """
import os, signal, sys
from meshline.graph.store.base import Retention
from meshline.graph.store.sqlite import maintenance, packed_times
from meshline.ingest.openlineage.builder import find_run_age
put, after = packed_times._put_times, int(sys.argv[2])
def die(*arguments):
    global after
    put(*arguments)
    after -= 1
    if not after:
        os.kill(os.getpid(), signal.SIGKILL)
packed_times._put_times = die
maintenance.compact_file(sys.argv[1], 0, Retention(2**60, 2**60), find_run_age)
"""
    for after in ("1", "2"):
        done = subprocess.run([sys.executable, "-c", program, str(path), after], check=False, timeout=60)
        assert done.returncode == -signal.SIGKILL
        with closing(open_store(build_url(path))) as store:
            assert read_everything(store) == before
        assert "the store is sound" in run_successfully("store", "check", "--store", build_url(path)).out


def test_a_store_that_is_open_is_not_compacted(path: Path) -> None:
    before = path.read_bytes()
    with run_server("serve", "--store", build_url(path)) as address:
        ran = run_command("store", "compact", "--store", build_url(path))
        assert ran.code == 2
        assert "another process has" in ran.err
        assert "stop the servers that use it" in ran.err
        run_successfully("ingest", "openlineage", EXAMPLE / "events" / "dbt.ndjson", "--server", address)
    assert len(list(read_events([str(EXAMPLE / "events" / "dbt.ndjson")]))) > 0
    assert before[:16] == path.read_bytes()[:16]
    run_successfully("store", "compact", "--store", build_url(path))
