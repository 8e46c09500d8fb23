"""Jobs and consumers as nodes of a drawing: the jobs that carry its flows, and the consumers that use what it shows."""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from meshline.graph.index import Direction, Reach
from meshline.graph.index.results import Ints
from meshline.graph.model import EdgeType
from meshline.graph.queries.groups import COLUMN, NOTHING
from meshline.graph.queries.lineage import (
    Drawing,
    EdgeTable,
    Granularity,
    Numbers,
    find_datasets,
    list_distinct_rows,
    locate_nodes,
    sort_by_name,
)
from meshline.graph.queries.pages import build_name_key


class LineageInclude(enum.StrEnum):
    """What a drawing can contain as nodes of their own."""

    JOB = "JOB"
    CONSUMER = "CONSUMER"


class JobNode(NamedTuple):
    """A job that carries flows between drawn nodes, or reads a drawn node and states no output. Nodes in drawing order."""

    job: int
    reads: tuple[int, ...]
    writes: tuple[int, ...]


class ConsumerNode(NamedTuple):
    """A consumer of something that drawn nodes are or represent. Nodes in drawing order."""

    consumer: int
    uses: tuple[int, ...]


class Uses(NamedTuple):
    """Who uses which drawn nodes, as arrays of equal length; rows may repeat."""

    users: Ints
    places: Numbers  # in the drawing


class PlaceTable(NamedTuple):
    """Rows of a user and a place."""

    users: Sequence[int]
    places: Sequence[int]


class UserTable(NamedTuple):
    """The jobs and consumers of a drawing, as in `list_job_nodes` and `list_consumer_nodes`: its jobs by name, then its consumers.

    The rest are rows of a position in `users` and a place in the drawing, or, of `carries`, a row of the drawing's edges: those with a
    flow of the job. Rows are distinct and sorted.
    """

    users: Sequence[int]
    reads: PlaceTable
    writes: PlaceTable
    uses: PlaceTable
    carries: PlaceTable


def build_user_table(drawing: Drawing, edges: EdgeTable, include: Collection[LineageInclude]) -> UserTable:
    """`edges`: those of `build_edge_table`."""
    nothing = Uses(np.zeros(0, np.int32), np.zeros(0, np.int64))
    reads, writes, carries, uses = nothing, nothing, nothing, nothing
    if LineageInclude.JOB in include:
        reads, writes = _list_job_uses(drawing)
        kept = (edges.flow_edges >= 0) & (drawing.flows.job != NOTHING)
        carries = Uses(drawing.flows.job[kept], edges.flow_edges[kept])
    if LineageInclude.CONSUMER in include:
        uses = _list_consumer_uses(drawing)
    jobs = np.unique(_join_uses(reads, writes).users).tolist()
    users = [*sort_by_name(drawing.graph, jobs), *sort_by_name(drawing.graph, np.unique(uses.users).tolist())]

    def number(found: Uses) -> PlaceTable:
        rows = list_distinct_rows(locate_nodes(np.array(users, np.int32), found.users), found.places)
        return PlaceTable(*(column.tolist() for column in rows))

    return UserTable(users, number(reads), number(writes), number(uses), number(carries))


def list_job_nodes(drawing: Drawing) -> list[JobNode]:
    """The jobs of the flows between drawn nodes, and from a drawn node to itself; by name.

    Downstream, where POSSIBLE reach is asked for, also the jobs that read a drawn dataset and state no output, as in an impact.
    """
    by_read, by_write = (_list_places(found) for found in _list_job_uses(drawing))
    jobs = sorted(by_read.keys() | by_write.keys(), key=lambda job: build_name_key(drawing.graph, job))
    return [JobNode(job, _list_nodes(drawing, by_read.get(job, [])), _list_nodes(drawing, by_write.get(job, []))) for job in jobs]


def _list_job_uses(drawing: Drawing) -> tuple[Uses, Uses]:
    """What the jobs of a drawing read and write."""
    flows, drawn = drawing.flows, drawing.list_drawn()
    starts, ends = (_locate_ends(drawing, drawn, nodes) for nodes in (flows.start, flows.end))
    kept = (starts >= 0) & (ends >= 0) & (flows.job != NOTHING)
    reads, writes = Uses(flows.job[kept], starts[kept]), Uses(flows.job[kept], ends[kept])
    if drawing.arguments.direction is Direction.DOWNSTREAM and drawing.arguments.reach is Reach.POSSIBLE:
        table = drawing.graph.ownership.list_idle_reads()
        reads = _join_uses(reads, _match_uses(_list_datasets(drawing), table.start, table.end))
    return reads, writes


def _locate_ends(drawing: Drawing, drawn: Ints, ends: Ints) -> Numbers:
    """The places of the nodes that represent these ends of flows; -1 for those that are not drawn.

    By column, a column of a dataset among the starts that no flow joins to another drawn node is not drawn, but a job may derive it from
    itself: then the dataset represents it.
    """
    places: Numbers = locate_nodes(drawn, drawing.group(ends))
    if drawing.arguments.granularity is Granularity.COLUMN:
        lineage = drawing.graph.lineage
        left = np.flatnonzero((places < 0) & (lineage.get_kinds(ends) == COLUMN))
        datasets = lineage.get_datasets(ends[left])
        places[left] = np.where(np.isin(datasets, drawing.found.starts), locate_nodes(drawn, datasets), -1)
    return places


def list_consumer_nodes(drawing: Drawing) -> list[ConsumerNode]:
    """The consumers of columns, datasets and products that the drawing shows, by name.

    Who uses a column uses the node that represents it: the column, or else its dataset. Who uses a dataset or a product uses all
    nodes that represent a reached part of it. A column that was not reached does not count, although its dataset is drawn.
    """
    by_consumer = _list_places(_list_consumer_uses(drawing))
    consumers = sorted(by_consumer, key=lambda consumer: build_name_key(drawing.graph, consumer))
    return [ConsumerNode(consumer, _list_nodes(drawing, by_consumer[consumer])) for consumer in consumers]


def _list_consumer_uses(drawing: Drawing) -> Uses:
    table = drawing.graph.ownership.list_all_edges(EdgeType.CONSUMES)
    datasets = _list_datasets(drawing)
    products = Uses(drawing.graph.ownership.find_products(datasets.users), datasets.places)
    return _match_uses(_join_uses(_list_columns(drawing), datasets, products), table.start, table.end)


def _list_columns(drawing: Drawing) -> Uses:
    """The columns that were reached or started from, with the drawn nodes that represent them."""
    index, drawn = drawing.graph, drawing.list_drawn()
    begun = index.lineage.collect_columns(drawing.found.starts[index.lineage.get_kinds(drawing.found.starts) != COLUMN].tolist())
    nodes = np.unique(np.concatenate([begun, drawing.found.starts, drawing.found.nodes, drawn]))
    columns = nodes[index.lineage.get_kinds(nodes) == COLUMN]
    places = locate_nodes(drawn, drawing.group(columns))
    of_datasets = locate_nodes(drawn, index.lineage.get_datasets(columns))
    places = np.where(places >= 0, places, of_datasets)
    return Uses(columns[places >= 0], places[places >= 0])


def _list_datasets(drawing: Drawing) -> Uses:
    """The datasets that were reached or started from, as a whole or by a column, with the drawn nodes that represent parts of them."""
    drawn = drawing.list_drawn()
    beyond = drawn if drawing.arguments.granularity is Granularity.COLUMN else drawn[:0]  # datasets that are drawn beyond what was reached
    nodes = np.unique(np.concatenate([drawing.found.starts, drawing.found.nodes, beyond]))
    places = locate_nodes(drawn, drawing.group(nodes))
    datasets, places = list_distinct_rows(find_datasets(drawing.graph, nodes[places >= 0]), places[places >= 0])
    return Uses(datasets, places)


def _match_uses(known: Uses, users: Ints, used: Ints) -> Uses:
    """The places of what is used: for each row of `users` and `used`, those of `known` with the same node."""
    order = np.argsort(known.users, kind="stable")
    nodes = known.users[order]
    first, last = np.searchsorted(nodes, used, side="left"), np.searchsorted(nodes, used, side="right")
    counts = last - first
    offsets = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return Uses(np.repeat(users, counts), known.places[order[np.repeat(first, counts) + offsets]])


def _join_uses(*parts: Uses) -> Uses:
    return Uses(np.concatenate([part.users for part in parts]), np.concatenate([part.places for part in parts]))


def _list_places(found: Uses) -> dict[int, list[int]]:
    """By user, the distinct places in order."""
    by_user: dict[int, list[int]] = {}
    for user, place in zip(*(column.tolist() for column in list_distinct_rows(*found)), strict=True):
        by_user.setdefault(user, []).append(place)
    return by_user


def _list_nodes(drawing: Drawing, places: list[int]) -> tuple[int, ...]:
    return tuple(drawing.nodes[place].node for place in places)
