"""Coverage: how much of the mesh is described, owned, and has column lineage; per source and per domain."""

from __future__ import annotations

from operator import itemgetter
from typing import NamedTuple

import numpy as np

from meshline.graph.index import LineageIndex
from meshline.graph.index.results import Flags
from meshline.graph.model import AssetKind
from meshline.graph.queries.groups import NOTHING, Groups


class CoverageCounts(NamedTuple):
    """Numbers of datasets; inferred ones are not counted.

    `described`: a source lists their columns. `owned`: they have an owner at some level.
    `with_lineage`: a job writes them, or data is known to flow into a column of theirs. `with_column_lineage`: only the latter.
    """

    datasets: int = 0
    described: int = 0
    owned: int = 0
    with_lineage: int = 0
    with_column_lineage: int = 0


class SourceCoverage(NamedTuple):
    """The datasets that a source states something about."""

    source: str
    covered: CoverageCounts


class DomainCoverage(NamedTuple):
    """The datasets of a domain; None: those in no domain."""

    domain: int | None
    covered: CoverageCounts


class Coverage(NamedTuple):
    """The counts of all datasets, by source (sorted by name) and by domain (sorted by name, no domain last).

    A dataset counts for each source that states something about it.
    """

    total: CoverageCounts
    by_source: tuple[SourceCoverage, ...]
    by_domain: tuple[DomainCoverage, ...]


def compute_coverage(index: LineageIndex) -> Coverage:
    """The coverage of the graph as far as the viewer may read it: array operations over all datasets, one pass per source and domain."""
    datasets = np.array([node for node in index.assets.list_of_kind(AssetKind.DATASET) if index.may_read(node)], np.int32)
    groups, known = Groups(index, datasets), index.assets.survey()
    rows = np.stack(
        [
            np.ones(datasets.size, np.bool_),
            known.described[datasets],
            groups.levels[groups.at] != NOTHING,
            known.written[datasets] | known.fed[datasets],
            known.fed[datasets],
        ],
        axis=1,
    )
    domains = groups.domains[groups.at]
    named = sorted(set(domains.tolist()), key=lambda node: (node == NOTHING, "" if node == NOTHING else index.assets.get_key(node).name))
    sources = ((source, rows[np.isin(datasets, of_source)]) for source, of_source in known.mentioned)
    return Coverage(
        _count_covered(rows),
        tuple(
            SourceCoverage(source, _count_covered(of_source)) for source, of_source in sorted(sources, key=itemgetter(0)) if len(of_source)
        ),
        tuple(DomainCoverage(None if node == NOTHING else node, _count_covered(rows[domains == node])) for node in named),
    )


def _count_covered(rows: Flags) -> CoverageCounts:
    return CoverageCounts(*rows.sum(axis=0).tolist())
