"""The contract of stores on a real Neo4j, random operations on it, several writers, and a server that goes away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from meshline.errors import InvalidInput, StoreCorrupt, StoreUnavailable
from meshline.graph.store.base import Batch, Store
from meshline.graph.store.neo4j import Neo4jStore
from meshline.graph.store.neo4j.connection import Address
from tests.servers import Neo4jServer
from tests.sizes import count_examples
from tests.stores.contract import DurableStoreContract
from tests.stores.drawn import drawn, to_draw
from tests.stores.journal_contract import append, record, records
from tests.stores.records_contract import key, run
from tests.stores.said import all_heads, commit, graph, head_of, say, says, withdraw
from tests.stores.stateful import StoreMachine

pytestmark = pytest.mark.server


class TestNeo4j(DurableStoreContract):
    @pytest.fixture
    def open_handle(self, neo4j: Neo4jServer) -> Iterator[Callable[[], Store]]:
        with ExitStack() as stack:
            yield lambda: stack.enter_context(closing(Neo4jStore(neo4j.url)))


def test_random_operations(neo4j: Neo4jServer) -> None:
    """On two handles in turn, compared with the model; and after each the graph for people is that of the heads."""

    class Machine(StoreMachine):
        def open_store(self) -> Store:
            neo4j.wipe()
            self.other: Store = Neo4jStore(neo4j.url)
            return Neo4jStore(neo4j.url)

        @rule()
        def change_handle(self) -> None:
            self.store, self.other = self.other, self.store

        @invariant()
        def draws_what_the_heads_say(self) -> None:
            assert drawn(neo4j) == to_draw(all_heads(self.store))

        def teardown(self) -> None:
            self.store.close()
            self.other.close()

    chosen = settings(max_examples=count_examples(12), stateful_step_count=12, deadline=None, suppress_health_check=[*HealthCheck])
    run_state_machine_as_test(Machine, settings=chosen)


def put(store: Store, batch: Batch) -> int:
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
                    withdrawals=[withdraw(f"writer {number}, {at - 1}", scope=("shared", str(at % 3)))],
                    statements=[
                        say("ABCD"[number], 100 * at + number, scope=("shared", str(at % 3)), version=version),
                        say("ABCD"[at % 4], at, scope=("own", str(number)), version=version),
                    ],
                    runs=[run(key(version))],
                )
                revisions[number].append(put(writers[number], batch))
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
    assert len(writers[0].read_runs([key(f"writer {n}, {at}") for n in range(4) for at in range(15)])) == 60
    assert head_of(writers[1], ("own", "2")) == says("C", 14, version="writer 2, 14")
    assert head_of(writers[0], ("shared", "2")) == says("D", 1403, version="writer 3, 14")
    heads = all_heads(writers[0])
    assert drawn(neo4j) == to_draw(heads)
    for writer in writers:
        assert sorted(all_heads(writer)) == sorted(heads)
        writer.close()


def test_a_follower_never_misses_a_commit(neo4j: Neo4jServer) -> None:
    """While another writes, `changes` since the revision that it knows brings a copy to the newest state."""
    writer, follower = Neo4jStore(neo4j.url), Neo4jStore(neo4j.url)
    done = threading.Event()

    def write() -> None:
        for at in range(1, 41):
            commit(writer, *(say("AB"[at % 2], at, scope=("s", str(n))) for n in range(at % 7 + 1)))
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    copy: dict[int, object] = {}
    known = 0
    while True:
        last = done.is_set()
        known, heads = follower.read_changes(known)
        copy.update({head.scope_id: head for head in heads})
        if last:
            break
    thread.join()
    assert known == 40
    assert copy == {head.scope_id: head for head in all_heads(writer)}
    writer.close()
    follower.close()


def test_a_store_works_again_when_its_server_does(own_neo4j: Neo4jServer) -> None:
    own_neo4j.wipe()
    with closing(Neo4jStore(own_neo4j.url)) as store, closing(Neo4jStore(own_neo4j.url)) as other:
        commit(store, say("A", 1), say("B", 1, scope="t"))
        append(store, record("k", b"1"))
        before = graph(store)
        assert graph(other) == before
        own_neo4j.kill()
        for attempt in (store.read_revision, lambda: store.read_changes(0), lambda: commit(store, say("C", 2)), lambda: all_heads(store)):
            with pytest.raises(StoreUnavailable, match="is it running"):
                attempt()
        with pytest.raises(StoreUnavailable):
            Neo4jStore(own_neo4j.url)
        own_neo4j.start()
        assert graph(store) == before, "what was acknowledged is there"
        append(store, record("k", b"2"))
        assert records(store) == [record("k", b"1")], "and a record that is said again is there once"
        assert commit(store, say("C", 2)).revision == 2
        assert commit(other, say("D", 3)).revision == 3, "its connections were lost too, and it did not notice"
        assert head_of(store) == says("D", 3)


@pytest.mark.parametrize("url", ["neo4j://", "http://localhost:7474", "localhost:7687", "bolt:///x", "bolt://[::1", "bolt://host:port", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="neo4j://user:password@host:7687"):
        Neo4jStore(url)


def test_a_wrong_password_is_told(neo4j: Neo4jServer) -> None:
    scheme, _, rest = neo4j.url.partition("://")
    with pytest.raises(StoreUnavailable, match="user name or password"):
        Neo4jStore(f"{scheme}://neo4j:wrong@{rest.rpartition('@')[2]}")


def test_a_database_that_is_not_there_is_told(neo4j: Neo4jServer) -> None:
    with pytest.raises(StoreUnavailable, match="nowhere"):
        Neo4jStore(f"{neo4j.url}/nowhere")


def test_an_address_is_taken_apart() -> None:
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
        commit(store, say("A", 1))
    with neo4j.session() as session:
        for name in ("record_position", "record_id"):
            session.run(f"DROP CONSTRAINT {name}").consume()
        session.run("DROP INDEX record_kind").consume()
        session.run("MATCH (m:Meta) SET m.schema = 1 REMOVE m.records").consume()
    with closing(Neo4jStore(neo4j.url)) as store:
        append(store, record("k", b"1"), record("k", b"2"))
        assert records(store) == [record("k", b"1")]
        assert (store.read_revision(), head_of(store)) == (1, says("A", 1))
    with neo4j.session() as session:
        assert session.run("SHOW CONSTRAINTS YIELD name WHERE name STARTS WITH 'record_' RETURN count(*)").values() == [[2]]


def test_a_database_that_was_emptied_is_told(neo4j: Neo4jServer) -> None:
    with closing(Neo4jStore(neo4j.url)) as store:
        with neo4j.session() as session:
            session.run("MATCH (m:Meta) DELETE m").consume()
        with pytest.raises(StoreCorrupt, match="contains no meshline store"):
            commit(store, say("A", 1))
        with pytest.raises(StoreCorrupt, match="contains no meshline store"):
            store.read_revision()
    with closing(Neo4jStore(neo4j.url)) as again:
        assert again.read_revision() == 0


def test_all_handles_may_be_opened_at_once_on_an_empty_database(neo4j: Neo4jServer) -> None:
    schema = {
        "CONSTRAINT": "SHOW CONSTRAINTS YIELD name RETURN name",
        "INDEX": "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name",
    }
    with neo4j.session() as session:
        session.run("MATCH (m:Meta) DELETE m").consume()
        for what, names in schema.items():
            for (name,) in session.run(names).values():
                session.run(f"DROP {what} {name}").consume()
    opened: list[Neo4jStore] = []
    threads = [threading.Thread(target=lambda: opened.append(Neo4jStore(neo4j.url))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 5
    for number, store in enumerate(opened, 1):
        assert commit(store, say("A", number)).revision == number
        store.close()
