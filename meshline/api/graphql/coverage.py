"""Coverage, and what the service says of itself."""

from __future__ import annotations

from typing import Self

import strawberry

from meshline.api.graphql.asset_types import Domain
from meshline.api.graphql.context import View
from meshline.api.graphql.enums import AssetKind
from meshline.graph.queries import coverage


@strawberry.type(description="Numbers of datasets. What is only inferred is not counted.")
class Covered:
    datasets: int
    described: int = strawberry.field(description="Some source lists their columns.")
    owned: int = strawberry.field(description="They have an owner at some level.")
    with_lineage: int = strawberry.field(description="A job writes them, or data is known to flow into them.")
    with_column_lineage: int = strawberry.field(description="It is known into which columns.")

    @classmethod
    def of(cls, covered: coverage.Covered) -> Self:
        return cls(**covered._asdict())


@strawberry.type(description="Of the datasets that a source says something about.")
class SourceCoverage:
    source: str
    covered: Covered


@strawberry.type(description="Of the datasets of a domain; null: of those in no domain.")
class DomainCoverage:
    domain: Domain | None
    covered: Covered


@strawberry.type(description="How much of the mesh is known.")
class Coverage:
    total: Covered
    by_source: list[SourceCoverage]
    by_domain: list[DomainCoverage]
    orphans: int = strawberry.field(description="Datasets without an owner at any level.")

    @classmethod
    def of(cls, view: View, found: coverage.Coverage) -> Self:
        view.request.spend(len(found.by_source) + len(found.by_domain))
        return cls(
            total=Covered.of(found.total),
            by_source=[SourceCoverage(source=part.source, covered=Covered.of(part.covered)) for part in found.by_source],
            by_domain=[
                DomainCoverage(domain=view.maybe(part.domain, Domain), covered=Covered.of(part.covered)) for part in found.by_domain
            ],
            orphans=found.total.datasets - found.total.owned,
        )


@strawberry.type(description="What the service says of itself.")
class About:
    version: str
    revision: int = strawberry.field(description="Grows with every change of the graph.")
    assets: list[KindCount]


@strawberry.type(description="How many assets of a kind are shown.")
class KindCount:
    kind: AssetKind
    count: int
