"""Coverage: how much of the mesh is described, owned, and has column lineage; per source and per domain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from meshline.graph.content import columns, keys_of
from meshline.graph.index import LineageIndex
from meshline.graph.live import LiveGraph
from meshline.graph.model import JOB_OUTPUT, AssetKind, EdgeType

# Scopes whose flows go into datasets: (kind, ...). See the ingest of OpenLineage.
_FLOWING = frozenset({JOB_OUTPUT, "job-declared", "dataset-lineage"})
_CHUNK = 2000  # scopes read from the store at once


class Covered(NamedTuple):
    """Numbers of datasets; inferred ones are not counted.

    `with_lineage`: a job writes them, or data is known to flow into them; `with_column_lineage`: into their columns.
    """

    datasets: int = 0
    described: int = 0
    owned: int = 0
    with_lineage: int = 0
    with_column_lineage: int = 0

    def __add__(self, other: tuple[object, ...]) -> Covered:
        assert isinstance(other, Covered)
        return Covered(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class SourceCoverage(NamedTuple):
    """The datasets that a source says something about."""

    source: str
    covered: Covered


class DomainCoverage(NamedTuple):
    """The datasets of a domain; None: those in no domain."""

    domain: int | None
    covered: Covered


class Coverage(NamedTuple):
    total: Covered
    by_source: tuple[SourceCoverage, ...]
    by_domain: tuple[DomainCoverage, ...]


def coverage(live: LiveGraph, index: LineageIndex) -> Coverage:
    """Counts over the visible graph."""
    fine = _with_column_lineage(live, index)
    total = Covered()
    sources: dict[str, Covered] = {}
    domains: dict[int | None, Covered] = {}
    for dataset in index.of_kind(AssetKind.DATASET):
        one = _covered(index, dataset, fine)
        total += one
        domain = index.domain(dataset)
        domains[domain] = domains.get(domain, Covered()) + one
        for source in {index.scope(scope).source for scope in index.scopes(dataset)}:
            sources[source] = sources.get(source, Covered()) + one
    named = sorted(domains, key=lambda node: (node is None, "" if node is None else index.key(node).name))
    return Coverage(
        total,
        tuple(SourceCoverage(source, sources[source]) for source in sorted(sources)),
        tuple(DomainCoverage(node, domains[node]) for node in named),
    )


def _covered(index: LineageIndex, dataset: int, fine: frozenset[int]) -> Covered:
    known = dataset in fine
    return Covered(
        datasets=1,
        described=int(index.described(dataset)),
        owned=int(bool(index.owners(dataset))),
        with_lineage=int(known or bool(index.edges(dataset, EdgeType.WRITES, incoming=True))),
        with_column_lineage=int(known),
    )


def _with_column_lineage(live: LiveGraph, index: LineageIndex) -> frozenset[int]:
    """Datasets of which a column has flows into it."""
    scopes = {scope for dataset in index.of_kind(AssetKind.DATASET) for scope in index.scopes(dataset)}
    flowing = sorted(scope for scope in scopes if index.scope(scope).scope[0] in _FLOWING)
    found: set[int] = set()
    seen: set[bytes] = set()
    for at in range(0, len(flowing), _CHUNK):
        for head in live.store.statements(flowing[at : at + _CHUNK], index.as_of):
            if head.content is not None and head.content.digest not in seen:
                seen.add(head.content.digest)
                found.update(_fed(index, head.content.blob))
    return frozenset(found)


def _fed(index: LineageIndex, blob: bytes) -> Iterable[int]:
    """The datasets into whose columns the flows of a statement go."""
    layout = columns(blob)
    keys = keys_of(layout)
    for position in set(layout.flows[1::3]):
        if keys[position].kind is AssetKind.COLUMN:
            node = index.node(keys[position])
            if node is not None:
                yield index.dataset(node)
