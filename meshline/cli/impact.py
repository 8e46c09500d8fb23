"""`meshline impact ASSET...`: the answer, ordered so that a person can decide within ten seconds."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias

import msgspec
import typer

from meshline.cli.answer_types import Asset, Completeness, NamedAsset, Names, format_rest, format_table
from meshline.cli.options import (
    AsOf,
    Assets,
    Depth,
    GroupBy,
    GroupName,
    Limit,
    ListFormat,
    Reach,
    ReachName,
    SeenSince,
    Server,
    Store,
    TextFormat,
    format_iso_time,
)
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
    since: SeenSince = None,
    as_of: AsOf = None,
    group_by: GroupBy = None,
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
        owners = group_by is GroupName.OWNER
        begin, at = format_iso_time(since), format_iso_time(as_of)
        data = ask_impact(source, starts, reach=reach, depth=depth, since=begin, as_of=at, limit=limit, with_owners=owners)
    if format is ImpactFormat.JSON:
        write_json(data)
        return
    answer = convert_answer(data, Impact)
    if format is ImpactFormat.TEXT:
        write_lines(format_impact(answer, starts, group_by))
    else:
        write_lines(Line(line) for text in format_markdown(answer, starts, group_by) for line in text.split("\n"))


def provenance(
    asset: Assets,
    *,
    reach: Reach = ReachName.POSSIBLE,
    depth: Depth = None,
    since: SeenSince = None,
    as_of: AsOf = None,
    group_by: GroupBy = None,
    limit: Limit = 500,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show all assets that an asset comes from.

    By reach, with the jobs on the way. `meshline lineage --upstream` shows the steps between them.
    """
    from meshline.cli.client import convert_answer, open_client, read_query, resolve_assets
    from meshline.cli.terminal import write_json, write_lines

    at = format_iso_time(as_of)
    with open_client(store, server) as source:
        starts = resolve_assets(source, asset, at)
        variables = {"of": [start.id for start in starts], "reach": reach.name, "depth": depth, "seenSince": format_iso_time(since)}
        owners = group_by is GroupName.OWNER
        data = source.ask(read_query("provenance"), {**variables, "asOf": at, "limit": limit, "withOwners": owners})["provenance"]
    if format is TextFormat.JSON:
        write_json(data)
    else:
        write_lines(_format_provenance(convert_answer(data, Provenance), starts, group_by))


def ask_impact(
    source: Client,
    starts: Sequence[Asset],
    *,
    reach: ReachName = ReachName.POSSIBLE,
    depth: int | None = None,
    since: str | None = None,
    as_of: str | None = None,
    limit: int = 500,
    with_owners: bool = False,
) -> Json:
    """The impact of these assets, as in the answer of GraphQL."""
    from meshline.cli.client import read_query

    variables = {
        "of": [start.id for start in starts],
        "reach": reach.name,
        "depth": depth,
        "seenSince": since,
        "asOf": as_of,
        "limit": limit,
        "withOwners": with_owners,
    }
    return source.ask(read_query("impact"), variables)["impact"]


READERS_SHOWN = 20  # JSON has all
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
    by_reader: list[Count]
    data: Page
    others: Page
    notify: list[Notice]
    completeness: Completeness


REACHES = {
    "DIRECT": "VALUES COME FROM IT (direct)",
    "INDIRECT": "ROWS, GROUPS OR BRANCHES DEPEND ON IT (indirect: filters, joins, sorting)",
    "POSSIBLE": "POSSIBLY AFFECTED (columns not recorded)",
}
ORIGINS = {
    "DIRECT": "ITS VALUES COME FROM (direct)",
    "INDIRECT": "ITS ROWS, GROUPS OR BRANCHES DEPEND ON (indirect: filters, joins, sorting)",
    "POSSIBLE": "IT POSSIBLY COMES FROM (columns not recorded)",
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


class Provenance(msgspec.Struct, rename="camel", frozen=True):
    """The answer to `provenance.graphql`. `data`: datasets and columns; `others`: jobs and contracts."""

    total: int
    by_kind: list[Count]
    by_reach: list[Count]
    by_domain: list[Count]
    by_product: list[Count]
    data: Page
    others: Page
    completeness: Completeness


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


def _format_provenance(found: Provenance, starts: Sequence[Asset], by: GroupName | None) -> Iterator[Line]:
    """The whole answer as text."""
    of = ", ".join(Names(starts)(start) for start in starts)
    at = f" as of {found.completeness.at}" if found.completeness.at else ""
    if found.total:
        ways = ", ".join(f"{count.count} {WORDS[count.key]}" for count in found.by_reach if count.key in WORDS)
        yield Line(f"{of} comes from {format_count(found.total, 'asset')}{at}: {ways}.", "bold")
        kinds = {count.key: count.count for count in found.by_kind}
        yield Line(f"That is {', '.join(format_count(kinds[kind], noun) for kind, noun in KINDS.items() if kind in kinds)}.")
        yield from _format_groups(found)
        yield from _format_data(found) if by is None else format_grouped(found, by, _collect_names(found))
    else:
        yield Line(f"{of} is not known to come from anything{at}.", "bold")
    yield from _format_completeness(found.completeness)


def format_headcount(impact: Impact) -> str:
    """The second line: the assets by kind, and the numbers of recipients."""
    kinds = {count.key: count.count for count in impact.by_kind}
    what = [format_count(kinds[kind], noun) for kind, noun in KINDS.items() if kind in kinds]
    owners = sum(notice.reason == "OWNS" for notice in impact.notify)
    recipients = [format_count(number, noun) for number, noun in ((len(impact.notify) - owners, "consumer"), (owners, "owner")) if number]
    notify = f"Notify {' and '.join(recipients)}." if recipients else "No consumer or owner of it is known."
    return f"That is {', '.join(what)}. {notify}"


def format_impact(impact: Impact, starts: Sequence[Asset], by: GroupName | None = None) -> Iterator[Line]:
    """The whole answer as text."""
    yield Line(format_verdict(impact, starts), "bold")
    if impact.total:
        yield Line(format_headcount(impact))
        yield from _format_recipients(impact)
        yield from _format_groups(impact)
        yield from _format_data(impact) if by is None else format_grouped(impact, by, _collect_names(impact))
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


def _format_groups(impact: Impact | Provenance) -> Iterator[Line]:
    contracts = [one.node.name for one in impact.others.nodes if one.node.kind == "CONTRACT"]
    if contracts:
        yield from _format_heading("CONTRACTS TO REVIEW" if isinstance(impact, Impact) else "CONTRACTS")
        yield Line(f"  {', '.join(contracts)}")
    for title, counts in (("BY PRODUCT", impact.by_product), ("BY DOMAIN", impact.by_domain)):
        if any(count.key for count in counts):
            yield from _format_heading(title)
            yield Line("  " + ", ".join(f"{count.label} {count.count}" for count in counts))
    if isinstance(impact, Impact):
        yield from _format_readers(impact)


def _format_readers(impact: Impact) -> Iterator[Line]:
    """Who may read how much of it, if a source states grants."""
    readers = [count for count in impact.by_reader if count.key]
    if readers:
        yield from _format_heading("MAY BE READ BY (grants that sources state)")
        hidden = len(readers) - READERS_SHOWN
        rest = f" and {hidden} more" if hidden > 0 else ""
        yield Line("  " + ", ".join(f"{count.label} {count.count}" for count in readers[:READERS_SHOWN]) + rest)


def _format_data(impact: Impact | Provenance) -> Iterator[Line]:
    names = _collect_names(impact)
    titles = REACHES if isinstance(impact, Impact) else ORIGINS
    for reach, found in groupby(build_rows(impact.data.nodes), key=lambda row: row.reach):
        yield from _format_heading(titles.get(reach, reach))
        for row in found:
            yield Line(f"  {row.distance}  {names(row.dataset)}: {_format_columns(row)}")
            if row.jobs:
                yield Line(f"       via {' > '.join(map(names, row.jobs))}", "dim")
    hidden = impact.data.total_count - len(impact.data.nodes)
    if hidden:
        yield Line(f"  and {hidden} more: --limit shows more of them", "dim")


def format_grouped(found: Impact | Provenance, by: GroupName, names: Names) -> Iterator[Line]:
    """The assets by group: the largest group first."""
    for group, members in group_affected(found, by):
        yield from _format_heading(f"{group} ({len(members)})")
        for row in build_rows(members):
            yield Line(f"  {row.distance}  {names(row.dataset)}{_format_own(row)} ({row.reach.lower()})")
            if row.jobs:
                yield Line(f"       via {' > '.join(map(names, row.jobs))}", "dim")
    yield from format_rest(found.data.total_count, len(found.data.nodes))


def group_affected(found: Impact | Provenance, by: GroupName) -> list[tuple[str, list[Affected]]]:
    """The affected assets by group, the largest first; by kind, consumers and contracts too."""
    groups: dict[str, list[Affected]] = {}
    for one in [*found.data.nodes, *(found.others.nodes if by is GroupName.KIND else ())]:
        for group in one.node.list_groups(by):
            groups.setdefault(group, []).append(one)
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))


def _format_own(row: Row) -> str:
    """The columns of a row; nothing for what has none."""
    return f": {_format_columns(row)}" if row.columns or row.dataset.kind == "DATASET" else " (masked)" if row.masked else ""


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


def _collect_names(impact: Impact | Provenance) -> Names:
    affected = [*impact.data.nodes, *impact.others.nodes]
    jobs = (step.job for one in affected for step in one.via if step.job is not None)
    notices = impact.notify if isinstance(impact, Impact) else ()
    return Names([*(one.node for one in affected), *(asset for notice in notices for asset in notice.assets), *jobs])


def _format_heading(title: str) -> Iterator[Line]:
    yield Line("")
    yield Line(title, "bold")


def _format_some(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def format_markdown(impact: Impact, starts: Sequence[Asset], by: GroupName | None = None) -> Iterator[str]:
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
    readers = [count for count in impact.by_reader if count.key]
    if readers:
        yield "\n| may be read by | assets |\n| --- | ---: |"
        yield from (_format_markdown_row(count.label, str(count.count)) for count in readers[:READERS_SHOWN])
        if len(readers) > READERS_SHOWN:
            yield _format_markdown_row(f"and {len(readers) - READERS_SHOWN} more", "")
    if impact.data.nodes:
        yield from _format_markdown_data(impact, names, by)
    notes = impact.completeness.notes
    if notes:
        yield "\nNot certain:\n"
        yield from (f"- {_escape_markdown(text)}" for text in notes)


def _format_markdown_data(impact: Impact, names: Names, by: GroupName | None) -> Iterator[str]:
    """The affected datasets and columns as a table, behind a fold unless they are grouped."""
    if by is not None:
        yield f"\n| {by} | reach | distance | asset | columns |\n| --- | --- | ---: | --- | --- |"
        for group, members in group_affected(impact, by):
            for row in build_rows(members):
                columns = _format_columns(row) if row.columns or row.dataset.kind == "DATASET" else ""
                yield _format_markdown_row(group, row.reach.lower(), str(row.distance), names(row.dataset), columns)
        return
    yield "\n<details><summary>Affected datasets and columns</summary>\n"
    yield "| reach | distance | dataset | columns | path |\n| --- | ---: | --- | --- | --- |"
    for row in build_rows(impact.data.nodes):
        path = " > ".join(map(names, row.jobs))
        yield _format_markdown_row(row.reach.lower(), str(row.distance), names(row.dataset), _format_columns(row), path)
    yield "\n</details>"


def _format_markdown_row(*cells: str) -> str:
    return f"| {' | '.join(_escape_markdown(cell) for cell in cells)} |"


def _escape_markdown(text: str) -> str:
    """Escape Markdown: names are data and must not become markup."""
    return "".join(f"\\{sign}" if sign in "\\|`*_<>[]#" else " " if sign in "\r\n" else sign for sign in text)
