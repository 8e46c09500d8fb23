"""The facts of a project's nodes: tables, columns, attributes and owners; and of exposures, which consume them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from meshline.errors import InvalidInput
from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json, drop_empty_attributes
from meshline.graph.naming import Naming, find_email
from meshline.ingest.sources.dbt.artifacts import CatalogColumn, CatalogTable, Column, Config, Constraint, Exposure, Group, Node, Person
from meshline.sql.statement_lineage import Relation

MAX_COLUMNS = 20_000

_PART = re.compile(r'"((?:[^"]|"")*)"|`([^`]*)`|\[([^\]]*)\]|([^."`\[\]]+)')


class ListedColumn(NamedTuple):
    """A column of a table. `declared`: its declaration in YAML."""

    name: str
    type: str | None = None
    comment: str | None = None
    declared: Column | None = None


class Table(NamedTuple):
    """A model, seed, snapshot or source. `other`: the key by the table's own name, if a source's table has another name than the
    source.
    """

    id: str
    node: Node
    key: AssetKey
    other: AssetKey | None
    relation: Relation
    warehouse_type: str  # the type of the table in the warehouse, such as BASE TABLE; empty if there is no catalog
    listing: Sequence[CatalogColumn]

    @property
    def path(self) -> str:
        return self.node.original_file_path or self.id


def build_table(id_: str, node: Node, namespace: str, naming: Naming, catalog: CatalogTable | None) -> Table | None:
    """A node's table; None for an ephemeral model, whose SQL dbt inserts into the models that use it. Raises InvalidInput.

    The names are those of dbt's OpenLineage events: of a source its own name, of any other node its alias.
    """
    if node.config is not None and node.config.materialized == "ephemeral":
        return None
    is_source = node.source_name is not None
    name = node.name if is_source else node.alias or node.name
    if not name.strip():
        raise InvalidInput("found an empty name; a model, seed, snapshot or source needs a name")
    physical = (node.identifier or name) if is_source else name
    place = [part for part in (node.database, node.schema) if part]
    if len(node.columns or ()) > MAX_COLUMNS or (catalog is not None and len(catalog.columns) > MAX_COLUMNS):
        raise InvalidInput(f"more than {MAX_COLUMNS} columns")
    return Table(
        id=id_,
        node=node,
        key=naming.normalise_dataset(namespace, ".".join([*place, name])),
        other=naming.normalise_dataset(namespace, ".".join([*place, physical])) if physical != name else None,
        relation=parse_relation_name(node.relation_name) or (*place, physical),
        warehouse_type=(catalog.metadata.type or "") if catalog is not None else "",
        listing=sorted(catalog.columns.values(), key=lambda column: column.index or 0) if catalog is not None else (),
    )


def parse_relation_name(relation_name: str | None) -> Relation:
    """The parts of a relation as the adapter quotes it: `"shop"."main"."orders"`, `` `p`.`d`.`t` ``, shop.main.orders."""
    found = (next(part for part in match.groups() if part is not None) for match in _PART.finditer(relation_name or ""))
    return tuple(part.replace('""', '"') for part in found)


def list_columns(table: Table, defined: Sequence[str]) -> list[ListedColumn]:
    """The columns of a table: those in the warehouse, else those that its SQL defines, else those that YAML declares."""
    declared = {column.name.casefold(): column for column in (table.node.columns or {}).values()}
    if table.listing:
        return [ListedColumn(one.name, one.type, one.comment, declared.get(one.name.casefold())) for one in table.listing]
    if defined:
        return [ListedColumn(name, None, None, declared.get(name.casefold())) for name in defined]
    return [ListedColumn(column.name, None, None, column) for column in declared.values()]


def list_certain_columns(table: Table, defined: Sequence[str]) -> Sequence[str]:
    """All columns of a table, to resolve a star; empty if they are not certain.

    The columns that SQL defines are as new as the manifest, which the catalog may not be, but dbt adds columns to snapshots. YAML
    need not declare all columns, unless dbt enforces the contract.
    """
    in_catalog = [column.name for column in table.listing]
    if defined and table.node.resource_type != "snapshot":
        spelled = {name.casefold(): name for name in in_catalog}
        return [spelled.get(name.casefold(), name) for name in defined]
    if in_catalog:
        return in_catalog
    contract = table.node.contract or (table.node.config.contract if table.node.config is not None else None)
    if contract is not None and contract.enforced:
        return [column.name for column in (table.node.columns or {}).values()]
    return ()


class Relations:
    """Finds the table of a relation in SQL, in any case."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables: dict[Relation, Table] = {}
        for table in tables.values():  # a seed and a source may be one table: what dbt builds comes first
            self._tables.setdefault(_fold_case(table.relation), table)

    def find_table(self, relation: Relation) -> Table | None:
        """The table of a relation; None if it is no node of the project."""
        return self._tables.get(_fold_case(relation))


def _fold_case(relation: Relation) -> Relation:
    return tuple(part.casefold() for part in relation)


def merge_tags(*given: list[str] | str | None) -> list[Json]:
    """All tags, sorted, each once."""
    return list[Json](sorted({tag for some in given for tag in ([some] if isinstance(some, str) else some or ()) if tag}))


def build_constraints(given: Iterable[Constraint] | None) -> list[Json]:
    """The constraints as attributes, in their order."""
    return [drop_empty_attributes(**msgspec.structs.asdict(constraint)) for constraint in given or ()]


def find_freshness_limits(node: Node) -> dict[str, Json]:
    """How old a source's newest row may be: `{"warn_after": {"count": 12, "period": "hour"}}`. Limits that are not set are null in
    dbt's files, and left out here.
    """
    given = node.freshness or (node.config.freshness if node.config is not None else None) or {}
    return {name: value for name, value in given.items() if isinstance(value, dict) and value.get("count") is not None}


class Owner(NamedTuple):
    """A team or person: the name of the asset, and how to reach it."""

    name: str
    email: str | None = None
    slack: str | None = None


def build_owner(person: Person) -> Owner | None:
    """The owner of a group or exposure, by the name as it is written, else by the e-mail address, which the graph joins with its
    owner (`meshline.graph.index.identity`). None if there is neither.
    """
    emails = person.email if isinstance(person.email, list) else [person.email or ""]
    email = next((text.strip() for text in emails if text.strip()), None)
    name = (person.name or "").strip() or None
    if name is None and email is None:
        return None
    return Owner(name or email or "", email or find_email(name or "") or None, person.slack)


def list_owners(node: Node, groups: Mapping[str, Group]) -> tuple[Owner, ...]:
    """The owner of the node's group, and those that its `meta.owner` names."""
    found = [*_parse_meta_owners(merge_meta(node))]
    group = find_group(node, groups)
    if group is not None and (owner := build_owner(group.owner)) is not None:
        found.insert(0, owner)
    return tuple({owner.name: owner for owner in reversed(found)}.values())[::-1]


def find_group(node: Node, groups: Mapping[str, Group]) -> Group | None:
    """A node's group; a group's name is unique in its package."""
    name = node.group or (node.config.group if node.config is not None else None)
    return groups.get(f"group.{node.package_name}.{name}") if name else None


def merge_meta(node: Node) -> Mapping[str, Any]:
    """A node's `meta`: from dbt 1.10 on it is under `config`, possibly only there. The `meta` of a source applies to its tables."""
    return {**(node.source_meta or {}), **((node.config.meta if node.config is not None else None) or {}), **(node.meta or {})}


def _parse_meta_owners(meta: Mapping[str, Any]) -> Iterator[Owner]:
    owners = meta.get("owner")
    for text in owners if isinstance(owners, list) else [owners]:
        if isinstance(text, str) and text.strip():
            yield Owner(text.strip(), find_email(text) or None)


def build_owner_fact(owner: Owner) -> AssetFact:
    """The owner as an asset, with the contact."""
    contact = ", ".join(way for way in (owner.email, owner.slack) if way)
    return AssetFact(model.build_owner_key(owner.name), drop_empty_attributes(email=owner.email, slack=owner.slack, contact=contact))


def build_ownership_edges(owners: Iterable[Owner], of: AssetKey) -> Iterator[EdgeFact]:
    """An edge from each owner to the asset that they own."""
    for owner in owners:
        yield EdgeFact(EdgeType.OWNS, model.build_owner_key(owner.name), of, {"type": "technical"})


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


def build_table_facts(table: Table, columns: Sequence[ListedColumn], owned_by: Sequence[Owner]) -> Facts:
    """The table, its columns in order, and its owners."""
    keys = [model.build_column_key(table.key, column.name) for column in columns]
    listing = [EdgeFact(EdgeType.HAS_COLUMN, table.key, key, {"position": position}) for position, key in enumerate(keys, start=1)]
    is_enforced = is_contract_enforced(table.node)
    return Facts(
        assets=(
            AssetFact(table.key, _build_table_attributes(table)),
            *(AssetFact(key, _build_column_attributes(column, enforced=is_enforced)) for key, column in zip(keys, columns, strict=True)),
            *(build_owner_fact(owner) for owner in owned_by),
        ),
        edges=(*listing, *build_ownership_edges(owned_by, table.key), *_build_same_as_edges(table)),
    )


def build_group_facts(group: Group) -> Facts:
    """The owner of a group, with the contact."""
    owner = build_owner(group.owner)
    return Facts(assets=(build_owner_fact(owner),) if owner is not None else ())


def _build_same_as_edges(table: Table) -> Iterator[EdgeFact]:
    if table.other is not None:
        why: dict[str, Json] = {"why": "identifier of the dbt source", "type": "TABLE"}
        yield EdgeFact(EdgeType.SAME_AS, table.key, table.other, why)


def _build_table_attributes(table: Table) -> dict[str, Json]:
    node, config = table.node, table.node.config or Config()
    return drop_empty_attributes(
        dataset_type=_decide_dataset_type(table),
        description=node.description or node.source_description,
        tags=merge_tags(node.tags, config.tags),
        meta=dict(merge_meta(node)),
        dbt_id=table.id,
        path=node.original_file_path,
        materialized=config.materialized,
        access=node.access or config.access,
        group=node.group or config.group,
        contract_enforced=is_contract_enforced(node) or None,
        constraints=build_constraints(node.constraints),
        model_version=_to_text(node.version),
        latest_version=_to_text(node.latest_version),
        deprecation_date=node.deprecation_date,
        loader=node.loader,
        loaded_at_field=node.loaded_at_field or config.loaded_at_field,
        freshness=find_freshness_limits(node),
    )


def _build_column_attributes(column: ListedColumn, *, enforced: bool) -> dict[str, Json]:
    declared = column.declared
    if declared is None:
        return drop_empty_attributes(type=column.type, description=column.comment)
    of_config = declared.config
    promises = build_constraints(declared.constraints)
    required = enforced and any(one.type in ("not_null", "primary_key") for one in declared.constraints or ())
    return drop_empty_attributes(
        type=column.type or declared.data_type,
        nullable=False if required else None,
        description=declared.description or column.comment,
        tags=merge_tags(declared.tags, of_config.tags if of_config is not None else None),
        meta={**((of_config.meta if of_config is not None else None) or {}), **(declared.meta or {})},
        constraints=promises,
    )


def _decide_dataset_type(table: Table) -> str | None:
    """The type by the materialization, else the type in the warehouse."""
    materialized = (table.node.config.materialized if table.node.config is not None else None) or ""
    built = _TYPES.get(materialized)
    if built is not None or not table.warehouse_type:
        return built
    called = table.warehouse_type.lower().replace("_", " ")
    return _CATALOG_TYPES.get(called, called.upper())


def is_contract_enforced(node: Node) -> bool:
    """Whether dbt compares the columns with those that are declared."""
    contract = node.contract or (node.config.contract if node.config is not None else None)
    return contract is not None and contract.enforced is True


def _to_text(value: str | float | None) -> str | None:
    """A version as text, so that 1 and "1" are the same."""
    return None if value is None else str(value)


def build_exposure_facts(id_: str, exposure: Exposure, used: Iterable[Table]) -> Facts:
    """A consumer, its owner, and the tables that it uses, without columns, which dbt does not record."""
    key = model.build_consumer_key(exposure.name)
    owner = build_owner(exposure.owner)
    owned_by = [owner] if owner is not None else []
    attributes = drop_empty_attributes(
        title=exposure.label,
        description=exposure.description,
        consumer_type=exposure.type,
        url=exposure.url,
        maturity=exposure.maturity,
        tags=merge_tags(exposure.tags),
        meta=dict(exposure.meta or {}),
        dbt_id=id_,
    )
    return Facts(
        assets=(AssetFact(key, attributes), *map(build_owner_fact, owned_by)),
        edges=(*(EdgeFact(EdgeType.CONSUMES, key, table.key) for table in used), *build_ownership_edges(owned_by, key)),
    )
