"""`meshline diff`: what changed between two times: assets that are new or gone, and flows that were added or removed."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

import msgspec
import typer

from meshline.cli.answer_types import NamedAsset, describe_kind, format_heading, format_moment, format_rest, format_table
from meshline.cli.client import Client, convert_answer, read_query, resolve_assets
from meshline.cli.completion import complete_asset
from meshline.cli.options import HELP, Limit, Server, Store, parse_time
from meshline.cli.terminal import Line
from meshline.graph.model import Json
from meshline.words import format_count, format_time

LISTED = ("domains", "products", "datasets", "jobs", "consumers", "contracts", "owners")  # kinds of assets by their lists in the schema
PAGE = 1000
MOST_LISTED = 50_000  # assets of one kind: more are not compared, and the answer states so


class DiffFormat(enum.StrEnum):
    """The formats of a difference."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class BucketName(enum.StrEnum):
    """The spans by which changes are counted."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


Format: TypeAlias = Annotated[DiffFormat, typer.Option("--format", help="text for people, json for programs, markdown for both.")]


def diff(
    since: Annotated[datetime, typer.Argument(help=f"The first time. {HELP}", parser=parse_time, metavar="FROM")],
    until: Annotated[
        datetime | None,
        typer.Argument(help="The second time. [default: now]", parser=parse_time, metavar="TO", show_default=False),
    ] = None,
    *,
    of: Annotated[
        list[str] | None,
        typer.Option(
            "--of",
            help="Only flows in the lineage of this asset, upstream and downstream; may be repeated.",
            metavar="ASSET",
            autocompletion=complete_asset,
            show_default=False,
        ),
    ] = None,
    bucket: Annotated[BucketName, typer.Option(help="The spans by which changes are counted.")] = BucketName.DAY,
    limit: Limit = 100,
    format: Format = DiffFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show what changed between two times.

    Assets that are new or gone, flows that were added or removed, and how many in each span. With --of only flows.
    """
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_json, write_lines

    end = until if until is not None else datetime.now(UTC)
    if since >= end:
        raise typer.BadParameter(f"the first time ({_format_second(since)}) is not before the second ({_format_second(end)})")
    with open_client(store, server) as source:
        data = ask_diff(source, since, end, of or (), bucket, limit)
    if format is DiffFormat.JSON:
        write_json(data)
        return
    found = convert_answer(data, Difference)
    write_lines(_format_difference(found, since, end, limit) if format is DiffFormat.TEXT else _format_markdown(found, since, end, limit))


class Flow(msgspec.Struct, rename="camel", frozen=True):
    from_name: str
    to_name: str
    type: str | None
    subtype: str | None
    masking: bool
    job_name: str | None
    source: str
    observed_at: str


class Flows(msgspec.Struct, rename="camel", frozen=True):
    total_added: int
    total_removed: int
    added: list[Flow]
    removed: list[Flow]


class Span(msgspec.Struct, rename="camel", frozen=True):
    at: str
    until: str
    added: int
    removed: int
    moved: int


class Renamed(msgspec.Struct, rename="camel", frozen=True):
    """An asset that has another name at the second time: it was renamed, or is one with an asset of that name."""

    begin: NamedAsset = msgspec.field(name="from")
    end: NamedAsset = msgspec.field(name="to")


class AssetChanges(msgspec.Struct, rename="camel", frozen=True):
    """The assets that only one of the times has, and those with another name. `left_out`: lists that are too long to compare."""

    new: list[NamedAsset]
    gone: list[NamedAsset]
    renamed: list[Renamed]
    left_out: list[str]


class Difference(msgspec.Struct, rename="camel", frozen=True):
    """`lineageDiff` and `changes` of the schema; `assets`: null if only flows were compared."""

    lineage_diff: Flows
    changes: list[Span]
    assets: AssetChanges | None


def ask_diff(source: Client, since: datetime, until: datetime, of: Sequence[str], bucket: BucketName, limit: int) -> Json:
    """What changed, as in GraphQL's answers to `lineageDiff` and `changes`, with `assets`."""
    starts = [one.id for one in resolve_assets(source, of)]
    variables = {
        "from": since.isoformat(),
        "to": until.isoformat(),
        "of": starts or None,
        "bucket": bucket.name,
        "limit": limit,
    }
    data = source.ask(read_query("diff"), variables)
    return {**data, "assets": None if of else _compare_assets(source, since, until)}


def _compare_assets(source: Client, since: datetime, until: datetime) -> Json:
    new: list[Json] = []
    gone: list[Json] = []
    renamed: list[Json] = []
    left_out: list[Json] = []
    for listed in LISTED:
        before, after = (_list_assets(source, listed, at) for at in (since, until))
        if before is None or after is None:
            left_out.append(listed)
            continue
        lost = [asset for name, asset in sorted(before.items()) if name not in after]
        then = _find_by_ids(source, [asset.id for asset in lost], until)
        gone += [msgspec.to_builtins(asset) for asset in lost if asset.id not in then]
        renamed += [{"from": msgspec.to_builtins(one), "to": msgspec.to_builtins(then[one.id])} for one in lost if one.id in then]
        added = [asset for name, asset in sorted(after.items()) if name not in before]
        earlier = _find_by_ids(source, [asset.id for asset in added], since)
        known = {asset.id for asset in then.values()}  # the others' names are joined to these
        new += [msgspec.to_builtins(asset) for asset in added if asset.id not in earlier and asset.id not in known]
    return {"new": new, "gone": gone, "renamed": renamed, "leftOut": left_out}


def _find_by_ids(source: Client, ids: Sequence[str], at: datetime) -> dict[str, NamedAsset]:
    """What these ids are the ids of at a time, by id: that of an asset that was renamed or merged is still one of its names."""
    found: dict[str, NamedAsset] = {}
    for start in range(0, len(ids), PAGE):
        some = ids[start : start + PAGE]
        nodes = convert_answer(source.ask(read_query("nodes"), {"ids": some, "asOf": at.isoformat()})["nodes"], list[NamedAsset | None])
        found.update((id_, node) for id_, node in zip(some, nodes, strict=True) if node is not None)
    return found


def _list_assets(source: Client, listed: str, at: datetime) -> dict[str, NamedAsset] | None:
    """All assets of a list at a time, by qualified name; None if there are too many."""
    found: dict[str, NamedAsset] = {}
    after: Json = None
    wanted = {name: name == listed for name in LISTED}
    while len(found) <= MOST_LISTED:
        page = source.ask(read_query("names"), {"asOf": at.isoformat(), "first": PAGE, "after": after, **wanted})[listed]
        assert isinstance(page, dict)
        found.update((asset.qualified_name, asset) for asset in convert_answer(page["nodes"], list[NamedAsset]))
        info = page["pageInfo"]
        assert isinstance(info, dict)
        if not info["hasNextPage"]:
            return found
        after = info["endCursor"]
    return None


def _format_verdict(found: Difference, since: datetime, until: datetime) -> str:
    flows = f"{format_count(found.lineage_diff.total_added, 'flow')} added, {found.lineage_diff.total_removed} removed"
    assets = "" if found.assets is None else f"; {format_count(len(found.assets.new), 'asset')} new, {len(found.assets.gone)} gone"
    return f"From {_format_second(since)} to {_format_second(until)}: {flows}{assets}."


def _format_difference(found: Difference, since: datetime, until: datetime, limit: int) -> Iterator[Line]:
    yield Line(_format_verdict(found, since, until), "bold")
    for title, sign, assets, style in _list_asset_groups(found):
        yield from format_heading(title)
        names = [(f"  {sign}", describe_kind(one), one.qualified_name) for one in assets[:limit]]
        yield from (Line(line.text, style) for line in format_table(names))
        yield from format_rest(len(assets), limit)
    if found.assets is not None and found.assets.renamed:
        yield from format_heading("NOW HAVE ANOTHER NAME")
        for one in found.assets.renamed[:limit]:
            yield Line(f"  {describe_kind(one.begin)}  {one.begin.qualified_name} -> {one.end.qualified_name}")
        yield from format_rest(len(found.assets.renamed), limit)
    for title, sign, flows, total, style in _list_flow_groups(found):
        yield from format_heading(title)
        for flow in flows:
            yield Line(f"  {sign} {flow.from_name} -> {flow.to_name}", style)
            yield Line(f"      {_describe_flow(flow)}", "dim")
        yield from format_rest(total, len(flows))
    spans = [span for span in found.changes if span.added or span.removed or span.moved]
    if spans:
        yield from format_heading("WHEN")
        rows = [(_format_span(span), f"+{span.added}", f"-{span.removed}", _describe_moved(span)) for span in spans]
        yield from format_table(rows, indent="  ")
    if found.assets is not None and found.assets.left_out:
        yield Line("")
        yield Line(f"! Not compared, because they are more than {MOST_LISTED:,}: {', '.join(found.assets.left_out)}.", "yellow")


def _format_markdown(found: Difference, since: datetime, until: datetime, limit: int) -> Iterator[Line]:
    from meshline.governance.report_formats.markdown import format_prose, format_row

    yield Line(f"**{_format_verdict(found, since, until)}**")
    groups = list(_list_asset_groups(found))
    if groups:
        yield from (Line(line) for line in ("", "| | kind | asset |", "| --- | --- | --- |"))
        for _, sign, assets, _ in groups:
            yield from (Line(format_row(sign, describe_kind(one), format_prose(one.qualified_name))) for one in assets[:limit])
    flows = list(_list_flow_groups(found))
    if flows:
        yield from (Line(line) for line in ("", "| | from | to | how |", "| --- | --- | --- | --- |"))
        for _, sign, some, _, _ in flows:
            for flow in some:
                cells = (flow.from_name, flow.to_name, _describe_flow(flow))
                yield Line(format_row(sign, *map(format_prose, cells)))


def _list_asset_groups(found: Difference) -> Iterator[tuple[str, str, Sequence[NamedAsset], str]]:
    """Title, sign, assets and style of the groups that are not empty."""
    if found.assets is not None:
        for title, sign, assets, style in (("NEW", "+", found.assets.new, "green"), ("GONE", "-", found.assets.gone, "red")):
            if assets:
                yield title, sign, assets, style


def _list_flow_groups(found: Difference) -> Iterator[tuple[str, str, Sequence[Flow], int, str]]:
    """Title, sign, flows, their total number and style of the groups that are not empty."""
    flows = found.lineage_diff
    for title, sign, some, total, style in (
        ("FLOWS ADDED", "+", flows.added, flows.total_added, "green"),
        ("FLOWS REMOVED", "-", flows.removed, flows.total_removed, "red"),
    ):
        if total:
            yield title, sign, some, total, style


def _format_second(time: datetime) -> str:
    return format_time(time.replace(microsecond=0))


def _describe_flow(flow: Flow) -> str:
    kind = " ".join(part.lower() for part in (flow.type or "possible", flow.subtype) if part)
    masking = ", masking" if flow.masking else ""
    job = f" by {flow.job_name}" if flow.job_name else ""
    return f"{kind}{masking}{job}, stated by {flow.source} at {format_moment(flow.observed_at)}"


def _format_span(span: Span) -> str:
    return f"{format_moment(span.at)} to {format_moment(span.until)}"


def _describe_moved(span: Span) -> str:
    return f"{format_count(span.moved, 'dataset')} renamed or dropped" if span.moved else ""
