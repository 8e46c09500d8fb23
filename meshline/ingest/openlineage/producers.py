"""What is known of producers: which of their schemas list all columns, and what they never state.

A producer is identified by `jobType.integration`. Each rule here was found by running the producer (docs/openlineage.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from meshline.ingest.openlineage.facet_types import JobType, LifecycleStateChange, Sql
from meshline.ingest.openlineage.facets import FacetReader, Place, Text

# Producers whose inputs list all columns of a table, even if only some are read.
_WHOLE_INPUTS = frozenset({"AIRFLOW", "SPARK"})
# Producers whose outputs list all columns of a table, even if it is only updated.
_WHOLE_UPDATES = frozenset({"AIRFLOW", "SPARK"})
# Trino lists the columns that a query sets, dbt those that the project documents.
_PARTIAL_OUTPUTS = frozenset({"TRINO", "DBT"})
_REPLACING = frozenset({"CREATE", "OVERWRITE", "TRUNCATE"})  # lifecycleStateChange

# Databases from which Spark reads the result of a query as a table: the columns are those of the query.
_QUERIED = re.compile(
    r"(?:postgres|postgresql|mysql|mssql|sqlserver|oracle|snowflake|redshift|trino|teradata|hive|bigquery)\b", re.IGNORECASE
)

_MAX_STATEMENT = 10_000  # characters in which the first keywords of a text are looked for
_COMMENT = re.compile(r"\s+|--[^\n]*(?:\n|$)|/\*.*?\*/", re.DOTALL)
_UPDATING = re.compile(r"(?:UPDATE|MERGE|DELETE)\b", re.IGNORECASE)
_CREATING = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:TABLE|(?:MATERIALIZED\s+)?VIEW)\s+(?!IF\s+NOT\s+EXISTS\b)",
    re.IGNORECASE,
)
_CREATING_TABLE = re.compile(r"CREATE\s+(?:OR\s+REPLACE\s+)?TABLE\b", re.IGNORECASE)
UNFINISHED = "__dbt_tmp"  # what dbt adds to the name of a table until it is made


class Producer(NamedTuple):
    """The producer of a run. `integration`: in capitals, empty if unknown. `statement`: the SQL of the job, without leading comments.

    `job_type`: the producer's name for the kind of job, in capitals.
    """

    integration: str = ""
    statement: str = ""
    job_type: str = ""

    @property
    def creates(self) -> bool:
        """Whether the SQL creates or replaces its target."""
        return _CREATING.match(self.statement) is not None

    @property
    def is_query(self) -> bool:
        """Whether each query is a job of its own, whose name is never used again."""
        return self.integration == "TRINO"

    @property
    def names_outputs_after_inputs(self) -> bool:
        """Whether the name of an output identifies its input (`list_output_ends`). Debezium sends each of them in an event of its own."""
        return self.integration == "DEBEZIUM"

    def has_messages(self, namespace: str) -> bool:
        """Whether the columns `key` and `value` of a dataset in this namespace are messages, in which its columns are (Spark's Kafka)."""
        return self.integration == "SPARK" and namespace.startswith("kafka://")

    @property
    def writes_no_datasets(self) -> bool:
        """Whether the outputs of a job are no datasets: dbt names a table for each test, and no such table exists."""
        return (self.integration, self.job_type) == ("DBT", "TEST")

    @property
    def names_columns_by_select_list(self) -> bool:
        """Whether column lineage uses the names of the SELECT list, and lacks filters, joins and what MERGE writes (openlineage-sql): the
        SQL is better.
        """
        return self.integration == "AIRFLOW"

    @property
    def leaves_out_inputs(self) -> bool:
        """Whether the inputs may lack tables that the job reads and that only its column lineage names."""
        return self.integration == "AIRFLOW"

    def find_finished_name(self, output: str) -> str:
        """The name that an output has once it is finished. dbt creates a table under another name and renames it, which Trino never states.

        A view of such a name is no table to be: an increment is read from it.
        """
        if self.is_query and len(output) > len(UNFINISHED) and _CREATING_TABLE.match(self.statement):
            return output.removesuffix(UNFINISHED)
        return output

    def is_replacement(self, change: str) -> bool:
        """Whether the content of an output is replaced. `change`: its lifecycleStateChange, empty if none."""
        return change in _REPLACING or self.creates

    def has_whole_input(self, namespace: str) -> bool:
        """Whether the schema of an input lists all columns of the table."""
        if self.integration not in _WHOLE_INPUTS:
            return False
        return self.integration != "SPARK" or _QUERIED.match(namespace) is None

    def has_whole_output(self, change: str) -> bool:
        """Whether the schema of an output lists all columns of the table. `change`: its lifecycleStateChange, empty if none."""
        if self.integration == "DBT":
            return False
        if self.is_replacement(change):
            return True
        if self.integration in _PARTIAL_OUTPUTS:
            return False
        return self.integration in _WHOLE_UPDATES or _UPDATING.match(self.statement) is None


def find_producer(facets: Mapping[str, Text], reader: FacetReader) -> Producer:
    """The producer of a run, or of a declared job. `facets`: the facets of the job."""
    job_type = _read_value(facets.get("jobType"), "jobType", reader)
    sql = _read_value(facets.get("sql"), "sql", reader)
    return Producer(
        (job_type.integration or "").strip().upper() if isinstance(job_type, JobType) else "",
        _strip_comments(sql.query or "") if isinstance(sql, Sql) else "",
        (job_type.job_type or "").strip().upper() if isinstance(job_type, JobType) else "",
    )


def find_change(facet: Text | None, reader: FacetReader) -> str:
    """The lifecycleStateChange that a facet states, in capitals; empty if none."""
    value = reader.read(Place.DATASET, "lifecycleStateChange", facet).value if facet else None
    if not isinstance(value, LifecycleStateChange) or value.deleted is True:
        return ""
    return (value.lifecycle_state_change or "").upper()


def _read_value(facet: Text | None, name: str, reader: FacetReader) -> object:
    return reader.read(Place.JOB, name, facet).value if facet else None


def _strip_comments(text: str) -> str:
    """The beginning of a statement, without leading comments."""
    at = 0
    text = text[:_MAX_STATEMENT]
    while (comment := _COMMENT.match(text, at)) is not None and comment.end() > at:
        at = comment.end()
    return text[at:]
