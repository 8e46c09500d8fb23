"""The laws that the index has to keep: increments equal a rebuild, and what is withdrawn leaves nothing."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import Direction, LineageIndex, index_tables, large_classes
from meshline.graph.index.arrays import DEAD, N_FLOWS
from meshline.graph.index.dump import collect_traversable
from meshline.graph.model import KINDS, AssetKey, AssetKind, Facts, Statement
from tests.index.heads import (
    Fold,
    build_flow,
    build_same_as,
    build_statement,
    state_drop,
    state_lineage,
    state_rename,
    to_column,
    to_dataset,
)
from tests.index.strategies import COLUMNS, DATASETS, any_statement, column_drops, column_renames, draw_lists, merges, partings, plain
from tests.sizes import count_examples

Answer = list[tuple[AssetKey, int, int, bool]]


@pytest.fixture(autouse=True)
def _fold_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fold and compact after every few rows; move what joins and leaves any class of several."""
    monkeypatch.setattr(index_tables, "OVERLAY", 3)
    monkeypatch.setattr(index_tables, "GARBAGE", 5)
    monkeypatch.setattr(large_classes, "LARGE", 1)


def collect_answers(index: LineageIndex) -> dict[tuple[AssetKey, Direction], Answer]:
    """The assets that every column and dataset reaches."""
    keys = [asset.shown for asset in index.dump().assets if asset.shown.kind in {AssetKind.COLUMN, AssetKind.DATASET}]
    return {(key, direction): collect_answer(index, key, direction) for key in keys for direction in Direction}


def collect_answer(index: LineageIndex, key: AssetKey, direction: Direction) -> Answer:
    node = index.assets.find_by_key(key)
    assert node is not None
    found = index.lineage.traverse([node], direction)
    rows = zip(found.nodes.tolist(), found.reach.tolist(), found.distance.tolist(), found.masked.tolist(), strict=True)
    return sorted((index.assets.get_key(reached), reach, distance, masked) for reached, reach, distance, masked in rows)


def list_paths(index: LineageIndex, key: AssetKey) -> list[list[tuple[AssetKey, AssetKey, str]]]:
    """The path to every reached node, by names."""
    node = index.assets.find_by_key(key)
    assert node is not None
    found = index.lineage.traverse([node], Direction.DOWNSTREAM)
    named = [
        [(index.assets.get_key(s.start), index.assets.get_key(s.end), s.subtype) for s in found.find_path(reached)]
        for reached in found.nodes.tolist()
    ]
    return sorted(named)


def collect_names(index: LineageIndex) -> object:
    """The listed assets, the asset that each name finds, and the former names of columns."""
    counted = {kind: index.count_of_kind(kind) for kind in KINDS}
    assert counted == {kind: len(index.assets.list_of_kind(kind)) for kind in KINDS}
    listed = {
        kind: [index.assets.get_key(node) for node in index.assets.list_of_kind(kind)] for kind in (AssetKind.DATASET, AssetKind.COLUMN)
    }
    keys = [*map(to_dataset, DATASETS), *(to_column(f"{of}.{name}") for of in DATASETS for name in COLUMNS)]
    found = {key: index.assets.find_by_key(key) for key in keys}
    former = {
        key: index.changes.list_former_names(node) for key, node in found.items() if node is not None and key.kind is AssetKind.COLUMN
    }
    return listed, {key: None if node is None else index.assets.get_key(node) for key, node in found.items()}, former


def check_traversable(index: LineageIndex) -> None:
    """Kernels see exactly the flows that are not dead."""
    tables = index._tables
    n = int(tables.counts[N_FLOWS])
    assert collect_traversable(tables) == {row for row in range(n) if not tables.flows.flags[row] & DEAD}


@settings(max_examples=count_examples(200))
@given(st.lists(draw_lists(any_statement, 5), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_increments_equal_a_rebuild(batches: list[list[Statement]], random: Random) -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    for batch in batches:
        index.changes.apply(fold.add(*batch))
        if random.random() < 0.3:
            index.changes.apply(fold.withdraw(random.choice(fold.statements)))
        check_traversable(index)
    rebuilt = fold.build_index()
    assert index.dump() == rebuilt.dump()
    assert collect_answers(index) == collect_answers(rebuilt)


@settings(max_examples=count_examples(100))
@given(st.lists(draw_lists(any_statement, 4), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_names_are_those_of_a_rebuild(batches: list[list[Statement]], random: Random) -> None:
    """After every change: what was listed or looked up before is not what must be found now."""
    fold = Fold()
    index = LineageIndex.load([], 0)
    for batch in batches:
        index.changes.apply(fold.add(*batch))
        if random.random() < 0.3:
            index.changes.apply(fold.withdraw(random.choice(fold.statements)))
        assert collect_names(index) == collect_names(fold.build_index())


@settings(max_examples=count_examples(100))
@given(draw_lists(any_statement, 14), st.randoms(use_true_random=False))
def test_order_of_statements_is_nothing(statements: list[Statement], random: Random) -> None:
    one, other = Fold(), Fold()
    one.add(*statements)
    shuffled = [*statements, *random.sample(statements, len(statements) // 2)]
    random.shuffle(shuffled)
    for statement in shuffled:
        other.add(statement)
    a, b = one.build_index(), other.build_index()
    assert a.dump() == b.dump()
    assert collect_answers(a) == collect_answers(b)
    for asset in a.dump().assets:
        if asset.shown.kind is AssetKind.COLUMN:
            assert list_paths(a, asset.shown) == list_paths(b, asset.shown)


@settings(max_examples=count_examples(150))
@given(draw_lists(any_statement, 10), any_statement)
def test_taking_back_restores(statements: list[Statement], extra: Statement) -> None:
    fold = Fold()
    fold.add(*statements)
    index = fold.build_index()
    before, answered = index.dump(), collect_answers(index)
    index.changes.apply(fold.add(extra))
    index.changes.apply(fold.withdraw(extra))
    assert index.dump() == before
    assert collect_answers(index) == answered


@settings(max_examples=count_examples(150))
@given(draw_lists(st.one_of(plain, column_renames, column_drops), 10), merges)
def test_a_retracted_merge_leaves_no_trace(statements: list[Statement], merge: Statement) -> None:
    """Law 6, by a tombstone."""
    never, retracted = Fold(), Fold()
    others = [statement for statement in statements if statement.scope != merge.scope]
    never.add(*others)
    index = LineageIndex.load([], 0)
    index.changes.apply(retracted.add(*others, merge))
    index.changes.apply(retracted.add(build_statement(None, merge.scope, merge.observed_at + 1, source=merge.source)))
    assert index.dump() == never.build_index().dump()


@settings(max_examples=count_examples(150))
@given(draw_lists(st.one_of(plain, merges, column_renames), 10), partings)
def test_a_retracted_parting_leaves_no_trace(statements: list[Statement], parting: Statement) -> None:
    never, retracted = Fold(), Fold()
    others = [statement for statement in statements if statement.scope != parting.scope]
    never.add(*others)
    index = LineageIndex.load([], 0)
    index.changes.apply(retracted.add(*others, parting))
    collect_answers(index)
    index.changes.apply(retracted.add(build_statement(None, parting.scope, parting.observed_at + 1, source=parting.source)))
    assert index.dump() == never.build_index().dump()


@settings(max_examples=count_examples(60))
@given(draw_lists(any_statement, 14), st.integers(0, 12))
def test_as_of_is_what_was_stated_until_then(statements: list[Statement], time: int) -> None:
    """Law 4, as far as the index has a part in it."""
    whole, until = Fold(), Fold()
    whole.add(*statements)
    until.add(*(s for s in statements if s.observed_at <= time))
    assert whole.build_index(time).dump() == until.build_index(time).dump()


def test_a_drop_that_is_stated_again_after_a_rename_no_longer_hides_the_rename() -> None:
    """The drop at 9 and the rename at 10 end the name at one moment; the same drop at 11 does not."""
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(state_drop("d", 9), state_rename("d", "b", 10)))
    index.changes.apply(fold.add(state_drop("d", 11)))
    assert index.dump() == fold.build_index().dump()
    index.changes.apply(fold.withdraw(state_drop("d", 11)))
    assert index.dump() == fold.build_index().dump()


def test_merge_and_retract_by_hand() -> None:
    fold = Fold()
    index = LineageIndex.load([], 0)
    index.changes.apply(fold.add(state_lineage(build_flow("a.x", "b.y"), build_flow("c.Y", "d.z"))))
    before = index.dump()
    index.changes.apply(fold.add(build_statement(Facts(edges=(build_same_as("b", "c"),)), ("person", "b", "c"), 1)))
    node = index.assets.find_by_key(AssetKey(AssetKind.COLUMN, ("db", "a", "x")))
    assert node is not None
    assert len(index.lineage.traverse([node], Direction.DOWNSTREAM).nodes) == 2
    index.changes.apply(fold.add(build_statement(None, ("person", "b", "c"), 2)))
    assert index.dump() == before
