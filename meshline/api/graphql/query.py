"""The queries of the schema. Each calls one function of `meshline.graph.queries`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Annotated

import strawberry
from strawberry.types import Info

from meshline import __version__
from meshline.api.graphql import access_queue, runs
from meshline.api.graphql.access_queue import AccessRequest
from meshline.api.graphql.asset import (
    Asset,
    Connection,
    NamespaceCount,
    TagCount,
    build_connection,
    list_assets,
    list_namespaces,
    list_owned,
    list_tags,
    parse_cursor,
)
from meshline.api.graphql.asset_types import Consumer, Dataset, Domain, Job, Owner, list_jobs
from meshline.api.graphql.blast_radius import BlastRadius, BrokenPolicy, ChangeInput, compute_blast_radius
from meshline.api.graphql.compact_graph import CompactLineage
from meshline.api.graphql.compliance import AuditEntry, Policy, list_audit_entries, list_policies, list_violations
from meshline.api.graphql.context import MATCHES, GraphView, RequestContext
from meshline.api.graphql.contracts import Contract
from meshline.api.graphql.deny_list import Denial, list_denials
from meshline.api.graphql.field_types import (
    AssetKind,
    AuditAction,
    CheckMode,
    CheckOutcome,
    CheckProfile,
    Direction,
    Granularity,
    LineageInclude,
    ListOrder,
    Reach,
    RequestState,
    Severity,
    Standing,
    describe_field,
)
from meshline.api.graphql.identity import IdentityConflict, list_conflicts
from meshline.api.graphql.impact import Impact
from meshline.api.graphql.lineage import ChangeCount, KnownLater, LineageDiff, LineageGraph, Path, count_changes
from meshline.api.graphql.naming_rules import NamingProposal, NamingRule, list_proposals, list_rules
from meshline.api.graphql.product_impact import ProductConsumers, ProductImpact, compute_product_impact
from meshline.api.graphql.products import DataProduct, list_products
from meshline.api.graphql.quality import QualityCheck, list_failures
from meshline.api.graphql.runs import Run
from meshline.api.graphql.search_results import SearchConnection
from meshline.api.graphql.service_info import About, Coverage, Source, list_sources
from meshline.errors import InvalidInput
from meshline.graph.model import to_micros
from meshline.graph.quality import OPEN
from meshline.graph.queries import (
    asset_lists,
    compact_lineage,
    coverage,
    impact,
    impact_paths,
    lineage,
    lineage_diff,
    owned_assets,
    resolve,
    search,
)
from meshline.ingest.openlineage.run_state import RunEnd

Context = Info[RequestContext, None]


@strawberry.input(description="All given conditions must be met.")
class AssetFilter:
    text: str | None = strawberry.field(default=None, description="Part of the qualified name; the case does not matter.")
    namespace: str | None = None
    domain: strawberry.ID | None = strawberry.field(default=None, description="In this domain or one below it.")
    product: strawberry.ID | None = None
    owner: strawberry.ID | None = strawberry.field(default=None, description="It owns the asset at some level.")
    described: bool | None = strawberry.field(default=None, description="For datasets: whether a source lists their columns.")

    def to_filter(self, view: GraphView) -> asset_lists.Filter:
        def find(asset_id: str | None) -> int | None:
            return None if asset_id is None else view.get_node(asset_id)

        return asset_lists.Filter(self.text, self.namespace, find(self.domain), find(self.product), find(self.owner), self.described)


Wanted = Annotated[AssetFilter | None, strawberry.argument(name="filter")]


def _build_filter(view: GraphView, wanted: AssetFilter | None) -> asset_lists.Filter:
    return asset_lists.EVERYTHING if wanted is None else wanted.to_filter(view)


def _get_view(info: Context, as_of: datetime | None) -> GraphView:
    return info.context.get_view(None if as_of is None else to_micros(as_of))


def _check_depth(depth: int | None) -> int | None:
    if depth is not None and depth < 0:
        raise InvalidInput("a depth cannot be less than 0", "depth")
    return depth


def _to_micros(time: datetime | None) -> int | None:
    return None if time is None else to_micros(time)


@strawberry.type
class Query:
    @describe_field("An asset by its id, or by the id of any of its names; null if there is none.")
    def node(self, info: Context, id: strawberry.ID, as_of: datetime | None = None) -> Asset | None:
        return _find_asset(_get_view(info, as_of), id)

    @describe_field(
        "Relations that were first stated after a time: no answer as of that time (`asOf`) can contain them. The same as"
        " `completeness.knownLater`; empty without a time."
    )
    def known_later(self, info: Context, as_of: datetime | None = None) -> list[KnownLater]:
        return KnownLater.list_from(_get_view(info, as_of).index.known_later)

    @describe_field("Assets by their ids, in the same order; null for an unknown id.")
    def nodes(self, info: Context, ids: list[strawberry.ID], as_of: datetime | None = None) -> list[Asset | None]:
        info.context.check_page_size(len(ids))
        view = _get_view(info, as_of)
        return [_find_asset(view, asset_id) for asset_id in ids]

    @describe_field("A dataset by any of its names; null if there is none.")
    def dataset(self, info: Context, namespace: str, name: str, as_of: datetime | None = None) -> Dataset | None:
        view = _get_view(info, as_of)
        return view.find_asset(resolve.find_dataset(view.index, info.context.naming, namespace, name), Dataset)

    @describe_field(
        "The one asset that a text refers to: an id, `namespace/name`, any alias, `dataset.column`, a unique suffix of one,"
        " or `kind:name`. Fails with NOT_FOUND, or AMBIGUOUS with `candidates`."
    )
    def resolve(self, info: Context, name: str, as_of: datetime | None = None) -> Asset:
        view = _get_view(info, as_of)
        live, naming = info.context.live, info.context.naming
        node = resolve.find_as_of(live, view.index, lambda index: resolve.resolve_name(index, live.store, naming, name))
        return view.get_asset(node, Asset)

    @describe_field(
        "The assets that cover enough of a text, the best first: exact names, then last parts and beginnings of names, then names with all"
        " words, then the rest by how much of the text their names mean, also by abbreviations and acronyms, or their titles, descriptions"
        " and tags. `why` of an edge names the reasons. Words in double quotes must be there. With `asOf`, all of these are of that time;"
        " but titles, descriptions and tags that were replaced since are not found by their words."
    )
    def search(
        self,
        info: Context,
        text: str,
        kinds: list[AssetKind] | None = None,
        domain: strawberry.ID | None = None,
        owner: strawberry.ID | None = None,
        tag: str | None = None,
        first: int = 25,
        after: str | None = None,
        as_of: datetime | None = None,
    ) -> SearchConnection:
        info.context.prepare_question(text)
        view = _get_view(info, as_of)
        found = search.search_assets(
            info.context.live,
            view.index,
            text,
            search.Scope(
                tuple(kinds or ()),
                None if domain is None else view.get_node(domain),
                None if owner is None else view.get_node(owner),
                tag,
            ),
            first=info.context.check_page_size(first),
            after=parse_cursor(after, 2),
        )
        if found.truncated:
            info.context.record_truncation(MATCHES)
        return SearchConnection.from_found(info.context.live, view, text, found, after=after)

    @describe_field(
        "Assets that a text that is being typed may mean, the best first, by any of their names: quick enough to be asked at each key."
        " Exact names first, then last parts, then beginnings, then names with words that begin so; shorter names before longer ones."
        " Titles, descriptions and tags are not examined, and nothing is counted: see `search`."
    )
    def suggest(self, info: Context, text: str, first: int = 10) -> list[Asset]:
        view = info.context.now
        nodes = search.suggest_assets(view.index, text, info.context.check_page_size(first), info.context.limits)
        return view.list_assets(nodes, Asset)

    @strawberry.field
    def domains(
        self,
        info: Context,
        wanted: Wanted = None,
        first: int | None = None,
        after: str | None = None,
        order_by: ListOrder = ListOrder.NAME,
        as_of: datetime | None = None,
    ) -> Connection[Domain]:
        view = _get_view(info, as_of)
        return list_assets(view, AssetKind.DOMAIN, Domain, _build_filter(view, wanted), first, after, order_by)

    @strawberry.field
    def products(
        self,
        info: Context,
        wanted: Wanted = None,
        first: int | None = None,
        after: str | None = None,
        order_by: ListOrder = ListOrder.NAME,
        as_of: datetime | None = None,
        health: Annotated[list[Standing] | None, strawberry.argument(description="Only products that stand so.")] = None,
    ) -> Connection[DataProduct]:
        view = _get_view(info, as_of)
        if health is not None or order_by is ListOrder.HEALTH:
            return list_products(view, _build_filter(view, wanted), health, first, after, order_by)
        return list_assets(view, AssetKind.DATA_PRODUCT, DataProduct, _build_filter(view, wanted), first, after, order_by)

    @describe_field("Datasets that are only inferred are left out.")
    def datasets(
        self,
        info: Context,
        wanted: Wanted = None,
        first: int | None = None,
        after: str | None = None,
        order_by: ListOrder = ListOrder.NAME,
        as_of: datetime | None = None,
    ) -> Connection[Dataset]:
        view = _get_view(info, as_of)
        return list_assets(view, AssetKind.DATASET, Dataset, _build_filter(view, wanted), first, after, order_by)

    @strawberry.field
    def jobs(
        self,
        info: Context,
        wanted: Wanted = None,
        first: int | None = None,
        after: str | None = None,
        order_by: ListOrder = ListOrder.NAME,
        as_of: datetime | None = None,
        last_run: Annotated[
            list[RunEnd] | None, strawberry.argument(description="Only jobs whose newest run is in one of these states; not with `asOf`.")
        ] = None,
    ) -> Connection[Job]:
        view = _get_view(info, as_of)
        if last_run is not None:
            return list_jobs(view, _build_filter(view, wanted), last_run, first, after, order_by)
        return list_assets(view, AssetKind.JOB, Job, _build_filter(view, wanted), first, after, order_by)

    @strawberry.field
    def consumers(
        self,
        info: Context,
        wanted: Wanted = None,
        first: int | None = None,
        after: str | None = None,
        order_by: ListOrder = ListOrder.NAME,
        as_of: datetime | None = None,
    ) -> Connection[Consumer]:
        view = _get_view(info, as_of)
        return list_assets(view, AssetKind.CONSUMER, Consumer, _build_filter(view, wanted), first, after, order_by)

    @strawberry.field
    def contracts(
        self,
        info: Context,
        wanted: Wanted = None,
        first: int | None = None,
        after: str | None = None,
        order_by: ListOrder = ListOrder.NAME,
        as_of: datetime | None = None,
    ) -> Connection[Contract]:
        view = _get_view(info, as_of)
        return list_assets(view, AssetKind.CONTRACT, Contract, _build_filter(view, wanted), first, after, order_by)

    @strawberry.field
    def owners(
        self,
        info: Context,
        wanted: Wanted = None,
        first: int | None = None,
        after: str | None = None,
        order_by: ListOrder = ListOrder.NAME,
        as_of: datetime | None = None,
    ) -> Connection[Owner]:
        view = _get_view(info, as_of)
        return list_assets(view, AssetKind.OWNER, Owner, _build_filter(view, wanted), first, after, order_by)

    @describe_field("All tags of assets, by key and value.")
    def tags(
        self, info: Context, first: int | None = None, after: str | None = None, as_of: datetime | None = None
    ) -> Connection[TagCount]:
        return list_tags(_get_view(info, as_of), first, after)

    @describe_field("All namespaces of datasets and jobs, by name.")
    def namespaces(
        self, info: Context, first: int | None = None, after: str | None = None, as_of: datetime | None = None
    ) -> Connection[NamespaceCount]:
        return list_namespaces(_get_view(info, as_of), first, after)

    @describe_field("Nodes and edges to draw.")
    def lineage(
        self,
        info: Context,
        of: list[strawberry.ID],
        direction: Direction = Direction.DOWNSTREAM,
        depth: int | None = None,
        granularity: Granularity = Granularity.COLUMN,
        reach: Reach = Reach.POSSIBLE,
        limit: int = 500,
        seen_since: Annotated[datetime | None, strawberry.argument(description="Only flows stated at or after this time.")] = None,
        as_of: datetime | None = None,
        include: Annotated[
            list[LineageInclude] | None, strawberry.argument(description="What to show as nodes too, in `jobs` and `consumers`.")
        ] = None,
    ) -> LineageGraph:
        view = _get_view(info, as_of)
        found = lineage.build_lineage(
            view.index,
            view.list_starts(of, direction),
            direction,
            granularity=granularity,
            reach=reach,
            depth=_check_depth(depth),
            limit=info.context.check_page_size(limit),
            seen_since=_to_micros(seen_since),
            limits=info.context.limits,
        )
        info.context.record_truncation(found.completeness.truncated)
        return LineageGraph.from_lineage(view, found, include or ())

    @describe_field("The nodes and edges of `lineage` as columns, up to 10,000 nodes.")
    def compact_lineage(
        self,
        info: Context,
        of: list[strawberry.ID],
        direction: Direction = Direction.DOWNSTREAM,
        depth: int | None = None,
        granularity: Granularity = Granularity.COLUMN,
        reach: Reach = Reach.POSSIBLE,
        limit: int = compact_lineage.MOST,
        seen_since: Annotated[datetime | None, strawberry.argument(description="Only flows stated at or after this time.")] = None,
        as_of: datetime | None = None,
        include: Annotated[list[LineageInclude] | None, strawberry.argument(description="What to show as nodes too, in `users`.")] = None,
    ) -> CompactLineage:
        view = _get_view(info, as_of)
        arguments = lineage.DrawingArguments(direction, granularity, reach, _check_depth(depth), limit, _to_micros(seen_since))
        found = compact_lineage.build_compact_lineage(view.index, view.list_starts(of, direction), arguments, info.context.limits)
        info.context.record_truncation(found.drawing.completeness.truncated)
        return CompactLineage.from_compact(view, found, include or ())

    @describe_field("All assets that these assets affect.")
    def impact(
        self,
        info: Context,
        of: list[strawberry.ID],
        reach: Reach = Reach.POSSIBLE,
        depth: int | None = None,
        seen_since: datetime | None = None,
        as_of: datetime | None = None,
    ) -> Impact:
        return _compute_impact(info, of, Direction.DOWNSTREAM, reach, depth, seen_since, as_of)

    @describe_field("All assets that these assets come from.")
    def provenance(
        self,
        info: Context,
        of: list[strawberry.ID],
        reach: Reach = Reach.POSSIBLE,
        depth: int | None = None,
        seen_since: datetime | None = None,
        as_of: datetime | None = None,
    ) -> Impact:
        return _compute_impact(info, of, Direction.UPSTREAM, reach, depth, seen_since, as_of)

    @describe_field("The paths of data from one column or dataset to another: the most certain first, then the shortest.")
    def paths(
        self,
        info: Context,
        start: Annotated[strawberry.ID, strawberry.argument(name="from")],
        end: Annotated[strawberry.ID, strawberry.argument(name="to")],
        reach: Reach = Reach.POSSIBLE,
        first: int = 5,
        as_of: datetime | None = None,
    ) -> list[Path]:
        view = _get_view(info, as_of)
        found = impact_paths.list_paths(view.index, view.get_node(start), view.get_node(end), reach=reach, first=first)
        return [Path.from_steps(view, steps) for steps in found]

    @describe_field("The assets of an owner; `inherited`: also those inside its assets, unless they have nearer owners.")
    def owned_by(
        self,
        info: Context,
        owner: strawberry.ID,
        inherited: bool = True,
        kinds: list[AssetKind] | None = None,
        first: int | None = None,
        after: str | None = None,
        as_of: datetime | None = None,
    ) -> Connection[Asset]:
        view = _get_view(info, as_of)
        return list_owned(view, view.get_node(owner), inherited=inherited, kinds=kinds, first=first, after=after)

    @describe_field("Assets without an owner at any level.")
    def orphans(
        self,
        info: Context,
        kinds: list[AssetKind] | None = None,
        first: int | None = None,
        after: str | None = None,
        as_of: datetime | None = None,
    ) -> Connection[Asset]:
        view, wanted = _get_view(info, as_of), tuple(kinds or ())
        page = owned_assets.list_orphans(view.index, kinds=wanted, first=info.context.check_page_size(first), after=parse_cursor(after, 1))
        return build_connection(view, page, Asset, partial(owned_assets.count_orphans, view.index, wanted), after=after)

    @describe_field("The flows that were added and removed between two times.")
    def lineage_diff(
        self,
        info: Context,
        start: Annotated[datetime, strawberry.argument(name="from")],
        end: Annotated[datetime, strawberry.argument(name="to")],
        of: list[strawberry.ID] | None = None,
        limit: int = 1000,
    ) -> LineageDiff:
        limit = info.context.check_page_size(limit)
        info.context.prepare_indexes(to_micros(start), to_micros(end))
        before, after = _get_view(info, start), _get_view(info, end)
        found = lineage_diff.compare_lineage(
            info.context.live,
            to_micros(start),
            to_micros(end),
            of=tuple(of or ()),
            limit=None,
            limits=info.context.limits,
            at=info.context.get_index,
        )
        return LineageDiff.from_diff(before, after, found, limit)

    @describe_field(
        "How many flows were added and removed in each span between two times, for a time line. `of`: columns and datasets; only flows that"
        " begin or end there. Spans follow each other from the first time on."
    )
    def changes(
        self,
        info: Context,
        start: Annotated[datetime, strawberry.argument(name="from")],
        end: Annotated[datetime, strawberry.argument(name="to")],
        of: list[strawberry.ID] | None = None,
        bucket: runs.Bucket = runs.Bucket.DAY,
    ) -> list[ChangeCount]:
        return count_changes(info.context, start, end, of or (), bucket)

    @describe_field("Merges that look wrong, and names that probably are one dataset but are not joined; the most suspicious first.")
    def identity_conflicts(self, info: Context, first: int | None = None, after: str | None = None) -> Connection[IdentityConflict]:
        return list_conflicts(info.context.now, first, after)

    @describe_field("The rules that join names of one catalog, by their source: `catalogs:` of mesh files, and what persons accepted.")
    def naming_rules(self, info: Context) -> list[NamingRule]:
        return list_rules(info.context.now)

    @describe_field(
        "Rules that the graph suggests: two systems have the same tables behind these beginnings of names. Those that join most datasets"
        " with alike columns come first."
    )
    def naming_proposals(self, info: Context, first: int | None = None) -> list[NamingProposal]:
        return list_proposals(info.context.now, first)

    @describe_field("All sources that ever made a statement or were synced, with their last sync; by name.")
    def sources(self, info: Context) -> list[Source]:
        return list_sources(info.context.now)

    @describe_field("Whether a change may ship, what it affects and who is notified: the report of `meshline check`.")
    def blast_radius(
        self,
        info: Context,
        change: ChangeInput,
        mode: CheckMode = CheckMode.STRICT,
        profile: CheckProfile = CheckProfile.MESH,
        since: Annotated[
            datetime | None, strawberry.argument(description="Also report how the lineage of the changed assets has changed since then.")
        ] = None,
    ) -> BlastRadius:
        return compute_blast_radius(info.context, change, mode, profile, since)

    @describe_field("The products that a change affects, or that depend on some assets, and the freshness promises that become infeasible.")
    def product_impact(self, info: Context, change: ChangeInput | None = None, of: list[strawberry.ID] | None = None) -> ProductImpact:
        return compute_product_impact(info.context, change, of)

    @describe_field("The consumers of a product: directly, through its ports, or only of data derived from it.")
    def consumers_of(self, info: Context, product: strawberry.ID) -> ProductConsumers:
        return ProductConsumers.from_product(info.context, product)

    @describe_field("All policies, by id.")
    def policies(self, info: Context) -> list[Policy]:
        return list_policies(info.context)

    @describe_field("The current violations of policies: the worst first, then by policy and names.")
    def policy_violations(
        self,
        info: Context,
        policy: str | None = None,
        severity: Severity | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[BrokenPolicy]:
        return list_violations(info.context, policy, severity, first, after)

    @describe_field("Failed checks of the datasets that are in the given domain, belong to the given product and have the given owner.")
    def quality_failures(
        self,
        info: Context,
        domain: strawberry.ID | None = None,
        product: strawberry.ID | None = None,
        owner: strawberry.ID | None = None,
        outcomes: Annotated[
            list[CheckOutcome] | None, strawberry.argument(description="Checks with these outcomes; if not given, FAILED and ERROR.")
        ] = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[QualityCheck]:
        view = info.context.now
        domain_, product_, owner_ = (None if one is None else view.get_node(one) for one in (domain, product, owner))
        return list_failures(
            view, asset_lists.Filter(domain=domain_, product=product_, owner=owner_), OPEN if outcomes is None else outcomes, first, after
        )

    @describe_field("The audit log: checks, used waivers, mutations, violations of policies, and access. Needs the role writer.")
    def audit(
        self,
        info: Context,
        kind: AuditAction | None = None,
        since: datetime | None = None,
        actor: str | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[AuditEntry]:
        return list_audit_entries(info.context, kind, since, actor, first, after)

    @describe_field(
        "The deny list of the identity provider's callers, sessions and tokens: what counts now, the oldest first. For those who may read"
        " the audit log."
    )
    def denials(self, info: Context, first: int | None = None, after: str | None = None) -> Connection[Denial]:
        return list_denials(info.context, first, after)

    @describe_field("The requests for access of the caller, and those of others that he may decide, the newest first.")
    def access_requests(
        self,
        info: Context,
        state: RequestState | None = None,
        mine: Annotated[
            bool | None, strawberry.argument(description="True: only those of the caller; false: only those of others.")
        ] = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[AccessRequest]:
        return access_queue.list_requests(info.context, state, mine, first, after)

    @describe_field("A run by its id; null if there is none.")
    def run(self, info: Context, id: strawberry.ID) -> Run | None:
        return runs.find_run_by_id(info.context.now, id)

    @describe_field("The runs that have a run id, of any job and source, the newest first.")
    def runs_by_id(self, info: Context, run_id: str, first: int | None = None, after: str | None = None) -> runs.RunConnection:
        return runs.list_runs_by_id(info.context.now, run_id, first, after)

    @describe_field("The events that are kept, by their time, the newest first.")
    def events(
        self,
        info: Context,
        start: Annotated[datetime | None, strawberry.argument(name="from")] = None,
        end: Annotated[datetime | None, strawberry.argument(name="to", description="Events before this time.")] = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Connection[runs.Event]:
        return runs.list_events(info.context.now, start, end, first, after)

    @describe_field("How many events were received, by their time; also of events that are not kept any more.")
    def event_counts(
        self,
        info: Context,
        start: Annotated[datetime, strawberry.argument(name="from", description="The first span is the one in which this time is.")],
        end: Annotated[datetime, strawberry.argument(name="to")],
        bucket: runs.Bucket = runs.Bucket.HOUR,
    ) -> list[runs.EventCount]:
        return runs.count_events(info.context.now, start, end, bucket)

    @describe_field("The number of datasets that are described, have owners, and have lineage.")
    def coverage(self, info: Context, as_of: datetime | None = None) -> Coverage:
        view = _get_view(info, as_of)
        return Coverage.from_coverage(view, coverage.compute_coverage(view.index))

    @describe_field("The service: its version, and the number of assets by kind.")
    def about(self, info: Context) -> About:
        index = info.context.now.index
        return About(
            version=__version__,
            revision=index.revision,
            actor=info.context.actor or None,
            actor_name=info.context.caller.shown or None,
            role=info.context.role,
            restricted=index.is_restricted,
        )


def _find_asset(view: GraphView, asset_id: str) -> Asset | None:
    node = view.index.assets.find(asset_id)
    return None if node is None or not view.index.assets.is_visible(node) else view.get_asset(node, Asset)


def _compute_impact(
    info: Context,
    of: Sequence[str],
    direction: Direction,
    reach: Reach,
    depth: int | None,
    seen_since: datetime | None,
    as_of: datetime | None,
) -> Impact:
    view = _get_view(info, as_of)
    found = impact.compute_impact(
        view.index,
        view.list_starts(of, direction),
        direction,
        reach=reach,
        depth=_check_depth(depth),
        seen_since=_to_micros(seen_since),
        limits=info.context.limits,
    )
    info.context.record_truncation(found.completeness.truncated)
    return Impact(view=view, found=found)
