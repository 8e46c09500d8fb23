"""The lineage index: the visible graph in memory, and the only place where it is traversed."""

from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.index.results import Affected, Completeness, Direction, Edge, FlowStep, Ownership, Reach, ScopeInfo, Truncated
from meshline.graph.index.statistics import Size
from meshline.graph.index.traversal import Traversal

__all__ = [
    "Affected",
    "Completeness",
    "Direction",
    "Edge",
    "FlowStep",
    "LineageIndex",
    "Ownership",
    "Reach",
    "ScopeInfo",
    "Size",
    "Traversal",
    "Truncated",
]
