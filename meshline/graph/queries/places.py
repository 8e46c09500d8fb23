"""The assets from which follows what a viewer may see, numbered; and what leads from one to another.

Columns are most of the assets, and nearly all are visible with their dataset. So arrays that are computed for a viewer have an entry, a
place, for each other asset and for the few columns that have tags, owners or contracts of their own: a plain column has the place of its
dataset. All of this depends on no viewer, and is computed once for a state of the index.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from meshline.graph.index import LineageIndex
from meshline.graph.index.results import Bytes, Flags, Ints
from meshline.graph.model import KINDS, AssetKind, EdgeType
from meshline.graph.queries.groups import NOTHING

DATASET, COLUMN, PRODUCT, DOMAIN, CONTRACT, JOB, CONSUMER, OWNER = map(
    KINDS.index,
    (
        AssetKind.DATASET,
        AssetKind.COLUMN,
        AssetKind.DATA_PRODUCT,
        AssetKind.DOMAIN,
        AssetKind.CONTRACT,
        AssetKind.JOB,
        AssetKind.CONSUMER,
        AssetKind.OWNER,
    ),
)
RESOURCES = (COLUMN, DATASET, PRODUCT, DOMAIN)  # kinds of assets that rights choose; the others follow from these
_BONDS = {CONTRACT: EdgeType.GOVERNS, CONSUMER: EdgeType.CONSUMES, OWNER: EdgeType.OWNS}


class Bonds(NamedTuple):
    """What binds the assets of a kind to others: (an asset of the kind, another) in pairs of places."""

    starts: Ints
    ends: Ints
    free: Flags  # by place: whether it is of the kind and nothing binds it


class Places:
    """The places of one state of an index. Arrays hold places, or have an entry for each place; NOTHING: there is no such asset.

    `of_nodes`: the place of each node, also of other members of an identity class. `nodes`: the representative at each place, ascending.
    `kinds`: by place. `resources`: which are datasets, columns, products and domains. `of_columns`, `of_products`, ...: what contains
    each of `columns`, `products`, ....
    """

    def __init__(self, index: LineageIndex) -> None:
        self._index = index
        every = np.arange(index.changes.count_nodes(), dtype=np.int32)
        rep = index.lineage.get_representatives(every)
        kinds = index.lineage.get_kinds(every)
        ownership = index.ownership
        self._edges = {kind: ownership.list_all_edges(type_) for kind, type_ in _BONDS.items()}
        self.plain: Flags = kinds == COLUMN  # by node: columns without a place
        for nodes in (index.assets.survey().find_tagged(lambda _: True), self._edges[OWNER].end, self._edges[CONTRACT].end):
            self.plain[rep[nodes]] = False
        self.plain = self.plain[rep]
        self.nodes: Ints = np.flatnonzero(~self.plain & (rep == every)).astype(np.int32)
        self.count = len(self.nodes)
        place_of_node: Ints = np.full(len(every), NOTHING, np.int32)
        place_of_node[self.nodes] = np.arange(self.count, dtype=np.int32)
        of = rep.copy()
        of[self.plain] = index.lineage.get_datasets(rep[self.plain])
        self.of_nodes: Ints = place_of_node[of]
        self.kinds: Bytes = kinds[self.nodes]
        self.resources: Flags = np.isin(self.kinds, RESOURCES)
        self.datasets, self.columns, self.products, self.domains = (self.find_of_kind(kind) for kind in (DATASET, COLUMN, PRODUCT, DOMAIN))
        self.of_columns = self.of_nodes[index.lineage.get_datasets(self.nodes[self.columns])]
        self.product_of_datasets = self._find_places(ownership.find_products(self.nodes[self.datasets]))
        self.domain_of_datasets, self.domain_of_products, self.domain_of_domains = (
            self._find_places(ownership.find_domains(self.nodes[places])) for places in (self.datasets, self.products, self.domains)
        )

    def find_of_kind(self, kind: int) -> Ints:
        return np.flatnonzero(self.kinds == kind).astype(np.int32)

    def find_owned(self, owners: list[int]) -> Ints:
        """The places of what these owners (nodes) own."""
        bonds = self.bonds[OWNER]
        return bonds.ends[np.isin(bonds.starts, self.of_nodes[owners])]

    @cached_property
    def bonds(self) -> dict[int, Bonds]:
        """By kind: contracts and what they govern, jobs and what they write (else read), consumers and what they use, owners and what
        they own.
        """
        found = {kind: self._bind(kind, edges.start, edges.end) for kind, edges in self._edges.items()}
        owners = found[OWNER]
        return {**found, OWNER: owners._replace(free=owners.free & self.readers.free), JOB: self._bind_jobs()}

    @cached_property
    def readers(self) -> Bonds:
        """Owners, and what sources state that they may read."""
        return self._bind(OWNER, *self._index.ownership.list_linked(EdgeType.MAY_READ))

    @cached_property
    def free_jobs(self) -> Flags:
        """By place: whether it is a job, and nothing binds it or a part of it."""
        jobs: Flags = self.kinds == JOB
        bound = jobs & ~self.bonds[JOB].free
        self.add_wholes(bound)
        return jobs & ~bound

    def add_wholes(self, jobs: Flags) -> None:
        """Mark the jobs of which marked ones are a part."""
        parts, wholes = self._job_parts
        while True:  # once for each level
            new = wholes[jobs[parts] & ~jobs[wholes]]
            if not len(new):
                break
            jobs[new] = True

    @cached_property
    def _job_parts(self) -> tuple[Ints, Ints]:
        """(jobs, the jobs that they are a part of)."""
        parts, wholes = (self.of_nodes[nodes] for nodes in self._index.assets.survey().job_parts)
        of_jobs = self.kinds[wholes] == JOB
        return parts[of_jobs], wholes[of_jobs]

    def _bind(self, kind: int, start_nodes: Ints, end_nodes: Ints) -> Bonds:
        starts, ends = self.of_nodes[start_nodes], self.of_nodes[end_nodes]
        of_kind = self.kinds[starts] == kind
        starts, ends = starts[of_kind], ends[of_kind]
        free: Flags = self.kinds == kind
        free[starts] = False
        return Bonds(starts, ends, free)

    def _bind_jobs(self) -> Bonds:
        """What each job writes; of a job that writes nothing, what it reads."""
        jobs, written = self._index.assets.survey().writings
        idle = self._index.ownership.list_idle_reads()
        read = ~np.isin(idle.start, jobs)
        return self._bind(JOB, np.concatenate([jobs, idle.start[read]]), np.concatenate([written, idle.end[read]]))

    def _find_places(self, nodes: Ints) -> Ints:
        """The places of containers, or NOTHING."""
        found: Ints = np.where(nodes == NOTHING, np.int32(NOTHING), self.of_nodes[nodes])
        return found
