"""The kinds of assets, each with what it alone has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Self

import strawberry
from strawberry.scalars import JSON

from meshline.api.graphql.asset import Alias, Asset, owned, statement_id
from meshline.api.graphql.connections import Connection, connection, key_after, listed
from meshline.api.graphql.context import View
from meshline.api.graphql.fields import documented
from meshline.graph.index import Edge
from meshline.graph.model import AssetKind, EdgeType, Json, from_micros
from meshline.graph.model import contract as contract_key
from meshline.graph.queries import listing


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _attribute(edge: Edge, name: str) -> str | None:
    return _text(edge.attributes.get(name))


@strawberry.type
class Domain(Asset):
    @strawberry.field
    async def title(self) -> str | None:
        return (await self.view.attributes(self.node)).text("title")

    @strawberry.field
    def subdomains(self) -> list[Domain]:
        return [child for child in self._parts() if isinstance(child, Domain)]

    @strawberry.field
    def products(self) -> list[DataProduct]:
        return [child for child in self._parts() if isinstance(child, DataProduct)]

    @documented("The datasets that belong to it or to a domain below it.")
    def datasets(self, first: int | None = None, after: str | None = None) -> Connection[Dataset]:
        wanted = listing.Filter(domain=self.node)
        return listed(self.view, AssetKind.DATASET, Dataset, wanted, first, after)

    def _parts(self) -> list[Asset]:
        return [self.view.asset(node) for node in listing.linked(self.view.index, self.node, EdgeType.PART_OF, incoming=True)]


@strawberry.type(description="Where a data product hands out data, or takes it in.")
class Port:
    view: strawberry.Private[View]
    dataset_node: strawberry.Private[int]
    direction: str = strawberry.field(description="input or output")
    type: str | None
    endpoint: str | None
    format: str | None
    source: str
    statement: strawberry.ID

    @classmethod
    def said(cls, view: View, edge: Edge) -> Self:
        return cls(
            view=view,
            dataset_node=edge.end,
            direction=_attribute(edge, "direction") or "output",
            type=_attribute(edge, "type"),
            endpoint=_attribute(edge, "endpoint"),
            format=_attribute(edge, "format"),
            source=view.index.scope(edge.scope_id).source,
            statement=statement_id(edge.scope_id),
        )

    @strawberry.field
    def dataset(self) -> Dataset:
        return self.view.typed(self.dataset_node, Dataset)


@strawberry.type(description="A consumer uses an asset.")
class Consumption:
    view: strawberry.Private[View]
    consumer_node: strawberry.Private[int]
    asset_node: strawberry.Private[int]
    purpose: str | None
    contract_name: str | None = strawberry.field(description="The contract that covers it.")
    source: str
    statement: strawberry.ID

    @classmethod
    def said(cls, view: View, edge: Edge) -> Self:
        return cls(
            view=view,
            consumer_node=edge.start,
            asset_node=edge.end,
            purpose=_attribute(edge, "purpose"),
            contract_name=_attribute(edge, "contract"),
            source=view.index.scope(edge.scope_id).source,
            statement=statement_id(edge.scope_id),
        )

    @strawberry.field
    def consumer(self) -> Consumer:
        return self.view.typed(self.consumer_node, Consumer)

    @documented("The column, dataset or data product that is used.")
    def asset(self) -> Asset:
        return self.view.asset(self.asset_node)

    @documented("The contract that covers it, if the graph knows it.")
    def contract(self) -> Contract | None:
        node = None if self.contract_name is None else self.view.index.node(contract_key(self.contract_name))
        return self.view.maybe(node, Contract)


def consumptions(view: View, *nodes: int) -> list[Consumption]:
    """By whom assets are used, by the names of the consumers."""
    edges = {
        (edge.start, edge.end, edge.scope_id): edge for node in nodes for edge in view.index.edges(node, EdgeType.CONSUMES, incoming=True)
    }
    ordered = sorted(
        edges.values(), key=lambda edge: (view.index.key(edge.start).name, view.index.key(edge.end).qualified_name, edge.scope_id)
    )
    return [Consumption.said(view, edge) for edge in ordered]


@strawberry.type
class DataProduct(Asset):
    @strawberry.field
    async def title(self) -> str | None:
        return (await self.view.attributes(self.node)).text("title")

    @documented("The service level that is promised, as its source gives it.")
    async def slo(self) -> JSON | None:
        value = (await self.view.attributes(self.node)).value("slo")
        return None if value is None else JSON(value)

    @strawberry.field
    def ports(self) -> list[Port]:
        edges = self.view.index.edges(self.node, EdgeType.PORT)
        ports = [Port.said(self.view, edge) for edge in edges]
        return sorted(ports, key=lambda port: (port.direction, self.view.index.key(port.dataset_node).qualified_name, port.statement))

    @documented("The datasets that belong to it: those of its output ports, and those that its patterns match.")
    def datasets(self, first: int | None = None, after: str | None = None) -> Connection[Dataset]:
        return listed(self.view, AssetKind.DATASET, Dataset, listing.Filter(product=self.node), first, after)

    @documented("Who uses the product, or a dataset or column of its output ports.")
    def consumers(self) -> list[Consumption]:
        index = self.view.index
        ports = {edge.end for edge in index.edges(self.node, EdgeType.PORT) if edge.attributes.get("direction", "output") == "output"}
        columns = [column for dataset in ports for column in index.columns(dataset)]
        return consumptions(self.view, self.node, *ports, *columns)


@strawberry.type
class Dataset(Asset):
    @strawberry.field
    def namespace(self) -> str:
        return self.view.index.key(self.node).parts[0]

    @documented("Its other names, and why they are the same.")
    async def aliases(self) -> list[Alias]:
        return [Alias.said(alias) for alias in await self.view.aliases(self.node)]

    @documented("Its columns, by position.")
    def columns(self, first: int | None = None, after: str | None = None) -> Connection[Column]:
        index, size = self.view.index, self.view.request.page(first, 100)
        page = listing.columns(index, self.node, first=size, after=key_after(after, 2))
        return connection(self.view, page, Column, lambda: len(index.columns(self.node)), after=after)

    @documented("Whether some source lists its columns.")
    def described(self) -> bool:
        return self.view.index.described(self.node)

    @documented("Whether it is only mentioned inside column lineages: it may be no table at all.")
    def inferred(self) -> bool:
        return self.view.index.inferred(self.node)

    @documented("TABLE, VIEW, TOPIC, ... as its source says.")
    async def dataset_type(self) -> str | None:
        return (await self.view.attributes(self.node)).text("dataset_type")

    @strawberry.field
    async def location(self) -> str | None:
        return (await self.view.attributes(self.node)).text("location")

    @documented("The jobs that write it.")
    def written_by(self) -> list[Job]:
        return self.view.all_typed(listing.linked(self.view.index, self.node, EdgeType.WRITES, incoming=True), Job)

    @documented("The jobs that read it.")
    def read_by(self) -> list[Job]:
        return self.view.all_typed(listing.linked(self.view.index, self.node, EdgeType.READS, incoming=True), Job)

    @documented("The ports of data products that hand it out or take it in.")
    def products(self) -> list[DataProduct]:
        return self.view.all_typed(listing.linked(self.view.index, self.node, EdgeType.PORT, incoming=True), DataProduct)

    @documented("Who uses it as a whole, or a column of it.")
    def consumers(self) -> list[Consumption]:
        return consumptions(self.view, self.node, *self.view.index.columns(self.node))

    @strawberry.field
    def contracts(self) -> list[Contract]:
        return self.view.all_typed(listing.linked(self.view.index, self.node, EdgeType.GOVERNS, incoming=True), Contract)


@strawberry.type(description="A name that a column had, as its catalog says.")
class FormerName:
    name: str
    until: datetime


@strawberry.type
class Column(Asset):
    @strawberry.field
    def dataset(self) -> Dataset:
        return self.view.typed(self.view.index.dataset(self.node), Dataset)

    @strawberry.field
    async def data_type(self) -> str | None:
        return (await self.view.attributes(self.node)).text("type")

    @strawberry.field
    async def nullable(self) -> bool | None:
        value = (await self.view.attributes(self.node)).value("nullable")
        return value if isinstance(value, bool) else None

    @documented("1 is the first.")
    def position(self) -> int | None:
        return self.view.index.position(self.node)

    @documented("Whether it is known from lineage only: no source lists it among the columns of its dataset.")
    def inferred(self) -> bool:
        return self.view.index.inferred(self.node)

    @documented("Whether the catalog that holds the table lacks it.")
    def unlisted(self) -> bool:
        return self.view.index.unlisted(self.node)

    @documented("The names that it had before it was renamed, the oldest first. What was said under them until then is said of it.")
    def former_names(self) -> list[FormerName]:
        return [FormerName(name=name, until=from_micros(until)) for name, until in self.view.index.former_names(self.node)]

    @documented("Who uses this very column.")
    def consumers(self) -> list[Consumption]:
        return consumptions(self.view, self.node)


@strawberry.type
class Job(Asset):
    @strawberry.field
    def namespace(self) -> str:
        return self.view.index.key(self.node).parts[0]

    @strawberry.field
    async def job_type(self) -> str | None:
        return (await self.view.attributes(self.node)).text("job_type")

    @documented("BATCH or STREAMING, as its source says.")
    async def processing_type(self) -> str | None:
        return (await self.view.attributes(self.node)).text("processing_type")

    @documented("SPARK, DBT, ... as its source says.")
    async def integration(self) -> str | None:
        return (await self.view.attributes(self.node)).text("integration")

    @strawberry.field
    async def sql(self) -> str | None:
        return (await self.view.attributes(self.node)).text("sql")

    @strawberry.field
    def reads(self) -> list[Dataset]:
        return self.view.all_typed(listing.linked(self.view.index, self.node, EdgeType.READS), Dataset)

    @strawberry.field
    def writes(self) -> list[Dataset]:
        return self.view.all_typed(listing.linked(self.view.index, self.node, EdgeType.WRITES), Dataset)

    @documented("The jobs that this one is a part of.")
    def parents(self) -> list[Job]:
        return self.view.all_typed(listing.linked(self.view.index, self.node, EdgeType.PART_OF), Job)

    @strawberry.field
    def children(self) -> list[Job]:
        return self.view.all_typed(listing.linked(self.view.index, self.node, EdgeType.PART_OF, incoming=True), Job)


@strawberry.type
class Consumer(Asset):
    @strawberry.field
    async def title(self) -> str | None:
        return (await self.view.attributes(self.node)).text("title")

    @documented("team, application, dashboard, exposure, model, ...")
    async def consumer_type(self) -> str | None:
        return (await self.view.attributes(self.node)).text("consumer_type")

    @strawberry.field
    def consumes(self) -> list[Consumption]:
        index = self.view.index
        edges = sorted(index.edges(self.node, EdgeType.CONSUMES), key=lambda edge: (index.key(edge.end).qualified_name, edge.scope_id))
        return [Consumption.said(self.view, edge) for edge in edges]


@strawberry.type
class Owner(Asset):
    @strawberry.field
    async def title(self) -> str | None:
        return (await self.view.attributes(self.node)).text("title")

    @strawberry.field
    async def contact(self) -> str | None:
        return (await self.view.attributes(self.node)).text("contact")

    @documented("team or person, as its source says.")
    async def owner_type(self) -> str | None:
        return (await self.view.attributes(self.node)).text("owner_type")

    @documented("What it owns; inherited: also what is inside, unless owners of its own are nearer.")
    def owns(
        self, inherited: bool = True, kinds: list[AssetKind] | None = None, first: int | None = None, after: str | None = None
    ) -> Connection[Asset]:
        return owned(self.view, self.node, inherited=inherited, kinds=kinds, first=first, after=after)


@strawberry.type
class Contract(Asset):
    @strawberry.field
    async def version(self) -> str | None:
        return (await self.view.attributes(self.node)).text("version")

    @strawberry.field
    async def status(self) -> str | None:
        return (await self.view.attributes(self.node)).text("status")

    @documented("The datasets that it makes promises about.")
    def governs(self) -> list[Dataset]:
        return self.view.all_typed(listing.linked(self.view.index, self.node, EdgeType.GOVERNS), Dataset)


TYPES: Mapping[AssetKind, type[Asset]] = {
    AssetKind.DOMAIN: Domain,
    AssetKind.DATA_PRODUCT: DataProduct,
    AssetKind.DATASET: Dataset,
    AssetKind.COLUMN: Column,
    AssetKind.JOB: Job,
    AssetKind.CONSUMER: Consumer,
    AssetKind.OWNER: Owner,
    AssetKind.CONTRACT: Contract,
}
