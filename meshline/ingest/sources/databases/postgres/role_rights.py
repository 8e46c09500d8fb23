"""Who may read a table of PostgreSQL: grants of tables, columns and schemas, expanded over the roles that have the rights of others.

A role may read what it, PUBLIC, or a role whose rights it inherits was granted SELECT on, in a schema that it may use. Superusers may
read everything and are in no list. What no role logs in with is listed only if it was granted the right itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from meshline.ingest.sources.read_right import ReadRight

PUBLIC = 0
MAX_MEMBERS = 100  # of a role that are listed; instead of more, the role is
READ_ALL = "pg_read_all_data"  # a role of the system: of its members, each may read every table in every schema


class Role(NamedTuple):
    """A role. `inherits`: the roles whose rights it has."""

    name: str
    logs_in: bool
    superuser: bool
    bypasses_row_security: bool
    inherits: tuple[int, ...]


class _Readers(NamedTuple):
    """`found`: the roles that may read, with the grantee by which each may; PUBLIC if every role may. `folded`: those of them that are in
    place of their members.
    """

    found: Mapping[int, str]
    folded: frozenset[int]


class ReadRights:
    """The rights to read of all roles. `roles`: by their ids. `schema_users`: who may use each schema."""

    def __init__(self, roles: Mapping[int, Role], schema_users: Mapping[str, frozenset[int]]) -> None:
        self._roles = roles
        self._schema_users = schema_users
        self._readers: dict[tuple[frozenset[int], str], _Readers] = {}

    def list_rights(
        self, schema: str, grants: Sequence[tuple[str | None, int]], owner: str, *, row_security: bool
    ) -> tuple[ReadRight, ...]:
        """Who may read a table. `grants`: column (None: all) and grantee. `owner`: the role that row security does not restrict."""
        whole = self._find_readers(frozenset(grantee for column, grantee in grants if column is None), schema)
        found = [self._build_right(role, via, (), owner, row_security=row_security) for role, via in whole.found.items()]
        of_columns: dict[int, dict[str, str]] = {}
        folded = set(whole.folded)
        for column in sorted({column for column, _ in grants if column is not None}):
            readers = self._find_readers(frozenset(grantee for one, grantee in grants if one == column), schema)
            folded |= readers.folded
            for role, via in readers.found.items():
                if role not in whole.found and PUBLIC not in whole.found:
                    of_columns.setdefault(role, {})[column] = via
        for role, columns in of_columns.items():
            via = next(iter(columns.values()))
            found.append(self._build_right(role, via, tuple(columns), owner, row_security=row_security))
        names = {"PUBLIC", *(self._roles[role].name for role in folded)}
        return tuple(sorted(right._replace(for_members=right.principal in names) for right in found))

    def _build_right(self, role: int, via: str, columns: tuple[str, ...], owner: str, *, row_security: bool) -> ReadRight:
        known = self._roles.get(role)
        free = known is not None and (known.bypasses_row_security or known.name == owner)
        return ReadRight("PUBLIC" if known is None else known.name, columns, via, row_filter=row_security and not free)

    def _find_readers(self, grantees: frozenset[int], schema: str) -> _Readers:
        """Who may read what was granted to `grantees`."""
        known = self._readers.get((grantees, schema))
        if known is None:
            known = self._readers[grantees, schema] = self._expand(grantees, self._schema_users.get(schema, frozenset()))
        return known

    def _expand(self, grantees: frozenset[int], users: frozenset[int]) -> _Readers:
        if PUBLIC in grantees and PUBLIC in users:
            return _Readers({PUBLIC: "PUBLIC"}, frozenset())
        found: dict[int, str] = {}
        for role, known in self._roles.items():
            if known.superuser or not (known.logs_in or role in grantees or known.name == READ_ALL):
                continue
            own = self._rights_of[role]
            by = next((one for one in own if one in grantees), None)
            everything = next((one for one in own if self._has_name(one, READ_ALL)), None)
            if everything is not None:
                found[role] = READ_ALL
            elif by is not None and not users.isdisjoint(own):
                found[role] = "PUBLIC" if by == PUBLIC else self._roles[by].name
        return _fold_members(found, self._ids)

    @cached_property
    def _ids(self) -> dict[str, int]:
        """The ids of all roles by their names."""
        return {"PUBLIC": PUBLIC, **{known.name: role for role, known in self._roles.items()}}

    def _has_name(self, role: int, name: str) -> bool:
        known = self._roles.get(role)
        return known is not None and known.name == name

    @cached_property
    def _rights_of(self) -> dict[int, tuple[int, ...]]:
        """By role: itself, the roles whose rights it has, the nearest first, and PUBLIC."""
        return {role: (*self._walk(role), PUBLIC) for role in self._roles}

    def _walk(self, role: int) -> Iterable[int]:
        found = {role: None}
        waiting = [role]
        for one in waiting:
            known = self._roles.get(one)
            for other in () if known is None else known.inherits:
                if other not in found:
                    found[other] = None
                    waiting.append(other)
        return found


def _fold_members(found: Mapping[int, str], ids: Mapping[str, int]) -> _Readers:
    """The roles that may read, with one role in place of its members where these are many."""
    counts = Counter(found.values())
    kept = {role: via for role, via in found.items() if counts[via] <= MAX_MEMBERS and role != ids.get(READ_ALL)}
    folded = {ids[via]: via for via, count in counts.items() if count > MAX_MEMBERS}
    return _Readers({**kept, **folded}, frozenset(folded))


def build_roles(rows: Sequence[tuple[Any, ...]]) -> dict[int, Role]:
    return {row[0]: Role(row[1], row[2], row[3], row[4], tuple(row[5])) for row in rows}
