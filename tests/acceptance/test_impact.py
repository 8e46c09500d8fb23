"""Every column's impact, read over GraphQL and compared with an oracle that reads the same events itself."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.acceptance.events import Event, draw_history
from tests.acceptance.oracle import Oracle
from tests.acceptance.service import find_differences, run_service
from tests.sizes import choose_size

CORPUS = os.environ.get("MESHLINE_CORPUS")
RECORDED = ["spark_iceberg", "spark_fieldlevel_indirect", "dbt_duckdb", "dbt_duckdb_failed", "openlineage_python_http"]


def read_events(path: Path) -> list[Event]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


@pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set")
@pytest.mark.parametrize("name", RECORDED)
def test_recorded_events(name: str) -> None:
    events = read_events(Path(str(CORPUS)) / "recorded" / f"{name}.ndjson")
    shuffled = random.Random(3).sample(events, len(events))
    for order in (events, shuffled, events[::-1]):
        with run_service() as service:
            service.post(order)
            assert find_differences(service, Oracle(events)) == []


@pytest.mark.skipif(not CORPUS, reason="MESHLINE_CORPUS is not set")
@pytest.mark.parametrize("scenario", ["airflow", "simple_run_event", "spark_dataproc_simple_producer_test"])
def test_compatibility_scenarios(scenario: str) -> None:
    folder = Path(str(CORPUS)) / "openlineage-compatibility" / scenario / "events"
    events = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    with run_service() as service:
        service.post(events)
        assert find_differences(service, Oracle(events)) == []


@settings(max_examples=choose_size(30, 300), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(draw_history(), st.randoms(use_true_random=False))
def test_random_histories(history: list[Event], chance: random.Random) -> None:
    order = [*history, *chance.sample(history, len(history) // 2)]  # in any order, some of them twice
    chance.shuffle(order)
    with run_service() as service:
        service.post(order)
        assert find_differences(service, Oracle(history)) == []
