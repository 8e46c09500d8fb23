"""Events looked at before any of them is taken: for `--strict`."""

from __future__ import annotations

from collections.abc import Iterable

from meshline.errors import InvalidInput
from meshline.graph.naming import Naming
from meshline.ingest.openlineage.builder import BatchBuilder
from meshline.ingest.openlineage.files import Found
from meshline.ingest.times import now


def checked(events: Iterable[Found]) -> list[Found]:
    """All events, if all can be used. Raises InvalidInput with the place of the first that cannot."""
    parser = BatchBuilder(Naming()).parser
    found: list[Found] = []
    for event in events:
        if isinstance(event, InvalidInput):
            raise event
        place, body = event
        try:
            parser.parse(body, now())
        except InvalidInput as error:
            raise InvalidInput(str(error), place) from error
        found.append(event)
    return found
