"""What every source has: where it is and how it is read (`Source`), and what one reading of it yields (`Reading`).

A source reads (bounded I/O), parses (pure) and builds scopes with their content (pure). It never writes:
`meshline.ingest.sources.reading_loader` compares the items with the graph and commits the differences.
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

RIGHTS = "may-read"  # the first part of scopes with rights to read
FOR_MEMBERS = "for_members"  # an attribute of a right: others have it, too, who are not listed: everyone, or the many members of a role


class Entry(NamedTuple):
    """What a source states about one scope. `time`: since when, in microseconds since the epoch (None: the time of the
    loading). `past`: earlier contents with their times, oldest first, so that as-of answers reach back to before
    the source was first ingested.
    """

    scope: Scope
    content: Content
    time: int | None = None
    past: tuple[tuple[int, Content], ...] = ()


class Unchanged(NamedTuple):
    """A scope that was not read again, because its system reports that nothing changed (see `Context.memory`)."""

    scope: Scope


class Refusal(NamedTuple):
    """Input that could not be ingested. `about`: the common beginning of all scopes that it may have stated. These scopes
    are not retracted although they are missing; the empty scope means all scopes of the source.
    """

    error: InvalidInput
    about: Scope = ()


Item: TypeAlias = Entry | Unchanged | Refusal


class Reading(NamedTuple):
    """What one reading of a source yields. `items` can be iterated once.

    `source`: the source's name, e.g. `iceberg/lake`. `complete`: whether the items are all that the source has, so that
    the scopes that are missing are retracted. `atomic`: all items are written in one commit or none is; False for
    a reading that may be too large for the memory. `remember`: called when all is read and written; returns the
    `Context.memory` of the next reading. `has_read_rights`: called when all is read; returns whether the reading states all rights to
    read (MAY_READ) that there are, so that one that it does not state has ended; None: it states none.
    """

    source: str
    items: Iterable[Item]
    complete: bool = False
    atomic: bool = True
    warnings: Sequence[str] = ()
    remember: Callable[[], Mapping[str, str]] | None = None
    has_read_rights: Callable[[], bool] | None = None

    def confirm_rights(self, refused: Iterable[Refusal]) -> bool:
        """Whether all rights to read were read and are stated now. `refused`: what could not be ingested. To be called when all is read."""
        unknown = any(not one.about or one.about[0] == RIGHTS for one in refused)
        return not unknown and self.has_read_rights is not None and self.has_read_rights()


class KnownColumn(NamedTuple):
    """A column as the graph knows it; `type` is empty if no source states it."""

    name: str
    type: str


class Context(NamedTuple):
    """What a source may use.

    - `folder`: the folder that relative paths begin at. `aliases`: short names of namespaces.
    - `memory`: what the source's last reading remembered (ETags, digests); empty if everything must be read.
    - `columns_of`: the columns of a dataset as the graph knows them now; empty if it knows none.
    - `people`: names of owners by e-mail address in lower case, as the graph knows them.
    - `datasets_ending_with`: the known datasets with a name that ends with a text, at the boundary of a part.
    - `datasets_governed_by`: the datasets that a contract governs, by the contract's id.
    - `datasets_in`: the known datasets of a namespace.
    - `variables`: the values of `${NAME}`.
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
        """The namespace that a text means: the one that it is an alias of, else the text itself."""
        return self.aliases.get(text, text)

    def resolve_person(self, text: str) -> str:
        """The name of a team or a person: the owner of a known e-mail address, else the text itself."""
        return self.people.get(text.strip().lower(), text.strip())


# The length apart from the pattern: a pattern that counts letters of all alphabets takes 30 ms to compile, in each model that has it.
SourceName: TypeAlias = Annotated[str, StringConstraints(max_length=100, pattern=r"^[\w.-]+$")]


class SourceConfig(BaseModel):
    """An entry of `sources:` in `mesh.yaml`: the source's name, and the keys of its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: ClassVar[str]  # the first part of the source's name; the source's precedence depends on it
    name: SourceName = "default"

    @property
    def source(self) -> str:
        """The name of the source in statements: `kind/name`."""
        return f"{self.kind}/{self.name}"


class Source(SourceConfig, ABC):
    """Where a source is and how it is read: the same keys in `mesh.yaml` (`sources:`) and on the command line."""

    @abstractmethod
    def read(self, context: Context) -> Reading:
        """Begin a reading. Raises InvalidInput if nothing can be read at all, StoreUnavailable if the source's system cannot be
        reached, MissingExtra.
        """


def drop_repetition(title: str, key: AssetKey) -> str:
    """A title as a catalog shows it; empty if it only repeats the end of the name."""
    return "" if key.name.casefold().endswith(title.casefold()) else title
