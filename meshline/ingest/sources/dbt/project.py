"""A project's artifacts -> what is found: each node after those that it refers to; only nodes are read whose SQL or YAML changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import NamedTuple

import msgspec

from meshline import __version__
from meshline.errors import InvalidInput
from meshline.graph.content import encode
from meshline.graph.model import DBT_LINEAGE, Facts, Flow, Json
from meshline.ingest.sources.base import Context, Entry, Item, Refusal, Unchanged
from meshline.ingest.sources.dbt.artifacts import DependsOn
from meshline.ingest.sources.dbt.checks import Checks
from meshline.ingest.sources.dbt.facts import (
    Relations,
    Table,
    certain,
    exposure_facts,
    group_facts,
    listed,
    owners_of_table,
    table_facts,
    table_of,
)
from meshline.ingest.sources.dbt.flows import Defined, Names, Upstream, of_references, of_sql
from meshline.ingest.sources.dbt.parse import SCOPE, Artifacts


class References:
    """What nodes refer to, through ephemeral models, metrics and the like, which are no tables."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._through: dict[str, DependsOn | None] = {id_: one.depends_on for id_, one in artifacts.passages.items()}
        self._through.update({id_: node.depends_on for id_, node in artifacts.nodes.items()})

    def tables(self, depends_on: DependsOn | None, tables: Mapping[str, Table]) -> list[str]:
        """Unique ids of tables, each once."""
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


def after_references(ids: Iterable[str], references: Callable[[str], Sequence[str]]) -> Iterator[str]:
    """Each after those that it refers to. Where they refer to each other in a circle, one begins."""
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


MAX_NOTES = 200  # warnings about single models

_NODE = "node:"  # in the memory: (_NODE + unique id) -> _Known
_PROJECT = "project"


class _Known(NamedTuple):
    """What is remembered of a table. Digests: of all from which it was made, of that from which its lineage was made (empty
    if it has none), of its file before it was compiled and the names around it. `columns`: what its SQL defines. `notes`:
    what that left open. `compiled`: whether there was SQL.
    """

    digest: str
    lineage: str = ""
    file: str = ""
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    compiled: bool = True


class Settings(NamedTuple):
    """How a project is read. `dialect`: of its SQL in sqlglot's words, None if it does not read that."""

    name: str
    namespace: str
    dialect: str | None
    time: int  # when the manifest was written


class Project:
    """One reading: `found` once, then `memory`; `warnings` grow meanwhile."""

    def __init__(self, artifacts: Artifacts, settings: Settings, context: Context) -> None:
        self.warnings: list[str] = list(artifacts.notes)
        self._artifacts = artifacts
        self._settings = settings
        self._context = context
        self._refused: list[Refusal] = list(artifacts.refused)
        self._tables = self._all_tables()
        self._names = Names(Relations(self._tables), settings.namespace, context.naming)
        self._references = References(artifacts)
        self._known: dict[str, _Known] = {}  # of this reading
        self._certain: dict[str, Sequence[str]] = {}
        self._spellings: dict[str, Mapping[str, str]] = {}
        self._before = _remembered(context.memory)
        salt = msgspec.json.encode([__version__, version("sqlglot"), settings.namespace, settings.dialect, context.naming.digest])
        self._salt = hashlib.blake2b(salt).digest()
        self._noted = 0
        self._without_sql = 0
        self._checks = Checks(artifacts, self._tables, self._spelling, f"{SCOPE}/{settings.name}")

    def found(self) -> Iterator[Item]:
        yield from self._refused
        for id_ in after_references(self._tables, lambda id_: self._references.tables(self._tables[id_].node.depends_on, self._tables)):
            yield from self._of_table(self._tables[id_])
        artifacts, time = self._artifacts, self._settings.time
        for id_, group in artifacts.groups.items():
            yield Entry((SCOPE, id_), encode(group_facts(group)), time)
        for id_, exposure in artifacts.exposures.items():
            used = [self._tables[one] for one in self._references.tables(exposure.depends_on, self._tables)]
            yield Entry((SCOPE, id_), encode(exposure_facts(id_, exposure, used)), time)
        yield from self._checks.entries(self._context.memory, time)
        self._summary()

    def memory(self) -> dict[str, str]:
        """What to know at the next reading; after `found`."""
        nodes = {_NODE + id_: msgspec.json.encode(known).decode() for id_, known in self._known.items()}
        return {**nodes, **self._checks.memory(), _PROJECT: self._settings.name}

    def _all_tables(self) -> dict[str, Table]:
        tables: dict[str, Table] = {}
        for id_, node in self._artifacts.nodes.items():
            try:
                table = table_of(id_, node, self._settings.namespace, self._context.naming, self._artifacts.catalog.get(id_))
            except InvalidInput as error:
                section = "sources" if node.source_name is not None else "nodes"
                where = f"{self._artifacts.file}: {section}.{id_}"
                self._refused.append(Refusal(InvalidInput(str(error), where), (SCOPE, id_)))
                continue
            if table is not None:
                tables[id_] = table
        return tables

    def _of_table(self, table: Table) -> Iterator[Item]:
        """What the table is, and what flows into it."""
        owned_by = owners_of_table(table.node, self._artifacts.groups)
        upstream = self._upstream(table)
        digest = self._digest(table.node, self._artifacts.ran.get(table.id), table.called, table.listing, owned_by, _parts(upstream))
        before = self._before.get(table.id)
        if before is not None and before.digest == digest:
            known, flows = before, None
        else:
            known, flows = self._lineage(table, upstream, before, digest)
        self._known[table.id] = known
        self._note(table, known.notes)
        self._without_sql += table.node.resource_type == "model" and not known.compiled
        if known is before:
            yield Unchanged((SCOPE, table.id))
        else:
            facts = table_facts(table, listed(table, known.columns), owned_by)
            yield Entry((SCOPE, table.id), encode(facts), self._settings.time)
        scope = (SCOPE, table.id, DBT_LINEAGE)
        if flows:
            yield Entry(scope, encode(Facts(flows=flows)), self._settings.time)
        elif known.lineage:
            yield Unchanged(scope)

    def _lineage(
        self, table: Table, upstream: Sequence[Upstream], before: _Known | None, digest: str
    ) -> tuple[_Known, tuple[Flow, ...] | None]:
        """What to remember of a table, and what flows into it; None if that is as before.

        A command that selects some models leaves a manifest in which the others are not compiled: what is known of these stays.
        """
        node = table.node
        sql = node.compiled_code or self._artifacts.ran.get(table.id)
        lineage = self._digest(sql, table.key, _parts(upstream))
        file = self._digest(node.checksum, table.key, [one.table.key for one in upstream])
        if before is not None and before.lineage and (before.lineage == lineage or (sql is None and before.file == file)):
            return before._replace(digest=digest, file=file), None
        defined = self._defined(table, sql, upstream)
        known = _Known(digest, lineage if defined.flows else "", file, defined.columns, defined.notes, sql is not None)
        return known, defined.flows

    def _defined(self, table: Table, sql: str | None, upstream: Sequence[Upstream]) -> Defined:
        references, language = of_references(table, upstream), table.node.language or "sql"
        if sql is None or self._settings.dialect is None:
            return Defined(references)
        if language != "sql":
            return Defined(references, notes=(f"it is written in {language}, which is not read",))
        return of_sql(table, sql, self._settings.dialect, upstream, self._names)

    def _upstream(self, table: Table) -> list[Upstream]:
        """The tables that a node refers to, and itself as it was, which an incremental model reads."""
        ids = self._references.tables(table.node.depends_on, self._tables)
        found = [Upstream(self._tables[id_], self._columns(self._tables[id_])) for id_ in ids if id_ != table.id]
        return [*found, Upstream(table, certain(table, ()))] if table.node.resource_type == "model" else found

    def _columns(self, table: Table) -> Sequence[str]:
        """Those of a table that was read before."""
        found = self._certain.get(table.id)
        if found is None:
            known = self._known.get(table.id)
            found = self._certain[table.id] = certain(table, known.columns if known is not None else ())
        return found

    def _digest(self, *given: object) -> str:
        """Of what something was made from."""
        return hashlib.blake2b(msgspec.json.encode(given), digest_size=16, key=self._salt).hexdigest()

    def _spelling(self, table: Table, column: str) -> str:
        names = self._spellings.get(table.id)
        if names is None:
            known = self._known.get(table.id)
            columns = listed(table, known.columns if known is not None else ())
            names = self._spellings[table.id] = {one.name.casefold(): one.name for one in columns}
        return names.get(column.casefold(), column)

    def _note(self, table: Table, notes: Iterable[str]) -> None:
        for note in notes:
            self._noted += 1
            if self._noted <= MAX_NOTES:
                self.warnings.append(f"{table.path}: {note}")

    def _summary(self) -> None:
        if self._noted > MAX_NOTES:
            self.warnings.append(f"{self._noted - MAX_NOTES} more like these")
        if self._without_sql:
            what = f"{self._without_sql} models have no compiled SQL in the manifest, so their lineage is one of whole tables"
            self.warnings.append(f"{what}: run `dbt compile` (or build, or docs generate) for that of columns")
        if not self._artifacts.catalog and self._tables:
            what = "there is no catalog.json, so columns of sources, and what a star of one stands for, are not known for sure"
            self.warnings.append(f"{what}: run `dbt docs generate` for them")


def _parts(upstream: Sequence[Upstream]) -> list[Json]:
    """That of which lineage depends on."""
    return [[list(one.table.key.parts), list(one.table.relation), list(one.columns)] for one in upstream]


def other_project(memory: Mapping[str, str], name: str) -> str | None:
    """The project that the source held before, if that is another one."""
    before = memory.get(_PROJECT)
    return before if before is not None and before != name else None


def _remembered(memory: Mapping[str, str]) -> dict[str, _Known]:
    """By unique id; nothing if another version of this code remembered it."""
    decoder = msgspec.json.Decoder(_Known)
    try:
        return {key.removeprefix(_NODE): decoder.decode(text) for key, text in memory.items() if key.startswith(_NODE)}
    except msgspec.MsgspecError:
        return {}
