"""The graph for people follows the commits: in parts, after failures, by whichever process is there; and searches do not wait for it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshline.errors import StoreUnavailable
from meshline.graph.content import encode_facts
from meshline.graph.model import AssetFact, AssetKey, AssetKind, Facts, Precedence, Statement, build_dataset_key
from meshline.graph.store.base import Batch
from meshline.graph.store.neo4j import Neo4jStore, projection, projector
from meshline.graph.store.neo4j.assertions import Properties, SourceProperties, merge_properties
from meshline.graph.store.neo4j.connection import run_query
from meshline.graph.store.neo4j.cypher import get_cypher
from tests.servers import Neo4jServer
from tests.sizes import count_examples
from tests.stores.drawing import build_drawing, read_drawing
from tests.stores.statements import build_statement, commit_statements, list_heads
from tests.stores.test_neo4j_graph import batches

pytestmark = pytest.mark.server

NEVER = 1e9  # seconds


@pytest.fixture
def store(neo4j: Neo4jServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Neo4jStore]:
    """A store that does not draw by itself, as long as a test does not let it."""
    monkeypatch.setattr(projector, "IDLE_SECONDS", NEVER)
    monkeypatch.setattr(projector, "INTERVAL_SECONDS", NEVER)
    with closing(Neo4jStore(neo4j.url)) as store:
        yield store


def wait_until_drawn(store: Neo4jStore) -> None:
    end = time.monotonic() + 60
    while (state := store.read_projection()).drawn < state.revision:
        assert time.monotonic() < end, state
        time.sleep(0.05)


class FailingDraw:
    """Draws parts, until one fails as if the process had ended."""

    def __init__(self) -> None:
        self.left: int | None = None  # parts until the failure; None: no failure
        self.parts = 0
        self._draw = projector.draw_scopes

    def __call__(self, *given: object) -> None:
        self.parts += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise StoreUnavailable("the process ended")
        self._draw(*given)  # type: ignore[arg-type]


@settings(max_examples=count_examples(8), deadline=None, suppress_health_check=[*HealthCheck])
@given(
    st.lists(
        st.tuples(batches, st.integers(0, 1), st.one_of(st.none(), st.tuples(st.integers(0, 1), st.integers(0, 2)))),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_fails_in_between_the_end_is_a_graph_of_the_heads(
    neo4j: Neo4jServer, given: list[tuple[Batch, int, tuple[int, int] | None]]
) -> None:
    """Two processes commit in turn; now and then one draws, in small parts, and fails at one of them."""
    neo4j.wipe()
    with pytest.MonkeyPatch.context() as patch:
        failing = FailingDraw()
        for name, value in (("IDLE_SECONDS", NEVER), ("INTERVAL_SECONDS", NEVER), ("CHANGES", 3), ("SCOPES", 2), ("CONTENTS", 2)):
            patch.setattr(projector, name, value)
        patch.setattr(projector, "draw_scopes", failing)
        with closing(Neo4jStore(neo4j.url)) as one, closing(Neo4jStore(neo4j.url)) as other:
            stores = (one, other)
            for batch, number, drawn in given:
                stores[number].commit(lambda _, batch=batch: batch)  # type: ignore[misc]
                if drawn is not None:
                    failing.left = drawn[1]
                    try:
                        assert stores[drawn[0]].complete_projection()
                    except StoreUnavailable:
                        state = one.read_projection()
                        assert state.drawn < state.revision
                    failing.left = None
            assert other.complete_projection()
            assert one.complete_projection(), "which has nothing to do"
            state = one.read_projection()
            assert state.drawn == state.revision == one.read_revision()
            assert read_drawing(neo4j) == build_drawing(list_heads(one))


def test_what_a_scope_stated_in_between_is_not_drawn(store: Neo4jStore, neo4j: Neo4jServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for at, what in enumerate("ABCA"):
        commit_statements(store, build_statement(what, at))
    state = store.read_projection()
    assert (state.revision, state.drawn, state.behind >= 0) == (4, 0, True)
    monkeypatch.setattr(projector, "draw_scopes", drawn := FailingDraw())
    assert store.complete_projection()
    assert drawn.parts == 1
    assert store.read_projection() == (4, 4, 0.0)
    assert read_drawing(neo4j) == build_drawing(list_heads(store))
    with neo4j.session() as session:
        assert session.run("MATCH (c:Change) RETURN count(c)").values() == [[0]]


def test_what_others_state_is_read_only_if_another_value_is_to_be_shown(
    store: Neo4jStore, neo4j: Neo4jServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each run of one of a thousand jobs that read a table would read what all of them state of it."""
    key = build_dataset_key("postgres://shop", "public.orders")
    merged: list[int] = []

    def count_and_merge(stated: Sequence[SourceProperties], precedence: Precedence) -> Properties:
        merged.append(len(stated))
        return merge_properties(stated, precedence)

    monkeypatch.setattr(projection, "merge_properties", count_and_merge)

    def state(scope: str, at: int, **attributes: str | int) -> list[int]:
        merged.clear()
        statement = Statement("openlineage/a", (scope,), at, encode_facts(Facts(assets=(AssetFact(key, attributes),))))
        store.commit(lambda _: Batch(statements=[statement]))
        assert store.complete_projection()
        assert read_drawing(neo4j) == build_drawing(list_heads(store))
        return list(merged)

    assert state("s", 1, type="TABLE", title="Orders") == [1]
    assert state("t", 2, type="TABLE") == []
    assert state("s", 3, type="TABLE", title="Orders") == [], "at another time alone"
    assert state("t", 4, type="VIEW") == [2]
    assert state("s", 5, type="TABLE") == [2], "it states one attribute less"
    assert state("t", 6, type="VIEW", position=1) == [2], "numbers are compared here"


def test_a_search_finds_what_is_not_drawn(store: Neo4jStore) -> None:
    orders, old = build_dataset_key("postgres://shop", "public.orders"), build_dataset_key("postgres://shop", "public.orders_old")

    def commit(at: int, key: AssetKey, text: str) -> None:
        facts = Facts(assets=(AssetFact(key, {"description": text}),))
        store.commit(lambda _: Batch(statements=[Statement("openlineage/a", ("s", key.name), at, encode_facts(facts))]))

    commit(1, old, "what was bought, by month")
    assert store.complete_projection()
    commit(2, orders, "what was bought, and what was paid")
    commit(2, old, "nothing any more")
    for drawn in (False, True):
        assert (store.read_projection().drawn == store.read_revision()) is drawn
        assert list(store.search(["ord"], (), 10)) == [orders, old]
        assert list(store.search(["ord", "pub"], (AssetKind.DATASET,), 1)) == [orders]
        assert list(store.search(["ord"], (AssetKind.JOB,), 10)) == []
        assert list(store.search(["pai", "boug"], (), 10)) == [orders], "all of one document"
        assert list(store.search(["old", "noth"], (), 10)) == []
        assert store.search_texts(["paid", "bought"], (), 10)[0] == orders
        assert list(store.search_texts(["pai"], (), 10)) == []
        assert list(store.search_texts(["nothing"], (), 10)) == [old]
        assert list(store.search(["mon"], (), 10)) == list(store.search_texts(["month"], (), 10)) == [], "it is stated no more"
        assert list(store.search_texts(["bought"], (), 10)) == [orders]
        assert store.complete_projection()


def test_a_name_that_was_replaced_before_it_was_drawn_is_found(store: Neo4jStore) -> None:
    first, second = (build_dataset_key("ns", name) for name in ("first", "second"))
    for at, key in enumerate((first, second)):
        statement = Statement("openlineage/a", ("s",), at, encode_facts(Facts(assets=(AssetFact(key, {}),))))
        store.commit(lambda _, statement=statement: Batch(statements=[statement]))  # type: ignore[misc]
    for _ in range(2):
        assert list(store.search(["fir"], (), 10)) == [first], "it is visible as of an earlier time"
        assert store.complete_projection()


def test_a_process_draws_by_itself(neo4j: Neo4jServer) -> None:
    with closing(Neo4jStore(neo4j.url)) as store:
        commit_statements(store, build_statement("A", 1))
        wait_until_drawn(store)
        assert read_drawing(neo4j) == build_drawing(list_heads(store))


def test_the_end_of_a_process_waits_for_the_graph(neo4j: Neo4jServer) -> None:
    with closing(Neo4jStore(neo4j.url)) as store:
        commit_statements(store, build_statement("A", 1))
        heads = list_heads(store)
    assert read_drawing(neo4j) == build_drawing(heads)


def test_the_next_process_draws_what_one_left(neo4j: Neo4jServer, store: Neo4jStore, monkeypatch: pytest.MonkeyPatch) -> None:
    commit_statements(store, build_statement("A", 1))
    assert store.read_projection().drawn == 0
    monkeypatch.setattr(projector, "IDLE_SECONDS", 0.0)
    with closing(Neo4jStore(neo4j.url)) as other:
        wait_until_drawn(other)
        assert read_drawing(neo4j) == build_drawing(list_heads(other))


def test_a_process_draws_what_another_leaves_while_it_runs(neo4j: Neo4jServer, store: Neo4jStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Neo4jStore(neo4j.url)) as other:
        commit_statements(store, build_statement("A", 1))
        monkeypatch.setattr(projector, "IDLE_SECONDS", 0.0)
        monkeypatch.setattr(projector, "FOREIGN_SECONDS", 0.0)
        assert other.read_revision() == 1
        wait_until_drawn(other)


def test_commits_wait_for_a_graph_that_is_far_behind(neo4j: Neo4jServer, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on, reached = threading.Event(), threading.Event()
    draw = projector.draw_scopes

    def wait_and_draw(*given: object) -> None:
        reached.set()
        assert goes_on.wait(60)
        draw(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(projector, "draw_scopes", wait_and_draw)
    monkeypatch.setattr(projector, "LATE_SECONDS", 0.0)
    monkeypatch.setattr(projector, "WAIT_SECONDS", 60.0)
    with closing(Neo4jStore(neo4j.url)) as store:
        commit_statements(store, build_statement("A", 1))
        assert reached.wait(60)
        late = threading.Thread(target=lambda: commit_statements(store, build_statement("B", 2)))
        late.start()
        late.join(0.3)
        assert late.is_alive()
        assert store.read_revision() == 1
        goes_on.set()
        late.join(60)
        assert store.read_revision() == 2


def test_commits_do_not_wait_for_a_graph_that_cannot_be_drawn(
    neo4j: Neo4jServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed = threading.Event()

    def fail(*_: object) -> None:
        failed.set()
        raise StoreUnavailable("no room")

    monkeypatch.setattr(projector, "draw_scopes", fail)
    monkeypatch.setattr(projector, "LATE_SECONDS", 0.0)
    monkeypatch.setattr(projector, "WAIT_SECONDS", 60.0)
    with closing(Neo4jStore(neo4j.url)) as store:
        commit_statements(store, build_statement("A", 1))
        assert failed.wait(60)
        assert commit_statements(store, build_statement("B", 2)).revision == 2
    assert "the graph for people is behind: no room" in caplog.text


def test_commits_wait_once_for_a_process_that_is_frozen_with_the_lock(
    neo4j: Neo4jServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(projector, "IDLE_SECONDS", 0.0)
    monkeypatch.setattr(projector, "LATE_SECONDS", 0.0)
    monkeypatch.setattr(projector, "WAIT_SECONDS", 0.2)
    with closing(Neo4jStore(neo4j.url)) as store, neo4j.session() as session:
        frozen = session.begin_transaction()
        run_query(frozen, get_cypher("lock_projection"))
        for at in (1, 2):
            commit_statements(store, build_statement("A", at))
        monkeypatch.setattr(projector, "WAIT_SECONDS", 3_600.0)
        assert commit_statements(store, build_statement("B", 3)).revision == 3
        assert store.read_projection().drawn == 0
        assert caplog.text.count("the graph for people has not moved for 0.2 seconds") == 1
        frozen.rollback()
        wait_until_drawn(store)
        assert read_drawing(neo4j) == build_drawing(list_heads(store))


def test_a_query_is_planned_once_for_lists_of_all_lengths(store: Neo4jStore, neo4j: Neo4jServer) -> None:
    """Of a commit and of the graph that follows: a plan takes the server tenths of a second."""

    def commit_datasets(number: int) -> None:
        for at in (1, 2):
            statements = [build_statement(f"{number} {n}", at, scope=("s", str(number), str(n))) for n in range(number)]
            commit_statements(store, *statements)
            assert store.complete_projection()

    def count_plans() -> int:
        with neo4j.session() as session:
            found = re.search(r"\d+", session.run("CALL db.clearQueryCaches()").value()[0])
        assert found
        return int(found[0])

    commit_datasets(201)
    count_plans()
    commit_datasets(202)
    of_many = count_plans()
    for number in (2, 20, 203):
        commit_datasets(number)
    assert count_plans() <= of_many + 2, "with one or two of the server's own; a plan for each length were 12 more"
