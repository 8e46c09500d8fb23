"""Scopes as they are kept, and how statements move them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from meshline.graph.content import EMPTY
from meshline.graph.model import Content, Interval, Observation, Scope, intervals, known_by, last_stretch
from meshline.graph.store.base import Head

__all__ = ["Kept", "ScopeState", "known_by", "last_stretch", "newest_stretch"]


_TOMBSTONE = EMPTY.digest.hex()


class Kept(NamedTuple):
    """A :Scope as the statements `heads...` return it, a row of a million: times in microseconds, all None if nothing holds."""

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

    @property
    def speaks(self) -> bool:
        return self.digest is not None and self.digest != _TOMBSTONE

    @property
    def says(self) -> bytes | None:
        """The digest of its content, None if it says nothing."""
        return None if self.digest is None or self.digest == _TOMBSTONE else bytes.fromhex(self.digest)

    def head(self, blobs: Mapping[bytes, bytes]) -> Head:
        says, scope = self.says, tuple(self.parts)
        if says is None:
            return silent(self.id, self.source, scope)
        content = Content(says, blobs[says])
        return Head(
            self.id, self.source, scope, self.observed, self.valid_from, self.last_observed, self.version, self.provisional, content
        )


def silent(number: int, source: str, scope: Scope) -> Head:
    return Head(number, source, scope, observed_at=0, valid_from=0, last_observed=0, version="", provisional=False, content=None)


def stretch_of(row: Sequence[Any]) -> Interval | None:
    """The open stretch of a scope as the statement `scopes_by_key` returns it; None if nothing holds."""
    digest, observed, valid_from, last_observed, version, provisional = row
    if digest is None:
        return None
    return Interval(valid_from, None, last_observed, Observation(observed, bytes.fromhex(digest), version, provisional))


def observation(row: Sequence[Any]) -> Observation:
    """Of a row of `statements_...` without its scope."""
    observed, digest, version, provisional, until = row
    return Observation(observed, bytes.fromhex(digest), version, provisional, until)


class ScopeState(NamedTuple):
    """A scope before a commit: its number, the stretch that is open, how many statements it has."""

    number: int
    source: str
    scope: Scope
    stretch: Interval | None
    statements: int


def newest_stretch(before: Interval | None, removed: Iterable[Observation], added: Iterable[Observation]) -> tuple[bool, Interval | None]:
    """(whether it is known, the stretch after) without the scope's other statements; (False, None): ask them.

    While something settled holds, provisional statements mean nothing to the end of time; and settled
    ones that are later than all before only continue or follow the open stretch.
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
    after = intervals([before.observation, *settled])[-1]
    if after.valid_from == before.observation.observed_at:
        after = after._replace(valid_from=before.valid_from)
    return True, after
