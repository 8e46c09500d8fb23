"""Lineage graphs, paths, the differences between two times, and the completeness of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Self

import strawberry

from meshline.api.graphql.asset import Asset, Connection, PageInfo, build_page_info, build_plain_page, build_statement_id, parse_cursor
from meshline.api.graphql.asset_types import Consumer, Domain, Job
from meshline.api.graphql.context import GraphView, RequestContext
from meshline.api.graphql.field_types import Direction, EdgeType, FlowType, Gap, LineageInclude, Reach, Truncated, describe_field
from meshline.api.graphql.runs import Bucket, Run
from meshline.errors import InvalidInput
from meshline.graph.index import Completeness as Counts
from meshline.graph.index import Traversal
from meshline.graph.index.results import HiddenCount
from meshline.graph.index.results import KnownLater as Later
from meshline.graph.model import AssetKey, from_micros, to_micros
from meshline.graph.queries import edge_evidence, gap_items, impact_paths, lineage_changes, lineage_diff, lineage_users, neighbours
from meshline.graph.queries import lineage as lineage_graph
from meshline.graph.queries.edge_evidence import Evidence
from meshline.graph.queries.neighbours import Neighbours


@strawberry.type(description="Relations of a type that no source of a kind stated at `asOf`, but a source states now.")
class KnownLater:
    relation: EdgeType = strawberry.field(description="OWNS: owners; CONSUMES: consumers; GOVERNS: contracts; PORT: products.")
    source_kind: str = strawberry.field(description="mesh, contract, openlineage, ...")
    since: datetime = strawberry.field(description="The time of the first such statement.")

    @classmethod
    def list_from(cls, known_later: Iterable[Later]) -> list[Self]:
        return [cls(relation=later.type, source_kind=later.source_kind, since=from_micros(later.since)) for later in known_later]


def _count_nothing() -> None:
    """The total of an answer that is no drawing."""


@strawberry.type(description="Assets of an answer that the caller may not see.")
class HiddenAssets:
    domain: Domain | None = strawberry.field(
        description="Their domain, if the caller may see that; null: of all other domains, and of none."
    )
    count: int


@strawberry.type(description="The gaps that an answer may have: an incomplete answer is marked here.")
class Completeness:
    truncated: Truncated = strawberry.field(description="The limit at which the traversal stopped.")
    possible_only: int = strawberry.field(description="Pairs of datasets on the paths between which no column lineage is known.")
    undescribed: int = strawberry.field(description="Datasets on the paths whose columns no source lists.")
    stale_edges: int = strawberry.field(description="Flows that the latest run of their job did not confirm.")
    provisional: int = strawberry.field(description="Flows from runs that have not completed.")
    unbound: int = strawberry.field(
        description="Requested assets that lead to no dataset: a contract that governs none, an owner that owns none, ..."
    )
    silent_on_filters: int = strawberry.field(
        description="Jobs that read (upstream: write) a dataset of the answer and whose producer never states filters, joins or other"
        " indirect influence: INDIRECT influence through them may exist and is not in the answer."
    )
    silent_producers: list[str] = strawberry.field(description="The producers of those jobs, by their `integration`: AIRFLOW, DBT.")
    as_of: datetime | None = strawberry.field(description="The requested time; null: now.")
    known_later: list[KnownLater] = strawberry.field(
        description="Relations that were first stated after `asOf`, which this answer cannot contain. Empty without `asOf`."
    )
    revision: int
    hidden_counts: strawberry.Private[Sequence[HiddenCount]] = ()
    view: strawberry.Private[GraphView | None] = None
    traversal: strawberry.Private[Traversal | None] = None
    count_total: strawberry.Private[Callable[[], int | None]] = _count_nothing

    @classmethod
    def from_traversal(
        cls, view: GraphView, found: Traversal, counts: Counts | None = None, count_total: Callable[[], int | None] = _count_nothing
    ) -> Self:
        """`counts`: those of the answer, if they differ from those of the traversal."""
        made = cls.from_counts(counts or found.completeness, count_total)
        made.view, made.traversal = view, found
        return made

    @describe_field(
        "What is behind a number, as many as it counts: the nearest first, then by name. Not for `blastRadius`, whose numbers are the worst"
        " of several answers: ask for the impact of its assets."
    )
    def items(self, gap: Gap, first: int = 25, after: str | None = None) -> GapItems:
        if self.view is None or self.traversal is None:
            raise InvalidInput("the gaps of this answer are those of several: ask for the impact of its assets", "items")
        request = self.view.request
        size = request.check_page_size(first)
        start = parse_cursor(after, gap_items.KEY_NUMBERS)
        found = gap_items.list_gap_items(self.view.index, self.traversal, gap, size, request.limits, start)
        request.spend(len(found.flows))
        return GapItems(
            total_count=found.total,
            page_info=build_page_info([(key, "") for key in found.keys], has_next=found.has_next, has_previous=after is not None),
            assets=self.view.list_assets(found.assets, Asset),
            flows=[GapFlow.from_gap(self.view, one) for one in found.flows],
        )

    @describe_field(
        "How many assets of the answer the caller may not see (access rules), by domain. They are not named, and are counted nowhere else."
    )
    def hidden(self) -> list[HiddenAssets]:
        view = self.view
        return [
            HiddenAssets(domain=None if view is None else view.find_asset(one.domain, Domain), count=one.assets)
            for one in self.hidden_counts
        ]

    @describe_field(
        "For a drawing (`lineage`, `compactLineage`): the number of nodes that it would have without its `limit`. Null if a limit of the"
        " traversal (`truncated: NODES` or `TIME`) leaves it unknown, and in other answers."
    )
    def total(self) -> int | None:
        return self.count_total()

    @classmethod
    def from_counts(cls, counts: Counts, count_total: Callable[[], int | None] = _count_nothing) -> Self:
        return cls(
            count_total=count_total,
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
            hidden_counts=counts.hidden,
        )


@strawberry.type(description="A flow, or a pair of datasets, that makes an answer less certain.")
class GapFlow:
    view: strawberry.Private[GraphView]
    job_nodes: strawberry.Private[Sequence[int]]
    start: Asset = strawberry.field(name="from")
    end: Asset = strawberry.field(name="to")
    type: FlowType | None = strawberry.field(description="Null between datasets.")
    subtype: str
    source: str | None = strawberry.field(description="Null for a pair, which several may state.")
    statement: strawberry.ID | None = strawberry.field(description="The statement that contains the flow; null for a pair.")
    last_observed: datetime | None = strawberry.field(description="When that statement was last made; null for a pair.")

    @classmethod
    def from_gap(cls, view: GraphView, found: gap_items.GapFlow) -> Self:
        scope = None if found.scope_id is None else view.index.changes.get_scope(found.scope_id)
        return cls(
            view=view,
            job_nodes=() if found.job is None else (found.job,),
            start=view.get_asset(found.start, Asset),
            end=view.get_asset(found.end, Asset),
            type=found.type,
            subtype=found.subtype,
            source=None if scope is None else scope.source,
            statement=None if scope is None else build_statement_id(scope.scope_id),
            last_observed=None if scope is None else from_micros(scope.last_observed),
        )

    @describe_field("The job of the flow; null for a pair, and if the statement names none.")
    def job(self) -> Job | None:
        return next(iter(self.view.list_assets(self.job_nodes, Job)), None)


@strawberry.type(description="What a number of `completeness` counts.")
class GapItems:
    total_count: int = strawberry.field(description="On all pages.")
    page_info: PageInfo
    assets: list[Asset] = strawberry.field(
        description="For UNDESCRIBED datasets, for UNBOUND assets, for SILENT_ON_FILTERS jobs; else empty."
    )
    flows: list[GapFlow] = strawberry.field(description="For POSSIBLE_ONLY pairs of datasets, for STALE and PROVISIONAL flows; else empty.")


@strawberry.type(
    description="The number of nodes one hop away in one direction: those that a lineage of the node alone reaches with depth 1."
)
class HopCount:
    direct: int = strawberry.field(description="The nodes to which flows lead directly that pass `reach` and `seenSince`.")
    shown: int = strawberry.field(description="How many of these this answer shows.")
    stale: int = strawberry.field(description="To how many of these only flows lead that the latest run of their job did not confirm.")
    hidden: int = strawberry.field(description="Further nodes, to which only flows lead that `reach` or `seenSince` leaves out.")
    ungrouped: int = strawberry.field(description="Further datasets one hop away that belong to no product (or domain).")

    @classmethod
    def from_count(cls, view: GraphView, counted: neighbours.HopCount) -> Self:
        view.request.spend()
        return cls(**counted._asdict())


@strawberry.type(description="A node to draw.")
class LineageNode:
    view: strawberry.Private[GraphView]
    node: strawberry.Private[int]
    hops: strawberry.Private[Neighbours]
    asset: Asset
    reach: Reach
    distance: int
    masked: bool
    start: bool = strawberry.field(description="Whether it is, or contains, a requested asset.")

    @describe_field("The nodes one hop upstream, whatever the direction of the answer.")
    def upstream(self) -> HopCount:
        return HopCount.from_count(self.view, self.hops.get_count(self.node, Direction.UPSTREAM))

    @describe_field("The nodes one hop downstream, whatever the direction of the answer.")
    def downstream(self) -> HopCount:
        return HopCount.from_count(self.view, self.hops.get_count(self.node, Direction.DOWNSTREAM))


@strawberry.type(description="An edge to draw, in the direction in which data flows.")
class LineageEdge:
    view: strawberry.Private[GraphView]
    job_nodes: strawberry.Private[Sequence[int]]
    start: Asset = strawberry.field(name="from")
    end: Asset = strawberry.field(name="to")
    reach: Reach
    type: FlowType | None = strawberry.field(description="Null between datasets, and for an edge that represents several flows.")
    subtype: str
    masking: bool
    count: int = strawberry.field(description="The number of flows between columns (or whole datasets) that it represents.")
    hidden: int = strawberry.field(
        description="Not 0: no flow of which the caller may see both ends connects the two, but data flows through assets that he may not"
        " see (access rules): at least so many, and on a way of this reach."
    )
    known: strawberry.Private[Evidence]
    position: strawberry.Private[int]

    @describe_field("The jobs of these flows.")
    def jobs(self) -> list[Job]:
        return self.view.list_assets(self.job_nodes, Job)

    @describe_field("Whether the latest run of their job confirmed none of these flows.")
    def stale(self) -> bool:
        return self.known.stale[self.position]

    @describe_field("Whether all these flows are from runs that have not completed.")
    def provisional(self) -> bool:
        return self.known.provisional[self.position]

    @describe_field("The statements that contain these flows: what is confirmed and complete first, then the newest.")
    def evidence(self, first: int = 5) -> list[EdgeEvidence]:
        size = self.view.request.check_page_size(first)
        return [EdgeEvidence.from_evidence(self.view, found) for found in self.known.list_evidence(self.position)[:size]]

    @describe_field("The number of statements in `evidence`, without its limit.")
    def evidence_total(self) -> int:
        self.view.request.spend(0)
        return len(self.known.list_evidence(self.position))


@strawberry.type(description="A statement that contains flows of an edge, and the job by which it explains them.")
class EdgeEvidence:
    view: strawberry.Private[GraphView]
    job_node: strawberry.Private[int | None]
    scope_id: strawberry.Private[int]
    source: str
    statement: strawberry.ID
    first_seen: datetime = strawberry.field(description="Since when the statement has its current content.")
    last_observed: datetime = strawberry.field(description="When that was last stated.")
    provisional: bool = strawberry.field(description="Whether it is of a run that has not completed.")
    stale: bool = strawberry.field(description="Whether the latest run of the job did not confirm it.")

    @classmethod
    def from_evidence(cls, view: GraphView, found: edge_evidence.EdgeEvidence) -> Self:
        view.request.spend()
        return cls(
            view=view,
            job_node=found.job,
            scope_id=found.scope_id,
            source=found.source,
            statement=build_statement_id(found.scope_id),
            first_seen=from_micros(found.first_seen),
            last_observed=from_micros(found.last_observed),
            provisional=found.provisional,
            stale=found.stale,
        )

    @describe_field("The job of the flows; null if the statement names none.")
    def job(self) -> Job | None:
        return self.view.find_asset(self.job_node, Job)

    @describe_field("The run that stated it last; null if no run did, or if its record is not kept.")
    async def run(self) -> Run | None:
        found = await self.view.read_stating_run(self.scope_id)
        return None if found is None or not self.view.index.may_name(found.key.job) else Run.from_state(self.view, found)


@strawberry.type(description="A job as a node: it carries flows between drawn nodes, or reads one and states no output.")
class LineageJob:
    job: Job
    reads: list[strawberry.ID] = strawberry.field(description="The ids of the drawn nodes from which its flows begin, or that it reads.")
    writes: list[strawberry.ID] = strawberry.field(description="The ids of the drawn nodes at which its flows end.")


@strawberry.type(description="A consumer as a node.")
class LineageConsumer:
    consumer: Consumer
    uses: list[strawberry.ID] = strawberry.field(description="The ids of the drawn nodes that are, contain or belong to what it uses.")


@strawberry.type(description="Nodes and edges to draw. `limit` bounds the number of nodes; see `completeness.truncated`.")
class LineageGraph:
    drawing: strawberry.Private[lineage_graph.Drawing]
    view: strawberry.Private[GraphView]
    include: strawberry.Private[Sequence[LineageInclude]]
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    ungrouped: int = strawberry.field(description="The number of reached datasets that belong to no product (or domain) and are not drawn.")
    completeness: Completeness

    @describe_field("The jobs of the drawing as nodes, by name, if `include` names them: else empty.")
    def jobs(self) -> list[LineageJob]:
        if LineageInclude.JOB not in self.include:
            return []
        found = lineage_users.list_job_nodes(self.drawing)
        self.view.request.spend(sum(len(node.reads) + len(node.writes) for node in found))
        return [
            LineageJob(job=self.view.get_asset(node.job, Job), reads=self._list_ids(node.reads), writes=self._list_ids(node.writes))
            for node in found
        ]

    @describe_field("The consumers of what is drawn as nodes, by name, if `include` names them: else empty.")
    def consumers(self) -> list[LineageConsumer]:
        if LineageInclude.CONSUMER not in self.include:
            return []
        found = lineage_users.list_consumer_nodes(self.drawing)
        self.view.request.spend(sum(len(node.uses) for node in found))
        return [LineageConsumer(consumer=self.view.get_asset(node.consumer, Consumer), uses=self._list_ids(node.uses)) for node in found]

    def _list_ids(self, nodes: Iterable[int]) -> list[strawberry.ID]:
        return [self.view.get_asset(node, Asset).id for node in nodes]

    @classmethod
    def from_lineage(cls, view: GraphView, lineage: lineage_graph.Lineage, include: Sequence[LineageInclude] = ()) -> Self:
        view.request.spend(len(lineage.nodes) + len(lineage.edges))
        known, hops = Evidence(lineage), Neighbours(lineage.drawing)
        return cls(
            drawing=lineage.drawing,
            view=view,
            include=include,
            nodes=[_build_node(view, node, hops) for node in lineage.nodes],
            edges=[_build_edge(view, edge, known, position) for position, edge in enumerate(lineage.edges)],
            ungrouped=lineage.ungrouped,
            completeness=Completeness.from_traversal(view, lineage.drawing.found, lineage.completeness, lineage.drawing.count_total),
        )


def _build_node(view: GraphView, node: lineage_graph.LineageNode, hops: Neighbours) -> LineageNode:
    return LineageNode(
        view=view,
        node=node.node,
        hops=hops,
        asset=view.get_asset(node.node, Asset),
        reach=node.reach,
        distance=node.distance,
        masked=node.masked,
        start=node.start,
    )


def _build_edge(view: GraphView, edge: lineage_graph.LineageEdge, known: Evidence, position: int) -> LineageEdge:
    return LineageEdge(
        view=view,
        known=known,
        position=position,
        job_nodes=edge.jobs,
        start=view.get_asset(edge.start, Asset),
        end=view.get_asset(edge.end, Asset),
        reach=edge.reach,
        type=edge.type,
        subtype=edge.subtype,
        masking=edge.masking,
        count=edge.flows,
        hidden=edge.hidden,
    )


@strawberry.type(description="An asset on a path, and the edge by which the path reaches it.")
class PathStep:
    asset: Asset
    edge_type: EdgeType | None = strawberry.field(description="Null at the beginning. HAS_COLUMN: from a dataset to its column, or back.")
    type: FlowType | None
    subtype: str | None
    masking: bool
    reach: Reach | None = strawberry.field(description="The reach of this step alone.")
    job: Job | None
    source: str | None = strawberry.field(description="The source of the edge.")
    last_observed: datetime | None
    hidden: int = strawberry.field(
        description="The number of assets through which this step leads, and which the caller may not see (access rules)."
    )

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
            hidden=flow.hidden if flow else 0,
        )


@strawberry.type(description="One path by which data flows from one asset to another.")
class Path:
    steps: list[PathStep]

    @classmethod
    def from_steps(cls, view: GraphView, steps: Sequence[impact_paths.PathStep]) -> Self:
        view.request.spend(len(steps))
        return cls(steps=[PathStep.from_step(view, step) for step in steps])


@strawberry.type(description="A flow that exists at only one of the two times.")
class DiffEdge:
    view: strawberry.Private[GraphView]
    change: strawberry.Private[lineage_diff.Change]

    @describe_field("Null if the asset does not exist any more; `fromName` is still given.", name="from")
    def start(self) -> Asset | None:
        return self._find_asset(self.change.edge.start)

    @describe_field("Null if the asset does not exist any more; `toName` is still given.", name="to")
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

    @describe_field("The name of the job of the flow.")
    def job_name(self) -> str | None:
        return self.change.edge.job.qualified_name if self.change.edge.job else None

    @strawberry.field
    def source(self) -> str:
        return self.change.source

    @describe_field("The time of the statement that contains it.")
    def observed_at(self) -> datetime:
        return from_micros(self.change.observed_at)

    def _find_asset(self, key: AssetKey) -> Asset | None:
        node = self.view.index.assets.find_by_key(key)
        return None if node is None or not self.view.index.assets.is_visible(node) else self.view.get_asset(node, Asset)


@strawberry.type(description="The differences in lineage between two times, by names. The totals include flows beyond `limit`.")
class LineageDiff:
    before: strawberry.Private[GraphView]
    after: strawberry.Private[GraphView]
    found: strawberry.Private[lineage_diff.LineageDiff]
    limit: strawberry.Private[int]
    total_added: int
    total_removed: int

    @describe_field("The first flows that only the second time has, up to `limit`.")
    def added(self) -> list[DiffEdge]:
        return self._list_first(self.found.added, self.after)

    @describe_field("The first flows that only the first time has, up to `limit`.")
    def removed(self) -> list[DiffEdge]:
        return self._list_first(self.found.removed, self.before)

    @describe_field("All flows that only the second time has, by name, whatever `limit` is.")
    def added_flows(self, first: int | None = None, after: str | None = None) -> Connection[DiffEdge]:
        return self._build_page(self.found.added, self.after, first, after)

    @describe_field("All flows that only the first time has, by name, whatever `limit` is.")
    def removed_flows(self, first: int | None = None, after: str | None = None) -> Connection[DiffEdge]:
        return self._build_page(self.found.removed, self.before, first, after)

    @classmethod
    def from_diff(cls, before: GraphView, after: GraphView, found: lineage_diff.LineageDiff, limit: int) -> Self:
        """`found`: without a limit."""
        return cls(before=before, after=after, found=found, limit=limit, total_added=found.total_added, total_removed=found.total_removed)

    def _list_first(self, changes: Sequence[lineage_diff.Change], view: GraphView) -> list[DiffEdge]:
        view.request.spend(len(changes[: self.limit]))
        return [DiffEdge(view=view, change=change) for change in changes[: self.limit]]

    def _build_page(
        self, changes: Sequence[lineage_diff.Change], view: GraphView, first: int | None, after: str | None
    ) -> Connection[DiffEdge]:
        entries = [(lineage_diff.build_change_key(change), change) for change in changes]
        return build_plain_page(view, entries, lambda change: DiffEdge(view=view, change=change), first, after)


@strawberry.type(description="How many flows were added and removed in a span: `lineageDiff` from `at` to `until` lists them.")
class ChangeCount:
    at: datetime = strawberry.field(description="The beginning of the span; what changed at this moment is in the span before.")
    until: datetime = strawberry.field(description="The end of the span.")
    added: int = strawberry.field(description="Flows that exist at its end and not at its beginning.")
    removed: int = strawberry.field(description="Flows that exist at its beginning and not at its end.")
    moved: int = strawberry.field(
        description="Datasets that were renamed or dropped, themselves or a column. The flows around them are not counted for that."
    )
    moments: strawberry.Private[Sequence[int]]

    @describe_field("The first moments in the span at which any of this changed, also by flows that came and went within it.")
    def times(self, first: int = 10) -> list[datetime]:
        return [from_micros(at) for at in self.moments[: max(first, 0)]]


def count_changes(context: RequestContext, start: datetime, end: datetime, of: Sequence[str], bucket: Bucket) -> list[ChangeCount]:
    """The counts of each span from `start`, also of spans without changes."""
    length = bucket.value // timedelta(microseconds=1)
    since, until = to_micros(start), to_micros(end)
    found = lineage_changes.count_changes(context.live, since, until, length, of=of, limits=context.limits)
    context.spend(len(found))
    return [
        ChangeCount(
            at=from_micros(one.at), until=from_micros(one.until), added=one.added, removed=one.removed, moved=one.moved, moments=one.times
        )
        for one in found
    ]
