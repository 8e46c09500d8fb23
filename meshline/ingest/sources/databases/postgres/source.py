"""PostgreSQL: tables, views with their lineage, keys, comments and owners, and lineage from its query history."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from pydantic import Field

from meshline.errors import InvalidInput, require_extra
from meshline.graph.naming import normalise_namespace
from meshline.ingest.sources.base import Context, Reading, Source
from meshline.ingest.sources.databases.catalog import DatabaseCatalog
from meshline.ingest.sources.databases.facts import CatalogEntries
from meshline.ingest.sources.databases.usage_options import UsageChoice
from meshline.ingest.sources.secrets import Redaction, expand_variables

PORT = 5432
SYSTEM = frozenset({"pg_catalog", "information_schema", "pg_toast"})


class Postgres(Source):
    """A database of PostgreSQL."""

    kind: ClassVar[str] = "postgres"
    url: str = Field(
        min_length=1, max_length=4096, repr=False, description="postgresql://user@host:port/database; ${NAME} is an environment variable."
    )
    password: str = Field(default="", max_length=4096, repr=False, description="The password, as ${NAME}, if it is not in the url.")
    namespace: str = Field(
        default="", max_length=1000, description="The namespace of the tables; by default postgres://host:port, as in OpenLineage's events."
    )
    schemas: tuple[str, ...] = Field(default=(), description="Patterns of schemas, or of schema.table; by default all.")
    exclude: tuple[str, ...] = Field(default=(), description="Patterns of schemas, or of schema.table, that are left out.")
    owners: Mapping[str, str] = Field(default={}, description="The owner that a role means: {orders_rw: 'team:orders'}.")
    history: bool = Field(default=True, description="Whether pg_stat_statements is read for lineage.")
    history_days: int = Field(default=30, ge=1, le=3650, description="For how long a query counts that is no longer in the history.")
    usage: UsageChoice = None
    grants: bool = Field(default=True, description="Whether the grants are read: who may read which table or column.")
    timeout: int = Field(default=60, ge=1, le=3600, description="The most seconds that one query to the database may take.")

    def read(self, context: Context) -> Reading:
        with require_extra("postgres", "reading PostgreSQL"):
            from psycopg import ProgrammingError, conninfo  # noqa: PLC0415 - an extra

            from meshline.ingest.sources.databases.postgres.reader import read_database  # noqa: PLC0415
            from meshline.sql.script import ScriptReader  # noqa: F401, PLC0415 - sqlglot is part of the extra

        written = {"url": self.url, "password": self.password}
        url = expand_variables(self.url, "url", context.variables)
        password = expand_variables(self.password, "password", context.variables)
        redact = Redaction(written, {"url": url, "password": password})
        if urlsplit(url).scheme not in ("postgres", "postgresql"):
            raise InvalidInput(f"found {redact(url)!r}; accepted: postgresql://user@host:port/database", "url")
        try:
            arguments = {name: str(value) for name, value in conninfo.conninfo_to_dict(url).items()}
        except ProgrammingError as error:
            raise InvalidInput(redact(str(error)), "url") from None
        if self.usage is not None and not self.history:
            raise InvalidInput("usage is read from the history: leave out history: false", "usage")
        if password:
            arguments["password"] = password
        redact = Redaction(written, {"url": url, "password": arguments.get("password", "")})
        namespace = context.resolve_namespace(self.namespace) if self.namespace else _format_namespace(url, arguments)
        found = read_database(arguments, redact, self.timeout, self._is_wanted, history=self.history, grants=self.grants)
        catalog = DatabaseCatalog(
            dialect="postgres",
            namespace=normalise_namespace(namespace)[1],
            tables=found.tables,
            queries=found.queries,
            defaults=(found.database, "public"),
            view_schema="pg_catalog",  # all other schemas are in the text, see `reader`
            system_schemas=SYSTEM,
            counts_queries=True,
            dropped_queries=found.dropped,
        )
        entries = CatalogEntries(catalog, context, self.owners, self.history_days, self.usage)
        entries.warnings += found.warnings
        return Reading(
            self.source,
            entries.read_items(),
            complete=True,
            atomic=False,
            warnings=entries.warnings,
            remember=entries.remember,
            has_read_rights=lambda: self.grants,
        )

    def _is_wanted(self, schema: str, table: str) -> bool:
        names = (schema, f"{schema}.{table}")
        wanted = not self.schemas or any(fnmatchcase(name, pattern) for name in names for pattern in self.schemas)
        return wanted and not any(fnmatchcase(name, pattern) for name in names for pattern in self.exclude)


def _format_namespace(url: str, arguments: Mapping[str, str]) -> str:
    """`postgres://host:port` (OpenLineage, Naming.md). Raises InvalidInput if the url does not name one host."""
    host = arguments.get("host") or unquote(urlsplit(url).hostname or "")
    if not host or "/" in host or "," in host:
        raise InvalidInput(
            "the url names no single host after which the tables are named; set namespace: postgres://host:port", "namespace"
        )
    return f"postgres://{host}:{arguments.get('port') or PORT}"
