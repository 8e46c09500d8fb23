"""Graphs of past times that are made of the index in a file (law 4): whatever was different then, whatever becomes of the file, and beside
writers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from meshline.graph import index_file, live_graph, past_index
from meshline.graph.index import LineageIndex, index_state
from meshline.graph.index_file import Snapshots
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, Facts, Precedence, Statement
from meshline.graph.store.base import Batch, Head, PastReader, Retention, Run, RunAge, Withdrawal
from meshline.graph.store.sqlite import SqliteStore
from tests.index.graphs import get_node
from tests.index.heads import (
    build_flow,
    build_same_as,
    build_statement,
    state_column_drop,
    state_column_rename,
    state_drop,
    state_lineage,
    state_merge,
    state_rename,
    state_schema,
    to_dataset,
)

DAYS = 3
TIMES = range(-1, 10 * DAYS + 5, 5)


@pytest.fixture(autouse=True)
def _keep_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_file, "LEAST_HEADS", 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "graph.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(str(path))) as opened:
        yield opened


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The times of which all is read."""
    found, build = [], live_graph._build_index

    def build_index(heads: Iterator[Sequence[Head]], revision: int, as_of: int | None, precedence: Precedence) -> LineageIndex:
        found.append(as_of)
        return build(heads, revision, as_of, precedence)

    monkeypatch.setattr(live_graph, "_build_index", build_index)
    return found


def open_kept(store: SqliteStore, path: Path) -> LiveGraph:
    return LiveGraph.open(store, snapshots=Snapshots(path.with_name("graph.db.index")))


def commit_statements(graph: LiveGraph, *statements: Statement, gone: Sequence[Withdrawal] = ()) -> None:
    graph.commit(lambda _: Batch(statements=statements, withdrawals=gone))


def commit_days(graph: LiveGraph) -> None:
    """Flows that are observed each day, and one that is new."""
    for day in range(DAYS):
        again = [state_lineage(build_flow(f"a{n}.x", f"b{n}.x"), scope=f"s{n}", at=10 * day) for n in range(12)]
        commit_statements(graph, *again, state_lineage(build_flow("a0.x", f"day{day}.x"), scope=f"day{day}", at=10 * day))


def load_past(store: SqliteStore, as_of: int) -> LineageIndex:
    return LineageIndex.load(store.iterate_heads(as_of), store.read_revision(), as_of)


def test_a_past_time_is_made_of_the_file(store: SqliteStore, path: Path, loaded: list[int | None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without contents that are as they are now, and with little memory; unless too much was different: all, before the first event."""
    monkeypatch.setattr(index_state, "SPARE_ROWS", 10_000)
    commit_days(graph := open_kept(store, path))
    assert graph.keep_index()
    graph = open_kept(store, path)
    loaded.clear()
    for at in (10, 14, 24, 99):
        past = graph.get_index(at)
        assert past.dump() == load_past(store, at).dump()
        assert past.count_private_bytes() < graph.index.changes.count_bytes() / 2
    assert loaded == []
    assert graph.get_index(-1).dump() == LineageIndex.load([], 0).dump()
    assert loaded == [-1]


def damage_file(file: Path) -> None:
    data = file.read_bytes()
    file.unlink()  # it is mapped
    file.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    file.chmod(0o600)


def cut_file(file: Path) -> None:
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data[:1000])
    file.chmod(0o600)


@pytest.mark.parametrize("spoil", [Path.unlink, damage_file, cut_file], ids=["missing", "damaged", "cut"])
def test_without_a_sound_file_all_is_read(store: SqliteStore, path: Path, loaded: list[int | None], spoil: Callable[[Path], None]) -> None:
    commit_days(graph := open_kept(store, path))
    assert graph.keep_index()
    spoil(path.with_name("graph.db.index"))
    loaded.clear()
    assert graph.get_index(14).dump() == load_past(store, 14).dump()
    assert loaded == [14]


def test_the_file_of_another_store_is_not_used(store: SqliteStore, path: Path, loaded: list[int | None]) -> None:
    with closing(SqliteStore(str(path.with_name("other.db")))) as other:
        commit_days(open_kept(store, path))
        commit_days(theirs := open_kept(other, path))
        assert theirs.keep_index()
        graph = open_kept(store, path)
        loaded.clear()
        assert graph.get_index(14).dump() == load_past(store, 14).dump()
        assert loaded == [14]


def test_a_file_may_be_older_than_the_store(store: SqliteStore, path: Path, loaded: list[int | None]) -> None:
    """And than the time that is asked for."""
    commit_days(graph := open_kept(store, path))
    assert graph.keep_index()
    commit_statements(graph, state_lineage(build_flow("a1.x", "c.x"), scope="s1", at=40), state_lineage(build_flow("b1.x", "c.x"), at=5))
    loaded.clear()
    for at in (4, 14, 39, 40):
        assert graph.get_index(at).dump() == load_past(store, at).dump()
    assert loaded == []


NAMES = (state_schema("a0", "x", "y"), state_schema("b0", "x"), state_lineage(build_flow("b0.x", "c.x"), scope="on"))


@pytest.mark.parametrize(
    "later",
    [
        state_merge("a0", "b1", 5),
        build_statement(None, ("person", "a1", "b2"), 5, source="person/p"),
        state_rename("b0", "new", 5),
        state_drop("b0", 5),
        state_column_rename("a0", "x", "z", 5),
        state_column_drop("a0", "y", 5),
        state_schema("a0", "z", at=5),
    ],
    ids=["merge", "parting", "rename", "drop", "column rename", "column drop", "columns"],
)
def test_what_changed_since_is_as_it_was(store: SqliteStore, path: Path, loaded: list[int | None], later: Statement) -> None:
    commit_days(graph := open_kept(store, path))
    merged = build_statement(Facts(edges=(build_same_as("a1", "b2"),)), ("person", "a1", "b2"), 0, source="person/p")
    commit_statements(graph, *NAMES, merged)
    then = graph.get_index(4).dump()
    commit_statements(graph, later)
    assert graph.keep_index()
    graph = open_kept(store, path)
    loaded.clear()
    assert graph.get_index(4).dump() == then
    assert graph.get_index(5).dump() == load_past(store, 5).dump() != then
    assert loaded == []


def test_what_was_withdrawn_was_never_stated(store: SqliteStore, path: Path, loaded: list[int | None]) -> None:
    commit_days(graph := open_kept(store, path))
    without = {at: graph.get_index(at).dump() for at in TIMES[1:]}
    commit_statements(graph, state_lineage(build_flow("a1.x", "c.x"), scope="s1", at=12, version="run"))
    assert graph.get_index(15).dump() != without[14]
    assert graph.keep_index()
    commit_statements(graph, gone=[Withdrawal("openlineage/test", ("test", "s1"), "run")])
    loaded.clear()
    assert {at: graph.get_index(at).dump() for at in TIMES[1:]} == without
    assert loaded == []


def keep_run(_run: Run, _pairs: object) -> RunAge:
    return RunAge(0, "", is_witness=False)


def test_times_that_are_packed(store: SqliteStore, path: Path, loaded: list[int | None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_index, "DIFFERENT_SHARE", 0)
    graph = open_kept(store, path)
    for at in range(0, 40, 2):
        commit_statements(graph, *(state_lineage(build_flow(f"a{n}.x", f"b{n}.x"), scope=f"s{n}", at=at + n) for n in range(3)))
    expected = {at: graph.get_index(at).dump() for at in range(-1, 45)}
    assert graph.keep_index()
    assert store.prune_history(Retention(observations=30), keep_run).observations > 20
    graph = open_kept(store, path)
    loaded.clear()
    assert {at: graph.get_index(at).dump() for at in range(-1, 45)} == expected
    assert loaded == []


def test_times_are_asked_for_while_others_write(store: SqliteStore, path: Path) -> None:
    commit_days(graph := open_kept(store, path))
    assert graph.keep_index()
    graph = open_kept(store, path)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(graph.get_index, at) for at in range(30) for _ in range(2)]
        for number in range(30):
            commit_statements(graph, state_lineage(build_flow(f"late{number}.x", "b.x"), scope=f"late{number}", at=number))
        for one in asked:
            one.result(60)
    for at in range(30):
        assert graph.get_index(at).dump() == load_past(store, at).dump()


def state_both(number: int, at: int) -> list[Statement]:
    """Two statements of one commit."""
    fact = AssetFact(to_dataset("a0"), {"description": f"{number}"})
    return [
        state_lineage(build_flow("a0.x", f"late{number}.x"), scope="s0", at=at),
        build_statement(Facts(assets=(fact,)), ("dataset", "a0"), at),
        state_lineage(build_flow("b0.x", f"late{number}.x"), scope="day2", at=at),
    ]


@pytest.mark.parametrize("kept", [True, False], ids=["of the file", "loaded"])
def test_a_past_is_of_one_revision(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool) -> None:  # noqa: FBT001
    """A commit about the time comes while it is read, and another one before its facts are."""
    commit_days(graph := open_kept(store, path))
    commit_statements(graph, *state_both(1, 11))
    assert graph.keep_index() is True
    if not kept:
        path.with_name("graph.db.index").unlink()
    open_past = store.open_past

    class Interrupted:
        def __init__(self, past: PastReader) -> None:
            self._past = past
            self.revision = past.revision
            self.iterate_heads, self.iterate_times = past.iterate_heads, past.iterate_times
            self.is_of_one_revision = past.is_of_one_revision

        def read_heads(self, scope_ids: Sequence[int]) -> Sequence[Head]:
            commit_statements(graph, *state_both(2, 12))
            return self._past.read_heads(scope_ids)

    @contextmanager
    def commit_between(as_of: int) -> Iterator[PastReader]:
        commit_statements(graph, *state_both(3, 13))
        with open_past(as_of) as past:
            yield Interrupted(past)

    monkeypatch.setattr(store, "open_past", commit_between)
    past = graph.get_index(15)
    monkeypatch.undo()
    assert past.revision == store.read_revision() - (1 if kept else 0)
    with closing(SqliteStore()) as other:
        commit_days(alone := LiveGraph.open(other))
        commit_statements(alone, *state_both(1, 11))
        commit_statements(alone, *state_both(3, 13))
        assert past.dump() == alone.get_index(15).dump()
    commit_statements(graph, *state_both(4, 14))
    assert list_descriptions(graph, past) == ["3"]
    assert list_descriptions(graph, graph.get_index(15)) == ["4"]


def list_descriptions(graph: LiveGraph, index: LineageIndex) -> list[object]:
    node = get_node(index, "a0")
    return [row.value for row in graph.read_facts(index, [node])[node]]
