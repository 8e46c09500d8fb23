"""Gaps in the lineage of changed assets, in words, with what would close them.

Lineage is complete if every known reader states which columns it reads. A reader that no source has ever observed is not noticed here
either, so a dataset without any lineage counts as a gap.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meshline.governance.change_impact import ChangeImpact
from meshline.graph.index import NONE, Direction, Reach, Truncated
from meshline.graph.index.results import Flags, FlowTable
from meshline.graph.model import AssetKind, EdgeType


def list_gaps(impact: ChangeImpact) -> tuple[str, ...]:
    """Why the lineage is not complete, one phrase for each gap; empty if it is complete."""
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
        if not readers and not len(flows.start) and not _has_writer(impact, dataset):
            yield f"no lineage of {name} is recorded: its readers are unknown"


def _select_vague(flows: FlowTable) -> Flags:
    """A mask of dataset-level flows without column lineage; self-flows are ignored."""
    vague: Flags = ~flows.covered & (flows.reach == Reach.POSSIBLE) & (flows.start != flows.end)
    return vague


def _has_writer(impact: ChangeImpact, dataset: int) -> bool:
    """Whether a writer is known: then the sources that record lineage know the dataset."""
    index = impact.index
    return (
        bool(index.ownership.list_edges(dataset, EdgeType.WRITES, incoming=True))
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
