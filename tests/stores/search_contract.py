"""What every store promises about search: the words of names and prose, by prefix, in one order."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from meshline.graph.content import encode
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
from meshline.graph.naming import terms
from meshline.graph.store.base import Store
from meshline.graph.store.search_words import MAX_TERMS
from tests.stores.said import SOURCE, commit, withdraw

ORDERS = build_dataset_key("postgres://shop", "public.customer_orders")
EMAIL = build_column_key(ORDERS, "customerEmail")
PAYMENTS = build_dataset_key("postgres://shop", "public.payments")
LOAD = build_job_key("airflow", "load_orders")
FINANCE = build_owner_key("team:finance")


def state(*facts: AssetFact | EdgeFact | Flow, at: int = 1, scope: str = "s", version: str = "") -> Statement:
    content = encode(
        Facts(
            assets=tuple(f for f in facts if isinstance(f, AssetFact)),
            edges=tuple(f for f in facts if isinstance(f, EdgeFact)),
            flows=tuple(f for f in facts if isinstance(f, Flow)),
        )
    )
    return Statement(SOURCE, (scope,), at, content, version)


def names(*keys: AssetKey) -> AssetFact:
    """A fact that mentions keys would do; here each has one without attributes."""
    return AssetFact(keys[0], {})


def found(store: Store, text: str, kinds: Iterable[AssetKind] = (), limit: int = 100) -> list[AssetKey]:
    return list(store.search(terms(text), tuple(kinds), limit))


class SearchContract:
    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    @pytest.fixture
    def shop(self, store: Store) -> Store:
        commit(
            store,
            state(
                AssetFact(PAYMENTS, {"description": "What customers paid, by order"}),
                EdgeFact(EdgeType.HAS_COLUMN, ORDERS, EMAIL, {"position": 1}),
                EdgeFact(EdgeType.OWNS, FINANCE, PAYMENTS, {"type": "technical"}),
                Flow(ORDERS, PAYMENTS, job=LOAD),
            ),
        )
        return store

    def test_every_part_of_a_name_is_found(self, shop: Store) -> None:
        assert found(shop, "customer") == [ORDERS, PAYMENTS, EMAIL]
        assert found(shop, "shop") == [ORDERS, PAYMENTS]
        assert found(shop, "load") == [LOAD]
        assert found(shop, "finance") == [FINANCE]

    def test_a_term_is_the_start_of_a_word(self, shop: Store) -> None:
        assert found(shop, "ord") == [ORDERS, PAYMENTS, EMAIL, LOAD]
        assert found(shop, "rders") == []
        assert found(shop, "ordersx") == []

    def test_the_parts_of_camel_case_are_words_and_so_is_the_whole(self, shop: Store) -> None:
        assert found(shop, "email") == [EMAIL]
        assert found(shop, "customeremail") == [EMAIL]
        assert found(shop, "customerEmail") == [EMAIL]

    def test_case_means_nothing(self, shop: Store) -> None:
        assert found(shop, "PAYMENTS") == found(shop, "payments") == [PAYMENTS]

    def test_all_terms_must_be_in_one_document(self, shop: Store) -> None:
        assert found(shop, "customer email") == [EMAIL]
        assert found(shop, "email customer") == [EMAIL]
        assert found(shop, "customers paid") == [PAYMENTS]
        assert found(shop, "payments paid") == [], "the name and the prose are two documents"
        assert found(shop, "customer finance") == []

    def test_kinds_narrow_the_answer(self, shop: Store) -> None:
        assert found(shop, "customer", [AssetKind.COLUMN]) == [EMAIL]
        assert found(shop, "order", [AssetKind.JOB, AssetKind.DATASET]) == [ORDERS, PAYMENTS, LOAD]
        assert found(shop, "customer", [AssetKind.OWNER]) == []

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
        commit(store, state(*(AssetFact(key, {}) for key in keys)))
        order = list(AssetKind)
        expected = sorted({*keys, build_dataset_key("a", "shared")}, key=lambda key: (order.index(key.kind), key.parts))
        assert found(store, "shared", limit=1000) == expected
        for limit in (0, 1, 3, 12, 20):
            assert found(store, "shared", limit=limit) == expected[:limit]

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
        commit(store, state(AssetFact(build_dataset_key("x", word), {}), AssetFact(build_dataset_key("x", "else"), {})))
        assert found(store, word) == [build_dataset_key("x", word)]

    @pytest.mark.parametrize("name", ["straße", "Ünïcode", "名前", "İstanbul", "данные", "ﬁle", "ñandú", "𐐷𐐲", "٣٤", "ⅷ", "𞤀𞤁"])
    def test_words_of_all_scripts(self, store: Store, name: str) -> None:
        commit(store, state(AssetFact(build_dataset_key("ns", f"a.{name}_x"), {}), AssetFact(build_dataset_key("ns", "other"), {})))
        assert found(store, name) == [build_dataset_key("ns", f"a.{name}_x")]
        assert found(store, name[:1]) == [build_dataset_key("ns", f"a.{name}_x")]

    def test_accents_are_not_folded(self, store: Store) -> None:
        commit(store, state(AssetFact(build_dataset_key("x", "café"), {})))
        assert found(store, "cafe") == []

    def test_long_names(self, store: Store) -> None:
        long = build_dataset_key("x", "y" * 3000)
        commit(store, state(AssetFact(long, {}), AssetFact(build_dataset_key("x", "z" + " w" * 5000), {})))
        assert found(store, "yyy") == [long]
        assert found(store, "y" * 3000) == [long]

    def test_columns_that_come_later_are_found(self, store: Store) -> None:
        """Those of one dataset, by words of both, by either's, and each once however often it is said."""
        city, street = build_column_key(ORDERS, "city"), build_column_key(ORDERS, "street_name")
        commit(store, state(AssetFact(build_column_key(ORDERS, "city"), {})))
        commit(store, state(AssetFact(city, {}), AssetFact(street, {}), AssetFact(build_column_key(PAYMENTS, "city"), {}), scope="t"))
        assert found(store, "orders", [AssetKind.COLUMN]) == [city, street]
        assert found(store, "orders city") == [city]
        assert found(store, "city") == [city, build_column_key(PAYMENTS, "city")]
        assert found(store, "street name orders") == [street]
        assert found(store, "street city") == []

    def test_of_many_terms_the_first_count(self, store: Store) -> None:
        words = [f"w{n}x" for n in range(100)]
        long = build_dataset_key("x", " ".join(words))
        commit(store, state(AssetFact(long, {}), AssetFact(build_dataset_key("x", " ".join(words[:50])), {})))
        assert found(store, " ".join(words)) == [long]
        assert found(store, " ".join([*words[:MAX_TERMS], "other"])) == [long]
        assert found(store, " ".join([*words[: MAX_TERMS - 1], "other"])) == []

    def test_title_description_and_tags_are_found(self, store: Store) -> None:
        commit(
            store, state(AssetFact(ORDERS, {"title": "All Purchases", "tags": ["tier=gold", {"key": "pii"}], "location": "s3://nowhere"}))
        )
        for text in ("purchases", "gold", "tier gold", "pii"):
            assert found(store, text) == [ORDERS]
        assert found(store, "nowhere") == []

    def test_prose_is_found_only_while_it_is_said(self, store: Store) -> None:
        commit(store, state(AssetFact(ORDERS, {"description": "old words"}), version="r1"))
        commit(store, state(AssetFact(ORDERS, {"description": "new words"}), at=2, version="r2"))
        assert found(store, "old") == []
        assert found(store, "new") == [ORDERS]
        commit(store, withdrawals=[withdraw("r2")])
        assert found(store, "old") == [ORDERS]
        assert found(store, "new") == []
        commit(store, state(at=3))
        assert found(store, "words") == []
        assert found(store, "orders") == [ORDERS], "a name is kept for ever"

    def test_prose_of_two_scopes(self, store: Store) -> None:
        commit(
            store,
            state(AssetFact(ORDERS, {"description": "red green"})),
            state(AssetFact(ORDERS, {"description": "green blue"}), scope="t"),
        )
        assert found(store, "green") == [ORDERS]
        assert found(store, "red blue") == []
        commit(store, state(at=2))
        assert found(store, "red") == []
        assert found(store, "green blue") == [ORDERS]

    def test_what_was_never_said_in_a_head_is_found_by_name(self, store: Store) -> None:
        commit(store, state(AssetFact(ORDERS, {}), at=5))
        commit(store, state(AssetFact(PAYMENTS, {"description": "late prose"}), at=1))
        assert found(store, "payments") == [PAYMENTS]
        assert found(store, "late") == []
