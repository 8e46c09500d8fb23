"""Is the lineage behind some assets complete? What is missing is told in words, with what would mend it.

Complete means: whoever reads them has said which columns. What nobody has ever observed is not seen here either; a dataset
of which no lineage at all is known counts as such.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meshline.governance.change_impact import ChangeImpact
from meshline.graph.index import NONE, Direction, Reach, Truncated
from meshline.graph.index.results import Flags, FlowTable
from meshline.graph.model import AssetKind, EdgeType


def list_gaps(touched: ChangeImpact) -> tuple[str, ...]:
    """Why the lineage is not complete; empty: it is."""
    return (
        *_describe_truncation(touched),
        *_describe_unknown_reads(touched),
        *_describe_vague_jobs(touched),
        *_describe_missing_columns(touched),
        *_describe_vague_consumers(touched),
        *_describe_unsettled_flows(touched),
    )


def list_silent_jobs(touched: ChangeImpact) -> tuple[str, ...]:
    """The jobs that read what is touched and whose producer states no filters or joins: a column may be in one of theirs.

    A job of which more is stated is not among them (`Traversal.silent_jobs`).
    """
    return tuple(touched.index.assets.get_key(job).qualified_name for job in touched.downstream.traversal.silent_jobs.tolist())


def _describe_truncation(touched: ChangeImpact) -> Iterator[str]:
    truncated = touched.downstream.completeness.truncated
    if truncated is not Truncated.NONE:
        yield f"the search stopped at a limit ({truncated}): there may be more"


def _describe_unknown_reads(touched: ChangeImpact) -> Iterator[str]:
    """Jobs that read the datasets themselves, and nobody knows which columns; datasets without any lineage."""
    index = touched.index
    for dataset in touched.datasets:
        name = index.assets.get_key(dataset).qualified_name
        flows = index.lineage.list_flows_from([dataset])
        readers = {edge.start for edge in index.ownership.list_edges(dataset, EdgeType.READS, incoming=True)}
        explained = set(flows.job[flows.covered | (flows.reach != Reach.POSSIBLE)].tolist())
        vague = _select_vague(flows)
        unexplained = (readers - explained) | (set(flows.job[vague].tolist()) - {NONE})
        if unexplained:
            jobs = touched.values.format_names(unexplained)
            yield f"record the column lineage of {jobs}: it is not known which columns of {name} are read"
        if bool(np.any(vague & (flows.job == NONE))):
            into = touched.values.format_names(flows.end[vague & (flows.job == NONE)].tolist())
            yield f"it is not known which columns of {name} get into {into}"
        if not readers and not len(flows.start) and not _has_writer(touched, dataset):
            yield f"no lineage of {name} is recorded: nobody knows who reads it"


def _select_vague(flows: FlowTable) -> Flags:
    """Flows between datasets that nobody knows more about; to itself none matters."""
    vague: Flags = ~flows.covered & (flows.reach == Reach.POSSIBLE) & (flows.start != flows.end)
    return vague


def _has_writer(touched: ChangeImpact, dataset: int) -> bool:
    """Whether somebody is known to fill it: then those who record lineage know it."""
    index = touched.index
    return (
        bool(index.ownership.list_edges(dataset, EdgeType.WRITES, incoming=True))
        or index.lineage.traverse([dataset], Direction.UPSTREAM, depth=1).nodes.size > 0
    )


def _describe_vague_jobs(touched: ChangeImpact) -> Iterator[str]:
    """Jobs further down that pass data on, and nobody knows by which columns."""
    if not touched.downstream.completeness.possible_only:
        return
    flows = touched.flows
    further = _select_vague(flows) & ~np.isin(flows.start, touched.datasets)
    jobs = set(flows.job[further].tolist()) - {NONE}
    if jobs:
        yield f"record the column lineage of {touched.values.format_names(jobs)}: what lies behind is only possible"
    nameless = further & (flows.job == NONE)
    if bool(np.any(nameless)):
        yield f"it is not known which columns get into {touched.values.format_names(flows.end[nameless].tolist())}"


def _describe_missing_columns(touched: ChangeImpact) -> Iterator[str]:
    if touched.downstream.completeness.undescribed:
        datasets = [one.node for one in touched.list_reached(AssetKind.DATASET)]
        named = [node for node in (*touched.datasets, *datasets) if not touched.index.assets.is_described(node)]
        yield f"nobody has described {touched.values.format_names(named)}: its columns are not known"


def _describe_vague_consumers(touched: ChangeImpact) -> Iterator[str]:
    """Consumers that name no columns, where columns are what is changed."""
    index = touched.index
    columns = any(index.assets.get_kind(start) is AssetKind.COLUMN for start in touched.starts)
    for one in touched.list_reached(AssetKind.CONSUMER) if columns else ():
        if one.reach is Reach.POSSIBLE:
            whole = [node for node, _ in touched.list_uses(one.node) if index.assets.get_kind(node) is not AssetKind.COLUMN]
            if whole:
                yield f"say which columns {index.assets.get_key(one.node).name} uses of {touched.values.format_names(whole)}"


def _describe_unsettled_flows(touched: ChangeImpact) -> Iterator[str]:
    counts = touched.downstream.completeness
    if counts.provisional:
        yield f"{_format_count(counts.provisional, 'flow rests on a run', 'flows rest on runs')} that did not end"
    if counts.stale_edges:
        yield f"{_format_count(counts.stale_edges, 'flow was', 'flows were')} not said again by the latest run of the job"


def _format_count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
