"""Fully qualified names of OpenMetadata, and the names that OpenLineage gives the datasets of its services (Naming.md)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeAlias
from urllib.parse import urlsplit

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey
from meshline.ingest.sources.base import Context
from meshline.ingest.sources.dashboards.database_names import SYSTEMS, UNKNOWN, Database, DatabaseName
from meshline.ingest.sources.openmetadata.catalog_reader import Catalog
from meshline.ingest.sources.openmetadata.entities import Entity, Reference
from meshline.words import format_count

Services: TypeAlias = Mapping[str, str | DatabaseName]

MAX_NAME = 1_000  # characters of a dataset's name
_PART = re.compile(r'"((?:[^"]|"")*)"|([^."]+)')
_GLUE = "arn:aws:glue:"
_UNLOCATED = "openmetadata://"
_BUCKET = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/]+)/(.+)", re.DOTALL)


def split_fqn(fqn: str) -> list[str]:
    """The parts of a fully qualified name, of which one with a dot is in quotation marks. Raises InvalidInput."""
    parts: list[str] = []
    at = 0
    while at <= len(fqn):
        match = _PART.match(fqn, at)
        if match is None or (match.end() < len(fqn) and fqn[match.end()] != "."):
            raise InvalidInput("this is no fully qualified name: parts with dots are in quotation marks", fqn[:200])
        parts.append(match[2] if match[1] is None else match[1].replace('""', '"'))
        at = match.end() + 1
    return parts


class ServiceNames:
    """The names of datasets. `services`: by the name of a service, where its datasets are."""

    def __init__(self, services: Services, catalog: Catalog, context: Context) -> None:
        self._stated = {name: DatabaseName(namespace=one) if isinstance(one, str) else one for name, one in services.items()}
        self._catalog = catalog
        self._context = context
        self._databases: dict[str, Database] = {}
        self._unlocated: Counter[str] = Counter()
        self._keys: dict[str, AssetKey] = {}

    def build_key(self, of: Reference) -> AssetKey:
        """The dataset of a table, topic, container or model of a dashboard tool. Raises InvalidInput."""
        fqn = of.fully_qualified_name or ""
        key = self._keys.get(fqn)
        if key is None:
            key = self._keys[fqn] = self._build_key(of.type, split_fqn(fqn), self._catalog.find(of.type, fqn))
        return key

    def find_job_namespace(self, service: str) -> str:
        """The namespace of the jobs of a pipeline service: the one that is stated."""
        stated = self._stated.get(service)
        return f"{_UNLOCATED}{service}" if stated is None else self._context.resolve_namespace(stated.namespace)

    def list_warnings(self) -> Iterator[str]:
        """The services whose datasets are not located."""
        for service, count in sorted(self._unlocated.items()):
            has = f"{format_count(count, 'dataset')} of {service} {'has' if count == 1 else 'have'} the namespace {_UNLOCATED}{service}"
            yield f"{has}: state where they are with the key services ({service}: NAMESPACE)"

    def _build_key(self, type_: str, parts: list[str], entity: Entity | None) -> AssetKey:
        if len(parts) < 2:
            raise InvalidInput("a dataset's name has its service before its own", ".".join(parts)[:200])
        service, *names = parts
        if sum(map(len, names)) > MAX_NAME:
            raise InvalidInput(f"the dataset's name has more than {MAX_NAME} characters", ".".join(parts)[:200])
        if type_ == "dashboardDataModel":
            names = [one for one in names if one != "model"]  # a fixed part of their names
        key = self._build_table_key(service, names) if type_ == "table" else self._build_other_key(type_, service, names, entity)
        if key is not None:
            return key
        if type_ != "dashboardDataModel":
            self._unlocated[service] += 1
        return self._context.naming.normalise_dataset(f"{_UNLOCATED}{service}", ".".join(names))

    def _build_table_key(self, service: str, names: list[str]) -> AssetKey | None:
        """A table by the connection of its service; None if that is not known."""
        database = self._find_database(service)
        if database is not None and database.namespace.startswith(_GLUE):
            return self._context.naming.normalise_dataset(database.namespace, f"table/{'/'.join(names[-2:])}")
        return None if database is None else database.build_key(tuple(names), self._context)

    def _build_other_key(self, type_: str, service: str, names: list[str], entity: Entity | None) -> AssetKey | None:
        """A topic, container or model by what is stated, by its path or by its broker; None if none of these is known."""
        stated = self._stated.get(service)
        if stated is not None:
            return self._context.naming.normalise_dataset(self._context.resolve_namespace(stated.namespace), ".".join(names))
        if type_ == "container" and entity is not None and (bucket := _BUCKET.fullmatch(entity.full_path or "")):
            return self._context.naming.normalise_dataset(bucket[1], bucket[2])
        broker = self._find_broker(service) if type_ == "topic" else ""
        return self._context.naming.normalise_dataset(broker, ".".join(names)) if broker else None

    def _find_database(self, service: str) -> Database | None:
        if service not in self._databases:
            entity = self._catalog.find("databaseService", service)
            self._databases[service] = _read_connection(entity).move(self._stated.get(service), self._context)
        found = self._databases[service]
        if found.system is UNKNOWN and found.namespace:  # where the user states it, with a database before the schema
            found = found._replace(system=UNKNOWN._replace(catalogs=True))
        return found if found.namespace else None

    def _find_broker(self, service: str) -> str:
        entity = self._catalog.find("messagingService", service)
        config = {} if entity is None or entity.connection is None else entity.connection.config or {}
        first = str(config.get("bootstrapServers") or "").split(",")[0].strip()
        return f"kafka://{first}" if first else ""


def _read_connection(service: Entity | None) -> Database:
    """The database of a service by its connection, of which only the address is used."""
    config = {} if service is None or service.connection is None else service.connection.config or {}
    kind = str((service.service_type if service is not None else None) or config.get("type") or "").lower()
    system = SYSTEMS.get({"unitycatalog": "databricks", "azuresql": "mssql"}.get(kind, kind), UNKNOWN)
    if system.scheme == "bigquery":
        return Database(system, "bigquery")
    if system.scheme == "snowflake":
        account = str(config.get("account") or "").strip()
        return Database(system, f"snowflake://{account}" if account else "")
    if system.scheme == "awsathena":
        aws = config.get("awsConfig")
        region = str(aws.get("awsRegion") or "") if isinstance(aws, dict) else ""
        return Database(system, f"awsathena://athena.{region}.amazonaws.com" if region else "")
    host, port = _split_host(str(config.get("hostPort") or ""))
    if system is UNKNOWN or not host:
        return Database(system, "")
    if system.scheme == "databricks":
        return Database(system, f"databricks://{host}")
    port = port or system.port
    return Database(system, f"{system.scheme}://{host}{f':{port}' if port else ''}")


def _split_host(text: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(text if "://" in text else f"any://{text}")
        found = parts.hostname or "", parts.port
    except ValueError:
        return "", None
    return found
