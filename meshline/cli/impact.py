"""`meshline impact ASSET...`: the answer, ordered so that a person can decide within ten seconds."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias

import msgspec
import typer

from meshline.cli.answer_types import Asset, Completeness, NamedAsset, Names, format_table
from meshline.cli.options import AsOf, Assets, Depth, Limit, Reach, ReachName, Server, Store, format_iso_time
from meshline.cli.terminal import Line
from meshline.words import format_count

if TYPE_CHECKING:
    from meshline.cli.answer_types import Asset
    from meshline.cli.client import Client
    from meshline.graph.model import Json


class ImpactFormat(enum.StrEnum):
    """The formats of an impact."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


Format: TypeAlias = Annotated[ImpactFormat, typer.Option("--format", help="text for people, json for programs, markdown for both.")]


def impact(
    asset: Assets,
    *,
    reach: Reach = ReachName.POSSIBLE,
    depth: Depth = None,
    as_of: AsOf = None,
    limit: Limit = 500,
    format: Format = ImpactFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show what a change affects, and the recipients to notify.

    The verdict comes first, gaps of the answer last.
    """
    from meshline.cli.client import convert_answer, open_client, resolve_assets
    from meshline.cli.terminal import Line, write_json, write_lines

    with open_client(store, server) as source:
        starts = resolve_assets(source, asset, format_iso_time(as_of))
        data = ask_impact(source, starts, reach=reach, depth=depth, as_of=format_iso_time(as_of), limit=limit)
    if format is ImpactFormat.JSON:
        write_json(data)
        return
    answer = convert_answer(data, Impact)
    if format is ImpactFormat.TEXT:
        write_lines(format_impact(answer, starts))
    else:
        write_lines(Line(line) for text in format_markdown(answer, starts) for line in text.split("\n"))


def ask_impact(
    source: Client,
    starts: Sequence[Asset],
    *,
    reach: ReachName = ReachName.POSSIBLE,
    depth: int | None = None,
    as_of: str | None = None,
    limit: int = 500,
) -> Json:
    """The impact of these assets, as in the answer of GraphQL."""
    from meshline.cli.client import read_query

    variables = {"of": [start.id for start in starts], "reach": reach.name, "depth": depth, "asOf": as_of, "limit": limit}
    return source.ask(read_query("impact"), variables)["impact"]


COLUMNS_SHOWN = 6  # of one dataset; JSON has all
OLD_DAYS = 30  # from which on the age of the last read is named


class Count(msgspec.Struct, rename="camel", frozen=True):
    key: str
    label: str
    count: int


class Step(msgspec.Struct, rename="camel", frozen=True):
    """A step of a path; `job`: the job that moves the data."""

    asset: NamedAsset
    job: NamedAsset | None = None


class Affected(msgspec.Struct, rename="camel", frozen=True):
    node: Asset
    reach: str
    distance: int
    masked: bool
    via: list[Step] = []


class Page(msgspec.Struct, rename="camel", frozen=True):
    total_count: int
    nodes: list[Affected]


class Owner(msgspec.Struct, rename="camel", frozen=True):
    name: str
    title: str | None = None
    contact: str | None = None


class OwnerOf(msgspec.Struct, rename="camel", frozen=True):
    owner: Owner


class Recipient(msgspec.Struct, rename="camel", frozen=True):
    """An owner or a consumer; only a consumer has a type and owners here."""

    id: str
    name: str
    title: str | None = None
    consumer_type: str | None = None
    owners: list[OwnerOf] = []


class Reads(msgspec.Struct, rename="camel", frozen=True):
    """How often a consumer was seen to read what is affected."""

    count: int
    first_read: datetime
    last_read: datetime


class Notice(msgspec.Struct, rename="camel", frozen=True):
    """A recipient to notify. `assets`: the first few of the `total` assets that it is about. `reads`: of a consumer, if any are known."""

    recipient: Recipient
    reason: str
    reach: str
    total: int
    contact: str | None
    assets: list[Asset]
    reads: Reads | None = None


class Impact(msgspec.Struct, rename="camel", frozen=True):
    """The answer to `impact.graphql`. `data`: datasets and columns; `others`: consumers and contracts."""

    total: int
    by_kind: list[Count]
    by_reach: list[Count]
    by_domain: list[Count]
    by_product: list[Count]
    data: Page
    others: Page
    notify: list[Notice]
    completeness: Completeness


REACHES = {
    "DIRECT": "VALUES COME FROM IT (direct)",
    "INDIRECT": "ROWS, GROUPS OR BRANCHES DEPEND ON IT (indirect: filters, joins, sorting)",
    "POSSIBLE": "POSSIBLY AFFECTED (columns not recorded)",
}
KINDS = {
    "COLUMN": "column",
    "DATASET": "dataset",
    "DATA_PRODUCT": "product",
    "DOMAIN": "domain",
    "CONSUMER": "consumer",
    "CONTRACT": "contract",
    "JOB": "job",
}
WORDS = {"DIRECT": "by values", "INDIRECT": "by filters or joins", "POSSIBLE": "possibly"}


class Row(NamedTuple):
    """Columns of one dataset with the same reach and masking; no columns: the dataset as a whole."""

    reach: str
    distance: int
    dataset: Asset | NamedAsset
    columns: tuple[str, ...]
    masked: bool
    jobs: tuple[NamedAsset, ...]


def format_verdict(impact: Impact, starts: Sequence[Asset]) -> str:
    """The first line: the number of affected assets, by reach."""
    of = ", ".join(Names(starts)(start) for start in starts)
    at = f" as of {impact.completeness.at}" if impact.completeness.at else ""
    if not impact.total:
        if impact.completeness.whole:
            return f"Nothing depends on {of}{at}."
        return f"Nothing is known to depend on {of}{at}, but the answer may be incomplete: do not treat this as safe."
    ways = ", ".join(f"{count.count} {WORDS[count.key]}" for count in impact.by_reach if count.key in WORDS)
    return f"{of} affects {format_count(impact.total, 'asset')}{at}: {ways}."


def format_headcount(impact: Impact) -> str:
    """The second line: the assets by kind, and the numbers of recipients."""
    kinds = {count.key: count.count for count in impact.by_kind}
    what = [format_count(kinds[kind], noun) for kind, noun in KINDS.items() if kind in kinds]
    owners = sum(notice.reason == "OWNS" for notice in impact.notify)
    recipients = [format_count(number, noun) for number, noun in ((len(impact.notify) - owners, "consumer"), (owners, "owner")) if number]
    notify = f"Notify {' and '.join(recipients)}." if recipients else "No consumer or owner of it is known."
    return f"That is {', '.join(what)}. {notify}"


def format_impact(impact: Impact, starts: Sequence[Asset]) -> Iterator[Line]:
    """The whole answer as text."""
    yield Line(format_verdict(impact, starts), "bold")
    if impact.total:
        yield Line(format_headcount(impact))
        yield from _format_recipients(impact)
        yield from _format_groups(impact)
        yield from _format_data(impact)
    yield from _format_completeness(impact.completeness)


def _format_recipients(impact: Impact) -> Iterator[Line]:
    names = _collect_names(impact)
    for reason, title in (("CONSUMES", "NOTIFY CONSUMERS"), ("OWNS", "NOTIFY OWNERS")):
        recipients = [
            (n.recipient.name, _describe_reach(n, impact), describe_role(n), _format_assets(n, names))
            for n in impact.notify
            if n.reason == reason
        ]
        if recipients:
            yield from _format_heading(title)
            yield from format_table(recipients, indent="  ")


def _describe_reach(notice: Notice, impact: Impact) -> str:
    """The reach of a recipient, and whether a consumer gets only masked values."""
    masked = any(one.masked and one.node.id == notice.recipient.id for one in impact.others.nodes)
    return notice.reach.lower() + (", masked" if masked else "")


def describe_role(notice: Notice) -> str:
    """For a consumer its type and owners, for an owner the contact."""
    if notice.reason == "OWNS":
        return notice.contact or "no contact"
    owners = ", ".join(one.owner.name for one in notice.recipient.owners)
    kind = notice.recipient.consumer_type or "consumer"
    return f"{kind} of {owners}" if owners else f"{kind} without an owner"


def _format_assets(notice: Notice, names: Names) -> str:
    """The assets that a recipient uses or owns, with the columns of each dataset together."""
    columns: dict[str, list[str]] = {}
    for asset in notice.assets:
        of = names(asset.dataset or asset)
        columns.setdefault(of, []).extend([asset.name] if asset.dataset else [])
    shown = [f"{of} ({', '.join(own)})" if own else of for of, own in columns.items()]
    hidden = notice.total - len(notice.assets)
    return ", ".join(shown) + (f" and {hidden} more" if hidden > 0 else "") + _format_reads(notice.reads)


def _format_reads(reads: Reads | None) -> str:
    """`; last read 2026-11-20, 312 reads since 2026-10-01`; with the age of a last read that is long ago."""
    if reads is None:
        return ""
    age = (datetime.now(UTC) - reads.last_read).days
    ago = f" ({age} days ago)" if age >= OLD_DAYS else ""
    return f"; last read {reads.last_read:%Y-%m-%d}{ago}, {format_count(reads.count, 'read')} since {reads.first_read:%Y-%m-%d}"


def _format_groups(impact: Impact) -> Iterator[Line]:
    contracts = [one.node.name for one in impact.others.nodes if one.node.kind == "CONTRACT"]
    if contracts:
        yield from _format_heading("CONTRACTS TO REVIEW")
        yield Line(f"  {', '.join(contracts)}")
    for title, counts in (("BY PRODUCT", impact.by_product), ("BY DOMAIN", impact.by_domain)):
        if any(count.key for count in counts):
            yield from _format_heading(title)
            yield Line("  " + ", ".join(f"{count.label} {count.count}" for count in counts))


def _format_data(impact: Impact) -> Iterator[Line]:
    names = _collect_names(impact)
    for reach, found in groupby(build_rows(impact.data.nodes), key=lambda row: row.reach):
        yield from _format_heading(REACHES.get(reach, reach))
        for row in found:
            yield Line(f"  {row.distance}  {names(row.dataset)}: {_format_columns(row)}")
            if row.jobs:
                yield Line(f"       via {' > '.join(map(names, row.jobs))}", "dim")
    hidden = impact.data.total_count - len(impact.data.nodes)
    if hidden:
        yield Line(f"  and {hidden} more: --limit shows more of them", "dim")


def _format_columns(row: Row) -> str:
    columns = _format_some(row.columns, COLUMNS_SHOWN) if row.columns else "the whole dataset"
    return columns + (" (masked)" if row.masked else "")


def build_rows(affected: Iterable[Affected]) -> list[Row]:
    """One row per dataset, reach and masking, with the jobs of a shortest path; the most certain and nearest first."""
    groups: dict[tuple[str, str, bool], list[Affected]] = {}
    for one in affected:
        of = one.node.dataset or one.node
        groups.setdefault((one.reach, of.id, one.masked), []).append(one)
    found = [_build_row(members) for members in groups.values()]
    whole = {(row.reach, row.dataset.id) for row in found if row.columns}
    order = list(REACHES)
    kept = [row for row in found if row.columns or (row.reach, row.dataset.id) not in whole]
    return sorted(kept, key=lambda row: (order.index(row.reach), row.distance, row.dataset.qualified_name, row.masked))


def _build_row(members: Sequence[Affected]) -> Row:
    columns = [one for one in members if one.node.dataset is not None]
    nearest = min(columns or members, key=lambda one: one.distance)
    jobs = {step.job.id: step.job for step in nearest.via if step.job is not None}
    return Row(
        nearest.reach,
        nearest.distance,
        nearest.node.dataset or nearest.node,
        tuple(one.node.name for one in columns),
        nearest.masked,
        tuple(jobs.values()),
    )


def _format_completeness(completeness: Completeness) -> Iterator[Line]:
    notes = completeness.notes
    if notes:
        yield from _format_heading("NOT CERTAIN")
        yield from (Line(f"  ! {text}", "yellow") for text in notes)


def _collect_names(impact: Impact) -> Names:
    affected = impact.data.nodes
    jobs = (step.job for one in affected for step in one.via if step.job is not None)
    return Names([*(one.node for one in affected), *(asset for notice in impact.notify for asset in notice.assets), *jobs])


def _format_heading(title: str) -> Iterator[Line]:
    yield Line("")
    yield Line(title, "bold")


def _format_some(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def format_markdown(impact: Impact, starts: Sequence[Asset]) -> Iterator[str]:
    """The whole answer as Markdown, for a pull request."""
    names = _collect_names(impact)
    yield f"**{_escape_markdown(format_verdict(impact, starts))}**"
    if impact.total:
        yield f"\n{format_headcount(impact)}"
    if impact.notify:
        yield "\n| recipient | reach | role | about |\n| --- | --- | --- | --- |"
        for notice in impact.notify:
            yield _format_markdown_row(
                notice.recipient.name, _describe_reach(notice, impact), describe_role(notice), _format_assets(notice, names)
            )
    for title, counts in (("product", impact.by_product), ("domain", impact.by_domain)):
        if any(count.key for count in counts):
            yield f"\n| {title} | assets |\n| --- | ---: |"
            yield from (_format_markdown_row(count.label, str(count.count)) for count in counts)
    if impact.data.nodes:
        yield "\n<details><summary>Affected datasets and columns</summary>\n"
        yield "| reach | distance | dataset | columns | path |\n| --- | ---: | --- | --- | --- |"
        for row in build_rows(impact.data.nodes):
            yield _format_markdown_row(
                row.reach.lower(), str(row.distance), names(row.dataset), _format_columns(row), " > ".join(map(names, row.jobs))
            )
        yield "\n</details>"
    notes = impact.completeness.notes
    if notes:
        yield "\nNot certain:\n"
        yield from (f"- {_escape_markdown(text)}" for text in notes)


def _format_markdown_row(*cells: str) -> str:
    return f"| {' | '.join(_escape_markdown(cell) for cell in cells)} |"


def _escape_markdown(text: str) -> str:
    """Escape Markdown: names are data and must not become markup."""
    return "".join(f"\\{sign}" if sign in "\\|`*_<>[]#" else " " if sign in "\r\n" else sign for sign in text)
