"""Lineage graphs: `/lineage` of datasets and jobs, `/column-lineage` of columns.

Both contain what the start comes from and what comes from it, each in one direction: not what else its inputs feed. Both go through what a
caller may not see, and have an edge between what is connected through that alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from meshline.api.marquez.datasets import build_data, describe_steps, group_steps, merge_transformations, read_known
from meshline.api.marquez.jobs import build_job_base
from meshline.api.marquez.node_ids import NodeId, NodeType, format_node_id, resolve_node_id
from meshline.api.marquez.question import HIDDEN_HEADER, Question
from meshline.api.marquez.runs import read_latest_runs
from meshline.api.marquez.shapes import (
    ColumnData,
    ColumnGraph,
    ColumnNode,
    DatasetNode,
    Graph,
    GraphEdge,
    GraphInputField,
    JobData,
    JobNode,
)
from meshline.errors import InvalidInput
from meshline.graph.index import Direction, FlowStep, LineageIndex, Reach, Traversal, Truncated
from meshline.graph.index.hidden_passages import find_passages
from meshline.graph.model import AssetKey, AssetKind, EdgeType
from meshline.graph.queries.asset_lists import list_linked
from meshline.graph.queries.assets import read_attributes
from meshline.graph.queries.lineage import locate_nodes
from meshline.graph.queries.pages import build_name_key

MOST_NODES = 500  # of a graph: the work of Marquez's page grows with the square of it
DEPTH = 20
CUT_HEADER = "Meshline-Truncated"  # of a graph of columns, whose nodes have no place for a note
CUT = f"This graph shows the nearest {MOST_NODES} datasets and jobs of more."
HIDDEN = "This graph leaves out datasets and jobs that you may not see: {}."


class _Walk(NamedTuple):
    """What was reached: nodes by their distance in jobs, and edges in the direction in which data flows."""

    distance: dict[int, int]
    edges: set[tuple[int, int]]


def get_lineage(question: Question) -> Graph:
    """The datasets and jobs from which a dataset or job comes, and those that come from it."""
    start = _resolve_start(question)
    index = question.index
    node = index.assets.get_dataset(start.node) if start.type is NodeType.FIELD else start.node
    key = AssetKey(AssetKind.DATASET, start.key.parts[:2]) if start.type is NodeType.FIELD else start.key
    depth = question.read_number("depth", DEPTH)
    walks = [_walk(question, node, direction, depth) for direction in Direction]
    distance: dict[int, int] = {}
    for walk in walks:
        for reached, far in walk.distance.items():
            distance[reached] = min(far, distance.get(reached, far))
    visible = [one for one in distance if not index.is_restricted or index.assets.is_visible(one)]
    nearest = sorted(visible, key=lambda one: (distance[one], build_name_key(index, one)))
    shown = {one: key if one == node else index.assets.get_key(one) for one in nearest[:MOST_NODES]}
    flows = {edge for walk in walks for edge in walk.edges}
    edges = {edge for edge in flows if edge[0] in shown and edge[1] in shown}
    left_out = distance.keys() - set(visible)
    notes = [CUT] if len(nearest) > MOST_NODES else []
    if left_out:
        question.headers[HIDDEN_HEADER] = str(len(left_out))
        notes.append(HIDDEN.format(len(left_out)))
        edges |= _connect_shown(question, shown, left_out, flows)
    return _build_graph(question, shown, sorted(edges), {node: "\n".join(notes)} if notes else {})


def _connect_shown(
    question: Question, shown: Iterable[int], left_out: Collection[int], flows: Collection[tuple[int, int]]
) -> set[tuple[int, int]]:
    """The pairs of nodes between which data flows through those that are left out."""
    places = {node: place for place, node in enumerate(shown)} | {node: -2 - node for node in left_out}
    ends = np.array([(places.get(begin, -1), places.get(end, -1)) for begin, end in flows], np.int64).reshape(-1, 2)
    nodes = list(shown)
    found = find_passages(ends[:, 0], ends[:, 1], np.zeros(len(ends), np.uint8), question.limits.deadline)
    return {(nodes[one.start], nodes[one.end]) for one in found}


def _resolve_start(question: Question) -> NodeId:
    """The node of the parameter `nodeId`. Raises InvalidInput, NotFound."""
    text = question.query.get("nodeId", "")
    if not text:
        raise InvalidInput("the parameter is missing", "nodeId")
    return resolve_node_id(question, text)


def _walk(question: Question, start: int, direction: Direction, depth: int) -> _Walk:
    """Follow what jobs read and write from a dataset or job in one direction, past at most `depth` jobs (from a dataset: at least one).

    The nearest nodes are complete: it ends at the distance at which more than MOST_NODES are reached that the caller may see; it goes
    through all others.
    """
    index = question.index.whole
    is_job = index.assets.get_kind(start) is AssetKind.JOB
    found = _Walk({start: 0}, set())
    jobs, datasets = ([start], []) if is_job else ([], [start])
    for distance in range(0 if is_job else 1, max(depth, 0 if is_job else 1) + 1):
        question.limits.check_deadline()
        if datasets:
            jobs = _follow(question, found, datasets, direction, distance, into=False)
        reached = [
            *_follow(question, found, jobs, direction, distance, into=True),
            *_follow_without_jobs(question, found, datasets, direction),
        ]
        datasets = list(dict.fromkeys(reached))
        if not datasets or _count_visible(question.index, found.distance) > MOST_NODES:
            break
    return found


def _count_visible(index: LineageIndex, nodes: Collection[int]) -> int:
    return sum(map(index.assets.is_visible, nodes)) if index.is_restricted else len(nodes)


def _follow(question: Question, found: _Walk, nodes: Sequence[int], direction: Direction, distance: int, *, into: bool) -> list[int]:
    """Step from datasets to jobs, or (`into`) from jobs into datasets; the nodes that were not reached before."""
    down = direction is Direction.DOWNSTREAM
    type_ = EdgeType.WRITES if down is into else EdgeType.READS
    new: list[int] = []
    for node in nodes:
        question.limits.check_deadline()
        for other in list_linked(question.index.whole, node, type_, incoming=not into):
            _add_edge(found, (node, other) if down else (other, node), other, distance, new)
    return new


def _follow_without_jobs(question: Question, found: _Walk, datasets: Sequence[int], direction: Direction) -> list[int]:
    """Step from datasets to those with which sources connect them without a job: views, projects of dbt."""
    if not datasets:
        return []
    index, limits, new = question.index.whole, question.limits, list[int]()
    flows = index.lineage.traverse(datasets, direction, depth=1, max_nodes=limits.nodes, deadline=limits.deadline).build_flow_table()
    flows = flows.filter(flows.job < 0)
    pairs = {(_find_dataset(index, a), _find_dataset(index, b)) for a, b in zip(flows.start.tolist(), flows.end.tolist(), strict=True)}
    starts = set(datasets)
    for begin, end in sorted(pairs):
        near, far = (begin, end) if direction is Direction.DOWNSTREAM else (end, begin)
        if near in starts and near != far:
            _add_edge(found, (begin, end), far, found.distance[near] + 1, new)
    return new


def _find_dataset(index: LineageIndex, node: int) -> int:
    return index.assets.get_dataset(node) if index.assets.get_kind(node) is AssetKind.COLUMN else node


def _add_edge(found: _Walk, edge: tuple[int, int], reached: int, distance: int, new: list[int]) -> None:
    found.edges.add(edge)
    if reached not in found.distance:
        found.distance[reached] = distance
        new.append(reached)


def _build_graph(question: Question, shown: dict[int, AssetKey], edges: Iterable[tuple[int, int]], notes: dict[int, str]) -> Graph:
    """`shown`: nodes with their names. `notes`: what to add to the descriptions of nodes."""
    index = question.index
    ids = {node: format_node_id(key) for node, key in shown.items()}
    incoming: dict[int, list[GraphEdge]] = {node: [] for node in shown}
    outgoing: dict[int, list[GraphEdge]] = {node: [] for node in shown}
    for begin, end in edges:
        edge = GraphEdge(ids[begin], ids[end])
        outgoing[begin].append(edge)
        incoming[end].append(edge)
    found: list[JobNode | DatasetNode] = []
    for known in read_known(question, ((node, key) for node, key in shown.items() if key.kind is AssetKind.DATASET)):
        data = build_data(question, known)
        data = msgspec.structs.replace(data, description=_add_note(data.description, notes.get(known.node)))
        found.append(DatasetNode(ids[known.node], incoming[known.node], outgoing[known.node], data))
    jobs = [(node, key) for node, key in shown.items() if key.kind is AssetKind.JOB]
    latest = read_latest_runs(question, [node for node, _ in jobs], 1)
    for (node, key), attributes in zip(jobs, read_attributes(question.live, index, [node for node, _ in jobs]), strict=True):
        base = build_job_base(question, node, key, attributes, latest[node])
        base = msgspec.structs.replace(base, description=_add_note(base.description, notes.get(node)))
        data_ = JobData(**msgspec.structs.asdict(base), current_run_uuid=None if base.latest_run is None else base.latest_run.id)
        found.append(JobNode(ids[node], incoming[node], outgoing[node], data_))
    return Graph(sorted(found, key=lambda one: one.id))


def _add_note(description: str | None, note: str | None) -> str | None:
    return "\n".join(filter(None, (note, description))) or None


def get_column_lineage(question: Question) -> ColumnGraph:
    """The columns from which columns are computed; `withDownstream`: also those that are computed from them."""
    start = _resolve_start(question)
    both, depth = question.read_flag("withDownstream"), question.read_number("depth", DEPTH)
    if start.version is not None and both:
        raise InvalidInput("the columns downstream of a version are not known: leave the version or withDownstream out", "nodeId")
    starts = _list_start_columns(question.index, start)
    flows = set[FlowStep]()
    distance = dict.fromkeys(starts, 0)
    walks = [_traverse(question, question.index, starts, direction, depth) for direction in _list_directions(both=both)]
    for found in walks:
        if found.completeness.truncated in (Truncated.NODES, Truncated.TIME):
            question.lasting = False
            question.headers[CUT_HEADER] = "not all columns were reached"
        for node, far in zip(found.nodes.tolist(), found.distance.tolist(), strict=True):
            distance[node] = min(far, distance.get(node, far))
        flows.update(found.list_flows())
    columns = [node for node in distance if question.index.assets.get_kind(node) is AssetKind.COLUMN]
    columns.sort(key=lambda node: (distance[node], build_name_key(question.index, node)))
    shown = columns[: max(MOST_NODES, len(starts))]
    if len(shown) < len(columns):
        least = "at least " if CUT_HEADER in question.headers else ""
        question.headers[CUT_HEADER] = f"the nearest {len(shown)} columns of {least}{len(columns)}"
    if question.index.is_restricted:
        flows.update(_list_hidden_ways(question.index, walks, shown, flows))
        hidden = _count_hidden(question, starts, depth, both=both)
        question.headers |= {HIDDEN_HEADER: str(hidden)} if hidden else {}
    return _build_column_graph(question, start, shown, flows)


def _list_directions(*, both: bool) -> Sequence[Direction]:
    return (Direction.UPSTREAM, Direction.DOWNSTREAM) if both else (Direction.UPSTREAM,)


def _traverse(question: Question, index: LineageIndex, starts: Sequence[int], direction: Direction, depth: int) -> Traversal:
    limits = question.limits
    return index.lineage.traverse(
        starts, direction, reach=Reach.INDIRECT, depth=max(1, depth), max_nodes=limits.nodes, deadline=limits.deadline
    )


def _list_hidden_ways(
    index: LineageIndex, walks: Iterable[Traversal], columns: Sequence[int], flows: Iterable[FlowStep]
) -> Iterator[FlowStep]:
    """The flows between shown columns, and datasets as wholes, that go through hidden assets, where no other connects them."""
    datasets = dict.fromkeys(index.assets.get_dataset(column) for column in columns)
    nodes = np.unique(np.array([*columns, *datasets], np.int32))
    known = {(flow.start, flow.end) for flow in flows}
    for walk in walks:
        for way in walk.list_passages(lambda ends: locate_nodes(nodes, ends), whole=False):
            start, end = int(nodes[way.start]), int(nodes[way.end])
            if (start, end) not in known:
                known.add((start, end))
                yield FlowStep(start, end, way.reach, None, "", masking=False, job=None, scope_id=-1, hidden=way.hidden)


def _count_hidden(question: Question, starts: Sequence[int], depth: int, *, both: bool) -> int:
    """How many of the columns, and datasets as wholes, that an administrator would be shown the caller may not see."""
    whole, seen = question.index.whole, question.index.assets
    walks = (_traverse(question, whole, starts, direction, depth) for direction in _list_directions(both=both))
    reached = {node for walk in walks for node in walk.nodes.tolist()}
    return sum(1 for node in reached if whole.assets.get_kind(node) is AssetKind.COLUMN and not seen.is_visible(node))


def _list_start_columns(index: LineageIndex, start: NodeId) -> list[int]:
    """A column itself; the columns of a dataset, or of all that a job writes."""
    if start.type is NodeType.FIELD:
        return [start.node]
    datasets = [start.node] if start.type is NodeType.DATASET else list_linked(index, start.node, EdgeType.WRITES)
    return [column for dataset in datasets for column in index.assets.list_columns(dataset)]


def _build_column_graph(question: Question, start: NodeId, columns: Sequence[int], flows: Iterable[FlowStep]) -> ColumnGraph:
    """A closed graph: every edge leads to a column in it. In both lists of edges the origin is the node itself, as Marquez has it."""
    index = question.index
    asked = {start.node: start.key} if start.type is not NodeType.JOB else {}
    keys = {column: _find_asked_key(index, column, asked) for column in columns}
    ids = {column: format_node_id(key) for column, key in keys.items()}
    datasets = dict.fromkeys(index.assets.get_dataset(column) for column in columns)
    inputs = {
        column: {begin: steps for begin, steps in starts.items() if begin in ids}
        for column, starts in group_steps(index, flows, datasets, columns).items()
    }
    outputs: dict[int, list[int]] = {}
    for column, starts in inputs.items():
        for begin in starts:
            outputs.setdefault(begin, []).append(column)
    question.shown.update(columns)
    types = dict(zip(columns, read_attributes(question.live, index, columns), strict=True))
    nodes: list[ColumnNode] = []
    for column in columns:
        before = sorted(inputs.get(column, {}), key=lambda one: ids[one])
        after = sorted(outputs.get(column, ()), key=lambda one: ids[one])
        fields = [_build_input(keys[begin], inputs[column][begin]) for begin in before]
        description, type_ = merge_transformations(fields)
        namespace, dataset, field = keys[column].parts
        data = ColumnData(namespace, dataset, None, field, types[column].find_text("type") or "", description, type_, fields)
        incoming, outgoing = ([GraphEdge(ids[column], ids[other]) for other in others] for others in (before, after))
        nodes.append(ColumnNode(ids[column], incoming, outgoing, data))
    return ColumnGraph(sorted(nodes, key=lambda one: one.id))


def _find_asked_key(index: LineageIndex, column: int, asked: dict[int, AssetKey]) -> AssetKey:
    """The name of a column: that of the question, or within the dataset that was asked for, the one under which it was asked for."""
    if column in asked:
        return asked[column]
    dataset = asked.get(index.assets.get_dataset(column))
    return (
        index.assets.get_key(column)
        if dataset is None
        else AssetKey(AssetKind.COLUMN, (*dataset.parts, index.assets.get_column_name(column)))
    )


def _build_input(key: AssetKey, steps: Sequence[FlowStep]) -> GraphInputField:
    namespace, dataset, field = key.parts
    description, type_ = describe_steps(steps)
    return GraphInputField(namespace, dataset, None, field, description, type_)
