"""Columns that were renamed or dropped: a name means the column that had it at the time."""

from __future__ import annotations

import pytest

from meshline.graph.index import LineageIndex
from meshline.graph.index.column_renames import ColumnNames, ColumnStep
from meshline.graph.model import AssetKind, EdgeFact, EdgeType, Facts, Statement, build_consumer_key, build_job_key, build_owner_key
from tests.index.graphs import describe_affected, describe_reached, format_name, get_node, list_columns, traverse_down, traverse_up
from tests.index.heads import (
    NS,
    Fold,
    build_flow,
    build_schema,
    build_statement,
    state_column_drop,
    state_column_rename,
    state_drop,
    state_lineage,
    state_merge,
    state_rename,
    state_schema,
    to_column,
    to_dataset,
)


def step_by_step(*statements: Statement) -> LineageIndex:
    """Each statement as an increment; equal to a load of all."""
    fold = Fold()
    index = LineageIndex.load([], 0)
    for statement in statements:
        index.changes.apply(fold.add(statement))
    assert index.dump() == fold.build_index().dump()
    return index


# -- renames


def test_a_rename_carries_lineage_stated_before() -> None:
    index = step_by_step(
        state_lineage(build_flow("src.s", "a.x"), at=1),
        state_column_rename("a", "x", "y", 5),
        state_lineage(build_flow("a.y", "out.o"), scope="two", at=6),
    )
    assert describe_reached(index, traverse_down(index, "src.s")) == {"a.y": "DIRECT 1", "out.o": "DIRECT 2"}
    assert get_node(index, "a.x") == get_node(index, "a.y"), "the old name finds what last had it"
    assert index.assets.find(to_column("a.x").id) == get_node(index, "a.y")
    assert list_columns(index, "a") == ["a.y"]
    assert index.changes.list_former_names(get_node(index, "a.y")) == [("x", 5)]


def test_a_fact_of_the_time_of_the_rename_is_about_what_has_the_name_then() -> None:
    index = step_by_step(state_column_rename("a", "x", "y", 5), state_lineage(build_flow("src.s", "a.x"), at=5))
    assert describe_reached(index, traverse_down(index, "src.s")) == {"a.x": "DIRECT 1"}
    assert get_node(index, "a.x") != get_node(index, "a.y")


def test_an_event_of_before_the_rename_that_comes_after_it() -> None:
    index = step_by_step(
        state_schema("a", "x", at=1), state_column_rename("a", "x", "y", 5), state_lineage(build_flow("src.s", "a.X"), at=4)
    )
    assert describe_reached(index, traverse_down(index, "src.s")) == {"a.y": "DIRECT 1"}


def test_a_source_that_still_uses_the_old_name_refers_to_an_unlisted_column() -> None:
    """A mesh file or contract of after the rename that was not brought up to date: it is not guessed what is meant."""
    consumes = Facts(edges=(EdgeFact(EdgeType.CONSUMES, build_consumer_key("team"), to_column("a.x")),))
    index = step_by_step(
        build_statement(build_schema("a", "y"), ("table", "a"), 5, source="iceberg/cat"),
        state_lineage(build_flow("src.s", "a.x"), at=1),
        state_column_rename("a", "x", "y", 5),
        build_statement(consumes, ("mesh", "team"), 9, source="mesh/m"),
    )
    assert describe_reached(index, traverse_down(index, "src.s")) == {"a.y": "DIRECT 1"}
    assert "consumer team" not in describe_affected(index, traverse_down(index, "src.s"))
    old = get_node(index, "a.x")
    assert old != get_node(index, "a.y")
    assert index.assets.is_unlisted(old)
    assert not index.assets.is_unlisted(get_node(index, "a.y"))
    assert list_columns(index, "a") == ["a.y"]


def test_owners_consumers_and_tags_of_before_go_with_the_column() -> None:
    people = Facts(
        edges=(
            EdgeFact(EdgeType.CONSUMES, build_consumer_key("team"), to_column("a.x")),
            EdgeFact(EdgeType.OWNS, build_owner_key("ann"), to_column("a.x"), {"type": "steward"}),
        )
    )
    index = step_by_step(
        state_schema("a", "x", at=1), build_statement(people, ("mesh", "m"), 2, source="mesh/m"), state_column_rename("a", "x", "y", 5)
    )
    column = get_node(index, "a.y")
    assert [index.assets.get_label(stated.owner).name for stated in index.ownership.list_direct_owners(column)] == ["ann"]
    assert [index.assets.get_label(edge.start).name for edge in index.ownership.list_edges(column, EdgeType.CONSUMES, incoming=True)] == [
        "team"
    ]
    assert index.assets.find_position(column) == 1
    fact_names = {name for names in index.changes.list_fact_names(column).values() for name in names}
    assert fact_names == {to_column("a.x")}, "the scopes that state its attributes, and under which name"


def test_chains_and_names_that_are_used_again() -> None:
    index = step_by_step(
        state_lineage(build_flow("one.s", "a.x"), at=1),
        state_column_rename("a", "x", "y", 3),
        state_column_rename("a", "y", "z", 5),
        state_lineage(build_flow("two.s", "a.x"), scope="two", at=4),
        state_column_drop("a", "x", 6),
        state_lineage(build_flow("three.s", "a.x"), scope="three", at=7),
    )
    assert describe_reached(index, traverse_down(index, "one.s")) == {"a.z": "DIRECT 1"}
    assert index.assets.find_by_key(to_column("two.s")) is None, "its only fact was about a column that is gone"
    assert describe_reached(index, traverse_down(index, "three.s")) == {"a.x": "DIRECT 1"}
    assert get_node(index, "a.y") == get_node(index, "a.z")
    assert index.changes.list_former_names(get_node(index, "a.z")) == [("x", 3), ("y", 5)]
    assert index.changes.list_former_names(get_node(index, "a.x")) == []


def test_columns_that_swap_their_names() -> None:
    index = step_by_step(
        state_schema("a", "x", "y", at=1),
        state_lineage(build_flow("one.s", "a.x"), build_flow("two.s", "a.y"), at=1),
        state_column_rename("a", "x", "y", 5),
        state_column_rename("a", "y", "x", 5),
    )
    assert describe_reached(index, traverse_down(index, "one.s")) == {"a.y": "DIRECT 1"}
    assert describe_reached(index, traverse_down(index, "two.s")) == {"a.x": "DIRECT 1"}
    assert list_columns(index, "a") == ["a.y", "a.x"], "in the places that they had as x and y"
    assert index.changes.list_fact_names(get_node(index, "a.y")) == {1: {to_column("a.x")}}


def test_a_change_of_case_is_no_new_column() -> None:
    index = step_by_step(
        state_schema("a", "Email", at=1),
        state_column_rename("a", "Email", "email", 3),
        state_schema("a", "email", at=4, source="iceberg/c"),
    )
    assert list_columns(index, "a") == ["a.email"]
    assert get_node(index, "a.EMAIL") == get_node(index, "a.email")


def test_names_match_whatever_their_case_but_those_that_one_listing_distinguishes() -> None:
    renaming = state_column_rename("a", "EMAIL", "mail", 3)
    index = step_by_step(state_lineage(build_flow("s.s", "a.email"), at=1), renaming)
    assert describe_reached(index, traverse_down(index, "s.s")) == {"a.mail": "DIRECT 1"}
    apart = step_by_step(
        state_lineage(build_flow("s.s", "a.email"), build_flow("t.t", "a.EMAIL"), at=1), renaming, state_schema("a", "email", "EMAIL", at=1)
    )
    assert describe_reached(apart, traverse_down(apart, "s.s")) == {"a.email": "DIRECT 1"}
    assert describe_reached(apart, traverse_down(apart, "t.t")) == {"a.mail": "DIRECT 1"}


def test_columns_that_differ_in_case_stay_distinct_when_one_is_gone() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    listing = state_schema("a", "x", "X", at=1)
    index.changes.apply(fold.add(listing, state_lineage(build_flow("s.s", "a.x"), build_flow("t.t", "a.X"), at=1)))
    index.changes.apply(fold.add(state_column_drop("a", "X", 3)))
    index.changes.apply(fold.add(state_merge("a", "b")))
    assert describe_reached(index, traverse_down(index, "s.s")) == {"a.x": "DIRECT 1"}
    assert index.assets.find_by_key(to_column("t.t")) is None
    index.changes.apply(fold.withdraw(listing))
    assert index.dump() == fold.build_index().dump()
    assert index.assets.find_by_key(to_column("s.s")) is None, "no source states any more that these are two columns"


def test_a_listing_of_columns_that_are_all_gone_distinguishes_case_until_it_is_withdrawn() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    listing = state_schema("a", "x", "X", at=1)
    later = state_lineage(build_flow("s.s", "a.x"), build_flow("t.t", "a.X"), at=5)
    index.changes.apply(fold.add(listing, state_column_drop("a", "x", 3), state_column_drop("a", "X", 3), later))
    assert get_node(index, "a.x") != get_node(index, "a.X")
    index.changes.apply(fold.withdraw(listing))
    assert index.dump() == fold.build_index().dump()
    assert get_node(index, "a.x") == get_node(index, "a.X")


# -- drops


def test_a_drop_ends_the_column_but_not_its_dataset() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    into, out = (
        state_lineage(build_flow("a.x", "t.x"), build_flow("b.x", "t.y"), at=1),
        state_lineage(build_flow("t.x", "o.o"), scope="two", at=2),
    )
    index.changes.apply(fold.add(state_schema("t", "x", "y", at=1), into, out))
    before = index.dump()
    index.changes.apply(fold.add(state_column_drop("t", "x", 3)))
    assert index.assets.find_by_key(to_column("t.x")) is None
    assert {index.changes.get_scope(scope).scope for scope in index.changes.list_scopes(get_node(index, "t"))} == {
        into.scope,
        state_schema("t").scope,
    }
    assert index.assets.find(to_column("t.x").id) is None
    assert list_columns(index, "t") == ["t.y"]
    assert [format_name(index, column) for column in index.assets.list_of_kind(AssetKind.COLUMN)] == ["t.y"]
    assert index.assets.find_by_key(to_column("o.o")) is None, "its only fact was about the dropped one"
    assert describe_reached(index, traverse_down(index, "t")) == {}
    assert describe_reached(index, traverse_up(index, "t")) == {"b.x": "DIRECT 1"}
    index.changes.apply(fold.add(state_lineage(build_flow("t.x", "o.o"), scope="two", at=4)))
    assert describe_reached(index, traverse_down(index, "t.x")) == {"o.o": "DIRECT 1"}
    index.changes.apply(fold.withdraw(state_column_drop("t", "x", 3)))
    index.changes.apply(fold.withdraw(fold.statements[-1]))
    assert index.dump() == before


def test_a_commit_that_drops_a_column_and_gives_its_name_to_another() -> None:
    """The catalog's listing has the time of that commit, and is about what the names mean after it."""
    index = step_by_step(
        state_lineage(build_flow("was.s", "a.y"), build_flow("is.s", "a.x"), at=1),
        state_column_drop("a", "y", 5),
        state_column_rename("a", "x", "y", 5),
        build_statement(build_schema("a", "y"), ("table", "a"), 5, source="iceberg/cat"),
    )
    assert describe_reached(index, traverse_down(index, "is.s")) == {"a.y": "DIRECT 1"}
    assert list_columns(index, "a") == ["a.y"]
    assert index.assets.find_by_key(to_column("was.s")) is None


def test_outputs_of_a_job_have_no_removed_columns() -> None:
    writes = build_statement(Facts(edges=(EdgeFact(EdgeType.WRITES, build_job_key(NS, "j"), to_dataset("t")),)), ("test", "run"), 1)
    index = step_by_step(writes, state_schema("t", "x", "y", at=1), state_column_drop("t", "x", 3), state_column_rename("t", "y", "z", 3))
    assert describe_affected(index, traverse_down(index, build_job_key(NS, "j"))) == {"t": "DIRECT 0", "t.z": "DIRECT 0"}


# -- the dataset's other names


def test_a_step_of_one_name_is_one_of_all_names_of_the_dataset() -> None:
    """Spark names the path, the catalog states the rename."""
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(state_lineage(build_flow("src.s", "path.X"), at=1), state_column_rename("table", "x", "y", 5)))
    assert describe_reached(index, traverse_down(index, "src.s")) == {"path.X": "DIRECT 1"}
    index.changes.apply(fold.add(state_merge("table", "path", at=9)))
    assert describe_reached(index, traverse_down(index, "src.s")) == {"path.y": "DIRECT 1"}
    assert get_node(index, "path.x") == get_node(index, "table.y")
    index.changes.apply(fold.add(state_column_rename("path", "x", "y", 5)))
    assert index.changes.list_former_names(get_node(index, "path.y")) == [("x", 5)], "stated under each name"
    index.changes.apply(fold.withdraw(state_column_rename("path", "x", "y", 5)))
    index.changes.apply(fold.add(build_statement(None, ("person", "table", "path"), 10, source="person/p")))
    assert describe_reached(index, traverse_down(index, "src.s")) == {"path.X": "DIRECT 1"}


@pytest.mark.parametrize("at", [3, 7])
def test_column_steps_before_and_after_a_rename_of_the_dataset(at: int) -> None:
    name = "a" if at < 5 else "b"
    index = step_by_step(
        state_lineage(build_flow("src.s", "a.x"), at=1), state_rename("a", "b", 5), state_column_rename(name, "x", "y", at)
    )
    assert describe_reached(index, traverse_down(index, "src.s")) == {"b.y": "DIRECT 1"}
    assert get_node(index, "a.x") == get_node(index, "b.y")


def test_a_column_step_belongs_to_the_table_that_had_the_name_then() -> None:
    """Tables swapped at 5: the step of 3 is the old one's, that of 7 the new one's."""
    index = step_by_step(
        state_lineage(build_flow("was.s", "t.x"), build_flow("is.s", "t_new.x"), at=1),
        state_rename("t", "t_old", 5),
        state_rename("t_new", "t", 5),
        state_column_rename("t", "x", "first", 3),
        state_column_rename("t", "x", "second", 7),
    )
    assert describe_reached(index, traverse_down(index, "was.s")) == {"t_old.first": "DIRECT 1"}
    assert describe_reached(index, traverse_down(index, "is.s")) == {"t.second": "DIRECT 1"}


def test_a_dropped_table_takes_its_column_steps_along() -> None:
    index = step_by_step(
        state_lineage(build_flow("was.s", "t.x"), at=1),
        state_column_rename("t", "x", "y", 2),
        state_drop("t", 5),
        state_lineage(build_flow("is.s", "t.x"), scope="two", at=6),
    )
    assert index.assets.find_by_key(to_column("was.s")) is None
    assert describe_reached(index, traverse_down(index, "is.s")) == {"t.x": "DIRECT 1"}


def test_a_table_that_was_not_dropped_after_all_has_its_column_steps() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(
        fold.add(state_lineage(build_flow("src.s", "t.x"), at=1), state_column_rename("t", "x", "y", 2), state_drop("t", 5))
    )
    index.changes.apply(fold.withdraw(state_drop("t", 5)))
    assert describe_reached(index, traverse_down(index, "src.s")) == {"t.y": "DIRECT 1"}


# -- order, retraction, time


def test_renames_that_come_late_and_go_again() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(
        fold.add(
            state_schema("a", "x", at=1),
            state_lineage(build_flow("src.s", "a.x"), at=1),
            state_lineage(build_flow("a.x", "o.o"), scope="two", at=4),
        )
    )
    index.changes.apply(fold.add(state_lineage(build_flow("a.w", "o.w"), scope="three", at=4)))
    before = index.dump()
    index.changes.apply(fold.add(state_column_rename("a", "x", "z", 6)))
    assert describe_reached(index, traverse_down(index, "src.s")) == {"a.z": "DIRECT 1", "o.o": "DIRECT 2"}
    index.changes.apply(fold.add(state_column_rename("a", "x", "y", 3)))
    assert describe_reached(index, traverse_down(index, "src.s")) == {"a.y": "DIRECT 1"}
    assert describe_reached(index, traverse_up(index, "o.o")) == {"a.z": "DIRECT 1"}
    index.changes.apply(fold.withdraw(state_column_rename("a", "x", "y", 3), state_column_rename("a", "x", "z", 6)))
    assert index.dump() == before
    index.changes.apply(
        fold.add(state_lineage(build_flow("a.w", "p.w"), build_flow("a.x", "p.p"), build_flow("a", "q"), scope="four", at=9))
    )
    assert index.dump() == fold.build_index().dump(), "names of intervals that no longer exist are not found when contents are read"
    assert describe_reached(index, traverse_down(index, "src.s")) == {
        "a.x": "DIRECT 1",
        "o.o": "DIRECT 2",
        "p.p": "DIRECT 2",
        "q": "POSSIBLE 2",
    }


def test_as_of_a_time_before_the_rename_the_column_has_its_old_name() -> None:
    fold = Fold()
    fold.add(state_lineage(build_flow("src.s", "a.x"), at=1), state_column_rename("a", "x", "y", 5))
    then, now = fold.build_index(as_of=4), fold.build_index(as_of=5)
    assert describe_reached(then, traverse_down(then, "src.s")) == {"a.x": "DIRECT 1"}
    assert describe_reached(now, traverse_down(now, "src.s")) == {"a.y": "DIRECT 1"}


def test_of_two_renames_at_one_time_one_counts_whatever_came_first() -> None:
    both = [state_column_rename("a", "x", "z", 5, source="iceberg/one"), state_column_rename("a", "x", "y", 5, source="iceberg/other")]
    for order in (both, both[::-1]):
        index = step_by_step(state_lineage(build_flow("src.s", "a.x"), at=1), *order)
        assert describe_reached(index, traverse_down(index, "src.s")) == {"a.y": "DIRECT 1"}


def test_datasets_whose_columns_never_moved_have_no_names_to_look_up() -> None:
    index = step_by_step(state_schema("a", "x", at=1), state_schema("b", "x", at=1), state_column_rename("a", "x", "y", 5))
    assert index.changes.list_former_names(get_node(index, "b.x")) == []


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
