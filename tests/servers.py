"""Real servers for tests, started once in a session and wiped between tests. Nothing here is skipped: what is missing is a failure."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import neo4j
import pytest

from meshline.graph.store.neo4j.connection import Address

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "servers" / "neo4j.py"
GIVEN = "MESHLINE_TEST_NEO4J_URL"  # a Neo4j that tests may wipe, instead of one of their own


class Neo4jServer(NamedTuple):
    """A running Neo4j. `home` is None if it is not ours to stop."""

    url: str
    home: Path | None

    @contextmanager
    def session(self) -> Iterator[neo4j.Session]:
        """The official driver, for what a person would ask."""
        address = Address.parse(self.url)
        with (
            neo4j.GraphDatabase.driver(address.uri, auth=(address.user, address.password), notifications_min_severity="OFF") as driver,
            driver.session(database=address.database) as session,
        ):
            yield session

    def wipe(self) -> None:
        """Forget all data; the schema stays."""
        with self.session() as session:
            session.run(
                "MATCH (n) WHERE NOT n:Meta AND NOT n:Projection CALL { WITH n DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS"
            ).consume()
            session.run("MATCH (m:Meta) SET m.revision = 0, m.scopes = 0, m.events = 0, m.records = 0").consume()
            session.run("MATCH (p:Projection) SET p.revision = 0").consume()

    def stop(self) -> None:
        assert self.home is not None, "a given server is not stopped"
        script("stop", "--home", str(self.home))

    def kill(self) -> None:
        """As a crash of its machine would."""
        assert self.home is not None, "a given server is not killed"
        os.kill(json.loads((self.home / "server.json").read_text())["pid"], signal.SIGKILL)

    def start(self) -> None:
        """Again, with the same data, password and port."""
        assert self.home is not None, "a given server is not started"
        script("start", "--quick", "--home", str(self.home))


def neo4j_server(home: Path, *, own: bool = False) -> Iterator[Neo4jServer]:
    """For a fixture of the session: the given server (unless `own`), or one in `home`, which is removed afterwards."""
    if not own and (given := os.environ.get(GIVEN)):
        yield Neo4jServer(given, None)
        return
    server = Neo4jServer(str(script("start", "--quick", "--home", str(home))["url"]), home)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(home)


def script(*arguments: str) -> dict[str, object]:
    """Call scripts/servers/neo4j.py; its answer. A failure states in a sentence what is missing."""
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stderr.strip(), pytrace=False)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer
