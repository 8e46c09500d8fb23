"""Servers by the names of variables: of the environment, of `.env` files, and of `hive-site.xml`. Values of variables are not read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from meshline.graph.model import Json
from meshline.ingest.discovery.found_servers import FoundServer

ENVIRONMENT = "the environment"
MAX_NAMES = 10_000  # of variables of one file

_LINE = re.compile(rb"^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]{0,199})[ \t]*=", re.MULTILINE)
_METASTORE = re.compile(rb"<name>\s*hive\.metastore\.uris\s*</name>\s*<value>\s*([\w.:/,-]{1,2000})\s*</value>")
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)


class Setting(NamedTuple):
    """A server that variables name. `address`: those that may have where it is; `keys`: of the source, with variables of which the
    first that is there gives the value; `fixed`: other keys; `decide`: those need a decision.
    """

    kind: str
    address: tuple[str, ...]
    keys: Mapping[str, tuple[str, ...]] = {}
    fixed: Mapping[str, Json] = {}
    decide: str = ""


SETTINGS = (
    Setting("unity", ("DATABRICKS_HOST", "UNITY_CATALOG_URL"), {"token": ("DATABRICKS_TOKEN", "UNITY_CATALOG_TOKEN")}),
    Setting(
        "gravitino", ("GRAVITINO_URL", "GRAVITINO_URI"), {"token": ("GRAVITINO_TOKEN",)}, {"metalake": "METALAKE"}, "write its metalake"
    ),
    Setting("hive", ("HIVE_METASTORE_URIS", "HIVE_METASTORE_URI")),
    Setting("glue", ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"), decide="whether AWS Glue is a catalog of yours"),
    Setting(
        "postgres", ("POSTGRES_URL", "DATABASE_URL"), {"password": ("POSTGRES_PASSWORD", "PGPASSWORD")}, decide="whether it is PostgreSQL"
    ),
    Setting(
        "superset",
        ("SUPERSET_URL", "SUPERSET_BASE_URL"),
        {
            "user": ("SUPERSET_USER", "SUPERSET_USERNAME"),
            "password": ("SUPERSET_PASSWORD",),
            "token": ("SUPERSET_TOKEN", "SUPERSET_ACCESS_TOKEN"),
        },
    ),
    Setting(
        "metabase",
        ("METABASE_URL", "METABASE_HOST", "MB_SITE_URL"),
        {"api_key": ("METABASE_API_KEY",), "user": ("METABASE_USER", "METABASE_USERNAME"), "password": ("METABASE_PASSWORD",)},
    ),
    Setting(
        "registry",
        ("SCHEMA_REGISTRY_URL", "KAFKA_SCHEMA_REGISTRY_URL"),
        {
            "user": ("SCHEMA_REGISTRY_USER", "SCHEMA_REGISTRY_API_KEY"),
            "password": ("SCHEMA_REGISTRY_PASSWORD", "SCHEMA_REGISTRY_API_SECRET"),
        },
        {"namespace": "kafka://HOST:PORT"},
        "write the address of a broker of its topics",
    ),
    Setting("datahub", ("DATAHUB_GMS_URL", "DATAHUB_GMS_HOST"), {}, {"files": ["datahub/*.json"]}, "write its metadata into files"),
)
_ADDRESS_KEYS = {"hive": "uri", "glue": "", "datahub": ""}  # of the others: url


def is_variable_file(name: str) -> bool:
    """Whether a file of this name has variables: `.env`, `.env.local`, `shop.env`."""
    return name == ".env" or name.startswith(".env.") or name.endswith(".env")


def list_variable_names(data: bytes) -> list[str]:
    """The names of the variables in a file of them, without their values."""
    return [match[1].decode() for match, _ in zip(_LINE.finditer(data), range(MAX_NAMES), strict=False)]


def list_named_servers(names: Collection[str]) -> Iterator[FoundServer]:
    """The servers that variables of these names are about."""
    for setting in SETTINGS:
        chosen = next((name for name in setting.address if name in names), None)
        if chosen is None:
            continue
        keys: dict[str, Json] = {"kind": setting.kind, "name": setting.kind}
        used: list[str] = []
        wanted = {_ADDRESS_KEYS.get(setting.kind, "url"): (chosen,), **setting.keys}
        for key, variables in wanted.items():
            found = next((name for name in variables if name in names), None)
            if key and found is not None:
                keys[key] = f"${{{found}}}"
                used.append(found)
        why = f"variable {chosen}" + (f": decide {setting.decide}" if setting.decide.startswith("whether") else "")
        why += f": {setting.decide}" if setting.decide and not setting.decide.startswith("whether") else ""
        yield FoundServer(why, {**keys, **setting.fixed}, secrets=tuple(used), undecided=bool(setting.decide))


def list_metastores(data: bytes) -> Iterator[FoundServer]:
    """The metastore that a `hive-site.xml` names."""
    found = _METASTORE.search(_COMMENT.sub(b"", data))
    if found is not None and found[1].startswith(b"thrift://"):
        yield FoundServer("hive.metastore.uris", {"kind": "hive", "name": "metastore", "uri": found[1].decode()})
