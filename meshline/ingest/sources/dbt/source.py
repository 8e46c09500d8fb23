"""dbt projects, from the artifacts of their target folder: the keys, and the namespace of the datasets from profiles.yml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from meshline.errors import InvalidInput, require_extra
from meshline.graph.model import Json, get_current_micros
from meshline.ingest.documents import MAX_BYTES, Document, parse_yaml
from meshline.ingest.sources.base import Context, Reading, Source
from meshline.ingest.sources.dbt.checks import parse_time
from meshline.ingest.sources.dbt.parse import find_project_name, read_artifacts
from meshline.ingest.sources.files import read_bytes
from meshline.words import suggest_closest


class Dbt(Source):
    """A dbt project's target folder."""

    kind: ClassVar[str] = "dbt"

    path: Path = Field(description="the folder that dbt writes manifest.json to, or that file")
    namespace: str | None = Field(
        default=None, min_length=1, description="the namespace of the project's datasets, as in its OpenLineage events"
    )
    profiles: Path | None = Field(default=None, description="dbt's profiles.yml or its folder, which determines the namespace")
    profile: str | None = Field(default=None, description="the profile in profiles.yml")
    target: str | None = Field(default=None, description="the target in the profile")
    dialect: str | None = Field(default=None, description="the dialect of the SQL; by default the adapter's")

    def read(self, context: Context) -> Reading:
        with require_extra("dbt", "reading a dbt project"):
            from meshline.ingest.sources.dbt.flows import find_dialect  # noqa: PLC0415 - an extra
            from meshline.ingest.sources.dbt.items import Project, Settings, find_other_project  # noqa: PLC0415

        artifacts = read_artifacts(context.folder / self.path)
        metadata = artifacts.metadata
        name = find_project_name(artifacts)
        if (other := find_other_project(context.memory, name)) is not None:
            raise InvalidInput(f"{self.source} is the project {other!r}; give the project {name!r} a name of its own (--name)", "name")
        adapter = (metadata.adapter_type or "").lower()
        dialect = find_dialect(self.dialect or adapter)
        if dialect is None and self.dialect is not None:
            raise InvalidInput(f"found {self.dialect!r}; accepted: a dialect of sqlglot, such as trino", "dialect")
        project = Project(
            artifacts, Settings(name, self._read_namespace(context, adapter), dialect, _parse_generated_at(metadata.generated_at)), context
        )
        if dialect is None:
            project.warnings.append(
                f"the SQL of {adapter!r} is not read, so lineage is by whole tables; try a similar dialect with --dialect"
            )
        return Reading(
            self.source, project.read_items(), complete=True, atomic=False, warnings=project.warnings, remember=project.build_memory
        )

    def _read_namespace(self, context: Context, adapter: str) -> str:
        if self.namespace is not None:
            return context.resolve_namespace(self.namespace)
        return read_namespace(adapter, context.folder / self.profiles if self.profiles is not None else None, self.profile, self.target)


def _parse_generated_at(generated_at: str) -> int:
    """When the manifest was written, in microseconds since the epoch; never later than now."""
    time = parse_time(generated_at)
    return get_current_micros() if time is None else min(time, get_current_micros())


_SPARK_PORTS = {"http": ":443", "odbc": ":443", "thrift": ":10001"}


class Connection:
    """The connection of one output in profiles.yml. Reading a key that is missing or a template raises InvalidInput."""

    def __init__(self, values: Mapping[str, Json], where: str) -> None:
        self._values = values
        self._where = where

    def __getitem__(self, key: str) -> str:
        value = self._values.get(key)
        if value is None or isinstance(value, (dict, list)):
            raise InvalidInput(f"the connection has no {key!r}; set --namespace instead", self._where)
        text = str(value)
        if "{{" in text:
            raise InvalidInput(f"{key!r} is a template, which is not evaluated; set --namespace instead", self._where)
        return text

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None


def _build_host_formatter(scheme: str, host: str = "host") -> Callable[[Connection], str]:
    return lambda connection: f"{scheme}://{connection[host]}:{connection['port']}"


def _format_snowflake(connection: Connection) -> str:
    """An account `organisation-account` as it is; an account's locator with region and cloud (OpenLineage, Naming.md)."""
    account = connection["account"]
    locator, *rest = account.split(".")
    if "-" in locator:
        return f"snowflake://{locator}"
    region, cloud = (*rest, *("us-west-1", "aws")[len(rest) :])[:2]
    return f"snowflake://{account}" if len(rest) > 1 else f"snowflake://{locator}.{region}.{cloud}"


def _format_spark(connection: Connection) -> str:
    port = f":{connection['port']}" if "port" in connection else _SPARK_PORTS.get(connection["method"], "")
    return f"spark://{connection['host']}{port}"


def _format_fabric(connection: Connection) -> str:
    return f"fabric-warehouse://{connection['server']}" + (f":{connection['port']}" if "port" in connection else "")


def _format_glue(connection: Connection) -> str:
    """The AWS account is that of the role, if the connection does not name it."""
    if "account_id" in connection:
        return f"arn:aws:glue:{connection['region']}:{connection['account_id']}"
    role = connection["role_arn"].split(":")
    return f"arn:aws:glue:{connection['region']}:{role[4] if len(role) > 4 else ''}"


_NAMESPACE_FORMATS: Mapping[str, Callable[[Connection], str]] = {
    "athena": lambda connection: f"awsathena://athena.{connection['region_name']}.amazonaws.com",
    "clickhouse": _build_host_formatter("clickhouse"),
    "databricks": lambda connection: f"databricks://{connection['host']}",
    "dremio": _build_host_formatter("dremio", "software_host"),
    "duckdb": lambda connection: f"duckdb://{connection['path']}",
    "fabric": _format_fabric,
    "glue": _format_glue,
    "postgres": _build_host_formatter("postgres"),
    "presto": _build_host_formatter("presto"),
    "redshift": _build_host_formatter("redshift"),
    "snowflake": _format_snowflake,
    "spark": _format_spark,
    "sqlserver": _build_host_formatter("mssql", "server"),
    "trino": _build_host_formatter("trino"),
    "watsonx_presto": _build_host_formatter("presto"),
}


def read_namespace(adapter: str, profiles: Path | None, profile: str | None, target: str | None) -> str:
    """The namespace of a project's datasets, as dbt's OpenLineage events have it: from the connection in profiles.yml, as the
    manifest names the adapter, but not the host (only BigQuery needs none). Raises InvalidInput if it cannot be determined.
    """
    if adapter == "bigquery":
        return "bigquery"
    if profiles is None or adapter not in _NAMESPACE_FORMATS:
        how = " or --profiles FILE (dbt's profiles.yml)" if adapter in _NAMESPACE_FORMATS else ""
        example = _EXAMPLES.get(adapter, f"{adapter or 'postgres'}://host:port")
        unknown = f"a manifest does not name the host of its {adapter or 'database'}"
        raise InvalidInput(f"{unknown}: set --namespace ({example}, as in its OpenLineage events){how}", "namespace")
    return _NAMESPACE_FORMATS[adapter](_read_connection(adapter, profiles, profile, target))


_EXAMPLES = {
    "athena": "awsathena://athena.eu-west-1.amazonaws.com",
    "databricks": "databricks://host",
    "duckdb": "duckdb:///path/file.duckdb",
    "glue": "arn:aws:glue:region:account",
    "snowflake": "snowflake://organisation-account",
    "sqlserver": "mssql://host:port",
}


def _read_connection(adapter: str, file: Path, profile: str | None, target: str | None) -> Connection:
    """The connection that a profile's target names. `file`: profiles.yml or its folder, which is what dbt's own option expects.

    Credentials of the connection are not read.
    """
    if file.is_dir():
        file /= "profiles.yml"
    of_file = parse_yaml(read_bytes(file, MAX_BYTES), str(file))
    profiles = {name: value for name, value in _get_mapping(of_file, of_file.value, ()).items() if name != "config"}
    name = _choose_name("profile", profile, profiles, of_file.format_place(()))
    here = _get_mapping(of_file, profiles[name], (name,))
    outputs = _get_mapping(of_file, here.get("outputs"), (name, "outputs"))
    default = here.get("target")
    wanted = target or (default if isinstance(default, str) and default in outputs else None)
    output = _choose_name("target", wanted, outputs, of_file.format_place((name, "outputs")))
    where = of_file.format_place((name, "outputs", output))
    values = _get_mapping(of_file, outputs[output], (name, "outputs", output))
    if values.get("type") != adapter:
        raise InvalidInput(f"{output!r} is a connection of type {values.get('type')!r}, the manifest's adapter is {adapter!r}", where)
    return Connection(values, where)


def _get_mapping(of: Document, value: Json, path: tuple[str, ...]) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise InvalidInput("expected a mapping, as dbt's profiles.yml has it", of.format_place(path))
    return value


def _choose_name(what: str, wanted: str | None, found: Mapping[str, Json], where: str) -> str:
    if wanted is None and len(found) == 1:
        return next(iter(found))
    if wanted is None:
        raise InvalidInput(f"set --{what} to one of: {', '.join(found)}", where)
    if wanted not in found:
        raise InvalidInput(f"there is no {what} {wanted!r}{suggest_closest(wanted, found)}; accepted: {', '.join(found)}", where)
    return wanted
