"""`catalogs:`: names of one catalog are joined by rule, where both exist, as long as both exist."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from meshline.app.replay import copy_store
from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import encode_facts
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetFact, EdgeType, Facts
from meshline.graph.naming import Naming
from meshline.graph.naming_rules import Prefix, Rule, parse_prefix
from meshline.ingest import mesh
from meshline.ingest.catalog_aliases import SOURCE, apply_rules, read_rules
from meshline.ingest.sources.base import Entry
from tests.ingest.sources.fake_source import T, build_table, count_outcomes, list_keys, load_items, open_graph

HEAD = "version: 1\nsource: shop\nnamespaces: {lake: 'http://catalog:8181'}\n"
RULES = """
catalogs:
  - names: lake
    also: ["trino://trino.internal/delta", "trino://platform.internal:8080", {namespace: "duckdb:///x.duckdb", prefix: main}]
"""
LAKE, TRINO, PLATFORM = "http://catalog:8181", "trino://trino.internal", "trino://platform.internal"


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as found:
        yield found


def load_rules(live: LiveGraph, text: str = RULES, time: int = T) -> None:
    parsed = mesh.parse_mesh_file((HEAD + text).encode(), "mesh.yaml", strict=True)
    mesh.load_mesh(live, parsed, Naming(), time)


def load_datasets(live: LiveGraph, *names: tuple[str, str], source: str = "openlineage/x", time: int = T) -> None:
    """A source states these datasets, and no others."""
    stated = [Entry(("dataset", *name), build_table(name[1], "x", namespace=name[0]), time) for name in names]
    load_items(live, stated, time, source=source)


def list_joined_names(live: LiveGraph, namespace: str, name: str) -> set[str]:
    return {key.qualified_name for key in list_keys(live, model.build_dataset_key(namespace, name))}


@pytest.mark.parametrize(
    ("text", "namespace", "name"),
    [
        ("lake", LAKE, ""),
        ("lake/sales", LAKE, "sales"),
        ("lake/sales.", LAKE, "sales"),
        ("trino://h", "trino://h", ""),
        ("trino://h:8080/delta", "trino://h", "delta"),
        ("trino://h/delta.shop/", "trino://h", "delta.shop"),
        ("s3a://wh//db/", "s3://wh", "db"),
        ("duckdb:///warehouse/x.duckdb", "duckdb:///warehouse/x.duckdb", ""),
        ("arn:aws:glue:eu-west-1:1/table/db", "arn:aws:glue:eu-west-1:1", "table/db"),
        ("file", "file", ""),
    ],
)
def test_a_prefix_is_a_namespace_and_the_beginning_of_names(text: str, namespace: str, name: str) -> None:
    assert parse_prefix(text, {"lake": LAKE}) == Prefix(namespace, name)


@pytest.mark.parametrize(
    ("also", "names", "name", "counterpart"),
    [
        ("delta", "", "delta.orders.items", "orders.items"),
        ("", "", "orders.items", "orders.items"),
        ("", "prod", "orders.items", "prod.orders.items"),
        ("delta", "prod", "delta.orders.items", "prod.orders.items"),
        ("wh/db", "db", "wh/db/items", "db/items"),
        ("delta.orders", "/wh/orders", "delta.orders.items", "/wh/orders/items"),
        ("", "/wh/orders", "items", "/wh/orders/items"),
        ("delta", "", "delta2.items", None),
        ("delta", "", "delta", None),
        ("delta", "", "delta.", None),
        ("delta", "", "x.delta.items", None),
    ],
)
def test_what_follows_the_prefix_stays(also: str, names: str, name: str, counterpart: str | None) -> None:
    assert Rule(Prefix("a", also), Prefix("b", names)).find_counterpart(name) == counterpart


def test_names_of_one_catalog_are_joined(live: LiveGraph) -> None:
    load_datasets(live, (LAKE, "orders.items"), (TRINO, "delta.orders.items"), (TRINO, "hive.orders.items"), (PLATFORM, "orders.items"))
    load_rules(live)
    loading = apply_rules(live)
    assert loading is not None
    assert count_outcomes(loading) == {"read": 2, "new": 2}
    assert list_joined_names(live, LAKE, "orders.items") == {
        f"{LAKE}/orders.items",
        f"{TRINO}/delta.orders.items",
        f"{PLATFORM}/orders.items",
    }
    assert list_joined_names(live, TRINO, "hive.orders.items") == {f"{TRINO}/hive.orders.items"}
    node = live.index.assets.find_by_key(model.build_dataset_key(LAKE, "orders.items"))
    assert node is not None
    stated = {
        (str(edge.attributes["why"]), str(edge.attributes["rule"])) for edge in live.index.ownership.list_edges(node, EdgeType.SAME_AS)
    }
    assert stated == {("naming rule", f"{TRINO}/delta is {LAKE}"), ("naming rule", f"{PLATFORM} is {LAKE}")}
    again = apply_rules(live)
    assert again is not None
    assert count_outcomes(again) == {"unchanged": 2}


def test_no_rule_makes_a_dataset(live: LiveGraph) -> None:
    load_datasets(live, (TRINO, "delta.orders.items"))
    load_rules(live)
    apply_rules(live)
    assert live.index.changes.list_statements(SOURCE) == {}
    assert list_joined_names(live, LAKE, "orders.items") == set()
    load_datasets(live, (LAKE, "orders.items"), source="iceberg/lake")
    apply_rules(live)
    assert len(list_joined_names(live, LAKE, "orders.items")) == 2


@pytest.mark.parametrize("gone", ["openlineage/x", "iceberg/lake"])
def test_when_a_dataset_goes_so_does_the_rest(live: LiveGraph, gone: str) -> None:
    load_datasets(live, (TRINO, "delta.orders.items"))
    load_datasets(live, (LAKE, "orders.items"), source="iceberg/lake")
    load_rules(live)
    apply_rules(live)
    load_datasets(live, source=gone, time=T + 10)
    loading = apply_rules(live)
    assert loading is not None
    assert count_outcomes(loading) == {"retracted": 1}
    assert (
        live.index.assets.find_by_key(
            model.build_dataset_key(TRINO, "delta.orders.items")
            if gone == "openlineage/x"
            else model.build_dataset_key(LAKE, "orders.items")
        )
        is None
    )


def test_when_a_rule_goes_so_does_what_it_joined(live: LiveGraph) -> None:
    load_datasets(live, (TRINO, "delta.orders.items"), (LAKE, "orders.items"))
    assert apply_rules(live) is None
    load_rules(live)
    apply_rules(live)
    assert len(list_joined_names(live, LAKE, "orders.items")) == 2
    load_rules(live, "")
    assert read_rules(live.store) == []
    apply_rules(live)
    assert len(list_joined_names(live, LAKE, "orders.items")) == 1
    assert apply_rules(live) is None


def test_what_the_past_knew_is_joined_in_the_past(live: LiveGraph) -> None:
    load_datasets(live, (TRINO, "delta.orders.items"), time=T - 100)
    load_datasets(live, (LAKE, "orders.items"), source="iceberg/lake", time=T - 50)
    load_rules(live)
    apply_rules(live)
    for time, names in ((T - 40, 2), (T - 60, 1)):
        index = live.get_index(time)
        node = index.assets.find_by_key(model.build_dataset_key(TRINO, "delta.orders.items"))
        assert node is not None
        assert len(index.assets.list_names(node, former=True)) == names


def test_an_inner_prefix_goes_before_an_outer_one(live: LiveGraph) -> None:
    load_datasets(live, (TRINO, "delta.orders.items"), (LAKE, "orders.items"), ("other", "orders.items"), ("other", "items"))
    load_rules(live, f"catalogs: [{{names: lake, also: ['{TRINO}/delta']}}, {{names: other, also: ['{TRINO}/delta.orders']}}]")
    apply_rules(live)
    assert list_joined_names(live, TRINO, "delta.orders.items") == {f"{TRINO}/delta.orders.items", "other/items"}


def test_rules_of_several_files(live: LiveGraph) -> None:
    load_datasets(live, (TRINO, "delta.a"), (PLATFORM, "a"), (LAKE, "a"))
    load_rules(live, f"catalogs: [{{names: lake, also: ['{TRINO}/delta']}}]")
    other = f"version: 1\nsource: other\ncatalogs: [{{names: '{LAKE}', also: ['{PLATFORM}']}}]"
    mesh.load_mesh(live, mesh.parse_mesh_file(other.encode(), "o.yaml", strict=True), Naming(), T)
    apply_rules(live)
    assert len(list_joined_names(live, LAKE, "a")) == 3
    mesh.load_mesh(live, mesh.parse_mesh_file(b"version: 1\nsource: other", "o.yaml", strict=True), Naming(), T)
    apply_rules(live)
    assert list_joined_names(live, LAKE, "a") == {f"{LAKE}/a", f"{TRINO}/delta.a"}


def test_only_a_mention_is_enough_and_a_column_is_one(live: LiveGraph) -> None:
    key = model.build_dataset_key(TRINO, "delta.orders.items")
    content = encode_facts(Facts(assets=(AssetFact(model.build_column_key(key, "x"), {"description": "so"}),)))
    load_items(live, [Entry(("note",), content)], source="contract/x")
    load_datasets(live, (LAKE, "orders.items"))
    load_rules(live)
    apply_rules(live)
    assert len(list_joined_names(live, LAKE, "orders.items")) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("catalogs: [{names: lake}]", "m.yaml:4: the key 'also' is missing"),
        ("catalogs:\n  - names: lake\n    also: []", "m.yaml:6: also: found a list of 0; Tuple should have at least 1 item"),
        (
            "catalogs:\n  - names: lake\n    also: trino://h",
            "m.yaml:6: also: found 'trino://h'; accepted is a list",
        ),
        ("catalogs:\n  - name: lake\n    also: [x]", "m.yaml:5: name: unknown key 'name'; did you mean 'names'?; accepted: names, also"),
        (
            "catalogs:\n  - names: lake\n    also:\n      - trino://h\n      - trino://h/",
            "m.yaml:8: trino://h is already named at m.yaml:7",
        ),
        ("catalogs:\n  - names: lake\n    also: [a]\n  - names: a\n    also: [b]", "m.yaml:7: a is already named at m.yaml:6"),
        (
            "catalogs:\n  - names: lake\n    also: [a]\n  - names: b\n    also: [lake]",
            "m.yaml:8: http://catalog:8181 is already named at",
        ),
        ("catalogs: lake", "m.yaml:4: catalogs: found 'lake'; accepted is a list"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_line(text: str, message: str) -> None:
    refused = mesh.parse_mesh_file((HEAD + text).encode(), "m.yaml").refused
    assert [str(refusal)[: len(message)] for refusal in refused][:1] == [message]
    with pytest.raises(InvalidInput, match=r"m\.yaml:"):
        mesh.parse_mesh_file((HEAD + text).encode(), "m.yaml", strict=True)


def test_a_replayed_store_joins_the_same(live: LiveGraph) -> None:
    load_datasets(live, (TRINO, "delta.orders.items"), (LAKE, "orders.items"))
    load_rules(live)
    apply_rules(live)
    with open_graph() as new:
        copy_store(live.store, new.store, None, lambda error: pytest.fail(str(error)))
        new.refresh()
        assert read_rules(new.store) == read_rules(live.store)
        loading = apply_rules(new)
        assert loading is not None
        assert count_outcomes(loading) == {"unchanged": 1}
        assert len(list_joined_names(new, LAKE, "orders.items")) == 2


def test_a_rule_that_ignores_case_joins_names_that_differ_in_nothing_else(live: LiveGraph) -> None:
    load_datasets(live, (LAKE, "SALES.ITEMS"), (LAKE, "SALES.ORDERS"), (LAKE, "sales.Orders"), (LAKE, "sales.log"))
    load_datasets(live, (TRINO, "DELTA.sales.items"), (TRINO, "delta.sales.orders"), (TRINO, "delta.sales.log"), source="openlineage/y")
    load_rules(live, "catalogs: [{names: lake, also: ['trino://trino.internal/delta'], ignore_case: true}]")
    apply_rules(live)
    assert list_joined_names(live, LAKE, "SALES.ITEMS") == {f"{LAKE}/SALES.ITEMS", f"{TRINO}/DELTA.sales.items"}
    assert len(list_joined_names(live, LAKE, "sales.log")) == 2
    for name in ("SALES.ORDERS", "sales.Orders"):
        assert len(list_joined_names(live, LAKE, name)) == 1, "which of the two is meant is unknown"
    (rule,) = read_rules(live.store)
    assert rule.ignore_case
    load_rules(live, "catalogs: [{names: lake, also: ['trino://trino.internal/delta']}]")
    apply_rules(live)
    assert len(list_joined_names(live, LAKE, "SALES.ITEMS")) == 1
