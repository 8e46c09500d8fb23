"""The URNs that DataHub gives our assets: the one that it gave itself, else one by the platform of the namespace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey
from meshline.graph.naming import TEAM, parse_owner

PROD = "PROD"
# DataHub's platforms by the scheme of a namespace, where they are called differently.
_PLATFORMS = {
    "abfs": "abs",
    "abfss": "abs",
    "awsathena": "athena",
    "gs": "gcs",
    "http": "iceberg",  # the address of a REST catalog
    "https": "iceberg",
    "oracle": "oracle",
    "postgresql": "postgres",
    "sqlserver": "mssql",
    "s3a": "s3",
    "s3n": "s3",
    "wasbs": "abs",
}
_BUCKETS = frozenset({"s3", "gcs", "abs"})  # platforms in whose names the bucket comes first
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_GLUE = "arn:aws:glue:"
_DATAHUB = "datahub"  # the scheme of namespaces that the source `datahub` made of a platform without a key
_PLATFORM = re.compile(r"([^/@\s,()]+)(?:/([^@,()]+))?(?:@([A-Za-z_0-9-]+))?")
_RESERVED = re.compile(r"[,()\x00-\x1f\x7f]")


class Place(NamedTuple):
    """Where the datasets of a namespace are in DataHub."""

    platform: str
    instance: str = ""
    env: str = PROD


def parse_place(text: str) -> Place:
    """`postgres`, `postgres/crm` (an instance), `postgres@DEV` (another environment). Raises InvalidInput."""
    match = _PLATFORM.fullmatch(text)
    if match is None:
        raise InvalidInput(f"found {text!r}; accepted is PLATFORM, PLATFORM/INSTANCE, PLATFORM@ENV or PLATFORM/INSTANCE@ENV", "--platform")
    return Place(match[1], match[2] or "", (match[3] or PROD).upper())


class Urns:
    """URNs of datasets and of what belongs to them. `places`: by namespace. `known`: by dataset the URN that DataHub gave it.

    Two datasets with one URN are refused: their namespaces need places of their own.
    """

    def __init__(self, places: Mapping[str, Place], known: Mapping[AssetKey, str]) -> None:
        self._places = places
        self._known = known
        self._urns: dict[AssetKey, str] = {}
        self._used: dict[str, AssetKey] = {}

    def is_known(self, dataset: AssetKey) -> bool:
        """Whether DataHub itself describes the dataset."""
        return dataset in self._known

    def build_dataset_urn(self, dataset: AssetKey) -> str:
        """Raises InvalidInput if another dataset has the URN."""
        urn = self._urns.get(dataset)
        if urn is None:
            urn = self._known.get(dataset) or _format_dataset_urn(dataset, self.find_place(dataset.parts[0]))
            other = self._used.setdefault(urn, dataset)
            if other != dataset:
                raise InvalidInput(
                    f"{other.qualified_name} and {dataset.qualified_name} would both be {urn}:"
                    " give one namespace an instance, e.g."
                    f" --platform {self.find_place(dataset.parts[0]).platform}/NAME={dataset.parts[0]}",
                    "--platform",
                )
            self._urns[dataset] = urn
        return urn

    def list_used(self) -> list[tuple[AssetKey, str]]:
        """The datasets of which a URN was asked for, by name."""
        return sorted(self._urns.items())

    def build_field_urn(self, column: AssetKey) -> str:
        """The URN of a column."""
        dataset = AssetKey(column.kind.DATASET, column.parts[:2])
        return f"urn:li:schemaField:({self.build_dataset_urn(dataset)},{encode_part(column.parts[2])})"

    def find_place(self, namespace: str) -> Place:
        """The platform of a namespace: the one that is given, else by its scheme."""
        given = self._places.get(namespace)
        if given is not None:
            return given
        if namespace.startswith(_GLUE):
            return Place("glue")
        match = _SCHEME.fullmatch(namespace)
        scheme = (match[1] if match else namespace.partition(":")[0] or "unknown").lower()
        if match is not None and scheme == _DATAHUB and _PLATFORM.fullmatch(match[2]):
            return parse_place(match[2])
        return Place(_RESERVED.sub("_", _PLATFORMS.get(scheme, scheme)))


def _format_dataset_urn(dataset: AssetKey, place: Place) -> str:
    namespace, name = dataset.parts
    if place.platform == "glue" and name.startswith("table/"):
        name = name.removeprefix("table/").replace("/", ".")
    if place.platform in _BUCKETS:
        match = _SCHEME.fullmatch(namespace)
        name = f"{match[2].strip('/')}/{name.lstrip('/')}" if match is not None else name
    if place.platform == "snowflake" and name == name.upper():
        name = name.lower()  # as DataHub writes names that are the same in any case
    if place.instance:
        name = f"{place.instance}.{name}"
    return f"urn:li:dataset:(urn:li:dataPlatform:{place.platform},{encode_part(name)},{place.env})"


def encode_part(text: str) -> str:
    """A part of a URN. DataHub encodes what separates parts."""
    return _RESERVED.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), text)


def build_owner_urn(owner: str, kind: str) -> str:
    """The URN of a user or a group. `kind`: `team` or `person`, '' if that is unknown."""
    form = parse_owner(owner)
    is_group = kind == "team" or (not kind and form.kind == TEAM)
    return f"urn:li:{'corpGroup' if is_group else 'corpuser'}:{encode_part(form.name)}"
