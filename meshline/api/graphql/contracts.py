"""Contracts, their versions, and who consumes assets under them."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import numpy as np
import strawberry

from meshline.api.graphql.asset import Asset, build_statement_id
from meshline.api.graphql.context import GraphView
from meshline.api.graphql.contract_terms import ContractField, ContractRole, ContractServer, Link, QualityRule, ServiceLevel, Terms
from meshline.api.graphql.field_types import describe_field, refer_to_type
from meshline.api.graphql.observed_usage import ObservedReads
from meshline.graph.index import Edge
from meshline.graph.model import AssetKind, EdgeType, build_contract_key, from_micros
from meshline.graph.queries import asset_lists, contract_versions
from meshline.graph.queries.contract_versions import find_consumed_version
from meshline.graph.queries.usage import Use, merge_uses


def _list_consumers(view: GraphView, contract: int) -> list[Consumption]:
    """The consumptions under a contract: those that name it, and those of assets that it governs that name no contract."""
    index = view.index
    name, edges = index.assets.get_label(contract).name, index.ownership.list_all_edges(EdgeType.CONSUMES)
    numbers = [
        number for number in np.unique(edges.attribute_number).tolist() if index.ownership.get_attributes(number).get("contract") == name
    ]
    governed = set(asset_lists.list_linked(index, contract, EdgeType.GOVERNS))
    governed.update(
        column
        for dataset in tuple(governed)
        if index.assets.get_kind(dataset) is AssetKind.DATASET
        for column in index.assets.list_columns(dataset)
    )
    used = np.unique(edges.end[np.isin(edges.attribute_number, numbers) | np.isin(edges.end, sorted(governed))]).tolist()
    found = list_consumptions(view, *used, contract=contract)
    return [one for one in found if one.contract_name == name or (one.contract_name is None and one.asset_node in governed)]


@strawberry.type(description="One version of a contract.")
class ContractVersion:
    view: strawberry.Private[GraphView]
    known: strawberry.Private[contract_versions.Version]
    version: str | None
    status: str | None
    in_force: bool = strawberry.field(description="Whether consumers can rely on it now: it is neither a draft nor retired.")
    standard: str | None = strawberry.field(description="The standard that it is written in, with its version.")
    title: str | None
    description: str | None
    domain_name: str | None
    product_name: str | None
    contact: str | None
    owner_names: list[str] = strawberry.field(description="As the contract names them.")
    consumer_names: list[str] = strawberry.field(description="As the contract names them.")
    tags: list[str]
    source: str
    statement: strawberry.ID
    observed_at: datetime

    @classmethod
    def from_version(cls, view: GraphView, known: contract_versions.Version) -> Self:
        view.request.spend()
        contract = known.contract
        return cls(
            view=view,
            known=known,
            version=contract.version or None,
            status=contract.status or None,
            in_force=contract.is_in_force,
            standard=contract.standard or None,
            title=contract.title or None,
            description=contract.description or None,
            domain_name=contract.domain or None,
            product_name=contract.product or None,
            contact=contract.contact or None,
            owner_names=[party.name for party in contract.owners],
            consumer_names=list(contract.consumers),
            tags=list(contract.tags),
            source=known.source,
            statement=build_statement_id(known.scope_id),
            observed_at=from_micros(known.observed_at),
        )

    @describe_field("Consumptions under this version; also those that name no contract, of assets that only this version governs.")
    def consumers(self) -> list[Consumption]:
        contract = self.view.index.assets.find_by_key(build_contract_key(self.known.contract.id))
        uses = [] if contract is None else _list_consumers(self.view, contract)
        return [one for one in uses if one.version == self.version]

    @describe_field("The fields that it promises, in its order; of one model, or of all.")
    def fields(self, model: str | None = None) -> list[ContractField]:
        models = [one for one in self.known.contract.models if model in (None, one.name)]
        self.view.request.spend(sum(len(one.fields) for one in models))
        return [ContractField.from_field(one.name, field) for one in models for field in one.fields]

    @strawberry.field
    def terms(self) -> Terms:
        return Terms.from_terms(self.known.contract.terms)

    @strawberry.field
    def sla(self) -> list[ServiceLevel]:
        return [ServiceLevel.from_level(level) for level in self.known.contract.sla]

    @strawberry.field
    def quality_rules(self) -> list[QualityRule]:
        self.view.request.spend(len(self.known.contract.quality_rules))
        return [QualityRule.from_rule(rule) for rule in self.known.contract.quality_rules]

    @strawberry.field
    def roles(self) -> list[ContractRole]:
        return [ContractRole.from_role(role) for role in self.known.contract.roles]

    @strawberry.field
    def servers(self) -> list[ContractServer]:
        return [ContractServer.from_server(server) for server in self.known.contract.servers]

    @strawberry.field
    def links(self) -> list[Link]:
        return [Link(name=name, url=url) for name, url in self.known.contract.links.items()]


@strawberry.type(description="A data contract. Its fields show the newest version in force.")
class Contract(Asset):
    @strawberry.field
    async def version(self) -> str | None:
        current = await self._find_current()
        return None if current is None else current.version

    @strawberry.field
    async def status(self) -> str | None:
        current = await self._find_current()
        return None if current is None else current.status

    @strawberry.field
    async def title(self) -> str | None:
        current = await self._find_current()
        return None if current is None else current.title

    @strawberry.field
    async def description(self) -> str | None:
        current = await self._find_current()
        return None if current is None else current.description

    @describe_field("Its newest version in force, else the newest; null if no source describes it.")
    async def current(self) -> ContractVersion | None:
        return await self._find_current()

    @describe_field("All its versions; the one that is shown comes first.")
    async def versions(self) -> list[ContractVersion]:
        return [ContractVersion.from_version(self.view, known) for known in await self._list_versions()]

    @describe_field("The datasets that it governs.", type_=refer_to_type("Dataset", list))
    def governs(self) -> list[Asset]:
        return self.view.list_assets(self._list_governed(), Asset)

    @describe_field("Consumptions under this contract, also unnamed ones of assets that it governs; of one version, or of all.")
    def consumers(self, version: str | None = None) -> list[Consumption]:
        return [one for one in _list_consumers(self.view, self.node) if version in (None, one.version)]

    def _list_governed(self) -> list[int]:
        return list(asset_lists.list_linked(self.view.index, self.node, EdgeType.GOVERNS))

    async def _list_versions(self) -> list[contract_versions.Version]:
        return contract_versions.build_versions(self.name, (await self.view.read_attributes(self.node)).rows)

    async def _find_current(self) -> ContractVersion | None:
        known = await self._list_versions()
        return ContractVersion.from_version(self.view, known[0]) if known else None


def find_text(edge: Edge, name: str) -> str | None:
    value = edge.attributes.get(name)
    return value if isinstance(value, str) else None


def find_contract(view: GraphView, name: str | None) -> Contract | None:
    return view.find_asset(None if name is None else view.index.assets.find_by_key(build_contract_key(name)), Contract)


@strawberry.type(description="The use of an asset by a consumer.")
class Consumption:
    view: strawberry.Private[GraphView]
    consumer_node: strawberry.Private[int]
    asset_node: strawberry.Private[int]
    purpose: str | None
    contract_name: str | None = strawberry.field(description="The contract that covers the use; null: no source names one.")
    version: str | None = strawberry.field(
        description="The version of that contract, or of the contract whose consumers were requested: as stated, else the only version that"
        " governs the asset; null: not known."
    )
    source: str
    statement: strawberry.ID
    reads: ObservedReads | None = strawberry.field(description="What was seen of the use; null: it is only stated.")

    @classmethod
    def from_use(cls, view: GraphView, use: Use, contract: int | None = None) -> Self:
        """`contract`: a contract that governs the asset, for uses that name no contract."""
        edge = use.edge
        return cls(
            view=view,
            consumer_node=edge.start,
            asset_node=edge.end,
            purpose=find_text(edge, "purpose"),
            contract_name=find_text(edge, "contract"),
            version=find_consumed_version(view.index, edge, contract),
            source=view.index.changes.get_scope(edge.scope_id).source,
            statement=build_statement_id(edge.scope_id),
            reads=ObservedReads.from_reads(use.reads),
        )

    @describe_field(None, type_=refer_to_type("Consumer"))
    def consumer(self) -> Asset:
        return self.view.get_asset(self.consumer_node, Asset)

    @describe_field("The column, dataset or data product that is used.")
    def asset(self) -> Asset:
        return self.view.get_asset(self.asset_node, Asset)

    @describe_field("The contract that covers the use, if the graph knows it; it shows its newest version in force, see `version`.")
    def contract(self) -> Contract | None:
        return find_contract(self.view, self.contract_name)


def list_consumptions(view: GraphView, *nodes: int, contract: int | None = None) -> list[Consumption]:
    """The uses of assets, by name of the consumer. `contract`: a contract that governs the assets, for uses that name no contract."""
    edges = {
        (edge.start, edge.end, edge.scope_id): edge
        for node in nodes
        for edge in view.index.ownership.list_edges(node, EdgeType.CONSUMES, incoming=True)
    }
    name = view.index.assets.get_key
    ordered = sorted(
        merge_uses(view.index, edges.values()),
        key=lambda use: (name(use.edge.start).name, name(use.edge.end).qualified_name, use.edge.scope_id),
    )
    return [Consumption.from_use(view, use, contract) for use in ordered]
