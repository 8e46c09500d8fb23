"""The Neo4j of a run: started by the first benchmark that needs it, used by all, stopped at the end. And a Kafka of one benchmark."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import neo4j

from meshline.graph.store.neo4j.connection import Address

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts" / "servers"
HEAP = "2g"


class ServerMissing(Exception):
    """A server is not available; the message states what is missing."""


def start_server(home: Path) -> str:
    """The URL of the server of this folder, started if it does not run yet."""
    return str(_find_script("start", "--heap", HEAP, "--home", str(home))["url"])


def stop_server(home: Path) -> None:
    """Stop the server of this folder, if one was started."""
    if (home / "server.json").exists():
        _find_script("stop", "--home", str(home))


@contextmanager
def run_kafka(home: Path) -> Iterator[str]:
    """The bootstrap servers of a broker that ends with this."""
    command = [sys.executable, str(SCRIPTS / "kafka.py"), str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            address = process.stdout.readline().strip()
            if not address:
                raise ServerMissing(process.stderr.read().strip())
            yield address
        finally:
            process.terminate()


@contextmanager
def open_session(url: str) -> Iterator[neo4j.Session]:
    """The official driver, without anything of ours."""
    address = Address.parse(url)
    with (
        neo4j.GraphDatabase.driver(address.uri, auth=(address.user, address.password), notifications_min_severity="OFF") as driver,
        driver.session(database=address.database) as opened,
    ):
        yield opened


def wipe_database(url: str) -> None:
    """Forget all nodes; constraints and indexes stay."""
    with open_session(url) as opened:
        opened.run("MATCH (n) CALL { WITH n DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS").consume()


def find_data(url: str) -> Path:
    """The folder of the data of a server on this machine."""
    with open_session(url) as opened:
        ((folder,),) = opened.run("SHOW SETTINGS YIELD name, value WHERE name = 'server.directories.data' RETURN value").values()
    return Path(folder)


def _find_script(*arguments: str) -> dict[str, object]:
    done = subprocess.run([sys.executable, str(SCRIPTS / "neo4j.py"), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerMissing(done.stderr.strip())
    answer: dict[str, object] = json.loads(done.stdout)
    return answer
