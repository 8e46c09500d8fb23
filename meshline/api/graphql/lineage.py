"""Lineage graphs, paths, and what changed between two times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Self

import strawberry

from meshline.api.graphql.asset import Asset
from meshline.api.graphql.asset_types import Job
from meshline.api.graphql.context import GraphView
from meshline.api.graphql.field_types import EdgeType, FlowType, Reach, Truncated, describe_field
from meshline.graph.index import Completeness as Counts
from meshline.graph.index.results import KnownLater as Later
from meshline.graph.model import AssetKey, from_micros
from meshline.graph.queries import impact_paths, lineage_diff
from meshline.graph.queries import lineage as lineage_graph


@strawberry.type(description="Relations of a type that no source of a kind stated at `asOf`, and one states now.")
class KnownLater:
    relation: EdgeType = strawberry.field(description="OWNS: owners; CONSUMES: consumers; GOVERNS: contracts; PORT: products.")
    source_kind: str = strawberry.field(description="mesh, contract, openlineage, ...")
    since: datetime = strawberry.field(description="The time of the first such statement.")

    @classmethod
    def list_from(cls, known_later: Iterable[Later]) -> list[Self]:
        return [cls(relation=later.type, source_kind=later.source_kind, since=from_micros(later.since)) for later in known_later]


@strawberry.type(description="What an answer may be lacking. An answer that may be incomplete says so here.")
class Completeness:
    truncated: Truncated = strawberry.field(description="The limit at which the traversal stopped.")
    possible_only: int = strawberry.field(description="Pairs of datasets that were passed without knowing their columns.")
    undescribed: int = strawberry.field(description="Datasets on the way that no source has described.")
    stale_edges: int = strawberry.field(description="Flows that the latest run of their job did not restate.")
    provisional: int = strawberry.field(description="Flows that rest on runs that have not completed.")
    unbound: int = strawberry.field(
        description="Assets asked about that lead to no dataset: a contract that governs none, an owner that owns none, ..."
    )
    silent_on_filters: int = strawberry.field(
        description="Jobs that read (upstream: write) a dataset of the answer and whose producer never states filters, joins or other"
        " indirect influence: INDIRECT influence through them may exist and is not in the answer."
    )
    silent_producers: list[str] = strawberry.field(description="The producers of those jobs, by their `integration`: AIRFLOW, DBT.")
    as_of: datetime | None = strawberry.field(description="The time that was asked for; null: now.")
    known_later: list[KnownLater] = strawberry.field(
        description="What was first stated after `asOf`: this answer cannot know of it. Empty without `asOf`."
    )
    revision: int

    @classmethod
    def from_counts(cls, counts: Counts) -> Self:
        return cls(
            truncated=counts.truncated,
            possible_only=counts.possible_only,
            undescribed=counts.undescribed,
            stale_edges=counts.stale_edges,
            provisional=counts.provisional,
            unbound=counts.unbound,
            silent_on_filters=counts.silent_on_filters,
            silent_producers=list(counts.silent_producers),
            as_of=None if counts.as_of is None else from_micros(counts.as_of),
            known_later=KnownLater.list_from(counts.known_later),
            revision=counts.revision,
        )


@strawberry.type(description="A node to draw.")
class LineageNode:
    asset: Asset
    reach: Reach
    distance: int
    masked: bool
    start: bool = strawberry.field(description="Whether it is (or holds) what was asked about.")


@strawberry.type(description="An edge to draw, in the direction in which data flows.")
class LineageEdge:
    view: strawberry.Private[GraphView]
    job_nodes: strawberry.Private[Sequence[int]]
    start: Asset = strawberry.field(name="from")
    end: Asset = strawberry.field(name="to")
    reach: Reach
    type: FlowType | None = strawberry.field(description="Null between datasets, and where many flows are drawn as one.")
    subtype: str
    masking: bool
    count: int = strawberry.field(description="How many flows between columns (or whole datasets) it stands for.")

    @describe_field("The jobs that it goes through.")
    def jobs(self) -> list[Job]:
        return self.view.list_assets(self.job_nodes, Job)


@strawberry.type(description="Nodes and edges to draw. `limit` bounds the nodes; `completeness` says if it did.")
class LineageGraph:
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    ungrouped: int = strawberry.field(description="Reached datasets in no product (or domain), which are not drawn.")
    completeness: Completeness

    @classmethod
    def from_lineage(cls, view: GraphView, lineage: lineage_graph.Lineage) -> Self:
        view.request.spend(len(lineage.nodes) + len(lineage.edges))
        return cls(
            nodes=[_build_node(view, node) for node in lineage.nodes],
            edges=[_build_edge(view, edge) for edge in lineage.edges],
            ungrouped=lineage.ungrouped,
            completeness=Completeness.from_counts(lineage.completeness),
        )


def _build_node(view: GraphView, node: lineage_graph.LineageNode) -> LineageNode:
    return LineageNode(
        asset=view.get_asset(node.node, Asset), reach=node.reach, distance=node.distance, masked=node.masked, start=node.start
    )


def _build_edge(view: GraphView, edge: lineage_graph.LineageEdge) -> LineageEdge:
    return LineageEdge(
        view=view,
        job_nodes=edge.jobs,
        start=view.get_asset(edge.start, Asset),
        end=view.get_asset(edge.end, Asset),
        reach=edge.reach,
        type=edge.type,
        subtype=edge.subtype,
        masking=edge.masking,
        count=edge.flows,
    )


@strawberry.type(description="An asset on a path, and the edge by which the path came there.")
class PathStep:
    asset: Asset
    edge_type: EdgeType | None = strawberry.field(description="Null at the beginning. HAS_COLUMN: by containment, either way.")
    type: FlowType | None
    subtype: str | None
    masking: bool
    reach: Reach | None = strawberry.field(description="The class of this step alone.")
    job: Job | None
    source: str | None = strawberry.field(description="Who says so.")
    last_observed: datetime | None

    @classmethod
    def from_step(cls, view: GraphView, step: impact_paths.PathStep) -> Self:
        scope = None if step.scope_id is None else view.index.changes.get_scope(step.scope_id)
        flow = step.flow
        return cls(
            asset=view.get_asset(step.node, Asset),
            edge_type=step.edge,
            type=flow.type if flow else None,
            subtype=flow.subtype or None if flow else None,
            masking=flow.masking if flow else False,
            reach=flow.reach if flow else None,
            job=view.find_asset(flow.job, Job) if flow else None,
            source=scope.source if scope else None,
            last_observed=from_micros(scope.last_observed) if scope else None,
        )


@strawberry.type(description="One way by which data gets from one asset to another.")
class Path:
    steps: list[PathStep]

    @classmethod
    def from_steps(cls, view: GraphView, steps: Sequence[impact_paths.PathStep]) -> Self:
        view.request.spend(len(steps))
        return cls(steps=[PathStep.from_step(view, step) for step in steps])


@strawberry.type(description="A flow that is there at one time and not at the other.")
class DiffEdge:
    view: strawberry.Private[GraphView]
    change: strawberry.Private[lineage_diff.Change]

    @describe_field("Null if it has gone meanwhile; `fromName` stays.", name="from")
    def start(self) -> Asset | None:
        return self._find_asset(self.change.edge.start)

    @describe_field("Null if it has gone meanwhile; `toName` stays.", name="to")
    def end(self) -> Asset | None:
        return self._find_asset(self.change.edge.end)

    @strawberry.field
    def from_name(self) -> str:
        return self.change.edge.start.qualified_name

    @strawberry.field
    def to_name(self) -> str:
        return self.change.edge.end.qualified_name

    @strawberry.field
    def type(self) -> FlowType | None:
        return self.change.edge.type

    @strawberry.field
    def subtype(self) -> str | None:
        return self.change.edge.subtype or None

    @strawberry.field
    def masking(self) -> bool:
        return self.change.edge.masking

    @describe_field("The name of the job that it goes through.")
    def job_name(self) -> str | None:
        return self.change.edge.job.qualified_name if self.change.edge.job else None

    @strawberry.field
    def source(self) -> str:
        return self.change.source

    @describe_field("The time of the statement that says so.")
    def observed_at(self) -> datetime:
        return from_micros(self.change.observed_at)

    def _find_asset(self, key: AssetKey) -> Asset | None:
        node = self.view.index.assets.find_by_key(key)
        return None if node is None or not self.view.index.assets.is_visible(node) else self.view.get_asset(node, Asset)


@strawberry.type(description="What changed in the lineage between two times, by names. The totals count what `limit` left out, too.")
class LineageDiff:
    added: list[DiffEdge]
    removed: list[DiffEdge]
    total_added: int
    total_removed: int

    @classmethod
    def from_diff(cls, before: GraphView, after: GraphView, found: lineage_diff.LineageDiff) -> Self:
        after.request.spend(len(found.added) + len(found.removed))
        return cls(
            added=[DiffEdge(view=after, change=change) for change in found.added],
            removed=[DiffEdge(view=before, change=change) for change in found.removed],
            total_added=found.total_added,
            total_removed=found.total_removed,
        )
