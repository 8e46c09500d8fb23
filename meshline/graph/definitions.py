"""Things as files and systems describe them, in two versions: what ingest parses of them, and the gate compares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import msgspec

from meshline.graph.model import AssetKey
from meshline.graph.promises import Contract, Model, Product, Rule

# Where in a thing: ("model", name, "field", name), ("slo", name), ("port", "output", name), ...; empty: the thing itself.
Part: TypeAlias = tuple[str, ...]


class Definition(msgspec.Struct, frozen=True, omit_defaults=True):
    """A table, view, topic or file as a tool defines it.

    `model`: its columns in order, with their types in the words of `format` (iceberg, delta, avro, json, dbt, or a dialect
    of SQL); a field's `id` stays the same when the column is renamed. `kind`: table, view, ...; `partitioning`: one text for
    each part, e.g. `days(created_at)`. `sql`: the query that computes it, compiled, in a `dialect` of sqlglot. `reads`: all
    columns of tables that it reads, by their names in it, in lower case; of those that are not here they are not known.
    `rules`: what is tested of its rows. `closed`: the paths of objects that allow no other columns than theirs; "": the whole.
    """

    model: Model
    format: str = ""
    kind: str = ""
    partitioning: tuple[str, ...] = ()
    sql: str = ""
    dialect: str = ""
    reads: dict[str, tuple[str, ...]] = {}
    rules: tuple[Rule, ...] = ()
    owner: str = ""
    access: str = ""  # dbt: private, protected or public; empty: not said
    deprecated: bool | None = None
    contracted: bool = False  # dbt compares the columns and types with those that are declared
    constraints: tuple[str, ...] = ()  # kinds of constraints (not_null, unique, ...) that the database enforces
    version: str = ""  # dbt: of a model that has several
    latest_version: str = ""  # the version that a reference without one means
    closed: tuple[str, ...] = ()


Described = TypeVar("Described", bound=Contract | Product | Definition)


class Version(NamedTuple, Generic[Described]):
    """One version of a thing. `datasets`: which datasets of the graph its parts are: of a contract by the name of the model,
    of a product by `direction/port` (`port_names`), of a definition under "". `file`, `lines`: where its parts stand.
    """

    value: Described
    datasets: Mapping[str, tuple[AssetKey, ...]] = {}
    file: str = ""
    lines: Mapping[Part, int] = {}

    def line(self, part: Part) -> int:
        """Where a part stands, or the nearest around it that has a line; 0: not known."""
        while part and part not in self.lines:
            part = part[:-1]
        return self.lines.get(part, 1 if self.file else 0)


class Pair(NamedTuple, Generic[Described]):
    """A thing before and after; None: it was not there, or is gone. Never both."""

    before: Version[Described] | None
    after: Version[Described] | None


AnyPair: TypeAlias = Pair[Contract] | Pair[Product] | Pair[Definition]
