"""`meshline owners ASSET | --owned-by OWNER | --orphans`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated

import msgspec
import typer

from meshline.cli.answer_types import Assets, KnownLater, NamedAsset, describe_past_limits, format_as_of, format_assets, format_table
from meshline.cli.client import Client, convert_answer, read_query, resolve_assets, resolve_of_kind
from meshline.cli.completion import complete_asset
from meshline.cli.options import AsOf, Kinds, Limit, ListFormat, Server, Store, TextFormat, format_iso_time, get_kind_names
from meshline.cli.terminal import Answer, Line
from meshline.graph.model import AssetKind, Json


def owners(
    asset: Annotated[
        str | None,
        typer.Argument(help="The asset, by any of its names.", metavar="ASSET", autocompletion=complete_asset, show_default=False),
    ] = None,
    *,
    owned_by: Annotated[str | None, typer.Option(help="Show the assets of this owner.", metavar="OWNER", show_default=False)] = None,
    orphans: Annotated[bool, typer.Option("--orphans", help="Show the assets without an owner at any level.")] = False,
    kind: Kinds = None,
    as_of: AsOf = None,
    limit: Limit = 100,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show owners of an asset, assets of an owner, or orphans."""
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_answer

    if sum((asset is not None, owned_by is not None, orphans)) != 1:
        raise typer.BadParameter("give exactly one of ASSET, --owned-by and --orphans")
    with open_client(store, server) as source:
        if asset is not None:
            answer = list_owners(source, asset, format_iso_time(as_of))
        elif owned_by is not None:
            answer = list_owned(source, owned_by, get_kind_names(kind), limit, format_iso_time(as_of))
        else:
            answer = list_orphans(source, get_kind_names(kind), limit, format_iso_time(as_of))
    write_answer(answer, as_json=format is TextFormat.JSON)


DECIDING = frozenset({"OWNS", "PORT", "GOVERNS"})  # relations by which an asset has owners, or inherits them


class Owner(msgspec.Struct, rename="camel", frozen=True):
    name: str
    title: str | None
    contact: str | None


class Ownership(msgspec.Struct, rename="camel", frozen=True):
    type: str
    source: str
    owner: Owner
    inherited_from: NamedAsset | None


class Owned(msgspec.Struct, rename="camel", frozen=True):
    kind: str
    qualified_name: str
    owners: list[Ownership]


def list_owners(source: Client, name: str, as_of: str | None = None) -> Answer:
    """The owners of an asset, and the level that they come from. `as_of`: a time (ISO 8601); None = now."""
    (asset,) = resolve_assets(source, [name], as_of)
    answer = source.ask(read_query("owners"), {"id": asset.id, "asOf": as_of})
    return _build_answer(answer, "node", _format_owners(convert_answer(answer["node"], Owned), format_as_of(as_of)), as_of)


def list_owned(source: Client, name: str, kinds: Sequence[str] | None, limit: int, as_of: str | None = None) -> Answer:
    """The assets of an owner, including those inside its assets."""
    owner = resolve_of_kind(source, name, AssetKind.OWNER, "--owned-by", as_of)
    answer = source.ask(read_query("owned-by"), {"owner": owner.id, "kinds": _copy_kinds(kinds), "limit": limit, "asOf": as_of})
    return _build_answer(answer, "ownedBy", format_assets(convert_answer(answer["ownedBy"], Assets), f"{owner.name} owns nothing"), as_of)


def list_orphans(source: Client, kinds: Sequence[str] | None, limit: int, as_of: str | None = None) -> Answer:
    """The assets without an owner at any level. `kinds` None: all but columns, which have none if their dataset has none."""
    from meshline.graph.queries.owned_assets import OWNABLE

    wanted = list(kinds) if kinds is not None else [kind for kind in OWNABLE if kind is not AssetKind.COLUMN]
    answer = source.ask(read_query("orphans"), {"kinds": wanted, "limit": limit, "asOf": as_of})
    page = answer["orphans"]
    lines = list(format_assets(convert_answer(page, Assets), "everything has an owner"))
    if kinds is None and any(asset.kind == AssetKind.DATASET for asset in convert_answer(page, Assets).nodes):
        lines.append(Line("the columns of these datasets have no owner either: --kind column lists them", "dim"))
    return _build_answer(answer, "orphans", lines, as_of)


def _build_answer(answer: Mapping[str, Json], key: str, lines: Iterable[Line], as_of: str | None) -> Answer:
    """The answer with the gaps of an answer as of a time."""
    data = answer[key]
    if as_of is None:
        return Answer(data, list(lines))
    assert isinstance(data, dict)
    later = convert_answer(answer["knownLater"], list[KnownLater])
    notes = list(describe_past_limits(as_of, (one for one in later if one.relation in DECIDING)))
    uncertain = [Line(""), Line("NOT CERTAIN", "bold"), *(Line(f"  ! {note}", "yellow") for note in notes)] if notes else []
    return Answer({**data, "asOf": as_of, "knownLater": answer["knownLater"]}, [*lines, *uncertain])


def _format_owners(asset: Owned, at: str) -> Iterator[Line]:
    then = f" as of {at}" if at else ""
    if not asset.owners:
        yield Line(f"{asset.qualified_name} has no owner at any level{then}")
        return
    yield Line(f"{asset.qualified_name}{then}", "bold")
    rows = [
        (one.owner.name, one.type, one.owner.contact or "", f"{_describe_level(one.inherited_from)}, stated by {one.source}")
        for one in asset.owners
    ]
    yield from format_table(rows, indent="  ")


def _describe_level(inherited_from: NamedAsset | None) -> str:
    if inherited_from is None:
        return "its own"
    if inherited_from.kind == "CONTRACT":
        return f"by contract {inherited_from.qualified_name}"
    return f"from its {inherited_from.kind.lower().replace('_', ' ')} {inherited_from.qualified_name}"


def _copy_kinds(kinds: Sequence[str] | None) -> Json:
    return list(kinds) if kinds is not None else None
