"""What a drawing of lineage consists of."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple

from meshline.graph.index import Completeness, LineageIndex, Reach, Traversal, Truncated
from meshline.graph.model import FlowType
from meshline.graph.queries.pages import name_key


class Granularity(enum.StrEnum):
    """What one node of the drawing stands for."""

    COLUMN = "COLUMN"
    DATASET = "DATASET"
    PRODUCT = "PRODUCT"
    DOMAIN = "DOMAIN"


class LineageNode(NamedTuple):
    """A drawn node. A start has distance 0 and reach DIRECT; a contracted node has the strongest of what is in it."""

    node: int
    reach: Reach
    distance: int
    masked: bool
    start: bool


class LineageEdge(NamedTuple):
    """Data flows from `start` to `end`.

    By column: one edge per type, subtype and masking. Contracted: the strongest class, `masking` if all
    flows mask, no type; `flows` is the number of distinct flows between columns (or whole datasets).
    """

    start: int
    end: int
    reach: Reach
    type: FlowType | None
    subtype: str
    masking: bool
    flows: int
    jobs: tuple[int, ...]


class Lineage(NamedTuple):
    """`ungrouped`: reached datasets that belong to no product (or domain), so are not drawn."""

    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]
    ungrouped: int
    completeness: Completeness


def by_name(index: LineageIndex, nodes: Iterable[LineageNode]) -> list[LineageNode]:
    """The same statements give the same drawing: nodes of one distance and class by name."""
    return sorted(nodes, key=lambda n: (not n.start, n.distance, n.reach, name_key(index, n.node)))


def named(index: LineageIndex, nodes: Iterable[int]) -> tuple[int, ...]:
    """Nodes by name."""
    return tuple(sorted(nodes, key=lambda node: name_key(index, node)))


def completeness(found: Traversal, *, cut: bool) -> Completeness:
    """What the drawing may be lacking. `cut`: nodes were left out."""
    known = found.completeness
    return known._replace(truncated=Truncated.NODES) if cut and known.truncated is Truncated.NONE else known
