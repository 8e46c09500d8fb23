"""The text format of an impact and of a lineage graph, as golden text."""

from __future__ import annotations

from msgspec.structs import replace

from meshline.cli import impact, lineage
from meshline.cli.answer_types import Asset, NamedAsset, Names
from meshline.cli.client import convert_answer
from meshline.cli.terminal import Line
from meshline.words import make_printable

CUSTOMERS = {"id": "ds_1", "kind": "DATASET", "name": "crm.customers", "qualifiedName": "lake/crm.customers"}
AUDIENCE = {"id": "ds_2", "kind": "DATASET", "name": "mkt.audience", "qualifiedName": "lake/mkt.audience"}
SIGNALS = {"id": "ds_3", "kind": "DATASET", "name": "fraud.signals", "qualifiedName": "lake/fraud.signals"}
CONTRACT = {"id": "ctr_1", "kind": "CONTRACT", "name": "k1", "qualifiedName": "k1"}
MAILER = {"id": "con_1", "kind": "CONSUMER", "name": "mailer", "qualifiedName": "mailer"}
SEND = {"id": "job_1", "kind": "JOB", "name": "build_audience", "qualifiedName": "spark/build_audience"}
SCORE = {"id": "job_2", "kind": "JOB", "name": "score|it", "qualifiedName": "spark/score|it"}


def build_column(dataset: dict[str, str], name: str) -> dict[str, object]:
    return {
        "id": f"col_{dataset['id']}_{name}",
        "kind": "COLUMN",
        "name": name,
        "qualifiedName": f"{dataset['qualifiedName']}.{name}",
        "dataset": dataset,
    }


def build_affected(node: object, reach: str, distance: int, *jobs: dict[str, str], masked: bool = False) -> dict[str, object]:
    via = [{"asset": CUSTOMERS, "job": None}, *({"asset": AUDIENCE, "job": job} for job in jobs)]
    return {"node": node, "reach": reach, "distance": distance, "masked": masked, "via": via}


COMPLETENESS = {"truncated": "NONE", "possibleOnly": 0, "undescribed": 0, "staleEdges": 0, "provisional": 0, "asOf": None, "revision": 7}
START = convert_answer(build_column(CUSTOMERS, "email"), Asset)

IMPACT = {
    "total": 6,
    "byKind": [{"key": "DATA_PRODUCT", "label": "DATA_PRODUCT", "count": 1}],
    "byReach": [{"key": "DIRECT", "label": "DIRECT", "count": 4}, {"key": "POSSIBLE", "label": "POSSIBLE", "count": 2}],
    "byDomain": [{"key": "dom_1", "label": "marketing", "count": 4}, {"key": "", "label": "no domain", "count": 2}],
    "byProduct": [{"key": "", "label": "no product", "count": 6}],
    "byReader": [{"key": "own_1", "label": "campaigns", "count": 3}, {"key": "", "label": "no stated grant", "count": 1}],
    "data": {
        "totalCount": 7,
        "nodes": [
            build_affected(AUDIENCE, "DIRECT", 1, SEND),
            build_affected(build_column(AUDIENCE, "email"), "DIRECT", 1, SEND),
            build_affected(build_column(AUDIENCE, "hash"), "DIRECT", 2, SEND, SEND, masked=True),
            build_affected(SIGNALS, "POSSIBLE", 2, SEND, SCORE),
        ],
    },
    "others": {"totalCount": 2, "nodes": [build_affected(CONTRACT, "DIRECT", 1), build_affected(MAILER, "DIRECT", 1, masked=True)]},
    "notify": [
        {
            "recipient": {"id": "con_1", "kind": "CONSUMER", "name": "mailer", "title": None, "consumerType": "application", "owners": []},
            "reason": "CONSUMES",
            "reach": "DIRECT",
            "total": 5,
            "contact": None,
            "assets": [build_column(AUDIENCE, name) for name in ("email", "a", "b", "c")],
        },
        {
            "recipient": {"id": "own_1", "kind": "OWNER", "name": "marketing"},
            "reason": "OWNS",
            "reach": "DIRECT",
            "total": 1,
            "contact": "marketing@example.org",
            "assets": [AUDIENCE],
        },
    ],
    "completeness": {**COMPLETENESS, "undescribed": 3, "possibleOnly": 1, "truncated": "DEPTH"},
}

TEXT = """\
crm.customers.email affects 6 assets: 4 by values, 2 possibly.
That is 1 product. Notify 1 consumer and 1 owner.

NOTIFY CONSUMERS
  mailer  direct, masked  application without an owner  mkt.audience (email, a, b, c) and 1 more

NOTIFY OWNERS
  marketing  direct  marketing@example.org  mkt.audience

CONTRACTS TO REVIEW
  k1

BY DOMAIN
  marketing 4, no domain 2

MAY BE READ BY (grants that sources state)
  campaigns 3

VALUES COME FROM IT (direct)
  1  mkt.audience: email
       via build_audience
  2  mkt.audience: hash (masked)
       via build_audience

POSSIBLY AFFECTED (columns not recorded)
  2  fraud.signals: the whole dataset
       via build_audience > score|it
  and 3 more: --limit shows more of them

NOT CERTAIN
  ! The answer is cut off at the depth that was asked for. There may be more behind it.
  ! 3 datasets on the way have no recorded columns: the answer may be larger.
  ! 1 pair of datasets has no column lineage: what lies behind is affected only possibly, and may be more than is really affected.
"""


def format_answer(answer: dict[str, object]) -> str:
    return "".join(f"{line.text}\n" for line in impact.format_impact(convert_answer(answer, impact.Impact), [START]))


def test_an_impact_as_text() -> None:
    assert format_answer(IMPACT) == TEXT


def test_an_impact_as_markdown_does_not_let_names_be_markup() -> None:
    written = "\n".join(impact.format_markdown(convert_answer(IMPACT, impact.Impact), [START]))
    assert written.startswith("**crm.customers.email affects 6 assets: 4 by values, 2 possibly.**\n")
    assert "| possible | 2 | fraud.signals | the whole dataset | build\\_audience \\> score\\|it |" in written
    assert "- 3 datasets on the way have no recorded columns: the answer may be larger." in written


NOTHING = {**IMPACT, "total": 0, "notify": [], "byReach": [], "completeness": COMPLETENESS}


def test_nothing_is_affected() -> None:
    assert format_answer(NOTHING) == "Nothing depends on crm.customers.email.\n"


LATER = {
    "asOf": "2026-03-07T00:00:00+00:00",
    "knownLater": [
        {"relation": "GOVERNS", "sourceKind": "contract", "since": "2026-03-09T07:30:00+00:00"},
        {"relation": "CONSUMES", "sourceKind": "mesh", "since": "2026-03-08T00:00:00+00:00"},
        {"relation": "OWNS", "sourceKind": "mesh", "since": "2026-03-08T00:00:00+00:00"},
    ],
}


def test_what_was_first_stated_later_is_named() -> None:
    written = format_answer({**NOTHING, "completeness": {**COMPLETENESS, **LATER}})
    assert "as of 2026-03-07, but the answer may be incomplete" in written
    assert "  ! Consumers and owners of the source kind mesh are known only since 2026-03-08: this answer may miss them.\n" in written
    assert "  ! Contracts of the source kind contract are known only since 2026-03-09T07:30Z: this answer may miss them.\n" in written


def test_a_time_in_the_future_is_answered_with_a_note() -> None:
    written = format_answer({**IMPACT, "completeness": {**COMPLETENESS, "asOf": "2999-01-01T00:00:00+00:00"}})
    assert "  ! 2999-01-01 is in the future: the answer is about what is known now.\n" in written


def test_nothing_with_gaps_is_never_called_safe() -> None:
    for gap in (
        {"undescribed": 1},
        {"possibleOnly": 1},
        {"staleEdges": 2},
        {"provisional": 1},
        {"truncated": "TIME"},
        {"unbound": 1},
        {"silentOnFilters": 1, "silentProducers": ["DBT"]},
        LATER,
    ):
        output = format_answer({**NOTHING, "completeness": {**COMPLETENESS, **gap}})
        assert "do not treat this as safe" in output
        assert "NOT CERTAIN" in output


def test_producers_that_state_no_filters_are_named() -> None:
    written = format_answer({**NOTHING, "completeness": {**COMPLETENESS, "silentOnFilters": 2, "silentProducers": ["AIRFLOW", "DBT"]}})
    assert written == (
        "Nothing is known to depend on crm.customers.email, but the answer may be incomplete: do not treat this as safe.\n"
        "\nNOT CERTAIN\n"
        "  ! The producer of 2 jobs on the way (AIRFLOW and DBT) states no filters or joins:"
        " what depends on a column through those is not in the answer.\n"
    )
    graph = {**GRAPH, "completeness": {**COMPLETENESS, "silentOnFilters": 1}}
    drawn = join_lines(lineage.format_text(convert_answer(graph, lineage.Graph), [START], upstream=True, granularity="column"))
    assert "! The producer of 1 job on the way states no filters or joins" in drawn


def test_jobs_of_several_namespaces_are_distinguished() -> None:
    jobs = [{"id": f"job_{n}", "kind": "JOB", "name": "nightly", "qualifiedName": f"{n}/nightly"} for n in ("airflow", "dagster")]
    graph = convert_answer(GRAPH, lineage.Graph)
    graph = replace(graph, edges=[replace(edge, jobs=convert_answer(jobs, list[NamedAsset])) for edge in graph.edges])
    assert " by airflow/nightly, dagster/nightly (" in join_lines(lineage.format_text(graph, [START], upstream=False, granularity="column"))


def test_names_are_short_unless_two_share_one() -> None:
    one = NamedAsset("ds_1", "DATASET", "orders", "pg/orders")
    other = NamedAsset("ds_2", "DATASET", "orders", "lake/orders")
    assert Names([one])(one) == "orders"
    assert Names([one, other])(one) == "pg/orders"


def test_a_name_cannot_steer_the_terminal() -> None:
    assert make_printable("a\x1b[31mb\r") == "a\N{REPLACEMENT CHARACTER}[31mb\N{REPLACEMENT CHARACTER}"


GRAPH = {
    "nodes": [
        {"asset": build_column(CUSTOMERS, "email"), "reach": "DIRECT", "distance": 0, "masked": False, "start": True},
        {"asset": build_column(AUDIENCE, 'e"mail'), "reach": "DIRECT", "distance": 1, "masked": True, "start": False},
        {"asset": SIGNALS, "reach": "POSSIBLE", "distance": 2, "masked": False, "start": False},
    ],
    "edges": [
        {
            "from": build_column(CUSTOMERS, "email"),
            "to": build_column(AUDIENCE, 'e"mail'),
            "reach": "DIRECT",
            "subtype": "TRANSFORMATION",
            "masking": True,
            "count": 1,
            "jobs": [SEND],
        },
        {
            "from": build_column(AUDIENCE, 'e"mail'),
            "to": SIGNALS,
            "reach": "POSSIBLE",
            "subtype": "",
            "masking": False,
            "count": 2,
            "jobs": [],
        },
    ],
    "ungrouped": 0,
    "completeness": {**COMPLETENESS, "provisional": 1},
}


def join_lines(lines: object) -> str:
    assert hasattr(lines, "__iter__")
    return "".join(f"{line.text if isinstance(line, Line) else line}\n" for line in lines)


def test_a_lineage_graph_as_text() -> None:
    graph = convert_answer(GRAPH, lineage.Graph)
    assert (
        join_lines(lineage.format_text(graph, [START], upstream=False, granularity="column"))
        == """\
crm.customers.email flows to 2 assets

1 step away
  mkt.audience.e"mail (masked)
      from crm.customers.email by build_audience (transformation, masking)

2 steps away
  fraud.signals (possible)
      from mkt.audience.e"mail (possible, 2 flows)

! 1 lineage edge is from runs that have not completed.
"""
    )


def test_a_lineage_graph_as_dot() -> None:
    assert (
        join_lines(lineage.format_dot(convert_answer(GRAPH, lineage.Graph)))
        == """\
digraph lineage {
  rankdir=LR;
  node [shape=box, fontname="sans-serif"];
  subgraph cluster_0 {
    label="lake/crm.customers";
    "col_ds_1_email" [label="email", penwidth=2];
  }
  subgraph cluster_1 {
    label="lake/mkt.audience";
    "col_ds_2_e\\"mail" [label="e\\"mail"];
  }
  "ds_3" [label="fraud.signals"];
  "col_ds_1_email" -> "col_ds_2_e\\"mail" [style=solid, label="transformation"];
  "col_ds_2_e\\"mail" -> "ds_3" [style=bold];
}
"""
    )


def test_a_lineage_graph_as_mermaid() -> None:
    drawn = join_lines(lineage.format_mermaid(convert_answer(GRAPH, lineage.Graph)))
    assert '    col_ds_1_email["email"]:::start\n' in drawn
    assert '["e#34;mail"]' in drawn
    assert '-->|"transformation"|' in drawn
    assert " ==> ds_3\n" in drawn, "possible is distinguished from indirect, as in docs/concepts.md"
