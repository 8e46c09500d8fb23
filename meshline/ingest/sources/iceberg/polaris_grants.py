"""Grants of Polaris, over its management interface: who may read the data of a table of one catalog.

Privileges are granted to catalog roles, these to principal roles, and these to principals. A privilege on the catalog or a namespace counts
for all that is in it. Views have no data of their own: who may read those depends on the engine and on the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from meshline.errors import InvalidInput
from meshline.ingest.sources.read_right import ReadRight

# TABLE_WRITE_DATA gives credentials to read and write; CATALOG_MANAGE_CONTENT has both, and TABLE_READ_DATA.
READING = frozenset({"TABLE_READ_DATA", "TABLE_WRITE_DATA", "CATALOG_MANAGE_CONTENT"})
MAX_MEMBERS = 100  # principals of a principal role that are listed; of more, the role alone
MAX_ROLES = 10_000  # of a catalog

T = TypeVar("T")


class _Role(msgspec.Struct):
    name: str
    federated: bool = False  # its principals are known to another identity provider alone


class _Roles(msgspec.Struct):
    roles: list[_Role] = []


class _Grant(msgspec.Struct, rename="camel"):
    type: str
    privilege: str = ""
    namespace: tuple[str, ...] = ()
    table_name: str | None = None


class _Grants(msgspec.Struct):
    grants: list[_Grant] = []


class _Principal(msgspec.Struct):
    name: str


class _Principals(msgspec.Struct):
    principals: list[_Principal] = []


class ManagementReader(Protocol):
    """Reads an answer of the management interface. `segments`: the decoded parts of its address."""

    def __call__(self, shape: type[T], segments: Sequence[str]) -> T: ...


class PolarisRights(NamedTuple):
    """Who may read the tables of a catalog. `places`: the rights, by what a privilege was granted on (the catalog: (), a namespace, a
    table).
    """

    places: dict[tuple[str, ...], list[ReadRight]]

    def list_rights(self, identifier: Sequence[str]) -> list[ReadRight]:
        """Who may read a table, by the parts of its name; once for each principal and role by which it may."""
        found = (right for end in range(len(identifier) + 1) for right in self.places.get(tuple(identifier[:end]), ()))
        return sorted(dict.fromkeys(found))


def read_polaris_rights(read: ManagementReader, catalog: str) -> PolarisRights:
    """The rights to read of a catalog. Raises InvalidInput, StoreUnavailable."""
    places: dict[tuple[str, ...], list[ReadRight]] = {}
    members: dict[str, tuple[list[ReadRight], bool]] = {}
    roles = read(_Roles, ("catalogs", catalog, "catalog-roles")).roles
    if len(roles) > MAX_ROLES:
        raise InvalidInput(f"the catalog has more than {MAX_ROLES} roles", catalog)
    for role in roles:
        address = ("catalogs", catalog, "catalog-roles", role.name)
        granted = [found for one in read(_Grants, (*address, "grants")).grants if (found := _find_place(one)) is not None]
        if not granted:
            continue
        rights: list[ReadRight] = []
        for assigned in read(_Roles, (*address, "principal-roles")).roles:
            if assigned.name not in members:
                members[assigned.name] = _read_members(read, assigned)
            listed, hidden = members[assigned.name]
            rights += [ReadRight(assigned.name, grant=role.name, for_members=hidden), *listed]
        for place in granted:
            places.setdefault(place, []).extend(rights)
    return PolarisRights(places)


def _read_members(read: ManagementReader, role: _Role) -> tuple[list[ReadRight], bool]:
    """(the rights of the principals of a principal role, whether it has others that are not listed)."""
    found = read(_Principals, ("principal-roles", role.name, "principals")).principals
    if len(found) > MAX_MEMBERS:
        return [], True
    return [ReadRight(one.name, grant=role.name) for one in found], role.federated


def _find_place(grant: _Grant) -> tuple[str, ...] | None:
    """What a privilege to read was granted on; None: it is another privilege."""
    if grant.privilege not in READING:
        return None
    if grant.type == "catalog":
        return ()
    if grant.type == "namespace" and grant.namespace:
        return grant.namespace
    return (*grant.namespace, grant.table_name) if grant.type == "table" and grant.table_name else None
