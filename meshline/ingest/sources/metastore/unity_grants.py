"""Grants of Unity Catalog: who may read a table, by the permissions of the table, its schema and its catalog.

A privilege on a catalog or schema counts for all tables in it. To read a table takes SELECT (or ownership of the table), USE SCHEMA and
USE CATALOG. Who is in a group is not part of this interface: who has SELECT without these two may have them through a group, and counts as
able to read if any group has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from meshline.errors import InvalidInput, MeshlineError
from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey
from meshline.graph.naming import is_email
from meshline.ingest.sources.http_reader import AccessRefused
from meshline.ingest.sources.metastore.catalog_table import CatalogTable
from meshline.ingest.sources.read_right import ReadRight

EVERYONE = "account users"  # the group of all users of an account
MAX_PRINCIPALS = 10_000  # of one securable
_ALL = "ALL PRIVILEGES"
_NAMES = ("catalog", "schema", "table")  # the types of securables, as addresses name them


class Assignment(msgspec.Struct):
    """What a principal was granted on one securable: `SELECT`, `USE_SCHEMA` (the open-source server writes spaces)."""

    principal: str = ""
    privileges: list[str] = []


class Permissions(msgspec.Struct):
    privilege_assignments: list[Assignment] = []
    next_page_token: str | None = None


class _Privileges(NamedTuple):
    """The principals that have each of the privileges on a securable."""

    select: frozenset[str]
    use_schema: frozenset[str]
    use_catalog: frozenset[str]


class UnityGrants:
    """Reads grants, those of a catalog and of a schema once. `read_pages`: the pages of the permissions of a securable."""

    def __init__(
        self, read_pages: Callable[[str, str], Iterator[Permissions]], owners: Mapping[str, str], resolve_person: Callable[[str], str]
    ) -> None:
        """`owners`: the owner that a group or user means. `resolve_person`: see `Context`."""
        self._read_pages = read_pages
        self._owners = owners
        self._resolve_person = resolve_person
        self._known: dict[tuple[str, ...], _Privileges | MeshlineError] = {}  # of the catalog and the schema that were read last
        self._owned: dict[tuple[str, ...], str] = {}

    def enter(self, identifier: tuple[str, ...], owner: str | None) -> None:
        """The owner of a catalog or schema, who may use it; to be called before its tables are asked for."""
        self._owned = {name: known for name, known in self._owned.items() if len(name) < len(identifier)} | {identifier: owner or ""}

    def list_rights(self, table: CatalogTable) -> list[ReadRight]:
        """Who may read a table. Raises InvalidInput, StoreUnavailable."""
        catalog, schema, _ = table.identifier
        of_catalog, of_schema, own = self._read_kept((catalog,)), self._read_kept((catalog, schema)), self._read(table.identifier)
        granted = (of_catalog.use_catalog, of_catalog.use_schema | of_schema.use_schema)
        has_groups = all(any(not is_email(one) for one in using) for using in granted)
        owners = [self._owned.get(place, "") for place in ((catalog,), (catalog, schema))]
        entering = [{*using, owner} for using, owner in zip(granted, owners, strict=True)]
        masked = tuple(one.path for one in table.columns if one.others.get("column_mask"))
        return [
            ReadRight(principal, row_filter=bool(table.others.get("row_filter")), masked=masked, for_members=principal == EVERYONE)
            for principal in sorted({*of_catalog.select, *of_schema.select, *own.select, *([table.owner] if table.owner else ())})
            if has_groups or all(not {principal, EVERYONE}.isdisjoint(using) for using in entering)
        ]

    def build_owner(self, principal: str) -> tuple[AssetKey, AssetFact | None]:
        """The owner that a principal means: a person by the e-mail address, a group by its name, as the owners of tables."""
        return model.build_owner_key(self._resolve_person(self._owners.get(principal, principal))), None

    def _read_kept(self, identifier: tuple[str, ...]) -> _Privileges:
        """As `_read`, but once for all tables, also if it fails."""
        found = self._known.get(identifier)
        if found is None:
            self._known = {name: known for name, known in self._known.items() if len(name) < len(identifier)}
            try:
                found = self._read(identifier)
            except (InvalidInput, AccessRefused) as error:
                found = error
            self._known[identifier] = found
        if isinstance(found, MeshlineError):
            raise found
        return found

    def _read(self, identifier: Sequence[str]) -> _Privileges:
        by_privilege: dict[str, set[str]] = {}
        principals: set[str] = set()
        name = ".".join(identifier)
        for page in self._read_pages(_NAMES[len(identifier) - 1], name):
            for one in page.privilege_assignments:
                if one.principal:  # that of a deleted principal is empty
                    principals.add(one.principal)
                    for privilege in one.privileges:
                        by_privilege.setdefault(privilege.upper().replace("_", " "), set()).add(one.principal)
            if len(principals) > MAX_PRINCIPALS:
                raise InvalidInput(f"more than {MAX_PRINCIPALS} principals were granted something", name)
        every = by_privilege.get(_ALL, set())
        return _Privileges(*(frozenset(by_privilege.get(one, set()) | every) for one in ("SELECT", "USE SCHEMA", "USE CATALOG")))
