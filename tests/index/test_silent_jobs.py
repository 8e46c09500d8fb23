"""Jobs whose producer states no filters or joins: which of them an answer counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import Direction, LineageIndex, Reach
from meshline.graph.model import AssetFact, AssetKey, AssetKind, Facts, Flow, FlowType, Statement, build_job_key
from tests.index.heads import (
    NS,
    Fold,
    build_flow,
    build_index,
    build_output_scope,
    build_statement,
    state_lineage,
    state_merge,
    to_column,
    to_dataset,
)
from tests.index.oracle import Oracle
from tests.sizes import count_examples

J = build_job_key(NS, "j")


def state_producer(producer: str, of: str = "j", *, at: int = 0, source: str = "openlineage/test") -> Statement:
    facts = Facts(assets=(AssetFact(build_job_key(NS, of), {"integration": producer, "processing_type": "BATCH"}),))
    return build_statement(facts, ("job", NS, of, "jobType"), at, source=source)


def list_silent_jobs(index: LineageIndex, *starts: AssetKey, direction: Direction = Direction.DOWNSTREAM, **limits: object) -> set[str]:
    """The names of the jobs that an answer counts."""
    nodes = [node for start in starts if (node := index.assets.find_by_key(start)) is not None]
    assert len(nodes) == len(starts)
    found = index.lineage.traverse(nodes, direction, **limits)  # type: ignore[arg-type]
    assert found.completeness.silent_on_filters == len(found.silent_jobs)
    return {index.assets.get_key(node).name for node in found.silent_jobs.tolist()}


COPY = state_lineage(build_flow("a.x", "b.x"), build_flow("a", "b", covered=True))


@pytest.mark.parametrize(("producer", "counts"), [("DBT", True), ("AIRFLOW", True), (" dbt ", True), ("SPARK", False), ("", False)])
def test_a_column_of_which_no_flow_is_known(producer: str, counts: bool) -> None:  # noqa: FBT001
    """a.z may be in a filter of the job that copies a.x."""
    other = build_statement(Facts(assets=(AssetFact(to_column("a.z"), {}),)), ("dataset", NS, "a", "seen"))
    index = build_index(COPY, other, state_producer(producer))
    for start in ("a.z", "a.x"):
        assert list_silent_jobs(index, to_column(start)) == ({"j"} if counts else set())
    node = index.assets.find_by_key(to_column("a.z"))
    assert node is not None
    found = index.lineage.traverse([node], Direction.DOWNSTREAM)
    assert found.nodes.size == 0
    assert found.completeness.silent_producers == ((producer.strip().upper(),) if counts else ())


def test_downstream_the_readers_of_what_is_reached_and_upstream_its_writers() -> None:
    index = build_index(
        state_lineage(build_flow("a.x", "b.x", by="j"), build_flow("b.x", "c.x", by="k")),
        state_producer("DBT"),
        state_producer("AIRFLOW", "k"),
    )
    assert list_silent_jobs(index, to_column("a.x")) == {"j", "k"}
    assert list_silent_jobs(index, to_column("b.x")) == {"k"}
    assert list_silent_jobs(index, to_column("c.x")) == set()
    assert list_silent_jobs(index, to_column("c.x"), direction=Direction.UPSTREAM) == {"j", "k"}
    assert list_silent_jobs(index, to_column("b.x"), direction=Direction.UPSTREAM) == {"j"}
    assert list_silent_jobs(index, to_dataset("a")) == {"j", "k"}


@pytest.mark.parametrize(
    "more",
    [
        build_flow("a.y", "b", "INDIRECT", subtype="FILTER"),
        build_flow("a.y", "b.y", "INDIRECT"),
        build_flow("a.y", "b.y", subtype="IDENTITY"),
        build_flow("a.y", "b.y", subtype="IDENTITY", by=""),  # a dbt project has read the SQL of b
        build_flow("a", "b"),  # all of b is POSSIBLE
    ],
)
def test_where_more_is_stated(more: Flow) -> None:
    index = build_index(COPY, state_lineage(more, scope="two"), state_producer("DBT"))
    assert list_silent_jobs(index, to_column("a.x")) == set()
    assert list_silent_jobs(index, to_column("b.x"), direction=Direction.UPSTREAM) == set()


@pytest.mark.parametrize(
    "more",
    [
        build_flow("a.y", "c", "INDIRECT", subtype="FILTER"),  # of another output
        build_flow("d.y", "b", "INDIRECT", subtype="FILTER"),  # of another input
        build_flow("a.y", "b", "INDIRECT", subtype="FILTER", by="k"),  # by another job
        build_flow("a.y", "b.y", by=""),
        build_flow("a", "b", covered=True),
    ],
)
def test_where_nothing_more_is_stated(more: Flow) -> None:
    index = build_index(COPY, state_lineage(more, scope="two"), state_producer("DBT"))
    assert "j" in list_silent_jobs(index, to_column("a.x"))


def test_direct_answers_lack_nothing_and_older_statements_do_not_count() -> None:
    index = build_index(state_lineage(build_flow("a.x", "b.x"), at=5), state_producer("DBT"))
    assert list_silent_jobs(index, to_column("a.x"), reach=Reach.DIRECT) == set()
    assert list_silent_jobs(index, to_column("a.x"), reach=Reach.INDIRECT) == {"j"}
    assert list_silent_jobs(index, to_column("a.x"), seen_since=5) == {"j"}
    assert list_silent_jobs(index, to_column("a.x"), seen_since=6) == set()


def test_a_dataset_by_all_its_names() -> None:
    index = build_index(
        COPY, state_merge("a", "z"), state_lineage(build_flow("z.y", "c.y", by="k"), scope="two"), state_producer("DBT", "k")
    )
    assert list_silent_jobs(index, to_column("a.x")) == {"k"}


def test_more_jobs_than_there_was_room_for() -> None:
    many = 1_500
    flows = [build_flow("a.x", f"b{n}.x", by=f"j{n}") for n in range(many)]
    index = build_index(state_lineage(*flows), *(state_producer("DBT", f"j{n}") for n in range(many)))
    assert len(list_silent_jobs(index, to_column("a.x"))) == many


def test_a_producer_comes_and_goes() -> None:
    fold = Fold()
    fold.add(COPY)
    index = fold.build_index()
    assert list_silent_jobs(index, to_column("a.x")) == set()
    index.changes.apply(fold.add(state_producer("DBT", at=1)))
    index.changes.apply(fold.add(state_producer("AIRFLOW", at=1, source="openlineage/other")))
    assert index.lineage.traverse(
        [index.assets.find_by_key(to_column("a.x")) or 0], Direction.DOWNSTREAM
    ).completeness.silent_producers == (
        "AIRFLOW",
        "DBT",
    )
    index.changes.apply(fold.add(state_producer("SPARK", at=2)))
    assert index.dump().silent_on_filters == [(J, ("AIRFLOW",))]
    index.changes.apply(fold.add(state_producer("SPARK", at=2, source="openlineage/other")))
    assert list_silent_jobs(index, to_column("a.x")) == set()
    assert index.dump().silent_on_filters == []


# -- by the oracle: few names, so that most answers count a job

_DATASETS = st.sampled_from("abc")
_JOBS = st.sampled_from((None, J, J, build_job_key(NS, "k")))
_FLOWS = st.one_of(
    st.builds(
        lambda a, b, column, type_, subtype, by: Flow(to_column(f"{a}.{column}"), to_column(f"{b}.x"), type_, subtype, job=by),
        _DATASETS,
        _DATASETS,
        st.sampled_from("xy"),
        st.sampled_from((FlowType.DIRECT, FlowType.DIRECT, FlowType.DIRECT, FlowType.INDIRECT)),
        st.sampled_from(("", "", "", "IDENTITY")),
        _JOBS,
    ),
    st.builds(
        lambda a, b, covered, by: Flow(to_dataset(a), to_dataset(b), covered=covered, job=by), _DATASETS, _DATASETS, st.booleans(), _JOBS
    ),
)
_STATEMENTS = st.one_of(
    st.builds(
        lambda flows, to, at: build_statement(Facts(flows=tuple(flows)), build_output_scope("j", to), at),
        st.lists(_FLOWS, min_size=1, max_size=4),
        _DATASETS,
        st.integers(0, 9),
    ),
    st.builds(state_producer, st.sampled_from(("DBT", "AIRFLOW", "SPARK")), st.sampled_from("jk"), at=st.integers(0, 9)),
    st.builds(state_merge, _DATASETS, _DATASETS, st.integers(0, 9)),
)


@settings(max_examples=count_examples(200), deadline=None)
@given(st.lists(_STATEMENTS, min_size=3, max_size=10), st.sampled_from(tuple(Direction)), st.sampled_from(tuple(Reach)))
def test_the_count_is_the_oracles_at_once_and_change_by_change(statements: list[Statement], direction: Direction, reach: Reach) -> None:
    fold = Fold()
    followed = fold.build_index()
    for statement in statements:
        followed.changes.apply(fold.add(statement))
    loaded, oracle = fold.build_index(), Oracle(fold.list_heads())
    for start in sorted(key for key in oracle.mentioned if key.kind in {AssetKind.DATASET, AssetKind.COLUMN}):
        expected = {key.name for key in oracle.collect_silent_jobs([start], direction, reach=reach)}
        assert list_silent_jobs(loaded, start, direction=direction, reach=reach) == expected
        assert list_silent_jobs(followed, start, direction=direction, reach=reach) == expected
    assert loaded.dump() == followed.dump()
