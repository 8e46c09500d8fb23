"""Answers of an index by short names."""

from __future__ import annotations

from meshline.graph.index import Direction, LineageIndex, Reach, Traversal
from meshline.graph.model import AssetKey, AssetKind
from tests.index.heads import to_key


def get_node(index: LineageIndex, key: AssetKey | str) -> int:
    """The node of an asset that must be there."""
    wanted = to_key(key) if isinstance(key, str) else key
    result = index.assets.find_by_key(wanted)
    assert result is not None, wanted
    return result


def format_name(index: LineageIndex, asset: int) -> str:
    """`a`, `a.x`; other assets by their names."""
    key = index.assets.get_key(asset)
    return ".".join(key.parts[1:]) if key.kind in {AssetKind.DATASET, AssetKind.COLUMN} else key.name


def list_columns(index: LineageIndex, dataset: str) -> list[str]:
    return [format_name(index, column) for column in index.assets.list_columns(get_node(index, dataset))]


def traverse_down(index: LineageIndex, *starts: AssetKey | str, **limits: object) -> Traversal:
    return index.lineage.traverse([get_node(index, start) for start in starts], Direction.DOWNSTREAM, **limits)  # type: ignore[arg-type]


def traverse_up(index: LineageIndex, *starts: AssetKey | str, **limits: object) -> Traversal:
    return index.lineage.traverse([get_node(index, start) for start in starts], Direction.UPSTREAM, **limits)  # type: ignore[arg-type]


def describe_reached(index: LineageIndex, traversal: Traversal) -> dict[str, str]:
    """Descriptions by short name: `DIRECT 1`, `POSSIBLE 2 masked`."""
    rows = zip(traversal.nodes.tolist(), traversal.reach.tolist(), traversal.distance.tolist(), traversal.masked.tolist(), strict=True)
    return {format_name(index, asset): format_reach(reach, distance, masked) for asset, reach, distance, masked in rows}


def describe_affected(index: LineageIndex, traversal: Traversal) -> dict[str, str]:
    """The same of everything that is affected; names of other assets begin with their kind."""
    rows = zip(*(column.tolist() for column in traversal.compute_affected()), strict=True)
    return {format_asset(index, asset): format_reach(reach, distance, masked) for asset, reach, distance, masked in rows}


def format_asset(index: LineageIndex, asset: int) -> str:
    kind = index.assets.get_kind(asset)
    return format_name(index, asset) if kind in {AssetKind.DATASET, AssetKind.COLUMN} else f"{kind.lower()} {format_name(index, asset)}"


def format_reach(reach: int, distance: int, masked: int) -> str:
    return f"{Reach(reach).name} {distance}{' masked' if masked else ''}"


def describe_path(index: LineageIndex, traversal: Traversal, to: str) -> list[str]:
    return [f"{format_name(index, step.start)} > {format_name(index, step.end)}" for step in traversal.find_path(get_node(index, to))]
