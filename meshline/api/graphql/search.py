"""Search results."""

from __future__ import annotations

from typing import Self

import strawberry

from meshline.api.graphql.asset import Asset
from meshline.api.graphql.connections import Edge, PageInfo, page_info
from meshline.api.graphql.context import View
from meshline.graph.queries import search
from meshline.graph.queries.pages import SortKey, encode_cursor


@strawberry.type(description="A page of hits, the best first.")
class SearchConnection:
    nodes: list[Asset]
    keys: strawberry.Private[list[tuple[SortKey, str]]]
    has_next: strawberry.Private[bool]
    has_previous: strawberry.Private[bool]
    total_count: int
    truncated: bool = strawberry.field(description="Whether the text fits more assets than one search looks at: say more.")

    @classmethod
    def of(cls, view: View, found: search.Found, *, after: str | None) -> Self:
        return cls(
            nodes=view.all_typed([entry.node for entry in found.page.entries], Asset),
            keys=[(entry.key, view.index.key(entry.node).id) for entry in found.page.entries],
            has_next=found.page.has_next,
            has_previous=after is not None,
            total_count=found.total,
            truncated=found.truncated,
        )

    @strawberry.field
    def edges(self) -> list[Edge[Asset]]:
        return [Edge(cursor=encode_cursor(*key), node=node) for key, node in zip(self.keys, self.nodes, strict=True)]

    @strawberry.field
    def page_info(self) -> PageInfo:
        return page_info(self.keys, has_next=self.has_next, has_previous=self.has_previous)
