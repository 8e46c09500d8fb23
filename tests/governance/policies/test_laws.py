"""Following a graph commit by commit finds what a look at all of it finds; what is only supposed changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.app.policy_service import load_policies
from meshline.governance.policies.monitor import PolicyMonitor
from meshline.governance.policies.policy import Policy, Severity
from meshline.governance.report import Violation
from meshline.graph.index import index_tables
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    AssetFact,
    AssetKey,
    EdgeFact,
    EdgeType,
    Facts,
    Flow,
    FlowType,
    Json,
    Statement,
    build_column_key,
    build_consumer_key,
    build_contract_key,
    build_data_product_key,
    build_dataset_key,
    build_domain_key,
    build_owner_key,
)
from meshline.graph.store.base import Batch
from meshline.graph.store.sqlite import SqliteStore
from meshline.graph.what_if import SupposedStatement, suppose_statements
from tests.index.heads import NS, build_statement, to_column, to_dataset
from tests.index.strategies import COLUMNS, any_statement, columns, datasets, times
from tests.sizes import count_examples

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PRODUCTS = ("p", "q")
CONTRACTS = ("k1", "k2")
USERS = ("team", "board")
PATHS = ("/x", "/y")
MODELS: Json = [{"name": "m", "fields": [{"name": "x"}]}]
users, promised, governing = st.sampled_from(USERS), st.sampled_from(PRODUCTS), st.sampled_from(CONTRACTS)
homes = st.sampled_from(("finance", "shop"))
paths = st.sampled_from(PATHS)

tags = st.sampled_from(([], ["pii"], ["pii=false"], ["other"], ["revenue"], ["financial=yes"]))
tagged = st.builds(
    lambda c, given, at: build_statement(Facts(assets=(AssetFact(to_column(c), {"tags": given}),)), ("note", c), at, source="person/p"),
    columns,
    tags,
    times,
)
named = st.builds(  # a column that is personal by its name
    lambda d, e, at: build_statement(
        Facts(flows=(Flow(build_column_key(to_dataset(d), "email"), build_column_key(to_dataset(e), "x"), subtype="IDENTITY"),)),
        ("test", f"email{d}"),
        at,
    ),
    datasets,
    datasets,
    times,
)
copied = st.builds(
    lambda a, b, at: build_statement(
        Facts(
            flows=tuple(
                Flow(build_column_key(to_dataset(a), name), build_column_key(to_dataset(b), name), subtype="IDENTITY") for name in COLUMNS
            )
        ),
        ("copy", a),
        at,
    ),
    datasets,
    datasets,
    times,
)
exported = st.builds(
    lambda a, path, back, at: build_statement(
        Facts(
            flows=(
                Flow(to_dataset(a), build_dataset_key("file", path)),
                *((Flow(build_dataset_key("file", path), to_dataset(back)),) if back else ()),
            )
        ),
        ("export", path),
        at,
    ),
    datasets,
    st.sampled_from(PATHS),
    st.sampled_from((None, "a", "b")),
    times,
)
products = st.builds(
    lambda p, attributes, at: build_statement(
        Facts(assets=(AssetFact(build_data_product_key(p), attributes),)), ("product", p), at, source="product/x"
    ),
    st.sampled_from(PRODUCTS),
    st.sampled_from(
        (
            {"description": "d", "slo": {"freshness": "1h"}},
            {"slo": {"freshness": "2d", "retention": "1y"}, "tags": ["financial"]},
            {"tags": ["revenue"], "title": "R"},
            {"registered_in": ["DataHub"]},
        )
    ),
    times,
)
contracts = st.builds(
    lambda k, version, status, at: build_statement(
        Facts(assets=(AssetFact(build_contract_key(k), {"version": version, "status": status, "models": MODELS}),)),
        ("contract", k, version),
        at,
        source="contract/x",
    ),
    st.sampled_from(CONTRACTS),
    st.sampled_from(("1.0", "2.0")),
    st.sampled_from(("active", "retired")),
    times,
)
edges = st.builds(
    lambda edge, at, scope: build_statement(Facts(edges=(edge,)), ("mesh", f"e{scope}"), at, source="mesh/m"),
    st.one_of(
        st.builds(
            lambda p, d, way, refresh: EdgeFact(
                EdgeType.PORT, build_data_product_key(p), to_dataset(d), {"direction": way, "refresh": refresh}
            ),
            promised,
            datasets,
            st.sampled_from(("input", "output")),
            st.sampled_from(("hourly", "nightly")),
        ),
        st.builds(lambda k, d: EdgeFact(EdgeType.GOVERNS, build_contract_key(k), to_dataset(d)), governing, datasets),
        st.builds(
            lambda u, c, k: EdgeFact(EdgeType.CONSUMES, build_consumer_key(u), to_column(c), {"contract": k}), users, columns, governing
        ),
        st.builds(lambda u, d: EdgeFact(EdgeType.CONSUMES, build_consumer_key(u), to_dataset(d)), users, datasets),
        st.builds(lambda u, p: EdgeFact(EdgeType.CONSUMES, build_consumer_key(u), build_data_product_key(p)), users, promised),
        st.builds(lambda u, path: EdgeFact(EdgeType.CONSUMES, build_consumer_key(u), build_dataset_key("file", path)), users, paths),
        st.builds(lambda p, d: EdgeFact(EdgeType.PART_OF, build_data_product_key(p), build_domain_key(d)), promised, homes),
        st.builds(lambda u: EdgeFact(EdgeType.OWNS, build_owner_key("o"), build_consumer_key(u)), users),
        st.builds(lambda d: EdgeFact(EdgeType.OWNS, build_owner_key("o"), build_domain_key(d)), homes),
    ),
    times,
    st.integers(0, 7),
)  # fmt: skip
placed = st.builds(
    lambda names, d, at: build_statement(
        Facts(assets=(AssetFact(build_domain_key(d), {"members": names}),)), ("mesh", "domain", d), at, source="mesh/m"
    ),
    st.lists(st.sampled_from((f"{NS}/*", f"{NS}/a", "file//x")), max_size=2),
    homes,
    times,
)


def build_rights(who: str, ends: list[AssetKey], about: list[dict[str, Json]]) -> Facts:
    given = zip(ends, about, strict=False)
    return Facts(edges=tuple(EdgeFact(EdgeType.MAY_READ, build_owner_key(who), end, attributes) for end, attributes in given))


readers = st.sampled_from(("ann", "bob", "user:bob", "o"))
rights = st.builds(
    lambda who, ends, about, at, scope: build_statement(build_rights(who, ends, about), ("may-read", scope), at, source="ranger/x"),
    readers,
    st.lists(st.one_of(datasets.map(to_dataset), columns.map(to_column)), min_size=1, max_size=3),
    st.lists(st.sampled_from(({}, {"grant": "care"}, {"grant": "all"}, {"masked": True}, {"row_filter": True})), min_size=3, max_size=3),
    times,
    st.sampled_from(("a", "b", "c")),
)
cleared = st.builds(
    lambda who, given, at: build_statement(
        Facts(assets=(AssetFact(build_owner_key(who), {"tags": given}),)), ("owner", who), at, source="mesh/m"
    ),
    readers,
    st.sampled_from(([], ["cleared"])),
    times,
)
statements = st.one_of(
    any_statement,
    any_statement,
    tagged,
    tagged,
    named,
    copied,
    exported,
    products,
    contracts,
    edges,
    edges,
    edges,
    placed,
    rights,
    rights,
    cleared,
)


def load_all_policies() -> tuple[Policy, ...]:
    """Those of the product; the one that needs names of readers has some."""
    of_readers = {**find_policy("pii-readers").parameters, "readers": ["Cleared", "care", "finance"]}
    return tuple(one._replace(parameters=of_readers) if one.id == "pii-readers" else one for one in load_policies())


def find_policy(id_: str) -> Policy:
    return next(one for one in load_policies() if one.id == id_)


def list_pairs(live: LiveGraph) -> set[tuple[str, str]]:
    """Who may read what, of the violations of pii-readers with an error: (reader, column)."""
    watch = PolicyMonitor(live, load_all_policies(), NOW)
    index = live.index
    return {
        (index.assets.get_key(place.asset).name, index.assets.get_key(place.end).qualified_name)
        for place, breach in watch.list_violations()
        if place.policy == "pii-readers" and breach.severity is Severity.ERROR
    }


@pytest.fixture(autouse=True)
def _fold_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fold and compact after every few rows."""
    monkeypatch.setattr(index_tables, "OVERLAY", 3)
    monkeypatch.setattr(index_tables, "GARBAGE", 40)


def open_graph() -> LiveGraph:
    return LiveGraph.open(SqliteStore())


def commit_statements(live: LiveGraph, *statements: Statement) -> None:
    live.commit(lambda _: Batch(statements=statements))


def collect_violations(watch: PolicyMonitor) -> dict[str, Violation]:
    return {violation.fingerprint: violation for violation in watch.build_violations(watch.list_violations())}


@settings(max_examples=count_examples(150), deadline=None)
@given(st.lists(statements, max_size=25), st.lists(st.lists(statements, min_size=1, max_size=3), min_size=1, max_size=6))
def test_following_commits_finds_what_a_full_pass_finds(first: list[Statement], commits: list[list[Statement]]) -> None:
    live = open_graph()
    commit_statements(live, *first)
    watch = PolicyMonitor(live, load_all_policies(), NOW)
    before = collect_violations(watch)
    for commit in commits:
        commit_statements(live, *commit)
        differs = watch.collect_differences()
        now = collect_violations(PolicyMonitor(live, load_all_policies(), NOW))
        assert collect_violations(watch) == now
        assert len(now) - len(before) == len(differs.opened) - len(differs.closed)
        assert {one.fingerprint for one in differs.opened} <= now.keys()
        before = now


def test_a_dataset_as_a_whole_has_no_recorded_values_of_a_column_that_is_dropped() -> None:
    live = open_graph()
    hoisted = Facts(
        flows=(
            Flow(to_dataset("a"), to_dataset("b")),
            Flow(to_column("a.x"), to_dataset("a"), FlowType.INDIRECT, "JOIN"),
            Flow(to_column("a.x"), to_column("a.x")),
        )
    )
    pii = Facts(assets=(AssetFact(to_column("a.x"), {"tags": ["pii"]}),))
    commit_statements(live, build_statement(hoisted, ("test", "one")), build_statement(pii, ("note", "a.x"), source="person/p"))
    watch = PolicyMonitor(live, load_all_policies(), NOW)
    assert collect_violations(watch) == {}
    commit_statements(
        live,
        build_statement(
            Facts(assets=(AssetFact(to_column("a.x"), {"dropped": True}),)), ("column-dropped", "a", "x"), source="iceberg/cat"
        ),
    )
    assert watch.collect_differences().opened == ()
    assert collect_violations(watch) == collect_violations(PolicyMonitor(live, load_all_policies(), NOW)) == {}


@settings(max_examples=count_examples(150), deadline=None)
@given(st.lists(statements, max_size=25), st.lists(statements, min_size=1, max_size=3))
def test_supposed_statements_differ_as_committed_ones_would_and_change_nothing(first: list[Statement], then: list[Statement]) -> None:
    live = open_graph()
    commit_statements(live, *first)
    supposed = [SupposedStatement(one.source, one.scope, one.content) for one in then]
    watch = PolicyMonitor(live, load_all_policies(), NOW)
    watch.settle()
    before = collect_violations(watch)
    with suppose_statements(live, supposed, 1_000) as would:
        after = collect_violations(PolicyMonitor(would, load_all_policies(), NOW))
        differs = watch.compare_supposed(would)
        assert {one.fingerprint: one.text for one in differs.opened}.items() <= {id_: one.text for id_, one in after.items()}.items()
        assert len(after) - len(before) == len(differs.opened) - len(differs.closed)
    assert collect_violations(watch) == before == collect_violations(PolicyMonitor(live, load_all_policies(), NOW))
    commit_statements(live, *first)
    assert collect_violations(watch) == collect_violations(PolicyMonitor(live, load_all_policies(), NOW))


def state_rights(live: LiveGraph, *edges: EdgeFact, scope: str = "a", source: str = "ranger/x") -> None:
    commit_statements(live, build_statement(Facts(edges=edges), ("may-read", scope), source=source))


def build_right(who: str, end: AssetKey, **attributes: Json) -> EdgeFact:
    return EdgeFact(EdgeType.MAY_READ, build_owner_key(who), end, attributes)


def test_who_may_read_personal_data() -> None:
    live = open_graph()
    flow = Facts(
        flows=(
            Flow(to_column("a.x"), to_column("b.x"), subtype="IDENTITY"),
            Flow(to_column("a.x"), to_column("b.y"), subtype="TRANSFORMATION", masking=True),
        )
    )
    pii = Facts(assets=(AssetFact(to_column("a.x"), {"tags": ["pii"]}),))
    commit_statements(live, build_statement(flow, ("test", "one")), build_statement(pii, ("note", "a.x"), source="person/p"))
    state_rights(
        live,
        build_right("eve", to_dataset("b")),
        build_right("kim", to_column("b.x")),
        build_right("lea", to_column("b.y")),  # only the hash
        build_right("max", to_dataset("b")),
        build_right("max", to_column("b.x"), masked=True),
        build_right("ned", to_dataset("b"), grant="Care"),  # by an allowed grant
        build_right("ned", to_dataset("b"), grant="other"),
        build_right("group:finance", to_dataset("b")),
        build_right("care", to_dataset("a")),
    )
    name = to_column("b.x").qualified_name
    assert list_pairs(live) == {("eve", name), ("kim", name)}
    state_rights(live, build_right("max", to_dataset("b")), source="postgres/y")  # where nothing masks it
    assert list_pairs(live) == {("eve", name), ("kim", name), ("max", name)}
    domain = Facts(edges=(EdgeFact(EdgeType.OWNS, build_owner_key("eve"), build_domain_key("finance")),))
    note = Facts(assets=(AssetFact(build_owner_key("kim"), {"tags": ["cleared"]}),))
    commit_statements(live, build_statement(domain, ("mesh", "o"), source="mesh/m"), build_statement(note, ("mesh", "k"), source="mesh/m"))
    assert list_pairs(live) == {("max", name)}


def test_a_new_flow_makes_personal_data_readable() -> None:
    """The violation has the path and the grant."""
    live = open_graph()
    pii = Facts(assets=(AssetFact(to_column("a.x"), {"tags": ["pii"]}),))
    commit_statements(live, build_statement(pii, ("note", "a.x"), source="person/p"))
    state_rights(live, build_right("eve", to_dataset("b"), grant="analysts"))
    watch = PolicyMonitor(live, load_all_policies(), NOW)
    assert collect_violations(watch) == {}
    flow = build_statement(Facts(flows=(Flow(to_column("a.x"), to_column("b.x"), subtype="IDENTITY"),)), ("test", "one"))
    watch.settle()
    with suppose_statements(live, [SupposedStatement(flow.source, flow.scope, flow.content)], 1_000) as would:
        (violation,) = (one for one in watch.compare_supposed(would).opened if one.policy == "pii-readers")
    source, target = to_column("a.x").qualified_name, to_column("b.x").qualified_name
    assert violation.text == f"eve may read personal data unmasked in {target}, by analysts; it comes from {source}"
    assert [(step.asset.name, step.edge) for step in violation.path][1:] == [("x", EdgeType.FLOWS_TO), ("eve", EdgeType.MAY_READ)]
