"""Who has which tags, by what any source says: of all assets at once, without reading the store."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from meshline.graph.index.answers import Ints
from meshline.graph.index.feed import Feed
from meshline.graph.index.tables import N_FACTS, NONE


def tags_of(feed: Feed, node: int) -> frozenset[str]:
    """The tags of any member of an asset, `key` or `key=value`."""
    core = feed.core
    rows = [row for member in core.ring(node) for row in core.fact_rows(member)]
    numbers = {int(core.facts.tags[row]) for row in rows} - {NONE}
    return frozenset().union(*(feed.tag_sets[number] for number in numbers))


def tagged(feed: Feed, wanted: Callable[[frozenset[str]], bool]) -> Ints:
    """The representatives of which some source gives tags that are wanted, sorted: a look at every fact."""
    facts, n = feed.core.facts, int(feed.core.counts[N_FACTS])
    chosen = np.zeros(len(feed.tag_sets) + 1, np.bool_)  # the last one is NONE's
    chosen[:-1] = [wanted(tags) for tags in feed.tag_sets]
    rows = np.flatnonzero(facts.tags[:n] != NONE)
    nodes = facts.node[rows[chosen[facts.tags[rows]]]]
    return np.unique(feed.core.nodes.rep[nodes[nodes != NONE]])
