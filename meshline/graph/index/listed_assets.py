"""Which assets lists and searches show, for all assets at once: `DisplayNames` has the same rules for one asset.

A million columns take some tens of milliseconds, so the answer is kept until names change.
"""

from __future__ import annotations

import numpy as np

from meshline.graph.index.arrays import COLUMN, DATASET, GONE, I64, N_NODES, N_RELATIONS, NONE
from meshline.graph.index.heads import IN_PARTS, IN_WHOLE, RELATIONS
from meshline.graph.index.index_tables import IndexTables
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import CATALOG_KINDS, EDGE_TYPES, EdgeType, Precedence, parse_source_kind

_HAS_COLUMN = EDGE_TYPES.index(EdgeType.HAS_COLUMN)
_NEVER = np.iinfo(np.int64).min


def mark_listed(tables: IndexTables, precedence: Precedence) -> Flags:
    """Boolean array by representative: visible assets, without inferred datasets and their columns, and without unlisted columns."""
    nodes, n = tables.nodes, int(tables.counts[N_NODES])
    listed, solid = np.zeros(n, np.bool_), nodes.kind[:n] != DATASET
    listed[nodes.rep[np.flatnonzero((nodes.live[:n] > 0) & (nodes.traits[:n] & GONE == 0))]] = True
    solid[nodes.rep[np.flatnonzero(nodes.solid[:n] > 0)]] = True
    columns = np.flatnonzero(nodes.kind[:n] == COLUMN)
    datasets = nodes.rep[nodes.part1[columns]]
    listed &= solid
    listed[columns] &= solid[datasets]
    if has_catalog(tables) or tables.heads.has_partial():
        listed[columns] &= ~_mark_unlisted(tables, precedence, columns, datasets)[columns]
    return listed


def has_catalog(tables: IndexTables) -> bool:
    """Whether a catalog is among the sources."""
    return any(parse_source_kind(source) in CATALOG_KINDS for source in tables.heads.sources)


def _mark_unlisted(tables: IndexTables, precedence: Precedence, columns: I64, datasets: Ints) -> Flags:
    """By representative: the columns that `DisplayNames.is_unlisted`. `datasets`: those of all columns."""
    heads, rep, n = tables.heads, tables.nodes.rep, int(tables.counts[N_NODES])
    relations, number = tables.relations, int(tables.counts[N_RELATIONS])
    rows = np.flatnonzero(relations.type[:number] == _HAS_COLUMN)
    head = np.repeat(np.arange(heads.n, dtype=np.int32), np.diff(heads.starts[: heads.n + 1, RELATIONS]))[rows]
    dataset, column = rep[relations.start[rows]], rep[relations.end[rows]]
    strongest = _find_strongest_catalogs(tables, precedence, dataset, head)
    unlisted = np.zeros(n, np.bool_)
    unlisted[columns] = strongest[datasets] != NONE
    unlisted[column[strongest[dataset] == head]] = False

    in_parts, in_whole = (np.bincount(dataset[heads.listing[head] == how], minlength=n) > 0 for how in (IN_PARTS, IN_WHOLE))
    open_ = np.flatnonzero((in_parts & in_whole & (strongest == NONE))[dataset])
    dataset, column, head = dataset[open_], column[open_], head[open_]
    how, time = heads.listing[head], heads.observed_at[head]
    newest_of_whole, newest = np.full(n, _NEVER), np.full(n, _NEVER)
    np.maximum.at(newest_of_whole, dataset[how == IN_WHOLE], time[how == IN_WHOLE])
    np.maximum.at(newest, column, time)
    unlisted[column] = newest_of_whole[dataset] > newest[column]
    unlisted[column[how != IN_PARTS]] = False
    return unlisted


def _find_strongest_catalogs(tables: IndexTables, precedence: Precedence, dataset: Ints, head: Ints) -> Ints:
    """By dataset, the head of a catalog that decides which columns it has, or NONE. `dataset`, `head`: of each listed column."""
    heads = tables.heads
    found = np.full(int(tables.counts[N_NODES]), NONE, np.int32)
    sources = np.array(heads.sources, np.object_)
    of_catalog = np.array([parse_source_kind(source) in CATALOG_KINDS for source in heads.sources], np.bool_)
    kept = of_catalog[heads.source[head]]
    pairs = np.unique(dataset[kept].astype(np.int64) << 32 | head[kept])
    dataset, head = (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)
    found[dataset] = head
    several = np.bincount(dataset, minlength=1)[dataset] > 1
    dataset, head = dataset[several], head[several]
    rank = np.array([precedence.rank(source, "columns") for source in heads.sources], np.int64)[heads.source[head]]
    by_source = np.argsort(np.argsort(sources))[heads.source[head]]
    scopes = {text: place for place, text in enumerate(sorted({heads.scopes[number] for number in head.tolist()}))}
    by_scope = np.array([scopes[heads.scopes[number]] for number in head.tolist()], np.int64)
    weakest_first = np.lexsort((by_scope, by_source, -heads.observed_at[head], heads.listing[head] == IN_PARTS, rank))[::-1]
    found[dataset[weakest_first]] = head[weakest_first]
    return found
