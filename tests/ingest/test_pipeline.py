"""The write path: group commit, back-pressure, failures that affect no other events."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest

from meshline.errors import InvalidInput, QueueFull, StoreUnavailable
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, Changes, RunReader
from meshline.graph.store.factory import open_store
from meshline.ingest.openlineage.builder import BatchBuilder
from meshline.ingest.pipeline import Accepted, CommitSummary, Limits, Pipeline, ingest_all, replay_events
from tests.ingest.lineage_events import CLOCK, Event, build_dataset, build_event, read_observable_state


class Gate:
    """A graph over a store whose commits can be delayed and made to fail."""

    def __init__(self) -> None:
        self.store = open_store(":memory:")
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.sizes: list[int] = []
        self.failing: list[Exception] = []
        self.poison: bytes | None = None

    def commit(self, build: Callable[[RunReader], Batch]) -> Changes:
        self.entered.set()
        assert self.open.wait(60)
        if self.failing:
            raise self.failing.pop()
        return self.store.commit(lambda runs: self._check_batch(build(runs)))

    def _check_batch(self, batch: Batch) -> Batch:
        self.sizes.append(len(batch.raw))
        if any(self.poison is not None and self.poison in raw.body for raw in batch.raw):
            raise ValueError("poisoned")
        return batch


def build_body(number: int, **more: object) -> bytes:
    sent: Event = {**build_event("COMPLETE", number % 60, [build_dataset("a")], [build_dataset(f"out{number}")], run=number), **more}
    return json.dumps(sent).encode()


@contextmanager
def run_pipeline(gate: Gate, limits: Limits | None = None) -> Iterator[Pipeline]:
    pipeline = Pipeline(gate, BatchBuilder(Naming()), limits, clock=lambda: CLOCK)
    try:
        yield pipeline
    finally:
        gate.open.set()
        pipeline.close()


def hold_writer(gate: Gate, pipeline: Pipeline) -> Future[Accepted]:
    """One event in the writer's hands, so that what follows waits."""
    gate.open.clear()
    gate.entered.clear()
    first = pipeline.submit(build_body(0))
    assert gate.entered.wait(60)
    return first


def test_an_event_is_durable_when_it_is_answered() -> None:
    gate = Gate()
    with run_pipeline(gate) as pipeline:
        accepted = pipeline.submit(build_body(1)).result(30)
        assert accepted == Accepted(1, ())
        assert gate.store.read_revision() == 1
        assert [stored.event.body for stored in gate.store.read_raw_events()] == [build_body(1)]


def test_waiting_events_are_committed_as_one_group() -> None:
    gate = Gate()
    with run_pipeline(gate) as pipeline:
        futures = [hold_writer(gate, pipeline), *(pipeline.submit(build_body(n)) for n in range(1, 6))]
        assert pipeline.waiting == 5
        gate.open.set()
        assert [future.result(30).revision for future in futures] == [1, 2, 2, 2, 2, 2]
    assert gate.sizes == [1, 5]


def test_groups_are_limited_by_number_and_bytes() -> None:
    gate = Gate()
    with run_pipeline(gate, Limits(group=2)) as pipeline:
        futures = [hold_writer(gate, pipeline), *(pipeline.submit(build_body(n)) for n in range(1, 6))]
        gate.open.set()
        assert [future.result(30).revision for future in futures] == [1, 2, 2, 3, 3, 4]
    gate = Gate()
    with run_pipeline(gate, Limits(group_bytes=len(build_body(1)) + 1)) as pipeline:
        futures = [hold_writer(gate, pipeline), *(pipeline.submit(build_body(n)) for n in range(1, 4))]
        gate.open.set()
        assert [future.result(30).revision for future in futures] == [1, 2, 3, 4]


def test_a_full_queue_refuses() -> None:
    gate = Gate()
    with run_pipeline(gate, Limits(waiting=2)) as pipeline:
        futures = [hold_writer(gate, pipeline), pipeline.submit(build_body(1)), pipeline.submit(build_body(2))]
        with pytest.raises(QueueFull) as full:
            pipeline.submit(build_body(3))
        assert full.value.retry_after >= 1
        gate.open.set()
        assert all(future.result(30) for future in futures)
        assert pipeline.submit(build_body(3)).result(30)


def test_bytes_fill_a_queue_too_but_one_event_always_fits() -> None:
    gate = Gate()
    with run_pipeline(gate, Limits(waiting_bytes=10)) as pipeline:
        first = hold_writer(gate, pipeline)
        pipeline.submit(build_body(1))
        with pytest.raises(QueueFull):
            pipeline.submit(build_body(2))
        gate.open.set()
        assert first.result(30)


def test_a_client_that_waits_for_room_gets_it() -> None:
    gate = Gate()
    with run_pipeline(gate, Limits(waiting=1)) as pipeline:
        hold_writer(gate, pipeline)
        pipeline.submit(build_body(1))
        threading.Timer(0.05, gate.open.set).start()
        assert pipeline.submit(build_body(2), wait=True).result(30)


def test_an_unusable_event_is_refused_at_once() -> None:
    with run_pipeline(Gate()) as pipeline, pytest.raises(InvalidInput, match=r"\$\.eventTime"):
        pipeline.submit(build_body(1, eventTime="never"))


def test_warnings_come_with_the_answer() -> None:
    with run_pipeline(Gate()) as pipeline:
        accepted = pipeline.submit(build_body(1, outputs=[build_dataset("a", ownership=3)])).result(30)
    assert [note.where for note in accepted.warnings] == ["$.outputs[0].facets.ownership"]


def test_one_poisonous_event_does_not_lose_its_group() -> None:
    gate = Gate()
    gate.poison = b"out3"
    with run_pipeline(gate) as pipeline:
        futures = [hold_writer(gate, pipeline), *(pipeline.submit(build_body(n)) for n in range(1, 6))]
        gate.open.set()
        results = [future.exception(30) for future in futures]
    assert [str(result) for result in results if result] == ["poisoned"]
    assert isinstance(results[3], ValueError)
    assert len(gate.store.read_raw_events()) == 5


def test_an_unreachable_store_fails_all_that_wait_for_it_and_the_writer_goes_on() -> None:
    gate = Gate()
    with run_pipeline(gate) as pipeline:
        gate.failing = [StoreUnavailable("gone")]
        futures = [hold_writer(gate, pipeline), pipeline.submit(build_body(1))]
        gate.open.set()
        assert all(isinstance(future.exception(30), StoreUnavailable) for future in futures)
        assert pipeline.submit(build_body(2)).result(30)


def test_closing_commits_what_was_accepted_and_refuses_the_rest() -> None:
    gate = Gate()
    pipeline = Pipeline(gate, BatchBuilder(Naming()), clock=lambda: CLOCK)
    futures = [hold_writer(gate, pipeline), pipeline.submit(build_body(1))]
    threading.Timer(0.05, gate.open.set).start()
    pipeline.close()
    assert all(future.done() and future.result() for future in futures)
    with pytest.raises(StoreUnavailable):
        pipeline.submit(build_body(2))


def test_event_loops_await_it_and_may_stop_waiting() -> None:
    gate = Gate()

    async def cancel_and_ingest(pipeline: Pipeline) -> list[Accepted]:
        task = asyncio.create_task(pipeline.ingest(build_body(9)))
        await asyncio.sleep(0)
        task.cancel()
        return await asyncio.gather(*(pipeline.ingest(build_body(n)) for n in range(5)))

    with run_pipeline(gate) as pipeline:
        assert len(asyncio.run(cancel_and_ingest(pipeline))) == 5
    assert len(gate.store.read_raw_events()) == 6


def test_a_group_that_is_not_followed_by_as_many_delays_no_event() -> None:
    gate = Gate()
    with run_pipeline(gate) as pipeline:
        futures = [hold_writer(gate, pipeline), *(pipeline.submit(build_body(n)) for n in range(1, 6))]
        gate.open.set()
        assert all(future.result(30) for future in futures)
        assert pipeline.submit(build_body(6)).result(30).revision == 3
        assert pipeline.submit(build_body(7)).result(30).revision == 4


def test_what_came_during_a_commit_waits_for_the_senders_of_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshline.ingest.pipeline.PATIENCE", 30)
    gate = Gate()
    with run_pipeline(gate) as pipeline:
        first, other = hold_writer(gate, pipeline), pipeline.submit(build_body(1))
        time.sleep(0.5)  # so long takes the commit, and may the next one wait
        gate.open.set()
        assert first.result(30).revision == 1
        time.sleep(0.02)  # its sender makes the next event
        again = pipeline.submit(build_body(2))
        assert [other.result(30).revision, again.result(30).revision] == [2, 2]
    assert gate.sizes == [1, 2]


def test_many_clients_of_one_loop() -> None:
    gate = Gate()

    async def ingest_many(pipeline: Pipeline, number: int) -> None:
        for turn in range(20):
            await pipeline.ingest(build_body(number * 100 + turn))

    async def run_clients(pipeline: Pipeline) -> None:
        gate.open.clear()
        clients = [asyncio.create_task(ingest_many(pipeline, number)) for number in range(8)]
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(*clients)

    with run_pipeline(gate) as pipeline:
        asyncio.run(run_clients(pipeline))
    assert sum(gate.sizes) == len(gate.store.read_raw_events()) == 160


def test_many_threads() -> None:
    gate = Gate()
    with run_pipeline(gate) as pipeline:

        def send(thread: int) -> None:
            for number in range(20):
                assert pipeline.submit(build_body(thread * 20 + number)).result(30)

        threads = [threading.Thread(target=send, args=(n,)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(gate.store.read_raw_events()) == 100


def test_many_events_are_ingested_in_order_and_refusals_are_distinguished() -> None:
    gate = Gate()
    found: list[tuple[str, bytes] | InvalidInput] = [
        ("f:1", build_body(1)),
        ("f:2", b"nonsense"),
        InvalidInput("cannot be read", "g"),
        ("f:3", build_body(3)),
    ]
    with run_pipeline(gate) as pipeline:
        outcomes = list(ingest_all(pipeline, found))
    assert [(outcome.place, outcome.accepted is not None) for outcome in outcomes] == [
        ("f:1", True),
        ("f:2", False),
        ("g", False),
        ("f:3", True),
    ]
    assert "not JSON" in str(outcomes[1].refused)


def test_a_replay_states_the_same_again() -> None:
    old, new = Gate(), Gate()
    with run_pipeline(old) as pipeline:
        for number in range(7):
            pipeline.submit(build_body(number), "openlineage/two" if number % 2 else "openlineage/one").result(30)
    with run_pipeline(new) as pipeline:
        outcomes = list(replay_events(old.store, pipeline))
    assert len(outcomes) == 7
    assert all(outcome.accepted for outcome in outcomes)
    assert read_observable_state(new.store, []) == read_observable_state(old.store, [])


def test_an_observer_that_fails_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_commit: CommitSummary) -> None:
        raise ValueError("no room for numbers")

    pipeline = Pipeline(Gate(), BatchBuilder(Naming()), clock=lambda: CLOCK, observe=fail)
    assert [pipeline.submit(build_body(number)).result(30).revision for number in range(2)] == [1, 2]
    pipeline.close()
    assert "the metrics of a commit could not be recorded" in caplog.text


def list_marked(*numbers: int) -> list[tuple[bytes, tuple[str, str]]]:
    return [(build_body(number), ("position", str(number))) for number in numbers]


def test_events_that_are_queued_as_one_set_their_marks_when_they_are_durable() -> None:
    gate = Gate()
    with run_pipeline(gate, Limits(group=2)) as pipeline:
        futures = pipeline.submit_all([*list_marked(1, 2), (b"[]", ("position", "9")), *list_marked(3)])
        assert [future.result(30).revision for number, future in enumerate(futures) if number != 2] == [1, 1, 2]
        with pytest.raises(InvalidInput):
            futures[2].result(30)
        assert gate.store.read_setting("position") == "3"


@pytest.mark.parametrize("failing", [[StoreUnavailable("away")], [StoreUnavailable("away"), ValueError("one of them is broken")]])
def test_after_one_that_the_store_refused_none_of_them_is_ingested(failing: list[Exception]) -> None:
    gate = Gate()
    with run_pipeline(gate, Limits(group=3)) as pipeline:
        first = hold_writer(gate, pipeline)
        futures = pipeline.submit_all(list_marked(1, 2, 3, 4, 5))
        gate.open.set()
        assert first.result(30)
        assert [future.result(30) for future in futures]
        gate.failing = failing
        futures = pipeline.submit_all(list_marked(6, 7, 8, 9, 10))
        assert [type(future.exception(30)) for future in futures] == [StoreUnavailable] * 5
        assert gate.store.read_setting("position") == "5"


def test_events_queued_together_wait_together() -> None:
    gate = Gate()
    with run_pipeline(gate, Limits(waiting=4)) as pipeline:
        futures = [hold_writer(gate, pipeline), pipeline.submit(build_body(1))]
        with pytest.raises(QueueFull):
            pipeline.submit_all(list_marked(2, 3, 4, 5))
        assert pipeline.waiting == 1
        gate.open.set()
        assert [future.result(30) for future in futures]
        wait_for_room(pipeline)
        assert [future.result(30) for future in pipeline.submit_all(list_marked(*range(2, 12)))]


def wait_for_room(pipeline: Pipeline) -> None:
    end = time.monotonic() + 60
    while pipeline.waiting:
        assert time.monotonic() < end
        time.sleep(0.01)
