"""Servers of a contract: where the data is, in the names of the OpenLineage specification (Naming.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple, TypeAlias

from meshline.graph.contracts import Server
from meshline.graph.model import Json
from meshline.ingest.dataset_refs import split_endpoint, strip_password
from meshline.ingest.documents import to_text

# What is kept of a server: never a token or password, which have no place in a contract.
SETTINGS = (
    "account", "catalog", "catalogUrl", "clusterIdentifier", "database", "dataset", "delimiter", "driver", "encoding", "endpoint",
    "endpointUrl", "format", "host", "location", "namespace", "path", "port", "project", "region", "regionName", "schema",
    "serviceName", "stagingDir", "storageAccount", "stream", "topic", "warehouse", "workgroup",
)  # fmt: skip

PRODUCTION = re.compile(r"prod(uction)?|prd|live", re.IGNORECASE)
_DEFAULT = re.compile(r"\$\{\w+:-([^{}]*)\}")  # Open Data Contract Standard 3.2: `${NAME:-what it is else}`
_VARIABLE = re.compile(r"\$\{\w+\}")
_GLOB = re.compile(r"[*?\[{]")


class Place(NamedTuple):
    """Namespace and name of a dataset, or why there is none."""

    namespace: str = ""
    name: str = ""
    why_not: str = ""


def parse_server(name: str, said: Mapping[str, Json]) -> Server:
    """A server as it is kept."""
    settings = {key: strip_password(to_text(said[key])) for key in SETTINGS if to_text(said.get(key))}
    return Server(
        name=name,
        type=to_text(said.get("type")),
        environment=to_text(said.get("environment")),
        description=to_text(said.get("description")),
        settings=settings,
    )


def is_production(one: Server) -> bool:
    return any(PRODUCTION.fullmatch(word) for word in re.split(r"[\W_]+", f"{one.name} {one.environment}"))


def locate_model(one: Server, model: str) -> Place:
    """Where a model is on a server. `model`: its physical name, if it has one."""
    said = {key: _DEFAULT.sub(lambda found: found[1], str(value)) for key, value in one.settings.items()}
    variables = sorted({name for value in said.values() for name in _VARIABLE.findall(value)})
    if variables:
        return Place(why_not=f"it names variables ({', '.join(variables)}), whose values are not known")
    kind = one.type.lower()
    special = _LOCATORS.get(kind)
    if special is not None:
        return special(said, model)
    scheme, parts = _TABLES.get(kind, (kind, ("catalog", "database", "schema")))
    if "host" not in said:
        if "location" in said:
            return _locate_files(said, model)
        return Place(why_not=f"a server of type {one.type or 'unknown'} is found by its host or location")
    return Place(f"{scheme}://{_format_host(said)}", _format_table_name([said.get(part, "") for part in parts], model))


def _format_host(said: Mapping[str, str]) -> str:
    """`host:port`; of several brokers the first."""
    host = said["host"].split(",")[0].strip().rpartition("//")[2].rstrip("/")
    return host if "port" not in said or re.search(r":[0-9]+$", host) else f"{host}:{said['port']}"


def _format_table_name(above: list[str], model: str) -> str:
    """`catalog.schema.table`. A model that is named with its schema brings it along."""
    own = model.split(".")
    known = [part for part in above if part]
    return ".".join([*known[: max(0, len(known) + 1 - len(own))], *own])


def _locate_files(said: Mapping[str, str], model: str) -> Place:
    """A place of files: up to the first wildcard."""
    written = re.sub(r"\{(model|table|name)\}", lambda _: model, said.get("location") or said.get("path") or "")
    fixed = _GLOB.search(written)
    if fixed is not None:
        written = written[: fixed.start()].rpartition("/")[0]
    if not written:
        return Place(why_not="it has no location")
    if "://" not in written:
        return Place("file", str(PurePosixPath(written)))
    namespace, name = split_endpoint(written)
    return Place(namespace, name) if name else Place(why_not=f"its location {written!r} has no path")


def _locate_azure(said: Mapping[str, str], model: str) -> Place:
    """`abfss://account.dfs.core.windows.net/container/path` is `abfss://container@account.dfs.core.windows.net` + path."""
    found = re.fullmatch(r"(?:abfss?|az|wasbs?|https)://([\w-]+)\.(dfs|blob)\.core\.windows\.net/([^/]+)/(.+)", said.get("location", ""))
    if found is None:
        return _locate_files(said, model)
    scheme = "abfss" if found[2] == "dfs" else "wasbs"
    return _locate_files({"location": f"{scheme}://{found[3]}@{found[1]}.{found[2]}.core.windows.net/{found[4]}"}, model)


def _locate_snowflake(said: Mapping[str, str], model: str) -> Place:
    account = said.get("account") or said.get("host", "").removesuffix(".snowflakecomputing.com")
    if not account:
        return Place(why_not="a server of type snowflake is found by its account")
    return Place(f"snowflake://{account}", _format_table_name([said.get("database", ""), said.get("schema", "")], model))


def _locate_bigquery(said: Mapping[str, str], model: str) -> Place:
    if "project" not in said:
        return Place(why_not="a server of type bigquery is found by its project")
    return Place("bigquery", _format_table_name([said["project"], said.get("dataset", "")], model))


def _locate_redshift(said: Mapping[str, str], model: str) -> Place:
    """By cluster and region, which alone all ways of asking Redshift know."""
    endpoint, _, database = said.get("endpoint", "").partition("/")
    host, _, port = (said.get("host") or endpoint).partition(":")
    if not host and "clusterIdentifier" in said and ("region" in said or "regionName" in said):
        host = f"{said['clusterIdentifier']}.{said.get('region') or said.get('regionName')}"
    if not host:
        return Place(why_not="a server of type redshift is found by its host or endpoint")
    if found := re.fullmatch(r"([^.]+)\.[^.]+\.([^.]+)\.redshift\.amazonaws\.com", host):
        host = f"{found[1]}.{found[2]}"
    port = said.get("port") or port
    return Place(
        f"redshift://{host}{f':{port}' if port else ''}",
        _format_table_name([said.get("database") or database, said.get("schema", "")], model),
    )


def _locate_athena(said: Mapping[str, str], model: str) -> Place:
    region = said.get("regionName") or said.get("region")
    if not region:
        return Place(why_not="a server of type athena is found by its regionName")
    return Place(
        f"awsathena://athena.{region}.amazonaws.com",
        _format_table_name([said.get("catalog") or "AwsDataCatalog", said.get("schema", "")], model),
    )


def _locate_glue(said: Mapping[str, str], model: str) -> Place:
    region, account = said.get("regionName") or said.get("region"), said.get("account", "").replace("-", "")
    if region and account and "database" in said:
        return Place(f"arn:aws:glue:{region}:{account}", f"table/{said['database']}/{model}")
    if "location" in said:
        return _locate_files(said, model)
    return Place(why_not="a server of type glue is found by its account, region and database, or its location")


def _locate_duckdb(said: Mapping[str, str], model: str) -> Place:
    """The file is the namespace; the database is named like it."""
    path = said.get("database") or said.get("path") or said.get("location", "")
    if not path:
        return Place(why_not="a server of type duckdb is found by its database file")
    path = path.removeprefix("duckdb://")
    return Place(f"duckdb://{path}", _format_table_name([PurePosixPath(path).stem, said.get("schema") or "main"], model))


def _locate_kafka(said: Mapping[str, str], model: str) -> Place:
    if "host" not in said:
        return Place(why_not="a server of type kafka is found by its host")
    return Place(f"kafka://{_format_host(said)}", said.get("topic") or model)


def _locate_pubsub(said: Mapping[str, str], model: str) -> Place:
    if "project" not in said:
        return Place(why_not="a server of type pubsub is found by its project")
    return Place("pubsub", f"topic:{said['project']}:{said.get('topic') or model}")


def _locate_kinesis(said: Mapping[str, str], model: str) -> Place:
    region = said.get("region") or said.get("regionName")
    if not region:
        return Place(why_not="a server of type kinesis is found by its region")
    return Place(f"kinesis://{region}", said.get("stream") or model)


def _locate_iceberg(said: Mapping[str, str], model: str) -> Place:
    if "catalogUrl" not in said:
        return Place(why_not="a server of type iceberg is found by its catalogUrl")
    return Place(said["catalogUrl"], _format_table_name([said.get("namespace", "")], model))


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

# type: scheme of the namespace, and what stands before the table's name
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
