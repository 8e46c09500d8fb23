"""Owners of groups, models and exposures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType
from meshline.graph.owner_names import address
from meshline.ingest.sources.dbt.artifacts import Group, Node, Person
from meshline.ingest.sources.dbt.attributes import said


class Owner(NamedTuple):
    """A team or person: the name of the asset, and how to reach it."""

    name: str
    email: str | None = None
    slack: str | None = None


def of_person(person: Person) -> Owner | None:
    """By the name as written, else by the address. Whose the address is, the graph knows (`meshline.graph.index.owner_identity`)."""
    emails = person.email if isinstance(person.email, list) else [person.email or ""]
    email = next((text.strip() for text in emails if text.strip()), None)
    name = (person.name or "").strip() or None
    if name is None and email is None:
        return None
    return Owner(name or email or "", email or address(name or "") or None, person.slack)


def of_table(node: Node, groups: Mapping[str, Group]) -> tuple[Owner, ...]:
    """The owner of the node's group, and those that its `meta.owner` names."""
    found = [*_of_meta(meta_of(node))]
    group = group_of(node, groups)
    if group is not None and (owner := of_person(group.owner)) is not None:
        found.insert(0, owner)
    return tuple({owner.name: owner for owner in reversed(found)}.values())[::-1]


def group_of(node: Node, groups: Mapping[str, Group]) -> Group | None:
    """A node's group; a group's name is unique in its package."""
    name = node.group or (node.config.group if node.config is not None else None)
    return groups.get(f"group.{node.package_name}.{name}") if name else None


def meta_of(node: Node) -> Mapping[str, Any]:
    """From dbt 1.10 on, `meta` stands under `config`, and may stand there alone; that of a source's schema holds for its tables."""
    return {**(node.source_meta or {}), **((node.config.meta if node.config is not None else None) or {}), **(node.meta or {})}


def _of_meta(meta: Mapping[str, Any]) -> Iterator[Owner]:
    said_so = meta.get("owner")
    for text in said_so if isinstance(said_so, list) else [said_so]:
        if isinstance(text, str) and text.strip():
            yield Owner(text.strip(), address(text) or None)


def asset(owner: Owner) -> AssetFact:
    contact = ", ".join(way for way in (owner.email, owner.slack) if way)
    return AssetFact(model.owner(owner.name), said(email=owner.email, slack=owner.slack, contact=contact))


def owns(owners: Iterable[Owner], of: AssetKey) -> Iterator[EdgeFact]:
    for owner in owners:
        yield EdgeFact(EdgeType.OWNS, model.owner(owner.name), of, {"type": "technical"})
