"""One reading of a registry: which subjects have changed, and what the topics of those are; several requests at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import msgspec

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.model import AssetKey
from meshline.ingest.sources.base import Context, Entry, Item, Refusal, Unchanged
from meshline.ingest.sources.http_reader import AccessRefused, RefusedAnswer
from meshline.ingest.sources.schema_registry.facts import build_topic_content
from meshline.ingest.sources.schema_registry.parse import list_record_names
from meshline.ingest.sources.schema_registry.registry_client import Registry
from meshline.ingest.sources.schema_registry.subjects import (
    SubjectName,
    TopicPart,
    find_named_topic,
    list_topics,
    parse_subject,
    qualify_subject,
)
from meshline.ingest.sources.schema_registry.topic_history import (
    Subject,
    Topic,
    TopicHistory,
    build_scope,
    parse_registered,
    read_subject_version,
)
from meshline.ingest.sources.thread_pool import run_in_parallel
from meshline.words import format_count, has_or_have, shorten_text

PARSER = 1  # the version of this code: raised when the same schemas give other content than before
NAMED = 3  # subjects that a warning names
MAX_NAME = 1_000  # characters of a subject

_RULES = ""  # the key of the rules' digest in the memory; names of subjects are not empty


class KnownSubject(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of a subject. `last`: its newest version; `digest`: of the numbers of its versions and its compatibility mode.
    `parts`: the topics that it describes. `references`: the subjects that its newest version refers to.
    """

    last: int
    digest: str
    parts: tuple[tuple[str, bool], ...] = ()
    references: tuple[str, ...] = ()


class Layout(NamedTuple):
    """Where the topics of a registry are. `namespaces`: by context. `topics`: of subjects that are not named after their topics.
    `subjects`: patterns of the subjects that are read; empty: all. `history`: how many versions of a subject are read for it. `files`: the
    digest of the files that are read instead of a registry, whose versions may differ without having other numbers.
    """

    namespaces: Mapping[str, str]
    topics: Mapping[str, Sequence[str]]
    subjects: Sequence[str]
    history: int
    files: str = ""


class _Built(NamedTuple):
    """What became of a topic. `item` None: its subjects were deleted while they were read."""

    topic: Topic
    item: Entry | Refusal | None
    references: Mapping[str, Sequence[str]]
    warnings: Sequence[str] = ()


class TopicCrawl:
    """One reading of a registry. `read_items` can be iterated once; `remember` returns the memory after that."""

    def __init__(self, client: Registry, layout: Layout, context: Context, threads: int, now: int) -> None:
        self._client = client
        self._layout = layout
        self._context = context
        self._threads = threads
        self._now = now
        self._rules = _compute_rules_digest(layout, context)
        self._is_valid = context.memory.get(_RULES) == self._rules
        self._before = {name: known for name, text in context.memory.items() if name != _RULES and (known := _decode_known(text))}
        self._seen: dict[str, KnownSubject] = {}
        self._whole = True
        self.warnings: list[str] = []

    def remember(self) -> Mapping[str, str]:
        """The memory for the next reading."""
        kept = {**({} if self._whole else self._before), **self._seen}
        return {_RULES: self._rules, **{name: _encoder.encode(known).decode() for name, known in kept.items()}}

    def read_items(self) -> Iterator[Item]:
        """The topics of the registry. Raises InvalidInput, StoreUnavailable if its subjects cannot be listed."""
        listed = list(self._select_subjects(sorted(self._client.list_subjects())))  # in one order: it decides how schemas are merged
        try:
            found: list[Subject] = []
            for one in run_in_parallel(listed, self._look_up, self._threads):
                if isinstance(one, Refusal):
                    yield one
                elif one is not None:
                    found.append(one)
            yield from self._read_topics(found)
        except StoreUnavailable as error:
            self._whole = False
            yield Refusal(InvalidInput(f"{error}; {len(self._seen)} subjects were read, the others remain as they were", self._client.url))

    def _select_subjects(self, texts: Sequence[str]) -> Iterator[tuple[str, SubjectName]]:
        skipped: dict[str, int] = {}
        for text in texts:
            name = parse_subject(text)
            if name.context not in self._layout.namespaces:
                skipped[name.context] = skipped.get(name.context, 0) + 1
            elif not name.name or len(text) > MAX_NAME:
                self.warnings.append(f"{shorten_text(repr(text), 100)} is skipped: a subject has 1 to {MAX_NAME} characters")
            elif not self._layout.subjects or any(fnmatchcase(text, pattern) for pattern in self._layout.subjects):
                yield text, name
        for context, number in skipped.items():
            self.warnings.append(
                f"{format_count(number, 'subject')} of the context {shorten_text(context, 100)} {has_or_have(number)} no namespace,"
                f" and {'is' if number == 1 else 'are'} not read; set contexts"
            )

    def _look_up(self, listed: tuple[str, SubjectName]) -> Subject | Refusal | None:
        """What a subject describes; None if it is deleted meanwhile. Runs in a thread of its own."""
        text, name = listed
        named = find_named_topic(name.name) if text not in self._layout.topics else None
        before = self._before.get(text)
        try:
            versions = self._client.list_versions(text)
            if not versions:
                return None
            subject = Subject(text, name, versions, self._client.read_compatibility(text))
            if named is not None:
                return subject._replace(parts=(named,), references=before.references if before is not None else ())
            if before is not None and before.digest == subject.digest and self._is_valid:
                return subject._replace(parts=tuple(TopicPart(*part) for part in before.parts), references=before.references)
            return self._read_parts(subject)
        except RefusedAnswer as error:
            return None if error.status == 404 else self._refuse(text, named, error)
        except (InvalidInput, AccessRefused) as error:
            return self._refuse(text, named, _locate_error(error, text))

    def _read_parts(self, subject: Subject) -> Subject:
        """The topics of a subject that is not named after one, by its newest schema. Raises InvalidInput, StoreUnavailable."""
        latest = self._client.read_version(subject.text, subject.versions[-1])
        references = [qualify_subject(one.subject, subject.name.context) for one in latest.references or ()]
        if subject.text in self._layout.topics:
            return subject._replace(parts=tuple(list_topics(subject.text, (), self._layout.topics)), references=references)
        schema = parse_registered(latest, subject.text, self._client)
        parts = tuple(list_topics(subject.name.name, [*list_record_names(schema)], {}))
        return subject._replace(parts=parts, references=references)

    def _refuse(self, text: str, named: TopicPart | None, error: InvalidInput) -> Refusal:
        """A refusal of a subject: what was stated about its topics remains."""
        before = self._before.get(text)
        if before is not None:
            self._seen[text] = before
        name = parse_subject(text)
        parts = [TopicPart(*part) for part in before.parts] if before is not None else [named] if named is not None else []
        scopes = [build_scope(self._build_key(name.context, part.topic)) for part in parts]
        return Refusal(error, scopes[0] if len(scopes) == 1 else () if scopes else ("topic", "", text))

    def _build_key(self, context: str, topic: str) -> AssetKey:
        return self._context.naming.normalise_dataset(self._layout.namespaces[context], topic)

    def _read_topics(self, subjects: Sequence[Subject]) -> Iterator[Item]:
        changed: list[Topic] = []
        described = self._find_described() if self._is_valid else {}
        for topic in self._group_by_topic(subjects):
            if described.get(topic.key) == {one.text for one in topic.subjects} and not any(map(self._has_changed, topic.subjects)):
                yield Unchanged(topic.scope)
            else:
                changed.append(topic)
        refused: set[str] = set()
        references: dict[str, Sequence[str]] = {}
        for built in run_in_parallel(changed, self._read_topic, self._threads):
            self.warnings += built.warnings
            references.update(built.references)
            if built.item is not None:
                yield built.item
            if not isinstance(built.item, Entry):
                refused.update(one.text for one in built.topic.subjects)
        self._warn_of_unbound([one._replace(references=references.get(one.text, one.references)) for one in subjects])
        for one in subjects:
            if one.text not in refused:
                parts = tuple((part.topic, part.is_key) for part in one.parts)
                used = tuple(references.get(one.text, one.references))
                self._seen[one.text] = KnownSubject(one.versions[-1], one.digest, parts, used)
            elif one.text in self._before:  # to be read again, without the history that is known
                self._seen[one.text] = msgspec.structs.replace(self._before[one.text], digest="")

    def _group_by_topic(self, subjects: Sequence[Subject]) -> list[Topic]:
        parts: dict[AssetKey, tuple[list[Subject], list[Subject]]] = {}
        for one in subjects:
            for part in one.parts:
                parts.setdefault(self._build_key(one.name.context, part.topic), ([], []))[0 if part.is_key else 1].append(one)
        return [Topic(key, tuple(keys), tuple(values)) for key, (keys, values) in parts.items()]

    def _find_described(self) -> dict[AssetKey, set[str]]:
        """The subjects that described each topic at the last reading."""
        found: dict[AssetKey, set[str]] = {}
        for text, before in self._before.items():
            context = parse_subject(text).context
            for topic, _ in before.parts if context in self._layout.namespaces else ():
                found.setdefault(self._build_key(context, topic), set()).add(text)
        return found

    def _has_changed(self, subject: Subject) -> bool:
        before = self._before.get(subject.text)
        return before is None or before.digest != subject.digest

    def _warn_of_unbound(self, subjects: Sequence[Subject]) -> None:
        """Warn of subjects that name no topic, and that no other schema uses."""
        used = {name for one in subjects for name in one.references}
        unbound = sorted(one.text for one in subjects if not one.parts and one.text not in used)
        if unbound:
            more = f" and {len(unbound) - NAMED} more" if len(unbound) > NAMED else ""
            names = ", ".join(shorten_text(one, 100) for one in unbound[:NAMED])
            self.warnings.append(f"no topic is known for {names}{more}: set topics (--topic SUBJECT=TOPIC)")

    def _read_topic(self, topic: Topic) -> _Built:
        """The statement about a topic. Runs in a thread of its own."""
        warnings: list[str] = []
        references: dict[str, Sequence[str]] = {}
        try:
            current = {one.text: read_subject_version(self._client, one, one.versions[-1], one.compatibility) for one in topic.subjects}
        except RefusedAnswer as error:
            if error.status == 404:
                return _Built(topic, None, {})
            return _Built(topic, Refusal(error, topic.scope), {})
        except (InvalidInput, AccessRefused) as error:
            return _Built(topic, Refusal(_locate_error(error, topic.key.qualified_name), topic.scope), {})
        for one in topic.subjects:
            found = current[one.text].registered.references or ()
            references[one.text] = [qualify_subject(other.subject, one.name.context) for other in found]
        content = build_topic_content(topic.key, [current[one.text] for one in topic.keys], [current[one.text] for one in topic.values])
        last = {one.text: before.last for one in topic.subjects if (before := self._before.get(one.text)) is not None}
        past = TopicHistory(self._client, topic, current, self._layout.history).build_past(last, self._now, warnings)
        return _Built(topic, Entry(topic.scope, content, self._now, tuple(past)), references, warnings)


def _locate_error(error: InvalidInput | AccessRefused, where: str) -> InvalidInput:
    return error if isinstance(error, InvalidInput) and error.where else InvalidInput(str(error), where)


def _compute_rules_digest(layout: Layout, context: Context) -> str:
    """The digest of everything besides the schemas that the content depends on."""
    parts = [
        PARSER,
        sorted(layout.namespaces.items()),
        sorted((name, list(of)) for name, of in layout.topics.items()),
        context.naming.digest,
        *([layout.files] if layout.files else []),
    ]
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()


def _decode_known(text: str) -> KnownSubject | None:
    try:
        return _decoder.decode(text)
    except msgspec.MsgspecError:
        return None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(KnownSubject)
