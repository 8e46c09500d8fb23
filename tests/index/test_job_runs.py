"""Which outputs of a job are stale, for jobs with many outputs: followed change by change as if all were looked at."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import LineageIndex, heads
from meshline.graph.index.job_runs import JobRuns, Seen
from meshline.graph.index.results import HeadTimes
from meshline.graph.model import Facts, Statement
from tests.index.heads import Fold, build_flow, build_output_scope, build_statement
from tests.index.oracle import Oracle
from tests.sizes import count_examples

OUTPUTS = 5


@pytest.fixture(scope="module")
def _follow_all() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads, "FEW", 0)
        yield


def state_output(job: str, output: int, at: int, run: str, source: str = "a") -> Statement:
    return build_statement(
        Facts(flows=(build_flow(f"{source}.x", f"out{output}.x", by=job),)), build_output_scope(job, f"out{output}"), at, version=run
    )


def list_stale(index: LineageIndex) -> set[tuple[str, ...]]:
    found = [index.changes.get_scope(stated.scope_id) for stated in index.changes.list_statements("openlineage/test").values()]
    return {info.scope for info in found if info.stale}


statements = st.builds(
    state_output,
    st.sampled_from("jk"),
    st.integers(0, OUTPUTS - 1),
    st.integers(1, 6),
    st.sampled_from(["r1", "r2", "r3#dag", "r4#dag"]),
    st.sampled_from("ab"),
)
steps = st.lists(st.one_of(st.lists(statements, min_size=1, max_size=3), st.integers(0, 20)), max_size=15)


@pytest.mark.usefixtures("_follow_all")
@given(steps)
@settings(max_examples=count_examples(200), deadline=None)
def test_what_is_stale_is_as_if_all_outputs_were_looked_at(changes: list[list[Statement] | int]) -> None:
    fold = Fold()
    index = fold.build_index()
    for change in changes:
        if isinstance(change, list):
            index.changes.apply(fold.add(*change))
        elif fold.statements:
            index.changes.apply(fold.withdraw(fold.statements[change % len(fold.statements)]))
        oracle = Oracle(fold.list_heads())
        assert list_stale(index) == {head.scope for head in oracle.heads if oracle.is_stale(head)}
        assert index.dump() == fold.build_index().dump()


@pytest.mark.usefixtures("_follow_all")
def test_what_is_stale_is_found_again_at_a_past_time() -> None:
    fold = Fold()
    fold.add(state_output("j", 0, 1, "r1"), state_output("j", 1, 3, "r3"), state_output("j", 2, 2, "r5"))
    fold.add(state_output("j", 2, 6, "r2", "b"))
    index = fold.build_index()
    index.changes.apply(fold.add(state_output("j", 0, 5, "r2")))
    then = {head.scope: head for heads in fold.list_heads(as_of=4) for head in heads}
    same, other = [then[build_output_scope("j", f"out{n}")] for n in (0, 1)], then[build_output_scope("j", "out2")]
    ids, observed, valid = (np.array([getattr(head, name) for head in same]) for name in ("scope_id", "observed_at", "valid_from"))
    times = HeadTimes(ids, observed, valid, [head.version for head in same])
    index.turn_back(4, fold.revision, times, [([other.scope_id], [other])])
    assert list_stale(index) == list_stale(fold.build_index(as_of=4)) == {same[0].scope, other.scope}


def test_a_change_is_followed_by_what_it_makes_stale_or_current_alone() -> None:
    runs = JobRuns()
    runs.update({n: Seen(1, 7) for n in range(1_000)})
    assert runs.update({0: Seen(2, 7)}) == {0}
    assert runs.update({1: Seen(1, 8)}) == {1}
    assert [runs.is_stale(n) for n in (0, 1, 2)] == [False, True, False]
    assert runs.update({1: Seen(3, 8)}) == set(range(1_000))
    assert [runs.is_stale(n) for n in (0, 1, 2)] == [True, False, True]
    assert runs.update({2: Seen(3, 8)}) == {2}
    assert runs.update({1: None}) == set()
    assert runs.update({2: None}) == {0, *range(3, 1_000)}
