"""Paths: how data gets from one asset to another, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from meshline.errors import InvalidInput
from meshline.graph.index import FlowStep, LineageIndex, Reach
from meshline.graph.model import AssetKind, EdgeType

ENDS = frozenset({AssetKind.COLUMN, AssetKind.DATASET})
MOST = 100


class PathStep(NamedTuple):
    """An asset on a path, and the edge by which the path came there (none at the beginning).

    `edge` is FLOWS_TO with its `flow`, HAS_COLUMN where the path goes on by containment (a dataset and one
    of its columns, either way), or the edge on which a container or consumer hangs at the end.
    """

    node: int
    edge: EdgeType | None = None
    flow: FlowStep | None = None
    scope_id: int | None = None


def paths(
    index: LineageIndex, start: int, end: int, *, reach: Reach = Reach.POSSIBLE, first: int = 5, depth: int | None = None
) -> list[list[PathStep]]:
    """Up to `first` simple paths from one column or dataset down to another, the strongest first, then the shortest."""
    if not 0 <= first <= MOST:
        raise InvalidInput(f"between 0 and {MOST} paths can be asked for", "first")
    for node, name in ((start, "from"), (end, "to")):
        if index.kind(node) not in ENDS:
            raise InvalidInput(f"a path is between columns or datasets, and {index.key(node).name!r} is a {index.kind(node)}", name)
    return [steps_of(path, start, end) for path in index.paths(start, end, reach=reach, first=first, depth=depth)]


def steps_of(flows: Sequence[FlowStep], start: int, end: int) -> list[PathStep]:
    """Flows in order as steps from `start` to `end`, containment made visible."""
    return list(_steps(flows, start, end))


def _steps(flows: Iterable[FlowStep], start: int, end: int) -> Iterable[PathStep]:
    at = start
    yield PathStep(start)
    for flow in flows:
        if at != flow.start:
            yield PathStep(flow.start, EdgeType.HAS_COLUMN)
        yield PathStep(flow.end, EdgeType.FLOWS_TO, flow, flow.scope_id)
        at = flow.end
    if at != end:
        yield PathStep(end, EdgeType.HAS_COLUMN)
