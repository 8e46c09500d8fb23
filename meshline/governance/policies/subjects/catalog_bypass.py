"""Data that leaves a catalog by a path, and is read there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meshline.governance.policies.evaluation_context import EvaluationContext, Scope
from meshline.governance.policies.subjects import Candidate, Fields, Parameters, Subject
from meshline.graph.index.arrays import CLASS, COLUMN, DATASET, DEAD, N_FLOWS, N_NODES
from meshline.graph.index.flow_tables import rows_of
from meshline.graph.index.index_tables import Core
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import CATALOG_KINDS, parse_source_kind

FIELDS = {
    "dataset": "the path",
    "port": "whether it is an output port of a product",
    "product": "the product that it belongs to, or an empty text",
    "domain": "its domain, or an empty text",
    "origins": "the tables of a catalog from which it is written",
    "readers": "what is written from it, and the consumers that use it",
}

# Where files are: what has such a name only is no table of anything.
_PATHS = ("file", "s3", "gs", "gcs", "abfs", "abfss", "wasb", "wasbs", "adl", "hdfs", "dbfs", "oss", "cos", "obs")
_SHOWN = 10
_MENTIONS = 3  # the column of Heads.starts


def list_candidates(look: EvaluationContext, parameters: Parameters, scope: Scope | None) -> Iterator[Candidate]:
    core = look.index.core
    catalogued = _mark_catalogued(core)
    if not catalogued.any():
        return
    starts, ends = _list_dataset_flows(core)
    chosen = _mark_paths(core, catalogued)
    if scope is not None:
        chosen &= _mark_near(core, scope, starts, ends)
    origins, readers = _list_sides(starts, ends, chosen & _mark_nodes(core, ends[catalogued[starts]]))
    consumers = _list_consumers(look)
    for path in sorted(origins):
        from_catalog = sorted(look.get_name(one) for one in origins[path] if catalogued[one])
        reading = sorted({*(look.get_name(one) for one in readers.get(path, ())), *(look.get_name(one) for one in consumers.get(path, ()))})
        if from_catalog and reading:
            yield Candidate(_build_fields(look, parameters, path, from_catalog, reading), path)


def _build_fields(look: EvaluationContext, parameters: Parameters, path: int, origins: list[str], readers: list[str]) -> Fields:
    return Fields(
        {"parameters": parameters, "origins": origins[:_SHOWN], "readers": readers[:_SHOWN], "port": path in look.exposed},
        {
            "name": lambda: look.get_name(path),
            "dataset": lambda: look.get_name(path),
            "product": lambda: look.get_name(look.index.ownership.find_product(path)),
            "domain": lambda: look.get_name(look.index.ownership.find_domain(path)),
        },
    )


def has_catalog(core: Core) -> bool:
    return bool(_mark_catalogued(core).any())


def _mark_catalogued(core: Core) -> Flags:
    """By node, of representatives: whether a catalog's heads name the dataset. None, if no catalog says anything."""
    heads, n = core.heads, int(core.counts[N_NODES])
    found = np.zeros(n, np.bool_)
    sources = [number for number, source in enumerate(heads.sources) if parse_source_kind(source) in CATALOG_KINDS]
    if sources:
        own = np.flatnonzero((heads.alive[: heads.n] != 0) & np.isin(heads.source[: heads.n], sources))
        mentions = core.mentions[rows_of(heads.starts[own, _MENTIONS], heads.starts[own + 1, _MENTIONS])]
        mentions = mentions[mentions >= 0]
        found[core.nodes.rep[mentions[core.nodes.kind[mentions] == DATASET]]] = True
    return found


def _mark_paths(core: Core, catalogued: Flags) -> Flags:
    """By node, of representatives: whether it is a dataset that has no name but paths, and that no catalog names."""
    n, nodes = int(core.counts[N_NODES]), core.nodes
    own = np.flatnonzero((nodes.kind[:n] == DATASET) & (nodes.live[:n] > 0))
    spaces = nodes.part1[own]
    physical = np.isin(spaces, [number for number in np.unique(spaces).tolist() if _is_path(core.text(number))])
    found = np.zeros(n, np.bool_)
    found[nodes.rep[own[physical]]] = True
    found[nodes.rep[own[~physical]]] = False
    found &= ~catalogued
    return found


def _is_path(namespace: str) -> bool:
    return namespace.partition(":")[0].lower() in _PATHS


def _list_dataset_flows(core: Core) -> tuple[Ints, Ints]:
    """The pairs of datasets (representatives) of which one is written from the other, recorded columns or not."""
    n, nodes = int(core.counts[N_FLOWS]), core.nodes
    flags = core.flows.flags[:n]
    rows = np.flatnonzero(flags & (DEAD | CLASS) == 2)  # between datasets
    start, end = nodes.rep[core.flows.start[rows]], nodes.rep[core.flows.end[rows]]
    return start[start != end], end[start != end]


def _mark_near(core: Core, scope: Scope, starts: Ints, ends: Ints) -> Flags:
    """By node: touched datasets, and those that one flow joins with one."""
    touched = _mark_nodes(core, np.array(sorted(scope.datasets), np.int32))
    near = touched.copy()
    near[starts[touched[ends]]] = True
    near[ends[touched[starts]]] = True
    return near


def _mark_nodes(core: Core, nodes: Ints) -> Flags:
    marks = np.zeros(int(core.counts[N_NODES]), np.bool_)
    marks[nodes] = True
    return marks


def _list_sides(starts: Ints, ends: Ints, chosen: Flags) -> tuple[dict[int, set[int]], dict[int, set[int]]]:
    """By chosen dataset: from what it is written, and what is written from it."""
    origins: dict[int, set[int]] = {}
    readers: dict[int, set[int]] = {}
    for row in np.flatnonzero(chosen[ends]).tolist():
        origins.setdefault(int(ends[row]), set()).add(int(starts[row]))
    for row in np.flatnonzero(chosen[starts]).tolist():
        readers.setdefault(int(starts[row]), set()).add(int(ends[row]))
    return origins, readers


def _list_consumers(look: EvaluationContext) -> dict[int, set[int]]:
    tied, index = look.consumes, look.index
    kinds = index.lineage.get_kinds(tied.end)
    used = tied.end.copy()
    used[kinds == COLUMN] = index.lineage.get_datasets(tied.end[kinds == COLUMN])
    found: dict[int, set[int]] = {}
    for user, of in zip(tied.start.tolist(), used.tolist(), strict=True):
        found.setdefault(of, set()).add(user)
    return found


def _covers(look: EvaluationContext, scope: Scope, asset: int, end: int) -> bool:  # noqa: ARG001
    if "near" not in look.shared:
        starts, ends = _list_dataset_flows(look.index.core)
        look.shared["near"] = _mark_near(look.index.core, scope, starts, ends)
    return bool(look.shared["near"][asset])


SUBJECT = Subject(
    "bypass",
    "Every dataset that is only a path, without a name in a catalog, is written from a table of a catalog, and is read by something."
    " Where no catalog is known at all there are none.",
    FIELDS,
    list_candidates,
    _covers,
)
