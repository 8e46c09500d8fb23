"""Who counts on what is changed, whatever the columns: by a contract, a port, a promise of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from meshline.governance.change_impact import ChangeImpact
from meshline.governance.changes import Change, SubjectKind
from meshline.governance.freshness_feasibility import FRESHNESS, find_broken_promises
from meshline.governance.report_values import format_value
from meshline.governance.rules import AdjustedVerdict, Verdict
from meshline.graph import durations, model
from meshline.graph.durations import Measure
from meshline.graph.index import Reach
from meshline.graph.model import AssetKey, AssetKind, EdgeType, Json
from meshline.graph.queries.assets import attributes
from meshline.graph.queries.contract_versions import versions

_SUBJECTS = {SubjectKind.CONTRACT: model.build_contract_key, SubjectKind.PRODUCT: model.build_data_product_key}


def find_subject(change: Change, touched: ChangeImpact) -> int | None:
    """The contract or product that is changed, if the graph knows it."""
    key = _SUBJECTS.get(change.subject.kind)
    return None if key is None else touched.index.assets.find_by_key(key(change.subject.name))


# -- who is bound


def adjust_for_bound_consumers(change: Change, touched: ChangeImpact) -> AdjustedVerdict | None:
    consumers = find_bound_consumers(change, touched)
    if not consumers:
        return None
    return AdjustedVerdict(Verdict.BREAKING, f"{touched.values.format_names(consumers)} is bound to it.", frozenset(consumers))


def find_bound_consumers(change: Change, touched: ChangeImpact) -> set[int]:
    """Those that the change names, and those that use under the contract, or use the product or its datasets themselves."""
    index = touched.index
    named = {node for key in change.consumers if (node := index.assets.find_by_key(key)) is not None}
    own = find_subject(change, touched)
    if change.rule == "consumer-removed":
        return {node for node in named if touched.list_uses(node)}
    used = {*touched.starts, *touched.datasets, *(() if own is None else (own, *list_governed(touched, own)))}
    for node in tuple(used):
        if index.assets.get_kind(node) is AssetKind.DATASET:
            used.update(index.assets.list_columns(node))
    edges = (edge for node in used for edge in index.ownership.list_edges(node, EdgeType.CONSUMES, incoming=True))
    under = change.subject.name if change.subject.kind is SubjectKind.CONTRACT else None
    return named | {edge.start for edge in edges if under is None or edge.attributes.get("contract", under) == under}


def list_governed(touched: ChangeImpact, contract: int) -> set[int]:
    return {edge.end for edge in touched.index.ownership.list_edges(contract, EdgeType.GOVERNS)}


# -- who shows it


def adjust_for_exposure(_change: Change, touched: ChangeImpact) -> AdjustedVerdict | None:
    """Output ports of datasets that have the values unmasked."""
    index = touched.index
    found = touched.downstream.traversal
    unmasked = found.nodes[(found.reach == Reach.DIRECT) & ~found.masked]
    of_column = unmasked[index.lineage.get_kinds(unmasked) == model.KINDS.index(AssetKind.COLUMN)]
    datasets = {*touched.datasets, *np.unique(index.lineage.get_datasets(of_column)).tolist()}
    shown = [
        dataset
        for dataset in datasets
        if any(_is_output(edge.attributes) for edge in index.ownership.list_edges(dataset, EdgeType.PORT, incoming=True))
    ]
    return AdjustedVerdict(Verdict.BREAKING, f"An output port shows it unmasked: {touched.values.format_names(shown)}.") if shown else None


def _is_output(said: Mapping[str, Json]) -> bool:
    return str(said.get("direction", "output")).lower() == "output"


# -- who promises on it


def adjust_for_broken_promises(change: Change, touched: ChangeImpact) -> AdjustedVerdict | None:
    """Products and contracts further down whose own promise no longer holds."""
    name = change.subject.part[1] if len(change.subject.part) > 1 else ""
    own = find_subject(change, touched)
    before, after = (None if value is None else durations.measure(format_value(value)) for value in (change.before, change.after))
    reasons: dict[int, str] = {}
    if name == FRESHNESS and own is not None:
        seconds = None if after is None else after.seconds
        pairs = find_broken_promises(touched.live, touched.index, {own: seconds})
        reasons.update({then.product: then.text for _, then in pairs if then.product != own})
    less = _is_smaller_weaker(before, after)
    for node, measure in _list_promises(touched, name, own):
        if node not in reasons and _is_weaker(after, measure, less=less) and not _is_weaker(before, measure, less=less):
            reasons[node] = f"{measure.text} promised"
    if not reasons:
        return None
    said = "; ".join(
        f"{touched.values.get_asset(node).name}: {reasons[node]}" for node in sorted(reasons, key=touched.index.assets.get_key)
    )
    return AdjustedVerdict(Verdict.BREAKING, f"A promise no longer holds: {said}.")


def _list_promises(touched: ChangeImpact, name: str, own: int | None) -> Iterable[tuple[int, Measure]]:
    """What is promised under that name by the products and contracts that are reached."""
    index = touched.index
    kinds = (AssetKind.DATA_PRODUCT, AssetKind.CONTRACT)
    nodes = sorted({one.node for one in touched.list_reached(*kinds)} - {own} - set(touched.starts))
    for node, known in zip(nodes, attributes(touched.live, index, nodes), strict=True):
        if index.assets.get_kind(node) is AssetKind.CONTRACT:
            current = next((one.contract for one in versions(index.assets.get_label(node).name, known.rows) if one.contract.in_force), None)
            yield from ((node, level.measure) for level in (current.sla if current else ()) if level.name == name)
        else:
            slo = known.value("slo")
            measure = durations.said(slo[name]) if isinstance(slo, dict) and name in slo else None
            if measure is not None:
                yield node, measure


def _is_smaller_weaker(before: Measure | None, after: Measure | None) -> bool | None:
    """Whether, of what is loosened, the smaller promises less; None: cannot be told."""
    if before is None or after is None:
        return None
    for was, now in ((before.seconds, after.seconds), (before.ratio, after.ratio)):
        if was is not None and now is not None and was != now:
            return now < was
    return None


def _is_weaker(given: Measure | None, promise: Measure, *, less: bool | None = None) -> bool:
    """Whether what is given is not enough for a promise: a longer time, a smaller share, unless `less` says which.

    Nothing is never enough; what cannot be compared is not said to be too little.
    """
    if given is None:
        return True
    for own, wanted, smaller in ((given.seconds, promise.seconds, False), (given.ratio, promise.ratio, True)):
        if own is not None and wanted is not None:
            return own < wanted if (smaller if less is None else less) else own > wanted
    return False


# -- what depends on itself


def adjust_for_cycle(change: Change, touched: ChangeImpact) -> AdjustedVerdict | None:
    """An input that is made of what the product puts out; or one that is less fresh than the product promises to be."""
    index = touched.index
    inputs = [node for name in _list_texts(change.details.get("datasets")) if (node := _find_dataset(touched, name)) is not None]
    own = find_subject(change, touched)
    circular = [node for node in inputs if touched.is_affected(node)]
    if circular:
        return AdjustedVerdict(
            Verdict.CONDITIONAL, f"{touched.values.format_names(circular)} is made of what the product puts out: they wait for each other."
        )
    if own is None:
        return None
    mine = _read_slo(touched, own)
    for node in inputs:
        for edge in index.ownership.list_edges(node, EdgeType.PORT, incoming=True):
            if _is_output(edge.attributes) and edge.start != own:
                theirs = _read_slo(touched, edge.start)
                weak = [name for name, promise in mine.items() if name in theirs and _is_weaker(theirs[name], promise)]
                if weak:
                    said = ", ".join(f"{name} {theirs[name].text} (ours: {mine[name].text})" for name in sorted(weak))
                    return AdjustedVerdict(Verdict.CONDITIONAL, f"{touched.values.get_asset(edge.start).name} promises less: {said}.")
    return None


def _read_slo(touched: ChangeImpact, product: int) -> dict[str, Measure]:
    slo = attributes(touched.live, touched.index, [product])[0].value("slo")
    said = {name: durations.said(value) for name, value in slo.items()} if isinstance(slo, dict) else {}
    return {name: measure for name, measure in said.items() if measure is not None}


def _list_texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _find_dataset(touched: ChangeImpact, name: str) -> int | None:
    """A dataset by its qualified name: either part may have a slash."""
    parts = name.split("/")
    keys = (AssetKey(AssetKind.DATASET, ("/".join(parts[:at]), "/".join(parts[at:]))) for at in range(1, len(parts)))
    return next((node for key in keys if (node := touched.index.assets.find_by_key(key)) is not None), None)
