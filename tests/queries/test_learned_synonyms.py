"""Synonyms that searches learn from titles: what is learned, how it counts, and that it shows nothing of what is hidden."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshline.graph.index.restricted_index import RestrictedIndex
from meshline.graph.index.title_pairs import Pair, TitlePairs, align_title, may_mean
from meshline.graph.index.vocabulary import Vocabulary
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, Statement, build_column_key, build_dataset_key
from meshline.graph.queries.learned_synonyms import learn_synonyms, read_all_synonyms
from meshline.graph.queries.search import Scope, explain_hits, search_assets
from meshline.graph.store.synonyms import write_synonyms
from meshline.graph.word_forms import Meaning, WordPlace
from tests.queries import mesh

COLUMNS = Scope((AssetKind.COLUMN,))


@pytest.mark.parametrize(
    ("name", "title", "word", "term"),
    [
        ("kd_eml", "Customer e-mail", "kd", ("customer",)),
        ("kd_nr", "The number of the customer", "kd", ("customer",)),
        ("gp", "Business partner", "gp", ("business", "partner")),
        ("plz", "Postal code", "plz", ("postal", "code")),
        ("plz_ort", "Postal code of the ort", "plz", ("postal", "code")),
        ("kndGröße", "Größe of the client", "knd", ("client",)),
        ("straße", "Road", "strasse", ("road",)),
        ("имя_клиента", "Имя покупателя", "клиента", ("покупателя",)),
    ],
)
def test_what_is_left_over_is_a_pair(name: str, title: str, word: str, term: tuple[str, ...]) -> None:
    assert align_title(name, title) == Pair(word, term)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("dob", "Date of birth"),  # an acronym
        ("cust_eml", "Customer e-mail"),  # abbreviations
        ("customer_email", "Customer email"),
        ("customer", "Customer who bought it"),  # nothing is left over in the name
        ("kd_ab", "Customer"),  # two words of the name
        ("kd_date", "Customer date order"),  # not beside each other
        ("kd", "One two three four"),  # a sentence
        ("kd", ""),
        ("kd", "of the"),
        ("", "Customer"),
        ("42", "Customer"),
        ("kd", "2024"),
        ("x", "Customer"),  # one letter
    ],
)
def test_what_is_not_sure_is_no_pair(name: str, title: str) -> None:
    assert align_title(name, title) is None


words = st.text("abeomrstö", min_size=1, max_size=7)


@given(words, st.lists(words, min_size=1, max_size=5))
@example("aö", ["ao", "e"])
def test_what_search_finds_is_put_aside(word: str, run: list[str]) -> None:
    vocabulary = Vocabulary()
    vocabulary.add(word)
    found = [vocabulary.find_run(tuple(run))] if len(run) > 1 else [vocabulary.find(run[0]), vocabulary.find_abbreviated(run[0])]
    assert may_mean(word, run) or not any(len(one.words) for one in found)


def title_columns(table: str, **titles: str) -> list[Statement]:
    dataset = build_dataset_key("wh", table)
    return [
        mesh.build_schema_statement(dataset, *titles),
        *(mesh.build_asset_statement(build_column_key(dataset, column), title=title) for column, title in titles.items() if title),
    ]


def teach(graph: LiveGraph, *tables: str, column: str = "kd_nr", title: str = "Customer number") -> None:
    mesh.commit_statements(graph, *(one for table in tables for one in title_columns(table, **{column: title})))


def list_learned(graph: LiveGraph) -> list[tuple[str, tuple[str, ...], int]]:
    return [pair[:3] for pair in learn_synonyms(graph, graph.index)]


def search_names(graph: LiveGraph, text: str) -> list[str]:
    return mesh.list_names(graph, (entry.node for entry in search_assets(graph, graph.index, text, COLUMNS, first=50).page.entries))


def test_a_pair_in_three_tables_is_learned(graph: LiveGraph) -> None:
    teach(graph, "a", "b")
    mesh.commit_statements(graph, *title_columns("untitled", kd_x=""))
    assert list_learned(graph) == []
    assert "wh/untitled.kd_x" not in search_names(graph, "customer")
    teach(graph, "c")
    assert list_learned(graph) == [("kd", ("customer",), 3)]
    assert "wh/untitled.kd_x" in search_names(graph, "customer")
    assert search_names(graph, "customer x")[0] == "wh/untitled.kd_x"
    found = [mesh.get_node(graph, build_column_key(build_dataset_key("wh", "untitled"), "kd_x"))]
    assert explain_hits(graph, graph.index, "customers x", found) == [
        [("customers", "kd", Meaning.LEARNED, WordPlace.NAME), ("x", "x", Meaning.WORD, WordPlace.NAME)]
    ]


def test_columns_of_one_table_are_one_example(graph: LiveGraph) -> None:
    mesh.commit_statements(graph, *title_columns("a", kd_a="Customer a", kd_b="Customer b", kd_c="Customer c"))
    assert list_learned(graph) == []


def test_titles_of_tables_teach_too(graph: LiveGraph) -> None:
    tables = [build_dataset_key("wh", f"dwh.rg_{name}") for name in ("day", "month", "year")]
    mesh.commit_statements(graph, *(mesh.build_asset_statement(key, title=f"Invoice {key.name.rpartition('_')[2]}") for key in tables))
    mesh.commit_statements(graph, *(mesh.build_schema_statement(key, "id") for key in tables))
    assert list_learned(graph) == [("rg", ("invoice",), 3)]


def test_a_word_with_another_meaning_in_each_table_is_not_learned(graph: LiveGraph) -> None:
    teach(graph, "a", "b", "c")
    for number, title in enumerate(["Weight", "Height", "Length", "Width"]):
        teach(graph, f"x{number}", column="kd_nr", title=f"{title} number")
    assert list_learned(graph) == []
    teach(graph, "d")
    assert list_learned(graph) == [("kd", ("customer",), 4)]


def test_what_is_learned_is_forgotten_with_the_titles(graph: LiveGraph) -> None:
    teach(graph, "a", "b", "c")
    assert list_learned(graph)
    (_, title) = title_columns("b", kd_nr="Customer number")
    mesh.commit_statements(graph, mesh.build_retraction(title.source, title.scope, mesh.START + 1))
    assert list_learned(graph) == []
    assert len(graph.titles.collect(1)[Pair("kd", ("customer",))]) == 2


def test_loading_learns_the_same(graph: LiveGraph) -> None:
    teach(graph, "a", "b", "c")
    learned = learn_synonyms(graph, graph.index)
    again = LiveGraph.open(graph.store)
    assert learn_synonyms(again, again.index) == learned
    graph.reload()
    assert learn_synonyms(graph, graph.index) == learned


def test_a_stated_synonym_counts_more_than_a_learned_one(graph: LiveGraph) -> None:
    teach(graph, "a", "b", "c")
    mesh.commit_statements(graph, *title_columns("n", kd_x="", client_x=""))
    write_synonyms(graph.store, "mesh/a", [["customer", "client"]])
    assert [name for name in search_names(graph, "customer x") if name.startswith("wh/n.")] == ["wh/n.client_x", "wh/n.kd_x"]
    assert search_names(graph, "kd x")[0] == "wh/n.kd_x"


def test_a_mesh_file_refuses_what_is_learned(graph: LiveGraph) -> None:
    teach(graph, "a", "b", "c")
    teach(graph, "a2", "b2", "c2", column="gp_nr", title="Business partner number")
    assert [pair[0] for pair in list_learned(graph)] == ["gp", "kd"]
    write_synonyms(graph.store, "mesh/a", [], refused=[["Customers", "KD"]])
    assert [pair[0] for pair in list_learned(graph)] == ["gp"]
    write_synonyms(graph.store, "mesh/b", [["business partner", "gp"]])
    assert list_learned(graph) == [], "it is stated"
    write_synonyms(graph.store, "mesh/a", [])
    write_synonyms(graph.store, "mesh/b", [])
    assert len(read_all_synonyms(graph, graph.index).learned) == 3
    write_synonyms(graph.store, "mesh/a", [], learn=False)
    assert read_all_synonyms(graph, graph.index).learned == {}
    assert [pair[0] for pair in list_learned(graph)] == ["gp", "kd"], "they are still proposed"


def test_nothing_is_learned_from_what_is_hidden(graph: LiveGraph) -> None:
    teach(graph, "a", "b", "c")
    mesh.commit_statements(graph, *title_columns("open", kd_x=""))
    visible = np.ones(graph.index.changes.count_nodes(), np.bool_)
    hidden = build_dataset_key("wh", "b")
    visible[[mesh.get_node(graph, key) for key in (hidden, build_column_key(hidden, "kd_nr"))]] = False
    restricted = RestrictedIndex(graph.index, visible)
    assert learn_synonyms(graph, restricted) == []
    assert read_all_synonyms(graph, restricted).learned == {}
    found = search_assets(graph, restricted, "customer", COLUMNS, first=50).page.entries
    assert "wh/open.kd_x" not in mesh.list_names(graph, (entry.node for entry in found))
    teach(graph, "d")
    visible = np.concatenate([visible, np.ones(graph.index.changes.count_nodes() - len(visible), np.bool_)])
    (pair,) = learn_synonyms(graph, RestrictedIndex(graph.index, visible))
    assert (pair.word, pair.tables) == ("kd", 3)


def test_a_column_that_is_hidden_by_itself_teaches_nothing(graph: LiveGraph) -> None:
    teach(graph, "a", "b", "c")
    visible = np.ones(graph.index.changes.count_nodes(), np.bool_)
    visible[mesh.get_node(graph, build_column_key(build_dataset_key("wh", "a"), "kd_nr"))] = False
    assert learn_synonyms(graph, RestrictedIndex(graph.index, visible)) == []


def test_an_unchanged_statement_is_not_read_again() -> None:
    graph = mesh.build_graph()
    teach(graph, "a", "b", "c")
    titles = TitlePairs()
    heads = graph.store.read_changes(0).heads
    titles.record(heads)
    assert not titles.prepare(0)
    assert titles.prepare()
    generation = titles.generation
    titles.record([head._replace(last_observed=head.last_observed + 1) for head in heads])
    assert titles.prepare(0)
    assert titles.generation == generation
    titles.record([head._replace(content=None) for head in heads])
    assert titles.collect(1) == {}
    graph.store.close()


def test_a_past_time_uses_what_people_state(graph: LiveGraph) -> None:
    teach(graph, "a", "b", "c")
    past = graph.get_index(mesh.START + 10)
    assert read_all_synonyms(graph, graph.index).learned
    assert not read_all_synonyms(graph, past).learned
