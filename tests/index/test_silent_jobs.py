"""Jobs whose producer states no filters or joins: which of them an answer counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import Direction, LineageIndex, Reach
from meshline.graph.model import AssetFact, AssetKey, AssetKind, Facts, Flow, FlowType, Statement, build_job_key
from tests.index.heads import NS, Fold, col, ds, flow, index_of, lineage, merged, output_scope, says
from tests.index.oracle import Oracle
from tests.sizes import count_examples

J = build_job_key(NS, "j")


def by(producer: str, of: str = "j", *, at: int = 0, source: str = "openlineage/test") -> Statement:
    facts = Facts(assets=(AssetFact(build_job_key(NS, of), {"integration": producer, "processing_type": "BATCH"}),))
    return says(facts, ("job", NS, of, "jobType"), at, source=source)


def silent(index: LineageIndex, *starts: AssetKey, direction: Direction = Direction.DOWNSTREAM, **limits: object) -> set[str]:
    """The names of the jobs that an answer counts."""
    nodes = [node for start in starts if (node := index.assets.find_by_key(start)) is not None]
    assert len(nodes) == len(starts)
    found = index.lineage.traverse(nodes, direction, **limits)  # type: ignore[arg-type]
    assert found.completeness.silent_on_filters == len(found.silent_jobs)
    return {index.assets.get_key(node).name for node in found.silent_jobs.tolist()}


COPY = lineage(flow("a.x", "b.x"), flow("a", "b", covered=True))


@pytest.mark.parametrize(("producer", "counts"), [("DBT", True), ("AIRFLOW", True), (" dbt ", True), ("SPARK", False), ("", False)])
def test_a_column_of_which_no_flow_is_known(producer: str, counts: bool) -> None:  # noqa: FBT001
    """a.z may be in a filter of the job that copies a.x."""
    other = says(Facts(assets=(AssetFact(col("a.z"), {}),)), ("dataset", NS, "a", "seen"))
    index = index_of(COPY, other, by(producer))
    for start in ("a.z", "a.x"):
        assert silent(index, col(start)) == ({"j"} if counts else set())
    node = index.assets.find_by_key(col("a.z"))
    assert node is not None
    found = index.lineage.traverse([node], Direction.DOWNSTREAM)
    assert found.nodes.size == 0
    assert found.completeness.silent_producers == ((producer.strip().upper(),) if counts else ())


def test_downstream_the_readers_of_what_is_reached_and_upstream_its_writers() -> None:
    index = index_of(lineage(flow("a.x", "b.x", by="j"), flow("b.x", "c.x", by="k")), by("DBT"), by("AIRFLOW", "k"))
    assert silent(index, col("a.x")) == {"j", "k"}
    assert silent(index, col("b.x")) == {"k"}
    assert silent(index, col("c.x")) == set()
    assert silent(index, col("c.x"), direction=Direction.UPSTREAM) == {"j", "k"}
    assert silent(index, col("b.x"), direction=Direction.UPSTREAM) == {"j"}
    assert silent(index, ds("a")) == {"j", "k"}


@pytest.mark.parametrize(
    "more",
    [
        flow("a.y", "b", "INDIRECT", subtype="FILTER"),
        flow("a.y", "b.y", "INDIRECT"),
        flow("a.y", "b.y", subtype="IDENTITY"),
        flow("a.y", "b.y", subtype="IDENTITY", by=""),  # a dbt project has read the SQL of b
        flow("a", "b"),  # all of b is POSSIBLE
    ],
)
def test_where_more_is_stated(more: Flow) -> None:
    index = index_of(COPY, lineage(more, scope="two"), by("DBT"))
    assert silent(index, col("a.x")) == set()
    assert silent(index, col("b.x"), direction=Direction.UPSTREAM) == set()


@pytest.mark.parametrize(
    "more",
    [
        flow("a.y", "c", "INDIRECT", subtype="FILTER"),  # of another output
        flow("d.y", "b", "INDIRECT", subtype="FILTER"),  # of another input
        flow("a.y", "b", "INDIRECT", subtype="FILTER", by="k"),  # by another job
        flow("a.y", "b.y", by=""),
        flow("a", "b", covered=True),
    ],
)
def test_where_nothing_more_is_stated(more: Flow) -> None:
    index = index_of(COPY, lineage(more, scope="two"), by("DBT"))
    assert "j" in silent(index, col("a.x"))


def test_direct_answers_lack_nothing_and_older_statements_do_not_count() -> None:
    index = index_of(lineage(flow("a.x", "b.x"), at=5), by("DBT"))
    assert silent(index, col("a.x"), reach=Reach.DIRECT) == set()
    assert silent(index, col("a.x"), reach=Reach.INDIRECT) == {"j"}
    assert silent(index, col("a.x"), seen_since=5) == {"j"}
    assert silent(index, col("a.x"), seen_since=6) == set()


def test_a_dataset_by_all_its_names() -> None:
    index = index_of(COPY, merged("a", "z"), lineage(flow("z.y", "c.y", by="k"), scope="two"), by("DBT", "k"))
    assert silent(index, col("a.x")) == {"k"}


def test_more_jobs_than_there_was_room_for() -> None:
    many = 1_500
    flows = [flow("a.x", f"b{n}.x", by=f"j{n}") for n in range(many)]
    index = index_of(lineage(*flows), *(by("DBT", f"j{n}") for n in range(many)))
    assert len(silent(index, col("a.x"))) == many


def test_a_producer_comes_and_goes() -> None:
    fold = Fold()
    fold.add(COPY)
    index = fold.index()
    assert silent(index, col("a.x")) == set()
    index.changes.apply(fold.add(by("DBT", at=1)))
    index.changes.apply(fold.add(by("AIRFLOW", at=1, source="openlineage/other")))
    assert index.lineage.traverse([index.assets.find_by_key(col("a.x")) or 0], Direction.DOWNSTREAM).completeness.silent_producers == (
        "AIRFLOW",
        "DBT",
    )
    index.changes.apply(fold.add(by("SPARK", at=2)))
    assert index.dump().silent_on_filters == [(J, ("AIRFLOW",))]
    index.changes.apply(fold.add(by("SPARK", at=2, source="openlineage/other")))
    assert silent(index, col("a.x")) == set()
    assert index.dump().silent_on_filters == []


# -- by the oracle: few names, so that most answers count a job

_DATASETS = st.sampled_from("abc")
_JOBS = st.sampled_from((None, J, J, build_job_key(NS, "k")))
_FLOWS = st.one_of(
    st.builds(
        lambda a, b, column, type_, subtype, by: Flow(col(f"{a}.{column}"), col(f"{b}.x"), type_, subtype, job=by),
        _DATASETS,
        _DATASETS,
        st.sampled_from("xy"),
        st.sampled_from((FlowType.DIRECT, FlowType.DIRECT, FlowType.DIRECT, FlowType.INDIRECT)),
        st.sampled_from(("", "", "", "IDENTITY")),
        _JOBS,
    ),
    st.builds(lambda a, b, covered, by: Flow(ds(a), ds(b), covered=covered, job=by), _DATASETS, _DATASETS, st.booleans(), _JOBS),
)
_STATEMENTS = st.one_of(
    st.builds(
        lambda flows, to, at: says(Facts(flows=tuple(flows)), output_scope("j", to), at),
        st.lists(_FLOWS, min_size=1, max_size=4),
        _DATASETS,
        st.integers(0, 9),
    ),
    st.builds(by, st.sampled_from(("DBT", "AIRFLOW", "SPARK")), st.sampled_from("jk"), at=st.integers(0, 9)),
    st.builds(merged, _DATASETS, _DATASETS, st.integers(0, 9)),
)


@settings(max_examples=count_examples(200), deadline=None)
@given(st.lists(_STATEMENTS, min_size=3, max_size=10), st.sampled_from(tuple(Direction)), st.sampled_from(tuple(Reach)))
def test_the_count_is_the_oracles_at_once_and_change_by_change(statements: list[Statement], direction: Direction, reach: Reach) -> None:
    fold = Fold()
    followed = fold.index()
    for statement in statements:
        followed.changes.apply(fold.add(statement))
    loaded, oracle = fold.index(), Oracle(fold.heads())
    for start in sorted(key for key in oracle.mentioned if key.kind in {AssetKind.DATASET, AssetKind.COLUMN}):
        expected = {key.name for key in oracle.silent_on_filters([start], direction, reach=reach)}
        assert silent(loaded, start, direction=direction, reach=reach) == expected
        assert silent(followed, start, direction=direction, reach=reach) == expected
    assert loaded.dump() == followed.dump()
