"""What `feast registry-dump` prints: the messages of Feast's registry (feast.core), as JSON."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import msgspec

from meshline.errors import InvalidInput


class FileOptions(msgspec.Struct):
    uri: str | None = None


class TableOptions(msgspec.Struct):
    """A table or query of a database. Which keys there are depends on the system."""

    database: str | None = None
    schema: str | None = None
    table: str | None = None
    query: str | None = None
    path: str | None = None


class KafkaOptions(msgspec.Struct, rename="camel"):
    kafka_bootstrap_servers: str | None = None
    topic: str | None = None


class CustomOptions(msgspec.Struct):
    """The options of a source that is not Feast's own: JSON in base64."""

    configuration: str | None = None


class DataSource(msgspec.Struct, rename="camel"):
    """Where features come from. `field_mapping`: the names of features by those of columns."""

    name: str = ""
    type: str = ""
    data_source_class_type: str | None = None
    field_mapping: dict[str, str] = {}
    timestamp_field: str | None = None
    created_timestamp_column: str | None = None
    date_partition_column: str | None = None
    batch_source: DataSource | None = None
    file_options: FileOptions | None = None
    bigquery_options: TableOptions | None = None
    redshift_options: TableOptions | None = None
    snowflake_options: TableOptions | None = None
    spark_options: TableOptions | None = None
    trino_options: TableOptions | None = None
    athena_options: TableOptions | None = None
    kafka_options: KafkaOptions | None = None
    custom_options: CustomOptions | None = None


class Feature(msgspec.Struct, rename="camel"):
    name: str = ""
    value_type: str | None = None
    description: str | None = None


class Projection(msgspec.Struct, rename="camel"):
    """Some features of a view."""

    feature_view_name: str = ""
    feature_columns: list[Feature] = []


class OnDemandSource(msgspec.Struct, rename="camel"):
    """What a view on demand reads: features, or values of a request."""

    feature_view_projection: Projection | None = None
    feature_view: FeatureView | None = None


class UserFunction(msgspec.Struct, rename="camel"):
    name: str | None = None
    body: str | None = None
    body_text: str | None = None


class Transformation(msgspec.Struct, rename="camel"):
    user_defined_function: UserFunction | None = None


class ViewSpec(msgspec.Struct, rename="camel"):
    """A feature view of any kind. `sources`: of one on demand."""

    name: str
    description: str | None = None
    owner: str | None = None
    tags: dict[str, str] = {}
    entities: list[str] = []
    features: list[Feature] = []
    entity_columns: list[Feature] = []
    batch_source: DataSource | None = None
    stream_source: DataSource | None = None
    online: bool | None = None
    sources: dict[str, OnDemandSource] = {}
    feature_transformation: Transformation | None = None
    user_defined_function: UserFunction | None = None

    def find_function(self) -> UserFunction:
        """The function that computes its features, if it has one. Old versions of Feast have it beside the transformation."""
        found = self.feature_transformation.user_defined_function if self.feature_transformation is not None else None
        return found or self.user_defined_function or UserFunction()


class Interval(msgspec.Struct, rename="camel"):
    end_time: str | None = None


class ViewMeta(msgspec.Struct, rename="camel"):
    last_updated_timestamp: str | None = None
    materialization_intervals: list[Interval] = []


class FeatureView(msgspec.Struct):
    spec: ViewSpec
    meta: ViewMeta = msgspec.field(default_factory=ViewMeta)


class ServiceSpec(msgspec.Struct):
    name: str
    description: str | None = None
    owner: str | None = None
    tags: dict[str, str] = {}
    features: list[Projection] = []


class FeatureService(msgspec.Struct):
    spec: ServiceSpec
    meta: ViewMeta = msgspec.field(default_factory=ViewMeta)


class Registry(msgspec.Struct, rename="camel"):
    """One project."""

    project: str
    feature_views: list[FeatureView] = []
    stream_feature_views: list[FeatureView] = []
    on_demand_feature_views: list[FeatureView] = []
    feature_services: list[FeatureService] = []


def decode_registry(data: bytes, where: str) -> Registry:
    """What was printed; lines before the document, such as warnings, are passed over. Raises InvalidInput."""
    begin = 0 if data.startswith(b"{") else data.find(b"\n{") + 1
    try:
        return msgspec.json.decode(data[begin:], type=Registry)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"this is no registry of Feast: {error}; accepted is what `feast registry-dump` prints", where) from error


def decode_options(options: CustomOptions | None) -> TableOptions:
    """The table or query of a source that is not Feast's own, such as PostgreSQL's."""
    try:
        return msgspec.json.decode(base64.b64decode((options and options.configuration) or "", validate=True), type=TableOptions)
    except (msgspec.MsgspecError, binascii.Error, ValueError, RecursionError):
        return TableOptions()


def list_tags(tags: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{key}={value}" if value else key for key, value in sorted(tags.items()))
