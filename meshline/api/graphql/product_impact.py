"""The effect of a change on dependent products and their freshness promises, and the consumers of a product."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import numpy as np
import strawberry

from meshline.api.graphql.asset import Asset
from meshline.api.graphql.asset_types import Consumer
from meshline.api.graphql.blast_radius import ChangeInput
from meshline.api.graphql.context import GraphView, RequestContext
from meshline.api.graphql.contracts import Consumption, list_consumptions
from meshline.api.graphql.field_types import Feasible, Reach, Verdict, describe_field
from meshline.api.graphql.lineage import Completeness, PathStep
from meshline.api.graphql.products import DataProduct
from meshline.app.check import open_texts
from meshline.app.check_texts import CheckRequest
from meshline.errors import InvalidInput
from meshline.governance.changes import Change, SubjectKind
from meshline.governance.freshness_feasibility import FRESHNESS, Feasibility, assess_product, find_broken_promises
from meshline.governance.gate import Options, judge_changes
from meshline.graph import durations, model
from meshline.graph.index import Direction, Edge
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.queries.impact import Impact, compute_impact
from meshline.graph.queries.impact_paths import ImpactPaths
from meshline.graph.queries.pages import KIND_ORDER
from meshline.graph.queries.usage import merge_uses


@strawberry.type(description="Whether a product can be as fresh as it promises, given its inputs' promises and how often it is updated.")
class Freshness:
    standing: Feasible
    promised: float | None = strawberry.field(description="The maximum age of its data that it promises, in seconds; null: none.")
    least: float | None = strawberry.field(description="Lower bound of the age that its data can reach, in seconds; null: unknown.")
    worst: Asset | None = strawberry.field(description="The input that decides the lower bound.")
    text: str = strawberry.field(description="How the numbers were computed.")

    @classmethod
    def from_feasibility(cls, view: GraphView, found: Feasibility) -> Self:
        return cls(
            standing=found.standing,
            promised=found.promised,
            least=found.least,
            worst=None if found.worst is None else view.get_asset(found.worst.dataset, Asset),
            text=found.text,
        )


@strawberry.type(description="A promise that is, or may be, feasible now and would not be after the change.")
class LostPromise:
    product: DataProduct
    now: Freshness
    then: Freshness


@strawberry.type(description="A product that the change affects.")
class ImpactedProduct:
    view: strawberry.Private[GraphView]
    product: DataProduct
    verdict: Verdict | None = strawberry.field(description="The worst verdict of the changes that affect it; null if `of` was given.")
    reach: Reach
    distance: int
    masked: bool

    @describe_field("Its freshness promise now, and whether that is feasible.")
    def freshness(self) -> Freshness:
        return Freshness.from_feasibility(self.view, assess_product(self.view.request.live, self.view.index, self.product.node))


@strawberry.type(description="The effect on products.")
class ProductImpact:
    products: list[ImpactedProduct] = strawberry.field(description="The affected products; the most certain and nearest first.")
    lost_promises: list[LostPromise] = strawberry.field(description="Freshness promises that depend on a promise that the change loosens.")
    completeness: Completeness


def compute_product_impact(request: RequestContext, change: ChangeInput | None, of: Sequence[str] | None) -> ProductImpact:
    """The effect of a change, or of changes to the assets `of`, on products. Raises InvalidInput unless exactly one is given."""
    if (change is None) == (of is None):
        raise InvalidInput("name a change, or assets", "change" if of is None else "of")
    if change is None:
        view = request.now
        return _build_answer(view, view.list_starts(of or (), Direction.DOWNSTREAM), {}, {})
    with open_texts(request.live, request.naming, CheckRequest(change.to_inputs()), request.limits, apart=request.apart) as texts:
        found = texts.read_difference()
    view = request.now
    report = judge_changes(request.live, view.index, found.changes, Options(versions=found.versions, limits=request.limits))
    verdicts = {
        view.index.assets.find(product.id): Verdict[one.verdict.upper()] for one in reversed(report.findings) for product in one.products
    }
    starts = [
        node
        for asset in dict.fromkeys(key for one in found.changes for key in one.assets)
        if (node := view.index.assets.find_by_key(asset)) is not None
    ]
    return _build_answer(view, starts, verdicts, _collect_promises(view, found.changes))


def _build_answer(
    view: GraphView, starts: Sequence[int], verdicts: Mapping[int | None, Verdict], promised: Mapping[int, float | None]
) -> ProductImpact:
    index, request = view.index, view.request
    found = compute_impact(index, starts, limits=request.limits)
    request.record_truncation(found.completeness.truncated)
    rows = np.flatnonzero(found.groups.kind == KIND_ORDER[AssetKind.DATA_PRODUCT])
    columns = (column[rows].tolist() for column in found.affected)
    reached = [(reach, distance, index.assets.get_key(node), node, masked) for node, reach, distance, masked in zip(*columns, strict=True)]
    request.spend(len(reached))
    return ProductImpact(
        products=[
            ImpactedProduct(
                view=view,
                product=view.get_asset(node, DataProduct),
                verdict=verdicts.get(node),
                reach=Reach(reach),
                distance=distance,
                masked=masked,
            )
            for reach, distance, _, node, masked in sorted(reached)
        ],
        lost_promises=[
            LostPromise(
                product=view.get_asset(now.product, DataProduct),
                now=Freshness.from_feasibility(view, now),
                then=Freshness.from_feasibility(view, then),
            )
            for now, then in (find_broken_promises(request.live, index, promised) if promised else ())
        ],
        completeness=Completeness.from_traversal(view, found.traversal, found.completeness),
    )


def _collect_promises(view: GraphView, changes: Iterable[Change]) -> dict[int, float | None]:
    """The freshness, in seconds, that products and contracts (by node) would promise after the changes; None: no promise."""
    found: dict[int, float | None] = {}
    for one in changes:
        kind = _SUBJECTS.get(one.subject.kind)
        node = None if kind is None else view.index.assets.find_by_key(kind(one.subject.name))
        if node is None:
            continue
        if one.subject.part[:2] == ("slo", FRESHNESS):
            found[node] = None if one.after is None else durations.parse_duration(str(one.after))
        elif one.rule in _REMOVALS:
            found[node] = None
    return found


_SUBJECTS = {SubjectKind.CONTRACT: model.build_contract_key, SubjectKind.PRODUCT: model.build_data_product_key}
_REMOVALS = frozenset({"contract-removed", "contract-ended", "product-removed", "product-ended"})


@strawberry.type(description="A consumer of data that is derived from the product.")
class ReachedConsumer:
    view: strawberry.Private[GraphView]
    paths: strawberry.Private[ImpactPaths]
    consumer: Consumer
    reach: Reach
    distance: int
    masked: bool

    @describe_field("A shortest path with this reach.")
    def via(self) -> list[PathStep]:
        steps = self.paths.build_path(self.consumer.node)
        self.view.request.spend(len(steps))
        return [PathStep.from_step(self.view, step) for step in steps]

    @describe_field("All assets that it uses, and under which contract.")
    def uses(self) -> list[Consumption]:
        edges = self.view.index.ownership.list_edges(self.consumer.node, EdgeType.CONSUMES)
        self.view.request.spend(len(edges))
        return [Consumption.from_use(self.view, use) for use in merge_uses(self.view.index, edges)]


@strawberry.type(description="The consumers of a product. `reached` contains no consumer of the other lists.")
class ProductConsumers:
    product: DataProduct
    directly: list[Consumption] = strawberry.field(description="They use the product as a whole.")
    through_ports: list[Consumption] = strawberry.field(description="They use a dataset of its output ports, or a column of one.")
    inside: list[Consumption] = strawberry.field(description="They use a dataset of the product that is not an output port.")
    reached: list[ReachedConsumer] = strawberry.field(description="They use only data derived from it; the most certain and nearest first.")
    completeness: Completeness

    @classmethod
    def from_product(cls, request: RequestContext, product_id: str) -> Self:
        view = request.now
        index, product = view.index, view.get_node(product_id)
        if index.assets.get_kind(product) is not AssetKind.DATA_PRODUCT:
            raise InvalidInput(
                f"{index.assets.get_key(product).qualified_name!r} is a {index.assets.get_kind(product)}, and a product is asked for",
                "product",
            )
        found = compute_impact(index, [product], limits=request.limits)
        request.record_truncation(found.completeness.truncated)
        ported = {edge.end for edge in index.ownership.list_edges(product, EdgeType.PORT) if _is_output(edge)}
        datasets = np.array(index.assets.list_of_kind(AssetKind.DATASET), np.int32)
        contained = set(datasets[index.ownership.find_products(datasets) == product].tolist())
        directly, through, inside = (_list_uses(view, nodes) for nodes in ({product}, ported, contained - ported))
        known = {use.consumer_node for use in (*directly, *through, *inside)}
        return cls(
            product=view.get_asset(product, DataProduct),
            directly=directly,
            through_ports=through,
            inside=inside,
            reached=_list_reached(view, found, known),
            completeness=Completeness.from_traversal(view, found.traversal, found.completeness),
        )


def _list_reached(view: GraphView, found: Impact, known: set[int]) -> list[ReachedConsumer]:
    rows = np.flatnonzero(found.groups.kind == KIND_ORDER[AssetKind.CONSUMER])
    columns = (column[rows].tolist() for column in found.affected)
    reached = [
        (reach, distance, view.index.assets.get_key(node), node, masked) for node, reach, distance, masked in zip(*columns, strict=True)
    ]
    paths = ImpactPaths(found)
    return [
        ReachedConsumer(
            view=view, paths=paths, consumer=view.get_asset(node, Consumer), reach=Reach(reach), distance=distance, masked=masked
        )
        for reach, distance, _, node, masked in sorted(reached)
        if node not in known
    ]


def _is_output(edge: Edge) -> bool:
    return str(edge.attributes.get("direction", "output")).lower() == "output"


def _list_uses(view: GraphView, nodes: set[int]) -> list[Consumption]:
    columns = [
        column for node in nodes if view.index.assets.get_kind(node) is AssetKind.DATASET for column in view.index.assets.list_columns(node)
    ]
    found = list_consumptions(view, *nodes, *columns)
    view.request.spend(len(found))
    return found
