"""`meshline owners ASSET | --owned-by OWNER | --orphans`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, NamedTuple

import msgspec
import typer

from meshline.cli.answer_types import Assets, KnownLater, Named, listed, notes_of_the_past, shown_time, table
from meshline.cli.client import Answers, assets, question, shaped
from meshline.cli.options import AsOf, Kinds, Limit, ListFormat, Server, Store, TextFormat, iso, kind_names
from meshline.cli.terminal import Line
from meshline.errors import InvalidInput
from meshline.graph.model import AssetKind, Json


def owners(
    asset: Annotated[str | None, typer.Argument(help="Whose owners: an asset by any name.", metavar="ASSET", show_default=False)] = None,
    *,
    owned_by: Annotated[str | None, typer.Option(help="What does this owner answer for?", metavar="OWNER", show_default=False)] = None,
    orphans: Annotated[bool, typer.Option("--orphans", help="What has no owner at any level?")] = False,
    kind: Kinds = None,
    as_of: AsOf = None,
    limit: Limit = 100,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Say who owns an asset, what an owner owns, or what nobody owns."""
    from meshline.cli.client import answers
    from meshline.cli.terminal import write, write_json

    if sum((asset is not None, owned_by is not None, orphans)) != 1:
        raise typer.BadParameter("give exactly one of ASSET, --owned-by and --orphans")
    with answers(store, server) as source:
        if asset is not None:
            answer = of_asset(source, asset, iso(as_of))
        elif owned_by is not None:
            answer = of_owner(source, owned_by, kind_names(kind), limit, iso(as_of))
        else:
            answer = of_nobody(source, kind_names(kind), limit, iso(as_of))
    if format is TextFormat.JSON:
        write_json(answer.data)
    else:
        write(answer.lines)


DECIDING = frozenset({"OWNS", "PORT", "GOVERNS"})  # relations by which an asset has owners, or inherits them


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


def of_asset(source: Answers, name: str, as_of: str | None = None) -> Answer:
    """The owners of an asset, and the level that they come from. `as_of`: a time (ISO 8601); None: now."""
    (asset,) = assets(source, [name], as_of)
    answer = source.ask(question("owners"), {"id": asset.id, "asOf": as_of})
    return _answer(answer, "node", _owners(shaped(answer["node"], Owned), shown_time(as_of)), as_of)


def of_owner(source: Answers, name: str, kinds: Sequence[str] | None, limit: int, as_of: str | None = None) -> Answer:
    """What an owner owns, also by owning what it is in."""
    (owner,) = assets(source, [name if name.lower().startswith(("owner:", "own_")) else f"owner:{name}"], as_of)
    if owner.kind != "OWNER":
        raise InvalidInput(f"{owner.qualified_name} is a {owner.kind.lower()}; accepted is an owner", "--owned-by")
    answer = source.ask(question("owned-by"), {"owner": owner.id, "kinds": _list(kinds), "limit": limit, "asOf": as_of})
    return _answer(answer, "ownedBy", listed(shaped(answer["ownedBy"], Assets), f"{owner.name} owns nothing"), as_of)


def of_nobody(source: Answers, kinds: Sequence[str] | None, limit: int, as_of: str | None = None) -> Answer:
    """What has no owner at any level. `kinds` None: all but columns, which have none if their dataset has none."""
    from meshline.graph.queries.ownership import OWNABLE

    wanted = list(kinds) if kinds is not None else [kind for kind in OWNABLE if kind is not AssetKind.COLUMN]
    answer = source.ask(question("orphans"), {"kinds": wanted, "limit": limit, "asOf": as_of})
    page = answer["orphans"]
    lines = list(listed(shaped(page, Assets), "everything has an owner"))
    if kinds is None and any(asset.kind == AssetKind.DATASET for asset in shaped(page, Assets).nodes):
        lines.append(Line("the columns of these datasets have no owner either: --kind column lists them", "dim"))
    return _answer(answer, "orphans", lines, as_of)


def _answer(answer: Mapping[str, Json], key: str, lines: Iterable[Line], as_of: str | None) -> Answer:
    """With what an answer as of a time cannot know."""
    data = answer[key]
    if as_of is None:
        return Answer(data, list(lines))
    assert isinstance(data, dict)
    later = shaped(answer["knownLater"], list[KnownLater])
    notes = list(notes_of_the_past(as_of, (one for one in later if one.relation in DECIDING)))
    uncertain = [Line(""), Line("NOT CERTAIN", "bold"), *(Line(f"  ! {note}", "yellow") for note in notes)] if notes else []
    return Answer({**data, "asOf": as_of, "knownLater": answer["knownLater"]}, [*lines, *uncertain])


def _owners(asset: Owned, at: str) -> Iterator[Line]:
    then = f" as of {at}" if at else ""
    if not asset.owners:
        yield Line(f"{asset.qualified_name} has no owner at any level{then}")
        return
    yield Line(f"{asset.qualified_name}{then}", "bold")
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
