"""Packing observations changes no answer of a store, as of whichever time, nor the effect of what is stated afterwards."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.errors import StoreCorrupt
from meshline.graph.model import Interval, Observation, Statement, build_job_key
from meshline.graph.store.base import (
    RUNS_SINCE,
    Batch,
    Record,
    RecordAge,
    Retention,
    Run,
    RunAge,
    RunKey,
    RunPair,
    RunReader,
    RunRole,
    Store,
    Withdrawal,
)
from meshline.graph.store.sqlite import SqliteStore
from meshline.graph.store.sqlite.maintenance import compact_file, list_file_checks
from meshline.graph.store.sqlite.packed_times import BLOCK, Packer, build_block
from tests.sizes import count_examples
from tests.stores.statements import SOURCE, build_statement, commit_statements, find_head, list_heads, read_graph

JOB = build_job_key("ns", "load")
STORED = Run(RunKey(SOURCE, JOB, "r1"), "", b"state", 3, (), ())
FOREVER = 2**61
TIMES = range(14)

Step: TypeAlias = "list[Statement] | Withdrawal | int"


def examine_run(run: Run, _pairs: object) -> RunAge:
    """The state of a run is its last time."""
    return RunAge(int(run.state) if run.state.isdigit() else FOREVER, f"{run.key.run_id}@x", is_witness=False)


def pack(store: Store, before: int) -> int:
    return store.prune_history(Retention(observations=before), examine_run).observations


@st.composite
def draw_statements(draw: st.DrawFn) -> Statement:
    """Of two scopes, three contents (one is empty), and versions: of no run, of a stored run, of runs that are not stored."""
    at, provisional = draw(st.sampled_from(TIMES)), draw(st.sampled_from([False, False, True]))
    until = at + draw(st.integers(0, 4)) if provisional and draw(st.booleans()) else None
    scope = draw(st.sampled_from([("s",), ("job-output", "ns", "load", "db", "a"), ("job-output", "ns", "load", "db", "b")]))
    version = draw(st.sampled_from(["", "r1@x", "r2@x", "r3@x#f"]))
    return build_statement(
        draw(st.sampled_from("AAAB") | st.just("")), at, scope=scope, version=version, provisional=provisional, until=until
    )


withdrawals = st.builds(Withdrawal, st.just(SOURCE), st.sampled_from([("s",), ("job-output", "ns", "load", "db", "a")]), st.just("r1@x"))
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.lists(draw_statements(), min_size=1, max_size=8) | withdrawals | st.sampled_from(range(1, 15)), min_size=2, max_size=10
)


def commit_step(store: Store, step: list[Statement] | Withdrawal) -> None:
    batch = Batch(withdrawals=[step]) if isinstance(step, Withdrawal) else Batch(statements=step)
    store.commit(lambda _: batch)


def read_answers(store: Store, packed_before: int) -> object:
    """Heads as of each time and histories; versions of what may be packed are left out, and ends, of which a store may keep either."""

    def drop_version(at: int, version: str) -> str:
        return "" if at < packed_before else version

    def describe(interval: Interval) -> Interval:
        seen: Observation = interval.observation
        return interval._replace(observation=seen._replace(until=None, version=drop_version(seen.observed_at, seen.version)))

    graphs = {
        at: {name: head._replace(version=drop_version(head.observed_at, head.version)) for name, head in read_graph(store, at).items()}
        for at in (None, *TIMES, 20)
    }
    names = {head.scope_id: (head.source, head.scope) for head in store.read_changes(0).heads}
    found = store.read_history(list(names)).items()
    histories = {names[scope]: [(describe(one), content) for one, content in intervals] for scope, intervals in found}
    return graphs, histories


@settings(max_examples=count_examples(50), deadline=None)
@given(steps)
def test_packing_changes_no_answer(steps: list[Step]) -> None:
    with closing(SqliteStore()) as packed, closing(SqliteStore()) as whole:
        for store in (packed, whole):
            store.commit(lambda _: Batch(runs=[STORED]))
        before = -1
        for step in steps:
            if isinstance(step, int):
                before = max(before, step)
                pack(packed, step)
                assert pack(packed, step) == 0
            else:
                commit_step(packed, step)
                commit_step(whole, step)
            assert read_answers(packed, before) == read_answers(whole, before)
            assert packed.read_revision() == whole.read_revision() or before > 0


@settings(max_examples=count_examples(100), deadline=None)
@given(st.lists(st.integers(1, 2**52), min_size=1, max_size=40), st.integers(-(2**52), 2**52))
def test_times_are_read_back(steps: list[int], first: int) -> None:
    times = [first + sum(steps[:end]) for end in range(len(steps) + 1)]
    block = build_block(1, 0, 2, times)
    assert (block.decode(), block.size, block.first, block.last) == (times, len(times), times[0], times[-1])


@pytest.mark.parametrize("times", [b"", b"\x00", b"\x09", b"\x02\x01", b"\x01\x05"])
def test_damaged_times_are_refused(times: bytes) -> None:
    with pytest.raises(StoreCorrupt, match="packed times"):
        build_block(1, 0, 2, [1, 2])._replace(times=times).decode()


def test_many_steps_pack_everything_but_the_ends(tmp_path: Path) -> None:
    path = str(tmp_path / "mesh.db")
    number = 5 * BLOCK
    with closing(SqliteStore(path)) as store:
        commit_statements(store, *(build_statement("A", 10 * at, version=f"{at}@x") for at in range(number)))
        before = {at: find_head(store, as_of=at) for at in range(0, 10 * number, 97)}
        assert pack(store, 10 * number) == number - 2
        for at, head in before.items():
            found = find_head(store, as_of=at)
            assert head is not None
            assert found is not None
            assert found._replace(version="") == head._replace(version="")
        commit_statements(store, build_statement("A", 10 * number, version="new@x"))
        assert pack(store, 10 * number + 1) == 1
        commit_statements(store, build_statement("B", 5001))
        histories = store.read_history([head.scope_id for head in list_heads(store)])
        (history,) = [[(one.valid_from, one.valid_to, one.last_observed) for one, _ in intervals] for intervals in histories.values()]
        assert history == [(0, 5001, 5000), (5001, 5010, 5001), (5010, None, 10 * number)]
    assert [problem for check in list_file_checks(path) for problem in check.problems] == []


def test_small_steps_give_the_same() -> None:
    with closing(SqliteStore()) as store:
        stated = [build_statement("AAB"[at % 7 // 3], at, scope=f"s{scope}") for at in range(40) for scope in range(3)]
        commit_statements(store, *stated)
        before = read_answers(store, FOREVER)
        packer, ended = Packer(40, rows=4), False
        while not ended:
            with store._connections.begin_writing() as connection:
                _, ended = packer.pack(connection)
        assert pack(store, 40) > 0  # at the seams of the steps
        assert pack(store, 40) == 0
        assert read_answers(store, FOREVER) == before


def list_run_names(store: Store) -> list[str]:
    return [stored.run.key.run_id for stored in store.list_runs([JOB], RunRole.JOB, limit=100)]


def build_run(name: str, begun: int, *, last: int | None = None, parent: str = "") -> Run:
    return Run(RunKey(SOURCE, JOB, name), parent, str(begun if last is None else last).encode(), begun, (), ())


def drop(store: Store, before: int) -> int:
    return store.prune_history(Retention(runs=before), examine_run).runs


def find_dropped(store: Store, *names: str) -> set[str]:
    found: set[str] = set()

    def build(runs: RunReader) -> Batch:
        found.update(key.run_id for key in runs.find_dropped(RunKey(SOURCE, JOB, name) for name in names))
        return Batch()

    store.commit(build)
    return found


def test_old_runs_are_dropped_but_not_those_that_something_needs() -> None:
    with closing(SqliteStore()) as store:
        runs = [build_run("plain", 1), build_run("long", 2, last=50), build_run("states", 3), build_run("ended", 4), build_run("newest", 5)]
        batch = Batch(runs=runs, statements=[build_statement("A", 3, version="states@x"), build_statement("B", 1, version="ended@x")])
        store.commit(lambda _: batch)
        assert drop(store, 10) == 2
        assert list_run_names(store) == ["newest", "states", "long"]
        assert find_dropped(store, "plain", "long", "states", "ended", "newest", "unknown") == {"plain", "ended"}
        assert store.count_runs([JOB], RunRole.JOB) == 3
        assert store.read_setting(RUNS_SINCE) == "5"
        assert store.read_runs([RunKey(SOURCE, JOB, "plain")]) == {}
        assert drop(store, 10) == 0


def test_a_run_on_which_others_depend_stays_until_all_may_go() -> None:
    witness = RunPair("p", b"0" * 15 + b"w", RunKey(SOURCE, JOB, "one"), covered=True)

    def examine(run: Run, pairs: object) -> RunAge:
        return examine_run(run, pairs)._replace(is_witness=bool(pairs))

    with closing(SqliteStore()) as store:
        runs = [build_run("one", 1, parent="p"), build_run("two", 2, parent="p", last=30), build_run("new", 50)]
        pairs = [witness, witness._replace(run=RunKey(SOURCE, JOB, "two"), pair=b"1" * 16)]
        store.commit(lambda _: Batch(runs=runs, pairs=pairs))
        assert store.prune_history(Retention(runs=20), examine).runs == 0
        assert store.prune_history(Retention(runs=40), examine).runs == 2
        assert list_run_names(store) == ["new"]


def test_old_records_of_a_kind_are_dropped_with_their_settings() -> None:
    with closing(SqliteStore()) as store:
        records = [Record("audit", f"k{at}", at, b"{}") for at in range(6)] + [Record("notice", f"k{at}", at, b"{}") for at in range(6)]
        store.commit(lambda _: Batch(journal=records, settings={"count k1": "5", "count k4": "6"}))
        ages = {"audit": RecordAge(3, FOREVER, "count "), "notice": RecordAge(6, 8)}
        assert store.prune_history(Retention(records=ages), examine_run).records == 5
        assert [kept.record.key for kept in store.read_journal("audit")] == ["k3", "k4", "k5"]
        assert [kept.record.key for kept in store.read_journal("notice")] == ["k2", "k3", "k4", "k5"]
        assert (store.read_setting("count k1"), store.read_setting("count k4")) == (None, "6")
        store.commit(lambda _: Batch(journal=[Record("audit", "k9", 9, b"{}")]))
        assert [kept.position for kept in store.read_journal()] == [4, 5, 6, 9, 10, 11, 12, 13]


def test_another_handle_that_was_open_writes_on(tmp_path: Path) -> None:
    """Labels and contents stay while processes have the file open, for these cache their ids; compaction drops them."""
    path = str(tmp_path / "mesh.db")
    with closing(SqliteStore(path)) as one, closing(SqliteStore(path)) as other:
        commit_statements(one, *(build_statement("A", at, version=f"{at}@x") for at in range(9)))
        assert pack(other, 9) == 7
        commit_statements(one, build_statement("B", 4, version="4@x"), build_statement("A", 20, version="5@x"))
        assert find_head(other, as_of=4) == find_head(one, as_of=4)
    done = compact_file(path, 0, Retention(observations=30), examine_run)
    assert (done.pruned.observations, done.labels > 0) == (5, True)
    assert [problem for check in list_file_checks(path) for problem in check.problems] == []
