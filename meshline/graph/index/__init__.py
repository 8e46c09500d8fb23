"""The lineage index: the visible graph in memory, and the only place where it is traversed."""

from meshline.graph.index.arrays import COLUMN, DATASET, NONE
from meshline.graph.index.lineage_index import LineageIndex
from meshline.graph.index.results import Affected, Completeness, Direction, Edge, FlowStep, Ownership, Reach, ScopeInfo, Truncated
from meshline.graph.index.statistics import NameMatcher, Size, Survey
from meshline.graph.index.traversal import Traversal

__all__ = [
    "COLUMN",
    "DATASET",
    "NONE",
    "Affected",
    "Completeness",
    "Direction",
    "Edge",
    "FlowStep",
    "LineageIndex",
    "NameMatcher",
    "Ownership",
    "Reach",
    "ScopeInfo",
    "Size",
    "Survey",
    "Traversal",
    "Truncated",
]
