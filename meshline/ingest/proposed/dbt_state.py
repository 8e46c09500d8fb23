"""One version of a dbt project, as its manifest says it: its tables, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.content import encode
from meshline.graph.model import AssetKey, AssetKind, Facts
from meshline.ingest.proposed.shape import Text
from meshline.ingest.quality import Check
from meshline.ingest.sources.base import Context, Entry
from meshline.ingest.sources.dbt.artifacts import Manifest
from meshline.ingest.sources.dbt.checks import Checks
from meshline.ingest.sources.dbt.facts import Owner, Relations, Table, certain, listed, owners_of_table, table_facts, table_of
from meshline.ingest.sources.dbt.flows import Defined, Names, Upstream, of_references, of_sql
from meshline.ingest.sources.dbt.parse import SCOPE, Artifacts, project_name, read_texts
from meshline.ingest.sources.dbt.source import References, after_references

MAX_PROBLEMS = 50  # bad entries that are named


class Settings(NamedTuple):
    """`dialect`: of the SQL in sqlglot's words; None if it does not read that. `folder`: of the project, as it is shown.
    `typed`: whether the types of the catalog count: all that is compared has one.
    """

    namespace: str
    dialect: str | None
    folder: str
    typed: bool = False


class _Code(msgspec.Struct, frozen=True, gc=False):
    """A node's SQL before it is compiled."""

    raw_code: str | None = None


def artifacts_of(manifest: Text, catalog: str) -> Artifacts:
    """Raises InvalidInput with all that cannot be read."""
    found = read_texts(Path(manifest.name), manifest.data, catalog.encode() if catalog else None)
    if found.refused:
        problems = [str(one.error) for one in found.refused]
        more = [f"{len(problems) - MAX_PROBLEMS} more like these"] if len(problems) > MAX_PROBLEMS else []
        raise InvalidInput("\n".join([*problems[:MAX_PROBLEMS], *more]))
    return found


class State:
    """A project in one version."""

    def __init__(self, artifacts: Artifacts, settings: Settings, context: Context) -> None:
        """Raises InvalidInput for a table that cannot be named."""
        self.artifacts = artifacts
        self.settings = settings
        self.tables = _tables(artifacts, settings.namespace, context)
        self._context = context
        self._names = Names(Relations(self.tables), settings.namespace, context.naming)
        self._references = References(artifacts)
        self._defined: dict[str, Defined] = {}

    @cached_property
    def ids(self) -> Mapping[AssetKey, str]:
        """Of tables, by their datasets."""
        return {table.key: id_ for id_, table in reversed(self.tables.items())}

    @cached_property
    def checks(self) -> Mapping[AssetKey, Sequence[Check]]:
        """What is tested, by dataset."""
        found: dict[AssetKey, list[Check]] = {}
        suite = f"{SCOPE}/{project_name(self.artifacts)}"
        for one in Checks(self.artifacts, self.tables, lambda _, column: column, suite).defined():
            of = one.check.of
            found.setdefault(of if of.kind is AssetKind.DATASET else model.dataset(*of.parts[:2]), []).append(one.check)
        return found

    def upstream(self, id_: str) -> list[str]:
        """The tables that one refers to."""
        return self._references.tables(self.tables[id_].node.depends_on, self.tables)

    def reads(self, id_: str) -> dict[str, tuple[str, ...]]:
        """All columns of what a table reads, by its name in SQL; after `listing`."""
        found = {}
        for one in self._upstream(self.tables[id_]):
            if one.columns:
                found[".".join(one.table.relation).lower()] = tuple(one.columns)
        return found

    def listing(self, id_: str) -> Sequence[str]:
        """All columns of a table, in order; empty if they are not known for sure."""
        return certain(self.tables[id_], self.defined(id_).columns)

    def defined(self, id_: str) -> Defined:
        """What a table's SQL says, after that of all that is behind it."""
        if id_ not in self._defined:
            for one in after_references([id_], lambda one: () if one in self._defined else self.upstream(one)):
                if one not in self._defined:
                    self._defined[one] = self._read(self.tables[one])
        return self._defined[id_]

    def owners(self, id_: str) -> str:
        """Who owns a table, by the names that the graph shows."""
        found = owners_of_table(self.tables[id_].node, self.artifacts.groups)
        return ", ".join(sorted({self._named(owner) for owner in found}))

    def _named(self, owner: Owner) -> str:
        known = self._context.person(owner.email or owner.name)
        return owner.name if known == owner.email else known

    def entries(self, id_: str) -> list[Entry]:
        """What the dbt source says of a table."""
        table, defined = self.tables[id_], self.defined(id_)
        owned_by = owners_of_table(table.node, self.artifacts.groups)
        facts = table_facts(table, listed(table, defined.columns), owned_by)
        return [
            Entry((SCOPE, id_), encode(facts)),
            Entry((SCOPE, id_, "lineage"), encode(Facts(flows=defined.flows))),
        ]

    def _read(self, table: Table) -> Defined:
        upstream = self._upstream(table)
        sql, dialect = table.node.compiled_code, self.settings.dialect
        if not sql or dialect is None or (table.node.language or "sql") != "sql":
            return Defined(of_references(table, upstream))
        return of_sql(table, sql, dialect, upstream, self._names)

    def _upstream(self, table: Table) -> list[Upstream]:
        found = [Upstream(self.tables[id_], self._certain(id_)) for id_ in self.upstream(table.id) if id_ != table.id]
        return [*found, Upstream(table, certain(table, ()))] if table.node.resource_type == "model" else found

    def _certain(self, id_: str) -> Sequence[str]:
        return certain(self.tables[id_], self._defined[id_].columns if id_ in self._defined else ())


def _tables(artifacts: Artifacts, namespace: str, context: Context) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for id_, node in artifacts.nodes.items():
        try:
            table = table_of(id_, node, namespace, context.naming, artifacts.catalog.get(id_))
        except InvalidInput as error:
            section = "sources" if node.source_name is not None else "nodes"
            raise InvalidInput(str(error), f"{artifacts.file}: {section}.{id_}") from error
        if table is not None:
            tables[id_] = table
    return tables


def raw_codes(manifest: Text, ids: Sequence[str]) -> dict[str, str]:
    """The SQL of nodes before it is compiled."""
    if not ids:
        return {}
    nodes = msgspec.json.decode(manifest.data, type=Manifest).nodes
    decode = msgspec.json.Decoder(_Code).decode
    return {id_: decode(nodes[id_]).raw_code or "" for id_ in ids if id_ in nodes}
