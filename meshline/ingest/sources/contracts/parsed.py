"""What becomes of a contract's file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.definitions import Part
from meshline.graph.promises import Contract
from meshline.ingest.documents import Document
from meshline.ingest.sources.contracts.fields import FieldReader
from meshline.ingest.validation import Validated
from meshline.ingest.values import mapping

MAX_NAME = 500  # characters of an id or version


class Parsed(NamedTuple):
    """A contract as a file says it; None if any of it is refused: half a promise would look like one that was withdrawn.

    `lines`: where its parts stand (`meshline.graph.definitions.Part`).
    """

    contract: Contract | None
    refused: tuple[InvalidInput, ...]
    warnings: tuple[str, ...]
    id: str = ""
    lines: Mapping[Part, int] = {}


def parsed(found: Document, contract: Contract, places: tuple[str, str], checked: Validated, reader: FieldReader) -> Parsed:
    """A contract, if nothing of it is refused. `places`: of its id and version, which it must have."""
    refused = [*checked.refused, *reader.refused]
    for place, said in zip(places, (contract.id, contract.version), strict=True):
        path = tuple(place.split("."))
        if not said and not any(error.where == found.where(path) for error in refused):
            refused.append(InvalidInput(f"{place} is missing: a contract has an id and a version", found.where(path[:-1])))
        elif len(said) > MAX_NAME:
            refused.append(InvalidInput(f"{place} has more than {MAX_NAME} characters", found.where(path)))
    warnings = [*checked.warnings, *reader.warnings]
    reader.at(tuple(places[1].split(".")), "version")
    version = found.value
    for part in places[1].split("."):
        version = mapping(version).get(part)
    if isinstance(version, float):
        where = found.where(tuple(places[1].split(".")))
        warnings.append(f"{where}: {places[1]} is a number, so that 1.10 is 1.1; write it in quotes")
    refused.sort(key=lambda error: int(error.where.rpartition(":")[2]))
    return Parsed(None if refused else contract, tuple(refused), tuple(warnings), contract.id, reader.lines)
