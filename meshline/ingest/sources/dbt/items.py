"""A project's artifacts -> items of a reading: each node after those that it refers to; only nodes with changed SQL or YAML are read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import NamedTuple

import msgspec

from meshline import __version__
from meshline.errors import InvalidInput
from meshline.graph.content import encode_facts
from meshline.graph.model import DBT_LINEAGE, Facts, Flow, Json
from meshline.ingest.sources.base import Context, Entry, Item, Refusal, Unchanged
from meshline.ingest.sources.dbt.artifacts import DependsOn
from meshline.ingest.sources.dbt.checks import Checks
from meshline.ingest.sources.dbt.facts import (
    Relations,
    Table,
    build_exposure_facts,
    build_group_facts,
    build_table,
    build_table_facts,
    list_certain_columns,
    list_columns,
    list_owners,
)
from meshline.ingest.sources.dbt.flows import ModelDefinition, Names, Upstream, analyse_sql, build_reference_flows
from meshline.ingest.sources.dbt.parse import SCOPE, Artifacts


class References:
    """The tables that nodes refer to, also through ephemeral models, metrics and the like, which are not tables."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._through: dict[str, DependsOn | None] = {id_: one.depends_on for id_, one in artifacts.passages.items()}
        self._through.update({id_: node.depends_on for id_, node in artifacts.nodes.items()})

    def list_tables(self, depends_on: DependsOn | None, tables: Mapping[str, Table]) -> list[str]:
        """The unique ids of the tables that these dependencies lead to, each once."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        waiting = list(reversed(depends_on.nodes)) if depends_on is not None else []
        while waiting:
            id_ = waiting.pop()
            if id_ in tables:
                found[id_] = None
            elif id_ not in seen:
                seen.add(id_)
                behind = self._through.get(id_)
                waiting += reversed(behind.nodes) if behind is not None else ()
        return list(found)


def order_by_references(ids: Iterable[str], references: Callable[[str], Sequence[str]]) -> Iterator[str]:
    """The ids, each after those that it refers to. In a circle of references, one of its members comes first."""
    done: set[str] = set()
    for first in ids:
        if first in done:
            continue
        done.add(first)
        path = [(first, iter(references(first)))]
        while path:
            id_, rest = path[-1]
            following = next((one for one in rest if one not in done), None)
            if following is None:
                path.pop()
                yield id_
            else:
                done.add(following)
                path.append((following, iter(references(following))))


MAX_NOTES = 200  # the most warnings about single models

_NODE = "node:"  # in the memory: (_NODE + unique id) -> _Known
_PROJECT = "project"


class _KnownTable(NamedTuple):
    """What is remembered of a table. `digest`: of everything that its facts depend on. `lineage`: the digest of everything that its
    lineage depends on, empty if it has none. `file`: the digest of its file before it was compiled, and of its own and its upstream
    tables' names. `columns`: those that its SQL defines. `notes`: the parts of the SQL that could not be resolved. `compiled`: whether
    there was SQL.
    """

    digest: str
    lineage: str = ""
    file: str = ""
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    compiled: bool = True


class Settings(NamedTuple):
    """How a project is read. `dialect`: sqlglot's name of its SQL dialect; None if sqlglot does not know it."""

    name: str
    namespace: str
    dialect: str | None
    time: int  # when the manifest was written, in microseconds since the epoch


class Project:
    """One reading of a project: `read_items` can be iterated once, `build_memory` is called after it; `warnings` grow meanwhile."""

    def __init__(self, artifacts: Artifacts, settings: Settings, context: Context) -> None:
        self.warnings: list[str] = list(artifacts.notes)
        self._artifacts = artifacts
        self._settings = settings
        self._context = context
        self._refused: list[Refusal] = list(artifacts.refused)
        self._tables = self._build_tables()
        self._names = Names(Relations(self._tables), settings.namespace, context.naming)
        self._references = References(artifacts)
        self._known: dict[str, _KnownTable] = {}  # of this reading
        self._certain: dict[str, Sequence[str]] = {}
        self._spellings: dict[str, Mapping[str, str]] = {}
        self._before = _decode_memory(context.memory)
        salt = msgspec.json.encode([__version__, version("sqlglot"), settings.namespace, settings.dialect, context.naming.digest])
        self._salt = hashlib.blake2b(salt).digest()
        self._noted = 0
        self._without_sql = 0
        self._checks = Checks(artifacts, self._tables, self._spell_column, f"{SCOPE}/{settings.name}")

    def read_items(self) -> Iterator[Item]:
        yield from self._refused
        for id_ in order_by_references(
            self._tables, lambda id_: self._references.list_tables(self._tables[id_].node.depends_on, self._tables)
        ):
            yield from self._read_table(self._tables[id_])
        artifacts, time = self._artifacts, self._settings.time
        for id_, group in artifacts.groups.items():
            yield Entry((SCOPE, id_), encode_facts(build_group_facts(group)), time)
        for id_, exposure in artifacts.exposures.items():
            used = [self._tables[one] for one in self._references.list_tables(exposure.depends_on, self._tables)]
            yield Entry((SCOPE, id_), encode_facts(build_exposure_facts(id_, exposure, used)), time)
        yield from self._checks.build_entries(self._context.memory, time)
        self._add_summary()

    def build_memory(self) -> dict[str, str]:
        """The memory for the next reading. Call it after `read_items`."""
        nodes = {_NODE + id_: msgspec.json.encode(known).decode() for id_, known in self._known.items()}
        return {**nodes, **self._checks.build_memory(), _PROJECT: self._settings.name}

    def _build_tables(self) -> dict[str, Table]:
        tables: dict[str, Table] = {}
        for id_, node in self._artifacts.nodes.items():
            try:
                table = build_table(id_, node, self._settings.namespace, self._context.naming, self._artifacts.catalog.get(id_))
            except InvalidInput as error:
                section = "sources" if node.source_name is not None else "nodes"
                where = f"{self._artifacts.file}: {section}.{id_}"
                self._refused.append(Refusal(InvalidInput(str(error), where), (SCOPE, id_)))
                continue
            if table is not None:
                tables[id_] = table
        return tables

    def _read_table(self, table: Table) -> Iterator[Item]:
        """The items of a table: its facts, and the flows into it."""
        owned_by = list_owners(table.node, self._artifacts.groups)
        upstream = self._list_upstream(table)
        digest = self._compute_digest(
            table.node, self._artifacts.ran.get(table.id), table.warehouse_type, table.listing, owned_by, _list_parts(upstream)
        )
        before = self._before.get(table.id)
        if before is not None and before.digest == digest:
            known, flows = before, None
        else:
            known, flows = self._read_lineage(table, upstream, before, digest)
        self._known[table.id] = known
        self._add_notes(table, known.notes)
        self._without_sql += table.node.resource_type == "model" and not known.compiled
        if known is before:
            yield Unchanged((SCOPE, table.id))
        else:
            facts = build_table_facts(table, list_columns(table, known.columns), owned_by)
            yield Entry((SCOPE, table.id), encode_facts(facts), self._settings.time)
        scope = (SCOPE, table.id, DBT_LINEAGE)
        if flows:
            yield Entry(scope, encode_facts(Facts(flows=flows)), self._settings.time)
        elif known.lineage:
            yield Unchanged(scope)

    def _read_lineage(
        self, table: Table, upstream: Sequence[Upstream], before: _KnownTable | None, digest: str
    ) -> tuple[_KnownTable, tuple[Flow, ...] | None]:
        """What to remember of a table, and the flows into it; None instead of flows if they are unchanged.

        A dbt command that selects some models writes a manifest in which the others are not compiled. The known lineage of those
        stays.
        """
        node = table.node
        sql = node.compiled_code or self._artifacts.ran.get(table.id)
        lineage = self._compute_digest(sql, table.key, _list_parts(upstream))
        file = self._compute_digest(node.checksum, table.key, [one.table.key for one in upstream])
        if before is not None and before.lineage and (before.lineage == lineage or (sql is None and before.file == file)):
            return before._replace(digest=digest, file=file), None
        defined = self._analyse_model(table, sql, upstream)
        known = _KnownTable(digest, lineage if defined.flows else "", file, defined.columns, defined.notes, sql is not None)
        return known, defined.flows

    def _analyse_model(self, table: Table, sql: str | None, upstream: Sequence[Upstream]) -> ModelDefinition:
        references, language = build_reference_flows(table, upstream), table.node.language or "sql"
        if sql is None or self._settings.dialect is None:
            return ModelDefinition(references)
        if language != "sql":
            return ModelDefinition(references, notes=(f"the model is written in {language}, which is not read",))
        return analyse_sql(table, sql, self._settings.dialect, upstream, self._names)

    def _list_upstream(self, table: Table) -> list[Upstream]:
        """The tables that a node refers to, and the table itself in its earlier state, which an incremental model reads."""
        ids = self._references.list_tables(table.node.depends_on, self._tables)
        found = [Upstream(self._tables[id_], self._list_columns(self._tables[id_])) for id_ in ids if id_ != table.id]
        return [*found, Upstream(table, list_certain_columns(table, ()))] if table.node.resource_type == "model" else found

    def _list_columns(self, table: Table) -> Sequence[str]:
        """The certain columns of a table; its SQL's columns are known once the table was read."""
        found = self._certain.get(table.id)
        if found is None:
            known = self._known.get(table.id)
            found = self._certain[table.id] = list_certain_columns(table, known.columns if known is not None else ())
        return found

    def _compute_digest(self, *given: object) -> str:
        """The digest of the values that something depends on."""
        return hashlib.blake2b(msgspec.json.encode(given), digest_size=16, key=self._salt).hexdigest()

    def _spell_column(self, table: Table, column: str) -> str:
        names = self._spellings.get(table.id)
        if names is None:
            known = self._known.get(table.id)
            columns = list_columns(table, known.columns if known is not None else ())
            names = self._spellings[table.id] = {one.name.casefold(): one.name for one in columns}
        return names.get(column.casefold(), column)

    def _add_notes(self, table: Table, notes: Iterable[str]) -> None:
        for note in notes:
            self._noted += 1
            if self._noted <= MAX_NOTES:
                self.warnings.append(f"{table.path}: {note}")

    def _add_summary(self) -> None:
        if self._noted > MAX_NOTES:
            self.warnings.append(f"{self._noted - MAX_NOTES} more like these")
        if self._without_sql:
            what = f"{self._without_sql} models have no compiled SQL in the manifest, so their lineage is by whole tables"
            self.warnings.append(f"{what}: run `dbt compile` (or build, or docs generate) for lineage by columns")
        if not self._artifacts.catalog and self._tables:
            what = "there is no catalog.json, so the columns of sources, also those that a star selects, are not certain"
            self.warnings.append(f"{what}: run `dbt docs generate` to write it")


def _list_parts(upstream: Sequence[Upstream]) -> list[Json]:
    """The names and columns of upstream tables, which a table's lineage depends on."""
    return [[list(one.table.key.parts), list(one.table.relation), list(one.columns)] for one in upstream]


def find_other_project(memory: Mapping[str, str], name: str) -> str | None:
    """The name of the project that the source had at its last reading, if it is another one; else None."""
    before = memory.get(_PROJECT)
    return before if before is not None and before != name else None


def _decode_memory(memory: Mapping[str, str]) -> dict[str, _KnownTable]:
    """The remembered tables by unique id; empty if another version of this code wrote them."""
    decoder = msgspec.json.Decoder(_KnownTable)
    try:
        return {key.removeprefix(_NODE): decoder.decode(text) for key, text in memory.items() if key.startswith(_NODE)}
    except msgspec.MsgspecError:
        return {}
