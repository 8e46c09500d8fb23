"""Suggestions against a comparison with every name, one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshline.graph.index import LineageIndex, suggestions
from meshline.graph.model import KINDS, AssetKey, AssetKind, Statement
from meshline.graph.naming import parse_search_terms, split_words
from meshline.graph.queries.asset_lists import is_listed
from meshline.graph.queries.search import _is_mere_step, suggest_assets
from tests.index.heads import Fold, state_rename, state_schema
from tests.index.strategies import any_statement, draw_lists
from tests.sizes import count_examples

FILLER = [state_schema(f"shop.{name}Orders/part_{i}", "id", "Order_id", "total") for i, name in enumerate("abcde")]
texts = st.one_of(
    st.sampled_from(
        (
            "a",
            "x",
            "db",
            "stra",
            "STRASSE",
            "j",
            "team",
            "a x",
            "x a",
            "part",
            "shop.a",
            "order",
            "orders/part",
            "_id",
            "nothing",
            "a.",
            "a.x",
            "b.str",
            "shop.aOrders/part_0.o",
            "aorders/part",
            "part_0.id",
            "Orders.",
            "db.a",
        )
    ),
    st.text(max_size=4),
)


def rank_parts(key: AssetKey, wanted: str) -> Iterator[int]:
    """1 if the last parts of a name are those of the text, 3 if the last one only begins so; of a column, with its dataset's name."""
    before, last = wanted.replace("/", ".").split(".")[:-1], wanted.replace("/", ".").split(".")[-1]
    own = key.name.casefold().replace("/", ".").split(".")
    names = [(own[:-1], own[-1])]
    if key.kind is AssetKind.COLUMN:
        names.append((key.parts[1].casefold().replace("/", ".").split("."), key.name.casefold()))
    for parts, end in names:
        if "".join(before) and parts[-len(before) :] == before and end.startswith(last):
            yield 1 if end == last else 3


def rank_name(key: AssetKey, text: str) -> int | None:
    """None if the text does not match this name."""
    wanted, name = text.strip().casefold(), key.name.casefold()
    terms = parse_search_terms(text)
    if not terms:
        return None
    last = name.replace("/", ".").rpartition(".")[2]
    by_parts = list(rank_parts(key, wanted))
    for rank, matches in enumerate((name == wanted, last == wanted, name.startswith(wanted), last.startswith(wanted))):
        if matches or any(rank == better for better in by_parts):
            return rank
    own = list(split_words(key.name))
    if key.kind is AssetKind.COLUMN:
        context = list(split_words(key.parts[1]))
    else:
        context = list(split_words(key.parts[0])) if len(key.parts) > 1 else []
    if all(any(word.startswith(term) for word in own) for term in terms):
        return 4
    return 5 if all(any(word.startswith(term) for word in own + context) for term in terms) else None


def suggest_by_comparison(index: LineageIndex, text: str) -> list[int]:
    best: dict[int, tuple[int, int, int, AssetKey]] = {}
    for node in range(index.changes.count_nodes()):
        rep = index.assets.get_representative(node)
        if not index.assets.is_visible(rep) or not is_listed(index, rep):
            continue
        for key in index.assets.list_names(rep):
            rank = rank_name(key, text)
            if rank is not None and (rank <= 1 or not _is_mere_step(index, rep)):
                order = (rank, KINDS.index(key.kind), len(key.name), key)
                best[rep] = min(best.get(rep, order), order)
    return sorted(best, key=best.__getitem__)


@given(draw_lists(any_statement), st.lists(texts, min_size=1, max_size=4), st.booleans())
@settings(max_examples=count_examples(80), deadline=None)
def test_suggestions_are_those_of_a_comparison_with_every_name(statements: list[Statement], wanted: list[str], filled: bool) -> None:  # noqa: FBT001 - hypothesis draws it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suggestions, "_RECENT", 3)  # so that few names are sorted in
        fold = Fold()
        fold.add(*(FILLER if filled else []), *statements[: len(statements) // 2])
        index = fold.build_index()
        for text in wanted:
            assert suggest_assets(index, text, 1000) == suggest_by_comparison(index, text)
        index.changes.apply(fold.add(*statements[len(statements) // 2 :]))
        for text in wanted:
            expected = suggest_by_comparison(index, text)
            assert suggest_assets(index, text, 1000) == expected
            for first in (0, 1, 3):
                assert suggest_assets(index, text, first) == expected[:first]


def test_a_column_is_not_suggested_by_the_former_name_of_its_dataset() -> None:
    fold = Fold()
    index = fold.build_index()
    index.changes.apply(fold.add(state_schema("db.a", "id"), state_rename("db.a", "db.b", 1)))
    assert suggest_assets(index, "a.id", 9) == suggest_by_comparison(index, "a.id") == []


def test_whole_parts_come_before_beginnings_and_shorter_names_first() -> None:
    fold = Fold()
    fold.add(
        state_schema("crm.customer_profiles", "email_hash", "customers_em"),
        state_schema("customers_emea.rows", "id"),
        state_schema("shop.customers", "emergency_contact", "email", "id", "member"),
        state_schema("a.old_customers", "email"),
    )
    index = fold.build_index()

    def suggest(text: str) -> list[str]:
        return [index.assets.get_key(node).qualified_name.partition("/")[2] for node in suggest_assets(index, text, 9)]

    assert suggest("customers.em")[:2] == ["shop.customers.email", "shop.customers.emergency_contact"]
    assert {"crm.customer_profiles.customers_em", "customers_emea.rows", "a.old_customers.email"} <= {*suggest("customers.em")[2:]}
    assert suggest("customers.email")[0] == suggest("shop/customers.email")[0] == "shop.customers.email"
    assert suggest("customers.")[:2] == ["shop.customers.id", "shop.customers.email"]
    found = suggest("em")
    assert found[:2] == ["a.old_customers.email", "shop.customers.email"]
    assert found[2:4] == ["crm.customer_profiles.email_hash", "shop.customers.emergency_contact"]
