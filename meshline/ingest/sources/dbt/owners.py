"""Owners of groups, models and exposures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from meshline.graph import model
from meshline.graph.model import AssetFact, AssetKey, EdgeFact, EdgeType
from meshline.ingest.sources.dbt.artifacts import Group, Node, Person
from meshline.ingest.sources.dbt.attributes import said
from meshline.ingest.sources.shape import Context


class Owner(NamedTuple):
    """A team or person: the name of the asset, and how to reach it."""

    name: str
    email: str | None = None
    title: str | None = None
    slack: str | None = None


def of_person(person: Person, context: Context) -> Owner | None:
    """Of a known address who has it, else the name as written, else the address."""
    emails = person.email if isinstance(person.email, list) else [person.email or ""]
    email = next((text.strip() for text in emails if text.strip()), None)
    name = (person.name or "").strip() or None
    known = context.person(email) if email else None
    if known is not None and known != email:
        return Owner(known, email, name if name != known else None, person.slack)
    if name is not None:
        return Owner(context.person(name), email, None, person.slack)
    return Owner(email, email, None, person.slack) if email is not None else None


def of_table(node: Node, groups: Mapping[str, Group], context: Context) -> tuple[Owner, ...]:
    """The owner of the node's group, and those that its `meta.owner` names."""
    found = [*_of_meta(meta_of(node), context)]
    group = group_of(node, groups)
    if group is not None and (owner := of_person(group.owner, context)) is not None:
        found.insert(0, owner)
    return tuple({owner.name: owner for owner in reversed(found)}.values())[::-1]


def group_of(node: Node, groups: Mapping[str, Group]) -> Group | None:
    """A node's group; a group's name is unique in its package."""
    name = node.group or (node.config.group if node.config is not None else None)
    return groups.get(f"group.{node.package_name}.{name}") if name else None


def meta_of(node: Node) -> Mapping[str, Any]:
    """From dbt 1.10 on, `meta` stands under `config`, and may stand there alone; that of a source's schema holds for its tables."""
    return {**(node.source_meta or {}), **((node.config.meta if node.config is not None else None) or {}), **(node.meta or {})}


def _of_meta(meta: Mapping[str, Any], context: Context) -> Iterator[Owner]:
    said_so = meta.get("owner")
    for text in said_so if isinstance(said_so, list) else [said_so]:
        if isinstance(text, str) and text.strip():
            yield Owner(context.person(text), text.strip() if _is_email(text) else None)


def _is_email(text: str) -> bool:
    return "@" in text.strip()[1:] and " " not in text.strip()


def asset(owner: Owner) -> AssetFact:
    contact = ", ".join(way for way in (owner.email, owner.slack) if way)
    return AssetFact(model.owner(owner.name), said(title=owner.title, email=owner.email, slack=owner.slack, contact=contact))


def owns(owners: Iterable[Owner], of: AssetKey) -> Iterator[EdgeFact]:
    for owner in owners:
        yield EdgeFact(EdgeType.OWNS, model.owner(owner.name), of, {"type": "technical"})
