"""How the values of a column are used downstream, as far as flows show: by name, by position, as a key, in a condition, or not at all.

A flow states that one column makes another, and by which kind of step. It does not state the text of the query: `SELECT *`, `UNION` and
`INSERT` without a list of columns are not recorded. A table that has every column of another, copied as it is, is taken for one
that may be written by position. What a consumer does with a column is not recorded either: it may be anything. A dataset is unread
if no job, consumer, derived table or contract depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meshline.governance.change_impact import Touched
from meshline.governance.changes import Change, SubjectKind
from meshline.governance.rules import AdjustedVerdict, Verdict
from meshline.governance.types import Type, same, specified, widening
from meshline.governance.types.normalization import normal
from meshline.graph.contracts import Contract
from meshline.graph.index import Direction, Reach
from meshline.graph.index.arrays import NONE
from meshline.graph.index.flow_tables import FlowTable
from meshline.graph.index.results import Flags, Ints
from meshline.graph.model import AssetKey, AssetKind, EdgeType
from meshline.graph.queries.assets import attributes
from meshline.graph.queries.contract_versions import versions

IDENTITY = "IDENTITY"
KEYS = frozenset({"JOIN", "GROUP_BY"})
CONDITIONS = frozenset({"FILTER", "CONDITIONAL"})
PLAIN = frozenset({"JOIN", "GROUP_BY", "SORT", "WINDOW"})  # INDIRECT, and no condition on a value
COPIES = 5_000  # columns whose types are looked up for one change


def joined(_change: Change, touched: Touched) -> AdjustedVerdict | None:
    return _read(touched, KEYS, Verdict.BREAKING, "It is a key of a join or a group")


def branched(_change: Change, touched: Touched) -> AdjustedVerdict | None:
    return _read(touched, CONDITIONS, Verdict.CONDITIONAL, "A filter or condition reads it")


def _read(touched: Touched, subtypes: frozenset[str], verdict: Verdict, what: str) -> AdjustedVerdict | None:
    flows = touched.readings
    hit = np.isin(touched.subtypes(flows), sorted(subtypes))
    return AdjustedVerdict(verdict, f"{what}: {_places(touched, flows, hit)}.") if hit.any() else None


def _places(touched: Touched, flows: FlowTable, chosen: Flags) -> str:
    """The jobs of flows, else where they lead."""
    jobs = [job for job in flows.job[chosen].tolist() if job != NONE]
    return touched.telling.names(jobs or flows.end[chosen].tolist())


def unbranched(_change: Change, touched: Touched) -> AdjustedVerdict | None:
    """No step on the way may be a condition, and no consumer has the values: it might have one."""
    flows = touched.readings
    subtypes = np.array(touched.subtypes(flows), dtype=object)
    known = np.where(flows.reach == Reach.INDIRECT, np.isin(subtypes, sorted(PLAIN)), subtypes != "")
    if not known.all() or _valued_consumers(touched):
        return None
    return AdjustedVerdict(Verdict.COMPATIBLE, "No filter or condition reads it.")


def filtered(_change: Change, touched: Touched) -> AdjustedVerdict | None:
    flows = touched.readings
    if not len(flows.start) or set(touched.subtypes(flows)) != {"FILTER"} or _valued_consumers(touched):
        return None
    return AdjustedVerdict(Verdict.CONDITIONAL, "Whoever reads it only filters by it.")


def _valued_consumers(touched: Touched) -> bool:
    """Whether a consumer has the values, or may have them."""
    return any(one.reach is not Reach.INDIRECT for one in touched.reached(AssetKind.CONSUMER))


# -- types


def narrower(change: Change, touched: Touched) -> AdjustedVerdict | None:
    """A copy of known type that cannot hold what comes."""
    after = normal(str(change.after))
    copies = _copies(touched)[0].tolist()[:COPIES]
    narrow = [node for node, type_ in _types(touched, copies).items() if not _holds(type_, after)]
    return AdjustedVerdict(Verdict.BREAKING, f"A copy of it has a narrower type: {touched.telling.names(narrow)}.") if narrow else None


def accepted(change: Change, touched: Touched) -> AdjustedVerdict | None:
    """All that has the values is a copy of known type that holds what comes; nothing is computed of it, no consumer has it."""
    copies, only = _copies(touched)
    known = _types(touched, copies.tolist()[: COPIES + 1])
    after = normal(str(change.after))
    fit = len(copies) <= COPIES and len(known) == len(copies) and all(_holds(type_, after) for type_ in known.values())
    if not only or not fit or _valued_consumers(touched):
        return None
    return AdjustedVerdict(Verdict.COMPATIBLE, "Every copy of it has a type that is wide enough.")


def _holds(type_: Type, after: Type) -> bool:
    return same(type_, after) or widening(after, type_) or specified(type_, after)


def _copies(touched: Touched) -> tuple[Ints, bool]:
    """The columns that are copies of the starts, however far; whether nothing else is made of the values."""
    flows = touched.readings
    identity = (flows.reach == Reach.DIRECT) & (np.array(touched.subtypes(flows), dtype=object) == IDENTITY) & ~flows.masking
    known = np.array(touched.impact.traversal.starts)
    found = np.empty(0, np.int32)
    while True:
        new = np.unique(flows.end[identity & np.isin(flows.start, known)])
        new = new[~np.isin(new, known)]
        if not new.size:
            return found, not bool(((flows.reach == Reach.DIRECT) & ~identity).any())
        known, found = np.concatenate([known, new]), np.concatenate([found, new])


def _types(touched: Touched, columns: list[int]) -> dict[int, Type]:
    """The types of columns, where they are known."""
    said = zip(columns, attributes(touched.live, touched.index, columns), strict=True)
    return {node: normal(text) for node, known in said if (text := known.text("type"))}


# -- positions


def positional(_change: Change, touched: Touched) -> AdjustedVerdict | None:
    """Tables that have every column of the changed one, copied as it is."""
    copying = sorted({copy for dataset in {*touched.datasets, *touched.homes} for copy in _whole_copies(touched, dataset)})
    if not copying:
        return None
    why = f"{touched.telling.names(copying)} has every column of it: if that is by position (INSERT without a list, UNION), columns shift."
    return AdjustedVerdict(Verdict.CONDITIONAL, why)


def _whole_copies(touched: Touched, dataset: int) -> list[int]:
    index = touched.index
    columns = [column for column in index.assets.list_columns(dataset) if not index.assets.is_inferred(column)]
    flows = index.lineage.traverse([dataset], Direction.DOWNSTREAM, reach=Reach.DIRECT, depth=1).flow_table()
    identity = np.array([subtype == IDENTITY for subtype in touched.subtypes(flows)], np.bool_)
    pairs = set(zip(flows.start[identity].tolist(), flows.end[identity].tolist(), strict=True))
    targets = {index.assets.get_dataset(end) for _, end in pairs if index.assets.get_kind(end) is AssetKind.COLUMN} - {dataset}
    return [target for target in targets if columns and _copied(touched, columns, target, pairs)]


def _copied(touched: Touched, columns: list[int], target: int, pairs: set[tuple[int, int]]) -> bool:
    """Whether the n-th column of the target is a copy of the n-th of these, and there are no others."""
    others = [column for column in touched.index.assets.list_columns(target) if not touched.index.assets.is_inferred(column)]
    return len(others) == len(columns) and all(pair in pairs for pair in zip(columns, others, strict=True))


_READERS = (AssetKind.COLUMN, AssetKind.DATASET, AssetKind.JOB, AssetKind.CONSUMER)


def unread(change: Change, touched: Touched) -> AdjustedVerdict | None:
    """Compatible if nobody does. Whether that is known is asked before (`lineage_gaps.gaps`)."""
    if any(kind in touched.sizes for kind in _READERS) or promising_contracts(change, touched):
        return None
    return AdjustedVerdict(Verdict.COMPATIBLE, "Nobody reads it, and all that leaves it is known.")


def bystander(touched: Touched, consumer: AssetKey) -> bool:
    """Whether a consumer that is bound says which columns it uses of the datasets, and uses none that is changed."""
    index = touched.index
    node = index.assets.find_by_key(consumer)
    used = {edge.end for edge in index.ownership.list_edges(node, EdgeType.CONSUMES)} if node is not None else set()
    whole = {*touched.begun, *(index.ownership.find_product(dataset) for dataset in touched.datasets)}
    columns = {one for one in used if index.assets.get_kind(one) is AssetKind.COLUMN and index.assets.get_dataset(one) in touched.datasets}
    return bool(columns) and used.isdisjoint(whole) and not any(map(touched.is_touched, columns))


def promising_contracts(change: Change, touched: Touched) -> list[str]:
    """The names of the contracts in force, except the one that is changed, which promise what is changed."""
    index = touched.index
    datasets = {*touched.datasets, *touched.homes}
    governing = sorted(
        {edge.start for dataset in datasets for edge in index.ownership.list_edges(dataset, EdgeType.GOVERNS, incoming=True)}
    )
    keys = (*change.assets, *map(index.assets.get_key, touched.starts))
    paths = [key.name.casefold() for key in keys if key.kind is AssetKind.COLUMN]
    columns = {name for path in paths for name in (path, path.partition(".")[0])}
    found = []
    for node, known in zip(governing, attributes(touched.live, index, governing), strict=True):
        name = index.assets.get_label(node).name
        if (change.subject.kind, change.subject.name) == (SubjectKind.CONTRACT, name):
            continue
        in_force = [version.contract for version in versions(name, known.rows) if version.contract.in_force]
        if any(not columns or not columns.isdisjoint(_fields(contract)) for contract in in_force):
            found.append(name)
    return found


def _fields(contract: Contract) -> Iterator[str]:
    """The columns that a contract promises, under all names that it gives them."""
    for model in contract.models:
        for field in model.fields:
            yield from (field.name.casefold(), field.name.partition(".")[0].casefold(), field.physical_name.casefold())
