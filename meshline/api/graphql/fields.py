"""`@documented`: a field of the schema that is computed, with its description."""

from __future__ import annotations

from collections.abc import Callable

import strawberry
from strawberry.types.field import StrawberryField


def documented(description: str, *, name: str | None = None) -> Callable[[Callable[..., object]], StrawberryField]:
    """Like `strawberry.field(description=...)`, which is not typed as a decorator."""

    def decorate(resolver: Callable[..., object]) -> StrawberryField:
        return strawberry.field(resolver, description=description, name=name)

    return decorate
