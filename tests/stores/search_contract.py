"""The contract of every store about search: the words of names and prose, by prefix, in one order."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from meshline.graph.content import encode_facts
from meshline.graph.model import (
    AssetFact,
    AssetKey,
    AssetKind,
    EdgeFact,
    EdgeType,
    Facts,
    Flow,
    Statement,
    build_column_key,
    build_data_product_key,
    build_dataset_key,
    build_job_key,
    build_owner_key,
)
from meshline.graph.naming import parse_search_terms
from meshline.graph.store.base import Store
from meshline.graph.store.search_words import MAX_TERMS
from tests.stores.statements import SOURCE, build_withdrawal, commit_statements

ORDERS = build_dataset_key("postgres://shop", "public.customer_orders")
EMAIL = build_column_key(ORDERS, "customerEmail")
PAYMENTS = build_dataset_key("postgres://shop", "public.payments")
LOAD = build_job_key("airflow", "load_orders")
FINANCE = build_owner_key("team:finance")


def build_facts_statement(*facts: AssetFact | EdgeFact | Flow, at: int = 1, scope: str = "s", version: str = "") -> Statement:
    content = encode_facts(
        Facts(
            assets=tuple(f for f in facts if isinstance(f, AssetFact)),
            edges=tuple(f for f in facts if isinstance(f, EdgeFact)),
            flows=tuple(f for f in facts if isinstance(f, Flow)),
        )
    )
    return Statement(SOURCE, (scope,), at, content, version)


def build_name_fact(*keys: AssetKey) -> AssetFact:
    """A fact that mentions keys would do; here each has one without attributes."""
    return AssetFact(keys[0], {})


def find_assets(store: Store, text: str, kinds: Iterable[AssetKind] = (), limit: int = 100) -> list[AssetKey]:
    return list(store.search(parse_search_terms(text), tuple(kinds), limit))


class SearchContract:
    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    @pytest.fixture
    def shop(self, store: Store) -> Store:
        commit_statements(
            store,
            build_facts_statement(
                AssetFact(PAYMENTS, {"description": "What customers paid, by order"}),
                EdgeFact(EdgeType.HAS_COLUMN, ORDERS, EMAIL, {"position": 1}),
                EdgeFact(EdgeType.OWNS, FINANCE, PAYMENTS, {"type": "technical"}),
                Flow(ORDERS, PAYMENTS, job=LOAD),
            ),
        )
        return store

    def test_every_part_of_a_name_is_found(self, shop: Store) -> None:
        assert find_assets(shop, "customer") == [ORDERS, PAYMENTS, EMAIL]
        assert find_assets(shop, "shop") == [ORDERS, PAYMENTS]
        assert find_assets(shop, "load") == [LOAD]
        assert find_assets(shop, "finance") == [FINANCE]

    def test_a_term_is_the_start_of_a_word(self, shop: Store) -> None:
        assert find_assets(shop, "ord") == [ORDERS, PAYMENTS, EMAIL, LOAD]
        assert find_assets(shop, "rders") == []
        assert find_assets(shop, "ordersx") == []

    def test_the_parts_of_camel_case_are_words_and_so_is_the_whole(self, shop: Store) -> None:
        assert find_assets(shop, "email") == [EMAIL]
        assert find_assets(shop, "customeremail") == [EMAIL]
        assert find_assets(shop, "customerEmail") == [EMAIL]

    def test_case_means_nothing(self, shop: Store) -> None:
        assert find_assets(shop, "PAYMENTS") == find_assets(shop, "payments") == [PAYMENTS]

    def test_all_terms_must_be_in_one_document(self, shop: Store) -> None:
        assert find_assets(shop, "customer email") == [EMAIL]
        assert find_assets(shop, "email customer") == [EMAIL]
        assert find_assets(shop, "customers paid") == [PAYMENTS]
        assert find_assets(shop, "payments paid") == [], "the name and the prose are two documents"
        assert find_assets(shop, "customer finance") == []

    def test_kinds_narrow_the_answer(self, shop: Store) -> None:
        assert find_assets(shop, "customer", [AssetKind.COLUMN]) == [EMAIL]
        assert find_assets(shop, "order", [AssetKind.JOB, AssetKind.DATASET]) == [ORDERS, PAYMENTS, LOAD]
        assert find_assets(shop, "customer", [AssetKind.OWNER]) == []

    def test_answers_are_ordered_by_kind_and_key_and_limited(self, store: Store) -> None:
        keys = [
            build_data_product_key("b shared"),
            build_data_product_key("a shared"),
            build_dataset_key("z", "shared"),
            build_dataset_key("a", "shared b"),
            build_dataset_key("a", "shared B"),
            build_job_key("a", "shared"),
        ]
        keys += [
            build_dataset_key("é", "shared"),
            build_dataset_key("a\x00", "shared"),
            build_dataset_key("a b", "shared"),
            build_dataset_key("a\x01", "shared"),
            build_dataset_key("🚀", "shared"),
            build_dataset_key("\uffee", "shared"),
        ]
        keys += [build_column_key(build_dataset_key("a", "shared"), str(n)) for n in range(30)]
        commit_statements(store, build_facts_statement(*(AssetFact(key, {}) for key in keys)))
        order = list(AssetKind)
        expected = sorted({*keys, build_dataset_key("a", "shared")}, key=lambda key: (order.index(key.kind), key.parts))
        assert find_assets(store, "shared", limit=1000) == expected
        for limit in (0, 1, 3, 12, 20):
            assert find_assets(store, "shared", limit=limit) == expected[:limit]

    def test_any_word_of_a_text_finds_the_one_with_most_first(self, shop: Store) -> None:
        commit_statements(shop, build_facts_statement(AssetFact(ORDERS, {"description": "by the customer"}), scope="t"))
        assert shop.search_texts(["paid", "by"], (), 10) == [PAYMENTS, ORDERS]
        assert shop.search_texts(["paid", "by"], (), 1) == [PAYMENTS]
        assert shop.search_texts(["by"], (AssetKind.JOB,), 10) == []
        assert shop.search_texts(["pai"], (), 10) == [], "a word is whole"
        assert shop.search_texts(["payments"], (), 10) == [], "it is of a name only"
        assert shop.search_texts([], (), 10) == shop.search_texts(["paid"], (), 0) == []
        assert shop.search_texts(["or", "and", "not", "*", '"', "né", "by:x"], (), 10) == []

    def test_a_word_of_a_text_is_found_without_its_accents(self, shop: Store) -> None:
        commit_statements(shop, build_facts_statement(AssetFact(ORDERS, {"description": "Größe im Café, имя 顧客"}), scope="t"))
        for word in ("grösse", "grosse", "groesse", "café", "cafe", "имя", "顧客"):
            assert shop.search_texts([word], (), 10) == [ORDERS], word
        assert shop.search_texts(["gross", "caf"], (), 10) == []

    def test_nothing_is_found_without_terms(self, shop: Store) -> None:
        assert shop.search([], [], 10) == []

    @pytest.mark.parametrize(
        "term",
        [
            '"',
            "*",
            "'",
            "pay*",
            'payments" OR "orders',
            "NEAR(",
            "a:b",
            "words:pay",
            "(",
            "-",
            "^",
            "pay~",
            "/.*/",
            "\\",
            "[a TO z]",
            "%",
            "pay ments",
            "\x00",
            "pay\x00",
        ],
    )
    def test_hostile_terms_find_nothing_and_break_nothing(self, shop: Store, term: str) -> None:
        assert shop.search([term], [], 10) == []
        assert shop.search([term, "payments"], [], 10) == []

    @pytest.mark.parametrize("word", ["or", "and", "not", "near", "to"])
    def test_operators_are_words(self, store: Store, word: str) -> None:
        commit_statements(
            store, build_facts_statement(AssetFact(build_dataset_key("x", word), {}), AssetFact(build_dataset_key("x", "else"), {}))
        )
        assert find_assets(store, word) == [build_dataset_key("x", word)]

    @pytest.mark.parametrize("name", ["straße", "Ünïcode", "名前", "İstanbul", "данные", "ﬁle", "ñandú", "𐐷𐐲", "٣٤", "ⅷ", "𞤀𞤁"])
    def test_words_of_all_scripts(self, store: Store, name: str) -> None:
        commit_statements(
            store,
            build_facts_statement(AssetFact(build_dataset_key("ns", f"a.{name}_x"), {}), AssetFact(build_dataset_key("ns", "other"), {})),
        )
        assert find_assets(store, name) == [build_dataset_key("ns", f"a.{name}_x")]
        assert find_assets(store, name[:1]) == [build_dataset_key("ns", f"a.{name}_x")]

    def test_accents_are_not_folded(self, store: Store) -> None:
        commit_statements(store, build_facts_statement(AssetFact(build_dataset_key("x", "café"), {})))
        assert find_assets(store, "cafe") == []

    def test_long_names(self, store: Store) -> None:
        long = build_dataset_key("x", "y" * 3000)
        commit_statements(store, build_facts_statement(AssetFact(long, {}), AssetFact(build_dataset_key("x", "z" + " w" * 5000), {})))
        assert find_assets(store, "yyy") == [long]
        assert find_assets(store, "y" * 3000) == [long]

    def test_columns_that_come_later_are_found(self, store: Store) -> None:
        """Columns of one dataset are found by words of the column, the dataset or both, and once, however often they are stated."""
        city, street = build_column_key(ORDERS, "city"), build_column_key(ORDERS, "street_name")
        commit_statements(store, build_facts_statement(AssetFact(build_column_key(ORDERS, "city"), {})))
        commit_statements(
            store,
            build_facts_statement(AssetFact(city, {}), AssetFact(street, {}), AssetFact(build_column_key(PAYMENTS, "city"), {}), scope="t"),
        )
        assert find_assets(store, "orders", [AssetKind.COLUMN]) == [city, street]
        assert find_assets(store, "orders city") == [city]
        assert find_assets(store, "city") == [city, build_column_key(PAYMENTS, "city")]
        assert find_assets(store, "street name orders") == [street]
        assert find_assets(store, "street city") == []

    def test_of_many_terms_the_first_count(self, store: Store) -> None:
        words = [f"w{n}x" for n in range(100)]
        long = build_dataset_key("x", " ".join(words))
        commit_statements(store, build_facts_statement(AssetFact(long, {}), AssetFact(build_dataset_key("x", " ".join(words[:50])), {})))
        assert find_assets(store, " ".join(words)) == [long]
        assert find_assets(store, " ".join([*words[:MAX_TERMS], "other"])) == [long]
        assert find_assets(store, " ".join([*words[: MAX_TERMS - 1], "other"])) == []

    def test_title_description_and_tags_are_found(self, store: Store) -> None:
        commit_statements(
            store,
            build_facts_statement(
                AssetFact(ORDERS, {"title": "All Purchases", "tags": ["tier=gold", {"key": "pii"}], "location": "s3://nowhere"})
            ),
        )
        for text in ("purchases", "gold", "tier gold", "pii"):
            assert find_assets(store, text) == [ORDERS]
        assert find_assets(store, "nowhere") == []

    def test_prose_is_found_only_while_its_statement_is_active(self, store: Store) -> None:
        commit_statements(store, build_facts_statement(AssetFact(ORDERS, {"description": "old words"}), version="r1"))
        commit_statements(store, build_facts_statement(AssetFact(ORDERS, {"description": "new words"}), at=2, version="r2"))
        assert find_assets(store, "old") == []
        assert find_assets(store, "new") == [ORDERS]
        commit_statements(store, withdrawals=[build_withdrawal("r2")])
        assert find_assets(store, "old") == [ORDERS]
        assert find_assets(store, "new") == []
        commit_statements(store, build_facts_statement(at=3))
        assert find_assets(store, "words") == []
        assert find_assets(store, "orders") == [ORDERS], "a name is kept for ever"

    def test_prose_of_two_scopes(self, store: Store) -> None:
        commit_statements(
            store,
            build_facts_statement(AssetFact(ORDERS, {"description": "red green"})),
            build_facts_statement(AssetFact(ORDERS, {"description": "green blue"}), scope="t"),
        )
        assert find_assets(store, "green") == [ORDERS]
        assert find_assets(store, "red blue") == []
        commit_statements(store, build_facts_statement(at=2))
        assert find_assets(store, "red") == []
        assert find_assets(store, "green blue") == [ORDERS]

    def test_an_asset_that_no_head_ever_stated_is_found_by_name(self, store: Store) -> None:
        commit_statements(store, build_facts_statement(AssetFact(ORDERS, {}), at=5))
        commit_statements(store, build_facts_statement(AssetFact(PAYMENTS, {"description": "late prose"}), at=1))
        assert find_assets(store, "payments") == [PAYMENTS]
        assert find_assets(store, "late") == []
