"""Columns that were renamed or dropped: a name means the column that had it at the time."""

from __future__ import annotations

import pytest

from meshline.graph.index import LineageIndex
from meshline.graph.index.column_renames import ColumnNames, ColumnStep
from meshline.graph.model import AssetKind, EdgeFact, EdgeType, Facts, Statement, build_consumer_key, build_job_key, build_owner_key
from tests.index.graphs import affected, columns, down, found, reached, short, up
from tests.index.heads import (
    NS,
    Fold,
    col,
    column_dropped,
    column_renamed,
    dropped,
    ds,
    flow,
    lineage,
    lists,
    merged,
    renamed,
    says,
    schema,
)


def step_by_step(*statements: Statement) -> LineageIndex:
    """Each statement as an increment; equal to a load of all."""
    fold = Fold()
    index = LineageIndex.load([], 0)
    for statement in statements:
        index.changes.apply(fold.add(statement))
    assert index.dump() == fold.index().dump()
    return index


# -- renames


def test_a_rename_carries_lineage_said_before() -> None:
    index = step_by_step(
        lineage(flow("src.s", "a.x"), at=1),
        column_renamed("a", "x", "y", 5),
        lineage(flow("a.y", "out.o"), scope="two", at=6),
    )
    assert reached(index, down(index, "src.s")) == {"a.y": "DIRECT 1", "out.o": "DIRECT 2"}
    assert found(index, "a.x") == found(index, "a.y"), "the old name finds what last had it"
    assert index.assets.find(col("a.x").id) == found(index, "a.y")
    assert columns(index, "a") == ["a.y"]
    assert index.changes.list_former_names(found(index, "a.y")) == [("x", 5)]


def test_a_fact_of_the_time_of_the_rename_is_about_what_has_the_name_then() -> None:
    index = step_by_step(column_renamed("a", "x", "y", 5), lineage(flow("src.s", "a.x"), at=5))
    assert reached(index, down(index, "src.s")) == {"a.x": "DIRECT 1"}
    assert found(index, "a.x") != found(index, "a.y")


def test_an_event_of_before_the_rename_that_comes_after_it() -> None:
    index = step_by_step(schema("a", "x", at=1), column_renamed("a", "x", "y", 5), lineage(flow("src.s", "a.X"), at=4))
    assert reached(index, down(index, "src.s")) == {"a.y": "DIRECT 1"}


def test_who_still_says_the_old_name_speaks_of_an_unlisted_column() -> None:
    """A mesh file or contract of after the rename that was not brought up to date: it is not guessed what is meant."""
    consumes = Facts(edges=(EdgeFact(EdgeType.CONSUMES, build_consumer_key("team"), col("a.x")),))
    index = step_by_step(
        says(lists("a", "y"), ("table", "a"), 5, source="iceberg/cat"),
        lineage(flow("src.s", "a.x"), at=1),
        column_renamed("a", "x", "y", 5),
        says(consumes, ("mesh", "team"), 9, source="mesh/m"),
    )
    assert reached(index, down(index, "src.s")) == {"a.y": "DIRECT 1"}
    assert "consumer team" not in affected(index, down(index, "src.s"))
    old = found(index, "a.x")
    assert old != found(index, "a.y")
    assert index.assets.is_unlisted(old)
    assert not index.assets.is_unlisted(found(index, "a.y"))
    assert columns(index, "a") == ["a.y"]


def test_owners_consumers_and_tags_of_before_go_with_the_column() -> None:
    people = Facts(
        edges=(
            EdgeFact(EdgeType.CONSUMES, build_consumer_key("team"), col("a.x")),
            EdgeFact(EdgeType.OWNS, build_owner_key("ann"), col("a.x"), {"type": "steward"}),
        )
    )
    index = step_by_step(schema("a", "x", at=1), says(people, ("mesh", "m"), 2, source="mesh/m"), column_renamed("a", "x", "y", 5))
    column = found(index, "a.y")
    assert [index.assets.get_label(said.owner).name for said in index.ownership.list_direct_owners(column)] == ["ann"]
    assert [index.assets.get_label(edge.start).name for edge in index.ownership.list_edges(column, EdgeType.CONSUMES, incoming=True)] == [
        "team"
    ]
    assert index.assets.find_position(column) == 1
    told = {name for names in index.changes.list_fact_names(column).values() for name in names}
    assert told == {col("a.x")}, "where its attributes are said, and under which name"


def test_chains_and_names_that_are_used_again() -> None:
    index = step_by_step(
        lineage(flow("one.s", "a.x"), at=1),
        column_renamed("a", "x", "y", 3),
        column_renamed("a", "y", "z", 5),
        lineage(flow("two.s", "a.x"), scope="two", at=4),
        column_dropped("a", "x", 6),
        lineage(flow("three.s", "a.x"), scope="three", at=7),
    )
    assert reached(index, down(index, "one.s")) == {"a.z": "DIRECT 1"}
    assert index.assets.find_by_key(col("two.s")) is None, "its only fact was about a column that is gone"
    assert reached(index, down(index, "three.s")) == {"a.x": "DIRECT 1"}
    assert found(index, "a.y") == found(index, "a.z")
    assert index.changes.list_former_names(found(index, "a.z")) == [("x", 3), ("y", 5)]
    assert index.changes.list_former_names(found(index, "a.x")) == []


def test_columns_that_swap_their_names() -> None:
    index = step_by_step(
        schema("a", "x", "y", at=1),
        lineage(flow("one.s", "a.x"), flow("two.s", "a.y"), at=1),
        column_renamed("a", "x", "y", 5),
        column_renamed("a", "y", "x", 5),
    )
    assert reached(index, down(index, "one.s")) == {"a.y": "DIRECT 1"}
    assert reached(index, down(index, "two.s")) == {"a.x": "DIRECT 1"}
    assert columns(index, "a") == ["a.y", "a.x"], "in the places that they had as x and y"
    assert index.changes.list_fact_names(found(index, "a.y")) == {1: {col("a.x")}}


def test_a_change_of_case_is_no_new_column() -> None:
    index = step_by_step(
        schema("a", "Email", at=1), column_renamed("a", "Email", "email", 3), schema("a", "email", at=4, source="iceberg/c")
    )
    assert columns(index, "a") == ["a.email"]
    assert found(index, "a.EMAIL") == found(index, "a.email")


def test_names_match_whatever_their_case_but_those_that_one_listing_tells_apart() -> None:
    renaming = column_renamed("a", "EMAIL", "mail", 3)
    index = step_by_step(lineage(flow("s.s", "a.email"), at=1), renaming)
    assert reached(index, down(index, "s.s")) == {"a.mail": "DIRECT 1"}
    apart = step_by_step(lineage(flow("s.s", "a.email"), flow("t.t", "a.EMAIL"), at=1), renaming, schema("a", "email", "EMAIL", at=1))
    assert reached(apart, down(apart, "s.s")) == {"a.email": "DIRECT 1"}
    assert reached(apart, down(apart, "t.t")) == {"a.mail": "DIRECT 1"}


def test_what_is_told_apart_by_case_stays_so_when_one_is_gone() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    listing = schema("a", "x", "X", at=1)
    index.changes.apply(fold.add(listing, lineage(flow("s.s", "a.x"), flow("t.t", "a.X"), at=1)))
    index.changes.apply(fold.add(column_dropped("a", "X", 3)))
    index.changes.apply(fold.add(merged("a", "b")))
    assert reached(index, down(index, "s.s")) == {"a.x": "DIRECT 1"}
    assert index.assets.find_by_key(col("t.t")) is None
    index.changes.apply(fold.withdraw(listing))
    assert index.dump() == fold.index().dump()
    assert index.assets.find_by_key(col("s.s")) is None, "nobody says any more that these are two columns"


def test_a_listing_of_columns_that_are_all_gone_tells_apart_by_case_until_it_is_taken_back() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    listing = schema("a", "x", "X", at=1)
    later = lineage(flow("s.s", "a.x"), flow("t.t", "a.X"), at=5)
    index.changes.apply(fold.add(listing, column_dropped("a", "x", 3), column_dropped("a", "X", 3), later))
    assert found(index, "a.x") != found(index, "a.X")
    index.changes.apply(fold.withdraw(listing))
    assert index.dump() == fold.index().dump()
    assert found(index, "a.x") == found(index, "a.X")


# -- drops


def test_a_drop_ends_the_column_but_not_its_dataset() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    into, out = lineage(flow("a.x", "t.x"), flow("b.x", "t.y"), at=1), lineage(flow("t.x", "o.o"), scope="two", at=2)
    index.changes.apply(fold.add(schema("t", "x", "y", at=1), into, out))
    before = index.dump()
    index.changes.apply(fold.add(column_dropped("t", "x", 3)))
    assert index.assets.find_by_key(col("t.x")) is None
    assert {index.changes.get_scope(scope).scope for scope in index.changes.list_scopes(found(index, "t"))} == {
        into.scope,
        schema("t").scope,
    }
    assert index.assets.find(col("t.x").id) is None
    assert columns(index, "t") == ["t.y"]
    assert [short(index, column) for column in index.assets.list_of_kind(AssetKind.COLUMN)] == ["t.y"]
    assert index.assets.find_by_key(col("o.o")) is None, "its only fact was about the dropped one"
    assert reached(index, down(index, "t")) == {}
    assert reached(index, up(index, "t")) == {"b.x": "DIRECT 1"}
    index.changes.apply(fold.add(lineage(flow("t.x", "o.o"), scope="two", at=4)))
    assert reached(index, down(index, "t.x")) == {"o.o": "DIRECT 1"}
    index.changes.apply(fold.withdraw(column_dropped("t", "x", 3)))
    index.changes.apply(fold.withdraw(fold.statements[-1]))
    assert index.dump() == before


def test_a_commit_that_drops_a_column_and_gives_its_name_to_another() -> None:
    """The catalog's listing has the time of that commit, and is about what the names mean after it."""
    index = step_by_step(
        lineage(flow("was.s", "a.y"), flow("is.s", "a.x"), at=1),
        column_dropped("a", "y", 5),
        column_renamed("a", "x", "y", 5),
        says(lists("a", "y"), ("table", "a"), 5, source="iceberg/cat"),
    )
    assert reached(index, down(index, "is.s")) == {"a.y": "DIRECT 1"}
    assert columns(index, "a") == ["a.y"]
    assert index.assets.find_by_key(col("was.s")) is None


def test_what_a_job_writes_has_no_columns_that_are_gone() -> None:
    writes = says(Facts(edges=(EdgeFact(EdgeType.WRITES, build_job_key(NS, "j"), ds("t")),)), ("test", "run"), 1)
    index = step_by_step(writes, schema("t", "x", "y", at=1), column_dropped("t", "x", 3), column_renamed("t", "y", "z", 3))
    assert affected(index, down(index, build_job_key(NS, "j"))) == {"t": "DIRECT 0", "t.z": "DIRECT 0"}


# -- the dataset's other names


def test_a_step_of_one_name_is_one_of_all_names_of_the_dataset() -> None:
    """Spark names the path, the catalog says the rename."""
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(lineage(flow("src.s", "path.X"), at=1), column_renamed("table", "x", "y", 5)))
    assert reached(index, down(index, "src.s")) == {"path.X": "DIRECT 1"}
    index.changes.apply(fold.add(merged("table", "path", at=9)))
    assert reached(index, down(index, "src.s")) == {"path.y": "DIRECT 1"}
    assert found(index, "path.x") == found(index, "table.y")
    index.changes.apply(fold.add(column_renamed("path", "x", "y", 5)))
    assert index.changes.list_former_names(found(index, "path.y")) == [("x", 5)], "said under each name"
    index.changes.apply(fold.withdraw(column_renamed("path", "x", "y", 5)))
    index.changes.apply(fold.add(says(None, ("person", "table", "path"), 10, source="person/p")))
    assert reached(index, down(index, "src.s")) == {"path.X": "DIRECT 1"}


@pytest.mark.parametrize("at", [3, 7])
def test_column_steps_before_and_after_a_rename_of_the_dataset(at: int) -> None:
    name = "a" if at < 5 else "b"
    index = step_by_step(lineage(flow("src.s", "a.x"), at=1), renamed("a", "b", 5), column_renamed(name, "x", "y", at))
    assert reached(index, down(index, "src.s")) == {"b.y": "DIRECT 1"}
    assert found(index, "a.x") == found(index, "b.y")


def test_a_column_step_belongs_to_the_table_that_had_the_name_then() -> None:
    """Tables swapped at 5: the step of 3 is the old one's, that of 7 the new one's."""
    index = step_by_step(
        lineage(flow("was.s", "t.x"), flow("is.s", "t_new.x"), at=1),
        renamed("t", "t_old", 5),
        renamed("t_new", "t", 5),
        column_renamed("t", "x", "first", 3),
        column_renamed("t", "x", "second", 7),
    )
    assert reached(index, down(index, "was.s")) == {"t_old.first": "DIRECT 1"}
    assert reached(index, down(index, "is.s")) == {"t.second": "DIRECT 1"}


def test_a_dropped_table_takes_its_column_steps_along() -> None:
    index = step_by_step(
        lineage(flow("was.s", "t.x"), at=1),
        column_renamed("t", "x", "y", 2),
        dropped("t", 5),
        lineage(flow("is.s", "t.x"), scope="two", at=6),
    )
    assert index.assets.find_by_key(col("was.s")) is None
    assert reached(index, down(index, "is.s")) == {"t.x": "DIRECT 1"}


def test_a_table_that_was_not_dropped_after_all_has_its_column_steps() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(lineage(flow("src.s", "t.x"), at=1), column_renamed("t", "x", "y", 2), dropped("t", 5)))
    index.changes.apply(fold.withdraw(dropped("t", 5)))
    assert reached(index, down(index, "src.s")) == {"t.y": "DIRECT 1"}


# -- order, retraction, time


def test_renames_that_come_late_and_go_again() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(
        fold.add(schema("a", "x", at=1), lineage(flow("src.s", "a.x"), at=1), lineage(flow("a.x", "o.o"), scope="two", at=4))
    )
    index.changes.apply(fold.add(lineage(flow("a.w", "o.w"), scope="three", at=4)))
    before = index.dump()
    index.changes.apply(fold.add(column_renamed("a", "x", "z", 6)))
    assert reached(index, down(index, "src.s")) == {"a.z": "DIRECT 1", "o.o": "DIRECT 2"}
    index.changes.apply(fold.add(column_renamed("a", "x", "y", 3)))
    assert reached(index, down(index, "src.s")) == {"a.y": "DIRECT 1"}
    assert reached(index, up(index, "o.o")) == {"a.z": "DIRECT 1"}
    index.changes.apply(fold.withdraw(column_renamed("a", "x", "y", 3), column_renamed("a", "x", "z", 6)))
    assert index.dump() == before
    index.changes.apply(fold.add(lineage(flow("a.w", "p.w"), flow("a.x", "p.p"), flow("a", "q"), scope="four", at=9)))
    assert index.dump() == fold.index().dump(), "names of stretches that are no more are not found when contents are read"
    assert reached(index, down(index, "src.s")) == {"a.x": "DIRECT 1", "o.o": "DIRECT 2", "p.p": "DIRECT 2", "q": "POSSIBLE 2"}


def test_as_of_a_time_before_the_rename_the_column_has_its_old_name() -> None:
    fold = Fold()
    fold.add(lineage(flow("src.s", "a.x"), at=1), column_renamed("a", "x", "y", 5))
    then, now = fold.index(as_of=4), fold.index(as_of=5)
    assert reached(then, down(then, "src.s")) == {"a.x": "DIRECT 1"}
    assert reached(now, down(now, "src.s")) == {"a.y": "DIRECT 1"}


def test_of_two_renames_at_one_time_one_counts_whatever_came_first() -> None:
    both = [column_renamed("a", "x", "z", 5, source="iceberg/one"), column_renamed("a", "x", "y", 5, source="iceberg/other")]
    for order in (both, both[::-1]):
        index = step_by_step(lineage(flow("src.s", "a.x"), at=1), *order)
        assert reached(index, down(index, "src.s")) == {"a.y": "DIRECT 1"}


def test_datasets_whose_columns_never_moved_have_no_names_to_look_up() -> None:
    index = step_by_step(schema("a", "x", at=1), schema("b", "x", at=1), column_renamed("a", "x", "y", 5))
    assert index.changes.list_former_names(found(index, "b.x")) == []


# -- names alone


def test_names_of_a_time() -> None:
    names = ColumnNames.from_steps(
        [ColumnStep(3, "x", "y"), ColumnStep(5, "Y", "z"), ColumnStep(3, "y", "x"), ColumnStep(7, "z", None)], ()
    )
    assert [names.find_latest_name(name) for name in ("x", "y", "z", "other")] == [None, None, None, None]
    first = names.find_end("X", 2)
    assert first == ColumnStep(3, "x", "y")
    assert names.find_end("x", 3) is None
    assert names.find_current_name(ColumnStep(3, "y", "x")) == "x"
    assert names.list_former_names("x") == [("y", 3)]
