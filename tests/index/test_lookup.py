"""Ids of very many assets are worked out by a kernel: they must be the model's."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import LineageIndex, lookup
from meshline.graph.index.arrays import COLUMN
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.model import (
    KINDS,
    AssetFact,
    AssetKey,
    AssetKind,
    Facts,
    Statement,
    build_column_key,
    build_consumer_key,
    build_dataset_key,
    build_job_key,
)
from tests.index.heads import Fold, build_index, build_statement, state_column_rename, state_merge, state_schema, to_column
from tests.index.strategies import column_renames, draw_lists, lineages, merges, renames, schemas
from tests.sizes import count_examples

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=90)
keys = st.one_of(
    st.builds(build_dataset_key, texts, texts),
    st.builds(lambda ns, name, own: build_column_key(build_dataset_key(ns, name), own), texts, texts, texts),
    st.builds(build_job_key, texts, texts),
    st.builds(build_consumer_key, texts),
)


@settings(max_examples=count_examples(200))
@given(st.lists(keys, min_size=1, max_size=6))
def test_the_kernel_s_ids_are_the_model_s(found: list[AssetKey]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookup, "_RECENT", 0)
        index = build_index(build_statement(Facts(assets=tuple(AssetFact(key, {}) for key in found)), ("s",)))
        for key in found:
            assert index.assets.find(key.id) == index.assets.find_by_key(key) is not None


def count_spellings(names: Iterable[str]) -> tuple[dict[str, int], Callable[[IndexTables, int], str]]:
    """How often each of these names is read, and `IndexTables.get_text` that counts it."""
    counts = dict.fromkeys(names, 0)
    text = IndexTables.get_text

    def count_and_get(tables: IndexTables, name: int) -> str:
        found = text(tables, name)
        if found in counts:
            counts[found] += 1
        return found

    return counts, count_and_get


def test_names_that_are_not_there_are_looked_up_without_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"Column{n}" for n in range(300)]
    index = build_index(state_schema("a", *names))
    counts, counted = count_spellings(names)
    monkeypatch.setattr(IndexTables, "get_text", counted)
    for n in range(100):
        assert index.assets.find_by_key(to_column(f"a.missing{n}")) is None
    assert set(counts.values()) == {1}
    assert index.assets.find_by_key(to_column("a.cOLUMN7")) is not None
    assert sum(counts.values()) <= len(names) + 3, "what is found is named"


def test_columns_that_come_are_found_whatever_their_case() -> None:
    fold = Fold()
    index = LineageIndex(0)
    index.changes.apply(fold.add(state_schema("a", "One", "Straße")))
    assert [index.assets.find_by_key(to_column(f"a.{name}")) is not None for name in ("ONE", "STRASSE", "two")] == [True, True, False]
    index.changes.apply(fold.add(state_schema("a", "One", "TWO", at=1), state_schema("b", "Other", at=1)))
    assert [index.assets.find_by_key(to_column(f"a.{name}")) is not None for name in ("ONE", "STRASSE", "two", "Two")] == [
        True,
        False,
        True,
        True,
    ]
    index.changes.apply(fold.add(state_merge("a", "b", 2)))
    assert index.assets.find_by_key(to_column("a.oTHER")) == index.assets.find_by_key(to_column("b.Other")) is not None
    index.changes.apply(fold.add(state_column_rename("a", "TWO", "Three", 3), state_schema("a", "One", "Three", at=3)))
    assert index.assets.find_by_key(to_column("a.THREE")) == index.assets.find_by_key(to_column("a.two")) is not None


def test_few_columns_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_FOLDED", 10)
    fold = Fold()
    index = LineageIndex(0)
    index.changes.apply(fold.add(*(state_schema(f"t{n}", *(f"C{n}_{m}" for m in range(4))) for n in range(6))))
    for at in range(1, 4):
        for n in range(6):
            assert index.assets.find_by_key(to_column(f"t{n}.c{n}_{at}")) is not None
            assert index.assets.find_by_key(to_column(f"t{n}.c{n}_{at + 100}")) is None
        index.changes.apply(fold.add(*(state_schema(f"t{n}", *(f"C{n}_{m}" for m in range(4 + at)), at=at) for n in range(6))))
        assert index.assets.find_by_key(to_column(f"t5.c5_{3 + at}")) is not None
    folded = index.assets._lookup._folded
    assert folded._size == sum(len(columns) for _, names in folded._known.values() for columns in names.values()) <= 10


@pytest.mark.parametrize("recent", [0, 4096])
def test_a_merge_that_is_grouped_again_and_again_takes_no_more_room(monkeypatch: pytest.MonkeyPatch, recent: int) -> None:
    """Columns of merged datasets have an id by each name of the dataset: those are kept once."""
    monkeypatch.setattr(lookup, "_RECENT", recent)
    fold = Fold()
    index = LineageIndex(0)
    index.changes.apply(fold.add(state_schema("a", "x", "y"), state_schema("b", "x", "z"), state_merge("a", "b")))
    sizes = set()
    for at in range(1, 30):
        index.changes.apply(fold.add(state_schema("a", "x", "y", *(["w"] if at % 2 else []), at=at)))
        assert index.assets.find(to_column("b.y").id) == index.assets.find_by_key(to_column("a.y")) is not None
        ids = index.assets._lookup._get_ids(COLUMN)
        sizes.add(len(ids._parts) + sum(len(known) for known in ids._recent.values()))
        assert not index._loader.identity.grouped, "what was followed is forgotten"
    assert sizes == {8}  # x, y, w of a; x, z of b; and by the other's name y, w of b, z of a


@settings(max_examples=count_examples(40), deadline=None)
@given(draw_lists(st.one_of(lineages, schemas, renames, column_renames, merges), 6))
def test_whatever_a_name_ends_with_finds_the_asset_that_has_it(statements: list[Statement]) -> None:
    index = build_index(*statements)
    names = {key for kind in KINDS for node in index.assets.list_of_kind(kind) for key in index.assets.list_names(node, former=True)}
    for key in names:
        node = index.assets.find_by_key(key)  # of a name that another asset had before, the one that has it now
        text = key.qualified_name.casefold()
        for begin in range(len(text)):
            found = index.find_named(key.kind, text[begin:], 1000)
            assert node is None or node in (found or ()), (key, text[begin:])


def test_what_no_name_ends_with_is_not_searched() -> None:
    index = build_index(state_schema("orders", "email"))
    for kind, text in (
        (AssetKind.DATASET, "rders2"),
        (AssetKind.COLUMN, "customers.email"),
        (AssetKind.JOB, "orders"),
        (AssetKind.COLUMN, "x.email"),
    ):
        assert index.find_named(kind, text, 0) == []
    assert index.find_named(AssetKind.COLUMN, "email", 0) is None
