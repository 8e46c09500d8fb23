"""`meshline ingest hive`, `glue`, `unity`, `gravitino`, `datahub` and `openmetadata`: catalogs that list tables as they are now."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from meshline.cli.options import OwnerOfRole, parse_owners
from meshline.cli.sync import make_source_command

Tables: TypeAlias = Annotated[list[str] | None, typer.Option("--table", help="Only these tables: patterns.", metavar="PATTERN")]
Catalogs: TypeAlias = Annotated[list[str] | None, typer.Option("--catalog", help="Only this catalog; may be repeated.", metavar="NAME")]
Properties: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--property",
        help="A property of the storage of Iceberg tables, as pyiceberg names it; ${NAME} is an environment variable.",
        metavar="KEY=VALUE",
    ),
]
StorageOptions: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--storage-option",
        help="An option of the storage of Delta tables, as deltalake names it; ${NAME} is an environment variable.",
        metavar="KEY=VALUE",
    ),
]
Namespace: TypeAlias = Annotated[
    str, typer.Option(help="The namespace of the tables. [default: by the catalog's address]", show_default=False)
]
Token: TypeAlias = Annotated[str, typer.Option(help="A bearer token; ${NAME} is an environment variable.", metavar="TOKEN")]
Url: TypeAlias = Annotated[str, typer.Argument(help="The address of the server, e.g. https://catalog.internal:8080.", metavar="URL")]


def _parse_settings(given: list[str] | None, option: str) -> dict[str, str]:
    """`KEY=VALUE` as a mapping."""
    from meshline.errors import InvalidInput

    found = dict(one.partition("=")[::2] for one in given or ())
    if not all(found) or not all(found.values()):
        raise InvalidInput("accepted are settings such as KEY=VALUE", option)
    return found


def _build_common_keys(
    name: str, namespace: str, table: list[str] | None, properties: list[str] | None, storage_option: list[str] | None
) -> dict[str, object]:
    return {
        "name": name,
        "namespace": namespace,
        "tables": list(table or ()),
        "properties": _parse_settings(properties, "--property"),
        "storage_options": _parse_settings(storage_option, "--storage-option"),
    }


@make_source_command("hive")
def hive(
    uri: Annotated[str, typer.Argument(help="The metastore's address, e.g. thrift://metastore:9083.", metavar="URI")],
    *,
    name: Annotated[str, typer.Option(help="Name of the source: hive/NAME.")] = "default",
    namespace: Namespace = "",
    table: Tables = None,
    properties: Properties = None,
    storage_option: StorageOptions = None,
) -> dict[str, object]:
    """Load the tables and views of a Hive metastore: columns, partitions, owners, products, lineage of views."""
    keys = _build_common_keys(name, namespace, table, properties, storage_option)
    return {**keys, "uri": uri}


@make_source_command("glue")
def glue(
    *,
    name: Annotated[str, typer.Option(help="Name of the source: glue/NAME.")] = "default",
    region: Annotated[str, typer.Option(help="The region. [default: the configured one]", show_default=False)] = "",
    account: Annotated[str, typer.Option(help="The account of the catalog. [default: that of the credentials]", show_default=False)] = "",
    profile: Annotated[str, typer.Option(help="The profile of the AWS configuration.", show_default=False)] = "",
    endpoint: Annotated[str, typer.Option(help="The address of the service, if it is not AWS's own.", metavar="URL")] = "",
    namespace: Namespace = "",
    table: Tables = None,
    properties: Properties = None,
    storage_option: StorageOptions = None,
) -> dict[str, object]:
    """Load the tables and views of AWS Glue's data catalog: columns, partitions, products, lineage of views."""
    keys = _build_common_keys(name, namespace, table, properties, storage_option)
    place = {"region": region, "account": account, "profile": profile, "endpoint": endpoint}
    return {**keys, **place}


@make_source_command("unity")
def unity(
    url: Url,
    *,
    name: Annotated[str, typer.Option(help="Name of the source: unity/NAME.")] = "default",
    token: Token = "",
    catalog: Catalogs = None,
    namespace: Namespace = "",
    table: Tables = None,
    tags: Annotated[bool, typer.Option("--tags", help="Read the tags of tables, too: one more request for each.")] = False,
    grants: Annotated[bool, typer.Option("--grants", help="Read who may read each table, too: one more request for each.")] = False,
    owner: OwnerOfRole = None,
    properties: Properties = None,
    storage_option: StorageOptions = None,
) -> dict[str, object]:
    """Load the tables and views of a Unity Catalog: columns, masks, owners, lineage of views."""
    keys = _build_common_keys(name, namespace, table, properties, storage_option)
    options = {"tags": tags, "grants": grants, "owners": parse_owners(owner)}
    place = {"url": url, "token": token, "catalogs": list(catalog or ()), **options}
    return {**keys, **place}


@make_source_command("gravitino")
def gravitino(
    url: Url,
    metalake: Annotated[str, typer.Argument(help="The name of the metalake.", metavar="METALAKE")],
    *,
    name: Annotated[str, typer.Option(help="Name of the source: gravitino/NAME.")] = "default",
    token: Token = "",
    user: Annotated[str, typer.Option(help="A user's name, for a server without authentication.", metavar="NAME")] = "",
    catalog: Catalogs = None,
    namespace: Namespace = "",
    table: Tables = None,
    details: Annotated[
        bool, typer.Option("--details/--no-details", help="Read owners and tags of tables, too: two more requests for each.")
    ] = True,
    properties: Properties = None,
    storage_option: StorageOptions = None,
) -> dict[str, object]:
    """Load the tables of a Gravitino metalake: columns, partitions, owners, tags."""
    keys = _build_common_keys(name, namespace, table, properties, storage_option)
    place = {"url": url, "metalake": metalake, "token": token, "user": user, "catalogs": list(catalog or ()), "details": details}
    return {**keys, **place}


@make_source_command("datahub")
def datahub(
    file: Annotated[
        list[str] | None, typer.Argument(help="Exported metadata (JSON), and patterns.", metavar="FILE...", show_default=False)
    ] = None,
    *,
    name: Annotated[str, typer.Option(help="Name of the source: datahub/NAME.")] = "default",
    url: Annotated[
        str,
        typer.Option(help="Instead of files, the address of DataHub's metadata service, e.g. http://datahub-gms:8080.", show_default=False),
    ] = "",
    token: Token = "",
    platform: Annotated[
        list[str] | None,
        typer.Option(
            help="Where the datasets of a platform are, e.g. postgres=postgres://db:5432; an instance: postgres/crm; may be repeated.",
            show_default=False,
            metavar="PLATFORM=NAMESPACE",
        ),
    ] = None,
    complete: Annotated[bool, typer.Option("--complete", help="Retract the source's other statements: these are all its files.")] = False,
) -> dict[str, object]:
    """Load a DataHub, or its exported metadata: datasets, jobs, lineage of columns, owners, domains, products, dashboards."""
    keys: dict[str, object] = {"name": name, "platforms": _parse_settings(platform, "--platform"), "complete": complete}
    return {**keys, "files": list(file or ()), "url": url, "token": token}


@make_source_command("openmetadata")
def openmetadata(
    file: Annotated[
        list[str] | None, typer.Argument(help="Answers of its API (JSON), and patterns.", metavar="FILE...", show_default=False)
    ] = None,
    *,
    name: Annotated[str, typer.Option(help="Name of the source: openmetadata/NAME.")] = "default",
    url: Annotated[
        str, typer.Option(help="Instead of files, the address of OpenMetadata, e.g. http://openmetadata:8585.", show_default=False)
    ] = "",
    token: Token = "",
    service: Annotated[
        list[str] | None,
        typer.Option(
            help="Where the datasets of a service are, e.g. orders_db=postgres://db:5432; may be repeated.",
            show_default=False,
            metavar="SERVICE=NAMESPACE",
        ),
    ] = None,
    parallel: Annotated[int, typer.Option(help="How many requests are sent at a time.", min=1, max=32)] = 4,
    complete: Annotated[bool, typer.Option("--complete", help="Retract the source's other statements: these are all its files.")] = False,
) -> dict[str, object]:
    """Load an OpenMetadata, or answers of its API: tables, topics, lineage of columns, owners, tags, domains, products, dashboards."""
    keys: dict[str, object] = {"name": name, "services": _parse_settings(service, "--service"), "complete": complete}
    return {**keys, "files": list(file or ()), "url": url, "token": token, "parallel": parallel}
