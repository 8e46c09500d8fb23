"""One sync of one source: what is ingested, what is remembered of it, and when it is due again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import get_current_micros
from meshline.graph.naming import Naming
from meshline.ingest.sources.base import Context, Item, Reading, Refusal
from meshline.ingest.sources.sync import SourceFault, SyncStopped, sync_source
from meshline.ingest.sources.sync_status import (
    LAST_RETRY,
    SECOND,
    SOON,
    SPREAD,
    Status,
    compute_due_time,
    read_status,
    read_statuses,
    save_status,
)
from meshline.ingest.sources.target import LocalTarget
from tests.ingest.sources.fake_source import BAD, FOUND, FakeSource, build_entry, count_outcomes, open_graph, read_tables

NONE: dict[str, str] = {}  # variables
HERE = Path()


class Away(FakeSource):
    """Cannot be read."""

    def read(self, context: Context) -> Reading:  # noqa: ARG002
        raise ERRORS[self.name]


ERRORS: dict[str, Exception] = {
    "away": StoreUnavailable("the catalog does not answer"),
    "bad": InvalidInput("no such folder", "x"),
    "fault": KeyError("secret"),
}


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as found:
        yield found


@pytest.fixture
def target(live: LiveGraph) -> LocalTarget:
    return LocalTarget(live, Naming())


def test_the_result_of_a_sync_is_remembered(live: LiveGraph, target: LocalTarget) -> None:
    before = get_current_micros()
    FOUND["lake"] = [build_entry("a", "x"), build_entry("b", "x"), Refusal(BAD, ("table", "c"))]
    done = sync_source(target, FakeSource(name="lake"), HERE, variables=NONE.get)
    assert done.loading is not None
    assert count_outcomes(done.loading) == {"read": 2, "new": 2, "refused": 1}
    assert done.refused
    status = read_status(live.store, "iceberg/lake")
    assert status is not None
    assert (status.read, status.new, status.refused, status.error, status.failures) == (2, 2, 1, "", 0)
    assert before <= status.at <= get_current_micros()
    assert status.succeeded == status.at
    FOUND["lake"] = [build_entry("a", "x")]
    sync_source(target, FakeSource(name="lake"), HERE, variables=NONE.get)
    again = read_statuses(live.store)
    assert list(again) == ["iceberg/lake"]
    assert (again["iceberg/lake"].unchanged, again["iceberg/lake"].retracted) == (1, 1)


@pytest.mark.parametrize(("name", "refused"), [("away", 0), ("bad", 1), ("fault", 0)])
def test_a_source_that_cannot_be_read_is_an_answer(live: LiveGraph, target: LocalTarget, name: str, refused: int) -> None:
    FOUND[name] = [build_entry("a", "x")]
    sync_source(target, FakeSource(name=name), HERE, variables=NONE.get)
    succeeded = read_statuses(live.store)[f"iceberg/{name}"].succeeded
    for failures in (1, 2, 3):
        done = sync_source(target, Away(name=name), HERE, variables=NONE.get)
        assert (done.loading, done.refused) == (None, True)
        assert isinstance(done.error, SourceFault) == (name == "fault")
        assert "secret" not in str(done.error)
        status = read_statuses(live.store)[f"iceberg/{name}"]
        assert (status.error, status.failures, status.succeeded, status.refused) == (str(done.error), failures, succeeded, refused)
    assert read_tables(live) == {"lake/a": ["x"]}
    assert not sync_source(target, FakeSource(name=name), HERE, variables=NONE.get).refused
    assert read_statuses(live.store)[f"iceberg/{name}"].failures == 0


def test_strict_is_an_error_and_writes_nothing(live: LiveGraph, target: LocalTarget) -> None:
    FOUND["lake"] = [build_entry("a", "x"), Refusal(BAD)]
    assert sync_source(target, FakeSource(name="lake"), HERE, variables=NONE.get, strict=True).error is BAD
    assert read_tables(live) == {}


def test_stopped_in_the_middle_is_as_if_not_begun(live: LiveGraph, target: LocalTarget) -> None:
    stop = threading.Event()

    def read_until_stopped() -> Iterator[Item]:
        yield build_entry("a", "x")
        stop.set()
        yield build_entry("b", "x")

    FOUND["lake"] = read_until_stopped()
    done = sync_source(target, FakeSource(name="lake"), HERE, variables=NONE.get, stop=stop)
    assert isinstance(done.error, SyncStopped)
    assert read_statuses(live.store) == {}
    assert read_tables(live) == {}


def test_a_status_that_cannot_be_read_is_none(live: LiveGraph) -> None:
    save_status(live.store, "iceberg/lake", Status(1, 1.0))
    live.store.write_setting("status:iceberg/lake", '{"at": "then"}')
    assert (read_status(live.store, "iceberg/lake"), read_statuses(live.store)) == (None, {})


# -- when it is due

chances = st.floats(0, 1)
everies = st.integers(1, 10**7)


@given(everies, chances, st.integers(0, 10**16))
def test_a_source_that_was_never_synced_begins_soon(every: int, chance: float, time: int) -> None:
    assert time <= compute_due_time(None, every, time, chance) <= time + SOON * SECOND


@given(everies, chances)
def test_a_source_is_due_as_often_as_configured(every: int, chance: float) -> None:
    wait = compute_due_time(Status(0, 1.0), every, 0, chance) / SECOND
    assert every * (1 - SPREAD) - 1 <= wait <= every * (1 + SPREAD) + 1


@given(everies, chances, st.integers(1, 10**6))
def test_an_overdue_sync_begins_soon(every: int, chance: float, late: int) -> None:
    time = int(every * 1.1 * SECOND) + late * SECOND
    assert time <= compute_due_time(Status(0, 1.0), every, time, chance) <= time + SOON * SECOND


@given(everies)
def test_failures_are_tried_again_ever_later(every: int) -> None:
    waits = [compute_due_time(Status(0, 1.0, error="x", failures=failures), every, 0, 0.5) / SECOND for failures in range(1, 200)]
    assert waits[0] == min(every, 30)
    assert all(later == min(2 * sooner, max(every, LAST_RETRY)) for sooner, later in pairwise(waits))
    assert waits[-1] == max(every, LAST_RETRY)
