"""What joins or leaves a large class is moved: the result is that of a rebuild, and the other members are not looked at."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import LineageIndex, large_classes
from meshline.graph.index.identity import Identity
from meshline.graph.model import Facts, Statement
from tests.index.graphs import get_node, list_columns
from tests.index.heads import Fold, build_different_from, build_same_as, build_statement, state_merge, state_rename, state_schema, to_column
from tests.index.strategies import column_renames, datasets, draw_lists, drops, lineages, merges, partings, renames, times
from tests.index.test_laws import collect_answers, collect_names
from tests.sizes import count_examples

MANY = 200
described = st.builds(
    lambda of, names, at: state_schema(of, *names, at=at),
    datasets,
    st.lists(st.sampled_from(("x", "Y", "straße")), unique=True, min_size=1),
    times,
)
joining = st.one_of(merges, merges, renames, renames, drops, described, described, lineages, column_renames)


def check_rebuilt(index: LineageIndex, fold: Fold) -> None:
    rebuilt = fold.build_index()
    assert index.dump() == rebuilt.dump()
    assert collect_answers(index) == collect_answers(rebuilt)
    assert collect_names(index) == collect_names(rebuilt)
    keys = [to_column(f"{of}.{name}") for of in "abcde" for name in ("x", "Y", "straße")]
    shown = [{key: one.assets.get_key(node) for key in keys if (node := one.assets.find(key.id)) is not None} for one in (index, rebuilt)]
    assert shown[1].items() <= shown[0].items()  # an id of which the name was in use in another case finds the column, too


@pytest.mark.parametrize("others", [joining, st.one_of(joining, joining, partings)], ids=["joined", "parted"])
@given(data=st.data(), random=st.randoms(use_true_random=False))
@settings(max_examples=count_examples(100), deadline=None)
def test_what_is_moved_is_as_rebuilt(others: st.SearchStrategy[Statement], data: st.DataObject, random: Random) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_classes, "LARGE", 1)
        fold, index = Fold(), LineageIndex.load([], 0)
        for batch in data.draw(st.lists(draw_lists(others, 3), min_size=1, max_size=8)):
            index.changes.apply(fold.add(*batch))
            if random.random() < 0.4:
                index.changes.apply(fold.withdraw(random.choice(fold.statements)))
            check_rebuilt(index, fold)


def build_chain(names: int) -> tuple[Fold, LineageIndex]:
    """A table that had so many names, and columns under each."""
    fold, index = Fold(), LineageIndex.load([], 0)
    statements = [(state_schema(f"t{at}", "x", "y", at=2 * at), state_rename(f"t{at}", f"t{at + 1}", 2 * at + 1)) for at in range(names)]
    index.changes.apply(fold.add(*(statement for both in statements for statement in both)))
    return fold, index


def forbid_whole(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Let no class of more members be computed as a whole."""
    group, recompute = Identity._group_columns, Identity._recompute_classes

    def check_group(identity: Identity, members: list[int]) -> None:
        assert len(members) <= most
        group(identity, members)

    def check_recomputed(identity: Identity) -> set[int]:
        found = recompute(identity)
        assert len(found) <= most
        return found

    monkeypatch.setattr(Identity, "_group_columns", check_group)
    monkeypatch.setattr(Identity, "_recompute_classes", check_recomputed)


def test_a_rename_looks_at_no_past_names(monkeypatch: pytest.MonkeyPatch) -> None:
    fold, index = build_chain(MANY)
    forbid_whole(monkeypatch, 10)
    for at in range(MANY, MANY + 3):
        index.changes.apply(fold.add(state_schema(f"t{at}", "x", "z", at=2 * at)))
        index.changes.apply(fold.add(state_rename(f"t{at}", f"t{at + 1}", 2 * at + 1)))
    assert list_columns(index, f"t{MANY + 3}") == [f"t{MANY + 3}.{name}" for name in "xyz"]
    index.changes.apply(fold.withdraw(state_rename(f"t{MANY + 2}", f"t{MANY + 3}", 2 * (MANY + 2) + 1)))
    assert len(index.assets.list_names(get_node(index, f"t{MANY + 2}"), former=True)) == MANY + 3
    monkeypatch.undo()
    assert index.dump() == fold.build_index().dump()


def test_an_exchange_looks_at_no_past_names(monkeypatch: pytest.MonkeyPatch) -> None:
    fold, index = Fold(), LineageIndex.load([], 0)
    statements = [state_schema("a", "x"), state_schema("b", "x")]
    exchanges = [
        [state_rename("a", "between", 3 * at), state_rename("b", "a", 3 * at + 1), state_rename("between", "b", 3 * at + 2)]
        for at in range(1, MANY + 3)
    ]
    index.changes.apply(fold.add(*statements, *(rename for exchange in exchanges[:MANY] for rename in exchange)))
    index.changes.apply(fold.add(*exchanges[MANY]))
    forbid_whole(monkeypatch, 10)
    for rename in exchanges[MANY + 1]:
        index.changes.apply(fold.add(rename))
    monkeypatch.undo()
    assert index.dump() == fold.build_index().dump()


@pytest.mark.parametrize("at", [0, 1, MANY // 2, MANY - 2, MANY - 1])
def test_a_class_parts_wherever_what_joins_it_is_withdrawn(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fold, index = Fold(), LineageIndex.load([], 0)
    links = [state_merge(f"t{n:03}", f"t{n + 1:03}") for n in range(MANY)]
    index.changes.apply(fold.add(*links, *(state_schema(f"t{n:03}", "x", "Y" if n % 2 else "y") for n in range(MANY + 1))))
    before = index.dump()
    if at != MANY // 2:
        forbid_whole(monkeypatch, large_classes.LARGE)
    index.changes.apply(fold.withdraw(links[at]))
    names = [len(index.assets.list_names(get_node(index, name))) for name in ("t000", f"t{MANY:03}")]
    assert names == [at + 1, MANY - at]
    monkeypatch.undo()
    assert index.dump() == fold.build_index().dump()
    index.changes.apply(fold.add(links[at]))
    assert index.dump() == before


def build_chains(names: int) -> tuple[Fold, LineageIndex]:
    """Three tables `a`, `b` and `c` that had so many names."""
    fold, index = Fold(), LineageIndex.load([], 0)
    for of in "abc":
        index.changes.apply(fold.add(*(state_rename(f"{of}{at}", f"{of}{at + 1}", at) for at in range(names))))
        index.changes.apply(fold.add(state_rename(f"{of}{names}", of, names)))
        index.changes.apply(fold.add(*(state_schema(f"{of}{at}", "x", f"only_{of}", at=at) for at in range(names))))
    return fold, index


def draw_changes(data: st.DataObject, at: int) -> list[Statement]:
    """An exchange of two of three tables, or what joins two, or a listing."""
    one, other = data.draw(st.permutations("abc"))[:2]
    exchange = [state_rename(one, "between", at), state_rename(other, one, at + 1), state_rename("between", other, at + 2)]
    joined = build_statement(Facts(edges=(build_same_as(one, other),)), ("person", one, other, str(at)), at, source="person/p")
    return data.draw(st.sampled_from((exchange, exchange, [joined], [state_schema(one, "x", "new", at=at)])))


@given(data=st.data())
@settings(max_examples=count_examples(20), deadline=None)
def test_large_classes_are_exchanged_and_joined_without_a_look_at_their_members(data: st.DataObject) -> None:
    names = large_classes.LARGE + 6
    fold, index = build_chains(names)
    with pytest.MonkeyPatch.context() as patch:
        forbid_whole(patch, large_classes.LARGE)
        for at in range(names + 1, names + 1 + 5 * data.draw(st.integers(1, 6)), 5):
            changes = draw_changes(data, at)
            for batch in [changes] if data.draw(st.booleans()) else [[statement] for statement in changes]:
                index.changes.apply(fold.add(*batch))
        if fold.statements[-1].scope[0] != "person":  # that would part a class in two large ones
            index.changes.apply(fold.withdraw(fold.statements[-1]))
    assert index.dump() == fold.build_index().dump()


@given(data=st.data())
@settings(max_examples=count_examples(40), deadline=None)
def test_large_classes_part_and_join_in_any_order(data: st.DataObject) -> None:
    """What is late, or withdrawn, parts a class in two large ones, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_classes, "LARGE", data.draw(st.integers(2, 6)))
        patch.setattr(large_classes, "_MOST", data.draw(st.sampled_from((8, 16, 64))))
        fold, index = build_chains(8)
        stated = [statement for at in range(9, 9 + 5 * data.draw(st.integers(1, 4)), 5) for statement in draw_changes(data, at)]
        for statement in data.draw(st.permutations(stated)):
            index.changes.apply(fold.add(statement))
            if data.draw(st.integers(0, 3)) == 0:
                index.changes.apply(fold.withdraw(data.draw(st.sampled_from(fold.statements))))
            assert index.dump() == fold.build_index().dump()
    check_rebuilt(index, fold)


def test_two_large_classes_become_one_and_two_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fold, index = Fold(), LineageIndex.load([], 0)
    for of in "ab":
        index.changes.apply(fold.add(*(state_rename(f"{of}{at}", f"{of}{at + 1}", at) for at in range(MANY))))
        index.changes.apply(fold.add(*(state_schema(f"{of}{at}", "x", f"only_{of}", at=at) for at in range(MANY + 1))))
    separate = index.dump()
    both = [state_merge(f"a{MANY}", f"b{MANY}", at=MANY), state_merge(f"b{MANY}", f"a{MANY}", at=MANY)]
    forbid_whole(monkeypatch, large_classes.LARGE)
    index.changes.apply(fold.add(both[0]))
    assert {name.partition(".")[2] for name in list_columns(index, f"a{MANY}")} == {"x", "only_a", "only_b"}
    assert get_node(index, f"a{MANY}.x") == get_node(index, f"b{MANY}.x")
    index.changes.apply(fold.add(both[1]))
    index.changes.apply(fold.withdraw(both[0]))
    monkeypatch.undo()
    assert index.dump() == fold.build_index().dump()
    index.changes.apply(fold.withdraw(both[1]))
    assert index.dump() == separate


def test_a_parting_that_is_withdrawn_joins_classes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What joins them again is between others than the two that were different."""
    monkeypatch.setattr(large_classes, "LARGE", 1)
    fold, index = Fold(), LineageIndex.load([], 0)
    apart = build_statement(Facts(edges=(build_different_from("a", "b"),)), ("not-same-as", "a", "b"), source="mesh/m")
    index.changes.apply(fold.add(state_merge("a", "c"), state_merge("b", "d"), state_merge("c", "d"), apart))
    assert get_node(index, "a") != get_node(index, "b")
    index.changes.apply(fold.withdraw(apart))
    assert get_node(index, "a") == get_node(index, "b")


def test_names_that_no_listing_distinguishes_any_more_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with the columns `y` and `Y` belongs to another name from a rename on; it had not yet been joined to others then."""
    monkeypatch.setattr(large_classes, "LARGE", 1)
    fold, index = Fold(), LineageIndex.load([], 0)
    listed = [
        state_schema("a", "y", "Y", at=1),
        state_schema("b", "y", at=1),
        state_schema("c", "Y", at=1),
        state_schema("other", "z", at=1),
    ]
    index.changes.apply(fold.add(*listed, state_merge("a", "b", at=9), state_merge("b", "c", at=9)))
    assert get_node(index, "b.y") != get_node(index, "c.Y")
    index.changes.apply(fold.add(state_rename("a", "other", 5)))
    assert get_node(index, "b.y") == get_node(index, "c.Y")
    assert index.dump() == fold.build_index().dump()


def test_a_parting_of_a_large_class_has_effect() -> None:
    fold, index = build_chain(MANY)
    index.changes.apply(fold.add(state_merge(f"t{MANY}", "other"), state_merge("other", "another")))
    apart = Facts(edges=(build_different_from(f"t{MANY}", "another"),))
    index.changes.apply(fold.add(build_statement(apart, ("not-same-as", "t", "another"), source="mesh/m")))
    assert get_node(index, f"t{MANY}") != get_node(index, "another")
    assert index.dump() == fold.build_index().dump()
