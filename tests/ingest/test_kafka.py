"""Events from a real Kafka broker: each once, whatever fails between."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.facet_v2 import parent_run
from openlineage.client.transport.kafka import KafkaConfig, KafkaTransport

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.live_graph import LiveGraph
from meshline.graph.naming import Naming
from meshline.graph.store.base import Batch, Changes, RunReader, Store
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.kafka import EventConsumer, Subscription, check_subscription, read_properties
from meshline.ingest.kafka.consumer import ConsumeLoop
from meshline.ingest.openlineage.builder import DEFAULT_SOURCE, BatchBuilder
from meshline.ingest.pipeline import Limits, Pipeline
from tests.api.conftest import AskGraph
from tests.faults.traffic import generate_bodies
from tests.faults.truth import list_bodies
from tests.ingest.producers.recordings import import_script
from tests.ingest.producers.test_clients import EVENTS, check_answers, run_python
from tests.kafka import KafkaBroker, Topic, headers_of

pytestmark = pytest.mark.server

SECONDS = 60


class Counts:
    """The counts that an observer received."""

    def __init__(self) -> None:
        self.messages: Counter[str] = Counter()
        self.lag: dict[int, int] = {}

    def count_messages(self, outcome: str, number: int) -> None:
        if number:
            self.messages[outcome] += number

    def set_lag(self, partition: int, messages: int) -> None:
        self.lag[partition] = messages

    def release_partition(self, partition: int) -> None:
        self.lag.pop(partition, None)


class Gate:
    """A graph that may be away, or slow."""

    def __init__(self, store: Store) -> None:
        self._live = LiveGraph.open(store)
        self.away = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self.tried = 0

    def commit(self, build: Callable[[RunReader], Batch]) -> Changes:
        self.tried += 1
        assert self.open.wait(SECONDS)
        if self.away.is_set():
            raise StoreUnavailable("the store is away")
        return self._live.commit(build)


class Running:
    """A consumer and what it writes to."""

    def __init__(self, consumer: EventConsumer, gate: Gate, store: Store, counts: Counts) -> None:
        self.consumer, self.gate, self.store, self.counts = consumer, gate, store, counts

    def wait_for(self, number: int, *outcomes: str) -> None:
        wait_until(lambda: sum(self.counts.messages[outcome] for outcome in outcomes or ("taken",)) >= number)


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    made = SqliteStore()
    yield made
    made.close()


@contextmanager
def run_consumer(
    topic: Topic, store: Store, *, limits: Limits | None = None, max_bytes: int = 2**20, away: bool = False, instance: str = ""
) -> Iterator[Running]:
    gate, counts = Gate(store), Counts()
    if away:
        gate.away.set()
    pipeline = Pipeline(gate, BatchBuilder(Naming()), limits)
    properties = {"session.timeout.ms": "6000", **({"group.instance.id": instance} if instance else {})}
    subscription = Subscription(topic.servers, topic.name, "meshline", properties, max_bytes)
    consumer = EventConsumer(subscription, pipeline, store, DEFAULT_SOURCE, counts)
    consumer.start()
    try:
        yield Running(consumer, gate, store, counts)
    finally:
        gate.open.set()
        consumer.stop()
        pipeline.close()


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def list_events(number: int, seed: int = 1) -> list[bytes]:
    return list(itertools.islice(generate_bodies(seed), number))


def test_events_are_ingested_and_then_committed(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic, sent = kafka.topic(), list_events(1200)
    topic.send(sent)
    with run_consumer(topic, store) as running:
        running.wait_for(1200)
        assert list_bodies(store) == sent
        wait_until(lambda: topic.committed() == {0: 1200})
        wait_until(lambda: running.counts.lag == {0: 0})
    assert running.counts.lag == {}
    with run_consumer(topic, store) as again:
        wait_until(lambda: again.counts.lag == {0: 0})
        assert sum(again.counts.messages.values()) == 0
    assert list_bodies(store) == sent


def test_events_of_the_client_for_python_are_ingested(kafka: KafkaBroker, store: SqliteStore, tmp_path: Path) -> None:
    """Its transport for Kafka, with the settings of docs/openlineage.md."""
    producers, topic = import_script("producers"), kafka.topic()
    places = {producers.BROKER: kafka.servers, producers.TOPIC: topic.name}
    run_python(tmp_path, kafka=producers.read_settings("Python client over Kafka", places))
    with run_consumer(topic, store) as running:
        running.wait_for(EVENTS)
    assert running.counts.messages == {"taken": EVENTS}
    live = LiveGraph.open(store)
    check_answers(AskGraph(live), "kafka")


def test_where_the_client_for_python_puts_the_events_of_a_job(kafka: KafkaBroker) -> None:
    """docs/sources/kafka.md: where its key is left to it, each job, and all that one run starts, is in one partition."""
    topic = kafka.topic(partitions=4)
    for job in range(12):
        for client in (build_client(topic), build_client(topic)):  # each run of a program has one of its own
            client.emit(build_run_event(f"load_{job}"))
            client.emit(build_run_event(f"nightly.step_{job}", root="nightly"))
    places = find_places(topic, 48)
    assert all(len(partitions) == 1 for partitions in places.values())
    assert len({partition for partitions in places.values() for partition in partitions}) > 1
    assert len(set.union(*(places[f"nightly.step_{job}"] for job in range(12)))) == 1
    together = kafka.topic(partitions=4)
    for job in range(12):
        build_client(together, messageKey="all").emit(build_run_event(f"load_{job}"))
    assert len(set.union(*find_places(together, 12).values())) == 1


def build_client(topic: Topic, **options: str) -> KafkaTransport:
    config = {"bootstrap.servers": topic.servers}
    return KafkaTransport(KafkaConfig.from_dict({"config": config, "topic": topic.name, **options}))


def build_run_event(job: str, root: str = "") -> RunEvent:
    parent = parent_run.ParentRunFacet(parent_run.Run(str(uuid.uuid4())), parent_run.Job("airflow", root))
    return RunEvent(
        eventType=RunState.COMPLETE,
        eventTime="2026-03-08T02:00:00Z",
        run=Run(runId=str(uuid.uuid4()), facets={"parent": parent} if root else {}),
        job=Job(namespace="airflow", name=job),
    )


def find_places(topic: Topic, number: int) -> dict[str, set[int]]:
    """The partitions of each job."""
    places: defaultdict[str, set[int]] = defaultdict(set)
    for message in topic.read_messages(number):
        value, partition = message.value(), message.partition()
        assert value is not None
        assert partition is not None
        places[json.loads(value)["job"]["name"]].add(partition)
    return places


class RefusedCommits(Consumer):
    """A consumer whose first commit of a round Kafka refuses, as in a rebalance: by an answer, or in the call itself."""

    by_answer = True

    def __init__(self, config: dict[str, Any]) -> None:
        self.refused = 0
        self._on_commit = config.get("on_commit")
        super().__init__(config)

    def commit(self, **options: Any) -> Any:
        if self.refused or options["offsets"][0].offset == 0:
            return super().commit(**options)
        self.refused += 1
        error = KafkaError(KafkaError.ILLEGAL_GENERATION)
        if not self.by_answer:
            raise KafkaException(error)
        if self._on_commit is not None:
            self._on_commit(error, options["offsets"])
        return None


@pytest.mark.parametrize("by_answer", [True, False])
def test_an_offset_that_kafka_did_not_take_is_committed_again(
    kafka: KafkaBroker, store: SqliteStore, monkeypatch: pytest.MonkeyPatch, *, by_answer: bool
) -> None:
    monkeypatch.setattr(RefusedCommits, "by_answer", by_answer)
    monkeypatch.setattr("meshline.ingest.kafka.consumer.Consumer", RefusedCommits)
    topic = kafka.topic()
    topic.send(list_events(10))
    with run_consumer(topic, store) as running:
        running.wait_for(10)
        wait_until(lambda: topic.committed() == {0: 10})


def test_nothing_is_committed_before_it_is_durable(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic = kafka.topic()
    topic.send(list_events(10))
    with run_consumer(topic, store) as running:
        running.gate.open.clear()
        wait_until(lambda: running.gate.tried > 0 or running.counts.messages["taken"] > 0)
        if running.counts.messages["taken"] == 0:
            assert topic.committed() == {0: 0}
        running.gate.open.set()
        running.wait_for(10)
    assert topic.committed() == {0: 10}


def test_an_event_that_cannot_be_ingested_becomes_a_dead_letter_with_the_reason(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic, good = kafka.topic(), list_events(3)
    topic.send([good[0], b"{not json", good[1], None, b'{"eventTime": "2026-03-01T00:00:00Z"}', b" " * 3000, good[2]])
    with run_consumer(topic, store, max_bytes=2000) as running:
        running.wait_for(7, "taken", "dead_letter")
        assert running.counts.messages == {"taken": 3, "dead_letter": 4}
        assert topic.committed() == {0: 7}
    assert list_bodies(store) == good
    letters = topic.dead_letters(4)
    headers = [headers_of(letter) for letter in letters]
    assert [(letter.value(), letter.key()) for letter in letters] == [
        (b"{not json", b"run:pipeline/1"),
        (None, b"run:pipeline/3"),
        (b'{"eventTime": "2026-03-01T00:00:00Z"}', b"run:pipeline/4"),
        (b" " * 3000, b"run:pipeline/5"),
    ]
    assert [header["meshline.offset"] for header in headers] == [b"1", b"3", b"4", b"5"]
    assert {(header["source"], header["meshline.topic"], header["meshline.partition"]) for header in headers} == {
        (b"test", topic.name.encode(), b"0")
    }
    reasons = [header["meshline.error"] for header in headers]
    assert reasons[0].startswith(b"$: not JSON")
    assert reasons[1] == b"the message has no value"
    assert b"job" in reasons[2]
    assert reasons[3] == b"the message has 3000 bytes; at most 2000 are accepted"


def test_a_repeated_delivery_is_not_kept_twice(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic, good = kafka.topic(), list_events(40)
    topic.send([*good[:20], b"poison", *good[20:]])
    with run_consumer(topic, store) as running:
        running.wait_for(41, "taken", "dead_letter")
    topic.commit(10)
    with run_consumer(topic, store) as again:
        again.wait_for(31, "known", "taken", "dead_letter")
        assert again.counts.messages == {"known": 30, "dead_letter": 1}  # whether it became a letter is not known
    assert list_bodies(store) == good
    assert topic.committed() == {0: 41}


def test_a_letter_at_the_end_is_not_written_again(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic = kafka.topic()
    topic.send([*list_events(2), b"poison"])
    with run_consumer(topic, store) as running:
        running.wait_for(3, "taken", "dead_letter")
    with run_consumer(topic, store) as again:
        wait_until(lambda: again.counts.lag == {0: 0})
        assert sum(again.counts.messages.values()) == 0
    assert len(topic.dead_letters(1)) == 1


def test_an_event_that_cannot_become_a_dead_letter_is_not_skipped(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic, good = kafka.topic(), list_events(2)
    topic.letters.make(max_message_bytes="100")
    topic.send([good[0], b"poison", good[1]])
    with run_consumer(topic, store) as running:
        wait_until(lambda: len(list_bodies(store)) == 2)
        assert running.counts.messages["dead_letter"] == 0
    assert topic.committed() == {0: 1}
    topic.letters.delete()
    wait_until(lambda: make_topic(topic.letters))
    with run_consumer(topic, store) as again:
        again.wait_for(2, "dead_letter", "known")
        assert again.counts.messages == {"dead_letter": 1, "known": 1}
    assert [letter.value() for letter in topic.dead_letters(1)] == [b"poison"]
    assert list_bodies(store) == good
    assert topic.committed() == {0: 3}


def test_a_server_that_is_killed_at_once_has_an_offset(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic = kafka.topic()
    topic.send([b"poison", *list_events(1)])
    with run_consumer(topic, store, away=True) as running:
        wait_until(lambda: running.gate.tried > 0)
        assert topic.committed() == {0: 0}  # where it begins if the store is further by the next time


def test_a_store_that_was_restored_gets_what_it_lacks(kafka: KafkaBroker, tmp_path: Path) -> None:
    topic, sent = kafka.topic(), list_events(60)
    file, backup = tmp_path / "mesh.db", tmp_path / "backup.db"
    topic.send(sent[:20])
    with closing(SqliteStore(str(file))) as store, run_consumer(topic, store) as running:
        running.wait_for(20)
    SqliteStore(str(file)).close()
    shutil.copy(file, backup)
    topic.send(sent[20:])
    with closing(SqliteStore(str(file))) as store, run_consumer(topic, store) as running:
        running.wait_for(40)
    assert topic.committed() == {0: 60}
    with closing(SqliteStore(str(backup))) as store, run_consumer(topic, store) as restored:
        restored.wait_for(40)
        assert list_bodies(store) == sent


def test_a_topic_that_was_created_again_is_read_from_its_beginning(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic, sent = kafka.topic(), list_events(30)
    topic.send(sent[:20])
    with run_consumer(topic, store) as running:
        running.wait_for(20)
    topic.delete()
    wait_until(lambda: make_topic(topic))
    topic.send(sent[20:])
    topic.commit(0)
    with run_consumer(topic, store) as again:
        again.wait_for(10)
    assert list_bodies(store) == sent


def make_topic(topic: Topic) -> bool:
    try:
        topic.make()
    except Exception:  # noqa: BLE001 - it is still being deleted
        return False
    return True


def test_while_the_store_is_away_it_waits_and_stays_in_the_group(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic, sent = kafka.topic(), list_events(700)
    topic.send(sent)
    with run_consumer(topic, store, away=True) as running:
        wait_until(lambda: running.gate.tried >= 3)  # the position was not lost, or it would begin again each time
        assert (topic.committed(), running.counts.messages["taken"]) == ({0: 0}, 0)
        running.gate.away.clear()
        running.wait_for(700)
    assert list_bodies(store) == sent
    assert running.counts.messages["dead_letter"] == 0


def test_it_stops_while_the_store_is_away_and_goes_on_where_it_was(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic, sent = kafka.topic(), list_events(50)
    topic.send(sent)
    with run_consumer(topic, store, away=True) as running:
        wait_until(lambda: running.gate.tried > 0)
        begun = time.monotonic()
    assert time.monotonic() - begun < 60
    with run_consumer(topic, store) as again:
        again.wait_for(50)
    assert list_bodies(store) == sent


def test_a_full_queue_is_waited_for(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic, sent = kafka.topic(), list_events(1500)
    topic.send(sent)
    with run_consumer(topic, store, limits=Limits(waiting=10, group=5)) as running:
        running.wait_for(1500)
    assert list_bodies(store) == sent


def test_a_rebalance_loses_and_doubles_nothing(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic, sent = kafka.topic(partitions=4), list_events(4000)
    with ExitStack() as rest:
        with run_consumer(topic, store) as first:
            wait_until(lambda: len(first.counts.lag) == 4)
            topic.send(sent[:1000])
            second = rest.enter_context(run_consumer(topic, store))
            topic.send(sent[1000:2000])  # while partitions are handed over
            wait_until(lambda: len(first.counts.lag) == 2 and len(second.counts.lag) == 2)
            topic.send(sent[2000:3000])
            second.wait_for(1)
        topic.send(sent[3000:])  # while they are handed back
        wait_until(lambda: len(second.counts.lag) == 4 and not any(second.counts.lag.values()))
        assert first.counts.messages["taken"] + second.counts.messages["taken"] == 4000
    assert Counter(list_bodies(store)) == Counter(sent)
    assert topic.committed() == dict.fromkeys(range(4), 1000)


def test_what_a_killed_server_gave_up_has_a_consumer(kafka: KafkaBroker, tmp_path: Path) -> None:
    """Killed while it gives up partitions to another, and started again at once under its own id: Kafka need not notice that."""
    topic, sent, file = kafka.topic(partitions=4), list_events(800), tmp_path / "mesh.db"
    with ExitStack() as rest:
        killed = rest.enter_context(subprocess.Popen([sys.executable, "-c", KILLED, topic.servers, topic.name, str(file)]))
        rest.callback(killed.kill)
        topic.send(sent[:400])
        wait_until(lambda: topic.committed() == dict.fromkeys(range(4), 100))
        store = rest.enter_context(closing(SqliteStore(str(file))))
        rest.enter_context(run_consumer(topic, store))
        assert killed.wait(SECONDS) == -signal.SIGKILL
        rest.enter_context(run_consumer(topic, store, instance="first"))
        topic.send(sent[400:])
        wait_until(lambda: topic.committed() == dict.fromkeys(range(4), 200))
        assert Counter(list_bodies(store)) == Counter(sent)


def test_a_server_that_follows_on_with_another_topic_consumes_that(kafka: KafkaBroker, store: SqliteStore) -> None:
    """Under the id of a member that Kafka does not miss yet, which keeps its partitions of the topic before."""
    before, after, sent = kafka.topic(), kafka.topic(partitions=2), list_events(40)
    before.send(sent[:10])
    with run_consumer(before, store, instance="only") as first:
        wait_until(lambda: before.committed() == {0: 10})
        assert first.counts.messages == {"taken": 10}
    after.send(sent[20:])
    before.send(sent[10:20])
    with run_consumer(after, store, instance="only"):
        wait_until(lambda: after.committed() == {0: 10, 1: 10})
    assert Counter(list_bodies(store)) == Counter(sent[:10] + sent[20:])
    assert before.committed() == {0: 10}


KILLED = """
import os, signal, sys
from meshline.graph.store.sqlite import SqliteStore
from meshline.ingest.kafka import consumer
from tests.ingest.test_kafka import run_consumer
from tests.kafka import Topic
servers, name, file = sys.argv[1:]
consumer.ConsumeLoop._revoke_partitions = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with run_consumer(Topic(servers, name, 4), SqliteStore(file), instance="first"):
    signal.pause()
"""


def test_what_was_written_late_is_not_written_again(kafka: KafkaBroker, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes longer than a consumer may keep partitions that it is to give up, and gets them back."""
    monkeypatch.setattr("meshline.ingest.kafka.consumer.LEAVE_SECONDS", 0.1)
    assigned: list[int] = []
    assign = ConsumeLoop._assign_partitions

    def record_and_assign(loop: ConsumeLoop, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        assign(loop, consumer, partitions)
        assigned.append(len(partitions))

    monkeypatch.setattr(ConsumeLoop, "_assign_partitions", record_and_assign)
    topic, sent = kafka.topic(partitions=2), list_events(40)
    with run_consumer(topic, store) as first:
        wait_until(lambda: assigned == [2])
        first.gate.open.clear()
        topic.send(sent)
        wait_until(lambda: first.gate.tried > 0)
        with run_consumer(topic, store, away=True):
            wait_until(lambda: assigned == [2, 1, 1])
        wait_until(lambda: assigned == [2, 1, 1, 2])
        first.gate.open.set()
        wait_until(lambda: topic.committed() == {0: 20, 1: 20})
    assert Counter(list_bodies(store)) == Counter(sent)


def test_it_goes_on_when_kafka_is_back(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic, sent = kafka.topic(), list_events(40)
    topic.send(sent[:20])
    with run_consumer(topic, store) as running:
        running.wait_for(20)
        kafka.stop()
        time.sleep(3)
        kafka.start()
        topic.send(sent[20:])
        running.wait_for(40)
    assert list_bodies(store) == sent
    assert topic.committed() == {0: 40}


def test_an_operator_may_make_the_topic_later(kafka: KafkaBroker, store: SqliteStore) -> None:
    topic = Topic(kafka.servers, f"later-{time.time_ns()}", 1)
    with run_consumer(topic, store) as running:
        time.sleep(1)
        topic.make()
        topic.send(list_events(3))
        running.wait_for(3)


def test_properties_come_from_a_file_and_are_in_no_message(kafka: KafkaBroker, tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text("security.protocol = PLAINTEXT\nsasl.password=very-secret\n")
    properties = read_properties(file)
    assert properties == {"security.protocol": "PLAINTEXT", "sasl.password": "very-secret"}
    check_subscription(Subscription(kafka.servers, "t", "g", properties))
    with pytest.raises(InvalidInput, match=r"security\.protocol") as error:
        check_subscription(Subscription(kafka.servers, "t", "g", {**properties, "security.protocol": "very-secret"}))
    assert "very-secret" not in str(error.value)
    with pytest.raises(InvalidInput, match=r"no\.such\.property"):
        check_subscription(Subscription(kafka.servers, "t", "g", {"no.such.property": "1"}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the file cannot be read"),
        (b"\xff", "the file is not UTF-8"),
        (b"#" * 2**21, "more than"),
        (rb"a=\ud83d", r"client\.properties:1: half of a character"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "client.properties"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        read_properties(file)
