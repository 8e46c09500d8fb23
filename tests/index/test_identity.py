"""Names that mean the same: SAME_AS, case, renames, drops; and how assets are shown."""

from __future__ import annotations

import pytest

from meshline.graph.index import LineageIndex
from meshline.graph.model import AssetKind, EdgeFact, EdgeType, Facts, Statement, build_data_product_key, build_job_key, build_owner_key
from tests.index.graphs import columns, down, found, reached, short, up
from tests.index.heads import (
    NS,
    Fold,
    col,
    different,
    dropped,
    ds,
    flow,
    index_of,
    lineage,
    lists,
    merged,
    renamed,
    same,
    says,
    schema,
)

# -- SAME_AS


def test_lineage_goes_through_all_names_of_a_dataset() -> None:
    index = index_of(lineage(flow("a.x", "b.y"), flow("c.y", "d.z")), merged("b", "c"))
    assert reached(index, down(index, "a.x")) == {"b.y": "DIRECT 1", "d.z": "DIRECT 2"}
    assert reached(index, up(index, "d.z")) == {"b.y": "DIRECT 1", "a.x": "DIRECT 2"}
    assert found(index, "c.y") == found(index, "b.y")


def test_classes_are_transitive_and_split_again() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(lineage(flow("a.x", "b.y"), flow("d.y", "e.z")), merged("b", "c"), merged("c", "d")))
    assert found(index, "b") == found(index, "d")
    assert set(reached(index, down(index, "a.x"))) == {"b.y", "e.z"}
    index.changes.apply(fold.add(says(None, ("person", "b", "c"), 1, source="person/p")))
    assert found(index, "b") != found(index, "d")
    assert found(index, "c") == found(index, "d")
    assert set(reached(index, down(index, "a.x"))) == {"b.y"}


@pytest.mark.parametrize("leaves", ["b", "c", "d"])
def test_one_change_may_split_a_class_and_join_its_parts_elsewhere(leaves: str) -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    pairs = [pair for pair in (("b", "c"), ("c", "d"), ("b", "d")) if leaves in pair]
    stays, stays_too = (name for name in ("b", "c", "d") if name != leaves)
    index.changes.apply(fold.add(lineage(flow("a.x", "b.y")), merged(stays, stays_too), *(merged(*pair) for pair in pairs)))
    retracted = [says(None, ("person", *pair), 1, source="person/p") for pair in pairs]
    index.changes.apply(fold.add(*retracted, merged(leaves, "z", 1), merged(stays, "w", 1)))
    assert found(index, leaves) == found(index, "z")
    assert found(index, stays) == found(index, stays_too) == found(index, "w") != found(index, "z")


# -- DIFFERENT_FROM


def parted(a: str, b: str, at: int = 0) -> Statement:
    return says(Facts(edges=(different(a, b),)), ("not-same-as", a, b), at, source="mesh/m")


def joined(a: str, b: str, source: str = "openlineage/test") -> Statement:
    return says(Facts(edges=(same(a, b),)), ("same", a, b), source=source)


def classes(*statements: Statement) -> list[str]:
    """The names of each class; the same whatever comes first, and in one increment as in many."""
    found = []
    for ordered in (statements, statements[::-1]):
        fold, index = Fold(), LineageIndex.load([], 0)
        for statement in ordered:
            index.changes.apply(fold.add(statement))
        assert index.dump() == fold.index().dump()
        of_kind = index.assets.list_of_kind(AssetKind.DATASET)
        found.append(sorted("".join(key.name for key in index.assets.list_names(node, former=True)) for node in of_kind))
    assert found[0] == found[1]
    return found[0]


def test_different_names_are_apart_whatever_joins_them() -> None:
    for source in ("openlineage/test", "iceberg/cat", "naming/catalogs", "person/p"):
        assert classes(joined("a", "b", source), parted("b", "a")) == ["a", "b"]
    assert classes(joined("a", "b"), parted("a", "b"), says(None, ("not-same-as", "a", "b"), 1, source="mesh/m")) == ["ab"]


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
    assert classes(*(joined(*link) for link in links), parted("a", "b")) == expected


def test_several_partings_of_one_class() -> None:
    links = [joined("a", "x"), joined("b", "x"), joined("c", "x")]
    assert classes(*links, parted("a", "b"), parted("a", "c")) == ["ax", "b", "c"]
    assert classes(*links, parted("b", "c")) == ["abx", "c"]


def test_a_rename_is_not_parted() -> None:
    assert classes(schema("a", "x"), renamed("a", "b", 5), schema("b", "x", at=6), parted("a", "b")) == ["ab"]


def test_what_was_parted_and_joined_again_is_looked_at_again() -> None:
    """A statement about others changes what joins b, which that statement does not name."""
    fold, index = Fold(), LineageIndex.load([], 0)
    index.changes.apply(fold.add(schema("x", "x")))  # the first node stands for the class
    index.changes.apply(fold.add(schema("b", "x"), schema("c", "x"), joined("b", "c"), joined("b", "x"), joined("a", "x", "iceberg/cat")))
    index.changes.apply(fold.add(parted("a", "b")))
    assert index.ownership.list_owners(found(index, "b")) == []
    index.changes.apply(fold.add(says(None, ("same", "a", "x"), 1, source="iceberg/cat")))
    assert found(index, "x") == found(index, "b")
    owns = EdgeFact(EdgeType.OWNS, build_owner_key("o"), ds("c"))
    index.changes.apply(fold.add(says(Facts(edges=(owns,)), ("mesh", "c"), source="mesh/m")))
    assert len(index.ownership.list_owners(found(index, "b"))) == 1
    index.changes.apply(fold.add(joined("a", "x", "iceberg/cat")._replace(observed_at=2)))
    assert found(index, "x") != found(index, "b")
    assert [index.assets.get_key(one.owner).name for one in index.ownership.list_owners(found(index, "b"))] == ["o"]
    assert index.dump() == fold.index().dump()


def test_a_parting_makes_no_dataset() -> None:
    assert classes(schema("a", "x"), parted("a", "nowhere")) == ["a"]


# -- names and ids


def test_every_name_and_every_id_finds_the_class() -> None:
    index = index_of(schema("b", "y"), schema("c", "z"), merged("b", "c", type="TABLE"))
    assert short(index, found(index, "b")) == "c"
    for key in (ds("b"), ds("c"), col("b.y"), col("c.y"), col("b.z"), col("c.z")):
        assert index.assets.find(key.id) == index.assets.find_by_key(key) is not None
    assert short(index, found(index, "b.y")) == "c.y"
    assert index.assets.list_names(found(index, "b"), former=True) == [ds("b"), ds("c")]
    assert index.assets.find("ds_nonsense") is None
    assert index.assets.find("col_" + 32 * "0") is None


def shown(index: LineageIndex) -> str:
    return short(index, found(index, "p"))


def test_the_shown_name() -> None:
    """An output port's, else a catalog's, else a TABLE symlink's, else the physical one; ties by name."""
    physical = [schema("p", "x"), merged("p", "z"), merged("z", "o")]
    assert shown(index_of(*physical)) == "o"
    table = merged("p", "t", type="TABLE")
    assert shown(index_of(*physical, table)) == "t"
    catalog = says(lists("z", "x"), ("table", "z"), source="iceberg/c")
    assert shown(index_of(*physical, table, catalog)) == "z"
    port = says(
        Facts(edges=(EdgeFact(EdgeType.PORT, build_data_product_key("dp"), ds("p"), {"direction": "output"}),)), ("mesh", "product", "dp")
    )
    assert shown(index_of(*physical, table, catalog, port)) == "p"


# -- case


def test_columns_match_whatever_their_case() -> None:
    index = index_of(schema("a", "Email"), lineage(flow("a.email", "b.x"), flow("z.x", "a.EMAIL")))
    assert columns(index, "a") == ["a.Email"]
    assert reached(index, down(index, "z.x")) == {"a.Email": "DIRECT 1", "b.x": "DIRECT 2"}
    assert found(index, "a.eMAIL") == found(index, "a.Email")


def test_two_columns_that_differ_in_case_only_are_two() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(schema("a", "id", "ID", at=1), lineage(flow("a.id", "b.x"), flow("a.ID", "b.y"))))
    assert columns(index, "a") == ["a.id", "a.ID"]
    assert set(reached(index, down(index, "a.id"))) == {"b.x"}
    assert index.assets.find_by_key(col("a.Id")) is None
    index.changes.apply(fold.add(schema("a", "id", at=2)))
    assert columns(index, "a") == ["a.id"]
    assert set(reached(index, down(index, "a.id"))) == {"b.x", "b.y"}


def test_names_beyond_ascii_match_by_casefolding() -> None:
    index = index_of(schema("a", "STRASSE"), lineage(flow("a.straße", "b.x")))
    assert found(index, "a.straße") == found(index, "a.STRASSE")


def test_the_newest_schema_spells_a_column_unless_a_catalog_does() -> None:
    statements = [schema("a", "ID", at=1), schema("a", "Id", at=2, source="openlineage/other")]
    assert columns(index_of(*statements), "a") == ["a.Id"]
    assert columns(index_of(*statements, says(lists("a", "id"), ("table", "a"), 0, source="iceberg/c")), "a") == ["a.id"]


# -- columns of a dataset


@pytest.mark.parametrize("first", ["a", "b"])
def test_listings_of_one_time_are_ordered_whatever_came_first(first: str) -> None:
    listings = [schema("a", "x", "y", "z"), schema("b", "z", "y", "x")]
    fold = Fold()
    for statement in [*(listings if first == "a" else reversed(listings)), merged("a", "b")]:
        fold.add(statement)
    assert columns(fold.index(), "a") == ["a.x", "a.y", "a.z"]


def test_columns_come_by_position_then_name_and_catalogs_decide() -> None:
    index = index_of(schema("a", "b", "a"), lineage(flow("a.z", "b.x"), flow("a.y", "b.x")))
    assert columns(index, "a") == ["a.b", "a.a", "a.y", "a.z"]
    assert [index.assets.find_position(found(index, name)) for name in ("a.b", "a.a", "a.z")] == [1, 2, None]
    assert index.assets.is_inferred(found(index, "a.z"))
    catalog = index_of(schema("a", "b", "a"), says(lists("a", "b"), ("table", "a"), source="iceberg/c"))
    assert columns(catalog, "a") == ["a.b"]
    assert catalog.assets.is_unlisted(found(catalog, "a.a"))
    assert "a.a" not in [short(catalog, column) for column in catalog.assets.list_of_kind(AssetKind.COLUMN)]


def test_datasets_known_from_flows_only_are_inferred() -> None:
    index = index_of(lineage(flow("cte.x", "b.x")), schema("b", "x"))
    assert index.assets.is_inferred(found(index, "cte"))
    assert not index.assets.is_described(found(index, "cte"))
    assert [short(index, dataset) for dataset in index.assets.list_of_kind(AssetKind.DATASET)] == ["b"]
    assert [short(index, column) for column in index.assets.list_of_kind(AssetKind.COLUMN)] == ["b.x"]


# -- renames and drops


def test_a_rename_carries_what_was_said_before() -> None:
    index = index_of(lineage(flow("src.x", "old.x"), at=1), renamed("old", "new", 5), lineage(flow("new.x", "out.x"), scope="two", at=6))
    assert reached(index, down(index, "src.x")) == {"new.x": "DIRECT 1", "out.x": "DIRECT 2"}
    assert found(index, "old") == found(index, "new")


def test_what_takes_the_old_name_later_is_another() -> None:
    """Tables are swapped this way: orders -> orders_old, orders_new -> orders."""
    index = index_of(
        lineage(flow("was.x", "orders.x"), at=1),
        lineage(flow("is.x", "orders_new.x"), scope="two", at=2),
        renamed("orders", "orders_old", 5),
        renamed("orders_new", "orders", 6),
        lineage(flow("orders.x", "report.x"), scope="three", at=7),
    )
    assert reached(index, down(index, "was.x")) == {"orders_old.x": "DIRECT 1"}
    assert reached(index, down(index, "is.x")) == {"orders.x": "DIRECT 1", "report.x": "DIRECT 2"}


def test_a_drop_ends_what_was_said_and_later_facts_begin_anew() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(lineage(flow("a.x", "t.x"), at=1), lineage(flow("t.x", "b.x"), scope="two", at=2), schema("t", "x", at=1)))
    assert set(reached(index, down(index, "a.x"))) == {"t.x", "b.x"}
    index.changes.apply(fold.add(dropped("t", 3)))
    assert index.assets.find_by_key(ds("t")) is None
    assert index.assets.find_by_key(col("a.x")) is None, "its only fact was about the dropped one"
    index.changes.apply(fold.add(lineage(flow("t.x", "b.x"), scope="two", at=4)))
    assert reached(index, down(index, "t.x")) == {"b.x": "DIRECT 1"}
    index.changes.apply(fold.withdraw(dropped("t", 3)))
    assert set(reached(index, down(index, "a.x"))) == {"t.x", "b.x"}


def test_a_scope_that_is_gone_speaks_of_nothing() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    runs = Facts(edges=(EdgeFact(EdgeType.WRITES, build_job_key(NS, "j"), ds("b")),), flows=(flow("a.x", "b.y"),))
    index.changes.apply(fold.add(schema("a", "x"), schema("b", "y"), says(runs, ("test", "run"))))
    before = set(index.changes.list_scopes(found(index, "b")))
    index.changes.apply(fold.add(says(None, ("test", "run"), 1)))
    after = set(index.changes.list_scopes(found(index, "b")))
    assert after < before
    assert all(index.changes.get_scope(scope_id) for scope_id in after)
