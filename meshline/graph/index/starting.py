"""What a traversal begins with, for each kind of asset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from meshline.graph.index.answers import Direction, Ints
from meshline.graph.index.feed import Feed
from meshline.graph.index.holders import Holders
from meshline.graph.index.shown import is_output
from meshline.graph.index.tables import COLUMN, DATASET, N_NODES
from meshline.graph.model import EDGE_TYPES, KINDS, AssetKind, EdgeType

_PORT, _READS, _WRITES, _CONSUMES, _GOVERNS, _PART_OF = (
    EDGE_TYPES.index(type_)
    for type_ in (EdgeType.PORT, EdgeType.READS, EdgeType.WRITES, EdgeType.CONSUMES, EdgeType.GOVERNS, EdgeType.PART_OF)
)

_HOLDERS = frozenset({AssetKind.DATA_PRODUCT, AssetKind.DOMAIN})


def starting(feed: Feed, holders: Holders, assets: Sequence[int], direction: Direction) -> tuple[Ints, set[int]]:
    """(columns and datasets to start from, all assets that count as started from), as representatives.

    Products: the datasets of their output ports, else their members. Domains: their products' and their
    own members. Jobs, with the jobs that are part of them: what they write; upstream what they read.
    Consumers and contracts: upstream, what they consume or govern. Owners: nothing.

    What a product or a domain holds counts as started from. What a job writes or a consumer uses does
    not: a person who asks what hangs on a job wants to see it.
    """
    rep = feed.core.nodes.rep
    found: set[int] = set()
    started = {int(rep[node]) for node in assets}
    held: set[int] = set()
    todo = list(started)
    while todo:
        node = todo.pop()
        for following in _of(feed, holders, node, direction):
            following = int(rep[following])
            kind = feed.core.nodes.kind[following]
            if kind in (COLUMN, DATASET):
                found.add(following)
                if KINDS[feed.core.nodes.kind[node]] in _HOLDERS:
                    held.add(following)
            elif following not in started:
                started.add(following)
                todo.append(following)
    found |= {node for node in started if feed.core.nodes.kind[node] in (COLUMN, DATASET)}
    return np.array(sorted(found), np.int32), started | held


def _of(feed: Feed, holders: Holders, node: int, direction: Direction) -> Iterable[int]:
    kind = KINDS[feed.core.nodes.kind[node]]
    if kind is AssetKind.DATA_PRODUCT:
        return _of_product(feed, holders, node)
    if kind is AssetKind.DOMAIN:
        return _of_domain(feed, holders, node)
    if kind is AssetKind.JOB:
        parts = [int(feed.core.relations.start[row]) for row in feed.core.relation_rows(node, _PART_OF, incoming=True)]
        return parts + _ends(feed, node, _WRITES if direction is Direction.DOWNSTREAM else _READS)
    if direction is Direction.UPSTREAM and kind in (AssetKind.CONSUMER, AssetKind.CONTRACT):
        return _ends(feed, node, _CONSUMES if kind is AssetKind.CONSUMER else _GOVERNS)
    return ()


def _ends(feed: Feed, node: int, type_: int) -> list[int]:
    return [int(feed.core.relations.end[row]) for row in feed.core.relation_rows(node, type_)]


def _of_product(feed: Feed, holders: Holders, node: int) -> list[int]:
    rows = feed.core.relation_rows(node, _PORT)
    ports = [int(feed.core.relations.end[row]) for row in rows if is_output(feed.attributes(row).get("direction"))]
    return ports or [dataset for dataset in _datasets(feed) if holders.product(dataset) == node]


def _of_domain(feed: Feed, holders: Holders, node: int) -> list[int]:
    """Its products, the domains in it, and the datasets that are in it without a product."""
    parts = [int(feed.core.relations.start[row]) for row in feed.core.relation_rows(node, _PART_OF, incoming=True)]
    return parts + [dataset for dataset in _datasets(feed) if holders.domain(dataset) == node]


def _datasets(feed: Feed) -> list[int]:
    core = feed.core
    n = int(core.counts[N_NODES])
    return list(np.unique(core.nodes.rep[:n][core.nodes.kind[:n] == DATASET]).tolist())
