"""Pairs of datasets that a dbt project covers for the runs that build it, and for no others."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import Direction, LineageIndex, index_tables
from meshline.graph.model import AssetFact, Facts, Flow, Statement, build_job_key
from tests.index.graphs import affected, down, found, reached
from tests.index.heads import NS, Fold, dropped, ds, flow, index_of, merged, output_scope, renamed, says, schema
from tests.index.oracle import Oracle
from tests.index.strategies import partings, sets_of
from tests.index.test_oracle import answer
from tests.sizes import count_examples

M, N = "model.p.m", "model.p.n"
POSSIBLE = {"b": "POSSIBLE 1", "b.x": "POSSIBLE 1", "b.y": "POSSIBLE 1"}
EXACT = {"b.x": "DIRECT 1"}


def model(*flows: Flow, node: str = M, at: int = 1, source: str = "dbt/d") -> Statement:
    return says(Facts(flows=flows), ("dbt", node, "lineage"), at, source=source)


def builds(name: str, node: str = M, at: int = 1, source: str = "openlineage/test") -> Statement:
    return says(Facts(assets=(AssetFact(build_job_key(NS, name), {"dbt_id": node}),)), ("job", NS, name, "dbt_node"), at, source=source)


def run(name: str = "j", *flows: Flow, output: str = "b", at: int = 1, part: str = "") -> Statement:
    scope = (*output_scope(name, output), *([part] if part else []))
    return says(Facts(flows=flows or (flow("a", "b", by=name),)), scope, at)


FLOWS = (flow("a", "b", covered=True, by=""), flow("a.x", "b.x", by=""))
EXACTLY = model(*FLOWS)
COLUMNS = (schema("a", "x", "y"), schema("b", "x", "y"))


def affects(*statements: Statement) -> dict[str, str]:
    """What column x of a reaches, whatever the order in which it is stated."""
    index = index_of(*statements, *COLUMNS)
    other = LineageIndex.load([], 0)
    fold = Fold()
    for statement in reversed((*statements, *COLUMNS)):
        other.changes.apply(fold.add(statement))
    assert index.dump() == other.dump()
    return reached(index, down(index, "a.x"))


def test_a_project_that_knows_the_columns_ends_what_a_run_of_the_node_states_without() -> None:
    assert affects(run(), builds("j")) == POSSIBLE
    assert affects(run(), builds("j"), EXACTLY) == EXACT


def test_another_job_that_writes_the_same_pair_stays_possible() -> None:
    assert affects(run(), builds("j"), EXACTLY, run("k")) == EXACT | POSSIBLE | EXACT
    assert affects(run(), builds("j"), EXACTLY, run("k"), builds("k", N)) == POSSIBLE | EXACT
    assert affects(run("j", flow("a", "b", by="k")), builds("j"), EXACTLY) == POSSIBLE | EXACT, "the flow is another job's"


def test_a_job_that_does_not_name_its_node_stays_possible() -> None:
    assert affects(run(), EXACTLY) == POSSIBLE | EXACT


def test_a_job_that_is_stated_to_build_several_nodes_is_covered_by_none() -> None:
    other = builds("j", N, source="openlineage/other")
    of_both = model(*FLOWS, node=N)
    assert affects(run(), builds("j"), EXACTLY, of_both) == EXACT
    assert affects(run(), builds("j"), other, EXACTLY, of_both) == POSSIBLE | EXACT
    same = builds("j", source="openlineage/other")
    assert affects(run(), builds("j"), same, EXACTLY) == EXACT


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([model(*FLOWS, flow("a", "b", by=""))], POSSIBLE | EXACT),  # some columns
        ([model(flow("a", "b", by=""))], POSSIBLE),  # none
        ([EXACTLY, model(flow("a", "b", by=""), source="dbt/e")], POSSIBLE | EXACT),  # none by another project
    ],
)
def test_what_a_project_knows_in_part_ends_nothing(known: list[Statement], expected: dict[str, str]) -> None:
    assert affects(run(), builds("j"), *known) == expected
    index = index_of(run(), builds("j"), *known, *COLUMNS)
    assert affected(index, down(index, "a.y")) == {**POSSIBLE, "job j": "POSSIBLE 1"}, "the run states it still"
    exactly = index_of(run(), builds("j"), EXACTLY, *COLUMNS)
    assert affected(exactly, down(exactly, "a.y")) == {}


def test_other_pairs_of_the_run_stay_possible() -> None:
    both = run("j", flow("a", "b"), flow("c", "b"))
    index = index_of(both, builds("j"), EXACTLY, schema("c", "z"), *COLUMNS)
    assert reached(index, down(index, "a.x")) == EXACT
    assert reached(index, down(index, "c.z")) == POSSIBLE


def test_only_the_lineage_of_a_dbt_source_counts() -> None:
    assert affects(run(), builds("j"), says(Facts(flows=FLOWS), ("dbt", M, "lineage"), source="openlineage/x")) == POSSIBLE | EXACT
    assert affects(run(), builds("j"), says(Facts(flows=FLOWS), ("dbt", M), source="dbt/d")) == POSSIBLE | EXACT
    declared = says(Facts(flows=(flow("a", "b"),)), ("job-declared", NS, "j"))
    assert affects(declared, builds("j"), EXACTLY) == POSSIBLE | EXACT, "no run states it"


def test_what_is_retracted_brings_the_possible_back() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(run(), builds("j"), *COLUMNS))
    before = index.dump()
    index.changes.apply(fold.add(EXACTLY))
    assert reached(index, down(index, "a.x")) == EXACT
    index.changes.apply(fold.withdraw(EXACTLY))
    assert index.dump() == before
    index.changes.apply(fold.add(EXACTLY))
    index.changes.apply(fold.withdraw(builds("j")))
    assert reached(index, down(index, "a.x")) == POSSIBLE | EXACT
    index.changes.apply(fold.add(builds("j"), says(None, EXACTLY.scope, 5, source="dbt/d")))
    assert index.dump() == before


def test_as_of_a_time_before_the_project_was_read_it_is_possible() -> None:
    fold = Fold()
    later = EXACTLY._replace(observed_at=4)
    fold.add(run(), builds("j"), later, *COLUMNS)
    for time, expected in ((3, POSSIBLE), (4, EXACT)):
        index = fold.index(time)
        assert reached(index, down(index, "a.x")) == expected


def test_names_of_one_dataset_are_one() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    elsewhere = model(flow("s", "b", covered=True, by=""), flow("s.x", "b.x", by=""))
    index.changes.apply(fold.add(run(), builds("j"), elsewhere, *COLUMNS))
    assert reached(index, down(index, "a.x")) == POSSIBLE
    index.changes.apply(fold.add(merged("s", "a")))
    assert reached(index, down(index, "a.x")) == EXACT
    index.changes.apply(fold.withdraw(merged("s", "a")))
    assert reached(index, down(index, "a.x")) == POSSIBLE


def test_a_dataset_that_is_renamed_stays_covered_and_one_that_is_dropped_does_not() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(run(at=2), builds("j"), EXACTLY, *COLUMNS))
    index.changes.apply(fold.add(renamed("a", "c", 5)))
    assert reached(index, down(index, "c.x")) == EXACT
    index.changes.apply(fold.withdraw(renamed("a", "c", 5)))
    index.changes.apply(fold.add(dropped("a", 1)))  # and made anew, by the run alone
    index.changes.apply(fold.add(schema("a", "x", at=2)))
    assert reached(index, down(index, "a.x")) == POSSIBLE


def test_who_follows_changes_hears_that_a_column_is_fed_otherwise() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(run(), builds("j"), *COLUMNS))
    trail = index.changes.open_trail()
    index.changes.apply(fold.add(EXACTLY))
    came = trail.find_changed()
    assert came is not None
    assert found(index, "b") in came.fed.tolist(), "nothing is possible any more"
    index.changes.apply(fold.withdraw(EXACTLY))
    went = trail.find_changed()
    assert went is not None
    assert found(index, "b") in went.fed.tolist()


def test_who_follows_changes_hears_that_what_a_query_stated_has_ended() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(run(part="query"), *COLUMNS))
    trail = index.changes.open_trail()
    index.changes.apply(fold.add(says(Facts(assets=(AssetFact(ds("b"), {}),)), ("dataset-replaced", NS, "b"), 5)))
    assert reached(index, down(index, "a.x")) == {}
    moved = trail.find_changed()
    assert moved is not None
    assert found(index, "b") in moved.fed.tolist()


# -- laws, over few names so that definitions and runs meet

_starts = st.sampled_from(("a", "a", "c"))
_pairs = st.lists(st.tuples(_starts, st.sampled_from((True, True, False))), min_size=1, max_size=2)
_times = st.integers(0, 6)
_names = st.sampled_from(("j", "j", "k"))
_nodes = st.sampled_from((M, M, M, N))
_models = st.builds(
    lambda pairs, node, at, source: model(*(flow(a, "b", covered=covered, by="") for a, covered in pairs), node=node, at=at, source=source),
    _pairs,
    _nodes,
    _times,
    st.sampled_from(("dbt/d", "dbt/d", "dbt/e")),
)
_runs = st.builds(
    lambda pairs, name, by, at: run(name, *(flow(a, "b", covered=not covered, by=by or name) for a, covered in pairs), at=at),
    _pairs,
    _names,
    st.sampled_from(("", "", "", "k")),
    _times,
)
_builds = st.builds(builds, _names, _nodes, _times, st.sampled_from(("openlineage/test", "openlineage/test", "openlineage/other")))
_names_of_datasets = st.one_of(
    st.builds(lambda at: merged("a", "c", at), _times),
    st.builds(lambda at: renamed("a", "c", at), _times),
    st.builds(dropped, st.sampled_from(("a", "b")), _times),
    partings,
)
_statement = st.one_of(_models, _runs, _builds, _names_of_datasets)


@pytest.fixture
def _fold_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_tables, "OVERLAY", 3)
    monkeypatch.setattr(index_tables, "GARBAGE", 5)


@pytest.mark.usefixtures("_fold_often")
@settings(max_examples=count_examples(300))
@given(st.lists(sets_of(_statement, 3), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_increments_equal_a_rebuild_and_the_oracle(batches: list[list[Statement]], random: Random) -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(run(), builds("j"), EXACTLY))
    for batch in batches:
        index.changes.apply(fold.add(*batch))
        if random.random() < 0.4:
            index.changes.apply(fold.withdraw(random.choice(fold.statements)))
    assert index.dump() == fold.index().dump()
    oracle = Oracle(fold.heads())
    for key in oracle.of_dataset:
        node = index.assets.find_by_key(key)
        assert node is not None
        for direction in Direction:
            assert answer(index, oracle, index.lineage.traverse([node], direction)) == oracle.traverse([key], direction)


@settings(max_examples=count_examples(200))
@given(sets_of(_statement, 10), _statement)
def test_taking_back_restores(statements: list[Statement], extra: Statement) -> None:
    fold = Fold()
    fold.add(run(), builds("j"), EXACTLY, *statements)
    index = fold.index()
    before = index.dump()
    index.changes.apply(fold.add(extra))
    index.changes.apply(fold.withdraw(extra))
    assert index.dump() == before


@settings(max_examples=count_examples(100))
@given(sets_of(_statement, 10), _times)
def test_as_of_is_what_was_stated_until_then(statements: list[Statement], time: int) -> None:
    whole, until = Fold(), Fold()
    whole.add(*statements)
    until.add(*(statement for statement in statements if statement.observed_at <= time))
    assert whole.index(time).dump() == until.index(time).dump()
