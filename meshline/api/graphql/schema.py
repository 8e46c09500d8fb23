"""The GraphQL schema, the limits on the shape of a request, and the text of the schema (`schema.graphql`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import strawberry
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
)
from strawberry.extensions import AddValidationRules, MaxTokensLimiter, ParserCache, SchemaExtension, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from meshline.api.graphql.asset_types import TYPES
from meshline.api.graphql.context import OperationExtension
from meshline.api.graphql.fast_executor import PlanningExecutor
from meshline.api.graphql.mutation import Mutation
from meshline.api.graphql.query import Query
from meshline.errors import LimitExceeded

CACHED_REQUESTS = 128  # parsed and validated requests that are kept


class QuerySize(NamedTuple):
    """The levels of nesting and the number of aliases of a selection, with its fragments."""

    depth: int = 0
    aliases: int = 0


class QueryLimitRule(ValidationRule):
    """A validation rule that limits each operation. The limits are attributes of the subclass that `build_limits` makes.

    Each fragment is measured once: measuring it again at every spread takes exponential time on fragments that spread fragments.
    """

    max_depth: int
    max_aliases: int

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        definitions = context.document.definitions
        self._fragments = {d.name.value: d for d in definitions if isinstance(d, FragmentDefinitionNode)}
        self._measured: dict[str, QuerySize] = {}
        self._open: set[str] = set()
        for operation in definitions:
            if isinstance(operation, OperationDefinitionNode):
                self._check_size(self._measure_selections(operation.selection_set))

    def _check_size(self, found: QuerySize) -> None:
        if found.depth > self.max_depth:
            self._refuse(f"the request nests {found.depth} levels deep; {self.max_depth} are allowed")
        if found.aliases > self.max_aliases:
            self._refuse(f"the request has {found.aliases} aliases; {self.max_aliases} are allowed")

    def _refuse(self, message: str) -> None:
        self.report_error(GraphQLError(message, original_error=LimitExceeded(message)))

    def _measure_selections(self, selections: SelectionSetNode | None) -> QuerySize:
        parts = [self._measure_selection(node) for node in selections.selections] if selections else []
        return QuerySize(max((part.depth for part in parts), default=0), sum(part.aliases for part in parts))

    def _measure_selection(self, node: object) -> QuerySize:
        if isinstance(node, FieldNode):
            inner = self._measure_selections(node.selection_set)
            return QuerySize(inner.depth + 1, inner.aliases + (node.alias is not None))
        if isinstance(node, FragmentSpreadNode):
            return self._measure_fragment(node.name.value)
        return self._measure_selections(getattr(node, "selection_set", None))

    def _measure_fragment(self, name: str) -> QuerySize:
        if name in self._open or name not in self._fragments:
            return QuerySize()  # a cycle or an unknown name: other rules refuse it
        if name not in self._measured:
            self._open.add(name)
            self._measured[name] = self._measure_selections(self._fragments[name].selection_set)
            self._open.discard(name)
        return self._measured[name]


def build_limits(*, depth: int, aliases: int, tokens: int) -> list[Callable[[], SchemaExtension]]:
    """Extensions that limit requests. Programs send the same few requests, so parsed and validated ones are cached."""
    guard = type("Limits", (QueryLimitRule,), {"max_depth": depth, "max_aliases": aliases})
    return [
        partial(MaxTokensLimiter, max_token_count=tokens),
        partial(AddValidationRules, [guard]),
        partial(ParserCache, maxsize=CACHED_REQUESTS),
        partial(ValidationCache, maxsize=CACHED_REQUESTS),
    ]


class Schema(strawberry.Schema):
    """Errors are logged where they become answers (`execution`), not here."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        pass


@lru_cache(maxsize=8)
def build_schema(depth: int, aliases: int, tokens: int) -> Schema:
    """The schema, with limits on the shape of a request: levels of nesting, aliases, and tokens of its text.

    All executors of a process with the same limits share it: it keeps nothing of a request but what was parsed and validated.
    """
    return Schema(
        query=Query,
        mutation=Mutation,
        types=tuple(TYPES.values()),
        extensions=[*build_limits(depth=depth, aliases=aliases, tokens=tokens), OperationExtension],
        execution_context_class=PlanningExecutor,
        config=StrawberryConfig(),
    )


def print_schema() -> str:
    """The schema as the text of `schema.graphql`."""
    return build_schema(depth=1, aliases=1, tokens=1).as_str().strip() + "\n"
