"""Answers to who owns what: as data, and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from meshline.cli.answers import Answers, assets, question, shaped
from meshline.cli.listing import Assets, listed, table
from meshline.cli.shapes import Named
from meshline.cli.terminal import Line
from meshline.errors import InvalidInput
from meshline.graph.model import AssetKind, Json
from meshline.graph.queries.ownership import OWNABLE


class Answer(NamedTuple):
    data: Json
    lines: Sequence[Line]


class Owner(msgspec.Struct, rename="camel", frozen=True):
    name: str
    title: str | None
    contact: str | None


class Ownership(msgspec.Struct, rename="camel", frozen=True):
    type: str
    source: str
    owner: Owner
    inherited_from: Named | None


class Owned(msgspec.Struct, rename="camel", frozen=True):
    kind: str
    qualified_name: str
    owners: list[Ownership]


def of_asset(source: Answers, name: str) -> Answer:
    """The owners of an asset, and the level that they come from."""
    (asset,) = assets(source, [name])
    data = source.ask(question("owners"), {"id": asset.id})["node"]
    return Answer(data, list(_owners(shaped(data, Owned))))


def of_owner(source: Answers, name: str, kinds: Sequence[str] | None, limit: int) -> Answer:
    """What an owner owns, also by owning what it is in."""
    (owner,) = assets(source, [name if name.lower().startswith(("owner:", "own_")) else f"owner:{name}"])
    if owner.kind != "OWNER":
        raise InvalidInput(f"{owner.qualified_name} is a {owner.kind.lower()}; accepted is an owner", "--owned-by")
    data = source.ask(question("owned-by"), {"owner": owner.id, "kinds": _list(kinds), "limit": limit})["ownedBy"]
    return Answer(data, list(listed(shaped(data, Assets), f"{owner.name} owns nothing")))


def of_nobody(source: Answers, kinds: Sequence[str] | None, limit: int) -> Answer:
    """What has no owner at any level. `kinds` None: all but columns, which have none if their dataset has none."""
    wanted = list(kinds) if kinds is not None else [kind for kind in OWNABLE if kind is not AssetKind.COLUMN]
    page = source.ask(question("orphans"), {"kinds": wanted, "limit": limit})["orphans"]
    lines = list(listed(shaped(page, Assets), "everything has an owner"))
    if kinds is None and any(asset.kind == AssetKind.DATASET for asset in shaped(page, Assets).nodes):
        lines.append(Line("the columns of these datasets have no owner either: --kind column lists them", "dim"))
    return Answer(page, lines)


def _owners(asset: Owned) -> Iterator[Line]:
    if not asset.owners:
        yield Line(f"{asset.qualified_name} has no owner at any level")
        return
    yield Line(asset.qualified_name, "bold")
    rows = [
        (said.owner.name, said.type, said.owner.contact or "", f"{_level(said.inherited_from)}, says {said.source}")
        for said in asset.owners
    ]
    yield from table(rows, indent="  ")


def _level(inherited_from: Named | None) -> str:
    if inherited_from is None:
        return "its own"
    if inherited_from.kind == "CONTRACT":
        return f"by contract {inherited_from.qualified_name}"
    return f"from its {inherited_from.kind.lower().replace('_', ' ')} {inherited_from.qualified_name}"


def _list(kinds: Sequence[str] | None) -> Json:
    return list(kinds) if kinds is not None else None
