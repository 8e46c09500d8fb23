"""The contract of stores that drop and pack history: what goes after its retention, what stays, and that no answer changes."""

from __future__ import annotations

from typing import TypeAlias

import pytest
from hypothesis import strategies as st

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
from tests.stores.statements import SOURCE, build_statement, commit_statements, find_head, list_heads, read_graph

JOB = build_job_key("ns", "load")
FOREVER = 2**61


def examine_run(run: Run, _pairs: object) -> RunAge:
    """The state of a run is its last time."""
    return RunAge(int(run.state) if run.state.isdigit() else FOREVER, f"{run.key.run_id}@x", is_witness=False)


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


STORED = Run(RunKey(SOURCE, JOB, "r1"), "", b"state", 3, (), ())
TIMES = range(14)

Step: TypeAlias = "list[Statement] | Withdrawal | int"


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


def check_packing_changes_no_answer(packed: Store, whole: Store, steps: list[Step]) -> None:
    """Both stores are empty, and get the same; one of them packs now and then."""
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


class HistoryContract:
    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_old_runs_are_dropped_but_not_those_that_something_needs(self, store: Store) -> None:
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

    def test_a_run_on_which_others_depend_stays_until_all_may_go(self, store: Store) -> None:
        witness = RunPair("p", b"0" * 15 + b"w", RunKey(SOURCE, JOB, "one"), covered=True)

        def examine(run: Run, pairs: object) -> RunAge:
            return examine_run(run, pairs)._replace(is_witness=bool(pairs))

        runs = [build_run("one", 1, parent="p"), build_run("two", 2, parent="p", last=30), build_run("new", 50)]
        pairs = [witness, witness._replace(run=RunKey(SOURCE, JOB, "two"), pair=b"1" * 16)]
        store.commit(lambda _: Batch(runs=runs, pairs=pairs))
        assert store.prune_history(Retention(runs=20), examine).runs == 0
        assert store.prune_history(Retention(runs=40), examine).runs == 2
        assert list_run_names(store) == ["new"]

    def test_old_records_of_a_kind_are_dropped_with_their_settings(self, store: Store) -> None:
        records = [Record("audit", f"k{at}", at, b"{}") for at in range(6)] + [Record("notice", f"k{at}", at, b"{}") for at in range(6)]
        store.commit(lambda _: Batch(journal=records, settings={"count k1": "5", "count k4": "6"}))
        ages = {"audit": RecordAge(3, FOREVER, "count "), "notice": RecordAge(6, 8)}
        assert store.prune_history(Retention(records=ages), examine_run).records == 5
        assert [kept.record.key for kept in store.read_journal("audit")] == ["k3", "k4", "k5"]
        assert [kept.record.key for kept in store.read_journal("notice")] == ["k2", "k3", "k4", "k5"]
        assert (store.read_setting("count k1"), store.read_setting("count k4")) == (None, "6")
        store.commit(lambda _: Batch(journal=[Record("audit", "k9", 9, b"{}")]))
        assert [kept.position for kept in store.read_journal()] == [4, 5, 6, 9, 10, 11, 12, 13]


class PackingContract:
    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_many_steps_pack_everything_but_the_ends(self, store: Store) -> None:
        number = 640
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
