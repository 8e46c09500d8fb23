"""`meshline ingest KIND`: a command for each kind of source except OpenLineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from meshline.cli.options import OwnerOfRole, Server, Store, Strict, parse_owners
from meshline.cli.sync import ingest_source, make_source_command

if TYPE_CHECKING:
    from meshline.ingest.mesh import Mesh
    from meshline.ingest.sources.reading_loader import Loading


def mesh(
    file: Annotated[list[Path], typer.Argument(help="Mesh files.", metavar="FILE")],
    *,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load mesh files: domains, products, teams, consumers.

    Entries that a file had before and does not have any more are retracted.
    """
    from meshline.cli.exit_codes import REFUSED
    from meshline.cli.terminal import exit_on_refusal
    from meshline.ingest.mesh import parse_mesh_file, read_mesh_file

    contents = [(path, read_mesh_file(path)) for path in file]
    if strict:
        with exit_on_refusal():  # before anything is written
            for path, data in contents:
                parse_mesh_file(data, str(path), strict=True)
    refused = sum(_load_file(path, data, store, server) for path, data in contents)
    if refused:
        raise typer.Exit(REFUSED)


def _load_file(path: Path, data: bytes, store: str | None, server: str | None) -> int:
    """Load one file. Returns the number of refused entries."""
    from meshline.cli.terminal import write_message
    from meshline.errors import InvalidInput
    from meshline.ingest.mesh import parse_mesh_file

    try:
        parsed = parse_mesh_file(data, str(path))
    except InvalidInput as error:
        write_message(f"refused: {error}")
        return 1
    for refusal in parsed.refused:
        write_message(f"refused: {refusal}")
    for warning in parsed.warnings:
        write_message(f"warning: {warning}")
    if server is None:
        write_message(_load_into_store(path, parsed, store))
    elif parsed.refused:
        write_message(f"{parsed.source}: nothing loaded, because a server loads a file as a whole or not at all")
    else:
        write_message(_send_to_server(path, data, server))
    return len(parsed.refused)


def _load_into_store(path: Path, mesh: Mesh, store: str | None) -> str:
    from meshline.cli.store import open_graph
    from meshline.ingest.catalog_aliases import apply_rules
    from meshline.ingest.mesh import load_mesh, read_file_time
    from meshline.ingest.sources.sync import sync_or_raise
    from meshline.ingest.sources.target import LocalTarget

    with open_graph(store, mesh=mesh) as graph:
        loading = sync_or_raise(
            LocalTarget(graph.graph, graph.naming), mesh.source, lambda: load_mesh(graph.graph, mesh, graph.naming, read_file_time(path))
        )
        apply_rules(graph.graph)
        return describe_mesh(loading)


def describe_mesh(loading: Loading) -> str:
    """The counts of loading a file, as a sentence."""
    parts = [f"{loading.new + loading.changed} entries changed", f"{loading.unchanged} unchanged", f"{loading.retracted} retracted"]
    if loading.kept:
        parts.append(f"{loading.kept} that are gone kept, because entries were refused")
    return f"{loading.source}: {', '.join(parts)}"


def _send_to_server(path: Path, data: bytes, server: str) -> str:
    from meshline.cli.http_client import HttpClient

    with HttpClient.connect(server) as remote:
        answer = remote.put_mesh(data, name=path.name)
    return f"{answer.source}: {answer.changed} entries changed, {answer.unchanged} unchanged, {answer.retracted} retracted"


@make_source_command("contract")
def contract(
    file: Annotated[list[str], typer.Argument(help="Contract files, and patterns such as 'contracts/**/*.yaml'.", metavar="FILE")],
    *,
    name: Annotated[str, typer.Option(help="Name of the source: contract/NAME.")] = "default",
    complete: Annotated[bool, typer.Option("--complete", help="Retract the source's other statements: these are all its files.")] = False,
) -> dict[str, object]:
    """Load data contracts: their promises, datasets and consumers."""
    return {"name": name, "files": file, "complete": complete}


@make_source_command("product")
def product(
    file: Annotated[list[str], typer.Argument(help="Specification files, and patterns such as 'products/**/*.yaml'.", metavar="FILE")],
    *,
    name: Annotated[str, typer.Option(help="Name of the source: product/NAME.")] = "default",
    complete: Annotated[bool, typer.Option("--complete", help="Retract the source's other statements: these are all its files.")] = False,
) -> dict[str, object]:
    """Load data product specifications: ports, service levels, owners, personal data."""
    return {"name": name, "files": file, "complete": complete}


@make_source_command("iceberg")
def iceberg(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="A catalog's address, e.g. http://iceberg-rest:8181; or metadata files, patterns such as 'iceberg/*.json'.", metavar="WHAT"
        ),
    ] = None,
    *,
    name: Annotated[str, typer.Option(help="Name of the source: iceberg/NAME.")] = "default",
    catalog: Annotated[
        str, typer.Option(help="The catalog's name in pyiceberg's configuration, or in a SQL catalog. [default: NAME]")
    ] = "",
    properties: Annotated[
        list[str] | None,
        typer.Option(
            "--property", help="A property of the catalog, as pyiceberg names it; ${NAME} is an environment variable.", metavar="KEY=VALUE"
        ),
    ] = None,
    namespace: Annotated[str, typer.Option(help="The namespace of the tables. [default: the catalog's address]", show_default=False)] = "",
    table: Annotated[list[str] | None, typer.Option(help="Only these tables: patterns of schema.table.", metavar="PATTERN")] = None,
    grants: Annotated[bool, typer.Option("--grants", help="Read of Polaris who may read each table, too.")] = False,
    owner: OwnerOfRole = None,
    parallel: Annotated[int, typer.Option(help="The number of tables that are read at the same time.", min=1, max=64)] = 8,
) -> dict[str, object]:
    """Load the tables and views of an Iceberg catalog: columns, history, owners, products."""
    from meshline.errors import InvalidInput

    given = dict(one.partition("=")[::2] for one in properties or ())
    if not all(given):
        raise InvalidInput("accepted are properties such as warehouse=sales", "--property")
    uris = [one for one in what or () if "://" in one]
    if uris and len(what or ()) > 1:
        raise InvalidInput(f"found {len(what or ())} places; accepted is one catalog, or files", "WHAT")
    return {
        "name": name,
        "uri": uris[0] if uris else "",
        "catalog": catalog,
        "properties": given,
        "files": [] if uris else list(what or ()),
        "namespace": namespace,
        "tables": list(table or ()),
        "grants": grants,
        "owners": parse_owners(owner),
        "parallel": parallel,
    }


@make_source_command("delta")
def delta(
    table: Annotated[
        list[str], typer.Argument(help="Folders of Delta tables, patterns such as 'lake/*/*', and URLs such as s3://bucket/table.")
    ],
    *,
    name: Annotated[str, typer.Option(help="Name of the source: delta/NAME.")] = "default",
    storage_option: Annotated[
        list[str] | None,
        typer.Option(help="An option of the storage, as deltalake names it; ${NAME} is an environment variable.", metavar="KEY=VALUE"),
    ] = None,
    versions: Annotated[int, typer.Option(help="The number of commits of a table that are read for its history.", min=1, max=10_000)] = 100,
    complete: Annotated[bool, typer.Option("--complete", help="Retract the source's other tables: these are all that it has.")] = False,
) -> dict[str, object]:
    """Load Delta Lake tables: columns, constraints, properties, and their history."""
    from meshline.errors import InvalidInput

    options = dict(option.partition("=")[::2] for option in storage_option or ())
    if not all(options.values()):
        raise InvalidInput("accepted are options such as AWS_REGION=eu-west-1", "--storage-option")
    return {"name": name, "tables": table, "storage_options": options, "versions": versions, "complete": complete}


@make_source_command("debezium")
def debezium(
    file: Annotated[list[str], typer.Argument(help="Configs of connectors (JSON, YAML, properties), and patterns.", metavar="FILE")],
    *,
    name: Annotated[str, typer.Option(help="Name of the source: debezium/NAME.")] = "default",
    kafka: Annotated[
        str, typer.Option(help="The topics' broker. [default: the broker in a config]", metavar="HOST:PORT", show_default=False)
    ] = "",
    complete: Annotated[bool, typer.Option("--complete", help="Retract the source's other connectors: these are all that it has.")] = False,
) -> dict[str, object]:
    """Load Debezium connectors: from database tables to Kafka topics."""
    return {"files": file, "name": name, "kafka": kafka, "complete": complete}


@make_source_command("dbt")
def dbt(
    path: Annotated[Path, typer.Argument(help="The folder into which dbt writes manifest.json: target/.", metavar="TARGET")],
    *,
    name: Annotated[str, typer.Option(help="Name of the source: dbt/NAME. Each project has one of its own.")] = "default",
    namespace: Annotated[
        str | None,
        typer.Option(
            help="Namespace of the project's datasets, as in its OpenLineage events: snowflake://account, postgres://host:port, ...",
            metavar="NAMESPACE",
        ),
    ] = None,
    profiles: Annotated[
        Path | None, typer.Option(help="dbt's profiles.yml or its folder, from which the namespace is derived instead.", metavar="PATH")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Which of its profiles, if it has several.")] = None,
    target: Annotated[str | None, typer.Option(help="Which of the profile's targets, if not its own choice.")] = None,
    dialect: Annotated[
        str | None, typer.Option(help="The SQL dialect, as sqlglot names it. [default: the adapter's]", show_default=False)
    ] = None,
) -> dict[str, object]:
    """Load a dbt project: models, sources, seeds, snapshots, exposures, tests, and column lineage from compiled SQL.

    What the project no longer has is retracted.
    """
    return {
        "path": str(path),
        "name": name,
        "namespace": namespace,
        "profiles": str(profiles) if profiles is not None else None,
        "profile": profile,
        "target": target,
        "dialect": dialect,
    }


Files = typer.Argument(help="Files and patterns.", metavar="FILE...")
DatasetName: TypeAlias = Annotated[
    str | None, typer.Option(help="The dataset of all checks and results.", show_default=False, metavar="NAMESPACE/NAME")
]
DatasetNames: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--map", help="The dataset for a name in the tool; may be repeated.", show_default=False, metavar="NAME=NAMESPACE/NAME"),
]
Namespace: TypeAlias = Annotated[
    str | None, typer.Option(help="The namespace of tables whose names have none.", show_default=False, metavar="NAMESPACE")
]
Suite: TypeAlias = Annotated[str | None, typer.Option(help="The suite, if a file does not name it.", show_default=False, metavar="NAME")]
Complete: TypeAlias = Annotated[
    bool, typer.Option("--complete", help="Retract the source's other checks and results: these are all its files.")
]
SourceName: TypeAlias = Annotated[str, typer.Option(help="Name of the source, if there are several of its kind.", metavar="NAME")]


def ingest_checks(kind: str, given: Mapping[str, object], *, strict: bool, store: str | None, server: str | None) -> None:
    """Ingest a source of checks with these keys; `datasets`: texts NAME=NAMESPACE/NAME. Raises InvalidInput."""
    datasets = given.get("datasets")
    ingest_source(
        kind, given if datasets is None else {**given, "datasets": _parse_mapping(datasets)}, strict=strict, store=store, server=server
    )


def _parse_mapping(given: object, option: str = "--map", accepted: str = "NAME=NAMESPACE/NAME") -> dict[str, str]:
    """`NAME=NAMESPACE/NAME` as a mapping."""
    from meshline.errors import InvalidInput

    assert isinstance(given, list)
    result: dict[str, str] = {}
    for text in given:
        name, _, dataset = str(text).partition("=")
        if not (name and dataset):
            raise InvalidInput(f"found {text!r}; accepted is {accepted}", option)
        result[name] = dataset
    return result


def gx(
    file: Annotated[list[str], Files],
    *,
    dataset: DatasetName = None,
    map_: DatasetNames = None,
    namespace: Namespace = None,
    suite: Suite = None,
    name: SourceName = "default",
    complete: Complete = False,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load Great Expectations results and suites (JSON): checks of datasets and columns.

    The last run of a suite on a dataset is shown, those before it are its history.
    """
    given = {
        "name": name,
        "files": file,
        "complete": complete,
        "dataset": dataset,
        "datasets": map_,
        "namespace": namespace,
        "suite": suite,
    }
    ingest_checks("gx", given, strict=strict, store=store, server=server)


def soda(
    file: Annotated[list[str], Files],
    *,
    dataset: DatasetName = None,
    map_: DatasetNames = None,
    namespace: Namespace = None,
    suite: Suite = None,
    name: SourceName = "default",
    complete: Complete = False,
    strict: Strict = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Load Soda's scan results (JSON) and files of checks (YAML): checks of datasets and columns.

    The last scan is shown, those before it are its history. A file of checks consumes the columns that its schema checks name.
    """
    given = {
        "name": name,
        "files": file,
        "complete": complete,
        "dataset": dataset,
        "datasets": map_,
        "namespace": namespace,
        "suite": suite,
    }
    ingest_checks("soda", given, strict=strict, store=store, server=server)


@make_source_command("sql")
def sql(
    file: Annotated[list[str], typer.Argument(help="Files of SQL, and patterns.", metavar="FILE...")],
    *,
    dialect: Annotated[str, typer.Option(help="SQL dialect, as sqlglot names it: trino, spark, postgres, dremio, ...", metavar="NAME")],
    namespace: Annotated[
        str | None, typer.Option(help="The namespace of the tables. [default: the dialect's name]", show_default=False, metavar="NAMESPACE")
    ] = None,
    catalog: Annotated[str | None, typer.Option(help="The catalog of names without one.", show_default=False, metavar="NAME")] = None,
    schema: Annotated[str | None, typer.Option(help="The schema of names without one.", show_default=False, metavar="NAME")] = None,
    name: SourceName = "default",
    complete: Complete = False,
) -> dict[str, object]:
    """Load views and scripts in SQL: which columns come from which.

    Names without a catalog or a schema are in the given ones. Columns are known from the graph and from the tables that the files create.
    """
    return {
        "name": name,
        "files": file,
        "dialect": dialect,
        "namespace": namespace,
        "catalog": catalog,
        "schema": schema,
        "complete": complete,
    }


@make_source_command("usage")
def usage(
    file: Annotated[list[str], typer.Argument(help="Files of usage (.ndjson, .csv, also .gz), and patterns.", metavar="FILE...")],
    *,
    namespace: Namespace = None,
    map_: DatasetNames = None,
    reader: Annotated[
        list[str] | None,
        typer.Option(help="The consumer that readers are; may be repeated.", show_default=False, metavar="PATTERN=CONSUMER"),
    ] = None,
    name: SourceName = "default",
    complete: Annotated[bool, typer.Option("--complete", help="Retract the source's other months: these are all its files.")] = False,
) -> dict[str, object]:
    """Load who read which datasets and columns, how often and when: files made from query history and access logs.

    Each reader is a consumer. The files of a month replace what was loaded of that month before.
    """
    return {
        "name": name,
        "files": file,
        "namespace": namespace,
        "datasets": _parse_mapping(map_ or []),
        "readers": _parse_mapping(reader or [], "--reader", "PATTERN=CONSUMER"),
        "complete": complete,
    }


@make_source_command("registry")
def registry(
    what: Annotated[
        list[str],
        typer.Argument(
            help="The registry's address, e.g. http://schema-registry:8081; or files of its answers, and patterns.", metavar="WHAT"
        ),
    ],
    *,
    namespace: Annotated[
        str, typer.Option(help="The namespace of the topics: a bootstrap server, or an alias.", metavar="KAFKA://HOST:PORT")
    ],
    name: Annotated[str, typer.Option(help="Name of the source: registry/NAME.")] = "default",
    user: Annotated[
        str, typer.Option(help="User of basic authentication, or API key; ${NAME} is an environment variable.", metavar="USER")
    ] = "",
    password: Annotated[
        str, typer.Option(help="The user's password, or the secret; ${NAME} is an environment variable.", metavar="PASSWORD")
    ] = "",
    token: Annotated[str, typer.Option(help="A bearer token instead; ${NAME} is an environment variable.", metavar="TOKEN")] = "",
    subject: Annotated[list[str] | None, typer.Option(help="Only these subjects: patterns such as 'shop.*'.", metavar="PATTERN")] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(help="The topic of a subject that is not named after one; may be repeated.", metavar="SUBJECT=TOPIC"),
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(help="The namespace of a context other than the default one; may be repeated.", metavar="CONTEXT=NAMESPACE"),
    ] = None,
    versions: Annotated[
        int, typer.Option(help="The number of versions of a subject that are read for its history.", min=0, max=10_000)
    ] = 100,
    parallel: Annotated[int, typer.Option(help="The number of requests at the same time.", min=1, max=64)] = 8,
) -> dict[str, object]:
    """Load the topics of a schema registry: columns, keys, compatibility, history (Avro, JSON Schema, Protobuf).

    The same command again reads only what is new.
    """
    from meshline.errors import InvalidInput

    addresses = [one for one in what if "://" in one or one.startswith("${")]
    if addresses and len(what) > 1:
        raise InvalidInput(f"found {len(what)} places; accepted is one address, or files", "WHAT")
    return {
        "name": name,
        "url": "".join(addresses),
        "files": [] if addresses else what,
        "namespace": namespace,
        "user": user,
        "password": password,
        "token": token,
        "subjects": list(subject or ()),
        "topics": _group_pairs(topic or (), "--topic", "SUBJECT=TOPIC"),
        "contexts": {key: values[-1] for key, values in _group_pairs(context or (), "--context", "CONTEXT=NAMESPACE").items()},
        "versions": versions,
        "parallel": parallel,
    }


def _group_pairs(given: Sequence[str], option: str, accepted: str) -> dict[str, list[str]]:
    """The values of `KEY=VALUE` by key; the key may contain `=`."""
    from meshline.errors import InvalidInput

    found: dict[str, list[str]] = {}
    for text in given:
        key, _, value = text.rpartition("=")
        if not (key and value):
            raise InvalidInput(f"found {text!r}; accepted is {accepted}", option)
        found.setdefault(key, []).append(value)
    return found


def marquez(
    url: Annotated[str, typer.Argument(help="The address of Marquez's API, e.g. http://marquez:5000.", metavar="URL")],
    *,
    name: Annotated[str, typer.Option(help="Name of the source: marquez/NAME; its events are of openlineage/NAME.")] = "default",
    token: Annotated[
        str,
        typer.Option(help="A bearer token, if a proxy before Marquez asks for one; ${NAME} is an environment variable.", metavar="TOKEN"),
    ] = "",
    events: Annotated[bool, typer.Option("--events/--no-events", help="Ingest the events that Marquez keeps.")] = True,
    owners: Annotated[
        bool, typer.Option("--owners/--no-owners", help="Owners of namespaces own its datasets and jobs that have no owner of their own.")
    ] = True,
    versions: Annotated[
        int, typer.Option(help="The number of versions that are read of a dataset or job which no event names.", min=0, max=10_000)
    ] = 100,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first refusal. Pages of events that were read before it are ingested.")
    ] = False,
    store: Store = None,
    server: Server = None,
) -> None:
    """Import from a running Marquez: its events, and the datasets, jobs, runs, tags and owners that no event names.

    The same command again reads only what is new, also after it was killed.
    """
    keys = {"name": name, "url": url, "token": token, "events": events, "owners": owners, "versions": versions}
    ingest_source("marquez", keys, strict=strict, store=store, server=server)
