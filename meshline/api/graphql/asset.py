"""The fields that all assets have in common, their small types (tags, ownership, facts, aliases), and pages of assets (connections)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Generic, Self, TypeVar

import strawberry
from strawberry.scalars import JSON

from meshline.api.graphql.context import GraphView
from meshline.api.graphql.field_types import AccessLevel, AssetKind, describe_field, refer_to_type
from meshline.graph.index import results
from meshline.graph.live_graph import FactRow
from meshline.graph.model import AssetKey, from_micros
from meshline.graph.queries import asset_lists, assets, owned_assets
from meshline.graph.queries.pages import Page, SortKey, decode_cursor, encode_cursor

T = TypeVar("T")
V = TypeVar("V")


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
    view: GraphView,
    kind: AssetKind,
    type_: type[T],
    wanted: asset_lists.Filter,
    first: int | None,
    after: str | None,
    order: asset_lists.ListOrder = asset_lists.ListOrder.NAME,
) -> Connection[T]:
    """A page of the assets of a kind that pass a filter, in an order."""
    size, start = view.request.check_page_size(first), parse_cursor(after, asset_lists.count_order_numbers(order))
    page = asset_lists.list_assets(view.index, kind, wanted, order=order, first=size, after=start)
    return build_connection(view, page, type_, lambda: asset_lists.count_assets(view.index, kind, wanted), after=after)


def build_statement_id(scope_id: int) -> strawberry.ID:
    """The id of a statement in GraphQL, which the mutation `retract` accepts."""
    return strawberry.ID(f"st_{scope_id}")


@strawberry.interface(description="A node of the graph that people ask about: a dataset, a column, a job, ...")
class Asset:
    view: strawberry.Private[GraphView]
    node: strawberry.Private[int]
    id: strawberry.ID = strawberry.field(description="Opaque and stable. A dataset with several names can be found by the id of each name.")
    kind: AssetKind
    name: str
    qualified_name: str = strawberry.field(description="`namespace/name`, `namespace/dataset.column`, or the name.")

    @classmethod
    def from_node(cls, view: GraphView, node: int, key: AssetKey) -> Self:
        return cls(view=view, node=node, id=strawberry.ID(key.id), kind=key.kind, name=key.name, qualified_name=key.qualified_name)

    @describe_field("How much of it the caller sees.")
    def access(self) -> AccessLevel:
        return assets.find_level(self.view.index, self.node)

    @strawberry.field
    async def description(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("description")

    @describe_field("The tags of all sources together.")
    async def tags(self) -> list[Tag]:
        return [Tag(key=tag.key, value=tag.value, source=tag.source) for tag in (await self.view.read_attributes(self.node)).tags]

    @describe_field("The domain it belongs to; for a domain, its parent domain.", type_=refer_to_type("Domain") | None)
    def domain(self) -> Asset | None:
        return self.view.find_asset(self.view.index.ownership.find_domain(self.node), Asset)

    @describe_field("The data product that a dataset or column belongs to.", type_=refer_to_type("DataProduct") | None)
    def product(self) -> Asset | None:
        return self.view.find_asset(self.view.index.ownership.find_product(self.node), Asset)

    @describe_field("The owners at the nearest level that has any.")
    def owners(self) -> list[Ownership]:
        return [Ownership.from_owned(self.view, self.node, owned) for owned in self.view.index.ownership.list_owners(self.node)]

    @describe_field("The attributes that sources state about it, with source and time; the values that are shown (`chosen`) come first.")
    async def facts(self, attribute: str | None = None) -> list[Fact]:
        rows = (await self.view.read_attributes(self.node)).rows
        return [Fact.from_row(row) for row in rows if attribute is None or row.attribute == attribute]

    @describe_field("The last time at which any source stated anything about it.")
    def last_observed(self) -> datetime | None:
        at = assets.find_last_observed(self.view.index, self.node)
        return None if at is None else from_micros(at)


@strawberry.type(description="A label, `key` or `key=value`.")
class Tag:
    key: str
    value: str | None
    source: str


@strawberry.type(description="A tag, and on how many assets it is.")
class TagCount:
    key: str
    value: str | None
    assets: int = strawberry.field(description="The number of assets, columns included, to which any source gives it.")


@strawberry.type(description="A namespace of datasets and jobs.")
class NamespaceCount:
    name: str
    datasets: int = strawberry.field(description="Without datasets that are only inferred.")
    jobs: int


def list_tags(view: GraphView, first: int | None, after: str | None) -> Connection[TagCount]:
    """A page of the tags."""
    entries = [(SortKey((), (tag.key,) if tag.value is None else (tag.key, tag.value)), tag) for tag in asset_lists.list_tags(view.index)]
    return build_plain_page(view, entries, lambda tag: TagCount(key=tag.key, value=tag.value, assets=tag.assets), first, after)


def list_namespaces(view: GraphView, first: int | None, after: str | None) -> Connection[NamespaceCount]:
    """A page of the namespaces, by name."""
    entries = [(SortKey((), (one.name,)), one) for one in asset_lists.list_namespaces(view.index)]
    return build_plain_page(view, entries, lambda one: NamespaceCount(name=one.name, datasets=one.datasets, jobs=one.jobs), first, after)


def build_plain_page(
    view: GraphView,
    entries: Sequence[tuple[SortKey, V]],
    build: Callable[[V], T],
    first: int | None,
    after: str | None,
    *,
    numbers: int = 0,
    default: int = 25,
) -> Connection[T]:
    """A page of values that are no assets. `entries`: all, in the order of their keys, which have so many `numbers`."""
    size, start = view.request.check_page_size(first, default), parse_cursor(after, numbers)
    rest = [entry for entry in entries if start is None or entry[0] > start]
    view.request.spend(len(rest[:size]))
    return Connection(
        nodes=[build(value) for _, value in rest[:size]],
        keys=[(key, "") for key, _ in rest[:size]],
        has_next=len(rest) > size,
        has_previous=after is not None,
        count=lambda: len(entries),
    )


@strawberry.type(description="An owner of an asset, and where the ownership comes from.")
class Ownership:
    view: strawberry.Private[GraphView]
    owner_node: strawberry.Private[int]
    level_node: strawberry.Private[int | None]
    type: str = strawberry.field(description="technical, business, steward, ...")
    source: str
    statement: strawberry.ID = strawberry.field(description="The statement that contains it.")

    @classmethod
    def from_owned(cls, view: GraphView, node: int, owned: results.Ownership) -> Self:
        level = None if owned.level == node else owned.level
        return cls(
            view=view,
            owner_node=owned.owner,
            level_node=level,
            type=owned.type,
            source=owned.source,
            statement=build_statement_id(owned.scope_id),
        )

    @describe_field(None, type_=refer_to_type("Owner"))
    def owner(self) -> Asset:
        return self.view.get_asset(self.owner_node, Asset)

    @describe_field("The dataset, product, domain or contract in force from which the owner is inherited; null if it is the asset's own.")
    def inherited_from(self) -> Asset | None:
        return None if self.level_node is None else self.view.get_asset(self.level_node, Asset)


@strawberry.type(description="One attribute of an asset, as one source states it.")
class Fact:
    source: str
    attribute: str
    value: JSON | None
    observed_at: datetime
    valid_from: datetime
    last_observed: datetime
    chosen: bool = strawberry.field(description="Whether this value is shown, among all values that sources state for the attribute.")
    statement: strawberry.ID

    @classmethod
    def from_row(cls, row: FactRow) -> Self:
        return cls(
            source=row.source,
            attribute=row.attribute,
            value=None if row.value is None else JSON(row.value),
            observed_at=from_micros(row.observed_at),
            valid_from=from_micros(row.valid_from),
            last_observed=from_micros(row.last_observed),
            chosen=row.chosen,
            statement=build_statement_id(row.scope_id),
        )


@strawberry.type(description="Another name of a dataset, and why it is the same dataset.")
class Alias:
    namespace: str
    name: str
    why: str
    source: str
    since: datetime
    statement: strawberry.ID

    @classmethod
    def from_alias(cls, alias: assets.Alias) -> Self:
        return cls(
            namespace=alias.namespace,
            name=alias.name,
            why=alias.why,
            source=alias.source,
            since=from_micros(alias.since),
            statement=build_statement_id(alias.scope_id),
        )


def list_owned(
    view: GraphView, owner: int, *, inherited: bool, kinds: Sequence[AssetKind] | None, first: int | None, after: str | None
) -> Connection[Asset]:
    """A page of the assets of an owner. `inherited`: also what it owns by owning something that contains it."""
    wanted = tuple(kinds or ())
    size = view.request.check_page_size(first)
    page = owned_assets.list_owned(view.index, owner, inherited=inherited, kinds=wanted, first=size, after=parse_cursor(after, 1))
    total = partial(owned_assets.count_owned, view.index, owner, inherited=inherited, kinds=wanted)
    return build_connection(view, page, Asset, total, after=after)
