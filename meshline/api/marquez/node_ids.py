"""The ids of nodes in Marquez's graphs: `dataset:NAMESPACE:NAME`, `datasetField:NAMESPACE:DATASET:FIELD`, `job:NAMESPACE:NAME`, `run:UUID`.

Names are not escaped in ids, and may have colons themselves: every colon is tried, against the names that the graph has.
"""

from __future__ import annotations

import enum
import re
import uuid
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

from meshline.api.marquez.question import LONGEST, Question, build_not_found
from meshline.errors import InvalidInput, NotFound
from meshline.graph.model import AssetKey, AssetKind, build_column_key, build_dataset_key, build_job_key

IDS = uuid.UUID("6f2d1f0e-6c2b-5e57-9d8a-4d3f0c5b7a11")  # the namespace of the UUIDs that are made here (RFC 9562, 5.5)
RUNS = 10  # runs of the same id, of which one with a job that is shown is looked for
MOST_COLONS = 64  # of an id at which it is split: bounds the work for a long one
_ID = re.compile(r"(dataset|datasetField|job|run):(.+)", re.DOTALL)
_VERSION = re.compile(r"#[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
_BETWEEN = re.compile(r":(?!//|[0-9])")  # where Marquez splits


def build_version(*parts: str) -> str:
    """A UUID that equal parts always give."""
    return str(uuid.uuid5(IDS, msgspec.json.encode(parts).decode()))


class NodeType(enum.StrEnum):
    """The first part of an id."""

    DATASET = "dataset"
    FIELD = "datasetField"
    JOB = "job"
    RUN = "run"


class NodeId(NamedTuple):
    """An id, resolved. `key`: the name that it contains, which may be another than the one that the graph shows.

    `version`: the UUID after `#`; None if there is none.
    """

    type: NodeType
    node: int
    key: AssetKey
    version: str | None


def format_node_id(key: AssetKey) -> str:
    """The id of a dataset, column or job."""
    return ":".join((_TYPES[key.kind], *key.parts))


_TYPES = {AssetKind.DATASET: NodeType.DATASET, AssetKind.COLUMN: NodeType.FIELD, AssetKind.JOB: NodeType.JOB}


def resolve_node_id(question: Question, text: str) -> NodeId:
    """The node of an id, which may be percent-encoded once more. Raises InvalidInput for what is no id, NotFound."""
    match = _ID.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        raise InvalidInput("give dataset:NAMESPACE:NAME, datasetField:NAMESPACE:DATASET:FIELD, job:NAMESPACE:NAME or run:UUID", "nodeId")
    type_, rest = NodeType(match[1]), match[2]
    if type_ is NodeType.RUN:
        return _resolve_run(question, rest)
    for written in dict.fromkeys((rest, unquote(rest))):
        version = _VERSION.search(written)
        for name, number in ((written, None), *(((written[: version.start()], version[0][1:]),) if version else ())):
            found = next(_find_nodes(question, type_, name), None)
            if found is not None:
                return NodeId(type_, *found, number)
    raise _build_not_found(type_, rest)


def _resolve_run(question: Question, run_id: str) -> NodeId:
    """The job of a run: what a run comes from is what its job comes from. Raises NotFound."""
    question.lasting = False  # runs are removed in time
    for one in question.live.store.list_runs_by_id(run_id, RUNS):
        key = one.run.key.job
        job = question.find_job(*key.parts)
        if job is not None:
            return NodeId(NodeType.JOB, job, key, None)
    raise build_not_found("Run", run_id)


def _find_nodes(question: Question, type_: NodeType, name: str) -> Iterator[tuple[int, AssetKey]]:
    """What a name may mean: the longest namespace first, and of columns the longest name of the dataset."""
    if type_ is NodeType.FIELD:
        for dataset, field in _split_name(name):
            for node, key in _find_nodes(question, NodeType.DATASET, dataset):
                column = question.index.assets.find_by_key(build_column_key(question.index.assets.get_key(node), field))
                if column is not None:
                    yield column, build_column_key(key, field)
        return
    find, build = (question.find_dataset, build_dataset_key) if type_ is NodeType.DATASET else (question.find_job, build_job_key)
    for namespace, rest in _split_name(name):
        found = find(namespace, rest)
        if found is not None:
            yield found, build(namespace, rest)


def _split_name(name: str) -> Iterator[tuple[str, str]]:
    """A name in two at each of its last colons, the longest first part first."""
    end = len(name)
    for _ in range(MOST_COLONS):
        end = name.rfind(":", 0, end)
        if end <= 0:
            return
        if end + 1 < len(name):
            yield name[:end], name[end + 1 :]


def _build_not_found(type_: NodeType, name: str) -> NotFound:
    """The error for an id that no known name fits: its last part is named, as Marquez would split it."""
    parts = _BETWEEN.split(_VERSION.sub("", name))
    if type_ is NodeType.FIELD and len(parts) > 2:
        return NotFound(f"Field '{parts[-1]}' not found for dataset '{parts[-2]}'.")
    return build_not_found("Job" if type_ is NodeType.JOB else "Dataset", parts[-1])
