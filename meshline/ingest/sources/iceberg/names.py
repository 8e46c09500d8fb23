"""Names: a catalog's namespace as Spark's symlinks have it, and where a table's files are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit

from meshline.errors import InvalidInput

_LOCATION = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>.*)", re.DOTALL)
_OBJECT_STORES = frozenset({"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "wasb", "wasbs", "oss"})
MAX_NAME = 1_000  # characters


def catalog_namespace(kind: str, properties: Mapping[str, object]) -> str:
    """The namespace of a catalog's datasets, without credentials. Raises InvalidInput if its properties do not tell."""
    if kind == "glue":
        region = properties.get("glue.region") or properties.get("client.region")
        account = properties.get("glue.id")
        if region and account:
            return f"arn:aws:glue:{region}:{account}"
        raise InvalidInput("a Glue catalog needs glue.region and glue.id (the account), or the key namespace", "namespace")
    parts = urlsplit(str(properties.get("uri") or ""))
    if not parts.scheme:
        raise InvalidInput("the catalog has no uri to be named after; give the key namespace", "namespace")
    scheme = {"thrift": "hive"}.get(parts.scheme, parts.scheme.partition("+")[0])  # the driver is no part of the name
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def table_name(kind: str, identifier: Sequence[str]) -> str:
    """The name of a table's dataset. Raises InvalidInput for what cannot be one."""
    name = f"table/{'/'.join(identifier)}" if kind == "glue" else ".".join(identifier)
    if len(name) > MAX_NAME or not all(identifier):
        raise InvalidInput(f"a name must have 1 to {MAX_NAME} characters", name[:100])
    return name


def physical(location: str) -> tuple[str, str] | None:
    """(namespace, name) of a location as OpenLineage names paths; None if it cannot be told.

    `file:/w/t` and `/w/t` are `file` + `/w/t`; `s3://bucket/w/t` is `s3://bucket` + `w/t`;
    `hdfs://host:8020/w/t` is `hdfs://host:8020` + `/w/t`.
    """
    match = _LOCATION.fullmatch(location)
    if match is None:
        return ("file", location) if location.startswith("/") else None
    scheme, rest = match["scheme"].lower(), match["rest"]
    if scheme == "file":
        path = re.sub(r"^//[^/]*(?=/)", "", rest)
        return ("file", path) if path.startswith("/") else None
    authority, slash, path = rest.removeprefix("//").partition("/")
    if not rest.startswith("//") or not authority or not path.strip("/"):
        return None
    return f"{scheme}://{authority.rpartition('@')[2] if scheme not in _AT_ACCOUNT else authority}", (
        path if scheme in _OBJECT_STORES else slash + path
    )


_AT_ACCOUNT = frozenset({"abfs", "abfss", "wasb", "wasbs"})  # container@account


def table_of_file(file: str) -> str:
    """The table that a file is of: `orders.customer_orders.json` -> `orders.customer_orders`."""
    return unquote(file.removesuffix(".json").removesuffix(".metadata"))
