"""The nodes of a project that are tables or views in the database: their keys, relations and columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.model import AssetKey
from meshline.graph.naming import Naming
from meshline.ingest.sources.dbt.artifacts import Column, Node
from meshline.ingest.sources.dbt.results import CatalogColumn, CatalogTable
from meshline.ingest.sql.shape import Relation

MAX_COLUMNS = 20_000

_PART = re.compile(r'"((?:[^"]|"")*)"|`([^`]*)`|\[([^\]]*)\]|([^."`\[\]]+)')


class ListedColumn(NamedTuple):
    """A column of a table. `declared`: what YAML says of it."""

    name: str
    type: str | None = None
    comment: str | None = None
    declared: Column | None = None


class Table(NamedTuple):
    """A model, seed, snapshot or source. `other`: the source's table has another name than the source: its key by that."""

    id: str
    node: Node
    key: AssetKey
    other: AssetKey | None
    relation: Relation
    called: str  # what the warehouse says that it is, such as BASE TABLE; empty if there is no catalog
    listing: Sequence[CatalogColumn]

    @property
    def path(self) -> str:
        return self.node.original_file_path or self.id


def table_of(id_: str, node: Node, namespace: str, naming: Naming, catalog: CatalogTable | None) -> Table | None:
    """A node's table; None for ephemeral models, which dbt writes into those that use them. Raises InvalidInput.

    Named as dbt's OpenLineage events do: a source by its own name, all else by its alias.
    """
    if node.config is not None and node.config.materialized == "ephemeral":
        return None
    is_source = node.source_name is not None
    name = node.name if is_source else node.alias or node.name
    if not name.strip():
        raise InvalidInput("found an empty name; a model, seed, snapshot or source has one")
    physical = (node.identifier or name) if is_source else name
    place = [part for part in (node.database, node.schema) if part]
    if len(node.columns or ()) > MAX_COLUMNS or (catalog is not None and len(catalog.columns) > MAX_COLUMNS):
        raise InvalidInput(f"more than {MAX_COLUMNS} columns")
    return Table(
        id=id_,
        node=node,
        key=naming.dataset(namespace, ".".join([*place, name])),
        other=naming.dataset(namespace, ".".join([*place, physical])) if physical != name else None,
        relation=parts_of(node.relation_name) or (*place, physical),
        called=(catalog.metadata.type or "") if catalog is not None else "",
        listing=sorted(catalog.columns.values(), key=lambda column: column.index or 0) if catalog is not None else (),
    )


def parts_of(relation_name: str | None) -> Relation:
    """The parts of a relation as the adapter quotes it: `"shop"."main"."orders"`, `` `p`.`d`.`t` ``, shop.main.orders."""
    found = (next(part for part in match.groups() if part is not None) for match in _PART.finditer(relation_name or ""))
    return tuple(part.replace('""', '"') for part in found)


def listed(table: Table, defined: Sequence[str]) -> list[ListedColumn]:
    """The columns of a table: as the warehouse has them, else as its SQL defines them, else those that YAML declares."""
    declared = {column.name.casefold(): column for column in (table.node.columns or {}).values()}
    if table.listing:
        return [ListedColumn(one.name, one.type, one.comment, declared.get(one.name.casefold())) for one in table.listing]
    if defined:
        return [ListedColumn(name, None, None, declared.get(name.casefold())) for name in defined]
    return [ListedColumn(column.name, None, None, column) for column in declared.values()]


def certain(table: Table, defined: Sequence[str]) -> Sequence[str]:
    """All columns of a table, for a star to be resolved; empty if they are not known for sure.

    What SQL defines is as new as the manifest, the catalog perhaps not; but dbt adds columns to snapshots. YAML need not
    declare all, unless dbt enforces it.
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
    """Which table a relation is, whatever the case in which SQL writes it."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables: dict[Relation, Table] = {}
        for table in tables.values():  # a seed and a source may be one table: what dbt builds comes first
            self._tables.setdefault(_folded(table.relation), table)

    def table(self, relation: Relation) -> Table | None:
        return self._tables.get(_folded(relation))


def _folded(relation: Relation) -> Relation:
    return tuple(part.casefold() for part in relation)
