"""Rules for names of one catalog that the graph suggests, and that a person accepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.graph.content import encode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, EdgeFact, EdgeType, Facts, Flow, build_column_key, build_dataset_key
from meshline.graph.naming_rules import Prefix, Rule, derive_rule
from meshline.graph.queries.naming_proposals import Proposal, list_proposals
from meshline.ingest.catalog_aliases import apply_rules, read_rules
from meshline.ingest.sources.base import Entry
from tests.api.conftest import AskGraph
from tests.ingest.sources.fake_source import build_table, load_items, open_graph

POSTGRES, TRINO, LAKE = "postgres://db", "trino://trino.internal", "http://catalog:8181"


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as found:
        yield found


def load_tables(live: LiveGraph, namespace: str, tables: dict[str, Sequence[str]], source: str = "openlineage/x") -> None:
    entries = [Entry(("table", namespace, name), build_table(name, *columns, namespace=namespace)) for name, columns in tables.items()]
    load_items(live, entries, complete=False, source=source)


def load_edge(live: LiveGraph, type_: EdgeType, start: AssetKey, end: AssetKey) -> None:
    load_items(live, [Entry(("edge", start.id, end.id), encode_facts(Facts(edges=(EdgeFact(type_, start, end),))))], complete=False)


def show(found: Sequence[Proposal]) -> list[tuple[str, int, int, int]]:
    return [(str(one.rule), one.alike, one.unlike, one.unknown) for one in found]


@pytest.mark.parametrize(
    ("also", "names", "rule"),
    [
        ((TRINO, "pg.raw.orders"), (POSTGRES, "shop.raw.orders"), f"{TRINO}/pg is {POSTGRES}/shop"),
        ((TRINO, "lake.raw.orders"), (LAKE, "raw.orders"), f"{TRINO}/lake is {LAKE}"),
        ((TRINO, "raw.orders"), (LAKE, "raw.orders"), f"{TRINO} is {LAKE}"),
        ((TRINO, "delta.raw.orders"), ("file", "/wh/raw/orders"), f"{TRINO}/delta.raw is file//wh/raw"),
        ((TRINO, "pg.raw.orders"), ("snowflake://x", "SHOP.RAW.ORDERS"), f"{TRINO}/pg is snowflake://x/SHOP, ignoring case"),
        ((TRINO, "orders"), (LAKE, "raw.orders"), f"{TRINO} is {LAKE}/raw"),
        ((TRINO, "raw.orders"), (LAKE, "raw.items"), None),
        ((TRINO, ""), (LAKE, "raw.items"), None),
    ],
)
def test_the_most_general_rule_of_two_names(also: tuple[str, str], names: tuple[str, str], rule: str | None) -> None:
    found = derive_rule(also, names)
    assert (None if found is None else str(found)) == rule


NAMES = st.lists(st.text("abAB", min_size=1, max_size=2), min_size=1, max_size=4)


@given(NAMES, NAMES, st.sampled_from("./"), st.sampled_from("./"))
def test_a_derived_rule_joins_its_names(first: list[str], second: list[str], one: str, other: str) -> None:
    """Where none is derived, none of whole parts joins them."""
    also, names = one.join(first), other.join(second)
    rule = derive_rule(("a", also), ("b", names))
    every = (
        Rule(Prefix("a", one.join(first[:n])), Prefix("b", other.join(second[:m])), ignore_case=True)
        for n in range(len(first))
        for m in range(len(second))
    )
    joins = [(found := candidate.find_counterpart(also)) is not None and found.casefold() == names.casefold() for candidate in every]
    assert (rule is not None) == any(joins)
    if rule is not None:
        counterpart = rule.find_counterpart(also)
        assert counterpart is not None
        assert counterpart == names or (rule.ignore_case and counterpart.casefold() == names.casefold())


def test_a_query_engine_has_the_tables_of_a_database(live: LiveGraph) -> None:
    """Of one table it read only some columns; what the engine calls otherwise stays out of it."""
    load_tables(
        live,
        POSTGRES,
        {
            "shop.raw.orders": ("id", "amount", "status", "customer"),
            "shop.raw.people": ("id", "email", "name", "born", "city"),
            "shop.raw.log": (),
        },
    )
    load_tables(live, TRINO, {"pg.raw.orders": ("id", "amount", "status", "customer"), "pg.raw.people": ("id", "email")})
    load_tables(live, TRINO, {"pg.raw.log": ("at", "line"), "lake.raw.items": ("id", "price")})
    (found,) = list_proposals(live.index)
    assert show([found]) == [(f"{TRINO}/pg is {POSTGRES}/shop", 2, 0, 1)]
    assert [(one.name, other.name) for one, other in found.examples] == [
        ("pg.raw.orders", "shop.raw.orders"),
        ("pg.raw.people", "shop.raw.people"),
    ]


def test_names_of_a_catalog_come_last_whatever_the_engine(live: LiveGraph) -> None:
    load_tables(live, "aaa://engine", {"shop.orders": ("id", "amount")})
    load_tables(live, "zzz://catalog", {"orders": ("id", "amount")}, source="iceberg/lake")
    assert show(list_proposals(live.index)) == [("aaa://engine/shop is zzz://catalog", 1, 0, 0)]


def test_names_that_differ_in_case(live: LiveGraph) -> None:
    load_tables(live, "snowflake://x", {"SHOP.RAW.ORDERS": ("ID", "AMOUNT")}, source="iceberg/lake")
    load_tables(live, "dbt://y", {"shop.raw.orders": ("id", "amount")})
    (found,) = list_proposals(live.index)
    assert found.rule == Rule(Prefix("dbt://y", ""), Prefix("snowflake://x", ""), ignore_case=True)


def test_what_most_tables_deny_is_not_proposed(live: LiveGraph) -> None:
    load_tables(live, POSTGRES, {f"shop.raw.t{n}": ("id", f"a{n}", f"b{n}") for n in range(3)})
    load_tables(live, TRINO, {"pg.raw.t0": ("id", "a0", "b0"), "pg.raw.t1": ("x", "y", "z"), "pg.raw.t2": ("u", "v", "w")})
    assert list_proposals(live.index) == []


def test_copies_are_no_reason(live: LiveGraph) -> None:
    load_tables(live, POSTGRES, {"shop.raw.orders": ("id", "amount")})
    load_tables(live, LAKE, {"raw.orders": ("id", "amount")})
    start, end = build_dataset_key(POSTGRES, "shop.raw.orders"), build_dataset_key(LAKE, "raw.orders")
    assert len(list_proposals(live.index)) == 1
    flow = Flow(build_column_key(start, "id"), build_column_key(end, "id"))
    load_items(live, [Entry(("copy",), encode_facts(Facts(flows=(flow,))))], complete=False, source="openlineage/x")
    assert list_proposals(live.index) == []


def test_parted_datasets_are_not_proposed_and_joined_ones_not_again(live: LiveGraph) -> None:
    load_tables(live, POSTGRES, {"shop.raw.orders": ("id", "amount"), "shop.raw.items": ("id", "price")})
    load_tables(live, TRINO, {"pg.raw.orders": ("id", "amount"), "pg.raw.items": ("id", "price")})
    load_edge(live, EdgeType.DIFFERENT_FROM, build_dataset_key(POSTGRES, "shop.raw.orders"), build_dataset_key(TRINO, "pg.raw.orders"))
    assert show(list_proposals(live.index)) == [(f"{TRINO}/pg is {POSTGRES}/shop", 1, 0, 0)]
    load_edge(live, EdgeType.SAME_AS, build_dataset_key(POSTGRES, "shop.raw.items"), build_dataset_key(TRINO, "pg.raw.items"))
    assert list_proposals(live.index) == []


PROPOSALS = "{ namingProposals { alike rule { also { namespace prefix } names { namespace prefix } ignoreCase source } } }"
CHANGE = """mutation($names: NamePrefixInput!, $also: NamePrefixInput!, $by: String) {
  FIELD(names: $names, also: $also, by: $by) { joined rule { source } } }"""


def test_an_accepted_rule_joins_later_datasets_too_until_it_is_removed(live: LiveGraph) -> None:
    load_tables(live, POSTGRES, {"shop.raw.orders": ("id", "amount"), "shop.raw.items": ("id", "price")})
    load_tables(live, TRINO, {"pg.raw.orders": ("id", "amount")})
    ask = AskGraph(live)
    (proposal,) = ask(PROPOSALS)["namingProposals"]
    rule = proposal["rule"]
    assert (rule.pop("source"), rule.pop("ignoreCase")) == (None, False)

    def change(field: str, by: str | None = "ann") -> object:
        return ask(CHANGE.replace("FIELD", field), **rule, by=by)

    assert change("acceptNamingRule") == {"acceptNamingRule": {"joined": 1, "rule": {"source": "person/ann"}}}
    assert ask("{ namingProposals { alike } namingRules { source also { text } } }") == {
        "namingProposals": [],
        "namingRules": [{"source": "person/ann", "also": {"text": f"{TRINO}/pg"}}],
    }
    load_tables(live, TRINO, {"pg.raw.items": ("id", "price")})
    loading = apply_rules(live)
    assert loading is not None
    assert loading.new == 1
    again = ask.graphql.execute(CHANGE.replace("FIELD", "acceptNamingRule"), {**rule, "by": "bob"}).body
    assert "person/ann states this rule already" in str(again["errors"])
    other = ask.graphql.execute(CHANGE.replace("FIELD", "removeNamingRule"), {**rule, "by": "bob"}).body
    assert other["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert change("removeNamingRule") == {"removeNamingRule": {"joined": 0, "rule": {"source": "person/ann"}}}
    assert read_rules(live.store) == []
    assert ask("{ audit { nodes { subject actor } } }")["audit"]["nodes"][0]["actor"] == "ann"


@pytest.mark.parametrize(
    ("names", "also", "part"),
    [
        ({"namespace": ""}, {"namespace": "b"}, "names.namespace"),
        ({"namespace": "a"}, {"namespace": "b" * 3000}, "also.namespace"),
        ({"namespace": "a", "prefix": "x\ny"}, {"namespace": "b"}, "names.prefix"),
        ({"namespace": "a"}, {"namespace": "a"}, "are the same"),
    ],
)
def test_what_is_no_rule_is_refused(live: LiveGraph, names: dict[str, str], also: dict[str, str], part: str) -> None:
    query = CHANGE.replace("FIELD", "acceptNamingRule")
    body = AskGraph(live).graphql.execute(query, {"names": names, "also": also, "by": "ann"}).body
    assert body["errors"][0]["extensions"]["code"] == "INVALID_INPUT"
    assert part in str(body["errors"][0])
