"""Real servers for tests, started once in a session and wiped between tests. Nothing here is skipped: what is missing is a failure."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import neo4j
import pytest

from meshline.graph.store.neo4j.connection import Address
from tests.forked_program import ForkedProgram

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "servers" / "neo4j.py"
PATIENCE = (
    600.0  # seconds within which a server is ready: on a loaded machine it takes ten times as long, and one that ends is reported at once
)
LOG_LINES = 20  # that a failure shows
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
            session.run(
                "MATCH (m:Meta) SET m.revision = 0, m.scopes = 0, m.events = 0, m.records = 0 "
                "REMOVE m.packedBefore, m.changeTimes, m.changeTimesTo"
            ).consume()
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


def wait_until_ready(process: subprocess.Popen[bytes] | ForkedProgram, address: str, log: Path, seconds: float = PATIENCE) -> None:
    """Return once a GET request to an address is answered with 200. If it is not, or the process ends, fail with the end of its log."""
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=60):
                return
        except OSError:
            time.sleep(0.1)
    why = f"did not answer within {seconds:g} s" if process.returncode is None else f"ended with {process.returncode}"
    last = "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-LOG_LINES:])
    pytest.fail(f"{address}: the server {why}; its log ends with:\n{last}", pytrace=False)


@contextmanager
def run_server_script(name: str, home: Path, **environment: str) -> Iterator[str]:
    """The address that scripts/servers/NAME.py prints once its server answers. What it needs and is missing is a failure, not a skip."""
    log = home / f"{name}-script.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [sys.executable, str(SCRIPT.with_name(f"{name}.py")), str(home)],
            stdout=subprocess.PIPE,
            stderr=out,
            text=True,
            env={**os.environ, **environment},
        ) as process,
    ):
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            if not address:
                pytest.fail(log.read_text("utf-8", errors="replace").strip(), pytrace=False)
            yield address
        finally:
            process.terminate()
            process.wait(PATIENCE)


def script(*arguments: str) -> dict[str, object]:
    """Call scripts/servers/neo4j.py; its answer. A failure states in a sentence what is missing."""
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stderr.strip(), pytrace=False)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer
