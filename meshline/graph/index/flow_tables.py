"""Flows as tables, as rows and as steps of a path: between the starts of a traversal and the nodes that it reached, and others."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from meshline.graph.index.arrays import (
    CLASS,
    COLUMN,
    COVERED,
    DATASET,
    DEAD,
    I64,
    N_FLOWS,
    N_NODES,
    NONE,
    PASSED_OVER,
    PROVISIONAL,
    REPLACED,
    STALE,
    U8,
)
from meshline.graph.index.heads import FLOWS
from meshline.graph.index.index_tables import IndexTables, list_positions
from meshline.graph.index.results import Direction, Flags, FlowStep, FlowTable, Ints, Reach
from meshline.graph.model import FlowType

_MASKING = 2  # FlowKinds.flags


def build_flow_table(tables: IndexTables, rows: I64) -> FlowTable:
    """These rows of `Flows` (int64) as columns."""
    kinds, flags = tables.flows.kind[rows], tables.flows.flags[rows]
    reach = (flags & CLASS).astype(np.int8)
    return FlowTable(
        tables.nodes.rep[tables.flows.start[rows]],
        tables.nodes.rep[tables.flows.end[rows]],
        reach,
        (tables.kinds.flags[kinds] & _MASKING != 0) & (reach != Reach.POSSIBLE),
        tables.kinds.job[kinds],
        tables.kinds.subtype[kinds],
        flags & COVERED != 0,
        flags & STALE != 0,
        flags & PROVISIONAL != 0,
        rows,
    )


def list_leaving_flows(tables: IndexTables, datasets: Ints) -> FlowTable:
    """The flows that begin at these representatives of datasets or at their columns, with covered pairs."""
    marked = np.zeros(int(tables.counts[N_NODES]), np.bool_)
    for dataset in datasets.tolist():
        marked[tables.list_ring(dataset)] = True
        marked[tables.list_columns(dataset)] = True
    rows = list_rows_at(tables, marked)
    return build_flow_table(tables, rows[tables.flows.flags[rows] & (DEAD | REPLACED) == 0])


def collect_origins(tables: IndexTables, datasets: Iterable[int]) -> Ints:
    """The datasets from columns of which flows lead into columns of these; representatives, sorted."""
    rows = [row for dataset in datasets for column in tables.list_columns(dataset) for row in tables.list_flow_rows(column, incoming=True)]
    starts = tables.flows.start[np.array(rows, np.int64)]
    return np.unique(tables.nodes.rep[tables.nodes.part1[starts[tables.nodes.kind[starts] == COLUMN]]])


def find_rows_between(tables: IndexTables, starts: Ints, reached: Ints, direction: Direction, weakest: int, wanted: U8 | None) -> I64:
    """The rows of flows between these representatives, at least as strong as a class, also from a dataset to itself.

    The columns of a start that is a dataset belong to the start. The flows of a dataset as a whole go on from any of its columns.
    `wanted`: by flow, whether it counts; None: all count.
    """
    inside, marked = _mark_inside(tables, starts, reached)
    rows = list_rows_at(tables, marked)
    flags = tables.flows.flags[rows]
    kept = (flags & PASSED_OVER == 0) & (flags & CLASS <= weakest)
    if wanted is not None:
        kept &= wanted[rows] != 0
    rows = rows[kept]
    start, end = tables.flows.start[rows], tables.flows.end[rows]
    near, far = (start, end) if direction is Direction.DOWNSTREAM else (end, start)
    passed = np.where(tables.nodes.kind[near] == DATASET, marked[near], inside[near]) & inside[far]
    found: I64 = rows[passed]
    return found


def _mark_inside(tables: IndexTables, starts: Ints, reached: Ints) -> tuple[Flags, Flags]:
    """By node: whether it is a member of a start or of a reached class; and the same including the datasets of columns."""
    nodes = tables.nodes
    inside = np.zeros(int(tables.counts[N_NODES]), np.bool_)
    datasets = starts[nodes.kind[starts] == DATASET]
    columns = [column for dataset in datasets.tolist() for column in tables.list_columns(dataset)]
    inside[tables.collect_members(np.concatenate([starts, reached, nodes.rep[np.array(columns, np.int32)]]))] = True
    marked = inside.copy()
    own = np.flatnonzero(inside)
    marked[tables.collect_members(np.unique(nodes.part1[own[nodes.kind[own] == COLUMN]]))] = True
    return inside, marked


def list_flows_near(tables: IndexTables, nodes: Ints, direction: Direction) -> FlowTable:
    """The flows that a walk from one of these representatives alone follows first, whatever their reach: those that begin (upstream:
    end) at it, of a column also those of its dataset as a whole, and of a dataset those of its columns.
    """
    _, marked = _mark_inside(tables, nodes, nodes[:0])
    rows = list_rows_at(tables, marked, incoming=direction is Direction.UPSTREAM)
    return build_flow_table(tables, rows[tables.flows.flags[rows] & PASSED_OVER == 0])


def list_implied_columns(tables: IndexTables, datasets: Ints) -> tuple[Ints, Ints]:
    """(datasets, columns): the columns that a walk reaches with each of these datasets (representatives), sorted by dataset."""
    n, nodes = int(tables.counts[N_NODES]), tables.nodes
    marked = np.zeros(n, np.bool_)
    marked[tables.collect_members(datasets)] = True
    own = np.flatnonzero((nodes.kind[:n] == COLUMN) & (nodes.live[:n] > 0))
    own = own[marked[nodes.part1[own]]]
    pairs = np.unique(nodes.rep[nodes.part1[own]].astype(np.int64) * n + nodes.rep[own])
    found, columns = divmod(pairs, max(n, 1))
    return found.astype(np.int32), columns.astype(np.int32)


def list_rows_at(tables: IndexTables, marked: Flags, *, incoming: bool = False) -> I64:
    """The rows of flows that begin (or end) at marked nodes, dead ones included; `marked` is indexed by node."""
    csr, n = tables.incoming if incoming else tables.outgoing, int(tables.counts[N_FLOWS])
    nodes = np.flatnonzero(marked[: len(csr.ptr) - 1])
    folded = csr.flow[list_positions(csr.ptr[nodes].astype(np.int64), csr.ptr[nodes + 1].astype(np.int64))]
    newer = np.arange(tables.folded, n)
    own = tables.flows.end if incoming else tables.flows.start
    return np.concatenate([folded.astype(np.int64), newer[marked[own[tables.folded : n]]]])


def build_flow_step(tables: IndexTables, flow: int) -> FlowStep:
    """A row of `Flows` as a step between representatives."""
    kind = int(tables.flows.kind[flow])
    reach = Reach(int(tables.flows.flags[flow]) & CLASS)
    job = int(tables.kinds.job[kind])
    return FlowStep(
        int(tables.nodes.rep[tables.flows.start[flow]]),
        int(tables.nodes.rep[tables.flows.end[flow]]),
        reach,
        None if reach is Reach.POSSIBLE else FlowType.INDIRECT if reach is Reach.INDIRECT else FlowType.DIRECT,
        tables.get_text(int(tables.kinds.subtype[kind])),
        is_masking(tables, flow),
        None if job == NONE else job,
        int(tables.heads.scope_id[tables.find_heads([flow], FLOWS)[0]]),
    )


def is_masking(tables: IndexTables, flow: int) -> bool:
    return bool(int(tables.kinds.flags[tables.flows.kind[flow]]) & _MASKING) and int(tables.flows.flags[flow]) & CLASS != Reach.POSSIBLE


def build_order_key(tables: IndexTables, step: FlowStep, get_label: Callable[[int], tuple[str, ...]] | None = None) -> tuple[object, ...]:
    """A key that orders steps by what is stated only, not by when it was loaded. `get_label`: of nodes; if not given, their names."""
    get_label = get_label or tables.get_label
    return (
        get_label(step.start),
        get_label(step.end),
        step.reach,
        step.subtype,
        step.masking,
        () if step.job is None else get_label(step.job),
        tables.heads.get_scope(tables.heads.find_current(step.scope_id)),
    )
