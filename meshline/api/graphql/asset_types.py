"""The kinds of assets, each with its own fields, and the schema history of datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Self

import strawberry

from meshline.api.graphql.asset import (
    Alias,
    Asset,
    Connection,
    build_connection,
    build_plain_page,
    build_statement_id,
    list_assets,
    list_owned,
    parse_cursor,
)
from meshline.api.graphql.context import GraphView
from meshline.api.graphql.contracts import Consumption, Contract, list_consumptions
from meshline.api.graphql.field_types import describe_field
from meshline.api.graphql.identity import Identity
from meshline.api.graphql.observed_usage import Usage, build_usage
from meshline.api.graphql.products import DataProduct
from meshline.api.graphql.quality import QualityCheck, QualityCounts, build_checks
from meshline.api.graphql.read_rights import ReadRight, list_read_rights
from meshline.api.graphql.runs import DatasetRole, LastWritten, Run, RunConnection, find_last_run, find_last_written, list_runs
from meshline.errors import InvalidInput
from meshline.graph.model import AssetKind, EdgeType, from_micros
from meshline.graph.queries import asset_lists, quality, runs, schema_history
from meshline.graph.queries.assets import find_contact
from meshline.graph.queries.usage import merge_uses
from meshline.graph.store.base import RunRole
from meshline.ingest.openlineage.run_state import RunEnd, decide_run_end, decode_state


@strawberry.type(description="A column as a source lists it.")
class ListedColumn:
    name: str
    position: int | None
    data_type: str | None
    nullable: bool | None


@strawberry.type(description="The columns of a dataset as a source listed them in an interval of time.")
class ListedSchema:
    source: str
    statement: strawberry.ID
    since: datetime
    until: datetime | None = strawberry.field(description="Null: the source still lists them.")
    columns: list[ListedColumn]

    @classmethod
    def from_schema(cls, view: GraphView, schema: schema_history.Schema) -> Self:
        view.request.spend(1 + len(schema.columns))
        return cls(
            source=schema.source,
            statement=build_statement_id(schema.scope_id),
            since=from_micros(schema.since),
            until=None if schema.until is None else from_micros(schema.until),
            columns=[ListedColumn(name=c.name, position=c.position, data_type=c.type, nullable=c.nullable) for c in schema.columns],
        )


@strawberry.type
class Domain(Asset):
    @strawberry.field
    async def title(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("title")

    @strawberry.field
    def subdomains(self) -> list[Domain]:
        return [child for child in self._list_parts() if isinstance(child, Domain)]

    @strawberry.field
    def products(self) -> list[DataProduct]:
        return [child for child in self._list_parts() if isinstance(child, DataProduct)]

    @describe_field("The datasets that belong to it or to a domain below it.")
    def datasets(self, first: int | None = None, after: str | None = None) -> Connection[Dataset]:
        wanted = asset_lists.Filter(domain=self.node)
        return list_assets(self.view, AssetKind.DATASET, Dataset, wanted, first, after)

    def _list_parts(self) -> list[Asset]:
        return self.view.list_assets(asset_lists.list_linked(self.view.index, self.node, EdgeType.PART_OF, incoming=True), Asset)


@strawberry.type
class Dataset(Asset):
    @strawberry.field
    def namespace(self) -> str:
        return self.view.index.assets.get_key(self.node).parts[0]

    @describe_field("Its other names, and why they are the same dataset.")
    async def aliases(self) -> list[Alias]:
        return [Alias.from_alias(alias) for alias in await self.view.read_aliases(self.node)]

    @describe_field("All its names, which of them is shown and why, and the statements that join them.")
    def identity(self) -> Identity:
        return Identity.from_dataset(self.view, self.node)

    @describe_field("Its columns, by position.")
    def columns(self, first: int | None = None, after: str | None = None) -> Connection[Column]:
        index, size = self.view.index, self.view.request.check_page_size(first, 100)
        page = asset_lists.list_columns(index, self.node, first=size, after=parse_cursor(after, 2))
        return build_connection(self.view, page, Column, lambda: len(index.assets.list_columns(self.node)), after=after)

    @describe_field("Whether a source lists its columns.")
    def described(self) -> bool:
        return self.view.index.assets.is_described(self.node)

    @describe_field("Whether only column lineage refers to it: it may not be a table.")
    def inferred(self) -> bool:
        return self.view.index.assets.is_inferred(self.node)

    @describe_field("TABLE, VIEW, TOPIC, ... as its source states it.")
    async def dataset_type(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("dataset_type")

    @strawberry.field
    async def location(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("location")

    @describe_field("The jobs that write it.")
    def written_by(self) -> list[Job]:
        return self.view.list_assets(asset_lists.list_linked(self.view.index, self.node, EdgeType.WRITES, incoming=True), Job)

    @describe_field("The jobs that read it.")
    def read_by(self) -> list[Job]:
        return self.view.list_assets(asset_lists.list_linked(self.view.index, self.node, EdgeType.READS, incoming=True), Job)

    @describe_field("The data products that have it as an output or input port.")
    def products(self) -> list[DataProduct]:
        return self.view.list_assets(asset_lists.list_linked(self.view.index, self.node, EdgeType.PORT, incoming=True), DataProduct)

    @describe_field("Who consumes it as a whole, or a column of it.")
    def consumers(self) -> list[Consumption]:
        return list_consumptions(self.view, self.node, *self.view.index.assets.list_columns(self.node))

    @describe_field("Who may read it or a column of it, by the grants of its system. Empty if no source states grants.")
    def may_read(self, first: int | None = None, after: str | None = None) -> Connection[ReadRight]:
        return list_read_rights(self.view, [self.node, *self.view.index.assets.list_columns(self.node)], first, after)

    @describe_field("How often and when it was really read, with whichever columns; null: no usage of it was loaded.")
    async def usage(self) -> Usage | None:
        return await build_usage(self.view, self.node, self.node)

    @describe_field("The checks of it and of its columns, with their last results.")
    async def quality(self) -> list[QualityCheck]:
        return build_checks(self.view, await self.view.read_checks(self.node))

    @describe_field("The number of these checks by outcome.")
    async def quality_counts(self) -> QualityCounts:
        return QualityCounts.from_counts(quality.count_outcomes(await self.view.read_checks(self.node)))

    @describe_field("Its earlier and current columns, as each source listed them; the newest first.")
    def schemas(self, first: int | None = None, after: str | None = None) -> Connection[ListedSchema]:
        return self._list_schemas(first, after)

    @describe_field("The first of `schemas`.")
    def schema_history(self, first: int | None = None) -> list[ListedSchema]:
        return self._list_schemas(first, None).nodes

    def _list_schemas(self, first: int | None, after: str | None) -> Connection[ListedSchema]:
        found = schema_history.read_schemas(self.view.request.live, self.view.index, self.node)
        entries = [(schema_history.build_schema_key(schema), schema) for schema in found]
        return build_plain_page(self.view, entries, partial(ListedSchema.from_schema, self.view), first, after, numbers=1)

    @describe_field("The runs that write it (or read it), by any of its names; the newest first.")
    def runs(self, role: DatasetRole = DatasetRole.WRITES, first: int | None = None, after: str | None = None) -> RunConnection:
        return list_runs(self.view, self.node, role.value, first, after)

    @describe_field("When its data was last written, and the evidence; null if nothing proves that it ever was.")
    async def last_written(self) -> LastWritten | None:
        return await find_last_written(self.view, self.node)

    @strawberry.field
    def contracts(self) -> list[Contract]:
        return self.view.list_assets(asset_lists.list_linked(self.view.index, self.node, EdgeType.GOVERNS, incoming=True), Contract)


@strawberry.type(description="An earlier name of a column, as its catalog states it.")
class FormerName:
    name: str
    until: datetime


@strawberry.type
class Column(Asset):
    @strawberry.field
    def dataset(self) -> Dataset:
        return self.view.get_asset(self.view.index.assets.get_dataset(self.node), Dataset)

    @strawberry.field
    async def data_type(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("type")

    @strawberry.field
    async def nullable(self) -> bool | None:
        value = (await self.view.read_attributes(self.node)).find_value("nullable")
        return value if isinstance(value, bool) else None

    @describe_field("1 is the first.")
    def position(self) -> int | None:
        return self.view.index.assets.find_position(self.node)

    @describe_field("Whether it is known from lineage only: no source lists it among the columns of its dataset.")
    def inferred(self) -> bool:
        return self.view.index.assets.is_inferred(self.node)

    @describe_field("Whether the catalog of the table lacks it; without a catalog, whether a newer schema of the whole table lacks it.")
    def unlisted(self) -> bool:
        return self.view.index.assets.is_unlisted(self.node)

    @describe_field("The checks of this very column, with their last results.")
    async def quality(self) -> list[QualityCheck]:
        known = await self.view.read_checks(self.view.index.assets.get_dataset(self.node))
        return build_checks(self.view, [result for result in known if result.asset == self.node])

    @describe_field("Its names before it was renamed, the oldest first. What was stated about them then applies to this column.")
    def former_names(self) -> list[FormerName]:
        return [FormerName(name=name, until=from_micros(until)) for name, until in self.view.index.changes.list_former_names(self.node)]

    @describe_field("Who may read it, by the grants of its system: of the column, and of the whole dataset.")
    def may_read(self, first: int | None = None, after: str | None = None) -> Connection[ReadRight]:
        return list_read_rights(self.view, [self.node, self.view.index.assets.get_dataset(self.node)], first, after)

    @describe_field("Who consumes exactly this column.")
    def consumers(self) -> list[Consumption]:
        return list_consumptions(self.view, self.node)

    @describe_field("How often and when exactly this column was really read; null: no usage of its dataset was loaded.")
    async def usage(self) -> Usage | None:
        return await build_usage(self.view, self.node, self.view.index.assets.get_dataset(self.node))


@strawberry.type
class Job(Asset):
    @strawberry.field
    def namespace(self) -> str:
        return self.view.index.assets.get_key(self.node).parts[0]

    @strawberry.field
    async def job_type(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("job_type")

    @describe_field("BATCH or STREAMING, as its source states it.")
    async def processing_type(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("processing_type")

    @describe_field("SPARK, DBT, ... as its source states it.")
    async def integration(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("integration")

    @strawberry.field
    async def sql(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("sql")

    @strawberry.field
    def reads(self) -> list[Dataset]:
        return self.view.list_assets(asset_lists.list_linked(self.view.index, self.node, EdgeType.READS), Dataset)

    @strawberry.field
    def writes(self) -> list[Dataset]:
        return self.view.list_assets(asset_lists.list_linked(self.view.index, self.node, EdgeType.WRITES), Dataset)

    @describe_field("The jobs that this one is a part of.")
    def parents(self) -> list[Job]:
        return self.view.list_assets(asset_lists.list_linked(self.view.index, self.node, EdgeType.PART_OF), Job)

    @strawberry.field
    def children(self) -> list[Job]:
        return self.view.list_assets(asset_lists.list_linked(self.view.index, self.node, EdgeType.PART_OF, incoming=True), Job)

    @describe_field("Its runs, the newest first.")
    def runs(self, first: int | None = None, after: str | None = None) -> RunConnection:
        return list_runs(self.view, self.node, RunRole.JOB, first, after)

    @describe_field("Its newest run.")
    def last_run(self) -> Run | None:
        return find_last_run(self.view, self.node)


@strawberry.type
class Consumer(Asset):
    @strawberry.field
    async def title(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("title")

    @describe_field("team, application, dashboard, exposure, model, ...")
    async def consumer_type(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("consumer_type")

    @strawberry.field
    def consumes(self) -> list[Consumption]:
        index = self.view.index
        uses = sorted(
            merge_uses(index, index.ownership.list_edges(self.node, EdgeType.CONSUMES)),
            key=lambda use: (index.assets.get_key(use.edge.end).qualified_name, use.edge.scope_id),
        )
        return [Consumption.from_use(self.view, use) for use in uses]


@strawberry.type
class Owner(Asset):
    @strawberry.field
    async def title(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("title")

    @strawberry.field
    async def contact(self) -> str | None:
        return find_contact(await self.view.read_attributes(self.node), self.name)

    @describe_field("team or person, as its source states it.")
    async def owner_type(self) -> str | None:
        return (await self.view.read_attributes(self.node)).find_text("owner_type")

    @describe_field("Its assets; `inherited`: also those inside its assets, unless they have nearer owners.")
    def owns(
        self, inherited: bool = True, kinds: list[AssetKind] | None = None, first: int | None = None, after: str | None = None
    ) -> Connection[Asset]:
        return list_owned(self.view, self.node, inherited=inherited, kinds=kinds, first=first, after=after)

    @describe_field("The datasets and columns that it may read, by the grants of their systems.")
    def may_read(self, first: int | None = None, after: str | None = None) -> Connection[ReadRight]:
        return list_read_rights(self.view, [self.node], first, after, incoming=False)


def list_jobs(
    view: GraphView,
    wanted: asset_lists.Filter,
    states: Sequence[RunEnd],
    first: int | None,
    after: str | None,
    order: asset_lists.ListOrder,
) -> Connection[Job]:
    """A page of the jobs of which the newest run is in one of these states. Raises InvalidInput for a view of a past time."""
    if view.index.as_of is not None:
        raise InvalidInput("the states of runs at an earlier time are not known: ask for them without asOf", "lastRun")
    found = runs.list_jobs(
        view.request.live,
        view.index,
        lambda state: decide_run_end(decode_state(state)) in states,
        wanted,
        order=order,
        first=view.request.check_page_size(first),
        after=parse_cursor(after, asset_lists.count_order_numbers(order)),
        limits=view.request.limits,
    )
    return build_connection(view, found.page, Job, lambda: found.total, after=after)


TYPES: Mapping[AssetKind, type[Asset]] = {
    AssetKind.DOMAIN: Domain,
    AssetKind.DATA_PRODUCT: DataProduct,
    AssetKind.DATASET: Dataset,
    AssetKind.COLUMN: Column,
    AssetKind.JOB: Job,
    AssetKind.CONSUMER: Consumer,
    AssetKind.OWNER: Owner,
    AssetKind.CONTRACT: Contract,
}
