"""The GraphQL interface. `Executor(live, naming).execute(query)` runs a request in process."""

from meshline.api.graphql.context import Bounds
from meshline.api.graphql.execution import Answer, Executor

__all__ = ["Answer", "Bounds", "Executor"]
