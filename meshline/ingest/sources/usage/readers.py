"""Who the readers in a log are: a consumer for each, and the person that it is, too."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, NamedTuple, TypeAlias

from pydantic import Field

from meshline.ingest.sources.base import Context
from meshline.ingest.sources.usage.facts import Reader

Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=1_000)]
Patterns: TypeAlias = dict[Name, Name]
PATTERNS: Patterns = Field(
    default={}, max_length=100_000, description="Patterns of readers -> the consumer that they are: `bi-*: analytics-bi`."
)
MOST_READERS = Field(default=500, ge=1, le=100_000, description="Most readers of a dataset in a month; those who read last are kept.")


class NamedReader(NamedTuple):
    """The consumer that a reader is, and the known owner (a person or a team) that it is, too."""

    consumer: str
    owner: str | None


class ReaderNames:
    """The consumers of readers. `patterns`: of readers, with the consumer that each is."""

    def __init__(self, patterns: Mapping[str, str], context: Context) -> None:
        self._patterns = patterns
        self._context = context
        self._names: dict[str, NamedReader] = {}

    def name_reader(self, reader: str) -> NamedReader:
        known = self._names.get(reader)
        if known is None:
            chosen = self._patterns.get(reader) or next((to for one, to in self._patterns.items() if fnmatchcase(reader, one)), None)
            person = self._context.resolve_person(chosen or reader)
            known = self._names[reader] = NamedReader(person, person if person in self._people else None)
        return known

    @cached_property
    def _people(self) -> frozenset[str]:
        return frozenset(self._context.people.values())


def keep_last_readers(readers: Mapping[str, Reader], most: int) -> tuple[dict[str, Reader], int]:
    """At most so many readers, those who read last; and how many are left out."""
    if len(readers) <= most:
        return dict(readers), 0
    kept = sorted(readers.items(), key=lambda one: (-one[1].all.last, -one[1].all.number, one[0]))
    return dict(kept[:most]), len(readers) - most
