"""Search with the vectors of names, by the model of the extra, and what a model of one's own must have."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from random import Random

import numpy as np
import pytest
from safetensors.numpy import save_file

from meshline.errors import InvalidInput
from meshline.graph.index import near_names, text_model
from meshline.graph.index.name_vectors import ModelChoice, NameVectors, open_vectors
from meshline.graph.index.restricted_index import RestrictedIndex
from meshline.graph.index.results import WordMatch
from meshline.graph.index.text_model import TextModel, read_model
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKey, AssetKind, build_column_key, build_dataset_key
from meshline.graph.queries.search import Scope, VectorUse, explain_hits, search_assets
from meshline.graph.queries.search_evaluation import evaluate_search
from meshline.graph.word_forms import Meaning, WordPlace
from tests.queries import mesh

STAFF = build_dataset_key("wh", "hr.staff")
COLUMNS = ("salary", "birthday", "phone", "department", "hired_at", "zip", "first_name", "status", "manager", "grade", "office", "team")
OTHERS = ("invoice", "shipment", "warehouse", "discount", "supplier", "carrier", "currency", "rate", "weight", "volume", "color", "size")


@pytest.fixture(scope="module")
def model() -> TextModel:
    found = read_model("wordllama")
    assert found is not None
    return found


@pytest.fixture
def staffed(graph: LiveGraph, model: TextModel) -> LiveGraph:
    mesh.commit_statements(graph, mesh.build_schema_statement(STAFF, *COLUMNS))
    mesh.commit_statements(graph, mesh.build_schema_statement(build_dataset_key("wh", "logistics.goods"), *OTHERS))
    graph.vectors = NameVectors(model)
    return graph


def find_names(graph: LiveGraph, text: str, **wanted: object) -> list[str]:
    found = search_assets(graph, graph.index, text, Scope(**wanted), first=50)  # type: ignore[arg-type]
    return mesh.list_names(graph, (entry.node for entry in found.page.entries))


def test_names_that_share_no_word_are_found(staffed: LiveGraph) -> None:
    columns = (AssetKind.COLUMN,)
    assert find_names(staffed, "wage", kinds=columns)[0] == "wh/hr.staff.salary"
    assert find_names(staffed, "telephone number", kinds=columns)[0] == "wh/hr.staff.phone"
    node = mesh.get_node(staffed, build_column_key(STAFF, "salary"))
    reason = WordMatch("wage", "salary", Meaning.SIMILAR, WordPlace.NAME)
    assert explain_hits(staffed, staffed.index, "wage", [node]) == [[reason]]
    assert explain_hits(staffed, staffed.index, "salary", [node])[0][0].meaning is Meaning.WORD
    staffed.vectors = None
    assert find_names(staffed, "wage", kinds=columns) == []
    assert explain_hits(staffed, staffed.index, "wage", [node]) == [[]]


def test_words_come_before_vectors(staffed: LiveGraph) -> None:
    assert find_names(staffed, "salary")[0] == "wh/hr.staff.salary"
    assert find_names(staffed, "first name")[0] == "wh/hr.staff.first_name"
    mesh.commit_statements(staffed, mesh.build_schema_statement(mesh.REPORT, "wage", "wages_total"))
    assert find_names(staffed, "wage", kinds=(AssetKind.COLUMN,))[:3] == [
        "wh/fin.report.wage",
        "wh/fin.report.wages_total",
        "wh/hr.staff.salary",
    ]


def test_quoted_words_and_filters_still_count(staffed: LiveGraph) -> None:
    assert find_names(staffed, '"wage"') == []
    assert find_names(staffed, "wage", domain=mesh.get_node(staffed, mesh.FINANCE)) == []
    assert all("staff" not in name for name in find_names(staffed, "wage", kinds=(AssetKind.JOB,)))


def test_an_answer_states_whether_vectors_were_used(staffed: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_names, "_FEW", 3)

    def ask() -> tuple[VectorUse, int]:
        found = search_assets(staffed, staffed.index, "wage", first=5)
        return found.vectors, found.total

    assert ask() == (VectorUse.PREPARING, 0)
    staffed.prepare_vectors()
    state, total = ask()
    assert state is VectorUse.USED
    assert total > 0
    mesh.commit_statements(staffed, mesh.build_schema_statement(build_dataset_key("wh", "new"), "pay", "bonus", "tax", "fee", "duty"))
    assert ask()[0] is VectorUse.PREPARING
    staffed.prepare_vectors()
    assert ask()[0] is VectorUse.USED
    staffed.reload()  # another index has other numbers for the same names
    assert ask()[0] is VectorUse.USED
    assert find_names(staffed, "wage", kinds=(AssetKind.COLUMN,))[0] in ("wh/hr.staff.salary", "wh/new.pay")
    staffed.vectors = None
    assert ask() == (VectorUse.OFF, 0)


def test_hidden_names_change_nothing(model: TextModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two meshes that differ only in hidden datasets, which come first in one: the same results, in the same order, with the same state."""
    monkeypatch.setattr(near_names, "_FEW", 40)
    random = Random(7)
    names = [*COLUMNS, *OTHERS]
    shown = {build_dataset_key("wh", f"shown.t{number}"): random.sample(names, 8) for number in range(4)}
    hidden = {build_dataset_key("wh", f"hidden.t{number}"): [*names, *(f"wage_{n}_{number}" for n in range(30))] for number in range(3)}

    def build(tables: dict[AssetKey, list[str]]) -> tuple[LiveGraph, RestrictedIndex]:
        graph = mesh.build_graph(*(mesh.build_schema_statement(key, *columns) for key, columns in tables.items()))
        graph.vectors = NameVectors(model)
        index = graph.index
        visible = np.array(["hidden" not in index.assets.get_key(node).qualified_name for node in range(index.changes.count_nodes())])
        return graph, RestrictedIndex(index, visible)

    answers = []
    for tables in (hidden | shown, shown):
        graph, index = build(tables)
        found = []
        for text in ("wage", "cost of freight", "telephone", "boss", "money", "heavy load"):
            hits = search_assets(graph, index, text, first=50)
            nodes = [entry.node for entry in hits.page.entries]
            found.append(
                (text, hits.vectors, hits.total, [entry.key for entry in hits.page.entries], explain_hits(graph, index, text, nodes))
            )
        answers.append(found)
        graph.store.close()
    assert answers[0] == answers[1]
    assert all(state is VectorUse.USED for _, state, *_ in answers[0])
    assert any(total for _, _, total, *_ in answers[0])


def test_evaluation_compares_with_and_without(staffed: LiveGraph) -> None:
    described = build_column_key(STAFF, "salary")
    mesh.commit_statements(staffed, mesh.build_asset_statement(described, description="Monthly wage paid"))
    columns = [found for found in evaluate_search(staffed, staffed.index, 10) if found.kind is AssetKind.COLUMN]
    assert [found.with_vectors for found in columns] == [False, True]
    assert columns[0].asked == columns[1].asked
    node = mesh.get_node(staffed, described)
    assert node in [missed for _, missed in columns[0].missed]
    assert node not in [missed for _, missed in columns[1].missed]


def test_the_model_is_read_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a model asks the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert open_vectors(ModelChoice("off")) is None
    found = read_model("wordllama")
    assert found is not None
    assert found.dimension == 256
    assert len(found.digest) == 64


def test_vectors_have_the_length_one_and_do_not_depend_on_others(model: TextModel) -> None:
    together = model.compute_vectors(["salary", "date of birth", "", "x" * 5_000])
    alone = np.concatenate([model.compute_vectors([text]) for text in ("salary", "date of birth", "", "x" * 5_000)])
    assert (together == alone).all()
    lengths = np.linalg.norm(together.astype(float) / text_model.SCALE, axis=1)
    assert lengths[:2] == pytest.approx([1, 1], abs=0.02)
    assert lengths[2] == 0


def test_a_folder_may_have_the_model(tmp_path: Path, model: TextModel) -> None:
    files = text_model._find_wordllama()
    shutil.copy(files.table, tmp_path / "model.safetensors")
    shutil.copy(files.tokenizer, tmp_path / "tokenizer.json")
    found = read_model(f"folder:{tmp_path}")
    assert found is not None
    assert found.digest == model.digest
    assert (found.compute_vectors(["salary"]) == model.compute_vectors(["salary"])).all()
    for table, problem in (
        (np.ones((10, 4), np.float32), "has a token 31999, of which"),
        (np.ones(10, np.float32), "needs one table"),
        (np.ones((10, 4), np.int32), "needs one table"),
        (np.ones((10, 2_000), np.float32), "needs one table"),
        (np.full((32_000, 2), np.nan, np.float32), "not finite"),
    ):
        save_file({"embeddings": table}, tmp_path / "model.safetensors")
        with pytest.raises(InvalidInput, match=problem):
            read_model(f"folder:{tmp_path}")
    (tmp_path / "model.safetensors").write_bytes(b"no table")
    with pytest.raises(InvalidInput, match="is no safetensors file"):
        read_model(f"folder:{tmp_path}")
    shutil.copy(files.table, tmp_path / "model.safetensors")
    (tmp_path / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(InvalidInput, match="is no tokenizer"):
        read_model(f"folder:{tmp_path}")
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_model(f"folder:{tmp_path}")


@pytest.mark.parametrize("setting", ["", "folder:", "llama", "ftp://127.0.0.1:1"])
def test_a_model_that_is_not_accepted_is_refused(setting: str) -> None:
    with pytest.raises(InvalidInput, match="accepted is off, wordllama, folder:PATH or the address of a server of vectors"):
        read_model(setting)
