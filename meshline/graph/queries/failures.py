"""The checks that fail, of the whole mesh or a part of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.index import LineageIndex
from meshline.graph.live import LiveGraph
from meshline.graph.model import AssetKind, dataset
from meshline.graph.quality import JOB_QUALITY, OPEN, QUALITY, Outcome
from meshline.graph.queries.listing import EVERYTHING, Filter, listing
from meshline.graph.queries.pages import SortKey, by_name
from meshline.graph.queries.quality import Result, results_in, said_of, sort_key
from meshline.graph.store.heads import scope_text

TOGETHER = 100  # datasets whose checks are read at once
_DATASET_AT = {QUALITY: 2, JOB_QUALITY: 3}  # where the scopes name their dataset


def checked_datasets(index: LineageIndex) -> list[int]:
    """The datasets that have results."""
    beginnings = tuple(scope_text((kind, ""))[:-2] for kind in _DATASET_AT)
    heads = index.core.heads
    found = set()
    for head, (text, alive) in enumerate(zip(heads.scopes, heads.alive[: heads.n].tolist(), strict=False)):
        if alive and text.startswith(beginnings):
            scope = heads.scope_of(head)
            at = _DATASET_AT[scope[0]]
            node = index.node(dataset(*scope[at : at + 2]))
            if node is not None:
                found.add(node)
    return sorted(found)


class Failures(NamedTuple):
    """A page of failures."""

    results: tuple[Result, ...]
    has_next: bool


def failures(
    live: LiveGraph,
    index: LineageIndex,
    wanted: Filter = EVERYTHING,
    outcomes: Collection[Outcome] = OPEN,
    *,
    first: int,
    after: SortKey | None = None,
) -> Failures:
    """The checks whose last result is one of these, of all datasets that pass a filter, by dataset, column and name.

    Raises InvalidInput for NOT_RUN: only datasets that have results are looked at.
    """
    if Outcome.NOT_RUN in outcomes:
        raise InvalidInput("NOT_RUN is no result: checks that are only written down are listed with their dataset", "outcomes")
    found: list[Result] = []
    for result in _failures(live, index, wanted, outcomes, after):
        if len(found) == first:
            return Failures(tuple(found), has_next=True)
        found.append(result)
    return Failures(tuple(found), has_next=False)


def count_failures(live: LiveGraph, index: LineageIndex, wanted: Filter = EVERYTHING, outcomes: Collection[Outcome] = OPEN) -> int:
    return sum(1 for _ in _failures(live, index, wanted, outcomes, None))


def _failures(
    live: LiveGraph, index: LineageIndex, wanted: Filter, outcomes: Collection[Outcome], after: SortKey | None
) -> Iterator[Result]:
    nodes = checked_datasets(index)
    if wanted != EVERYTHING:
        page = listing(index, AssetKind.DATASET, wanted, first=len(index.of_kind(AssetKind.DATASET)))
        nodes = sorted({entry.node for entry in page.entries} & set(nodes))
    ordered = [entry.node for entry in by_name(index, nodes)]
    if after is not None:
        ordered = [node for node in ordered if index.key(node).parts >= after.names[:2]]
    words = [outcome.encode() for outcome in outcomes]
    for begin in range(0, len(ordered), TOGETHER):
        spoken = said_of(live, index, ordered[begin : begin + TOGETHER])
        for node in ordered[begin : begin + TOGETHER]:
            if any(word in head.content.blob for head, _ in spoken[node] if head.content for word in words):
                results = results_in(index, node, spoken[node], outcomes)
                yield from (result for result in results if after is None or sort_key(index, result) > after)
