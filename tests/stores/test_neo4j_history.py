"""A store in Neo4j drops and packs its history as one in SQLite does, over a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshline.graph.store.base import Store
from meshline.graph.store.neo4j import Neo4jStore
from tests.ingest.lineage_events import Event, ingest_groups
from tests.ingest.test_run_retention import check_only_the_newest_run_stays, check_pruning_changes_no_graph
from tests.ingest.test_run_retention import steps as event_steps
from tests.servers import Neo4jServer
from tests.sizes import count_examples
from tests.stores.history_contract import HistoryContract

pytestmark = pytest.mark.server


class TestNeo4j(HistoryContract):
    @pytest.fixture
    def store(self, neo4j: Neo4jServer) -> Iterator[Store]:
        with closing(Neo4jStore(neo4j.url)) as store:
            yield store


few = settings(max_examples=count_examples(4), deadline=None, suppress_health_check=[*HealthCheck])


@few
@given(event_steps, st.randoms(use_true_random=False))
def test_pruning_changes_no_graph(neo4j: Neo4jServer, given_steps: list[list[Event] | int], chance: Random) -> None:
    neo4j.wipe()
    with closing(Neo4jStore(neo4j.url)) as store:
        check_pruning_changes_no_graph(ingest_groups(store=store), given_steps, chance)


def test_only_the_newest_run_of_unchanged_lineage_stays(neo4j: Neo4jServer) -> None:
    with closing(Neo4jStore(neo4j.url)) as store:
        check_only_the_newest_run_stays(ingest_groups(store=store))
