"""`meshline ingest KIND` for databases, the exports of warehouses, policies of who may read them, and tools whose dashboards query them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from meshline.cli.ingest import Complete, SourceName
from meshline.cli.options import OwnerOfRole, parse_owners
from meshline.cli.sync import make_source_command

Exports: TypeAlias = Annotated[
    list[str], typer.Argument(help="Exported rows (.ndjson, .json, .csv, .parquet), and patterns.", metavar="FILE...")
]
DatabaseNamespace: TypeAlias = Annotated[
    str, typer.Option(help="The namespace of the tables, instead of the address.", show_default=False, metavar="NAMESPACE")
]
HistoryDays: TypeAlias = Annotated[
    int, typer.Option(help="For how many days a query counts that is no longer in the history.", min=1, max=3650)
]
UsageChoice: TypeAlias = Annotated[
    bool, typer.Option("--usage", help="Load who read which tables and columns, too: the statements of the history that only read.")
]
Reader: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="With --usage: the consumer that users are; may be repeated.", show_default=False, metavar="PATTERN=CONSUMER"),
]
WholeHistory: TypeAlias = Annotated[
    bool,
    typer.Option("--whole-history", help="With --usage: no read is missing in the history, so that the gate may rely on what is not read."),
]

DatabaseNames: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--database",
        help="Where the tables of a database that the tool connects to are, if its address does not state it; may be repeated.",
        show_default=False,
        metavar="NAME=NAMESPACE",
    ),
]


def _build_usage(usage: bool, reader: list[str] | None, whole_history: bool) -> dict[str, object] | None:  # noqa: FBT001 - options
    """The key `usage`. Raises InvalidInput."""
    from meshline.errors import InvalidInput

    if not usage and (reader or whole_history):
        raise InvalidInput("it needs --usage", "--reader" if reader else "--whole-history")
    found = dict(one.partition("=")[::2] for one in reader or ())
    if not all(found.values()):
        raise InvalidInput("accepted is PATTERN=CONSUMER, such as 'bi-*=analytics-bi'", "--reader")
    return {"readers": found, "complete": whole_history} if usage else None


@make_source_command("postgres")
def postgres(
    url: Annotated[
        str,
        typer.Argument(help="postgresql://user@host:port/database; ${NAME} is an environment variable.", metavar="URL", show_default=False),
    ],
    *,
    name: SourceName = "default",
    password: Annotated[
        str, typer.Option(help="The password, as '${NAME}'; by default that of the URL, PGPASSWORD or ~/.pgpass.", metavar="PASSWORD")
    ] = "",
    namespace: DatabaseNamespace = "",
    schema: Annotated[
        list[str] | None,
        typer.Option(help="Only these schemas or schema.tables, e.g. 'sales*'; may be repeated.", show_default=False, metavar="PATTERN"),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Not these schemas or schema.tables; may be repeated.", show_default=False, metavar="PATTERN"),
    ] = None,
    owner: OwnerOfRole = None,
    history: Annotated[bool, typer.Option("--history/--no-history", help="Read pg_stat_statements for lineage.")] = True,
    history_days: HistoryDays = 30,
    usage: UsageChoice = False,
    reader: Reader = None,
    whole_history: WholeHistory = False,
    grants: Annotated[bool, typer.Option("--grants/--no-grants", help="Read the grants: who may read which table or column.")] = True,
    timeout: Annotated[int, typer.Option(help="The most seconds that one query may take.", min=1, max=3600)] = 60,
) -> dict[str, object]:
    """Load a PostgreSQL database: tables, views with their lineage, keys, comments, and lineage from its query history."""
    return {
        "name": name,
        "url": url,
        "password": password,
        "namespace": namespace,
        "schemas": schema or [],
        "exclude": exclude or [],
        "owners": parse_owners(owner),
        "history": history,
        "history_days": history_days,
        "usage": _build_usage(usage, reader, whole_history),
        "grants": grants,
        "timeout": timeout,
    }


@make_source_command("duckdb")
def duckdb(
    path: Annotated[str, typer.Argument(help="The file of the database.", metavar="FILE", show_default=False)],
    *,
    name: SourceName = "default",
    namespace: DatabaseNamespace = "",
) -> dict[str, object]:
    """Load a DuckDB file: tables, views with their lineage, keys, comments."""
    return {"name": name, "path": path, "namespace": namespace}


@make_source_command("snowflake")
def snowflake(
    file: Exports,
    *,
    account: Annotated[str, typer.Option(help="The account, as in OpenLineage's events: organisation-account.", metavar="ACCOUNT")],
    name: SourceName = "default",
    owner: OwnerOfRole = None,
    history_days: HistoryDays = 30,
    usage: UsageChoice = False,
    reader: Reader = None,
    whole_history: WholeHistory = False,
    complete: Complete = False,
) -> dict[str, object]:
    """Load exported views of Snowflake: TABLES, COLUMNS, VIEWS, TAG_REFERENCES, QUERY_HISTORY, ACCESS_HISTORY."""
    return {
        "name": name,
        "files": file,
        "account": account,
        "owners": parse_owners(owner),
        "history_days": history_days,
        "usage": _build_usage(usage, reader, whole_history),
        "complete": complete,
    }


@make_source_command("bigquery")
def bigquery(
    file: Exports,
    *,
    name: SourceName = "default",
    owner: OwnerOfRole = None,
    history_days: HistoryDays = 30,
    usage: UsageChoice = False,
    reader: Reader = None,
    whole_history: WholeHistory = False,
    complete: Complete = False,
) -> dict[str, object]:
    """Load exported views of BigQuery: TABLES, COLUMNS, COLUMN_FIELD_PATHS, VIEWS, TABLE_OPTIONS, TABLE_STORAGE, JOBS."""
    return {
        "name": name,
        "files": file,
        "owners": parse_owners(owner),
        "history_days": history_days,
        "usage": _build_usage(usage, reader, whole_history),
        "complete": complete,
    }


@make_source_command("redshift")
def redshift(
    file: Exports,
    *,
    cluster: Annotated[str, typer.Option(help="The cluster: its endpoint, or name.region:port.", metavar="CLUSTER")],
    database: Annotated[str, typer.Option(help="The database of the rows of PG_VIEWS.", show_default=False, metavar="NAME")] = "",
    name: SourceName = "default",
    owner: OwnerOfRole = None,
    history_days: HistoryDays = 30,
    usage: UsageChoice = False,
    reader: Reader = None,
    whole_history: WholeHistory = False,
    complete: Complete = False,
) -> dict[str, object]:
    """Load exported views of Redshift: SVV_TABLES, SVV_COLUMNS, SVV_TABLE_INFO, PG_VIEWS, SYS_QUERY_HISTORY, STL_QUERY."""
    return {
        "name": name,
        "files": file,
        "cluster": cluster,
        "database": database,
        "owners": parse_owners(owner),
        "history_days": history_days,
        "usage": _build_usage(usage, reader, whole_history),
        "complete": complete,
    }


@make_source_command("ranger")
def ranger(
    file: Annotated[list[str], typer.Argument(help="Exported policies (JSON), and patterns.", metavar="FILE...")],
    *,
    namespace: Annotated[str, typer.Option(help="The namespace of the datasets that the service protects.", metavar="NAMESPACE")],
    service: Annotated[str, typer.Option(help="The service, if the files have several.", show_default=False, metavar="NAME")] = "",
    name: SourceName = "default",
) -> dict[str, object]:
    """Load exported policies of Apache Ranger: who may read which table or column, with masks and row filters."""
    return {"name": name, "files": file, "namespace": namespace, "service": service}


@make_source_command("superset")
def superset(
    what: Annotated[
        list[str],
        typer.Argument(
            help="The address of Superset, e.g. http://superset:8088; or its exports (.zip, or unpacked), and patterns.",
            metavar="WHAT",
            show_default=False,
        ),
    ],
    *,
    name: SourceName = "default",
    url: Annotated[
        str, typer.Option(help="With exports: the address of Superset, for links and names.", show_default=False, metavar="URL")
    ] = "",
    user: Annotated[str, typer.Option(help="The account that reads; ${NAME} is an environment variable.", metavar="NAME")] = "",
    password: Annotated[str, typer.Option(help="Its password, as '${NAME}'.", metavar="PASSWORD")] = "",
    provider: Annotated[str, typer.Option(help="Where the account is: db or ldap.", metavar="NAME")] = "db",
    token: Annotated[str, typer.Option(help="Instead of an account, a bearer token, as '${NAME}'.", metavar="TOKEN")] = "",
    database: DatabaseNames = None,
) -> dict[str, object]:
    """Read the dashboards, charts and datasets of an Apache Superset, or of its exports."""
    from meshline.errors import InvalidInput

    addresses = [one for one in what if "://" in one]
    if addresses and (len(what) > 1 or url):
        raise InvalidInput(f"found {len(what)} places; accepted is one address, or exports", "WHAT")
    return {
        "name": name,
        "url": addresses[0] if addresses else url,
        "files": [] if addresses else what,
        "user": user,
        "password": password,
        "provider": provider,
        "token": token,
        "databases": parse_databases(database),
    }


@make_source_command("metabase")
def metabase(
    url: Annotated[str, typer.Argument(help="The address of Metabase, e.g. http://metabase:3000.", metavar="URL", show_default=False)],
    *,
    name: SourceName = "default",
    api_key: Annotated[str, typer.Option(help="An API key, as '${NAME}', an environment variable.", metavar="KEY")] = "",
    user: Annotated[str, typer.Option(help="Instead of a key, the e-mail address of an account.", metavar="ADDRESS")] = "",
    password: Annotated[str, typer.Option(help="Its password, as '${NAME}'.", metavar="PASSWORD")] = "",
    database: DatabaseNames = None,
) -> dict[str, object]:
    """Read the dashboards, questions and models of a Metabase."""
    return {
        "name": name,
        "url": url,
        "api_key": api_key,
        "user": user,
        "password": password,
        "databases": parse_databases(database),
    }


@make_source_command("tableau")
def tableau(
    file: Annotated[list[str], typer.Argument(help="Answers of Tableau's Metadata API (JSON), and patterns.", metavar="FILE...")],
    *,
    name: SourceName = "default",
    url: Annotated[str, typer.Option(help="The address of the site, for links.", show_default=False, metavar="URL")] = "",
    database: DatabaseNames = None,
) -> dict[str, object]:
    """Load the dashboards and sheets of Tableau from exported answers of its Metadata API."""
    return {"name": name, "files": file, "url": url, "databases": parse_databases(database)}


def parse_databases(given: list[str] | None) -> dict[str, dict[str, str]]:
    from meshline.errors import InvalidInput

    found = dict(one.partition("=")[::2] for one in given or ())
    if not all(found.values()):
        raise InvalidInput("accepted is NAME=NAMESPACE, such as Shop=postgres://db:5432", "--database")
    return {name: {"namespace": namespace} for name, namespace in found.items()}
