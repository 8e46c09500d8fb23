"""A store that a version before wrote (schema 3, recorded by scripts/record-neo4j-store; schema 5) is opened, read and written."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from meshline.graph.content import encode_facts
from meshline.graph.model import Facts, Statement, build_dataset_key, build_job_key
from meshline.graph.store.base import Batch, Retention, RunKey, RunPair, RunReader, RunRole, Withdrawal
from meshline.graph.store.history import digest_run
from meshline.graph.store.neo4j import Neo4jStore
from meshline.graph.store.neo4j.connection import Address, Connection
from meshline.graph.store.neo4j.cypher import MIGRATIONS
from meshline.graph.store.neo4j.search_names import compute_digest
from meshline.ingest.openlineage.builder import find_run_age
from tests.servers import Neo4jServer
from tests.stores.drawing import build_drawing, read_drawing
from tests.stores.statements import build_statement, commit_statements, find_head, list_heads

pytestmark = pytest.mark.server

RECORDED = Path(__file__).with_name("neo4j_schema_3.json")
SOURCE = "openlineage/default"
ORDERS, MART = build_dataset_key("postgres://shop", "public.orders"), build_dataset_key("postgres://shop", "mart.orders")
LOAD = build_job_key("airflow", "load_orders")
OUTPUT = ("job-output", *LOAD.parts, *MART.parts)
RUN = RunKey(SOURCE, LOAD, "11111111-1111-4111-8111-111111111111")


def convert(value: object) -> object:
    if isinstance(value, dict):
        return base64.b64decode(value["bytes"]) if "bytes" in value else datetime.fromisoformat(value["time"].replace("000+", "+"))
    return value


@pytest.fixture
def recorded(neo4j: Neo4jServer) -> Neo4jServer:
    """A database as the version before left it."""
    found = json.loads(RECORDED.read_text())
    with neo4j.session() as session:
        session.run("MATCH (n) DETACH DELETE n").consume()
        with closing(Connection(Address.parse(neo4j.url))) as connection:
            for migration in MIGRATIONS[:3]:
                connection.define(migration)
        elements = []
        for labels, properties in found["nodes"]:
            given = {name: convert(value) for name, value in properties.items()}
            elements += session.run(f"CREATE (n:{':'.join(labels)}) SET n = $given RETURN elementId(n)", given=given).value()
        for kind, start, end, properties in found["relationships"]:
            session.run(
                f"MATCH (a), (b) WHERE elementId(a) = $start AND elementId(b) = $end CREATE (a)-[r:{kind}]->(b) SET r = $given",
                start=elements[start],
                end=elements[end],
                given={name: convert(value) for name, value in properties.items()},
            ).consume()
    return neo4j


def test_it_is_read_drawn_and_written_as_before(recorded: Neo4jServer) -> None:
    with closing(Neo4jStore(recorded.url)) as store:
        assert store.read_projection() == (5, 5, 0.0), "it needs not be drawn again"
        heads = list_heads(store)
        assert read_drawing(recorded) == build_drawing(heads)
        assert sorted(head.source for head in heads) == ["mesh/shop", SOURCE, SOURCE]
        scope_id = next(head.scope_id for head in heads if head.scope == OUTPUT)
        history = store.read_history([scope_id])[scope_id]
        assert [(interval.valid_from, interval.last_observed, interval.observation.version) for interval, _ in history] == [(2, 5, "run-3")]
        assert [stored.run.key for stored in store.list_runs([MART], RunRole.WRITES)] == [RUN]
        assert store.list_events(0, 10)[0].event.body == b'{"eventType":"COMPLETE"}'
        assert list(store.search(["forgotten"], (), 10)) == [build_dataset_key("postgres://shop", "public.forgotten")]
        assert list(store.search_texts(["ordered"], (), 10)) == [ORDERS]
        assert (len(store.read_journal()), store.read_setting("naming")) == (1, "x")
        pairs: list[RunPair] = []

        def build(runs: object) -> Batch:
            found = runs.find_siblings([(SOURCE, "parent", b"\x01" * 16)])  # type: ignore[attr-defined]
            pairs.extend(pair for of_one in found.values() for pair in of_one)
            return Batch(
                withdrawals=[Withdrawal(SOURCE, OUTPUT, "run-3")],
                statements=[Statement(SOURCE, OUTPUT, 7, encode_facts(Facts()), "run-4")],
            )

        assert store.commit(build).revision == 6
        assert [pair.run for pair in pairs] == [RUN]
        assert store.complete_projection()
        assert read_drawing(recorded) == build_drawing(list_heads(store))
        assert [head.scope for head in list_heads(store)] == [head.scope for head in heads if head.scope != OUTPUT]
    with recorded.session() as session:
        assert session.run("MATCH (s:ScopeState)--() RETURN count(*)").values() == [[0]]
        assert session.run("MATCH (s:Scope) RETURN count(s), count(s.key)").values() == [[4, 0]]
        for text, digest in session.run("MATCH (s:ScopeState) WHERE s.version IS NOT NULL RETURN s.version, s.versionDigest").values():
            assert digest == compute_digest(text)
        assert session.run("MATCH (r:Run) RETURN r.parentDigest").values() == [[compute_digest("parent")]]


def test_a_migration_that_was_interrupted_goes_on(recorded: Neo4jServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshline.graph.store.neo4j.store.MOVED_AT_ONCE", 1)
    written = 0
    original = Connection.write

    def write_some(self: Connection, work: object) -> object:
        nonlocal written
        written += 1
        if written > sum(map(len, MIGRATIONS[3:])) + 2:
            raise KeyboardInterrupt
        return original(self, work)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "write", write_some)
        with pytest.raises(KeyboardInterrupt):
            Neo4jStore(recorded.url)
    with recorded.session() as session:
        assert session.run("MATCH (s:ScopeState) RETURN count(s)").values() == [[2]]
    with closing(Neo4jStore(recorded.url)) as store:
        assert read_drawing(recorded) == build_drawing(list_heads(store))
        assert store.read_revision() == 5


def test_dropped_runs_of_schema_5_are_known(neo4j: Neo4jServer) -> None:
    """And what that version recorded is packed by this one."""
    dropped = RUN._replace(run_id="dropped")
    with closing(Neo4jStore(neo4j.url)) as store:
        commit_statements(store, *(build_statement("A", at, version=f"{at}@x") for at in range(9)))
    with neo4j.session() as session:
        session.run("DROP CONSTRAINT packed_times_last").consume()
        session.run("DROP CONSTRAINT dropped_runs_last").consume()
        session.run("CREATE CONSTRAINT dropped_run_digest FOR (d:DroppedRun) REQUIRE d.digest IS UNIQUE").consume()
        rows = [{"digest": digest, "day": 20_000} for digest in (digest_run(dropped), *range(2500))]
        session.run("UNWIND $rows AS row CREATE (d:DroppedRun) SET d = row", rows=rows).consume()
        session.run("MATCH (m:Meta) SET m.schema = 5").consume()
    with closing(Neo4jStore(neo4j.url)) as store:
        found: set[RunKey] = set()

        def build(runs: RunReader) -> Batch:
            found.update(runs.find_dropped([dropped, dropped._replace(run_id="other")]))
            return Batch()

        store.commit(build)
        assert found == {dropped}
        before = [find_head(store, as_of=at) for at in range(9)]
        assert store.prune_history(Retention(observations=9), find_run_age).observations == 7
        after = [find_head(store, as_of=at) for at in range(9)]
        assert [head and head._replace(version="") for head in after] == [head and head._replace(version="") for head in before]
    with neo4j.session() as session:
        assert session.run("MATCH (m:Meta) RETURN m.schema").values() == [[len(MIGRATIONS)]]
        assert session.run("MATCH (d:DroppedRun) RETURN count(*)").values() == [[0]]
        assert session.run("MATCH (d:DroppedRuns) UNWIND d.digests AS digest RETURN count(DISTINCT digest)").values() == [[2501]]
        names = session.run("SHOW CONSTRAINTS YIELD name WHERE name STARTS WITH 'dropped' OR name STARTS WITH 'packed' RETURN name")
        assert sorted(names.value()) == ["dropped_runs_last", "packed_times_last"]
