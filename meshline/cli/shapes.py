"""The parts of GraphQL answers that several commands read."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Named(msgspec.Struct, rename="camel", frozen=True):
    """An asset by its names."""

    id: str
    kind: str
    name: str
    qualified_name: str


class Asset(msgspec.Struct, rename="camel", frozen=True):
    """An asset with what holds it. `dataset` is a column's."""

    id: str
    kind: str
    name: str
    qualified_name: str
    dataset: Named | None = None
    product: Named | None = None
    domain: Named | None = None


class Completeness(msgspec.Struct, rename="camel", frozen=True):
    """What an answer may be lacking (semantics, Completeness)."""

    truncated: str
    possible_only: int
    undescribed: int
    stale_edges: int
    provisional: int
    as_of: str | None
    revision: int

    @property
    def whole(self) -> bool:
        return self.truncated == "NONE" and not (self.possible_only or self.undescribed or self.stale_edges or self.provisional)


class Names:
    """The short names of assets: without the namespace, unless another in the same answer has that name too."""

    def __init__(self, assets: Iterable[Asset | Named]) -> None:
        holders: dict[str, set[str]] = {}
        for asset in assets:
            of = _holder(asset)
            holders.setdefault(of.name, set()).add(of.qualified_name)
        self._shared = {name for name, full in holders.items() if len(full) > 1}

    def __call__(self, asset: Asset | Named) -> str:
        of = _holder(asset)
        name = of.qualified_name if of.name in self._shared else of.name
        return f"{name}.{asset.name}" if of is not asset else name


def _holder(asset: Asset | Named) -> Asset | Named:
    """A column's dataset, else the asset."""
    return asset.dataset if isinstance(asset, Asset) and asset.dataset is not None else asset
