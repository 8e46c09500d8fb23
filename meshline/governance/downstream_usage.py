"""How the values of a column are used downstream, as far as flows show: by name, by position, as a key, in a condition, or not at all.

A flow states that one column is computed from another, and by which kind of step. It does not state the text of the query: `SELECT *`,
`UNION` and `INSERT` without a list of columns are not recorded. A table that has every column of another as an unchanged copy may
therefore be written by position. What a consumer does with a column is not recorded either: it may be anything. A dataset has no readers
if no job, consumer, derived table or contract depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meshline.governance.change_impact import ChangeImpact
from meshline.governance.changes import Change, SubjectKind
from meshline.governance.rules import AdjustedVerdict, Verdict
from meshline.governance.types import Type, is_same, is_specified, is_widening
from meshline.governance.types.normalization import normalise_type
from meshline.graph.contracts import Contract
from meshline.graph.index import NONE, Direction, Reach
from meshline.graph.index.results import Flags, FlowTable, Ints
from meshline.graph.model import AssetKey, AssetKind, EdgeType, from_micros
from meshline.graph.queries.assets import read_attributes
from meshline.graph.queries.contract_versions import build_versions
from meshline.graph.usage import READS

IDENTITY = "IDENTITY"
KEYS = frozenset({"JOIN", "GROUP_BY"})
CONDITIONS = frozenset({"FILTER", "CONDITIONAL"})
PLAIN = frozenset({"JOIN", "GROUP_BY", "SORT", "WINDOW"})  # INDIRECT, and no condition on a value
COPIES = 5_000  # columns whose types are read for one change


def adjust_for_joins(_change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    """Breaking if it is a key of a join or a group."""
    return _adjust_for_subtypes(impact, KEYS, Verdict.BREAKING, "It is a key of a join or a group")


def adjust_for_conditions(_change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    """Conditional if a filter or condition reads it."""
    return _adjust_for_subtypes(impact, CONDITIONS, Verdict.CONDITIONAL, "A filter or condition reads it")


def _adjust_for_subtypes(impact: ChangeImpact, subtypes: frozenset[str], verdict: Verdict, what: str) -> AdjustedVerdict | None:
    flows = impact.reading_flows
    hit = np.isin(impact.list_subtypes(flows), sorted(subtypes))
    return AdjustedVerdict(verdict, f"{what}: {_format_places(impact, flows, hit)}.") if hit.any() else None


def _format_places(impact: ChangeImpact, flows: FlowTable, chosen: Flags) -> str:
    """The names of the jobs of flows; if no job is known, of the targets."""
    jobs = [job for job in flows.job[chosen].tolist() if job != NONE]
    return impact.values.format_names(jobs or flows.end[chosen].tolist())


def relax_without_conditions(_change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    """Compatible if no step is a condition, and no consumer has the values (it might have a condition)."""
    flows = impact.reading_flows
    subtypes = np.array(impact.list_subtypes(flows), dtype=object)
    known = np.where(flows.reach == Reach.INDIRECT, np.isin(subtypes, sorted(PLAIN)), subtypes != "")
    if not known.all() or _has_value_consumers(impact):
        return None
    return AdjustedVerdict(Verdict.COMPATIBLE, "No filter or condition reads it.")


def relax_for_filters(_change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    """Conditional if every reader only filters by it, and no consumer receives the values."""
    flows = impact.reading_flows
    if not len(flows.start) or set(impact.list_subtypes(flows)) != {"FILTER"} or _has_value_consumers(impact):
        return None
    return AdjustedVerdict(Verdict.CONDITIONAL, "All of its readers only filter by it.")


def _has_value_consumers(impact: ChangeImpact) -> bool:
    """Whether a consumer receives the values, or may receive them."""
    return any(one.reach is not Reach.INDIRECT for one in impact.list_reached(AssetKind.CONSUMER))


# -- types


def adjust_for_narrow_copies(change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    """Breaking if a copy has a known type that is too narrow for the new values."""
    after = normalise_type(str(change.after))
    copies = _find_copies(impact)[0].tolist()[:COPIES]
    narrow = [node for node, type_ in _read_types(impact, copies).items() if not _accepts_type(type_, after)]
    return AdjustedVerdict(Verdict.BREAKING, f"A copy of it has a narrower type: {impact.values.format_names(narrow)}.") if narrow else None


def relax_for_wide_copies(change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    """Compatible if every column with the values is a copy of a known type that is wide enough, nothing is computed from them, and no
    consumer receives them.
    """
    copies, only = _find_copies(impact)
    known = _read_types(impact, copies.tolist()[: COPIES + 1])
    after = normalise_type(str(change.after))
    fit = len(copies) <= COPIES and len(known) == len(copies) and all(_accepts_type(type_, after) for type_ in known.values())
    if not only or not fit or _has_value_consumers(impact):
        return None
    return AdjustedVerdict(Verdict.COMPATIBLE, "Every copy of it has a type that is wide enough.")


def _accepts_type(type_: Type, after: Type) -> bool:
    return is_same(type_, after) or is_widening(after, type_) or is_specified(type_, after)


def _find_copies(impact: ChangeImpact) -> tuple[Ints, bool]:
    """(the columns (int32) that are unchanged copies of the starts, at any distance; whether nothing else is computed from the values)."""
    flows = impact.reading_flows
    identity = (flows.reach == Reach.DIRECT) & (np.array(impact.list_subtypes(flows), dtype=object) == IDENTITY) & ~flows.masking
    known = np.array(impact.downstream.traversal.starts)
    found = np.empty(0, np.int32)
    while True:
        new = np.unique(flows.end[identity & np.isin(flows.start, known)])
        new = new[~np.isin(new, known)]
        if not new.size:
            return found, not bool(((flows.reach == Reach.DIRECT) & ~identity).any())
        known, found = np.concatenate([known, new]), np.concatenate([found, new])


def _read_types(impact: ChangeImpact, columns: list[int]) -> dict[int, Type]:
    """The types of columns, by node, where they are known."""
    rows = zip(columns, read_attributes(impact.live, impact.index, columns), strict=True)
    return {node: normalise_type(text) for node, known in rows if (text := known.find_text("type"))}


# -- positions


def adjust_for_positions(_change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    """Conditional if a table has every column of the changed one as an unchanged copy: it may be written by position."""
    copying = sorted({copy for dataset in {*impact.datasets, *impact.parent_datasets} for copy in _find_whole_copies(impact, dataset)})
    if not copying:
        return None
    tables = impact.values.format_names(copying)
    why = f"{tables} has every column of it: if that is by position (INSERT without a list, UNION), columns shift."
    return AdjustedVerdict(Verdict.CONDITIONAL, why)


def _find_whole_copies(impact: ChangeImpact, dataset: int) -> list[int]:
    index = impact.index
    columns = [column for column in index.assets.list_columns(dataset) if not index.assets.is_inferred(column)]
    flows = index.lineage.traverse([dataset], Direction.DOWNSTREAM, reach=Reach.DIRECT, depth=1).build_flow_table()
    identity = np.array([subtype == IDENTITY for subtype in impact.list_subtypes(flows)], np.bool_)
    pairs = set(zip(flows.start[identity].tolist(), flows.end[identity].tolist(), strict=True))
    targets = {index.assets.get_dataset(end) for _, end in pairs if index.assets.get_kind(end) is AssetKind.COLUMN} - {dataset}
    return [target for target in targets if columns and _is_positional_copy(impact, columns, target, pairs)]


def _is_positional_copy(impact: ChangeImpact, columns: list[int], target: int, pairs: set[tuple[int, int]]) -> bool:
    """Whether the n-th column of the target is a copy of the n-th of these columns, and it has no others."""
    others = [column for column in impact.index.assets.list_columns(target) if not impact.index.assets.is_inferred(column)]
    return len(others) == len(columns) and all(pair in pairs for pair in zip(columns, others, strict=True))


_READERS = (AssetKind.COLUMN, AssetKind.DATASET, AssetKind.JOB, AssetKind.CONSUMER)


def relax_without_readers(change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    """Compatible if it has no readers. The caller checks first that the lineage is complete (`ChangeImpact.gaps`). Where usage was loaded,
    the reason states the time for which it shows no read, which is all that it shows.
    """
    if any(kind in impact.counts for kind in _READERS) or find_promising_contracts(change, impact):
        return None
    windows = [impact.find_usage_window(dataset) for dataset in impact.datasets]
    known = [window for window in windows if window is not None]
    if not known or len(known) < len(windows):
        return AdjustedVerdict(Verdict.COMPATIBLE, "It has no readers, and its downstream lineage is complete.")
    begin, end = (from_micros(time).date() for time in (max(one.begin for one in known), min(one.end for one in known)))
    return AdjustedVerdict(Verdict.COMPATIBLE, f"No reader of it is known, and usage from {begin} to {end} shows no read of it.")


def uses_other_columns(impact: ChangeImpact, consumer: AssetKey) -> bool:
    """Whether a bound consumer states which columns it uses of the datasets, and none of them is changed or affected.

    What it was seen to read proves that it reads that, and not that it reads nothing else.
    """
    index = impact.index
    node = impact.find_asset(consumer)
    edges = index.ownership.list_edges(node, EdgeType.CONSUMES) if node is not None else []
    used = {edge.end for edge in edges}
    stated = {edge.end for edge in edges if READS not in edge.attributes}
    whole = {*impact.origins, *(index.ownership.find_product(dataset) for dataset in impact.datasets)}
    columns = {one for one in stated if index.assets.get_kind(one) is AssetKind.COLUMN and index.assets.get_dataset(one) in impact.datasets}
    return bool(columns) and used.isdisjoint(whole) and not any(map(impact.is_affected, used))


def find_promising_contracts(change: Change, impact: ChangeImpact) -> list[str]:
    """The names of the contracts in force, except the changed one, that promise the changed columns or datasets."""
    index = impact.index
    datasets = {*impact.datasets, *impact.parent_datasets}
    governing = sorted(
        {edge.start for dataset in datasets for edge in index.ownership.list_edges(dataset, EdgeType.GOVERNS, incoming=True)}
    )
    keys = (*change.assets, *map(index.assets.get_key, impact.starts))
    paths = [key.name.casefold() for key in keys if key.kind is AssetKind.COLUMN]
    columns = {name for path in paths for name in (path, path.partition(".")[0])}
    found = []
    for node, known in zip(governing, read_attributes(impact.live, index, governing), strict=True):
        name = index.assets.get_label(node).name
        if (change.subject.kind, change.subject.name) == (SubjectKind.CONTRACT, name):
            continue
        in_force = [version.contract for version in build_versions(name, known.rows) if version.contract.is_in_force]
        if any(not columns or not columns.isdisjoint(_list_fields(contract)) for contract in in_force):
            found.append(name)
    return found


def _list_fields(contract: Contract) -> Iterator[str]:
    """The columns that a contract promises, under all names that it gives them, folded to one case."""
    for model in contract.models:
        for field in model.fields:
            yield from (field.name.casefold(), field.name.partition(".")[0].casefold(), field.physical_name.casefold())
