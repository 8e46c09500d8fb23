"""AWS Glue: databases, tables and views of its data catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from meshline.errors import InvalidInput, StoreUnavailable, require_extra
from meshline.ingest.sources.base import Context, Reading, Refusal, Source
from meshline.ingest.sources.iceberg.facts import NamespaceDefaults, format_table_name
from meshline.ingest.sources.metastore.catalog_table import CatalogTable, Listing, RefusedTable
from meshline.ingest.sources.metastore.hive_tables import HiveColumn, HiveTable, parse_hive_table
from meshline.ingest.sources.metastore.table_storage import TableStorage
from meshline.ingest.sources.metastore.walk import CatalogIdentity, CatalogReader, Selection
from meshline.ingest.sources.secrets import Redaction, expand_options, expand_properties

PAGE = 100  # entries of one request, which is the most
MAX_MESSAGE = 300  # characters of a message of the service
_REFUSING = frozenset({"AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException"})

Pages = Callable[..., Iterator[Mapping[str, Any]]]  # the answers to a request, page by page: its name, then its arguments


class Glue(Source):
    """The data catalog of an account in a region. `account`: of the catalog, by default that of the credentials. `profile`: of the AWS
    configuration; without it, boto3 finds credentials as usual. `endpoint`: instead of the service's own. `tables`: patterns of
    `database.table`. `properties`: of pyiceberg's file access, for Iceberg tables; `storage_options`: of deltalake, for Delta tables.
    """

    kind: ClassVar[str] = "glue"

    region: str = ""
    account: str = Field(default="", pattern="^([0-9]{12})?$")
    profile: str = ""
    endpoint: str = ""
    namespace: str = ""
    tables: tuple[str, ...] = ()
    properties: dict[str, Any] = Field(default={}, repr=False)
    storage_options: Mapping[str, str] = Field(default={}, repr=False)

    def read(self, context: Context) -> Reading:
        properties = expand_properties(self.properties, context.variables)
        options = expand_options(self.storage_options, context.variables, "storage_options")
        redact = Redaction({**self.properties, **self.storage_options}, {**properties, **options})
        region, pages = open_glue(self.region, self.profile, self.endpoint, self.account)
        databases = [one for page in pages("get_databases") for one in page.get("DatabaseList") or ()]
        identity = CatalogIdentity(self.kind, "Glue", self._find_namespace(region, databases, context), _format_name)
        selection = Selection(identity, self.tables)
        listing = list_glue(pages, databases, selection)
        return CatalogReader(identity, listing, selection, TableStorage(properties, options, redact), context).build_reading(self.source)

    def _find_namespace(self, region: str, databases: list[Mapping[str, Any]], context: Context) -> str:
        """The namespace by OpenLineage's rule; the account of the credentials is that of the databases."""
        if self.namespace:
            return context.resolve_namespace(self.namespace)
        account = self.account or next((str(one["CatalogId"]) for one in databases if one.get("CatalogId")), "")
        if not account:
            raise InvalidInput("the catalog has no database that shows its account: set the key account, or namespace", "account")
        return f"arn:aws:glue:{region}:{account}"


def _format_name(identifier: Any) -> str:
    return format_table_name("glue", identifier)


def open_glue(region: str, profile: str, endpoint: str, account: str) -> tuple[str, Pages]:
    """(the region, the requests to the catalog). Raises InvalidInput, MissingExtra; requests raise InvalidInput and StoreUnavailable."""
    with require_extra("glue", "reading AWS Glue"):
        import boto3  # noqa: PLC0415 - an extra, and slow to import
        from botocore.config import Config  # noqa: PLC0415 - an extra
    settings = Config(connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 4})
    with _translate_errors():
        session = boto3.Session(profile_name=profile or None, region_name=region or None)
        found = session.region_name
        if not found:
            raise InvalidInput("no region is configured; set the key region, such as eu-west-1", "region")
        client: Any = session.client("glue", endpoint_url=endpoint or None, config=settings)
    catalog = {"CatalogId": account} if account else {}

    def list_pages(request: str, **arguments: str) -> Iterator[Mapping[str, Any]]:
        with _translate_errors():
            yield from client.get_paginator(request).paginate(**catalog, **arguments, PaginationConfig={"PageSize": PAGE})

    return found, list_pages


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translates the library's errors. Their texts have no credentials."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - an extra

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        text = " ".join(str(error).split())[:MAX_MESSAGE]
        raise (StoreUnavailable(f"Glue refuses access: {text}") if code in _REFUSING else InvalidInput(f"Glue answers {text}")) from error
    except (BotoCoreError, ValueError) as error:
        raise StoreUnavailable(f"Glue cannot be reached: {' '.join(str(error).split())[:MAX_MESSAGE]}") from error


def list_glue(pages: Pages, databases: list[Mapping[str, Any]], selection: Selection) -> Listing:
    """The tables and views of all databases. Raises StoreUnavailable."""
    for database in databases:
        name = str(database.get("Name") or "")
        defaults = NamespaceDefaults("", database.get("Description") or "")
        try:
            for page in pages("get_tables", DatabaseName=name):
                for table in page.get("TableList") or ():
                    if selection.includes((name, str(table.get("Name") or ""))):
                        yield _parse(table, name, defaults)
        except InvalidInput as error:
            yield Refusal(InvalidInput(str(error), name))


def _parse(table: Mapping[str, Any], database: str, defaults: NamespaceDefaults) -> CatalogTable | RefusedTable:
    try:
        return parse_hive_table(convert_table(table, database, defaults))
    except InvalidInput as error:
        return RefusedTable((database, str(table.get("Name") or "")), error)


def convert_table(table: Mapping[str, Any], database: str, defaults: NamespaceDefaults) -> HiveTable:
    """The table of an answer, which has the form of the Hive metastore."""
    storage = table.get("StorageDescriptor") or {}
    parameters = {name: text for name, text in (table.get("Parameters") or {}).items() if isinstance(text, str)}
    if description := table.get("Description"):
        parameters["comment"] = description
    return HiveTable(
        database=database,
        name=table.get("Name") or "",
        owner=table.get("Owner") or "",
        created=_to_seconds(table.get("CreateTime")),
        changed=_to_seconds(table.get("UpdateTime")),
        table_type=table.get("TableType") or "",
        columns=_convert_columns(storage.get("Columns")),
        partition_keys=_convert_columns(table.get("PartitionKeys")),
        location=storage.get("Location") or "",
        input_format=storage.get("InputFormat") or "",
        serde=(storage.get("SerdeInfo") or {}).get("SerializationLibrary") or "",
        parameters=parameters,
        view_original=table.get("ViewOriginalText") or "",
        view_expanded=table.get("ViewExpandedText") or "",
        defaults=defaults,
    )


def _convert_columns(given: Any) -> list[HiveColumn]:
    return [HiveColumn(one.get("Name") or "", one.get("Type") or "", one.get("Comment") or "") for one in given or ()]


def _to_seconds(time: Any) -> int:
    return int(time.timestamp()) if isinstance(time, datetime) else 0
