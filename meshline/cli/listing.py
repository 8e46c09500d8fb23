"""Lists of assets as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from meshline.cli.shapes import Asset
from meshline.cli.terminal import Line


class Assets(msgspec.Struct, rename="camel", frozen=True):
    """A page of assets."""

    total_count: int
    nodes: list[Asset]


def listed(page: Assets, nothing: str) -> Iterator[Line]:
    """One line each: kind, qualified name, and where it belongs."""
    if not page.nodes:
        yield Line(nothing)
        return
    rows = [(asset.kind.lower().replace("data_", ""), asset.qualified_name, belongs(asset)) for asset in page.nodes]
    yield from table(rows)
    hidden = page.total_count - len(page.nodes)
    if hidden > 0:
        yield Line(f"and {hidden} more: --limit shows more of them", "dim")


def belongs(asset: Asset) -> str:
    return " in ".join(holder.name for holder in (asset.product, asset.domain) if holder is not None)


def table(rows: Sequence[Sequence[str]], *, right: int = 0, indent: str = "") -> Iterator[Line]:
    """Aligned cells; the first `right` columns are aligned right, the last is as long as it is."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    for row in rows:
        cells = [text.rjust(width) if i < right else text.ljust(width) for i, (text, width) in enumerate(zip(row, widths, strict=True))]
        yield Line((indent + "  ".join(cells)).rstrip())
