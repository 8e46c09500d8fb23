"""How far a change goes: the assets about which a policy may say something else now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from meshline.governance.policies.evaluation_context import Look
from meshline.graph.index import LineageIndex
from meshline.graph.index.arrays import COLUMN, DATASET, N_NODES
from meshline.graph.index.mentions import Moved
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import KINDS, AssetKind, EdgeType

_OWNER = KINDS.index(AssetKind.OWNER)


class Scope(NamedTuple):
    """Representatives. `touched`: products, contracts and consumers that are named by what changed, or owned by who is.
    `datasets`: those that are named, and those that the touched ones show, take in, govern. `products`, `contracts`: the touched
    ones and those of these datasets. `changed`: the columns, and datasets as wholes, whose values may be others;
    `marked`: by node, these and their datasets. `nodes`: all of them under all their names, with the columns of the datasets.
    """

    touched: frozenset[int]
    datasets: frozenset[int]
    products: frozenset[int]
    contracts: frozenset[int]
    nodes: frozenset[int]
    marked: Flags
    changed: Ints


def patterns(index: LineageIndex) -> Mapping[int, frozenset[str]]:
    """Which names belong to which product or domain."""
    return {node: frozenset(text for texts in said.values() for text in texts) for node, said in index.members_of.items()}


def scope(look: Look, moved: Moved, more: Iterable[int] = ()) -> Scope | None:
    """What a change may touch; None: anything. `more`: assets that are to be looked at as well."""
    index, core = look.index, look.index.core
    nodes = np.unique(core.nodes.rep[np.concatenate([moved.named, np.array(sorted(more), np.int32)])])
    kinds = core.nodes.kind[nodes]
    by_kind = {kind: nodes[kinds == code] for code, kind in enumerate(KINDS)}
    fed = np.unique(core.nodes.rep[moved.fed])
    fed_kinds = core.nodes.kind[fed]
    if len(by_kind[AssetKind.DOMAIN]):
        return None
    products, contracts, consumers, owners = (
        set(by_kind[kind].tolist()) for kind in (AssetKind.DATA_PRODUCT, AssetKind.CONTRACT, AssetKind.CONSUMER, AssetKind.OWNER)
    )
    owners.update(fed[fed_kinds == _OWNER].tolist())  # those whose forms mean another one now
    datasets = {*by_kind[AssetKind.DATASET].tolist(), *index.datasets(by_kind[AssetKind.COLUMN]).tolist()}
    if owners:
        owned = index.ties(EdgeType.OWNS)
        for node in np.unique(owned.end[np.isin(owned.start, sorted(owners))]).tolist():
            {
                AssetKind.DATASET: datasets,
                AssetKind.DATA_PRODUCT: products,
                AssetKind.CONTRACT: contracts,
                AssetKind.CONSUMER: consumers,
            }.get(index.kind(node), set()).add(node)
    datasets.update(fed[fed_kinds == DATASET].tolist(), index.datasets(fed[fed_kinds == COLUMN]).tolist())
    datasets.update(_hanging(look, products, contracts))
    changed = _changed(look, moved.fed)
    marked = np.zeros(int(core.counts[N_NODES]), np.bool_)
    marked[changed] = True
    marked[index.datasets(changed[core.nodes.kind[changed] == COLUMN])] = True
    wanted = sorted(datasets)
    governing = look.governs.start[np.isin(look.governs.end, wanted)].tolist()
    return Scope(
        frozenset(products | contracts | consumers),
        frozenset(datasets),
        frozenset(products.union(_with_ports(look, wanted))),
        frozenset(contracts.union(governing)),
        frozenset(
            {
                *products,
                *contracts,
                *consumers,
                *moved.named.tolist(),
                *moved.fed.tolist(),
                *_columns(look, datasets | set(np.flatnonzero(marked).tolist())),
            }
        ),
        marked,
        changed,
    )


def _hanging(look: Look, products: set[int], contracts: set[int]) -> Iterable[int]:
    """The datasets of the ports of these products and what else is used of them, and what these contracts govern."""
    if contracts:
        yield from look.governs.end[np.isin(look.governs.start, sorted(contracts))].tolist()
    if products:
        wanted = sorted(products)
        for ports in (look.outputs, look.inputs):
            yield from ports.dataset[np.isin(ports.product, wanted)].tolist()
        used = used_datasets(look)
        yield from used[np.isin(look.index.products(used), wanted)].tolist()


def _columns(look: Look, nodes: set[int]) -> Iterable[int]:
    """These, and the columns of those that are datasets, under all their names."""
    core = look.index.core
    for node in nodes:
        for member in core.ring(node):
            yield member
            if core.nodes.kind[member] == DATASET:
                yield from core.children(member)


def _with_ports(look: Look, wanted: Sequence[int]) -> Iterable[int]:
    """The products with ports on these datasets."""
    for ports in (look.outputs, look.inputs):
        yield from ports.product[np.isin(ports.dataset, wanted)].tolist()


def used_datasets(look: Look) -> Ints:
    """The datasets that consumers, or products by their input ports, use."""
    ends = np.concatenate([look.consumes.end, look.inputs.dataset])
    kinds = look.index.kinds(ends)
    return np.unique(np.concatenate([ends[kinds == DATASET], look.index.datasets(ends[kinds == COLUMN])])).astype(np.int32)


def _changed(look: Look, fed: Ints) -> Ints:
    """The columns that may hold other values, all to which those may go, datasets of which any column may, and what represents
    nothing any more.
    """
    core = look.index.core
    current = np.unique(core.nodes.rep[fed])
    datasets = current[core.nodes.kind[current] == DATASET]
    own = [column for dataset in datasets.tolist() for member in core.ring(dataset) for column in core.children(member)]
    begun = np.unique(np.concatenate([current[core.nodes.kind[current] == COLUMN], datasets, core.nodes.rep[np.array(own, np.int32)]]))
    former = fed[core.nodes.rep[fed] != fed]
    return np.unique(np.concatenate([look.index.onward(begun.astype(np.int32)), former])).astype(np.int32)
