"""Integrity checks of any store through its protocol."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from meshline.errors import MeshlineError
from meshline.graph.content import EMPTY, build_keys, decode_facts, decode_layout
from meshline.graph.model import AssetKey, Content, Interval
from meshline.graph.store.base import Head, Store
from meshline.graph.store.search_words import list_key_words

SHOWN = 10  # problems of one check that are reported
SAMPLE = 50  # names to search for; at most twice as many
EVENTS = 1000  # raw events read at once
TRIES = 20  # attempts to read a scope that other processes change
FOUND = 100_000  # search results that must contain the name


class Check(NamedTuple):
    """The result of a check: its subject, the number of items, and the first of the problems."""

    what: str
    looked_at: int
    problems: Sequence[str]
    wrong: int  # how many problems there are

    @property
    def passed(self) -> bool:
        return self.wrong == 0


class Findings:
    """Collects the problems of one check."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._problems: list[str] = []
        self._wrong = 0
        self.count = 0

    def add_problem(self, text: str) -> None:
        self._wrong += 1
        if len(self._problems) < SHOWN:
            self._problems.append(text)

    def build_check(self) -> Check:
        return Check(self._what, self.count, tuple(self._problems), self._wrong)


def find_content_problem(content: Content) -> str | None:
    """The problem of a content, as the end of a sentence; None if it is sound."""
    if hashlib.blake2b(content.blob, digest_size=16).digest() != content.digest:
        return "does not fit its digest"
    try:
        decode_facts(content.blob)
    except (MeshlineError, IndexError, AssertionError, ValueError) as error:
        return f"cannot be read: {error}"
    return None


def run_checks(store: Store, advance: Callable[[int], None] = lambda _: None) -> Iterator[Check]:
    """Run all checks that the protocol allows. Safe while other processes write."""
    sample = _Sample()
    yield _check_heads(store, sample, advance)
    yield _check_names(store, sample.keys)
    yield _check_raw_events(store, advance)
    yield _check_journal(store, advance)
    if (projection := store.read_projection()) is not None:
        yield Check(f"graph for people: it shows revision {projection.drawn} of {projection.revision}", projection.drawn, (), 0)


class _Sample:
    """A sample of keys, evenly spread over all that were offered."""

    def __init__(self) -> None:
        self.keys: list[AssetKey] = []
        self._every = 1
        self._seen = 0

    def offer(self, key: AssetKey) -> None:
        if self._seen % self._every == 0:
            self.keys.append(key)
            if len(self.keys) > 2 * SAMPLE:
                self.keys = self.keys[::2]
                self._every *= 2
        self._seen += 1


def _check_heads(store: Store, sample: _Sample, advance: Callable[[int], None]) -> Check:
    """Check that every head can be read and is the end of its scope's history."""
    found = Findings("heads: each can be read and is the end of its scope's history")
    for batch in store.iterate_heads():
        heads = list(batch)
        found.count += len(heads)
        history = store.read_history([head.scope_id for head in heads])
        for head in heads:
            problem = _find_head_problem(head, history.get(head.scope_id, ()))
            if problem is not None:
                problem = _check_head_again(store, head.scope_id)  # it may have changed in between
            if problem is not None:
                found.add_problem(f"scope {head.scope_id} ({head.source} {list(head.scope)}): {problem}")
            elif head.content is not None:
                keys = build_keys(decode_layout(head.content.blob))
                for key in dict.fromkeys([*keys[:1], *keys[-1:]]):
                    sample.offer(key)
        advance(len(heads))
    return found.build_check()


def _check_head_again(store: Store, scope_id: int) -> str | None:
    """Check a head again while no process changes the scope; None if there is no such moment."""
    for _ in range(TRIES):
        before = list(store.read_heads([scope_id]))
        history = store.read_history([scope_id]).get(scope_id, ())
        if before == list(store.read_heads([scope_id])):
            return _find_head_problem(before[0], history) if before else None
    return None


def _find_head_problem(head: Head, history: Sequence[tuple[Interval, Content]]) -> str | None:
    if head.content is None:
        return "a head without content"
    if (problem := find_content_problem(head.content)) is not None:
        return f"its content {problem}"
    if not history or history[-1][0].valid_to is not None:
        return "the scope has a head, but no statement of its history is active"
    last, content = history[-1]
    active = last.observation
    expected = (content.digest, last.valid_from, last.last_observed, active.observed_at, active.version, active.provisional)
    shown = (head.content.digest, head.valid_from, head.last_observed, head.observed_at, head.version, head.provisional)
    if content.digest == EMPTY.digest:
        return "the scope has a head, but its history ends with a tombstone"
    return None if expected == shown else "the head differs from the end of its history"


def _check_names(store: Store, keys: Sequence[AssetKey]) -> Check:
    """Check that search finds a sample of assets by their names."""
    found = Findings("search: assets are found by their names (a sample)")
    for key in keys:
        words = list_key_words(key)
        if not words:
            continue
        found.count += 1
        if key not in store.search(words, [key.kind], FOUND):
            found.add_problem(f"{key.kind} {key.qualified_name} is not found by its name")
    return found.build_check()


def _check_raw_events(store: Store, advance: Callable[[int], None]) -> Check:
    found = Findings("raw events: each can be read")
    after = 0
    while True:
        try:
            events = store.read_raw_events(after, EVENTS)
        except MeshlineError as error:
            found.add_problem(f"after position {after}: {error}")
            return found.build_check()
        if not events:
            return found.build_check()
        for position, event in events:
            found.count += 1
            try:
                msgspec.json.decode(event.body, type=msgspec.Raw)
            except msgspec.MsgspecError as error:
                found.add_problem(f"event {position} is not valid JSON: {error}")
        after = events[-1].position
        advance(len(events))


def _check_journal(store: Store, advance: Callable[[int], None]) -> Check:
    found = Findings("journal: each record can be read and exists once")
    seen: set[bytes] = set()
    after = 0
    while True:
        try:
            records = store.read_journal("", after, EVENTS)
        except MeshlineError as error:
            found.add_problem(f"after position {after}: {error}")
            return found.build_check()
        if not records:
            return found.build_check()
        for position, record in records:
            found.count += 1
            named = hashlib.blake2b(msgspec.json.encode((record.kind, record.key)), digest_size=16).digest()
            if record.key and named in seen:
                found.add_problem(f"record {position} exists twice")
            seen.add(named)
            try:
                msgspec.json.decode(record.body, type=msgspec.Raw)
            except msgspec.MsgspecError as error:
                found.add_problem(f"record {position} is not valid JSON: {error}")
        if records[-1].position <= after:
            found.add_problem(f"record {records[-1].position} is out of order")
            return found.build_check()
        after = records[-1].position
        advance(len(records))
