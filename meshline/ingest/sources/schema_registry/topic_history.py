"""The versions of a topic's subjects, in the order in which they were registered -> what the topic was with each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, Content, Scope
from meshline.ingest.sources.http_reader import RefusedAnswer
from meshline.ingest.sources.schema_registry.facts import SubjectVersion, build_topic_content
from meshline.ingest.sources.schema_registry.parse import ParsedSchema, collect_references, parse_bundle
from meshline.ingest.sources.schema_registry.registry_client import Registered, Registry
from meshline.ingest.sources.schema_registry.subjects import SubjectName, TopicPart


class Subject(NamedTuple):
    """A subject as it is now. `parts`, `references`: as remembered, or of its newest version."""

    text: str
    name: SubjectName
    versions: Sequence[int]
    compatibility: str
    parts: Sequence[TopicPart] = ()
    references: Sequence[str] = ()

    @property
    def digest(self) -> str:
        return hashlib.blake2b(msgspec.json.encode([self.versions, self.compatibility]), digest_size=12).hexdigest()


class Topic(NamedTuple):
    key: AssetKey
    keys: tuple[Subject, ...]
    values: tuple[Subject, ...]

    @property
    def scope(self) -> Scope:
        return build_scope(self.key)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return (*self.values, *self.keys)


def build_scope(topic: AssetKey) -> Scope:
    """The scope of a topic."""
    return ("topic", *topic.parts)


class _Event(NamedTuple):
    """A version that was registered. `order`: of it among those of all subjects."""

    order: int
    version: SubjectVersion
    is_key: bool


def read_subject_version(client: Registry, subject: Subject, number: int, compatibility: str = "") -> SubjectVersion:
    """A version of a subject, parsed with all that it refers to. Raises InvalidInput, StoreUnavailable."""
    registered = client.read_version(subject.text, number)
    schema = parse_registered(registered, subject.text, client)
    return SubjectVersion(subject.text, registered, schema, compatibility)


def parse_registered(registered: Registered, subject: str, client: Registry) -> ParsedSchema:
    """A version, parsed. Raises InvalidInput, StoreUnavailable, MissingExtra."""
    try:
        return parse_bundle(collect_references(registered, subject, client.read_referred))
    except InvalidInput as error:
        raise error if error.where else InvalidInput(str(error), f"{subject} version {registered.version}") from error


class TopicHistory:
    """The history of one topic. `current`: the newest versions of its subjects; `limit`: of the versions of a subject that are read."""

    def __init__(self, client: Registry, topic: Topic, current: Mapping[str, SubjectVersion], limit: int) -> None:
        self._client = client
        self._topic = topic
        self._current = current
        self._limit = limit

    def build_past(self, last: Mapping[str, int], now: int, warnings: list[str]) -> list[tuple[int, Content]]:
        """What the topic was with each version that is newer than the `last` known one of its subject, without compatibility modes, which
        have no history.

        Where the registry does not state when versions were registered, only their order is known: they follow each other just before
        the present.
        """
        events: list[_Event] = []
        state: dict[str, tuple[SubjectVersion, bool]] = {}
        for one in self._topic.subjects:
            is_key, known = one in self._topic.keys, last.get(one.text, -1)
            if (older := self._read_older(one, known, warnings)) is not None:
                state[one.text] = older, is_key
            new = [number for number in one.versions if number > known]
            events += (_Event(order, version, is_key) for order, version in self._read_new(one, new, warnings))
        events.sort(key=lambda event: event.order)
        past: list[tuple[int, Content]] = []
        for event, time in zip(events, _compute_times(events, now), strict=True):
            state[event.version.subject] = event.version, event.is_key
            parts: tuple[list[SubjectVersion], list[SubjectVersion]] = ([], [])
            for version, is_key in (state[one.text] for one in self._topic.subjects if one.text in state):
                parts[0 if is_key else 1].append(version)
            content = build_topic_content(self._topic.key, *parts)
            if not past or past[-1][1].digest != content.digest:
                past.append((time, content))
        return past

    def _read_older(self, subject: Subject, last: int, warnings: list[str]) -> SubjectVersion | None:
        """The version that is known; None if there is none."""
        known = [number for number in subject.versions if number <= last]
        if not known:
            return None
        return self._read_version(subject, known[-1], warnings)

    def _read_new(self, subject: Subject, numbers: Sequence[int], warnings: list[str]) -> Iterator[tuple[int, SubjectVersion]]:
        """(its order, version) of new versions."""
        order = 0
        for number in numbers[-self._limit :] if self._limit else ():
            version = self._read_version(subject, number, warnings)
            if version is not None:
                # Ids grow with time, but a schema that was registered before keeps its id.
                order = max(order, version.registered.registered_at or version.registered.id)
                yield order, version

    def _read_version(self, subject: Subject, number: int, warnings: list[str]) -> SubjectVersion | None:
        """A version, without the mode; None with a warning if it cannot be parsed, without one if it is deleted."""
        current = self._current[subject.text]
        if number == current.registered.version:
            return current._replace(compatibility="")
        try:
            return read_subject_version(self._client, subject, number)
        except InvalidInput as error:
            if not (isinstance(error, RefusedAnswer) and error.status == 404):
                warnings.append(f"{error}; this older version is not in the history")
            return None


def _compute_times(events: Sequence[_Event], now: int) -> list[int]:
    """The times of versions in microseconds, increasing and before now."""
    stated = [event.version.registered.registered_at for event in events]
    times = [now - len(events) + i if at is None else min(at * 1000, now - len(events) + i) for i, at in enumerate(stated)]
    for i in range(1, len(times)):
        times[i] = max(times[i], times[i - 1] + 1)
    return times
