"""A lineage graph as columns: for pictures of thousands of nodes, of which each would be an object in `LineageGraph`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import strawberry

from meshline.api.graphql.asset_types import Dataset, Domain
from meshline.api.graphql.context import GraphView
from meshline.api.graphql.field_types import AssetKind, LineageInclude, Reach, describe_field
from meshline.api.graphql.lineage import Completeness
from meshline.api.graphql.products import DataProduct
from meshline.graph.queries import compact_lineage, lineage_users


@strawberry.type(description="The edges as columns of equal length, one edge for each pair of nodes. A node is its position in `ids`.")
class CompactEdges:
    start: list[int] = strawberry.field(name="from", description="Where data comes from.")
    end: list[int] = strawberry.field(name="to", description="Where it goes.")
    bits: list[int] = strawberry.field(
        description="The strongest reach of the flows that the edge represents: 0 DIRECT, 1 INDIRECT, 2 POSSIBLE. Added to it: 4 if all of"
        " them mask, 8 if all are stale, 16 if all are provisional; as in `LineageEdge`."
    )
    count: list[int] = strawberry.field(description="The number of flows between columns (or whole datasets) that the edge represents.")
    hidden: list[int] = strawberry.field(description="As `LineageEdge.hidden`. The edges through hidden assets are the last.")


@strawberry.type(description="What jobs or consumers do with nodes, as columns of equal length, one row for each pair.")
class CompactUses:
    user: list[int] = strawberry.field(description="A position in `ids` of `CompactUsers`.")
    node: list[int] = strawberry.field(description="A position in `ids` of `CompactLineage`; for `carries`, one in the columns of `edges`.")

    @classmethod
    def from_table(cls, table: lineage_users.PlaceTable) -> Self:
        return cls(user=list(table.users), node=list(table.places))


@strawberry.type(description="Jobs and consumers as columns of equal length: the jobs by name, then the consumers by name.")
class CompactUsers:
    view: strawberry.Private[GraphView]
    found: strawberry.Private[lineage_users.UserTable]

    @strawberry.field
    def ids(self) -> list[strawberry.ID]:
        return [strawberry.ID(self.view.index.assets.get_key(user).id) for user in self.found.users]

    @strawberry.field
    def kinds(self) -> list[AssetKind]:
        return [self.view.index.assets.get_key(user).kind for user in self.found.users]

    @describe_field("As `Asset.name`.")
    def names(self) -> list[str]:
        return [self.view.index.assets.get_key(user).name for user in self.found.users]

    @describe_field("As `Asset.qualifiedName`.")
    def qualified_names(self) -> list[str]:
        return [self.view.index.assets.get_key(user).qualified_name for user in self.found.users]

    @describe_field("As `LineageJob.reads`.")
    def reads(self) -> CompactUses:
        return CompactUses.from_table(self.found.reads)

    @describe_field("As `LineageJob.writes`.")
    def writes(self) -> CompactUses:
        return CompactUses.from_table(self.found.writes)

    @describe_field("As `LineageConsumer.uses`.")
    def uses(self) -> CompactUses:
        return CompactUses.from_table(self.found.uses)

    @describe_field("The jobs of each edge, as `LineageEdge.jobs`.")
    def carries(self) -> CompactUses:
        return CompactUses.from_table(self.found.carries)


@strawberry.type(
    description="Nodes and edges to draw, as columns: what `lineage` draws with the same arguments, in the same order. The columns of nodes"
    " have equal length. `domain`, `product` and `dataset` are positions in `domains`, `products` and `datasets`; -1 means none."
)
class CompactLineage:
    view: strawberry.Private[GraphView]
    found: strawberry.Private[compact_lineage.CompactLineage]
    include: strawberry.Private[Sequence[LineageInclude]]

    @classmethod
    def from_compact(cls, view: GraphView, found: compact_lineage.CompactLineage, include: Sequence[LineageInclude] = ()) -> Self:
        view.request.spend(found.nodes.size + found.edges.start.size + len(found.passages))
        view.listed += found.keys
        return cls(view=view, found=found, include=include)

    @strawberry.field
    def ids(self) -> list[strawberry.ID]:
        return [strawberry.ID(key.id) for key in self.found.keys]

    @strawberry.field
    def kinds(self) -> list[AssetKind]:
        return [key.kind for key in self.found.keys]

    @describe_field("As `Asset.name`.")
    def names(self) -> list[str]:
        return [key.name for key in self.found.keys]

    @describe_field("As `Asset.qualifiedName`.")
    def qualified_names(self) -> list[str]:
        return [key.qualified_name for key in self.found.keys]

    @strawberry.field
    def reach(self) -> list[Reach]:
        return [node.reach for node in self.found.drawing.nodes]

    @strawberry.field
    def distance(self) -> list[int]:
        return [node.distance for node in self.found.drawing.nodes]

    @strawberry.field
    def masked(self) -> list[bool]:
        return [node.masked for node in self.found.drawing.nodes]

    @describe_field("Whether each node is, or contains, a requested asset.")
    def start(self) -> list[bool]:
        return [node.start for node in self.found.drawing.nodes]

    @strawberry.field
    def domain(self) -> list[int]:
        return self.found.domains.at

    @strawberry.field
    def product(self) -> list[int]:
        return self.found.products.at

    @describe_field("The dataset of each node that is a column.")
    def dataset(self) -> list[int]:
        return self.found.datasets.at

    @strawberry.field
    def domains(self) -> list[Domain]:
        return self.view.list_assets(self.found.domains.assets, Domain)

    @strawberry.field
    def products(self) -> list[DataProduct]:
        return self.view.list_assets(self.found.products.assets, DataProduct)

    @strawberry.field
    def datasets(self) -> list[Dataset]:
        return self.view.list_assets(self.found.datasets.assets, Dataset)

    @strawberry.field
    def edges(self) -> CompactEdges:
        edges, passages = self.found.edges, self.found.passages
        return CompactEdges(
            start=edges.start.tolist() + [one.start for one in passages],
            end=edges.end.tolist() + [one.end for one in passages],
            bits=self.found.edge_bits,
            count=edges.flows.tolist() + [0] * len(passages),
            hidden=[0] * len(edges.start) + [one.hidden for one in passages],
        )

    @describe_field("The jobs and consumers of the drawing, if `include` names them: else empty.")
    def users(self) -> CompactUsers:
        found = lineage_users.build_user_table(self.found.drawing, self.found.edges, self.include)
        self.view.request.spend(sum(len(table.users) for table in (found.reads, found.writes, found.uses, found.carries)))
        return CompactUsers(view=self.view, found=found)

    @describe_field("The number of reached datasets that belong to no product (or domain) and are not drawn.")
    def ungrouped(self) -> int:
        return self.found.drawing.ungrouped

    @strawberry.field
    def completeness(self) -> Completeness:
        drawing = self.found.drawing
        return Completeness.from_traversal(self.view, drawing.found, drawing.completeness, drawing.count_total)
