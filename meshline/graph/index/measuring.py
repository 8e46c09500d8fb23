"""How large an index is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meshline.graph.index.core import Core
from meshline.graph.index.tables import DEAD, N_FLOWS, N_NODES
from meshline.graph.model import KINDS, AssetKind


class Size(NamedTuple):
    """Assets that some head mentions, by each name that they have, and FLOWS_TO edges as heads say them."""

    columns: int
    datasets: int
    jobs: int
    edges: int


def measured(core: Core) -> Size:
    nodes, flows = int(core.counts[N_NODES]), int(core.counts[N_FLOWS])
    mentioned = np.bincount(core.nodes.kind[:nodes][core.nodes.live[:nodes] > 0], minlength=len(KINDS))
    return Size(
        columns=int(mentioned[KINDS.index(AssetKind.COLUMN)]),
        datasets=int(mentioned[KINDS.index(AssetKind.DATASET)]),
        jobs=int(mentioned[KINDS.index(AssetKind.JOB)]),
        edges=flows - int(np.count_nonzero(core.flows.flags[:flows] & DEAD)),
    )
