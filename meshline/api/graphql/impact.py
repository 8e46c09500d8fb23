"""Impact and provenance: the affected assets in pages and groups, and the recipients to notify."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Self

import strawberry

from meshline.api.graphql.asset import Asset, PageInfo, build_page_info, parse_cursor
from meshline.api.graphql.context import GraphView
from meshline.api.graphql.contracts import Contract
from meshline.api.graphql.field_types import AssetKind, ImpactOrder, NoticeReason, Reach, describe_field
from meshline.api.graphql.lineage import Completeness, PathStep
from meshline.api.graphql.observed_usage import ObservedReads
from meshline.graph.queries import impact, impact_recipients
from meshline.graph.queries.assets import find_contact
from meshline.graph.queries.impact_paths import ImpactPaths
from meshline.graph.queries.pages import encode_cursor
from meshline.graph.queries.usage import find_last_use


@strawberry.type(description="The number of assets in a group.")
class Count:
    view: strawberry.Private[GraphView]
    node: strawberry.Private[int | None]
    key: str = strawberry.field(description="A kind, a reach or an id; empty for assets in no group.")
    label: str
    count: int

    @classmethod
    def from_count(cls, view: GraphView, counted: impact.Count) -> Self:
        return cls(view=view, node=counted.node, key=counted.key, label=counted.label, count=counted.size)

    @describe_field("The domain, product, owner or reader of the group.")
    def asset(self) -> Asset | None:
        return self.view.find_asset(self.node, Asset)


@strawberry.type(description="An asset that is affected.")
class ImpactedAsset:
    view: strawberry.Private[GraphView]
    whole: strawberry.Private[Impact]
    node: Asset
    reach: Reach
    distance: int = strawberry.field(description="The number of flows between it and the nearest start, with this reach.")
    masked: bool = strawberry.field(description="Whether every path with this reach passes a masking step.")

    @describe_field("A shortest path with this reach, in the direction in which data flows.")
    def via(self) -> list[PathStep]:
        steps = self.whole.paths.build_path(self.node.node)
        self.view.request.spend(len(steps))
        return [PathStep.from_step(self.view, step) for step in steps]


@strawberry.type
class ImpactEdge:
    cursor: str
    node: ImpactedAsset


@strawberry.type(description="A page of affected assets.")
class ImpactConnection:
    view: strawberry.Private[GraphView]
    page: strawberry.Private[impact.ImpactPage]
    whole: strawberry.Private[Impact]
    has_previous: strawberry.Private[bool]

    @strawberry.field
    def nodes(self) -> list[ImpactedAsset]:
        return [self._build_node(entry) for entry in self.page.entries]

    @strawberry.field
    def edges(self) -> list[ImpactEdge]:
        return [
            ImpactEdge(cursor=encode_cursor(entry.key, self._get_id(entry)), node=self._build_node(entry)) for entry in self.page.entries
        ]

    @strawberry.field
    def page_info(self) -> PageInfo:
        keys = [(entry.key, self._get_id(entry)) for entry in (*self.page.entries[:1], *self.page.entries[-1:])]
        return build_page_info(keys, has_next=self.page.has_next, has_previous=self.has_previous)

    @describe_field("The number of assets that pass the filters, on all pages.")
    def total_count(self) -> int:
        return self.page.total

    def _get_id(self, entry: impact.Impacted) -> str:
        return self.view.index.assets.get_key(entry.node).id

    def _build_node(self, entry: impact.Impacted) -> ImpactedAsset:
        self.view.request.spend()
        return ImpactedAsset(
            view=self.view,
            whole=self.whole,
            node=self.view.get_asset(entry.node, Asset),
            reach=entry.reach,
            distance=entry.distance,
            masked=entry.masked,
        )


@strawberry.type(description="An asset that an owner owns through a contract that governs the asset.")
class OwnedByContract:
    asset: Asset
    contract: Contract


@strawberry.type(description="A recipient to notify; each recipient occurs once.")
class Notice:
    view: strawberry.Private[GraphView]
    notice: strawberry.Private[impact_recipients.Notice]
    recipient: Asset = strawberry.field(description="An owner or a consumer.")
    reason: NoticeReason
    why: str = strawberry.field(description="The reason, worded as the end of a sentence.")
    reach: Reach = strawberry.field(description="The most certain reach of any of the assets.")
    total: int = strawberry.field(description="The number of assets that it is about.")

    @classmethod
    def from_notice(cls, view: GraphView, notice: impact_recipients.Notice) -> Self:
        view.request.spend()
        return cls(
            view=view,
            notice=notice,
            recipient=view.get_asset(notice.recipient, Asset),
            reason=notice.reason,
            why=notice.why,
            reach=notice.reach,
            total=len(notice.assets),
        )

    @describe_field("The affected assets that the recipient owns or uses; the most certain and nearest first.")
    def assets(self, first: int | None = None) -> list[Asset]:
        size = self.view.request.check_page_size(first, 100)
        return self.view.list_assets(self.notice.assets[:size], Asset)

    @describe_field("Of an owner: which of the first `assets` it owns through a contract.")
    def by_contract(self, first: int | None = None) -> list[OwnedByContract]:
        if self.reason is not NoticeReason.OWNS:
            return []
        size = self.view.request.check_page_size(first, 100)
        return [
            OwnedByContract(asset=self.view.get_asset(node, Asset), contract=self.view.get_asset(contract, Contract))
            for node in self.notice.assets[:size]
            for contract in impact_recipients.list_contracts(self.view.index, self.notice.recipient, node)
        ]

    @describe_field("Of a consumer: how often it was seen to read that one of `assets` which it read most, and when any; null: it was not.")
    def reads(self) -> ObservedReads | None:
        return ObservedReads.from_reads(find_last_use(self.view.index, self.notice.recipient, self.notice.assets))

    @describe_field("How to contact the recipient, if a source states it.")
    async def contact(self) -> str | None:
        node = self.notice.recipient
        return find_contact(await self.view.read_attributes(node), self.view.index.assets.get_key(node).name)


@strawberry.type(description="All assets that some assets affect, or that they come from.")
class Impact:
    view: strawberry.Private[GraphView]
    found: strawberry.Private[impact.Impact]

    @strawberry.field
    def total(self) -> int:
        return self.found.total

    @strawberry.field
    def by_kind(self) -> list[Count]:
        return self._build_counts(self.found.count_by_kind())

    @strawberry.field
    def by_reach(self) -> list[Count]:
        return self._build_counts(self.found.count_by_reach())

    @strawberry.field
    def by_domain(self) -> list[Count]:
        return self._build_counts(self.found.count_by_domain())

    @strawberry.field
    def by_product(self) -> list[Count]:
        return self._build_counts(self.found.count_by_product())

    @describe_field("An asset with two owners counts for each of them.")
    def by_owner(self) -> list[Count]:
        return self._build_counts(self.found.count_by_owner())

    @describe_field(
        "A dataset or column counts for each team, person or role that may read it, or some of it, by the grants that sources state; in the"
        " group without a key: those about which no source states any."
    )
    def by_reader(self) -> list[Count]:
        return self._build_counts(self.found.count_by_reader())

    @strawberry.field
    def assets(
        self,
        kinds: list[AssetKind] | None = None,
        reach: list[Reach] | None = None,
        domain: strawberry.ID | None = None,
        product: strawberry.ID | None = None,
        owner: strawberry.ID | None = None,
        reader: Annotated[strawberry.ID | None, strawberry.argument(description="Only what this owner may read.")] = None,
        masked: bool | None = None,
        order_by: ImpactOrder = ImpactOrder.REACH,
        first: int | None = None,
        after: str | None = None,
    ) -> ImpactConnection:
        wanted = impact.ImpactFilter(
            kinds=tuple(kinds or ()),
            reach=tuple(reach or ()),
            domain=self._find_node(domain),
            product=self._find_node(product),
            owner=self._find_node(owner),
            reader=self._find_node(reader),
            masked=masked,
        )
        size = self.view.request.check_page_size(first, 100)
        page = self.found.build_page(wanted, order_by, first=size, after=parse_cursor(after, impact.count_numbers(order_by)))
        return ImpactConnection(view=self.view, page=page, whole=self, has_previous=after is not None)

    @describe_field("The recipients to notify: consumers and owners, each once.")
    def notify(self) -> list[Notice]:
        return [Notice.from_notice(self.view, notice) for notice in impact_recipients.list_notices(self.found)]

    @strawberry.field
    def completeness(self) -> Completeness:
        return Completeness.from_traversal(self.view, self.found.traversal, self.found.completeness)

    @cached_property
    def paths(self) -> ImpactPaths:
        return ImpactPaths(self.found)

    def _find_node(self, asset_id: str | None) -> int | None:
        return None if asset_id is None else self.view.get_node(asset_id)

    def _build_counts(self, counts: list[impact.Count]) -> list[Count]:
        self.view.request.spend(len(counts))
        return [Count.from_count(self.view, count) for count in counts]
