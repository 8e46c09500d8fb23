"""The closures that are measured: starts of which so many columns are reached, and the same graph in igraph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import igraph
import numpy as np

from benchmarks.generate import Mesh, Numbers
from meshline.graph import model
from meshline.graph.index import LineageIndex
from meshline.graph.model import AssetKey

CANDIDATES = 300
SAME_SIZE = 3  # starts for each size


class Closure(NamedTuple):
    """A start (a column's number) and how many other columns it reaches, whatever the class."""

    start: int
    columns: int


class PlainGraph:
    """The mesh as a directed graph: three ranges of vertices, so that reaching by any class is plain reachability.

    Columns; datasets that are reached as a whole, with an edge to each of their columns; and datasets from which a job without
    column lineage reads, with an edge from each of their columns (and from the whole).
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh

    @cached_property
    def graph(self) -> igraph.Graph:
        edges = np.concatenate(list(self._list_edges()))
        return igraph.Graph(n=self.mesh.columns + 2 * self.mesh.datasets, edges=edges, directed=True)

    def _list_edges(self) -> Iterator[Numbers]:
        mesh = self.mesh
        wholes, reads = mesh.columns, mesh.columns + mesh.datasets
        column, dataset = np.arange(mesh.columns), mesh.dataset_of
        yield np.stack([mesh.start, mesh.end], axis=1)
        filtered = np.flatnonzero(mesh.filtered)
        yield np.stack([mesh.filters[filtered], wholes + filtered], axis=1)
        coarse = [(source, job) for job in np.flatnonzero(mesh.coarse).tolist() for source in mesh.list_sources(job)]
        pairs = np.array(coarse, np.int64).reshape(-1, 2)
        yield pairs + np.array([reads, wholes])
        whole = np.isin(dataset, np.concatenate([filtered, pairs[:, 1]]))
        yield np.stack([wholes + dataset[whole], column[whole]], axis=1)
        read = np.unique(pairs[:, 0])
        yield np.stack([wholes + read, reads + read], axis=1)
        by_column = np.isin(dataset, read)
        yield np.stack([column[by_column], reads + dataset[by_column]], axis=1)

    def find_reached(self, start: int) -> Numbers:
        """The other columns that a column reaches."""
        found = np.array(self.graph.subcomponent(start, mode="out"))
        return np.sort(found[(found < self.mesh.columns) & (found != start)])

    def find_closures(self, sizes: Sequence[int]) -> dict[int, list[Closure]]:
        """For each size the starts, of a seeded sample, whose closures come nearest to it."""
        chance = np.random.default_rng(self.mesh.shape.seed)
        # Half of the sample from the most popular datasets: only they reach a large part of the mesh.
        first_layer = int(self.mesh.first[self.mesh.written])
        drawn = [chance.integers(0, max(1, first_layer // part), CANDIDATES // 2) for part in (1, 50)]
        found = [Closure(start, len(self.find_reached(start))) for start in np.unique(np.concatenate(drawn)).tolist()]
        return {size: sorted(found, key=lambda closure: abs(closure.columns - size))[:SAME_SIZE] for size in sizes}


def key_of(mesh: Mesh, column: int) -> AssetKey:
    dataset, name = mesh.build_column(column)
    return model.build_column_key(model.build_dataset_key(mesh.namespace, mesh.build_dataset_name(dataset)), name)


def find_node(index: LineageIndex, mesh: Mesh, column: int) -> int:
    """The column's node in the index."""
    node = index.assets.find_by_key(key_of(mesh, column))
    assert node is not None, f"column {column} of the mesh is not in the index"
    return node
