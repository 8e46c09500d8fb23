"""Reads heads and histories, in pages; scopes as they are stored, and the open interval that follows from their statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from meshline.graph.content import EMPTY
from meshline.graph.model import Content, Interval, Observation, Scope, build_intervals, find_open_interval, list_known_observations
from meshline.graph.store.base import Head, PastHeads
from meshline.graph.store.head_table import HeadTable, format_scope
from meshline.graph.store.neo4j.connection import Transaction, read_rows, split_into_parts
from meshline.graph.store.neo4j.cypher import get_cypher
from meshline.graph.store.neo4j.packed_times import read_newest_times
from meshline.graph.store.neo4j.records import Contents, read_contents, read_counters
from meshline.graph.store.packed_times import build_packed_version, find_packed_time, refine_past_heads

_TOMBSTONE = EMPTY.digest.hex()


class ScopeRow(NamedTuple):
    """A :Scope as the queries `heads...` return it. Times are in microseconds; the fields of a head are None if no statement is active."""

    id: int
    source: str
    parts: list[str]
    digest: str | None
    observed: int
    valid_from: int
    last_observed: int
    version: str
    provisional: bool
    size: int  # of the content, in bytes
    statements: int
    revision: int | None  # at which the head last changed; None: it never had content

    @property
    def has_content(self) -> bool:
        return self.digest is not None and self.digest != _TOMBSTONE

    @property
    def content_digest(self) -> bytes | None:
        """The digest of its content; None if the scope is empty."""
        return None if self.digest is None or self.digest == _TOMBSTONE else bytes.fromhex(self.digest)

    def build_head(self, blobs: Mapping[bytes, bytes]) -> Head:
        content_digest, scope = self.content_digest, tuple(self.parts)
        if content_digest is None:
            return build_empty_head(self.id, self.source, scope)
        content = Content(content_digest, blobs[content_digest])
        return Head(
            self.id, self.source, scope, self.observed, self.valid_from, self.last_observed, self.version, self.provisional, content
        )


def build_empty_head(number: int, source: str, scope: Scope) -> Head:
    return Head(number, source, scope, observed_at=0, valid_from=0, last_observed=0, version="", provisional=False, content=None)


def build_interval(row: Sequence[Any]) -> Interval | None:
    """The open interval in a row of the query `scopes_by_key`; None if no statement is active."""
    digest, observed, valid_from, last_observed, version, provisional = row
    if digest is None:
        return None
    return Interval(valid_from, None, last_observed, Observation(observed, bytes.fromhex(digest), version, provisional))


def build_observation(row: Sequence[Any]) -> Observation:
    """The observation in a row of a query `statements_...`, without the scope."""
    observed, digest, version, provisional, until = row
    return Observation(observed, bytes.fromhex(digest), version, provisional, until)


class ScopeState(NamedTuple):
    """A scope before a commit: its id, its open interval, and its number of statements."""

    number: int
    source: str
    scope: Scope
    interval: Interval | None
    statements: int


def extend_interval(before: Interval | None, removed: Iterable[Observation], added: Iterable[Observation]) -> tuple[bool, Interval | None]:
    """(True, the open interval after a change), if it follows without the scope's other statements; else (False, None): read those.

    While the active statement is not provisional, provisional ones have no effect at the end of time; and later
    statements that are not provisional only continue or follow the open interval.
    """
    if before is None or before.observation.provisional:
        return False, None
    if any(not o.provisional for o in removed):
        return False, None
    settled = [o for o in added if not o.provisional]
    if any(o.observed_at <= before.observation.observed_at for o in settled):
        return False, None
    if not settled:
        return True, before
    after = build_intervals([before.observation, *settled])[-1]
    if after.valid_from == before.observation.observed_at:
        after = after._replace(valid_from=before.valid_from)
    return True, after


PAGE = 5_000  # scopes
PAST_PAGE = 1_000  # scopes as of a time: commits wait while their statements are read
OBSERVATIONS = 50_000  # read at once
READ_AT_ONCE = 16_000_000  # bytes of contents: the server builds the whole result in its memory


def read_page(tx: Transaction, after: int, at: int | None) -> tuple[int | None, list[ScopeRow]]:
    """(the last id of the page or None at the end, the scopes of the page with content), now or as of a time (microseconds)."""
    kept = [ScopeRow(*row) for row in read_rows(tx, get_cypher("page_of_heads"), after=after, limit=PAGE)]
    return (kept[-1].id if len(kept) == PAGE else None), select_active(tx, kept, at)


def read_past_page(tx: Transaction, after: int, at: int, revision: int) -> tuple[int | None, PastHeads]:
    """(the last id of the page or None at the end, its scopes as of a time): see `PastReader.iterate_times`. Call it under the lock."""
    kept = [ScopeRow(*row) for row in read_rows(tx, get_cypher("page_of_heads"), after=after, limit=PAST_PAGE)]
    unchanged = {k.id: k for k in kept if k.has_content and not k.provisional and k.valid_from <= at and (k.revision or 0) <= revision}
    newest = {k.id: (k.observed, k.version) for k in unchanged.values() if k.observed <= at}
    asked = [number for number in unchanged if number not in newest]
    for number, observed, digest, version in read_rows(tx, get_cypher("newest_statements_until"), ids=asked, at=at) if asked else ():
        if digest == unchanged[number].digest:
            newest[number] = observed, max(version, newest[number][1] if number in newest else "")
    rows = [(number, newest[number][0], k.valid_from, newest[number][1]) for number, k in unchanged.items()]
    heads = PastHeads.from_rows(rows, [k.id for k in kept if k.id not in unchanged])
    if asked and at < read_counters(tx).packed_before:
        heads = refine_past_heads(heads, read_newest_times(tx, ((number, 0) for number in asked), at))
    return (kept[-1].id if len(kept) == PAST_PAGE else None), heads


def read_scopes(tx: Transaction, scope_ids: Iterable[int]) -> list[ScopeRow]:
    ids = list(dict.fromkeys(scope_ids))
    return [ScopeRow(*row) for at in range(0, len(ids), PAGE) for row in read_rows(tx, get_cypher("heads_by_id"), ids=ids[at : at + PAGE])]


def read_scopes_since(tx: Transaction, revision: int) -> list[ScopeRow]:
    return [ScopeRow(*row) for row in read_rows(tx, get_cypher("heads_since"), since=revision)]


def read_heads(tx: Transaction, contents: Contents, kept: Sequence[ScopeRow]) -> list[Head]:
    """Heads with their contents; content None for empty scopes."""
    blobs = contents.read(tx, {content_digest for k in kept if (content_digest := k.content_digest) is not None})
    return [k.build_head(blobs) for k in kept]


def read_head_table(tx: Transaction, kept: Sequence[ScopeRow]) -> HeadTable:
    """The heads of one part of `split_by_size`, all with content: the contents are read at once and not cached."""
    ids, sources, scopes, digests, observed, valid_from, last_observed, versions, provisional, *_ = zip(*kept, strict=True)
    blobs = read_contents(tx, set(digests))
    return HeadTable(
        ids,
        sources,
        [format_scope(parts) for parts in scopes],
        observed,
        valid_from,
        last_observed,
        versions,
        provisional,
        list(map(bytes.fromhex, digests)),
        [blobs[digest] for digest in digests],
    )


def split_by_size(kept: Sequence[ScopeRow]) -> Iterator[list[ScopeRow]]:
    """Split scopes into parts whose contents have about READ_AT_ONCE bytes."""
    return split_into_parts(kept, lambda k: k.size, READ_AT_ONCE)


def select_active(tx: Transaction, kept: Sequence[ScopeRow], at: int | None) -> list[ScopeRow]:
    return [k for k in kept if k.has_content] if at is None else restore_as_of(tx, kept, at)


def restore_as_of(tx: Transaction, kept: Sequence[ScopeRow], at: int) -> list[ScopeRow]:
    """These scopes as they were at a time (microseconds); those that were empty are left out. Call it under the lock if the time is before
    that until which statements may be packed.
    """
    settled = [k for k in kept if k.has_content and not k.provisional and k.last_observed <= at]
    plain = {k.id for k in settled}
    others = {k.id: k for k in kept if k.id not in plain}
    found = read_observations(tx, {number: k.statements for number, k in others.items()}, at)
    restored: list[ScopeRow] = []
    for number, stated in found.items():
        stretch = find_open_interval(list_known_observations(stated, at))
        if stretch is not None and stretch.observation.digest != EMPTY.digest:
            now = stretch.observation
            restored.append(
                others[number]._replace(
                    digest=now.digest.hex(),
                    observed=now.observed_at,
                    valid_from=stretch.valid_from,
                    last_observed=stretch.last_observed,
                    version=now.version,
                    provisional=now.provisional,
                    size=0,
                )
            )
    return settled + _refine_rows(tx, restored, at)


def _refine_rows(tx: Transaction, rows: list[ScopeRow], at: int) -> list[ScopeRow]:
    """Scopes as of a time with the time at which their content was last observed by then, if that is packed."""
    if not rows or at >= read_counters(tx).packed_before:
        return rows
    newest = read_newest_times(tx, ((row.id, int(row.provisional)) for row in rows), at)
    packed = [find_packed_time(newest, row.id, int(row.provisional), row.observed) for row in rows]
    return [
        row if then is None else row._replace(observed=then, last_observed=then, version=build_packed_version(then))
        for row, then in zip(rows, packed, strict=True)
    ]


def read_observations(tx: Transaction, counts: Mapping[int, int], until: int | None = None) -> dict[int, set[Observation]]:
    """The observations of scopes, optionally only up to a time. `counts`: the number of statements of each scope."""
    found: defaultdict[int, set[Observation]] = defaultdict(set)
    for part in split_into_parts([item for item in counts.items() if item[1]], lambda item: item[1], OBSERVATIONS):
        ids = [number for number, _ in part]
        if until is None:
            stated = read_rows(tx, get_cypher("statements_of_scopes"), ids=ids)
        else:
            stated = read_rows(tx, get_cypher("statements_of_scopes_until"), ids=ids, at=until)
        for number, *row in stated:
            found[number].add(build_observation(row))
    return found


def read_histories(tx: Transaction, contents: Contents, scope_ids: Iterable[int]) -> dict[int, list[tuple[Interval, Content]]]:
    found = read_observations(tx, {k.id: k.statements for k in read_scopes(tx, scope_ids)})
    stretches = {number: build_intervals(stated) for number, stated in found.items()}
    blobs = contents.read(tx, {interval.observation.digest for history in stretches.values() for interval in history})
    return {
        number: [(interval, Content(interval.observation.digest, blobs[interval.observation.digest])) for interval in history]
        for number, history in stretches.items()
    }
