"""The servers of a contract: the location of the data, under the names of the OpenLineage specification (Naming.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias

from meshline.graph.contracts import Server
from meshline.graph.model import Json
from meshline.ingest.dataset_refs import split_endpoint, strip_password
from meshline.ingest.documents import to_text

# The settings of a server that are kept. Tokens and passwords, which do not belong in a contract, are not.
SETTINGS = (
    "account", "catalog", "catalogUrl", "clusterIdentifier", "database", "dataset", "delimiter", "driver", "encoding", "endpoint",
    "endpointUrl", "format", "host", "location", "namespace", "path", "port", "project", "region", "regionName", "schema",
    "serviceName", "stagingDir", "storageAccount", "stream", "topic", "warehouse", "workgroup",
)  # fmt: skip

PRODUCTION = re.compile(r"prod(uction)?|prd|live", re.IGNORECASE)
_DEFAULT = re.compile(r"\$\{\w+:-([^{}]*)\}")  # Open Data Contract Standard 3.2: `${NAME:-default}`
_VARIABLE = re.compile(r"\$\{\w+\}")
_GLOB = re.compile(r"[*?\[{]")


class Place(NamedTuple):
    """Namespace and name of a dataset, or why there is none."""

    namespace: str = ""
    name: str = ""
    why_not: str = ""


def parse_server(name: str, values: Mapping[str, Json]) -> Server:
    """A server with the settings that are kept."""
    settings = {key: strip_password(to_text(values[key])) for key in SETTINGS if to_text(values.get(key))}
    return Server(
        name=name,
        type=to_text(values.get("type")),
        environment=to_text(values.get("environment")),
        description=to_text(values.get("description")),
        settings=settings,
    )


def is_production(one: Server) -> bool:
    """Whether a word of the server's name or environment means production."""
    return any(PRODUCTION.fullmatch(word) for word in re.split(r"[\W_]+", f"{one.name} {one.environment}"))


def locate_model(one: Server, model: str) -> Place:
    """The location of a model on a server. `model`: its physical name if it has one, else its name."""
    settings = {key: _DEFAULT.sub(lambda found: found[1], str(value)) for key, value in one.settings.items()}
    variables = sorted({name for value in settings.values() for name in _VARIABLE.findall(value)})
    if variables:
        return Place(why_not=f"its settings contain variables ({', '.join(variables)}), whose values are not known")
    kind = one.type.lower()
    special = _LOCATORS.get(kind)
    if special is not None:
        return special(settings, model)
    scheme, parts = _TABLES.get(kind, (kind, ("catalog", "database", "schema")))
    if "host" not in settings:
        if "location" in settings:
            return _locate_files(settings, model)
        return Place(why_not=f"a server of type {one.type or 'unknown'} is found by its host or location")
    return Place(f"{scheme}://{_format_host(settings)}", _format_table_name([settings.get(part, "") for part in parts], model))


def _format_host(settings: Mapping[str, str]) -> str:
    """`host:port`; the first of several brokers."""
    host = settings["host"].split(",")[0].strip().rpartition("//")[2].rstrip("/")
    return host if "port" not in settings or re.search(r":[0-9]+$", host) else f"{host}:{settings['port']}"


def _format_table_name(above: list[str], model: str) -> str:
    """`catalog.schema.table`. Parts that the model's own name contains replace those of the server."""
    own = model.split(".")
    known = [part for part in above if part]
    return ".".join([*known[: max(0, len(known) + 1 - len(own))], *own])


def _locate_files(settings: Mapping[str, str], model: str) -> Place:
    """The location of files, up to the first wildcard."""
    written = re.sub(r"\{(model|table|name)\}", lambda _: model, settings.get("location") or settings.get("path") or "")
    fixed = _GLOB.search(written)
    if fixed is not None:
        written = written[: fixed.start()].rpartition("/")[0]
    if not written:
        return Place(why_not="it has no location")
    if "://" not in written:
        return Place("file", str(PurePosixPath(written)))
    namespace, name = split_endpoint(written)
    return Place(namespace, name) if name else Place(why_not=f"its location {written!r} has no path")


def _locate_azure(settings: Mapping[str, str], model: str) -> Place:
    """`abfss://account.dfs.core.windows.net/container/path` is `abfss://container@account.dfs.core.windows.net` + path."""
    found = re.fullmatch(
        r"(?:abfss?|az|wasbs?|https)://([\w-]+)\.(dfs|blob)\.core\.windows\.net/([^/]+)/(.+)", settings.get("location", "")
    )
    if found is None:
        return _locate_files(settings, model)
    scheme = "abfss" if found[2] == "dfs" else "wasbs"
    return _locate_files({"location": f"{scheme}://{found[3]}@{found[1]}.{found[2]}.core.windows.net/{found[4]}"}, model)


def _locate_snowflake(settings: Mapping[str, str], model: str) -> Place:
    account = settings.get("account") or settings.get("host", "").removesuffix(".snowflakecomputing.com")
    if not account:
        return Place(why_not="a server of type snowflake is found by its account")
    return Place(f"snowflake://{account}", _format_table_name([settings.get("database", ""), settings.get("schema", "")], model))


def _locate_bigquery(settings: Mapping[str, str], model: str) -> Place:
    if "project" not in settings:
        return Place(why_not="a server of type bigquery is found by its project")
    return Place("bigquery", _format_table_name([settings["project"], settings.get("dataset", "")], model))


def _locate_redshift(settings: Mapping[str, str], model: str) -> Place:
    """The location by cluster and region, the only names that all interfaces of Redshift have."""
    endpoint, _, database = settings.get("endpoint", "").partition("/")
    host, _, port = (settings.get("host") or endpoint).partition(":")
    if not host and "clusterIdentifier" in settings and ("region" in settings or "regionName" in settings):
        host = f"{settings['clusterIdentifier']}.{settings.get('region') or settings.get('regionName')}"
    if not host:
        return Place(why_not="a server of type redshift is found by its host or endpoint")
    if found := re.fullmatch(r"([^.]+)\.[^.]+\.([^.]+)\.redshift\.amazonaws\.com", host):
        host = f"{found[1]}.{found[2]}"
    port = settings.get("port") or port
    return Place(
        f"redshift://{host}{f':{port}' if port else ''}",
        _format_table_name([settings.get("database") or database, settings.get("schema", "")], model),
    )


def _locate_athena(settings: Mapping[str, str], model: str) -> Place:
    region = settings.get("regionName") or settings.get("region")
    if not region:
        return Place(why_not="a server of type athena is found by its regionName")
    return Place(
        f"awsathena://athena.{region}.amazonaws.com",
        _format_table_name([settings.get("catalog") or "AwsDataCatalog", settings.get("schema", "")], model),
    )


def _locate_glue(settings: Mapping[str, str], model: str) -> Place:
    region, account = settings.get("regionName") or settings.get("region"), settings.get("account", "").replace("-", "")
    if region and account and "database" in settings:
        return Place(f"arn:aws:glue:{region}:{account}", f"table/{settings['database']}/{model}")
    if "location" in settings:
        return _locate_files(settings, model)
    return Place(why_not="a server of type glue is found by its account, region and database, or its location")


def _locate_duckdb(settings: Mapping[str, str], model: str) -> Place:
    """The file is the namespace; the database has the file's name."""
    path = settings.get("database") or settings.get("path") or settings.get("location", "")
    if not path:
        return Place(why_not="a server of type duckdb is found by its database file")
    path = path.removeprefix("duckdb://")
    return Place(f"duckdb://{path}", _format_table_name([PurePosixPath(path).stem, settings.get("schema") or "main"], model))


def _locate_kafka(settings: Mapping[str, str], model: str) -> Place:
    if "host" not in settings:
        return Place(why_not="a server of type kafka is found by its host")
    return Place(f"kafka://{_format_host(settings)}", settings.get("topic") or model)


def _locate_pubsub(settings: Mapping[str, str], model: str) -> Place:
    if "project" not in settings:
        return Place(why_not="a server of type pubsub is found by its project")
    return Place("pubsub", f"topic:{settings['project']}:{settings.get('topic') or model}")


def _locate_kinesis(settings: Mapping[str, str], model: str) -> Place:
    region = settings.get("region") or settings.get("regionName")
    if not region:
        return Place(why_not="a server of type kinesis is found by its region")
    return Place(f"kinesis://{region}", settings.get("stream") or model)


def _locate_iceberg(settings: Mapping[str, str], model: str) -> Place:
    if "catalogUrl" not in settings:
        return Place(why_not="a server of type iceberg is found by its catalogUrl")
    return Place(settings["catalogUrl"], _format_table_name([settings.get("namespace", "")], model))


_Locator: TypeAlias = Callable[[Mapping[str, str], str], Place]

_LOCATORS: Mapping[str, _Locator] = {
    "snowflake": _locate_snowflake,
    "bigquery": _locate_bigquery,
    "redshift": _locate_redshift,
    "athena": _locate_athena,
    "glue": _locate_glue,
    "duckdb": _locate_duckdb,
    "kafka": _locate_kafka,
    "pubsub": _locate_pubsub,
    "kinesis": _locate_kinesis,
    "iceberg": _locate_iceberg,
    "azure": _locate_azure,
    **dict.fromkeys(("s3", "gcs", "local", "sftp", "api", "file"), _locate_files),
}

# type -> scheme of the namespace, and the settings that precede the table's name
_TABLES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys(("postgres", "postgresql", "cloudsql"), ("postgres", ("database", "schema"))),
    **dict.fromkeys(("sqlserver", "synapse"), ("sqlserver", ("database", "schema"))),
    **dict.fromkeys(("mysql", "mariadb"), ("mysql", ("database",))),
    "oracle": ("oracle", ("serviceName", "schema")),
    "trino": ("trino", ("catalog", "schema")),
    "presto": ("presto", ("catalog", "schema")),
    "databricks": ("databricks", ("catalog", "schema")),
    "hive": ("hive", ("database",)),
    "clickhouse": ("clickhouse", ("database",)),
    "teradata": ("teradata", ("database",)),
    "dremio": ("dremio", ("schema",)),
}
