"""How lineage moves a verdict: up in both modes, down in `usage` and only where all is known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshline.governance.changes import Change, Subject, SubjectKind
from meshline.governance.gate import Mode
from meshline.governance.rules import Profile
from meshline.graph.content import decode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    AssetFact,
    AssetKey,
    EdgeFact,
    EdgeType,
    Facts,
    FlowType,
    Json,
    Statement,
    build_column_key,
    build_consumer_key,
    build_contract_key,
    build_data_product_key,
    build_dataset_key,
    build_job_key,
    from_micros,
    get_current_micros,
)
from meshline.graph.usage import FIRST_READ, LAST_READ, READS, USAGE, USAGE_WINDOW, WINDOWS
from tests.governance.verdicts import build_change, build_report, describe_hits, judge_change, judge_modes
from tests.queries import mesh
from tests.queries.mesh import (
    build_asset_statement,
    build_edge_statement,
    build_flow,
    build_run_statement,
    build_schema_statement,
    build_statement,
)

A, B, C = (build_dataset_key("wh", name) for name in "abc")
LOAD, READ = build_job_key("etl", "load"), build_job_key("etl", "read")
TEAM = build_consumer_key("team")


def build_corner(*more: Statement) -> LiveGraph:
    """a (x, y, z) is written by a job, and b is made of its x; all of that is recorded by column."""
    copying = build_run_statement(READ, [A], B, build_flow(build_column_key(A, "x"), build_column_key(B, "x")))
    writing = build_statement(mesh.LINEAGE, ("job-output", "etl", "load", *A.parts), Facts(edges=(EdgeFact(EdgeType.WRITES, LOAD, A),)))
    return mesh.build_graph(build_schema_statement(A, "x", "y", "z"), build_schema_statement(B, "x"), copying, writing, *more)


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    found = build_corner()
    yield found
    found.store.close()


def build_making(subtype: str, end: str = "s", *, start: str = "y") -> Statement:
    """c is made of a, by one step."""
    one = build_flow(build_column_key(A, start), C if end == "" else build_column_key(C, end), subtype)
    if subtype == "CONDITIONAL":
        one = one._replace(type=FlowType.INDIRECT)
    return build_run_statement(build_job_key("etl", "make"), [A], C, one)


# -- no job reads it


def test_a_column_without_readers_where_all_lineage_is_known_by_column(graph: LiveGraph) -> None:
    one = build_change("column-removed", build_column_key(A, "z"))
    assert judge_modes(graph, one) == ("breaking", "compatible")
    assert judge_change(graph, one).gaps == ()
    assert judge_modes(graph, build_change("column-removed", build_column_key(A, "x"))) == ("breaking", "breaking")
    assert judge_modes(graph, build_change("filter-changed", B)) == ("conditional", "compatible")


@pytest.mark.parametrize(
    ("integration", "subtypes", "verdict"),
    [
        ("DBT", [""], "breaking"),
        ("AIRFLOW", [""], "breaking"),
        ("AIRFLOW", ["", "FILTER"], "compatible"),
        ("AIRFLOW", ["IDENTITY", "FILTER"], "compatible"),  # its SQL was read
        ("AIRFLOW", ["IDENTITY"], "compatible"),  # its SQL was read, and has no filter
        ("SPARK", [""], "compatible"),
    ],
)
def test_a_producer_that_states_no_filters_proves_nothing(integration: str, subtypes: list[str], verdict: str) -> None:
    """openlineage-sql lists the columns that are copied, and no more: z may be in the WHERE."""
    flows = [
        build_flow(build_column_key(A, "y"), B, one)
        if one == "FILTER"
        else build_flow(build_column_key(A, "x"), build_column_key(B, "x"), one)
        for one in subtypes
    ]
    again = build_run_statement(READ, [A], B, *flows, at=mesh.START + 1)
    graph = build_corner(again, build_asset_statement(READ, integration=integration))
    one = build_change("column-removed", build_column_key(A, "z"))
    assert judge_modes(graph, one) == ("breaking", verdict)
    silent = (1, (integration,)) if verdict == "breaking" else (0, ())
    assert (known := build_report(graph, one).completeness).silent_on_filters == silent[0]
    assert known.silent_producers == silent[1]
    if verdict == "breaking":
        assert "a filter or join of etl/read, whose lineage states none" in judge_change(graph, one, mode=Mode.USAGE).reason
    graph.store.close()


def test_one_job_without_column_lineage_and_it_is_not_safe() -> None:
    graph = build_corner(build_run_statement(build_job_key("etl", "blind"), [A], C, covered=False))
    one = build_change("column-removed", build_column_key(A, "z"))
    assert judge_modes(graph, one) == ("breaking", "breaking")
    assert "record the column lineage of etl/blind: it is not known which columns of wh/a are read" in judge_change(graph, one).gaps
    graph.store.close()


@pytest.mark.parametrize("scope", [("job-reads", "etl", "export"), ("job-output", "etl", "export", "wh", "else")])
def test_a_run_that_only_reads_is_a_job_without_column_lineage(scope: tuple[str, ...]) -> None:
    graph = build_corner(build_statement(mesh.LINEAGE, scope, Facts(edges=(EdgeFact(EdgeType.READS, build_job_key("etl", "export"), A),))))
    one = build_change("column-removed", build_column_key(A, "z"))
    assert judge_modes(graph, one) == ("breaking", "breaking")
    assert any("etl/export" in gap for gap in judge_change(graph, one).gaps)
    graph.store.close()


@pytest.mark.parametrize(
    "more",
    [
        build_edge_statement(EdgeType.CONSUMES, TEAM, build_column_key(A, "z")),
        build_edge_statement(EdgeType.CONSUMES, TEAM, A),
        build_edge_statement(EdgeType.PORT, build_data_product_key("p"), A, direction="output"),
        build_run_statement(
            build_job_key("etl", "undescribed"),
            [A],
            build_dataset_key("wh", "undescribed"),
            build_flow(build_column_key(A, "z"), build_column_key(build_dataset_key("wh", "undescribed"), "z")),
        ),
    ],
)
def test_a_consumer_that_uses_or_might_use_a_column_is_a_reader(more: Statement) -> None:
    """A port alone is no reader: those who use it are."""
    graph = build_corner(more)
    ported = any(fact.type is EdgeType.PORT for fact in decode_edges(more))
    assert judge_modes(graph, build_change("column-removed", build_column_key(A, "z"))) == (
        "breaking",
        "compatible" if ported else "breaking",
    )
    graph.store.close()


def decode_edges(statement: Statement) -> tuple[EdgeFact, ...]:
    return decode_facts(statement.content.blob).edges


def test_a_consumer_of_the_product_might_use_it() -> None:
    product = build_data_product_key("p")
    graph = build_corner(
        build_edge_statement(EdgeType.PORT, product, A, direction="output"), build_edge_statement(EdgeType.CONSUMES, TEAM, product)
    )
    one = build_change("column-removed", build_column_key(A, "z"))
    assert judge_modes(graph, one) == ("breaking", "breaking")
    assert "state which columns team uses of p" in judge_change(graph, one).gaps
    graph.store.close()


def test_a_contract_that_promises_a_column_requires_it() -> None:
    promise = build_contract_key("a-v1")
    models: Json = [{"name": "a", "fields": [{"name": "z"}]}]
    graph = build_corner(
        build_edge_statement(EdgeType.GOVERNS, promise, A), build_asset_statement(promise, version="1", status="active", models=models)
    )
    assert judge_modes(graph, build_change("column-removed", build_column_key(A, "z"))) == ("breaking", "breaking")
    assert judge_modes(graph, build_change("column-removed", build_column_key(A, "y"))) == ("breaking", "compatible")
    own = Change("column-removed", Subject(SubjectKind.CONTRACT, "a-v1", ("model", "a", "field", "z")), assets=(build_column_key(A, "z"),))
    assert judge_modes(graph, own) == ("breaking", "compatible")
    graph.store.close()


@pytest.mark.parametrize(
    ("status", "column_name", "expected"), [("active", "z", "breaking"), ("active", "y", "conditional"), ("retired", "z", "conditional")]
)
def test_a_legal_promotion_is_conditional_unless_a_contract_promises_the_type(status: str, column_name: str, expected: str) -> None:
    promise = build_contract_key("a-v1")
    models: Json = [{"name": "a", "fields": [{"name": "z"}]}]
    graph = build_corner(
        build_edge_statement(EdgeType.GOVERNS, promise, A), build_asset_statement(promise, version="1", status=status, models=models)
    )
    grown = build_change("type-promoted", build_column_key(A, column_name), before="int", after="long")
    found = judge_change(graph, grown)
    assert (found.verdict, "The contract a-v1 promises the type." in found.reason) == (expected, expected == "breaking")
    assert judge_change(graph, grown, profile=Profile.CONSUMER).verdict == "conditional"
    nested = build_change("type-promoted", build_column_key(A, f"{column_name}.inner"), before="int", after="long")
    assert judge_change(graph, nested).verdict == expected
    graph.store.close()


def test_a_legal_promotion_into_a_narrower_copy_is_breaking() -> None:
    graph = build_corner(build_asset_statement(build_column_key(B, "x"), source="dbt/t", type="int"))
    assert judge_modes(graph, build_change("type-promoted", build_column_key(A, "x"), before="int", after="long")) == (
        "breaking",
        "breaking",
    )
    assert judge_modes(graph, build_change("type-promoted", build_column_key(A, "z"), before="int", after="long")) == (
        "conditional",
        "compatible",
    )
    graph.store.close()


def test_a_retired_contract_requires_no_columns() -> None:
    promise = build_contract_key("a-v1")
    models: Json = [{"name": "a", "fields": [{"name": "z"}]}]
    graph = build_corner(
        build_edge_statement(EdgeType.GOVERNS, promise, A), build_asset_statement(promise, version="1", status="retired", models=models)
    )
    assert judge_modes(graph, build_change("column-removed", build_column_key(A, "z"))) == ("breaking", "compatible")
    graph.store.close()


def test_a_table_of_which_no_lineage_is_known_is_not_safe() -> None:
    alone = build_dataset_key("wh", "alone")
    graph = build_corner(build_schema_statement(alone, "z"))
    one = build_change("column-removed", build_column_key(alone, "z"))
    assert judge_modes(graph, one) == ("breaking", "breaking")
    assert judge_change(graph, one).gaps == ("no lineage of wh/alone is recorded: its readers are unknown",)
    graph.store.close()


def test_a_bound_consumer_counts_as_a_reader_unless_the_columns_that_it_uses_are_known(graph: LiveGraph) -> None:
    one = build_change("column-removed", build_column_key(A, "z"), consumers=(TEAM,))
    assert judge_modes(graph, one) == ("breaking", "breaking")
    mesh.commit_statements(graph, build_edge_statement(EdgeType.CONSUMES, TEAM, build_column_key(A, "y")))
    assert judge_modes(graph, one) == ("breaking", "compatible")
    mesh.commit_statements(graph, build_edge_statement(EdgeType.CONSUMES, TEAM, A))
    assert judge_modes(graph, one) == ("breaking", "breaking")


# -- usage

ALONE = build_dataset_key("wh", "alone")
DAY = 86_400 * mesh.SECOND


def build_window(dataset: AssetKey, first: int, last: int, *, columns: bool = True) -> Statement:
    """`first`, `last`: days before now."""
    now = get_current_micros()
    window: Json = [{"from": now - first * DAY, "to": now - last * DAY, "columns": columns}]
    return build_statement("usage/test", (USAGE_WINDOW, *dataset.parts), Facts(assets=(AssetFact(dataset, {WINDOWS: window}),)))


def build_read(asset: AssetKey, days: int) -> Statement:
    """TEAM read the asset, so many days before now."""
    at = get_current_micros() - days * DAY
    edge = EdgeFact(EdgeType.CONSUMES, TEAM, asset, {READS: 3, FIRST_READ: at, LAST_READ: at})
    return build_statement("usage/test", (USAGE, *asset.parts, "month"), Facts(edges=(edge,)))


@pytest.mark.parametrize(
    ("window", "verdict"),
    [
        ((60, 1, True), "compatible"),
        ((31, 1, True), "compatible"),
        ((29, 1, True), "breaking"),  # too short
        ((400, 31, True), "breaking"),  # too long ago
        ((60, 1, False), "breaking"),  # which columns were read is not known
    ],
)
def test_usage_that_covers_a_table_takes_the_place_of_lineage_that_is_not_recorded(window: tuple[int, int, bool], verdict: str) -> None:
    first, last, columns = window
    graph = build_corner(build_schema_statement(ALONE, "z", "y"), build_window(ALONE, first, last, columns=columns))
    one = build_change("column-removed", build_column_key(ALONE, "z"))
    assert judge_modes(graph, one) == ("breaking", verdict)
    if verdict == "compatible":
        begin, end = (from_micros(get_current_micros() - days * DAY).date() for days in (first, last))
        expected = f"No reader of it is known, and usage from {begin} to {end} shows no read of it."
        assert expected in judge_change(graph, one, mode=Mode.USAGE).reason
    graph.store.close()


def test_a_table_may_be_dropped_that_no_one_read_with_whichever_columns() -> None:
    graph = build_corner(build_schema_statement(ALONE, "z"), build_window(ALONE, 60, 1, columns=False))
    assert judge_modes(graph, build_change("table-removed", ALONE))[1] == "compatible"
    graph.store.close()


@pytest.mark.parametrize("days", [2, 700])
def test_who_was_seen_to_read_is_a_reader_however_long_ago(days: int) -> None:
    graph = build_corner(
        build_schema_statement(ALONE, "z", "y"), build_window(ALONE, 60, 1), build_read(build_column_key(ALONE, "z"), days)
    )
    one = build_change("column-removed", build_column_key(ALONE, "z"))
    assert judge_modes(graph, one) == ("breaking", "breaking")
    (hit,) = judge_change(graph, one).hits
    assert (hit.consumer.name, hit.last_read) == ("team", from_micros(get_current_micros() - days * DAY).date().isoformat())
    assert judge_modes(graph, build_change("column-removed", build_column_key(ALONE, "y"))) == ("breaking", "compatible")
    graph.store.close()


def test_reads_without_columns_may_be_of_any() -> None:
    graph = build_corner(build_schema_statement(ALONE, "z"), build_window(ALONE, 60, 1), build_read(ALONE, 2))
    assert judge_modes(graph, build_change("column-removed", build_column_key(ALONE, "z"))) == ("breaking", "breaking")
    graph.store.close()


def test_usage_does_not_refute_lineage() -> None:
    vague = build_run_statement(build_job_key("etl", "copy"), [ALONE], C, covered=False)
    graph = build_corner(build_schema_statement(ALONE, "z"), build_window(ALONE, 60, 1), vague)
    assert judge_modes(graph, build_change("column-removed", build_column_key(ALONE, "z"))) == ("breaking", "breaking")
    graph.store.close()


def test_what_a_bound_consumer_was_seen_to_read_does_not_limit_what_it_may_read(graph: LiveGraph) -> None:
    one = build_change("column-removed", build_column_key(A, "z"), consumers=(TEAM,))
    mesh.commit_statements(graph, build_read(build_column_key(A, "y"), 2))
    assert judge_modes(graph, one) == ("breaking", "breaking")
    mesh.commit_statements(graph, build_edge_statement(EdgeType.CONSUMES, TEAM, build_column_key(A, "x")))
    assert judge_modes(graph, one) == ("breaking", "compatible")
    mesh.commit_statements(graph, build_read(build_column_key(A, "z"), 2))
    assert judge_modes(graph, one) == ("breaking", "breaking")


# -- how it is read


@pytest.mark.parametrize("subtype", ["JOIN", "GROUP_BY", "FILTER"])
def test_a_key_that_joins_or_groups(subtype: str) -> None:
    graph = build_corner(
        build_schema_statement(C, "s"), build_making(subtype, ""), build_edge_statement(EdgeType.CONSUMES, TEAM, build_column_key(C, "s"))
    )
    one = build_change("key-removed", build_column_key(A, "y"))
    wanted = "conditional" if subtype == "FILTER" else "breaking"
    assert judge_modes(graph, one) == (wanted, wanted)
    found = judge_change(graph, one)
    assert describe_hits(found) == {"team": f"{wanted} INDIRECT 1"}
    assert ("It is a key of a join or a group: etl/make." in found.reason) is (subtype != "FILTER")
    graph.store.close()


@pytest.mark.parametrize(("subtype", "added", "removed"), [
    ("FILTER", "conditional", ("breaking", "breaking")),
    ("CONDITIONAL", "conditional", ("breaking", "breaking")),
    ("JOIN", "compatible", ("breaking", "compatible")),
    ("IDENTITY", "compatible", ("breaking", "compatible")),
    ("", "compatible", ("breaking", "breaking")),
])  # fmt: skip
def test_changed_enum_values_affect_jobs_that_branch_on_them(subtype: str, added: str, removed: tuple[str, str]) -> None:
    graph = build_corner(build_schema_statement(C, "s"), build_making(subtype))
    assert judge_modes(graph, build_change("enum-value-added", build_column_key(A, "y"))) == (added, added)
    assert judge_modes(graph, build_change("enum-value-removed", build_column_key(A, "y"))) == removed
    graph.store.close()


def test_a_filter_on_a_copy_is_a_filter(graph: LiveGraph) -> None:
    mesh.commit_statements(
        graph,
        build_schema_statement(C, "s"),
        build_run_statement(build_job_key("etl", "further"), [B], C, build_flow(build_column_key(B, "x"), C, "FILTER")),
    )
    assert judge_change(graph, build_change("enum-value-added", build_column_key(A, "x"))).verdict == "conditional"


def test_what_a_consumer_does_with_the_values_is_not_known() -> None:
    graph = build_corner(
        build_schema_statement(C, "s"), build_making("IDENTITY"), build_edge_statement(EdgeType.CONSUMES, TEAM, build_column_key(C, "s"))
    )
    assert judge_modes(graph, build_change("enum-value-removed", build_column_key(A, "y"))) == ("breaking", "breaking")
    graph.store.close()


@pytest.mark.parametrize(("subtype", "relaxed"), [("FILTER", "conditional"), ("JOIN", "breaking"), ("IDENTITY", "breaking")])
def test_a_column_that_may_be_empty_now(subtype: str, relaxed: str) -> None:
    graph = build_corner(
        build_schema_statement(C, "s"),
        build_making(subtype, "s" if subtype == "IDENTITY" else ""),
        build_edge_statement(EdgeType.CONSUMES, TEAM, build_column_key(C, "s")),
    )
    assert judge_modes(graph, build_change("column-nullable", build_column_key(A, "y"))) == ("breaking", relaxed)
    assert judge_modes(graph, build_change("column-nullable", build_column_key(A, "z"))) == ("breaking", "compatible")
    graph.store.close()


# -- types


@pytest.mark.parametrize(("type_", "strict", "usage"), [
    ("int", "breaking", "breaking"),
    ("bigint", "conditional", "compatible"),
    ("decimal(38,2)", "breaking", "breaking"),
    (None, "conditional", "conditional"),
])  # fmt: skip
def test_a_wider_type_and_the_copies_of_it(type_: str | None, strict: str, usage: str) -> None:
    more = () if type_ is None else (build_asset_statement(build_column_key(C, "s"), source="dbt/t", type=type_),)
    listing = build_statement(
        "dbt/t", ("dataset", *C.parts, "s"), Facts(edges=(EdgeFact(EdgeType.HAS_COLUMN, C, build_column_key(C, "s"), {"position": 1}),))
    )
    graph = build_corner(listing, build_making("IDENTITY"), *more)
    one = build_change("type-widened", build_column_key(A, "y"), before="int", after="long")
    assert judge_change(graph, one, profile=Profile.CONSUMER).verdict == strict
    assert judge_change(graph, one, profile=Profile.CONSUMER, mode=Mode.USAGE).verdict == usage
    graph.store.close()


# -- positions


def test_a_table_that_has_every_column_may_be_written_by_position() -> None:
    copies = [build_flow(build_column_key(A, name), build_column_key(C, name)) for name in "xyz"]
    graph = build_corner(build_schema_statement(C, "x", "y", "z"), build_run_statement(build_job_key("etl", "all"), [A], C, *copies))
    for rule in ("column-added", "column-moved"):
        assert judge_change(graph, build_change(rule, A)).verdict == "conditional"
        assert "wh/c has every column of it" in judge_change(graph, build_change(rule, A)).reason
        assert judge_change(graph, build_change(rule, B)).verdict == "compatible"
    mesh.commit_statements(graph, build_schema_statement(C, "x", "y", "z", "more", at=mesh.START + mesh.SECOND))
    assert judge_change(graph, build_change("column-added", A)).verdict == "compatible"
    graph.store.close()


# -- promises


def test_personal_data_that_a_port_shows() -> None:
    port = build_edge_statement(EdgeType.PORT, build_data_product_key("p"), C, direction="output")
    shown = build_corner(build_schema_statement(C, "s"), build_making("IDENTITY"), port)
    assert judge_change(shown, build_change("classification-raised", build_column_key(A, "y"))).verdict == "breaking"
    masked = build_run_statement(
        build_job_key("etl", "make"), [A], C, build_flow(build_column_key(A, "y"), build_column_key(C, "s"), masking=True)
    )
    mesh.commit_statements(shown, masked._replace(observed_at=mesh.START + mesh.SECOND))
    assert judge_change(shown, build_change("classification-raised", build_column_key(A, "y"))).verdict == "conditional"
    mesh.commit_statements(shown, build_edge_statement(EdgeType.PORT, build_data_product_key("q"), A, direction="output"))
    assert judge_change(shown, build_change("classification-raised", build_column_key(A, "y"))).verdict == "breaking"
    shown.store.close()


def test_access_that_a_consumer_uses() -> None:
    graph = build_corner(
        build_edge_statement(EdgeType.GOVERNS, build_contract_key("a-v1"), A),
        build_edge_statement(EdgeType.CONSUMES, build_consumer_key("far"), build_column_key(B, "x")),
    )
    one = Change(
        "access-narrowed", Subject(SubjectKind.CONTRACT, "a-v1", ("role", "reader")), "read", "none", (A,), details={"role": "reader"}
    )
    assert judge_change(graph, one).verdict == "conditional"
    assert describe_hits(judge_change(graph, one)) == {"far": "conditional DIRECT 1"}
    mesh.commit_statements(graph, build_edge_statement(EdgeType.CONSUMES, TEAM, build_column_key(A, "x"), contract="a-v1"))
    assert judge_change(graph, one).verdict == "breaking"
    assert describe_hits(judge_change(graph, one)) == {"team": "breaking DIRECT 0", "far": "conditional DIRECT 1"}
    graph.store.close()


def build_level_change(rule: str, before: str, after: str | None, name: str = "freshness") -> Change:
    return Change(
        rule, Subject(SubjectKind.PRODUCT, "p", ("slo", name)), before, after, (build_data_product_key("p"), A), details={"slo": name}
    )


def build_promises(**slo: str) -> LiveGraph:
    p, q = build_data_product_key("p"), build_data_product_key("q")
    return build_corner(
        build_schema_statement(C, "s"),
        build_making("IDENTITY"),
        build_edge_statement(EdgeType.PORT, p, A, direction="output"),
        build_edge_statement(EdgeType.PORT, q, A, direction="input"),
        build_edge_statement(EdgeType.PORT, q, C, direction="output"),
        build_asset_statement(p, slo={"freshness": "1h", "completeness": "99.9%"}),
        build_asset_statement(q, slo=dict(slo)),
    )


def test_a_promise_that_depends_on_a_loosened_promise() -> None:
    graph = build_promises(freshness="2h", completeness="99%")
    assert judge_change(graph, build_level_change("slo-loosened", "1h", "90m")).verdict == "conditional"
    broken = judge_change(graph, build_level_change("slo-loosened", "1h", "3h"))
    assert broken.verdict == "breaking"
    assert "A promise is no longer met: q: 2h promised" in broken.reason
    assert judge_change(graph, build_level_change("slo-removed", "1h", None)).verdict == "breaking"
    assert judge_change(graph, build_level_change("slo-loosened", "99.9%", "99.5%", "completeness")).verdict == "conditional"
    assert judge_change(graph, build_level_change("slo-loosened", "99.9%", "98%", "completeness")).verdict == "breaking"
    graph.store.close()


def test_a_promise_that_did_not_hold_before_is_not_broken_by_it() -> None:
    graph = build_promises(freshness="30m")
    assert judge_change(graph, build_level_change("slo-loosened", "1h", "3h")).verdict == "conditional"
    graph.store.close()


def test_an_input_port_that_is_derived_from_an_output_of_the_product() -> None:
    graph = build_promises(freshness="2h")

    def judge_added_port(name: str, to: str) -> str:
        subject = Subject(SubjectKind.PRODUCT, to, ("port", "input", "new"))
        one = Change("input-port-added", subject, assets=(build_data_product_key(to),), details={"port": "new", "datasets": [name]})
        return judge_change(graph, one).verdict

    assert judge_added_port("wh/c", "p") == "conditional"
    assert judge_added_port("wh/a", "q") == "compatible"
    mesh.commit_statements(graph, build_asset_statement(build_data_product_key("q"), slo={"freshness": "10m"}, at=mesh.START + mesh.SECOND))
    assert judge_added_port("wh/a", "q") == "conditional"
    graph.store.close()
