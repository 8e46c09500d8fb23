"""How the values of a column are used downstream, as far as flows show: by name, by position, as a key, in a condition, or not at all.

A flow states that one column makes another, and by which kind of step. It does not state the text of the query: `SELECT *`, `UNION` and
`INSERT` without a list of columns are not recorded. A table that has every column of another, copied as it is, is taken for one
that may be written by position. What a consumer does with a column is not recorded either: it may be anything. A dataset is unread
if no job, consumer, derived table or contract depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meshline.governance.change_impact import ChangeImpact
from meshline.governance.changes import Change, SubjectKind
from meshline.governance.rules import AdjustedVerdict, Verdict
from meshline.governance.types import Type, same, specified, widening
from meshline.governance.types.normalization import normal
from meshline.graph.contracts import Contract
from meshline.graph.index import NONE, Direction, Reach
from meshline.graph.index.results import Flags, FlowTable, Ints
from meshline.graph.model import AssetKey, AssetKind, EdgeType
from meshline.graph.queries.assets import attributes
from meshline.graph.queries.contract_versions import versions

IDENTITY = "IDENTITY"
KEYS = frozenset({"JOIN", "GROUP_BY"})
CONDITIONS = frozenset({"FILTER", "CONDITIONAL"})
PLAIN = frozenset({"JOIN", "GROUP_BY", "SORT", "WINDOW"})  # INDIRECT, and no condition on a value
COPIES = 5_000  # columns whose types are looked up for one change


def adjust_for_joins(_change: Change, touched: ChangeImpact) -> AdjustedVerdict | None:
    return _adjust_for_subtypes(touched, KEYS, Verdict.BREAKING, "It is a key of a join or a group")


def adjust_for_conditions(_change: Change, touched: ChangeImpact) -> AdjustedVerdict | None:
    return _adjust_for_subtypes(touched, CONDITIONS, Verdict.CONDITIONAL, "A filter or condition reads it")


def _adjust_for_subtypes(touched: ChangeImpact, subtypes: frozenset[str], verdict: Verdict, what: str) -> AdjustedVerdict | None:
    flows = touched.reading_flows
    hit = np.isin(touched.list_subtypes(flows), sorted(subtypes))
    return AdjustedVerdict(verdict, f"{what}: {_format_places(touched, flows, hit)}.") if hit.any() else None


def _format_places(touched: ChangeImpact, flows: FlowTable, chosen: Flags) -> str:
    """The jobs of flows, else where they lead."""
    jobs = [job for job in flows.job[chosen].tolist() if job != NONE]
    return touched.values.format_names(jobs or flows.end[chosen].tolist())


def relax_without_conditions(_change: Change, touched: ChangeImpact) -> AdjustedVerdict | None:
    """No step on the way may be a condition, and no consumer has the values: it might have one."""
    flows = touched.reading_flows
    subtypes = np.array(touched.list_subtypes(flows), dtype=object)
    known = np.where(flows.reach == Reach.INDIRECT, np.isin(subtypes, sorted(PLAIN)), subtypes != "")
    if not known.all() or _has_value_consumers(touched):
        return None
    return AdjustedVerdict(Verdict.COMPATIBLE, "No filter or condition reads it.")


def relax_for_filters(_change: Change, touched: ChangeImpact) -> AdjustedVerdict | None:
    flows = touched.reading_flows
    if not len(flows.start) or set(touched.list_subtypes(flows)) != {"FILTER"} or _has_value_consumers(touched):
        return None
    return AdjustedVerdict(Verdict.CONDITIONAL, "Whoever reads it only filters by it.")


def _has_value_consumers(touched: ChangeImpact) -> bool:
    """Whether a consumer has the values, or may have them."""
    return any(one.reach is not Reach.INDIRECT for one in touched.list_reached(AssetKind.CONSUMER))


# -- types


def adjust_for_narrow_copies(change: Change, touched: ChangeImpact) -> AdjustedVerdict | None:
    """A copy of known type that cannot hold what comes."""
    after = normal(str(change.after))
    copies = _find_copies(touched)[0].tolist()[:COPIES]
    narrow = [node for node, type_ in _read_types(touched, copies).items() if not _accepts_type(type_, after)]
    return (
        AdjustedVerdict(Verdict.BREAKING, f"A copy of it has a narrower type: {touched.values.format_names(narrow)}.") if narrow else None
    )


def relax_for_wide_copies(change: Change, touched: ChangeImpact) -> AdjustedVerdict | None:
    """All that has the values is a copy of known type that holds what comes; nothing is computed of it, no consumer has it."""
    copies, only = _find_copies(touched)
    known = _read_types(touched, copies.tolist()[: COPIES + 1])
    after = normal(str(change.after))
    fit = len(copies) <= COPIES and len(known) == len(copies) and all(_accepts_type(type_, after) for type_ in known.values())
    if not only or not fit or _has_value_consumers(touched):
        return None
    return AdjustedVerdict(Verdict.COMPATIBLE, "Every copy of it has a type that is wide enough.")


def _accepts_type(type_: Type, after: Type) -> bool:
    return same(type_, after) or widening(after, type_) or specified(type_, after)


def _find_copies(touched: ChangeImpact) -> tuple[Ints, bool]:
    """The columns that are copies of the starts, however far; whether nothing else is made of the values."""
    flows = touched.reading_flows
    identity = (flows.reach == Reach.DIRECT) & (np.array(touched.list_subtypes(flows), dtype=object) == IDENTITY) & ~flows.masking
    known = np.array(touched.downstream.traversal.starts)
    found = np.empty(0, np.int32)
    while True:
        new = np.unique(flows.end[identity & np.isin(flows.start, known)])
        new = new[~np.isin(new, known)]
        if not new.size:
            return found, not bool(((flows.reach == Reach.DIRECT) & ~identity).any())
        known, found = np.concatenate([known, new]), np.concatenate([found, new])


def _read_types(touched: ChangeImpact, columns: list[int]) -> dict[int, Type]:
    """The types of columns, where they are known."""
    said = zip(columns, attributes(touched.live, touched.index, columns), strict=True)
    return {node: normal(text) for node, known in said if (text := known.text("type"))}


# -- positions


def adjust_for_positions(_change: Change, touched: ChangeImpact) -> AdjustedVerdict | None:
    """Tables that have every column of the changed one, copied as it is."""
    copying = sorted({copy for dataset in {*touched.datasets, *touched.parent_datasets} for copy in _find_whole_copies(touched, dataset)})
    if not copying:
        return None
    tables = touched.values.format_names(copying)
    why = f"{tables} has every column of it: if that is by position (INSERT without a list, UNION), columns shift."
    return AdjustedVerdict(Verdict.CONDITIONAL, why)


def _find_whole_copies(touched: ChangeImpact, dataset: int) -> list[int]:
    index = touched.index
    columns = [column for column in index.assets.list_columns(dataset) if not index.assets.is_inferred(column)]
    flows = index.lineage.traverse([dataset], Direction.DOWNSTREAM, reach=Reach.DIRECT, depth=1).flow_table()
    identity = np.array([subtype == IDENTITY for subtype in touched.list_subtypes(flows)], np.bool_)
    pairs = set(zip(flows.start[identity].tolist(), flows.end[identity].tolist(), strict=True))
    targets = {index.assets.get_dataset(end) for _, end in pairs if index.assets.get_kind(end) is AssetKind.COLUMN} - {dataset}
    return [target for target in targets if columns and _is_positional_copy(touched, columns, target, pairs)]


def _is_positional_copy(touched: ChangeImpact, columns: list[int], target: int, pairs: set[tuple[int, int]]) -> bool:
    """Whether the n-th column of the target is a copy of the n-th of these, and there are no others."""
    others = [column for column in touched.index.assets.list_columns(target) if not touched.index.assets.is_inferred(column)]
    return len(others) == len(columns) and all(pair in pairs for pair in zip(columns, others, strict=True))


_READERS = (AssetKind.COLUMN, AssetKind.DATASET, AssetKind.JOB, AssetKind.CONSUMER)


def relax_without_readers(change: Change, touched: ChangeImpact) -> AdjustedVerdict | None:
    """Compatible if nobody does. Whether that is known is asked before (`lineage_gaps.gaps`)."""
    if any(kind in touched.counts for kind in _READERS) or find_promising_contracts(change, touched):
        return None
    return AdjustedVerdict(Verdict.COMPATIBLE, "Nobody reads it, and all that leaves it is known.")


def uses_other_columns(touched: ChangeImpact, consumer: AssetKey) -> bool:
    """Whether a consumer that is bound says which columns it uses of the datasets, and uses none that is changed."""
    index = touched.index
    node = index.assets.find_by_key(consumer)
    used = {edge.end for edge in index.ownership.list_edges(node, EdgeType.CONSUMES)} if node is not None else set()
    whole = {*touched.origins, *(index.ownership.find_product(dataset) for dataset in touched.datasets)}
    columns = {one for one in used if index.assets.get_kind(one) is AssetKind.COLUMN and index.assets.get_dataset(one) in touched.datasets}
    return bool(columns) and used.isdisjoint(whole) and not any(map(touched.is_affected, columns))


def find_promising_contracts(change: Change, touched: ChangeImpact) -> list[str]:
    """The names of the contracts in force, except the one that is changed, which promise what is changed."""
    index = touched.index
    datasets = {*touched.datasets, *touched.parent_datasets}
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
        if any(not columns or not columns.isdisjoint(_list_fields(contract)) for contract in in_force):
            found.append(name)
    return found


def _list_fields(contract: Contract) -> Iterator[str]:
    """The columns that a contract promises, under all names that it gives them."""
    for model in contract.models:
        for field in model.fields:
            yield from (field.name.casefold(), field.name.partition(".")[0].casefold(), field.physical_name.casefold())
