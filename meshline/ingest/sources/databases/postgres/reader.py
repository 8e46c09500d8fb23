"""Reads the system catalogs of a PostgreSQL database, in one read-only transaction with limits on time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, TypeAlias

import psycopg
from psycopg import IsolationLevel, sql

from meshline.errors import InvalidInput, StoreUnavailable
from meshline.graph.model import Json
from meshline.ingest.sources.databases.catalog import (
    CHECK,
    EXCLUDE,
    FOREIGN_KEY,
    FOREIGN_TABLE,
    MATERIALIZED_VIEW,
    PRIMARY_KEY,
    TABLE,
    UNIQUE,
    VIEW,
    Column,
    Constraint,
    Query,
    Table,
    TablePath,
)
from meshline.ingest.sources.databases.postgres.role_rights import ReadRights, build_roles
from meshline.ingest.sources.secrets import Redaction

Row: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = Callable[[str], list[Row]]

OLDEST = 120_000  # PostgreSQL 12
INHERIT_OPTION = 160_000  # from PostgreSQL 16 on, each membership states whether it inherits
MAX_TABLES = 200_000
MAX_STATEMENTS = 50_000  # of pg_stat_statements, whose own limit is 5,000 unless it is set
CONNECT_SECONDS = 10

_KINDS = {"r": TABLE, "p": TABLE, "v": VIEW, "m": MATERIALIZED_VIEW, "f": FOREIGN_TABLE}
_CONSTRAINTS = {"p": PRIMARY_KEY, "u": UNIQUE, "f": FOREIGN_KEY, "c": CHECK, "x": EXCLUDE}
_HIDDEN = "<insufficient privilege>"  # in place of the statements of others


class Reading(NamedTuple):
    """What was read. `database`: its name. `warnings`: what could not be read. `dropped`: statements that the history dropped."""

    database: str
    tables: list[Table]
    queries: list[Query]
    warnings: list[str]
    dropped: int = 0


def read_database(
    arguments: Mapping[str, str], redact: Redaction, seconds: float, is_wanted: Callable[[str, str], bool], *, history: bool, grants: bool
) -> Reading:
    """Read a database. `arguments`: of the connection. `seconds`: the most that one query may take. `is_wanted`: whether a table is wanted,
    by its schema and its name.

    Raises StoreUnavailable if the server cannot be reached or refuses, InvalidInput if it is too old or the arguments are wrong.
    """
    try:
        with psycopg.connect(**_complete_arguments(arguments)) as connection:
            connection.read_only = True
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            version = connection.info.server_version
            if version < OLDEST:
                raise InvalidInput(f"the server is PostgreSQL {version // 10_000}; accepted: 12 and newer", "url")
            limits = {"statement_timeout": f"{int(seconds * 1000)}", "lock_timeout": f"{int(seconds * 1000)}", "search_path": ""}
            for name, value in limits.items():  # without a search_path all names in texts of views have their schema
                connection.execute("SELECT set_config(%s, %s, true)", (name, value))
            return _Reader(connection, is_wanted).read(history=history, grants=grants)
    except psycopg.ProgrammingError as error:
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            raise StoreUnavailable(f"PostgreSQL refuses: {redact(str(error))}") from None
        raise InvalidInput(redact(str(error)), "url") from None
    except psycopg.Error as error:
        raise StoreUnavailable(f"PostgreSQL does not answer: {redact(str(error) or type(error).__name__)}") from None


def _complete_arguments(arguments: Mapping[str, str]) -> dict[str, Any]:
    return {"connect_timeout": CONNECT_SECONDS, "application_name": "meshline", **arguments}


@cache
def read_query(name: str) -> str:
    """A query of `queries/`."""
    return files(__package__).joinpath("queries", f"{name}.sql").read_text("utf-8")


class _Reader:
    def __init__(self, connection: psycopg.Connection[Row], is_wanted: Callable[[str, str], bool]) -> None:
        self._connection = connection
        self._is_wanted = is_wanted
        self._database = connection.info.dbname
        self._warnings: list[str] = []
        self._dropped = 0

    def read(self, *, history: bool, grants: bool) -> Reading:
        relations = [row for row in self._fetch("relations") if self._is_wanted(row[1], row[2])]
        if len(relations) > MAX_TABLES:
            raise InvalidInput(f"the database has {len(relations)} tables and views; accepted: {MAX_TABLES}. Set schemas", "url")
        oids = [row[0] for row in relations]
        parts = _group(self._fetch("partitions", tables=oids))
        paths = {row[0]: self._name(row[1], row[2]) for row in relations}
        for root, rows in parts.items():
            paths.update({row[1]: paths[root] for row in rows})
        columns = _group(self._fetch("columns", tables=oids))
        constraints = _group(self._fetch("constraints", tables=oids))
        reads = _group(self._fetch("dependencies", tables=oids))
        granted = _group(self._fetch("grants", tables=oids)) if grants else {}
        rights = self._read_rights() if grants else None
        tables = [
            self._build_table(
                row, columns.get(row[0], ()), constraints.get(row[0], ()), reads.get(row[0], ()), parts.get(row[0], ()), paths
            )
            for row in relations
        ]
        if rights is not None:
            tables = [
                table._replace(
                    rights=rights.list_rights(
                        row[1], [(one[1], one[2]) for one in granted.get(row[0], ())], row[4], row_security=bool(row[11])
                    )
                )
                for row, table in zip(relations, tables, strict=True)
            ]
        return Reading(self._database, tables, self._read_statements() if history else [], self._warnings, self._dropped)

    def _fetch(self, name: str, **parameters: object) -> list[Row]:
        return self._connection.execute(read_query(name).encode(), parameters).fetchall()

    def _name(self, schema: str, table: str) -> TablePath:
        return (self._database, schema, table)

    def _build_table(
        self,
        row: Row,
        columns: Sequence[Row],
        constraints: Sequence[Row],
        reads: Sequence[Row],
        parts: Sequence[Row],
        paths: Mapping[int, TablePath],
    ) -> Table:
        _, schema, name, kind, owner, comment, text, partitioning, tuples, size, server, secured = row
        leaves = [part[4] for part in parts]
        others: dict[str, Json] = {}
        if partitioning:
            others["partitioning"] = partitioning
            others["partition_count"] = len(parts)
        if server:
            others["foreign_server"] = server
        if secured:
            others["row_security"] = True
        return Table(
            path=self._name(schema, name),
            kind=_KINDS[kind],
            columns=tuple(_build_column(place, one) for place, one in enumerate(columns, start=1)),
            constraints=tuple(_build_constraint(one, paths) for one in constraints),
            description=comment or "",
            owner=owner,
            sql=text or "",
            reads=tuple(paths[one[1]] for one in reads if one[1] in paths),
            parts=tuple(self._name(part[2], part[3]) for part in parts),
            rows=_count_rows(leaves if parts else [tuples]) if kind in "rpm" else None,
            bytes=(sum(part[5] for part in parts) or size) if kind in "rpm" and (size or parts) else None,
            others=others,
        )

    def _read_rights(self) -> ReadRights:
        inherits = "m.inherit_option" if self._connection.info.server_version >= INHERIT_OPTION else "r.rolinherit"
        text = sql.SQL(read_query("roles")).format(inherits=sql.SQL(inherits))
        roles = build_roles(self._connection.execute(text).fetchall())
        users = {name: frozenset(row[1] for row in rows) for name, rows in _group(self._fetch("schema_grants")).items()}
        return ReadRights(roles, users)

    def _read_statements(self) -> list[Query]:
        """What pg_stat_statements has, if it is there and may be read."""
        found = self._connection.execute(
            "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'pg_stat_statements'"
        ).fetchone()
        if found is None:
            self._warnings.append("the extension pg_stat_statements is not in this database: no lineage from its query history")
            return []
        text = sql.SQL(read_query("statements")).format(statements=sql.Identifier(found[0], "pg_stat_statements"))
        try:
            with self._connection.transaction():
                rows = self._connection.execute(text, {"limit": MAX_STATEMENTS}).fetchall()
        except psycopg.Error as error:  # it is not in shared_preload_libraries
            self._warnings.append(f"pg_stat_statements cannot be read: {str(error).partition(chr(10))[0]}")
            return []
        hidden = sum(row[0] == _HIDDEN for row in rows)
        if hidden:
            self._warnings.append(f"{hidden} statements of others are hidden from this role: grant it pg_read_all_stats")
        self._dropped = self._count_dropped(found[0])
        return [Query(row[0], user=row[1], id=row[2], number=row[3]) for row in rows if row[0] and row[0] != _HIDDEN]

    def _count_dropped(self, schema: str) -> int:
        """How often pg_stat_statements has dropped statements that ran seldom; 0 before PostgreSQL 14, which does not state it."""
        try:
            with self._connection.transaction():
                row = self._connection.execute(
                    sql.SQL("SELECT dealloc FROM {}").format(sql.Identifier(schema, "pg_stat_statements_info"))
                ).fetchone()
        except psycopg.Error:
            return 0
        return 0 if row is None else int(row[0])


def _group(rows: Sequence[Row]) -> dict[Any, list[Row]]:
    """The rows by their first column."""
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


def _build_column(position: int, row: Row) -> Column:
    _, name, type_, not_null, expression, generated, identity, comment = row
    default = {"a": "GENERATED ALWAYS AS IDENTITY", "d": "GENERATED BY DEFAULT AS IDENTITY"}.get(identity, expression or "")
    return Column(
        name=name,
        position=position,
        type=type_,
        nullable=not not_null,
        default="" if generated else default,
        generated=expression or "" if generated else "",
        description=comment or "",
    )


def _build_constraint(row: Row, paths: Mapping[int, TablePath]) -> Constraint:
    _, name, type_, columns, definition, other, referenced = row
    return Constraint(
        name=name,
        type=_CONSTRAINTS[type_],
        columns=tuple(columns),
        expression=definition or "",
        references=paths.get(other, ()),
        referenced=tuple(referenced),
    )


def _count_rows(estimates: Sequence[float]) -> int | None:
    """The sum; None if the table was never analysed, which is -1."""
    known = [one for one in estimates if one >= 0]
    return int(sum(known)) if known else None
