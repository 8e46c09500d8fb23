import contextlib
import functools
import gc
import importlib
import inspect
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import httpx
import pytest
import typer.main
from hypothesis import HealthCheck, Phase, settings

from meshline.graph.store.sqlite import connection as connections
from meshline.graph.store.sqlite.checksums import register_functions
from tests.kafka import KafkaBroker, kafka_broker
from tests.postgres import PostgresServer, postgres_server
from tests.schema_registry import RegistryServer, registry_server
from tests.servers import Neo4jServer, neo4j_server

# One profile for all tests, in whatever order they run: without explanations, which take long where examples are slow, and without
# deadlines, for no test measures time.
settings.register_profile(
    "meshline",
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("meshline")

ROOT = Path(__file__).parents[1]

# Files whose tests take a minute and more. They begin first, so that no process is idle while another runs the last one. A process takes
# the next file when it is done with one: in this order of the processes one computes while another one waits for Kafka or Neo4j.
LONGEST = (
    "tests/packaging/test_extras.py",
    "tests/faults/test_kafka_killed.py",
    "tests/faults/test_neo4j_away.py",
    "tests/api/test_any_request.py",
    "tests/stores/test_neo4j.py",
    "tests/acceptance/test_large_mesh.py",
    "tests/explorer/test_hostile_mesh.py",
    "tests/ingest/test_kafka.py",
    "tests/explorer/test_routes.py",
    "tests/benchmarks/test_quick.py",
    "tests/docs/test_docs.py",
)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Of several processes that are about to collect all tests, each begins to import at another place: else all of them would rewrite
    the asserts of the same files at the same time, and none would find what another one has left in the cache.
    """
    worker: dict[str, object] = getattr(session.config, "workerinput", {})
    if not worker or [Path(place).resolve() for place in session.config.args] != [ROOT / "tests"]:
        return
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    begin = len(files) * int(str(worker["workerid"]).removeprefix("gw")) // int(str(worker["workercount"]))
    for file in files[begin:] + files[:begin]:
        with contextlib.suppress(Exception, pytest.skip.Exception):  # the collection meets it again, and reports it
            importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.location[0], len(places)))


def pytest_collection_finish() -> None:
    """What all tests have imported is never scanned for garbage again."""
    gc.collect()
    gc.freeze()


KEPT = ("RUN", "JOURNAL", "OBSERVATION")


@pytest.fixture(autouse=True, scope="session")
def kept_history() -> Iterator[None]:
    """Servers drop nothing: how old the events of tests are depends on the day. Tests of retention state their own."""
    with mock.patch.dict("os.environ", {f"MESHLINE_{name}_RETENTION_DAYS": "36500" for name in KEPT}):
        yield


@pytest.fixture(autouse=True, scope="session")
def usual_collections() -> Iterator[None]:
    """Applications in this process leave its garbage collector alone: a full collection at the start of each, in a heap
    that contains all tests, took a third of the run. Servers in processes of their own collect seldom, as for users."""
    with mock.patch.multiple("meshline.app.service", collect_seldom=mock.DEFAULT, collect_as_usual=mock.DEFAULT):
        yield


@pytest.fixture(autouse=True, scope="session")
def patient_requests() -> Iterator[None]:
    """Tests wait for an answer for a minute, and not for the five seconds of httpx, in which a loaded machine may not have one."""
    usual = inspect.signature(httpx.get).parameters["timeout"].default
    with mock.patch.multiple(usual, connect=60.0, read=60.0, write=60.0, pool=60.0):
        yield


@pytest.fixture(autouse=True, scope="session")
def certificates_read_once() -> Iterator[None]:
    """Each client of httpx reads all certificates of authorities, which takes longer than most requests; `meshline` makes one client."""
    with mock.patch("httpx._transports.default.create_ssl_context", functools.cache(httpx.create_ssl_context)):
        yield


@pytest.fixture(autouse=True, scope="session")
def tables_made_once() -> Iterator[None]:
    """Tests open thousands of stores in memory, which takes nine times as long if each makes its tables. Files are migrated as ever."""
    migrate, turn = connections._migrate, threading.Lock()
    with closing(sqlite3.connect(connections.MEMORY, isolation_level=None, check_same_thread=False)) as made:
        register_functions(made)
        migrate(made, connections.MEMORY)

        def copy_tables(connection: sqlite3.Connection, path: str) -> None:
            if path == connections.MEMORY:
                with turn:
                    made.backup(connection)
            else:
                migrate(connection, path)

        with mock.patch("meshline.graph.store.sqlite.connection._migrate", copy_tables):
            yield


@pytest.fixture(autouse=True, scope="session")
def commands_built_once() -> Iterator[None]:
    """Typer builds all commands for each call, which takes longer than most commands run; a process that is not a test makes one call."""
    with mock.patch("typer.main.get_command", functools.cache(typer.main.get_command)):
        yield


@pytest.fixture(scope="session")
def running_neo4j(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4jServer]:
    """One real Neo4j for the whole session."""
    yield from neo4j_server(tmp_path_factory.mktemp("neo4j"))


@pytest.fixture
def neo4j(running_neo4j: Neo4jServer) -> Neo4jServer:
    """A real Neo4j without data."""
    running_neo4j.wipe()
    return running_neo4j


@pytest.fixture
def own_neo4j(running_neo4j: Neo4jServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4jServer]:
    """A real Neo4j, perhaps with data, that a test may stop and start: that of the session, unless it was given to us."""
    if running_neo4j.home is None:
        yield from neo4j_server(tmp_path_factory.mktemp("neo4j"), own=True)
        return
    yield running_neo4j
    running_neo4j.start()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One real Kafka broker for a file: one that waits for the end of the session computes more than a second start."""
    yield from kafka_broker(tmp_path_factory.mktemp("kafka"))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One real PostgreSQL for the whole session."""
    yield from postgres_server(tmp_path_factory.mktemp("postgres"))


@pytest.fixture(scope="session")
def running_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """One real schema registry for the whole session."""
    with registry_server(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="module")
def registry(running_registry: RegistryServer) -> RegistryServer:
    """A real schema registry without subjects."""
    running_registry.wipe()
    return running_registry


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with the example mesh, for those who only read it."""
    from tests.cli.command import EXAMPLE, run_successfully  # noqa: PLC0415

    store = f"sqlite:///{tmp_path_factory.mktemp('example') / 'example.db'}"
    assert "entries changed" in run_successfully("ingest", "mesh", EXAMPLE / "mesh.yaml", "--store", store).err
    assert "events ingested" in run_successfully("ingest", "openlineage", EXAMPLE / "events", "--store", store).err
    return store
