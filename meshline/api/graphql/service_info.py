"""What the service knows about itself: its sources and their syncs, how much of the mesh they cover, and its version."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry
from strawberry.types import Info

from meshline.api.graphql.asset_types import Domain
from meshline.api.graphql.context import GraphView, RequestContext
from meshline.api.graphql.field_types import AssetKind, describe_field
from meshline.app.tokens import Role
from meshline.graph.model import KINDS, from_micros, get_current_micros, parse_source_kind
from meshline.graph.queries import asset_lists, coverage
from meshline.ingest.sources.sync_status import Status, read_statuses


@strawberry.type(description="Numbers of datasets. Datasets that are only inferred are not counted.")
class Covered:
    datasets: int
    described: int = strawberry.field(description="A source lists their columns.")
    owned: int = strawberry.field(description="They have an owner at some level.")
    with_lineage: int = strawberry.field(description="A job writes them, or data is known to flow into them.")
    with_column_lineage: int = strawberry.field(description="The columns that data flows into are known.")

    @classmethod
    def from_covered(cls, covered: coverage.CoverageCounts) -> Self:
        return cls(**covered._asdict())


@strawberry.type(description="Coverage of the datasets that a source states facts about.")
class SourceCoverage:
    source: str
    covered: Covered


@strawberry.type(description="Coverage of the datasets of a domain; null: of those in no domain.")
class DomainCoverage:
    domain: Domain | None
    covered: Covered


@strawberry.type(description="How much of the mesh is described, owned and has lineage.")
class Coverage:
    total: Covered
    by_source: list[SourceCoverage]
    by_domain: list[DomainCoverage]
    orphans: int = strawberry.field(description="Datasets without an owner at any level.")

    @classmethod
    def from_coverage(cls, view: GraphView, found: coverage.Coverage) -> Self:
        view.request.spend(len(found.by_source) + len(found.by_domain))
        return cls(
            total=Covered.from_covered(found.total),
            by_source=[SourceCoverage(source=part.source, covered=Covered.from_covered(part.covered)) for part in found.by_source],
            by_domain=[
                DomainCoverage(domain=view.find_asset(part.domain, Domain), covered=Covered.from_covered(part.covered))
                for part in found.by_domain
            ],
            orphans=found.total.datasets - found.total.owned,
        )


@strawberry.type(description="The service: version, revision, number of assets, and what the caller may do.")
class About:
    version: str
    revision: int = strawberry.field(description="The revision of the graph, which grows with every change.")
    actor: str | None = strawberry.field(description="The name of the caller's token; null on a server without tokens.")
    actor_name: str | None = strawberry.field(
        description="The name of the caller for people, as the identity provider has it; null if it has none. It gives no rights."
    )
    role: Role = strawberry.field(description="The role of the caller; ADMIN on a server without tokens.")
    restricted: bool = strawberry.field(
        description="Whether the caller may see only some assets (access rules): lists, searches and counts are of those."
    )

    @describe_field("The number of visible assets of each kind.")
    def assets(self, info: Info[RequestContext, None]) -> list[KindCount]:
        index = info.context.now.index
        return [KindCount(kind=kind, count=asset_lists.count_assets(index, kind)) for kind in KINDS]

    @describe_field("Of a store in Neo4j, the newest revision that its graph for people shows as a whole; null of any other store.")
    def projected_revision(self, info: Info[RequestContext, None]) -> int | None:
        projection = info.context.live.store.read_projection()
        return None if projection is None else projection.drawn


@strawberry.type(description="The number of visible assets of a kind.")
class KindCount:
    kind: AssetKind
    count: int


@strawberry.type(description="The rank of a source among the kinds of sources: 1 has the highest precedence; null: after all ranked kinds.")
class SourcePrecedence:
    structure: int | None = strawberry.field(description="For structure: types, nullability, location.")
    people: int | None = strawberry.field(description="For what people maintain: owners, descriptions, tags.")


@strawberry.type(description="The last sync of a source. Counts are numbers of scopes; for files of events, numbers of events.")
class Sync:
    at: datetime
    seconds: float
    read: int
    unchanged: int
    new: int
    changed: int
    retracted: int
    refused: int
    error: str | None = strawberry.field(description="Why the source could not be read to its end.")
    failures: int = strawberry.field(description="The number of failed syncs in a row, including this one.")

    @classmethod
    def from_status(cls, status: Status) -> Sync:
        return cls(
            at=from_micros(status.at),
            seconds=status.seconds,
            read=status.read,
            unchanged=status.unchanged,
            new=status.new,
            changed=status.changed,
            retracted=status.retracted,
            refused=status.refused,
            error=status.error or None,
            failures=status.failures,
        )


@strawberry.type(description="A named producer of statements.")
class Source:
    view: strawberry.Private[GraphView]
    status: strawberry.Private[Status | None]
    name: str = strawberry.field(description="`kind/name`")
    kind: str
    datasets: int = strawberry.field(description="The number of datasets that it states facts about.")

    @describe_field("The number of its active statements.")
    def statements(self) -> int:
        return len(self.view.index.changes.list_statements(self.name))

    @strawberry.field
    def precedence(self) -> SourcePrecedence:
        precedence = self.view.request.live.precedence
        return SourcePrecedence(structure=_find_rank(self.kind, precedence.structure), people=_find_rank(self.kind, precedence.people))

    @describe_field("Null for sources that are not read but send: events, and statements of people.")
    def last_sync(self) -> Sync | None:
        return None if self.status is None else Sync.from_status(self.status)

    @describe_field("Seconds since it was last read to its end.")
    def lag(self) -> float | None:
        if self.status is None or self.status.succeeded is None:
            return None
        return max(get_current_micros() - self.status.succeeded, 0) / 1e6

    @describe_field("The time of its next scheduled sync by a server.")
    def next(self) -> datetime | None:
        return None if self.status is None or self.status.next is None else from_micros(self.status.next)


def list_sources(view: GraphView) -> list[Source]:
    """All sources, by name."""
    known = read_statuses(view.request.live.store)
    datasets = {name: len(mentioned) for name, mentioned in view.index.assets.survey().mentioned}
    names = sorted({*known, *datasets})
    view.request.spend(len(names))
    return [
        Source(view=view, status=known.get(name), name=name, kind=parse_source_kind(name), datasets=datasets.get(name, 0)) for name in names
    ]


def _find_rank(kind: str, order: tuple[str, ...]) -> int | None:
    return order.index(kind) + 1 if kind in order else None
