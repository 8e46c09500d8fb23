"""Pairs of datasets that a dbt project covers for the runs that build it, and for no others."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import Direction, LineageIndex, index_tables
from meshline.graph.model import AssetFact, Facts, Flow, Statement, build_job_key
from tests.index.graphs import describe_affected, describe_reached, get_node, traverse_down
from tests.index.heads import (
    NS,
    Fold,
    build_flow,
    build_index,
    build_output_scope,
    build_statement,
    state_drop,
    state_merge,
    state_rename,
    state_schema,
    to_dataset,
)
from tests.index.oracle import Oracle
from tests.index.strategies import draw_lists, partings
from tests.index.test_oracle import collect_answer
from tests.sizes import count_examples

M, N = "model.p.m", "model.p.n"
POSSIBLE = {"b": "POSSIBLE 1", "b.x": "POSSIBLE 1", "b.y": "POSSIBLE 1"}
EXACT = {"b.x": "DIRECT 1"}


def state_model(*flows: Flow, node: str = M, at: int = 1, source: str = "dbt/d") -> Statement:
    return build_statement(Facts(flows=flows), ("dbt", node, "lineage"), at, source=source)


def state_build(name: str, node: str = M, at: int = 1, source: str = "openlineage/test") -> Statement:
    return build_statement(
        Facts(assets=(AssetFact(build_job_key(NS, name), {"dbt_id": node}),)), ("job", NS, name, "dbt_node"), at, source=source
    )


def state_run(name: str = "j", *flows: Flow, output: str = "b", at: int = 1, part: str = "") -> Statement:
    scope = (*build_output_scope(name, output), *([part] if part else []))
    return build_statement(Facts(flows=flows or (build_flow("a", "b", by=name),)), scope, at)


FLOWS = (build_flow("a", "b", covered=True, by=""), build_flow("a.x", "b.x", by=""))
EXACTLY = state_model(*FLOWS)
COLUMNS = (state_schema("a", "x", "y"), state_schema("b", "x", "y"))


def find_reached(*statements: Statement) -> dict[str, str]:
    """The columns that a.x reaches, whatever the order of the statements."""
    index = build_index(*statements, *COLUMNS)
    other = LineageIndex.load([], 0)
    fold = Fold()
    for statement in reversed((*statements, *COLUMNS)):
        other.changes.apply(fold.add(statement))
    assert index.dump() == other.dump()
    return describe_reached(index, traverse_down(index, "a.x"))


def test_a_project_that_knows_the_columns_ends_what_a_run_of_the_node_states_without() -> None:
    assert find_reached(state_run(), state_build("j")) == POSSIBLE
    assert find_reached(state_run(), state_build("j"), EXACTLY) == EXACT


def test_another_job_that_writes_the_same_pair_stays_possible() -> None:
    assert find_reached(state_run(), state_build("j"), EXACTLY, state_run("k")) == EXACT | POSSIBLE | EXACT
    assert find_reached(state_run(), state_build("j"), EXACTLY, state_run("k"), state_build("k", N)) == POSSIBLE | EXACT
    assert find_reached(state_run("j", build_flow("a", "b", by="k")), state_build("j"), EXACTLY) == POSSIBLE | EXACT, (
        "the flow is another job's"
    )


def test_a_job_that_does_not_name_its_node_stays_possible() -> None:
    assert find_reached(state_run(), EXACTLY) == POSSIBLE | EXACT


def test_a_job_that_is_stated_to_build_several_nodes_is_covered_by_none() -> None:
    other = state_build("j", N, source="openlineage/other")
    of_both = state_model(*FLOWS, node=N)
    assert find_reached(state_run(), state_build("j"), EXACTLY, of_both) == EXACT
    assert find_reached(state_run(), state_build("j"), other, EXACTLY, of_both) == POSSIBLE | EXACT
    same = state_build("j", source="openlineage/other")
    assert find_reached(state_run(), state_build("j"), same, EXACTLY) == EXACT


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([state_model(*FLOWS, build_flow("a", "b", by=""))], POSSIBLE | EXACT),  # some columns
        ([state_model(build_flow("a", "b", by=""))], POSSIBLE),  # none
        ([EXACTLY, state_model(build_flow("a", "b", by=""), source="dbt/e")], POSSIBLE | EXACT),  # none by another project
    ],
)
def test_a_project_with_partial_knowledge_ends_no_statement(known: list[Statement], expected: dict[str, str]) -> None:
    assert find_reached(state_run(), state_build("j"), *known) == expected
    index = build_index(state_run(), state_build("j"), *known, *COLUMNS)
    assert describe_affected(index, traverse_down(index, "a.y")) == {**POSSIBLE, "job j": "POSSIBLE 1"}, "the run states it still"
    exactly = build_index(state_run(), state_build("j"), EXACTLY, *COLUMNS)
    assert describe_affected(exactly, traverse_down(exactly, "a.y")) == {}


def test_other_pairs_of_the_run_stay_possible() -> None:
    both = state_run("j", build_flow("a", "b"), build_flow("c", "b"))
    index = build_index(both, state_build("j"), EXACTLY, state_schema("c", "z"), *COLUMNS)
    assert describe_reached(index, traverse_down(index, "a.x")) == EXACT
    assert describe_reached(index, traverse_down(index, "c.z")) == POSSIBLE


def test_only_the_lineage_of_a_dbt_source_counts() -> None:
    assert (
        find_reached(state_run(), state_build("j"), build_statement(Facts(flows=FLOWS), ("dbt", M, "lineage"), source="openlineage/x"))
        == POSSIBLE | EXACT
    )
    assert find_reached(state_run(), state_build("j"), build_statement(Facts(flows=FLOWS), ("dbt", M), source="dbt/d")) == POSSIBLE | EXACT
    declared = build_statement(Facts(flows=(build_flow("a", "b"),)), ("job-declared", NS, "j"))
    assert find_reached(declared, state_build("j"), EXACTLY) == POSSIBLE | EXACT, "no run states it"


def test_what_is_retracted_brings_the_possible_back() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(state_run(), state_build("j"), *COLUMNS))
    before = index.dump()
    index.changes.apply(fold.add(EXACTLY))
    assert describe_reached(index, traverse_down(index, "a.x")) == EXACT
    index.changes.apply(fold.withdraw(EXACTLY))
    assert index.dump() == before
    index.changes.apply(fold.add(EXACTLY))
    index.changes.apply(fold.withdraw(state_build("j")))
    assert describe_reached(index, traverse_down(index, "a.x")) == POSSIBLE | EXACT
    index.changes.apply(fold.add(state_build("j"), build_statement(None, EXACTLY.scope, 5, source="dbt/d")))
    assert index.dump() == before


def test_as_of_a_time_before_the_project_was_read_it_is_possible() -> None:
    fold = Fold()
    later = EXACTLY._replace(observed_at=4)
    fold.add(state_run(), state_build("j"), later, *COLUMNS)
    for time, expected in ((3, POSSIBLE), (4, EXACT)):
        index = fold.build_index(time)
        assert describe_reached(index, traverse_down(index, "a.x")) == expected


def test_names_of_one_dataset_are_one() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    elsewhere = state_model(build_flow("s", "b", covered=True, by=""), build_flow("s.x", "b.x", by=""))
    index.changes.apply(fold.add(state_run(), state_build("j"), elsewhere, *COLUMNS))
    assert describe_reached(index, traverse_down(index, "a.x")) == POSSIBLE
    index.changes.apply(fold.add(state_merge("s", "a")))
    assert describe_reached(index, traverse_down(index, "a.x")) == EXACT
    index.changes.apply(fold.withdraw(state_merge("s", "a")))
    assert describe_reached(index, traverse_down(index, "a.x")) == POSSIBLE


def test_a_dataset_that_is_renamed_stays_covered_and_one_that_is_dropped_does_not() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(state_run(at=2), state_build("j"), EXACTLY, *COLUMNS))
    index.changes.apply(fold.add(state_rename("a", "c", 5)))
    assert describe_reached(index, traverse_down(index, "c.x")) == EXACT
    index.changes.apply(fold.withdraw(state_rename("a", "c", 5)))
    index.changes.apply(fold.add(state_drop("a", 1)))  # and made again, by the run alone
    index.changes.apply(fold.add(state_schema("a", "x", at=2)))
    assert describe_reached(index, traverse_down(index, "a.x")) == POSSIBLE


def test_changes_list_a_column_whose_inputs_change() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(state_run(), state_build("j"), *COLUMNS))
    trail = index.changes.open_trail()
    index.changes.apply(fold.add(EXACTLY))
    came = trail.find_changed()
    assert came is not None
    assert get_node(index, "b") in came.fed.tolist(), "nothing is possible any more"
    index.changes.apply(fold.withdraw(EXACTLY))
    went = trail.find_changed()
    assert went is not None
    assert get_node(index, "b") in went.fed.tolist()


def test_changes_list_the_end_of_a_query_s_statements() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(state_run(part="query"), *COLUMNS))
    trail = index.changes.open_trail()
    index.changes.apply(fold.add(build_statement(Facts(assets=(AssetFact(to_dataset("b"), {}),)), ("dataset-replaced", NS, "b"), 5)))
    assert describe_reached(index, traverse_down(index, "a.x")) == {}
    moved = trail.find_changed()
    assert moved is not None
    assert get_node(index, "b") in moved.fed.tolist()


# -- laws, over few names so that definitions and runs meet

_starts = st.sampled_from(("a", "a", "c"))
_pairs = st.lists(st.tuples(_starts, st.sampled_from((True, True, False))), min_size=1, max_size=2)
_times = st.integers(0, 6)
_names = st.sampled_from(("j", "j", "k"))
_nodes = st.sampled_from((M, M, M, N))
_models = st.builds(
    lambda pairs, node, at, source: state_model(
        *(build_flow(a, "b", covered=covered, by="") for a, covered in pairs), node=node, at=at, source=source
    ),
    _pairs,
    _nodes,
    _times,
    st.sampled_from(("dbt/d", "dbt/d", "dbt/e")),
)
_runs = st.builds(
    lambda pairs, name, by, at: state_run(name, *(build_flow(a, "b", covered=not covered, by=by or name) for a, covered in pairs), at=at),
    _pairs,
    _names,
    st.sampled_from(("", "", "", "k")),
    _times,
)
_builds = st.builds(state_build, _names, _nodes, _times, st.sampled_from(("openlineage/test", "openlineage/test", "openlineage/other")))
_names_of_datasets = st.one_of(
    st.builds(lambda at: state_merge("a", "c", at), _times),
    st.builds(lambda at: state_rename("a", "c", at), _times),
    st.builds(state_drop, st.sampled_from(("a", "b")), _times),
    partings,
)
_statement = st.one_of(_models, _runs, _builds, _names_of_datasets)


@pytest.fixture
def _fold_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_tables, "OVERLAY", 3)
    monkeypatch.setattr(index_tables, "GARBAGE", 5)


@pytest.mark.usefixtures("_fold_often")
@settings(max_examples=count_examples(300))
@given(st.lists(draw_lists(_statement, 3), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_increments_equal_a_rebuild_and_the_oracle(batches: list[list[Statement]], random: Random) -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(state_run(), state_build("j"), EXACTLY))
    for batch in batches:
        index.changes.apply(fold.add(*batch))
        if random.random() < 0.4:
            index.changes.apply(fold.withdraw(random.choice(fold.statements)))
    assert index.dump() == fold.build_index().dump()
    oracle = Oracle(fold.list_heads())
    for key in oracle.of_dataset:
        node = index.assets.find_by_key(key)
        assert node is not None
        for direction in Direction:
            assert collect_answer(index, oracle, index.lineage.traverse([node], direction)) == oracle.traverse([key], direction)


@settings(max_examples=count_examples(200))
@given(draw_lists(_statement, 10), _statement)
def test_taking_back_restores(statements: list[Statement], extra: Statement) -> None:
    fold = Fold()
    fold.add(state_run(), state_build("j"), EXACTLY, *statements)
    index = fold.build_index()
    before = index.dump()
    index.changes.apply(fold.add(extra))
    index.changes.apply(fold.withdraw(extra))
    assert index.dump() == before


@settings(max_examples=count_examples(100))
@given(draw_lists(_statement, 10), _times)
def test_as_of_is_what_was_stated_until_then(statements: list[Statement], time: int) -> None:
    whole, until = Fold(), Fold()
    whole.add(*statements)
    until.add(*(statement for statement in statements if statement.observed_at <= time))
    assert whole.build_index(time).dump() == until.build_index(time).dump()
