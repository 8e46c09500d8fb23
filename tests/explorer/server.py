"""A meshline as a process of its own, which a test may stop and start again at the same address."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from meshline.cli.demo import fill_store
from tests.api.test_serve import CODE, free_port, wait_for_answer
from tests.forked_program import ForkedProgram


class Server:
    """One store and one port; at most one process at a time."""

    def __init__(self, store: str, mesh: str = "", **settings: object) -> None:
        self.store, self.mesh, self.settings = store, mesh, settings
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.token: str | None = None
        self.log = Path(store.removeprefix("sqlite:///")).with_suffix(".log").open("ab")
        self._process: ForkedProgram | None = None

    def start(self) -> None:
        """Until it is ready."""
        arguments = [self.store, str(self.port), self.mesh, json.dumps(self.settings)]
        # Its log goes to a file beside the store: a pipe that nothing reads would be full after some hundred requests, and stop the server.
        self._process = ForkedProgram(arguments, cwd=Path.cwd(), log=self.log, code=CODE)
        wait_for_answer(self.port, "/readyz")

    def kill(self) -> None:
        """As a crash of its machine would."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait(timeout=60)
        self._process = None

    def post(self, path: str, body: object, method: str = "POST") -> Any:
        """Its answer as JSON; another status than success fails the test."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        request = urllib.request.Request(self.address + path, json.dumps(body).encode(), headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                pytest.fail(f"{path}: {error.code} {error.read().decode()}")

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        answer = self.post("/graphql", {"query": query, "variables": variables})
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    def resolve(self, name: str) -> str:
        """The id of the asset of this name."""
        found: str = self.ask("query($n: String!) { resolve(name: $n) { id } }", n=name)["resolve"]["id"]
        return found


@contextmanager
def run_server(store: str, mesh: str = "", **settings: object) -> Iterator[Server]:
    server = Server(store, mesh, **settings)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        server.log.close()


@contextmanager
def run_example(folder: Path) -> Iterator[Server]:
    """The example mesh, from a store in this folder."""
    store = f"sqlite:///{folder}/example.db"
    fill_store(store)
    with run_server(store) as server:
        yield server
