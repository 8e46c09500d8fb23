"""Whether a product can be as fresh as it promises, given what its inputs promise and how often it is renewed.

If an input promises data of at most `promised` age, and the data is fetched every `cadence`, it gets as old as the sum of both before the
next fetch. Unknown durations never count in favour: a promise that the known part alone breaks is INFEASIBLE; one that it does not
break is FEASIBLE only if everything is known.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from meshline.graph import durations
from meshline.graph.durations import format_duration, parse_cadence
from meshline.graph.index import Edge, LineageIndex
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import AssetKind, EdgeType
from meshline.graph.queries.assets import Attributes, read_attributes
from meshline.graph.queries.contract_versions import build_versions

FRESHNESS = "freshness"


class Standing(enum.StrEnum):
    """Whether a promise of freshness can be met."""

    FEASIBLE = "FEASIBLE"
    INFEASIBLE = "INFEASIBLE"
    UNKNOWN = "UNKNOWN"


class Input(NamedTuple):
    """An input dataset of a product. Durations in seconds; None: not stated. `by`: the product or contract that promises."""

    dataset: int
    promised: float | None
    by: int | None
    cadence: float | None

    @property
    def least(self) -> float:
        """The known part of the age of its data, in seconds."""
        return (self.promised or 0.0) + (self.cadence or 0.0)

    @property
    def is_known(self) -> bool:
        """Whether both durations are stated."""
        return self.promised is not None and self.cadence is not None


class Feasibility(NamedTuple):
    """`promised`: how old the product's data may be (seconds; None: not stated). `least`: how old it gets at least, by the known
    promises and cadences of its inputs and its own cadence (seconds; None: nothing is known). `worst`: the input that decides `least`.
    `text`: the arithmetic, in words.
    """

    product: int
    standing: Standing
    promised: float | None
    least: float | None
    worst: Input | None
    inputs: tuple[Input, ...]
    text: str


def assess_product(live: LiveGraph, index: LineageIndex, product: int, promised: Mapping[int, float | None] | None = None) -> Feasibility:
    """Whether one product can keep its promise. `promised`: replaces current promises, in seconds by node (None: no promise)."""
    return assess_products(live, index, [product], promised)[0]


def assess_products(
    live: LiveGraph, index: LineageIndex, products: Sequence[int], promised: Mapping[int, float | None] | None = None
) -> list[Feasibility]:
    """The same for many products, in their order, with two reads of the store."""
    ports = {product: index.ownership.list_edges(product, EdgeType.PORT) for product in products}
    inputs = sorted({edge.end for edges in ports.values() for edge in edges if _get_direction(edge) == "input"})
    governs = {
        dataset: sorted({edge.start for edge in index.ownership.list_edges(dataset, EdgeType.GOVERNS, incoming=True)}) for dataset in inputs
    }
    exposed = {dataset: _list_exposing(index, dataset) for dataset in inputs}
    asked = {*products, *(one for found in (*governs.values(), *exposed.values()) for one in found)}
    stated = read_freshness(live, index, asked)
    promises = {**stated, **{node: value for node, value in (promised or {}).items() if node in asked}}
    return [
        _assess_feasibility(
            index, product, promises.get(product), _build_inputs(index, ports[product], exposed, governs, promises), ports[product]
        )
        for product in products
    ]


def find_broken_promises(
    live: LiveGraph, index: LineageIndex, promised: Mapping[int, float | None]
) -> list[tuple[Feasibility, Feasibility]]:
    """(now, then) for products whose promise is or may be met now, and would not be met with these promises (seconds, by node)."""
    datasets = {
        edge.end
        for node in promised
        for edge in index.ownership.list_edges(node, _OFFERS[index.assets.get_kind(node)])
        if _is_offered(edge)
    }
    taking = {
        edge.start
        for of in datasets
        for edge in index.ownership.list_edges(of, EdgeType.PORT, incoming=True)
        if _get_direction(edge) == "input"
    }
    concerned = sorted(taking | {node for node in promised if index.assets.get_kind(node) is AssetKind.DATA_PRODUCT})
    pairs = zip(assess_products(live, index, concerned), assess_products(live, index, concerned, promised), strict=True)
    return [(now, then) for now, then in pairs if then.standing is Standing.INFEASIBLE and now.standing is not Standing.INFEASIBLE]


def read_freshness(live: LiveGraph, index: LineageIndex, nodes: Iterable[int]) -> dict[int, float]:
    """The freshness that these products and contracts promise, in seconds by node; only those that state it as a duration."""
    ordered = sorted(set(nodes))
    found = {node: _find_promise(index, node, known) for node, known in zip(ordered, read_attributes(live, index, ordered), strict=True)}
    return {node: seconds for node, seconds in found.items() if seconds is not None}


_OFFERS = {AssetKind.DATA_PRODUCT: EdgeType.PORT, AssetKind.CONTRACT: EdgeType.GOVERNS}


def _get_direction(edge: Edge) -> str:
    direction = edge.attributes.get("direction", "output")
    return direction.lower() if isinstance(direction, str) else ""


def _is_offered(edge: Edge) -> bool:
    return edge.type is EdgeType.GOVERNS or _get_direction(edge) == "output"


def _list_exposing(index: LineageIndex, dataset: int) -> list[int]:
    return sorted(
        {edge.start for edge in index.ownership.list_edges(dataset, EdgeType.PORT, incoming=True) if _get_direction(edge) == "output"}
    )


def _find_promise(index: LineageIndex, node: int, known: Attributes) -> float | None:
    if index.assets.get_kind(node) is AssetKind.CONTRACT:
        found = build_versions(index.assets.get_label(node).name, known.rows)
        if not found or not found[0].contract.is_in_force:
            return None
        return min((one.seconds for one in found[0].contract.sla if one.name == FRESHNESS and one.seconds is not None), default=None)
    slo = known.find_value("slo")
    measure = durations.convert_measure(slo[FRESHNESS]) if isinstance(slo, dict) and FRESHNESS in slo else None
    return None if measure is None else measure.seconds


def _build_inputs(
    index: LineageIndex,
    ports: Iterable[Edge],
    exposed: Mapping[int, Sequence[int]],
    governs: Mapping[int, Sequence[int]],
    promises: Mapping[int, float | None],
) -> tuple[Input, ...]:
    """The strictest promise of each input counts: the product or contract that gives it is bound to it."""
    ports = list(ports)
    own = _find_slowest(edge for edge in ports if _get_direction(edge) == "output")
    found: list[Input] = []
    for dataset in {edge.end for edge in ports if _get_direction(edge) == "input"}:
        promising = [(seconds, node) for node in (*exposed[dataset], *governs[dataset]) if (seconds := promises.get(node)) is not None]
        promised, by = min(promising, key=lambda one: (one[0], index.assets.get_key(one[1])), default=(None, None))
        fetched = _find_slowest(edge for edge in ports if edge.end == dataset and _get_direction(edge) == "input")
        found.append(Input(dataset, promised, by, own if fetched is None else fetched))
    return tuple(sorted(found, key=lambda one: index.assets.get_key(one.dataset)))


def _find_slowest(ports: Iterable[Edge]) -> float | None:
    """The longest time between two renewals that any of these ports states, in seconds."""
    cadences = [parse_cadence(text) for edge in ports if isinstance(text := edge.attributes.get("refresh"), str)]
    return max((seconds for seconds in cadences if seconds is not None), default=None)


def _assess_feasibility(
    index: LineageIndex, product: int, promised: float | None, inputs: tuple[Input, ...], ports: Iterable[Edge]
) -> Feasibility:
    own = _find_slowest(edge for edge in ports if _get_direction(edge) == "output")
    worst = max(inputs, key=lambda one: one.least, default=None)
    stated = [one for one in inputs if one.promised is not None or one.cadence is not None]
    known = [*(one.least for one in stated), *([] if own is None else [own])]
    least = max(known, default=None)
    if promised is None:
        standing = Standing.UNKNOWN
    elif least is not None and least > promised:
        standing = Standing.INFEASIBLE
    else:
        standing = Standing.FEASIBLE if inputs and all(one.is_known for one in inputs) else Standing.UNKNOWN
    worst = worst if worst in stated else None
    return Feasibility(product, standing, promised, least, worst, inputs, _format_arithmetic(index, promised, least, worst, own))


def _format_arithmetic(index: LineageIndex, promised: float | None, least: float | None, worst: Input | None, own: float | None) -> str:
    promise = "no freshness is promised" if promised is None else f"{format_duration(promised)} promised"
    if least is None:
        return f"{promise}; how old its data gets is not known"
    if worst is None or worst.least < least:
        return f"{promise}; its output ports are renewed every {format_duration(own or 0.0)}"
    name = index.assets.get_key(worst.dataset).qualified_name
    if worst.promised is None:
        given = f"{name} is fetched every {format_duration(worst.cadence or 0.0)}, and no source promises how old it is"
        return f"{promise}; {given}: {format_duration(least)} or more"
    by = f" (promised by {index.assets.get_key(worst.by).qualified_name})" if worst.by is not None else ""
    given = f"{name} may be {format_duration(worst.promised)} old{by}"
    if worst.cadence is None:
        return f"{promise}; {given}, and how often it is fetched is not known: {format_duration(least)} or more"
    total = f"{format_duration(worst.promised)} + {format_duration(worst.cadence)} = {format_duration(least)}"
    return f"{promise}; {given} and is fetched {_format_interval(worst.cadence)}: {total}"


def _format_interval(seconds: float) -> str:
    return "as it comes" if seconds == 0 else f"every {format_duration(seconds)}"
