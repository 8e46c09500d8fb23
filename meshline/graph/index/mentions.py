"""Which scopes speak of an asset."""

from __future__ import annotations

import numpy as np

from meshline.graph.index.core import Core
from meshline.graph.index.tables import DATASET, NONE


def scopes_of(core: Core, node: int) -> list[int]:
    """The scopes whose heads mention any member; a mention of a column is one of its dataset."""
    members = core.ring(node)
    if core.nodes.kind[node] == DATASET:
        members += [column for member in members for column in core.children(member)]
    heads: set[int] = set()
    for member in members:
        heads.update(core.heads_of(core.fact_rows(member), 2))
        heads.update(core.heads_of([*core.relation_rows(member, NONE), *core.relation_rows(member, NONE, incoming=True)], 1))
        heads.update(core.heads_of([*core.flow_rows(member), *core.flow_rows(member, incoming=True)], 0))
    return np.sort(core.heads.scope_id[list(heads)]).tolist() if heads else []


def scopes_of_facts(core: Core, node: int) -> list[int]:
    """The scopes whose heads say attributes of any member."""
    heads = {head for member in core.ring(node) for head in core.heads_of(core.fact_rows(member), 2)}
    return np.sort(core.heads.scope_id[list(heads)]).tolist() if heads else []
