"""Who may read an asset by the grants of its system, and what an owner may read."""

from __future__ import annotations

from typing import Self

import strawberry

from meshline.api.graphql.asset import Asset, Connection, build_plain_page, build_statement_id
from meshline.api.graphql.context import GraphView
from meshline.api.graphql.contracts import find_text
from meshline.api.graphql.field_types import describe_field, refer_to_type
from meshline.graph.index import Edge
from meshline.graph.model import EdgeType
from meshline.graph.queries.pages import SortKey


@strawberry.type(description="That a team, person or role may read an asset, by the grants of the system that has the data.")
class ReadRight:
    view: strawberry.Private[GraphView]
    principal_node: strawberry.Private[int]
    asset_node: strawberry.Private[int]
    grant: str | None = strawberry.field(description="The role or group that was granted the right; null: its source does not state it.")
    row_filter: bool = strawberry.field(description="Whether a policy of the system shows only some rows.")
    masked: bool = strawberry.field(description="Whether a policy of the system masks the values.")
    source: str
    statement: strawberry.ID

    @classmethod
    def from_edge(cls, view: GraphView, edge: Edge) -> Self:
        return cls(
            view=view,
            principal_node=edge.start,
            asset_node=edge.end,
            grant=find_text(edge, "grant"),
            row_filter=edge.attributes.get("row_filter") is True,
            masked=edge.attributes.get("masked") is True,
            source=view.index.changes.get_scope(edge.scope_id).source,
            statement=build_statement_id(edge.scope_id),
        )

    @describe_field(None, type_=refer_to_type("Owner"))
    def principal(self) -> Asset:
        return self.view.get_asset(self.principal_node, Asset)

    @describe_field("The dataset, or the column if the right is one of columns.")
    def asset(self) -> Asset:
        return self.view.get_asset(self.asset_node, Asset)


def list_read_rights(
    view: GraphView, nodes: list[int], first: int | None, after: str | None, *, incoming: bool = True
) -> Connection[ReadRight]:
    """A page of the rights to read these assets, or (not `incoming`) of those of these owners; by owner, then by asset."""
    index = view.index
    found = {
        (edge.start, edge.end, edge.scope_id): edge
        for node in nodes
        for edge in index.ownership.list_edges(node, EdgeType.MAY_READ, incoming=incoming)
    }
    entries = sorted(((_build_sort_key(view, edge), edge) for edge in found.values()), key=lambda entry: entry[0])
    return build_plain_page(view, entries, lambda edge: ReadRight.from_edge(view, edge), first, after)


def _build_sort_key(view: GraphView, edge: Edge) -> SortKey:
    names = [view.index.assets.get_key(node).qualified_name for node in (edge.start, edge.end)]
    return SortKey((), (*names, f"{edge.scope_id:020}"))
