"""Names of subjects -> topics, by the strategies of Kafka's serializers (TopicName, RecordName, TopicRecordName)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

DEFAULT_CONTEXT = "."

_QUALIFIED = re.compile(r":(\.[^:]*):(.*)", re.DOTALL)
_ENDINGS = (("-key", True), ("-value", False))


class SubjectName(NamedTuple):
    """A subject's name in two parts. `context`: begins with a dot, as in `:.lab:orders-value`."""

    context: str
    name: str


class TopicPart(NamedTuple):
    """What a subject's schema describes: the keys or the values of a topic."""

    topic: str
    is_key: bool


def parse_subject(text: str) -> SubjectName:
    """The context and the name of a subject."""
    found = _QUALIFIED.fullmatch(text)
    return SubjectName(found[1], found[2]) if found else SubjectName(DEFAULT_CONTEXT, text)


def qualify_subject(text: str, context: str) -> str:
    """A subject that a schema of a context refers to: in the same context, unless its name has one."""
    return text if text.startswith(":") or context == DEFAULT_CONTEXT else f":{context}:{text}"


def find_named_topic(name: str) -> TopicPart | None:
    """The topic of a subject named after it (TopicNameStrategy); None if it is not."""
    return next((TopicPart(name.removesuffix(end), key) for end, key in _ENDINGS if name.endswith(end) and name != end), None)


def list_topics(name: str, records: Sequence[str], topics: Mapping[str, Sequence[str]]) -> Iterator[TopicPart]:
    """The topics of a subject that is not named after one alone. `records`: the names of its schema's records; `topics`: configured
    topics of subjects, of which those without `-key` at the end are about values.
    """
    if name in topics:
        yield from (TopicPart(topic, is_key=False) for topic in topics[name])
        return
    for record in records:
        if record and name.endswith(f"-{record}") and len(name) > len(record) + 1:
            yield TopicPart(name.removesuffix(f"-{record}"), is_key=False)
            return
