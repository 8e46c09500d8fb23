"""References to datasets as people write them (`alias/name`, `trino://host/catalog/schema/table`) -> namespace and name."""

from __future__ import annotations

import re
from collections.abc import Mapping

_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/]*)/(?P<path>.*)", re.DOTALL)


def split_dataset(text: str, aliases: Mapping[str, str]) -> tuple[str, str]:
    """Namespace and name of a dataset written as one text; ('', '') if they cannot be separated.

    `alias/name` if the part before the first slash is an alias. `scheme://host/rest`: the namespace
    ends after the host (OpenLineage, Naming.md). `scheme:///path/rest`: no host, so the path is the
    namespace and the last slash ends it (`duckdb:///warehouse/shop.duckdb` + `shop.main.orders`). Else
    the first slash ends the namespace (`file` + `/warehouse/orders` is `file//warehouse/orders`).
    """
    first, _, rest = text.partition("/")
    if first in aliases:
        namespace, name = aliases[first], rest
    elif (uri := _URI.fullmatch(text)) is None:
        namespace, name = first, rest
    elif uri["authority"]:
        namespace, name = f"{uri['scheme']}://{uri['authority']}", uri["path"]
    else:
        path, _, name = uri["path"].rpartition("/")
        namespace = f"{uri['scheme']}:///{path}" if path else ""
    return (namespace, name) if namespace and name else ("", "")


# Systems that name tables with dots, even if their endpoints separate the parts with slashes.
SQL_SCHEMES = frozenset(
    {"trino", "presto", "postgres", "postgresql", "mysql", "mariadb", "sqlserver", "mssql", "oracle", "redshift", "snowflake", "databricks",
     "hive", "clickhouse", "teradata", "dremio", "db2", "vertica", "exasol"}
)  # fmt: skip

_URL = re.compile(r"(?:jdbc:)?(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://\S+")
_USER = re.compile(r"//[^/@\s]*:[^/@\s]*@")


def split_endpoint(endpoint: str, aliases: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Namespace and name of the dataset at an endpoint; ('', '') if it has neither a scheme nor an alias.

    A path without a scheme is a file. User and password in a URL are removed.
    """
    known = aliases or {}
    plain = endpoint.strip()
    if plain.startswith(("/", "./")):
        return "file", plain
    url = _URL.fullmatch(plain)
    if url is None:
        return split_dataset(plain, known) if plain.partition("/")[0] in known else ("", "")
    scheme = url["scheme"].lower()
    plain = strip_password(plain.removeprefix("jdbc:"))
    if scheme not in ("s3", "s3a", "s3n", "gs", "file"):  # object keys may contain ? and #
        plain = re.split(r"[?#]", plain, maxsplit=1)[0]
    plain = plain.rstrip("/")
    if scheme == "file":
        return "file", re.sub(r"^file:/*", "/", plain)
    if "/" not in plain.partition("://")[2]:
        return plain, "/"
    namespace, name = split_dataset(plain, known)
    return namespace, name.strip("/").replace("/", ".") if scheme in SQL_SCHEMES else name


def strip_password(text: str) -> str:
    """A text without the user and password of any URL in it."""
    return _USER.sub("//", text)
