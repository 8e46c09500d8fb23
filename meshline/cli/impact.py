"""`meshline impact ASSET...`: the answer as a person reads it who must decide in ten seconds."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias

import msgspec
import typer

from meshline.cli.answer_types import Asset, Completeness, Named, Names, table
from meshline.cli.options import AsOf, Assets, Depth, Limit, Reach, ReachName, Server, Store, iso
from meshline.cli.terminal import Line
from meshline.words import format_count

if TYPE_CHECKING:
    from meshline.cli.answer_types import Asset
    from meshline.cli.client import Answers
    from meshline.graph.model import Json


class ImpactFormat(enum.StrEnum):
    """How an impact is written."""

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
    """Say what breaks if an asset changes, and whom to tell.

    The verdict comes first, what is not certain last.
    """
    from meshline.cli.client import answers, assets, shaped
    from meshline.cli.terminal import Line, write, write_json

    with answers(store, server) as source:
        starts = assets(source, asset, iso(as_of))
        data = asked(source, starts, reach=reach, depth=depth, as_of=iso(as_of), limit=limit)
    if format is ImpactFormat.JSON:
        write_json(data)
        return
    answer = shaped(data, Impact)
    if format is ImpactFormat.TEXT:
        write(lines(answer, starts))
    else:
        write(Line(line) for text in markdown(answer, starts) for line in text.split("\n"))


def asked(
    source: Answers,
    starts: Sequence[Asset],
    *,
    reach: ReachName = ReachName.POSSIBLE,
    depth: int | None = None,
    as_of: str | None = None,
    limit: int = 500,
) -> Json:
    """The impact of these assets, as GraphQL answers it."""
    from meshline.cli.client import question

    variables = {"of": [start.id for start in starts], "reach": reach.name, "depth": depth, "asOf": as_of, "limit": limit}
    return source.ask(question("impact"), variables)["impact"]


COLUMNS_SHOWN = 6  # of one dataset; the JSON has all


class Count(msgspec.Struct, rename="camel", frozen=True):
    key: str
    label: str
    count: int


class Step(msgspec.Struct, rename="camel", frozen=True):
    """A step of a path; `job` is the one that carries the data there."""

    asset: Named
    job: Named | None = None


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


class Notice(msgspec.Struct, rename="camel", frozen=True):
    """Somebody to tell. `assets`: the first few of the `total` that it is about."""

    recipient: Recipient
    reason: str
    reach: str
    total: int
    contact: str | None
    assets: list[Asset]


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
    """Columns of one dataset that are affected in one way; none: the dataset as a whole."""

    reach: str
    distance: int
    dataset: Asset | Named
    columns: tuple[str, ...]
    masked: bool
    jobs: tuple[Named, ...]


def verdict(impact: Impact, starts: Sequence[Asset]) -> str:
    """The first line: how much is affected, and in which way."""
    of = ", ".join(Names(starts)(start) for start in starts)
    at = f" as of {impact.completeness.at}" if impact.completeness.at else ""
    if not impact.total:
        if impact.completeness.whole:
            return f"Nothing depends on {of}{at}."
        return f"Nothing is known to depend on {of}{at}, but the answer may be incomplete: do not treat this as safe."
    ways = ", ".join(f"{count.count} {WORDS[count.key]}" for count in impact.by_reach if count.key in WORDS)
    return f"{of} affects {format_count(impact.total, 'asset')}{at}: {ways}."


def headcount(impact: Impact) -> str:
    """The second line: what they are, and who must hear of it."""
    kinds = {count.key: count.count for count in impact.by_kind}
    what = [format_count(kinds[kind], noun) for kind, noun in KINDS.items() if kind in kinds]
    owners = sum(notice.reason == "OWNS" for notice in impact.notify)
    told = [format_count(number, noun) for number, noun in ((len(impact.notify) - owners, "consumer"), (owners, "owner")) if number]
    tell = f"Tell {' and '.join(told)}." if told else "No consumer or owner of it is known."
    return f"That is {', '.join(what)}. {tell}"


def lines(impact: Impact, starts: Sequence[Asset]) -> Iterator[Line]:
    """The whole answer as text."""
    yield Line(verdict(impact, starts), "bold")
    if impact.total:
        yield Line(headcount(impact))
        yield from _tell(impact)
        yield from _where(impact)
        yield from _what(impact)
    yield from _doubts(impact.completeness)


def _tell(impact: Impact) -> Iterator[Line]:
    names = _names(impact)
    for reason, title in (("CONSUMES", "TELL WHO USES IT"), ("OWNS", "TELL WHO OWNS WHAT IS AFFECTED")):
        told = [(n.recipient.name, _way(n, impact), role(n), _things(n, names)) for n in impact.notify if n.reason == reason]
        if told:
            yield from _section(title)
            yield from table(told, indent="  ")


def _way(notice: Notice, impact: Impact) -> str:
    """How sure it is that somebody is affected; a consumer may get nothing but masked values."""
    masked = any(one.masked and one.node.id == notice.recipient.id for one in impact.others.nodes)
    return notice.reach.lower() + (", masked" if masked else "")


def role(notice: Notice) -> str:
    """Of a consumer what it is and whose, of an owner how to reach them."""
    if notice.reason == "OWNS":
        return notice.contact or "no contact"
    owners = ", ".join(said.owner.name for said in notice.recipient.owners)
    kind = notice.recipient.consumer_type or "consumer"
    return f"{kind} of {owners}" if owners else f"{kind} without an owner"


def _things(notice: Notice, names: Names) -> str:
    """What somebody uses or owns: columns of one dataset together."""
    columns: dict[str, list[str]] = {}
    for asset in notice.assets:
        of = names(asset.dataset or asset)
        columns.setdefault(of, []).extend([asset.name] if asset.dataset else [])
    shown = [f"{of} ({', '.join(held)})" if held else of for of, held in columns.items()]
    hidden = notice.total - len(notice.assets)
    return ", ".join(shown) + (f" and {hidden} more" if hidden > 0 else "")


def _where(impact: Impact) -> Iterator[Line]:
    contracts = [one.node.name for one in impact.others.nodes if one.node.kind == "CONTRACT"]
    if contracts:
        yield from _section("CONTRACTS TO LOOK AT")
        yield Line(f"  {', '.join(contracts)}")
    for title, counts in (("BY PRODUCT", impact.by_product), ("BY DOMAIN", impact.by_domain)):
        if any(count.key for count in counts):
            yield from _section(title)
            yield Line("  " + ", ".join(f"{count.label} {count.count}" for count in counts))


def _what(impact: Impact) -> Iterator[Line]:
    names = _names(impact)
    for reach, found in groupby(rows(impact.data.nodes), key=lambda row: row.reach):
        yield from _section(REACHES.get(reach, reach))
        for row in found:
            yield Line(f"  {row.distance}  {names(row.dataset)}: {_columns(row)}")
            if row.jobs:
                yield Line(f"       via {' > '.join(map(names, row.jobs))}", "dim")
    hidden = impact.data.total_count - len(impact.data.nodes)
    if hidden:
        yield Line(f"  and {hidden} more: --limit shows more of them", "dim")


def _columns(row: Row) -> str:
    columns = _some(row.columns, COLUMNS_SHOWN) if row.columns else "the whole dataset"
    return columns + (" (masked)" if row.masked else "")


def rows(affected: Iterable[Affected]) -> list[Row]:
    """One row per dataset, reach and masking: the nearest first, with the shortest path's jobs."""
    groups: dict[tuple[str, str, bool], list[Affected]] = {}
    for one in affected:
        of = one.node.dataset or one.node
        groups.setdefault((one.reach, of.id, one.masked), []).append(one)
    found = [_row(members) for members in groups.values()]
    whole = {(row.reach, row.dataset.id) for row in found if row.columns}
    order = list(REACHES)
    kept = [row for row in found if row.columns or (row.reach, row.dataset.id) not in whole]
    return sorted(kept, key=lambda row: (order.index(row.reach), row.distance, row.dataset.qualified_name, row.masked))


def _row(members: Sequence[Affected]) -> Row:
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


def _doubts(completeness: Completeness) -> Iterator[Line]:
    said = completeness.notes
    if said:
        yield from _section("NOT CERTAIN")
        yield from (Line(f"  ! {text}", "yellow") for text in said)


def _names(impact: Impact) -> Names:
    affected = impact.data.nodes
    jobs = (step.job for one in affected for step in one.via if step.job is not None)
    return Names([*(one.node for one in affected), *(asset for notice in impact.notify for asset in notice.assets), *jobs])


def _section(title: str) -> Iterator[Line]:
    yield Line("")
    yield Line(title, "bold")


def _some(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def markdown(impact: Impact, starts: Sequence[Asset]) -> Iterator[str]:
    """The whole answer as Markdown, fit for a pull request."""
    names = _names(impact)
    yield f"**{_escaped(verdict(impact, starts))}**"
    if impact.total:
        yield f"\n{headcount(impact)}"
    if impact.notify:
        yield "\n| whom to tell | reach | who | about |\n| --- | --- | --- | --- |"
        for notice in impact.notify:
            yield _md_row(notice.recipient.name, _way(notice, impact), role(notice), _things(notice, names))
    for title, counts in (("product", impact.by_product), ("domain", impact.by_domain)):
        if any(count.key for count in counts):
            yield f"\n| {title} | assets |\n| --- | ---: |"
            yield from (_md_row(count.label, str(count.count)) for count in counts)
    if impact.data.nodes:
        yield "\n<details><summary>Affected datasets and columns</summary>\n"
        yield "| reach | distance | dataset | columns | path |\n| --- | ---: | --- | --- | --- |"
        for row in rows(impact.data.nodes):
            yield _md_row(row.reach.lower(), str(row.distance), names(row.dataset), _columns(row), " > ".join(map(names, row.jobs)))
        yield "\n</details>"
    said = impact.completeness.notes
    if said:
        yield "\nNot certain:\n"
        yield from (f"- {_escaped(text)}" for text in said)


def _md_row(*cells: str) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(text: str) -> str:
    """Names are data: they must not become markup."""
    return "".join(f"\\{sign}" if sign in "\\|`*_<>[]#" else " " if sign in "\r\n" else sign for sign in text)
