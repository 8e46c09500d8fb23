"""Looking after a store in Neo4j: check, compact, and a backup that is an SQLite store."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

from meshline.governance.audit import AUDIT
from meshline.graph.model import JOB_OUTPUT, Interval, build_dataset_key, build_job_key, get_current_micros
from meshline.graph.store.base import Head, RunRole, Store
from meshline.graph.store.factory import open_store
from meshline.graph.store.neo4j.connection import Address
from tests.api.test_ingest import build_event
from tests.cli.command import EXAMPLE, run_command, run_successfully
from tests.cli.test_server import QUESTIONS
from tests.cli.test_store import ingest_events
from tests.servers import Neo4jServer
from tests.sizes import choose_size
from tests.stores.journal_contract import append_records, build_record

pytestmark = pytest.mark.server


def read_intervals(store: Store) -> dict[object, list[tuple[Interval, bytes]]]:
    """All statements of a store by source and scope, without the store's own numbers."""
    heads = {head.scope_id: head for head in store.read_changes(0).heads}
    history = store.read_history(list(heads))
    return {(heads[scope].source, heads[scope].scope): [(i, c.digest) for i, c in each] for scope, each in history.items()}


def read_heads(store: Store, time: int | None) -> list[Head]:
    return sorted(head._replace(scope_id=0) for batch in store.iterate_heads(time) for head in batch)


ALWAYS = (-(2**61), 2**61)
HALF_SECOND = 500_000  # microseconds


def read_lists(store: Store) -> tuple[object, ...]:
    """The lists of runs and events of a store, without its own numbers, and its counts of events."""
    outputs = [head.scope for head in read_heads(store, None) if head.scope[0] == JOB_OUTPUT]
    jobs, datasets = {build_job_key(*scope[1:3]) for scope in outputs}, {build_dataset_key(*scope[3:5]) for scope in outputs}
    asked = [*((job, RunRole.JOB) for job in jobs), *((one, role) for one in datasets for role in (RunRole.READS, RunRole.WRITES))]
    runs = {(asset, role): sorted(stored.run for stored in store.list_runs([asset], role, limit=999)) for asset, role in asked}
    assert all(runs[job, RunRole.JOB] for job in jobs)
    return runs, [stored.event for stored in store.list_events(*ALWAYS, limit=9999)], store.read_event_counts(*ALWAYS)


def test_check_compact_and_backup(neo4j: Neo4jServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHLINE_STORE", neo4j.url)
    run_successfully("ingest", "mesh", EXAMPLE / "mesh.yaml")
    run_successfully("ingest", "openlineage", EXAMPLE / "events")
    with closing(open_store(neo4j.url)) as store:  # with withdrawals, and runs that go on
        first, second = ({"namespace": "wh", "name": name} for name in ("first", "second"))
        ingest_events(
            store,
            build_event(1, eventType="START", inputs=[first]),
            build_event(1, eventTime="2026-01-01T01:00:00Z", inputs=[first, second]),
        )
        store.prune_raw_events(get_current_micros())  # of these only the counts remain
        ingest_events(store, build_event(2, eventType="START"))
        append_records(store, *(build_record(f"k{n}" if n % 3 else "", str(n).encode(), kind=f"kind{n % 2}") for n in range(2500)))

    checked = run_successfully("store", "check").out
    assert checked.endswith("the store is sound\n")
    assert "search: assets are found by their names" in checked

    copy = tmp_path / "copy.db"
    shown = run_successfully("store", "backup", copy)
    assert Address.parse(neo4j.url).password not in shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["copy.db"]
    assert run_command("store", "backup", copy).code == 2
    url = f"sqlite:///{copy}"
    for question in QUESTIONS[:: choose_size(4, 1)]:  # which ask of what is compared as a whole below
        assert run_successfully(*question, "--store", url) == run_successfully(*question)
    with closing(open_store(neo4j.url)) as one, closing(open_store(url)) as other:
        assert read_intervals(one) == read_intervals(other), set(map(repr, read_intervals(one).items())) ^ set(
            map(repr, read_intervals(other).items())
        )
        times = sorted({head.observed_at for head in read_heads(one, None)})
        for time in (None, *times[:: max(1, len(times) // 5)]):
            assert read_heads(one, time) == read_heads(other, time)
        assert [stored.event for stored in one.read_raw_events(0, 10_000)] == [stored.event for stored in other.read_raw_events(0, 10_000)]
        assert len(one.read_journal("", 0, 10_000)) == 2500
        assert one.read_journal("", 0, 10_000) == other.read_journal("", 0, 10_000), "with its positions: settings may hold one"
        assert read_lists(one) == read_lists(other)
        assert sum(one.read_event_counts(*ALWAYS).values()) > one.count_events(*ALWAYS) > 0, "also of events that are forgotten"
        ended = build_event(2, eventTime="2026-01-01T02:00:00Z")  # the run goes on alike
        ingest_events(one, ended)
        ingest_events(other, ended)
        assert read_intervals(one) == read_intervals(other), set(map(repr, read_intervals(one).items())) ^ set(
            map(repr, read_intervals(other).items())
        )
    assert run_successfully("store", "check", "--store", url).out.endswith("the store is sound\n")

    monkeypatch.setenv("MESHLINE_RAW_RETENTION_DAYS", "0")
    assert re.search(r" and [1-9][0-9,]* raw events", run_successfully("store", "compact").err)
    with closing(open_store(neo4j.url)) as store:
        assert store.read_raw_events(0, 10) == []


def test_compacting_packs_and_drops_what_is_past_its_retention(neo4j: Neo4jServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a backup has what is left: packed times, the positions of the journal, and which runs were dropped."""

    def read_graphs(store: Store) -> list[list[Head]]:
        return [[head._replace(version="") for head in read_heads(store, time)] for time in times]

    with closing(open_store(neo4j.url)) as store:
        for n in range(9):
            ingest_events(store, build_event(n, job={"namespace": "airflow", "name": "daily"}))
        append_records(
            store, *(build_record(f"k{n}", kind=AUDIT) for n in range(3)), build_record("k", kind="kept"), build_record(kind=AUDIT)
        )
        before = read_heads(store, None), read_intervals(store)
        last = before[0][0].observed_at
        times = [last - number * HALF_SECOND for number in range(20)]
        past = read_graphs(store)
        assert len({str(graph) for graph in past}) > 8
    for name in ("RUN", "OBSERVATION", "JOURNAL", "AUDIT"):
        monkeypatch.setenv(f"MESHLINE_{name}_RETENTION_DAYS", "0")
    shown = run_successfully("store", "compact", "--store", neo4j.url).err
    assert re.match(r"packed [1-9][0-9]+ observations; dropped 8 runs, 4 records and 0 raw events", shown)
    copy = f"sqlite:///{tmp_path / 'copy.db'}"
    run_successfully("store", "backup", tmp_path / "copy.db", "--store", neo4j.url)
    late = build_event(1, job={"namespace": "airflow", "name": "daily"}, outputs=[{"namespace": "wh", "name": "another"}])
    for url in (neo4j.url, copy):
        with closing(open_store(url)) as store:
            assert (read_heads(store, None), read_intervals(store)) == before
            assert read_graphs(store) == past
            ingest_events(store, late)
            assert (read_heads(store, None), read_intervals(store)) == before, "events of dropped runs change nothing"
            append_records(store, build_record("new"))
            assert [kept.position for kept in store.read_journal()] == [4, 6]
        assert "the store is sound" in run_successfully("store", "check", "--store", url).out


def test_an_empty_database_is_no_store(neo4j: Neo4jServer, tmp_path: Path) -> None:
    with neo4j.session() as session:
        session.run("MATCH (m:Meta) DELETE m").consume()
    try:
        ran = run_command("store", "backup", tmp_path / "copy.db", "--store", neo4j.url)
        assert ran.code == 2
        assert "there is no store of meshline in this database" in ran.err
        assert list(tmp_path.iterdir()) == []
    finally:
        open_store(neo4j.url).close()
