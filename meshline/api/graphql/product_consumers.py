"""Who consumes a product: told apart by how."""

from __future__ import annotations

from typing import Self

import numpy as np
import strawberry

from meshline.api.graphql.context import Request, View
from meshline.api.graphql.contracts import Consumption, consumptions
from meshline.api.graphql.enums import Reach
from meshline.api.graphql.fields import documented
from meshline.api.graphql.kinds import Consumer
from meshline.api.graphql.lineage import Completeness, PathStep
from meshline.api.graphql.products import DataProduct
from meshline.errors import InvalidInput
from meshline.graph.index import Edge
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.queries.impact import Impact, impact
from meshline.graph.queries.impact_paths import Via
from meshline.graph.queries.pages import KIND_ORDER


@strawberry.type(description="A consumer of something that is made of the product's data.")
class ReachedConsumer:
    view: strawberry.Private[View]
    paths: strawberry.Private[Via]
    consumer: Consumer
    reach: Reach
    distance: int
    masked: bool

    @documented("A shortest path of its reach.")
    def via(self) -> list[PathStep]:
        steps = self.paths.path(self.consumer.node)
        self.view.request.spend(len(steps))
        return [PathStep.of(self.view, step) for step in steps]

    @documented("All that it uses, and under which contract.")
    def uses(self) -> list[Consumption]:
        edges = self.view.index.edges(self.consumer.node, EdgeType.CONSUMES)
        self.view.request.spend(len(edges))
        return [Consumption.said(self.view, edge) for edge in edges]


@strawberry.type(description="Who consumes a product. Nobody is in `reached` who is in one of the others.")
class ProductConsumers:
    product: DataProduct
    directly: list[Consumption] = strawberry.field(description="Uses the product as a whole.")
    through_ports: list[Consumption] = strawberry.field(description="Uses a dataset of its output ports, or a column of one.")
    inside: list[Consumption] = strawberry.field(description="Uses a dataset of the product that is no output port.")
    reached: list[ReachedConsumer] = strawberry.field(description="Uses only what is made of it, by lineage: the surest and nearest first.")
    completeness: Completeness

    @classmethod
    def of(cls, request: Request, product_id: str) -> Self:
        view = request.now
        index, product = view.index, view.find(product_id)
        if index.kind(product) is not AssetKind.DATA_PRODUCT:
            raise InvalidInput(f"{index.key(product).qualified_name!r} is a {index.kind(product)}, and a product is asked for", "product")
        found = impact(index, [product], limits=request.limits)
        request.stopped(found.completeness.truncated)
        ported = {edge.end for edge in index.edges(product, EdgeType.PORT) if _output(edge)}
        datasets = np.array(index.of_kind(AssetKind.DATASET), np.int32)
        held = set(datasets[index.products(datasets) == product].tolist())
        directly, through, inside = (_uses(view, nodes) for nodes in ({product}, ported, held - ported))
        known = {use.consumer_node for use in (*directly, *through, *inside)}
        return cls(
            product=view.typed(product, DataProduct),
            directly=directly,
            through_ports=through,
            inside=inside,
            reached=_reached(view, found, known),
            completeness=Completeness.counted(found.completeness),
        )


def _reached(view: View, found: Impact, known: set[int]) -> list[ReachedConsumer]:
    rows = np.flatnonzero(found.groups.kind == KIND_ORDER[AssetKind.CONSUMER])
    columns = (column[rows].tolist() for column in found.affected)
    reached = [(reach, distance, view.index.key(node), node, masked) for node, reach, distance, masked in zip(*columns, strict=True)]
    paths = Via(found)
    return [
        ReachedConsumer(view=view, paths=paths, consumer=view.typed(node, Consumer), reach=Reach(reach), distance=distance, masked=masked)
        for reach, distance, _, node, masked in sorted(reached)
        if node not in known
    ]


def _output(edge: Edge) -> bool:
    return str(edge.attributes.get("direction", "output")).lower() == "output"


def _uses(view: View, nodes: set[int]) -> list[Consumption]:
    columns = [column for node in nodes if view.index.kind(node) is AssetKind.DATASET for column in view.index.columns(node)]
    found = consumptions(view, *nodes, *columns)
    view.request.spend(len(found))
    return found
