"""URNs of DataHub, and the names that OpenLineage gives the datasets of its platforms (Naming.md)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey
from meshline.ingest.sources.base import Context
from meshline.words import format_count

MAX_NAME = 1_000  # characters of a name
MAX_URN = 4_000  # characters
PROD = "PROD"
FLOW, JOB = "urn:li:dataFlow:(", "urn:li:dataJob:("
# Custom properties with the name that the exporting program (`meshline export datahub`) has for a dataset or job.
OWN_NAMESPACE, OWN_NAME = "meshline.namespace", "meshline.name"
DATASET, FIELD, PLATFORM = "urn:li:dataset:(", "urn:li:schemaField:(", "urn:li:dataPlatform:"
_DATASET = re.compile(r"urn:li:dataset:\(urn:li:dataPlatform:([^,()]+),(.+),([A-Za-z_0-9-]+)\)", re.DOTALL)
_FIELD = re.compile(r"urn:li:schemaField:\((urn:li:dataset:\(.+?,[A-Za-z_0-9-]+\)),(.+)\)", re.DOTALL)
_JOB = re.compile(r"urn:li:dataJob:\((urn:li:dataFlow:\(.+\)),([^,]+)\)", re.DOTALL)
_FLOW = re.compile(r"urn:li:dataFlow:\(([^,()]+),(.+),([^,()]+)\)", re.DOTALL)
_INSTANCE = re.compile(r"urn:li:dataPlatformInstance:\(urn:li:dataPlatform:([^,()]+),(.+)\)", re.DOTALL)
_ENCODED = re.compile(r"%(2C|28|29)", re.IGNORECASE)  # what DataHub encodes in a part of a URN
_TOKEN = re.compile(r"\[(?:version|type|key)=[^\]]*\]\.?")  # of the second version of field paths: [version=2.0].[type=string].name
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BUCKETS = {"s3": "s3", "gcs": "gs"}  # platforms whose names begin with a bucket
_KEY = r"^[^/@\s]+(/[^@]+)?(@[A-Za-z_0-9-]+)?$"


class PlatformName(BaseModel):
    """Where the datasets of a platform are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    namespace: str = Field(min_length=1, max_length=2000, description="The namespace of its datasets, or an alias of one.")
    case: Literal["keep", "upper", "lower"] | None = Field(
        default=None,
        description="How names are written there. By default as in DataHub, but names without capitals become capitals for Snowflake.",
    )


Platforms: TypeAlias = Mapping[Annotated[str, Field(pattern=_KEY)], str | PlatformName]


class DatasetUrn(NamedTuple):
    """The parts of the URN of a dataset. `env`: such as PROD."""

    platform: str
    name: str
    env: str


def parse_dataset_urn(urn: str) -> DatasetUrn:
    """Raises InvalidInput for a URN that is none of a dataset."""
    match = _DATASET.fullmatch(urn) if len(urn) <= MAX_URN else None
    if match is None or _CONTROL.search(urn):
        accepted = "urn:li:dataset:(urn:li:dataPlatform:PLATFORM,NAME,ENV)"
        raise InvalidInput(f"this is no URN of a dataset; accepted is {accepted} of at most {MAX_URN} characters", shorten_urn(urn))
    name = decode_part(match[2])
    if len(name) > MAX_NAME:
        raise InvalidInput(f"the dataset's name has more than {MAX_NAME} characters", shorten_urn(urn))
    return DatasetUrn(match[1], name, match[3].upper())


def split_field_urn(urn: str) -> tuple[str, str] | None:
    """The URN of the dataset and the path of a field; None if the field is of no dataset."""
    match = _FIELD.fullmatch(urn) if len(urn) <= MAX_URN + MAX_NAME else None
    return None if match is None else (match[1], convert_field_path(decode_part(match[2])))


class FlowUrn(NamedTuple):
    """The parts of the URN of a data flow, such as a DAG of Airflow. `env`: the cluster, such as PROD."""

    orchestrator: str
    name: str
    env: str


def parse_flow_urn(urn: str) -> FlowUrn | None:
    """None for a URN that is none of a data flow, or has a name that is too long."""
    match = _FLOW.fullmatch(urn) if len(urn) <= MAX_URN and not _CONTROL.search(urn) else None
    name = "" if match is None else decode_part(match[2])
    return None if match is None or len(name) > MAX_NAME else FlowUrn(match[1], name, match[3].upper())


def parse_job_urn(urn: str) -> tuple[str, str] | None:
    """The URN of the data flow and the id of a data job; None for a URN that is none."""
    match = _JOB.fullmatch(urn) if len(urn) <= MAX_URN and not _CONTROL.search(urn) else None
    return None if match is None else (match[1], decode_part(match[2]))


def convert_field_path(path: str) -> str:
    """`address.city` of `[version=2.0].[type=Order].[type=Address].address.[type=string].city`."""
    return _TOKEN.sub("", path).strip(".")


def decode_part(text: str) -> str:
    """A part of a URN as it was before DataHub encoded commas and parentheses."""
    return _ENCODED.sub(lambda match: chr(int(match[1], 16)), text)


def get_urn_id(urn: str) -> str:
    """`jdoe` of `urn:li:corpuser:jdoe`."""
    return decode_part(urn.split(":", 3)[-1])


def parse_instance_urn(urn: str) -> tuple[str, str] | None:
    """The platform and the name of an instance."""
    match = _INSTANCE.fullmatch(urn)
    return None if match is None else (match[1], decode_part(match[2]))


def shorten_urn(urn: str) -> str:
    """A URN for messages."""
    shown = _CONTROL.sub("?", urn)
    return shown if len(shown) <= 200 else f"{shown[:200]}..."


def find_stated_name(properties: Mapping[str, str] | None) -> tuple[str, str] | None:
    """The namespace and name that custom properties state; None if they state none that is usable."""
    namespace, name = (properties or {}).get(OWN_NAMESPACE), (properties or {}).get(OWN_NAME)
    if namespace is None or not name or len(namespace) > MAX_URN or len(name) > MAX_NAME or _CONTROL.search(namespace + name):
        return None
    return namespace, name


class Names:
    """The names of datasets. `instances`: those of each platform. `own`: by the URN of a dataset, the instance that it states, or ''.
    `stated`: by the URN of a dataset, the namespace and name that its own properties state.
    """

    def __init__(
        self,
        platforms: Platforms,
        instances: Mapping[str, set[str]],
        own: Mapping[str, str],
        context: Context,
        stated: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        self._stated = stated or {}
        self._platforms = {key: PlatformName(namespace=one) if isinstance(one, str) else one for key, one in platforms.items()}
        self._own = own
        self._context = context
        self._instances = {platform: set(names) for platform, names in instances.items()}
        for key in platforms:
            platform, slash, instance = key.partition("@")[0].partition("/")
            if slash:
                self._instances.setdefault(platform, set()).add(instance)
        self._found: dict[str, tuple[AssetKey, PlatformName | None]] = {}
        self._unlocated: Counter[str] = Counter()

    def build_key(self, urn: str) -> AssetKey:
        """The dataset of a URN. Raises InvalidInput for a URN that is none."""
        return self._find(urn)[0]

    def is_stated(self, urn: str) -> bool:
        """Whether the dataset's own properties state its name."""
        return urn in self._stated

    def name_column(self, urn: str, path: str) -> str:
        """A column's name as the dataset's platform writes it."""
        return _write_name(path, self._find(urn)[1])

    def find_job_namespace(self, flow: FlowUrn) -> str:
        """The namespace of the jobs of a data flow: by the key of its orchestrator."""
        key = f"{flow.orchestrator}{'' if flow.env == PROD else f'@{flow.env}'}"
        place = self._platforms.get(key)
        return f"datahub://{key}" if place is None else self._context.resolve_namespace(place.namespace)

    def list_warnings(self) -> Iterator[str]:
        """The platforms whose datasets are not located."""
        for key, count in sorted(self._unlocated.items()):
            text = f"{format_count(count, 'dataset')} of {key} {'has' if count == 1 else 'have'} the namespace datahub://{key}"
            yield f"{text}: state where they are with the key platforms ({key}: NAMESPACE)"

    def _find(self, urn: str) -> tuple[AssetKey, PlatformName | None]:
        found = self._found.get(urn)
        if found is None:
            found = self._found[urn] = self._build(urn)
        return found

    def _build(self, urn: str) -> tuple[AssetKey, PlatformName | None]:
        parts = parse_dataset_urn(urn)
        if urn in self._stated:
            return self._context.naming.normalise_dataset(*self._stated[urn]), None
        instance = self._find_instance(urn, parts)
        name = parts.name[len(instance) + 1 :] if instance else parts.name
        key = f"{parts.platform}{f'/{instance}' if instance else ''}{'' if parts.env == PROD else f'@{parts.env}'}"
        place = self._platforms.get(key)
        if place is not None:
            namespace = self._context.resolve_namespace(place.namespace)
            name = _write_name(name, place)
            if namespace.startswith("arn:aws:glue:") and name.count(".") == 1:
                name = f"table/{name.replace('.', '/')}"
        elif parts.platform == "bigquery":
            namespace = "bigquery"
        elif parts.platform in _BUCKETS and name.strip("/").count("/"):
            bucket, _, name = name.strip("/").partition("/")
            namespace = f"{_BUCKETS[parts.platform]}://{bucket}"
        else:
            namespace = f"datahub://{key}"
            self._unlocated[key] += 1
        return self._context.naming.normalise_dataset(namespace, name), place

    def _find_instance(self, urn: str, parts: DatasetUrn) -> str:
        """The instance that begins the name: the one that the dataset states, else the longest that fits."""
        own = self._own.get(urn)
        known = self._instances.get(parts.platform, set()) if own is None else {own}
        return max(
            (one for one in known if one and parts.name.startswith(f"{one}.") and len(parts.name) > len(one) + 1), key=len, default=""
        )


def _write_name(name: str, place: PlatformName | None) -> str:
    if place is None:
        return name
    if place.case is None:
        return name.upper() if place.namespace.startswith("snowflake://") and name == name.lower() else name
    return {"keep": name, "upper": name.upper(), "lower": name.lower()}[place.case]
