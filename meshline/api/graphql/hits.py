"""The consumers that a change hits, and assets of a report in the graph as it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import strawberry

from meshline.api.graphql.asset import Asset
from meshline.api.graphql.context import View
from meshline.api.graphql.enums import EdgeType, FlowType, Reach, Verdict
from meshline.governance import report
from meshline.governance.affected_consumers import BOUND


def verdict_of(text: str) -> Verdict:
    return Verdict[text.upper()]


def reach_of(text: str) -> Reach | None:
    return None if text == BOUND else Reach[text]


class Shown:
    """Assets of a report in the graph as it is."""

    def __init__(self, view: View) -> None:
        self.view = view

    def asset(self, asset: report.Asset | None) -> Asset | None:
        node = self.view.index.find(asset.id) if asset is not None and asset.id else None
        return None if node is None else self.view.typed(node, Asset)

    def all(self, assets: Iterable[report.Asset]) -> list[Asset]:
        return [found for one in assets if (found := self.asset(one)) is not None]


@strawberry.type(description="A step of a path: what is reached, over which edge, through which job.")
class HitStep:
    name: str = strawberry.field(description="The qualified name.")
    asset: Asset | None
    edge_type: EdgeType | None = strawberry.field(description="Null at the beginning.")
    type: FlowType | None
    subtype: str | None
    masking: bool
    job: Asset | None

    @classmethod
    def of(cls, shown: Shown, step: report.Step) -> Self:
        return cls(
            name=step.asset.qualified_name,
            asset=shown.asset(step.asset),
            edge_type=EdgeType(step.edge) if step.edge else None,
            type=FlowType(step.type) if step.type else None,
            subtype=step.subtype or None,
            masking=step.masking,
            job=shown.asset(step.job),
        )


@strawberry.type(description="A consumer that a change hits.")
class Hit:
    name: str
    consumer: Asset | None = strawberry.field(description="Null if only a file names it.")
    verdict: Verdict
    reach: Reach | None = strawberry.field(description="Null: it is bound by a promise, and no lineage leads there.")
    distance: int
    masked: bool = strawberry.field(description="Whether every path of its reach passes a masking step.")
    path: list[HitStep] = strawberry.field(description="A shortest path of its reach, in the order in which data flows.")
    contract_name: str | None = strawberry.field(description="The contract that covers its use.")
    owners: list[Asset]
    domain: Asset | None = strawberry.field(description="The domain of what it uses.")
    why: str | None = strawberry.field(description="What moved the verdict away from the rule's.")

    @classmethod
    def of(cls, shown: Shown, hit: report.Hit) -> Self:
        shown.view.request.spend(1 + len(hit.path))
        return cls(
            name=hit.consumer.name,
            consumer=shown.asset(hit.consumer),
            verdict=verdict_of(hit.verdict),
            reach=reach_of(hit.reach),
            distance=hit.distance,
            masked=hit.masked,
            path=[HitStep.of(shown, step) for step in hit.path],
            contract_name=hit.contract or None,
            owners=shown.all(hit.owners),
            domain=shown.asset(hit.domain),
            why=hit.why or None,
        )
