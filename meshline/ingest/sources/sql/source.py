"""Files of SQL: views and scripts of one database."""

from __future__ import annotations

from typing import ClassVar

from pydantic import ConfigDict, Field

from meshline.errors import require_extra
from meshline.ingest.sources.base import Context, Reading, Source
from meshline.ingest.sources.files import Paths
from meshline.sql.statement_lineage import Relation


class Sql(Source):
    """Files of SQL for one database."""

    model_config = ConfigDict(validate_by_name=True)

    kind: ClassVar[str] = "sql"
    files: Paths
    dialect: str = Field(description="The dialect as sqlglot names it: trino, spark, snowflake, bigquery, postgres, tsql, dremio, ...")
    namespace: str = Field(
        default="", max_length=1000, description="The namespace of the tables, such as trino://host:8080; by default the dialect's name."
    )
    catalog: str = Field(
        default="", max_length=1000, description="The catalog of names that have none: of `schema.table` and, with `schema`, of `table`."
    )
    schema_: str = Field(default="", max_length=1000, alias="schema", description="The schema of names that have none.")
    complete: bool = Field(default=True, description="Whether these are all files, so that the statements of removed files are retracted.")

    @property
    def defaults(self) -> Relation:
        """The parts that names may leave out, outermost first. A catalog without a schema also completes `schema.table`."""
        if self.catalog:
            return (self.catalog, self.schema_)
        return (self.schema_,) if self.schema_ else ()

    def read(self, context: Context) -> Reading:
        with require_extra("sql", "reading SQL"):
            from meshline.ingest.sources.sql.facts import SqlFileReader  # noqa: PLC0415 - an extra

        reader = SqlFileReader(self.files, self.dialect, self.namespace, self.defaults, context)
        return Reading(self.source, reader.read_items(), complete=self.complete, warnings=reader.warnings)
