"""The shape of every source: where it is (`Source`), and what one reading of it found (`Reading`).

A source reads (I/O, bounded), parses (pure) and says (pure): scopes with their content. It never writes;
`meshline.ingest.sources.scope_loader` finds out what differs from what the graph holds and commits that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, StringConstraints

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey, Content, Scope
from meshline.graph.naming import Naming
from meshline.ingest.sources.secrets import Variables


class Entry(NamedTuple):
    """What a source says about one scope. `time`: since when it says so, in microseconds since the epoch
    (None: as of the loading). `past`: what it said before, oldest first, with times: so that as-of answers
    reach back further than we do.
    """

    scope: Scope
    content: Content
    time: int | None = None
    past: tuple[tuple[int, Content], ...] = ()


class Unchanged(NamedTuple):
    """A scope that was not read again, because its system says that nothing changed (`Context.memory`)."""

    scope: Scope


class Refusal(NamedTuple):
    """What could not be taken. `about`: the beginning of all scopes that it may have meant, which are not
    taken for gone; the empty scope means any.
    """

    error: InvalidInput
    about: Scope = ()


Item: TypeAlias = Entry | Unchanged | Refusal


class Reading(NamedTuple):
    """What one reading of a source finds, one after the other: `found` is read once.

    `source`: who says it, e.g. `iceberg/lake`. `complete`: whether all that the source has is among what
    is found, so that a scope that is not there any more is gone. `whole`: all is written at once or not at
    all; False for what may be too large to be held. `remember`: called when all was read and written, for
    what `Context.memory` holds the next time.
    """

    source: str
    items: Iterable[Item]
    complete: bool = False
    atomic: bool = True
    warnings: Sequence[str] = ()
    remember: Callable[[], Mapping[str, str]] | None = None


class KnownColumn(NamedTuple):
    """A column as the graph knows it; `type` is empty if nobody said."""

    name: str
    type: str


class Context(NamedTuple):
    """What a source may use. `folder`: where relative paths begin. `aliases`: short names of namespaces.
    `memory`: what the source remembered the last time (etags, digests), empty if it must read all.
    `columns`: the columns of a dataset as the graph knows them now; empty if it does not. `people`: names of
    owners by e-mail address, as the graph knows them. `ending`: the known datasets of which some name ends with a
    text at the boundary of a part. `governed`: the datasets that a contract governs, by its id. `datasets`: the known
    datasets of a namespace. `variables`: values for `${NAME}`.
    """

    naming: Naming
    folder: Path
    aliases: Mapping[str, str] = {}
    memory: Mapping[str, str] = {}
    columns_of: Callable[[AssetKey], list[KnownColumn]] = lambda _: []
    people: Mapping[str, str] = {}
    datasets_ending_with: Callable[[str], list[AssetKey]] = lambda _: []
    datasets_governed_by: Callable[[str], list[AssetKey]] = lambda _: []
    datasets_in: Callable[[str], list[AssetKey]] = lambda _: []
    variables: Variables = lambda _: None

    def resolve_namespace(self, text: str) -> str:
        """A namespace, written out or as its alias."""
        return self.aliases.get(text, text)

    def resolve_person(self, text: str) -> str:
        """The name of a team or a person: of a known e-mail address who has it, else as it was written."""
        return self.people.get(text.strip().lower(), text.strip())


SourceName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,100}$")]


class SourceConfig(BaseModel):
    """An entry of `sources:` in `mesh.yaml`: who says it, and the keys of its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: ClassVar[str]  # the first part of the source's name, by which its precedence is known
    name: SourceName = "default"

    @property
    def source(self) -> str:
        """Who says it: `kind/name`."""
        return f"{self.kind}/{self.name}"


class Source(SourceConfig, ABC):
    """Where a source is and how it is read: the same keys in `mesh.yaml` (`sources:`) and on the command line."""

    @abstractmethod
    def read(self, context: Context) -> Reading:
        """Begin to read. Raises InvalidInput if nothing can be read at all, StoreUnavailable if the system is away, MissingExtra."""
