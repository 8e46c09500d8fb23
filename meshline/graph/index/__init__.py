"""The lineage index: the visible graph in memory, and the only place where it is traversed."""

from meshline.graph.index.answers import Affected, Completeness, Direction, Edge, FlowStep, Ownership, Reach, ScopeInfo, Truncated
from meshline.graph.index.lineage import LineageIndex
from meshline.graph.index.measuring import Size
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
