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


_TRUNCATED = {
    "NODES": "The answer is cut off: it was larger than the limit. There is more.",
    "DEPTH": "The answer is cut off at the depth that was asked for. There may be more behind it.",
    "TIME": "The answer is cut off: it took too long. There may be more.",
}


def warnings(completeness: Completeness) -> list[str]:
    """What is not certain about an answer, in plain words."""
    c = completeness
    said = [_TRUNCATED[c.truncated]] if c.truncated in _TRUNCATED else []
    if c.undescribed:
        said.append(f"{counted(c.undescribed, 'dataset')} on the way {has(c.undescribed)} no recorded columns: the answer may be larger.")
    if c.possible_only:
        said.append(
            f"{counted(c.possible_only, 'pair')} of datasets {has(c.possible_only)} no column lineage:"
            " what lies behind is only possible, and more than is really affected."
        )
    if c.stale_edges:
        said.append(
            f"{counted(c.stale_edges, 'lineage edge')} {is_(c.stale_edges)} older than the latest run of the job: it may hold no more."
        )
    if c.provisional:
        said.append(f"{counted(c.provisional, 'lineage edge')} {is_(c.provisional)} from runs that have not completed.")
    return said


def counted(number: int, noun: str) -> str:
    """`1 dataset`, `2 datasets`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def has(number: int) -> str:
    return "has" if number == 1 else "have"


def is_(number: int) -> str:
    return "is" if number == 1 else "are"


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
