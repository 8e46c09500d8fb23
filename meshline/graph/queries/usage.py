"""Who really read datasets and columns, how often and when, as far as usage was loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from meshline.graph.index import Edge, LineageIndex
from meshline.graph.live_graph import FactRow
from meshline.graph.model import AssetKind, EdgeType, Json
from meshline.graph.usage import DATASET_READS, FIRST_READ, LAST_READ, READS, WINDOWS


class Reads(NamedTuple):
    """How often something was read, and when first and last (microseconds)."""

    number: int
    first: int
    last: int


class Use(NamedTuple):
    """A consumer's use of an asset. `reads`: what was seen of it; None if it is only stated. `edge`: of several that of the last read."""

    edge: Edge
    reads: Reads | None


class Window(NamedTuple):
    """A time (microseconds) in which all readers of a dataset are known. `columns`: and which columns they read."""

    begin: int
    end: int
    columns: bool
    source: str


class Summary(NamedTuple):
    """All reads of an asset. `readers`: how many consumers."""

    reads: Reads
    readers: int


def merge_uses(index: LineageIndex, edges: Iterable[Edge]) -> list[Use]:
    """The uses that CONSUMES edges are; what one source saw in several months is one use."""
    seen: dict[tuple[int, int, str], list[tuple[Edge, Reads]]] = {}
    found: list[Use] = []
    for edge in edges:
        reads = _find_reads(index, edge)
        if reads is None:
            found.append(Use(edge, None))
        else:
            seen.setdefault((edge.start, edge.end, index.changes.get_scope(edge.scope_id).source), []).append((edge, reads))
    for months in seen.values():
        newest = max(months, key=lambda one: (one[1].last, one[0].scope_id))[0]
        found.append(Use(newest, add_reads(reads for _, reads in months)))
    return found


def _find_reads(index: LineageIndex, edge: Edge) -> Reads | None:
    """What a CONSUMES edge states that was seen; None if it is only stated that there is a use, or the caller may not read the asset."""
    if not index.may_read(edge.end):
        return None
    count, first, last = (edge.attributes.get(name) for name in (READS, FIRST_READ, LAST_READ))
    return Reads(count, first, last) if _is_number(count) and _is_number(first) and _is_number(last) else None  # type: ignore[arg-type]


def add_reads(reads: Iterable[Reads]) -> Reads:
    """Of several times together. Raises ValueError without any."""
    found = list(reads)
    return Reads(sum(one.number for one in found), min(one.first for one in found), max(one.last for one in found))


def summarise_usage(index: LineageIndex, node: int) -> Summary | None:
    """The reads of a dataset (with any of its columns), or of exactly one column; None if none is known.

    A caller who may not see all gets the most that each reader read of one visible column: reads of hidden ones change nothing.
    """
    of_dataset = index.whole is index and index.assets.get_kind(node) is AssetKind.DATASET
    readers: dict[int, dict[int, Reads]] = {}  # by reader and statement: reads of several columns may be the same ones
    for edge in _iterate_edges(index, node):
        reads = _find_reads(index, edge)
        if reads is not None:
            total = edge.attributes.get(DATASET_READS)
            if of_dataset and _is_number(total):
                reads = reads._replace(number=total)  # type: ignore[arg-type]
            known = readers.setdefault(edge.start, {}).get(edge.scope_id)
            if known is not None:
                reads = Reads(max(known.number, reads.number), min(known.first, reads.first), max(known.last, reads.last))
            readers[edge.start][edge.scope_id] = reads
    if not readers:
        return None
    return Summary(add_reads(one for statements in readers.values() for one in statements.values()), len(readers))


def find_last_use(index: LineageIndex, consumer: int, assets: Sequence[int]) -> Reads | None:
    """The reads by a consumer of that one of some assets which it read most; the times are of all of them. None if none is known."""
    wanted = set(assets)
    edges = (edge for edge in index.ownership.list_edges(consumer, EdgeType.CONSUMES) if edge.end in wanted)
    by_asset: dict[int, list[Reads]] = {}
    for edge in edges:
        if (reads := _find_reads(index, edge)) is not None:
            by_asset.setdefault(edge.end, []).append(reads)
    if not by_asset:
        return None
    sums = [add_reads(months) for months in by_asset.values()]
    return Reads(max(one.number for one in sums), min(one.first for one in sums), max(one.last for one in sums))


def list_windows(rows: Iterable[FactRow]) -> list[Window]:
    """The windows that the rows of a dataset's attributes state, the last one first."""
    found = [
        Window(begin, end, value.get("columns") is True, row.source)  # type: ignore[arg-type]
        for row in rows
        if row.attribute == WINDOWS and isinstance(row.value, list)
        for value in row.value
        if isinstance(value, dict) and _is_number(begin := value.get("from")) and _is_number(end := value.get("to"))
    ]
    return sorted(found, key=lambda one: (-one.end, one.begin, one.columns, one.source))


def _iterate_edges(index: LineageIndex, node: int) -> Iterator[Edge]:
    columns = index.assets.list_columns(node) if index.assets.get_kind(node) is AssetKind.DATASET else ()
    for one in (node, *columns):
        yield from index.ownership.list_edges(one, EdgeType.CONSUMES, incoming=True)


def _is_number(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
