"""Consumes the events of a Kafka topic in a consumer group.

A round fetches a few hundred messages, submits them to the pipeline together, waits until they are durable, and then
commits their offsets. The store writes the position in the same transaction as the events, and a consumer begins
at that position, so nothing is lost and nothing is stored twice, whenever a process is killed. Only a consumer that
Kafka considers dead while it still writes may write the same events as its successor; the graph is the same then.
"""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from contextlib import suppress
from typing import Protocol, TypeAlias

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from meshline.errors import InvalidInput, MeshlineError, QueueFull, StoreUnavailable
from meshline.graph.model import get_current_micros
from meshline.graph.store.base import Store
from meshline.ingest.kafka.client_config import Subscription, format_error
from meshline.ingest.kafka.dead_letters import DeadLetter, DeadLetters
from meshline.ingest.kafka.offsets import Item, Positions, find_finished_offsets, wait_for_answers
from meshline.ingest.openlineage.events import EventParser
from meshline.ingest.openlineage.facets import FacetReader
from meshline.ingest.pipeline import Pipeline

INGESTED = "taken"  # durable  # codespell:ignore taken
KNOWN = "known"  # delivered again, and durable since before
DEAD_LETTER = "dead_letter"
OUTCOMES = (INGESTED, KNOWN, DEAD_LETTER)


class Observer(Protocol):
    """Receives the counts of a consumer. The consumer's thread calls it."""

    def count_messages(self, outcome: str, number: int) -> None:
        """Count messages by their outcome, one of OUTCOMES."""
        ...

    def set_lag(self, partition: int, messages: int) -> None:
        """Set how many messages of a partition that is assigned to this consumer are not durable yet."""
        ...

    def release_partition(self, partition: int) -> None:
        """Remove a partition that is no longer assigned to this consumer."""
        ...


log = logging.getLogger("meshline.ingest")

CommitObserver: TypeAlias = Callable[[KafkaError | None, Sequence[TopicPartition]], None]

TOGETHER = 500  # messages of a round
RETRY_SECONDS = 2.0
LEAVE_SECONDS = 30.0  # maximum wait before a partition is released, until its submitted messages are durable
_POLL_SECONDS = 0.5
_SECONDS = 10.0  # timeout of a request to Kafka
_PATIENCE = 1.0  # seconds to wait for a round before the consumer polls Kafka, so that it stays in the group


class ConsumeLoop:
    """The loop of the consuming thread. It serves one Kafka consumer after the other."""

    def __init__(self, subscription: Subscription, pipeline: Pipeline, source: str, positions: Positions, observer: Observer) -> None:
        self._subscription = subscription
        self._pipeline = pipeline
        self._source = source
        self._positions = positions
        self._observer = observer
        self._letters = DeadLetters(subscription)
        self._parser = EventParser(FacetReader(pipeline.event_limits))
        self._stopping = threading.Event()
        self._consumer: Consumer
        self._durable: dict[int, int] = {}  # by assigned partition: all messages before this offset are durable, and may be delivered again
        self._next: dict[int, int] = {}  # by assigned partition: the offset of the next message to ingest
        self._committed: dict[int, int] = {}  # by assigned partition: the offset that Kafka has, as far as it has answered
        self._commit_failure: int | None = None  # the code of the last error that was logged, until a commit succeeds
        self._items: list[Item] = []
        self._stash: list[Message] = []  # messages that arrived during a poll that only kept the consumer in its group
        self._paused = False
        self._reported = 0.0

    def consume(self, consumer: Consumer, stopping: threading.Event) -> None:
        """Consume until `stopping` is set, then close the consumer. Raises KafkaException, StoreUnavailable."""
        self._consumer, self._stopping = consumer, stopping
        self._paused = False
        self._stash.clear()
        try:
            consumer.subscribe(
                [self._subscription.topic],
                on_assign=self._assign_partitions,
                on_revoke=self._revoke_partitions,
                on_lost=self._drop_partitions,
            )
            while not stopping.is_set():
                messages, self._stash = self._stash, []
                self._ingest_round(messages or consumer.consume(TOGETHER, _POLL_SECONDS))
                self._look_after_offsets()
        finally:
            wait_for_answers(self._items, LEAVE_SECONDS)
            consumer.close()  # calls `_revoke_partitions`
            self._items = []
            for partition in list(self._next):
                self._release_partition(partition)

    # -- a round

    def _ingest_round(self, messages: Iterable[Message]) -> None:
        self._items = [item for message in messages if (item := self._build_item(message)) is not None]
        if self._items:
            self._observer.count_messages(KNOWN, sum(item.known for item in self._items))
            self._write_round()
            self._send_dead_letters()
            self._commit_round()
        self._resume()

    def _build_item(self, message: Message) -> Item | None:
        """The item of a message; None for an event of Kafka that is not a message, and for a partition that was revoked."""
        error, partition, offset, body = message.error(), message.partition(), message.offset(), message.value()
        if error is not None:
            if error.fatal():
                raise KafkaException(error)
            log.warning("Kafka topic %s: %s", self._subscription.topic, error.str())
            return None
        assert partition is not None
        assert offset is not None
        if offset < self._next.get(partition, offset + 1):  # of a partition that was revoked meanwhile
            return None
        item = Item(message, partition, offset, bytes(body or b""))
        item.refused = self._find_refusal(item)
        item.known = item.refused is None and offset < self._durable.get(partition, 0)
        return item

    def _find_refusal(self, item: Item) -> InvalidInput | None:
        """Why a message cannot be ingested, as far as the pipeline does not check it; None if it can."""
        if not item.body:
            return InvalidInput("the message has no value")
        if len(item.body) > self._subscription.max_bytes:
            return InvalidInput(f"the message has {len(item.body)} bytes; at most {self._subscription.max_bytes} are accepted")
        if item.offset < self._durable.get(item.partition, 0):  # it is not known whether it became a dead letter
            try:
                self._parser.parse(item.body, get_current_micros())
            except InvalidInput as error:
                return error
        return None

    def _write_round(self) -> None:
        """Submit the messages of the round, again if needed, until they are durable, refused or of a revoked partition."""
        while waiting := [item for item in self._items if not item.is_finished and item.refused is None]:
            if self._stopping.is_set():
                return
            try:
                marked = [(item.body, self._positions.build_mark(item.partition, item.offset)) for item in waiting]
                answers = self._pipeline.submit_all(marked, self._source)
            except (QueueFull, StoreUnavailable):
                self._wait_paused(RETRY_SECONDS)
                continue
            for item, answer in zip(waiting, answers, strict=True):
                item.answer = answer
            while futures.wait(answers, _PATIENCE).not_done:
                self._wait_paused(0)
            unavailable = self._record_answers(waiting)
            if unavailable is not None:
                log.warning("messages from Kafka wait until the store is available: %s", unavailable)
                self._wait_paused(RETRY_SECONDS)

    def _record_answers(self, waiting: Sequence[Item]) -> StoreUnavailable | None:
        """Record what the pipeline wrote and refused. Returns the error if it could not write to the store."""
        self._observer.count_messages(INGESTED, sum(item.is_written for item in waiting))
        for item in waiting:  # also of a partition that was given up meanwhile and assigned again: it begins with what was durable then
            if item.is_written and item.partition in self._durable:
                self._durable[item.partition] = max(self._durable[item.partition], item.offset + 1)
        unavailable: StoreUnavailable | None = None
        for item in waiting:
            error = item.answer.exception() if item.answer is not None else None
            if isinstance(error, StoreUnavailable):
                unavailable = error
            elif isinstance(error, Exception):
                item.refused = error
        return unavailable

    def _send_dead_letters(self) -> None:
        """Write refused messages to the dead-letter topic, and retry until that succeeds: else they would be lost."""
        while letters := [item for item in self._items if item.refused is not None and not item.buried]:
            if self._stopping.is_set():
                return
            failed = self._letters.send([DeadLetter(item.message, str(item.refused)) for item in letters])
            left = {id(letter.message) for letter in failed}
            for item in letters:
                item.buried = id(item.message) not in left
            self._observer.count_messages(DEAD_LETTER, len(letters) - len(failed))
            if failed:
                self._wait_paused(RETRY_SECONDS)
            else:
                log.warning(
                    "%d messages are written to %s, the first because of: %s",
                    len(letters),
                    self._subscription.dead_letters,
                    letters[0].refused,
                )

    def _commit_round(self) -> None:
        offsets = find_finished_offsets(self._items)
        self._next.update(offsets)
        for item in {item.partition: item for item in self._items}.values():  # the last ones
            if item.buried and item.offset >= self._durable.get(item.partition, 0):
                with suppress(StoreUnavailable):  # then it may become a dead letter twice
                    self._positions.write_offset(item.partition, item.offset)
        self._commit_offsets(offsets, wait=any(item.buried for item in self._items))

    def _commit_offsets(self, offsets: dict[int, int], *, wait: bool) -> None:
        """Commit offsets to Kafka. If that fails, as it does in a rebalance, nothing is lost: the store has the position, and
        `_look_after_offsets` commits again.
        """
        if not offsets:
            return
        listed = [TopicPartition(self._subscription.topic, partition, offset) for partition, offset in offsets.items()]
        try:
            if wait:
                self.record_commit(None, self._consumer.commit(offsets=listed, asynchronous=False))
            else:
                self._consumer.commit(offsets=listed, asynchronous=True)  # calls `record_commit` while it is polled
        except KafkaException as error:
            self.record_commit(error.args[0], listed)

    def record_commit(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """Record what Kafka has answered to a commit. `error`: of all partitions; one has perhaps an error of its own."""
        for partition in partitions:
            failure = error or partition.error
            if failure is None:
                self._commit_failure = None
                if partition.partition in self._next:
                    self._committed[partition.partition] = partition.offset
            elif failure.code() != self._commit_failure:
                self._commit_failure = failure.code()
                log.warning(
                    "offsets could not be committed to Kafka, trying again: %s", format_error(KafkaException(failure), self._subscription)
                )

    # -- staying in the group

    def _wait_paused(self, seconds: float) -> None:
        """Pause fetching for this time, but stay in the group."""
        if not self._paused:
            self._consumer.pause(self._list_partitions())
            self._paused = True
        end = time.monotonic() + seconds
        while True:
            message = self._consumer.poll(0.1)
            if message is not None:
                self._stash.append(message)
            if time.monotonic() >= end or self._stopping.is_set():
                return

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            with suppress(KafkaException):  # for a partition that was revoked just now
                self._consumer.resume(self._list_partitions())

    def _list_partitions(self) -> list[TopicPartition]:
        return [TopicPartition(self._subscription.topic, partition) for partition in self._next]

    def _assign_partitions(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Begin at the position of the store. Kafka's offset may be behind it, at a message that has yet to become a dead letter,
        or, if the store was restored from a backup, far ahead of it; the lower one is used.
        """
        durable = self._positions.read_offsets(partition.partition for partition in partitions)
        begun = consumer.committed(partitions, timeout=_SECONDS) if partitions else []
        new = []
        for partition in begun:
            number = partition.partition
            self._committed[number] = partition.offset  # below 0: none
            known = [offset for offset in (durable.get(number, -1), partition.offset) if offset >= 0]
            if not known:
                known = [consumer.get_watermark_offsets(partition, timeout=_SECONDS)[0]]
                new.append(partition)
            partition.offset = self._next[number] = min(known)
            self._durable[number] = durable.get(number, 0)
        consumer.assign(begun)
        if self._paused:
            consumer.pause(begun)
        log.info("Kafka topic %s: this server has the partitions %s", self._subscription.topic, sorted(self._next))
        if new:  # before anything is ingested: a partition without a committed offset has no message that became a dead letter
            self.record_commit(None, consumer.commit(offsets=new, asynchronous=False))

    def _revoke_partitions(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Release partitions after their submitted messages are durable."""
        numbers = {partition.partition for partition in partitions}
        wait_for_answers(self._items, LEAVE_SECONDS, numbers)
        offsets = {**self._next, **find_finished_offsets(self._items)}
        self._commit_offsets({number: offsets[number] for number in numbers if number in offsets}, wait=True)
        for number in numbers:
            self._release_partition(number)

    def _drop_partitions(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Release partitions that Kafka has already assigned to another consumer."""
        wait_for_answers(self._items, LEAVE_SECONDS, {partition.partition for partition in partitions})
        for partition in partitions:
            self._release_partition(partition.partition)

    def _release_partition(self, partition: int) -> None:
        self._items = [item for item in self._items if item.partition != partition]
        self._stash = [message for message in self._stash if message.partition() != partition]
        self._next.pop(partition, None)
        self._durable.pop(partition, None)
        self._committed.pop(partition, None)
        self._observer.release_partition(partition)

    def _look_after_offsets(self) -> None:
        """Once a second report the lag of each partition, and commit again what Kafka does not have."""
        if time.monotonic() - self._reported < 1:
            return
        self._reported = time.monotonic()
        behind = {partition: offset for partition, offset in self._next.items() if self._committed[partition] < offset}
        self._commit_offsets(behind, wait=False)
        for partition in self._list_partitions():
            _, high = self._consumer.get_watermark_offsets(partition, cached=True)
            if high >= 0:
                self._observer.set_lag(partition.partition, max(high - self._next[partition.partition], 0))


class EventConsumer:
    """Owns the thread that consumes until it is stopped, and starts again after each failure."""

    def __init__(self, subscription: Subscription, pipeline: Pipeline, store: Store, source: str, observer: Observer) -> None:
        self._subscription = subscription
        self._rounds = ConsumeLoop(subscription, pipeline, source, Positions(store, subscription), observer)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meshline-kafka", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the submitted messages are durable and their offsets are committed, if Kafka can be reached."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._rounds.consume(_build_consumer(self._subscription, self._rounds.record_commit), self._stopping)
            except KafkaException as error:
                log.warning("consuming from Kafka failed: %s; trying again", format_error(error, self._subscription))
            except MeshlineError as error:
                log.warning("consuming from Kafka failed: %s; trying again", error)
            except Exception:
                log.exception("consuming from Kafka failed; trying again")
            if self._stopping.wait(RETRY_SECONDS):
                return


def check_subscription(subscription: Subscription) -> None:
    """Raises InvalidInput if Kafka's client refuses the subscription's properties."""
    _build_consumer(subscription).close()


def _build_consumer(subscription: Subscription, on_commit: CommitObserver | None = None) -> Consumer:
    config = {
        "queued.max.messages.kbytes": 65_536,
        **subscription.build_client_config(),
        "group.id": subscription.group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # All partitions are given up before they are assigned again. In a cooperative rebalance some are given up first and assigned in a
        # second one; a server that is killed between the two and follows on under its `group.instance.id` gets what it kept, without the
        # second: what it gave up would have no consumer until another server joins or leaves.
        "partition.assignment.strategy": "range,roundrobin",
        **_build_member_id(subscription),
        **({} if on_commit is None else {"on_commit": on_commit}),
    }
    try:
        return Consumer(config)
    except KafkaException as error:
        raise InvalidInput(format_error(error, subscription), "kafka") from error


def _build_member_id(subscription: Subscription) -> dict[str, str]:
    """The id of a member that keeps its partitions while it is away. It differs by topic: a server that follows on under the id of one
    that consumed another topic would be assigned that topic's partitions.
    """
    given = subscription.properties.get("group.instance.id")
    return {} if given is None else {"group.instance.id": f"{given}-{zlib.crc32(subscription.topic.encode()):08x}"}
