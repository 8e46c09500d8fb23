"""Starting, being ready, losing the store, stopping."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from meshline.api.app import create_app
from meshline.app import service as services
from meshline.app.settings import load_settings
from meshline.errors import MeshlineError, StoreCorrupt, StoreUnavailable
from meshline.graph.index import embedding_server, lineage_index, near_names
from meshline.graph.index.kernels import jit
from meshline.graph.index.name_vectors import NameVectors
from meshline.graph.index.text_model import read_model
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import build_dataset_key
from meshline.graph.store.base import Store
from meshline.graph.store.factory import open_store
from tests.api.conftest import URL, run_application
from tests.ingest.lineage_events import build_dataset, build_event
from tests.queries import mesh
from tests.queries.test_embedding_server import Provider
from tests.servers import PATIENCE

EXAMPLE = Path(__file__).parents[2] / "examples"
IMPACT = "query($of: ID!) { impact(of: [$of]) { total } }"


def test_ready(client: TestClient) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/readyz").json() == {"status": "ready", "revision": 0}


def test_while_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = True

    def open_slowly(url: str) -> Store:
        while slow:
            time.sleep(0.01)
        return open_store(url)

    monkeypatch.setattr(services, "open_store", open_slowly)
    with TestClient(create_app(load_settings(store=":memory:")), base_url=URL) as client:
        assert client.get("/healthz").status_code == 200
        not_ready = client.get("/readyz")
        assert (not_ready.status_code, not_ready.headers["retry-after"]) == (503, "2")
        assert not_ready.json()["reasons"] == ["the graph is being loaded"]
        for path in ("/graphql", "/api/v1/lineage", "/api/v1/lineage/batch"):
            answer = client.post(path, json={})
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "NOT_READY")
        slow = False
        end = time.monotonic() + 60
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < end


def test_questions_are_answered_while_kernels_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiling, enough = threading.Event(), threading.Event()

    def compile_slowly() -> dict[Callable[..., Any], Any]:
        compiling.set()
        enough.wait(60)
        return {}

    monkeypatch.setattr(lineage_index, "INTERPRETED_BYTES", -1)  # so that an empty graph counts as a large one
    monkeypatch.setattr(jit, "_done", [])
    monkeypatch.setattr(jit, "_compile_all", compile_slowly)
    with run_application() as client:
        try:
            assert compiling.wait(60)
            assert client.get("/readyz").status_code == 200
            event = build_event("COMPLETE", 0, [build_dataset("orders")], [build_dataset("totals")])
            assert client.post("/api/v1/lineage", json=event).status_code == 201
            question = {"query": IMPACT, "variables": {"of": build_dataset_key("db", "orders").id}}
            assert client.post("/graphql", json=question).json() == {"data": {"impact": {"total": 2}}}
            assert not jit.is_compiled()
        finally:
            enough.set()


def test_stopped_while_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Store] = []

    def open_slowly(url: str) -> Store:
        time.sleep(0.3)
        opened.append(open_store(url))
        return opened[0]

    monkeypatch.setattr(services, "open_store", open_slowly)
    with TestClient(create_app(load_settings(store=":memory:")), base_url=URL) as client:
        assert client.get("/healthz").status_code == 200
    assert len(opened) == 1


def test_a_store_that_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def open_at_third_try(url: str) -> Store:
        tries.append(url)
        if len(tries) < 3:
            raise StoreUnavailable("there is no answer")
        return open_store(url)

    monkeypatch.setattr(services, "open_store", open_at_third_try)
    monkeypatch.setattr(services, "RETRY_SECONDS", 0.05)
    with run_application():
        assert len(tries) == 3


@pytest.mark.parametrize("wrong", [{"store": "nosuch://x"}, {"mesh": "/nonexistent/mesh.yaml"}])
def test_what_waiting_does_not_mend(wrong: dict[str, str]) -> None:
    failures: list[MeshlineError] = []
    with TestClient(create_app(load_settings(**{"store": ":memory:", **wrong}), on_failure=failures.append), base_url=URL) as client:
        end = time.monotonic() + 60
        while not failures:
            assert time.monotonic() < end
            time.sleep(0.01)
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == [str(failures[0])]


def test_the_store_is_lost_and_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_application() as client:
        store = client.app.state.service.resources.live.store  # type: ignore[attr-defined]
        read_revision = store.read_revision

        def raise_unavailable() -> int:
            raise StoreUnavailable("the disk is gone")

        monkeypatch.setattr(store, "read_revision", raise_unavailable)
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["the store does not answer: the disk is gone"]
        monkeypatch.setattr(store, "read_revision", read_revision)
        assert client.get("/readyz").status_code == 200


def test_commits_of_another_process_are_followed(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'mesh.db'}"
    with run_application(store=store, refresh_seconds=0.05) as one, run_application(store=store) as two:
        query = {"query": "{ about { revision } owners { totalCount } }"}
        two.put("/api/v1/mesh", content="version: 1\nsource: t\nteams:\n  - name: a\n", headers={"Content-Type": "application/yaml"})
        end = time.monotonic() + 60
        while one.post("/graphql", json=query).json()["data"]["owners"]["totalCount"] != 1:
            assert time.monotonic() < end
            time.sleep(0.02)


@pytest.mark.parametrize("wrong", [StoreCorrupt("a page is gone"), ValueError("a bug")])
def test_a_follower_that_fails_is_reported_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Exception) -> None:
    with run_application(store=f"sqlite:///{tmp_path / 'mesh.db'}", refresh_seconds=0.02) as client:
        live = client.app.state.service.resources.live  # type: ignore[attr-defined]

        def fail() -> None:
            raise wrong

        with monkeypatch.context() as patch:
            patch.setattr(live, "refresh", fail)
            wait_until(lambda: client.get("/readyz").status_code == 503)
        wait_until(lambda: client.get("/readyz").status_code == 200)
        event = (EXAMPLE / "event.json").read_bytes()
        assert client.post("/api/v1/lineage", content=event, headers={"Content-Type": "application/json"}).status_code == 201


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_store_that_hangs_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each health check left a thread behind."""
    with run_application() as client:
        store, go = client.app.state.service.resources.live.store, threading.Event()  # type: ignore[attr-defined]
        asked: list[str] = []

        def wait_for_release() -> int:
            asked.append(threading.current_thread().name)
            go.wait(60)
            return 0

        monkeypatch.setattr(store, "read_revision", wait_for_release)
        try:
            wait_until(lambda: client.get("/readyz").status_code == 503)
            answers = [client.get("/readyz") for _ in range(3)]
        finally:
            go.set()
    assert {answer.json()["reasons"][0] for answer in answers} == {"the store has not answered for 3 seconds"}
    assert len(asked) <= 2, "one for all health checks, and the one that follows what others write"


def test_vectors_of_names_are_made_in_the_background(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(near_names, "_FEW", 0)
    columns = ("salary", "birthday", "phone", "office", "grade", "invoice", "weight", "color")
    graph = LiveGraph.open(open_store(f"sqlite:///{tmp_path / 'mesh.db'}"))
    mesh.commit_statements(graph, mesh.build_schema_statement(mesh.REPORT, *columns))
    graph.store.close()

    def ask(client: TestClient) -> dict[str, Any]:
        query = '{ search(text: "wage", kinds: [COLUMN]) { vectors nodes { name } } }'
        found: dict[str, Any] = client.post("/graphql", json={"query": query}).json()["data"]["search"]
        return found

    store = f"sqlite:///{tmp_path / 'mesh.db'}"
    with run_application(store=store, search_vectors="wordllama", refresh_seconds=0.05) as client:
        end = time.monotonic() + 60
        while (found := ask(client))["vectors"] == "PREPARING":
            assert found["nodes"] == []
            assert time.monotonic() < end
            time.sleep(0.05)
        assert found["vectors"] == "USED"
        assert {"name": "salary"} in found["nodes"]
    file = tmp_path / "mesh.db.vectors"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def refuse(*_: object) -> None:
        raise AssertionError("a vector is made again")

    with monkeypatch.context() as patched:
        patched.setattr(NameVectors, "_store", refuse)
        with run_application(store=store, search_vectors="wordllama", refresh_seconds=0.05) as client:
            while ask(client)["vectors"] == "PREPARING":
                time.sleep(0.05)
            assert ask(client) == found
    with run_application(store=store, search_vectors="wordllama", search_vectors_most=3, refresh_seconds=0.05) as client:
        while (limited := ask(client))["vectors"] == "PREPARING":
            time.sleep(0.05)
        assert limited["vectors"] == "PARTIAL"
    with run_application(store=store) as client:
        assert ask(client) == {"vectors": "OFF", "nodes": []}


def test_a_server_makes_the_vectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The server is asked while no other request waits, whatever it does; `PREPARING` and `UNAVAILABLE` are searches by words."""
    model = read_model("wordllama")
    assert model is not None
    monkeypatch.setattr(embedding_server, "_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(NameVectors.prepare_questions, "__defaults__", (PATIENCE,))
    store = f"sqlite:///{tmp_path / 'mesh.db'}"
    graph = LiveGraph.open(open_store(store))
    mesh.commit_statements(graph, mesh.build_schema_statement(mesh.REPORT, "salary", "birthday", "phone", "office", "grade"))
    graph.store.close()
    provider = Provider(model)
    two = '{ a: search(text: "wage", kinds: [COLUMN]) { vectors nodes { name } } b: search(text: "telephone") { vectors } }'
    given = {"search_vectors": provider.address, "search_vectors_token": "${MODEL_TOKEN}", "search_vectors_model": "tiny"}
    monkeypatch.setenv("MODEL_TOKEN", "the-secret-of-the-model")

    def wait_for(client: TestClient, use: str) -> dict[str, Any]:
        end = time.monotonic() + 60
        while True:
            found: dict[str, Any] = client.post("/graphql", json={"query": two}).json()["data"]
            if {found["a"]["vectors"], found["b"]["vectors"]} == {use}:
                return found
            assert time.monotonic() < end, found
            time.sleep(0.02)

    try:
        provider.respond = lambda _: (503, b"the-secret-of-the-model")
        with run_application(store=store, refresh_seconds=0.05, **given) as client:
            assert wait_for(client, "UNAVAILABLE")["a"]["nodes"] == []
            provider.respond = provider.answer
            assert wait_for(client, "USED")["a"]["nodes"] == [{"name": "salary"}]
            asked, slow = threading.Event(), threading.Event()

            def answer_late(body: dict[str, Any]) -> tuple[int, bytes]:
                asked.set()
                slow.wait(PATIENCE)
                return provider.answer(body)

            provider.respond = answer_late
            searching = threading.Thread(
                target=lambda: client.post("/graphql", json={"query": '{ search(text: "new question") { vectors } }'})
            )
            searching.start()
            assert asked.wait(PATIENCE)
            assert client.post("/graphql", json={"query": "{ about { revision } }"}).json()["data"]["about"]
            assert searching.is_alive(), "another request does not wait for the server of the model"
            slow.set()
            searching.join()
            provider.name, provider.respond = "another", provider.answer
            client.post("/graphql", json={"query": '{ search(text: "a further question") { vectors } }'})
            found = client.post("/graphql", json={"query": '{ search(text: "third question") { vectors } }'}).json()
            assert found["data"]["search"]["vectors"] == "UNAVAILABLE"
        assert {*provider.tokens} == {"Bearer the-secret-of-the-model"}
        assert "the-secret-of-the-model" not in caplog.text
        assert "HTTP status 503" in caplog.text
    finally:
        provider.close()
