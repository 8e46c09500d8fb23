"""What is not certain about an answer, in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from meshline.governance import report
from meshline.words import format_count, format_time, has_or_have, is_or_are, join_names

_TRUNCATED = {
    "NODES": "The answer is cut off: it was larger than the limit. There is more.",
    "DEPTH": "The answer is cut off at the depth that was asked for. There may be more behind it.",
    "TIME": "The answer is cut off: it took too long. There may be more.",
}


_RELATIONS = {"OWNS": "owners", "CONSUMES": "consumers", "GOVERNS": "contracts", "PORT": "ports of products"}


class HiddenDomain(msgspec.Struct, frozen=True):
    """A domain of hidden assets."""

    name: str


class HiddenAssets(msgspec.Struct, frozen=True):
    """How many assets of an answer the caller may not see; `domain`: None for those of no domain that the caller may see."""

    count: int
    domain: HiddenDomain | None = None


class Completeness(Protocol):
    """What an answer may be lacking (semantics, Completeness), as any of the surfaces has it."""

    @property
    def truncated(self) -> str: ...
    @property
    def possible_only(self) -> int: ...
    @property
    def undescribed(self) -> int: ...
    @property
    def stale_edges(self) -> int: ...
    @property
    def provisional(self) -> int: ...
    @property
    def unbound(self) -> int: ...
    @property
    def silent_on_filters(self) -> int: ...
    @property
    def silent_producers(self) -> Sequence[str]: ...


def describe_gaps(completeness: Completeness) -> list[str]:
    """One sentence for each gap of the answer."""
    c = completeness
    sentences = [_TRUNCATED[c.truncated]] if c.truncated in _TRUNCATED else []
    if c.unbound:
        sentences.append(
            f"{format_count(c.unbound, 'asset')} of the question {'leads' if c.unbound == 1 else 'lead'} to no known dataset"
            " (what a product contains, a job writes, a contract governs, an owner owns): what depends on it is unknown."
        )
    if c.undescribed:
        sentences.append(
            f"{format_count(c.undescribed, 'dataset')} on the way {has_or_have(c.undescribed)} no recorded columns:"
            " the answer may be larger."
        )
    if c.possible_only:
        sentences.append(
            f"{format_count(c.possible_only, 'pair')} of datasets {has_or_have(c.possible_only)} no column lineage:"
            " what lies behind is affected only possibly, and may be more than is really affected."
        )
    if c.silent_on_filters:
        of = f" ({join_names(c.silent_producers)})" if c.silent_producers else ""
        sentences.append(
            f"The producer of {format_count(c.silent_on_filters, 'job')} on the way{of} states no filters or joins:"
            " what depends on a column through those is not in the answer."
        )
    if c.stale_edges:
        sentences.append(
            f"{format_count(c.stale_edges, 'lineage edge')} {is_or_are(c.stale_edges)} older than the latest run of the job:"
            " it may no longer exist."
        )
    if c.provisional:
        sentences.append(f"{format_count(c.provisional, 'lineage edge')} {is_or_are(c.provisional)} from runs that have not completed.")
    return sentences


def describe_hidden(hidden: Sequence[HiddenAssets | report.HiddenAssets]) -> list[str]:
    """A sentence on the assets that the caller may not see, if there are any."""
    if not hidden:
        return []
    total = sum(one.count for one in hidden)
    named = [f"{one.count} of {one.domain.name}" for one in hidden if one.domain is not None]
    of = f" ({join_names(named)})" if named else ""
    them = "it" if total == 1 else "them"
    return [f"{format_count(total, 'further asset')}{of} {is_or_are(total)} part of the answer, and you may not see {them}."]


def describe_late_sources(relations: Iterable[tuple[str, str, datetime]]) -> list[str]:
    """What an answer about the past cannot know: a type of relation, the kind of source, the time of its first such statement."""
    groups: dict[tuple[datetime, str], list[str]] = {}
    for relation, kind, since in relations:
        groups.setdefault((since, kind), []).append(_RELATIONS[relation])
    return [
        f"{join_names(groups[since, kind]).capitalize()} of the source kind {kind} are known only since {format_time(since)}:"
        " this answer may miss them."
        for since, kind in sorted(groups)
    ]
