"""What a table of the project is: attributes, columns, owners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meshline.graph import model
from meshline.graph.model import AssetFact, EdgeFact, EdgeType, Facts, Json
from meshline.ingest.sources.dbt import owners
from meshline.ingest.sources.dbt.artifacts import Config, Group, Node
from meshline.ingest.sources.dbt.attributes import constraints, limits, said, tags
from meshline.ingest.sources.dbt.owners import Owner, meta_of
from meshline.ingest.sources.dbt.tables import ListedColumn, Table

_TYPES = {
    "table": "TABLE",
    "incremental": "TABLE",
    "seed": "TABLE",
    "snapshot": "TABLE",
    "external": "TABLE",
    "view": "VIEW",
    "materialized_view": "MATERIALIZED_VIEW",
    "dynamic_table": "MATERIALIZED_VIEW",
}
_CATALOG_TYPES = {"base table": "TABLE", "materialized view": "MATERIALIZED_VIEW"}


def table_facts(table: Table, columns: Sequence[ListedColumn], owned_by: Sequence[Owner]) -> Facts:
    """The table, its columns in order, and whose it is."""
    keys = [model.column(table.key, column.name) for column in columns]
    listing = [EdgeFact(EdgeType.HAS_COLUMN, table.key, key, {"position": position}) for position, key in enumerate(keys, start=1)]
    holds = enforced(table.node)
    return Facts(
        assets=(
            AssetFact(table.key, _table(table)),
            *(AssetFact(key, _column(column, enforced=holds)) for key, column in zip(keys, columns, strict=True)),
            *(owners.asset(owner) for owner in owned_by),
        ),
        edges=(*listing, *owners.owns(owned_by, table.key), *_other_name(table)),
    )


def group_facts(group: Group) -> Facts:
    """How the owner of a group is reached."""
    owner = owners.of_person(group.owner)
    return Facts(assets=(owners.asset(owner),) if owner is not None else ())


def _other_name(table: Table) -> Iterator[EdgeFact]:
    if table.other is not None:
        why: dict[str, Json] = {"why": "identifier of the dbt source", "type": "TABLE"}
        yield EdgeFact(EdgeType.SAME_AS, table.key, table.other, why)


def _table(table: Table) -> dict[str, Json]:
    node, config = table.node, table.node.config or Config()
    return said(
        dataset_type=_dataset_type(table),
        description=node.description or node.source_description,
        tags=tags(node.tags, config.tags),
        meta=dict(meta_of(node)),
        dbt_id=table.id,
        path=node.original_file_path,
        materialized=config.materialized,
        access=node.access or config.access,
        group=node.group or config.group,
        contract_enforced=enforced(node) or None,
        constraints=constraints(node.constraints),
        model_version=_text(node.version),
        latest_version=_text(node.latest_version),
        deprecation_date=node.deprecation_date,
        loader=node.loader,
        loaded_at_field=node.loaded_at_field or config.loaded_at_field,
        freshness=limits(node),
    )


def _column(column: ListedColumn, *, enforced: bool) -> dict[str, Json]:
    declared = column.declared
    if declared is None:
        return said(type=column.type, description=column.comment)
    of_config = declared.config
    promises = constraints(declared.constraints)
    required = enforced and any(one.type in ("not_null", "primary_key") for one in declared.constraints or ())
    return said(
        type=column.type or declared.data_type,
        nullable=False if required else None,
        description=declared.description or column.comment,
        tags=tags(declared.tags, of_config.tags if of_config is not None else None),
        meta={**((of_config.meta if of_config is not None else None) or {}), **(declared.meta or {})},
        constraints=promises,
    )


def _dataset_type(table: Table) -> str | None:
    """As it is built, else as the warehouse calls it."""
    materialized = (table.node.config.materialized if table.node.config is not None else None) or ""
    built = _TYPES.get(materialized)
    if built is not None or not table.called:
        return built
    called = table.called.lower().replace("_", " ")
    return _CATALOG_TYPES.get(called, called.upper())


def enforced(node: Node) -> bool:
    """Whether dbt compares the columns with those that are declared."""
    contract = node.contract or (node.config.contract if node.config is not None else None)
    return contract is not None and contract.enforced is True


def _text(value: str | float | None) -> str | None:
    """A version; 1 and "1" are one."""
    return None if value is None else str(value)
