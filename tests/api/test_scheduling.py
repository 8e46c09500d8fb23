"""The sources that a server syncs by itself: again and again, never two at once of one, and no longer than it runs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from meshline.app.sync_scheduler import Plan, Scheduler
from meshline.errors import StoreUnavailable
from meshline.graph import model
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.ingest.mesh.mesh_file import Configured
from meshline.ingest.sources.base import Context, Item, Reading
from meshline.ingest.sources.sync import SyncOutcome
from meshline.ingest.sources.sync_status import Status, read_statuses
from meshline.ingest.sources.target import LocalTarget
from tests.api.conftest import run_application
from tests.api.test_metrics import read_metrics
from tests.api.test_sources import get_live_graph
from tests.ingest.sources.fake_source import FakeSource, build_entry, load_items, open_graph, read_tables


class Slow(FakeSource):
    """Takes some time to read, and sees whether it is read twice at once."""

    def read(self, context: Context) -> Reading:  # noqa: ARG002
        state = STATES[self.name]
        state.begun += 1
        if state.fails():
            raise StoreUnavailable("away")
        return Reading(self.source, state.read_items(), complete=True)


class State:
    """How readings of one source went. `seconds`: how long it takes until the last item is found."""

    def __init__(self, seconds: float = 0.0, fails: Callable[[], bool] = lambda: False) -> None:
        self.seconds = seconds
        self.fails = fails
        self.begun = self.at_once = self.most = self.ended = 0

    def read_items(self) -> Iterator[Item]:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            yield build_entry("a", "x")
            end = time.monotonic() + self.seconds
            while time.monotonic() < end:
                time.sleep(0.01)
                yield build_entry(f"t{time.monotonic_ns()}", "x")
            self.ended += 1
        finally:
            self.at_once -= 1


STATES: dict[str, State] = {}


@pytest.fixture
def live() -> Iterator[LiveGraph]:
    with open_graph() as found:
        yield found


class Observed(list[tuple[str, Status, SyncOutcome | None]]):
    def __call__(self, source: str, status: Status, done: SyncOutcome | None) -> None:
        self.append((source, status, done))


def run_schedule(live: LiveGraph, states: dict[str, State], until: Callable[[], bool], at_once: int = 2) -> Observed:
    """Run a schedule of these sources, each every second, until something is so, or a minute has passed."""
    STATES.update(states)
    observed = Observed()
    sources = [Configured(Slow(name=name), 1, "") for name in states]
    end = time.monotonic() + 60

    async def run() -> None:
        scheduler = asyncio.create_task(Scheduler(LocalTarget(live, Naming()), Plan(sources, Path(), {}, at_once), observed).run())
        while not until() and time.monotonic() < end:  # noqa: ASYNC110 - of threads, not of a task
            await asyncio.sleep(0.05)
        scheduler.cancel()
        await asyncio.gather(scheduler, return_exceptions=True)

    asyncio.run(run())
    return observed


def has_synced(live: LiveGraph, name: str, times: int) -> bool:
    """Whether a source was read so many times to its end, and the next time is planned."""
    status = read_statuses(live.store).get(f"iceberg/{name}")
    return STATES[name].ended >= times and status is not None and status.next is not None


def has_failed(live: LiveGraph, name: str, times: int) -> bool:
    """Whether so many failures in a row are in the status of a source."""
    status = read_statuses(live.store).get(f"iceberg/{name}")
    return status is not None and status.failures >= times


def test_again_and_again(live: LiveGraph) -> None:
    observed = run_schedule(live, {"one": State(), "two": State()}, lambda: all(has_synced(live, name, 2) for name in ("one", "two")))
    assert all(STATES[name].begun >= 2 for name in ("one", "two"))
    assert {source for source, _, _ in observed} == {"iceberg/one", "iceberg/two"}
    status = read_statuses(live.store)["iceberg/one"]
    assert status.next is not None
    assert status.at < status.next <= model.get_current_micros() + 1_200_000
    assert read_tables(live) == {"lake/a": ["x"]}


def test_a_slow_source_is_read_once_at_a_time_and_stops_where_it_is(live: LiveGraph) -> None:
    begun: list[float] = []

    def has_been_due_again() -> bool:
        if STATES["slow"].begun and not begun:
            begun.append(time.monotonic())
        return bool(begun) and time.monotonic() - begun[0] > 1.5

    run_schedule(live, {"slow": State(600)}, has_been_due_again)
    assert time.monotonic() - begun[0] < 60
    assert (STATES["slow"].begun, STATES["slow"].most, STATES["slow"].ended) == (1, 1, 0)
    assert (read_statuses(live.store), read_tables(live)) == ({}, {}), "it is as if it had not been begun"
    assert not [thread for thread in threading.enumerate() if thread.name == "meshline-sync"]


def test_one_that_fails_does_not_hold_the_others(live: LiveGraph) -> None:
    observed = run_schedule(
        live,
        {"away": State(fails=lambda: True), "well": State()},
        lambda: has_synced(live, "well", 2) and has_failed(live, "away", 2),
        at_once=1,
    )
    assert read_statuses(live.store)["iceberg/away"].failures >= 2
    assert read_statuses(live.store)["iceberg/away"].error == "away"
    assert STATES["well"].ended >= 2
    assert all((done is not None and done.error is None) == (source == "iceberg/well") for source, _, done in observed)


def test_another_process_was_sooner(live: LiveGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that another server synced a moment ago is not due."""
    read, reads = LocalTarget.read_status, list[str]()

    def read_after_another_sync(target: LocalTarget, source: str) -> Status | None:
        target.save_status(source, Status(model.get_current_micros(), 0.1, succeeded=1))
        reads.append(source)
        return read(target, source)

    monkeypatch.setattr(LocalTarget, "read_status", read_after_another_sync)
    run_schedule(live, {"shared": State()}, lambda: len(reads) >= 4)  # two when it begins to wait, two when it would be due
    assert len(reads) >= 4
    assert STATES["shared"].begun == 0


MESH = """
version: 1
source: shop
namespaces: {lake: lake}
catalogs: [{names: lake, also: ["trino://h/delta"]}]
sources:
  - {kind: openlineage, name: fine, files: [events.ndjson], every: 1s}
  - {kind: openlineage, name: none, files: [nothing.ndjson], every: 1s}
  - {kind: openlineage, name: asked, files: [events.ndjson]}
"""
EVENT = (
    '{"eventType":"COMPLETE","eventTime":"2026-01-01T00:00:00Z","run":{"runId":"00000000-0000-0000-0000-000000000001"},'
    '"job":{"namespace":"n","name":"j"},"inputs":[],"outputs":[{"namespace":"trino://h","name":"delta.orders"}]}\n'
)


def wait_until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def test_metrics_and_names_of_a_server(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(MESH)
    (tmp_path / "events.ndjson").write_text(EVENT)
    with run_application(mesh=str(tmp_path / "mesh.yaml"), refresh_seconds=0.1) as client:
        wait_until(lambda: read_metrics(client).get_value("source_syncs_total", source="openlineage/fine", outcome="ok") >= 2)
        wait_until(lambda: read_metrics(client).get_value("source_syncs_total", source="openlineage/none", outcome="refused") >= 1)
        found = read_metrics(client)
        assert found.list_labels("source_up", "source") == {"openlineage/fine", "openlineage/none"}
        assert found.get_value("source_scopes_total", source="openlineage/fine", outcome="new") == 1
        assert found.get_value("source_scopes_total", source="openlineage/fine", outcome="unchanged") >= 1
        assert found.get_value("source_scopes_total", source="openlineage/none", outcome="refused") >= 1
        assert 0 <= found.get_value("source_lag_seconds", source="openlineage/fine") < 60
        assert found.get_value("source_up", source="openlineage/fine") == 1
        # what rules join is joined while it comes in
        live = get_live_graph(client)
        load_items(live, [build_entry("orders", "x")])
        both = model.build_dataset_key("lake", "orders"), model.build_dataset_key("trino://h", "delta.orders")
        wait_until(lambda: live.index.assets.find_by_key(both[0]) == live.index.assets.find_by_key(both[1]))
        load_items(live, [], complete=True)
        wait_until(lambda: live.index.assets.find_by_key(both[0]) is None)


def test_a_server_may_leave_it_to_others(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(MESH)
    with run_application(mesh=str(tmp_path / "mesh.yaml"), sync_at_once=0) as client:
        assert client.app.state.service.resources.scheduler is None  # type: ignore[attr-defined]
