"""Rights to read that a system's grants give, and the edges that they become."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType, Facts, Json, drop_empty_attributes
from meshline.graph.naming import find_email
from meshline.ingest.sources.base import FOR_MEMBERS


class ReadRight(NamedTuple):
    """That a role, user or group of the system may read a table. `columns`: which alone; empty: all. `grant`: the role or group
    that was granted the right. `row_filter`: whether only some rows are shown to it. `masked`: the columns of which it sees masked values.
    `for_members`: whether others may read by it who are not listed: all roles, or the many members of this one.
    """

    principal: str
    columns: tuple[str, ...] = ()
    grant: str = ""
    row_filter: bool = False
    masked: tuple[str, ...] = ()
    for_members: bool = False


class RoleNames:
    """The owners that the roles and users of a system mean. A role that means none is an owner of its own, named after the system."""

    def __init__(self, namespace: str, owners: Mapping[str, str], resolve_person: Callable[[str], str]) -> None:
        """`owners`: the owner that a role means; others mean one if they are e-mail addresses. `resolve_person`: see `Context`."""
        self._namespace = namespace
        self._owners = owners
        self._resolve_person = resolve_person

    def build_owner(self, principal: str) -> tuple[AssetKey, AssetFact | None]:
        """The owner, and what is stated of it if it is one of the system alone."""
        name = self._owners.get(principal, principal if find_email(principal) else "")
        if name:
            return model.build_owner_key(self._resolve_person(name)), None
        owner = model.build_owner_key(f"{self._namespace}/{principal}")
        return owner, AssetFact(owner, {"title": principal, "owner_type": "role"})


def build_right_facts(
    dataset: AssetKey, rights: Iterable[ReadRight], build_owner: Callable[[str], tuple[AssetKey, AssetFact | None]]
) -> Facts:
    """Who may read a dataset. `build_owner`: see `RoleNames`."""
    assets: dict[AssetKey, AssetFact] = {}
    edges: list[EdgeFact] = []
    for right in rights:
        owner, about = build_owner(right.principal)
        if about is not None:
            assets[owner] = about
        attributes = _describe_right(right)
        if not right.columns:
            edges.append(EdgeFact(EdgeType.MAY_READ, owner, dataset, attributes))
        for column in sorted({*right.columns, *right.masked}):
            masked: dict[str, Json] = {"masked": True} if column in right.masked else {}
            edges.append(EdgeFact(EdgeType.MAY_READ, owner, model.build_column_key(dataset, column), {**attributes, **masked}))
    return Facts(tuple(assets.values()), tuple(edges))


def _describe_right(right: ReadRight) -> dict[str, Json]:
    others = {FOR_MEMBERS: right.for_members or None}
    return drop_empty_attributes(grant=right.grant, row_filter=right.row_filter or None, **others)
