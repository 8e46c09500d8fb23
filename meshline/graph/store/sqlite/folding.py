"""Heads from observations: a short cut for what is plainly the newest, `intervals` for all else."""

from __future__ import annotations

from typing import NamedTuple

from meshline.graph.model import Observation

TOMBSTONE = 0  # the number of the empty content


class Said(NamedTuple):
    """A row of `observation`."""

    scope: int
    observed_at: int
    content: int
    version: int
    provisional: int
    lasts: int


class HeadRow(NamedTuple):
    """A row of `head`: what a scope says at the end of time; content None = nothing holds."""

    scope: int
    content: int | None
    observed_at: int
    valid_from: int
    last_observed: int
    version: int
    provisional: int
    revision: int = 0

    @property
    def speaks(self) -> bool:
        return bool(self.content)


def lasts(observed_at: int, until: int | None) -> int:
    """How long a statement lasts, as kept: 0 = without an end, negative = it never holds."""
    if until is None:
        return 0
    return until - observed_at if until > observed_at else -1


def observation(observed_at: int, digest: bytes, version: str, provisional: int, lasts: int) -> Observation:
    return Observation(observed_at, digest, version, bool(provisional), observed_at + lasts if lasts else None)


def silent(scope: int) -> HeadRow:
    return HeadRow(scope, None, 0, 0, 0, 0, 0)


def begun(said: Said) -> HeadRow:
    """The head of a stretch that begins with this observation."""
    return HeadRow(said.scope, said.content, said.observed_at, said.observed_at, said.observed_at, said.version, said.provisional)


def first(said: Said) -> HeadRow:
    """The head of a scope that has no other observation."""
    return silent(said.scope) if said.provisional and said.lasts else begun(said)


def tied(head: HeadRow, said: Said) -> bool:
    """Whether two settled observations are of one time: all runs of a scheduler's round are, for what they state of shared datasets."""
    return head.content is not None and not (head.provisional or said.provisional) and said.observed_at == head.observed_at


def followed_tied(head: HeadRow, said: Said, *, wins: bool) -> HeadRow | None:
    """`followed` for a tie. `wins`: the new one by digest and version, as `meshline.graph.model.holding` orders them."""
    if not wins:
        return head
    if said.content == head.content:
        return head._replace(version=said.version)
    if head.valid_from < head.observed_at:  # the head's content was stated before, too: that stretch ends here
        return begun(said)
    return None


def followed(head: HeadRow, said: Said) -> HeadRow | None:
    """The head after one more observation (the same object if it stays), or None: ask `intervals`.

    Sound only if `head` is what `intervals` gives for the observations before.
    """
    if head.content is None or (head.provisional and said.provisional):
        return None
    if head.provisional:
        return begun(said)  # the first that is settled
    return head if said.provisional else _settled(head, said)


def _settled(head: HeadRow, said: Said) -> HeadRow | None:
    """`followed` for a settled head and a settled observation."""
    same = said.content == head.content
    if said.observed_at > head.observed_at:
        valid_from = head.valid_from if same else said.observed_at
        return HeadRow(said.scope, said.content, said.observed_at, valid_from, said.observed_at, said.version, 0)
    if said.observed_at == head.observed_at and not (same and said.version == head.version):
        return None
    return head if same is (said.observed_at >= head.valid_from) else None
