"""What a traversal begins with, for each kind of asset."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from meshline.graph.index.answers import Direction, Ints
from meshline.graph.index.feed import Feed
from meshline.graph.index.holders import Holders
from meshline.graph.index.shown import is_output
from meshline.graph.index.tables import DATASET, N_NODES
from meshline.graph.model import EDGE_TYPES, KINDS, AssetKind, EdgeType

_PORT, _READS, _WRITES, _CONSUMES, _GOVERNS, _PART_OF, _OWNS = (
    EDGE_TYPES.index(type_)
    for type_ in (
        EdgeType.PORT,
        EdgeType.READS,
        EdgeType.WRITES,
        EdgeType.CONSUMES,
        EdgeType.GOVERNS,
        EdgeType.PART_OF,
        EdgeType.OWNS,
    )
)

_HOLDERS = frozenset({AssetKind.DATA_PRODUCT, AssetKind.DOMAIN})
_INSIDE = _HOLDERS | {AssetKind.JOB}  # what is in these counts as named with them


class Starts(NamedTuple):
    """What a traversal begins with, as representatives.

    `nodes`: columns and datasets. `named`: the assets that the caller named, and what is inside of them.
    `unbound`: how many of the assets that the caller named lead to no column or dataset.
    """

    nodes: Ints
    named: set[int]
    unbound: int


def starting(feed: Feed, holders: Holders, assets: Sequence[int], direction: Direction, *, promises: bool = True) -> Starts:
    """What these assets stand for.

    Products: the datasets of their output ports, else their members. Domains: their products' and their
    own members. Jobs, with the jobs that are part of them: what they write; upstream what they read.
    Contracts: what they govern (unless `promises` is off: a change of a contract's text changes no data).
    Owners: each asset that they are stated to own. Consumers: upstream, what they consume; downstream nothing,
    for no data leaves them.

    What a product or a domain holds counts as named with it. What a job writes, a contract governs, an owner
    owns or a consumer uses does not: a person who asks what hangs on a job wants to see it.
    """
    rep = feed.core.nodes.rep
    following = _Following(feed, holders, direction, promises=promises)
    found: set[int] = set()
    named: set[int] = set()
    unbound = 0
    for asset in dict.fromkeys(int(rep[node]) for node in assets):
        nodes, inside = following.all_of(asset)
        found |= nodes
        named |= inside
        unbound += not nodes and following.leads_on(asset)
    return Starts(np.array(sorted(found), np.int32), named, unbound)


class _Following:
    """From assets to the columns and datasets that they stand for."""

    def __init__(self, feed: Feed, holders: Holders, direction: Direction, *, promises: bool) -> None:
        self._feed = feed
        self._core = feed.core
        self._holders = holders
        self._down = direction is Direction.DOWNSTREAM
        self._promises = promises

    def leads_on(self, node: int) -> bool:
        """Whether an asset is of a kind that stands for columns and datasets."""
        kind = self._kind(node)
        if kind is AssetKind.CONTRACT:
            return self._promises or not self._down
        return kind is not AssetKind.CONSUMER or not self._down

    def all_of(self, asset: int) -> tuple[set[int], set[int]]:
        """(the columns and datasets that an asset stands for, the asset with what is inside of it)."""
        found: set[int] = set()
        seen, inside = {asset}, {asset}
        todo = [asset]
        while todo:
            node = todo.pop()
            if self._kind(node) in (AssetKind.COLUMN, AssetKind.DATASET):
                found.add(node)
                continue
            within = node in inside and self._kind(node) in _INSIDE
            for following in self._of(node):
                following = int(self._core.nodes.rep[following])
                data = self._kind(following) in (AssetKind.COLUMN, AssetKind.DATASET)
                if within and not (data and self._kind(node) is AssetKind.JOB):
                    inside.add(following)
                if following not in seen:
                    seen.add(following)
                    todo.append(following)
        return found, inside

    def _kind(self, node: int) -> AssetKind:
        kind: AssetKind = KINDS[self._core.nodes.kind[node]]
        return kind

    def _of(self, node: int) -> Iterable[int]:
        kind = self._kind(node)
        if kind is AssetKind.DATA_PRODUCT:
            return _of_product(self._feed, self._holders, node)
        if kind is AssetKind.DOMAIN:
            return _of_domain(self._feed, self._holders, node)
        if kind is AssetKind.JOB:
            parts = [int(self._core.relations.start[row]) for row in self._core.relation_rows(node, _PART_OF, incoming=True)]
            return parts + _ends(self._feed, node, _WRITES if self._down else _READS)
        if kind is AssetKind.OWNER:
            return self._owned(node)
        if not self.leads_on(node):
            return ()
        return _ends(self._feed, node, _GOVERNS if kind is AssetKind.CONTRACT else _CONSUMES)

    def _owned(self, owner: int) -> list[int]:
        """What it is stated to own, unless a stronger source names other owners."""
        ends = _ends(self._feed, owner, _OWNS)
        return [node for node in ends if owner in self._holders.owner_nodes(int(self._core.nodes.rep[node]))]


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
