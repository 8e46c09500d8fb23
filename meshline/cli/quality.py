"""`meshline quality [ASSET]`: the checks of a dataset or column with their results, or all that fail."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
import typer

from meshline.cli.answer_types import NamedAsset, describe_kind, format_moment, format_rest
from meshline.cli.client import Client, convert_answer, read_query, resolve_assets, resolve_of_kind
from meshline.cli.completion import complete_asset
from meshline.cli.options import Limit, ListFormat, Server, Store, TextFormat
from meshline.cli.terminal import Answer, Line
from meshline.errors import InvalidInput
from meshline.graph.model import AssetKind, Json
from meshline.words import format_count, shorten_text

MOST_HISTORY = 100
LONGEST = 200  # characters of a result that are shown


class OutcomeName(enum.StrEnum):
    """The outcome of a check."""

    PASSED = "passed"
    FAILED = "failed"
    WARNED = "warned"
    ERROR = "error"
    SKIPPED = "skipped"
    NOT_RUN = "not-run"


STYLES = {"PASSED": "green", "FAILED": "bold red", "ERROR": "bold red", "WARNED": "yellow"}


def quality(
    asset: Annotated[
        str | None,
        typer.Argument(
            help="A dataset or column, with all its checks. [default: all that fail]",
            metavar="ASSET",
            autocompletion=complete_asset,
            show_default=False,
        ),
    ] = None,
    *,
    domain: Annotated[str | None, typer.Option(help="Only checks of datasets in this domain.", metavar="NAME", show_default=False)] = None,
    product: Annotated[
        str | None, typer.Option(help="Only checks of datasets of this product.", metavar="NAME", show_default=False)
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Only checks of datasets of this owner.", metavar="NAME", show_default=False)] = None,
    outcome: Annotated[
        list[OutcomeName] | None,
        typer.Option(help="Only checks with this outcome; may be repeated. [default: failed and error; of ASSET, all]", show_default=False),
    ] = None,
    history: Annotated[int, typer.Option(min=0, max=MOST_HISTORY, help="Of ASSET: how many earlier results of each check to show.")] = 0,
    limit: Limit = 100,
    format: ListFormat = TextFormat.TEXT,  # noqa: A002 - the option's name
    store: Store = None,
    server: Server = None,
) -> None:
    """Show failed checks, or all checks of an asset."""
    from meshline.cli.client import open_client
    from meshline.cli.terminal import write_answer

    filters = {AssetKind.DOMAIN: domain, AssetKind.DATA_PRODUCT: product, AssetKind.OWNER: owner}
    if asset is not None and any(filters.values()):
        raise typer.BadParameter("--domain, --product and --owner are for the list of all: leave ASSET out")
    if asset is None and history:
        raise typer.BadParameter("--history needs an ASSET")
    outcomes = [one.name for one in outcome] if outcome else None
    with open_client(store, server) as source:
        if asset is not None:
            answer = _list_checks(source, asset, outcomes, history)
        else:
            words = {AssetKind.DOMAIN: "domain", AssetKind.DATA_PRODUCT: "product", AssetKind.OWNER: "owner"}
            ids = {words[kind]: resolve_of_kind(source, name, kind, f"--{words[kind]}").id for kind, name in filters.items() if name}
            data = source.ask(read_query("quality-failures"), {**ids, "outcomes": outcomes, "first": limit})["qualityFailures"]
            answer = Answer(data, list(_format_page(convert_answer(data, CheckPage), outcomes)))
    write_answer(answer, as_json=format is TextFormat.JSON)


class Result(msgspec.Struct, rename="camel", frozen=True):
    outcome: str
    observed: Any
    message: str | None
    at: str
    last_at: str


class Check(msgspec.Struct, rename="camel", frozen=True):
    name: str
    kind: str
    outcome: str
    expected: Any
    observed: Any
    message: str | None
    suite: str
    at: str | None
    source: str
    failing_since: str | None
    asset: NamedAsset
    dataset: NamedAsset
    history: list[Result] = []


class CheckPage(msgspec.Struct, rename="camel", frozen=True):
    total_count: int
    nodes: list[Check]


class CheckedAsset(msgspec.Struct, rename="camel", frozen=True):
    qualified_name: str
    quality: list[Check]


def _list_checks(source: Client, name: str, outcomes: Sequence[str] | None, history: int) -> Answer:
    (asset,) = resolve_assets(source, [name])
    if asset.kind not in ("DATASET", "COLUMN"):
        raise InvalidInput(f"{asset.qualified_name} is a {describe_kind(asset)}; accepted is a dataset or a column", "ASSET")
    data = source.ask(read_query("quality-of-asset"), {"id": asset.id, "history": history})["node"]
    assert isinstance(data, dict)
    checks = data["quality"]
    assert isinstance(checks, list)
    if outcomes is not None:
        data["quality"] = [one for one in checks if isinstance(one, dict) and one["outcome"] in outcomes]
    return Answer(data, list(_format_checked(convert_answer(data, CheckedAsset))))


def _format_checked(found: CheckedAsset) -> Iterator[Line]:
    yield Line(f"{found.qualified_name}: {format_count(len(found.quality), 'check')}", "bold")
    for check in found.quality:
        about = "" if check.asset.kind == "DATASET" else f" of {check.asset.name}"
        yield from _format_check(check, about)
        for one in check.history:
            until = "" if one.last_at == one.at else f" to {format_moment(one.last_at)}"
            yield Line(f"      {format_moment(one.at)}{until}  {one.outcome.lower()}{_format_observed(one.observed)}", "dim")


def _format_page(page: CheckPage, outcomes: Sequence[str] | None) -> Iterator[Line]:
    if not page.nodes:
        yield Line("no check fails" if outcomes is None else "there are no such checks")
        return
    yield Line(format_count(page.total_count, "check"), "bold")
    for check in page.nodes:
        yield from _format_check(check, f" of {check.asset.qualified_name}")
    yield from format_rest(page.total_count, len(page.nodes))


def _format_check(check: Check, about: str) -> Iterator[Line]:
    since = f" since {format_moment(check.failing_since)}" if check.failing_since else f" at {format_moment(check.at)}" if check.at else ""
    outcome = check.outcome.lower().replace("_", " ")
    yield Line(f"  {outcome}{since}: {check.name}{about}", STYLES.get(check.outcome, ""))
    expected = f", expected {_format_value(check.expected)}" if check.expected is not None else ""
    yield Line(f"    {check.kind}{expected}{_format_observed(check.observed)}; {check.suite} of {check.source}", "dim")
    if check.message:
        yield Line(f"    {shorten_text(check.message, LONGEST)}")


def _format_observed(value: Json) -> str:
    return f", found {_format_value(value)}" if value is not None else ""


def _format_value(value: Json) -> str:
    return shorten_text(value if isinstance(value, str) else msgspec.json.encode(value).decode(), LONGEST)
