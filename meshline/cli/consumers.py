"""`meshline consumers CONTRACT`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import typer

from meshline.cli.answer_types import Asset, NamedAsset, Names, format_table
from meshline.cli.client import Client, convert_answer, read_query, resolve_assets
from meshline.cli.options import ListFormat, Server, Store, TextFormat
from meshline.cli.owners import Answer
from meshline.cli.terminal import Line
from meshline.errors import InvalidInput
from meshline.words import format_count


def consumers(
    contract: Annotated[str, typer.Argument(help="A contract, by its id.", metavar="CONTRACT")],
    *,
    version: Annotated[str | None, typer.Option(help="Only consumers of this version.", metavar="VERSION", show_default=False)] = None,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """List the consumers of a contract, by version."""
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_json, write_lines

    with open_client(store, server) as source:
        answer = list_consumers(source, contract, version)
    if format is TextFormat.JSON:
        write_json(answer.data)
    else:
        write_lines(answer.lines)


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


def list_consumers(source: Client, name: str, version: str | None) -> Answer:
    """The consumers of a contract, or of one version of it."""
    (found,) = resolve_assets(source, [name if name.lower().startswith(("contract:", "ctr_")) else f"contract:{name}"])
    if found.kind != "CONTRACT":
        raise InvalidInput(f"{found.qualified_name} is a {found.kind.lower()}; accepted is a contract", "CONTRACT")
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
