"""`meshline products [PRODUCT]`: data products with their health, one of them in full, and those that depend on assets."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import typer

from meshline.cli.answer_types import (
    Asset,
    Completeness,
    NamedAsset,
    Names,
    format_heading,
    format_moment,
    format_notes,
    format_rest,
    format_table,
)
from meshline.cli.client import Client, convert_answer, read_query, resolve_assets, resolve_of_kind
from meshline.cli.completion import complete_asset
from meshline.cli.options import Limit, ListFormat, Server, Store, TextFormat
from meshline.cli.terminal import Answer, Line
from meshline.graph.model import AssetKind, Json
from meshline.words import format_count


class HealthName(enum.StrEnum):
    """Whether the promises of a product are kept."""

    KEPT = "kept"
    BROKEN = "broken"
    UNKNOWN = "unknown"


def products(
    product: Annotated[
        str | None,
        typer.Argument(
            help="One product, in full. [default: a list]", metavar="PRODUCT", autocompletion=complete_asset, show_default=False
        ),
    ] = None,
    *,
    health: Annotated[
        list[HealthName] | None, typer.Option(help="Only products with this health; may be repeated.", show_default=False)
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="Only products in this domain or below it.", metavar="NAME", show_default=False)
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Only products of this owner.", metavar="NAME", show_default=False)] = None,
    affected_by: Annotated[
        list[str] | None,
        typer.Option(
            help="Instead of all: the products that depend on this asset, and whether their promises of freshness are feasible;"
            " may be repeated.",
            metavar="ASSET",
            autocompletion=complete_asset,
            show_default=False,
        ),
    ] = None,
    limit: Limit = 100,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """List data products with their health, or show one in full.

    Health compares the freshness of the output ports with what the product promises, and the last results of their checks. What is
    not known makes it unknown, never kept.
    """
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_answer

    filters = health or domain or owner
    if (product is not None and (filters or affected_by)) or (affected_by and filters):
        raise typer.BadParameter("give one of PRODUCT, --affected-by, and the filters --health, --domain and --owner")
    with open_client(store, server) as source:
        if product is not None:
            answer = show_product(source, product)
        elif affected_by:
            answer = list_affected(source, affected_by)
        else:
            answer = list_products(source, health or (), domain, owner, limit)
    write_answer(answer, as_json=format is TextFormat.JSON)


class Checks(msgspec.Struct, rename="camel", frozen=True):
    """The number of checks by outcome."""

    passed: int
    failed: int
    warned: int
    errors: int
    skipped: int
    not_run: int

    def describe(self) -> str:
        counts = {
            "passed": self.passed,
            "failed": self.failed,
            "warned": self.warned,
            "in error": self.errors,
            "skipped": self.skipped,
            "not run": self.not_run,
        }
        return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"


class PortFreshness(msgspec.Struct, rename="camel", frozen=True):
    last_written: str | None
    state: str = ""
    evidence: str | None = None
    dataset: NamedAsset | None = None


class Freshness(msgspec.Struct, rename="camel", frozen=True):
    state: str
    promised: str | None
    ports: list[PortFreshness]


class Failure(msgspec.Struct, rename="camel", frozen=True):
    name: str
    outcome: str
    message: str | None
    failing_since: str | None
    asset: NamedAsset


class Health(msgspec.Struct, rename="camel", frozen=True):
    state: str
    freshness: Freshness
    checks: Checks
    open_failures: list[Failure] = []


class OwnerOf(msgspec.Struct, rename="camel", frozen=True):
    owner: NamedAsset
    type: str = ""
    source: str = ""
    inherited_from: NamedAsset | None = None


class ListedProduct(msgspec.Struct, rename="camel", frozen=True):
    qualified_name: str
    name: str
    version: str | None
    status: str | None
    domain: NamedAsset | None
    owners: list[OwnerOf]
    health: Health


class ProductPage(msgspec.Struct, rename="camel", frozen=True):
    total_count: int
    nodes: list[ListedProduct]


class Level(msgspec.Struct, frozen=True):
    name: str
    text: str


class Port(msgspec.Struct, rename="camel", frozen=True):
    direction: str
    name: str | None
    type: str | None
    contract_name: str | None
    deprecated: bool
    dataset: NamedAsset


class Use(msgspec.Struct, rename="camel", frozen=True):
    """The use of an asset by a consumer."""

    consumer: NamedAsset
    asset: Asset
    purpose: str | None
    contract_name: str | None
    version: str | None
    source: str


class DatasetPage(msgspec.Struct, rename="camel", frozen=True):
    total_count: int
    nodes: list[NamedAsset]


class Product(ListedProduct, rename="camel", frozen=True):
    """The answer to `product.graphql`."""

    title: str | None
    description: str | None
    slos: list[Level]
    ports: list[Port]
    datasets: DatasetPage
    consumers: list[Use]


class Feasibility(msgspec.Struct, rename="camel", frozen=True):
    standing: str
    text: str


class AffectedProduct(msgspec.Struct, rename="camel", frozen=True):
    product: NamedAsset
    reach: str
    distance: int
    masked: bool
    freshness: Feasibility


class ProductImpact(msgspec.Struct, rename="camel", frozen=True):
    products: list[AffectedProduct]
    completeness: Completeness


STYLES = {"KEPT": "green", "BROKEN": "bold red", "UNKNOWN": "yellow"}


def list_products(source: Client, health: Sequence[HealthName], domain: str | None, owner: str | None, limit: int) -> Answer:
    """The products that fit, the broken ones first."""
    given = {AssetKind.DOMAIN: domain, AssetKind.OWNER: owner}
    wanted = {kind.lower(): resolve_of_kind(source, name, kind, f"--{kind.lower()}").id for kind, name in given.items() if name}
    asked = {"filter": wanted, "health": [one.name for one in health] or None, "orderBy": "HEALTH", "first": limit}
    data = source.ask(read_query("products"), asked)["products"]
    return Answer(data, list(_format_products(convert_answer(data, ProductPage))))


def _format_products(page: ProductPage) -> Iterator[Line]:
    if not page.nodes:
        yield Line("there are no such products")
        return
    rows = [
        (
            one.health.state.lower(),
            one.qualified_name,
            one.version or "",
            one.domain.name if one.domain else "",
            ", ".join(dict.fromkeys(owned.owner.name for owned in one.owners)),
            one.health.freshness.promised or "",
            one.health.checks.describe(),
        )
        for one in page.nodes
    ]
    heads = ("health", "product", "version", "domain", "owners", "promised age", "checks")
    head, *lines = format_table([heads, *rows])
    yield head
    yield from (Line(line.text, STYLES.get(one.health.state, "")) for line, one in zip(lines, page.nodes, strict=True))
    yield from format_rest(page.total_count, len(page.nodes))


def show_product(source: Client, name: str) -> Answer:
    """One product with its ports, promises, health and consumers."""
    data = source.ask(read_query("product"), {"id": resolve_of_kind(source, name, AssetKind.DATA_PRODUCT, "PRODUCT").id})["node"]
    return Answer(data, list(_format_product(convert_answer(data, Product))))


def _format_product(one: Product) -> Iterator[Line]:
    parts = [part for part in (one.version, one.status, f"in {one.domain.name}" if one.domain else None) if part]
    yield Line(
        f"{one.title or one.name}{f' ({one.qualified_name})' if one.title else ''}: {', '.join(parts)}" if parts else one.name, "bold"
    )
    if one.description:
        yield Line(f"  {one.description}")
    for title, rows in (
        ("OWNERS", [(owned.owner.name, owned.type, f"stated by {owned.source}") for owned in one.owners]),
        ("PROMISES", [(level.name, level.text) for level in one.slos]),
        ("PORTS", [_describe_port(port) for port in one.ports]),
    ):
        if rows:
            yield from format_heading(title)
            yield from format_table(rows, indent="  ")
    yield from format_heading("HEALTH")
    health = one.health
    yield Line(
        f"  {health.state.lower()}; freshness {health.freshness.state.lower()}{_describe_promise(health.freshness)}",
        STYLES.get(health.state, ""),
    )
    for port in health.freshness.ports:
        name = port.dataset.qualified_name if port.dataset is not None else ""
        written = (
            f"written at {format_moment(port.last_written)} ({(port.evidence or '').lower()})"
            if port.last_written
            else "never known to be written"
        )
        yield Line(f"    {port.state.lower():<7}  {name}  {written}")
    yield Line(f"  checks: {health.checks.describe()}")
    for failure in health.open_failures:
        since = f" since {format_moment(failure.failing_since)}" if failure.failing_since else ""
        yield Line(f"    {failure.outcome.lower()}{since}: {failure.name} of {failure.asset.qualified_name}", "red")
    yield from format_heading("CONSUMERS")
    if not one.consumers:
        yield Line(f"  none is known; `meshline consumers product:{one.name}` also lists those of derived data")
    yield from format_table(list_use_rows(one.consumers), indent="  ")


def _describe_port(port: Port) -> tuple[str, ...]:
    contract = f"contract {port.contract_name}" if port.contract_name else ""
    marks = [part for part in (port.type, contract, "deprecated" if port.deprecated else "") if part]
    return port.direction, port.name or "", port.dataset.qualified_name, ", ".join(marks)


def _describe_promise(freshness: Freshness) -> str:
    return f", promised {freshness.promised}" if freshness.promised else ", nothing is promised"


def list_use_rows(uses: Sequence[Use]) -> list[tuple[str, ...]]:
    """Consumer, what it uses (the columns of a dataset together), purpose, and contract or source."""
    names = Names([use.asset for use in uses])
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for use in uses:
        version = f" {use.version}" if use.version else ""
        under = f"contract {use.contract_name}{version}" if use.contract_name else f"stated by {use.source}"
        key = (use.consumer.name, names(use.asset.dataset or use.asset), use.purpose or "", under)
        groups.setdefault(key, []).extend([use.asset.name] if use.asset.dataset else [])
    return [
        (consumer, f"{of} ({', '.join(dict.fromkeys(columns))})" if columns else of, purpose, under)
        for (consumer, of, purpose, under), columns in groups.items()
    ]


def list_affected(source: Client, names: Sequence[str]) -> Answer:
    """The products that depend on these assets."""
    starts = resolve_assets(source, names)
    data: Json = source.ask(read_query("product-impact"), {"of": [start.id for start in starts]})["productImpact"]
    found = convert_answer(data, ProductImpact)
    of = ", ".join(start.qualified_name for start in starts)
    lines = [Line(f"{format_count(len(found.products), 'product')} {'depends' if len(found.products) == 1 else 'depend'} on {of}", "bold")]
    rows = [
        (
            one.reach.lower() + (", masked" if one.masked else ""),
            format_count(one.distance, "step"),
            one.product.qualified_name,
            f"freshness {one.freshness.standing.lower()}: {one.freshness.text}",
        )
        for one in found.products
    ]
    return Answer(data, [*lines, *format_table(rows, indent="  "), *format_notes(found.completeness.notes)])
