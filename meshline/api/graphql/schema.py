"""The schema, and its text (`schema.graphql`)."""

from __future__ import annotations

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from meshline.api.graphql.asset_types import TYPES
from meshline.api.graphql.fast_executor import PlanningExecutor
from meshline.api.graphql.mutation import Mutation
from meshline.api.graphql.query import Query
from meshline.api.graphql.query_limits import rules
from meshline.api.graphql.telemetry import Observing


class Schema(strawberry.Schema):
    """Errors are logged where they are made into answers (`execution`), not here."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        pass


def make_schema(depth: int, aliases: int, tokens: int) -> Schema:
    """The schema with limits on what a request may look like."""
    return Schema(
        query=Query,
        mutation=Mutation,
        types=tuple(TYPES.values()),
        extensions=[*rules(depth=depth, aliases=aliases, tokens=tokens), Observing],
        execution_context_class=PlanningExecutor,
        config=StrawberryConfig(),
    )


def printed() -> str:
    """The schema as text."""
    return make_schema(depth=1, aliases=1, tokens=1).as_str().strip() + "\n"
