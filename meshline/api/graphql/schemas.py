"""The schemas that a dataset had."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry

from meshline.api.graphql.asset import statement_id
from meshline.api.graphql.context import View
from meshline.graph.model import from_micros
from meshline.graph.queries import schema_history


@strawberry.type(description="A column as a source listed it.")
class ListedColumn:
    name: str
    position: int | None
    data_type: str | None
    nullable: bool | None


@strawberry.type(description="What a source listed as the columns of a dataset over a stretch of time.")
class ListedSchema:
    source: str
    statement: strawberry.ID
    since: datetime
    until: datetime | None = strawberry.field(description="Null: it says so still.")
    columns: list[ListedColumn]

    @classmethod
    def of(cls, view: View, schema: schema_history.Schema) -> Self:
        view.request.spend(1 + len(schema.columns))
        return cls(
            source=schema.source,
            statement=statement_id(schema.scope_id),
            since=from_micros(schema.since),
            until=None if schema.until is None else from_micros(schema.until),
            columns=[ListedColumn(name=c.name, position=c.position, data_type=c.type, nullable=c.nullable) for c in schema.columns],
        )
