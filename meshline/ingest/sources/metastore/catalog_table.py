"""A table or view as a catalog lists it, whichever catalog that is; and its content in the graph."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

import msgspec

from meshline.errors import InvalidInput
from meshline.graph.content import Draft
from meshline.graph.model import AssetKey, Content, EdgeFact, EdgeType, Facts, Json, drop_empty_attributes
from meshline.graph.naming import find_email
from meshline.ingest.sources.base import Context, Refusal
from meshline.ingest.sources.iceberg.facts import MAX_SQL, NamespaceDefaults, parse_location
from meshline.ingest.sources.table_properties import build_owner_facts, build_product_facts, select_properties

TABLE, VIEW, MATERIALIZED_VIEW = "TABLE", "VIEW", "MATERIALIZED_VIEW"
MAX_COLUMNS = 20_000
MAX_TYPE = 500  # characters of a type's text that are shown
MAX_COMMENT = 10_000  # characters


class CatalogColumn(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column, also one within another (`address.city`). `position`: of its top-level column, from 1. `nullable`: None if the catalog
    does not state it. `others`: more attributes.
    """

    path: str
    type: str
    position: int
    comment: str = ""
    nullable: bool | None = None
    others: dict[str, Json] = {}


class ViewDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """The text of a view. `dialect`: as sqlglot names it. `default_catalog`: as the view's engine calls the catalog; None if that is
    not known. `default_namespace`: the parts that come before a name without a namespace.
    """

    sql: str
    dialect: str
    default_catalog: str | None = None
    default_namespace: tuple[str, ...] = ()


class CatalogTable(msgspec.Struct, frozen=True, omit_defaults=True):
    """A table or view.

    - `identifier`: the parts of its name, such as ("shop", "orders").
    - `owner_is_stated`: whether people set the owner; else an engine may have written the user of its process, and only an e-mail
      address counts.
    - `changed`: since when the catalog has it so, in microseconds since the epoch; None if that is not known.
    - `other_names`: (namespace, name) of the same table elsewhere, besides its location.
    - `metadata_location`: the metadata file of an Iceberg table; else empty.
    - `counts`: numbers that change with the data, such as `record_count`.
    - `others`: more attributes.
    """

    identifier: tuple[str, ...]
    dataset_type: str = TABLE
    columns: tuple[CatalogColumn, ...] = ()
    format: str = ""
    location: str = ""
    comment: str = ""
    owner: str = ""
    owner_is_stated: bool = False
    properties: dict[str, str] = {}
    partition_columns: tuple[str, ...] = ()
    defaults: NamespaceDefaults = NamespaceDefaults()
    view: ViewDefinition | None = None
    changed: int | None = None
    other_names: tuple[tuple[str, str], ...] = ()
    metadata_location: str = ""
    counts: dict[str, int] = {}
    others: dict[str, Json] = {}

    @property
    def digest(self) -> str:
        """Equal for equal tables. The time of the last change alone does not do: it has whole seconds in some catalogs."""
        return hashlib.blake2b(_encoder.encode(self), digest_size=16).hexdigest()


_encoder = msgspec.json.Encoder(order="deterministic")


class RefusedTable(NamedTuple):
    """A listed table that cannot be read. What was known of it stays."""

    identifier: tuple[str, ...]
    error: InvalidInput


class TableRights(NamedTuple):
    """Who may read a listed table: the facts for its dataset; None if that could not be read (`problem`): what was known of it stays."""

    identifier: tuple[str, ...]
    build_facts: Callable[[AssetKey], Facts] | None
    problem: str = ""


# A Refusal is about tables that could not even be listed.
Listing: TypeAlias = Iterator[CatalogTable | RefusedTable | TableRights | Refusal]


def build_content(dataset: AssetKey, table: CatalogTable, kind: str, title: str, context: Context) -> Content:
    """The attributes, columns, owners and product of a table. `kind`, `title`: of the source, for a product's port: `hive`, `Hive`."""
    draft = Draft()
    draft.add_columns(
        dataset,
        [(one.path, one.position) for one in table.columns],
        [(one.path, _build_column_attributes(one, table)) for one in table.columns],
    )
    draft.add_asset(dataset, None, _build_attributes(table))
    other = build_physical_key(table, context)
    if other is not None and other != dataset:
        draft.add_facts(Facts(edges=(EdgeFact(EdgeType.SAME_AS, dataset, other, {"why": "location"}),)))
    for place in table.other_names:
        same = context.naming.normalise_dataset(*place)
        if same != dataset:
            draft.add_facts(Facts(edges=(EdgeFact(EdgeType.SAME_AS, dataset, same, {"why": "catalog"}),)))
    owner = table.owner or table.defaults.owner
    if table.owner_is_stated or find_email(owner):
        draft.add_facts(build_owner_facts(owner, dataset))
    for facts in build_product_facts(table.properties, dataset, (kind, f"{title} table")):
        draft.add_facts(facts)
    return draft.build_content()


def build_counts_content(dataset: AssetKey, counts: Mapping[str, int]) -> Content:
    """The numbers that change with the data of a table."""
    draft = Draft()
    draft.add_asset(dataset, None, dict(counts))
    return draft.build_content()


def build_physical_key(table: CatalogTable, context: Context) -> AssetKey | None:
    """The dataset at a table's location, as Spark's events name it; None for a view, or if the location is not understood."""
    place = parse_location(table.location) if table.location and table.dataset_type == TABLE else None
    return None if place is None else context.naming.normalise_dataset(*place)


def _build_attributes(table: CatalogTable) -> dict[str, Json]:
    view = table.view
    return drop_empty_attributes(
        dataset_type=table.dataset_type,
        format=table.format,
        location=table.location,
        table_owner=table.owner or table.defaults.owner,
        description=table.comment[:MAX_COMMENT],
        namespace_description=table.defaults.comment[:MAX_COMMENT],
        partition_columns=list(table.partition_columns),
        properties=select_properties(table.properties),
        sql=view.sql[:MAX_SQL] if view is not None else "",
        dialect=view.dialect if view is not None else "",
        default_catalog=(view.default_catalog or "") if view is not None else "",
        default_namespace=".".join(view.default_namespace) if view is not None else "",
        **table.others,
    )


def _build_column_attributes(column: CatalogColumn, table: CatalogTable) -> dict[str, Json]:
    type_ = column.type if len(column.type) <= MAX_TYPE else f"{column.type[: MAX_TYPE - 1]}…"
    return drop_empty_attributes(
        type=type_,
        nullable=column.nullable,
        description=column.comment[:MAX_COMMENT],
        is_partition=True if column.path in table.partition_columns else None,
        **column.others,
    )
