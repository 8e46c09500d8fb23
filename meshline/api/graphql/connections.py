"""Relay connections: pages with opaque cursors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import strawberry

from meshline.api.graphql.context import GraphView
from meshline.api.graphql.field_types import describe_field
from meshline.graph.model import AssetKind
from meshline.graph.queries import search
from meshline.graph.queries.pages import Page, SortKey, decode_cursor, encode_cursor

T = TypeVar("T")


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[T]):
    cursor: str
    node: T


@strawberry.type
class Connection(Generic[T]):
    """A page. A cursor contains the sort key of an entry, so that writes between two pages neither skip nor repeat entries."""

    nodes: list[T]
    keys: strawberry.Private[list[tuple[SortKey, str]]]  # sort key and id of each node
    has_next: strawberry.Private[bool]
    has_previous: strawberry.Private[bool]
    count: strawberry.Private[Callable[[], int]]

    @strawberry.field
    def edges(self) -> list[Edge[T]]:
        return [Edge(cursor=encode_cursor(*key), node=node) for key, node in zip(self.keys, self.nodes, strict=True)]

    @strawberry.field
    def page_info(self) -> PageInfo:
        return build_page_info(self.keys, has_next=self.has_next, has_previous=self.has_previous)

    @describe_field("The number of entries on all pages. Computed only if this field is requested.")
    def total_count(self) -> int:
        return self.count()


def build_page_info(keys: list[tuple[SortKey, str]], *, has_next: bool, has_previous: bool) -> PageInfo:
    return PageInfo(
        has_next_page=has_next,
        has_previous_page=has_previous,
        start_cursor=encode_cursor(*keys[0]) if keys else None,
        end_cursor=encode_cursor(*keys[-1]) if keys else None,
    )


def build_connection(view: GraphView, page: Page, type_: type[T], count: Callable[[], int], *, after: str | None) -> Connection[T]:
    """A page of nodes of the index as a connection of assets of one type. `count` computes the number of entries on all pages."""
    nodes = view.list_assets([entry.node for entry in page.entries], type_)
    keys = [(entry.key, view.index.assets.get_key(entry.node).id) for entry in page.entries]
    return Connection(nodes=nodes, keys=keys, has_next=page.has_next, has_previous=after is not None, count=count)


def parse_cursor(after: str | None, numbers: int) -> SortKey | None:
    return None if after is None else decode_cursor(after, numbers)


def list_assets(
    view: GraphView, kind: AssetKind, type_: type[T], wanted: search.Filter, first: int | None, after: str | None
) -> Connection[T]:
    """A page of the assets of a kind that pass a filter, by name."""
    page = search.list_assets(view.index, kind, wanted, first=view.request.check_page_size(first), after=parse_cursor(after, 1))
    return build_connection(view, page, type_, lambda: search.count_assets(view.index, kind, wanted), after=after)
