from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.testclient import TestClient

from meshline.api import explorer
from meshline.api.app import create_app
from meshline.api.graphql import Bounds, Executor
from meshline.app.settings import load_settings
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from tests.queries import mesh
from tests.servers import PATIENCE

URL = "http://127.0.0.1:8080"  # a name by which a server on loopback may be asked


class AskGraph:
    """The schema over the small mesh, in process."""

    def __init__(self, graph: LiveGraph, bounds: Bounds | None = None) -> None:
        self.graph = graph
        self.graphql = Executor(graph, Naming(), bounds)

    def __call__(self, query: str, **variables: object) -> Any:
        """The data; no errors."""
        body = self.graphql.execute(query, variables).body
        assert "errors" not in body, body["errors"]
        return body["data"]

    def list_errors(self, query: str, **variables: object) -> list[dict[str, Any]]:
        body = self.graphql.execute(query, variables).body
        assert "errors" in body, body
        found: list[dict[str, Any]] = body["errors"]
        return found

    def get_error_code(self, query: str, **variables: object) -> str:
        """The code of the one error."""
        (error,) = self.list_errors(query, **variables)
        return str(error["extensions"]["code"])


@pytest.fixture
def ask() -> Iterator[AskGraph]:
    graph = mesh.build_graph(*mesh.build_mesh())
    yield AskGraph(graph)
    graph.store.close()


MoveClock = Callable[[int], None]


@pytest.fixture
def move_clock(monkeypatch: pytest.MonkeyPatch) -> MoveClock:
    """A function that moves the clock by seconds."""
    real = time.time_ns
    return lambda seconds: monkeypatch.setattr(time, "time_ns", lambda: real() + seconds * 1_000_000_000)


SHELL = b"<!doctype html><title>meshline</title>" + b"<!-- -->" * 200
SCRIPT = b"export const drawn = 1;\n" * 100
PAGE = {  # as a build of `explorer/` leaves it
    "index.html": SHELL,
    "graphiql.html": b"<!doctype html><title>GraphiQL</title>",
    "assets/index-1a2b3c4d.js": SCRIPT,
    "assets/index-1a2b3c4d.js.br": b"brotli of the script",
    "assets/icon-5e6f7a8b.svg": b"<svg/>",
    ".vite/manifest.json": b"{}",
}


@pytest.fixture(autouse=True, scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A built page, whether or not this checkout has one; its folder."""
    folder = tmp_path_factory.mktemp("explorer_page")
    for name, content in PAGE.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (folder / "assets" / "outside.js").symlink_to("/etc/passwd")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explorer, "FOLDER", folder)
        yield folder


@contextmanager
def run_application(**settings: object) -> Iterator[TestClient]:
    """The whole application, ready."""
    with TestClient(create_app(load_settings(**{"store": "sqlite://:memory:", **settings})), base_url=URL) as client:
        end = time.monotonic() + PATIENCE
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < end, "not ready"
            time.sleep(0.01)
        yield client


@contextmanager
def serve_application(build_settings: Callable[[str], dict[str, object]], port: int = 0) -> Iterator[str]:
    """The whole application at an address of its own, ready: the address. `build_settings`: from the address."""
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        app = create_app(load_settings(**{"store": "sqlite://:memory:", **build_settings(url)}))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        serving = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        serving.start()
        try:
            end = time.monotonic() + PATIENCE
            while not server.started or httpx.get(f"{url}/readyz").status_code != 200:
                assert time.monotonic() < end, "not ready"
                time.sleep(0.02)
            yield url
        finally:
            server.should_exit = True
            serving.join(60)


@pytest.fixture
def client() -> Iterator[TestClient]:
    with run_application() as found:
        yield found
