from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.kafka import KafkaBroker, kafka_broker
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


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One real Kafka broker for the whole session."""
    yield from kafka_broker(tmp_path_factory.mktemp("kafka"))
