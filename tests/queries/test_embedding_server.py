"""A model on a server of the user's own: a real HTTP server with a small real model, and everything that such a server may do wrong."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from meshline.errors import InvalidInput
from meshline.graph.index import embedding_server, near_names
from meshline.graph.index.embedding_server import SAMPLE, EmbeddingServer, ModelUnavailable, OtherModel
from meshline.graph.index.name_vectors import ModelChoice, NameVectors, open_vectors
from meshline.graph.index.text_model import SCALE, TextModel, read_model
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, build_column_key, build_dataset_key
from meshline.graph.queries.search import Scope, VectorUse, search_assets
from meshline.graph.queries.search_evaluation import evaluate_search
from tests.queries import mesh

TOKEN = "secret-token-of-the-model"
STAFF = build_dataset_key("wh", "hr.staff")
COLUMNS = ("salary", "birthday", "phone", "department", "hired_at", "zip", "first_name", "status", "manager", "grade", "office", "team")
Respond = Callable[[dict[str, Any]], tuple[int, bytes]]


@pytest.fixture(scope="module")
def model() -> TextModel:
    found = read_model("wordllama")
    assert found is not None
    return found


class Provider:
    """A server that answers with the vectors of a model. `requests`: their bodies; `respond`: what it does instead."""

    def __init__(self, model: TextModel) -> None:
        self.model, self.name, self.most = model, "wordllama-256", 10_000
        self.requests: list[dict[str, Any]] = []
        self.tokens: list[str | None] = []
        self.respond: Respond = self.answer
        self.shuffled = False
        self.ended = threading.Event()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                provider.requests.append(body)
                provider.tokens.append(self.headers["Authorization"])
                try:
                    status, answer = provider.respond(body)
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:  # the client has gone
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/v1/embeddings"

    def compute(self, texts: Sequence[str]) -> list[list[float]]:
        vectors = self.model.compute_vectors(list(texts)).astype(float) / SCALE * 7  # of another length: the client makes it 1
        found: list[list[float]] = vectors.tolist()
        return found

    def answer(self, body: dict[str, Any]) -> tuple[int, bytes]:
        if len(body["input"]) > self.most:
            return 413, b'{"error": {"message": "too many texts"}}'
        if any(not text.strip() for text in body["input"]):
            return 400, b'{"error": "an empty text"}'
        return 200, self.build_answer(self.compute(body["input"]))

    def build_answer(self, vectors: Sequence[Sequence[float]], **changed: object) -> bytes:
        data = [{"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(vectors)]
        if self.shuffled:
            data.reverse()
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return json.dumps({"object": "list", "data": data, "model": self.name, "usage": usage} | changed).encode()

    def close(self) -> None:
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def provider(model: TextModel) -> Iterator[Provider]:
    found = Provider(model)
    yield found
    found.close()


@pytest.fixture
def remote(provider: Provider) -> Iterator[EmbeddingServer]:
    found = EmbeddingServer(provider.address, "tiny", TOKEN)
    yield found
    found.close()


@pytest.fixture
def staffed(graph: LiveGraph, remote: EmbeddingServer) -> LiveGraph:
    mesh.commit_statements(graph, mesh.build_schema_statement(STAFF, *COLUMNS))
    graph.vectors = NameVectors(remote)
    return graph


def ask(graph: LiveGraph, text: str) -> tuple[VectorUse, list[str]]:
    assert graph.vectors is not None
    graph.vectors.prepare_questions([text], embedding_server.BATCH_SECONDS)
    found = search_assets(graph, graph.index, text, Scope(kinds=(AssetKind.COLUMN,)), first=50)
    return found.vectors, mesh.list_names(graph, (entry.node for entry in found.page.entries))


def test_its_vectors_are_those_of_the_model(provider: Provider, remote: EmbeddingServer, model: TextModel) -> None:
    provider.shuffled = True
    texts = ["salary", "", "date of birth", " ", "x" * 5_000]
    found, expected = remote.compute_vectors(texts).astype(float), model.compute_vectors(texts).astype(float)
    assert not found[[1, 3]].any()
    for one, other in zip(found[[0, 2, 4]], expected[[0, 2, 4]], strict=True):
        assert one @ other > 0.9 * np.linalg.norm(one) * np.linalg.norm(other), "but for what the words of the sample have in common"
    assert remote.dimension == 256
    assert 0.2 <= remote.least_cosine <= 0.5
    assert provider.tokens == [f"Bearer {TOKEN}"] * 2
    assert [body["input"][0] for body in provider.requests] == [SAMPLE[0]] * 2
    assert all(body["model"] == "tiny" and body["encoding_format"] == "float" for body in provider.requests)
    assert max(len(text) for body in provider.requests for text in body["input"]) == 1_000


def test_names_are_found_by_its_vectors(staffed: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    staffed.prepare_vectors()
    use, names = ask(staffed, "wage")
    assert use is VectorUse.USED
    assert names[0] == "wh/hr.staff.salary"
    monkeypatch.setattr(near_names, "_FEW", 0)
    mesh.commit_statements(staffed, mesh.build_schema_statement(build_dataset_key("wh", "new"), "pay"))
    assert ask(staffed, "wage")[0] is VectorUse.PREPARING
    staffed.prepare_vectors()
    assert ask(staffed, "wage")[0] is VectorUse.USED


def test_a_few_new_names_do_not_keep_the_others_waiting(staffed: LiveGraph) -> None:
    staffed.prepare_vectors()
    mesh.commit_statements(staffed, mesh.build_schema_statement(build_dataset_key("wh", "new"), "salary_pay"))
    use, names = ask(staffed, "wage")
    assert (use, names[0]) == (VectorUse.USED, "wh/hr.staff.salary")
    assert "wh/new.salary_pay" not in names
    staffed.prepare_vectors()
    assert "wh/new.salary_pay" in ask(staffed, "wage")[1]


def test_a_question_is_not_asked_while_the_graph_is_locked(staffed: LiveGraph, provider: Provider) -> None:
    staffed.prepare_vectors()
    before = len(provider.requests)
    found = search_assets(staffed, staffed.index, "wage", first=5)
    assert found.vectors is VectorUse.PREPARING
    assert len(provider.requests) == before
    staffed.prepare_vectors()  # it was asked for
    assert search_assets(staffed, staffed.index, "wage", first=5).vectors is VectorUse.USED
    assert len(provider.requests) == before + 1
    ask(staffed, "wage")
    assert len(provider.requests) == before + 1, "the vector of a question is remembered"


def test_evaluation_uses_it(staffed: LiveGraph) -> None:
    mesh.commit_statements(staffed, mesh.build_asset_statement(build_column_key(STAFF, "salary"), description="Monthly wage paid"))
    columns = [found for found in evaluate_search(staffed, staffed.index, 10) if found.kind is AssetKind.COLUMN]
    assert [(found.with_vectors, found.found) for found in columns] == [
        (False, found_by_words := columns[0].found),
        (True, found_by_words + 1),
    ]


def test_a_server_that_accepts_few_texts_gets_fewer(provider: Provider, remote: EmbeddingServer) -> None:
    provider.most = 30
    vectors = remote.compute_vectors([f"name {number}" for number in range(300)])
    assert vectors.any(axis=1).all()
    assert max(len(body["input"]) for body in provider.requests[-3:]) <= 30


def wait_for_the_end(provider: Provider) -> Respond:
    def respond(body: dict[str, Any]) -> tuple[int, bytes]:
        provider.ended.wait(60)
        return provider.answer(body)

    return respond


def change_vectors(change: Callable[[list[list[float]]], Any]) -> Callable[[Provider], Respond]:
    def build(provider: Provider) -> Respond:
        return lambda body: (200, provider.build_answer(change(provider.compute(body["input"]))))

    return build


def always(status: int, body: bytes) -> Callable[[Provider], Respond]:
    return lambda _: lambda _: (status, body)


def set_first(vectors: list[list[float]], value: float) -> list[list[float]]:
    vectors[-1][0] = value
    return vectors


SLOW = "slow"
FAULTS: dict[str, tuple[Callable[[Provider], Respond], str]] = {
    SLOW: (wait_for_the_end, "does not answer"),
    "error": (always(500, b'{"error": {"message": "out of memory\\u001b[31m"}}'), "HTTP status 500: out of memory"),
    "its token": (always(401, json.dumps({"error": f"bad key {TOKEN}"}).encode()), "HTTP status 401: bad key"),
    "no text": (always(404, b"<html>" * 1000), "HTTP status 404$"),
    "redirect": (always(302, b""), "HTTP status 302"),
    "busy": (always(503, b""), "HTTP status 503"),
    "no JSON": (always(200, b"<html>"), "does not answer like"),
    "other JSON": (always(200, b'{"embeddings": []}'), "does not answer like"),
    "deep JSON": (always(200, b'{"data": ' + b"[" * 100_000), "does not answer like"),
    "numbers as text": (always(200, b'{"data": [{"embedding": ["1"]}]}'), "does not answer like"),
    "NaN": (change_vectors(lambda found: set_first(found, float("nan"))), "does not answer like"),
    "infinite": (always(200, b'{"data": [{"embedding": [1e999]}]}'), "not finite|does not answer like|for"),
    "huge": (change_vectors(lambda found: set_first(found, 1e300)), "not finite"),
    "too few": (change_vectors(lambda found: found[:-1]), "vectors for"),
    "none": (change_vectors(lambda _: []), "vectors for"),
    "of different lengths": (change_vectors(lambda found: [*found[:-1], found[-1][:-1]]), "different lengths"),
    "without numbers": (change_vectors(lambda found: [[] for _ in found]), "different lengths"),
    "too long": (change_vectors(lambda found: [[1.0] * 5_000 for _ in found]), "more than 4,096 numbers"),
    "zeros": (change_vectors(lambda found: [[0.0] * 256 for _ in found]), "zeros"),
    "the same place twice": (
        lambda provider: (
            lambda body: (
                200,
                json.dumps({"data": [{"index": 0, "embedding": [1.0]} for _ in body["input"]], "model": provider.name}).encode(),
            )
        ),
        "not one for each",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("before", ["", "before"])
def test_a_search_is_answered_by_words_whatever_the_server_does(
    staffed: LiveGraph, provider: Provider, fault: str, before: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`before`: the fault is there from the start; else it comes when all names have vectors. A server is left alone by a clock that is
    still until the test moves it on: two questions fit on any machine. Only for one that never answers is the patience short.
    """
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(near_names, "_FEW", 0)
    clock = SimpleNamespace(now=time.monotonic())
    monkeypatch.setattr(embedding_server, "time", SimpleNamespace(monotonic=lambda: clock.now))
    patience = 0.3 if fault == SLOW else embedding_server.BATCH_SECONDS
    assert staffed.vectors is not None
    build, problem = FAULTS[fault]
    if before:
        provider.respond = build(provider)
        with pytest.raises(ModelUnavailable, match=problem) as raised:
            prepare_within(staffed, patience)
    else:
        staffed.prepare_vectors()
        provider.respond = build(provider)
        with pytest.raises(ModelUnavailable, match=problem) as raised:
            staffed.vectors.model.compute_vectors(["wage"], patience)
    count = len(provider.requests)
    clock.now += embedding_server._PAUSE_SECONDS - 1
    assert ask(staffed, "wage") == (VectorUse.UNAVAILABLE, [])
    assert ask(staffed, "phone") == (VectorUse.UNAVAILABLE, ["wh/hr.staff.phone"])
    assert len(provider.requests) == count, "a server that fails is left alone for a while"
    assert TOKEN not in str(raised.value) + caplog.text
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 400
    provider.respond = provider.answer
    clock.now += 1
    staffed.prepare_vectors()
    use, names = ask(staffed, "wage")
    assert (use, names[0]) == (VectorUse.USED, "wh/hr.staff.salary")


def prepare_within(graph: LiveGraph, seconds: float) -> None:
    """`LiveGraph.prepare_vectors`; the server has to answer within some seconds."""
    assert graph.vectors is not None
    graph.index.prepare_vectors(graph.vectors)
    graph.vectors.model.connect(seconds)


def test_a_server_that_is_down(graph: LiveGraph, provider: Provider) -> None:
    provider.close()
    vectors = open_vectors(ModelChoice(provider.address))
    assert vectors is not None
    graph.vectors = vectors
    mesh.commit_statements(graph, mesh.build_schema_statement(STAFF, *COLUMNS))
    assert ask(graph, "phone") == (VectorUse.UNAVAILABLE, ["wh/hr.staff.phone"])
    with pytest.raises(ModelUnavailable, match="does not answer"):
        graph.prepare_vectors()
    vectors.close()
    provider.server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # for the fixture to close
    provider.thread = threading.Thread(target=provider.server.serve_forever)
    provider.thread.start()


def use_other_name(provider: Provider) -> None:
    provider.name = "another"


def use_shorter_vectors(provider: Provider) -> None:
    provider.respond = lambda body: (200, provider.build_answer([one[:128] for one in provider.compute(body["input"])]))


def use_other_weights(provider: Provider) -> None:
    provider.respond = lambda body: (200, provider.build_answer([one[::-1] for one in provider.compute(body["input"])]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (use_other_name, "answers with the model 'another', where it was 'wordllama-256' before"),
        (use_shorter_vectors, "answers vectors of 128 numbers, where they had 256 before"),
        (use_other_weights, "answers another vector for the same text than before"),
    ],
)
def test_another_model_turns_vectors_off(staffed: LiveGraph, provider: Provider, change: Callable[[Provider], None], sentence: str) -> None:
    staffed.prepare_vectors()
    assert ask(staffed, "wage")[0] is VectorUse.USED
    change(provider)
    assert ask(staffed, "cost of freight") == (VectorUse.UNAVAILABLE, [])
    assert staffed.vectors is not None
    assert staffed.vectors.model.problem.startswith("vectors are not used until the next start")
    assert sentence in staffed.vectors.model.problem
    provider.name, provider.respond = "wordllama-256", provider.answer
    count = len(provider.requests)
    with pytest.raises(OtherModel, match=sentence):
        staffed.vectors.add(["something_new"])
    assert len(provider.requests) == count


def test_its_vectors_are_kept_until_the_model_is_another_one(provider: Provider, tmp_path: Path) -> None:
    file = tmp_path / "mesh.db.vectors"

    def open_again() -> NameVectors:
        vectors = open_vectors(ModelChoice(provider.address, file))
        assert vectors is not None
        vectors.add(["salary", "phone"])
        vectors.close()
        return vectors

    open_again()
    provider.requests.clear()
    open_again()
    assert [tuple(body["input"]) for body in provider.requests] == [SAMPLE], "only whether the model is the same"
    use_other_weights(provider)
    provider.requests.clear()
    open_again()
    assert ["salary", "salary", "phone"] in [body["input"] for body in provider.requests]


def test_models_whose_cosines_are_all_high_find_no_name_for_any_question(staffed: LiveGraph, provider: Provider) -> None:
    """As those of many models of sentences are: here each vector has one great number in common with all others."""

    def raise_cosines(body: dict[str, Any]) -> tuple[int, bytes]:
        return 200, provider.build_answer([[*one, 14.0] for one in provider.compute(body["input"])])

    provider.respond = raise_cosines
    staffed.prepare_vectors()
    assert ask(staffed, "voltage of engine")[1] == []
    assert ask(staffed, "wage")[1][0] == "wh/hr.staff.salary"


@pytest.mark.parametrize(
    "address",
    [
        "http://",
        "http://user:secret@models/v1/embeddings",
        "https://user@models/v1/embeddings",
        "https://models/v1/embeddings?key=secret",
        "https://models/v1/embeddings#secret",
        "http://models:0/v1/embeddings",
        "http://models:99999/v1/embeddings",
        "http://[::1/v1/embeddings",
        "http://mod els/v1/embeddings",
        "http://models\n/v1/embeddings",
        "http://models.company.com/v1/embeddings",  # with a token
    ],
)
def test_an_address_that_is_not_accepted_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput, match="search_vectors") as raised:
        EmbeddingServer(address, token=TOKEN)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("address", ["https://models.company.com/v1/embeddings", "http://[::1]:1/e", "http://localhost/e"])
def test_an_address_to_which_a_token_may_be_sent(address: str) -> None:
    assert EmbeddingServer(address, token=TOKEN).address == address


def test_vectors_of_more_numbers_are_compared_exactly(provider: Provider) -> None:
    provider.respond = lambda body: (200, provider.build_answer([one * 16 for one in provider.compute(body["input"])]))
    remote = EmbeddingServer(provider.address)
    vectors = NameVectors(remote)
    names = ["salary", "phone", "office"]
    vectors.add(names)
    vectors.prepare_questions(["wage"])
    rows = vectors.find_rows(names)
    expected = remote.compute_vectors(names).astype(int) @ remote.compute_vectors(["wage"])[0].astype(int)
    assert vectors.compare("wage", rows).tolist() == expected.tolist()
    remote.close()
