"""The mesh file: loading replaces what the same source stated before, over a real store and index."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, EdgeType, Precedence
from meshline.graph.naming import Naming
from meshline.graph.naming_rules import Rule, build_prefix
from meshline.graph.store.base import Batch, Changes, RunReader, Store
from meshline.graph.store.factory import open_store
from meshline.graph.store.synonyms import read_learning_rules, read_synonyms
from meshline.ingest import mesh
from meshline.ingest.catalog_aliases import read_rules, write_rules

T = 1_709_294_400_000_000


@pytest.fixture
def graph() -> Iterator[LiveGraph]:
    store = open_store(":memory:")
    yield LiveGraph.open(store)
    store.close()


def load_mesh_text(graph: LiveGraph, text: str, time: int, naming: Naming | None = None) -> mesh.Loading:
    return mesh.load_mesh(graph, mesh.parse_mesh_file(f"version: 1\nsource: shop\n{text}".encode(), "mesh.yaml"), naming or Naming(), time)


def count_outcomes(loading: mesh.Loading) -> tuple[int, int, int, int]:
    return loading.new + loading.changed, loading.unchanged, loading.retracted, loading.kept


def list_names(graph: LiveGraph, kind: AssetKind) -> list[str]:
    return [graph.index.assets.get_key(node).name for node in graph.index.assets.list_of_kind(kind)]


AB = "domains: [{name: a}, {name: b, owner: o}]"
A = "domains: [{name: a}]"


def test_statements_removed_from_the_file_are_retracted(graph: LiveGraph) -> None:
    assert count_outcomes(load_mesh_text(graph, AB, T)) == (2, 0, 0, 0)
    assert list_names(graph, AssetKind.DOMAIN) == ["a", "b"]
    assert count_outcomes(load_mesh_text(graph, A, T + 10)) == (0, 1, 1, 0)
    assert list_names(graph, AssetKind.DOMAIN) == ["a"]
    assert list_names(graph, AssetKind.OWNER) == []
    before = graph.get_index(T + 5)
    assert [before.assets.get_key(node).name for node in before.assets.list_of_kind(AssetKind.DOMAIN)] == ["a", "b"]


def test_the_same_file_twice_changes_nothing(graph: LiveGraph) -> None:
    first = load_mesh_text(graph, AB, T)
    again = load_mesh_text(graph, AB, T + 10)
    assert count_outcomes(again) == (0, 2, 0, 0)
    assert again.revision == first.revision == graph.store.read_revision()


@pytest.mark.parametrize("time", [T, T + 10, T - 1_000_000, T + 10_000_000])
def test_a_rollback_takes_effect_whatever_its_time(graph: LiveGraph, time: int) -> None:
    load_mesh_text(graph, AB, T)
    load_mesh_text(graph, A, T + 10)
    assert count_outcomes(load_mesh_text(graph, AB, time))[0] == 1
    assert list_names(graph, AssetKind.DOMAIN) == ["a", "b"]


def test_a_change_at_the_same_time_takes_effect(graph: LiveGraph) -> None:
    for title in ("One", "Two", "Three"):
        load_mesh_text(graph, f"domains: [{{name: a, title: {title}}}]", T)
        node = graph.index.assets.list_of_kind(AssetKind.DOMAIN)[0]
        assert [row.value for row in graph.read_facts(graph.index, [node])[node] if row.attribute == "title"] == [title]


def test_other_sources_are_left_alone(graph: LiveGraph) -> None:
    mesh.load_mesh(graph, mesh.parse_mesh_file(b"version: 1\nsource: other\ndomains: [{name: c}]", "m.yaml"), Naming(), T)
    load_mesh_text(graph, AB, T)
    load_mesh_text(graph, "", T + 1)
    assert list_names(graph, AssetKind.DOMAIN) == ["c"]


def test_a_file_with_refused_entries_retracts_nothing(graph: LiveGraph) -> None:
    load_mesh_text(graph, AB, T)
    loading = load_mesh_text(graph, "domains: [{name: a}, {name: b, ownr: o}]", T + 1)
    assert (loading.retracted, loading.kept, len(loading.refused)) == (0, 1, 1)
    assert list_names(graph, AssetKind.DOMAIN) == ["a", "b"]


def test_every_kind_of_entry_is_retracted(graph: LiveGraph) -> None:
    everything = """
teams: [{name: t}]
people: [{name: p}]
products: [{name: x, output_ports: [{dataset: ns/o}]}]
owners: [{dataset: ns/d, owner: t}, {dataset: ns/d, column: c, owner: t}, {product: x, owner: p}]
contracts: [{id: k, dataset: ns/d}]
consumers: [{name: u, consumes: [{dataset: ns/d, columns: [c]}]}]
datasets: [{dataset: ns/e, description: e}]
same_as: [{a: ns/f, b: ns/g, why: so}]
"""
    assert count_outcomes(load_mesh_text(graph, AB + everything, T))[0] == 12
    assert count_outcomes(load_mesh_text(graph, "", T + 1)) == (0, 0, 12, 0)
    assert [kind for kind in AssetKind if list_names(graph, kind)] == []


def test_naming_rules_other_than_the_graph_s_are_refused(graph: LiveGraph) -> None:
    rules = "naming: {trimmers: [{pattern: '/x$'}]}"
    with pytest.raises(InvalidInput, match="meshline replay"):
        load_mesh_text(graph, rules, T)
    assert load_mesh_text(graph, rules, T, Naming([("/x$", "")])).new == 0


def test_a_store_remembers_its_rules() -> None:
    store = open_store(":memory:")
    naming, precedence = Naming([("/x$", "")]), Precedence(people=("dbt",))
    mesh.configure_store(store, naming, precedence)
    again = mesh.configure_store(store)
    assert (again[0].digest, again[1]) == (naming.digest, precedence)
    assert store.read_setting("naming") == naming.digest
    live = LiveGraph.open(store)
    load_mesh_text(live, A, T)
    with pytest.raises(InvalidInput, match="meshline replay"):
        mesh.configure_store(store, Naming())
    store.close()


def interrupt(monkeypatch: pytest.MonkeyPatch, store: Store, setting: str, other: Callable[[], object]) -> None:
    """Let another process act just after a setting of the store was first read."""
    read, waiting = store.read_setting, [other]

    def read_setting(name: str) -> str | None:
        value = read(name)
        if waiting and name == setting:
            waiting.pop()()
        return value

    monkeypatch.setattr(store, "read_setting", read_setting)


def test_rules_of_two_mesh_files_written_at_once_are_both_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(":memory:")
    one, other = (Rule(build_prefix(f"s3://{name}", ""), build_prefix("s3://lake", "")) for name in ("one", "other"))
    interrupt(monkeypatch, store, "catalogs", lambda: write_rules(store, "b", [other]))
    write_rules(store, "a", [one])
    assert read_rules(store) == [one, other]
    store.close()


def test_naming_rules_do_not_change_under_keys_that_are_written_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(":memory:")
    interrupt(monkeypatch, store, "naming", lambda: load_mesh_text(LiveGraph.open(store), A, T))
    with pytest.raises(InvalidInput, match="meshline replay"):
        mesh.configure_store(store, Naming([("/x$", "")]))
    assert mesh.configure_store(store)[0].digest == Naming().digest
    store.close()


def test_naming_and_precedence_are_written_in_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(":memory:")
    commits: list[Batch] = []
    commit = store.commit

    def keep(build: Callable[[RunReader], Batch]) -> Changes:
        def keep_batch(reader: RunReader) -> Batch:
            commits.append(build(reader))
            return commits[-1]

        return commit(keep_batch)

    monkeypatch.setattr(store, "commit", keep)
    naming, precedence = Naming([("/x$", "")]), Precedence(people=("dbt",))
    for _ in range(2):
        mesh.configure_store(store, naming, precedence)
    assert [sorted(batch.settings) for batch in commits] == [["naming", "naming.rules", "precedence"]], "and nothing when nothing differs"
    store.close()


def test_what_the_file_states_is_in_the_index(graph: LiveGraph) -> None:
    load_mesh_text(graph, "domains: [{name: a, owner: t@x.org}]\nteams: [{name: t, email: t@x.org}]\nproducts: [{name: p, domain: a}]", T)
    index = graph.index
    product, domain = index.assets.find_by_key(model.build_data_product_key("p")), index.assets.find_by_key(model.build_domain_key("a"))
    assert product is not None
    assert domain is not None
    assert index.ownership.find_domain(product) == domain
    assert [index.assets.get_key(owned.owner).name for owned in index.ownership.list_owners(product)] == ["t"]
    assert [index.assets.get_key(edge.start).name for edge in index.ownership.list_edges(domain, EdgeType.OWNS, incoming=True)] == ["t"]


def test_synonyms_of_a_file_replace_those_that_it_had(graph: LiveGraph) -> None:
    load_mesh_text(graph, "synonyms: [[customer, Client, kunde], [zip, postal code]]", T)
    assert read_synonyms(graph.store).stated == {
        ("customer",): ("client", "kunde"),
        ("client",): ("customer", "kunde"),
        ("kunde",): ("customer", "client"),
        ("postal", "code"): ("zip",),
    }
    load_mesh_text(graph, A, T)
    assert read_synonyms(graph.store).stated == {}


def test_a_file_refuses_synonyms_that_are_learned(graph: LiveGraph) -> None:
    assert read_learning_rules(graph.store) == (True, frozenset())
    load_mesh_text(graph, "learn_synonyms: false\nnot_synonyms: [[kd, Orders], [gp, postal codes]]", T)
    pairs = {(("kd",), ("order",)), (("gp",), ("postal", "cod"))}
    assert read_learning_rules(graph.store) == (False, pairs | {(term, word) for word, term in pairs})
    load_mesh_text(graph, A, T)
    assert read_learning_rules(graph.store) == (True, frozenset())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("synonyms: [[customer]]", "mesh.yaml:3: synonyms"),
        ("synonyms: [[customer, '--']]", "mesh.yaml:3: synonyms"),
        ("synonyms: [[customer, 7]]", "mesh.yaml:3: synonyms"),
        ("synonyms: [customer, client]", "mesh.yaml:3: synonyms"),
        ("not_synonyms: [[customer]]", "mesh.yaml:3: not_synonyms"),
        ("not_synonyms: [[a, b, c]]", "mesh.yaml:3: not_synonyms"),
        ("learn_synonyms: maybe", "mesh.yaml:3: learn_synonyms"),
    ],
)
def test_synonyms_that_cannot_be_used_are_refused(graph: LiveGraph, text: str, error: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        load_mesh_text(graph, text, T)
    assert str(raised.value).startswith(error)
