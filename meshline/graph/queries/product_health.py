"""Health of a data product: the freshness of its output ports, measured against its promise, and the results of its checks.

Without data a product is not healthy but UNKNOWN.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

from meshline.graph import durations
from meshline.graph.index import LineageIndex, ScopeInfo
from meshline.graph.live_graph import LiveGraph
from meshline.graph.model import JOB_OUTPUT, AssetKind, EdgeType, Json, parse_source_kind, to_micros
from meshline.graph.quality import OPEN, Outcome
from meshline.graph.queries.asset_lists import EVERYTHING, Filter, ListOrder, count_order_numbers, list_assets
from meshline.graph.queries.assets import Attributes, read_attributes
from meshline.graph.queries.pages import CountedPage, Entry, SortKey, build_page
from meshline.graph.queries.quality import Counts, Result, count_outcomes, read_latest

FRESHNESS = "freshness"
_WRITTEN = frozenset({JOB_OUTPUT, "job-writes"})  # kinds of scopes of runs that wrote; a declared write proves no writing
_METRICS = "facet:dataQualityMetrics"


class Standing(enum.StrEnum):
    """KEPT: all promises are met and all checks pass. BROKEN: one is not met or fails. UNKNOWN: too little is known for KEPT."""

    KEPT = "KEPT"
    BROKEN = "BROKEN"
    UNKNOWN = "UNKNOWN"


class Evidence(enum.StrEnum):
    """The evidence of when a dataset's data was last written."""

    RUN = "RUN"  # a job's run wrote it
    SNAPSHOT = "SNAPSHOT"  # the table's newest snapshot
    METRICS = "METRICS"  # a producer's metrics of the dataset
    CHECK = "CHECK"  # a freshness check saw data of that time


class Freshness(NamedTuple):
    """The age of the data of an output port. `last`: when it was last written, in microseconds; `age`: in seconds; None if not known."""

    dataset: int
    standing: Standing
    last: int | None
    evidence: Evidence | None
    age: float | None


class Health(NamedTuple):
    """The health of a product. `promised`: the freshness that it promises, as its source gives it; None if none.

    `freshness`: the worst of its output ports. `ports`, `checks`: of its output ports, by name.
    """

    product: int
    standing: Standing
    promised: durations.Measure | None
    freshness: Standing
    ports: tuple[Freshness, ...]
    checks: tuple[Result, ...]

    @property
    def counts(self) -> Counts:
        return count_outcomes(self.checks)

    @property
    def open_failures(self) -> tuple[Result, ...]:
        return tuple(check for check in self.checks if check.outcome in OPEN)


ComputeHealth: TypeAlias = Callable[[Sequence[int], int], Sequence[Health]]  # of products, at a time


def compute_health(live: LiveGraph, index: LineageIndex, products: Sequence[int], now: int) -> list[Health]:
    """The health of each product, in the order of `products`. `now`: the time at which ages are computed, in microseconds."""
    ports = {product: _list_output_ports(index, product) for product in set(products)}
    datasets = sorted({of for of_product in ports.values() for of in of_product})
    known = dict(zip(datasets, read_attributes(live, index, datasets), strict=True))
    checks = dict(zip(datasets, read_latest(live, index, datasets), strict=True))
    promises = dict(zip(ports, read_attributes(live, index, list(ports)), strict=True))
    found = {}
    for product, of_product in ports.items():
        promised = _parse_promise(promises[product])
        limit = None if promised is None else promised.seconds
        fresh = tuple(_compute_freshness(index, of, known[of], checks[of], limit, now) for of in of_product)
        results = tuple(result for of in of_product for result in checks[of])
        freshness = _combine_freshness(fresh)
        found[product] = Health(product, _decide_standing(freshness, promised, results), promised, freshness, fresh, results)
    return [found[product] for product in products]


_ORDER = (Standing.BROKEN, Standing.UNKNOWN, Standing.KEPT)


def list_products(
    index: LineageIndex,
    compute: ComputeHealth,
    now: int,
    wanted: Filter = EVERYTHING,
    *,
    standings: Collection[Standing] = _ORDER,
    order: ListOrder = ListOrder.HEALTH,
    first: int,
    after: SortKey | None = None,
) -> CountedPage:
    """The products with these standings, in an order; by HEALTH: BROKEN first, then UNKNOWN, then KEPT, and by name.

    `compute`: `compute_health` in the graph of the index. `now`: as there, of the first page. It is the last number of all sort keys:
    later pages are computed as of the same time, so that a product that becomes stale between two pages is neither skipped nor repeated.
    """
    if after is not None:
        now = after.numbers[-1]
    by_health = order is ListOrder.HEALTH
    entries = list_assets(
        index, AssetKind.DATA_PRODUCT, wanted, order=ListOrder.NAME if by_health else order, first=index.changes.count_nodes()
    ).entries
    found = []
    for entry, health in zip(entries, compute([entry.node for entry in entries], now), strict=True):
        if health.standing in standings:
            numbers = (_ORDER.index(health.standing),) if by_health else entry.key.numbers
            found.append(Entry(SortKey((*numbers, now), entry.key.names), entry.node))
    found.sort()
    return CountedPage(build_page((entry for entry in found if after is None or entry.key > after), first), len(found))


def count_product_numbers(order: ListOrder) -> int:
    """How many numbers the sort keys of `list_products` have (`decode_cursor`)."""
    return 2 if order is ListOrder.HEALTH else count_order_numbers(order) + 1


def _list_output_ports(index: LineageIndex, product: int) -> list[int]:
    edges = index.ownership.list_edges(product, EdgeType.PORT)
    ports = {edge.end for edge in edges if edge.attributes.get("direction", "output") == "output" and index.may_read(edge.end)}
    return sorted(ports, key=lambda of: index.assets.get_key(of).parts)


def _parse_promise(of_product: Attributes) -> durations.Measure | None:
    slo = of_product.find_value("slo")
    promise = slo.get(FRESHNESS) if isinstance(slo, dict) else None
    return None if promise is None else durations.convert_measure(promise)


def _decide_standing(freshness: Standing, promised: durations.Measure | None, results: Iterable[Result]) -> Standing:
    outcomes = {result.outcome for result in results}
    if freshness is Standing.BROKEN or Outcome.FAILED in outcomes:
        return Standing.BROKEN
    if (promised is not None and freshness is Standing.UNKNOWN) or Outcome.ERROR in outcomes:
        return Standing.UNKNOWN
    return Standing.KEPT if freshness is Standing.KEPT or outcomes & {Outcome.PASSED, Outcome.WARNED} else Standing.UNKNOWN


def _combine_freshness(ports: Sequence[Freshness]) -> Standing:
    """The worst standing of the ports: BROKEN before UNKNOWN before KEPT; UNKNOWN without ports."""
    standings = {port.standing for port in ports}
    if Standing.BROKEN in standings:
        return Standing.BROKEN
    return Standing.KEPT if standings == {Standing.KEPT} else Standing.UNKNOWN


def _compute_freshness(
    index: LineageIndex, of: int, known: Attributes, checks: Iterable[Result], limit: float | None, now: int
) -> Freshness:
    seen = find_last_written(index, of, known, checks, now)
    if seen is None:
        return Freshness(of, Standing.UNKNOWN, None, None, None)
    age = (now - seen[0]) / 1_000_000
    standing = Standing.UNKNOWN if limit is None else Standing.KEPT if age <= limit else Standing.BROKEN
    return Freshness(of, standing, *seen, age)


def find_last_written(index: LineageIndex, of: int, known: Attributes, checks: Iterable[Result], now: int) -> tuple[int, Evidence] | None:
    """When the data of a dataset was last written, up to a time (microseconds), and the evidence; None if nothing proves it.

    `known`, `checks`: its attributes and the results of its checks.
    """
    return max((one for one in _list_evidence(index, of, known, checks) if one[0] <= now), default=None, key=lambda one: one[0])


def _list_evidence(index: LineageIndex, of: int, known: Attributes, checks: Iterable[Result]) -> Iterator[tuple[int, Evidence]]:
    """Times (microseconds) at which data had been written, each with its evidence. Each is true, so the newest counts."""
    for scope in _list_writes(index, of):
        yield scope.last_observed, Evidence.RUN
    for row in known.rows:
        if row.attribute == "snapshot_at" and isinstance(row.value, int):
            yield row.value * 1000, Evidence.SNAPSHOT
        elif row.attribute == _METRICS and isinstance(row.value, dict) and (at := _parse_micros(row.value.get("lastUpdated"))) is not None:
            yield at, Evidence.METRICS
    for check in checks:
        observed = check.state.observed
        if (
            check.state.kind == FRESHNESS
            and isinstance(observed, dict)
            and (at := _parse_micros(observed.get("max_loaded_at"))) is not None
        ):
            yield at, Evidence.CHECK


def find_write(index: LineageIndex, of: int, at: int) -> int | None:
    """The scope of the statement by which a run wrote a dataset at a time; None if no run did. Of several the first by name."""
    found = [scope for scope in _list_writes(index, of) if scope.last_observed == at]
    return min(found, key=lambda scope: (scope.source, scope.scope)).scope_id if found else None


def _list_writes(index: LineageIndex, of: int) -> Iterator[ScopeInfo]:
    """The statements of runs that wrote a dataset and did not fail."""
    for edge in index.ownership.list_edges(of, EdgeType.WRITES, incoming=True):
        scope = index.changes.get_scope(edge.scope_id)
        if scope.scope[0] in _WRITTEN and parse_source_kind(scope.source) == "openlineage" and not scope.provisional:
            yield scope


def _parse_micros(text: Json) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        return to_micros(datetime.fromisoformat(text))
    except ValueError:
        return None
