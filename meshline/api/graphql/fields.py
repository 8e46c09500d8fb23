"""Fields of the schema that are computed, with their descriptions, and references to types by their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType

_TYPES = "meshline.api.graphql.asset_types"  # where the types are that others refer to by name


def reference(name: str, many: Any = None) -> Any:
    """A type of the schema by its name; with `many` (`list`, `Connection`), that of it.

    Types of assets refer to each other in a circle, and modules must not: the name is looked up when the schema is made.
    """
    type_: Any = LazyType(name, _TYPES)
    return type_ if many is None else many[type_]


def documented(
    description: str | None, *, name: str | None = None, type_: Any = None
) -> Callable[[Callable[..., object]], StrawberryField]:
    """Like `strawberry.field(description=...)`, which is not typed as a decorator. `type_`: the field's, where that of the resolver is
    less exact because it cannot be imported (see `reference`).
    """

    def decorate(resolver: Callable[..., object]) -> StrawberryField:
        return strawberry.field(resolver, description=description, name=name, graphql_type=type_)

    return decorate
