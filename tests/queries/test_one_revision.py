"""An answer is of the revision of the index, also while the store already has a newer one; and changes go before questions that wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from meshline.graph.live_graph import GraphLock, LiveGraph
from meshline.graph.model import Json, build_dataset_key
from meshline.graph.store.sqlite import SqliteStore
from meshline.graph.what_if import SupposedStatement, suppose_statements
from tests.stores.statements import SOURCE, build_content, build_statement, commit_statements

DATASET = build_dataset_key("ns", "d")


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    store = SqliteStore()
    commit_statements(store, build_statement("before", 1), build_statement("kept", 2, scope="other"))
    yield LiveGraph.open(store)
    store.close()


def read_values(live: LiveGraph) -> list[tuple[int, Json, int]]:
    node = live.index.assets.find_by_key(DATASET)
    assert node is not None
    rows = live.read_facts(live.index, [node])[node]
    return sorted(((row.scope_id, row.value, row.observed_at) for row in rows), key=lambda found: found[0])


def test_facts_are_of_the_revision_of_the_index(live: LiveGraph) -> None:
    before = read_values(live)
    for change in (
        build_statement("after", 3),
        build_statement("before", 4),
        build_statement("", 5),
        build_statement("new", 6, scope="new"),
    ):
        commit_statements(live.store, change)
        assert read_values(live) == before
    live.refresh()
    assert read_values(live) != before
    assert [value for _, value, _ in read_values(live)] == ["kept", "new"]


def test_what_was_supposed_leaves_the_index_at_its_revision(live: LiveGraph) -> None:
    before = read_values(live)
    commit_statements(live.store, build_statement("after", 3))
    with suppose_statements(live, [SupposedStatement(SOURCE, ("s",), build_content("supposed"))], 10) as would:
        assert "supposed" in str(read_values(would))
    assert read_values(live) == before


def test_changes_of_another_process_are_received(live: LiveGraph) -> None:
    """Those that follow the revision are applied; after a gap they are read from the store."""
    published: list[tuple[int, int]] = []
    live.publish = lambda since, changes: published.append((since, changes.revision))
    first, second = (commit_statements(live.store, build_statement(f"{at}", at)) for at in (11, 12))
    begun = live.revision
    assert live.receive(begun, first) == begun + 1
    assert live.receive(begun, first) == begun + 1
    assert live.receive(begun + 1, None) == begun + 2
    third, fourth = (commit_statements(live.store, build_statement(f"{at}", at)) for at in (13, 14))
    assert live.receive(begun + 3, fourth) == begun + 4
    assert live.receive(begun + 2, third) == begun + 4
    assert second.revision == begun + 2
    assert published == [(begun, begun + 1), (begun + 1, begun + 2), (begun + 2, begun + 4)]


def test_changes_go_before_questions_that_wait() -> None:
    lock, order = GraphLock(), list[str]()
    begun = [threading.Event() for _ in range(4)]

    def ask(number: int) -> None:
        begun[number].set()
        with lock:
            order.append("question")

    def change() -> None:
        begun[3].set()
        with lock.ignore_deadline(), lock:  # again, in the same thread
            order.append("change")

    with lock:
        changing = threading.Thread(target=change)
        changing.start()
        begun[3].wait()
        while not lock._gate.locked():  # until the change waits
            pass
        asking = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
        for thread in asking:
            thread.start()
        with lock:  # who has it already does not wait behind the change
            assert order == []
    for thread in (changing, *asking):
        thread.join()
    assert order == ["change", "question", "question", "question"]
