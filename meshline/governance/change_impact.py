"""What some assets affect, computed once for all changes of the same assets; and the gaps in their lineage, with what would close them.

Lineage is complete if every known reader states which columns it reads. A reader that no source has ever observed is not noticed here
either, so a dataset without any lineage counts as a gap, unless usage covers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from meshline.governance.report_values import AssetValues
from meshline.graph.index import NONE, Direction, LineageIndex, Reach, Truncated
from meshline.graph.index.results import Flags, FlowTable, Ints
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import KINDS, AssetKey, AssetKind, EdgeType, get_current_micros
from meshline.graph.queries.assets import read_attributes
from meshline.graph.queries.impact import Impact, compute_impact
from meshline.graph.queries.impact_paths import ImpactPaths
from meshline.graph.queries.pages import KIND_ORDER, UNLIMITED, Limits
from meshline.graph.queries.usage import Window, list_windows

_DATA_KINDS = frozenset({AssetKind.COLUMN, AssetKind.DATASET})
DAY = 86_400_000_000  # microseconds
USAGE_DAYS = 30  # that usage must cover, to show that nothing reads something
USAGE_AGE_DAYS = 30  # how long ago that time may have ended


class Reached(NamedTuple):
    """An affected asset (a node of the index), and how it is reached; `distance` in flows."""

    node: int
    reach: Reach
    distance: int
    masked: bool


class ChangeImpact:
    """Changed assets, and the lineage that leaves them. Valid as long as the index does not change.

    `starts`: nodes of the assets that the graph contains. `unknown`: the names of the others. `parent_datasets`: the datasets of
    unknown columns. `vague`: a start replaces an asset that the graph does not contain (the enclosing column of a nested one, the dataset
    of a column if no source lists its columns), so that all it reaches is only possibly affected.
    """

    def __init__(
        self,
        live: LiveGraph,
        index: LineageIndex,
        assets: Sequence[AssetKey],
        limits: Limits = UNLIMITED,
        names: LineageIndex | None = None,
    ) -> None:
        """`names`: the index in which names are looked up, if that is not `index`: what a viewer may not see is as unknown to him as what
        does not exist, also where the effect of a change on all assets is computed.
        """
        self.live = live
        self.index = index
        self._names = names or index
        self.values = AssetValues(index)
        self._governing: dict[int, tuple[str, ...]] = {}
        self._windows: dict[int, Window | None] = {}
        found = {key: self.find_asset(key) for key in assets}
        enclosing = {key: self._find_enclosing_column(key) for key, node in found.items() if node is None}
        self.unknown = tuple(key.qualified_name for key, node in enclosing.items() if node is None)
        replacements = [self._find_undescribed_dataset(key) if node is None else node for key, node in enclosing.items()]
        known = [node for node in found.values() if node is not None]
        self.vague = any(node is not None and node not in known for node in replacements)
        self.parent_datasets = tuple(dict.fromkeys(node for key in enclosing if (node := self._find_dataset(key)) is not None))
        self.starts = tuple(dict.fromkeys((*known, *(node for node in replacements if node is not None))))
        self.downstream: Impact = compute_impact(index, self.starts, promises=False, limits=limits)

    def find_asset(self, key: AssetKey) -> int | None:
        """The node of an asset that the change names, if there is one."""
        return self._names.assets.find_by_key(key)

    def _find_enclosing_column(self, key: AssetKey) -> int | None:
        """The nearest known column that contains a nested one."""
        name = key.name
        while key.kind is AssetKind.COLUMN and "." in name:
            name = name.rpartition(".")[0]
            node = self.find_asset(AssetKey(key.kind, (*key.parts[:2], name)))
            if node is not None:
                return node
        return None

    def _find_undescribed_dataset(self, key: AssetKey) -> int | None:
        dataset = self._find_dataset(key)
        return None if dataset is None or self.index.assets.is_described(dataset) else dataset

    def _find_dataset(self, key: AssetKey) -> int | None:
        return self.find_asset(AssetKey(AssetKind.DATASET, key.parts[:2])) if key.kind is AssetKind.COLUMN else None

    # -- affected assets

    def list_reached(self, *kinds: AssetKind) -> list[Reached]:
        """All affected assets of these kinds."""
        known = self.downstream.affected
        rows = np.flatnonzero(np.isin(self.downstream.groups.kind, [KIND_ORDER[kind] for kind in kinds]))
        return [
            Reached(node, Reach.POSSIBLE if self.vague else Reach(reach), distance, masked)
            for node, reach, distance, masked in zip(*(column[rows].tolist() for column in known), strict=True)
        ]

    @cached_property
    def counts(self) -> dict[AssetKind, int]:
        """How many assets of each kind are affected."""
        counts = np.bincount(self.downstream.groups.kind, minlength=len(KINDS)).tolist()
        return {kind: count for kind, count in zip(KINDS, counts, strict=True) if count}

    @cached_property
    def via(self) -> ImpactPaths:
        """The paths from the starts to affected assets."""
        return ImpactPaths(self.downstream)

    @cached_property
    def datasets(self) -> tuple[int, ...]:
        """The datasets that are starts or have a start as a column; for products and domains, where the traversal starts."""
        index = self.index
        starts = (*self.starts, *self.downstream.traversal.starts.tolist())
        nodes = [node for node in starts if index.assets.get_kind(node) in _DATA_KINDS]
        return tuple(
            dict.fromkeys(index.assets.get_dataset(node) if index.assets.get_kind(node) is AssetKind.COLUMN else node for node in nodes)
        )

    @cached_property
    def origins(self) -> frozenset[int]:
        """The nodes at which the traversal began, and their datasets."""
        return frozenset((*self.starts, *self.downstream.traversal.starts.tolist(), *self.datasets))

    @cached_property
    def gaps(self) -> tuple[str, ...]:
        """Why the lineage is not complete, one phrase for each gap; empty if it is complete."""
        return _list_gaps(self)

    def find_usage_window(self, dataset: int) -> Window | None:
        """The newest time in which all reads of a dataset are known, with their columns unless the dataset itself is changed; None if usage
        covers no time that is long and recent enough for a verdict.
        """
        if dataset not in self._windows:
            (known,) = read_attributes(self.live, self.index, [dataset])
            oldest = get_current_micros() - USAGE_AGE_DAYS * DAY
            fit = (
                one
                for one in list_windows(known.rows)
                if one.end >= oldest and one.end - one.begin >= USAGE_DAYS * DAY and (one.columns or dataset in self.starts)
            )
            self._windows[dataset] = next(fit, None)
        return self._windows[dataset]

    def is_affected(self, node: int) -> bool:
        """Whether a node is changed itself or affected."""
        return node in self.origins or self.downstream.find_row(node) is not None

    # -- flows

    @cached_property
    def flows(self) -> FlowTable:
        """The flows between the starts and the affected assets."""
        return self.downstream.traversal.build_flow_table()

    @cached_property
    def value_nodes(self) -> Ints:
        """The nodes (int32) of columns and datasets that have the values of the starts: the starts, and what they reach DIRECT."""
        found = self.downstream.traversal
        begun = found.starts
        own = [
            column
            for start in begun.tolist()
            if self.index.assets.get_kind(start) is AssetKind.DATASET
            for column in self.index.assets.list_columns(start)
        ]
        return np.concatenate([begun, np.array(own, np.int32), found.nodes[found.reach == Reach.DIRECT]])

    @cached_property
    def reading_flows(self) -> FlowTable:
        """The flows that leave `value_nodes`: each is a reader of the values."""
        return self.flows.filter(np.isin(self.flows.start, self.value_nodes))

    def list_subtypes(self, flows: FlowTable) -> list[str]:
        """The subtype of each of these flows, in capitals; empty if it is not stated."""
        texts = {number: self.index.lineage.get_text(number).upper() for number in np.unique(flows.subtype).tolist()}
        return [texts[number] for number in flows.subtype.tolist()]

    # -- consumers

    def list_governing_contracts(self, dataset: int) -> tuple[str, ...]:
        """The contracts that govern a dataset, by name."""
        names = self._governing.get(dataset)
        if names is None:
            edges = self.index.ownership.list_edges(dataset, EdgeType.GOVERNS, incoming=True)
            names = self._governing[dataset] = tuple(sorted({self.index.assets.get_label(edge.start).name for edge in edges}))
        return names

    def list_uses(self, consumer: int) -> list[tuple[int, str]]:
        """The changed or affected assets that a consumer uses, each with the contract that is stated to cover the use, or an empty text."""
        edges = self.index.ownership.list_edges(consumer, EdgeType.CONSUMES)
        return [(edge.end, str(edge.attributes.get("contract") or "")) for edge in edges if self._is_used(edge.end)]

    def _is_used(self, node: int) -> bool:
        return self.is_affected(node) or any(self.is_affected(column) for column in self._list_columns(node))

    def _list_columns(self, node: int) -> Iterable[int]:
        return self.index.assets.list_columns(node) if self.index.assets.get_kind(node) is AssetKind.DATASET else ()


def _list_gaps(impact: ChangeImpact) -> tuple[str, ...]:
    return (
        *_describe_truncation(impact),
        *_describe_unknown_reads(impact),
        *_describe_vague_jobs(impact),
        *_describe_missing_columns(impact),
        *_describe_vague_consumers(impact),
        *_describe_unsettled_flows(impact),
    )


def list_silent_jobs(impact: ChangeImpact) -> tuple[str, ...]:
    """The names of jobs that read the changed data and whose producer states no filters or joins: a column may be in one of theirs.

    Jobs of which more is stated are not among them (`Traversal.silent_jobs`).
    """
    return tuple(impact.index.assets.get_key(job).qualified_name for job in impact.downstream.traversal.silent_jobs.tolist())


def _describe_truncation(impact: ChangeImpact) -> Iterator[str]:
    truncated = impact.downstream.completeness.truncated
    if truncated is not Truncated.NONE:
        yield f"the search stopped at a limit ({truncated}): there may be more"


def _describe_unknown_reads(impact: ChangeImpact) -> Iterator[str]:
    """Jobs that read the datasets, if it is unknown which columns; and datasets without any lineage."""
    index = impact.index
    for dataset in impact.datasets:
        name = index.assets.get_key(dataset).qualified_name
        flows = index.lineage.list_flows_from([dataset])
        readers = {edge.start for edge in index.ownership.list_edges(dataset, EdgeType.READS, incoming=True)}
        explained = set(flows.job[flows.covered | (flows.reach != Reach.POSSIBLE)].tolist())
        vague = _select_vague(flows)
        unexplained = (readers - explained) | (set(flows.job[vague].tolist()) - {NONE})
        if unexplained:
            jobs = impact.values.format_names(unexplained)
            yield f"record the column lineage of {jobs}: it is not known which columns of {name} are read"
        if bool(np.any(vague & (flows.job == NONE))):
            into = impact.values.format_names(flows.end[vague & (flows.job == NONE)].tolist())
            yield f"it is not known which columns of {name} get into {into}"
        if not readers and not len(flows.start) and not _has_lineage(index.whole, dataset) and impact.find_usage_window(dataset) is None:
            yield f"no lineage of {name} is recorded: its readers are unknown"


def _select_vague(flows: FlowTable) -> Flags:
    """A mask of dataset-level flows without column lineage; self-flows are ignored."""
    vague: Flags = ~flows.covered & (flows.reach == Reach.POSSIBLE) & (flows.start != flows.end)
    return vague


def _has_lineage(index: LineageIndex, dataset: int) -> bool:
    """Whether a reader or a writer is known: then the sources that record lineage know the dataset."""
    return (
        any(index.ownership.list_edges(dataset, type_, incoming=True) for type_ in (EdgeType.WRITES, EdgeType.READS))
        or bool(len(index.lineage.list_flows_from([dataset]).start))
        or index.lineage.traverse([dataset], Direction.UPSTREAM, depth=1).nodes.size > 0
    )


def _describe_vague_jobs(impact: ChangeImpact) -> Iterator[str]:
    """Jobs further down that pass data on, if it is unknown by which columns."""
    if not impact.downstream.completeness.possible_only:
        return
    flows = impact.flows
    further = _select_vague(flows) & ~np.isin(flows.start, impact.datasets)
    jobs = set(flows.job[further].tolist()) - {NONE}
    if jobs:
        yield f"record the column lineage of {impact.values.format_names(jobs)}: what lies behind is affected only possibly"
    nameless = further & (flows.job == NONE)
    if bool(np.any(nameless)):
        yield f"it is not known which columns get into {impact.values.format_names(flows.end[nameless].tolist())}"


def _describe_missing_columns(impact: ChangeImpact) -> Iterator[str]:
    if impact.downstream.completeness.undescribed:
        datasets = [one.node for one in impact.list_reached(AssetKind.DATASET)]
        named = [node for node in (*impact.datasets, *datasets) if not impact.index.assets.is_described(node)]
        yield f"no source describes {impact.values.format_names(named)}: its columns are not known"


def _describe_vague_consumers(impact: ChangeImpact) -> Iterator[str]:
    """Consumers that name no columns, if columns are changed."""
    index = impact.index
    columns = any(index.assets.get_kind(start) is AssetKind.COLUMN for start in impact.starts)
    for one in impact.list_reached(AssetKind.CONSUMER) if columns else ():
        if one.reach is Reach.POSSIBLE:
            whole = [node for node, _ in impact.list_uses(one.node) if index.assets.get_kind(node) is not AssetKind.COLUMN]
            if whole:
                yield f"state which columns {index.assets.get_key(one.node).name} uses of {impact.values.format_names(whole)}"


def _describe_unsettled_flows(impact: ChangeImpact) -> Iterator[str]:
    counts = impact.downstream.completeness
    if counts.provisional:
        yield f"{_format_count(counts.provisional, 'flow rests on a run', 'flows rest on runs')} that did not end"
    if counts.stale_edges:
        yield f"{_format_count(counts.stale_edges, 'flow was', 'flows were')} not repeated by the latest run of the job"


def _format_count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
