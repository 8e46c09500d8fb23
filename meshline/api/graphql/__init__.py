"""The GraphQL schema. `GraphQL(live, naming).execute(query)` runs a request in process."""

from meshline.api.graphql.context import Bounds
from meshline.api.graphql.execution import Answer, GraphQL

__all__ = ["Answer", "Bounds", "GraphQL"]
