"""The systems whose metadata and events were read in tests: one row each, which becomes a table of docs/sources/README.md.

A new system is one row here. Its test file names the system; a test checks that.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Trial(Enum):
    """How a system was tried. `REAL`: the tests run it. `RECORDED`: they read what it once wrote. `IMITATED`: they run a program that
    another project made to imitate it. `REWRITTEN`: what it wrote when it ran was written down by hand. `DOCUMENTED`: its
    documentation describes what is read, and no such system ran.
    """

    REAL = "real server"
    RECORDED = "recorded"
    REAL_AND_RECORDED = "real server in the long tests, recorded in all"
    IMITATED = "imitated server"
    REWRITTEN = "written after what it sent"
    DOCUMENTED = "documented shape only"


class TriedSystem(NamedTuple):
    """A system that was tried. `kind`: of the source that reads it, with its page in `docs/sources/`. `read`, `unread`: in words.
    `test`: the file of its tests, from the root of the repository.
    """

    system: str
    version: str
    trial: Trial
    kind: str
    read: str
    unread: str
    test: str


TRIED = (
    TriedSystem(
        "Spark", "3.5.9, OpenLineage 1.53.0", Trial.RECORDED, "openlineage",
        "runs, datasets, columns, lineage of columns, owners, symlinks", "lineage of columns of RDDs: the producer states none",
        "tests/ingest/sources/test_iceberg_recorded.py",
    ),
    TriedSystem(
        "Airflow", "3.2.2, provider openlineage 2.20.3, common.sql 2.4.0, postgres 7.1.1", Trial.REAL_AND_RECORDED, "openlineage",
        "tasks and DAGs with owners, tags and docs, lineage of columns from their SQL, checks, mapped tasks, hooks, assets",
        "Airflow's own API", "tests/ingest/producers/test_airflow.py",
    ),
    TriedSystem(
        "Flink", "2.0.0, OpenLineage 1.53.0, connectors kafka and jdbc 4.0.0-2.0", Trial.REAL_AND_RECORDED, "openlineage",
        "SQL jobs, batch and streaming, over Kafka, PostgreSQL and files, with their ends", "lineage of columns: Flink states none",
        "tests/ingest/producers/test_flink.py",
    ),
    TriedSystem(
        "OpenLineage's client for Python", "1.54.0", Trial.REAL, "openlineage",
        "events of runs, jobs and datasets over HTTP (also gzip, in the background), Kafka, in files, composite",
        "other transports", "tests/ingest/producers/test_clients.py",
    ),
    TriedSystem(
        "OpenLineage's client for Java", "1.53.0", Trial.REAL_AND_RECORDED, "openlineage",
        "events of runs, jobs and datasets over HTTP (gzip), Kafka, in files, composite", "other transports",
        "tests/ingest/producers/test_clients.py",
    ),
    TriedSystem(
        "Trino", "476", Trial.RECORDED, "openlineage", "queries of every kind: runs, tables, views, columns, lineage of columns",
        "renames; filters of views, unless files of `sql` have them", "tests/ingest/test_trino_recorded.py",
    ),
    TriedSystem(
        "Marquez", "0.51.1", Trial.RECORDED, "marquez", "events, and what no event names", "jobs that Marquez invents of parents",
        "tests/ingest/sources/test_marquez.py",
    ),
    TriedSystem(
        "Iceberg REST", "1.11.0 (reference server)", Trial.REAL, "iceberg",
        "tables, views, columns by id, history, owners, products", "branches and tags of tables",
        "tests/ingest/sources/test_iceberg_rest.py",
    ),
    TriedSystem(
        "Nessie", "0.99.0", Trial.REAL_AND_RECORDED, "iceberg", "tables and views of a branch, as of any Iceberg REST catalog",
        "tags and earlier commits of the catalog", "tests/ingest/sources/test_iceberg_nessie.py",
    ),
    TriedSystem(
        "Polaris", "1.0", Trial.DOCUMENTED, "iceberg", "tables and views of a catalog, with the credentials of a principal; grants",
        "generic tables, policies", "tests/ingest/sources/test_iceberg_polaris.py",
    ),
    TriedSystem(
        "SQL catalog", "pyiceberg 0.12.0, SQLite", Trial.REAL, "iceberg", "tables, columns by id, history, owners, products",
        "views: the library has none there", "tests/ingest/sources/test_iceberg_sql.py",
    ),
    TriedSystem(
        "deltalake", "1.6.6", Trial.REAL, "delta", "tables, columns, constraints, properties, history", "changes of data",
        "tests/ingest/sources/test_delta.py",
    ),
    TriedSystem(
        "Hive metastore", "2.3.9 and 4.0.1", Trial.REAL_AND_RECORDED, "hive",
        "databases, tables, views with their lineage, partition keys, owners, products, Iceberg and Delta tables by their own metadata",
        "partitions, statistics of columns, constraints, Kerberos", "tests/ingest/sources/test_hive.py",
    ),
    TriedSystem(
        "Spark in a Hive metastore", "3.5.9 with Iceberg 1.11.0", Trial.RECORDED, "hive",
        "tables of Parquet, ORC and Iceberg, views, and the names in Spark's own events", "views of other catalogs",
        "tests/ingest/sources/test_hive.py",
    ),
    TriedSystem(
        "AWS Glue", "moto 5.2.5 in its place", Trial.IMITATED, "glue",
        "databases, tables, partition keys, views of Athena with their lineage, Iceberg tables by their own metadata",
        "AWS itself, partitions, Lake Formation's tags and grants, links to other accounts", "tests/ingest/sources/test_glue.py",
    ),
    TriedSystem(
        "Unity Catalog", "REST 2.1", Trial.DOCUMENTED, "unity",
        "catalogs, schemas, tables, views with their lineage, owners, column masks, row filters, primary keys, tags of tables, grants",
        "lineage of Databricks, members of groups, volumes, functions, models, tags of columns", "tests/ingest/sources/test_unity.py",
    ),
    TriedSystem(
        "Gravitino", "REST of 1.0", Trial.DOCUMENTED, "gravitino", "relational catalogs, schemas, tables, owners and tags of tables",
        "views, filesets, topics, models, tags of columns", "tests/ingest/sources/test_gravitino.py",
    ),
    TriedSystem(
        "DataHub", "acryl-datahub 1.7.0.17 (its file sink)", Trial.RECORDED, "datahub",
        "datasets, columns, data jobs, lineage of columns, owners, tags, terms, domains, products, dashboards, charts, siblings",
        "assertions, queries, usage", "tests/ingest/sources/test_datahub.py",
    ),
    TriedSystem(
        "DataHub's API", "OpenAPI v3", Trial.DOCUMENTED, "datahub", "the same, page by page", "assertions, queries, usage",
        "tests/ingest/sources/test_datahub.py",
    ),
    TriedSystem(
        "OpenMetadata", "REST of 1.2 to 2.0; checked by the models of openmetadata-ingestion 2.0.7.0", Trial.DOCUMENTED, "openmetadata",
        "tables, topics, containers, lineage of columns, pipelines, owners, tags, terms, domains, products, dashboards, charts, models",
        "tests of data quality, profiles, usage, contracts, metrics", "tests/ingest/sources/test_openmetadata.py",
    ),
    TriedSystem(
        "dbt", "1.11.16; manifests from 1.5 on", Trial.RECORDED, "dbt",
        "models, sources, exposures, tests, lineage of columns from compiled SQL", "columns of metrics and semantic models",
        "tests/ingest/sources/test_dbt.py",
    ),
    TriedSystem(
        "Debezium", "3.5.0 for PostgreSQL; the configs of other databases as documented", Trial.REAL_AND_RECORDED, "debezium",
        "configs of connectors: from tables to topics; its events: columns of tables in fields of topics",
        "the offsets and the state of connectors", "tests/acceptance/test_chain.py",
    ),
    TriedSystem(
        "Kafka Connect", "4.1.1", Trial.REAL_AND_RECORDED, "debezium", "answers of its REST API", "states of connectors and tasks",
        "tests/acceptance/test_chain.py",
    ),
    TriedSystem(
        "Confluent's wire format", "Avro converters of Apicurio 2.6.13", Trial.REAL_AND_RECORDED, "registry",
        "subjects that the converters registered; messages by Spark", "Confluent's own converters", "tests/acceptance/test_chain.py",
    ),
    TriedSystem(
        "Spark from Kafka", "3.5.9 with Avro, OpenLineage 1.53.0", Trial.REAL_AND_RECORDED, "openlineage",
        "the fields of messages that columns come from, by the plan", "plans with UNION, explode or subqueries: POSSIBLE",
        "tests/ingest/test_message_lineage.py",
    ),
    TriedSystem(
        "Spark's streams from Kafka", "3.5.9, OpenLineage 1.53.0", Trial.REAL_AND_RECORDED, "openlineage",
        "the topics that they read, and topics that they write", "tables and files that they write: no event names them",
        "tests/ingest/producers/test_spark_streams.py",
    ),
    TriedSystem(
        "Apicurio", "2.6.13 (Confluent's API)", Trial.REAL, "registry",
        "subjects, versions with times, references, modes: Avro, JSON Schema, Protobuf", "groups, rules besides compatibility",
        "tests/ingest/sources/test_schema_registry.py",
    ),
    TriedSystem(
        "Confluent Schema Registry", "7 and 8", Trial.DOCUMENTED, "registry", "also times, tags and properties of metadata, pages",
        "rules of data contracts, exporters", "tests/ingest/sources/test_schema_registry_answers.py",
    ),
    TriedSystem(
        "Great Expectations", "0.18, 1.24.1", Trial.RECORDED, "gx", "results and suites", "actions of checkpoints",
        "tests/ingest/sources/test_gx.py",
    ),
    TriedSystem(
        "Soda", "3.5.6", Trial.RECORDED, "soda", "scans and files of checks", "Soda Cloud", "tests/ingest/sources/test_soda.py",
    ),
    TriedSystem(
        "PostgreSQL", "17.6", Trial.REAL, "postgres",
        "tables, views, columns, keys, comments, owners, lineage of views and of pg_stat_statements, usage",
        "functions, procedures, triggers",
        "tests/ingest/sources/test_postgres.py",
    ),
    TriedSystem(
        "DuckDB", "2.0.1", Trial.REAL, "duckdb", "tables, views, columns, keys, comments, lineage of views", "attached databases",
        "tests/ingest/sources/test_duckdb.py",
    ),
    TriedSystem(
        "Snowflake", "exports of ACCOUNT_USAGE", Trial.DOCUMENTED, "snowflake",
        "tables, views, columns, tags, lineage of views and of the histories, usage", "stages, pipes, tasks, streams",
        "tests/ingest/sources/test_warehouses.py",
    ),
    TriedSystem(
        "BigQuery", "exports of INFORMATION_SCHEMA", Trial.DOCUMENTED, "bigquery",
        "tables, views, nested columns, keys, labels, lineage of views and of JOBS, usage", "routines, models, policy tags",
        "tests/ingest/sources/test_warehouses.py",
    ),
    TriedSystem(
        "Ranger", "policies as its REST API exports them", Trial.DOCUMENTED, "ranger",
        "access, masking and row-filter policies of Hive and Trino", "conditions, tag-based policies, members of groups and roles",
        "tests/ingest/sources/test_ranger.py",
    ),
    TriedSystem(
        "Redshift", "exports of SVV_*, SYS_*, STL_*", Trial.DOCUMENTED, "redshift",
        "tables, views, columns, lineage of views and of the histories, usage", "keys, owners, Spectrum's partitions",
        "tests/ingest/sources/test_warehouses.py",
    ),
    TriedSystem(
        "Superset", "6.1.0", Trial.REAL_AND_RECORDED, "superset",
        "dashboards, charts, the columns that they use, filters, datasets of SQL, owners, last view",
        "alerts, reports by mail, row-level security", "tests/ingest/sources/test_superset.py",
    ),
    TriedSystem(
        "Metabase", "its API as of 0.41 to 0.58", Trial.DOCUMENTED, "metabase",
        "dashboards, questions, models, metrics: queries in both forms of MBQL, SQL with its template tags, filters, owners, last view",
        "alerts, subscriptions, actions, permissions", "tests/ingest/sources/test_metabase.py",
    ),
    TriedSystem(
        "Tableau", "answers of its Metadata API", Trial.DOCUMENTED, "tableau",
        "workbooks, dashboards, sheets, the columns and tables upstream of them, owners, tags",
        "fields and their formulas, data sources, flows, custom SQL's columns", "tests/ingest/sources/test_tableau.py",
    ),
    TriedSystem(
        "Power BI", "results of its Scanner API", Trial.DOCUMENTED, "powerbi",
        "semantic models: tables, columns and measures with their lineage by M, SQL in it and DAX; reports, dashboards, owners, last view",
        "which columns a report shows, dataflows, datamarts, lineage of files", "tests/ingest/sources/test_power_bi.py",
    ),
    TriedSystem(
        "Looker", "answers of its API 4.0", Trial.DOCUMENTED, "looker",
        "dashboards, looks, the columns of their fields by LookML or by the SQL of queries, merged results, filters, owners, last view",
        "schedules, boards, always-where conditions of explores", "tests/ingest/sources/test_looker.py",
    ),
    TriedSystem(
        "Evidence", "projects as its documentation describes them", Trial.DOCUMENTED, "evidence",
        "pages with the columns that their SQL reads, queries of sources, owners in the front matter",
        "components without SQL, Evidence Studio", "tests/ingest/sources/test_evidence.py",
    ),
    TriedSystem(
        "Feast", "0.67.0", Trial.RECORDED, "feast",
        "feature views of every kind with their columns, data sources, functions, feature services, owners, tags",
        "label views, saved datasets, permissions", "tests/ingest/sources/test_feast.py",
    ),
    TriedSystem(
        "MLflow", "3.17.2", Trial.REAL_AND_RECORDED, "mlflow",
        "registered models, versions, aliases and stages, runs with their datasets and schemas, tags, owners",
        "Unity Catalog's models, signatures, metrics, traces", "tests/ingest/sources/test_mlflow.py",
    ),
)  # fmt: skip
