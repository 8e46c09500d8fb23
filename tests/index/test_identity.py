"""Names that mean the same: SAME_AS, case, renames, drops; and how assets are shown."""

from __future__ import annotations

import pytest

from meshline.graph.index import LineageIndex
from meshline.graph.model import AssetKind, EdgeFact, EdgeType, Facts, Statement, build_data_product_key, build_job_key, build_owner_key
from tests.index.graphs import describe_reached, format_name, get_node, list_columns, traverse_down, traverse_up
from tests.index.heads import (
    NS,
    Fold,
    build_different_from,
    build_flow,
    build_index,
    build_same_as,
    build_schema,
    build_statement,
    state_drop,
    state_lineage,
    state_merge,
    state_rename,
    state_schema,
    to_column,
    to_dataset,
)

# -- SAME_AS


def test_lineage_goes_through_all_names_of_a_dataset() -> None:
    index = build_index(state_lineage(build_flow("a.x", "b.y"), build_flow("c.y", "d.z")), state_merge("b", "c"))
    assert describe_reached(index, traverse_down(index, "a.x")) == {"b.y": "DIRECT 1", "d.z": "DIRECT 2"}
    assert describe_reached(index, traverse_up(index, "d.z")) == {"b.y": "DIRECT 1", "a.x": "DIRECT 2"}
    assert get_node(index, "c.y") == get_node(index, "b.y")


def test_classes_are_transitive_and_split_again() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(
        fold.add(state_lineage(build_flow("a.x", "b.y"), build_flow("d.y", "e.z")), state_merge("b", "c"), state_merge("c", "d"))
    )
    assert get_node(index, "b") == get_node(index, "d")
    assert set(describe_reached(index, traverse_down(index, "a.x"))) == {"b.y", "e.z"}
    index.changes.apply(fold.add(build_statement(None, ("person", "b", "c"), 1, source="person/p")))
    assert get_node(index, "b") != get_node(index, "d")
    assert get_node(index, "c") == get_node(index, "d")
    assert set(describe_reached(index, traverse_down(index, "a.x"))) == {"b.y"}


@pytest.mark.parametrize("leaves", ["b", "c", "d"])
def test_one_change_may_split_a_class_and_join_its_parts_elsewhere(leaves: str) -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    pairs = [pair for pair in (("b", "c"), ("c", "d"), ("b", "d")) if leaves in pair]
    stays, stays_too = (name for name in ("b", "c", "d") if name != leaves)
    index.changes.apply(
        fold.add(state_lineage(build_flow("a.x", "b.y")), state_merge(stays, stays_too), *(state_merge(*pair) for pair in pairs))
    )
    retracted = [build_statement(None, ("person", *pair), 1, source="person/p") for pair in pairs]
    index.changes.apply(fold.add(*retracted, state_merge(leaves, "z", 1), state_merge(stays, "w", 1)))
    assert get_node(index, leaves) == get_node(index, "z")
    assert get_node(index, stays) == get_node(index, stays_too) == get_node(index, "w") != get_node(index, "z")


# -- DIFFERENT_FROM


def state_parting(a: str, b: str, at: int = 0) -> Statement:
    return build_statement(Facts(edges=(build_different_from(a, b),)), ("not-same-as", a, b), at, source="mesh/m")


def state_link(a: str, b: str, source: str = "openlineage/test") -> Statement:
    return build_statement(Facts(edges=(build_same_as(a, b),)), ("same", a, b), source=source)


def list_classes(*statements: Statement) -> list[str]:
    """The names of each class; the same whatever comes first, and in one increment as in many."""
    found = []
    for ordered in (statements, statements[::-1]):
        fold, index = Fold(), LineageIndex.load([], 0)
        for statement in ordered:
            index.changes.apply(fold.add(statement))
        assert index.dump() == fold.build_index().dump()
        of_kind = index.assets.list_of_kind(AssetKind.DATASET)
        found.append(sorted("".join(key.name for key in index.assets.list_names(node, former=True)) for node in of_kind))
    assert found[0] == found[1]
    return found[0]


def test_different_names_are_apart_whatever_joins_them() -> None:
    for source in ("openlineage/test", "iceberg/cat", "naming/catalogs", "person/p"):
        assert list_classes(state_link("a", "b", source), state_parting("b", "a")) == ["a", "b"]
    assert list_classes(
        state_link("a", "b"), state_parting("a", "b"), build_statement(None, ("not-same-as", "a", "b"), 1, source="mesh/m")
    ) == ["ab"]


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ([("a", "x", "openlineage/test"), ("b", "x", "iceberg/cat")], ["a", "bx"]),  # the strongest source keeps the name between
        ([("a", "x", "iceberg/cat"), ("b", "x", "mesh/m")], ["a", "bx"]),
        ([("a", "x", "mesh/m"), ("b", "x", "person/p")], ["a", "bx"]),
        ([("b", "x", "openlineage/test"), ("x", "a", "openlineage/other")], ["ax", "b"]),  # of equals the first by name
        ([("a", "x", "openlineage/test"), ("x", "y", "openlineage/test"), ("y", "b", "openlineage/test")], ["ax", "by"]),
        ([("a", "x", "naming/catalogs"), ("x", "y", "iceberg/cat"), ("y", "b", "iceberg/cat")], ["a", "bxy"]),
        ([("a", "x", "iceberg/cat"), ("b", "y", "iceberg/cat"), ("c", "d", "iceberg/cat")], ["ax", "by", "cd"]),  # nothing to part
    ],
)
def test_of_what_connects_the_two_the_weakest_is_without_effect(links: list[tuple[str, str, str]], expected: list[str]) -> None:
    assert list_classes(*(state_link(*link) for link in links), state_parting("a", "b")) == expected


def test_several_partings_of_one_class() -> None:
    links = [state_link("a", "x"), state_link("b", "x"), state_link("c", "x")]
    assert list_classes(*links, state_parting("a", "b"), state_parting("a", "c")) == ["ax", "b", "c"]
    assert list_classes(*links, state_parting("b", "c")) == ["abx", "c"]


def test_a_rename_is_not_parted() -> None:
    assert list_classes(state_schema("a", "x"), state_rename("a", "b", 5), state_schema("b", "x", at=6), state_parting("a", "b")) == ["ab"]


def test_what_was_parted_and_joined_again_is_looked_at_again() -> None:
    """A statement about others changes what joins b, which that statement does not name."""
    fold, index = Fold(), LineageIndex.load([], 0)
    index.changes.apply(fold.add(state_schema("x", "x")))  # the first node represents the class
    index.changes.apply(
        fold.add(
            state_schema("b", "x"), state_schema("c", "x"), state_link("b", "c"), state_link("b", "x"), state_link("a", "x", "iceberg/cat")
        )
    )
    index.changes.apply(fold.add(state_parting("a", "b")))
    assert index.ownership.list_owners(get_node(index, "b")) == []
    index.changes.apply(fold.add(build_statement(None, ("same", "a", "x"), 1, source="iceberg/cat")))
    assert get_node(index, "x") == get_node(index, "b")
    owns = EdgeFact(EdgeType.OWNS, build_owner_key("o"), to_dataset("c"))
    index.changes.apply(fold.add(build_statement(Facts(edges=(owns,)), ("mesh", "c"), source="mesh/m")))
    assert len(index.ownership.list_owners(get_node(index, "b"))) == 1
    index.changes.apply(fold.add(state_link("a", "x", "iceberg/cat")._replace(observed_at=2)))
    assert get_node(index, "x") != get_node(index, "b")
    assert [index.assets.get_key(one.owner).name for one in index.ownership.list_owners(get_node(index, "b"))] == ["o"]
    assert index.dump() == fold.build_index().dump()


def test_a_parting_makes_no_dataset() -> None:
    assert list_classes(state_schema("a", "x"), state_parting("a", "nowhere")) == ["a"]


# -- names and ids


def test_every_name_and_every_id_finds_the_class() -> None:
    index = build_index(state_schema("b", "y"), state_schema("c", "z"), state_merge("b", "c", type="TABLE"))
    assert format_name(index, get_node(index, "b")) == "c"
    for key in (to_dataset("b"), to_dataset("c"), to_column("b.y"), to_column("c.y"), to_column("b.z"), to_column("c.z")):
        assert index.assets.find(key.id) == index.assets.find_by_key(key) is not None
    assert format_name(index, get_node(index, "b.y")) == "c.y"
    assert index.assets.list_names(get_node(index, "b"), former=True) == [to_dataset("b"), to_dataset("c")]
    assert index.assets.find("ds_nonsense") is None
    assert index.assets.find("col_" + 32 * "0") is None


def find_shown_name(index: LineageIndex) -> str:
    return format_name(index, get_node(index, "p"))


def test_the_shown_name() -> None:
    """An output port's, else a catalog's, else a TABLE symlink's, else the physical one; ties by name."""
    physical = [state_schema("p", "x"), state_merge("p", "z"), state_merge("z", "o")]
    assert find_shown_name(build_index(*physical)) == "o"
    table = state_merge("p", "t", type="TABLE")
    assert find_shown_name(build_index(*physical, table)) == "t"
    catalog = build_statement(build_schema("z", "x"), ("table", "z"), source="iceberg/c")
    assert find_shown_name(build_index(*physical, table, catalog)) == "z"
    port = build_statement(
        Facts(edges=(EdgeFact(EdgeType.PORT, build_data_product_key("dp"), to_dataset("p"), {"direction": "output"}),)),
        ("mesh", "product", "dp"),
    )
    assert find_shown_name(build_index(*physical, table, catalog, port)) == "p"


# -- case


def test_columns_match_whatever_their_case() -> None:
    index = build_index(state_schema("a", "Email"), state_lineage(build_flow("a.email", "b.x"), build_flow("z.x", "a.EMAIL")))
    assert list_columns(index, "a") == ["a.Email"]
    assert describe_reached(index, traverse_down(index, "z.x")) == {"a.Email": "DIRECT 1", "b.x": "DIRECT 2"}
    assert get_node(index, "a.eMAIL") == get_node(index, "a.Email")


def test_two_columns_that_differ_in_case_only_are_two() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(state_schema("a", "id", "ID", at=1), state_lineage(build_flow("a.id", "b.x"), build_flow("a.ID", "b.y"))))
    assert list_columns(index, "a") == ["a.id", "a.ID"]
    assert set(describe_reached(index, traverse_down(index, "a.id"))) == {"b.x"}
    assert index.assets.find_by_key(to_column("a.Id")) is None
    index.changes.apply(fold.add(state_schema("a", "id", at=2)))
    assert list_columns(index, "a") == ["a.id"]
    assert set(describe_reached(index, traverse_down(index, "a.id"))) == {"b.x", "b.y"}


def test_names_beyond_ascii_match_by_casefolding() -> None:
    index = build_index(state_schema("a", "STRASSE"), state_lineage(build_flow("a.straße", "b.x")))
    assert get_node(index, "a.straße") == get_node(index, "a.STRASSE")


def test_the_newest_schema_spells_a_column_unless_a_catalog_does() -> None:
    statements = [state_schema("a", "ID", at=1), state_schema("a", "Id", at=2, source="openlineage/other")]
    assert list_columns(build_index(*statements), "a") == ["a.Id"]
    assert list_columns(build_index(*statements, build_statement(build_schema("a", "id"), ("table", "a"), 0, source="iceberg/c")), "a") == [
        "a.id"
    ]


# -- columns of a dataset


@pytest.mark.parametrize("first", ["a", "b"])
def test_listings_of_one_time_are_ordered_whatever_came_first(first: str) -> None:
    listings = [state_schema("a", "x", "y", "z"), state_schema("b", "z", "y", "x")]
    fold = Fold()
    for statement in [*(listings if first == "a" else reversed(listings)), state_merge("a", "b")]:
        fold.add(statement)
    assert list_columns(fold.build_index(), "a") == ["a.x", "a.y", "a.z"]


def test_columns_come_by_position_then_name_and_catalogs_decide() -> None:
    index = build_index(state_schema("a", "b", "a"), state_lineage(build_flow("a.z", "b.x"), build_flow("a.y", "b.x")))
    assert list_columns(index, "a") == ["a.b", "a.a", "a.y", "a.z"]
    assert [index.assets.find_position(get_node(index, name)) for name in ("a.b", "a.a", "a.z")] == [1, 2, None]
    assert index.assets.is_inferred(get_node(index, "a.z"))
    catalog = build_index(state_schema("a", "b", "a"), build_statement(build_schema("a", "b"), ("table", "a"), source="iceberg/c"))
    assert list_columns(catalog, "a") == ["a.b"]
    assert catalog.assets.is_unlisted(get_node(catalog, "a.a"))
    assert "a.a" not in [format_name(catalog, column) for column in catalog.assets.list_of_kind(AssetKind.COLUMN)]


def test_datasets_known_from_flows_only_are_inferred() -> None:
    index = build_index(state_lineage(build_flow("cte.x", "b.x")), state_schema("b", "x"))
    assert index.assets.is_inferred(get_node(index, "cte"))
    assert not index.assets.is_described(get_node(index, "cte"))
    assert [format_name(index, dataset) for dataset in index.assets.list_of_kind(AssetKind.DATASET)] == ["b"]
    assert [format_name(index, column) for column in index.assets.list_of_kind(AssetKind.COLUMN)] == ["b.x"]


# -- renames and drops


def test_a_rename_carries_what_was_stated_before() -> None:
    index = build_index(
        state_lineage(build_flow("src.x", "old.x"), at=1),
        state_rename("old", "new", 5),
        state_lineage(build_flow("new.x", "out.x"), scope="two", at=6),
    )
    assert describe_reached(index, traverse_down(index, "src.x")) == {"new.x": "DIRECT 1", "out.x": "DIRECT 2"}
    assert get_node(index, "old") == get_node(index, "new")


def test_what_takes_the_old_name_later_is_another() -> None:
    """Tables are swapped this way: orders -> orders_old, orders_new -> orders."""
    index = build_index(
        state_lineage(build_flow("was.x", "orders.x"), at=1),
        state_lineage(build_flow("is.x", "orders_new.x"), scope="two", at=2),
        state_rename("orders", "orders_old", 5),
        state_rename("orders_new", "orders", 6),
        state_lineage(build_flow("orders.x", "report.x"), scope="three", at=7),
    )
    assert describe_reached(index, traverse_down(index, "was.x")) == {"orders_old.x": "DIRECT 1"}
    assert describe_reached(index, traverse_down(index, "is.x")) == {"orders.x": "DIRECT 1", "report.x": "DIRECT 2"}


def test_a_drop_ends_what_was_stated_and_later_facts_begin_again() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(
        fold.add(
            state_lineage(build_flow("a.x", "t.x"), at=1),
            state_lineage(build_flow("t.x", "b.x"), scope="two", at=2),
            state_schema("t", "x", at=1),
        )
    )
    assert set(describe_reached(index, traverse_down(index, "a.x"))) == {"t.x", "b.x"}
    index.changes.apply(fold.add(state_drop("t", 3)))
    assert index.assets.find_by_key(to_dataset("t")) is None
    assert index.assets.find_by_key(to_column("a.x")) is None, "its only fact was about the dropped one"
    index.changes.apply(fold.add(state_lineage(build_flow("t.x", "b.x"), scope="two", at=4)))
    assert describe_reached(index, traverse_down(index, "t.x")) == {"b.x": "DIRECT 1"}
    index.changes.apply(fold.withdraw(state_drop("t", 3)))
    assert set(describe_reached(index, traverse_down(index, "a.x"))) == {"t.x", "b.x"}


def test_a_scope_that_is_withdrawn_states_nothing() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    runs = Facts(edges=(EdgeFact(EdgeType.WRITES, build_job_key(NS, "j"), to_dataset("b")),), flows=(build_flow("a.x", "b.y"),))
    index.changes.apply(fold.add(state_schema("a", "x"), state_schema("b", "y"), build_statement(runs, ("test", "run"))))
    before = set(index.changes.list_scopes(get_node(index, "b")))
    index.changes.apply(fold.add(build_statement(None, ("test", "run"), 1)))
    after = set(index.changes.list_scopes(get_node(index, "b")))
    assert after < before
    assert all(index.changes.get_scope(scope_id) for scope_id in after)
