"""The enumerations of the schema: those of the graph, under the same names."""

from __future__ import annotations

import strawberry

from meshline.graph.index import Direction, Reach, Truncated
from meshline.graph.model import AssetKind, EdgeType, FlowType
from meshline.graph.queries.drawing import Granularity
from meshline.graph.queries.impact import ImpactOrder
from meshline.graph.queries.notices import NoticeReason

strawberry.enum(AssetKind, description="What a person asks about.")
strawberry.enum(Direction, description="With the flow of data, or against it.")
strawberry.enum(EdgeType, description="Typed, directed relations between assets.")
strawberry.enum(FlowType, description="Whether values come from there (DIRECT), or which rows, groups or branch depends on it (INDIRECT).")
strawberry.enum(Granularity, description="What one node of a lineage graph stands for.")
strawberry.enum(ImpactOrder, description="What affected assets are sorted by first; the others follow, then kind and name.")
strawberry.enum(NoticeReason, description="Why somebody should hear of a change.")
strawberry.enum(
    Reach,
    description=(
        "How sure a lineage answer is: a path of DIRECT edges; else of DIRECT and INDIRECT ones; "
        "else only one where nobody recorded the columns (POSSIBLE)."
    ),
)
strawberry.enum(Truncated, description="The limit that cut an answer short.")

__all__ = ["AssetKind", "Direction", "EdgeType", "FlowType", "Granularity", "ImpactOrder", "NoticeReason", "Reach", "Truncated"]
