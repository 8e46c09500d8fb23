"""Which datasets are copied whole: every column of one goes, as it is, into another."""

from __future__ import annotations

import numpy as np

from meshline.graph.index import propagation
from meshline.graph.index.answers import Flags, Ints
from meshline.graph.index.core import Core
from meshline.graph.index.tables import DATASET, N_KINDS, N_NODES


def copies(core: Core, datasets: Ints, least: int, most: int) -> tuple[Ints, Ints]:
    """(what is copied, into what), of these representatives of datasets; at most so many pairs."""
    n, kinds = int(core.counts[N_NODES]), int(core.counts[N_KINDS])
    identity = core.name_number("IDENTITY")
    alike = ((core.kinds.subtype[:kinds] == identity) & (core.kinds.flags[:kinds] & 3 == 0)).astype(np.uint8)
    found, into = np.empty(most, np.int32), np.empty(most, np.int32)
    pairs = propagation.copied(
        datasets.astype(np.int32), least, core.nodes, core.outgoing, core.folded, core.flows, core.overlay.next_out, alike,
        np.zeros(n, np.int32), np.zeros(n, np.int32), np.empty(n, np.int32), found, into,
    )  # fmt: skip
    return found[:pairs], into[:pairs]


def of_datasets(core: Core) -> Ints:
    """The representatives of all datasets that heads name."""
    n = int(core.counts[N_NODES])
    named: Flags = (core.nodes.kind[:n] == DATASET) & (core.nodes.live[:n] > 0)
    return np.unique(core.nodes.rep[:n][named])
