"""`meshline coverage` and `meshline list`: how much of the mesh is described, owned and has lineage, and which assets it has."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Annotated, TypeAlias

import msgspec
import typer

from meshline.cli.answer_types import NamedAsset, format_heading, format_rest, format_table
from meshline.cli.client import convert_answer, read_query, resolve_of_kind
from meshline.cli.options import AsOf, KindName, Limit, Server, Store, format_iso_time
from meshline.cli.terminal import Line, write_csv
from meshline.graph.model import AssetKind, Json
from meshline.words import format_count


class TableFormat(enum.StrEnum):
    """The formats of a table."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


Format: TypeAlias = Annotated[TableFormat, typer.Option("--format", help="text for people, json for programs, csv for spreadsheets.")]


class CoverageGroup(enum.StrEnum):
    """What the datasets are counted by."""

    SOURCE = "source"
    DOMAIN = "domain"


class ListedKind(enum.StrEnum):
    """The kinds of assets (and their tags and namespaces) that can be listed."""

    DOMAINS = "domains"
    PRODUCTS = "products"
    DATASETS = "datasets"
    JOBS = "jobs"
    CONSUMERS = "consumers"
    CONTRACTS = "contracts"
    OWNERS = "owners"
    TAGS = "tags"
    NAMESPACES = "namespaces"


class OrderName(enum.StrEnum):
    """The order of a list."""

    NAME = "name"
    LAST_OBSERVED = "last-observed"
    DEPENDANTS = "dependants"


class RunStateName(enum.StrEnum):
    """The state of a run."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAIL = "fail"
    ABORT = "abort"


ASSETS = tuple(kind for kind in ListedKind if kind not in (ListedKind.TAGS, ListedKind.NAMESPACES))


def coverage(
    *,
    by: Annotated[CoverageGroup | None, typer.Option(help="Count by this only. [default: both]", show_default=False)] = None,
    as_of: AsOf = None,
    format: Format = TableFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show how many datasets are described, owned, and have lineage.

    In total, by source and by domain. Datasets that are only inferred are not counted.
    """
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_json, write_lines

    with open_client(store, server) as source:
        data = source.ask(read_query("coverage"), {"asOf": format_iso_time(as_of)})["coverage"]
    if format is TableFormat.JSON:
        write_json(data)
        return
    found = convert_answer(data, Coverage)
    if format is TableFormat.TEXT:
        write_lines(_format_coverage(found, by))
        return
    rows = [[group, name, *map(str, msgspec.structs.astuple(covered))] for group, name, covered in _list_covered(found, by)]
    write_csv(["by", "name", "datasets", "described", "owned", "with_lineage", "with_column_lineage"], rows)


def list_assets(
    kind: Annotated[
        ListedKind | None,
        typer.Argument(help="What to list. [default: the number of assets of each kind]", metavar="KIND", show_default=False),
    ] = None,
    *,
    text: Annotated[str | None, typer.Option(help="Only assets with this in their names.", metavar="TEXT", show_default=False)] = None,
    namespace: Annotated[str | None, typer.Option(help="Only assets of this namespace.", metavar="NAME", show_default=False)] = None,
    domain: Annotated[str | None, typer.Option(help="Only assets in this domain or below it.", metavar="NAME", show_default=False)] = None,
    product: Annotated[str | None, typer.Option(help="Only assets of this product.", metavar="NAME", show_default=False)] = None,
    owner: Annotated[str | None, typer.Option(help="Only assets that this owner owns, at some level.", show_default=False)] = None,
    last_run: Annotated[
        list[RunStateName] | None, typer.Option(help="Only jobs whose newest run is so; may be repeated.", show_default=False)
    ] = None,
    order_by: Annotated[
        OrderName, typer.Option(help="By name, the most recently stated first, or the most depended on first.")
    ] = OrderName.NAME,
    as_of: AsOf = None,
    limit: Limit = 100,
    format: Format = TableFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """List assets, tags or namespaces; without KIND, count them.

    With their products, domains and owners.
    """
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_json, write_lines

    filters = {AssetKind.DOMAIN: domain, AssetKind.DATA_PRODUCT: product, AssetKind.OWNER: owner}
    if kind not in ASSETS and (any(filters.values()) or text or namespace or order_by is not OrderName.NAME):
        raise typer.BadParameter(f"only lists of assets have filters and orders: {', '.join(ASSETS)}")
    if last_run and kind is not ListedKind.JOBS:
        raise typer.BadParameter("--last-run is for jobs")
    if kind is None and as_of is not None:
        raise typer.BadParameter("the number of assets is known of now only: --as-of needs a KIND")
    with open_client(store, server) as source:
        if kind is None:
            data = source.ask(read_query("about"), {})["about"]
        elif kind in ASSETS:
            found = {of: resolve_of_kind(source, given, of, f"--{KindName[of.name].value}").id for of, given in filters.items() if given}
            wanted = {KindName[of.name].value: id_ for of, id_ in found.items()}
            asked = {
                "filter": {"text": text, "namespace": namespace, **wanted},
                "first": limit,
                "orderBy": order_by.name,
                "asOf": format_iso_time(as_of),
                "lastRun": [state.name for state in last_run] if last_run else None,
                "health": None,
                **{one.value: one is kind for one in ASSETS},
            }
            data = source.ask(read_query("list"), asked)[kind.value]
        else:
            data = source.ask(read_query(kind.value), {"first": limit, "asOf": format_iso_time(as_of)})[kind.value]
    if format is TableFormat.JSON:
        write_json(data)
        return
    heads, rows, total = _build_rows(kind, data)
    if format is TableFormat.CSV:
        write_csv(heads, rows)
    elif not rows:
        write_lines([Line("there are none" if kind is None else f"there are no such {kind.value}")])
    else:
        write_lines([*format_table([heads, *rows]), *format_rest(total, len(rows))])


class Covered(msgspec.Struct, rename="camel", frozen=True):
    """Numbers of datasets."""

    datasets: int
    described: int
    owned: int
    with_lineage: int
    with_column_lineage: int


class CoveredSource(msgspec.Struct, frozen=True):
    source: str
    covered: Covered


class CoveredDomain(msgspec.Struct, frozen=True):
    domain: NamedAsset | None
    covered: Covered


class Coverage(msgspec.Struct, rename="camel", frozen=True):
    """The answer to `coverage.graphql`."""

    total: Covered
    by_source: list[CoveredSource]
    by_domain: list[CoveredDomain]
    orphans: int


def _list_covered(found: Coverage, by: CoverageGroup | None) -> Iterator[tuple[str, str, Covered]]:
    """Group, name and numbers; an empty name: no domain."""
    yield "total", "", found.total
    if by is not CoverageGroup.DOMAIN:
        yield from (("source", one.source, one.covered) for one in found.by_source)
    if by is not CoverageGroup.SOURCE:
        yield from (("domain", one.domain.qualified_name if one.domain else "", one.covered) for one in found.by_domain)


def _format_coverage(found: Coverage, by: CoverageGroup | None) -> Iterator[Line]:
    total = found.total
    yield Line(
        f"{format_count(total.datasets, 'dataset')}: {_format_share(total.described, total.datasets)} described,"
        f" {_format_share(total.owned, total.datasets)} owned, {_format_share(total.with_lineage, total.datasets)} with lineage,"
        f" {_format_share(total.with_column_lineage, total.datasets)} with column lineage",
        "bold",
    )
    if found.orphans:
        yield Line(f"{format_count(found.orphans, 'dataset')} without an owner: `meshline owners --orphans` lists them", "yellow")
    heads = ("datasets", "described", "owned", "lineage", "of columns")
    rows = list(_list_covered(found, by))
    for group in ("source", "domain"):
        shown = [(_format_cells(covered), name or "(no domain)") for kind, name, covered in rows if kind == group]
        if shown:
            yield from format_heading(f"BY {group.upper()}")
            yield from format_table([(*heads, group), *((*cells, name) for cells, name in shown)], right=len(heads), indent="  ")


def _format_cells(covered: Covered) -> tuple[str, ...]:
    of = covered.datasets
    parts = (covered.described, covered.owned, covered.with_lineage, covered.with_column_lineage)
    return (str(of), *(_format_share(part, of) for part in parts))


def _format_share(part: int, of: int) -> str:
    """A share in percent, which is 0 % and 100 % only if it is exactly so."""
    if not of:
        return "-"
    return f"{min(max(round(100 * part / of), 1 if part else 0), 100 if part == of else 99)}%"


class OwnedBy(msgspec.Struct, frozen=True):
    owner: NamedAsset


class ListedAsset(msgspec.Struct, rename="camel", frozen=True):
    qualified_name: str
    name: str
    description: str | None
    owners: list[OwnedBy]
    product: NamedAsset | None
    domain: NamedAsset | None


class ListedTag(msgspec.Struct, frozen=True):
    key: str
    value: str | None
    assets: int


class ListedNamespace(msgspec.Struct, frozen=True):
    name: str
    datasets: int
    jobs: int


class AssetList(msgspec.Struct, rename="camel", frozen=True):
    total_count: int
    nodes: list[ListedAsset]


class TagList(msgspec.Struct, rename="camel", frozen=True):
    total_count: int
    nodes: list[ListedTag]


class NamespaceList(msgspec.Struct, rename="camel", frozen=True):
    total_count: int
    nodes: list[ListedNamespace]


class KindCount(msgspec.Struct, frozen=True):
    kind: str
    count: int


class About(msgspec.Struct, frozen=True):
    assets: list[KindCount]


def _build_rows(kind: ListedKind | None, data: Json) -> tuple[list[str], list[list[str]], int]:
    """The heads and rows of a list, and how many rows there are on all pages."""
    if kind is None:
        counts = convert_answer(data, About).assets
        return ["kind", "assets"], [[one.kind.lower().replace("data_", ""), str(one.count)] for one in counts], len(counts)
    if kind is ListedKind.TAGS:
        tags = convert_answer(data, TagList)
        rows = [[one.key if one.value is None else f"{one.key}={one.value}", str(one.assets)] for one in tags.nodes]
        return ["tag", "assets"], rows, tags.total_count
    if kind is ListedKind.NAMESPACES:
        spaces = convert_answer(data, NamespaceList)
        return ["namespace", "datasets", "jobs"], [[one.name, str(one.datasets), str(one.jobs)] for one in spaces.nodes], spaces.total_count
    assets = convert_answer(data, AssetList)
    rows = [
        [
            one.qualified_name,
            one.product.name if one.product else "",
            one.domain.name if one.domain else "",
            ", ".join(dict.fromkeys(owned.owner.name for owned in one.owners)),
        ]
        for one in assets.nodes
    ]
    return ["name", "product", "domain", "owners"], rows, assets.total_count
