"""`meshline consumers [ASSET]`: all consumers, one with what it uses, or those of a contract, product, dataset or column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import typer

from meshline.cli.answer_types import (
    Asset,
    Completeness,
    NamedAsset,
    Names,
    describe_kind,
    format_heading,
    format_notes,
    format_rest,
    format_table,
)
from meshline.cli.client import Client, convert_answer, read_query, resolve_assets, resolve_of_kind
from meshline.cli.completion import complete_asset
from meshline.cli.diff import LISTED
from meshline.cli.options import Limit, ListFormat, Server, Store, TextFormat
from meshline.cli.products import OwnerOf, list_use_rows
from meshline.cli.products import Use as ProductUse
from meshline.cli.terminal import Answer, Line
from meshline.errors import InvalidInput, RefusedRequest
from meshline.graph.model import AssetKind
from meshline.words import format_count


def consumers(
    asset: Annotated[
        str | None,
        typer.Argument(
            help="A contract, a product, a dataset or a column, whose consumers are shown, or a consumer. [default: a list of all]",
            metavar="ASSET",
            autocompletion=complete_asset,
            show_default=False,
        ),
    ] = None,
    *,
    version: Annotated[
        str | None, typer.Option(help="Of a contract: only consumers of this version.", metavar="VERSION", show_default=False)
    ] = None,
    limit: Limit = 100,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """List consumers of an asset, or what a consumer uses.

    Those of a contract are listed by version; those of a product also if they use only data that is derived from it. Without ASSET, all
    consumers.
    """
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_answer

    with open_client(store, server) as source:
        if asset is None:
            if version is not None:
                raise typer.BadParameter("--version is of a contract")
            answer = list_all(source, limit)
        else:
            answer = list_consumers(source, asset, version)
    write_answer(answer, as_json=format is TextFormat.JSON)


class Version(msgspec.Struct, rename="camel", frozen=True):
    version: str | None
    status: str | None


class Use(msgspec.Struct, rename="camel", frozen=True):
    version: str | None
    contract_name: str | None
    source: str
    consumer: NamedAsset
    asset: Asset


class Versioned(msgspec.Struct, rename="camel", frozen=True):
    version: str | None


class Contract(msgspec.Struct, rename="camel", frozen=True):
    """The answer to `consumers.graphql`."""

    name: str
    versions: list[Version]
    of_any_version: list[Versioned]
    consumers: list[Use]


class UsedAsset(msgspec.Struct, rename="camel", frozen=True):
    """A consumer with what it consumes, or another asset with its consumers."""

    qualified_name: str
    name: str
    description: str | None
    owners: list[OwnerOf]
    title: str | None = None
    consumer_type: str | None = None
    consumes: list[ProductUse] = []
    consumers: list[ProductUse] = []


class ConsumerPage(msgspec.Struct, rename="camel", frozen=True):
    total_count: int
    nodes: list[UsedAsset]


class Reached(msgspec.Struct, rename="camel", frozen=True):
    """A consumer of derived data."""

    consumer: NamedAsset
    reach: str
    distance: int
    masked: bool


class ProductConsumers(msgspec.Struct, rename="camel", frozen=True):
    """The answer to `consumers-of-product.graphql`."""

    product: NamedAsset
    directly: list[ProductUse]
    through_ports: list[ProductUse]
    inside: list[ProductUse]
    reached: list[Reached]
    completeness: Completeness


def list_all(source: Client, limit: int) -> Answer:
    """All consumers, with their domains and owners."""
    kinds = {name: name == "consumers" for name in LISTED}
    asked = {"filter": None, "first": limit, "orderBy": "NAME", "asOf": None, "lastRun": None, "health": None, **kinds}
    data = source.ask(read_query("list"), asked)["consumers"]
    page = convert_answer(data, ConsumerPage)
    rows = [
        (one.name, one.consumer_type or "", ", ".join(dict.fromkeys(owned.owner.name for owned in one.owners)), one.description or "")
        for one in page.nodes
    ]
    lines = list(format_table([("consumer", "type", "owners", "description"), *rows])) if rows else [Line("no consumer is known")]
    return Answer(data, [*lines, *format_rest(page.total_count, len(page.nodes))])


def list_consumers(source: Client, name: str, version: str | None) -> Answer:
    """The consumers of a contract (or of one version of it), of a product, a dataset or a column, or what a consumer uses."""
    found = _find_asset(source, name)
    if found.kind == "CONTRACT":
        return _list_consumers_of_contract(source, found, version)
    if version is not None:
        raise InvalidInput(f"{found.qualified_name} is a {describe_kind(found)}; only contracts have versions with consumers", "--version")
    if found.kind == "DATA_PRODUCT":
        data = source.ask(read_query("consumers-of-product"), {"product": found.id})["consumersOf"]
        return Answer(data, list(_format_product(convert_answer(data, ProductConsumers))))
    if found.kind not in ("CONSUMER", "DATASET", "COLUMN"):
        raise InvalidInput(
            f"{found.qualified_name} is a {describe_kind(found)}; accepted is a contract, product, dataset, column or consumer", "ASSET"
        )
    data = source.ask(read_query("uses"), {"id": found.id})["node"]
    return Answer(data, list(_format_uses(convert_answer(data, UsedAsset), found.kind)))


def _find_asset(source: Client, name: str) -> Asset:
    """A contract of this name, else any asset. Raises RefusedRequest if there is neither."""
    try:
        return resolve_of_kind(source, name, AssetKind.CONTRACT, "ASSET")
    except InvalidInput:
        pass
    except RefusedRequest as error:
        if error.code != "NOT_FOUND":
            raise
    return resolve_assets(source, [name])[0]


def _format_product(found: ProductConsumers) -> Iterator[Line]:
    groups = (
        ("USE THE PRODUCT AS A WHOLE", found.directly),
        ("USE ITS OUTPUT PORTS", found.through_ports),
        ("USE DATASETS OF IT THAT ARE NO OUTPUT PORT", found.inside),
    )
    names = {use.consumer.name for _, uses in groups for use in uses}
    total = len(names | {one.consumer.name for one in found.reached})
    yield Line(
        f"{found.product.name}: {format_count(total, 'consumer')}, {len(names)} of it and {total - len(names)} of derived data", "bold"
    )
    for title, uses in groups:
        if uses:
            yield from format_heading(title)
            yield from format_table(list_use_rows(uses), indent="  ")
    if found.reached:
        yield from format_heading("USE DATA THAT IS DERIVED FROM IT")
        rows = [
            (one.consumer.name, one.reach.lower() + (", masked" if one.masked else ""), format_count(one.distance, "step"))
            for one in found.reached
        ]
        yield from format_table(rows, indent="  ")
    yield from format_notes(found.completeness.notes)


def _format_uses(found: UsedAsset, kind: str) -> Iterator[Line]:
    if kind == "CONSUMER":
        owners = ", ".join(dict.fromkeys(one.owner.name for one in found.owners))
        of = f" of {owners}" if owners else " without an owner"
        yield Line(f"{found.title or found.name}: {found.consumer_type or 'consumer'}{of}", "bold")
        if found.description:
            yield Line(f"  {found.description}")
        if not found.consumes:
            yield Line("  it is not known to use anything")
        yield from format_table([row[1:] for row in list_use_rows(found.consumes)], indent="  ")
        return
    yield Line(f"{found.qualified_name}: {format_count(len({use.consumer.id for use in found.consumers}), 'consumer')}", "bold")
    if not found.consumers:
        yield Line(f"  none is known; for indirect consumers: meshline impact {found.qualified_name}")
    yield from format_table(list_use_rows(found.consumers), indent="  ")


def _list_consumers_of_contract(source: Client, found: Asset, version: str | None) -> Answer:
    """The consumers of a contract, or of one version of it."""
    data = source.ask(read_query("consumers"), {"contract": found.id, "version": version})["node"]
    contract = convert_answer(data, Contract)
    versions = [one.version for one in contract.versions if one.version is not None]
    if version is not None and version not in (*versions, *(use.version for use in contract.consumers)):
        raise InvalidInput(f"{contract.name} has no version {version!r}; it has {', '.join(versions) or 'none that is known'}", "--version")
    return Answer(data, list(_format_contract(contract, version)))


def _format_contract(contract: Contract, version: str | None) -> Iterator[Line]:
    """The versions, then a line for each version and consumer with the assets that it uses."""
    known = ", ".join(f"{one.version} ({one.status})" if one.status else one.version for one in contract.versions if one.version)
    yield Line(f"{contract.name}: {f'versions {known}' if known else 'no version is known'}", "bold")
    if not contract.consumers:
        of = f" of version {version}" if version else ""
        yield Line(f"  no consumer{of} is known; for indirect consumers: meshline impact contract:{contract.name}")
    order = [one.version for one in contract.versions]
    names = Names([use.asset for use in contract.consumers])
    uses: dict[tuple[int, str, str], list[Use]] = {}
    for use in contract.consumers:
        place = order.index(use.version) if use.version in order else len(order)
        uses.setdefault((place, use.version or "", use.consumer.name), []).append(use)
    rows = [
        (f"version {stated}" if stated else "version not known", consumer, _format_assets(names, of), _format_sources(of))
        for (_, stated, consumer), of in sorted(uses.items())
    ]
    yield from format_table(rows, indent="  ")
    unknown = sum(use.version is None for use in contract.of_any_version)
    if version is not None and unknown:
        yield Line(f"  ! of {format_count(unknown, 'use')} the version is not known: not listed here")


def _format_sources(uses: Sequence[Use]) -> str:
    unnamed = "" if all(use.contract_name for use in uses) else ", which names no contract"
    return ", ".join(sorted({use.source for use in uses})) + unnamed


def _format_assets(names: Names, uses: Sequence[Use]) -> str:
    """The used assets, with the columns of each dataset together."""
    columns: dict[str, list[str]] = {}
    for use in uses:
        columns.setdefault(names(use.asset.dataset or use.asset), []).extend([use.asset.name] if use.asset.dataset else [])
    return ", ".join(f"{of} ({', '.join(dict.fromkeys(own))})" if own else of for of, own in columns.items())
