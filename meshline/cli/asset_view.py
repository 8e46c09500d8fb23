"""`meshline show ASSET` and `meshline schemas DATASET`: one asset with what is known about it, and how its columns changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec
import typer

from meshline.cli.answer_types import NamedAsset, describe_kind, format_heading, format_moment, format_rest, format_table
from meshline.cli.client import convert_answer, read_query, resolve_assets
from meshline.cli.completion import complete_asset
from meshline.cli.options import AsOf, Asset, Limit, ListFormat, Server, Store, TextFormat, format_iso_time
from meshline.cli.products import Checks, OwnerOf, Use, list_use_rows
from meshline.cli.terminal import Answer, Line
from meshline.errors import InvalidInput
from meshline.words import format_count, shorten_text

LONGEST_VALUE = 120  # characters of a value that are shown


def show(
    asset: Asset,
    *,
    facts: Annotated[bool, typer.Option("--facts", help="Also each attribute as each source states it.")] = False,
    as_of: AsOf = None,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show one asset with what is known about it.

    Its description, owners, tags, columns, jobs, ports, consumers and other names. json also has which source states what.
    """
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_answer

    at = format_iso_time(as_of)
    with open_client(store, server) as source:
        (found,) = resolve_assets(source, [asset], at)
        data = source.ask(read_query("asset"), {"id": found.id, "asOf": at})["node"]
    write_answer(Answer(data, list(_format_asset(convert_answer(data, ShownAsset), facts=facts))), as_json=format is TextFormat.JSON)


def schemas(
    dataset: Annotated[str, typer.Argument(help="The dataset, by any of its names.", metavar="DATASET", autocompletion=complete_asset)],
    *,
    columns: Annotated[bool, typer.Option("--columns", help="Also all columns of each schema, not only what changed.")] = False,
    limit: Limit = 25,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show how the columns of a dataset changed, by source.

    The newest schema first; each compared with the one before it of the same source.
    """
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_answer

    with open_client(store, server) as source:
        (found,) = resolve_assets(source, [dataset])
        if found.kind != "DATASET":
            raise InvalidInput(f"{found.qualified_name} is a {describe_kind(found)}; accepted is a dataset", "DATASET")
        data = source.ask(read_query("schemas"), {"id": found.id, "first": limit})["node"]
    write_answer(Answer(data, list(_format_history(convert_answer(data, History), full=columns))), as_json=format is TextFormat.JSON)


class Tag(msgspec.Struct, frozen=True):
    key: str
    value: str | None

    def __str__(self) -> str:
        return self.key if self.value is None else f"{self.key}={self.value}"


class ShownColumn(msgspec.Struct, rename="camel", frozen=True):
    name: str
    data_type: str | None
    nullable: bool | None
    description: str | None
    inferred: bool


class ColumnPage(msgspec.Struct, rename="camel", frozen=True):
    total_count: int
    nodes: list[ShownColumn]


class Alias(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    why: str


class FormerName(msgspec.Struct, frozen=True):
    name: str
    until: str


class LastWritten(msgspec.Struct, frozen=True):
    at: str
    evidence: str


class LastRun(msgspec.Struct, rename="camel", frozen=True):
    run_id: str
    state: str
    started_at: str


class ConsumerOf(msgspec.Struct, frozen=True):
    consumer: NamedAsset


class ShownPort(msgspec.Struct, frozen=True):
    direction: str
    name: str | None
    dataset: NamedAsset


class Fact(msgspec.Struct, rename="camel", frozen=True):
    source: str
    attribute: str
    value: Any
    observed_at: str
    chosen: bool
    statement: str


class NamePage(msgspec.Struct, rename="camel", frozen=True):
    total_count: int
    nodes: list[NamedAsset]


class ShownAsset(msgspec.Struct, rename="camel", frozen=True):
    """The answer to `asset.graphql`: what every kind of asset has, then what some have."""

    kind: str
    name: str
    qualified_name: str
    description: str | None
    access: str
    last_observed: str | None
    tags: list[Tag]
    product: NamedAsset | None
    domain: NamedAsset | None
    owners: list[OwnerOf]
    facts: list[Fact]
    dataset_type: str | None = None
    location: str | None = None
    columns: ColumnPage | None = None
    aliases: list[Alias] = []
    written_by: list[NamedAsset] = []
    read_by: list[NamedAsset] = []
    contracts: list[NamedAsset] = []
    consumers: list[ConsumerOf] = []
    last_written: LastWritten | None = None
    quality_counts: Checks | None = None
    data_type: str | None = None
    nullable: bool | None = None
    former_names: list[FormerName] = []
    job_type: str | None = None
    processing_type: str | None = None
    integration: str | None = None
    sql: str | None = None
    reads: list[NamedAsset] = []
    writes: list[NamedAsset] = []
    parents: list[NamedAsset] = []
    children: list[NamedAsset] = []
    last_run: LastRun | None = None
    title: str | None = None
    version: str | None = None
    status: str | None = None
    ports: list[ShownPort] = []
    consumer_type: str | None = None
    consumes: list[Use] = []
    governs: list[NamedAsset] = []
    contact: str | None = None
    owner_type: str | None = None
    owns: NamePage | None = None
    subdomains: list[NamedAsset] = []
    own_products: list[NamedAsset] = []


def _format_asset(asset: ShownAsset, *, facts: bool) -> Iterator[Line]:
    yield Line(asset.qualified_name, "bold")
    yield from format_table([(name, text) for name, text in _list_properties(asset) if text], indent="  ")
    if asset.columns is not None and asset.columns.nodes:
        yield from format_heading("COLUMNS")
        yield from format_table([_describe_column(one) for one in asset.columns.nodes], indent="  ")
        yield from format_rest(asset.columns.total_count, len(asset.columns.nodes))
    for title, assets in (
        ("WRITTEN BY", asset.written_by),
        ("READ BY", asset.read_by),
        ("READS", asset.reads),
        ("WRITES", asset.writes),
        ("PART OF", asset.parents),
        ("PARTS", asset.children),
        ("SUBDOMAINS", asset.subdomains),
        ("PRODUCTS", asset.own_products),
        ("OWNS", asset.owns.nodes if asset.owns is not None else []),
        ("CONTRACTS", asset.contracts),
        ("GOVERNS", asset.governs),
        ("CONSUMERS", list({one.consumer.id: one.consumer for one in asset.consumers}.values())),
    ):
        if assets:
            yield from format_heading(title)
            yield from (Line(f"  {one.qualified_name}") for one in assets)
    if asset.owns is not None:
        yield from format_rest(asset.owns.total_count, len(asset.owns.nodes))
    if asset.ports:
        yield from format_heading("PORTS")
        yield from format_table([(one.direction, one.name or "", one.dataset.qualified_name) for one in asset.ports], indent="  ")
    if asset.consumes:
        yield from format_heading("CONSUMES")
        yield from format_table([row[1:] for row in list_use_rows(asset.consumes)], indent="  ")
    yield from _format_aliases(asset.aliases)
    if asset.sql:
        yield from format_heading("SQL")
        yield from (Line(f"  {line}") for line in asset.sql.strip().splitlines())
    if facts and asset.facts:
        yield from format_heading("FACTS")
        yield from format_table([_describe_fact(fact) for fact in asset.facts], indent="  ")


def _format_aliases(aliases: Sequence[Alias]) -> Iterator[Line]:
    """The other names of a dataset, each with all reasons."""
    reasons: dict[str, list[str]] = {}
    for one in aliases:
        reasons.setdefault(f"{one.namespace}/{one.name}", []).append(one.why)
    if reasons:
        yield from format_heading("OTHER NAMES")
        yield from format_table([(name, ", ".join(dict.fromkeys(why))) for name, why in reasons.items()], indent="  ")


def _list_properties(asset: ShownAsset) -> Iterator[tuple[str, str]]:
    kinds = (asset.dataset_type, asset.job_type, asset.processing_type, asset.integration, asset.consumer_type, asset.owner_type)
    more = ", ".join(kind for kind in kinds if kind)
    yield "kind", f"{asset.kind.lower().replace('data_', '')}{f' ({more})' if more else ''}"
    yield "title", asset.title or ""
    yield "description", asset.description or ""
    yield "version", " ".join(part for part in (asset.version, asset.status) if part)
    yield "type", f"{asset.data_type}{'' if asset.nullable is None or asset.nullable else ', not null'}" if asset.data_type else ""
    yield "product", asset.product.qualified_name if asset.product else ""
    yield "domain", asset.domain.qualified_name if asset.domain else ""
    if asset.kind not in ("OWNER", "JOB") or asset.owners:
        yield "owners", ", ".join(dict.fromkeys(_describe_owner(one) for one in asset.owners)) or "none at any level"
    yield "contact", asset.contact or ""
    yield "tags", ", ".join(dict.fromkeys(map(str, asset.tags)))
    yield "location", asset.location or ""
    yield "formerly", ", ".join(f"{one.name} until {format_moment(one.until)}" for one in asset.former_names)
    if asset.last_written is not None:
        yield "last written", f"{format_moment(asset.last_written.at)} ({asset.last_written.evidence.lower()})"
    if asset.last_run is not None:
        yield "last run", f"{asset.last_run.state.lower()}, started at {format_moment(asset.last_run.started_at)} ({asset.last_run.run_id})"
    if asset.quality_counts is not None and asset.quality_counts.describe() != "none":
        yield "checks", asset.quality_counts.describe()
    yield "last stated", format_moment(asset.last_observed)


def _describe_owner(one: OwnerOf) -> str:
    level = f", from {one.inherited_from.qualified_name}" if one.inherited_from is not None else ""
    return f"{one.owner.name} ({one.type}{level})"


def _describe_column(one: ShownColumn) -> tuple[str, ...]:
    marks = [mark for mark, given in (("not null", one.nullable is False), ("inferred", one.inferred)) if given]
    return one.name, one.data_type or "", ", ".join(marks), one.description or ""


def _describe_fact(fact: Fact) -> tuple[str, ...]:
    value = fact.value if isinstance(fact.value, str) else msgspec.json.encode(fact.value).decode()
    stated = f"{fact.source} at {format_moment(fact.observed_at)} ({fact.statement})"
    return "*" if fact.chosen else "", fact.attribute, shorten_text(value, LONGEST_VALUE), stated


class ListedColumn(msgspec.Struct, rename="camel", frozen=True):
    name: str
    data_type: str | None
    nullable: bool | None


class Schema(msgspec.Struct, frozen=True):
    """The columns as a source listed them; `until` None: it still does."""

    source: str
    since: str
    until: str | None
    columns: list[ListedColumn]


class SchemaPage(msgspec.Struct, rename="camel", frozen=True):
    total_count: int
    nodes: list[Schema]


class History(msgspec.Struct, rename="camel", frozen=True):
    """The answer to `schemas.graphql`."""

    qualified_name: str
    schemas: SchemaPage


def _format_history(found: History, *, full: bool) -> Iterator[Line]:
    page = found.schemas
    if not page.nodes:
        yield Line(f"no source lists the columns of {found.qualified_name}")
        return
    yield Line(f"{found.qualified_name}: {format_count(page.total_count, 'schema')}", "bold")
    for place, schema in enumerate(page.nodes):
        until = f"until {format_moment(schema.until)}" if schema.until else "until now"
        yield Line("")
        yield Line(f"  {schema.source}, {format_moment(schema.since)} {until}: {format_count(len(schema.columns), 'column')}")
        before = next((one for one in page.nodes[place + 1 :] if one.source == schema.source), None)
        if before is not None:
            yield from _format_changes(before.columns, schema.columns)
        elif place + 1 < len(page.nodes) or page.total_count == len(page.nodes):
            yield Line("    the first of this source", "dim")
        if full:
            yield from format_table([(one.name, _describe_type(one)) for one in schema.columns], indent="      ")
    yield from format_rest(page.total_count, len(page.nodes))


def _format_changes(before: Sequence[ListedColumn], after: Sequence[ListedColumn]) -> Iterator[Line]:
    """The columns that were added, removed or changed."""
    old: Mapping[str, ListedColumn] = {one.name: one for one in before}
    new: Mapping[str, ListedColumn] = {one.name: one for one in after}
    lines = [Line(f"    + {name} {_describe_type(one)}".rstrip(), "green") for name, one in new.items() if name not in old]
    lines += [Line(f"    - {name} {_describe_type(one)}".rstrip(), "red") for name, one in old.items() if name not in new]
    changed = [name for name in new if name in old and _describe_type(old[name]) != _describe_type(new[name])]
    lines += [Line(f"    ~ {name} {_describe_type(old[name])} -> {_describe_type(new[name])}", "yellow") for name in changed]
    yield from lines or [Line("    the same columns, in another order or with other descriptions", "dim")]


def _describe_type(one: ListedColumn) -> str:
    return f"{one.data_type or ''}{' not null' if one.nullable is False else ''}".strip()
