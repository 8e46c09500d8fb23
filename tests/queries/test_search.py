from __future__ import annotations

import itertools

import numpy as np
import pytest

from meshline.graph.index.restricted_index import RestrictedIndex
from meshline.graph.index.results import WordMatch
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, EdgeType, build_column_key, build_consumer_key, build_dataset_key, build_job_key
from meshline.graph.queries import search
from meshline.graph.queries.pages import SortKey
from meshline.graph.queries.search import Scope, explain_hits, search_assets
from meshline.graph.store.synonyms import write_synonyms
from meshline.graph.word_forms import Meaning, WordPlace
from tests.queries import mesh


def search_names(graph: LiveGraph, text: str, **wanted: object) -> list[str]:
    hits = search_assets(graph, graph.index, text, Scope(**wanted), first=50)  # type: ignore[arg-type]
    return mesh.list_names(graph, (entry.node for entry in hits.page.entries))


def test_the_exact_name_comes_first(graph: LiveGraph) -> None:
    assert search_names(graph, "orders")[:3] == ["orders", "wh/sales.orders", "airflow/load_orders"]
    assert search_names(graph, "email", kinds=(AssetKind.COLUMN,)) == ["pg/shop.customers.email", "wh/sales.orders.email_hash"]


def test_datasets_are_found_by_their_columns(graph: LiveGraph) -> None:
    assert search_names(graph, "email") == [
        "pg/shop.customers.email",
        "wh/sales.orders.email_hash",
        "wh/sales.orders",
        "pg/shop.customers",
    ]
    assert search_names(graph, "customers with an email", kinds=(AssetKind.DATASET,)) == ["pg/shop.customers"]
    customers = mesh.get_node(graph, mesh.CUSTOMERS)
    assert explain_hits(graph, graph.index, "customers with an email", [customers])[0] == [
        ("customers", "customers", Meaning.WORD, WordPlace.NAME),
        ("email", "email", Meaning.WORD, WordPlace.COLUMN),
    ]


def test_words_may_be_begun_and_in_any_order(graph: LiveGraph) -> None:
    assert search_names(graph, "ord sal", kinds=(AssetKind.DATASET,)) == ["wh/sales.orders"]
    assert search_names(graph, "written customer")[0] == "pg/shop.customers.email"
    assert search_names(graph, "board") == ["dashboard"]


def test_names_are_found_by_what_their_words_may_mean(graph: LiveGraph) -> None:
    columns = (AssetKind.COLUMN,)
    assert search_names(graph, "cust eml", kinds=columns)[0] == "pg/shop.customers.email"
    assert search_names(graph, "customer emails", kinds=columns)[0] == "pg/shop.customers.email"
    mesh.commit_statements(graph, mesh.build_schema_statement(mesh.REPORT, "cstmr_dob"))
    assert search_names(graph, "date of birth of a customer")[0] == "wh/fin.report.cstmr_dob"
    assert explain(graph, "date of birth of a customer") == [
        ("date", "dob", Meaning.ACRONYM, WordPlace.NAME),
        ("birth", "dob", Meaning.ACRONYM, WordPlace.NAME),
        ("customer", "cstmr", Meaning.ABBREVIATION, WordPlace.NAME),
    ]
    assert explain(graph, "written customer") == [
        ("written", "written", Meaning.TEXT, WordPlace.TEXT),
        ("customer", "customers", Meaning.INFLECTION, WordPlace.CONTEXT),
    ]


def explain(graph: LiveGraph, text: str) -> list[WordMatch]:
    (best, *_) = search_assets(graph, graph.index, text, first=1).page.entries
    return explain_hits(graph, graph.index, text, [best.node])[0]


def test_names_of_other_languages_are_found(graph: LiveGraph) -> None:
    names = ["größe_cm", "KundenCafé", "имя_клиента", "顧客コード", "cafeteria"]
    mesh.commit_statements(
        graph,
        mesh.build_schema_statement(build_dataset_key("wh", "zz"), *names),
        mesh.build_asset_statement(build_column_key(build_dataset_key("wh", "zz"), "größe_cm"), description="Länge der Schärpe"),
    )

    def find_first(text: str) -> str:
        return search_names(graph, text, kinds=(AssetKind.COLUMN,))[0].removeprefix("wh/zz.")

    assert {find_first(text) for text in ("größe", "GRÖSSE", "grosse", "groesse", "größen", "grss cm", "gro\u0308ße", "größ")} == {
        "größe_cm"
    }
    assert {find_first(text) for text in ("kunden cafe", "kunden café", "KUNDENCAFÉ", "kundencafe", "cafe kund")} == {"KundenCafé"}
    assert {find_first(text) for text in ("клиента", "ИМЯ", "клиент")} == {"имя_клиента"}
    assert {find_first(text) for text in ("顧客", "コード", "顧客 コード")} == {"顧客コード"}
    assert {find_first(text) for text in ("schärpe", "scharpe", "schaerpe", "Schärpen laenge")} == {"größe_cm"}
    assert search_names(graph, "cafe", kinds=(AssetKind.COLUMN,)) == ["wh/zz.cafeteria", "wh/zz.KundenCafé"], "it begins with it"
    assert explain(graph, "grosse cm") == [
        ("grosse", "grösse", Meaning.WORD, WordPlace.NAME),
        ("cm", "cm", Meaning.WORD, WordPlace.NAME),
    ]


def test_quoted_words_must_be_there(graph: LiveGraph) -> None:
    assert "wh/sales.orders.email_hash" in search_names(graph, "email shop")
    assert search_names(graph, '"email" "shop"') == ["pg/shop.customers.email"]
    assert search_names(graph, 'email "nosuchword"') == []


def test_an_answer_that_covers_more_comes_first(graph: LiveGraph) -> None:
    """More of the question, then fewer other words; and what covers less than a third is left out."""
    names = ["order_total", "order_total_tax", "order_date", "total", "unrelated"]
    mesh.commit_statements(graph, mesh.build_schema_statement(build_dataset_key("wh", "zz"), *names))
    found = [name.removeprefix("wh/zz.") for name in search_names(graph, "order total") if name.startswith("wh/zz.")]
    assert found == ["order_total", "order_total_tax", "total", "order_date"] or found == [
        "order_total",
        "order_total_tax",
        "order_date",
        "total",
    ]


def test_one_search_ranks_so_many(graph: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = search_names(graph, "orders total")
    monkeypatch.setattr(search, "MAX_FOUND", 3)
    hits = search_assets(graph, graph.index, "orders total", first=50)
    assert hits.truncated
    assert hits.total == 3
    assert mesh.list_names(graph, (entry.node for entry in hits.page.entries)) == everything[:3]


def test_filters(graph: LiveGraph) -> None:
    assert search_names(graph, "total", domain=mesh.get_node(graph, mesh.FINANCE)) == ["wh/fin.revenue.total", "wh/fin.revenue"]
    assert search_names(graph, "total", owner=mesh.get_node(graph, mesh.SHOP_TEAM)) == ["wh/sales.orders.total", "wh/sales.orders"]
    assert search_names(graph, "email", tag="pii") == ["pg/shop.customers.email"]
    assert search_names(graph, "", tag="class=secret") == ["pg/shop.customers.email"]
    assert search_names(graph, "", tag="class") == ["pg/shop.customers.email"]
    assert search_names(graph, "", tag="class=public") == []
    assert search_names(graph, "orders", tag="pii") == []


def test_a_text_without_words_finds_nothing(graph: LiveGraph) -> None:
    assert search_names(graph, "") == search_names(graph, " .,; ") == search_names(graph, "nosuchword") == []


def test_what_is_only_inferred_is_not_found(graph: LiveGraph) -> None:
    cte = build_dataset_key("wh", "some_cte")
    mesh.commit_statements(
        graph,
        mesh.build_run_statement(
            mesh.SUM, [mesh.ORDERS], mesh.REPORT, mesh.build_flow(build_column_key(cte, "total"), build_column_key(mesh.REPORT, "total"))
        ),
    )
    assert "wh/some_cte.total" not in search_names(graph, "total")
    assert search_names(graph, "some_cte") == []


def test_steps_without_data_are_found_by_their_name_only(graph: LiveGraph) -> None:
    parent, step, reader = (build_job_key("dbt", name) for name in ("stg_items", "stg_items.sql.1", "stg_items.check"))
    mesh.commit_statements(
        graph,
        mesh.build_edge_statement(EdgeType.PART_OF, step, parent),
        mesh.build_edge_statement(EdgeType.PART_OF, reader, parent),
        mesh.build_edge_statement(EdgeType.READS, reader, mesh.ORDERS),
    )
    assert search_names(graph, "stg items") == ["dbt/stg_items", "dbt/stg_items.check"]
    assert search_names(graph, "stg_items.sql.1")[0] == "dbt/stg_items.sql.1"
    assert "dbt/stg_items.sql.1" not in search_names(graph, "stg items")


def test_a_retracted_column_is_not_found(graph: LiveGraph) -> None:
    statement = mesh.build_schema_statement(mesh.CUSTOMERS)
    mesh.commit_statements(
        graph, mesh.build_retraction(statement.source, statement.scope, mesh.START + 1), mesh.build_schema_statement(mesh.REPORT, "cents")
    )
    assert search_names(graph, "cents", kinds=(AssetKind.COLUMN,)) == ["wh/fin.report.cents"]
    assert search_names(graph, "shop id")[0] == "pg/shop.customers.id"  # lineage still mentions it


def test_pages_of_assets_with_two_names(graph: LiveGraph) -> None:
    """Equal hits come in the order of the names that were hit, which is not that of the names that are shown."""
    pairs = [(build_dataset_key("a", f"t{n}.invoices"), build_dataset_key("z", f"s{9 - n}.invoices")) for n in range(5)]
    mesh.commit_statements(
        graph,
        *(mesh.build_edge_statement(EdgeType.SAME_AS, path, table, why="location") for path, table in pairs),
        *(mesh.build_schema_statement(table, "invoice_no", "invoice_day") for _, table in pairs),
        *(mesh.build_schema_statement(build_dataset_key("m", f"{n}.invoices"), "invoice_no") for n in range(3)),
    )
    everything = [entry.node for entry in search_assets(graph, graph.index, "invoice", first=100).page.entries]
    assert len(everything) == len(set(everything)) == 21
    for size in (1, 4):
        seen: list[int] = []
        after: SortKey | None = None
        while True:
            page = search_assets(graph, graph.index, "invoice", first=size, after=after).page
            seen += [entry.node for entry in page.entries]
            if not page.has_next:
                break
            after = page.entries[-1].key
        assert seen == everything
    assert after is not None
    left_graph = after._replace(names=("z", "zzz"))
    assert search_assets(graph, graph.index, "invoice", first=100, after=left_graph).page.entries == ()


def test_pages(graph: LiveGraph) -> None:
    everything = search_names(graph, "total") + search_names(graph, "orders")
    assert len(everything) > 3
    seen: list[str] = []
    after: SortKey | None = None
    for _ in range(20):
        hits = search_assets(graph, graph.index, "orders", first=2, after=after)
        seen += mesh.list_names(graph, (entry.node for entry in hits.page.entries))
        assert hits.total == len(search_names(graph, "orders"))
        if not hits.page.has_next:
            break
        after = hits.page.entries[-1].key
    assert seen == search_names(graph, "orders")


def test_synonyms_find_names(graph: LiveGraph) -> None:
    columns = (AssetKind.COLUMN,)
    assert search_names(graph, "letterbox", kinds=columns) == search_names(graph, "electronic letter", kinds=columns) == []
    write_synonyms(graph.store, "mesh/a", [["e-mail", "letterbox", "email"], ["electronic letter", "email"]])
    write_synonyms(graph.store, "mesh/b", [["sum", "total"]])
    assert search_names(graph, "letterboxes", kinds=columns) == ["pg/shop.customers.email", "wh/sales.orders.email_hash"]
    assert search_names(graph, "electronic letter", kinds=columns)[0] == "pg/shop.customers.email"
    assert explain(graph, "letterbox of a customer") == [
        ("letterbox", "email", Meaning.SYNONYM, WordPlace.NAME),
        ("customer", "customers", Meaning.INFLECTION, WordPlace.CONTEXT),
    ]
    assert "wh/fin.revenue.total" in search_names(graph, "sum", kinds=columns)
    write_synonyms(graph.store, "mesh/c", [["Briefkästen", "email"]])
    assert search_names(graph, "briefkasten", kinds=columns)[0] == "pg/shop.customers.email"
    write_synonyms(graph.store, "mesh/c", [])
    write_synonyms(graph.store, "mesh/a", [])
    assert search_names(graph, "letterbox", kinds=columns) == []
    assert "wh/fin.revenue.total" in search_names(graph, "sum", kinds=columns)


def test_a_column_inherits_the_texts_of_those_from_which_its_values_come(graph: LiveGraph) -> None:
    source, copies = (
        build_column_key(mesh.REPORT, "raw"),
        [build_column_key(build_dataset_key("wh", f"copy{n}"), f"v{n}") for n in range(4)],
    )
    masked = build_column_key(build_dataset_key("wh", "copy9"), "v9")
    flows = [mesh.build_flow(start, end) for start, end in itertools.pairwise([source, *copies])]
    datasets = [build_dataset_key("wh", f"copy{n}") for n in (0, 1, 2, 3, 9)]
    mesh.commit_statements(
        graph,
        mesh.build_schema_statement(mesh.REPORT, "raw"),
        *(mesh.build_schema_statement(dataset, key.name) for dataset, key in zip(datasets, [*copies, masked], strict=True)),
        *(
            mesh.build_run_statement(build_job_key("dbt", dataset.name), [], dataset, flow)
            for dataset, flow in zip(datasets[:-1], flows, strict=True)
        ),
        mesh.build_run_statement(build_job_key("dbt", "m"), [mesh.REPORT], datasets[-1], mesh.build_flow(source, masked, masking=True)),
        mesh.build_asset_statement(source, description="The zenith angle."),
    )
    names = [f"wh/copy{n}.v{n}" for n in range(3)]
    assert search_names(graph, "zenith angles") == ["wh/fin.report.raw", *names]
    assert search_names(graph, "v2 zenith")[0] == "wh/copy2.v2"
    reasons = explain_hits(graph, graph.index, "zenith", [mesh.get_node(graph, key) for key in (source, copies[1], masked)])
    assert reasons == [
        [("zenith", "zenith", Meaning.TEXT, WordPlace.TEXT)],
        [("zenith", "zenith", Meaning.TEXT, WordPlace.INHERITED)],
        [],
    ]
    visible = np.ones(graph.index.changes.count_nodes(), np.bool_)
    visible[[mesh.get_node(graph, key) for key in (copies[0], datasets[0])]] = False
    restricted = RestrictedIndex(graph.index, visible)
    found = search_assets(graph, restricted, "zenith", first=10).page.entries
    assert mesh.list_names(graph, (entry.node for entry in found)) == ["wh/fin.report.raw"]


def test_of_equal_results_those_that_are_used_more_come_first(graph: LiveGraph) -> None:
    tables = [build_dataset_key("wh", f"t{n}.ledger") for n in range(4)]
    mesh.commit_statements(graph, *(mesh.build_schema_statement(table, "posted_at") for table in tables))
    names = [f"wh/t{n}.ledger.posted_at" for n in range(4)]
    assert search_names(graph, "posted ledger", kinds=(AssetKind.COLUMN,)) == names
    uses = [(3, "x"), (3, "y"), (3, "z"), (2, "x")]
    mesh.commit_statements(
        graph,
        *(mesh.build_edge_statement(EdgeType.CONSUMES, build_consumer_key(name), tables[n]) for n, name in uses),
        mesh.build_edge_statement(EdgeType.CONSUMES, build_consumer_key("x"), build_column_key(tables[2], "posted_at")),
    )
    assert search_names(graph, "posted ledger", kinds=(AssetKind.COLUMN,)) == [names[3], names[2], names[0], names[1]]
    assert search_names(graph, "t0 posted ledger", kinds=(AssetKind.COLUMN,))[0] == names[0]
    visible = np.ones(graph.index.changes.count_nodes(), np.bool_)
    visible[[mesh.get_node(graph, build_consumer_key(name)) for name in "xyz"]] = False
    found = search_assets(graph, RestrictedIndex(graph.index, visible), "posted ledger", Scope((AssetKind.COLUMN,)), first=10)
    assert mesh.list_names(graph, (entry.node for entry in found.page.entries)) == names
