"""A drawing as columns: as many nodes as a picture can show at once, without an object for each node and edge.

The nodes are those of `lineage` with the same arguments, in the same order. There is one edge for each pair of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from meshline.errors import InvalidInput, LimitExceeded
from meshline.graph.index import LineageIndex
from meshline.graph.index.results import Ints
from meshline.graph.model import AssetKey
from meshline.graph.queries.groups import COLUMN, NOTHING, Groups
from meshline.graph.queries.lineage import Drawing, DrawingArguments, EdgeTable, build_edge_table, draw_nodes, list_passages
from meshline.graph.queries.pages import Limits

MOST = 10_000  # nodes in one answer

# The bits of an edge, beside its reach (a `Reach`) in the lowest two.
MASKING = 4
STALE = 8
PROVISIONAL = 16


class Places(NamedTuple):
    """The distinct assets to which the nodes of a drawing belong, and for each node its asset's position among them, or NOTHING."""

    assets: list[int]
    at: list[int]


class CompactLineage:
    """The columns of a drawing, each computed when it is first asked for. Lists have one entry for each node, in drawing order."""

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        self.nodes: Ints = drawing.list_drawn()
        self.edges: EdgeTable = build_edge_table(drawing)
        places = zip(self.edges.start.tolist(), self.edges.end.tolist(), strict=True)
        self.passages = list_passages(drawing, places)  # behind the edges

    @cached_property
    def keys(self) -> list[AssetKey]:
        """The shown names."""
        return [self.drawing.graph.assets.get_key(node) for node in self.nodes.tolist()]

    @cached_property
    def products(self) -> Places:
        """The data products of the nodes: of a product, the product itself."""
        return _number_assets(self._groups.products[self._groups.at])

    @cached_property
    def domains(self) -> Places:
        """The domains of the nodes: of a domain, the domain itself."""
        return _number_assets(self._groups.domains[self._groups.at])

    @cached_property
    def datasets(self) -> Places:
        """The datasets of the nodes that are columns."""
        of_column = self.drawing.graph.lineage.get_kinds(self.nodes) == COLUMN
        found = np.full(self.nodes.size, NOTHING, np.int32)
        found[of_column] = self.drawing.graph.lineage.get_datasets(self.nodes[of_column])
        return _number_assets(found)

    @property
    def edge_bits(self) -> list[int]:
        """Of each edge its reach, and MASKING, STALE and PROVISIONAL if all flows that it represents are so."""
        edges = self.edges
        bits: list[int] = (edges.reach + MASKING * edges.masking + STALE * edges.stale + PROVISIONAL * edges.provisional).tolist()
        return bits + [int(one.reach) for one in self.passages]

    @cached_property
    def _groups(self) -> Groups:
        return Groups(self.drawing.graph, self.nodes)


def _number_assets(assets: Ints) -> Places:
    distinct, at = np.unique(assets, return_inverse=True)
    if distinct.size and distinct[0] == NOTHING:
        distinct, at = distinct[1:], at - 1
    return Places(distinct.tolist(), at.tolist())


def build_compact_lineage(index: LineageIndex, starts: Sequence[int], arguments: DrawingArguments, limits: Limits) -> CompactLineage:
    """The nodes that the starts reach, at most `arguments.limit`, and the edges between them. Raises InvalidInput, LimitExceeded."""
    if arguments.limit < 0:
        raise InvalidInput("a drawing cannot have fewer than 0 nodes", "limit")
    if arguments.limit > MOST:
        raise LimitExceeded(f"a compact drawing has at most {MOST} nodes, not {arguments.limit}: group them, or ask for a smaller depth")
    return CompactLineage(draw_nodes(index, starts, arguments, limits))
