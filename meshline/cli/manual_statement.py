"""`meshline set`, `meshline unset` and `meshline retract`: statements that a person makes about assets, and takes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec
import typer

from meshline.cli.answer_types import Asset, NamedAsset
from meshline.cli.client import Client, convert_answer, open_client, read_query, resolve_assets, resolve_of_kind
from meshline.cli.completion import complete_asset
from meshline.cli.identity import Name, find_names
from meshline.cli.options import Asset as AssetName
from meshline.cli.options import By, Server, Store, find_author
from meshline.cli.terminal import Line, write_lines
from meshline.errors import InvalidInput, NotFound
from meshline.graph.model import AssetKind, Json

PERSON = "person/"  # what the sources of statements that people make begin with
LONGEST_FILE = 100_000  # bytes of a description

Owner: TypeAlias = Annotated[str, typer.Argument(help="A person or a team.", metavar="OWNER")]
Tag: TypeAlias = Annotated[str, typer.Argument(help="`key` or `key=value`.", metavar="TAG")]
Consumer: TypeAlias = Annotated[str, typer.Argument(help="A team, an application, a dashboard, ...", metavar="CONSUMER")]
First: TypeAlias = Annotated[str, typer.Argument(help="A dataset, by any of its names.", metavar="NAME", autocompletion=complete_asset)]
Other: TypeAlias = Annotated[str, typer.Argument(help="The other name.", metavar="OTHER", autocompletion=complete_asset)]
StatedBy: TypeAlias = Annotated[
    str | None,
    typer.Option("--by", help="Who stated it, if several did.", show_default=False, metavar="NAME"),
]


def owner(
    asset: AssetName,
    owner: Owner,
    *,
    type: Annotated[str, typer.Option(help="In which role: technical, business, steward, ...")] = "technical",  # noqa: A002
    by: By = None,
    store: Store = None,
    server: Server = None,
) -> None:
    """State that an owner owns an asset."""
    _state("add-owner", "addOwner", asset, {"owner": owner, "type": type}, f"is owned by {owner}", Place(by, store, server))


def tag(asset: AssetName, tag: Tag, *, by: By = None, store: Store = None, server: Server = None) -> None:
    """State that an asset has a tag."""
    _state("add-tag", "addTag", asset, {"tag": tag}, f"has the tag {tag}", Place(by, store, server))


def description(
    asset: AssetName,
    text: Annotated[str | None, typer.Argument(help="The description.", metavar="TEXT", show_default=False)] = None,
    *,
    file: Annotated[Path | None, typer.Option(help="Read the description from this file.", show_default=False, metavar="FILE")] = None,
    by: By = None,
    store: Store = None,
    server: Server = None,
) -> None:
    """Describe an asset; replaces your own earlier description."""
    if (text is None) == (file is None):
        raise typer.BadParameter("give one of TEXT and --file")
    words = text if text is not None else _read_description(file)
    _state("set-description", "setDescription", asset, {"description": words}, "is described", Place(by, store, server))


def consumer(
    asset: AssetName,
    consumer: Consumer,
    *,
    purpose: Annotated[str | None, typer.Option(help="What it uses it for.", show_default=False)] = None,
    by: By = None,
    store: Store = None,
    server: Server = None,
) -> None:
    """State that a consumer uses a column, dataset or product.

    The consumer is created if it is new.
    """
    asked = {"consumer": consumer, "purpose": purpose}
    _state("add-consumer", "addConsumer", asset, asked, f"is used by {consumer}", Place(by, store, server))


def same_as(
    name: First,
    other: Other,
    *,
    reason: Annotated[str, typer.Option(help="Why they are the same.", metavar="TEXT")],
    by: By = None,
    store: Store = None,
    server: Server = None,
) -> None:
    """State that two names are one dataset."""
    with open_client(store, server) as source:
        first, second = resolve_assets(source, [name, other])
        asked = {"dataset": first.id, "other": second.id, "why": reason, "by": find_author(by, server)}
        done = convert_answer(source.mutate(read_query("same-as"), asked)["sameAs"], Stated)
    write_lines([Line(f"{first.qualified_name} is {second.qualified_name} ({done.statement})")])


def not_same_as(
    name: First,
    other: Other,
    *,
    reason: Annotated[str, typer.Option(help="Why they are not the same.", metavar="TEXT")],
    by: By = None,
    store: Store = None,
    server: Server = None,
) -> None:
    """State that two names are different datasets, whatever joins them.

    The same as `meshline identity part`.
    """
    from meshline.cli.identity import part

    part(name, other, reason=reason, by=by, store=store, server=server)


def unset_owner(asset: AssetName, owner: Owner, *, by: StatedBy = None, store: Store = None, server: Server = None) -> None:
    """Retract that an owner owns an asset."""

    def find(source: Client, known: Known) -> Iterator[Statement]:
        wanted = resolve_of_kind(source, owner, AssetKind.OWNER, "OWNER").id
        yield from (Statement(one.source, one.statement) for one in known.owners if one.owner.id == wanted and one.inherited_from is None)

    _retract_stated(asset, find, f"is owned by {owner}", Place(by, store, server))


def unset_tag(asset: AssetName, tag: Tag, *, by: StatedBy = None, store: Store = None, server: Server = None) -> None:
    """Retract that an asset has a tag."""
    _retract_stated(asset, lambda _, known: _list_stated(known, "tags", [tag.strip()]), f"has the tag {tag}", Place(by, store, server))


def unset_description(asset: AssetName, *, by: StatedBy = None, store: Store = None, server: Server = None) -> None:
    """Retract the description that a person gave an asset."""
    _retract_stated(asset, lambda _, known: _list_stated(known, "description"), "has a description", Place(by, store, server))


def unset_consumer(asset: AssetName, consumer: Consumer, *, by: StatedBy = None, store: Store = None, server: Server = None) -> None:
    """Retract that a consumer uses an asset."""

    def find(source: Client, known: Known) -> Iterator[Statement]:
        wanted = resolve_of_kind(source, consumer, AssetKind.CONSUMER, "CONSUMER").id
        own = (one for one in known.consumers if one.consumer.id == wanted and one.asset.id == known.id)
        yield from (Statement(one.source, one.statement) for one in own)

    _retract_stated(asset, find, f"is used by {consumer}", Place(by, store, server))


def unset_same_as(name: First, other: Other, *, by: StatedBy = None, store: Store = None, server: Server = None) -> None:
    """Retract that two names are one dataset."""
    _retract_identity(name, other, "SAME_AS", f"is {other}", Place(by, store, server))


def unset_not_same_as(name: First, other: Other, *, by: StatedBy = None, store: Store = None, server: Server = None) -> None:
    """Retract that two names are different datasets."""
    _retract_identity(name, other, "DIFFERENT_FROM", f"is not {other}", Place(by, store, server))


class Place(NamedTuple):
    """Where a statement is made or retracted, and by what author."""

    by: str | None
    store: str | None
    server: str | None


class Stated(msgspec.Struct, frozen=True):
    statement: str | None


class Statement(NamedTuple):
    source: str
    id: str


class Named(msgspec.Struct, frozen=True):
    id: str
    name: str = ""


class KnownOwner(msgspec.Struct, rename="camel", frozen=True):
    source: str
    statement: str
    owner: Named
    inherited_from: Named | None


class KnownFact(msgspec.Struct, frozen=True):
    source: str
    attribute: str
    value: Any
    statement: str


class KnownUse(msgspec.Struct, frozen=True):
    source: str
    statement: str
    consumer: Named
    asset: Named


class KnownReason(msgspec.Struct, frozen=True):
    start: Name
    end: Name
    type: str
    source: str
    statement: str


class KnownIdentity(msgspec.Struct, frozen=True):
    reasons: list[KnownReason]
    partings: list[KnownReason]


class Known(msgspec.Struct, rename="camel", frozen=True):
    """The answer to `statements.graphql`."""

    id: str
    qualified_name: str
    owners: list[KnownOwner]
    facts: list[KnownFact]
    consumers: list[KnownUse] = []
    identity: KnownIdentity | None = None


def _read_description(file: Path | None) -> str:
    assert file is not None
    try:
        with file.open("rb") as opened:
            data = opened.read(LONGEST_FILE + 1)
        if len(data) > LONGEST_FILE:
            raise InvalidInput(f"more than {LONGEST_FILE:,} bytes", str(file))
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot be read: {error}", str(file)) from error


def _state(query: str, field: str, name: str, asked: Mapping[str, object], what: str, place: Place) -> None:
    """Make a statement about an asset, and write what is stated, with the id by which it is retracted."""
    with open_client(place.store, place.server) as source:
        (asset,) = resolve_assets(source, [name])
        variables = {"asset": asset.id, **asked, "by": find_author(place.by, place.server)}
        done = convert_answer(source.mutate(read_query(query), variables)[field], Stated)
    write_lines([Line(f"{asset.qualified_name} {what} ({done.statement})")])


def _list_stated(known: Known, attribute: str, value: Json = None) -> Iterator[Statement]:
    """The statements about an attribute; of one value, if it is given."""
    for fact in known.facts:
        if fact.attribute == attribute and (value is None or fact.value == value):
            yield Statement(fact.source, fact.statement)


def _retract_stated(name: str, find: Callable[[Client, Known], Iterator[Statement]], what: str, place: Place) -> None:
    """Retract the one statement of a person that is found."""
    with open_client(place.store, place.server) as source:
        (asset,) = resolve_assets(source, [name])
        known = convert_answer(source.ask(read_query("statements"), {"id": asset.id})["node"], Known)
        _retract_one(source, list(dict.fromkeys(find(source, known))), asset, what, place.by)


def _retract_identity(name: str, other: str, kind: str, what: str, place: Place) -> None:
    with open_client(place.store, place.server) as source:
        (asset,) = resolve_assets(source, [name])
        known = convert_answer(source.ask(read_query("statements"), {"id": asset.id})["node"], Known)
        names = find_names([source.ask(read_query("identity"), {"name": text})["resolve"] for text in (name, other)], (name, other))
        wanted = {names["first"], names["second"]}
        reasons = [] if known.identity is None else [*known.identity.reasons, *known.identity.partings]
        found = [Statement(one.source, one.statement) for one in reasons if one.type == kind and {str(one.start), str(one.end)} == wanted]
        _retract_one(source, list(dict.fromkeys(found)), asset, what, place.by)


def _retract_one(source: Client, found: Sequence[Statement], asset: Asset | NamedAsset, what: str, by: str | None) -> None:
    stated = [one for one in found if one.source.startswith(PERSON)]
    mine = [one for one in sorted(stated) if by is None or one.source == f"{PERSON}{by}"]
    if not mine:
        others = ", ".join(sorted({one.source for one in found}))
        reason = (
            f"; it is stated by {others}: correct it there" if others and not stated else f"; it is stated by {others}" if others else ""
        )
        raise NotFound(f"no {f'statement of {by}' if by else 'person'} states that {asset.qualified_name} {what}{reason}")
    if len(mine) > 1:
        listed = ", ".join(f"{one.source} ({one.id})" for one in mine)
        raise InvalidInput(
            f"{len(mine)} statements are that {asset.qualified_name} {what}: {listed}; give --by, or `meshline retract` with one id", "--by"
        )
    source.mutate(read_query("retract"), {"statement": mine[0].id})
    write_lines([Line(f"retracted ({mine[0].id} of {mine[0].source.removeprefix(PERSON)}): {asset.qualified_name} {what}")])
