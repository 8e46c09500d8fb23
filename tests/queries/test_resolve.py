"""Names that users type, resolved to one asset."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshline.errors import Ambiguous, InvalidInput, NotFound
from meshline.graph.index import LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import (
    KINDS,
    AssetFact,
    EdgeFact,
    EdgeType,
    Facts,
    Statement,
    build_column_key,
    build_data_product_key,
    build_dataset_key,
    build_domain_key,
    build_owner_key,
    from_micros,
)
from meshline.graph.naming import Naming
from meshline.graph.queries.resolve import find_as_of, get_node, resolve_name
from meshline.words import format_time
from tests.index.heads import state_rename
from tests.index.strategies import column_renames, draw_lists, lineages, merges, renames, schemas
from tests.queries import mesh
from tests.sizes import count_examples


def test_long_names_cost_no_more_than_their_length(graph: LiveGraph) -> None:
    """Each way to cut a name at its dots and slashes would take minutes."""
    began = time.process_time()
    for text in ("a." * 2048, "a/" * 2048, "a/b." * 1024, "customers." * 400, "x" * 4096, "./" * 2048):
        with pytest.raises((NotFound, InvalidInput)):
            resolve_name(graph.index, graph.store, Naming(), text)
    assert time.process_time() - began < 30


def test_a_column_in_a_column_is_found_by_its_path(graph: LiveGraph) -> None:
    nested = ".".join(f"level{number}" for number in range(30))
    mesh.commit_statements(graph, mesh.build_schema_statement(mesh.ORDERS, nested, at=mesh.START + mesh.SECOND))
    for text in (f"wh/sales.orders.{nested}", nested):
        assert resolve_text(graph, text) == f"wh/sales.orders.{nested}"


def resolve_text(graph: LiveGraph, text: str) -> str:
    return graph.index.assets.get_key(resolve_name(graph.index, graph.store, Naming(), text)).qualified_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (mesh.EMAIL.id, "pg/shop.customers.email"),
        ("pg/shop.customers", "pg/shop.customers"),
        ("pg//shop.customers/", "pg/shop.customers"),
        ("pg/shop.customers.email", "pg/shop.customers.email"),
        ("shop.customers", "pg/shop.customers"),
        ("customers", "pg/shop.customers"),
        ("customers.email", "pg/shop.customers.email"),
        ("email", "pg/shop.customers.email"),
        ("  EMAIL ", "pg/shop.customers.email"),
        ("Customers.Email", "pg/shop.customers.email"),
        ("airflow/load_orders", "airflow/load_orders"),
        ("load_orders", "airflow/load_orders"),
        ("finance", "finance"),
        ("team:finance", "team:finance"),
        ("domain:finance", "finance"),
        ("dataset:orders", "wh/sales.orders"),
        ("product:orders", "orders"),
        ("orders", "orders"),
        ("revenue-v1", "revenue-v1"),
    ],
)
def test_resolve(graph: LiveGraph, text: str, name: str) -> None:
    assert resolve_text(graph, text) == name


def explain_past(graph: LiveGraph, text: str, as_of: int) -> str:
    """The error for a name that finds nothing as of a time."""
    with pytest.raises(NotFound) as error:
        find_as_of(graph, graph.get_index(as_of), lambda index: resolve_name(index, graph.store, Naming(), text))
    return str(error.value)


def test_what_was_not_known_then_is_known_since_its_first_statement_later(graph: LiveGraph) -> None:
    """Not since the statement that is in effect now, which may have replaced others; one of before, and of other assets, does not count."""
    first, then = mesh.START + 10 * mesh.SECOND, mesh.START + 5 * mesh.SECOND
    new = build_dataset_key("wh", "sales.refunds")
    scope = ("refunds",)
    mesh.commit_statements(
        graph,
        mesh.build_statement(mesh.LINEAGE, scope, Facts(assets=(AssetFact(mesh.ORDERS, {}),)), mesh.START + 7 * mesh.SECOND),
        mesh.build_statement(mesh.LINEAGE, scope, Facts(assets=(AssetFact(new, {"title": "1"}),)), first),
        mesh.build_statement(mesh.LINEAGE, scope, Facts(assets=(AssetFact(new, {"title": "2"}),)), first + mesh.SECOND),
    )
    since = f"'dataset:wh/sales.refunds' is not known as of {format_time(from_micros(then))}: its sources state it since "
    for text in ("sales.refunds", new.id):
        assert explain_past(graph, text, then) == since + format_time(from_micros(first))
    assert "no asset is called 'refundz'" in explain_past(graph, "refundz", then)
    assert "is not known" not in explain_past(graph, "sales", then), "several have the name now: which one is meant is not known"
    with pytest.raises(NotFound, match="no asset is called"):
        find_as_of(graph, graph.index, lambda index: resolve_name(index, graph.store, Naming(), "refundz"))


def test_what_had_another_name_then_is_found_by_it(graph: LiveGraph) -> None:
    later, new = mesh.START + 10 * mesh.SECOND, build_dataset_key("wh", "sales.turnover")
    renamed = Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, mesh.REVENUE, new),))
    scope = ("dataset-renamed", *new.parts, *mesh.REVENUE.parts, str(later))
    mesh.commit_statements(graph, mesh.build_statement(mesh.LINEAGE, scope, renamed, later))
    assert explain_past(graph, "sales.turnover", later - 1).endswith(
        f": 'dataset:{mesh.REVENUE.qualified_name}' is, which was its name before"
    )


def test_a_former_name_finds_the_column_unless_another_has_the_name_now(graph: LiveGraph) -> None:
    later = mesh.START + mesh.SECOND

    def rename(old: str, new: str) -> None:
        facts = Facts(edges=(EdgeFact(EdgeType.RENAMED_TO, build_column_key(mesh.REVENUE, old), build_column_key(mesh.REVENUE, new)),))
        mesh.commit_statements(graph, mesh.build_statement("iceberg/lake", ("column-renamed", *mesh.REVENUE.parts, old, new), facts, later))

    rename("day", "date")
    for text in ("wh/fin.revenue.day", "revenue.day", "Revenue.DAY", "revenue.date"):
        assert resolve_text(graph, text) == "wh/fin.revenue.date"
    rename("total", "day")
    rename("date", "total")
    for text in ("wh/fin.revenue.day", "revenue.day", "Revenue.DAY"):
        assert resolve_text(graph, text) == "wh/fin.revenue.day"


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("total", ("column:wh/fin.revenue.total", "column:wh/sales.orders.total")),
        ("dataset:re", ()),
        ("id", ("column:pg/shop.customers.id", "column:wh/sales.orders.id")),
    ],
)
def test_ambiguous(graph: LiveGraph, text: str, candidates: tuple[str, ...]) -> None:
    if not candidates:
        with pytest.raises(NotFound):
            resolve_text(graph, text)
        return
    with pytest.raises(Ambiguous) as caught:
        resolve_text(graph, text)
    assert caught.value.candidates == candidates
    for candidate in candidates:
        assert f"column:{resolve_text(graph, candidate)}" == candidate


def test_a_suffix_begins_at_a_boundary(graph: LiveGraph) -> None:
    with pytest.raises(NotFound):
        resolve_text(graph, "ustomers")
    with pytest.raises(NotFound):
        resolve_text(graph, "mail")


def test_near_misses_are_named(graph: LiveGraph) -> None:
    with pytest.raises(NotFound, match=r"did you mean pg/shop\.customers") as caught:
        resolve_text(graph, "custmers")
    assert caught.value.code == "NOT_FOUND"


def test_an_alias_finds_the_class(graph: LiveGraph) -> None:
    path = build_dataset_key("s3://lake", "raw/customers_v2")
    mesh.commit_statements(graph, mesh.build_edge_statement(EdgeType.SAME_AS, path, mesh.CUSTOMERS, why="location"))
    for text in ("s3a://lake/raw/customers_v2", "raw/customers_v2", "customers_v2", path.id):
        assert resolve_name(graph.index, graph.store, Naming(), text) == mesh.get_node(graph, mesh.CUSTOMERS)
    assert resolve_name(graph.index, graph.store, Naming(), "customers_v2.email") == mesh.get_node(graph, mesh.EMAIL)


def test_the_exact_name_wins_over_the_suffix(graph: LiveGraph) -> None:
    mesh.commit_statements(graph, mesh.build_schema_statement(build_dataset_key("wh", "a.orders.orders"), "x"))
    assert resolve_text(graph, "orders") == build_data_product_key("orders").qualified_name


def test_names_of_two_kinds(graph: LiveGraph) -> None:
    mesh.commit_statements(graph, mesh.build_asset_statement(build_owner_key("finance"), title="x"))
    with pytest.raises(Ambiguous) as caught:
        resolve_text(graph, "finance")
    assert caught.value.candidates == ("domain:finance", "owner:finance")


@pytest.mark.parametrize("text", ["", "   ", "x" * 5000])
def test_no_name(graph: LiveGraph, text: str) -> None:
    with pytest.raises(InvalidInput):
        resolve_text(graph, text)


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE asset; --", '"*"', "a OR b", "%", "\x00", "NEAR(a b)", "../../etc/passwd", "💥", "_", "..."]
)
def test_hostile_names_find_nothing(graph: LiveGraph, text: str) -> None:
    with pytest.raises(NotFound):
        resolve_text(graph, text)


def test_ids(graph: LiveGraph) -> None:
    assert get_node(graph.index, mesh.COMMERCE.id) == mesh.get_node(graph, build_domain_key("commerce"))
    for unknown in ("", "ds_", "ds_" + "0" * 32, "x" * 10_000, build_column_key(mesh.ORDERS, "nope").id):
        with pytest.raises(NotFound):
            get_node(graph.index, unknown)


def describe_resolution(graph: LiveGraph, text: str) -> str:
    try:
        return resolve_text(graph, text)
    except Ambiguous as error:
        return str(error)
    except NotFound:
        return ""


@given(draw_lists(st.one_of(lineages, schemas, renames, column_renames, merges), 5))
@example([state_rename("b", "d", 0), state_rename("a", "d", 1)])  # two assets that had the name: it means the last one
@settings(max_examples=count_examples(25), deadline=None)
def test_names_found_by_the_index_are_those_that_the_search_finds(statements: list[Statement]) -> None:
    graph = mesh.build_graph(*statements)
    names = {key.qualified_name for kind in KINDS for node in graph.index.assets.list_of_kind(kind)
             for key in graph.index.assets.list_names(node, former=True)}  # fmt: skip
    texts = {
        spelled for name in names for spelled in (name, name.partition("/")[2], name.rpartition(".")[2], name[1:], f"x{name}", name.upper())
    }
    expected = {text: describe_resolution(graph, text) for text in sorted(texts)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LineageIndex, "find_named", lambda *_: None)
        assert {text: describe_resolution(graph, text) for text in sorted(texts)} == expected
    graph.store.close()


def test_a_name_that_nothing_has_is_refused_without_a_search_of_the_store(graph: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("the store was searched")

    monkeypatch.setattr(type(graph.store), "search", fail)
    for text, name in (
        ("shop.custmers", "pg/shop.customers"),
        ("pg/shop.custmers.email", "pg/shop.customers.email"),
        ("customers.emial", "pg/shop.customers.email"),
        ("CUSTMERS", "pg/shop.customers"),
    ):
        with pytest.raises(NotFound, match=f"did you mean {name}[ ?]"):
            resolve_text(graph, text)
