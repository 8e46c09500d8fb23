"""The contract of stores on a real Neo4j, random operations on it, several writers, and a server that goes away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from meshline.errors import InvalidInput, StoreCorrupt, StoreUnavailable
from meshline.graph.model import Statement
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, RunRole, Store
from meshline.graph.store.neo4j import Neo4jStore
from meshline.graph.store.neo4j.connection import Address, Connection, Transaction
from meshline.ingest.openlineage import run_index
from meshline.ingest.openlineage.run_index import index_stored_runs
from tests.index.strategies import any_statement, draw_lists
from tests.ingest.lineage_events import RUN
from tests.ingest.test_run_index import JOB, ingest, read_lists
from tests.servers import Neo4jServer
from tests.sizes import count_examples
from tests.stores import laws
from tests.stores.contract import DurableStoreContract
from tests.stores.drawing import build_drawing, read_drawing
from tests.stores.journal_contract import append_records, build_record, list_records
from tests.stores.records_contract import build_run, build_run_key
from tests.stores.stateful import StoreMachine
from tests.stores.statements import build_head, build_statement, build_withdrawal, commit_statements, find_head, list_heads, read_graph

pytestmark = pytest.mark.server


class TestNeo4j(DurableStoreContract):
    @pytest.fixture
    def open_handle(self, neo4j: Neo4jServer) -> Iterator[Callable[[], Store]]:
        with ExitStack() as stack:
            yield lambda: stack.enter_context(closing(Neo4jStore(neo4j.url)))


def test_random_operations(neo4j: Neo4jServer) -> None:
    """On two handles in turn, compared with the model; and the graph for people, which follows, is that of the heads."""

    class Machine(StoreMachine):
        def open_store(self) -> Store:
            neo4j.wipe()
            self.handles = (Neo4jStore(neo4j.url), Neo4jStore(neo4j.url))
            self.other: Store = self.handles[1]
            return self.handles[0]

        @rule()
        def change_handle(self) -> None:
            self.store, self.other = self.other, self.store

        @rule(handle=st.integers(0, 1))
        def draw_heads(self, handle: int) -> None:
            """Now and then: what was committed since is drawn together."""
            assert self.handles[handle].complete_projection()
            assert read_drawing(neo4j) == build_drawing(list_heads(self.store))

        def teardown(self) -> None:
            self.store.close()
            self.other.close()

    chosen = settings(max_examples=count_examples(12), stateful_step_count=12, deadline=None, suppress_health_check=[*HealthCheck])
    run_state_machine_as_test(Machine, settings=chosen)


@settings(max_examples=count_examples(2), deadline=None, suppress_health_check=[*HealthCheck])
@given(st.lists(draw_lists(any_statement, 5), min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_an_index_continues_from_its_file(neo4j: Neo4jServer, batches: list[list[Statement]], chance: Random) -> None:
    def open_empty() -> Store:
        neo4j.wipe()
        return Neo4jStore(neo4j.url)

    laws.check_an_index_continues_from_its_file(open_empty, batches, chance)


@settings(max_examples=count_examples(2), deadline=None, suppress_health_check=[*HealthCheck])
@given(st.lists(draw_lists(any_statement, 5), min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_a_past_index_is_of_what_was_known(neo4j: Neo4jServer, batches: list[list[Statement]], chance: Random) -> None:
    def open_empty() -> Store:
        neo4j.wipe()
        return Neo4jStore(neo4j.url)

    laws.check_a_past_index_is_of_what_was_known(open_empty, batches, chance)


def commit_batch(store: Store, batch: Batch) -> int:
    return store.commit(lambda _: batch).revision


def test_writers_of_several_processes_lose_nothing(neo4j: Neo4jServer) -> None:
    """Each has its own driver, as two processes have; all withdraw and restate in the same scopes."""
    writers = [Neo4jStore(neo4j.url) for _ in range(4)]
    revisions: list[list[int]] = [[] for _ in writers]
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for at in range(15):
                version = f"writer {number}, {at}"
                batch = Batch(
                    withdrawals=[build_withdrawal(f"writer {number}, {at - 1}", scope=("shared", str(at % 3)))],
                    statements=[
                        build_statement("ABCD"[number], 100 * at + number, scope=("shared", str(at % 3)), version=version),
                        build_statement("ABCD"[at % 4], at, scope=("own", str(number)), version=version),
                    ],
                    runs=[build_run(build_run_key(version))],
                )
                revisions[number].append(commit_batch(writers[number], batch))
        except BaseException as error:  # noqa: BLE001 - of a thread
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(writers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(revision for of_one in revisions for revision in of_one) == list(range(1, 61)), "gapless"
    assert all(of_one == sorted(of_one) for of_one in revisions)
    assert len(writers[0].read_runs([build_run_key(f"writer {n}, {at}") for n in range(4) for at in range(15)])) == 60
    assert find_head(writers[1], ("own", "2")) == build_head("C", 14, version="writer 2, 14")
    assert find_head(writers[0], ("shared", "2")) == build_head("D", 1403, version="writer 3, 14")
    heads = list_heads(writers[0])
    assert writers[3].complete_projection()
    assert read_drawing(neo4j) == build_drawing(heads)
    for writer in writers:
        assert sorted(list_heads(writer)) == sorted(heads)
        writer.close()


def test_a_follower_never_misses_a_commit(neo4j: Neo4jServer) -> None:
    """While another writes, `changes` since the revision that it knows brings a copy to the newest state."""
    writer, follower = Neo4jStore(neo4j.url), Neo4jStore(neo4j.url)
    done = threading.Event()

    def write() -> None:
        for at in range(1, 41):
            commit_statements(writer, *(build_statement("AB"[at % 2], at, scope=("s", str(n))) for n in range(at % 7 + 1)))
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    copy: dict[int, object] = {}
    known = 0
    while True:
        last = done.is_set()
        known, heads, _ = follower.read_changes(known)
        copy.update({head.scope_id: head for head in heads})
        if last:
            break
    thread.join()
    assert known == 40
    assert copy == {head.scope_id: head for head in list_heads(writer)}
    writer.close()
    follower.close()


def test_a_store_works_again_when_its_server_does(own_neo4j: Neo4jServer) -> None:
    own_neo4j.wipe()
    with closing(Neo4jStore(own_neo4j.url)) as store, closing(Neo4jStore(own_neo4j.url)) as other:
        commit_statements(store, build_statement("A", 1), build_statement("B", 1, scope="t"))
        append_records(store, build_record("k", b"1"))
        before = read_graph(store)
        assert read_graph(other) == before
        own_neo4j.kill()
        for attempt in (
            store.read_revision,
            lambda: store.read_changes(0),
            lambda: commit_statements(store, build_statement("C", 2)),
            lambda: list_heads(store),
        ):
            with pytest.raises(StoreUnavailable, match="is it running"):
                attempt()
        with pytest.raises(StoreUnavailable):
            Neo4jStore(own_neo4j.url)
        own_neo4j.start()
        assert read_graph(store) == before, "what was acknowledged is there"
        append_records(store, build_record("k", b"2"))
        assert list_records(store) == [build_record("k", b"1")], "and a record that is appended again is there once"
        assert commit_statements(store, build_statement("C", 2)).revision == 2
        assert commit_statements(other, build_statement("D", 3)).revision == 3, "its connections were lost too, and it did not notice"
        assert find_head(store) == build_head("D", 3)


@pytest.mark.parametrize("url", ["neo4j://", "http://localhost:7474", "localhost:7687", "bolt:///x", "bolt://[::1", "bolt://host:port", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="neo4j://user:password@host:7687"):
        Neo4jStore(url)


def test_a_wrong_password_is_reported(neo4j: Neo4jServer) -> None:
    scheme, _, rest = neo4j.url.partition("://")
    with pytest.raises(StoreUnavailable, match="user name or password"):
        Neo4jStore(f"{scheme}://neo4j:wrong@{rest.rpartition('@')[2]}")


def test_a_missing_database_is_reported(neo4j: Neo4jServer) -> None:
    with pytest.raises(StoreUnavailable, match="nowhere"):
        Neo4jStore(f"{neo4j.url}/nowhere")


def test_an_address_is_parsed() -> None:
    address = Address.parse("neo4j+s://ann%40x:p%2Fw%3A@graph.example:7777/mesh?policy=eu")
    assert address == ("neo4j+s://graph.example:7777?policy=eu", "ann@x", "p/w:", "mesh")
    assert Address.parse("bolt://[::1]:7687") == ("bolt://[::1]:7687", "", "", None)


def test_a_store_of_a_newer_version_is_left_alone(neo4j: Neo4jServer) -> None:
    Neo4jStore(neo4j.url).close()
    with neo4j.session() as session:
        session.run("MATCH (m:Meta) SET m.schema = 99").consume()
        try:
            with pytest.raises(StoreCorrupt, match="newer meshline"):
                Neo4jStore(neo4j.url)
        finally:
            session.run("MATCH (m:Meta) SET m.schema = 2").consume()


def test_a_store_of_schema_1_gets_a_journal(neo4j: Neo4jServer) -> None:
    with closing(Neo4jStore(neo4j.url)) as store:
        commit_statements(store, build_statement("A", 1))
    with neo4j.session() as session:
        for name in ("record_position", "record_id"):
            session.run(f"DROP CONSTRAINT {name}").consume()
        session.run("DROP INDEX record_kind").consume()
        session.run("MATCH (m:Meta) SET m.schema = 1 REMOVE m.records").consume()
    with closing(Neo4jStore(neo4j.url)) as store:
        append_records(store, build_record("k", b"1"), build_record("k", b"2"))
        assert list_records(store) == [build_record("k", b"1")]
        assert (store.read_revision(), find_head(store)) == (1, build_head("A", 1))
    with neo4j.session() as session:
        assert session.run("SHOW CONSTRAINTS YIELD name WHERE name STARTS WITH 'record_' RETURN count(*)").values() == [[2]]


def test_runs_and_events_of_schema_2_get_their_places(neo4j: Neo4jServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_index, "GROUP", 5)
    with closing(Neo4jStore(neo4j.url)) as store:
        ingest(store, *range(12))
        expected = read_lists(store)
    with neo4j.session() as session:  # as it was before there were lists
        session.run("MATCH (n) WHERE n:RunPlace OR n:EventCount DETACH DELETE n").consume()
        session.run("MATCH (r:Run) REMOVE r.begunMicros, r.begunAt, r.reads, r.writes, r.runIdKey").consume()
        session.run("MATCH (e:RawEvent) REMOVE e.at, e.atMicros, e.type, e.place").consume()
        session.run("DROP INDEX run_place_order").consume()
        session.run("DROP INDEX raw_event_place").consume()
        session.run("MATCH (m:Meta) SET m.schema = 2").consume()
    with closing(Neo4jStore(neo4j.url)) as store:
        assert store.list_runs([JOB], RunRole.JOB) == []
        assert index_stored_runs(store, Naming()) == (12, 24)
        assert read_lists(store) == expected
        assert store.count_runs_by_id(RUN.format(1)) == 1
        assert index_stored_runs(store, Naming()) == (0, 0)


@pytest.mark.parametrize("read", [lambda store: store.read_heads([1]), lambda store: store.read_history([1])])
def test_a_content_that_is_not_shown_yet_is_read_when_its_commit_has_ended(
    neo4j: Neo4jServer, monkeypatch: pytest.MonkeyPatch, read: Callable[[Store], object]
) -> None:
    """Neo4j shows a commit in parts: here the statement is shown, and its content is not until the lock of the store is free."""
    with closing(Neo4jStore(neo4j.url)) as writer, closing(Neo4jStore(neo4j.url)) as reader, neo4j.session() as session:
        commit_statements(writer, build_statement("A", 1))
        expected = read(writer)
        session.run("MATCH (c:Content) SET c:Hidden REMOVE c:Content").consume()
        wait = Connection.read_locked

        def end_commit(connection: Connection, work: Callable[[Transaction], object]) -> object:
            with neo4j.session() as own:  # threads that draw read under the lock, too
                own.run("MATCH (c:Hidden) SET c:Content REMOVE c:Hidden").consume()
            return wait(connection, work)

        monkeypatch.setattr(Connection, "read_locked", end_commit)
        assert read(reader) == expected


def test_a_content_that_is_lost_is_reported(neo4j: Neo4jServer) -> None:
    with closing(Neo4jStore(neo4j.url)) as writer, closing(Neo4jStore(neo4j.url)) as reader:
        commit_statements(writer, build_statement("A", 1))
        with neo4j.session() as session:
            session.run("MATCH (c:Content) DELETE c").consume()
        with pytest.raises(StoreCorrupt, match="backup"):
            reader.read_heads([1])


def test_an_emptied_database_is_reported(neo4j: Neo4jServer) -> None:
    with closing(Neo4jStore(neo4j.url)) as store:
        with neo4j.session() as session:
            session.run("MATCH (m:Meta) DELETE m").consume()
        with pytest.raises(StoreCorrupt, match="contains no meshline store"):
            commit_statements(store, build_statement("A", 1))
        with pytest.raises(StoreCorrupt, match="contains no meshline store"):
            store.read_revision()
    with closing(Neo4jStore(neo4j.url)) as again:
        assert again.read_revision() == 0


@pytest.fixture
def without_schema(neo4j: Neo4jServer) -> Neo4jServer:
    """An empty database in which nothing is defined."""
    schema = {
        "CONSTRAINT": "SHOW CONSTRAINTS YIELD name RETURN name",
        "INDEX": "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name",
    }
    with neo4j.session() as session:
        session.run("MATCH (m:Meta) DELETE m").consume()
        for what, names in schema.items():
            for (name,) in session.run(names).values():
                session.run(f"DROP {what} {name}").consume()
    return neo4j


def open_at_once(server: Neo4jServer) -> list[Neo4jStore]:
    opened: list[Neo4jStore] = []
    threads = [threading.Thread(target=lambda: opened.append(Neo4jStore(server.url))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return opened


def test_all_handles_may_be_opened_at_once_on_an_empty_database(without_schema: Neo4jServer) -> None:
    opened = open_at_once(without_schema)
    assert len(opened) == 5
    for number, store in enumerate(opened, 1):
        assert commit_statements(store, build_statement("A", number)).revision == number
        store.close()


def test_handles_that_are_opened_at_once_do_not_wait_for_each_other(without_schema: Neo4jServer) -> None:
    """One that waits for indexes keeps no lock that another needs to finish a constraint: that ended in an error after five minutes."""
    with without_schema.session() as session:  # what the server needs a second to index
        session.run(
            "UNWIND range(1, 200000) AS n CALL (n) { CREATE (:EventCount {key: toString(n)}) } IN TRANSACTIONS OF 20000 ROWS"
        ).consume()
    opened = open_at_once(without_schema)
    for store in opened:
        store.close()
    with without_schema.session() as session:
        session.run("MATCH (c:EventCount) CALL (c) { DELETE c } IN TRANSACTIONS OF 20000 ROWS").consume()
    assert len(opened) == 5
