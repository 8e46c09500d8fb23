"""Contracts, ports and commitments that depend on a changed dataset, contract or product as a whole."""

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
from meshline.graph.queries.assets import read_attributes
from meshline.graph.queries.contract_versions import build_versions

_SUBJECTS = {SubjectKind.CONTRACT: model.build_contract_key, SubjectKind.PRODUCT: model.build_data_product_key}


def find_subject(change: Change, impact: ChangeImpact) -> int | None:
    """The node of the changed contract or product, if the graph contains it."""
    key = _SUBJECTS.get(change.subject.kind)
    return None if key is None else impact.find_asset(key(change.subject.name))


# -- bound consumers


def adjust_for_bound_consumers(change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    """Breaking if consumers are bound to the subject by a promise."""
    consumers = find_bound_consumers(change, impact)
    if not consumers:
        return None
    return AdjustedVerdict(Verdict.BREAKING, f"{impact.values.format_names(consumers)} is bound to it.", frozenset(consumers))


def find_bound_consumers(change: Change, impact: ChangeImpact) -> set[int]:
    """Nodes of the consumers that the change names, that use data under the contract, or that use the product or its datasets."""
    index = impact.index
    named = {node for key in change.consumers if (node := impact.find_asset(key)) is not None}
    own = find_subject(change, impact)
    if change.rule == "consumer-removed":
        return {node for node in named if impact.list_uses(node)}
    used = {*impact.starts, *impact.datasets, *(() if own is None else (own, *list_governed(impact, own)))}
    for node in tuple(used):
        if index.assets.get_kind(node) is AssetKind.DATASET:
            used.update(index.assets.list_columns(node))
    edges = (edge for node in used for edge in index.ownership.list_edges(node, EdgeType.CONSUMES, incoming=True))
    under = change.subject.name if change.subject.kind is SubjectKind.CONTRACT else None
    return named | {edge.start for edge in edges if under is None or edge.attributes.get("contract", under) == under}


def list_governed(impact: ChangeImpact, contract: int) -> set[int]:
    """Nodes of the datasets that a contract governs."""
    return {edge.end for edge in impact.index.ownership.list_edges(contract, EdgeType.GOVERNS)}


# -- output ports


def adjust_for_exposure(_change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    """Breaking if an output port shows a dataset with the values unmasked."""
    index = impact.index
    found = impact.downstream.traversal
    unmasked = found.nodes[(found.reach == Reach.DIRECT) & ~found.masked]
    of_column = unmasked[index.lineage.get_kinds(unmasked) == model.KINDS.index(AssetKind.COLUMN)]
    datasets = {*impact.datasets, *np.unique(index.lineage.get_datasets(of_column)).tolist()}
    shown = [
        dataset
        for dataset in datasets
        if any(_is_output(edge.attributes) for edge in index.ownership.list_edges(dataset, EdgeType.PORT, incoming=True))
    ]
    return AdjustedVerdict(Verdict.BREAKING, f"An output port shows it unmasked: {impact.values.format_names(shown)}.") if shown else None


def _is_output(attributes: Mapping[str, Json]) -> bool:
    return str(attributes.get("direction", "output")).lower() == "output"


# -- promises further down


def adjust_for_broken_promises(change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    """Breaking if a promise of a product or contract further down is no longer met."""
    name = change.subject.part[1] if len(change.subject.part) > 1 else ""
    own = find_subject(change, impact)
    before, after = (None if value is None else durations.parse_measure(format_value(value)) for value in (change.before, change.after))
    reasons: dict[int, str] = {}
    if name == FRESHNESS and own is not None:
        seconds = None if after is None else after.seconds
        pairs = find_broken_promises(impact.live, impact.index, {own: seconds})
        reasons.update({then.product: then.text for _, then in pairs if then.product != own})
    less = _is_smaller_weaker(before, after)
    for node, measure in _list_promises(impact, name, own):
        if node not in reasons and _is_weaker(after, measure, less=less) and not _is_weaker(before, measure, less=less):
            reasons[node] = f"{measure.text} promised"
    if not reasons:
        return None
    broken = "; ".join(
        f"{impact.values.get_asset(node).name}: {reasons[node]}" for node in sorted(reasons, key=impact.index.assets.get_key)
    )
    return AdjustedVerdict(Verdict.BREAKING, f"A promise is no longer met: {broken}.")


def _list_promises(impact: ChangeImpact, name: str, own: int | None) -> Iterable[tuple[int, Measure]]:
    """(node, measure): the service levels of that name that affected products and contracts promise."""
    index = impact.index
    kinds = (AssetKind.DATA_PRODUCT, AssetKind.CONTRACT)
    nodes = sorted({one.node for one in impact.list_reached(*kinds)} - {own} - set(impact.starts))
    for node, known in zip(nodes, read_attributes(impact.live, index, nodes), strict=True):
        if index.assets.get_kind(node) is AssetKind.CONTRACT:
            current = next(
                (one.contract for one in build_versions(index.assets.get_label(node).name, known.rows) if one.contract.is_in_force), None
            )
            yield from ((node, level.measure) for level in (current.sla if current else ()) if level.name == name)
        else:
            slo = known.find_value("slo")
            measure = durations.convert_measure(slo[name]) if isinstance(slo, dict) and name in slo else None
            if measure is not None:
                yield node, measure


def _is_smaller_weaker(before: Measure | None, after: Measure | None) -> bool | None:
    """Whether the smaller of two values is the weaker promise, given that `after` is the loosened one; None: they cannot be compared."""
    if before is None or after is None:
        return None
    for was, now in ((before.seconds, after.seconds), (before.ratio, after.ratio)):
        if was is not None and now is not None and was != now:
            return now < was
    return None


def _is_weaker(given: Measure | None, promise: Measure, *, less: bool | None = None) -> bool:
    """Whether a given level is too weak for a promise: a longer time, a smaller share, unless `less` states the direction.

    A missing level is always too weak; levels that cannot be compared never are.
    """
    if given is None:
        return True
    for own, wanted, smaller in ((given.seconds, promise.seconds, False), (given.ratio, promise.ratio, True)):
        if own is not None and wanted is not None:
            return own < wanted if (smaller if less is None else less) else own > wanted
    return False


# -- cycles


def adjust_for_cycle(change: Change, impact: ChangeImpact) -> AdjustedVerdict | None:
    """Conditional if an input is derived from an output of the product, or promises less than the product does."""
    index = impact.index
    inputs = [node for name in _list_texts(change.details.get("datasets")) if (node := _find_dataset(impact, name)) is not None]
    own = find_subject(change, impact)
    circular = [node for node in inputs if impact.is_affected(node)]
    if circular:
        return AdjustedVerdict(
            Verdict.CONDITIONAL,
            f"{impact.values.format_names(circular)} is derived from an output of the product: the two wait for each other.",
        )
    if own is None:
        return None
    mine = _read_slo(impact, own)
    for node in inputs:
        for edge in index.ownership.list_edges(node, EdgeType.PORT, incoming=True):
            if _is_output(edge.attributes) and edge.start != own:
                theirs = _read_slo(impact, edge.start)
                weak = [name for name, promise in mine.items() if name in theirs and _is_weaker(theirs[name], promise)]
                if weak:
                    weaker = ", ".join(f"{name} {theirs[name].text} (ours: {mine[name].text})" for name in sorted(weak))
                    return AdjustedVerdict(Verdict.CONDITIONAL, f"{impact.values.get_asset(edge.start).name} promises less: {weaker}.")
    return None


def _read_slo(impact: ChangeImpact, product: int) -> dict[str, Measure]:
    slo = read_attributes(impact.live, impact.index, [product])[0].find_value("slo")
    measures = {name: durations.convert_measure(value) for name, value in slo.items()} if isinstance(slo, dict) else {}
    return {name: measure for name, measure in measures.items() if measure is not None}


def _list_texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _find_dataset(impact: ChangeImpact, name: str) -> int | None:
    """A dataset by its qualified name: namespace and name may both contain slashes."""
    parts = name.split("/")
    keys = (AssetKey(AssetKind.DATASET, ("/".join(parts[:at]), "/".join(parts[at:]))) for at in range(1, len(parts)))
    return next((node for key in keys if (node := impact.find_asset(key)) is not None), None)
