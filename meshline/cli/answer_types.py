"""The parts of GraphQL answers that several commands read, and lists of assets as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from meshline.cli.options import GroupName
from meshline.cli.terminal import Line
from meshline.governance.report_formats.completeness_text import HiddenAssets, describe_gaps, describe_hidden, describe_late_sources
from meshline.words import format_time


class NamedAsset(msgspec.Struct, rename="camel", frozen=True):
    """An asset with its id, kind and names."""

    id: str
    kind: str
    name: str
    qualified_name: str


class OwnerName(msgspec.Struct, frozen=True):
    name: str


class OwnedBy(msgspec.Struct, frozen=True):
    owner: OwnerName


class Asset(msgspec.Struct, rename="camel", frozen=True):
    """An asset with its product and domain, and its owners if they were asked for. `dataset`: the dataset of a column."""

    id: str
    kind: str
    name: str
    qualified_name: str
    dataset: NamedAsset | None = None
    product: NamedAsset | None = None
    domain: NamedAsset | None = None
    owners: list[OwnedBy] = []

    def list_groups(self, by: GroupName) -> list[str]:
        """The groups that it is in: one domain, product or kind, or each of its owners."""
        match by:
            case GroupName.DOMAIN:
                return [self.domain.qualified_name if self.domain else "no domain"]
            case GroupName.PRODUCT:
                return [self.product.qualified_name if self.product else "no product"]
            case GroupName.OWNER:
                return list(dict.fromkeys(one.owner.name for one in self.owners)) or ["no owner"]
            case GroupName.KIND:
                return [f"{describe_kind(self)}s"]


class KnownLater(msgspec.Struct, rename="camel", frozen=True):
    """Relations that were first stated after the requested time."""

    relation: str
    source_kind: str
    since: str


class Completeness(msgspec.Struct, rename="camel", frozen=True):
    """The gaps that an answer may have; see the type Completeness of the schema."""

    truncated: str
    possible_only: int
    undescribed: int
    stale_edges: int
    provisional: int
    as_of: str | None
    revision: int
    unbound: int = 0
    silent_on_filters: int = 0
    silent_producers: list[str] = []
    known_later: list[KnownLater] = []
    hidden: list[HiddenAssets] = []

    @property
    def whole(self) -> bool:
        counts = (self.possible_only, self.undescribed, self.stale_edges, self.provisional, self.unbound, self.silent_on_filters)
        return self.truncated == "NONE" and not any(counts) and not self.known_later and not self.hidden

    @property
    def notes(self) -> list[str]:
        """One sentence for each reason why the answer may be incomplete."""
        return [
            *describe_past_limits(self.as_of, self.known_later),
            *describe_hidden(self.hidden),
            *describe_gaps(self),
        ]

    @property
    def at(self) -> str:
        """The requested time as text; empty: now."""
        return format_as_of(self.as_of)


def format_as_of(as_of: str | None) -> str:
    """A requested time (ISO 8601) as text; empty for None, which is now."""
    return "" if as_of is None else format_time(datetime.fromisoformat(as_of))


def describe_past_limits(as_of: str | None, later: Iterable[KnownLater]) -> Iterator[str]:
    """One sentence for each gap of an answer as of a time (ISO 8601; None = now)."""
    if as_of is not None and datetime.fromisoformat(as_of) > datetime.now(UTC):
        yield f"{format_as_of(as_of)} is in the future: the answer is about what is known now."
    yield from describe_late_sources((one.relation, one.source_kind, datetime.fromisoformat(one.since)) for one in later)


class Names:
    """Short names of assets: without the namespace, unless two assets in the same answer have the same short name."""

    def __init__(self, assets: Iterable[Asset | NamedAsset]) -> None:
        containers: dict[str, set[str]] = {}
        for asset in assets:
            of = _get_container(asset)
            containers.setdefault(of.name, set()).add(of.qualified_name)
        self._shared = {name for name, full in containers.items() if len(full) > 1}

    def __call__(self, asset: Asset | NamedAsset) -> str:
        of = _get_container(asset)
        name = of.qualified_name if of.name in self._shared else of.name
        return f"{name}.{asset.name}" if of is not asset else name


def _get_container(asset: Asset | NamedAsset) -> Asset | NamedAsset:
    """A column's dataset, else the asset."""
    return asset.dataset if isinstance(asset, Asset) and asset.dataset is not None else asset


class Assets(msgspec.Struct, rename="camel", frozen=True):
    """A page of assets."""

    total_count: int
    nodes: list[Asset]


def format_assets(page: Assets, nothing: str) -> Iterator[Line]:
    """One line for each asset: kind, qualified name, product and domain. `nothing`: the line for an empty page."""
    if not page.nodes:
        yield Line(nothing)
        return
    rows = [(asset.kind.lower().replace("data_", ""), asset.qualified_name, describe_containers(asset)) for asset in page.nodes]
    yield from format_table(rows)
    hidden = page.total_count - len(page.nodes)
    if hidden > 0:
        yield Line(f"and {hidden} more: --limit shows more of them", "dim")


def describe_containers(asset: Asset) -> str:
    return " in ".join(container.name for container in (asset.product, asset.domain) if container is not None)


def format_table(rows: Sequence[Sequence[str]], *, right: int = 0, indent: str = "") -> Iterator[Line]:
    """Rows of aligned cells. The first `right` columns are right-aligned; the last column is not padded."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    for row in rows:
        cells = [text.rjust(width) if i < right else text.ljust(width) for i, (text, width) in enumerate(zip(row, widths, strict=True))]
        yield Line((indent + "  ".join(cells)).rstrip())


def format_heading(title: str) -> Iterator[Line]:
    """An empty line and a title."""
    yield Line("")
    yield Line(title, "bold")


def format_notes(notes: Sequence[str]) -> Iterator[Line]:
    """The reasons why an answer may be incomplete, if there are any."""
    if notes:
        yield from format_heading("NOT CERTAIN")
        yield from (Line(f"  ! {note}", "yellow") for note in notes)


def format_rest(total: int, shown: int) -> Iterator[Line]:
    """How many entries of a list are not shown, if any."""
    if total > shown:
        yield Line(f"and {total - shown} more: --limit shows more of them", "dim")


def describe_kind(asset: Asset | NamedAsset) -> str:
    """The kind of an asset in one word: `product`, `dataset`."""
    return asset.kind.lower().replace("data_", "")


def format_moment(time: str | None) -> str:
    """A time of an answer (ISO 8601) in whole seconds; empty for None."""
    return "" if time is None else format_time(datetime.fromisoformat(time).replace(microsecond=0))
