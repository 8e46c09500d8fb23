"""Quality checks of datasets and columns, and the health of products."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Self

import strawberry
from strawberry.scalars import JSON

from meshline.api.graphql.asset import Asset, Connection, build_statement_id, parse_cursor
from meshline.api.graphql.context import GraphView
from meshline.api.graphql.field_types import CheckOutcome, Evidence, Standing, describe_field, refer_to_type
from meshline.graph.model import Json, from_micros
from meshline.graph.queries import product_health, quality
from meshline.graph.queries.asset_lists import Filter
from meshline.graph.queries.pages import SortKey


def _to_json(value: Json) -> JSON | None:
    return None if value is None else JSON(value)


def _to_time(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


@strawberry.type(description="The result of a check in an interval of time, from one run to the last one with the same result.")
class QualityResult:
    outcome: CheckOutcome
    expected: JSON | None
    observed: JSON | None
    message: str | None
    at: datetime
    last_at: datetime = strawberry.field(description="The last run with the same result.")

    @classmethod
    def from_past(cls, past: quality.Past) -> Self:
        check = past.state
        return cls(
            outcome=check.outcome,
            expected=_to_json(check.expected),
            observed=_to_json(check.observed),
            message=check.message,
            at=from_micros(past.at),
            last_at=from_micros(past.last),
        )


@strawberry.type(description="A check of a dataset or column, with its last result.")
class QualityCheck:
    view: strawberry.Private[GraphView]
    result: strawberry.Private[quality.Result]
    name: str = strawberry.field(description="Unique in its suite.")
    kind: str = strawberry.field(description="The kind of check, as its tool calls it: not_null, freshness, schema, ...")
    outcome: CheckOutcome
    expected: JSON | None
    observed: JSON | None = strawberry.field(description="Numbers and names of columns; never rows of data.")
    message: str | None
    suite: str
    labels: JSON | None = strawberry.field(description="Labels from its author.")
    at: datetime | None = strawberry.field(description="The time of the run; null if it is only defined.")
    source: str
    statement: strawberry.ID

    @classmethod
    def from_result(cls, view: GraphView, result: quality.Result) -> Self:
        view.request.spend()
        check = result.state
        return cls(
            view=view,
            result=result,
            name=result.name,
            kind=check.kind,
            outcome=check.outcome,
            expected=_to_json(check.expected),
            observed=_to_json(check.observed),
            message=check.message,
            suite=check.suite,
            labels=_to_json(dict(check.labels)) if check.labels else None,
            at=_to_time(result.at),
            source=result.source,
            statement=build_statement_id(result.scope_id),
        )

    @describe_field("The dataset or the column that is checked.")
    def asset(self) -> Asset:
        return self.view.get_asset(self.result.asset, Asset)

    @describe_field("The dataset that is checked, as a whole or in a column.", type_=refer_to_type("Dataset"))
    def dataset(self) -> Asset:
        return self.view.get_asset(self.result.dataset, Asset)

    @describe_field("Its earlier results, the newest first.")
    def history(self, first: int | None = None) -> list[QualityResult]:
        size = self.view.request.check_page_size(first)
        found = quality.read_history(self.view.request.live, self.view.index, self.result, size)
        self.view.request.spend(len(found))
        return [QualityResult.from_past(past) for past in found]

    @describe_field("The run since which it fails; null if it does not fail.")
    def failing_since(self) -> datetime | None:
        self.view.request.spend()
        return _to_time(quality.find_failing_since(self.view.request.live, self.view.index, self.result))


@strawberry.type(description="The number of checks by outcome.")
class QualityCounts:
    passed: int
    failed: int
    warned: int
    errors: int = strawberry.field(description="Checks that could not be evaluated.")
    skipped: int
    not_run: int = strawberry.field(description="Checks that are defined, but without a known result.")

    @classmethod
    def from_counts(cls, counts: quality.Counts) -> Self:
        return cls(**counts._asdict())


def build_checks(view: GraphView, results: Sequence[quality.Result]) -> list[QualityCheck]:
    return [QualityCheck.from_result(view, result) for result in results]


@strawberry.type(description="The age of the data of an output port.")
class PortFreshness:
    view: strawberry.Private[GraphView]
    dataset_node: strawberry.Private[int]
    state: Standing
    last_written: datetime | None = strawberry.field(description="The last time at which data was written; null if no source states it.")
    evidence: Evidence | None
    age_seconds: float | None

    @classmethod
    def from_freshness(cls, view: GraphView, port: product_health.Freshness) -> Self:
        view.request.spend()
        return cls(
            view=view,
            dataset_node=port.dataset,
            state=port.standing,
            last_written=_to_time(port.last),
            evidence=port.evidence,
            age_seconds=port.age,
        )

    @describe_field(None, type_=refer_to_type("Dataset"))
    def dataset(self) -> Asset:
        return self.view.get_asset(self.dataset_node, Asset)


@strawberry.type(description="The freshness of a product compared with its promise: that of its worst output port.")
class ProductFreshness:
    state: Standing
    promised: str | None = strawberry.field(description="As its source states it.")
    promised_seconds: float | None
    ports: list[PortFreshness]


@strawberry.type(description="The health of a product: the freshness of its output ports, and the results of their checks.")
class ProductHealth:
    view: strawberry.Private[GraphView]
    found: strawberry.Private[product_health.Health]
    state: Standing = strawberry.field(description="BROKEN: its freshness is, or a check failed. Missing information never makes it KEPT.")

    @classmethod
    def from_health(cls, view: GraphView, found: product_health.Health) -> Self:
        return cls(view=view, found=found, state=found.standing)

    @strawberry.field
    def freshness(self) -> ProductFreshness:
        promised = self.found.promised
        return ProductFreshness(
            state=self.found.freshness,
            promised=None if promised is None else promised.text,
            promised_seconds=None if promised is None else promised.seconds,
            ports=[PortFreshness.from_freshness(self.view, port) for port in self.found.ports],
        )

    @describe_field("The checks of its output ports and their columns.")
    def checks(self) -> QualityCounts:
        return QualityCounts.from_counts(self.found.counts)

    @describe_field("Checks that failed, or that could not be evaluated.")
    def open_failures(self) -> list[QualityCheck]:
        return build_checks(self.view, self.found.open_failures)


def list_failures(
    view: GraphView, wanted: Filter, outcomes: Collection[CheckOutcome], first: int | None, after: str | None
) -> Connection[QualityCheck]:
    """A page of the checks with these outcomes."""
    live, index = view.request.live, view.index
    size = view.request.check_page_size(first)
    found = quality.list_failures(live, index, wanted, outcomes, first=size, after=parse_cursor(after, 0))

    def count() -> int:
        return quality.count_failures(live, index, wanted, outcomes)

    keys: list[tuple[SortKey, str]] = [
        (quality.build_sort_key(index, result), build_statement_id(result.scope_id)) for result in found.results
    ]
    return Connection(
        nodes=build_checks(view, found.results), keys=keys, has_next=found.has_next, has_previous=after is not None, count=count
    )
