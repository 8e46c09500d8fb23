"""What a GraphQL request was: which root field it asks, for how long, and where the answer stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    SelectionSetNode,
    get_operation_ast,
)
from strawberry.extensions import SchemaExtension

REFUSED = "refused"  # before it ran: it cannot be parsed, or does not fit the schema or its limits
INTROSPECTION = "introspection"
SEVERAL = "several"
MATCHES = "MATCHES"  # the limit of a search: how many assets it looks at


class Asked(NamedTuple):
    """One request. `operation` is a root field of the schema, or one of the words above: never what a client made up.

    `outcome` is ok, or the code of the first error; `truncated` names the limits at which its answers stopped.
    """

    operation: str
    seconds: float
    outcome: str
    truncated: Sequence[str]


Observer: TypeAlias = Callable[[Asked], None]


class Observing(SchemaExtension):
    """Tells the request (`context.Request`) what it asks, once that is known to fit the schema."""

    def on_execute(self) -> Iterator[None]:
        context = self.execution_context
        if context.graphql_document is not None and context.context is not None:
            context.context.operation = operation_of(context.graphql_document, context.operation_name)
        yield


def operation_of(document: DocumentNode, name: str | None) -> str:
    """The root field of a valid request."""
    operation = get_operation_ast(document, name)
    if operation is None:
        return REFUSED
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    fields = set(_fields(operation.selection_set, fragments, set()))
    names = {INTROSPECTION if field.startswith("__") else field for field in fields}
    return names.pop() if len(names) == 1 else SEVERAL


def _fields(selected: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode], seen: set[str]) -> Iterator[str]:
    """Root fields, also those of fragments; each fragment once."""
    for node in selected.selections:
        if isinstance(node, FieldNode):
            yield node.name.value
        elif isinstance(node, FragmentSpreadNode):
            if node.name.value not in seen and node.name.value in fragments:
                seen.add(node.name.value)
                yield from _fields(fragments[node.name.value].selection_set, fragments, seen)
        else:
            yield from _fields(node.selection_set, fragments, seen)  # type: ignore[attr-defined]  # an inline fragment
