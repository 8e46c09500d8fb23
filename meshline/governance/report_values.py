"""Facts of the graph as values of the report, and values as words of its sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from meshline.governance.report import Asset, Completeness, HiddenAssets, Step
from meshline.graph.index import Completeness as Counts
from meshline.graph.index import LineageIndex, Truncated
from meshline.graph.index.results import HiddenCount
from meshline.graph.model import AssetKey, Json, from_micros
from meshline.graph.queries.impact_paths import PathStep

NAMED = 10  # names in one sentence


def build_asset(key: AssetKey, *, known: bool = True) -> Asset:
    """`known`: whether the graph contains it; the id is empty if not."""
    return Asset(id=key.id if known else "", kind=key.kind, name=key.name, qualified_name=key.qualified_name)


class AssetValues:
    """Assets of one index as values of the report; each is built once."""

    def __init__(self, index: LineageIndex) -> None:
        self.index = index
        self._known: dict[int, Asset] = {}

    def get_asset(self, node: int) -> Asset:
        found = self._known.get(node)
        if found is None:
            found = self._known[node] = build_asset(self.index.assets.get_key(node))
        return found

    def get_assets(self, nodes: Iterable[int]) -> tuple[Asset, ...]:
        """Each asset once, sorted by kind and name."""
        return tuple(sorted((self.get_asset(node) for node in set(nodes)), key=lambda one: (one.kind, one.qualified_name)))

    def build_step(self, step: PathStep) -> Step:
        """A step of a path, with its flow and job."""
        flow = step.flow
        return Step(
            asset=self.get_asset(step.node),
            edge=step.edge or "",
            type=(flow.type or "") if flow else "",
            subtype=flow.subtype if flow else "",
            masking=flow.masking if flow else False,
            job=None if flow is None or flow.job is None else self.get_asset(flow.job),
            hidden=flow.hidden if flow else 0,
        )

    def format_names(self, nodes: Iterable[int]) -> str:
        """`a, b and 3 more`, sorted."""
        return format_names(self.get_asset(node).qualified_name for node in set(nodes))


def format_names(texts: Iterable[str]) -> str:
    """`a, b and 3 more`, sorted; at most `NAMED` names."""
    found = sorted(set(texts))
    return ", ".join(found[:NAMED]) + (f" and {len(found) - NAMED} more" if len(found) > NAMED else "")


def merge_completeness(found: Iterable[Counts], index: LineageIndex, hidden: Iterable[HiddenCount] = ()) -> Completeness:
    """The worst of several completeness levels: each count is the largest of any answer. `hidden`: of all answers together."""
    values = AssetValues(index)
    counts = list(found)
    return Completeness(
        truncated=next((one.truncated for one in counts if one.truncated is not Truncated.NONE), Truncated.NONE),
        possible_only=max((one.possible_only for one in counts), default=0),
        undescribed=max((one.undescribed for one in counts), default=0),
        stale_edges=max((one.stale_edges for one in counts), default=0),
        provisional=max((one.provisional for one in counts), default=0),
        unbound=max((one.unbound for one in counts), default=0),
        silent_on_filters=max((one.silent_on_filters for one in counts), default=0),
        silent_producers=tuple(sorted({producer for one in counts for producer in one.silent_producers})),
        as_of=None if index.as_of is None else from_micros(index.as_of).isoformat(),
        revision=index.revision,
        hidden=tuple(HiddenAssets(count=one.assets, domain=None if one.domain is None else values.get_asset(one.domain)) for one in hidden),
    )


def format_sentence(template: str, details: Mapping[str, Json], before: Json, after: Json) -> str:
    """A rule's title filled in."""
    return template.format_map(_Words({**details, "before": before, "after": after}))


class _Words(dict[str, Json]):
    """Values as words; a missing one is `?`."""

    def __getitem__(self, name: str) -> str:
        return format_value(self.get(name, "?"))


def format_value(value: Any) -> str:
    """A value in a sentence."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(format_value, value)) or "nothing"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {format_value(part)}" for name, part in value.items()) or "nothing"
    return str(value)
