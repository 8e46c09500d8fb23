"""Who uses what, for what, and under which contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from meshline.api.graphql.asset import Asset, statement_id
from meshline.api.graphql.context import View
from meshline.api.graphql.contracts import Contract
from meshline.api.graphql.fields import documented
from meshline.graph.index import Edge
from meshline.graph.model import EdgeType
from meshline.graph.model import contract as contract_key
from meshline.graph.queries.contracts import consumed_version

if TYPE_CHECKING:
    from meshline.api.graphql.kinds import Consumer


def attribute(edge: Edge, name: str) -> str | None:
    value = edge.attributes.get(name)
    return value if isinstance(value, str) else None


def contract(view: View, name: str | None) -> Contract | None:
    return view.maybe(None if name is None else view.index.node(contract_key(name)), Contract)


@strawberry.type(description="A consumer uses an asset.")
class Consumption:
    view: strawberry.Private[View]
    consumer_node: strawberry.Private[int]
    asset_node: strawberry.Private[int]
    purpose: str | None
    contract_name: str | None = strawberry.field(description="The contract that covers it; null: no source names one.")
    version: str | None = strawberry.field(
        description="The version of that contract, or of the one that was asked for its consumers: as stated, else the only one that"
        " governs what is used; null: not known."
    )
    source: str
    statement: strawberry.ID

    @classmethod
    def said(cls, view: View, edge: Edge, contract: int | None = None) -> Self:
        """`contract`: of a use that names none, one that governs what is used."""
        return cls(
            view=view,
            consumer_node=edge.start,
            asset_node=edge.end,
            purpose=attribute(edge, "purpose"),
            contract_name=attribute(edge, "contract"),
            version=consumed_version(view.index, edge, contract),
            source=view.index.scope(edge.scope_id).source,
            statement=statement_id(edge.scope_id),
        )

    @strawberry.field
    def consumer(self) -> Annotated[Consumer, strawberry.lazy("meshline.api.graphql.kinds")]:
        from meshline.api.graphql.kinds import Consumer  # noqa: PLC0415 - the schema's types refer to each other

        return self.view.typed(self.consumer_node, Consumer)

    @documented("The column, dataset or data product that is used.")
    def asset(self) -> Asset:
        return self.view.asset(self.asset_node)

    @documented("The contract that covers it, if the graph knows it; what it shows is its newest version in force, see `version`.")
    def contract(self) -> Contract | None:
        return contract(self.view, self.contract_name)


def consumptions(view: View, *nodes: int, contract: int | None = None) -> list[Consumption]:
    """By whom assets are used, by the names of the consumers. `contract`: one that governs them, of uses that name none."""
    edges = {
        (edge.start, edge.end, edge.scope_id): edge for node in nodes for edge in view.index.edges(node, EdgeType.CONSUMES, incoming=True)
    }
    ordered = sorted(
        edges.values(), key=lambda edge: (view.index.key(edge.start).name, view.index.key(edge.end).qualified_name, edge.scope_id)
    )
    return [Consumption.said(view, edge, contract) for edge in ordered]
