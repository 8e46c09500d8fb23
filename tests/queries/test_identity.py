"""Why names are one dataset, and which identities look wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph import model
from meshline.graph.content import EMPTY, encode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, AssetKey, Content, EdgeFact, EdgeType, Facts, Flow, Json
from meshline.graph.queries.assets import read_aliases, read_attributes
from meshline.graph.queries.identity import Identity, NameRank, read_identity
from meshline.graph.queries.identity_conflicts import Conflict, ConflictKind, list_conflicts
from meshline.ingest.sources.base import Entry
from tests.api.conftest import AskGraph
from tests.ingest.sources.fake_source import T, build_table, load_items, open_graph
from tests.sizes import count_examples

LAKE = model.build_dataset_key("lake", "shop.orders")
TRINO = model.build_dataset_key("trino://h", "delta.shop.orders")
FILE = model.build_dataset_key("s3://wh", "shop/orders")
COLUMNS = ("id", "total", "currency")


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as found:
        yield found


def build_same_as(a: AssetKey, b: AssetKey, **attributes: Json) -> Content:
    return encode_facts(Facts(edges=(EdgeFact(EdgeType.SAME_AS, a, b, attributes),)))


def load_dataset(live: LiveGraph, key: AssetKey, columns: Sequence[str] = COLUMNS, source: str = "openlineage/x") -> None:
    load_items(
        live, [Entry(("dataset", *key.parts), build_table(key.name, *columns, namespace=key.parts[0]))], complete=False, source=source
    )


def load_same_as(live: LiveGraph, a: AssetKey, b: AssetKey, source: str = "mesh/x", **attributes: Json) -> None:
    load_items(live, [Entry(("same", *a.parts, *b.parts), build_same_as(a, b, **attributes))], complete=False, source=source)


def read_identity_of(live: LiveGraph, key: AssetKey) -> Identity:
    node = live.index.assets.find_by_key(key)
    assert node is not None
    found = read_identity(live, live.index, node)
    assert found.shown == live.index.assets.get_key(node) == found.members[0].key, "the first is the one that is shown"
    return found


def build_port(product: str, key: AssetKey, direction: str) -> Content:
    return encode_facts(Facts(edges=(EdgeFact(EdgeType.PORT, model.build_data_product_key(product), key, {"direction": direction}),)))


def test_a_dataset_with_one_name(live: LiveGraph) -> None:
    load_dataset(live, LAKE)
    found = read_identity_of(live, LAKE)
    assert [(member.key, member.rank, member.source) for member in found.members] == [(LAKE, NameRank.NAME, None)]
    assert (found.reasons, found.columns) == ((), ())


def test_why_a_name_is_shown(live: LiveGraph) -> None:
    """The ranks of a name from the weakest to the strongest; the index shows the same name."""
    for key in (LAKE, TRINO, FILE):
        load_dataset(live, key)
    load_same_as(live, TRINO, LAKE, why="one", rule="trino is lake")
    load_same_as(live, LAKE, FILE, why="location")
    assert [(member.key, member.rank) for member in read_identity_of(live, FILE).members] == [
        (key, NameRank.NAME) for key in (LAKE, FILE, TRINO)
    ]
    load_same_as(live, LAKE, TRINO, source="openlineage/x", type="TABLE")
    assert (read_identity_of(live, FILE).shown, read_identity_of(live, FILE).members[0].rank) == (TRINO, NameRank.TABLE_SYMLINK)
    load_dataset(live, FILE, source="delta/wh")
    assert read_identity_of(live, FILE).members[0] == (FILE, NameRank.CATALOG, "delta/wh", False)
    load_items(live, [Entry(("port", "in"), build_port("p", TRINO, "input"))], complete=False, source="product/x")
    assert read_identity_of(live, FILE).shown == FILE
    load_items(live, [Entry(("port", "out"), build_port("p", TRINO, "output"))], complete=False, source="product/x")
    assert read_identity_of(live, FILE).members[0] == (TRINO, NameRank.OUTPUT_PORT, "product/x", False)
    reasons = [(reason.start, reason.end, reason.why, reason.rule, reason.source) for reason in read_identity_of(live, FILE).reasons]
    assert reasons == [
        (LAKE, FILE, "location", None, "mesh/x"),
        (LAKE, TRINO, "same as", None, "openlineage/x"),
        (TRINO, LAKE, "one", "trino is lake", "mesh/x"),
    ]


def test_columns_that_are_spelled_in_several_ways(live: LiveGraph) -> None:
    load_dataset(live, LAKE, ("id", "Total"))
    load_dataset(live, TRINO, ("id", "total"))
    load_same_as(live, LAKE, TRINO)
    ((column, spellings),) = read_identity_of(live, LAKE).columns
    assert live.index.assets.get_key(column).name.casefold() == "total"
    assert [(spelling.name, spelling.datasets) for spelling in spellings] == [("Total", (LAKE,)), ("total", (TRINO,))]


def test_a_rename_is_a_reason(live: LiveGraph) -> None:
    load_dataset(live, LAKE)
    edge = EdgeFact(EdgeType.RENAMED_TO, LAKE, TRINO)
    load_items(live, [Entry(("rename",), encode_facts(Facts(edges=(edge,))), T + 10)], complete=False, source="openlineage/x")
    found = read_identity_of(live, TRINO)
    assert [(reason.type, reason.why, reason.since) for reason in found.reasons] == [(EdgeType.RENAMED_TO, "rename", T + 10)]


def load_different_from(live: LiveGraph, a: AssetKey, b: AssetKey, why: str = "two feeds") -> None:
    edge = EdgeFact(EdgeType.DIFFERENT_FROM, a, b, {"why": why})
    load_items(live, [Entry(("not", *a.parts, *b.parts), encode_facts(Facts(edges=(edge,))))], complete=False, source="mesh/x")


def test_a_parting_is_listed_with_the_edges_that_it_overrules(live: LiveGraph) -> None:
    for key in (LAKE, TRINO, FILE):
        load_dataset(live, key)
    load_same_as(live, LAKE, TRINO, source="iceberg/x")
    load_same_as(live, TRINO, FILE, source="openlineage/x", why="symlink")
    load_different_from(live, LAKE, FILE)
    assert [member.key for member in read_identity_of(live, LAKE).members] == [LAKE, TRINO]
    for key in (LAKE, FILE):
        found = read_identity_of(live, key)
        assert [(one.start, one.end, one.why, one.source) for one in found.partings] == [(LAKE, FILE, "two feeds", "mesh/x")]
        assert [(one.start, one.end, one.why) for one in found.reasons if one.overruled] == [(TRINO, FILE, "symlink")]
    assert [one.source for one in read_identity_of(live, LAKE).reasons if not one.overruled] == ["iceberg/x"]
    node = live.index.assets.find_by_key(TRINO)
    assert node is not None
    known = read_attributes(live, live.index, [node])
    assert [alias.name for alias in read_aliases(live, live.index, [node], known)[0]] == [TRINO.name], (
        "a dataset that it is stated to be different from gives no alias"
    )


# -- conflicts


def list_conflict_names(found: Conflict) -> tuple[str, ...]:
    return tuple(key.qualified_name for key in found.names)


def test_similar_members_are_no_conflict(live: LiveGraph) -> None:
    assert list_conflicts(live.index) == []
    load_dataset(live, LAKE, source="iceberg/lake")
    load_dataset(live, FILE)
    load_same_as(live, LAKE, FILE)
    assert list_conflicts(live.index) == []


def test_two_tables_of_catalogs(live: LiveGraph) -> None:
    for key in (LAKE, TRINO):
        load_dataset(live, key, source="iceberg/lake")
    load_dataset(live, FILE, source="delta/wh")
    load_same_as(live, LAKE, TRINO)
    load_same_as(live, LAKE, FILE)
    (found,) = list_conflicts(live.index)
    assert (found.kind, found.similarity, found.sources) == (ConflictKind.TWO_TABLES, 1.0, ("iceberg/lake",))
    assert set(found.names) == {LAKE, TRINO, FILE}


def test_unlike_columns(live: LiveGraph) -> None:
    load_dataset(live, LAKE, ("id", "total", "currency"))
    load_dataset(live, FILE, ("a", "b", "id"))
    load_dataset(live, TRINO, ("ID",))
    load_same_as(live, LAKE, FILE)
    load_same_as(live, LAKE, TRINO)
    (found,) = list_conflicts(live.index)
    assert (found.kind, found.similarity, found.names) == (ConflictKind.UNLIKE_COLUMNS, 0.2, (LAKE, FILE))
    load_dataset(live, FILE, ("total", "id"))
    assert list_conflicts(live.index) == [], "a member whose columns are some of the other's is not unlike it"


@pytest.mark.parametrize(
    ("first", "second", "similarity"),
    [("abcdef", "ghijkl", 0), ("abcdef", "defghi", 1 / 3), ("abcdef", "ghi", 0), ("ab", "bc", 1 / 3)],
)
def test_unlike_columns_whatever_their_number(live: LiveGraph, first: str, second: str, similarity: float) -> None:
    load_dataset(live, LAKE, first)
    load_dataset(live, FILE, second)
    load_same_as(live, LAKE, FILE)
    (found,) = list_conflicts(live.index)
    assert (found.kind, found.similarity, found.names) == (ConflictKind.UNLIKE_COLUMNS, similarity, (LAKE, FILE))


@settings(max_examples=count_examples(60), deadline=None)
@given(st.lists(st.sets(st.sampled_from("abcdefgh"), max_size=8), min_size=2, max_size=5))
def test_unlike_columns_are_those_that_a_comparison_of_all_pairs_finds(tables: list[set[str]]) -> None:
    with open_graph() as live:
        keys = [model.build_dataset_key(f"x://{number}", "s.t") for number in range(len(tables))]
        for key, columns in zip(keys, tables, strict=True):
            load_dataset(live, key, sorted(columns))
            load_same_as(live, keys[0], key)
        least = min((len(a & b) / len(a | b) for a, b in combinations(filter(None, tables), 2)), default=1.0)
        found = [one for one in list_conflicts(live.index) if one.kind is ConflictKind.UNLIKE_COLUMNS]
        assert all(one.similarity == least < 0.5 for one in found)
        if least == 0:  # nothing in common: neither has most of the other's columns
            assert found


def test_a_near_miss(live: LiveGraph) -> None:
    load_dataset(live, LAKE)
    load_dataset(live, model.build_dataset_key("postgres://db", "public.Orders"), ("ID", "Total", "Currency"))
    (found,) = list_conflicts(live.index)
    assert (found.kind, found.similarity) == (ConflictKind.NEAR_MISS, 1.0)
    assert list_conflict_names(found) == ("lake/shop.orders", "postgres://db/public.Orders")


@pytest.mark.parametrize(
    ("key", "columns"),
    [
        (model.build_dataset_key("postgres://db", "public.payments"), COLUMNS),  # another name
        (model.build_dataset_key("postgres://db", "public.orders"), ("id", "a", "b")),  # other columns
        (model.build_dataset_key("postgres://db", "public.orders"), ()),  # columns that no source lists
        (model.build_dataset_key("lake", "archive.orders"), COLUMNS),  # the same system distinguishes them
    ],
)
def test_no_near_miss(live: LiveGraph, key: AssetKey, columns: Sequence[str]) -> None:
    load_dataset(live, LAKE)
    load_dataset(live, key, columns)
    assert list_conflicts(live.index) == []


def test_datasets_that_are_stated_to_be_different_are_no_near_miss(live: LiveGraph) -> None:
    other = model.build_dataset_key("postgres://db", "public.orders")
    load_dataset(live, LAKE)
    load_dataset(live, other)
    load_different_from(live, other, LAKE)
    assert list_conflicts(live.index) == []


def test_a_copy_is_no_near_miss(live: LiveGraph) -> None:
    copy = model.build_dataset_key("postgres://db", "orders")
    load_dataset(live, LAKE)
    load_dataset(live, copy)
    flow = Flow(model.build_column_key(LAKE, "id"), model.build_column_key(copy, "id"))
    load_items(live, [Entry(("flow",), encode_facts(Facts(flows=(flow,))))], complete=False, source="openlineage/x")
    assert list_conflicts(live.index) == []


def test_the_conflict_that_is_most_likely_wrong_comes_first(live: LiveGraph) -> None:
    load_dataset(live, LAKE, source="iceberg/lake")
    load_dataset(live, TRINO, ("a", "b"), source="iceberg/lake")
    load_same_as(live, LAKE, TRINO)
    for namespace, columns in (("x://1", COLUMNS), ("x://2", (*COLUMNS, "more"))):
        load_dataset(live, model.build_dataset_key(namespace, "items"), columns)
    load_dataset(live, model.build_dataset_key("x://3", "items"), COLUMNS)
    found = list_conflicts(live.index)
    assert [conflict.kind for conflict in found] == [ConflictKind.TWO_TABLES, ConflictKind.UNLIKE_COLUMNS, *[ConflictKind.NEAR_MISS] * 3]
    assert [conflict.similarity for conflict in found[2:]] == [1.0, 0.75, 0.75]


columns_of_one = st.sets(st.sampled_from("abcdefgh"), min_size=1, max_size=8)


@settings(max_examples=count_examples(60), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["t", "u"]), columns_of_one), min_size=2, max_size=6))
def test_near_misses_are_those_that_a_comparison_of_all_pairs_finds(tables: list[tuple[str, set[str]]]) -> None:
    """Hashing may miss a pair that a comparison of all pairs finds, but no pair with equal columns; and it finds no other pairs."""
    with open_graph() as live:
        keys = [model.build_dataset_key(f"x://{number}", f"s.{name}") for number, (name, _) in enumerate(tables)]
        for key, (_, columns) in zip(keys, tables, strict=True):
            load_dataset(live, key, sorted(columns))
        wanted = {}
        for (a, (name, of_a)), (b, (other, of_b)) in combinations(list(zip(keys, tables, strict=True)), 2):
            similarity = len(of_a & of_b) / len(of_a | of_b)
            if name == other and similarity >= 0.7 and len(of_a & of_b) >= 2:
                wanted[a, b] = similarity
        found = {conflict.names: conflict.similarity for conflict in list_conflicts(live.index)}
        assert found.items() <= wanted.items()
        assert {pair for pair, similarity in wanted.items() if similarity == 1} <= found.keys()


def test_a_crowd_of_one_name_stays_small(live: LiveGraph) -> None:
    load_items(
        live, [Entry((str(i),), build_table("s.orders", *COLUMNS, namespace=f"x://{i:03}")) for i in range(200)], source="openlineage/x"
    )
    assert 199 <= len(list_conflicts(live.index)) <= 4 * 199


def test_datasets_that_had_one_name_in_sessions(live: LiveGraph) -> None:
    name: list[Json] = ["kafka://b", "default_catalog.default_database.snk"]
    orders, payments = model.build_dataset_key("kafka://b", "orders"), model.build_dataset_key("kafka://b", "payments")
    for key, columns in ((orders, ("id", "total")), (payments, ("id", "iban"))):
        load_dataset(live, key, columns)
        content = encode_facts(Facts(assets=(AssetFact(key, {"session_names": [name]}),)))
        load_items(live, [Entry(("dataset", *key.parts, "symlinks"), content)], complete=False, source="openlineage/x")
    (found,) = list_conflicts(live.index)
    assert (found.kind, found.names, found.similarity) == (ConflictKind.SESSION_NAME, (orders, payments), 1 / 3)
    assert found.session_name == model.build_dataset_key("kafka://b", "default_catalog.default_database.snk")
    assert [member.key for member in read_identity_of(live, orders).members] == [orders]
    load_items(live, [Entry(("dataset", *orders.parts, "symlinks"), EMPTY)], complete=False, source="openlineage/x")
    assert list_conflicts(live.index) == []


# -- as the schema has it


def test_pages_of_conflicts_and_an_identity(live: LiveGraph) -> None:
    for i in range(5):
        load_dataset(live, model.build_dataset_key(f"x://{i}", "orders"), ("id", "total", *(f"c{j}" for j in range(i))))
    load_same_as(live, model.build_dataset_key("x://0", "orders"), LAKE, why="so")
    ask = AskGraph(live)
    query = (
        "query($after: String) { identityConflicts(first: 2, after: $after)"
        " { totalCount nodes { kind similarity names { namespace name } datasets { qualifiedName } } pageInfo { hasNextPage endCursor } } }"
    )
    seen: list[tuple[str, ...]] = []
    after = None
    while True:
        page = ask(query, after=after)["identityConflicts"]
        seen += [tuple(name["namespace"] for name in node["names"]) for node in page["nodes"]]
        assert all(len(node["datasets"]) == 2 for node in page["nodes"])
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == [tuple(key.parts[0] for key in conflict.names) for conflict in list_conflicts(live.index)]
    assert len(seen) == page["totalCount"] >= 3
    found = ask('{ dataset(namespace: "lake", name: "shop.orders") { identity { shown { namespace } members { shown name { namespace } }'
                " reasons { why source } } } }")["dataset"]["identity"]  # fmt: skip
    assert [member["name"]["namespace"] for member in found["members"] if member["shown"]] == [found["shown"]["namespace"]] == ["lake"]
    assert found["reasons"] == [{"why": "so", "source": "mesh/x"}]
