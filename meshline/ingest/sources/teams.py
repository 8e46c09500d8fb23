"""`team` as the Bitol standards write it, for contracts and products -> who owns them."""

from __future__ import annotations

from collections.abc import Iterator

from meshline.graph.model import Json
from meshline.graph.promises import Party
from meshline.ingest.values import mapping, mappings, text


def owners(team: Json) -> Iterator[Party]:
    """The team, if it has a name, and its members who are owners or stewards and have not left."""
    if name := text(mapping(team).get("name")):
        yield Party(name)
    for member in mappings(team if isinstance(team, list) else mapping(team).get("members")):
        kind = _kind(text(member.get("role")).lower())
        name = text(member.get("username")) or text(member.get("name"))
        if kind and name and not text(member.get("dateOut")):
            yield Party(name, kind, text(member.get("name")))


def _kind(role: str) -> str:
    if "steward" in role:
        return "steward"
    if "owner" in role:
        return "business" if "business" in role or "product" in role else "technical"
    return ""
