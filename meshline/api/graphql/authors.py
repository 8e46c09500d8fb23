"""Who makes a statement by hand."""

from __future__ import annotations

from typing import Annotated

import strawberry

from meshline.api.graphql.context import RequestContext
from meshline.errors import InvalidInput

LONGEST = 500  # characters of a name

By = Annotated[
    str | None,
    strawberry.argument(description="The name of the person who states it. On a server with tokens: not given, or the name of the token."),
]


def check_name(text: str, where: str) -> str:
    name = text.strip()
    if not name or len(name) > LONGEST or not name.isprintable():
        raise InvalidInput(f"give 1 to {LONGEST} printable characters", where)
    return name


def decide_author(request: RequestContext, by: str | None) -> str:
    """The author of a statement: the name of the token if there is one, else the given name. Raises InvalidInput."""
    given = None if by is None else check_name(by, "by")
    if request.actor:
        if given is not None and given != request.actor:
            raise InvalidInput(f"the token belongs to {request.actor!r}, who can make statements only in that name: leave `by` out", "by")
        return request.actor
    if given is None:
        raise InvalidInput("give the name of the person who states it", "by")
    return given
