"""Which scopes speak of an asset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meshline.graph.index.answers import Ints
from meshline.graph.index.core import Core, named_by
from meshline.graph.index.tables import DATASET, GONE, NONE
from meshline.graph.model import AssetKey


def scopes_of(core: Core, node: int) -> list[int]:
    """The scopes whose heads mention any member; a mention of a column is one of its dataset."""
    members = core.ring(node)
    if core.nodes.kind[node] == DATASET:
        columns = [column for member in members for column in core.children(member)]
        members += [column for column in columns if not core.nodes.traits[column] & GONE]
    heads: set[int] = set()
    for member in members:
        heads.update(core.heads_of(core.fact_rows(member), 2))
        heads.update(core.heads_of([*core.relation_rows(member, NONE), *core.relation_rows(member, NONE, incoming=True)], 1))
        heads.update(core.heads_of([*core.flow_rows(member), *core.flow_rows(member, incoming=True)], 0))
    return np.sort(core.heads.scope_id[list(heads)]).tolist() if heads else []


def fact_names(core: Core, node: int) -> dict[int, set[AssetKey]]:
    """The scopes whose heads say attributes of any member, each with the names under which it does."""
    found: dict[int, set[AssetKey]] = {}
    for member in core.ring(node):
        for head in core.heads_of(core.fact_rows(member), 2):
            found.setdefault(int(core.heads.scope_id[head]), set()).add(core.key(member))
    return found


def mentioned(core: Core, head: int) -> Ints:
    """The nodes that a head mentions, even if only by facts that are not seen."""
    return named_by(core.mentions[core.heads.starts[head, 3] : core.heads.starts[head + 1, 3]])


def scopes_mentioning(core: Core, nodes: Sequence[int]) -> set[int]:
    """The scopes whose heads mention any of exactly these nodes, even if only by facts that are not seen: a look at all mentions."""
    if not nodes:
        return set()
    heads = set(core.heads_of(core.mention_rows(nodes), 3))
    return {int(core.heads.scope_id[head]) for head in heads if core.heads.alive[head]}
