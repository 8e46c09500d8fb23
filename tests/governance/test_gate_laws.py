"""Laws of the gate, on drawn graphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from hypothesis import assume, given
from hypothesis import strategies as st

from meshline.governance.changes import Change, Subject, SubjectKind
from meshline.governance.findings import BOUND, NEW, NEW_COLUMN
from meshline.governance.gate import Mode, VersionChange, Versions
from meshline.governance.report import Finding
from meshline.governance.rules import RULES, Profile, Verdict
from meshline.graph.index import Reach
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    AssetKind,
    EdgeFact,
    EdgeType,
    Facts,
    Flow,
    Statement,
    build_consumer_key,
    build_data_product_key,
    build_job_key,
)
from meshline.graph.queries.impact import compute_impact
from tests.governance.verdicts import build_report
from tests.index.heads import NS, build_output_scope, build_statement, to_dataset, to_key
from tests.index.strategies import COLUMNS, DATASETS, column_flows, datasets, drops, merges, outputs, renames, schemas
from tests.queries import mesh

SUBTYPES = ("IDENTITY", "TRANSFORMATION", "JOIN", "GROUP_BY", "FILTER", "CONDITIONAL", "SORT", "")
assets = st.one_of(st.builds(lambda of, name: to_key(f"{of}.{name}"), datasets, st.sampled_from(COLUMNS)), datasets.map(to_dataset))
consumers = st.sampled_from(("team", "desk", "board")).map(build_consumer_key)


def build_usage(who: object, what: object, contract: str | None) -> Statement:
    attributes = {} if contract is None else {"contract": contract}
    edge = EdgeFact(EdgeType.CONSUMES, who, what, attributes)  # type: ignore[arg-type]
    return build_statement(Facts(edges=(edge,)), ("uses", str(who), str(what)), source="mesh/m")


uses = st.builds(build_usage, consumers, st.one_of(assets, st.just(build_data_product_key("p"))), st.sampled_from((None, "c1", "c2")))
ports = st.builds(
    lambda of, way: build_statement(
        Facts(edges=(EdgeFact(EdgeType.PORT, build_data_product_key("p"), to_dataset(of), {"direction": way}),)),
        ("port", of, way),
        source="mesh/m",
    ),
    datasets,
    st.sampled_from(("input", "output")),
)
steps = st.builds(
    lambda flows, subtype, name, output: build_statement(
        Facts(
            flows=(
                *(flow._replace(subtype=subtype) for flow in flows),
                Flow(to_dataset("a"), to_dataset(output), covered=True, job=build_job_key(NS, name)),
            )
        ),
        build_output_scope(name, output),
    ),
    st.lists(column_flows, min_size=1, max_size=4),
    st.sampled_from(SUBTYPES),
    st.sampled_from(("j", "k", "l")),
    datasets,
)
graphs = st.lists(st.one_of(steps, steps, schemas, schemas, uses, uses, ports, outputs, merges, renames, drops), min_size=3, max_size=14)

changes = st.builds(
    lambda rule, of, kind, name, bound, part: Change(
        rule, Subject(kind, name, part), "int", "long", of, bound, {"field": "x", "datasets": [f"{NS}/{name}" for name in DATASETS[:2]]}
    ),
    st.sampled_from(sorted(RULES)),
    st.lists(assets, max_size=2, unique=True).map(tuple),
    st.sampled_from(SubjectKind),
    st.sampled_from(("c1", "c2", "p")),
    st.lists(consumers, max_size=1).map(tuple),
    st.sampled_from(((), ("field", "x"), ("slo", "freshness"))),
)
change_sets = st.lists(changes, max_size=5, unique_by=lambda one: one.fingerprint)
VERSIONS: Versions = {(SubjectKind.CONTRACT, "c1"): VersionChange("1.0", "1.1"), (SubjectKind.PRODUCT, "p"): VersionChange("1.0", "2.0")}


@contextmanager
def open_graph(statements: Iterable[Statement]) -> Iterator[LiveGraph]:
    graph = mesh.build_graph(*statements)
    try:
        yield graph
    finally:
        graph.store.close()


def find_findings(graph: LiveGraph, *given: Change, **options: object) -> dict[str, Finding]:
    return {one.fingerprint: one for one in build_report(graph, *given, versions=VERSIONS, **options).findings}


def to_verdict(verdict: str) -> Verdict:
    return Verdict[verdict.upper()]


@given(
    graphs,
    st.lists(changes, max_size=5, unique_by=lambda one: one.fingerprint),
    st.integers(0, 5),
    st.sampled_from(Mode),
    st.sampled_from(Profile),
)
def test_a_change_set_in_two_checks_gives_the_findings_of_one(
    stated: list[Statement], given_: list[Change], at: int, mode: Mode, profile: Profile
) -> None:
    with open_graph(stated) as graph:
        first, second = (find_findings(graph, *part, mode=mode, profile=profile) for part in (given_[:at], given_[at:]))
        assert find_findings(graph, *given_, mode=mode, profile=profile) == first | second
        assert find_findings(graph, *reversed(given_), mode=mode, profile=profile) == first | second


@given(graphs, changes)
def test_the_consumers_of_the_gate_are_those_of_impact(stated: list[Statement], one: Change) -> None:
    with open_graph(stated) as graph:
        index = graph.index
        known = [start for asset in one.assets if (start := index.assets.find_by_key(asset)) is not None]
        finding = find_findings(graph, one)[one.fingerprint]
        if len(known) < len(one.assets):
            if one.rule not in NEW_COLUMN:  # a new column is not known yet; its table may be
                assert bool(finding.unknown) is (one.rule not in NEW)
            return
        affected = compute_impact(index, known).affected
        rows = zip(*(column.tolist() for column in affected), strict=True)
        expected = {
            (index.assets.get_key(asset).name, Reach(reach).name, distance, masked)
            for asset, reach, distance, masked in rows
            if index.assets.get_kind(asset) is AssetKind.CONSUMER
        }
        hit = {(hit.consumer.name, hit.reach, hit.distance, hit.masked) for hit in finding.hits if hit.reach != BOUND}
        assert hit == expected
        assert {key.name for key in one.consumers} <= {hit.consumer.name for hit in finding.hits}


@given(graphs, changes, st.sampled_from(Mode), st.sampled_from(Profile))
def test_verdicts_are_monotone_in_reach(stated: list[Statement], one: Change, mode: Mode, profile: Profile) -> None:
    with open_graph(stated) as graph:
        for finding in find_findings(graph, one, mode=mode, profile=profile).values():
            sorted_ = [to_verdict(hit.verdict) for reach in Reach for hit in finding.hits if hit.reach == reach.name]
            least = {reach: [to_verdict(hit.verdict) for hit in finding.hits if hit.reach == reach.name] for reach in Reach}
            for surer, less in ((Reach.DIRECT, Reach.INDIRECT), (Reach.DIRECT, Reach.POSSIBLE), (Reach.INDIRECT, Reach.POSSIBLE)):
                assert min(least[surer], default=Verdict.BREAKING) >= max(least[less], default=Verdict.COMPATIBLE)
            assert max(sorted_, default=Verdict.COMPATIBLE) <= to_verdict(finding.verdict)


@given(graphs, changes, st.sampled_from(Profile))
def test_usage_is_never_stricter_than_strict_and_full_never_milder_than_the_others(
    stated: list[Statement], one: Change, profile: Profile
) -> None:
    with open_graph(stated) as graph:
        strict = find_findings(graph, one, mode=Mode.STRICT, profile=profile)[one.fingerprint]
        usage = find_findings(graph, one, mode=Mode.USAGE, profile=profile)[one.fingerprint]
        assert to_verdict(usage.verdict) <= to_verdict(strict.verdict)
        assert to_verdict(strict.verdict) >= RULES[one.rule].get_verdict(profile)
        for ours, theirs in zip(usage.hits, strict.hits, strict=True):
            assert to_verdict(ours.verdict) <= to_verdict(theirs.verdict)
        full = find_findings(graph, one, mode=Mode.STRICT, profile=Profile.FULL)[one.fingerprint]
        assert to_verdict(full.verdict) >= to_verdict(strict.verdict)
        if to_verdict(usage.verdict) < RULES[one.rule].get_verdict(profile):
            assert not usage.gaps
            assert not usage.unknown


@given(graphs, changes, datasets, datasets, st.sampled_from(Profile))
def test_a_job_without_column_lineage_never_lowers_a_verdict(
    stated: list[Statement], one: Change, start: str, end: str, profile: Profile
) -> None:
    # After a rename or a drop its old name refers to another table, so a job that names it would state more than missing lineage.
    assume(not any(other.scope[0] in ("dataset-renamed", "dataset-dropped") and {start, end}.intersection(other.scope) for other in stated))
    blind = build_job_key(NS, "blind")
    edges = (EdgeFact(EdgeType.READS, blind, to_dataset(start)), EdgeFact(EdgeType.WRITES, blind, to_dataset(end)))
    more = build_statement(
        Facts(edges=edges, flows=(Flow(to_dataset(start), to_dataset(end), job=blind),)), build_output_scope("blind", end), 20
    )
    for mode in Mode:
        with open_graph(stated) as graph:
            before = find_findings(graph, one, mode=mode, profile=profile)[one.fingerprint]
        with open_graph([*stated, more]) as graph:
            after = find_findings(graph, one, mode=mode, profile=profile)[one.fingerprint]
        assert to_verdict(after.verdict) >= to_verdict(before.verdict)


@given(changes, st.text(max_size=5), st.integers(0, 9), st.lists(assets, max_size=2))
def test_a_fingerprint_identifies_what_is_changed_and_nothing_else(one: Change, file: str, line: int, others: list[object]) -> None:
    moved = one._replace(file=file, line=line, assets=tuple(others), consumers=(), details={})  # type: ignore[arg-type]
    assert moved.fingerprint == one.fingerprint
    assert len(one.fingerprint) == 16
    for other in (
        one._replace(rule="x"),
        one._replace(before="long"),
        one._replace(after=None),
        one._replace(subject=one.subject._replace(name="x")),
    ):
        assert other.fingerprint != one.fingerprint
