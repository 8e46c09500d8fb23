"""Data products and their ports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import strawberry
from strawberry.scalars import JSON

from meshline.api.graphql.asset import Asset, Connection, build_connection, build_statement_id, list_assets, parse_cursor
from meshline.api.graphql.context import GraphView
from meshline.api.graphql.contract_terms import QualitySuite, ServiceLevel, list_service_levels
from meshline.api.graphql.contracts import Consumption, Contract, find_contract, find_text, list_consumptions
from meshline.api.graphql.field_types import Standing, describe_field, refer_to_type
from meshline.api.graphql.quality import ProductHealth
from meshline.graph.contracts import build_suites
from meshline.graph.index import Edge
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.queries import asset_lists, product_health


@strawberry.type(description="An output or input of a data product.")
class Port:
    view: strawberry.Private[GraphView]
    dataset_node: strawberry.Private[int]
    direction: str = strawberry.field(description="input or output")
    name: str | None
    type: str | None
    endpoint: str | None
    format: str | None
    description: str | None
    version: str | None
    refresh: str | None = strawberry.field(description="How its data arrives or is updated, as its source states it.")
    contract_name: str | None = strawberry.field(description="The contract about its data.")
    deprecated: bool
    source: str
    statement: strawberry.ID

    @classmethod
    def from_edge(cls, view: GraphView, edge: Edge) -> Self:
        return cls(
            view=view,
            dataset_node=edge.end,
            direction=find_text(edge, "direction") or "output",
            name=find_text(edge, "name"),
            type=find_text(edge, "type"),
            endpoint=find_text(edge, "endpoint"),
            format=find_text(edge, "format"),
            description=find_text(edge, "description"),
            version=find_text(edge, "version"),
            refresh=find_text(edge, "refresh"),
            contract_name=find_text(edge, "contract"),
            deprecated=edge.attributes.get("deprecated") is True,
            source=view.index.changes.get_scope(edge.scope_id).source,
            statement=build_statement_id(edge.scope_id),
        )

    @describe_field(None, type_=refer_to_type("Dataset"))
    def dataset(self) -> Asset:
        return self.view.get_asset(self.dataset_node, Asset)

    @describe_field("The contract about its data, if the graph knows it.")
    def contract(self) -> Contract | None:
        return find_contract(self.view, self.contract_name)


@strawberry.type
class DataProduct(Asset):
    @strawberry.field
    async def title(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("title")

    @strawberry.field
    async def version(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("version")

    @describe_field("active, deprecated, ... as its source states it.")
    async def status(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("status")

    @describe_field("The service levels that it promises, by name.")
    async def slos(self) -> list[ServiceLevel]:
        return list_service_levels((await self.view.read_attributes(self.node)).find_value("slo"))

    @describe_field("The suites of checks that its specification lists.")
    async def quality_checks(self) -> list[QualitySuite]:
        return [
            QualitySuite.from_suite(suite)
            for suite in build_suites((await self.view.read_attributes(self.node)).find_value("quality_checks"))
        ]

    @describe_field("The catalogs that it is registered in.")
    async def registered_in(self) -> list[str]:
        value = (await self.view.read_attributes(self.node)).find_value("registered_in")
        return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []

    @describe_field("The promised service levels, as its source states them.")
    async def slo(self) -> JSON | None:
        value = (await self.view.read_attributes(self.node)).find_value("slo")
        return None if value is None else JSON(value)

    @strawberry.field
    def ports(self) -> list[Port]:
        edges = self.view.index.ownership.list_edges(self.node, EdgeType.PORT)
        ports = [Port.from_edge(self.view, edge) for edge in edges]
        return sorted(
            ports, key=lambda port: (port.direction, self.view.index.assets.get_key(port.dataset_node).qualified_name, port.statement)
        )

    @describe_field(
        "The datasets that belong to it: those of its output ports, and those that its patterns match.",
        type_=refer_to_type("Dataset", Connection),
    )
    def datasets(self, first: int | None = None, after: str | None = None) -> Connection[Asset]:
        return list_assets(self.view, AssetKind.DATASET, Asset, asset_lists.Filter(product=self.node), first, after)

    @describe_field("Who consumes the product, or a dataset or column of its output ports.")
    def consumers(self) -> list[Consumption]:
        index = self.view.index
        ports = {
            edge.end
            for edge in index.ownership.list_edges(self.node, EdgeType.PORT)
            if edge.attributes.get("direction", "output") == "output"
        }
        columns = [column for dataset in ports for column in index.assets.list_columns(dataset)]
        return list_consumptions(self.view, self.node, *ports, *columns)

    @describe_field("The freshness of its output ports compared with its promise, and the results of their checks.")
    async def health(self) -> ProductHealth:
        return ProductHealth.from_health(self.view, await self.view.read_product_health(self.node))


def list_products(
    view: GraphView,
    wanted: asset_lists.Filter,
    standings: Sequence[Standing] | None,
    first: int | None,
    after: str | None,
    order: asset_lists.ListOrder,
) -> Connection[DataProduct]:
    """A page of the products with some standings (None: any), in an order."""
    found = product_health.list_products(
        view.index,
        view.compute_health,
        view.time,
        wanted,
        standings=tuple(Standing) if standings is None else standings,
        order=order,
        first=view.request.check_page_size(first),
        after=parse_cursor(after, product_health.count_product_numbers(order)),
    )
    return build_connection(view, found.page, DataProduct, lambda: found.total, after=after)
